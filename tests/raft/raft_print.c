#include "tests/raft/raft_print.h"

#include <inttypes.h>

#include "base/dt_error.h"

log_batch_t *raft_print_batch (uint32_t count, uint32_t payload_bytes)
{
    log_batch_t *batch = log_batch_new (count);
    batch->blob = dt_blob_new (payload_bytes);
    memset (dt_blob_data (batch->blob), 0, payload_bytes);
    for (uint32_t i = 0; i < count; i++) {
        batch->entries[batch->count++] = (log_entry_t){.type = LOG_ENTRY_COMMAND,
                                                       .payload = dt_blob_data (batch->blob),
                                                       .payload_bytes = payload_bytes};
    }
    return batch;
}

static void s_print_append (dt_buffer_t *text, const raft_effect_t *effect)
{
    static const char *const types[] = {"noop", "config", "command"};
    const log_entry_t *first = log_batch_entry (effect->append.batch, effect->append.first);
    const log_entry_t *last = log_batch_entry (effect->append.batch, effect->append.last);
    dt_buffer_printf (text, " %" PRIu64 "..%" PRIu64 " term=%" PRIu64 " time=%" PRIu64 " %s",
                      effect->append.first, effect->append.last, first->term,
                      first->cluster_time_ms, types[first->type]);
    if (first->type != last->type) {
        dt_buffer_printf (text, "..%s", types[last->type]);
    }
}

static void s_print_effect (dt_buffer_t *text, const raft_effect_t *effect)
{
    switch (effect->kind) {
    case RAFT_EFFECT_PERSIST:
        dt_buffer_printf (text, " term=%" PRIu64 " vote=%u", effect->hard_state.term,
                          effect->hard_state.vote);
        break;
    case RAFT_EFFECT_TRUNCATE:
        dt_buffer_printf (text, " from=%" PRIu64, effect->truncate.from);
        break;
    case RAFT_EFFECT_APPEND:
        s_print_append (text, effect);
        break;
    case RAFT_EFFECT_APPLY:
        dt_buffer_printf (text, " %" PRIu64 "..%" PRIu64 "%s%s", effect->apply.first,
                          effect->apply.last, effect->apply.batch ? "" : " from disk",
                          effect->apply.silent ? " silent" : "");
        break;
    case RAFT_EFFECT_REFUSE:
        dt_buffer_printf (text, " entries=%u from=%u %s", effect->refuse.batch->count,
                          effect->refuse.from, dt_error_name (effect->refuse.rc));
        break;
    case RAFT_EFFECT_READ:
        dt_buffer_printf (text, " request=%" PRIuPTR " %s index=%" PRIu64,
                          (uintptr_t) effect->read.request, dt_error_name (effect->read.rc),
                          effect->read.index);
        break;
    case RAFT_EFFECT_SEND:
        dt_buffer_printf (text, " kind=%s to=%u", raft_message_name (effect->message->kind),
                          effect->message->to);
        break;
    case RAFT_EFFECT_SNAPSHOT:
        dt_buffer_printf (text,
                          " index=%" PRIu64 " term=%" PRIu64 " time=%" PRIu64
                          " config_index=%" PRIu64 " voters=%u",
                          effect->snapshot.index, effect->snapshot.term,
                          effect->snapshot.cluster_time_ms, effect->snapshot.config_index,
                          effect->snapshot.config->voters.count);
        break;
    case RAFT_EFFECT_SNAPSHOT_ANSWER:
        dt_buffer_printf (text, " request=%" PRIuPTR " %s index=%" PRIu64 " bytes=%" PRIu64,
                          (uintptr_t) effect->snapshot_answer.request,
                          dt_error_name (effect->snapshot_answer.rc), effect->snapshot_answer.index,
                          effect->snapshot_answer.bytes);
        break;
    case RAFT_EFFECT_COMPACT:
        dt_buffer_printf (text, " upto=%" PRIu64, effect->compact.index);
        break;
    case RAFT_EFFECT_STATUS:
        dt_buffer_printf (
            text, " %s%s leader=%u term=%" PRIu64, raft_role_name (effect->status.role),
            effect->status.ready ? " ready" : "", effect->status.leader, effect->status.term);
        break;
    case RAFT_EFFECT_FETCH:
        dt_buffer_printf (text, " node=%u %" PRIu64 "..%" PRIu64, effect->fetch.node,
                          effect->fetch.first, effect->fetch.last);
        break;
    case RAFT_EFFECT_SNAPSHOT_SEND:
        dt_buffer_printf (text, " node=%u index=%" PRIu64, effect->snapshot_send.node,
                          effect->snapshot_send.index);
        break;
    case RAFT_EFFECT_SNAPSHOT_CANCEL:
        dt_buffer_printf (text, " node=%u", effect->snapshot_cancel.node);
        break;
    case RAFT_EFFECT_INSTALL:
        dt_buffer_printf (text, " index=%" PRIu64 " term=%" PRIu64, effect->install.index,
                          effect->install.term);
        break;
    case RAFT_EFFECT_CONFIG:
        dt_buffer_printf (text, " index=%" PRIu64, effect->config.index);
        break;
    case RAFT_EFFECT_CONFIG_ANSWER:
        dt_buffer_printf (text, " request=%" PRIuPTR " %s index=%" PRIu64 " %s",
                          (uintptr_t) effect->config_answer.request,
                          dt_error_name (effect->config_answer.rc), effect->config_answer.index,
                          effect->config_answer.why ? effect->config_answer.why : "");
        break;
    case RAFT_EFFECT_TRANSFER_ANSWER:
        dt_buffer_printf (text, " request=%" PRIuPTR " %s leader=%u %s",
                          (uintptr_t) effect->transfer_answer.request,
                          dt_error_name (effect->transfer_answer.rc),
                          effect->transfer_answer.leader,
                          effect->transfer_answer.why ? effect->transfer_answer.why : "");
        break;
    case RAFT_EFFECT_REPAIRED:
    case RAFT_EFFECT_DRAINED:
    case RAFT_EFFECT_KINDS:
        break;
    }
}

void raft_print_effects (dt_buffer_t *text, const raft_effects_t *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        dt_buffer_printf (text, "  %s", raft_effect_name (effects->items[i].kind));
        s_print_effect (text, &effects->items[i]);
        dt_buffer_printf (text, "\n");
    }
}

void raft_print_status (dt_buffer_t *text, const raft_core_t *core, const raft_effects_t *effects)
{
    raft_status_t status;
    raft_core_status (core, &status);
    dt_buffer_printf (text,
                      "  = %s%s term=%" PRIu64 " log=%" PRIu64 "..%" PRIu64 " durable=%" PRIu64
                      " commit=%" PRIu64 " handed=%" PRIu64 " applied=%" PRIu64 " snapshot=%" PRIu64
                      " config=%" PRIu64 " uncommitted=%" PRIu64 " memory=%" PRIu64 " reads=%u",
                      raft_role_name (status.role), status.ready ? " ready" : "",
                      status.hard_state.term, status.first, status.last, status.durable,
                      status.commit, status.handed, status.applied, status.snapshot,
                      status.config_index, status.uncommitted_bytes, status.memory_bytes,
                      status.reads_waiting);
    if (effects->next_deadline_ns != RAFT_NEVER_NS) {
        dt_buffer_printf (text, " deadline=%" PRId64, effects->next_deadline_ns / 1000000);
    }
    dt_buffer_printf (text, "\n");
}
