// sim_cluster_internal - what the files of sim_cluster share. sim_cluster.c: a run and its phases;
// sim_cluster_node.c: nodes and their lives; sim_cluster_faults.c: what goes wrong;
// sim_cluster_members.c: the operator.

#ifndef SIM_CLUSTER_INTERNAL_H
#define SIM_CLUSTER_INTERNAL_H

#include "base/dt_random.h"
#include "tests/sim/sim_cluster.h"
#include "tests/sim/sim_cluster_check.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_register.h"

#define SIM_CLUSTER_MS(n) (INT64_C (1000000) * (n))

enum {
    SIM_CLUSTER_NUMBERS = 1000,   // of clients, for each group;
    SIM_CLUSTER_REGISTERS = 500,  // from here on those of its registers,
    SIM_CLUSTER_OPERATOR = 900,   // of its operator
    SIM_CLUSTER_DRIFT_PPM = 4900, // clocks' rates differ by less than the 10 permille raft allows
};

typedef struct sim_cluster sim_cluster_t;

typedef struct {
    sim_cluster_t *cluster;
    uint32_t id; // from 1
    char endpoint[32];
    dt_env_t env;
    vfs_sim_disk_t *disk;
    vfs_sim_faults_t disk_faults;
    bool lost;          // its disk is gone: its id never runs again
    bool joins;         // it waits to be added to the groups
    int64_t wall_ms;    // offset of its wall clock
    int32_t ppm;        // of its monotonic clock
    sim_clock_t *clock; // of this life; NULL: it is down
    sim_node_t *node;   // NULL: it is down
    int64_t start_ns;   // when a node that is down starts
    int64_t resume_ns;  // it stands still until then
    int64_t stop_by_ns; // it stops in order until then; INT64_MAX: it does not
} sim_cluster_node_t;

typedef struct {
    uint32_t id; // from 1
    sim_check_t *check;
    sim_cluster_check_t *replicas;
    sim_clients_t *clients;
    sim_registers_t *registers;
} sim_cluster_group_t;

// Two nodes that are made to claim one group.
typedef struct {
    uint32_t leader, challenger; // 0: no duel is on
} sim_cluster_duel_t;

struct sim_cluster {
    uint64_t seed;
    bool verbose;
    dt_random_t clock, disk_time, faults, entropy; // streams
    fiber_backend_sim_t *world;                    // its time is the world's
    sim_net_t *net;
    uint32_t nodes_count;
    sim_cluster_node_t nodes[SIM_CLUSTER_NODES_MAX]; // [id - 1]
    uint32_t groups_count;
    sim_cluster_group_t groups[SIM_NODE_GROUPS_MAX]; // [id - 1]
    raft_config_t config;                            // the first one
    raft_config_t contacts;                          // all nodes there may ever be
    sim_node_options_t options;                      // what all nodes have in common
    uint64_t latency_ns;                             // of disks, at most
    bool enabled[SIM_CLUSTER_FAULTS];
    sim_net_faults_t net_faults;
    int64_t mean_fault_ns; // between faults
    int64_t next_fault_ns; //
    sim_cluster_duel_t duel;
    bool calm;           // no more faults
    uint64_t operations; // of the operator
    uint64_t trace;
    dt_buffer_t *events;
    sim_cluster_totals_t *totals;
};

int64_t sim_cluster_now_ns (const sim_cluster_t *self);

// A word of the trace.
void sim_cluster_event (sim_cluster_t *self, uint64_t word);

// The first finding of any group; NULL: none.
const char *sim_cluster_failure (const sim_cluster_t *self);

// The leader of a group that serves, and what it says; NULL: none.
const raft_core_t *sim_cluster_leader (const sim_cluster_t *self, uint32_t group_id,
                                       raft_status_t *status);

// sim_cluster_node.c
// Make a node that is down and starts at once.
void sim_cluster_node_init (sim_cluster_t *self, uint32_t id, bool joins);
// End its life, if it has one, and free it.
void sim_cluster_node_deinit (sim_cluster_node_t *self);
// It runs, and has not failed.
bool sim_cluster_node_up (const sim_cluster_node_t *self);
// Whether it can do something now; when it can next, in the world's time.
bool sim_cluster_node_due (const sim_cluster_node_t *self);
int64_t sim_cluster_node_next_ns (const sim_cluster_node_t *self);
// Start it if it is time, give it its turn, look at it, end its life if that is over.
void sim_cluster_node_step (sim_cluster_node_t *self);
// End its life now by sim_node_crash or sim_node_kill; it starts again within restart_ns.
void sim_cluster_node_end (sim_cluster_node_t *self, void (*end) (sim_node_t **),
                           int64_t restart_ns);
// Begin to stop it in order.
void sim_cluster_node_stop (sim_cluster_node_t *self);
// The consensus of a group in it; NULL: none now.
const raft_core_t *sim_cluster_node_core (const sim_cluster_node_t *self, uint32_t group_id);

// sim_cluster_members.c
// Ask for another leader.
void sim_cluster_transfer (sim_cluster_t *self, const sim_cluster_group_t *group);
// Ask for other members; tidy: only to end what was begun and to replace machines that are lost.
void sim_cluster_change_members (sim_cluster_t *self, const sim_cluster_group_t *group, bool tidy);
// Nothing of that kind is left to do.
bool sim_cluster_members_tidy (const sim_cluster_t *self, const raft_config_t *config);
// A node is lost with its disk, and another one comes with an id of its own. False: it would take
// some group's majority away, or there is no further id.
bool sim_cluster_lose (sim_cluster_t *self, sim_cluster_node_t *node);

// sim_cluster_rot.c
// By chance, flip bits of the log of a node, which starts again soon. A cluster at rest.
bool sim_cluster_rot (sim_cluster_t *self);

// sim_cluster_faults.c
void sim_cluster_draw_faults (sim_cluster_t *self, dt_random_t *swarm);
// One fault happens.
void sim_cluster_break (sim_cluster_t *self);
// Faults end, and all that is down comes up.
void sim_cluster_mend (sim_cluster_t *self);

#endif // SIM_CLUSTER_INTERNAL_H
