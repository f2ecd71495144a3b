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

// May a node, and as many directories as are missing above it, be created in a directory? A
// temporary directory goes in one entry with all that is below it, and nothing in it ends before.
static int s_may_create (const dtkv_context_t *self, dtkv_directory_t *directory, uint64_t missing)
{
    if (dtkv_node_is_lock (&directory->node)) {
        return DTKV_PARENT_IS_LOCK;
    }
    if (self->tree->temporaries.directories == 0) {
        return 0;
    }
    const dtkv_directory_t *temporary = dtkv_tree_temporary_above (directory);
    if (!temporary) {
        return 0;
    }
    if (dtkv_lifetime_ends (&self->lifetime)) {
        return DTKV_UNDER_TEMP_DIR;
    }
    return temporary->descendants + missing + 1 > self->limits->batch_items_max
               ? DTKV_BATCH_TOO_LARGE
               : 0;
}

int dtkv_make_parent (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags,
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
    int code = s_may_create (self, dtkv_node_directory (node), missing);
    if (code) {
        return code;
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
        if (dtkv_node_is_lock (node)) {
            return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
        }
        if (dtkv_node_is_directory (node)) {
            return dtkv_reply_nil (self, DTKV_DIR_EXISTS);
        }
        int refusal = dtkv_may_put_temporary (self, node, flags);
        if (refusal) {
            return dtkv_reply_nil (self, refusal);
        }
        if (!dtkv_reply_previous (self, node, flags)) {
            return dtkv_reply_nil (self, DTKV_BATCH_TOO_LARGE);
        }
        if (flags & DTKV_FLAG_CONVERT) {
            const dtkv_lifetime_t for_ever = {0};
            dtkv_tree_overwrite_for (self->tree, &self->change, node, path, value.data, value.bytes,
                                     &for_ever);
        } else {
            dtkv_tree_overwrite (self->tree, &self->change, node, path, value.data, value.bytes);
        }
        return DTKV_SUCCESS_OVERWRITE;
    }
    dtkv_directory_t *parent;
    int code = dtkv_make_parent (self, path, flags, &parent);
    if (!code) {
        node = dtkv_node_new_value_for (dtkv_path_name (path), dtkv_path_name_bytes (path),
                                        value.data, value.bytes, &self->lifetime);
        dtkv_tree_create (self->tree, &self->change, parent, path, node);
    }
    return dtkv_reply_nil (self, code);
}

int dtkv_mkdir (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags)
{
    dtkv_node_t *node = dtkv_tree_find (self->tree, path->data, path->bytes);
    if (node && dtkv_node_is_lock (node)) {
        return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
    }
    if (node && dtkv_node_is_temporary (node) && dtkv_node_is_directory (node)) {
        return dtkv_mkdir_permanent (self, node, path, flags);
    }
    if (node) {
        return dtkv_reply_nil (self,
                               dtkv_node_is_directory (node) ? DTKV_DIR_EXISTS : DTKV_VALUE_EXISTS);
    }
    dtkv_directory_t *parent;
    int code = dtkv_make_parent (self, path, flags, &parent);
    if (!code) {
        node = dtkv_node_new_directory_for (dtkv_path_name (path), dtkv_path_name_bytes (path),
                                            &self->lifetime);
        dtkv_tree_create (self->tree, &self->change, parent, path, node);
    }
    return dtkv_reply_nil (self, code);
}
