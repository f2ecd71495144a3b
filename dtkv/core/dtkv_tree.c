#include "dtkv/core/dtkv_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_digest.h"
#include "dtkv/core/dtkv_walk.h"

typedef struct {
    const uint8_t *path;
    size_t bytes;
} s_key_t;

static uint32_t s_hash (const dtkv_tree_t *self, const uint8_t *path, size_t bytes)
{
    return dtkv_table_hash (dt_hash64 (path, bytes, self->seed));
}

// A node matches if its name, and those of its ancestors up to the root, are the path's segments.
static bool s_match (const dtkv_node_t *node, const void *opaque)
{
    const s_key_t *key = opaque;
    const uint8_t *path = key->path;
    size_t left = key->bytes;
    for (;;) {
        if (node->name_bytes > left ||
            memcmp (path + left - node->name_bytes, dtkv_node_name (node), node->name_bytes) != 0) {
            return false;
        }
        left -= node->name_bytes;
        node = &node->parent->node;
        if (!node->parent) {
            return left == 0;
        }
        if (left == 0 || path[--left] != '.') {
            return false;
        }
    }
}

void dtkv_tree_init (dtkv_tree_t *self, uint64_t seed)
{
    *self = (dtkv_tree_t){.seed = seed};
    dtkv_table_init (&self->table);
    self->root = dtkv_node_directory (dtkv_node_new_directory (NULL, 0));
    self->root->node.digest = dtkv_digest_node (NULL, 0, &self->root->node);
    self->digest = self->root->node.digest;
}

void dtkv_tree_deinit (dtkv_tree_t *self)
{
    dtkv_temporaries_deinit (&self->temporaries);
    if (self->root) {
        dtkv_node_t *root = &self->root->node;
        dtkv_tree_free_detached (&root);
    }
    dtkv_table_deinit (&self->table);
    *self = (dtkv_tree_t){0};
}

dtkv_node_t *dtkv_tree_find (const dtkv_tree_t *self, const uint8_t *path, size_t bytes)
{
    if (bytes == 0) {
        return &self->root->node;
    }
    s_key_t key = {path, bytes};
    return dtkv_table_find (&self->table, s_hash (self, path, bytes), s_match, &key);
}

static void s_capture (dtkv_tree_t *self, const dtkv_node_t *node, const uint8_t *path,
                       size_t path_bytes)
{
    if (__builtin_expect (self->capture != NULL, 0)) {
        self->capture (self->capture_context, node, path, path_bytes);
    }
}

static void s_digest_again (dtkv_tree_t *self, dtkv_node_t *node, const uint8_t *path,
                            size_t path_bytes)
{
    self->digest -= node->digest;
    node->digest = dtkv_digest_node (path, path_bytes, node);
    self->digest += node->digest;
}

static void s_count_descendants (dtkv_directory_t *directory, uint64_t nodes)
{
    for (; directory; directory = directory->node.parent) {
        directory->descendants += nodes;
    }
}

// Enter a node that is linked in the index of temporary ones, and take it out.
static void s_index (dtkv_tree_t *self, dtkv_node_t *node)
{
    if (dtkv_node_is_temporary (node)) {
        dtkv_temporaries_add (&self->temporaries, node);
    }
}

static void s_unindex (dtkv_tree_t *self, dtkv_node_t *node)
{
    if (dtkv_node_is_temporary (node)) {
        dtkv_temporaries_remove (&self->temporaries, node);
    }
}

// Enter one node in table, digest and counts.
static void s_enter (dtkv_tree_t *self, dtkv_node_t *node, const uint8_t *path, size_t path_bytes)
{
    dtkv_table_insert (&self->table, s_hash (self, path, path_bytes), node);
    node->digest = dtkv_digest_node (path, path_bytes, node);
    self->digest += node->digest;
    self->bytes += node->name_bytes + node->value_bytes;
    s_index (self, node);
}

static void s_leave (dtkv_tree_t *self, dtkv_node_t *node, const uint8_t *path, size_t path_bytes)
{
    s_capture (self, node, path, path_bytes);
    s_unindex (self, node);
    dtkv_table_remove (&self->table, s_hash (self, path, path_bytes), node);
    self->digest -= node->digest;
    self->bytes -= node->name_bytes + node->value_bytes;
}

void dtkv_tree_attach (dtkv_tree_t *self, dtkv_directory_t *parent, const uint8_t *path,
                       size_t path_bytes, dtkv_node_t *node)
{
    dt_assert (!node->parent);
    node->parent = parent;
    dtkv_order_insert (&parent->children, node);
    s_enter (self, node, path, path_bytes);
    s_count_descendants (parent, dtkv_node_subtree_nodes (node));
    if (!dtkv_node_is_directory (node) || !dtkv_node_directory (node)->children.count) {
        return;
    }
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, dtkv_node_directory (node), path, path_bytes);
    for (dtkv_node_t *below; (below = dtkv_walk_next (&walk));) {
        s_enter (self, below, walk.path.data, walk.path.bytes);
    }
    dtkv_walk_deinit (&walk);
}

void dtkv_tree_detach (dtkv_tree_t *self, dtkv_node_t *node, const uint8_t *path, size_t path_bytes)
{
    dt_assert (node->parent);
    if (dtkv_node_is_directory (node) && dtkv_node_directory (node)->children.count) {
        dtkv_walk_t walk;
        dtkv_walk_init (&walk, dtkv_node_directory (node), path, path_bytes);
        for (dtkv_node_t *below; (below = dtkv_walk_next (&walk));) {
            s_leave (self, below, walk.path.data, walk.path.bytes);
        }
        dtkv_walk_deinit (&walk);
    }
    s_leave (self, node, path, path_bytes);
    s_count_descendants (node->parent, 0 - dtkv_node_subtree_nodes (node));
    dtkv_order_remove (&node->parent->children, dtkv_node_name (node), node->name_bytes);
    node->parent = NULL;
}

void dtkv_tree_free_detached (dtkv_node_t **node_p)
{
    dtkv_node_t *node = *node_p;
    *node_p = NULL;
    if (dtkv_node_is_directory (node) && dtkv_node_directory (node)->children.count) {
        // Collect first: the walk needs the directories it has passed.
        size_t count = 0;
        dtkv_node_t **nodes = dt_malloc (dtkv_node_directory (node)->descendants * sizeof nodes[0]);
        dtkv_walk_t walk;
        dtkv_walk_init (&walk, dtkv_node_directory (node), NULL, 0);
        for (dtkv_node_t *below; (below = dtkv_walk_next (&walk));) {
            nodes[count++] = below;
        }
        dtkv_walk_deinit (&walk);
        dt_assert (count == dtkv_node_directory (node)->descendants);
        for (size_t i = 0; i < count; i++) {
            dtkv_node_destroy (&nodes[i]);
        }
        free (nodes);
    }
    dtkv_node_destroy (&node);
}

void dtkv_tree_substitute (dtkv_tree_t *self, dtkv_node_t *old, const uint8_t *path,
                           size_t path_bytes, dtkv_node_t *node)
{
    dt_assert (!dtkv_node_is_directory (old));
    s_unindex (self, old);
    dtkv_table_replace (&self->table, s_hash (self, path, path_bytes), old, node);
    dtkv_order_replace (&old->parent->children, old, node);
    node->parent = old->parent;
    self->bytes += (uint64_t) node->value_bytes - old->value_bytes;
    self->digest -= old->digest;
    node->digest = dtkv_digest_node (path, path_bytes, node);
    self->digest += node->digest;
    dtkv_node_destroy (&old);
    s_index (self, node);
}

void dtkv_tree_set_metadata (dtkv_tree_t *self, dtkv_node_t *node, const uint8_t *path,
                             size_t path_bytes, const dtkv_node_t *copy)
{
    s_unindex (self, node);
    const dtkv_lifetime_t lifetime = dtkv_node_lifetime (copy);
    uint64_t index = dtkv_node_is_temporary (copy) ? dtkv_node_temporary (copy)->changed_index : 0;
    dtkv_node_set_lifetime (node, &lifetime, index);
    node->modify_index = copy->modify_index;
    node->modify_ms = copy->modify_ms;
    node->writer = copy->writer;
    node->version = copy->version;
    if (dtkv_node_is_directory (node)) {
        dtkv_node_directory (node)->changed_index = dtkv_node_directory (copy)->changed_index;
    }
    s_index (self, node);
    s_digest_again (self, node, path, path_bytes);
}

dtkv_directory_t *dtkv_tree_temporary_above (dtkv_directory_t *directory)
{
    while (directory && !directory->temporary) {
        directory = directory->node.parent;
    }
    return directory;
}

void dtkv_tree_set_child_version (dtkv_tree_t *self, dtkv_directory_t *directory,
                                  const uint8_t *path, size_t path_bytes, uint64_t child_version,
                                  uint64_t changed_index)
{
    directory->child_version = child_version;
    directory->changed_index = changed_index;
    s_digest_again (self, &directory->node, path, path_bytes);
}

void dtkv_tree_record_begin (dtkv_tree_t *self, const uint8_t *path, size_t path_bytes,
                             const dtkv_node_t *before, size_t value_bytes)
{
    if (self->history) {
        dtkv_history_begin (self->history, path, path_bytes, before, value_bytes);
    }
}

void dtkv_tree_record_end (dtkv_tree_t *self, const dtkv_change_t *change, const dtkv_node_t *after)
{
    if (self->history) {
        dtkv_history_end (self->history, change->index, after);
        if (self->undo) {
            self->undo->events++;
        }
    }
}

static void s_record_one_gone (dtkv_tree_t *self, const dtkv_change_t *change,
                               const dtkv_node_t *node, const uint8_t *path, size_t path_bytes)
{
    dtkv_tree_record_begin (self, path, path_bytes, node, 0);
    dtkv_tree_record_end (self, change, NULL);
}

static void s_record_one_come (dtkv_tree_t *self, const dtkv_change_t *change,
                               const dtkv_node_t *node, const uint8_t *path, size_t path_bytes)
{
    dtkv_tree_record_begin (self, path, path_bytes, NULL, node->value_bytes);
    dtkv_tree_record_end (self, change, node);
}

// What is below a directory, to be gone through backwards.
typedef struct {
    const dtkv_node_t *node;
    size_t path; // offset
    size_t path_bytes;
} s_below_t;

static void s_record_below_gone (dtkv_tree_t *self, const dtkv_change_t *change,
                                 const dtkv_directory_t *directory, const uint8_t *path,
                                 size_t path_bytes)
{
    size_t count = 0;
    dt_buffer_t paths = {0};
    s_below_t *below = dt_malloc (directory->descendants * sizeof *below);
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, directory, path, path_bytes);
    for (const dtkv_node_t *node; (node = dtkv_walk_next (&walk));) {
        below[count++] = (s_below_t){node, paths.bytes, walk.path.bytes};
        dt_buffer_append (&paths, walk.path.data, walk.path.bytes);
    }
    dtkv_walk_deinit (&walk);
    while (count-- > 0) {
        s_record_one_gone (self, change, below[count].node, paths.data + below[count].path,
                           below[count].path_bytes);
    }
    free (below);
    dt_buffer_deinit (&paths);
}

void dtkv_tree_record_gone (dtkv_tree_t *self, const dtkv_change_t *change, const dtkv_node_t *node,
                            const uint8_t *path, size_t path_bytes)
{
    if (!self->history) {
        return;
    }
    if (dtkv_node_is_directory (node) && dtkv_node_directory (node)->descendants) {
        s_record_below_gone (self, change, dtkv_node_directory (node), path, path_bytes);
    }
    s_record_one_gone (self, change, node, path, path_bytes);
}

void dtkv_tree_record_come (dtkv_tree_t *self, const dtkv_change_t *change, const dtkv_node_t *node,
                            const uint8_t *path, size_t path_bytes)
{
    if (!self->history) {
        return;
    }
    s_record_one_come (self, change, node, path, path_bytes);
    if (!dtkv_node_is_directory (node) || !dtkv_node_directory (node)->descendants) {
        return;
    }
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, dtkv_node_directory (node), path, path_bytes);
    for (const dtkv_node_t *below; (below = dtkv_walk_next (&walk));) {
        s_record_one_come (self, change, below, walk.path.data, walk.path.bytes);
    }
    dtkv_walk_deinit (&walk);
}

static void s_bump (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_directory_t *directory,
                    const uint8_t *path, size_t path_bytes)
{
    s_capture (self, &directory->node, path, path_bytes);
    if (self->undo) {
        dtkv_undo_record_t *record = dtkv_undo_add (self->undo, DTKV_UNDO_BUMPED, path, path_bytes);
        record->child_version = directory->child_version;
        record->changed_index = directory->changed_index;
    }
    dtkv_tree_set_child_version (self, directory, path, path_bytes, directory->child_version + 1,
                                 change->index);
}

void dtkv_tree_create (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_directory_t *parent,
                       const dtkv_path_t *path, dtkv_node_t *node)
{
    node->create_index = node->modify_index = change->index;
    node->create_ms = node->modify_ms = change->wall_ms;
    node->writer = change->writer;
    node->version = 1;
    if (dtkv_node_is_directory (node)) {
        dtkv_node_directory (node)->changed_index = change->index;
    }
    dtkv_tree_attach (self, parent, path->data, path->bytes, node);
    if (self->undo) {
        dtkv_undo_add (self->undo, DTKV_UNDO_CREATED, path->data, path->bytes);
    }
    if (self->history) {
        s_record_one_come (self, change, node, path->data, path->bytes);
    }
    s_bump (self, change, parent, path->data, path->parent_bytes);
}

// Before a node changes where it stands: show it to the snapshot and leave a copy behind.
static void s_keep_before (dtkv_tree_t *self, dtkv_undo_kind_t kind, const dtkv_node_t *node,
                           const dtkv_path_t *path)
{
    s_capture (self, node, path->data, path->bytes);
    if (self->undo) {
        dtkv_undo_record_t *record = dtkv_undo_add (self->undo, kind, path->data, path->bytes);
        record->node = dtkv_node_copy (node, dtkv_node_name (node), node->name_bytes);
    }
}

static void s_set_lifetime (dtkv_tree_t *self, dtkv_node_t *node, const dtkv_lifetime_t *lifetime,
                            uint64_t index)
{
    s_unindex (self, node);
    dtkv_node_set_lifetime (node, lifetime, index);
    s_index (self, node);
}

static void s_stamp (dtkv_node_t *node, const dtkv_change_t *change)
{
    node->modify_index = change->index;
    node->modify_ms = change->wall_ms;
    node->writer = change->writer;
    node->version++;
}

void dtkv_tree_overwrite (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                          const dtkv_path_t *path, const void *value, size_t value_bytes)
{
    const dtkv_lifetime_t lifetime = dtkv_node_lifetime (node);
    dtkv_tree_overwrite_for (self, change, node, path, value, value_bytes, &lifetime);
}

void dtkv_tree_overwrite_for (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                              const dtkv_path_t *path, const void *value, size_t value_bytes,
                              const dtkv_lifetime_t *lifetime)
{
    s_keep_before (self, DTKV_UNDO_REPLACED, node, path);
    dtkv_tree_record_begin (self, path->data, path->bytes, node, value_bytes);
    uint64_t old_bytes = node->value_bytes;
    bool converted = dtkv_lifetime_ends (lifetime) != dtkv_node_is_temporary (node);
    if (converted || !dtkv_node_set_value (node, value, value_bytes)) {
        dtkv_node_t *moved = dtkv_node_copy_with_value (node, value, value_bytes, lifetime);
        s_stamp (moved, change);
        dtkv_tree_record_end (self, change, moved);
        dtkv_tree_substitute (self, node, path->data, path->bytes, moved);
        return;
    }
    s_stamp (node, change);
    dtkv_tree_record_end (self, change, node);
    self->bytes += value_bytes - old_bytes;
    if (dtkv_lifetime_ends (lifetime)) {
        s_set_lifetime (self, node, lifetime, change->index);
    }
    s_digest_again (self, node, path->data, path->bytes);
}

void dtkv_tree_renew (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                      const dtkv_path_t *path, const dtkv_lifetime_t *lifetime)
{
    dt_assert (dtkv_node_is_temporary (node));
    s_keep_before (self, DTKV_UNDO_METADATA, node, path);
    s_set_lifetime (self, node, lifetime, change->index);
    s_digest_again (self, node, path->data, path->bytes);
}

void dtkv_tree_convert (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                        const dtkv_path_t *path, const dtkv_lifetime_t *lifetime)
{
    dt_assert (dtkv_node_is_directory (node));
    dt_assert (node->parent);
    s_keep_before (self, DTKV_UNDO_METADATA, node, path);
    dtkv_tree_record_begin (self, path->data, path->bytes, node, 0);
    s_set_lifetime (self, node, lifetime, change->index);
    s_stamp (node, change);
    dtkv_node_directory (node)->changed_index = change->index;
    dtkv_tree_record_end (self, change, node);
    s_digest_again (self, node, path->data, path->bytes);
}

void dtkv_tree_remove (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                       const dtkv_path_t *path)
{
    dtkv_directory_t *parent = node->parent;
    dtkv_tree_record_gone (self, change, node, path->data, path->bytes);
    dtkv_tree_detach (self, node, path->data, path->bytes);
    if (self->undo) {
        dtkv_undo_add (self->undo, DTKV_UNDO_REMOVED, path->data, path->bytes)->node = node;
    } else {
        dtkv_tree_free_detached (&node);
    }
    s_bump (self, change, parent, path->data, path->parent_bytes);
}

void dtkv_tree_move (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                     const dtkv_path_t *from, dtkv_directory_t *parent, const dtkv_path_t *to)
{
    dtkv_directory_t *before = node->parent;
    dtkv_tree_record_gone (self, change, node, from->data, from->bytes);
    dtkv_tree_detach (self, node, from->data, from->bytes);
    // The name is in the node's own memory.
    dtkv_node_t *moved = dtkv_node_copy (node, dtkv_path_name (to), dtkv_path_name_bytes (to));
    dtkv_node_give_children (node, moved);
    moved->modify_index = change->index;
    moved->modify_ms = change->wall_ms;
    moved->writer = change->writer;
    if (dtkv_node_is_directory (moved)) {
        dtkv_node_directory (moved)->changed_index = change->index;
        dtkv_node_directory (moved)->moved_index = change->index;
    }
    dtkv_tree_attach (self, parent, to->data, to->bytes, moved);
    dtkv_tree_record_come (self, change, moved, to->data, to->bytes);
    if (self->undo) {
        dtkv_undo_record_t *record =
            dtkv_undo_add (self->undo, DTKV_UNDO_MOVED, to->data, to->bytes);
        dtkv_undo_add_source (self->undo, from->data, from->bytes);
        record->node = node;
    } else {
        dtkv_node_destroy (&node);
    }
    s_bump (self, change, before, from->data, from->parent_bytes);
    s_bump (self, change, parent, to->data, to->parent_bytes);
}

uint64_t dtkv_tree_digest_recompute (const dtkv_tree_t *self)
{
    uint64_t digest = dtkv_digest_node (NULL, 0, &self->root->node);
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, self->root, NULL, 0);
    for (const dtkv_node_t *node; (node = dtkv_walk_next (&walk));) {
        digest += dtkv_digest_node (walk.path.data, walk.path.bytes, node);
    }
    dtkv_walk_deinit (&walk);
    return digest;
}

static void s_check_directory (const dtkv_directory_t *directory)
{
    uint64_t descendants = 0;
    dtkv_order_check (&directory->children);
    dtkv_position_t position = {0};
    for (const dtkv_node_t *node; (node = dtkv_order_at (&directory->children, position));) {
        dt_assert (node->parent == directory);
        descendants += dtkv_node_subtree_nodes (node);
        position = dtkv_order_next (&directory->children, position);
    }
    dt_assert (descendants == directory->descendants);
}

void dtkv_tree_check (const dtkv_tree_t *self)
{
    uint64_t bytes = 0;
    uint64_t nodes = 0;
    uint64_t temporaries = 0;
    dt_assert (!self->undo);
    dt_assert (!self->root->node.parent);
    dtkv_table_check (&self->table);
    s_check_directory (self->root);
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, self->root, NULL, 0);
    for (const dtkv_node_t *node; (node = dtkv_walk_next (&walk));) {
        if (dtkv_node_is_directory (node)) {
            s_check_directory (dtkv_node_directory (node));
            dt_assert (node->value_bytes == 0);
        }
        dt_assert (node->name_bytes > 0);
        dt_assert (!memchr (dtkv_node_name (node), '.', node->name_bytes));
        dt_assert (dtkv_tree_find (self, walk.path.data, walk.path.bytes) == node);
        dt_assert (node->version > 0);
        dt_assert (node->create_index <= node->modify_index);
        temporaries += dtkv_node_is_temporary (node);
        dt_assert (!dtkv_node_is_temporary (node) || !dtkv_tree_temporary_above (node->parent));
        nodes++;
        bytes += node->name_bytes + node->value_bytes;
    }
    dtkv_walk_deinit (&walk);
    dtkv_temporaries_check (&self->temporaries);
    dt_assert (temporaries == self->temporaries.count);
    dt_assert (nodes == self->table.nodes);
    dt_assert (nodes == self->root->descendants);
    dt_assert (bytes == self->bytes);
    dt_assert (self->digest == dtkv_tree_digest_recompute (self));
}
