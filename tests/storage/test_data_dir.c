// The data directory: whose it is, who may open it, what a crash leaves of it.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "quiet_env.h"
#include "storage/data_dir.h"
#include "storage/vfs_sim.h"

static dt_env_t s_env;
static vfs_sim_disk_t *s_disk;
static vfs_sim_t *s_mount;
static vfs_t *s_vfs;
static data_dir_t *s_dir;

static void s_remount (void)
{
    data_dir_close (&s_dir);
    vfs_sim_unmount (&s_mount);
    s_mount = vfs_sim_mount (s_disk, "", NULL, NULL);
    s_vfs = vfs_sim_vfs (s_mount);
}

static void s_start (uint64_t seed)
{
    quiet_env_init (&s_env);
    s_disk = vfs_sim_disk_new (seed, &s_env);
    s_remount ();
}

static void s_setup (void)
{
    s_start (1);
}

static void s_teardown (void)
{
    data_dir_close (&s_dir);
    vfs_sim_unmount (&s_mount);
    vfs_sim_disk_destroy (&s_disk);
}

static void s_crash (void)
{
    vfs_sim_crash (s_disk);
    s_remount ();
}

static int s_open_as (uint64_t cluster_id, uint32_t node_id, bool is_new)
{
    data_dir_options_t options = {
        .vfs = s_vfs,
        .env = &s_env,
        .name = "/data/x",
        .cluster_id = cluster_id,
        .node_id = node_id,
        .is_new = is_new,
    };
    return data_dir_open (&options, &s_dir);
}

// A directory of node 2 of cluster 0xabc, closed.
static void s_make (void)
{
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    s_remount ();
}

static void s_put (const char *path)
{
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, path, VFS_WRITE | VFS_CREATE, &file), 0);
    ck_assert_int_eq (file->ops->write_sync (file, "x", 1, 0), 0);
    ck_assert_int_eq (file->ops->close (file), 0);
}

START_TEST (new_node_initialises_an_empty_directory)
{
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    const data_dir_identity_t *identity = data_dir_identity (s_dir);
    ck_assert_uint_eq (identity->cluster_id, 0xabc);
    ck_assert_uint_eq (identity->node_id, 2);
    ck_assert_uint_eq (identity->version, DATA_DIR_VERSION);
    s_crash ();
    ck_assert_int_eq (s_open_as (0xabc, 2, false), 0);
    ck_assert_uint_eq (data_dir_identity (s_dir)->created_ms, 1700000000000);
}
END_TEST

START_TEST (new_node_opens_its_own_directory_again)
{
    s_make ();
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
}
END_TEST

START_TEST (empty_directory_of_a_node_that_is_not_new_is_refused)
{
    ck_assert_int_eq (s_open_as (0xabc, 2, false), DT_ERR_NOT_FOUND);
    ck_assert (quiet_env_said ("/data/x is empty, expected the data of node 2 of cluster "
                               "0000000000000abc"));
    ck_assert (quiet_env_said ("under a new id"));
    ck_assert_uint_eq (vfs_sim_counters (s_disk)->changes, 0);
}
END_TEST

START_TEST (directory_of_another_node_is_refused)
{
    s_make ();
    ck_assert_int_eq (s_open_as (0xabc, 3, true), DT_ERR_FOREIGN);
    ck_assert (quiet_env_said ("/data/x belongs to node 2 of cluster 0000000000000abc, expected "
                               "node 3 of cluster 0000000000000abc"));
}
END_TEST

START_TEST (directory_of_another_cluster_is_refused)
{
    s_make ();
    ck_assert_int_eq (s_open_as (0xabd, 2, false), DT_ERR_FOREIGN);
}
END_TEST

START_TEST (directory_with_files_but_without_identity_is_refused)
{
    s_put ("holiday.jpg");
    ck_assert_int_eq (s_open_as (0xabc, 2, true), DT_ERR_FOREIGN);
    ck_assert (quiet_env_said ("holiday.jpg"));
}
END_TEST

START_TEST (directory_that_lost_its_identity_but_has_groups_is_refused)
{
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    ck_assert_int_eq (data_dir_add_group (s_dir, 7), 0);
    ck_assert_int_eq (s_vfs->ops->unlink (s_vfs, DATA_DIR_IDENTITY_NAME), 0);
    s_remount ();
    ck_assert_int_eq (s_open_as (0xabc, 2, true), DT_ERR_FOREIGN);
    ck_assert_int_eq (s_open_as (0xabc, 2, false), DT_ERR_FOREIGN);
}
END_TEST

START_TEST (directory_in_use_is_refused)
{
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    vfs_sim_t *other = vfs_sim_mount (s_disk, "", NULL, NULL);
    data_dir_t *dir = NULL;
    data_dir_options_t options = {.vfs = vfs_sim_vfs (other),
                                  .env = &s_env,
                                  .name = "/data/x",
                                  .cluster_id = 0xabc,
                                  .node_id = 2};
    ck_assert_int_eq (data_dir_open (&options, &dir), DT_ERR_IN_USE);
    ck_assert (quiet_env_said ("/data/x is in use by another process"));
    vfs_sim_kill_mount (s_mount);
    ck_assert_int_eq (data_dir_open (&options, &dir), 0);
    data_dir_close (&dir);
    vfs_sim_unmount (&other);
}
END_TEST

START_TEST (every_flipped_bit_of_the_identity_is_noticed)
{
    s_make ();
    for (uint64_t bit = 0; bit < 8 * DATA_DIR_IDENTITY_BYTES; bit++) {
        uint8_t mask = (uint8_t) (1u << bit % 8);
        ck_assert_int_eq (vfs_sim_rot (s_disk, "identity", bit / 8, mask), 0);
        ck_assert_int_eq (s_open_as (0xabc, 2, true), DT_ERR_CORRUPT);
        ck_assert_int_eq (vfs_sim_rot (s_disk, "identity", bit / 8, mask), 0);
        s_remount ();
    }
    ck_assert_int_eq (s_open_as (0xabc, 2, false), 0);
}
END_TEST

START_TEST (identity_of_another_size_is_damage)
{
    s_make ();
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "identity", VFS_WRITE, &file), 0);
    ck_assert_int_eq (file->ops->write (file, "x", 1, DATA_DIR_IDENTITY_BYTES), 0);
    ck_assert_int_eq (s_open_as (0xabc, 2, true), DT_ERR_CORRUPT);
    ck_assert_int_eq (file->ops->truncate (file, 0), 0);
    ck_assert_int_eq (s_open_as (0xabc, 2, true), DT_ERR_CORRUPT);
    ck_assert_int_eq (file->ops->close (file), 0);
}
END_TEST

static void s_put_identity (const uint8_t data[DATA_DIR_IDENTITY_BYTES])
{
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "identity", VFS_WRITE | VFS_CREATE, &file), 0);
    ck_assert_int_eq (file->ops->write_sync (file, data, DATA_DIR_IDENTITY_BYTES, 0), 0);
    ck_assert_int_eq (file->ops->close (file), 0);
}

START_TEST (directory_keeps_its_id_and_no_other_has_it)
{
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    uint64_t id = data_dir_identity (s_dir)->id;
    ck_assert_uint_ne (id, 0);
    s_crash ();
    ck_assert_int_eq (s_open_as (0xabc, 2, false), 0);
    ck_assert_uint_eq (data_dir_identity (s_dir)->id, id);
    // Lost, and made again in the same millisecond.
    s_remount ();
    ck_assert_int_eq (s_vfs->ops->unlink (s_vfs, "identity"), 0);
    ck_assert_int_eq (s_vfs->ops->rmdir (s_vfs, "groups"), 0);
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    ck_assert_uint_ne (data_dir_identity (s_dir)->id, id);
}
END_TEST

START_TEST (directory_of_version_1_keeps_the_id_that_its_group_knows)
{
    uint8_t data[DATA_DIR_IDENTITY_BYTES];
    data_dir_identity_t identity = {
        .cluster_id = 0xabc, .node_id = 2, .version = 1, .created_ms = 1700000000000};
    data_dir_identity_encode (&identity, data);
    s_put_identity (data);
    ck_assert_int_eq (s_open_as (0xabc, 2, false), 0);
    ck_assert_uint_eq (data_dir_identity (s_dir)->version, 1);
    ck_assert_uint_eq (data_dir_identity (s_dir)->id, UINT64_C (0x6293d2c17810069));
}
END_TEST

START_TEST (identity_without_directory_id_is_damage)
{
    uint8_t data[DATA_DIR_IDENTITY_BYTES];
    data_dir_identity_t identity = {.cluster_id = 0xabc, .node_id = 2, .version = 2};
    data_dir_identity_encode (&identity, data);
    s_put_identity (data);
    ck_assert_int_eq (s_open_as (0xabc, 2, false), DT_ERR_CORRUPT);
}
END_TEST

START_TEST (newer_format_is_refused_with_the_remedy)
{
    uint8_t data[DATA_DIR_IDENTITY_BYTES];
    data_dir_identity_t identity = {
        .cluster_id = 0xabc, .node_id = 2, .version = DATA_DIR_VERSION + 1, .id = 1};
    data_dir_identity_encode (&identity, data);
    s_put_identity (data);
    ck_assert_int_eq (s_open_as (0xabc, 2, true), DT_ERR_NEWER_FORMAT);
    ck_assert (quiet_env_said ("run the version that wrote it"));
}
END_TEST

START_TEST (unreadable_identity_is_an_error_of_the_disk)
{
    s_make ();
    vfs_sim_fail_at (s_disk, VFS_SIM_READ, 1, DT_ERR_IO);
    ck_assert_int_eq (s_open_as (0xabc, 2, true), DT_ERR_IO);
}
END_TEST

START_TEST (groups_are_listed_in_order_of_their_ids)
{
    uint32_t ids[4];
    bool has = false;
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    ck_assert_int_eq (data_dir_groups (s_vfs, ids, 4), 0);
    ck_assert_int_eq (data_dir_add_group (s_dir, 10), 0);
    ck_assert_int_eq (data_dir_add_group (s_dir, 9), 0);
    ck_assert_int_eq (data_dir_add_group (s_dir, UINT32_MAX), 0);
    ck_assert_int_eq (data_dir_add_group (s_dir, 9), 0);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "groups/007"), 0);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "groups/4294967296"), 0);
    ck_assert_int_eq (data_dir_groups (s_vfs, ids, 2), 3);
    ck_assert_uint_eq (ids[0], 9);
    ck_assert_uint_eq (ids[1], 10);
    ck_assert_int_eq (data_dir_has_group (s_dir, 10, &has), 0);
    ck_assert (has);
    ck_assert_int_eq (data_dir_has_group (s_dir, 7, &has), 0);
    ck_assert (!has);
}
END_TEST

START_TEST (added_group_survives_a_crash)
{
    bool has = false;
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    ck_assert_int_eq (data_dir_add_group (s_dir, 10), 0);
    s_crash ();
    ck_assert_int_eq (s_open_as (0xabc, 2, false), 0);
    ck_assert_int_eq (data_dir_has_group (s_dir, 10, &has), 0);
    ck_assert (has);
}
END_TEST

// Fill group 10 with files, durably.
static void s_fill_group (void)
{
    ck_assert_int_eq (data_dir_add_group (s_dir, 10), 0);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "groups/10/log"), 0);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "groups/10/snapshots"), 0);
    s_put ("groups/10/log/a");
    s_put ("groups/10/log/b");
    s_put ("groups/10/snapshots/c");
    s_put ("groups/10/hard_state");
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, "groups/10"), 0);
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, "groups/10/log"), 0);
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, "groups/10/snapshots"), 0);
}

static void s_count (void *argument, const char *name, bool is_directory)
{
    (void) name;
    (void) is_directory;
    ++*(int *) argument;
}

static int s_entries (const char *path)
{
    int count = 0;
    int rc = s_vfs->ops->list (s_vfs, path, s_count, &count);
    return rc ? rc : count;
}

START_TEST (removed_group_is_gone_with_all_it_had)
{
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
    s_fill_group ();
    ck_assert_int_eq (data_dir_remove_group (s_dir, 10), 0);
    ck_assert_int_eq (data_dir_remove_group (s_dir, 10), DT_ERR_NOT_FOUND);
    s_crash ();
    ck_assert_int_eq (s_open_as (0xabc, 2, false), 0);
    ck_assert_int_eq (s_entries ("groups"), 0);
}
END_TEST

START_TEST (crash_at_every_step_of_a_removal_leaves_the_group_whole_or_gone)
{
    int gone = 0;
    int whole = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        int rc = -1;
        for (uint64_t nth = 1; rc; nth++) {
            uint32_t id;
            s_teardown ();
            s_start (seed * 100 + nth);
            ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
            s_fill_group ();
            vfs_sim_crash_at (s_disk, nth);
            rc = data_dir_remove_group (s_dir, 10);
            s_crash ();
            ck_assert_int_eq (s_open_as (0xabc, 2, false), 0);
            if (data_dir_groups (s_vfs, &id, 1) == 0) {
                ck_assert_int_eq (s_entries ("groups"), 0);
                gone++;
            } else {
                ck_assert_int_ne (rc, 0);
                ck_assert_int_eq (s_entries ("groups/10"), 3);
                ck_assert_int_eq (s_entries ("groups/10/log"), 2);
                ck_assert_int_eq (s_entries ("groups/10/snapshots"), 1);
                whole++;
            }
        }
    }
    ck_assert_int_gt (gone, 20);
    ck_assert_int_gt (whole, 10);
}
END_TEST

START_TEST (crash_at_every_step_of_the_initialisation_can_be_taken_up)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        int rc = -1;
        for (uint64_t nth = 1; rc; nth++) {
            s_teardown ();
            s_start (seed * 100 + nth);
            vfs_sim_crash_at (s_disk, nth);
            rc = s_open_as (0xabc, 2, true);
            ck_assert (rc == 0 || vfs_sim_stopped (s_disk));
            s_crash ();
            if (rc == 0) {
                ck_assert_int_eq (s_open_as (0xabc, 2, false), 0);
            } else {
                vfs_sim_crash_at (s_disk, 1 + nth % 3);
                (void) s_open_as (0xabc, 2, true);
                s_crash ();
                ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
            }
        }
    }
}
END_TEST

START_TEST (full_disk_refuses_the_initialisation)
{
    vfs_sim_fail_at (s_disk, VFS_SIM_WRITE, 1, DT_ERR_NO_SPACE);
    ck_assert_int_eq (s_open_as (0xabc, 2, true), DT_ERR_NO_SPACE);
    s_remount ();
    ck_assert_int_eq (s_open_as (0xabc, 2, true), 0);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("data_dir");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, new_node_initialises_an_empty_directory);
    tcase_add_test (tcase, new_node_opens_its_own_directory_again);
    tcase_add_test (tcase, empty_directory_of_a_node_that_is_not_new_is_refused);
    tcase_add_test (tcase, directory_of_another_node_is_refused);
    tcase_add_test (tcase, directory_of_another_cluster_is_refused);
    tcase_add_test (tcase, directory_with_files_but_without_identity_is_refused);
    tcase_add_test (tcase, directory_that_lost_its_identity_but_has_groups_is_refused);
    tcase_add_test (tcase, directory_in_use_is_refused);
    tcase_add_test (tcase, every_flipped_bit_of_the_identity_is_noticed);
    tcase_add_test (tcase, identity_of_another_size_is_damage);
    tcase_add_test (tcase, directory_keeps_its_id_and_no_other_has_it);
    tcase_add_test (tcase, directory_of_version_1_keeps_the_id_that_its_group_knows);
    tcase_add_test (tcase, identity_without_directory_id_is_damage);
    tcase_add_test (tcase, newer_format_is_refused_with_the_remedy);
    tcase_add_test (tcase, unreadable_identity_is_an_error_of_the_disk);
    tcase_add_test (tcase, groups_are_listed_in_order_of_their_ids);
    tcase_add_test (tcase, added_group_survives_a_crash);
    tcase_add_test (tcase, removed_group_is_gone_with_all_it_had);
    tcase_add_test (tcase, crash_at_every_step_of_a_removal_leaves_the_group_whole_or_gone);
    tcase_add_test (tcase, crash_at_every_step_of_the_initialisation_can_be_taken_up);
    tcase_add_test (tcase, full_disk_refuses_the_initialisation);
    Suite *suite = suite_create ("data_dir");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
