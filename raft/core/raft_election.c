// Elections: pre-vote, vote, and how a node becomes candidate, leader and follower again.

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_quorum.h"
#include "raft/core/raft_trace.h"

// A time from now on, drawn between low and high (exclusive) in permille of the election timeout.
static int64_t s_draw_ns (raft_core_t *self, uint64_t low, uint64_t high)
{
    uint64_t permille = low + dt_random_below (&self->random, high - low);
    return self->now_ns + (int64_t) (raft_core_promise_ns (self) / 1000 * (int64_t) permille);
}

// Later than any promise that this node can know of, and not the same as the others'.
static int64_t s_draw_timeout_ns (raft_core_t *self)
{
    return s_draw_ns (self, 1020, 1800);
}

// After a campaign that came to nothing. Pre-vote keeps early ones harmless.
static int64_t s_draw_retry_ns (raft_core_t *self)
{
    return s_draw_ns (self, 200, 1000);
}

void raft_election_heard (raft_core_t *self)
{
    self->heard_ns = self->now_ns;
    self->election_ns = s_draw_timeout_ns (self);
    self->asking = false;
}

static void s_end_leading (raft_core_t *self, raft_effects_t *effects)
{
    raft_commit_abandon (self, self->commit, DT_ERR_OUTCOME_UNKNOWN, effects);
    raft_membership_abandon (self, DT_ERR_OUTCOME_UNKNOWN, effects);
    raft_peers_end (self, effects);
}

void raft_election_follow (raft_core_t *self, raft_term_t term, raft_node_id_t leader,
                           raft_effects_t *effects)
{
    dt_assert (term >= self->hard_state.term);
    dt_assert (self->role != RAFT_FAILED);
    bool led = self->role == RAFT_LEADER;
    if (term > self->hard_state.term || self->role != RAFT_FOLLOWER || leader != self->leader) {
        raft_trace (self, DT_LOG_INFO, "follow term=%lu leader=%u last=%lu", term, leader,
                    raft_log_last (self->log));
    }
    if (led) {
        s_end_leading (self, effects);
    }
    if (led || leader != self->leader || term > self->hard_state.term) {
        raft_read_fail_unconfirmed (self, leader == 0 ? DT_ERR_NOT_READY : DT_ERR_NOT_LEADER,
                                    effects);
    }
    if (self->role != RAFT_FOLLOWER) {
        self->election_ns = s_draw_timeout_ns (self);
    }
    self->role = RAFT_FOLLOWER;
    self->ready = false;
    self->asking = false;
    self->leader = leader;
    if (term > self->hard_state.term) {
        self->hard_state = (raft_hard_state_t){.term = term};
        self->vote_due.to = 0;
        self->verified = 0;
        self->round_heard = 0;
        self->acked = 0;
        self->ack_due = false;
        raft_message_destroy (&self->reject);
        raft_core_persist (self, effects);
    }
}

// --- campaigning ---------------------------------------------------------------------------------

// Whether the votes so far decide; refused counts the same way.
static raft_vote_result_t s_count (const raft_core_t *self)
{
    const raft_config_t *config = raft_core_config_now (self);
    if (dt_planted (DT_PLANTED_SINGLE_QUORUM_IN_JOINT)) {
        raft_config_t half = *config;
        half.next_voters.count = 0;
        return raft_quorum_votes (&half, &self->granted, &self->refused);
    }
    return raft_quorum_votes (config, &self->granted, &self->refused);
}

static void s_ask_voter (raft_core_t *self, raft_node_id_t to, bool pre, raft_effects_t *effects)
{
    raft_message_t *message = raft_core_send (self, to, RAFT_MESSAGE_VOTE, effects);
    raft_core_introduce (self, message);
    raft_vote_t *vote = &message->vote;
    vote->campaign_term = self->hard_state.term + (pre ? 1 : 0);
    vote->last_index = raft_log_last (self->log); // durable: see s_may_campaign [RAFT-3]
    vote->last_term = raft_log_last_term (self->log);
    vote->pre = pre;
    vote->transfer = !pre && self->transfer_vote;
    if (vote->last_index == 0) {
        vote->bootstrap_hash = raft_config_hash (raft_core_config_now (self));
    }
}

static void s_ask_voters (raft_core_t *self, bool pre, raft_effects_t *effects)
{
    const raft_config_t *config = raft_core_config_now (self);
    for (uint32_t i = 0; i < config->voters.count; i++) {
        if (config->voters.ids[i] != self->options.node_id) {
            s_ask_voter (self, config->voters.ids[i], pre, effects);
        }
    }
    for (uint32_t i = 0; i < config->next_voters.count; i++) {
        raft_node_id_t id = config->next_voters.ids[i];
        if (id != self->options.node_id && !raft_node_list_has (&config->voters, id)) {
            s_ask_voter (self, id, pre, effects);
        }
    }
}

// A new term with a vote for oneself. Nothing reveals it before it is durable [RAFT-1].
static void s_campaign (raft_core_t *self, bool transfer, raft_effects_t *effects)
{
    raft_read_fail_unconfirmed (self, DT_ERR_NOT_READY, effects);
    self->hard_state.term++;
    self->hard_state.vote = self->options.node_id;
    self->role = RAFT_CANDIDATE;
    self->leader = 0;
    self->asking = false;
    self->transfer_vote = transfer;
    self->granted.count = 0;
    self->refused.count = 0;
    self->vote_due.to = 0;
    self->verified = 0;
    self->round_heard = 0;
    self->acked = 0;
    self->ack_due = false;
    raft_message_destroy (&self->reject);
    // The time for answers begins when the question can be asked, see hard_state_durable.
    self->election_ns = RAFT_NEVER_NS;
    raft_core_persist (self, effects);
    raft_trace (self, DT_LOG_INFO, "campaign term=%lu last=%lu last_term=%lu",
                self->hard_state.term, raft_log_last (self->log), raft_log_last_term (self->log));
    if (dt_planted (DT_PLANTED_VOTE_BEFORE_DURABLE)) {
        s_ask_voters (self, false, effects);
    }
}

// Ask whether a campaign would be won; changes nothing but who is thought to lead [RAFT-7].
static void s_ask_before (raft_core_t *self, raft_effects_t *effects)
{
    raft_read_fail_unconfirmed (self, DT_ERR_NOT_READY, effects);
    self->leader = 0;
    self->asking = true;
    self->granted.count = 0;
    self->refused.count = 0;
    raft_node_list_add (&self->granted, self->options.node_id);
    self->election_ns = s_draw_retry_ns (self);
    raft_trace (self, DT_LOG_DEBUG, "ask for votes term=%lu last=%lu", self->hard_state.term,
                raft_log_last (self->log));
    s_ask_voters (self, true, effects);
}

static void s_become_leader (raft_core_t *self, raft_effects_t *effects)
{
    dt_assert (self->role == RAFT_CANDIDATE);
    self->role = RAFT_LEADER;
    self->leader = self->options.node_id;
    self->ready = false;
    self->election_ns = RAFT_NEVER_NS;
    self->lead = (raft_lead_t){
        .own_first = raft_log_last (self->log) + 1,
        .since_ns = self->now_ns,
        .since_cluster_ms = raft_log_cluster_time_ms (self->log),
        .durable_ns = self->now_ns,
        .heartbeat_ns = self->now_ns,
    };
    raft_trace (self, DT_LOG_INFO, "become leader term=%lu own_first=%lu", self->hard_state.term,
                self->lead.own_first);
    raft_peers_begin (self);
    raft_propose_first (self, effects);
}

// Whether this node may be needed as leader: it votes, or it did before a configuration that is not
// committed yet. Of those whose log has that one, perhaps none is a voter in it; its own vote then
// does not count [thesis 4.2.2].
static bool s_is_eligible (const raft_core_t *self)
{
    if (!self->configs) {
        return false;
    }
    const raft_config_at_t *latest = raft_config_stack_latest (self->configs);
    raft_node_id_t id = self->options.node_id;
    if (raft_config_is_voter (&latest->config, id)) {
        return true;
    }
    return latest->index > self->commit &&
           latest->index > raft_config_stack_floor (self->configs) &&
           raft_config_is_voter (&raft_config_stack_at (self->configs, latest->index - 1)->config,
                                 id);
}

// Why this node must not campaign now; NULL: it may. Appends in flight would make its last entry
// uncertain [RAFT-3]; a damaged log may lack what it acknowledged [DISK-12].
static const char *s_may_not_campaign (const raft_core_t *self)
{
    if (!s_is_eligible (self)) {
        return "no voter";
    }
    if (self->stopping || self->install.index > 0 || self->repair_until > 0) {
        return "stopping, installing or repairing";
    }
    if (self->durable != raft_log_last (self->log) || !raft_core_term_durable (self)) {
        return "the disk is behind";
    }
    if (self->disk_stalled && !raft_core_is_alone (self)) {
        return "the disk stalls"; // it would have to give up leading at once
    }
    return self->now_ns < self->bound_until_ns ? "bound by what an earlier life may have promised"
                                               : NULL;
}

// Whether this node was the only voter for as long as it knows: no earlier life promised anything.
// The latest configuration does not say that: it may have come from a leader that leaves, whose
// lease rests on this node's promise until it hears that the configuration is committed.
static bool s_was_always_alone (const raft_core_t *self)
{
    const raft_config_at_t *at = self->configs ? raft_config_stack_latest (self->configs) : NULL;
    while (at && raft_config_is_sole_voter (&at->config, self->options.node_id)) {
        if (at->index <= raft_config_stack_floor (self->configs)) {
            return true;
        }
        at = raft_config_stack_at (self->configs, at->index - 1);
    }
    return false;
}

void raft_election_start (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) event;
    self->started = true;
    if (s_was_always_alone (self)) {
        if (!s_may_not_campaign (self)) {
            s_campaign (self, false, effects);
        }
        return;
    }
    if (!self->configs) {
        raft_trace (self, DT_LOG_INFO, "wait: no configuration is known");
    }
    // Nobody was promised anything yet where everybody is new.
    self->election_ns =
        self->options.is_new ? s_draw_ns (self, 100, 700) : s_draw_timeout_ns (self);
    if (!self->options.is_new && !dt_planted (DT_PLANTED_RESTART_FORGETS_PROMISE)) {
        self->bound_until_ns = self->now_ns + raft_core_promise_slow_ns (self);
    }
}

static void s_time_out (raft_core_t *self, raft_effects_t *effects)
{
    if (self->role == RAFT_CANDIDATE) {
        raft_trace (self, DT_LOG_INFO, "campaign lost term=%lu: no quorum answered",
                    self->hard_state.term);
        self->role = RAFT_FOLLOWER;
        self->election_ns = s_draw_retry_ns (self);
        return;
    }
    if (!s_may_not_campaign (self)) {
        if (raft_core_is_alone (self)) {
            s_campaign (self, false, effects);
        } else {
            s_ask_before (self, effects);
        }
    } else if (self->leader != 0) {
        raft_election_follow (self, self->hard_state.term, 0, effects);
    }
}

void raft_election_settle (raft_core_t *self, raft_effects_t *effects)
{
    bool waits = self->role == RAFT_FOLLOWER || self->role == RAFT_CANDIDATE;
    if (waits && self->started && self->now_ns >= self->election_ns) {
        s_time_out (self, effects);
    }
}

int64_t raft_election_deadline_ns (const raft_core_t *self)
{
    if (self->role == RAFT_LEADER || self->role == RAFT_FAILED) {
        return RAFT_NEVER_NS;
    }
    if (self->election_ns > self->now_ns || self->role == RAFT_CANDIDATE) {
        return self->election_ns;
    }
    // Overdue: the event that ends what is in the way comes by itself, but for the passing of time.
    return self->bound_until_ns > self->now_ns ? self->bound_until_ns : RAFT_NEVER_NS;
}

// --- voting --------------------------------------------------------------------------------------

static void s_answer_vote (raft_core_t *self, raft_node_id_t to, raft_term_t campaign_term,
                           bool pre, bool granted, raft_effects_t *effects)
{
    raft_vote_reply_t *reply =
        &raft_core_send (self, to, RAFT_MESSAGE_VOTE_REPLY, effects)->vote_reply;
    reply->campaign_term = campaign_term;
    reply->directory_id = self->options.directory_id;
    reply->pre = pre;
    reply->granted = granted;
}

// Whether a candidate's log has everything that may be committed here [RAFT-4].
static bool s_is_up_to_date (const raft_core_t *self, const raft_vote_t *vote)
{
    raft_term_t last_term = raft_log_last_term (self->log);
    return vote->last_term > last_term ||
           (vote->last_term == last_term && vote->last_index >= raft_log_last (self->log));
}

// Why a vote is refused whatever its term; NULL: it is not.
static const char *s_refuses (const raft_core_t *self, const raft_vote_t *vote)
{
    if (self->repair_until > 0) {
        return "this node's log is being repaired";
    }
    const raft_config_t *config = raft_core_config_now (self);
    if (vote->last_index == 0 && raft_log_last (self->log) == 0 && config &&
        vote->bootstrap_hash != raft_config_hash (config)) {
        return "the group's first configuration differs from the one given here";
    }
    if (vote->transfer) {
        return NULL; // the leader to whom this node is bound renounced its lease [LEASE-2]
    }
    if (dt_planted (DT_PLANTED_NO_STICKINESS)) {
        return NULL;
    }
    if (self->role == RAFT_LEADER) {
        return "this node leads"; // and steps down by itself without a quorum [RAFT-8]
    }
    bool promised =
        self->heard_ns != INT64_MIN && self->now_ns - self->heard_ns < raft_core_promise_ns (self);
    if (promised || self->now_ns < self->bound_until_ns) {
        return "bound to a leader";
    }
    return NULL;
}

// The real vote: durable before it is told.
static void s_vote (raft_core_t *self, const raft_message_t *message, raft_effects_t *effects)
{
    const raft_vote_t *vote = &message->vote;
    if (vote->campaign_term > self->hard_state.term) {
        raft_election_follow (self, vote->campaign_term, 0, effects);
    }
    bool free_vote = self->role == RAFT_FOLLOWER && self->leader == 0 &&
                     (self->hard_state.vote == 0 || self->hard_state.vote == message->from);
    bool granted = free_vote && s_is_up_to_date (self, vote);
    if (granted && self->hard_state.vote == 0) {
        self->hard_state.vote = message->from;
        self->election_ns = s_draw_timeout_ns (self);
        raft_core_persist (self, effects);
    }
    raft_trace (self, DT_LOG_INFO, "%s vote to=%u term=%lu last=%lu last_term=%lu%s",
                granted ? "grant" : "refuse", message->from, vote->campaign_term, vote->last_index,
                vote->last_term,
                granted      ? ""
                : !free_vote ? ": given away"
                             : ": its log is behind");
    self->vote_due = (raft_vote_due_t){message->from, vote->campaign_term, granted};
    if (raft_core_term_durable (self) &&
        (!granted || self->hard_state_durable.vote == message->from ||
         dt_planted (DT_PLANTED_VOTE_BEFORE_DURABLE))) {
        s_answer_vote (self, message->from, vote->campaign_term, false, granted, effects);
        self->vote_due.to = 0;
    }
}

void raft_election_on_vote (raft_core_t *self, const raft_message_t *message,
                            raft_effects_t *effects)
{
    const raft_vote_t *vote = &message->vote;
    if (self->stopping) {
        return;
    }
    const char *why = vote->campaign_term < self->hard_state.term ? "an older term" : NULL;
    if (!why) {
        why = s_refuses (self, vote);
    }
    if (!why && vote->pre) {
        if (vote->campaign_term <= self->hard_state.term) {
            why = "not a new term";
        } else if (!s_is_up_to_date (self, vote)) {
            why = "its log is behind";
        }
    }
    if (why) {
        raft_trace (self, DT_LOG_DEBUG, "refuse %svote to=%u term=%lu last=%lu last_term=%lu: %s",
                    vote->pre ? "pre-" : "", message->from, vote->campaign_term, vote->last_index,
                    vote->last_term, why);
    } else if (!vote->pre) {
        s_vote (self, message, effects);
        return;
    }
    if (raft_core_term_durable (self)) {
        s_answer_vote (self, message->from, vote->campaign_term, vote->pre, !why, effects);
    }
}

// Whether a node shows the data directory the cluster knows it by; a node that lost its disk has
// forgotten what it promised [RAFT-29].
static bool s_is_known_directory (raft_core_t *self, raft_node_id_t id, uint64_t directory_id)
{
    const raft_node_info_t *node = raft_config_node (raft_core_config_now (self), id);
    if (!node || node->directory_id == 0 || directory_id == node->directory_id) {
        return true;
    }
    raft_trace (
        self, DT_LOG_WARN,
        "ignore the vote of node %u: it came with another data directory; remove it and add "
        "it under a new id",
        id);
    return false;
}

void raft_election_on_vote_reply (raft_core_t *self, const raft_message_t *message,
                                  raft_effects_t *effects)
{
    const raft_vote_reply_t *reply = &message->vote_reply;
    if (message->term > self->hard_state.term) {
        raft_election_follow (self, message->term, 0, effects);
        return;
    }
    bool asks = reply->pre ? self->asking && reply->campaign_term == self->hard_state.term + 1
                           : self->role == RAFT_CANDIDATE &&
                                 reply->campaign_term == self->hard_state.term &&
                                 raft_core_term_durable (self);
    if (!asks || !s_is_known_directory (self, message->from, reply->directory_id)) {
        return;
    }
    raft_node_list_add (reply->granted ? &self->granted : &self->refused, message->from);
    raft_vote_result_t result = s_count (self);
    if (result == RAFT_VOTE_PENDING) {
        return;
    }
    bool won = result == RAFT_VOTE_WON;
    if (reply->pre) {
        self->asking = false;
        if (won && !s_may_not_campaign (self)) {
            s_campaign (self, false, effects);
        }
    } else if (won) {
        s_become_leader (self, effects);
    } else {
        raft_trace (self, DT_LOG_INFO, "campaign lost term=%lu: refused", self->hard_state.term);
        self->role = RAFT_FOLLOWER;
        self->election_ns = s_draw_retry_ns (self);
    }
}

void raft_election_on_transfer (raft_core_t *self, const raft_message_t *message,
                                raft_effects_t *effects)
{
    const char *why = s_may_not_campaign (self);
    if (message->term != self->hard_state.term || message->from != self->leader) {
        why = "not from this term's leader"; // late ones must not depose anybody [RAFT-30]
    }
    if (self->role != RAFT_FOLLOWER || why) {
        raft_trace (self, DT_LOG_INFO, "refuse to take over from=%u: %s", message->from,
                    why ? why : "no follower");
        return;
    }
    s_campaign (self, true, effects);
}

void raft_election_hard_state_durable (raft_core_t *self, const raft_event_t *event,
                                       raft_effects_t *effects)
{
    const raft_hard_state_t *durable = &event->hard_state;
    dt_assert (durable->term <= self->hard_state.term);
    if (self->role == RAFT_FAILED || durable->term != self->hard_state.term ||
        durable->vote != self->hard_state.vote) {
        return; // a newer one is on its way, or nothing counts any more
    }
    self->hard_state_durable = *durable;
    if (self->vote_due.to != 0) {
        s_answer_vote (self, self->vote_due.to, self->vote_due.campaign_term, false,
                       self->vote_due.granted, effects);
        self->vote_due.to = 0;
    }
    if (self->role != RAFT_CANDIDATE) {
        return;
    }
    if (self->stopping) {
        self->role = RAFT_FOLLOWER;
        raft_trace (self, DT_LOG_INFO, "give up the campaign: stopping");
        raft_read_fail (self, self->handed, DT_ERR_STOPPING, effects);
        return;
    }
    // The vote for oneself counts from now on.
    raft_node_list_add (&self->granted, self->options.node_id);
    if (s_count (self) == RAFT_VOTE_WON) {
        s_become_leader (self, effects);
    } else {
        self->election_ns = s_draw_timeout_ns (self);
        s_ask_voters (self, false, effects);
    }
}

void raft_election_note_ready (raft_core_t *self)
{
    if (self->role == RAFT_LEADER && !self->ready && self->commit >= self->lead.own_first) {
        self->ready = true;
        raft_trace (self, DT_LOG_INFO, "ready term=%lu commit=%lu", self->hard_state.term,
                    self->commit);
    }
}

void raft_election_tell (raft_core_t *self, raft_effects_t *effects)
{
    const raft_effect_t *told = &self->told;
    if (told->kind == RAFT_EFFECT_STATUS && told->status.role == self->role &&
        told->status.ready == self->ready && told->status.leader == self->leader &&
        told->status.term == self->hard_state.term) {
        return;
    }
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_STATUS);
    effect->status.role = self->role;
    effect->status.ready = self->ready;
    effect->status.leader = self->leader;
    effect->status.term = self->hard_state.term;
    self->told = *effect;
}
