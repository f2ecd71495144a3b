#include "transport/net_messages.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"

void net_requests_free (void *argument)
{
    net_requests_t *self = argument;
    dt_blob_unref (&self->blob);
    free (self->clients);
    free (self->items);
    free (self);
}

static void s_free (actor_message_t *message)
{
    net_replies_t *self = (net_replies_t *) message;
    for (uint32_t i = 0; i < self->count; i++) {
        dt_buffer_deinit (&self->frames[i].frame);
    }
    free (self->frames);
    free (self);
}

net_replies_t *net_replies_new (void)
{
    net_replies_t *self = dt_zalloc (1, sizeof *self);
    self->message.type = NET_REPLIES;
    self->message.free_fn = s_free;
    return self;
}

static bool s_same_client (const net_client_t *a, const net_client_t *b)
{
    return a->delimiter == b->delimiter && a->route.bytes == b->route.bytes &&
           memcmp (a->route.data, b->route.data, a->route.bytes) == 0;
}

static bool s_takes (const net_replies_t *self, uint32_t at, const net_client_t *client)
{
    // A REQ client expects one message for each reply.
    return at < self->count && !client->delimiter &&
           self->frames[at].frame.bytes < NET_REPLY_FRAME_BYTES &&
           s_same_client (&self->frames[at].client, client);
}

// Many clients in one batch are rare and then have few replies each: looking back over the last few
// frames finds the open one of a client that takes turns with others, and bounds the search.
enum { LOOK_BACK = 16 };

dt_buffer_t *net_replies_frame (net_replies_t *self, const net_client_t *client)
{
    if (s_takes (self, self->last, client)) {
        return &self->frames[self->last].frame;
    }
    uint32_t end = self->count > LOOK_BACK ? self->count - LOOK_BACK : 0;
    for (uint32_t i = self->count; i-- > end;) {
        if (s_takes (self, i, client)) {
            self->last = i;
            return &self->frames[i].frame;
        }
    }
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 4;
        self->frames = dt_realloc (self->frames, self->capacity * sizeof *self->frames);
    }
    self->last = self->count++;
    net_reply_frame_t *frame = &self->frames[self->last];
    frame->client.delimiter = client->delimiter;
    transport_route_copy (&frame->client.route, &client->route);
    dt_buffer_init (&frame->frame);
    return &self->frames[self->last].frame;
}

void net_replies_add (net_replies_t *self, const net_requests_t *requests, uint32_t at,
                      const net_answer_t *answer)
{
    const net_request_t *request = &requests->items[at];
    dt_buffer_t *frame = net_replies_frame (self, &requests->clients[request->client]);
    uint32_t code = (uint32_t) (answer->code < 0 ? -answer->code : answer->code);
    size_t before = frame->bytes;
    if (!answer->has_digest && !answer->text && request->trace_bytes == 0) {
        protocol_reply_write_plain (frame, request->id, code, answer->index, answer->body,
                                    answer->body_bytes);
    } else {
        protocol_reply_t reply = {
            .id = request->id,
            .code = code,
            .index = answer->index,
            .body = {answer->body, answer->body_bytes},
            .has_digest = answer->has_digest,
            .digest = answer->digest,
            .leader_node_id = answer->leader_id,
        };
        if (answer->leader_address) {
            reply.leader_address = (msgpack_slice_t){(const uint8_t *) answer->leader_address,
                                                     strlen (answer->leader_address)};
        }
        if (answer->text) {
            reply.message =
                (msgpack_slice_t){(const uint8_t *) answer->text, strlen (answer->text)};
        }
        if (request->trace_bytes) {
            reply.trace = (msgpack_slice_t){dt_blob_data (requests->blob) + request->trace_at,
                                            request->trace_bytes};
        }
        protocol_reply_write (frame, &reply);
    }
    self->bytes += frame->bytes - before;
    self->replies++;
}

void net_replies_refuse (net_replies_t *self, const net_requests_t *requests, uint32_t from,
                         uint32_t to, int rc, const char *text, const net_hint_t *hint)
{
    net_answer_t answer = {.code = rc, .text = text ? text : dt_error_text (rc)};
    if (rc == DT_ERR_NOT_LEADER && hint) {
        answer.leader_id = hint->leader_id;
        answer.leader_address = hint->leader_address;
    }
    for (uint32_t i = from; i < to; i++) {
        net_replies_add (self, requests, i, &answer);
    }
}
