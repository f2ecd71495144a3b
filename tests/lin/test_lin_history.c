// The text format: what is read, what is refused, and where.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "tests/lin/lin_history.h"

static int s_parse (lin_history_t *history, const char *text, size_t *line)
{
    const char *why = "";
    lin_history_init (history);
    return lin_history_parse (history, text, strlen (text), line, &why);
}

static void s_refused (const char *text, size_t expected_line)
{
    lin_history_t history;
    size_t line;
    int rc = s_parse (&history, text, &line);
    ck_assert_msg (rc == DT_ERR_MALFORMED, "taken: %s", text);
    ck_assert_msg (line == expected_line, "line %zu: %s", line, text);
    lin_history_deinit (&history);
}

START_TEST (every_kind_prints_as_it_was_read)
{
    static const char text[] = "1 2 - put x 5 - 10 20 new 3\n"
                               "1 2 linearizable get x 5 - 30 40 ok 3\n"
                               "2 0 readindex list x,y 5,0 - 30 45 ok 3\n"
                               "3 1 - batch x,y 6,7 - 50 - unknown 0\n"
                               "3 1 - remove y - - 60 70 absent 4\n"
                               "3 1 - cas x 8 6 80 90 mismatch 5\n"
                               "3 1 stale get x - - 91 92 none 0\n";
    lin_history_t history;
    size_t line;
    ck_assert_int_eq (s_parse (&history, text, &line), 0);
    char *printed = NULL;
    size_t bytes;
    FILE *out = open_memstream (&printed, &bytes);
    lin_history_print (&history, out);
    fclose (out);
    ck_assert_str_eq (printed, text);
    free (printed);
    lin_history_deinit (&history);
}
END_TEST

START_TEST (comments_and_empty_lines_are_nothing)
{
    lin_history_t history;
    size_t line;
    ck_assert_int_eq (s_parse (&history, "# a\n\n  # b\n1 1 - put x 1 - 1 2 ok 1 # c", &line), 0);
    ck_assert_uint_eq (history.count, 1);
    lin_history_deinit (&history);
}
END_TEST

START_TEST (what_breaks_a_rule_is_refused_with_its_line)
{
    s_refused ("1 1 - put x 1 - 1 2 ok\n", 1);
    s_refused ("1 1 - put x 1 - 1 2 ok 1 1\n", 1);
    s_refused ("#\n1 1 - put x 0 - 1 2 ok 1\n", 2);
    s_refused ("1 1 - put x 1 - 2 1 ok 1\n", 1);
    s_refused ("1 1 - put x 1 - 1 - ok 1\n", 1);
    s_refused ("1 1 - put x 1 - 1 2 unknown 1\n", 1);
    s_refused ("1 1 - put x 1 - 1 2 mismatch 1\n", 1);
    s_refused ("1 1 - put x 1 3 1 2 ok 1\n", 1);
    s_refused ("1 1 - cas x 1 - 1 2 ok 1\n", 1);
    s_refused ("1 1 - cas x 0 0 1 2 ok 1\n", 1);
    s_refused ("1 1 - get x 1 - 1 2 ok 1\n", 1);
    s_refused ("1 1 stale put x 1 - 1 2 ok 1\n", 1);
    s_refused ("1 1 - batch x,x 1,2 - 1 2 ok 1\n", 1);
    s_refused ("1 1 - batch x,y 1 - 1 2 ok 1\n", 1);
    s_refused ("1 1 - batch x 1,2 - 1 2 ok 1\n", 1);
    s_refused ("1 1 - put x,y 1,2 - 1 2 ok 1\n", 1);
    s_refused ("4294967296 1 - put x 1 - 1 2 ok 1\n", 1);
    s_refused ("1 1 - put x 18446744073709551615 - 1 2 ok 1\n", 1);
    s_refused ("1 1 - put x -1 - 1 2 ok 1\n", 1);
    s_refused ("1 1 - erase x 1 - 1 2 ok 1\n", 1);
}
END_TEST

START_TEST (a_value_written_twice_is_refused)
{
    s_refused ("1 1 - put x 1 - 1 2 ok 1\n1 1 - put y 1 - 3 4 ok 2\n", 0);
}
END_TEST

START_TEST (a_line_over_the_limit_is_refused)
{
    char *text = malloc (LIN_LINE_BYTES_MAX + 2);
    memset (text, ' ', LIN_LINE_BYTES_MAX + 1);
    text[LIN_LINE_BYTES_MAX + 1] = 0;
    s_refused (text, 1);
    free (text);
}
END_TEST

START_TEST (a_key_over_the_limit_is_refused)
{
    lin_history_t history;
    lin_history_init (&history);
    char name[8];
    for (int i = 0; i < LIN_KEYS_MAX; i++) {
        int bytes = snprintf (name, sizeof name, "k%d", i);
        ck_assert_uint_eq (lin_history_key (&history, name, (size_t) bytes), (uint32_t) i);
    }
    ck_assert_uint_eq (lin_history_key (&history, "more", 4), UINT32_MAX);
    ck_assert_uint_eq (lin_history_key (&history, "k7", 2), 7);
    lin_history_deinit (&history);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("history");
    tcase_add_test (tcase, every_kind_prints_as_it_was_read);
    tcase_add_test (tcase, comments_and_empty_lines_are_nothing);
    tcase_add_test (tcase, what_breaks_a_rule_is_refused_with_its_line);
    tcase_add_test (tcase, a_value_written_twice_is_refused);
    tcase_add_test (tcase, a_line_over_the_limit_is_refused);
    tcase_add_test (tcase, a_key_over_the_limit_is_refused);
    Suite *suite = suite_create ("lin_history");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
