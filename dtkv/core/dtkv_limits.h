// dtkv_limits - how large things may be.
//
// Limits decide results, so they are part of the state machine: every replica of a group must run
// with the same ones, and they may only be raised while all replicas agree on the log so far.

#ifndef DTKV_LIMITS_H
#define DTKV_LIMITS_H

#include <stdint.h>

typedef struct dtkv_limits {
    uint32_t key_bytes_max;         // path, 1 .. DTKV_KEY_BYTES_CEILING
    uint32_t value_bytes_max;       // value, 0 .. DTKV_VALUE_BYTES_CEILING
    uint32_t depth_max;             // segments of a path, 1 .. DTKV_DEPTH_CEILING
    uint32_t batch_items_max;       // items of a batch, nodes removed by one request; at least 1
    uint32_t list_items_max;        // items of a list's page; at least 1
    uint32_t list_bytes_max;        // reply bytes of a list's page
    uint32_t reply_bytes_max;       // node bytes in one batch's reply: items beyond get code 30
    uint32_t sessions_max;          // sessions of the group
    uint32_t session_replies_max;   // replies kept for one session, 1 .. 65536
    uint32_t session_nodes_max;     // nodes owned by one session
    uint64_t session_bytes_max;     // bytes of the replies kept for one session
    uint64_t session_all_bytes_max; // bytes of the replies kept for all sessions
} dtkv_limits_t;

enum {
    DTKV_KEY_BYTES_CEILING = 32 * 1024,
    DTKV_VALUE_BYTES_CEILING = 8 * 1024 * 1024,
    DTKV_DEPTH_CEILING = 1024,
    DTKV_SESSION_REPLIES_CEILING = 65536,
    DTKV_SESSION_TTL_MS_MIN = 1000,
    DTKV_SESSION_TTL_MS_MAX = 86400000,
};

#define DTKV_TTL_MS_MAX 3153600000000ull // of a node: 100 years

#define DTKV_LIMITS_DEFAULT                                                                        \
    ((dtkv_limits_t){.key_bytes_max = 8192,                                                        \
                     .value_bytes_max = 1024 * 1024,                                               \
                     .depth_max = 128,                                                             \
                     .batch_items_max = 10000,                                                     \
                     .list_items_max = 10000,                                                      \
                     .list_bytes_max = 1024 * 1024,                                                \
                     .reply_bytes_max = 4 * 1024 * 1024,                                           \
                     .sessions_max = 100000,                                                       \
                     .session_replies_max = 1024,                                                  \
                     .session_nodes_max = 10000,                                                   \
                     .session_bytes_max = 1024 * 1024,                                             \
                     .session_all_bytes_max = 256 * 1024 * 1024})

#endif // DTKV_LIMITS_H
