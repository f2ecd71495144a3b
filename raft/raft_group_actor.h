// raft_group_actor - the actor of one raft group: it feeds events to the pure core and carries out
// its effects.
//
// Wiring only. Start-up: load the newest snapshot (snapshot actor), open log and hard state (log
// writer), create the core from what they found, START. A group that cannot start is fatal to the
// process, with a log line that says why. The parts stand in raft_group_*.c.

#ifndef RAFT_GROUP_ACTOR_H
#define RAFT_GROUP_ACTOR_H

#include "actors/actor.h"
#include "raft/core/raft_core.h"

typedef struct raft_group raft_group_t;

typedef struct {
    const char *name; // of the actor
    uint32_t group_id;
    uint32_t node_id;
    uint64_t directory_id;   // of the node's data directory; 0: none is told
    bool is_new;             // the node's directory was just made: nothing to recover [DISK-13]
    bool has_bootstrap;      // bootstrap is given; else the node waits to be added to the group
    raft_config_t bootstrap; // first configuration of a new group
    const raft_config_t *contacts;   // nodes to link with until the group's configuration is known;
                                     // NULL: none; outlives the actor
    uint32_t election_timeout_ms;    // see raft_core_options_t
    uint32_t heartbeat_ms;           //
    bool no_lease;                   //
    uint64_t log_keep_entries;       //
    uint64_t log_keep_bytes;         //
    uint64_t log_retain_bytes;       //
    uint64_t snapshot_after_bytes;   // see raft_core_options_t
    uint64_t snapshot_after_entries; //
    uint64_t uncommitted_bytes_max;  //
    uint64_t unapplied_bytes_max;    //
} raft_group_options_t;

// Create the actor on a host.
raft_group_t *raft_group_new (actor_host_t *host, const raft_group_options_t *options);

// Name the others, before the host starts. net may be NULL: refusals are dropped. peers may be
// NULL: the group has no other node.
void raft_group_connect (raft_group_t *self, actor_t *log_writer, actor_t *machine,
                         actor_t *snapshot, actor_t *net, actor_t *peers);

// Free it after the host was joined. Accepts NULL.
void raft_group_destroy (raft_group_t **self_p);

actor_t *raft_group_actor (raft_group_t *self);

// Its consensus, while its host does not run; NULL until recovery is done.
const raft_core_t *raft_group_core (const raft_group_t *self);

// Ready: this node leads and takes writes. Any thread.
bool raft_group_ready (const raft_group_t *self);

// Settled: it is ready, or follows a leader. Any thread.
bool raft_group_settled (const raft_group_t *self);

// The actor has ended, after a stop or a fatal error: nothing more is answered. Any thread.
bool raft_group_ended (const raft_group_t *self);

#endif // RAFT_GROUP_ACTOR_H
