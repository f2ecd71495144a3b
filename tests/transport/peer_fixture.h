// peer_fixture - nodes of real threads and sockets for tests of the links between them.
//
// A node is two hosts: the peer actor on one; on the other one actor per group, which counts and
// keeps what it is told. The test waits for what it expects; there is a ceiling of 20 s.

#ifndef PEER_FIXTURE_H
#define PEER_FIXTURE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport/peer_actor.h"
#include "transport/peer_port_zmq.h"

enum { PEER_FIXTURE_GROUPS = 2, PEER_FIXTURE_NODES_MAX = 8 };

typedef struct peer_fixture_node peer_fixture_node_t;

typedef struct {
    uint32_t node_id;
    uint64_t cluster_id;    // 0: 1
    const char *endpoint;   // to bind; NULL: an ephemeral port
    size_t bytes_max;       // as in peers_options_t
    uint32_t dead_after_ms; // 0: 1000
    size_t frame_bytes_max; // of the port
    size_t link_bytes_max;  // of the port
} peer_fixture_options_t;

// Set up and tear down what all nodes of a test share. The tear-down stops nodes that still run.
void peer_fixture_setup (void);
void peer_fixture_teardown (void);
void *peer_fixture_context (void);

// Start a node; its groups have the ids 1 and 7, and name nobody yet.
peer_fixture_node_t *peer_fixture_start (const peer_fixture_options_t *options);

// Stop a node and free it, as the end of its process would.
void peer_fixture_stop (peer_fixture_node_t **self_p);

const char *peer_fixture_endpoint (const peer_fixture_node_t *self);
uint64_t peer_fixture_boot_id (const peer_fixture_node_t *self);

// Let a group (index 0 or 1) name one node, or none if endpoint is NULL.
void peer_fixture_name (peer_fixture_node_t *self, int group, uint32_t node_id,
                        const char *endpoint);

// Let group 0 name several nodes.
void peer_fixture_name_all (peer_fixture_node_t *self, const peer_node_t *nodes, uint32_t count);

typedef struct {
    int group;              // index of the sending group
    uint32_t node_id;       // to whom
    uint8_t kind;           //
    peer_channel_t channel; //
    uint32_t count;         // messages, alike, sent in one turn
    size_t head_bytes;      // of each; filled with a pattern
    size_t bytes;           // second part; the same
} peer_fixture_send_t;

// Send messages from a group. Their terms count up from 1 with each call's messages.
void peer_fixture_send (peer_fixture_node_t *self, const peer_fixture_send_t *send);

// What a group was told so far.
typedef struct {
    uint64_t messages, bytes;
    uint64_t of_kind[256];
    uint64_t reached;      // PEER_REACHED, how many
    uint64_t boot_id;      // of the last
    uint64_t broken;       // messages whose body is not the pattern
    uint64_t out_of_order; // messages whose term is below the one before, of its kind
    uint64_t from[16];     // by sender
} peer_fixture_seen_t;

void peer_fixture_seen (peer_fixture_node_t *self, int group, peer_fixture_seen_t *seen);
bool peer_fixture_status (peer_fixture_node_t *self, uint32_t node_id, peer_status_t *status);
void peer_fixture_counters (peer_fixture_node_t *self, peers_counters_t *counters);

// Whether a line with both texts was logged by any node.
bool peer_fixture_logged (const char *text, const char *other);

// Let time pass until something may have changed; aborts the test after 20 s of them in a row.
void peer_fixture_pass (int64_t start_ns);
int64_t peer_fixture_now_ns (void);

#define peer_fixture_wait(condition)                                                               \
    do {                                                                                           \
        int64_t start_ns_ = peer_fixture_now_ns ();                                                \
        while (!(condition)) {                                                                     \
            peer_fixture_pass (start_ns_);                                                         \
        }                                                                                          \
    } while (0)

// Conditions to wait for.
bool peer_fixture_connected (peer_fixture_node_t *self, uint32_t node_id);
bool peer_fixture_has (peer_fixture_node_t *self, int group, uint8_t kind, uint64_t count);

#endif // PEER_FIXTURE_H
