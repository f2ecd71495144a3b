// Rot: bits of one node's log flip while the node is down. What it lost the others have, so it
// starts, repairs itself from them and comes to their state [DISK-12].

#include <stdio.h>

#include "tests/sim/sim_cluster_internal.h"

#define MS SIM_CLUSTER_MS

// A group without this node is still able to give back what it lost.
static bool s_others_suffice (const sim_cluster_t *self, uint32_t group_id)
{
    raft_status_t status;
    const raft_core_t *leader = sim_cluster_leader (self, group_id, &status);
    if (!leader) {
        return false;
    }
    const raft_config_t *config = &raft_core_config (leader)->config;
    return !raft_config_is_joint (config) && config->voters.count >= 3;
}

static sim_cluster_node_t *s_draw_node (sim_cluster_t *self, dt_random_t *random)
{
    for (uint32_t i = 1; i <= self->groups_count; i++) {
        if (!s_others_suffice (self, i)) {
            return NULL;
        }
    }
    sim_cluster_node_t *node = &self->nodes[dt_random_below (random, self->nodes_count)];
    return sim_cluster_node_up (node) ? node : NULL;
}

bool sim_cluster_rot (sim_cluster_t *self)
{
    dt_random_t random;
    dt_random_init_stream (&random, self->seed, "rot");
    if (dt_random_chance (&random, 1, 2)) {
        return false;
    }
    sim_cluster_node_t *node = s_draw_node (self, &random);
    if (!node) {
        return false;
    }
    sim_cluster_node_end (node, sim_node_crash, MS (500));
    for (uint64_t bits = dt_random_between (&random, 1, 3); bits > 0; bits--) {
        char prefix[32];
        char path[128] = "";
        uint64_t offset = 0;
        snprintf (prefix, sizeof prefix, "groups/%u/log/",
                  (unsigned) dt_random_between (&random, 1, self->groups_count));
        if (vfs_sim_rot_random (node->disk, prefix, path, sizeof path, &offset) && self->verbose) {
            fprintf (stderr, "%10.3f --- rot %u: %s at %llu\n",
                     (double) sim_cluster_now_ns (self) / 1e9, node->id, path,
                     (unsigned long long) offset);
        }
    }
    self->totals->rots++;
    return true;
}
