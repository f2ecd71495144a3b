// protocol - the numbers of the client protocol, each in one table.
//
// docs/PROTOCOL.md says what they mean; a test compares the two. All tables are append-only:
// numbers are never reused.

#ifndef PROTOCOL_H
#define PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

// X (NAME, number, "name"). Operation numbers 1 .. 255.
#define PROTOCOL_OPERATION_TABLE(X)                                                                \
    X (PING, 1, "ping")                                                                            \
    X (HELLO, 2, "hello")                                                                          \
    X (GET, 5, "get")                                                                              \
    X (PUT, 6, "put")                                                                              \
    X (TRANSFER_LEADER, 44, "transfer_leader")                                                     \
    X (STATUS, 46, "status")                                                                       \
    X (CONFIG_PREPARE, 47, "config_prepare")                                                       \
    X (CONFIG_COMMIT, 48, "config_commit")                                                         \
    X (CONFIG_ABORT, 49, "config_abort")                                                           \
    X (CONFIG_GET, 57, "config_get")                                                               \
    X (REMOVE, 70, "remove")                                                                       \
    X (MKDIR, 71, "mkdir")                                                                         \
    X (LIST, 72, "list")                                                                           \
    X (BATCH_GET, 73, "batch_get")                                                                 \
    X (BATCH_PUT, 74, "batch_put")                                                                 \
    X (BATCH_REMOVE, 75, "batch_remove")                                                           \
    X (COMPARE_AND_SET, 76, "compare_and_set")                                                     \
    X (WATCH_OPEN, 77, "watch_open")                                                               \
    X (WATCH_REMOVE, 78, "watch_remove")                                                           \
    X (WATCH_ADD, 79, "watch_add")                                                                 \
    X (PUT_TEMP, 80, "put_temp")                                                                   \
    X (MKDIR_TEMP, 81, "mkdir_temp")                                                               \
    X (UPDATE_TTL, 82, "update_ttl")                                                               \
    X (LOCK, 83, "lock")                                                                           \
    X (UNLOCK, 84, "unlock")                                                                       \
    X (LOCK_RENEW, 86, "lock_renew")                                                               \
    X (MOVE, 87, "move")                                                                           \
    X (INCREMENT, 88, "increment")                                                                 \
    X (TRANSACTION, 89, "transaction")                                                             \
    X (SESSION_OPEN, 90, "session_open")                                                           \
    X (SESSION_CLOSE, 91, "session_close")                                                         \
    X (SESSION_KEEPALIVE, 92, "session_keepalive")                                                 \
    X (GUARDED, 94, "guarded")                                                                     \
    X (WATCH_ACK, 95, "watch_ack")                                                                 \
    X (GET_AT, 96, "get_at")                                                                       \
    X (DIFF, 97, "diff")                                                                           \
    X (WATCH_LIST, 98, "watch_list")                                                               \
    X (SNAPSHOT_TAKE, 100, "snapshot_take")

typedef enum {
#define PROTOCOL_OPERATION_ENUM(NAME, number, name) PROTOCOL_##NAME = (number),
    PROTOCOL_OPERATION_TABLE (PROTOCOL_OPERATION_ENUM)
#undef PROTOCOL_OPERATION_ENUM
} protocol_operation_t;

// X (NAME, bit): request flags, one set of bits for all operations.
#define PROTOCOL_FLAG_TABLE(X)                                                                     \
    X (PARENTS, 1)                                                                                 \
    X (PREVIOUS, 2)                                                                                \
    X (RECURSIVE, 4)                                                                               \
    X (KEYS_ONLY, 8)                                                                               \
    X (META, 16)                                                                                   \
    X (ATOMIC, 32)                                                                                 \
    X (COUNT_ONLY, 64)                                                                             \
    X (OWNED, 128)                                                                                 \
    X (KEEP_TTL, 256)                                                                              \
    X (CONVERT, 512)                                                                               \
    X (SEQUENTIAL, 1024)                                                                           \
    X (FORCE, 2048)                                                                                \
    X (DIRECTORIES_ONLY, 4096)

enum {
#define PROTOCOL_FLAG_ENUM(NAME, bit) PROTOCOL_FLAG_##NAME = (bit),
    PROTOCOL_FLAG_TABLE (PROTOCOL_FLAG_ENUM)
#undef PROTOCOL_FLAG_ENUM
};

// X (NAME, number, "name"): keys of a frame's header, of a request's options, of a reply's extras.
#define PROTOCOL_HEADER_TABLE(X)                                                                   \
    X (CLIENT_ID, 1, "client-id")                                                                  \
    X (SESSION_ID, 2, "session-id")                                                                \
    X (SESSION_ACK, 3, "session-ack")

#define PROTOCOL_OPTION_TABLE(X)                                                                   \
    X (SESSION_SEQ, 1, "session-seq")                                                              \
    X (SESSION_ID, 2, "session-id")                                                                \
    X (SESSION_ACK, 3, "session-ack")                                                              \
    X (MIN_INDEX, 4, "min-index")                                                                  \
    X (READ_MODE, 5, "read-mode")                                                                  \
    X (WANT_DIGEST, 6, "want-digest")                                                              \
    X (TRACE, 7, "trace")                                                                          \
    X (MAX_AGE_MS, 8, "max-age-ms")

#define PROTOCOL_EXTRA_TABLE(X)                                                                    \
    X (DIGEST, 1, "digest")                                                                        \
    X (LEADER_NODE_ID, 2, "leader-node-id")                                                        \
    X (MESSAGE, 3, "message")                                                                      \
    X (LEADER_ADDRESS, 4, "leader-address")                                                        \
    X (TRACE, 5, "trace")

enum {
#define PROTOCOL_KEY_ENUM(NAME, number, name) PROTOCOL_HEADER_##NAME = (number),
    PROTOCOL_HEADER_TABLE (PROTOCOL_KEY_ENUM)
#undef PROTOCOL_KEY_ENUM
#define PROTOCOL_KEY_ENUM(NAME, number, name) PROTOCOL_OPTION_##NAME = (number),
        PROTOCOL_OPTION_TABLE (PROTOCOL_KEY_ENUM)
#undef PROTOCOL_KEY_ENUM
#define PROTOCOL_KEY_ENUM(NAME, number, name) PROTOCOL_EXTRA_##NAME = (number),
            PROTOCOL_EXTRA_TABLE (PROTOCOL_KEY_ENUM)
#undef PROTOCOL_KEY_ENUM
};

typedef enum {
    PROTOCOL_READ_LINEARIZABLE = 0, // the leader's lease, else ReadIndex
    PROTOCOL_READ_INDEX = 1,        // always ReadIndex
    PROTOCOL_READ_STALE = 2,        // what this node has
} protocol_read_mode_t;

// X (NAME, value, "name"): limits that are part of the protocol itself. Those a node announces in
// its hello are not among them, but for the size of a frame, which libzmq enforces.
#define PROTOCOL_LIMIT_TABLE(X)                                                                    \
    X (VERSION, 1, "protocol-version")                                                             \
    X (FRAME_BYTES_MAX, 8388608, "frame-bytes-max")                                                \
    X (DEPTH_MAX, 8, "depth-max")                                                                  \
    X (TIMEOUT_MS_DEFAULT, 5000, "timeout-ms-default")                                             \
    X (TIMEOUT_MS_MAX, 600000, "timeout-ms-max")                                                   \
    X (TRACE_BYTES_MAX, 64, "trace-bytes-max")                                                     \
    X (PORT_DEFAULT, 9332, "port-default")

enum {
#define PROTOCOL_LIMIT_ENUM(NAME, value, name) PROTOCOL_##NAME = (value),
    PROTOCOL_LIMIT_TABLE (PROTOCOL_LIMIT_ENUM)
#undef PROTOCOL_LIMIT_ENUM
};

// The name of an operation, NULL if there is none of that number.
const char *protocol_operation_name (uint32_t operation);

#endif // PROTOCOL_H
