// raft_core - the consensus of one group as one step function: event in, effects out.
//
// Pure: no I/O, no clock, no thread. Time comes in with each event, the next deadline goes out,
// chance is a PRNG it owns. Not thread safe; one fiber group owns it.
//
// Invariants, between steps (raft_core_check):
//
//     snapshot <= applied <= handed to the machine <= min (commit, durable) <= last
//     first - 1 <= snapshot: the log on disk continues without a gap from the snapshot
//     entries above min (durable, applied) are in memory, older ones may be
//     the newest configuration in the log is in force
//
// A group of one voter is complete. With several voters a core stays FOLLOWER: elections and
// replication come as further events, effects and files beside these.

#ifndef RAFT_CORE_H
#define RAFT_CORE_H

#include "base/dt_env.h"
#include "raft/core/raft_config.h"
#include "raft/core/raft_effects.h"
#include "raft/core/raft_event.h"
#include "raft/core/raft_types.h"

typedef struct raft_core raft_core_t;

// Take one trace line without newline ("become leader term=3 ..."). ERROR: the group failed; INFO:
// roles, snapshots; DEBUG: refusals, which always say why.
typedef void (raft_trace_fn) (void *argument, dt_log_level_t level, const char *line);

// What recovery found on disk. All durable [DISK-9]. Zeroed: a new group.
typedef struct {
    raft_hard_state_t hard_state;

    raft_index_t snapshot_index;        // last entry of the newest snapshot; 0: there is none
    raft_term_t snapshot_term;          // of that entry
    uint64_t snapshot_cluster_time_ms;  // of that entry
    uint64_t snapshot_bytes;            // its size, for status
    raft_index_t snapshot_config_index; // of the entry that held snapshot_config
    raft_config_t snapshot_config;      // in force at snapshot_index

    raft_index_t log_first;            // of the log on disk; 0: the log is empty
    raft_index_t log_last;             // 0: the log is empty
    raft_term_t log_last_term;         // of the entry at log_last
    uint64_t log_last_cluster_time_ms; // of the entry at log_last
    uint64_t log_bytes; // of the entries past the snapshot, about; for the snapshot policy
    const raft_config_at_t *configs; // CONFIG entries of the log, ascending; borrowed for the call
    size_t configs_count;
} raft_recovered_t;

typedef struct {
    uint32_t group_id;          // for traces
    raft_node_id_t node_id;     // this node, not 0
    raft_recovered_t recovered; // what the disk holds
    bool has_bootstrap;         // bootstrap is given
    raft_config_t bootstrap;    // first configuration of a new group; unused if the disk holds one
    uint32_t election_timeout_ms;    // 0: 1000
    uint64_t uncommitted_bytes_max;  // proposals past the commit index; 0: 64 MiB [RAFT-20]
    uint64_t unapplied_bytes_max;    // proposals not applied yet; 0: 128 MiB [RAFT-20]
    uint32_t reads_max;              // reads that wait; 0: 10 000 [RAFT-13]
    uint64_t snapshot_after_bytes;   // entries appended since the last one; 0: not by bytes
    uint64_t snapshot_after_entries; // entries applied since the last one; 0: not by entries
    uint32_t snapshot_retry_ms;      // after a failed one, plus up to half of it; 0: 30 000
    uint64_t log_keep_entries;       // left on disk below a snapshot; 0 for a group of one voter
    uint64_t log_retain_bytes;  // durable and applied entries kept in memory, for slow followers
    uint64_t seed;              // of the PRNG
    raft_trace_fn *trace;       // may be NULL
    void *trace_argument;       // given to trace
    dt_log_level_t trace_level; // lines below it are not formatted
} raft_core_options_t;

// Check options, above all what came from the disk. 0, or an error whose reason is one line in
// *reason (static text; reason may be NULL):
// DT_ERR_INVALID: an option out of its range; DT_ERR_GAP: entries are missing between snapshot and
// log [DISK-8]; DT_ERR_CORRUPT: the parts found on disk contradict each other.
int raft_core_options_check (const raft_core_options_t *options, const char **reason);

// Create a core. The options must pass raft_core_options_check (asserted); they are copied.
raft_core_t *raft_core_new (const raft_core_options_t *options);

// Destroy a core and its references to batches. Accepts a NULL core. Requests still waiting are
// not answered: send STOP and wait for DRAINED, or DISK_FAILED, which answers everything at once.
void raft_core_destroy (raft_core_t **self_p);

// Handle one event and add what has to be done to effects (see raft_event.h, raft_effects.h).
// Events out of contract, such as APPLIED above what was handed over, are asserted.
void raft_core_step (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects);

// A snapshot of the core's state, for status requests, metrics and tests.
typedef struct {
    raft_role_t role;
    bool ready;                   // leader whose own-term entry is committed
    bool stopping;                // STOP was seen
    bool disk_full;               // proposals are refused
    bool snapshot_in_progress;    // a SNAPSHOT effect waits for its end
    int failed_rc;                // 0, or why the role is FAILED
    raft_hard_state_t hard_state; // in force (perhaps not durable yet)
    raft_node_id_t leader;        // 0: not known
    raft_index_t first;           // of the log; last + 1 when it is empty
    raft_index_t last;            // of the log
    raft_index_t durable;         // entries on this node's disk
    raft_index_t commit;          // known committed
    raft_index_t handed;          // APPLY effects were given up to here
    raft_index_t applied;         // the machine reported
    raft_index_t snapshot;        // last entry of the newest snapshot; 0: none
    uint64_t snapshot_bytes;      // its size
    uint64_t cluster_time_ms;     // of the last entry
    uint64_t uncommitted_bytes;   // counted against uncommitted_bytes_max
    uint64_t unapplied_bytes;     // counted against unapplied_bytes_max
    uint64_t memory_bytes;        // entries held in memory
    uint32_t reads_waiting;       // counted against reads_max
    raft_index_t config_index;    // of the configuration in force
} raft_status_t;

void raft_core_status (const raft_core_t *self, raft_status_t *status);

// The configuration in force, and its index; valid until the next step. NULL: none is known.
const raft_config_at_t *raft_core_config (const raft_core_t *self);

// The whole invariant (asserted). Linear in what is in memory.
void raft_core_check (const raft_core_t *self);

#endif // RAFT_CORE_H
