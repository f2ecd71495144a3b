// The histories of tests/lin/histories: each says in its first line what each checker must find.

#include <check.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lin/lin_judge.h"
#include "tests/lin/lin_window.h"

typedef struct {
    lin_verdict_t index;
    lin_verdict_t wgl;
    lin_verdict_t zones;
} s_expected_t;

static lin_verdict_t s_verdict (const char *word)
{
    return strcmp (word, "good") == 0  ? LIN_GOOD
           : strcmp (word, "bad") == 0 ? LIN_BAD
                                       : LIN_UNDECIDED;
}

static s_expected_t s_expected (const char *path)
{
    char index[16], wgl[16], zones[16];
    FILE *file = fopen (path, "r");
    ck_assert_ptr_nonnull (file);
    int got = fscanf (file, "# expect index=%15s wgl=%15s zones=%15s", index, wgl, zones);
    fclose (file);
    ck_assert_msg (got == 3, "%s: no expectation", path);
    return (s_expected_t){s_verdict (index), s_verdict (wgl), s_verdict (zones)};
}

static void s_load (lin_history_t *history, const char *path)
{
    size_t line;
    const char *why = "";
    lin_history_init (history);
    int rc = lin_history_load (history, path, &line, &why);
    ck_assert_msg (rc == 0, "%s:%zu: %s", path, line, why);
}

typedef void (s_visit_t) (const char *path, const lin_history_t *history);

static int s_each (s_visit_t *visit, const char *prefix)
{
    int count = 0;
    DIR *folder = opendir (LIN_HISTORIES);
    ck_assert_ptr_nonnull (folder);
    for (struct dirent *entry; (entry = readdir (folder));) {
        if (strncmp (entry->d_name, prefix, strlen (prefix)) == 0) {
            char path[1024];
            snprintf (path, sizeof path, "%s/%s", LIN_HISTORIES, entry->d_name);
            lin_history_t history;
            s_load (&history, path);
            visit (path, &history);
            lin_history_deinit (&history);
            count++;
        }
    }
    closedir (folder);
    return count;
}

static void s_check_verdicts (const char *path, const lin_history_t *history)
{
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    s_expected_t expected = s_expected (path);
    lin_judge_t judge = lin_judge (history, &limits);
    ck_assert_msg (judge.index.verdict == expected.index, "%s: index %d %s", path,
                   judge.index.verdict, judge.index.why ? judge.index.why : "");
    ck_assert_msg (judge.wgl == expected.wgl, "%s: wgl %d", path, judge.wgl);
    ck_assert_msg (judge.zones == expected.zones, "%s: zones %d", path, judge.zones);
}

static void s_check_good (const char *path, const lin_history_t *history)
{
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    ck_assert_msg (lin_judge (history, &limits).verdict == LIN_GOOD, "%s", path);
    s_check_verdicts (path, history);
}

static void s_check_bad (const char *path, const lin_history_t *history)
{
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    ck_assert_msg (lin_judge (history, &limits).verdict == LIN_BAD, "%s", path);
    s_check_verdicts (path, history);
}

// Reduced to a window, a bad history is still bad, and no longer.
static void s_check_window (const char *path, const lin_history_t *history)
{
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    for (uint32_t i = 0; i < history->key_count; i++) {
        lin_key_t key;
        lin_key_init (&key, history, i);
        if (lin_wgl (key.ops, key.count, &limits) == LIN_BAD) {
            bool from_any;
            size_t count = lin_window (key.ops, key.count, &limits, &from_any);
            lin_wgl_limits_t again = limits;
            again.first_state = from_any ? LIN_ANY_STATE : 0;
            ck_assert_msg (count <= key.count && lin_wgl (key.ops, count, &again) == LIN_BAD, "%s",
                           path);
        }
        lin_key_deinit (&key);
    }
}

START_TEST (good_histories_pass_every_checker)
{
    ck_assert_int_ge (s_each (s_check_good, "good_"), 15);
}
END_TEST

START_TEST (bad_histories_are_found_by_the_checkers_they_name)
{
    ck_assert_int_ge (s_each (s_check_bad, "bad_"), 20);
}
END_TEST

START_TEST (a_window_of_a_bad_history_is_bad)
{
    ck_assert_int_ge (s_each (s_check_window, "bad_"), 20);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("files");
    tcase_add_test (tcase, good_histories_pass_every_checker);
    tcase_add_test (tcase, bad_histories_are_found_by_the_checkers_they_name);
    tcase_add_test (tcase, a_window_of_a_bad_history_is_bad);
    Suite *suite = suite_create ("lin_files");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
