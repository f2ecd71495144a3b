#include "transport/net_actor.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "actors/actor_host.h"
#include "actors/fiber/fiber_backend_real.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "transport/protocol_request.h"

enum {
    ROUND_FRAMES = 512,            // read before others get a turn
    ROUND_BYTES = 2 * 1024 * 1024, // the same, in bytes
    SHARE_BYTES = 8 * 1024,        // a frame this long is shared, shorter ones are copied
    BATCH_START = 16,              // room a batch begins with
    KINDS = 3,                     // NET_WRITE, NET_READ, NET_ADMIN
};

// A batch being filled. Bodies of short frames are copied behind each other into `copied`, and
// until it is sealed item->body is an offset; bodies of long frames stay in the frame, shared as
// `blob`.
typedef struct {
    net_requests_t *requests;  // NULL: no batch is open
    uint32_t capacity;         // of requests->items
    uint32_t clients_capacity; // of requests->clients
    uint32_t timeout_ms;       // one for all of them
    size_t bytes;              // bodies so far
    dt_buffer_t copied;        // bodies and traces of short frames
} s_batch_t;

typedef struct {
    net_group_t group;
    s_batch_t batches[KINDS]; // by kind
} s_group_t;

struct net {
    actor_t *actor;          // owned by its host
    actor_host_t *host;      // borrowed
    const dt_env_t *env;     // borrowed
    net_options_t options;   // port is owned
    s_group_t *groups;       // owned
    size_t groups_count;     //
    net_replies_t *own;      // replies made here in this round; NULL: none
    net_counters_t counters; //
    atomic_size_t in_flight; // accepted and not yet answered; written by the actor's thread only
    atomic_bool draining;    // new requests are refused
};

// --- replies made here ---------------------------------------------------------------------------

static void s_reply (net_t *self, const net_client_t *client, const protocol_reply_t *reply)
{
    if (!self->own) {
        self->own = net_replies_new ();
    }
    protocol_reply_write (net_replies_frame (self->own, client), reply);
}

static void s_refuse (net_t *self, const net_client_t *client, uint64_t id, int code,
                      const char *text)
{
    self->counters.refused++;
    if (!text) {
        text = dt_error_text (code);
    }
    s_reply (self, client,
             &(protocol_reply_t){
                 .id = id,
                 .code = (uint32_t) (code < 0 ? -code : code),
                 .message = {(const uint8_t *) text, strlen (text)},
             });
}

static void s_hello (net_t *self, const net_client_t *client, const protocol_request_t *request)
{
    protocol_hello_request_t hello;
    if (protocol_hello_request_read (request->body, &hello) != 0) {
        s_refuse (self, client, request->id, DT_ERR_MALFORMED,
                  "hello needs [protocol-version, features, client-name ?]");
        return;
    }
    if (hello.version != PROTOCOL_VERSION) {
        s_refuse (self, client, request->id, DT_ERR_PROTOCOL_VERSION,
                  "this node speaks protocol version 1 only");
        return;
    }
    uint32_t *groups = dt_malloc (self->groups_count * sizeof *groups);
    for (size_t i = 0; i < self->groups_count; i++) {
        groups[i] = self->groups[i].group.group_id;
    }
    const char *version = self->options.server_version;
    protocol_hello_reply_t reply = {
        .version = PROTOCOL_VERSION,
        .cluster_id = self->options.cluster_id,
        .node_id = self->options.node_id,
        .client_id = self->env->entropy (self->env) >> 1 | 1,
        .limits = self->options.limits,
        .groups = groups,
        .group_count = (uint32_t) self->groups_count,
        .server_version = {(const uint8_t *) version, strlen (version)},
    };
    dt_buffer_t body = {0};
    protocol_hello_reply_write (&body, &reply);
    s_reply (self, client, &(protocol_reply_t){.id = request->id, .body = {body.data, body.bytes}});
    dt_buffer_deinit (&body);
    free (groups);
}

// --- batches -------------------------------------------------------------------------------------

static void s_use_copied_bodies (s_batch_t *batch)
{
    net_requests_t *requests = batch->requests;
    size_t bytes;
    uint8_t *data = dt_buffer_detach (&batch->copied, &bytes);
    requests->blob = dt_blob_wrap (data, bytes, free, data);
    for (uint32_t i = 0; i < requests->count; i++) {
        requests->items[i].body = data + (uintptr_t) requests->items[i].body;
    }
}

// Hand a batch to its group. What the group's mailbox does not take is answered BUSY.
static void s_seal (net_t *self, s_group_t *group, s_batch_t *batch)
{
    net_requests_t *requests = batch->requests;
    if (!requests) {
        return;
    }
    if (!requests->blob) {
        s_use_copied_bodies (batch);
    }
    batch->requests = NULL;
    requests->deadline_ns =
        self->env->now_ns (self->env) + (int64_t) batch->timeout_ms * INT64_C (1000000);
    int rc = actor_send (self->actor, group->group.actor, &requests->message);
    if (rc == 0) {
        atomic_fetch_add_explicit (&self->in_flight, requests->count, memory_order_relaxed);
        return;
    }
    self->counters.refused += requests->count;
    self->counters.busy += requests->count;
    if (!self->own) {
        self->own = net_replies_new ();
    }
    net_replies_refuse (self->own, requests, 0, requests->count, rc,
                        "the group's queue is full; try again", NULL);
    net_requests_free (requests);
}

static void s_free_requests (actor_message_t *message)
{
    net_requests_free (message);
}

static void s_open_batch (s_batch_t *batch, uint16_t kind, const protocol_request_t *request,
                          dt_blob_t *frame)
{
    net_requests_t *requests = dt_zalloc (1, sizeof *requests);
    requests->message.type = kind;
    requests->message.free_fn = s_free_requests;
    requests->read_mode = (uint8_t) request->read_mode;
    requests->age_ms_max = request->max_age_ms;
    requests->blob = frame ? dt_blob_ref (frame) : NULL;
    batch->requests = requests;
    batch->capacity = 0;
    batch->clients_capacity = 0;
    batch->timeout_ms = request->timeout_ms;
    batch->bytes = 0;
}

static bool s_fits (const s_batch_t *batch, const protocol_request_t *request,
                    const dt_blob_t *frame)
{
    const net_requests_t *requests = batch->requests;
    return requests->blob == frame && requests->count < NET_REQUESTS_MAX &&
           batch->bytes + request->body.bytes <= NET_REQUESTS_BYTES_MAX &&
           batch->timeout_ms == request->timeout_ms && requests->read_mode == request->read_mode &&
           requests->age_ms_max == request->max_age_ms && requests->message.type != NET_ADMIN;
}

static uint32_t s_client_of (s_batch_t *batch, const net_client_t *client)
{
    net_requests_t *requests = batch->requests;
    uint32_t count = requests->clients_count;
    if (count > 0) {
        const net_client_t *last = &requests->clients[count - 1];
        if (last->delimiter == client->delimiter &&
            transport_route_equal (&last->route, &client->route)) {
            return count - 1;
        }
    }
    if (count == batch->clients_capacity) {
        batch->clients_capacity = count ? count * 2 : 1;
        requests->clients =
            dt_realloc (requests->clients, batch->clients_capacity * sizeof *requests->clients);
    }
    requests->clients[count].delimiter = client->delimiter;
    transport_route_copy (&requests->clients[count].route, &client->route);
    requests->clients_count++;
    return count;
}

static void s_put_bytes (s_batch_t *batch, net_request_t *item, const protocol_request_t *request)
{
    net_requests_t *requests = batch->requests;
    item->body_bytes = (uint32_t) request->body.bytes;
    item->trace_bytes = (uint8_t) request->trace.bytes;
    if (requests->blob) {
        item->body = request->body.data;
        item->trace_at = request->trace.data
                             ? (uint32_t) (request->trace.data - dt_blob_data (requests->blob))
                             : 0;
    } else {
        item->body = (const uint8_t *) (uintptr_t) batch->copied.bytes;
        dt_buffer_append (&batch->copied, request->body.data, request->body.bytes);
        item->trace_at = (uint32_t) batch->copied.bytes;
        dt_buffer_append (&batch->copied, request->trace.data, request->trace.bytes);
    }
    batch->bytes += request->body.bytes;
}

static void s_add (net_t *self, s_group_t *group, uint16_t kind, const net_client_t *client,
                   const protocol_request_t *request, dt_blob_t *frame)
{
    s_batch_t *batch = &group->batches[kind - NET_WRITE];
    if (batch->requests && !s_fits (batch, request, frame)) {
        s_seal (self, group, batch);
    }
    if (!batch->requests) {
        s_open_batch (batch, kind, request, frame);
    }
    net_requests_t *requests = batch->requests;
    if (requests->count == batch->capacity) {
        batch->capacity = batch->capacity ? batch->capacity * 4 : BATCH_START;
        requests->items = dt_realloc (requests->items, batch->capacity * sizeof *requests->items);
    }
    net_request_t *item = &requests->items[requests->count++];
    item->id = request->id;
    item->principal = request->client_id;
    item->session_id = request->session_id;
    item->session_seq = request->session_seq;
    item->session_ack = request->session_ack;
    item->min_index = request->min_index;
    item->operation = (uint16_t) request->operation;
    item->read_mode = (uint8_t) request->read_mode;
    item->want_digest = request->want_digest;
    item->client = s_client_of (batch, client);
    s_put_bytes (batch, item, request);
    if (request->min_index > requests->min_index) {
        requests->min_index = request->min_index;
    }
}

static void s_seal_all (net_t *self)
{
    for (size_t i = 0; i < self->groups_count; i++) {
        for (int kind = 0; kind < KINDS; kind++) {
            s_seal (self, &self->groups[i], &self->groups[i].batches[kind]);
        }
    }
}

// --- requests ------------------------------------------------------------------------------------

static s_group_t *s_find_group (net_t *self, uint32_t group_id)
{
    if (group_id == 0 && self->groups_count > 0) {
        return &self->groups[0];
    }
    for (size_t i = 0; i < self->groups_count; i++) {
        if (self->groups[i].group.group_id == group_id) {
            return &self->groups[i];
        }
    }
    return NULL;
}

static void s_on_request (net_t *self, const net_client_t *client,
                          const protocol_request_t *request, dt_blob_t *frame)
{
    self->counters.requests++;
    if (request->operation == PROTOCOL_HELLO) {
        s_hello (self, client, request);
        return;
    }
    if (request->operation == PROTOCOL_PING) {
        s_reply (self, client, &(protocol_reply_t){.id = request->id});
        return;
    }
    s_group_t *group = s_find_group (self, request->group);
    if (!group) {
        s_refuse (self, client, request->id, DT_ERR_UNKNOWN_GROUP,
                  "this node has no such group; hello lists those it has");
        return;
    }
    uint16_t kind = 0;
    const char *text = NULL;
    int code = group->group.check (group->group.check_argument, request->operation,
                                   request->body.data, request->body.bytes, &kind, &text);
    if (code != 0) {
        s_refuse (self, client, request->id, code, text);
        return;
    }
    if (atomic_load_explicit (&self->draining, memory_order_relaxed)) {
        s_refuse (self, client, request->id, DT_ERR_STOPPING, "this node is stopping");
        return;
    }
    if (atomic_load_explicit (&self->in_flight, memory_order_relaxed) >=
        self->options.limits.in_flight_max) {
        self->counters.busy++;
        s_refuse (self, client, request->id, DT_ERR_BUSY,
                  "too many requests in flight on this node (in_flight_max); try again");
        return;
    }
    s_add (self, group, kind, client, request, frame);
}

static void s_on_frame (net_t *self, transport_message_t *message)
{
    net_client_t client;
    client.delimiter = message->delimiter;
    transport_route_copy (&client.route, &message->route);
    self->counters.frames++;

    dt_blob_t *shared = NULL;
    if (message->bytes >= SHARE_BYTES) {
        shared = dt_blob_wrap ((void *) (uintptr_t) message->data, message->bytes, message->release,
                               message->owner);
    }
    protocol_frame_t frame;
    protocol_request_t request;
    protocol_frame_init (&frame, message->data, message->bytes);
    int rc;
    while ((rc = protocol_frame_next (&frame, &request)) == 1) {
        s_on_request (self, &client, &request, shared);
    }
    if (rc < 0) {
        self->counters.malformed++;
        s_refuse (
            self, &client, request.id, DT_ERR_MALFORMED,
            "not a well-formed request (see docs/PROTOCOL.md); the rest of the frame was dropped");
    }
    if (shared) {
        dt_blob_unref (&shared);
    } else {
        transport_message_release (message);
    }
}

// Read what has arrived, within the bounds of a round. True: there may be more.
static bool s_receive (net_t *self)
{
    transport_port_t *port = self->options.port;
    size_t bytes = 0;
    for (int frames = 0; frames < ROUND_FRAMES && bytes < ROUND_BYTES; frames++) {
        transport_message_t message;
        int rc = port->receive (port, &message);
        if (rc == DT_ERR_AGAIN || rc == DT_ERR_CLOSED) {
            return false;
        }
        if (rc == 0) {
            bytes += message.bytes;
            s_on_frame (self, &message);
        }
    }
    return true;
}

// --- sending -------------------------------------------------------------------------------------

static void s_send (net_t *self, net_replies_t *replies)
{
    transport_port_t *port = self->options.port;
    for (uint32_t i = 0; i < replies->count; i++) {
        net_reply_frame_t *frame = &replies->frames[i];
        int rc = port->send (port, &frame->client.route, frame->client.delimiter, &frame->frame);
        if (rc != 0) {
            self->counters.replies_lost++;
        }
    }
}

static void s_send_own (net_t *self)
{
    if (self->own) {
        s_send (self, self->own);
        actor_message_t *message = &self->own->message;
        self->own = NULL;
        actor_message_free (&message);
    }
}

static void s_on_mail (net_t *self, actor_message_t *message)
{
    dt_assert (message->type == NET_REPLIES);
    net_replies_t *replies = (net_replies_t *) message;
    s_send (self, replies);
    size_t before = atomic_fetch_sub (&self->in_flight, replies->replies);
    dt_assert (before >= replies->replies);
    actor_message_free (&message);
}

// --- the fiber -----------------------------------------------------------------------------------

static void s_on_readable (void *argument)
{
    actor_wake (((net_t *) argument)->actor);
}

static void s_watch (net_t *self, bool on)
{
    transport_port_t *port = self->options.port;
    fiber_backend_real_t *backend = actor_host_backend (self->host);
    if (port->notify) {
        port->notify (port, on ? s_on_readable : NULL, self);
    } else if (on) {
        fiber_backend_real_watch_socket (backend, port->poll_socket (port), s_on_readable, self);
    } else {
        fiber_backend_real_unwatch_socket (backend, port->poll_socket (port));
    }
}

static void s_run (void *argument)
{
    net_t *self = argument;
    s_watch (self, true);
    for (;;) {
        bool more = s_receive (self);
        s_seal_all (self);
        s_send_own (self);
        actor_message_t *message;
        int rc;
        if (more) {
            fiber_yield ();
            rc = actor_try_receive (self->actor, &message);
        } else {
            rc = actor_receive (self->actor, &message, FIBER_FOREVER);
        }
        if (rc == DT_ERR_CLOSED) {
            break;
        }
        while (rc == 0) {
            s_on_mail (self, message);
            rc = actor_try_receive (self->actor, &message);
        }
    }
    s_watch (self, false);
}

net_t *net_new (actor_host_t *host, const net_options_t *options)
{
    net_t *self = dt_zalloc (1, sizeof *self);
    self->host = host;
    self->env = actor_host_env (host);
    self->options = *options;
    self->actor = actor_new (host, &(actor_options_t){
                                       .name = options->name,
                                       .run = s_run,
                                       .argument = self,
                                   });
    return self;
}

void net_add_group (net_t *self, const net_group_t *group)
{
    self->groups = dt_realloc (self->groups, (self->groups_count + 1) * sizeof *self->groups);
    self->groups[self->groups_count++] = (s_group_t){.group = *group};
}

void net_destroy (net_t **self_p)
{
    net_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->groups_count; i++) {
        for (int kind = 0; kind < KINDS; kind++) {
            dt_assert (!self->groups[i].batches[kind].requests);
            dt_buffer_deinit (&self->groups[i].batches[kind].copied);
        }
    }
    free (self->groups);
    self->options.port->close (&self->options.port);
    free (self);
}

actor_t *net_actor (net_t *self)
{
    return self->actor;
}

static void s_set_draining (void *argument)
{
    atomic_store (&((net_t *) argument)->draining, true);
}

void net_drain (net_t *self)
{
    // On the actor's own thread, between its turns: what it accepts before is counted before.
    if (fiber_group_post (actor_group (self->actor), s_set_draining, self) != 0) {
        atomic_store (&self->draining, true);
    }
}

bool net_drained (const net_t *self)
{
    return atomic_load (&self->draining) && atomic_load (&self->in_flight) == 0;
}

const net_counters_t *net_counters (const net_t *self)
{
    return &self->counters;
}
