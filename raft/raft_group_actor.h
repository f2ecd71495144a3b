// raft_group_actor - the actor of one raft group: it feeds events to the pure core and carries out
// its effects.
//
// Wiring only. Start-up: load the newest snapshot (snapshot actor), open log and hard state (log
// writer), create the core from what they found, START. A group that cannot start is fatal to the
// process, with a log line that says why. Until the core says that it is ready, requests are
// answered NOT_READY.

#ifndef RAFT_GROUP_ACTOR_H
#define RAFT_GROUP_ACTOR_H

#include "actors/actor.h"
#include "raft/core/raft_core.h"

typedef struct raft_group raft_group_t;

typedef struct {
    const char *name; // of the actor
    uint32_t group_id;
    uint32_t node_id;
    bool is_new;             // the node's directory was just made: nothing to recover [DISK-13]
    raft_config_t bootstrap; // first configuration of a new group
    uint64_t snapshot_after_bytes;   // see raft_core_options_t
    uint64_t snapshot_after_entries; //
    uint64_t uncommitted_bytes_max;  //
    uint64_t unapplied_bytes_max;    //
} raft_group_options_t;

// Create the actor on a host.
raft_group_t *raft_group_new (actor_host_t *host, const raft_group_options_t *options);

// Name the others, before the host starts. net may be NULL: refusals are dropped.
void raft_group_connect (raft_group_t *self, actor_t *log_writer, actor_t *machine,
                         actor_t *snapshot, actor_t *net);

// Free it after the host was joined. Accepts NULL.
void raft_group_destroy (raft_group_t **self_p);

actor_t *raft_group_actor (raft_group_t *self);

// Ready: requests are taken. Any thread.
bool raft_group_ready (const raft_group_t *self);

// The actor has ended, after a stop or a fatal error: nothing more is answered. Any thread.
bool raft_group_ended (const raft_group_t *self);

#endif // RAFT_GROUP_ACTOR_H
