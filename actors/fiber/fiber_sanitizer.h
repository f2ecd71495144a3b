// fiber_sanitizer - tells ASan, TSan and Valgrind about stacks and switches.
//
// Every function is empty in a build without the tool in question. Valgrind's requests cost a few
// no-ops and only stand where stacks are made and unmade, so they are always compiled in.

#ifndef FIBER_SANITIZER_H
#define FIBER_SANITIZER_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#else
#define FIBER_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define FIBER_TSAN 0
#endif

#if __has_include(<valgrind/valgrind.h>)
#define FIBER_VALGRIND 1
#include <valgrind/valgrind.h>
#else
#define FIBER_VALGRIND 0
#endif

// Instrumented frames are several times as big.
#if FIBER_ASAN || FIBER_TSAN
#define FIBER_STACK_SCALE 4
#else
#define FIBER_STACK_SCALE 1
#endif

// For functions that read raw stack memory.
#define FIBER_RAW_MEMORY __attribute__ ((no_sanitize ("address", "thread"), noinline))

// What the tools know of one stack.
typedef struct {
    const void *low; // lowest address
    size_t bytes;
#if FIBER_ASAN
    void *fake; // ASan's fake frames while switched out
#endif
#if FIBER_TSAN
    void *tsan; // TSan's own context
#endif
} fiber_sanitizer_t;

// Before leaving `from` for `to`; ending: `from` is never resumed.
static inline void fiber_sanitizer_leave (fiber_sanitizer_t *from, fiber_sanitizer_t *to,
                                          int ending)
{
#if FIBER_ASAN
    __sanitizer_start_switch_fiber (ending ? NULL : &from->fake, to->low, to->bytes);
#endif
#if FIBER_TSAN
    __tsan_switch_to_fiber (to->tsan, 0);
#endif
    (void) from;
    (void) to;
    (void) ending;
}

// After arriving; first: on a new stack.
static inline void fiber_sanitizer_arrive (fiber_sanitizer_t *self, int first)
{
#if FIBER_ASAN
    __sanitizer_finish_switch_fiber (first ? NULL : self->fake, NULL, NULL);
#endif
    (void) self;
    (void) first;
}

// A fiber gets the stack / has left it for good.
static inline void fiber_sanitizer_begin (fiber_sanitizer_t *self, const void *low, size_t bytes)
{
    self->low = low;
    self->bytes = bytes;
#if FIBER_ASAN
    self->fake = NULL;
    __asan_unpoison_memory_region (low, bytes);
#endif
#if FIBER_TSAN
    self->tsan = __tsan_create_fiber (0);
#endif
}

static inline void fiber_sanitizer_end (fiber_sanitizer_t *self)
{
#if FIBER_TSAN
    __tsan_destroy_fiber (self->tsan);
#endif
    (void) self;
}

// The calling thread's own stack.
void fiber_sanitizer_thread (fiber_sanitizer_t *self);

// Memory that holds stacks is mapped / about to be unmapped.
static inline void fiber_sanitizer_map (const void *memory, size_t bytes)
{
#if FIBER_ASAN
    __lsan_register_root_region (memory, bytes);
#endif
    (void) memory;
    (void) bytes;
}

static inline void fiber_sanitizer_unmap (const void *memory, size_t bytes)
{
#if FIBER_ASAN
    __lsan_unregister_root_region (memory, bytes);
    __asan_unpoison_memory_region (memory, bytes);
#endif
    (void) memory;
    (void) bytes;
}

// One stack is laid out in it / gone.
static inline unsigned fiber_sanitizer_stack_add (void *low, size_t bytes)
{
#if FIBER_VALGRIND
    return VALGRIND_STACK_REGISTER (low, (char *) low + bytes - 1);
#else
    (void) low;
    (void) bytes;
    return 0;
#endif
}

static inline void fiber_sanitizer_stack_remove (unsigned id)
{
#if FIBER_VALGRIND
    VALGRIND_STACK_DEREGISTER (id);
#endif
    (void) id;
}

// Around raw reads and writes of stack memory that nothing runs on, which Valgrind takes for dead.
static inline void fiber_sanitizer_raw_begin (void)
{
#if FIBER_VALGRIND
    VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

static inline void fiber_sanitizer_raw_end (void)
{
#if FIBER_VALGRIND
    VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

// Whether Valgrind runs the program.
static inline int fiber_sanitizer_on_valgrind (void)
{
#if FIBER_VALGRIND
    return RUNNING_ON_VALGRIND != 0;
#else
    return 0;
#endif
}

#endif // FIBER_SANITIZER_H
