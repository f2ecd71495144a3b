// Random programs against the naive twin, with and without crashes. DT_TEST_SEED=n runs one seed.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "tests/storage/log_harness.h"

typedef struct {
    log_harness_t h;
    uint64_t term;
    uint64_t acked;         // durable by a flush that returned 0
    bool stop_on_error;     // the disk may die: an error ends the program
    bool truncating;        // died in truncate_suffix,
    uint64_t truncate_from; // from this entry on
    bool resetting;         // died in reset to this index
    uint64_t reset_index;
    uint64_t reset_term;
} program_t;

// True: go on. With a disk that may die an error ends the program, else it is a failure.
static bool s_ok (program_t *self, int rc, const char *what)
{
    if (rc == 0) {
        return true;
    }
    ck_assert_msg (self->stop_on_error, "%s: %s (%s)", what, dt_error_name (rc), self->h.last_log);
    return false;
}

static bool s_append (program_t *self)
{
    dt_random_t *random = &self->h.random;
    uint32_t count = 1 + (uint32_t) dt_random_below (random, 60);
    uint32_t payload_max = dt_random_chance (random, 1, 20) ? 20000 : 400;
    if (dt_random_chance (random, 1, 10)) {
        self->term += 1 + dt_random_below (random, 3);
    }
    log_batch_t *batch = log_harness_batch (&self->h, self->h.last, count, self->term, payload_max);
    int rc =
        log_store_append (self->h.store, batch, log_batch_first (batch), log_batch_last (batch));
    log_batch_unref (&batch);
    return s_ok (self, rc, "append");
}

static bool s_flush (program_t *self)
{
    uint64_t durable = 0;
    int rc = log_store_flush (self->h.store, &durable);
    if (!s_ok (self, rc, "flush")) {
        return false;
    }
    ck_assert_uint_eq (durable, self->h.last);
    self->acked = durable;
    return true;
}

static bool s_truncate (program_t *self)
{
    uint64_t first = log_store_first (self->h.store);
    first = first > self->h.base + 1 ? first : self->h.base + 1;
    uint64_t from = dt_random_between (&self->h.random, first, self->h.last + 1);
    if (dt_random_chance (&self->h.random, 3, 4) && self->h.last > 20 + first) {
        from = self->h.last - dt_random_below (&self->h.random, 20);
    }
    self->truncating = true;
    self->truncate_from = from;
    if (!s_ok (self, log_store_truncate_suffix (self->h.store, from), "truncate_suffix")) {
        return false;
    }
    self->truncating = false;
    self->h.last = from - 1;
    self->acked = self->h.last;
    self->term++; // as another leader would write here
    return true;
}

static bool s_prefix (program_t *self)
{
    uint64_t upto = dt_random_between (&self->h.random, self->h.base, self->acked);
    if (upto > self->h.base) {
        self->h.base_term = self->h.twin[upto].term;
        self->h.base = upto;
    }
    return s_ok (self, log_store_truncate_prefix (self->h.store, upto), "truncate_prefix");
}

static bool s_reset (program_t *self)
{
    uint64_t index = self->h.last + 1 + dt_random_below (&self->h.random, 50);
    self->resetting = true;
    self->reset_index = index;
    self->reset_term = ++self->term;
    // The snapshot is durable before: a start from here on must be based on it.
    self->h.base = index;
    self->h.base_term = self->term;
    if (!s_ok (self, log_store_reset (self->h.store, index, self->term), "reset")) {
        return false;
    }
    self->resetting = false;
    self->h.last = index;
    self->acked = index;
    return true;
}

static void s_set_bound (program_t *self)
{
    self->h.options.snapshot_index = self->h.base;
    self->h.options.snapshot_term = self->h.base_term;
}

static bool s_reopen (program_t *self)
{
    // What was not flushed is gone.
    log_harness_close (&self->h);
    self->h.last = self->acked;
    s_set_bound (self);
    self->h.options.durable_hint = dt_random_below (&self->h.random, self->acked + 1);
    int rc = log_store_open (&self->h.options, &self->h.store, &self->h.report);
    if (!s_ok (self, rc, "open")) {
        return false;
    }
    ck_assert_int_ne (self->h.report.verdict, LOG_VERDICT_CORRUPT);
    return true;
}

// One step of a program. False: the disk died.
static bool s_step (program_t *self)
{
    uint64_t dice = dt_random_below (&self->h.random, 100);
    if (self->h.last + 200 > LOG_TWIN_MAX) {
        return false;
    }
    if (dice < 40) {
        return s_append (self);
    }
    if (dice < 70) {
        return s_flush (self);
    }
    if (dice < 78) {
        return s_ok (self, log_store_mark (self->h.store), "mark");
    }
    if (dice < 86) {
        return s_ok (self, log_store_prepare (self->h.store), "prepare");
    }
    if (dice < 91) {
        return s_truncate (self);
    }
    if (dice < 95) {
        return s_prefix (self);
    }
    if (dice < 96) {
        return s_reset (self);
    }
    return s_reopen (self);
}

static void s_begin (program_t *self, uint64_t seed)
{
    memset (self, 0, sizeof *self);
    log_harness_init (&self->h, seed);
    self->term = 1;
}

START_TEST (random_programs_agree_with_the_twin)
{
    uint64_t seed = (uint64_t) _i;
    program_t program;
    s_begin (&program, seed);
    log_harness_open (&program.h);
    for (int step = 0; step < 600 && s_step (&program); step++) {
        if (step % 50 == 0) {
            ck_assert (s_flush (&program));
            log_harness_verify (&program.h);
        }
    }
    ck_assert (s_flush (&program));
    log_harness_verify (&program.h);
    log_harness_deinit (&program.h);
}
END_TEST

// After a crash: what must be there is, what is there was appended.
static void s_judge (program_t *self, uint64_t seed)
{
    log_harness_t *h = &self->h;
    uint64_t last = log_store_last (h->store);
    uint64_t must = self->acked;
    if (self->truncating && self->truncate_from <= must) {
        must = self->truncate_from - 1; // gone or not, both are right
    }
    if (self->resetting) {
        must = self->reset_index;
        h->last = self->reset_index;
    }
    ck_assert_msg (last >= must, "seed %llu: last %llu, but %llu was durable",
                   (unsigned long long) seed, (unsigned long long) last, (unsigned long long) must);
    ck_assert_msg (last <= h->last || last == h->base,
                   "seed %llu: last %llu, but only %llu were appended", (unsigned long long) seed,
                   (unsigned long long) last, (unsigned long long) h->last);
    h->last = last;
    self->acked = last;
    self->truncating = false;
    self->resetting = false;
    log_harness_verify (h);
}

// Run until the disk dies at a random change, recover (dying again in it a few times), look, go on.
static void s_crash_program (uint64_t seed, uint32_t garbage_ppm, bool kill_only)
{
    program_t program;
    s_begin (&program, seed);
    log_harness_t *h = &program.h;
    vfs_sim_faults_t faults = {.garbage_ppm = garbage_ppm};
    vfs_sim_set_faults (h->disk, &faults);
    log_harness_open (h);
    program.stop_on_error = true;
    for (int round = 0; round < 6; round++) {
        vfs_sim_crash_at (h->disk, 1 + dt_random_below (&h->random, 120));
        while (s_step (&program) && !vfs_sim_stopped (h->disk)) {
        }
        int rc;
        do {
            if (kill_only && dt_random_chance (&h->random, 1, 2)) {
                log_harness_kill (h);
            } else {
                log_harness_crash (h);
            }
            vfs_sim_crash_at (h->disk, dt_random_chance (&h->random, 1, 2)
                                           ? 1 + dt_random_below (&h->random, 12)
                                           : 0);
            s_set_bound (&program);
            h->options.durable_hint = 0;
            rc = log_store_open (&h->options, &h->store, &h->report);
        } while (rc && vfs_sim_stopped (h->disk));
        if (rc == DT_ERR_CORRUPT && garbage_ppm) {
            break; // garbage cannot be told from rot; refusing is right
        }
        ck_assert_msg (rc == 0, "seed %llu: open: %s: %s at %s %llu (%s)",
                       (unsigned long long) seed, dt_error_name (rc), h->report.why, h->report.file,
                       (unsigned long long) h->report.offset, h->last_log);
        vfs_sim_crash_at (h->disk, 0);
        s_judge (&program, seed);
    }
    log_harness_deinit (h);
}

START_TEST (nothing_durable_is_lost_in_a_crash)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        s_crash_program ((uint64_t) _i * 1000 + seed, 0, false);
    }
}
END_TEST

START_TEST (nothing_durable_is_lost_by_kills_followed_by_crashes)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        s_crash_program ((uint64_t) _i * 1000 + 500000 + seed, 0, true);
    }
}
END_TEST

START_TEST (garbage_sectors_are_refused_or_cut_but_never_believed)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        s_crash_program ((uint64_t) _i * 1000 + 900000 + seed, 200000, false);
    }
}
END_TEST

int main (void)
{
    const char *one = getenv ("DT_TEST_SEED");
    if (one) {
        s_crash_program (strtoull (one, NULL, 10), 0, getenv ("DT_TEST_KILL") != NULL);
        return EXIT_SUCCESS;
    }
    Suite *suite = suite_create ("log_random");
    TCase *tcase = tcase_create ("log_random");
    tcase_set_timeout (tcase, 60);
    tcase_add_loop_test (tcase, random_programs_agree_with_the_twin, 0, 20);
    tcase_add_loop_test (tcase, nothing_durable_is_lost_in_a_crash, 0, 5);
    tcase_add_loop_test (tcase, nothing_durable_is_lost_by_kills_followed_by_crashes, 0, 5);
    tcase_add_loop_test (tcase, garbage_sectors_are_refused_or_cut_but_never_believed, 0, 5);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
