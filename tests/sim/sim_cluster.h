// sim_cluster - one run of a cluster: several whole nodes, their clients and everything that goes
// wrong, all drawn from one seed.
//
// A safety phase with faults, then a liveness phase without: the cluster serves again, no request
// stays without outcome, and all members of a group come to one state [DST-10].

#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include "tests/sim/sim_client.h"
#include "tests/sim/sim_main.h"
#include "tests/sim/sim_net.h"

// X (name): kinds of faults; each seed enables some.
#define SIM_CLUSTER_FAULT_TABLE(X)                                                                 \
    X (power_cut)                                                                                  \
    X (power_cut_everywhere)                                                                       \
    X (power_cut_at_change)                                                                        \
    X (kill)                                                                                       \
    X (restart)                                                                                    \
    X (pause)                                                                                      \
    X (disk_full)                                                                                  \
    X (write_error)                                                                                \
    X (sync_error)                                                                                 \
    X (stall)                                                                                      \
    X (wall_jump)                                                                                  \
    X (drift)                                                                                      \
    X (partition)                                                                                  \
    X (cut_leader)                                                                                 \
    X (duel)                                                                                       \
    X (heal)                                                                                       \
    X (bad_links)                                                                                  \
    X (transfer)                                                                                   \
    X (change_members)                                                                             \
    X (lose_machine)

typedef enum {
#define SIM_CLUSTER_FAULT_ENUM(name) SIM_CLUSTER_FAULT_##name,
    SIM_CLUSTER_FAULT_TABLE (SIM_CLUSTER_FAULT_ENUM)
#undef SIM_CLUSTER_FAULT_ENUM
        SIM_CLUSTER_FAULTS
} sim_cluster_fault_t;

typedef struct {
    uint64_t lives;                      // of nodes
    uint64_t leaders;                    // elected
    uint64_t applied;                    // entries, once for all replicas
    uint64_t operations;                 // asked by operators, and answered
    uint64_t operations_done;            // with success
    uint64_t judged;                     // operations on registers
    uint64_t undecided;                  // runs whose judge gave up
    uint64_t rots;                       // nodes whose log rotted
    int64_t slowest_ns;                  // until a cluster had come to rest
    uint32_t members, groups;            // of the run that was last
    int64_t large_ns;                    // virtual time of runs with 5 members and 2 groups,
    double large_cpu_s;                  // and what they took of a processor
    uint64_t faults[SIM_CLUSTER_FAULTS]; // that happened
    uint64_t net_faults[SIM_NET_FAULTS]; //
    sim_clients_counters_t clients;
} sim_cluster_totals_t;

// Run a seed: see sim_program_t.
void sim_cluster_run (uint64_t seed, bool verbose, dt_buffer_t *events,
                      sim_cluster_totals_t *totals, sim_result_t *result);

const char *sim_cluster_fault_name (sim_cluster_fault_t fault);

#endif // SIM_CLUSTER_H
