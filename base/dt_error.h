// dt_error - every error of the system in one table.
//
// Functions return 0 or one of these negative codes. The wire number of an error is the code
// without its sign; numbers 0 .. 63 belong to the results of the store (dtkv_result.h), so the two
// never meet in a reply. The table is append-only: numbers are part of the protocol.

#ifndef DT_ERROR_H
#define DT_ERROR_H

// X (name, wire number, text): the text completes the sentence "failed: ...".
#define DT_ERROR_TABLE(X)                                                                          \
    /* Answered to clients and peers. */                                                           \
    X (MALFORMED, 64, "malformed message")                                                         \
    X (PROTOCOL_VERSION, 65, "protocol version not supported")                                     \
    X (UNKNOWN_OPERATION, 66, "unknown operation")                                                 \
    X (UNKNOWN_GROUP, 67, "unknown raft group")                                                    \
    X (NOT_LEADER, 68, "not the leader of the group")                                              \
    X (NOT_READY, 69, "group not ready yet")                                                       \
    X (BUSY, 70, "too many requests in progress")                                                  \
    X (TIMEOUT, 71, "time limit passed")                                                           \
    X (NO_SPACE, 72, "no space left on the disk")                                                  \
    X (STOPPING, 73, "stopping")                                                                   \
    X (DISK_FAILED, 74, "the disk failed")                                                         \
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
    /* Inside one process. */                                                                      \
    X (IO, 128, "input/output error")                                                              \
    X (NOT_FOUND, 129, "not found")                                                                \
    X (EXISTS, 130, "already exists")                                                              \
    X (CLOSED, 131, "closed")                                                                      \
    X (INTERRUPTED, 132, "interrupted")                                                            \
    X (CANCELLED, 133, "cancelled")                                                                \
    X (INVALID, 134, "invalid value")                                                              \
    X (IN_USE, 135, "in use by another process")                                                   \
    X (NEWER_FORMAT, 136, "written by a newer version in a format this version cannot read")       \
    X (FOREIGN, 137, "belongs to another node or cluster")                                         \
    X (AGAIN, 138, "nothing available now")                                                        \
    X (PERMISSION, 139, "permission denied")                                                       \
    X (UNSUPPORTED, 140, "not supported on this machine")                                          \
    X (USAGE, 141, "wrong usage")                                                                  \
    X (GAP, 142, "entries are missing between snapshot and log")

enum {
#define DT_ERROR_ENUM(name, number, text) DT_ERR_##name = -(number),
    DT_ERROR_TABLE (DT_ERROR_ENUM)
#undef DT_ERROR_ENUM
};

// The name of an error without prefix ("NO_SPACE"); "OK" for 0, "UNKNOWN" for anything else.
const char *dt_error_name (int rc);

// The text of an error; "success" for 0, "unknown error" for anything else.
const char *dt_error_text (int rc);

#endif // DT_ERROR_H
