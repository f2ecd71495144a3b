#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dt_error.h"
#include "dtkv/cli/dtctl_output.h"

// Two records, written to a pipe; returns what came out. The caller frees it.
static char *s_write (dtctl_format_t format, bool hex)
{
    int ends[2];
    ck_assert_int_eq (pipe (ends), 0);
    dtctl_output_t *out = dtctl_output_new (ends[1], format, hex);
    static const char *const keys[] = {"a", "\xff\n"};
    for (uint64_t i = 0; i < 2; i++) {
        dtctl_output_simple (out, "line %u ", (unsigned) i);
        dtctl_output_simple_bytes (out, keys[i], strlen (keys[i]));
        dtctl_output_simple_raw (out, "\n", 1);
        dtctl_output_begin (out);
        dtctl_output_bytes (out, "key", keys[i], strlen (keys[i]));
        dtctl_output_number (out, "count", i ? (1ull << 53) + 1 : 1ull << 53);
        dtctl_output_bool (out, "good", i == 0);
        dtctl_output_null (out, "none");
        dtctl_output_text (out, "kind", "a \"kind\"");
        dtctl_output_time (out, "time", 86400000);
        dtctl_output_signed (out, "delta", -3);
        dtctl_output_end (out);
    }
    ck_assert_int_eq (dtctl_output_destroy (&out, NULL), 0);
    ck_assert_ptr_null (out);
    close (ends[1]);
    char *text = calloc (1, 4096);
    ck_assert_int_ge (read (ends[0], text, 4095), 0);
    close (ends[0]);
    return text;
}

START_TEST (simple_is_the_lines_and_nothing_of_the_records)
{
    char *text = s_write (DTCTL_FORMAT_SIMPLE, false);
    ck_assert_str_eq (text, "line 0 a\nline 1 \\xff\\n\n");
    free (text);
}
END_TEST

START_TEST (json_is_one_object_a_line_with_wide_numbers_as_strings)
{
    char *text = s_write (DTCTL_FORMAT_JSON, false);
    ck_assert_str_eq (text, "{\"schema\":1,\"key\":{\"base64\":\"YQ==\",\"text\":\"a\"},"
                            "\"count\":9007199254740992,\"good\":true,\"none\":null,"
                            "\"kind\":\"a \\\"kind\\\"\",\"time_ms\":86400000,\"delta\":-3}\n"
                            "{\"schema\":1,\"key\":{\"base64\":\"/wo=\"},"
                            "\"count\":\"9007199254740993\",\"good\":false,\"none\":null,"
                            "\"kind\":\"a \\\"kind\\\"\",\"time_ms\":86400000,\"delta\":-3}\n");
    free (text);
}
END_TEST

START_TEST (hex_takes_the_place_of_base64)
{
    char *text = s_write (DTCTL_FORMAT_JSON, true);
    ck_assert_ptr_nonnull (strstr (text, "\"key\":{\"hex\":\"61\",\"text\":\"a\"}"));
    ck_assert_ptr_nonnull (strstr (text, "\"key\":{\"hex\":\"ff0a\"}"));
    free (text);
}
END_TEST

START_TEST (a_table_lines_its_columns_up)
{
    char *text = s_write (DTCTL_FORMAT_TABLE, false);
    ck_assert_str_eq (
        text,
        "KEY                COUNT  GOOD   NONE  KIND      TIME                      DELTA\n"
        "a       9007199254740992  true   -     a \"kind\"  1970-01-02T00:00:00.000Z     -3\n"
        "\\xff\\n  9007199254740993  false  -     a \"kind\"  1970-01-02T00:00:00.000Z     -3\n");
    free (text);
}
END_TEST

START_TEST (a_write_that_fails_is_told_at_the_end)
{
    int error = 0;
    int fd = open ("/dev/full", O_WRONLY);
    ck_assert_int_ge (fd, 0);
    dtctl_output_t *out = dtctl_output_new (fd, DTCTL_FORMAT_SIMPLE, false);
    dtctl_output_simple (out, "x\n");
    ck_assert_int_eq (dtctl_output_destroy (&out, &error), DT_ERR_IO);
    ck_assert_int_eq (error, ENOSPC);
    close (fd);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("output");
    tcase_add_test (tcase, simple_is_the_lines_and_nothing_of_the_records);
    tcase_add_test (tcase, json_is_one_object_a_line_with_wide_numbers_as_strings);
    tcase_add_test (tcase, hex_takes_the_place_of_base64);
    tcase_add_test (tcase, a_table_lines_its_columns_up);
    tcase_add_test (tcase, a_write_that_fails_is_told_at_the_end);
    Suite *suite = suite_create ("dtctl_output");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
