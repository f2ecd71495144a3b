// client_body - writing the bodies of requests: bytes, and how much room they take.

#ifndef CLIENT_BODY_H
#define CLIENT_BODY_H

#include <string.h>

#include "dtkv/client/dt_client_types.h"
#include "transport/msgpack_writer.h"

// No request comes near it; keeps sums of sizes from wrapping.
#define CLIENT_BYTES_LIMIT ((size_t) 1 << 40)

// Write bytes as a bin; returns the place behind.
static inline uint8_t *client_put_bytes (uint8_t *place, dt_bytes_t bytes)
{
    place = msgpack_put_bin_header (place, (uint32_t) bytes.bytes);
    if (bytes.bytes) {
        memcpy (place, bytes.data, bytes.bytes);
    }
    return place + bytes.bytes;
}

// Room for bytes as a bin.
static inline size_t client_room (dt_bytes_t bytes)
{
    return MSGPACK_HEADER_BYTES_MAX +
           (bytes.bytes < CLIENT_BYTES_LIMIT ? bytes.bytes : CLIENT_BYTES_LIMIT);
}

static inline bool client_bytes_valid (dt_bytes_t bytes)
{
    return bytes.data || bytes.bytes == 0;
}

static inline uint32_t client_flags (const dt_call_options_t *options)
{
    return options ? options->flags : 0;
}

#endif // CLIENT_BODY_H
