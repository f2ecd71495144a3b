// dt_hash - fast 64-bit hash of bytes (XXH3).
//
// Not cryptographic. A table whose keys come from clients takes a secret seed.

#ifndef DT_HASH_H
#define DT_HASH_H

#include <stddef.h>
#include <stdint.h>

// Hash the bytes of data under a seed. The value for a seed is the same on every machine.
uint64_t dt_hash64 (const void *data, size_t bytes, uint64_t seed);

// Mix one 64-bit word so that every bit of the result depends on every bit of it.
static inline uint64_t dt_hash_mix (uint64_t word)
{
    word ^= word >> 30;
    word *= 0xbf58476d1ce4e5b9ULL;
    word ^= word >> 27;
    word *= 0x94d049bb133111ebULL;
    return word ^ (word >> 31);
}

#endif // DT_HASH_H
