#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_random.h"
#include "raft/core/raft_log.h"
#include "tests/raft/raft_print.h"

// Append `count` entries of a term in one batch.
static void s_append (raft_log_t *log, uint32_t count, raft_term_t term, uint32_t payload_bytes)
{
    log_batch_t *batch = raft_print_batch (count, payload_bytes);
    for (uint32_t i = 0; i < count; i++) {
        batch->entries[i].index = raft_log_last (log) + 1 + i;
        batch->entries[i].term = term;
        batch->entries[i].cluster_time_ms = raft_log_last (log) + 1 + i;
    }
    raft_log_piece_t piece = {
        .batch = batch, .first = log_batch_first (batch), .last = log_batch_last (batch)};
    piece.bytes = raft_log_weigh (batch, piece.first, piece.last);
    raft_log_append (log, &piece);
    log_batch_unref (&batch);
}

static raft_log_t *s_new (raft_index_t snapshot_index, raft_term_t snapshot_term)
{
    raft_log_start_t start = {.snapshot_index = snapshot_index, .snapshot_term = snapshot_term};
    return raft_log_new (&start, 0);
}

static void s_expect_term (const raft_log_t *log, raft_index_t index, raft_term_t expected)
{
    raft_term_t term = 0;
    ck_assert_int_eq (raft_log_term (log, index, &term), RAFT_TERM_KNOWN);
    ck_assert_uint_eq (term, expected);
}

START_TEST (new_log_begins_at_one_with_term_zero_before_it)
{
    raft_log_t *log = s_new (0, 0);
    ck_assert_uint_eq (raft_log_first (log), 1);
    ck_assert_uint_eq (raft_log_last (log), 0);
    s_expect_term (log, 0, 0);
    raft_log_check (log);
    raft_log_destroy (&log);
}
END_TEST

START_TEST (term_of_a_compacted_entry_is_not_zero_but_compacted)
{
    raft_log_t *log = s_new (0, 0);
    s_append (log, 10, 1, 0);
    s_append (log, 10, 2, 0);
    raft_log_set_snapshot (log, 15, 2);
    raft_log_compact (log, 15);
    raft_term_t term = 77;
    ck_assert_int_eq (raft_log_term (log, 0, &term), RAFT_TERM_COMPACTED);
    ck_assert_int_eq (raft_log_term (log, 14, &term), RAFT_TERM_COMPACTED);
    ck_assert_uint_eq (term, 77);
    s_expect_term (log, 15, 2);
    s_expect_term (log, 20, 2);
    ck_assert_int_eq (raft_log_term (log, 21, &term), RAFT_TERM_BEYOND);
    raft_log_check (log);
    raft_log_destroy (&log);
}
END_TEST

START_TEST (term_of_an_entry_found_on_disk_is_not_guessed)
{
    raft_log_start_t start = {
        .snapshot_index = 10, .snapshot_term = 3, .first = 5, .last = 30, .last_term = 5};
    raft_log_t *log = raft_log_new (&start, 0);
    raft_term_t term = 0;
    ck_assert_int_eq (raft_log_term (log, 3, &term), RAFT_TERM_COMPACTED);
    ck_assert_int_eq (raft_log_term (log, 7, &term), RAFT_TERM_ON_DISK);
    s_expect_term (log, 10, 3);
    ck_assert_int_eq (raft_log_term (log, 29, &term), RAFT_TERM_ON_DISK);
    s_expect_term (log, 30, 5);
    raft_log_destroy (&log);
    start.last_term = 3; // nothing else can lie between 3 and 3
    log = raft_log_new (&start, 0);
    s_expect_term (log, 20, 3);
    raft_log_destroy (&log);
}
END_TEST

START_TEST (truncation_inside_a_batch_keeps_its_beginning)
{
    raft_log_t *log = s_new (0, 0);
    s_append (log, 10, 1, 100);
    s_append (log, 10, 2, 100);
    raft_log_truncate (log, 14);
    ck_assert_uint_eq (raft_log_last (log), 13);
    ck_assert_uint_eq (raft_log_memory_bytes (log), 13 * (100 + RAFT_ENTRY_OVERHEAD_BYTES));
    raft_log_piece_t piece;
    ck_assert (raft_log_find (log, 13, &piece));
    ck_assert_uint_eq (piece.last, 13);
    ck_assert (!raft_log_find (log, 14, &piece));
    raft_log_check (log);
    raft_log_truncate (log, 5);
    ck_assert_uint_eq (raft_log_last_term (log), 1);
    s_append (log, 1, 7, 0);
    s_expect_term (log, 4, 1);
    s_expect_term (log, 5, 7);
    raft_log_check (log);
    raft_log_destroy (&log);
}
END_TEST

START_TEST (truncation_to_the_snapshot_takes_its_term)
{
    raft_log_t *log = s_new (8, 4);
    s_append (log, 3, 5, 0);
    raft_log_truncate (log, 9);
    ck_assert_uint_eq (raft_log_last (log), 8);
    ck_assert_uint_eq (raft_log_last_term (log), 4);
    raft_log_check (log);
    raft_log_destroy (&log);
}
END_TEST

START_TEST (cluster_time_does_not_go_back_with_a_truncation)
{
    raft_log_t *log = s_new (0, 0);
    s_append (log, 10, 1, 0);
    uint64_t time_ms = raft_log_cluster_time_ms (log);
    raft_log_truncate (log, 3);
    ck_assert_uint_ge (raft_log_cluster_time_ms (log), time_ms);
    raft_log_destroy (&log);
}
END_TEST

START_TEST (batch_of_several_terms_is_known_entry_by_entry)
{
    raft_log_t *log = s_new (0, 0);
    log_batch_t *batch = raft_print_batch (4, 0);
    for (uint32_t i = 0; i < 4; i++) {
        batch->entries[i].index = i + 1;
        batch->entries[i].term = 1 + i / 2 * 3; // 1 1 4 4
    }
    raft_log_piece_t piece = {.batch = batch, .first = 1, .last = 4};
    piece.bytes = raft_log_weigh (batch, 1, 4);
    raft_log_append (log, &piece);
    log_batch_unref (&batch);
    s_expect_term (log, 2, 1);
    s_expect_term (log, 3, 4);
    raft_log_check (log);
    raft_log_destroy (&log);
}
END_TEST

START_TEST (released_pieces_stay_while_they_fit_the_retention)
{
    raft_log_start_t start = {0};
    raft_log_t *log = raft_log_new (&start, 2 * RAFT_ENTRY_OVERHEAD_BYTES);
    for (int i = 0; i < 5; i++) {
        s_append (log, 1, 1, 0);
    }
    raft_log_release (log, 1);
    ck_assert_uint_eq (raft_log_memory_first (log), 1);
    raft_log_release (log, 4);
    ck_assert_uint_eq (raft_log_memory_first (log), 3);
    raft_log_release (log, 5);
    ck_assert_uint_eq (raft_log_memory_first (log), 4);
    raft_log_destroy (&log);
}
END_TEST

START_TEST (released_pieces_are_not_many_however_short)
{
    raft_log_start_t start = {0};
    raft_log_t *log = raft_log_new (&start, UINT64_C (1) << 40);
    for (int i = 0; i < RAFT_LOG_RETAIN_PIECES + 10; i++) {
        s_append (log, 1, 1, 0);
    }
    raft_log_release (log, 4);
    ck_assert_uint_eq (raft_log_memory_first (log), 5); // what is not released yet stays
    raft_log_release (log, raft_log_last (log));
    ck_assert_uint_eq (raft_log_memory_first (log), 11);
    raft_log_check (log);
    raft_log_destroy (&log);
}
END_TEST

enum {
    TWIN_ENTRIES = 600,
};

// The log as plain arrays.
typedef struct {
    raft_term_t terms[TWIN_ENTRIES + 1];
    raft_index_t first, last, snapshot, memory_first;
} twin_t;

// dt_assert, not ck_assert: this runs millions of times.
static void s_compare (raft_log_t *log, const twin_t *twin)
{
    raft_log_check (log);
    dt_assert (raft_log_first (log) == twin->first);
    dt_assert (raft_log_last (log) == twin->last);
    for (raft_index_t index = 0; index <= twin->last + 1; index++) {
        raft_term_t term = 0;
        raft_term_lookup_t found = raft_log_term (log, index, &term);
        if (index > twin->last) {
            dt_assert (found == RAFT_TERM_BEYOND);
        } else if (index + 1 < twin->first && index != twin->snapshot) {
            dt_assert (found == RAFT_TERM_COMPACTED);
        } else {
            dt_assert (found == RAFT_TERM_KNOWN);
            dt_assert (term == twin->terms[index]);
        }
    }
    for (raft_index_t index = twin->last; index >= twin->memory_first; index--) {
        raft_log_piece_t piece;
        dt_assert (raft_log_find (log, index, &piece));
        dt_assert (log_batch_entry (piece.batch, index)->term == twin->terms[index]);
    }
}

static raft_index_t s_between (dt_random_t *random, raft_index_t low, raft_index_t high)
{
    return low < high ? dt_random_between (random, low, high) : high;
}

static void s_twin_step (raft_log_t *log, twin_t *twin, raft_term_t *term, dt_random_t *random)
{
    uint64_t draw = dt_random_below (random, 10);
    if (draw < 6) {
        uint32_t count = 1 + (uint32_t) dt_random_below (random, 6);
        *term += dt_random_below (random, 3) / 2;
        if (twin->last + count <= TWIN_ENTRIES) {
            s_append (log, count, *term, (uint32_t) dt_random_below (random, 50));
            for (uint32_t i = 0; i < count; i++) {
                twin->terms[++twin->last] = *term;
            }
        }
    } else if (draw == 6 && twin->last > twin->snapshot) {
        raft_index_t from = s_between (random, twin->snapshot + 1, twin->last);
        raft_log_truncate (log, from);
        twin->last = from - 1;
        *term += 1;
    } else if (draw == 7 && twin->last > twin->snapshot) {
        twin->snapshot = s_between (random, twin->snapshot + 1, twin->last);
        raft_log_set_snapshot (log, twin->snapshot, twin->terms[twin->snapshot]);
    } else if (draw == 8) {
        raft_index_t upto = s_between (random, 0, twin->snapshot);
        raft_log_compact (log, upto);
        twin->first = upto >= twin->first ? upto + 1 : twin->first;
    } else if (draw == 9) {
        raft_log_release (log, s_between (random, twin->snapshot, twin->last));
    }
    raft_index_t memory_first = raft_log_memory_first (log);
    ck_assert_uint_ge (memory_first, draw < 7 ? 1 : twin->memory_first);
    twin->memory_first = memory_first;
}

START_TEST (log_agrees_with_plain_arrays)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        fprintf (stderr, "\rseed %lu", (unsigned long) seed);
        dt_random_t random;
        dt_random_init (&random, seed);
        raft_log_t *log = s_new (0, 0);
        twin_t twin = {.first = 1, .memory_first = 1};
        raft_term_t term = 1;
        for (int i = 0; i < 250; i++) {
            s_twin_step (log, &twin, &term, &random);
            s_compare (log, &twin);
        }
        raft_log_destroy (&log);
    }
    fprintf (stderr, "\n");
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("log");
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, new_log_begins_at_one_with_term_zero_before_it);
    tcase_add_test (tcase, term_of_a_compacted_entry_is_not_zero_but_compacted);
    tcase_add_test (tcase, term_of_an_entry_found_on_disk_is_not_guessed);
    tcase_add_test (tcase, truncation_inside_a_batch_keeps_its_beginning);
    tcase_add_test (tcase, truncation_to_the_snapshot_takes_its_term);
    tcase_add_test (tcase, cluster_time_does_not_go_back_with_a_truncation);
    tcase_add_test (tcase, batch_of_several_terms_is_known_entry_by_entry);
    tcase_add_test (tcase, released_pieces_stay_while_they_fit_the_retention);
    tcase_add_test (tcase, released_pieces_are_not_many_however_short);
    tcase_add_test (tcase, log_agrees_with_plain_arrays);
    Suite *suite = suite_create ("raft_log");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
