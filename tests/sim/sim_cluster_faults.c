// What goes wrong in a cluster, and when.

#include <stdio.h>

#include "base/dt_error.h"
#include "tests/sim/sim_cluster_internal.h"

#define MS SIM_CLUSTER_MS

enum { MILLION = 1000000 };

// --- what a seed enables -------------------------------------------------------------------------

static uint32_t s_sometimes (dt_random_t *swarm, uint32_t ppm_max)
{
    return dt_random_chance (swarm, 1, 2) ? (uint32_t) dt_random_below (swarm, ppm_max) : 0;
}

static void s_draw_bad_links (sim_cluster_t *self, dt_random_t *swarm)
{
    self->net_faults = (sim_net_faults_t){
        .delay_min_ns = (int64_t) dt_random_below (swarm, MS (2)),
        .delay_mean_ns =
            (int64_t) dt_random_below (swarm, dt_random_chance (swarm, 1, 5) ? MS (300) : MS (20)),
        .loss_ppm = s_sometimes (swarm, 100000),
        .duplicate_ppm = s_sometimes (swarm, 50000),
        .reorder_ppm = s_sometimes (swarm, 100000),
        .break_ppm = s_sometimes (swarm, 20000),
        .late_ppm = 500000,
        .dead_ppm = s_sometimes (swarm, 300000),
        .reconnect_ns = MS (1000),
        .capacity_bytes = dt_random_between (swarm, 100000, 2000000),
    };
}

static int32_t s_draw_ppm (dt_random_t *clock)
{
    int32_t most = dt_random_chance (clock, 1, 2) ? SIM_CLUSTER_DRIFT_PPM : -SIM_CLUSTER_DRIFT_PPM;
    int32_t any = (int32_t) dt_random_below (clock, 2 * SIM_CLUSTER_DRIFT_PPM + 1);
    return dt_random_chance (clock, 1, 2) ? most : any - SIM_CLUSTER_DRIFT_PPM;
}

void sim_cluster_draw_faults (sim_cluster_t *self, dt_random_t *swarm)
{
    // Few kinds, often, find other things than many.
    uint64_t rarity = dt_random_between (swarm, 2, 4);
    for (int i = 0; i < SIM_CLUSTER_FAULTS; i++) {
        self->enabled[i] = dt_random_chance (swarm, 1, rarity);
    }
    self->mean_fault_ns = (int64_t) dt_random_between (swarm, MS (50), MS (2000));
    self->latency_ns = dt_random_between (swarm, 0, MS (3));
    s_draw_bad_links (self, swarm);
    vfs_sim_faults_t disk = {
        .stall_ppm =
            self->enabled[SIM_CLUSTER_FAULT_stall] ? (uint32_t) dt_random_below (swarm, 20000) : 0,
        .stall_min_ns = MS (1),
        .stall_max_ns = MS (2000),
    };
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        self->nodes[i].disk_faults = disk;
        self->nodes[i].ppm = self->enabled[SIM_CLUSTER_FAULT_drift] ? s_draw_ppm (&self->clock) : 0;
        vfs_sim_set_faults (self->nodes[i].disk, &disk);
    }
}

// --- one fault -----------------------------------------------------------------------------------

static void s_count (sim_cluster_t *self, sim_cluster_fault_t fault, uint32_t node_id)
{
    self->totals->faults[fault]++;
    sim_cluster_event (self, (uint64_t) fault + 1000);
    if (self->verbose) {
        fprintf (stderr, "%10.3f --- %s %u\n", (double) sim_cluster_now_ns (self) / 1e9,
                 sim_cluster_fault_name (fault), node_id);
    }
}

// What the next fault is to be, by chance; SIM_CLUSTER_FAULTS: none is enabled.
static sim_cluster_fault_t s_draw_fault (sim_cluster_t *self)
{
    for (int tries = 0; tries < 50; tries++) {
        sim_cluster_fault_t fault =
            (sim_cluster_fault_t) dt_random_below (&self->faults, SIM_CLUSTER_FAULTS);
        if (self->enabled[fault]) {
            return fault;
        }
    }
    return SIM_CLUSTER_FAULTS;
}

// How long a node stays down: mostly not for long.
static int64_t s_down_ns (sim_cluster_t *self)
{
    return dt_random_chance (&self->faults, 1, 5) ? MS (6000) : MS (500);
}

static void s_cut_power_everywhere (sim_cluster_t *self)
{
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        if (self->nodes[i].node) {
            sim_cluster_node_end (&self->nodes[i], sim_node_crash, MS (1000));
        }
    }
}

static void s_fill_or_free (sim_cluster_node_t *node)
{
    vfs_sim_faults_t *faults = &node->disk_faults;
    uint64_t room = dt_random_below (&node->cluster->faults, 256 * 1024);
    faults->capacity_bytes = faults->capacity_bytes ? 0 : vfs_sim_used_bytes (node->disk) + room;
    vfs_sim_set_faults (node->disk, faults);
}

static const sim_cluster_group_t *s_any_group (sim_cluster_t *self)
{
    return &self->groups[dt_random_below (&self->faults, self->groups_count)];
}

static void s_partition (sim_cluster_t *self)
{
    static const sim_net_fault_t kinds[] = {SIM_NET_FAULT_isolate, SIM_NET_FAULT_split,
                                            SIM_NET_FAULT_one_way, SIM_NET_FAULT_bridge,
                                            SIM_NET_FAULT_flap};
    sim_net_partition (self->net, kinds[dt_random_below (&self->faults, 5)]);
}

static void s_cut_off (sim_cluster_t *self, uint32_t node_id)
{
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        sim_net_cut (self->net, node_id, self->nodes[i].id, true);
        sim_net_cut (self->net, self->nodes[i].id, node_id, true);
    }
}

// The leader of some group is cut off from all others; its lease goes on for a while.
static bool s_cut_leader (sim_cluster_t *self)
{
    raft_status_t status;
    const raft_core_t *leader = sim_cluster_leader (self, s_any_group (self)->id, &status);
    if (leader) {
        s_cut_off (self, status.leader);
    }
    return leader != NULL;
}

// A node does not hear the leader of some group any more, but everybody else, and so wants to lead.
// Soon after the leader is cut off: whoever is bound to it by its lease must keep to that.
static bool s_begin_duel (sim_cluster_node_t *node)
{
    raft_status_t status;
    sim_cluster_t *self = node->cluster;
    if (!sim_cluster_leader (self, s_any_group (self)->id, &status)) {
        return false;
    }
    sim_net_cut (self->net, status.leader, node->id, true);
    sim_net_cut (self->net, node->id, status.leader, dt_random_chance (&self->faults, 1, 2));
    self->duel = (sim_cluster_duel_t){.leader = status.leader, .challenger = node->id};
    // Until its election time-out has passed, or a little longer; and nothing disturbs it.
    uint32_t timeout_ms = self->options.election_timeout_ms;
    self->next_fault_ns =
        sim_cluster_now_ns (self) +
        (int64_t) dt_random_between (&self->faults, MS (timeout_ms), MS (3 * timeout_ms));
    return true;
}

static void s_end_duel (sim_cluster_t *self)
{
    bool restart = dt_random_chance (&self->faults, 1, 2);
    s_cut_off (self, self->duel.leader);
    for (uint32_t i = 0; i < self->nodes_count && restart; i++) {
        sim_cluster_node_t *node = &self->nodes[i];
        if (node->node && node->id != self->duel.leader && node->id != self->duel.challenger) {
            sim_cluster_node_end (node, sim_node_kill, MS (20));
        }
    }
    self->duel = (sim_cluster_duel_t){0};
}

// Faults of the whole cluster. False: it is none of them.
static bool s_break_cluster (sim_cluster_t *self, sim_cluster_fault_t fault)
{
    switch (fault) {
    case SIM_CLUSTER_FAULT_power_cut_everywhere:
        s_cut_power_everywhere (self);
        return true;
    case SIM_CLUSTER_FAULT_partition:
        s_partition (self);
        return true;
    case SIM_CLUSTER_FAULT_cut_leader:
        return s_cut_leader (self);
    case SIM_CLUSTER_FAULT_heal:
        sim_net_heal (self->net);
        return true;
    case SIM_CLUSTER_FAULT_bad_links:
        sim_net_set_faults (self->net,
                            dt_random_chance (&self->faults, 1, 2) ? &self->net_faults : NULL);
        return true;
    case SIM_CLUSTER_FAULT_transfer:
        sim_cluster_transfer (self, s_any_group (self));
        return true;
    case SIM_CLUSTER_FAULT_change_members:
        sim_cluster_change_members (self, s_any_group (self), false);
        return true;
    default:
        return false;
    }
}

// Faults of the disk of a node. False: it is none of them.
static bool s_break_disk (sim_cluster_node_t *node, sim_cluster_fault_t fault)
{
    dt_random_t *faults = &node->cluster->faults;
    switch (fault) {
    case SIM_CLUSTER_FAULT_power_cut_at_change:
        vfs_sim_crash_at (node->disk, dt_random_between (faults, 1, 40));
        return true;
    case SIM_CLUSTER_FAULT_disk_full:
        s_fill_or_free (node);
        return true;
    case SIM_CLUSTER_FAULT_write_error:
        vfs_sim_fail_at (node->disk, VFS_SIM_WRITE, dt_random_between (faults, 1, 30), DT_ERR_IO);
        return true;
    case SIM_CLUSTER_FAULT_sync_error:
        vfs_sim_fail_at (node->disk, VFS_SIM_SYNC, dt_random_between (faults, 1, 30), DT_ERR_IO);
        return true;
    default:
        return false;
    }
}

// Faults of a node that runs. False: it is none of them.
static bool s_break_node (sim_cluster_node_t *node, sim_cluster_fault_t fault)
{
    sim_cluster_t *self = node->cluster;
    switch (fault) {
    case SIM_CLUSTER_FAULT_power_cut:
        sim_cluster_node_end (node, sim_node_crash, s_down_ns (self));
        return true;
    case SIM_CLUSTER_FAULT_kill:
        sim_cluster_node_end (node, sim_node_kill, s_down_ns (self));
        return true;
    case SIM_CLUSTER_FAULT_restart:
        sim_cluster_node_stop (node);
        return true;
    case SIM_CLUSTER_FAULT_pause:
        node->resume_ns =
            sim_cluster_now_ns (self) + (int64_t) dt_random_below (&self->faults, MS (5000));
        return true;
    case SIM_CLUSTER_FAULT_wall_jump:
        node->wall_ms += (int64_t) dt_random_below (&self->clock, 7200000) - 3600000;
        return true;
    case SIM_CLUSTER_FAULT_drift:
        node->ppm = s_draw_ppm (&self->clock);
        sim_clock_set_rate (node->clock, node->ppm);
        return true;
    case SIM_CLUSTER_FAULT_duel:
        return s_begin_duel (node);
    case SIM_CLUSTER_FAULT_lose_machine:
        return sim_cluster_lose (self, node);
    default:
        return false;
    }
}

void sim_cluster_break (sim_cluster_t *self)
{
    if (self->duel.leader != 0) {
        s_end_duel (self);
        return;
    }
    sim_cluster_fault_t fault = s_draw_fault (self);
    uint32_t place = (uint32_t) dt_random_below (&self->faults, self->nodes_count);
    sim_cluster_node_t *node = &self->nodes[place];
    if (s_break_cluster (self, fault)) {
        s_count (self, fault, 0);
    } else if (s_break_disk (node, fault) || (node->node && s_break_node (node, fault))) {
        s_count (self, fault, node->id);
    }
}

void sim_cluster_mend (sim_cluster_t *self)
{
    sim_net_heal (self->net);
    sim_net_set_faults (self->net, NULL);
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        sim_cluster_node_t *node = &self->nodes[i];
        vfs_sim_set_faults (node->disk, NULL);
        for (int op = 0; op < VFS_SIM_OPS; op++) {
            vfs_sim_fail_at (node->disk, (vfs_sim_op_t) op, 0, 0);
        }
        vfs_sim_crash_at (node->disk, 0);
        node->resume_ns = 0;
        node->start_ns = node->lost ? INT64_MAX : sim_cluster_now_ns (self);
    }
}
