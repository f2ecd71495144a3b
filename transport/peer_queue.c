#include "transport/peer_queue.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "transport/peer_protocol.h"

enum { CAPACITY_MIN = 16 };

static size_t s_body_bytes (const peer_message_t *message)
{
    return message->head.bytes + message->bytes;
}

static size_t s_cost (const peer_message_t *message)
{
    return sizeof *message + s_body_bytes (message);
}

static bool s_is_payload (const peer_message_t *message)
{
    return message->channel == PEER_CONTROL && message->bytes > 0;
}

static peer_message_t **s_place (const peer_run_t *run, size_t number)
{
    return &run->items[(run->head + number) & (run->capacity - 1)];
}

// --- runs ----------------------------------------------------------------------------------------

static void s_grow (peer_run_t *run)
{
    size_t capacity = run->capacity ? 2 * run->capacity : CAPACITY_MIN;
    peer_message_t **items = dt_malloc (capacity * sizeof *items);
    for (size_t i = 0; i < run->count; i++) {
        items[i] = *s_place (run, i);
    }
    free (run->items);
    run->items = items;
    run->head = 0;
    run->capacity = capacity;
}

static void s_append (peer_run_t *run, peer_message_t *message)
{
    if (run->count == run->capacity) {
        s_grow (run);
    }
    *s_place (run, run->count++) = message;
}

// The oldest message, which stays; NULL: none.
static peer_message_t *s_first (peer_run_t *run)
{
    while (run->count > 0 && !*s_place (run, 0)) {
        run->head = (run->head + 1) & (run->capacity - 1);
        run->count--;
    }
    return run->count > 0 ? *s_place (run, 0) : NULL;
}

// Take the newest message out, or the newest with a second part; NULL: there is none.
static peer_message_t *s_take_newest (peer_run_t *run, bool payload)
{
    for (size_t i = run->count; i-- > 0;) {
        peer_message_t **place = s_place (run, i);
        if (!*place || (payload && !s_is_payload (*place))) {
            continue;
        }
        peer_message_t *message = *place;
        *place = NULL;
        while (run->count > 0 && !*s_place (run, run->count - 1)) {
            run->count--;
        }
        return message;
    }
    return NULL;
}

// --- the queue -----------------------------------------------------------------------------------

void peer_queue_init (peer_queue_t *self, size_t bytes_max)
{
    *self = (peer_queue_t){.bytes_max = bytes_max};
}

void peer_queue_deinit (peer_queue_t *self)
{
    peer_queue_drop_all (self);
    for (int i = 0; i < PEER_CHANNELS; i++) {
        free (self->runs[i].items);
        self->runs[i] = (peer_run_t){0};
    }
}

static void s_account (peer_queue_t *self, const peer_message_t *message, bool in)
{
    size_t sign = in ? 1 : (size_t) -1;
    self->bytes += sign * s_cost (message);
    self->messages += sign;
    self->payloads += s_is_payload (message) ? sign : 0;
}

static void s_drop_one (peer_queue_t *self)
{
    peer_message_t *message = s_take_newest (&self->runs[PEER_BULK], false);
    if (!message && self->payloads > 0) {
        message = s_take_newest (&self->runs[PEER_CONTROL], true);
    }
    if (!message) {
        message = s_take_newest (&self->runs[PEER_CONTROL], false);
    }
    dt_assert (message);
    s_account (self, message, false);
    self->dropped++;
    peer_message_destroy (&message);
}

void peer_queue_push (peer_queue_t *self, peer_message_t *message)
{
    dt_assert (message->channel < PEER_CHANNELS);
    if (s_body_bytes (message) > PEER_BODY_BYTES_MAX) {
        self->dropped++;
        peer_message_destroy (&message);
        return;
    }
    s_append (&self->runs[message->channel], message);
    s_account (self, message, true);
    // One alone is let through, or a bound below its size would stop it for ever.
    while (self->bytes > self->bytes_max && self->messages > 1) {
        s_drop_one (self);
    }
}

// How many of the oldest messages a frame takes that has `bytes` already, and what they add at
// most.
static size_t s_batch (const peer_run_t *run, size_t bytes, size_t *added)
{
    size_t count = 0;
    *added = 0;
    while (count < run->count) {
        const peer_message_t *message = *s_place (run, count);
        size_t more = message ? PEER_PART_HEADER_BYTES_MAX + s_body_bytes (message) : 0;
        if (*added > 0 && bytes + *added + more > PEER_FRAME_BYTES_WANTED) {
            break;
        }
        *added += more;
        count++;
    }
    return count;
}

size_t peer_queue_pack (peer_queue_t *self, peer_channel_t channel, dt_buffer_t *frame)
{
    peer_run_t *run = &self->runs[channel];
    if (!s_first (run)) {
        return 0;
    }
    size_t added, messages = self->messages;
    size_t count = s_batch (run, frame->bytes, &added);
    dt_buffer_reserve (frame, added); // once: the bodies are not moved again
    for (size_t i = 0; i < count; i++) {
        peer_message_t *message = *s_place (run, i);
        if (message) {
            peer_part_write (frame, message->group_id, message->kind, message->term,
                             s_body_bytes (message));
            dt_buffer_append (frame, message->head.data, message->head.bytes);
            dt_buffer_append (frame, message->data, message->bytes);
            s_account (self, message, false);
            peer_message_destroy (&message);
        }
    }
    run->head = (run->head + count) & (run->capacity - 1);
    run->count -= count;
    return messages - self->messages;
}

void peer_queue_drop_all (peer_queue_t *self)
{
    while (self->messages > 0) {
        s_drop_one (self);
    }
    dt_assert (self->bytes == 0);
}

void peer_queue_check (const peer_queue_t *self)
{
    size_t bytes = 0, messages = 0, payloads = 0;
    for (int channel = 0; channel < PEER_CHANNELS; channel++) {
        const peer_run_t *run = &self->runs[channel];
        dt_assert (run->count <= run->capacity);
        for (size_t i = 0; i < run->count; i++) {
            const peer_message_t *message = *s_place (run, i);
            if (message) {
                dt_assert (message->channel == channel);
                bytes += s_cost (message);
                messages++;
                payloads += s_is_payload (message);
            }
        }
    }
    dt_assert (bytes == self->bytes);
    dt_assert (messages == self->messages);
    dt_assert (payloads == self->payloads);
    dt_assert (bytes <= self->bytes_max || messages <= 1);
}
