// Nodes and their lives.

#include <inttypes.h>
#include <stdio.h>

#include "base/dt_error.h"
#include "tests/sim/sim_cluster_internal.h"

#define MS SIM_CLUSTER_MS

// --- the world a node sees -----------------------------------------------------------------------

static int64_t s_now_ns (const dt_env_t *env)
{
    const sim_cluster_node_t *self = env->context;
    return self->clock ? sim_clock_now_ns (self->clock) : sim_cluster_now_ns (self->cluster);
}

static int64_t s_wall_ms (const dt_env_t *env)
{
    const sim_cluster_node_t *self = env->context;
    return INT64_C (1700000000000) + self->wall_ms + sim_cluster_now_ns (self->cluster) / 1000000;
}

static uint64_t s_entropy (const dt_env_t *env)
{
    return dt_random_next (&((sim_cluster_node_t *) env->context)->cluster->entropy);
}

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    const sim_cluster_node_t *self = env->context;
    if (self->cluster->verbose) {
        fprintf (stderr, "%10.3f node %u %s %s\n",
                 (double) sim_cluster_now_ns (self->cluster) / 1e9, self->id,
                 dt_log_level_name (level), line);
    }
}

static void s_delay (void *context, vfs_sim_op_t op, uint64_t bytes, int64_t stall_ns)
{
    sim_cluster_node_t *self = context;
    sim_cluster_t *cluster = self->cluster;
    if (op == VFS_SIM_READ && stall_ns == 0) {
        return;
    }
    int64_t delay = (int64_t) dt_random_below (&cluster->disk_time, cluster->latency_ns + 1);
    delay += (int64_t) bytes + stall_ns; // 1 GB/s
    if (fiber_self ()) {
        fiber_sleep_until (s_now_ns (&self->env) + delay);
    }
}

// --- lives ---------------------------------------------------------------------------------------

void sim_cluster_node_init (sim_cluster_t *cluster, uint32_t id, bool joins)
{
    sim_cluster_node_t *self = &cluster->nodes[id - 1];
    *self = (sim_cluster_node_t){.cluster = cluster, .id = id, .joins = joins};
    self->env = (dt_env_t){.now_ns = s_now_ns,
                           .wall_ms = s_wall_ms,
                           .entropy = s_entropy,
                           .log = s_log,
                           .log_level = cluster->verbose ? DT_LOG_INFO : DT_LOG_ERROR,
                           .context = self};
    snprintf (self->endpoint, sizeof self->endpoint, "tcp://node-%" PRIu32 ":9331", id);
    self->stop_by_ns = INT64_MAX;
    self->start_ns = sim_cluster_now_ns (cluster);
    self->disk = vfs_sim_disk_new (dt_random_next (&cluster->disk_time), &self->env);
}

void sim_cluster_node_deinit (sim_cluster_node_t *self)
{
    if (self->node) {
        sim_cluster_node_end (self, sim_node_crash, 1);
    }
    vfs_sim_disk_destroy (&self->disk);
}

bool sim_cluster_node_up (const sim_cluster_node_t *self)
{
    return self->node && sim_node_failure (self->node) == 0;
}

const raft_core_t *sim_cluster_node_core (const sim_cluster_node_t *self, uint32_t group_id)
{
    return sim_cluster_node_up (self) ? sim_node_core (self->node, group_id) : NULL;
}

static void s_begin_life (sim_cluster_node_t *self)
{
    sim_cluster_t *cluster = self->cluster;
    cluster->totals->lives++;
    sim_cluster_event (cluster, self->id);
    // A machine's clock begins anywhere.
    int64_t origin_ns = MS (1000) + (int64_t) dt_random_below (&cluster->clock, MS (1000000));
    self->clock = sim_clock_new (cluster->world, origin_ns);
    sim_clock_set_rate (self->clock, self->ppm);
    self->resume_ns = 0;
    self->stop_by_ns = INT64_MAX;
    sim_node_options_t options = cluster->options;
    options.env = &self->env;
    options.backend = sim_clock_base (self->clock);
    options.disk = self->disk;
    options.delay = s_delay;
    options.delay_argument = self;
    options.node_id = self->id;
    options.endpoint = self->endpoint;
    options.bootstrap = self->joins ? NULL : &cluster->config;
    options.contacts = self->joins ? &cluster->contacts : NULL;
    self->node = sim_node_start (&options);
}

void sim_cluster_node_end (sim_cluster_node_t *self, void (*end) (sim_node_t **),
                           int64_t restart_ns)
{
    sim_cluster_t *cluster = self->cluster;
    sim_clock_detach (self->clock);
    vfs_sim_crash_at (self->disk, 0);
    end (&self->node);
    sim_clock_destroy (&self->clock);
    for (uint32_t i = 0; i < cluster->groups_count; i++) {
        sim_cluster_check_ended (cluster->groups[i].replicas, self->id);
    }
    self->start_ns = sim_cluster_now_ns (cluster) +
                     (int64_t) dt_random_below (&cluster->faults, (uint64_t) restart_ns);
}

void sim_cluster_node_stop (sim_cluster_node_t *self)
{
    sim_node_stop_begin (self->node);
    self->stop_by_ns = sim_cluster_now_ns (self->cluster) + MS (5000);
}

// --- steps ---------------------------------------------------------------------------------------

int64_t sim_cluster_node_next_ns (const sim_cluster_node_t *self)
{
    if (!self->node) {
        return self->start_ns;
    }
    if (self->resume_ns > sim_cluster_now_ns (self->cluster)) {
        return self->resume_ns;
    }
    int64_t next_ns = sim_clock_to_world (self->clock, sim_node_next_ns (self->node));
    return next_ns < self->stop_by_ns ? next_ns : self->stop_by_ns;
}

bool sim_cluster_node_due (const sim_cluster_node_t *self)
{
    return sim_cluster_node_next_ns (self) <= sim_cluster_now_ns (self->cluster);
}

static void s_look (sim_cluster_node_t *self)
{
    sim_cluster_t *cluster = self->cluster;
    for (uint32_t i = 0; i < cluster->groups_count; i++) {
        sim_cluster_group_t *group = &cluster->groups[i];
        const raft_core_t *core = sim_cluster_node_core (self, group->id);
        if (core) {
            sim_cluster_check_look (group->replicas, self->id, core, self->clock,
                                    sim_cluster_now_ns (cluster));
        }
    }
}

static bool s_disk_failed (const sim_cluster_node_t *self)
{
    for (uint32_t i = 0; i < self->cluster->groups_count; i++) {
        const raft_core_t *core = sim_cluster_node_core (self, self->cluster->groups[i].id);
        raft_status_t status = {0};
        if (core) {
            raft_core_status (core, &status);
        }
        if (status.failed_rc != 0) {
            return true;
        }
    }
    return false;
}

// It may be over by itself: its disk stopped or failed, or it has come to an orderly end.
static void s_see_end (sim_cluster_node_t *self)
{
    sim_cluster_t *cluster = self->cluster;
    int rc = sim_node_failure (self->node);
    if (rc == DT_ERR_CORRUPT || rc == DT_ERR_NEWER_FORMAT || rc == DT_ERR_NOT_FOUND ||
        rc == DT_ERR_GAP) {
        sim_check_fail (cluster->groups[0].check, "node %u refuses a disk that did not rot: %s",
                        self->id, dt_error_text (rc));
    }
    if (vfs_sim_stopped (self->disk)) {
        sim_cluster_node_end (self, sim_node_crash, MS (500));
    } else if (rc != 0 || s_disk_failed (self)) {
        // Whether the cache is thrown away with the process is chance.
        bool cut = dt_random_chance (&cluster->faults, 1, 2);
        sim_cluster_node_end (self, cut ? sim_node_crash : sim_node_kill, MS (500));
    } else if (self->stop_by_ns != INT64_MAX && sim_node_stopped (self->node)) {
        sim_cluster_node_end (self, sim_node_stop, MS (500));
    } else if (self->stop_by_ns <= sim_cluster_now_ns (cluster)) {
        sim_cluster_node_end (self, sim_node_kill, MS (500));
    }
}

void sim_cluster_node_step (sim_cluster_node_t *self)
{
    if (!self->node) {
        s_begin_life (self);
    }
    if (sim_cluster_node_up (self)) {
        sim_node_turn (self->node, INT64_MIN);
        s_look (self);
    }
    s_see_end (self);
}
