#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "storage/vfs_posix.h"

static char root[64];
static dt_env_t env;
static vfs_posix_t *posix;
static vfs_t *vfs;

static void s_setup (void)
{
    strcpy (root, "/tmp/test_vfs_posix.XXXXXX");
    ck_assert_ptr_nonnull (mkdtemp (root));
    dt_env_posix_init (&env, 2, DT_LOG_ERROR);
    ck_assert_int_eq (vfs_posix_new (root, &env, &posix), 0);
    vfs = vfs_posix_vfs (posix);
}

static void s_remove (void *argument, const char *name, bool is_directory)
{
    char path[300];
    snprintf (path, sizeof path, "%s%s", (const char *) argument, name);
    if (is_directory) {
        vfs->ops->rmdir (vfs, path);
    } else {
        vfs->ops->unlink (vfs, path);
    }
}

static void s_teardown (void)
{
    vfs->ops->list (vfs, "d", s_remove, "d/");
    vfs->ops->list (vfs, ".", s_remove, "");
    vfs_posix_destroy (&posix);
    ck_assert_int_eq (rmdir (root), 0);
}

static vfs_file_t *s_create (const char *path)
{
    vfs_file_t *file = NULL;
    ck_assert_int_eq (vfs->ops->open (vfs, path, VFS_WRITE | VFS_CREATE, &file), 0);
    return file;
}

START_TEST (written_bytes_are_read_back)
{
    vfs_file_t *file = s_create ("a");
    char buffer[32];
    size_t got;
    uint64_t bytes;
    ck_assert_int_eq (file->ops->write (file, "hello", 5, 10), 0);
    ck_assert_int_eq (file->ops->sync (file), 0);
    ck_assert_int_eq (file->ops->write_sync (file, "world", 5, 15), 0);
    ck_assert_int_eq (file->ops->size (file, &bytes), 0);
    ck_assert_uint_eq (bytes, 20);
    ck_assert_int_eq (file->ops->read (file, buffer, sizeof buffer, 8, &got), 0);
    ck_assert_uint_eq (got, 12);
    ck_assert_mem_eq (buffer, "\0\0helloworld", 12);
    ck_assert_int_eq (file->ops->close (file), 0);
}
END_TEST

START_TEST (read_beyond_the_end_gets_nothing)
{
    vfs_file_t *file = s_create ("a");
    char buffer[8];
    size_t got = 1;
    ck_assert_int_eq (file->ops->read (file, buffer, sizeof buffer, 100, &got), 0);
    ck_assert_uint_eq (got, 0);
    file->ops->close (file);
}
END_TEST

START_TEST (allocate_makes_size_and_truncate_takes_it)
{
    vfs_file_t *file = s_create ("a");
    uint64_t bytes = 0;
    ck_assert_int_eq (file->ops->allocate (file, 8192), 0);
    file->ops->size (file, &bytes);
    ck_assert_uint_eq (bytes, 8192);
    ck_assert_int_eq (file->ops->truncate (file, 100), 0);
    file->ops->size (file, &bytes);
    ck_assert_uint_eq (bytes, 100);
    file->ops->close (file);
}
END_TEST

START_TEST (errors_have_their_codes)
{
    vfs_file_t *file = s_create ("a");
    file->ops->close (file);
    ck_assert_int_eq (vfs->ops->open (vfs, "none", VFS_READ, &file), DT_ERR_NOT_FOUND);
    ck_assert_int_eq (vfs->ops->open (vfs, "a", VFS_WRITE | VFS_CREATE, &file), DT_ERR_EXISTS);
    ck_assert_int_eq (vfs->ops->unlink (vfs, "none"), DT_ERR_NOT_FOUND);
    ck_assert_int_eq (vfs->ops->rename (vfs, "none", "b"), DT_ERR_NOT_FOUND);
    ck_assert_int_eq (vfs->ops->mkdir (vfs, "a"), DT_ERR_EXISTS);
    ck_assert_int_eq (vfs->ops->sync_directory (vfs, "none"), DT_ERR_NOT_FOUND);
    vfs_posix_t *other = NULL;
    dt_env_t quiet = env;
    quiet.log_level = DT_LOG_ERROR + 1;
    ck_assert_int_eq (vfs_posix_new ("/nonexistent", &quiet, &other), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (write_to_a_file_open_for_reading_is_an_error)
{
    vfs_file_t *file = s_create ("a");
    file->ops->close (file);
    ck_assert_int_eq (vfs->ops->open (vfs, "a", VFS_READ, &file), 0);
    env.log_level = DT_LOG_ERROR + 1;
    ck_assert_int_eq (file->ops->write (file, "x", 1, 0), DT_ERR_IO);
    file->ops->close (file);
}
END_TEST

START_TEST (create_with_truncate_empties_a_file)
{
    vfs_file_t *file = s_create ("a");
    uint64_t bytes = 1;
    file->ops->write (file, "x", 1, 0);
    file->ops->close (file);
    int flags = VFS_WRITE | VFS_CREATE | VFS_TRUNCATE;
    ck_assert_int_eq (vfs->ops->open (vfs, "a", flags, &file), 0);
    file->ops->size (file, &bytes);
    ck_assert_uint_eq (bytes, 0);
    file->ops->close (file);
}
END_TEST

static void s_note (void *argument, const char *name, bool is_directory)
{
    strcat (argument, name);
    strcat (argument, is_directory ? "/ " : " ");
}

START_TEST (list_is_in_byte_order_and_tells_directories)
{
    char names[100] = "";
    const char *create[] = {"b", "a", "C", "aa"};
    for (int i = 0; i < 4; i++) {
        vfs_file_t *file = s_create (create[i]);
        file->ops->close (file);
    }
    ck_assert_int_eq (vfs->ops->mkdir (vfs, "d"), 0);
    ck_assert_int_eq (vfs->ops->mkdir (vfs, "d"), 0);
    ck_assert_int_eq (vfs->ops->list (vfs, ".", s_note, names), 0);
    ck_assert_str_eq (names, "C a aa b d/ ");
    ck_assert_int_eq (vfs->ops->list (vfs, "none", s_note, names), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (rename_replaces_its_target)
{
    vfs_file_t *file = s_create ("a");
    uint64_t bytes = 0;
    file->ops->write (file, "xyz", 3, 0);
    file->ops->close (file);
    file = s_create ("b");
    file->ops->close (file);
    ck_assert_int_eq (vfs->ops->rename (vfs, "a", "b"), 0);
    ck_assert_int_eq (vfs->ops->sync_directory (vfs, ""), 0);
    ck_assert_int_eq (vfs->ops->open (vfs, "b", VFS_READ, &file), 0);
    file->ops->size (file, &bytes);
    ck_assert_uint_eq (bytes, 3);
    file->ops->close (file);
    ck_assert_int_eq (vfs->ops->open (vfs, "a", VFS_READ, &file), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (lock_keeps_another_process_out)
{
    ck_assert_int_eq (vfs->ops->lock (vfs, "."), 0);
    pid_t pid = fork ();
    if (pid == 0) {
        vfs_posix_t *other = NULL;
        int rc = vfs_posix_new (root, &env, &other);
        if (rc == 0) {
            rc = vfs_posix_vfs (other)->ops->lock (vfs_posix_vfs (other), ".");
        }
        _exit (rc == DT_ERR_IN_USE ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq (waitpid (pid, &status, 0), pid);
    ck_assert_int_eq (status, 0);
}
END_TEST

START_TEST (free_bytes_are_told)
{
    uint64_t bytes = 0;
    ck_assert_int_eq (vfs->ops->free_bytes (vfs, &bytes), 0);
    ck_assert_uint_gt (bytes, 0);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("vfs_posix");
    TCase *tcase = tcase_create ("vfs_posix");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_add_test (tcase, written_bytes_are_read_back);
    tcase_add_test (tcase, read_beyond_the_end_gets_nothing);
    tcase_add_test (tcase, allocate_makes_size_and_truncate_takes_it);
    tcase_add_test (tcase, errors_have_their_codes);
    tcase_add_test (tcase, write_to_a_file_open_for_reading_is_an_error);
    tcase_add_test (tcase, create_with_truncate_empties_a_file);
    tcase_add_test (tcase, list_is_in_byte_order_and_tells_directories);
    tcase_add_test (tcase, rename_replaces_its_target);
    tcase_add_test (tcase, lock_keeps_another_process_out);
    tcase_add_test (tcase, free_bytes_are_told);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
