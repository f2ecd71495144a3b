// The C half of the assembly switches: lays out the frame that a new stack is entered by.

#include <stdint.h>
#include <string.h>

#include "actors/fiber/fiber_switch.h"
#include "base/dt_assert.h"

// In the .S file.
extern void fiber_switch_entry (void);

#if defined(__x86_64__)

static uint64_t s_control_words (void)
{
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return mxcsr | (uint64_t) x87 << 32;
}

void fiber_switch_prepare (fiber_context_t *self, void *low, size_t bytes,
                           void (*entry) (void *argument), void *argument)
{
    uintptr_t top = ((uintptr_t) low + bytes) & ~(uintptr_t) 15;
    uint64_t *frame = (uint64_t *) (top - 80);
    memset (frame, 0, 80);
    frame[0] = s_control_words ();
    frame[3] = (uint64_t) (uintptr_t) entry;    // r13
    frame[4] = (uint64_t) (uintptr_t) argument; // r12
    frame[7] = (uint64_t) (uintptr_t) fiber_switch_entry;
    self->saved = frame;
}

#elif defined(__aarch64__)

void fiber_switch_prepare (fiber_context_t *self, void *low, size_t bytes,
                           void (*entry) (void *argument), void *argument)
{
    uintptr_t top = ((uintptr_t) low + bytes) & ~(uintptr_t) 15;
    uint64_t *frame = (uint64_t *) (top - 192);
    memset (frame, 0, 192);
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    frame[8] = (uint64_t) (uintptr_t) argument; // x19
    frame[9] = (uint64_t) (uintptr_t) entry;    // x20
    frame[19] = (uint64_t) (uintptr_t) fiber_switch_entry;
    frame[20] = fpcr;
    self->saved = frame;
}

#else
#error "no assembly switch for this machine: configure with -DDT_FIBER_UCONTEXT=ON"
#endif

void fiber_switch_thread_init (fiber_context_t *self)
{
    self->saved = NULL;
}

void fiber_switch_thread_deinit (fiber_context_t *self)
{
    self->saved = NULL;
}
