#include "transport/peer_protocol.h"

#include <string.h>

#include "base/dt_assert.h"
#include "transport/msgpack_writer.h"
#include "transport/peer_message.h"

enum {
    HEADER_ELEMENTS = 6,
    PART_ELEMENTS = 4,
    REFUSAL_ELEMENTS = 4,
    SKIP_DEPTH = 2, // of elements that a later version appends
};

// Elements this version does not know stand behind those it does.
static void s_skip_rest (msgpack_cursor_t *cursor, uint32_t count, uint32_t known)
{
    for (uint32_t i = known; i < count && cursor->rc == 0; i++) {
        msgpack_cursor_skip (cursor, SKIP_DEPTH);
    }
}

static uint32_t s_read_array (msgpack_cursor_t *cursor, uint32_t known)
{
    uint32_t count = msgpack_cursor_array (cursor);
    if (count < known) {
        msgpack_cursor_fail (cursor);
    }
    return count;
}

static uint64_t s_read_not_zero (msgpack_cursor_t *cursor, uint64_t limit)
{
    uint64_t value = msgpack_cursor_uint_max (cursor, limit);
    if (value == 0) {
        msgpack_cursor_fail (cursor);
    }
    return value;
}

int peer_frame_read (peer_frame_t *self, const uint8_t *data, size_t bytes)
{
    *self = (peer_frame_t){0};
    msgpack_cursor_t *cursor = &self->cursor;
    msgpack_cursor_init (cursor, data, bytes);
    // What else stands in the header of another version is that version's business.
    uint32_t count = s_read_array (cursor, 1);
    self->version = s_read_not_zero (cursor, UINT64_MAX);
    if (cursor->rc == 0 && self->version != PEER_PROTOCOL_VERSION) {
        msgpack_cursor_fail (cursor);
        return DT_ERR_PROTOCOL_VERSION;
    }
    if (count < HEADER_ELEMENTS) {
        msgpack_cursor_fail (cursor);
    }
    peer_header_t *header = &self->header;
    header->cluster_id = msgpack_cursor_uint (cursor);
    header->from = (uint32_t) s_read_not_zero (cursor, UINT32_MAX);
    header->to = (uint32_t) s_read_not_zero (cursor, UINT32_MAX);
    header->boot_id = s_read_not_zero (cursor, UINT64_MAX);
    header->epoch = msgpack_cursor_uint (cursor);
    s_skip_rest (cursor, count, HEADER_ELEMENTS);
    return cursor->rc;
}

int peer_frame_next (peer_frame_t *self, peer_part_t *part)
{
    msgpack_cursor_t *cursor = &self->cursor;
    if (msgpack_cursor_left (cursor) == 0) {
        return 0;
    }
    uint32_t count = s_read_array (cursor, PART_ELEMENTS);
    part->group = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
    part->kind = (uint8_t) msgpack_cursor_uint_max (cursor, UINT8_MAX);
    part->term = msgpack_cursor_uint (cursor);
    part->bytes = (size_t) msgpack_cursor_uint_max (cursor, PEER_BODY_BYTES_MAX);
    s_skip_rest (cursor, count, PART_ELEMENTS);
    if (part->bytes > msgpack_cursor_left (cursor)) {
        msgpack_cursor_fail (cursor);
    }
    if (cursor->rc != 0) {
        return cursor->rc;
    }
    part->data = cursor->place;
    cursor->place += part->bytes;
    return 1;
}

void peer_header_write (dt_buffer_t *frame, const peer_header_t *header)
{
    dt_assert (header->from != 0);
    dt_assert (header->to != 0);
    dt_assert (header->boot_id != 0);
    uint8_t *start = dt_buffer_reserve (frame, PEER_HEADER_BYTES_MAX);
    uint8_t *place = msgpack_put_array (start, HEADER_ELEMENTS);
    place = msgpack_put_uint (place, PEER_PROTOCOL_VERSION);
    place = msgpack_put_uint (place, header->cluster_id);
    place = msgpack_put_uint (place, header->from);
    place = msgpack_put_uint (place, header->to);
    place = msgpack_put_uint (place, header->boot_id);
    place = msgpack_put_uint (place, header->epoch);
    frame->bytes += (size_t) (place - start);
}

void peer_part_write (dt_buffer_t *frame, uint32_t group, uint8_t kind, uint64_t term, size_t bytes)
{
    dt_assert (bytes <= PEER_BODY_BYTES_MAX);
    uint8_t *start = dt_buffer_reserve (frame, PEER_PART_HEADER_BYTES_MAX);
    uint8_t *place = msgpack_put_array (start, PART_ELEMENTS);
    place = msgpack_put_uint (place, group);
    place = msgpack_put_uint (place, kind);
    place = msgpack_put_uint (place, term);
    place = msgpack_put_uint (place, bytes);
    frame->bytes += (size_t) (place - start);
}

void peer_link_write (dt_buffer_t *frame, peer_link_kind_t kind, uint64_t nonce)
{
    uint8_t body[MSGPACK_HEADER_BYTES_MAX];
    size_t bytes = nonce ? (size_t) (msgpack_put_uint (body, nonce) - body) : 0;
    peer_part_write (frame, 0, (uint8_t) kind, 0, bytes);
    dt_buffer_append (frame, body, bytes);
}

uint64_t peer_link_nonce (const peer_part_t *part)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, part->data, part->bytes);
    return msgpack_cursor_uint (&cursor); // what a later version adds behind it is not read
}

void peer_refusal_write (dt_buffer_t *frame, peer_refusal_code_t code, const char *text,
                         uint64_t expected)
{
    msgpack_write_array (frame, REFUSAL_ELEMENTS);
    msgpack_write_uint (frame, PEER_PROTOCOL_VERSION);
    msgpack_write_uint (frame, code);
    msgpack_write_str (frame, text, (uint32_t) strnlen (text, PEER_REFUSAL_TEXT_BYTES_MAX));
    msgpack_write_uint (frame, expected);
}

int peer_refusal_read (const uint8_t *data, size_t bytes, peer_refusal_t *refusal)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, data, bytes);
    uint32_t count = s_read_array (&cursor, REFUSAL_ELEMENTS);
    // Refusals say the version of who sends them; their elements keep their places in every one.
    (void) s_read_not_zero (&cursor, UINT64_MAX);
    refusal->code = msgpack_cursor_uint (&cursor);
    refusal->text = msgpack_cursor_bytes (&cursor);
    refusal->expected = msgpack_cursor_uint (&cursor);
    s_skip_rest (&cursor, count, REFUSAL_ELEMENTS);
    if (refusal->text.bytes > PEER_REFUSAL_TEXT_BYTES_MAX || msgpack_cursor_left (&cursor) > 0) {
        msgpack_cursor_fail (&cursor);
    }
    return cursor.rc;
}

const char *peer_refusal_name (uint64_t code)
{
#define REFUSAL_CASE(NAME, number, name)                                                           \
    case number:                                                                                   \
        return name;
    switch (code) {
        PEER_REFUSAL_TABLE (REFUSAL_CASE)
    default:
        return "unknown";
    }
#undef REFUSAL_CASE
}
