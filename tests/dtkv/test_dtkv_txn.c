// move, increment, sequential names, lists of directories, transactions: every rule, every limit.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tests/dtkv/kv_request.h"

static kv_fixture_t s_kv;
static dtkv_limits_t s_limits;

static void s_setup (void)
{
    s_limits = DTKV_LIMITS_DEFAULT;
    s_limits.key_bytes_max = 64;
    s_limits.value_bytes_max = 100;
    s_limits.depth_max = 4;
    s_limits.batch_items_max = 5;
    s_limits.reply_bytes_max = 150;
    kv_fixture_init (&s_kv, &s_limits);
}

static void s_teardown (void)
{
    dtkv_store_check (s_kv.store);
    kv_fixture_deinit (&s_kv);
}

#define assert_code(call, expected) ck_assert_int_eq ((call), DTKV_##expected)
#define assert_reply(expected)      ck_assert_str_eq (kv_reply (&s_kv), (expected))

#define assert_apply(operation, body, code, reply)                                                 \
    do {                                                                                           \
        ck_assert_int_eq (kv_apply_text (&s_kv, DTKV_OP_##operation, (body)), DTKV_##code);        \
        assert_reply (reply);                                                                      \
    } while (0)

// A transaction of nothing says whether its conditions hold.
static void assert_holds (const char *conditions, bool expected)
{
    dt_buffer_t body = {0};
    dt_buffer_printf (&body, "[[%s] []]", conditions);
    dt_buffer_append (&body, "", 1);
    assert_code (kv_read_text (&s_kv, DTKV_OP_TRANSACTION, (const char *) body.data), SUCCESS);
    ck_assert_msg (strstr (kv_reply (&s_kv), "true") ? expected : !expected, "%s", conditions);
    dt_buffer_deinit (&body);
}

START_TEST (increment_creates_and_counts)
{
    assert_apply (INCREMENT, "['a' 5]", SUCCESS, "[5]");
    assert_apply (INCREMENT, "['a' -7]", SUCCESS, "[-2]");
    assert_code (kv_get (&s_kv, "a", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[0 \"-2\" [1 2 2 0 5000 5000 7 0 0]]");
    assert_apply (INCREMENT, "['d.e' 1]", PARENT_DIR_NOT_EXISTS, "nil");
    assert_apply (INCREMENT, "['d.e' 1 1]", SUCCESS, "[1]");
    assert_apply (INCREMENT, "['d' 1]", DIR_EXISTS, "nil");
}
END_TEST

START_TEST (increment_refuses_what_is_no_number)
{
    const char *const values[] = {"", "-", "x", "1 ", "+1", "9223372036854775808"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        kv_put (&s_kv, "a", values[i], 0);
        assert_apply (INCREMENT, "['a' 1]", NOT_A_COUNTER, "nil");
    }
    kv_put (&s_kv, "a", "-9223372036854775808", 0);
    assert_apply (INCREMENT, "['a' 0]", SUCCESS, "[-9223372036854775808]");
}
END_TEST

START_TEST (increment_stops_at_either_end)
{
    assert_apply (INCREMENT, "['a' 9223372036854775807]", SUCCESS, "[9223372036854775807]");
    assert_apply (INCREMENT, "['a' 1]", NOT_A_COUNTER, "nil");
    assert_apply (INCREMENT, "['b' -9223372036854775808]", SUCCESS, "[-9223372036854775808]");
    assert_apply (INCREMENT, "['b' -1]", NOT_A_COUNTER, "nil");
    assert_apply (INCREMENT, "['b' 9223372036854775808]", CLIENT_REQ_ERROR, "nil");
    assert_apply (INCREMENT, "['b']", CLIENT_REQ_ERROR, "nil");
}
END_TEST

START_TEST (increment_keeps_to_the_limit_of_values)
{
    kv_fixture_deinit (&s_kv);
    s_limits.value_bytes_max = 2;
    kv_fixture_init (&s_kv, &s_limits);
    assert_apply (INCREMENT, "['a' 99]", SUCCESS, "[99]");
    assert_apply (INCREMENT, "['a' 1]", VALUE_TOO_LONG, "nil");
}
END_TEST

START_TEST (sequential_names_rise_with_the_parents_child_version)
{
    assert_apply (PUT, "['q.n-' 'x' 1025]", SUCCESS, "\"q.n-00000000000000000001\"");
    assert_apply (MKDIR, "['q.n-' 1024]", SUCCESS, "\"q.n-00000000000000000002\"");
    assert_code (kv_remove (&s_kv, "q.n-00000000000000000001", 0), SUCCESS);
    assert_apply (PUT, "['q.n-' 'y' 1024]", SUCCESS, "\"q.n-00000000000000000004\"");
    assert_code (kv_get (&s_kv, "q.n-00000000000000000004", 0), SUCCESS);
    assert_reply ("[0 \"y\"]");
    assert_apply (BATCH_PUT, "[[['q.a' '1'] ['q.a' '2']] 1024]", SUCCESS,
                  "[[0 \"q.a00000000000000000005\"] [0 \"q.a00000000000000000006\"]]");
}
END_TEST

START_TEST (sequential_refusals)
{
    assert_apply (PUT, "['' 'x' 1024]", INVALID_KEY, "nil");
    assert_apply (PUT, "['a.b' 'x' 1024]", PARENT_DIR_NOT_EXISTS, "nil");
    assert_apply (PUT, "['a12345678901234567890123456789012345678901234' 'x' 1024]", KEY_TOO_LONG,
                  "nil");
    assert_apply (COMPARE_AND_SET, "['a' 0 nil 'x' 1024]", CLIENT_REQ_ERROR, "nil");
    assert_code (kv_put (&s_kv, "a00000000000000000002", "taken", 0), SUCCESS);
    assert_apply (PUT, "['a' 'x' 1024]", VALUE_EXISTS, "nil");
    assert_code (kv_mkdir (&s_kv, "b00000000000000000003", 0), SUCCESS);
    assert_apply (MKDIR, "['b' 1024]", DIR_EXISTS, "nil");
}
END_TEST

START_TEST (list_of_directories_leaves_values_out)
{
    kv_batch_put (&s_kv, "a=1 b.x=2 c=3 d.y.z=4", DTKV_FLAG_PARENTS);
    assert_code (kv_list (&s_kv, "", 4096 | 8, 0, 0, NULL), SUCCESS);
    assert_reply ("[[[\"b\"] [\"d\"]] nil 2]");
    assert_code (kv_list (&s_kv, "", 4096 | 8 | 4, 2, 0, NULL), SUCCESS);
    assert_reply ("[[[\"b\"] [\"d\"]] \"d\" 2]");
    assert_code (kv_list (&s_kv, "", 4096 | 8 | 4, 2, 0, "d"), SUCCESS);
    assert_reply ("[[[\"d.y\"]] nil 1]");
    assert_code (kv_list (&s_kv, "", 4096 | 64 | 4, 0, 0, NULL), SUCCESS);
    assert_reply ("[[] nil 3]");
}
END_TEST

START_TEST (list_of_directories_looks_at_so_many_nodes)
{
    kv_fixture_deinit (&s_kv);
    s_limits.list_items_max = 2;
    kv_fixture_init (&s_kv, &s_limits);
    kv_batch_put (&s_kv, "a=1 b=2 c.x=3 d=4", DTKV_FLAG_PARENTS);
    assert_code (kv_list (&s_kv, "", 4096 | 8, 0, 0, NULL), SUCCESS);
    assert_reply ("[[] \"b\" 0]");
    assert_code (kv_list (&s_kv, "", 4096 | 64, 0, 0, "b"), SUCCESS);
    assert_reply ("[[] nil 1]");
}
END_TEST

START_TEST (move_takes_the_subtree_along)
{
    kv_batch_put (&s_kv, "a.b.c=1 a.d=2", DTKV_FLAG_PARENTS);
    assert_apply (MOVE, "['a' 'x.y']", PARENT_DIR_NOT_EXISTS, "nil");
    assert_apply (MOVE, "['a' 'x' 1]", SUCCESS, "nil");
    assert_code (kv_get (&s_kv, "a", 0), NOT_FOUND);
    assert_code (kv_list (&s_kv, "", 4 | 16, 0, 0, NULL), SUCCESS);
    assert_reply ("[[[\"x\" [1 nil [1 3 1 2 5000 5000 7 0 0]]] "
                  "[\"x.b\" [1 nil [1 1 1 1 5000 5000 7 0 0]]] "
                  "[\"x.b.c\" [0 \"1\" [1 1 1 0 5000 5000 7 0 0]]] "
                  "[\"x.d\" [0 \"2\" [1 1 1 0 5000 5000 7 0 0]]]] nil 4]");
    assert_code (kv_get (&s_kv, "", 16), SUCCESS);
    assert_reply ("[1 nil [0 0 0 3 0 0 0 0 0]]");
}
END_TEST

START_TEST (move_refusals)
{
    kv_batch_put (&s_kv, "a.b=1 v=2", DTKV_FLAG_PARENTS);
    assert_apply (MOVE, "['' 'x']", INVALID_KEY, "nil");
    assert_apply (MOVE, "['q' 'x']", NOT_FOUND, "nil");
    assert_apply (MOVE, "['a' 'a']", DIR_EXISTS, "nil");
    assert_apply (MOVE, "['a' 'a.x']", INVALID_KEY, "nil");
    assert_apply (MOVE, "['a' '']", DIR_EXISTS, "nil");
    assert_apply (MOVE, "['a' 'v']", VALUE_EXISTS, "nil");
    assert_apply (MOVE, "['a' 'v.x']", PARENT_NOT_DIR, "nil");
    assert_apply (MOVE, "['a' 'x..y']", INVALID_KEY, "nil");
    assert_apply (MOVE, "['a']", CLIENT_REQ_ERROR, "nil");
}
END_TEST

START_TEST (move_keeps_to_the_limits_of_paths_and_nodes)
{
    kv_put (&s_kv, "a.b.c.d", "1", DTKV_FLAG_PARENTS);
    assert_apply (MOVE, "['a' 'x.a' 1]", KEY_TOO_LONG, "nil");
    assert_apply (MOVE, "['a' 'a1234567890123456789012345678901234567890123456789012345678']",
                  KEY_TOO_LONG, "nil");
    kv_put (&s_kv, "a.e", "1", 0);
    assert_apply (MOVE, "['a' 'x']", SUCCESS, "nil");
    kv_put (&s_kv, "x.f", "1", 0);
    assert_apply (MOVE, "['x' 'y']", BATCH_TOO_LARGE, "nil");
}
END_TEST

START_TEST (conditions_one_by_one)
{
    kv_put (&s_kv, "a", "1", 0);
    kv_put (&s_kv, "a", "2", 0);
    kv_put (&s_kv, "d.e", "3", DTKV_FLAG_PARENTS);
    assert_holds ("[0 'a']", true);
    assert_holds ("[0 'b']", false);
    assert_holds ("[1 'b']", true);
    assert_holds ("[1 'a']", false);
    assert_holds ("[2 'a' 2]", true);
    assert_holds ("[2 'a' 1]", false);
    assert_holds ("[3 'a' 2]", true);
    assert_holds ("[3 'a' 1]", false);
    assert_holds ("[4 'a' '2']", true);
    assert_holds ("[4 'a' '']", false);
    assert_holds ("[4 'd' '']", false);
    assert_holds ("[5 'a' 2]", false);
    assert_holds ("[6 'd' 1]", true);
    assert_holds ("[6 'd' 0]", false);
    assert_holds ("[6 'a' 0]", false);
    assert_holds ("[7 'a' 1]", true);
    assert_holds ("[7 'a' 2]", false);
    assert_holds ("[2 'b' 0]", false);
    assert_holds ("[0 'a'] [1 'a']", false);
}
END_TEST

START_TEST (transaction_takes_one_branch)
{
    assert_apply (TRANSACTION, "[[[1 'a']] [[6 ['a' '1']] [5 ['a']]] [[88 ['n' 1]]]]", SUCCESS,
                  "[true [[0 nil] [0 [0 \"1\"]]]]");
    assert_apply (TRANSACTION, "[[[1 'a']] [[6 ['a' '1']]] [[88 ['n' 1]]]]", SUCCESS,
                  "[false [[0 [1]]]]");
    assert_apply (TRANSACTION, "[[[1 'a']] [[6 ['a' '1']]]]", SUCCESS, "[false []]");
    assert_apply (TRANSACTION, "[[] [[6 ['a' '2' 2]]] nil 0]", SUCCESS, "[true [[3 [0 \"1\"]]]]");
    assert_apply (TRANSACTION, "[[] []]", SUCCESS, "[true []]");
}
END_TEST

START_TEST (transaction_with_a_failure_changes_nothing)
{
    kv_batch_put (&s_kv, "a.b=1 n=5", DTKV_FLAG_PARENTS);
    uint64_t digest = dtkv_store_content_digest (s_kv.store);
    assert_apply (TRANSACTION,
                  "[[] [[6 ['n' '6']] [87 ['a' 'x']] [70 ['x.b']] [70 ['missing']] [5 ['n']]]]",
                  NOT_FOUND, "[true [[29 nil] [29 nil] [29 nil] [2 nil] [29 nil]]]");
    ck_assert_uint_eq (dtkv_store_content_digest (s_kv.store), digest);
    assert_apply (TRANSACTION, "[[] [[87 ['a' 'x']] [87 ['x' 'z']] [76 ['n' 0 'no' '1']]]]",
                  CAS_MISMATCH, "[true [[29 nil] [29 nil] [14 nil]]]");
    ck_assert_uint_eq (dtkv_store_content_digest (s_kv.store), digest);
}
END_TEST

START_TEST (transaction_goes_on_after_what_is_no_failure)
{
    assert_apply (TRANSACTION, "[[] [[71 ['d']] [71 ['d']] [5 ['x']] [73 [['x']]] [6 ['d.a' '']]]]",
                  BATCH_TOO_LARGE, "nil");
    assert_apply (TRANSACTION, "[[] [[71 ['d']] [71 ['d']] [5 ['x']] [6 ['d.a' '']]]]", SUCCESS,
                  "[true [[0 nil] [4 nil] [2 nil] [0 nil]]]");
    assert_apply (TRANSACTION, "[[] [[74 [[['q.q' ''] ['e' '']]]]]]", SUCCESS,
                  "[true [[0 [[9 nil] [0 nil]]]]]");
    assert_apply (TRANSACTION, "[[] [[74 [[['f' ''] ['q.q' '']] 32]]]]", PARENT_DIR_NOT_EXISTS,
                  "[true [[9 nil]]]");
    assert_code (kv_get (&s_kv, "f", 0), NOT_FOUND);
}
END_TEST

START_TEST (transaction_is_one_request_to_the_limits)
{
    assert_apply (TRANSACTION, "[[] [[6 ['a.b.c' '' 1]] [6 ['d.e.f' '' 1]] [6 ['g.h.i' '' 1]]]]",
                  BATCH_TOO_LARGE, "[true [[29 nil] [29 nil] [30 nil]]]");
    assert_apply (TRANSACTION, "[[[0 'a'] [0 'b']] [[5 ['a']] [5 ['a']]] [[5 ['a']] [5 ['a']]]]",
                  BATCH_TOO_LARGE, "nil");
    char value[101] = {0};
    memset (value, 'x', 100);
    kv_put (&s_kv, "v", value, 0);
    assert_code (kv_read_text (&s_kv, DTKV_OP_TRANSACTION, "[[] [[5 ['v']] [5 ['v']]]]"),
                 BATCH_TOO_LARGE);
    assert_reply ("[true [[29 nil] [30 nil]]]");
}
END_TEST

START_TEST (transaction_refuses_what_is_not_of_its_form)
{
    const char *const bodies[] = {
        "[]",
        "[[]]",
        "[nil []]",
        "[[] nil]",
        "[[] [] 1]",
        "[[[0]] []]",
        "[[[8 'a' 1]] []]",
        "[[[2 'a']] []]",
        "[[[4 'a' 1]] []]",
        "[[[2 'a' 'x']] []]",
        "[[[0 1]] []]",
        "[[] [[6]]]",
        "[[] [[89 [[] []]]]]",
        "[[] [[90 [5000]]]]",
        "[[] [[6 ['a']]]]",
        "[[] [[99 ['a']]]]",
        "[[] [] nil 8192]",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_apply (TRANSACTION, bodies[i], CLIENT_REQ_ERROR, "nil");
    }
    assert_apply (TRANSACTION, "[[[0 'a..b']] []]", INVALID_KEY, "nil");
    assert_apply (TRANSACTION, "[[] [[6 ['a' '']] [5 ['a..b']]]]", INVALID_KEY,
                  "[true [[29 nil] [7 nil]]]");
}
END_TEST

START_TEST (transaction_of_reads_is_a_read)
{
    kv_put (&s_kv, "a", "1", 0);
    assert_code (kv_read_text (&s_kv, DTKV_OP_TRANSACTION, "[[[0 'a']] [[5 ['a']] [72 ['']]]]"),
                 SUCCESS);
    assert_reply ("[true [[0 [0 \"1\"]] [0 [[[\"a\" [0 \"1\"]]] nil 1]]]]");
    ck_assert (!dtkv_operation_writes (DTKV_OP_TRANSACTION, s_kv.body.data, s_kv.body.bytes));
    assert_code (kv_read_text (&s_kv, DTKV_OP_TRANSACTION, "[[] [[5 ['a']]] [[70 ['a']]]]"),
                 CLIENT_REQ_ERROR);
    ck_assert (dtkv_operation_writes (DTKV_OP_TRANSACTION, s_kv.body.data, s_kv.body.bytes));
}
END_TEST

START_TEST (transaction_under_a_session_is_carried_out_once)
{
    kv_session (&s_kv, DTKV_OP_SESSION_OPEN, 5000);
    s_kv.context.session_id = s_kv.context.index;
    s_kv.context.session_seq = 1;
    assert_apply (TRANSACTION, "[[] [[88 ['n' 1]]]]", SUCCESS, "[true [[0 [1]]]]");
    assert_apply (TRANSACTION, "[[] [[88 ['n' 1]]]]", SUCCESS, "[true [[0 [1]]]]");
    ck_assert_uint_eq (s_kv.outcome.index, 2);
}
END_TEST

START_TEST (moved_nodes_are_in_a_snapshot_where_they_were)
{
    kv_batch_put (&s_kv, "a.b=1 c.d=2", DTKV_FLAG_PARENTS);
    uint64_t digest = dtkv_store_digest (s_kv.store);
    dtkv_snapshot_t *snapshot = dtkv_snapshot_new (s_kv.store);
    assert_apply (MOVE, "['a' 'z']", SUCCESS, "nil");
    assert_apply (TRANSACTION, "[[] [[87 ['c' 'e']] [70 ['none']]]]", NOT_FOUND,
                  "[true [[29 nil] [2 nil]]]");
    kv_put (&s_kv, "z.b", "3", 0);
    dt_buffer_t stream = {0};
    for (bool done = false; !done;) {
        dtkv_snapshot_next (snapshot, 1, &stream, &done);
    }
    dtkv_snapshot_destroy (&snapshot);
    dtkv_store_t *restored;
    ck_assert_int_eq (kv_restore (&stream, 100, &s_limits, &restored), 0);
    ck_assert_uint_eq (dtkv_store_digest (restored), digest);
    dtkv_store_destroy (&restored);
    dt_buffer_deinit (&stream);
}
END_TEST

START_TEST (locks_and_temporary_nodes_stay_where_they_are)
{
    kv_session (&s_kv, DTKV_OP_SESSION_OPEN, 5000);
    s_kv.context.session_id = s_kv.context.index;
    kv_mkdir (&s_kv, "d", 0);
    ck_assert_int_eq (kv_apply_text (&s_kv, DTKV_OP_LOCK, "['d.l' 0 0]"), DTKV_SUCCESS);
    assert_apply (MOVE, "['d' 'e']", IS_LOCK_NODE, "nil");
    assert_apply (MOVE, "['d.l' 'e']", IS_LOCK_NODE, "nil");
    assert_apply (INCREMENT, "['d.l' 1]", IS_LOCK_NODE, "nil");
    assert_holds ("[5 'd.l' 3]", true);
    assert_holds ("[5 'd.l' 2]", false);
    assert_holds ("[5 'd' 3]", false);
    assert_apply (PUT_TEMP, "['t' '5' 1000]", SUCCESS, "nil");
    assert_apply (MOVE, "['t' 'u']", IS_TEMP_NODE, "nil");
    assert_apply (INCREMENT, "['t' 1]", IS_TEMP_NODE, "nil");
    assert_apply (INCREMENT, "['t' 1 256]", SUCCESS, "[6]");
    assert_apply (MKDIR_TEMP, "['td' 1000]", SUCCESS, "nil");
    kv_put (&s_kv, "v", "1", 0);
    assert_apply (MOVE, "['v' 'td.v']", UNDER_TEMP_DIR, "nil");
}
END_TEST

START_TEST (transaction_creates_temporary_nodes_and_takes_them_back)
{
    kv_session (&s_kv, DTKV_OP_SESSION_OPEN, 5000);
    s_kv.context.session_id = s_kv.context.index;
    uint64_t digest = dtkv_store_content_digest (s_kv.store);
    s_kv.context.session_id = 0;
    assert_apply (TRANSACTION, "[[] [[81 ['t' 1000]] [80 ['u' 'x' 1000]] [70 ['none']]]]",
                  NOT_FOUND, "[true [[29 nil] [29 nil] [2 nil]]]");
    ck_assert_uint_eq (dtkv_store_content_digest (s_kv.store), digest);
    assert_apply (TRANSACTION, "[[] [[81 ['t' 1000]] [81 ['t' 2000]] [80 ['u-' 'x' 1000 1024]]]]",
                  SUCCESS, "[true [[0 nil] [4 nil] [0 \"u-00000000000000000002\"]]]");
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("dtkv_txn");
    TCase *tcase = tcase_create ("operations");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_add_test (tcase, increment_creates_and_counts);
    tcase_add_test (tcase, increment_refuses_what_is_no_number);
    tcase_add_test (tcase, increment_stops_at_either_end);
    tcase_add_test (tcase, increment_keeps_to_the_limit_of_values);
    tcase_add_test (tcase, sequential_names_rise_with_the_parents_child_version);
    tcase_add_test (tcase, sequential_refusals);
    tcase_add_test (tcase, list_of_directories_leaves_values_out);
    tcase_add_test (tcase, list_of_directories_looks_at_so_many_nodes);
    tcase_add_test (tcase, move_takes_the_subtree_along);
    tcase_add_test (tcase, move_refusals);
    tcase_add_test (tcase, move_keeps_to_the_limits_of_paths_and_nodes);
    tcase_add_test (tcase, conditions_one_by_one);
    tcase_add_test (tcase, transaction_takes_one_branch);
    tcase_add_test (tcase, transaction_with_a_failure_changes_nothing);
    tcase_add_test (tcase, transaction_goes_on_after_what_is_no_failure);
    tcase_add_test (tcase, transaction_is_one_request_to_the_limits);
    tcase_add_test (tcase, transaction_refuses_what_is_not_of_its_form);
    tcase_add_test (tcase, transaction_of_reads_is_a_read);
    tcase_add_test (tcase, transaction_under_a_session_is_carried_out_once);
    tcase_add_test (tcase, moved_nodes_are_in_a_snapshot_where_they_were);
    tcase_add_test (tcase, locks_and_temporary_nodes_stay_where_they_are);
    tcase_add_test (tcase, transaction_creates_temporary_nodes_and_takes_them_back);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
