// Reads: which entry an answer must have seen, and when the machine may give it.
//
// A leader answers by its lease, or once a quorum has confirmed a round begun after the read
// arrived [RAFT-12]. Any other node asks the leader, one question for all reads that wait; a
// question confirms only reads that arrived before it was sent. A leader waits until an entry of
// its own term is committed [RAFT-11]. The only voter needs neither lease nor round: nobody else
// can have committed anything.

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

static void s_answer_host (void *request, int rc, raft_index_t index, raft_effects_t *effects)
{
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_READ);
    effect->read.request = request;
    effect->read.rc = rc;
    effect->read.index = rc == 0 ? index : 0;
}

static void s_answer_peer (raft_core_t *self, const raft_pending_read_t *read, int rc,
                           raft_effects_t *effects)
{
    if (!raft_core_term_durable (self)) {
        return; // it asks again
    }
    raft_read_reply_t *reply =
        &raft_core_send (self, read->node, RAFT_MESSAGE_READ_REPLY, effects)->read_reply;
    reply->sequence = read->sequence;
    reply->index = rc == 0 ? read->index : 0;
    reply->rc = rc;
}

static void s_answer (raft_core_t *self, const raft_pending_read_t *read, int rc,
                      raft_effects_t *effects)
{
    if (rc != 0 && read->bounded && rc != DT_ERR_TIMEOUT && rc != DT_ERR_STOPPING) {
        rc = DT_ERR_TOO_STALE;
    }
    if (read->node != 0) {
        s_answer_peer (self, read, rc, effects);
    } else {
        s_answer_host (read->request, rc, read->index, effects);
    }
}

// Put a read in its place among those that wait.
static void s_wait (raft_core_t *self, const raft_pending_read_t *read)
{
    raft_reads_t *reads = &self->reads;
    raft_pending_read_t kept = *read;
    if (reads->count == reads->capacity) {
        reads->capacity = reads->capacity ? reads->capacity * 2 : 16;
        reads->items = dt_realloc (reads->items, reads->capacity * sizeof reads->items[0]);
    }
    reads->items[reads->count++] = kept;
    if (kept.stage != RAFT_STAGE_APPLY) {
        reads->unconfirmed++;
    } else if (kept.index < reads->lowest_index) {
        reads->lowest_index = kept.index;
    }
    if (kept.deadline_ns < reads->nearest_deadline_ns) {
        reads->nearest_deadline_ns = kept.deadline_ns;
    }
}

// Whether the machine has, or gets before the answer, everything up to an index.
static bool s_is_served (const raft_core_t *self, raft_index_t index)
{
    return index <= (raft_commit_replays (self) ? self->applied : self->handed) &&
           !self->install.begun;
}

// --- what a read has to wait for -----------------------------------------------------------------

// How old this node's state may be at most, by its own clock; INT64_MAX: not known.
static int64_t s_age_ns (const raft_core_t *self)
{
    const raft_reads_t *reads = &self->reads;
    bool known = reads->fresh_ns != INT64_MIN && s_is_served (self, reads->fresh_index);
    return known ? self->now_ns - reads->fresh_ns : INT64_MAX;
}

static void s_stage_at_leader (raft_core_t *self, raft_pending_read_t *read)
{
    const raft_lead_t *lead = &self->lead;
    raft_index_t index = self->commit > lead->own_first ? self->commit : lead->own_first;
    if (dt_planted (DT_PLANTED_NO_NOOP)) {
        index = self->commit;
    }
    read->index = index > read->index ? index : read->index;
    if (raft_core_is_alone (self) || (read->lease_will_do && raft_lease_holds (self))) {
        read->stage = RAFT_STAGE_APPLY;
        return;
    }
    read->stage = RAFT_STAGE_ROUND;
    read->number = lead->round + 1;
    if (dt_planted (DT_PLANTED_READ_ROUND_REUSED)) {
        read->number = lead->read_round; // of those who asked before
    }
}

// 0 and the stage the read begins in, or why it is refused.
static int s_stage (raft_core_t *self, const raft_event_t *event, raft_pending_read_t *read,
                    const char **why)
{
    bool stale = event->read.mode == RAFT_READ_STALE;
    if (self->role == RAFT_FAILED) {
        *why = "the group failed here";
        return raft_core_failed_rc (self);
    }
    if (self->stopping) {
        *why = "stopping";
        return DT_ERR_STOPPING;
    }
    int64_t age_ns_max = (int64_t) event->read.age_ms_max * 1000000;
    read->bounded = stale && age_ns_max > 0;
    if (stale && (!read->bounded || s_age_ns (self) <= age_ns_max)) {
        read->stage = RAFT_STAGE_APPLY;
        return 0;
    }
    if (self->role == RAFT_LEADER) {
        s_stage_at_leader (self, read);
        return 0;
    }
    if (self->role == RAFT_CANDIDATE || self->leader == 0) {
        *why = self->role == RAFT_CANDIDATE ? "campaigning" : "no leader is known";
        return read->bounded ? DT_ERR_TOO_STALE
               : self->role == RAFT_CANDIDATE || raft_core_config_now (self) == NULL ||
                       raft_config_is_member (raft_core_config_now (self), self->options.node_id)
                   ? DT_ERR_NOT_READY
                   : DT_ERR_NOT_LEADER;
    }
    read->stage = RAFT_STAGE_LEADER;
    read->number = self->reads.asked + 1;
    return 0;
}

void raft_read (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    raft_pending_read_t read = {
        .request = event->read.request,
        .index = event->read.min_index,
        .deadline_ns = event->read.deadline_ns,
        .lease_will_do = event->read.mode != RAFT_READ_INDEX,
    };
    const char *why = NULL;
    int rc = s_stage (self, event, &read, &why);
    if (rc == 0 && event->read.deadline_ns <= self->now_ns) {
        rc = DT_ERR_TIMEOUT;
        why = "too late when it came";
    } else if (rc == 0 && read.stage == RAFT_STAGE_APPLY && s_is_served (self, read.index)) {
        s_answer_host (read.request, 0, read.index, effects);
        return;
    } else if (rc == 0 && self->reads.count >= self->options.reads_max) {
        rc = DT_ERR_BUSY;
        why = "reads_max";
    }
    if (rc == 0) {
        s_wait (self, &read);
        return;
    }
    raft_trace (self, DT_LOG_DEBUG, "refuse read rc=%s mode=%d min_index=%lu: %s",
                dt_error_name (rc), (int) event->read.mode, event->read.min_index, why);
    s_answer_host (read.request, rc, 0, effects);
}

// --- between nodes -------------------------------------------------------------------------------

void raft_read_on_question (raft_core_t *self, const raft_message_t *message,
                            raft_effects_t *effects)
{
    raft_pending_read_t read = {
        .deadline_ns = self->now_ns + raft_core_promise_ns (self),
        .sequence = message->read.sequence,
        .node = message->from,
        .lease_will_do = !message->read.no_lease,
    };
    int rc = 0;
    if (self->role != RAFT_LEADER || message->term != self->hard_state.term) {
        rc = DT_ERR_NOT_LEADER;
    } else if (self->stopping) {
        rc = DT_ERR_STOPPING;
    } else if (self->reads.count >= self->options.reads_max) {
        rc = DT_ERR_BUSY;
    }
    if (rc != 0) {
        s_answer_peer (self, &read, rc, effects);
        return;
    }
    s_stage_at_leader (self, &read);
    if (read.stage == RAFT_STAGE_APPLY && read.index <= self->commit) {
        s_answer_peer (self, &read, 0, effects);
    } else {
        s_wait (self, &read);
    }
}

void raft_read_on_answer (raft_core_t *self, const raft_message_t *message, raft_effects_t *effects)
{
    (void) effects;
    raft_reads_t *reads = &self->reads;
    const raft_read_reply_t *reply = &message->read_reply;
    if (message->term != self->hard_state.term || self->role != RAFT_FOLLOWER ||
        message->from != self->leader || reply->rc != 0 || reply->sequence > reads->asked ||
        reply->sequence <= reads->answered) {
        return; // those who wait ask again
    }
    reads->answered = reply->sequence;
    if (reply->sequence == reads->asked) {
        reads->fresh_index = reply->index;
        reads->fresh_ns = reads->asked_ns;
    }
    // What the leader names is committed; this log has it as far as it was verified [RAFT-15].
    raft_index_t commit = reply->index < self->verified ? reply->index : self->verified;
    if (commit > self->commit && self->install.index == 0) {
        self->commit = commit;
    }
    for (uint32_t i = 0; i < reads->count; i++) {
        raft_pending_read_t *read = &reads->items[i];
        if (read->stage == RAFT_STAGE_LEADER && read->number <= reply->sequence) {
            read->stage = RAFT_STAGE_APPLY;
            read->index = reply->index > read->index ? reply->index : read->index;
            reads->unconfirmed--;
            if (read->index < reads->lowest_index) {
                reads->lowest_index = read->index;
            }
        }
    }
}

// Ask the leader for all who wait, one question at a time; a lost one is asked again.
static void s_ask_leader (raft_core_t *self, raft_effects_t *effects)
{
    raft_reads_t *reads = &self->reads;
    if (reads->unconfirmed == 0 || self->role != RAFT_FOLLOWER || self->leader == 0 ||
        !raft_core_term_durable (self)) {
        return;
    }
    int64_t again_ns = reads->asked_ns + (int64_t) self->options.heartbeat_ms * 1000000;
    if (reads->asked > reads->answered && self->now_ns < again_ns) {
        return;
    }
    reads->asked++;
    reads->asked_ns = self->now_ns;
    raft_read_message_t *question =
        &raft_core_send (self, self->leader, RAFT_MESSAGE_READ, effects)->read;
    question->sequence = reads->asked;
    for (uint32_t i = 0; i < reads->count; i++) {
        const raft_pending_read_t *read = &reads->items[i];
        question->no_lease =
            question->no_lease || (read->stage == RAFT_STAGE_LEADER && !read->lease_will_do);
    }
}

// Begin a round for those who wait for one, unless one begun for others is still on its way.
static void s_ask_quorum (raft_core_t *self, uint64_t confirmed)
{
    raft_reads_t *reads = &self->reads;
    raft_lead_t *lead = &self->lead;
    if (lead->read_round > confirmed) {
        return;
    }
    for (uint32_t i = 0; i < reads->count; i++) {
        if (reads->items[i].stage == RAFT_STAGE_ROUND && reads->items[i].number > lead->round) {
            raft_lease_begin_round (self);
            lead->read_round = lead->round;
            return;
        }
    }
}

// --- settling ------------------------------------------------------------------------------------

// Begin to sort out the reads; returns how many there were.
static uint32_t s_sort_out (raft_reads_t *reads)
{
    uint32_t count = reads->count;
    reads->count = 0;
    reads->unconfirmed = 0;
    reads->lowest_index = UINT64_MAX;
    reads->nearest_deadline_ns = RAFT_NEVER_NS;
    return count;
}

// A leader's reads whose round was confirmed, or whom its lease confirms, go on.
static void s_confirm (raft_core_t *self)
{
    raft_reads_t *reads = &self->reads;
    if (reads->unconfirmed == 0 || self->role != RAFT_LEADER) {
        return;
    }
    uint64_t confirmed = raft_lease_confirmed (self);
    bool lease = raft_lease_holds (self);
    for (uint32_t i = 0; i < reads->count; i++) {
        raft_pending_read_t *read = &reads->items[i];
        if (read->stage == RAFT_STAGE_ROUND &&
            (read->number <= confirmed || (lease && read->lease_will_do))) {
            read->stage = RAFT_STAGE_APPLY;
            reads->unconfirmed--;
            if (read->index < reads->lowest_index) {
                reads->lowest_index = read->index;
            }
        }
    }
    s_ask_quorum (self, confirmed);
}

// 0: the read goes on waiting; 1: it is served; else the error to answer with.
static int s_judge (const raft_core_t *self, const raft_pending_read_t *read)
{
    bool confirmed = read->stage == RAFT_STAGE_APPLY;
    bool served = read->node != 0 ? read->index <= self->commit : s_is_served (self, read->index);
    if (confirmed && served) {
        return 1;
    }
    return read->deadline_ns <= self->now_ns ? DT_ERR_TIMEOUT : 0;
}

void raft_read_settle (raft_core_t *self, raft_effects_t *effects)
{
    raft_reads_t *reads = &self->reads;
    if (reads->count == 0) {
        return;
    }
    s_confirm (self);
    s_ask_leader (self, effects);
    bool peers_wait = self->role == RAFT_LEADER && reads->lowest_index <= self->commit;
    if (!s_is_served (self, reads->lowest_index) && !peers_wait &&
        reads->nearest_deadline_ns > self->now_ns) {
        return;
    }
    uint32_t count = s_sort_out (reads);
    for (uint32_t i = 0; i < count; i++) {
        const raft_pending_read_t *read = &reads->items[i];
        int verdict = s_judge (self, read);
        if (verdict == 0) {
            s_wait (self, read);
            continue;
        }
        if (verdict < 0) {
            raft_trace (self, DT_LOG_DEBUG, "refuse read rc=%s: %s %lu", dt_error_name (verdict),
                        read->stage == RAFT_STAGE_APPLY ? "not applied in time: entry"
                                                        : "not confirmed in time: round",
                        read->stage == RAFT_STAGE_APPLY ? read->index : read->number);
        }
        s_answer (self, read, verdict < 0 ? verdict : 0, effects);
    }
}

// Answer with rc those for whom `fails` says so.
static void s_fail (raft_core_t *self, raft_index_t index, bool unconfirmed_only, int rc,
                    raft_effects_t *effects)
{
    raft_reads_t *reads = &self->reads;
    uint32_t count = s_sort_out (reads);
    for (uint32_t i = 0; i < count; i++) {
        const raft_pending_read_t *read = &reads->items[i];
        bool confirmed = read->stage == RAFT_STAGE_APPLY;
        if (confirmed && (unconfirmed_only ? read->node == 0 : read->index <= index)) {
            s_wait (self, read);
            continue;
        }
        raft_trace (self, DT_LOG_DEBUG, "refuse read rc=%s: it waited for %s %lu",
                    dt_error_name (rc), confirmed ? "entry" : "round",
                    confirmed ? read->index : read->number);
        s_answer (self, read, rc, effects);
    }
}

void raft_read_fail (raft_core_t *self, raft_index_t index, int rc, raft_effects_t *effects)
{
    s_fail (self, index, false, rc, effects);
}

void raft_read_fail_unconfirmed (raft_core_t *self, int rc, raft_effects_t *effects)
{
    s_fail (self, 0, true, rc, effects);
    self->reads.answered = self->reads.asked; // what another leader answers now means nothing
}

int64_t raft_read_deadline_ns (const raft_core_t *self)
{
    const raft_reads_t *reads = &self->reads;
    if (reads->count == 0) {
        return RAFT_NEVER_NS;
    }
    int64_t deadline_ns = reads->nearest_deadline_ns;
    if (reads->unconfirmed > 0 && self->role == RAFT_FOLLOWER) {
        int64_t again_ns = reads->asked_ns + (int64_t) self->options.heartbeat_ms * 1000000;
        // In the past: the disk is in the way, which says so by itself.
        deadline_ns = again_ns > self->now_ns && again_ns < deadline_ns ? again_ns : deadline_ns;
    }
    return deadline_ns;
}
