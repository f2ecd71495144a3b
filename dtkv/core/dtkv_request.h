// dtkv_request - a request of the store, decoded from its body.
//
// One decoder serves the check before a request is proposed, reads and apply, so they agree. It
// believes nothing of the bytes.

#ifndef DTKV_REQUEST_H
#define DTKV_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "dtkv/core/dtkv_operation.h"
#include "dtkv/core/dtkv_path.h"
#include "transport/msgpack_cursor.h"

typedef struct {
    uint32_t flags;           // dtkv_flag_t
    dtkv_path_t path;         // checked
    dtkv_path_t to;           // move; checked
    int64_t delta;            // increment
    msgpack_slice_t value;    // put, compare_and_set; checked
    bool value_nil;           // compare_and_set: remove
    bool expect_absent;       // compare_and_set: the node must not exist
    uint32_t condition;       // compare_and_set: dtkv_condition_t
    msgpack_slice_t expected; // condition VALUE
    uint64_t number;          // expected version or index; session id; ttl in ms; get_at, diff:
                              // index
    uint64_t to_index;        // diff
    uint64_t items_max;       // list, clamped to the limit
    uint64_t bytes_max;       // list, clamped to the limit
    msgpack_slice_t after;    // list: checked; no bytes: from the start
    uint64_t wait_ms;         // lock
    uint64_t lease_ms;        // lock, lock_renew; 0: as long as the session, or as before
    uint64_t mode;            // lock: dtkv_lock_mode_t
    uint64_t permits;         // lock: of a semaphore
    uint16_t operation;       // guarded: the write
    msgpack_slice_t body;     // guarded: its body, checked
    msgpack_cursor_t items;   // of a batch, or guards: at the first, ends behind the last;
                              // transaction: its conditions and branches
    uint32_t item_count;      // of a batch, guards
    bool writes;              // transaction
} dtkv_request_t;

// Decode the body of an operation. 0, or the code to answer: CLIENT_REQ_ERROR for what is not of
// the operation's form (and for an unknown operation), else what is wrong with key, value, cursor,
// ttl or number of items. Slices point into body.
int dtkv_request_decode (dtkv_request_t *self, uint16_t operation, const void *body, size_t bytes,
                         const dtkv_limits_t *limits);

// Read the next item of a batch: its path, and its value if the operation has one. Codes as above;
// the cursor has moved behind the item in any case.
int dtkv_request_item (dtkv_request_t *self, bool with_value, dtkv_path_t *path,
                       msgpack_slice_t *value, const dtkv_limits_t *limits);

// Read the next guard: a lock's path and a token.
void dtkv_request_guard (dtkv_request_t *self, msgpack_slice_t *path, uint64_t *token);

#endif // DTKV_REQUEST_H
