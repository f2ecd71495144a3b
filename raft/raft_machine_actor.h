// raft_machine_actor - the actor that runs one group's state machine (for DtKV: the kv actor).
//
// Wiring only: it takes entries, reads and snapshot requests in the order in which they were sent,
// calls the machine, packs the replies of everything that had piled up into one frame for each
// client and sends them to the net actor.

#ifndef RAFT_MACHINE_ACTOR_H
#define RAFT_MACHINE_ACTOR_H

#include "actors/actor.h"
#include "raft/core/raft_config.h"
#include "raft/raft_machine.h"
#include "storage/log_entry.h"
#include "transport/net_messages.h"

typedef struct raft_machine_host raft_machine_host_t;

enum {
    // Group to machine; NET_READ (net_requests_t) too, once the group released it.
    MACHINE_APPLY = 300, // machine_apply_t: answered by MACHINE_APPLIED, many at once
    MACHINE_STATUS,      // machine_status_t: answered to the client
    MACHINE_SNAPSHOT,    // machine_snapshot_t: begin one; goes on to the snapshot actor
    // Snapshot actor to machine.
    MACHINE_SNAPSHOT_NEXT = 310, // actor_message_t: answered by MACHINE_SNAPSHOT_CHUNK
    MACHINE_SNAPSHOT_END,        // actor_message_t: no more of it is wanted
    MACHINE_RESTORE,             // machine_restore_t: answered by MACHINE_RESTORED
    // Machine to group.
    MACHINE_APPLIED = 350, // machine_applied_t
    // Machine to snapshot actor.
    MACHINE_SNAPSHOT_BEGUN = 360, // machine_snapshot_t
    MACHINE_SNAPSHOT_CHUNK,       // machine_chunk_t
    MACHINE_RESTORED,             // machine_restored_t
};

// What belongs to a snapshot beside the machine's bytes.
typedef struct {
    uint64_t index;           // last entry it contains
    uint64_t term;            // of that entry
    uint64_t cluster_time_ms; // of that entry
    uint64_t config_index;    // of the entry that holds config
    raft_config_t config;     // in force at index
} raft_snapshot_meta_t;

typedef struct {
    actor_message_t message;
    log_batch_t *batch;   // owned reference; its origin is a net_requests_t, or NULL
    uint64_t first, last; // part of it
    bool silent;          // whoever asked has been answered: no replies
} machine_apply_t;

typedef struct {
    actor_message_t message;
    net_requests_t *requests; // owned: one status request
    dt_buffer_t pairs;        // owned: name and value of what the group says
    uint32_t count;           // pairs so far
    uint64_t index;           // group index of the answer
} machine_status_t;

typedef struct {
    actor_message_t message;
    raft_snapshot_meta_t meta;
    uint64_t digest; // BEGUN: of the machine's state
} machine_snapshot_t;

typedef struct {
    actor_message_t message;
    dt_buffer_t bytes; // owned
    bool done;         // the last one
} machine_chunk_t;

typedef struct {
    actor_message_t message;
    dt_buffer_t bytes; // owned; the machine's bytes, next piece
    bool first, last;  // piece
} machine_restore_t;

typedef struct {
    actor_message_t message;
    int rc;          // of this piece
    uint64_t digest; // after the last piece: of the restored state
} machine_restored_t;

typedef struct {
    actor_message_t message;
    uint64_t index;
    uint64_t due_ms; // as raft_machine_ops_t says, after that entry
} machine_applied_t;

typedef struct {
    const char *name;        // of the actor
    raft_machine_t *machine; // owned from here on
} raft_machine_host_options_t;

// Create the actor on a host.
raft_machine_host_t *raft_machine_host_new (actor_host_t *host,
                                            const raft_machine_host_options_t *options);

// Name the others, before the host starts. net may be NULL: replies are dropped.
void raft_machine_host_connect (raft_machine_host_t *self, actor_t *group, actor_t *snapshot,
                                actor_t *net);

// The node is about to stop: tell the clients of streams, and let no new ones be. Any thread.
void raft_machine_host_end_streams (raft_machine_host_t *self);

// Free it and the machine, after the host was joined. Accepts NULL.
void raft_machine_host_destroy (raft_machine_host_t **self_p);

actor_t *raft_machine_host_actor (raft_machine_host_t *self);

// The machine, for tests and the simulator, while no fiber of the host runs.
raft_machine_t *raft_machine_host_machine (raft_machine_host_t *self);

// Allocate a message of one of the types above; its free function releases what it owns.
void *raft_machine_message_new (uint16_t type);

#endif // RAFT_MACHINE_ACTOR_H
