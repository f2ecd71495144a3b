#include "transport/peer_port_zmq.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "transport/zmq_edge.h"

enum {
    REFUSAL_BYTES_MAX = 4096, // of what comes back on a DEALER; more ends it
    REFUSALS_MAX = 16,        // unread
};

typedef struct {
    uint32_t node_id;
    uint32_t serial; // tells accounts of this link from those of its predecessors
    zmq_edge_reader_t channels[PEER_CHANNELS]; // DEALERs, owned
} s_link_t;

typedef struct {
    peer_port_t base;
    const dt_env_t *env;
    void *context;                   // borrowed
    peer_port_zmq_options_t options; // defaults filled in
    zmq_edge_reader_t router;        // owned
    const void *owner;               // mark of the thread that uses the port; NULL until first use
    s_link_t *links;                 // owned
    int links_count;                 //
    uint32_t serials;                // given to links so far
    port_zmq_ledger_t *ledger;       // owned
    transport_counters_t counters;   //
    char endpoint[ZMQ_EDGE_ENDPOINT_BYTES_MAX]; // bound to
} s_port_t;

static inline s_port_t *s_self (peer_port_t *base)
{
    s_port_t *self = (s_port_t *) base;
    if (!self->owner) {
        self->owner = zmq_edge_thread ();
    }
    dt_assert (self->owner == zmq_edge_thread ()); // sockets are not thread safe [ZMQ-14]
    return self;
}

static s_link_t *s_find (s_port_t *self, uint32_t node_id)
{
    for (int i = 0; i < self->links_count; i++) {
        if (self->links[i].node_id == node_id) {
            return &self->links[i];
        }
    }
    return NULL;
}

// --- links ---------------------------------------------------------------------------------------

static void s_close_channels (s_link_t *link)
{
    for (int i = 0; i < PEER_CHANNELS; i++) {
        if (link->channels[i].socket) {
            zmq_close (link->channels[i].socket);
        }
        link->channels[i] = (zmq_edge_reader_t){0};
    }
}

// Options take effect at connect [ZMQ-3]. No heartbeats: they abort the process when a finite
// queue is full [ZMQ-4]; the owner's hellos and TCP find dead peers.
static int s_configure_dealer (const s_port_t *self, void *socket)
{
    const zmq_edge_option_t integers[] = {
        {ZMQ_LINGER, 0},                               // what is not sent dies with the link
        {ZMQ_IMMEDIATE, 1},                            // nothing waits for the peer's next life
        {ZMQ_SNDTIMEO, 0},                             // nothing blocks, even by mistake
        {ZMQ_RCVTIMEO, 0},                             //
        {ZMQ_SNDHWM, self->options.send_messages_max}, //
        {ZMQ_RCVHWM, REFUSALS_MAX},                    //
        {ZMQ_RECONNECT_IVL, 50},                       // libzmq adds some at random ...
        {ZMQ_RECONNECT_IVL_MAX, 1000},                 // ... and doubles it up to here
        {ZMQ_CONNECT_TIMEOUT, 3000},                   //
        {ZMQ_HANDSHAKE_IVL, 3000},                     // a listener that says nothing
        {ZMQ_HEARTBEAT_IVL, 0},                        // see above
        {ZMQ_TCP_KEEPALIVE, 1},                        //
        {ZMQ_TCP_KEEPALIVE_IDLE, 5},                   //
        {ZMQ_TCP_KEEPALIVE_INTVL, 2},                  //
        {ZMQ_TCP_KEEPALIVE_CNT, 3},                    //
        {ZMQ_TCP_MAXRT, 4000},                         // a peer cut off with bytes in flight
        {ZMQ_IPV6, self->options.ipv6},                //
    };
    return zmq_edge_configure (socket, integers, sizeof integers / sizeof *integers,
                               REFUSAL_BYTES_MAX);
}

static int s_open_channel (const s_port_t *self, zmq_edge_reader_t *channel, const char *endpoint)
{
    channel->socket = zmq_socket (self->context, ZMQ_DEALER);
    if (!channel->socket) {
        return errno == ETERM ? DT_ERR_CLOSED : DT_ERR_BUSY;
    }
    int zmq_errno = s_configure_dealer (self, channel->socket);
    if (zmq_errno != 0) {
        return zmq_edge_error (zmq_errno);
    }
    if (zmq_connect (channel->socket, endpoint) != 0) {
        return errno == ETERM ? DT_ERR_CLOSED : errno == EMTHREAD ? DT_ERR_BUSY : DT_ERR_INVALID;
    }
    return 0;
}

static void s_forget (s_port_t *self, s_link_t *link)
{
    s_close_channels (link);
    *link = self->links[--self->links_count];
}

static void s_disconnect (peer_port_t *base, uint32_t node_id)
{
    s_port_t *self = s_self (base);
    s_link_t *link = s_find (self, node_id);
    if (link) {
        s_forget (self, link);
    }
}

static int s_connect (peer_port_t *base, uint32_t node_id, const char *endpoint)
{
    s_port_t *self = s_self (base);
    s_link_t *link = s_find (self, node_id);
    if (link) {
        s_close_channels (link);
    } else if (self->links_count == self->options.links_max) {
        return DT_ERR_BUSY;
    } else {
        link = &self->links[self->links_count++];
    }
    *link = (s_link_t){.node_id = node_id, .serial = ++self->serials};
    int rc = 0;
    for (int i = 0; i < PEER_CHANNELS && rc == 0; i++) {
        rc = s_open_channel (self, &link->channels[i], endpoint);
    }
    if (rc != 0) {
        s_forget (self, link);
    }
    return rc;
}

// --- frames --------------------------------------------------------------------------------------

static int s_receive (peer_port_t *base, transport_message_t *message)
{
    s_port_t *self = s_self (base);
    return zmq_edge_receive_routed (&self->router, false, message, &self->counters);
}

// Libzmq's queues are per socket, and so are the accounts.
static void s_account_key (const s_link_t *link, peer_channel_t channel, transport_route_t *key)
{
    const uint32_t words[] = {link->node_id, link->serial, (uint32_t) channel};
    key->bytes = sizeof words;
    memcpy (key->data, words, sizeof words);
}

static int s_send_body (s_port_t *self, s_link_t *link, peer_channel_t channel, dt_buffer_t *frame)
{
    void *socket = link->channels[channel].socket;
    if (frame->bytes < ZMQ_EDGE_COUNTED_BYTES_MIN) {
        if (zmq_edge_send (socket, frame->data, frame->bytes, 0) < 0) {
            return zmq_edge_error (errno);
        }
        dt_buffer_clear (frame);
        return 0;
    }
    transport_route_t key;
    s_account_key (link, channel, &key);
    port_zmq_account_t *account = port_zmq_ledger_admit (self->ledger, &key, frame->bytes);
    return account ? zmq_edge_send_counted (socket, account, frame) : DT_ERR_AGAIN;
}

static int s_send (peer_port_t *base, uint32_t node_id, peer_channel_t channel, dt_buffer_t *frame)
{
    dt_assert ((unsigned) channel < PEER_CHANNELS);
    s_port_t *self = s_self (base);
    s_link_t *link = s_find (self, node_id);
    if (!link) {
        self->counters.gone++;
        return DT_ERR_NOT_FOUND;
    }
    size_t bytes = frame->bytes;
    int rc = s_send_body (self, link, channel, frame);
    if (rc == 0) {
        self->counters.sent++;
        self->counters.sent_bytes += bytes;
    } else if (rc == DT_ERR_AGAIN) {
        self->counters.busy++;
    }
    return rc;
}

// A route that is gone or that does not read gets none; after the route the body never blocks.
static void s_send_refusal (peer_port_t *base, const transport_route_t *route, const uint8_t *data,
                            size_t bytes)
{
    s_port_t *self = s_self (base);
    if (zmq_edge_send (self->router.socket, route->data, route->bytes, ZMQ_SNDMORE) >= 0) {
        (void) zmq_edge_send (self->router.socket, data, bytes, 0);
    }
}

static int s_receive_refusal (peer_port_t *base, uint32_t *node_id, transport_message_t *message)
{
    s_port_t *self = s_self (base);
    for (int i = 0; i < self->links_count; i++) {
        for (int channel = 0; channel < PEER_CHANNELS; channel++) {
            int rc = zmq_edge_receive_plain (&self->links[i].channels[channel], message,
                                             &self->counters);
            if (rc == 0) {
                *node_id = self->links[i].node_id;
                return 0;
            }
        }
    }
    return DT_ERR_AGAIN;
}

static void *s_poll_socket (peer_port_t *base)
{
    return ((s_port_t *) base)->router.socket;
}

static const transport_counters_t *s_counters (peer_port_t *base)
{
    return &((s_port_t *) base)->counters;
}

// --- the port ------------------------------------------------------------------------------------

static void s_close (peer_port_t **base_p)
{
    s_port_t *self = (s_port_t *) *base_p;
    *base_p = NULL;
    if (!self) {
        return;
    }
    for (int i = 0; i < self->links_count; i++) {
        s_close_channels (&self->links[i]);
    }
    if (self->router.socket) {
        zmq_close (self->router.socket);
    }
    port_zmq_ledger_destroy (&self->ledger);
    free (self->links);
    free (self);
}

static int s_configure_router (const s_port_t *self)
{
    const zmq_edge_option_t integers[] = {
        {ZMQ_ROUTER_MANDATORY, 1}, // errors instead of silent loss
        {ZMQ_ROUTER_HANDOVER, 0},  // a route cannot be taken from the connection that has it
        {ZMQ_LINGER, 0},
        {ZMQ_SNDTIMEO, 0},
        {ZMQ_RCVTIMEO, 0},
        {ZMQ_SNDHWM, REFUSALS_MAX},
        {ZMQ_RCVHWM, self->options.receive_messages_max},
        {ZMQ_HANDSHAKE_IVL, 3000},
        {ZMQ_HEARTBEAT_IVL, 0},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 5},
        {ZMQ_TCP_KEEPALIVE_INTVL, 2},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
        {ZMQ_TCP_MAXRT, 4000},
        {ZMQ_IPV6, self->options.ipv6},
    };
    return zmq_edge_configure (self->router.socket, integers, sizeof integers / sizeof *integers,
                               self->options.frame_bytes_max);
}

static int s_open (s_port_t *self)
{
    self->router.socket = zmq_socket (self->context, ZMQ_ROUTER);
    if (!self->router.socket) {
        dt_log_error (self->env, "transport", "no socket for %s: %s", self->options.endpoint,
                      zmq_strerror (errno));
        return DT_ERR_IO;
    }
    return zmq_edge_bind (self->router.socket, self->env, self->options.endpoint,
                          s_configure_router (self), self->endpoint);
}

static void s_fill_in (peer_port_zmq_options_t *options)
{
#define DEFAULT(member, value) options->member = options->member ? options->member : (value)
    DEFAULT (frame_bytes_max, PEER_FRAME_BYTES_MAX);
    DEFAULT (receive_messages_max, 64);
    DEFAULT (send_messages_max, 1000);
    DEFAULT (link_bytes_max, (size_t) 16 << 20);
    DEFAULT (links_max, 64);
#undef DEFAULT
}

int peer_port_zmq_new (peer_port_t **self_p, void *zmq_context, const dt_env_t *env,
                       const peer_port_zmq_options_t *options)
{
    dt_assert (zmq_context);
    dt_assert (options->endpoint);
    s_port_t *self = dt_zalloc (1, sizeof *self);
    self->base = (peer_port_t){
        .receive = s_receive,
        .connect = s_connect,
        .disconnect = s_disconnect,
        .send = s_send,
        .send_refusal = s_send_refusal,
        .receive_refusal = s_receive_refusal,
        .poll_socket = s_poll_socket,
        .counters = s_counters,
        .close = s_close,
    };
    self->env = env;
    self->context = zmq_context;
    self->options = *options;
    s_fill_in (&self->options);
    self->links = dt_zalloc ((size_t) self->options.links_max, sizeof *self->links);
    size_t total = self->options.link_bytes_max * PEER_CHANNELS * (size_t) self->options.links_max;
    self->ledger = port_zmq_ledger_new (self->options.link_bytes_max, total, env->entropy (env));
    peer_port_t *base = &self->base;
    int rc = s_open (self);
    if (rc != 0) {
        s_close (&base);
        return rc;
    }
    *self_p = base;
    return 0;
}

const char *peer_port_zmq_endpoint (const peer_port_t *self)
{
    return ((const s_port_t *) self)->endpoint;
}
