// Faults that aim at what just happened, where faults at random rarely hit: one scheme a seed, over
// and over in its safety phase. Links belong to the scheme then, other faults at random may go on.
//
// BLIND     A voter does not hear the leader, and so asks the others for votes all the time. After
// a
//           while the leader is cut off from all, perhaps while the others restart quickly: whoever
//           gives the voter its vote too early makes a second leader beside one with a lease.
// FREEZE    The leader stands still while answers to its round are on their way, and wakes up alone
//           when others have elected another. What it hears first are those answers.
// FIGURE_8  Whoever begins to lead reaches some for the time of a few messages, then nobody:
// entries
//           of several terms compete for the same indexes [RAFT 5.4.2].
// REPLACE   Most voters are replaced. When the joint configuration, or the one after it, is
//           appended, old and new voters are cut apart, or the new ones restart at once.

#include <string.h>

#include "tests/raft/raft_cluster_internal.h"

static bool s_chance (cluster_t *self, uint64_t of)
{
    return dt_random_chance (&self->plot, 1, of);
}

// The next event of the scheme, between two permilles of an election timeout from now on.
static void s_next (cluster_t *self, unsigned phase, uint64_t low, uint64_t high)
{
    uint64_t timeout_ms = self->scheme.timeout_ms ? self->scheme.timeout_ms : 1000;
    self->scheme.phase = phase;
    cluster_push (self, (cluster_event_t){.kind = EVENT_SCHEME, .value = ++self->scheme.plan},
                  (int64_t) (dt_random_between (&self->plot, low, high) * timeout_ms) * 1000);
}

static void s_join (cluster_t *self)
{
    memset (self->cut, 0, sizeof self->cut);
}

static void s_cut (cluster_t *self, raft_node_id_t one, raft_node_id_t other)
{
    self->cut[one][other] = self->cut[other][one] = one != other;
}

static void s_isolate (cluster_t *self, raft_node_id_t id)
{
    cluster_say (self, "isolate node %u", id);
    for (unsigned other = 1; other <= self->nodes_count; other++) {
        s_cut (self, id, other);
    }
}

static void s_restart_at_once (cluster_t *self, cluster_node_t *node)
{
    if (node->core) {
        cluster_crash (self, node);
        cluster_push (
            self, (cluster_event_t){.kind = EVENT_RESTART, .node = node->id, .life = node->life},
            (int64_t) dt_random_between (&self->plot, 1, 20) * MS);
    }
}

// The leader, if it is one that serves and has somebody to lead.
static cluster_node_t *s_victim (cluster_t *self)
{
    cluster_node_t *leader = cluster_leader (self);
    raft_status_t status;
    if (!leader || leader->paused) {
        return NULL;
    }
    raft_core_status (leader->core, &status);
    return status.ready && raft_core_config (leader->core)->config.voters.count > 1 ? leader : NULL;
}

static void s_recover (cluster_t *self)
{
    s_join (self);
    self->scheme.victim = 0;
    self->scheme.watched = 0;
    self->scheme.quiet = false;
    self->scheme.hasty = false;
    s_next (self, 0, 300, 1500);
}

// --- BLIND ---------------------------------------------------------------------------------------

static void s_blind (cluster_t *self)
{
    cluster_scheme_t *scheme = &self->scheme;
    cluster_node_t *leader = s_victim (self);
    if (scheme->phase == 0) {
        if (!leader) {
            s_next (self, 0, 50, 100);
            return;
        }
        scheme->victim = leader->id;
        scheme->watched = leader->id;
        scheme->quiet = true; // or the blind one's log would fall behind
        s_next (self, 1, 50, 150);
    } else if (scheme->phase == 1) {
        scheme->other = cluster_some_node (self, &self->plot)->id;
        cluster_say (self, "node %u does not hear node %u", scheme->other, scheme->victim);
        s_cut (self, scheme->victim, scheme->other);
        s_next (self, 2, 100, 2500);
    } else if (scheme->phase == 2) {
        s_isolate (self, scheme->victim);
        for (unsigned id = 1; s_chance (self, 2) && id <= self->nodes_count; id++) {
            if (id != scheme->victim && id != scheme->other) {
                s_restart_at_once (self, &self->nodes[id]);
            }
        }
        scheme->hasty = true;
        s_next (self, 3, 1100, 2200);
    } else {
        s_recover (self);
    }
}

// The blind one got its way: the old leader shall not hear of it.
static void s_look_blind (cluster_t *self, const cluster_node_t *node)
{
    cluster_scheme_t *scheme = &self->scheme;
    if (scheme->phase == 2 && node->role == RAFT_LEADER && node->id != scheme->victim) {
        s_isolate (self, scheme->victim);
        scheme->hasty = true;
    }
}

// --- FREEZE --------------------------------------------------------------------------------------

static void s_freeze (cluster_t *self)
{
    cluster_scheme_t *scheme = &self->scheme;
    cluster_node_t *victim = &self->nodes[scheme->victim];
    if (scheme->phase == 0) {
        victim = s_victim (self);
        if (!victim) {
            s_next (self, 0, 50, 100);
            return;
        }
        scheme->victim = victim->id;
        scheme->hasty = true;
        s_next (self, 1, 20, 300);
    } else if (scheme->phase == 1) {
        victim->paused = victim->core != NULL;
        cluster_say (self, "freeze node %u", victim->id);
        s_next (self, 2, 5, 10);
    } else if (scheme->phase == 2) {
        s_isolate (self, scheme->victim);
        s_next (self, 3, 1200, 3000);
    } else if (scheme->phase == 3) {
        victim->paused = false;
        scheme->watched = victim->id;
        s_next (self, 4, 100, 900);
    } else {
        s_recover (self);
    }
}

// --- FIGURE_8 ------------------------------------------------------------------------------------

static void s_figure_8 (cluster_t *self)
{
    cluster_scheme_t *scheme = &self->scheme;
    cluster_node_t *victim = &self->nodes[scheme->victim];
    if (scheme->phase == 1) {
        s_join (self);
        s_isolate (self, victim->id);
        if (s_chance (self, 4)) {
            s_restart_at_once (self, victim);
        }
        scheme->watched = victim->id;
        s_next (self, 2, 3000, 5000); // it may be that nobody can be elected now
    } else if (scheme->phase == 2) {
        s_recover (self);
    }
}

static void s_look_figure_8 (cluster_t *self, const cluster_node_t *node)
{
    cluster_scheme_t *scheme = &self->scheme;
    if (node->role != RAFT_LEADER || node->hard_state.term <= scheme->term ||
        self->now_ns < 500 * MS) {
        return;
    }
    scheme->term = node->hard_state.term;
    scheme->victim = node->id;
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        if (s_chance (self, 2)) {
            s_cut (self, node->id, id);
        }
    }
    cluster_say (self, "node %u leads for a moment", node->id);
    s_next (self, 1, 0, s_chance (self, 2) ? 8 : 50);
}

// --- REPLACE -------------------------------------------------------------------------------------

static void s_replace (cluster_t *self)
{
    cluster_scheme_t *scheme = &self->scheme;
    cluster_node_t *leader = s_victim (self);
    const raft_config_t *now = leader ? &raft_core_config (leader->core)->config : NULL;
    if (scheme->phase != 0) {
        s_recover (self);
        return;
    }
    s_next (self, 0, 500, 1500);
    if (!now || raft_config_is_joint (now)) {
        raft_config_t joint = now ? *now : (raft_config_t){0};
        raft_change_t leave = {.kind = RAFT_CHANGE_COMMIT, .target = &joint};
        if (now && !joint.auto_commit) {
            cluster_change (self, leader, &leave);
        }
        return;
    }
    raft_config_t target = {0};
    scheme->old_voters = now->voters;
    bool one = s_chance (self, 4);
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        bool votes =
            raft_node_list_has (&now->voters, id) ? s_chance (self, 5) : !s_chance (self, 5);
        bool last = one && target.voters.count == 1;
        raft_node_list_add (votes && !last ? &target.voters : &target.observers, id);
    }
    if (target.voters.count > 0) {
        scheme->new_voters = target.voters;
        scheme->victim = leader->id;
        cluster_describe (&target, self->nodes_count);
        raft_change_t change = {.kind = RAFT_CHANGE_PREPARE,
                                .auto_commit = !s_chance (self, 3),
                                .force = true,
                                .target = &target};
        cluster_change (self, leader, &change);
    }
}

static void s_apart (cluster_t *self)
{
    cluster_scheme_t *scheme = &self->scheme;
    cluster_say (self, "old and new voters apart");
    bool odd = s_chance (self, 2); // where they go who are in both
    for (unsigned one = 1; one <= self->nodes_count; one++) {
        for (unsigned other = 1; other <= self->nodes_count; other++) {
            bool of_old = raft_node_list_has (&scheme->old_voters, one) &&
                          (odd || !raft_node_list_has (&scheme->new_voters, one));
            bool of_new = !(raft_node_list_has (&scheme->old_voters, other) &&
                            (odd || !raft_node_list_has (&scheme->new_voters, other)));
            if (of_old && of_new) {
                s_cut (self, one, other);
            }
        }
    }
}

// A configuration came into force at the leader.
static void s_look_replace (cluster_t *self, const cluster_node_t *node)
{
    cluster_scheme_t *scheme = &self->scheme;
    const raft_config_at_t *at = raft_core_config (node->core);
    if (scheme->phase != 0 || node->id != scheme->victim || node->role != RAFT_LEADER || !at ||
        scheme->old_voters.count == 0) {
        return;
    }
    raft_status_t status;
    raft_core_status (node->core, &status);
    bool joint = raft_config_is_joint (&at->config);
    if (at->index <= status.commit || at->index + 3 < status.last ||
        !s_chance (self, joint ? 40 : 4)) {
        return;
    }
    scheme->watched = node->id;
    scheme->hasty = true;
    if (!joint && s_chance (self, 2)) {
        s_isolate (self, node->id);
        for (uint32_t i = 0; i < scheme->new_voters.count; i++) {
            if (scheme->new_voters.ids[i] != node->id) {
                s_restart_at_once (self, &self->nodes[scheme->new_voters.ids[i]]);
            }
        }
    } else {
        s_apart (self);
    }
    scheme->old_voters.count = 0; // once a change
    scheme->phase = 1;            // the event that is planned ends it
}

// --- all of them ---------------------------------------------------------------------------------

void cluster_scheme_draw (cluster_t *self)
{
    cluster_scheme_t *scheme = &self->scheme;
    if (self->options.plain) {
        return;
    }
    scheme->kind = (cluster_scheme_kind_t) dt_random_below (&self->plot, SCHEMES);
    if (scheme->kind != SCHEME_NONE && self->options.nodes == 0) {
        static const unsigned sizes[SCHEMES][2] = {{0, 0}, {3, 5}, {3, 3}, {3, 5}, {5, 7}};
        self->nodes_count = sizes[scheme->kind][s_chance (self, 2)];
    }
    if (self->nodes_count < 3) {
        scheme->kind = SCHEME_NONE;
    }
    if (scheme->kind == SCHEME_NONE) {
        return;
    }
    scheme->timeout_ms = s_chance (self, 3) ? 300 : 1000;
    if (self->options.drift_permille_max == 0) {
        static const uint32_t drifts[] = {10, 50, 100};
        scheme->drift_permille = drifts[dt_random_below (&self->plot, 3)];
    }
    unsigned kept = SWARM_DUPLICATE | SWARM_STALL | SWARM_TRANSFER | SWARM_REACHED;
    self->swarm &= s_chance (self, 2) ? 0 : kept;
    self->loss_permille = s_chance (self, 2) ? 0 : self->loss_permille / 4;
}

void cluster_scheme_begin (cluster_t *self)
{
    if (self->scheme.kind != SCHEME_NONE) {
        s_next (self, 0, 1500, 3000);
    }
}

void cluster_scheme_event (cluster_t *self, const cluster_event_t *event)
{
    if (event->value != self->scheme.plan) {
        return; // another plan took its place
    }
    switch (self->scheme.kind) {
    case SCHEME_BLIND:
        s_blind (self);
        break;
    case SCHEME_FREEZE:
        s_freeze (self);
        break;
    case SCHEME_FIGURE_8:
        s_figure_8 (self);
        break;
    case SCHEME_REPLACE:
        s_replace (self);
        break;
    default:
        break;
    }
}

void cluster_scheme_look (cluster_t *self, cluster_node_t *node)
{
    if (self->scheme.kind == SCHEME_BLIND) {
        s_look_blind (self, node);
    } else if (self->scheme.kind == SCHEME_FIGURE_8) {
        s_look_figure_8 (self, node);
    } else if (self->scheme.kind == SCHEME_REPLACE) {
        s_look_replace (self, node);
    }
}
