// fiber - a stackful thread of execution inside one dispatcher.
//
// Life: fiber_start makes it ready; its function runs on its own stack, suspends in the waits below
// and ends by returning. It belongs to one group for ever, and a group to one dispatcher, hence to
// one OS thread. All functions here are called on that thread; where "any thread" is allowed, the
// comment says so. Every wait takes an absolute deadline on the dispatcher's clock, last
// (FIBER_FOREVER: none), and returns
//
//   0                    what was waited for happened
//   DT_ERR_TIMEOUT       the deadline passed first
//   DT_ERR_INTERRUPTED   fiber_interrupt; the wait was given up, the fiber goes on
//   DT_ERR_CANCELLED     fiber_cancel; every further wait returns this at once, so the function
//                        can only clean up and return
//
// Nothing checked before a wait may be assumed after it.

#ifndef FIBER_H
#define FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fiber fiber_t;
typedef struct fiber_group fiber_group_t;

#define FIBER_FOREVER INT64_MAX

typedef void (fiber_fn) (void *argument);

typedef struct {
    bool daemon;     // does not keep its stopping group alive: cancelled when only daemons are left
    unsigned budget; // wake-ups per dispatcher round before it waits for the next; 0: 1
    size_t stack_bytes; // usable stack; 0: the dispatcher's default
} fiber_options_t;

// Create a fiber and make it ready; it runs for the first time after the caller suspends.
// name is copied. options may be NULL. The fiber frees itself when it has ended and nobody joins
// it; the pointer is valid until then. NULL: the group is finished or out of stacks.
fiber_t *fiber_start (fiber_group_t *group, const char *name, fiber_fn *fn, void *argument,
                      const fiber_options_t *options);

// The running fiber; NULL outside of any.
fiber_t *fiber_self (void);

// Its name and group.
const char *fiber_name (const fiber_t *self);
fiber_group_t *fiber_group_of (const fiber_t *self);

// The dispatcher's clock in nanoseconds, read now (not cached).
int64_t fiber_now_ns (void);

// Let every other ready fiber of the group run first (goes to the next round). Not a cancellation
// point: always succeeds.
void fiber_yield (void);

// Sleep until the deadline. 0 when it passed.
int fiber_sleep_until (int64_t deadline_ns);

// Sleep until the deadline or the group's stop request, whichever is first. DT_ERR_CLOSED: the stop
// was requested (at once, after a yield, if it was before).
int fiber_sleep_unless_stopping (int64_t deadline_ns);

// Wait until the fiber has ended. Not self. The fiber stays joinable only while fiber_hold keeps
// it.
int fiber_join (fiber_t *self, int64_t deadline_ns);

// Keep the fiber's memory after its end until fiber_release, so that it can be joined.
void fiber_hold (fiber_t *self);
void fiber_release (fiber_t **self_p);

// Make the fiber's current wait, or its next one, return DT_ERR_INTERRUPTED once.
void fiber_interrupt (fiber_t *self);

// Make its current and all later waits return DT_ERR_CANCELLED.
void fiber_cancel (fiber_t *self);
bool fiber_cancelled (const fiber_t *self);

// Push a function that runs when the running fiber ends before fiber_cleanup_pop, newest first.
// It must not wait (asserted).
void fiber_cleanup_push (fiber_fn *fn, void *argument);

// Take the newest cleanup back; run: call it now.
void fiber_cleanup_pop (bool run);

// Report an error that the fiber's group cannot survive: the group is asked to stop, and
// fiber_dispatcher_run returns rc if the group was marked essential. Logged with fiber and group.
void fiber_fatal (int rc, const char *why);

// A section in which the running fiber must not be suspended: a lock is held, or a socket is in the
// middle of a message. Sections nest; a wait or yield inside asserts.
void fiber_no_yield_begin (void);
void fiber_no_yield_end (void);

// Run fn (argument) on the thread's own big stack, from a fiber: for calls with deep stacks
// (printf family, getaddrinfo, qsort of unknown depth). fn must not wait.
void fiber_on_thread_stack (fiber_fn *fn, void *argument);

#endif // FIBER_H
