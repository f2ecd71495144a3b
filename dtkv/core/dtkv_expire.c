#include "dtkv/core/dtkv_expire.h"

#include <stdlib.h>

#include "base/dt_memory.h"
#include "dtkv/core/dtkv_lock.h"

// Nodes and sessions removed by one entry, about: part of the state machine. Whole owners and
// subtrees make it more.
enum { EXPIRE_MAX = 64 };

// Remove a node. Returns how many nodes that were.
static uint64_t s_remove (dtkv_tree_t *tree, const dtkv_sessions_t *sessions, dtkv_node_t *node,
                          const dtkv_change_t *change, uint64_t now_ms)
{
    if (dtkv_node_is_lock (node)) {
        return dtkv_lock_leave (tree, sessions, change, now_ms, node);
    }
    dt_buffer_t bytes = {0};
    dtkv_node_path (node, &bytes);
    dtkv_path_t path = {
        .data = bytes.data,
        .bytes = (uint32_t) bytes.bytes,
        .parent_bytes = (uint32_t) (bytes.bytes - node->name_bytes),
    };
    path.parent_bytes -= path.parent_bytes > 0; // the dot
    uint64_t nodes =
        1 + (dtkv_node_is_directory (node) ? dtkv_node_directory (node)->descendants : 0);
    dtkv_tree_remove (tree, change, node, &path);
    dt_buffer_deinit (&bytes);
    return nodes;
}

uint64_t dtkv_end_session (dtkv_tree_t *tree, dtkv_sessions_t *sessions, dtkv_session_t *session,
                           const dtkv_change_t *change, uint64_t now_ms)
{
    uint64_t removed = 0;
    uint32_t count = dtkv_temporaries_owned (&tree->temporaries, session->id);
    dtkv_node_t **nodes = dt_zalloc (count + 1, sizeof nodes[0]);
    dtkv_temporaries_list (&tree->temporaries, session->id, nodes);
    for (uint32_t i = 0; i < count; i++) {
        removed += s_remove (tree, sessions, nodes[i], change, now_ms);
    }
    free (nodes);
    dtkv_sessions_close (sessions, session);
    return removed;
}

// Does the node end before the session?
static bool s_node_first (const dtkv_node_t *node, const dtkv_session_t *session)
{
    uint64_t deadline_ms = dtkv_node_temporary (node)->lifetime.deadline_ms;
    return deadline_ms != session->deadline_ms ? deadline_ms < session->deadline_ms
                                               : node->create_index < session->id;
}

void dtkv_expire (dtkv_tree_t *tree, dtkv_sessions_t *sessions, const dtkv_change_t *change,
                  uint64_t now_ms)
{
    uint64_t work = 0;
    while (work < EXPIRE_MAX && dtkv_expire_due_ms (tree, sessions) <= now_ms) {
        dtkv_node_t *node = dtkv_temporaries_first (&tree->temporaries);
        dtkv_session_t *session = dtkv_sessions_first (sessions);
        if (node && (!session || s_node_first (node, session))) {
            work += s_remove (tree, sessions, node, change, now_ms);
        } else {
            work += 1 + dtkv_end_session (tree, sessions, session, change, now_ms);
        }
    }
}

uint64_t dtkv_expire_due_ms (const dtkv_tree_t *tree, const dtkv_sessions_t *sessions)
{
    const dtkv_node_t *node = dtkv_temporaries_first (&tree->temporaries);
    const dtkv_session_t *session = dtkv_sessions_first (sessions);
    uint64_t node_ms = node ? dtkv_node_temporary (node)->lifetime.deadline_ms : UINT64_MAX;
    uint64_t session_ms = session ? session->deadline_ms : UINT64_MAX;
    return node_ms < session_ms ? node_ms : session_ms;
}
