// dtkv_path - paths: segments joined by '.', none of them empty; the empty path is the root.
//
// Order: paths compare segment by segment, segments as bytes, a directory before what is below it.
// Written with every byte mapped by dtkv_path_sort_byte this is plain byte order.

#ifndef DTKV_PATH_H
#define DTKV_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_limits.h"

// A checked path in borrowed memory.
typedef struct {
    const uint8_t *data;
    uint32_t bytes;        // 0: the root
    uint32_t parent_bytes; // length of the parent's path; 0: the root is the parent
    uint32_t depth;        // segments
} dtkv_path_t;

// Check bytes and fill *self. 0, DTKV_KEY_TOO_LONG (bytes or segments over the limits) or
// DTKV_INVALID_KEY (an empty segment).
int dtkv_path_parse (dtkv_path_t *self, const uint8_t *data, size_t bytes,
                     const dtkv_limits_t *limits);

// The parent's path. The path must not be the root.
dtkv_path_t dtkv_path_parent (const dtkv_path_t *self);

// Offset and length of the last segment. The path must not be the root.
static inline uint32_t dtkv_path_name_offset (const dtkv_path_t *self)
{
    return self->parent_bytes ? self->parent_bytes + 1 : 0;
}

static inline const uint8_t *dtkv_path_name (const dtkv_path_t *self)
{
    return self->data + dtkv_path_name_offset (self);
}

static inline uint32_t dtkv_path_name_bytes (const dtkv_path_t *self)
{
    return self->bytes - dtkv_path_name_offset (self);
}

// Append the path with bytes mapped so that byte order is the order of paths: '.' becomes 0, the
// bytes below it move up by one, the others stay.
void dtkv_path_sort_key (const uint8_t *data, size_t bytes, dt_buffer_t *key);

// The inverse of one mapped byte.
static inline uint8_t dtkv_path_unsort_byte (uint8_t byte)
{
    return byte == 0 ? '.' : byte <= '.' ? (uint8_t) (byte - 1) : byte;
}

static inline uint8_t dtkv_path_sort_byte (uint8_t byte)
{
    return byte == '.' ? 0 : byte < '.' ? (uint8_t) (byte + 1) : byte;
}

// Compare two paths in their order: < 0, 0, > 0.
int dtkv_path_compare (const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes);

// Is a path that of `top` or of something below it?
static inline bool dtkv_path_is_below (const uint8_t *path, size_t bytes, const uint8_t *top,
                                       size_t top_bytes)
{
    return top_bytes == 0 || (bytes >= top_bytes && memcmp (path, top, top_bytes) == 0 &&
                              (bytes == top_bytes || path[top_bytes] == '.'));
}

// Compare two runs of bytes: < 0, 0, > 0.
static inline int dtkv_bytes_compare (const uint8_t *a, size_t a_bytes, const uint8_t *b,
                                      size_t b_bytes)
{
    size_t common = a_bytes < b_bytes ? a_bytes : b_bytes;
    int order = common ? memcmp (a, b, common) : 0;
    return order ? order : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

#endif // DTKV_PATH_H
