#include "actors/actor.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "actors/actor_host.h"
#include "actors/fiber/fiber_condition.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

enum { MAILBOX_MAX_DEFAULT = 1024, BUDGET_DEFAULT = 16 };

struct actor {
    char *name;              // owned
    actor_host_t *host;      // the host owns the actor
    fiber_group_t *group;    // owned by the dispatcher
    fiber_condition_t *mail; // signalled when the mailbox gets its first message
    actor_message_t *head;   // oldest message
    actor_message_t **tail;  // where the next one goes
    fiber_fn *run;           // main fiber
    void *argument;          // of run
    unsigned budget;         // of the main fiber
    size_t mailbox_max;      // bound of `requests`
    atomic_size_t requests;  // counted messages sent and not yet taken, from any host
    bool stop_told;          // actor_receive has returned DT_ERR_CLOSED
    bool woken;              // actor_wake was called
};

actor_t *actor_new (actor_host_t *host, const actor_options_t *options)
{
    dt_assert (options->run);
    actor_t *self = dt_zalloc (1, sizeof *self);
    self->name = dt_strdup (options->name);
    self->host = host;
    self->group = fiber_group_new (actor_host_dispatcher (host), options->name);
    self->mail = fiber_condition_new ("mail");
    self->tail = &self->head;
    self->run = options->run;
    self->argument = options->argument;
    self->budget = options->budget ? options->budget : BUDGET_DEFAULT;
    self->mailbox_max = options->mailbox_max ? options->mailbox_max : MAILBOX_MAX_DEFAULT;
    fiber_group_set_essential (self->group, true);
    actor_host_adopt (host, self);
    return self;
}

void actor_start (actor_t *self)
{
    fiber_options_t options = {.budget = self->budget};
    fiber_t *fiber = fiber_start (self->group, "main", self->run, self->argument, &options);
    dt_assert (fiber);
}

void actor_destroy (actor_t **self_p)
{
    actor_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    while (self->head) {
        actor_message_t *message = self->head;
        self->head = message->next;
        actor_message_free (&message);
    }
    fiber_condition_destroy (&self->mail);
    free (self->name);
    free (self);
}

static void s_put (actor_message_t *message)
{
    actor_t *self = message->to;
    bool was_empty = self->head == NULL;
    message->next = NULL;
    *self->tail = message;
    self->tail = &message->next;
    if (was_empty) {
        fiber_condition_signal_later (self->mail);
    }
}

static void s_pass (actor_t *from, actor_t *to, actor_message_t *message)
{
    message->to = to;
    if (from->host == to->host) {
        s_put (message);
    } else {
        actor_host_mail (from->host, to->host, message);
    }
}

int actor_send (actor_t *from, actor_t *to, actor_message_t *message)
{
    size_t before = atomic_fetch_add_explicit (&to->requests, 1, memory_order_relaxed);
    if (before >= to->mailbox_max) {
        atomic_fetch_sub_explicit (&to->requests, 1, memory_order_relaxed);
        return DT_ERR_BUSY;
    }
    message->counted = true;
    s_pass (from, to, message);
    return 0;
}

void actor_answer (actor_t *from, actor_t *to, actor_message_t *message)
{
    message->counted = false;
    s_pass (from, to, message);
}

void actor_deliver (actor_message_t *message)
{
    s_put (message);
}

int actor_try_receive (actor_t *self, actor_message_t **message)
{
    actor_message_t *first = self->head;
    if (!first) {
        return DT_ERR_AGAIN;
    }
    self->head = first->next;
    if (!self->head) {
        self->tail = &self->head;
    }
    if (first->counted) {
        atomic_fetch_sub_explicit (&self->requests, 1, memory_order_relaxed);
    }
    *message = first;
    return 0;
}

int actor_receive (actor_t *self, actor_message_t **message, int64_t deadline_ns)
{
    for (;;) {
        if (actor_try_receive (self, message) == 0) {
            return 0;
        }
        if (self->woken) {
            self->woken = false;
            return DT_ERR_AGAIN;
        }
        if (fiber_group_stopping (self->group) && !self->stop_told) {
            self->stop_told = true;
            return DT_ERR_CLOSED;
        }
        fiber_condition_t *events[] = {self->mail, fiber_group_stop_condition (self->group)};
        int rc = self->stop_told ? fiber_condition_wait (self->mail, deadline_ns)
                                 : fiber_condition_wait_any (events, 2, deadline_ns);
        if (rc != 0 && !self->head) {
            return rc;
        }
    }
}

void actor_wake (actor_t *self)
{
    if (!self->woken) {
        self->woken = true;
        fiber_condition_signal_later (self->mail);
    }
}

void actor_message_free (actor_message_t **message_p)
{
    actor_message_t *message = *message_p;
    *message_p = NULL;
    if (message) {
        message->free_fn (message);
    }
}

const char *actor_name (const actor_t *self)
{
    return self->name;
}

fiber_group_t *actor_group (actor_t *self)
{
    return self->group;
}

actor_host_t *actor_host_of (actor_t *self)
{
    return self->host;
}

bool actor_stopping (const actor_t *self)
{
    return fiber_group_stopping (self->group);
}

size_t actor_mailbox_count (const actor_t *self)
{
    return atomic_load_explicit (&self->requests, memory_order_relaxed);
}
