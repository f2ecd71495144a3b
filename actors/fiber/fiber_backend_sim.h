// fiber_backend_sim - virtual time and a seeded order.
//
// Time stands still while a fiber is ready and jumps to the next deadline or event when none is.
// Several dispatchers may share one simulation: whoever drives them advances the time.

#ifndef FIBER_BACKEND_SIM_H
#define FIBER_BACKEND_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/fiber/fiber_backend.h"

typedef struct fiber_backend_sim fiber_backend_sim_t;
typedef void (fiber_sim_event_fn) (void *argument);

// Create a simulated world whose order of ready fibers is drawn from seed; time starts at 1 s.
// shuffle false: always the head of the queue.
fiber_backend_sim_t *fiber_backend_sim_new (uint64_t seed, bool shuffle);
void fiber_backend_sim_destroy (fiber_backend_sim_t **self_p);

fiber_backend_t *fiber_backend_sim_base (fiber_backend_sim_t *self);

int64_t fiber_backend_sim_now_ns (const fiber_backend_sim_t *self);

// Call fn (argument) at a virtual time (not before now), from a wait of the dispatcher, outside of
// any fiber. Events at the same time run in order of scheduling. Returns an id for cancel.
uint64_t fiber_backend_sim_at (fiber_backend_sim_t *self, int64_t time_ns, fiber_sim_event_fn *fn,
                               void *argument);

// Forget an event; false if it ran already.
bool fiber_backend_sim_cancel (fiber_backend_sim_t *self, uint64_t id);

// When the next event is due; INT64_MAX if none is scheduled.
int64_t fiber_backend_sim_next_ns (const fiber_backend_sim_t *self);

// Whether the last wait found neither event nor deadline nor wake: if all dispatchers are idle, the
// simulated program is in a deadlock.
bool fiber_backend_sim_stuck (const fiber_backend_sim_t *self);

// 64-bit hash of every scheduling decision so far (time, choice), for comparing two runs.
uint64_t fiber_backend_sim_trace (const fiber_backend_sim_t *self);

#endif // FIBER_BACKEND_SIM_H
