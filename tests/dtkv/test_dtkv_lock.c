#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "dtkv/core/dtkv_lock.h"
#include "tests/dtkv/kv_request.h"
#include "transport/msgpack_writer.h"

static kv_fixture_t s_kv;
static dtkv_limits_t s_limits;
static uint64_t s_sessions[4]; // opened by entries 1 .. 4

enum { EXCLUSIVE = 0, SHARED = 1, SEMAPHORE = 2 };

static void s_setup (void)
{
    s_limits = DTKV_LIMITS_DEFAULT;
    kv_fixture_init (&s_kv, &s_limits);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq (kv_session (&s_kv, DTKV_OP_SESSION_OPEN, 50000), DTKV_SUCCESS);
        s_sessions[i] = s_kv.outcome.index;
    }
}

static void s_teardown (void)
{
    dtkv_store_check (s_kv.store);
    kv_fixture_deinit (&s_kv);
}

#define assert_code(call, expected) ck_assert_int_eq ((call), DTKV_##expected)
#define assert_reply(expected)      ck_assert_str_eq (kv_reply (&s_kv), (expected))

// Requests on behalf of session number `who`, 0 .. 3.
static int s_lock (int who, const char *path, unsigned mode, uint64_t wait_ms, uint64_t lease_ms,
                   unsigned permits)
{
    s_kv.context.session_id = s_sessions[who];
    dt_buffer_clear (&s_kv.body);
    msgpack_write_array (&s_kv.body, 6);
    msgpack_write_bin (&s_kv.body, path, (uint32_t) strlen (path));
    msgpack_write_uint (&s_kv.body, mode);
    msgpack_write_uint (&s_kv.body, wait_ms);
    msgpack_write_uint (&s_kv.body, lease_ms);
    msgpack_write_bin (&s_kv.body, "me", 2);
    msgpack_write_uint (&s_kv.body, permits);
    return kv_apply (&s_kv, DTKV_OP_LOCK);
}

static int s_token (int who, uint16_t operation, const char *path, uint64_t token, uint64_t last)
{
    s_kv.context.session_id = who < 0 ? 0 : s_sessions[who];
    dt_buffer_clear (&s_kv.body);
    msgpack_write_array (&s_kv.body, 3);
    msgpack_write_bin (&s_kv.body, path, (uint32_t) strlen (path));
    msgpack_write_uint (&s_kv.body, token);
    msgpack_write_uint (&s_kv.body, last);
    return kv_apply (&s_kv, operation);
}

static int s_unlock (int who, const char *path, uint64_t token)
{
    return s_token (who, DTKV_OP_UNLOCK, path, token, 0);
}

// A put under one guard.
static int s_put_guarded (const char *lock, uint64_t token)
{
    dt_buffer_clear (&s_kv.body);
    msgpack_write_array (&s_kv.body, 3);
    msgpack_write_array (&s_kv.body, 1);
    msgpack_write_array (&s_kv.body, 2);
    msgpack_write_bin (&s_kv.body, lock, (uint32_t) strlen (lock));
    msgpack_write_uint (&s_kv.body, token);
    msgpack_write_uint (&s_kv.body, DTKV_OP_PUT);
    msgpack_write_array (&s_kv.body, 2);
    msgpack_write_bin (&s_kv.body, "guarded", 7);
    msgpack_write_bin (&s_kv.body, "1", 1);
    return kv_apply (&s_kv, DTKV_OP_GUARDED);
}

START_TEST (free_lock_is_granted_with_the_entry_as_token)
{
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 3000, 0), SUCCESS);
    assert_reply ("[5 \"0000000000000005\" 3000]");
    assert_code (kv_get (&s_kv, "l", 0), SUCCESS);
    assert_reply ("[3 nil]");
    assert_code (kv_get (&s_kv, "l.0000000000000005", DTKV_FLAG_META), SUCCESS);
    ck_assert_ptr_nonnull (strstr (kv_reply (&s_kv), "[5 5 1 0 5000 5000 7 1 3000]"));
}
END_TEST

START_TEST (held_lock_refuses_and_queues_in_order)
{
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 0, 0), SUCCESS); // 5
    assert_code (s_lock (1, "l", EXCLUSIVE, 0, 0, 0), LOCK_BY_OTHER);
    assert_reply ("nil");
    assert_code (s_lock (1, "l", EXCLUSIVE, 9000, 0, 0), LOCK_BY_OTHER); // 7
    assert_reply ("[0 \"0000000000000007\" 9000]");
    assert_code (s_lock (2, "l", EXCLUSIVE, 9000, 700, 0), LOCK_BY_OTHER); // 8
    assert_code (s_unlock (0, "l", 5), SUCCESS);                           // 9
    assert_code (s_lock (1, "l", EXCLUSIVE, 0, 0, 0), LOCK_BY_SELF);
    assert_reply ("[9 \"0000000000000007\" 0]");
    assert_code (s_unlock (1, "l", 9), SUCCESS); // 11
    assert_code (s_token (2, DTKV_OP_LOCK_RENEW, "l", 11, 0), SUCCESS);
    assert_reply ("[11 700]");
    assert_code (s_unlock (2, "l", 11), SUCCESS);
    assert_code (kv_get (&s_kv, "l", 0), NOT_FOUND); // nobody contends: the lock is gone
}
END_TEST

START_TEST (shared_holders_are_promoted_together)
{
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 0, 0), SUCCESS);          // 5
    assert_code (s_lock (1, "l", SHARED, 9000, 0, 0), LOCK_BY_OTHER);    // 6
    assert_code (s_lock (2, "l", SHARED, 9000, 0, 0), LOCK_BY_OTHER);    // 7
    assert_code (s_lock (3, "l", EXCLUSIVE, 9000, 0, 0), LOCK_BY_OTHER); // 8
    assert_code (s_unlock (0, "l", 5), SUCCESS);                         // 9
    assert_code (s_lock (0, "l", SHARED, 0, 0, 0), LOCK_BY_OTHER);       // not past a waiter
    assert_code (s_unlock (1, "l", 9), SUCCESS);
    assert_code (s_unlock (3, "l", 9), FENCED);  // it waits
    assert_code (s_unlock (2, "l", 9), SUCCESS); // 13
    assert_code (s_unlock (3, "l", 13), SUCCESS);
}
END_TEST

START_TEST (semaphore_holds_as_many_as_it_permits)
{
    assert_code (s_lock (0, "l", SEMAPHORE, 0, 0, 2), SUCCESS);
    assert_code (s_lock (1, "l", SEMAPHORE, 0, 0, 3), CLIENT_REQ_ERROR);
    assert_code (s_lock (1, "l", EXCLUSIVE, 0, 0, 0), CLIENT_REQ_ERROR);
    assert_code (s_lock (1, "l", SEMAPHORE, 0, 0, 2), SUCCESS);
    assert_code (s_lock (2, "l", SEMAPHORE, 0, 0, 2), LOCK_BY_OTHER);
}
END_TEST

START_TEST (waiter_leaves_when_its_time_is_over_or_it_wants_to)
{
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 0, 0), SUCCESS);          // 5
    assert_code (s_lock (1, "l", EXCLUSIVE, 500, 0, 0), LOCK_BY_OTHER);  // until 1500
    assert_code (s_lock (2, "l", EXCLUSIVE, 9000, 0, 0), LOCK_BY_OTHER); // 7
    assert_code (s_unlock (2, "l", 0), LOCK_BY_OTHER);
    kv_clock (&s_kv, 1500);
    assert_code (s_unlock (1, "l", 0), FENCED); // it is not there any more
    assert_code (s_unlock (0, "l", 5), SUCCESS);
    assert_code (s_unlock (0, "l", 5), NOT_FOUND);
}
END_TEST

START_TEST (lease_ends_and_the_next_holds)
{
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 500, 0), SUCCESS); // 5, until 1500
    assert_code (s_lock (1, "l", EXCLUSIVE, DTKV_LOCK_WAIT_FOR_EVER, 0, 0), LOCK_BY_OTHER);
    s_kv.context.cluster_time_ms = 1300;
    assert_code (s_token (0, DTKV_OP_LOCK_RENEW, "l", 5, 1000), SUCCESS); // until 2300
    kv_clock (&s_kv, 2299);
    assert_code (s_put_guarded ("l", 5), SUCCESS);
    kv_clock (&s_kv, 2300); // 10
    assert_code (s_put_guarded ("l", 5), FENCED);
    assert_code (s_token (0, DTKV_OP_LOCK_RENEW, "l", 5, 1000), FENCED);
    assert_code (s_put_guarded ("l", 10), SUCCESS_OVERWRITE); // whoever holds it
}
END_TEST

START_TEST (session_s_end_releases_and_expired_waiters_get_nothing)
{
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 0, 0), SUCCESS); // 5
    assert_code (s_lock (1, "l", EXCLUSIVE, DTKV_LOCK_WAIT_FOR_EVER, 0, 0), LOCK_BY_OTHER);
    s_kv.context.cluster_time_ms = 30000;
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 0, 0), LOCK_BY_SELF); // lives until 80000
    assert_code (s_lock (2, "l", EXCLUSIVE, DTKV_LOCK_WAIT_FOR_EVER, 0, 0), LOCK_BY_OTHER);
    s_kv.context.cluster_time_ms = 60000;        // session 1 has expired, but is not removed
    assert_code (s_unlock (0, "l", 5), SUCCESS); // 9
    assert_code (kv_list (&s_kv, "l", DTKV_FLAG_KEYS_ONLY, 0, 0, NULL), SUCCESS);
    assert_reply ("[[[\"0000000000000008\"]] nil 1]");
    assert_code (s_unlock (2, "l", 9), SUCCESS);
}
END_TEST

START_TEST (force_releases_any_grant_by_its_token)
{
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 0, 0), SUCCESS); // 5
    assert_code (s_unlock (-1, "l", 5), SESSION_UNKNOWN);
    assert_code (s_token (-1, DTKV_OP_UNLOCK, "l", 4, DTKV_FLAG_FORCE), FENCED);
    assert_code (s_token (-1, DTKV_OP_UNLOCK, "l", 5, DTKV_FLAG_FORCE), SUCCESS);
    assert_code (kv_get (&s_kv, "l", 0), NOT_FOUND);
}
END_TEST

START_TEST (nothing_else_touches_a_lock)
{
    assert_code (kv_mkdir (&s_kv, "d", 0), SUCCESS);              // 5
    assert_code (s_lock (0, "d.l", EXCLUSIVE, 0, 0, 0), SUCCESS); // 6
    assert_code (kv_put (&s_kv, "d.l", "1", 0), IS_LOCK_NODE);
    assert_code (kv_put (&s_kv, "d.l.0000000000000006", "1", 0), IS_LOCK_NODE);
    assert_code (kv_put (&s_kv, "d.l.x", "1", 0), PARENT_IS_LOCK);
    assert_code (kv_mkdir (&s_kv, "d.l", 0), IS_LOCK_NODE);
    assert_code (kv_remove (&s_kv, "d.l", DTKV_FLAG_RECURSIVE), IS_LOCK_NODE);
    assert_code (kv_remove (&s_kv, "d", DTKV_FLAG_RECURSIVE), IS_LOCK_NODE);
    assert_code (kv_put_temp (&s_kv, "d.l", "1", 500, DTKV_FLAG_CONVERT), IS_LOCK_NODE);
    assert_code (kv_mkdir_temp (&s_kv, "d", 500, DTKV_FLAG_CONVERT), IS_LOCK_NODE);
    assert_code (kv_update_ttl (&s_kv, "d.l.0000000000000006", 500), IS_LOCK_NODE);
    assert_code (s_lock (1, "d.l.m", EXCLUSIVE, 0, 0, 0), PARENT_IS_LOCK);
    assert_code (s_lock (1, "d", EXCLUSIVE, 0, 0, 0), NOT_LOCK_NODE);
    assert_code (s_lock (1, "", EXCLUSIVE, 0, 0, 0), INVALID_KEY);
    assert_code (kv_mkdir_temp (&s_kv, "t", 500, 0), SUCCESS);
    assert_code (s_lock (1, "t.l", EXCLUSIVE, 0, 0, 0), UNDER_TEMP_DIR);
}
END_TEST

START_TEST (snapshot_carries_holders_and_waiters)
{
    dt_buffer_t stream = {0};
    dtkv_store_t *restored = NULL;
    assert_code (s_lock (0, "l", EXCLUSIVE, 0, 500, 0), SUCCESS);          // 5
    assert_code (s_lock (1, "l", EXCLUSIVE, 9000, 700, 0), LOCK_BY_OTHER); // 6
    kv_snapshot (s_kv.store, 10, &stream);
    ck_assert_int_eq (kv_restore (&stream, 3, &s_limits, &restored), 0);
    dtkv_store_destroy (&s_kv.store);
    s_kv.store = restored;
    kv_clock (&s_kv, 1500); // 7
    assert_code (s_token (1, DTKV_OP_LOCK_RENEW, "l", 7, 0), SUCCESS);
    assert_reply ("[7 700]");
    dt_buffer_deinit (&stream);
}
END_TEST

int main (void)
{
    const TTest *const tests[] = {
        free_lock_is_granted_with_the_entry_as_token,
        held_lock_refuses_and_queues_in_order,
        shared_holders_are_promoted_together,
        semaphore_holds_as_many_as_it_permits,
        waiter_leaves_when_its_time_is_over_or_it_wants_to,
        lease_ends_and_the_next_holds,
        session_s_end_releases_and_expired_waiters_get_nothing,
        force_releases_any_grant_by_its_token,
        nothing_else_touches_a_lock,
        snapshot_carries_holders_and_waiters,
    };
    Suite *suite = suite_create ("dtkv_lock");
    TCase *tcase = tcase_create ("lock");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
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
