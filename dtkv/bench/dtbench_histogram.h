// dtbench_histogram - latencies in buckets of constant relative width.
//
// Values up to 2^6 have a bucket each; above, every power of two is split into 2^6 buckets, so that
// a quantile is at most 1.6 % above the true value. Values are nanoseconds; those over about
// 18 minutes count as that.

#ifndef DTBENCH_HISTOGRAM_H
#define DTBENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    DTBENCH_HISTOGRAM_SPLIT = 6,
    DTBENCH_HISTOGRAM_BUCKETS = (40 - DTBENCH_HISTOGRAM_SPLIT + 1) << DTBENCH_HISTOGRAM_SPLIT,
};

typedef struct {
    uint64_t count;
    uint64_t sum;
    uint64_t max;
    uint64_t buckets[DTBENCH_HISTOGRAM_BUCKETS];
} dtbench_histogram_t;

static inline uint32_t dtbench_histogram_bucket (uint64_t value)
{
    if (value >= 1ULL << 40) {
        value = (1ULL << 40) - 1;
    }
    if (value < 1u << DTBENCH_HISTOGRAM_SPLIT) {
        return (uint32_t) value;
    }
    uint32_t shift = (uint32_t) (63 - __builtin_clzll (value)) - DTBENCH_HISTOGRAM_SPLIT;
    return (shift << DTBENCH_HISTOGRAM_SPLIT) + (uint32_t) (value >> shift);
}

static inline void dtbench_histogram_add (dtbench_histogram_t *self, uint64_t value)
{
    self->count++;
    self->sum += value;
    if (value > self->max) {
        self->max = value;
    }
    self->buckets[dtbench_histogram_bucket (value)]++;
}

// The largest value of a bucket.
uint64_t dtbench_histogram_bucket_end (uint32_t bucket);

// The value that a share of the values (0 .. 1) does not exceed; 0 when empty.
uint64_t dtbench_histogram_quantile (const dtbench_histogram_t *self, double share);

// Add another one's values.
void dtbench_histogram_merge (dtbench_histogram_t *self, const dtbench_histogram_t *other);

#endif // DTBENCH_HISTOGRAM_H
