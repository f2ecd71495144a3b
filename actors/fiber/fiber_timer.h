// fiber_timer - a binary heap of deadlines.
//
// Due in order of (deadline, order of arming), so that two timers for the same nanosecond fire as
// they were set. A timer is embedded in what it wakes; the heap borrows it while it is armed.

#ifndef FIBER_TIMER_H
#define FIBER_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t place; // position in the heap + 1; 0: not armed
} fiber_timer_t;

typedef struct {
    int64_t deadline_ns;
    uint64_t sequence;
    fiber_timer_t *timer;
} fiber_timer_entry_t;

typedef struct {
    fiber_timer_entry_t *entries; // owned; entries[0] is due first
    size_t count;
    size_t capacity;
    uint64_t sequence; // of the next timer armed
} fiber_timers_t;

// A zeroed fiber_timers_t is empty. Free its memory; no timer may be armed (asserted).
void fiber_timers_deinit (fiber_timers_t *self);

// Arm a timer that is not armed.
void fiber_timers_arm (fiber_timers_t *self, fiber_timer_t *timer, int64_t deadline_ns);

// Take a timer out; nothing happens if it is not armed.
void fiber_timers_disarm (fiber_timers_t *self, fiber_timer_t *timer);

// Take out and return the timer that is due first, if its deadline is not after now; else NULL.
fiber_timer_t *fiber_timers_due (fiber_timers_t *self, int64_t now_ns);

// The same, but only one that was armed before `sequence` was reached.
fiber_timer_t *fiber_timers_due_before (fiber_timers_t *self, int64_t now_ns, uint64_t sequence);

static inline bool fiber_timer_armed (const fiber_timer_t *timer)
{
    return timer->place != 0;
}

// Deadline of an armed timer.
static inline int64_t fiber_timers_deadline_ns (const fiber_timers_t *self,
                                                const fiber_timer_t *timer)
{
    return self->entries[timer->place - 1].deadline_ns;
}

// The earliest deadline; INT64_MAX if none is armed.
static inline int64_t fiber_timers_next_ns (const fiber_timers_t *self)
{
    return self->count ? self->entries[0].deadline_ns : INT64_MAX;
}

// The whole invariant: heap order, places, distinct sequence numbers between parent and child.
void fiber_timers_check (const fiber_timers_t *self);

#endif // FIBER_TIMER_H
