// Suspension and wake-up: the heart of the runtime.
//
// A fiber that suspends switches to the next ready fiber directly; the loop on the thread's stack
// is only entered when none is left, a fiber ended or something must run on the big stack.

#include <errno.h>

#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"

static __thread unsigned s_no_yield;

void fiber_no_yield_begin (void)
{
    s_no_yield++;
}

void fiber_no_yield_end (void)
{
    dt_assert (s_no_yield > 0);
    s_no_yield--;
}

void fiber_frame_switch (fiber_frame_t *from, fiber_frame_t *to, int ending)
{
    fiber_sanitizer_leave (&from->sanitizer, &to->sanitizer, ending);
    fiber_switch (&from->context, &to->context);
    fiber_sanitizer_arrive (&from->sanitizer, 0);
}

void fiber_make_ready (fiber_t *self, bool at_head)
{
    fiber_dispatcher_t *dispatcher = self->dispatcher;
    if (self->round != dispatcher->round) {
        self->round = dispatcher->round;
        self->wakes = 0;
    }
    self->state = FIBER_READY;
    bool over_budget = ++self->wakes > self->budget;
    if (at_head) {
        fiber_queue_push_head (over_budget ? &dispatcher->next_head : &dispatcher->ready, self);
    } else {
        fiber_queue_push_tail (over_budget ? &dispatcher->next_tail : &dispatcher->ready, self);
    }
}

void fiber_dispatcher_begin_round (fiber_dispatcher_t *self)
{
    // Fibers that used up their budget in the last round come first and last in this one.
    while (self->next_head.count > 0) {
        fiber_t *fiber = fiber_queue_at (&self->next_head, self->next_head.count - 1);
        self->next_head.count--;
        fiber->round = self->round;
        fiber->wakes = 1;
        fiber_queue_push_head (&self->ready, fiber);
    }
    while (self->next_tail.count > 0) {
        fiber_t *fiber = fiber_queue_take (&self->next_tail, 0);
        fiber->round = self->round;
        fiber->wakes = 1;
        fiber_queue_push_tail (&self->ready, fiber);
    }
}

void fiber_dispatcher_end_round (fiber_dispatcher_t *self)
{
    // Wakes between turns count for the coming round.
    self->round++;
    self->starts = 0;
    uint64_t rounds = atomic_load_explicit (&self->rounds, memory_order_relaxed);
    atomic_store_explicit (&self->rounds, rounds + 1, memory_order_relaxed);
}

// Whether the next round has nothing to do but to run fibers, so that there is no need to visit the
// loop between this one and it.
static inline bool s_next_round_is_plain (fiber_dispatcher_t *self)
{
    bool (*skip) (fiber_backend_t *) = self->backend->ops->skip;
    return self->next_head.count + self->next_tail.count > 0 && skip && !self->check &&
           !atomic_load_explicit (&self->attention, memory_order_relaxed) && skip (self->backend);
}

static inline fiber_t *s_pick (fiber_dispatcher_t *self)
{
    size_t count = self->ready.count;
    if (count == 0) {
        if (!s_next_round_is_plain (self)) {
            return NULL;
        }
        fiber_dispatcher_end_round (self);
        fiber_dispatcher_begin_round (self);
        count = self->ready.count;
    }
    size_t index = 0;
    if (count > 1 && self->backend->ops->choose) {
        index = self->backend->ops->choose (self->backend, count);
        dt_assert (index < count);
    }
    fiber_t *fiber = fiber_queue_take (&self->ready, index);
    fiber->state = FIBER_RUNNING;
    self->current = fiber;
    return fiber;
}

void fiber_suspend (fiber_t *self)
{
    fiber_dispatcher_t *dispatcher = self->dispatcher;
    dt_assert (s_no_yield == 0);
    if (__builtin_expect (self->unguarded, 0) && !fiber_stack_canary_intact (self->stack)) {
        fiber_guard_canary_died (self);
    }
    fiber_t *next = s_pick (dispatcher);
    if (next == self) {
        return; // yielded, and was alone
    }
    int saved_errno = errno;
    fiber_frame_switch (&self->frame, next ? &next->frame : &dispatcher->frame, 0);
    errno = saved_errno;
}

// Run ready fibers until none is left in this round. The loop's side of the switches.
void fiber_dispatcher_run_ready (fiber_dispatcher_t *self)
{
    fiber_t *fiber = s_pick (self);
    while (fiber) {
        fiber_frame_switch (&self->frame, &fiber->frame, 0);
        if (self->call) {
            const fiber_call_t *call = self->call;
            self->call = NULL;
            self->on_thread_stack = true;
            call->fn (call->argument);
            self->on_thread_stack = false;
            fiber = self->current;
            continue;
        }
        self->current = NULL;
        if (self->ended) {
            fiber_t *ended = self->ended;
            self->ended = NULL;
            fiber_reap (ended);
        }
        fiber = s_pick (self);
    }
}

void fiber_on_thread_stack (fiber_fn *fn, void *argument)
{
    fiber_t *self = fiber_running ();
    if (!self || self->dispatcher->on_thread_stack) {
        fn (argument);
        return;
    }
    if (__builtin_expect (self->unguarded, 0) && !fiber_stack_canary_intact (self->stack)) {
        fiber_guard_canary_died (self);
    }
    fiber_call_t call = {fn, argument};
    self->dispatcher->call = &call;
    fiber_frame_switch (&self->frame, &self->dispatcher->frame, 0);
}

int fiber_wait_pending (fiber_t *self)
{
    if (__builtin_expect (self->cancelled, 0)) {
        return DT_ERR_CANCELLED;
    }
    if (__builtin_expect (self->interrupted, 0)) {
        self->interrupted = false;
        return DT_ERR_INTERRUPTED;
    }
    return 0;
}

static inline void s_check_may_wait (const fiber_t *self)
{
    dt_assert (self != NULL);
    dt_assert (!self->in_cleanup);
    dt_assert (!self->dispatcher->on_thread_stack);
}

static inline void s_waiter_append (fiber_waiter_t *waiter, fiber_t *fiber)
{
    fiber_waiters_t *list = waiter->list;
    waiter->fiber = fiber;
    waiter->next = NULL;
    waiter->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = waiter;
    list->last = waiter;
}

static inline void s_waiter_remove (fiber_waiter_t *waiter)
{
    fiber_waiters_t *list = waiter->list;
    *(waiter->previous ? &waiter->previous->next : &list->first) = waiter->next;
    *(waiter->next ? &waiter->next->previous : &list->last) = waiter->previous;
}

static inline void s_describe (fiber_t *self, const char *kind, const char *name)
{
    self->wait_kind = kind;
    self->wait_name = name;
    self->wait_since_ns = self->dispatcher->round_ns;
}

int fiber_wait (fiber_waiter_t *waiters, size_t count, int64_t deadline_ns, const char *kind,
                const char *name)
{
    fiber_t *self = fiber_running ();
    s_check_may_wait (self);
    int rc = fiber_wait_pending (self);
    if (rc) {
        return rc;
    }
    for (size_t i = 0; i < count; i++) {
        s_waiter_append (&waiters[i], self);
    }
    self->waiters = waiters;
    self->waiter_count = count;
    if (deadline_ns != FIBER_FOREVER) {
        fiber_timers_arm (&self->dispatcher->timers, &self->timer, deadline_ns);
    }
    s_describe (self, kind, name);
    self->state = FIBER_WAITING;
    fiber_suspend (self);
    return self->wait_rc;
}

int fiber_wait_one (fiber_waiters_t *list, int64_t deadline_ns, const char *kind, const char *name)
{
    fiber_waiter_t waiter = {.list = list};
    return fiber_wait (&waiter, 1, deadline_ns, kind, name);
}

void fiber_park (const char *kind, const char *name)
{
    fiber_t *self = fiber_running ();
    s_check_may_wait (self);
    s_describe (self, kind, name);
    self->state = FIBER_PARKED;
    fiber_suspend (self);
}

void fiber_unpark (fiber_t *self)
{
    dt_assert (self->state == FIBER_PARKED);
    fiber_make_ready (self, false);
}

void fiber_wake (fiber_t *self, int rc, bool at_head)
{
    dt_assert (self->state == FIBER_WAITING);
    for (size_t i = 0; i < self->waiter_count; i++) {
        s_waiter_remove (&self->waiters[i]);
    }
    self->waiters = NULL;
    self->waiter_count = 0;
    fiber_timers_disarm (&self->dispatcher->timers, &self->timer);
    self->wait_rc = rc;
    fiber_make_ready (self, at_head);
}

void fiber_waiters_wake_one (fiber_waiters_t *self, bool at_head)
{
    if (self->first) {
        fiber_wake (self->first->fiber, 0, at_head);
    }
}

void fiber_waiters_wake_all (fiber_waiters_t *self)
{
    // Each goes to the head, so the youngest goes first.
    while (self->last) {
        fiber_wake (self->last->fiber, 0, true);
    }
}
