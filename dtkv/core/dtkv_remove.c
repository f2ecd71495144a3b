// remove, of one node or a whole subtree.

#include "dtkv/core/dtkv_ops.h"

int dtkv_remove (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags)
{
    if (path->bytes == 0) {
        return dtkv_reply_nil (self, DTKV_INVALID_KEY);
    }
    dtkv_node_t *node = dtkv_tree_find (self->tree, path->data, path->bytes);
    if (!node) {
        return dtkv_reply_nil (self, DTKV_NOT_FOUND);
    }
    if (dtkv_node_is_lock (node)) {
        return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
    }
    if (!dtkv_may_change (self, node)) {
        return dtkv_reply_nil (self, DTKV_NOT_OWNER);
    }
    uint64_t nodes = 0;
    if (dtkv_node_is_directory (node) && dtkv_node_directory (node)->descendants) {
        if (!(flags & DTKV_FLAG_RECURSIVE)) {
            return dtkv_reply_nil (self, DTKV_HAS_CHILDREN);
        }
        nodes = dtkv_node_directory (node)->descendants + 1;
        if (nodes > self->removals_left) {
            return dtkv_reply_nil (self, DTKV_BATCH_TOO_LARGE);
        }
        if (dtkv_lock_below (self->tree, dtkv_node_directory (node))) {
            return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
        }
    }
    if (!dtkv_reply_previous (self, node, flags)) {
        return dtkv_reply_nil (self, DTKV_BATCH_TOO_LARGE);
    }
    self->removals_left -= nodes;
    dtkv_tree_remove (self->tree, &self->change, node, path);
    return DTKV_SUCCESS;
}
