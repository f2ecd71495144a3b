// raft_snapshot_actor - the actor that moves one group's snapshots between the state machine and
// disk.
//
// Saving: the machine says that it has begun one (MACHINE_SNAPSHOT_BEGUN); this actor pulls it
// chunk by chunk at the pace of the disk, so that neither memory nor a write waits for the whole.
// Loading: the newest snapshot that verifies is fed to the machine piece by piece.

#ifndef RAFT_SNAPSHOT_ACTOR_H
#define RAFT_SNAPSHOT_ACTOR_H

#include "actors/actor.h"
#include "raft/raft_machine_actor.h"
#include "storage/storage_identity.h"
#include "storage/vfs.h"

typedef struct raft_snapshots raft_snapshots_t;

enum {
    // Group to snapshot actor.
    SNAPSHOT_LOAD = 400, // actor_message_t: answered by SNAPSHOT_LOADED
    // Snapshot actor to group.
    SNAPSHOT_LOADED = 450, // snapshot_loaded_t
    SNAPSHOT_SAVED,        // snapshot_saved_t
};

typedef struct {
    actor_message_t message;
    int rc;                    // 0, or why the group cannot start
    bool found;                // there was one: meta and bytes are set
    raft_snapshot_meta_t meta; //
    uint64_t bytes;            // on disk
} snapshot_loaded_t;

typedef struct {
    actor_message_t message;
    int rc;               // 0: it is durable, directory included
    uint64_t index, term; // of the snapshot
    uint64_t bytes;       // on disk
} snapshot_saved_t;

typedef struct {
    const char *name;            // of the actor
    vfs_t *vfs;                  // borrowed
    const char *directory;       // of the group, copied; holds snapshots/
    storage_identity_t identity; // cluster, group, node
    unsigned keep;               // snapshots kept; 0: 2
} raft_snapshots_options_t;

// Create the actor on a host.
raft_snapshots_t *raft_snapshots_new (actor_host_t *host, const raft_snapshots_options_t *options);

// Name the others, before the host starts.
void raft_snapshots_connect (raft_snapshots_t *self, actor_t *group, actor_t *machine);

// Free it after the host was joined. Accepts NULL.
void raft_snapshots_destroy (raft_snapshots_t **self_p);

actor_t *raft_snapshots_actor (raft_snapshots_t *self);

// Allocate a message of one of the types above.
void *raft_snapshots_message_new (uint16_t type);

#endif // RAFT_SNAPSHOT_ACTOR_H
