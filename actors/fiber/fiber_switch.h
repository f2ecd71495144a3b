// fiber_switch - leaves one stack for another.
//
// Saves what the calling convention lets a callee change not: callee-saved registers and the
// floating point control words. No system call, no signal mask. errno is the caller's business.
//
// fiber_switch_x86_64.S, fiber_switch_aarch64.S, or fiber_switch_ucontext.c where neither fits.

#ifndef FIBER_SWITCH_H
#define FIBER_SWITCH_H

#include <stddef.h>

// Where a suspended stack goes on.
typedef struct {
    void *saved; // stack pointer, or ucontext_t
} fiber_context_t;

// Make a context that calls entry (argument) on the stack [low, low + bytes) when it is switched
// to. entry must not return.
void fiber_switch_prepare (fiber_context_t *self, void *low, size_t bytes,
                           void (*entry) (void *argument), void *argument);

// Make a context to leave the thread's own stack by, and free what it needed.
void fiber_switch_thread_init (fiber_context_t *self);
void fiber_switch_thread_deinit (fiber_context_t *self);

// Save the running context in *from and go on in *to. Returns when somebody switches back.
void fiber_switch (fiber_context_t *from, const fiber_context_t *to);

// Whether the CPU keeps a shadow stack for this thread, which these switches would violate.
int fiber_switch_shadow_stack (void);

#endif // FIBER_SWITCH_H
