// Exactly once: what the session's numbers make of lost replies.

#include <stdatomic.h>

#include "tests/client/client_fixture.h"

static fake_server_t *server, *other;
static dt_client_t *client;

static void s_begin (bool two)
{
    server = fake_server_new (1);
    other = two ? fake_server_new (2) : NULL;
    dt_client_options_t options = fixture_options (server, other);
    options.session = true;
    options.attempt_timeout_ms = 500;
    client = fixture_open (&options);
}

static void s_end (void)
{
    dt_client_close (&client);
    fake_server_destroy (&server);
    fake_server_destroy (&other);
}

static int s_put (const dt_call_options_t *options)
{
    return dt_client_put (client, dt_text ("k"), dt_text ("v"), options, NULL);
}

START_TEST (writes_are_numbered_from_one_and_acknowledged)
{
    s_begin (false);
    for (int i = 0; i < 3; i++) {
        ck_assert (dt_code_is_success (s_put (NULL)));
    }
    for (size_t i = 0; i < 3; i++) {
        fake_seen_t seen;
        ck_assert (fake_server_seen (server, DT_OPERATION_PUT, i, &seen));
        ck_assert_uint_eq (seen.session_seq, i + 1);
        ck_assert_uint_eq (seen.session_ack, i + 1);
        ck_assert_uint_eq (seen.session_id, dt_client_session_id (client));
    }
    s_end ();
}
END_TEST

START_TEST (reads_and_writes_outside_carry_no_number)
{
    s_begin (false);
    dt_call_options_t outside = {.no_session = true}, elsewhere = {.group = 5};
    dt_client_get (client, dt_text ("k"), NULL, NULL);
    s_put (&outside);
    s_put (&elsewhere);
    fake_seen_t seen;
    ck_assert (fake_server_seen (server, DT_OPERATION_GET, 0, &seen));
    ck_assert_uint_eq (seen.session_seq, 0);
    for (size_t i = 0; i < 2; i++) {
        ck_assert (fake_server_seen (server, DT_OPERATION_PUT, i, &seen));
        ck_assert_uint_eq (seen.session_seq, 0);
        ck_assert_uint_eq (seen.session_id, 0);
    }
    s_end ();
}
END_TEST

START_TEST (lost_reply_is_fetched_with_the_same_number)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_DISCONNECT, .times = 1});
    ck_assert_int_eq (s_put (NULL), DT_SUCCESS); // the first reply: created, not replaced
    ck_assert_uint_eq (fake_server_writes (server), 1);
    fake_seen_t first, second;
    ck_assert (fake_server_seen (server, DT_OPERATION_PUT, 0, &first));
    ck_assert (fake_server_seen (server, DT_OPERATION_PUT, 1, &second));
    ck_assert_uint_eq (first.session_seq, second.session_seq);
    ck_assert_uint_eq (first.session_id, second.session_id);
    ck_assert_uint_ne (first.id, second.id);
    s_end ();
}
END_TEST

START_TEST (many_writes_over_breaking_connections_happen_once_each)
{
    s_begin (false);
    for (int i = 0; i < 5; i++) {
        fake_server_rule (server, (fake_rule_t){.action = FAKE_DUPLICATE, .times = 37});
        fake_server_rule (
            server,
            (fake_rule_t){.action = FAKE_DISCONNECT, .operation = DT_OPERATION_PUT, .times = 1});
    }
    fixture_results_t *results = fixture_results_new ();
    for (int i = 0; i < 500; i++) {
        ck_assert_int_eq (dt_client_put_async (client, dt_bytes (&i, sizeof i), dt_text ("v"), NULL,
                                               fixture_result, results),
                          0);
    }
    fixture_results_wait (results, 500);
    ck_assert_uint_eq (fixture_results_with (results, DT_SUCCESS), 500);
    ck_assert_uint_eq (fake_server_writes (server), 500);
    s_end ();
    fixture_results_destroy (&results);
}
END_TEST

START_TEST (unknown_outcome_from_the_node_is_asked_again)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                            .code = DT_OUTCOME_UNKNOWN,
                                            .operation = DT_OPERATION_PUT,
                                            .times = 1});
    ck_assert_int_eq (s_put (NULL), DT_SUCCESS);
    s_end ();
}
END_TEST

START_TEST (refusal_after_a_lost_attempt_is_outcome_unknown)
{
    s_begin (false);
    fake_server_rule (
        server,
        (fake_rule_t){.action = FAKE_DISCONNECT, .operation = DT_OPERATION_PUT, .times = 1});
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                            .code = DT_DENIED,
                                            .operation = DT_OPERATION_PUT,
                                            .times = 1});
    ck_assert_int_eq (s_put (NULL), DT_OUTCOME_UNKNOWN);
    s_end ();
}
END_TEST

START_TEST (expired_session_is_replaced_for_writes_not_done)
{
    s_begin (false);
    uint64_t before = dt_client_session_id (client);
    fake_server_expire_sessions (server);
    ck_assert_int_eq (s_put (NULL), DT_SUCCESS);
    ck_assert_uint_ne (dt_client_session_id (client), before);
    ck_assert_uint_eq (fake_server_writes (server), 1);
    dt_client_stats_t stats;
    dt_client_stats (client, &stats);
    ck_assert_uint_eq (stats.sessions_lost, 1);
    s_end ();
}
END_TEST

START_TEST (expired_session_leaves_a_lost_write_unknown)
{
    s_begin (false);
    fake_server_rule (
        server,
        (fake_rule_t){.action = FAKE_DISCONNECT, .operation = DT_OPERATION_PUT, .times = 1});
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                            .code = DT_SESSION_UNKNOWN,
                                            .operation = DT_OPERATION_PUT,
                                            .times = 1});
    ck_assert_int_eq (s_put (NULL), DT_OUTCOME_UNKNOWN);
    ck_assert_uint_eq (fake_server_writes (server), 1);
    ck_assert_int_eq (s_put (NULL), DT_SUCCESS_OVERWRITE);
    s_end ();
}
END_TEST

START_TEST (full_session_window_is_waited_out)
{
    s_begin (false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                            .code = DT_SESSION_WINDOW_FULL,
                                            .operation = DT_OPERATION_PUT,
                                            .times = 2});
    ck_assert_int_eq (s_put (NULL), DT_SUCCESS);
    s_end ();
}
END_TEST

static void s_begin_window (uint64_t window)
{
    server = fake_server_new (1);
    fake_server_limit_replies (server, window);
    dt_client_options_t options = fixture_options (server, NULL);
    options.session = true;
    client = fixture_open (&options);
}

// Every write the node saw had a number below its acknowledgement plus the window.
static void s_assert_window (uint64_t window)
{
    fake_seen_t seen;
    size_t count = fake_server_count (server, DT_OPERATION_PUT);
    for (size_t i = count > 2000 ? count - 2000 : 0; i < count; i++) {
        ck_assert (fake_server_seen (server, DT_OPERATION_PUT, i, &seen));
        ck_assert_uint_lt (seen.session_seq, seen.session_ack + window);
    }
}

START_TEST (unacknowledged_writes_stay_inside_the_window)
{
    s_begin_window (20);
    fake_server_rule (
        server, (fake_rule_t){.action = FAKE_HOLD, .operation = DT_OPERATION_PUT, .times = 1});
    fixture_results_t *results = fixture_results_new ();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq (dt_client_put_async (client, dt_text ("k"), dt_text ("v"), NULL,
                                               fixture_result, results),
                          0);
    }
    // Numbers 1 .. 19 leave, in whole half windows, while the first is not answered.
    ck_assert (fake_server_wait (server, DT_OPERATION_PUT, 19));
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), DT_SUCCESS);
    ck_assert_uint_le (fake_server_count (server, DT_OPERATION_PUT), 20);
    fake_server_release (server);
    fixture_results_wait (results, 100);
    ck_assert_uint_eq (fake_server_writes (server), 100);
    s_assert_window (20);
    s_end ();
    fixture_results_destroy (&results);
}
END_TEST

typedef struct {
    fixture_results_t *results;
    atomic_int left;
    atomic_int refused;
} chain_t;

// As the load generator does: each result brings the next write.
static void s_chain (void *user, const dt_result_t *result)
{
    chain_t *self = user;
    if (atomic_fetch_sub (&self->left, 1) > 0 &&
        dt_client_put_async (client, dt_text ("k"), dt_text ("v"), NULL, s_chain, self)) {
        atomic_fetch_add (&self->refused, 1);
    }
    fixture_result (self->results, result);
}

START_TEST (callbacks_that_fill_the_window_do_not_starve_other_threads)
{
    s_begin_window (16);
    chain_t chain = {.results = fixture_results_new (), .left = 20000};
    // More than the window at once, all of them going on from their callbacks.
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq (
            dt_client_put_async (client, dt_text ("k"), dt_text ("v"), NULL, s_chain, &chain), 0);
    }
    ck_assert (dt_code_is_success (s_put (NULL)));
    fixture_results_wait (chain.results, 20200);
    ck_assert_int_eq (chain.refused, 0);
    ck_assert_uint_eq (fake_server_writes (server), 20201);
    s_assert_window (16);
    s_end ();
    fixture_results_destroy (&chain.results);
}
END_TEST

START_TEST (window_of_one_still_moves)
{
    s_begin_window (1);
    fixture_results_t *results = fixture_results_new ();
    dt_client_batch_begin (client);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq (dt_client_put_async (client, dt_text ("k"), dt_text ("v"), NULL,
                                               fixture_result, results),
                          0);
    }
    dt_client_batch_flush (client);
    fixture_results_wait (results, 50);
    ck_assert_uint_eq (fake_server_writes (server), 50);
    s_assert_window (1);
    s_end ();
    fixture_results_destroy (&results);
}
END_TEST

START_TEST (redirect_takes_later_attempts_along)
{
    s_begin (false);
    other = fake_server_new (1); // its first session has the same id
    dt_client_options_t options = fixture_options (other, NULL);
    options.session = true;
    dt_client_t *second = fixture_open (&options);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                            .code = DT_NOT_LEADER,
                                            .operation = DT_OPERATION_PUT,
                                            .times = 1,
                                            .leader_address = fake_server_endpoint (other)});
    ck_assert_int_eq (s_put (NULL), DT_SUCCESS);
    ck_assert_int_eq (s_put (NULL), DT_SUCCESS_OVERWRITE);
    ck_assert_uint_eq (fake_server_writes (other), 2);
    ck_assert_uint_eq (fake_server_writes (server), 0);
    dt_client_close (&second);
    s_end ();
}
END_TEST

START_TEST (open_reports_that_no_session_is_given)
{
    server = fake_server_new (1);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_CODE,
                                            .code = DT_TOO_MANY_SESSIONS,
                                            .operation = DT_OPERATION_SESSION_OPEN,
                                            .times = 1000});
    dt_client_options_t options = fixture_options (server, NULL);
    options.session = true;
    char error[200] = "";
    ck_assert_int_eq (dt_client_open (&client, &options, error, sizeof error),
                      DT_TOO_MANY_SESSIONS);
    ck_assert_str_ne (error, "");
    s_end ();
}
END_TEST

START_TEST (close_tells_the_node_that_the_session_ends)
{
    s_begin (false);
    dt_client_close (&client);
    ck_assert (fake_server_wait (server, DT_OPERATION_SESSION_CLOSE, 1));
    s_end ();
}
END_TEST

START_TEST (idle_session_is_kept_alive)
{
    server = fake_server_new (1);
    dt_client_options_t options = fixture_options (server, NULL);
    options.session = true;
    options.session_ttl_ms = 1000;
    client = fixture_open (&options);
    ck_assert (fake_server_wait (server, DT_OPERATION_SESSION_KEEPALIVE, 1));
    s_end ();
}
END_TEST

START_TEST (silent_node_makes_numbered_writes_go_elsewhere)
{
    s_begin (true);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_IGNORE, .times = 10000});
    // The other node has no such session: whether the first carried it out is not known.
    ck_assert_int_eq (s_put (NULL), DT_OUTCOME_UNKNOWN);
    ck_assert_uint_eq (fake_server_count (other, DT_OPERATION_PUT), 1);
    s_end ();
}
END_TEST

int main (void)
{
    const TTest *tests[] = {writes_are_numbered_from_one_and_acknowledged,
                            reads_and_writes_outside_carry_no_number,
                            lost_reply_is_fetched_with_the_same_number,
                            many_writes_over_breaking_connections_happen_once_each,
                            unknown_outcome_from_the_node_is_asked_again,
                            refusal_after_a_lost_attempt_is_outcome_unknown,
                            expired_session_is_replaced_for_writes_not_done,
                            expired_session_leaves_a_lost_write_unknown,
                            full_session_window_is_waited_out,
                            unacknowledged_writes_stay_inside_the_window,
                            callbacks_that_fill_the_window_do_not_starve_other_threads,
                            window_of_one_still_moves,
                            redirect_takes_later_attempts_along,
                            open_reports_that_no_session_is_given,
                            close_tells_the_node_that_the_session_ends,
                            idle_session_is_kept_alive,
                            silent_node_makes_numbered_writes_go_elsewhere};
    return fixture_run ("client_session", tests, sizeof tests / sizeof *tests);
}
