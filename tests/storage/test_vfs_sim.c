// The simulated disk: what survives a crash, what need not, and every fault it can make.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "base/dt_random.h"
#include "storage/vfs_sim.h"

static vfs_sim_disk_t *s_disk;
static vfs_sim_t *s_mount;
static vfs_t *s_vfs;

static void s_remount (void)
{
    vfs_sim_unmount (&s_mount);
    s_mount = vfs_sim_mount (s_disk, "", NULL, NULL);
    s_vfs = vfs_sim_vfs (s_mount);
}

static void s_start (uint64_t seed)
{
    s_disk = vfs_sim_disk_new (seed, NULL);
    s_remount ();
}

static void s_setup (void)
{
    s_start (1);
}

static void s_teardown (void)
{
    vfs_sim_disk_check (s_disk);
    vfs_sim_unmount (&s_mount);
    vfs_sim_disk_destroy (&s_disk);
}

static void s_restart (uint64_t seed)
{
    s_teardown ();
    s_start (seed);
}

static void s_crash (void)
{
    vfs_sim_crash (s_disk);
    vfs_sim_disk_check (s_disk);
    s_remount ();
}

static vfs_file_t *s_create (const char *path)
{
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, path, VFS_WRITE | VFS_CREATE, &file), 0);
    return file;
}

static vfs_file_t *s_open (const char *path)
{
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, path, VFS_WRITE, &file), 0);
    return file;
}

static bool s_exists (const char *path)
{
    vfs_file_t *file = NULL;
    int rc = s_vfs->ops->open (s_vfs, path, VFS_READ, &file);
    ck_assert (rc == 0 || rc == DT_ERR_NOT_FOUND);
    return rc == 0 && file->ops->close (file) == 0;
}

static void s_fill (vfs_file_t *file, char value, size_t bytes, uint64_t offset)
{
    char *data = dt_malloc (bytes);
    memset (data, value, bytes);
    ck_assert_int_eq (file->ops->write (file, data, bytes, offset), 0);
    free (data);
}

// A synced file "f" of 8 sectors of 'a' with a durable name.
static vfs_file_t *s_synced_file (void)
{
    vfs_file_t *file = s_create ("f");
    s_fill (file, 'a', 4096, 0);
    ck_assert_int_eq (file->ops->sync (file), 0);
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), 0);
    return file;
}

static size_t s_read_all (const char *path, char *data, size_t bytes)
{
    vfs_file_t *file = s_open (path);
    size_t got = 0;
    ck_assert_int_eq (file->ops->read (file, data, bytes, 0, &got), 0);
    ck_assert_int_eq (file->ops->close (file), 0);
    return got;
}

START_TEST (synced_content_with_a_synced_name_survives)
{
    s_synced_file ();
    s_crash ();
    char data[8192];
    ck_assert_uint_eq (s_read_all ("f", data, sizeof data), 4096);
    for (size_t i = 0; i < 4096; i++) {
        ck_assert_int_eq (data[i], 'a');
    }
}
END_TEST

START_TEST (unsynced_sectors_survive_each_for_itself)
{
    int mixed = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        s_restart (seed);
        s_fill (s_synced_file (), 'b', 4096, 0);
        s_crash ();
        char data[4096];
        int fresh = 0;
        ck_assert_uint_eq (s_read_all ("f", data, sizeof data), 4096);
        for (size_t i = 0; i < 4096; i++) {
            ck_assert_int_eq (data[i], data[i / 512 * 512]);
            ck_assert (data[i] == 'a' || data[i] == 'b');
            fresh += i % 512 == 0 && data[i] == 'b';
        }
        mixed += fresh > 0 && fresh < 8;
    }
    ck_assert_int_gt (mixed, 40);
}
END_TEST

START_TEST (garbage_appears_only_where_it_was_not_synced)
{
    vfs_sim_faults_t faults = {.garbage_ppm = 1000000};
    vfs_sim_set_faults (s_disk, &faults);
    s_fill (s_synced_file (), 'b', 512, 1024);
    s_crash ();
    char data[4096];
    ck_assert_uint_eq (s_read_all ("f", data, sizeof data), 4096);
    for (size_t i = 0; i < 4096; i++) {
        ck_assert (data[i] == 'a' || (i >= 1024 && i < 1536));
    }
    ck_assert_uint_eq (vfs_sim_counters (s_disk)->sectors_garbage, 1);
}
END_TEST

START_TEST (unsynced_size_may_be_lost_kept_or_between)
{
    bool lost = false;
    bool kept = false;
    bool between = false;
    for (uint64_t seed = 0; seed < 60; seed++) {
        s_restart (seed);
        s_fill (s_synced_file (), 'b', 8192, 4096);
        s_crash ();
        char data[16384];
        size_t bytes = s_read_all ("f", data, sizeof data);
        ck_assert_uint_ge (bytes, 4096);
        ck_assert_uint_le (bytes, 12288);
        lost = lost || bytes == 4096;
        kept = kept || bytes == 12288;
        between = between || (bytes > 4096 && bytes < 12288);
        for (size_t i = 0; i < bytes; i++) {
            ck_assert (i < 4096 ? data[i] == 'a' : data[i] == 'b' || data[i] == 0);
        }
    }
    ck_assert (lost && kept && between);
}
END_TEST

START_TEST (unsynced_truncation_may_be_taken_back)
{
    bool back = false;
    bool cut = false;
    for (uint64_t seed = 0; seed < 60; seed++) {
        s_restart (seed);
        vfs_file_t *file = s_synced_file ();
        ck_assert_int_eq (file->ops->truncate (file, 100), 0);
        char data[4096];
        ck_assert_uint_eq (s_read_all ("f", data, sizeof data), 100);
        s_crash ();
        size_t bytes = s_read_all ("f", data, sizeof data);
        back = back || bytes == 4096;
        cut = cut || bytes == 100;
        ck_assert_uint_ge (bytes, 100);
        ck_assert_int_eq (data[0], 'a');
    }
    ck_assert (back && cut);
}
END_TEST

START_TEST (truncated_bytes_read_as_zeros_when_the_file_grows_again)
{
    vfs_file_t *file = s_synced_file ();
    ck_assert_int_eq (file->ops->truncate (file, 10), 0);
    ck_assert_int_eq (file->ops->truncate (file, 4096), 0);
    char data[4096];
    ck_assert_uint_eq (s_read_all ("f", data, sizeof data), 4096);
    ck_assert_int_eq (data[9], 'a');
    for (size_t i = 10; i < 4096; i++) {
        ck_assert_int_eq (data[i], 0);
    }
}
END_TEST

START_TEST (name_without_directory_sync_may_be_lost_though_the_file_was_synced)
{
    bool lost = false;
    bool kept = false;
    for (uint64_t seed = 0; seed < 40; seed++) {
        s_restart (seed);
        vfs_file_t *file = s_create ("f");
        s_fill (file, 'a', 100, 0);
        ck_assert_int_eq (file->ops->sync (file), 0);
        s_crash ();
        if (s_exists ("f")) {
            char data[200];
            ck_assert_uint_eq (s_read_all ("f", data, sizeof data), 100);
            kept = true;
        } else {
            lost = true;
        }
    }
    ck_assert (lost && kept);
}
END_TEST

START_TEST (name_may_survive_without_the_content)
{
    bool empty = false;
    for (uint64_t seed = 0; seed < 40 && !empty; seed++) {
        s_restart (seed);
        s_fill (s_create ("f.tmp"), 'a', 4096, 0);
        ck_assert_int_eq (s_vfs->ops->rename (s_vfs, "f.tmp", "f"), 0);
        ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), 0);
        s_crash ();
        char data[4096];
        ck_assert (s_exists ("f"));
        empty = s_read_all ("f", data, sizeof data) == 0;
    }
    ck_assert (empty);
}
END_TEST

START_TEST (rename_over_a_file_shows_old_or_new_after_a_crash)
{
    bool old = false;
    bool fresh = false;
    for (uint64_t seed = 0; seed < 40; seed++) {
        s_restart (seed);
        s_synced_file ();
        vfs_file_t *file = s_create ("f.tmp");
        s_fill (file, 'b', 10, 0);
        ck_assert_int_eq (file->ops->sync (file), 0);
        ck_assert_int_eq (s_vfs->ops->rename (s_vfs, "f.tmp", "f"), 0);
        ck_assert (!s_exists ("f.tmp"));
        s_crash ();
        char data[4096];
        size_t bytes = s_read_all ("f", data, sizeof data);
        ck_assert ((bytes == 10 && data[0] == 'b') || (bytes == 4096 && data[0] == 'a'));
        old = old || bytes == 4096;
        fresh = fresh || bytes == 10;
    }
    ck_assert (old && fresh);
}
END_TEST

START_TEST (changes_of_different_names_survive_in_any_combination)
{
    int seen[4] = {0};
    for (uint64_t seed = 0; seed < 60; seed++) {
        s_restart (seed);
        s_create ("a");
        s_create ("b");
        s_crash ();
        seen[s_exists ("a") + 2 * s_exists ("b")]++;
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_gt (seen[i], 3);
    }
}
END_TEST

START_TEST (unlink_may_be_taken_back_until_the_directory_is_synced)
{
    bool back = false;
    for (uint64_t seed = 0; seed < 40; seed++) {
        s_restart (seed);
        s_synced_file ();
        ck_assert_int_eq (s_vfs->ops->unlink (s_vfs, "f"), 0);
        s_crash ();
        back = back || s_exists ("f");
    }
    ck_assert (back);
    s_restart (1);
    s_synced_file ();
    ck_assert_int_eq (s_vfs->ops->unlink (s_vfs, "f"), 0);
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), 0);
    s_crash ();
    ck_assert (!s_exists ("f"));
    ck_assert_uint_eq (vfs_sim_used_bytes (s_disk), 0);
}
END_TEST

START_TEST (rename_between_directories_never_loses_the_file)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        s_restart (seed);
        ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "d"), 0);
        s_synced_file ();
        ck_assert_int_eq (s_vfs->ops->rename (s_vfs, "f", "d/g"), 0);
        if (seed % 3) {
            ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, seed % 3 == 1 ? "" : "d"), 0);
        }
        s_crash ();
        ck_assert (s_exists ("f") || s_exists ("d/g"));
        ck_assert (seed % 3 == 0 || s_exists ("d/g"));
    }
}
END_TEST

START_TEST (failed_sync_leaves_pages_clean_that_no_later_sync_saves)
{
    bool lost = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        s_restart (seed);
        vfs_file_t *file = s_synced_file ();
        s_fill (file, 'b', 4096, 0);
        vfs_sim_fail_at (s_disk, VFS_SIM_SYNC, 1, DT_ERR_IO);
        ck_assert_int_eq (file->ops->sync (file), DT_ERR_IO);
        ck_assert_int_eq (file->ops->sync (file), 0);
        char data[4096];
        s_read_all ("f", data, sizeof data);
        ck_assert_int_eq (data[0], 'b'); // the cache shows what the medium does not have
        s_crash ();
        s_read_all ("f", data, sizeof data);
        lost = lost || memchr (data, 'a', sizeof data);
    }
    ck_assert (lost);
    ck_assert_uint_eq (vfs_sim_counters (s_disk)->sync_errors, 1);
}
END_TEST

START_TEST (content_written_again_after_a_failed_sync_is_saved_by_the_next)
{
    vfs_file_t *file = s_synced_file ();
    s_fill (file, 'b', 4096, 0);
    vfs_sim_fail_at (s_disk, VFS_SIM_SYNC, 1, DT_ERR_IO);
    ck_assert_int_eq (file->ops->sync (file), DT_ERR_IO);
    s_fill (file, 'b', 4096, 0);
    ck_assert_int_eq (file->ops->sync (file), 0);
    s_crash ();
    char data[4096];
    s_read_all ("f", data, sizeof data);
    ck_assert_ptr_null (memchr (data, 'a', sizeof data));
}
END_TEST

START_TEST (failed_directory_sync_makes_no_later_one_save_the_name)
{
    bool lost = false;
    for (uint64_t seed = 0; seed < 20; seed++) {
        s_restart (seed);
        s_create ("f");
        vfs_sim_fail_at (s_disk, VFS_SIM_SYNC_DIRECTORY, 1, DT_ERR_IO);
        ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), DT_ERR_IO);
        ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), 0);
        s_crash ();
        lost = lost || !s_exists ("f");
    }
    ck_assert (lost);
}
END_TEST

START_TEST (planned_failure_hits_the_nth_operation_once)
{
    vfs_file_t *file = s_create ("f");
    vfs_sim_fail_at (s_disk, VFS_SIM_WRITE, 2, DT_ERR_NO_SPACE);
    ck_assert_int_eq (file->ops->write (file, "x", 1, 0), 0);
    ck_assert_int_eq (file->ops->write (file, "x", 1, 1), DT_ERR_NO_SPACE);
    ck_assert_int_eq (file->ops->write (file, "x", 1, 1), 0);
    vfs_sim_fail_at (s_disk, VFS_SIM_RENAME, 1, DT_ERR_IO);
    ck_assert_int_eq (s_vfs->ops->rename (s_vfs, "f", "g"), DT_ERR_IO);
    ck_assert (s_exists ("f"));
}
END_TEST

START_TEST (random_faults_of_every_class_occur_and_are_counted)
{
    vfs_sim_faults_t faults = {.read_error_ppm = 100000,
                               .read_flip_ppm = 100000,
                               .read_stale_ppm = 300000,
                               .write_error_ppm = 100000,
                               .sync_error_ppm = 100000,
                               .lost_write_ppm = 100000,
                               .misdirected_ppm = 100000,
                               .stall_ppm = 100000,
                               .stall_min_ns = 5,
                               .stall_max_ns = 6};
    vfs_file_t *file = s_synced_file ();
    vfs_sim_set_faults (s_disk, &faults);
    for (int i = 0; i < 500; i++) {
        char data[4096];
        size_t got;
        memset (data, i, sizeof data);
        (void) file->ops->write (file, data, sizeof data, 0);
        (void) file->ops->sync (file);
        (void) file->ops->read (file, data, sizeof data, 0, &got);
        vfs_sim_disk_check (s_disk);
    }
    const vfs_sim_counters_t *counters = vfs_sim_counters (s_disk);
    ck_assert_uint_gt (counters->read_errors, 10);
    ck_assert_uint_gt (counters->read_flips, 10);
    ck_assert_uint_gt (counters->read_stales, 10);
    ck_assert_uint_gt (counters->write_errors, 10);
    ck_assert_uint_gt (counters->sync_errors, 10);
    ck_assert_uint_gt (counters->lost_writes, 10);
    ck_assert_uint_gt (counters->misdirected_writes, 10);
    ck_assert_uint_gt (counters->stalls, 10);
}
END_TEST

START_TEST (lost_write_is_seen_by_the_writer_and_gone_after_a_crash)
{
    vfs_file_t *file = s_synced_file ();
    vfs_sim_faults_t faults = {.lost_write_ppm = 1000000};
    vfs_sim_set_faults (s_disk, &faults);
    s_fill (file, 'b', 4096, 0);
    ck_assert_int_eq (file->ops->sync (file), 0);
    char data[4096];
    s_read_all ("f", data, sizeof data);
    ck_assert_int_eq (data[0], 'b');
    s_crash ();
    s_read_all ("f", data, sizeof data);
    ck_assert_ptr_null (memchr (data, 'b', sizeof data));
}
END_TEST

START_TEST (misdirected_write_damages_another_place)
{
    s_synced_file ();
    vfs_file_t *other = s_create ("g");
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), 0);
    vfs_sim_faults_t faults = {.misdirected_ppm = 1000000};
    vfs_sim_set_faults (s_disk, &faults);
    s_fill (other, 'b', 100, 0);
    ck_assert_int_eq (other->ops->sync (other), 0);
    s_crash ();
    char data[4096];
    s_read_all ("f", data, sizeof data);
    ck_assert_ptr_nonnull (memchr (data, 'b', sizeof data));
    s_read_all ("g", data, sizeof data);
    ck_assert_ptr_null (memchr (data, 'b', 100));
}
END_TEST

START_TEST (capacity_limits_writes_and_allocations_and_unlink_frees)
{
    vfs_sim_faults_t faults = {.capacity_bytes = 16384};
    vfs_sim_set_faults (s_disk, &faults);
    vfs_file_t *file = s_synced_file ();
    uint64_t free_bytes = 0;
    ck_assert_int_eq (s_vfs->ops->free_bytes (s_vfs, &free_bytes), 0);
    ck_assert_uint_eq (free_bytes, 12288);
    ck_assert_int_eq (file->ops->allocate (file, 20000), DT_ERR_NO_SPACE);
    ck_assert_int_eq (file->ops->allocate (file, 16384), 0);
    vfs_file_t *other = s_create ("g");
    ck_assert_int_eq (other->ops->write (other, "x", 1, 0), DT_ERR_NO_SPACE);
    ck_assert_int_eq (file->ops->write (file, "x", 1, 16383), 0);
    ck_assert_int_eq (file->ops->close (file), 0);
    ck_assert_int_eq (s_vfs->ops->unlink (s_vfs, "f"), 0);
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), 0);
    ck_assert_int_eq (other->ops->write (other, "x", 1, 0), 0);
    ck_assert_uint_eq (vfs_sim_counters (s_disk)->no_space, 2);
}
END_TEST

START_TEST (rot_changes_the_medium)
{
    s_synced_file ();
    ck_assert_int_eq (vfs_sim_rot (s_disk, "f", 5, 1), 0);
    ck_assert_int_eq (vfs_sim_rot (s_disk, "f", 4096, 1), DT_ERR_NOT_FOUND);
    s_crash ();
    char data[4096];
    s_read_all ("f", data, sizeof data);
    ck_assert_int_eq (data[5], 'a' ^ 1);
    ck_assert_int_eq (data[4], 'a');
    char path[100];
    uint64_t offset = 0;
    ck_assert (vfs_sim_rot_random (s_disk, "f", path, sizeof path, &offset));
    ck_assert_str_eq (path, "f");
    s_read_all ("f", data, sizeof data);
    ck_assert_int_ne (data[offset], offset == 5 ? 'a' ^ 1 : 'a');
    ck_assert (!vfs_sim_rot_random (s_disk, "x", NULL, 0, NULL));
}
END_TEST

START_TEST (planned_crash_point_stops_everything_until_the_crash)
{
    vfs_file_t *file = s_synced_file ();
    char data[4096];
    size_t got;
    vfs_sim_crash_at (s_disk, 2);
    ck_assert_int_eq (file->ops->write (file, "x", 1, 0), 0);
    ck_assert_int_eq (file->ops->sync (file), DT_ERR_CLOSED);
    ck_assert (vfs_sim_stopped (s_disk));
    ck_assert_int_eq (file->ops->read (file, data, 1, 0, &got), DT_ERR_CLOSED);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "d"), DT_ERR_CLOSED);
    ck_assert_int_eq (file->ops->close (file), DT_ERR_CLOSED);
    s_crash ();
    ck_assert (!vfs_sim_stopped (s_disk));
    ck_assert_uint_eq (s_read_all ("f", data, sizeof data), 4096);
}
END_TEST

START_TEST (files_of_before_the_crash_are_closed_for_good)
{
    vfs_file_t *file = s_synced_file ();
    vfs_sim_crash (s_disk);
    ck_assert_int_eq (file->ops->write (file, "x", 1, 0), DT_ERR_CLOSED);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "d"), DT_ERR_CLOSED);
    vfs_sim_t *other = vfs_sim_mount (s_disk, "", NULL, NULL);
    ck_assert_int_eq (file->ops->write (file, "x", 1, 0), DT_ERR_CLOSED);
    ck_assert_int_eq (vfs_sim_vfs (other)->ops->mkdir (vfs_sim_vfs (other), "d"), 0);
    vfs_sim_unmount (&other);
}
END_TEST

START_TEST (kill_keeps_the_cache_and_a_later_crash_takes_it)
{
    vfs_file_t *file = s_synced_file ();
    s_fill (file, 'b', 4096, 0);
    vfs_sim_kill (s_disk);
    s_remount ();
    char data[4096];
    s_read_all ("f", data, sizeof data);
    ck_assert_ptr_null (memchr (data, 'a', sizeof data));
    s_crash ();
    s_read_all ("f", data, sizeof data);
    ck_assert_ptr_nonnull (memchr (data, 'a', sizeof data));
}
END_TEST

START_TEST (lock_excludes_other_mounts_until_its_mount_ends)
{
    vfs_sim_t *other = vfs_sim_mount (s_disk, "", NULL, NULL);
    vfs_t *vfs = vfs_sim_vfs (other);
    ck_assert_int_eq (s_vfs->ops->lock (s_vfs, ""), 0);
    ck_assert_int_eq (vfs->ops->lock (vfs, ""), DT_ERR_IN_USE);
    vfs_sim_kill_mount (s_mount);
    ck_assert_int_eq (vfs->ops->lock (vfs, ""), 0);
    vfs_sim_unmount (&other);
}
END_TEST

START_TEST (mounts_see_only_their_directory)
{
    vfs_sim_t *other = vfs_sim_mount (s_disk, "node-2", NULL, NULL);
    vfs_t *vfs = vfs_sim_vfs (other);
    vfs_file_t *file = NULL;
    ck_assert_int_eq (vfs->ops->open (vfs, "f", VFS_WRITE | VFS_CREATE, &file), 0);
    ck_assert (s_exists ("node-2/f"));
    ck_assert (!s_exists ("f"));
    vfs_sim_unmount (&other);
}
END_TEST

static void s_collect (void *argument, const char *name, bool is_directory)
{
    strcat (argument, name);
    strcat (argument, is_directory ? "/ " : " ");
}

START_TEST (list_names_entries_in_byte_order)
{
    s_create ("b");
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "c"), 0);
    ck_assert_int_eq (s_vfs->ops->mkdir (s_vfs, "c"), 0);
    s_create ("a");
    s_create ("c/x");
    char names[100] = "";
    ck_assert_int_eq (s_vfs->ops->list (s_vfs, "", s_collect, names), 0);
    ck_assert_str_eq (names, "a b c/ ");
    ck_assert_int_eq (s_vfs->ops->rmdir (s_vfs, "c"), DT_ERR_EXISTS);
    ck_assert_int_eq (s_vfs->ops->unlink (s_vfs, "c/x"), 0);
    ck_assert_int_eq (s_vfs->ops->rmdir (s_vfs, "c"), 0);
    ck_assert_int_eq (s_vfs->ops->list (s_vfs, "c", s_collect, names), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (open_refuses_what_its_flags_do_not_allow)
{
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "f", VFS_READ, &file), DT_ERR_NOT_FOUND);
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "d/f", VFS_WRITE | VFS_CREATE, &file),
                      DT_ERR_NOT_FOUND);
    s_synced_file ();
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "f", VFS_WRITE | VFS_CREATE, &file), DT_ERR_EXISTS);
    ck_assert_ptr_null (file);
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "f", VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file),
                      0);
    uint64_t bytes = 1;
    ck_assert_int_eq (file->ops->size (file, &bytes), 0);
    ck_assert_uint_eq (bytes, 0);
}
END_TEST

typedef struct {
    int calls;
    int stalls;
    bool crash;
} delay_log_t;

static void s_delay (void *context, vfs_sim_op_t op, uint64_t bytes, int64_t stall_ns)
{
    delay_log_t *log = context;
    (void) bytes;
    log->calls++;
    log->stalls += stall_ns > 0;
    if (log->crash && op == VFS_SIM_SYNC) {
        vfs_sim_crash (s_disk);
    }
}

START_TEST (crash_inside_a_delayed_operation_ends_it_as_closed)
{
    int done = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        s_restart (seed);
        s_synced_file ();
        delay_log_t log = {.crash = true};
        vfs_sim_unmount (&s_mount);
        s_mount = vfs_sim_mount (s_disk, "", s_delay, &log);
        s_vfs = vfs_sim_vfs (s_mount);
        vfs_file_t *file = s_open ("f");
        ck_assert_int_eq (file->ops->write (file, "xxx", 3, 0), 0);
        ck_assert_int_eq (file->ops->sync (file), DT_ERR_CLOSED);
        ck_assert_int_eq (log.calls, 3);
        s_remount ();
        char data[4096];
        s_read_all ("f", data, sizeof data);
        done += data[0] == 'x';
    }
    ck_assert_int_gt (done, 10); // taken effect before the delay, or kept by the crash
    ck_assert_int_lt (done, 30);
}
END_TEST

START_TEST (write_sync_makes_its_content_durable)
{
    vfs_file_t *file = s_synced_file ();
    ck_assert_int_eq (file->ops->write_sync (file, "hello", 5, 4096), 0);
    s_crash ();
    char data[8192];
    ck_assert_uint_eq (s_read_all ("f", data, sizeof data), 4101);
    ck_assert_mem_eq (data + 4096, "hello", 5);
}
END_TEST

// A random program over a few files; returns what its crashes left behind.
static uint64_t s_random_program (uint64_t seed, int steps)
{
    dt_random_t random;
    uint64_t history = 0;
    dt_random_init (&random, 42);
    s_restart (seed);
    vfs_sim_faults_t faults = {.garbage_ppm = 100000, .sync_error_ppm = 20000};
    vfs_sim_set_faults (s_disk, &faults);
    for (int i = 0; i < steps; i++) {
        char path[2] = {(char) ('a' + dt_random_below (&random, 4)), 0};
        char data[3000];
        vfs_file_t *file = NULL;
        memset (data, (int) dt_random_below (&random, 256), sizeof data);
        int rc = s_vfs->ops->open (s_vfs, path, VFS_WRITE, &file);
        if (rc) {
            rc = s_vfs->ops->open (s_vfs, path, VFS_WRITE | VFS_CREATE, &file);
        }
        ck_assert_int_eq (rc, 0);
        rc = file->ops->write (file, data, dt_random_below (&random, sizeof data),
                               dt_random_below (&random, 20000));
        ck_assert_int_eq (rc, 0);
        if (dt_random_chance (&random, 1, 3)) {
            (void) file->ops->sync (file);
        }
        if (dt_random_chance (&random, 1, 10)) {
            (void) file->ops->truncate (file, dt_random_below (&random, 20000));
        }
        (void) file->ops->close (file);
        if (dt_random_chance (&random, 1, 10)) {
            (void) s_vfs->ops->unlink (s_vfs, path);
        }
        if (dt_random_chance (&random, 1, 10)) {
            (void) s_vfs->ops->sync_directory (s_vfs, "");
        }
        if (dt_random_chance (&random, 1, 30)) {
            s_crash ();
            history = history * 31 + vfs_sim_digest (s_disk);
        }
        vfs_sim_disk_check (s_disk);
    }
    return history;
}

START_TEST (runs_repeat_by_seed_and_differ_between_seeds)
{
    uint64_t first = s_random_program (7, 300);
    ck_assert_uint_eq (s_random_program (7, 300), first);
    int different = 0;
    for (uint64_t seed = 8; seed < 16; seed++) {
        different += s_random_program (seed, 300) != first;
    }
    ck_assert_int_eq (different, 8);
}
END_TEST

START_TEST (clone_is_equal_and_independent)
{
    s_random_program (9, 25);
    vfs_sim_disk_t *copy = vfs_sim_disk_clone (s_disk, 3);
    vfs_sim_disk_check (copy);
    ck_assert_uint_eq (vfs_sim_digest (copy), vfs_sim_digest (s_disk));
    vfs_sim_disk_t *twin = vfs_sim_disk_clone (s_disk, 3);
    uint64_t before = vfs_sim_digest (s_disk);
    vfs_sim_crash (copy);
    vfs_sim_crash (twin);
    ck_assert_uint_eq (vfs_sim_digest (copy), vfs_sim_digest (twin));
    ck_assert_uint_eq (vfs_sim_digest (s_disk), before);
    vfs_sim_disk_destroy (&copy);
    vfs_sim_disk_destroy (&twin);
}
END_TEST

// The content of one file against a plain array, with syncs and crashes that find it synced.
START_TEST (content_equals_a_plain_array)
{
    enum { BYTES = 40000 };
    static uint8_t twin[BYTES];
    static uint8_t data[BYTES];
    size_t size = 0;
    dt_random_t random;
    dt_random_init (&random, 5);
    s_create ("f");
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, ""), 0);
    vfs_file_t *file = s_open ("f");
    memset (twin, 0, sizeof twin);
    for (int i = 0; i < 3000; i++) {
        size_t offset = dt_random_below (&random, BYTES);
        size_t bytes = dt_random_below (&random, BYTES - offset);
        size_t got = 0;
        switch (dt_random_below (&random, 5)) {
        case 0:
        case 1:
            bytes = bytes % 5000 + (bytes == 0);
            bytes = bytes < BYTES - offset ? bytes : BYTES - offset;
            memset (twin + offset, (int) dt_random_below (&random, 3), bytes);
            ck_assert_int_eq (file->ops->write (file, twin + offset, bytes, offset), 0);
            size = offset + bytes > size ? offset + bytes : size;
            break;
        case 2:
            ck_assert_int_eq (file->ops->truncate (file, offset), 0);
            memset (twin + offset, 0, BYTES - offset);
            size = offset;
            break;
        case 3:
            ck_assert_int_eq (file->ops->sync (file), 0);
            if (dt_random_chance (&random, 1, 10)) {
                s_crash ();
                file = s_open ("f");
            }
            break;
        default:
            ck_assert_int_eq (file->ops->read (file, data, bytes, offset, &got), 0);
            ck_assert_uint_eq (got, offset >= size          ? 0
                                    : bytes > size - offset ? size - offset
                                                            : bytes);
            ck_assert_int_eq (memcmp (data, twin + offset, got), 0);
        }
    }
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("vfs_sim");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, synced_content_with_a_synced_name_survives);
    tcase_add_test (tcase, unsynced_sectors_survive_each_for_itself);
    tcase_add_test (tcase, garbage_appears_only_where_it_was_not_synced);
    tcase_add_test (tcase, unsynced_size_may_be_lost_kept_or_between);
    tcase_add_test (tcase, unsynced_truncation_may_be_taken_back);
    tcase_add_test (tcase, truncated_bytes_read_as_zeros_when_the_file_grows_again);
    tcase_add_test (tcase, name_without_directory_sync_may_be_lost_though_the_file_was_synced);
    tcase_add_test (tcase, name_may_survive_without_the_content);
    tcase_add_test (tcase, rename_over_a_file_shows_old_or_new_after_a_crash);
    tcase_add_test (tcase, changes_of_different_names_survive_in_any_combination);
    tcase_add_test (tcase, unlink_may_be_taken_back_until_the_directory_is_synced);
    tcase_add_test (tcase, rename_between_directories_never_loses_the_file);
    tcase_add_test (tcase, failed_sync_leaves_pages_clean_that_no_later_sync_saves);
    tcase_add_test (tcase, content_written_again_after_a_failed_sync_is_saved_by_the_next);
    tcase_add_test (tcase, failed_directory_sync_makes_no_later_one_save_the_name);
    tcase_add_test (tcase, planned_failure_hits_the_nth_operation_once);
    tcase_add_test (tcase, random_faults_of_every_class_occur_and_are_counted);
    tcase_add_test (tcase, lost_write_is_seen_by_the_writer_and_gone_after_a_crash);
    tcase_add_test (tcase, misdirected_write_damages_another_place);
    tcase_add_test (tcase, capacity_limits_writes_and_allocations_and_unlink_frees);
    tcase_add_test (tcase, rot_changes_the_medium);
    tcase_add_test (tcase, planned_crash_point_stops_everything_until_the_crash);
    tcase_add_test (tcase, files_of_before_the_crash_are_closed_for_good);
    tcase_add_test (tcase, kill_keeps_the_cache_and_a_later_crash_takes_it);
    tcase_add_test (tcase, lock_excludes_other_mounts_until_its_mount_ends);
    tcase_add_test (tcase, mounts_see_only_their_directory);
    tcase_add_test (tcase, list_names_entries_in_byte_order);
    tcase_add_test (tcase, open_refuses_what_its_flags_do_not_allow);
    tcase_add_test (tcase, crash_inside_a_delayed_operation_ends_it_as_closed);
    tcase_add_test (tcase, write_sync_makes_its_content_durable);
    tcase_add_test (tcase, runs_repeat_by_seed_and_differ_between_seeds);
    tcase_add_test (tcase, clone_is_equal_and_independent);
    tcase_add_test (tcase, content_equals_a_plain_array);
    Suite *suite = suite_create ("vfs_sim");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
