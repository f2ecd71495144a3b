// peer_actor - the actor that owns the links to other nodes.
//
// Packs messages of all groups to one node into common frames, takes incoming frames apart, and
// supervises the links: opens those the groups name, makes a dead one anew under a new link epoch
// [ZMQ-8], refuses frames of another cluster, for another node, or of a second process that claims
// a known node id, with one clear log line on both sides [RAFT-19]. Every frame names cluster,
// sender, addressee, boot id and link epoch.
//
// Bounds, per peer: bytes_max of messages that wait to be packed [ZMQ-6] and one frame for each
// channel; beyond them bulk is dropped first, then appends, votes and heartbeats last. A peer that
// does not read costs that much and delays nobody else; what waits for one that is not there at all
// is dropped after a tenth of a second.
//
// A node that no group names may send to the groups (RAFT-10), but there is no link to answer it
// by.

#ifndef PEER_ACTOR_H
#define PEER_ACTOR_H

#include "actors/actor.h"
#include "transport/peer_message.h"
#include "transport/peer_port.h"

typedef struct peers peers_t;

typedef struct {
    const char *name;  // of the actor
    peer_port_t *port; // owned from here on
    uint64_t cluster_id;
    uint32_t node_id;
    uint64_t boot_id;       // of this process; random, not 0
    size_t bytes_max;       // waiting for one peer; 0: 64 MiB
    uint32_t dead_after_ms; // nothing heard this long: not connected; sends refused this long: link
                            // made anew; 0: 3000
} peers_options_t;

peers_t *peers_new (actor_host_t *host, const peers_options_t *options);

// Add a group, before the host starts: its messages go to `actor`. group_id is not 0.
void peers_add_group (peers_t *self, uint32_t group_id, actor_t *actor);

// Free what is left after the host was joined, closing the port. Accepts NULL.
void peers_destroy (peers_t **self_p);

actor_t *peers_actor (peers_t *self);

typedef struct {
    uint32_t node_id;
    bool named;       // by a group: there is a link to it
    bool connected;   // frames were heard from it within dead_after_ms
    uint64_t boot_id; // of its life last accepted; 0: none
    uint64_t epoch;   // of our link; grows whenever it is made
    uint64_t frames_sent, bytes_sent;
    uint64_t frames_received, bytes_received;
    uint64_t dropped; // messages: no connection or over the bound
    uint64_t refused; // frames of it that were refused, or dropped because its life is not proven
    uint64_t stale;   // frames of it from a former life or link
    size_t waiting;   // bytes of messages that are not packed yet
    int64_t heard_ns; // dispatcher's clock; 0: never
} peer_status_t;

// State of the link to one node. False: no such peer. On the actor's thread.
bool peers_status (const peers_t *self, uint32_t node_id, peer_status_t *status);

typedef struct {
    uint64_t malformed;  // frames, whole or from some place on
    uint64_t foreign;    // frames of another cluster, version, or for another node
    uint64_t no_group;   // messages for a group this node does not have
    uint64_t group_full; // messages dropped because the group's mailbox was full
    uint64_t delivered;  // messages
    uint64_t refused_us; // refusals received
} peers_counters_t;

// On the actor's thread.
const peers_counters_t *peers_counters (const peers_t *self);

#endif // PEER_ACTOR_H
