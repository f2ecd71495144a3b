// put, mkdir, and the creation of missing parents.

#include <string.h>

#include "dtkv/core/dtkv_ops.h"

// Create the directories from `have` bytes of the path's parent on, one segment after the other.
static dtkv_directory_t *s_create_parents (dtkv_context_t *self, const dtkv_path_t *path,
                                           dtkv_directory_t *directory, uint32_t have)
{
    while (have < path->parent_bytes) {
        uint32_t start = have ? have + 1 : 0;
        const uint8_t *dot = memchr (path->data + start, '.', path->bytes - start);
        dtkv_path_t missing = {
            .data = path->data,
            .bytes = (uint32_t) (dot - path->data),
            .parent_bytes = have,
        };
        dtkv_node_t *node = dtkv_node_new_directory (path->data + start, missing.bytes - start);
        dtkv_tree_create (self->tree, &self->change, directory, &missing, node);
        directory = dtkv_node_directory (node);
        have = missing.bytes;
    }
    return directory;
}

// The directory in which a path may be created; missing ones are made if flags say so. The path is
// not the root. 0 or why not, and then nothing was made.
static int s_parent (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags,
                     dtkv_directory_t **parent)
{
    uint64_t missing = 0;
    dtkv_path_t above = dtkv_path_parent (path);
    dtkv_node_t *node = dtkv_tree_find (self->tree, above.data, above.bytes);
    while (!node && (flags & DTKV_FLAG_PARENTS)) {
        missing++;
        above = dtkv_path_parent (&above);
        node = dtkv_tree_find (self->tree, above.data, above.bytes);
    }
    if (!node) {
        return DTKV_PARENT_DIR_NOT_EXISTS;
    }
    if (!dtkv_node_is_directory (node)) {
        return DTKV_PARENT_NOT_DIR;
    }
    if (missing > self->parents_left) {
        return DTKV_BATCH_TOO_LARGE;
    }
    self->parents_left -= missing;
    *parent = s_create_parents (self, path, dtkv_node_directory (node), above.bytes);
    return 0;
}

int dtkv_put (dtkv_context_t *self, const dtkv_path_t *path, msgpack_slice_t value, uint32_t flags)
{
    dtkv_node_t *node = dtkv_tree_find (self->tree, path->data, path->bytes);
    if (node) {
        if (dtkv_node_is_directory (node)) {
            return dtkv_reply_nil (self, DTKV_DIR_EXISTS);
        }
        if (!dtkv_reply_previous (self, node, flags)) {
            return dtkv_reply_nil (self, DTKV_BATCH_TOO_LARGE);
        }
        dtkv_tree_overwrite (self->tree, &self->change, node, path, value.data, value.bytes);
        return DTKV_SUCCESS_OVERWRITE;
    }
    dtkv_directory_t *parent;
    int code = s_parent (self, path, flags, &parent);
    if (!code) {
        node = dtkv_node_new_value (dtkv_path_name (path), dtkv_path_name_bytes (path), value.data,
                                    value.bytes);
        dtkv_tree_create (self->tree, &self->change, parent, path, node);
    }
    return dtkv_reply_nil (self, code);
}

int dtkv_mkdir (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags)
{
    dtkv_node_t *node = dtkv_tree_find (self->tree, path->data, path->bytes);
    if (node) {
        return dtkv_reply_nil (self,
                               dtkv_node_is_directory (node) ? DTKV_DIR_EXISTS : DTKV_VALUE_EXISTS);
    }
    dtkv_directory_t *parent;
    int code = s_parent (self, path, flags, &parent);
    if (!code) {
        node = dtkv_node_new_directory (dtkv_path_name (path), dtkv_path_name_bytes (path));
        dtkv_tree_create (self->tree, &self->change, parent, path, node);
    }
    return dtkv_reply_nil (self, code);
}
