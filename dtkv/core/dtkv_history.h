// dtkv_history - the last changes of a store, bounded by bytes: what watches read, and reads of the
// past.
//
// One event for each node an entry changed, in the order of the changes: where, what was there
// before, what is there now. Nodes are kept as the protocol shows them with META (an image), so an
// event that goes to many watchers is packed once. Events have positions, counted up from 0; those of
// entries that were pushed out of the bounds go whole entry by whole entry. Local to a node: not
// part of the replicated state, of snapshots or of the digest.

#ifndef DTKV_HISTORY_H
#define DTKV_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"

struct dtkv_node;

typedef enum {
    DTKV_EVENT_PUT = 1,
    DTKV_EVENT_REMOVE = 2,
} dtkv_event_kind_t;

// One change of one node. Path and images lie behind each other in the history's memory.
typedef struct {
    uint64_t index;        // entry
    uint64_t position;     // among all events
    const uint8_t *path;   //
    uint32_t path_bytes;   //
    uint32_t before_bytes; // image before; 0: there was no such node
    uint32_t after_bytes;  // image now; 0: it was removed
    uint32_t kind;         // dtkv_event_kind_t
} dtkv_event_t;

typedef struct dtkv_history_chunk dtkv_history_chunk_t;

typedef struct {
    uint64_t bytes_max;          // 0: nothing is kept
    dtkv_event_t *events;        // owned ring, by position modulo capacity
    uint64_t capacity;           // power of 2, or 0
    uint64_t first;              // position of the oldest event kept
    uint64_t next;               // position of the next event
    uint64_t floor;              // index of the last entry that is not kept whole
    dtkv_history_chunk_t *oldest; // owned list of chunks
    dtkv_history_chunk_t *newest;
    size_t chunk_bytes; // of all chunks
    // The event being recorded.
    const uint8_t *path; // where it is; NULL: none is
    uint32_t path_bytes;
    uint32_t before_bytes;
} dtkv_history_t;

// An empty history that holds what comes after an entry.
void dtkv_history_init (dtkv_history_t *self, uint64_t bytes_max, uint64_t floor);
void dtkv_history_deinit (dtkv_history_t *self);

// Record a change in two steps. Begin, before it: the node as it is (NULL: none), and how long a
// value the changed node will have. End: the node as it is now (NULL: it is removed).
void dtkv_history_begin (dtkv_history_t *self, const uint8_t *path, size_t path_bytes,
                         const struct dtkv_node *before, size_t value_bytes);
void dtkv_history_end (dtkv_history_t *self, uint64_t index, const struct dtkv_node *after);

// Forget the last events: their changes were taken back.
void dtkv_history_drop_last (dtkv_history_t *self, uint64_t events);

// Keep the bounds. Only between entries.
void dtkv_history_trim (dtkv_history_t *self);

// Position of the first event of an entry above `index`; next if there is none.
uint64_t dtkv_history_find (const dtkv_history_t *self, uint64_t index);

// What is used of bytes_max.
uint64_t dtkv_history_bytes (const dtkv_history_t *self);

// Assert the whole invariant.
void dtkv_history_check (const dtkv_history_t *self);

// The event at a position from first to next - 1.
static inline const dtkv_event_t *dtkv_history_at (const dtkv_history_t *self, uint64_t position)
{
    return &self->events[position & (self->capacity - 1)];
}

static inline const uint8_t *dtkv_event_before (const dtkv_event_t *self)
{
    return self->path + self->path_bytes;
}

static inline const uint8_t *dtkv_event_after (const dtkv_event_t *self)
{
    return self->path + self->path_bytes + self->before_bytes;
}

// Append an image as a reply or push shows it: without its value (nil instead), without its meta. No
// bytes: nil.
void dtkv_image_write (dt_buffer_t *out, const uint8_t *image, size_t bytes, bool with_value,
                       bool with_meta);

// The modify index an image shows.
uint64_t dtkv_image_modify_index (const uint8_t *image, size_t bytes);

#endif // DTKV_HISTORY_H
