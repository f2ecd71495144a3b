// lin_window - the few operations on a key that show by themselves that its history is bad.
//
// The answers up to the first that cannot be explained (what was under way then counts as unknown),
// from the latest moment on where it still cannot be explained whatever the key was before, without
// the answers that are not needed for that.

#ifndef LIN_WINDOW_H
#define LIN_WINDOW_H

#include "tests/lin/lin_wgl.h"

// Reduce ops, of which lin_wgl says LIN_BAD within the limits, in place; returns how many are left.
// What is left is still bad: beginning with key absent, or, if *from_any, whatever it was.
size_t lin_window (lin_key_op_t *ops, size_t count, const lin_wgl_limits_t *limits, bool *from_any);

#endif // LIN_WINDOW_H
