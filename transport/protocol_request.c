#include "transport/protocol_request.h"

#include "base/dt_assert.h"
#include "transport/msgpack_writer.h"

static void s_read_header (protocol_frame_t *self)
{
    msgpack_cursor_t *cursor = &self->cursor;
    uint64_t seen = 0;
    for (uint32_t pairs = msgpack_cursor_map (cursor); pairs && !cursor->rc; pairs--) {
        switch (msgpack_cursor_key (cursor, &seen)) {
        case PROTOCOL_HEADER_CLIENT_ID:
            self->client_id = msgpack_cursor_uint (cursor);
            break;
        case PROTOCOL_HEADER_SESSION_ID:
            self->session_id = msgpack_cursor_uint (cursor);
            break;
        case PROTOCOL_HEADER_SESSION_ACK:
            self->session_ack = msgpack_cursor_uint (cursor);
            break;
        default:
            msgpack_cursor_skip (cursor, MSGPACK_DEPTH_MAX - 1);
        }
    }
}

void protocol_frame_init (protocol_frame_t *self, const void *data, size_t bytes)
{
    *self = (protocol_frame_t){.empty = true};
    msgpack_cursor_init (&self->cursor, data, bytes);
    if (__builtin_expect (msgpack_cursor_kind (&self->cursor) == MSGPACK_KIND_MAP, 0)) {
        s_read_header (self);
    }
}

static msgpack_slice_t s_take_trace (msgpack_cursor_t *cursor)
{
    msgpack_slice_t trace = msgpack_cursor_bytes (cursor);
    if (trace.bytes > PROTOCOL_TRACE_BYTES_MAX) {
        msgpack_cursor_fail (cursor);
    }
    return trace;
}

static void s_read_options (msgpack_cursor_t *cursor, protocol_request_t *request)
{
    uint64_t seen = 0;
    uint64_t header_session = request->session_id;
    for (uint32_t pairs = msgpack_cursor_map (cursor); pairs && !cursor->rc; pairs--) {
        switch (msgpack_cursor_key (cursor, &seen)) {
        case PROTOCOL_OPTION_SESSION_SEQ:
            request->session_seq = msgpack_cursor_uint (cursor);
            break;
        case PROTOCOL_OPTION_SESSION_ID:
            request->session_id = msgpack_cursor_uint (cursor);
            break;
        case PROTOCOL_OPTION_SESSION_ACK:
            request->session_ack = msgpack_cursor_uint (cursor);
            break;
        case PROTOCOL_OPTION_MIN_INDEX:
            request->min_index = msgpack_cursor_uint (cursor);
            break;
        case PROTOCOL_OPTION_READ_MODE:
            request->read_mode = (uint32_t) msgpack_cursor_uint_max (cursor, PROTOCOL_READ_STALE);
            break;
        case PROTOCOL_OPTION_MAX_AGE_MS:
            request->max_age_ms = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
            break;
        case PROTOCOL_OPTION_WANT_DIGEST:
            request->want_digest = msgpack_cursor_bool (cursor);
            break;
        case PROTOCOL_OPTION_TRACE:
            request->trace = s_take_trace (cursor);
            break;
        default:
            msgpack_cursor_skip (cursor, MSGPACK_DEPTH_MAX - 2);
        }
    }
    // The header's ack speaks of the header's session, not of another one named here.
    bool own_ack = seen >> PROTOCOL_OPTION_SESSION_ACK & 1;
    if (request->session_id != header_session && !own_ack) {
        request->session_ack = 0;
    }
}

// Read the body: an array or nil.
static inline msgpack_slice_t s_take_body (msgpack_cursor_t *cursor)
{
    uint8_t type = msgpack_cursor_left (cursor) ? *cursor->place : 0;
    if (__builtin_expect ((type & 0xf0) != 0x90 && type != 0xc0 && type != 0xdc && type != 0xdd,
                          0)) {
        msgpack_cursor_fail (cursor);
    }
    return msgpack_cursor_object (cursor, MSGPACK_DEPTH_MAX - 1);
}

// Read what follows the body: options, and elements of a later version, which are ignored.
static void s_read_tail (msgpack_cursor_t *cursor, uint32_t elements, protocol_request_t *request)
{
    s_read_options (cursor, request);
    for (; elements > 1 && !cursor->rc; elements--) {
        msgpack_cursor_skip (cursor, MSGPACK_DEPTH_MAX - 1);
    }
}

static int s_refuse (protocol_frame_t *self)
{
    self->failed = true;
    msgpack_cursor_fail (&self->cursor);
    return DT_ERR_MALFORMED;
}

int protocol_frame_next (protocol_frame_t *self, protocol_request_t *request)
{
    msgpack_cursor_t *cursor = &self->cursor;
    if (__builtin_expect (cursor->place == cursor->end, 0)) {
        request->id = 0;
        return self->failed || (!self->empty && !cursor->rc) ? 0 : s_refuse (self);
    }
    self->empty = false;
    uint32_t elements = msgpack_cursor_array (cursor);
    uint64_t id = elements ? msgpack_cursor_uint (cursor) : 0;
    uint64_t operation = msgpack_cursor_uint (cursor);
    uint64_t group = msgpack_cursor_uint (cursor);
    uint64_t timeout_ms = msgpack_cursor_uint (cursor);
    *request = (protocol_request_t){
        .id = id,
        .operation = (uint32_t) operation,
        .group = (uint32_t) group,
        .timeout_ms = (uint32_t) timeout_ms,
        .client_id = self->client_id,
        .session_id = self->session_id,
        .session_ack = self->session_ack,
    };
    if (__builtin_expect (elements < 5 || (operation | group | timeout_ms) > UINT32_MAX, 0)) {
        return s_refuse (self);
    }
    request->body = s_take_body (cursor);
    if (__builtin_expect (elements > 5, 0)) {
        s_read_tail (cursor, elements - 5, request);
    }
    if (__builtin_expect (cursor->rc != 0, 0)) {
        return s_refuse (self);
    }
    if (timeout_ms - 1 >= PROTOCOL_TIMEOUT_MS_MAX) {
        request->timeout_ms = timeout_ms ? PROTOCOL_TIMEOUT_MS_MAX : PROTOCOL_TIMEOUT_MS_DEFAULT;
    }
    return 1;
}

static void s_write_pair (dt_buffer_t *buffer, uint32_t key, uint64_t value)
{
    if (value) {
        msgpack_write_uint (buffer, key);
        msgpack_write_uint (buffer, value);
    }
}

void protocol_header_write (dt_buffer_t *buffer, uint64_t client_id, uint64_t session_id,
                            uint64_t session_ack)
{
    msgpack_write_map (buffer, !!client_id + !!session_id + !!session_ack);
    s_write_pair (buffer, PROTOCOL_HEADER_CLIENT_ID, client_id);
    s_write_pair (buffer, PROTOCOL_HEADER_SESSION_ID, session_id);
    s_write_pair (buffer, PROTOCOL_HEADER_SESSION_ACK, session_ack);
}

static uint32_t s_count_options (const protocol_request_t *request)
{
    return !!request->session_seq + !!request->session_id + !!request->session_ack +
           !!request->min_index + !!request->read_mode + request->want_digest +
           !!request->trace.data + !!request->max_age_ms;
}

void protocol_request_open (dt_buffer_t *buffer, const protocol_request_t *request)
{
    uint8_t *start = dt_buffer_reserve (buffer, 5 * MSGPACK_HEADER_BYTES_MAX);
    uint8_t *place = msgpack_put_array (start, s_count_options (request) ? 6 : 5);
    place = msgpack_put_uint (place, request->id);
    place = msgpack_put_uint (place, request->operation);
    place = msgpack_put_uint (place, request->group);
    place = msgpack_put_uint (place, request->timeout_ms);
    buffer->bytes += (size_t) (place - start);
}

void protocol_request_close (dt_buffer_t *buffer, const protocol_request_t *request)
{
    uint32_t options = s_count_options (request);
    if (options == 0) {
        return;
    }
    dt_assert (request->trace.bytes <= PROTOCOL_TRACE_BYTES_MAX);
    msgpack_write_map (buffer, options);
    s_write_pair (buffer, PROTOCOL_OPTION_SESSION_SEQ, request->session_seq);
    s_write_pair (buffer, PROTOCOL_OPTION_SESSION_ID, request->session_id);
    s_write_pair (buffer, PROTOCOL_OPTION_SESSION_ACK, request->session_ack);
    s_write_pair (buffer, PROTOCOL_OPTION_MIN_INDEX, request->min_index);
    s_write_pair (buffer, PROTOCOL_OPTION_READ_MODE, request->read_mode);
    if (request->want_digest) {
        msgpack_write_uint (buffer, PROTOCOL_OPTION_WANT_DIGEST);
        msgpack_write_bool (buffer, true);
    }
    if (request->trace.data) {
        msgpack_write_uint (buffer, PROTOCOL_OPTION_TRACE);
        msgpack_write_bin (buffer, request->trace.data, (uint32_t) request->trace.bytes);
    }
    s_write_pair (buffer, PROTOCOL_OPTION_MAX_AGE_MS, request->max_age_ms);
}

void protocol_request_write (dt_buffer_t *buffer, const protocol_request_t *request)
{
    protocol_request_open (buffer, request);
    if (request->body.bytes) {
        dt_buffer_append (buffer, request->body.data, request->body.bytes);
    } else {
        msgpack_write_nil (buffer);
    }
    protocol_request_close (buffer, request);
}
