#include "tests/sim/sim_clock.h"

#include <stdlib.h>

#include "base/dt_memory.h"

#define MILLION 1000000

struct sim_clock {
    fiber_backend_t base; // first: what the dispatcher sees
    fiber_backend_sim_t *world;
    int64_t world_ns; // when the rate was set,
    int64_t own_ns;   // and what it showed then
    int32_t ppm;
    bool detached;
};

static sim_clock_t *s_of_base (fiber_backend_t *base)
{
    return (sim_clock_t *) base;
}

int64_t sim_clock_now_ns (const sim_clock_t *self)
{
    if (self->detached) {
        return self->own_ns;
    }
    int64_t passed_ns = fiber_backend_sim_now_ns (self->world) - self->world_ns;
    return self->own_ns + (int64_t) ((__int128) passed_ns * (MILLION + self->ppm) / MILLION);
}

int64_t sim_clock_to_world (const sim_clock_t *self, int64_t time_ns)
{
    int64_t now_ns = fiber_backend_sim_now_ns (self->world);
    if (time_ns == INT64_MAX || time_ns <= sim_clock_now_ns (self)) {
        return time_ns == INT64_MAX ? INT64_MAX : now_ns;
    }
    __int128 wanted_ns = (__int128) (time_ns - self->own_ns) * MILLION;
    int32_t rate = MILLION + self->ppm;
    return self->world_ns + (int64_t) ((wanted_ns + rate - 1) / rate);
}

static void s_hold (sim_clock_t *self)
{
    self->own_ns = sim_clock_now_ns (self);
    self->world_ns = fiber_backend_sim_now_ns (self->world);
}

void sim_clock_set_rate (sim_clock_t *self, int32_t ppm)
{
    s_hold (self);
    self->ppm = ppm;
}

void sim_clock_detach (sim_clock_t *self)
{
    s_hold (self);
    self->detached = true;
}

static int64_t s_now_ns (fiber_backend_t *base)
{
    return sim_clock_now_ns (s_of_base (base));
}

static void s_wait (fiber_backend_t *base, int64_t deadline_ns)
{
    sim_clock_t *self = s_of_base (base);
    if (self->detached && deadline_ns != INT64_MAX && deadline_ns > self->own_ns) {
        self->own_ns = deadline_ns;
    }
}

static void s_wake (fiber_backend_t *base)
{
    (void) base; // no wait lasts
}

static size_t s_choose (fiber_backend_t *base, size_t count)
{
    fiber_backend_t *world = fiber_backend_sim_base (s_of_base (base)->world);
    return world->ops->choose (world, count);
}

static const fiber_backend_ops_t s_ops = {
    .now_ns = s_now_ns,
    .wait = s_wait,
    .wake = s_wake,
    .choose = s_choose,
};

sim_clock_t *sim_clock_new (fiber_backend_sim_t *world, int64_t origin_ns)
{
    sim_clock_t *self = dt_zalloc (1, sizeof *self);
    self->base.ops = &s_ops;
    self->world = world;
    self->world_ns = fiber_backend_sim_now_ns (world);
    self->own_ns = origin_ns;
    return self;
}

void sim_clock_destroy (sim_clock_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

fiber_backend_t *sim_clock_base (sim_clock_t *self)
{
    return &self->base;
}
