// node - how a node comes up and goes down: data directory, hosts, ports, groups.

#include "dtkv/node/node.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/actor_system.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/dtkv_machine.h"
#include "raft/raft_node.h"
#include "storage/data_dir.h"
#include "storage/vfs_posix.h"
#include "storage/vfs_uring.h"
#include "transport/peer_port_zmq.h"
#include "transport/port_zmq.h"
#include "transport/transport_context.h"

enum {
    COMPACT_PROCESSORS_MAX = 4,
    WATCH_STREAMS_MAX = 10000, // of a group
};

static const char s_part[] = "node"; // in log lines

struct node {
    const node_config_t *config; // borrowed
    const dt_env_t *env;         // borrowed
    vfs_posix_t *vfs;            // holds the lock of the data directory
    data_dir_t *data_dir;        //
    uint64_t cluster_id;         // of the data directory
    void *zmq_context;           // of the ports
    transport_port_t *port;      // until the node owns it
    peer_port_t *peer_port;      // the same; NULL: no other nodes
    actor_system_t *system;      //
    raft_node_placement_t placement;
    vfs_uring_t *node_vfs; // the actors' way to the disk
    raft_node_t *node;     // NULL: it was not started
    char endpoint[256];    // for clients
};

// --- data directory ------------------------------------------------------------------------------

static int s_make_directory (node_t *self)
{
    if (mkdir (self->config->data_dir, 0700) != 0 && errno != EEXIST) {
        int rc = errno == EACCES || errno == EPERM ? DT_ERR_PERMISSION : DT_ERR_IO;
        dt_log_error (self->env, s_part, "cannot make data directory %s: %s",
                      self->config->data_dir, strerror (errno));
        return rc;
    }
    return 0;
}

static int s_choose_cluster_id (node_t *self)
{
    self->cluster_id = self->config->cluster_id;
    if (self->cluster_id != 0) {
        return 0;
    }
    data_dir_identity_t identity;
    const char *why = NULL;
    int rc = data_dir_read_identity (vfs_posix_vfs (self->vfs), &identity, &why);
    if (rc == 0) {
        self->cluster_id = identity.cluster_id;
    } else {
        // A damaged or foreign identity is refused, with its reason, by the open that follows.
        self->cluster_id = self->env->entropy (self->env) >> 1 | 1;
    }
    return 0;
}

static int s_open_data_dir (node_t *self)
{
    int rc = s_make_directory (self);
    if (rc == 0) {
        rc = vfs_posix_new (self->config->data_dir, self->env, &self->vfs);
    }
    if (rc == 0) {
        rc = s_choose_cluster_id (self);
    }
    if (rc == 0) {
        rc = data_dir_open (
            &(data_dir_options_t){
                .vfs = vfs_posix_vfs (self->vfs),
                .env = self->env,
                .name = self->config->data_dir,
                .cluster_id = self->cluster_id,
                .node_id = self->config->node_id,
                .is_new = true,
            },
            &self->data_dir);
    }
    for (size_t i = 0; rc == 0 && i < self->config->groups_count; i++) {
        rc = data_dir_add_group (self->data_dir, self->config->groups[i]);
    }
    return rc;
}

// --- the node ------------------------------------------------------------------------------------

static bool s_is_compact (const node_t *self)
{
    if (self->config->placement == NODE_PLACEMENT_AUTO) {
        return sysconf (_SC_NPROCESSORS_ONLN) <= COMPACT_PROCESSORS_MAX;
    }
    return self->config->placement == NODE_PLACEMENT_COMPACT;
}

static void s_add_hosts (node_t *self)
{
    bool use_uring = self->config->disk != NODE_DISK_THREAD;
    self->system = actor_system_new (self->env);
    raft_node_placement_t *placement = &self->placement;
    if (s_is_compact (self)) {
        actor_host_t *host = actor_system_add_host (self->system, "node", use_uring);
        *placement = (raft_node_placement_t){host, host, host, host};
    } else {
        placement->net = actor_system_add_host (self->system, "net", use_uring);
        placement->raft = actor_system_add_host (self->system, "raft", use_uring);
        placement->disk = actor_system_add_host (self->system, "disk", use_uring);
        placement->machine = actor_system_add_host (self->system, "machine", use_uring);
    }
    dt_log_info (self->env, s_part, "placement %s", s_is_compact (self) ? "compact" : "spread");
}

static int s_open_port (node_t *self)
{
    self->zmq_context =
        transport_zmq_context_new (self->env, 1, (int) self->config->max_clients + 16);
    if (!self->zmq_context) {
        return DT_ERR_IO;
    }
    int rc = port_zmq_new (&self->port, self->zmq_context, self->env,
                           &(port_zmq_options_t){.endpoint = self->config->service});
    if (rc == 0 && *self->config->replicate) {
        rc = peer_port_zmq_new (&self->peer_port, self->zmq_context, self->env,
                                &(peer_port_zmq_options_t){.endpoint = self->config->replicate});
    }
    return rc;
}

static void s_new_node (node_t *self)
{
    dtkv_store_options_t store = {.limits = DTKV_LIMITS_DEFAULT};
    store.limits.sessions_max = (uint32_t) self->config->sessions_max;
    store.history_bytes_max = self->config->history_bytes_max;
    dtkv_watches_options_t watches = {self->config->watches_max, WATCH_STREAMS_MAX};
    raft_node_group_t groups[NODE_GROUPS_MAX];
    for (size_t i = 0; i < self->config->groups_count; i++) {
        store.hash_seed = self->env->entropy (self->env);
        groups[i] = (raft_node_group_t){
            .group_id = self->config->groups[i],
            .machine = dtkv_machine_new (&store),
            .bootstrap = self->config->join ? NULL : self->config->members,
            .contacts = self->config->join ? self->config->members : NULL,
        };
        if (store.history_bytes_max) {
            dtkv_machine_let_watch (groups[i].machine, &watches);
        }
    }
    raft_node_options_t options = {
        .system = self->system,
        .placement = self->placement,
        .vfs = vfs_uring_vfs (self->node_vfs),
        .port = self->port,
        .peer_port = self->peer_port,
        .boot_id = self->env->entropy (self->env) | 1,
        .directory_id = data_dir_identity (self->data_dir)->id,
        .election_timeout_ms = self->config->election_timeout_ms,
        .heartbeat_ms = self->config->heartbeat_ms,
        .no_lease = !self->config->read_lease,
        .cluster_id = self->cluster_id,
        .node_id = self->config->node_id,
        .is_new = true,
        .server_version = NODE_VERSION,
        .segment_bytes = (uint32_t) self->config->segment_bytes,
        .snapshot_after_bytes = self->config->snapshot_after_bytes,
        .groups = groups,
        .groups_count = self->config->groups_count,
    };
    dtkv_machine_limits (&store.limits, &options.limits);
    options.limits.frame_bytes_max = PROTOCOL_FRAME_BYTES_MAX;
    options.limits.in_flight_max = self->config->in_flight_max;
    self->port = NULL;
    self->peer_port = NULL;
    self->node = raft_node_new (&options);
}

static int s_start (node_t *self)
{
    int rc = s_open_data_dir (self);
    if (rc == 0) {
        rc = s_open_port (self);
    }
    if (rc != 0) {
        return rc;
    }
    s_add_hosts (self);
    rc = vfs_uring_new (self->config->data_dir, self->env,
                        actor_host_backend (self->placement.disk), &self->node_vfs);
    if (rc != 0) {
        return rc;
    }
    snprintf (self->endpoint, sizeof self->endpoint, "%s", port_zmq_endpoint (self->port));
    dt_log_info (self->env, s_part,
                 "dongting %s, node %u of cluster %llu, data in %s, clients at %s", NODE_VERSION,
                 self->config->node_id, (unsigned long long) self->cluster_id,
                 self->config->data_dir, self->endpoint);
    s_new_node (self);
    actor_system_start (self->system);
    return 0;
}

// --- the whole -----------------------------------------------------------------------------------

// Free what a start has made so far, or what a stop has left.
static void s_free (node_t **self_p)
{
    node_t *self = *self_p;
    *self_p = NULL;
    raft_node_destroy (&self->node);
    actor_system_destroy (&self->system);
    if (self->port) {
        self->port->close (&self->port);
    }
    if (self->peer_port) {
        self->peer_port->close (&self->peer_port);
    }
    vfs_uring_destroy (&self->node_vfs);
    if (self->zmq_context) {
        zmq_ctx_term (self->zmq_context);
    }
    data_dir_close (&self->data_dir);
    vfs_posix_destroy (&self->vfs);
    free (self);
}

int node_start (node_t **self_p, const node_config_t *config, const dt_env_t *env)
{
    node_t *self = dt_zalloc (1, sizeof *self);
    self->config = config;
    self->env = env;
    // The threads made here take no signals; who they belong to decides on those [ZMQ-12].
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int rc = s_start (self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        s_free (&self);
        return rc;
    }
    *self_p = self;
    return 0;
}

bool node_ready (const node_t *self)
{
    return raft_node_ready (self->node);
}

const char *node_endpoint (const node_t *self)
{
    return self->endpoint;
}

int node_watch (node_t *self)
{
    return actor_system_watch (self->system);
}

int node_stop (node_t **self_p, uint64_t timeout_ms)
{
    node_t *self = *self_p;
    int64_t deadline_ns = self->env->now_ns (self->env) + (int64_t) timeout_ms * INT64_C (1000000);
    int rc = raft_node_stop (self->node, deadline_ns);
    if (rc != 0) {
        return rc;
    }
    actor_system_join (self->system);
    s_free (self_p);
    return 0;
}
