// sim_clock - the monotonic clock of one life of one node: it has an origin of its own and runs a
// little faster or slower than the world's [DST-7].
//
// A fiber_backend for the node's dispatcher. Whoever drives several nodes lets the world's time
// pass, and turns each dispatcher at its own present (a wait never moves the world).

#ifndef SIM_CLOCK_H
#define SIM_CLOCK_H

#include "actors/fiber/fiber_backend_sim.h"

typedef struct sim_clock sim_clock_t;

// Create a clock that shows origin_ns now. The world outlives it.
sim_clock_t *sim_clock_new (fiber_backend_sim_t *world, int64_t origin_ns);
void sim_clock_destroy (sim_clock_t **self_p);

fiber_backend_t *sim_clock_base (sim_clock_t *self);

int64_t sim_clock_now_ns (const sim_clock_t *self);

// From now on it gains so many millionths, or loses them.
void sim_clock_set_rate (sim_clock_t *self, int32_t ppm);

// When in the world's time it will show at least time_ns. INT64_MAX stays so.
int64_t sim_clock_to_world (const sim_clock_t *self, int64_t time_ns);

// The node has left the world: its clock stands still but for its own waits, which end at once.
void sim_clock_detach (sim_clock_t *self);

#endif // SIM_CLOCK_H
