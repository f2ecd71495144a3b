// port_zmq - a transport_port on a ZeroMQ ROUTER bound to a TCP (or ipc) endpoint.
//
// What is bounded, per client:
// - receiving: receive_messages_max unread messages of at most frame_bytes_max each; libzmq then
//   stops reading that connection. libzmq cannot count bytes; the owner drains the port all the
//   time and refuses work itself, so that little is ever unread.
// - sending: send_messages_max messages, and client_bytes_max bytes in bodies of 256 bytes and more
//   (one body over the limit is let through when nothing is waiting); over all clients
//   total_bytes_max. Beyond them send refuses with DT_ERR_BUSY. A client that never reads so costs
//   at most send_messages_max * 376 bytes + client_bytes_max, about 16 MiB by default, or one body
//   over the limit. libzmq learns late what was read, so a client that reads is sure of
//   send_messages_max / 2 only: keep that above the requests one client may have in flight.
// - a message of too many frames is drained frame by frame and none is kept. What is NOT bounded: a
//   multipart message whose last frame never comes is kept by libzmq, which hands out and counts
//   whole messages only. Only who may connect limits that: bind to a trusted network.
// - a frame over frame_bytes_max makes libzmq close that client's connection.
//
// Clients must not set ZMQ_ROUTING_ID: of two clients that claim one id the second is not heard.

#ifndef PORT_ZMQ_H
#define PORT_ZMQ_H

#include "base/dt_env.h"
#include "transport/transport_port.h"

// 0 everywhere takes the default named beside it.
typedef struct {
    const char *endpoint;     // "tcp://127.0.0.1:9332", "tcp://*:*"; must be given
    bool ipv6;                // also listen on and accept IPv6; default no
    size_t frame_bytes_max;   // largest frame taken; PROTOCOL_FRAME_BYTES_MAX
    int receive_messages_max; // unread, per client; 1000
    int send_messages_max;    // unsent, per client; 20 000
    size_t client_bytes_max;  // unsent in bodies of 256 bytes and more, per client; 8 MiB
    size_t total_bytes_max;   // the same over all clients; 256 MiB
    int backlog;              // connections not accepted yet; 1024
} port_zmq_options_t;

// Bind a port. zmq_context and env outlive it. Failures are logged with the endpoint's name.
// DT_ERR_IN_USE: somebody listens there. DT_ERR_INVALID: the endpoint is none, or is not an address
// of this machine. DT_ERR_PERMISSION. DT_ERR_IO: anything else, such as no sockets left.
int port_zmq_new (transport_port_t **self_p, void *zmq_context, const dt_env_t *env,
                  const port_zmq_options_t *options);

// The endpoint bound to, wildcards resolved; the port's own string.
const char *port_zmq_endpoint (const transport_port_t *self);

#endif // PORT_ZMQ_H
