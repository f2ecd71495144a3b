// The port on a ROUTER against real DEALER and REQ clients over loopback.

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "transport/port_zmq.h"
#include "transport/port_zmq_ledger.h"
#include "transport/transport_context.h"

#define WAIT_MS 20000

// libzmq is not built with the sanitizer and hands memory over by ways it does not see; what our
// own code does is still watched.
const char *__tsan_default_options (void);
const char *__tsan_default_options (void)
{
    return "ignore_noninstrumented_modules=1";
}

static dt_env_t s_env;
static void *s_context;
static transport_port_t *s_port;
static char s_log[4096]; // what was logged in this test

static void s_take_log (const dt_env_t *self, dt_log_level_t level, const char *line)
{
    (void) self;
    (void) level;
    size_t used = strlen (s_log);
    snprintf (s_log + used, sizeof s_log - used, "%s\n", line);
}

static void s_open (const char *endpoint, port_zmq_options_t options)
{
    options.endpoint = endpoint;
    ck_assert_int_eq (port_zmq_new (&s_port, s_context, &s_env, &options), 0);
}

static void s_setup (void)
{
    s_log[0] = 0;
    dt_env_posix_init (&s_env, STDERR_FILENO, DT_LOG_INFO);
    s_env.log = s_take_log;
    s_context = transport_zmq_context_new (&s_env, 1, 64);
    ck_assert_ptr_nonnull (s_context);
    s_open ("tcp://127.0.0.1:*", (port_zmq_options_t){0});
}

static void s_teardown (void)
{
    if (s_port) {
        s_port->close (&s_port);
        ck_assert_ptr_null (s_port);
    }
    zmq_ctx_term (s_context);
}

static void *s_client (int type)
{
    void *client = zmq_socket (s_context, type);
    int zero = 0, wait = WAIT_MS;
    zmq_setsockopt (client, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (client, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_setsockopt (client, ZMQ_SNDTIMEO, &wait, sizeof wait);
    ck_assert_int_eq (zmq_connect (client, port_zmq_endpoint (s_port)), 0);
    return client;
}

// Receive as the net actor does: until there is something other than "nothing yet".
static int s_receive (transport_message_t *message)
{
    for (;;) {
        int rc = s_port->receive (s_port, message);
        if (rc != DT_ERR_AGAIN) {
            return rc;
        }
        zmq_pollitem_t item = {.socket = s_port->poll_socket (s_port), .events = ZMQ_POLLIN};
        ck_assert_int_eq (zmq_poll (&item, 1, WAIT_MS), 1);
    }
}

static int s_send (const transport_route_t *route, bool delimiter, const void *data, size_t bytes)
{
    dt_buffer_t body = {0};
    dt_buffer_append (&body, data, bytes);
    int rc = s_port->send (s_port, route, delimiter, &body);
    ck_assert_uint_eq (body.bytes, rc == 0 ? 0 : bytes);
    dt_buffer_deinit (&body);
    return rc;
}

START_TEST (dealer_gets_its_answers)
{
    void *client = s_client (ZMQ_DEALER);
    transport_message_t message;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq (zmq_send (client, &i, sizeof i, 0), sizeof i);
    }
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq (s_receive (&message), 0);
        ck_assert (!message.delimiter);
        ck_assert_uint_eq (message.bytes, sizeof i);
        ck_assert_mem_eq (message.data, &i, sizeof i);
        ck_assert_int_eq (s_send (&message.route, false, message.data, message.bytes), 0);
        transport_message_release (&message);
    }
    for (int i = 0; i < 100; i++) {
        int answer;
        ck_assert_int_eq (zmq_recv (client, &answer, sizeof answer, 0), sizeof answer);
        ck_assert_int_eq (answer, i);
    }
    const transport_counters_t *counters = s_port->counters (s_port);
    ck_assert_uint_eq (counters->received, 100);
    ck_assert_uint_eq (counters->received_bytes, 400);
    ck_assert_uint_eq (counters->sent, 100);
    ck_assert_uint_eq (counters->malformed, 0);
    ck_assert_int_eq (s_port->receive (s_port, &message), DT_ERR_AGAIN);
    zmq_close (client);
}
END_TEST

START_TEST (req_gets_its_delimiter_back)
{
    void *client = s_client (ZMQ_REQ);
    transport_message_t message;
    for (int i = 0; i < 3; i++) {
        char answer[8];
        zmq_send (client, "ask", 3, 0);
        ck_assert_int_eq (s_receive (&message), 0);
        ck_assert (message.delimiter);
        ck_assert_mem_eq (message.data, "ask", 3);
        ck_assert_int_eq (s_send (&message.route, true, "answer", 6), 0);
        transport_message_release (&message);
        ck_assert_int_eq (zmq_recv (client, answer, sizeof answer, 0), 6);
    }
    zmq_close (client);
}
END_TEST

START_TEST (an_empty_body_is_a_message)
{
    void *client = s_client (ZMQ_DEALER);
    transport_message_t message;
    zmq_send (client, "", 0, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    ck_assert (!message.delimiter);
    ck_assert_uint_eq (message.bytes, 0);
    transport_message_release (&message);
    zmq_close (client);
}
END_TEST

START_TEST (messages_outlive_the_port)
{
    void *client = s_client (ZMQ_DEALER);
    char body[5000];
    memset (body, 'x', sizeof body);
    transport_message_t message;
    zmq_send (client, body, sizeof body, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    s_port->close (&s_port);
    dt_blob_t *blob =
        dt_blob_wrap ((void *) message.data, message.bytes, message.release, message.owner);
    ck_assert_mem_eq (dt_blob_data (blob), body, sizeof body);
    dt_blob_unref (&blob);
    zmq_close (client);
}
END_TEST

// Send frames of the given sizes as one message.
static void s_send_frames (void *client, const int *sizes, int count)
{
    static const char junk[100];
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq (
            zmq_send (client, junk, (size_t) sizes[i], i + 1 < count ? ZMQ_SNDMORE : 0), sizes[i]);
    }
}

START_TEST (messages_of_other_shapes_are_dropped_and_counted)
{
    void *client = s_client (ZMQ_DEALER);
    transport_message_t message;
    s_send_frames (client, (int[]){1, 2}, 2);
    s_send_frames (client, (int[]){0, 1, 2}, 3);
    s_send_frames (client, (int[]){0, 0, 0, 0, 0}, 5);
    zmq_send (client, "good", 4, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq (s_receive (&message), DT_ERR_MALFORMED);
    }
    ck_assert_int_eq (s_receive (&message), 0);
    ck_assert_mem_eq (message.data, "good", 4);
    transport_message_release (&message);
    ck_assert_uint_eq (s_port->counters (s_port)->malformed, 3);
    ck_assert_uint_eq (s_port->counters (s_port)->received, 1);
    zmq_close (client);
}
END_TEST

START_TEST (a_flood_of_frames_is_dropped_in_stretches)
{
    void *client = s_client (ZMQ_DEALER);
    void *other = s_client (ZMQ_DEALER);
    transport_message_t message;
    for (int i = 0; i < 5000; i++) {
        zmq_send (client, "flood", 5, ZMQ_SNDMORE);
    }
    zmq_send (client, "end", 3, 0);
    zmq_send (client, "good", 4, 0);
    int stretches = 0, rc;
    while ((rc = s_receive (&message)) == DT_ERR_MALFORMED) {
        stretches++;
    }
    ck_assert_int_eq (rc, 0);
    ck_assert_mem_eq (message.data, "good", 4);
    transport_message_release (&message);
    ck_assert_int_ge (stretches, 5);
    ck_assert_uint_eq (s_port->counters (s_port)->malformed, 1);
    zmq_send (other, "also", 4, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    ck_assert_mem_eq (message.data, "also", 4);
    transport_message_release (&message);
    zmq_close (client);
    zmq_close (other);
}
END_TEST

START_TEST (a_client_that_is_gone_is_told)
{
    transport_route_t nobody = {.bytes = 5, .data = {0, 1, 2, 3, 4}};
    ck_assert_int_eq (s_send (&nobody, false, "x", 1), DT_ERR_NOT_FOUND);
    ck_assert_int_eq (s_send (&nobody, true, s_log, sizeof s_log), DT_ERR_NOT_FOUND);

    void *client = s_client (ZMQ_DEALER);
    transport_message_t message;
    zmq_send (client, "x", 1, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    transport_message_release (&message);
    zmq_close (client);
    int rc;
    uint64_t tries = 0;
    do { // until the end of the connection has been noticed
        rc = s_send (&message.route, false, "x", 1);
        zmq_poll (NULL, 0, 1);
    } while (rc == 0 && ++tries < WAIT_MS);
    ck_assert_int_eq (rc, DT_ERR_NOT_FOUND);
    ck_assert_uint_eq (s_port->counters (s_port)->gone, 3);
}
END_TEST

// Send to a client that does not read until it is refused; returns the bytes accepted.
static size_t s_fill (const transport_route_t *route, size_t bytes)
{
    uint8_t *body = calloc (1, bytes);
    size_t accepted = 0;
    int rc;
    while ((rc = s_send (route, false, body, bytes)) == 0) {
        accepted += bytes;
        ck_assert_uint_lt (accepted, (size_t) 1 << 30);
    }
    ck_assert_int_eq (rc, DT_ERR_BUSY);
    free (body);
    return accepted;
}

static void *s_lazy_client (void)
{
    void *client = zmq_socket (s_context, ZMQ_DEALER);
    int one = 1, small = 16384, zero = 0, wait = WAIT_MS;
    zmq_setsockopt (client, ZMQ_RCVHWM, &one, sizeof one);
    zmq_setsockopt (client, ZMQ_RCVBUF, &small, sizeof small);
    zmq_setsockopt (client, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (client, ZMQ_RCVTIMEO, &wait, sizeof wait);
    ck_assert_int_eq (zmq_connect (client, port_zmq_endpoint (s_port)), 0);
    zmq_send (client, "x", 1, 0);
    return client;
}

// What the kernel and libzmq's own buffers may swallow of what was accepted.
#define KERNEL_BYTES_MAX ((size_t) 24 << 20)

START_TEST (a_client_that_never_reads_is_bounded_in_bytes)
{
    s_port->close (&s_port);
    s_open ("tcp://127.0.0.1:*", (port_zmq_options_t){.client_bytes_max = 4 << 20});
    void *client = s_lazy_client ();
    transport_message_t message;
    ck_assert_int_eq (s_receive (&message), 0);
    transport_message_release (&message);
    size_t large = s_fill (&message.route, 1 << 20);
    ck_assert_uint_ge (large, 4 << 20);
    ck_assert_uint_le (large, (4 << 20) + KERNEL_BYTES_MAX);
    ck_assert_uint_gt (s_port->counters (s_port)->busy, 0);

    // Others are served meanwhile.
    void *other = s_client (ZMQ_DEALER);
    char answer[8];
    zmq_send (other, "x", 1, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    ck_assert_int_eq (s_send (&message.route, false, "answer", 6), 0);
    transport_message_release (&message);
    ck_assert_int_eq (zmq_recv (other, answer, sizeof answer, 0), 6);
    zmq_close (client);
    zmq_close (other);
}
END_TEST

START_TEST (a_client_that_never_reads_is_bounded_in_messages)
{
    s_port->close (&s_port);
    s_open ("tcp://127.0.0.1:*", (port_zmq_options_t){.send_messages_max = 100});
    void *client = s_lazy_client ();
    transport_message_t message;
    ck_assert_int_eq (s_receive (&message), 0);
    transport_message_release (&message);
    size_t small = s_fill (&message.route, 200);
    ck_assert_uint_ge (small, 100 * 200);
    ck_assert_uint_le (small, 100 * 200 + KERNEL_BYTES_MAX);
    zmq_close (client);
}
END_TEST

START_TEST (ten_thousand_answers_at_once_are_taken_for_a_client)
{
    void *client = s_client (ZMQ_DEALER);
    transport_message_t message;
    zmq_send (client, "x", 1, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    for (int round = 0; round < 3; round++) {
        char answer[16];
        for (int i = 0; i < 10000; i++) {
            ck_assert_int_eq (s_send (&message.route, false, "an answer", 9), 0);
        }
        for (int i = 0; i < 10000; i++) {
            ck_assert_int_eq (zmq_recv (client, answer, sizeof answer, 0), 9);
        }
    }
    transport_message_release (&message);
    zmq_close (client);
}
END_TEST

START_TEST (a_client_that_reads_again_is_served_again)
{
    s_port->close (&s_port);
    s_open ("tcp://127.0.0.1:*", (port_zmq_options_t){.client_bytes_max = 1 << 20});
    void *client = s_lazy_client ();
    transport_message_t message;
    ck_assert_int_eq (s_receive (&message), 0);
    transport_message_release (&message);
    size_t accepted = s_fill (&message.route, 100000);
    uint8_t *body = malloc (100000);
    for (size_t read = 0; read < accepted; read += 100000) {
        ck_assert_int_eq (zmq_recv (client, body, 100000, 0), 100000);
    }
    int rc, tries = 0;
    while ((rc = s_send (&message.route, false, body, 100000)) == DT_ERR_BUSY &&
           ++tries < WAIT_MS) {
        zmq_poll (NULL, 0, 1);
    }
    ck_assert_int_eq (rc, 0);
    ck_assert_int_eq (zmq_recv (client, body, 100000, 0), 100000);
    free (body);
    zmq_close (client);
}
END_TEST

START_TEST (a_frame_over_the_limit_closes_that_client_only)
{
    s_port->close (&s_port);
    s_open ("tcp://127.0.0.1:*", (port_zmq_options_t){.frame_bytes_max = 1000});
    void *good = s_client (ZMQ_DEALER);
    void *bad = zmq_socket (s_context, ZMQ_DEALER);
    int zero = 0;
    zmq_setsockopt (bad, ZMQ_LINGER, &zero, sizeof zero);
    zmq_socket_monitor (bad, "inproc://bad", ZMQ_EVENT_DISCONNECTED);
    void *monitor = zmq_socket (s_context, ZMQ_PAIR);
    int wait = WAIT_MS;
    zmq_setsockopt (monitor, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_connect (monitor, "inproc://bad");
    zmq_connect (bad, port_zmq_endpoint (s_port));

    static const char body[1001];
    transport_message_t message;
    zmq_send (good, body, 1000, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    transport_route_t route;
    transport_route_copy (&route, &message.route);
    transport_message_release (&message);
    zmq_send (bad, body, 1001, 0);
    char event[6];
    ck_assert_int_eq (zmq_recv (monitor, event, sizeof event, 0), 6); // bad was disconnected
    zmq_send (good, body, 1000, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    ck_assert (transport_route_equal (&message.route, &route)); // good was not
    transport_message_release (&message);
    ck_assert_uint_eq (s_port->counters (s_port)->received, 2);
    zmq_close (bad);
    zmq_close (monitor);
    zmq_close (good);
}
END_TEST

START_TEST (a_port_in_use_is_named)
{
    port_zmq_options_t options = {.endpoint = port_zmq_endpoint (s_port)};
    transport_port_t *second = NULL;
    ck_assert_int_eq (port_zmq_new (&second, s_context, &s_env, &options), DT_ERR_IN_USE);
    ck_assert_ptr_null (second);
    ck_assert_ptr_nonnull (strstr (s_log, options.endpoint));
}
END_TEST

START_TEST (endpoints_that_are_none_are_refused)
{
    static const char *endpoints[] = {"",         "tcp://",           "tcp://127.0.0.1",
                                      "nonsense", "foo://1.2.3.4:56", "tcp://192.0.2.77:1"};
    for (int i = 0; i < 6; i++) {
        port_zmq_options_t options = {.endpoint = endpoints[i]};
        transport_port_t *port = NULL;
        s_log[0] = 0;
        ck_assert_int_eq (port_zmq_new (&port, s_context, &s_env, &options), DT_ERR_INVALID);
        ck_assert_ptr_nonnull (strstr (s_log, "cannot listen on"));
    }
}
END_TEST

START_TEST (ipc_and_ipv6_endpoints_work)
{
    char folder[] = "/tmp/dt-port-XXXXXX", endpoint[64];
    ck_assert_ptr_nonnull (mkdtemp (folder));
    snprintf (endpoint, sizeof endpoint, "ipc://%s/port", folder);
    s_port->close (&s_port);
    s_open (endpoint, (port_zmq_options_t){0});
    void *client = s_client (ZMQ_DEALER);
    transport_message_t message;
    zmq_send (client, "x", 1, 0);
    ck_assert_int_eq (s_receive (&message), 0);
    transport_message_release (&message);
    zmq_close (client);
    s_port->close (&s_port);

    port_zmq_options_t options = {.endpoint = "tcp://[::1]:*", .ipv6 = true};
    int rc = port_zmq_new (&s_port, s_context, &s_env, &options);
    ck_assert (rc == 0 || rc == DT_ERR_INVALID); // the machine may have no IPv6
    snprintf (endpoint, sizeof endpoint, "%s/port", folder);
    unlink (endpoint);
    ck_assert_int_eq (rmdir (folder), 0);
}
END_TEST

START_TEST (ledger_settles_accounts_when_bodies_come_back)
{
    port_zmq_ledger_t *ledger = port_zmq_ledger_new (100, 250, 1);
    transport_route_t a = {.bytes = 1, .data = {'a'}}, b = {.bytes = 1, .data = {'b'}};
    port_zmq_account_t *account = port_zmq_ledger_admit (ledger, &a, 200);
    ck_assert_ptr_nonnull (account); // over its limit, but nothing waits
    void *first = port_zmq_ledger_enter (account, 200);
    ck_assert_ptr_null (port_zmq_ledger_admit (ledger, &a, 1));
    ck_assert_ptr_null (port_zmq_ledger_admit (ledger, &b, 60)); // over the total
    account = port_zmq_ledger_admit (ledger, &b, 50);
    void *second = port_zmq_ledger_enter (account, 50);
    ck_assert_ptr_nonnull (port_zmq_ledger_admit (ledger, &b, 0));
    port_zmq_ledger_return (malloc (1), first);
    ck_assert_uint_eq (port_zmq_ledger_bytes (ledger), 50);
    ck_assert_ptr_nonnull (port_zmq_ledger_admit (ledger, &a, 100));
    ck_assert_ptr_null (port_zmq_ledger_admit (ledger, &b, 51));
    port_zmq_ledger_destroy (&ledger);
    port_zmq_ledger_return (malloc (1), second); // after the ledger
}
END_TEST

START_TEST (ledger_keeps_busy_accounts_over_thousands_of_others)
{
    port_zmq_ledger_t *ledger = port_zmq_ledger_new (100, 1 << 20, 1);
    transport_route_t busy = {.bytes = 4, .data = "busy"};
    void *hint = port_zmq_ledger_enter (port_zmq_ledger_admit (ledger, &busy, 100), 100);
    void *hints[500];
    for (uint32_t i = 0; i < 10000; i++) {
        transport_route_t route = {.bytes = 5};
        memcpy (route.data, &i, sizeof i);
        port_zmq_account_t *account = port_zmq_ledger_admit (ledger, &route, 10);
        ck_assert_ptr_nonnull (account);
        if (i < 500) {
            hints[i] = port_zmq_ledger_enter (account, 10);
        }
        ck_assert_ptr_null (port_zmq_ledger_admit (ledger, &busy, 1));
    }
    for (int i = 0; i < 500; i++) {
        port_zmq_ledger_return (NULL, hints[i]);
    }
    port_zmq_ledger_return (NULL, hint);
    ck_assert_uint_eq (port_zmq_ledger_bytes (ledger), 0);
    port_zmq_ledger_destroy (&ledger);
}
END_TEST

static void *s_receive_elsewhere (void *argument)
{
    s_port->receive (s_port, argument);
    return NULL;
}

START_TEST (use_by_a_second_thread_aborts)
{
    transport_message_t message;
    ck_assert_int_eq (s_port->receive (s_port, &message), DT_ERR_AGAIN);
    pthread_t thread;
    pthread_create (&thread, NULL, s_receive_elsewhere, &message);
    pthread_join (thread, NULL);
}
END_TEST

START_TEST (context_says_when_files_are_too_few)
{
    struct rlimit limit = {.rlim_cur = 300, .rlim_max = 300};
    ck_assert_int_eq (setrlimit (RLIMIT_NOFILE, &limit), 0); // of this test's process only
    void *context = transport_zmq_context_new (&s_env, 1, 1000);
    ck_assert_ptr_nonnull (context);
    ck_assert_ptr_nonnull (strstr (s_log, "may open 300 files"));
    ck_assert_ptr_nonnull (strstr (s_log, "2256"));
    zmq_ctx_term (context);
}
END_TEST

START_TEST (environment_loses_zsys_and_nothing_else)
{
    setenv ("ZSYS_SNDHWM", "1", 1);
    setenv ("ZSYS_LINGER", "1", 1);
    setenv ("ZSYSTEM", "1", 1);
    transport_environment_clear ();
    ck_assert_ptr_null (getenv ("ZSYS_SNDHWM"));
    ck_assert_ptr_null (getenv ("ZSYS_LINGER"));
    ck_assert_str_eq (getenv ("ZSYSTEM"), "1");
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("port_zmq");
    TCase *tests = tcase_create ("port_zmq");
    tcase_set_timeout (tests, 60);
    tcase_add_checked_fixture (tests, s_setup, s_teardown);
    tcase_add_test (tests, dealer_gets_its_answers);
    tcase_add_test (tests, req_gets_its_delimiter_back);
    tcase_add_test (tests, an_empty_body_is_a_message);
    tcase_add_test (tests, messages_outlive_the_port);
    tcase_add_test (tests, messages_of_other_shapes_are_dropped_and_counted);
    tcase_add_test (tests, a_flood_of_frames_is_dropped_in_stretches);
    tcase_add_test (tests, a_client_that_is_gone_is_told);
    tcase_add_test (tests, a_client_that_never_reads_is_bounded_in_bytes);
    tcase_add_test (tests, a_client_that_never_reads_is_bounded_in_messages);
    tcase_add_test (tests, ten_thousand_answers_at_once_are_taken_for_a_client);
    tcase_add_test (tests, a_client_that_reads_again_is_served_again);
    tcase_add_test (tests, a_frame_over_the_limit_closes_that_client_only);
    tcase_add_test (tests, a_port_in_use_is_named);
    tcase_add_test (tests, endpoints_that_are_none_are_refused);
    tcase_add_test (tests, ipc_and_ipv6_endpoints_work);
    tcase_add_test (tests, ledger_settles_accounts_when_bodies_come_back);
    tcase_add_test (tests, ledger_keeps_busy_accounts_over_thousands_of_others);
    tcase_add_test_raise_signal (tests, use_by_a_second_thread_aborts, SIGABRT);
    tcase_add_test (tests, context_says_when_files_are_too_few);
    tcase_add_test (tests, environment_loses_zsys_and_nothing_else);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
