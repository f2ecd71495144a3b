#include "transport/protocol_reply.h"

static uint32_t s_count_extras (const protocol_reply_t *reply)
{
    return reply->has_digest + !!reply->leader_node_id + !!reply->message.data +
           !!reply->leader_address.data + !!reply->trace.data;
}

void protocol_reply_open (dt_buffer_t *buffer, const protocol_reply_t *reply)
{
    uint8_t *start = dt_buffer_reserve (buffer, 4 * MSGPACK_HEADER_BYTES_MAX);
    uint8_t *place = msgpack_put_array (start, s_count_extras (reply) ? 5 : 4);
    place = msgpack_put_uint (place, reply->id);
    place = msgpack_put_uint (place, reply->code);
    place = msgpack_put_uint (place, reply->index);
    buffer->bytes += (size_t) (place - start);
}

static void s_write_str (dt_buffer_t *buffer, uint32_t key, msgpack_slice_t text)
{
    if (text.data) {
        msgpack_write_uint (buffer, key);
        msgpack_write_str (buffer, text.data, (uint32_t) text.bytes);
    }
}

void protocol_reply_close (dt_buffer_t *buffer, const protocol_reply_t *reply)
{
    uint32_t extras = s_count_extras (reply);
    if (extras == 0) {
        return;
    }
    msgpack_write_map (buffer, extras);
    if (reply->has_digest) {
        msgpack_write_uint (buffer, PROTOCOL_EXTRA_DIGEST);
        msgpack_write_uint (buffer, reply->digest);
    }
    if (reply->leader_node_id) {
        msgpack_write_uint (buffer, PROTOCOL_EXTRA_LEADER_NODE_ID);
        msgpack_write_uint (buffer, reply->leader_node_id);
    }
    s_write_str (buffer, PROTOCOL_EXTRA_MESSAGE, reply->message);
    s_write_str (buffer, PROTOCOL_EXTRA_LEADER_ADDRESS, reply->leader_address);
    if (reply->trace.data) {
        msgpack_write_uint (buffer, PROTOCOL_EXTRA_TRACE);
        msgpack_write_bin (buffer, reply->trace.data, (uint32_t) reply->trace.bytes);
    }
}

void protocol_reply_write (dt_buffer_t *buffer, const protocol_reply_t *reply)
{
    protocol_reply_open (buffer, reply);
    if (reply->body.bytes) {
        dt_buffer_append (buffer, reply->body.data, reply->body.bytes);
    } else {
        msgpack_write_nil (buffer);
    }
    protocol_reply_close (buffer, reply);
}

static void s_read_extra (msgpack_cursor_t *cursor, uint64_t key, protocol_reply_t *reply)
{
    switch (key) {
    case PROTOCOL_EXTRA_DIGEST:
        reply->digest = msgpack_cursor_uint (cursor);
        reply->has_digest = true;
        break;
    case PROTOCOL_EXTRA_LEADER_NODE_ID:
        reply->leader_node_id = msgpack_cursor_uint (cursor);
        break;
    case PROTOCOL_EXTRA_MESSAGE:
        reply->message = msgpack_cursor_bytes (cursor);
        break;
    case PROTOCOL_EXTRA_LEADER_ADDRESS:
        reply->leader_address = msgpack_cursor_bytes (cursor);
        break;
    case PROTOCOL_EXTRA_TRACE:
        reply->trace = msgpack_cursor_bytes (cursor);
        break;
    default:
        msgpack_cursor_skip (cursor, MSGPACK_DEPTH_MAX - 2);
    }
}

static void s_read_extras (msgpack_cursor_t *cursor, protocol_reply_t *reply)
{
    uint64_t seen = 0;
    for (uint32_t pairs = msgpack_cursor_map (cursor); pairs && !cursor->rc; pairs--) {
        uint64_t key = msgpack_cursor_key (cursor, &seen);
        s_read_extra (cursor, key, reply);
    }
}

int protocol_reply_next (msgpack_cursor_t *cursor, protocol_reply_t *reply)
{
    if (cursor->place == cursor->end) {
        return cursor->rc;
    }
    uint32_t elements = msgpack_cursor_array (cursor);
    *reply = (protocol_reply_t){0};
    if (elements < 4) {
        msgpack_cursor_fail (cursor);
        return cursor->rc;
    }
    reply->id = msgpack_cursor_uint (cursor);
    reply->code = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
    reply->index = msgpack_cursor_uint (cursor);
    reply->body = msgpack_cursor_object (cursor, MSGPACK_DEPTH_MAX - 1);
    if (elements > 4) {
        s_read_extras (cursor, reply);
    }
    for (; elements > 5 && !cursor->rc; elements--) {
        msgpack_cursor_skip (cursor, MSGPACK_DEPTH_MAX - 1);
    }
    return cursor->rc ? cursor->rc : 1;
}
