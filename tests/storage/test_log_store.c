#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "storage/log_record.h"
#include "tests/storage/log_harness.h"

static log_harness_t h;

static void s_setup (void)
{
    log_harness_init (&h, 1);
}

static void s_teardown (void)
{
    log_harness_deinit (&h);
}

START_TEST (new_log_is_empty_and_starts_after_the_snapshot)
{
    uint64_t term = 0;
    h.options.snapshot_index = 41;
    h.options.snapshot_term = 5;
    log_harness_open (&h);
    ck_assert (h.report.created);
    ck_assert_uint_eq (log_store_first (h.store), 42);
    ck_assert_uint_eq (log_store_last (h.store), 41);
    ck_assert_int_eq (log_store_term (h.store, 41, &term), 0);
    ck_assert_uint_eq (term, 5);
    ck_assert_int_eq (log_store_term (h.store, 40, &term), DT_ERR_NOT_FOUND);
    ck_assert_int_eq (log_store_term (h.store, 42, &term), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (entries_come_back_with_every_field_after_reopening)
{
    log_harness_open (&h);
    log_harness_append (&h, 100, 1, 300);
    log_harness_append (&h, 1, 3, 0);
    log_harness_flush (&h);
    log_harness_verify (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    ck_assert (!h.report.created);
    ck_assert_int_eq (h.report.verdict, LOG_VERDICT_CLEAN);
    ck_assert_uint_eq (h.report.entries, 101);
    log_harness_verify (&h);
}
END_TEST

START_TEST (flush_of_a_thousand_entries_is_one_write_sync)
{
    h.options.segment_bytes = 1024 * 1024;
    log_harness_open (&h);
    for (int i = 0; i < 10; i++) {
        log_harness_append (&h, 100, 1, 300);
    }
    uint64_t before = h.fault.total;
    uint64_t writes = h.fault.calls[VFS_FAULT_WRITE_SYNC];
    log_harness_flush (&h);
    ck_assert_uint_eq (h.fault.total - before, 1);
    ck_assert_uint_eq (h.fault.calls[VFS_FAULT_WRITE_SYNC] - writes, 1);
}
END_TEST

// What the environment was told of large memory.
static unsigned s_advised;

static void s_advise_large (const dt_env_t *env, void *memory, size_t bytes)
{
    (void) env;
    ck_assert_uint_eq ((uintptr_t) memory % DT_ENV_LARGE_BYTES, 0);
    ck_assert_uint_eq (bytes % DT_ENV_LARGE_BYTES, 0);
    memset (memory, 0xa5, bytes); // it is all there, and nothing in it yet
    s_advised++;
}

START_TEST (large_write_buffer_is_told_to_the_environment)
{
    s_advised = 0;
    h.env.advise_large = s_advise_large;
    log_harness_open (&h);
    for (int i = 0; i < 10; i++) {
        log_harness_append (&h, 100, 1, 2000); // grows while it holds entries
    }
    log_harness_flush (&h);
    ck_assert_uint_eq (s_advised, 1);
    log_harness_verify (&h);
}
END_TEST

START_TEST (small_write_buffer_is_left_alone)
{
    s_advised = 0;
    h.env.advise_large = s_advise_large;
    log_harness_open (&h);
    for (int i = 0; i < 100; i++) {
        log_harness_append (&h, 10, 1, 1000);
        log_harness_flush (&h);
    }
    ck_assert_uint_eq (s_advised, 0);
    log_harness_verify (&h);
}
END_TEST

START_TEST (append_and_getters_do_no_io)
{
    log_harness_open (&h);
    uint64_t before = h.fault.total;
    log_harness_append (&h, 1000, 1, 300);
    ck_assert_uint_eq (log_store_last (h.store), 1000);
    ck_assert_uint_eq (log_store_durable (h.store), 0);
    ck_assert_uint_eq (h.fault.total, before);
}
END_TEST

START_TEST (entries_roll_over_many_segments)
{
    log_harness_open (&h);
    for (int i = 0; i < 40; i++) {
        log_harness_append (&h, 50, 1 + i / 7, 700);
        log_harness_flush (&h);
    }
    ck_assert_uint_gt (log_harness_count_files (&h, ".log"), 10);
    log_harness_verify (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.entries, 2000);
    log_harness_verify (&h);
}
END_TEST

START_TEST (one_flush_may_cross_several_segments)
{
    log_harness_open (&h);
    log_harness_append (&h, 1000, 1, 700);
    log_harness_flush (&h);
    ck_assert_uint_gt (log_harness_count_files (&h, ".log"), 5);
    log_harness_close (&h);
    log_harness_open (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (too_big_entry_refuses_the_whole_batch)
{
    log_harness_open (&h);
    uint32_t max = log_store_payload_bytes_max (h.store);
    uint8_t *payload = calloc (1, max + 1);
    log_batch_t *batch = log_batch_new (2);
    batch->entries[0] = (log_entry_t){.index = 1, .term = 1};
    batch->entries[1] =
        (log_entry_t){.index = 2, .term = 1, .payload = payload, .payload_bytes = max + 1};
    batch->count = 2;
    ck_assert_int_eq (log_store_append (h.store, batch, 1, 2), DT_ERR_TOO_BIG);
    ck_assert_uint_eq (log_store_last (h.store), 0);
    batch->entries[1].payload_bytes = max;
    ck_assert_int_eq (log_store_append (h.store, batch, 1, 2), 0);
    uint64_t durable = 0;
    ck_assert_int_eq (log_store_flush (h.store, &durable), 0);
    ck_assert_uint_eq (durable, 2);
    log_batch_t *read = NULL;
    ck_assert_int_eq (log_store_read (h.store, 2, 2, 1, &read), 0);
    ck_assert_uint_eq (read->entries[0].payload_bytes, max);
    log_batch_unref (&read);
    log_batch_unref (&batch);
    free (payload);
}
END_TEST

static void s_append_in_between (void *context, vfs_fault_call_t call)
{
    log_harness_t *self = context;
    if (call == VFS_FAULT_WRITE_SYNC && self->last < 5000) {
        log_harness_append (self, 60, 2, 300);
    }
}

START_TEST (append_during_a_flush_belongs_to_the_next_flush)
{
    h.options.segment_bytes = 1024 * 1024;
    log_harness_open (&h);
    log_harness_append (&h, 10, 1, 300);
    h.fault.hook = s_append_in_between;
    h.fault.hook_context = &h;
    uint64_t durable = 0;
    ck_assert_int_eq (log_store_flush (h.store, &durable), 0);
    ck_assert_uint_eq (durable, 10);
    ck_assert_uint_eq (log_store_last (h.store), 70);
    ck_assert_int_eq (log_store_flush (h.store, &durable), 0);
    ck_assert_uint_eq (durable, 70);
    h.fault.hook = NULL;
    log_harness_flush (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (appends_during_flushes_that_roll_keep_their_order)
{
    log_harness_open (&h);
    log_harness_append (&h, 300, 1, 300);
    h.fault.hook = s_append_in_between;
    h.fault.hook_context = &h;
    uint64_t durable = 0;
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq (log_store_flush (h.store, &durable), 0);
    }
    h.fault.hook = NULL;
    log_harness_flush (&h);
    log_harness_verify (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (mark_proves_the_last_batch_once)
{
    log_harness_open (&h);
    log_harness_append (&h, 10, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.proven_index, 0);
    ck_assert_int_eq (log_store_mark (h.store), 0);
    uint64_t before = h.fault.total;
    ck_assert_int_eq (log_store_mark (h.store), 0);
    ck_assert_uint_eq (h.fault.total, before);
    log_harness_close (&h);
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.proven_index, 10);
    before = h.fault.total;
    ck_assert_int_eq (log_store_mark (h.store), 0);
    ck_assert_uint_eq (h.fault.total, before);
    log_harness_append (&h, 10, 1, 300);
    log_harness_flush (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (later_entries_prove_earlier_ones)
{
    log_harness_open (&h);
    log_harness_append (&h, 10, 1, 300);
    log_harness_flush (&h);
    log_harness_append (&h, 10, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.proven_index, 10);
}
END_TEST

START_TEST (marks_alone_may_fill_segments)
{
    log_harness_open (&h);
    for (int i = 0; i < 300; i++) {
        log_harness_append (&h, 1, 1, 10);
        log_harness_flush (&h);
        ck_assert_int_eq (log_store_mark (h.store), 0);
    }
    log_harness_verify (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    ck_assert_uint_eq (h.report.proven_index, 300);
    log_harness_verify (&h);
}
END_TEST

START_TEST (prepared_segment_makes_rolling_cheap)
{
    log_harness_open (&h);
    ck_assert (!log_store_wants_prepare (h.store));
    uint64_t room = log_store_room (h.store);
    ck_assert_uint_lt (room, LOG_SEGMENT_BYTES_MIN);
    while (log_store_room (h.store) >= room / 2) {
        log_harness_append (&h, 10, 1, 300);
    }
    log_harness_flush (&h);
    ck_assert (log_store_wants_prepare (h.store));
    ck_assert_int_eq (log_store_prepare (h.store), 0);
    ck_assert (!log_store_wants_prepare (h.store));
    ck_assert_uint_eq (log_store_room (h.store), LOG_SEGMENT_BYTES_MIN - 4096 - 1024);
    log_harness_append (&h, 200, 1, 300);
    uint64_t writes = h.fault.calls[VFS_FAULT_WRITE];
    log_harness_flush (&h);
    ck_assert_uint_eq (h.fault.calls[VFS_FAULT_WRITE], writes);
    log_harness_verify (&h);
}
END_TEST

START_TEST (suffix_is_replaced_inside_a_segment)
{
    log_harness_open (&h);
    log_harness_append (&h, 50, 1, 300);
    log_harness_flush (&h);
    log_harness_truncate (&h, 21);
    log_harness_verify (&h);
    log_harness_append (&h, 5, 4, 300);
    log_harness_flush (&h);
    log_harness_verify (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    log_harness_verify (&h);
    ck_assert_uint_eq (log_store_last (h.store), 25);
}
END_TEST

START_TEST (suffix_of_many_segments_goes_and_frees_their_files)
{
    log_harness_open (&h);
    log_harness_append (&h, 2000, 1, 300);
    log_harness_flush (&h);
    uint32_t files = log_harness_count_files (&h, ".log");
    log_harness_truncate (&h, 3);
    ck_assert_uint_eq (log_harness_count_files (&h, ".log"), 2);
    ck_assert_uint_le (log_harness_count_files (&h, ".tmp"), LOG_SPARES_DEFAULT);
    ck_assert_uint_gt (files, 5);
    log_harness_append (&h, 700, 2, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (whole_log_may_be_truncated)
{
    log_harness_open (&h);
    log_harness_append (&h, 50, 1, 300);
    log_harness_flush (&h);
    log_harness_truncate (&h, 1);
    ck_assert_uint_eq (log_harness_count_files (&h, ".log"), 1);
    log_harness_close (&h);
    log_harness_open (&h);
    ck_assert_uint_eq (log_store_last (h.store), 0);
    log_harness_append (&h, 50, 2, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (pending_entries_are_truncated_too)
{
    log_harness_open (&h);
    log_harness_append (&h, 5, 1, 300);
    log_harness_flush (&h);
    log_harness_append (&h, 5, 1, 300);
    log_harness_truncate (&h, 8);
    ck_assert_uint_eq (log_store_durable (h.store), 7);
    log_harness_verify (&h);
    log_harness_truncate (&h, 8);
    log_harness_verify (&h);
}
END_TEST

START_TEST (prefix_goes_by_whole_segments)
{
    uint64_t term = 0;
    log_harness_open (&h);
    log_harness_append (&h, 1000, 1, 300);
    log_harness_append (&h, 1000, 2, 300);
    log_harness_flush (&h);
    ck_assert_int_eq (log_store_truncate_prefix (h.store, 1200), 0);
    ck_assert_int_eq (log_store_prepare (h.store), 0); // the files go
    uint64_t first = log_store_first (h.store);
    ck_assert_uint_gt (first, 900);
    ck_assert_uint_le (first, 1201);
    ck_assert_int_eq (log_store_term (h.store, first - 1, &term), 0);
    ck_assert_uint_eq (term, h.twin[first - 1].term);
    ck_assert_int_eq (log_store_term (h.store, first - 2, &term), DT_ERR_NOT_FOUND);
    h.base = 1200;
    log_harness_verify (&h);
    log_harness_close (&h);
    h.options.snapshot_index = 1200;
    h.options.snapshot_term = 2;
    log_harness_open (&h);
    ck_assert_uint_eq (log_store_first (h.store), first);
    log_harness_verify (&h);
}
END_TEST

START_TEST (current_segment_survives_any_prefix)
{
    log_harness_open (&h);
    log_harness_append (&h, 1000, 1, 300);
    log_harness_flush (&h);
    ck_assert_int_eq (log_store_truncate_prefix (h.store, 100000), 0);
    ck_assert_int_eq (log_store_prepare (h.store), 0); // the files go
    ck_assert_uint_eq (log_harness_count_files (&h, ".log"), 1);
    h.base = 1000;
    log_harness_verify (&h);
    log_harness_append (&h, 1000, 5, 300);
    log_harness_flush (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (dropped_segments_are_recycled_and_zeroed)
{
    log_harness_open (&h);
    log_harness_append (&h, 1500, 1, 300);
    log_harness_flush (&h);
    h.base = 1500;
    ck_assert_int_eq (log_store_truncate_prefix (h.store, 1500), 0);
    ck_assert_int_eq (log_store_prepare (h.store), 0); // the files go
    ck_assert_uint_eq (log_harness_count_files (&h, ".tmp"), LOG_SPARES_DEFAULT);
    log_harness_append (&h, 1500, 2, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    h.options.snapshot_index = 1500;
    h.options.snapshot_term = 1;
    log_harness_open (&h);
    ck_assert_int_eq (h.report.verdict, LOG_VERDICT_CLEAN);
    log_harness_verify (&h);
}
END_TEST

START_TEST (reset_goes_on_after_a_snapshot)
{
    uint64_t term = 0;
    log_harness_open (&h);
    log_harness_append (&h, 1000, 1, 300);
    log_harness_flush (&h);
    log_harness_append (&h, 10, 1, 300);
    ck_assert_int_eq (log_store_reset (h.store, 5000, 9), 0);
    h.base = h.last = 5000;
    ck_assert_uint_eq (log_store_first (h.store), 5001);
    ck_assert_uint_eq (log_store_durable (h.store), 5000);
    ck_assert_int_eq (log_store_term (h.store, 5000, &term), 0);
    ck_assert_uint_eq (term, 9);
    ck_assert_uint_eq (log_harness_count_files (&h, ".log"), 1);
    log_harness_append (&h, 100, 9, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    h.options.snapshot_index = 5000;
    h.options.snapshot_term = 9;
    log_harness_open (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (log_behind_the_snapshot_is_restarted_after_it)
{
    log_harness_open (&h);
    log_harness_append (&h, 100, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    h.options.snapshot_index = 500;
    h.options.snapshot_term = 2;
    log_harness_open (&h);
    ck_assert (h.report.restarted);
    h.base = h.last = 500;
    log_harness_append (&h, 100, 2, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    log_harness_open (&h);
    ck_assert (!h.report.restarted);
    log_harness_verify (&h);
}
END_TEST

START_TEST (log_that_contradicts_the_snapshot_is_restarted_after_it)
{
    log_harness_open (&h);
    log_harness_append (&h, 100, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    h.options.snapshot_index = 50;
    h.options.snapshot_term = 2;
    log_harness_open (&h);
    ck_assert (h.report.restarted);
    ck_assert_uint_eq (log_store_last (h.store), 50);
}
END_TEST

START_TEST (log_that_begins_after_the_snapshot_is_a_gap)
{
    log_harness_open (&h);
    log_harness_append (&h, 1000, 1, 300);
    log_harness_flush (&h);
    ck_assert_int_eq (log_store_truncate_prefix (h.store, 500), 0);
    ck_assert_int_eq (log_store_prepare (h.store), 0); // the files go
    log_harness_close (&h);
    h.options.snapshot_index = 100;
    h.options.snapshot_term = 1;
    log_harness_refuse (&h, DT_ERR_GAP);
}
END_TEST

START_TEST (discard_leaves_repair_with_an_empty_log)
{
    log_harness_open (&h);
    log_harness_append (&h, 1000, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    vfs_sim_rot (h.disk, log_harness_segment (1), 5000, 1);
    log_harness_refuse (&h, DT_ERR_CORRUPT);
    h.options.discard = true;
    h.options.snapshot_index = 700;
    h.options.snapshot_term = 1;
    log_harness_open (&h);
    h.base = h.last = 700;
    ck_assert_uint_eq (log_store_first (h.store), 701);
    ck_assert_uint_eq (log_harness_count_files (&h, ".log"), 1);
    log_harness_close (&h);
    h.options.discard = false;
    log_harness_open (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (read_stays_within_its_limits)
{
    log_harness_open (&h);
    log_harness_append (&h, 500, 1, 300);
    log_harness_flush (&h);
    log_batch_t *batch = NULL;
    ck_assert_int_eq (log_store_read (h.store, 10, 19, 1 << 20, &batch), 0);
    ck_assert_uint_eq (batch->count, 10);
    ck_assert_uint_eq (log_batch_first (batch), 10);
    log_batch_unref (&batch);
    ck_assert_int_eq (log_store_read (h.store, 10, 100, 900, &batch), 0);
    ck_assert_uint_le (log_batch_payload_bytes (batch), 900);
    log_batch_unref (&batch);
    ck_assert_int_eq (log_store_read (h.store, 10, 100, 0, &batch), 0);
    ck_assert_uint_ge (batch->count, 1);
    log_batch_unref (&batch);
    ck_assert_int_eq (log_store_read (h.store, 501, 600, 1, &batch), DT_ERR_NOT_FOUND);
    ck_assert_int_eq (log_store_read (h.store, 0, 600, 1, &batch), DT_ERR_NOT_FOUND);
    log_harness_append (&h, 1, 1, 300);
    ck_assert_int_eq (log_store_read (h.store, 501, 600, 1, &batch), DT_ERR_NOT_FOUND);
    log_harness_flush (&h);
    ck_assert_int_eq (log_store_read (h.store, 501, 600, 1, &batch), 0);
    log_batch_unref (&batch);
}
END_TEST

static void s_truncate_in_between (void *context, vfs_fault_call_t call)
{
    log_harness_t *self = context;
    if (call == VFS_FAULT_READ) {
        self->fault.hook = NULL;
        log_harness_truncate (self, 100);
        log_harness_append (self, 300, 7, 300);
        log_harness_flush (self);
    }
}

START_TEST (read_that_is_overtaken_by_a_truncation_sees_the_new_entries)
{
    log_harness_open (&h);
    log_harness_append (&h, 300, 1, 300);
    log_harness_flush (&h);
    h.fault.hook = s_truncate_in_between;
    h.fault.hook_context = &h;
    log_batch_t *batch = NULL;
    ck_assert_int_eq (log_store_read (h.store, 110, 200, 1 << 20, &batch), 0);
    ck_assert_uint_eq (log_batch_first (batch), 110);
    for (uint32_t i = 0; i < batch->count; i++) {
        log_harness_check_entry (&h, &batch->entries[i]);
    }
    log_batch_unref (&batch);
    ck_assert_int_eq (log_store_prepare (h.store), 0);
    log_harness_verify (&h);
}
END_TEST

static void s_drop_in_between (void *context, vfs_fault_call_t call)
{
    log_harness_t *self = context;
    if (call == VFS_FAULT_READ) {
        self->fault.hook = NULL;
        ck_assert_int_eq (log_store_truncate_prefix (self->store, 1500), 0);
    }
}

START_TEST (read_of_a_segment_that_is_dropped_meanwhile_succeeds)
{
    log_harness_open (&h);
    log_harness_append (&h, 2000, 1, 300);
    log_harness_flush (&h);
    h.fault.hook = s_drop_in_between;
    h.fault.hook_context = &h;
    log_batch_t *batch = NULL;
    ck_assert_int_eq (log_store_read (h.store, 10, 20, 1 << 20, &batch), 0);
    ck_assert_uint_eq (batch->count, 11);
    log_harness_check_entry (&h, &batch->entries[3]);
    log_batch_unref (&batch);
    ck_assert (log_store_wants_prepare (h.store));
    ck_assert_int_eq (log_store_prepare (h.store), 0);
    h.base = 1500;
    log_harness_verify (&h);
}
END_TEST

START_TEST (damage_found_by_a_read_is_reported)
{
    log_harness_open (&h);
    log_harness_append (&h, 300, 1, 300);
    log_harness_flush (&h);
    vfs_sim_rot (h.disk, log_harness_segment (1), 5000, 4);
    log_batch_t *batch = NULL;
    int rc = 0;
    for (uint64_t next = 1; rc == 0 && next <= 300;) {
        rc = log_store_read (h.store, next, 300, 1 << 20, &batch);
        if (rc == 0) {
            next += batch->count;
            log_batch_unref (&batch);
        }
    }
    ck_assert_int_eq (rc, DT_ERR_CORRUPT);
    ck_assert_ptr_nonnull (strstr (h.last_log, "corrupt"));
}
END_TEST

START_TEST (full_disk_refuses_cleanly_and_recovers)
{
    log_harness_open (&h);
    vfs_sim_faults_t faults = {.capacity_bytes = 3 * LOG_SEGMENT_BYTES_MIN + 16384};
    vfs_sim_set_faults (h.disk, &faults);
    uint64_t durable = 0;
    int rc = 0;
    while (rc == 0) {
        log_harness_append (&h, 20, 1, 300);
        rc = log_store_flush (h.store, &durable);
    }
    ck_assert_int_eq (rc, DT_ERR_NO_SPACE);
    ck_assert_int_eq (log_store_failed (h.store), 0);
    ck_assert_uint_eq (log_store_room (h.store), 0);
    ck_assert_int_eq (log_store_prepare (h.store), DT_ERR_NO_SPACE);
    uint64_t safe = log_store_durable (h.store);
    ck_assert_uint_gt (safe, 200);
    uint64_t pending = h.last;
    h.base = safe / 2;
    ck_assert_int_eq (log_store_truncate_prefix (h.store, safe / 2), 0);
    ck_assert_int_eq (log_store_flush (h.store, &durable), 0);
    ck_assert_uint_eq (durable, pending);
    log_harness_verify (&h);
    log_harness_close (&h);
    h.options.snapshot_index = safe / 2;
    h.options.snapshot_term = 1;
    log_harness_open (&h);
    log_harness_verify (&h);
}
END_TEST

START_TEST (what_room_promises_can_be_flushed_on_a_full_disk)
{
    log_harness_open (&h);
    log_harness_append (&h, 250, 1, 300);
    log_harness_flush (&h);
    ck_assert_int_eq (log_store_prepare (h.store), 0);
    vfs_sim_faults_t faults = {.capacity_bytes = 1};
    vfs_sim_set_faults (h.disk, &faults);
    uint64_t room = log_store_room (h.store);
    ck_assert_uint_gt (room, LOG_SEGMENT_BYTES_MIN / 2);
    for (;;) {
        uint64_t bytes = log_store_entry_bytes (300) + LOG_FLUSH_ALIGN;
        if (bytes > room) {
            break;
        }
        room -= bytes;
        log_harness_append (&h, 1, 1, 300);
        log_harness_flush (&h);
    }
    vfs_sim_set_faults (h.disk, NULL);
    log_harness_verify (&h);
}
END_TEST

START_TEST (foreign_segments_are_refused)
{
    log_harness_open (&h);
    log_harness_append (&h, 10, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    storage_identity_t own = h.options.identity;
    h.options.identity.cluster_id++;
    log_harness_refuse (&h, DT_ERR_FOREIGN);
    h.options.identity = own;
    h.options.identity.group_id++;
    log_harness_refuse (&h, DT_ERR_FOREIGN);
    h.options.identity = own;
    h.options.identity.node_id++;
    log_harness_refuse (&h, DT_ERR_FOREIGN);
    h.options.identity = own;
    log_harness_open (&h);
}
END_TEST

START_TEST (bad_options_are_refused)
{
    h.options.segment_bytes = LOG_SEGMENT_BYTES_MIN - 4096;
    ck_assert_int_eq (log_store_open (&h.options, &h.store, NULL), DT_ERR_INVALID);
    h.options.segment_bytes = LOG_SEGMENT_BYTES_MIN + 1;
    ck_assert_int_eq (log_store_open (&h.options, &h.store, NULL), DT_ERR_INVALID);
}
END_TEST

START_TEST (segment_size_may_change_between_starts)
{
    log_harness_open (&h);
    log_harness_append (&h, 500, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    h.options.segment_bytes = 1024 * 1024;
    log_harness_open (&h);
    log_harness_append (&h, 5000, 1, 300);
    log_harness_flush (&h);
    log_harness_close (&h);
    h.options.segment_bytes = LOG_SEGMENT_BYTES_MIN;
    log_harness_open (&h);
    log_harness_append (&h, 5000, 1, 300);
    log_harness_flush (&h);
    log_harness_verify (&h);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("log_store");
    TCase *tcase = tcase_create ("log_store");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, new_log_is_empty_and_starts_after_the_snapshot);
    tcase_add_test (tcase, entries_come_back_with_every_field_after_reopening);
    tcase_add_test (tcase, flush_of_a_thousand_entries_is_one_write_sync);
    tcase_add_test (tcase, large_write_buffer_is_told_to_the_environment);
    tcase_add_test (tcase, small_write_buffer_is_left_alone);
    tcase_add_test (tcase, append_and_getters_do_no_io);
    tcase_add_test (tcase, entries_roll_over_many_segments);
    tcase_add_test (tcase, one_flush_may_cross_several_segments);
    tcase_add_test (tcase, too_big_entry_refuses_the_whole_batch);
    tcase_add_test (tcase, append_during_a_flush_belongs_to_the_next_flush);
    tcase_add_test (tcase, appends_during_flushes_that_roll_keep_their_order);
    tcase_add_test (tcase, mark_proves_the_last_batch_once);
    tcase_add_test (tcase, later_entries_prove_earlier_ones);
    tcase_add_test (tcase, marks_alone_may_fill_segments);
    tcase_add_test (tcase, prepared_segment_makes_rolling_cheap);
    tcase_add_test (tcase, suffix_is_replaced_inside_a_segment);
    tcase_add_test (tcase, suffix_of_many_segments_goes_and_frees_their_files);
    tcase_add_test (tcase, whole_log_may_be_truncated);
    tcase_add_test (tcase, pending_entries_are_truncated_too);
    tcase_add_test (tcase, prefix_goes_by_whole_segments);
    tcase_add_test (tcase, current_segment_survives_any_prefix);
    tcase_add_test (tcase, dropped_segments_are_recycled_and_zeroed);
    tcase_add_test (tcase, reset_goes_on_after_a_snapshot);
    tcase_add_test (tcase, log_behind_the_snapshot_is_restarted_after_it);
    tcase_add_test (tcase, log_that_contradicts_the_snapshot_is_restarted_after_it);
    tcase_add_test (tcase, log_that_begins_after_the_snapshot_is_a_gap);
    tcase_add_test (tcase, discard_leaves_repair_with_an_empty_log);
    tcase_add_test (tcase, read_stays_within_its_limits);
    tcase_add_test (tcase, read_that_is_overtaken_by_a_truncation_sees_the_new_entries);
    tcase_add_test (tcase, read_of_a_segment_that_is_dropped_meanwhile_succeeds);
    tcase_add_test (tcase, damage_found_by_a_read_is_reported);
    tcase_add_test (tcase, full_disk_refuses_cleanly_and_recovers);
    tcase_add_test (tcase, what_room_promises_can_be_flushed_on_a_full_disk);
    tcase_add_test (tcase, foreign_segments_are_refused);
    tcase_add_test (tcase, bad_options_are_refused);
    tcase_add_test (tcase, segment_size_may_change_between_starts);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
