// Bodies and results of lock, unlock and lock_renew.

#include "dtkv/client/client_body.h"
#include "dtkv/client/client_internal.h"
#include "dtkv/client/dt_client_lock.h"
#include "transport/msgpack_cursor.h"

// [ path, mode, wait-ms, lease-ms, value, permits, flags ]
int dt_client_lock_async (dt_client_t *self, dt_bytes_t path, const dt_lock_request_t *lock,
                          const dt_call_options_t *options, dt_callback_t *callback, void *user)
{
    if (!client_bytes_valid (path) || !lock || lock->mode > DT_LOCK_SEMAPHORE ||
        !client_bytes_valid (lock->value)) {
        return DT_INVALID;
    }
    client_call_t call = {DT_OPERATION_LOCK, SLOT_WRITE, options, callback, user};
    client_request_t request;
    uint8_t *place;
    size_t room = 1 + client_room (path) + client_room (lock->value) + 5 * MSGPACK_HEADER_BYTES_MAX;
    int rc = client_request_begin (&request, self, &call, room, &place);
    if (rc) {
        return rc;
    }
    *place++ = 0x97;
    place = client_put_bytes (place, path);
    place = msgpack_put_uint (place, lock->mode);
    place = msgpack_put_uint (place, lock->wait_ms);
    place = msgpack_put_uint (place, lock->lease_ms);
    place = client_put_bytes (place, lock->value);
    place = msgpack_put_uint (place, lock->permits);
    place = msgpack_put_uint (place, client_flags (options));
    client_request_end (&request, &call, place);
    return 0;
}

// [ path, token, number ? ]
static int s_call_token (dt_client_t *self, const client_call_t *call, dt_bytes_t path,
                         uint64_t token, uint64_t number)
{
    if (!client_bytes_valid (path)) {
        return DT_INVALID;
    }
    client_request_t request;
    uint8_t *place;
    size_t room = 1 + client_room (path) + 2 * MSGPACK_HEADER_BYTES_MAX;
    int rc = client_request_begin (&request, self, call, room, &place);
    if (rc) {
        return rc;
    }
    *place++ = number ? 0x93 : 0x92;
    place = client_put_bytes (place, path);
    place = msgpack_put_uint (place, token);
    if (number) {
        place = msgpack_put_uint (place, number);
    }
    client_request_end (&request, call, place);
    return 0;
}

int dt_client_unlock_async (dt_client_t *self, dt_bytes_t path, uint64_t token,
                            const dt_call_options_t *options, dt_callback_t *callback, void *user)
{
    client_call_t call = {DT_OPERATION_UNLOCK, SLOT_WRITE, options, callback, user};
    return s_call_token (self, &call, path, token, client_flags (options));
}

int dt_client_lock_renew_async (dt_client_t *self, dt_bytes_t path, uint64_t token,
                                uint64_t lease_ms, const dt_call_options_t *options,
                                dt_callback_t *callback, void *user)
{
    client_call_t call = {DT_OPERATION_LOCK_RENEW, SLOT_WRITE, options, callback, user};
    return client_flags (options) ? DT_INVALID : s_call_token (self, &call, path, token, lease_ms);
}

// lock: [ token, contender, lease-ms ]; lock_renew: [ token, lease-ms ]
bool dt_result_lock (const dt_result_t *result, dt_lock_answer_t *answer)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, result->body.data, result->body.bytes);
    if (msgpack_cursor_take_nil (&cursor)) {
        return false;
    }
    bool renewal = result->operation == DT_OPERATION_LOCK_RENEW;
    dt_lock_answer_t read = {0};
    if (msgpack_cursor_array (&cursor) < (renewal ? 2u : 3u)) {
        return false;
    }
    read.token = msgpack_cursor_uint (&cursor);
    if (!renewal) {
        msgpack_slice_t name = msgpack_cursor_bytes (&cursor);
        read.contender = dt_bytes (name.data, name.bytes);
    }
    read.lease_ms = msgpack_cursor_uint (&cursor);
    if (cursor.rc) {
        return false;
    }
    *answer = read;
    return true;
}

// [ state, mode, token, lease-ms, permits, value ]
bool dt_contender_read (dt_bytes_t bytes, dt_contender_t *contender)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, bytes.data, bytes.bytes);
    if (msgpack_cursor_array (&cursor) < 6) {
        return false;
    }
    dt_contender_t read = {0};
    read.holding = msgpack_cursor_uint_max (&cursor, 1);
    read.mode = (dt_lock_mode_t) msgpack_cursor_uint_max (&cursor, DT_LOCK_SEMAPHORE);
    read.token = msgpack_cursor_uint (&cursor);
    read.lease_ms = msgpack_cursor_uint (&cursor);
    read.permits = (uint32_t) msgpack_cursor_uint_max (&cursor, UINT32_MAX);
    if (!msgpack_cursor_take_nil (&cursor)) {
        msgpack_slice_t value = msgpack_cursor_bytes (&cursor);
        read.value = dt_bytes (value.data, value.bytes);
    }
    if (cursor.rc) {
        return false;
    }
    *contender = read;
    return true;
}
