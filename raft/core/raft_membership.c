// Who belongs to the group: changes in two steps, in force from their append on [RAFT-24 to 29].
//
//     plain C --(PREPARE)--> joint C,N --(COMMIT, or by itself)--> plain N
//                                    \--(ABORT)--> plain C
//
// A change that leaves the voters as they are takes one step. At most one configuration is not
// committed at any time, and none is appended before the leader has committed an entry of its term.

#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

// A leader that just began waits this long for all members to show their directories, so that one
// entry can note them all.
enum { DIRECTORIES_AFTER_TIMEOUTS = 2 };

static const raft_config_at_t *s_latest (const raft_core_t *self)
{
    return raft_config_stack_latest (self->configs);
}

// --- what is in force ----------------------------------------------------------------------------

static void s_tell (raft_core_t *self, raft_effects_t *effects)
{
    const raft_config_at_t *latest = s_latest (self);
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_CONFIG);
    effect->config.index = latest->index;
    effect->config.config = dt_memdup (&latest->config, sizeof latest->config);
    self->told_config = latest->index;
    self->told_any_config = true;
}

void raft_membership_foreign (raft_core_t *self, raft_effects_t *effects)
{
    raft_core_fail (self, DT_ERR_FOREIGN,
                    "the group knows this node by another data directory: what this node had "
                    "acknowledged is lost; remove it from the group and add it under a new id",
                    effects);
}

// Another configuration is in force.
static void s_changed (raft_core_t *self, raft_effects_t *effects)
{
    s_tell (self, effects);
    if (self->role == RAFT_LEADER) {
        raft_peers_adjust (self);
        return;
    }
    const raft_node_info_t *me = raft_config_node (&s_latest (self)->config, self->options.node_id);
    if (me && me->directory_id != 0 && self->options.directory_id != 0 &&
        me->directory_id != self->options.directory_id) {
        raft_membership_foreign (self, effects);
    }
}

void raft_membership_push (raft_core_t *self, raft_index_t index, const raft_config_t *config,
                           raft_effects_t *effects)
{
    if (self->configs) {
        raft_config_stack_push (self->configs, index, config);
    } else {
        self->configs = raft_config_stack_new (index, config);
    }
    self->bootstrap_due = false;
    raft_trace (self, DT_LOG_INFO, "config index=%lu voters=%u observers=%u next_voters=%u", index,
                config->voters.count, config->observers.count, config->next_voters.count);
    s_changed (self, effects);
}

void raft_membership_truncate (raft_core_t *self, raft_index_t from, raft_effects_t *effects)
{
    if (!self->configs || s_latest (self)->index < from ||
        dt_planted (DT_PLANTED_CONFIG_NOT_ROLLED_BACK)) {
        return;
    }
    if (raft_config_stack_floor (self->configs) >= from) {
        raft_config_stack_destroy (&self->configs); // a joiner's first one: known no more
        return;
    }
    raft_config_stack_truncate (self->configs, from);
    self->bootstrap_due = s_latest (self)->index == 0;
    raft_trace (self, DT_LOG_INFO, "config rolled back to index=%lu", s_latest (self)->index);
    s_changed (self, effects);
}

// --- changes -------------------------------------------------------------------------------------

static void s_answer (void *request, int rc, raft_index_t index, const char *why,
                      raft_effects_t *effects)
{
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_CONFIG_ANSWER);
    effect->config_answer.request = request;
    effect->config_answer.rc = rc;
    effect->config_answer.index = rc == 0 ? index : 0;
    effect->config_answer.why = rc == 0 ? NULL : why;
}

void raft_membership_abandon (raft_core_t *self, int rc, raft_effects_t *effects)
{
    if (self->change.waits) {
        s_answer (self->change.request, rc, 0, "the leader changed before it was committed",
                  effects);
    }
    self->change = (raft_change_wait_t){0};
}

// 0, or why no configuration may be appended now [RAFT-25].
static int s_may_change (const raft_core_t *self, const char **why)
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
    if (!self->ready || self->transfer.to != 0) {
        *why = "the leader has just begun, or is handing over";
        return DT_ERR_NOT_READY;
    }
    if (s_latest (self)->index > self->commit || self->change.waits) {
        *why = "the last configuration is not committed yet";
        return DT_ERR_CHANGE_BUSY;
    }
    return 0;
}

static bool s_is_live (raft_core_t *self, raft_node_id_t id)
{
    raft_peer_t *peer = raft_peers_find (self, id);
    return id == self->options.node_id ||
           (peer && !peer->repairing && raft_peer_is_active (self, peer));
}

static bool s_has_live_quorum (raft_core_t *self, const raft_node_list_t *voters)
{
    uint32_t live = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        live += s_is_live (self, voters->ids[i]);
    }
    return live > voters->count / 2;
}

static bool s_is_caught_up (raft_core_t *self, raft_node_id_t id)
{
    raft_peer_t *peer = raft_peers_find (self, id);
    return id == self->options.node_id ||
           (peer && s_is_live (self, id) &&
            peer->match + self->options.catch_up_entries >= raft_log_last (self->log));
}

// 0, or why a target is refused: what is merely unwise can be forced.
static int s_judge (raft_core_t *self, const raft_change_t *change, const char **why)
{
    const raft_config_t *target = change->target;
    const raft_config_t *now = &s_latest (self)->config;
    if (raft_config_is_joint (now)) {
        *why = "a change is under way: commit or abort it first";
        return DT_ERR_CHANGE_BUSY;
    }
    if (raft_config_validate (target) != 0 || raft_config_is_joint (target)) {
        *why = "not a valid plain configuration";
        return DT_ERR_BAD_CHANGE;
    }
    for (uint32_t i = 0; !change->force && i < target->voters.count; i++) {
        raft_node_id_t id = target->voters.ids[i];
        if (raft_node_list_has (&now->voters, id)) {
            continue;
        }
        if (!raft_node_list_has (&now->observers, id)) {
            *why = "a new voter has to be an observer first, so that it can catch up";
            return DT_ERR_NOT_CAUGHT_UP;
        }
        if (!s_is_caught_up (self, id)) {
            *why = "an observer that is to become voter has not caught up";
            return DT_ERR_NOT_CAUGHT_UP;
        }
    }
    if (!change->force && !s_has_live_quorum (self, &target->voters)) {
        *why = "no quorum of the new voters is alive";
        return DT_ERR_NO_QUORUM;
    }
    return 0;
}

static bool s_same_list (const raft_node_list_t *one, const raft_node_list_t *other)
{
    return one->count == other->count &&
           memcmp (one->ids, other->ids, one->count * sizeof one->ids[0]) == 0;
}

// Descriptions of the target's nodes; which directories they have is known here only.
static bool s_describe (raft_config_t *config, const raft_config_t *now,
                        const raft_config_t *target)
{
    for (uint32_t i = 0; i < target->nodes_count; i++) {
        raft_node_info_t node = target->nodes[i];
        const raft_node_info_t *known = raft_config_node (now, node.id);
        node.directory_id = known ? known->directory_id : 0;
        if (!raft_config_describe (config, &node)) {
            return false;
        }
    }
    raft_config_forget_strangers (config);
    return true;
}

static void s_append_change (raft_core_t *self, const raft_config_t *config, void *request,
                             bool through, raft_effects_t *effects)
{
    self->change = (raft_change_wait_t){.request = request, .waits = true, .through = through};
    self->change.index = raft_propose_config (self, config, effects);
}

static void s_prepare (raft_core_t *self, void *request, const raft_change_t *change,
                       raft_effects_t *effects)
{
    const raft_config_t *now = &s_latest (self)->config;
    const raft_config_t *target = change->target;
    const char *why = NULL;
    int rc = s_judge (self, change, &why);
    if (rc != 0) {
        s_answer (request, rc, 0, why, effects);
        return;
    }
    bool one_step = s_same_list (&now->voters, &target->voters);
    raft_config_t next = *now;
    if (one_step) {
        next.observers = target->observers;
    } else {
        next.next_voters = target->voters;
        next.next_observers = target->observers;
        next.auto_commit = change->auto_commit;
    }
    if (!s_describe (&next, now, target)) {
        s_answer (request, DT_ERR_BAD_CHANGE, 0, "too many nodes", effects);
    } else if (raft_config_equal (&next, now)) {
        s_answer (request, 0, s_latest (self)->index, NULL, effects);
    } else {
        s_append_change (self, &next, request, !one_step && change->auto_commit, effects);
    }
}

// The plain configuration a joint one ends in.
static raft_config_t s_half (const raft_config_t *joint, bool next)
{
    raft_config_t half = *joint;
    if (next) {
        half.voters = joint->next_voters;
        half.observers = joint->next_observers;
    }
    half.next_voters = (raft_node_list_t){0};
    half.next_observers = (raft_node_list_t){0};
    half.auto_commit = false;
    raft_config_forget_strangers (&half);
    return half;
}

static void s_leave (raft_core_t *self, void *request, const raft_change_t *change,
                     raft_effects_t *effects)
{
    const raft_config_at_t *latest = s_latest (self);
    if (!raft_config_is_joint (&latest->config)) {
        s_answer (request, 0, latest->index, NULL, effects); // it has been done already
        return;
    }
    if (change->joint_index != 0 && change->joint_index != latest->index) {
        s_answer (request, DT_ERR_BAD_CHANGE, 0, "another change than the one meant is under way",
                  effects);
        return;
    }
    raft_config_t half = s_half (&latest->config, change->kind == RAFT_CHANGE_COMMIT);
    s_append_change (self, &half, request, false, effects);
}

void raft_membership_change (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    void *request = event->config_change.request;
    const raft_change_t *change = &event->config_change.change;
    const char *why = NULL;
    int rc = s_may_change (self, &why);
    if (rc != 0) {
        raft_trace (self, DT_LOG_DEBUG, "refuse change rc=%s: %s", dt_error_name (rc), why);
        s_answer (request, rc, 0, why, effects);
    } else if (change->kind == RAFT_CHANGE_PREPARE) {
        s_prepare (self, request, change, effects);
    } else {
        s_leave (self, request, change, effects);
    }
}

// --- what follows by itself ----------------------------------------------------------------------

static void s_settle_answer (raft_core_t *self, raft_effects_t *effects)
{
    if (!self->change.waits || self->commit < self->change.index) {
        return;
    }
    if (self->change.through) {
        return; // the joint one is committed; its second half follows
    }
    s_answer (self->change.request, 0, self->change.index, NULL, effects);
    self->change = (raft_change_wait_t){0};
}

// The directory a node showed in this leader's term; 0: not yet.
static uint64_t s_shown (raft_core_t *self, raft_node_id_t id)
{
    raft_peer_t *peer = raft_peers_find (self, id);
    return id == self->options.node_id ? self->options.directory_id : peer ? peer->directory_id : 0;
}

// Whether members showed directories that the configuration does not know yet, and it is time to
// note them, all at once if they come soon [RAFT-29].
static bool s_has_new_directories (raft_core_t *self, const raft_config_t *config)
{
    bool all = true;
    bool news = false;
    for (uint32_t i = 0; i < config->nodes_count; i++) {
        if (config->nodes[i].directory_id == 0) {
            bool shown = s_shown (self, config->nodes[i].id) != 0;
            news = news || shown;
            all = all && shown;
        }
    }
    int64_t patience_ns = DIRECTORIES_AFTER_TIMEOUTS * raft_core_promise_ns (self);
    return news && (all || self->now_ns - self->lead.since_ns > patience_ns);
}

static void s_note_directories (raft_core_t *self, raft_effects_t *effects)
{
    raft_config_t next = s_latest (self)->config;
    for (uint32_t i = 0; i < next.nodes_count; i++) {
        if (next.nodes[i].directory_id == 0) {
            next.nodes[i].directory_id = s_shown (self, next.nodes[i].id);
        }
    }
    raft_propose_config (self, &next, effects);
}

// Leave a joint configuration that says so, also one that an earlier leader left behind [RAFT-26].
static void s_auto_commit (raft_core_t *self, raft_effects_t *effects)
{
    raft_config_t next = s_half (&s_latest (self)->config, true);
    self->change.index = raft_propose_config (self, &next, effects);
    self->change.through = false;
}

// The group goes on without this node: somebody else has to lead [RAFT-27].
static void s_retire (raft_core_t *self, raft_effects_t *effects)
{
    raft_peer_t *heir = raft_transfer_heir (self);
    raft_trace (self, DT_LOG_INFO, "step down term=%lu: no voter any more, heir=%u",
                self->hard_state.term, heir ? heir->id : 0);
    if (heir) {
        raft_transfer_send (self, heir->id, effects);
    }
    raft_election_follow (self, self->hard_state.term, 0, effects);
}

void raft_membership_settle (raft_core_t *self, raft_effects_t *effects)
{
    if (self->configs && (!self->told_any_config || self->told_config != s_latest (self)->index)) {
        s_tell (self, effects);
    }
    if (self->role != RAFT_LEADER || !self->ready) {
        return;
    }
    s_settle_answer (self, effects);
    raft_peers_forget (self);
    const raft_config_at_t *latest = s_latest (self);
    if (latest->index > self->commit || self->stopping || self->transfer.to != 0) {
        return;
    }
    if (raft_config_is_joint (&latest->config)) {
        if (latest->config.auto_commit) {
            s_auto_commit (self, effects);
        }
    } else if (!raft_config_is_voter (&latest->config, self->options.node_id)) {
        s_retire (self, effects);
    } else if (s_has_new_directories (self, &latest->config)) {
        s_note_directories (self, effects);
    }
}
