// raft_internal - the state of a core, shared by the files of raft/core and by nobody else.
//
// An event's handler only changes state and emits what must precede everything else; what follows
// from the new state (commit, apply, reads, snapshot policy, status, drained, deadline) is settled
// after each event, in that order, by raft_core_step.

#ifndef RAFT_INTERNAL_H
#define RAFT_INTERNAL_H

#include "base/dt_random.h"
#include "raft/core/raft_core.h"
#include "raft/core/raft_log.h"

typedef struct {
    void *request;       // the host's
    raft_index_t index;  // may be answered once this is handed to the machine
    int64_t deadline_ns; // answered with TIMEOUT from then on
} raft_pending_read_t;

typedef struct {
    raft_pending_read_t *items; // owned; in order of arrival
    uint32_t count;
    uint32_t capacity;
    raft_index_t lowest_index;   // not above any item's index
    int64_t nearest_deadline_ns; // not after any item's deadline
} raft_reads_t;

typedef struct {
    raft_index_t index;  // of the newest durable snapshot; 0: none
    raft_term_t term;    // of that entry
    uint64_t bytes;      // its size on disk
    uint64_t mark_bytes; // log position (raft_log_bytes_end) it reaches to

    bool in_progress;          // one is being taken:
    raft_index_t taking_index; // its last entry
    raft_term_t taking_term;   // of that entry
    uint64_t taking_mark_bytes;
    bool has_request;    // somebody waits for its end
    void *request;       // who: the host's
    int64_t retry_at_ns; // not tried by policy before, after a failure
} raft_snapshot_t;

struct raft_core {
    raft_core_options_t options; // limits with defaults filled in; recovered.configs is not valid
    dt_random_t random;

    int64_t now_ns;   // of the event being handled; never runs backwards
    uint64_t wall_ms; // of the event being handled
    bool started;     // START was seen
    bool stopping;    // STOP was seen
    bool drained;     // DRAINED was emitted
    bool disk_full;   // the host said so

    raft_role_t role;
    int failed_rc;         // 0, or why role is FAILED
    bool ready;            // LEADER and commit >= own_first
    raft_node_id_t leader; // 0: not known
    raft_effect_t told;    // the last STATUS effect

    raft_hard_state_t hard_state;         // in force
    raft_hard_state_t hard_state_durable; // known to be on disk
    raft_node_list_t granted;             // CANDIDATE: who votes for this node

    raft_log_t *log;
    raft_config_stack_t *configs; // NULL: the group's configuration is not known here
    bool bootstrap_due;           // the first entry of the log is to be the bootstrap configuration

    raft_index_t durable; // of this node's log
    raft_index_t commit;  // known committed
    raft_index_t handed;  // APPLY effects were given up to here
    raft_index_t
        handed_disk; // up to here without a batch; while applied is below, nothing is handed
    uint64_t handed_cluster_ms; // cluster time of the entry at handed
    raft_index_t applied;       // the machine reported

    raft_index_t own_first;         // LEADER: first entry of its term
    int64_t lead_since_ns;          // LEADER: cluster time is lead_since_cluster_ms plus what
    uint64_t lead_since_cluster_ms; // passed since

    raft_reads_t reads;
    raft_snapshot_t snapshot;
};

typedef void (raft_handler_fn) (raft_core_t *self, const raft_event_t *event,
                                raft_effects_t *effects);

// raft_election.c
raft_handler_fn raft_election_start;
raft_handler_fn raft_election_hard_state_durable;
// Emit STATUS if role, leader, term or readiness changed since the last one.
void raft_election_settle (raft_core_t *self, raft_effects_t *effects);

// raft_propose.c
raft_handler_fn raft_propose;
// Begin a leader's term: append the bootstrap configuration if it is due, then the NOOP [RAFT-6].
void raft_propose_first (raft_core_t *self, raft_effects_t *effects);

// raft_commit.c
raft_handler_fn raft_commit_appended;
raft_handler_fn raft_commit_applied;
// Advance the commit index and hand over what may be applied.
void raft_commit_settle (raft_core_t *self, raft_effects_t *effects);
// Refuse with OUTCOME_UNKNOWN what was proposed and is not committed.
void raft_commit_abandon (raft_core_t *self, raft_effects_t *effects);
// The machine has applied everything up to an index, which was handed to it.
void raft_commit_note_applied (raft_core_t *self, raft_index_t index);
// Whether a replay from disk is under way, during which the machine gets nothing else.
bool raft_commit_replays (const raft_core_t *self);

// raft_read.c
raft_handler_fn raft_read;
// Answer what can be answered and what has waited too long.
void raft_read_settle (raft_core_t *self, raft_effects_t *effects);
// Answer with rc every read that waits for an entry past `index` [RAFT-13].
void raft_read_fail (raft_core_t *self, raft_index_t index, int rc, raft_effects_t *effects);

// raft_snapshot.c
raft_handler_fn raft_snapshot_take;
raft_handler_fn raft_snapshot_saved;
raft_handler_fn raft_snapshot_failed;
// Take a snapshot if the policy says so.
void raft_snapshot_settle (raft_core_t *self, raft_effects_t *effects);
// Forget the one in progress; whoever waits for it is answered with rc.
void raft_snapshot_abandon (raft_core_t *self, int rc, raft_effects_t *effects);
// When settle has to be called again, by itself.
int64_t raft_snapshot_deadline_ns (const raft_core_t *self);

#endif // RAFT_INTERNAL_H
