// Faults at random.

#include <stdio.h>
#include <string.h>

#include "tests/raft/raft_cluster_internal.h"

void cluster_describe (raft_config_t *config, unsigned nodes)
{
    for (unsigned id = 1; id <= nodes; id++) {
        raft_node_info_t info = {.id = id};
        snprintf (info.peer, sizeof info.peer, "sim://%u", id);
        if (raft_config_is_member (config, id)) {
            raft_config_describe (config, &info);
        }
    }
}

void cluster_change (cluster_t *self, cluster_node_t *node, const raft_change_t *change)
{
    cluster_say (self, "change kind %d voters %u observers %u at node %u", change->kind,
                 change->target->voters.count, change->target->observers.count, node->id);
    node->changes_open++;
    self->result->changes++;
    cluster_step (
        self, node,
        &(raft_event_t){.kind = RAFT_EVENT_CONFIG_CHANGE, .config_change = {self, *change}});
}

static void s_change (cluster_t *self, cluster_node_t *node)
{
    raft_config_t target = {0};
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        uint64_t part = dt_random_below (&self->load, 10);
        if (part < 7) {
            raft_node_list_add (&target.voters, id);
        } else if (part < 9) {
            raft_node_list_add (&target.observers, id);
        }
    }
    cluster_describe (&target, self->nodes_count);
    if (target.voters.count == 0) {
        return;
    }
    raft_change_t change = {
        .kind = (raft_change_kind_t) dt_random_below (&self->load, 3),
        .auto_commit = dt_random_chance (&self->load, 2, 3),
        .force = dt_random_chance (&self->load, 1, 3),
        .target = &target,
    };
    if (dt_random_chance (&self->load, 1, 2)) {
        change.kind = RAFT_CHANGE_PREPARE;
    }
    cluster_change (self, node, &change);
}

static void s_partition (cluster_t *self)
{
    memset (self->cut, 0, sizeof self->cut);
    uint64_t kind = dt_random_below (&self->faults, 6);
    unsigned n = self->nodes_count;
    unsigned one = 1 + (unsigned) dt_random_below (&self->faults, n);
    for (unsigned a = 1; a <= n; a++) {
        for (unsigned b = 1; b <= n; b++) {
            bool cut = false;
            switch (kind) {
            case 0: // isolate one
                cut = a == one || b == one;
                break;
            case 1: // in halves
                cut = (a <= n / 2) != (b <= n / 2);
                break;
            case 2: // one cannot be heard
                cut = a == one;
                break;
            case 3: // one hears nothing
                cut = b == one;
                break;
            case 4: // a bridge
                cut = (a < one && b > one) || (a > one && b < one);
                break;
            default: // whatever
                cut = dt_random_chance (&self->faults, 1, 4);
            }
            self->cut[a][b] = cut && a != b;
        }
    }
    cluster_say (self, "partition kind %u around %u", (unsigned) kind, one);
}

static void s_crash_for_a_while (cluster_t *self, cluster_node_t *node)
{
    if (!node->core) {
        return;
    }
    cluster_crash (self, node);
    if (node->log.count > 2 && dt_random_chance (&self->faults, 1, 6) &&
        cluster_log_last (&node->log) > node->snapshot.index + 1) {
        // Rot: the log's end is lost, and it is known that something is.
        raft_index_t last = cluster_log_last (&node->log);
        raft_index_t from = dt_random_between (&self->faults, node->snapshot.index + 1, last);
        from = from > node->log.first ? from : node->log.first + 1;
        bool others_sound = true; // a minority only: two damaged disks may lose what is committed
        for (unsigned id = 1; id <= self->nodes_count; id++) {
            others_sound = others_sound && self->nodes[id].lost_until == 0;
        }
        bool spared = self->swarm & SWARM_CHANGE; // or two voters might be all there are
        if (others_sound && !spared && from <= last && self->bootstrap.voters.count >= 3) {
            cluster_say (self, "node %u loses %lu..%lu", node->id, from, last);
            cluster_log_cut (&node->log, from);
            node->lost_until = last;
        }
    }
    cluster_push (self,
                  (cluster_event_t){.kind = EVENT_RESTART, .node = node->id, .life = node->life},
                  (int64_t) dt_random_between (&self->faults, MS, 3000 * MS));
}

static void s_pause (cluster_t *self, cluster_node_t *node)
{
    node->paused = true;
    cluster_say (self, "pause node %u", node->id);
    cluster_push (self,
                  (cluster_event_t){.kind = EVENT_RESUME, .node = node->id, .life = node->life},
                  (int64_t) dt_random_between (&self->faults, 10 * MS, 4000 * MS));
}

void cluster_tell_stalled (cluster_t *self, cluster_node_t *node, bool on)
{
    cluster_step (self, node,
                  &(raft_event_t){.kind = RAFT_EVENT_DISK_STALLED, .disk_stalled.on = on});
}

static void s_stall (cluster_t *self, cluster_node_t *node)
{
    node->stalled = true;
    if (dt_random_chance (&self->faults, 1, 2)) {
        cluster_tell_stalled (self, node, true); // else it ends before anybody is told
    }
    cluster_push (self,
                  (cluster_event_t){.kind = EVENT_UNSTALL, .node = node->id, .life = node->life},
                  (int64_t) dt_random_between (&self->faults, 10 * MS, 3000 * MS));
}

static void s_transfer (cluster_t *self, cluster_node_t *node)
{
    node->transfers_open++;
    self->result->transfers++;
    raft_node_id_t target = (raft_node_id_t) dt_random_below (&self->faults, self->nodes_count + 1);
    cluster_say (self, "transfer from %u to %u", node->id, target);
    cluster_step (
        self, node,
        &(raft_event_t){.kind = RAFT_EVENT_TRANSFER,
                        .transfer = {self, target, cluster_clock_ns (self, node) + 2000 * MS}});
}

void cluster_fault (cluster_t *self)
{
    cluster_node_t *node = cluster_some_node (self, &self->faults);
    cluster_node_t *leader = cluster_leader (self);
    if (leader && dt_random_chance (&self->faults, 1, 2)) {
        node = leader;
    }
    bool up = node->core && !node->paused;
    switch (1U << dt_random_below (&self->faults, 11) & self->swarm) {
    case SWARM_PARTITION:
        if (dt_random_chance (&self->faults, 1, 2)) {
            memset (self->cut, 0, sizeof self->cut);
        } else {
            s_partition (self);
        }
        break;
    case SWARM_CRASH:
        s_crash_for_a_while (self, node);
        break;
    case SWARM_PAUSE:
        if (up) {
            s_pause (self, node);
        }
        break;
    case SWARM_STALL:
        if (up && !node->stalled) {
            s_stall (self, node);
        }
        break;
    case SWARM_CHANGE:
        if (up) {
            s_change (self, node);
        }
        break;
    case SWARM_TRANSFER:
        if (up) {
            s_transfer (self, node);
        }
        break;
    case SWARM_REACHED:
        if (up) {
            cluster_step (self, node,
                          &(raft_event_t){
                              .kind = RAFT_EVENT_PEER_REACHED,
                              .peer_reached.node = cluster_some_node (self, &self->faults)->id,
                          });
        }
        break;
    default:
        break;
    }
    cluster_push (self, (cluster_event_t){.kind = EVENT_FAULT},
                  (int64_t) dt_random_between (&self->faults, 5 * MS, 600 * MS));
}
