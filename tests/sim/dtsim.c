// dtsim - runs seeds of one node.

#include <inttypes.h>
#include <stdio.h>

#include "tests/sim/sim_world.h"

static void s_run (uint64_t seed, bool verbose, dt_buffer_t *events, void *totals,
                   sim_result_t *result)
{
    sim_world_run (seed, verbose, events, totals, result);
}

static void s_print_totals (const void *argument)
{
    const sim_totals_t *totals = argument;
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

int main (int argc, char **argv)
{
    static const sim_program_t program = {"dtsim", sizeof (sim_totals_t), s_run, s_print_totals};
    return sim_main (&program, argc, argv);
}
