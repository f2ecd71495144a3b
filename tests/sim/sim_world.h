// sim_world - one run: a node, its clients and everything that goes wrong, all drawn from one seed.

#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/vfs_sim.h"
#include "tests/sim/sim_client.h"

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
    X (rot)

typedef enum {
#define SIM_FAULT_ENUM(name) SIM_FAULT_##name,
    SIM_FAULT_TABLE (SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULTS
} sim_fault_t;

typedef struct {
    uint64_t runs;
    uint64_t failed;
    uint64_t lives;    // of nodes
    uint64_t refusals; // a rotten disk on which the node did not start
    uint64_t applied;
    int64_t virtual_ns;
    uint64_t faults[SIM_FAULTS]; // that happened
    sim_clients_counters_t clients;
} sim_totals_t;

typedef struct {
    uint64_t trace;
    char failure[400]; // empty: nothing was found wrong
} sim_result_t;

// Run a seed. Events' hashes are appended to `events` (uint64_t each) if it is not NULL. verbose:
// the node's log and the faults go to stderr.
void sim_world_run (uint64_t seed, bool verbose, dt_buffer_t *events, sim_totals_t *totals,
                    sim_result_t *result);

const char *sim_fault_name (sim_fault_t fault);

#endif // SIM_WORLD_H
