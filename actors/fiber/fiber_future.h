// fiber_future - a result that arrives later, once.
//
// Reference counted, so that the one who completes it may outlive the one who waits.

#ifndef FIBER_FUTURE_H
#define FIBER_FUTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/fiber/fiber.h"

typedef struct fiber_future fiber_future_t;

// Create a future with one reference.
fiber_future_t *fiber_future_new (fiber_group_t *group, const char *name);

// One reference more; one less (the pointer is nulled, NULL is accepted).
fiber_future_t *fiber_future_ref (fiber_future_t *self);
void fiber_future_unref (fiber_future_t **self_p);

// Complete it with rc and a value and wake the waiters. Later completions are ignored (false).
bool fiber_future_complete (fiber_future_t *self, int rc, void *value);

// The same from any thread. DT_ERR_CLOSED: the dispatcher refuses, nothing happened.
int fiber_future_post_complete (fiber_future_t *self, int rc, void *value);

bool fiber_future_done (const fiber_future_t *self);

// Wait for the completion. 0: *result and *value (each may be NULL) are set. Errors as in fiber.h.
int fiber_future_await (fiber_future_t *self, int64_t deadline_ns, int *result, void **value);

#endif // FIBER_FUTURE_H
