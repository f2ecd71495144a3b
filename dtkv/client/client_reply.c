// Messages from nodes: replies, each looked up by its id.

#include <errno.h>
#include <zmq.h>

#include "dtkv/client/client_internal.h"
#include "transport/protocol_reply.h"

// Requests of callbacks that are worth a frame of their own before more replies are read.
#define SEND_EARLY 512

static dt_bytes_t s_bytes (msgpack_slice_t slice)
{
    return dt_bytes (slice.data, slice.bytes);
}

// True if the id belongs to an attempt that is under way.
static bool s_find (dt_client_t *self, uint64_t id, uint32_t link, uint32_t *number)
{
    *number = (uint32_t) id;
    if (*number >= self->slot_count) {
        return false;
    }
    const client_slot_t *slot = &self->slots[*number];
    // Only what was sent is ours to look at: a wrong id must not meet a slot that is being filled.
    const client_frame_t *frame = atomic_load_explicit (&slot->frame, memory_order_acquire);
    return frame && client_frame_state (frame) == FRAME_SENT && frame->link == link &&
           slot->generation == (uint32_t) (id >> 32);
}

static void s_reply (dt_client_t *self, uint32_t link, const protocol_reply_t *reply)
{
    dt_result_t result;
    result.code = reply->code <= INT32_MAX ? (int) reply->code : DT_ERROR;
    result.leader_node_id =
        reply->leader_node_id <= UINT32_MAX ? (uint32_t) reply->leader_node_id : 0;
    result.index = reply->index;
    result.has_digest = reply->has_digest;
    result.digest = reply->digest;
    result.message = s_bytes (reply->message);
    result.leader_address = s_bytes (reply->leader_address);
    result.body = s_bytes (reply->body);
    uint32_t number;
    if (s_find (self, reply->id, link, &number)) {
        if (dt_code_is_success (result.code)) {
            client_complete (self, number, &result);
        } else {
            client_answered (self, number, &result, link);
        }
    } else if (reply->id == CLIENT_HELLO_ID && self->links[link].state == LINK_HELLO) {
        client_link_hello (self, link, &result);
    } else {
        self->counters.stale_replies++;
    }
}

// False: the message cannot be read to its end.
static bool s_message (dt_client_t *self, uint32_t link, zmq_msg_t *message)
{
    if (zmq_msg_more (message)) {
        return false;
    }
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, zmq_msg_data (message), zmq_msg_size (message));
    protocol_reply_t reply;
    int rc = protocol_reply_next (&cursor, &reply);
    while (rc == 1) {
        s_reply (self, link, &reply);
        if (!self->links[link].dealer) {
            return true; // a refused hello ended the connection
        }
        rc = protocol_reply_next (&cursor, &reply);
    }
    return rc == 0 && zmq_msg_size (message) > 0;
}

int client_receive (dt_client_t *self, uint32_t link, int messages_max)
{
    int count = 0;
    bool well = true;
    zmq_msg_t message;
    zmq_msg_init (&message);
    while (count < messages_max && well && self->links[link].dealer) {
        int bytes = zmq_msg_recv (&message, self->links[link].dealer, ZMQ_DONTWAIT);
        if (bytes < 0) {
            break;
        }
        count++;
        self->counters.frames_received++;
        self->counters.bytes_received += (uint64_t) bytes;
        well = s_message (self, link, &message);
        if (self->own.submitted - self->sent_mark >= SEND_EARLY) {
            client_io_send (self);
        }
    }
    zmq_msg_close (&message);
    if (!well) {
        self->counters.malformed_frames++;
        client_link_fail (self, link, DT_MALFORMED, "the node sent what cannot be read");
    }
    return count;
}
