// The peer actor on real threads, over real sockets.

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/transport/peer_fixture.h"
#include "transport/peer_protocol.h"

// libzmq is not built with the sanitizer and hands memory over by ways it does not see; what our
// own code does is still watched.
const char *__tsan_default_options (void);
const char *__tsan_default_options (void)
{
    return "ignore_noninstrumented_modules=1";
}

// Two nodes whose groups 0 name each other.
static void s_pair (peer_fixture_node_t **one, peer_fixture_node_t **two,
                    const peer_fixture_options_t *options)
{
    peer_fixture_options_t first = options ? *options : (peer_fixture_options_t){0};
    peer_fixture_options_t second = first;
    first.node_id = 1;
    second.node_id = 2;
    *one = peer_fixture_start (&first);
    *two = peer_fixture_start (&second);
    peer_fixture_name (*one, 0, 2, peer_fixture_endpoint (*two));
    peer_fixture_name (*two, 0, 1, peer_fixture_endpoint (*one));
    peer_fixture_wait (peer_fixture_connected (*one, 2) && peer_fixture_connected (*two, 1));
}

static void *s_socket (int type)
{
    void *socket = zmq_socket (peer_fixture_context (), type);
    int zero = 0, wait = 20000, one = 1;
    zmq_setsockopt (socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (socket, ZMQ_RCVTIMEO, &wait, sizeof wait);
    zmq_setsockopt (socket, ZMQ_SNDTIMEO, &wait, sizeof wait);
    if (type == ZMQ_DEALER) {
        zmq_setsockopt (socket, ZMQ_IMMEDIATE, &one, sizeof one);
    }
    return socket;
}

// A socket that poses as a node, bound; its endpoint.
static void *s_listener (char endpoint[static 96])
{
    void *socket = s_socket (ZMQ_ROUTER);
    size_t bytes = 96;
    ck_assert_int_eq (zmq_bind (socket, "tcp://127.0.0.1:*"), 0);
    ck_assert_int_eq (zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes), 0);
    return socket;
}

// A socket that poses as a node and sends to a real one.
static void *s_sender (const peer_fixture_node_t *to)
{
    void *socket = s_socket (ZMQ_DEALER);
    ck_assert_int_eq (zmq_connect (socket, peer_fixture_endpoint (to)), 0);
    return socket;
}

static void s_send_frame (void *socket, const peer_header_t *header, uint32_t group, uint8_t kind)
{
    dt_buffer_t frame = {0};
    peer_header_write (&frame, header);
    if (group != 0) {
        peer_part_write (&frame, group, kind, 1, 0);
    }
    ck_assert_int_eq (zmq_send (socket, frame.data, frame.bytes, 0), (int) frame.bytes);
    dt_buffer_deinit (&frame);
}

static void s_read_refusal (void *socket, peer_refusal_code_t code, uint64_t expected)
{
    uint8_t bytes[512];
    int got = zmq_recv (socket, bytes, sizeof bytes, 0);
    ck_assert_int_gt (got, 0);
    peer_refusal_t refusal;
    ck_assert_int_eq (peer_refusal_read (bytes, (size_t) got, &refusal), 0);
    ck_assert_uint_eq (refusal.code, code);
    ck_assert_uint_eq (refusal.expected, expected);
}

// --- what arrives --------------------------------------------------------------------------------

START_TEST (messages_of_all_groups_and_sizes_arrive_whole_and_in_order)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, NULL);
    peer_fixture_name (one, 1, 2, peer_fixture_endpoint (two));
    const size_t sizes[] = {0, 1, 20, 255, 4000, 70000, 1000000, 3000000};
    for (int i = 0; i < 8; i++) {
        peer_fixture_send (
            one, &(peer_fixture_send_t){
                     .node_id = 2, .kind = 3, .count = 5, .head_bytes = 20, .bytes = sizes[i]});
        peer_fixture_send (
            one, &(peer_fixture_send_t){
                     .group = 1, .node_id = 2, .kind = 4, .count = 5, .head_bytes = sizes[i]});
        peer_fixture_wait (peer_fixture_has (two, 0, 3, 5 * (i + 1)) &&
                           peer_fixture_has (two, 1, 4, 5 * (i + 1)));
    }
    peer_fixture_seen_t seen;
    for (int group = 0; group < 2; group++) {
        peer_fixture_seen (two, group, &seen);
        ck_assert_uint_eq (seen.messages, 40);
        ck_assert_uint_eq (seen.broken, 0);
        ck_assert_uint_eq (seen.out_of_order, 0);
    }
}
END_TEST

START_TEST (messages_that_have_piled_up_share_frames)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, NULL);
    peer_status_t before, after;
    peer_fixture_status (one, 2, &before);
    peer_fixture_send (
        one, &(peer_fixture_send_t){.node_id = 2, .kind = 3, .count = 1000, .head_bytes = 50});
    peer_fixture_wait (peer_fixture_has (two, 0, 3, 1000));
    peer_fixture_status (one, 2, &after);
    ck_assert_uint_le (after.frames_sent - before.frames_sent, 10);
}
END_TEST

START_TEST (bulk_and_control_both_arrive)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, NULL);
    peer_fixture_send (
        one, &(peer_fixture_send_t){
                 .node_id = 2, .kind = 16, .count = 20, .channel = PEER_BULK, .bytes = 256 * 1024});
    peer_fixture_send (
        one, &(peer_fixture_send_t){.node_id = 2, .kind = 3, .count = 20, .head_bytes = 30});
    peer_fixture_wait (peer_fixture_has (two, 0, 16, 20) && peer_fixture_has (two, 0, 3, 20));
}
END_TEST

START_TEST (three_nodes_talk_to_each_other)
{
    peer_fixture_node_t *nodes[3];
    peer_node_t names[3];
    for (int i = 0; i < 3; i++) {
        nodes[i] = peer_fixture_start (&(peer_fixture_options_t){.node_id = (uint32_t) i + 1});
        names[i].node_id = (uint32_t) i + 1;
        snprintf (names[i].endpoint, sizeof names[i].endpoint, "%s",
                  peer_fixture_endpoint (nodes[i]));
    }
    for (int i = 0; i < 3; i++) {
        peer_fixture_name_all (nodes[i], names, 3); // a node's own name is passed over
    }
    for (uint32_t pair = 0; pair < 9; pair++) { // what comes before both know each other is lost
        if (pair / 3 != pair % 3) {
            peer_fixture_wait (peer_fixture_connected (nodes[pair / 3], pair % 3 + 1));
        }
    }
    for (uint32_t pair = 0; pair < 9; pair++) {
        if (pair / 3 != pair % 3) {
            peer_fixture_send (nodes[pair / 3],
                               &(peer_fixture_send_t){
                                   .node_id = pair % 3 + 1, .kind = 3, .count = 100, .bytes = 9});
        }
    }
    for (int i = 0; i < 3; i++) {
        peer_status_t status;
        peer_fixture_wait (peer_fixture_has (nodes[i], 0, 3, 200));
        ck_assert (!peer_fixture_status (nodes[i], (uint32_t) i + 1, &status));
    }
}
END_TEST

START_TEST (messages_for_no_group_and_frames_that_are_none_are_counted)
{
    peer_fixture_node_t *one = peer_fixture_start (&(peer_fixture_options_t){.node_id = 1});
    void *sender = s_sender (one);
    s_send_frame (sender, &(peer_header_t){1, 2, 1, 5, 1}, 99, 3);
    zmq_send (sender, "garbage", 7, 0);
    s_read_refusal (sender, PEER_REFUSAL_MALFORMED, 0);
    zmq_send (sender, "two", 3, ZMQ_SNDMORE);
    zmq_send (sender, "frames", 6, 0);
    s_send_frame (sender, &(peer_header_t){1, 2, 1, 5, 1}, 7, 3);
    peer_fixture_wait (peer_fixture_has (one, 1, 3, 1));
    peers_counters_t counters;
    peer_fixture_counters (one, &counters);
    ck_assert_uint_eq (counters.no_group, 1);
    ck_assert_uint_eq (counters.malformed, 2);
    ck_assert_uint_eq (counters.delivered, 1);
    zmq_close (sender);
}
END_TEST

// --- lives ---------------------------------------------------------------------------------------

START_TEST (a_group_is_told_of_each_life_of_a_node)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, NULL);
    peer_fixture_seen_t seen;
    peer_fixture_seen (one, 0, &seen);
    ck_assert_uint_eq (seen.reached, 1);
    ck_assert_uint_eq (seen.boot_id, peer_fixture_boot_id (two));
    peer_fixture_name (one, 1, 2, peer_fixture_endpoint (two)); // it is told too
    peer_fixture_wait (
        (peer_fixture_seen (one, 1, &seen), seen.boot_id == peer_fixture_boot_id (two)));

    char endpoint[96];
    snprintf (endpoint, sizeof endpoint, "%s", peer_fixture_endpoint (two));
    peer_fixture_stop (&two);
    two = peer_fixture_start (&(peer_fixture_options_t){.node_id = 2, .endpoint = endpoint});
    peer_fixture_name (two, 0, 1, peer_fixture_endpoint (one));
    for (int group = 0; group < 2; group++) {
        peer_fixture_wait (
            (peer_fixture_seen (one, group, &seen), seen.boot_id == peer_fixture_boot_id (two)));
    }
    peer_fixture_wait (peer_fixture_connected (two, 1));
    peer_fixture_send (one, &(peer_fixture_send_t){.node_id = 2, .kind = 3, .count = 1});
    peer_fixture_send (two, &(peer_fixture_send_t){.node_id = 1, .kind = 3, .count = 1});
    peer_fixture_wait (peer_fixture_has (one, 0, 3, 1) && peer_fixture_has (two, 0, 3, 1));
    ck_assert (!peer_fixture_logged ("claimed by two processes", "node 2"));
}
END_TEST

START_TEST (a_second_process_with_a_nodes_id_is_refused_on_both_sides)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, &(peer_fixture_options_t){.dead_after_ms = 300});
    peer_fixture_node_t *copy = peer_fixture_start (&(peer_fixture_options_t){.node_id = 2});
    peer_fixture_name (copy, 0, 1, peer_fixture_endpoint (one));
    peer_fixture_wait (peer_fixture_logged ("node 2 is claimed by two processes: life",
                                            "does not and is refused"));
    peer_fixture_wait (
        peer_fixture_logged ("node 1 refuses this node", "node 2 is claimed by two processes"));
    peer_fixture_send (copy, &(peer_fixture_send_t){.node_id = 1, .kind = 9, .count = 1});
    peer_fixture_send (two, &(peer_fixture_send_t){.node_id = 1, .kind = 3, .count = 10});
    peer_fixture_wait (peer_fixture_has (one, 0, 3, 10));
    peer_status_t status;
    peer_fixture_seen_t seen;
    peer_fixture_status (one, 2, &status);
    peer_fixture_seen (one, 0, &seen);
    ck_assert_uint_eq (status.boot_id, peer_fixture_boot_id (two));
    ck_assert_uint_gt (status.refused, 0);
    ck_assert_uint_eq (seen.of_kind[9], 0);
    ck_assert_uint_eq (seen.reached, 1);
}
END_TEST

START_TEST (a_node_that_does_not_answer_at_its_address_is_told_so)
{
    peer_fixture_node_t *one =
        peer_fixture_start (&(peer_fixture_options_t){.node_id = 1, .dead_after_ms = 200});
    peer_fixture_node_t *two = peer_fixture_start (&(peer_fixture_options_t){.node_id = 2});
    char endpoint[96];
    void *nobody = s_listener (endpoint); // listens, but is no node
    peer_fixture_name (one, 0, 2, endpoint);
    peer_fixture_name (two, 0, 1, peer_fixture_endpoint (one));
    peer_fixture_wait (peer_fixture_logged ("node 2 sends, but nobody answers for it", endpoint));
    peer_fixture_wait (peer_fixture_logged ("node 1 refuses this node", "nobody answers"));
    peer_fixture_seen_t seen;
    peer_fixture_seen (one, 0, &seen);
    ck_assert_uint_eq (seen.reached, 0);
    zmq_close (nobody);
}
END_TEST

START_TEST (a_node_no_group_names_is_heard_but_displaces_nobody)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, NULL);
    void *stranger = s_sender (one);
    s_send_frame (stranger, &(peer_header_t){1, 9, 1, 55, 1}, 1, 5);
    peer_fixture_wait (peer_fixture_has (one, 0, 5, 1));
    s_send_frame (stranger, &(peer_header_t){1, 9, 1, 56, 1}, 1, 6); // another life, too soon
    s_read_refusal (stranger, PEER_REFUSAL_CLAIMED, 55);

    peer_fixture_name (one, 0, 0, NULL); // node 2 is not named any more, but was proven
    peer_fixture_send (two, &(peer_fixture_send_t){.node_id = 1, .kind = 3, .count = 1});
    peer_fixture_wait (peer_fixture_has (one, 0, 3, 1));
    void *other = s_sender (one);
    s_send_frame (other, &(peer_header_t){1, 2, 1, 77, 1}, 1, 6);
    s_read_refusal (other, PEER_REFUSAL_CLAIMED, peer_fixture_boot_id (two));
    peer_fixture_seen_t seen;
    peer_fixture_seen (one, 0, &seen);
    ck_assert_uint_eq (seen.of_kind[6], 0);
    zmq_close (stranger);
    zmq_close (other);
}
END_TEST

START_TEST (frames_of_an_older_link_are_dropped)
{
    peer_fixture_node_t *one = peer_fixture_start (&(peer_fixture_options_t){.node_id = 1});
    void *sender = s_sender (one);
    s_send_frame (sender, &(peer_header_t){1, 9, 1, 55, 4}, 1, 5);
    s_send_frame (sender, &(peer_header_t){1, 9, 1, 55, 3}, 1, 6);
    s_send_frame (sender, &(peer_header_t){1, 9, 1, 55, 4}, 1, 7);
    peer_fixture_wait (peer_fixture_has (one, 0, 7, 1));
    peer_status_t status;
    ck_assert (peer_fixture_status (one, 9, &status));
    ck_assert_uint_eq (status.stale, 1);
    ck_assert (!peer_fixture_has (one, 0, 6, 1));
    zmq_close (sender);
}
END_TEST

// --- who is wrong here ---------------------------------------------------------------------------

START_TEST (a_node_of_another_cluster_is_refused_on_both_sides)
{
    peer_fixture_node_t *one = peer_fixture_start (&(peer_fixture_options_t){.node_id = 1});
    peer_fixture_node_t *two =
        peer_fixture_start (&(peer_fixture_options_t){.node_id = 2, .cluster_id = 99});
    peer_fixture_name (one, 0, 2, peer_fixture_endpoint (two));
    peer_fixture_name (two, 0, 1, peer_fixture_endpoint (one));
    peer_fixture_wait (peer_fixture_logged ("node 2 of cluster 99 sends", "cluster 1: refused"));
    peer_fixture_wait (peer_fixture_logged ("node 1 at", "refuses this node: it belongs to "
                                                         "cluster 1, this node to cluster 99"));
    peer_fixture_seen_t seen;
    peer_fixture_seen (one, 0, &seen);
    ck_assert_uint_eq (seen.reached, 0);
    ck_assert (!peer_fixture_connected (two, 1));
}
END_TEST

START_TEST (a_frame_for_another_node_is_refused_on_both_sides)
{
    peer_fixture_node_t *one = peer_fixture_start (&(peer_fixture_options_t){.node_id = 1});
    peer_fixture_node_t *two = peer_fixture_start (&(peer_fixture_options_t){.node_id = 2});
    peer_fixture_name (two, 0, 3, peer_fixture_endpoint (one));
    peer_fixture_wait (peer_fixture_logged ("node 2 takes this node, 1, for node 3", "refused"));
    peer_fixture_wait (peer_fixture_logged ("it is node 1, not node 3", "check the addresses"));
}
END_TEST

START_TEST (versions_and_own_ids_are_refused)
{
    peer_fixture_node_t *one = peer_fixture_start (&(peer_fixture_options_t){.node_id = 1});
    void *sender = s_sender (one);
    zmq_send (sender, "\x91\x02", 2, 0);
    s_read_refusal (sender, PEER_REFUSAL_VERSION, PEER_PROTOCOL_VERSION);
    s_send_frame (sender, &(peer_header_t){1, 1, 1, 55, 4}, 1, 5);
    s_read_refusal (sender, PEER_REFUSAL_CLAIMED, peer_fixture_boot_id (one));
    peer_fixture_wait (peer_fixture_logged ("node 1 is claimed by two processes", "this one"));
    zmq_close (sender);
}
END_TEST

// --- peers that do not do their part -------------------------------------------------------------

START_TEST (a_peer_that_never_reads_costs_bounded_memory_and_nobody_else_delay)
{
    enum { BYTES_MAX = 4 << 20, LINK_MAX = 1 << 20 };
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two,
            &(peer_fixture_options_t){
                .bytes_max = BYTES_MAX, .link_bytes_max = LINK_MAX, .dead_after_ms = 20000});
    char endpoint[96];
    void *lazy = s_socket (ZMQ_ROUTER);
    int hwm = 1;
    zmq_setsockopt (lazy, ZMQ_RCVHWM, &hwm, sizeof hwm);
    size_t room = sizeof endpoint;
    ck_assert_int_eq (zmq_bind (lazy, "tcp://127.0.0.1:*"), 0);
    ck_assert_int_eq (zmq_getsockopt (lazy, ZMQ_LAST_ENDPOINT, endpoint, &room), 0);
    peer_fixture_name (one, 1, 3, endpoint);
    // It is heard, so that what waits for it is kept up to the bound.
    void *voice = s_sender (one);
    peer_status_t status;
    for (int round = 0; round < 100; round++) {
        if (round % 10 == 0) {
            s_send_frame (voice, &(peer_header_t){1, 3, 1, 33, 1}, 0, 0);
        }
        peer_fixture_send (
            one, &(peer_fixture_send_t){
                     .group = 1, .node_id = 3, .kind = 3, .count = 8, .bytes = 128 * 1024});
        peer_fixture_send (
            one, &(peer_fixture_send_t){.node_id = 2, .kind = 4, .count = 1, .bytes = 1000});
        peer_fixture_wait (peer_fixture_has (two, 0, 4, (uint64_t) round + 1));
        ck_assert (peer_fixture_status (one, 3, &status));
        ck_assert_uint_le (status.waiting, BYTES_MAX);
    }
    peer_fixture_wait (peer_fixture_status (one, 3, &status) && status.dropped > 0);
    peer_fixture_status (one, 2, &status);
    ck_assert_uint_eq (status.dropped, 0);
    zmq_close (voice);
    zmq_close (lazy);
}
END_TEST

// A port of this machine that is taken, but on which nobody listens.
static int s_dead_end (char endpoint[static 96])
{
    int taken = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    ck_assert_int_eq (bind (taken, (struct sockaddr *) &address, bytes), 0);
    ck_assert_int_eq (getsockname (taken, (struct sockaddr *) &address, &bytes), 0);
    snprintf (endpoint, 96, "tcp://127.0.0.1:%d", ntohs (address.sin_port));
    return taken;
}

START_TEST (what_waits_for_a_peer_that_is_not_there_is_dropped)
{
    peer_fixture_node_t *one = peer_fixture_start (&(peer_fixture_options_t){.node_id = 1});
    char endpoint[96];
    int taken = s_dead_end (endpoint);
    peer_fixture_name (one, 0, 2, endpoint);
    peer_fixture_send (one,
                       &(peer_fixture_send_t){.node_id = 2, .kind = 3, .count = 50, .bytes = 1000});
    peer_status_t status;
    peer_fixture_wait (peer_fixture_status (one, 2, &status) && status.dropped == 50);
    ck_assert_uint_eq (status.waiting, 0);
    ck_assert (!status.connected);
    close (taken);
}
END_TEST

START_TEST (a_link_that_broke_for_ever_is_made_anew)
{
    peer_fixture_node_t *one =
        peer_fixture_start (&(peer_fixture_options_t){.node_id = 1, .dead_after_ms = 300});
    char endpoint[96];
    void *rogue = s_listener (endpoint);
    peer_fixture_name (one, 0, 2, endpoint);
    zmq_msg_t route, body;
    zmq_msg_init (&route);
    zmq_msg_init (&body);
    ck_assert_int_gt (zmq_msg_recv (&route, rogue, 0), 0); // the first hello comes
    zmq_msg_recv (&body, rogue, 0);
    peer_frame_t frame;
    ck_assert_int_eq (peer_frame_read (&frame, zmq_msg_data (&body), zmq_msg_size (&body)), 0);
    uint64_t epoch = frame.header.epoch;

    // A frame over the limit on the connecting side: that socket never connects again.
    static char big[100000];
    zmq_msg_send (&route, rogue, ZMQ_SNDMORE);
    zmq_send (rogue, big, sizeof big, 0);
    int64_t start_ns = peer_fixture_now_ns ();
    do {
        ck_assert_int_gt (zmq_msg_recv (&route, rogue, 0), 0);
        zmq_msg_recv (&body, rogue, 0);
        ck_assert_int_eq (peer_frame_read (&frame, zmq_msg_data (&body), zmq_msg_size (&body)), 0);
    } while (frame.header.epoch == epoch);
    ck_assert_int_lt (peer_fixture_now_ns () - start_ns, INT64_C (10000000000));
    zmq_msg_close (&route);
    zmq_msg_close (&body);
    zmq_close (rogue);
}
END_TEST

START_TEST (after_a_frame_over_the_limit_traffic_goes_on)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, &(peer_fixture_options_t){.frame_bytes_max = 100000});
    peer_fixture_send (
        one, &(peer_fixture_send_t){.node_id = 2, .kind = 3, .count = 1, .bytes = 200000});
    int sent = 0;
    int64_t start_ns = peer_fixture_now_ns ();
    while (!peer_fixture_has (two, 0, 4, 1)) {
        peer_fixture_send (
            one, &(peer_fixture_send_t){.node_id = 2, .kind = 4, .count = 1, .bytes = 100});
        sent++;
        peer_fixture_pass (start_ns);
    }
    ck_assert (!peer_fixture_has (two, 0, 3, 1));
    ck_assert_int_gt (sent, 0);
}
END_TEST

START_TEST (a_link_is_closed_when_the_last_group_lets_go)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, NULL);
    peer_fixture_name (one, 1, 2, peer_fixture_endpoint (two));
    peer_fixture_name (one, 0, 0, NULL);
    peer_fixture_send (one, &(peer_fixture_send_t){.node_id = 2, .kind = 3, .count = 1});
    peer_fixture_wait (peer_fixture_has (two, 0, 3, 1));
    peer_fixture_name (one, 1, 0, NULL);
    peer_status_t status;
    peer_fixture_wait (peer_fixture_status (one, 2, &status) && !status.named);
    peer_fixture_send (one, &(peer_fixture_send_t){.node_id = 2, .kind = 4, .count = 3});
    peer_fixture_wait (peer_fixture_status (one, 2, &status) && status.dropped == 3);
}
END_TEST

START_TEST (a_node_that_moves_is_followed)
{
    peer_fixture_node_t *one, *two;
    s_pair (&one, &two, NULL);
    peer_fixture_stop (&two);
    two = peer_fixture_start (&(peer_fixture_options_t){.node_id = 2});
    peer_fixture_name (two, 0, 1, peer_fixture_endpoint (one));
    peer_fixture_name (one, 0, 2, peer_fixture_endpoint (two));
    peer_fixture_seen_t seen;
    peer_fixture_wait (
        (peer_fixture_seen (one, 0, &seen), seen.boot_id == peer_fixture_boot_id (two)));
    peer_fixture_wait (peer_fixture_connected (two, 1));
    peer_fixture_send (one, &(peer_fixture_send_t){.node_id = 2, .kind = 3, .count = 1});
    peer_fixture_wait (peer_fixture_has (two, 0, 3, 1));
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("peer_actor");
    TCase *tests = tcase_create ("peer_actor");
    tcase_set_timeout (tests, 60);
    tcase_add_checked_fixture (tests, peer_fixture_setup, peer_fixture_teardown);
    tcase_add_test (tests, messages_of_all_groups_and_sizes_arrive_whole_and_in_order);
    tcase_add_test (tests, messages_that_have_piled_up_share_frames);
    tcase_add_test (tests, bulk_and_control_both_arrive);
    tcase_add_test (tests, three_nodes_talk_to_each_other);
    tcase_add_test (tests, messages_for_no_group_and_frames_that_are_none_are_counted);
    tcase_add_test (tests, a_group_is_told_of_each_life_of_a_node);
    tcase_add_test (tests, a_second_process_with_a_nodes_id_is_refused_on_both_sides);
    tcase_add_test (tests, a_node_that_does_not_answer_at_its_address_is_told_so);
    tcase_add_test (tests, a_node_no_group_names_is_heard_but_displaces_nobody);
    tcase_add_test (tests, frames_of_an_older_link_are_dropped);
    tcase_add_test (tests, a_node_of_another_cluster_is_refused_on_both_sides);
    tcase_add_test (tests, a_frame_for_another_node_is_refused_on_both_sides);
    tcase_add_test (tests, versions_and_own_ids_are_refused);
    tcase_add_test (tests, a_peer_that_never_reads_costs_bounded_memory_and_nobody_else_delay);
    tcase_add_test (tests, what_waits_for_a_peer_that_is_not_there_is_dropped);
    tcase_add_test (tests, a_link_that_broke_for_ever_is_made_anew);
    tcase_add_test (tests, after_a_frame_over_the_limit_traffic_goes_on);
    tcase_add_test (tests, a_link_is_closed_when_the_last_group_lets_go);
    tcase_add_test (tests, a_node_that_moves_is_followed);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
