// fiber_dispatcher - runs fiber groups on the calling thread.
//
// One round: wait for input (not if something is ready), run what was posted, wake due sleepers,
// then run every ready fiber until each has used its budget. A fiber made ready more often than its
// budget in one round waits for the next, so that input and timers are looked at in between.

#ifndef FIBER_DISPATCHER_H
#define FIBER_DISPATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/fiber/fiber_backend.h"
#include "actors/fiber/fiber_group.h"
#include "base/dt_buffer.h"
#include "base/dt_env.h"

typedef struct {
    const char *name;         // copied; in logs and the census
    fiber_backend_t *backend; // borrowed; outlives the dispatcher
    const dt_env_t *env;      // borrowed; for log lines
    size_t stack_bytes;       // default usable stack of a fiber; 0: 64 KiB
    size_t stacks_pooled_max; // unused stacks whose memory is kept for reuse; 0: 1024
    bool paint_stacks; // for tests: fill stacks so that their high-water marks can be measured
} fiber_dispatcher_options_t;

// Create a dispatcher. It is bound to the thread that first calls run or turn.
fiber_dispatcher_t *fiber_dispatcher_new (const fiber_dispatcher_options_t *options);

// Destroy a dispatcher all of whose groups are finished (asserted). Accepts NULL.
void fiber_dispatcher_destroy (fiber_dispatcher_t **self_p);

// Run rounds until a stop was requested and all groups are finished. 0, or the error of the
// essential group that failed.
int fiber_dispatcher_run (fiber_dispatcher_t *self);

// One round (on the real backend several, for some microseconds, while fibers stay ready and
// nothing else is to be done); waits at most until deadline_ns when nothing is ready (a deadline in
// the past: does not wait). True while there is a group that is not finished.
bool fiber_dispatcher_turn (fiber_dispatcher_t *self, int64_t deadline_ns);

// Ask all groups, and those made later, to stop, all at once. Any thread.
void fiber_dispatcher_request_stop (fiber_dispatcher_t *self);

// Nanoseconds of the backend's clock as of this round: cheap, up to a round old (on the real
// backend up to 20 us more while fibers stay ready).
int64_t fiber_dispatcher_round_ns (const fiber_dispatcher_t *self);

// Whether a fiber is ready or something was posted, so that the next turn will not wait.
bool fiber_dispatcher_ready (fiber_dispatcher_t *self);

// The error of the essential group that failed first; 0 if none did.
int fiber_dispatcher_failure (const fiber_dispatcher_t *self);

// When the next sleeper is due; FIBER_FOREVER if none.
int64_t fiber_dispatcher_next_deadline_ns (const fiber_dispatcher_t *self);

// How many rounds were completed. Any thread; a watchdog reads it.
uint64_t fiber_dispatcher_rounds (const fiber_dispatcher_t *self);

// Append one line per live fiber: group, name, state, what it waits for, since when, deadline,
// stack high-water mark where it is measured.
void fiber_dispatcher_census (fiber_dispatcher_t *self, dt_buffer_t *out);

// Most stack bytes that any ended fiber used; 0 unless stacks are painted.
size_t fiber_dispatcher_stack_peak_bytes (const fiber_dispatcher_t *self);

// Live fibers, including daemons.
size_t fiber_dispatcher_fibers (const fiber_dispatcher_t *self);

#endif // FIBER_DISPATCHER_H
