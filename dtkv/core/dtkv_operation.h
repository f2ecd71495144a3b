// dtkv_operation - numbers, names and kinds of the store's operations, and their request flags
// (docs/PROTOCOL.md section 4).

#ifndef DTKV_OPERATION_H
#define DTKV_OPERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dtkv/core/dtkv_limits.h"

// X (name, number, text, writes): writes go through the log, the others are reads. Whether a
// transaction writes, its body says.
#define DTKV_OPERATION_TABLE(X)                                                                    \
    X (GET, 5, "get", false)                                                                       \
    X (PUT, 6, "put", true)                                                                        \
    X (REMOVE, 70, "remove", true)                                                                 \
    X (MKDIR, 71, "mkdir", true)                                                                   \
    X (LIST, 72, "list", false)                                                                    \
    X (BATCH_GET, 73, "batch_get", false)                                                          \
    X (BATCH_PUT, 74, "batch_put", true)                                                           \
    X (BATCH_REMOVE, 75, "batch_remove", true)                                                     \
    X (COMPARE_AND_SET, 76, "compare_and_set", true)                                               \
    X (WATCH_OPEN, 77, "watch_open", false)                                                        \
    X (WATCH_REMOVE, 78, "watch_remove", false)                                                    \
    X (WATCH_ADD, 79, "watch_add", false)                                                          \
    X (PUT_TEMP, 80, "put_temp", true)                                                             \
    X (MKDIR_TEMP, 81, "mkdir_temp", true)                                                         \
    X (UPDATE_TTL, 82, "update_ttl", true)                                                         \
    X (LOCK, 83, "lock", true)                                                                     \
    X (UNLOCK, 84, "unlock", true)                                                                 \
    X (LOCK_RENEW, 86, "lock_renew", true)                                                         \
    X (MOVE, 87, "move", true)                                                                     \
    X (INCREMENT, 88, "increment", true)                                                           \
    X (TRANSACTION, 89, "transaction", true)                                                       \
    X (SESSION_OPEN, 90, "session_open", true)                                                     \
    X (SESSION_CLOSE, 91, "session_close", true)                                                   \
    X (SESSION_KEEPALIVE, 92, "session_keepalive", true)                                           \
    X (GUARDED, 94, "guarded", true)                                                               \
    X (WATCH_ACK, 95, "watch_ack", false)                                                          \
    X (GET_AT, 96, "get_at", false)                                                                \
    X (DIFF, 97, "diff", false)                                                                    \
    X (WATCH_LIST, 98, "watch_list", false)

typedef enum {
#define DTKV_OPERATION_ENUM(name, number, text, writes) DTKV_OP_##name = (number),
    DTKV_OPERATION_TABLE (DTKV_OPERATION_ENUM)
#undef DTKV_OPERATION_ENUM
} dtkv_operation_t;

typedef enum {
    DTKV_FLAG_PARENTS = 1,
    DTKV_FLAG_PREVIOUS = 2,
    DTKV_FLAG_RECURSIVE = 4,
    DTKV_FLAG_KEYS_ONLY = 8,
    DTKV_FLAG_META = 16,
    DTKV_FLAG_ATOMIC = 32,
    DTKV_FLAG_COUNT_ONLY = 64,
    DTKV_FLAG_OWNED = 128,
    DTKV_FLAG_KEEP_TTL = 256,
    DTKV_FLAG_CONVERT = 512,
    DTKV_FLAG_SEQUENTIAL = 1024,
    DTKV_FLAG_FORCE = 2048,
    DTKV_FLAG_DIRECTORIES_ONLY = 4096,
    DTKV_FLAGS_ALL = 8191,
} dtkv_flag_t;

// compare_and_set: what is compared.
typedef enum {
    DTKV_CONDITION_VALUE = 0,
    DTKV_CONDITION_VERSION = 1,
    DTKV_CONDITION_MODIFY_INDEX = 2,
} dtkv_condition_t;

// transaction: what a condition asks of the node at its path.
typedef enum {
    DTKV_IF_EXISTS = 0,
    DTKV_IF_ABSENT = 1,
    DTKV_IF_VERSION = 2,       // equal to a number
    DTKV_IF_MODIFY_INDEX = 3,  // "
    DTKV_IF_VALUE = 4,         // equal to bytes
    DTKV_IF_LOCK_TOKEN = 5,    // the number is the token of a current grant of the lock
    DTKV_IF_CHILD_VERSION = 6, // of a directory, equal to a number
    DTKV_IF_CREATE_INDEX = 7,  // equal to a number
} dtkv_if_t;

// diff: what became of a node.
typedef enum {
    DTKV_DIFF_CREATED = 1,
    DTKV_DIFF_REMOVED = 2,
    DTKV_DIFF_CHANGED = 3,
} dtkv_diff_t;

// The name of an operation of the store; NULL if it has no such operation.
const char *dtkv_operation_name (uint16_t operation);

// True if the operation goes through the log. False for reads and unknown numbers. The body matters
// for a transaction only: it is a read if all its operations are.
bool dtkv_operation_writes (uint16_t operation, const void *body, size_t bytes);

// Check a request of the store as cheaply as can be, before it is proposed or read: its form, its
// path, its sizes. 0, or the code the store would answer whatever its state is; an unknown
// operation is DTKV_CLIENT_REQ_ERROR. Items of a batch carry their own codes and are not looked
// into, except for their form and number.
int dtkv_operation_validate (uint16_t operation, const void *body, size_t bytes,
                             const dtkv_limits_t *limits);

#endif // DTKV_OPERATION_H
