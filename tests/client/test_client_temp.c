// Requests of temporary nodes, locks and guards, byte by byte; and what their results say.

#include "dtkv/client/dt_client_lock.h"
#include "tests/client/client_fixture.h"

static fake_server_t *server;
static dt_client_t *client;
static const dt_bytes_t path = {"a", 1}, value = {"v", 1};

static void s_begin (bool session)
{
    server = fake_server_new (1);
    dt_client_options_t options = fixture_options (server, NULL);
    options.session = session;
    client = fixture_open (&options);
}

static void s_end (void)
{
    dt_client_close (&client);
    fake_server_destroy (&server);
}

// The last request of an operation had this body.
static fake_seen_t s_expect (uint32_t operation, const char *body, size_t bytes)
{
    fake_seen_t seen = {0};
    size_t count = fake_server_count (server, operation);
    ck_assert_uint_gt (count, 0);
    ck_assert (fake_server_seen (server, operation, count - 1, &seen));
    ck_assert_uint_eq (seen.body_bytes, bytes);
    ck_assert_mem_eq (seen.body, body, bytes);
    return seen;
}
#define EXPECT(operation, body) s_expect (operation, body, sizeof body - 1)

START_TEST (put_temp_has_path_value_ttl_flags)
{
    s_begin (false);
    dt_client_put_temp (client, path, value, 1000, NULL, NULL);
    EXPECT (80, "\x93\xc4\x01"
                "a\xc4\x01v\xcd\x03\xe8");
    dt_call_options_t owned = {.flags = DT_OWNED | DT_PARENTS, .session = 7};
    dt_client_put_temp (client, path, value, 0, &owned, NULL);
    fake_seen_t seen = EXPECT (80, "\x94\xc4\x01"
                                   "a\xc4\x01v\x00\xcc\x81");
    ck_assert_uint_eq (seen.session_id, 7);
    ck_assert_uint_eq (seen.session_seq, 0);
    s_end ();
}
END_TEST

START_TEST (mkdir_temp_and_update_ttl_have_path_and_ttl)
{
    s_begin (false);
    dt_call_options_t parents = {.flags = DT_PARENTS};
    dt_client_mkdir_temp (client, path, 5, &parents, NULL);
    EXPECT (81, "\x93\xc4\x01"
                "a\x05\x01");
    dt_client_update_ttl (client, path, 9, NULL, NULL);
    EXPECT (82, "\x92\xc4\x01"
                "a\x09");
    ck_assert_int_eq (dt_client_update_ttl (client, path, 9, &parents, NULL), DT_INVALID);
    s_end ();
}
END_TEST

START_TEST (lock_names_everything)
{
    s_begin (false);
    dt_lock_request_t request = {.mode = DT_LOCK_SEMAPHORE,
                                 .permits = 3,
                                 .wait_ms = DT_WAIT_FOREVER,
                                 .lease_ms = 100,
                                 .value = value};
    dt_client_lock (client, path, &request, NULL, NULL);
    EXPECT (83, "\x97\xc4\x01"
                "a\x02\xcf\x00\x1f\xff\xff\xff\xff\xff\xff\x64\xc4\x01v\x03\x00");
    request.mode = (dt_lock_mode_t) 3;
    ck_assert_int_eq (dt_client_lock (client, path, &request, NULL, NULL), DT_INVALID);
    ck_assert_int_eq (dt_client_lock (client, path, NULL, NULL, NULL), DT_INVALID);
    s_end ();
}
END_TEST

START_TEST (unlock_and_renew_name_the_token)
{
    s_begin (false);
    dt_call_options_t force = {.flags = DT_FORCE};
    dt_client_unlock (client, path, 66, NULL, NULL);
    EXPECT (84, "\x92\xc4\x01"
                "a\x42");
    dt_client_unlock (client, path, 66, &force, NULL);
    EXPECT (84, "\x93\xc4\x01"
                "a\x42\xcd\x08\x00");
    dt_client_lock_renew (client, path, 66, 0, NULL, NULL);
    EXPECT (86, "\x92\xc4\x01"
                "a\x42");
    dt_client_lock_renew (client, path, 66, 7, NULL, NULL);
    EXPECT (86, "\x93\xc4\x01"
                "a\x42\x07");
    s_end ();
}
END_TEST

START_TEST (guards_wrap_any_write)
{
    s_begin (false);
    dt_guard_t guards[2] = {{dt_text ("l"), 5}, {dt_text ("m"), 6}};
    dt_call_options_t options = {.guards = guards, .guard_count = 2};
    dt_client_put (client, path, value, &options, NULL);
    EXPECT (94, "\x93\x92\x92\xc4\x01l\x05\x92\xc4\x01m\x06\x06\x92\xc4\x01"
                "a\xc4\x01v");
    options.guard_count = 1;
    options.flags = DT_RECURSIVE;
    dt_client_remove (client, path, &options, NULL);
    EXPECT (94, "\x93\x91\x92\xc4\x01l\x05\x46\x92\xc4\x01"
                "a\x04");
    s_end ();
}
END_TEST

START_TEST (guarded_result_names_the_operation_under_it)
{
    s_begin (false);
    dt_guard_t guard = {dt_text ("l"), 5};
    dt_call_options_t options = {.guards = &guard, .guard_count = 1};
    dt_result_t *result;
    dt_client_put (client, path, value, &options, &result);
    ck_assert_uint_eq (result->operation, DT_OPERATION_PUT);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (guards_that_make_no_sense_are_refused)
{
    s_begin (false);
    dt_guard_t guards[17] = {{dt_text ("l"), 5}};
    dt_call_options_t many = {.guards = guards, .guard_count = 17};
    dt_call_options_t one = {.guards = guards, .guard_count = 1}, none = {.guard_count = 1};
    ck_assert_int_eq (dt_client_put (client, path, value, &many, NULL), DT_INVALID);
    ck_assert_int_eq (dt_client_get (client, path, &one, NULL), DT_INVALID);
    ck_assert_int_eq (dt_client_put (client, path, value, &none, NULL), DT_INVALID);
    guards[0].path = dt_bytes (NULL, 1);
    ck_assert_int_eq (dt_client_put (client, path, value, &one, NULL), DT_INVALID);
    s_end ();
}
END_TEST

START_TEST (writes_on_behalf_of_a_session_are_not_numbered)
{
    s_begin (true);
    dt_call_options_t other = {.session = 77};
    dt_client_put (client, path, value, &other, NULL);
    fake_seen_t seen = EXPECT (6, "\x92\xc4\x01"
                                  "a\xc4\x01v");
    ck_assert_uint_eq (seen.session_id, 77);
    ck_assert_uint_eq (seen.session_seq, 0);
    dt_client_put_temp (client, path, value, 5, NULL, NULL);
    seen = EXPECT (80, "\x93\xc4\x01"
                       "a\xc4\x01v\x05");
    ck_assert_uint_eq (seen.session_id, dt_client_session_id (client));
    ck_assert_uint_eq (seen.session_seq, 1);
    s_end ();
}
END_TEST

START_TEST (results_are_read)
{
    dt_result_t result = {.operation = DT_OPERATION_LOCK,
                          .body = dt_bytes ("\x93\x05\xc4\x01n\x09", 6)};
    dt_lock_answer_t answer;
    ck_assert (dt_result_lock (&result, &answer));
    ck_assert_uint_eq (answer.token, 5);
    ck_assert_uint_eq (answer.lease_ms, 9);
    ck_assert_uint_eq (answer.contender.bytes, 1);
    result.body = dt_bytes ("\xc0", 1);
    ck_assert (!dt_result_lock (&result, &answer));
    result =
        (dt_result_t){.operation = DT_OPERATION_LOCK_RENEW, .body = dt_bytes ("\x92\x05\x08", 3)};
    ck_assert (dt_result_lock (&result, &answer));
    ck_assert_uint_eq (answer.lease_ms, 8);
    result.body = dt_bytes ("\x91\x07", 2);
    ck_assert (!dt_result_lock (&result, &answer));
    uint64_t ttl_ms;
    ck_assert (dt_result_ttl (&result, &ttl_ms));
    ck_assert_uint_eq (ttl_ms, 7);
    dt_contender_t contender;
    ck_assert (dt_contender_read (dt_bytes ("\x96\x01\x02\x05\x08\x03\xc4\x01v", 9), &contender));
    ck_assert (contender.holding);
    ck_assert_int_eq (contender.mode, DT_LOCK_SEMAPHORE);
    ck_assert_uint_eq (contender.token, 5);
    ck_assert_uint_eq (contender.permits, 3);
    for (size_t bytes = 0; bytes < 9; bytes++) {
        ck_assert (
            !dt_contender_read (dt_bytes ("\x96\x01\x02\x05\x08\x03\xc4\x01v", bytes), &contender));
    }
}
END_TEST

int main (void)
{
    const TTest *const tests[] = {put_temp_has_path_value_ttl_flags,
                                  mkdir_temp_and_update_ttl_have_path_and_ttl,
                                  lock_names_everything,
                                  unlock_and_renew_name_the_token,
                                  guards_wrap_any_write,
                                  guarded_result_names_the_operation_under_it,
                                  guards_that_make_no_sense_are_refused,
                                  writes_on_behalf_of_a_session_are_not_numbered,
                                  results_are_read};
    return fixture_run ("client_temp", tests, sizeof tests / sizeof tests[0]);
}
