#include "tests/lin/lin_register.h"

#include <stdlib.h>

#include "base/dt_memory.h"

// What is known about one value.
typedef struct {
    uint64_t value;
    bool written;
    uint64_t write_call;
    uint64_t first_return;
    uint64_t last_call;
    uint64_t first_read_return;
} s_zone_t;

bool lin_register_applies (const lin_key_op_t *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind != LIN_GET && ops[i].kind != LIN_PUT) {
            return false;
        }
    }
    return true;
}

static int s_by_value (const void *a, const void *b)
{
    const s_zone_t *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

static int s_by_start (const void *a, const void *b)
{
    const s_zone_t *x = a, *y = b;
    return x->first_return < y->first_return ? -1 : x->first_return > y->first_return;
}

// Times are shifted by one: absence was there before time 0.
static s_zone_t s_of_op (const lin_key_op_t *op)
{
    bool write = op->kind == LIN_PUT;
    uint64_t call = op->call + 1;
    uint64_t ret = op->ret == LIN_NEVER ? LIN_NEVER : op->ret + 1;
    return (s_zone_t){.value = op->value,
                      .written = write,
                      .write_call = write ? call : 0,
                      .first_return = ret,
                      .last_call = call,
                      .first_read_return = write ? LIN_NEVER : ret};
}

static void s_merge (s_zone_t *zone, const s_zone_t *other)
{
    if (other->written) {
        zone->written = true;
        zone->write_call = other->write_call;
    }
    if (other->first_return < zone->first_return) {
        zone->first_return = other->first_return;
    }
    if (other->last_call > zone->last_call) {
        zone->last_call = other->last_call;
    }
    if (other->first_read_return < zone->first_read_return) {
        zone->first_read_return = other->first_read_return;
    }
}

// One zone per value; returns how many.
static size_t s_zones (const lin_key_op_t *ops, size_t count, s_zone_t *zones)
{
    // Absent is a value too, written before anything else.
    size_t used = 1;
    zones[0] = (s_zone_t){.written = true, .first_read_return = LIN_NEVER};
    for (size_t i = 0; i < count; i++) {
        zones[used++] = s_of_op (&ops[i]);
    }
    qsort (zones, used, sizeof *zones, s_by_value);
    size_t kept = 0;
    for (size_t i = 1; i < used; i++) {
        if (zones[i].value == zones[kept].value) {
            s_merge (&zones[kept], &zones[i]);
        } else {
            zones[++kept] = zones[i];
        }
    }
    return kept + 1;
}

// The last forward zone that starts before a time, or NULL.
static const s_zone_t *s_before (const s_zone_t *forward, size_t count, uint64_t time)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (forward[middle].first_return < time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? &forward[low - 1] : NULL;
}

static bool s_is_forward (const s_zone_t *zone)
{
    return zone->first_return < zone->last_call;
}

static bool s_is_bad (s_zone_t *zones, size_t count)
{
    s_zone_t *forward = dt_zalloc (count, sizeof *forward);
    size_t forwards = 0;
    bool bad = false;
    for (size_t i = 0; i < count; i++) {
        bad |= !zones[i].written || zones[i].first_read_return < zones[i].write_call;
        if (s_is_forward (&zones[i])) {
            forward[forwards++] = zones[i];
        }
    }
    qsort (forward, forwards, sizeof *forward, s_by_start);
    for (size_t i = 1; i < forwards; i++) {
        bad |= forward[i].first_return < forward[i - 1].last_call;
    }
    for (size_t i = 0; i < count && !bad; i++) {
        const s_zone_t *around =
            s_is_forward (&zones[i]) ? NULL : s_before (forward, forwards, zones[i].last_call);
        bad = around && zones[i].first_return < around->last_call;
    }
    free (forward);
    return bad;
}

lin_verdict_t lin_register (const lin_key_op_t *ops, size_t count)
{
    s_zone_t *zones = dt_zalloc (count + 1, sizeof *zones);
    size_t zone_count = s_zones (ops, count, zones);
    bool bad = s_is_bad (zones, zone_count);
    free (zones);
    return bad ? LIN_BAD : LIN_GOOD;
}
