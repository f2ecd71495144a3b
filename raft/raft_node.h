// raft_node - wires the actors of one node together, starts and stops them in order.
//
// A node: one net actor, one peers actor if there are other nodes, and for each group a group
// actor, a log writer, a machine actor and a snapshot actor. On which hosts they run is the
// caller's choice (placement): all on one, each subsystem on its own, or anything between.

#ifndef RAFT_NODE_H
#define RAFT_NODE_H

#include "actors/actor_system.h"
#include "raft/raft_group_actor.h"
#include "raft/raft_machine.h"
#include "storage/vfs.h"
#include "transport/net_actor.h"
#include "transport/peer_actor.h"

typedef struct raft_node raft_node_t;

enum { RAFT_NODE_GROUPS_MAX = 1024 };

// Where each subsystem runs. `disk` is the host whose fibers the vfs may suspend.
typedef struct {
    actor_host_t *net;
    actor_host_t *raft;
    actor_host_t *disk;
    actor_host_t *machine;
} raft_node_placement_t;

typedef struct {
    uint32_t group_id;              // from 1
    raft_machine_t *machine;        // owned from here on
    const raft_config_t *bootstrap; // borrowed for the call: first configuration of a new group;
                                    // NULL: this node waits to be added to it
    const raft_config_t *contacts;  // outlives the node: whom to link with until then; may be NULL
} raft_node_group_t;

typedef struct {
    actor_system_t *system;          // borrowed
    raft_node_placement_t placement; // hosts of the system
    vfs_t *vfs;                      // borrowed; its root is the data directory
    transport_port_t *port;          // owned from here on
    peer_port_t *peer_port;          // owned from here on; NULL: there are no other nodes
    uint64_t boot_id;                // of this process, random; not 0
    uint64_t directory_id;           // of the data directory; 0: none is told
    uint32_t election_timeout_ms;    // 0: 1000
    uint32_t heartbeat_ms;           // 0: a tenth of it
    bool no_lease;                   // reads always ask a quorum
    uint64_t cluster_id;
    uint32_t node_id;
    bool is_new;                     // the data directory was just made [DISK-13]
    const char *server_version;      // outlives the node
    protocol_limits_t limits;        // told in hello
    uint32_t segment_bytes;          // of the logs; 0: default
    uint64_t snapshot_after_bytes;   // of log; 0: never by bytes
    uint64_t snapshot_after_entries; // 0: never by entries
    const raft_node_group_t *groups; // borrowed for the call
    size_t groups_count;             // 1 .. RAFT_NODE_GROUPS_MAX
} raft_node_options_t;

// Create the actors of a node on hosts that do not run yet.
raft_node_t *raft_node_new (const raft_node_options_t *options);

// All groups have a leader, here or elsewhere. Any thread.
bool raft_node_ready (const raft_node_t *self);

// Stop in order: refuse new requests, answer what was accepted, stop the groups, their machines and
// disks, the network. From the thread that started the system, while the hosts run.
// DT_ERR_TIMEOUT: not everything had ended by the deadline (env's clock); the rest is logged.
int raft_node_stop (raft_node_t *self, int64_t deadline_ns);

// The same for a caller that turns the dispatcher itself: begin, then call `step` until it is true.
void raft_node_stop_begin (raft_node_t *self);
bool raft_node_stop_step (raft_node_t *self);

// Free the node after the system was joined. Accepts NULL.
void raft_node_destroy (raft_node_t **self_p);

// The machine of a group, for tests and the simulator, while no host runs. NULL: no such group.
raft_machine_t *raft_node_machine (raft_node_t *self, uint32_t group_id);

// The consensus of a group, for the simulator, while no host runs. NULL: no such group, or it has
// not recovered yet.
const raft_core_t *raft_node_core (const raft_node_t *self, uint32_t group_id);

#endif // RAFT_NODE_H
