// raft_snapshot_actor - the actor that moves one group's snapshots: between the state machine and
// disk, and between the disks of two nodes.
//
// Saving: the machine says that it has begun one (MACHINE_SNAPSHOT_BEGUN); this actor pulls it
// chunk by chunk at the pace of the disk, so that neither memory nor a write waits for the whole.
// Loading: a snapshot is fed to the machine piece by piece and its digest compared afterwards.
// Sending and receiving: raft_snapshot_send.c and raft_snapshot_receive.c say how.

#ifndef RAFT_SNAPSHOT_ACTOR_H
#define RAFT_SNAPSHOT_ACTOR_H

#include "actors/actor.h"
#include "raft/raft_machine_actor.h"
#include "storage/storage_identity.h"
#include "storage/vfs.h"

typedef struct raft_snapshots raft_snapshots_t;

enum {
    // Group to snapshot actor; also PEER_MESSAGE (peer_message_t) of the kinds SNAPSHOT_CHUNK and
    // SNAPSHOT_REPLY, from a member of the group, once the group has looked at the term: a chunk is
    // of the leader of the group's present term.
    SNAPSHOT_LOAD = 400, // snapshot_load_t: answered by SNAPSHOT_LOADED
    SNAPSHOT_SEND,       // snapshot_send_t: answered by SNAPSHOT_SENT unless cancelled
    SNAPSHOT_CANCEL,     // snapshot_cancel_t: no SNAPSHOT_SENT is sent any more
    // Snapshot actor to group.
    SNAPSHOT_LOADED = 450, // snapshot_loaded_t
    SNAPSHOT_SAVED,        // snapshot_saved_t
    SNAPSHOT_SENT,         // snapshot_sent_t
    SNAPSHOT_RECEIVED,     // snapshot_received_t
    SNAPSHOT_DISK_FAILED,  // actor_message_t, once: nothing can be saved or received any more
};

// At any time, but one after the other, and not while the machine takes a snapshot (one that is
// being saved all the same is given up first). Its answer tells when the machine has the state.
typedef struct {
    actor_message_t message;
    uint64_t index, term; // of the received snapshot to install; 0: the newest that verifies
} snapshot_load_t;

typedef struct {
    actor_message_t message;
    int rc;                    // 0, or why the group cannot go on
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

// Stream the newest snapshot to a node. A transfer to that node that still runs is cancelled.
typedef struct {
    actor_message_t message;
    uint32_t node_id;
    uint64_t term;      // the group's: of the messages
    uint64_t index_min; // of use only if it contains this entry
} snapshot_send_t;

typedef struct {
    actor_message_t message;
    uint32_t node_id; // 0: to all nodes
} snapshot_cancel_t;

typedef struct {
    actor_message_t message;
    uint32_t node_id;
    uint64_t term;  // as asked for
    uint64_t index; // rc 0: of the snapshot that is durable over there, or of one it contains
    // 0. NOT_FOUND: there is none here that reaches index_min: take one. TIMEOUT: the node does not
    // answer. NO_SPACE, DISK_FAILED, ...: of its disk. MALFORMED, NEWER_FORMAT: it cannot read it.
    int rc;
} snapshot_sent_t;

// A leader's snapshot is here, verified and durable. It, and the one the group stands on, are not
// pruned before a newer one was loaded or saved [RAFT-22]. The same one is reported again if it is
// sent again before that.
typedef struct {
    actor_message_t message;
    uint32_t from;             // node
    raft_snapshot_meta_t meta; //
    uint64_t bytes;            // on disk
} snapshot_received_t;

typedef struct {
    const char *name;            // of the actor
    vfs_t *vfs;                  // borrowed
    const char *directory;       // of the group, copied; holds snapshots/
    storage_identity_t identity; // cluster, group, node
    unsigned keep;               // snapshots kept; 0: 2
    // Of sending. Memory: a piece and 1 MiB for each node sent to, and window_bytes on the way;
    // receiving takes 1 MiB and twice the window.
    uint32_t piece_bytes;  // of one message; 0: SNAPSHOT_PIECE_BYTES_MAX
    uint32_t window_bytes; // sent to one node and not acknowledged; 0: 2 MiB
    uint32_t resend_ms;    // without an answer, at first; doubles up to eightfold; 0: 500
    uint32_t resend_max;   // times in a row, then the node does not answer; 0: 8
    uint32_t idle_ms;      // receiving: a transfer that stands still this long is given up; 0: 60 s
} raft_snapshots_options_t;

// Create the actor on a host.
raft_snapshots_t *raft_snapshots_new (actor_host_t *host, const raft_snapshots_options_t *options);

// Name the others, before the host starts. peers may be NULL: nothing is sent or received.
void raft_snapshots_connect (raft_snapshots_t *self, actor_t *group, actor_t *machine,
                             actor_t *peers);

// Free it after the host was joined. Accepts NULL.
void raft_snapshots_destroy (raft_snapshots_t **self_p);

actor_t *raft_snapshots_actor (raft_snapshots_t *self);

// Allocate a zeroed message of one of the types above (not a PEER_MESSAGE).
void *raft_snapshots_message_new (uint16_t type);

#endif // RAFT_SNAPSHOT_ACTOR_H
