// fiber_queue - a growing ring of fibers that takes at both ends and at any place.
//
// An array and not a linked list: the simulator draws from any place of it, and a switch touches
// only the fiber that runs. Grows by doubling, so a switch in steady state does not allocate.

#ifndef FIBER_QUEUE_H
#define FIBER_QUEUE_H

#include <stddef.h>
#include <stdlib.h>

#include "base/dt_memory.h"

struct fiber;

typedef struct {
    struct fiber **items; // owned ring
    size_t mask;          // capacity - 1; capacity is a power of two
    size_t head;          // where the first one stands
    size_t count;
} fiber_queue_t;

static inline void fiber_queue_deinit (fiber_queue_t *self)
{
    free (self->items);
    *self = (fiber_queue_t){0};
}

static inline void fiber_queue_grow (fiber_queue_t *self)
{
    size_t capacity = self->items ? (self->mask + 1) * 2 : 64;
    struct fiber **items = dt_malloc (capacity * sizeof *items);
    for (size_t i = 0; i < self->count; i++) {
        items[i] = self->items[(self->head + i) & self->mask];
    }
    free (self->items);
    self->items = items;
    self->mask = capacity - 1;
    self->head = 0;
}

static inline void fiber_queue_reserve (fiber_queue_t *self)
{
    if (__builtin_expect (!self->items || self->count > self->mask, 0)) {
        fiber_queue_grow (self);
    }
}

static inline void fiber_queue_push_tail (fiber_queue_t *self, struct fiber *fiber)
{
    fiber_queue_reserve (self);
    self->items[(self->head + self->count++) & self->mask] = fiber;
}

static inline void fiber_queue_push_head (fiber_queue_t *self, struct fiber *fiber)
{
    fiber_queue_reserve (self);
    self->head = (self->head - 1) & self->mask;
    self->items[self->head] = fiber;
    self->count++;
}

static inline struct fiber *fiber_queue_at (const fiber_queue_t *self, size_t index)
{
    return self->items[(self->head + index) & self->mask];
}

// Take the one at index (< count) out. The head moves into its place: order among the others only
// holds for index 0, and whoever draws another does not care for it.
static inline struct fiber *fiber_queue_take (fiber_queue_t *self, size_t index)
{
    struct fiber **place = &self->items[(self->head + index) & self->mask];
    struct fiber *fiber = *place;
    *place = self->items[self->head];
    self->head = (self->head + 1) & self->mask;
    self->count--;
    return fiber;
}

#endif // FIBER_QUEUE_H
