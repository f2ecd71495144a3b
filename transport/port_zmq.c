#include "transport/port_zmq.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "transport/port_zmq_ledger.h"
#include "transport/protocol.h"
#include "transport/zmq_edge.h"

typedef struct {
    transport_port_t base;
    const dt_env_t *env;
    zmq_edge_reader_t reader;      // its socket is a ROUTER, owned
    const void *owner;             // mark of the thread that uses the port; NULL until first use
    port_zmq_ledger_t *ledger;     // owned
    transport_counters_t counters; //
    char endpoint[ZMQ_EDGE_ENDPOINT_BYTES_MAX]; // bound to
} s_port_t;

static inline s_port_t *s_self (transport_port_t *base)
{
    s_port_t *self = (s_port_t *) base;
    if (!self->owner) {
        self->owner = zmq_edge_thread ();
    }
    dt_assert (self->owner == zmq_edge_thread ()); // sockets are not thread safe [ZMQ-14]
    return self;
}

static int s_receive (transport_port_t *base, transport_message_t *message)
{
    s_port_t *self = s_self (base);
    return zmq_edge_receive_routed (&self->reader, true, message, &self->counters);
}

static int s_refuse_send (s_port_t *self, int zmq_errno)
{
    switch (zmq_errno) {
    case EAGAIN:
        self->counters.busy++;
        return DT_ERR_BUSY;
    case EHOSTUNREACH:
        self->counters.gone++;
        return DT_ERR_NOT_FOUND;
    default:
        return zmq_edge_error (zmq_errno);
    }
}

// ROUTER decides at the first frame, the route: after it was accepted the others never block.
static int s_send (transport_port_t *base, const transport_route_t *route, bool delimiter,
                   dt_buffer_t *body)
{
    s_port_t *self = s_self (base);
    port_zmq_account_t *account = NULL;
    size_t bytes = body->bytes;
    if (bytes >= ZMQ_EDGE_COUNTED_BYTES_MIN) {
        account = port_zmq_ledger_admit (self->ledger, route, bytes);
        if (!account) {
            return s_refuse_send (self, EAGAIN);
        }
    }
    if (zmq_edge_send (self->reader.socket, route->data, route->bytes, ZMQ_SNDMORE) < 0) {
        return s_refuse_send (self, errno);
    }
    if (delimiter && zmq_edge_send (self->reader.socket, "", 0, ZMQ_SNDMORE) < 0) {
        return zmq_edge_error (errno);
    }
    if (account) {
        int rc = zmq_edge_send_counted (self->reader.socket, account, body);
        if (rc != 0) {
            return rc;
        }
    } else {
        if (zmq_edge_send (self->reader.socket, body->data, bytes, 0) < 0) {
            return zmq_edge_error (errno);
        }
        dt_buffer_clear (body);
    }
    self->counters.sent++;
    self->counters.sent_bytes += bytes;
    return 0;
}

static void *s_poll_socket (transport_port_t *base)
{
    return ((s_port_t *) base)->reader.socket;
}

static const transport_counters_t *s_counters (transport_port_t *base)
{
    return &((s_port_t *) base)->counters;
}

static void s_close (transport_port_t **base_p)
{
    s_port_t *self = (s_port_t *) *base_p;
    if (!self) {
        return;
    }
    if (self->reader.socket) {
        zmq_close (self->reader.socket);
    }
    port_zmq_ledger_destroy (&self->ledger);
    free (self);
    *base_p = NULL;
}

// Options take effect at bind, so all are set before it [ZMQ-2, ZMQ-3, ZMQ-4]. No heartbeats: a
// dead client costs nothing but its unsent replies, and TCP finds out.
static int s_configure (s_port_t *self, const port_zmq_options_t *options)
{
    const zmq_edge_option_t integers[] = {
        {ZMQ_ROUTER_MANDATORY, 1}, // errors instead of silent loss
        {ZMQ_ROUTER_HANDOVER, 0},  // a route cannot be taken from the client that has it
        {ZMQ_LINGER, 0},           // closing never waits
        {ZMQ_SNDTIMEO, 0},         // nothing blocks, even by mistake
        {ZMQ_RCVTIMEO, 0},         //
        {ZMQ_SNDHWM, options->send_messages_max ? options->send_messages_max : 20000},
        {ZMQ_RCVHWM, options->receive_messages_max ? options->receive_messages_max : 1000},
        {ZMQ_HANDSHAKE_IVL, 5000},     // connections that say nothing
        {ZMQ_HEARTBEAT_IVL, 0},        // see above
        {ZMQ_TCP_KEEPALIVE, 1},        // clients that vanished without a word are found ...
        {ZMQ_TCP_KEEPALIVE_IDLE, 30},  // ... after 30 + 3 * 10 seconds
        {ZMQ_TCP_KEEPALIVE_INTVL, 10}, //
        {ZMQ_TCP_KEEPALIVE_CNT, 3},    //
        {ZMQ_TCP_MAXRT, 5000},         // ... and sooner when something waits for them
        {ZMQ_BACKLOG, options->backlog ? options->backlog : 1024},
        {ZMQ_IPV6, options->ipv6},
    };
    size_t frame_bytes = options->frame_bytes_max;
    return zmq_edge_configure (self->reader.socket, integers, sizeof integers / sizeof *integers,
                               frame_bytes ? frame_bytes : PROTOCOL_FRAME_BYTES_MAX);
}

static int s_open (s_port_t *self, void *zmq_context, const port_zmq_options_t *options)
{
    self->reader.socket = zmq_socket (zmq_context, ZMQ_ROUTER);
    if (!self->reader.socket) {
        dt_log_error (self->env, "transport", "no socket for %s: %s", options->endpoint,
                      zmq_strerror (errno));
        return DT_ERR_IO;
    }
    return zmq_edge_bind (self->reader.socket, self->env, options->endpoint,
                          s_configure (self, options), self->endpoint);
}

int port_zmq_new (transport_port_t **self_p, void *zmq_context, const dt_env_t *env,
                  const port_zmq_options_t *options)
{
    dt_assert (zmq_context);
    dt_assert (options->endpoint);
    s_port_t *self = dt_zalloc (1, sizeof *self);
    self->base = (transport_port_t){
        .receive = s_receive,
        .send = s_send,
        .poll_socket = s_poll_socket,
        .counters = s_counters,
        .close = s_close,
    };
    self->env = env;
    self->ledger = port_zmq_ledger_new (
        options->client_bytes_max ? options->client_bytes_max : (size_t) 8 << 20,
        options->total_bytes_max ? options->total_bytes_max : (size_t) 256 << 20,
        env->entropy (env));
    transport_port_t *base = &self->base;
    int rc = s_open (self, zmq_context, options);
    if (rc != 0) {
        s_close (&base);
        return rc;
    }
    *self_p = base;
    return 0;
}

const char *port_zmq_endpoint (const transport_port_t *self)
{
    return ((const s_port_t *) self)->endpoint;
}
