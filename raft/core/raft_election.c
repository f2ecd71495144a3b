// Roles: how a node becomes candidate and leader, and who is told.

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_quorum.h"
#include "raft/core/raft_trace.h"

// A new term with a vote for oneself. Nothing reveals it before it is durable [RAFT-1].
static void s_campaign (raft_core_t *self, raft_effects_t *effects)
{
    self->hard_state.term++;
    self->hard_state.vote = self->options.node_id;
    self->role = RAFT_CANDIDATE;
    self->leader = 0;
    self->granted.count = 0;
    raft_effects_add (effects, RAFT_EFFECT_PERSIST)->hard_state = self->hard_state;
    raft_trace (self, DT_LOG_INFO, "campaign term=%lu last=%lu last_term=%lu",
                self->hard_state.term, raft_log_last (self->log), raft_log_last_term (self->log));
}

static void s_become_leader (raft_core_t *self, raft_effects_t *effects)
{
    dt_assert (self->role == RAFT_CANDIDATE);
    self->role = RAFT_LEADER;
    self->leader = self->options.node_id;
    self->ready = false;
    self->own_first = raft_log_last (self->log) + 1;
    self->lead_since_ns = self->now_ns;
    self->lead_since_cluster_ms = raft_log_cluster_time_ms (self->log);
    raft_trace (self, DT_LOG_INFO, "become leader term=%lu own_first=%lu", self->hard_state.term,
                self->own_first);
    raft_propose_first (self, effects);
}

void raft_election_start (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) event;
    self->started = true;
    if (!self->configs) {
        raft_trace (self, DT_LOG_INFO, "wait: no configuration is known");
        return;
    }
    const raft_config_t *config = &raft_config_stack_latest (self->configs)->config;
    if (!raft_config_is_sole_voter (config, self->options.node_id)) {
        raft_trace (self, DT_LOG_INFO, "wait: node %u is not the sole voter",
                    self->options.node_id);
        return;
    }
    s_campaign (self, effects);
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
    static const raft_node_list_t refused; // nobody is asked who could
    const raft_config_t *config = &raft_config_stack_latest (self->configs)->config;
    if (raft_quorum_votes (config, &self->granted, &refused) == RAFT_VOTE_WON) {
        s_become_leader (self, effects);
    }
}

void raft_election_settle (raft_core_t *self, raft_effects_t *effects)
{
    if (self->role == RAFT_LEADER && !self->ready && self->commit >= self->own_first) {
        self->ready = true;
        raft_trace (self, DT_LOG_INFO, "ready term=%lu commit=%lu", self->hard_state.term,
                    self->commit);
    }
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
