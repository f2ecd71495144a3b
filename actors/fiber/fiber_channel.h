// fiber_channel - a bounded queue of pointers between the fibers of one dispatcher.

#ifndef FIBER_CHANNEL_H
#define FIBER_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

typedef struct fiber_channel fiber_channel_t;

// Create a channel for at most capacity items (0: no bound, the producers bound themselves).
fiber_channel_t *fiber_channel_new (const char *name, size_t capacity);

// Destroy an empty channel nobody waits on (asserted). Accepts NULL.
void fiber_channel_destroy (fiber_channel_t **self_p);

// Put an item (not NULL) in. DT_ERR_BUSY: full. DT_ERR_CLOSED: closed. The item stays the caller's
// on error.
int fiber_channel_offer (fiber_channel_t *self, void *item);

// Take the oldest item out, waiting for one. DT_ERR_CLOSED: closed and empty. Errors of fiber.h.
int fiber_channel_take (fiber_channel_t *self, void **item, int64_t deadline_ns);

// The same without waiting. DT_ERR_AGAIN: empty.
int fiber_channel_try_take (fiber_channel_t *self, void **item);

// Refuse further offers; takers get what is in, then DT_ERR_CLOSED.
void fiber_channel_close (fiber_channel_t *self);

size_t fiber_channel_count (const fiber_channel_t *self);

#endif // FIBER_CHANNEL_H
