// The operator of a cluster: moves leaders, changes who belongs to the groups, replaces machines
// that are lost.

#include <stdio.h>
#include <stdlib.h>

#include "base/dt_memory.h"
#include "tests/sim/sim_cluster_internal.h"
#include "transport/protocol_admin.h"

enum { REQUEST_MS = 1000 };

// --- requests ------------------------------------------------------------------------------------

static void s_request (sim_cluster_t *self, const sim_cluster_group_t *group, sim_port_t *port,
                       uint32_t operation, const dt_buffer_t *body)
{
    dt_buffer_t frame = {0};
    protocol_request_write (&frame, &(protocol_request_t){.id = ++self->operations,
                                                          .operation = operation,
                                                          .group = group->id,
                                                          .timeout_ms = REQUEST_MS,
                                                          .body = {body->data, body->bytes}});
    uint32_t number = (group->id - 1) * SIM_CLUSTER_NUMBERS + SIM_CLUSTER_OPERATOR;
    sim_port_push (port, number, frame.data, frame.bytes);
    dt_buffer_deinit (&frame);
}

static void s_request_number (sim_cluster_t *self, const sim_cluster_group_t *group,
                              sim_port_t *port, uint32_t operation, uint64_t argument)
{
    dt_buffer_t body = {0};
    protocol_number_write (&body, argument);
    s_request (self, group, port, operation, &body);
    dt_buffer_deinit (&body);
}

static void s_take_list (protocol_ids_t *ids, const raft_node_list_t *list)
{
    ids->count = list->count;
    for (uint32_t i = 0; i < list->count; i++) {
        ids->ids[i] = list->ids[i];
    }
}

static void s_request_members (sim_cluster_t *self, const sim_cluster_group_t *group,
                               sim_port_t *port, const raft_config_t *wanted)
{
    protocol_change_t *change = dt_zalloc (1, sizeof *change);
    s_take_list (&change->voters, &wanted->voters);
    s_take_list (&change->observers, &wanted->observers);
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        uint32_t id = self->nodes[i].id;
        if (raft_config_is_member (wanted, id)) {
            const raft_node_info_t *info = raft_config_node (&self->contacts, id);
            protocol_member_t *member = &change->members[change->members_count++];
            member->id = id;
            snprintf (member->peer, sizeof member->peer, "%s", info->peer);
            snprintf (member->service, sizeof member->service, "%s", info->service);
        }
    }
    change->flags =
        dt_random_chance (&self->faults, 1, 2) || self->calm ? PROTOCOL_CHANGE_AUTO_COMMIT : 0;
    dt_buffer_t body = {0};
    protocol_change_write (&body, change);
    s_request (self, group, port, PROTOCOL_CONFIG_PREPARE, &body);
    dt_buffer_deinit (&body);
    free (change);
}

// --- what is to change ---------------------------------------------------------------------------

static uint32_t s_any (sim_cluster_t *self, const raft_node_list_t *list)
{
    return list->count ? list->ids[dt_random_below (&self->faults, list->count)] : 0;
}

static uint32_t s_any_stranger (sim_cluster_t *self, const raft_config_t *config)
{
    raft_node_list_t strangers = {0};
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        const sim_cluster_node_t *node = &self->nodes[i];
        if (!node->lost && !raft_config_is_member (config, node->id)) {
            raft_node_list_add (&strangers, node->id);
        }
    }
    return s_any (self, &strangers);
}

static uint32_t s_lost_member (const sim_cluster_t *self, const raft_config_t *config)
{
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        if (self->nodes[i].lost && raft_config_is_member (config, self->nodes[i].id)) {
            return self->nodes[i].id;
        }
    }
    return 0;
}

// All observers become voters, and all voters but one observers: hardly a majority stays.
static bool s_exchange (sim_cluster_t *self, raft_config_t *config)
{
    raft_node_list_t voters = config->observers;
    uint32_t kept = s_any (self, &config->voters);
    raft_node_list_add (&voters, kept);
    raft_node_list_remove (&config->voters, kept);
    config->observers = config->voters;
    config->voters = voters;
    return voters.count > 1;
}

// One step by chance. False: it is none.
static bool s_change_by_chance (sim_cluster_t *self, raft_config_t *config)
{
    uint32_t voter = s_any (self, &config->voters);
    uint32_t observer = s_any (self, &config->observers);
    uint32_t stranger = s_any_stranger (self, config);
    bool many = config->voters.count > 2;
    switch (dt_random_below (&self->faults, 7)) {
    case 0:
        return s_exchange (self, config);
    case 1:
    case 2:
        return raft_node_list_add (&config->observers, stranger);
    case 3: // may be refused until it has caught up
        return raft_node_list_remove (&config->observers, observer) &&
               raft_node_list_add (&config->voters, observer);
    case 4:
        return many && raft_node_list_remove (&config->voters, voter) &&
               raft_node_list_add (&config->observers, voter);
    case 5:
        return many && raft_node_list_remove (&config->voters, voter);
    default:
        return raft_node_list_remove (&config->observers, observer);
    }
}

static void s_replace (sim_cluster_t *self, raft_config_t *config, uint32_t lost)
{
    raft_node_list_remove (&config->voters, lost);
    raft_node_list_remove (&config->observers, lost);
    raft_node_list_add (&config->observers, s_any_stranger (self, config));
}

static sim_port_t *s_port (const sim_cluster_t *self, uint32_t node_id)
{
    return sim_node_port (self->nodes[node_id - 1].node);
}

void sim_cluster_transfer (sim_cluster_t *self, const sim_cluster_group_t *group)
{
    raft_status_t status;
    const raft_core_t *leader = sim_cluster_leader (self, group->id, &status);
    if (leader) {
        uint32_t to = s_any (self, &raft_core_config (leader)->config.voters);
        bool any = dt_random_chance (&self->faults, 1, 3);
        s_request_number (self, group, s_port (self, status.leader), PROTOCOL_TRANSFER_LEADER,
                          any ? 0 : to);
    }
}

void sim_cluster_change_members (sim_cluster_t *self, const sim_cluster_group_t *group, bool tidy)
{
    raft_status_t status;
    const raft_core_t *leader = sim_cluster_leader (self, group->id, &status);
    if (!leader) {
        return;
    }
    raft_config_t config = raft_core_config (leader)->config;
    sim_port_t *port = s_port (self, status.leader);
    uint32_t lost = s_lost_member (self, &config);
    if (raft_config_is_joint (&config)) {
        bool commit = tidy || dt_random_chance (&self->faults, 2, 3);
        s_request_number (self, group, port,
                          commit ? PROTOCOL_CONFIG_COMMIT : PROTOCOL_CONFIG_ABORT, 0);
    } else if (lost) {
        s_replace (self, &config, lost);
        s_request_members (self, group, port, &config);
    } else if (!tidy && s_change_by_chance (self, &config)) {
        s_request_members (self, group, port, &config);
    }
}

bool sim_cluster_members_tidy (const sim_cluster_t *self, const raft_config_t *config)
{
    return !raft_config_is_joint (config) && s_lost_member (self, config) == 0;
}

// --- machines that are lost ----------------------------------------------------------------------

static bool s_majority_left (const sim_cluster_t *self, const raft_node_list_t *voters,
                             uint32_t without)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < voters->count; i++) {
        uint32_t id = voters->ids[i];
        left += id != without && !self->nodes[id - 1].lost;
    }
    return left > voters->count / 2 || voters->count == 0;
}

// Every configuration that may come into force keeps a majority. Known only while all nodes run.
static bool s_may_lose (const sim_cluster_t *self, uint32_t node_id)
{
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        const sim_cluster_node_t *node = &self->nodes[i];
        for (uint32_t g = 0; g < self->groups_count && !node->lost; g++) {
            const raft_core_t *core = sim_cluster_node_core (node, self->groups[g].id);
            if (!core) {
                return false;
            }
            const raft_config_at_t *at = raft_core_config (core);
            if (at && (!s_majority_left (self, &at->config.voters, node_id) ||
                       !s_majority_left (self, &at->config.next_voters, node_id))) {
                return false;
            }
        }
    }
    return true;
}

bool sim_cluster_lose (sim_cluster_t *self, sim_cluster_node_t *node)
{
    if (self->nodes_count == SIM_CLUSTER_NODES_MAX || node->lost || !node->node ||
        !s_may_lose (self, node->id)) {
        return false;
    }
    sim_cluster_node_end (node, sim_node_crash, 1);
    node->lost = true;
    node->start_ns = INT64_MAX;
    sim_cluster_node_init (self, ++self->nodes_count, true);
    return true;
}
