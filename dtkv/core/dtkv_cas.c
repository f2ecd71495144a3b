// compare_and_set: a put or a removal under a condition.

#include "dtkv/core/dtkv_ops.h"

static bool s_holds (const dtkv_request_t *request, const dtkv_node_t *node)
{
    if (!node || request->expect_absent) {
        return !node && request->expect_absent;
    }
    switch (request->condition) {
    case DTKV_CONDITION_VERSION:
        return node->version == request->number;
    case DTKV_CONDITION_MODIFY_INDEX:
        return node->modify_index == request->number;
    default:
        return !dtkv_node_is_directory (node) &&
               dtkv_bytes_compare (dtkv_node_value (node), node->value_bytes,
                                   request->expected.data, request->expected.bytes) == 0;
    }
}

int dtkv_compare_and_set (dtkv_context_t *self, const dtkv_request_t *request)
{
    const dtkv_path_t *path = &request->path;
    if (!s_holds (request, dtkv_tree_find (self->tree, path->data, path->bytes))) {
        return dtkv_reply_nil (self, DTKV_CAS_MISMATCH);
    }
    // A condition is about one node: what is below it does not go with it.
    int code = request->value_nil
                   ? dtkv_remove (self, path, request->flags & ~(uint32_t) DTKV_FLAG_RECURSIVE)
                   : dtkv_put (self, path, request->value, request->flags);
    return code == DTKV_SUCCESS_OVERWRITE ? DTKV_SUCCESS : code;
}
