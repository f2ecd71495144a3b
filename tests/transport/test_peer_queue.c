// What waits for one node: order, bounds, and what goes first when there is too much.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_random.h"
#include "transport/peer_protocol.h"
#include "transport/peer_queue.h"

static peer_queue_t s_queue;

static peer_message_t *s_message (peer_channel_t channel, uint64_t term, size_t head, size_t bytes)
{
    static const uint8_t zeros[64];
    peer_message_t *message = peer_message_new ();
    message->node_id = 2;
    message->group_id = 1;
    message->kind = 3;
    message->channel = (uint8_t) channel;
    message->term = term;
    for (size_t i = 0; i < head; i += sizeof zeros) {
        dt_buffer_append (&message->head, zeros, head - i < 64 ? head - i : 64);
    }
    if (bytes > 0) {
        message->blob = dt_blob_new (bytes);
        memset (dt_blob_data (message->blob), 1, bytes);
        message->data = dt_blob_data (message->blob);
        message->bytes = bytes;
    }
    return message;
}

static void s_push (peer_channel_t channel, uint64_t term, size_t head, size_t bytes)
{
    peer_queue_push (&s_queue, s_message (channel, term, head, bytes));
    peer_queue_check (&s_queue);
}

// Pack a channel empty and write the terms in order into `text`, "1 2 3 ".
static void s_terms (peer_channel_t channel, char text[static 4096])
{
    size_t used = 0;
    text[0] = 0;
    dt_buffer_t frame = {0};
    for (;;) {
        dt_buffer_clear (&frame);
        peer_header_write (&frame, &(peer_header_t){1, 1, 2, 3, 4});
        if (peer_queue_pack (&s_queue, channel, &frame) == 0) {
            break;
        }
        peer_queue_check (&s_queue);
        peer_frame_t read;
        peer_part_t part;
        ck_assert_int_eq (peer_frame_read (&read, frame.data, frame.bytes), 0);
        while (peer_frame_next (&read, &part) == 1) {
            used += (size_t) snprintf (text + used, 4096 - used, "%d ", (int) part.term);
        }
    }
    dt_buffer_deinit (&frame);
}

#define CHECK_TERMS(channel, expected)                                                             \
    do {                                                                                           \
        char text_[4096];                                                                          \
        s_terms (channel, text_);                                                                  \
        ck_assert_str_eq (text_, expected);                                                        \
    } while (0)

static void s_setup (void)
{
    peer_queue_init (&s_queue, 10000);
}

static void s_teardown (void)
{
    peer_queue_deinit (&s_queue);
}

START_TEST (messages_keep_their_order_in_each_channel)
{
    for (uint64_t i = 1; i <= 6; i++) {
        s_push (i % 2 ? PEER_CONTROL : PEER_BULK, i, 10, i * 20);
    }
    CHECK_TERMS (PEER_CONTROL, "1 3 5 ");
    CHECK_TERMS (PEER_BULK, "2 4 6 ");
    ck_assert_uint_eq (s_queue.dropped, 0);
    ck_assert_uint_eq (s_queue.bytes, 0);
}
END_TEST

START_TEST (over_the_bound_bulk_goes_first_then_appends_then_the_rest)
{
    s_push (PEER_BULK, 1, 0, 3000);
    s_push (PEER_CONTROL, 2, 0, 3000); // an append
    s_push (PEER_CONTROL, 3, 3000, 0); // a heartbeat
    ck_assert_uint_eq (s_queue.dropped, 0);
    s_push (PEER_CONTROL, 4, 3000, 0);
    ck_assert_uint_eq (s_queue.dropped, 1);
    ck_assert_uint_eq (s_queue.runs[PEER_BULK].count, 0);
    s_push (PEER_CONTROL, 5, 3000, 0);
    ck_assert_uint_eq (s_queue.dropped, 2);
    s_push (PEER_CONTROL, 6, 3000, 0);
    ck_assert_uint_eq (s_queue.dropped, 3);
    CHECK_TERMS (PEER_CONTROL, "3 4 5 ");
}
END_TEST

START_TEST (the_newest_append_goes_so_that_no_gap_stands_before_others)
{
    s_push (PEER_CONTROL, 1, 0, 3000);
    s_push (PEER_CONTROL, 2, 0, 3000);
    s_push (PEER_CONTROL, 3, 10, 0);
    s_push (PEER_CONTROL, 4, 0, 3000);
    s_push (PEER_CONTROL, 5, 3000, 0);
    CHECK_TERMS (PEER_CONTROL, "1 2 3 5 ");
}
END_TEST

START_TEST (one_message_over_the_bound_is_let_through)
{
    s_push (PEER_CONTROL, 1, 0, 50000);
    ck_assert_uint_eq (s_queue.dropped, 0);
    s_push (PEER_CONTROL, 2, 10, 0);
    CHECK_TERMS (PEER_CONTROL, "2 ");
}
END_TEST

START_TEST (a_body_over_the_protocols_limit_is_dropped)
{
    s_queue.bytes_max = SIZE_MAX;
    s_push (PEER_CONTROL, 1, 1, PEER_BODY_BYTES_MAX);
    ck_assert_uint_eq (s_queue.dropped, 1);
    ck_assert_uint_eq (s_queue.messages, 0);
    s_push (PEER_CONTROL, 1, 0, PEER_BODY_BYTES_MAX);
    dt_buffer_t frame = {0};
    peer_header_write (&frame, &(peer_header_t){1, 1, 2, 3, 4});
    ck_assert_uint_eq (peer_queue_pack (&s_queue, PEER_CONTROL, &frame), 1);
    ck_assert_uint_le (frame.bytes, PEER_FRAME_BYTES_MAX);
    dt_buffer_deinit (&frame);
}
END_TEST

START_TEST (frames_end_at_the_wanted_size)
{
    s_queue.bytes_max = SIZE_MAX;
    for (uint64_t i = 0; i < 10; i++) {
        s_push (PEER_CONTROL, i, 0, 300 * 1024);
    }
    dt_buffer_t frame = {0};
    ck_assert_uint_eq (peer_queue_pack (&s_queue, PEER_CONTROL, &frame), 3);
    ck_assert_uint_le (frame.bytes, PEER_FRAME_BYTES_WANTED);
    dt_buffer_deinit (&frame);
}
END_TEST

START_TEST (random_traffic_keeps_the_invariants_and_the_bound)
{
    dt_random_t random;
    dt_random_init (&random, 42);
    dt_buffer_t frame = {0};
    for (uint64_t i = 0; i < 20000; i++) {
        if (dt_random_chance (&random, 1, 10)) {
            dt_buffer_clear (&frame);
            peer_queue_pack (&s_queue, dt_random_below (&random, 2) ? PEER_BULK : PEER_CONTROL,
                             &frame);
        } else {
            s_push (dt_random_chance (&random, 1, 5) ? PEER_BULK : PEER_CONTROL, i,
                    dt_random_below (&random, 300),
                    dt_random_below (&random, 2) ? dt_random_below (&random, 3000) : 0);
        }
        ck_assert (s_queue.bytes <= s_queue.bytes_max || s_queue.messages == 1);
    }
    ck_assert_uint_gt (s_queue.dropped, 1000);
    dt_buffer_deinit (&frame);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("peer_queue");
    TCase *tests = tcase_create ("peer_queue");
    tcase_add_checked_fixture (tests, s_setup, s_teardown);
    tcase_add_test (tests, messages_keep_their_order_in_each_channel);
    tcase_add_test (tests, over_the_bound_bulk_goes_first_then_appends_then_the_rest);
    tcase_add_test (tests, the_newest_append_goes_so_that_no_gap_stands_before_others);
    tcase_add_test (tests, one_message_over_the_bound_is_let_through);
    tcase_add_test (tests, a_body_over_the_protocols_limit_is_dropped);
    tcase_add_test (tests, frames_end_at_the_wanted_size);
    tcase_add_test (tests, random_traffic_keeps_the_invariants_and_the_bound);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
