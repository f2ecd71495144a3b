#include "tests/sim/sim_cluster_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "raft/raft_wire.h"

typedef unsigned long long s_number_t; // as printf knows it

// What was seen of a node.
typedef struct {
    raft_status_t status;     // in this life; zeroed: nothing yet
    raft_term_t told;         // highest term it told another node, in any life
    int64_t lease_until_ns;   // of the world; INT64_MIN: none
    uint32_t looks_unchecked; // since the core's invariant was checked
} s_node_t;

// What is known of a term.
typedef struct {
    uint32_t leader;                           // 0: none so far
    uint32_t votes[SIM_CLUSTER_NODES_MAX + 1]; // whom a node said it voted for; 0: nobody
} s_term_t;

struct sim_cluster_check {
    sim_check_t *check; // borrowed
    s_node_t nodes[SIM_CLUSTER_NODES_MAX + 1];
    s_term_t *terms; // [term]
    uint64_t room;   // in terms
    uint64_t elections;
};

enum { LOOKS_PER_CHECK = 64 }; // the core's invariant is linear in what is in memory

static s_term_t *s_term (sim_cluster_check_t *self, raft_term_t term)
{
    if (term >= self->room) {
        uint64_t room = (term + 1) * 2;
        self->terms = dt_realloc (self->terms, room * sizeof *self->terms);
        memset (self->terms + self->room, 0, (room - self->room) * sizeof *self->terms);
        self->room = room;
    }
    return &self->terms[term];
}

// What was applied in earlier terms was committed then.
static void s_check_complete (sim_cluster_check_t *self, uint32_t node_id,
                              const raft_status_t *status)
{
    uint64_t index = sim_check_applied (self->check);
    while (index > status->last && sim_check_term (self->check, index) >= status->hard_state.term) {
        index--;
    }
    if (index > status->last) {
        sim_check_fail (
            self->check,
            "node %u leads in term %llu with entries up to %llu; %llu of term %llu was applied",
            node_id, (s_number_t) status->hard_state.term, (s_number_t) status->last,
            (s_number_t) index, (s_number_t) sim_check_term (self->check, index));
    }
}

static void s_look_at_leader (sim_cluster_check_t *self, uint32_t node_id,
                              const raft_status_t *status)
{
    s_term_t *term = s_term (self, status->hard_state.term);
    if (term->leader == 0) {
        term->leader = node_id;
        self->elections++;
        s_check_complete (self, node_id, status);
    } else if (term->leader != node_id) {
        sim_check_fail (self->check, "nodes %u and %u both lead in term %llu", term->leader,
                        node_id, (s_number_t) status->hard_state.term);
    }
}

static void s_look_at_lease (sim_cluster_check_t *self, uint32_t node_id,
                             const raft_status_t *status, const sim_clock_t *clock, int64_t now_ns)
{
    s_node_t *node = &self->nodes[node_id];
    bool leased = status->role == RAFT_LEADER && status->lease_until_ns != INT64_MIN &&
                  status->lease_until_ns > sim_clock_now_ns (clock);
    node->lease_until_ns = leased ? sim_clock_to_world (clock, status->lease_until_ns) : INT64_MIN;
    for (uint32_t i = 1; leased && i <= SIM_CLUSTER_NODES_MAX; i++) {
        if (i != node_id && self->nodes[i].lease_until_ns > now_ns) {
            sim_check_fail (self->check, "nodes %u and %u both have a lease", i, node_id);
        }
    }
}

static void s_look_at_progress (sim_cluster_check_t *self, uint32_t node_id,
                                const raft_status_t *status)
{
    const raft_status_t *before = &self->nodes[node_id].status;
    if (status->hard_state.term < before->hard_state.term || status->commit < before->commit ||
        status->applied < before->applied) {
        sim_check_fail (self->check, "node %u: term, commit or applied index falls", node_id);
    }
    if (status->hard_state.term < self->nodes[node_id].told) {
        sim_check_fail (self->check, "node %u told of term %llu and is back in %llu", node_id,
                        (s_number_t) self->nodes[node_id].told,
                        (s_number_t) status->hard_state.term);
    }
}

void sim_cluster_check_look (sim_cluster_check_t *self, uint32_t node_id, const raft_core_t *core,
                             const sim_clock_t *clock, int64_t now_ns)
{
    dt_assert (node_id >= 1);
    dt_assert (node_id <= SIM_CLUSTER_NODES_MAX);
    s_node_t *node = &self->nodes[node_id];
    raft_status_t status;
    raft_core_status (core, &status);
    s_look_at_progress (self, node_id, &status);
    if (status.role == RAFT_LEADER) {
        s_look_at_leader (self, node_id, &status);
    }
    s_look_at_lease (self, node_id, &status, clock, now_ns);
    if (node->looks_unchecked++ >= LOOKS_PER_CHECK) {
        node->looks_unchecked = 0;
        raft_core_check (core);
    }
    node->status = status;
}

void sim_cluster_check_ended (sim_cluster_check_t *self, uint32_t node_id)
{
    s_node_t *node = &self->nodes[node_id];
    *node = (s_node_t){.told = node->told, .lease_until_ns = INT64_MIN};
}

static void s_see_vote (sim_cluster_check_t *self, uint32_t node_id, raft_term_t number,
                        uint32_t vote)
{
    s_term_t *term = s_term (self, number);
    if (term->votes[node_id] != 0 && term->votes[node_id] != vote) {
        sim_check_fail (self->check, "node %u votes for %u and %u in term %llu", node_id,
                        term->votes[node_id], vote, (s_number_t) number);
    }
    term->votes[node_id] = vote;
}

void sim_cluster_check_told (sim_cluster_check_t *self, uint32_t node_id, uint32_t to,
                             const peer_part_t *part)
{
    s_node_t *node = &self->nodes[node_id];
    node->told = part->term > node->told ? part->term : node->told;
    if (part->kind != RAFT_MESSAGE_VOTE && part->kind != RAFT_MESSAGE_VOTE_REPLY) {
        return;
    }
    peer_message_t peer = {.node_id = node_id,
                           .group_id = part->group,
                           .term = part->term,
                           .kind = part->kind,
                           .data = part->data,
                           .bytes = part->bytes};
    raft_message_t *message = NULL;
    if (raft_wire_decode (&peer, to, &message) != 0) {
        sim_check_fail (self->check, "node %u tells node %u what cannot be read", node_id, to);
    } else if (message->kind == RAFT_MESSAGE_VOTE && !message->vote.pre) {
        s_see_vote (self, node_id, message->term, node_id);
    } else if (message->kind == RAFT_MESSAGE_VOTE_REPLY && message->vote_reply.granted &&
               !message->vote_reply.pre) {
        s_see_vote (self, node_id, message->term, to);
    }
    raft_message_destroy (&message);
}

uint64_t sim_cluster_check_leaders (const sim_cluster_check_t *self)
{
    return self->elections;
}

sim_cluster_check_t *sim_cluster_check_new (sim_check_t *check)
{
    sim_cluster_check_t *self = dt_zalloc (1, sizeof *self);
    self->check = check;
    for (uint32_t i = 1; i <= SIM_CLUSTER_NODES_MAX; i++) {
        self->nodes[i].lease_until_ns = INT64_MIN;
    }
    return self;
}

void sim_cluster_check_destroy (sim_cluster_check_t **self_p)
{
    sim_cluster_check_t *self = *self_p;
    *self_p = NULL;
    free (self->terms);
    free (self);
}
