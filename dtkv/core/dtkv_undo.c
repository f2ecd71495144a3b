#include "dtkv/core/dtkv_undo.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_tree.h"

dtkv_undo_record_t *dtkv_undo_add (dtkv_undo_t *self, dtkv_undo_kind_t kind, const uint8_t *path,
                                   size_t path_bytes)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->records = dt_realloc (self->records, self->capacity * sizeof self->records[0]);
    }
    dtkv_undo_record_t *record = &self->records[self->count++];
    *record = (dtkv_undo_record_t){
        .kind = kind,
        .path = self->paths.bytes,
        .path_bytes = (uint32_t) path_bytes,
    };
    dt_buffer_append (&self->paths, path, path_bytes);
    return record;
}

void dtkv_undo_add_source (dtkv_undo_t *self, const uint8_t *path, size_t path_bytes)
{
    dtkv_undo_record_t *record = &self->records[self->count - 1];
    record->source = self->paths.bytes;
    record->source_bytes = (uint32_t) path_bytes;
    dt_buffer_append (&self->paths, path, path_bytes);
}

static void s_clear (dtkv_undo_t *self)
{
    free (self->records);
    dt_buffer_deinit (&self->paths);
    *self = (dtkv_undo_t){0};
}

void dtkv_undo_commit (dtkv_undo_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->records[i].node) {
            dtkv_tree_free_detached (&self->records[i].node);
        }
    }
    s_clear (self);
}

// Link a node that was detached where it was.
static void s_attach (dtkv_tree_t *tree, dtkv_node_t *node, const uint8_t *path, size_t bytes)
{
    const uint8_t *dot = memrchr (path, '.', bytes);
    dtkv_node_t *parent = dtkv_tree_find (tree, path, dot ? (size_t) (dot - path) : 0);
    dtkv_tree_attach (tree, dtkv_node_directory (parent), path, bytes, node);
}

static void s_take_back (const dtkv_undo_t *self, dtkv_tree_t *tree, dtkv_undo_record_t *record)
{
    const uint8_t *path = self->paths.data + record->path;
    size_t bytes = record->path_bytes;
    if (record->kind == DTKV_UNDO_REMOVED) {
        s_attach (tree, record->node, path, bytes);
        return;
    }
    dtkv_node_t *node = dtkv_tree_find (tree, path, bytes);
    dt_assert (node);
    switch (record->kind) {
    case DTKV_UNDO_CREATED:
        dtkv_tree_detach (tree, node, path, bytes);
        dtkv_tree_free_detached (&node);
        break;
    case DTKV_UNDO_REPLACED:
        dtkv_tree_substitute (tree, node, path, bytes, record->node);
        break;
    case DTKV_UNDO_METADATA:
        dtkv_tree_set_metadata (tree, node, path, bytes, record->node);
        dtkv_node_destroy (&record->node);
        break;
    case DTKV_UNDO_MOVED:
        dtkv_tree_detach (tree, node, path, bytes);
        dtkv_node_give_children (node, record->node);
        dtkv_node_destroy (&node);
        s_attach (tree, record->node, self->paths.data + record->source, record->source_bytes);
        break;
    default:
        dtkv_tree_set_child_version (tree, dtkv_node_directory (node), path, bytes,
                                     record->child_version, record->changed_index);
    }
}

void dtkv_undo_rollback (dtkv_undo_t *self, dtkv_tree_t *tree)
{
    dt_assert (!tree->undo);
    for (size_t i = self->count; i-- > 0;) {
        s_take_back (self, tree, &self->records[i]);
    }
    if (self->events) {
        dtkv_history_drop_last (tree->history, self->events);
    }
    s_clear (self);
}
