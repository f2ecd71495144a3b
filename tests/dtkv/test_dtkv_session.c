#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/dtkv/kv_request.h"

static kv_fixture_t s_kv;
static dtkv_limits_t s_limits;

static void s_setup (void)
{
    s_limits = DTKV_LIMITS_DEFAULT;
    s_limits.sessions_max = 200;
    s_limits.session_replies_max = 10;
    kv_fixture_init (&s_kv, &s_limits);
}

static void s_teardown (void)
{
    dtkv_store_check (s_kv.store);
    kv_fixture_deinit (&s_kv);
}

#define assert_code(call, expected) ck_assert_int_eq ((call), DTKV_##expected)
#define assert_reply(expected)      ck_assert_str_eq (kv_reply (&s_kv), (expected))

// Open a session at cluster time 1000; its id.
static uint64_t s_open (uint64_t ttl_ms)
{
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_OPEN, ttl_ms), SUCCESS);
    return s_kv.outcome.index;
}

// Let the next writes be of a session.
static void s_under (uint64_t id, uint64_t seq, uint64_t ack)
{
    s_kv.context.session_id = id;
    s_kv.context.session_seq = seq;
    s_kv.context.session_ack = ack;
}

START_TEST (open_answers_the_entry_s_index_as_id)
{
    s_kv.context.index = 41;
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_OPEN, 5000), SUCCESS);
    assert_reply ("[42 5000]");
    ck_assert_uint_eq (dtkv_store_sessions (s_kv.store), 1);
}
END_TEST

START_TEST (ttl_has_limits)
{
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_OPEN, 999), INVALID_TTL);
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_OPEN, 86400001), INVALID_TTL);
    s_open (1000);
    s_open (86400000);
}
END_TEST

START_TEST (repeated_write_returns_its_first_result_and_happens_once)
{
    uint64_t id = s_open (5000);
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", DTKV_FLAG_PREVIOUS), SUCCESS);
    uint64_t index = s_kv.outcome.index;
    ck_assert (!s_kv.outcome.repeated);
    s_under (0, 0, 0);
    assert_code (kv_put (&s_kv, "a", "2", 0), SUCCESS_OVERWRITE);
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", DTKV_FLAG_PREVIOUS), SUCCESS);
    ck_assert (s_kv.outcome.repeated);
    ck_assert_uint_eq (s_kv.outcome.index, index);
    assert_reply ("nil");
    assert_code (kv_get (&s_kv, "a", 0), SUCCESS);
    assert_reply ("[0 \"2\"]");
}
END_TEST

START_TEST (repeated_write_returns_its_first_body)
{
    uint64_t id = s_open (5000);
    assert_code (kv_put (&s_kv, "a", "old", 0), SUCCESS);
    s_under (id, 1, 1);
    assert_code (kv_remove (&s_kv, "a", DTKV_FLAG_PREVIOUS), SUCCESS);
    assert_code (kv_remove (&s_kv, "a", DTKV_FLAG_PREVIOUS), SUCCESS);
    assert_reply ("[0 \"old\"]");
}
END_TEST

START_TEST (refusals_are_results_too)
{
    uint64_t id = s_open (5000);
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "d.a", "1", 0), PARENT_DIR_NOT_EXISTS);
    s_under (0, 0, 0);
    assert_code (kv_mkdir (&s_kv, "d", 0), SUCCESS);
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "d.a", "1", 0), PARENT_DIR_NOT_EXISTS);
    ck_assert (s_kv.outcome.repeated);
}
END_TEST

START_TEST (seqs_may_arrive_in_any_order_within_the_window)
{
    uint64_t id = s_open (5000);
    static const unsigned order[] = {7, 3, 10, 1, 2};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        char path[8];
        snprintf (path, sizeof path, "k%u", order[i]);
        s_under (id, order[i], 1);
        assert_code (kv_put (&s_kv, path, "1", 0), SUCCESS);
    }
    s_under (id, 10, 1);
    assert_code (kv_put (&s_kv, "k10", "1", 0), SUCCESS);
    ck_assert (s_kv.outcome.repeated);
}
END_TEST

START_TEST (seq_below_the_acknowledged_is_stale)
{
    uint64_t id = s_open (5000);
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    s_under (id, 2, 2);
    assert_code (kv_put (&s_kv, "a", "2", 0), SUCCESS_OVERWRITE);
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SESSION_SEQ_STALE);
    ck_assert_uint_eq (s_kv.outcome.index, 0);
    assert_code (kv_get (&s_kv, "a", 0), SUCCESS);
    assert_reply ("[0 \"2\"]");
}
END_TEST

START_TEST (seq_too_far_above_the_acknowledged_is_refused_until_it_moves)
{
    uint64_t id = s_open (5000);
    s_under (id, 11, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SESSION_WINDOW_FULL);
    ck_assert_uint_eq (s_kv.outcome.index, 0);
    s_under (id, 11, 2);
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
}
END_TEST

START_TEST (kept_bytes_of_a_session_are_limited)
{
    kv_fixture_deinit (&s_kv);
    s_limits.session_bytes_max = 64; // two replies without a body
    kv_fixture_init (&s_kv, &s_limits);
    uint64_t id = s_open (5000);
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    s_under (id, 2, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS_OVERWRITE);
    s_under (id, 3, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SESSION_WINDOW_FULL);
    s_under (id, 2, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS_OVERWRITE);
    ck_assert (s_kv.outcome.repeated);
    s_under (id, 3, 2);
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS_OVERWRITE);
}
END_TEST

START_TEST (unknown_session_never_carries_out)
{
    s_under (77, 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SESSION_UNKNOWN);
    ck_assert_uint_eq (s_kv.outcome.index, 0);
    assert_code (kv_get (&s_kv, "a", 0), NOT_FOUND);
}
END_TEST

START_TEST (session_expires_when_cluster_time_reaches_its_deadline)
{
    uint64_t id = s_open (5000); // at 1000
    s_kv.context.cluster_time_ms = 5999;
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_KEEPALIVE, id), SUCCESS);
    char reply[32];
    snprintf (reply, sizeof reply, "[%u 5000]", (unsigned) id);
    assert_reply (reply);
    s_kv.context.cluster_time_ms = 10999;
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SESSION_UNKNOWN);
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_KEEPALIVE, id), SESSION_UNKNOWN);
    ck_assert_uint_eq (dtkv_store_sessions (s_kv.store), 1);
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), 10999);
    kv_clock (&s_kv, 10999);
    ck_assert_uint_eq (dtkv_store_sessions (s_kv.store), 0);
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), UINT64_MAX);
}
END_TEST

START_TEST (writes_keep_a_session_alive)
{
    uint64_t id = s_open (5000);
    for (unsigned i = 1; i < 5; i++) {
        s_kv.context.cluster_time_ms += 4000;
        s_under (id, i, i);
        ck_assert_int_ne (kv_put (&s_kv, "a", "1", 0), DTKV_SESSION_UNKNOWN);
    }
}
END_TEST

START_TEST (cluster_time_never_runs_back)
{
    uint64_t id = s_open (5000);
    s_kv.context.cluster_time_ms = 7000;
    s_kv.context.type = LOG_ENTRY_NOOP;
    kv_apply (&s_kv, 0);
    s_kv.context.type = LOG_ENTRY_COMMAND;
    s_kv.context.cluster_time_ms = 1000;
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_KEEPALIVE, id), SESSION_UNKNOWN);
    ck_assert_uint_eq (dtkv_store_cluster_time_ms (s_kv.store), 7000);
}
END_TEST

START_TEST (expired_sessions_are_refused_before_they_are_removed)
{
    uint64_t ids[200];
    for (int i = 0; i < 200; i++) {
        ids[i] = s_open (5000);
    }
    s_kv.context.cluster_time_ms = 100000;
    s_under (ids[199], 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SESSION_UNKNOWN);
    ck_assert_uint_eq (dtkv_store_sessions (s_kv.store), 200);
    kv_clock (&s_kv, 100000);
    ck_assert_uint_eq (dtkv_store_sessions (s_kv.store), 136); // 64 for each entry
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_KEEPALIVE, ids[198]), SESSION_UNKNOWN);
    kv_clock (&s_kv, 100000);
    ck_assert_uint_eq (dtkv_store_sessions (s_kv.store), 72);
}
END_TEST

START_TEST (sessions_are_limited)
{
    for (int i = 0; i < 200; i++) {
        s_open (5000);
    }
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_OPEN, 5000), TOO_MANY_SESSIONS);
    kv_clock (&s_kv, 100000);
    s_open (5000);
}
END_TEST

START_TEST (write_on_behalf_of_a_session_happens_each_time_and_keeps_it_alive)
{
    uint64_t id = s_open (5000); // at 1000
    s_under (id, 0, 0);
    s_kv.context.cluster_time_ms = 5000;
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS_OVERWRITE);
    ck_assert_uint_ne (s_kv.outcome.index, 0);
    s_kv.context.cluster_time_ms = 9999;
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS_OVERWRITE);
    s_kv.context.cluster_time_ms = 99999;
    assert_code (kv_put (&s_kv, "a", "1", 0), SESSION_UNKNOWN);
    ck_assert_uint_eq (s_kv.outcome.index, 0);
}
END_TEST

START_TEST (closed_session_is_unknown)
{
    uint64_t id = s_open (5000);
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_CLOSE, id), SUCCESS);
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_CLOSE, id), SESSION_UNKNOWN);
    s_under (id, 1, 1);
    assert_code (kv_put (&s_kv, "a", "1", 0), SESSION_UNKNOWN);
}
END_TEST

START_TEST (repeats_are_recognised_after_snapshot_and_restore)
{
    dt_buffer_t stream = {0};
    dtkv_store_t *restored = NULL;
    uint64_t id = s_open (5000);
    assert_code (kv_put (&s_kv, "a", "old", 0), SUCCESS);
    s_under (id, 1, 1);
    assert_code (kv_remove (&s_kv, "a", DTKV_FLAG_PREVIOUS), SUCCESS);
    kv_snapshot (s_kv.store, 10, &stream);
    ck_assert_int_eq (kv_restore (&stream, 3, &s_limits, &restored), 0);
    dtkv_store_destroy (&s_kv.store);
    s_kv.store = restored;
    assert_code (kv_remove (&s_kv, "a", DTKV_FLAG_PREVIOUS), SUCCESS);
    ck_assert (s_kv.outcome.repeated);
    assert_reply ("[0 \"old\"]");
    dt_buffer_deinit (&stream);
}
END_TEST

START_TEST (thousands_of_sessions_expire_in_order_and_survive_snapshots)
{
    kv_fixture_deinit (&s_kv);
    s_limits.sessions_max = 5000;
    kv_fixture_init (&s_kv, &s_limits);
    for (unsigned i = 0; i < 5000; i++) {
        s_kv.context.cluster_time_ms = 1000 + i;
        s_open (10000 + i * 7919 % 5000);
    }
    dtkv_store_check (s_kv.store);
    dt_buffer_t stream = {0};
    dtkv_store_t *restored = NULL;
    kv_snapshot (s_kv.store, 1000, &stream);
    ck_assert_int_eq (kv_restore (&stream, 1000, &s_limits, &restored), 0);
    for (unsigned i = 0; dtkv_store_sessions (s_kv.store); i++) {
        log_entry_t entry = {
            .index = ++s_kv.context.index,
            .cluster_time_ms = 12000 + i * 20,
            .type = LOG_ENTRY_CLOCK,
        };
        dtkv_store_apply (s_kv.store, &entry, &s_kv.reply, &s_kv.outcome);
        dtkv_store_apply (restored, &entry, &s_kv.reply, &s_kv.outcome);
        ck_assert_uint_eq (dtkv_store_digest (restored), dtkv_store_digest (s_kv.store));
        if (i % 100 == 0) {
            dtkv_store_check (restored);
        }
    }
    dtkv_store_destroy (&restored);
    dt_buffer_deinit (&stream);
}
END_TEST

int main (void)
{
    const TTest *const tests[] = {
        open_answers_the_entry_s_index_as_id,
        ttl_has_limits,
        repeated_write_returns_its_first_result_and_happens_once,
        repeated_write_returns_its_first_body,
        refusals_are_results_too,
        seqs_may_arrive_in_any_order_within_the_window,
        seq_below_the_acknowledged_is_stale,
        seq_too_far_above_the_acknowledged_is_refused_until_it_moves,
        kept_bytes_of_a_session_are_limited,
        unknown_session_never_carries_out,
        session_expires_when_cluster_time_reaches_its_deadline,
        writes_keep_a_session_alive,
        cluster_time_never_runs_back,
        expired_sessions_are_refused_before_they_are_removed,
        sessions_are_limited,
        write_on_behalf_of_a_session_happens_each_time_and_keeps_it_alive,
        closed_session_is_unknown,
        repeats_are_recognised_after_snapshot_and_restore,
        thousands_of_sessions_expire_in_order_and_survive_snapshots,
    };
    Suite *suite = suite_create ("dtkv_session");
    TCase *tcase = tcase_create ("session");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 60);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test (tcase, tests[i]);
    }
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
