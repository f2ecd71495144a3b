// actor_host - one thread (a zactor) that runs one dispatcher, and the actors placed on it.
//
// A host without thread (the simulator's) runs on the dispatcher it was given, driven by whoever
// turns that dispatcher; such a host talks only to itself.

#ifndef ACTOR_HOST_H
#define ACTOR_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/actor.h"
#include "actors/fiber/fiber_dispatcher.h"
#include "base/dt_env.h"

typedef struct fiber_backend_real fiber_backend_real_t;

enum { ACTOR_HOSTS_MAX = 16 }; // of one system: their mail sockets are a matrix

// Create a host with a dispatcher and a real backend of its own; number < ACTOR_HOSTS_MAX is unique
// in the process' system. Binds its inproc mail socket. Nothing runs yet.
actor_host_t *actor_host_new (const dt_env_t *env, const char *name, unsigned number,
                              bool use_uring);

// Create a host on a dispatcher of the caller's (borrowed).
actor_host_t *actor_host_new_on (const dt_env_t *env, fiber_dispatcher_t *dispatcher);

// Destroy a host that has stopped, its actors and its mail. Accepts NULL.
void actor_host_destroy (actor_host_t **self_p);

// Connect the outgoing mail of self to `other`. Before self runs.
void actor_host_connect (actor_host_t *self, actor_host_t *other);

// Start the actors' main fibers, and the thread if the host has one of its own.
void actor_host_start (actor_host_t *self);

// Wait until the thread has ended. All groups must have been asked to stop.
void actor_host_join (actor_host_t *self);

// The error of the essential actor that failed on this host, or 0. Any thread.
int actor_host_failure (const actor_host_t *self);

fiber_dispatcher_t *actor_host_dispatcher (actor_host_t *self);
fiber_backend_real_t *actor_host_backend (actor_host_t *self); // NULL on a host without thread
const dt_env_t *actor_host_env (const actor_host_t *self);
const char *actor_host_name (const actor_host_t *self);

// For the watchdog, any thread: ask for a sign of life; how long the oldest unanswered question is,
// in ns (0: none is open).
void actor_host_ping (actor_host_t *self);
int64_t actor_host_silent_ns (const actor_host_t *self);

// For actor.c: take an actor in; put a message into the outgoing mail to another host.
void actor_host_adopt (actor_host_t *self, actor_t *actor);
void actor_host_mail (actor_host_t *self, actor_host_t *to, actor_message_t *message);

#endif // ACTOR_HOST_H
