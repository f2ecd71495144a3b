// Reading the bodies of results.

#include "dtkv/client/dt_client.h"
#include "transport/msgpack_cursor.h"
#include "transport/protocol_hello.h"

static void s_start (msgpack_cursor_t *cursor, const dt_result_t *result)
{
    msgpack_cursor_init (cursor, result->body.data, result->body.bytes);
}

static dt_bytes_t s_bytes (msgpack_slice_t slice)
{
    return dt_bytes (slice.data, slice.bytes);
}

static void s_skip (msgpack_cursor_t *cursor, uint32_t elements)
{
    for (; elements && !cursor->rc; elements--) {
        msgpack_cursor_skip (cursor, MSGPACK_DEPTH_MAX);
    }
}

// [ create-index, modify-index, version, child-version, create-time-ms, modify-time-ms, writer,
// owner-session, ttl-ms ]
static void s_read_meta (msgpack_cursor_t *cursor, dt_node_t *node)
{
    uint32_t elements = msgpack_cursor_array (cursor);
    if (elements < 9) {
        msgpack_cursor_fail (cursor);
        return;
    }
    dt_node_meta_t *meta = &node->meta;
    meta->create_index = msgpack_cursor_uint (cursor);
    meta->modify_index = msgpack_cursor_uint (cursor);
    meta->version = msgpack_cursor_uint (cursor);
    meta->child_version = msgpack_cursor_uint (cursor);
    meta->create_time_ms = msgpack_cursor_uint (cursor);
    meta->modify_time_ms = msgpack_cursor_uint (cursor);
    meta->writer = msgpack_cursor_uint (cursor);
    meta->owner_session = msgpack_cursor_uint (cursor);
    meta->ttl_ms = msgpack_cursor_uint (cursor);
    s_skip (cursor, elements - 9);
    node->has_meta = true;
}

// [ node-flags, value, meta ? ] or nil. False: nil, or malformed.
static bool s_read_node (msgpack_cursor_t *cursor, dt_node_t *node)
{
    memset (node, 0, sizeof *node);
    if (msgpack_cursor_take_nil (cursor)) {
        return false;
    }
    uint32_t elements = msgpack_cursor_array (cursor);
    if (elements < 2) {
        msgpack_cursor_fail (cursor);
        return false;
    }
    node->flags = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
    node->has_value = !msgpack_cursor_take_nil (cursor);
    if (node->has_value) {
        node->value = s_bytes (msgpack_cursor_bytes (cursor));
    }
    if (elements > 2 && !msgpack_cursor_take_nil (cursor)) {
        s_read_meta (cursor, node);
    }
    s_skip (cursor, elements > 3 ? elements - 3 : 0);
    return cursor->rc == 0;
}

bool dt_result_node (const dt_result_t *result, dt_node_t *node)
{
    msgpack_cursor_t cursor;
    s_start (&cursor, result);
    return s_read_node (&cursor, node) && msgpack_cursor_finished (&cursor);
}

static void s_iterate (dt_iterator_t *iterator, const msgpack_cursor_t *cursor, uint32_t items)
{
    iterator->place = cursor->place;
    iterator->end = cursor->end;
    iterator->left = items;
    iterator->malformed = false;
}

static bool s_resume (dt_iterator_t *iterator, msgpack_cursor_t *cursor)
{
    if (iterator->left == 0 || iterator->malformed) {
        return false;
    }
    iterator->left--;
    msgpack_cursor_init (cursor, iterator->place, (size_t) (iterator->end - iterator->place));
    return true;
}

static bool s_suspend (dt_iterator_t *iterator, const msgpack_cursor_t *cursor)
{
    iterator->place = cursor->place;
    iterator->malformed = cursor->rc != 0;
    return !iterator->malformed;
}

// [ [ [ name, node ? ] ... ], next, count ]
bool dt_result_list (const dt_result_t *result, dt_iterator_t *iterator, dt_bytes_t *next,
                     uint64_t *count)
{
    msgpack_cursor_t cursor, items;
    s_start (&cursor, result);
    uint32_t elements = msgpack_cursor_array (&cursor);
    if (elements < 3) {
        return false;
    }
    msgpack_slice_t page = msgpack_cursor_object (&cursor, MSGPACK_DEPTH_MAX);
    dt_bytes_t following = {NULL, 0};
    if (!msgpack_cursor_take_nil (&cursor)) {
        following = s_bytes (msgpack_cursor_bytes (&cursor));
    }
    uint64_t total = msgpack_cursor_uint (&cursor);
    s_skip (&cursor, elements - 3);
    if (!msgpack_cursor_finished (&cursor)) {
        return false;
    }
    msgpack_cursor_init (&items, page.data, page.bytes);
    uint32_t held = msgpack_cursor_array (&items);
    if (items.rc) {
        return false;
    }
    s_iterate (iterator, &items, held);
    if (next) {
        *next = following;
    }
    if (count) {
        *count = total;
    }
    return true;
}

bool dt_list_item_next (dt_iterator_t *iterator, dt_list_item_t *item)
{
    msgpack_cursor_t cursor;
    if (!s_resume (iterator, &cursor)) {
        return false;
    }
    uint32_t elements = msgpack_cursor_array (&cursor);
    memset (item, 0, sizeof *item);
    if (elements == 0) {
        msgpack_cursor_fail (&cursor);
    }
    item->name = s_bytes (msgpack_cursor_bytes (&cursor));
    if (elements > 1) {
        item->has_node = s_read_node (&cursor, &item->node);
    }
    s_skip (&cursor, elements > 2 ? elements - 2 : 0);
    return s_suspend (iterator, &cursor);
}

static bool s_start_array (const dt_result_t *result, dt_iterator_t *iterator)
{
    msgpack_cursor_t cursor;
    s_start (&cursor, result);
    uint32_t items = msgpack_cursor_array (&cursor);
    s_iterate (iterator, &cursor, items);
    return cursor.rc == 0;
}

bool dt_result_batch (const dt_result_t *result, dt_iterator_t *iterator)
{
    return s_start_array (result, iterator);
}

bool dt_batch_item_next (dt_iterator_t *iterator, dt_batch_item_t *item)
{
    msgpack_cursor_t cursor;
    if (!s_resume (iterator, &cursor)) {
        return false;
    }
    uint32_t elements = msgpack_cursor_array (&cursor);
    memset (item, 0, sizeof *item);
    if (elements == 0) {
        msgpack_cursor_fail (&cursor);
    }
    item->code = (int) msgpack_cursor_uint_max (&cursor, INT32_MAX);
    if (elements > 1) {
        item->has_node = s_read_node (&cursor, &item->node);
    }
    s_skip (&cursor, elements > 2 ? elements - 2 : 0);
    return s_suspend (iterator, &cursor);
}

bool dt_result_status (const dt_result_t *result, dt_iterator_t *iterator)
{
    msgpack_cursor_t cursor;
    s_start (&cursor, result);
    uint32_t pairs = msgpack_cursor_map (&cursor);
    s_iterate (iterator, &cursor, pairs);
    return cursor.rc == 0;
}

// A signed integer in any of msgpack's signed encodings, well formed as the cursor saw it.
static int64_t s_signed (msgpack_slice_t raw)
{
    size_t width = raw.bytes - 1;
    if (width == 0) {
        return (int8_t) raw.data[0];
    }
    uint64_t word = raw.data[1] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 1; i <= width; i++) {
        word = word << 8 | raw.data[i];
    }
    return (int64_t) word;
}

bool dt_status_item_next (dt_iterator_t *iterator, dt_status_item_t *item)
{
    msgpack_cursor_t cursor;
    protocol_status_item_t read;
    if (!s_resume (iterator, &cursor)) {
        return false;
    }
    memset (item, 0, sizeof *item);
    if (protocol_status_read_next (&cursor, &read)) {
        iterator->malformed = true;
        return false;
    }
    item->name = s_bytes (read.name);
    item->raw = s_bytes (read.raw);
    switch (read.kind) {
    case MSGPACK_KIND_NIL:
        item->kind = DT_STATUS_NIL;
        break;
    case MSGPACK_KIND_BOOL:
        item->kind = DT_STATUS_BOOL;
        item->number = read.number;
        break;
    case MSGPACK_KIND_UINT:
        item->kind = DT_STATUS_UNSIGNED;
        item->number = read.number;
        break;
    case MSGPACK_KIND_NEGATIVE:
        item->kind = DT_STATUS_SIGNED;
        item->number = (uint64_t) s_signed (read.raw);
        break;
    case MSGPACK_KIND_BYTES:
        item->kind = DT_STATUS_TEXT;
        item->text = s_bytes (read.text);
        break;
    default:
        item->kind = DT_STATUS_OTHER;
    }
    return s_suspend (iterator, &cursor);
}

// [ number, number ]
static bool s_read_pair (const dt_result_t *result, uint64_t *first, uint64_t *second)
{
    msgpack_cursor_t cursor;
    s_start (&cursor, result);
    uint32_t elements = msgpack_cursor_array (&cursor);
    if (elements < 2) {
        return false;
    }
    uint64_t one = msgpack_cursor_uint (&cursor);
    uint64_t two = msgpack_cursor_uint (&cursor);
    s_skip (&cursor, elements - 2);
    if (!msgpack_cursor_finished (&cursor)) {
        return false;
    }
    *first = one;
    *second = two;
    return true;
}

bool dt_result_session (const dt_result_t *result, uint64_t *session_id, uint64_t *ttl_ms)
{
    return s_read_pair (result, session_id, ttl_ms);
}

bool dt_result_snapshot (const dt_result_t *result, uint64_t *index, uint64_t *bytes)
{
    return s_read_pair (result, index, bytes);
}

bool dt_result_number (const dt_result_t *result, int64_t *number)
{
    msgpack_cursor_t cursor;
    s_start (&cursor, result);
    uint32_t elements = msgpack_cursor_array (&cursor);
    int64_t read = msgpack_cursor_int (&cursor);
    s_skip (&cursor, elements > 1 ? elements - 1 : 0);
    if (elements == 0 || !msgpack_cursor_finished (&cursor)) {
        return false;
    }
    *number = read;
    return true;
}

bool dt_result_path (const dt_result_t *result, dt_bytes_t *path)
{
    msgpack_cursor_t cursor;
    s_start (&cursor, result);
    msgpack_slice_t read = msgpack_cursor_bytes (&cursor);
    if (!msgpack_cursor_finished (&cursor)) {
        return false;
    }
    *path = s_bytes (read);
    return true;
}

// [ succeeded, [ [ code, body ] ... ] ]
bool dt_result_txn (const dt_result_t *result, bool *succeeded, dt_iterator_t *iterator)
{
    msgpack_cursor_t cursor;
    s_start (&cursor, result);
    uint32_t elements = msgpack_cursor_array (&cursor);
    bool hold = msgpack_cursor_bool (&cursor);
    uint32_t items = msgpack_cursor_array (&cursor);
    if (elements < 2 || cursor.rc) {
        return false;
    }
    s_iterate (iterator, &cursor, items);
    if (succeeded) {
        *succeeded = hold;
    }
    return true;
}

bool dt_txn_result_next (dt_iterator_t *iterator, dt_result_t *result)
{
    msgpack_cursor_t cursor;
    if (!s_resume (iterator, &cursor)) {
        return false;
    }
    uint32_t elements = msgpack_cursor_array (&cursor);
    memset (result, 0, sizeof *result);
    if (elements < 2) {
        msgpack_cursor_fail (&cursor);
    }
    result->code = (int) msgpack_cursor_uint_max (&cursor, INT32_MAX);
    result->outcome = dt_code_is_success (result->code) ? DT_OUTCOME_DONE : DT_OUTCOME_NOT_DONE;
    result->body = s_bytes (msgpack_cursor_object (&cursor, MSGPACK_DEPTH_MAX));
    s_skip (&cursor, elements > 2 ? elements - 2 : 0);
    return s_suspend (iterator, &cursor);
}
