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
// Several voters: RAFT 1-33 and LEASE 1-6 of the requirements; each rule is named where it stands.

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
    const raft_term_run_t *terms; // of the log's entries, ascending; borrowed for the call
    size_t terms_count;
    raft_index_t repair_until; // not 0: the disk lost entries up to here that it may have
                               // acknowledged (UINT64_MAX: nobody knows how far); no vote and no
                               // quorum until they are back. Durable: given again at every start
                               // until the REPAIRED effect [DISK-12]
} raft_recovered_t;

typedef struct {
    uint32_t group_id;          // for traces
    raft_node_id_t node_id;     // this node, not 0
    raft_recovered_t recovered; // what the disk holds
    bool has_bootstrap;         // bootstrap is given
    raft_config_t bootstrap;    // first configuration of a new group; unused if the disk holds one
    uint64_t directory_id;      // of this node's data directory; 0: none is told
    bool is_new;                // the data directory was just made: no promise binds it [LEASE-3]
    uint32_t election_timeout_ms;    // shortest; drawn up to twice as long; 0: 1000
    uint32_t heartbeat_ms;           // 0: a tenth of election_timeout_ms
    uint32_t clock_drift_permille;   // most that two clocks' rates differ; 0: 10 [LEASE-1]
    uint32_t lease_guard_ms;         // taken off every lease; 0: 5
    bool no_lease;                   // reads always ask a quorum
    uint32_t payload_bytes_max;      // the log takes no longer one; 0: LOG_ENTRY_PAYLOAD_BYTES_MAX
    uint64_t append_bytes_max;       // of entries in one message; 0: 512 KiB
    uint64_t in_flight_bytes_max;    // appended and not acknowledged, for each peer; 0: 16 MiB
    uint32_t in_flight_appends_max;  // the same, in messages; 0: 256
    uint64_t catch_up_entries;       // an observer may lag this far and become a voter; 0: 5000
    uint64_t uncommitted_bytes_max;  // proposals past the commit index; 0: 64 MiB [RAFT-20]
    uint64_t unapplied_bytes_max;    // proposals not applied yet; 0: 128 MiB [RAFT-20]
    uint32_t reads_max;              // reads that wait; 0: 10 000 [RAFT-13]
    uint64_t snapshot_after_bytes;   // entries appended since the last one; 0: not by bytes
    uint64_t snapshot_after_entries; // entries applied since the last one; 0: not by entries
    uint32_t snapshot_retry_ms;      // after a failed one, plus up to half of it; 0: 30 000
    uint64_t log_keep_entries;       // left on disk below a snapshot; 0 for a group of one voter
    uint64_t log_keep_bytes;         // of them no more than about this; 0: no bound
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
    int64_t lease_until_ns;       // leader: end of its lease; INT64_MIN: none
    raft_index_t repair_until;    // see raft_recovered_t; 0: sound
    raft_node_id_t transfer_to;   // leader: a transfer is under way; 0: none
} raft_status_t;

void raft_core_status (const raft_core_t *self, raft_status_t *status);

// How a leader sees a peer.
typedef enum {
    RAFT_PEER_PROBE,    // where its log agrees is being found out
    RAFT_PEER_PIPELINE, // it follows; appends are sent without waiting
    RAFT_PEER_SNAPSHOT, // it gets a snapshot, as the log does not reach back far enough
} raft_peer_state_t;

typedef struct {
    raft_node_id_t id;
    raft_peer_state_t state;
    bool active;          // heard from within an election timeout
    bool repairing;       // it says so: does not count
    raft_index_t match;   // agreed and durable there
    raft_index_t next;    // sent next
    raft_index_t last;    // of its log, as it said
    raft_index_t applied; // as it said
    uint64_t in_flight_bytes;
    int64_t heard_ns; // INT64_MIN: never in this term
} raft_peer_status_t;

// The peers a leader replicates to, ascending by id; none otherwise. Returns how many there are;
// fills up to max.
uint32_t raft_core_peers (const raft_core_t *self, raft_peer_status_t *peers, uint32_t max);

// The name of a state in lower case.
const char *raft_peer_state_name (raft_peer_state_t state);

// Whether pieces of a snapshot that come from a node, sent in a term, may be stored: it leads this
// one durably, so that no snapshot on the disk is of a later term than the hard state.
bool raft_core_takes_snapshot (const raft_core_t *self, raft_node_id_t from, raft_term_t term);

// The configuration in force, and its index; valid until the next step. NULL: none is known.
const raft_config_at_t *raft_core_config (const raft_core_t *self);

// The whole invariant (asserted). Linear in what is in memory.
void raft_core_check (const raft_core_t *self);

#endif // RAFT_CORE_H
