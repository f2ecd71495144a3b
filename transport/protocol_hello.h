// protocol_hello - the bodies of hello and status, which belong to no state machine.
//
//     hello body   = [ protocol-version, features, client-name ? ]
//     hello reply  = [ protocol-version, features, cluster-id, node-id, client-id, limits, groups,
//                      server-version ]
//     limits       = { name: number }
//     status reply = { name: value }
//
// Encoders append to a buffer; decoders take one body as protocol_request_t or protocol_reply_t
// hand it out, allocate nothing, and return slices into it.

#ifndef PROTOCOL_HELLO_H
#define PROTOCOL_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "transport/msgpack_cursor.h"
#include "transport/protocol.h"

// X (member, "name"): the limits a node announces. A reader that finds one missing takes 0.
#define PROTOCOL_HELLO_LIMIT_TABLE(X)                                                              \
    X (frame_bytes_max)                                                                            \
    X (key_bytes_max)                                                                              \
    X (value_bytes_max)                                                                            \
    X (depth_max)                                                                                  \
    X (batch_items_max)                                                                            \
    X (sessions_max)                                                                               \
    X (session_replies_max)                                                                        \
    X (in_flight_max)                                                                              \
    X (session_nodes_max)

typedef struct {
#define PROTOCOL_HELLO_LIMIT_MEMBER(member) uint64_t member;
    PROTOCOL_HELLO_LIMIT_TABLE (PROTOCOL_HELLO_LIMIT_MEMBER)
#undef PROTOCOL_HELLO_LIMIT_MEMBER
} protocol_limits_t;

typedef struct {
    uint64_t version;            // protocol version the client speaks
    uint64_t features;           // bits; none are defined yet
    msgpack_slice_t client_name; // for logs; data NULL: none
} protocol_hello_request_t;

typedef struct {
    uint64_t version;               // protocol version spoken from now on
    uint64_t features;              // bits; none are defined yet
    uint64_t cluster_id;            //
    uint64_t node_id;               //
    uint64_t client_id;             // for the client to use in its headers
    protocol_limits_t limits;       //
    uint32_t *groups;               // the caller's array; ids of the groups on this node
    uint32_t group_count;           // written or found in all
    msgpack_slice_t server_version; // text for people
} protocol_hello_reply_t;

// Append a hello's body.
void protocol_hello_request_write (dt_buffer_t *buffer, const protocol_hello_request_t *hello);

// Read a hello's body. DT_ERR_MALFORMED: it is none; *hello is not set.
int protocol_hello_request_read (msgpack_slice_t body, protocol_hello_request_t *hello);

// Append a hello reply's body.
void protocol_hello_reply_write (dt_buffer_t *buffer, const protocol_hello_reply_t *hello);

// Read a hello reply's body. The first groups_max group ids go to groups (NULL if groups_max is 0);
// hello->group_count says how many there are. Limits of unknown name are ignored.
// DT_ERR_MALFORMED: it is none; *hello is not set.
int protocol_hello_reply_read (msgpack_slice_t body, protocol_hello_reply_t *hello,
                               uint32_t *groups, uint32_t groups_max);

// X (NAME, "name"): what a status may tell. A node leaves out what it cannot say.
#define PROTOCOL_STATUS_TABLE(X)                                                                   \
    X (VERSION, "version")                                                                         \
    X (NODE_ID, "node_id")                                                                         \
    X (GROUP, "group")                                                                             \
    X (ROLE, "role")                                                                               \
    X (READY, "ready")                                                                             \
    X (TERM, "term")                                                                               \
    X (LEADER_NODE_ID, "leader_node_id")                                                           \
    X (COMMIT_INDEX, "commit_index")                                                               \
    X (APPLIED_INDEX, "applied_index")                                                             \
    X (LAST_INDEX, "last_index")                                                                   \
    X (SNAPSHOT_INDEX, "snapshot_index")                                                           \
    X (NODES, "nodes")                                                                             \
    X (SESSIONS, "sessions")                                                                       \
    X (UPTIME_MS, "uptime_ms")

typedef enum {
#define PROTOCOL_STATUS_ENUM(NAME, name) PROTOCOL_STATUS_##NAME,
    PROTOCOL_STATUS_TABLE (PROTOCOL_STATUS_ENUM)
#undef PROTOCOL_STATUS_ENUM
        PROTOCOL_STATUS_COUNT
} protocol_status_t;

// The name under which a status tells it.
const char *protocol_status_name (protocol_status_t status);

// A status body is a map, opened here with the number of pairs that are added next.
void protocol_status_open (dt_buffer_t *buffer, uint32_t pairs);
void protocol_status_add_uint (dt_buffer_t *buffer, const char *name, uint64_t value);
void protocol_status_add_bool (dt_buffer_t *buffer, const char *name, bool value);
void protocol_status_add_text (dt_buffer_t *buffer, const char *name, const char *value);

// One pair of a status body.
typedef struct {
    msgpack_slice_t name; //
    msgpack_kind_t kind;  // of the value: UINT, BOOL or BYTES have it in the member of that kind
    uint64_t number;      // UINT, and 0 or 1 for BOOL
    msgpack_slice_t text; // BYTES
    msgpack_slice_t raw;  // the value as it stands, whatever its kind
} protocol_status_item_t;

// Read a status body: set the cursor on it, then fetch its pairs one by one.
// open: how many pairs, DT_ERR_MALFORMED. next: 0 or DT_ERR_MALFORMED; call it once per pair.
int protocol_status_read_open (msgpack_cursor_t *cursor, msgpack_slice_t body);
int protocol_status_read_next (msgpack_cursor_t *cursor, protocol_status_item_t *item);

#endif // PROTOCOL_HELLO_H
