// dtd - one node as a process: configuration, data directory, hosts, signals, orderly end.

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/actor_system.h"
#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/dtd_config.h"
#include "dtkv/dtkv_machine.h"
#include "raft/raft_node.h"
#include "storage/data_dir.h"
#include "storage/vfs_posix.h"
#include "storage/vfs_uring.h"
#include "transport/port_zmq.h"

#include "transport/peer_port_zmq.h"
#include "transport/transport_context.h"

#define DTD_VERSION "0.1.0"

enum { EXIT_USAGE = 2, EXIT_CORRUPT = 9, EXIT_IN_USE = 10, COMPACT_PROCESSORS_MAX = 4 };

typedef struct {
    dtd_config_t config;
    dt_env_t env;
    bool pid_written;       // the pid file is this process's
    sigset_t signals;       // those the main thread waits for; blocked in every thread
    vfs_posix_t *vfs;       // holds the lock of the data directory
    data_dir_t *data_dir;   //
    uint64_t cluster_id;    // of the data directory
    void *zmq_context;      // of the client port
    transport_port_t *port; // until the node owns it
    peer_port_t *peer_port; // the same; NULL: no other nodes
    actor_system_t *system; //
    raft_node_placement_t placement;
    vfs_uring_t *node_vfs; // the actors' way to the disk
    raft_node_t *node;     //
} dtd_t;

// --- data directory ------------------------------------------------------------------------------

static int s_make_directory (dtd_t *self)
{
    if (mkdir (self->config.data_dir, 0700) != 0 && errno != EEXIST) {
        int rc = errno == EACCES || errno == EPERM ? DT_ERR_PERMISSION : DT_ERR_IO;
        dt_log_error (&self->env, "dtd", "cannot make data directory %s: %s", self->config.data_dir,
                      strerror (errno));
        return rc;
    }
    return 0;
}

static int s_choose_cluster_id (dtd_t *self)
{
    self->cluster_id = self->config.cluster_id;
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
        self->cluster_id = self->env.entropy (&self->env) >> 1 | 1;
    }
    return 0;
}

static int s_open_data_dir (dtd_t *self)
{
    int rc = s_make_directory (self);
    if (rc == 0) {
        rc = vfs_posix_new (self->config.data_dir, &self->env, &self->vfs);
    }
    if (rc == 0) {
        rc = s_choose_cluster_id (self);
    }
    if (rc == 0) {
        rc = data_dir_open (
            &(data_dir_options_t){
                .vfs = vfs_posix_vfs (self->vfs),
                .env = &self->env,
                .name = self->config.data_dir,
                .cluster_id = self->cluster_id,
                .node_id = self->config.node_id,
                .is_new = true,
            },
            &self->data_dir);
    }
    for (size_t i = 0; rc == 0 && i < self->config.groups_count; i++) {
        rc = data_dir_add_group (self->data_dir, self->config.groups[i]);
    }
    return rc;
}

// --- the node ------------------------------------------------------------------------------------

static bool s_is_compact (const dtd_t *self)
{
    if (self->config.placement == DTD_PLACEMENT_AUTO) {
        return sysconf (_SC_NPROCESSORS_ONLN) <= COMPACT_PROCESSORS_MAX;
    }
    return self->config.placement == DTD_PLACEMENT_COMPACT;
}

static void s_add_hosts (dtd_t *self)
{
    bool use_uring = self->config.disk != DTD_DISK_THREAD;
    self->system = actor_system_new (&self->env);
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
    dt_log_info (&self->env, "dtd", "placement %s", s_is_compact (self) ? "compact" : "spread");
}

static int s_open_port (dtd_t *self)
{
    self->zmq_context =
        transport_zmq_context_new (&self->env, 1, (int) self->config.max_clients + 16);
    if (!self->zmq_context) {
        return DT_ERR_IO;
    }
    int rc = port_zmq_new (&self->port, self->zmq_context, &self->env,
                           &(port_zmq_options_t){.endpoint = self->config.service});
    if (rc == 0 && *self->config.replicate) {
        rc = peer_port_zmq_new (&self->peer_port, self->zmq_context, &self->env,
                                &(peer_port_zmq_options_t){.endpoint = self->config.replicate});
    }
    return rc;
}

static void s_new_node (dtd_t *self)
{
    dtkv_store_options_t store = {.limits = DTKV_LIMITS_DEFAULT};
    store.limits.sessions_max = (uint32_t) self->config.sessions_max;
    raft_node_group_t groups[DTD_GROUPS_MAX];
    for (size_t i = 0; i < self->config.groups_count; i++) {
        store.hash_seed = self->env.entropy (&self->env);
        groups[i] = (raft_node_group_t){
            .group_id = self->config.groups[i],
            .machine = dtkv_machine_new (&store),
            .bootstrap = self->config.join ? NULL : self->config.members,
            .contacts = self->config.join ? self->config.members : NULL,
        };
    }
    raft_node_options_t options = {
        .system = self->system,
        .placement = self->placement,
        .vfs = vfs_uring_vfs (self->node_vfs),
        .port = self->port,
        .peer_port = self->peer_port,
        .boot_id = self->env.entropy (&self->env) | 1,
        .directory_id = data_dir_identity (self->data_dir)->id,
        .election_timeout_ms = self->config.election_timeout_ms,
        .heartbeat_ms = self->config.heartbeat_ms,
        .no_lease = !self->config.read_lease,
        .cluster_id = self->cluster_id,
        .node_id = self->config.node_id,
        .is_new = true,
        .server_version = DTD_VERSION,
        .segment_bytes = (uint32_t) self->config.segment_bytes,
        .snapshot_after_bytes = self->config.snapshot_after_bytes,
        .groups = groups,
        .groups_count = self->config.groups_count,
    };
    dtkv_machine_limits (&store.limits, &options.limits);
    options.limits.frame_bytes_max = PROTOCOL_FRAME_BYTES_MAX;
    options.limits.in_flight_max = self->config.in_flight_max;
    self->port = NULL;
    self->peer_port = NULL;
    self->node = raft_node_new (&options);
}

static int s_start (dtd_t *self)
{
    int rc = s_open_data_dir (self);
    if (rc == 0) {
        rc = s_open_port (self);
    }
    if (rc != 0) {
        return rc;
    }
    s_add_hosts (self);
    rc = vfs_uring_new (self->config.data_dir, &self->env,
                        actor_host_backend (self->placement.disk), &self->node_vfs);
    if (rc != 0) {
        return rc;
    }
    const char *endpoint = port_zmq_endpoint (self->port);
    dt_log_info (&self->env, "dtd",
                 "dongting %s, node %u of cluster %llu, data in %s, clients at %s", DTD_VERSION,
                 self->config.node_id, (unsigned long long) self->cluster_id, self->config.data_dir,
                 endpoint);
    s_new_node (self);
    actor_system_start (self->system);
    return 0;
}

// --- running and stopping ------------------------------------------------------------------------

static int s_write_pid_file (dtd_t *self)
{
    if (!*self->config.pid_file) {
        return 0;
    }
    FILE *file = fopen (self->config.pid_file, "w");
    if (!file || fprintf (file, "%d\n", (int) getpid ()) < 0 || fclose (file) != 0) {
        dt_log_error (&self->env, "dtd", "cannot write pid file %s: %s", self->config.pid_file,
                      strerror (errno));
        return DT_ERR_IO;
    }
    self->pid_written = true;
    return 0;
}

// Wait for a signal that ends the process, watching the hosts meanwhile. 0: asked to stop.
static int s_watch (dtd_t *self)
{
    bool announced = false;
    for (;;) {
        struct timespec second = {.tv_sec = announced ? 1 : 0, .tv_nsec = announced ? 0 : 1000000};
        int number = sigtimedwait (&self->signals, NULL, &second);
        if (number == SIGTERM || number == SIGINT) {
            dt_log_info (&self->env, "dtd", "%s: stopping", strsignal (number));
            return 0;
        }
        if (!announced && raft_node_ready (self->node)) {
            announced = true;
            dt_log_info (&self->env, "dtd", "ready");
        }
        int rc = actor_system_watch (self->system);
        if (rc != 0) {
            return rc;
        }
    }
}

static int s_stop (dtd_t *self)
{
    int64_t deadline_ns =
        self->env.now_ns (&self->env) + (int64_t) self->config.stop_timeout_ms * INT64_C (1000000);
    int rc = raft_node_stop (self->node, deadline_ns);
    if (rc != 0) {
        // Everything acknowledged is on the disk; threads that do not end cannot be waited for.
        dt_log_error (&self->env, "dtd", "not everything ended in time; leaving");
        _exit (EXIT_FAILURE);
    }
    actor_system_join (self->system);
    return 0;
}

static void s_free (dtd_t *self)
{
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
    if (self->pid_written) {
        unlink (self->config.pid_file);
    }
    dtd_config_deinit (&self->config);
}

static int s_exit_code (int rc)
{
    switch (rc) {
    case 0:
        return EXIT_SUCCESS;
    case DT_ERR_CORRUPT:
    case DT_ERR_GAP:
        return EXIT_CORRUPT;
    case DT_ERR_IN_USE:
        return EXIT_IN_USE;
    default:
        return EXIT_FAILURE;
    }
}

static void s_block_signals (dtd_t *self)
{
    // One thread takes signals, by waiting for them [ZMQ-12]; a write to a closed pipe is an error
    // code.
    sigemptyset (&self->signals);
    sigaddset (&self->signals, SIGTERM);
    sigaddset (&self->signals, SIGINT);
    sigset_t blocked = self->signals;
    sigaddset (&blocked, SIGHUP);
    sigaddset (&blocked, SIGPIPE);
    sigaddset (&blocked, SIGUSR1);
    sigaddset (&blocked, SIGUSR2);
    pthread_sigmask (SIG_BLOCK, &blocked, NULL);
}

static int s_open_log (dtd_t *self)
{
    int fd = STDERR_FILENO;
    if (*self->config.log_file) {
        fd = open (self->config.log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0) {
            fprintf (stderr, "dtd: cannot write log file %s: %s\n", self->config.log_file,
                     strerror (errno));
            return DT_ERR_IO;
        }
    }
    dt_env_posix_init (&self->env, fd, self->config.log_level);
    return 0;
}

static int s_run (dtd_t *self)
{
    s_block_signals (self);
    // Batches are large and short-lived: keep their memory instead of giving it back to the kernel
    // and faulting it in again for every batch.
    mallopt (M_MMAP_THRESHOLD, 64 * 1024 * 1024);
    mallopt (M_TRIM_THRESHOLD, 256 * 1024 * 1024);
    actor_system_init_process ();
    int rc = s_open_log (self);
    if (rc == 0) {
        rc = s_start (self);
    }
    if (rc == 0) {
        rc = s_write_pid_file (self);
        if (rc == 0) {
            rc = s_watch (self);
        }
        if (rc != 0) {
            dt_log_error (&self->env, "dtd", "cannot go on: %s", dt_error_text (rc));
            // Whatever failed may hang an orderly stop; the disk has what was acknowledged.
            _exit (s_exit_code (rc));
        }
        rc = s_stop (self);
        dt_log_info (&self->env, "dtd", "stopped");
    } else if (self->env.log) {
        dt_log_error (&self->env, "dtd", "cannot start: %s", dt_error_text (rc));
    }
    return rc;
}

int main (int argc, char **argv)
{
    dtd_t self = {0};
    if (dtd_config_load (&self.config, argc, argv) != 0) {
        dtd_config_deinit (&self.config);
        return EXIT_USAGE;
    }
    if (self.config.help) {
        dtd_config_help ();
    } else if (self.config.version) {
        printf ("dtd %s, protocol %d\n", DTD_VERSION, PROTOCOL_VERSION);
    } else if (self.config.print_config) {
        dtd_config_print (&self.config);
    } else if (self.config.check_config) {
        printf ("the configuration is good\n");
    } else {
        int rc = s_run (&self);
        s_free (&self);
        return s_exit_code (rc);
    }
    dtd_config_deinit (&self.config);
    return EXIT_SUCCESS;
}
