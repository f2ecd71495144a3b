// sim_check - what must hold whatever happens to a node.
//
// The checker of a group outlives its nodes' lives. It stands before the store's machine of each
// replica (sim_check_wrap) and knows every entry that was ever applied by any. Applied means
// committed, and that means durable, so:
// - an applied entry is never lost and never changes: a later life applies the same bytes at the
//   same index with the same result, and so does every other replica: all states are equal at
//   equal indexes. A sole replica starts with all of them;
// - only what a client sent is applied;
// - code, reply, index and digest equal those of a twin store that was never restarted, and of the
//   naive model; so a session's write has its effect once, over restarts and snapshots too;
// - a client's reply is what was answered at the index it names;
// - a read, unless it may be stale, sees everything acknowledged before it was sent.

#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "dtkv/core/dtkv_store.h"
#include "raft/raft_machine.h"
#include "transport/protocol_reply.h"
#include "transport/protocol_request.h"

typedef struct sim_check sim_check_t;

// The options are those of the nodes' stores; replicas: how many there may be.
sim_check_t *sim_check_new (const dtkv_store_options_t *options, uint32_t replicas);
void sim_check_destroy (sim_check_t **self_p);

// For sim_node_options_t; argument is the checker.
raft_machine_t *sim_check_wrap (void *argument, raft_machine_t *inner);

// The first thing found wrong; NULL: nothing so far.
const char *sim_check_failure (const sim_check_t *self);

// Note a finding of somebody else's. Only the first is kept.
void sim_check_fail (sim_check_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

// A client sends a request; before it leaves.
void sim_check_sent (sim_check_t *self, const protocol_request_t *request);

// A reply left the node for a request; acknowledged: sim_check_acknowledged at its sending.
void sim_check_reply (sim_check_t *self, const protocol_request_t *request,
                      const protocol_reply_t *reply, uint64_t acknowledged);

// The highest index a reply to a client named.
uint64_t sim_check_acknowledged (const sim_check_t *self);

// How many entries were applied so far, over all lives.
uint64_t sim_check_applied (const sim_check_t *self);

// The term of an entry that was applied; 0 if none was at that index.
uint64_t sim_check_term (const sim_check_t *self, uint64_t index);

// Compare all of a store, which must have everything that was ever applied, with twin and model;
// between turns.
void sim_check_whole (sim_check_t *self, const dtkv_store_t *store);

#endif // SIM_CHECK_H
