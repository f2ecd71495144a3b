// transport_port - where messages of clients come in and replies go out.
//
// A table of functions with a real twin on a ZeroMQ ROUTER (port_zmq.h) and a simulated one. None
// of them blocks or suspends. One thread uses a port, from its first receive or send on.
//
// Delivery is that of ZeroMQ: at most once, in order per client while its connection lasts.

#ifndef TRANSPORT_PORT_H
#define TRANSPORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/dt_blob.h"
#include "base/dt_buffer.h"

enum {
    TRANSPORT_ROUTE_BYTES_MAX = 255,
};

// Which client a message came from: the key to answer it by. A plain value; two routes are of one
// client exactly if their bytes are equal. Only data[0 .. bytes) is ever set.
typedef struct {
    uint8_t bytes;
    uint8_t data[TRANSPORT_ROUTE_BYTES_MAX];
} transport_route_t;

// Copy a route; cheaper than an assignment, as routes are mostly 5 bytes long.
static inline void transport_route_copy (transport_route_t *self, const transport_route_t *from)
{
    self->bytes = from->bytes;
    memcpy (self->data, from->data, from->bytes);
}

static inline bool transport_route_equal (const transport_route_t *self,
                                          const transport_route_t *other)
{
    return self->bytes == other->bytes && memcmp (self->data, other->data, self->bytes) == 0;
}

// A message of a client. The receiver owns `owner` and calls release (owner) once, on any thread,
// when nobody reads data any more; dt_blob_wrap ((void *) data, bytes, release, owner) shares it.
typedef struct {
    transport_route_t route;  // who sent it
    bool delimiter;           // an empty frame stood before the body: answers need one too
    const uint8_t *data;      // the body frame
    size_t bytes;             //
    void *owner;              // of data
    dt_blob_free_fn *release; //
} transport_message_t;

// Release the message's memory.
static inline void transport_message_release (transport_message_t *message)
{
    message->release (message->owner);
    message->owner = NULL;
}

// What a port has counted since it was made.
typedef struct {
    uint64_t received;       // messages handed out
    uint64_t received_bytes; // in their bodies
    uint64_t malformed;      // messages dropped for their number of frames
    uint64_t sent;           // messages accepted for sending
    uint64_t sent_bytes;     // in their bodies
    uint64_t busy;           // sends refused: the client does not read
    uint64_t gone;           // sends refused: the client is not connected
} transport_counters_t;

typedef struct transport_port transport_port_t;

struct transport_port {
    // Take the next message. 0: *message is the caller's.
    // DT_ERR_AGAIN: none is there. DT_ERR_MALFORMED: a message, or a stretch of an endless one, was
    // dropped; call again. DT_ERR_CLOSED: the port is of no use any more.
    int (*receive) (transport_port_t *self, transport_message_t *message);

    // Send one message to a client: the body frame, after an empty one if `delimiter`. On success
    // the body's bytes are taken: the buffer comes back empty, with or without its memory.
    // On error the body is untouched. DT_ERR_BUSY: too much is waiting for this client already; a
    // later try may succeed. DT_ERR_NOT_FOUND: the client is not connected. DT_ERR_CLOSED.
    int (*send) (transport_port_t *self, const transport_route_t *route, bool delimiter,
                 dt_buffer_t *body);

    // The ZeroMQ socket to wait on until receive has something; NULL if there is none.
    void *(*poll_socket) (transport_port_t *self);

    // For a port without such a socket (NULL for the others): call fn (argument) whenever receive has
    // something again. fn NULL: no more.
    void (*notify) (transport_port_t *self, void (*fn) (void *argument), void *argument);

    // Counters so far; the port's own, valid while it lives.
    const transport_counters_t *(*counters) (transport_port_t *self);

    // Drop what was not sent, free the port and null the pointer. Accepts a NULL port.
    // Messages received before stay valid until released.
    void (*close) (transport_port_t **self_p);
};

#endif // TRANSPORT_PORT_H
