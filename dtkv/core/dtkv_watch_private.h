// dtkv_watch_private - the insides of dtkv_watches_t, for dtkv_watch.c and dtkv_watch_deliver.c.

#ifndef DTKV_WATCH_PRIVATE_H
#define DTKV_WATCH_PRIVATE_H

#include "dtkv/core/dtkv_watch.h"
#include "dtkv/core/dtkv_watch_registry.h"

struct dtkv_watches {
    dtkv_watches_options_t options;
    const dtkv_store_t *store; // borrowed
    watch_registry_t registry;
    uint64_t heard;        // position: events before it are known to the streams they concern
    uint64_t last_stream;  // id given last
    dt_buffer_t items;     // reused: items of the push being filled
    uint32_t items_count;  //
    uint64_t items_index;  // entry of the last of them
    dt_buffer_t body;      // reused: body of a push
    uint64_t now_ms;       // of the call
    dtkv_watch_send_fn *send; // of the call
    void *context;            // of send
    size_t budget;            // of the call: bytes and looks at events it may still spend
};

// Tell the streams of events that are new in the history.
void watch_hear (dtkv_watches_t *self);

// A stream wants events from a position on; others of it than the replaying ones from `seen` on.
void watch_rewind (dtkv_watches_t *self, watch_stream_t *stream, uint64_t position);

// What a stream waits for is not kept any more: end its watches, or let them start anew.
void watch_lag (dtkv_watches_t *self, watch_stream_t *stream);

// Send what is there for a stream, as far as its window and the budget go. True: nothing is left to
// be sent, or nothing may be until it acknowledges.
bool watch_serve (dtkv_watches_t *self, watch_stream_t *stream);

// Send a push without items.
void watch_send_progress (dtkv_watches_t *self, watch_stream_t *stream);

// May another push be sent?
bool watch_has_credit (const watch_stream_t *stream);

#endif // DTKV_WATCH_PRIVATE_H
