// snapshot_machine - a state machine whose state is the bytes of its last snapshot.

#ifndef SNAPSHOT_MACHINE_H
#define SNAPSHOT_MACHINE_H

#include "raft/raft_machine.h"

// Create one with an empty state.
raft_machine_t *snapshot_machine_new (void);

// Pretend that entries up to index were applied: its state is then its bytes as of that index.
void snapshot_machine_advance (raft_machine_t *self, uint64_t index);

// Bytes of a state, and its digest.
void snapshot_machine_fill (uint64_t index, uint8_t *data, size_t bytes);
uint64_t snapshot_machine_digest_of (const uint8_t *data, size_t bytes);

#endif // SNAPSHOT_MACHINE_H
