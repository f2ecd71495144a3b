#include "dtkv/core/dtkv_path.h"

#include <string.h>

#include "base/dt_assert.h"
#include "dtkv/core/dtkv_result.h"

int dtkv_path_parse (dtkv_path_t *self, const uint8_t *data, size_t bytes,
                     const dtkv_limits_t *limits)
{
    *self = (dtkv_path_t){.data = data, .bytes = (uint32_t) bytes};
    if (bytes == 0) {
        return 0;
    }
    if (bytes > limits->key_bytes_max) {
        return DTKV_KEY_TOO_LONG;
    }
    const uint8_t *place = data;
    const uint8_t *end = data + bytes;
    for (;;) {
        const uint8_t *dot = memchr (place, '.', (size_t) (end - place));
        self->depth++;
        if (place == (dot ? dot : end)) {
            return DTKV_INVALID_KEY;
        }
        if (!dot) {
            break;
        }
        self->parent_bytes = (uint32_t) (dot - data);
        place = dot + 1;
    }
    return self->depth > limits->depth_max ? DTKV_KEY_TOO_LONG : 0;
}

dtkv_path_t dtkv_path_parent (const dtkv_path_t *self)
{
    dt_assert (self->bytes);
    dtkv_path_t parent = {.data = self->data, .bytes = self->parent_bytes};
    parent.depth = self->depth - 1;
    if (parent.bytes) {
        const uint8_t *dot = memrchr (parent.data, '.', parent.bytes);
        parent.parent_bytes = dot ? (uint32_t) (dot - parent.data) : 0;
    }
    return parent;
}

void dtkv_path_sort_key (const uint8_t *data, size_t bytes, dt_buffer_t *key)
{
    if (bytes == 0) {
        return;
    }
    uint8_t *place = dt_buffer_reserve (key, bytes);
    for (size_t i = 0; i < bytes; i++) {
        place[i] = dtkv_path_sort_byte (data[i]);
    }
    key->bytes += bytes;
}

int dtkv_path_compare (const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes)
{
    size_t common = a_bytes < b_bytes ? a_bytes : b_bytes;
    for (size_t i = 0; i < common; i++) {
        if (a[i] != b[i]) {
            return (int) dtkv_path_sort_byte (a[i]) - (int) dtkv_path_sort_byte (b[i]);
        }
    }
    return (a_bytes > b_bytes) - (a_bytes < b_bytes);
}
