// move, increment and transactions: what is sent is what a real store understands.

#include <string.h>

#include "tests/client/client_fixture.h"

static fake_server_t *server;
static dt_client_t *client;

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

static int64_t s_increment (const char *path, int64_t delta)
{
    dt_result_t *result;
    int64_t number;
    ck_assert_int_eq (dt_client_increment (client, dt_text (path), delta, NULL, &result),
                      DT_SUCCESS);
    ck_assert (dt_result_number (result, &number));
    dt_result_free (&result);
    return number;
}

static int s_commit (dt_txn_t **txn_p, dt_result_t **result_p)
{
    int code = dt_client_transaction (client, *txn_p, NULL, result_p);
    dt_txn_destroy (txn_p);
    return code;
}

START_TEST (increments_of_either_sign_answer_the_sum)
{
    s_begin (false);
    ck_assert_int_eq (s_increment ("n", INT64_MAX), INT64_MAX);
    ck_assert_int_eq (s_increment ("n", INT64_MIN), -1);
    ck_assert_int_eq (s_increment ("n", -1000), -1001);
    ck_assert_int_eq (dt_client_increment (client, dt_text ("n"), INT64_MIN, NULL, NULL),
                      DT_NOT_A_COUNTER);
    s_end ();
}
END_TEST

START_TEST (move_takes_a_node_to_its_new_path)
{
    s_begin (false);
    s_increment ("n", 5);
    dt_call_options_t options = {.flags = DT_PARENTS};
    ck_assert_int_eq (dt_client_move (client, dt_text ("n"), dt_text ("d.m"), &options, NULL),
                      DT_SUCCESS);
    ck_assert_int_eq (s_increment ("d.m", 1), 6);
    ck_assert_int_eq (dt_client_move (client, dt_text ("n"), dt_text ("x"), NULL, NULL),
                      DT_NOT_FOUND);
    s_end ();
}
END_TEST

START_TEST (transaction_answers_by_position)
{
    s_begin (true);
    dt_txn_t *txn = dt_txn_new ();
    dt_txn_if_absent (txn, dt_text ("a"));
    dt_txn_mkdir (txn, dt_text ("q"), 0);
    dt_txn_put (txn, dt_text ("q.job-"), dt_text ("x"), DT_SEQUENTIAL);
    dt_txn_put (txn, dt_text ("a"), dt_text ("1"), 0);
    dt_txn_increment (txn, dt_text ("a"), 41, 0);
    dt_txn_get (txn, dt_text ("a"), 0);
    dt_txn_list (txn, dt_text ("q"), DT_KEYS_ONLY);
    dt_txn_else (txn);
    dt_txn_remove (txn, dt_text ("a"), 0);
    dt_result_t *result;
    ck_assert_int_eq (s_commit (&txn, &result), DT_SUCCESS);
    dt_iterator_t iterator;
    dt_result_t item;
    bool succeeded;
    dt_bytes_t path;
    int64_t number;
    dt_node_t node;
    uint64_t count;
    dt_iterator_t page;
    ck_assert (dt_result_txn (result, &succeeded, &iterator));
    ck_assert (succeeded);
    ck_assert (dt_txn_result_next (&iterator, &item));
    ck_assert_int_eq (item.code, DT_SUCCESS);
    ck_assert (dt_txn_result_next (&iterator, &item) && dt_result_path (&item, &path));
    ck_assert_uint_eq (path.bytes, 26);
    ck_assert_mem_eq (path.data, "q.job-00000000000000000001", 26);
    ck_assert (dt_txn_result_next (&iterator, &item));
    ck_assert (dt_txn_result_next (&iterator, &item) && dt_result_number (&item, &number));
    ck_assert_int_eq (number, 42);
    ck_assert (dt_txn_result_next (&iterator, &item) && dt_result_node (&item, &node));
    ck_assert_mem_eq (node.value.data, "42", 2);
    ck_assert (dt_txn_result_next (&iterator, &item));
    ck_assert (dt_result_list (&item, &page, NULL, &count));
    ck_assert_uint_eq (count, 1);
    ck_assert (!dt_txn_result_next (&iterator, &item));
    ck_assert (!iterator.malformed);
    dt_result_free (&result);
    s_end ();
}
END_TEST

// A transaction of nothing but conditions.
static bool s_holds (dt_txn_t *txn)
{
    dt_result_t *result;
    dt_iterator_t iterator;
    bool succeeded;
    ck_assert_int_eq (s_commit (&txn, &result), DT_SUCCESS);
    ck_assert (dt_result_txn (result, &succeeded, &iterator));
    dt_result_free (&result);
    return succeeded;
}

START_TEST (every_condition_asks_what_it_says)
{
    s_begin (false);
    dt_bytes_t d = dt_text ("d");
    dt_bytes_t a = dt_text ("d.a");
    dt_txn_t *txn = dt_txn_new ();
    dt_txn_put (txn, a, dt_text ("1"), DT_PARENTS);
    dt_result_t *result;
    ck_assert_int_eq (s_commit (&txn, &result), DT_SUCCESS);
    uint64_t index = result->index;
    dt_result_free (&result);
    txn = dt_txn_new ();
    dt_txn_if_exists (txn, a);
    dt_txn_if_absent (txn, dt_text ("b"));
    dt_txn_if_value (txn, a, dt_text ("1"));
    dt_txn_if_version (txn, a, 1);
    dt_txn_if_modify_index (txn, a, index);
    dt_txn_if_create_index (txn, a, index);
    dt_txn_if_child_version (txn, d, 1);
    ck_assert (s_holds (txn));
    txn = dt_txn_new ();
    dt_txn_if_child_version (txn, d, 2);
    ck_assert (!s_holds (txn));
    txn = dt_txn_new ();
    dt_txn_if_lock (txn, a, index);
    ck_assert (!s_holds (txn));
    s_end ();
}
END_TEST

START_TEST (failed_transaction_names_the_operation)
{
    s_begin (false);
    dt_txn_t *txn = dt_txn_new ();
    dt_txn_put (txn, dt_text ("a"), dt_text ("1"), 0);
    dt_txn_move (txn, dt_text ("b"), dt_text ("c"), 0);
    dt_result_t *result;
    dt_iterator_t iterator;
    dt_result_t item;
    ck_assert_int_eq (s_commit (&txn, &result), DT_NOT_FOUND);
    ck_assert_int_eq (result->outcome, DT_OUTCOME_NOT_DONE);
    ck_assert (dt_result_txn (result, NULL, &iterator));
    ck_assert (dt_txn_result_next (&iterator, &item));
    ck_assert_int_eq (item.code, DT_BATCH_ABORTED);
    ck_assert (dt_txn_result_next (&iterator, &item));
    ck_assert_int_eq (item.code, DT_NOT_FOUND);
    dt_result_free (&result);
    s_end ();
}
END_TEST

START_TEST (wrong_arguments_are_refused_before_anything_is_sent)
{
    s_begin (false);
    dt_txn_t *txn = dt_txn_new ();
    dt_txn_get (txn, dt_bytes (NULL, 3), 0);
    ck_assert_int_eq (s_commit (&txn, NULL), DT_INVALID);
    txn = dt_txn_new ();
    dt_txn_else (txn);
    dt_txn_else (txn);
    ck_assert_int_eq (s_commit (&txn, NULL), DT_INVALID);
    ck_assert_int_eq (dt_client_transaction (client, NULL, NULL, NULL), DT_INVALID);
    dt_bytes_t wrong = dt_bytes (NULL, 1);
    ck_assert_int_eq (dt_client_move (client, wrong, dt_text ("a"), NULL, NULL), DT_INVALID);
    ck_assert_int_eq (dt_client_increment (client, wrong, 1, NULL, NULL), DT_INVALID);
    s_end ();
}
END_TEST

int main (void)
{
    const TTest *const tests[] = {
        increments_of_either_sign_answer_the_sum,
        move_takes_a_node_to_its_new_path,
        transaction_answers_by_position,
        every_condition_asks_what_it_says,
        failed_transaction_names_the_operation,
        wrong_arguments_are_refused_before_anything_is_sent,
    };
    return fixture_run ("client_txn", tests, sizeof tests / sizeof tests[0]);
}
