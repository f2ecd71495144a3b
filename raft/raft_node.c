#include "raft/raft_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/raft_machine_actor.h"
#include "raft/raft_snapshot_actor.h"
#include "storage/log_writer_actor.h"
#include "transport/protocol.h"

#define STOP_NAP_US 200

enum {
    SPARES_MAX = LOG_SPARES_LIMIT - LOG_SPARES_DEFAULT,
    LOG_KEEP_ENTRIES = 10000,
    LOG_RETAIN_BYTES = 32 * 1024 * 1024,
};

typedef struct {
    uint32_t group_id;
    raft_group_t *group;
    log_writer_t *log_writer;
    raft_machine_host_t *machine;
    raft_snapshots_t *snapshots;
} s_group_t;

struct raft_node {
    const dt_env_t *env;  // borrowed
    net_t *net;           //
    peers_t *peers;       // NULL: no other nodes
    s_group_t *groups;    // owned
    size_t groups_count;  //
    actor_t **stop_order; // owned: actors, in the order in which they are stopped
    size_t stop_count;    // of stop_order
    size_t stop_next;     // the first that has not ended
    bool stop_asked;      // stop_order[stop_next] was asked
};

// Requests about the group itself.
static bool s_is_admin (uint32_t operation)
{
    switch (operation) {
    case PROTOCOL_STATUS:
    case PROTOCOL_SNAPSHOT_TAKE:
    case PROTOCOL_TRANSFER_LEADER:
    case PROTOCOL_CONFIG_GET:
    case PROTOCOL_CONFIG_PREPARE:
    case PROTOCOL_CONFIG_COMMIT:
    case PROTOCOL_CONFIG_ABORT:
        return true;
    default:
        return false;
    }
}

static int s_check (void *argument, uint32_t operation, const uint8_t *body, size_t bytes,
                    uint16_t *kind, const char **text)
{
    const raft_machine_t *machine = argument;
    if (s_is_admin (operation)) {
        *kind = NET_ADMIN;
        return 0;
    }
    bool writes = false;
    int code = machine->ops->check (machine, operation, body, bytes, &writes, text);
    *kind = writes ? NET_WRITE : NET_READ;
    return code;
}

static raft_group_t *s_new_raft_group (const raft_node_options_t *options,
                                       const raft_node_group_t *group)
{
    char name[64];
    snprintf (name, sizeof name, "raft-%u", group->group_id);
    raft_group_options_t *wanted = dt_zalloc (1, sizeof *wanted);
    wanted->name = name;
    wanted->group_id = group->group_id;
    wanted->node_id = options->node_id;
    wanted->directory_id = options->directory_id;
    wanted->is_new = options->is_new;
    wanted->contacts = group->contacts;
    wanted->has_bootstrap = options->is_new && group->bootstrap;
    if (wanted->has_bootstrap) {
        wanted->bootstrap = *group->bootstrap;
    }
    wanted->election_timeout_ms = options->election_timeout_ms;
    wanted->heartbeat_ms = options->heartbeat_ms;
    wanted->no_lease = options->no_lease;
    wanted->snapshot_after_bytes = options->snapshot_after_bytes;
    wanted->snapshot_after_entries = options->snapshot_after_entries;
    if (options->peer_port) { // a peer that is a little behind must not need a snapshot or the disk
        wanted->log_keep_entries = LOG_KEEP_ENTRIES;
        wanted->log_retain_bytes = LOG_RETAIN_BYTES;
        wanted->log_keep_bytes = options->snapshot_after_bytes / 2;
    }
    raft_group_t *created = raft_group_new (options->placement.raft, wanted);
    free (wanted);
    return created;
}

// Enough for what one snapshot makes free: files are then recycled for ever, never deleted (which
// makes the file system discard blocks) and allocated again.
static uint32_t s_spares (const raft_node_options_t *options)
{
    uint32_t segment_bytes =
        options->segment_bytes ? options->segment_bytes : LOG_SEGMENT_BYTES_DEFAULT;
    uint64_t freed = options->snapshot_after_bytes / segment_bytes;
    return (uint32_t) (freed < SPARES_MAX ? freed : SPARES_MAX) + LOG_SPARES_DEFAULT;
}

static void s_new_disk_actors (s_group_t *self, const raft_node_options_t *options,
                               uint32_t group_id)
{
    char name[64];
    char directory[64];
    snprintf (directory, sizeof directory, "groups/%u", group_id);
    storage_identity_t identity = {options->cluster_id, group_id, options->node_id};
    snprintf (name, sizeof name, "log-%u", group_id);
    self->log_writer =
        log_writer_new (options->placement.disk, &(log_writer_options_t){
                                                     .name = name,
                                                     .vfs = options->vfs,
                                                     .directory = directory,
                                                     .identity = identity,
                                                     .segment_bytes = options->segment_bytes,
                                                     .spares_max = s_spares (options),
                                                 });
    snprintf (name, sizeof name, "snapshot-%u", group_id);
    self->snapshots = raft_snapshots_new (options->placement.disk, &(raft_snapshots_options_t){
                                                                       .name = name,
                                                                       .vfs = options->vfs,
                                                                       .directory = directory,
                                                                       .identity = identity,
                                                                   });
}

static void s_new_group (s_group_t *self, const raft_node_options_t *options,
                         const raft_node_group_t *group, net_t *net, peers_t *peers)
{
    char name[64];
    self->group_id = group->group_id;
    self->group = s_new_raft_group (options, group);
    s_new_disk_actors (self, options, group->group_id);
    snprintf (name, sizeof name, "kv-%u", group->group_id);
    self->machine =
        raft_machine_host_new (options->placement.machine, &(raft_machine_host_options_t){
                                                               .name = name,
                                                               .machine = group->machine,
                                                           });
    actor_t *raft_actor = raft_group_actor (self->group);
    actor_t *machine_actor = raft_machine_host_actor (self->machine);
    actor_t *snapshot_actor = raft_snapshots_actor (self->snapshots);
    raft_group_connect (self->group, log_writer_actor (self->log_writer), machine_actor,
                        snapshot_actor, net_actor (net), peers ? peers_actor (peers) : NULL);
    raft_machine_host_connect (self->machine, raft_actor, snapshot_actor, net_actor (net));
    raft_snapshots_connect (self->snapshots, raft_actor, machine_actor,
                            peers ? peers_actor (peers) : NULL);
    if (peers) {
        peers_add_group (peers, group->group_id, raft_actor);
    }
    net_add_group (net, &(net_group_t){
                            .group_id = group->group_id,
                            .actor = raft_actor,
                            .check = s_check,
                            .check_argument = group->machine,
                        });
}

// Whoever waits for answers of another stops before that other; the network stops last, when every
// reply has been handed to it.
static void s_set_stop_order (raft_node_t *self)
{
    self->stop_order = dt_zalloc (self->groups_count * 4 + 2, sizeof (actor_t *));
    for (size_t i = 0; i < self->groups_count; i++) {
        self->stop_order[self->stop_count++] = raft_group_actor (self->groups[i].group);
    }
    for (size_t i = 0; i < self->groups_count; i++) {
        self->stop_order[self->stop_count++] = raft_snapshots_actor (self->groups[i].snapshots);
    }
    for (size_t i = 0; i < self->groups_count; i++) {
        self->stop_order[self->stop_count++] = raft_machine_host_actor (self->groups[i].machine);
        self->stop_order[self->stop_count++] = log_writer_actor (self->groups[i].log_writer);
    }
    if (self->peers) {
        self->stop_order[self->stop_count++] = peers_actor (self->peers);
    }
    self->stop_order[self->stop_count++] = net_actor (self->net);
}

raft_node_t *raft_node_new (const raft_node_options_t *options)
{
    dt_assert (options->groups_count >= 1);
    dt_assert (options->groups_count <= RAFT_NODE_GROUPS_MAX);
    raft_node_t *self = dt_zalloc (1, sizeof *self);
    self->env = actor_host_env (options->placement.net);
    self->net = net_new (options->placement.net, &(net_options_t){
                                                     .name = "net",
                                                     .port = options->port,
                                                     .cluster_id = options->cluster_id,
                                                     .node_id = options->node_id,
                                                     .server_version = options->server_version,
                                                     .limits = options->limits,
                                                 });
    if (options->peer_port) {
        self->peers = peers_new (options->placement.net, &(peers_options_t){
                                                             .name = "peers",
                                                             .port = options->peer_port,
                                                             .cluster_id = options->cluster_id,
                                                             .node_id = options->node_id,
                                                             .boot_id = options->boot_id,
                                                         });
    }
    self->groups_count = options->groups_count;
    self->groups = dt_zalloc (options->groups_count, sizeof *self->groups);
    for (size_t i = 0; i < options->groups_count; i++) {
        s_new_group (&self->groups[i], options, &options->groups[i], self->net, self->peers);
    }
    s_set_stop_order (self);
    return self;
}

bool raft_node_ready (const raft_node_t *self)
{
    for (size_t i = 0; i < self->groups_count; i++) {
        if (!raft_group_settled (self->groups[i].group)) {
            return false;
        }
    }
    return true;
}

void raft_node_stop_begin (raft_node_t *self)
{
    net_drain (self->net);
    for (size_t i = 0; i < self->groups_count; i++) {
        log_writer_hurry (self->groups[i].log_writer);
        raft_machine_host_end_streams (self->groups[i].machine);
    }
}

// Everything that was accepted is answered, or somebody who would have to answer it is gone.
static bool s_drained (const raft_node_t *self)
{
    for (size_t i = 0; i < self->groups_count; i++) {
        if (raft_group_ended (self->groups[i].group)) {
            return true;
        }
    }
    return net_drained (self->net);
}

bool raft_node_stop_step (raft_node_t *self)
{
    if (self->stop_next == 0 && !self->stop_asked && !s_drained (self)) {
        return false;
    }
    while (self->stop_next < self->stop_count) {
        fiber_group_t *group = actor_group (self->stop_order[self->stop_next]);
        if (!self->stop_asked) {
            self->stop_asked = true;
            fiber_group_request_stop (group);
        }
        if (!fiber_group_finished (group)) {
            return false;
        }
        self->stop_next++;
        self->stop_asked = false;
    }
    return true;
}

int raft_node_stop (raft_node_t *self, int64_t deadline_ns)
{
    raft_node_stop_begin (self);
    while (!raft_node_stop_step (self)) {
        if (self->env->now_ns (self->env) >= deadline_ns) {
            const char *who = net_drained (self->net)
                                  ? actor_name (self->stop_order[self->stop_next])
                                  : "the network: requests are still unanswered";
            dt_log_error (self->env, "stop", "gave up waiting for %s", who);
            return DT_ERR_TIMEOUT;
        }
        usleep (STOP_NAP_US);
    }
    return 0;
}

void raft_node_destroy (raft_node_t **self_p)
{
    raft_node_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->groups_count; i++) {
        s_group_t *group = &self->groups[i];
        raft_group_destroy (&group->group);
        log_writer_destroy (&group->log_writer);
        raft_snapshots_destroy (&group->snapshots);
        raft_machine_host_destroy (&group->machine);
    }
    peers_destroy (&self->peers);
    net_destroy (&self->net);
    free (self->groups);
    free (self->stop_order);
    free (self);
}

const raft_core_t *raft_node_core (const raft_node_t *self, uint32_t group_id)
{
    for (size_t i = 0; i < self->groups_count; i++) {
        if (self->groups[i].group_id == group_id) {
            return raft_group_core (self->groups[i].group);
        }
    }
    return NULL;
}

raft_machine_t *raft_node_machine (raft_node_t *self, uint32_t group_id)
{
    for (size_t i = 0; i < self->groups_count; i++) {
        if (self->groups[i].group_id == group_id) {
            return raft_machine_host_machine (self->groups[i].machine);
        }
    }
    return NULL;
}
