// dtkv_machine - fits the store into raft's state machine interface.

#ifndef DTKV_MACHINE_H
#define DTKV_MACHINE_H

#include "dtkv/core/dtkv_store.h"
#include "dtkv/core/dtkv_watch.h"
#include "raft/raft_machine.h"
#include "transport/protocol_hello.h"

// Create a machine around an empty store.
raft_machine_t *dtkv_machine_new (const dtkv_store_options_t *options);

// Let clients watch it. Once, before it is used; its store needs a history.
void dtkv_machine_let_watch (raft_machine_t *self, const dtkv_watches_options_t *options);

// The store inside; replaced when a snapshot is restored.
dtkv_store_t *dtkv_machine_store (raft_machine_t *self);

// The limits of a store as told in hello; the node adds its own.
void dtkv_machine_limits (const dtkv_limits_t *limits, protocol_limits_t *told);

#endif // DTKV_MACHINE_H
