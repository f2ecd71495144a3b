// net_actor - the actor that owns the client port.
//
// Reads frames, checks envelopes, sorts requests into batches by group and kind, hands the batches
// on, and sends the replies that come back. Answers by itself what needs no group: hello, ping, and
// refusals (malformed, unknown operation or group, too big, too many in flight).
//
// Bounds: in_flight_max requests accepted and not yet answered; a batch as in net_messages.h; the
// port's own limits. Overflow: the request is answered BUSY. A reply to a client that does not read
// is dropped and counted: to that client it is a lost reply.

#ifndef NET_ACTOR_H
#define NET_ACTOR_H

#include "actors/actor.h"
#include "transport/net_messages.h"
#include "transport/protocol_hello.h"
#include "transport/transport_port.h"

typedef struct net net_t;

// Look at a request before it goes anywhere. 0: *kind says what it is (NET_WRITE, NET_READ,
// NET_ADMIN). Otherwise the code to refuse it with (>= 0 of the store, < 0 a DT_ERR_*), and in
// *text a static text that says what is wrong (may stay NULL).
typedef int (net_check_fn) (void *argument, uint32_t operation, const uint8_t *body, size_t bytes,
                            uint16_t *kind, const char **text);

typedef struct {
    uint32_t group_id;
    actor_t *actor;       // gets the group's batches
    net_check_fn *check;  // of the group
    void *check_argument; // given to check
} net_group_t;

typedef struct {
    const char *name;           // of the actor
    transport_port_t *port;     // owned from here on
    uint64_t cluster_id;        // told in hello
    uint32_t node_id;           // told in hello
    const char *server_version; // told in hello; outlives the actor
    protocol_limits_t limits; // told in hello; frame_bytes_max and in_flight_max are enforced here
} net_options_t;

// Create the actor on a host.
net_t *net_new (actor_host_t *host, const net_options_t *options);

// Add a group, before the host starts. The first one added is what group 0 in a request means.
void net_add_group (net_t *self, const net_group_t *group);

// Free what is left after the host was joined, closing the port. Accepts NULL.
void net_destroy (net_t **self_p);

actor_t *net_actor (net_t *self);

// Refuse new requests with STOPPING from now on; what was accepted is still answered. Any thread.
void net_drain (net_t *self);

// After net_drain: everything that was accepted has been answered. Any thread.
bool net_drained (const net_t *self);

typedef struct {
    uint64_t frames;       // received
    uint64_t requests;     // in them
    uint64_t refused;      // answered here with an error
    uint64_t busy;         // of these: too many in flight
    uint64_t malformed;    // of these: could not be read
    uint64_t replies_lost; // the client was gone or did not read
} net_counters_t;

// On the actor's thread.
const net_counters_t *net_counters (const net_t *self);

#endif // NET_ACTOR_H
