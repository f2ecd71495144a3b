// The invariants of a core, for tests and the simulator.

#include "base/dt_assert.h"
#include "raft/core/raft_internal.h"

static void s_check_indexes (const raft_core_t *self)
{
    raft_index_t last = raft_log_last (self->log);
    dt_assert (self->snapshot.index <= self->applied);
    dt_assert (self->applied <= self->handed);
    dt_assert (self->handed_disk <= self->handed);
    dt_assert (self->handed <= self->commit);
    dt_assert (self->handed <= self->durable);
    dt_assert (self->commit <= last);
    dt_assert (self->durable <= last);
    dt_assert (raft_log_first (self->log) <= self->snapshot.index + 1);
    // What is not yet durable and applied, and was not found on disk, is in memory.
    raft_index_t memory_first = raft_log_memory_first (self->log);
    dt_assert (memory_first <= self->durable + 1);
    raft_index_t found_last = self->disk_last;
    dt_assert (memory_first <= (self->applied > found_last ? self->applied : found_last) + 1);
}

static void s_check_peers (const raft_core_t *self)
{
    const raft_lead_t *lead = &self->lead;
    for (uint32_t i = 0; i < lead->peers_count; i++) {
        const raft_peer_t *peer = &lead->peers[i];
        dt_assert (peer->id != self->options.node_id);
        dt_assert (i == 0 || lead->peers[i - 1].id < peer->id);
        dt_assert (peer->match < peer->next);
        dt_assert (peer->match <= raft_log_last (self->log));
        dt_assert (peer->next <= raft_log_last (self->log) + 1);
        dt_assert (peer->round_acked <= lead->round);
        dt_assert (peer->flights_count > 0 || peer->flights_bytes == 0);
    }
}

static void s_check_role (const raft_core_t *self)
{
    dt_assert ((self->role == RAFT_FAILED) == (self->failed_rc != 0));
    dt_assert (self->hard_state.term >= self->hard_state_durable.term);
    dt_assert (raft_log_last_term (self->log) <= self->hard_state.term);
    switch (self->role) {
    case RAFT_LEADER:
        // A leader's term and vote are durable, and its log ends with entries of its term.
        dt_assert (self->hard_state_durable.term == self->hard_state.term);
        dt_assert (self->hard_state_durable.vote == self->options.node_id);
        dt_assert (self->leader == self->options.node_id);
        dt_assert (self->lead.own_first <= raft_log_last (self->log));
        dt_assert (raft_log_last_term (self->log) == self->hard_state.term);
        dt_assert (self->ready == (self->commit >= self->lead.own_first));
        s_check_peers (self);
        break;
    case RAFT_CANDIDATE:
        dt_assert (self->hard_state.vote == self->options.node_id);
        dt_assert (self->leader == 0);
        dt_assert (!self->ready);
        break;
    case RAFT_FOLLOWER:
    case RAFT_FAILED:
        dt_assert (!self->ready);
        dt_assert (self->lead.peers_count == 0);
        dt_assert (self->reads.count == 0 || self->role == RAFT_FOLLOWER);
        break;
    }
}

static void s_check_reads (const raft_core_t *self)
{
    const raft_reads_t *reads = &self->reads;
    dt_assert (reads->count <= self->options.reads_max);
    dt_assert (reads->count <= reads->capacity);
    raft_index_t served = raft_commit_replays (self) ? self->applied : self->handed;
    uint32_t unconfirmed = 0;
    for (uint32_t i = 0; i < reads->count; i++) {
        const raft_pending_read_t *read = &reads->items[i];
        bool confirmed = read->stage == RAFT_STAGE_APPLY;
        unconfirmed += !confirmed;
        dt_assert (!confirmed || read->index >= reads->lowest_index);
        dt_assert (read->deadline_ns >= reads->nearest_deadline_ns);
        dt_assert (!confirmed || read->node != 0 || read->index > served || self->install.begun);
        dt_assert (read->deadline_ns > self->now_ns);
        dt_assert (read->stage != RAFT_STAGE_ROUND || self->role == RAFT_LEADER);
        dt_assert (read->stage != RAFT_STAGE_LEADER || self->role == RAFT_FOLLOWER);
    }
    dt_assert (unconfirmed == reads->unconfirmed);
}

static void s_check_snapshot (const raft_core_t *self)
{
    const raft_snapshot_t *snapshot = &self->snapshot;
    dt_assert (!snapshot->in_progress || snapshot->taking_index > snapshot->index);
    dt_assert (!snapshot->in_progress || snapshot->taking_index <= self->handed);
    dt_assert (!snapshot->in_progress || self->role != RAFT_FAILED);
    dt_assert (snapshot->in_progress || !snapshot->has_request);
    dt_assert (snapshot->mark_bytes <= raft_log_bytes_end (self->log));
}

void raft_core_check (const raft_core_t *self)
{
    raft_log_check (self->log);
    s_check_indexes (self);
    s_check_role (self);
    s_check_reads (self);
    s_check_snapshot (self);
    if (self->configs) {
        raft_config_stack_check (self->configs);
        dt_assert (raft_config_stack_latest (self->configs)->index <= raft_log_last (self->log));
    }
}
