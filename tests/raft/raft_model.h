// raft_model - a host with delays of its own, and a naive twin of a group of one voter.
//
// The twin is one plain array of entries and a few counters. The host carries out what the core
// asks for, late, in part, or not before a crash, as the operations given to it say; after every
// step the core's effects are compared with what the twin expects, and raft_core_check is run.
// Anything that does not agree is asserted. Used by the random program and by the fuzz target.

#ifndef RAFT_MODEL_H
#define RAFT_MODEL_H

#include "base/dt_random.h"
#include "raft/core/raft_core.h"

enum {
    MODEL_ENTRIES_MAX = 4096,  // in the log over the whole run; proposals end there
    MODEL_REQUESTS_MAX = 4096, // reads and asked-for snapshots; they end there
};

// One entry as the twin knows it.
typedef struct {
    uint64_t id;              // of the proposal: 0 for the leader's own entries
    raft_term_t term;         // expected stamp
    uint64_t cluster_time_ms; // expected stamp
    uint64_t bytes;           // weight
    raft_index_t batch_last;  // last entry of its batch
    uint8_t type;             // log_entry_type_t
} model_entry_t;

typedef struct {
    bool waits;          // not answered yet
    raft_index_t index;  // what the answer must have seen at least
    int64_t deadline_ns; // RAFT_NEVER_NS: none
} model_request_t;

// Limits that differ from run to run.
typedef struct {
    uint64_t uncommitted_bytes_max;
    uint64_t unapplied_bytes_max;
    uint64_t snapshot_after_entries;
    uint64_t snapshot_after_bytes;
    uint64_t log_keep_entries;
    uint64_t log_retain_bytes;
} model_limits_t;

typedef struct {
    model_limits_t limits;
    raft_core_t *core;
    raft_effects_t effects;
    int64_t now_ns;
    uint64_t next_id; // of the next proposed entry

    // The twin: what is in the log, and how far it got.
    model_entry_t entries[MODEL_ENTRIES_MAX + 1]; // [0] is not used
    raft_index_t last;
    raft_index_t durable;
    raft_index_t promised; // highest index ever handed to the machine: must never be lost
    raft_index_t handed;
    raft_index_t replay_last; // a range without a batch, not applied yet, ends here; 0: none
    raft_index_t applied;
    raft_index_t found_last; // log's end at the last start
    raft_index_t log_first;  // not compacted
    raft_hard_state_t hard_state;
    raft_hard_state_t hard_state_durable;
    raft_role_t role;
    raft_index_t own_first;
    int64_t lead_since_ns;
    uint64_t lead_since_cluster_ms;
    bool stopping, drained, disk_full;

    // Snapshots: the durable one, and the one being taken.
    raft_index_t snapshot;
    raft_index_t taking; // 0: none
    int64_t retry_not_before_ns;

    model_request_t reads[MODEL_REQUESTS_MAX];
    uint32_t reads_count;
    uint32_t snapshot_requests; // unanswered

    // What the step being checked must bring, and did bring.
    uint64_t expected_refusals, seen_refusals; // entries
    int expected_refusal_rc;
    uint64_t appended_entries;

    uint64_t steps;
    uint64_t restarts;
} model_t;

// Begin with an empty disk. Allocated, because it is large.
model_t *model_new (const model_limits_t *limits);

void model_destroy (model_t **self_p);

// Do one thing; `operation` and `argument` say which and how, every value is legal.
void model_do (model_t *self, uint8_t operation, uint8_t argument);

// Complete everything in flight without a crash, stop the core, and check that it drains.
void model_finish (model_t *self);

// For raft_model.c: compare the effects of a step with what is expected, and take them over.
void model_take_effects (model_t *self);

// The weight of the twin's entries past an index; a batch that straddles it counts as a whole.
uint64_t model_bytes_after (const model_t *self, raft_index_t index);

#endif // RAFT_MODEL_H
