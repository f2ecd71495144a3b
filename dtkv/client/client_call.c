// The asynchronous calls: bodies of requests.

#include <string.h>

#include "dtkv/client/client_body.h"
#include "dtkv/client/client_internal.h"

static int s_call_nil (dt_client_t *self, const client_call_t *call)
{
    client_request_t request;
    uint8_t *place;
    int rc = client_request_begin (&request, self, call, 1, &place);
    if (rc == 0) {
        *place++ = 0xc0;
        client_request_end (&request, call, place);
    }
    return rc;
}

// [ path, flags ? ]
static int s_call_path (dt_client_t *self, const client_call_t *call, dt_bytes_t path)
{
    if (!client_bytes_valid (path)) {
        return DT_INVALID;
    }
    client_request_t request;
    uint8_t *place;
    uint32_t flags = client_flags (call->options);
    int rc = client_request_begin (&request, self, call, 6 + client_room (path), &place);
    if (rc) {
        return rc;
    }
    *place++ = flags ? 0x92 : 0x91;
    place = client_put_bytes (place, path);
    if (flags) {
        place = msgpack_put_uint (place, flags);
    }
    client_request_end (&request, call, place);
    return 0;
}

// [ number ]
static int s_call_number (dt_client_t *self, const client_call_t *call, uint64_t number)
{
    client_request_t request;
    uint8_t *place;
    int rc = client_request_begin (&request, self, call, 1 + MSGPACK_HEADER_BYTES_MAX, &place);
    if (rc == 0) {
        *place++ = 0x91;
        place = msgpack_put_uint (place, number);
        client_request_end (&request, call, place);
    }
    return rc;
}

int dt_client_ping_async (dt_client_t *self, const dt_call_options_t *options,
                          dt_callback_t *callback, void *user)
{
    client_call_t call = {DT_OPERATION_PING, SLOT_SAFE, options, callback, user};
    return s_call_nil (self, &call);
}

int dt_client_status_async (dt_client_t *self, const dt_call_options_t *options,
                            dt_callback_t *callback, void *user)
{
    client_call_t call = {DT_OPERATION_STATUS, SLOT_SAFE, options, callback, user};
    return s_call_nil (self, &call);
}

int dt_client_admin_async (dt_client_t *self, dt_admin_t operation, dt_bytes_t body,
                           const dt_call_options_t *options, dt_callback_t *callback, void *user)
{
    // What changes something is not sent again after silence, though repeating it does no harm: who
    // asked should look first.
    uint8_t flags = operation == DT_ADMIN_CONFIG_GET ? SLOT_SAFE : SLOT_WRITE;
    client_call_t call = {(uint8_t) operation, flags, options, callback, user};
    if (body.bytes == 0) {
        return s_call_nil (self, &call);
    }
    client_request_t request;
    uint8_t *place;
    int rc = client_request_begin (&request, self, &call, body.bytes, &place);
    if (rc == 0) {
        memcpy (place, body.data, body.bytes);
        client_request_end (&request, &call, place + body.bytes);
    }
    return rc;
}

int dt_client_snapshot_take_async (dt_client_t *self, const dt_call_options_t *options,
                                   dt_callback_t *callback, void *user)
{
    // A snapshot changes nothing, but a second one is work: not sent again after silence.
    client_call_t call = {DT_OPERATION_SNAPSHOT_TAKE, 0, options, callback, user};
    return s_call_nil (self, &call);
}

int dt_client_get_async (dt_client_t *self, dt_bytes_t path, const dt_call_options_t *options,
                         dt_callback_t *callback, void *user)
{
    client_call_t call = {DT_OPERATION_GET, SLOT_SAFE, options, callback, user};
    return s_call_path (self, &call, path);
}

int dt_client_remove_async (dt_client_t *self, dt_bytes_t path, const dt_call_options_t *options,
                            dt_callback_t *callback, void *user)
{
    client_call_t call = {DT_OPERATION_REMOVE, SLOT_WRITE, options, callback, user};
    return s_call_path (self, &call, path);
}

int dt_client_mkdir_async (dt_client_t *self, dt_bytes_t path, const dt_call_options_t *options,
                           dt_callback_t *callback, void *user)
{
    client_call_t call = {DT_OPERATION_MKDIR, SLOT_WRITE, options, callback, user};
    return s_call_path (self, &call, path);
}

int dt_client_put_async (dt_client_t *self, dt_bytes_t path, dt_bytes_t value,
                         const dt_call_options_t *options, dt_callback_t *callback, void *user)
{
    if (!client_bytes_valid (path) || !client_bytes_valid (value)) {
        return DT_INVALID;
    }
    client_call_t call = {DT_OPERATION_PUT, SLOT_WRITE, options, callback, user};
    client_request_t request;
    uint8_t *place;
    uint32_t flags = client_flags (options);
    int rc = client_request_begin (&request, self, &call,
                                   6 + client_room (path) + client_room (value), &place);
    if (rc) {
        return rc;
    }
    *place++ = flags ? 0x93 : 0x92;
    place = client_put_bytes (place, path);
    place = client_put_bytes (place, value);
    if (flags) {
        place = msgpack_put_uint (place, flags);
    }
    client_request_end (&request, &call, place);
    return 0;
}

int dt_client_list_async (dt_client_t *self, dt_bytes_t path, const dt_page_t *page,
                          const dt_call_options_t *options, dt_callback_t *callback, void *user)
{
    static const dt_page_t whole;
    const dt_page_t *from = page ? page : &whole;
    if (!client_bytes_valid (path) || !client_bytes_valid (from->after)) {
        return DT_INVALID;
    }
    client_call_t call = {DT_OPERATION_LIST, SLOT_SAFE, options, callback, user};
    client_request_t request;
    uint8_t *place;
    size_t room = 1 + 3 * MSGPACK_HEADER_BYTES_MAX + client_room (path) + client_room (from->after);
    int rc = client_request_begin (&request, self, &call, room, &place);
    if (rc) {
        return rc;
    }
    *place++ = from->after.bytes ? 0x95 : from->items_max || from->bytes_max ? 0x94 : 0x92;
    uint8_t count = place[-1] & 0x0f;
    place = client_put_bytes (place, path);
    place = msgpack_put_uint (place, client_flags (options));
    if (count > 2) {
        place = msgpack_put_uint (place, from->items_max ? from->items_max : 10000);
        place = msgpack_put_uint (place, from->bytes_max ? from->bytes_max : 1u << 20);
    }
    if (count > 4) {
        place = client_put_bytes (place, from->after);
    }
    client_request_end (&request, &call, place);
    return 0;
}

// [ [ path ... ], flags ? ]
static int s_call_paths (dt_client_t *self, const client_call_t *call, const dt_bytes_t *paths,
                         size_t count)
{
    size_t room = 1 + 2 * MSGPACK_HEADER_BYTES_MAX;
    for (size_t i = 0; i < count && room < CLIENT_BYTES_LIMIT; i++) {
        if (!client_bytes_valid (paths[i])) {
            return DT_INVALID;
        }
        room += client_room (paths[i]);
    }
    client_request_t request;
    uint8_t *place;
    int rc = client_request_begin (&request, self, call, room, &place);
    if (rc) {
        return rc;
    }
    uint32_t flags = client_flags (call->options);
    *place++ = flags ? 0x92 : 0x91;
    place = msgpack_put_array (place, (uint32_t) count);
    for (size_t i = 0; i < count; i++) {
        place = client_put_bytes (place, paths[i]);
    }
    if (flags) {
        place = msgpack_put_uint (place, flags);
    }
    client_request_end (&request, call, place);
    return 0;
}

int dt_client_batch_get_async (dt_client_t *self, const dt_bytes_t *paths, size_t count,
                               const dt_call_options_t *options, dt_callback_t *callback,
                               void *user)
{
    client_call_t call = {DT_OPERATION_BATCH_GET, SLOT_SAFE, options, callback, user};
    return s_call_paths (self, &call, paths, count);
}

int dt_client_batch_remove_async (dt_client_t *self, const dt_bytes_t *paths, size_t count,
                                  const dt_call_options_t *options, dt_callback_t *callback,
                                  void *user)
{
    client_call_t call = {DT_OPERATION_BATCH_REMOVE, SLOT_WRITE, options, callback, user};
    return s_call_paths (self, &call, paths, count);
}

int dt_client_batch_put_async (dt_client_t *self, const dt_pair_t *pairs, size_t count,
                               const dt_call_options_t *options, dt_callback_t *callback,
                               void *user)
{
    size_t room = 1 + 2 * MSGPACK_HEADER_BYTES_MAX;
    for (size_t i = 0; i < count && room < CLIENT_BYTES_LIMIT; i++) {
        if (!client_bytes_valid (pairs[i].path) || !client_bytes_valid (pairs[i].value)) {
            return DT_INVALID;
        }
        room += 1 + client_room (pairs[i].path) + client_room (pairs[i].value);
    }
    client_call_t call = {DT_OPERATION_BATCH_PUT, SLOT_WRITE, options, callback, user};
    client_request_t request;
    uint8_t *place;
    int rc = client_request_begin (&request, self, &call, room, &place);
    if (rc) {
        return rc;
    }
    uint32_t flags = client_flags (options);
    *place++ = flags ? 0x92 : 0x91;
    place = msgpack_put_array (place, (uint32_t) count);
    for (size_t i = 0; i < count; i++) {
        *place++ = 0x92;
        place = client_put_bytes (place, pairs[i].path);
        place = client_put_bytes (place, pairs[i].value);
    }
    if (flags) {
        place = msgpack_put_uint (place, flags);
    }
    client_request_end (&request, &call, place);
    return 0;
}

// The expected value or number: nil and 0 stand for "must not exist".
static uint8_t *s_put_expected (uint8_t *place, const dt_condition_t *condition)
{
    if (condition->compare == DT_COMPARE_VALUE) {
        if (!condition->absent) {
            return client_put_bytes (place, condition->value);
        }
        *place++ = 0xc0;
        return place;
    }
    return msgpack_put_uint (place, condition->absent ? 0 : condition->number);
}

int dt_client_compare_and_set_async (dt_client_t *self, dt_bytes_t path,
                                     const dt_condition_t *condition, const dt_bytes_t *value,
                                     const dt_call_options_t *options, dt_callback_t *callback,
                                     void *user)
{
    if (!client_bytes_valid (path) || !condition || condition->compare > DT_COMPARE_INDEX ||
        !client_bytes_valid (condition->value) || (value && !client_bytes_valid (*value))) {
        return DT_INVALID;
    }
    // 0 would mean absent, which is another question than "equals 0", which nothing does.
    if (condition->compare != DT_COMPARE_VALUE && !condition->absent && condition->number == 0) {
        return DT_INVALID;
    }
    client_call_t call = {DT_OPERATION_COMPARE_AND_SET, SLOT_WRITE, options, callback, user};
    client_request_t request;
    uint8_t *place;
    size_t room = 1 + 3 * MSGPACK_HEADER_BYTES_MAX + client_room (path) +
                  client_room (condition->value) + (value ? client_room (*value) : 1);
    int rc = client_request_begin (&request, self, &call, room, &place);
    if (rc) {
        return rc;
    }
    uint32_t flags = client_flags (options);
    *place++ = flags ? 0x95 : 0x94;
    place = client_put_bytes (place, path);
    *place++ = (uint8_t) condition->compare;
    place = s_put_expected (place, condition);
    if (value) {
        place = client_put_bytes (place, *value);
    } else {
        *place++ = 0xc0;
    }
    if (flags) {
        place = msgpack_put_uint (place, flags);
    }
    client_request_end (&request, &call, place);
    return 0;
}

int dt_client_move_async (dt_client_t *self, dt_bytes_t from, dt_bytes_t to,
                          const dt_call_options_t *options, dt_callback_t *callback, void *user)
{
    if (!client_bytes_valid (from) || !client_bytes_valid (to)) {
        return DT_INVALID;
    }
    client_call_t call = {DT_OPERATION_MOVE, SLOT_WRITE, options, callback, user};
    client_request_t request;
    uint8_t *place;
    size_t room = 1 + MSGPACK_HEADER_BYTES_MAX + client_room (from) + client_room (to);
    int rc = client_request_begin (&request, self, &call, room, &place);
    if (rc == 0) {
        *place++ = 0x93;
        place = client_put_bytes (place, from);
        place = client_put_bytes (place, to);
        place = msgpack_put_uint (place, client_flags (options));
        client_request_end (&request, &call, place);
    }
    return rc;
}

int dt_client_increment_async (dt_client_t *self, dt_bytes_t path, int64_t delta,
                               const dt_call_options_t *options, dt_callback_t *callback,
                               void *user)
{
    if (!client_bytes_valid (path)) {
        return DT_INVALID;
    }
    client_call_t call = {DT_OPERATION_INCREMENT, SLOT_WRITE, options, callback, user};
    client_request_t request;
    uint8_t *place;
    size_t room = 1 + 2 * MSGPACK_HEADER_BYTES_MAX + client_room (path);
    int rc = client_request_begin (&request, self, &call, room, &place);
    if (rc == 0) {
        *place++ = 0x93;
        place = client_put_bytes (place, path);
        place = msgpack_put_int (place, delta);
        place = msgpack_put_uint (place, client_flags (options));
        client_request_end (&request, &call, place);
    }
    return rc;
}

int dt_client_session_open_async (dt_client_t *self, uint32_t ttl_ms,
                                  const dt_call_options_t *options, dt_callback_t *callback,
                                  void *user)
{
    client_call_t call = {DT_OPERATION_SESSION_OPEN, SLOT_WRITE, options, callback, user};
    return s_call_number (self, &call, ttl_ms);
}

int dt_client_session_close_async (dt_client_t *self, uint64_t session_id,
                                   const dt_call_options_t *options, dt_callback_t *callback,
                                   void *user)
{
    client_call_t call = {DT_OPERATION_SESSION_CLOSE, SLOT_WRITE, options, callback, user};
    return s_call_number (self, &call, session_id);
}

int dt_client_session_keepalive_async (dt_client_t *self, uint64_t session_id,
                                       const dt_call_options_t *options, dt_callback_t *callback,
                                       void *user)
{
    client_call_t call = {DT_OPERATION_SESSION_KEEPALIVE, SLOT_SAFE, options, callback, user};
    return s_call_number (self, &call, session_id);
}
