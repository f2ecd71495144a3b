// sim_cluster_check - what must hold between the replicas of a group, looked at from outside.
//
// Looked at after every step of a node [DST-11]; what replicas apply is sim_check's business.
// - At most one node leads in a term, and at most one has a valid lease [RAFT 5.2, LEASE-1].
// - A new leader has every entry that was ever applied in an earlier term [RAFT 5.4].
// - Commit, applied and term of a node never fall in a life.
// - A node never comes back with a term below one it has told another node, and never tells two
//   votes in one term: both were durable before [RAFT-1].
// - The core's own invariant.

#ifndef SIM_CLUSTER_CHECK_H
#define SIM_CLUSTER_CHECK_H

#include "raft/core/raft_core.h"
#include "tests/sim/sim_check.h"
#include "tests/sim/sim_clock.h"
#include "transport/peer_protocol.h"

enum { SIM_CLUSTER_NODES_MAX = 10 }; // node ids 1 .. 10

typedef struct sim_cluster_check sim_cluster_check_t;

// Create a checker of a group; findings go to `check`.
sim_cluster_check_t *sim_cluster_check_new (sim_check_t *check);
void sim_cluster_check_destroy (sim_cluster_check_t **self_p);

// A life of a node ended.
void sim_cluster_check_ended (sim_cluster_check_t *self, uint32_t node_id);

// Look at a node that was turned. now_ns: the world's.
void sim_cluster_check_look (sim_cluster_check_t *self, uint32_t node_id, const raft_core_t *core,
                             const sim_clock_t *clock, int64_t now_ns);

// A node tells another one something of this group.
void sim_cluster_check_told (sim_cluster_check_t *self, uint32_t node_id, uint32_t to,
                             const peer_part_t *part);

// How many different leaders there were.
uint64_t sim_cluster_check_leaders (const sim_cluster_check_t *self);

#endif // SIM_CLUSTER_CHECK_H
