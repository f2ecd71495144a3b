#include <check.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/dt_buffer.h"
#include "dtkv/cli/dtctl_walk.h"

static char s_root[64];

static void s_setup (void)
{
    strcpy (s_root, "/tmp/test-dtctl-walk-XXXXXX");
    ck_assert_ptr_nonnull (mkdtemp (s_root));
    ck_assert_int_eq (chdir (s_root), 0);
}

static int s_remove (const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;
    return remove (path);
}

static void s_teardown (void)
{
    ck_assert_int_eq (chdir ("/"), 0);
    ck_assert_int_eq (nftw (s_root, s_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void s_file (const char *path)
{
    FILE *file = fopen (path, "w");
    ck_assert_ptr_nonnull (file);
    fputs ("12345", file);
    fclose (file);
}

// Everything a walk gives, as "kind path|folder" lines.
static void s_expect (bool follow, const char *expected)
{
    static const char kinds[] = {'f', 'd', 'l', 'o', '!', 'L'};
    dtctl_walk_entry_t entry;
    dt_buffer_t text = {0};
    dtctl_walk_t *walk = dtctl_walk_new (s_root, follow);
    ck_assert_ptr_nonnull (walk);
    while (dtctl_walk_next (walk, &entry)) {
        dt_buffer_printf (&text, "%c %s|%s\n", kinds[entry.kind], entry.path, entry.folder);
        if (entry.kind == DTCTL_WALK_FILE) {
            ck_assert_uint_eq (entry.bytes, 5);
            ck_assert_int_eq (faccessat (entry.folder_fd, entry.name, F_OK, 0), 0);
        }
    }
    dt_buffer_append (&text, "", 1);
    ck_assert_str_eq ((char *) text.data, expected);
    dt_buffer_deinit (&text);
    dtctl_walk_destroy (&walk);
    ck_assert_ptr_null (walk);
}

START_TEST (directories_come_before_what_they_hold_in_byte_order)
{
    mkdir ("b", 0777);
    mkdir ("b/d", 0777);
    mkdir ("empty", 0777);
    s_file ("c");
    s_file ("a");
    s_file ("b/d/x");
    s_file ("b/z");
    s_expect (false, "f a|\nd b|\nd b/d|b\nf b/d/x|b/d\nf b/z|b\nf c|\nd empty|\n");
}
END_TEST

START_TEST (links_are_links_unless_they_are_followed)
{
    mkdir ("d", 0777);
    s_file ("d/x");
    ck_assert_int_eq (symlink ("d", "l"), 0);
    ck_assert_int_eq (symlink ("d/x", "m"), 0);
    ck_assert_int_eq (symlink ("nowhere", "n"), 0);
    s_expect (false, "d d|\nf d/x|d\nl l|\nl m|\nl n|\n");
    s_expect (true, "d d|\nf d/x|d\nd l|\nf l/x|l\nf m|\n! n|\n");
}
END_TEST

START_TEST (a_loop_of_links_ends)
{
    mkdir ("d", 0777);
    ck_assert_int_eq (symlink ("..", "d/up"), 0);
    ck_assert_int_eq (symlink (".", "d/here"), 0);
    s_expect (true, "d d|\nL d/here|d\nL d/up|d\n");
}
END_TEST

START_TEST (what_is_neither_file_nor_directory_is_named_as_such)
{
    ck_assert_int_eq (mkfifo ("p", 0600), 0);
    s_expect (false, "o p|\n");
}
END_TEST

START_TEST (a_root_that_is_no_directory_is_refused)
{
    s_file ("x");
    ck_assert_ptr_null (dtctl_walk_new ("x", false));
    ck_assert_int_eq (errno, ENOTDIR);
    ck_assert_ptr_null (dtctl_walk_new ("none", false));
    ck_assert_int_eq (errno, ENOENT);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("walk");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_add_test (tcase, directories_come_before_what_they_hold_in_byte_order);
    tcase_add_test (tcase, links_are_links_unless_they_are_followed);
    tcase_add_test (tcase, a_loop_of_links_ends);
    tcase_add_test (tcase, what_is_neither_file_nor_directory_is_named_as_such);
    tcase_add_test (tcase, a_root_that_is_no_directory_is_refused);
    Suite *suite = suite_create ("dtctl_walk");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
