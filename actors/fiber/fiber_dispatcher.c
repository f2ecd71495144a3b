#include "actors/fiber/fiber_dispatcher.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

#define STACK_BYTES   65536
#define STACKS_POOLED 1024

// A list of posts that once grew over this is not kept.
#define POSTS_KEPT 16384

__thread fiber_dispatcher_t *fiber_dispatcher_current;

// Its address tells threads apart.
static __thread char s_thread;

fiber_dispatcher_t *fiber_dispatcher_new (const fiber_dispatcher_options_t *options)
{
    dt_assert (options->name != NULL);
    dt_assert (options->backend != NULL);
    dt_assert (options->env != NULL);
    if (fiber_switch_shadow_stack ()) {
        dt_log_error (options->env, "fiber",
                      "this thread runs with a hardware shadow stack, which fibers cannot switch; "
                      "start the process without it (GLIBC_TUNABLES=glibc.cpu.hwcaps=-SHSTK)");
        abort ();
    }
    fiber_dispatcher_t *self = aligned_alloc (64, sizeof *self);
    dt_assert (self != NULL);
    memset (self, 0, sizeof *self);
    self->backend = options->backend;
    self->env = options->env;
    self->name = dt_strdup (options->name);
    self->stack_bytes = options->stack_bytes ? options->stack_bytes : STACK_BYTES;
    self->stacks =
        fiber_stacks_new (options->stacks_pooled_max ? options->stacks_pooled_max : STACKS_POOLED,
                          options->paint_stacks);
    self->round = 1;
    self->round_ns = self->backend->ops->now_ns (self->backend);
    fiber_switch_thread_init (&self->frame.context);

    // Posters hold the lock for a few instructions: spinning beats a system call.
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init (&attributes);
    pthread_mutexattr_settype (&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init (&self->lock, &attributes);
    pthread_mutexattr_destroy (&attributes);
    atomic_init (&self->attention, false);
    atomic_init (&self->stop_requested, false);
    atomic_init (&self->rounds, 0);
    return self;
}

void fiber_dispatcher_destroy (fiber_dispatcher_t **self_p)
{
    fiber_dispatcher_t *self = *self_p;
    if (!self) {
        return;
    }
    dt_assert (!self->in_turn);
    dt_assert (self->groups_live == 0);
    dt_assert (self->fibers_live == 0);
    dt_assert (self->structures_live == 0); // else: a fiber_hold without its fiber_release
    while (self->groups) {
        fiber_group_t *group = self->groups;
        self->groups = group->next;
        fiber_group_destroy (&group);
    }
    fiber_timers_deinit (&self->timers);
    fiber_queue_deinit (&self->ready);
    fiber_queue_deinit (&self->next_head);
    fiber_queue_deinit (&self->next_tail);
    fiber_pool_clear (self);
    fiber_stacks_destroy (&self->stacks);
    fiber_switch_thread_deinit (&self->frame.context);
    pthread_mutex_destroy (&self->lock);
    free (self->posts.items);
    free (self->running.items);
    free (self->name);
    free (self);
    *self_p = NULL;
}

bool fiber_dispatcher_on_thread (const fiber_dispatcher_t *self)
{
    return self->owner == &s_thread;
}

void fiber_dispatcher_check_thread (const fiber_dispatcher_t *self)
{
    dt_assert (self->owner == NULL || self->owner == &s_thread);
}

void fiber_dispatcher_attend (fiber_dispatcher_t *self)
{
    atomic_store_explicit (&self->attention, true, memory_order_relaxed);
    // Under the lock, so that the dispatcher cannot be gone by now.
    if (self->idle) {
        self->idle = false;
        self->backend->ops->wake (self->backend);
    }
}

static void s_bind (fiber_dispatcher_t *self)
{
    if (self->owner) {
        dt_assert (self->owner == &s_thread);
        return;
    }
    self->owner = &s_thread;
    fiber_sanitizer_thread (&self->frame.sanitizer);
    fiber_guard_install ();
}

// Whether the dispatcher may block; if so, posters will wake it.
static bool s_enter_idle (fiber_dispatcher_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->idle = !atomic_load_explicit (&self->attention, memory_order_relaxed);
    bool idle = self->idle;
    pthread_mutex_unlock (&self->lock);
    return idle;
}

static void s_leave_idle (fiber_dispatcher_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->idle = false;
    pthread_mutex_unlock (&self->lock);
}

// Look at the world, waiting for it when there is nothing to do. False: not this time.
static bool s_wait (fiber_dispatcher_t *self, int64_t deadline_ns)
{
    const fiber_backend_ops_t *ops = self->backend->ops;
    if (self->ready.count > 0) {
        if (ops->skip && ops->skip (self->backend)) {
            return false;
        }
        ops->wait (self->backend, INT64_MIN);
    } else if (deadline_ns > self->round_ns && s_enter_idle (self)) {
        int64_t timer_ns = fiber_timers_next_ns (&self->timers);
        ops->wait (self->backend, deadline_ns < timer_ns ? deadline_ns : timer_ns);
        s_leave_idle (self);
    } else {
        ops->wait (self->backend, INT64_MIN);
    }
    self->round_ns = ops->now_ns (self->backend);
    return true;
}

static void s_apply_stops (fiber_dispatcher_t *self)
{
    for (fiber_group_t *group = self->groups; group; group = group->next) {
        fiber_group_apply_stop (group);
    }
}

// Run what other threads posted up to now; what comes meanwhile waits for the next round.
static void s_run_posts (fiber_dispatcher_t *self)
{
    if (!atomic_load_explicit (&self->attention, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock (&self->lock);
    atomic_store_explicit (&self->attention, false, memory_order_relaxed);
    bool stops = self->stop_unapplied;
    self->stop_unapplied = false;
    fiber_posts_t posts = self->posts;
    self->posts = self->running;
    pthread_mutex_unlock (&self->lock);

    for (size_t i = 0; i < posts.count; i++) {
        fiber_post_t *post = &posts.items[i];
        post->call.fn (post->call.argument);
        post->group->ran++;
        fiber_group_check_later (post->group);
    }
    posts.count = 0;
    if (posts.capacity > POSTS_KEPT) {
        free (posts.items);
        posts = (fiber_posts_t){0};
    }
    self->running = posts;
    if (stops) {
        s_apply_stops (self);
    }
}

static fiber_t *s_of_timer (fiber_timer_t *timer)
{
    return (fiber_t *) ((char *) timer - offsetof (fiber_t, timer));
}

static void s_wake_sleepers (fiber_dispatcher_t *self)
{
    fiber_timer_t *timer;
    while ((timer = fiber_timers_due (&self->timers, self->round_ns))) {
        fiber_wake (s_of_timer (timer), DT_ERR_TIMEOUT, false);
    }
}

static void s_check_groups (fiber_dispatcher_t *self)
{
    while (self->check) {
        fiber_group_t *group = self->check;
        self->check = group->next_check;
        fiber_group_check (group);
    }
}

bool fiber_dispatcher_turn (fiber_dispatcher_t *self, int64_t deadline_ns)
{
    dt_assert (!self->in_turn);
    s_bind (self);
    fiber_dispatcher_t *outer = fiber_dispatcher_current;
    dt_assert (!outer || !outer->current); // not from a fiber
    fiber_dispatcher_current = self;
    self->in_turn = true;

    fiber_dispatcher_begin_round (self);
    bool looked = s_wait (self, deadline_ns);
    s_run_posts (self);
    if (looked) {
        s_wake_sleepers (self);
    }
    fiber_dispatcher_run_ready (self);
    s_check_groups (self);
    fiber_dispatcher_end_round (self);

    self->in_turn = false;
    fiber_dispatcher_current = outer;
    return self->groups_live > 0;
}

int fiber_dispatcher_run (fiber_dispatcher_t *self)
{
    while (self->groups_live > 0 ||
           !atomic_load_explicit (&self->stop_requested, memory_order_relaxed)) {
        fiber_dispatcher_turn (self, FIBER_FOREVER);
    }
    return self->failure;
}

void fiber_dispatcher_request_stop (fiber_dispatcher_t *self)
{
    pthread_mutex_lock (&self->lock);
    if (!atomic_load_explicit (&self->stop_requested, memory_order_relaxed)) {
        atomic_store (&self->stop_requested, true);
        for (fiber_group_t *group = self->groups; group; group = group->next) {
            atomic_store (&group->stopping, true);
        }
        self->stop_unapplied = true;
        fiber_dispatcher_attend (self);
    }
    pthread_mutex_unlock (&self->lock);
}

void fiber_dispatcher_fail (fiber_dispatcher_t *self, int rc)
{
    if (!self->failure) {
        self->failure = rc;
    }
    fiber_dispatcher_request_stop (self);
}

int fiber_dispatcher_failure (const fiber_dispatcher_t *self)
{
    return self->failure;
}

bool fiber_dispatcher_ready (fiber_dispatcher_t *self)
{
    return self->ready.count > 0 || self->next_head.count > 0 || self->next_tail.count > 0 ||
           atomic_load_explicit (&self->attention, memory_order_relaxed);
}

int64_t fiber_dispatcher_round_ns (const fiber_dispatcher_t *self)
{
    return self->round_ns;
}

int64_t fiber_dispatcher_next_deadline_ns (const fiber_dispatcher_t *self)
{
    return fiber_timers_next_ns (&self->timers);
}

uint64_t fiber_dispatcher_rounds (const fiber_dispatcher_t *self)
{
    return atomic_load_explicit (&self->rounds, memory_order_relaxed);
}

size_t fiber_dispatcher_stack_peak_bytes (const fiber_dispatcher_t *self)
{
    return self->stack_peak;
}

size_t fiber_dispatcher_fibers (const fiber_dispatcher_t *self)
{
    return self->fibers_live;
}
