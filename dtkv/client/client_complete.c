// The end of an attempt: result, next attempt, or "outcome unknown".
//
// What may be done after an attempt depends on what is known about it:
//     refused (the node says that it did nothing)   any request may be sent again
//     lost (no answer, or "perhaps")                only SLOT_SAFE ones: reads, numbered writes
// A write of which any attempt was lost is never reported as certainly not done.

#include "base/dt_assert.h"
#include "dtkv/client/client_internal.h"
#include "transport/msgpack_writer.h"

static void s_set_due (dt_client_t *self, uint32_t number, int64_t due_ms)
{
    atomic_store_explicit (&self->due_ms[number], due_ms, memory_order_relaxed);
    if (due_ms < self->due_ms_next) {
        self->due_ms_next = due_ms;
    }
}

static client_frame_t *s_frame (const client_slot_t *slot)
{
    return atomic_load_explicit (&slot->frame, memory_order_acquire);
}

static void s_free_slot (dt_client_t *self, uint32_t number)
{
    client_slot_t *slot = &self->slots[number];
    client_frame_t *frame = s_frame (slot);
    // A request that did not leave must not: the node answers an unknown operation, to nobody.
    if (client_frame_state (frame) != FRAME_SENT) {
        frame->data[slot->offset + CLIENT_OPERATION_OFFSET] = CLIENT_OPERATION_VOID;
    }
    client_frame_release (frame);
    self->own.bytes -= slot->bytes;
    uint8_t flags = slot->flags;
    uint64_t sequence = slot->sequence;
    slot->generation = client_next_generation (slot->generation);
    atomic_store_explicit (&self->due_ms[number], CLIENT_NEVER, memory_order_relaxed);
    atomic_store_explicit (&slot->frame, NULL, memory_order_relaxed);
    client_free_push (self, flags & SLOT_INTERNAL ? &self->reserved : &self->own.free, number);
    if (sequence) {
        client_session_completed (self, sequence);
    }
}

static dt_outcome_t s_outcome (int code, uint8_t flags)
{
    if (dt_code_is_success (code)) {
        return DT_OUTCOME_DONE;
    }
    if (code == DT_OUTCOME_UNKNOWN || (code == DT_DISK_FAILED && (flags & SLOT_WRITE))) {
        return DT_OUTCOME_UNCERTAIN;
    }
    return DT_OUTCOME_NOT_DONE;
}

void client_complete (dt_client_t *self, uint32_t number, dt_result_t *result)
{
    client_slot_t *slot = &self->slots[number];
    result->operation = slot->operation;
    result->outcome = s_outcome (result->code, slot->flags);
    dt_callback_t *callback = slot->callback;
    void *user = slot->user;
    s_free_slot (self, number);
    self->counters.completed++;
    if (callback) {
        callback (user, result);
    }
}

void client_complete_code (dt_client_t *self, uint32_t number, int code, const char *message)
{
    dt_result_t result = {.code = code, .message = dt_text (message)};
    client_complete (self, number, &result);
}

// Complete with a code that says "not done", unless an earlier attempt may have done it.
static void s_complete_refused (dt_client_t *self, uint32_t number, dt_result_t *result)
{
    if (self->slots[number].flags & SLOT_MAYBE) {
        result->code = DT_OUTCOME_UNKNOWN;
    }
    client_complete (self, number, result);
}

// Wait longer with each attempt, and not all at the same time.
static int64_t s_backoff_ms (dt_client_t *self, const client_slot_t *slot)
{
    uint64_t base = 2ULL << (slot->attempts < 7 ? slot->attempts : 7);
    return (int64_t) (base + dt_random_below (&self->random, base));
}

// Arrange the next attempt; false: the time limit comes first.
static bool s_retry (dt_client_t *self, uint32_t number, int64_t delay_ms)
{
    client_slot_t *slot = &self->slots[number];
    if (self->now_ms + delay_ms >= slot->deadline_ms) {
        return false;
    }
    if (slot->attempts < UINT8_MAX) {
        slot->attempts++;
    }
    if (delay_ms == 0) {
        client_resend (self, number);
        return true;
    }
    slot->flags |= SLOT_WAITING;
    slot->generation = client_next_generation (slot->generation);
    s_set_due (self, number, self->now_ms + delay_ms);
    return true;
}

void client_resend (dt_client_t *self, uint32_t number)
{
    client_slot_t *slot = &self->slots[number];
    client_frame_t *from = s_frame (slot);
    client_key_t key = from->key;
    key.again = key.session;
    client_lane_t *lane = client_lanes_find (&self->own.lanes, &key);
    if (!lane) {
        client_complete_code (self, number, DT_INVALID, "too many groups and principals");
        return;
    }
    uint8_t *place = client_lane_reserve (lane, slot->bytes, self->client_id);
    memcpy (place, from->data + slot->offset, slot->bytes);
    slot->generation = client_next_generation (slot->generation);
    uint64_t id = __builtin_bswap64 (client_slot_id (slot, number));
    memcpy (place + 2, &id, sizeof id);
    int64_t left_ms = slot->deadline_ms - self->now_ms;
    msgpack_put_32 (place + slot->timeout_offset, 0xce, left_ms > 1 ? (uint32_t) left_ms : 1);
    slot->offset = (uint32_t) (place - lane->open->data);
    slot->flags &= (uint8_t) ~SLOT_WAITING;
    client_lane_commit (lane, slot->bytes);
    atomic_store_explicit (&slot->frame, lane->open, memory_order_release);
    client_frame_release (from);
    client_side_mark (&self->own, lane);
    self->counters.retries++;
    int64_t due_ms = slot->deadline_ms;
    if ((slot->flags & SLOT_SAFE) && self->now_ms + self->options.attempt_timeout_ms < due_ms) {
        due_ms = self->now_ms + self->options.attempt_timeout_ms;
    }
    s_set_due (self, number, due_ms);
}

// The attempt may have been carried out. False: it must not be sent again.
static bool s_note_lost (dt_client_t *self, uint32_t number)
{
    client_slot_t *slot = &self->slots[number];
    if (slot->flags & SLOT_WRITE) {
        slot->flags |= SLOT_MAYBE;
    }
    if (!(slot->flags & SLOT_SAFE)) {
        return false;
    }
    return slot->sequence == 0 ||
           s_frame (slot)->session_id ==
               atomic_load_explicit (&self->session_id, memory_order_relaxed);
}

static void s_redirect (dt_client_t *self, uint32_t number, dt_result_t *result, uint32_t link)
{
    client_slot_t *slot = &self->slots[number];
    const client_key_t *key = &s_frame (slot)->key;
    int leader = client_link_of_leader (self, result->leader_node_id, result->leader_address);
    int64_t delay_ms = 0;
    self->counters.redirects++;
    if (leader >= 0 && (uint32_t) leader != link) {
        client_link_prefer (self, key, (uint32_t) leader);
        // Two nodes that name each other must not be asked in a tight loop.
        delay_ms = slot->attempts < 3 ? 0 : s_backoff_ms (self, slot);
    } else {
        client_link_leave (self, key, link);
        delay_ms = 10 + s_backoff_ms (self, slot);
    }
    if (!s_retry (self, number, delay_ms)) {
        s_complete_refused (self, number, result);
    }
}

// The session is gone: the request was not carried out now, and goes to the next session if it
// was not before.
static void s_session_unknown (dt_client_t *self, uint32_t number, dt_result_t *result)
{
    uint64_t session_id = s_frame (&self->slots[number])->session_id;
    if (self->slots[number].flags & SLOT_MAYBE) {
        s_complete_refused (self, number, result);
    } else if (!s_retry (self, number, 1)) {
        client_complete (self, number, result);
    }
    client_session_lost (self, session_id);
}

void client_answered (dt_client_t *self, uint32_t number, dt_result_t *result, uint32_t link)
{
    client_slot_t *slot = &self->slots[number];
    int64_t delay_ms = 0;
    switch (result->code) {
    case DT_NOT_LEADER:
        s_redirect (self, number, result, link);
        return;
    case DT_SESSION_UNKNOWN:
        if (!slot->sequence) {
            break;
        }
        s_session_unknown (self, number, result);
        return;
    case DT_SESSION_SEQ_STALE:
        if (slot->sequence) {
            s_complete_refused (self, number, result);
            return;
        }
        break;
    case DT_OUTCOME_UNKNOWN:
    case DT_DISK_FAILED:
        if (!(slot->flags & SLOT_SAFE) || !s_note_lost (self, number)) {
            break;
        }
        if (result->code == DT_DISK_FAILED) {
            client_link_leave (self, &s_frame (slot)->key, link);
        }
        delay_ms = s_backoff_ms (self, slot);
        break;
    case DT_STOPPING:
        client_link_leave (self, &s_frame (slot)->key, link);
        delay_ms = s_backoff_ms (self, slot);
        break;
    case DT_NOT_READY:
    case DT_BUSY:
        delay_ms = s_backoff_ms (self, slot);
        break;
    case DT_SESSION_WINDOW_FULL:
        delay_ms = slot->sequence ? s_backoff_ms (self, slot) : 0;
        break;
    default:
        break;
    }
    if (delay_ms && s_retry (self, number, delay_ms)) {
        return;
    }
    if (result->code >= 64 || delay_ms) {
        s_complete_refused (self, number, result);
    } else {
        client_complete (self, number, result);
    }
}

void client_lost (dt_client_t *self, uint32_t number)
{
    if (!s_note_lost (self, number)) {
        client_complete_code (self, number, DT_OUTCOME_UNKNOWN,
                              "the connection was lost before the reply");
    } else if (!s_retry (self, number, 0)) {
        bool maybe = self->slots[number].flags & SLOT_MAYBE;
        client_complete_code (self, number, maybe ? DT_OUTCOME_UNKNOWN : DT_TIMEOUT,
                              "the connection was lost before the reply");
    }
}

static void s_expire (dt_client_t *self, uint32_t number)
{
    const client_slot_t *slot = &self->slots[number];
    bool under_way =
        client_frame_state (s_frame (slot)) == FRAME_SENT && !(slot->flags & SLOT_WAITING);
    bool changes = (slot->flags & SLOT_WRITE) || !(slot->flags & SLOT_SAFE);
    self->counters.timeouts++;
    if ((slot->flags & SLOT_MAYBE) || (changes && under_way)) {
        client_complete_code (self, number, DT_OUTCOME_UNKNOWN, "no answer within the time limit");
    } else {
        client_complete_code (self, number, DT_TIMEOUT, "no answer within the time limit");
    }
}

// A node that is connected but silent: ask another one, where that is safe.
static void s_end_silence (dt_client_t *self, uint32_t number)
{
    client_slot_t *slot = &self->slots[number];
    client_frame_t *frame = s_frame (slot);
    if (self->link_count < 2 || client_frame_state (frame) != FRAME_SENT) {
        s_set_due (self, number, slot->deadline_ms);
        return;
    }
    client_link_leave (self, &frame->key, frame->link);
    client_lost (self, number);
}

static void s_check_slot (dt_client_t *self, uint32_t number)
{
    const client_slot_t *slot = &self->slots[number];
    client_frame_t *frame = s_frame (slot);
    if (!frame || client_frame_state (frame) == FRAME_FILLING) {
        // Just being submitted: it is ours with the next round.
        self->due_ms_next = self->now_ms;
    } else if (self->now_ms >= slot->deadline_ms) {
        s_expire (self, number);
    } else if (slot->flags & SLOT_WAITING) {
        client_resend (self, number);
    } else {
        s_end_silence (self, number);
    }
}

// A pass over one word per slot costs less than a timer per request: requests rarely come due,
// and passes are only made when the earliest of them does.
void client_check_due (dt_client_t *self)
{
    self->due_ms_next = CLIENT_NEVER;
    for (uint32_t number = 0; number < self->slot_count; number++) {
        int64_t due_ms = atomic_load_explicit (&self->due_ms[number], memory_order_relaxed);
        if (due_ms <= self->now_ms) {
            s_check_slot (self, number);
        } else if (due_ms < self->due_ms_next) {
            self->due_ms_next = due_ms;
        }
    }
}

void client_complete_all (dt_client_t *self)
{
    for (uint32_t number = 0; number < self->slot_count; number++) {
        const client_slot_t *slot = &self->slots[number];
        client_frame_t *frame = s_frame (slot);
        if (!frame) {
            continue;
        }
        bool under_way = client_frame_state (frame) == FRAME_SENT && !(slot->flags & SLOT_WAITING);
        bool changes = (slot->flags & SLOT_WRITE) || !(slot->flags & SLOT_SAFE);
        bool unknown = (slot->flags & SLOT_MAYBE) || (changes && under_way);
        client_complete_code (self, number, unknown ? DT_OUTCOME_UNKNOWN : DT_CLOSED,
                              "the client was closed");
    }
}
