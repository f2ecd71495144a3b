// peer_message - what one node's raft groups say to another node's: opaque bodies under a header
// that names group, kind and term.
//
// A peer_message_t is an actor message. A group sends it to the peer actor, which packs what has
// piled up for one node into frames, whatever group it is of; the peer actor over there takes the
// frames apart and hands each message to its group. What a body means is the business of raft/.
//
// Delivery: at most once, gaps, reordering across reconnects, any delay [ZMQ-9]. A message that
// cannot be sent (no connection, over the byte bound of the peer) is dropped and counted: raft
// sends it again if it still matters.

#ifndef PEER_MESSAGE_H
#define PEER_MESSAGE_H

#include <stdint.h>

#include "actors/actor.h"
#include "base/dt_blob.h"
#include "base/dt_buffer.h"

enum {
    // Group (or snapshot actor) to peer actor, and peer actor to group.
    PEER_MESSAGE = 500, // peer_message_t
    // Group to peer actor.
    PEER_NODES, // peer_nodes_t: whom this group talks to
    // Peer actor to group.
    PEER_REACHED, // peer_reached_t: a node came, or came back in another life
};

// The two one-way links to a peer. Bulk never delays control.
typedef enum {
    PEER_CONTROL, // votes, heartbeats, appends, reads
    PEER_BULK,    // pieces of snapshots
} peer_channel_t;

enum {
    PEER_CHANNELS = 2,
    PEER_ENDPOINT_BYTES_MAX = 95,                           // without the NUL
    PEER_BODY_BYTES_MAX = 9 * 1024 * 1024,                  // of one message
    PEER_FRAME_BYTES_MAX = PEER_BODY_BYTES_MAX + 64 * 1024, // of one frame; enforced by libzmq
};

typedef struct {
    actor_message_t message; // PEER_MESSAGE
    uint32_t node_id;        // sending: to whom; receiving: from whom (verified)
    uint32_t group_id;       //
    uint64_t term;           // the sender's
    uint8_t kind;            // of raft's; see raft/core/raft_message.h
    uint8_t channel;         // peer_channel_t
    dt_buffer_t head;        // owned: first part of the body when sending; empty when receiving.
                             // When too much waits, messages of PEER_CONTROL without a second part
                             // are dropped last: keep votes and heartbeats in the head
    dt_blob_t *blob;         // owned reference: memory of the second part; may be NULL
    const uint8_t *data;     // sending: second part of the body; receiving: the whole body; in blob
    size_t bytes;            // of data
} peer_message_t;

// Create an empty message; freed with actor_message_free, or by itself.
peer_message_t *peer_message_new (void);

// Free a message that no actor holds. Accepts NULL.
void peer_message_destroy (peer_message_t **self_p);

// A node of a group, as the group's configuration knows it.
typedef struct {
    uint32_t node_id;
    char endpoint[PEER_ENDPOINT_BYTES_MAX + 1]; // of its peer port, "tcp://host:port"
} peer_node_t;

// The nodes a group talks to from now on, this node excepted; replaces what the group said before.
// Links exist as long as some group names the node.
typedef struct {
    actor_message_t message; // PEER_NODES
    uint32_t group_id;
    uint32_t count;
    peer_node_t *nodes; // owned
} peer_nodes_t;

peer_nodes_t *peer_nodes_new (uint32_t group_id, uint32_t count);

// Told to every group that names the node when it is heard again after a silence, or in a new life,
// and to a group that begins to name it while it is there. boot_id differs from the one told before
// exactly if the node's process was started anew.
typedef struct {
    actor_message_t message; // PEER_REACHED
    uint32_t node_id;
    uint64_t boot_id;
} peer_reached_t;

#endif // PEER_MESSAGE_H
