// Callbacks, threads, limits and the end.

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/client/client_fixture.h"

static fake_server_t *server;
static dt_client_t *client;
static fixture_results_t *results;

static void s_begin (uint32_t in_flight_max, bool nonblocking)
{
    server = fake_server_new (1);
    dt_client_options_t options = fixture_options (server, NULL);
    options.in_flight_max = in_flight_max;
    options.nonblocking = nonblocking;
    client = fixture_open (&options);
    results = fixture_results_new ();
}

static void s_end (void)
{
    dt_client_close (&client);
    fake_server_destroy (&server);
    fixture_results_destroy (&results);
}

static int s_put_async (int key, dt_callback_t *callback, void *user)
{
    return dt_client_put_async (client, dt_bytes (&key, sizeof key), dt_text ("value"), NULL,
                                callback, user);
}

START_TEST (every_callback_runs_once)
{
    s_begin (10000, false);
    for (int i = 0; i < 20000; i++) {
        ck_assert_int_eq (s_put_async (i % 100, fixture_result, results), 0);
    }
    fixture_results_wait (results, 20000);
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), 0);
    ck_assert_uint_eq (fixture_results_count (results), 20000);
    ck_assert_uint_eq (fake_server_writes (server), 20000);
    s_end ();
}
END_TEST

typedef struct {
    atomic_int left;
    int refused;
} chain_t;

static void s_chain (void *user, const dt_result_t *result)
{
    chain_t *self = user;
    ck_assert (dt_code_is_success (result->code));
    if (atomic_fetch_sub (&self->left, 1) > 1) {
        self->refused += s_put_async (1, s_chain, self) != 0;
    }
}

START_TEST (callback_may_always_submit_one_request)
{
    s_begin (1, false);
    chain_t chain = {.left = 1000};
    ck_assert_int_eq (s_put_async (1, s_chain, &chain), 0);
    ck_assert (fake_server_wait (server, DT_OPERATION_PUT, 1000));
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), 0);
    ck_assert_int_eq (chain.refused, 0);
    s_end ();
}
END_TEST

static void s_try_to_block (void *user, const dt_result_t *result)
{
    int *code = user;
    (void) result;
    *code = dt_client_ping (client, NULL, NULL);
}

START_TEST (synchronous_call_in_a_callback_is_refused)
{
    s_begin (10, false);
    int code = -1;
    ck_assert_int_eq (dt_client_ping_async (client, NULL, s_try_to_block, &code), 0);
    dt_client_close (&client);
    ck_assert_int_eq (code, DT_INVALID);
    s_end ();
}
END_TEST

START_TEST (full_client_answers_busy_when_told_not_to_block)
{
    s_begin (50, true);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_HOLD, .times = 1000});
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq (s_put_async (i, fixture_result, results), 0);
    }
    ck_assert_int_eq (s_put_async (1, fixture_result, results), DT_BUSY);
    ck_assert (fake_server_wait (server, DT_OPERATION_PUT, 50));
    fake_server_release (server);
    fixture_results_wait (results, 50);
    ck_assert_uint_eq (fixture_results_count (results), 50);
    s_end ();
}
END_TEST

START_TEST (full_client_blocks_until_there_is_room)
{
    s_begin (50, false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_HOLD, .times = 50});
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq (s_put_async (i, fixture_result, results), 0);
    }
    dt_call_options_t options = {.timeout_ms = 50};
    ck_assert_int_eq (dt_client_put (client, dt_text ("x"), dt_text ("y"), &options, NULL),
                      DT_TIMEOUT);
    ck_assert (fake_server_wait (server, DT_OPERATION_PUT, 50));
    fake_server_release (server);
    ck_assert_int_eq (dt_client_put (client, dt_text ("x"), dt_text ("y"), NULL, NULL), 0);
    s_end ();
}
END_TEST

START_TEST (bytes_in_flight_are_bounded)
{
    server = fake_server_new (1);
    dt_client_options_t options = fixture_options (server, NULL);
    options.in_flight_bytes_max = 1 << 20;
    options.nonblocking = true;
    client = fixture_open (&options);
    results = fixture_results_new ();
    fake_server_rule (server, (fake_rule_t){.action = FAKE_HOLD, .times = 1000});
    static char value[100000];
    int accepted = 0;
    while (dt_client_put_async (client, dt_text ("k"), dt_bytes (value, sizeof value), NULL,
                                fixture_result, results) == 0) {
        accepted++;
    }
    ck_assert_int_eq (accepted, 10);
    ck_assert (fake_server_wait (server, DT_OPERATION_PUT, 10));
    fake_server_release (server);
    fixture_results_wait (results, 10);
    s_end ();
}
END_TEST

START_TEST (request_over_the_byte_limit_goes_alone)
{
    server = fake_server_new (1);
    dt_client_options_t options = fixture_options (server, NULL);
    options.in_flight_bytes_max = 1 << 20;
    client = fixture_open (&options);
    static char value[3 << 20];
    for (int i = 0; i < 3; i++) {
        ck_assert (dt_code_is_success (
            dt_client_put (client, dt_text ("k"), dt_bytes (value, sizeof value), NULL, NULL)));
    }
    dt_client_close (&client);
    fake_server_destroy (&server);
}
END_TEST

START_TEST (batch_leaves_in_one_frame)
{
    s_begin (1000, false);
    dt_client_stats_t before, after;
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), 0);
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), 0);
    dt_client_stats (client, &before);
    dt_client_batch_begin (client);
    for (int i = 0; i < 500; i++) {
        ck_assert_int_eq (s_put_async (i, fixture_result, results), 0);
    }
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), DT_INVALID);
    dt_client_batch_flush (client);
    fixture_results_wait (results, 500);
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), 0);
    ck_assert_int_eq (dt_client_ping (client, NULL, NULL), 0);
    dt_client_stats (client, &after);
    // The batch, and one or both of the pings.
    ck_assert_uint_le (after.frames_sent - before.frames_sent, 4);
    s_end ();
}
END_TEST

START_TEST (batch_larger_than_the_client_waits_for_room_inside)
{
    s_begin (100, false);
    dt_client_batch_begin (client);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq (s_put_async (i, fixture_result, results), 0);
    }
    dt_client_batch_flush (client);
    fixture_results_wait (results, 1000);
    s_end ();
}
END_TEST

START_TEST (many_groups_and_principals_share_a_client)
{
    s_begin (10000, false);
    for (uint32_t i = 0; i < 3000; i++) {
        dt_call_options_t options = {.group = i % 300 + 1, .principal = i % 7};
        ck_assert_int_eq (dt_client_put_async (client, dt_bytes (&i, sizeof i), dt_text ("v"),
                                               &options, fixture_result, results),
                          0);
    }
    fixture_results_wait (results, 3000);
    ck_assert_uint_eq (fixture_results_with (results, DT_SUCCESS), 3000);
    s_end ();
}
END_TEST

static void *s_worker (void *argument)
{
    int base = *(int *) argument;
    for (int i = 0; i < 1500; i++) {
        ck_assert_int_eq (s_put_async (base + i, fixture_result, results), 0);
        if (i % 100 == 0) {
            int code = dt_client_get (client, dt_text ("none"), NULL, NULL);
            ck_assert_int_eq (code, DT_NOT_FOUND);
        }
        if (i % 500 == 0) {
            dt_client_stats_t stats;
            dt_client_batch_begin (client);
            ck_assert_int_eq (s_put_async (base + i, fixture_result, results), 0);
            dt_client_batch_flush (client);
            dt_client_stats (client, &stats);
        }
    }
    return NULL;
}

START_TEST (threads_share_a_client)
{
    s_begin (200, false);
    pthread_t threads[6];
    int bases[6];
    for (int i = 0; i < 6; i++) {
        bases[i] = i * 100000;
        pthread_create (&threads[i], NULL, s_worker, &bases[i]);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join (threads[i], NULL);
    }
    fixture_results_wait (results, 6 * 1503);
    ck_assert_uint_eq (fixture_results_with (results, DT_SUCCESS) +
                           fixture_results_with (results, DT_SUCCESS_OVERWRITE),
                       6 * 1503);
    s_end ();
}
END_TEST

START_TEST (close_completes_every_request_once)
{
    s_begin (1000, false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_HOLD, .times = 10000});
    for (int i = 0; i < 300; i++) {
        ck_assert_int_eq (s_put_async (i, fixture_result, results), 0);
        ck_assert_int_eq (
            dt_client_get_async (client, dt_text ("k"), NULL, fixture_result, results), 0);
    }
    ck_assert (fake_server_wait (server, 0, 600));
    dt_client_close (&client);
    ck_assert_uint_eq (fixture_results_count (results), 600);
    ck_assert_uint_eq (fixture_results_with (results, DT_OUTCOME_UNKNOWN), 300);
    ck_assert_uint_eq (fixture_results_with (results, DT_CLOSED), 300);
    s_end ();
}
END_TEST

START_TEST (close_of_requests_that_never_left_says_not_done)
{
    server = fake_server_new (1);
    fake_server_down (server);
    dt_client_options_t options = fixture_options (server, NULL);
    options.connect_timeout_ms = 0;
    client = fixture_open (&options);
    results = fixture_results_new ();
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq (s_put_async (i, fixture_result, results), 0);
    }
    dt_client_close (&client);
    ck_assert_uint_eq (fixture_results_with (results, DT_CLOSED), 100);
    s_end ();
}
END_TEST

static void s_submit_again (void *user, const dt_result_t *result)
{
    (void) result;
    *(int *) user = s_put_async (1, NULL, NULL);
}

START_TEST (submission_during_close_is_refused)
{
    s_begin (10, false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_IGNORE, .times = 10});
    int code = -1;
    ck_assert_int_eq (s_put_async (1, s_submit_again, &code), 0);
    dt_client_close (&client);
    ck_assert_int_eq (code, DT_CLOSED);
    s_end ();
}
END_TEST

START_TEST (time_limits_expire_in_their_order)
{
    s_begin (100, false);
    fake_server_rule (server, (fake_rule_t){.action = FAKE_IGNORE, .times = 100});
    for (uint32_t i = 0; i < 50; i++) {
        dt_call_options_t options = {.timeout_ms = 20 + i};
        ck_assert_int_eq (
            dt_client_get_async (client, dt_text ("k"), &options, fixture_result, results), 0);
    }
    fixture_results_wait (results, 50);
    ck_assert_uint_eq (fixture_results_with (results, DT_TIMEOUT), 50);
    s_end ();
}
END_TEST

static volatile sig_atomic_t on_other_thread;
static pthread_t main_thread;

static void s_on_signal (int number)
{
    (void) number;
    if (!pthread_equal (pthread_self (), main_thread)) {
        on_other_thread = 1;
    }
}

START_TEST (signals_never_reach_the_threads_of_the_client)
{
    main_thread = pthread_self ();
    signal (SIGUSR1, s_on_signal);
    s_begin (10, false);
    for (int i = 0; i < 100; i++) {
        kill (getpid (), SIGUSR1);
        ck_assert_int_eq (dt_client_ping (client, NULL, NULL), 0);
    }
    s_end ();
    // The fake node's own threads may take it; the client's must not have it unblocked.
    ck_assert_int_eq (on_other_thread, 0);
}
END_TEST

int main (void)
{
    const TTest *tests[] = {every_callback_runs_once,
                            callback_may_always_submit_one_request,
                            synchronous_call_in_a_callback_is_refused,
                            full_client_answers_busy_when_told_not_to_block,
                            full_client_blocks_until_there_is_room,
                            bytes_in_flight_are_bounded,
                            request_over_the_byte_limit_goes_alone,
                            batch_leaves_in_one_frame,
                            batch_larger_than_the_client_waits_for_room_inside,
                            many_groups_and_principals_share_a_client,
                            threads_share_a_client,
                            close_completes_every_request_once,
                            close_of_requests_that_never_left_says_not_done,
                            submission_during_close_is_refused,
                            time_limits_expire_in_their_order,
                            signals_never_reach_the_threads_of_the_client};
    return fixture_run ("client_flow", tests, sizeof tests / sizeof *tests);
}
