// log_index - where entries stand: a sparse index, and the terms of all entries.
//
// In memory: a point for the first entry of every segment and about every LOG_INDEX_STRIDE bytes,
// and one run per change of term. Everything in it can be rebuilt from the segments [DISK-15]; what
// is found through it is verified against the record itself.
//
// On disk: one `.idx` file per sealed segment, little-endian:
//
//     0  u64 magic         "DTLOGIDX"
//     8  u32 version
//    12  u32 crc           crc32c of the file with these four bytes zero
//    16  u64 seq           of the segment
//    24  u32 segment_crc   of the segment's header: the file's generation
//    28  u32 end_chain     chain after the last record that counts
//    32  u64 first_index
//    40  u64 last_index
//    48  u32 points
//    52  u32 runs
//    56  points of { u64 index, u32 offset, u32 chain }, then runs of { u64 index, u64 term }
//
// It is read only at start, to skip the scan of segments that the snapshot covers wholly: nothing
// that a vote or a replay depends on is taken from it. It is never synced and may be deleted.

#ifndef LOG_INDEX_H
#define LOG_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"

enum {
    LOG_INDEX_STRIDE = 32 * 1024,
    LOG_INDEX_VERSION = 1,
    LOG_INDEX_FILE_BYTES_MAX = 16 * 1024 * 1024,
};

// The record of entry `index`, or a marker just before it, begins at `offset`.
typedef struct {
    uint64_t index;
    uint64_t seq;    // of the segment
    uint32_t offset; // in its file
    uint32_t chain;  // of the record before
} log_point_t;

// Entries from `index` on, up to the next run, have this term.
typedef struct {
    uint64_t index;
    uint64_t term;
} log_term_run_t;

typedef struct {
    log_point_t *points; // ascending by index, strictly
    size_t point_count;
    size_t point_capacity;
    log_term_run_t *runs; // ascending by index, terms ascending strictly
    size_t run_count;
    size_t run_capacity;
} log_index_t;

// An embedded value; zeroed memory is an empty index too.
void log_index_deinit (log_index_t *self);

// Add a point; its index must be above all others.
void log_index_add_point (log_index_t *self, uint64_t index, uint64_t seq, uint32_t offset,
                          uint32_t chain);

// Note an entry in sequence. Only the slow path of log_index_note.
void log_index_add_run (log_index_t *self, uint64_t index, uint64_t term);

// Note the entry at (index, term), so that its term and place can be asked for. It stands, or the
// markers before it do, at `offset` with `chain` before it. The entries come in order.
static inline void log_index_note (log_index_t *self, uint64_t index, uint64_t term, uint64_t seq,
                                   uint32_t offset, uint32_t chain)
{
    const log_point_t *last = self->point_count ? &self->points[self->point_count - 1] : NULL;
    if (!last || last->seq != seq || offset - last->offset >= LOG_INDEX_STRIDE) {
        log_index_add_point (self, index, seq, offset, chain);
    }
    if (self->run_count == 0 || self->runs[self->run_count - 1].term != term) {
        log_index_add_run (self, index, term);
    }
}

// Forget the entries from index on.
void log_index_truncate (log_index_t *self, uint64_t index);

// Forget the entries below index, the first of a segment or past the end.
void log_index_drop_before (log_index_t *self, uint64_t index);

// The last point at or before index, which must be noted. NULL: there is none.
const log_point_t *log_index_find (const log_index_t *self, uint64_t index);

// The term of a noted entry; 0: not noted.
uint64_t log_index_term (const log_index_t *self, uint64_t index);

// --- the file ------------------------------------------------------------------------------------

typedef struct {
    uint64_t seq;
    uint32_t segment_crc;
    uint32_t end_chain;
    uint64_t first_index;
    uint64_t last_index;
    uint32_t segment_bytes; // not stored: bounds the offsets
} log_index_key_t;

// Append the file's content for one segment to a buffer. Its entries must be noted.
void log_index_encode (const log_index_t *self, const log_index_key_t *key, dt_buffer_t *buffer);

// Add the content of a file to the index if it is well-formed and has exactly this key. The index
// is unchanged otherwise.
bool log_index_decode (log_index_t *self, const log_index_key_t *key, const uint8_t *data,
                       size_t bytes);

#endif // LOG_INDEX_H
