#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "storage/hard_state.h"
#include "tests/storage/log_harness.h"

enum { SLOT_BYTES = 4096 };

static log_harness_t h; // for its disk only
static hard_state_options_t options;
static hard_state_t *state;

static void s_setup (void)
{
    log_harness_init (&h, 1);
    options = (hard_state_options_t){
        .vfs = h.options.vfs,
        .env = &h.env,
        .path = "hard_state",
        .identity = h.options.identity,
    };
}

static void s_teardown (void)
{
    hard_state_close (&state);
    log_harness_deinit (&h);
}

static void s_create (uint64_t term, uint32_t vote, uint64_t commit)
{
    hard_state_value_t value = {.term = term, .vote = vote, .commit = commit};
    ck_assert_int_eq (hard_state_create (&options, &value, &state), 0);
}

static int s_put (uint64_t term, uint32_t vote, uint64_t commit)
{
    hard_state_value_t value = {.term = term, .vote = vote, .commit = commit};
    return hard_state_put (state, &value);
}

static int s_reopen (hard_state_value_t *value)
{
    hard_state_close (&state);
    return hard_state_open (&options, &state, value);
}

static void s_expect (uint64_t term, uint32_t vote, uint64_t commit)
{
    hard_state_value_t value;
    ck_assert_int_eq (s_reopen (&value), 0);
    ck_assert_uint_eq (value.term, term);
    ck_assert_uint_eq (value.vote, vote);
    ck_assert_uint_eq (value.commit, commit);
    ck_assert_uint_eq (hard_state_get (state).term, term);
}

START_TEST (values_come_back_after_reopening)
{
    s_create (0, 0, 0);
    s_expect (0, 0, 0);
    ck_assert_int_eq (s_put (3, 2, 77), 0);
    s_expect (3, 2, 77);
    ck_assert_int_eq (s_put (3, 2, 78), 0);
    ck_assert_int_eq (s_put (4, 0, 78), 0);
    s_expect (4, 0, 78);
}
END_TEST

START_TEST (repair_until_comes_back_until_it_is_zero_again)
{
    s_create (1, 0, 0);
    hard_state_value_t value = {.term = 2, .vote = 1, .repair_until = UINT64_MAX};
    ck_assert_int_eq (hard_state_put (state, &value), 0);
    value = (hard_state_value_t){0};
    ck_assert_int_eq (s_reopen (&value), 0);
    ck_assert_uint_eq (value.repair_until, UINT64_MAX);
    ck_assert_uint_eq (value.vote, 1);
    value.repair_until = 0;
    ck_assert_int_eq (hard_state_put (state, &value), 0);
    ck_assert_int_eq (s_reopen (&value), 0);
    ck_assert_uint_eq (value.repair_until, 0);
}
END_TEST

START_TEST (only_a_log_under_repair_makes_older_versions_refuse)
{
    s_create (1, 0, 0);
    dt_buffer_t content = {0};
    log_harness_read_file (&h, "hard_state", &content);
    ck_assert_uint_eq (content.data[SLOT_BYTES + 8], 1);
    hard_state_value_t value = {.term = 2, .repair_until = 9};
    ck_assert_int_eq (hard_state_put (state, &value), 0);
    log_harness_read_file (&h, "hard_state", &content);
    ck_assert_uint_eq (content.data[8], 2);
    dt_buffer_deinit (&content);
}
END_TEST

START_TEST (put_is_one_write_sync_and_durable)
{
    s_create (1, 0, 0);
    uint64_t before = h.fault.total;
    ck_assert_int_eq (s_put (2, 1, 5), 0);
    ck_assert_uint_eq (h.fault.total - before, 1);
    hard_state_close (&state);
    log_harness_crash (&h);
    options.vfs = h.options.vfs;
    s_expect (2, 1, 5);
}
END_TEST

START_TEST (created_file_survives_a_crash)
{
    s_create (9, 0, 0);
    hard_state_close (&state);
    log_harness_crash (&h);
    options.vfs = h.options.vfs;
    s_expect (9, 0, 0);
}
END_TEST

START_TEST (missing_file_is_not_found)
{
    hard_state_value_t value;
    ck_assert_int_eq (hard_state_open (&options, &state, &value), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (existing_file_is_not_created_again)
{
    s_create (1, 2, 3);
    hard_state_value_t zero = {0};
    hard_state_t *other = NULL;
    ck_assert_int_eq (hard_state_create (&options, &zero, &other), DT_ERR_EXISTS);
    s_expect (1, 2, 3);
}
END_TEST

START_TEST (one_rotten_bit_anywhere_never_loses_the_newest_value)
{
    s_create (1, 0, 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq (s_put (2 + i, 1 + i, 9 * i), 0);
    }
    hard_state_close (&state);
    for (uint64_t offset = 0; offset < 2 * SLOT_BYTES; offset += offset % 2048 < 96 ? 1 : 488) {
        vfs_sim_disk_t *clone = vfs_sim_disk_clone (h.disk, offset);
        vfs_sim_rot (clone, "hard_state", offset, (uint8_t) (1 << offset % 8));
        vfs_sim_t *mount = vfs_sim_mount (clone, "", NULL, NULL);
        hard_state_options_t here = options;
        here.vfs = vfs_sim_vfs (mount);
        hard_state_value_t value;
        ck_assert_int_eq (hard_state_open (&here, &state, &value), 0);
        ck_assert_uint_eq (value.term, 5);
        ck_assert_uint_eq (value.vote, 4);
        hard_state_close (&state);
        vfs_sim_unmount (&mount);
        vfs_sim_disk_destroy (&clone);
    }
}
END_TEST

static void s_spoil (uint64_t slot)
{
    vfs_sim_rot (h.disk, "hard_state", slot * SLOT_BYTES + 40, 1);
    vfs_sim_rot (h.disk, "hard_state", slot * SLOT_BYTES + 2048 + 40, 1);
}

START_TEST (one_bad_slot_leaves_the_other_value_and_is_repaired)
{
    s_create (1, 0, 0);
    ck_assert_int_eq (s_put (2, 1, 0), 0);
    uint64_t newest = hard_state_generation (state) % 2;
    ck_assert_int_eq (s_put (3, 1, 0), 0);
    hard_state_close (&state);
    s_spoil (1 - newest); // as a write of term 3 that a crash left unfinished
    hard_state_value_t value;
    ck_assert_int_eq (hard_state_open (&options, &state, &value), 0);
    ck_assert_uint_eq (value.term, 2);
    hard_state_close (&state);
    s_spoil (newest);
    s_expect (2, 1, 0);
}
END_TEST

START_TEST (two_bad_slots_are_corrupt_and_stay_as_they_are)
{
    s_create (1, 0, 0);
    ck_assert_int_eq (s_put (2, 1, 0), 0);
    hard_state_close (&state);
    s_spoil (0);
    s_spoil (1);
    uint64_t digest = vfs_sim_digest (h.disk);
    hard_state_value_t value;
    ck_assert_int_eq (hard_state_open (&options, &state, &value), DT_ERR_CORRUPT);
    ck_assert_uint_eq (vfs_sim_digest (h.disk), digest);
    ck_assert_ptr_nonnull (strstr (h.last_log, "new id"));
}
END_TEST

START_TEST (short_file_is_corrupt)
{
    s_create (1, 0, 0);
    hard_state_close (&state);
    vfs_file_t *file;
    ck_assert_int_eq (options.vfs->ops->open (options.vfs, "hard_state", VFS_WRITE, &file), 0);
    file->ops->truncate (file, 5000);
    file->ops->close (file);
    hard_state_value_t value;
    ck_assert_int_eq (hard_state_open (&options, &state, &value), DT_ERR_CORRUPT);
}
END_TEST

START_TEST (other_identity_is_foreign)
{
    hard_state_value_t value;
    s_create (1, 0, 0);
    storage_identity_t own = options.identity;
    options.identity.cluster_id++;
    ck_assert_int_eq (s_reopen (&value), DT_ERR_FOREIGN);
    options.identity = own;
    options.identity.group_id++;
    ck_assert_int_eq (s_reopen (&value), DT_ERR_FOREIGN);
    options.identity = own;
    options.identity.node_id++;
    ck_assert_int_eq (s_reopen (&value), DT_ERR_FOREIGN);
    options.identity = own;
    s_expect (1, 0, 0);
}
END_TEST

START_TEST (every_failed_call_of_put_is_final)
{
    s_create (1, 0, 0);
    h.fault.fail_at = h.fault.total + 1;
    h.fault.fail_rc = DT_ERR_IO;
    ck_assert_int_eq (s_put (2, 1, 0), DT_ERR_DISK_FAILED);
    ck_assert_int_eq (s_put (2, 1, 0), DT_ERR_DISK_FAILED);
    ck_assert_int_eq (hard_state_failed (state), DT_ERR_DISK_FAILED);
    ck_assert_uint_eq (hard_state_get (state).term, 1);
    ck_assert_uint_eq (h.fault.failures, 1);
}
END_TEST

START_TEST (crash_at_any_change_leaves_the_old_or_the_new_value)
{
    for (uint64_t seed = 0; seed < 300; seed++) {
        log_harness_deinit (&h);
        log_harness_init (&h, seed);
        options.vfs = h.options.vfs;
        vfs_sim_faults_t faults = {.garbage_ppm = seed % 2 ? 300000 : 0};
        vfs_sim_set_faults (h.disk, &faults);
        s_create (1, 0, 0);
        vfs_sim_crash_at (h.disk, 1 + seed % 23);
        uint64_t acked = 1;
        uint64_t tried = 1;
        while (tried < 40 && s_put (tried + 1, 1, 0) == 0) {
            acked = ++tried;
        }
        hard_state_close (&state);
        log_harness_crash (&h);
        options.vfs = h.options.vfs;
        hard_state_value_t value;
        ck_assert_int_eq (hard_state_open (&options, &state, &value), 0);
        ck_assert_uint_ge (value.term, acked);
        ck_assert_uint_le (value.term, acked + 1);
        hard_state_close (&state);
    }
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("hard_state");
    TCase *tcase = tcase_create ("hard_state");
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, values_come_back_after_reopening);
    tcase_add_test (tcase, repair_until_comes_back_until_it_is_zero_again);
    tcase_add_test (tcase, only_a_log_under_repair_makes_older_versions_refuse);
    tcase_add_test (tcase, put_is_one_write_sync_and_durable);
    tcase_add_test (tcase, created_file_survives_a_crash);
    tcase_add_test (tcase, missing_file_is_not_found);
    tcase_add_test (tcase, existing_file_is_not_created_again);
    tcase_add_test (tcase, one_rotten_bit_anywhere_never_loses_the_newest_value);
    tcase_add_test (tcase, one_bad_slot_leaves_the_other_value_and_is_repaired);
    tcase_add_test (tcase, two_bad_slots_are_corrupt_and_stay_as_they_are);
    tcase_add_test (tcase, short_file_is_corrupt);
    tcase_add_test (tcase, other_identity_is_foreign);
    tcase_add_test (tcase, every_failed_call_of_put_is_final);
    tcase_add_test (tcase, crash_at_any_change_leaves_the_old_or_the_new_value);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
