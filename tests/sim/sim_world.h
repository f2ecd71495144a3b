// sim_world - one run: a node, its clients and everything that goes wrong, all drawn from one seed.

#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/vfs_sim.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_main.h"

// X (name): kinds of faults; each seed enables some.
#define SIM_FAULT_TABLE(X)                                                                         \
    X (power_cut)                                                                                  \
    X (power_cut_at_change)                                                                        \
    X (power_cut_in_recovery)                                                                      \
    X (kill)                                                                                       \
    X (restart)                                                                                    \
    X (disk_full)                                                                                  \
    X (write_error)                                                                                \
    X (sync_error)                                                                                 \
    X (stall)                                                                                      \
    X (wall_jump)                                                                                  \
    X (rot)                                                                                        \
    X (garbage)                                                                                    \
    X (lost_write)                                                                                 \
    X (misdirected_write)                                                                          \
    X (read_error)                                                                                 \
    X (read_flip)                                                                                  \
    X (read_stale)

typedef enum {
#define SIM_FAULT_ENUM(name) SIM_FAULT_##name,
    SIM_FAULT_TABLE (SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULTS
} sim_fault_t;

typedef struct {
    uint64_t lives;    // of nodes
    uint64_t refusals; // a disk that lied, on which the node did not start or gave up
    uint64_t applied;
    uint64_t faults[SIM_FAULTS]; // that happened
    sim_clients_counters_t clients;
} sim_totals_t;

// Run a seed: see sim_program_t.
void sim_world_run (uint64_t seed, bool verbose, dt_buffer_t *events, sim_totals_t *totals,
                    sim_result_t *result);

const char *sim_fault_name (sim_fault_t fault);

#endif // SIM_WORLD_H
