// peer_link - what this node keeps of one other node: its link, what waits to be sent on it, whose
// life answers there, and counters. Used by the peer actor only, on its thread.
//
// A link is closed (no group names the node: nothing is sent, but its frames are taken), or open.
// Open means that the port has sockets for it, or is asked for them again later if it refused. A
// link on which sends are refused for long is made anew, at growing, jittered intervals [ZMQ-8]:
// the socket may be one that never connects again.

#ifndef PEER_LINK_H
#define PEER_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dt_env.h"
#include "base/dt_random.h"
#include "transport/peer_identity.h"
#include "transport/peer_message.h"
#include "transport/peer_port.h"
#include "transport/peer_protocol.h"
#include "transport/peer_queue.h"

// What all links of a node share.
typedef struct {
    const dt_env_t *env; // borrowed
    peer_port_t *port;   // borrowed
    uint64_t cluster_id;
    uint32_t node_id;      // this node's
    uint64_t boot_id;      // this process's
    size_t bytes_max;      // of messages waiting for one node
    int64_t dead_after_ns; //
    int64_t tick_ns;       // between two calls of peer_link_tick
    uint64_t epochs;       // given to links so far
    dt_random_t random;    // jitter
} peer_links_t;

typedef struct {
    peer_links_t *links; // borrowed
    uint32_t node_id;
    uint32_t references;                        // groups that name the node
    char endpoint[PEER_ENDPOINT_BYTES_MAX + 1]; // empty: not known
    bool open;                                  // see above
    bool made;                                  // the port has sockets for it
    peer_identity_t identity;                   //
    peer_queue_t queue;                         //
    dt_buffer_t frames[PEER_CHANNELS];          // packed, waiting to be taken by the port
    size_t packed[PEER_CHANNELS];               // messages in them
    bool hello_due;                             //
    uint64_t answer;                            // nonce to be answered; 0: none
    uint64_t epoch;                             // of our link
    uint64_t epoch_heard;                       // highest of the accepted life
    int64_t made_ns;                            // when it was made or tried last
    int64_t sent_ns;                            // when a frame was last taken on PEER_CONTROL
    int64_t refused_ns[PEER_CHANNELS];          // sends are refused since then; 0: they are not
    int64_t remake_wait_ns;                     // refused for longer: make it anew
    int64_t heard_ns;                           // 0: never
    bool reached;                               // was connected when last looked at
    int64_t refusal_ns;                         // before, no further refusal is sent ...
    int64_t refuse_log_ns;                      // ... or logged
    int64_t refused_log_ns;                     // before, no refusal by the node is logged
    uint64_t frames_sent, bytes_sent;
    uint64_t frames_received, bytes_received;
    uint64_t lost;    // messages in frames that were dropped
    uint64_t refused; // frames of it
    uint64_t stale;   // frames of it
} peer_link_t;

peer_link_t *peer_link_new (peer_links_t *links, uint32_t node_id);
void peer_link_destroy (peer_link_t **self_p);

// Open the link, or make it anew if the endpoint is another one.
void peer_link_open (peer_link_t *self, const char *endpoint, int64_t now_ns);

// Close the link and drop what waits.
void peer_link_close (peer_link_t *self);

// Take a message to be sent; owned from here on. Dropped and counted if the link is closed.
void peer_link_push (peer_link_t *self, peer_message_t *message);

// Pack what waits into frames and hand them to the port as far as it takes them.
void peer_link_flush (peer_link_t *self, int64_t now_ns);

// When to flush again although nothing new has come; INT64_MAX: no need.
int64_t peer_link_retry_ns (const peer_link_t *self, int64_t now_ns);

// Once per tick: hellos, making anew, dropping what waits for a node that is not there; flushes.
void peer_link_tick (peer_link_t *self, int64_t now_ns);

// A life of the node that is not known sends to us: if our sends are refused, the port may be
// pausing before it connects again, so make the link anew at once.
void peer_link_hurry (peer_link_t *self, int64_t now_ns);

// Heard from within dead_after.
bool peer_link_connected (const peer_link_t *self, int64_t now_ns);

// Messages that were dropped.
uint64_t peer_link_dropped (const peer_link_t *self);

#endif // PEER_LINK_H
