// log_store_internal - the store's own structures, shared by its .c files only.
//
// Where a record will stand is decided when it is encoded: the plan (segment number, offset) runs
// ahead of the disk. A write buffer holds encoded records in extents, one per segment touched; an
// extent that begins a segment carries what that segment's header must say. Flush closes the active
// buffer and writes it, extent by extent, while appends go on in the other one.

#ifndef LOG_STORE_INTERNAL_H
#define LOG_STORE_INTERNAL_H

#include "storage/log_recovery.h"

// A run of records that stands in one piece in one segment.
typedef struct {
    uint64_t seq;         // of the segment
    uint32_t file_offset; // where it begins in it
    size_t from;          // where it begins in the buffer
    size_t to;            // where it ends in the buffer
    bool begins_segment;  // the segment is to be created first, with the four below
    uint64_t first_index;
    uint64_t prev_seq;
    uint64_t prev_term;
    uint32_t prev_chain;
    uint64_t last_index; // after the extent's last record
    uint64_t last_term;
    uint32_t chain;
} log_extent_t;

typedef struct {
    dt_buffer_t bytes;
    log_extent_t *extents; // owned
    size_t extent_count;
    size_t extent_capacity;
    size_t written; // extents that are on the disk already
    uint64_t proof; // highest synced_index among the records
} log_write_buffer_t;

struct log_store {
    vfs_t *vfs;
    const dt_env_t *env;
    char *directory; // owned
    storage_identity_t identity;
    uint32_t segment_bytes; // of new segments
    uint32_t salt;

    log_segment_t **segments; // live, oldest first; the last one is written to
    size_t segment_count;
    log_segment_t **dropped; // dropped while read; their files wait for the last reader
    size_t dropped_count;
    log_segment_t *cached; // sealed segment whose file is kept open for the next read, or NULL
    log_index_t index;     // of all entries, pending ones included
    log_spares_t spares;

    uint64_t last_index;    // appended
    uint64_t last_term;     // of it
    uint32_t chain;         // after the last record appended
    uint64_t durable_index; // flushed
    uint64_t proven;        // highest synced_index on the disk
    uint64_t plan_seq;      // where the next record will stand
    uint64_t plan_offset;
    uint64_t plan_limit;  // of that segment
    uint64_t next_seq;    // above every segment number used or planned
    size_t planned_rolls; // segments planned and not created yet
    log_write_buffer_t buffers[2];
    int active; // buffer that append fills; the other one is being flushed or empty

    bool writing;             // a writer call is in progress
    bool shortening;          // of these, one that append must stay away from
    bool preparing;           // log_store_prepare is in progress
    uint32_t readers;         // log_store_read calls in progress
    uint64_t changes;         // counts truncations and resets: a suspended reader looks again
    uint64_t read_next_index; // where a sequential reader goes on: entry,
    log_point_t read_next;    // and its place; index 0: unknown
    int failed;               // DT_ERR_DISK_FAILED after a final error
};

// What a new segment continues.
typedef struct {
    uint64_t seq; // of the new segment
    uint64_t first_index;
    uint64_t prev_seq;
    uint64_t prev_term;
    uint32_t prev_chain;
    uint32_t flags;
} log_roll_t;

// Take note of a final error and return DT_ERR_DISK_FAILED.
int log_store_fail (log_store_t *self, int rc, const char *what);

// Begin and end a writer call.
void log_store_enter (log_store_t *self);
void log_store_leave (log_store_t *self);

// Write the buffers, whatever they hold. Inside a writer call.
int log_store_flush_buffers (log_store_t *self);

// Create a segment and make it the current one; the old one stays as it is. When it fails with
// DT_ERR_NO_SPACE nothing happened; other errors are final.
int log_store_roll (log_store_t *self, const log_roll_t *roll);

// Write the END record into a segment that was continued by another.
int log_store_write_end (log_store_t *self, const log_segment_t *segment, vfs_file_t *file);

// Close a segment's file if nobody needs it open.
int log_store_rest_file (log_store_t *self, log_segment_t *segment);

// Let go of segments that are out of `segments`, in this order: their files are removed or
// recycled, those still being read at some later prepare or shortening. Makes the directory
// durable.
int log_store_drop (log_store_t *self, log_segment_t **dead, size_t count);

// Remove the files of dropped segments that nobody reads any more.
int log_store_reap (log_store_t *self);

// Point the plan behind the current segment's end, after the buffers were emptied.
void log_store_replan (log_store_t *self);

// The live segment that holds entry index, which must be in first .. last flushed. Its position.
size_t log_store_segment_of (const log_store_t *self, uint64_t index);

// The segment that is written to.
static inline log_segment_t *log_store_current (const log_store_t *self)
{
    return self->segments[self->segment_count - 1];
}

// A run over a segment's records from a place on, with nothing in memory yet.
log_run_t log_store_run (const log_store_t *self, const log_segment_t *segment, uint64_t offset,
                         uint32_t chain);

// Keep a segment's file open for reading, and let go of it.
int log_store_pin (log_store_t *self, log_segment_t *segment);
void log_store_unpin (log_store_t *self, log_segment_t *segment);

#endif // LOG_STORE_INTERNAL_H
