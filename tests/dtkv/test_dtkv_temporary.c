#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/dtkv/kv_request.h"

static kv_fixture_t s_kv;
static dtkv_limits_t s_limits;

static void s_setup (void)
{
    s_limits = DTKV_LIMITS_DEFAULT;
    s_limits.batch_items_max = 6;
    s_limits.session_nodes_max = 3;
    kv_fixture_init (&s_kv, &s_limits);
}

static void s_teardown (void)
{
    dtkv_store_check (s_kv.store);
    kv_fixture_deinit (&s_kv);
}

#define assert_code(call, expected) ck_assert_int_eq ((call), DTKV_##expected)
#define assert_reply(expected)      ck_assert_str_eq (kv_reply (&s_kv), (expected))

enum { OWNED = DTKV_FLAG_OWNED, KEEP_TTL = DTKV_FLAG_KEEP_TTL, CONVERT = DTKV_FLAG_CONVERT };

static uint64_t s_open (uint64_t ttl_ms)
{
    s_kv.context.session_id = 0;
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_OPEN, ttl_ms), SUCCESS);
    return s_kv.outcome.index;
}

static bool s_is_there (const char *path)
{
    return kv_get (&s_kv, path, 0) == DTKV_SUCCESS;
}

// Replace the store by one restored from its snapshot, the same to the last byte.
static void s_restore (void)
{
    dt_buffer_t stream = {0};
    dtkv_store_t *restored = NULL;
    kv_snapshot (s_kv.store, 10, &stream);
    ck_assert_int_eq (kv_restore (&stream, 7, &s_limits, &restored), 0);
    ck_assert_uint_eq (dtkv_store_digest (restored), dtkv_store_digest (s_kv.store));
    ck_assert_uint_eq (dtkv_store_due_ms (restored), dtkv_store_due_ms (s_kv.store));
    dtkv_store_destroy (&s_kv.store);
    s_kv.store = restored;
    dt_buffer_deinit (&stream);
}

START_TEST (node_goes_with_the_clock_entry_of_its_deadline_and_not_before)
{
    assert_code (kv_put_temp (&s_kv, "a", "1", 500, 0), SUCCESS); // at 1000
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), 1500);
    kv_clock (&s_kv, 1499);
    ck_assert (s_is_there ("a"));
    s_kv.context.cluster_time_ms = 9000;
    assert_code (kv_put (&s_kv, "b", "1", 0), SUCCESS);
    ck_assert (s_is_there ("a")); // time alone removes nothing
    kv_clock (&s_kv, 9000);
    ck_assert (!s_is_there ("a"));
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), UINT64_MAX);
}
END_TEST

START_TEST (meta_tells_owner_and_ttl)
{
    uint64_t id = s_open (5000);
    s_kv.context.session_id = id;
    assert_code (kv_put_temp (&s_kv, "a", "x", 700, OWNED), SUCCESS);
    assert_code (kv_get (&s_kv, "a", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[4 \"x\" [2 2 1 0 5000 5000 7 1 700]]");
    assert_code (kv_mkdir_temp (&s_kv, "d", 800, 0), SUCCESS);
    assert_code (kv_get (&s_kv, "d", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[5 nil [3 3 1 0 5000 5000 7 0 800]]");
}
END_TEST

START_TEST (putting_again_renews_and_so_does_update_ttl)
{
    assert_code (kv_put_temp (&s_kv, "a", "1", 500, 0), SUCCESS);
    s_kv.context.cluster_time_ms = 1400;
    assert_code (kv_put_temp (&s_kv, "a", "2", 500, 0), SUCCESS_OVERWRITE);
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), 1900);
    s_kv.context.cluster_time_ms = 1800;
    assert_code (kv_update_ttl (&s_kv, "a", 1000), SUCCESS);
    assert_reply ("[1000]");
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), 2800);
    assert_code (kv_get (&s_kv, "a", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[4 \"2\" [1 2 2 0 5000 5000 7 0 1000]]"); // the put's index and version
}
END_TEST

START_TEST (plain_put_is_refused_unless_it_says_what_becomes_of_the_ttl)
{
    assert_code (kv_put_temp (&s_kv, "a", "1", 500, 0), SUCCESS);
    assert_code (kv_put (&s_kv, "a", "2", 0), IS_TEMP_NODE);
    s_kv.context.cluster_time_ms = 1300;
    assert_code (kv_put (&s_kv, "a", "2", KEEP_TTL), SUCCESS_OVERWRITE);
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), 1500);
    assert_code (kv_cas_value (&s_kv, "a", "2", "3", 0), IS_TEMP_NODE);
    assert_code (kv_put (&s_kv, "a", "a longer value than before", CONVERT), SUCCESS_OVERWRITE);
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), UINT64_MAX);
    assert_code (kv_put_temp (&s_kv, "a", "4", 500, 0), NOT_TEMP_NODE);
    assert_code (kv_put_temp (&s_kv, "a", "4", 500, CONVERT), SUCCESS_OVERWRITE);
    assert_code (kv_get (&s_kv, "a", 0), SUCCESS);
    assert_reply ("[4 \"4\"]");
}
END_TEST

START_TEST (ttl_has_limits)
{
    assert_code (kv_put_temp (&s_kv, "a", "1", 0, 0), INVALID_TTL);
    assert_code (kv_put_temp (&s_kv, "a", "1", DTKV_TTL_MS_MAX + 1, 0), INVALID_TTL);
    assert_code (kv_put_temp (&s_kv, "a", "1", DTKV_TTL_MS_MAX, 0), SUCCESS);
    assert_code (kv_update_ttl (&s_kv, "a", 0), INVALID_TTL);
    assert_code (kv_put_temp (&s_kv, "b", "1", 0, OWNED), SESSION_UNKNOWN);
}
END_TEST

START_TEST (only_the_owner_may_change_what_a_session_owns)
{
    uint64_t mine = s_open (50000);
    uint64_t other = s_open (50000);
    s_kv.context.session_id = mine;
    assert_code (kv_put_temp (&s_kv, "a", "1", 500, OWNED), SUCCESS);
    s_kv.context.session_id = other;
    assert_code (kv_put_temp (&s_kv, "a", "2", 500, OWNED), NOT_OWNER);
    assert_code (kv_put (&s_kv, "a", "2", KEEP_TTL), NOT_OWNER);
    assert_code (kv_put (&s_kv, "a", "2", CONVERT), NOT_OWNER);
    assert_code (kv_update_ttl (&s_kv, "a", 500), NOT_OWNER);
    assert_code (kv_remove (&s_kv, "a", 0), NOT_OWNER);
    assert_code (kv_cas_value (&s_kv, "a", "1", NULL, 0), NOT_OWNER);
    s_kv.context.session_id = 0;
    assert_code (kv_remove (&s_kv, "a", 0), NOT_OWNER);
    s_kv.context.session_id = mine;
    assert_code (kv_remove (&s_kv, "a", 0), SUCCESS);
}
END_TEST

START_TEST (all_a_session_owns_goes_with_it_in_one_entry)
{
    uint64_t id = s_open (5000);
    s_kv.context.session_id = id;
    assert_code (kv_put_temp (&s_kv, "a", "1", 0, OWNED), SUCCESS);
    assert_code (kv_put_temp (&s_kv, "b", "1", 90000, OWNED), SUCCESS);
    assert_code (kv_mkdir_temp (&s_kv, "d", 0, OWNED), SUCCESS);
    assert_code (kv_put (&s_kv, "d.e", "1", 0), SUCCESS);
    assert_code (kv_put_temp (&s_kv, "c", "1", 0, OWNED), TOO_MANY_OWNED);
    s_restore ();
    kv_clock (&s_kv, 6000);
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 0);
    ck_assert_uint_eq (dtkv_store_sessions (s_kv.store), 0);
    id = s_open (5000);
    s_kv.context.session_id = id;
    assert_code (kv_put_temp (&s_kv, "a", "1", 0, OWNED), SUCCESS);
    assert_code (kv_session (&s_kv, DTKV_OP_SESSION_CLOSE, id), SUCCESS);
    ck_assert (!s_is_there ("a"));
}
END_TEST

START_TEST (what_an_expired_session_owns_stays_until_the_clock_entry)
{
    uint64_t id = s_open (5000);
    s_kv.context.session_id = id;
    assert_code (kv_put_temp (&s_kv, "a", "1", 0, OWNED), SUCCESS);
    s_kv.context.cluster_time_ms = 20000;
    assert_code (kv_remove (&s_kv, "a", 0), SESSION_UNKNOWN);
    ck_assert (s_is_there ("a"));
    kv_clock (&s_kv, 20000);
    ck_assert (!s_is_there ("a"));
}
END_TEST

START_TEST (temporary_directory_goes_with_all_below_it_and_holds_nothing_temporary)
{
    assert_code (kv_mkdir_temp (&s_kv, "d", 500, 0), SUCCESS);
    assert_code (kv_put (&s_kv, "d.e.f", "1", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_put_temp (&s_kv, "d.e.g", "1", 500, 0), UNDER_TEMP_DIR);
    assert_code (kv_mkdir_temp (&s_kv, "d.g", 500, 0), UNDER_TEMP_DIR);
    assert_code (kv_put_temp (&s_kv, "d.e.f", "1", 500, CONVERT), UNDER_TEMP_DIR);
    assert_code (kv_mkdir (&s_kv, "d", 0), IS_TEMP_NODE);
    s_kv.context.cluster_time_ms = 1400;
    assert_code (kv_mkdir_temp (&s_kv, "d", 500, 0), DIR_EXISTS); // and goes on living
    s_restore ();
    kv_clock (&s_kv, 1500);
    ck_assert (s_is_there ("d.e.f"));
    kv_clock (&s_kv, 1900);
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 0);
}
END_TEST

START_TEST (temporary_directory_holds_what_one_entry_may_remove)
{
    assert_code (kv_mkdir_temp (&s_kv, "d", 500, 0), SUCCESS);
    assert_code (kv_batch_put (&s_kv, "d.a= d.b= d.c= d.e= d.f=", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "d.x.y", "", DTKV_FLAG_PARENTS), BATCH_TOO_LARGE);
    assert_code (kv_put (&s_kv, "d.g", "", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "d.h", "", 0), BATCH_TOO_LARGE);
}
END_TEST

START_TEST (directory_is_converted_if_nothing_below_it_ends_before)
{
    assert_code (kv_put_temp (&s_kv, "d.e.t", "1", 500, DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_mkdir_temp (&s_kv, "d", 500, 0), NOT_TEMP_NODE);
    assert_code (kv_mkdir_temp (&s_kv, "d", 500, CONVERT), IS_TEMP_NODE);
    assert_code (kv_mkdir_temp (&s_kv, "", 500, CONVERT), INVALID_KEY);
    assert_code (kv_remove (&s_kv, "d.e.t", 0), SUCCESS);
    assert_code (kv_mkdir_temp (&s_kv, "d", 500, CONVERT), SUCCESS_OVERWRITE);
    assert_code (kv_mkdir (&s_kv, "d", CONVERT), SUCCESS_OVERWRITE);
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), UINT64_MAX);
    assert_code (kv_get (&s_kv, "d", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[1 nil [1 7 3 1 5000 5000 7 0 0]]");
}
END_TEST

START_TEST (batch_taken_back_leaves_deadlines_as_they_were)
{
    assert_code (kv_put_temp (&s_kv, "a", "1", 500, 0), SUCCESS);
    assert_code (kv_put_temp (&s_kv, "b", "1", 600, 0), SUCCESS);
    uint64_t digest = dtkv_store_content_digest (s_kv.store);
    assert_code (kv_batch_put (&s_kv, "a=2 x.y=3", DTKV_FLAG_ATOMIC | CONVERT),
                 PARENT_DIR_NOT_EXISTS);
    assert_code (kv_batch_remove (&s_kv, "a b x", DTKV_FLAG_ATOMIC), NOT_FOUND);
    ck_assert_uint_eq (dtkv_store_content_digest (s_kv.store), digest);
    ck_assert_uint_eq (dtkv_store_due_ms (s_kv.store), 1500);
}
END_TEST

START_TEST (snapshot_shows_lifetimes_as_they_were_when_it_began)
{
    dt_buffer_t stream = {0};
    dtkv_store_t *restored = NULL;
    bool done = false;
    assert_code (kv_put_temp (&s_kv, "a", "1", 500, 0), SUCCESS);
    assert_code (kv_mkdir_temp (&s_kv, "b", 600, 0), SUCCESS);
    uint64_t digest = dtkv_store_digest (s_kv.store);
    dtkv_snapshot_t *snapshot = dtkv_snapshot_new (s_kv.store);
    assert_code (kv_update_ttl (&s_kv, "a", 9000), SUCCESS);
    assert_code (kv_mkdir_temp (&s_kv, "b", 9000, 0), DIR_EXISTS);
    while (!done) {
        dtkv_snapshot_next (snapshot, 10, &stream, &done);
    }
    dtkv_snapshot_destroy (&snapshot);
    ck_assert_int_eq (kv_restore (&stream, 100, &s_limits, &restored), 0);
    ck_assert_uint_eq (dtkv_store_digest (restored), digest);
    ck_assert_uint_eq (dtkv_store_due_ms (restored), 1500);
    dtkv_store_destroy (&restored);
    dt_buffer_deinit (&stream);
}
END_TEST

START_TEST (mass_expiry_is_bounded_work_for_each_entry)
{
    char path[16];
    for (int i = 0; i < 1000; i++) {
        snprintf (path, sizeof path, "k%d", i);
        assert_code (kv_put_temp (&s_kv, path, "1", 500, 0), SUCCESS);
    }
    kv_clock (&s_kv, 2000);
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 1000 - 64);
    ck_assert (!s_is_there ("k0"));
    ck_assert (s_is_there ("k999"));
    for (int i = 0; i < 15; i++) {
        kv_clock (&s_kv, 2000);
    }
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 0);
}
END_TEST

int main (void)
{
    const TTest *const tests[] = {
        node_goes_with_the_clock_entry_of_its_deadline_and_not_before,
        meta_tells_owner_and_ttl,
        putting_again_renews_and_so_does_update_ttl,
        plain_put_is_refused_unless_it_says_what_becomes_of_the_ttl,
        ttl_has_limits,
        only_the_owner_may_change_what_a_session_owns,
        all_a_session_owns_goes_with_it_in_one_entry,
        what_an_expired_session_owns_stays_until_the_clock_entry,
        temporary_directory_goes_with_all_below_it_and_holds_nothing_temporary,
        temporary_directory_holds_what_one_entry_may_remove,
        directory_is_converted_if_nothing_below_it_ends_before,
        batch_taken_back_leaves_deadlines_as_they_were,
        snapshot_shows_lifetimes_as_they_were_when_it_began,
        mass_expiry_is_bounded_work_for_each_entry,
    };
    Suite *suite = suite_create ("dtkv_temporary");
    TCase *tcase = tcase_create ("temporary");
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
