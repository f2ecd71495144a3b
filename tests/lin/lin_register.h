// lin_register - the zone test for registers whose values are unique (Gibbons & Korach 1997).
//
// All operations on one value, its write and its reads, must stand together in any order that
// explains the history. zone(v) reaches between the first return and the last call of them: forward
// when the return comes first (v is there all that time), else backward (v is there at some moment
// inside). Bad is a read that returns before its write is called, a read of a value nobody wrote,
// two forward zones that overlap, a backward zone inside a forward one (LIN-1 c). O(n log n).

#ifndef LIN_REGISTER_H
#define LIN_REGISTER_H

#include "tests/lin/lin_wgl.h"

// Does the test apply: only gets and puts? What puts answered is not looked at.
bool lin_register_applies (const lin_key_op_t *ops, size_t count);

// LIN_GOOD or LIN_BAD.
lin_verdict_t lin_register (const lin_key_op_t *ops, size_t count);

#endif // LIN_REGISTER_H
