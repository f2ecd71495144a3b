// dt_random - seeded pseudo-random numbers (xoshiro256**).
//
// The only source of chance in pure code. Streams split by name, so that a draw more in one part
// does not shift the draws of another. Not for secrets.

#ifndef DT_RANDOM_H
#define DT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t state[4]; // never all zero
} dt_random_t;

// Seed a generator. Every seed is valid.
void dt_random_init (dt_random_t *self, uint64_t seed);

// Seed a generator from a seed and a stream's name.
void dt_random_init_stream (dt_random_t *self, uint64_t seed, const char *stream);

// The next 64 bits.
uint64_t dt_random_next (dt_random_t *self);

// A number in [0, bound); bound must not be 0.
uint64_t dt_random_below (dt_random_t *self, uint64_t bound);

// A number in [low, high], both included.
uint64_t dt_random_between (dt_random_t *self, uint64_t low, uint64_t high);

// True with a probability of numerator / denominator.
bool dt_random_chance (dt_random_t *self, uint64_t numerator, uint64_t denominator);

#endif // DT_RANDOM_H
