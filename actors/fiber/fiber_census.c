// The census: who lives, and what everybody waits for.

#include <inttypes.h>

#include "actors/fiber/fiber_internal.h"

typedef struct {
    fiber_dispatcher_t *dispatcher;
    dt_buffer_t *out;
} s_census_t;

static const char *s_state_name (fiber_state_t state)
{
    switch (state) {
    case FIBER_READY:
        return "ready";
    case FIBER_RUNNING:
        return "running";
    case FIBER_WAITING:
        return "waiting";
    case FIBER_PARKED:
        return "parked";
    case FIBER_ENDED:
        return "ended";
    }
    return "?";
}

static void s_line (const fiber_t *fiber, int64_t now_ns, dt_buffer_t *out)
{
    dt_buffer_printf (out, "%s/%s %s%s%s", fiber->group->name, fiber->name,
                      s_state_name (fiber->state), fiber->daemon ? " daemon" : "",
                      fiber->cancelled ? " cancelled" : "");
    if (fiber->state == FIBER_WAITING || fiber->state == FIBER_PARKED) {
        dt_buffer_printf (out, " on %s%s%s since %" PRId64 " us", fiber->wait_kind,
                          fiber->wait_name ? " " : "", fiber->wait_name ? fiber->wait_name : "",
                          (now_ns - fiber->wait_since_ns) / 1000);
    }
    if (fiber_timer_armed (&fiber->timer)) {
        int64_t deadline_ns = fiber_timers_deadline_ns (&fiber->dispatcher->timers, &fiber->timer);
        dt_buffer_printf (out, " due in %" PRId64 " us", (deadline_ns - now_ns) / 1000);
    }
    size_t high_water = fiber_stacks_high_water (fiber->dispatcher->stacks, fiber->stack);
    if (high_water) {
        dt_buffer_printf (out, " stack %zu of %zu", high_water, fiber->stack->bytes);
    }
    dt_buffer_append (out, "\n", 1);
}

static void s_census (void *argument)
{
    const s_census_t *census = argument;
    fiber_dispatcher_t *self = census->dispatcher;
    int64_t now_ns = self->backend->ops->now_ns (self->backend);
    for (fiber_group_t *group = self->groups; group; group = group->next) {
        for (fiber_t *fiber = group->fibers; fiber; fiber = fiber->next) {
            s_line (fiber, now_ns, census->out);
        }
    }
}

void fiber_dispatcher_census (fiber_dispatcher_t *self, dt_buffer_t *out)
{
    fiber_dispatcher_check_thread (self);
    s_census_t census = {self, out};
    fiber_on_thread_stack (s_census, &census); // formatting is deep
}
