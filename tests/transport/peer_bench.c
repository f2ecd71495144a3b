// peer_bench - how much two peer actors move over TCP loopback, in one process of several threads.
//
// usage: peer_bench [SECONDS]   (default 3) for each size: 200 bytes, 4 KiB, 256 KiB
//
// A sender group keeps a window of messages under way, acknowledged by the receiving group through
// the same actors, as raft does.

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/actor_system.h"
#include "base/dt_assert.h"
#include "base/dt_env_posix.h"
#include "base/dt_memory.h"
#include "transport/peer_actor.h"
#include "transport/peer_port_zmq.h"
#include "transport/transport_context.h"

enum { KIND_DATA = 1, KIND_ACK = 2, WINDOW_BYTES = 8 << 20, WINDOW_MESSAGES = 8000 };

typedef struct {
    uint32_t node_id;
    peer_port_t *port;
    peers_t *peers;
    actor_t *group;
    size_t bytes;         // of a message
    uint64_t window;      // messages
    uint64_t sent, acked; // by the sender
    uint64_t received;    // by the receiver
    uint64_t unacked;     // of them
    dt_blob_t *blob;
    char other[PEER_ENDPOINT_BYTES_MAX + 1];
    atomic_uint_least64_t total; // received
} s_node_t;

static void s_say (s_node_t *self, uint8_t kind, uint64_t number, dt_blob_t *blob)
{
    peer_message_t *message = peer_message_new ();
    message->node_id = 3 - self->node_id;
    message->group_id = 1;
    message->kind = kind;
    message->term = number;
    if (blob) {
        message->blob = dt_blob_ref (blob);
        message->data = dt_blob_data (blob);
        message->bytes = dt_blob_bytes (blob);
    }
    if (actor_send (self->group, peers_actor (self->peers), &message->message) != 0) {
        peer_message_destroy (&message);
    }
}

static void s_fill_window (s_node_t *self)
{
    while (self->sent - self->acked < self->window && !actor_stopping (self->group)) {
        s_say (self, KIND_DATA, ++self->sent, self->blob);
    }
}

static void s_on_message (s_node_t *self, const peer_message_t *message)
{
    if (message->kind == KIND_ACK) {
        self->acked = message->term;
    } else {
        self->received = message->term;
        self->unacked++;
        atomic_fetch_add (&self->total, 1);
    }
}

static void s_name_other (s_node_t *self)
{
    peer_nodes_t *nodes = peer_nodes_new (1, 1);
    nodes->nodes[0].node_id = 3 - self->node_id;
    snprintf (nodes->nodes[0].endpoint, sizeof nodes->nodes[0].endpoint, "%s", self->other);
    actor_answer (self->group, peers_actor (self->peers), &nodes->message);
}

static void s_run (void *argument)
{
    s_node_t *self = argument;
    s_name_other (self);
    actor_message_t *message;
    bool reached = false;
    while (actor_receive (self->group, &message, FIBER_FOREVER) == 0) {
        do {
            reached = reached || message->type == PEER_REACHED;
            if (message->type == PEER_MESSAGE) {
                s_on_message (self, (peer_message_t *) message);
            }
            actor_message_free (&message);
        } while (actor_try_receive (self->group, &message) == 0);
        if (self->unacked > 0) {
            self->unacked = 0;
            s_say (self, KIND_ACK, self->received, NULL);
        }
        if (reached && self->node_id == 1) {
            s_fill_window (self);
        }
    }
}

static void s_open (s_node_t *self, uint32_t node_id, void *context, const dt_env_t *env,
                    size_t bytes)
{
    *self = (s_node_t){.node_id = node_id, .bytes = bytes};
    self->window = WINDOW_BYTES / bytes < WINDOW_MESSAGES ? WINDOW_BYTES / bytes : WINDOW_MESSAGES;
    self->blob = dt_blob_new (bytes);
    memset (dt_blob_data (self->blob), 1, bytes);
    int rc = peer_port_zmq_new (&self->port, context, env,
                                &(peer_port_zmq_options_t){.endpoint = "tcp://127.0.0.1:*"});
    dt_assert (rc == 0);
}

static void s_place (s_node_t *self, actor_system_t *system, const dt_env_t *env)
{
    actor_host_t *host = actor_system_add_host (system, self->node_id == 1 ? "one" : "two", false);
    self->peers = peers_new (host, &(peers_options_t){.name = "peers",
                                                      .port = self->port,
                                                      .cluster_id = 1,
                                                      .node_id = self->node_id,
                                                      .boot_id = env->entropy (env) | 1});
    self->group = actor_new (
        host,
        &(actor_options_t){.name = "group", .mailbox_max = 100000, .run = s_run, .argument = self});
    peers_add_group (self->peers, 1, self->group);
}

static void s_measure (const s_node_t *one, s_node_t *two, double seconds, const dt_env_t *env)
{
    (void) one;
    while (atomic_load (&two->total) < two->window) { // connected, and warm
        zmq_poll (NULL, 0, 1);
    }
    uint64_t before = atomic_load (&two->total);
    int64_t start_ns = env->now_ns (env);
    zmq_poll (NULL, 0, (long) (seconds * 1000));
    double elapsed = (double) (env->now_ns (env) - start_ns) / 1e9;
    double rate = (double) (atomic_load (&two->total) - before) / elapsed;
    printf ("%7zu bytes: %10.0f messages/s %8.1f MB/s\n", two->bytes, rate,
            rate * (double) two->bytes / 1e6);
}

static void s_bench (size_t bytes, double seconds)
{
    dt_env_t env;
    dt_env_posix_init (&env, STDERR_FILENO, DT_LOG_WARN);
    void *context = transport_zmq_context_new (&env, 1, 64);
    actor_system_t *system = actor_system_new (&env);
    s_node_t *nodes = dt_zalloc (2, sizeof *nodes);
    for (uint32_t i = 0; i < 2; i++) {
        s_open (&nodes[i], i + 1, context, &env, bytes);
    }
    for (uint32_t i = 0; i < 2; i++) {
        snprintf (nodes[i].other, sizeof nodes[i].other, "%s",
                  peer_port_zmq_endpoint (nodes[1 - i].port));
        s_place (&nodes[i], system, &env);
    }
    actor_system_start (system);
    s_measure (&nodes[0], &nodes[1], seconds, &env);
    actor_system_join (system);
    actor_system_destroy (&system);
    for (uint32_t i = 0; i < 2; i++) {
        peers_destroy (&nodes[i].peers);
        dt_blob_unref (&nodes[i].blob);
    }
    free (nodes);
    zmq_ctx_term (context);
}

int main (int argc, char **argv)
{
    double seconds = argc > 1 ? atof (argv[1]) : 3;
    if (argc > 2 || seconds <= 0 || seconds > 3600) {
        fprintf (stderr, "usage: peer_bench [SECONDS]\n");
        return 2;
    }
    actor_system_init_process ();
    const size_t sizes[] = {200, 4096, 256 * 1024};
    for (int i = 0; i < 3; i++) {
        s_bench (sizes[i], seconds);
    }
    return 0;
}
