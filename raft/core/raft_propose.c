// Proposals: what is accepted, what is stamped into the entries, and a leader's own first entries.

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

// The group's own time: what the log said when this leader began, and what passed since. Never
// behind the last entry's.
static uint64_t s_cluster_time_ms (const raft_core_t *self)
{
    uint64_t passed_ms = (uint64_t) (self->now_ns - self->lead.since_ns) / 1000000;
    uint64_t time_ms = self->lead.since_cluster_ms + passed_ms;
    uint64_t last_ms = raft_log_cluster_time_ms (self->log);
    return time_ms > last_ms ? time_ms : last_ms;
}

// Stamp a batch, put it behind the log and have it written.
static void s_append (raft_core_t *self, log_batch_t *batch, uint64_t bytes,
                      raft_effects_t *effects)
{
    dt_assert (self->role == RAFT_LEADER);
    raft_index_t first = raft_log_last (self->log) + 1;
    uint64_t cluster_time_ms = s_cluster_time_ms (self);
    for (uint32_t i = 0; i < batch->count; i++) {
        log_entry_t *entry = &batch->entries[i];
        entry->index = first + i;
        entry->term = self->hard_state.term;
        entry->cluster_time_ms = cluster_time_ms;
        entry->wall_ms = self->wall_ms;
    }
    raft_log_piece_t piece = {
        .batch = batch, .first = first, .last = first + batch->count - 1, .bytes = bytes};
    raft_log_append (self->log, &piece);
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_APPEND);
    effect->append.batch = batch; // the reference moves on
    effect->append.first = piece.first;
    effect->append.last = piece.last;
}

// A batch of one configuration, and perhaps more entries behind it.
static log_batch_t *s_config_batch (const raft_config_t *config, uint32_t capacity)
{
    log_batch_t *batch = log_batch_new (capacity);
    dt_buffer_t bytes = {0};
    raft_config_encode (config, &bytes);
    batch->blob = dt_blob_new (bytes.bytes);
    memcpy (dt_blob_data (batch->blob), bytes.data, bytes.bytes);
    batch->entries[batch->count++] = (log_entry_t){.type = LOG_ENTRY_CONFIG,
                                                   .payload = dt_blob_data (batch->blob),
                                                   .payload_bytes = (uint32_t) bytes.bytes};
    dt_buffer_deinit (&bytes);
    return batch;
}

static void s_append_own (raft_core_t *self, log_batch_t *batch, raft_effects_t *effects)
{
    uint64_t bytes =
        log_batch_payload_bytes (batch) + (uint64_t) batch->count * RAFT_ENTRY_OVERHEAD_BYTES;
    s_append (self, batch, bytes, effects);
}

void raft_propose_first (raft_core_t *self, raft_effects_t *effects)
{
    if (!self->bootstrap_due && dt_planted (DT_PLANTED_NO_NOOP)) {
        return;
    }
    log_batch_t *batch;
    if (self->bootstrap_due) {
        dt_assert (raft_log_last (self->log) == 0);
        batch = s_config_batch (&self->options.bootstrap, 2);
        raft_trace (self, DT_LOG_INFO, "bootstrap voters=%u observers=%u",
                    self->options.bootstrap.voters.count, self->options.bootstrap.observers.count);
        raft_membership_push (self, 1, &self->options.bootstrap, effects);
    } else {
        batch = log_batch_new (1);
    }
    batch->entries[batch->count++] = (log_entry_t){.type = LOG_ENTRY_NOOP};
    s_append_own (self, batch, effects);
}

raft_index_t raft_propose_config (raft_core_t *self, const raft_config_t *config,
                                  raft_effects_t *effects)
{
    raft_index_t index = raft_log_last (self->log) + 1;
    s_append_own (self, s_config_batch (config, 1), effects);
    raft_membership_push (self, index, config, effects);
    return index;
}

// Whether a CLOCK entry may be appended once the machine wants one: what it wants is known as of
// this term, and there is never more than one on its way.
static bool s_clock_may_come (const raft_core_t *self)
{
    return self->role == RAFT_LEADER && self->due_ms > 0 && !self->stopping &&
           self->transfer.to == 0 && !self->disk_full && self->applied >= self->lead.own_first &&
           self->applied >= self->lead.clock;
}

int64_t raft_propose_deadline_ns (const raft_core_t *self)
{
    if (!s_clock_may_come (self)) {
        return RAFT_NEVER_NS;
    }
    if (self->due_ms <= s_cluster_time_ms (self)) {
        return self->now_ns;
    }
    uint64_t wait_ms = self->due_ms - self->lead.since_cluster_ms;
    uint64_t wait_ms_max = (uint64_t) (RAFT_NEVER_NS - self->lead.since_ns) / 1000000;
    return wait_ms < wait_ms_max ? self->lead.since_ns + (int64_t) wait_ms * 1000000
                                 : RAFT_NEVER_NS;
}

void raft_propose_settle (raft_core_t *self, raft_effects_t *effects)
{
    if (!s_clock_may_come (self) || self->due_ms > s_cluster_time_ms (self)) {
        return;
    }
    log_batch_t *batch = log_batch_new (1);
    batch->entries[batch->count++] = (log_entry_t){.type = LOG_ENTRY_CLOCK};
    self->lead.clock = raft_log_last (self->log) + 1;
    s_append_own (self, batch, effects);
}

// What one look over a batch's entries tells.
typedef struct {
    uint64_t bytes;             // weight
    uint32_t payload_bytes_max; // of the longest
    bool commands_only;
} batch_facts_t;

static batch_facts_t s_look (const log_batch_t *batch)
{
    batch_facts_t facts = {.bytes = (uint64_t) batch->count * RAFT_ENTRY_OVERHEAD_BYTES};
    uint32_t foreign = 0;
    for (uint32_t i = 0; i < batch->count; i++) {
        const log_entry_t *entry = &batch->entries[i];
        facts.bytes += entry->payload_bytes;
        if (entry->payload_bytes > facts.payload_bytes_max) {
            facts.payload_bytes_max = entry->payload_bytes;
        }
        foreign |= entry->type ^ LOG_ENTRY_COMMAND;
    }
    facts.commands_only = foreign == 0;
    return facts;
}

// 0, or why a batch is not accepted now, with the reason in words.
static int s_may_append (raft_core_t *self, const batch_facts_t *facts, const char **why)
{
    if (self->role == RAFT_FAILED) {
        *why = "the group failed here";
        return raft_core_failed_rc (self);
    }
    if (self->stopping) {
        *why = "stopping";
        return DT_ERR_STOPPING;
    }
    if (self->role != RAFT_LEADER) {
        *why = self->role == RAFT_CANDIDATE ? "campaigning" : "not leader";
        return self->role == RAFT_CANDIDATE ? DT_ERR_NOT_READY : DT_ERR_NOT_LEADER;
    }
    if (self->transfer.to != 0) {
        *why = "leadership is being handed over";
        return DT_ERR_NOT_READY;
    }
    if (!facts->commands_only) {
        *why = "an entry is no command";
        return DT_ERR_INVALID;
    }
    if (facts->payload_bytes_max > self->options.payload_bytes_max) {
        *why = "a payload is too long";
        return DT_ERR_TOO_BIG;
    }
    if (self->disk_full) {
        *why = "the disk is full";
        return DT_ERR_NO_SPACE;
    }
    // A batch over a limit of its own size is let in when nothing else is: it would never be.
    uint64_t uncommitted = raft_log_bytes_after (self->log, self->commit);
    if (uncommitted > 0 && uncommitted + facts->bytes > self->options.uncommitted_bytes_max) {
        *why = "uncommitted_bytes_max";
        return DT_ERR_BUSY;
    }
    uint64_t unapplied = raft_log_bytes_after (self->log, self->applied);
    if (unapplied > 0 && unapplied + facts->bytes > self->options.unapplied_bytes_max) {
        *why = "unapplied_bytes_max";
        return DT_ERR_BUSY;
    }
    return 0;
}

void raft_propose (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    log_batch_t *batch = event->propose.batch;
    dt_assert (batch->count > 0);
    batch_facts_t facts = s_look (batch);
    const char *why = NULL;
    int rc = s_may_append (self, &facts, &why);
    if (rc == 0) {
        s_append (self, batch, facts.bytes, effects);
        return;
    }
    raft_trace (self, DT_LOG_DEBUG, "refuse proposal rc=%s entries=%u bytes=%lu: %s",
                dt_error_name (rc), batch->count, facts.bytes, why);
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_REFUSE);
    effect->refuse.batch = batch; // the reference moves on
    effect->refuse.to = batch->count;
    effect->refuse.rc = rc;
}
