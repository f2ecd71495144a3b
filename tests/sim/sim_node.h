// sim_node - a whole node, all its actors, on a simulated disk, clock and port, in one thread.
//
// A node can be crashed at any moment: its disk decides what survives, its clients and the other
// nodes hear nothing more, and its actors are wound down through their error paths (a second test:
// every failure leaves a process that can still end).

#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "actors/fiber/fiber_backend_sim.h"
#include "actors/fiber/fiber_dispatcher.h"
#include "base/dt_env.h"
#include "dtkv/core/dtkv_store.h"
#include "raft/core/raft_core.h"
#include "raft/raft_machine.h"
#include "storage/vfs_sim.h"
#include "tests/sim/sim_net.h"
#include "tests/sim/sim_port.h"

enum { SIM_NODE_GROUPS_MAX = 4 };

typedef struct sim_node sim_node_t;

// Put a machine of one's own before the store's, to see what it is told and answers. Takes `inner`
// over and returns the machine the node gets.
typedef raft_machine_t *(sim_node_wrap_fn) (void *argument, raft_machine_t *inner);

typedef struct {
    uint32_t group_id;
    sim_node_wrap_fn *wrap; // see there; may be NULL
    void *wrap_argument;    //
} sim_node_group_t;

typedef struct {
    const dt_env_t *env;            // simulated clocks; borrowed
    fiber_backend_t *backend;       // simulated, its time is env's; borrowed
    vfs_sim_disk_t *disk;           // survives the node; borrowed
    vfs_sim_delay_fn *delay;        // of disk operations; may be NULL
    void *delay_argument;           //
    sim_port_reply_fn *reply;       // of the clients
    void *reply_argument;           //
    uint32_t segment_bytes;         // of the log
    uint64_t snapshot_after_bytes;  //
    uint64_t in_flight_max;         // requests
    dtkv_store_options_t store;     // of each group
    uint32_t node_id;               //
    uint32_t election_timeout_ms;   // 0: default
    const raft_config_t *bootstrap; // of new groups; NULL: the node joins others
    const raft_config_t *contacts;  // of a node that joins; borrowed while it lives; may be NULL
    sim_net_t *net;                 // to the other nodes; borrowed; NULL: there are none
    const char *endpoint;           // of the node in the network
    sim_node_group_t groups[SIM_NODE_GROUPS_MAX];
    size_t groups_count;
} sim_node_options_t;

// Start a node on the disk: recovery begins with the next turns of the dispatcher.
sim_node_t *sim_node_start (const sim_node_options_t *options);

// One round of its dispatcher, which may let time pass up to deadline_ns.
void sim_node_turn (sim_node_t *self, int64_t deadline_ns);

// When it has something to do next, by its own clock; not after now: now.
int64_t sim_node_next_ns (const sim_node_t *self);

// Each group has a leader, here or elsewhere.
bool sim_node_ready (const sim_node_t *self);

// The error of an actor the process would have died of; 0: none.
int sim_node_failure (const sim_node_t *self);

// Where clients send.
sim_port_t *sim_node_port (sim_node_t *self);

// The store of a group, and its consensus (NULL: the group is recovering), for checks between
// turns. Only of a node that has not failed.
const dtkv_store_t *sim_node_store (sim_node_t *self, uint32_t group_id);
const raft_core_t *sim_node_core (sim_node_t *self, uint32_t group_id);

// Stop in order, turning the dispatcher until everything has ended, then free the node.
void sim_node_stop (sim_node_t **self_p);

// The same for a node that needs others to come to its end: begin; between turns, until `stopped`
// is true; then sim_node_stop.
void sim_node_stop_begin (sim_node_t *self);
bool sim_node_stopped (sim_node_t *self);

// Kill the process and cut the power: only what was synced certainly survives. Frees the node.
void sim_node_crash (sim_node_t **self_p);

// Kill the process only: the disk's cache survives. Frees the node.
void sim_node_kill (sim_node_t **self_p);

#endif // SIM_NODE_H
