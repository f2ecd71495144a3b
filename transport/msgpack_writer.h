// msgpack_writer - pack msgpack straight into a dt_buffer_t.
//
// Every function appends one object (or the header of an array or map, whose objects the caller
// appends next) in its smallest encoding. Nothing here can fail: lengths and counts are below
// 2^32 by the limits of the protocol, which the callers keep.

#ifndef MSGPACK_WRITER_H
#define MSGPACK_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/dt_buffer.h"

// The most bytes a number or header takes.
#define MSGPACK_HEADER_BYTES_MAX 9

static inline uint8_t *msgpack_put_16 (uint8_t *place, uint8_t type, uint32_t value)
{
    uint16_t word = __builtin_bswap16 ((uint16_t) value);
    place[0] = type;
    memcpy (place + 1, &word, sizeof word);
    return place + 1 + sizeof word;
}

static inline uint8_t *msgpack_put_32 (uint8_t *place, uint8_t type, uint32_t value)
{
    uint32_t word = __builtin_bswap32 (value);
    place[0] = type;
    memcpy (place + 1, &word, sizeof word);
    return place + 1 + sizeof word;
}

// The msgpack_put functions write at `place`, where MSGPACK_HEADER_BYTES_MAX bytes must be free,
// and return the place behind what they wrote.
static inline uint8_t *msgpack_put_uint (uint8_t *place, uint64_t value)
{
    if (value < 0x80) {
        *place = (uint8_t) value;
        return place + 1;
    }
    if (value <= 0xff) {
        place[0] = 0xcc;
        place[1] = (uint8_t) value;
        return place + 2;
    }
    if (value <= 0xffff) {
        return msgpack_put_16 (place, 0xcd, (uint32_t) value);
    }
    if (value <= 0xffffffff) {
        return msgpack_put_32 (place, 0xce, (uint32_t) value);
    }
    uint64_t word = __builtin_bswap64 (value);
    place[0] = 0xcf;
    memcpy (place + 1, &word, sizeof word);
    return place + 1 + sizeof word;
}

static inline uint8_t *msgpack_put_int (uint8_t *place, int64_t value)
{
    if (value >= 0) {
        return msgpack_put_uint (place, (uint64_t) value);
    }
    if (value >= -32) {
        *place = (uint8_t) value;
        return place + 1;
    }
    if (value >= INT8_MIN) {
        place[0] = 0xd0;
        place[1] = (uint8_t) value;
        return place + 2;
    }
    if (value >= INT16_MIN) {
        return msgpack_put_16 (place, 0xd1, (uint32_t) value);
    }
    if (value >= INT32_MIN) {
        return msgpack_put_32 (place, 0xd2, (uint32_t) value);
    }
    uint64_t word = __builtin_bswap64 ((uint64_t) value);
    place[0] = 0xd3;
    memcpy (place + 1, &word, sizeof word);
    return place + 1 + sizeof word;
}

static inline uint8_t *msgpack_put_bin_header (uint8_t *place, uint32_t bytes)
{
    if (bytes <= 0xff) {
        place[0] = 0xc4;
        place[1] = (uint8_t) bytes;
        return place + 2;
    }
    return bytes <= 0xffff ? msgpack_put_16 (place, 0xc5, bytes)
                           : msgpack_put_32 (place, 0xc6, bytes);
}

static inline uint8_t *msgpack_put_str_header (uint8_t *place, uint32_t bytes)
{
    if (bytes < 32) {
        *place = (uint8_t) (0xa0 | bytes);
        return place + 1;
    }
    if (bytes <= 0xff) {
        place[0] = 0xd9;
        place[1] = (uint8_t) bytes;
        return place + 2;
    }
    return bytes <= 0xffff ? msgpack_put_16 (place, 0xda, bytes)
                           : msgpack_put_32 (place, 0xdb, bytes);
}

static inline uint8_t *msgpack_put_array (uint8_t *place, uint32_t count)
{
    if (count < 16) {
        *place = (uint8_t) (0x90 | count);
        return place + 1;
    }
    return count <= 0xffff ? msgpack_put_16 (place, 0xdc, count)
                           : msgpack_put_32 (place, 0xdd, count);
}

static inline uint8_t *msgpack_put_map (uint8_t *place, uint32_t count)
{
    if (count < 16) {
        *place = (uint8_t) (0x80 | count);
        return place + 1;
    }
    return count <= 0xffff ? msgpack_put_16 (place, 0xde, count)
                           : msgpack_put_32 (place, 0xdf, count);
}

static inline void msgpack_write_nil (dt_buffer_t *buffer)
{
    *dt_buffer_reserve (buffer, 1) = 0xc0;
    buffer->bytes++;
}

static inline void msgpack_write_bool (dt_buffer_t *buffer, bool value)
{
    *dt_buffer_reserve (buffer, 1) = value ? 0xc3 : 0xc2;
    buffer->bytes++;
}

static inline void msgpack_write_uint (dt_buffer_t *buffer, uint64_t value)
{
    uint8_t *place = dt_buffer_reserve (buffer, MSGPACK_HEADER_BYTES_MAX);
    buffer->bytes += (size_t) (msgpack_put_uint (place, value) - place);
}

// An integer of either sign.
static inline void msgpack_write_int (dt_buffer_t *buffer, int64_t value)
{
    uint8_t *place = dt_buffer_reserve (buffer, MSGPACK_HEADER_BYTES_MAX);
    buffer->bytes += (size_t) (msgpack_put_int (place, value) - place);
}

// The header of an array: `count` objects follow.
static inline void msgpack_write_array (dt_buffer_t *buffer, uint32_t count)
{
    uint8_t *place = dt_buffer_reserve (buffer, MSGPACK_HEADER_BYTES_MAX);
    buffer->bytes += (size_t) (msgpack_put_array (place, count) - place);
}

// The header of a map: `count` pairs follow.
static inline void msgpack_write_map (dt_buffer_t *buffer, uint32_t count)
{
    uint8_t *place = dt_buffer_reserve (buffer, MSGPACK_HEADER_BYTES_MAX);
    buffer->bytes += (size_t) (msgpack_put_map (place, count) - place);
}

// A bin. data may be NULL when bytes is 0.
static inline void msgpack_write_bin (dt_buffer_t *buffer, const void *data, uint32_t bytes)
{
    uint8_t *start = dt_buffer_reserve (buffer, MSGPACK_HEADER_BYTES_MAX + (size_t) bytes);
    uint8_t *place = msgpack_put_bin_header (start, bytes);
    if (bytes) {
        memcpy (place, data, bytes);
    }
    buffer->bytes += (size_t) (place - start) + bytes;
}

// A str. data may be NULL when bytes is 0.
static inline void msgpack_write_str (dt_buffer_t *buffer, const void *data, uint32_t bytes)
{
    uint8_t *start = dt_buffer_reserve (buffer, MSGPACK_HEADER_BYTES_MAX + (size_t) bytes);
    uint8_t *place = msgpack_put_str_header (start, bytes);
    if (bytes) {
        memcpy (place, data, bytes);
    }
    buffer->bytes += (size_t) (place - start) + bytes;
}

// A str from a zero-terminated string.
static inline void msgpack_write_text (dt_buffer_t *buffer, const char *text)
{
    msgpack_write_str (buffer, text, (uint32_t) strlen (text));
}

#endif // MSGPACK_WRITER_H
