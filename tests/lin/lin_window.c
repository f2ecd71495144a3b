#include "tests/lin/lin_window.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_memory.h"

enum { THIN_MAX = 400 }; // operations among which needless ones are looked for one by one

// What was known at a moment: answers that came later are unknown, later calls not there.
static size_t s_until (const lin_key_op_t *ops, size_t count, uint64_t moment, lin_key_op_t *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool later = ops[i].ret > moment;
        if (ops[i].call > moment || (later && ops[i].kind == LIN_GET)) {
            continue;
        }
        out[kept] = ops[i];
        if (later) {
            out[kept].ret = LIN_NEVER;
            out[kept].outcome = LIN_UNKNOWN;
        }
        kept++;
    }
    return kept;
}

// What was called from a moment on. A write under way then may have been taken before or not:
// unknown.
static size_t s_from (const lin_key_op_t *ops, size_t count, uint64_t moment, lin_key_op_t *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool under_way = ops[i].call < moment;
        if (ops[i].ret < moment || (under_way && ops[i].kind == LIN_GET)) {
            continue;
        }
        out[kept] = ops[i];
        if (under_way) {
            out[kept].ret = LIN_NEVER;
            out[kept].outcome = LIN_UNKNOWN;
        }
        kept++;
    }
    return kept;
}

static int s_compare (const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return x < y ? -1 : x > y;
}

typedef size_t (s_cut_t) (const lin_key_op_t *ops, size_t count, uint64_t moment,
                          lin_key_op_t *out);

// Of the sorted moments, the first (or, with `last`, the last) at which the cut is bad; `otherwise`
// if none is.
static uint64_t s_find (const lin_key_op_t *ops, size_t count, const uint64_t *moments, size_t used,
                        s_cut_t *cut, bool last, const lin_wgl_limits_t *limits, uint64_t otherwise)
{
    lin_key_op_t *part = dt_zalloc (count + 1, sizeof *part);
    size_t low = 0, high = used;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        size_t kept = cut (ops, count, moments[middle], part);
        bool bad = lin_wgl (part, kept, limits) == LIN_BAD;
        if (bad) {
            otherwise = moments[middle];
        }
        if (bad == last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    free (part);
    return otherwise;
}

static size_t s_cut_in_place (lin_key_op_t *ops, size_t count, s_cut_t *cut, uint64_t moment)
{
    lin_key_op_t *part = dt_zalloc (count + 1, sizeof *part);
    size_t kept = cut (ops, count, moment, part);
    memcpy (ops, part, kept * sizeof *ops);
    free (part);
    return kept;
}

// Drop what answers only observe, one by one, as long as the rest is bad without it. A write stays:
// without it others would lack their cause.
static size_t s_thin (lin_key_op_t *ops, size_t count, const lin_wgl_limits_t *limits)
{
    for (size_t i = count; i-- > 0 && count <= THIN_MAX;) {
        bool observes = ops[i].kind == LIN_GET || ops[i].outcome == LIN_MISMATCH ||
                        ops[i].outcome == LIN_ABSENT;
        if (!observes) {
            continue;
        }
        lin_key_op_t dropped = ops[i];
        memmove (ops + i, ops + i + 1, (count - i - 1) * sizeof *ops);
        if (lin_wgl (ops, count - 1, limits) == LIN_BAD) {
            count--;
        } else {
            memmove (ops + i + 1, ops + i, (count - i - 1) * sizeof *ops);
            ops[i] = dropped;
        }
    }
    return count;
}

size_t lin_window (lin_key_op_t *ops, size_t count, const lin_wgl_limits_t *limits, bool *from_any)
{
    uint64_t *moments = dt_zalloc (count + 1, sizeof *moments);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (ops[i].ret != LIN_NEVER) {
            moments[used++] = ops[i].ret;
        }
    }
    qsort (moments, used, sizeof *moments, s_compare);
    uint64_t end = s_find (ops, count, moments, used, s_until, false, limits, LIN_NEVER - 1);
    count = s_cut_in_place (ops, count, s_until, end);

    lin_wgl_limits_t any = *limits;
    any.first_state = LIN_ANY_STATE;
    uint64_t start = s_find (ops, count, moments, used, s_from, true, &any, LIN_NEVER);
    *from_any = start != LIN_NEVER;
    if (*from_any) {
        count = s_cut_in_place (ops, count, s_from, start);
    }
    free (moments);
    return s_thin (ops, count, *from_any ? &any : limits);
}
