#include "dtkv/core/dtkv_watch.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_watch_private.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

enum {
    PUSH_BUDGET = 512 * 1024, // of one call
    BODY_DEPTH = 6,           // arrays and maps inside the elements of a body
    LIST_MAX = 10000,         // streams watch_list shows
};

dtkv_watches_t *dtkv_watches_new (const dtkv_watches_options_t *options, const dtkv_store_t *store)
{
    dtkv_watches_t *self = dt_zalloc (1, sizeof *self);
    self->options = *options;
    self->store = store;
    self->heard = dtkv_store_history (store)->next;
    watch_registry_init (&self->registry, dtkv_store_tree (store)->seed);
    return self;
}

void dtkv_watches_destroy (dtkv_watches_t **self_p)
{
    dtkv_watches_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    while (self->registry.tick_first) {
        watch_stream_t *stream = self->registry.tick_first;
        watch_stream_destroy (&self->registry, &stream);
    }
    watch_registry_deinit (&self->registry);
    dt_buffer_deinit (&self->items);
    dt_buffer_deinit (&self->body);
    free (self);
}

bool dtkv_watch_operation (uint32_t operation)
{
    switch (operation) {
    case DTKV_OP_WATCH_OPEN:
    case DTKV_OP_WATCH_REMOVE:
    case DTKV_OP_WATCH_ADD:
    case DTKV_OP_WATCH_ACK:
    case DTKV_OP_WATCH_LIST:
        return true;
    default:
        return false;
    }
}

// --- requests, read ------------------------------------------------------------------------------

typedef struct {
    uint32_t id;
    msgpack_slice_t path;
    uint32_t depth;
    uint32_t mode;
    bool has_after;
    uint64_t after;
    bool initial;
    uint32_t filters;
    uint32_t overflow;
} s_wanted_t;

// One watch of watch_add: [ watch, path, options ? ].
static void s_read_wanted (msgpack_cursor_t *cursor, s_wanted_t *wanted)
{
    *wanted = (s_wanted_t){.depth = 2};
    uint32_t elements = msgpack_cursor_array (cursor);
    if (elements < 2) {
        msgpack_cursor_fail (cursor);
        return;
    }
    wanted->id = (uint32_t) msgpack_cursor_uint_max (cursor, UINT32_MAX);
    wanted->path = msgpack_cursor_bytes (cursor);
    uint32_t left = elements - 2;
    if (left && !msgpack_cursor_take_nil (cursor)) {
        uint64_t seen = 0;
        uint32_t pairs = msgpack_cursor_map (cursor);
        for (; pairs && cursor->rc == 0; pairs--) {
            switch (msgpack_cursor_key (cursor, &seen)) {
            case 1:
                wanted->depth = (uint32_t) msgpack_cursor_uint_max (cursor, 2);
                break;
            case 2:
                wanted->mode = (uint32_t) msgpack_cursor_uint_max (cursor, 1);
                break;
            case 3:
                wanted->has_after = true;
                wanted->after = msgpack_cursor_uint (cursor);
                break;
            case 4:
                wanted->initial = msgpack_cursor_bool (cursor);
                break;
            case 5:
                wanted->filters = (uint32_t) msgpack_cursor_uint_max (cursor, WATCH_FILTERS_ALL);
                break;
            case 6:
                wanted->overflow = (uint32_t) msgpack_cursor_uint_max (cursor, 1);
                break;
            default:
                msgpack_cursor_skip (cursor, 2);
            }
        }
    }
    for (; left > 1; left--) {
        msgpack_cursor_skip (cursor, 2);
    }
}

// A body, opened: [ stream-id, elements ... ], or [ window ... ] of watch_open.
typedef struct {
    msgpack_cursor_t cursor;
    uint64_t number;          // stream-id, window-bytes
    uint64_t seq;             // watch_ack
    uint32_t count;           // of watch_add, watch_remove
    msgpack_cursor_t watches; // at the first of them
} s_body_t;

static void s_read_watches (s_body_t *body, bool add)
{
    msgpack_cursor_t *cursor = &body->cursor;
    body->count = msgpack_cursor_array (cursor);
    body->watches = *cursor;
    if (body->count > DTKV_WATCH_ADD_MAX) {
        msgpack_cursor_fail (cursor);
    }
    for (uint32_t i = 0; i < body->count && cursor->rc == 0; i++) {
        s_wanted_t wanted;
        if (add) {
            s_read_wanted (cursor, &wanted);
        } else {
            msgpack_cursor_uint_max (cursor, UINT32_MAX);
        }
    }
}

static int s_read_body (s_body_t *body, uint32_t operation, const void *data, size_t bytes)
{
    *body = (s_body_t){0};
    msgpack_cursor_t *cursor = &body->cursor;
    msgpack_cursor_init (cursor, data, bytes);
    if ((operation == DTKV_OP_WATCH_OPEN || operation == DTKV_OP_WATCH_LIST) &&
        msgpack_cursor_take_nil (cursor)) {
        return msgpack_cursor_finished (cursor) ? 0 : DTKV_CLIENT_REQ_ERROR;
    }
    uint32_t elements = msgpack_cursor_array (cursor);
    uint32_t required = operation == DTKV_OP_WATCH_OPEN || operation == DTKV_OP_WATCH_LIST ? 0 : 2;
    if (elements < required) {
        msgpack_cursor_fail (cursor);
    }
    if (required) {
        body->number = msgpack_cursor_uint (cursor);
        if (operation == DTKV_OP_WATCH_ACK) {
            body->seq = msgpack_cursor_uint (cursor);
        } else {
            s_read_watches (body, operation == DTKV_OP_WATCH_ADD);
        }
        elements -= required;
    } else if (operation == DTKV_OP_WATCH_OPEN && elements) {
        elements--;
        body->number = msgpack_cursor_take_nil (cursor) ? 0 : msgpack_cursor_uint (cursor);
    }
    for (; elements && cursor->rc == 0; elements--) {
        msgpack_cursor_skip (cursor, BODY_DEPTH);
    }
    return msgpack_cursor_finished (cursor) ? 0 : DTKV_CLIENT_REQ_ERROR;
}

int dtkv_watch_validate (uint32_t operation, const void *body, size_t bytes)
{
    s_body_t read;
    return s_read_body (&read, operation, body, bytes);
}

// --- requests, carried out -----------------------------------------------------------------------

static int s_nil (dt_buffer_t *reply, int code)
{
    msgpack_write_nil (reply);
    return code;
}

static int s_open (dtkv_watches_t *self, const dtkv_watch_client_t *client, uint64_t request_id,
                   uint64_t window_bytes, dt_buffer_t *reply)
{
    if (self->registry.streams.count >= self->options.streams_max) {
        return s_nil (reply, DTKV_TOO_MANY_WATCHES);
    }
    watch_stream_t *stream =
        watch_stream_new (&self->registry, ++self->last_stream, client->data, client->bytes);
    stream->request_id = request_id;
    stream->window_bytes = window_bytes == 0                            ? DTKV_WATCH_WINDOW_BYTES
                           : window_bytes > DTKV_WATCH_WINDOW_BYTES_MAX ? DTKV_WATCH_WINDOW_BYTES_MAX
                                                                        : window_bytes;
    stream->seen = dtkv_store_applied_index (self->store);
    stream->heard_ms = stream->pushed_ms = self->now_ms;
    watch_stream_set_tick (&self->registry, stream, self->now_ms + DTKV_WATCH_PROGRESS_MS);
    msgpack_write_array (reply, 3);
    msgpack_write_uint (reply, 0);
    msgpack_write_uint (reply, stream->id);
    msgpack_write_uint (reply, DTKV_WATCH_KEEPALIVE_MS);
    return DTKV_SUCCESS;
}

static uint32_t s_same (const dtkv_watches_t *self, const watch_stream_t *stream,
                        const msgpack_slice_t *path)
{
    uint32_t count = 0;
    const watch_place_t *place = watch_place_find (&self->registry, path->data, path->bytes);
    watch_t *watch = place ? watch_on_place (&self->registry, stream, place, NULL) : NULL;
    for (; watch; watch = watch_on_place (&self->registry, stream, place, watch)) {
        count++;
    }
    return count;
}

// Why a watch cannot be added; 0: it can.
static int s_refusal (const dtkv_watches_t *self, const watch_stream_t *stream,
                      const s_wanted_t *wanted)
{
    dtkv_path_t path;
    int code = dtkv_path_parse (&path, wanted->path.data, wanted->path.bytes,
                                dtkv_store_limits (self->store));
    if (code) {
        return code;
    }
    if (watch_find (&self->registry, stream, wanted->id)) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    if (self->registry.watches.count >= self->options.watches_max ||
        s_same (self, stream, &wanted->path) >= DTKV_WATCH_SAME_MAX) {
        return DTKV_TOO_MANY_WATCHES;
    }
    bool past = wanted->has_after && !wanted->initial;
    return past && wanted->after < dtkv_store_history (self->store)->floor ? DTKV_COMPACTED : 0;
}

static int s_add_one (dtkv_watches_t *self, watch_stream_t *stream, const s_wanted_t *wanted)
{
    int code = s_refusal (self, stream, wanted);
    if (code) {
        return code;
    }
    uint64_t applied = dtkv_store_applied_index (self->store);
    watch_t like = {
        .id = wanted->id,
        .after = wanted->initial ? 0 : wanted->has_after ? wanted->after : applied,
        .depth = (uint8_t) wanted->depth,
        .filters = (uint8_t) wanted->filters,
        .latest = wanted->mode == 1,
        .falls_back = wanted->overflow == 1,
    };
    watch_t *watch =
        watch_new (&self->registry, stream, wanted->path.data, wanted->path.bytes, &like);
    if (wanted->initial) {
        watch_set_paging (watch, true);
        watch_stream_set_ready (&self->registry, stream, true);
    } else if (watch->after < applied) {
        // Entries may have been applied that nobody of this stream was told of.
        watch_rewind (self, stream,
                      dtkv_history_find (dtkv_store_history (self->store), watch->after));
        watch_set_replaying (watch, true);
    }
    return DTKV_SUCCESS;
}

static int s_add (dtkv_watches_t *self, watch_stream_t *stream, s_body_t *body, dt_buffer_t *reply)
{
    watch_hear (self); // what was applied before is not for the new ones
    msgpack_write_array (reply, body->count);
    for (uint32_t i = 0; i < body->count; i++) {
        s_wanted_t wanted;
        s_read_wanted (&body->watches, &wanted);
        msgpack_write_array (reply, 2);
        msgpack_write_uint (reply, wanted.id);
        msgpack_write_uint (reply, (uint64_t) s_add_one (self, stream, &wanted));
    }
    return DTKV_SUCCESS;
}

static int s_remove (dtkv_watches_t *self, watch_stream_t *stream, s_body_t *body,
                     dt_buffer_t *reply)
{
    for (uint32_t i = 0; i < body->count; i++) {
        uint32_t id = (uint32_t) msgpack_cursor_uint (&body->watches);
        watch_t *watch = watch_find (&self->registry, stream, id);
        if (watch) {
            watch_destroy (&self->registry, &watch);
        }
    }
    return s_nil (reply, DTKV_SUCCESS);
}

static int s_ack (dtkv_watches_t *self, watch_stream_t *stream, uint64_t seq, dt_buffer_t *reply)
{
    if (seq > stream->seq) {
        return s_nil (reply, DTKV_CLIENT_REQ_ERROR);
    }
    if (seq > stream->acked) {
        stream->acked = seq;
        stream->acked_bytes = stream->totals[seq % WATCH_UNACKED_MAX];
        watch_stream_set_ready (&self->registry, stream, true);
    }
    return s_nil (reply, DTKV_SUCCESS);
}

static int s_list (const dtkv_watches_t *self, dt_buffer_t *reply)
{
    uint64_t count = self->registry.streams.count;
    uint64_t applied = dtkv_store_applied_index (self->store);
    count = count < LIST_MAX ? count : LIST_MAX;
    msgpack_write_array (reply, (uint32_t) count);
    const watch_stream_t *stream = self->registry.tick_first;
    for (uint64_t i = 0; i < count; i++, stream = stream->tick_next) {
        bool behind = stream->scanning || stream->pending_count || stream->paging;
        msgpack_write_array (reply, 6);
        msgpack_write_uint (reply, stream->id);
        msgpack_write_uint (reply, stream->count);
        msgpack_write_uint (reply, stream->seq);
        msgpack_write_uint (reply, stream->acked);
        msgpack_write_uint (reply, stream->sent_bytes - stream->acked_bytes);
        msgpack_write_uint (reply, behind ? applied - stream->seen : 0);
    }
    return DTKV_SUCCESS;
}

int dtkv_watches_request (dtkv_watches_t *self, const dtkv_watch_client_t *client,
                          uint64_t request_id, uint32_t operation, const void *body, size_t bytes,
                          uint64_t now_ms, dt_buffer_t *reply)
{
    s_body_t read;
    self->now_ms = now_ms;
    int code = s_read_body (&read, operation, body, bytes);
    if (code) {
        return s_nil (reply, code);
    }
    if (operation == DTKV_OP_WATCH_OPEN) {
        return s_open (self, client, request_id, read.number, reply);
    }
    if (operation == DTKV_OP_WATCH_LIST) {
        return s_list (self, reply);
    }
    watch_stream_t *stream = watch_stream_find (&self->registry, read.number);
    if (!stream || stream->client_bytes != client->bytes ||
        memcmp (stream->client, client->data, client->bytes) != 0) {
        return s_nil (reply, DTKV_WATCH_UNKNOWN);
    }
    stream->heard_ms = now_ms;
    switch (operation) {
    case DTKV_OP_WATCH_ADD:
        return s_add (self, stream, &read, reply);
    case DTKV_OP_WATCH_REMOVE:
        return s_remove (self, stream, &read, reply);
    default:
        return s_ack (self, stream, read.seq, reply);
    }
}

// --- streams -------------------------------------------------------------------------------------

static void s_end_stream (dtkv_watches_t *self, watch_stream_t *stream, int code)
{
    static const uint8_t nil = 0xc0;
    self->send (self->context, &(dtkv_watch_client_t){stream->client, stream->client_bytes},
                stream->request_id, code, 0, &nil, 1);
    watch_stream_destroy (&self->registry, &stream);
}

static void s_tick (dtkv_watches_t *self, watch_stream_t *stream)
{
    if (self->now_ms >= stream->heard_ms + 3 * DTKV_WATCH_KEEPALIVE_MS) {
        s_end_stream (self, stream, DT_ERR_TIMEOUT);
        return;
    }
    if (!stream->ready && self->now_ms >= stream->pushed_ms + DTKV_WATCH_PROGRESS_MS &&
        watch_has_credit (stream) && watch_serve (self, stream)) {
        watch_send_progress (self, stream);
    }
    watch_stream_set_tick (&self->registry, stream, self->now_ms + DTKV_WATCH_PROGRESS_MS);
}

bool dtkv_watches_push (dtkv_watches_t *self, uint64_t now_ms, dtkv_watch_send_fn *send,
                        void *context, uint64_t *deadline_ms)
{
    self->now_ms = now_ms;
    self->send = send;
    self->context = context;
    self->budget = PUSH_BUDGET;
    watch_hear (self);
    watch_stream_t *stream;
    while (self->budget && (stream = self->registry.ready_first)) {
        // Behind all others, so that each gets its turn.
        watch_stream_set_ready (&self->registry, stream, true);
        if (watch_serve (self, stream)) {
            watch_stream_set_ready (&self->registry, stream, false);
        }
    }
    while (self->budget && (stream = self->registry.tick_first) && stream->tick_ms <= now_ms) {
        s_tick (self, stream);
    }
    self->send = NULL;
    stream = self->registry.tick_first;
    *deadline_ms = stream ? stream->tick_ms : UINT64_MAX;
    return self->registry.ready_first || (stream && stream->tick_ms <= now_ms);
}

void dtkv_watches_rebase (dtkv_watches_t *self, const dtkv_store_t *store)
{
    self->store = store;
    self->heard = dtkv_store_history (store)->next;
    watch_stream_t *stream = self->registry.tick_first;
    for (; stream; stream = stream->tick_next) {
        watch_lag (self, stream);
    }
}

void dtkv_watches_end (dtkv_watches_t *self, int code, dtkv_watch_send_fn *send, void *context)
{
    self->send = send;
    self->context = context;
    while (self->registry.tick_first) {
        s_end_stream (self, self->registry.tick_first, code);
    }
    self->send = NULL;
}

uint64_t dtkv_watches_count (const dtkv_watches_t *self)
{
    return self->registry.watches.count;
}

uint32_t dtkv_watches_streams (const dtkv_watches_t *self)
{
    return (uint32_t) self->registry.streams.count;
}

uint64_t dtkv_watches_lag (const dtkv_watches_t *self)
{
    uint64_t applied = dtkv_store_applied_index (self->store);
    uint64_t lag = 0;
    const watch_stream_t *stream = self->registry.tick_first;
    for (; stream; stream = stream->tick_next) {
        bool behind = stream->scanning || stream->pending_count;
        if (behind && applied - stream->seen > lag) {
            lag = applied - stream->seen;
        }
    }
    return lag;
}

void dtkv_watches_check (const dtkv_watches_t *self)
{
    watch_registry_check (&self->registry);
    dt_assert (self->items_count == 0);
}
