// Commit and apply: how far a quorum's disks agree, and what the machine gets because of it.

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_quorum.h"
#include "raft/core/raft_trace.h"

void raft_commit_appended (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) effects;
    raft_index_t index = event->appended.index;
    if (self->role == RAFT_FAILED || index <= self->durable) {
        return; // no acknowledgement counts after an error of the disk [DISK-10]
    }
    if (event->appended.cuts != self->cuts) {
        return; // of entries that were cut off since
    }
    raft_term_t term = 0;
    raft_term_lookup_t found = raft_log_term (self->log, index, &term);
    if (found != RAFT_TERM_KNOWN || term != event->appended.term) {
        raft_trace (self, DT_LOG_DEBUG, "ignore appended index=%lu term=%lu: not in the log", index,
                    event->appended.term);
        return;
    }
    self->durable = index;
    self->lead.durable_ns = self->now_ns;
}

void raft_commit_note_applied (raft_core_t *self, raft_index_t index)
{
    dt_assert (index <= self->handed);
    if (index > self->applied) {
        self->applied = index;
        raft_log_release (self->log, index); // applied, hence durable
    }
}

void raft_commit_applied (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) effects;
    raft_commit_note_applied (self, event->applied.index);
    self->due_ms = event->applied.due_ms;
}

bool raft_commit_replays (const raft_core_t *self)
{
    return self->applied < self->handed_disk;
}

// How far a quorum's disks agree. A disk that lost entries does not count before it has them back.
static raft_index_t s_quorum_match (const raft_core_t *self)
{
    raft_match_t matches[2 * RAFT_CONFIG_NODES_MAX + 1];
    uint32_t count = 0;
    matches[count++] = (raft_match_t){.id = self->options.node_id, .match = self->durable};
    for (uint32_t i = 0; i < self->lead.peers_count; i++) {
        const raft_peer_t *peer = &self->lead.peers[i];
        matches[count++] =
            (raft_match_t){.id = peer->id, .match = peer->repairing ? 0 : peer->match};
    }
    const raft_config_t *config = raft_core_config_now (self);
    if (dt_planted (DT_PLANTED_SINGLE_QUORUM_IN_JOINT)) {
        raft_config_t half = *config;
        half.next_voters.count = 0;
        return raft_quorum_match (&half, matches, count);
    }
    return raft_quorum_match (config, matches, count);
}

// Only entries of the own term are committed by counting; older ones follow from them [RAFT-6].
static void s_advance (raft_core_t *self)
{
    if (self->role != RAFT_LEADER || self->commit == raft_log_last (self->log)) {
        return;
    }
    raft_index_t match = s_quorum_match (self);
    bool own_term = match >= self->lead.own_first || dt_planted (DT_PLANTED_COMMIT_OLD_TERM);
    if (own_term && match > self->commit) {
        self->commit = match;
    }
}

// Hand over entries from `handed` on: the rest of one piece in memory, or all that is on disk only.
static void s_hand_over (raft_core_t *self, raft_index_t upto, raft_effects_t *effects)
{
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_APPLY);
    raft_log_piece_t piece;
    raft_index_t last;
    if (raft_log_find (self->log, self->handed + 1, &piece)) {
        effect->apply.batch = log_batch_ref (piece.batch);
        last = piece.last;
        effect->apply.silent = piece.silent_from > 0 && self->handed + 1 >= piece.silent_from;
        if (piece.silent_from > self->handed + 1 && last >= piece.silent_from) {
            last = piece.silent_from - 1;
        }
    } else {
        last = raft_log_memory_first (self->log) - 1;
    }
    effect->apply.first = self->handed + 1;
    effect->apply.last = last < upto ? last : upto;
    self->handed = effect->apply.last;
    if (effect->apply.batch) {
        self->handed_cluster_ms = log_batch_entry (piece.batch, self->handed)->cluster_time_ms;
    } else {
        // Right for the last entry of the range found at the start, the only one that is asked
        // about.
        self->handed_cluster_ms = self->options.recovered.log_last_cluster_time_ms;
        self->handed_disk = self->handed;
        raft_trace (self, DT_LOG_INFO, "replay first=%lu last=%lu", effect->apply.first,
                    effect->apply.last);
    }
}

void raft_commit_settle (raft_core_t *self, raft_effects_t *effects)
{
    s_advance (self);
    raft_index_t upto = self->commit < self->durable ? self->commit : self->durable;
    while (self->handed < upto && !raft_commit_replays (self) && !raft_install_runs (self)) {
        s_hand_over (self, upto, effects);
    }
}

void raft_commit_abandon (raft_core_t *self, raft_index_t after, int rc, raft_effects_t *effects)
{
    // Entries found on disk may be uncommitted too; whoever proposed them is long gone.
    raft_index_t memory_first = raft_log_memory_first (self->log);
    raft_index_t index = after + 1 > memory_first ? after + 1 : memory_first;
    raft_log_piece_t piece;
    for (raft_index_t first = index; raft_log_find (self->log, first, &piece);
         first = piece.last + 1) {
        raft_index_t last = piece.silent_from ? piece.silent_from - 1 : piece.last;
        raft_index_t base = log_batch_first (piece.batch);
        // What is no command was proposed by nobody.
        if (last >= first && log_batch_entry (piece.batch, first)->type == LOG_ENTRY_COMMAND) {
            raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_REFUSE);
            effect->refuse.batch = log_batch_ref (piece.batch);
            effect->refuse.from = (uint32_t) (first - base);
            effect->refuse.to = (uint32_t) (last + 1 - base);
            effect->refuse.rc = rc;
        }
    }
    raft_log_mark_silent (self->log, index);
}
