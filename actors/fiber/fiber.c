#include "actors/fiber/fiber.h"

#include <stdlib.h>
#include <string.h>

#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

// Fibers started in one round beyond this many wait for the next: a chain of fibers that each start
// another must not keep the dispatcher from looking at its input.
#define STARTS_PER_ROUND 256

// Structures kept for reuse.
#define FREE_FIBERS_MAX 4096

static fiber_t *s_structure_new (fiber_dispatcher_t *dispatcher)
{
    fiber_t *self = dispatcher->free_fibers;
    if (self) {
        dispatcher->free_fibers = self->next;
        dispatcher->free_fibers_count--;
    } else {
        self = dt_zalloc (1, sizeof *self);
        self->dispatcher = dispatcher;
    }
    dispatcher->structures_live++;
    return self;
}

static void s_structure_free (fiber_t *self)
{
    fiber_dispatcher_t *dispatcher = self->dispatcher;
    dispatcher->structures_live--;
    if (self->name != self->name_text) {
        free (self->name);
    }
    self->name = NULL;
    if (dispatcher->free_fibers_count < FREE_FIBERS_MAX) {
        self->next = dispatcher->free_fibers;
        dispatcher->free_fibers = self;
        dispatcher->free_fibers_count++;
        return;
    }
    free (self->cleanups);
    free (self);
}

void fiber_pool_clear (fiber_dispatcher_t *self)
{
    while (self->free_fibers) {
        fiber_t *fiber = self->free_fibers;
        self->free_fibers = fiber->next;
        free (fiber->cleanups);
        free (fiber);
    }
    self->free_fibers_count = 0;
}

static void s_set_name (fiber_t *self, const char *name)
{
    size_t bytes = strlen (name) + 1;
    if (bytes <= sizeof self->name_text) {
        memcpy (self->name_text, name, bytes);
        self->name = self->name_text;
    } else {
        self->name = dt_memdup (name, bytes);
    }
}

static void s_run_cleanups (fiber_t *self)
{
    self->in_cleanup = true;
    while (self->cleanup_count > 0) {
        fiber_call_t call = self->cleanups[--self->cleanup_count];
        call.fn (call.argument);
    }
    self->in_cleanup = false;
}

static void s_leave_group (fiber_t *self)
{
    fiber_group_t *group = self->group;
    *(self->previous ? &self->previous->next : &group->fibers) = self->next;
    if (self->next) {
        self->next->previous = self->previous;
    }
    self->previous = NULL;
    self->next = NULL;
    if (self->daemon) {
        group->daemon_count--;
    } else {
        group->normal_count--;
    }
    self->dispatcher->fibers_live--;
    fiber_group_check_later (group);
}

// First C code on a fiber's stack.
static void s_main (void *argument)
{
    fiber_t *self = argument;
    fiber_sanitizer_arrive (&self->frame.sanitizer, 1);
    self->fn (self->argument);
    s_run_cleanups (self);
    s_leave_group (self);
    fiber_waiters_wake_all (&self->joiners);
    if (self->unguarded && !fiber_stack_canary_intact (self->stack)) {
        fiber_guard_canary_died (self);
    }
    self->state = FIBER_ENDED;
    self->dispatcher->ended = self;
    fiber_frame_switch (&self->frame, &self->dispatcher->frame, 1);
    dt_unreachable ();
}

static void s_enter_group (fiber_t *self, fiber_group_t *group)
{
    self->group = group;
    self->previous = NULL;
    self->next = group->fibers;
    if (self->next) {
        self->next->previous = self;
    }
    group->fibers = self;
    if (self->daemon) {
        group->daemon_count++;
    } else {
        group->normal_count++;
    }
    self->dispatcher->fibers_live++;
}

static void s_make_ready_first (fiber_t *self)
{
    fiber_dispatcher_t *dispatcher = self->dispatcher;
    self->round = dispatcher->round;
    // Over the limit of starts: as if its budget were used up.
    self->wakes = dispatcher->starts++ < STARTS_PER_ROUND ? 0 : self->budget;
    fiber_make_ready (self, false);
}

fiber_t *fiber_start (fiber_group_t *group, const char *name, fiber_fn *fn, void *argument,
                      const fiber_options_t *options)
{
    static const fiber_options_t s_defaults;
    fiber_dispatcher_t *dispatcher = group->dispatcher;
    fiber_dispatcher_check_thread (dispatcher);
    dt_assert (name != NULL);
    dt_assert (fn != NULL);
    options = options ? options : &s_defaults;
    if (fiber_group_finished (group)) {
        return NULL;
    }
    size_t bytes = options->stack_bytes ? options->stack_bytes : dispatcher->stack_bytes;
    fiber_stack_t *stack = fiber_stacks_acquire (dispatcher->stacks, bytes * FIBER_STACK_SCALE);
    if (!stack) {
        return NULL;
    }
    fiber_t *self = s_structure_new (dispatcher);
    self->stack = stack;
    self->unguarded = !stack->guarded;
    self->budget = options->budget ? options->budget : 1;
    self->daemon = options->daemon;
    self->cancelled = false;
    self->interrupted = false;
    self->holds = 0;
    self->fn = fn;
    self->argument = argument;
    self->wait_kind = NULL;
    self->wait_name = NULL;
    self->wait_since_ns = dispatcher->round_ns;
    s_set_name (self, name);
    s_enter_group (self, group);
    fiber_switch_prepare (&self->frame.context, stack->low, stack->bytes, s_main, self);
    fiber_sanitizer_begin (&self->frame.sanitizer, stack->low, stack->bytes);
    s_make_ready_first (self);
    return self;
}

void fiber_reap (fiber_t *self)
{
    fiber_dispatcher_t *dispatcher = self->dispatcher;
    dt_assert (self->state == FIBER_ENDED);
    fiber_sanitizer_end (&self->frame.sanitizer);
    size_t high_water = fiber_stacks_high_water (dispatcher->stacks, self->stack);
    if (high_water > dispatcher->stack_peak) {
        dispatcher->stack_peak = high_water;
    }
    fiber_stacks_release (dispatcher->stacks, self->stack);
    self->stack = NULL;
    if (self->holds == 0) {
        s_structure_free (self);
    }
}

fiber_t *fiber_self (void)
{
    return fiber_running ();
}

const char *fiber_name (const fiber_t *self)
{
    return self->name;
}

fiber_group_t *fiber_group_of (const fiber_t *self)
{
    return self->group;
}

int64_t fiber_now_ns (void)
{
    dt_assert (fiber_dispatcher_current != NULL);
    fiber_backend_t *backend = fiber_dispatcher_current->backend;
    return backend->ops->now_ns (backend);
}

void fiber_yield (void)
{
    fiber_t *self = fiber_running ();
    dt_assert (self != NULL);
    dt_assert (!self->in_cleanup);
    dt_assert (!self->dispatcher->on_thread_stack);
    self->state = FIBER_READY;
    fiber_queue_push_tail (&self->dispatcher->next_tail, self);
    fiber_suspend (self);
}

int fiber_sleep_until (int64_t deadline_ns)
{
    int rc = fiber_wait (NULL, 0, deadline_ns, "sleep", NULL);
    return rc == DT_ERR_TIMEOUT ? 0 : rc;
}

int fiber_sleep_unless_stopping (int64_t deadline_ns)
{
    fiber_t *self = fiber_running ();
    dt_assert (self != NULL);
    if (fiber_group_stopping (self->group)) {
        int rc = fiber_wait_pending (self);
        if (rc) {
            return rc;
        }
        fiber_yield ();
        return DT_ERR_CLOSED;
    }
    int rc = fiber_condition_wait (self->group->stop_condition, deadline_ns);
    if (rc == 0) {
        return DT_ERR_CLOSED;
    }
    return rc == DT_ERR_TIMEOUT ? 0 : rc;
}

int fiber_join (fiber_t *self, int64_t deadline_ns)
{
    fiber_t *caller = fiber_running ();
    dt_assert (caller != NULL);
    dt_assert (caller != self);
    dt_assert (caller->dispatcher == self->dispatcher);
    if (self->state == FIBER_ENDED) {
        return fiber_wait_pending (caller);
    }
    return fiber_wait_one (&self->joiners, deadline_ns, "join", self->name);
}

void fiber_hold (fiber_t *self)
{
    fiber_dispatcher_check_thread (self->dispatcher);
    self->holds++;
}

void fiber_release (fiber_t **self_p)
{
    fiber_t *self = *self_p;
    if (!self) {
        return;
    }
    fiber_dispatcher_check_thread (self->dispatcher);
    dt_assert (self->holds > 0);
    *self_p = NULL;
    // An ended fiber that still has its stack is reaped by the loop in a moment.
    if (--self->holds == 0 && self->state == FIBER_ENDED && !self->stack) {
        s_structure_free (self);
    }
}

void fiber_interrupt (fiber_t *self)
{
    fiber_dispatcher_check_thread (self->dispatcher);
    if (self->state == FIBER_WAITING) {
        fiber_wake (self, DT_ERR_INTERRUPTED, false);
    } else {
        self->interrupted = true;
    }
}

void fiber_cancel (fiber_t *self)
{
    fiber_dispatcher_check_thread (self->dispatcher);
    self->cancelled = true;
    if (self->state == FIBER_WAITING) {
        fiber_wake (self, DT_ERR_CANCELLED, false);
    }
}

bool fiber_cancelled (const fiber_t *self)
{
    return self->cancelled;
}

void fiber_cleanup_push (fiber_fn *fn, void *argument)
{
    fiber_t *self = fiber_running ();
    dt_assert (self != NULL);
    dt_assert (fn != NULL);
    if (self->cleanup_count == self->cleanup_capacity) {
        self->cleanup_capacity = self->cleanup_capacity ? self->cleanup_capacity * 2 : 4;
        self->cleanups =
            dt_realloc (self->cleanups, self->cleanup_capacity * sizeof *self->cleanups);
    }
    self->cleanups[self->cleanup_count++] = (fiber_call_t){fn, argument};
}

void fiber_cleanup_pop (bool run)
{
    fiber_t *self = fiber_running ();
    dt_assert (self != NULL);
    dt_assert (self->cleanup_count > 0);
    fiber_call_t call = self->cleanups[--self->cleanup_count];
    if (run) {
        call.fn (call.argument);
    }
}

typedef struct {
    const fiber_t *fiber;
    int rc;
    const char *why;
} s_fatal_t;

static void s_log_fatal (void *argument)
{
    const s_fatal_t *fatal = argument;
    const fiber_t *fiber = fatal->fiber;
    dt_log_error (fiber->dispatcher->env, "fiber", "fatal in %s/%s/%s: %s (%s: %s)",
                  fiber->dispatcher->name, fiber->group->name, fiber->name, fatal->why,
                  dt_error_name (fatal->rc), dt_error_text (fatal->rc));
}

void fiber_fatal (int rc, const char *why)
{
    fiber_t *self = fiber_running ();
    dt_assert (self != NULL);
    dt_assert (rc < 0);
    s_fatal_t fatal = {self, rc, why};
    fiber_on_thread_stack (s_log_fatal, &fatal);
    fiber_group_request_stop (self->group);
    if (self->group->essential) {
        fiber_dispatcher_fail (self->dispatcher, rc);
    }
}
