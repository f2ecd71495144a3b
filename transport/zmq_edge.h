// zmq_edge - what the ports on ZeroMQ sockets share: frames in and out without blocking, messages
// of a ROUTER, options, binding.

#ifndef ZMQ_EDGE_H
#define ZMQ_EDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

#include "base/dt_buffer.h"
#include "base/dt_env.h"
#include "transport/port_zmq_ledger.h"
#include "transport/transport_port.h"

enum {
    ZMQ_EDGE_ENDPOINT_BYTES_MAX = 256, // with the NUL
    ZMQ_EDGE_COUNTED_BYTES_MIN = 256,  // smaller bodies are bounded by their number
};

// A socket that is read: it may be inside a message that is being dropped.
typedef struct {
    void *socket;
    bool draining;
} zmq_edge_reader_t;

typedef struct {
    int option;
    int value;
} zmq_edge_option_t;

// A mark of the calling thread, without asking the system: its address differs between threads.
const void *zmq_edge_thread (void);

// The DT_ERR_* for an errno of libzmq: AGAIN, CLOSED or IO.
int zmq_edge_error (int zmq_errno);

// Send one frame without waiting; -1 and errno as zmq_send.
int zmq_edge_send (void *socket, const void *data, size_t bytes, int flags);

// Send a body of which libzmq gives notice to the account when it is done with it. On success the
// body's bytes are taken, on error it is untouched.
int zmq_edge_send_counted (void *socket, port_zmq_account_t *account, dt_buffer_t *body);

// Take the next message of a ROUTER: a route, an empty frame if `delimiter` permits one, a body.
// Counts it. Results as transport_port_t.receive.
int zmq_edge_receive_routed (zmq_edge_reader_t *reader, bool delimiter,
                             transport_message_t *message, transport_counters_t *counters);

// Take the next message of a DEALER: a body alone. message->route is not set. Counts only what is
// malformed.
int zmq_edge_receive_plain (zmq_edge_reader_t *reader, transport_message_t *message,
                            transport_counters_t *counters);

// Set options that are integers, and the largest frame to be taken. 0 or an errno.
int zmq_edge_configure (void *socket, const zmq_edge_option_t *options, size_t count,
                        size_t frame_bytes_max);

// Bind, and store the endpoint bound to, wildcards resolved. zmq_errno: of an earlier step; if not
// 0, that is what failed. Failures are logged with the endpoint's name; results as port_zmq_new.
int zmq_edge_bind (void *socket, const dt_env_t *env, const char *endpoint, int zmq_errno,
                   char bound[ZMQ_EDGE_ENDPOINT_BYTES_MAX]);

#endif // ZMQ_EDGE_H
