// snapshot_world_internal - what the files of the snapshot world share.

#ifndef SNAPSHOT_WORLD_INTERNAL_H
#define SNAPSHOT_WORLD_INTERNAL_H

#include "tests/raft/snapshot_world.h"

#define SNAPSHOT_WORLD_DIRECTORY "g" // of the group

enum { SNAPSHOT_WORLD_CLUSTER = 7, SNAPSHOT_WORLD_GROUP = 3 };

// The joint configuration of every snapshot.
raft_config_t snapshot_world_config (void);

// Put a message of a node into the pipe; it stays the caller's.
void snapshot_world_transmit (snapshot_world_t *self, uint32_t from, const peer_message_t *message);

// Forget what is in the pipe.
void snapshot_world_drop_mail (snapshot_world_t *self);

#endif // SNAPSHOT_WORLD_INTERNAL_H
