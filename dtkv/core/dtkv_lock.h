// dtkv_lock - locks: a directory with flag LOCK whose children are the contenders, in the order in
// which they came.
//
// A contender is a value node with flags LOCK and TEMPORARY, owned by its session, named by the
// entry that queued it; what its value holds says docs/PROTOCOL.md section 4. Those that hold stand
// before those that wait. Its lifetime is how long it may wait, or its lease.

#ifndef DTKV_LOCK_H
#define DTKV_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "dtkv/core/dtkv_session.h"
#include "dtkv/core/dtkv_tree.h"

// How the lock is shared.
typedef enum {
    DTKV_LOCK_EXCLUSIVE = 0,
    DTKV_LOCK_SHARED = 1,
    DTKV_LOCK_SEMAPHORE = 2,
} dtkv_lock_mode_t;

enum { DTKV_LOCK_GUARDS_MAX = 16 };

#define DTKV_LOCK_WAIT_FOR_EVER ((1ull << 53) - 1)

static inline bool dtkv_node_is_lock (const dtkv_node_t *self)
{
    return self->flags & DTKV_NODE_LOCK;
}

// Is the token that of a current grant of the lock at a path, whoever holds it?
bool dtkv_lock_holds (const dtkv_tree_t *tree, const uint8_t *path, size_t bytes, uint64_t token);

// Remove a contender and give the lock to those whose turn it is now; the last one takes the lock
// with it. Waiters whose session has expired by now leave instead of being given it. Returns how
// many nodes were removed.
uint64_t dtkv_lock_leave (dtkv_tree_t *tree, const dtkv_sessions_t *sessions,
                          const dtkv_change_t *change, uint64_t now_ms, dtkv_node_t *contender);

// For restores: may the next child of a directory, whose children so far are sound, be this node?
// Contenders are in locks only and locks hold nothing else; what their values say fits together.
bool dtkv_lock_is_sound (const dtkv_directory_t *parent, const dtkv_node_t *node);

// Is there a lock below a directory?
bool dtkv_lock_below (const dtkv_tree_t *tree, const dtkv_directory_t *directory);

#endif // DTKV_LOCK_H
