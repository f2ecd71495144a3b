// What a core wants done, one effect after the other.

#include "base/dt_assert.h"
#include "raft/raft_group_internal.h"

static void s_persist (raft_group_t *self, const raft_effect_t *effect)
{
    log_writer_persist_t *persist = log_writer_message_new (LOG_WRITER_PERSIST);
    persist->value.term = effect->hard_state.term;
    persist->value.vote = effect->hard_state.vote;
    actor_answer (self->actor, self->log_writer, &persist->message);
}

static void s_append (raft_group_t *self, raft_effect_t *effect)
{
    log_writer_append_t *append = log_writer_message_new (LOG_WRITER_APPEND);
    append->batch = effect->append.batch;
    append->first = effect->append.first;
    append->last = effect->append.last;
    effect->append.batch = NULL;
    actor_answer (self->actor, self->log_writer, &append->message);
}

static void s_to_log (raft_group_t *self, uint16_t type, uint64_t index)
{
    log_writer_index_t *message = log_writer_message_new (type);
    message->index = index;
    actor_answer (self->actor, self->log_writer, &message->message);
}

static void s_apply (raft_group_t *self, raft_effect_t *effect)
{
    log_batch_t *batch = effect->apply.batch;
    effect->apply.batch = NULL;
    if (batch) {
        raft_group_apply (self, batch, effect->apply.first, effect->apply.last,
                          effect->apply.silent);
    } else {
        raft_group_replay (self, effect->apply.first, effect->apply.last);
    }
}

static void s_refuse_batch (raft_group_t *self, const raft_effect_t *effect)
{
    const net_requests_t *requests = effect->refuse.batch->origin;
    if (requests) {
        raft_group_refuse (self, requests, effect->refuse.from, effect->refuse.to,
                           effect->refuse.rc, NULL);
    }
}

static void s_read (raft_group_t *self, const raft_effect_t *effect)
{
    net_requests_t *requests = effect->read.request;
    if (effect->read.rc == 0) {
        raft_group_to_machine (self, &requests->message);
    } else {
        raft_group_refuse_all (self, requests, effect->read.rc, NULL);
    }
}

static void s_snapshot (raft_group_t *self, const raft_effect_t *effect)
{
    machine_snapshot_t *snapshot = raft_machine_message_new (MACHINE_SNAPSHOT);
    snapshot->meta = (raft_snapshot_meta_t){
        .index = effect->snapshot.index,
        .term = effect->snapshot.term,
        .cluster_time_ms = effect->snapshot.cluster_time_ms,
        .config_index = effect->snapshot.config_index,
        .config = *effect->snapshot.config,
    };
    raft_group_to_machine (self, &snapshot->message);
}

static void s_status (raft_group_t *self, const raft_effect_t *effect)
{
    self->leader = effect->status.leader;
    atomic_store (&self->ready, effect->status.ready);
    atomic_store (&self->settled, effect->status.ready || (effect->status.role == RAFT_FOLLOWER &&
                                                           effect->status.leader != 0));
}

static void s_carry_out (raft_group_t *self, raft_effect_t *effect)
{
    switch (effect->kind) {
    case RAFT_EFFECT_PERSIST:
        s_persist (self, effect);
        break;
    case RAFT_EFFECT_TRUNCATE:
        s_to_log (self, LOG_WRITER_TRUNCATE, effect->truncate.from);
        break;
    case RAFT_EFFECT_APPEND:
        s_append (self, effect);
        break;
    case RAFT_EFFECT_APPLY:
        s_apply (self, effect);
        break;
    case RAFT_EFFECT_REFUSE:
        s_refuse_batch (self, effect);
        break;
    case RAFT_EFFECT_READ:
        s_read (self, effect);
        break;
    case RAFT_EFFECT_SEND:
        raft_group_send (self, effect->message);
        break;
    case RAFT_EFFECT_FETCH:
        raft_group_fetch (self, effect);
        break;
    case RAFT_EFFECT_SNAPSHOT:
        s_snapshot (self, effect);
        break;
    case RAFT_EFFECT_SNAPSHOT_ANSWER:
        raft_group_answer_snapshot (self, effect);
        break;
    case RAFT_EFFECT_SNAPSHOT_SEND:
        raft_group_send_snapshot (self, effect);
        break;
    case RAFT_EFFECT_SNAPSHOT_CANCEL:
        raft_group_cancel_snapshot (self, effect->snapshot_cancel.node);
        break;
    case RAFT_EFFECT_INSTALL:
        raft_group_install (self, effect);
        break;
    case RAFT_EFFECT_REPAIRED:
        actor_answer (self->actor, self->log_writer, log_writer_message_new (LOG_WRITER_REPAIRED));
        break;
    case RAFT_EFFECT_CONFIG:
        raft_group_new_config (self, effect);
        break;
    case RAFT_EFFECT_CONFIG_ANSWER:
        raft_group_answer_change (self, effect);
        break;
    case RAFT_EFFECT_TRANSFER_ANSWER:
        raft_group_answer_transfer (self, effect);
        break;
    case RAFT_EFFECT_COMPACT:
        s_to_log (self, LOG_WRITER_COMPACT, effect->compact.index);
        break;
    case RAFT_EFFECT_STATUS:
        s_status (self, effect);
        break;
    case RAFT_EFFECT_DRAINED:
        self->drained = true;
        break;
    case RAFT_EFFECT_KINDS:
        dt_unreachable ();
    }
}

void raft_group_carry_out (raft_group_t *self)
{
    for (size_t i = 0; i < self->effects.count; i++) {
        s_carry_out (self, &self->effects.items[i]);
    }
    raft_effects_clear (&self->effects);
}
