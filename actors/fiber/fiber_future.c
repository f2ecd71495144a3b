#include "actors/fiber/fiber_future.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_memory.h"

struct fiber_future {
    atomic_uint references;
    bool done;
    int rc;      // once done
    void *value; // once done
    fiber_group_t *group;
    fiber_waiters_t waiters;
    char *name; // owned
};

// A completion on its way to the group's thread.
typedef struct {
    fiber_future_t *future; // holds a reference
    int rc;
    void *value;
} s_completion_t;

fiber_future_t *fiber_future_new (fiber_group_t *group, const char *name)
{
    dt_assert (group != NULL);
    dt_assert (name != NULL);
    fiber_future_t *self = dt_zalloc (1, sizeof *self);
    atomic_init (&self->references, 1);
    self->group = group;
    self->name = dt_strdup (name);
    return self;
}

fiber_future_t *fiber_future_ref (fiber_future_t *self)
{
    unsigned before = atomic_fetch_add_explicit (&self->references, 1, memory_order_relaxed);
    dt_assert (before > 0);
    return self;
}

void fiber_future_unref (fiber_future_t **self_p)
{
    fiber_future_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    unsigned before = atomic_fetch_sub_explicit (&self->references, 1, memory_order_acq_rel);
    dt_assert (before > 0);
    if (before > 1) {
        return;
    }
    dt_assert (self->waiters.first == NULL);
    free (self->name);
    free (self);
}

bool fiber_future_complete (fiber_future_t *self, int rc, void *value)
{
    fiber_dispatcher_check_thread (self->group->dispatcher);
    if (self->done) {
        return false;
    }
    self->done = true;
    self->rc = rc;
    self->value = value;
    fiber_waiters_wake_all (&self->waiters);
    return true;
}

static void s_complete_posted (void *argument)
{
    s_completion_t *completion = argument;
    fiber_future_complete (completion->future, completion->rc, completion->value);
    fiber_future_unref (&completion->future);
    free (completion);
}

int fiber_future_post_complete (fiber_future_t *self, int rc, void *value)
{
    s_completion_t *completion = dt_malloc (sizeof *completion);
    *completion = (s_completion_t){fiber_future_ref (self), rc, value};
    int post_rc = fiber_group_post (self->group, s_complete_posted, completion);
    if (post_rc) {
        fiber_future_unref (&completion->future);
        free (completion);
    }
    return post_rc;
}

bool fiber_future_done (const fiber_future_t *self)
{
    fiber_dispatcher_check_thread (self->group->dispatcher);
    return self->done;
}

int fiber_future_await (fiber_future_t *self, int64_t deadline_ns, int *result, void **value)
{
    fiber_t *fiber = fiber_running ();
    dt_assert (fiber != NULL);
    dt_assert (fiber->dispatcher == self->group->dispatcher);
    // The waiter's own reference: whoever gave it the future may drop theirs meanwhile.
    fiber_future_t *held = fiber_future_ref (self);
    int rc = self->done ? fiber_wait_pending (fiber)
                        : fiber_wait_one (&self->waiters, deadline_ns, "future", self->name);
    if (rc == 0) {
        dt_assert (self->done);
        if (result) {
            *result = self->rc;
        }
        if (value) {
            *value = self->value;
        }
    }
    fiber_future_unref (&held);
    return rc;
}
