#include "tests/sim/sim_main.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/dt_memory.h"
#include "base/dt_planted.h"

typedef struct {
    const sim_program_t *program;
    uint64_t from;
    uint64_t count;
    double seconds; // of real time; 0: no limit
    bool once;      // no second run of each seed
    bool verbose;
    bool expect; // a planted bug is to be found
    const char *planted;
    uint64_t runs;
    uint64_t failed;
    int64_t virtual_ns;
    uint64_t seed; // that runs now
    void *totals;
    double began;
} s_session_t;

static const s_session_t *s_session; // for the handler of signals

static double s_real_seconds (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

// Memory is handed out at other places and with other content than in the run before.
static void *s_disturb (int pattern)
{
#ifdef M_PERTURB
    mallopt (M_PERTURB, pattern);
#endif
    return dt_malloc ((size_t) pattern * 1000 + 17);
}

static void s_print_difference (const dt_buffer_t *first, const dt_buffer_t *second)
{
    size_t count = (first->bytes < second->bytes ? first->bytes : second->bytes) / 8;
    size_t at = 0;
    while (at < count && memcmp (first->data + at * 8, second->data + at * 8, 8) == 0) {
        at++;
    }
    printf ("  first difference: event %zu of %zu and %zu\n", at, first->bytes / 8,
            second->bytes / 8);
}

static void s_print_failure (const s_session_t *self, const char *failure)
{
    printf ("seed %" PRIu64 ": %s\n  replay: %s --seed %" PRIu64 "%s%s --verbose\n", self->seed,
            failure, self->program->name, self->seed, self->planted ? " --planted " : "",
            self->planted ? self->planted : "");
    fflush (stdout);
}

// An assertion ends the process, but not without the line that replays it.
static void s_on_abort (int number)
{
    (void) number;
    s_print_failure (s_session, "an assertion failed, or memory was misused");
    if (s_session->expect) {
        printf ("planted bug %s found after %" PRIu64 " seeds\n", s_session->planted,
                s_session->runs + 1);
        fflush (stdout);
    }
    _exit (s_session->expect ? 0 : 1);
}

// A second run of the seed must be the same in everything.
static void s_run_again (s_session_t *self, uint64_t seed, const dt_buffer_t *first,
                         sim_result_t *result)
{
    dt_buffer_t second = {0};
    void *unused = dt_zalloc (1, self->program->totals_bytes);
    sim_result_t again;
    void *hole = s_disturb (0xaa);
    self->program->run (seed, false, &second, unused, &again);
    free (hole);
    if (again.trace != result->trace) {
        snprintf (result->failure, sizeof result->failure, "two runs differ");
        s_print_difference (first, &second);
    }
    free (unused);
    dt_buffer_deinit (&second);
}

// True: nothing was found wrong.
static bool s_run_seed (s_session_t *self, uint64_t seed)
{
    dt_buffer_t events = {0};
    sim_result_t result;
    self->seed = seed;
    void *hole = self->once ? NULL : s_disturb (0x55);
    self->program->run (seed, self->verbose, &events, self->totals, &result);
    if (!self->once && !result.failure[0]) {
        s_run_again (self, seed, &events, &result);
    }
    free (hole);
    dt_buffer_deinit (&events);
    self->runs++;
    self->virtual_ns += result.virtual_ns;
    if (result.failure[0]) {
        self->failed++;
        s_print_failure (self, result.failure);
    }
    return !result.failure[0];
}

static void s_print_summary (const s_session_t *self)
{
    double cpu = (double) clock () / CLOCKS_PER_SEC;
    double simulated = (double) self->virtual_ns / 1e9;
    printf ("seeds %" PRIu64 ", failed %" PRIu64
            "; %.0f virtual s in %.1f s of a processor: %.0f x "
            "(runs of each seed: %d)\n",
            self->runs, self->failed, simulated, cpu, simulated / cpu, self->once ? 1 : 2);
    self->program->print_totals (self->totals);
}

static bool s_select_planted (const char *name)
{
#ifdef DT_PLANTED_BUGS
    for (unsigned i = 1; i < DT_PLANTED_COUNT; i++) {
        if (strcmp (name, dt_planted_names[i]) == 0) {
            dt_planted_bug = i;
            return true;
        }
    }
#endif
    (void) name;
    return false;
}

static bool s_parse (s_session_t *self, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp (name, "--once") == 0) {
            self->once = true;
            continue;
        }
        if (strcmp (name, "--verbose") == 0) {
            self->verbose = true;
            continue;
        }
        if (!value) {
            return false;
        }
        i++;
        if (strcmp (name, "--seed") == 0) {
            self->from = strtoull (value, NULL, 0);
            self->count = 1;
        } else if (strcmp (name, "--from") == 0) {
            self->from = strtoull (value, NULL, 0);
        } else if (strcmp (name, "--seeds") == 0) {
            self->count = strtoull (value, NULL, 0);
        } else if (strcmp (name, "--seconds") == 0) {
            self->seconds = strtod (value, NULL);
        } else if (strcmp (name, "--planted") == 0 && s_select_planted (value)) {
            self->planted = value;
            self->expect = true;
        } else {
            return false;
        }
    }
    return true;
}

// Run the seeds. The exit code.
static int s_run (s_session_t *self)
{
    double told = self->began;
    for (uint64_t i = 0; i < self->count; i++) {
        bool fine = s_run_seed (self, self->from + i);
        if (!fine && self->expect) {
            printf ("planted bug %s found after %" PRIu64 " seeds\n", self->planted, i + 1);
            return 0;
        }
        double now = s_real_seconds ();
        if (now - told > 5) {
            told = now;
            fprintf (stderr, "%" PRIu64 " seeds, %" PRIu64 " failed\n", self->runs, self->failed);
        }
        if (self->seconds > 0 && now - self->began > self->seconds) {
            break;
        }
    }
    s_print_summary (self);
    if (self->expect) {
        printf ("planted bug %s was NOT found\n", self->planted);
        return 1;
    }
    return self->failed ? 1 : 0;
}

int sim_main (const sim_program_t *program, int argc, char **argv)
{
    s_session_t self = {.program = program, .from = 1, .count = 100, .began = s_real_seconds ()};
    if (!s_parse (&self, argc, argv)) {
        fprintf (stderr,
                 "usage: %s [--seed N] [--from N] [--seeds COUNT] [--seconds T] [--planted BUG] "
                 "[--once] [--verbose]\n",
                 program->name);
        return 2;
    }
    self.totals = dt_zalloc (1, program->totals_bytes);
    s_session = &self;
    signal (SIGABRT, s_on_abort);
    signal (SIGSEGV, s_on_abort);
    int rc = s_run (&self);
    free (self.totals);
    return rc;
}
