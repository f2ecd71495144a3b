#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_random.h"
#include "dtkv/cli/dtctl_line.h"
#include "dtkv/cli/dtctl_text.h"

typedef struct {
    int rc;
    dtctl_line_t line;
    dt_buffer_t words;
    const char *problem;
    size_t column;
} s_parsed_t;

static s_parsed_t s_parse (const char *text, size_t bytes)
{
    s_parsed_t result = {0};
    // The words of earlier lines stay in front.
    dt_buffer_append (&result.words, "before", 6);
    result.rc = dtctl_line_parse (text, bytes, &result.words, &result.line, &result.problem,
                                  &result.column);
    ck_assert_mem_eq (result.words.data, "before", 6);
    return result;
}

static void s_expect (const char *text, dtctl_line_verb_t verb, const char *key, size_t key_bytes,
                      const char *value, size_t value_bytes)
{
    s_parsed_t parsed = s_parse (text, strlen (text));
    ck_assert_msg (parsed.rc == 0, "%s: %s", text, parsed.problem);
    ck_assert_int_eq (parsed.line.verb, verb);
    ck_assert_uint_eq (parsed.line.key_bytes, key_bytes);
    ck_assert_mem_eq (parsed.words.data + parsed.line.key_at, key, key_bytes);
    ck_assert_uint_eq (parsed.line.value_bytes, value_bytes);
    ck_assert_mem_eq (parsed.words.data + parsed.line.value_at, value, value_bytes);
    dt_buffer_deinit (&parsed.words);
}

static void s_refuse (const char *text, const char *problem, size_t column)
{
    s_parsed_t parsed = s_parse (text, strlen (text));
    ck_assert_int_eq (parsed.rc, DT_ERR_INVALID);
    ck_assert_msg (strstr (parsed.problem, problem), "%s: %s", text, parsed.problem);
    ck_assert_uint_eq (parsed.column, column);
    ck_assert_uint_eq (parsed.words.bytes, 6);
    dt_buffer_deinit (&parsed.words);
}

START_TEST (verbs_take_their_words)
{
    s_expect ("put a.b 1", DTCTL_LINE_PUT, "a.b", 3, "1", 1);
    s_expect ("rm a.b", DTCTL_LINE_REMOVE, "a.b", 3, "", 0);
    s_expect (" \tget\ta.b  \r\n", DTCTL_LINE_GET, "a.b", 3, "", 0);
}
END_TEST

START_TEST (empty_lines_and_comments_do_nothing)
{
    static const char *const lines[] = {"", "\n", "\r\n", "  \t ", "# put a b", "   # x"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        s_parsed_t parsed = s_parse (lines[i], strlen (lines[i]));
        ck_assert_int_eq (parsed.rc, 0);
        ck_assert_int_eq (parsed.line.verb, DTCTL_LINE_NOTHING);
        ck_assert_uint_eq (parsed.words.bytes, 6);
        dt_buffer_deinit (&parsed.words);
    }
}
END_TEST

START_TEST (a_comment_may_follow_and_a_hash_inside_a_word_is_none)
{
    s_expect ("put a b # c", DTCTL_LINE_PUT, "a", 1, "b", 1);
    s_expect ("put a#x b#y", DTCTL_LINE_PUT, "a#x", 3, "b#y", 3);
    s_expect ("put a '#'", DTCTL_LINE_PUT, "a", 1, "#", 1);
}
END_TEST

START_TEST (single_quotes_take_everything_as_it_is)
{
    s_expect ("put 'a b' 'c\\n \"d\"'", DTCTL_LINE_PUT, "a b", 3, "c\\n \"d\"", 7);
}
END_TEST

START_TEST (double_quotes_know_escapes)
{
    s_expect ("put k \"\\\\ \\\" \\n\\r\\t\\0\\x7f\\xFf\"", DTCTL_LINE_PUT, "k", 1,
              "\\ \" \n\r\t\0\x7f\xff", 10);
}
END_TEST

START_TEST (pieces_without_a_blank_between_are_one_word)
{
    s_expect ("put a'b c'\"d\\x20e\"f ''", DTCTL_LINE_PUT, "ab cd ef", 8, "", 0);
}
END_TEST

START_TEST (a_wrong_line_is_refused_with_the_place)
{
    s_refuse ("set a b", "unknown verb", 1);
    s_refuse ("put", "key is missing", 4);
    s_refuse ("put a", "value is missing", 6);
    s_refuse ("rm a b", "a word too much", 7);
    s_refuse ("put a b c", "a word too much", 10);
    s_refuse ("put a 'b", "never closed", 7);
    s_refuse ("put a \"b", "never closed", 7);
    s_refuse ("put a b\\c", "backslash must stand inside quotes", 8);
    s_refuse ("put a \"\\q\"", "unknown escape", 10);
    s_refuse ("put a \"\\xg0\"", "two hexadecimal digits", 10);
    s_refuse ("put a \"\\x", "two hexadecimal digits", 10);
    s_refuse ("put a \"\\", "ends inside an escape", 9);
}
END_TEST

START_TEST (what_is_quoted_for_people_reads_back_as_the_same_bytes)
{
    dt_random_t random;
    uint64_t seed = 20240607;
    dt_random_init (&random, seed);
    for (int round = 0; round < 2000; round++) {
        char value[64];
        size_t bytes = (size_t) dt_random_below (&random, sizeof value);
        for (size_t i = 0; i < bytes; i++) {
            // Half of the bytes are ones that the quoting cares about.
            value[i] = dt_random_chance (&random, 1, 2)
                           ? "\"\\'\n\t #\xc3\xa9"[dt_random_below (&random, 9)]
                           : (char) dt_random_next (&random);
        }
        dt_buffer_t line = {0};
        dt_buffer_printf (&line, "put k ");
        dtctl_text_quote (&line, value, bytes);
        s_parsed_t parsed = s_parse ((char *) line.data, line.bytes);
        ck_assert_msg (parsed.rc == 0, "seed %llu round %d: %s", (unsigned long long) seed, round,
                       parsed.problem);
        ck_assert_uint_eq (parsed.line.value_bytes, bytes);
        ck_assert_mem_eq (parsed.words.data + parsed.line.value_at, value, bytes);
        dt_buffer_deinit (&line);
        dt_buffer_deinit (&parsed.words);
    }
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("line");
    tcase_add_test (tcase, verbs_take_their_words);
    tcase_add_test (tcase, empty_lines_and_comments_do_nothing);
    tcase_add_test (tcase, a_comment_may_follow_and_a_hash_inside_a_word_is_none);
    tcase_add_test (tcase, single_quotes_take_everything_as_it_is);
    tcase_add_test (tcase, double_quotes_know_escapes);
    tcase_add_test (tcase, pieces_without_a_blank_between_are_one_word);
    tcase_add_test (tcase, a_wrong_line_is_refused_with_the_place);
    tcase_add_test (tcase, what_is_quoted_for_people_reads_back_as_the_same_bytes);
    Suite *suite = suite_create ("dtctl_line");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
