#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dt_error.h"
#include "tests/dtkv/kv_program.h"
#include "tests/dtkv/kv_request.h"

// A store, its model, and the program that feeds both.
typedef struct {
    dtkv_limits_t limits;
    kv_model_t *model;
    dtkv_store_t *store;
    kv_program_t program;
} s_pair_t;

static void s_init (s_pair_t *self, uint64_t seed, unsigned names)
{
    self->limits = names > 100 ? DTKV_LIMITS_DEFAULT : kv_program_limits ();
    dtkv_store_options_t options = {.limits = self->limits, .hash_seed = seed};
    self->model = kv_model_new (&self->limits);
    self->store = dtkv_store_new (&options);
    kv_program_init (&self->program, seed, self->model);
    self->program.names = names;
    self->program.with_sessions = true;
    printf ("seed %llu\n", (unsigned long long) seed);
    fflush (stdout);
}

static void s_deinit (s_pair_t *self)
{
    kv_program_deinit (&self->program);
    dtkv_store_destroy (&self->store);
    kv_model_destroy (&self->model);
}

static void s_steps (s_pair_t *self, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        log_entry_t entry;
        kv_program_entry (&self->program, &entry);
        kv_program_apply_both (self->store, self->model, &entry);
    }
}

static uint64_t s_first_seed (void)
{
    const char *given = getenv ("DT_SEED");
    return given ? strtoull (given, NULL, 0) : 1;
}

// Begin a snapshot, take it in random steps while the program goes on, and compare the stream with
// one that was taken at once when the first began, and the restored store with the model of then.
static void s_snapshot_among_writes (uint64_t seed, unsigned names, unsigned before, size_t step)
{
    s_pair_t pair;
    dt_buffer_t at_once = {0};
    dt_buffer_t slowly = {0};
    bool done = false;
    s_init (&pair, seed, names);
    s_steps (&pair, before);
    kv_snapshot (pair.store, 1 << 20, &at_once);
    kv_model_t *then = kv_model_copy (pair.model);
    uint64_t digest = dtkv_store_digest (pair.store);
    dtkv_snapshot_t *snapshot = dtkv_snapshot_new (pair.store);
    ck_assert_ptr_null (dtkv_snapshot_new (pair.store));
    while (!done) {
        s_steps (&pair, (unsigned) dt_random_below (&pair.program.random, 12));
        dtkv_snapshot_next (snapshot, 1 + dt_random_below (&pair.program.random, step), &slowly,
                            &done);
        if (dt_random_chance (&pair.program.random, 1, 20)) {
            dtkv_store_check (pair.store);
        }
    }
    dtkv_snapshot_destroy (&snapshot);
    ck_assert_uint_eq (slowly.bytes, at_once.bytes);
    ck_assert_mem_eq (slowly.data, at_once.data, slowly.bytes);
    dtkv_store_t *restored = NULL;
    ck_assert_int_eq (kv_restore (&slowly, 1 + seed * 37, &pair.limits, &restored), 0);
    ck_assert_uint_eq (dtkv_store_digest (restored), digest);
    kv_program_compare (restored, then);
    dtkv_store_check (restored);
    dtkv_store_check (pair.store);
    kv_program_compare (pair.store, pair.model);
    dtkv_store_destroy (&restored);
    kv_model_destroy (&then);
    dt_buffer_deinit (&at_once);
    dt_buffer_deinit (&slowly);
    s_deinit (&pair);
}

START_TEST (snapshot_among_writes_shows_the_state_it_began_with)
{
    for (uint64_t seed = s_first_seed (); seed < s_first_seed () + 60; seed++) {
        s_snapshot_among_writes (seed, 7, 300 + (unsigned) seed * 10, seed % 2 ? 60 : 800);
    }
}
END_TEST

START_TEST (snapshot_of_wide_directories_among_writes_shows_the_state_it_began_with)
{
    for (uint64_t seed = s_first_seed (); seed < s_first_seed () + 3; seed++) {
        s_snapshot_among_writes (seed, 800, 3000, 3000);
    }
}
END_TEST

START_TEST (snapshot_may_be_dropped_at_any_point)
{
    s_pair_t pair;
    dt_buffer_t part = {0};
    s_init (&pair, s_first_seed (), 7);
    for (unsigned steps = 0; steps < 40; steps++) {
        bool done = false;
        s_steps (&pair, 60);
        dtkv_snapshot_t *snapshot = dtkv_snapshot_new (pair.store);
        for (unsigned i = 0; i < steps && !done; i++) {
            s_steps (&pair, 3);
            dtkv_snapshot_next (snapshot, 100, &part, &done);
        }
        s_steps (&pair, 10);
        dtkv_store_check (pair.store);
        dtkv_snapshot_destroy (&snapshot);
        dtkv_store_check (pair.store);
    }
    kv_program_compare (pair.store, pair.model);
    dt_buffer_deinit (&part);
    s_deinit (&pair);
}
END_TEST

// One log, replayed from snapshots taken at different points: all stores end the same.
START_TEST (replay_from_any_snapshot_ends_in_the_same_digest)
{
    enum { POINTS = 8 };
    for (uint64_t seed = s_first_seed (); seed < s_first_seed () + 10; seed++) {
        s_pair_t pair;
        dtkv_store_t *stores[POINTS];
        s_init (&pair, seed, 7);
        for (unsigned point = 0; point < POINTS; point++) {
            for (unsigned i = 0; i < 120; i++) {
                log_entry_t entry;
                kv_program_entry (&pair.program, &entry);
                kv_program_apply_both (pair.store, pair.model, &entry);
                for (unsigned k = 0; k < point; k++) {
                    dt_buffer_t body = {0};
                    dtkv_outcome_t outcome;
                    dtkv_store_apply (stores[k], &entry, &body, &outcome);
                    dt_buffer_deinit (&body);
                    ck_assert_uint_eq (dtkv_store_digest (stores[k]),
                                       dtkv_store_digest (pair.store));
                }
            }
            dt_buffer_t stream = {0};
            kv_snapshot (pair.store, 500, &stream);
            ck_assert_int_eq (kv_restore (&stream, 999, &pair.limits, &stores[point]), 0);
            dt_buffer_deinit (&stream);
        }
        for (unsigned point = 0; point < POINTS; point++) {
            dt_buffer_t a = {0};
            dt_buffer_t b = {0};
            dtkv_store_check (stores[point]);
            kv_snapshot (stores[point], 1 << 20, &a);
            kv_snapshot (pair.store, 1 << 20, &b);
            ck_assert_uint_eq (a.bytes, b.bytes);
            ck_assert_mem_eq (a.data, b.data, a.bytes);
            dt_buffer_deinit (&a);
            dt_buffer_deinit (&b);
            dtkv_store_destroy (&stores[point]);
        }
        s_deinit (&pair);
    }
}
END_TEST

static void s_small_stream (dt_buffer_t *stream)
{
    kv_fixture_t fixture;
    dtkv_limits_t limits = kv_program_limits ();
    kv_fixture_init (&fixture, &limits);
    ck_assert_int_eq (kv_session (&fixture, DTKV_OP_SESSION_OPEN, 5000), 0);
    fixture.context.session_id = 1;
    fixture.context.session_seq = 1;
    ck_assert_int_eq (kv_batch_put (&fixture, "d.a=1 d.b=2 e.f.g=3", DTKV_FLAG_PARENTS), 0);
    kv_snapshot (fixture.store, 1 << 20, stream);
    kv_fixture_deinit (&fixture);
}

START_TEST (restore_refuses_every_truncated_stream)
{
    dt_buffer_t stream = {0};
    dtkv_limits_t limits = kv_program_limits ();
    s_small_stream (&stream);
    for (size_t bytes = 0; bytes < stream.bytes; bytes++) {
        dtkv_store_t *store = NULL;
        dt_buffer_t cut = {.data = stream.data, .bytes = bytes};
        ck_assert_int_eq (kv_restore (&cut, 7, &limits, &store), DT_ERR_CORRUPT);
        ck_assert_ptr_null (store);
    }
    dt_buffer_deinit (&stream);
}
END_TEST

START_TEST (restore_refuses_every_changed_bit)
{
    dt_buffer_t stream = {0};
    dtkv_limits_t limits = kv_program_limits ();
    s_small_stream (&stream);
    for (size_t i = 0; i < stream.bytes; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            dtkv_store_t *store = NULL;
            stream.data[i] ^= (uint8_t) (1u << bit);
            ck_assert_int_ne (kv_restore (&stream, 64, &limits, &store), 0);
            ck_assert_ptr_null (store);
            stream.data[i] ^= (uint8_t) (1u << bit);
        }
    }
    dt_buffer_deinit (&stream);
}
END_TEST

START_TEST (restore_tells_a_newer_format_from_damage)
{
    dt_buffer_t stream = {0};
    dtkv_limits_t limits = kv_program_limits ();
    dtkv_store_t *store = NULL;
    s_small_stream (&stream);
    stream.data[8]++;
    ck_assert_int_eq (kv_restore (&stream, 100, &limits, &store), DT_ERR_NEWER_FORMAT);
    dt_buffer_deinit (&stream);
}
END_TEST

START_TEST (restore_refuses_bytes_behind_the_end)
{
    dt_buffer_t stream = {0};
    dtkv_limits_t limits = kv_program_limits ();
    dtkv_store_t *store = NULL;
    s_small_stream (&stream);
    dt_buffer_append (&stream, "", 1);
    ck_assert_int_eq (kv_restore (&stream, 100, &limits, &store), DT_ERR_CORRUPT);
    dt_buffer_deinit (&stream);
}
END_TEST

START_TEST (empty_store_survives_snapshot_and_restore)
{
    kv_fixture_t fixture;
    dtkv_limits_t limits = kv_program_limits ();
    dt_buffer_t stream = {0};
    dtkv_store_t *store = NULL;
    kv_fixture_init (&fixture, &limits);
    kv_snapshot (fixture.store, 1, &stream);
    ck_assert_int_eq (kv_restore (&stream, 1, &limits, &store), 0);
    ck_assert_uint_eq (dtkv_store_digest (store), dtkv_store_digest (fixture.store));
    dtkv_store_destroy (&store);
    dt_buffer_deinit (&stream);
    kv_fixture_deinit (&fixture);
}
END_TEST

// A step ends after so many nodes looked at, even if it wrote none of them.
START_TEST (step_over_nodes_created_since_is_bounded)
{
    kv_fixture_t fixture;
    dtkv_limits_t limits = DTKV_LIMITS_DEFAULT;
    dt_buffer_t stream = {0};
    bool done = false;
    kv_fixture_init (&fixture, &limits);
    ck_assert_int_eq (kv_put (&fixture, "zz", "last", 0), DTKV_SUCCESS);
    dtkv_snapshot_t *snapshot = dtkv_snapshot_new (fixture.store);
    for (int i = 0; i < 1000; i++) {
        char path[16];
        snprintf (path, sizeof path, "k%d", i);
        ck_assert_int_eq (kv_put (&fixture, path, "new", 0), DTKV_SUCCESS);
    }
    unsigned steps = 0;
    while (!done) {
        dtkv_snapshot_next (snapshot, 640, &stream, &done);
        steps++;
    }
    ck_assert_uint_ge (steps, 80);
    dtkv_snapshot_destroy (&snapshot);
    dt_buffer_deinit (&stream);
    kv_fixture_deinit (&fixture);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("dtkv_snapshot");
    TCase *tcase = tcase_create ("snapshot");
    tcase_set_timeout (tcase, 100);
    tcase_add_test (tcase, snapshot_among_writes_shows_the_state_it_began_with);
    tcase_add_test (tcase, snapshot_of_wide_directories_among_writes_shows_the_state_it_began_with);
    tcase_add_test (tcase, snapshot_may_be_dropped_at_any_point);
    tcase_add_test (tcase, replay_from_any_snapshot_ends_in_the_same_digest);
    tcase_add_test (tcase, restore_refuses_every_truncated_stream);
    tcase_add_test (tcase, restore_refuses_every_changed_bit);
    tcase_add_test (tcase, restore_tells_a_newer_format_from_damage);
    tcase_add_test (tcase, restore_refuses_bytes_behind_the_end);
    tcase_add_test (tcase, empty_store_survives_snapshot_and_restore);
    tcase_add_test (tcase, step_over_nodes_created_since_is_bounded);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
