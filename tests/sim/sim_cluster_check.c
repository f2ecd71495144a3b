#include "tests/sim/sim_cluster_check.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

typedef unsigned long long s_number_t; // as printf knows it

// What was seen of a node.
typedef struct {
    raft_status_t status;     // in this life; zeroed: nothing yet
    raft_term_t led;          // highest term it led in, in any life
    int64_t lease_until_ns;   // of the world; INT64_MIN: none
    uint32_t looks_unchecked; // since the core's invariant was checked
} s_node_t;

struct sim_cluster_check {
    sim_check_t *check; // borrowed
    s_node_t nodes[SIM_CLUSTER_NODES_MAX + 1];
    uint32_t *leaders; // by term
    uint64_t terms;    // room in leaders
    uint64_t elections;
};

enum { LOOKS_PER_CHECK = 16 }; // the core's invariant is linear in what is in memory

static void s_grow (sim_cluster_check_t *self, raft_term_t term)
{
    if (term < self->terms) {
        return;
    }
    uint64_t terms = (term + 1) * 2;
    self->leaders = dt_realloc (self->leaders, terms * sizeof *self->leaders);
    for (uint64_t i = self->terms; i < terms; i++) {
        self->leaders[i] = 0;
    }
    self->terms = terms;
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
    raft_term_t term = status->hard_state.term;
    s_grow (self, term);
    if (self->leaders[term] == 0) {
        self->leaders[term] = node_id;
        self->elections++;
        s_check_complete (self, node_id, status);
    } else if (self->leaders[term] != node_id) {
        sim_check_fail (self->check, "nodes %u and %u both lead in term %llu", self->leaders[term],
                        node_id, (s_number_t) term);
    }
    self->nodes[node_id].led = term;
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
    if (status->hard_state.term < self->nodes[node_id].led) {
        sim_check_fail (self->check, "node %u led in term %llu and is back in %llu", node_id,
                        (s_number_t) self->nodes[node_id].led,
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
    *node = (s_node_t){.led = node->led, .lease_until_ns = INT64_MIN};
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
    free (self->leaders);
    free (self);
}
