#include "dtkv/cli/dtctl_msgpack.h"

#include <math.h>

#include "dtkv/cli/dtctl_output.h"
#include "dtkv/cli/dtctl_text.h"
#include "transport/msgpack_cursor.h"

// Read a big-endian number of `width` bytes after the type byte.
static uint64_t s_wide (const uint8_t *place, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 1; i <= width; i++) {
        value = value << 8 | place[i];
    }
    return value;
}

// A signed integer or a float, which the cursor only skips; it has checked that the bytes are
// there.
static void s_scalar (dt_buffer_t *out, const uint8_t *place)
{
    uint8_t type = place[0];
    if (type >= 0xe0) {
        dt_buffer_printf (out, "%d", (int8_t) type);
    } else if (type >= 0xd0 && type <= 0xd3) {
        size_t width = (size_t) 1 << (type - 0xd0);
        uint64_t raw = s_wide (place, width);
        unsigned shift = (unsigned) (64 - 8 * width);
        int64_t value = (int64_t) (raw << shift) >> shift;
        const char *quote = value > 1ll << 53 || value < -(1ll << 53) ? "\"" : "";
        dt_buffer_printf (out, "%s%lld%s", quote, (long long) value, quote);
    } else {
        double number;
        float narrow;
        uint64_t raw = s_wide (place, type == 0xca ? 4 : 8);
        uint32_t raw_narrow = (uint32_t) raw;
        memcpy (&narrow, &raw_narrow, sizeof narrow);
        memcpy (&number, &raw, sizeof number);
        number = type == 0xca ? (double) narrow : number;
        if (isfinite (number)) {
            dt_buffer_printf (out, "%.17g", number);
        } else {
            dt_buffer_printf (out, "null");
        }
    }
}

static void s_bytes (dt_buffer_t *out, msgpack_slice_t slice)
{
    if (dtctl_text_is_utf8 (slice.data, slice.bytes)) {
        dtctl_text_json (out, slice.data, slice.bytes);
    } else {
        dtctl_output_json_bytes (out, slice.data, slice.bytes, false);
    }
}

// A map's key: a string in JSON whatever it is here.
static void s_key (dt_buffer_t *out, msgpack_cursor_t *cursor)
{
    dt_buffer_t text = {0};
    if (msgpack_cursor_kind (cursor) == MSGPACK_KIND_BYTES) {
        msgpack_slice_t slice = msgpack_cursor_bytes (cursor);
        dtctl_text_escape (&text, slice.data, slice.bytes);
    } else if (msgpack_cursor_kind (cursor) == MSGPACK_KIND_UINT) {
        dt_buffer_printf (&text, "%llu", (unsigned long long) msgpack_cursor_uint (cursor));
    } else {
        msgpack_cursor_skip (cursor, MSGPACK_DEPTH_MAX);
        dt_buffer_printf (&text, "?");
    }
    dtctl_text_json (out, text.data, text.bytes);
    dt_buffer_deinit (&text);
}

// Depth is bounded by MSGPACK_DEPTH_MAX, so the recursion is.
static void s_object (dt_buffer_t *out, msgpack_cursor_t *cursor, unsigned depth)
{
    msgpack_kind_t kind = msgpack_cursor_kind (cursor);
    if ((kind == MSGPACK_KIND_ARRAY || kind == MSGPACK_KIND_MAP) && depth == 0) {
        msgpack_cursor_fail (cursor);
        kind = MSGPACK_KIND_NONE;
    }
    if (kind == MSGPACK_KIND_BOOL) {
        dt_buffer_printf (out, "%s", msgpack_cursor_bool (cursor) ? "true" : "false");
    } else if (kind == MSGPACK_KIND_UINT) {
        dtctl_output_json_number (out, msgpack_cursor_uint (cursor));
    } else if (kind == MSGPACK_KIND_NEGATIVE || kind == MSGPACK_KIND_FLOAT) {
        s_scalar (out, msgpack_cursor_object (cursor, 0).data);
    } else if (kind == MSGPACK_KIND_BYTES) {
        s_bytes (out, msgpack_cursor_bytes (cursor));
    } else if (kind == MSGPACK_KIND_ARRAY || kind == MSGPACK_KIND_MAP) {
        bool map = kind == MSGPACK_KIND_MAP;
        uint32_t count = map ? msgpack_cursor_map (cursor) : msgpack_cursor_array (cursor);
        dt_buffer_append (out, map ? "{" : "[", 1);
        for (uint32_t i = 0; i < count; i++) {
            dt_buffer_append (out, ",", i > 0);
            if (map) {
                s_key (out, cursor);
                dt_buffer_append (out, ":", 1);
            }
            s_object (out, cursor, depth - 1);
        }
        dt_buffer_append (out, map ? "}" : "]", 1);
    } else {
        msgpack_cursor_take_nil (cursor);
        dt_buffer_printf (out, "null");
    }
}

void dtctl_msgpack_json (dt_buffer_t *out, const void *data, size_t bytes)
{
    // Checked as a whole first: what is read after that cannot fail half-way.
    msgpack_cursor_t check;
    msgpack_cursor_init (&check, data, bytes);
    msgpack_cursor_skip (&check, MSGPACK_DEPTH_MAX);
    if (check.rc != 0) {
        dt_buffer_printf (out, "null");
        return;
    }
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, data, bytes);
    s_object (out, &cursor, MSGPACK_DEPTH_MAX);
}
