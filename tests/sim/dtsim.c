// dtsim - runs seeds of the simulator.

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/dt_memory.h"
#include "base/dt_planted.h"
#include "tests/sim/sim_world.h"

typedef struct {
    uint64_t from;
    uint64_t count;
    double seconds; // of real time; 0: no limit
    bool once;      // no second run of each seed
    bool verbose;
    bool expect; // a planted bug is to be found
    const char *planted;
    sim_totals_t totals;
    double began;
} s_program_t;

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

// True: nothing was found wrong.
static bool s_run_seed (s_program_t *self, uint64_t seed)
{
    dt_buffer_t first = {0};
    dt_buffer_t second = {0};
    sim_result_t result;
    void *hole = s_disturb (0x55);
    sim_world_run (seed, self->verbose, &first, &self->totals, &result);
    if (!self->once && !result.failure[0]) {
        sim_totals_t unused = {0};
        sim_result_t again;
        void *other = s_disturb (0xaa);
        sim_world_run (seed, false, &second, &unused, &again);
        free (other);
        if (again.trace != result.trace) {
            snprintf (result.failure, sizeof result.failure, "two runs differ");
            s_print_difference (&first, &second);
            self->totals.failed++;
        }
    }
    free (hole);
    dt_buffer_deinit (&first);
    dt_buffer_deinit (&second);
    if (result.failure[0]) {
        printf ("seed %" PRIu64 ": %s\n  replay: dtsim --seed %" PRIu64 "%s%s --verbose\n", seed,
                result.failure, seed, self->planted ? " --planted " : "",
                self->planted ? self->planted : "");
        fflush (stdout);
    }
    return !result.failure[0];
}

static void s_print_summary (const s_program_t *self)
{
    const sim_totals_t *totals = &self->totals;
    double real = s_real_seconds () - self->began;
    double simulated = (double) totals->virtual_ns / 1e9;
    printf ("seeds %" PRIu64 ", failed %" PRIu64 "; %.0f virtual s in %.1f s: %.0f x (runs of each "
            "seed: %d)\n",
            totals->runs, totals->failed, simulated, real, simulated / real, self->once ? 1 : 2);
    printf ("lives %" PRIu64 ", entries %" PRIu64 ", requests %" PRIu64 ", answered %" PRIu64
            ", retried %" PRIu64 ", given up %" PRIu64 ", refused %" PRIu64 "\n",
            totals->lives, totals->applied, totals->clients.sent, totals->clients.answered,
            totals->clients.retried, totals->clients.given_up, totals->clients.refused);
    printf ("lost replies %" PRIu64 ", duplicates %" PRIu64 ", garbage %" PRIu64
            ", disk failed %" PRIu64 ", rotten disks refused %" PRIu64 "\n",
            totals->clients.lost, totals->clients.duplicated, totals->clients.garbage,
            totals->clients.disk_failed, totals->refusals);
    for (int i = 0; i < SIM_FAULTS; i++) {
        printf ("%s %" PRIu64 "%s", sim_fault_name ((sim_fault_t) i), totals->faults[i],
                i + 1 < SIM_FAULTS ? ", " : "\n");
    }
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

static bool s_parse (s_program_t *self, int argc, char **argv)
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

int main (int argc, char **argv)
{
    s_program_t self = {.from = 1, .count = 100, .began = s_real_seconds ()};
    if (!s_parse (&self, argc, argv)) {
        fprintf (stderr, "usage: dtsim [--seed N] [--from N] [--seeds COUNT] [--seconds T] "
                         "[--planted BUG] [--once] [--verbose]\n");
        return 2;
    }
    double told = self.began;
    for (uint64_t i = 0; i < self.count; i++) {
        bool fine = s_run_seed (&self, self.from + i);
        if (!fine && self.expect) {
            printf ("planted bug %s found after %" PRIu64 " seeds\n", self.planted, i + 1);
            return 0;
        }
        double now = s_real_seconds ();
        if (now - told > 5) {
            told = now;
            fprintf (stderr, "%" PRIu64 " seeds, %" PRIu64 " failed\n", self.totals.runs,
                     self.totals.failed);
        }
        if (self.seconds > 0 && now - self.began > self.seconds) {
            break;
        }
    }
    s_print_summary (&self);
    if (self.expect) {
        printf ("planted bug %s was NOT found\n", self.planted);
        return 1;
    }
    return self.totals.failed ? 1 : 0;
}
