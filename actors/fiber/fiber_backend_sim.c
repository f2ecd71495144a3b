#include "actors/fiber/fiber_backend_sim.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "actors/fiber/fiber_timer.h"
#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "base/dt_random.h"

#define START_NS 1000000000

// A place for one event. Ids are generation and index, so that an old id never hits a new event.
typedef struct {
    fiber_timer_t timer; // first member
    fiber_sim_event_fn *fn;
    void *argument;
    uint32_t generation; // from 1
    uint32_t index;
    uint32_t next_free; // index + 1
} s_event_t;

struct fiber_backend_sim {
    fiber_backend_t base; // first member
    int64_t now_ns;
    bool shuffle;
    bool stuck;
    atomic_bool woken; // any thread
    dt_random_t random;
    uint64_t trace;
    fiber_timers_t timers;
    s_event_t **events; // owned, each too; they do not move
    uint32_t event_count;
    uint32_t event_capacity;
    uint32_t free; // index + 1 of an unused event; 0: none
};

static fiber_backend_sim_t *s_of_base (fiber_backend_t *base)
{
    return (fiber_backend_sim_t *) base;
}

static void s_trace (fiber_backend_sim_t *self, uint64_t word)
{
    self->trace = dt_hash_mix (self->trace * 0x9e3779b97f4a7c15ULL + word + 1);
}

static int64_t s_now_ns (fiber_backend_t *base)
{
    return s_of_base (base)->now_ns;
}

static void s_wake (fiber_backend_t *base)
{
    atomic_store (&s_of_base (base)->woken, true);
}

static size_t s_choose (fiber_backend_t *base, size_t count)
{
    fiber_backend_sim_t *self = s_of_base (base);
    size_t choice = self->shuffle ? (size_t) dt_random_below (&self->random, count) : 0;
    s_trace (self, (uint64_t) self->now_ns);
    s_trace (self, (uint64_t) count << 32 | choice);
    return choice;
}

static void s_free_event (fiber_backend_sim_t *self, s_event_t *event)
{
    event->generation++;
    event->next_free = self->free;
    self->free = event->index + 1;
}

// Events that these schedule for now wait for the next look, like fibers over their budget.
static void s_run_due (fiber_backend_sim_t *self)
{
    uint64_t limit = self->timers.sequence;
    fiber_timer_t *timer;
    while ((timer = fiber_timers_due_before (&self->timers, self->now_ns, limit))) {
        s_event_t *event = (s_event_t *) timer;
        fiber_sim_event_fn *fn = event->fn;
        void *argument = event->argument;
        s_free_event (self, event);
        fn (argument);
    }
}

static void s_wait (fiber_backend_t *base, int64_t deadline_ns)
{
    fiber_backend_sim_t *self = s_of_base (base);
    int64_t event_ns = fiber_timers_next_ns (&self->timers);
    int64_t target_ns = deadline_ns < event_ns ? deadline_ns : event_ns;
    self->stuck = false;
    if (atomic_exchange (&self->woken, false)) {
        target_ns = self->now_ns;
    } else if (target_ns == INT64_MAX) {
        // Only another thread can help, which tests of the posts have; a simulation has none.
        self->stuck = true;
        sched_yield ();
        return;
    }
    if (target_ns > self->now_ns) {
        self->now_ns = target_ns;
        s_trace (self, (uint64_t) target_ns);
    }
    s_run_due (self);
}

static const fiber_backend_ops_t s_ops = {
    .now_ns = s_now_ns,
    .wait = s_wait,
    .wake = s_wake,
    .choose = s_choose,
};

fiber_backend_sim_t *fiber_backend_sim_new (uint64_t seed, bool shuffle)
{
    fiber_backend_sim_t *self = dt_zalloc (1, sizeof *self);
    self->base.ops = &s_ops;
    self->now_ns = START_NS;
    self->shuffle = shuffle;
    atomic_init (&self->woken, false);
    dt_random_init_stream (&self->random, seed, "fiber");
    return self;
}

void fiber_backend_sim_destroy (fiber_backend_sim_t **self_p)
{
    fiber_backend_sim_t *self = *self_p;
    if (!self) {
        return;
    }
    for (uint32_t i = 0; i < self->event_count; i++) {
        fiber_timers_disarm (&self->timers, &self->events[i]->timer);
        free (self->events[i]);
    }
    fiber_timers_deinit (&self->timers);
    free (self->events);
    free (self);
    *self_p = NULL;
}

fiber_backend_t *fiber_backend_sim_base (fiber_backend_sim_t *self)
{
    return &self->base;
}

int64_t fiber_backend_sim_now_ns (const fiber_backend_sim_t *self)
{
    return self->now_ns;
}

static s_event_t *s_new_event (fiber_backend_sim_t *self)
{
    if (self->free) {
        s_event_t *event = self->events[self->free - 1];
        self->free = event->next_free;
        return event;
    }
    if (self->event_count == self->event_capacity) {
        self->event_capacity = self->event_capacity ? self->event_capacity * 2 : 64;
        self->events = dt_realloc (self->events, self->event_capacity * sizeof *self->events);
    }
    s_event_t *event = dt_zalloc (1, sizeof *event);
    event->index = self->event_count;
    event->generation = 1;
    self->events[self->event_count++] = event;
    return event;
}

uint64_t fiber_backend_sim_at (fiber_backend_sim_t *self, int64_t time_ns, fiber_sim_event_fn *fn,
                               void *argument)
{
    dt_assert (fn != NULL);
    dt_assert (time_ns >= self->now_ns);
    s_event_t *event = s_new_event (self);
    event->fn = fn;
    event->argument = argument;
    fiber_timers_arm (&self->timers, &event->timer, time_ns);
    return (uint64_t) event->generation << 32 | event->index;
}

bool fiber_backend_sim_cancel (fiber_backend_sim_t *self, uint64_t id)
{
    uint32_t index = (uint32_t) id;
    dt_assert (index < self->event_count);
    s_event_t *event = self->events[index];
    if (event->generation != (uint32_t) (id >> 32) || !fiber_timer_armed (&event->timer)) {
        return false;
    }
    fiber_timers_disarm (&self->timers, &event->timer);
    s_free_event (self, event);
    return true;
}

int64_t fiber_backend_sim_next_ns (const fiber_backend_sim_t *self)
{
    return fiber_timers_next_ns (&self->timers);
}

bool fiber_backend_sim_stuck (const fiber_backend_sim_t *self)
{
    return self->stuck;
}

uint64_t fiber_backend_sim_trace (const fiber_backend_sim_t *self)
{
    return self->trace;
}
