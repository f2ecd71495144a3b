// dtkv_transaction - the form of a transaction's body: conditions, and the operations of two
// branches (docs/PROTOCOL.md section 4).
//
// Carrying one out is dtkv_transaction (dtkv_ops.h).

#ifndef DTKV_TRANSACTION_H
#define DTKV_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>

#include "dtkv/core/dtkv_limits.h"
#include "transport/msgpack_cursor.h"

// Read over the conditions, the operations and, if `has_else`, those of the other branch. What is
// not of the form, or no operation a transaction takes, fails the cursor. Returns 0 or what is
// wrong with the content: a condition's path, or too many items. Operations with a wrong path or
// value are well-formed; they fail when they are carried out. *writes: one of them is a write.
int dtkv_transaction_scan (msgpack_cursor_t *cursor, bool has_else, const dtkv_limits_t *limits,
                           bool *writes);

// Does the transaction of that body write? As cheaply as can be; true if it cannot be told.
bool dtkv_transaction_writes (const void *body, size_t bytes);

#endif // DTKV_TRANSACTION_H
