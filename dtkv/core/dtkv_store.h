// dtkv_store - the replicated state of one group: a tree of nodes and a table of sessions.
//
// Pure and deterministic: the state is a function of the applied entries alone, so replicas that
// applied the same log hold the same state and give the same replies. The only secret, the seed of
// the hash table, changes no result. Not thread safe; one fiber group owns a store.
//
// A life: new, or built by dtkv_restore from a snapshot; then apply for every entry in index order,
// read in between; dtkv_snapshot.h takes a snapshot while entries are applied.

#ifndef DTKV_STORE_H
#define DTKV_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_history.h"
#include "dtkv/core/dtkv_limits.h"
#include "dtkv/core/dtkv_operation.h"
#include "dtkv/core/dtkv_result.h"
#include "dtkv/core/dtkv_tree.h"
#include "storage/log_entry.h"

typedef struct dtkv_store dtkv_store_t;

typedef struct {
    dtkv_limits_t limits;       // the same on every replica; asserted to be inside the ceilings
    uint64_t hash_seed;         // secret, from env's entropy; any number
    uint64_t history_bytes_max; // of the last changes kept (dtkv_history.h), of this node only; 0:
                                // none, and no watches
} dtkv_store_options_t;

// How an entry ended.
typedef struct {
    int code;       // dtkv_result_t
    uint64_t index; // to report: the entry's, or that of the entry that first carried out this
                    // session seq; 0 for codes 31, 32 and 33: not carried out
    bool repeated;  // the seq was carried out before; nothing changed but the session's deadline
} dtkv_outcome_t;

// Create an empty store: the root directory, nothing applied.
dtkv_store_t *dtkv_store_new (const dtkv_store_options_t *options);

// Destroy the store. Accepts NULL. Its snapshot must have been destroyed before (asserted).
void dtkv_store_destroy (dtkv_store_t **self_p);

// Apply the next entry; its index must be above the applied index (asserted). Appends the reply
// body, one msgpack object (nil if there is nothing to say), to `body` and fills *outcome. Returns
// outcome->code. Cannot fail otherwise: a payload that does not decode is answered with
// DTKV_CLIENT_REQ_ERROR and changes nothing. LOG_ENTRY_CLOCK removes some of the
// nodes and sessions that have expired. Other entries than that and LOG_ENTRY_COMMAND only advance
// applied index and cluster time.
int dtkv_store_apply (dtkv_store_t *self, const log_entry_t *entry, dt_buffer_t *body,
                      dtkv_outcome_t *outcome);

// Carry out a read (get, list, batch_get, get_at, diff, a transaction of reads) on the state as it
// is, at dtkv_store_applied_index. Appends the reply body to `reply` as apply does; returns the
// code. Another operation, or a body that does not decode: DTKV_CLIENT_REQ_ERROR.
int dtkv_store_read (const dtkv_store_t *self, uint16_t operation, const void *body, size_t bytes,
                     dt_buffer_t *reply);

// Index of the last applied entry, 0 before the first.
uint64_t dtkv_store_applied_index (const dtkv_store_t *self);

// The highest cluster time of the applied entries, in ms.
uint64_t dtkv_store_cluster_time_ms (const dtkv_store_t *self);

// The cluster time from which on a LOG_ENTRY_CLOCK removes something; UINT64_MAX: none would.
uint64_t dtkv_store_due_ms (const dtkv_store_t *self);

// Digest of the whole state (dtkv_digest.h): equal on replicas that applied the same entries.
uint64_t dtkv_store_digest (const dtkv_store_t *self);

// The same, computed anew from every node and session: for checks.
uint64_t dtkv_store_digest_recompute (const dtkv_store_t *self);

// Digest of tree and sessions without applied index and cluster time: what a write changed.
uint64_t dtkv_store_content_digest (const dtkv_store_t *self);

// How many nodes there are, without the root; bytes of their names and values; sessions.
uint64_t dtkv_store_nodes (const dtkv_store_t *self);
uint64_t dtkv_store_bytes (const dtkv_store_t *self);
uint32_t dtkv_store_sessions (const dtkv_store_t *self);

// The last changes, and the tree: for dtkv_watch.h.
const dtkv_history_t *dtkv_store_history (const dtkv_store_t *self);
const dtkv_tree_t *dtkv_store_tree (const dtkv_store_t *self);

const dtkv_limits_t *dtkv_store_limits (const dtkv_store_t *self);

// Assert the whole invariant, digest included. Walks everything: for tests.
void dtkv_store_check (const dtkv_store_t *self);

#endif // DTKV_STORE_H
