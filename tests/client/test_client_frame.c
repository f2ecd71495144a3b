// Frames of requests in their arenas.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "dtkv/client/client_frame.h"
#include "transport/protocol_request.h"

#define CLIENT 0x1234

static void s_add (client_lane_t *lane, size_t bytes, uint8_t fill)
{
    uint8_t *place = client_lane_reserve (lane, bytes, CLIENT);
    memset (place, fill, bytes);
    client_lane_commit (lane, bytes);
}

static void s_release (client_frame_t *frame)
{
    for (uint32_t left = frame->requests; left > 0; left--) {
        client_frame_release (frame);
    }
}

static size_t s_take_and_release (client_lane_t *lane, size_t *requests)
{
    client_frame_queue_t queue = {NULL, NULL};
    client_lane_close (lane);
    client_lane_take (lane, &queue);
    size_t frames = 0;
    *requests = 0;
    for (client_frame_t *frame; (frame = client_frame_queue_pop (&queue)); frames++) {
        *requests += frame->requests - 1;
        s_release (frame);
    }
    return frames;
}

START_TEST (requests_of_one_round_share_a_frame)
{
    client_lane_t lane = {0};
    size_t requests;
    for (int i = 0; i < 10; i++) {
        s_add (&lane, 300, 1);
    }
    ck_assert_uint_eq (s_take_and_release (&lane, &requests), 1);
    ck_assert_uint_eq (requests, 10);
    client_lane_deinit (&lane);
}
END_TEST

START_TEST (frames_never_exceed_an_arena_and_lose_nothing)
{
    client_lane_t lane = {0};
    client_frame_queue_t queue = {NULL, NULL};
    for (int i = 0; i < 5000; i++) {
        s_add (&lane, 300, (uint8_t) i);
    }
    client_lane_close (&lane);
    client_lane_take (&lane, &queue);
    int seen = 0;
    for (client_frame_t *frame; (frame = client_frame_queue_pop (&queue));) {
        ck_assert_uint_le (frame->bytes, CLIENT_ARENA_BYTES_MAX);
        for (uint32_t at = CLIENT_HEADER_BYTES; at < frame->bytes; at += 300) {
            ck_assert_uint_eq (frame->data[at], (uint8_t) seen);
            ck_assert_uint_eq (frame->data[at + 299], (uint8_t) seen);
            seen++;
        }
        s_release (frame);
    }
    ck_assert_int_eq (seen, 5000);
    client_lane_deinit (&lane);
}
END_TEST

START_TEST (large_request_gets_a_frame_of_its_own)
{
    client_lane_t lane = {0};
    size_t requests;
    s_add (&lane, 300, 1);
    s_add (&lane, 1 << 20, 2);
    s_add (&lane, 300, 3);
    ck_assert_uint_eq (s_take_and_release (&lane, &requests), 3);
    ck_assert_uint_eq (requests, 3);
    client_lane_deinit (&lane);
}
END_TEST

START_TEST (frames_taken_one_by_one_share_an_arena)
{
    client_lane_t lane = {0};
    size_t requests;
    s_add (&lane, 100, 1);
    const client_arena_t *arena = lane.arena;
    for (int i = 0; i < 20; i++) {
        ck_assert_uint_eq (s_take_and_release (&lane, &requests), 1);
        ck_assert_uint_eq (requests, 1);
        s_add (&lane, 100, 1);
        ck_assert_ptr_eq (lane.arena, arena);
    }
    s_take_and_release (&lane, &requests);
    client_lane_deinit (&lane);
}
END_TEST

START_TEST (reserved_room_may_stay_unused)
{
    client_lane_t lane = {0};
    size_t requests;
    client_lane_reserve (&lane, 100, CLIENT);
    client_lane_reserve (&lane, 1 << 20, CLIENT);
    ck_assert_uint_eq (s_take_and_release (&lane, &requests), 0);
    client_lane_deinit (&lane);
}
END_TEST

START_TEST (header_says_client_principal_session_and_ack)
{
    client_lane_t lane = {.key = {.session = true, .principal = 77}};
    client_frame_queue_t queue = {NULL, NULL};
    static const uint8_t ping[] = {0x95, 9, 1, 0, 0, 0xc0};
    memcpy (client_lane_reserve (&lane, sizeof ping, CLIENT), ping, sizeof ping);
    client_lane_commit (&lane, sizeof ping);
    client_lane_close (&lane);
    client_lane_take (&lane, &queue);
    client_frame_t *frame = client_frame_queue_pop (&queue);
    client_frame_set_session (frame, 500, 42);
    protocol_frame_t reader;
    protocol_request_t request;
    protocol_frame_init (&reader, frame->data, frame->bytes);
    ck_assert_int_eq (protocol_frame_next (&reader, &request), 1);
    ck_assert_uint_eq (request.client_id, 77);
    ck_assert_uint_eq (request.session_id, 500);
    ck_assert_uint_eq (request.session_ack, 42);
    s_release (frame);
    client_lane_deinit (&lane);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("client_frame");
    TCase *tcase = tcase_create ("frame");
    tcase_add_test (tcase, requests_of_one_round_share_a_frame);
    tcase_add_test (tcase, frames_never_exceed_an_arena_and_lose_nothing);
    tcase_add_test (tcase, large_request_gets_a_frame_of_its_own);
    tcase_add_test (tcase, frames_taken_one_by_one_share_an_arena);
    tcase_add_test (tcase, reserved_room_may_stay_unused);
    tcase_add_test (tcase, header_says_client_principal_session_and_ack);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
