// A leader's snapshot in place of the log: the host has received, verified and stored it; now log
// and state machine are replaced by it [RAFT-22, DISK-18].
//
// Whoever restarts in the middle finds the new snapshot and a log that does not fit it, which
// recovery restarts behind the snapshot.

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "base/dt_planted.h"
#include "raft/core/raft_internal.h"
#include "raft/core/raft_trace.h"

bool raft_install_runs (const raft_core_t *self)
{
    return self->install.index > 0;
}

bool raft_core_takes_snapshot (const raft_core_t *self, raft_node_id_t from, raft_term_t term)
{
    return self->role == RAFT_FOLLOWER && self->leader == from && self->hard_state.term == term &&
           raft_core_term_durable (self) && !self->stopping && !self->install.begun;
}

void raft_install_forget (raft_core_t *self)
{
    free (self->install.config);
    self->install = (raft_install_t){0};
}

// Why a received snapshot is of no use; NULL: it is.
static const char *s_useless (const raft_core_t *self, raft_index_t index)
{
    if (self->role != RAFT_FOLLOWER || self->stopping) {
        return "this node does not follow";
    }
    if (self->install.begun || index <= self->install.index) {
        return "another one is being installed";
    }
    return index <= self->commit ? "everything in it is known committed" : NULL;
}

void raft_install_received (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) effects;
    raft_index_t index = event->snapshot_received.index;
    const char *why = s_useless (self, index);
    if (why) {
        raft_trace (self, DT_LOG_INFO, "ignore snapshot index=%lu from=%u: %s", index,
                    event->snapshot_received.from, why);
        return;
    }
    raft_term_t term = 0;
    if (raft_log_term (self->log, index, &term) == RAFT_TERM_KNOWN &&
        term == event->snapshot_received.term) {
        // The log has all of it: what a leader snapshotted is committed.
        raft_trace (self, DT_LOG_INFO, "snapshot index=%lu: the log reaches it", index);
        self->commit = index;
        return;
    }
    raft_install_forget (self);
    self->install = (raft_install_t){
        .index = index,
        .term = event->snapshot_received.term,
        .cluster_time_ms = event->snapshot_received.cluster_time_ms,
        .bytes = event->snapshot_received.bytes,
        .config_index = event->snapshot_received.config_index,
        .config =
            dt_memdup (event->snapshot_received.config, sizeof *event->snapshot_received.config),
    };
    raft_trace (self, DT_LOG_INFO, "install snapshot index=%lu term=%lu from=%u", index,
                self->install.term, event->snapshot_received.from);
}

// From here on this is a log that begins behind the snapshot.
static void s_begin (raft_core_t *self, raft_effects_t *effects)
{
    raft_install_t *install = &self->install;
    install->begun = true;
    // They happened or not: the machine skips them.
    raft_commit_abandon (self, self->handed, DT_ERR_OUTCOME_UNKNOWN, effects);
    raft_log_reset (self->log, install->index, install->term, install->cluster_time_ms);
    self->commit = install->index;
    self->handed = install->index;
    self->handed_cluster_ms = install->cluster_time_ms;
    self->durable = install->index;
    self->applied = install->index;
    self->handed_disk = 0;
    self->disk_last = install->index;
    self->options.recovered.log_last = 0;
    self->verified = 0;
    raft_config_stack_destroy (&self->configs);
    self->bootstrap_due = false;
    self->snapshot.index = install->index;
    self->snapshot.term = install->term;
    self->snapshot.bytes = install->bytes;
    self->snapshot.mark_bytes = raft_log_bytes_end (self->log);
    self->cuts++;
    raft_effect_t *effect = raft_effects_add (effects, RAFT_EFFECT_INSTALL);
    effect->install.index = install->index;
    effect->install.term = install->term;
    raft_membership_push (self, install->config_index, install->config, effects);
}

void raft_install_settle (raft_core_t *self, raft_effects_t *effects)
{
    raft_install_t *install = &self->install;
    if (install->index == 0 || install->begun) {
        return;
    }
    if (self->role != RAFT_FOLLOWER || install->index <= self->commit) {
        raft_install_forget (self); // overtaken
        return;
    }
    // The machine is left alone until it has done what it was given, and no snapshot is taken of
    // it.
    bool idle = !self->snapshot.in_progress && self->applied == self->handed;
    if (idle && !self->stopping) {
        s_begin (self, effects);
    }
}

void raft_install_done (raft_core_t *self, const raft_event_t *event, raft_effects_t *effects)
{
    (void) effects;
    if (self->role == RAFT_FAILED) {
        return;
    }
    dt_assert (self->install.begun);
    dt_assert (event->snapshot_installed.index == self->install.index);
    raft_trace (self, DT_LOG_INFO, "snapshot installed index=%lu", self->install.index);
    self->verified = self->install.index; // committed, hence the leader's
    raft_install_forget (self);
    self->ack_due = self->leader != 0;
}
