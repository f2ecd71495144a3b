// dt_client_types - plain values of the client library: codes, options, results.
//
// Self-contained C11 / C++11; installed beside dt_client.h.

#ifndef DT_CLIENT_TYPES_H
#define DT_CLIENT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DT_PUBLIC __attribute__ ((visibility ("default")))
#else
#define DT_PUBLIC
#endif

// Codes, as in docs/PROTOCOL.md section 6. 0 .. 63: the store's answer. 64 .. 127: the operation
// did not reach the store, or not certainly. From 128: the library's own. X (name, number, text).
#define DT_CODE_TABLE(X)                                                                           \
    X (SUCCESS, 0, "success")                                                                      \
    X (ERROR, 1, "error")                                                                          \
    X (NOT_FOUND, 2, "not found")                                                                  \
    X (SUCCESS_OVERWRITE, 3, "success, replaced a value")                                          \
    X (DIR_EXISTS, 4, "a directory is there")                                                      \
    X (VALUE_EXISTS, 5, "a value is there")                                                        \
    X (PARENT_NOT_DIR, 6, "the parent is not a directory")                                         \
    X (INVALID_KEY, 7, "invalid key")                                                              \
    X (INVALID_VALUE, 8, "invalid value")                                                          \
    X (PARENT_DIR_NOT_EXISTS, 9, "the parent directory does not exist")                            \
    X (HAS_CHILDREN, 10, "the directory has children")                                             \
    X (KEY_TOO_LONG, 11, "key too long")                                                           \
    X (VALUE_TOO_LONG, 12, "value too long")                                                       \
    X (INSTALL_SNAPSHOT, 13, "a snapshot is being installed")                                      \
    X (CAS_MISMATCH, 14, "the condition does not hold")                                            \
    X (CLIENT_REQ_ERROR, 15, "wrong request")                                                      \
    X (REMOVE_WATCH, 16, "watch removed")                                                          \
    X (REMOVE_ALL_WATCH, 17, "all watches removed")                                                \
    X (NOT_OWNER, 18, "not the owner")                                                             \
    X (NOT_TEMP_NODE, 19, "not a temporary node")                                                  \
    X (IS_TEMP_NODE, 20, "a temporary node")                                                       \
    X (INVALID_TTL, 21, "invalid time to live")                                                    \
    X (TTL_INDEX_MISMATCH, 22, "time-to-live index mismatch")                                      \
    X (UNDER_TEMP_DIR, 23, "under a temporary directory")                                          \
    X (PARENT_IS_LOCK, 24, "the parent is a lock")                                                 \
    X (NOT_LOCK_NODE, 25, "not a lock")                                                            \
    X (IS_LOCK_NODE, 26, "a lock")                                                                 \
    X (LOCK_BY_SELF, 27, "locked by the caller")                                                   \
    X (LOCK_BY_OTHER, 28, "locked by somebody else")                                               \
    X (BATCH_ABORTED, 29, "another item of the batch failed")                                      \
    X (BATCH_TOO_LARGE, 30, "batch too large")                                                     \
    X (SESSION_UNKNOWN, 31, "the session does not exist or has expired")                           \
    X (SESSION_SEQ_STALE, 32, "session sequence below the acknowledged one")                       \
    X (SESSION_WINDOW_FULL, 33, "too many unacknowledged writes in the session")                   \
    X (TOO_MANY_SESSIONS, 34, "too many sessions")                                                 \
    X (INVALID_CURSOR, 35, "invalid list cursor")                                                  \
    X (NOT_A_COUNTER, 36, "not a counter, or out of its range")                                    \
    X (FENCED, 37, "not the current grant of the lock")                                            \
    X (TOO_MANY_OWNED, 38, "the session owns too much")                                            \
    X (COMPACTED, 39, "older than the history kept")                                               \
    X (WATCH_UNKNOWN, 40, "no such watch or stream")                                               \
    X (TOO_MANY_WATCHES, 41, "too many watches")                                                   \
    X (LAGGED, 42, "the watcher could not keep up")                                                \
    X (MALFORMED, 64, "malformed message")                                                         \
    X (PROTOCOL_VERSION, 65, "protocol version not supported")                                     \
    X (UNKNOWN_OPERATION, 66, "unknown operation")                                                 \
    X (UNKNOWN_GROUP, 67, "unknown raft group")                                                    \
    X (NOT_LEADER, 68, "not the leader of the group")                                              \
    X (NOT_READY, 69, "group not ready yet")                                                       \
    X (BUSY, 70, "too many requests in progress")                                                  \
    X (TIMEOUT, 71, "time limit passed, not carried out")                                          \
    X (NO_SPACE, 72, "no space left on the node's disk")                                           \
    X (STOPPING, 73, "the node is stopping")                                                       \
    X (DISK_FAILED, 74, "the node's disk failed")                                                  \
    X (TOO_BIG, 75, "over the size limit")                                                         \
    X (DENIED, 76, "operation not allowed here")                                                   \
    X (OUTCOME_UNKNOWN, 77, "outcome unknown: it may or may not have happened")                    \
    X (CORRUPT, 78, "data is corrupt")                                                             \
    X (SNAPSHOT_BUSY, 79, "a snapshot is already being taken")                                     \
    X (TOO_STALE, 80, "this node's state is older than allowed")                                   \
    X (CHANGE_BUSY, 81, "another change of the configuration is not finished")                     \
    X (NOT_CAUGHT_UP, 82, "a node to become voter has not caught up")                              \
    X (NO_QUORUM, 83, "the change would leave no live quorum")                                     \
    X (BAD_CHANGE, 84, "the change does not fit the configuration in force")                       \
    X (CLOSED, 131, "the client was closed")                                                       \
    X (INVALID, 134, "invalid argument")

enum {
#define DT_CODE_ENUM(name, number, text) DT_##name = number,
    DT_CODE_TABLE (DT_CODE_ENUM)
#undef DT_CODE_ENUM
};

// What is known about an operation that ended with a code.
typedef enum {
    DT_OUTCOME_DONE,      // carried out as asked (SUCCESS, SUCCESS_OVERWRITE)
    DT_OUTCOME_NOT_DONE,  // certainly changed nothing
    DT_OUTCOME_UNCERTAIN, // a write that may or may not have happened
} dt_outcome_t;

// Bytes of somebody else; binary safe. data may be NULL when bytes is 0.
typedef struct {
    const void *data;
    size_t bytes;
} dt_bytes_t;

static inline dt_bytes_t dt_bytes (const void *data, size_t bytes)
{
    dt_bytes_t result;
    result.data = data;
    result.bytes = bytes;
    return result;
}

// The bytes of a C string, without its end. NULL gives no bytes.
static inline dt_bytes_t dt_text (const char *text)
{
    return dt_bytes (text, text ? strlen (text) : 0);
}

// Request flags.
enum {
    DT_PARENTS = 1,             // create missing parent directories
    DT_PREVIOUS = 2,            // return the node as it was before
    DT_RECURSIVE = 4,           // list or remove the whole subtree
    DT_KEYS_ONLY = 8,           // list without nodes
    DT_META = 16,               // nodes carry meta
    DT_ATOMIC = 32,             // a batch happens whole or not at all
    DT_COUNT_ONLY = 64,         // list answers only how many there are
    DT_SEQUENTIAL = 1024,       // put, mkdir, batch_put: a rising number is appended to the name
    DT_DIRECTORIES_ONLY = 4096, // list leaves values out
    DT_OWNED = 128,             // what is created or converted belongs to the session
    DT_KEEP_TTL = 256,          // put replaces the value of a temporary node only
    DT_CONVERT = 512,           // make a temporary node permanent or a permanent one temporary
    DT_FORCE = 2048,            // unlock on behalf of an operator
};

// How a read is made sure to be current.
typedef enum {
    DT_READ_LINEARIZABLE = 0, // on the leader, by lease
    DT_READ_INDEX = 1,        // linearizable by a round of ReadIndex
    DT_READ_STALE = 2,        // what the node asked has
} dt_read_mode_t;

// A grant of a lock that a write depends on.
typedef struct {
    dt_bytes_t path; // of the lock
    uint64_t token;  // of the grant
} dt_guard_t;

// Options of one call. A zeroed struct, or NULL in its place, means the defaults.
typedef struct {
    uint32_t group;      // raft group; 0: the client's
    uint32_t timeout_ms; // 0: the client's default
    uint32_t flags;      // DT_PARENTS ...
    uint32_t read_mode;  // dt_read_mode_t
    uint64_t min_index;  // a read waits until this index is applied; 0: does not
    uint64_t principal;  // client id recorded as the writer; 0: the client's own
    bool want_digest;    // the result carries the digest of the state
    bool no_session;     // a write outside the client's session: at most one attempt may be lost
    uint64_t session;    // a plain write on behalf of this session instead of the client's; 0: not
    const dt_guard_t *guards; // a write happens only while all of these are held, else FENCED
    size_t guard_count;       // 0 .. 16
} dt_call_options_t;

// Options of a client. Start from dt_client_options_init.
typedef struct {
    const char *endpoints;       // "tcp://a:9332,tcp://b:9332", 1 .. 16
    const char *name;            // sent in hello, at most 64 bytes; NULL: none
    uint64_t client_id;          // writer id; 0: drawn at random
    uint32_t group;              // default group; 0: the node's first
    uint32_t timeout_ms;         // default time limit of a call, 1 .. 600 000; 5 000
    uint32_t attempt_timeout_ms; // silence after which another endpoint is tried, where safe; 2 000
    uint32_t connect_timeout_ms; // dt_client_open waits this long for a node; 5 000; 0: no waiting
    uint32_t in_flight_max;      // requests in flight, 1 .. 1 000 000; 10 000
    uint64_t in_flight_bytes_max; // bytes of requests in flight; at least 1 MiB; 64 MiB
    uint32_t session_ttl_ms;      // 60 000
    bool session;                 // writes are exactly once, retried after lost replies
    bool nonblocking;             // a full client answers DT_BUSY instead of blocking the caller
} dt_client_options_t;

// A node's meta data; all 0 unless DT_META was asked for.
typedef struct {
    uint64_t create_index;
    uint64_t modify_index;
    uint64_t version;
    uint64_t child_version;
    uint64_t create_time_ms;
    uint64_t modify_time_ms;
    uint64_t writer;
    uint64_t owner_session;
    uint64_t ttl_ms;
} dt_node_meta_t;

// Bits of dt_node_t.flags.
enum {
    DT_NODE_DIRECTORY = 1,
    DT_NODE_LOCK = 2,
    DT_NODE_TEMPORARY = 4,
};

// A node of the tree. The value points into the result it came from.
typedef struct {
    uint32_t flags;   // DT_NODE_DIRECTORY ...
    bool has_value;   // false for a directory
    bool has_meta;    // DT_META was asked for and answered
    dt_bytes_t value; // empty for a directory
    dt_node_meta_t meta;
} dt_node_t;

// What a call gave. In a callback it and all it points to live until the callback returns; from a
// synchronous call they belong to the caller until dt_result_free.
typedef struct {
    int code;                  // DT_SUCCESS ...
    uint32_t operation;        // number of the operation (dt_operation_t)
    dt_outcome_t outcome;      // what the code means for this operation and its attempts
    uint32_t leader_node_id;   // hint of the last reply; 0: none
    uint64_t index;            // group index of the write, or up to which a read saw; 0: neither
    bool has_digest;           // digest was asked for and answered
    uint64_t digest;           // of the state at index
    dt_bytes_t message;        // text for people: what was wrong; may be empty
    dt_bytes_t leader_address; // hint of the last reply; may be empty
    dt_bytes_t body;           // the reply's body, msgpack; read it with the dt_result_* helpers
} dt_result_t;

typedef enum {
    DT_OPERATION_PING = 1,
    DT_OPERATION_HELLO = 2,
    DT_OPERATION_GET = 5,
    DT_OPERATION_PUT = 6,
    DT_OPERATION_STATUS = 46,
    DT_OPERATION_REMOVE = 70,
    DT_OPERATION_MKDIR = 71,
    DT_OPERATION_LIST = 72,
    DT_OPERATION_BATCH_GET = 73,
    DT_OPERATION_BATCH_PUT = 74,
    DT_OPERATION_BATCH_REMOVE = 75,
    DT_OPERATION_COMPARE_AND_SET = 76,
    DT_OPERATION_PUT_TEMP = 80,
    DT_OPERATION_MKDIR_TEMP = 81,
    DT_OPERATION_UPDATE_TTL = 82,
    DT_OPERATION_LOCK = 83,
    DT_OPERATION_UNLOCK = 84,
    DT_OPERATION_LOCK_RENEW = 86,
    DT_OPERATION_MOVE = 87,
    DT_OPERATION_INCREMENT = 88,
    DT_OPERATION_TRANSACTION = 89,
    DT_OPERATION_SESSION_OPEN = 90,
    DT_OPERATION_SESSION_CLOSE = 91,
    DT_OPERATION_SESSION_KEEPALIVE = 92,
    DT_OPERATION_GUARDED = 94, // on the wire only: a result names the operation under the guards
    DT_OPERATION_SNAPSHOT_TAKE = 100,
} dt_operation_t;

// Requests about a group's nodes and leader.
typedef enum {
    DT_ADMIN_TRANSFER_LEADER = 44,
    DT_ADMIN_CONFIG_PREPARE = 47,
    DT_ADMIN_CONFIG_COMMIT = 48,
    DT_ADMIN_CONFIG_ABORT = 49,
    DT_ADMIN_CONFIG_GET = 57,
} dt_admin_t;

// One item of batch_put.
typedef struct {
    dt_bytes_t path;
    dt_bytes_t value;
} dt_pair_t;

// What compare_and_set compares.
typedef enum {
    DT_COMPARE_VALUE = 0,
    DT_COMPARE_VERSION = 1,
    DT_COMPARE_INDEX = 2, // the node's modify index
} dt_compare_t;

typedef struct {
    dt_compare_t compare;
    bool absent;      // the node must not exist; what follows is not looked at
    dt_bytes_t value; // expected, for DT_COMPARE_VALUE
    uint64_t number;  // expected, for the others
} dt_condition_t;

// Where a list begins and where its page ends; 0 means the node's limit (10 000 items, 1 MiB).
typedef struct {
    uint32_t items_max;
    uint32_t bytes_max;
    dt_bytes_t after; // `next` of the page before; no bytes: from the start
} dt_page_t;

typedef struct {
    dt_bytes_t name; // relative to the listed path
    bool has_node;   // false with DT_KEYS_ONLY
    dt_node_t node;
} dt_list_item_t;

typedef struct {
    int code; // of this item
    bool
        has_node; // get: the node; put, remove: the previous one, if there was one and it was asked
    dt_node_t node;
} dt_batch_item_t;

// Kinds of values in a status map.
typedef enum {
    DT_STATUS_NIL,
    DT_STATUS_BOOL,     // number 0 or 1
    DT_STATUS_UNSIGNED, // number
    DT_STATUS_SIGNED,   // number as int64_t
    DT_STATUS_TEXT,     // text
    DT_STATUS_OTHER,    // an array, map or anything else: raw
} dt_status_kind_t;

typedef struct {
    dt_bytes_t name;
    dt_status_kind_t kind;
    uint64_t number;
    dt_bytes_t text;
    dt_bytes_t raw; // the value's msgpack bytes, whatever the kind
} dt_status_item_t;

// Reads the items of a list, batch or status result, without allocation. Opaque: use the calls.
typedef struct {
    const uint8_t *place;
    const uint8_t *end;
    uint32_t left;  // items not read yet
    bool malformed; // the node's answer could not be read
} dt_iterator_t;

// Limits and identity of the node that answered hello last.
typedef struct {
    uint32_t protocol_version;
    uint64_t features;
    uint64_t cluster_id;
    uint32_t node_id;
    uint64_t client_id; // the client's own
    uint64_t frame_bytes_max;
    uint64_t key_bytes_max;
    uint64_t value_bytes_max;
    uint64_t depth_max;
    uint64_t batch_items_max;
    uint64_t sessions_max;
    uint64_t session_replies_max;
    uint64_t in_flight_max;
    uint64_t session_nodes_max;
    char server_version[64]; // cut if longer
} dt_limits_t;

// Counters since the client was opened.
typedef struct {
    uint64_t submitted;
    uint64_t completed;
    uint64_t frames_sent;
    uint64_t frames_received;
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t retries;     // requests sent again, for whatever reason
    uint64_t redirects;   // NOT_LEADER answers followed
    uint64_t timeouts;    // requests whose time limit passed
    uint64_t connects;    // connections that answered hello
    uint64_t disconnects; // connections lost
    uint64_t
        malformed_frames; // messages from a node that could not be read; its connection is renewed
    uint64_t stale_replies; // replies to requests no longer in flight
    uint64_t sessions_opened;
    uint64_t sessions_lost;
} dt_client_stats_t;

#ifdef __cplusplus
}
#endif

#endif // DT_CLIENT_TYPES_H
