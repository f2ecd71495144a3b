// peer_port_zmq - a peer_port on ZeroMQ: one ROUTER bound to the replicate endpoint, two DEALERs
// for each node [ZMQ-1].
//
// What is bounded:
// - sockets: 1 + 2 * links_max, made by connect and by nothing else [ZMQ-10].
// - receiving: receive_messages_max unread frames for each connection; libzmq then stops reading
// it.
// - sending: per DEALER send_messages_max frames, and link_bytes_max bytes in frames of 256 bytes
//   and more (one frame over the limit is let through when nothing is waiting). Beyond them send
//   refuses with DT_ERR_AGAIN. A node that never reads so costs about 2 * link_bytes_max.
// - a frame over frame_bytes_max makes libzmq close that connection; the port goes on.
//
// A DEALER to which its peer sends what breaks the protocol never connects again: who owns the port
// notices that sends are refused for long and calls connect anew [ZMQ-8].
//
// Host names in endpoints are looked up on libzmq's I/O thread, where a slow name server delays all
// links: prefer addresses.

#ifndef PEER_PORT_ZMQ_H
#define PEER_PORT_ZMQ_H

#include "base/dt_env.h"
#include "transport/peer_port.h"

// 0 everywhere takes the default named beside it.
typedef struct {
    const char *endpoint;     // to bind: "tcp://127.0.0.1:9331", "tcp://*:*"; must be given
    bool ipv6;                // also use IPv6; default no
    size_t frame_bytes_max;   // largest frame taken; PEER_FRAME_BYTES_MAX
    int receive_messages_max; // unread, per connection; 64
    int send_messages_max;    // unsent, per DEALER; 1000
    size_t link_bytes_max;    // unsent in frames of 256 bytes and more, per DEALER; 16 MiB
    int links_max;            // nodes connected to at once; 64
} peer_port_zmq_options_t;

// Bind a port. zmq_context and env outlive it; the context has room for the sockets. Failures are
// logged; results as port_zmq_new.
int peer_port_zmq_new (peer_port_t **self_p, void *zmq_context, const dt_env_t *env,
                       const peer_port_zmq_options_t *options);

// The endpoint bound to, wildcards resolved; the port's own string.
const char *peer_port_zmq_endpoint (const peer_port_t *self);

#endif // PEER_PORT_ZMQ_H
