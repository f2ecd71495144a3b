#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/dtkv/kv_program.h"

typedef struct {
    uint64_t seed;
    unsigned steps;
    unsigned names;
    unsigned compare_every;
    bool hostile;
    bool sessions;
    bool wide; // limits of real size
} s_options_t;

static void s_run (const s_options_t *options)
{
    dtkv_store_options_t store_options = {
        .limits = options->wide ? DTKV_LIMITS_DEFAULT : kv_program_limits (),
        .hash_seed = options->seed * 77,
    };
    kv_model_t *model = kv_model_new (&store_options.limits);
    dtkv_store_t *store = dtkv_store_new (&store_options);
    kv_program_t program;
    kv_program_init (&program, options->seed, model);
    program.names = options->names;
    program.hostile = options->hostile;
    program.with_sessions = options->sessions;
    for (unsigned i = 0; i < options->steps; i++) {
        log_entry_t entry;
        kv_program_entry (&program, &entry);
        kv_program_apply_both (store, model, &entry);
        uint16_t operation = kv_program_read (&program);
        kv_program_read_both (store, model, operation, program.body.data, program.body.bytes);
        if (i % options->compare_every == 0) {
            kv_program_compare (store, model);
            dtkv_store_check (store);
        }
    }
    kv_program_compare (store, model);
    dtkv_store_check (store);
    kv_program_deinit (&program);
    dtkv_store_destroy (&store);
    kv_model_destroy (&model);
}

static void s_run_seeds (s_options_t options, unsigned seeds)
{
    const char *given = getenv ("DT_SEED");
    uint64_t first = given ? strtoull (given, NULL, 0) : 1;
    for (uint64_t seed = first; seed < first + (given ? 1 : seeds); seed++) {
        printf ("seed %llu\n", (unsigned long long) seed);
        fflush (stdout);
        options.seed = seed;
        s_run (&options);
    }
}

START_TEST (random_programs_give_what_the_model_gives)
{
    s_run_seeds ((s_options_t){.steps = 1500, .names = 7, .compare_every = 10}, 20);
}
END_TEST

START_TEST (random_programs_with_sessions_give_what_the_model_gives)
{
    s_run_seeds ((s_options_t){.steps = 1500, .names = 6, .compare_every = 10, .sessions = true},
                 20);
}
END_TEST

START_TEST (broken_requests_give_what_the_model_gives)
{
    s_run_seeds (
        (s_options_t){
            .steps = 2500, .names = 7, .compare_every = 50, .sessions = true, .hostile = true},
        20);
}
END_TEST

START_TEST (wide_directories_give_what_the_model_gives)
{
    s_run_seeds ((s_options_t){.steps = 6000, .names = 1500, .compare_every = 1000, .wide = true},
                 2);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("dtkv_model");
    TCase *tcase = tcase_create ("model");
    tcase_set_timeout (tcase, 100);
    tcase_add_test (tcase, random_programs_give_what_the_model_gives);
    tcase_add_test (tcase, random_programs_with_sessions_give_what_the_model_gives);
    tcase_add_test (tcase, broken_requests_give_what_the_model_gives);
    tcase_add_test (tcase, wide_directories_give_what_the_model_gives);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
