// Slots, lanes and flow control: the way in.

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "dtkv/client/client_body.h"
#include "dtkv/client/client_internal.h"

// Array header, id, operation, group, time limit.
#define PREFIX_BYTES_MAX (1 + 9 + 1 + 5 + 5)
// Map header, session number, session, minimum index, read mode, digest.
#define OPTIONS_BYTES_MAX (1 + 10 + 10 + 10 + 2 + 2)
#define GUARDS_MAX        16

int64_t client_now_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool client_on_io_thread (const dt_client_t *self)
{
    return pthread_equal (pthread_self (), self->io_thread);
}

bool client_in_batch (dt_client_t *self)
{
    return atomic_load_explicit (&self->batch_owner, memory_order_relaxed) == pthread_self ();
}

void client_wake (dt_client_t *self)
{
    if (self->sleeping) {
        self->sleeping = false;
        uint64_t one = 1;
        ssize_t written = write (self->wake_fd, &one, sizeof one);
        dt_assert (written == sizeof one); // a counter far from its limit never refuses
    }
}

void client_free_push (dt_client_t *self, client_free_t *list, uint32_t slot)
{
    self->slots[slot].next_free = list->first;
    if (list->count == 0) {
        list->last = slot;
    }
    list->first = slot;
    list->count++;
}

uint32_t client_free_pop (dt_client_t *self, client_free_t *list)
{
    if (list->count == 0) {
        return CLIENT_NO_SLOT;
    }
    uint32_t slot = list->first;
    list->first = self->slots[slot].next_free;
    list->count--;
    return slot;
}

void client_free_splice (dt_client_t *self, client_free_t *to, client_free_t *from)
{
    if (from->count == 0) {
        return;
    }
    if (to->count == 0) {
        to->last = from->last;
    } else {
        self->slots[from->last].next_free = to->first;
    }
    to->first = from->first;
    to->count += from->count;
    from->count = 0;
}

static bool s_key_equal (const client_key_t *a, const client_key_t *b)
{
    return a->group == b->group && a->principal == b->principal && a->session == b->session &&
           a->again == b->again;
}

static size_t s_key_place (const client_lanes_t *lanes, const client_key_t *key)
{
    uint64_t word = dt_hash_mix (
        key->principal ^ ((uint64_t) key->group << 2 | (uint64_t) key->again << 1 | key->session));
    size_t place = (size_t) word & (lanes->capacity - 1);
    while (lanes->table[place] && !s_key_equal (&lanes->table[place]->key, key)) {
        place = (place + 1) & (lanes->capacity - 1);
    }
    return place;
}

static void s_lanes_grow (client_lanes_t *lanes)
{
    client_lanes_t larger = *lanes;
    larger.capacity = lanes->capacity ? lanes->capacity * 2 : 16;
    larger.table = dt_zalloc (larger.capacity, sizeof *larger.table);
    for (size_t i = 0; i < lanes->capacity; i++) {
        if (lanes->table[i]) {
            larger.table[s_key_place (&larger, &lanes->table[i]->key)] = lanes->table[i];
        }
    }
    free (lanes->table);
    *lanes = larger;
}

client_lane_t *client_lanes_find (client_lanes_t *lanes, const client_key_t *key)
{
    if (__builtin_expect (lanes->recent && s_key_equal (&lanes->recent->key, key), 1)) {
        return lanes->recent;
    }
    if (lanes->count * 2 >= lanes->capacity) {
        s_lanes_grow (lanes);
    }
    size_t place = s_key_place (lanes, key);
    if (!lanes->table[place]) {
        // The I/O thread must find room for every lane of the others, beside those of callbacks.
        if (lanes->count == (lanes->own ? 2 * CLIENT_LANES_MAX : CLIENT_LANES_MAX)) {
            return NULL;
        }
        client_lane_t *lane = dt_zalloc (1, sizeof *lane);
        lane->key = *key;
        lane->link = UINT32_MAX;
        lane->own = lanes->own;
        lanes->table[place] = lane;
        lanes->count++;
    }
    lanes->recent = lanes->table[place];
    return lanes->recent;
}

void client_lanes_deinit (client_lanes_t *lanes)
{
    for (size_t i = 0; i < lanes->capacity; i++) {
        if (lanes->table[i]) {
            client_lane_deinit (lanes->table[i]);
            free (lanes->table[i]);
        }
    }
    free (lanes->table);
    *lanes = (client_lanes_t){0};
}

// Writes of the store are numbered; the session's own operations are not.
static bool s_is_numbered (const dt_client_t *client, const client_call_t *call,
                           const dt_call_options_t *options)
{
    return client->options.session && (call->flags & SLOT_WRITE) &&
           call->operation < DT_OPERATION_SESSION_OPEN && !options->no_session &&
           options->session == 0 &&
           (options->group == 0 || options->group == client->options.group);
}

static uint64_t s_session_span (dt_client_t *client)
{
    return atomic_load_explicit (&client->session_next, memory_order_relaxed) -
           atomic_load_explicit (&client->session_ack, memory_order_relaxed);
}

static bool s_has_room (dt_client_t *client, size_t bytes, bool numbered)
{
    client_side_t *side = &client->shared;
    if (side->free.count == 0) {
        return false;
    }
    if (side->bytes > 0 &&
        side->bytes + (int64_t) bytes > (int64_t) client->options.in_flight_bytes_max) {
        return false;
    }
    return !numbered || s_session_span (client) < client->session_bits;
}

// Wait for room under the lock, which is given up meanwhile, in a batch too.
static int s_wait_room (dt_client_t *client, size_t bytes, bool numbered, int64_t deadline_ms)
{
    pthread_t owner = atomic_load_explicit (&client->batch_owner, memory_order_relaxed);
    struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    while (!client->closing && !s_has_room (client, bytes, numbered)) {
        if (client->options.nonblocking) {
            // The I/O thread may sit on slots; the next call finds them.
            client_wake (client);
            return DT_BUSY;
        }
        if (client_now_ms () >= deadline_ms) {
            return DT_TIMEOUT;
        }
        client->waiters++;
        client_wake (client);
        atomic_store_explicit (&client->batch_owner, 0, memory_order_relaxed);
        pthread_cond_timedwait (&client->room, &client->lock, &until);
        atomic_store_explicit (&client->batch_owner, owner, memory_order_relaxed);
        client->waiters--;
    }
    return client->closing ? DT_CLOSED : 0;
}

// Get a slot for another thread; the lock is held on success.
static int s_admit_shared (client_request_t *self, size_t bytes, bool numbered)
{
    dt_client_t *client = self->client;
    self->side = &client->shared;
    self->locked = !client_in_batch (client);
    if (self->locked) {
        pthread_mutex_lock (&client->lock);
    }
    int rc = 0;
    if (__builtin_expect (client->closing || !s_has_room (client, bytes, numbered), 0)) {
        rc = s_wait_room (client, bytes, numbered, self->deadline_ms);
    }
    if (rc) {
        if (self->locked) {
            pthread_mutex_unlock (&client->lock);
        }
        return rc;
    }
    self->slot = client_free_pop (client, &client->shared.free);
    return 0;
}

// Get a slot for a callback, or for the client itself.
static int s_admit_own (client_request_t *self, const client_call_t *call, size_t bytes,
                        bool numbered)
{
    dt_client_t *client = self->client;
    self->side = &client->own;
    self->locked = false;
    if (client->stop) {
        return DT_CLOSED;
    }
    if (call->flags & SLOT_INTERNAL) {
        self->slot = client_free_pop (client, &client->reserved);
        return self->slot == CLIENT_NO_SLOT ? DT_BUSY : 0;
    }
    if (numbered && s_session_span (client) >= client->session_bits) {
        return DT_BUSY;
    }
    if (client->own.bytes + (int64_t) bytes > (int64_t) client->options.in_flight_bytes_max) {
        return DT_BUSY; // more than was freed since the last round, and the limit on top
    }
    if (client->own.free.count == 0) {
        pthread_mutex_lock (&client->lock);
        client_free_splice (client, &client->own.free, &client->shared.free);
        pthread_mutex_unlock (&client->lock);
    }
    self->slot = client_free_pop (client, &client->own.free);
    return self->slot == CLIENT_NO_SLOT ? DT_BUSY : 0;
}

static void s_give_back (client_request_t *self, const client_call_t *call)
{
    dt_client_t *client = self->client;
    client_free_push (client, call->flags & SLOT_INTERNAL ? &client->reserved : &self->side->free,
                      self->slot);
    if (self->locked) {
        pthread_mutex_unlock (&client->lock);
    }
}

// Array header to time limit. Id and time limit have a fixed width: later attempts change them.
static uint8_t *s_write_prefix (client_request_t *self, uint8_t operation, uint32_t group,
                                uint32_t timeout_ms, uint8_t *place)
{
    uint64_t id = client_slot_id (&self->client->slots[self->slot], self->slot);
    uint64_t word = __builtin_bswap64 (id);
    place[0] = 0x95;
    place[1] = 0xcf;
    memcpy (place + 2, &word, sizeof word);
    place[10] = operation;
    place = msgpack_put_uint (place + 11, group);
    self->timeout_offset = (uint8_t) (place - self->start);
    return msgpack_put_32 (place, 0xce, timeout_ms);
}

// A frame leaves when all its numbers are inside the session's window: none spans more than half.
static void s_split_window (client_request_t *self)
{
    const client_frame_t *open = self->lane->open;
    uint64_t window = atomic_load_explicit (&self->client->session_window, memory_order_relaxed);
    uint64_t half = window > 1 ? window / 2 : 1;
    if (open && open->last && open->last / half != self->sequence / half) {
        client_lane_close (self->lane);
    }
}

static bool s_are_guards_valid (const client_call_t *call, const dt_call_options_t *options)
{
    if (options->guard_count > GUARDS_MAX ||
        (options->guard_count && (!(call->flags & SLOT_WRITE) || !options->guards))) {
        return false;
    }
    for (size_t i = 0; i < options->guard_count; i++) {
        if (!client_bytes_valid (options->guards[i].path)) {
            return false;
        }
    }
    return true;
}

static size_t s_guards_room (const dt_call_options_t *options)
{
    size_t room = options->guard_count ? 3 * MSGPACK_HEADER_BYTES_MAX : 0;
    for (size_t i = 0; i < options->guard_count; i++) {
        room += 1 + client_room (options->guards[i].path) + MSGPACK_HEADER_BYTES_MAX;
    }
    return room;
}

// The body of `guarded` up to the operation's own: [ [ [ path, token ] ... ], operation,
static uint8_t *s_write_guards (const dt_call_options_t *options, uint8_t operation, uint8_t *place)
{
    *place++ = 0x93;
    place = msgpack_put_array (place, (uint32_t) options->guard_count);
    for (size_t i = 0; i < options->guard_count; i++) {
        *place++ = 0x92;
        place = client_put_bytes (place, options->guards[i].path);
        place = msgpack_put_uint (place, options->guards[i].token);
    }
    return msgpack_put_uint (place, operation);
}

int client_request_begin (client_request_t *self, dt_client_t *client, const client_call_t *call,
                          size_t body_bytes, uint8_t **place)
{
    static const dt_call_options_t defaults;
    const dt_call_options_t *options = call->options ? call->options : &defaults;
    uint32_t timeout_ms = options->timeout_ms ? options->timeout_ms : client->options.timeout_ms;
    if (timeout_ms > CLIENT_TIMEOUT_MS_MAX || options->read_mode > DT_READ_STALE ||
        !s_are_guards_valid (call, options)) {
        return DT_INVALID;
    }
    size_t bytes = PREFIX_BYTES_MAX + OPTIONS_BYTES_MAX + s_guards_room (options) + body_bytes;
    if (bytes + CLIENT_HEADER_SESSION_BYTES >
        atomic_load_explicit (&client->frame_bytes_max, memory_order_relaxed)) {
        return DT_TOO_BIG;
    }
    bool own = client_on_io_thread (client);
    bool numbered = s_is_numbered (client, call, options);
    self->client = client;
    self->options = options;
    self->deadline_ms = (own ? client->now_ms : client_now_ms ()) + timeout_ms;
    int rc =
        own ? s_admit_own (self, call, bytes, numbered) : s_admit_shared (self, bytes, numbered);
    if (rc) {
        return rc;
    }
    client_key_t key = {options->principal, options->group ? options->group : client->options.group,
                        numbered, false};
    self->lane = client_lanes_find (&self->side->lanes, &key);
    if (!self->lane) {
        s_give_back (self, call);
        return DT_INVALID;
    }
    self->flags = call->flags;
    self->sequence = 0;
    if (numbered) {
        self->sequence = atomic_fetch_add_explicit (&client->session_next, 1, memory_order_relaxed);
        self->flags |= SLOT_SAFE;
        s_split_window (self);
    }
    self->start = client_lane_reserve (self->lane, bytes, client->client_id);
    // The node gives up a little earlier, so that its own word about the outcome arrives in time.
    bool guarded = options->guard_count > 0;
    *place = s_write_prefix (self, guarded ? DT_OPERATION_GUARDED : call->operation, key.group,
                             timeout_ms - timeout_ms / 16, self->start);
    if (guarded) {
        *place = s_write_guards (options, call->operation, *place);
    }
    return 0;
}

static uint8_t *s_write_options (const client_request_t *self, uint8_t *place)
{
    const dt_call_options_t *options = self->options;
    unsigned count = (self->sequence != 0) + (options->session != 0) + (options->min_index != 0) +
                     (options->read_mode != 0) + options->want_digest;
    if (count == 0) {
        return place;
    }
    self->start[0] = 0x96;
    *place++ = (uint8_t) (0x80 | count);
    if (self->sequence) {
        *place++ = 1;
        place = msgpack_put_uint (place, self->sequence);
    }
    if (options->session) {
        *place++ = 2;
        place = msgpack_put_uint (place, options->session);
    }
    if (options->min_index) {
        *place++ = 4;
        place = msgpack_put_uint (place, options->min_index);
    }
    if (options->read_mode) {
        *place++ = 5;
        *place++ = (uint8_t) options->read_mode;
    }
    if (options->want_digest) {
        *place++ = 6;
        *place++ = 0xc3;
    }
    return place;
}

// When the slot is to be looked at first: silence of a node ends an attempt early where safe.
static int64_t s_first_due (const client_request_t *self)
{
    const dt_client_options_t *options = &self->client->options;
    int64_t timeout_ms =
        self->options->timeout_ms ? self->options->timeout_ms : options->timeout_ms;
    if ((self->flags & SLOT_SAFE) && options->attempt_timeout_ms < timeout_ms) {
        return self->deadline_ms - timeout_ms + options->attempt_timeout_ms;
    }
    return self->deadline_ms;
}

void client_request_end (client_request_t *self, const client_call_t *call, uint8_t *place)
{
    dt_client_t *client = self->client;
    client_slot_t *slot = &client->slots[self->slot];
    client_frame_t *frame = self->lane->open;
    place = s_write_options (self, place);
    slot->callback = call->callback;
    slot->user = call->user;
    slot->deadline_ms = self->deadline_ms;
    slot->sequence = self->sequence;
    slot->offset = (uint32_t) (self->start - frame->data);
    slot->bytes = (uint32_t) (place - self->start);
    slot->operation = call->operation;
    slot->flags = self->flags;
    slot->timeout_offset = self->timeout_offset;
    slot->attempts = 0;
    int64_t due_ms = s_first_due (self);
    atomic_store_explicit (&client->due_ms[self->slot], due_ms, memory_order_relaxed);
    client_lane_commit (self->lane, slot->bytes);
    if (self->sequence) {
        frame->first = frame->first ? frame->first : self->sequence;
        frame->last = self->sequence;
    }
    atomic_store_explicit (&slot->frame, frame, memory_order_release);
    client_side_t *side = self->side;
    if (due_ms < side->due_ms) {
        side->due_ms = due_ms;
    }
    side->bytes += slot->bytes;
    side->submitted++;
    client_side_mark (side, self->lane);
    if (self->locked) {
        client_wake (client);
        pthread_mutex_unlock (&client->lock);
    }
}

void dt_client_batch_begin (dt_client_t *self)
{
    if (client_on_io_thread (self)) {
        return;
    }
    pthread_mutex_lock (&self->lock);
    atomic_store_explicit (&self->batch_owner, pthread_self (), memory_order_relaxed);
}

void dt_client_batch_flush (dt_client_t *self)
{
    if (client_on_io_thread (self) || !client_in_batch (self)) {
        return;
    }
    atomic_store_explicit (&self->batch_owner, 0, memory_order_relaxed);
    client_wake (self);
    pthread_mutex_unlock (&self->lock);
}
