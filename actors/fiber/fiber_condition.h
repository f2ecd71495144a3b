// fiber_condition - wait until somebody signals.
//
// No lock: all users are fibers of one dispatcher. Wakes may be spurious in the sense that another
// fiber ran in between; callers re-check their predicate.

#ifndef FIBER_CONDITION_H
#define FIBER_CONDITION_H

#include <stddef.h>
#include <stdint.h>

typedef struct fiber_condition fiber_condition_t;

// Create a condition; name is copied and shown in the census.
fiber_condition_t *fiber_condition_new (const char *name);

// Destroy a condition nobody waits on (asserted). Accepts NULL.
void fiber_condition_destroy (fiber_condition_t **self_p);

// Wait for a signal. Results as in fiber.h.
int fiber_condition_wait (fiber_condition_t *self, int64_t deadline_ns);

// Wait for a signal on any of count conditions (1 .. 8).
int fiber_condition_wait_any (fiber_condition_t *const *conditions, size_t count,
                              int64_t deadline_ns);

// Wake the fiber that has waited longest, at the head of the ready queue.
void fiber_condition_signal (fiber_condition_t *self);

// The same, at the tail: after everything that is ready already.
void fiber_condition_signal_later (fiber_condition_t *self);

// Wake all waiters, in the order in which they came, at the head.
void fiber_condition_signal_all (fiber_condition_t *self);

#endif // FIBER_CONDITION_H
