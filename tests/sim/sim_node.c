#include "tests/sim/sim_node.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/actor_system.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/dtkv_machine.h"
#include "raft/raft_node.h"
#include "storage/data_dir.h"

enum { CLUSTER_ID = 77, TURNS_MAX = 200000 };

struct sim_node {
    sim_node_options_t options;
    vfs_sim_t *mount;     // of the disk
    data_dir_t *data_dir; //
    fiber_dispatcher_t *dispatcher;
    actor_system_t *system;                     // one host on the dispatcher
    sim_port_t *port;                           // owned by the node
    peer_port_t *peer_port;                     // owned by the node; NULL: there are no others
    raft_node_t *node;                          // NULL: the data directory could not be opened
    raft_machine_t *inner[SIM_NODE_GROUPS_MAX]; // the stores' machines; owned by the node
    int failure;                                // why, or the error an actor died of
    bool stopping;                              // see sim_node_stop_begin
};

static int s_open_data_dir (sim_node_t *self)
{
    int rc = data_dir_open (
        &(data_dir_options_t){
            .vfs = vfs_sim_vfs (self->mount),
            .env = self->options.env,
            .name = "sim",
            .cluster_id = CLUSTER_ID,
            .node_id = self->options.node_id,
            .is_new = true,
        },
        &self->data_dir);
    for (size_t i = 0; rc == 0 && i < self->options.groups_count; i++) {
        rc = data_dir_add_group (self->data_dir, self->options.groups[i].group_id);
    }
    return rc;
}

static void s_make_groups (sim_node_t *self, raft_node_group_t *groups)
{
    for (size_t i = 0; i < self->options.groups_count; i++) {
        const sim_node_group_t *wanted = &self->options.groups[i];
        raft_machine_t *machine = dtkv_machine_new (&self->options.store);
        self->inner[i] = machine;
        if (wanted->wrap) {
            machine = wanted->wrap (wanted->wrap_argument, machine);
        }
        groups[i] = (raft_node_group_t){wanted->group_id, machine, self->options.bootstrap,
                                        self->options.contacts};
    }
}

static void s_start_node (sim_node_t *self)
{
    self->system = actor_system_new (self->options.env);
    actor_host_t *host = actor_system_add_local (self->system, self->dispatcher);
    self->port = sim_port_new (self->options.reply, self->options.reply_argument);
    if (self->options.net) {
        self->peer_port =
            sim_net_open (self->options.net, self->options.node_id, self->options.endpoint);
    }
    raft_node_group_t groups[SIM_NODE_GROUPS_MAX];
    s_make_groups (self, groups);
    raft_node_options_t options = {
        .system = self->system,
        .placement = {host, host, host, host},
        .vfs = vfs_sim_vfs (self->mount),
        .port = sim_port_base (self->port),
        .peer_port = self->peer_port,
        .boot_id = self->options.env->entropy (self->options.env) | 1,
        .directory_id = data_dir_identity (self->data_dir)->id,
        .election_timeout_ms = self->options.election_timeout_ms,
        .cluster_id = CLUSTER_ID,
        .node_id = self->options.node_id,
        .is_new = true,
        .server_version = "sim",
        .segment_bytes = self->options.segment_bytes,
        .snapshot_after_bytes = self->options.snapshot_after_bytes,
        .groups = groups,
        .groups_count = self->options.groups_count,
    };
    dtkv_machine_limits (&self->options.store.limits, &options.limits);
    options.limits.frame_bytes_max = PROTOCOL_FRAME_BYTES_MAX;
    options.limits.in_flight_max = self->options.in_flight_max;
    self->node = raft_node_new (&options);
    actor_system_start (self->system);
}

sim_node_t *sim_node_start (const sim_node_options_t *options)
{
    sim_node_t *self = dt_zalloc (1, sizeof *self);
    self->options = *options;
    self->mount = vfs_sim_mount (options->disk, "", NULL, NULL);
    self->dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "sim",
        .backend = options->backend,
        .env = options->env,
    });
    // The directory is opened outside of any fiber, where nothing can wait; the node's own
    // operations take their time.
    self->failure = s_open_data_dir (self);
    vfs_sim_set_delay (self->mount, options->delay, options->delay_argument);
    if (self->failure == 0) {
        s_start_node (self);
    }
    return self;
}

void sim_node_turn (sim_node_t *self, int64_t deadline_ns)
{
    fiber_dispatcher_turn (self->dispatcher, deadline_ns);
}

int64_t sim_node_next_ns (const sim_node_t *self)
{
    return fiber_dispatcher_ready (self->dispatcher)
               ? INT64_MIN
               : fiber_dispatcher_next_deadline_ns (self->dispatcher);
}

bool sim_node_ready (const sim_node_t *self)
{
    return self->node && raft_node_ready (self->node);
}

int sim_node_failure (const sim_node_t *self)
{
    return self->failure ? self->failure : fiber_dispatcher_failure (self->dispatcher);
}

sim_port_t *sim_node_port (sim_node_t *self)
{
    return self->port;
}

const dtkv_store_t *sim_node_store (sim_node_t *self, uint32_t group_id)
{
    size_t i = 0;
    while (self->options.groups[i].group_id != group_id) {
        dt_assert (++i < self->options.groups_count);
    }
    return dtkv_machine_store (self->inner[i]);
}

const raft_core_t *sim_node_core (sim_node_t *self, uint32_t group_id)
{
    return raft_node_core (self->node, group_id);
}

void sim_node_stop_begin (sim_node_t *self)
{
    self->stopping = true;
    if (self->node) {
        raft_node_stop_begin (self->node);
    }
}

bool sim_node_stopped (sim_node_t *self)
{
    return !self->node || raft_node_stop_step (self->node);
}

// A stop that does not end is a bug: say which fibers wait for what.
static void s_expect_end (sim_node_t *self, int turns)
{
    if (turns == TURNS_MAX / 2) {
        // A disk that stays full holds back a stop until somebody makes room, as an operator would.
        vfs_sim_set_faults (self->options.disk, NULL);
    }
    if (turns < TURNS_MAX) {
        return;
    }
    dt_buffer_t census = {0};
    fiber_dispatcher_census (self->dispatcher, &census);
    fprintf (stderr, "the node does not stop:\n%.*s", (int) census.bytes, (char *) census.data);
    dt_unreachable ();
}

static void s_wind_down (sim_node_t **self_p)
{
    sim_node_t *self = *self_p;
    *self_p = NULL;
    if (!self->stopping) {
        sim_node_stop_begin (self);
    }
    if (self->node) {
        int turns = 0;
        while (!raft_node_stop_step (self->node)) {
            s_expect_end (self, turns++);
            fiber_dispatcher_turn (self->dispatcher, FIBER_FOREVER);
        }
        fiber_dispatcher_request_stop (self->dispatcher);
        while (fiber_dispatcher_turn (self->dispatcher, FIBER_FOREVER)) {
            dt_assert (turns++ < TURNS_MAX);
        }
        actor_system_join (self->system);
        raft_node_destroy (&self->node);
        actor_system_destroy (&self->system);
    }
    fiber_dispatcher_destroy (&self->dispatcher);
    data_dir_close (&self->data_dir);
    vfs_sim_unmount (&self->mount);
    free (self);
}

void sim_node_stop (sim_node_t **self_p)
{
    s_wind_down (self_p);
}

// The process is dead to everybody outside.
static void s_cut_off (sim_node_t *self)
{
    if (self->port) {
        sim_port_cut (self->port);
    }
    if (self->peer_port) {
        sim_net_kill (self->peer_port);
    }
}

void sim_node_crash (sim_node_t **self_p)
{
    s_cut_off (*self_p);
    vfs_sim_crash ((*self_p)->options.disk);
    s_wind_down (self_p);
}

void sim_node_kill (sim_node_t **self_p)
{
    s_cut_off (*self_p);
    vfs_sim_kill ((*self_p)->options.disk);
    s_wind_down (self_p);
}
