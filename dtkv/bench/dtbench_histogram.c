#include "dtkv/bench/dtbench_histogram.h"

uint64_t dtbench_histogram_bucket_end (uint32_t bucket)
{
    uint32_t half = 1u << DTBENCH_HISTOGRAM_SPLIT;
    if (bucket < 2 * half) {
        return bucket;
    }
    uint32_t shift = (bucket >> DTBENCH_HISTOGRAM_SPLIT) - 1;
    uint64_t mantissa = bucket - (shift << DTBENCH_HISTOGRAM_SPLIT);
    return ((mantissa + 1) << shift) - 1;
}

uint64_t dtbench_histogram_quantile (const dtbench_histogram_t *self, double share)
{
    if (self->count == 0) {
        return 0;
    }
    uint64_t rank = (uint64_t) (share * (double) self->count);
    rank = rank < self->count ? rank : self->count - 1;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < DTBENCH_HISTOGRAM_BUCKETS; i++) {
        seen += self->buckets[i];
        if (seen > rank) {
            uint64_t end = dtbench_histogram_bucket_end (i);
            return end < self->max ? end : self->max;
        }
    }
    return self->max;
}

void dtbench_histogram_merge (dtbench_histogram_t *self, const dtbench_histogram_t *other)
{
    self->count += other->count;
    self->sum += other->sum;
    self->max = other->max > self->max ? other->max : self->max;
    for (uint32_t i = 0; i < DTBENCH_HISTOGRAM_BUCKETS; i++) {
        self->buckets[i] += other->buckets[i];
    }
}
