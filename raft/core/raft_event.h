// raft_event - everything that can happen to a raft core.
//
// The host fills in kind, the two clocks and the part of the union that belongs to the kind.

#ifndef RAFT_EVENT_H
#define RAFT_EVENT_H

#include "raft/core/raft_types.h"
#include "storage/log_entry.h"

typedef enum {
    // The first event, once. A sole voter campaigns at once.
    RAFT_EVENT_START,

    // next_deadline_ns has come (early or needless ticks do no harm).
    RAFT_EVENT_TICK,

    // propose: append a batch. The reference to the batch is consumed. The entries have payload,
    // operation, principal and session fields set and type LOG_ENTRY_COMMAND; the core stamps
    // index,
    // term, cluster_time_ms and wall_ms. All or nothing: either an APPEND effect or a REFUSE effect
    // (from = 0) follows in the same step. Codes: NOT_LEADER, NOT_READY (campaigning), STOPPING,
    // NO_SPACE, DISK_FAILED, BUSY (limits uncommitted_bytes_max, unapplied_bytes_max), TOO_BIG (a
    // payload over LOG_ENTRY_PAYLOAD_BYTES_MAX), INVALID (an entry that is no COMMAND).
    RAFT_EVENT_PROPOSE,

    // hard_state: a PERSIST effect's content is durable. Reports may be skipped when a newer
    // PERSIST
    // overtook them.
    RAFT_EVENT_HARD_STATE_DURABLE,

    // appended: everything up to index is durable; term is that of the entry at index, so that a
    // report that crossed a truncation is recognised. Reports may be merged: only the newest
    // counts.
    RAFT_EVENT_APPENDED,

    // applied: the state machine has applied everything up to index. May be merged like APPENDED.
    RAFT_EVENT_APPLIED,

    // read: a request that reads. Followed by one READ effect, in this step or a later one.
    RAFT_EVENT_READ,

    // snapshot_take: somebody asks for a snapshot now. Followed by one SNAPSHOT_ANSWER effect, now
    // (a refusal, or there is nothing new since the last one) or when the snapshot has ended.
    RAFT_EVENT_SNAPSHOT_TAKE,

    // snapshot_saved: the snapshot a SNAPSHOT effect asked for is durable, directory included.
    // Implies APPLIED up to its index.
    RAFT_EVENT_SNAPSHOT_SAVED,

    // failed: the snapshot could not be saved. Tried again after snapshot_retry_ms.
    RAFT_EVENT_SNAPSHOT_FAILED,

    // disk_full: the log cannot be extended (true) or can again (false). Reads go on [DISK-11].
    RAFT_EVENT_DISK_FULL,

    // failed: a write or sync of the log or of the hard state failed. Final [DISK-10]: the role
    // becomes FAILED, entries past the commit index are refused with OUTCOME_UNKNOWN (they may be
    // on the
    // disk), waiting reads and everything that comes later with `rc`. Applies already asked for go
    // on.
    RAFT_EVENT_DISK_FAILED,

    // Take nothing new; complete what is in flight; a DRAINED effect tells when that is done.
    RAFT_EVENT_STOP,

    RAFT_EVENT_KINDS // how many there are
} raft_event_kind_t;

typedef struct {
    raft_event_kind_t kind;
    int64_t now_ns;   // monotonic clock, sampled after the event was taken from its queue [LEASE-4]
    uint64_t wall_ms; // wall clock; stamped into entries, never used for a decision
    union {
        struct {
            log_batch_t *batch; // consumed; not empty
        } propose;
        raft_hard_state_t hard_state; // what became durable
        struct {
            raft_index_t index; // durable up to here
            raft_term_t term;   // of the entry at index
        } appended;
        struct {
            raft_index_t index; // applied up to here; never above what APPLY effects named
        } applied;
        struct {
            void *request;          // the host's; comes back in the READ effect
            raft_read_mode_t mode;  // how fresh
            raft_index_t min_index; // see at least this entry; 0: no wish
            int64_t deadline_ns;    // answered with TIMEOUT from then on; RAFT_NEVER_NS: never
        } read;
        struct {
            void *request; // the host's; comes back in the SNAPSHOT_ANSWER effect
        } snapshot_take;
        struct {
            raft_index_t index; // last entry the snapshot contains: the effect's
            raft_term_t term;   // of that entry: the effect's
            uint64_t bytes;     // size on disk, for status
        } snapshot_saved;
        struct {
            int rc; // why: a DT_ERR_*
        } failed;   // SNAPSHOT_FAILED, DISK_FAILED
        struct {
            bool on;
        } disk_full;
    };
} raft_event_t;

// The name of a kind in lower case.
const char *raft_event_name (raft_event_kind_t kind);

#endif // RAFT_EVENT_H
