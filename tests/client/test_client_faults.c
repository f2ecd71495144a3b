// What the client makes of lost replies, refusals, redirects and nonsense.

#include <string.h>

#include "tests/client/client_fixture.h"

static fake_server_t *server, *other;
static dt_client_t *client;

static void s_begin (bool two)
{
    server = fake_server_new (1);
    other = two ? fake_server_new (2) : NULL;
    dt_client_options_t options = fixture_options (server, other);
    client = fixture_open (&options);
}

static void s_end (void)
{
    dt_client_close (&client);
    fake_server_destroy (&server);
    fake_server_destroy (&other);
}

static int s_put (const dt_call_options_t *options, dt_result_t **result)
{
    return dt_client_put (client, dt_text ("k"), dt_text ("v"), options, result);
}

START_TEST (write_without_reply_ends_as_outcome_unknown)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_DROP, .times = 1});
    dt_call_options_t options = {.timeout_ms = 100};
    dt_result_t *result;
    ck_assert_int_eq (s_put (&options, &result), DT_OUTCOME_UNKNOWN);
    ck_assert_int_eq (result->outcome, DT_OUTCOME_UNCERTAIN);
    dt_result_free (&result);
    ck_assert_uint_eq (fake_server_writes (server), 1);
    s_end ();
}
END_TEST

START_TEST (read_without_reply_ends_as_timeout)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_DROP, .times = 1});
    dt_call_options_t options = {.timeout_ms = 100};
    dt_result_t *result;
    ck_assert_int_eq (dt_client_get (client, dt_text ("k"), &options, &result), DT_TIMEOUT);
    ck_assert_int_eq (result->outcome, DT_OUTCOME_NOT_DONE);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (late_reply_goes_to_nobody)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_HOLD, .times = 1});
    dt_call_options_t options = {.timeout_ms = 50};
    ck_assert_int_eq (dt_client_get (client, dt_text ("k"), &options, NULL), DT_TIMEOUT);
    fake_server_release (server);
    // It comes when the node gets round to it, somewhere among these.
    dt_client_stats_t stats = {0};
    for (int i = 0; i < 10000 && stats.stale_replies == 0; i++) {
        ck_assert_int_eq (dt_client_ping (client, NULL, NULL), DT_SUCCESS);
        dt_client_stats (client, &stats);
    }
    ck_assert_uint_eq (stats.stale_replies, 1);
    s_end ();
}
END_TEST

START_TEST (busy_and_not_ready_are_tried_again)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE, .code = DT_BUSY, .times = 2});
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE, .code = DT_NOT_READY, .times = 1});
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    ck_assert_uint_eq (fake_server_count (server, DT_OPERATION_PUT), 4);
    ck_assert_uint_eq (fake_server_writes (server), 1);
    s_end ();
}
END_TEST

START_TEST (busy_until_the_time_limit_is_certainly_not_done)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE, .code = DT_BUSY, .times = 10000});
    dt_call_options_t options = {.timeout_ms = 150};
    dt_result_t *result;
    ck_assert_int_eq (s_put (&options, &result), DT_BUSY);
    ck_assert_int_eq (result->outcome, DT_OUTCOME_NOT_DONE);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (redirect_follows_the_address)
{
    s_begin (false);
    other = fake_server_new (2);
    fake_rule_t rule = {.action = FAKE_CODE,
                        .code = DT_NOT_LEADER,
                        .operation = DT_OPERATION_PUT,
                        .times = 1,
                        .leader_node_id = 2,
                        .leader_address = fake_server_endpoint (other)};
    fake_server_rule (server, rule);
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS_OVERWRITE);
    ck_assert_uint_eq (fake_server_writes (server), 0);
    ck_assert_uint_eq (fake_server_writes (other), 2);
    s_end ();
}
END_TEST

START_TEST (redirect_without_scheme_means_tcp)
{
    s_begin (false);
    other = fake_server_new (2);
    fake_rule_t rule = {.action = FAKE_CODE,
                        .code = DT_NOT_LEADER,
                        .times = 1,
                        .leader_address = fake_server_endpoint (other) + strlen ("tcp://")};
    fake_server_rule (server, rule);
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    ck_assert_uint_eq (fake_server_writes (other), 1);
    s_end ();
}
END_TEST

START_TEST (not_leader_without_hint_tries_the_other_endpoint)
{
    s_begin (true);
    fake_server_rule (server,
                      (fake_rule_t){.action = FAKE_CODE, .code = DT_NOT_LEADER, .times = 10000});
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    ck_assert_uint_eq (fake_server_writes (other), 1);
    s_end ();
}
END_TEST

START_TEST (two_nodes_that_name_each_other_end_with_not_leader)
{
    s_begin (true);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                            .code = DT_NOT_LEADER,
                                            .times = 100000,
                                            .leader_address = fake_server_endpoint (other)});
    fake_server_rule (other, (fake_rule_t){.action = FAKE_CODE,
                                           .code = DT_NOT_LEADER,
                                           .times = 100000,
                                           .leader_address = fake_server_endpoint (server)});
    dt_call_options_t options = {.timeout_ms = 300};
    ck_assert_int_eq (s_put (&options, NULL), DT_NOT_LEADER);
    ck_assert_uint_lt (fake_server_count (server, 0) + fake_server_count (other, 0), 100);
    s_end ();
}
END_TEST

START_TEST (unusable_leader_addresses_are_ignored)
{
    const char *addresses[] = {"", "inproc://x", "tcp://", "\x01\x02", "udp://1.2.3.4:5", "a"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        s_begin (false);
        fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                                .code = DT_NOT_LEADER,
                                                .times = 1,
                                                .leader_address = addresses[i]});
        ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
        s_end ();
    }
}
END_TEST

START_TEST (lost_connection_leaves_a_plain_write_unknown_and_repeats_a_read)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_DISCONNECT, .times = 2});
    ck_assert_int_eq (s_put (NULL, NULL), DT_OUTCOME_UNKNOWN);
    ck_assert_int_eq (dt_client_get (client, dt_text ("k"), NULL, NULL), DT_SUCCESS);
    ck_assert_uint_eq (fake_server_count (server, DT_OPERATION_PUT), 1);
    ck_assert_uint_eq (fake_server_count (server, DT_OPERATION_GET), 2);
    dt_client_stats_t stats;
    dt_client_stats (client, &stats);
    ck_assert_uint_ge (stats.disconnects, 2);
    s_end ();
}
END_TEST

START_TEST (client_reconnects_after_the_node_restarts)
{
    s_begin (false);
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    fake_server_down (server);
    dt_call_options_t options = {.timeout_ms = 100};
    int code = s_put (&options, NULL);
    ck_assert (code == DT_TIMEOUT || code == DT_OUTCOME_UNKNOWN);
    fake_server_up (server);
    ck_assert_int_eq (dt_client_get (client, dt_text ("k"), NULL, NULL), DT_SUCCESS);
    s_end ();
}
END_TEST

START_TEST (write_that_could_not_leave_is_never_sent_later)
{
    s_begin (false);
    fake_server_down (server);
    dt_call_options_t options = {.timeout_ms = 60};
    // The first may find the old connection still there; the client knows better after it.
    s_put (&options, NULL);
    ck_assert_int_eq (s_put (&options, NULL), DT_TIMEOUT);
    ck_assert_int_eq (s_put (&options, NULL), DT_TIMEOUT);
    uint64_t writes = fake_server_writes (server);
    fake_server_up (server);
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), DT_SUCCESS);
    ck_assert_uint_eq (fake_server_writes (server), writes);
    s_end ();
}
END_TEST

START_TEST (write_expired_in_a_shared_frame_is_not_carried_out)
{
    s_begin (false);
    fake_server_down (server);
    dt_call_options_t brief = {.timeout_ms = 60}, long_enough = {.timeout_ms = 20000};
    s_put (&brief, NULL); // from here on the client knows
    fixture_results_t *results = fixture_results_new ();
    dt_client_batch_begin (client);
    dt_client_put_async (client, dt_text ("brief"), dt_text ("v"), &brief, fixture_result, results);
    dt_client_put_async (client, dt_text ("long"), dt_text ("v"), &long_enough, fixture_result,
                         results);
    dt_client_batch_flush (client);
    fixture_results_wait (results, 1);
    ck_assert_uint_eq (fixture_results_with (results, DT_TIMEOUT), 1);
    fake_server_up (server);
    fixture_results_wait (results, 2);
    ck_assert_uint_eq (fixture_results_with (results, DT_SUCCESS), 1);
    ck_assert_int_eq (dt_client_get (client, dt_text ("brief"), NULL, NULL), DT_NOT_FOUND);
    ck_assert_int_eq (dt_client_get (client, dt_text ("long"), NULL, NULL), DT_SUCCESS);
    s_end ();
    fixture_results_destroy (&results);
}
END_TEST

START_TEST (requests_move_to_the_node_that_is_left)
{
    s_begin (true);
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    fake_server_down (server);
    ck_assert_int_eq (dt_client_get (client, dt_text ("x"), NULL, NULL), DT_NOT_FOUND);
    ck_assert_uint_eq (fake_server_count (other, DT_OPERATION_GET), 1);
    s_end ();
}
END_TEST

START_TEST (silent_node_makes_reads_go_elsewhere)
{
    server = fake_server_new (1);
    other = fake_server_new (2);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_IGNORE, .times = 10000});
    dt_client_options_t options = fixture_options (server, other);
    options.attempt_timeout_ms = 50;
    client = fixture_open (&options);
    ck_assert_int_eq (dt_client_get (client, dt_text ("x"), NULL, NULL), DT_NOT_FOUND);
    ck_assert_uint_eq (fake_server_count (other, DT_OPERATION_GET), 1);
    s_end ();
}
END_TEST

static void s_nonsense (fake_action_t action)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = action, .times = 1});
    fake_server_rule (server, (fake_rule_t){.action = action, .times = 1});
    ck_assert_int_eq (s_put (NULL, NULL), DT_OUTCOME_UNKNOWN);
    ck_assert_int_eq (dt_client_get (client, dt_text ("k"), NULL, NULL), DT_SUCCESS);
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS_OVERWRITE);
    s_end ();
}

START_TEST (garbage_ends_the_connection_not_the_client)
{
    s_nonsense (FAKE_GARBAGE);
}
END_TEST

START_TEST (truncated_reply_ends_the_connection_not_the_client)
{
    s_nonsense (FAKE_TRUNCATED);
}
END_TEST

START_TEST (message_of_two_frames_ends_the_connection_not_the_client)
{
    s_nonsense (FAKE_TWO_FRAMES);
}
END_TEST

START_TEST (oversize_message_ends_the_connection_not_the_client)
{
    s_nonsense (FAKE_OVERSIZE);
}
END_TEST

START_TEST (wrong_ids_are_counted_and_ignored)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_WRONG_ID, .times = 1});
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), DT_SUCCESS);
    dt_client_stats_t stats;
    dt_client_stats (client, &stats);
    ck_assert_uint_eq (stats.stale_replies, 6);
    s_end ();
}
END_TEST

START_TEST (second_copy_of_a_reply_is_ignored)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_DUPLICATE, .times = 50});
    fixture_results_t *results = fixture_results_new ();
    for (int i = 0; i < 50; i++) {
        dt_client_ping_async (client, NULL, fixture_result, results);
    }
    fixture_results_wait (results, 50);
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), DT_SUCCESS);
    ck_assert_uint_eq (fixture_results_count (results), 50);
    s_end ();
    fixture_results_destroy (&results);
}
END_TEST

START_TEST (body_of_the_wrong_shape_is_refused_by_the_helpers)
{
    s_begin (false);
    dt_result_t *result;
    dt_node_t node;
    dt_iterator_t iterator;
    dt_batch_item_t item;
    uint64_t one, two;
    fake_server_rule (server, (fake_rule_t){.action = FAKE_BAD_BODY, .times = 4});
    ck_assert_int_eq (dt_client_status (client, NULL, &result), 0);
    ck_assert (!dt_result_status (result, &iterator));
    ck_assert (!dt_result_session (result, &one, &two));
    ck_assert (!dt_result_list (result, &iterator, NULL, NULL));
    ck_assert (!dt_result_node (result, &node));
    ck_assert (dt_result_batch (result, &iterator));
    ck_assert (!dt_batch_item_next (&iterator, &item));
    ck_assert (iterator.malformed);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (open_gives_up_at_its_time_limit)
{
    dt_client_options_t options;
    dt_client_options_init (&options);
    options.endpoints = "tcp://127.0.0.1:1";
    options.connect_timeout_ms = 150;
    char error[200] = "";
    ck_assert_int_eq (dt_client_open (&client, &options, error, sizeof error), DT_TIMEOUT);
    ck_assert_msg (strstr (error, "127.0.0.1:1"), "error is \"%s\"", error);
}
END_TEST

START_TEST (open_names_a_foreign_protocol_version)
{
    server = fake_server_new (1);
    fake_server_hello_code (server, DT_PROTOCOL_VERSION);
    dt_client_options_t options = fixture_options (server, NULL);
    char error[200] = "";
    ck_assert_int_eq (dt_client_open (&client, &options, error, sizeof error), DT_PROTOCOL_VERSION);
    ck_assert_msg (strstr (error, "version"), "error is \"%s\"", error);
    fake_server_destroy (&server);
}
END_TEST

START_TEST (open_goes_on_to_the_next_endpoint_when_one_refuses)
{
    server = fake_server_new (1);
    fake_server_down (server);
    other = fake_server_new (2);
    dt_client_options_t options = fixture_options (server, other);
    client = fixture_open (&options);
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    ck_assert_uint_eq (fake_server_writes (other), 1);
    s_end ();
}
END_TEST

START_TEST (open_without_waiting_works_once_a_node_is_there)
{
    server = fake_server_new (1);
    fake_server_down (server);
    dt_client_options_t options = fixture_options (server, NULL);
    options.connect_timeout_ms = 0;
    client = fixture_open (&options);
    dt_limits_t limits;
    ck_assert_int_eq (dt_client_limits (client, &limits), DT_NOT_READY);
    fake_server_up (server);
    ck_assert_int_eq (s_put (NULL, NULL), DT_SUCCESS);
    s_end ();
}
END_TEST

int main (void)
{
    const TTest *tests[] = {write_without_reply_ends_as_outcome_unknown,
                            read_without_reply_ends_as_timeout,
                            late_reply_goes_to_nobody,
                            busy_and_not_ready_are_tried_again,
                            busy_until_the_time_limit_is_certainly_not_done,
                            redirect_follows_the_address,
                            redirect_without_scheme_means_tcp,
                            not_leader_without_hint_tries_the_other_endpoint,
                            two_nodes_that_name_each_other_end_with_not_leader,
                            unusable_leader_addresses_are_ignored,
                            lost_connection_leaves_a_plain_write_unknown_and_repeats_a_read,
                            client_reconnects_after_the_node_restarts,
                            write_that_could_not_leave_is_never_sent_later,
                            write_expired_in_a_shared_frame_is_not_carried_out,
                            requests_move_to_the_node_that_is_left,
                            silent_node_makes_reads_go_elsewhere,
                            garbage_ends_the_connection_not_the_client,
                            truncated_reply_ends_the_connection_not_the_client,
                            message_of_two_frames_ends_the_connection_not_the_client,
                            oversize_message_ends_the_connection_not_the_client,
                            wrong_ids_are_counted_and_ignored,
                            second_copy_of_a_reply_is_ignored,
                            body_of_the_wrong_shape_is_refused_by_the_helpers,
                            open_gives_up_at_its_time_limit,
                            open_names_a_foreign_protocol_version,
                            open_goes_on_to_the_next_endpoint_when_one_refuses,
                            open_without_waiting_works_once_a_node_is_there};
    return fixture_run ("client_faults", tests, sizeof tests / sizeof *tests);
}
