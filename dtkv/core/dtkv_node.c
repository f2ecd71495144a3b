#include "dtkv/core/dtkv_node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_limits.h"
#include "dtkv/core/dtkv_temporary.h"

static_assert (sizeof (dtkv_node_t) == 72, "a node's overhead is part of the memory budget");
static_assert (offsetof (dtkv_directory_t, node) + sizeof (dtkv_node_t) ==
                   sizeof (dtkv_directory_t),
               "a directory's name follows its node");
static_assert (DTKV_VALUE_BYTES_CEILING < 1 << 24, "the length of a value fits its field");

// Allocators hand out multiples of 16 bytes less one word of their own: take all of it.
static size_t s_allocation (size_t bytes)
{
    return ((bytes + sizeof (size_t) + 15) & ~(size_t) 15) - sizeof (size_t);
}

static dtkv_temporary_t *s_temporary_new (const dtkv_lifetime_t *lifetime)
{
    dtkv_temporary_t *temporary = dt_malloc (sizeof *temporary);
    *temporary = (dtkv_temporary_t){.lifetime = *lifetime};
    return temporary;
}

// Where a temporary value node keeps its pointer; not aligned.
static uint8_t *s_pointer (const dtkv_node_t *self)
{
    return (uint8_t *) (self + 1) + self->name_bytes;
}

dtkv_node_t *dtkv_node_new_value_for (const void *name, size_t name_bytes, const void *value,
                                      size_t value_bytes, const dtkv_lifetime_t *lifetime)
{
    dt_assert (name_bytes <= UINT16_MAX);
    dt_assert (value_bytes <= DTKV_VALUE_BYTES_CEILING);
    bool ends = dtkv_lifetime_ends (lifetime);
    size_t pointer_bytes = ends ? sizeof (dtkv_temporary_t *) : 0;
    size_t used = sizeof (dtkv_node_t) + name_bytes + pointer_bytes + value_bytes;
    size_t allocated = s_allocation (used);
    dtkv_node_t *self = dt_malloc (allocated);
    *self = (dtkv_node_t){.name_bytes = (uint16_t) name_bytes,
                          .spare = (uint16_t) (allocated - used),
                          .value_bytes = (uint32_t) value_bytes,
                          .flags = ends ? DTKV_NODE_TEMPORARY : 0};
    memcpy (dtkv_node_name (self), name, name_bytes);
    if (ends) {
        dtkv_temporary_t *temporary = s_temporary_new (lifetime);
        memcpy (s_pointer (self), &temporary, sizeof temporary);
    }
    if (value_bytes) {
        memcpy (dtkv_node_value (self), value, value_bytes);
    }
    return self;
}

dtkv_node_t *dtkv_node_new_value (const void *name, size_t name_bytes, const void *value,
                                  size_t value_bytes)
{
    const dtkv_lifetime_t for_ever = {0};
    return dtkv_node_new_value_for (name, name_bytes, value, value_bytes, &for_ever);
}

dtkv_node_t *dtkv_node_new_directory_for (const void *name, size_t name_bytes,
                                          const dtkv_lifetime_t *lifetime)
{
    dtkv_node_t *self = dtkv_node_new_directory (name, name_bytes);
    dtkv_node_set_lifetime (self, lifetime, 0);
    return self;
}

dtkv_node_t *dtkv_node_new_directory (const void *name, size_t name_bytes)
{
    dt_assert (name_bytes <= UINT16_MAX);
    dtkv_directory_t *directory = dt_malloc (sizeof *directory + name_bytes);
    *directory = (dtkv_directory_t){0};
    directory->node.flags = DTKV_NODE_DIRECTORY;
    directory->node.name_bytes = (uint16_t) name_bytes;
    if (name_bytes) {
        memcpy (dtkv_node_name (&directory->node), name, name_bytes);
    }
    return &directory->node;
}

dtkv_temporary_t *dtkv_node_temporary (const dtkv_node_t *self)
{
    dt_assert (dtkv_node_is_temporary (self));
    if (dtkv_node_is_directory (self)) {
        return dtkv_node_directory (self)->temporary;
    }
    dtkv_temporary_t *temporary;
    memcpy (&temporary, s_pointer (self), sizeof temporary);
    return temporary;
}

dtkv_lifetime_t dtkv_node_lifetime (const dtkv_node_t *self)
{
    return dtkv_node_is_temporary (self) ? dtkv_node_temporary (self)->lifetime
                                         : (dtkv_lifetime_t){0};
}

uint64_t dtkv_node_changed_index (const dtkv_node_t *self)
{
    uint64_t index = dtkv_node_is_directory (self) ? dtkv_node_directory (self)->changed_index
                                                   : self->modify_index;
    uint64_t renewed =
        dtkv_node_is_temporary (self) ? dtkv_node_temporary (self)->changed_index : 0;
    return renewed > index ? renewed : index;
}

void dtkv_node_set_lifetime (dtkv_node_t *self, const dtkv_lifetime_t *lifetime, uint64_t index)
{
    bool ends = dtkv_lifetime_ends (lifetime);
    if (ends != dtkv_node_is_temporary (self)) {
        dtkv_directory_t *directory = dtkv_node_directory (self);
        dt_assert (dtkv_node_is_directory (self));
        free (directory->temporary);
        directory->temporary = ends ? s_temporary_new (lifetime) : NULL;
        self->flags = ends ? self->flags | DTKV_NODE_TEMPORARY : DTKV_NODE_DIRECTORY;
    }
    if (ends) {
        dtkv_node_temporary (self)->lifetime = *lifetime;
        dtkv_node_temporary (self)->changed_index = index;
    }
}

void dtkv_node_path (const dtkv_node_t *self, dt_buffer_t *path)
{
    size_t bytes = 0;
    for (const dtkv_node_t *at = self; at->parent; at = &at->parent->node) {
        bytes += at->name_bytes + (at == self ? 0 : 1);
    }
    uint8_t *end = dt_buffer_reserve (path, bytes) + bytes;
    for (const dtkv_node_t *at = self; at->parent; at = &at->parent->node) {
        if (at != self) {
            *--end = '.';
        }
        end -= at->name_bytes;
        memcpy (end, dtkv_node_name (at), at->name_bytes);
    }
    path->bytes += bytes;
}

// All but what says how long it lives.
static void s_copy_metadata (dtkv_node_t *to, const dtkv_node_t *from)
{
    to->create_index = from->create_index;
    to->modify_index = from->modify_index;
    to->version = from->version;
    to->create_ms = from->create_ms;
    to->modify_ms = from->modify_ms;
    to->writer = from->writer;
    to->digest = from->digest;
    to->flags = (from->flags & ~DTKV_NODE_TEMPORARY) | (to->flags & DTKV_NODE_TEMPORARY);
}

dtkv_node_t *dtkv_node_copy (const dtkv_node_t *self, const void *name, size_t name_bytes)
{
    dtkv_node_t *copy;
    dtkv_lifetime_t lifetime = dtkv_node_lifetime (self);
    if (dtkv_node_is_directory (self)) {
        const dtkv_directory_t *from = dtkv_node_directory (self);
        copy = dtkv_node_new_directory_for (name, name_bytes, &lifetime);
        dtkv_directory_t *to = dtkv_node_directory (copy);
        to->child_version = from->child_version;
        to->changed_index = from->changed_index;
        to->moved_index = from->moved_index;
    } else {
        copy = dtkv_node_new_value_for (name, name_bytes, dtkv_node_value (self), self->value_bytes,
                                        &lifetime);
    }
    s_copy_metadata (copy, self);
    if (dtkv_node_is_temporary (self)) {
        dtkv_node_temporary (copy)->changed_index = dtkv_node_temporary (self)->changed_index;
    }
    return copy;
}

void dtkv_node_give_children (dtkv_node_t *from, dtkv_node_t *to)
{
    if (!dtkv_node_is_directory (from)) {
        return;
    }
    dtkv_directory_t *old = dtkv_node_directory (from);
    dtkv_directory_t *parent = dtkv_node_directory (to);
    dt_assert (parent->descendants == 0);
    dtkv_order_deinit (&parent->children);
    parent->children = old->children;
    parent->descendants = old->descendants;
    old->children = (dtkv_order_t){0};
    old->descendants = 0;
    dtkv_position_t position = {0};
    for (dtkv_node_t *child; (child = dtkv_order_at (&parent->children, position));) {
        child->parent = parent;
        position = dtkv_order_next (&parent->children, position);
    }
}

void dtkv_node_destroy (dtkv_node_t **self_p)
{
    dtkv_node_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    if (dtkv_node_is_temporary (self)) {
        dt_assert (!dtkv_node_temporary (self)->node);
        free (dtkv_node_temporary (self));
    }
    if (dtkv_node_is_directory (self)) {
        dtkv_directory_t *directory = dtkv_node_directory (self);
        dtkv_order_deinit (&directory->children);
        free (directory);
    } else {
        free (self);
    }
}

bool dtkv_node_set_value (dtkv_node_t *self, const void *value, size_t value_bytes)
{
    dt_assert (!dtkv_node_is_directory (self));
    dt_assert (value_bytes <= DTKV_VALUE_BYTES_CEILING);
    size_t room = (size_t) self->value_bytes + self->spare;
    // A value that jitters by an eighth keeps its memory; one that shrank more gives it back.
    size_t spare_max = value_bytes / 8 + 64;
    spare_max = spare_max < UINT16_MAX ? spare_max : UINT16_MAX;
    if (value_bytes > room || room - value_bytes > spare_max) {
        return false;
    }
    if (value_bytes) {
        memcpy (dtkv_node_value (self), value, value_bytes);
    }
    self->value_bytes = (uint32_t) value_bytes;
    self->spare = (uint16_t) (room - value_bytes);
    return true;
}

dtkv_node_t *dtkv_node_copy_with_value (const dtkv_node_t *self, const void *value,
                                        size_t value_bytes, const dtkv_lifetime_t *lifetime)
{
    dt_assert (!dtkv_node_is_directory (self));
    dtkv_node_t *copy = dtkv_node_new_value_for (dtkv_node_name (self), self->name_bytes, value,
                                                 value_bytes, lifetime);
    s_copy_metadata (copy, self);
    return copy;
}
