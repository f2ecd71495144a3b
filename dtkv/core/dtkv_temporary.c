#include "dtkv/core/dtkv_temporary.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_path.h"

enum { HEAP_MIN = 16, OWNERS_MIN = 16 };

void dtkv_temporaries_deinit (dtkv_temporaries_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        self->heap[i]->node = NULL;
    }
    free (self->heap);
    free (self->owners);
    *self = (dtkv_temporaries_t){0};
}

// Order.

static int s_compare_paths (const dtkv_node_t *a, const dtkv_node_t *b)
{
    dt_buffer_t paths[2] = {{0}, {0}};
    dt_buffer_t keys[2] = {{0}, {0}};
    dtkv_node_path (a, &paths[0]);
    dtkv_node_path (b, &paths[1]);
    for (int i = 0; i < 2; i++) {
        dtkv_path_sort_key (paths[i].data, paths[i].bytes, &keys[i]);
    }
    int order = dtkv_bytes_compare (keys[0].data, keys[0].bytes, keys[1].data, keys[1].bytes);
    for (int i = 0; i < 2; i++) {
        dt_buffer_deinit (&paths[i]);
        dt_buffer_deinit (&keys[i]);
    }
    return order;
}

// Of nodes that one entry created the path decides: it is the same on every replica.
static int s_compare_created (const dtkv_node_t *a, const dtkv_node_t *b)
{
    if (a->create_index != b->create_index) {
        return a->create_index < b->create_index ? -1 : 1;
    }
    return a == b ? 0 : s_compare_paths (a, b);
}

static bool s_earlier (const dtkv_temporary_t *a, const dtkv_temporary_t *b)
{
    if (a->lifetime.deadline_ms != b->lifetime.deadline_ms) {
        return a->lifetime.deadline_ms < b->lifetime.deadline_ms;
    }
    return s_compare_created (a->node, b->node) < 0;
}

// Heap.

static void s_heap_set (dtkv_temporaries_t *self, uint32_t slot, dtkv_temporary_t *temporary)
{
    self->heap[slot] = temporary;
    temporary->heap_slot = slot;
}

static void s_heap_up (dtkv_temporaries_t *self, dtkv_temporary_t *temporary)
{
    uint32_t slot = temporary->heap_slot;
    while (slot && s_earlier (temporary, self->heap[(slot - 1) / 2])) {
        s_heap_set (self, slot, self->heap[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    s_heap_set (self, slot, temporary);
}

static void s_heap_down (dtkv_temporaries_t *self, dtkv_temporary_t *temporary)
{
    uint32_t slot = temporary->heap_slot;
    for (;;) {
        uint32_t child = 2 * slot + 1;
        if (child >= self->count) {
            break;
        }
        if (child + 1 < self->count && s_earlier (self->heap[child + 1], self->heap[child])) {
            child++;
        }
        if (!s_earlier (self->heap[child], temporary)) {
            break;
        }
        s_heap_set (self, slot, self->heap[child]);
        slot = child;
    }
    s_heap_set (self, slot, temporary);
}

static void s_heap_insert (dtkv_temporaries_t *self, dtkv_temporary_t *temporary)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : HEAP_MIN;
        self->heap = dt_realloc (self->heap, self->capacity * sizeof self->heap[0]);
    }
    temporary->heap_slot = self->count++;
    s_heap_up (self, temporary);
}

static void s_heap_remove (dtkv_temporaries_t *self, const dtkv_temporary_t *temporary)
{
    dtkv_temporary_t *last = self->heap[--self->count];
    if (last == temporary) {
        return;
    }
    s_heap_set (self, temporary->heap_slot, last);
    s_heap_down (self, last);
    s_heap_up (self, last);
}

// Owners.

static uint32_t s_home (const dtkv_temporaries_t *self, uint64_t id)
{
    return (uint32_t) dt_hash_mix (id) & (self->owners_capacity - 1);
}

static dtkv_owner_t *s_owner (const dtkv_temporaries_t *self, uint64_t id)
{
    uint32_t slot = s_home (self, id);
    while (self->owners[slot].id && self->owners[slot].id != id) {
        slot = (slot + 1) & (self->owners_capacity - 1);
    }
    return &self->owners[slot];
}

static void s_owners_grow (dtkv_temporaries_t *self)
{
    dtkv_owner_t *old = self->owners;
    uint32_t old_capacity = self->owners_capacity;
    self->owners_capacity = old_capacity ? old_capacity * 2 : OWNERS_MIN;
    self->owners = dt_zalloc (self->owners_capacity, sizeof self->owners[0]);
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i].id) {
            *s_owner (self, old[i].id) = old[i];
        }
    }
    free (old);
}

static void s_owner_add (dtkv_temporaries_t *self, dtkv_temporary_t *temporary)
{
    if ((self->owners_count + 1) * 2 > self->owners_capacity) {
        s_owners_grow (self);
    }
    dtkv_owner_t *owner = s_owner (self, temporary->lifetime.owner);
    if (!owner->id) {
        owner->id = temporary->lifetime.owner;
        self->owners_count++;
    }
    temporary->before = NULL;
    temporary->behind = owner->first;
    if (owner->first) {
        owner->first->before = temporary;
    }
    owner->first = temporary;
    owner->count++;
}

// Free the slot of an owner that owns nothing any more; those behind it close the gap.
static void s_owner_free (dtkv_temporaries_t *self, dtkv_owner_t *owner)
{
    uint32_t mask = self->owners_capacity - 1;
    uint32_t hole = (uint32_t) (owner - self->owners);
    for (uint32_t slot = (hole + 1) & mask; self->owners[slot].id; slot = (slot + 1) & mask) {
        uint32_t home = s_home (self, self->owners[slot].id);
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            self->owners[hole] = self->owners[slot];
            hole = slot;
        }
    }
    self->owners[hole] = (dtkv_owner_t){0};
    self->owners_count--;
}

static void s_owner_remove (dtkv_temporaries_t *self, dtkv_temporary_t *temporary)
{
    dtkv_owner_t *owner = s_owner (self, temporary->lifetime.owner);
    *(temporary->before ? &temporary->before->behind : &owner->first) = temporary->behind;
    if (temporary->behind) {
        temporary->behind->before = temporary->before;
    }
    temporary->before = temporary->behind = NULL;
    if (--owner->count == 0) {
        s_owner_free (self, owner);
    }
}

// The whole.

void dtkv_temporaries_add (dtkv_temporaries_t *self, dtkv_node_t *node)
{
    dtkv_temporary_t *temporary = dtkv_node_temporary (node);
    temporary->node = node;
    s_heap_insert (self, temporary);
    self->directories += dtkv_node_is_directory (node);
    self->contenders += (node->flags & DTKV_NODE_LOCK) != 0;
    if (temporary->lifetime.owner) {
        s_owner_add (self, temporary);
    }
}

void dtkv_temporaries_remove (dtkv_temporaries_t *self, dtkv_node_t *node)
{
    dtkv_temporary_t *temporary = dtkv_node_temporary (node);
    dt_assert (temporary->node == node);
    if (temporary->lifetime.owner) {
        s_owner_remove (self, temporary);
    }
    self->directories -= dtkv_node_is_directory (node);
    self->contenders -= (node->flags & DTKV_NODE_LOCK) != 0;
    s_heap_remove (self, temporary);
    temporary->node = NULL;
}

dtkv_node_t *dtkv_temporaries_first (const dtkv_temporaries_t *self)
{
    return self->count ? self->heap[0]->node : NULL;
}

uint32_t dtkv_temporaries_owned (const dtkv_temporaries_t *self, uint64_t owner)
{
    return self->owners_count ? s_owner (self, owner)->count : 0;
}

dtkv_node_t *dtkv_temporaries_find (const dtkv_temporaries_t *self, uint64_t owner,
                                    const dtkv_directory_t *lock)
{
    if (dtkv_temporaries_owned (self, owner) == 0) {
        return NULL;
    }
    for (dtkv_temporary_t *at = s_owner (self, owner)->first; at; at = at->behind) {
        if (at->node->parent == lock) {
            return at->node;
        }
    }
    return NULL;
}

static int s_compare_slots (const void *a, const void *b)
{
    return s_compare_created (*(dtkv_node_t *const *) a, *(dtkv_node_t *const *) b);
}

void dtkv_temporaries_list (const dtkv_temporaries_t *self, uint64_t owner, dtkv_node_t **nodes)
{
    size_t count = 0;
    if (dtkv_temporaries_owned (self, owner) == 0) {
        return;
    }
    for (dtkv_temporary_t *at = s_owner (self, owner)->first; at; at = at->behind) {
        nodes[count++] = at->node;
    }
    qsort (nodes, count, sizeof nodes[0], s_compare_slots);
}

void dtkv_temporaries_check (const dtkv_temporaries_t *self)
{
    uint32_t directories = 0;
    uint32_t contenders = 0;
    uint32_t owned = 0;
    for (uint32_t slot = 0; slot < self->count; slot++) {
        const dtkv_temporary_t *temporary = self->heap[slot];
        dt_assert (temporary->heap_slot == slot);
        dt_assert (slot == 0 || s_earlier (self->heap[(slot - 1) / 2], temporary));
        dt_assert (dtkv_node_temporary (temporary->node) == temporary);
        dt_assert (temporary->lifetime.owner || temporary->lifetime.ttl_ms);
        dt_assert (temporary->lifetime.ttl_ms || temporary->lifetime.deadline_ms == UINT64_MAX);
        directories += dtkv_node_is_directory (temporary->node);
        contenders += (temporary->node->flags & DTKV_NODE_LOCK) != 0;
        owned += temporary->lifetime.owner != 0;
    }
    dt_assert (directories == self->directories);
    dt_assert (contenders == self->contenders);
    uint32_t owners = 0;
    for (uint32_t slot = 0; slot < self->owners_capacity; slot++) {
        const dtkv_owner_t *owner = &self->owners[slot];
        uint32_t count = 0;
        for (const dtkv_temporary_t *at = owner->first; at; at = at->behind) {
            dt_assert (at->lifetime.owner == owner->id);
            count++;
        }
        dt_assert (count == owner->count);
        dt_assert ((owner->id != 0) == (count > 0));
        owners += owner->id != 0;
        owned -= count;
    }
    dt_assert (owners == self->owners_count);
    dt_assert (owned == 0);
}
