#include "actors/fiber/fiber_group.h"

#include <stdlib.h>

#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

// A group without fibers that only a stream of posts keeps from finishing refuses them after so
// many rounds. Otherwise a thread that posts without pause could keep it alive for ever.
#define FINISH_REFUSED_MAX 64

fiber_group_t *fiber_group_new (fiber_dispatcher_t *dispatcher, const char *name)
{
    fiber_dispatcher_check_thread (dispatcher);
    dt_assert (name != NULL);
    fiber_group_t *self = dt_zalloc (1, sizeof *self);
    self->dispatcher = dispatcher;
    self->name = dt_strdup (name);
    self->stop_condition = fiber_condition_new ("stop");
    atomic_init (&self->finished, false);
    // Under the lock: a stop request of the dispatcher walks the list.
    pthread_mutex_lock (&dispatcher->lock);
    self->next = dispatcher->groups;
    dispatcher->groups = self;
    atomic_init (&self->stopping, atomic_load (&dispatcher->stop_requested));
    pthread_mutex_unlock (&dispatcher->lock);
    dispatcher->groups_live++;
    fiber_group_apply_stop (self);
    return self;
}

void fiber_group_destroy (fiber_group_t **self_p)
{
    fiber_group_t *self = *self_p;
    dt_assert (atomic_load (&self->finished));
    dt_assert (self->fibers == NULL);
    fiber_condition_destroy (&self->stop_condition);
    free (self->name);
    free (self);
    *self_p = NULL;
}

void fiber_group_set_essential (fiber_group_t *self, bool essential)
{
    fiber_dispatcher_check_thread (self->dispatcher);
    self->essential = essential;
}

void fiber_group_apply_stop (fiber_group_t *self)
{
    if (self->stop_applied || !atomic_load_explicit (&self->stopping, memory_order_relaxed)) {
        return;
    }
    self->stop_applied = true;
    fiber_condition_signal_all (self->stop_condition);
    fiber_group_check_later (self);
}

void fiber_group_request_stop (fiber_group_t *self)
{
    fiber_dispatcher_t *dispatcher = self->dispatcher;
    pthread_mutex_lock (&dispatcher->lock);
    if (!atomic_load_explicit (&self->stopping, memory_order_relaxed)) {
        atomic_store (&self->stopping, true);
        dispatcher->stop_unapplied = true;
        fiber_dispatcher_attend (dispatcher);
    }
    pthread_mutex_unlock (&dispatcher->lock);
    // On the dispatcher's own thread there is no reason to wait for the next round.
    if (fiber_dispatcher_on_thread (dispatcher)) {
        fiber_group_apply_stop (self);
    }
}

bool fiber_group_stopping (const fiber_group_t *self)
{
    return atomic_load (&self->stopping);
}

bool fiber_group_finished (const fiber_group_t *self)
{
    return atomic_load (&self->finished);
}

fiber_condition_t *fiber_group_stop_condition (fiber_group_t *self)
{
    return self->stop_condition;
}

static void s_posts_append (fiber_posts_t *self, fiber_post_t post)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 64;
        self->items = dt_realloc (self->items, self->capacity * sizeof *self->items);
    }
    self->items[self->count++] = post;
}

int fiber_group_post (fiber_group_t *self, fiber_fn *fn, void *argument)
{
    fiber_dispatcher_t *dispatcher = self->dispatcher;
    dt_assert (fn != NULL);
    int rc = DT_ERR_CLOSED;
    pthread_mutex_lock (&dispatcher->lock);
    if (!self->closed) {
        s_posts_append (&dispatcher->posts, (fiber_post_t){self, {fn, argument}});
        self->posted++;
        fiber_dispatcher_attend (dispatcher);
        rc = 0;
    }
    pthread_mutex_unlock (&dispatcher->lock);
    return rc;
}

const char *fiber_group_name (const fiber_group_t *self)
{
    return self->name;
}

fiber_dispatcher_t *fiber_group_dispatcher (const fiber_group_t *self)
{
    return self->dispatcher;
}

void fiber_group_check_later (fiber_group_t *self)
{
    if (self->checking || !self->stop_applied) {
        return;
    }
    self->checking = true;
    self->next_check = self->dispatcher->check;
    self->dispatcher->check = self;
}

// Whether all accepted posts ran. close: if so (or out of patience), accept no more. Refusing under
// the lock that posting takes is what makes every post either accepted and run, or refused.
static bool s_posts_done (fiber_group_t *self, bool close)
{
    pthread_mutex_lock (&self->dispatcher->lock);
    bool done = self->posted == self->ran;
    if (!done && ++self->finish_refused > FINISH_REFUSED_MAX) {
        self->closed = true;
    }
    if (done && close) {
        self->closed = true;
        atomic_store (&self->finished, true);
    }
    pthread_mutex_unlock (&self->dispatcher->lock);
    return done;
}

void fiber_group_check (fiber_group_t *self)
{
    self->checking = false;
    if (atomic_load_explicit (&self->finished, memory_order_relaxed) || self->normal_count > 0) {
        self->finish_refused = 0;
        return;
    }
    // When it is posts that are missing, running them brings us here again.
    if (!s_posts_done (self, self->daemon_count == 0)) {
        return;
    }
    if (self->daemon_count > 0) {
        for (fiber_t *fiber = self->fibers; fiber; fiber = fiber->next) {
            if (!fiber->cancelled) {
                fiber_cancel (fiber);
            }
        }
        return;
    }
    self->dispatcher->groups_live--;
}
