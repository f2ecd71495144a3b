// fiber_group - fibers that own their data together and end together.
//
// States: running -> stopping (stop requested, fibers see it and return) -> finished (the last
// non-daemon fiber ended, everything posted before was run; daemons are cancelled and drained).
// A running group stays so without fibers too: only a stop request lets it finish.

#ifndef FIBER_GROUP_H
#define FIBER_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/fiber/fiber.h"
#include "actors/fiber/fiber_condition.h"

typedef struct fiber_dispatcher fiber_dispatcher_t;

// Create a group; name is copied. On the dispatcher's thread, or before it runs.
// The dispatcher owns it; a group that never started a fiber finishes on its stop request.
fiber_group_t *fiber_group_new (fiber_dispatcher_t *dispatcher, const char *name);

// An essential group that fails (fiber_fatal) stops the whole dispatcher.
void fiber_group_set_essential (fiber_group_t *self, bool essential);

// Ask the group to stop. Idempotent. Any thread.
void fiber_group_request_stop (fiber_group_t *self);

bool fiber_group_stopping (const fiber_group_t *self); // any thread
bool fiber_group_finished (const fiber_group_t *self); // any thread

// Signalled (all) when the stop is requested.
fiber_condition_t *fiber_group_stop_condition (fiber_group_t *self);

// Run fn (argument) on the group's thread, in order of posting, outside of any fiber: it may start
// fibers, signal, offer and complete, but not wait. Any thread.
// 0: it will run, whatever happens. DT_ERR_CLOSED: refused, it will not: the group is finished, or
// about to (stopping, without fibers, and kept alive by nothing but an endless stream of posts).
int fiber_group_post (fiber_group_t *self, fiber_fn *fn, void *argument);

const char *fiber_group_name (const fiber_group_t *self);
fiber_dispatcher_t *fiber_group_dispatcher (const fiber_group_t *self);

#endif // FIBER_GROUP_H
