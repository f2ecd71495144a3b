// The port between nodes over real TCP.

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "transport/peer_port_zmq.h"
#include "transport/transport_context.h"

#define WAIT_MS 20000

const char *__tsan_default_options (void);
const char *__tsan_default_options (void)
{
    return "ignore_noninstrumented_modules=1";
}

static dt_env_t s_env;
static void *s_context;
static peer_port_t *s_one, *s_two; // node 1 and node 2

static void s_ignore_log (const dt_env_t *self, dt_log_level_t level, const char *line)
{
    (void) self;
    (void) level;
    (void) line;
}

static peer_port_t *s_open (peer_port_zmq_options_t options)
{
    peer_port_t *port;
    options.endpoint = options.endpoint ? options.endpoint : "tcp://127.0.0.1:*";
    int rc, tries = 0; // an endpoint closed before is free when libzmq's threads have let go of it
    while ((rc = peer_port_zmq_new (&port, s_context, &s_env, &options)) == DT_ERR_IN_USE) {
        ck_assert_int_lt (++tries, WAIT_MS);
        zmq_poll (NULL, 0, 1);
    }
    ck_assert_int_eq (rc, 0);
    return port;
}

static void s_setup (void)
{
    dt_env_posix_init (&s_env, STDERR_FILENO, DT_LOG_ERROR);
    s_env.log = s_ignore_log;
    s_context = transport_zmq_context_new (&s_env, 1, 64);
    s_one = s_open ((peer_port_zmq_options_t){.link_bytes_max = 1 << 20});
    s_two = s_open ((peer_port_zmq_options_t){.frame_bytes_max = 100000});
}

static void s_teardown (void)
{
    if (s_one) {
        s_one->close (&s_one);
    }
    if (s_two) {
        s_two->close (&s_two);
    }
    zmq_ctx_term (s_context);
}

static int s_try_send (peer_channel_t channel, uint8_t fill, size_t bytes)
{
    dt_buffer_t frame = {0};
    memset (dt_buffer_reserve (&frame, bytes), fill, bytes);
    frame.bytes = bytes;
    int rc = s_one->send (s_one, 2, channel, &frame);
    ck_assert_uint_eq (frame.bytes, rc == 0 ? 0 : bytes);
    if (rc != 0) { // untouched
        ck_assert_uint_eq (frame.data[0], fill);
        ck_assert_uint_eq (frame.data[bytes - 1], fill);
    }
    dt_buffer_deinit (&frame);
    return rc;
}

// Send from node 1 to node 2 as soon as that is possible.
static void s_send (peer_channel_t channel, uint8_t fill, size_t bytes)
{
    int rc, tries = 0;
    while ((rc = s_try_send (channel, fill, bytes)) == DT_ERR_AGAIN) {
        ck_assert_int_lt (++tries, WAIT_MS);
        zmq_poll (NULL, 0, 1);
    }
    ck_assert_int_eq (rc, 0);
}

static int s_receive (peer_port_t *port, transport_message_t *message)
{
    for (;;) {
        int rc = port->receive (port, message);
        if (rc != DT_ERR_AGAIN) {
            return rc;
        }
        zmq_pollitem_t item = {.socket = port->poll_socket (port), .events = ZMQ_POLLIN};
        ck_assert_int_eq (zmq_poll (&item, 1, WAIT_MS), 1);
    }
}

static void s_expect (uint8_t fill, size_t bytes)
{
    transport_message_t message;
    ck_assert_int_eq (s_receive (s_two, &message), 0);
    ck_assert_uint_eq (message.bytes, bytes);
    ck_assert_uint_eq (message.data[0], fill);
    ck_assert_uint_eq (message.data[bytes - 1], fill);
    transport_message_release (&message);
}

static void s_connect (void)
{
    ck_assert_int_eq (s_one->connect (s_one, 2, peer_port_zmq_endpoint (s_two)), 0);
}

START_TEST (frames_of_all_sizes_go_by_both_channels)
{
    s_connect ();
    const size_t sizes[] = {1, 255, 256, 5000, 16384, 90000};
    for (int i = 0; i < 6; i++) {
        s_send (PEER_CONTROL, 1, sizes[i]);
        s_expect (1, sizes[i]);
        s_send (PEER_BULK, 2, sizes[i]);
        s_expect (2, sizes[i]);
    }
    ck_assert_uint_eq (s_one->counters (s_one)->sent, 12);
    ck_assert_uint_eq (s_two->counters (s_two)->received, 12);
}
END_TEST

// A listener that takes connections and never says a word.
static int s_mute_listener (char endpoint[static 96])
{
    int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    ck_assert_int_eq (bind (listener, (struct sockaddr *) &address, bytes), 0);
    ck_assert_int_eq (listen (listener, 10), 0);
    ck_assert_int_eq (getsockname (listener, (struct sockaddr *) &address, &bytes), 0);
    snprintf (endpoint, 96, "tcp://127.0.0.1:%d", ntohs (address.sin_port));
    return listener;
}

START_TEST (a_send_before_the_connection_stands_is_refused_and_leaves_the_frame)
{
    char endpoint[96];
    int listener = s_mute_listener (endpoint);
    ck_assert_int_eq (s_try_send (PEER_CONTROL, 7, 100), DT_ERR_NOT_FOUND);
    ck_assert_int_eq (s_one->connect (s_one, 2, endpoint), 0);
    ck_assert_int_eq (s_try_send (PEER_CONTROL, 7, 100), DT_ERR_AGAIN);
    ck_assert_int_eq (s_try_send (PEER_CONTROL, 7, 1000), DT_ERR_AGAIN);
    ck_assert_int_eq (s_try_send (PEER_CONTROL, 7, 50000), DT_ERR_AGAIN);
    s_connect ();
    s_send (PEER_CONTROL, 8, 50000);
    s_expect (8, 50000);
    s_one->disconnect (s_one, 2);
    s_one->disconnect (s_one, 2);
    ck_assert_int_eq (s_try_send (PEER_CONTROL, 7, 100), DT_ERR_NOT_FOUND);
    close (listener);
}
END_TEST

START_TEST (a_refusal_comes_back_on_the_link)
{
    s_connect ();
    s_send (PEER_BULK, 1, 10);
    transport_message_t message;
    uint32_t node_id;
    ck_assert_int_eq (s_receive (s_two, &message), 0);
    s_two->send_refusal (s_two, &message.route, (const uint8_t *) "no", 2);
    transport_message_release (&message);
    int rc, tries = 0;
    while ((rc = s_one->receive_refusal (s_one, &node_id, &message)) == DT_ERR_AGAIN) {
        ck_assert_int_lt (++tries, WAIT_MS);
        zmq_poll (NULL, 0, 1);
    }
    ck_assert_int_eq (rc, 0);
    ck_assert_uint_eq (node_id, 2);
    ck_assert_uint_eq (message.bytes, 2);
    ck_assert_mem_eq (message.data, "no", 2);
    transport_message_release (&message);
}
END_TEST

START_TEST (a_refusal_to_a_connection_that_is_gone_is_dropped)
{
    transport_route_t nobody = {.bytes = 5, .data = {0, 1, 2, 3, 4}};
    s_two->send_refusal (s_two, &nobody, (const uint8_t *) "no", 2);
    s_connect ();
    s_send (PEER_CONTROL, 1, 10);
    s_expect (1, 10);
}
END_TEST

START_TEST (messages_of_other_shapes_are_dropped_and_counted)
{
    void *raw = zmq_socket (s_context, ZMQ_DEALER);
    int zero = 0;
    zmq_setsockopt (raw, ZMQ_LINGER, &zero, sizeof zero);
    ck_assert_int_eq (zmq_connect (raw, peer_port_zmq_endpoint (s_two)), 0);
    zmq_send (raw, "", 0, ZMQ_SNDMORE); // what a client's delimiter would be
    zmq_send (raw, "body", 4, 0);
    for (int i = 0; i < 3000; i++) {
        zmq_send (raw, "many", 4, ZMQ_SNDMORE);
    }
    zmq_send (raw, "end", 3, 0);
    zmq_send (raw, "good", 4, 0);
    transport_message_t message;
    int rc, dropped = 0;
    while ((rc = s_receive (s_two, &message)) == DT_ERR_MALFORMED) {
        dropped++;
    }
    ck_assert_int_eq (rc, 0);
    ck_assert_mem_eq (message.data, "good", 4);
    ck_assert_int_ge (dropped, 2);
    ck_assert_uint_eq (s_two->counters (s_two)->malformed, 2);
    transport_message_release (&message);
    zmq_close (raw);
}
END_TEST

START_TEST (after_a_frame_over_the_limit_the_link_comes_back_by_itself)
{
    s_connect ();
    s_send (PEER_CONTROL, 1, 10);
    s_expect (1, 10);
    s_send (PEER_CONTROL, 2, 100001);
    transport_message_t message;
    int tries = 0;
    while (s_two->receive (s_two, &message) != 0) { // what is sent meanwhile may be lost
        (void) s_try_send (PEER_CONTROL, 3, 10);
        ck_assert_int_lt (++tries, WAIT_MS);
        zmq_poll (NULL, 0, 1);
    }
    ck_assert_uint_eq (message.bytes, 10);
    transport_message_release (&message);
}
END_TEST

START_TEST (a_link_whose_peer_broke_the_protocol_is_dead_until_made_anew)
{
    void *rogue = zmq_socket (s_context, ZMQ_ROUTER);
    int zero = 0, wait = WAIT_MS;
    char endpoint[96];
    size_t bytes = sizeof endpoint;
    zmq_setsockopt (rogue, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (rogue, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_bind (rogue, "tcp://127.0.0.1:*");
    zmq_getsockopt (rogue, ZMQ_LAST_ENDPOINT, endpoint, &bytes);
    ck_assert_int_eq (s_one->connect (s_one, 2, endpoint), 0);
    s_send (PEER_CONTROL, 1, 10);
    static char big[200000];
    char route[32], body[32];
    int route_bytes = zmq_recv (rogue, route, sizeof route, 0);
    ck_assert_int_eq (zmq_recv (rogue, body, sizeof body, 0), 10);
    zmq_send (rogue, route, (size_t) route_bytes, ZMQ_SNDMORE);
    zmq_send (rogue, big, sizeof big, 0);
    int tries = 0, refused = 0; // until refused for a second in a row: it does not reconnect
    while (refused < 1000) {
        refused = s_try_send (PEER_CONTROL, 2, 10) == DT_ERR_AGAIN ? refused + 1 : 0;
        ck_assert_int_lt (++tries, WAIT_MS);
        zmq_poll (NULL, 0, 1);
    }
    ck_assert_int_eq (s_one->connect (s_one, 2, endpoint), 0);
    s_send (PEER_CONTROL, 3, 11);
    int got;
    do {
        ck_assert_int_gt (zmq_recv (rogue, route, sizeof route, 0), 0);
        got = zmq_recv (rogue, body, sizeof body, 0);
    } while (got == 10);
    ck_assert_int_eq (got, 11);
    zmq_close (rogue);
}
END_TEST

START_TEST (nothing_waits_for_the_next_life_of_a_node)
{
    char endpoint[96];
    snprintf (endpoint, sizeof endpoint, "%s", peer_port_zmq_endpoint (s_two));
    s_connect ();
    s_send (PEER_CONTROL, 1, 10);
    s_expect (1, 10);
    s_two->close (&s_two);
    int tries = 0;
    while (s_try_send (PEER_CONTROL, 2, 10) == 0) { // until the end is noticed
        ck_assert_int_lt (++tries, WAIT_MS);
        zmq_poll (NULL, 0, 1);
    }
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq (s_try_send (PEER_CONTROL, 2, 10), DT_ERR_AGAIN);
    }
    s_two = s_open ((peer_port_zmq_options_t){.endpoint = endpoint});
    s_send (PEER_CONTROL, 3, 10);
    s_expect (3, 10);
}
END_TEST

START_TEST (a_node_that_does_not_read_is_bounded_in_bytes)
{
    s_connect ();
    size_t accepted = 0;
    int refused = 0; // two does not read
    while (refused < 50) {
        if (s_try_send (PEER_BULK, 1, 90000) == 0) {
            accepted += 90000;
            refused = 0;
        } else {
            refused++;
            zmq_poll (NULL, 0, 1);
        }
        ck_assert_uint_lt (accepted, 40 << 20); // 64 unread frames, 1 MiB here, and the kernel's
    }
    s_send (PEER_CONTROL, 9, 10); // the other channel is free
    transport_message_t message;
    for (bool control = false; !control;) {
        ck_assert_int_eq (s_receive (s_two, &message), 0);
        control = message.bytes == 10;
        transport_message_release (&message);
    }
}
END_TEST

START_TEST (endpoints_that_are_none_and_too_many_links_are_refused)
{
    static const char *endpoints[] = {"", "tcp://", "nonsense", "tcp://127.0.0.1", "foo://1:2"};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq (s_one->connect (s_one, 2, endpoints[i]), DT_ERR_INVALID);
        ck_assert_int_eq (s_try_send (PEER_CONTROL, 1, 10), DT_ERR_NOT_FOUND);
    }
    peer_port_t *small = s_open ((peer_port_zmq_options_t){.links_max = 2});
    for (uint32_t node = 1; node <= 2; node++) {
        ck_assert_int_eq (small->connect (small, node, peer_port_zmq_endpoint (s_one)), 0);
    }
    ck_assert_int_eq (small->connect (small, 3, peer_port_zmq_endpoint (s_one)), DT_ERR_BUSY);
    ck_assert_int_eq (small->connect (small, 2, peer_port_zmq_endpoint (s_one)), 0);
    small->disconnect (small, 1);
    ck_assert_int_eq (small->connect (small, 3, peer_port_zmq_endpoint (s_one)), 0);
    small->close (&small);
}
END_TEST

START_TEST (a_context_out_of_sockets_is_no_end)
{
    void *tight = zmq_ctx_new ();
    zmq_ctx_set (tight, ZMQ_MAX_SOCKETS, 2); // the ROUTER and one DEALER
    peer_port_t *port;
    peer_port_zmq_options_t options = {.endpoint = "tcp://127.0.0.1:*"};
    ck_assert_int_eq (peer_port_zmq_new (&port, tight, &s_env, &options), 0);
    ck_assert_int_eq (port->connect (port, 2, peer_port_zmq_endpoint (s_two)), DT_ERR_BUSY);
    port->close (&port);
    zmq_ctx_term (tight);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("peer_port");
    TCase *tests = tcase_create ("peer_port");
    tcase_set_timeout (tests, 60);
    tcase_add_checked_fixture (tests, s_setup, s_teardown);
    tcase_add_test (tests, frames_of_all_sizes_go_by_both_channels);
    tcase_add_test (tests, a_send_before_the_connection_stands_is_refused_and_leaves_the_frame);
    tcase_add_test (tests, a_refusal_comes_back_on_the_link);
    tcase_add_test (tests, a_refusal_to_a_connection_that_is_gone_is_dropped);
    tcase_add_test (tests, messages_of_other_shapes_are_dropped_and_counted);
    tcase_add_test (tests, after_a_frame_over_the_limit_the_link_comes_back_by_itself);
    tcase_add_test (tests, a_link_whose_peer_broke_the_protocol_is_dead_until_made_anew);
    tcase_add_test (tests, nothing_waits_for_the_next_life_of_a_node);
    tcase_add_test (tests, a_node_that_does_not_read_is_bounded_in_bytes);
    tcase_add_test (tests, endpoints_that_are_none_and_too_many_links_are_refused);
    tcase_add_test (tests, a_context_out_of_sockets_is_no_end);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
