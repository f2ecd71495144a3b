// The switch for machines without one of our own: swapcontext, which costs two system calls.

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#include "actors/fiber/fiber_switch.h"
#include "base/dt_assert.h"
#include "base/dt_memory.h"

// What a new stack starts with; stands at its top end, so that no fiber needs an allocation.
typedef struct {
    ucontext_t context;
    void (*entry) (void *argument);
    void *argument;
} s_start_t;

// makecontext passes ints only.
static void s_entry (unsigned high, unsigned low)
{
    s_start_t *start = (s_start_t *) (((uintptr_t) high << 16 << 16) | low);
    start->entry (start->argument);
    dt_unreachable ();
}

void fiber_switch_prepare (fiber_context_t *self, void *low, size_t bytes,
                           void (*entry) (void *argument), void *argument)
{
    uintptr_t top = ((uintptr_t) low + bytes - sizeof (s_start_t)) & ~(uintptr_t) 63;
    s_start_t *start = (s_start_t *) top;
    int rc = getcontext (&start->context);
    dt_assert (rc == 0);
    start->entry = entry;
    start->argument = argument;
    start->context.uc_stack.ss_sp = low;
    start->context.uc_stack.ss_size = top - (uintptr_t) low;
    start->context.uc_link = NULL;
    makecontext (&start->context, (void (*) (void)) s_entry, 2, (unsigned) (top >> 16 >> 16),
                 (unsigned) top);
    self->saved = start;
}

void fiber_switch_thread_init (fiber_context_t *self)
{
    self->saved = dt_zalloc (1, sizeof (ucontext_t));
}

void fiber_switch_thread_deinit (fiber_context_t *self)
{
    free (self->saved);
    self->saved = NULL;
}

void fiber_switch (fiber_context_t *from, const fiber_context_t *to)
{
    int rc = swapcontext (from->saved, to->saved);
    dt_assert (rc == 0);
}

int fiber_switch_shadow_stack (void)
{
    return 0; // swapcontext knows what to do
}
