// Random programs against the naive twin. TEST_SEED repeats one; the seed of a run is printed.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/raft/raft_model.h"

enum {
    RUNS = 1000,
    OPERATIONS = 1500,
};

static model_limits_t s_limits (dt_random_t *random)
{
    return (model_limits_t){
        .uncommitted_bytes_max = dt_random_between (random, 500, 20000),
        .unapplied_bytes_max = dt_random_between (random, 500, 40000),
        .snapshot_after_entries =
            dt_random_chance (random, 1, 2) ? dt_random_between (random, 1, 200) : 0,
        .snapshot_after_bytes =
            dt_random_chance (random, 1, 2) ? dt_random_between (random, 500, 50000) : 0,
        .log_keep_entries = dt_random_chance (random, 1, 2) ? dt_random_below (random, 40) : 0,
        .log_retain_bytes = dt_random_chance (random, 1, 2) ? dt_random_below (random, 5000) : 0,
    };
}

// Run one program; returns how many entries the log came to.
static raft_index_t s_run (uint64_t seed)
{
    dt_random_t random;
    dt_random_init (&random, seed);
    model_limits_t limits = s_limits (&random);
    model_t *model = model_new (&limits);
    for (int i = 0; i < OPERATIONS; i++) {
        uint64_t draw = dt_random_next (&random);
        model_do (model, (uint8_t) draw, (uint8_t) (draw >> 8));
    }
    model_finish (model);
    raft_index_t last = model->last;
    model_destroy (&model);
    return last;
}

START_TEST (core_agrees_with_the_naive_twin)
{
    const char *given = getenv ("TEST_SEED");
    uint64_t first = given ? strtoull (given, NULL, 10) : 1;
    int runs = given ? 1 : RUNS;
    raft_index_t entries = 0;
    for (int i = 0; i < runs; i++) {
        fprintf (stderr, "\rseed %lu", (unsigned long) first + (unsigned long) i);
        entries += s_run (first + (uint64_t) i);
    }
    fprintf (stderr, "\n");
    // The programs got somewhere: most of what they did was not refused.
    ck_assert_uint_gt (entries, (uint64_t) runs * 100);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("random");
    tcase_set_timeout (tcase, 100);
    tcase_add_test (tcase, core_agrees_with_the_naive_twin);
    Suite *suite = suite_create ("raft_random");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
