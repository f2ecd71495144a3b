#include "tests/dtkv/kv_request.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

void kv_fixture_init (kv_fixture_t *self, const dtkv_limits_t *limits)
{
    dtkv_store_options_t options = {
        .limits = *limits,
        .hash_seed = 42,
        .history_bytes_max = 1024 * 1024,
    };
    *self = (kv_fixture_t){.store = dtkv_store_new (&options)};
    self->context = (log_entry_t){
        .term = 1,
        .cluster_time_ms = 1000,
        .wall_ms = 5000,
        .principal = 7,
        .type = LOG_ENTRY_COMMAND,
    };
}

void kv_fixture_deinit (kv_fixture_t *self)
{
    dtkv_store_destroy (&self->store);
    dt_buffer_deinit (&self->body);
    dt_buffer_deinit (&self->reply);
}

int kv_apply (kv_fixture_t *self, uint16_t operation)
{
    log_entry_t entry = self->context;
    entry.index = ++self->context.index;
    entry.operation = operation;
    entry.payload = self->body.data;
    entry.payload_bytes = (uint32_t) self->body.bytes;
    dt_buffer_clear (&self->reply);
    return dtkv_store_apply (self->store, &entry, &self->reply, &self->outcome);
}

void kv_clock (kv_fixture_t *self, uint64_t cluster_time_ms)
{
    self->context.cluster_time_ms = cluster_time_ms;
    self->context.type = LOG_ENTRY_CLOCK;
    dt_buffer_clear (&self->body);
    kv_apply (self, 0);
    self->context.type = LOG_ENTRY_COMMAND;
}

static int s_read (kv_fixture_t *self, uint16_t operation)
{
    dt_buffer_clear (&self->reply);
    return dtkv_store_read (self->store, operation, self->body.data, self->body.bytes,
                            &self->reply);
}

static void s_begin (kv_fixture_t *self, uint32_t count)
{
    dt_buffer_clear (&self->body);
    msgpack_write_array (&self->body, count);
}

static void s_text (kv_fixture_t *self, const char *text)
{
    if (text) {
        msgpack_write_bin (&self->body, text, (uint32_t) strlen (text));
    } else {
        msgpack_write_nil (&self->body);
    }
}

static int s_path (kv_fixture_t *self, uint16_t operation, const char *path, unsigned flags)
{
    s_begin (self, 2);
    s_text (self, path);
    msgpack_write_uint (&self->body, flags);
    return operation == DTKV_OP_GET ? s_read (self, operation) : kv_apply (self, operation);
}

int kv_put (kv_fixture_t *self, const char *path, const char *value, unsigned flags)
{
    s_begin (self, 3);
    s_text (self, path);
    s_text (self, value);
    msgpack_write_uint (&self->body, flags);
    return kv_apply (self, DTKV_OP_PUT);
}

int kv_put_temp (kv_fixture_t *self, const char *path, const char *value, uint64_t ttl_ms,
                 unsigned flags)
{
    s_begin (self, 4);
    s_text (self, path);
    s_text (self, value);
    msgpack_write_uint (&self->body, ttl_ms);
    msgpack_write_uint (&self->body, flags);
    return kv_apply (self, DTKV_OP_PUT_TEMP);
}

int kv_mkdir_temp (kv_fixture_t *self, const char *path, uint64_t ttl_ms, unsigned flags)
{
    s_begin (self, 3);
    s_text (self, path);
    msgpack_write_uint (&self->body, ttl_ms);
    msgpack_write_uint (&self->body, flags);
    return kv_apply (self, DTKV_OP_MKDIR_TEMP);
}

int kv_update_ttl (kv_fixture_t *self, const char *path, uint64_t ttl_ms)
{
    s_begin (self, 2);
    s_text (self, path);
    msgpack_write_uint (&self->body, ttl_ms);
    return kv_apply (self, DTKV_OP_UPDATE_TTL);
}

int kv_mkdir (kv_fixture_t *self, const char *path, unsigned flags)
{
    return s_path (self, DTKV_OP_MKDIR, path, flags);
}

int kv_remove (kv_fixture_t *self, const char *path, unsigned flags)
{
    return s_path (self, DTKV_OP_REMOVE, path, flags);
}

int kv_get (kv_fixture_t *self, const char *path, unsigned flags)
{
    return s_path (self, DTKV_OP_GET, path, flags);
}

int kv_list (kv_fixture_t *self, const char *path, unsigned flags, unsigned items_max,
             unsigned bytes_max, const char *after)
{
    s_begin (self, 5);
    s_text (self, path);
    msgpack_write_uint (&self->body, flags);
    msgpack_write_uint (&self->body, items_max);
    msgpack_write_uint (&self->body, bytes_max);
    s_text (self, after);
    return s_read (self, DTKV_OP_LIST);
}

// The items of a batch, separated by spaces.
static void s_items (kv_fixture_t *self, const char *items, bool values, unsigned flags)
{
    dt_buffer_t packed = {0};
    dt_buffer_t body = self->body;
    uint32_t count = 0;
    self->body = packed;
    for (const char *item = items; *item; count++) {
        size_t bytes = strcspn (item, " ");
        size_t path_bytes = values ? strcspn (item, "=") : bytes;
        if (values) {
            msgpack_write_array (&self->body, 2);
        }
        msgpack_write_bin (&self->body, item, (uint32_t) path_bytes);
        if (values) {
            msgpack_write_bin (&self->body, item + path_bytes + 1,
                               (uint32_t) (bytes - path_bytes - 1));
        }
        item += bytes;
        item += strspn (item, " ");
    }
    packed = self->body;
    self->body = body;
    s_begin (self, 2);
    msgpack_write_array (&self->body, count);
    dt_buffer_append (&self->body, packed.data, packed.bytes);
    msgpack_write_uint (&self->body, flags);
    dt_buffer_deinit (&packed);
}

int kv_batch_put (kv_fixture_t *self, const char *pairs, unsigned flags)
{
    s_items (self, pairs, true, flags);
    return kv_apply (self, DTKV_OP_BATCH_PUT);
}

int kv_batch_remove (kv_fixture_t *self, const char *paths, unsigned flags)
{
    s_items (self, paths, false, flags);
    return kv_apply (self, DTKV_OP_BATCH_REMOVE);
}

int kv_batch_get (kv_fixture_t *self, const char *paths, unsigned flags)
{
    s_items (self, paths, false, flags);
    return s_read (self, DTKV_OP_BATCH_GET);
}

int kv_cas_value (kv_fixture_t *self, const char *path, const char *expected, const char *value,
                  unsigned flags)
{
    s_begin (self, 5);
    s_text (self, path);
    msgpack_write_uint (&self->body, DTKV_CONDITION_VALUE);
    s_text (self, expected);
    s_text (self, value);
    msgpack_write_uint (&self->body, flags);
    return kv_apply (self, DTKV_OP_COMPARE_AND_SET);
}

int kv_cas_number (kv_fixture_t *self, const char *path, unsigned condition, uint64_t expected,
                   const char *value, unsigned flags)
{
    s_begin (self, 5);
    s_text (self, path);
    msgpack_write_uint (&self->body, condition);
    msgpack_write_uint (&self->body, expected);
    s_text (self, value);
    msgpack_write_uint (&self->body, flags);
    return kv_apply (self, DTKV_OP_COMPARE_AND_SET);
}

int kv_session (kv_fixture_t *self, uint16_t operation, uint64_t number)
{
    s_begin (self, 1);
    msgpack_write_uint (&self->body, number);
    return kv_apply (self, operation);
}

// Pack the object a text begins with; what stands behind it.
static const char *s_pack (dt_buffer_t *out, const char *text)
{
    char *end;
    text += strspn (text, " ");
    if (*text == '[') {
        dt_buffer_t items = {0};
        uint32_t count = 0;
        for (text++; text[strspn (text, " ")] != ']'; count++) {
            text = s_pack (&items, text);
        }
        msgpack_write_array (out, count);
        dt_buffer_append (out, items.data, items.bytes);
        dt_buffer_deinit (&items);
        return strchr (text, ']') + 1;
    }
    if (*text == '\'') {
        size_t bytes = strcspn (text + 1, "'");
        msgpack_write_bin (out, text + 1, (uint32_t) bytes);
        return text + bytes + 2;
    }
    if (*text == 'n') {
        msgpack_write_nil (out);
        return text + 3;
    }
    if (*text == '-') {
        msgpack_write_int (out, strtoll (text, &end, 10));
    } else {
        msgpack_write_uint (out, strtoull (text, &end, 10));
    }
    dt_assert (end > text);
    return end;
}

int kv_apply_text (kv_fixture_t *self, uint16_t operation, const char *body)
{
    dt_buffer_clear (&self->body);
    s_pack (&self->body, body);
    return kv_apply (self, operation);
}

int kv_read_text (kv_fixture_t *self, uint16_t operation, const char *body)
{
    dt_buffer_clear (&self->body);
    s_pack (&self->body, body);
    return s_read (self, operation);
}

static void s_print (msgpack_cursor_t *cursor, dt_buffer_t *out)
{
    msgpack_slice_t bytes;
    uint32_t count;
    switch (msgpack_cursor_kind (cursor)) {
    case MSGPACK_KIND_NIL:
        msgpack_cursor_take_nil (cursor);
        dt_buffer_printf (out, "nil");
        break;
    case MSGPACK_KIND_UINT:
        dt_buffer_printf (out, "%llu", (unsigned long long) msgpack_cursor_uint (cursor));
        break;
    case MSGPACK_KIND_NEGATIVE:
        dt_buffer_printf (out, "%lld", (long long) msgpack_cursor_int (cursor));
        break;
    case MSGPACK_KIND_BOOL:
        dt_buffer_printf (out, msgpack_cursor_bool (cursor) ? "true" : "false");
        break;
    case MSGPACK_KIND_BYTES:
        bytes = msgpack_cursor_bytes (cursor);
        dt_buffer_printf (out, "\"%.*s\"", (int) bytes.bytes, (const char *) bytes.data);
        break;
    case MSGPACK_KIND_ARRAY:
        count = msgpack_cursor_array (cursor);
        dt_buffer_printf (out, "[");
        for (uint32_t i = 0; i < count; i++) {
            dt_buffer_printf (out, i ? " " : "");
            s_print (cursor, out);
        }
        dt_buffer_printf (out, "]");
        break;
    default:
        dt_unreachable ();
    }
}

const char *kv_reply (kv_fixture_t *self)
{
    static dt_buffer_t text;
    msgpack_cursor_t cursor;
    dt_buffer_clear (&text);
    msgpack_cursor_init (&cursor, self->reply.data, self->reply.bytes);
    s_print (&cursor, &text);
    dt_assert (msgpack_cursor_finished (&cursor));
    dt_buffer_append (&text, "", 1);
    return (const char *) text.data;
}

void kv_snapshot (dtkv_store_t *store, size_t step, dt_buffer_t *out)
{
    bool done = false;
    dtkv_snapshot_t *snapshot = dtkv_snapshot_new (store);
    dt_assert (snapshot);
    while (!done) {
        dtkv_snapshot_next (snapshot, step, out, &done);
    }
    dtkv_snapshot_destroy (&snapshot);
}

int kv_restore (const dt_buffer_t *stream, size_t chunk, const dtkv_limits_t *limits,
                dtkv_store_t **store_p)
{
    dtkv_store_options_t options = {.limits = *limits, .hash_seed = 4711};
    dtkv_restore_t *restore = dtkv_restore_new (&options);
    int rc = 0;
    for (size_t at = 0; at < stream->bytes && rc == 0; at += chunk) {
        size_t bytes = stream->bytes - at < chunk ? stream->bytes - at : chunk;
        rc = dtkv_restore_feed (restore, stream->data + at, bytes);
    }
    int finished = dtkv_restore_finish (restore, store_p);
    dt_assert (rc == 0 || finished == rc);
    dtkv_restore_destroy (&restore);
    return finished;
}
