#include "actors/fiber/fiber_channel.h"

#include <stdbool.h>
#include <stdlib.h>

#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

struct fiber_channel {
    void **items; // owned ring
    size_t mask;  // places in it - 1; a power of two
    size_t head;  // of the oldest item
    size_t count;
    size_t capacity; // most items, SIZE_MAX: no bound
    bool closed;
    fiber_waiters_t takers;
    char *name; // owned
};

fiber_channel_t *fiber_channel_new (const char *name, size_t capacity)
{
    dt_assert (name != NULL);
    fiber_channel_t *self = dt_zalloc (1, sizeof *self);
    self->name = dt_strdup (name);
    self->capacity = capacity ? capacity : SIZE_MAX;
    self->items = dt_malloc (8 * sizeof *self->items);
    self->mask = 7;
    return self;
}

void fiber_channel_destroy (fiber_channel_t **self_p)
{
    fiber_channel_t *self = *self_p;
    if (!self) {
        return;
    }
    dt_assert (self->count == 0);
    dt_assert (self->takers.first == NULL);
    free (self->items);
    free (self->name);
    free (self);
    *self_p = NULL;
}

static void s_grow (fiber_channel_t *self)
{
    size_t places = self->mask + 1;
    void **items = dt_malloc (places * 2 * sizeof *items);
    for (size_t i = 0; i < self->count; i++) {
        items[i] = self->items[(self->head + i) & self->mask];
    }
    free (self->items);
    self->items = items;
    self->mask = places * 2 - 1;
    self->head = 0;
}

int fiber_channel_offer (fiber_channel_t *self, void *item)
{
    dt_assert (item != NULL);
    if (self->closed) {
        return DT_ERR_CLOSED;
    }
    if (self->count >= self->capacity) {
        return DT_ERR_BUSY;
    }
    if (self->count > self->mask) {
        s_grow (self);
    }
    self->items[(self->head + self->count++) & self->mask] = item;
    fiber_waiters_wake_one (&self->takers, true);
    return 0;
}

int fiber_channel_try_take (fiber_channel_t *self, void **item)
{
    if (self->count == 0) {
        return self->closed ? DT_ERR_CLOSED : DT_ERR_AGAIN;
    }
    *item = self->items[self->head];
    self->head = (self->head + 1) & self->mask;
    self->count--;
    return 0;
}

int fiber_channel_take (fiber_channel_t *self, void **item, int64_t deadline_ns)
{
    fiber_t *fiber = fiber_running ();
    dt_assert (fiber != NULL);
    int rc = fiber_wait_pending (fiber);
    if (rc) {
        return rc;
    }
    // Woken does not mean that the item is still there: another fiber may have run in between.
    while ((rc = fiber_channel_try_take (self, item)) == DT_ERR_AGAIN) {
        rc = fiber_wait_one (&self->takers, deadline_ns, "channel", self->name);
        if (rc) {
            return rc;
        }
    }
    return rc;
}

void fiber_channel_close (fiber_channel_t *self)
{
    self->closed = true;
    fiber_waiters_wake_all (&self->takers);
}

size_t fiber_channel_count (const fiber_channel_t *self)
{
    return self->count;
}
