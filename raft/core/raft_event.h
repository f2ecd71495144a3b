// raft_event - everything that can happen to a raft core.
//
// The host fills in kind, the two clocks and the part of the union that belongs to the kind.

#ifndef RAFT_EVENT_H
#define RAFT_EVENT_H

#include "raft/core/raft_config.h"
#include "raft/core/raft_message.h"
#include "raft/core/raft_types.h"
#include "storage/log_entry.h"

typedef enum {
    // The first event, once. A sole voter campaigns at once; others wait for a leader first.
    RAFT_EVENT_START,

    // next_deadline_ns has come (early or needless ticks do no harm).
    RAFT_EVENT_TICK,

    // propose: append a batch. The reference to the batch is consumed. The entries have payload,
    // operation, principal and session fields set and type LOG_ENTRY_COMMAND; the core stamps
    // index,
    // term, cluster_time_ms and wall_ms. All or nothing: either an APPEND effect or a REFUSE effect
    // (of all entries) follows in the same step. Codes: NOT_LEADER, NOT_READY (campaigning),
    // STOPPING,
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

    // applied: the state machine has applied everything up to index. May be merged like APPENDED. A
    // leader appends a CLOCK entry by itself when cluster time reaches due_ms, once what it
    // appended
    // itself before, its first entry or the last CLOCK, is applied.
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

    // disk_stalled: a write of the log or of the hard state takes too long (true), or has ended
    // (false). Meanwhile this node leaves leading to others, if there are other voters.
    RAFT_EVENT_DISK_STALLED,

    // failed: a write or sync of the log or of the hard state failed, or (NO_SPACE) the log has not
    // written what is not yet APPENDED and never will. Final [DISK-10]: the role
    // becomes FAILED, entries past the commit index are refused with OUTCOME_UNKNOWN (they may be
    // on the disk; NO_SPACE where they certainly are nowhere), waiting reads and everything that
    // comes later with `rc`. Applies already asked for go
    // on.
    RAFT_EVENT_DISK_FAILED,

    // message: a peer's message, consumed. Who sent it was verified by the host (cluster, group,
    // node,
    // link); what it says is checked here.
    RAFT_EVENT_MESSAGE,

    // peer_reached: a peer's process came, or came back in another life: what was sent and not
    // acknowledged is sent again.
    RAFT_EVENT_PEER_REACHED,

    // fetched: what a FETCH effect asked for was read.
    RAFT_EVENT_FETCHED,

    // snapshot_sent: a SNAPSHOT_SEND effect's transfer ended.
    RAFT_EVENT_SNAPSHOT_SENT,

    // snapshot_received: a leader's snapshot is durable and verified here, directory included; the
    // log
    // is untouched. The core answers with an INSTALL effect or forgets it [RAFT-22].
    RAFT_EVENT_SNAPSHOT_RECEIVED,

    // snapshot_installed: an INSTALL effect was carried out.
    RAFT_EVENT_SNAPSHOT_INSTALLED,

    // config_change: an operator's wish. Followed by one CONFIG_ANSWER effect, now (refused, or
    // nothing to do) or when its entry is committed.
    RAFT_EVENT_CONFIG_CHANGE,

    // transfer: make another voter the leader. Followed by one TRANSFER_ANSWER effect.
    RAFT_EVENT_TRANSFER,

    // Take nothing new; complete what is in flight; a DRAINED effect tells when that is done.
    RAFT_EVENT_STOP,

    RAFT_EVENT_KINDS // how many there are
} raft_event_kind_t;

// What an operator wants of the configuration.
typedef enum {
    // Begin a change to `target` (plain). Voters differ: a joint configuration; otherwise one step.
    // New voters must be observers that have caught up, unless forced.
    RAFT_CHANGE_PREPARE,
    RAFT_CHANGE_COMMIT, // leave the joint configuration for its next half
    RAFT_CHANGE_ABORT,  // leave it for its first half
} raft_change_kind_t;

typedef struct {
    raft_change_kind_t kind;
    bool auto_commit;            // PREPARE: COMMIT by itself once the joint one is committed
    bool force;                  // PREPARE: even if no quorum of the result is alive or caught up
    raft_index_t joint_index;    // COMMIT, ABORT: of the joint entry meant; 0: whichever
    const raft_config_t *target; // PREPARE: plain; borrowed for the step
} raft_change_t;

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
            uint64_t cuts;      // TRUNCATE and INSTALL effects carried out before it was durable: a
                                // report from before a cut says nothing of what came in its place
        } appended;
        struct {
            raft_index_t index; // applied up to here; never above what APPLY effects named
            uint64_t due_ms;    // cluster time at which the machine wants a CLOCK entry; 0: it has
                                // no wish
        } applied;
        struct {
            void *request;          // the host's; comes back in the READ effect
            raft_read_mode_t mode;  // how fresh
            raft_index_t min_index; // see at least this entry; 0: no wish
            int64_t deadline_ns;    // answered with TIMEOUT from then on; RAFT_NEVER_NS: never
            uint32_t age_ms_max;    // STALE: since this node was last known to have everything
                                    // committed; 0: no bound. Older: TOO_STALE
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
        struct {
            bool on;
        } disk_stalled;
        raft_message_t *message; // consumed
        struct {
            raft_node_id_t node;
        } peer_reached;
        struct {
            raft_node_id_t node; // the effect's
            raft_index_t first;  // the effect's
            log_batch_t *batch;  // consumed; begins at first; NULL: rc says why
            int rc;              // 0, or NOT_FOUND: compacted meanwhile
        } fetched;
        struct {
            raft_node_id_t node;
            raft_index_t index; // rc 0: of the snapshot, durable over there
            int rc;
        } snapshot_sent;
        struct {
            raft_node_id_t from; // who sent it
            raft_index_t index;  // last entry it contains
            raft_term_t term;    // of that entry
            uint64_t cluster_time_ms;
            uint64_t bytes; // on disk
            raft_index_t config_index;
            const raft_config_t *config; // in force at index; borrowed for the step
        } snapshot_received;
        struct {
            raft_index_t index; // the effect's
        } snapshot_installed;
        struct {
            void *request; // the host's; comes back in the CONFIG_ANSWER effect; NULL: nobody asks
            raft_change_t change;
        } config_change;
        struct {
            void *request;         // the host's; comes back in the TRANSFER_ANSWER effect
            raft_node_id_t target; // 0: the voter that is furthest
            int64_t deadline_ns;   // given up from then on
        } transfer;
    };
} raft_event_t;

// The name of a kind in lower case.
const char *raft_event_name (raft_event_kind_t kind);

#endif // RAFT_EVENT_H
