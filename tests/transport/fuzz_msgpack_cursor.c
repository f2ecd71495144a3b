// Any bytes: skip and the readers agree on what an object is, and neither leaves the input.

#include "base/dt_assert.h"
#include "transport/msgpack_cursor.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

// Read one object with the readers, without recursion; arrays and maps are entered.
static void s_walk (msgpack_cursor_t *cursor)
{
    uint64_t waiting = 1;
    while (waiting > 0 && cursor->rc == 0) {
        waiting--;
        switch (msgpack_cursor_kind (cursor)) {
        case MSGPACK_KIND_NIL:
            dt_assert (msgpack_cursor_take_nil (cursor));
            break;
        case MSGPACK_KIND_BOOL:
            msgpack_cursor_bool (cursor);
            break;
        case MSGPACK_KIND_UINT:
            msgpack_cursor_uint (cursor);
            break;
        case MSGPACK_KIND_BYTES: {
            msgpack_slice_t slice = msgpack_cursor_bytes (cursor);
            dt_assert (cursor->rc || slice.data + slice.bytes == cursor->place);
            break;
        }
        case MSGPACK_KIND_ARRAY:
            waiting += msgpack_cursor_array (cursor);
            break;
        case MSGPACK_KIND_MAP:
            waiting += 2 * (uint64_t) msgpack_cursor_map (cursor);
            break;
        default:
            msgpack_cursor_skip (cursor, 0);
        }
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    msgpack_cursor_t skipped, walked;
    msgpack_cursor_init (&skipped, data, bytes);
    msgpack_cursor_init (&walked, data, bytes);
    while (msgpack_cursor_left (&skipped) > 0) {
        const uint8_t *start = skipped.place;
        msgpack_slice_t object = msgpack_cursor_object (&skipped, MSGPACK_DEPTH_MAX);
        if (skipped.rc) {
            dt_assert (skipped.rc == DT_ERR_MALFORMED);
            dt_assert (object.data == NULL);
            break;
        }
        dt_assert (object.data == start && object.bytes > 0);
        dt_assert (skipped.place <= skipped.end);
        s_walk (&walked); // what skip accepts the readers accept
        dt_assert (walked.rc == 0);
        dt_assert (walked.place == skipped.place);
    }
    return 0;
}
