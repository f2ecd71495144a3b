#include "dtkv/core/dtkv_request.h"

#include "dtkv/core/dtkv_lock.h"
#include "dtkv/core/dtkv_result.h"
#include "dtkv/core/dtkv_transaction.h"

// Elements that are not known may hold arrays and maps: how deep, where the request, the body, and
// in a batch the items and each item, are arrays already.
enum { INNER_DEPTH = MSGPACK_DEPTH_MAX - 2, ITEM_DEPTH = INNER_DEPTH - 2 };

// What a decoder has come to so far: wrong form beats all, a wrong key beats what follows it.
typedef struct {
    msgpack_cursor_t cursor;
    uint32_t left; // elements of the body not read yet
    int code;      // first thing wrong with the content
    const dtkv_limits_t *limits;
} s_decoder_t;

static void s_refuse (s_decoder_t *decoder, int code)
{
    if (!decoder->code) {
        decoder->code = code;
    }
}

// Read a str or bin; anything else is skipped and refused with `code`.
static bool s_bytes (s_decoder_t *decoder, int code, msgpack_slice_t *slice)
{
    msgpack_cursor_t *cursor = &decoder->cursor;
    bool likely = cursor->place < cursor->end && *cursor->place == 0xc4;
    if (likely || msgpack_cursor_kind (cursor) == MSGPACK_KIND_BYTES) {
        *slice = msgpack_cursor_bytes (cursor);
        return true;
    }
    *slice = (msgpack_slice_t){0};
    msgpack_cursor_skip (cursor, INNER_DEPTH);
    s_refuse (decoder, code);
    return false;
}

static void s_path (s_decoder_t *decoder, dtkv_path_t *path)
{
    msgpack_slice_t slice;
    if (s_bytes (decoder, DTKV_INVALID_KEY, &slice)) {
        int code = dtkv_path_parse (path, slice.data, slice.bytes, decoder->limits);
        if (code) {
            s_refuse (decoder, code);
        }
    }
}

static void s_value (s_decoder_t *decoder, msgpack_slice_t *value)
{
    if (s_bytes (decoder, DTKV_INVALID_VALUE, value) &&
        value->bytes > decoder->limits->value_bytes_max) {
        s_refuse (decoder, DTKV_VALUE_TOO_LONG);
    }
}

// Begin to read the body's next element, if it is there.
static bool s_more (s_decoder_t *decoder)
{
    if (decoder->left == 0) {
        return false;
    }
    decoder->left--;
    return true;
}

// An optional number; missing, nil and 0 are the default.
static uint64_t s_optional (s_decoder_t *decoder, uint64_t limit)
{
    if (!s_more (decoder) || msgpack_cursor_take_nil (&decoder->cursor)) {
        return 0;
    }
    return msgpack_cursor_uint_max (&decoder->cursor, limit);
}

static uint32_t s_flags (s_decoder_t *decoder)
{
    uint64_t flags = s_optional (decoder, DTKV_FLAGS_ALL);
    if (flags & ~(uint64_t) DTKV_FLAGS_ALL) {
        msgpack_cursor_fail (&decoder->cursor);
    }
    return (uint32_t) flags;
}

// Open the body, an array of at least `required` elements.
static void s_open (s_decoder_t *decoder, uint32_t required)
{
    decoder->left = msgpack_cursor_array (&decoder->cursor);
    if (decoder->left < required) {
        msgpack_cursor_fail (&decoder->cursor);
        decoder->left = 0;
        return;
    }
    decoder->left -= required;
}

// Read over what is not known, and come to a result.
static int s_close (s_decoder_t *decoder)
{
    while (decoder->left && decoder->cursor.rc == 0) {
        msgpack_cursor_skip (&decoder->cursor, INNER_DEPTH);
        decoder->left--;
    }
    return msgpack_cursor_finished (&decoder->cursor) ? decoder->code : DTKV_CLIENT_REQ_ERROR;
}

static int s_decode_path (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 1);
    s_path (decoder, &self->path);
    self->flags = s_flags (decoder);
    return s_close (decoder);
}

static int s_decode_put (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    s_value (decoder, &self->value);
    self->flags = s_flags (decoder);
    return s_close (decoder);
}

static uint64_t s_clamp (uint64_t number, uint64_t limit)
{
    return number == 0 || number > limit ? limit : number;
}

static int s_decode_list (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 1);
    s_path (decoder, &self->path);
    self->flags = s_flags (decoder);
    self->items_max = s_clamp (s_optional (decoder, UINT64_MAX), decoder->limits->list_items_max);
    self->bytes_max = s_clamp (s_optional (decoder, UINT64_MAX), decoder->limits->list_bytes_max);
    if (s_more (decoder) && !msgpack_cursor_take_nil (&decoder->cursor)) {
        dtkv_path_t after;
        self->after = msgpack_cursor_bytes (&decoder->cursor);
        if (dtkv_path_parse (&after, self->after.data, self->after.bytes, decoder->limits) ||
            (after.depth > 1 && !(self->flags & DTKV_FLAG_RECURSIVE))) {
            s_refuse (decoder, DTKV_INVALID_CURSOR);
        }
    }
    return s_close (decoder);
}

static int s_decode_get_at (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    self->number = msgpack_cursor_uint (&decoder->cursor);
    self->flags = (uint32_t) s_optional (decoder, DTKV_FLAGS_ALL);
    return s_close (decoder);
}

static int s_decode_diff (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    self->number = msgpack_cursor_uint (&decoder->cursor);
    self->to_index = s_optional (decoder, UINT64_MAX);
    self->flags = (uint32_t) s_optional (decoder, DTKV_FLAGS_ALL);
    self->items_max = s_clamp (s_optional (decoder, UINT64_MAX), decoder->limits->list_items_max);
    self->bytes_max = decoder->limits->list_bytes_max;
    if (s_more (decoder) && !msgpack_cursor_take_nil (&decoder->cursor)) {
        dtkv_path_t after;
        self->after = msgpack_cursor_bytes (&decoder->cursor);
        if (dtkv_path_parse (&after, self->after.data, self->after.bytes, decoder->limits)) {
            s_refuse (decoder, DTKV_INVALID_CURSOR);
        }
    }
    return s_close (decoder);
}

static int s_decode_batch (dtkv_request_t *self, s_decoder_t *decoder, bool with_value)
{
    msgpack_cursor_t *cursor = &decoder->cursor;
    s_open (decoder, 1);
    self->item_count = msgpack_cursor_array (cursor);
    self->items = *cursor;
    for (uint32_t i = 0; i < self->item_count && cursor->rc == 0; i++) {
        uint32_t elements = 1;
        if (with_value) {
            elements = msgpack_cursor_array (cursor);
            if (elements < 2) {
                msgpack_cursor_fail (cursor);
            }
        }
        for (; elements && cursor->rc == 0; elements--) {
            msgpack_cursor_skip (cursor, with_value ? ITEM_DEPTH : ITEM_DEPTH + 1);
        }
    }
    self->items.end = cursor->place;
    self->flags = s_flags (decoder);
    if (self->item_count > decoder->limits->batch_items_max) {
        s_refuse (decoder, DTKV_BATCH_TOO_LARGE);
    }
    return s_close (decoder);
}

static int s_decode_batch_of_paths (dtkv_request_t *self, s_decoder_t *decoder)
{
    return s_decode_batch (self, decoder, false);
}

static int s_decode_batch_of_values (dtkv_request_t *self, s_decoder_t *decoder)
{
    return s_decode_batch (self, decoder, true);
}

static int s_decode_compare_and_set (dtkv_request_t *self, s_decoder_t *decoder)
{
    msgpack_cursor_t *cursor = &decoder->cursor;
    s_open (decoder, 4);
    s_path (decoder, &self->path);
    self->condition = (uint32_t) msgpack_cursor_uint_max (cursor, DTKV_CONDITION_MODIFY_INDEX);
    if (self->condition != DTKV_CONDITION_VALUE) {
        self->number = msgpack_cursor_uint (cursor);
        self->expect_absent = self->number == 0;
    } else if (msgpack_cursor_take_nil (cursor)) {
        self->expect_absent = true;
    } else {
        self->expected = msgpack_cursor_bytes (cursor);
    }
    self->value_nil = msgpack_cursor_take_nil (cursor);
    if (!self->value_nil) {
        s_value (decoder, &self->value);
    } else if (self->expect_absent) {
        s_refuse (decoder, DTKV_INVALID_VALUE);
    }
    self->flags = s_flags (decoder);
    if (self->flags & DTKV_FLAG_SEQUENTIAL) {
        msgpack_cursor_fail (
            cursor); // a condition is about one path, not about one yet to be found
    }
    return s_close (decoder);
}

static int s_decode_move (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    s_path (decoder, &self->to);
    self->flags = s_flags (decoder);
    return s_close (decoder);
}

static int s_decode_increment (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    self->delta = msgpack_cursor_int (&decoder->cursor);
    self->flags = s_flags (decoder);
    return s_close (decoder);
}

static int s_decode_transaction (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    self->items = decoder->cursor;
    bool has_else = s_more (decoder);
    int code = dtkv_transaction_scan (&decoder->cursor, has_else, decoder->limits, &self->writes);
    if (code) {
        s_refuse (decoder, code);
    }
    self->items.end = decoder->cursor.place;
    self->flags = s_flags (decoder);
    return s_close (decoder);
}

static void s_ttl (dtkv_request_t *self, s_decoder_t *decoder)
{
    self->number = msgpack_cursor_uint (&decoder->cursor);
    if (self->number > DTKV_TTL_MS_MAX) {
        s_refuse (decoder, DTKV_INVALID_TTL);
    }
}

// The flags of something temporary: without a time to live it needs an owner.
static void s_temporary_flags (dtkv_request_t *self, s_decoder_t *decoder)
{
    self->flags = (uint32_t) s_optional (decoder, DTKV_FLAGS_ALL);
    if (self->number == 0 && !(self->flags & DTKV_FLAG_OWNED)) {
        s_refuse (decoder, DTKV_INVALID_TTL);
    }
}

static int s_decode_put_temp (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 3);
    s_path (decoder, &self->path);
    s_value (decoder, &self->value);
    s_ttl (self, decoder);
    s_temporary_flags (self, decoder);
    return s_close (decoder);
}

static int s_decode_mkdir_temp (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    s_ttl (self, decoder);
    s_temporary_flags (self, decoder);
    return s_close (decoder);
}

static int s_decode_update_ttl (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    s_ttl (self, decoder);
    return s_close (decoder);
}

// An optional value; missing and nil are an empty one. What is stored around it needs room.
static void s_lock_value (dtkv_request_t *self, s_decoder_t *decoder)
{
    enum { AROUND_BYTES = 64 };
    if (!s_more (decoder) || msgpack_cursor_take_nil (&decoder->cursor)) {
        return;
    }
    if (s_bytes (decoder, DTKV_INVALID_VALUE, &self->value) &&
        self->value.bytes + AROUND_BYTES > decoder->limits->value_bytes_max) {
        s_refuse (decoder, DTKV_VALUE_TOO_LONG);
    }
}

static uint64_t s_lease (s_decoder_t *decoder)
{
    uint64_t lease_ms = s_optional (decoder, UINT64_MAX);
    if (lease_ms > DTKV_TTL_MS_MAX) {
        s_refuse (decoder, DTKV_INVALID_TTL);
    }
    return lease_ms;
}

static int s_decode_lock (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 3);
    s_path (decoder, &self->path);
    self->mode = msgpack_cursor_uint_max (&decoder->cursor, DTKV_LOCK_SEMAPHORE);
    self->wait_ms = msgpack_cursor_uint (&decoder->cursor);
    if (self->wait_ms > DTKV_TTL_MS_MAX && self->wait_ms != DTKV_LOCK_WAIT_FOR_EVER) {
        s_refuse (decoder, DTKV_INVALID_TTL);
    }
    self->lease_ms = s_lease (decoder);
    s_lock_value (self, decoder);
    self->permits = s_optional (decoder, UINT32_MAX);
    if (self->mode != DTKV_LOCK_SEMAPHORE) {
        self->permits = 0;
    } else if (self->permits == 0) {
        self->permits = 1;
    }
    self->flags = (uint32_t) s_optional (decoder, DTKV_FLAGS_ALL);
    return s_close (decoder);
}

static int s_decode_unlock (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    self->number = msgpack_cursor_uint (&decoder->cursor);
    self->flags = (uint32_t) s_optional (decoder, DTKV_FLAGS_ALL);
    return s_close (decoder);
}

static int s_decode_lock_renew (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 2);
    s_path (decoder, &self->path);
    self->number = msgpack_cursor_uint (&decoder->cursor);
    self->lease_ms = s_lease (decoder);
    return s_close (decoder);
}

// What may be done under guards: a write of the tree that is about no lock.
static bool s_may_be_guarded (uint64_t operation)
{
    switch (operation) {
    case DTKV_OP_SESSION_OPEN:
    case DTKV_OP_SESSION_CLOSE:
    case DTKV_OP_SESSION_KEEPALIVE:
    case DTKV_OP_LOCK:
    case DTKV_OP_UNLOCK:
    case DTKV_OP_LOCK_RENEW:
    case DTKV_OP_GUARDED:
        return false;
    default:
        return operation <= UINT16_MAX && dtkv_operation_writes ((uint16_t) operation, NULL, 0);
    }
}

static void s_guards (dtkv_request_t *self, s_decoder_t *decoder)
{
    msgpack_cursor_t *cursor = &decoder->cursor;
    self->item_count = msgpack_cursor_array (cursor);
    if (self->item_count == 0 || self->item_count > DTKV_LOCK_GUARDS_MAX) {
        msgpack_cursor_fail (cursor);
    }
    self->items = *cursor;
    for (uint32_t i = 0; i < self->item_count && cursor->rc == 0; i++) {
        uint32_t elements = msgpack_cursor_array (cursor);
        if (elements < 2) {
            msgpack_cursor_fail (cursor);
            return;
        }
        dtkv_path_t path;
        s_path (decoder, &path);
        msgpack_cursor_uint (cursor);
        for (; elements > 2 && cursor->rc == 0; elements--) {
            msgpack_cursor_skip (cursor, ITEM_DEPTH - 1);
        }
    }
    self->items.end = cursor->place;
}

static int s_decode_guarded (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 3);
    s_guards (self, decoder);
    uint64_t operation = msgpack_cursor_uint (&decoder->cursor);
    self->body = msgpack_cursor_object (&decoder->cursor, INNER_DEPTH);
    int code = s_close (decoder);
    if (code == DTKV_CLIENT_REQ_ERROR || !s_may_be_guarded (operation)) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    self->operation = (uint16_t) operation;
    dtkv_request_t inner;
    int inner_code = dtkv_request_decode (&inner, self->operation, self->body.data,
                                          self->body.bytes, decoder->limits);
    return inner_code == DTKV_CLIENT_REQ_ERROR || !code ? inner_code : code;
}

void dtkv_request_guard (dtkv_request_t *self, msgpack_slice_t *path, uint64_t *token)
{
    uint32_t elements = msgpack_cursor_array (&self->items);
    *path = msgpack_cursor_bytes (&self->items);
    *token = msgpack_cursor_uint (&self->items);
    for (; elements > 2; elements--) {
        msgpack_cursor_skip (&self->items, INNER_DEPTH);
    }
}

static int s_decode_session_open (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 1);
    self->number = msgpack_cursor_uint (&decoder->cursor);
    if (self->number < DTKV_SESSION_TTL_MS_MIN || self->number > DTKV_SESSION_TTL_MS_MAX) {
        s_refuse (decoder, DTKV_INVALID_TTL);
    }
    return s_close (decoder);
}

static int s_decode_session (dtkv_request_t *self, s_decoder_t *decoder)
{
    s_open (decoder, 1);
    self->number = msgpack_cursor_uint (&decoder->cursor);
    return s_close (decoder);
}

typedef int (s_decode_fn) (dtkv_request_t *self, s_decoder_t *decoder);

// By number of operation.
static s_decode_fn *const s_decoders[] = {
    [DTKV_OP_GET] = s_decode_path,
    [DTKV_OP_PUT] = s_decode_put,
    [DTKV_OP_REMOVE] = s_decode_path,
    [DTKV_OP_MKDIR] = s_decode_path,
    [DTKV_OP_LIST] = s_decode_list,
    [DTKV_OP_BATCH_GET] = s_decode_batch_of_paths,
    [DTKV_OP_BATCH_PUT] = s_decode_batch_of_values,
    [DTKV_OP_BATCH_REMOVE] = s_decode_batch_of_paths,
    [DTKV_OP_COMPARE_AND_SET] = s_decode_compare_and_set,
    [DTKV_OP_PUT_TEMP] = s_decode_put_temp,
    [DTKV_OP_MKDIR_TEMP] = s_decode_mkdir_temp,
    [DTKV_OP_UPDATE_TTL] = s_decode_update_ttl,
    [DTKV_OP_LOCK] = s_decode_lock,
    [DTKV_OP_UNLOCK] = s_decode_unlock,
    [DTKV_OP_LOCK_RENEW] = s_decode_lock_renew,
    [DTKV_OP_GUARDED] = s_decode_guarded,
    [DTKV_OP_MOVE] = s_decode_move,
    [DTKV_OP_INCREMENT] = s_decode_increment,
    [DTKV_OP_TRANSACTION] = s_decode_transaction,
    [DTKV_OP_GET_AT] = s_decode_get_at,
    [DTKV_OP_DIFF] = s_decode_diff,
    [DTKV_OP_SESSION_OPEN] = s_decode_session_open,
    [DTKV_OP_SESSION_CLOSE] = s_decode_session,
    [DTKV_OP_SESSION_KEEPALIVE] = s_decode_session,
};

int dtkv_request_decode (dtkv_request_t *self, uint16_t operation, const void *body, size_t bytes,
                         const dtkv_limits_t *limits)
{
    *self = (dtkv_request_t){0};
    if (operation >= sizeof s_decoders / sizeof s_decoders[0] || !s_decoders[operation]) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    s_decoder_t decoder = {.limits = limits};
    msgpack_cursor_init (&decoder.cursor, body, bytes);
    return s_decoders[operation](self, &decoder);
}

int dtkv_request_item (dtkv_request_t *self, bool with_value, dtkv_path_t *path,
                       msgpack_slice_t *value, const dtkv_limits_t *limits)
{
    s_decoder_t decoder = {.cursor = self->items, .limits = limits};
    uint32_t elements = with_value ? msgpack_cursor_array (&decoder.cursor) : 1;
    s_path (&decoder, path);
    if (with_value) {
        s_value (&decoder, value);
        for (; elements > 2; elements--) {
            msgpack_cursor_skip (&decoder.cursor, INNER_DEPTH);
        }
    }
    self->items = decoder.cursor;
    return decoder.code;
}

int dtkv_operation_validate (uint16_t operation, const void *body, size_t bytes,
                             const dtkv_limits_t *limits)
{
    dtkv_request_t request;
    return dtkv_request_decode (&request, operation, body, bytes, limits);
}

const char *dtkv_operation_name (uint16_t operation)
{
    switch (operation) {
#define DTKV_OPERATION_NAME(name, number, text, writes)                                            \
    case number:                                                                                   \
        return text;
        DTKV_OPERATION_TABLE (DTKV_OPERATION_NAME)
#undef DTKV_OPERATION_NAME
    default:
        return NULL;
    }
}

bool dtkv_operation_writes (uint16_t operation, const void *body, size_t bytes)
{
    if (operation == DTKV_OP_TRANSACTION) {
        return dtkv_transaction_writes (body, bytes);
    }
    switch (operation) {
#define DTKV_OPERATION_WRITES(name, number, text, writes)                                          \
    case number:                                                                                   \
        return writes;
        DTKV_OPERATION_TABLE (DTKV_OPERATION_WRITES)
#undef DTKV_OPERATION_WRITES
    default:
        return false;
    }
}
