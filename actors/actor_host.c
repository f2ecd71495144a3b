#include "actors/actor_host.h"

#include <czmq.h>
#include <stdatomic.h>

#include "actors/fiber/fiber_backend_real.h"
#include "actors/fiber/fiber_condition.h"
#include "actors/fiber/fiber_sanitizer.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

typedef struct {
    zsock_t *socket;        // PUSH to the other host's PULL; NULL: not connected
    actor_message_t *head;  // mail of this round
    actor_message_t **tail; // where the next message goes
} s_outbox_t;

struct actor_host {
    char *name;                     // owned
    unsigned number;                // index in the others' outboxes
    const dt_env_t *env;            // borrowed
    fiber_dispatcher_t *dispatcher; // owned unless `borrowed`
    bool borrowed;                  // runs on somebody else's dispatcher
    fiber_backend_real_t *backend;  // owned; NULL when borrowed
    zactor_t *thread;               // running thread; NULL before start and after join
    zsock_t *pipe;                  // the thread's end of its command pipe; borrowed
    zsock_t *inbox;                 // PULL: one pointer a message, the head of a list
    s_outbox_t outbox[ACTOR_HOSTS_MAX];
    fiber_group_t *postman;          // group of the fiber that sends the outboxes
    fiber_condition_t *mail_waiting; // some outbox is not empty
    bool mail_signalled;             // the postman knows
    actor_t **actors;                // owned, in order of creation
    size_t actors_count;
    atomic_int failure;      // what the dispatcher returned
    _Atomic int64_t ping_ns; // when the open question was asked; 0: none
};

// Named by its address: a process may have several systems, in the one context of czmq.
static const char *s_inbox_endpoint (const actor_host_t *self, char text[static 64])
{
    snprintf (text, 64, "inproc://dongting-host-%p", (const void *) self);
    return text;
}

actor_host_t *actor_host_new_on (const dt_env_t *env, fiber_dispatcher_t *dispatcher)
{
    actor_host_t *self = dt_zalloc (1, sizeof *self);
    self->name = dt_strdup ("local");
    self->env = env;
    self->dispatcher = dispatcher;
    self->borrowed = true;
    return self;
}

actor_host_t *actor_host_new (const dt_env_t *env, const char *name, unsigned number,
                              bool use_uring)
{
    dt_assert (number < ACTOR_HOSTS_MAX);
    actor_host_t *self = dt_zalloc (1, sizeof *self);
    self->name = dt_strdup (name);
    self->number = number;
    self->env = env;
    self->backend = fiber_backend_real_new (env, use_uring);
    self->dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = name,
        .backend = fiber_backend_real_base (self->backend),
        .env = env,
    });
    for (unsigned i = 0; i < ACTOR_HOSTS_MAX; i++) {
        self->outbox[i].tail = &self->outbox[i].head;
    }
    self->postman = fiber_group_new (self->dispatcher, "postman");
    self->mail_waiting = fiber_condition_new ("mail to other hosts");
    self->inbox = zsock_new (ZMQ_PULL);
    zsock_set_rcvhwm (self->inbox, 0);
    char endpoint[64];
    int rc = zsock_bind (self->inbox, "%s", s_inbox_endpoint (self, endpoint));
    dt_assert (rc == 0);
    return self;
}

void actor_host_connect (actor_host_t *self, actor_host_t *other)
{
    s_outbox_t *outbox = &self->outbox[other->number];
    dt_assert (!outbox->socket && self != other);
    // Unbounded here: the mailboxes bound the requests, and every answer belongs to one.
    outbox->socket = zsock_new (ZMQ_PUSH);
    zsock_set_sndhwm (outbox->socket, 0);
    zsock_set_linger (outbox->socket, 0);
    char endpoint[64];
    int rc = zsock_connect (outbox->socket, "%s", s_inbox_endpoint (other, endpoint));
    dt_assert (rc == 0);
}

static void s_free_mail (actor_message_t *list)
{
    while (list) {
        actor_message_t *message = list;
        list = list->next;
        actor_message_free (&message);
    }
}

// libzmq hands the pointer on with all the order that is needed; ThreadSanitizer, which does not
// see into libzmq, has to be told [SAN-4].
static void s_note_sent (actor_message_t *list)
{
#if FIBER_TSAN
    __tsan_release (list);
#else
    (void) list;
#endif
}

static bool s_note_received (actor_message_t *list)
{
#if FIBER_TSAN
    __tsan_acquire (list);
#else
    (void) list;
#endif
    return true;
}

static bool s_receive_list (actor_host_t *self, actor_message_t **list)
{
    return zmq_recv (zsock_resolve (self->inbox), list, sizeof *list, ZMQ_DONTWAIT) ==
               (int) sizeof *list &&
           s_note_received (*list);
}

void actor_host_destroy (actor_host_t **self_p)
{
    actor_host_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    dt_assert (!self->thread);
    for (size_t i = self->actors_count; i-- > 0;) {
        actor_destroy (&self->actors[i]);
    }
    free (self->actors);
    if (!self->borrowed) {
        actor_message_t *list;
        while (s_receive_list (self, &list)) {
            s_free_mail (list);
        }
        for (unsigned i = 0; i < ACTOR_HOSTS_MAX; i++) {
            s_free_mail (self->outbox[i].head);
            zsock_destroy (&self->outbox[i].socket);
        }
        zsock_destroy (&self->inbox);
        fiber_condition_destroy (&self->mail_waiting);
        fiber_dispatcher_destroy (&self->dispatcher);
        fiber_backend_real_destroy (&self->backend);
    }
    free (self->name);
    free (self);
}

void actor_host_mail (actor_host_t *self, actor_host_t *to, actor_message_t *message)
{
    s_outbox_t *outbox = &self->outbox[to->number];
    dt_assert (outbox->socket);
    message->next = NULL;
    *outbox->tail = message;
    outbox->tail = &message->next;
    if (!self->mail_signalled) {
        self->mail_signalled = true;
        // At the tail: whatever is ready now may still add to this round's mail.
        fiber_condition_signal_later (self->mail_waiting);
    }
}

static void s_send_mail (actor_host_t *self)
{
    self->mail_signalled = false;
    for (unsigned i = 0; i < ACTOR_HOSTS_MAX; i++) {
        s_outbox_t *outbox = &self->outbox[i];
        if (outbox->head) {
            actor_message_t *list = outbox->head;
            outbox->head = NULL;
            outbox->tail = &outbox->head;
            s_note_sent (list);
            int sent = zmq_send (zsock_resolve (outbox->socket), &list, sizeof list, ZMQ_DONTWAIT);
            dt_assert (sent == (int) sizeof list);
        }
    }
}

static void s_postman (void *argument)
{
    actor_host_t *self = argument;
    do {
        s_send_mail (self); // what was posted to this host may have written before the first wait
    } while (fiber_condition_wait (self->mail_waiting, FIBER_FOREVER) == 0);
    s_send_mail (self);
}

static void s_on_inbox (void *argument)
{
    actor_host_t *self = argument;
    actor_message_t *list;
    while (s_receive_list (self, &list)) {
        while (list) {
            actor_message_t *message = list;
            list = list->next;
            actor_deliver (message);
        }
    }
}

static void s_on_pipe (void *argument)
{
    actor_host_t *self = argument;
    // The only command is $TERM; the groups were asked to stop before, in their order.
    zmsg_t *command = zmsg_recv_nowait (self->pipe);
    zmsg_destroy (&command);
    fiber_dispatcher_request_stop (self->dispatcher);
}

static void s_host_thread (zsock_t *pipe, void *argument)
{
    actor_host_t *self = argument;
    self->pipe = pipe;
    fiber_backend_real_watch_socket (self->backend, zsock_resolve (self->inbox), s_on_inbox, self);
    fiber_backend_real_watch_socket (self->backend, zsock_resolve (pipe), s_on_pipe, self);
    zsock_signal (pipe, 0);
    int rc = fiber_dispatcher_run (self->dispatcher);
    atomic_store (&self->failure, rc);
    fiber_backend_real_unwatch_socket (self->backend, zsock_resolve (pipe));
    fiber_backend_real_unwatch_socket (self->backend, zsock_resolve (self->inbox));
}

void actor_host_start (actor_host_t *self)
{
    if (!self->borrowed) {
        fiber_options_t options = {.daemon = true, .budget = 64};
        fiber_start (self->postman, "postman", s_postman, self, &options);
    }
    for (size_t i = 0; i < self->actors_count; i++) {
        actor_start (self->actors[i]);
    }
    if (!self->borrowed) {
        self->thread = zactor_new (s_host_thread, self);
        dt_assert (self->thread);
    }
}

void actor_host_join (actor_host_t *self)
{
    if (!self->borrowed) {
        zactor_destroy (&self->thread);
    }
}

int actor_host_failure (const actor_host_t *self)
{
    return atomic_load (&self->failure);
}

fiber_dispatcher_t *actor_host_dispatcher (actor_host_t *self)
{
    return self->dispatcher;
}

fiber_backend_real_t *actor_host_backend (actor_host_t *self)
{
    return self->backend;
}

const dt_env_t *actor_host_env (const actor_host_t *self)
{
    return self->env;
}

const char *actor_host_name (const actor_host_t *self)
{
    return self->name;
}

static void s_pong (void *argument)
{
    actor_host_t *self = argument;
    atomic_store (&self->ping_ns, 0);
}

void actor_host_ping (actor_host_t *self)
{
    int64_t none = 0;
    int64_t now_ns = self->env->now_ns (self->env);
    if (atomic_compare_exchange_strong (&self->ping_ns, &none, now_ns) &&
        fiber_group_post (self->postman, s_pong, self) != 0) {
        atomic_store (&self->ping_ns, 0);
    }
}

int64_t actor_host_silent_ns (const actor_host_t *self)
{
    int64_t asked_ns = atomic_load (&self->ping_ns);
    return asked_ns ? self->env->now_ns (self->env) - asked_ns : 0;
}

void actor_host_adopt (actor_host_t *self, actor_t *actor)
{
    dt_assert (!self->thread);
    self->actors = dt_realloc (self->actors, (self->actors_count + 1) * sizeof *self->actors);
    self->actors[self->actors_count++] = actor;
}
