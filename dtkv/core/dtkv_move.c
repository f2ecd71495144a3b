// move: a node with all that is below it, to another path.

#include <string.h>

#include "dtkv/core/dtkv_ops.h"
#include "dtkv/core/dtkv_walk.h"

// Is a path below another one?
static bool s_below (const dtkv_path_t *path, const dtkv_path_t *above)
{
    return path->bytes > above->bytes && memcmp (path->data, above->data, above->bytes) == 0 &&
           path->data[above->bytes] == '.';
}

static int s_may_go (const dtkv_node_t *node)
{
    if (node->flags & DTKV_NODE_LOCK) {
        return DTKV_IS_LOCK_NODE;
    }
    return node->flags & DTKV_NODE_TEMPORARY ? DTKV_IS_TEMP_NODE : 0;
}

// May a node and all that is below it stand at `to`? Their number is known to be small.
static int s_check_subtree (const dtkv_context_t *self, const dtkv_node_t *node,
                            const dtkv_path_t *to)
{
    int code = s_may_go (node);
    if (code || !dtkv_node_is_directory (node)) {
        return code;
    }
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, dtkv_node_directory (node), to->data, to->bytes);
    for (const dtkv_node_t *below; !code && (below = dtkv_walk_next (&walk));) {
        bool fits = walk.path.bytes <= self->limits->key_bytes_max &&
                    to->depth + walk.count <= self->limits->depth_max;
        code = fits ? s_may_go (below) : DTKV_KEY_TOO_LONG;
    }
    dtkv_walk_deinit (&walk);
    return code;
}

// The nearest directory above a path that exists is temporary or below one that is.
static bool s_ends (const dtkv_context_t *self, const dtkv_path_t *path)
{
    dtkv_path_t above = *path;
    dtkv_node_t *node = NULL;
    while (!node && above.bytes) {
        above = dtkv_path_parent (&above);
        node = dtkv_tree_find (self->tree, above.data, above.bytes);
    }
    return node && dtkv_node_is_directory (node) &&
           dtkv_tree_temporary_above (dtkv_node_directory (node));
}

// Everything but the parent of `to`.
static int s_check (const dtkv_context_t *self, const dtkv_path_t *from, const dtkv_node_t *node,
                    const dtkv_path_t *to)
{
    if (s_below (to, from)) {
        return DTKV_INVALID_KEY;
    }
    const dtkv_node_t *there = dtkv_tree_find (self->tree, to->data, to->bytes);
    if (there) {
        return dtkv_node_is_directory (there) ? DTKV_DIR_EXISTS : DTKV_VALUE_EXISTS;
    }
    if (dtkv_node_subtree_nodes (node) > self->removals_left) {
        return DTKV_BATCH_TOO_LARGE;
    }
    int code = s_check_subtree (self, node, to);
    return code ? code : s_ends (self, to) ? DTKV_UNDER_TEMP_DIR : 0;
}

int dtkv_move (dtkv_context_t *self, const dtkv_request_t *request)
{
    const dtkv_path_t *from = &request->path;
    if (from->bytes == 0) {
        return dtkv_reply_nil (self, DTKV_INVALID_KEY);
    }
    dtkv_node_t *node = dtkv_tree_find (self->tree, from->data, from->bytes);
    if (!node) {
        return dtkv_reply_nil (self, DTKV_NOT_FOUND);
    }
    dtkv_directory_t *parent = NULL;
    int code = s_check (self, from, node, &request->to);
    if (!code) {
        code = dtkv_make_parent (self, &request->to, request->flags, &parent);
    }
    if (!code) {
        self->removals_left -= dtkv_node_subtree_nodes (node);
        dtkv_tree_move (self->tree, &self->change, node, from, parent, &request->to);
    }
    return dtkv_reply_nil (self, code);
}
