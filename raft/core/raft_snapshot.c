// Snapshots: when one is taken, and what may leave the log after it.

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

static void s_answer (void *request, int rc, const raft_snapshot_t *snapshot,
                      raft_effects_t *effects)
{
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_SNAPSHOT_ANSWER);
    effect->snapshot_answer.request = request;
    effect->snapshot_answer.rc = rc;
    if (rc == 0) {
        effect->snapshot_answer.index = snapshot->index;
        effect->snapshot_answer.bytes = snapshot->bytes;
    }
}

// The log's position (raft_log_bytes_end) at the last entry handed to the machine.
static uint64_t s_handed_bytes (const raft_core_t *self)
{
    return raft_log_bytes_end (self->log) - raft_log_bytes_after (self->log, self->handed);
}

// Take a snapshot at the last entry handed over, which is not on disk only: the core knows it.
static void s_begin (raft_core_t *self, raft_effects_t *effects)
{
    raft_snapshot_t *snapshot = &self->snapshot;
    raft_term_t term = 0;
    raft_term_lookup_t found = raft_log_term (self->log, self->handed, &term);
    dt_assert (found == RAFT_TERM_KNOWN);
    const raft_config_at_t *at = raft_config_stack_at (self->configs, self->handed);
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_SNAPSHOT);
    effect->snapshot.index = self->handed;
    effect->snapshot.term = term;
    effect->snapshot.cluster_time_ms = self->handed_cluster_ms;
    effect->snapshot.config_index = at->index;
    effect->snapshot.config = dt_memdup (&at->config, sizeof at->config);
    snapshot->in_progress = true;
    snapshot->taking_index = self->handed;
    snapshot->taking_term = term;
    snapshot->taking_mark_bytes = s_handed_bytes (self);
    raft_trace (self, DT_LOG_INFO, "take snapshot index=%lu term=%lu config_index=%lu",
                self->handed, term, at->index);
}

// Whether there is more to put into a snapshot than the last one has, and the core knows term and
// time of its last entry, which it does not inside the range it found on disk.
static bool s_is_possible (const raft_core_t *self)
{
    return self->handed > self->snapshot.index && !raft_commit_replays (self) &&
           !raft_install_runs (self) && self->handed >= self->options.recovered.log_last;
}

// Whether the log has grown past what the policy allows. The first comparisons are cheap.
static bool s_is_due (const raft_core_t *self)
{
    const raft_core_options_t *options = &self->options;
    uint64_t entries = self->handed - self->snapshot.index;
    if (options->snapshot_after_entries > 0 && entries >= options->snapshot_after_entries) {
        return true;
    }
    uint64_t after = options->snapshot_after_bytes;
    if (after == 0 || raft_log_bytes_end (self->log) - self->snapshot.mark_bytes < after) {
        return false;
    }
    return s_handed_bytes (self) - self->snapshot.mark_bytes >= after;
}

// Whether the policy wants one, now or once retry_at_ns has come.
static bool s_is_wanted (const raft_core_t *self)
{
    return !self->snapshot.in_progress && !self->stopping && self->role != RAFT_FAILED &&
           s_is_possible (self) && s_is_due (self);
}

void raft_snapshot_settle (raft_core_t *self, raft_effects_t *effects)
{
    if (self->now_ns >= self->snapshot.retry_at_ns && s_is_wanted (self)) {
        s_begin (self, effects);
    }
}

void raft_snapshot_want (raft_core_t *self, raft_effects_t *effects)
{
    if (!self->snapshot.in_progress && !self->stopping && self->role != RAFT_FAILED &&
        s_is_possible (self)) {
        s_begin (self, effects);
    }
}

int64_t raft_snapshot_deadline_ns (const raft_core_t *self)
{
    bool waits = self->snapshot.retry_at_ns > self->now_ns && s_is_wanted (self);
    return waits ? self->snapshot.retry_at_ns : RAFT_NEVER_NS;
}

// 0: a snapshot may begin; 1: the last one is as new as can be; else why there is none now.
static int s_may_take (const raft_core_t *self)
{
    if (self->role == RAFT_FAILED) {
        return self->failed_rc;
    }
    if (self->stopping) {
        return DT_ERR_STOPPING;
    }
    if (self->snapshot.in_progress) {
        return DT_ERR_SNAPSHOT_BUSY;
    }
    if (self->handed > 0 && self->handed == self->snapshot.index) {
        return 1;
    }
    return s_is_possible (self) ? 0 : DT_ERR_NOT_READY;
}

void raft_snapshot_take (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    void *request = event->snapshot_take.request;
    int rc = s_may_take (self);
    if (rc < 0) {
        raft_trace (self, DT_LOG_DEBUG, "refuse snapshot rc=%s handed=%lu", dt_error_name (rc),
                    self->handed);
        s_answer (request, rc, NULL, effects);
    } else if (rc == 1) {
        s_answer (request, 0, &self->snapshot, effects);
    } else {
        self->snapshot.has_request = true;
        self->snapshot.request = request;
        s_begin (self, effects);
    }
}

// The one in progress has ended.
static void s_end (raft_core_t *self, int rc, raft_effects_t *effects)
{
    raft_snapshot_t *snapshot = &self->snapshot;
    snapshot->in_progress = false;
    if (snapshot->has_request) {
        s_answer (snapshot->request, rc, snapshot, effects);
        snapshot->has_request = false;
        snapshot->request = NULL;
    }
}

// How many entries stay below a snapshot, by what the last ones weighed.
static uint64_t s_keep_entries (const raft_core_t *self)
{
    uint64_t keep = self->options.log_keep_entries;
    uint64_t entries = self->snapshot.index - self->snapshot.before;
    uint64_t bytes = self->snapshot.mark_bytes - self->snapshot.before_bytes;
    if (self->options.log_keep_bytes > 0 && entries > 0 && bytes > 0) {
        uint64_t fit = self->options.log_keep_bytes / (bytes / entries + 1);
        keep = fit < keep ? fit : keep;
    }
    return keep;
}

// Let go of what the snapshot covers. Only now: it is durable, directory included [DISK-8].
static void s_compact (raft_core_t *self, raft_effects_t *effects)
{
    raft_index_t index = self->snapshot.index;
    raft_index_t keep = s_keep_entries (self);
    raft_config_stack_compact (self->configs, index);
    if (index <= keep || index - keep < raft_log_first (self->log)) {
        return;
    }
    raft_log_compact (self->log, index - keep);
    raft_effects_add (effects, RAFT_EFFECT_COMPACT)->compact.index = index - keep;
}

void raft_snapshot_saved (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    raft_snapshot_t *snapshot = &self->snapshot;
    if (self->role == RAFT_FAILED) {
        return; // abandoned; what it covers stays in the log
    }
    dt_assert (snapshot->in_progress);
    dt_assert (event->snapshot_saved.index == snapshot->taking_index);
    dt_assert (event->snapshot_saved.term == snapshot->taking_term);
    raft_commit_note_applied (self, snapshot->taking_index); // two actors report, in any order
    snapshot->before = snapshot->index;
    snapshot->before_bytes = snapshot->mark_bytes;
    snapshot->index = snapshot->taking_index;
    snapshot->term = snapshot->taking_term;
    snapshot->bytes = event->snapshot_saved.bytes;
    snapshot->mark_bytes = snapshot->taking_mark_bytes;
    snapshot->retry_at_ns = INT64_MIN;
    raft_log_set_snapshot (self->log, snapshot->index, snapshot->term);
    raft_trace (self, DT_LOG_INFO, "snapshot saved index=%lu term=%lu bytes=%lu", snapshot->index,
                snapshot->term, snapshot->bytes);
    s_compact (self, effects);
    s_end (self, 0, effects);
}

void raft_snapshot_failed (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    raft_snapshot_t *snapshot = &self->snapshot;
    if (self->role == RAFT_FAILED) {
        return;
    }
    dt_assert (event->failed.rc < 0);
    dt_assert (snapshot->in_progress);
    // Groups of one node fail together when its disk fills up; they come back one by one.
    uint64_t retry_ms = self->options.snapshot_retry_ms;
    retry_ms += dt_random_below (&self->random, retry_ms / 2 + 1);
    snapshot->retry_at_ns = self->now_ns + (int64_t) retry_ms * 1000000;
    raft_trace (self, DT_LOG_WARN, "snapshot failed rc=%s index=%lu retry_ms=%lu",
                dt_error_name (event->failed.rc), snapshot->taking_index, retry_ms);
    s_end (self, event->failed.rc, effects);
}

void raft_snapshot_abandon (raft_core_t *self, int rc, raft_effects_t *effects)
{
    if (self->snapshot.in_progress) {
        s_end (self, rc, effects);
    }
}
