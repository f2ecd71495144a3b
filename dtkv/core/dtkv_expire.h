// dtkv_expire - what ends by itself: temporary nodes and sessions, with all that a session owns.

#ifndef DTKV_EXPIRE_H
#define DTKV_EXPIRE_H

#include <stdint.h>

#include "dtkv/core/dtkv_path.h"
#include "dtkv/core/dtkv_session.h"
#include "dtkv/core/dtkv_tree.h"

// Remove nodes and sessions whose deadline has come, in order of deadline and of the entry that
// made them, until none is left or a fixed amount of work is done. A session goes with all that it
// owns, a directory with all that is below it.
void dtkv_expire (dtkv_tree_t *tree, dtkv_sessions_t *sessions, const dtkv_change_t *change,
                  uint64_t now_ms);

// The cluster time at which expire has something to do; UINT64_MAX: never.
uint64_t dtkv_expire_due_ms (const dtkv_tree_t *tree, const dtkv_sessions_t *sessions);

// End a session and remove what it owns, in order of creation. Returns how many nodes that were.
uint64_t dtkv_end_session (dtkv_tree_t *tree, dtkv_sessions_t *sessions, dtkv_session_t *session,
                           const dtkv_change_t *change, uint64_t now_ms);

#endif // DTKV_EXPIRE_H
