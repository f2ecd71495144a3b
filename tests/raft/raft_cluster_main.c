// raft_cluster_run - clusters of raft cores under faults, seed by seed, each twice.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dt_planted.h"
#include "tests/raft/raft_cluster.h"

#ifdef DT_PLANTED_BUGS
unsigned dt_planted_bug;
const char *const dt_planted_names[] = {"none",
#define NAME(NAME, name) name,
                                        DT_PLANTED_TABLE (NAME)
#undef NAME
};
#endif

static unsigned long long s_seed; // the one that runs, for whoever dies in it

static void s_on_abort (int number)
{
    (void) number;
    fflush (stdout);
    fprintf (stderr, "replay: raft_cluster_run --seed %llu --verbose\n", s_seed);
    fflush (stderr);
    _exit (1);
}

static int s_usage (void)
{
    fprintf (stderr,
             "usage: raft_cluster_run [--seed N] [--seeds COUNT] [--seconds N] [--nodes N]\n"
             "                        [--drift PERMILLE] [--plain] [--effects-only]\n"
             "                        [--planted NAME] [--once] [--verbose]\n");
    return 2;
}

static bool s_set_planted (const char *name)
{
#ifdef DT_PLANTED_BUGS
    for (unsigned i = 1; i < DT_PLANTED_COUNT; i++) {
        if (strcmp (dt_planted_names[i], name) == 0) {
            dt_planted_bug = i;
            return true;
        }
    }
#else
    (void) name;
#endif
    fprintf (stderr, "no planted bug '%s' here\n", name);
    return false;
}

int main (int argc, char **argv)
{
    raft_cluster_options_t options = {.seed = 1};
    unsigned long seeds = 1;
    bool once = false;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp (argv[i], "--seed") == 0 && more) {
            options.seed = strtoull (argv[++i], NULL, 10);
        } else if (strcmp (argv[i], "--seeds") == 0 && more) {
            seeds = strtoul (argv[++i], NULL, 10);
        } else if (strcmp (argv[i], "--seconds") == 0 && more) {
            options.seconds = (unsigned) strtoul (argv[++i], NULL, 10);
        } else if (strcmp (argv[i], "--nodes") == 0 && more) {
            options.nodes = (unsigned) strtoul (argv[++i], NULL, 10);
        } else if (strcmp (argv[i], "--drift") == 0 && more) {
            options.drift_permille_max = (unsigned) strtoul (argv[++i], NULL, 10);
        } else if (strcmp (argv[i], "--planted") == 0 && more) {
            if (!s_set_planted (argv[++i])) {
                return 2;
            }
        } else if (strcmp (argv[i], "--once") == 0) {
            once = true;
        } else if (strcmp (argv[i], "--plain") == 0) {
            options.plain = true;
        } else if (strcmp (argv[i], "--effects-only") == 0) {
            options.effects_only = true;
        } else if (strcmp (argv[i], "--verbose") == 0) {
            options.verbose = true;
        } else {
            return s_usage ();
        }
    }
    signal (SIGABRT, s_on_abort); // an assertion of a core does not know the seed
    raft_cluster_result_t sum = {0};
    for (unsigned long i = 0; i < seeds; i++, options.seed++) {
        raft_cluster_result_t first;
        raft_cluster_result_t second;
        s_seed = options.seed;
        raft_cluster_run (&options, &first);
        if (!once) {
            raft_cluster_run (&options, &second);
            if (first.trace_hash != second.trace_hash) {
                fprintf (stderr, "seed %llu: two runs differ\n", (unsigned long long) options.seed);
                return 1;
            }
        }
        sum.steps += first.steps;
        sum.messages += first.messages;
        sum.elections += first.elections;
        sum.crashes += first.crashes;
        sum.committed += first.committed;
        sum.reads += first.reads;
        sum.lease_reads += first.lease_reads;
        sum.changes += first.changes;
        sum.transfers += first.transfers;
        sum.installs += first.installs;
    }
    printf ("%lu seeds: %llu steps, %llu messages, %llu elections, %llu crashes, %llu committed, "
            "%llu reads (%llu by lease at once), %llu changes, %llu transfers, %llu installs\n",
            seeds, (unsigned long long) sum.steps, (unsigned long long) sum.messages,
            (unsigned long long) sum.elections, (unsigned long long) sum.crashes,
            (unsigned long long) sum.committed, (unsigned long long) sum.reads,
            (unsigned long long) sum.lease_reads, (unsigned long long) sum.changes,
            (unsigned long long) sum.transfers, (unsigned long long) sum.installs);
    return 0;
}
