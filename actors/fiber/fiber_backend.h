// fiber_backend - what a dispatcher needs of the world: a clock, a way to wait and be woken, and
// the choice of who runs next.
//
// Twins: fiber_backend_real (zmq_poll over sockets and descriptors, io_uring completions),
// fiber_backend_sim (virtual time, order drawn from a seed).

#ifndef FIBER_BACKEND_H
#define FIBER_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fiber_backend fiber_backend_t;

typedef struct {
    // Nanoseconds of a monotonic clock.
    int64_t (*now_ns) (fiber_backend_t *self);
    // Wait until input, a wake or the deadline, and call the callbacks of what became ready.
    // A deadline in the past: look without waiting. Spurious returns are allowed.
    void (*wait) (fiber_backend_t *self, int64_t deadline_ns);
    // End the current wait, or the next one. Any thread.
    void (*wake) (fiber_backend_t *self);
    // Which of count (> 1) ready fibers runs next: 0 is the head of the queue. NULL: always 0.
    size_t (*choose) (fiber_backend_t *self, size_t count);
    // Whether a round with ready fibers may do without looking at input, timers and the clock. Must
    // be cheap, and true only for some microseconds after a wait. NULL: never.
    bool (*skip) (fiber_backend_t *self);
} fiber_backend_ops_t;

struct fiber_backend {
    const fiber_backend_ops_t *ops;
};

#endif // FIBER_BACKEND_H
