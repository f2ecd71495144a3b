// log_store - the durable log of one raft group: segment files in a directory of their own.
//
// Entries are encoded by append (memory only), made durable by flush, read back through a derived
// index. Pure: all I/O goes through the vfs, which may suspend the calling fiber.
//
// Who may call what, and when. flush, mark, truncate_*, reset and close are *writer calls*: one at
// a time (asserted), usually all from one fiber. While a writer call is suspended, other fibers may
// call append (the entries belong to the next flush), prepare, read, term and the getters; but not
// append during truncate_suffix or reset (asserted). prepare is called by one fiber at a time.
//
// Errors. A failed write, sync, rename, truncate, unlink or close is final [DISK-10]: that call and
// every later one that writes returns DT_ERR_DISK_FAILED, reads go on. The one exception is
// DT_ERR_NO_SPACE while a segment is prepared: the store stays usable, see log_store_room.

#ifndef LOG_STORE_H
#define LOG_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_env.h"
#include "storage/log_entry.h"
#include "storage/storage_identity.h"
#include "storage/vfs.h"

enum {
    LOG_SEGMENT_BYTES_DEFAULT = 64 * 1024 * 1024,
    LOG_SEGMENT_BYTES_MIN = 64 * 1024,
    LOG_SEGMENT_BYTES_MAX = 1024 * 1024 * 1024,
    LOG_SPARES_DEFAULT = 4,
    LOG_SPARES_LIMIT = 32, // highest spares_max
};

typedef struct log_store log_store_t;

typedef struct {
    vfs_t *vfs;                  // borrowed for the life of the store
    const dt_env_t *env;         // borrowed; log lines and the salt of a new log
    const char *directory;       // of this log only; created if missing; copied
    storage_identity_t identity; // every segment must name it
    uint32_t segment_bytes;      // of new segments, a multiple of 4096; 0: the default
    uint32_t spares_max;         // files kept for recycling; 0: the default
    uint64_t snapshot_index;     // the log must be contiguous from here (durable snapshot); 0: none
    uint64_t snapshot_term;      // term of the entry at snapshot_index
    uint64_t durable_hint;       // an index known to have been durable here: the hard state's
                                 // commit; 0: none. Entries missing up to it are damage [DISK-12]
    bool repair;                 // of a CORRUPT log keep what is sound: the rest is to be fetched
                                 // from others, up to the report's lost_until [DISK-12]
    bool discard;                // leave repair: drop whatever is there, start after the snapshot
} log_store_options_t;

typedef enum {
    LOG_VERDICT_CLEAN,   // every record up to the end verified
    LOG_VERDICT_TORN,    // an unfinished last write was cut off; its bytes are kept in *.torn
    LOG_VERDICT_CORRUPT, // damage, or what cannot be told from it (SUSPECT): nothing was modified
} log_verdict_t;

typedef struct {
    log_verdict_t verdict;
    uint64_t first_index;   // first entry; last_index + 1 when there is none
    uint64_t last_index;    // last entry; the index before the first when there is none
    uint64_t proven_index;  // highest index known durable by evidence on disk ("D") [DISK-12]
    uint64_t entries;       // entries verified by this scan
    uint64_t bytes_scanned; // bytes read and verified
    uint32_t segments;      // live segment files
    uint32_t index_used;    // segments not scanned thanks to their index file
    uint32_t leftovers;     // dead segments, stale index files and temporary files removed
    bool created;           // there was no log: a new one was started
    bool restarted;         // the log was behind the snapshot: restarted after it
    uint64_t torn_bytes;    // TORN: bytes cut off, with the offset below
    bool suspect;           // CORRUPT: at the unproven end, might be a torn write with garbage
    char file[256];         // TORN, CORRUPT: where
    uint64_t offset;        // TORN, CORRUPT: in the file
    uint64_t index;         // TORN, CORRUPT: index of the entry expected there; 0: unknown
    char why[160];          // TORN, CORRUPT: what is wrong
    uint64_t lost_from;     // CORRUPT and repaired: entries from here on were given up; 0: none
    uint64_t lost_until;    // CORRUPT, GAP: no entry above this one was ever durable here, and so
                            // acknowledged; UINT64_MAX: unknown
} log_report_t;

// Open the log and recover: verify all records (those the snapshot covers may be skipped by means
// of the index files), cut a torn tail, remove leftovers, rewrite and sync what was read but not
// proven durable [DISK-9], make the directory durable. Idempotent: a crash inside is recovered by
// the next open. A missing log is created, starting at snapshot_index + 1; a log that ends before
// the snapshot or contradicts its term is restarted there (an install was interrupted [DISK-18]).
//
// DT_ERR_CORRUPT: damage [DISK-12]; nothing was modified; the report says where. With `repair`, no
// error: the entries before the damage are kept if they continue the snapshot, else none.
// DT_ERR_GAP: the log begins after snapshot_index + 1; with `repair`, no error: it starts there.
// DT_ERR_FOREIGN, DT_ERR_NEWER_FORMAT: nothing was modified. DT_ERR_NO_SPACE: no room for a first
// segment. DT_ERR_INVALID: a bad option. DT_ERR_IO: the disk. *report (may be NULL) is filled in
// every case.
int log_store_open (const log_store_options_t *options, log_store_t **self, log_report_t *report);

// The same verdict without modifying anything (offline tools). A missing log: DT_ERR_NOT_FOUND.
int log_store_inspect (const log_store_options_t *options, log_report_t *report);

// Close the files and free the store. Entries appended but not flushed are lost. Accepts NULL.
// A writer call; no read or prepare may be in progress (asserted).
void log_store_close (log_store_t **self_p);

// --- writing -------------------------------------------------------------------------------------

// Encode entries first .. last of a batch into the write buffer. first must be the next index
// (asserted). No I/O, never suspends; the batch is not kept. All or nothing.
// DT_ERR_TOO_BIG: an entry is over log_store_payload_bytes_max. DT_ERR_DISK_FAILED.
int log_store_append (log_store_t *self, const log_batch_t *batch, uint64_t first, uint64_t last);

// The longest payload one entry may have in this store.
uint32_t log_store_payload_bytes_max (const log_store_t *self);

// Bytes append would write for one entry with this payload.
size_t log_store_entry_bytes (size_t payload_bytes);

// Bytes appended and not yet flushed.
size_t log_store_pending_bytes (const log_store_t *self);

// Write and sync everything appended before the call: one write_sync, and one more per segment
// boundary crossed. *durable_index is then the last index appended before the call.
// DT_ERR_NO_SPACE: the next segment could not be prepared; what fitted before it is durable (see
// log_store_durable), the rest stays buffered and a later flush tries again.
int log_store_flush (log_store_t *self, uint64_t *durable_index);

// Write the sync marker: it proves to a later recovery that the last batch was durable. To be
// called when idle. Does nothing if entries are pending or the proof is on disk already.
int log_store_mark (log_store_t *self);

// Do background work: zero-fill a segment ahead of use once the current one is half full, write
// index files of sealed segments, remove what readers held. Writes in pieces of at most 1 MiB.
// DT_ERR_NO_SPACE: the disk is too full; nothing is lost, call again later.
int log_store_prepare (log_store_t *self);

// Is there work for log_store_prepare?
bool log_store_wants_prepare (const log_store_t *self);

// Bytes (as by log_store_entry_bytes, plus LOG_FLUSH_ALIGN per flush) that can certainly be
// appended and flushed without asking the disk for space [DISK-11].
uint64_t log_store_room (const log_store_t *self);

// --- shortening ----------------------------------------------------------------------------------

// Drop the entries from from_index on, pending ones too; durable when it returns 0. From first to
// last + 1 (asserted). Starts a new segment. DT_ERR_NO_SPACE: no room for it; nothing was dropped,
// though what was pending may have been flushed.
int log_store_truncate_suffix (log_store_t *self, uint64_t from_index);

// Drop whole segments all of whose entries are <= upto_index; never the current one. No I/O: their
// files go, oldest first, with the next log_store_prepare, so that no flush has to wait for them.
// To be called only after the covering snapshot is durable [DISK-8]. Not a writer call.
int log_store_truncate_prefix (log_store_t *self, uint64_t upto_index);

// Drop every entry and go on at index + 1, after a snapshot at (index, term) was installed durably.
// DT_ERR_NO_SPACE: no room for a new segment; nothing was dropped.
int log_store_reset (log_store_t *self, uint64_t index, uint64_t term);

// --- reading -------------------------------------------------------------------------------------

// Read durable entries from .. at most max_index into a new batch (one reference, the caller's):
// at least one, then as many as stay below bytes_max of payload, one run of about 1 MiB and
// LOG_BATCH_ENTRIES_MAX; a reader loops. The payloads are not copied: they lie in the run.
// DT_ERR_NOT_FOUND: `from` is not in first .. durable. DT_ERR_CORRUPT: a record failed its
// checks; logged. DT_ERR_IO.
int log_store_read (log_store_t *self, uint64_t from, uint64_t max_index, size_t bytes_max,
                    log_batch_t **batch);

// The term of an entry, pending ones included, or of the index before the first. No I/O.
// DT_ERR_NOT_FOUND: outside of first - 1 .. last.
int log_store_term (const log_store_t *self, uint64_t index, uint64_t *term);

uint64_t log_store_first (const log_store_t *self);   // last + 1 when the log is empty
uint64_t log_store_last (const log_store_t *self);    // pending ones included
uint64_t log_store_durable (const log_store_t *self); // the last entry known to be on the disk

// Bytes of disk the log takes: live segments and spares.
uint64_t log_store_bytes (const log_store_t *self);

// 0, or DT_ERR_DISK_FAILED after a final error.
int log_store_failed (const log_store_t *self);

// Assert every invariant of the store.
void log_store_check (const log_store_t *self);

#endif // LOG_STORE_H
