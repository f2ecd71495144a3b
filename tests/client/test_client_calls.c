// Every call and every helper against a well-behaved node.

#include <stdio.h>
#include <string.h>

#include "tests/client/client_fixture.h"

static fake_server_t *server;
static dt_client_t *client;

static void s_begin (void)
{
    server = fake_server_new (1);
    dt_client_options_t options = fixture_options (server, NULL);
    client = fixture_open (&options);
}

static void s_end (void)
{
    dt_client_close (&client);
    fake_server_destroy (&server);
}

static void s_assert_bytes (dt_bytes_t bytes, const char *text)
{
    ck_assert_uint_eq (bytes.bytes, strlen (text));
    ck_assert_mem_eq (bytes.data, text, bytes.bytes);
}

START_TEST (put_creates_then_replaces)
{
    s_begin ();
    ck_assert_int_eq (dt_client_put (client, dt_text ("a"), dt_text ("1"), NULL, NULL), DT_SUCCESS);
    dt_result_t *result;
    ck_assert_int_eq (dt_client_put (client, dt_text ("a"), dt_text ("2"), NULL, &result),
                      DT_SUCCESS_OVERWRITE);
    ck_assert_int_eq (result->code, DT_SUCCESS_OVERWRITE);
    ck_assert_int_eq (result->outcome, DT_OUTCOME_DONE);
    ck_assert_uint_eq (result->operation, DT_OPERATION_PUT);
    ck_assert_uint_gt (result->index, 0);
    dt_node_t node;
    ck_assert (!dt_result_node (result, &node));
    dt_result_free (&result);
    ck_assert_ptr_null (result);
    s_end ();
}
END_TEST

START_TEST (get_returns_binary_values_unchanged)
{
    s_begin ();
    unsigned char value[700], key[] = {'k', 0, 0xff, 1};
    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = (unsigned char) (i * 7);
    }
    dt_bytes_t path = dt_bytes (key, sizeof key);
    ck_assert_int_eq (dt_client_put (client, path, dt_bytes (value, sizeof value), NULL, NULL), 0);
    dt_result_t *result;
    ck_assert_int_eq (dt_client_get (client, path, NULL, &result), DT_SUCCESS);
    dt_node_t node;
    ck_assert (dt_result_node (result, &node));
    ck_assert (node.has_value);
    ck_assert (!node.has_meta);
    ck_assert_uint_eq (node.value.bytes, sizeof value);
    ck_assert_mem_eq (node.value.data, value, sizeof value);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (empty_value_is_a_value)
{
    s_begin ();
    ck_assert_int_eq (dt_client_put (client, dt_text ("e"), dt_bytes (NULL, 0), NULL, NULL), 0);
    dt_result_t *result;
    ck_assert_int_eq (dt_client_get (client, dt_text ("e"), NULL, &result), DT_SUCCESS);
    dt_node_t node;
    ck_assert (dt_result_node (result, &node));
    ck_assert (node.has_value);
    ck_assert_uint_eq (node.value.bytes, 0);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (value_of_a_mebibyte_survives)
{
    s_begin ();
    static char value[1 << 20];
    memset (value, 'x', sizeof value);
    ck_assert_int_eq (
        dt_client_put (client, dt_text ("big"), dt_bytes (value, sizeof value), NULL, NULL), 0);
    dt_result_t *result;
    ck_assert_int_eq (dt_client_get (client, dt_text ("big"), NULL, &result), DT_SUCCESS);
    dt_node_t node;
    ck_assert (dt_result_node (result, &node));
    ck_assert_uint_eq (node.value.bytes, sizeof value);
    ck_assert_mem_eq (node.value.data, value, sizeof value);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (meta_is_read_when_asked)
{
    s_begin ();
    ck_assert_int_eq (dt_client_put (client, dt_text ("m"), dt_text ("v"), NULL, NULL), 0);
    dt_call_options_t options = {.flags = DT_META, .want_digest = true};
    dt_result_t *result;
    ck_assert_int_eq (dt_client_get (client, dt_text ("m"), &options, &result), 0);
    dt_node_t node;
    ck_assert (dt_result_node (result, &node));
    ck_assert (node.has_meta);
    ck_assert_uint_eq (node.meta.version, 1);
    ck_assert_uint_eq (node.meta.create_time_ms, 1111);
    dt_limits_t limits;
    ck_assert_int_eq (dt_client_limits (client, &limits), DT_SUCCESS);
    ck_assert_uint_eq (node.meta.writer, limits.client_id);
    ck_assert (result->has_digest);
    ck_assert_uint_eq (result->digest, 0xd16e57);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (remove_returns_the_previous_node)
{
    s_begin ();
    ck_assert_int_eq (dt_client_put (client, dt_text ("r"), dt_text ("old"), NULL, NULL), 0);
    dt_call_options_t options = {.flags = DT_PREVIOUS};
    dt_result_t *result;
    ck_assert_int_eq (dt_client_remove (client, dt_text ("r"), &options, &result), 0);
    dt_node_t node;
    ck_assert (dt_result_node (result, &node));
    s_assert_bytes (node.value, "old");
    dt_result_free (&result);
    ck_assert_int_eq (dt_client_remove (client, dt_text ("r"), NULL, NULL), DT_NOT_FOUND);
    s_end ();
}
END_TEST

START_TEST (mkdir_makes_a_node_without_value)
{
    s_begin ();
    ck_assert_int_eq (dt_client_mkdir (client, dt_text ("d"), NULL, NULL), DT_SUCCESS);
    ck_assert_int_eq (dt_client_mkdir (client, dt_text ("d"), NULL, NULL), DT_DIR_EXISTS);
    dt_result_t *result;
    ck_assert_int_eq (dt_client_get (client, dt_text ("d"), NULL, &result), 0);
    dt_node_t node;
    ck_assert (dt_result_node (result, &node));
    ck_assert (!node.has_value);
    ck_assert_uint_eq (node.flags, DT_NODE_DIRECTORY);
    dt_result_free (&result);
    s_end ();
}
END_TEST

static void s_fill_directory (int count)
{
    for (int i = 0; i < count; i++) {
        char path[40];
        snprintf (path, sizeof path, "dir.key%04d", i);
        ck_assert_int_eq (dt_client_put (client, dt_text (path), dt_text (path + 4), NULL, NULL),
                          0);
    }
}

START_TEST (list_page_names_the_next)
{
    s_begin ();
    s_fill_directory (5);
    dt_page_t page = {.items_max = 3};
    dt_result_t *result;
    ck_assert_int_eq (dt_client_list (client, dt_text ("dir"), &page, NULL, &result), 0);
    dt_iterator_t iterator;
    dt_bytes_t next;
    uint64_t count;
    ck_assert (dt_result_list (result, &iterator, &next, &count));
    ck_assert_uint_eq (count, 3);
    s_assert_bytes (next, "dir.key0002");
    dt_list_item_t item;
    int items = 0;
    while (dt_list_item_next (&iterator, &item)) {
        char name[40];
        snprintf (name, sizeof name, "key%04d", items++);
        s_assert_bytes (item.name, name);
        ck_assert (item.has_node);
        s_assert_bytes (item.node.value, name);
    }
    ck_assert_int_eq (items, 3);
    ck_assert (!iterator.malformed);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (list_cursor_gives_every_item_once)
{
    s_begin ();
    s_fill_directory (25);
    dt_call_options_t options = {.flags = DT_KEYS_ONLY};
    dt_list_t *list = dt_list_open (client, dt_text ("dir"), 10, &options);
    dt_list_item_t item;
    int items = 0;
    while (dt_list_next (list, &item) == DT_SUCCESS) {
        char name[40];
        snprintf (name, sizeof name, "key%04d", items++);
        s_assert_bytes (item.name, name);
        ck_assert (!item.has_node);
    }
    ck_assert_int_eq (items, 25);
    ck_assert (dt_list_done (list));
    ck_assert_ptr_nonnull (dt_list_result (list));
    ck_assert_uint_eq (fake_server_count (server, DT_OPERATION_LIST), 3);
    dt_list_close (&list);
    s_end ();
}
END_TEST

START_TEST (batches_answer_item_by_item)
{
    s_begin ();
    dt_pair_t pairs[3] = {{dt_text ("b1"), dt_text ("one")},
                          {dt_text ("b2"), dt_text ("two")},
                          {dt_text ("b1"), dt_text ("three")}};
    dt_result_t *result;
    dt_iterator_t iterator;
    dt_batch_item_t item;
    ck_assert_int_eq (dt_client_batch_put (client, pairs, 3, NULL, &result), 0);
    ck_assert (dt_result_batch (result, &iterator));
    int codes[3] = {DT_SUCCESS, DT_SUCCESS, DT_SUCCESS_OVERWRITE};
    for (int i = 0; i < 3; i++) {
        ck_assert (dt_batch_item_next (&iterator, &item));
        ck_assert_int_eq (item.code, codes[i]);
        ck_assert (!item.has_node);
    }
    ck_assert (!dt_batch_item_next (&iterator, &item));
    dt_result_free (&result);
    dt_bytes_t paths[3] = {dt_text ("b1"), dt_text ("none"), dt_text ("b2")};
    ck_assert_int_eq (dt_client_batch_get (client, paths, 3, NULL, &result), 0);
    ck_assert (dt_result_batch (result, &iterator));
    ck_assert (dt_batch_item_next (&iterator, &item));
    s_assert_bytes (item.node.value, "three");
    ck_assert (dt_batch_item_next (&iterator, &item));
    ck_assert_int_eq (item.code, DT_NOT_FOUND);
    ck_assert (!item.has_node);
    ck_assert (dt_batch_item_next (&iterator, &item));
    s_assert_bytes (item.node.value, "two");
    ck_assert (!dt_batch_item_next (&iterator, &item));
    ck_assert (!iterator.malformed);
    dt_result_free (&result);
    ck_assert_int_eq (dt_client_batch_remove (client, paths, 3, NULL, NULL), 0);
    ck_assert_int_eq (dt_client_get (client, dt_text ("b2"), NULL, NULL), DT_NOT_FOUND);
    s_end ();
}
END_TEST

START_TEST (compare_and_set_by_value_version_and_absence)
{
    s_begin ();
    dt_bytes_t path = dt_text ("c"), one = dt_text ("one"), two = dt_text ("two");
    dt_condition_t absent = {.absent = true};
    ck_assert_int_eq (dt_client_compare_and_set (client, path, &absent, &one, NULL, NULL), 0);
    ck_assert_int_eq (dt_client_compare_and_set (client, path, &absent, &one, NULL, NULL),
                      DT_CAS_MISMATCH);
    dt_condition_t value = {.compare = DT_COMPARE_VALUE, .value = one};
    ck_assert_int_eq (dt_client_compare_and_set (client, path, &value, &two, NULL, NULL), 0);
    dt_condition_t version = {.compare = DT_COMPARE_VERSION, .number = 2};
    ck_assert_int_eq (dt_client_compare_and_set (client, path, &version, NULL, NULL, NULL), 0);
    ck_assert_int_eq (dt_client_get (client, path, NULL, NULL), DT_NOT_FOUND);
    dt_condition_t zero = {.compare = DT_COMPARE_INDEX, .number = 0};
    ck_assert_int_eq (dt_client_compare_and_set (client, path, &zero, &one, NULL, NULL),
                      DT_INVALID);
    s_end ();
}
END_TEST

START_TEST (session_snapshot_and_ping_round_trip)
{
    s_begin ();
    uint64_t first, second;
    dt_result_t *result;
    ck_assert_int_eq (dt_client_session_open (client, 5000, NULL, &result), 0);
    ck_assert (dt_result_session (result, &first, &second));
    ck_assert_uint_eq (second, 5000);
    dt_result_free (&result);
    ck_assert_int_eq (dt_client_session_keepalive (client, first, NULL, NULL), 0);
    ck_assert_int_eq (dt_client_session_close (client, first, NULL, NULL), 0);
    ck_assert_int_eq (dt_client_session_close (client, first, NULL, NULL), DT_SESSION_UNKNOWN);
    ck_assert_int_eq (dt_client_snapshot_take (client, NULL, &result), 0);
    ck_assert (dt_result_snapshot (result, &first, &second));
    ck_assert_uint_eq (second, 4096);
    dt_result_free (&result);
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), 0);
    s_end ();
}
END_TEST

START_TEST (status_items_have_their_kinds)
{
    s_begin ();
    dt_result_t *result;
    dt_iterator_t iterator;
    dt_status_item_t item;
    ck_assert_int_eq (dt_client_status (client, NULL, &result), 0);
    ck_assert (dt_result_status (result, &iterator));
    ck_assert (dt_status_item_next (&iterator, &item));
    s_assert_bytes (item.name, "role");
    ck_assert_int_eq (item.kind, DT_STATUS_TEXT);
    s_assert_bytes (item.text, "leader");
    ck_assert (dt_status_item_next (&iterator, &item));
    ck_assert_int_eq (item.kind, DT_STATUS_UNSIGNED);
    ck_assert (dt_status_item_next (&iterator, &item));
    ck_assert_int_eq (item.kind, DT_STATUS_BOOL);
    ck_assert_uint_eq (item.number, 1);
    ck_assert (dt_status_item_next (&iterator, &item));
    ck_assert_int_eq (item.kind, DT_STATUS_SIGNED);
    ck_assert_int_eq ((int64_t) item.number, -256);
    ck_assert (dt_status_item_next (&iterator, &item));
    ck_assert_int_eq (item.kind, DT_STATUS_OTHER);
    ck_assert_uint_eq (item.raw.bytes, 2);
    ck_assert (!dt_status_item_next (&iterator, &item));
    ck_assert (!iterator.malformed);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (hello_tells_limits_and_groups)
{
    s_begin ();
    dt_limits_t limits;
    ck_assert_int_eq (dt_client_limits (client, &limits), DT_SUCCESS);
    ck_assert_uint_eq (limits.protocol_version, 1);
    ck_assert_uint_eq (limits.cluster_id, 0xc1);
    ck_assert_uint_eq (limits.node_id, 1);
    ck_assert_uint_eq (limits.value_bytes_max, 1 << 20);
    ck_assert_str_eq (limits.server_version, "fake-1");
    uint32_t groups[2];
    ck_assert_uint_eq (dt_client_groups (client, groups, 1), 2);
    ck_assert_uint_eq (dt_client_groups (client, groups, 2), 2);
    ck_assert_uint_eq (groups[1], 5);
    s_end ();
}
END_TEST

START_TEST (options_reach_the_node)
{
    s_begin ();
    dt_call_options_t options = {.group = 5,
                                 .timeout_ms = 1600,
                                 .read_mode = DT_READ_STALE,
                                 .min_index = 42,
                                 .principal = 0xabcdef,
                                 .want_digest = true};
    dt_client_get (client, dt_text ("x"), &options, NULL);
    fake_seen_t seen;
    ck_assert (fake_server_seen (server, DT_OPERATION_GET, 0, &seen));
    ck_assert_uint_eq (seen.group, 5);
    ck_assert_uint_le (seen.timeout_ms, 1600);
    ck_assert_uint_ge (seen.timeout_ms, 1400);
    ck_assert_uint_eq (seen.read_mode, DT_READ_STALE);
    ck_assert_uint_eq (seen.min_index, 42);
    ck_assert_uint_eq (seen.client_id, 0xabcdef);
    ck_assert (seen.want_digest);
    ck_assert_uint_eq (seen.session_seq, 0);
    s_end ();
}
END_TEST

START_TEST (wrong_arguments_are_refused_before_sending)
{
    s_begin ();
    static char huge[9 << 20];
    dt_call_options_t slow = {.timeout_ms = 600001};
    ck_assert_int_eq (dt_client_get (client, dt_bytes (NULL, 3), NULL, NULL), DT_INVALID);
    ck_assert_int_eq (dt_client_get (client, dt_text ("a"), &slow, NULL), DT_INVALID);
    ck_assert_int_eq (
        dt_client_put (client, dt_text ("a"), dt_bytes (huge, sizeof huge), NULL, NULL),
        DT_TOO_BIG);
    ck_assert_int_eq (dt_client_put (client, dt_text ("a"), dt_bytes (huge, SIZE_MAX), NULL, NULL),
                      DT_TOO_BIG);
    dt_result_t *result;
    ck_assert_int_eq (dt_client_get (client, dt_bytes (NULL, 3), NULL, &result), DT_INVALID);
    ck_assert_ptr_null (result);
    ck_assert_uint_eq (fake_server_count (server, 0), 0);
    s_end ();
}
END_TEST

START_TEST (open_refuses_wrong_options_with_a_text)
{
    const char *wrong[] = {"",         "localhost", "tcp://",
                           "tcp://a",  "tcp://a:",  "tcp://a:b",
                           "tcp://:1", "udp://a:1", "tcp://a:1,,tcp://b:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        dt_client_options_t options;
        dt_client_options_init (&options);
        options.endpoints = wrong[i];
        char error[100] = "";
        ck_assert_int_eq (dt_client_open (&client, &options, error, sizeof error), DT_INVALID);
        ck_assert_ptr_null (client);
        ck_assert_str_ne (error, "");
    }
}
END_TEST

START_TEST (codes_have_names)
{
    ck_assert_str_eq (dt_code_name (77), "OUTCOME_UNKNOWN");
    ck_assert_str_eq (dt_code_name (2), "NOT_FOUND");
    ck_assert_str_eq (dt_code_text (14), "the condition does not hold");
    ck_assert_str_eq (dt_code_name (-5), "UNKNOWN");
}
END_TEST

int main (void)
{
    const TTest *tests[] = {put_creates_then_replaces,
                            get_returns_binary_values_unchanged,
                            empty_value_is_a_value,
                            value_of_a_mebibyte_survives,
                            meta_is_read_when_asked,
                            remove_returns_the_previous_node,
                            mkdir_makes_a_node_without_value,
                            list_page_names_the_next,
                            list_cursor_gives_every_item_once,
                            batches_answer_item_by_item,
                            compare_and_set_by_value_version_and_absence,
                            session_snapshot_and_ping_round_trip,
                            status_items_have_their_kinds,
                            hello_tells_limits_and_groups,
                            options_reach_the_node,
                            wrong_arguments_are_refused_before_sending,
                            open_refuses_wrong_options_with_a_text,
                            codes_have_names};
    return fixture_run ("client_calls", tests, sizeof tests / sizeof *tests);
}
