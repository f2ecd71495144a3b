#include "transport/msgpack_cursor.h"

#include "base/dt_assert.h"

// Read a big-endian number of 1, 2, 4 or 8 bytes; the caller checked that they are there.
static inline uint64_t s_number (const uint8_t *place, unsigned width)
{
    switch (width) {
    case 1:
        return place[0];
    case 2: {
        uint16_t word;
        memcpy (&word, place, sizeof word);
        return __builtin_bswap16 (word);
    }
    case 4: {
        uint32_t word;
        memcpy (&word, place, sizeof word);
        return __builtin_bswap32 (word);
    }
    default: {
        uint64_t word;
        memcpy (&word, place, sizeof word);
        return __builtin_bswap64 (word);
    }
    }
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "s_number swaps bytes");

// Read the number of `width` bytes behind the type byte; the caller checks rc.
static inline uint64_t s_take_number (msgpack_cursor_t *self, unsigned width)
{
    if (msgpack_cursor_left (self) < 1 + (size_t) width) {
        msgpack_cursor_fail (self);
        return 0;
    }
    uint64_t value = s_number (self->place + 1, width);
    self->place += 1 + width;
    return value;
}

msgpack_kind_t msgpack_cursor_kind (const msgpack_cursor_t *self)
{
    if (self->place == self->end) {
        return MSGPACK_KIND_NONE;
    }
    uint8_t type = *self->place;
    switch (type) {
    case 0x00 ... 0x7f:
    case 0xcc ... 0xcf:
        return MSGPACK_KIND_UINT;
    case 0x80 ... 0x8f:
    case 0xde ... 0xdf:
        return MSGPACK_KIND_MAP;
    case 0x90 ... 0x9f:
    case 0xdc ... 0xdd:
        return MSGPACK_KIND_ARRAY;
    case 0xa0 ... 0xbf:
    case 0xc4 ... 0xc6:
    case 0xd9 ... 0xdb:
        return MSGPACK_KIND_BYTES;
    case 0xc0:
        return MSGPACK_KIND_NIL;
    case 0xc2 ... 0xc3:
        return MSGPACK_KIND_BOOL;
    case 0xca ... 0xcb:
        return MSGPACK_KIND_FLOAT;
    case 0xd0 ... 0xd3: // the sign is the first bit of the number
        return msgpack_cursor_left (self) > 1 && self->place[1] < 0x80 ? MSGPACK_KIND_UINT
                                                                       : MSGPACK_KIND_NEGATIVE;
    case 0xe0 ... 0xff:
        return MSGPACK_KIND_NEGATIVE;
    default:
        return MSGPACK_KIND_NONE;
    }
}

uint64_t msgpack_cursor_uint_wide (msgpack_cursor_t *self)
{
    if (self->place < self->end) {
        uint8_t type = *self->place;
        if (type < 0x80) {
            self->place++;
            return type;
        }
        if (type >= 0xcc && type <= 0xcf) {
            return s_take_number (self, 1u << (type - 0xcc));
        }
        if (msgpack_cursor_kind (self) == MSGPACK_KIND_UINT) {
            return s_take_number (self, 1u << (type - 0xd0));
        }
    }
    msgpack_cursor_fail (self);
    return 0;
}

int64_t msgpack_cursor_int (msgpack_cursor_t *self)
{
    if (msgpack_cursor_kind (self) != MSGPACK_KIND_NEGATIVE) {
        return (int64_t) msgpack_cursor_uint_max (self, INT64_MAX);
    }
    uint8_t type = *self->place;
    if (type >= 0xe0) {
        self->place++;
        return (int8_t) type;
    }
    unsigned width = 1u << (type - 0xd0);
    uint64_t value = s_take_number (self, width);
    if (self->rc != 0) {
        return 0;
    }
    // Shift the number's sign to the top and back.
    unsigned shift = 64 - 8 * width;
    return (int64_t) (value << shift) >> shift;
}

// Read the header of a str or bin and leave the cursor at its first byte; the caller checks rc.
static inline uint64_t s_take_length (msgpack_cursor_t *self)
{
    uint8_t type = *self->place;
    if ((type & 0xe0) == 0xa0) {
        self->place++;
        return type & 0x1f;
    }
    if (type >= 0xc4 && type <= 0xc6) {
        return s_take_number (self, 1u << (type - 0xc4));
    }
    if (type >= 0xd9 && type <= 0xdb) {
        return s_take_number (self, 1u << (type - 0xd9));
    }
    msgpack_cursor_fail (self);
    return 0;
}

msgpack_slice_t msgpack_cursor_bytes_wide (msgpack_cursor_t *self)
{
    msgpack_slice_t slice = {NULL, 0};
    if (self->place == self->end) {
        msgpack_cursor_fail (self);
        return slice;
    }
    uint64_t bytes = s_take_length (self);
    if (self->rc || bytes > msgpack_cursor_left (self)) {
        msgpack_cursor_fail (self);
        return slice;
    }
    slice.data = self->place;
    slice.bytes = (size_t) bytes;
    self->place += bytes;
    return slice;
}

// Read the header of an array or map: `small` is the type of its short form, `wide` that of its
// form with 2 bytes; every counted object takes at least one byte.
static inline uint32_t s_take_count (msgpack_cursor_t *self, uint8_t small, uint8_t wide,
                                     unsigned objects)
{
    if (self->place == self->end) {
        msgpack_cursor_fail (self);
        return 0;
    }
    uint64_t count = 0;
    uint8_t type = *self->place;
    if ((type & 0xf0) == small) {
        self->place++;
        count = type & 0x0f;
    } else if (type == wide || type == wide + 1) {
        count = s_take_number (self, type == wide ? 2 : 4);
    } else {
        msgpack_cursor_fail (self);
        return 0;
    }
    if (count * objects > msgpack_cursor_left (self)) {
        msgpack_cursor_fail (self);
        return 0;
    }
    return (uint32_t) count;
}

uint32_t msgpack_cursor_array_wide (msgpack_cursor_t *self)
{
    return s_take_count (self, 0x90, 0xdc, 1);
}

uint32_t msgpack_cursor_map_wide (msgpack_cursor_t *self)
{
    return s_take_count (self, 0x80, 0xde, 2);
}

// What a type byte says: how many bytes of number follow it, and what that number counts.
typedef enum {
    SKIP_BAD,   // no object starts like this
    SKIP_FIXED, // `width` bytes of content
    SKIP_SHORT, // a str of 0 .. 31 bytes
    SKIP_RUN,   // `width` bytes of length, then that many bytes
    SKIP_FEW,   // an array of 0 .. 15 objects
    SKIP_PAIRS, // a map of 0 .. 15 pairs
    SKIP_ARRAY, // `width` bytes of count, then that many objects
    SKIP_MAP,   // `width` bytes of count, then that many pairs
} s_skip_t;

typedef struct {
    uint8_t skip;  // s_skip_t
    uint8_t width; // bytes behind the type byte
} s_type_t;

static const s_type_t s_types[256] = {
    [0x00 ... 0x7f] = {SKIP_FIXED, 0},
    [0x80 ... 0x8f] = {SKIP_PAIRS, 0},
    [0x90 ... 0x9f] = {SKIP_FEW, 0},
    [0xa0 ... 0xbf] = {SKIP_SHORT, 0},
    [0xc0] = {SKIP_FIXED, 0},
    [0xc2 ... 0xc3] = {SKIP_FIXED, 0},
    [0xc4] = {SKIP_RUN, 1},
    [0xc5] = {SKIP_RUN, 2},
    [0xc6] = {SKIP_RUN, 4},
    [0xca] = {SKIP_FIXED, 4},
    [0xcb] = {SKIP_FIXED, 8},
    [0xcc] = {SKIP_FIXED, 1},
    [0xcd] = {SKIP_FIXED, 2},
    [0xce] = {SKIP_FIXED, 4},
    [0xcf] = {SKIP_FIXED, 8},
    [0xd0] = {SKIP_FIXED, 1},
    [0xd1] = {SKIP_FIXED, 2},
    [0xd2] = {SKIP_FIXED, 4},
    [0xd3] = {SKIP_FIXED, 8},
    [0xd9] = {SKIP_RUN, 1},
    [0xda] = {SKIP_RUN, 2},
    [0xdb] = {SKIP_RUN, 4},
    [0xdc] = {SKIP_ARRAY, 2},
    [0xdd] = {SKIP_ARRAY, 4},
    [0xde] = {SKIP_MAP, 2},
    [0xdf] = {SKIP_MAP, 4},
    [0xe0 ... 0xff] = {SKIP_FIXED, 0},
};

// Skip one object without its content if it is an array or map. Returns how many objects that has
// inside; -1 if the object is none. The caller checks rc.
static inline int64_t s_skip_one (msgpack_cursor_t *self)
{
    const uint8_t *place = self->place;
    size_t left = (size_t) (self->end - place);
    if (left == 0) {
        goto refuse;
    }
    s_type_t type = s_types[*place];
    if (left < 1 + (size_t) type.width) {
        goto refuse;
    }
    uint64_t number = 0;
    switch ((s_skip_t) type.skip) {
    case SKIP_FIXED:
        self->place = place + 1 + type.width;
        return -1;
    case SKIP_SHORT:
        number = *place & 0x1f;
        break;
    case SKIP_RUN:
        number = s_number (place + 1, type.width);
        break;
    case SKIP_FEW:
        self->place = place + 1;
        return *place & 0x0f;
    case SKIP_PAIRS:
        self->place = place + 1;
        return 2 * (*place & 0x0f);
    case SKIP_ARRAY:
        self->place = place + 1 + type.width;
        return (int64_t) s_number (place + 1, type.width);
    case SKIP_MAP:
        self->place = place + 1 + type.width;
        return 2 * (int64_t) s_number (place + 1, type.width);
    case SKIP_BAD:
        goto refuse;
    }
    if (number > left - 1 - type.width) {
        goto refuse;
    }
    self->place = place + 1 + type.width + number;
    return -1;

refuse:
    msgpack_cursor_fail (self);
    return -1;
}

void msgpack_cursor_skip (msgpack_cursor_t *self, unsigned depth)
{
    dt_assert (depth <= MSGPACK_DEPTH_MAX);
    uint64_t waiting[MSGPACK_DEPTH_MAX]; // objects still to come, per open array or map
    unsigned open = 0;
    uint64_t count = 1; // objects still to come at this level
    for (;;) {
        int64_t inside = s_skip_one (self);
        if (self->rc) {
            return;
        }
        count--;
        if (inside >= 0) {
            // Every object takes a byte at least, so a count beyond the bytes left is a lie.
            if (open == depth || (uint64_t) inside > msgpack_cursor_left (self)) {
                msgpack_cursor_fail (self);
                return;
            }
            waiting[open++] = count;
            count = (uint64_t) inside;
        }
        while (count == 0) {
            if (open == 0) {
                return;
            }
            count = waiting[--open];
        }
    }
}

uint64_t msgpack_cursor_key (msgpack_cursor_t *self, uint64_t *seen)
{
    if (msgpack_cursor_kind (self) != MSGPACK_KIND_UINT) {
        msgpack_cursor_skip (self, 0);
        return 0;
    }
    uint64_t key = msgpack_cursor_uint (self);
    if (key >= 64 || self->rc) {
        return 0;
    }
    if (*seen >> key & 1) {
        msgpack_cursor_fail (self);
        return 0;
    }
    *seen |= UINT64_C (1) << key;
    return key;
}
