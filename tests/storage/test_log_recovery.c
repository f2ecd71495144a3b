#include <check.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "storage/log_segment.h"
#include "tests/storage/log_harness.h"

enum { SECTOR = 512 };

static log_harness_t h;
static vfs_sim_disk_t *original; // the image every case starts from, or NULL

static void s_setup (void)
{
    log_harness_init (&h, 11);
    original = NULL;
}

static void s_teardown (void)
{
    vfs_sim_disk_destroy (&original);
    log_harness_deinit (&h);
}

// Make the disk as it is now the image of all further cases.
static void s_keep_image (void)
{
    log_harness_close (&h);
    original = vfs_sim_disk_clone (h.disk, 1);
}

// Go back to the image.
static void s_restore (void)
{
    log_store_close (&h.store);
    vfs_sim_unmount (&h.mount);
    vfs_sim_disk_destroy (&h.disk);
    h.disk = vfs_sim_disk_clone (original, 2);
    h.mount = vfs_sim_mount (h.disk, "", NULL, NULL);
    vfs_fault_init (&h.fault, vfs_sim_vfs (h.mount));
}

static int s_open (void)
{
    return log_store_open (&h.options, &h.store, &h.report);
}

// Three segments and more; the last batch is not proven. Returns D.
static uint64_t s_build (void)
{
    log_harness_open (&h);
    for (int i = 0; i < 18; i++) {
        log_harness_append (&h, 30, 1 + i / 5, 500);
        log_harness_flush (&h);
        if (i % 4 == 0) {
            ck_assert_int_eq (log_store_mark (h.store), 0);
        }
    }
    s_keep_image ();
    s_restore ();
    ck_assert_int_eq (log_store_inspect (&h.options, &h.report), 0);
    return h.report.proven_index;
}

static void s_flip (const char *path, uint64_t offset, uint8_t mask)
{
    ck_assert_int_eq (vfs_sim_rot (h.disk, path, offset, mask), 0);
}

// After some damage: refused, or nothing up to `must` is missing or wrong.
static int s_never_lost (uint64_t must, uint64_t all)
{
    int rc = s_open ();
    if (rc) {
        ck_assert_int_eq (rc, DT_ERR_CORRUPT);
        ck_assert_int_eq (h.report.verdict, LOG_VERDICT_CORRUPT);
        ck_assert_uint_ne (h.report.why[0], 0);
        return rc;
    }
    ck_assert_uint_ge (log_store_last (h.store), must);
    ck_assert_uint_le (log_store_last (h.store), all);
    h.last = log_store_last (h.store);
    log_harness_verify (&h);
    h.last = all;
    return 0;
}

START_TEST (bit_flip_anywhere_never_loses_a_proven_entry)
{
    uint64_t proven = s_build ();
    uint64_t all = h.last;
    uint32_t segments = h.report.segments;
    ck_assert_uint_ge (segments, 3);
    ck_assert_uint_lt (proven, all);
    uint32_t refused = 0;
    uint32_t cases = 0;
    for (uint64_t seq = 1; seq <= segments; seq++) {
        bool last = seq == segments;
        for (uint64_t at = _i; at < LOG_SEGMENT_BYTES_MIN; at += at < 88 || last ? 149 : 467) {
            s_restore ();
            s_flip (log_harness_segment (seq), at, (uint8_t) (1 << at % 8));
            int rc = s_never_lost (last ? proven : all, all);
            // What is not refused is a flip in a gap, in a sealed segment's unused end, or past the
            // tail.
            refused += rc == DT_ERR_CORRUPT;
            cases++;
        }
    }
    ck_assert_uint_gt (refused, cases / 2);
}
END_TEST

START_TEST (every_bit_of_a_segment_header_counts)
{
    s_build ();
    for (uint64_t at = 0; at < 8 * 88; at++) {
        s_restore ();
        s_flip (log_harness_segment (1 + at % 3), at / 8, (uint8_t) (1 << at % 8));
        log_harness_refuse (&h, DT_ERR_CORRUPT);
    }
}
END_TEST

START_TEST (every_bit_of_a_record_header_counts)
{
    s_build ();
    for (uint64_t at = 0; at < 8 * 96; at++) {
        s_restore ();
        s_flip (log_harness_segment (2), 4096 + at / 8, (uint8_t) (1 << at % 8));
        log_harness_refuse (&h, DT_ERR_CORRUPT);
    }
}
END_TEST

// --- the last write ------------------------------------------------------------------------------

static uint64_t first_of_last;  // first entry of the last batch
static uint64_t tail_from;      // where it begins in segment 1
static dt_buffer_t image;       // of segment 1 with the last batch complete
static uint64_t record_end[64]; // where each of its entries ends

// Some proven entries, then a batch of 20 that is not.
static void s_build_tail (void)
{
    log_harness_open (&h);
    log_harness_append (&h, 25, 1, 300);
    log_harness_flush (&h);
    ck_assert_int_eq (log_store_mark (h.store), 0);
    log_harness_read_file (&h, log_harness_segment (1), &image);
    tail_from = image.bytes;
    while (image.data[tail_from - 1] == 0) {
        tail_from--;
    }
    tail_from = log_align (tail_from, SECTOR);
    first_of_last = h.last + 1;
    log_harness_append (&h, 20, 2, 1200);
    log_harness_flush (&h);
    log_harness_read_file (&h, log_harness_segment (1), &image);
    uint64_t at = tail_from;
    for (int i = 0; i < 20; i++) {
        at += log_record_bytes (h.twin[first_of_last + i].payload_bytes);
        record_end[i] = at;
    }
    s_keep_image ();
}

// Put the segment back as it was before the last write, except for some of its sectors.
static void s_tear (const bool *written, uint64_t sectors)
{
    static const uint8_t zeros[SECTOR];
    s_restore ();
    for (uint64_t i = 0; i < sectors; i++) {
        if (!written[i]) {
            log_harness_write_file (&h, log_harness_segment (1), tail_from + i * SECTOR, zeros,
                                    SECTOR);
        }
    }
}

// How many entries of the last batch are whole?
static uint64_t s_whole (const bool *written)
{
    uint64_t begin = tail_from;
    for (int i = 0; i < 20; i++) {
        uint64_t end = tail_from + (record_end[i] - tail_from);
        for (uint64_t at = begin; at < end; at++) {
            if (!written[(at - tail_from) / SECTOR] && image.data[at]) {
                return (uint64_t) i;
            }
        }
        begin = end;
    }
    return 20;
}

static void s_expect_cut (const bool *written)
{
    uint64_t whole = s_whole (written);
    uint64_t all = h.last;
    ck_assert_int_eq (s_open (), 0);
    ck_assert_uint_eq (log_store_last (h.store), first_of_last - 1 + whole);
    bool torn = h.report.verdict == LOG_VERDICT_TORN;
    ck_assert_uint_eq (log_harness_count_files (&h, ".torn"), torn);
    h.last = log_store_last (h.store);
    log_harness_verify (&h);
    log_harness_crash (&h);
    ck_assert_int_eq (s_open (), 0);
    ck_assert_int_eq (h.report.verdict, LOG_VERDICT_CLEAN);
    log_harness_verify (&h);
    log_twin_entry_t saved[64];
    memcpy (saved, &h.twin[h.last], sizeof saved);
    log_harness_append (&h, 15, 3, 100);
    log_harness_flush (&h);
    log_harness_close (&h);
    ck_assert_int_eq (s_open (), 0);
    log_harness_verify (&h);
    h.last = all;
    uint64_t from = first_of_last - 1 + whole;
    memcpy (&h.twin[from], saved, sizeof saved);
}

START_TEST (write_torn_at_any_sector_is_cut_after_the_last_whole_entry)
{
    s_build_tail ();
    uint64_t sectors = (record_end[19] - tail_from + SECTOR - 1) / SECTOR;
    ck_assert_uint_gt (sectors, 10);
    bool written[512];
    for (uint64_t count = 0; count <= sectors; count++) {
        for (uint64_t i = 0; i < sectors; i++) {
            written[i] = i < count;
        }
        s_tear (written, sectors);
        s_expect_cut (written);
    }
}
END_TEST

START_TEST (write_with_any_sector_missing_is_cut_before_it)
{
    s_build_tail ();
    uint64_t sectors = (record_end[19] - tail_from + SECTOR - 1) / SECTOR;
    bool written[512];
    for (uint64_t missing = 0; missing < sectors; missing++) {
        for (uint64_t i = 0; i < sectors; i++) {
            written[i] = i != missing;
        }
        s_tear (written, sectors);
        s_expect_cut (written);
    }
}
END_TEST

START_TEST (write_with_random_sectors_missing_is_cut)
{
    s_build_tail ();
    uint64_t sectors = (record_end[19] - tail_from + SECTOR - 1) / SECTOR;
    bool written[512] = {false};
    for (int round = 0; round < 60; round++) {
        for (uint64_t i = 0; i < sectors; i++) {
            written[i] = dt_random_chance (&h.random, 3, 4);
        }
        s_tear (written, sectors);
        s_expect_cut (written);
    }
}
END_TEST

START_TEST (missing_sector_of_a_proven_batch_is_corrupt)
{
    s_build_tail ();
    static const uint8_t zeros[SECTOR];
    for (uint64_t at = 4096; at + SECTOR < tail_from; at += SECTOR) {
        s_restore ();
        log_harness_write_file (&h, log_harness_segment (1), at, zeros, SECTOR);
        log_harness_refuse (&h, DT_ERR_CORRUPT);
    }
}
END_TEST

START_TEST (damage_in_the_last_batch_without_a_missing_sector_is_suspect)
{
    s_build_tail ();
    s_restore ();
    s_flip (log_harness_segment (1), record_end[10] + 20, 1);
    log_harness_refuse (&h, DT_ERR_CORRUPT);
    ck_assert (h.report.suspect);
    ck_assert_uint_eq (h.report.index, first_of_last + 11);
    s_restore ();
    s_flip (log_harness_segment (1), record_end[10] + 20, 1);
    ck_assert_int_eq (log_store_inspect (&h.options, &h.report), DT_ERR_CORRUPT);
}
END_TEST

START_TEST (missing_sector_below_the_known_commit_is_corrupt)
{
    s_build_tail ();
    static const uint8_t zeros[SECTOR];
    s_restore ();
    log_harness_write_file (&h, log_harness_segment (1), tail_from, zeros, SECTOR);
    h.options.durable_hint = first_of_last;
    log_harness_refuse (&h, DT_ERR_CORRUPT);
    h.options.durable_hint = first_of_last - 1;
    ck_assert_int_eq (s_open (), 0);
}
END_TEST

START_TEST (entries_missing_up_to_the_known_commit_are_corrupt)
{
    s_build_tail ();
    s_restore ();
    h.options.durable_hint = h.last + 1;
    log_harness_refuse (&h, DT_ERR_CORRUPT);
    h.options.durable_hint = h.last;
    ck_assert_int_eq (s_open (), 0);
}
END_TEST

START_TEST (torn_copies_do_not_pile_up)
{
    s_build_tail ();
    s_restore ();
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq (s_open (), 0);
        ck_assert_uint_le (log_harness_count_files (&h, ".torn"), 9);
        log_harness_append (&h, 1, 2, 3000);
        log_harness_flush (&h);
        ck_assert_int_eq (log_store_mark (h.store), 0);
        log_harness_read_file (&h, log_harness_segment (1), &image);
        uint64_t end = image.bytes;
        while (image.data[end - 1] == 0) {
            end--;
        }
        log_harness_write_file (&h, log_harness_segment (1), log_align (end, SECTOR) + SECTOR, "x",
                                1);
        log_harness_close (&h);
    }
}
END_TEST

// --- a repair that did not reach the medium ------------------------------------------------------

// Go back to a copy of the image that draws from this seed, with the sectors `from` .. of the last
// write on the disk and those before it not.
static void s_tear_head (uint64_t seed, uint64_t from, uint64_t sectors)
{
    bool written[512];
    for (uint64_t i = 0; i < sectors; i++) {
        written[i] = i >= from;
    }
    s_tear (written, sectors);
    log_store_close (&h.store);
    vfs_sim_unmount (&h.mount);
    vfs_sim_disk_t *torn = h.disk;
    h.disk = vfs_sim_disk_clone (torn, seed);
    vfs_sim_disk_destroy (&torn);
    h.mount = vfs_sim_mount (h.disk, "", NULL, NULL);
    vfs_fault_init (&h.fault, vfs_sim_vfs (h.mount));
}

// Cut the power now, many times over: every time the log opens, with all that was acknowledged.
static void s_expect_power_cut_harmless (void)
{
    vfs_sim_disk_t *disk = h.disk;
    vfs_sim_t *mount = h.mount;
    log_store_t *store = h.store;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        h.disk = vfs_sim_disk_clone (disk, seed);
        vfs_sim_crash (h.disk);
        h.mount = vfs_sim_mount (h.disk, "", NULL, NULL);
        vfs_fault_init (&h.fault, vfs_sim_vfs (h.mount));
        h.store = NULL;
        ck_assert_msg (s_open () == 0, "%s", h.last_log);
        log_harness_verify (&h);
        log_harness_close (&h);
        vfs_sim_unmount (&h.mount);
        vfs_sim_disk_destroy (&h.disk);
    }
    h.disk = disk;
    h.mount = mount;
    h.store = store;
    vfs_fault_init (&h.fault, vfs_sim_vfs (h.mount));
}

// Fail the nth sync of a repair, and the mth of the next one. False: neither had so many.
static bool s_fail_repairs (uint64_t nth, uint64_t mth)
{
    const uint64_t syncs[] = {nth, mth};
    bool failed = false;
    for (size_t i = 0; i < 2 && syncs[i]; i++) {
        vfs_sim_fail_at (h.disk, VFS_SIM_SYNC, syncs[i], DT_ERR_IO);
        failed = s_open () != 0;
        vfs_sim_fail_at (h.disk, VFS_SIM_SYNC, 0, 0);
        log_harness_close (&h);
    }
    return failed;
}

START_TEST (failed_sync_in_a_repair_does_not_bring_the_torn_tail_back_later)
{
    s_build_tail ();
    uint64_t all = h.last;
    uint64_t sectors = (record_end[19] - tail_from + SECTOR - 1) / SECTOR;
    uint32_t cases = 0;
    for (uint64_t from = 1; from < sectors; from += sectors / 3) {
        for (uint64_t nth = 1; nth < 6; nth++) {
            for (uint64_t mth = 0; mth < 4; mth++) {
                s_tear_head (100 * nth + mth, from, sectors);
                cases += s_fail_repairs (nth, mth);
                log_harness_open (&h);
                h.last = log_store_last (h.store);
                ck_assert_uint_eq (h.last, first_of_last - 1);
                s_expect_power_cut_harmless ();
                log_harness_append (&h, 2, 3, 100);
                log_harness_flush (&h);
                s_expect_power_cut_harmless ();
                log_harness_append (&h, 2, 3, 900);
                log_harness_flush (&h);
                ck_assert_int_eq (log_store_mark (h.store), 0);
                s_expect_power_cut_harmless ();
                h.last = all;
            }
        }
    }
    ck_assert_uint_gt (cases, 20);
}
END_TEST

START_TEST (reads_that_lie_during_an_open_leave_the_disk_as_it_was)
{
    s_build_tail ();
    uint32_t flips = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        s_tear_head (seed, 0, (record_end[19] - tail_from + SECTOR - 1) / SECTOR); // all of it
        vfs_sim_set_faults (h.disk, &(vfs_sim_faults_t){.read_flip_ppm = 300000});
        if (s_open () == 0) {
            log_harness_close (&h);
        }
        vfs_sim_set_faults (h.disk, NULL);
        flips += vfs_sim_counters (h.disk)->read_flips > 0;
        log_harness_open (&h);
        ck_assert_uint_eq (log_store_last (h.store), h.last);
        log_harness_verify (&h);
    }
    ck_assert_uint_gt (flips, 20);
}
END_TEST

// --- records and files in the wrong place --------------------------------------------------------

START_TEST (swapped_records_are_corrupt)
{
    log_harness_open (&h);
    uint8_t payload[100] = {1};
    log_batch_t *batch = log_batch_new (20);
    for (uint32_t i = 0; i < 20; i++) {
        batch->entries[i] =
            (log_entry_t){.index = i + 1, .term = 1, .payload = payload, .payload_bytes = 100};
        batch->count++;
    }
    uint64_t durable;
    ck_assert_int_eq (log_store_append (h.store, batch, 1, 20), 0);
    ck_assert_int_eq (log_store_flush (h.store, &durable), 0);
    ck_assert_int_eq (log_store_mark (h.store), 0);
    log_batch_unref (&batch);
    log_harness_close (&h);
    uint64_t bytes = log_record_bytes (100);
    log_harness_read_file (&h, log_harness_segment (1), &image);
    uint64_t a = 4096 + 5 * bytes;
    uint64_t b = 4096 + 9 * bytes;
    log_harness_write_file (&h, log_harness_segment (1), a, image.data + b, bytes);
    log_harness_write_file (&h, log_harness_segment (1), b, image.data + a, bytes);
    log_harness_refuse (&h, DT_ERR_CORRUPT);
}
END_TEST

START_TEST (old_records_behind_a_new_tail_are_never_taken)
{
    log_harness_open (&h);
    log_harness_append (&h, 60, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    log_harness_read_file (&h, log_harness_segment (1), &image);
    uint64_t entry_end = 4096;
    for (int i = 1; i <= 40; i++) {
        entry_end += log_record_bytes (h.twin[i].payload_bytes);
    }
    log_harness_open (&h);
    log_harness_truncate (&h, 21);
    log_harness_append (&h, 20, 2, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    // As if the long suffix had not been cleared where the shorter one ends.
    dt_buffer_t now = {0};
    log_harness_read_file (&h, log_harness_segment (2), &now);
    uint64_t end = now.bytes;
    while (now.data[end - 1] == 0) {
        end--;
    }
    dt_buffer_deinit (&now);
    log_harness_write_file (&h, log_harness_segment (2), log_align (end, 8), image.data + entry_end,
                            2000);
    log_harness_refuse (&h, DT_ERR_CORRUPT);
    ck_assert_uint_eq (h.report.index, 41);
}
END_TEST

static void s_swap_files (const char *a, const char *b)
{
    vfs_t *vfs = vfs_sim_vfs (h.mount);
    vfs->ops->rename (vfs, a, "log/swap");
    vfs->ops->rename (vfs, b, a);
    vfs->ops->rename (vfs, "log/swap", b);
}

START_TEST (swapped_segments_are_corrupt)
{
    s_build ();
    char a[64];
    strcpy (a, log_harness_segment (1));
    s_swap_files (a, log_harness_segment (2));
    log_harness_refuse (&h, DT_ERR_CORRUPT);
    s_restore ();
    s_swap_files (a, log_harness_segment (3));
    log_harness_refuse (&h, DT_ERR_CORRUPT);
}
END_TEST

START_TEST (copy_of_a_segment_under_a_new_name_is_corrupt)
{
    s_build ();
    log_harness_read_file (&h, log_harness_segment (2), &image);
    vfs_t *vfs = vfs_sim_vfs (h.mount);
    vfs_file_t *file;
    ck_assert_int_eq (vfs->ops->open (vfs, log_harness_segment (99), VFS_WRITE | VFS_CREATE, &file),
                      0);
    file->ops->write_sync (file, image.data, image.bytes, 0);
    file->ops->close (file);
    log_harness_refuse (&h, DT_ERR_CORRUPT);
}
END_TEST

START_TEST (segment_of_another_group_is_foreign)
{
    s_build ();
    storage_identity_t own = h.options.identity;
    h.options.identity.group_id = 8;
    h.options.directory = "other";
    log_harness_open (&h);
    log_harness_close (&h);
    vfs_t *vfs = vfs_sim_vfs (h.mount);
    vfs->ops->rename (vfs, "other/00000000000000000001.log", log_harness_segment (50));
    h.options.identity = own;
    h.options.directory = "log";
    log_harness_refuse (&h, DT_ERR_FOREIGN);
}
END_TEST

START_TEST (records_of_another_group_are_corrupt)
{
    s_build ();
    h.options.identity.group_id = 8;
    h.options.directory = "other";
    log_harness_open (&h);
    uint64_t before = h.last;
    h.last = 0;
    log_batch_t *batch = log_harness_batch (&h, 0, 30, 1, 300);
    uint64_t durable;
    ck_assert_int_eq (log_store_append (h.store, batch, 1, 30), 0);
    ck_assert_int_eq (log_store_flush (h.store, &durable), 0);
    log_batch_unref (&batch);
    log_harness_close (&h);
    log_harness_read_file (&h, "other/00000000000000000001.log", &image);
    log_harness_write_file (&h, log_harness_segment (1), 4096, image.data + 4096, 4096);
    h.options.identity.group_id = 7;
    h.options.directory = "log";
    h.last = before;
    log_harness_refuse (&h, DT_ERR_CORRUPT);
}
END_TEST

START_TEST (missing_newest_segment_is_corrupt)
{
    s_build ();
    vfs_t *vfs = vfs_sim_vfs (h.mount);
    vfs->ops->unlink (vfs, log_harness_segment (h.report.segments));
    log_harness_refuse (&h, DT_ERR_CORRUPT);
    ck_assert_ptr_nonnull (strstr (h.report.why, "missing"));
}
END_TEST

START_TEST (missing_older_segment_is_a_gap)
{
    s_build ();
    vfs_t *vfs = vfs_sim_vfs (h.mount);
    vfs->ops->unlink (vfs, log_harness_segment (2));
    log_harness_refuse (&h, DT_ERR_GAP);
}
END_TEST

START_TEST (missing_log_below_the_known_commit_is_corrupt)
{
    h.options.durable_hint = 5;
    log_harness_refuse (&h, DT_ERR_CORRUPT);
    h.options.snapshot_index = 5;
    h.options.snapshot_term = 1;
    log_harness_open (&h);
}
END_TEST

START_TEST (file_cut_short_is_corrupt)
{
    s_build ();
    uint32_t segments = h.report.segments;
    for (uint64_t seq = 1; seq <= segments; seq++) {
        for (uint64_t bytes = 0; bytes < 60000; bytes += 13331) {
            s_restore ();
            vfs_t *vfs = vfs_sim_vfs (h.mount);
            vfs_file_t *file;
            ck_assert_int_eq (vfs->ops->open (vfs, log_harness_segment (seq), VFS_WRITE, &file), 0);
            file->ops->truncate (file, bytes);
            file->ops->close (file);
            log_harness_refuse (&h, DT_ERR_CORRUPT);
        }
    }
}
END_TEST

START_TEST (newer_format_is_told_from_damage)
{
    s_build ();
    const char *path = log_harness_segment (h.report.segments);
    log_harness_read_file (&h, path, &image);
    uint32_t version = htole32 (LOG_SEGMENT_VERSION + 1);
    memcpy (image.data + 8, &version, 4);
    memset (image.data + 12, 0, 4);
    uint32_t crc = htole32 (dt_crc32c (0, image.data, 4096));
    memcpy (image.data + 12, &crc, 4);
    log_harness_write_file (&h, path, 0, image.data, 4096);
    log_harness_refuse (&h, DT_ERR_NEWER_FORMAT);
    ck_assert_ptr_nonnull (strstr (h.last_log, "newer version"));
}
END_TEST

// --- repair from others --------------------------------------------------------------------------

// Open a damaged log for repair: what is kept is right, what may be lost is not understated.
static void s_expect_repaired (uint64_t all)
{
    h.options.repair = true;
    log_harness_open (&h);
    h.last = log_store_last (h.store);
    ck_assert_uint_le (h.last, all);
    if (h.report.verdict == LOG_VERDICT_CORRUPT) {
        ck_assert_uint_eq (h.report.lost_from, h.last + 1);
        ck_assert_uint_ge (h.report.lost_until, all);
    }
    log_harness_verify (&h);
    // It is a log like any other from then on.
    h.options.repair = false;
    log_harness_crash (&h);
    log_harness_open (&h);
    ck_assert_uint_eq (log_store_last (h.store), h.last);
    ck_assert_uint_eq (h.report.verdict, LOG_VERDICT_CLEAN);
    log_twin_entry_t saved[8];
    memcpy (saved, &h.twin[h.last + 1], sizeof saved);
    uint64_t kept = h.last;
    log_harness_append (&h, 8, 20, 100);
    log_harness_flush (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    log_harness_verify (&h);
    memcpy (&h.twin[kept + 1], saved, sizeof saved);
    h.last = all;
}

START_TEST (repair_keeps_what_stands_before_the_damage)
{
    s_build ();
    uint64_t all = h.last;
    uint32_t segments = h.report.segments;
    uint32_t cut = 0;
    for (uint64_t seq = 1; seq <= segments; seq++) {
        for (uint64_t at = LOG_SEGMENT_HEADER_BYTES + (uint64_t) _i; at < LOG_SEGMENT_BYTES_MIN;
             at += 5003) {
            s_restore ();
            s_flip (log_harness_segment (seq), at, (uint8_t) (1 << at % 8));
            s_expect_repaired (all);
            cut += h.report.segments < segments + 1;
        }
    }
    ck_assert_uint_gt (cut, segments);
}
END_TEST

START_TEST (repair_knows_exactly_what_may_be_lost_when_the_end_is_sound)
{
    s_build ();
    uint64_t all = h.last;
    s_restore ();
    s_flip (log_harness_segment (2), LOG_SEGMENT_HEADER_BYTES + 200, 1);
    ck_assert_int_eq (log_store_inspect (&h.options, &h.report), DT_ERR_CORRUPT);
    ck_assert_uint_eq (h.report.lost_until, all);
}
END_TEST

START_TEST (repair_of_a_log_whose_newest_header_is_damaged_begins_anew)
{
    s_build ();
    s_restore ();
    s_flip (log_harness_segment (h.report.segments), 20, 1);
    h.options.repair = true;
    log_harness_open (&h);
    ck_assert (h.report.restarted);
    ck_assert_uint_eq (h.report.lost_until, UINT64_MAX);
    ck_assert_uint_eq (log_store_last (h.store), 0);
}
END_TEST

START_TEST (repair_of_a_log_with_a_gap_begins_behind_the_snapshot)
{
    s_build ();
    uint64_t all = h.last;
    s_restore ();
    vfs_t *vfs = vfs_sim_vfs (h.mount);
    vfs->ops->unlink (vfs, log_harness_segment (2));
    h.options.repair = true;
    h.options.snapshot_index = 3;
    h.options.snapshot_term = 1;
    log_harness_open (&h);
    ck_assert (h.report.restarted);
    ck_assert_uint_eq (h.report.lost_until, all);
    ck_assert_uint_eq (log_store_last (h.store), 3);
}
END_TEST

START_TEST (repair_of_a_log_that_is_not_there_begins_anew)
{
    h.options.durable_hint = 5;
    h.options.repair = true;
    log_harness_open (&h);
    ck_assert (h.report.created);
    ck_assert_uint_eq (h.report.lost_until, UINT64_MAX);
}
END_TEST

START_TEST (repair_interrupted_anywhere_is_done_again)
{
    s_build ();
    uint64_t all = h.last;
    for (uint64_t at = 1; at < 40; at++) {
        s_restore ();
        s_flip (log_harness_segment (2), LOG_SEGMENT_HEADER_BYTES + 20000, 1);
        h.options.repair = true;
        vfs_sim_crash_at (h.disk, at);
        if (s_open () == 0) {
            log_store_close (&h.store);
        }
        log_harness_crash (&h);
        s_expect_repaired (all);
    }
}
END_TEST

// --- index files ---------------------------------------------------------------------------------

static void s_build_indexes (void)
{
    log_harness_open (&h);
    for (int i = 0; i < 6; i++) {
        log_harness_append (&h, 300, 1 + i, 300);
        log_harness_flush (&h);
    }
    ck_assert_int_eq (log_store_prepare (h.store), 0);
    ck_assert_uint_eq (log_harness_count_files (&h, ".idx"),
                       log_harness_count_files (&h, ".log") - 1);
    s_keep_image ();
    h.options.snapshot_index = 1500;
    h.options.snapshot_term = 5;
    h.base = 1500;
    s_restore ();
}

START_TEST (index_files_save_the_scan_of_what_the_snapshot_covers)
{
    s_build_indexes ();
    log_harness_open (&h);
    ck_assert_uint_gt (h.report.index_used, 2);
    ck_assert_uint_lt (h.report.index_used, h.report.segments - 1);
    log_harness_verify (&h);
    log_harness_close (&h);
    h.options.snapshot_index = 0;
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.index_used, 0);
    log_harness_verify (&h);
}
END_TEST

START_TEST (damaged_index_file_is_ignored)
{
    s_build_indexes ();
    log_harness_open (&h);
    uint32_t used = h.report.index_used;
    log_harness_close (&h);
    const char *path = "log/00000000000000000002.idx";
    log_harness_read_file (&h, path, &image);
    for (uint64_t at = 0; at < image.bytes; at++) {
        s_restore ();
        s_flip (path, at, (uint8_t) (1 << at % 8));
        log_harness_open (&h);
        ck_assert_uint_eq (h.report.index_used, used - 1);
        if (at % 16 == 0) {
            log_harness_verify (&h);
        }
    }
}
END_TEST

START_TEST (short_missing_and_swapped_index_files_are_ignored)
{
    s_build_indexes ();
    log_harness_open (&h);
    uint32_t used = h.report.index_used;
    vfs_t *vfs = vfs_sim_vfs (h.mount);
    const char *path = "log/00000000000000000002.idx";
    vfs_file_t *file;
    s_restore ();
    vfs = vfs_sim_vfs (h.mount);
    ck_assert_int_eq (vfs->ops->open (vfs, path, VFS_WRITE, &file), 0);
    file->ops->truncate (file, 60);
    file->ops->close (file);
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.index_used, used - 1);
    log_harness_verify (&h);
    s_restore ();
    vfs = vfs_sim_vfs (h.mount);
    vfs->ops->unlink (vfs, path);
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.index_used, used - 1);
    log_harness_verify (&h);
    s_restore ();
    s_swap_files (path, "log/00000000000000000001.idx");
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.index_used, used - 2);
    log_harness_verify (&h);
}
END_TEST

START_TEST (index_of_a_truncated_segment_is_not_used_again)
{
    s_build_indexes ();
    log_harness_open (&h);
    h.options.snapshot_index = 0;
    log_harness_truncate (&h, 100);
    log_harness_append (&h, 1700, 9, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    h.options.snapshot_index = 1500;
    h.options.snapshot_term = 9;
    log_harness_open (&h);
    ck_assert (!h.report.restarted);
    log_harness_verify (&h);
}
END_TEST

START_TEST (inspection_modifies_nothing)
{
    s_build_tail ();
    s_restore ();
    static const uint8_t zeros[SECTOR];
    log_harness_write_file (&h, log_harness_segment (1), tail_from, zeros, SECTOR);
    uint64_t digest = vfs_sim_digest (h.disk);
    ck_assert_int_eq (log_store_inspect (&h.options, &h.report), 0);
    ck_assert_int_eq (h.report.verdict, LOG_VERDICT_TORN);
    ck_assert_uint_eq (vfs_sim_digest (h.disk), digest);
    h.options.directory = "none";
    ck_assert_int_eq (log_store_inspect (&h.options, &h.report), DT_ERR_NOT_FOUND);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("log_recovery");
    TCase *tcase = tcase_create ("log_recovery");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 100);
    tcase_add_loop_test (tcase, bit_flip_anywhere_never_loses_a_proven_entry, 0, 2);
    tcase_add_test (tcase, every_bit_of_a_segment_header_counts);
    tcase_add_test (tcase, every_bit_of_a_record_header_counts);
    tcase_add_test (tcase, write_torn_at_any_sector_is_cut_after_the_last_whole_entry);
    tcase_add_test (tcase, write_with_any_sector_missing_is_cut_before_it);
    tcase_add_test (tcase, write_with_random_sectors_missing_is_cut);
    tcase_add_test (tcase, missing_sector_of_a_proven_batch_is_corrupt);
    tcase_add_test (tcase, damage_in_the_last_batch_without_a_missing_sector_is_suspect);
    tcase_add_test (tcase, missing_sector_below_the_known_commit_is_corrupt);
    tcase_add_test (tcase, entries_missing_up_to_the_known_commit_are_corrupt);
    tcase_add_test (tcase, torn_copies_do_not_pile_up);
    tcase_add_test (tcase, failed_sync_in_a_repair_does_not_bring_the_torn_tail_back_later);
    tcase_add_test (tcase, reads_that_lie_during_an_open_leave_the_disk_as_it_was);
    tcase_add_test (tcase, swapped_records_are_corrupt);
    tcase_add_test (tcase, old_records_behind_a_new_tail_are_never_taken);
    tcase_add_test (tcase, swapped_segments_are_corrupt);
    tcase_add_test (tcase, copy_of_a_segment_under_a_new_name_is_corrupt);
    tcase_add_test (tcase, segment_of_another_group_is_foreign);
    tcase_add_test (tcase, records_of_another_group_are_corrupt);
    tcase_add_test (tcase, missing_newest_segment_is_corrupt);
    tcase_add_test (tcase, missing_older_segment_is_a_gap);
    tcase_add_test (tcase, missing_log_below_the_known_commit_is_corrupt);
    tcase_add_test (tcase, file_cut_short_is_corrupt);
    tcase_add_test (tcase, newer_format_is_told_from_damage);
    tcase_add_loop_test (tcase, repair_keeps_what_stands_before_the_damage, 0, 2);
    tcase_add_test (tcase, repair_knows_exactly_what_may_be_lost_when_the_end_is_sound);
    tcase_add_test (tcase, repair_of_a_log_whose_newest_header_is_damaged_begins_anew);
    tcase_add_test (tcase, repair_of_a_log_with_a_gap_begins_behind_the_snapshot);
    tcase_add_test (tcase, repair_of_a_log_that_is_not_there_begins_anew);
    tcase_add_test (tcase, repair_interrupted_anywhere_is_done_again);
    tcase_add_test (tcase, index_files_save_the_scan_of_what_the_snapshot_covers);
    tcase_add_test (tcase, damaged_index_file_is_ignored);
    tcase_add_test (tcase, short_missing_and_swapped_index_files_are_ignored);
    tcase_add_test (tcase, index_of_a_truncated_segment_is_not_used_again);
    tcase_add_test (tcase, inspection_modifies_nothing);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    dt_buffer_deinit (&image);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
