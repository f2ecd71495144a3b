// Bodies of snapshot messages: what goes in comes out, what contradicts itself does not.

#include <check.h>
#include <stdlib.h>

#include "base/dt_error.h"
#include "raft/raft_snapshot_wire.h"

static const uint8_t s_config[] = "a configuration";
static const uint8_t s_piece[] = "some bytes of the content";

static snapshot_chunk_t s_chunk (uint64_t offset)
{
    snapshot_chunk_t chunk = {
        .transfer = 0x1122334455667788,
        .index = 70,
        .term = 3,
        .total = 1000,
        .offset = offset,
        .data = s_piece,
        .bytes = sizeof s_piece,
    };
    if (offset == 0) {
        chunk.cluster_time_ms = 99;
        chunk.config_index = 60;
        chunk.state_digest = 0xabcdef0123456789;
        chunk.config = s_config;
        chunk.config_bytes = sizeof s_config;
    }
    return chunk;
}

static int s_pass (const snapshot_chunk_t *chunk, snapshot_chunk_t *out)
{
    static dt_buffer_t body;
    dt_buffer_clear (&body);
    snapshot_chunk_encode (chunk, &body);
    dt_buffer_append (&body, chunk->data, chunk->bytes);
    return snapshot_chunk_decode (body.data, body.bytes, out);
}

START_TEST (chunk_comes_out_as_it_went_in)
{
    for (uint64_t offset = 0; offset <= 500; offset += 500) {
        snapshot_chunk_t chunk = s_chunk (offset), out;
        ck_assert_int_eq (s_pass (&chunk, &out), 0);
        ck_assert_uint_eq (out.transfer, chunk.transfer);
        ck_assert_uint_eq (out.index, chunk.index);
        ck_assert_uint_eq (out.term, chunk.term);
        ck_assert_uint_eq (out.total, chunk.total);
        ck_assert_uint_eq (out.offset, chunk.offset);
        ck_assert_uint_eq (out.cluster_time_ms, chunk.cluster_time_ms);
        ck_assert_uint_eq (out.config_index, chunk.config_index);
        ck_assert_uint_eq (out.state_digest, chunk.state_digest);
        ck_assert_uint_eq (out.config_bytes, chunk.config_bytes);
        ck_assert_uint_eq (out.bytes, chunk.bytes);
        ck_assert_mem_eq (out.data, chunk.data, chunk.bytes);
    }
}
END_TEST

START_TEST (every_changed_byte_of_a_chunk_is_found)
{
    snapshot_chunk_t chunk = s_chunk (0), out;
    dt_buffer_t body = {0};
    snapshot_chunk_encode (&chunk, &body);
    dt_buffer_append (&body, chunk.data, chunk.bytes);
    for (size_t i = 0; i < body.bytes; i++) {
        body.data[i] ^= 4;
        ck_assert_int_ne (snapshot_chunk_decode (body.data, body.bytes, &out), 0);
        body.data[i] ^= 4;
    }
    for (size_t bytes = 0; bytes < body.bytes; bytes++) {
        ck_assert_int_ne (snapshot_chunk_decode (body.data, bytes, &out), 0);
    }
    ck_assert_int_eq (snapshot_chunk_decode (body.data, body.bytes, &out), 0);
    dt_buffer_deinit (&body);
}
END_TEST

START_TEST (chunks_that_contradict_themselves_are_refused)
{
    snapshot_chunk_t out, chunk = s_chunk (500);
    chunk.transfer = 0;
    ck_assert_int_eq (s_pass (&chunk, &out), DT_ERR_MALFORMED);
    chunk = s_chunk (500);
    chunk.index = 0;
    ck_assert_int_eq (s_pass (&chunk, &out), DT_ERR_MALFORMED);
    chunk = s_chunk (500);
    chunk.term = 0;
    ck_assert_int_eq (s_pass (&chunk, &out), DT_ERR_MALFORMED);
    chunk = s_chunk (1000 - sizeof s_piece + 1); // beyond the end
    ck_assert_int_eq (s_pass (&chunk, &out), DT_ERR_MALFORMED);
    chunk = s_chunk (UINT64_MAX); // the same with an overflow
    ck_assert_int_eq (s_pass (&chunk, &out), DT_ERR_MALFORMED);
    chunk = s_chunk (500);
    chunk.bytes = 0; // an empty piece in the middle
    ck_assert_int_eq (s_pass (&chunk, &out), DT_ERR_MALFORMED);
    chunk = s_chunk (500);
    chunk.total = SNAPSHOT_TOTAL_BYTES_MAX + 1;
    ck_assert_int_eq (s_pass (&chunk, &out), DT_ERR_MALFORMED);
    chunk = s_chunk (0);
    chunk.config_index = 71; // of an entry the snapshot does not contain
    ck_assert_int_eq (s_pass (&chunk, &out), DT_ERR_MALFORMED);
}
END_TEST

START_TEST (empty_piece_at_the_end_is_a_question)
{
    snapshot_chunk_t out, chunk = s_chunk (1000);
    chunk.bytes = 0;
    ck_assert_int_eq (s_pass (&chunk, &out), 0);
}
END_TEST

START_TEST (later_format_is_told_from_damage)
{
    snapshot_chunk_t chunk = s_chunk (500), out;
    snapshot_reply_t reply = {.transfer = 1}, reply_out;
    dt_buffer_t body = {0};
    snapshot_chunk_encode (&chunk, &body);
    dt_buffer_append (&body, chunk.data, chunk.bytes);
    body.data[0] = 2;
    ck_assert_int_eq (snapshot_chunk_decode (body.data, body.bytes, &out), DT_ERR_NEWER_FORMAT);
    dt_buffer_clear (&body);
    snapshot_reply_encode (&reply, &body);
    body.data[0] = 2;
    ck_assert_int_eq (snapshot_reply_decode (body.data, body.bytes, &reply_out),
                      DT_ERR_NEWER_FORMAT);
    dt_buffer_deinit (&body);
}
END_TEST

static int s_pass_reply (const snapshot_reply_t *reply, snapshot_reply_t *out)
{
    static dt_buffer_t body;
    dt_buffer_clear (&body);
    snapshot_reply_encode (reply, &body);
    return snapshot_reply_decode (body.data, body.bytes, out);
}

START_TEST (reply_comes_out_as_it_went_in)
{
    const snapshot_reply_t replies[] = {
        {.transfer = 5, .next = 262144},
        {.transfer = 5, .next = 262144, .again = true},
        {.transfer = 5, .next = 1000, .done = true},
        {.transfer = 5, .rc = DT_ERR_NO_SPACE},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        snapshot_reply_t out;
        ck_assert_int_eq (s_pass_reply (&replies[i], &out), 0);
        ck_assert_uint_eq (out.transfer, replies[i].transfer);
        ck_assert_uint_eq (out.next, replies[i].next);
        ck_assert_int_eq (out.rc, replies[i].rc);
        ck_assert_int_eq (out.done, replies[i].done);
        ck_assert_int_eq (out.again, replies[i].again);
    }
}
END_TEST

START_TEST (code_nobody_knows_is_an_error_all_the_same)
{
    const snapshot_reply_t replies[] = {{.transfer = 5, .rc = -60000}, {.transfer = 5, .rc = -2}};
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        snapshot_reply_t out;
        ck_assert_int_eq (s_pass_reply (&replies[i], &out), 0);
        ck_assert_int_eq (out.rc, DT_ERR_INVALID);
    }
}
END_TEST

START_TEST (replies_that_contradict_themselves_are_refused)
{
    const snapshot_reply_t replies[] = {
        {.transfer = 0},
        {.transfer = 5, .done = true, .rc = DT_ERR_NO_SPACE},
        {.transfer = 5, .done = true, .again = true},
        {.transfer = 5, .next = SNAPSHOT_TOTAL_BYTES_MAX + 1},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        snapshot_reply_t out;
        ck_assert_int_eq (s_pass_reply (&replies[i], &out), DT_ERR_MALFORMED);
    }
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("raft_snapshot_wire");
    tcase_add_test (tcase, chunk_comes_out_as_it_went_in);
    tcase_add_test (tcase, every_changed_byte_of_a_chunk_is_found);
    tcase_add_test (tcase, chunks_that_contradict_themselves_are_refused);
    tcase_add_test (tcase, empty_piece_at_the_end_is_a_question);
    tcase_add_test (tcase, later_format_is_told_from_damage);
    tcase_add_test (tcase, reply_comes_out_as_it_went_in);
    tcase_add_test (tcase, code_nobody_knows_is_an_error_all_the_same);
    tcase_add_test (tcase, replies_that_contradict_themselves_are_refused);
    Suite *suite = suite_create ("raft_snapshot_wire");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
