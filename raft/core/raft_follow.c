// The log of a follower: what it takes from the leader, and what it may tell it.
//
// An answer names the index up to which the log agrees with this term's leader (what its messages
// verified, RAFT-15) and is durable; not what the log happens to hold. Answers to entries wait for
// the disk, those to heartbeats do not.

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

// Whether entries can stand in a log: nothing of them is believed before.
static bool s_is_sound (const raft_message_t *message)
{
    const raft_append_t *append = &message->append;
    if (append->prev_term > message->term ||
        (append->prev_index == 0) != (append->prev_term == 0)) {
        return false;
    }
    if (!append->batch) {
        return true;
    }
    raft_term_t term = append->prev_term;
    for (raft_index_t index = append->first; index <= append->last; index++) {
        const log_entry_t *entry = log_batch_entry (append->batch, index);
        if (entry->index != index || entry->term < term || entry->term > message->term ||
            entry->term == 0 || entry->type > LOG_ENTRY_TYPE_LAST ||
            entry->payload_bytes > LOG_ENTRY_PAYLOAD_BYTES_MAX) {
            return false;
        }
        raft_config_t config;
        if (entry->type == LOG_ENTRY_CONFIG &&
            raft_config_decode (entry->payload, entry->payload_bytes, &config) != 0) {
            return false;
        }
        term = entry->term;
    }
    return append->first == append->prev_index + 1;
}

// Whether the log has the entry before the message's entries. What is committed agrees with every
// leader; below that the terms may be gone.
static bool s_has_prev (const raft_core_t *self, const raft_append_t *append)
{
    if (append->prev_index <= self->commit) {
        return true;
    }
    raft_term_t term = 0;
    return raft_log_term (self->log, append->prev_index, &term) == RAFT_TERM_KNOWN &&
           term == append->prev_term;
}

// Tell the leader where this log may agree with its own, all at once [thesis 5.3, shortened].
static void s_reject (raft_core_t *self, const raft_append_t *append)
{
    raft_index_t last = raft_log_last (self->log);
    raft_message_destroy (&self->reject);
    self->reject = raft_message_new (RAFT_MESSAGE_APPEND_REPLY);
    raft_append_reply_t *reply = &self->reject->append_reply;
    reply->rejected = true;
    reply->prev_index = append->prev_index;
    reply->runs_last = append->prev_index - 1 < last ? append->prev_index - 1 : last;
    reply->runs_count =
        raft_log_runs (self->log, self->commit, reply->runs_last, reply->runs, RAFT_TERM_RUNS_MAX);
    raft_trace (self, DT_LOG_DEBUG, "reject append prev=%lu prev_term=%lu last=%lu commit=%lu",
                append->prev_index, append->prev_term, last, self->commit);
}

// Take back entries that another leader's replace. False: that cannot be, the group has failed.
static bool s_truncate (raft_core_t *self, raft_index_t from, raft_effects_t *effects)
{
    if (from <= self->commit) {
        raft_core_fail (self, DT_ERR_CORRUPT, "a leader contradicts a committed entry", effects);
        return false;
    }
    raft_trace (self, DT_LOG_INFO, "truncate from=%lu last=%lu", from, raft_log_last (self->log));
    raft_log_truncate (self->log, from);
    raft_membership_truncate (self, from, effects);
    if (self->durable >= from) {
        self->durable = from - 1;
    }
    if (self->disk_last >= from) {
        self->disk_last = from - 1;
    }
    self->cuts++;
    raft_effects_add (effects, RAFT_EFFECT_TRUNCATE)->truncate.from = from;
    return true;
}

// The first entry of a message that this log does not have; last + 1: it has them all.
static raft_index_t s_first_new (const raft_core_t *self, const raft_append_t *append)
{
    raft_index_t index = append->first > self->commit ? append->first : self->commit + 1;
    while (index <= append->last) {
        raft_term_t term = 0;
        raft_term_lookup_t found = raft_log_term (self->log, index, &term);
        if (found != RAFT_TERM_KNOWN || term != log_batch_entry (append->batch, index)->term) {
            break;
        }
        index++;
    }
    return index;
}

static void s_append_piece (raft_core_t *self, raft_append_t *append, raft_index_t first,
                            raft_effects_t *effects)
{
    raft_log_piece_t piece = {.batch = append->batch, .first = first, .last = append->last};
    piece.bytes = raft_log_weigh (piece.batch, piece.first, piece.last);
    raft_log_append (self->log, &piece);
    for (raft_index_t index = first; index <= append->last; index++) {
        const log_entry_t *entry = log_batch_entry (append->batch, index);
        if (entry->type == LOG_ENTRY_CONFIG) {
            raft_config_t config;
            int rc = raft_config_decode (entry->payload, entry->payload_bytes, &config);
            dt_assert (rc == 0); // s_is_sound looked
            raft_membership_push (self, index, &config, effects);
        }
    }
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_APPEND);
    effect->append.batch = log_batch_ref (piece.batch);
    effect->append.first = piece.first;
    effect->append.last = piece.last;
}

// Put the message's entries into the log. Returns the index up to which the log now agrees with the
// leader's; 0: nothing was taken.
static raft_index_t s_take (raft_core_t *self, raft_append_t *append, raft_effects_t *effects)
{
    if (!append->batch) {
        if (dt_planted (DT_PLANTED_TRUNCATE_ON_STALE_APPEND) && append->prev_index > self->commit &&
            append->prev_index < raft_log_last (self->log)) {
            s_truncate (self, append->prev_index + 1, effects);
        }
        return append->prev_index;
    }
    raft_index_t first = s_first_new (self, append);
    if (first > append->last) {
        return append->last;
    }
    uint64_t unapplied = raft_log_bytes_after (self->log, self->applied);
    if (unapplied > self->options.unapplied_bytes_max || self->disk_full) {
        raft_trace (self, DT_LOG_DEBUG, "drop append first=%lu: %s", first,
                    self->disk_full ? "the disk is full" : "unapplied_bytes_max");
        return first - 1;
    }
    if (first <= raft_log_last (self->log) && !s_truncate (self, first, effects)) {
        return 0;
    }
    s_append_piece (self, append, first, effects);
    return append->last;
}

static void s_follow (raft_core_t *self, raft_message_t *message, raft_effects_t *effects)
{
    raft_append_t *append = &message->append;
    if (append->round > self->round_heard) {
        self->round_heard = append->round;
    }
    if (self->install.index > 0) {
        self->ack_due = true; // alive, but its log is about to be replaced
        return;
    }
    if (!s_has_prev (self, append)) {
        s_reject (self, append);
        return;
    }
    raft_index_t verified = s_take (self, append, effects);
    if (self->role == RAFT_FAILED) {
        return;
    }
    if (verified > self->verified) {
        self->verified = verified;
    }
    if (dt_planted (DT_PLANTED_ACK_LAST_INDEX)) {
        self->verified = raft_log_last (self->log);
    }
    raft_index_t commit = append->commit < verified ? append->commit : verified;
    if (dt_planted (DT_PLANTED_COMMIT_UNCAPPED)) {
        raft_index_t last = raft_log_last (self->log);
        commit = append->commit < last ? append->commit : last;
    }
    if (commit > self->commit) {
        self->commit = commit;
    }
    if (!append->batch) {
        self->ack_due = true;
    }
}

void raft_follow_on_append (raft_core_t *self, raft_message_t *message, raft_effects_t *effects)
{
    if (message->term < self->hard_state.term) {
        // A leader of the past: it has to learn the term, or it and this node stay apart for ever
        // [RAFT-9]. Who has no vote must not depose anybody.
        const raft_config_t *config = raft_core_config_now (self);
        if (config && raft_config_is_voter (config, self->options.node_id) &&
            raft_core_term_durable (self)) {
            raft_core_send (self, message->from, RAFT_MESSAGE_APPEND_REPLY, effects);
        }
        return;
    }
    if (!s_is_sound (message)) {
        raft_trace (self, DT_LOG_ERROR,
                    "ignore append from=%u prev=%lu: its entries contradict "
                    "themselves",
                    message->from, message->append.prev_index);
        return;
    }
    if (message->term == self->hard_state.term && self->role == RAFT_LEADER) {
        raft_trace (self, DT_LOG_ERROR, "ignore append from=%u: this node leads term=%lu",
                    message->from, message->term);
        return;
    }
    if (message->term > self->hard_state.term || self->role != RAFT_FOLLOWER ||
        self->leader != message->from) {
        raft_election_follow (self, message->term, message->from, effects);
    }
    raft_election_heard (self);
    if (message->append.directory_id != 0 && self->options.directory_id != 0 &&
        message->append.directory_id != self->options.directory_id) {
        raft_membership_foreign (self, effects);
        return;
    }
    if (!self->stopping) {
        s_follow (self, message, effects);
    }
}

// The match this node may tell: agreed and durable.
static raft_index_t s_match (const raft_core_t *self)
{
    if (self->install.index > 0) {
        return 0;
    }
    return self->verified < self->durable ? self->verified : self->durable;
}

void raft_follow_settle (raft_core_t *self, raft_effects_t *effects)
{
    if (self->role != RAFT_FOLLOWER || self->leader == 0 || !raft_core_term_durable (self)) {
        return;
    }
    raft_index_t match = s_match (self);
    if (!self->ack_due && !self->reject && match <= self->acked) {
        return;
    }
    raft_message_t *message =
        raft_core_send (self, self->leader, RAFT_MESSAGE_APPEND_REPLY, effects);
    if (self->reject) {
        message->append_reply = self->reject->append_reply;
        raft_message_destroy (&self->reject);
    }
    raft_append_reply_t *reply = &message->append_reply;
    reply->round = self->round_heard;
    reply->directory_id = self->options.directory_id;
    reply->match = match;
    reply->last = raft_log_last (self->log);
    reply->applied = self->applied;
    reply->repairing = self->repair_until > 0;
    self->ack_due = false;
    if (match > self->acked) {
        self->acked = match;
    }
}
