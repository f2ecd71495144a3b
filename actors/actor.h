// actor - a fiber group with a mailbox.
//
// An actor owns its data; others reach it only by messages. A message is a struct of the sender's
// that begins with an actor_message_t; sending hands its ownership to the receiver. Messages from
// one actor to another arrive in the order in which they were sent.
//
// Bounds: a mailbox takes at most mailbox_max *requests* (actor_send refuses more with DT_ERR_BUSY
// and the message stays the sender's). *Answers* (actor_answer) are never refused: each belongs to
// a request that was accepted, so their number is bounded by the bounds of the requests.
//
// Between actors of one host a message is handed over directly; to another host it joins that
// host's outgoing mail, sent once per dispatcher round as one pointer over an inproc socket.

#ifndef ACTOR_H
#define ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/fiber/fiber.h"
#include "actors/fiber/fiber_group.h"

typedef struct actor actor_t;
typedef struct actor_host actor_host_t;
typedef struct actor_message actor_message_t;

struct actor_message {
    actor_message_t *next; // in a mailbox or in outgoing mail
    actor_t *to;           // set by the send
    void (*free_fn) (
        actor_message_t *self); // frees the whole message, also when it was never handled
    uint16_t type;              // known to sender and receiver
    bool counted;               // a request: takes a place of the mailbox
};

typedef struct {
    const char *name;   // copied
    size_t mailbox_max; // requests; 0: 1024
    fiber_fn *run;      // the main fiber; ends when the actor's work is done after a stop request
    void *argument;     // of run
    unsigned budget;    // of the main fiber, see fiber_options_t; 0: 16
} actor_options_t;

// Create an actor on a host, before the host runs. The host owns it. Its main fiber starts with the
// host.
actor_t *actor_new (actor_host_t *host, const actor_options_t *options);

// Start the main fiber. Called by the host for all its actors.
void actor_start (actor_t *self);

// Free an actor whose group is finished, and what is left in its mailbox. By the host.
void actor_destroy (actor_t **self_p);

// Send a request from one actor to another, on the sender's thread.
// DT_ERR_BUSY: the mailbox is full; the message stays the caller's.
int actor_send (actor_t *from, actor_t *to, actor_message_t *message);

// Send an answer: always accepted.
void actor_answer (actor_t *from, actor_t *to, actor_message_t *message);

// Take the oldest message, waiting for one until deadline_ns. It belongs to the caller, who frees
// it with actor_message_free. DT_ERR_TIMEOUT. DT_ERR_CLOSED: a stop was requested and the mailbox
// is empty; told once, later calls wait again, so that answers still on their way can be taken.
int actor_receive (actor_t *self, actor_message_t **message, int64_t deadline_ns);

// The same without waiting. DT_ERR_AGAIN: the mailbox is empty.
int actor_try_receive (actor_t *self, actor_message_t **message);

// Free a message by its own function. Nulls the pointer.
void actor_message_free (actor_message_t **message_p);

// End the wait of actor_receive with DT_ERR_AGAIN, now or the next time. From fibers and callbacks
// of the same host: input has arrived by another way than the mailbox.
void actor_wake (actor_t *self);

const char *actor_name (const actor_t *self);
fiber_group_t *actor_group (actor_t *self);
actor_host_t *actor_host_of (actor_t *self);
bool actor_stopping (const actor_t *self);

// Requests waiting in the mailbox. Any thread.
size_t actor_mailbox_count (const actor_t *self);

// Put a message that came from another host into the mailbox. By the host.
void actor_deliver (actor_message_t *message);

#endif // ACTOR_H
