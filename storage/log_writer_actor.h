// log_writer_actor - the actor that owns one group's log and hard state on disk.
//
// Wiring only: it takes messages, calls log_store and hard_state (whose disk calls suspend its
// fiber), and answers. Group commit is what its loop does: whatever has arrived while the disk was
// busy goes into the next write and sync. Errors of the disk are final [DISK-10]: one FAILED
// answer, after that every request is dropped, the group has failed. A second fiber prepares log
// segments ahead of their use, a third one reads: for a replay, or for a follower that is behind. A
// fourth one watches how long the first has been writing.
//
// All messages come from one actor, the owner; it sends OPEN first.

#ifndef LOG_WRITER_ACTOR_H
#define LOG_WRITER_ACTOR_H

#include "actors/actor.h"
#include "storage/hard_state.h"
#include "storage/log_entry.h"
#include "storage/log_store.h"
#include "storage/vfs.h"

typedef struct log_writer log_writer_t;

typedef struct {
    const char *name;            // of the actor
    vfs_t *vfs;                  // borrowed
    const char *directory;       // of the group, copied; holds log/ and hard_state
    storage_identity_t identity; // cluster, group, node
    uint32_t segment_bytes;      // 0: default
    uint32_t spares_max;         // log files kept for recycling; 0: default
    uint32_t stall_ms;           // a write that takes longer is a stall; 0: LOG_WRITER_STALL_MS
} log_writer_options_t;

enum { LOG_WRITER_STALL_MS = 1000 };

enum {
    // Owner to log writer.
    LOG_WRITER_OPEN = 100, // log_writer_open_t: recover; answered by OPENED
    LOG_WRITER_APPEND,     // log_writer_append_t: answered by APPENDED, many at once
    LOG_WRITER_PERSIST,    // log_writer_persist_t: answered by PERSISTED
    LOG_WRITER_TRUNCATE,   // log_writer_index_t: drop entries from index on
    LOG_WRITER_COMPACT,    // log_writer_index_t: entries up to index are not needed any more
    LOG_WRITER_READ,  // log_writer_read_t: answered by READ_DONE, in order of the READs. Delays no
                      // write; one that comes during a write begins when that has ended
    LOG_WRITER_RESET, // log_writer_reset_t: drop all entries; answered by RESET_DONE
    LOG_WRITER_REPAIRED, // actor_message_t: the log has again what it lost: forget repair_until
    // Log writer to owner.
    LOG_WRITER_OPENED = 150, // log_writer_opened_t
    LOG_WRITER_APPENDED,     // log_writer_appended_t
    LOG_WRITER_PERSISTED,    // log_writer_persist_t
    LOG_WRITER_READ_DONE,    // log_writer_read_done_t
    LOG_WRITER_RESET_DONE,   // log_writer_reset_t
    LOG_WRITER_FULL,         // log_writer_full_t: the disk is full, or is not any more
    LOG_WRITER_STALLED,      // log_writer_stalled_t: a write takes too long, or has ended
    LOG_WRITER_FAILED,       // log_writer_failed_t: final; after it come READ_DONEs at most
};

typedef struct {
    actor_message_t message;
    actor_t *owner;          // who gets the answers
    uint64_t snapshot_index; // the log must continue from here without a gap
    uint64_t snapshot_term;  // of that entry
    bool is_new;             // a missing hard state is no error: create it [DISK-13]
    bool may_repair;         // other voters have what a damaged log lost: keep what is sound of it
} log_writer_open_t;

// Entries from `first` on, up to the next run, have this term.
typedef struct {
    uint64_t first;
    uint64_t term;
} log_writer_run_t;

typedef struct {
    actor_message_t message;
    int rc;                        // 0, or why the group cannot start
    hard_state_value_t hard_state; // as recovered; repair_until: see there. It is durable, and
                                   // comes back at every start until REPAIRED
    uint64_t first, last;          // entries in the log; last 0: empty
    uint64_t last_term;            // of the entry at last
    uint64_t last_cluster_time_ms; // of the entry at last
    uint64_t bytes;                // of the log
    uint32_t payload_bytes_max;    // an entry with a longer payload does not fit into a segment
    log_batch_t *configs;          // owned: its CONFIG entries, not contiguous; NULL: none
    log_writer_run_t *terms;       // owned: of its entries, ascending
    size_t terms_count;            // of terms
} log_writer_opened_t;

typedef struct {
    actor_message_t message;
    log_batch_t *batch;   // owned reference
    uint64_t first, last; // part of it
} log_writer_append_t;

typedef struct {
    actor_message_t message;
    uint64_t index; // durable up to here
    uint64_t term;  // of that entry
    uint64_t cuts;  // TRUNCATEs and RESETs carried out before
} log_writer_appended_t;

typedef struct {
    actor_message_t message;
    hard_state_value_t value; // repair_until is the log writer's own
} log_writer_persist_t;

typedef struct {
    actor_message_t message;
    uint64_t index;
} log_writer_index_t;

typedef struct {
    actor_message_t message;
    uint64_t first, last; // wanted
    size_t bytes_max;     // at least one entry is read
    uint64_t cookie;      // the owner's; comes back
} log_writer_read_t;

typedef struct {
    actor_message_t message;
    int rc;             // 0; NOT_FOUND: the entry was cut off or compacted meanwhile; others: what
                        // the disk said, FAILED went before
    uint64_t first;     // as asked for
    uint64_t cookie;    // as asked for
    log_batch_t *batch; // owned: a first part of what was wanted; NULL: rc is not 0
} log_writer_read_done_t;

typedef struct {
    actor_message_t message;
    uint64_t index, term; // the log goes on behind this entry, the last of a durable snapshot
} log_writer_reset_t;

typedef struct {
    actor_message_t message;
    bool on;
} log_writer_full_t;

typedef struct {
    actor_message_t message;
    bool on;
} log_writer_stalled_t;

typedef struct {
    actor_message_t message;
    int rc; // DT_ERR_DISK_FAILED or what the disk said; DT_ERR_NO_SPACE: after log_writer_hurry,
            // nothing beyond the last APPENDED was written
} log_writer_failed_t;

// Create the actor on a host. The host owns the actor; the log writer itself lives until
// log_writer_destroy, after the host was joined.
log_writer_t *log_writer_new (actor_host_t *host, const log_writer_options_t *options);
void log_writer_destroy (log_writer_t **self_p);

actor_t *log_writer_actor (log_writer_t *self);

// The node is about to stop: from now on nothing waits for room on a full disk. What would have to
// ends the log with FAILED (DT_ERR_NO_SPACE), within half a second. From any thread.
void log_writer_hurry (log_writer_t *self);

// Allocate a message of one of the types above; its free function releases what it owns.
void *log_writer_message_new (uint16_t type);

#endif // LOG_WRITER_ACTOR_H
