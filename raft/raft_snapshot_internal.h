// raft_snapshot_internal - what the files of the snapshot actor share. Only raft_snapshot_*.c
// include it.
//
// Fibers, all of the actor's group: "main" takes messages and never waits for anything else; "disk"
// saves and loads (raft_snapshot_disk.c); "receive" takes in what a leader sends; one "send" for
// each node that is sent to. They share the store, which allows that, and the fields below.

#ifndef RAFT_SNAPSHOT_INTERNAL_H
#define RAFT_SNAPSHOT_INTERNAL_H

#include "actors/fiber/fiber_channel.h"
#include "actors/fiber/fiber_condition.h"
#include "base/dt_env.h"
#include "raft/raft_snapshot_actor.h"
#include "storage/snapshot_store.h"
#include "transport/peer_message.h"

typedef struct snapshot_disk snapshot_disk_t;
typedef struct snapshot_sender snapshot_sender_t;
typedef struct snapshot_receiver snapshot_receiver_t;

struct raft_snapshots {
    actor_t *actor;                   // owned by its host
    const dt_env_t *env;              // borrowed
    raft_snapshots_options_t options; // defaults filled in; name is not kept
    char *directory;                  // owned
    actor_t *group, *machine, *peers; // whom it talks to; peers may be NULL
    snapshot_store_t *store;          // NULL until the first SNAPSHOT_LOAD
    uint64_t base;                    // index of what the group stands on: loaded or saved last
    bool pruning, prune_again;        // one fiber prunes, another wanted to
    bool disk_failed;                 // the group was told so
    snapshot_disk_t *disk;            // owned
    snapshot_receiver_t *receiver;    // owned
    snapshot_sender_t *senders;       // that were not cancelled
    unsigned fibers;                  // besides main
    fiber_condition_t *ended;         // one of them has ended
};

// Start one of the fibers; it calls raft_snapshots_fiber_ended last.
void raft_snapshots_fiber_start (raft_snapshots_t *self, const char *name, fiber_fn *fn,
                                 void *argument);
void raft_snapshots_fiber_ended (raft_snapshots_t *self);

// Remove old snapshots, but not what the group stands on and nothing newer. 0, or the store's
// error.
int raft_snapshots_prune (raft_snapshots_t *self);

// An error of the store: the group is told if it is final for the disk [DISK-10].
void raft_snapshots_see_error (raft_snapshots_t *self, int rc);

// Send a body to a node, best effort; takes head and blob (may be NULL) over.
void raft_snapshots_send (raft_snapshots_t *self, uint32_t node_id, uint64_t term, uint8_t kind,
                          dt_buffer_t *head, dt_blob_t *blob);

// --- saving and loading --------------------------------------------------------------------------

snapshot_disk_t *raft_snapshot_disk_new (raft_snapshots_t *self);
void raft_snapshot_disk_destroy (snapshot_disk_t **self_p);
void raft_snapshot_disk_run (void *argument); // fiber; of a snapshot_disk_t
void raft_snapshot_disk_stop (snapshot_disk_t *self);
// Takes a SNAPSHOT_LOAD or a message of the machine over.
void raft_snapshot_disk_take (snapshot_disk_t *self, actor_message_t *message);

// --- sending -------------------------------------------------------------------------------------

// Begin a transfer, in place of one to the same node.
void raft_snapshot_send_begin (raft_snapshots_t *self, const snapshot_send_t *send);
// End transfers to a node (0: to all) without report.
void raft_snapshot_send_cancel (raft_snapshots_t *self, uint32_t node_id);
// A node has answered.
void raft_snapshot_send_on_reply (raft_snapshots_t *self, const peer_message_t *message);

// --- receiving -----------------------------------------------------------------------------------

snapshot_receiver_t *raft_snapshot_receiver_new (raft_snapshots_t *self);
void raft_snapshot_receiver_destroy (snapshot_receiver_t **self_p);
void raft_snapshot_receiver_run (void *argument); // fiber; of a snapshot_receiver_t
void raft_snapshot_receiver_stop (snapshot_receiver_t *self);
// Takes a SNAPSHOT_CHUNK over.
void raft_snapshot_receiver_take (snapshot_receiver_t *self, peer_message_t *message);

#endif // RAFT_SNAPSHOT_INTERNAL_H
