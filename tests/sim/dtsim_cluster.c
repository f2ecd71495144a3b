// dtsim_cluster - runs seeds of clusters of whole nodes.

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "tests/sim/sim_cluster.h"

static void s_run (uint64_t seed, bool verbose, dt_buffer_t *events, void *argument,
                   sim_result_t *result)
{
    sim_cluster_totals_t *totals = argument;
    clock_t began = clock ();
    sim_cluster_run (seed, verbose, events, totals, result);
    if (totals->members == 5 && totals->groups == 2) {
        totals->large_ns += result->virtual_ns;
        totals->large_cpu_s += (double) (clock () - began) / CLOCKS_PER_SEC;
    }
}

static void s_print_totals (const void *argument)
{
    const sim_cluster_totals_t *totals = argument;
    printf ("lives %" PRIu64 ", leaders %" PRIu64 ", entries %" PRIu64 ", requests %" PRIu64
            ", answered %" PRIu64 ", retried %" PRIu64 ", given up %" PRIu64 ", refused %" PRIu64
            "\n",
            totals->lives, totals->leaders, totals->applied, totals->clients.sent,
            totals->clients.answered, totals->clients.retried, totals->clients.given_up,
            totals->clients.refused);
    printf ("5 members and 2 groups: %.0f x\n",
            totals->large_cpu_s > 0 ? (double) totals->large_ns / 1e9 / totals->large_cpu_s : 0.0);
    printf ("operator: asked %" PRIu64 ", done %" PRIu64 "; ", totals->operations,
            totals->operations_done);
    printf ("operations judged %" PRIu64 ", histories undecided %" PRIu64
            "; logs rotted %" PRIu64 "; slowest to come to rest %.1f s\n",
            totals->judged, totals->undecided, totals->rots, (double) totals->slowest_ns / 1e9);
    for (int i = 0; i < SIM_CLUSTER_FAULTS; i++) {
        printf ("%s%s %" PRIu64, i ? ", " : "", sim_cluster_fault_name ((sim_cluster_fault_t) i),
                totals->faults[i]);
    }
    for (int i = 0; i < SIM_NET_FAULTS; i++) {
        printf ("%s%s %" PRIu64, i ? ", " : "\nnetwork: ", sim_net_fault_name ((sim_net_fault_t) i),
                totals->net_faults[i]);
    }
    printf ("\n");
}

int main (int argc, char **argv)
{
    static const sim_program_t program = {"dtsim_cluster", sizeof (sim_cluster_totals_t), s_run,
                                          s_print_totals};
    return sim_main (&program, argc, argv);
}
