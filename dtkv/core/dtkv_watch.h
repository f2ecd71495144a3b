// dtkv_watch - watches of a store: who wants to hear of what, and what is sent to whom
// (docs/PROTOCOL.md, section "Watches").
//
// A stream is a request that is answered many times; it belongs to the client that opened it and
// holds watches. Nothing is copied for a watcher until it is sent: a stream keeps positions in the
// store's history, or once these are many only the one to go on from. What may be sent is bounded
// by the bytes the client has not acknowledged; a stream the history has run away from is told so.
//
// Pure: time comes in, what is to be sent goes out through a function. Belongs to the owner of the
// store; local to a node, no part of the replicated state.

#ifndef DTKV_WATCH_H
#define DTKV_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_store.h"

typedef struct dtkv_watches dtkv_watches_t;

enum {
    DTKV_WATCH_KEEPALIVE_MS = 10000,          // a stream not heard for three of them ends
    DTKV_WATCH_PROGRESS_MS = 1000,            // an idle stream is told how far the node is
    DTKV_WATCH_WINDOW_BYTES = 1024 * 1024,    // default
    DTKV_WATCH_WINDOW_BYTES_MAX = 8 * 1024 * 1024,
    DTKV_WATCH_ADD_MAX = 4096,                // watches of one watch_add or watch_remove
    DTKV_WATCH_SAME_MAX = 128,                // watches of one stream on one path
};

// What a push is.
typedef enum {
    DTKV_PUSH_EVENTS = 1,      // changes; the last entry in it is whole
    DTKV_PUSH_EVENTS_MORE = 2, // changes; more of the last entry follows
    DTKV_PUSH_INITIAL = 3,     // a page of initial state
    DTKV_PUSH_INITIAL_END = 4, // it is complete
    DTKV_PUSH_PROGRESS = 5,    // nothing happened up to here
    DTKV_PUSH_ENDED = 6,       // watches that ended
    DTKV_PUSH_RESYNC = 8,      // events were lost; the state follows as initial state
} dtkv_push_t;

typedef struct {
    uint64_t watches_max; // of all streams
    uint32_t streams_max;
} dtkv_watches_options_t;

// Who asked: opaque bytes, equal for requests of the same connection.
typedef struct {
    const uint8_t *data;
    size_t bytes;
} dtkv_watch_client_t;

// Send a reply to the request that opened a stream.
typedef void (dtkv_watch_send_fn) (void *context, const dtkv_watch_client_t *client,
                                   uint64_t request_id, int code, uint64_t index,
                                   const uint8_t *body, size_t bytes);

// No streams; the store is borrowed and must have a history.
dtkv_watches_t *dtkv_watches_new (const dtkv_watches_options_t *options,
                                  const dtkv_store_t *store);
void dtkv_watches_destroy (dtkv_watches_t **self_p);

// True for the operations of watches: they are given to dtkv_watches_request, not to the store.
bool dtkv_watch_operation (uint32_t operation);

// Check the form of such a request. Touches no state; any thread. 0 or DTKV_CLIENT_REQ_ERROR.
int dtkv_watch_validate (uint32_t operation, const void *body, size_t bytes);

// Carry out a request of watches. The code; appends the reply's body.
int dtkv_watches_request (dtkv_watches_t *self, const dtkv_watch_client_t *client,
                          uint64_t request_id, uint32_t operation, const void *body, size_t bytes,
                          uint64_t now_ms, dt_buffer_t *reply);

// Entries were applied, or time has passed: send what is due, some of it. True: there is more that
// may be sent at once. Otherwise call again when something was applied, and at *deadline_ms
// (UINT64_MAX: never).
bool dtkv_watches_push (dtkv_watches_t *self, uint64_t now_ms, dtkv_watch_send_fn *send,
                        void *context, uint64_t *deadline_ms);

// The store was replaced by that of a snapshot: what happened in between is not known.
void dtkv_watches_rebase (dtkv_watches_t *self, const dtkv_store_t *store);

// End all streams with a code.
void dtkv_watches_end (dtkv_watches_t *self, int code, dtkv_watch_send_fn *send, void *context);

uint64_t dtkv_watches_count (const dtkv_watches_t *self);
uint32_t dtkv_watches_streams (const dtkv_watches_t *self);

// How many entries the stream furthest behind has not been sent.
uint64_t dtkv_watches_lag (const dtkv_watches_t *self);

// Assert the whole invariant.
void dtkv_watches_check (const dtkv_watches_t *self);

#endif // DTKV_WATCH_H
