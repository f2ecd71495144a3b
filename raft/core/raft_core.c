#include "raft/core/raft_core.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

#define MIB (1024ULL * 1024)

static void s_defaults (raft_core_options_t *options)
{
    if (options->election_timeout_ms == 0) {
        options->election_timeout_ms = 1000;
    }
    if (options->uncommitted_bytes_max == 0) {
        options->uncommitted_bytes_max = 64 * MIB;
    }
    if (options->unapplied_bytes_max == 0) {
        options->unapplied_bytes_max = 128 * MIB;
    }
    if (options->reads_max == 0) {
        options->reads_max = 10000;
    }
    if (options->snapshot_retry_ms == 0) {
        options->snapshot_retry_ms = 30000;
    }
}

static raft_log_t *s_open_log (const raft_recovered_t *found, uint64_t retain_bytes)
{
    raft_log_start_t start = {
        .snapshot_index = found->snapshot_index,
        .snapshot_term = found->snapshot_term,
        .first = found->log_first,
        .last = found->log_last,
        .last_term = found->log_last_term,
        .cluster_time_ms =
            found->log_first ? found->log_last_cluster_time_ms : found->snapshot_cluster_time_ms,
        .bytes = found->log_bytes,
    };
    return raft_log_new (&start, retain_bytes);
}

// The floor is the snapshot's configuration, else the log's first, else that of the bootstrap.
static raft_config_stack_t *s_open_configs (const raft_core_options_t *options)
{
    const raft_recovered_t *found = &options->recovered;
    raft_config_stack_t *stack = NULL;
    if (found->snapshot_index > 0) {
        stack = raft_config_stack_new (found->snapshot_config_index, &found->snapshot_config);
    }
    for (size_t i = 0; i < found->configs_count; i++) {
        const raft_config_at_t *at = &found->configs[i];
        if (!stack) {
            stack = raft_config_stack_new (at->index, &at->config);
        } else if (at->index > raft_config_stack_latest (stack)->index) {
            raft_config_stack_push (stack, at->index, &at->config);
        }
    }
    if (!stack && options->has_bootstrap) {
        stack = raft_config_stack_new (0, &options->bootstrap);
    }
    return stack;
}

raft_core_t *raft_core_new (const raft_core_options_t *options)
{
    dt_assert (raft_core_options_check (options, NULL) == 0);
    const raft_recovered_t *found = &options->recovered;
    raft_core_t *self = dt_zalloc (1, sizeof *self);
    self->options = *options;
    self->options.recovered.configs = NULL; // borrowed for this call only
    s_defaults (&self->options);
    dt_random_init_stream (&self->random, options->seed, "raft");
    self->now_ns = INT64_MIN;
    self->role = RAFT_FOLLOWER;
    self->hard_state = found->hard_state;
    self->hard_state_durable = found->hard_state;
    self->log = s_open_log (found, options->log_retain_bytes);
    self->configs = s_open_configs (options);
    self->bootstrap_due = self->configs && raft_config_stack_latest (self->configs)->index == 0;
    self->durable = raft_log_last (self->log);
    self->commit = found->snapshot_index;
    self->handed = found->snapshot_index;
    self->handed_cluster_ms = found->snapshot_cluster_time_ms;
    self->applied = found->snapshot_index;
    self->snapshot.index = found->snapshot_index;
    self->snapshot.term = found->snapshot_term;
    self->snapshot.bytes = found->snapshot_bytes;
    self->snapshot.retry_at_ns = INT64_MIN;
    self->reads.lowest_index = UINT64_MAX;
    self->reads.nearest_deadline_ns = RAFT_NEVER_NS;
    return self;
}

void raft_core_destroy (raft_core_t **self_p)
{
    raft_core_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    raft_log_destroy (&self->log);
    raft_config_stack_destroy (&self->configs);
    free (self->reads.items);
    free (self);
}

static void s_tick (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    // Everything that time does is settled after each event.
    (void) self;
    (void) event;
    (void) effects;
}

static void s_disk_full (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) effects;
    if (self->disk_full != event->disk_full.on) {
        self->disk_full = event->disk_full.on;
        raft_trace (self, DT_LOG_INFO, "disk %s", self->disk_full ? "full" : "has space again");
    }
}

static void s_disk_failed (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    dt_assert (event->failed.rc < 0);
    if (self->role == RAFT_FAILED) {
        return; // the first error is the one to tell
    }
    raft_trace (self, DT_LOG_ERROR, "failed rc=%s term=%lu durable=%lu commit=%lu last=%lu",
                dt_error_name (event->failed.rc), self->hard_state.term, self->durable,
                self->commit, raft_log_last (self->log));
    self->role = RAFT_FAILED;
    self->failed_rc = event->failed.rc;
    self->leader = 0;
    self->ready = false;
    raft_commit_abandon (self, effects);
    raft_read_fail (self, 0, self->failed_rc, effects);
    raft_snapshot_abandon (self, self->failed_rc, effects);
}

static void s_stop (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) event;
    if (self->stopping) {
        return;
    }
    self->stopping = true;
    raft_trace (self, DT_LOG_INFO, "stop last=%lu applied=%lu", raft_log_last (self->log),
                self->applied);
    // Nothing will be appended any more, and without a leader nothing applied: these would wait for
    // ever.
    bool goes_on = self->role == RAFT_LEADER || self->role == RAFT_CANDIDATE;
    raft_index_t reach = goes_on ? raft_log_last (self->log) : self->handed;
    raft_read_fail (self, reach, DT_ERR_STOPPING, effects);
}

static raft_handler_fn *const s_handlers[RAFT_EVENT_KINDS] = {
    [RAFT_EVENT_START] = raft_election_start,
    [RAFT_EVENT_TICK] = s_tick,
    [RAFT_EVENT_PROPOSE] = raft_propose,
    [RAFT_EVENT_HARD_STATE_DURABLE] = raft_election_hard_state_durable,
    [RAFT_EVENT_APPENDED] = raft_commit_appended,
    [RAFT_EVENT_APPLIED] = raft_commit_applied,
    [RAFT_EVENT_READ] = raft_read,
    [RAFT_EVENT_SNAPSHOT_TAKE] = raft_snapshot_take,
    [RAFT_EVENT_SNAPSHOT_SAVED] = raft_snapshot_saved,
    [RAFT_EVENT_SNAPSHOT_FAILED] = raft_snapshot_failed,
    [RAFT_EVENT_DISK_FULL] = s_disk_full,
    [RAFT_EVENT_DISK_FAILED] = s_disk_failed,
    [RAFT_EVENT_STOP] = s_stop,
};

// Whether nothing is in flight: every entry has reached the end it can reach in this role, and
// nobody waits for an answer.
static bool s_is_drained (const raft_core_t *self)
{
    if (self->applied != self->handed || self->reads.count > 0 || self->snapshot.in_progress) {
        return false;
    }
    switch (self->role) {
    case RAFT_FAILED:
        return self->handed == self->commit;
    case RAFT_FOLLOWER:
        return self->durable == raft_log_last (self->log);
    case RAFT_CANDIDATE:
        return false; // becomes a follower first
    case RAFT_LEADER:
        return self->handed == raft_log_last (self->log);
    }
    dt_unreachable ();
}

static void s_settle_drained (raft_core_t *self, raft_effects_t *effects)
{
    if (self->stopping && !self->drained && s_is_drained (self)) {
        self->drained = true;
        raft_effects_add (effects, RAFT_EFFECT_DRAINED);
    }
}

void raft_core_step (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    dt_assert ((unsigned) event->kind < RAFT_EVENT_KINDS);
    dt_assert (self->started == (event->kind != RAFT_EVENT_START));
    if (event->now_ns > self->now_ns) {
        self->now_ns = event->now_ns;
    }
    self->wall_ms = event->wall_ms;
    s_handlers[event->kind](self, event, effects);
    raft_commit_settle (self, effects);
    raft_read_settle (self, effects);
    raft_snapshot_settle (self, effects);
    raft_election_settle (self, effects);
    s_settle_drained (self, effects);
    int64_t snapshot_ns = raft_snapshot_deadline_ns (self);
    int64_t read_ns = self->reads.nearest_deadline_ns;
    effects->next_deadline_ns = snapshot_ns < read_ns ? snapshot_ns : read_ns;
}

void raft_core_status (const raft_core_t *self, raft_status_t *status)
{
    *status = (raft_status_t){
        .role = self->role,
        .ready = self->ready,
        .stopping = self->stopping,
        .disk_full = self->disk_full,
        .snapshot_in_progress = self->snapshot.in_progress,
        .failed_rc = self->failed_rc,
        .hard_state = self->hard_state,
        .leader = self->leader,
        .first = raft_log_first (self->log),
        .last = raft_log_last (self->log),
        .durable = self->durable,
        .commit = self->commit,
        .handed = self->handed,
        .applied = self->applied,
        .snapshot = self->snapshot.index,
        .snapshot_bytes = self->snapshot.bytes,
        .cluster_time_ms = raft_log_cluster_time_ms (self->log),
        .uncommitted_bytes = raft_log_bytes_after (self->log, self->commit),
        .unapplied_bytes = raft_log_bytes_after (self->log, self->applied),
        .memory_bytes = raft_log_memory_bytes (self->log),
        .reads_waiting = self->reads.count,
        .config_index = self->configs ? raft_config_stack_latest (self->configs)->index : 0,
    };
}

const raft_config_at_t *raft_core_config (const raft_core_t *self)
{
    return self->configs ? raft_config_stack_latest (self->configs) : NULL;
}
