// Every call of the disk fails once, in turn.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "tests/storage/log_harness.h"

typedef struct {
    log_harness_t h;
    uint64_t acked;  // highest index a flush acknowledged; truncation lowers it
    uint64_t lowest; // what a truncation in progress may leave
    uint64_t snapshot;
    uint64_t snapshot_term;
} run_t;

static int s_append_flush (run_t *self, uint32_t count, uint64_t term)
{
    log_harness_t *h = &self->h;
    uint64_t durable = 0;
    log_batch_t *batch = log_harness_batch (h, h->last, count, term, 400);
    int rc = log_store_append (h->store, batch, log_batch_first (batch), log_batch_last (batch));
    log_batch_unref (&batch);
    if (rc == 0) {
        rc = log_store_flush (h->store, &durable);
    }
    if (rc == 0) {
        ck_assert_uint_eq (durable, h->last);
        self->acked = durable;
    }
    return rc;
}

static int s_truncate (run_t *self, uint64_t from)
{
    self->lowest = from - 1;
    int rc = log_store_truncate_suffix (self->h.store, from);
    if (rc == 0) {
        self->h.last = from - 1;
        self->acked = from - 1;
        self->lowest = UINT64_MAX;
    }
    return rc;
}

static int s_read_all (run_t *self)
{
    uint64_t next = log_store_first (self->h.store);
    while (next <= log_store_durable (self->h.store)) {
        log_batch_t *batch = NULL;
        int rc = log_store_read (self->h.store, next, UINT64_MAX, 1 << 20, &batch);
        if (rc) {
            return rc;
        }
        next += batch->count;
        log_batch_unref (&batch);
    }
    return 0;
}

// A program that uses everything; returns the first error.
static int s_program (run_t *self)
{
    log_harness_t *h = &self->h;
    int rc = log_store_open (&h->options, &h->store, &h->report);
    for (int i = 0; rc == 0 && i < 6; i++) {
        rc = s_append_flush (self, 100, 1);
    }
    if (rc == 0) {
        rc = log_store_mark (h->store);
    }
    if (rc == 0) {
        rc = log_store_prepare (h->store);
    }
    if (rc == 0) {
        rc = s_truncate (self, 250);
    }
    for (int i = 0; rc == 0 && i < 3; i++) {
        rc = s_append_flush (self, 150, 2);
    }
    if (rc == 0) {
        rc = s_read_all (self);
    }
    if (rc == 0) {
        self->snapshot = 400;
        self->snapshot_term = 2;
        rc = log_store_truncate_prefix (h->store, 400);
    }
    for (int i = 0; rc == 0 && i < 3; i++) {
        rc = s_append_flush (self, 100, 3);
    }
    if (rc == 0) {
        rc = log_store_prepare (h->store);
    }
    if (rc == 0) {
        self->snapshot = h->last + 100;
        self->snapshot_term = 4;
        rc = log_store_reset (h->store, self->snapshot, 4);
    }
    if (rc == 0) {
        h->last = self->acked = self->snapshot;
        rc = s_append_flush (self, 100, 4);
    }
    return rc;
}

static void s_init (run_t *self)
{
    memset (self, 0, sizeof *self);
    log_harness_init (&self->h, 5);
    self->lowest = UINT64_MAX;
}

// After the error: nothing more is acknowledged, unless it was one that leaves the store whole.
static void s_expect_final (run_t *self, int rc)
{
    log_harness_t *h = &self->h;
    if (!h->store) {
        return;
    }
    if (rc != DT_ERR_DISK_FAILED) {
        ck_assert_int_eq (log_store_failed (h->store), 0);
        return;
    }
    uint64_t durable = log_store_durable (h->store);
    uint64_t total = h->fault.total;
    uint64_t result = 0;
    ck_assert_int_eq (log_store_failed (h->store), DT_ERR_DISK_FAILED);
    ck_assert_int_eq (log_store_flush (h->store, &result), DT_ERR_DISK_FAILED);
    ck_assert_int_eq (log_store_mark (h->store), DT_ERR_DISK_FAILED);
    ck_assert_int_eq (log_store_prepare (h->store), DT_ERR_DISK_FAILED);
    ck_assert_int_eq (log_store_truncate_prefix (h->store, 1), DT_ERR_DISK_FAILED);
    ck_assert_int_eq (log_store_truncate_suffix (h->store, log_store_last (h->store) + 1),
                      DT_ERR_DISK_FAILED);
    ck_assert_int_eq (log_store_reset (h->store, 5000, 9), DT_ERR_DISK_FAILED);
    ck_assert_uint_eq (log_store_room (h->store), 0);
    ck_assert_uint_eq (log_store_durable (h->store), durable);
    ck_assert_uint_eq (h->fault.total, total);
}

static void s_expect_all (run_t *self, uint64_t k)
{
    log_harness_t *h = &self->h;
    h->options.snapshot_index = self->snapshot;
    h->options.snapshot_term = self->snapshot_term;
    h->base = self->snapshot;
    ck_assert_msg (log_store_open (&h->options, &h->store, &h->report) == 0,
                   "call %llu: reopening: %s", (unsigned long long) k, h->report.why);
    uint64_t must = self->acked < self->lowest ? self->acked : self->lowest;
    must = must > self->snapshot ? must : self->snapshot;
    uint64_t last = log_store_last (h->store);
    ck_assert_msg (last >= must, "call %llu: last %llu, %llu acknowledged", (unsigned long long) k,
                   (unsigned long long) last, (unsigned long long) must);
    h->last = last;
    log_harness_verify (h);
}

static uint64_t s_calls (void)
{
    run_t run;
    s_init (&run);
    ck_assert_int_eq (s_program (&run), 0);
    uint64_t total = run.h.fault.total;
    log_harness_deinit (&run.h);
    return total;
}

static void s_fail_each (int rc, bool crash)
{
    uint64_t total = s_calls ();
    ck_assert_uint_gt (total, 100);
    uint32_t final = 0;
    for (uint64_t k = 1; k <= total; k++) {
        run_t run;
        s_init (&run);
        run.h.fault.fail_at = k;
        run.h.fault.fail_rc = rc;
        int got = s_program (&run);
        ck_assert_uint_eq (run.h.fault.failures, 1);
        if (got) {
            s_expect_final (&run, got);
        }
        final += got == DT_ERR_DISK_FAILED;
        if (crash) {
            log_harness_crash (&run.h);
        } else {
            log_harness_kill (&run.h);
        }
        s_expect_all (&run, k);
        log_harness_deinit (&run.h);
    }
    ck_assert_uint_gt (final, 30);
}

START_TEST (after_any_io_error_nothing_acknowledged_is_lost_in_a_crash)
{
    s_fail_each (DT_ERR_IO, true);
}
END_TEST

START_TEST (after_any_io_error_nothing_acknowledged_is_lost_by_a_kill)
{
    s_fail_each (DT_ERR_IO, false);
}
END_TEST

START_TEST (after_any_lack_of_space_nothing_acknowledged_is_lost)
{
    s_fail_each (DT_ERR_NO_SPACE, true);
}
END_TEST

// Each sync of the simulated disk fails and forgets what it should have written, as real ones do.
START_TEST (pages_lost_by_a_failed_sync_are_never_acknowledged)
{
    for (uint64_t nth = 1; nth < 40; nth++) {
        run_t run;
        s_init (&run);
        vfs_sim_fail_at (run.h.disk, VFS_SIM_SYNC, nth, DT_ERR_IO);
        int rc = s_program (&run);
        if (rc == 0) {
            log_harness_deinit (&run.h);
            break;
        }
        s_expect_final (&run, rc);
        // The process starts again and reads its pages, which look well; then the power goes.
        log_harness_kill (&run.h);
        s_expect_all (&run, nth);
        uint64_t recovered = log_store_durable (run.h.store);
        log_harness_crash (&run.h);
        run.acked = recovered;
        run.lowest = UINT64_MAX;
        s_expect_all (&run, nth);
        log_harness_deinit (&run.h);
    }
}
END_TEST

// --- the order of writes and acknowledgements ----------------------------------------------------

typedef struct {
    uint64_t at_sync; // last entry that was appended when the newest sync of the log began
    log_harness_t *h;
} order_t;

static void s_watch (void *context, vfs_fault_call_t call)
{
    order_t *order = context;
    if (call == VFS_FAULT_WRITE_SYNC && order->h->store) {
        order->at_sync = log_store_last (order->h->store);
        // Someone appends while the disk is busy.
        if (order->h->last < 3000) {
            log_harness_append (order->h, 7, 1, 300);
        }
    }
}

START_TEST (acknowledged_is_only_what_a_sync_begun_later_covered)
{
    run_t run;
    s_init (&run);
    log_harness_open (&run.h);
    order_t order = {.h = &run.h};
    run.h.fault.hook = s_watch;
    run.h.fault.hook_context = &order;
    for (int i = 0; i < 100; i++) {
        uint64_t before = log_store_last (run.h.store);
        uint64_t durable = 0;
        ck_assert_int_eq (log_store_flush (run.h.store, &durable), 0);
        ck_assert_uint_eq (durable, before);
        ck_assert_uint_le (durable, order.at_sync);
        log_harness_append (&run.h, 5, 1, 300);
    }
    run.h.fault.hook = NULL;
    log_harness_deinit (&run.h);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("log_fault");
    TCase *tcase = tcase_create ("log_fault");
    tcase_set_timeout (tcase, 100);
    tcase_add_test (tcase, after_any_io_error_nothing_acknowledged_is_lost_in_a_crash);
    tcase_add_test (tcase, after_any_io_error_nothing_acknowledged_is_lost_by_a_kill);
    tcase_add_test (tcase, after_any_lack_of_space_nothing_acknowledged_is_lost);
    tcase_add_test (tcase, pages_lost_by_a_failed_sync_are_never_acknowledged);
    tcase_add_test (tcase, acknowledged_is_only_what_a_sync_begun_later_covered);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
