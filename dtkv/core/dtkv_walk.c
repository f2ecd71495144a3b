#include "dtkv/core/dtkv_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

static void s_push (dtkv_walk_t *self, const dtkv_directory_t *directory)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 8;
        self->levels = dt_realloc (self->levels, self->capacity * sizeof self->levels[0]);
    }
    self->levels[self->count++] = (dtkv_walk_level_t){
        .directory = directory,
        .path_bytes = self->path.bytes,
    };
}

static void s_set_name (dtkv_walk_t *self, size_t path_bytes, const uint8_t *name, size_t bytes)
{
    self->path.bytes = path_bytes;
    if (path_bytes) {
        dt_buffer_append (&self->path, ".", 1);
    }
    dt_buffer_append (&self->path, name, bytes);
}

void dtkv_walk_init (dtkv_walk_t *self, const dtkv_directory_t *directory, const void *prefix,
                     size_t prefix_bytes)
{
    *self = (dtkv_walk_t){0};
    dt_buffer_append (&self->path, prefix, prefix_bytes);
    s_push (self, directory);
}

void dtkv_walk_deinit (dtkv_walk_t *self)
{
    dt_buffer_deinit (&self->path);
    free (self->levels);
    *self = (dtkv_walk_t){0};
}

void dtkv_walk_seek (dtkv_walk_t *self, const uint8_t *after, size_t bytes)
{
    const uint8_t *end = after + bytes;
    dt_assert (bytes);
    dt_assert (self->count == 1 && !self->entered);
    for (;;) {
        const uint8_t *dot = memchr (after, '.', (size_t) (end - after));
        size_t name_bytes = (size_t) ((dot ? dot : end) - after);
        dtkv_walk_level_t *level = &self->levels[self->count - 1];
        const dtkv_order_t *children = &level->directory->children;
        if (!dtkv_order_find (children, after, name_bytes, &level->position)) {
            return;
        }
        const dtkv_node_t *node = dtkv_order_at (children, level->position);
        level->position = dtkv_order_next (children, level->position);
        if (!dtkv_node_is_directory (node)) {
            return;
        }
        s_set_name (self, level->path_bytes, after, name_bytes);
        if (!dot) {
            self->entered = dtkv_node_directory (node);
            return;
        }
        s_push (self, dtkv_node_directory (node));
        after = dot + 1;
    }
}

dtkv_node_t *dtkv_walk_next (dtkv_walk_t *self)
{
    if (self->entered) {
        s_push (self, self->entered);
        self->entered = NULL;
    }
    while (self->count) {
        dtkv_walk_level_t *level = &self->levels[self->count - 1];
        const dtkv_order_t *children = &level->directory->children;
        dtkv_node_t *node = dtkv_order_at (children, level->position);
        if (!node) {
            self->count--;
            continue;
        }
        level->position = dtkv_order_next (children, level->position);
        s_set_name (self, level->path_bytes, dtkv_node_name (node), node->name_bytes);
        if (dtkv_node_is_directory (node)) {
            self->entered = dtkv_node_directory (node);
        }
        return node;
    }
    return NULL;
}
