// The node's disk on real files: what each call does from a fiber, with io_uring and without.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/fiber/fiber.h"
#include "actors/fiber/fiber_dispatcher.h"
#include "actors/fiber/fiber_group.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "quiet_env.h"
#include "storage/data_dir.h"
#include "storage/snapshot_store.h"
#include "storage/vfs_uring.h"

static char s_root[64];
static dt_env_t s_env;
static vfs_t *s_vfs;
static bool s_done;
static int s_others; // rounds that another fiber had meanwhile

static void s_setup (void)
{
    strcpy (s_root, "/tmp/test_vfs_uring.XXXXXX");
    ck_assert_ptr_nonnull (mkdtemp (s_root));
    quiet_env_init (&s_env);
    s_env.log_level = DT_LOG_ERROR; // helper threads log what they do not find at debug level
}

static void s_teardown (void)
{
    char command[128];
    snprintf (command, sizeof command, "rm -rf '%s'", s_root);
    ck_assert_int_eq (system (command), 0);
}

static void s_spin (void *argument)
{
    (void) argument;
    while (!s_done) {
        s_others++;
        fiber_yield ();
    }
}

typedef struct {
    fiber_fn *fn;
    fiber_group_t *group;
} main_t;

static void s_main (void *argument)
{
    main_t *self = argument;
    self->fn (NULL);
    s_done = true;
    fiber_group_request_stop (self->group);
}

// Run fn in a fiber that has the disk in s_vfs, once with io_uring and once with a helper thread.
static void s_on_disk (fiber_fn *fn)
{
    for (int use_uring = 0; use_uring < 2; use_uring++) {
        char root[sizeof s_root + 16];
        vfs_uring_t *disk = NULL;
        snprintf (root, sizeof root, "%s/%d", s_root, use_uring);
        char command[128];
        snprintf (command, sizeof command, "mkdir '%s'", root);
        ck_assert_int_eq (system (command), 0);
        fiber_backend_real_t *backend = fiber_backend_real_new (&s_env, use_uring);
        ck_assert_int_eq (vfs_uring_new (root, &s_env, backend, &disk), 0);
        s_vfs = vfs_uring_vfs (disk);
        s_done = false;
        fiber_dispatcher_options_t options = {
            .name = "test", .backend = fiber_backend_real_base (backend), .env = &s_env};
        fiber_dispatcher_t *dispatcher = fiber_dispatcher_new (&options);
        main_t main = {.fn = fn, .group = fiber_group_new (dispatcher, "test")};
        ck_assert_ptr_nonnull (fiber_start (main.group, "main", s_main, &main, NULL));
        ck_assert_ptr_nonnull (fiber_start (main.group, "spin", s_spin, NULL, NULL));
        fiber_dispatcher_request_stop (dispatcher);
        ck_assert_int_eq (fiber_dispatcher_run (dispatcher), 0);
        ck_assert (s_done);
        fiber_dispatcher_destroy (&dispatcher);
        vfs_uring_destroy (&disk);
        fiber_backend_real_destroy (&backend);
    }
}

static vfs_file_t *s_create (const char *path)
{
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, path, VFS_WRITE | VFS_CREATE, &file), 0);
    return file;
}

static void s_write_and_read (void *argument)
{
    enum { BYTES = 300000 };
    (void) argument;
    size_t got = 0;
    uint64_t size = 0;
    uint8_t *data = dt_malloc_aligned (4096, 2 * BYTES);
    uint8_t *back = data + BYTES;
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t) (i * 7 + i / 256);
    }
    vfs_file_t *file = s_create ("f");
    // Plain, aligned (which may go past the page cache) and unaligned writes of one file.
    ck_assert_int_eq (file->ops->write (file, data, 5000, 0), 0);
    ck_assert_int_eq (file->ops->write_sync (file, data + 4096, 65536, 4096), 0);
    ck_assert_int_eq (file->ops->write_sync (file, data + 69632, BYTES - 69632, 69632), 0);
    ck_assert_int_eq (file->ops->sync (file), 0);
    ck_assert_int_eq (file->ops->size (file, &size), 0);
    ck_assert_uint_eq (size, BYTES);
    ck_assert_int_eq (file->ops->read (file, back, BYTES, 0, &got), 0);
    ck_assert_uint_eq (got, BYTES);
    ck_assert_int_eq (memcmp (data, back, BYTES), 0);
    ck_assert_int_eq (file->ops->read (file, back, 100, BYTES - 10, &got), 0);
    ck_assert_uint_eq (got, 10);
    ck_assert_int_eq (file->ops->truncate (file, 100), 0);
    ck_assert_int_eq (file->ops->allocate (file, 8192), 0);
    ck_assert_int_eq (file->ops->size (file, &size), 0);
    ck_assert_uint_eq (size, 8192);
    ck_assert_int_eq (file->ops->close (file), 0);
    free (data);
}

START_TEST (what_was_written_is_read_back)
{
    s_on_disk (s_write_and_read);
}
END_TEST

static void s_count (void *argument, const char *name, bool is_directory)
{
    char *names = argument;
    strcat (names, name);
    strcat (names, is_directory ? "/ " : " ");
}

static void s_names (void *argument)
{
    (void) argument;
    vfs_file_t *file = NULL;
    char names[100] = "";
    uint64_t free_bytes = 0;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "f", VFS_READ, &file), DT_ERR_NOT_FOUND);
    file = s_create ("f");
    ck_assert_int_eq (file->ops->close (file), 0);
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "f", VFS_WRITE | VFS_CREATE, &file), DT_ERR_EXISTS);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "d"), 0);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "d"), 0);
    ck_assert_int_eq (s_vfs->ops->rename (s_vfs, "f", "d/g"), 0);
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), 0);
    ck_assert_int_eq (s_vfs->ops->list (s_vfs, "", s_count, names), 0);
    ck_assert_int_eq (s_vfs->ops->list (s_vfs, "d", s_count, names), 0);
    ck_assert_str_eq (names, "d/ g ");
    ck_assert_int_eq (s_vfs->ops->unlink (s_vfs, "d/g"), 0);
    ck_assert_int_eq (s_vfs->ops->rmdir (s_vfs, "d"), 0);
    ck_assert_int_eq (s_vfs->ops->free_bytes (s_vfs, &free_bytes), 0);
    ck_assert_uint_gt (free_bytes, 0);
}

START_TEST (names_are_made_moved_listed_and_removed)
{
    s_on_disk (s_names);
}
END_TEST

static void s_snapshot (void *argument)
{
    enum { PIECES = 50, PIECE = 100000 };
    (void) argument;
    data_dir_t *dir = NULL;
    data_dir_options_t dir_options = {
        .vfs = s_vfs, .env = &s_env, .name = "test", .cluster_id = 1, .node_id = 2, .is_new = true};
    ck_assert_int_eq (data_dir_open (&dir_options, &dir), 0);
    ck_assert_int_eq (data_dir_add_group (dir, 3), 0);
    snapshot_store_t *store = NULL;
    snapshot_writer_t *writer = NULL;
    snapshot_info_t info;
    snapshot_store_options_t options = {.vfs = s_vfs,
                                        .env = &s_env,
                                        .directory = "groups/3/snapshots",
                                        .identity = {.cluster_id = 1, .group_id = 3}};
    snapshot_meta_t meta = {.index = 9, .term = 1};
    uint8_t *piece = dt_zalloc (1, PIECE);
    ck_assert_int_eq (snapshot_store_open (&options, &store), 0);
    ck_assert_int_eq (snapshot_writer_begin (store, &meta, &writer), 0);
    for (int i = 0; i < PIECES; i++) {
        memset (piece, i, PIECE);
        ck_assert_int_eq (snapshot_writer_add (writer, piece, PIECE), 0);
    }
    ck_assert_int_eq (snapshot_writer_finish (&writer, 5, NULL), 0);
    ck_assert_int_eq (snapshot_store_newest (store, &info, NULL), 0);
    ck_assert_uint_eq (info.index, 9);
    ck_assert_uint_eq (info.total_bytes, (uint64_t) PIECES * PIECE);
    free (piece);
    snapshot_store_close (&store);
    data_dir_close (&dir);
}

START_TEST (snapshot_is_written_and_verified_while_other_fibers_run)
{
    s_others = 0;
    s_on_disk (s_snapshot);
    ck_assert_int_gt (s_others, 10);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("vfs_uring");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, what_was_written_is_read_back);
    tcase_add_test (tcase, names_are_made_moved_listed_and_removed);
    tcase_add_test (tcase, snapshot_is_written_and_verified_while_other_fibers_run);
    Suite *suite = suite_create ("vfs_uring");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
