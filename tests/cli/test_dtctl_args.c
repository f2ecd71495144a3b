#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "dtkv/cli/dtctl_args.h"

static const dtctl_flag_t s_global[] = {
    {"endpoint", 'e', "ADDRESS", "", true},
    {"timeout", 't', "DURATION", "", false},
    {"hex", 0, NULL, "", false},
    {0},
};
static const dtctl_flag_t s_local[] = {
    {"recursive", 'R', NULL, "", false},
    {"long", 'l', NULL, "", false},
    {0},
};

enum { S_MAX = 16 };

typedef struct {
    dtctl_args_t args;
    dt_buffer_t problem;
    int rc;
} s_parsed_t;

// Parse words that are separated by single blanks.
static s_parsed_t *s_parse (const char *words)
{
    static s_parsed_t parsed;
    char *list[S_MAX];
    int count = 0;
    char *text = strdup (words);
    char *rest = text;
    char *word;
    while (*words && (word = strsep (&rest, " "))) {
        list[count++] = word;
    }
    memset (&parsed, 0, sizeof parsed);
    dtctl_args_init (&parsed.args);
    dtctl_args_allow (&parsed.args, s_global);
    dtctl_args_allow (&parsed.args, s_local);
    parsed.rc = dtctl_args_parse (&parsed.args, count, list, &parsed.problem);
    dt_buffer_append (&parsed.problem, "", 1);
    // Arguments point into the text: keep copies that outlive it.
    for (size_t i = 0; i < parsed.args.arguments_count; i++) {
        parsed.args.arguments[i] = strdup (parsed.args.arguments[i]);
    }
    free (text);
    return &parsed;
}

static void s_free (s_parsed_t *parsed)
{
    for (size_t i = 0; i < parsed->args.arguments_count; i++) {
        free ((char *) parsed->args.arguments[i]);
    }
    dtctl_args_deinit (&parsed->args);
    dt_buffer_deinit (&parsed->problem);
}

static void s_refuse (const char *words, const char *problem)
{
    s_parsed_t *parsed = s_parse (words);
    ck_assert_int_eq (parsed->rc, DT_ERR_USAGE);
    ck_assert_str_eq ((char *) parsed->problem.data, problem);
    s_free (parsed);
}

START_TEST (flags_are_taken_in_every_form_and_place)
{
    static const char *const forms[] = {
        "--timeout 5s a -R b", "a --timeout=5s b --recursive", "-t 5s -R a b", "a b -Rt5s",
        "-Rt=5s a b",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        s_parsed_t *parsed = s_parse (forms[i]);
        ck_assert_int_eq (parsed->rc, 0);
        ck_assert_str_eq (dtctl_args_value (&parsed->args, "timeout"), "5s");
        ck_assert (dtctl_args_has (&parsed->args, "recursive"));
        ck_assert (!dtctl_args_has (&parsed->args, "long"));
        ck_assert_uint_eq (parsed->args.arguments_count, 2);
        ck_assert_str_eq (parsed->args.arguments[0], "a");
        ck_assert_str_eq (parsed->args.arguments[1], "b");
        s_free (parsed);
    }
}
END_TEST

START_TEST (two_dashes_end_the_flags_and_one_is_an_argument)
{
    s_parsed_t *parsed = s_parse ("- -- -R --timeout");
    ck_assert_int_eq (parsed->rc, 0);
    ck_assert_uint_eq (parsed->args.arguments_count, 3);
    ck_assert_str_eq (parsed->args.arguments[0], "-");
    ck_assert_str_eq (parsed->args.arguments[1], "-R");
    ck_assert (!dtctl_args_has (&parsed->args, "recursive"));
    s_free (parsed);
}
END_TEST

START_TEST (a_flag_that_repeats_joins_its_values)
{
    s_parsed_t *parsed = s_parse ("-e a --endpoint b,c");
    ck_assert_int_eq (parsed->rc, 0);
    ck_assert_str_eq (dtctl_args_value (&parsed->args, "endpoint"), "a,b,c");
    s_free (parsed);
}
END_TEST

START_TEST (wrong_flags_are_refused_with_a_proposal)
{
    s_refuse ("--recursiv", "unknown flag --recursiv; did you mean --recursive?");
    s_refuse ("--tiemout=5s", "unknown flag --tiemout; did you mean --timeout?");
    s_refuse ("--frobnicate",
              "unknown flag --frobnicate; if it is an argument, write -- before it");
    s_refuse ("-5", "unknown flag -5; if it is an argument, write -- before it");
    s_refuse ("-Rx", "unknown flag -Rx; if it is an argument, write -- before it");
    s_refuse ("--timeout", "--timeout needs a value: --timeout DURATION");
    s_refuse ("-t", "--timeout needs a value: --timeout DURATION");
    s_refuse ("--hex=1", "--hex takes no value");
    s_refuse ("-t 1s -t 2s", "--timeout is given twice");
}
END_TEST

START_TEST (the_command_is_found_behind_global_flags)
{
    dtctl_args_t args;
    dtctl_args_init (&args);
    dtctl_args_allow (&args, s_global);
    char *line[] = {"--timeout", "5s", "--hex", "-e", "x", "--endpoint=y", "-ez", "ls", "put"};
    ck_assert_int_eq (dtctl_args_find_command (&args, 9, line), 7);
    ck_assert_int_eq (dtctl_args_find_command (&args, 7, line), 7);
    char *ended[] = {"--", "ls"};
    ck_assert_int_eq (dtctl_args_find_command (&args, 2, ended), 2);
    dtctl_args_deinit (&args);
}
END_TEST

START_TEST (a_default_does_not_beat_the_command_line)
{
    s_parsed_t *parsed = s_parse ("-t 1s");
    dtctl_args_default (&parsed->args, "timeout", "9s");
    dtctl_args_default (&parsed->args, "endpoint", "x");
    ck_assert_str_eq (dtctl_args_value (&parsed->args, "timeout"), "1s");
    ck_assert_str_eq (dtctl_args_value (&parsed->args, "endpoint"), "x");
    s_free (parsed);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("args");
    tcase_add_test (tcase, flags_are_taken_in_every_form_and_place);
    tcase_add_test (tcase, two_dashes_end_the_flags_and_one_is_an_argument);
    tcase_add_test (tcase, a_flag_that_repeats_joins_its_values);
    tcase_add_test (tcase, wrong_flags_are_refused_with_a_proposal);
    tcase_add_test (tcase, the_command_is_found_behind_global_flags);
    tcase_add_test (tcase, a_default_does_not_beat_the_command_line);
    Suite *suite = suite_create ("dtctl_args");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
