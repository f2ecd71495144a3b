// storage_bytes - little-endian words in files, at any alignment.

#ifndef STORAGE_BYTES_H
#define STORAGE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void bytes_put_u32 (uint8_t *to, uint32_t word)
{
    word = htole32 (word);
    memcpy (to, &word, sizeof word);
}

static inline void bytes_put_u64 (uint8_t *to, uint64_t word)
{
    word = htole64 (word);
    memcpy (to, &word, sizeof word);
}

static inline uint32_t bytes_get_u32 (const uint8_t *from)
{
    uint32_t word;
    memcpy (&word, from, sizeof word);
    return le32toh (word);
}

static inline uint64_t bytes_get_u64 (const uint8_t *from)
{
    uint64_t word;
    memcpy (&word, from, sizeof word);
    return le64toh (word);
}

#endif // STORAGE_BYTES_H
