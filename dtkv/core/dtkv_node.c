#include "dtkv/core/dtkv_node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_limits.h"

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

dtkv_node_t *dtkv_node_new_value (const void *name, size_t name_bytes, const void *value,
                                  size_t value_bytes)
{
    dt_assert (name_bytes <= UINT16_MAX);
    dt_assert (value_bytes <= DTKV_VALUE_BYTES_CEILING);
    size_t used = sizeof (dtkv_node_t) + name_bytes + value_bytes;
    size_t allocated = s_allocation (used);
    dtkv_node_t *self = dt_malloc (allocated);
    *self = (dtkv_node_t){.name_bytes = (uint16_t) name_bytes,
                          .spare = (uint16_t) (allocated - used),
                          .value_bytes = (uint32_t) value_bytes};
    memcpy (dtkv_node_name (self), name, name_bytes);
    if (value_bytes) {
        memcpy (dtkv_node_value (self), value, value_bytes);
    }
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

static void s_copy_metadata (dtkv_node_t *to, const dtkv_node_t *from)
{
    to->create_index = from->create_index;
    to->modify_index = from->modify_index;
    to->version = from->version;
    to->create_ms = from->create_ms;
    to->modify_ms = from->modify_ms;
    to->writer = from->writer;
    to->digest = from->digest;
    to->flags = from->flags;
}

dtkv_node_t *dtkv_node_copy (const dtkv_node_t *self, const void *name, size_t name_bytes)
{
    dtkv_node_t *copy;
    if (dtkv_node_is_directory (self)) {
        const dtkv_directory_t *from = dtkv_node_directory (self);
        copy = dtkv_node_new_directory (name, name_bytes);
        dtkv_directory_t *to = dtkv_node_directory (copy);
        to->child_version = from->child_version;
        to->changed_index = from->changed_index;
    } else {
        copy = dtkv_node_new_value (name, name_bytes, dtkv_node_value (self), self->value_bytes);
    }
    s_copy_metadata (copy, self);
    return copy;
}

void dtkv_node_destroy (dtkv_node_t **self_p)
{
    dtkv_node_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
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
                                        size_t value_bytes)
{
    dt_assert (!dtkv_node_is_directory (self));
    dtkv_node_t *copy =
        dtkv_node_new_value (dtkv_node_name (self), self->name_bytes, value, value_bytes);
    s_copy_metadata (copy, self);
    return copy;
}
