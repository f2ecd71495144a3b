#include "transport/zmq_edge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"

#define ZERO_COPY_BYTES_MIN (16 * 1024) // from here on moving memory is cheaper than copying it
#define DRAIN_FRAMES_MAX    1000 // frames dropped per call, so that one client cannot hold us

static __thread char s_thread_mark;

const void *zmq_edge_thread (void)
{
    return &s_thread_mark;
}

int zmq_edge_error (int zmq_errno)
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

// --- sending -------------------------------------------------------------------------------------

// libzmq reports an interrupted call although nothing was sent or received: try again [ZMQ-12].
int zmq_edge_send (void *socket, const void *data, size_t bytes, int flags)
{
    int rc;
    do {
        rc = zmq_send (socket, data, bytes, flags | ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

static int s_send_message (void *socket, zmq_msg_t *frame)
{
    int rc;
    do {
        rc = zmq_msg_send (frame, socket, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? zmq_edge_error (errno) : 0;
}

int zmq_edge_send_counted (void *socket, port_zmq_account_t *account, dt_buffer_t *body)
{
    size_t bytes = body->bytes;
    bool move = bytes >= ZERO_COPY_BYTES_MIN;
    uint8_t *memory = move ? body->data : dt_memdup (body->data, bytes);
    void *hint = port_zmq_ledger_enter (account, bytes);
    zmq_msg_t frame;
    if (zmq_msg_init_data (&frame, memory, bytes, port_zmq_ledger_return, hint) != 0) {
        port_zmq_ledger_return (move ? NULL : memory, hint);
        return DT_ERR_IO;
    }
    int rc = s_send_message (socket, &frame);
    if (rc != 0) {
        if (move) {
            port_zmq_ledger_keep (hint);
        }
        zmq_msg_close (&frame);
        return rc;
    }
    if (move) {
        *body = (dt_buffer_t){0};
    } else {
        dt_buffer_clear (body);
    }
    return 0;
}

// --- receiving -----------------------------------------------------------------------------------

static inline int s_receive_frame (void *socket, zmq_msg_t *frame)
{
    int rc;
    do {
        rc = zmq_msg_recv (frame, socket, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

// Drop the rest of the current message, at most DRAIN_FRAMES_MAX frames of it; none is kept.
static int s_drain (zmq_edge_reader_t *reader)
{
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    int rc = DT_ERR_MALFORMED;
    for (int i = 0; i < DRAIN_FRAMES_MAX && reader->draining; i++) {
        if (s_receive_frame (reader->socket, &frame) < 0) {
            rc = zmq_edge_error (errno);
            break;
        }
        reader->draining = zmq_msg_more (&frame);
    }
    zmq_msg_close (&frame);
    return rc;
}

static int s_refuse (zmq_edge_reader_t *reader, zmq_msg_t *frame, transport_counters_t *counters)
{
    counters->malformed++;
    reader->draining = zmq_msg_more (frame);
    return reader->draining ? s_drain (reader) : DT_ERR_MALFORMED;
}

static void s_release (void *owner)
{
    zmq_msg_close (owner);
    free (owner);
}

// Hand a frame out as the body of a message.
static void s_hand_out (zmq_msg_t *frame, transport_message_t *message)
{
    zmq_msg_t *owner = dt_malloc (sizeof *owner);
    zmq_msg_init (owner);
    zmq_msg_move (owner, frame);
    message->data = zmq_msg_data (owner);
    message->bytes = zmq_msg_size (owner);
    message->owner = owner;
    message->release = s_release;
}

// Read the frames of one message. The body ends up in *frame.
static int s_receive_message (zmq_edge_reader_t *reader, bool delimiter,
                              transport_message_t *message, zmq_msg_t *frame,
                              transport_counters_t *counters)
{
    if (s_receive_frame (reader->socket, frame) < 0) {
        return zmq_edge_error (errno);
    }
    size_t route_bytes = zmq_msg_size (frame);
    if (!zmq_msg_more (frame) || route_bytes > TRANSPORT_ROUTE_BYTES_MAX) {
        return s_refuse (reader, frame, counters);
    }
    message->route.bytes = (uint8_t) route_bytes;
    memcpy (message->route.data, zmq_msg_data (frame), route_bytes);

    // The frames of a message arrive together, so a missing one is an error of the socket.
    if (s_receive_frame (reader->socket, frame) < 0) {
        return zmq_edge_error (errno);
    }
    message->delimiter = zmq_msg_more (frame);
    if (!message->delimiter) {
        return 0;
    }
    if (!delimiter || zmq_msg_size (frame) != 0) {
        return s_refuse (reader, frame, counters);
    }
    if (s_receive_frame (reader->socket, frame) < 0) {
        return zmq_edge_error (errno);
    }
    return zmq_msg_more (frame) ? s_refuse (reader, frame, counters) : 0;
}

int zmq_edge_receive_routed (zmq_edge_reader_t *reader, bool delimiter,
                             transport_message_t *message, transport_counters_t *counters)
{
    if (__builtin_expect (reader->draining, 0)) {
        return s_drain (reader);
    }
    // On the stack first: most calls that find nothing then cost no allocation.
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    int rc = s_receive_message (reader, delimiter, message, &frame, counters);
    if (rc == 0) {
        s_hand_out (&frame, message);
        counters->received++;
        counters->received_bytes += message->bytes;
    }
    zmq_msg_close (&frame);
    return rc;
}

int zmq_edge_receive_plain (zmq_edge_reader_t *reader, transport_message_t *message,
                            transport_counters_t *counters)
{
    if (reader->draining) {
        return s_drain (reader);
    }
    zmq_msg_t frame;
    zmq_msg_init (&frame);
    int rc = s_receive_frame (reader->socket, &frame) < 0 ? zmq_edge_error (errno) : 0;
    if (rc == 0 && zmq_msg_more (&frame)) {
        rc = s_refuse (reader, &frame, counters);
    } else if (rc == 0) {
        s_hand_out (&frame, message);
    }
    zmq_msg_close (&frame);
    return rc;
}

// --- options and binding -------------------------------------------------------------------------

int zmq_edge_configure (void *socket, const zmq_edge_option_t *options, size_t count,
                        size_t frame_bytes_max)
{
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt (socket, options[i].option, &options[i].value,
                            sizeof options[i].value) != 0) {
            return errno;
        }
    }
    int64_t bytes_max = (int64_t) frame_bytes_max;
    return zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) ? errno : 0;
}

static int s_bind_failed (const dt_env_t *env, const char *endpoint, int zmq_errno)
{
    switch (zmq_errno) {
    case EADDRINUSE:
        dt_log_error (env, "transport",
                      "cannot listen on %s: another process does; stop it or choose another port",
                      endpoint);
        return DT_ERR_IN_USE;
    case EACCES:
    case EPERM:
        dt_log_error (env, "transport",
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
        dt_log_error (env, "transport",
                      "cannot listen on %s: %s; an endpoint looks like tcp://ADDRESS:PORT, with an "
                      "address or interface of this machine or *",
                      endpoint, zmq_strerror (zmq_errno));
        return DT_ERR_INVALID;
    default:
        dt_log_error (env, "transport", "cannot listen on %s: %s", endpoint,
                      zmq_strerror (zmq_errno));
        return DT_ERR_IO;
    }
}

int zmq_edge_bind (void *socket, const dt_env_t *env, const char *endpoint, int zmq_errno,
                   char bound[ZMQ_EDGE_ENDPOINT_BYTES_MAX])
{
    size_t bytes = ZMQ_EDGE_ENDPOINT_BYTES_MAX;
    if (zmq_errno == 0 && (zmq_bind (socket, endpoint) != 0 ||
                           zmq_getsockopt (socket, ZMQ_LAST_ENDPOINT, bound, &bytes) != 0)) {
        zmq_errno = errno;
    }
    return zmq_errno == 0 ? 0 : s_bind_failed (env, endpoint, zmq_errno);
}
