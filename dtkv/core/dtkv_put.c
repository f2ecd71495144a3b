// put, mkdir, and the creation of missing parents.

#include <string.h>

#include "dtkv/core/dtkv_ops.h"
#include "transport/msgpack_writer.h"

enum { NUMBER_BYTES = 20 }; // of a uint64_t in decimal, with zeros in front

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

static int s_refuse_existing (dtkv_context_t *self, const dtkv_node_t *node)
{
    return dtkv_reply_nil (self,
                           dtkv_node_is_directory (node) ? DTKV_DIR_EXISTS : DTKV_VALUE_EXISTS);
}

// Create a node, a directory if there is no value.
static void s_create (dtkv_context_t *self, dtkv_directory_t *parent, const dtkv_path_t *path,
                      const msgpack_slice_t *value)
{
    const uint8_t *name = dtkv_path_name (path);
    uint32_t name_bytes = dtkv_path_name_bytes (path);
    dtkv_node_t *node = value ? dtkv_node_new_value_for (name, name_bytes, value->data,
                                                         value->bytes, &self->lifetime)
                              : dtkv_node_new_directory_for (name, name_bytes, &self->lifetime);
    dtkv_tree_create (self->tree, &self->change, parent, path, node);
}

static int s_create_below (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags,
                           const msgpack_slice_t *value)
{
    dtkv_directory_t *parent;
    int code = dtkv_make_parent (self, path, flags, &parent);
    if (!code) {
        s_create (self, parent, path, value);
    }
    return dtkv_reply_nil (self, code);
}

// Create a node of which the name ends in the number of its creation among its siblings: unique and
// rising, unless somebody took the name by hand.
static int s_create_sequential (dtkv_context_t *self, const dtkv_path_t *base, uint32_t flags,
                                const msgpack_slice_t *value)
{
    if (base->bytes == 0) {
        return dtkv_reply_nil (self, DTKV_INVALID_KEY);
    }
    if (base->bytes + NUMBER_BYTES > self->limits->key_bytes_max) {
        return dtkv_reply_nil (self, DTKV_KEY_TOO_LONG);
    }
    dtkv_directory_t *parent;
    int code = dtkv_make_parent (self, base, flags, &parent);
    if (code) {
        return dtkv_reply_nil (self, code);
    }
    dt_buffer_t name = {0};
    dt_buffer_append (&name, base->data, base->bytes);
    dt_buffer_printf (&name, "%0*llu", NUMBER_BYTES,
                      (unsigned long long) parent->child_version + 1);
    dtkv_path_t path = *base;
    path.data = name.data;
    path.bytes = (uint32_t) name.bytes;
    const dtkv_node_t *node = dtkv_tree_find (self->tree, path.data, path.bytes);
    if (node) {
        code = s_refuse_existing (self, node);
    } else {
        s_create (self, parent, &path, value);
        msgpack_write_bin (self->body, path.data, path.bytes);
    }
    dt_buffer_deinit (&name);
    return code;
}

int dtkv_put (dtkv_context_t *self, const dtkv_path_t *path, msgpack_slice_t value, uint32_t flags)
{
    if (flags & DTKV_FLAG_SEQUENTIAL) {
        return s_create_sequential (self, path, flags, &value);
    }
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
    return s_create_below (self, path, flags, &value);
}

int dtkv_mkdir (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags)
{
    if (flags & DTKV_FLAG_SEQUENTIAL) {
        return s_create_sequential (self, path, flags, NULL);
    }
    dtkv_node_t *node = dtkv_tree_find (self->tree, path->data, path->bytes);
    if (node && dtkv_node_is_lock (node)) {
        return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
    }
    if (node && dtkv_node_is_temporary (node) && dtkv_node_is_directory (node)) {
        return dtkv_mkdir_permanent (self, node, path, flags);
    }
    return node ? s_refuse_existing (self, node) : s_create_below (self, path, flags, NULL);
}
