// Structure: the table finds by id, the heap by deadline, the list holds all in order of id, which
// is the order they were opened in. During a snapshot, a session that changes before the snapshot
// has passed it leaves its record behind first, and one that ends stays in the list, dead, until
// passed.

#include "dtkv/core/dtkv_session.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_digest.h"
#include "dtkv/core/dtkv_record.h"
#include "dtkv/core/dtkv_result.h"

enum {
    SLOTS_MIN = 16,
    HEAP_MIN = 16,
    RING_MIN = 4,
    RING_KEEP = 64,  // slots an empty ring may hold on to
    REPLY_COST = 32, // bytes a kept reply counts beside its body: part of the state machine
};

// Table.

static uint32_t s_home (const dtkv_sessions_t *self, uint64_t id)
{
    return (uint32_t) dt_hash_mix (id) & (self->slots_capacity - 1);
}

static uint32_t s_slot (const dtkv_sessions_t *self, uint64_t id)
{
    uint32_t slot = s_home (self, id);
    while (self->slots[slot] && self->slots[slot]->id != id) {
        slot = (slot + 1) & (self->slots_capacity - 1);
    }
    return slot;
}

static void s_table_grow (dtkv_sessions_t *self)
{
    dtkv_session_t **old = self->slots;
    uint32_t old_capacity = self->slots_capacity;
    self->slots_capacity = old_capacity * 2;
    self->slots = dt_zalloc (self->slots_capacity, sizeof self->slots[0]);
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i]) {
            self->slots[s_slot (self, old[i]->id)] = old[i];
        }
    }
    free (old);
}

static void s_table_remove (dtkv_sessions_t *self, uint64_t id)
{
    uint32_t mask = self->slots_capacity - 1;
    uint32_t hole = s_slot (self, id);
    dt_assert (self->slots[hole]);
    for (uint32_t slot = (hole + 1) & mask; self->slots[slot]; slot = (slot + 1) & mask) {
        uint32_t home = s_home (self, self->slots[slot]->id);
        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
            self->slots[hole] = self->slots[slot];
            hole = slot;
        }
    }
    self->slots[hole] = NULL;
}

// Heap.

static bool s_earlier (const dtkv_session_t *a, const dtkv_session_t *b)
{
    return a->deadline_ms != b->deadline_ms ? a->deadline_ms < b->deadline_ms : a->id < b->id;
}

static void s_heap_set (dtkv_sessions_t *self, uint32_t slot, dtkv_session_t *session)
{
    self->heap[slot] = session;
    session->heap_slot = slot;
}

static void s_heap_up (dtkv_sessions_t *self, dtkv_session_t *session)
{
    uint32_t slot = session->heap_slot;
    while (slot && s_earlier (session, self->heap[(slot - 1) / 2])) {
        s_heap_set (self, slot, self->heap[(slot - 1) / 2]);
        slot = (slot - 1) / 2;
    }
    s_heap_set (self, slot, session);
}

// `count` is the size of the heap.
static void s_heap_down (dtkv_sessions_t *self, dtkv_session_t *session, uint32_t count)
{
    uint32_t slot = session->heap_slot;
    for (;;) {
        uint32_t child = 2 * slot + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && s_earlier (self->heap[child + 1], self->heap[child])) {
            child++;
        }
        if (!s_earlier (self->heap[child], session)) {
            break;
        }
        s_heap_set (self, slot, self->heap[child]);
        slot = child;
    }
    s_heap_set (self, slot, session);
}

static void s_heap_remove (dtkv_sessions_t *self, dtkv_session_t *session)
{
    uint32_t count = self->count - 1;
    dtkv_session_t *last = self->heap[count];
    if (last == session) {
        return;
    }
    s_heap_set (self, session->heap_slot, last);
    s_heap_down (self, last, count);
    s_heap_up (self, last);
}

// Digest.

static uint64_t s_reply_digest (const dtkv_session_t *session, const dtkv_kept_reply_t *reply)
{
    const uint64_t words[] = {session->id, reply->seq, reply->index, reply->code};
    return dtkv_digest_words (words, sizeof words / sizeof words[0], reply->body, reply->bytes);
}

static uint64_t s_session_digest (const dtkv_session_t *session)
{
    const uint64_t words[] = {session->id, session->ttl_ms, session->deadline_ms, session->ack};
    return dtkv_digest_words (words, sizeof words / sizeof words[0], NULL, 0) +
           session->replies_digest;
}

static void s_digest_again (dtkv_sessions_t *self, dtkv_session_t *session)
{
    self->digest -= session->digest;
    session->digest = s_session_digest (session);
    self->digest += session->digest;
}

// Snapshot.

static bool s_unpassed (const dtkv_sessions_t *self, const dtkv_session_t *session)
{
    return self->snapshot && session->id <= self->snapshot_index &&
           session->id > self->snapshot_passed;
}

// To be called before a session changes or ends.
static void s_capture (const dtkv_sessions_t *self, dtkv_session_t *session)
{
    if (s_unpassed (self, session) && !session->image) {
        session->image = dt_zalloc (1, sizeof *session->image);
        dtkv_record_write_session (session, session->image);
    }
}

static void s_free_image (dtkv_session_t *session)
{
    if (session->image) {
        dt_buffer_deinit (session->image);
        free (session->image);
        session->image = NULL;
    }
}

static void s_free (dtkv_session_t *session)
{
    for (uint32_t i = 0; i < session->ring_capacity; i++) {
        free (session->ring[i].body);
    }
    free (session->ring);
    s_free_image (session);
    free (session);
}

static void s_unlink (dtkv_sessions_t *self, dtkv_session_t *session)
{
    if (self->cursor == session) {
        self->cursor = session->behind;
    }
    *(session->before ? &session->before->behind : &self->first) = session->behind;
    *(session->behind ? &session->behind->before : &self->last) = session->before;
}

void dtkv_sessions_snapshot_begin (dtkv_sessions_t *self, uint64_t index)
{
    dt_assert (!self->snapshot);
    self->snapshot = true;
    self->snapshot_index = index;
    self->snapshot_passed = 0;
    self->cursor = self->first;
}

// Step over the session the snapshot stands at.
static void s_pass (dtkv_sessions_t *self)
{
    dtkv_session_t *session = self->cursor;
    self->snapshot_passed = session->id;
    self->cursor = session->behind;
    s_free_image (session);
    if (session->dead) {
        s_unlink (self, session);
        s_free (session);
    }
}

bool dtkv_sessions_snapshot_next (dtkv_sessions_t *self, dt_buffer_t *out)
{
    dtkv_session_t *session = self->cursor;
    if (!session || session->id > self->snapshot_index) {
        return false;
    }
    if (session->image) {
        dt_buffer_append (out, session->image->data, session->image->bytes);
    } else {
        dtkv_record_write_session (session, out);
    }
    s_pass (self);
    return true;
}

void dtkv_sessions_snapshot_end (dtkv_sessions_t *self)
{
    while (self->cursor && self->cursor->id <= self->snapshot_index) {
        s_pass (self);
    }
    self->snapshot = false;
    self->cursor = NULL;
}

// Life.

void dtkv_sessions_init (dtkv_sessions_t *self, const dtkv_limits_t *limits)
{
    *self = (dtkv_sessions_t){.limits = limits, .slots_capacity = SLOTS_MIN};
    self->slots = dt_zalloc (SLOTS_MIN, sizeof self->slots[0]);
}

void dtkv_sessions_deinit (dtkv_sessions_t *self)
{
    dt_assert (!self->snapshot);
    for (dtkv_session_t *session = self->first; session;) {
        dtkv_session_t *behind = session->behind;
        s_free (session);
        session = behind;
    }
    free (self->slots);
    free (self->heap);
    *self = (dtkv_sessions_t){0};
}

dtkv_session_t *dtkv_sessions_find (const dtkv_sessions_t *self, uint64_t id, uint64_t now_ms)
{
    dtkv_session_t *session = self->slots[s_slot (self, id)];
    return session && session->deadline_ms > now_ms ? session : NULL;
}

dtkv_session_t *dtkv_sessions_add (dtkv_sessions_t *self, uint64_t id, uint64_t ttl_ms,
                                   uint64_t deadline_ms, uint64_t ack)
{
    dt_assert (!self->last || self->last->id < id);
    if ((self->count + 1) * 2 > self->slots_capacity) {
        s_table_grow (self);
    }
    if (self->count == self->heap_capacity) {
        self->heap_capacity = self->heap_capacity ? self->heap_capacity * 2 : HEAP_MIN;
        self->heap = dt_realloc (self->heap, self->heap_capacity * sizeof self->heap[0]);
    }
    dtkv_session_t *session = dt_malloc (sizeof *session);
    *session = (dtkv_session_t){
        .id = id,
        .ttl_ms = ttl_ms,
        .deadline_ms = deadline_ms,
        .ack = ack,
        .changed_index = id,
        .before = self->last,
        .heap_slot = self->count,
    };
    self->slots[s_slot (self, id)] = session;
    *(self->last ? &self->last->behind : &self->first) = session;
    self->last = session;
    self->count++;
    s_heap_up (self, session);
    s_digest_again (self, session);
    return session;
}

int dtkv_sessions_open (dtkv_sessions_t *self, uint64_t index, uint64_t ttl_ms, uint64_t now_ms)
{
    if (self->count >= self->limits->sessions_max) {
        return DTKV_TOO_MANY_SESSIONS;
    }
    uint64_t deadline_ms = now_ms > UINT64_MAX - ttl_ms ? UINT64_MAX : now_ms + ttl_ms;
    dtkv_sessions_add (self, index, ttl_ms, deadline_ms, 1);
    return DTKV_SUCCESS;
}

void dtkv_sessions_close (dtkv_sessions_t *self, dtkv_session_t *session)
{
    s_capture (self, session);
    s_table_remove (self, session->id);
    s_heap_remove (self, session);
    self->count--;
    self->digest -= session->digest;
    self->bytes -= session->bytes;
    if (s_unpassed (self, session)) {
        session->dead = true;
    } else {
        s_unlink (self, session);
        s_free (session);
    }
}

dtkv_session_t *dtkv_sessions_first (const dtkv_sessions_t *self)
{
    return self->count ? self->heap[0] : NULL;
}

void dtkv_sessions_touch (dtkv_sessions_t *self, dtkv_session_t *session, uint64_t index,
                          uint64_t now_ms)
{
    uint64_t ttl_ms = session->ttl_ms;
    uint64_t deadline_ms = now_ms > UINT64_MAX - ttl_ms ? UINT64_MAX : now_ms + ttl_ms;
    if (deadline_ms == session->deadline_ms) {
        return;
    }
    s_capture (self, session);
    session->changed_index = index;
    session->deadline_ms = deadline_ms;
    s_heap_down (self, session, self->count);
    s_digest_again (self, session);
}

static void s_forget (dtkv_sessions_t *self, dtkv_session_t *session, dtkv_kept_reply_t *reply)
{
    session->replies_digest -= s_reply_digest (session, reply);
    session->bytes -= reply->bytes + REPLY_COST;
    self->bytes -= reply->bytes + REPLY_COST;
    session->replies--;
    free (reply->body);
    *reply = (dtkv_kept_reply_t){0};
}

void dtkv_sessions_ack (dtkv_sessions_t *self, dtkv_session_t *session, uint64_t index,
                        uint64_t ack)
{
    if (ack <= session->ack) {
        return;
    }
    s_capture (self, session);
    session->changed_index = index;
    uint64_t span = ack - session->ack;
    uint64_t steps = span < session->ring_capacity ? span : session->ring_capacity;
    for (uint64_t i = 0; i < steps && session->replies; i++) {
        dtkv_kept_reply_t *reply =
            &session->ring[(session->ack + i) & (session->ring_capacity - 1)];
        if (reply->seq) {
            s_forget (self, session, reply);
        }
    }
    session->ack = ack;
    if (session->replies == 0 && session->ring_capacity > RING_KEEP) {
        free (session->ring);
        session->ring = NULL;
        session->ring_capacity = 0;
    }
    s_digest_again (self, session);
}

int dtkv_sessions_admit (const dtkv_sessions_t *self, const dtkv_session_t *session, uint64_t seq,
                         const dtkv_kept_reply_t **kept)
{
    *kept = NULL;
    if (seq < session->ack) {
        return DTKV_SESSION_SEQ_STALE;
    }
    if (seq - session->ack >= self->limits->session_replies_max) {
        return DTKV_SESSION_WINDOW_FULL;
    }
    if (seq - session->ack < session->ring_capacity) {
        const dtkv_kept_reply_t *reply = &session->ring[seq & (session->ring_capacity - 1)];
        if (reply->seq) {
            *kept = reply;
            return 0;
        }
    }
    if (session->bytes >= self->limits->session_bytes_max ||
        self->bytes >= self->limits->session_all_bytes_max) {
        return DTKV_SESSION_WINDOW_FULL;
    }
    return 0;
}

// Make room so that all seqs up to `seq` have slots of their own.
static void s_ring_grow (dtkv_session_t *session, uint64_t seq)
{
    uint32_t capacity = session->ring_capacity ? session->ring_capacity : RING_MIN;
    while (capacity <= seq - session->ack) {
        capacity *= 2;
    }
    if (capacity == session->ring_capacity) {
        return;
    }
    dtkv_kept_reply_t *ring = dt_zalloc (capacity, sizeof ring[0]);
    for (uint32_t i = 0; i < session->ring_capacity; i++) {
        if (session->ring[i].seq) {
            ring[session->ring[i].seq & (capacity - 1)] = session->ring[i];
        }
    }
    free (session->ring);
    session->ring = ring;
    session->ring_capacity = capacity;
}

void dtkv_sessions_keep (dtkv_sessions_t *self, dtkv_session_t *session, uint64_t seq,
                         uint64_t index, int code, const uint8_t *body, size_t bytes)
{
    s_capture (self, session);
    session->changed_index = index > session->changed_index ? index : session->changed_index;
    s_ring_grow (session, seq);
    dtkv_kept_reply_t *reply = &session->ring[seq & (session->ring_capacity - 1)];
    dt_assert (!reply->seq);
    bool nil = bytes == 0 || (bytes == 1 && body[0] == 0xc0);
    *reply = (dtkv_kept_reply_t){.seq = seq, .index = index, .code = (uint32_t) code};
    if (!nil) {
        reply->bytes = (uint32_t) bytes;
        reply->body = dt_memdup (body, bytes);
    }
    session->replies++;
    session->bytes += reply->bytes + REPLY_COST;
    self->bytes += reply->bytes + REPLY_COST;
    session->replies_digest += s_reply_digest (session, reply);
    s_digest_again (self, session);
}

// Checks.

static uint64_t s_replies_digest_recompute (const dtkv_session_t *session)
{
    uint64_t digest = 0;
    for (uint32_t i = 0; i < session->ring_capacity; i++) {
        if (session->ring[i].seq) {
            digest += s_reply_digest (session, &session->ring[i]);
        }
    }
    return digest;
}

uint64_t dtkv_sessions_digest_recompute (const dtkv_sessions_t *self)
{
    uint64_t digest = 0;
    for (const dtkv_session_t *session = self->first; session; session = session->behind) {
        if (!session->dead) {
            digest += s_session_digest (session) - session->replies_digest +
                      s_replies_digest_recompute (session);
        }
    }
    return digest;
}

static void s_check_session (const dtkv_sessions_t *self, const dtkv_session_t *session)
{
    uint64_t bytes = 0;
    uint32_t replies = 0;
    for (uint32_t i = 0; i < session->ring_capacity; i++) {
        const dtkv_kept_reply_t *reply = &session->ring[i];
        if (reply->seq) {
            dt_assert ((reply->seq & (session->ring_capacity - 1)) == i);
            dt_assert (reply->seq >= session->ack);
            dt_assert (reply->seq - session->ack < DTKV_SESSION_REPLIES_CEILING);
            bytes += reply->bytes + REPLY_COST;
            replies++;
        }
    }
    dt_assert (bytes == session->bytes);
    dt_assert (replies == session->replies);
    dt_assert (self->slots[s_slot (self, session->id)] == session);
    dt_assert (self->heap[session->heap_slot] == session);
    uint32_t slot = session->heap_slot;
    dt_assert (slot == 0 || s_earlier (self->heap[(slot - 1) / 2], session));
}

void dtkv_sessions_check (const dtkv_sessions_t *self)
{
    uint32_t count = 0;
    uint64_t bytes = 0;
    const dtkv_session_t *before = NULL;
    for (const dtkv_session_t *session = self->first; session; session = session->behind) {
        dt_assert (session->before == before);
        dt_assert (!before || before->id < session->id);
        dt_assert (self->snapshot || (!session->dead && !session->image));
        before = session;
        if (!session->dead) {
            s_check_session (self, session);
            bytes += session->bytes;
            count++;
        }
    }
    dt_assert (before == self->last);
    dt_assert (count == self->count);
    dt_assert (bytes == self->bytes);
    dt_assert (self->digest == dtkv_sessions_digest_recompute (self));
}
