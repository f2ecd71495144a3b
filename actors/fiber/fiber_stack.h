// fiber_stack - a pool of stacks.
//
// Stacks are cut from slabs of up to 64, one mmap each, in sizes of powers of two; a slab's memory
// stays reserved until the pool is destroyed, what a stack has touched is given back to the kernel
// when more than a number of unused ones pile up.
//
// Guards. A PROT_NONE guard of 16 KiB below each stack turns an overflow into a clean fault, but
// costs two of the process's memory mappings (vm.max_map_count: 65530). So guards are given out
// while a quarter of that budget lasts (all pools of the process together: 8191 stacks); later
// slabs have none: their stacks adjoin, and the 64 bytes below each (at the top end of its
// neighbour, in a page that is in use anyway) hold a canary that is checked at every suspension.
// Such an overflow is found late, after it damaged the neighbour, and is always fatal.

#ifndef FIBER_STACK_H
#define FIBER_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_assert.h"

#define FIBER_GUARD_BYTES     16384
#define FIBER_CANARY_WORDS    8
#define FIBER_CANARY          0x5afe57ac4ca4a7e5ULL
#define FIBER_STACK_BYTES_MIN 16384
#define FIBER_STACK_BYTES_MAX (64u << 20)
#define FIBER_STACK_CLASSES   13

typedef struct fiber_stack fiber_stack_t;
typedef struct fiber_stacks fiber_stacks_t;

struct fiber_stack {
    uint8_t *low;        // lowest usable address
    size_t bytes;        // usable; low + bytes is the initial stack pointer
    bool guarded;        // a PROT_NONE guard stands below low; else a canary
    unsigned size_class; // FIBER_STACK_BYTES_MIN << size_class is its size
    unsigned tool_id;    // Valgrind's
    fiber_stack_t *next; // while unused
};

// Create a pool. warm_max: unused stacks whose memory is kept; paint: fill each stack before use,
// so that its high-water mark can be measured (touches all of it: for tests).
fiber_stacks_t *fiber_stacks_new (size_t warm_max, bool paint);

// Destroy a pool all of whose stacks were released (asserted). Accepts NULL.
void fiber_stacks_destroy (fiber_stacks_t **self_p);

// Take a stack of at least bytes (at most FIBER_STACK_BYTES_MAX). NULL: no memory to map.
fiber_stack_t *fiber_stacks_acquire (fiber_stacks_t *self, size_t bytes);

// Give a stack back that nothing runs on.
void fiber_stacks_release (fiber_stacks_t *self, fiber_stack_t *stack);

// Bytes of the stack that were ever touched since it was acquired; 0 when the pool does not paint.
size_t fiber_stacks_high_water (const fiber_stacks_t *self, const fiber_stack_t *stack);

// Let no more than count stacks of the process have guards from now on; returns the count before.
// For tests of unguarded stacks.
size_t fiber_stacks_limit_guards (size_t count);

// Whether an address lies in the guard below the stack.
static inline bool fiber_stack_guards (const fiber_stack_t *self, const void *address)
{
    const uint8_t *place = address;
    return self->guarded && place < self->low && place >= self->low - FIBER_GUARD_BYTES;
}

// Whether the canary below an unguarded stack is as it was.
bool fiber_stack_canary_intact (const fiber_stack_t *self);

#endif // FIBER_STACK_H
