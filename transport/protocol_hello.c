#include "transport/protocol_hello.h"

#include <string.h>

#include "base/dt_assert.h"
#include "transport/msgpack_writer.h"

// Offsets of the limits beside their names, so that one loop writes and one finds them.
static const struct {
    const char *name;
    size_t offset;
} s_limits[] = {
#define PROTOCOL_HELLO_LIMIT_ROW(member) {#member, offsetof (protocol_limits_t, member)},
    PROTOCOL_HELLO_LIMIT_TABLE (PROTOCOL_HELLO_LIMIT_ROW)
#undef PROTOCOL_HELLO_LIMIT_ROW
};

#define LIMITS_COUNT (sizeof s_limits / sizeof *s_limits)

// Every body here starts at depth 2: the request or reply around it is the first level.
#define BODY_DEPTH (MSGPACK_DEPTH_MAX - 2)

void protocol_hello_request_write (dt_buffer_t *buffer, const protocol_hello_request_t *hello)
{
    msgpack_write_array (buffer, hello->client_name.data ? 3 : 2);
    msgpack_write_uint (buffer, hello->version);
    msgpack_write_uint (buffer, hello->features);
    if (hello->client_name.data) {
        msgpack_write_str (buffer, hello->client_name.data, (uint32_t) hello->client_name.bytes);
    }
}

// Skip elements of a later version and see that nothing is left behind the array.
static int s_finish (msgpack_cursor_t *cursor, uint32_t elements)
{
    for (; elements && !cursor->rc; elements--) {
        msgpack_cursor_skip (cursor, BODY_DEPTH);
    }
    return msgpack_cursor_finished (cursor) ? 0 : DT_ERR_MALFORMED;
}

int protocol_hello_request_read (msgpack_slice_t body, protocol_hello_request_t *hello)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, body.data, body.bytes);
    uint32_t elements = msgpack_cursor_array (&cursor);
    if (elements < 2) {
        return DT_ERR_MALFORMED;
    }
    protocol_hello_request_t found = {0};
    found.version = msgpack_cursor_uint (&cursor);
    found.features = msgpack_cursor_uint (&cursor);
    elements -= 2;
    if (elements) {
        elements--;
        if (!msgpack_cursor_take_nil (&cursor)) {
            found.client_name = msgpack_cursor_bytes (&cursor);
        }
    }
    int rc = s_finish (&cursor, elements);
    if (rc == 0) {
        *hello = found;
    }
    return rc;
}

static void s_write_limits (dt_buffer_t *buffer, const protocol_limits_t *limits)
{
    msgpack_write_map (buffer, LIMITS_COUNT);
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        uint64_t value;
        memcpy (&value, (const char *) limits + s_limits[i].offset, sizeof value);
        msgpack_write_text (buffer, s_limits[i].name);
        msgpack_write_uint (buffer, value);
    }
}

void protocol_hello_reply_write (dt_buffer_t *buffer, const protocol_hello_reply_t *hello)
{
    msgpack_write_array (buffer, 8);
    msgpack_write_uint (buffer, hello->version);
    msgpack_write_uint (buffer, hello->features);
    msgpack_write_uint (buffer, hello->cluster_id);
    msgpack_write_uint (buffer, hello->node_id);
    msgpack_write_uint (buffer, hello->client_id);
    s_write_limits (buffer, &hello->limits);
    msgpack_write_array (buffer, hello->group_count);
    for (uint32_t i = 0; i < hello->group_count; i++) {
        msgpack_write_uint (buffer, hello->groups[i]);
    }
    msgpack_write_str (buffer, hello->server_version.data, (uint32_t) hello->server_version.bytes);
}

static void s_read_limits (msgpack_cursor_t *cursor, protocol_limits_t *limits)
{
    for (uint32_t pairs = msgpack_cursor_map (cursor); pairs && !cursor->rc; pairs--) {
        msgpack_slice_t name = msgpack_cursor_bytes (cursor);
        uint64_t value = msgpack_cursor_uint (cursor);
        for (size_t i = 0; i < LIMITS_COUNT; i++) {
            if (name.bytes == strlen (s_limits[i].name) && name.bytes &&
                memcmp (name.data, s_limits[i].name, name.bytes) == 0) {
                memcpy ((char *) limits + s_limits[i].offset, &value, sizeof value);
            }
        }
    }
}

static void s_read_groups (msgpack_cursor_t *cursor, protocol_hello_reply_t *hello,
                           uint32_t groups_max)
{
    hello->group_count = msgpack_cursor_array (cursor);
    for (uint32_t i = 0; i < hello->group_count && !cursor->rc; i++) {
        uint32_t group = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
        if (i < groups_max) {
            hello->groups[i] = group;
        }
    }
}

int protocol_hello_reply_read (msgpack_slice_t body, protocol_hello_reply_t *hello,
                               uint32_t *groups, uint32_t groups_max)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, body.data, body.bytes);
    uint32_t elements = msgpack_cursor_array (&cursor);
    if (elements < 8) {
        return DT_ERR_MALFORMED;
    }
    protocol_hello_reply_t found = {.groups = groups};
    found.version = msgpack_cursor_uint (&cursor);
    found.features = msgpack_cursor_uint (&cursor);
    found.cluster_id = msgpack_cursor_uint (&cursor);
    found.node_id = msgpack_cursor_uint (&cursor);
    found.client_id = msgpack_cursor_uint (&cursor);
    s_read_limits (&cursor, &found.limits);
    s_read_groups (&cursor, &found, groups_max);
    found.server_version = msgpack_cursor_bytes (&cursor);
    int rc = s_finish (&cursor, elements - 8);
    if (rc == 0) {
        *hello = found;
    }
    return rc;
}

const char *protocol_status_name (protocol_status_t status)
{
    static const char *const names[] = {
#define PROTOCOL_STATUS_NAME(NAME, name) name,
        PROTOCOL_STATUS_TABLE (PROTOCOL_STATUS_NAME)
#undef PROTOCOL_STATUS_NAME
    };
    dt_assert (status < PROTOCOL_STATUS_COUNT);
    return names[status];
}

void protocol_status_open (dt_buffer_t *buffer, uint32_t pairs)
{
    msgpack_write_map (buffer, pairs);
}

void protocol_status_add_uint (dt_buffer_t *buffer, const char *name, uint64_t value)
{
    msgpack_write_text (buffer, name);
    msgpack_write_uint (buffer, value);
}

void protocol_status_add_bool (dt_buffer_t *buffer, const char *name, bool value)
{
    msgpack_write_text (buffer, name);
    msgpack_write_bool (buffer, value);
}

void protocol_status_add_text (dt_buffer_t *buffer, const char *name, const char *value)
{
    msgpack_write_text (buffer, name);
    msgpack_write_text (buffer, value);
}

int protocol_status_read_open (msgpack_cursor_t *cursor, msgpack_slice_t body)
{
    msgpack_cursor_init (cursor, body.data, body.bytes);
    uint32_t pairs = msgpack_cursor_map (cursor);
    return cursor->rc || pairs > INT32_MAX ? DT_ERR_MALFORMED : (int) pairs;
}

int protocol_status_read_next (msgpack_cursor_t *cursor, protocol_status_item_t *item)
{
    protocol_status_item_t found = {0};
    found.name = msgpack_cursor_bytes (cursor);
    found.kind = msgpack_cursor_kind (cursor);
    msgpack_cursor_t value = *cursor;
    found.raw = msgpack_cursor_object (cursor, BODY_DEPTH);
    if (cursor->rc) {
        return cursor->rc;
    }
    if (found.kind == MSGPACK_KIND_UINT) {
        found.number = msgpack_cursor_uint (&value);
    } else if (found.kind == MSGPACK_KIND_BOOL) {
        found.number = msgpack_cursor_bool (&value);
    } else if (found.kind == MSGPACK_KIND_BYTES) {
        found.text = msgpack_cursor_bytes (&value);
    }
    *item = found;
    return 0;
}
