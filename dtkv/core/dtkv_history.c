#include "dtkv/core/dtkv_history.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_node.h"
#include "dtkv/core/dtkv_ops.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

enum {
    CHUNK_BYTES = 64 * 1024,
    IMAGE_BYTES = 160, // of an image without its value, at most
    EVENTS_START = 256,
};

struct dtkv_history_chunk {
    dtkv_history_chunk_t *behind; // the next newer one
    uint64_t last;                // position behind its last event
    size_t bytes;                 // room
    size_t used;                  //
    uint8_t data[];
};

void dtkv_history_init (dtkv_history_t *self, uint64_t bytes_max, uint64_t floor)
{
    *self = (dtkv_history_t){.bytes_max = bytes_max, .floor = floor};
}

void dtkv_history_deinit (dtkv_history_t *self)
{
    while (self->oldest) {
        dtkv_history_chunk_t *chunk = self->oldest;
        self->oldest = chunk->behind;
        free (chunk);
    }
    free (self->events);
    *self = (dtkv_history_t){0};
}

static dtkv_history_chunk_t *s_chunk_with_room (dtkv_history_t *self, size_t bytes)
{
    dtkv_history_chunk_t *chunk = self->newest;
    if (chunk && chunk->bytes - chunk->used >= bytes) {
        return chunk;
    }
    size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
    chunk = dt_malloc (sizeof *chunk + room);
    *chunk = (dtkv_history_chunk_t){.bytes = room, .last = self->next};
    if (self->newest) {
        self->newest->behind = chunk;
    } else {
        self->oldest = chunk;
    }
    self->newest = chunk;
    self->chunk_bytes += room;
    return chunk;
}

static size_t s_put_image (uint8_t *place, size_t room, const dtkv_node_t *node)
{
    if (!node) {
        return 0;
    }
    // A buffer with enough room never grows, so the image is packed where it stays.
    dt_buffer_t image = {.data = place, .capacity = room};
    dtkv_reply_node (&image, node, DTKV_FLAG_META);
    dt_assert (image.data == place);
    return image.bytes;
}

void dtkv_history_begin (dtkv_history_t *self, const uint8_t *path, size_t path_bytes,
                         const dtkv_node_t *before, size_t value_bytes)
{
    dt_assert (!self->path);
    size_t before_room = before ? IMAGE_BYTES + before->value_bytes : 0;
    size_t room = path_bytes + before_room + IMAGE_BYTES + value_bytes;
    dtkv_history_chunk_t *chunk = s_chunk_with_room (self, room);
    uint8_t *place = chunk->data + chunk->used;
    memcpy (place, path, path_bytes);
    self->path = place;
    self->path_bytes = (uint32_t) path_bytes;
    self->before_bytes = (uint32_t) s_put_image (place + path_bytes, before_room, before);
}

static void s_grow (dtkv_history_t *self)
{
    uint64_t capacity = self->capacity ? self->capacity * 2 : EVENTS_START;
    dtkv_event_t *events = dt_malloc (capacity * sizeof *events);
    for (uint64_t i = self->first; i < self->next; i++) {
        events[i & (capacity - 1)] = *dtkv_history_at (self, i);
    }
    free (self->events);
    self->events = events;
    self->capacity = capacity;
}

void dtkv_history_end (dtkv_history_t *self, uint64_t index, const dtkv_node_t *after)
{
    dtkv_history_chunk_t *chunk = self->newest;
    dt_assert (self->path == chunk->data + chunk->used);
    if (self->next - self->first == self->capacity) {
        s_grow (self);
    }
    chunk->used += self->path_bytes + self->before_bytes;
    size_t after_bytes =
        s_put_image (chunk->data + chunk->used, chunk->bytes - chunk->used, after);
    chunk->used += after_bytes;
    self->events[self->next & (self->capacity - 1)] = (dtkv_event_t){
        .index = index,
        .position = self->next,
        .path = self->path,
        .path_bytes = self->path_bytes,
        .before_bytes = self->before_bytes,
        .after_bytes = (uint32_t) after_bytes,
        .kind = after ? DTKV_EVENT_PUT : DTKV_EVENT_REMOVE,
    };
    chunk->last = ++self->next;
    self->path = NULL;
}

void dtkv_history_drop_last (dtkv_history_t *self, uint64_t events)
{
    dt_assert (events <= self->next - self->first);
    dt_assert (!self->path);
    self->next -= events;
    // Their bytes stay until the chunk goes; a chunk claims no events that are not there any more.
    for (dtkv_history_chunk_t *chunk = self->oldest; chunk; chunk = chunk->behind) {
        if (chunk->last > self->next) {
            chunk->last = self->next;
        }
    }
}

uint64_t dtkv_history_bytes (const dtkv_history_t *self)
{
    return self->chunk_bytes + (self->next - self->first) * sizeof (dtkv_event_t);
}

static void s_free_passed_chunks (dtkv_history_t *self)
{
    while (self->oldest != self->newest && self->oldest->last <= self->first) {
        dtkv_history_chunk_t *chunk = self->oldest;
        self->oldest = chunk->behind;
        self->chunk_bytes -= chunk->bytes;
        free (chunk);
    }
}

void dtkv_history_trim (dtkv_history_t *self)
{
    while (self->first < self->next && dtkv_history_bytes (self) > self->bytes_max) {
        self->floor = dtkv_history_at (self, self->first)->index;
        while (self->first < self->next &&
               dtkv_history_at (self, self->first)->index == self->floor) {
            self->first++;
        }
        if (self->first == self->next && self->newest) {
            // Nothing lives in the last chunk either.
            self->newest->last = self->first;
            self->newest->used = 0;
        }
        s_free_passed_chunks (self);
    }
}

uint64_t dtkv_history_find (const dtkv_history_t *self, uint64_t index)
{
    uint64_t low = self->first;
    uint64_t high = self->next;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (dtkv_history_at (self, middle)->index > index) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

void dtkv_history_check (const dtkv_history_t *self)
{
    size_t bytes = 0;
    uint64_t last = 0;
    dt_assert (!self->path);
    dt_assert (self->first <= self->next);
    for (const dtkv_history_chunk_t *chunk = self->oldest; chunk; chunk = chunk->behind) {
        dt_assert (chunk->used <= chunk->bytes);
        dt_assert (chunk->last >= last);
        dt_assert (chunk->last <= self->next);
        last = chunk->last;
        bytes += chunk->bytes;
    }
    dt_assert (bytes == self->chunk_bytes);
    uint64_t index = self->floor;
    for (uint64_t i = self->first; i < self->next; i++) {
        const dtkv_event_t *event = dtkv_history_at (self, i);
        dt_assert (event->index >= index);
        dt_assert (event->index > self->floor);
        dt_assert ((event->kind == DTKV_EVENT_PUT) == (event->after_bytes > 0));
        dt_assert (event->kind == DTKV_EVENT_PUT || event->before_bytes > 0);
        index = event->index;
    }
}

// --- images --------------------------------------------------------------------------------------

void dtkv_image_write (dt_buffer_t *out, const uint8_t *image, size_t bytes, bool with_value,
                       bool with_meta)
{
    if (bytes == 0) {
        msgpack_write_nil (out);
        return;
    }
    if (with_value && with_meta) {
        dt_buffer_append (out, image, bytes);
        return;
    }
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, image, bytes);
    msgpack_cursor_array (&cursor);
    msgpack_slice_t flags = msgpack_cursor_object (&cursor, 0);
    msgpack_slice_t value = msgpack_cursor_object (&cursor, 0);
    msgpack_slice_t meta = msgpack_cursor_object (&cursor, 1);
    dt_assert (msgpack_cursor_finished (&cursor));
    msgpack_write_array (out, with_meta ? 3 : 2);
    dt_buffer_append (out, flags.data, flags.bytes);
    if (with_value) {
        dt_buffer_append (out, value.data, value.bytes);
    } else {
        msgpack_write_nil (out);
    }
    if (with_meta) {
        dt_buffer_append (out, meta.data, meta.bytes);
    }
}

uint64_t dtkv_image_modify_index (const uint8_t *image, size_t bytes)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, image, bytes);
    msgpack_cursor_array (&cursor);
    msgpack_cursor_skip (&cursor, 0);
    msgpack_cursor_skip (&cursor, 0);
    msgpack_cursor_array (&cursor);
    msgpack_cursor_uint (&cursor);
    return msgpack_cursor_uint (&cursor);
}
