#include "tests/transport/peer_fixture.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/actor_host.h"
#include "actors/actor_system.h"
#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "transport/transport_context.h"

#define CEILING_NS INT64_C (20000000000)

static const uint32_t s_group_ids[PEER_FIXTURE_GROUPS] = {1, 7};

typedef struct {
    peer_fixture_node_t *node;
    actor_t *actor;
    uint32_t group_id;
    uint64_t last_term[256];
    uint64_t sent;
    peer_fixture_seen_t seen; // under s_lock
} s_group_t;

struct peer_fixture_node {
    peer_port_t *port;
    char endpoint[256];
    uint64_t boot_id;
    actor_host_t *hosts[2];
    peers_t *peers;
    s_group_t groups[PEER_FIXTURE_GROUPS];
};

static pthread_mutex_t s_lock = PTHREAD_MUTEX_INITIALIZER;
static dt_env_t s_env;
static void *s_context;
static unsigned s_hosts; // numbers given so far
static peer_fixture_node_t *s_nodes[PEER_FIXTURE_NODES_MAX];
static char s_log[64 * 1024]; // under s_lock

static void s_take_log (const dt_env_t *self, dt_log_level_t level, const char *line)
{
    (void) self;
    pthread_mutex_lock (&s_lock);
    size_t used = strlen (s_log);
    snprintf (s_log + used, sizeof s_log - used, "%s\n", line);
    pthread_mutex_unlock (&s_lock);
    if (getenv ("PEER_FIXTURE_VERBOSE")) {
        fprintf (stderr, "%s %s\n", dt_log_level_name (level), line);
    }
}

void peer_fixture_setup (void)
{
    actor_system_init_process ();
    dt_env_posix_init (&s_env, STDERR_FILENO, DT_LOG_INFO);
    s_env.log = s_take_log;
    s_context = transport_zmq_context_new (&s_env, 1, 256);
    ck_assert_ptr_nonnull (s_context);
}

void peer_fixture_teardown (void)
{
    for (int i = 0; i < PEER_FIXTURE_NODES_MAX; i++) {
        if (s_nodes[i]) {
            peer_fixture_node_t *node = s_nodes[i];
            peer_fixture_stop (&node);
        }
    }
    zmq_ctx_term (s_context);
}

void *peer_fixture_context (void)
{
    return s_context;
}

// --- groups --------------------------------------------------------------------------------------

static uint8_t s_pattern (size_t at)
{
    return (uint8_t) (at * 7 + 1);
}

static bool s_is_pattern (const uint8_t *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 1 + i / 16) {
        if (data[i] != s_pattern (i)) {
            return false;
        }
    }
    return true;
}

static void s_see_message (s_group_t *self, const peer_message_t *message)
{
    peer_fixture_seen_t *seen = &self->seen;
    seen->messages++;
    seen->bytes += message->bytes;
    seen->of_kind[message->kind]++;
    seen->from[message->node_id & 15]++;
    seen->broken += !s_is_pattern (message->data, message->bytes) ||
                    message->group_id != self->group_id || message->head.bytes != 0;
    seen->out_of_order += message->term < self->last_term[message->kind];
    self->last_term[message->kind] = message->term;
}

static void s_see (s_group_t *self, actor_message_t *message)
{
    pthread_mutex_lock (&s_lock);
    if (message->type == PEER_MESSAGE) {
        s_see_message (self, (peer_message_t *) message);
    } else {
        ck_assert_int_eq (message->type, PEER_REACHED);
        self->seen.reached++;
        self->seen.boot_id = ((peer_reached_t *) message)->boot_id;
    }
    pthread_mutex_unlock (&s_lock);
}

static void s_run_group (void *argument)
{
    s_group_t *self = argument;
    actor_message_t *message;
    while (actor_receive (self->actor, &message, FIBER_FOREVER) == 0) {
        s_see (self, message);
        actor_message_free (&message);
    }
}

// --- nodes ---------------------------------------------------------------------------------------

static void s_new_actors (peer_fixture_node_t *self, const peer_fixture_options_t *options)
{
    for (int i = 0; i < 2; i++) {
        char name[32];
        snprintf (name, sizeof name, "%s-%u", i ? "groups" : "peers", options->node_id);
        self->hosts[i] = actor_host_new (&s_env, name, s_hosts++, false);
    }
    self->peers = peers_new (
        self->hosts[0], &(peers_options_t){
                            .name = "peers",
                            .port = self->port,
                            .cluster_id = options->cluster_id ? options->cluster_id : 1,
                            .node_id = options->node_id,
                            .boot_id = self->boot_id,
                            .bytes_max = options->bytes_max,
                            .dead_after_ms = options->dead_after_ms ? options->dead_after_ms : 1000,
                        });
    for (int i = 0; i < PEER_FIXTURE_GROUPS; i++) {
        s_group_t *group = &self->groups[i];
        group->node = self;
        group->group_id = s_group_ids[i];
        group->actor = actor_new (self->hosts[1], &(actor_options_t){.name = "group",
                                                                     .mailbox_max = 1000000,
                                                                     .run = s_run_group,
                                                                     .argument = group});
        peers_add_group (self->peers, group->group_id, group->actor);
    }
    actor_host_connect (self->hosts[0], self->hosts[1]);
    actor_host_connect (self->hosts[1], self->hosts[0]);
    actor_host_start (self->hosts[0]);
    actor_host_start (self->hosts[1]);
}

peer_fixture_node_t *peer_fixture_start (const peer_fixture_options_t *options)
{
    peer_fixture_node_t *self = dt_zalloc (1, sizeof *self);
    peer_port_zmq_options_t port = {
        .endpoint = options->endpoint ? options->endpoint : "tcp://127.0.0.1:*",
        .frame_bytes_max = options->frame_bytes_max,
        .link_bytes_max = options->link_bytes_max,
    };
    // The endpoint of a node that has just stopped is free once libzmq's threads let go of it.
    int64_t start_ns = peer_fixture_now_ns ();
    int rc;
    while ((rc = peer_port_zmq_new (&self->port, s_context, &s_env, &port)) == DT_ERR_IN_USE) {
        peer_fixture_pass (start_ns);
    }
    ck_assert_int_eq (rc, 0);
    snprintf (self->endpoint, sizeof self->endpoint, "%s", peer_port_zmq_endpoint (self->port));
    self->boot_id = s_env.entropy (&s_env) | 1;
    s_new_actors (self, options);
    for (int i = 0; i < PEER_FIXTURE_NODES_MAX; i++) {
        if (!s_nodes[i]) {
            s_nodes[i] = self;
            return self;
        }
    }
    ck_abort_msg ("too many nodes");
}

void peer_fixture_stop (peer_fixture_node_t **self_p)
{
    peer_fixture_node_t *self = *self_p;
    *self_p = NULL;
    for (int i = 0; i < PEER_FIXTURE_NODES_MAX; i++) {
        if (s_nodes[i] == self) {
            s_nodes[i] = NULL;
        }
    }
    actor_host_join (self->hosts[1]);
    actor_host_join (self->hosts[0]);
    actor_host_destroy (&self->hosts[1]);
    actor_host_destroy (&self->hosts[0]);
    peers_destroy (&self->peers);
    free (self);
}

const char *peer_fixture_endpoint (const peer_fixture_node_t *self)
{
    return self->endpoint;
}

uint64_t peer_fixture_boot_id (const peer_fixture_node_t *self)
{
    return self->boot_id;
}

// --- orders, carried out on the node's threads
// -----------------------------------------------------

typedef struct {
    s_group_t *group;
    peer_fixture_node_t *node;
    peer_nodes_t *nodes;
    peer_fixture_send_t send;
    uint32_t node_id;
    peer_status_t status;
    peers_counters_t counters;
    bool known;
    atomic_bool done;
} s_order_t;

static void s_carry_out (s_order_t *order, actor_t *actor, fiber_fn *fn)
{
    ck_assert_int_eq (fiber_group_post (actor_group (actor), fn, order), 0);
    peer_fixture_wait (atomic_load (&order->done));
}

static void s_name (void *argument)
{
    s_order_t *order = argument;
    actor_answer (order->group->actor, peers_actor (order->group->node->peers),
                  &order->nodes->message);
    atomic_store (&order->done, true);
}

static void s_order_names (s_group_t *group, const peer_node_t *nodes, uint32_t count)
{
    s_order_t order = {.group = group, .nodes = peer_nodes_new (group->group_id, count)};
    if (count > 0) {
        memcpy (order.nodes->nodes, nodes, count * sizeof *nodes);
    }
    s_carry_out (&order, group->actor, s_name);
}

void peer_fixture_name (peer_fixture_node_t *self, int group, uint32_t node_id,
                        const char *endpoint)
{
    peer_node_t node = {.node_id = node_id};
    snprintf (node.endpoint, sizeof node.endpoint, "%s", endpoint ? endpoint : "");
    s_order_names (&self->groups[group], &node, endpoint != NULL);
}

void peer_fixture_name_all (peer_fixture_node_t *self, const peer_node_t *nodes, uint32_t count)
{
    s_order_names (&self->groups[0], nodes, count);
}

static void s_fill (peer_message_t *message, const peer_fixture_send_t *send)
{
    for (size_t i = 0; i < send->head_bytes; i++) {
        dt_buffer_append (&message->head, &(uint8_t){s_pattern (i)}, 1);
    }
    if (send->bytes > 0) {
        message->blob = dt_blob_new (send->bytes);
        uint8_t *data = dt_blob_data (message->blob);
        for (size_t i = 0; i < send->bytes; i++) {
            data[i] = s_pattern (send->head_bytes + i);
        }
        message->data = data;
        message->bytes = send->bytes;
    }
}

static void s_send (void *argument)
{
    s_order_t *order = argument;
    s_group_t *group = order->group;
    for (uint32_t i = 0; i < order->send.count; i++) {
        peer_message_t *message = peer_message_new ();
        message->node_id = order->send.node_id;
        message->group_id = group->group_id;
        message->term = ++group->sent;
        message->kind = order->send.kind;
        message->channel = (uint8_t) order->send.channel;
        s_fill (message, &order->send);
        if (actor_send (group->actor, peers_actor (group->node->peers), &message->message) != 0) {
            peer_message_destroy (&message);
        }
    }
    atomic_store (&order->done, true);
}

void peer_fixture_send (peer_fixture_node_t *self, const peer_fixture_send_t *send)
{
    s_order_t order = {.group = &self->groups[send->group], .send = *send};
    s_carry_out (&order, order.group->actor, s_send);
}

static void s_ask (void *argument)
{
    s_order_t *order = argument;
    order->known = peers_status (order->node->peers, order->node_id, &order->status);
    order->counters = *peers_counters (order->node->peers);
    atomic_store (&order->done, true);
}

bool peer_fixture_status (peer_fixture_node_t *self, uint32_t node_id, peer_status_t *status)
{
    s_order_t order = {.node = self, .node_id = node_id};
    s_carry_out (&order, peers_actor (self->peers), s_ask);
    *status = order.status;
    return order.known;
}

void peer_fixture_counters (peer_fixture_node_t *self, peers_counters_t *counters)
{
    s_order_t order = {.node = self};
    s_carry_out (&order, peers_actor (self->peers), s_ask);
    *counters = order.counters;
}

// --- waiting -------------------------------------------------------------------------------------

void peer_fixture_seen (peer_fixture_node_t *self, int group, peer_fixture_seen_t *seen)
{
    pthread_mutex_lock (&s_lock);
    *seen = self->groups[group].seen;
    pthread_mutex_unlock (&s_lock);
}

bool peer_fixture_logged (const char *text, const char *other)
{
    bool found = false;
    pthread_mutex_lock (&s_lock);
    for (char *line = s_log; *line && !found;) {
        size_t bytes = strcspn (line, "\n");
        char *copy = strndup (line, bytes);
        found = strstr (copy, text) && strstr (copy, other);
        free (copy);
        line += bytes + (line[bytes] == '\n');
    }
    pthread_mutex_unlock (&s_lock);
    return found;
}

int64_t peer_fixture_now_ns (void)
{
    dt_env_t env;
    dt_env_posix_init (&env, STDERR_FILENO, DT_LOG_ERROR);
    return env.now_ns (&env);
}

void peer_fixture_pass (int64_t start_ns)
{
    if (peer_fixture_now_ns () - start_ns > CEILING_NS) {
        pthread_mutex_lock (&s_lock);
        fprintf (stderr, "%s", s_log);
        pthread_mutex_unlock (&s_lock);
        ck_abort_msg ("waited in vain");
    }
    zmq_poll (NULL, 0, 1);
}

bool peer_fixture_connected (peer_fixture_node_t *self, uint32_t node_id)
{
    peer_status_t status;
    return peer_fixture_status (self, node_id, &status) && status.connected;
}

bool peer_fixture_has (peer_fixture_node_t *self, int group, uint8_t kind, uint64_t count)
{
    peer_fixture_seen_t seen;
    peer_fixture_seen (self, group, &seen);
    return seen.of_kind[kind] >= count;
}
