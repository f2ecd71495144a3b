// dtkv_snapshot - a consistent image of a store as a stream of bytes, and back.
//
// The stream shows the state at the index at which the snapshot was begun, whatever is applied
// meanwhile, and depends on that state only: two replicas at the same index write the same bytes.
// Its format stands at the top of dtkv_snapshot.c.

#ifndef DTKV_SNAPSHOT_H
#define DTKV_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_store.h"

typedef struct dtkv_snapshot dtkv_snapshot_t;
typedef struct dtkv_restore dtkv_restore_t;

// Begin a snapshot at the store's applied index, in constant time. The store must outlive it and
// takes on one image of each node that changes before the stream has passed it. NULL: the store has
// a snapshot under way already.
dtkv_snapshot_t *dtkv_snapshot_new (dtkv_store_t *store);

// The index whose state the stream shows.
uint64_t dtkv_snapshot_index (const dtkv_snapshot_t *self);

// Append the next run of the stream to `out`: whole records until at least bytes_max bytes were
// added, so one record more than that at most. Sets *done when the stream is complete; must not be
// called after that (asserted).
void dtkv_snapshot_next (dtkv_snapshot_t *self, size_t bytes_max, dt_buffer_t *out, bool *done);

// End the snapshot, complete or not. Accepts NULL. Before the store is destroyed.
void dtkv_snapshot_destroy (dtkv_snapshot_t **self_p);

// Begin to build a store out of a stream.
dtkv_restore_t *dtkv_restore_new (const dtkv_store_options_t *options);

// Take the next bytes of the stream, in any chunking. Errors are final for this restore:
// DT_ERR_CORRUPT: not a stream of this format, or damaged. DT_ERR_NEWER_FORMAT: of a later version.
int dtkv_restore_feed (dtkv_restore_t *self, const void *data, size_t bytes);

// End of the stream: verify that it is complete and that counts and digest are right, and hand the
// store to the caller in *store_p, on success only. DT_ERR_CORRUPT otherwise, or the error feed
// gave.
int dtkv_restore_finish (dtkv_restore_t *self, dtkv_store_t **store_p);

// Digest of the state as far as it was read: what the end of the stream must say.
uint64_t dtkv_restore_digest (const dtkv_restore_t *self);

// Destroy the restore and what it has built, if finish did not hand it over. Accepts NULL.
void dtkv_restore_destroy (dtkv_restore_t **self_p);

#endif // DTKV_SNAPSHOT_H
