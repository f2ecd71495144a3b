// protocol_reply - replies, written by a node and read by a client.
//
//     reply  = [ id, code, index, body, extras ? ]
//     extras = { 1: digest, 2: leader-node-id, 3: message, 4: leader-address, 5: trace }

#ifndef PROTOCOL_REPLY_H
#define PROTOCOL_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"
#include "transport/protocol.h"

typedef struct {
    uint64_t id;                    // of the request
    uint32_t code;                  // 0 .. 63 of the store, from 64 on a DT_ERR_* without sign
    uint64_t index;                 // group index, 0: none
    msgpack_slice_t body;           // one msgpack object, well formed; empty in writing: nil
    bool has_digest;                //
    uint64_t digest;                // of the state at index, if has_digest
    uint64_t leader_node_id;        // 0: not said
    msgpack_slice_t message;        // what was wrong; data NULL: none
    msgpack_slice_t leader_address; // endpoint of the leader's client port; data NULL: not said
    msgpack_slice_t trace;          // the request's; data NULL: none
} protocol_reply_t;

// Append a reply. Extras that are not set are left out.
void protocol_reply_write (dt_buffer_t *buffer, const protocol_reply_t *reply);

// The same in two halves, for a caller that packs the body between them (reply->body is ignored;
// exactly one msgpack object must be appended). Both get the same reply.
void protocol_reply_open (dt_buffer_t *buffer, const protocol_reply_t *reply);
void protocol_reply_close (dt_buffer_t *buffer, const protocol_reply_t *reply);

// Append a reply without extras. body_bytes 0: the body is nil.
static inline void protocol_reply_write_plain (dt_buffer_t *buffer, uint64_t id, uint32_t code,
                                               uint64_t index, const void *body, size_t body_bytes)
{
    uint8_t *start = dt_buffer_reserve (buffer, 4 * MSGPACK_HEADER_BYTES_MAX + body_bytes);
    uint8_t *place = start;
    *place++ = 0x94;
    place = msgpack_put_uint (place, id);
    place = msgpack_put_uint (place, code);
    place = msgpack_put_uint (place, index);
    if (body_bytes) {
        memcpy (place, body, body_bytes);
        place += body_bytes;
    } else {
        *place++ = 0xc0;
    }
    buffer->bytes += (size_t) (place - start);
}

// Read the next reply of a frame; the cursor was set on the frame's bytes by msgpack_cursor_init.
// Slices point into the frame. 1: *reply is set. 0: the frame is at its end.
// DT_ERR_MALFORMED: the rest of the frame cannot be read; the next call returns it again.
int protocol_reply_next (msgpack_cursor_t *cursor, protocol_reply_t *reply);

#endif // PROTOCOL_REPLY_H
