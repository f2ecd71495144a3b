// Handing leadership over: the successor catches up, the leader renounces its lease, the successor
// campaigns in a new term [RAFT-30, LEASE-2].

#include "base/dt_error.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

static void s_answer (raft_core_t *self, int rc, raft_node_id_t leader, const char *why,
                      raft_effects_t *effects)
{
    if (self->transfer.waits) {
        raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_TRANSFER_ANSWER);
        effect->transfer_answer.request = self->transfer.request;
        effect->transfer_answer.rc = rc;
        effect->transfer_answer.leader = leader;
        effect->transfer_answer.why = rc == 0 ? NULL : why;
    }
    self->transfer = (raft_transfer_t){0};
}

static bool s_may_lead (raft_core_t *self, const raft_peer_t *peer)
{
    return !peer->leaving && !peer->repairing && peer->state == RAFT_PEER_PIPELINE &&
           raft_config_is_voter (raft_core_config_now (self), peer->id) &&
           raft_peer_is_active (self, peer);
}

raft_peer_t *raft_transfer_heir (raft_core_t *self)
{
    raft_peer_t *best = NULL;
    for (uint32_t i = 0; i < self->lead.peers_count; i++) {
        raft_peer_t *peer = &self->lead.peers[i];
        if (s_may_lead (self, peer) && (!best || peer->match > best->match)) {
            best = peer;
        }
    }
    return best;
}

void raft_transfer_send (raft_core_t *self, raft_node_id_t to, raft_effects_t *effects)
{
    // The message may arrive late: no lease any more in this term, whatever comes of it.
    self->lead.renounced = true;
    raft_core_send (self, to, RAFT_MESSAGE_TRANSFER, effects);
}

// 0, or why leadership cannot be handed to a node now.
static int s_judge (raft_core_t *self, raft_node_id_t target, const char **why)
{
    if (self->role == RAFT_FAILED) {
        *why = "the disk failed";
        return self->failed_rc;
    }
    if (self->stopping) {
        *why = "stopping";
        return DT_ERR_STOPPING;
    }
    if (self->role != RAFT_LEADER) {
        *why = "not leader";
        return DT_ERR_NOT_LEADER;
    }
    if (!self->ready) {
        *why = "the leader has just begun";
        return DT_ERR_NOT_READY;
    }
    if (self->transfer.to != 0 || self->transfer.waits) {
        *why = "leadership is being handed over already";
        return DT_ERR_BUSY;
    }
    raft_peer_t *peer = raft_peers_find (self, target);
    if (!raft_config_is_voter (raft_core_config_now (self), target)) {
        *why = "only a voter can lead";
        return DT_ERR_BAD_CHANGE;
    }
    if (target != self->options.node_id && (!peer || !s_may_lead (self, peer))) {
        *why = "that node does not answer or has not caught up";
        return DT_ERR_NOT_READY;
    }
    return 0;
}

void raft_transfer (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    raft_transfer_t asked = {
        .request = event->transfer.request,
        .waits = true,
        .deadline_ns = event->transfer.deadline_ns,
    };
    raft_node_id_t target = event->transfer.target;
    if (target == 0 && self->role == RAFT_LEADER) {
        raft_peer_t *heir = raft_transfer_heir (self);
        target = heir ? heir->id : 0;
    }
    const char *why = NULL;
    int rc = s_judge (self, target, &why);
    if (rc != 0 || target == self->options.node_id) {
        raft_transfer_t under_way = self->transfer;
        self->transfer = asked;
        s_answer (self, rc, target, why, effects);
        self->transfer = under_way;
        return;
    }
    self->transfer = asked;
    self->transfer.to = target;
    raft_trace (self, DT_LOG_INFO, "transfer to=%u term=%lu", target, self->hard_state.term);
}

void raft_transfer_settle (raft_core_t *self, raft_effects_t *effects)
{
    raft_transfer_t *transfer = &self->transfer;
    if (transfer->to == 0 && !transfer->waits) {
        return;
    }
    if (self->role != RAFT_LEADER) {
        transfer->to = 0;
        if (self->role == RAFT_FAILED) {
            s_answer (self, self->failed_rc, 0, "the disk failed", effects);
        } else if (self->leader != 0) {
            s_answer (self, 0, self->leader, NULL, effects);
        } else if (self->now_ns >= transfer->deadline_ns || self->stopping) {
            s_answer (self, DT_ERR_TIMEOUT, 0, "no new leader is known yet", effects);
        }
        return;
    }
    raft_peer_t *peer = raft_peers_find (self, transfer->to);
    if (!peer || !s_may_lead (self, peer) || self->now_ns >= transfer->deadline_ns) {
        raft_trace (self, DT_LOG_INFO, "transfer given up to=%u", transfer->to);
        s_answer (self, DT_ERR_TIMEOUT, 0, "the node did not take over in time", effects);
        return;
    }
    if (peer->match == raft_log_last (self->log) && self->now_ns >= transfer->resend_ns) {
        transfer->sent = true;
        transfer->resend_ns = self->now_ns + (int64_t) self->options.heartbeat_ms * 1000000;
        raft_transfer_send (self, transfer->to, effects);
    }
}

int64_t raft_transfer_deadline_ns (const raft_core_t *self)
{
    const raft_transfer_t *transfer = &self->transfer;
    if (transfer->to == 0 && !transfer->waits) {
        return RAFT_NEVER_NS;
    }
    return transfer->sent && transfer->to != 0 && transfer->resend_ns < transfer->deadline_ns
               ? transfer->resend_ns
               : transfer->deadline_ns;
}
