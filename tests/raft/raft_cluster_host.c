// What a host does with a core's effects.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "tests/raft/raft_cluster_internal.h"

// --- links ---------------------------------------------------------------------------------------

// The bytes of a message, as its receiver gets them.
static peer_message_t *s_transmit (cluster_node_t *node, const raft_message_t *message)
{
    peer_message_t *peer = raft_wire_encode (&node->cache, 1, message);
    dt_blob_t *blob = dt_blob_new (peer->head.bytes + peer->bytes);
    memcpy (dt_blob_data (blob), peer->head.data, peer->head.bytes);
    if (peer->bytes > 0) {
        memcpy (dt_blob_data (blob) + peer->head.bytes, peer->data, peer->bytes);
    }
    dt_buffer_deinit (&peer->head);
    dt_blob_unref (&peer->blob);
    peer->blob = blob;
    peer->data = dt_blob_data (blob);
    peer->bytes = dt_blob_bytes (blob);
    peer->node_id = message->from;
    return peer;
}

static void s_send (cluster_t *self, cluster_node_t *node, const raft_message_t *message)
{
    cluster_check_send (self, node, message);
    self->result->messages++;
    unsigned copies = 1;
    if (!self->healing) {
        copies -= dt_random_chance (&self->net, self->loss_permille, 1000);
        copies += dt_random_chance (&self->net, self->duplicate_permille, 1000);
    }
    if (self->cut[node->id][message->to] || !self->nodes[message->to].id) {
        return;
    }
    for (unsigned i = 0; i < copies; i++) {
        int64_t delay_ns =
            (int64_t) dt_random_between (&self->net, 10000, (uint64_t) self->delay_ns);
        if (!self->healing && dt_random_chance (&self->net, 1, 50)) {
            delay_ns *= (int64_t) dt_random_between (&self->net, 1, 200); // an old connection's
        }
        cluster_push (self,
                      (cluster_event_t){.kind = EVENT_DELIVER,
                                        .node = message->to,
                                        .other = node->id,
                                        .pointer = s_transmit (node, message)},
                      delay_ns);
    }
}

// --- disk and machine ----------------------------------------------------------------------------

static void s_append (cluster_t *self, cluster_node_t *node, const raft_effect_t *effect)
{
    cluster_disk_write (self, node,
                        &(cluster_write_t){.kind = WRITE_APPEND,
                                           .first = effect->append.first,
                                           .last = effect->append.last,
                                           .batch = log_batch_ref (effect->append.batch)});
}

static void s_note_applied_proposal (cluster_t *self, cluster_node_t *node,
                                     cluster_proposal_t *proposal, raft_index_t index)
{
    // Its entries are answered one by one: the first ones may be committed when the rest is not.
    bool open = proposal->outcome == REQUEST_OPEN ||
                (proposal->outcome == REQUEST_UNKNOWN && proposal->done < proposal->refused_from);
    CLUSTER_CHECK (self, open,
                   "a proposal is answered twice at node %u: outcome %d, then entry %lu (id %lu)",
                   node->id, (int) proposal->outcome, index, proposal->id);
    if (++proposal->done == proposal->count && proposal->outcome == REQUEST_OPEN) {
        proposal->outcome = REQUEST_ACKED;
        cluster_note_acked (self, index);
    }
}

static void s_apply (cluster_t *self, cluster_node_t *node, const raft_effect_t *effect)
{
    log_batch_t *batch = effect->apply.batch;
    CLUSTER_CHECK (self, effect->apply.first == node->handed + 1, "node %u is handed %lu after %lu",
                   node->id, effect->apply.first, node->handed);
    for (raft_index_t index = effect->apply.first; index <= effect->apply.last; index++) {
        cluster_entry_t entry = {0};
        if (batch) {
            entry = cluster_entry_of (log_batch_entry (batch, index));
        } else {
            const cluster_entry_t *kept = cluster_log_at (&node->log, index);
            CLUSTER_CHECK (self, kept != NULL, "node %u has no %lu to replay", node->id, index);
            entry = *kept;
        }
        cluster_check_apply (self, node, index, &entry);
        if (batch) {
            dt_blob_unref (&entry.config);
        }
        if (batch && batch->origin && !effect->apply.silent) {
            s_note_applied_proposal (self, node, batch->origin, index);
        }
    }
    node->handed = effect->apply.last;
    cluster_push (
        self,
        (cluster_event_t){
            .kind = EVENT_APPLIED, .node = node->id, .life = node->life, .value = node->handed},
        (int64_t) dt_random_between (&self->disk, 1000, 500000));
}

static void s_refuse (cluster_t *self, cluster_node_t *node, const raft_effect_t *effect)
{
    cluster_proposal_t *proposal = effect->refuse.batch->origin;
    if (!proposal) {
        return;
    }
    CLUSTER_CHECK (self, proposal->outcome == REQUEST_OPEN,
                   "a proposal is refused after an answer at node %u", node->id);
    bool unknown = effect->refuse.rc == DT_ERR_OUTCOME_UNKNOWN;
    cluster_say (self, "  node %u refuses ids %lu [%u, %u) %s", node->id, proposal->id,
                 effect->refuse.from, effect->refuse.to, dt_error_name (effect->refuse.rc));
    proposal->refused_from = effect->refuse.from;
    proposal->outcome = unknown ? REQUEST_UNKNOWN : REQUEST_REFUSED;
}

static void s_begin_snapshot (cluster_t *self, cluster_node_t *node, const raft_effect_t *effect)
{
    CLUSTER_CHECK (self, effect->snapshot.index == node->handed,
                   "node %u takes a snapshot at %lu, not %lu", node->id, effect->snapshot.index,
                   node->handed);
    const cluster_entry_t *at = cluster_log_at (&self->shadow, effect->snapshot.index);
    CLUSTER_CHECK (self, at && at->term == effect->snapshot.term, "a snapshot with another term");
    node->taking = (cluster_snapshot_t){
        .index = effect->snapshot.index,
        .term = effect->snapshot.term,
        .cluster_time_ms = effect->snapshot.cluster_time_ms,
        .config_index = effect->snapshot.config_index,
        .config = *effect->snapshot.config,
    };
    cluster_push (self,
                  (cluster_event_t){.kind = EVENT_SAVED, .node = node->id, .life = node->life},
                  (int64_t) dt_random_between (&self->disk, MS, 50 * MS));
}

static void s_send_snapshot (cluster_t *self, cluster_node_t *node, const raft_effect_t *effect)
{
    raft_node_id_t to = effect->snapshot_send.node;
    bool arrives = node->snapshot.index >= effect->snapshot_send.index && self->nodes[to].id &&
                   !self->cut[node->id][to] &&
                   (self->healing || dt_random_chance (&self->net, 3, 4));
    int64_t delay_ns = (int64_t) dt_random_between (&self->net, 5 * MS, 300 * MS);
    if (arrives) {
        node->snapshot.sent_in = node->hard_state.term;
        cluster_push (
            self,
            (cluster_event_t){.kind = EVENT_SENT,
                              .node = to,
                              .other = node->id,
                              .pointer = dt_memdup (&node->snapshot, sizeof node->snapshot)},
            delay_ns);
    }
    cluster_push (self,
                  (cluster_event_t){.kind = EVENT_SENT_ACK,
                                    .node = node->id,
                                    .life = node->life,
                                    .other = to,
                                    .value = arrives ? node->snapshot.index : 0},
                  delay_ns + 2 * MS);
}

static void s_install (cluster_t *self, cluster_node_t *node, const raft_effect_t *effect)
{
    // The snapshot is on this node's disk since it was received.
    CLUSTER_CHECK (self, node->snapshot.index == effect->install.index,
                   "node %u installs %lu, not %lu", node->id, effect->install.index,
                   node->snapshot.index);
    self->result->installs++;
    cluster_disk_write (
        self, node,
        &(cluster_write_t){.kind = WRITE_RESET,
                           .reset = dt_memdup (&node->snapshot, sizeof node->snapshot)});
}

static void s_note_status (cluster_t *self, cluster_node_t *node, const raft_effect_t *effect)
{
    node->role = effect->status.role;
    if (self->text && node->role != RAFT_LEADER) {
        return; // a script's reader has the trace
    }
    cluster_say (self, "  node %u is %s%s term %lu leader %u", node->id,
                 raft_role_name (effect->status.role), effect->status.ready ? " ready" : "",
                 effect->status.term, effect->status.leader);
}

static void s_carry_out (cluster_t *self, cluster_node_t *node, raft_effect_t *effect)
{
    switch (effect->kind) {
    case RAFT_EFFECT_PERSIST:
        cluster_disk_write (
            self, node,
            &(cluster_write_t){.kind = WRITE_HARD_STATE, .hard_state = effect->hard_state});
        break;
    case RAFT_EFFECT_TRUNCATE:
        cluster_disk_write (
            self, node, &(cluster_write_t){.kind = WRITE_TRUNCATE, .first = effect->truncate.from});
        break;
    case RAFT_EFFECT_APPEND:
        s_append (self, node, effect);
        break;
    case RAFT_EFFECT_APPLY:
        s_apply (self, node, effect);
        break;
    case RAFT_EFFECT_REFUSE:
        s_refuse (self, node, effect);
        break;
    case RAFT_EFFECT_READ:
        cluster_check_read (self, node, effect->read.request, effect->read.rc);
        break;
    case RAFT_EFFECT_SEND:
        s_send (self, node, effect->message);
        break;
    case RAFT_EFFECT_FETCH: {
        cluster_push (self,
                      (cluster_event_t){.kind = EVENT_FETCHED,
                                        .node = node->id,
                                        .life = node->life,
                                        .other = effect->fetch.node,
                                        .value = effect->fetch.first},
                      (int64_t) dt_random_between (&self->disk, 10000, 5 * MS));
        break;
    }
    case RAFT_EFFECT_SNAPSHOT:
        s_begin_snapshot (self, node, effect);
        break;
    case RAFT_EFFECT_COMPACT: // whatever the disk is busy with, it cuts off the beginning only
        CLUSTER_CHECK (self, effect->compact.index <= node->snapshot.index,
                       "node %u drops what no snapshot has", node->id);
        cluster_log_drop (&node->log, effect->compact.index);
        break;
    case RAFT_EFFECT_SNAPSHOT_SEND:
        s_send_snapshot (self, node, effect);
        break;
    case RAFT_EFFECT_INSTALL:
        s_install (self, node, effect);
        break;
    case RAFT_EFFECT_STATUS:
        s_note_status (self, node, effect);
        break;
    case RAFT_EFFECT_CONFIG_ANSWER:
        CLUSTER_CHECK (self, node->changes_open > 0, "a change is answered twice");
        node->changes_open--;
        cluster_say (self, "  change answered %s %s", dt_error_name (effect->config_answer.rc),
                     effect->config_answer.why ? effect->config_answer.why : "");
        break;
    case RAFT_EFFECT_TRANSFER_ANSWER:
        CLUSTER_CHECK (self, node->transfers_open > 0, "a transfer is answered twice");
        node->transfers_open--;
        break;
    case RAFT_EFFECT_REPAIRED:
        node->lost_until = 0;
        break;
    case RAFT_EFFECT_SNAPSHOT_ANSWER:
    case RAFT_EFFECT_SNAPSHOT_CANCEL:
    case RAFT_EFFECT_CONFIG:
    case RAFT_EFFECT_DRAINED:
    case RAFT_EFFECT_KINDS:
        break;
    }
}

// Whether an effect is a write: those are queued first, so that the checks can look at the log.
static bool s_is_write (const raft_effect_t *effect)
{
    return effect->kind == RAFT_EFFECT_PERSIST || effect->kind == RAFT_EFFECT_TRUNCATE ||
           effect->kind == RAFT_EFFECT_APPEND || effect->kind == RAFT_EFFECT_INSTALL;
}

void cluster_carry_out (cluster_t *self, cluster_node_t *node)
{
    for (int writes = 1; writes >= 0; writes--) {
        for (size_t i = 0; i < node->effects.count; i++) {
            if (s_is_write (&node->effects.items[i]) == (writes == 1)) {
                s_carry_out (self, node, &node->effects.items[i]);
            }
        }
        if (writes) {
            cluster_check_step (self, node);
        }
    }
    raft_effects_clear (&node->effects);
}
