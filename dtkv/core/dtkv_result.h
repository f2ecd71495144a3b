// dtkv_result - the result codes of the store.
//
// Every operation of the store ends in one of them; they travel in replies as they are. The table
// is append-only: numbers are part of the protocol (docs/PROTOCOL.md section 6). Numbers from 64 on
// belong to dt_error.h.

#ifndef DTKV_RESULT_H
#define DTKV_RESULT_H

#include <stdbool.h>

// X (name, number, text)
#define DTKV_RESULT_TABLE(X)                                                                       \
    X (SUCCESS, 0, "success")                                                                      \
    X (ERROR, 1, "error")                                                                          \
    X (NOT_FOUND, 2, "no such node")                                                               \
    X (SUCCESS_OVERWRITE, 3, "success, an existing value was replaced")                            \
    X (DIR_EXISTS, 4, "a directory is there")                                                      \
    X (VALUE_EXISTS, 5, "a value is there")                                                        \
    X (PARENT_NOT_DIR, 6, "the parent is not a directory")                                         \
    X (INVALID_KEY, 7, "invalid key")                                                              \
    X (INVALID_VALUE, 8, "invalid value")                                                          \
    X (PARENT_DIR_NOT_EXISTS, 9, "the parent directory does not exist")                            \
    X (HAS_CHILDREN, 10, "the directory has children")                                             \
    X (KEY_TOO_LONG, 11, "the key is too long or too deep")                                        \
    X (VALUE_TOO_LONG, 12, "the value is too long")                                                \
    X (INSTALL_SNAPSHOT, 13, "a snapshot is being installed")                                      \
    X (CAS_MISMATCH, 14, "the condition does not hold")                                            \
    X (CLIENT_REQ_ERROR, 15, "malformed request")                                                  \
    X (REMOVE_WATCH, 16, "the watch was removed")                                                  \
    X (REMOVE_ALL_WATCH, 17, "all watches were removed")                                           \
    X (NOT_OWNER, 18, "owned by another client")                                                   \
    X (NOT_TEMP_NODE, 19, "not a temporary node")                                                  \
    X (IS_TEMP_NODE, 20, "a temporary node")                                                       \
    X (INVALID_TTL, 21, "invalid time to live")                                                    \
    X (TTL_INDEX_MISMATCH, 22, "the time to live was renewed meanwhile")                           \
    X (UNDER_TEMP_DIR, 23, "below a temporary directory")                                          \
    X (PARENT_IS_LOCK, 24, "the parent is a lock")                                                 \
    X (NOT_LOCK_NODE, 25, "not a lock")                                                            \
    X (IS_LOCK_NODE, 26, "a lock")                                                                 \
    X (LOCK_BY_SELF, 27, "locked by this client already")                                          \
    X (LOCK_BY_OTHER, 28, "locked by another client")                                              \
    X (BATCH_ABORTED, 29, "not done because another item of the batch failed")                     \
    X (BATCH_TOO_LARGE, 30, "over the limit of one request")                                       \
    X (SESSION_UNKNOWN, 31, "no such session, or it expired")                                      \
    X (SESSION_SEQ_STALE, 32, "the reply of this sequence number was forgotten")                   \
    X (SESSION_WINDOW_FULL, 33, "too many replies of the session are not acknowledged")            \
    X (TOO_MANY_SESSIONS, 34, "too many sessions")                                                 \
    X (INVALID_CURSOR, 35, "invalid list cursor")                                                  \
    X (NOT_A_COUNTER, 36, "not a counter, or out of its range")                                    \
    X (FENCED, 37, "not the current grant of the lock")                                            \
    X (TOO_MANY_OWNED, 38, "the session owns too much")                                            \
    X (COMPACTED, 39, "older than the history kept")                                               \
    X (WATCH_UNKNOWN, 40, "no such watch or stream")                                               \
    X (TOO_MANY_WATCHES, 41, "too many watches")                                                   \
    X (LAGGED, 42, "the watcher could not keep up")

typedef enum {
#define DTKV_RESULT_ENUM(name, number, text) DTKV_##name = (number),
    DTKV_RESULT_TABLE (DTKV_RESULT_ENUM)
#undef DTKV_RESULT_ENUM
} dtkv_result_t;

enum { DTKV_RESULT_COUNT = 43 };

// The name of a code without prefix ("NOT_FOUND"); "UNKNOWN" for anything else.
const char *dtkv_result_name (int code);

// The text of a code; "unknown result" for anything else.
const char *dtkv_result_text (int code);

#endif // DTKV_RESULT_H
