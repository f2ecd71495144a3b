#include "actors/fiber/fiber_condition.h"

#include <stdlib.h>

#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_memory.h"

#define WAIT_ANY_MAX 8

fiber_condition_t *fiber_condition_new (const char *name)
{
    dt_assert (name != NULL);
    fiber_condition_t *self = dt_zalloc (1, sizeof *self);
    self->name = dt_strdup (name);
    return self;
}

void fiber_condition_destroy (fiber_condition_t **self_p)
{
    fiber_condition_t *self = *self_p;
    if (!self) {
        return;
    }
    dt_assert (self->waiters.first == NULL);
    free (self->name);
    free (self);
    *self_p = NULL;
}

int fiber_condition_wait (fiber_condition_t *self, int64_t deadline_ns)
{
    return fiber_wait_one (&self->waiters, deadline_ns, "condition", self->name);
}

int fiber_condition_wait_any (fiber_condition_t *const *conditions, size_t count,
                              int64_t deadline_ns)
{
    dt_assert (count >= 1);
    dt_assert (count <= WAIT_ANY_MAX);
    fiber_waiter_t waiters[WAIT_ANY_MAX];
    for (size_t i = 0; i < count; i++) {
        waiters[i].list = &conditions[i]->waiters;
    }
    return fiber_wait (waiters, count, deadline_ns, "any condition of", conditions[0]->name);
}

void fiber_condition_signal (fiber_condition_t *self)
{
    fiber_waiters_wake_one (&self->waiters, true);
}

void fiber_condition_signal_later (fiber_condition_t *self)
{
    fiber_waiters_wake_one (&self->waiters, false);
}

void fiber_condition_signal_all (fiber_condition_t *self)
{
    fiber_waiters_wake_all (&self->waiters);
}
