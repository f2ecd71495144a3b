// What a leader sends: appends, heartbeats, snapshots; and what it learns from the answers.

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

enum {
    COMMIT_TELL_NS = 5 * 1000 * 1000, // an idle follower learns of a commit this late at most
    SNAPSHOT_RETRY_HEARTBEATS = 10,   // after a transfer that failed
};

static int64_t s_heartbeat_ns (const raft_core_t *self)
{
    return (int64_t) self->options.heartbeat_ms * 1000000;
}

// --- answers -------------------------------------------------------------------------------------

// The log does not reach back to what the peer lacks.
static void s_need_snapshot (raft_core_t *self, raft_peer_t *peer)
{
    raft_trace (self, DT_LOG_INFO, "peer %u needs a snapshot next=%lu first=%lu", peer->id,
                peer->next, raft_log_first (self->log));
    raft_index_t match = peer->match;
    raft_peer_probe (peer, match + 1);
    peer->state = RAFT_PEER_SNAPSHOT;
}

static void s_on_rejected (raft_core_t *self, raft_peer_t *peer, const raft_append_reply_t *reply)
{
    // Answers to what was sent before do not count: they would move next back and forth [RAFT-16].
    if (reply->prev_index <= peer->match || reply->prev_index >= peer->next ||
        peer->state == RAFT_PEER_SNAPSHOT ||
        (peer->state == RAFT_PEER_PROBE && reply->prev_index != peer->next - 1)) {
        return;
    }
    raft_index_t agreed =
        raft_log_agreement (self->log, reply->runs, reply->runs_count, reply->runs_last);
    if (agreed >= reply->prev_index) {
        agreed = reply->prev_index - 1; // it says itself that it does not
    }
    raft_trace (self, DT_LOG_DEBUG, "peer %u rejects prev=%lu: agreed=%lu match=%lu", peer->id,
                reply->prev_index, agreed, peer->match);
    raft_peer_probe (peer, (agreed > peer->match ? agreed : peer->match) + 1);
}

static void s_on_accepted (raft_core_t *self, raft_peer_t *peer, const raft_append_reply_t *reply)
{
    if (reply->match > raft_log_last (self->log)) {
        raft_trace (self, DT_LOG_ERROR, "ignore match=%lu of peer %u: last=%lu", reply->match,
                    peer->id, raft_log_last (self->log));
        return;
    }
    raft_index_t before = peer->match;
    raft_peer_note_match (peer, reply->match);
    if (peer->state == RAFT_PEER_SNAPSHOT) {
        // Whatever brought it here: it can go on from the log [RAFT-18].
        if (peer->match > before && peer->match + 1 >= raft_log_first (self->log)) {
            raft_peer_probe (peer, peer->match + 1);
        }
    } else if (peer->state == RAFT_PEER_PROBE &&
               (reply->match + 1 >= peer->next || reply->round == self->lead.round)) {
        raft_peer_pipeline (peer); // it agrees, though its disk may still be busy
    }
}

static bool s_is_known_directory (raft_core_t *self, const raft_peer_t *peer, uint64_t directory_id)
{
    const raft_node_info_t *node = raft_config_node (raft_core_config_now (self), peer->id);
    if (!node || node->directory_id == 0 || node->directory_id == directory_id) {
        return true;
    }
    if (peer->directory_id != directory_id) { // say it once
        raft_trace (
            self, DT_LOG_ERROR,
            "ignore node %u: it came with another data directory; remove it and add it under "
            "a new id",
            peer->id);
    }
    return false;
}

void raft_replicate_on_reply (raft_core_t *self, const raft_message_t *message,
                              raft_effects_t *effects)
{
    const raft_append_reply_t *reply = &message->append_reply;
    if (message->term > self->hard_state.term) {
        raft_election_follow (self, message->term, 0, effects);
        return;
    }
    raft_peer_t *peer = self->role == RAFT_LEADER ? raft_peers_find (self, message->from) : NULL;
    if (!peer || message->term < self->hard_state.term) {
        return;
    }
    bool known = s_is_known_directory (self, peer, reply->directory_id);
    peer->directory_id = reply->directory_id;
    if (!known) {
        return;
    }
    peer->heard_ns = self->now_ns;
    if (reply->round > peer->round_acked && reply->round <= self->lead.round) {
        peer->round_acked = reply->round;
    }
    peer->last = reply->last;
    peer->applied = reply->applied;
    peer->repairing = reply->repairing;
    if (reply->repairing && reply->match < peer->match) {
        // Its disk lost what it had acknowledged. It counts in no quorum until it has that back.
        peer->match = reply->match;
        raft_peer_probe (peer, peer->match + 1);
    }
    if (reply->rejected) {
        s_on_rejected (self, peer, reply);
    } else {
        s_on_accepted (self, peer, reply);
    }
}

void raft_replicate_peer_reached (raft_core_t *self, const raft_event_t *event,
                                  raft_effects_t *effects)
{
    (void) effects;
    raft_peer_t *peer =
        self->role == RAFT_LEADER ? raft_peers_find (self, event->peer_reached.node) : NULL;
    if (peer && peer->state != RAFT_PEER_SNAPSHOT) {
        raft_peer_probe (peer, peer->match + 1);
        peer->next = raft_log_last (self->log) + 1; // the answer says where it stands
        peer->owed = true;
    }
}

// --- sending -------------------------------------------------------------------------------------

static raft_message_t *s_new_append (raft_core_t *self, raft_peer_t *peer, raft_effects_t *effects)
{
    raft_message_t *message = raft_core_send (self, peer->id, RAFT_MESSAGE_APPEND, effects);
    raft_append_t *append = &message->append;
    append->prev_index = peer->next - 1;
    raft_term_lookup_t found = raft_log_term (self->log, append->prev_index, &append->prev_term);
    dt_assert (found == RAFT_TERM_KNOWN);
    append->commit = self->commit;
    append->round = self->lead.round;
    const raft_node_info_t *node = raft_config_node (raft_core_config_now (self), peer->id);
    append->directory_id = node ? node->directory_id : 0;
    if (!raft_peer_is_active (self, peer)) {
        raft_core_introduce (self, message);
    }
    peer->commit_told = self->commit;
    peer->commit_due_ns = RAFT_NEVER_NS;
    peer->owed = false;
    return message;
}

// Whether the log can still say what comes before the peer's next entry.
static bool s_reaches_back (const raft_core_t *self, const raft_peer_t *peer)
{
    raft_term_t term = 0;
    return raft_log_term (self->log, peer->next - 1, &term) == RAFT_TERM_KNOWN;
}

// A message without entries. Its prev asks whether everything sent before arrived; a peer that gets
// a snapshot is only kept from campaigning.
static void s_send_heartbeat (raft_core_t *self, raft_peer_t *peer, raft_effects_t *effects)
{
    if (peer->state != RAFT_PEER_SNAPSHOT && s_reaches_back (self, peer)) {
        s_new_append (self, peer, effects);
        return;
    }
    raft_index_t next = peer->next;
    peer->next = self->snapshot.index + 1;
    s_new_append (self, peer, effects);
    peer->next = next;
}

// The part of a piece that fits into one message.
static void s_cut (const raft_core_t *self, raft_log_piece_t *piece, raft_index_t first)
{
    uint64_t bytes_max = self->options.append_bytes_max;
    if (piece->first == first && piece->bytes <= bytes_max) {
        return;
    }
    raft_index_t last = first;
    uint64_t bytes = raft_log_weigh (piece->batch, first, first);
    while (last < piece->last) {
        uint64_t more = raft_log_weigh (piece->batch, last + 1, last + 1);
        if (bytes + more > bytes_max) {
            break;
        }
        bytes += more;
        last++;
    }
    piece->first = first;
    piece->last = last;
    piece->bytes = bytes;
}

static void s_send_piece (raft_core_t *self, raft_peer_t *peer, const raft_log_piece_t *piece,
                          raft_effects_t *effects)
{
    dt_assert (piece->first == peer->next);
    raft_append_t *append = &s_new_append (self, peer, effects)->append;
    append->batch = log_batch_ref (piece->batch);
    append->first = piece->first;
    append->last = piece->last;
    raft_peer_note_flight (peer, piece->last, piece->bytes);
    if (peer->state == RAFT_PEER_PIPELINE) {
        peer->next = piece->last + 1;
    } else {
        peer->retry_ns = self->now_ns + s_heartbeat_ns (self);
    }
}

static void s_fetch (raft_core_t *self, raft_peer_t *peer, raft_effects_t *effects)
{
    peer->fetching = true;
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_FETCH);
    effect->fetch.node = peer->id;
    effect->fetch.first = peer->next;
    effect->fetch.last = raft_log_memory_first (self->log) - 1;
    if (effect->fetch.last > self->durable) {
        effect->fetch.last = self->durable;
    }
    effect->fetch.bytes_max = self->options.append_bytes_max;
}

// Whether more may be sent to a peer now.
static bool s_has_window (const raft_core_t *self, const raft_peer_t *peer)
{
    if (peer->next > raft_log_last (self->log) || peer->fetching) {
        return false;
    }
    if (peer->state == RAFT_PEER_PROBE) {
        return self->now_ns >= peer->retry_ns;
    }
    return peer->state == RAFT_PEER_PIPELINE &&
           peer->flights_bytes < self->options.in_flight_bytes_max &&
           peer->flights_count < self->options.in_flight_appends_max;
}

static void s_send_entries (raft_core_t *self, raft_peer_t *peer, raft_effects_t *effects)
{
    bool behind = peer->next < raft_log_first (self->log) || !s_reaches_back (self, peer);
    if (behind && peer->state != RAFT_PEER_SNAPSHOT) {
        s_need_snapshot (self, peer); // the log was compacted past it
        return;
    }
    while (s_has_window (self, peer)) {
        raft_log_piece_t piece;
        if (!raft_log_find (self->log, peer->next, &piece)) {
            s_fetch (self, peer, effects);
            return;
        }
        s_cut (self, &piece, peer->next);
        if (peer->state == RAFT_PEER_PROBE) {
            peer->flights_count = 0;
            peer->flights_bytes = 0;
        }
        s_send_piece (self, peer, &piece, effects);
    }
}

// Whether what was read is still what the log holds: it may have been read in an earlier term and
// truncated since. One entry's term decides for all before it.
static bool s_is_ours (const raft_core_t *self, const log_batch_t *batch)
{
    raft_index_t last = log_batch_last (batch);
    raft_term_t term = 0;
    return raft_log_term (self->log, last, &term) == RAFT_TERM_KNOWN &&
           term == log_batch_entry (batch, last)->term;
}

void raft_replicate_fetched (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    log_batch_t *batch = event->fetched.batch;
    raft_peer_t *peer =
        self->role == RAFT_LEADER ? raft_peers_find (self, event->fetched.node) : NULL;
    if (peer && peer->fetching) {
        peer->fetching = false;
        if (batch && event->fetched.first == peer->next && s_is_ours (self, batch) &&
            raft_log_first (self->log) <= peer->next && s_reaches_back (self, peer) &&
            s_has_window (self, peer)) {
            raft_log_piece_t piece = {
                .batch = batch, .first = peer->next, .last = log_batch_last (batch)};
            piece.bytes = raft_log_weigh (batch, piece.first, piece.last);
            s_cut (self, &piece, peer->next);
            s_send_piece (self, peer, &piece, effects);
        }
    }
    log_batch_unref (&batch);
}

static void s_send_snapshot (raft_core_t *self, raft_peer_t *peer, raft_effects_t *effects)
{
    if (peer->sending_snapshot || self->now_ns < peer->retry_ns) {
        return;
    }
    if (self->snapshot.index + 1 < raft_log_first (self->log) || self->snapshot.index == 0) {
        raft_snapshot_want (self, effects);
        peer->retry_ns = self->now_ns + s_heartbeat_ns (self);
        return;
    }
    peer->sending_snapshot = true;
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_SNAPSHOT_SEND);
    effect->snapshot_send.node = peer->id;
    effect->snapshot_send.index = self->snapshot.index;
}

void raft_replicate_snapshot_sent (raft_core_t *self, const raft_event_t *event,
                                   raft_effects_t *effects)
{
    (void) effects;
    raft_peer_t *peer =
        self->role == RAFT_LEADER ? raft_peers_find (self, event->snapshot_sent.node) : NULL;
    if (!peer || !peer->sending_snapshot) {
        return;
    }
    peer->sending_snapshot = false;
    int rc = event->snapshot_sent.rc;
    raft_trace (self, DT_LOG_INFO, "snapshot sent to=%u rc=%s index=%lu", peer->id,
                dt_error_name (rc), event->snapshot_sent.index);
    if (peer->state != RAFT_PEER_SNAPSHOT) {
        return; // it went on by itself
    }
    if (rc == 0 && event->snapshot_sent.index + 1 >= raft_log_first (self->log)) {
        raft_index_t next = event->snapshot_sent.index + 1;
        raft_index_t last = raft_log_last (self->log);
        next = next > peer->match ? next : peer->match + 1;
        raft_peer_probe (peer, next <= last + 1 ? next : last + 1);
        // It installs what it got before it answers anything.
        peer->retry_ns = self->now_ns + s_heartbeat_ns (self);
    } else {
        peer->retry_ns = self->now_ns + SNAPSHOT_RETRY_HEARTBEATS * s_heartbeat_ns (self);
    }
}

void raft_replicate_settle (raft_core_t *self, raft_effects_t *effects)
{
    for (uint32_t i = 0; self->role == RAFT_LEADER && i < self->lead.peers_count; i++) {
        raft_peer_t *peer = &self->lead.peers[i];
        s_send_entries (self, peer, effects);
        if (peer->state == RAFT_PEER_SNAPSHOT) {
            s_send_snapshot (self, peer, effects);
        }
        if (peer->commit_told < self->commit && peer->commit_due_ns == RAFT_NEVER_NS) {
            peer->commit_due_ns = self->now_ns + COMMIT_TELL_NS;
        }
        if (peer->owed || self->now_ns >= peer->commit_due_ns) {
            s_send_heartbeat (self, peer, effects);
        }
    }
}

int64_t raft_replicate_deadline_ns (const raft_core_t *self)
{
    int64_t deadline_ns = RAFT_NEVER_NS;
    for (uint32_t i = 0; self->role == RAFT_LEADER && i < self->lead.peers_count; i++) {
        const raft_peer_t *peer = &self->lead.peers[i];
        if (peer->commit_due_ns < deadline_ns) {
            deadline_ns = peer->commit_due_ns;
        }
        bool retries = peer->state == RAFT_PEER_SNAPSHOT
                           ? !peer->sending_snapshot
                           : peer->state == RAFT_PEER_PROBE && !peer->fetching &&
                                 peer->next <= raft_log_last (self->log);
        if (retries && peer->retry_ns > self->now_ns && peer->retry_ns < deadline_ns) {
            deadline_ns = peer->retry_ns;
        }
    }
    return deadline_ns;
}
