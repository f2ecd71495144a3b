// snapshot_world - snapshot actors with real stores on simulated disks, joined by a pipe that
// loses, doubles, reorders and damages; all on virtual time. For the tests of their protocol.
//
// Node i (from 1) is a dispatcher with a snapshot actor, a machine that keeps a snapshot's bytes as
// its state, a group that notes what it is told and a peer actor that puts messages into the pipe.

#ifndef SNAPSHOT_WORLD_H
#define SNAPSHOT_WORLD_H

#include "actors/actor_system.h"
#include "actors/fiber/fiber_backend_sim.h"
#include "base/dt_random.h"
#include "raft/raft_snapshot_actor.h"
#include "raft/raft_snapshot_wire.h"
#include "storage/snapshot_store.h"
#include "storage/vfs_sim.h"
#include "transport/peer_message.h"

enum {
    SNAPSHOT_WORLD_NODES = 3,
    SNAPSHOT_WORLD_TERM = 2,   // of the entries at the ends of snapshots
    SNAPSHOT_WORLD_NOTES = 64, // of a kind that a group keeps
};

#define SNAPSHOT_WORLD_MS ((int64_t) 1000000)

typedef struct snapshot_world snapshot_world_t;

// Look at, change or (true) drop a message that is about to enter the pipe; `from` sent it.
typedef bool (snapshot_world_filter_fn) (snapshot_world_t *world, uint32_t from,
                                         peer_message_t *message);

typedef struct {
    snapshot_world_t *world;
    uint32_t id;
    vfs_sim_disk_t *disk;
    vfs_sim_t *mount; // NULL: the node is down
    fiber_dispatcher_t *dispatcher;
    actor_system_t *system;
    actor_t *group, *peers;
    raft_machine_host_t *machine;
    raft_snapshots_t *snapshots;
    unsigned life; // which process of it this is
    // What the group was told in this life.
    unsigned loads, saves, sends, receipts, disk_failures;
    snapshot_loaded_t loaded; // last
    snapshot_saved_t saved;   // last
    snapshot_sent_t sent[SNAPSHOT_WORLD_NOTES];
    snapshot_received_t received[SNAPSHOT_WORLD_NOTES];
    // What it sent.
    uint64_t chunks, chunk_bytes;
    uint64_t unacked_max; // most bytes beyond what the answers that reached it acknowledged
    uint64_t transfer, acked;
} snapshot_world_node_t;

struct snapshot_world {
    dt_env_t env;
    dt_random_t random;
    fiber_backend_sim_t *backend;
    snapshot_world_node_t nodes[SNAPSHOT_WORLD_NODES + 1]; // [0] is not used
    // The pipe, in parts per million of one message.
    uint32_t loss_ppm, double_ppm, damage_ppm;
    int64_t delay_ns, jitter_ns;
    int64_t disk_ns; // one operation
    snapshot_world_filter_fn *filter;
    struct snapshot_world_mail *mail; // on its way
    raft_snapshots_options_t options; // of nodes started from now on
    unsigned lines;                   // logged at warning level or above
};

// A world of nodes that are down, with empty disks and a pipe that is fast and whole.
void snapshot_world_init (snapshot_world_t *self, uint64_t seed);
void snapshot_world_deinit (snapshot_world_t *self);

// Start a node and let it load what it has.
void snapshot_world_start (snapshot_world_t *self, uint32_t id);
void snapshot_world_stop (snapshot_world_t *self, uint32_t id);
// Cut its power; what is in the pipe stays there.
void snapshot_world_crash (snapshot_world_t *self, uint32_t id);

// Put a snapshot of `bytes` into a node's store, which must be down. Its content follows from index
// and bytes; its configuration is a joint one.
void snapshot_world_put (snapshot_world_t *self, uint32_t id, uint64_t index, size_t bytes);

// Whether a node, which must be down, has that snapshot, sound and exactly so.
bool snapshot_world_has (snapshot_world_t *self, uint32_t id, uint64_t index, size_t bytes);

// How many files are in a node's directory of snapshots.
unsigned snapshot_world_files (snapshot_world_t *self, uint32_t id);

// Ask a node's snapshot actor.
void snapshot_world_send (snapshot_world_t *self, uint32_t from, uint32_t to, uint64_t term,
                          uint64_t index_min);
void snapshot_world_cancel (snapshot_world_t *self, uint32_t from, uint32_t to);
void snapshot_world_load (snapshot_world_t *self, uint32_t id, uint64_t index, uint64_t term);
// Ask its machine to have a snapshot of its state saved, under this index.
void snapshot_world_save (snapshot_world_t *self, uint32_t id, uint64_t index);

// Go on until the condition is true (true) or that much time has passed (false).
typedef bool (snapshot_world_until_fn) (const snapshot_world_t *self);
bool snapshot_world_run (snapshot_world_t *self, int64_t time_ns, snapshot_world_until_fn *until);

// The state of a node's machine.
uint64_t snapshot_world_digest (snapshot_world_t *self, uint32_t id);
// What it would be after a snapshot of snapshot_world_put.
uint64_t snapshot_world_digest_of (uint64_t index, size_t bytes);

#endif // SNAPSHOT_WORLD_H
