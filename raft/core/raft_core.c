#include "raft/core/raft_core.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

#define MIB (1024ULL * 1024)

static void s_defaults (raft_core_options_t *options)
{
    if (options->election_timeout_ms == 0) {
        options->election_timeout_ms = 1000;
    }
    if (options->heartbeat_ms == 0) {
        options->heartbeat_ms =
            options->election_timeout_ms / 10 ? options->election_timeout_ms / 10 : 1;
    }
    if (options->clock_drift_permille == 0) {
        options->clock_drift_permille = 10;
    }
    if (options->lease_guard_ms == 0) {
        options->lease_guard_ms = 5;
    }
    if (options->append_bytes_max == 0) {
        options->append_bytes_max = MIB / 2;
    }
    if (options->in_flight_bytes_max == 0) {
        options->in_flight_bytes_max = 16 * MIB;
    }
    if (options->in_flight_appends_max == 0) {
        options->in_flight_appends_max = 256;
    }
    if (options->catch_up_entries == 0) {
        options->catch_up_entries = 5000;
    }
    if (options->payload_bytes_max == 0) {
        options->payload_bytes_max = LOG_ENTRY_PAYLOAD_BYTES_MAX;
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
        .terms = found->terms,
        .terms_count = found->terms_count,
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
    self->options.recovered.terms = NULL;
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
    self->disk_last = self->durable;
    self->election_ns = RAFT_NEVER_NS;
    self->heard_ns = INT64_MIN;
    self->bound_until_ns = INT64_MIN;
    self->reads.fresh_ns = INT64_MIN;
    // Questions of an earlier life may still be answered: number those of this one elsewhere.
    dt_random_t numbers;
    dt_random_init_stream (&numbers, options->seed, "questions");
    self->reads.asked = dt_random_next (&numbers) >> 2;
    self->reads.answered = self->reads.asked;
    self->repair_until = found->repair_until;
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
    raft_peers_end (self, NULL);
    raft_install_forget (self);
    raft_message_destroy (&self->reject);
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

static void s_disk_stalled (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) effects;
    self->disk_stalled = event->disk_stalled.on; // what follows is settled: step down, or campaign
}

raft_message_t *raft_core_send (raft_core_t *self, raft_node_id_t to, raft_message_kind_t kind,
                                raft_effects_t *effects)
{
    dt_assert (raft_core_term_durable (self) || dt_planted (DT_PLANTED_VOTE_BEFORE_DURABLE));
    raft_message_t *message = raft_message_new (kind);
    message->from = self->options.node_id;
    message->to = to;
    message->term = self->hard_state.term;
    raft_effects_add (effects, RAFT_EFFECT_SEND)->message = message;
    return message;
}

void raft_core_introduce (const raft_core_t *self, raft_message_t *message)
{
    const raft_config_t *config = raft_core_config_now (self);
    const raft_node_info_t *me = config ? raft_config_node (config, self->options.node_id) : NULL;
    if (me) {
        memcpy (message->from_peer, me->peer, sizeof message->from_peer);
    }
}

void raft_core_persist (raft_core_t *self, raft_effects_t *effects)
{
    raft_effects_add (effects, RAFT_EFFECT_PERSIST)->hard_state = self->hard_state;
}

bool raft_core_term_durable (const raft_core_t *self)
{
    return self->hard_state_durable.term == self->hard_state.term;
}

const raft_config_t *raft_core_config_now (const raft_core_t *self)
{
    return self->configs ? &raft_config_stack_latest (self->configs)->config : NULL;
}

bool raft_core_is_alone (const raft_core_t *self)
{
    const raft_config_t *config = raft_core_config_now (self);
    return config && raft_config_is_sole_voter (config, self->options.node_id);
}

int64_t raft_core_promise_ns (const raft_core_t *self)
{
    return (int64_t) self->options.election_timeout_ms * 1000000;
}

int64_t raft_core_promise_slow_ns (const raft_core_t *self)
{
    return raft_core_promise_ns (self) / 1000 * (1000 + self->options.clock_drift_permille) +
           (int64_t) self->options.lease_guard_ms * 1000000;
}

// What became of proposals that are not durable here: nobody knows, except that a log without space
// did not write them and nobody else ever had them.
static int s_fate_of_pending (const raft_core_t *self, int rc)
{
    bool only_here = raft_core_is_alone (self) &&
                     raft_config_stack_latest (self->configs)->index <= self->commit;
    return rc == DT_ERR_NO_SPACE && only_here ? rc : DT_ERR_OUTCOME_UNKNOWN;
}

void raft_core_fail (raft_core_t *self, int rc, const char *why, raft_effects_t *effects)
{
    dt_assert (rc < 0);
    if (self->role == RAFT_FAILED) {
        return; // the first error is the one to tell
    }
    raft_trace (self, DT_LOG_ERROR, "failed rc=%s term=%lu durable=%lu commit=%lu last=%lu%s%s",
                dt_error_name (rc), self->hard_state.term, self->durable, self->commit,
                raft_log_last (self->log), why ? ": " : "", why ? why : "");
    if (self->role == RAFT_LEADER) {
        raft_membership_abandon (self, DT_ERR_OUTCOME_UNKNOWN, effects);
        raft_peers_end (self, effects);
    }
    self->role = RAFT_FAILED;
    self->failed_rc = rc;
    self->leader = 0;
    self->ready = false;
    self->asking = false;
    self->vote_due.to = 0;
    self->ack_due = false;
    raft_message_destroy (&self->reject);
    // What others committed and this disk does not have never reaches the machine.
    raft_index_t after = self->durable < self->commit ? self->durable : self->commit;
    raft_commit_abandon (self, after, s_fate_of_pending (self, rc), effects);
    raft_read_fail (self, 0, rc, effects);
    raft_snapshot_abandon (self, rc, effects);
    if (!self->install.begun) {
        raft_install_forget (self);
    }
}

int raft_core_failed_rc (const raft_core_t *self)
{
    const raft_config_t *config = raft_core_config_now (self);
    return config && !raft_core_is_alone (self) ? DT_ERR_NOT_LEADER : self->failed_rc;
}

static void s_disk_failed (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    raft_core_fail (self, event->failed.rc, NULL, effects);
}

static void s_message (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    raft_message_t *message = event->message;
    bool meant = message->to == self->options.node_id && message->from != 0 &&
                 message->from != self->options.node_id;
    if (meant && self->role != RAFT_FAILED) {
        switch (message->kind) {
        case RAFT_MESSAGE_VOTE:
            raft_election_on_vote (self, message, effects);
            break;
        case RAFT_MESSAGE_VOTE_REPLY:
            raft_election_on_vote_reply (self, message, effects);
            break;
        case RAFT_MESSAGE_APPEND:
            raft_follow_on_append (self, message, effects);
            break;
        case RAFT_MESSAGE_APPEND_REPLY:
            raft_replicate_on_reply (self, message, effects);
            break;
        case RAFT_MESSAGE_READ:
            raft_read_on_question (self, message, effects);
            break;
        case RAFT_MESSAGE_READ_REPLY:
            raft_read_on_answer (self, message, effects);
            break;
        case RAFT_MESSAGE_TRANSFER:
            raft_election_on_transfer (self, message, effects);
            break;
        default:
            raft_trace (self, DT_LOG_WARN, "ignore message kind=%d from=%u", (int) message->kind,
                        message->from);
        }
    }
    raft_message_destroy (&message);
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
    [RAFT_EVENT_DISK_STALLED] = s_disk_stalled,
    [RAFT_EVENT_DISK_FAILED] = s_disk_failed,
    [RAFT_EVENT_MESSAGE] = s_message,
    [RAFT_EVENT_PEER_REACHED] = raft_replicate_peer_reached,
    [RAFT_EVENT_FETCHED] = raft_replicate_fetched,
    [RAFT_EVENT_SNAPSHOT_SENT] = raft_replicate_snapshot_sent,
    [RAFT_EVENT_SNAPSHOT_RECEIVED] = raft_install_received,
    [RAFT_EVENT_SNAPSHOT_INSTALLED] = raft_install_done,
    [RAFT_EVENT_CONFIG_CHANGE] = raft_membership_change,
    [RAFT_EVENT_TRANSFER] = raft_transfer,
    [RAFT_EVENT_STOP] = s_stop,
};

// Whether nothing is in flight: every entry has reached the end it can reach in this role, and
// nobody waits for an answer.
static bool s_is_drained (const raft_core_t *self)
{
    if (self->applied != self->handed || self->reads.count > 0 || self->snapshot.in_progress ||
        self->install.begun || self->transfer.waits || self->change.waits) {
        return false;
    }
    switch (self->role) {
    case RAFT_FAILED: // what others committed and this disk does not have is never handed over
        return self->handed == self->commit || self->handed == self->durable;
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
    if (!self->stopping || self->drained || !s_is_drained (self)) {
        return;
    }
    self->drained = true;
    raft_peer_t *heir = self->role == RAFT_LEADER ? raft_transfer_heir (self) : NULL;
    if (heir) {
        raft_transfer_send (self, heir->id, effects); // or they would wait for a time-out first
    }
    raft_effects_add (effects, RAFT_EFFECT_DRAINED);
}

// A damaged log is whole again once it agrees, durably, with a leader up to what it may have lost.
// Or with an own entry of a leader of a later term: that one was elected without this node's vote,
// so its log has whatever this disk had acknowledged and was committed [DISK-12].
static void s_settle_repair (raft_core_t *self, raft_effects_t *effects)
{
    raft_index_t sound = self->verified < self->durable ? self->verified : self->durable;
    raft_term_t term = 0;
    if (self->repair_until == 0 || self->role != RAFT_FOLLOWER || sound == 0) {
        return;
    }
    bool own_term = raft_log_term (self->log, sound, &term) == RAFT_TERM_KNOWN &&
                    term == self->hard_state.term && term > self->options.recovered.hard_state.term;
    if (sound >= self->repair_until || own_term) {
        raft_trace (self, DT_LOG_WARN, "repaired: the log is whole again up to %lu", sound);
        self->repair_until = 0;
        raft_effects_add (effects, RAFT_EFFECT_REPAIRED);
    }
}

static int64_t s_nearest_ns (const raft_core_t *self)
{
    const int64_t deadlines[] = {
        raft_snapshot_deadline_ns (self),  raft_read_deadline_ns (self),
        raft_election_deadline_ns (self),  raft_lease_deadline_ns (self),
        raft_replicate_deadline_ns (self), raft_transfer_deadline_ns (self),
        raft_propose_deadline_ns (self),
    };
    int64_t nearest_ns = RAFT_NEVER_NS;
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++) {
        nearest_ns = deadlines[i] < nearest_ns ? deadlines[i] : nearest_ns;
    }
    return nearest_ns;
}

// What follows from the new state, in this order: time-outs, what is committed and handed over,
// what a leader does by itself, what may be told to whom.
static void s_settle (raft_core_t *self, raft_effects_t *effects)
{
    raft_lease_settle (self, effects);
    raft_election_settle (self, effects);
    s_settle_repair (self, effects);
    raft_install_settle (self, effects);
    raft_commit_settle (self, effects);
    raft_election_note_ready (self);
    raft_membership_settle (self, effects);
    raft_propose_settle (self, effects);
    raft_read_settle (self, effects);
    raft_transfer_settle (self, effects);
    raft_replicate_settle (self, effects);
    raft_follow_settle (self, effects);
    raft_snapshot_settle (self, effects);
    raft_election_tell (self, effects);
    s_settle_drained (self, effects);
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
    s_settle (self, effects);
    effects->next_deadline_ns = s_nearest_ns (self);
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
        .lease_until_ns = raft_lease_until_ns (self),
        .repair_until = self->repair_until,
        .transfer_to = self->transfer.to,
    };
}

const raft_config_at_t *raft_core_config (const raft_core_t *self)
{
    return self->configs ? raft_config_stack_latest (self->configs) : NULL;
}
