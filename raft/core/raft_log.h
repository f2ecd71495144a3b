// raft_log - what the core knows of one group's log, and the tail of it that is in memory.
//
// The log on disk holds first .. last. Its tail is held here as pieces of batches, oldest first:
//
//     snapshot     first                                               last
//        |           |---------- on disk only ---------|-- in memory ---|
//        +-- may lie below first - 1 (never), at it, or above (entries kept)
//
// Nothing here costs more than O(1) per batch on the straight path: append, look-up of the piece
// that follows the last one looked up, release from the front. Other look-ups are O(log pieces).
// Weights are payload bytes plus RAFT_ENTRY_OVERHEAD_BYTES per entry. Pure; not thread safe.

#ifndef RAFT_LOG_H
#define RAFT_LOG_H

#include <stddef.h>

#include "raft/core/raft_types.h"
#include "storage/log_entry.h"

typedef struct raft_log raft_log_t;

// What is known of a log when it is opened.
typedef struct {
    raft_index_t snapshot_index;  // 0: there is none
    raft_term_t snapshot_term;    // of that entry
    raft_index_t first;           // 0: the log is empty and goes on after the snapshot
    raft_index_t last;            // at or above the snapshot
    raft_term_t last_term;        // of the entry at last
    uint64_t cluster_time_ms;     // of the entry at last, or of the snapshot if the log is empty
    uint64_t bytes;               // weight of the entries past the snapshot, about
    const raft_term_run_t *terms; // of the entries on disk, ascending; borrowed for the call
    size_t terms_count;           // 0: only last_term is known
} raft_log_start_t;

// Consecutive entries of one batch.
typedef struct {
    log_batch_t *batch;
    raft_index_t first, last;
    uint64_t bytes;           // weight of first .. last
    raft_index_t silent_from; // whoever proposed entries from here on was answered; 0: nobody was
} raft_log_piece_t;

// What a look-up of a term finds.
typedef enum {
    RAFT_TERM_KNOWN,
    RAFT_TERM_COMPACTED, // the entry is below the log; its term is not 0, it is gone [RAFT-17]
    RAFT_TERM_ON_DISK,   // an entry from before the start; only the disk knows
    RAFT_TERM_BEYOND,    // past the end
} raft_term_lookup_t;

enum { RAFT_LOG_RETAIN_PIECES = 4096 };

// Create a log from what is on disk. retain_bytes: see raft_log_release.
raft_log_t *raft_log_new (const raft_log_start_t *start, uint64_t retain_bytes);

// Destroy the log and its references. Accepts a NULL log.
void raft_log_destroy (raft_log_t **self_p);

raft_index_t raft_log_first (const raft_log_t *self); // last + 1 when the log is empty
raft_index_t raft_log_last (const raft_log_t *self);

// Term of the last entry, of the snapshot if the log is empty; 0 if a truncation left an entry at
// the end whose term only the disk knows.
raft_term_t raft_log_last_term (const raft_log_t *self);

// Cluster time of the last entry; after a truncation perhaps a later one, never an earlier one.
uint64_t raft_log_cluster_time_ms (const raft_log_t *self);

// The term of an entry; *term is set when KNOWN. The entries at the snapshot and right below first
// count as known. Index 0 has term 0 as long as entry 1 is in the log.
raft_term_lookup_t raft_log_term (const raft_log_t *self, raft_index_t index, raft_term_t *term);

// The terms of entries from .. upto (at or above first - 1), ascending: fills up to max runs, the
// latest ones if there are more, and returns how many. The first one begins at `from` or later.
uint32_t raft_log_runs (const raft_log_t *self, raft_index_t from, raft_index_t upto,
                        raft_term_run_t *runs, uint32_t max);

// The last index at which another log, described by its runs up to runs_last, has the term that
// this log has there: both agree up to it [RAFT log matching]. runs[0].first - 1 if there is none
// (0 when that is before the first entry).
raft_index_t raft_log_agreement (const raft_log_t *self, const raft_term_run_t *runs,
                                 uint32_t count, raft_index_t runs_last);

// The weight of entries first .. last of a batch.
uint64_t raft_log_weigh (const log_batch_t *batch, raft_index_t first, raft_index_t last);

// Append a piece, which must continue the log (asserted), with terms that do not decrease.
// Takes a reference of its own.
void raft_log_append (raft_log_t *self, const raft_log_piece_t *piece);

// Drop entries from `from` on. Must be above the snapshot and at most last + 1 (asserted).
void raft_log_truncate (raft_log_t *self, raft_index_t from);

// The piece in memory that holds an entry (its batch is borrowed). False: it is not in memory.
bool raft_log_find (raft_log_t *self, raft_index_t index, raft_log_piece_t *piece);

// Whoever proposed entries from an index on has been answered. What is in memory is marked so;
// marks once made stay.
void raft_log_mark_silent (raft_log_t *self, raft_index_t from);

// First index in memory; last + 1 when nothing is.
raft_index_t raft_log_memory_first (const raft_log_t *self);

// Entries up to `upto` are durable and applied: drop whole pieces of them from memory, oldest
// first, as long as those that stay weigh more than retain_bytes, or are more than
// RAFT_LOG_RETAIN_PIECES: a piece holds on to what it came in (a frame, the record of whom to
// answer), several KiB however short its entries are.
void raft_log_release (raft_log_t *self, raft_index_t upto);

// A snapshot up to `index` (in the log) is durable.
void raft_log_set_snapshot (raft_log_t *self, raft_index_t index, raft_term_t term);

// Entries up to `upto` leave the log. At most the snapshot's index (asserted); lower is a no-op.
void raft_log_compact (raft_log_t *self, raft_index_t upto);

// Drop everything: the log is empty and goes on after a snapshot at (index, term).
void raft_log_reset (raft_log_t *self, raft_index_t index, raft_term_t term,
                     uint64_t cluster_time_ms);

// Weight of the entries in memory past an index; of a piece that straddles it, all of it.
uint64_t raft_log_bytes_after (raft_log_t *self, raft_index_t index);

// Weight of everything in the log when it was opened or appended since: a position that only grows,
// but for truncations.
uint64_t raft_log_bytes_end (const raft_log_t *self);

// Weight of everything in memory.
uint64_t raft_log_memory_bytes (const raft_log_t *self);

// The whole invariant (asserted).
void raft_log_check (const raft_log_t *self);

#endif // RAFT_LOG_H
