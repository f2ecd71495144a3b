// Requests about the group itself: its state, its members, its leader, its snapshots.

#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/raft_group_internal.h"
#include "transport/protocol.h"
#include "transport/protocol_admin.h"
#include "transport/protocol_hello.h"

_Static_assert((int) PROTOCOL_MEMBERS_MAX == (int) RAFT_CONFIG_NODES_MAX, "one list");
_Static_assert((int) PROTOCOL_ENDPOINT_BYTES_MAX == (int) RAFT_ENDPOINT_BYTES_MAX, "one endpoint");

static msgpack_slice_t s_body (const net_requests_t *requests)
{
    return (msgpack_slice_t){requests->items[0].body, requests->items[0].body_bytes};
}

// --- status --------------------------------------------------------------------------------------

static void s_on_status (raft_group_t *self, net_requests_t *requests)
{
    raft_status_t status;
    raft_core_status (self->core, &status);
    machine_status_t *message = raft_machine_message_new (MACHINE_STATUS);
    message->requests = requests;
    message->index = status.applied;
    dt_buffer_t *pairs = &message->pairs;
    // INT64_MIN, no lease, must not be subtracted from.
    int64_t now_ns = self->env->now_ns (self->env);
    int64_t lease_ns = status.lease_until_ns > now_ns ? status.lease_until_ns - now_ns : 0;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"node", self->options.node_id},
        {"group", self->options.group_id},
        {"term", status.hard_state.term},
        {"leader", status.leader},
        {"first_index", status.first},
        {"last_index", status.last},
        {"durable_index", status.durable},
        {"commit_index", status.commit},
        {"applied_index", status.applied},
        {"snapshot_index", status.snapshot},
        {"snapshot_bytes", status.snapshot_bytes},
        {"config_index", status.config_index},
        {"cluster_time_ms", status.cluster_time_ms},
        {"uncommitted_bytes", status.uncommitted_bytes},
        {"reads_waiting", status.reads_waiting},
        {"lease_ms", (uint64_t) lease_ns / 1000000},
        {"transfer_to", status.transfer_to},
    };
    protocol_status_add_text (pairs, "role", raft_role_name (status.role));
    protocol_status_add_bool (pairs, "ready", status.ready);
    protocol_status_add_bool (pairs, "disk_full", status.disk_full);
    protocol_status_add_bool (pairs, "repairing", status.repair_until > 0);
    protocol_status_add_text (pairs, "disk",
                              status.failed_rc ? dt_error_text (status.failed_rc) : "ok");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        protocol_status_add_uint (pairs, numbers[i].name, numbers[i].value);
    }
    message->count = 5 + sizeof numbers / sizeof *numbers;
    raft_group_to_machine (self, &message->message);
}

// --- members -------------------------------------------------------------------------------------

static void s_copy_ids (protocol_ids_t *ids, const raft_node_list_t *list)
{
    ids->count = list->count;
    memcpy (ids->ids, list->ids, sizeof ids->ids);
}

static protocol_member_t *s_find_member (protocol_config_t *config, uint32_t id)
{
    for (uint32_t i = 0; i < config->members_count; i++) {
        if (config->members[i].id == id) {
            return &config->members[i];
        }
    }
    return NULL;
}

static protocol_member_t *s_member (protocol_config_t *config, uint32_t id)
{
    protocol_member_t *known = s_find_member (config, id);
    if (known) {
        return known;
    }
    if (config->members_count == PROTOCOL_MEMBERS_MAX) {
        return NULL;
    }
    protocol_member_t *member = &config->members[config->members_count++];
    member->id = id;
    return member;
}

static void s_describe_members (protocol_config_t *config, const raft_config_t *from)
{
    for (uint32_t i = 0; i < from->nodes_count; i++) {
        const raft_node_info_t *node = &from->nodes[i];
        protocol_member_t *member = s_member (config, node->id);
        member->directory = node->directory_id;
        memcpy (member->peer, node->peer, sizeof member->peer);
        memcpy (member->service, node->service, sizeof member->service);
    }
    const protocol_ids_t *lists[] = {&config->voters, &config->observers, &config->next_voters,
                                     &config->next_observers};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (uint32_t j = 0; j < lists[i]->count; j++) {
            s_member (config, lists[i]->ids[j]);
        }
    }
}

static void s_describe_peers (const raft_group_t *self, protocol_config_t *config)
{
    raft_peer_status_t peers[RAFT_CONFIG_NODES_MAX];
    uint32_t count = raft_core_peers (self->core, peers, RAFT_CONFIG_NODES_MAX);
    for (uint32_t i = 0; i < count && i < RAFT_CONFIG_NODES_MAX; i++) {
        protocol_member_t *member = s_find_member (config, peers[i].id);
        if (!member) {
            continue; // removed; it is still told of it
        }
        member->followed = true;
        member->active = peers[i].active;
        member->repairing = peers[i].repairing;
        member->match = peers[i].match;
        member->next = peers[i].next;
        member->last = peers[i].last;
        member->applied = peers[i].applied;
        member->in_flight = peers[i].in_flight_bytes;
        strncpy (member->state, raft_peer_state_name (peers[i].state), sizeof member->state - 1);
    }
}

static void s_on_config_get (raft_group_t *self, net_requests_t *requests)
{
    const raft_config_at_t *at = raft_core_config (self->core);
    if (!at) {
        raft_group_refuse_all (self, requests, DT_ERR_NOT_READY,
                               "this node does not know the group's configuration yet");
        return;
    }
    raft_status_t status;
    raft_core_status (self->core, &status);
    protocol_config_t *config = dt_zalloc (1, sizeof *config);
    config->index = at->index;
    config->term = status.hard_state.term;
    config->leader = status.leader;
    config->joint = raft_config_is_joint (&at->config);
    config->auto_commit = at->config.auto_commit;
    s_copy_ids (&config->voters, &at->config.voters);
    s_copy_ids (&config->observers, &at->config.observers);
    s_copy_ids (&config->next_voters, &at->config.next_voters);
    s_copy_ids (&config->next_observers, &at->config.next_observers);
    s_describe_members (config, &at->config);
    s_describe_peers (self, config);
    dt_buffer_t body = {0};
    protocol_config_write (&body, config);
    raft_group_answer (self, requests, 0, status.applied, &body, NULL);
    dt_buffer_deinit (&body);
    free (config);
}

static bool s_take_ids (raft_node_list_t *list, const protocol_ids_t *ids)
{
    for (uint32_t i = 0; i < ids->count; i++) {
        if (!raft_node_list_add (list, ids->ids[i])) {
            return false; // 0, or twice
        }
    }
    return true;
}

// The configuration a prepare asks for. False: it cannot be one.
static bool s_target (const protocol_change_t *change, raft_config_t *target)
{
    if (!s_take_ids (&target->voters, &change->voters) ||
        !s_take_ids (&target->observers, &change->observers)) {
        return false;
    }
    for (uint32_t i = 0; i < change->members_count; i++) {
        raft_node_info_t node = {.id = change->members[i].id};
        memcpy (node.peer, change->members[i].peer, sizeof node.peer);
        memcpy (node.service, change->members[i].service, sizeof node.service);
        if (!raft_config_describe (target, &node)) {
            return false;
        }
    }
    raft_config_forget_strangers (target);
    return raft_config_validate (target) == 0;
}

static void s_on_prepare (raft_group_t *self, net_requests_t *requests)
{
    protocol_change_t *change = dt_zalloc (1, sizeof *change);
    raft_config_t *target = dt_zalloc (1, sizeof *target);
    if (protocol_change_read (s_body (requests), change) != 0 || !s_target (change, target)) {
        raft_group_refuse_all (
            self, requests, DT_ERR_BAD_CHANGE,
            "not a configuration: at least one voter, no node twice, ids from 1, "
            "endpoints of at most 95 bytes");
    } else {
        raft_group_step (
            self, &(raft_event_t){
                      .kind = RAFT_EVENT_CONFIG_CHANGE,
                      .config_change = {.request = requests,
                                        .change = {.kind = RAFT_CHANGE_PREPARE,
                                                   .auto_commit =
                                                       change->flags & PROTOCOL_CHANGE_AUTO_COMMIT,
                                                   .force = change->flags & PROTOCOL_CHANGE_FORCE,
                                                   .target = target}},
                  });
    }
    free (target);
    free (change);
}

static void s_on_leave (raft_group_t *self, net_requests_t *requests, raft_change_kind_t kind)
{
    uint64_t joint_index = 0;
    if (protocol_number_read (s_body (requests), &joint_index) != 0) {
        raft_group_refuse_all (self, requests, DT_ERR_MALFORMED, NULL);
        return;
    }
    raft_group_step (self,
                     &(raft_event_t){
                         .kind = RAFT_EVENT_CONFIG_CHANGE,
                         .config_change = {.request = requests,
                                           .change = {.kind = kind, .joint_index = joint_index}},
                     });
}

static void s_on_transfer (raft_group_t *self, net_requests_t *requests)
{
    uint64_t target = 0;
    if (protocol_number_read (s_body (requests), &target) != 0 || target > UINT32_MAX) {
        raft_group_refuse_all (self, requests, DT_ERR_MALFORMED, NULL);
        return;
    }
    raft_group_step (self, &(raft_event_t){
                               .kind = RAFT_EVENT_TRANSFER,
                               .transfer = {.request = requests,
                                            .target = (raft_node_id_t) target,
                                            .deadline_ns = requests->deadline_ns},
                           });
}

void raft_group_on_admin (raft_group_t *self, net_requests_t *requests)
{
    switch (requests->items[0].operation) {
    case PROTOCOL_STATUS:
        s_on_status (self, requests);
        return;
    case PROTOCOL_CONFIG_GET:
        s_on_config_get (self, requests);
        return;
    case PROTOCOL_CONFIG_PREPARE:
        s_on_prepare (self, requests);
        return;
    case PROTOCOL_CONFIG_COMMIT:
        s_on_leave (self, requests, RAFT_CHANGE_COMMIT);
        return;
    case PROTOCOL_CONFIG_ABORT:
        s_on_leave (self, requests, RAFT_CHANGE_ABORT);
        return;
    case PROTOCOL_TRANSFER_LEADER:
        s_on_transfer (self, requests);
        return;
    default: // PROTOCOL_SNAPSHOT_TAKE
        raft_group_step (self, &(raft_event_t){
                                   .kind = RAFT_EVENT_SNAPSHOT_TAKE,
                                   .snapshot_take.request = requests,
                               });
    }
}

// --- answers -------------------------------------------------------------------------------------

void raft_group_answer_change (raft_group_t *self, const raft_effect_t *effect)
{
    net_requests_t *requests = effect->config_answer.request;
    dt_buffer_t body = {0};
    protocol_number_write (&body, effect->config_answer.index);
    raft_group_answer (self, requests, effect->config_answer.rc, effect->config_answer.index, &body,
                       effect->config_answer.why);
    dt_buffer_deinit (&body);
}

void raft_group_answer_transfer (raft_group_t *self, const raft_effect_t *effect)
{
    net_requests_t *requests = effect->transfer_answer.request;
    dt_buffer_t body = {0};
    protocol_number_write (&body, effect->transfer_answer.leader);
    raft_group_answer (self, requests, effect->transfer_answer.rc, 0, &body,
                       effect->transfer_answer.why);
    dt_buffer_deinit (&body);
}

void raft_group_answer_snapshot (raft_group_t *self, const raft_effect_t *effect)
{
    dt_buffer_t body = {0};
    msgpack_write_array (&body, 2);
    msgpack_write_uint (&body, effect->snapshot_answer.index);
    msgpack_write_uint (&body, effect->snapshot_answer.bytes);
    raft_group_answer (self, effect->snapshot_answer.request, effect->snapshot_answer.rc,
                       effect->snapshot_answer.index, &body, NULL);
    dt_buffer_deinit (&body);
}
