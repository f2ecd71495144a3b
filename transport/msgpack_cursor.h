// msgpack_cursor - a bounded reader over msgpack bytes that came from outside.
//
// Reads forward through a run of bytes it borrows. Allocates nothing, recurses never, and believes
// no length it has not checked against the bytes that are left [MP-1].
//
// Errors are sticky: the first refusal sets `rc` to DT_ERR_MALFORMED and moves the cursor to its
// end, so that every later read fails too and returns 0, an empty slice or false. A decoder reads
// all its fields and looks at `rc` once, before it believes any of them.
//
// Objects used by the protocol are nil, bool, integers, str, bin, array and map. Negative integers
// are read where one is meant (msgpack_cursor_int) and refused by all else; floats are well-formed
// but can only be skipped; ext objects and the byte 0xc1 are refused everywhere.

#ifndef MSGPACK_CURSOR_H
#define MSGPACK_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/dt_error.h"

enum {
    MSGPACK_DEPTH_MAX = 8, // arrays and maps inside each other, the outermost counted
};

typedef enum {
    MSGPACK_KIND_NONE, // at the end, after an error, or a byte that starts no permitted object
    MSGPACK_KIND_NIL,
    MSGPACK_KIND_BOOL,
    MSGPACK_KIND_UINT,
    MSGPACK_KIND_NEGATIVE, // an integer below 0
    MSGPACK_KIND_FLOAT,
    MSGPACK_KIND_BYTES, // str or bin
    MSGPACK_KIND_ARRAY,
    MSGPACK_KIND_MAP,
} msgpack_kind_t;

// Bytes inside somebody else's memory.
typedef struct {
    const uint8_t *data; // NULL when empty after an error
    size_t bytes;
} msgpack_slice_t;

typedef struct {
    const uint8_t *place; // next byte to read
    const uint8_t *end;   // first byte after the run
    int rc;               // 0 or DT_ERR_MALFORMED, sticky
} msgpack_cursor_t;

// Start at the first of `bytes` bytes, which must outlive the cursor and every slice read by it.
static inline void msgpack_cursor_init (msgpack_cursor_t *self, const void *data, size_t bytes)
{
    self->place = (const uint8_t *) data;
    self->end = bytes ? self->place + bytes : self->place;
    self->rc = 0;
}

// The bytes not read yet.
static inline size_t msgpack_cursor_left (const msgpack_cursor_t *self)
{
    return (size_t) (self->end - self->place);
}

// True when every byte was read and nothing was refused.
static inline bool msgpack_cursor_finished (const msgpack_cursor_t *self)
{
    return self->place == self->end && self->rc == 0;
}

// Refuse what was read: sets the sticky error. For decoders that find a value out of its range.
static inline void msgpack_cursor_fail (msgpack_cursor_t *self)
{
    self->rc = DT_ERR_MALFORMED;
    self->place = self->end;
}

// What the next object is, without reading it.
msgpack_kind_t msgpack_cursor_kind (const msgpack_cursor_t *self);

// The paths of the readers below for wide encodings and for errors.
uint64_t msgpack_cursor_uint_wide (msgpack_cursor_t *self);
msgpack_slice_t msgpack_cursor_bytes_wide (msgpack_cursor_t *self);
uint32_t msgpack_cursor_array_wide (msgpack_cursor_t *self);
uint32_t msgpack_cursor_map_wide (msgpack_cursor_t *self);

// Read an unsigned integer of any width. Signed encodings are taken too unless their value is
// negative: the packers of some languages use them for every number.
static inline uint64_t msgpack_cursor_uint (msgpack_cursor_t *self)
{
    if (__builtin_expect (self->place < self->end && *self->place < 0x80, 1)) {
        return *self->place++;
    }
    return msgpack_cursor_uint_wide (self);
}

// Read an unsigned integer of at most `limit`; a larger one is refused.
static inline uint64_t msgpack_cursor_uint_max (msgpack_cursor_t *self, uint64_t limit)
{
    uint64_t value = msgpack_cursor_uint (self);
    if (__builtin_expect (value > limit, 0)) {
        msgpack_cursor_fail (self);
        return 0;
    }
    return value;
}

// Read an integer of any width and sign; one that does not fit an int64_t is refused.
int64_t msgpack_cursor_int (msgpack_cursor_t *self);

// Read a str or bin as a slice of the input.
static inline msgpack_slice_t msgpack_cursor_bytes (msgpack_cursor_t *self)
{
    size_t left = msgpack_cursor_left (self);
    if (__builtin_expect (left >= 2 && self->place[0] == 0xc4, 1)) {
        size_t bytes = self->place[1];
        if (__builtin_expect (bytes <= left - 2, 1)) {
            msgpack_slice_t slice = {self->place + 2, bytes};
            self->place += 2 + bytes;
            return slice;
        }
    }
    return msgpack_cursor_bytes_wide (self);
}

// Read an array header: how many objects follow. At least that many bytes are left.
static inline uint32_t msgpack_cursor_array (msgpack_cursor_t *self)
{
    size_t left = msgpack_cursor_left (self);
    if (__builtin_expect (left > 0 && (*self->place & 0xf0) == 0x90, 1)) {
        uint32_t count = *self->place & 0x0f;
        if (__builtin_expect (count < left, 1)) {
            self->place++;
            return count;
        }
    }
    return msgpack_cursor_array_wide (self);
}

// Read a map header: how many pairs follow. At least twice that many bytes are left.
static inline uint32_t msgpack_cursor_map (msgpack_cursor_t *self)
{
    size_t left = msgpack_cursor_left (self);
    if (__builtin_expect (left > 0 && (*self->place & 0xf0) == 0x80, 1)) {
        uint32_t count = *self->place & 0x0f;
        if (__builtin_expect (2 * (size_t) count < left, 1)) {
            self->place++;
            return count;
        }
    }
    return msgpack_cursor_map_wide (self);
}

// Read true or false.
static inline bool msgpack_cursor_bool (msgpack_cursor_t *self)
{
    if (self->place < self->end && (*self->place & 0xfe) == 0xc2) {
        return *self->place++ == 0xc3;
    }
    msgpack_cursor_fail (self);
    return false;
}

// Read a nil if one is next; false, and nothing read, if something else or nothing is.
static inline bool msgpack_cursor_take_nil (msgpack_cursor_t *self)
{
    if (self->place < self->end && *self->place == 0xc0) {
        self->place++;
        return true;
    }
    return false;
}

// Read the key of a pair of a map whose keys are small numbers: a number of 1 .. 63 that is marked
// in *seen (0 before the first pair). 0 if it is a key nobody knows: a larger number, 0, or a
// scalar of another kind. A number that comes twice is refused, so that no two readers can take
// different values [MP-3].
uint64_t msgpack_cursor_key (msgpack_cursor_t *self, uint64_t *seen);

// Read one whole object of any permitted kind, checked in one pass: every length fits, arrays and
// maps are at most `depth` inside each other (0 .. MSGPACK_DEPTH_MAX; 0 permits no array or map).
void msgpack_cursor_skip (msgpack_cursor_t *self, unsigned depth);

// The same, and return the object's bytes as they stand in the input.
static inline msgpack_slice_t msgpack_cursor_object (msgpack_cursor_t *self, unsigned depth)
{
    const uint8_t *start = self->place;
    msgpack_cursor_skip (self, depth);
    msgpack_slice_t slice = {NULL, 0};
    if (__builtin_expect (self->rc == 0, 1)) {
        slice.data = start;
        slice.bytes = (size_t) (self->place - start);
    }
    return slice;
}

#endif // MSGPACK_CURSOR_H
