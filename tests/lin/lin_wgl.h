// lin_wgl - is there an order of the operations on one key that explains every answer?
//
// Wing & Gong 1993 with Lowe's memory of what was tried (2017): calls and returns in a list, in
// order of time with calls before returns, since an interval holds both its ends. An operation
// whose call comes before the first return left may be next; it is lifted out when its answer fits
// the state. Configurations (set of operations done, state) that led nowhere are remembered
// exactly, not by hash alone. No recursion; knows nothing of indexes (LIN-1 b, LIN-2).
//
// What fits and changes nothing, as a get, is taken at once and never taken back on its own.
// Operations that never returned need not be taken (LIN-3); one that nobody could tell from not
// being there is not even looked at.

#ifndef LIN_WGL_H
#define LIN_WGL_H

#include "tests/lin/lin_key.h"

typedef enum { LIN_GOOD, LIN_BAD, LIN_UNDECIDED } lin_verdict_t;

typedef struct {
    size_t memory_bytes_max; // of remembered configurations
    uint64_t steps_max;      // operations tried
    uint64_t first_state;    // 0, or LIN_ANY_STATE
} lin_wgl_limits_t;

// 256 MiB, 200 000 000 steps, absent.
void lin_wgl_limits_init (lin_wgl_limits_t *limits);

// ops in the order of their calls. LIN_UNDECIDED: a limit was reached.
lin_verdict_t lin_wgl (const lin_key_op_t *ops, size_t count, const lin_wgl_limits_t *limits);

#endif // LIN_WGL_H
