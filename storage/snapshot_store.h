// snapshot_store - the snapshots of one raft group, in a directory of their own.
//
// A snapshot is one file (snapshot_file.h), `<index, 20 digits>-<term, 20 digits>.snapshot`. It is
// written under a name that ends in .tmp, synced, read back and verified, and only then renamed and
// its directory synced [DISK-5, 18]: when finish returns 0 it may replace the log before it
// [DISK-8]. Pure: all I/O goes through the vfs, which may suspend the calling fiber. One fiber at a
// time uses a writer or a reader; different ones may be used by different fibers at once.
//
// Errors. A failed write, sync, rename, unlink or close is final for the store [DISK-10]: that call
// and every later one that writes returns DT_ERR_DISK_FAILED; reads go on. DT_ERR_NO_SPACE only
// ends the writer it happened to.

#ifndef SNAPSHOT_STORE_H
#define SNAPSHOT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_env.h"
#include "storage/snapshot_file.h"

typedef struct snapshot_store snapshot_store_t;
typedef struct snapshot_writer snapshot_writer_t;
typedef struct snapshot_reader snapshot_reader_t;

typedef struct {
    vfs_t *vfs;                  // borrowed for the life of the store
    const dt_env_t *env;         // borrowed; log lines, salts, dates
    const char *directory;       // of these snapshots only; created if missing; copied
    storage_identity_t identity; // cluster and group must match; node is written
} snapshot_store_options_t;

// One snapshot on disk.
typedef struct {
    uint64_t index;
    uint64_t term;
    uint64_t cluster_time_ms;
    uint64_t config_index;
    uint64_t created_ms;
    uint64_t state_digest;
    uint64_t total_bytes; // of content
    uint64_t file_bytes;  // on disk
    uint32_t chunks;
    uint32_t node_id; // that wrote the file
} snapshot_info_t;

// What snapshot_store_newest met.
typedef struct {
    uint32_t snapshots; // files looked at
    uint32_t damaged;   // of them, those that did not verify
    uint64_t bytes;     // read and verified
    char file[96];      // of the newest damaged one; "" if there is none
    char why[160];      // what is wrong with it
    uint64_t offset;    // where
} snapshot_report_t;

// Open the directory; makes it, durably, if it is missing. Half-written snapshots of earlier
// processes are removed, each with a log line [DISK-19]. DT_ERR_IO, DT_ERR_DISK_FAILED.
int snapshot_store_open (const snapshot_store_options_t *options, snapshot_store_t **self);

// The same without modifying anything (offline tools); begin and prune must not be called
// (asserted). DT_ERR_NOT_FOUND: no such directory.
int snapshot_store_open_readonly (const snapshot_store_options_t *options, snapshot_store_t **self);

// Free the store. No writer or reader may be left (asserted). Accepts NULL.
void snapshot_store_close (snapshot_store_t **self_p);

// Find the newest snapshot that verifies wholly. Damaged ones are passed over, left alone and
// reported; an older one is of use only if the log is contiguous from it (log_store_open says).
// DT_ERR_NOT_FOUND: there is no snapshot. DT_ERR_CORRUPT: there are, and none verifies.
// DT_ERR_FOREIGN, DT_ERR_NEWER_FORMAT: the newest is; nothing older is tried. DT_ERR_IO: the
// directory. *report (may be NULL) is filled in every case.
int snapshot_store_newest (snapshot_store_t *self, snapshot_info_t *info,
                           snapshot_report_t *report);

// Verify one snapshot wholly. DT_ERR_NOT_FOUND, DT_ERR_CORRUPT, DT_ERR_FOREIGN,
// DT_ERR_NEWER_FORMAT, DT_ERR_IO. *report (may be NULL) says where and why.
int snapshot_store_verify (snapshot_store_t *self, uint64_t index, uint64_t term,
                           snapshot_info_t *info, snapshot_report_t *report);

// Names of complete snapshots, newest first: fills up to `max` infos with index and term only and
// returns how many there are in all; negative: DT_ERR_IO.
int snapshot_store_list (snapshot_store_t *self, snapshot_info_t *infos, uint32_t max);

// Remove, durably, the oldest snapshots but the newest `keep` (from 1). A damaged one goes once a
// newer sound one exists; soundness is what newest, verify and finish found. *removed may be NULL.
int snapshot_store_prune (snapshot_store_t *self, uint32_t keep, uint32_t *removed);

// 0, or DT_ERR_DISK_FAILED after a final error.
int snapshot_store_failed (const snapshot_store_t *self);

// --- writing -------------------------------------------------------------------------------------

// Begin a snapshot. meta and its configuration are copied. Several may be written at once, even of
// one index. DT_ERR_NO_SPACE, DT_ERR_DISK_FAILED, DT_ERR_TOO_BIG: the configuration.
int snapshot_writer_begin (snapshot_store_t *store, const snapshot_meta_t *meta,
                           snapshot_writer_t **self);

// Add the next bytes of the content, in any pieces. Writes and syncs in chunks of
// 1 MiB, so that no single sync is long. An error is final for the writer: every later call
// returns it, and it can only be aborted. DT_ERR_NO_SPACE, DT_ERR_DISK_FAILED.
int snapshot_writer_add (snapshot_writer_t *self, const void *data, size_t bytes);

// Content bytes added so far.
uint64_t snapshot_writer_bytes (const snapshot_writer_t *self);

// Make the snapshot complete and durable, with the state machine's digest. On success the writer is
// freed and *self_p nulled; *info may be NULL. On an error the caller aborts. DT_ERR_CORRUPT:
// what was read back is not what was written. DT_ERR_IO: it could not be read back.
int snapshot_writer_finish (snapshot_writer_t **self_p, uint64_t state_digest,
                            snapshot_info_t *info);

// Remove what was written and free the writer. Accepts NULL.
void snapshot_writer_abort (snapshot_writer_t **self_p);

// --- reading -------------------------------------------------------------------------------------

// Open a snapshot for reading; header and trailer are verified. It stays readable when it is
// pruned meanwhile. *info may be NULL. DT_ERR_NOT_FOUND, DT_ERR_CORRUPT, DT_ERR_FOREIGN,
// DT_ERR_NEWER_FORMAT, DT_ERR_IO.
int snapshot_reader_open (snapshot_store_t *store, uint64_t index, uint64_t term,
                          snapshot_reader_t **self, snapshot_info_t *info);

// What the snapshot is of; the configuration's bytes live as long as the reader.
const snapshot_meta_t *snapshot_reader_meta (const snapshot_reader_t *self);

// Go to an offset in the content, 0 .. total_bytes (asserted): to resume a transfer.
void snapshot_reader_seek (snapshot_reader_t *self, uint64_t offset);

// The next bytes of the content, at most to the end of a chunk, verified; *bytes 0: the end, and
// if it was read from 0 on without a seek, the whole content's digest was verified too. *data is
// valid until the next call. DT_ERR_CORRUPT (logged), DT_ERR_IO; *data, *bytes are then not set.
int snapshot_reader_next (snapshot_reader_t *self, const uint8_t **data, size_t *bytes);

// Free the reader. Accepts NULL.
void snapshot_reader_close (snapshot_reader_t **self_p);

#endif // SNAPSHOT_STORE_H
