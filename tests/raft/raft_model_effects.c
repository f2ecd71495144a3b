// The half of the model that judges effects.

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "tests/raft/raft_model.h"

static uint64_t s_max (uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

static void s_persist (model_t *self, const raft_effect_t *effect)
{
    dt_assert (effect->hard_state.term == self->hard_state.term + 1);
    dt_assert (effect->hard_state.vote == 1);
    self->hard_state = effect->hard_state;
}

// What the twin stamps now.
static uint64_t s_cluster_time_ms (const model_t *self)
{
    uint64_t passed_ms = (uint64_t) (self->now_ns - self->lead_since_ns) / 1000000;
    uint64_t last_ms = self->last ? self->entries[self->last].cluster_time_ms : 0;
    return s_max (last_ms, self->lead_since_cluster_ms + passed_ms);
}

static void s_append (model_t *self, const raft_effect_t *effect)
{
    dt_assert (self->role == RAFT_LEADER);
    dt_assert (self->hard_state.term == self->hard_state_durable.term);
    dt_assert (effect->append.first == self->last + 1);
    uint64_t time_ms = s_cluster_time_ms (self);
    for (raft_index_t index = effect->append.first; index <= effect->append.last; index++) {
        const log_entry_t *entry = log_batch_entry (effect->append.batch, index);
        dt_assert (entry->index == index);
        dt_assert (entry->term == self->hard_state.term);
        dt_assert (entry->cluster_time_ms == time_ms);
        dt_assert (entry->wall_ms == (uint64_t) self->now_ns / 1000000);
        self->entries[index] =
            (model_entry_t){.id = entry->principal,
                            .term = entry->term,
                            .cluster_time_ms = time_ms,
                            .bytes = entry->payload_bytes + RAFT_ENTRY_OVERHEAD_BYTES,
                            .batch_last = effect->append.last,
                            .type = entry->type};
        self->appended_entries++;
    }
    self->last = effect->append.last;
}

static void s_apply (model_t *self, const raft_effect_t *effect)
{
    dt_assert (self->replay_last == 0);
    dt_assert (effect->apply.first == self->handed + 1);
    dt_assert (effect->apply.last >= effect->apply.first);
    dt_assert (effect->apply.last <= self->durable);
    dt_assert (self->durable >= self->own_first && self->own_first > 0);
    if (!effect->apply.batch) {
        dt_assert (effect->apply.last <= self->found_last);
        self->replay_last = effect->apply.last;
    }
    for (raft_index_t index = effect->apply.first; index <= effect->apply.last; index++) {
        const model_entry_t *entry = &self->entries[index];
        dt_assert (!effect->apply.batch ||
                   log_batch_entry (effect->apply.batch, index)->principal == entry->id);
        dt_assert (!effect->apply.batch ||
                   log_batch_entry (effect->apply.batch, index)->term == entry->term);
    }
    self->handed = effect->apply.last;
    self->promised = s_max (self->promised, self->handed);
}

static void s_refuse (model_t *self, const raft_effect_t *effect)
{
    dt_assert (effect->refuse.rc == self->expected_refusal_rc);
    dt_assert (effect->refuse.from < effect->refuse.to);
    dt_assert (effect->refuse.to == effect->refuse.batch->count);
    self->seen_refusals += effect->refuse.to - effect->refuse.from;
}

static void s_read (model_t *self, const raft_effect_t *effect)
{
    uintptr_t number = (uintptr_t) effect->read.request - 1;
    dt_assert (number < self->reads_count);
    model_request_t *read = &self->reads[number];
    dt_assert (read->waits);
    read->waits = false;
    switch (effect->read.rc) {
    case 0:
        // Never stale: what was applied for anybody when it came is seen, and in the queue already.
        dt_assert (effect->read.index >= read->index);
        dt_assert (effect->read.index <= (self->replay_last ? self->applied : self->handed));
        break;
    case DT_ERR_TIMEOUT:
        dt_assert (read->deadline_ns <= self->now_ns);
        break;
    case DT_ERR_NOT_READY:
        dt_assert (self->role == RAFT_CANDIDATE);
        break;
    case DT_ERR_NOT_LEADER:
        dt_assert (self->role == RAFT_FOLLOWER);
        break;
    case DT_ERR_STOPPING:
        dt_assert (self->stopping);
        break;
    case DT_ERR_DISK_FAILED:
        dt_assert (self->role == RAFT_FAILED);
        break;
    default:
        dt_unreachable ();
    }
}

static void s_snapshot (model_t *self, const raft_effect_t *effect)
{
    dt_assert (self->taking == 0);
    dt_assert (self->replay_last == 0);
    dt_assert (!self->stopping);
    raft_index_t index = effect->snapshot.index;
    dt_assert (index == self->handed);
    dt_assert (index > self->snapshot);
    dt_assert (effect->snapshot.term == self->entries[index].term);
    dt_assert (effect->snapshot.cluster_time_ms == self->entries[index].cluster_time_ms);
    dt_assert (effect->snapshot.config_index == 1);
    dt_assert (raft_config_is_sole_voter (effect->snapshot.config, 1));
    self->taking = index;
}

static void s_snapshot_answer (model_t *self, const raft_effect_t *effect)
{
    dt_assert (self->snapshot_requests > 0);
    self->snapshot_requests--;
    dt_assert (effect->snapshot_answer.rc != 0 || effect->snapshot_answer.index == self->snapshot);
}

static void s_compact (model_t *self, const raft_effect_t *effect)
{
    dt_assert (effect->compact.index + self->limits.log_keep_entries == self->snapshot);
    dt_assert (effect->compact.index >= self->log_first);
    self->log_first = effect->compact.index + 1;
}

static void s_status (model_t *self, const raft_effect_t *effect)
{
    dt_assert (effect->status.role == self->role);
    dt_assert (effect->status.term == self->hard_state.term);
    dt_assert (effect->status.leader == (self->role == RAFT_LEADER ? 1 : 0));
    dt_assert (effect->status.ready ==
               (self->role == RAFT_LEADER && self->durable >= self->own_first));
}

static void s_drained (model_t *self)
{
    dt_assert (self->stopping);
    dt_assert (!self->drained);
    dt_assert (self->taking == 0);
    dt_assert (self->applied == self->handed);
    dt_assert (self->role != RAFT_LEADER || self->applied == self->last);
    self->drained = true;
}

static void s_take (model_t *self, const raft_effect_t *effect)
{
    switch (effect->kind) {
    case RAFT_EFFECT_PERSIST:
        s_persist (self, effect);
        return;
    case RAFT_EFFECT_APPEND:
        s_append (self, effect);
        return;
    case RAFT_EFFECT_APPLY:
        s_apply (self, effect);
        return;
    case RAFT_EFFECT_REFUSE:
        s_refuse (self, effect);
        return;
    case RAFT_EFFECT_READ:
        s_read (self, effect);
        return;
    case RAFT_EFFECT_SNAPSHOT:
        s_snapshot (self, effect);
        return;
    case RAFT_EFFECT_SNAPSHOT_ANSWER:
        s_snapshot_answer (self, effect);
        return;
    case RAFT_EFFECT_COMPACT:
        s_compact (self, effect);
        return;
    case RAFT_EFFECT_STATUS:
        s_status (self, effect);
        return;
    case RAFT_EFFECT_DRAINED:
        s_drained (self);
        return;
    case RAFT_EFFECT_CONFIG: // the bootstrap's, or what was found
        return;
    default: // a sole voter never truncates and speaks to nobody
        break;
    }
    dt_unreachable ();
}

// Nothing is left undone: what could be answered or handed over was.
static void s_check_progress (const model_t *self)
{
    bool ready = self->own_first > 0 && self->durable >= self->own_first;
    dt_assert (self->replay_last || !ready || self->handed == self->durable);
    for (uint32_t i = 0; i < self->reads_count; i++) {
        const model_request_t *read = &self->reads[i];
        dt_assert (!read->waits || read->deadline_ns > self->now_ns);
        dt_assert (!read->waits || self->effects.next_deadline_ns <= read->deadline_ns);
        dt_assert (!read->waits || !ready || self->replay_last || read->index > self->handed);
        dt_assert (!read->waits || self->role != RAFT_FAILED);
    }
    bool wanted = self->limits.snapshot_after_entries > 0 &&
                  self->handed - self->snapshot >= self->limits.snapshot_after_entries;
    bool possible = self->replay_last == 0 && self->handed > self->snapshot &&
                    self->handed >= self->found_last && !self->stopping &&
                    self->role != RAFT_FAILED;
    dt_assert (!wanted || !possible || self->taking || self->now_ns < self->retry_not_before_ns ||
               self->effects.next_deadline_ns < RAFT_NEVER_NS);
}

static void s_check_status (const model_t *self)
{
    raft_status_t status;
    raft_core_status (self->core, &status);
    dt_assert (status.role == self->role);
    dt_assert (status.last == self->last);
    dt_assert (status.durable == self->durable);
    dt_assert (status.handed == self->handed);
    dt_assert (status.applied == self->applied);
    dt_assert (status.snapshot == self->snapshot);
    dt_assert (status.first == self->log_first);
    dt_assert (status.snapshot_in_progress == (self->taking > 0));
    if (self->role == RAFT_LEADER) {
        raft_index_t commit = self->durable >= self->own_first ? self->durable : self->snapshot;
        dt_assert (status.uncommitted_bytes == model_bytes_after (self, commit));
        dt_assert (status.unapplied_bytes == model_bytes_after (self, self->applied));
    }
}

void model_take_effects (model_t *self)
{
    for (size_t i = 0; i < self->effects.count; i++) {
        s_take (self, &self->effects.items[i]);
    }
    raft_effects_clear (&self->effects);
    dt_assert (self->seen_refusals == self->expected_refusals);
    raft_core_check (self->core);
    s_check_progress (self);
    s_check_status (self);
}
