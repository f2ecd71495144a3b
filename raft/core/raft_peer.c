// One peer as its leader sees it, and the set of them.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "raft/core/raft_internal.h"

const char *raft_peer_state_name (raft_peer_state_t state)
{
    switch (state) {
    case RAFT_PEER_PROBE:
        return "probe";
    case RAFT_PEER_PIPELINE:
        return "pipeline";
    case RAFT_PEER_SNAPSHOT:
        return "snapshot";
    }
    dt_unreachable ();
}

raft_peer_t *raft_peers_find (raft_core_t *self, raft_node_id_t id)
{
    for (uint32_t i = 0; i < self->lead.peers_count; i++) {
        if (self->lead.peers[i].id == id) {
            return &self->lead.peers[i];
        }
    }
    return NULL;
}

static void s_add (raft_core_t *self, raft_node_id_t id)
{
    raft_lead_t *lead = &self->lead;
    lead->peers = dt_realloc (lead->peers, (lead->peers_count + 1) * sizeof lead->peers[0]);
    uint32_t place = lead->peers_count++;
    while (place > 0 && lead->peers[place - 1].id > id) {
        lead->peers[place] = lead->peers[place - 1];
        place--;
    }
    lead->peers[place] = (raft_peer_t){
        .id = id,
        .next = raft_log_last (self->log) + 1,
        .heard_ns = INT64_MIN,
        .retry_ns = INT64_MIN,
        .commit_due_ns = RAFT_NEVER_NS,
        .owed = true,
    };
}

static void s_remove (raft_core_t *self, uint32_t place)
{
    raft_lead_t *lead = &self->lead;
    free (lead->peers[place].flights);
    lead->peers_count--;
    memmove (&lead->peers[place], &lead->peers[place + 1],
             (lead->peers_count - place) * sizeof lead->peers[0]);
}

void raft_peers_adjust (raft_core_t *self)
{
    const raft_config_t *config = raft_core_config_now (self);
    const raft_node_list_t *lists[] = {&config->voters, &config->observers, &config->next_voters,
                                       &config->next_observers};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (uint32_t j = 0; j < lists[i]->count; j++) {
            raft_node_id_t id = lists[i]->ids[j];
            if (id != self->options.node_id && !raft_peers_find (self, id)) {
                s_add (self, id);
            }
        }
    }
    for (uint32_t i = 0; i < self->lead.peers_count; i++) {
        raft_peer_t *peer = &self->lead.peers[i];
        bool member = raft_config_is_member (config, peer->id);
        if (!member && !peer->leaving) {
            // It has to hear that it left, or it would go on asking for votes [RAFT-27].
            peer->leave_by_ns = self->now_ns + 10 * raft_core_promise_ns (self);
        }
        peer->leaving = !member;
    }
}

void raft_peers_forget (raft_core_t *self)
{
    raft_index_t config_index = raft_config_stack_latest (self->configs)->index;
    for (uint32_t i = self->lead.peers_count; i-- > 0;) {
        const raft_peer_t *peer = &self->lead.peers[i];
        if (peer->leaving && (peer->applied >= config_index || self->now_ns >= peer->leave_by_ns)) {
            s_remove (self, i);
        }
    }
}

void raft_peers_begin (raft_core_t *self)
{
    raft_peers_adjust (self);
    raft_lease_begin_round (self);
}

void raft_peers_end (raft_core_t *self, raft_effects_t *effects)
{
    bool sends = false;
    while (self->lead.peers_count > 0) {
        sends = sends || self->lead.peers[0].sending_snapshot;
        s_remove (self, 0);
    }
    free (self->lead.peers);
    self->lead.peers = NULL;
    if (sends && effects) {
        raft_effects_add (effects, RAFT_EFFECT_SNAPSHOT_CANCEL);
    }
}

bool raft_peer_is_active (const raft_core_t *self, const raft_peer_t *peer)
{
    return peer->heard_ns != INT64_MIN &&
           self->now_ns - peer->heard_ns < raft_core_promise_ns (self);
}

void raft_peer_probe (raft_peer_t *peer, raft_index_t next)
{
    dt_assert (next > peer->match);
    peer->state = RAFT_PEER_PROBE;
    peer->next = next;
    peer->retry_ns = INT64_MIN;
    peer->flights_count = 0;
    peer->flights_bytes = 0;
}

void raft_peer_pipeline (raft_peer_t *peer)
{
    peer->state = RAFT_PEER_PIPELINE;
    peer->flights_count =
        0; // what was sent as a probe is sent again from next on, or was acknowledged
    peer->flights_bytes = 0;
}

void raft_peer_note_flight (raft_peer_t *peer, raft_index_t last, uint64_t bytes)
{
    if (peer->flights_count == peer->flights_capacity) {
        uint32_t capacity = peer->flights_capacity ? peer->flights_capacity * 2 : 8;
        raft_flight_t *flights = dt_malloc (capacity * sizeof *flights);
        for (uint32_t i = 0; i < peer->flights_count; i++) {
            flights[i] = peer->flights[(peer->flights_first + i) % peer->flights_capacity];
        }
        free (peer->flights);
        peer->flights = flights;
        peer->flights_first = 0;
        peer->flights_capacity = capacity;
    }
    uint32_t place = (peer->flights_first + peer->flights_count++) % peer->flights_capacity;
    peer->flights[place] = (raft_flight_t){last, bytes};
    peer->flights_bytes += bytes;
}

void raft_peer_note_match (raft_peer_t *peer, raft_index_t match)
{
    if (match > peer->match) {
        peer->match = match;
    }
    if (peer->next <= peer->match) {
        peer->next = peer->match + 1;
    }
    while (peer->flights_count > 0 && peer->flights[peer->flights_first].last <= peer->match) {
        peer->flights_bytes -= peer->flights[peer->flights_first].bytes;
        peer->flights_first = (peer->flights_first + 1) % peer->flights_capacity;
        peer->flights_count--;
    }
}

uint32_t raft_core_peers (const raft_core_t *self, raft_peer_status_t *peers, uint32_t max)
{
    if (self->role != RAFT_LEADER) {
        return 0;
    }
    for (uint32_t i = 0; i < self->lead.peers_count && i < max; i++) {
        const raft_peer_t *peer = &self->lead.peers[i];
        peers[i] = (raft_peer_status_t){
            .id = peer->id,
            .state = peer->state,
            .active = raft_peer_is_active (self, peer),
            .repairing = peer->repairing,
            .match = peer->match,
            .next = peer->next,
            .last = peer->last,
            .applied = peer->applied,
            .in_flight_bytes = peer->flights_bytes,
            .heard_ns = peer->heard_ns,
        };
    }
    return self->lead.peers_count;
}
