// fiber_internal - the structures behind the headers, for the files of this folder only.
//
// Who owns what: the dispatcher owns groups (until it is destroyed), fiber structures and stacks
// (pooled); a group owns its live fibers. Everything belongs to the dispatcher's thread but the
// fields marked "lock" (fiber_dispatcher.lock) and the atomics.
//
// States of a fiber:
//
//   READY --picked--> RUNNING --wait--> WAITING --woken, due, cancelled, interrupted--> READY
//     ^                 |  |  --park--> PARKED  --fiber_unpark--> READY
//     +----- yield -----+  +--return--> ENDED (memory stays while held)

#ifndef FIBER_INTERNAL_H
#define FIBER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "actors/fiber/fiber.h"
#include "actors/fiber/fiber_backend.h"
#include "actors/fiber/fiber_condition.h"
#include "actors/fiber/fiber_dispatcher.h"
#include "actors/fiber/fiber_group.h"
#include "actors/fiber/fiber_queue.h"
#include "actors/fiber/fiber_sanitizer.h"
#include "actors/fiber/fiber_stack.h"
#include "actors/fiber/fiber_switch.h"
#include "actors/fiber/fiber_timer.h"

#define FIBER_NAME_BYTES 40

typedef enum {
    FIBER_READY,
    FIBER_RUNNING,
    FIBER_WAITING,
    FIBER_PARKED,
    FIBER_ENDED,
} fiber_state_t;

// Fibers that wait for one thing, oldest first.
typedef struct fiber_waiter fiber_waiter_t;
typedef struct {
    fiber_waiter_t *first;
    fiber_waiter_t *last;
} fiber_waiters_t;

// One fiber in one list; stands on the waiting fiber's stack.
struct fiber_waiter {
    fiber_t *fiber;
    fiber_waiters_t *list;
    fiber_waiter_t *next;
    fiber_waiter_t *previous;
};

// A stack that can be switched to: a fiber's or the thread's.
typedef struct {
    fiber_context_t context;
    fiber_sanitizer_t sanitizer;
} fiber_frame_t;

typedef struct {
    fiber_fn *fn;
    void *argument;
} fiber_call_t;

struct fiber {
    fiber_frame_t frame;
    fiber_dispatcher_t *dispatcher;
    fiber_stack_t *stack; // NULL once ended
    fiber_state_t state;
    int wait_rc;         // what the wait returns
    uint64_t round;      // the round that wakes counts for
    unsigned wakes;      // times made ready in it
    unsigned budget;     // at most so many
    fiber_timer_t timer; // deadline of the wait
    fiber_waiter_t *waiters;
    size_t waiter_count;   // lists it stands in
    const char *wait_kind; // what it waits for, for the census
    const char *wait_name;
    int64_t wait_since_ns;
    bool unguarded; // the stack has a canary only
    bool daemon;
    bool cancelled;
    bool interrupted; // the next wait is
    bool in_cleanup;  // running cleanups: must not wait
    fiber_group_t *group;
    fiber_t *previous; // in the group's list of live fibers
    fiber_t *next;     // in it, or in the free list
    fiber_fn *fn;
    void *argument;
    fiber_call_t *cleanups; // owned, kept while pooled
    unsigned cleanup_count;
    unsigned cleanup_capacity;
    unsigned holds;
    fiber_waiters_t joiners;
    char *name; // name_text, or owned when too long for it
    char name_text[FIBER_NAME_BYTES];
};

struct fiber_condition {
    fiber_waiters_t waiters;
    char *name; // owned
};

struct fiber_group {
    fiber_dispatcher_t *dispatcher;
    char *name;
    fiber_group_t *next;       // in the dispatcher's list of all groups
    fiber_group_t *next_check; // in its list of groups that may be finished
    bool checking;             // is in that list
    bool essential;
    bool stop_applied;       // the stop condition was signalled
    atomic_bool stopping;    // written under lock
    atomic_bool finished;    // written under lock
    bool closed;             // lock: refuses posts
    uint64_t posted;         // lock: accepted
    uint64_t ran;            // posts that ran
    unsigned finish_refused; // times in a row that only posts kept it from finishing
    fiber_t *fibers;         // live, newest first
    size_t normal_count;
    size_t daemon_count;
    fiber_condition_t *stop_condition;
};

typedef struct {
    fiber_group_t *group;
    fiber_call_t call;
} fiber_post_t;

typedef struct {
    fiber_post_t *items;
    size_t count;
    size_t capacity;
} fiber_posts_t;

struct fiber_dispatcher {
    fiber_frame_t frame; // the thread's own stack, running the loop
    fiber_t *current;    // running fiber
    fiber_backend_t *backend;
    fiber_queue_t ready;     // runs in this round
    fiber_queue_t next_head; // woken over budget: head of the next round
    fiber_queue_t next_tail; // and its tail
    uint64_t round;
    int64_t round_ns;
    unsigned starts; // fibers started in this round
    fiber_timers_t timers;
    fiber_t *ended;           // must leave its stack, to be reaped by the loop
    const fiber_call_t *call; // to be run on the thread's stack for the current fiber
    bool on_thread_stack;     // it is running
    bool in_turn;
    const void *owner;     // identity of the thread; NULL before the first turn
    fiber_group_t *groups; // all; written under lock
    fiber_group_t *check;  // may be finished
    size_t groups_live;
    size_t fibers_live;
    size_t structures_live; // fibers and held ended ones
    fiber_t *free_fibers;
    size_t free_fibers_count;
    fiber_stacks_t *stacks;
    size_t stack_bytes;
    size_t stack_peak;
    int failure; // of the first essential group that failed
    const dt_env_t *env;
    char *name;
    fiber_posts_t running; // posts taken out

    // Shared with other threads; on lines of their own.
    _Alignas(64) pthread_mutex_t lock;
    fiber_posts_t posts;   // lock
    bool idle;             // lock: in, or about to enter, a blocking wait
    bool stop_unapplied;   // lock: some group's stop flag was set by another thread
    atomic_bool attention; // posts or stop_unapplied are set
    atomic_bool stop_requested;
    atomic_uint_fast64_t rounds;
};

// The dispatcher whose turn runs on this thread; NULL outside.
extern __thread fiber_dispatcher_t *fiber_dispatcher_current;

// fiber_self, inline.
static inline fiber_t *fiber_running (void)
{
    return fiber_dispatcher_current ? fiber_dispatcher_current->current : NULL;
}

// fiber_wait.c: suspension.

// The running fiber's pending interrupt or cancellation, consumed: 0 or the wait's result.
int fiber_wait_pending (fiber_t *self);

// Suspend the running fiber until a wake through one of the lists, an interrupt or the deadline.
// waiters: count of them, uninitialised but for .list; on the caller's stack.
int fiber_wait (fiber_waiter_t *waiters, size_t count, int64_t deadline_ns, const char *kind,
                const char *name);

// fiber_wait on a single list.
int fiber_wait_one (fiber_waiters_t *list, int64_t deadline_ns, const char *kind, const char *name);

// Suspend the running fiber until fiber_unpark; neither interrupts nor cancellation end it.
void fiber_park (const char *kind, const char *name);
void fiber_unpark (fiber_t *self);

// End a WAITING fiber's wait with rc.
void fiber_wake (fiber_t *self, int rc, bool at_head);

// Wake the oldest waiter / all, keeping their order.
void fiber_waiters_wake_one (fiber_waiters_t *self, bool at_head);
void fiber_waiters_wake_all (fiber_waiters_t *self);

// Put a fiber into the ready queues, counting its budget.
void fiber_make_ready (fiber_t *self, bool at_head);

// Leave the running fiber, whose state was changed, for the next ready one or for the loop.
void fiber_suspend (fiber_t *self);

// Take in what waited for this round / count the round and what follows for the next one.
void fiber_dispatcher_begin_round (fiber_dispatcher_t *self);
void fiber_dispatcher_end_round (fiber_dispatcher_t *self);

// Run ready fibers until none is left in this round.
void fiber_dispatcher_run_ready (fiber_dispatcher_t *self);

// Leave one stack for another.
void fiber_frame_switch (fiber_frame_t *from, fiber_frame_t *to, int ending);

// fiber.c

// Free an ended fiber's stack and, if nobody holds it, its structure. On the thread's stack.
void fiber_reap (fiber_t *self);

// Free the pooled structures.
void fiber_pool_clear (fiber_dispatcher_t *self);

// fiber_group.c

// Have the group looked at, at the end of the round, whether it is finished.
void fiber_group_check_later (fiber_group_t *self);

// Look: cancel daemons, finish.
void fiber_group_check (fiber_group_t *self);

// Signal the stop condition if the stop flag is set.
void fiber_group_apply_stop (fiber_group_t *self);

void fiber_group_destroy (fiber_group_t **self_p);

// fiber_dispatcher.c

// Assert that the calling thread may touch the dispatcher's state.
void fiber_dispatcher_check_thread (const fiber_dispatcher_t *self);
bool fiber_dispatcher_on_thread (const fiber_dispatcher_t *self);

// With the lock held: let the dispatcher look at posts and stop flags soon.
void fiber_dispatcher_attend (fiber_dispatcher_t *self);

// An essential group failed.
void fiber_dispatcher_fail (fiber_dispatcher_t *self, int rc);

// fiber_guard.c

// Let this thread survive a stack overflow long enough to report it. Once per thread.
void fiber_guard_install (void);

// Report the overflow of an unguarded stack and abort.
void fiber_guard_canary_died (const fiber_t *self) __attribute__ ((noreturn, cold));

#endif // FIBER_INTERNAL_H
