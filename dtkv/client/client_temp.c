// Bodies and results of temporary nodes.

#include "dtkv/client/client_body.h"
#include "dtkv/client/client_internal.h"
#include "dtkv/client/dt_client_lock.h"
#include "transport/msgpack_cursor.h"

// The longest: [ path, value, ttl-ms, flags ].
static size_t s_body_room (dt_bytes_t path, dt_bytes_t value)
{
    return 1 + client_room (path) + client_room (value) + 2 * MSGPACK_HEADER_BYTES_MAX;
}

// [ path, ttl-ms, flags ? ], or with a value behind the path.
static int s_call (dt_client_t *self, const client_call_t *call, dt_bytes_t path,
                   const dt_bytes_t *value, uint64_t ttl_ms)
{
    dt_bytes_t bytes = value ? *value : dt_bytes (NULL, 0);
    if (!client_bytes_valid (path) || !client_bytes_valid (bytes)) {
        return DT_INVALID;
    }
    client_request_t request;
    uint8_t *place;
    int rc = client_request_begin (&request, self, call, s_body_room (path, bytes), &place);
    if (rc) {
        return rc;
    }
    uint32_t flags = client_flags (call->options);
    *place++ = (uint8_t) (0x92 + (value != NULL) + (flags != 0));
    place = client_put_bytes (place, path);
    if (value) {
        place = client_put_bytes (place, bytes);
    }
    place = msgpack_put_uint (place, ttl_ms);
    if (flags) {
        place = msgpack_put_uint (place, flags);
    }
    client_request_end (&request, call, place);
    return 0;
}

int dt_client_put_temp_async (dt_client_t *self, dt_bytes_t path, dt_bytes_t value, uint64_t ttl_ms,
                              const dt_call_options_t *options, dt_callback_t *callback, void *user)
{
    client_call_t call = {DT_OPERATION_PUT_TEMP, SLOT_WRITE, options, callback, user};
    return s_call (self, &call, path, &value, ttl_ms);
}

int dt_client_mkdir_temp_async (dt_client_t *self, dt_bytes_t path, uint64_t ttl_ms,
                                const dt_call_options_t *options, dt_callback_t *callback,
                                void *user)
{
    client_call_t call = {DT_OPERATION_MKDIR_TEMP, SLOT_WRITE, options, callback, user};
    return s_call (self, &call, path, NULL, ttl_ms);
}

int dt_client_update_ttl_async (dt_client_t *self, dt_bytes_t path, uint64_t ttl_ms,
                                const dt_call_options_t *options, dt_callback_t *callback,
                                void *user)
{
    client_call_t call = {DT_OPERATION_UPDATE_TTL, SLOT_WRITE, options, callback, user};
    return client_flags (options) ? DT_INVALID : s_call (self, &call, path, NULL, ttl_ms);
}

bool dt_result_ttl (const dt_result_t *result, uint64_t *ttl_ms)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, result->body.data, result->body.bytes);
    if (msgpack_cursor_array (&cursor) < 1) {
        return false;
    }
    uint64_t read_ms = msgpack_cursor_uint (&cursor);
    if (cursor.rc) {
        return false;
    }
    *ttl_ms = read_ms;
    return true;
}
