// Exactly once: the client's session, its numbers and their acknowledgement.
//
// Numbers go on when a session is lost and another one opened; its first frames acknowledge all
// numbers below their own. A write that may have been carried out under a lost session is
// never sent under another one: its outcome is unknown.

#include <string.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "dtkv/client/client_internal.h"
#include "transport/msgpack_writer.h"
#include "transport/protocol_request.h"

#define SESSION_RETRY_MS   200
#define SESSION_REFUSED_MS 1000

// The numbered requests for which `maybe_only` does not hold or an earlier attempt was lost.
static void s_fail_numbered (dt_client_t *self, bool maybe_only, int code, dt_bytes_t message)
{
    for (uint32_t number = 0; number < self->slot_count; number++) {
        const client_slot_t *slot = &self->slots[number];
        client_frame_t *frame = atomic_load_explicit (&slot->frame, memory_order_acquire);
        if (!frame || client_frame_state (frame) == FRAME_FILLING || slot->sequence == 0) {
            continue;
        }
        bool maybe = slot->flags & SLOT_MAYBE;
        bool under_way = client_frame_state (frame) == FRAME_SENT && !(slot->flags & SLOT_WAITING);
        if (maybe || (!maybe_only && !under_way)) {
            dt_result_t result = {.code = maybe ? DT_OUTCOME_UNKNOWN : code, .message = message};
            client_complete (self, number, &result);
        }
    }
}

static bool s_is_permanent (int code)
{
    return code < DT_MALFORMED || code == DT_UNKNOWN_OPERATION || code == DT_UNKNOWN_GROUP ||
           code == DT_DENIED || code == DT_MALFORMED || code == DT_INVALID;
}

static void s_opened (void *user, const dt_result_t *result)
{
    dt_client_t *self = user;
    self->check = true;
    uint64_t id, ttl_ms;
    if (result->code == DT_SUCCESS && dt_result_session (result, &id, &ttl_ms) && id) {
        self->session_state = SESSION_OPEN;
        self->session_ttl_ms = ttl_ms ? ttl_ms : self->options.session_ttl_ms;
        self->session_due_ms = self->now_ms + (int64_t) self->session_ttl_ms / 3;
        self->session_renewed = atomic_load (&self->session_next);
        self->counters.sessions_opened++;
        atomic_store_explicit (&self->session_id, id, memory_order_relaxed);
        client_note (self, 0, "%s", "");
        return;
    }
    int code = result->code == DT_SUCCESS ? DT_MALFORMED : result->code;
    self->session_state = SESSION_FAILED;
    self->session_due_ms = self->now_ms + SESSION_RETRY_MS;
    if (code == DT_CLOSED) {
        return;
    }
    client_note (self, code, "cannot open a session: %s%s%.*s", dt_code_text (code),
                 result->message.bytes ? ": " : "", (int) result->message.bytes,
                 result->message.bytes ? (const char *) result->message.data : "");
    if (s_is_permanent (code)) {
        self->session_due_ms = self->now_ms + SESSION_REFUSED_MS;
        s_fail_numbered (self, false, code, result->message);
    }
}

static void s_renewed (void *user, const dt_result_t *result)
{
    dt_client_t *self = user;
    self->check = true;
    if (result->code == DT_SESSION_UNKNOWN) {
        client_session_lost (self, atomic_load_explicit (&self->session_id, memory_order_relaxed));
    } else if (!dt_code_is_success (result->code) && self->session_state == SESSION_OPEN) {
        self->session_due_ms = self->now_ms + SESSION_RETRY_MS;
    }
}

static bool s_ask (dt_client_t *self, uint8_t operation, uint64_t number, dt_callback_t *callback)
{
    dt_call_options_t options = {.group = self->options.group};
    client_call_t call = {operation, SLOT_SAFE | SLOT_INTERNAL, &options, callback, self};
    client_request_t request;
    uint8_t *place;
    if (client_request_begin (&request, self, &call, 1 + MSGPACK_HEADER_BYTES_MAX, &place)) {
        return false;
    }
    *place++ = 0x91;
    place = msgpack_put_uint (place, number);
    client_request_end (&request, &call, place);
    return true;
}

static bool s_any_link_ready (const dt_client_t *self)
{
    for (uint32_t i = 0; i < self->link_count; i++) {
        if (self->links[i].state == LINK_READY) {
            return true;
        }
    }
    return false;
}

static void s_keep_alive (dt_client_t *self)
{
    self->session_due_ms = self->now_ms + (int64_t) self->session_ttl_ms / 3;
    uint64_t next = atomic_load_explicit (&self->session_next, memory_order_relaxed);
    if (next != self->session_renewed) { // writes renew it
        self->session_renewed = next;
        return;
    }
    if (!s_ask (self, DT_OPERATION_SESSION_KEEPALIVE,
                atomic_load_explicit (&self->session_id, memory_order_relaxed), s_renewed)) {
        self->session_due_ms = self->now_ms + SESSION_RETRY_MS;
    }
}

int64_t client_session_check_due (dt_client_t *self)
{
    if (!self->options.session) {
        return CLIENT_NEVER;
    }
    if (self->session_state == SESSION_FAILED && self->now_ms >= self->session_due_ms) {
        self->session_state = SESSION_NONE;
    }
    if (self->session_state == SESSION_NONE) {
        // A link that becomes ready calls here again.
        if (!s_any_link_ready (self)) {
            return CLIENT_NEVER;
        }
        self->session_state = SESSION_OPENING;
        if (!s_ask (self, DT_OPERATION_SESSION_OPEN, self->options.session_ttl_ms, s_opened)) {
            self->session_state = SESSION_FAILED;
            self->session_due_ms = self->now_ms + SESSION_RETRY_MS;
        }
    } else if (self->session_state == SESSION_OPEN && self->now_ms >= self->session_due_ms) {
        s_keep_alive (self);
    }
    return self->session_state == SESSION_OPENING ? CLIENT_NEVER : self->session_due_ms;
}

static uint64_t s_bit (const dt_client_t *self, uint64_t sequence, uint64_t **word)
{
    uint64_t place = sequence & (self->session_bits - 1);
    *word = &self->session_done[place / 64];
    return 1ULL << (place % 64);
}

bool client_session_admits (const dt_client_t *self, const client_frame_t *frame)
{
    uint64_t ack = atomic_load_explicit (&self->session_ack, memory_order_relaxed);
    uint64_t window = atomic_load_explicit (&self->session_window, memory_order_relaxed);
    return frame->last == 0 || frame->last < ack + window || frame->first <= ack;
}

void client_session_completed (dt_client_t *self, uint64_t sequence)
{
    uint64_t ack = atomic_load_explicit (&self->session_ack, memory_order_relaxed);
    dt_assert (sequence >= ack);
    dt_assert (sequence - ack < self->session_bits);
    uint64_t *word;
    uint64_t bit = s_bit (self, sequence, &word);
    *word |= bit;
    for (bit = s_bit (self, ack, &word); *word & bit; bit = s_bit (self, ack, &word)) {
        *word &= ~bit;
        ack++;
    }
    atomic_store_explicit (&self->session_ack, ack, memory_order_relaxed);
}

void client_session_lost (dt_client_t *self, uint64_t session_id)
{
    if (session_id == 0 ||
        atomic_load_explicit (&self->session_id, memory_order_relaxed) != session_id) {
        return;
    }
    atomic_store_explicit (&self->session_id, 0, memory_order_relaxed);
    self->session_state = SESSION_NONE;
    self->session_due_ms = self->now_ms;
    self->check = true;
    self->counters.sessions_lost++;
    s_fail_numbered (self, true, DT_OUTCOME_UNKNOWN,
                     dt_text ("the session expired before the outcome was known"));
}

void client_session_say_goodbye (dt_client_t *self)
{
    uint64_t id = atomic_load_explicit (&self->session_id, memory_order_relaxed);
    const client_link_t *link = &self->links[self->preferred];
    if (id == 0 || link->state != LINK_READY) {
        return;
    }
    dt_buffer_t buffer = {0};
    protocol_request_t request = {.id = CLIENT_HELLO_ID,
                                  .operation = PROTOCOL_SESSION_CLOSE,
                                  .group = self->options.group,
                                  .timeout_ms = self->options.timeout_ms};
    protocol_header_write (&buffer, self->client_id, 0, 0);
    protocol_request_open (&buffer, &request);
    msgpack_write_array (&buffer, 1);
    msgpack_write_uint (&buffer, id);
    protocol_request_close (&buffer, &request);
    // A node that does not get it ends the session at its time to live.
    zmq_send (link->dealer, buffer.data, buffer.bytes, ZMQ_DONTWAIT);
    dt_buffer_deinit (&buffer);
}
