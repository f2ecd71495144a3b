// net_messages - what the net actor and the actors behind it say to each other.
//
// Requests arrive in frames of many and travel on in batches of many: a net_requests_t holds
// requests of one kind for one group, from any number of clients, and is itself the record of whom
// to answer. Answers travel back as net_replies_t: one frame of replies for each client.

#ifndef NET_MESSAGES_H
#define NET_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/actor.h"
#include "base/dt_blob.h"
#include "transport/protocol_reply.h"
#include "transport/transport_port.h"

enum {
    // Net to group: net_requests_t.
    NET_WRITE = 200, // to be proposed
    NET_READ,        // to be answered from the state
    NET_ADMIN,       // one request about the group itself: status, snapshot_take
    // Any actor to net: net_replies_t.
    NET_REPLIES = 250,
};

enum {
    NET_REQUESTS_MAX = 4096,              // of one batch; a batch becomes one log batch
    NET_REQUESTS_BYTES_MAX = 1024 * 1024, // bodies of one batch, unless one alone is larger
    NET_REPLY_FRAME_BYTES = 1024 * 1024,  // a frame of replies is closed once it is longer
};

typedef struct {
    transport_route_t route; // where its replies go
    bool delimiter;          // it sent an empty frame first and gets one back
} net_client_t;

typedef struct {
    uint64_t id;          // chosen by the client
    uint64_t principal;   // client id, 0: not said
    uint64_t session_id;  // 0: none
    uint64_t session_seq; //
    uint64_t session_ack; //
    uint64_t min_index;   // a read waits for it
    const uint8_t *body;  // in the blob; one msgpack object
    uint32_t body_bytes;  //
    uint32_t client;      // position in clients
    uint32_t trace_at;    // offset in the blob
    uint16_t operation;   //
    uint8_t trace_bytes;  // 0: none
    uint8_t read_mode;    // protocol_read_mode_t
    bool want_digest;     //
} net_request_t;

typedef struct {
    actor_message_t message; // NET_WRITE, NET_READ or NET_ADMIN
    int64_t deadline_ns;     // env's clock: the earliest of its requests
    uint64_t min_index;      // the highest of its requests
    uint32_t age_ms_max;     // of a stale read; 0: no bound; one for the whole batch
    uint8_t read_mode;       // one for the whole batch
    dt_blob_t *blob;         // owned reference: bodies and traces
    net_client_t *clients;   // owned
    uint32_t clients_count;  //
    uint32_t count;          // requests
    net_request_t *items;    // owned
} net_requests_t;

// Free requests nobody will answer. Fits log_batch_t.origin_free.
void net_requests_free (void *requests);

typedef struct {
    net_client_t client;
    dt_buffer_t frame; // owned: replies back to back
} net_reply_frame_t;

typedef struct {
    actor_message_t message;   // NET_REPLIES
    net_reply_frame_t *frames; // owned
    uint32_t count;            // frames
    uint32_t capacity;         // of frames
    uint32_t last;             // frame found last: replies to one client come in runs
    size_t bytes;              // in all frames
    uint64_t replies;          // in all frames
} net_replies_t;

// Create an empty set of replies. Sent to the net actor by actor_answer, or freed by
// actor_message_free.
net_replies_t *net_replies_new (void);

// Where the next reply to a client goes: its open frame. Valid until the next call.
dt_buffer_t *net_replies_frame (net_replies_t *self, const net_client_t *client);

// Add the reply to requests->items[at]: code (0 .. or a DT_ERR_*, taken without its sign), group
// index, a body of one msgpack object (bytes 0: nil), the digest if it was asked for (has_digest),
// a message (NULL: none). Traces are returned.
typedef struct {
    int code;                   // >= 0: of the store; < 0: DT_ERR_*
    uint64_t index;             // group index, 0: none
    const uint8_t *body;        // NULL: nil
    size_t body_bytes;          //
    bool has_digest;            //
    uint64_t digest;            // of the state at index
    const char *text;           // NULL: none
    uint32_t leader_id;         // 0: not said
    const char *leader_address; // NULL: not said
} net_answer_t;

void net_replies_add (net_replies_t *self, const net_requests_t *requests, uint32_t at,
                      const net_answer_t *answer);

// Who leads, for those who asked another node.
typedef struct {
    uint32_t leader_id;         // 0: not known
    const char *leader_address; // endpoint for clients; NULL: not known
} net_hint_t;

// Add the same refusal for items[from .. to); text NULL: that of rc. With NOT_LEADER goes the hint
// (NULL: none).
void net_replies_refuse (net_replies_t *self, const net_requests_t *requests, uint32_t from,
                         uint32_t to, int rc, const char *text, const net_hint_t *hint);

#endif // NET_MESSAGES_H
