#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_blob.h"
#include "base/dt_buffer.h"
#include "base/dt_crc32c.h"
#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "base/dt_random.h"

START_TEST (crc32c_gives_the_check_value_of_its_rfc)
{
    ck_assert_uint_eq (dt_crc32c (0, "123456789", 9), 0xe3069283u);
}
END_TEST

START_TEST (crc32c_chains_over_split_runs)
{
    uint32_t whole = dt_crc32c (0, "123456789", 9);
    ck_assert_uint_eq (dt_crc32c (dt_crc32c (0, "1234", 4), "56789", 5), whole);
}
END_TEST

START_TEST (buffer_keeps_what_was_appended_while_it_grows)
{
    dt_buffer_t buffer = {0};
    for (uint32_t i = 0; i < 10000; i++) {
        dt_buffer_append (&buffer, &i, sizeof i);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        uint32_t word;
        memcpy (&word, buffer.data + i * sizeof i, sizeof word);
        ck_assert_uint_eq (word, i);
    }
    dt_buffer_clear (&buffer);
    dt_buffer_printf (&buffer, "%d-%s", 7, "x");
    ck_assert_mem_eq (buffer.data, "7-x", 3);
    ck_assert_uint_eq (buffer.bytes, 3);
    dt_buffer_deinit (&buffer);
}
END_TEST

static void s_count (void *owner)
{
    ++*(int *) owner;
}

START_TEST (blob_returns_wrapped_memory_with_the_last_reference)
{
    int freed = 0;
    char memory[] = "abc";
    dt_blob_t *blob = dt_blob_wrap (memory, 3, s_count, &freed);
    dt_blob_t *other = dt_blob_ref (blob);
    dt_blob_unref (&blob);
    ck_assert_int_eq (freed, 0);
    ck_assert_mem_eq (dt_blob_data (other), "abc", 3);
    dt_blob_unref (&other);
    ck_assert_int_eq (freed, 1);
    dt_blob_unref (&other);
}
END_TEST

START_TEST (random_streams_differ_by_name_and_repeat_by_seed)
{
    dt_random_t a, b, c;
    dt_random_init_stream (&a, 7, "net");
    dt_random_init_stream (&b, 7, "disk");
    dt_random_init_stream (&c, 7, "net");
    uint64_t first = dt_random_next (&a);
    ck_assert_uint_ne (first, dt_random_next (&b));
    ck_assert_uint_eq (first, dt_random_next (&c));
}
END_TEST

START_TEST (random_below_reaches_every_value_and_no_other)
{
    dt_random_t random;
    dt_random_init (&random, 1);
    int seen[7] = {0};
    for (int i = 0; i < 7000; i++) {
        seen[dt_random_below (&random, 7)]++;
    }
    for (int i = 0; i < 7; i++) {
        ck_assert_int_gt (seen[i], 800);
    }
}
END_TEST

START_TEST (every_error_has_a_name_and_a_text)
{
    ck_assert_str_eq (dt_error_name (DT_ERR_NO_SPACE), "NO_SPACE");
    ck_assert_str_eq (dt_error_text (DT_ERR_NO_SPACE), "no space left on the disk");
    ck_assert_str_eq (dt_error_name (0), "OK");
    ck_assert_str_eq (dt_error_name (-9999), "UNKNOWN");
}
END_TEST

START_TEST (monotonic_clock_does_not_run_backwards)
{
    dt_env_t env;
    dt_env_posix_init (&env, 2, DT_LOG_ERROR);
    int64_t last = env.now_ns (&env);
    for (int i = 0; i < 1000; i++) {
        int64_t now = env.now_ns (&env);
        ck_assert_int_ge (now, last);
        last = now;
    }
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("base");
    tcase_add_test (tcase, crc32c_gives_the_check_value_of_its_rfc);
    tcase_add_test (tcase, crc32c_chains_over_split_runs);
    tcase_add_test (tcase, buffer_keeps_what_was_appended_while_it_grows);
    tcase_add_test (tcase, blob_returns_wrapped_memory_with_the_last_reference);
    tcase_add_test (tcase, random_streams_differ_by_name_and_repeat_by_seed);
    tcase_add_test (tcase, random_below_reaches_every_value_and_no_other);
    tcase_add_test (tcase, every_error_has_a_name_and_a_text);
    tcase_add_test (tcase, monotonic_clock_does_not_run_backwards);
    Suite *suite = suite_create ("base");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
