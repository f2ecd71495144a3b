// What a quorum's answers allow a leader: to go on leading, and to answer reads without asking.
//
// Time is cut into rounds. Every message to a follower carries the current round; its answer says
// that, when the round had begun, it followed this leader, and that it will not help to elect
// another for an election timeout from its own receipt on. So when a quorum has confirmed round r,
// nobody else leads before begin (r) + timeout, by any clock that does not drift more than assumed
// [LEASE-1].

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_quorum.h"
#include "raft/core/raft_trace.h"

void raft_lease_begin_round (raft_core_t *self)
{
    raft_lead_t *lead = &self->lead;
    lead->round++;
    lead->round_ns[lead->round % RAFT_ROUNDS_KEPT] = self->now_ns;
    lead->heartbeat_ns = self->now_ns + (int64_t) self->options.heartbeat_ms * 1000000;
    for (uint32_t i = 0; i < lead->peers_count; i++) {
        lead->peers[i].owed = true;
    }
}

// One number of each voter, as a quorum sees them: the highest that a majority reaches.
static uint64_t s_quorum (const raft_core_t *self, uint64_t own,
                          uint64_t (*of) (const raft_peer_t *peer))
{
    raft_match_t numbers[2 * RAFT_CONFIG_NODES_MAX + 1];
    uint32_t count = 0;
    numbers[count++] = (raft_match_t){.id = self->options.node_id, .match = own};
    for (uint32_t i = 0; i < self->lead.peers_count; i++) {
        const raft_peer_t *peer = &self->lead.peers[i];
        numbers[count++] = (raft_match_t){.id = peer->id, .match = of (peer)};
    }
    return raft_quorum_match (raft_core_config_now (self), numbers, count);
}

static uint64_t s_round_of (const raft_peer_t *peer)
{
    return peer->round_acked;
}

uint64_t raft_lease_confirmed (const raft_core_t *self)
{
    return s_quorum (self, self->lead.round, s_round_of);
}

int64_t raft_lease_until_ns (const raft_core_t *self)
{
    const raft_lead_t *lead = &self->lead;
    if (self->role != RAFT_LEADER || self->options.no_lease || lead->renounced) {
        return INT64_MIN;
    }
    uint64_t round = raft_lease_confirmed (self);
    if (round == 0 || round + RAFT_ROUNDS_KEPT <= lead->round) {
        return INT64_MIN;
    }
    int64_t drift = dt_planted (DT_PLANTED_LEASE_WITHOUT_DRIFT)
                        ? 0
                        : (int64_t) self->options.clock_drift_permille;
    int64_t promise = raft_core_promise_ns (self) / 1000 * (1000 - drift);
    int64_t guard = drift ? (int64_t) self->options.lease_guard_ms * 1000000 : 0;
    return lead->round_ns[round % RAFT_ROUNDS_KEPT] + promise - guard;
}

bool raft_lease_holds (const raft_core_t *self)
{
    return raft_core_is_alone (self) || self->now_ns < raft_lease_until_ns (self);
}

static uint64_t s_heard_of (const raft_peer_t *peer)
{
    return peer->heard_ns > 0 ? (uint64_t) peer->heard_ns : 0;
}

// When a quorum was last heard, the begin of the term counting as such.
static int64_t s_quorum_heard_ns (const raft_core_t *self)
{
    int64_t heard = (int64_t) s_quorum (self, (uint64_t) INT64_MAX, s_heard_of);
    return heard > self->lead.since_ns ? heard : self->lead.since_ns;
}

static bool s_disk_owes (const raft_core_t *self)
{
    return self->durable < raft_log_last (self->log);
}

// Why a leader must not go on; NULL: it may.
static const char *s_unfit (raft_core_t *self)
{
    if (!s_disk_owes (self)) {
        self->lead.durable_ns = self->now_ns;
    }
    if (raft_core_is_alone (self)) {
        return NULL;
    }
    int64_t timeout_ns = raft_core_promise_ns (self);
    if (self->now_ns - s_quorum_heard_ns (self) >= timeout_ns) {
        return "no quorum answers"; // [RAFT-8]
    }
    // A leader that cannot write must not keep the others waiting.
    bool stalls = self->disk_stalled || self->now_ns - self->lead.durable_ns >= timeout_ns;
    return stalls ? "the disk stalls" : NULL;
}

void raft_lease_settle (raft_core_t *self, raft_effects_t *effects)
{
    if (self->role != RAFT_LEADER) {
        return;
    }
    const char *why = s_unfit (self);
    if (why) {
        raft_trace (self, DT_LOG_WARN, "step down term=%lu: %s", self->hard_state.term, why);
        raft_election_follow (self, self->hard_state.term, 0, effects);
    } else if (self->lead.peers_count > 0 && self->now_ns >= self->lead.heartbeat_ns) {
        raft_lease_begin_round (self);
    }
}

int64_t raft_lease_deadline_ns (const raft_core_t *self)
{
    if (self->role != RAFT_LEADER || self->lead.peers_count == 0) {
        return RAFT_NEVER_NS;
    }
    int64_t deadline_ns = self->lead.heartbeat_ns;
    if (!raft_core_is_alone (self)) {
        int64_t timeout_ns = raft_core_promise_ns (self);
        int64_t quorum_ns = s_quorum_heard_ns (self) + timeout_ns;
        int64_t disk_ns = s_disk_owes (self) ? self->lead.durable_ns + timeout_ns : RAFT_NEVER_NS;
        deadline_ns = quorum_ns < deadline_ns ? quorum_ns : deadline_ns;
        deadline_ns = disk_ns < deadline_ns ? disk_ns : deadline_ns;
    }
    return deadline_ns;
}
