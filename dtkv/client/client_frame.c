#include "dtkv/client/client_frame.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "transport/msgpack_writer.h"

// Frames start on cache lines of their own: two threads may be busy with neighbours.
#define FRAME_ALIGNMENT 64

static client_arena_t *s_arena_new (size_t capacity)
{
    client_arena_t *self = dt_malloc (sizeof *self);
    atomic_init (&self->references, 1);
    self->capacity = capacity;
    self->used = 0;
    self->data = aligned_alloc (FRAME_ALIGNMENT, capacity);
    dt_assert (self->data);
    return self;
}

void client_arena_ref (client_arena_t *self)
{
    atomic_fetch_add_explicit (&self->references, 1, memory_order_relaxed);
}

void client_arena_unref (client_arena_t *self)
{
    if (atomic_fetch_sub_explicit (&self->references, 1, memory_order_acq_rel) == 1) {
        free (self->data);
        free (self);
    }
}

void client_frame_queue_push (client_frame_queue_t *self, client_frame_t *frame)
{
    frame->next = NULL;
    if (self->last) {
        self->last->next = frame;
    } else {
        self->first = frame;
    }
    self->last = frame;
}

client_frame_t *client_frame_queue_pop (client_frame_queue_t *self)
{
    client_frame_t *frame = self->first;
    if (frame) {
        self->first = frame->next;
        if (!self->first) {
            self->last = NULL;
        }
        frame->next = NULL;
    }
    return frame;
}

static uint8_t *s_put_u64 (uint8_t *place, uint8_t key, uint64_t value)
{
    uint64_t word = __builtin_bswap64 (value);
    place[0] = key;
    place[1] = 0xcf;
    memcpy (place + 2, &word, sizeof word);
    return place + 2 + sizeof word;
}

static size_t s_header_bytes (const client_key_t *key)
{
    return key->session ? CLIENT_HEADER_SESSION_BYTES : CLIENT_HEADER_BYTES;
}

// Fixed width, so that the session's part can be filled in when the frame leaves.
static void s_write_header (client_frame_t *frame, uint64_t client_id)
{
    uint8_t *place = frame->data;
    *place++ = frame->key.session ? 0x83 : 0x81;
    place = s_put_u64 (place, 1, frame->key.principal ? frame->key.principal : client_id);
    if (frame->key.session) {
        place = s_put_u64 (place, 2, 0);
        place = s_put_u64 (place, 3, 0);
    }
    frame->bytes = (uint32_t) (place - frame->data);
}

void client_frame_set_session (client_frame_t *self, uint64_t session_id, uint64_t ack)
{
    dt_assert (self->key.session);
    self->session_id = session_id;
    uint8_t *place = self->data + CLIENT_HEADER_BYTES;
    place = s_put_u64 (place, 2, session_id);
    s_put_u64 (place, 3, ack);
}

void client_frame_release (client_frame_t *self)
{
    dt_assert (self->requests > 0);
    if (--self->requests == 0) {
        client_arena_unref (self->arena);
    }
}

void client_lane_close (client_lane_t *self)
{
    client_frame_t *frame = self->open;
    if (!frame || frame->bytes == s_header_bytes (&frame->key)) {
        return;
    }
    client_frame_queue_push (&self->closed, frame);
    self->open = NULL;
}

static void s_drop_arena (client_lane_t *self)
{
    if (self->open) { // empty, or it would have been closed
        client_frame_release (self->open);
        self->open = NULL;
    }
    if (self->arena) {
        client_arena_unref (self->arena);
        self->arena = NULL;
    }
}

static void s_open (client_lane_t *self, uint64_t client_id)
{
    client_arena_t *arena = self->arena;
    size_t start = (arena->used + FRAME_ALIGNMENT - 1) & ~(size_t) (FRAME_ALIGNMENT - 1);
    client_frame_t *frame = (client_frame_t *) (void *) (arena->data + start);
    memset (frame, 0, sizeof *frame);
    frame->arena = arena;
    frame->key = self->key;
    frame->requests = 1; // the frame's own hold, until it was sent or dropped
    atomic_init (&frame->state, self->own ? FRAME_TAKEN : FRAME_FILLING);
    s_write_header (frame, client_id);
    arena->used = start + sizeof *frame + frame->bytes;
    client_arena_ref (arena);
    self->open = frame;
}

// A new arena, large enough for a frame of one request of `bytes`. Arenas grow with use, so that
// a client of a thousand quiet groups stays small.
static void s_renew_arena (client_lane_t *self, size_t bytes)
{
    s_drop_arena (self);
    size_t capacity = self->arena_bytes ? self->arena_bytes : CLIENT_ARENA_BYTES_MIN;
    self->arena_bytes =
        capacity * 4 < CLIENT_ARENA_BYTES_MAX ? capacity * 4 : CLIENT_ARENA_BYTES_MAX;
    size_t needed = sizeof (client_frame_t) + s_header_bytes (&self->key) + bytes;
    if (capacity < needed) {
        capacity = (needed + FRAME_ALIGNMENT - 1) & ~(size_t) (FRAME_ALIGNMENT - 1);
    }
    self->arena = s_arena_new (capacity);
}

uint8_t *client_lane_reserve (client_lane_t *self, size_t bytes, uint64_t client_id)
{
    client_arena_t *arena = self->arena;
    if (__builtin_expect (self->open && arena->capacity - arena->used >= bytes, 1)) {
        return self->open->data + self->open->bytes;
    }
    client_lane_close (self);
    size_t needed = FRAME_ALIGNMENT + sizeof (client_frame_t) + s_header_bytes (&self->key) + bytes;
    if (!arena || arena->capacity - arena->used < needed) {
        s_renew_arena (self, bytes);
    }
    if (!self->open) {
        s_open (self, client_id);
    }
    return self->open->data + self->open->bytes;
}

void client_lane_take (client_lane_t *self, client_frame_queue_t *queue)
{
    if (!self->closed.first) {
        return;
    }
    if (queue->last) {
        queue->last->next = self->closed.first;
    } else {
        queue->first = self->closed.first;
    }
    queue->last = self->closed.last;
    self->closed = (client_frame_queue_t){NULL, NULL};
}

void client_lane_deinit (client_lane_t *self)
{
    dt_assert (!self->closed.first);
    dt_assert (!self->open || self->open->requests == 1);
    s_drop_arena (self);
}
