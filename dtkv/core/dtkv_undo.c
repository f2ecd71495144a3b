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

static void s_take_back (dtkv_tree_t *tree, dtkv_undo_record_t *record, const uint8_t *path)
{
    size_t bytes = record->path_bytes;
    dtkv_node_t *node = NULL;
    if (record->kind == DTKV_UNDO_REMOVED) {
        const uint8_t *dot = memrchr (path, '.', bytes);
        node = dtkv_tree_find (tree, path, dot ? (size_t) (dot - path) : 0);
        dtkv_tree_attach (tree, dtkv_node_directory (node), path, bytes, record->node);
        return;
    }
    node = dtkv_tree_find (tree, path, bytes);
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
    default:
        dtkv_tree_set_child_version (tree, dtkv_node_directory (node), path, bytes,
                                     record->child_version, record->changed_index);
    }
}

void dtkv_undo_rollback (dtkv_undo_t *self, dtkv_tree_t *tree)
{
    dt_assert (!tree->undo);
    for (size_t i = self->count; i-- > 0;) {
        s_take_back (tree, &self->records[i], self->paths.data + self->records[i].path);
    }
    s_clear (self);
}
