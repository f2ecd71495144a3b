#include "tests/dtkv/kv_model_body.h"

#include <stdlib.h>

#include "base/dt_memory.h"

static void s_parse (kv_object_t *self, msgpack_cursor_t *cursor, unsigned depth)
{
    self->kind = msgpack_cursor_kind (cursor);
    if (self->kind == MSGPACK_KIND_UINT) {
        self->number = msgpack_cursor_uint (cursor);
        self->integer = self->number <= INT64_MAX ? (int64_t) self->number : 0;
    } else if (self->kind == MSGPACK_KIND_NEGATIVE) {
        self->integer = msgpack_cursor_int (cursor);
    } else if (self->kind == MSGPACK_KIND_BYTES) {
        self->bytes = msgpack_cursor_bytes (cursor);
    } else if (self->kind == MSGPACK_KIND_ARRAY && depth > 0) {
        uint32_t count = msgpack_cursor_array (cursor);
        self->items = dt_zalloc (count + 1, sizeof self->items[0]);
        for (; self->count < count && cursor->rc == 0; self->count++) {
            s_parse (&self->items[self->count], cursor, depth - 1);
        }
    } else {
        msgpack_cursor_skip (cursor, depth);
    }
}

bool kv_object_parse (kv_object_t *self, const void *data, size_t bytes, unsigned depth)
{
    msgpack_cursor_t cursor;
    *self = (kv_object_t){0};
    msgpack_cursor_init (&cursor, data, bytes);
    s_parse (self, &cursor, depth);
    return msgpack_cursor_finished (&cursor) && bytes > 0;
}

void kv_object_free (kv_object_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        kv_object_free (&self->items[i]);
    }
    free (self->items);
    *self = (kv_object_t){0};
}
