// Snapshot files: round trip, damage, crashes at every step, errors of the disk.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "quiet_env.h"
#include "storage/snapshot_store.h"
#include "storage/vfs_sim.h"

static const char s_directory[] = "snapshots";

static dt_env_t s_env;
static vfs_sim_disk_t *s_disk;
static vfs_sim_t *s_mount;
static vfs_t *s_vfs;
static snapshot_store_t *s_store;

static snapshot_store_options_t s_options (void)
{
    return (snapshot_store_options_t){
        .vfs = s_vfs,
        .env = &s_env,
        .directory = s_directory,
        .identity = {.cluster_id = 11, .group_id = 22, .node_id = 33},
    };
}

static void s_remount (void)
{
    snapshot_store_close (&s_store);
    vfs_sim_unmount (&s_mount);
    s_mount = vfs_sim_mount (s_disk, "", NULL, NULL);
    s_vfs = vfs_sim_vfs (s_mount);
}

static void s_open (void)
{
    snapshot_store_options_t options = s_options ();
    ck_assert_int_eq (snapshot_store_open (&options, &s_store), 0);
}

static void s_setup (void)
{
    quiet_env_init (&s_env);
    s_disk = vfs_sim_disk_new (1, &s_env);
    s_remount ();
    s_open ();
}

static void s_teardown (void)
{
    snapshot_store_close (&s_store);
    vfs_sim_unmount (&s_mount);
    vfs_sim_disk_destroy (&s_disk);
}

// The content of a test's snapshot follows from its index.
static uint8_t s_byte (uint64_t index, size_t at)
{
    return (uint8_t) ((at * 7 + at / 251) ^ index);
}

static uint8_t *s_content (uint64_t index, size_t bytes)
{
    uint8_t *data = dt_malloc (bytes);
    for (size_t i = 0; i < bytes; i++) {
        data[i] = s_byte (index, i);
    }
    return data;
}

static snapshot_meta_t s_meta (uint64_t index)
{
    return (snapshot_meta_t){
        .index = index,
        .term = 3,
        .cluster_time_ms = index * 1000,
        .config_index = index / 2,
        .config = (const uint8_t *) "configuration",
        .config_bytes = 13,
    };
}

// Write a whole snapshot in pieces; the first error is returned.
static int s_save (uint64_t index, size_t bytes)
{
    snapshot_writer_t *writer = NULL;
    snapshot_meta_t meta = s_meta (index);
    uint8_t *data = s_content (index, bytes);
    int rc = snapshot_writer_begin (s_store, &meta, &writer);
    size_t piece = bytes / 3 + 1;
    for (size_t at = 0; rc == 0 && at < bytes; at += piece) {
        rc = snapshot_writer_add (writer, data + at, bytes - at < piece ? bytes - at : piece);
    }
    if (rc == 0) {
        rc = snapshot_writer_finish (&writer, index * 100, NULL);
    }
    snapshot_writer_abort (&writer);
    free (data);
    return rc;
}

// Read a snapshot from an offset to its end; asserts that it is what s_save wrote.
static void s_check_from (const snapshot_info_t *info, uint64_t offset)
{
    snapshot_reader_t *reader = NULL;
    ck_assert_int_eq (snapshot_reader_open (s_store, info->index, info->term, &reader, NULL), 0);
    const snapshot_meta_t *meta = snapshot_reader_meta (reader);
    ck_assert_uint_eq (meta->config_bytes, 13);
    ck_assert_mem_eq (meta->config, "configuration", 13);
    ck_assert_uint_eq (meta->config_index, info->index / 2);
    ck_assert_uint_eq (meta->cluster_time_ms, info->index * 1000);
    if (offset) {
        snapshot_reader_seek (reader, offset);
    }
    for (;;) {
        const uint8_t *data;
        size_t bytes;
        ck_assert_int_eq (snapshot_reader_next (reader, &data, &bytes), 0);
        if (bytes == 0) {
            break;
        }
        for (size_t i = 0; i < bytes; i++) {
            if (data[i] != s_byte (info->index, offset + i)) {
                ck_abort_msg ("byte %zu differs", (size_t) offset + i);
            }
        }
        offset += bytes;
    }
    ck_assert_uint_eq (offset, info->total_bytes);
    ck_assert_uint_eq (info->state_digest, info->index * 100);
    snapshot_reader_close (&reader);
}

static snapshot_info_t s_newest (void)
{
    snapshot_info_t info = {0};
    ck_assert_int_eq (snapshot_store_newest (s_store, &info, NULL), 0);
    return info;
}

static uint32_t s_count_names (void)
{
    return (uint32_t) snapshot_store_list (s_store, NULL, 0);
}

START_TEST (what_was_written_is_read_back_at_every_size)
{
    static const size_t sizes[] = {0,
                                   1,
                                   SNAPSHOT_CHUNK_BYTES - 1,
                                   SNAPSHOT_CHUNK_BYTES,
                                   SNAPSHOT_CHUNK_BYTES + 1,
                                   3 * SNAPSHOT_CHUNK_BYTES + 77};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ck_assert_int_eq (s_save (i + 1, sizes[i]), 0);
        snapshot_info_t info = s_newest ();
        ck_assert_uint_eq (info.index, i + 1);
        ck_assert_uint_eq (info.term, 3);
        ck_assert_uint_eq (info.node_id, 33);
        ck_assert_uint_eq (info.total_bytes, sizes[i]);
        s_check_from (&info, 0);
        s_check_from (&info, sizes[i] / 2);
        s_check_from (&info, sizes[i]);
    }
}
END_TEST

START_TEST (finished_snapshot_survives_a_crash)
{
    ck_assert_int_eq (s_save (5, 5000), 0);
    vfs_sim_crash (s_disk);
    s_remount ();
    s_open ();
    snapshot_info_t info = s_newest ();
    ck_assert_uint_eq (info.index, 5);
    s_check_from (&info, 0);
}
END_TEST

START_TEST (no_snapshot_is_not_found)
{
    snapshot_info_t info;
    snapshot_report_t report;
    ck_assert_int_eq (snapshot_store_newest (s_store, &info, &report), DT_ERR_NOT_FOUND);
    ck_assert_uint_eq (report.snapshots, 0);
}
END_TEST

START_TEST (unfinished_snapshot_is_never_seen_and_removed_by_the_next_open)
{
    ck_assert_int_eq (s_save (5, 100), 0);
    snapshot_writer_t *writer = NULL;
    snapshot_meta_t meta = s_meta (6);
    ck_assert_int_eq (snapshot_writer_begin (s_store, &meta, &writer), 0);
    ck_assert_int_eq (snapshot_writer_add (writer, "abc", 3), 0);
    ck_assert_uint_eq (snapshot_writer_bytes (writer), 3);
    ck_assert_uint_eq (s_newest ().index, 5);
    vfs_sim_kill (s_disk);
    snapshot_writer_abort (&writer);
    s_remount ();
    uint64_t used = vfs_sim_used_bytes (s_disk);
    s_open ();
    ck_assert (quiet_env_said ("it was never completed"));
    ck_assert_uint_lt (vfs_sim_used_bytes (s_disk), used);
    ck_assert_uint_eq (s_newest ().index, 5);
}
END_TEST

START_TEST (aborted_snapshot_leaves_nothing)
{
    uint64_t used = vfs_sim_used_bytes (s_disk);
    snapshot_writer_t *writer = NULL;
    snapshot_meta_t meta = s_meta (6);
    ck_assert_int_eq (snapshot_writer_begin (s_store, &meta, &writer), 0);
    ck_assert_int_eq (snapshot_writer_add (writer, "abc", 3), 0);
    snapshot_writer_abort (&writer);
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, s_directory), 0);
    ck_assert_uint_eq (vfs_sim_used_bytes (s_disk), used);
}
END_TEST

START_TEST (two_writers_of_one_index_do_not_mix)
{
    snapshot_writer_t *a = NULL;
    snapshot_writer_t *b = NULL;
    snapshot_meta_t meta = s_meta (6);
    uint8_t *data = s_content (6, 1000);
    ck_assert_int_eq (snapshot_writer_begin (s_store, &meta, &a), 0);
    ck_assert_int_eq (snapshot_writer_begin (s_store, &meta, &b), 0);
    ck_assert_int_eq (snapshot_writer_add (a, "other", 5), 0);
    ck_assert_int_eq (snapshot_writer_add (b, data, 500), 0);
    ck_assert_int_eq (snapshot_writer_finish (&a, 600, NULL), 0);
    ck_assert_int_eq (snapshot_writer_add (b, data + 500, 500), 0);
    ck_assert_int_eq (snapshot_writer_finish (&b, 600, NULL), 0);
    ck_assert_uint_eq (s_count_names (), 1);
    snapshot_info_t info = s_newest ();
    s_check_from (&info, 0);
    free (data);
}
END_TEST

START_TEST (every_flipped_byte_is_noticed_and_the_older_snapshot_taken)
{
    ck_assert_int_eq (s_save (4, 200), 0);
    ck_assert_int_eq (s_save (5, 300), 0);
    static const char path[] = "snapshots/00000000000000000005-00000000000000000003.snapshot";
    uint64_t bytes = s_newest ().file_bytes;
    ck_assert_uint_eq (bytes, 4096 + 16 + 300 + 64);
    for (uint64_t at = 0; at < bytes; at++) {
        uint8_t mask = (uint8_t) (1u << (at % 8));
        snapshot_info_t info;
        snapshot_report_t report;
        ck_assert_int_eq (vfs_sim_rot (s_disk, path, at, mask), 0);
        ck_assert_int_eq (snapshot_store_newest (s_store, &info, &report), 0);
        ck_assert_uint_eq (info.index, 4);
        ck_assert_uint_eq (report.snapshots, 2);
        ck_assert_uint_eq (report.damaged, 1);
        ck_assert_str_eq (report.file, path + sizeof "snapshots");
        ck_assert_int_gt ((int) strlen (report.why), 5);
        ck_assert_int_eq (vfs_sim_rot (s_disk, path, at, mask), 0);
    }
    ck_assert_uint_eq (s_newest ().index, 5);
}
END_TEST

START_TEST (every_shorter_file_is_noticed)
{
    ck_assert_int_eq (s_save (5, 300), 0);
    static const char path[] = "snapshots/00000000000000000005-00000000000000000003.snapshot";
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, path, VFS_WRITE, &file), 0);
    for (uint64_t bytes = s_newest ().file_bytes; bytes-- > 0;) {
        snapshot_info_t info;
        ck_assert_int_eq (file->ops->truncate (file, bytes), 0);
        ck_assert_int_eq (snapshot_store_newest (s_store, &info, NULL), DT_ERR_CORRUPT);
    }
    ck_assert_int_eq (file->ops->close (file), 0);
}
END_TEST

START_TEST (damaged_chunk_is_refused_by_the_reader)
{
    ck_assert_int_eq (s_save (5, 2 * SNAPSHOT_CHUNK_BYTES), 0);
    static const char path[] = "snapshots/00000000000000000005-00000000000000000003.snapshot";
    ck_assert_int_eq (vfs_sim_rot (s_disk, path, 4096 + 16 + SNAPSHOT_CHUNK_BYTES + 50, 1), 0);
    snapshot_reader_t *reader = NULL;
    const uint8_t *data;
    size_t bytes;
    ck_assert_int_eq (snapshot_reader_open (s_store, 5, 3, &reader, NULL), 0);
    ck_assert_int_eq (snapshot_reader_next (reader, &data, &bytes), 0);
    ck_assert_int_eq (snapshot_reader_next (reader, &data, &bytes), DT_ERR_CORRUPT);
    snapshot_reader_close (&reader);
}
END_TEST

START_TEST (snapshot_of_another_group_or_cluster_is_refused)
{
    ck_assert_int_eq (s_save (5, 100), 0);
    snapshot_store_close (&s_store);
    snapshot_store_options_t options = s_options ();
    options.identity.group_id = 23;
    snapshot_info_t info;
    ck_assert_int_eq (snapshot_store_open (&options, &s_store), 0);
    ck_assert_int_eq (snapshot_store_newest (s_store, &info, NULL), DT_ERR_FOREIGN);
    ck_assert (quiet_env_said ("belongs to group 22 of cluster 000000000000000b"));
    snapshot_store_close (&s_store);
    options.identity.group_id = 22;
    options.identity.cluster_id = 12;
    ck_assert_int_eq (snapshot_store_open (&options, &s_store), 0);
    ck_assert_int_eq (snapshot_store_newest (s_store, &info, NULL), DT_ERR_FOREIGN);
}
END_TEST

START_TEST (snapshot_written_by_another_node_is_taken)
{
    ck_assert_int_eq (s_save (5, 100), 0);
    snapshot_store_close (&s_store);
    snapshot_store_options_t options = s_options ();
    options.identity.node_id = 34;
    ck_assert_int_eq (snapshot_store_open (&options, &s_store), 0);
    ck_assert_uint_eq (s_newest ().node_id, 33);
}
END_TEST

START_TEST (renamed_snapshot_is_refused)
{
    ck_assert_int_eq (s_save (5, 100), 0);
    ck_assert_int_eq (
        s_vfs->ops->rename (s_vfs, "snapshots/00000000000000000005-00000000000000000003.snapshot",
                            "snapshots/00000000000000000006-00000000000000000003.snapshot"),
        0);
    snapshot_info_t info;
    snapshot_report_t report;
    ck_assert_int_eq (snapshot_store_newest (s_store, &info, &report), DT_ERR_CORRUPT);
    ck_assert_str_eq (report.why, "index or term differ from the file's name");
}
END_TEST

// A header of version 2, correct in what never changes.
START_TEST (newer_format_is_refused_and_not_passed_over)
{
    ck_assert_int_eq (s_save (4, 100), 0);
    snapshot_header_t header = {.identity = {.cluster_id = 11, .group_id = 22}, .meta = s_meta (5)};
    dt_buffer_t bytes = {0};
    snapshot_header_encode (&header, &bytes);
    static const char path[] = "snapshots/00000000000000000005-00000000000000000003.snapshot";
    bytes.data[8] = 2;
    uint32_t header_bytes;
    const char *why;
    ck_assert_int_eq (snapshot_header_peek (bytes.data, &header_bytes, &why), DT_ERR_NEWER_FORMAT);
    ck_assert_int_eq (snapshot_header_decode (bytes.data, bytes.bytes, &header, &why),
                      DT_ERR_CORRUPT); // a flipped version bit is damage, not a new version
    memset (bytes.data + 12, 0, 4);
    uint32_t crc = dt_crc32c (0, bytes.data, bytes.bytes);
    for (int i = 0; i < 4; i++) {
        bytes.data[12 + i] = (uint8_t) (crc >> (8 * i));
    }
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, path, VFS_WRITE | VFS_CREATE, &file), 0);
    ck_assert_int_eq (file->ops->write (file, bytes.data, bytes.bytes, 0), 0);
    ck_assert_int_eq (file->ops->close (file), 0);
    snapshot_info_t info;
    ck_assert_int_eq (snapshot_store_newest (s_store, &info, NULL), DT_ERR_NEWER_FORMAT);
    ck_assert (quiet_env_said ("newer version"));
    dt_buffer_deinit (&bytes);
}
END_TEST

START_TEST (prune_keeps_the_newest)
{
    uint32_t removed = 0;
    for (uint64_t index = 1; index <= 5; index++) {
        ck_assert_int_eq (s_save (index, 100), 0);
    }
    ck_assert_int_eq (snapshot_store_prune (s_store, 2, &removed), 0);
    ck_assert_uint_eq (removed, 3);
    vfs_sim_crash (s_disk);
    s_remount ();
    s_open ();
    ck_assert_uint_eq (s_count_names (), 2);
    ck_assert_uint_eq (s_newest ().index, 5);
}
END_TEST

START_TEST (prune_removes_nothing_older_than_what_is_not_known_to_be_sound)
{
    uint32_t removed = 9;
    ck_assert_int_eq (s_save (1, 100), 0);
    ck_assert_int_eq (s_save (2, 100), 0);
    s_remount ();
    s_open ();
    ck_assert_int_eq (snapshot_store_prune (s_store, 1, &removed), 0);
    ck_assert_uint_eq (removed, 0);
    ck_assert_int_eq (vfs_sim_rot (s_disk,
                                   "snapshots/00000000000000000002-00000000000000000003.snapshot",
                                   4200, 1),
                      0);
    ck_assert_uint_eq (s_newest ().index, 1);
    ck_assert_int_eq (snapshot_store_prune (s_store, 1, &removed), 0);
    ck_assert_uint_eq (removed, 0); // the damaged one is evidence until a newer one is there
    ck_assert_int_eq (s_save (3, 100), 0);
    ck_assert_int_eq (snapshot_store_prune (s_store, 2, &removed), 0);
    ck_assert_uint_eq (removed, 1);
    snapshot_info_t infos[3];
    ck_assert_int_eq (snapshot_store_list (s_store, infos, 3), 2);
    ck_assert_uint_eq (infos[0].index, 3);
    ck_assert_uint_eq (infos[1].index, 1);
}
END_TEST

START_TEST (reader_goes_on_when_its_snapshot_is_pruned)
{
    ck_assert_int_eq (s_save (1, 3 * SNAPSHOT_CHUNK_BYTES), 0);
    snapshot_reader_t *reader = NULL;
    const uint8_t *data;
    size_t bytes;
    ck_assert_int_eq (snapshot_reader_open (s_store, 1, 3, &reader, NULL), 0);
    ck_assert_int_eq (snapshot_reader_next (reader, &data, &bytes), 0);
    ck_assert_int_eq (s_save (2, 100), 0);
    ck_assert_int_eq (snapshot_store_prune (s_store, 1, NULL), 0);
    for (int chunk = 1; chunk < 3; chunk++) {
        ck_assert_int_eq (snapshot_reader_next (reader, &data, &bytes), 0);
        ck_assert_uint_eq (data[0], s_byte (1, (size_t) chunk * SNAPSHOT_CHUNK_BYTES));
    }
    ck_assert_int_eq (snapshot_reader_next (reader, &data, &bytes), 0);
    ck_assert_uint_eq (bytes, 0);
    snapshot_reader_close (&reader);
}
END_TEST

START_TEST (reader_goes_on_when_its_large_snapshot_is_pruned)
{
    enum { CHUNKS = 20 }; // more than is given back at once
    ck_assert_int_eq (s_save (1, CHUNKS * SNAPSHOT_CHUNK_BYTES), 0);
    snapshot_reader_t *reader = NULL;
    ck_assert_int_eq (snapshot_reader_open (s_store, 1, 3, &reader, NULL), 0);
    ck_assert_int_eq (s_save (2, 100), 0);
    ck_assert_int_eq (snapshot_store_prune (s_store, 1, NULL), 0);
    const uint8_t *data;
    size_t bytes;
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        ck_assert_int_eq (snapshot_reader_next (reader, &data, &bytes), 0);
        ck_assert_uint_eq (data[0], s_byte (1, (size_t) chunk * SNAPSHOT_CHUNK_BYTES));
    }
    snapshot_reader_close (&reader);
}
END_TEST

START_TEST (full_disk_ends_only_the_writer)
{
    vfs_sim_faults_t faults = {.capacity_bytes = 1024 * 1024};
    ck_assert_int_eq (s_save (1, 100), 0);
    vfs_sim_set_faults (s_disk, &faults);
    ck_assert_int_eq (s_save (2, 2 * SNAPSHOT_CHUNK_BYTES), DT_ERR_NO_SPACE);
    ck_assert_int_eq (snapshot_store_failed (s_store), 0);
    ck_assert_int_eq (s_save (3, 100), 0);
    ck_assert_uint_eq (s_newest ().index, 3);
}
END_TEST

// Remove a snapshot, if it is there, for good.
static void s_forget (uint64_t index)
{
    char path[100];
    snprintf (path, sizeof path, "snapshots/%020llu-%020u.snapshot", (unsigned long long) index,
              3u);
    int rc = s_vfs->ops->unlink (s_vfs, path);
    ck_assert (rc == 0 || rc == DT_ERR_NOT_FOUND);
    ck_assert_int_eq (s_vfs->ops->sync_directory (s_vfs, s_directory), 0);
}

// Fail every operation of every kind that a save makes, one after the other.
START_TEST (every_failed_operation_is_final_and_leaves_the_old_snapshot)
{
    static const vfs_sim_op_t kinds[] = {VFS_SIM_CREATE, VFS_SIM_WRITE, VFS_SIM_SYNC,
                                         VFS_SIM_RENAME, VFS_SIM_SYNC_DIRECTORY};
    ck_assert_int_eq (s_save (1, 100), 0);
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        int failures = 0;
        for (uint64_t nth = 1;; nth++) {
            vfs_sim_fail_at (s_disk, kinds[kind], nth, DT_ERR_IO);
            int rc = s_save (100, SNAPSHOT_CHUNK_BYTES + 100);
            vfs_sim_fail_at (s_disk, kinds[kind], 0, 0);
            if (rc == 0) {
                s_forget (100);
                break;
            }
            failures++;
            ck_assert_int_eq (rc, DT_ERR_DISK_FAILED);
            ck_assert_int_eq (s_save (2, 10), DT_ERR_DISK_FAILED);
            ck_assert_int_eq (snapshot_store_prune (s_store, 1, NULL), DT_ERR_DISK_FAILED);
            vfs_sim_crash (s_disk);
            s_remount ();
            s_open ();
            snapshot_info_t info = s_newest ();
            ck_assert (info.index == 1 ||
                       (info.index == 100 && kinds[kind] == VFS_SIM_SYNC_DIRECTORY));
            s_check_from (&info, 0);
            s_forget (100);
        }
        ck_assert_int_ge (failures, 1);
    }
}
END_TEST

START_TEST (unreadable_snapshot_is_passed_over)
{
    ck_assert_int_eq (s_save (1, 100), 0);
    ck_assert_int_eq (s_save (2, 100), 0);
    vfs_sim_fail_at (s_disk, VFS_SIM_READ, 1, DT_ERR_IO);
    ck_assert_uint_eq (s_newest ().index, 1);
}
END_TEST

START_TEST (write_that_the_disk_lost_never_yields_a_wrong_snapshot)
{
    vfs_sim_faults_t faults = {.lost_write_ppm = 300000};
    ck_assert_int_eq (s_save (1, 100), 0);
    for (int i = 0; i < 20; i++) {
        vfs_sim_set_faults (s_disk, &faults);
        (void) s_save (2, 2000);
        vfs_sim_set_faults (s_disk, NULL);
        vfs_sim_crash (s_disk);
        s_remount ();
        s_open ();
        snapshot_info_t info = s_newest ();
        s_check_from (&info, 0);
    }
}
END_TEST

START_TEST (readonly_store_changes_nothing)
{
    ck_assert_int_eq (s_save (1, 100), 0);
    vfs_file_t *file = NULL;
    ck_assert_int_eq (s_vfs->ops->open (s_vfs, "snapshots/x.tmp", VFS_WRITE | VFS_CREATE, &file),
                      0);
    ck_assert_int_eq (file->ops->close (file), 0);
    snapshot_store_close (&s_store);
    uint64_t changes = vfs_sim_counters (s_disk)->changes;
    snapshot_store_options_t options = s_options ();
    ck_assert_int_eq (snapshot_store_open_readonly (&options, &s_store), 0);
    ck_assert_uint_eq (s_newest ().index, 1);
    ck_assert_uint_eq (vfs_sim_counters (s_disk)->changes, changes);
    snapshot_store_close (&s_store);
    options.directory = "nowhere";
    ck_assert_int_eq (snapshot_store_open_readonly (&options, &s_store), DT_ERR_NOT_FOUND);
}
END_TEST

// After a crash and an open: the old snapshot or the new one, whole.
static void s_expect_old_or_new (bool finished)
{
    snapshot_info_t info = s_newest ();
    ck_assert (info.index == 1 || info.index == 2);
    ck_assert (!finished || info.index == 2);
    s_check_from (&info, 0);
}

// Recover, crashing at the nth change of the recovery. True: it was reached.
static bool s_crash_in_recovery (uint64_t nth)
{
    snapshot_store_options_t options = s_options ();
    vfs_sim_crash_at (s_disk, nth);
    int rc = snapshot_store_open (&options, &s_store);
    bool reached = vfs_sim_stopped (s_disk);
    ck_assert (reached ? rc != 0 : rc == 0);
    vfs_sim_crash (s_disk);
    s_remount ();
    return reached;
}

START_TEST (crash_at_every_step_leaves_the_old_or_the_new_snapshot)
{
    int finishes = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        bool finished = false;
        for (uint64_t nth = 1; !finished; nth++) {
            s_teardown ();
            quiet_env_init (&s_env);
            s_disk = vfs_sim_disk_new (seed * 1000 + nth, &s_env);
            vfs_sim_faults_t faults = {.garbage_ppm = 1000};
            vfs_sim_set_faults (s_disk, &faults);
            s_remount ();
            s_open ();
            ck_assert_int_eq (s_save (1, 3000), 0);
            vfs_sim_crash_at (s_disk, nth);
            int rc = s_save (2, SNAPSHOT_CHUNK_BYTES + 3000);
            finished = rc == 0;
            ck_assert (finished || vfs_sim_stopped (s_disk));
            vfs_sim_crash (s_disk);
            s_remount ();
            for (uint64_t step = 1; s_crash_in_recovery (step); step++) {
            }
            s_open ();
            s_expect_old_or_new (finished);
            finishes += finished;
        }
    }
    ck_assert_int_eq (finishes, 12);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("snapshot");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 100);
    tcase_add_test (tcase, what_was_written_is_read_back_at_every_size);
    tcase_add_test (tcase, finished_snapshot_survives_a_crash);
    tcase_add_test (tcase, no_snapshot_is_not_found);
    tcase_add_test (tcase, unfinished_snapshot_is_never_seen_and_removed_by_the_next_open);
    tcase_add_test (tcase, aborted_snapshot_leaves_nothing);
    tcase_add_test (tcase, two_writers_of_one_index_do_not_mix);
    tcase_add_test (tcase, every_flipped_byte_is_noticed_and_the_older_snapshot_taken);
    tcase_add_test (tcase, every_shorter_file_is_noticed);
    tcase_add_test (tcase, damaged_chunk_is_refused_by_the_reader);
    tcase_add_test (tcase, snapshot_of_another_group_or_cluster_is_refused);
    tcase_add_test (tcase, snapshot_written_by_another_node_is_taken);
    tcase_add_test (tcase, renamed_snapshot_is_refused);
    tcase_add_test (tcase, newer_format_is_refused_and_not_passed_over);
    tcase_add_test (tcase, prune_keeps_the_newest);
    tcase_add_test (tcase, prune_removes_nothing_older_than_what_is_not_known_to_be_sound);
    tcase_add_test (tcase, reader_goes_on_when_its_snapshot_is_pruned);
    tcase_add_test (tcase, reader_goes_on_when_its_large_snapshot_is_pruned);
    tcase_add_test (tcase, full_disk_ends_only_the_writer);
    tcase_add_test (tcase, every_failed_operation_is_final_and_leaves_the_old_snapshot);
    tcase_add_test (tcase, unreadable_snapshot_is_passed_over);
    tcase_add_test (tcase, write_that_the_disk_lost_never_yields_a_wrong_snapshot);
    tcase_add_test (tcase, readonly_store_changes_nothing);
    tcase_add_test (tcase, crash_at_every_step_leaves_the_old_or_the_new_snapshot);
    Suite *suite = suite_create ("snapshot");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
