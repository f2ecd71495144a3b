// fake_store - the few lines of a tree that tests of the client need.
//
// Keys are flat: a path is there or not, directories are what was made by mkdir. Answers have the
// form docs/PROTOCOL.md gives them. Sessions keep their replies by number.

#ifndef FAKE_STORE_H
#define FAKE_STORE_H

#include "base/dt_buffer.h"
#include "transport/protocol_request.h"

typedef struct fake_store fake_store_t;

// Sessions of stores with different numbers have different ids.
fake_store_t *fake_store_new (uint32_t number);
void fake_store_destroy (fake_store_t **self_p);

// Carry out one request: appends the reply's body, returns its code, sets *index.
uint32_t fake_store_do (fake_store_t *self, const protocol_request_t *request, dt_buffer_t *body,
                        uint64_t *index);

// How many writes were carried out: retries answered from a session do not count.
uint64_t fake_store_writes (const fake_store_t *self);

// Forget all sessions, as if they had expired.
void fake_store_expire_sessions (fake_store_t *self);

#endif // FAKE_STORE_H
