// actor_system - the hosts of one node: started together, stopped in order, watched.

#ifndef ACTOR_SYSTEM_H
#define ACTOR_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/actor.h"
#include "actors/actor_host.h"
#include "base/dt_env.h"

typedef struct actor_system actor_system_t;

// To be called once by a process that makes hosts with threads, from main, before any thread: takes
// czmq's signal handlers, its limits and its environment variables out of play.
void actor_system_init_process (void);

// Create an empty system.
actor_system_t *actor_system_new (const dt_env_t *env);

// Destroy a system that never started or was stopped. Accepts NULL.
void actor_system_destroy (actor_system_t **self_p);

// Add a host with a thread of its own; before the start.
actor_host_t *actor_system_add_host (actor_system_t *self, const char *name, bool use_uring);

// Add a host on a dispatcher of the caller's; it must be the only host.
actor_host_t *actor_system_add_local (actor_system_t *self, fiber_dispatcher_t *dispatcher);

// Connect all hosts with each other and start them.
void actor_system_start (actor_system_t *self);

// End the threads. All actors must have been stopped, or they are asked to stop all at once.
void actor_system_join (actor_system_t *self);

// To be called about once a second: logs each host that has not turned its dispatcher for 5 s,
// once, and when it turns again. Returns the error of an essential actor that failed, or 0.
int actor_system_watch (actor_system_t *self);

#endif // ACTOR_SYSTEM_H
