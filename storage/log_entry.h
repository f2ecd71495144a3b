// log_entry - entries of a replicated log, and immutable batches of them.
//
// A batch is what travels between actors: proposed together, written together, applied together.
// Its entries point into one blob. It is shared by reference count and never changes once it was
// handed on, with one exception: the raft core that accepts a proposed batch stamps index, term and
// cluster time into it before anyone else sees it.

#ifndef LOG_ENTRY_H
#define LOG_ENTRY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_blob.h"

enum {
    LOG_ENTRY_PAYLOAD_BYTES_MAX = 8 * 1024 * 1024, // longest payload of one entry
    LOG_BATCH_ENTRIES_MAX = 4096,                  // most entries of one batch
};

typedef enum {
    LOG_ENTRY_NOOP = 0,    // a leader's first entry of its term
    LOG_ENTRY_CONFIG = 1,  // payload: raft_config.h
    LOG_ENTRY_COMMAND = 2, // payload: an operation of the state machine, as received
    LOG_ENTRY_CLOCK = 3,   // no payload: what is due at its cluster time happens
    LOG_ENTRY_TYPE_LAST = LOG_ENTRY_CLOCK,
} log_entry_type_t;

typedef struct {
    uint64_t index;           // position in the log, from 1
    uint64_t term;            // of the leader that appended it, from 1
    uint64_t cluster_time_ms; // the group's own time, never decreasing along the log
    uint64_t wall_ms;         // the leader's wall clock when it was proposed; informational
    uint64_t principal;       // who asked (client id), 0: nobody in particular
    uint64_t session_id;      // 0: none
    uint64_t session_seq;     // number of the write in its session, from 1
    uint64_t session_ack;     // lowest seq whose reply the client has not seen
    const uint8_t *payload;   // in the batch's blob
    uint32_t payload_bytes;   // 0 .. LOG_ENTRY_PAYLOAD_BYTES_MAX
    uint16_t operation;       // number of the operation (docs/PROTOCOL.md)
    uint8_t type;             // log_entry_type_t
} log_entry_t;

typedef struct log_batch log_batch_t;
typedef void (log_origin_free_fn) (void *origin);

struct log_batch {
    atomic_uint references;
    uint32_t count;                  // entries
    uint32_t capacity;               // room for entries
    dt_blob_t *blob;                 // owned reference: the payloads' memory; may be NULL
    void *origin;                    // owned: whom to answer, opaque; NULL on replay and followers
    log_origin_free_fn *origin_free; // frees origin
    log_entry_t entries[];           // contiguous indexes once stamped
};

// Create an empty batch with room for capacity entries and one reference.
log_batch_t *log_batch_new (uint32_t capacity);

log_batch_t *log_batch_ref (log_batch_t *self);
void log_batch_unref (log_batch_t **self_p); // nulls the pointer; accepts NULL

// The sum of payload_bytes.
size_t log_batch_payload_bytes (const log_batch_t *self);

// First and last index. The batch must not be empty.
static inline uint64_t log_batch_first (const log_batch_t *self)
{
    return self->entries[0].index;
}

static inline uint64_t log_batch_last (const log_batch_t *self)
{
    return self->entries[0].index + self->count - 1;
}

// The entry with an index the batch holds.
static inline const log_entry_t *log_batch_entry (const log_batch_t *self, uint64_t index)
{
    return &self->entries[index - self->entries[0].index];
}

#endif // LOG_ENTRY_H
