#include "base/dt_random.h"

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"

static uint64_t s_rotate (uint64_t word, int bits)
{
    return (word << bits) | (word >> (64 - bits));
}

void dt_random_init (dt_random_t *self, uint64_t seed)
{
    // splitmix64 fills the state, as the authors of xoshiro advise.
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15ULL;
        self->state[i] = dt_hash_mix (seed);
    }
}

void dt_random_init_stream (dt_random_t *self, uint64_t seed, const char *stream)
{
    dt_random_init (self, dt_hash64 (stream, strlen (stream), seed));
}

uint64_t dt_random_next (dt_random_t *self)
{
    uint64_t *s = self->state;
    uint64_t result = s_rotate (s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s_rotate (s[3], 45);
    return result;
}

uint64_t dt_random_below (dt_random_t *self, uint64_t bound)
{
    dt_assert (bound > 0);
    // Reject the low remainder, so that every value is equally likely.
    uint64_t threshold = -bound % bound;
    uint64_t word;
    do {
        word = dt_random_next (self);
    } while (word < threshold);
    return word % bound;
}

uint64_t dt_random_between (dt_random_t *self, uint64_t low, uint64_t high)
{
    dt_assert (low <= high);
    if (high - low == UINT64_MAX) {
        return dt_random_next (self);
    }
    return low + dt_random_below (self, high - low + 1);
}

bool dt_random_chance (dt_random_t *self, uint64_t numerator, uint64_t denominator)
{
    return dt_random_below (self, denominator) < numerator;
}
