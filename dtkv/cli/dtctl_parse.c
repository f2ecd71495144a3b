#include "dtkv/cli/dtctl_parse.h"

#include <stddef.h>
#include <string.h>

#include "base/dt_error.h"

typedef struct {
    const char *name;
    uint64_t factor;
} s_unit_t;

static const s_unit_t s_durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {NULL, 0},
};

static const s_unit_t s_sizes[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1ull << 10},
    {"MiB", 1ull << 20},
    {"GiB", 1ull << 30},
    {"TiB", 1ull << 40},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {"TB", 1000000000000},
    {NULL, 0},
};

// Read digits and move *text behind them. DT_ERR_INVALID: no digit, or over max.
static int s_digits (const char **text, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    const char *place = *text;
    for (; *place >= '0' && *place <= '9'; place++) {
        uint64_t digit = (uint64_t) (*place - '0');
        if (value > (max - digit) / 10 || digit > max) {
            return DT_ERR_INVALID;
        }
        value = value * 10 + digit;
    }
    if (place == *text) {
        return DT_ERR_INVALID;
    }
    *text = place;
    *number = value;
    return 0;
}

int dtctl_parse_number (const char *text, uint64_t max, uint64_t *number)
{
    uint64_t value;
    int rc = s_digits (&text, max, &value);
    if (rc != 0 || *text) {
        return DT_ERR_INVALID;
    }
    *number = value;
    return 0;
}

static int s_quantity (const char *text, const s_unit_t *units, uint64_t *result)
{
    uint64_t whole;
    uint64_t fraction = 0;
    uint64_t scale = 1;
    int rc = s_digits (&text, UINT64_MAX, &whole);
    if (rc == 0 && *text == '.') {
        const char *start = ++text;
        rc = s_digits (&text, 999999, &fraction);
        for (const char *place = start; place < text; place++) {
            scale *= 10;
        }
        // Leading zeros must not grow the scale without bound.
        rc = text - start > 6 ? DT_ERR_INVALID : rc;
    }
    if (rc != 0) {
        return DT_ERR_INVALID;
    }
    for (; units->name; units++) {
        if (strcmp (text, units->name) == 0) {
            uint64_t value;
            uint64_t part;
            if (__builtin_mul_overflow (whole, units->factor, &value) ||
                __builtin_mul_overflow (fraction, units->factor, &part) ||
                __builtin_add_overflow (value, part / scale, &value)) {
                return DT_ERR_INVALID;
            }
            *result = value;
            return 0;
        }
    }
    return DT_ERR_INVALID;
}

int dtctl_parse_duration (const char *text, uint64_t *duration_ms)
{
    if (strcmp (text, "0") == 0) {
        *duration_ms = 0;
        return 0;
    }
    return s_quantity (text, s_durations, duration_ms);
}

int dtctl_parse_size (const char *text, uint64_t *bytes)
{
    return s_quantity (text, s_sizes, bytes);
}
