#include <check.h>
#include <stdlib.h>

#include "tests/dtkv/kv_request.h"
#include "transport/msgpack_writer.h"

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

// put and get.

START_TEST (put_creates_then_replaces)
{
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    assert_reply ("nil");
    assert_code (kv_put (&s_kv, "a", "2", 0), SUCCESS_OVERWRITE);
    assert_code (kv_get (&s_kv, "a", 0), SUCCESS);
    assert_reply ("[0 \"2\"]");
}
END_TEST

START_TEST (empty_value_is_a_value)
{
    assert_code (kv_put (&s_kv, "a", "", 0), SUCCESS);
    assert_code (kv_get (&s_kv, "a", 0), SUCCESS);
    assert_reply ("[0 \"\"]");
}
END_TEST

START_TEST (put_needs_its_parent_directory)
{
    assert_code (kv_put (&s_kv, "d.a", "1", 0), PARENT_DIR_NOT_EXISTS);
    assert_code (kv_put (&s_kv, "v", "1", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "v.a", "1", 0), PARENT_NOT_DIR);
    assert_code (kv_put (&s_kv, "v.x.a", "1", DTKV_FLAG_PARENTS), PARENT_NOT_DIR);
    assert_code (kv_mkdir (&s_kv, "d", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "d.a", "1", 0), SUCCESS);
}
END_TEST

START_TEST (parents_creates_missing_directories)
{
    assert_code (kv_put (&s_kv, "a.b.c", "1", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_get (&s_kv, "a.b", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[1 nil [1 1 1 1 5000 5000 7 0 0]]");
    assert_code (kv_mkdir (&s_kv, "a.x.y", DTKV_FLAG_PARENTS), SUCCESS);
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 5);
}
END_TEST

START_TEST (put_refuses_root_and_directories)
{
    assert_code (kv_put (&s_kv, "", "1", 0), DIR_EXISTS);
    assert_code (kv_mkdir (&s_kv, "d", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "d", "1", DTKV_FLAG_PREVIOUS), DIR_EXISTS);
    assert_reply ("nil");
}
END_TEST

START_TEST (malformed_keys_are_refused)
{
    static const char *const keys[] = {".", ".a", "a.", "a..b", ".."};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_code (kv_put (&s_kv, keys[i], "1", DTKV_FLAG_PARENTS), INVALID_KEY);
        assert_code (kv_get (&s_kv, keys[i], 0), INVALID_KEY);
        assert_code (kv_remove (&s_kv, keys[i], 0), INVALID_KEY);
    }
}
END_TEST

START_TEST (keys_over_a_limit_are_refused)
{
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    assert_code (kv_put (&s_kv, longest, "1", 0), SUCCESS);
    assert_code (
        kv_put (&s_kv, "01234567890123456789012345678901234567890123456789012345678901234", "1", 0),
        KEY_TOO_LONG);
    assert_code (kv_mkdir (&s_kv, "a.b.c.d", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_put (&s_kv, "a.b.c.d.e", "1", 0), KEY_TOO_LONG);
}
END_TEST

START_TEST (values_over_the_limit_are_refused)
{
    char value[102];
    memset (value, 'v', sizeof value);
    value[101] = 0;
    assert_code (kv_put (&s_kv, "a", value, 0), VALUE_TOO_LONG);
    value[100] = 0;
    assert_code (kv_put (&s_kv, "a", value, 0), SUCCESS);
    assert_code (kv_put (&s_kv, "a", NULL, 0), INVALID_VALUE);
}
END_TEST

START_TEST (previous_returns_the_node_as_it_was)
{
    assert_code (kv_put (&s_kv, "a", "1", DTKV_FLAG_PREVIOUS), SUCCESS);
    assert_reply ("nil");
    assert_code (kv_put (&s_kv, "a", "2", DTKV_FLAG_PREVIOUS), SUCCESS_OVERWRITE);
    assert_reply ("[0 \"1\"]");
    assert_code (kv_remove (&s_kv, "a", DTKV_FLAG_PREVIOUS | DTKV_FLAG_META), SUCCESS);
    assert_reply ("[0 \"2\" [1 2 2 0 5000 5000 7 0 0]]");
}
END_TEST

START_TEST (metadata_tells_who_wrote_when_and_how_often)
{
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    s_kv.context.wall_ms = 6000;
    s_kv.context.principal = 8;
    assert_code (kv_put (&s_kv, "a", "2", 0), SUCCESS_OVERWRITE);
    assert_code (kv_get (&s_kv, "a", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[0 \"2\" [1 2 2 0 5000 6000 8 0 0]]");
}
END_TEST

START_TEST (child_version_counts_creations_and_removals_of_direct_children_only)
{
    assert_code (kv_mkdir (&s_kv, "d", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "d.a", "1", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "d.a", "2", 0), SUCCESS_OVERWRITE);
    assert_code (kv_mkdir (&s_kv, "d.e", 0), SUCCESS);
    assert_code (kv_put (&s_kv, "d.e.f", "1", 0), SUCCESS);
    assert_code (kv_remove (&s_kv, "d.a", 0), SUCCESS);
    s_kv.context.principal = 9;
    assert_code (kv_get (&s_kv, "d", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[1 nil [1 1 1 3 5000 5000 7 0 0]]");
    assert_code (kv_get (&s_kv, "", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[1 nil [0 0 0 1 0 0 0 0 0]]");
}
END_TEST

// mkdir and remove.

START_TEST (mkdir_refuses_what_is_there)
{
    assert_code (kv_mkdir (&s_kv, "", 0), DIR_EXISTS);
    assert_code (kv_mkdir (&s_kv, "d", 0), SUCCESS);
    assert_code (kv_mkdir (&s_kv, "d", 0), DIR_EXISTS);
    assert_code (kv_put (&s_kv, "v", "1", 0), SUCCESS);
    assert_code (kv_mkdir (&s_kv, "v", 0), VALUE_EXISTS);
    assert_code (kv_mkdir (&s_kv, "x.y", 0), PARENT_DIR_NOT_EXISTS);
}
END_TEST

START_TEST (remove_refuses_absent_nodes_the_root_and_full_directories)
{
    assert_code (kv_remove (&s_kv, "a", 0), NOT_FOUND);
    assert_code (kv_remove (&s_kv, "", DTKV_FLAG_RECURSIVE), INVALID_KEY);
    assert_code (kv_put (&s_kv, "d.a", "1", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_remove (&s_kv, "d", 0), HAS_CHILDREN);
    assert_code (kv_remove (&s_kv, "d.a", 0), SUCCESS);
    assert_code (kv_remove (&s_kv, "d", 0), SUCCESS);
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 0);
}
END_TEST

START_TEST (recursive_remove_takes_the_subtree)
{
    assert_code (kv_batch_put (&s_kv, "d.a=1 d.b.c=2 dd=3", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_remove (&s_kv, "d", DTKV_FLAG_RECURSIVE), SUCCESS);
    assert_code (kv_get (&s_kv, "d.b.c", 0), NOT_FOUND);
    assert_code (kv_get (&s_kv, "dd", 0), SUCCESS);
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 1);
}
END_TEST

START_TEST (recursive_remove_of_too_many_nodes_is_refused)
{
    assert_code (kv_batch_put (&s_kv, "d.a=1 d.b=1 d.c=1 d.d=1", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_put (&s_kv, "d.e", "1", 0), SUCCESS);
    assert_code (kv_remove (&s_kv, "d", DTKV_FLAG_RECURSIVE), BATCH_TOO_LARGE);
    assert_code (kv_remove (&s_kv, "d.e", 0), SUCCESS);
    assert_code (kv_remove (&s_kv, "d", DTKV_FLAG_RECURSIVE), SUCCESS);
}
END_TEST

// list.

START_TEST (list_is_ordered_by_bytes_of_names)
{
    assert_code (kv_batch_put (&s_kv, "b=1 a=2 a-=3 ab=4 B=5", 0), SUCCESS);
    assert_code (kv_list (&s_kv, "", DTKV_FLAG_KEYS_ONLY, 0, 0, NULL), SUCCESS);
    assert_reply ("[[[\"B\"] [\"a\"] [\"a-\"] [\"ab\"] [\"b\"]] nil 5]");
}
END_TEST

START_TEST (list_shows_nodes_of_direct_children)
{
    assert_code (kv_batch_put (&s_kv, "d.a=1 d.s.x=2", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_list (&s_kv, "d", 0, 0, 0, NULL), SUCCESS);
    assert_reply ("[[[\"a\" [0 \"1\"]] [\"s\" [1 nil]]] nil 2]");
}
END_TEST

START_TEST (recursive_list_shows_a_directory_before_its_children)
{
    assert_code (kv_batch_put (&s_kv, "d.a.x=1 d.a-=2 d.b=3", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_list (&s_kv, "d", DTKV_FLAG_RECURSIVE | DTKV_FLAG_KEYS_ONLY, 0, 0, NULL),
                 SUCCESS);
    assert_reply ("[[[\"a\"] [\"a.x\"] [\"a-\"] [\"b\"]] nil 4]");
}
END_TEST

START_TEST (list_pages_go_on_after_the_cursor_even_if_its_node_is_gone)
{
    unsigned flags = DTKV_FLAG_RECURSIVE | DTKV_FLAG_KEYS_ONLY;
    assert_code (kv_batch_put (&s_kv, "d.a=1 d.b.x=2 d.b.y=3 d.c=4", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_list (&s_kv, "d", flags, 3, 0, NULL), SUCCESS);
    assert_reply ("[[[\"a\"] [\"b\"] [\"b.x\"]] \"b.x\" 3]");
    assert_code (kv_list (&s_kv, "d", flags, 3, 0, "b.x"), SUCCESS);
    assert_reply ("[[[\"b.y\"] [\"c\"]] nil 2]");
    assert_code (kv_remove (&s_kv, "d.b.x", 0), SUCCESS);
    assert_code (kv_list (&s_kv, "d", flags, 1, 0, "b.x"), SUCCESS);
    assert_reply ("[[[\"b.y\"]] \"b.y\" 1]");
    assert_code (kv_remove (&s_kv, "d.b", DTKV_FLAG_RECURSIVE), SUCCESS);
    assert_code (kv_list (&s_kv, "d", flags, 3, 0, "b.x"), SUCCESS);
    assert_reply ("[[[\"c\"]] nil 1]");
}
END_TEST

START_TEST (list_page_ends_at_its_bytes_but_holds_one_item)
{
    assert_code (kv_batch_put (&s_kv, "a=1 b=2 c=3", 0), SUCCESS);
    assert_code (kv_list (&s_kv, "", 0, 0, 1, NULL), SUCCESS);
    assert_reply ("[[[\"a\" [0 \"1\"]]] \"a\" 1]");
    assert_code (kv_list (&s_kv, "", 0, 0, 19, NULL), SUCCESS); // two items of 9 bytes
    assert_reply ("[[[\"a\" [0 \"1\"]] [\"b\" [0 \"2\"]]] \"b\" 2]");
}
END_TEST

START_TEST (count_only_counts_everything)
{
    assert_code (kv_batch_put (&s_kv, "d.a=1 d.b.x=2 d.c=4", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_list (&s_kv, "d", DTKV_FLAG_COUNT_ONLY, 1, 0, NULL), SUCCESS);
    assert_reply ("[[] nil 3]");
    assert_code (kv_list (&s_kv, "d", DTKV_FLAG_COUNT_ONLY | DTKV_FLAG_RECURSIVE, 1, 0, "b"),
                 SUCCESS);
    assert_reply ("[[] nil 4]");
}
END_TEST

START_TEST (list_refuses_values_absent_paths_and_bad_cursors)
{
    assert_code (kv_put (&s_kv, "v", "1", 0), SUCCESS);
    assert_code (kv_list (&s_kv, "v", 0, 0, 0, NULL), PARENT_NOT_DIR);
    assert_code (kv_list (&s_kv, "x", 0, 0, 0, NULL), NOT_FOUND);
    assert_code (kv_list (&s_kv, "", 0, 0, 0, "a.b"), INVALID_CURSOR);
    assert_code (kv_list (&s_kv, "", DTKV_FLAG_RECURSIVE, 0, 0, "a..b"), INVALID_CURSOR);
    assert_code (kv_list (&s_kv, "", 0, 0, 0, ""), SUCCESS);
}
END_TEST

// Batches.

START_TEST (batch_items_have_codes_of_their_own)
{
    assert_code (kv_batch_put (&s_kv, "a=1 x.y=2 a=3 .=4", DTKV_FLAG_PREVIOUS), SUCCESS);
    assert_reply ("[[0 nil] [9 nil] [3 [0 \"1\"]] [7 nil]]");
    assert_code (kv_batch_get (&s_kv, "a b", 0), SUCCESS);
    assert_reply ("[[0 [0 \"3\"]] [2 nil]]");
    assert_code (kv_batch_remove (&s_kv, "b a a", DTKV_FLAG_PREVIOUS), SUCCESS);
    assert_reply ("[[2 nil] [0 [0 \"3\"]] [2 nil]]");
}
END_TEST

START_TEST (empty_batch_succeeds)
{
    assert_code (kv_batch_put (&s_kv, "", 0), SUCCESS);
    assert_reply ("[]");
}
END_TEST

START_TEST (batch_over_the_limit_is_refused_whole)
{
    assert_code (kv_batch_put (&s_kv, "a=1 b=1 c=1 d=1 e=1 f=1", 0), BATCH_TOO_LARGE);
    assert_reply ("nil");
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 0);
}
END_TEST

START_TEST (atomic_batch_happens_whole)
{
    assert_code (kv_put (&s_kv, "a", "0", 0), SUCCESS);
    assert_code (kv_batch_put (&s_kv, "a=1 d.b=2", DTKV_FLAG_ATOMIC | DTKV_FLAG_PARENTS), SUCCESS);
    assert_reply ("[[3 nil] [0 nil]]");
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 3);
}
END_TEST

START_TEST (failed_atomic_put_leaves_no_trace)
{
    assert_code (kv_batch_put (&s_kv, "a=0 e.x=1", DTKV_FLAG_PARENTS), SUCCESS);
    uint64_t digest = dtkv_store_content_digest (s_kv.store);
    assert_code (kv_batch_put (&s_kv, "a=longer-than-before d.b=2 e=3 z=1",
                               DTKV_FLAG_ATOMIC | DTKV_FLAG_PARENTS | DTKV_FLAG_PREVIOUS),
                 DIR_EXISTS);
    assert_reply ("[[29 nil] [29 nil] [4 nil] [29 nil]]");
    ck_assert_uint_eq (dtkv_store_content_digest (s_kv.store), digest);
    assert_code (kv_get (&s_kv, "a", DTKV_FLAG_META), SUCCESS);
    assert_reply ("[0 \"0\" [1 1 1 0 5000 5000 7 0 0]]");
}
END_TEST

START_TEST (failed_atomic_recursive_remove_leaves_no_trace)
{
    unsigned flags = DTKV_FLAG_ATOMIC | DTKV_FLAG_RECURSIVE;
    assert_code (kv_batch_put (&s_kv, "d.a=1 d.b.c=2 e=3", DTKV_FLAG_PARENTS), SUCCESS);
    uint64_t digest = dtkv_store_content_digest (s_kv.store);
    assert_code (kv_batch_remove (&s_kv, "e d d.a", flags), NOT_FOUND);
    assert_reply ("[[29 nil] [29 nil] [2 nil]]");
    ck_assert_uint_eq (dtkv_store_content_digest (s_kv.store), digest);
    assert_code (kv_get (&s_kv, "d.b.c", 0), SUCCESS);
    assert_code (kv_batch_remove (&s_kv, "e d", flags), SUCCESS);
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 0);
}
END_TEST

START_TEST (recursive_removals_of_one_batch_are_limited_together)
{
    assert_code (kv_batch_put (&s_kv, "a.x=1 b.x=1 c.x=1", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_batch_remove (&s_kv, "a b c", DTKV_FLAG_RECURSIVE), SUCCESS);
    assert_reply ("[[0 nil] [0 nil] [30 nil]]");
}
END_TEST

START_TEST (items_that_would_make_the_reply_too_large_are_not_carried_out)
{
    char value[101];
    memset (value, 'v', sizeof value);
    value[100] = 0;
    assert_code (kv_put (&s_kv, "a", value, 0), SUCCESS);
    assert_code (kv_put (&s_kv, "b", value, 0), SUCCESS);
    assert_code (kv_batch_remove (&s_kv, "a b", DTKV_FLAG_PREVIOUS), SUCCESS);
    ck_assert_ptr_nonnull (strstr (kv_reply (&s_kv), "[30 nil]"));
    assert_code (kv_get (&s_kv, "a", 0), NOT_FOUND);
    assert_code (kv_get (&s_kv, "b", 0), SUCCESS);
}
END_TEST

START_TEST (parents_of_one_request_are_limited)
{
    assert_code (kv_batch_put (&s_kv, "a.b.c.x=1 d.e.f.x=1", DTKV_FLAG_PARENTS), SUCCESS);
    assert_reply ("[[0 nil] [30 nil]]");
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 4);
}
END_TEST

// compare_and_set.

START_TEST (cas_on_absence_creates_once)
{
    assert_code (kv_cas_value (&s_kv, "a", NULL, "1", 0), SUCCESS);
    assert_code (kv_cas_value (&s_kv, "a", NULL, "2", 0), CAS_MISMATCH);
    assert_code (kv_cas_number (&s_kv, "a", DTKV_CONDITION_VERSION, 0, "2", 0), CAS_MISMATCH);
    assert_code (
        kv_cas_number (&s_kv, "d.b", DTKV_CONDITION_MODIFY_INDEX, 0, "1", DTKV_FLAG_PARENTS),
        SUCCESS);
    assert_code (kv_cas_value (&s_kv, "x.b", NULL, "1", 0), PARENT_DIR_NOT_EXISTS);
}
END_TEST

START_TEST (cas_on_the_value_replaces_it)
{
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    assert_code (kv_cas_value (&s_kv, "a", "0", "2", 0), CAS_MISMATCH);
    assert_code (kv_cas_value (&s_kv, "a", "", "2", 0), CAS_MISMATCH);
    assert_code (kv_cas_value (&s_kv, "a", "1", "2", DTKV_FLAG_PREVIOUS), SUCCESS);
    assert_reply ("[0 \"1\"]");
    assert_code (kv_cas_value (&s_kv, "b", "1", "2", 0), CAS_MISMATCH);
}
END_TEST

START_TEST (cas_on_version_and_index)
{
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    assert_code (kv_cas_number (&s_kv, "a", DTKV_CONDITION_VERSION, 2, "x", 0), CAS_MISMATCH);
    assert_code (kv_cas_number (&s_kv, "a", DTKV_CONDITION_VERSION, 1, "x", 0), SUCCESS);
    assert_code (kv_cas_number (&s_kv, "a", DTKV_CONDITION_MODIFY_INDEX, 1, "y", 0), CAS_MISMATCH);
    assert_code (kv_cas_number (&s_kv, "a", DTKV_CONDITION_MODIFY_INDEX, 3, "y", 0), SUCCESS);
}
END_TEST

START_TEST (cas_with_nil_removes)
{
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    assert_code (kv_cas_value (&s_kv, "a", "1", NULL, 0), SUCCESS);
    assert_code (kv_get (&s_kv, "a", 0), NOT_FOUND);
    assert_code (kv_cas_value (&s_kv, "a", NULL, NULL, 0), INVALID_VALUE);
}
END_TEST

START_TEST (cas_does_not_turn_directories_into_values)
{
    assert_code (kv_put (&s_kv, "d.a", "1", DTKV_FLAG_PARENTS), SUCCESS);
    assert_code (kv_cas_value (&s_kv, "d", "", "2", 0), CAS_MISMATCH);
    assert_code (kv_cas_value (&s_kv, "d", NULL, "2", 0), CAS_MISMATCH);
    assert_code (kv_cas_number (&s_kv, "d", DTKV_CONDITION_VERSION, 1, "2", 0), DIR_EXISTS);
    assert_code (kv_cas_number (&s_kv, "d", DTKV_CONDITION_VERSION, 1, NULL, DTKV_FLAG_RECURSIVE),
                 HAS_CHILDREN);
}
END_TEST

// Requests that are none.

static int s_raw (uint16_t operation, const char *bytes, size_t count)
{
    dt_buffer_clear (&s_kv.body);
    dt_buffer_append (&s_kv.body, bytes, count);
    int code = kv_apply (&s_kv, operation);
    int validated = dtkv_operation_validate (operation, bytes, count, &s_limits);
    ck_assert_int_eq (code, validated ? validated : code);
    return code;
}

START_TEST (bodies_that_are_not_of_the_form_are_refused)
{
    assert_code (s_raw (DTKV_OP_PUT, "", 0), CLIENT_REQ_ERROR);
    assert_code (s_raw (DTKV_OP_PUT, "\xc0", 1), CLIENT_REQ_ERROR);
    assert_code (s_raw (DTKV_OP_PUT,
                        "\x91\xa1"
                        "a",
                        3),
                 CLIENT_REQ_ERROR);
    assert_code (s_raw (DTKV_OP_PUT,
                        "\x92\xa1"
                        "a\xa1"
                        "b\xc0",
                        6),
                 CLIENT_REQ_ERROR); // bytes behind the body
    assert_code (s_raw (DTKV_OP_PUT,
                        "\x92\x01\xa1"
                        "b",
                        4),
                 INVALID_KEY);
    assert_code (s_raw (DTKV_OP_PUT,
                        "\x93\xa1"
                        "a\xa1"
                        "b\xcd\x20"
                        "\x00",
                        8),
                 CLIENT_REQ_ERROR); // a flag nobody knows
    assert_code (s_raw (DTKV_OP_PUT, "\xdd\xff\xff\xff\xff", 5), CLIENT_REQ_ERROR);
    assert_code (s_raw (DTKV_OP_BATCH_PUT,
                        "\x91\x91\x91\xa1"
                        "a",
                        5),
                 CLIENT_REQ_ERROR);
    ck_assert_uint_eq (dtkv_store_nodes (s_kv.store), 0);
}
END_TEST

START_TEST (trailing_elements_are_ignored_up_to_the_depth_of_the_protocol)
{
    assert_code (s_raw (DTKV_OP_PUT,
                        "\x95\xa1"
                        "a\xa1"
                        "b\x00\x81\x01\x02\xc3",
                        10),
                 SUCCESS);
    assert_code (s_raw (DTKV_OP_PUT,
                        "\x94\xa1"
                        "a\xa1"
                        "b\x00\x91\x91\x91\x91\x91\x90",
                        12),
                 SUCCESS_OVERWRITE);
    assert_code (s_raw (DTKV_OP_PUT,
                        "\x94\xa1"
                        "a\xa1"
                        "b\x00\x91\x91\x91\x91\x91\x91\x90",
                        13),
                 CLIENT_REQ_ERROR);
}
END_TEST

START_TEST (str_and_bin_name_the_same_key)
{
    assert_code (s_raw (DTKV_OP_PUT,
                        "\x92\xa1"
                        "a\xa1"
                        "b",
                        5),
                 SUCCESS);
    assert_code (kv_get (&s_kv, "a", 0), SUCCESS);
}
END_TEST

START_TEST (reads_and_unknown_operations_in_the_log_change_nothing)
{
    assert_code (s_raw (DTKV_OP_GET, "\x91\xa0", 2), CLIENT_REQ_ERROR);
    assert_code (s_raw (999, "\x91\xa0", 2), CLIENT_REQ_ERROR);
    assert_code (s_raw (0, "\x91\xa0", 2), CLIENT_REQ_ERROR);
    ck_assert_int_eq (dtkv_operation_validate (999, "\x91\xa0", 2, &s_limits),
                      DTKV_CLIENT_REQ_ERROR);
}
END_TEST

START_TEST (entries_without_a_command_advance_index_and_time_only)
{
    dtkv_outcome_t outcome;
    log_entry_t entry = {.index = 9, .cluster_time_ms = 77, .type = LOG_ENTRY_CONFIG};
    uint64_t content = dtkv_store_content_digest (s_kv.store);
    ck_assert_int_eq (dtkv_store_apply (s_kv.store, &entry, &s_kv.reply, &outcome), 0);
    assert_reply ("nil");
    ck_assert_uint_eq (dtkv_store_applied_index (s_kv.store), 9);
    ck_assert_uint_eq (dtkv_store_cluster_time_ms (s_kv.store), 77);
    ck_assert_uint_eq (dtkv_store_content_digest (s_kv.store), content);
    s_kv.context.index = 9;
}
END_TEST

START_TEST (digest_depends_on_content_only_and_not_on_the_way)
{
    kv_fixture_t other;
    dtkv_store_options_t options = {.limits = s_limits, .hash_seed = 999};
    kv_fixture_init (&other, &s_limits);
    dtkv_store_destroy (&other.store);
    other.store = dtkv_store_new (&options);
    assert_code (kv_put (&s_kv, "a", "1", 0), SUCCESS);
    assert_code (kv_put (&other, "a", "1", 0), SUCCESS);
    ck_assert_uint_eq (dtkv_store_digest (s_kv.store), dtkv_store_digest (other.store));
    assert_code (kv_put (&other, "b", "1", 0), SUCCESS);
    ck_assert_uint_ne (dtkv_store_content_digest (s_kv.store),
                       dtkv_store_content_digest (other.store));
    kv_fixture_deinit (&other);
}
END_TEST

START_TEST (every_result_has_a_name_and_a_text)
{
    for (int code = 0; code < DTKV_RESULT_COUNT; code++) {
        ck_assert_str_ne (dtkv_result_name (code), "UNKNOWN");
        ck_assert_str_ne (dtkv_result_text (code), "unknown result");
    }
    ck_assert_str_eq (dtkv_result_name (DTKV_INVALID_CURSOR), "INVALID_CURSOR");
    ck_assert_str_eq (dtkv_result_name (DTKV_RESULT_COUNT), "UNKNOWN");
    ck_assert_str_eq (dtkv_operation_name (DTKV_OP_BATCH_PUT), "batch_put");
    ck_assert_ptr_null (dtkv_operation_name (7));
    ck_assert (dtkv_operation_writes (DTKV_OP_PUT, NULL, 0));
    ck_assert (!dtkv_operation_writes (DTKV_OP_LIST, NULL, 0));
    ck_assert (dtkv_operation_writes (DTKV_OP_TRANSACTION, "\xc0", 1));
}
END_TEST

int main (void)
{
    const TTest *const tests[] = {
        put_creates_then_replaces,
        empty_value_is_a_value,
        put_needs_its_parent_directory,
        parents_creates_missing_directories,
        put_refuses_root_and_directories,
        malformed_keys_are_refused,
        keys_over_a_limit_are_refused,
        values_over_the_limit_are_refused,
        previous_returns_the_node_as_it_was,
        metadata_tells_who_wrote_when_and_how_often,
        child_version_counts_creations_and_removals_of_direct_children_only,
        mkdir_refuses_what_is_there,
        remove_refuses_absent_nodes_the_root_and_full_directories,
        recursive_remove_takes_the_subtree,
        recursive_remove_of_too_many_nodes_is_refused,
        list_is_ordered_by_bytes_of_names,
        list_shows_nodes_of_direct_children,
        recursive_list_shows_a_directory_before_its_children,
        list_pages_go_on_after_the_cursor_even_if_its_node_is_gone,
        list_page_ends_at_its_bytes_but_holds_one_item,
        count_only_counts_everything,
        list_refuses_values_absent_paths_and_bad_cursors,
        batch_items_have_codes_of_their_own,
        empty_batch_succeeds,
        batch_over_the_limit_is_refused_whole,
        atomic_batch_happens_whole,
        failed_atomic_put_leaves_no_trace,
        failed_atomic_recursive_remove_leaves_no_trace,
        recursive_removals_of_one_batch_are_limited_together,
        items_that_would_make_the_reply_too_large_are_not_carried_out,
        parents_of_one_request_are_limited,
        cas_on_absence_creates_once,
        cas_on_the_value_replaces_it,
        cas_on_version_and_index,
        cas_with_nil_removes,
        cas_does_not_turn_directories_into_values,
        bodies_that_are_not_of_the_form_are_refused,
        trailing_elements_are_ignored_up_to_the_depth_of_the_protocol,
        str_and_bin_name_the_same_key,
        reads_and_unknown_operations_in_the_log_change_nothing,
        entries_without_a_command_advance_index_and_time_only,
        digest_depends_on_content_only_and_not_on_the_way,
        every_result_has_a_name_and_a_text,
    };
    Suite *suite = suite_create ("dtkv_ops");
    TCase *tcase = tcase_create ("ops");
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
