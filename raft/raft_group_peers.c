// Other nodes: messages to and from them, snapshots to and from them, entries read for them.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/raft_group_internal.h"

// --- messages ------------------------------------------------------------------------------------

void raft_group_send (raft_group_t *self, const raft_message_t *message)
{
    if (self->peers) {
        peer_message_t *peer = raft_wire_encode (&self->wire, self->options.group_id, message);
        actor_answer (self->actor, self->peers, &peer->message);
    }
}

// Pieces of snapshots and their answers go between the snapshot actors; a piece is taken from this
// term's leader only.
static void s_on_snapshot_message (raft_group_t *self, peer_message_t *peer)
{
    actor_message_t *message = &peer->message;
    bool wanted = peer->kind == RAFT_MESSAGE_SNAPSHOT_REPLY ||
                  raft_core_takes_snapshot (self->core, peer->node_id, peer->term);
    if (wanted && self->install_index == 0) {
        actor_answer (self->actor, self->snapshot, message);
    } else {
        actor_message_free (&message);
    }
}

// Leaders and candidates that no configuration known here has must be answered all the same: this
// node may come back, or begin, with a state from long before they were added.
static void s_meet (raft_group_t *self, const raft_node_info_t *sender)
{
    raft_node_info_t *place = NULL;
    for (uint32_t i = 0; i < RAFT_GROUP_MET_MAX; i++) {
        place = self->met[i].id == sender->id ? &self->met[i] : place;
    }
    if (!sender->peer[0] || (place && strcmp (place->peer, sender->peer) == 0)) {
        return;
    }
    if (!place) {
        place = &self->met[self->met_next];
        self->met_next = (self->met_next + 1) % RAFT_GROUP_MET_MAX;
    }
    *place = *sender;
    raft_group_tell_nodes (self);
}

void raft_group_on_peer (raft_group_t *self, peer_message_t *peer)
{
    if (self->core &&
        (peer->kind == RAFT_MESSAGE_SNAPSHOT_CHUNK || peer->kind == RAFT_MESSAGE_SNAPSHOT_REPLY)) {
        s_on_snapshot_message (self, peer);
        return;
    }
    raft_message_t *message = NULL;
    if (self->core && raft_wire_decode (peer, self->options.node_id, &message) == 0) {
        raft_node_info_t sender = {.id = message->from};
        memcpy (sender.peer, message->from_peer, sizeof sender.peer);
        s_meet (self, &sender);
        raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_MESSAGE, .message = message});
    } else if (self->core) {
        dt_log_warn (self->env, actor_name (self->actor),
                     "a message of kind %u from node %u cannot be read and is ignored", peer->kind,
                     peer->node_id);
    }
    actor_message_t *base = &peer->message;
    actor_message_free (&base);
}

void raft_group_on_reached (raft_group_t *self, const peer_reached_t *reached)
{
    if (self->core) {
        raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_PEER_REACHED,
                                               .peer_reached.node = reached->node_id});
    }
}

// --- who there is --------------------------------------------------------------------------------

static void s_add_node (const raft_group_t *self, const raft_node_info_t *info, peer_nodes_t *nodes)
{
    bool known = info->id == self->options.node_id || !info->peer[0];
    for (uint32_t j = 0; j < nodes->count; j++) {
        known = known || nodes->nodes[j].node_id == info->id;
    }
    if (!known) {
        peer_node_t *node = &nodes->nodes[nodes->count++];
        node->node_id = info->id;
        memcpy (node->endpoint, info->peer, sizeof node->endpoint);
    }
}

static void s_add_nodes (const raft_group_t *self, const raft_config_t *config, peer_nodes_t *nodes)
{
    for (uint32_t i = 0; config && i < config->nodes_count; i++) {
        s_add_node (self, &config->nodes[i], nodes);
    }
}

void raft_group_tell_nodes (raft_group_t *self)
{
    if (!self->peers) {
        return;
    }
    peer_nodes_t *nodes =
        peer_nodes_new (self->options.group_id, 3 * RAFT_CONFIG_NODES_MAX + RAFT_GROUP_MET_MAX);
    nodes->count = 0;
    s_add_nodes (self, self->config, nodes);
    s_add_nodes (self, self->config_before, nodes);
    // A node that joins has to answer the leader before it knows where that is.
    s_add_nodes (self, self->config ? NULL : self->options.contacts, nodes);
    for (uint32_t i = 0; i < RAFT_GROUP_MET_MAX; i++) {
        s_add_node (self, &self->met[i], nodes);
    }
    actor_answer (self->actor, self->peers, &nodes->message);
}

void raft_group_new_config (raft_group_t *self, raft_effect_t *effect)
{
    free (self->config_before);
    self->config_before = self->config;
    self->config = effect->config.config;
    effect->config.config = NULL;
    raft_group_tell_nodes (self);
}

// --- entries for those who are behind ------------------------------------------------------------

void raft_group_fetch (raft_group_t *self, const raft_effect_t *effect)
{
    log_writer_read_t *read = log_writer_message_new (LOG_WRITER_READ);
    read->first = effect->fetch.first;
    read->last = effect->fetch.last;
    read->bytes_max = effect->fetch.bytes_max;
    read->cookie = effect->fetch.node;
    actor_answer (self->actor, self->log_writer, &read->message);
}

void raft_group_on_fetched (raft_group_t *self, log_writer_read_done_t *done)
{
    raft_group_step (self, &(raft_event_t){
                               .kind = RAFT_EVENT_FETCHED,
                               .fetched = {.node = (raft_node_id_t) done->cookie,
                                           .first = done->first,
                                           .batch = done->batch,
                                           .rc = done->rc},
                           });
    done->batch = NULL;
}

// --- snapshots -----------------------------------------------------------------------------------

void raft_group_send_snapshot (raft_group_t *self, const raft_effect_t *effect)
{
    raft_status_t status;
    raft_core_status (self->core, &status);
    snapshot_send_t *send = raft_snapshots_message_new (SNAPSHOT_SEND);
    send->node_id = effect->snapshot_send.node;
    send->term = status.hard_state.term;
    send->index_min = effect->snapshot_send.index;
    actor_answer (self->actor, self->snapshot, &send->message);
}

void raft_group_cancel_snapshot (raft_group_t *self, raft_node_id_t node)
{
    snapshot_cancel_t *cancel = raft_snapshots_message_new (SNAPSHOT_CANCEL);
    cancel->node_id = node;
    actor_answer (self->actor, self->snapshot, &cancel->message);
}

void raft_group_on_snapshot_sent (raft_group_t *self, const snapshot_sent_t *sent)
{
    raft_group_step (self, &(raft_event_t){
                               .kind = RAFT_EVENT_SNAPSHOT_SENT,
                               .snapshot_sent = {sent->node_id, sent->index, sent->rc},
                           });
}

void raft_group_on_snapshot_received (raft_group_t *self, const snapshot_received_t *received)
{
    raft_group_step (self,
                     &(raft_event_t){
                         .kind = RAFT_EVENT_SNAPSHOT_RECEIVED,
                         .snapshot_received = {.from = received->from,
                                               .index = received->meta.index,
                                               .term = received->meta.term,
                                               .cluster_time_ms = received->meta.cluster_time_ms,
                                               .bytes = received->bytes,
                                               .config_index = received->meta.config_index,
                                               .config = &received->meta.config},
                     });
}

void raft_group_install (raft_group_t *self, const raft_effect_t *effect)
{
    self->install_index = effect->install.index;
    self->install_term = effect->install.term;
    self->install_resets = true;
    log_writer_reset_t *reset = log_writer_message_new (LOG_WRITER_RESET);
    reset->index = effect->install.index;
    reset->term = effect->install.term;
    actor_answer (self->actor, self->log_writer, &reset->message);
    if (self->log_failed) { // between the core's wish and its effects
        raft_group_lose_install (self);
    }
}

void raft_group_lose_install (raft_group_t *self)
{
    if (self->install_resets) {
        // Neither the old state nor the new one is whole here: the process has to end.
        self->lost = true;
        fiber_fatal (DT_ERR_DISK_FAILED, "the log failed while a snapshot was installed");
    }
}

void raft_group_on_reset (raft_group_t *self)
{
    self->install_resets = false;
    snapshot_load_t *load = raft_snapshots_message_new (SNAPSHOT_LOAD);
    load->index = self->install_index;
    load->term = self->install_term;
    actor_answer (self->actor, self->snapshot, &load->message);
}

void raft_group_on_install_loaded (raft_group_t *self, const snapshot_loaded_t *loaded)
{
    if (loaded->rc != 0 || !loaded->found) {
        self->lost = true;
        fiber_fatal (loaded->rc ? loaded->rc : DT_ERR_NOT_FOUND,
                     "a received snapshot cannot be loaded");
        return;
    }
    uint64_t index = self->install_index;
    self->install_index = 0;
    self->applied = index;
    raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_SNAPSHOT_INSTALLED,
                                           .snapshot_installed.index = index});
}
