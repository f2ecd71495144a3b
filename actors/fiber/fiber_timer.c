#include "actors/fiber/fiber_timer.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

static bool s_before (const fiber_timer_entry_t *a, const fiber_timer_entry_t *b)
{
    if (a->deadline_ns != b->deadline_ns) {
        return a->deadline_ns < b->deadline_ns;
    }
    return a->sequence < b->sequence;
}

static void s_put (fiber_timers_t *self, size_t index, fiber_timer_entry_t entry)
{
    self->entries[index] = entry;
    entry.timer->place = index + 1;
}

static void s_sift_up (fiber_timers_t *self, size_t index, fiber_timer_entry_t entry)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!s_before (&entry, &self->entries[parent])) {
            break;
        }
        s_put (self, index, self->entries[parent]);
        index = parent;
    }
    s_put (self, index, entry);
}

static void s_sift_down (fiber_timers_t *self, size_t index, fiber_timer_entry_t entry)
{
    for (;;) {
        size_t child = index * 2 + 1;
        if (child >= self->count) {
            break;
        }
        if (child + 1 < self->count &&
            s_before (&self->entries[child + 1], &self->entries[child])) {
            child++;
        }
        if (!s_before (&self->entries[child], &entry)) {
            break;
        }
        s_put (self, index, self->entries[child]);
        index = child;
    }
    s_put (self, index, entry);
}

void fiber_timers_deinit (fiber_timers_t *self)
{
    dt_assert (self->count == 0);
    free (self->entries);
    *self = (fiber_timers_t){0};
}

void fiber_timers_arm (fiber_timers_t *self, fiber_timer_t *timer, int64_t deadline_ns)
{
    dt_assert (!fiber_timer_armed (timer));
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 64;
        self->entries = dt_realloc (self->entries, self->capacity * sizeof *self->entries);
    }
    fiber_timer_entry_t entry = {deadline_ns, self->sequence++, timer};
    s_sift_up (self, self->count++, entry);
}

void fiber_timers_disarm (fiber_timers_t *self, fiber_timer_t *timer)
{
    if (!fiber_timer_armed (timer)) {
        return;
    }
    size_t index = timer->place - 1;
    dt_assert (index < self->count);
    timer->place = 0;
    fiber_timer_entry_t last = self->entries[--self->count];
    if (index == self->count) {
        return;
    }
    // The last entry takes the hole; it may have to move either way.
    if (index > 0 && s_before (&last, &self->entries[(index - 1) / 2])) {
        s_sift_up (self, index, last);
    } else {
        s_sift_down (self, index, last);
    }
}

fiber_timer_t *fiber_timers_due_before (fiber_timers_t *self, int64_t now_ns, uint64_t sequence)
{
    if (self->count == 0 || self->entries[0].deadline_ns > now_ns ||
        self->entries[0].sequence >= sequence) {
        return NULL;
    }
    fiber_timer_t *timer = self->entries[0].timer;
    fiber_timers_disarm (self, timer);
    return timer;
}

fiber_timer_t *fiber_timers_due (fiber_timers_t *self, int64_t now_ns)
{
    return fiber_timers_due_before (self, now_ns, UINT64_MAX);
}

void fiber_timers_check (const fiber_timers_t *self)
{
    dt_assert (self->count <= self->capacity);
    for (size_t i = 0; i < self->count; i++) {
        dt_assert (self->entries[i].timer->place == i + 1);
        dt_assert (i == 0 || s_before (&self->entries[(i - 1) / 2], &self->entries[i]));
    }
}
