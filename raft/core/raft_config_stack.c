#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "raft/core/raft_config.h"

struct raft_config_stack {
    raft_config_at_t *items; // owned; [0] is the floor, indexes strictly ascending
    size_t count;            // at least 1
    size_t capacity;         // of items
};

raft_config_stack_t *raft_config_stack_new (raft_index_t index, const raft_config_t *config)
{
    dt_assert (raft_config_validate (config) == 0);
    raft_config_stack_t *self = dt_zalloc (1, sizeof *self);
    self->capacity = 2; // one in force, one on its way: all there are most of the time
    self->items = dt_malloc (self->capacity * sizeof self->items[0]);
    self->items[0] = (raft_config_at_t){.index = index, .config = *config};
    self->count = 1;
    return self;
}

void raft_config_stack_destroy (raft_config_stack_t **self_p)
{
    raft_config_stack_t *self = *self_p;
    *self_p = NULL;
    if (self) {
        free (self->items);
        free (self);
    }
}

const raft_config_at_t *raft_config_stack_latest (const raft_config_stack_t *self)
{
    return &self->items[self->count - 1];
}

// Position of the newest configuration at or below an index; the floor's if there is none.
static size_t s_place (const raft_config_stack_t *self, raft_index_t index)
{
    size_t place = self->count - 1;
    while (place > 0 && self->items[place].index > index) {
        place--;
    }
    return place;
}

const raft_config_at_t *raft_config_stack_at (const raft_config_stack_t *self, raft_index_t index)
{
    dt_assert (index >= self->items[0].index);
    return &self->items[s_place (self, index)];
}

raft_index_t raft_config_stack_floor (const raft_config_stack_t *self)
{
    return self->items[0].index;
}

size_t raft_config_stack_count (const raft_config_stack_t *self)
{
    return self->count;
}

void raft_config_stack_push (raft_config_stack_t *self, raft_index_t index,
                             const raft_config_t *config)
{
    dt_assert (index > raft_config_stack_latest (self)->index);
    dt_assert (raft_config_validate (config) == 0);
    if (self->count == self->capacity) {
        self->capacity *= 2;
        self->items = dt_realloc (self->items, self->capacity * sizeof self->items[0]);
    }
    self->items[self->count++] = (raft_config_at_t){.index = index, .config = *config};
}

bool raft_config_stack_truncate (raft_config_stack_t *self, raft_index_t index)
{
    dt_assert (index > self->items[0].index);
    size_t before = self->count;
    while (self->items[self->count - 1].index >= index) {
        self->count--;
    }
    return self->count != before;
}

void raft_config_stack_compact (raft_config_stack_t *self, raft_index_t index)
{
    size_t floor = s_place (self, index);
    if (floor > 0) {
        self->count -= floor;
        memmove (self->items, self->items + floor, self->count * sizeof self->items[0]);
    }
}

void raft_config_stack_check (const raft_config_stack_t *self)
{
    dt_assert (self->count >= 1);
    dt_assert (self->count <= self->capacity);
    for (size_t i = 0; i < self->count; i++) {
        dt_assert (raft_config_validate (&self->items[i].config) == 0);
        dt_assert (i == 0 || self->items[i].index > self->items[i - 1].index);
    }
}
