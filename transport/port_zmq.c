#include "transport/port_zmq.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "transport/port_zmq_ledger.h"
#include "transport/protocol.h"

#define COUNTED_BYTES_MIN   256         // smaller bodies are bounded by their number
#define ZERO_COPY_BYTES_MIN (16 * 1024) // from here on moving memory is cheaper than copying it
#define DRAIN_FRAMES_MAX    1000 // frames dropped per call, so that one client cannot hold us
#define ENDPOINT_BYTES_MAX  256

typedef struct {
    transport_port_t base;
    const dt_env_t *env;
    void *socket;                  // ROUTER, owned
    bool draining;                 // inside a message that is being dropped
    const void *owner;             // mark of the thread that uses the port; NULL until first use
    port_zmq_ledger_t *ledger;     // owned
    transport_counters_t counters; //
    char endpoint[ENDPOINT_BYTES_MAX]; // bound to
} s_port_t;

// Its address differs from thread to thread: the mark of a thread without asking the system.
static __thread char s_thread_mark;

static inline s_port_t *s_self (transport_port_t *base)
{
    s_port_t *self = (s_port_t *) base;
    if (!self->owner) {
        self->owner = &s_thread_mark;
    }
    dt_assert (self->owner == &s_thread_mark); // sockets are not thread safe [ZMQ-14]
    return self;
}

// libzmq reports an interrupted call although nothing was sent or received: try again [ZMQ-12].
static inline int s_receive_frame (s_port_t *self, zmq_msg_t *frame)
{
    int rc;
    do {
        rc = zmq_msg_recv (frame, self->socket, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

static int s_send_frame (s_port_t *self, const void *data, size_t bytes, int flags)
{
    int rc;
    do {
        rc = zmq_send (self->socket, data, bytes, flags | ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

static int s_error (int zmq_errno)
{
    switch (zmq_errno) {
    case EAGAIN:
        return DT_ERR_AGAIN;
    case ETERM:
    case ENOTSOCK:
        return DT_ERR_CLOSED;
    default:
        return DT_ERR_IO;
    }
}

// Drop the rest of the current message, at most DRAIN_FRAMES_MAX frames of it; none is kept.
static int s_drain (s_port_t *self)
{
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    int rc = DT_ERR_MALFORMED;
    for (int i = 0; i < DRAIN_FRAMES_MAX && self->draining; i++) {
        if (s_receive_frame (self, &frame) < 0) {
            rc = s_error (errno);
            break;
        }
        self->draining = zmq_msg_more (&frame);
    }
    zmq_msg_close (&frame);
    return rc;
}

static int s_refuse (s_port_t *self, zmq_msg_t *frame)
{
    self->counters.malformed++;
    self->draining = zmq_msg_more (frame);
    return self->draining ? s_drain (self) : DT_ERR_MALFORMED;
}

static void s_release (void *owner)
{
    zmq_msg_close (owner);
    free (owner);
}

// Read the frames of one message. The body ends up in *frame.
static int s_receive_message (s_port_t *self, transport_message_t *message, zmq_msg_t *frame)
{
    if (s_receive_frame (self, frame) < 0) {
        return s_error (errno);
    }
    size_t route_bytes = zmq_msg_size (frame);
    if (!zmq_msg_more (frame) || route_bytes > TRANSPORT_ROUTE_BYTES_MAX) {
        return s_refuse (self, frame);
    }
    message->route.bytes = (uint8_t) route_bytes;
    memcpy (message->route.data, zmq_msg_data (frame), route_bytes);

    // The frames of a message arrive together, so a missing one is an error of the socket.
    if (s_receive_frame (self, frame) < 0) {
        return s_error (errno);
    }
    message->delimiter = zmq_msg_more (frame);
    if (!message->delimiter) {
        return 0;
    }
    if (zmq_msg_size (frame) != 0) {
        return s_refuse (self, frame);
    }
    if (s_receive_frame (self, frame) < 0) {
        return s_error (errno);
    }
    return zmq_msg_more (frame) ? s_refuse (self, frame) : 0;
}

static int s_receive (transport_port_t *base, transport_message_t *message)
{
    s_port_t *self = s_self (base);
    if (__builtin_expect (self->draining, 0)) {
        return s_drain (self);
    }
    // On the stack first: most calls that find nothing then cost no allocation.
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    int rc = s_receive_message (self, message, &frame);
    if (rc != 0) {
        zmq_msg_close (&frame);
        return rc;
    }
    zmq_msg_t *owner = dt_malloc (sizeof *owner);
    zmq_msg_init (owner);
    zmq_msg_move (owner, &frame);
    zmq_msg_close (&frame);
    message->data = zmq_msg_data (owner);
    message->bytes = zmq_msg_size (owner);
    message->owner = owner;
    message->release = s_release;
    self->counters.received++;
    self->counters.received_bytes += message->bytes;
    return 0;
}

// Hand a body of which libzmq gives notice when it is done with it.
static int s_send_counted (s_port_t *self, port_zmq_account_t *account, dt_buffer_t *body)
{
    size_t bytes = body->bytes;
    uint8_t *memory;
    if (bytes >= ZERO_COPY_BYTES_MIN) {
        memory = dt_buffer_detach (body, &bytes);
    } else {
        memory = dt_memdup (body->data, bytes);
        dt_buffer_clear (body);
    }
    void *hint = port_zmq_ledger_enter (account, bytes);
    zmq_msg_t frame;
    if (zmq_msg_init_data (&frame, memory, bytes, port_zmq_ledger_return, hint) != 0) {
        port_zmq_ledger_return (memory, hint);
        return DT_ERR_IO;
    }
    int rc;
    do {
        rc = zmq_msg_send (&frame, self->socket, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        rc = s_error (errno);
        zmq_msg_close (&frame);
        return rc;
    }
    return 0;
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
        return s_error (zmq_errno);
    }
}

// ROUTER decides at the first frame, the route: after it was accepted the others never block.
static int s_send (transport_port_t *base, const transport_route_t *route, bool delimiter,
                   dt_buffer_t *body)
{
    s_port_t *self = s_self (base);
    port_zmq_account_t *account = NULL;
    size_t bytes = body->bytes;
    if (bytes >= COUNTED_BYTES_MIN) {
        account = port_zmq_ledger_admit (self->ledger, route, bytes);
        if (!account) {
            return s_refuse_send (self, EAGAIN);
        }
    }
    if (s_send_frame (self, route->data, route->bytes, ZMQ_SNDMORE) < 0) {
        return s_refuse_send (self, errno);
    }
    if (delimiter && s_send_frame (self, "", 0, ZMQ_SNDMORE) < 0) {
        return s_error (errno);
    }
    if (account) {
        int rc = s_send_counted (self, account, body);
        if (rc != 0) {
            return rc;
        }
    } else {
        if (s_send_frame (self, body->data, bytes, 0) < 0) {
            return s_error (errno);
        }
        dt_buffer_clear (body);
    }
    self->counters.sent++;
    self->counters.sent_bytes += bytes;
    return 0;
}

static void *s_poll_socket (transport_port_t *base)
{
    return ((s_port_t *) base)->socket;
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
    if (self->socket) {
        zmq_close (self->socket);
    }
    port_zmq_ledger_destroy (&self->ledger);
    free (self);
    *base_p = NULL;
}

// Options take effect at bind, so all are set before it [ZMQ-2, ZMQ-3, ZMQ-4]. No heartbeats: a
// dead client costs nothing but its unsent replies, and TCP finds out.
static int s_configure (s_port_t *self, const port_zmq_options_t *options)
{
    const struct {
        int option;
        int value;
    } integers[] = {
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
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        int value = integers[i].value;
        if (zmq_setsockopt (self->socket, integers[i].option, &value, sizeof value) != 0) {
            return errno;
        }
    }
    size_t frame_bytes = options->frame_bytes_max;
    int64_t bytes_max = (int64_t) (frame_bytes ? frame_bytes : PROTOCOL_FRAME_BYTES_MAX);
    return zmq_setsockopt (self->socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) ? errno : 0;
}

static int s_bind_failed (s_port_t *self, const char *endpoint, int zmq_errno)
{
    switch (zmq_errno) {
    case EADDRINUSE:
        dt_log_error (self->env, "transport",
                      "cannot listen on %s: another process does; stop it or choose another port",
                      endpoint);
        return DT_ERR_IN_USE;
    case EACCES:
    case EPERM:
        dt_log_error (self->env, "transport",
                      "cannot listen on %s: not permitted (ports below 1024 "
                      "need a privilege)",
                      endpoint);
        return DT_ERR_PERMISSION;
    case EINVAL:
    case ENODEV:
    case EADDRNOTAVAIL:
    case EPROTONOSUPPORT:
    case ENOCOMPATPROTO:
    case ENAMETOOLONG:
    case ENOENT:
        dt_log_error (self->env, "transport",
                      "cannot listen on %s: %s; an endpoint looks like tcp://ADDRESS:PORT, with an "
                      "address or interface of this machine or *",
                      endpoint, zmq_strerror (zmq_errno));
        return DT_ERR_INVALID;
    default:
        dt_log_error (self->env, "transport", "cannot listen on %s: %s", endpoint,
                      zmq_strerror (zmq_errno));
        return DT_ERR_IO;
    }
}

static int s_open (s_port_t *self, void *zmq_context, const port_zmq_options_t *options)
{
    self->socket = zmq_socket (zmq_context, ZMQ_ROUTER);
    if (!self->socket) {
        dt_log_error (self->env, "transport", "no socket for %s: %s", options->endpoint,
                      zmq_strerror (errno));
        return DT_ERR_IO;
    }
    int zmq_errno = s_configure (self, options);
    if (zmq_errno == 0 && zmq_bind (self->socket, options->endpoint) != 0) {
        zmq_errno = errno;
    }
    if (zmq_errno != 0) {
        return s_bind_failed (self, options->endpoint, zmq_errno);
    }
    size_t bytes = sizeof self->endpoint;
    if (zmq_getsockopt (self->socket, ZMQ_LAST_ENDPOINT, self->endpoint, &bytes) != 0) {
        return s_bind_failed (self, options->endpoint, errno);
    }
    return 0;
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
