// Any bytes as a frame of replies: what is read can be written and is read again as the same.

#include <string.h>

#include "base/dt_assert.h"
#include "transport/protocol_hello.h"
#include "transport/protocol_reply.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static bool s_same (msgpack_slice_t slice, msgpack_slice_t other)
{
    return slice.bytes == other.bytes && !slice.data == !other.data &&
           (slice.bytes == 0 || memcmp (slice.data, other.data, slice.bytes) == 0);
}

static void s_check_again (const protocol_reply_t *reply)
{
    dt_buffer_t buffer = {0};
    protocol_reply_write (&buffer, reply);
    msgpack_cursor_t cursor;
    protocol_reply_t again;
    msgpack_cursor_init (&cursor, buffer.data, buffer.bytes);
    dt_assert (protocol_reply_next (&cursor, &again) == 1);
    dt_assert (again.id == reply->id);
    dt_assert (again.code == reply->code);
    dt_assert (again.index == reply->index);
    dt_assert (again.has_digest == reply->has_digest);
    dt_assert (again.digest == reply->digest);
    dt_assert (again.leader_node_id == reply->leader_node_id);
    dt_assert (s_same (again.body, reply->body));
    dt_assert (s_same (again.message, reply->message));
    dt_assert (s_same (again.leader_address, reply->leader_address));
    dt_assert (s_same (again.trace, reply->trace));
    dt_assert (protocol_reply_next (&cursor, &again) == 0);
    dt_buffer_deinit (&buffer);
}

static void s_read_bodies (const protocol_reply_t *reply)
{
    protocol_hello_reply_t hello;
    uint32_t groups[4];
    (void) protocol_hello_reply_read (reply->body, &hello, groups, 4);
    msgpack_cursor_t cursor;
    protocol_status_item_t item;
    int pairs = protocol_status_read_open (&cursor, reply->body);
    for (int i = 0; i < pairs && protocol_status_read_next (&cursor, &item) == 0; i++) {
        dt_assert (item.raw.bytes > 0);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    msgpack_cursor_t cursor;
    protocol_reply_t reply;
    msgpack_cursor_init (&cursor, data, bytes);
    int rc;
    while ((rc = protocol_reply_next (&cursor, &reply)) == 1) {
        s_check_again (&reply);
        s_read_bodies (&reply);
    }
    dt_assert (rc == 0 || rc == DT_ERR_MALFORMED);
    return 0;
}
