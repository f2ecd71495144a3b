#include "tests/raft/snapshot_world_internal.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "tests/raft/snapshot_machine.h"

enum { TURNS_MAX = 1000000 };

// --- the world's clock, chance and log -----------------------------------------------------------

static snapshot_world_t *s_world (const dt_env_t *env)
{
    return env->context;
}

static int64_t s_now_ns (const dt_env_t *env)
{
    return fiber_backend_sim_now_ns (s_world (env)->backend);
}

static int64_t s_wall_ms (const dt_env_t *env)
{
    return s_now_ns (env) / SNAPSHOT_WORLD_MS;
}

static uint64_t s_entropy (const dt_env_t *env)
{
    return dt_random_next (&s_world (env)->random);
}

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    (void) line;
    s_world (env)->lines += level >= DT_LOG_WARN;
}

static void s_disk_delay (void *context, vfs_sim_op_t op, uint64_t bytes, int64_t stall_ns)
{
    snapshot_world_t *self = context;
    (void) op;
    (void) bytes;
    if (fiber_self () && self->disk_ns > 0) {
        (void) fiber_sleep_until (s_now_ns (&self->env) + self->disk_ns + stall_ns);
    }
}

// --- actors --------------------------------------------------------------------------------------

static void s_peers_run (void *argument)
{
    snapshot_world_node_t *node = argument;
    actor_message_t *message;
    int rc;
    while ((rc = actor_receive (node->peers, &message, FIBER_FOREVER)) != DT_ERR_CLOSED) {
        if (rc == 0) {
            snapshot_world_transmit (node->world, node->id, (peer_message_t *) message);
            actor_message_free (&message);
        }
    }
}

static void s_group_note (snapshot_world_node_t *node, const actor_message_t *message)
{
    switch (message->type) {
    case SNAPSHOT_LOADED:
        node->loaded = *(const snapshot_loaded_t *) message;
        node->loads++;
        break;
    case SNAPSHOT_SAVED:
        node->saved = *(const snapshot_saved_t *) message;
        node->saves++;
        break;
    case SNAPSHOT_SENT:
        node->sent[node->sends++ % SNAPSHOT_WORLD_NOTES] = *(const snapshot_sent_t *) message;
        break;
    case SNAPSHOT_RECEIVED:
        node->received[node->receipts++ % SNAPSHOT_WORLD_NOTES] =
            *(const snapshot_received_t *) message;
        break;
    case SNAPSHOT_DISK_FAILED:
        node->disk_failures++;
        break;
    default:
        break; // of the machine
    }
}

static void s_group_run (void *argument)
{
    snapshot_world_node_t *node = argument;
    actor_message_t *message;
    int rc;
    while ((rc = actor_receive (node->group, &message, FIBER_FOREVER)) != DT_ERR_CLOSED) {
        if (rc == 0) {
            s_group_note (node, message);
            actor_message_free (&message);
        }
    }
}

static void s_new_actors (snapshot_world_node_t *node)
{
    snapshot_world_t *self = node->world;
    actor_host_t *host = actor_system_add_local (node->system, node->dispatcher);
    node->group =
        actor_new (host, &(actor_options_t){.name = "group", .run = s_group_run, .argument = node});
    node->peers =
        actor_new (host, &(actor_options_t){.name = "peers", .run = s_peers_run, .argument = node});
    node->machine = raft_machine_host_new (
        host,
        &(raft_machine_host_options_t){.name = "machine", .machine = snapshot_machine_new ()});
    raft_snapshots_options_t options = self->options;
    options.name = "snapshot";
    options.vfs = vfs_sim_vfs (node->mount);
    options.directory = SNAPSHOT_WORLD_DIRECTORY;
    options.identity = (storage_identity_t){SNAPSHOT_WORLD_CLUSTER, SNAPSHOT_WORLD_GROUP, node->id};
    node->snapshots = raft_snapshots_new (host, &options);
    actor_t *actor = raft_snapshots_actor (node->snapshots);
    raft_machine_host_connect (node->machine, node->group, actor, NULL);
    raft_snapshots_connect (node->snapshots, node->group, raft_machine_host_actor (node->machine),
                            node->peers);
}

// --- lives of nodes ------------------------------------------------------------------------------

// One round of every node; then, unless what is waited for has happened, let time pass.
static bool s_turn (snapshot_world_t *self, int64_t deadline_ns, snapshot_world_until_fn *until)
{
    bool ready = false;
    int64_t next_ns = deadline_ns;
    snapshot_world_node_t *any = NULL;
    for (uint32_t id = 1; id <= SNAPSHOT_WORLD_NODES; id++) {
        snapshot_world_node_t *node = &self->nodes[id];
        if (!node->mount) {
            continue;
        }
        fiber_dispatcher_turn (node->dispatcher, 0);
        ready = ready || fiber_dispatcher_ready (node->dispatcher);
        int64_t due_ns = fiber_dispatcher_next_deadline_ns (node->dispatcher);
        next_ns = due_ns < next_ns ? due_ns : next_ns;
        any = node;
    }
    if (!any) {
        return false;
    }
    for (uint32_t id = 1; id <= SNAPSHOT_WORLD_NODES; id++) {
        snapshot_world_node_t *node = &self->nodes[id];
        ready = ready || (node->mount && fiber_dispatcher_ready (node->dispatcher));
    }
    if (!ready && !(until && until (self))) {
        fiber_dispatcher_turn (any->dispatcher, next_ns);
    }
    return s_now_ns (&self->env) < deadline_ns;
}

bool snapshot_world_run (snapshot_world_t *self, int64_t time_ns, snapshot_world_until_fn *until)
{
    int64_t end_ns = s_now_ns (&self->env) + time_ns;
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        if (until && until (self)) {
            return true;
        }
        if (!s_turn (self, end_ns, until)) {
            return until ? until (self) : false;
        }
    }
    dt_unreachable ();
}

void snapshot_world_start (snapshot_world_t *self, uint32_t id)
{
    snapshot_world_node_t *node = &self->nodes[id];
    dt_assert (!node->mount);
    *node = (snapshot_world_node_t){
        .world = self, .id = id, .disk = node->disk, .life = node->life + 1};
    node->mount = vfs_sim_mount (node->disk, "", s_disk_delay, self);
    vfs_t *vfs = vfs_sim_vfs (node->mount);
    int rc = vfs->ops->mkdir (vfs, SNAPSHOT_WORLD_DIRECTORY);
    if (rc == 0) {
        rc = vfs->ops->sync_directory (vfs, "");
    }
    dt_assert (rc == 0);
    node->dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "node", .backend = fiber_backend_sim_base (self->backend), .env = &self->env});
    node->system = actor_system_new (&self->env);
    s_new_actors (node);
    actor_system_start (node->system);
    snapshot_world_load (self, id, 0, 0);
    for (int turns = 0; node->loads == 0; turns++) {
        dt_assert (turns < TURNS_MAX);
        (void) s_turn (self, INT64_MAX, NULL);
    }
}

void snapshot_world_stop (snapshot_world_t *self, uint32_t id)
{
    snapshot_world_node_t *node = &self->nodes[id];
    fiber_dispatcher_request_stop (node->dispatcher);
    for (int turns = 0; fiber_dispatcher_turn (node->dispatcher, FIBER_FOREVER); turns++) {
        dt_assert (turns < TURNS_MAX);
    }
    actor_system_join (node->system);
    raft_snapshots_destroy (&node->snapshots);
    raft_machine_host_destroy (&node->machine);
    actor_system_destroy (&node->system);
    fiber_dispatcher_destroy (&node->dispatcher);
    vfs_sim_unmount (&node->mount);
}

void snapshot_world_crash (snapshot_world_t *self, uint32_t id)
{
    vfs_sim_crash (self->nodes[id].disk);
    snapshot_world_stop (self, id);
}

// --- asking --------------------------------------------------------------------------------------

static void s_ask (snapshot_world_t *self, uint32_t id, actor_t *whom, actor_message_t *message)
{
    actor_answer (self->nodes[id].group, whom, message);
}

static void s_ask_snapshots (snapshot_world_t *self, uint32_t id, actor_message_t *message)
{
    s_ask (self, id, raft_snapshots_actor (self->nodes[id].snapshots), message);
}

void snapshot_world_send (snapshot_world_t *self, uint32_t from, uint32_t to, uint64_t term,
                          uint64_t index_min)
{
    snapshot_send_t *send = raft_snapshots_message_new (SNAPSHOT_SEND);
    send->node_id = to;
    send->term = term;
    send->index_min = index_min;
    s_ask_snapshots (self, from, &send->message);
}

void snapshot_world_cancel (snapshot_world_t *self, uint32_t from, uint32_t to)
{
    snapshot_cancel_t *cancel = raft_snapshots_message_new (SNAPSHOT_CANCEL);
    cancel->node_id = to;
    s_ask_snapshots (self, from, &cancel->message);
}

void snapshot_world_load (snapshot_world_t *self, uint32_t id, uint64_t index, uint64_t term)
{
    snapshot_load_t *load = raft_snapshots_message_new (SNAPSHOT_LOAD);
    load->index = index;
    load->term = term;
    s_ask_snapshots (self, id, &load->message);
}

void snapshot_world_save (snapshot_world_t *self, uint32_t id, uint64_t index)
{
    snapshot_world_node_t *node = &self->nodes[id];
    snapshot_machine_advance (raft_machine_host_machine (node->machine), index);
    machine_snapshot_t *snapshot = raft_machine_message_new (MACHINE_SNAPSHOT);
    snapshot->meta = (raft_snapshot_meta_t){.index = index,
                                            .term = SNAPSHOT_WORLD_TERM,
                                            .config_index = 1,
                                            .config = snapshot_world_config ()};
    s_ask (self, id, raft_machine_host_actor (node->machine), &snapshot->message);
}

uint64_t snapshot_world_digest (snapshot_world_t *self, uint32_t id)
{
    raft_machine_t *machine = raft_machine_host_machine (self->nodes[id].machine);
    return machine->ops->digest (machine);
}

uint64_t snapshot_world_digest_of (uint64_t index, size_t bytes)
{
    uint8_t *data = dt_malloc (bytes);
    snapshot_machine_fill (index, data, bytes);
    uint64_t digest = snapshot_machine_digest_of (data, bytes);
    free (data);
    return digest;
}

// --- the whole -----------------------------------------------------------------------------------

void snapshot_world_init (snapshot_world_t *self, uint64_t seed)
{
    *self = (snapshot_world_t){.delay_ns = SNAPSHOT_WORLD_MS};
    self->env = (dt_env_t){
        .now_ns = s_now_ns,
        .wall_ms = s_wall_ms,
        .entropy = s_entropy,
        .log = s_log,
        .log_level = DT_LOG_INFO,
        .context = self,
    };
    dt_random_init_stream (&self->random, seed, "world");
    self->backend = fiber_backend_sim_new (seed, true);
    for (uint32_t id = 1; id <= SNAPSHOT_WORLD_NODES; id++) {
        self->nodes[id].disk = vfs_sim_disk_new (seed + id, &self->env);
    }
}

void snapshot_world_deinit (snapshot_world_t *self)
{
    for (uint32_t id = 1; id <= SNAPSHOT_WORLD_NODES; id++) {
        if (self->nodes[id].mount) {
            snapshot_world_stop (self, id);
        }
        vfs_sim_disk_destroy (&self->nodes[id].disk);
    }
    snapshot_world_drop_mail (self);
    fiber_backend_sim_destroy (&self->backend);
}
