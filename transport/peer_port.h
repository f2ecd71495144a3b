// peer_port - where frames of other nodes come in and frames to them go out.
//
// A table of functions with a real twin (peer_port_zmq.h: one ROUTER bound to the replicate
// endpoint, two one-way DEALERs for each peer [ZMQ-1]) and a simulated one (tests/sim). None of
// them blocks or suspends. One thread uses a port, from its first call on.

#ifndef PEER_PORT_H
#define PEER_PORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "transport/peer_message.h"
#include "transport/transport_port.h"

typedef struct peer_port peer_port_t;

struct peer_port {
    // Take the next frame of whatever node; transport_message_t.route is where a refusal can be
    // sent (send_refusal). DT_ERR_AGAIN, DT_ERR_MALFORMED (one was dropped; call again),
    // DT_ERR_CLOSED.
    int (*receive) (peer_port_t *self, transport_message_t *message);

    // Make, or make anew, both links to a node; endpoint is copied. An existing link is closed
    // first: what it had not sent is dropped [ZMQ-8]. DT_ERR_INVALID: not an endpoint. DT_ERR_BUSY:
    // no sockets left.
    int (*connect) (peer_port_t *self, uint32_t node_id, const char *endpoint);

    // Close the links to a node. None: no-op.
    void (*disconnect) (peer_port_t *self, uint32_t node_id);

    // Send one frame. On success its bytes are taken (the buffer comes back empty).
    // DT_ERR_AGAIN: not connected now, or too much is waiting. DT_ERR_NOT_FOUND: no link.
    int (*send) (peer_port_t *self, uint32_t node_id, peer_channel_t channel, dt_buffer_t *frame);

    // Answer a frame on the connection it came by, best effort: only to say why its sender is
    // refused. Does not take the bytes.
    void (*send_refusal) (peer_port_t *self, const transport_route_t *route, const uint8_t *data,
                          size_t bytes);

    // Take a refusal that came back on a link of ours. DT_ERR_AGAIN: none. *node_id: of the link.
    int (*receive_refusal) (peer_port_t *self, uint32_t *node_id, transport_message_t *message);

    // As in transport_port.h.
    void *(*poll_socket) (peer_port_t *self);
    void (*notify) (peer_port_t *self, void (*fn) (void *argument), void *argument);
    const transport_counters_t *(*counters) (peer_port_t *self);
    void (*close) (peer_port_t **self_p);
};

#endif // PEER_PORT_H
