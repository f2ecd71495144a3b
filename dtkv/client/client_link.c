// Connections to nodes: one DEALER each while it works, destroyed and made anew when it does not.
//
// libzmq does not reconnect here. A connection that ended, for whatever reason, takes its socket
// with it: replies of an old connection can never follow those of a new one, a DEALER that libzmq
// gave up after a protocol error is gone as well, and what was in flight is known to be lost.

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "dtkv/client/client_internal.h"
#include "transport/protocol_hello.h"
#include "transport/protocol_request.h"

#define MONITORED                                                                                  \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |                        \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |                       \
     ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED)

void client_note (dt_client_t *self, int code, const char *format, ...)
{
    pthread_mutex_lock (&self->lock);
    self->open_code = code;
    va_list arguments;
    va_start (arguments, format);
    vsnprintf (self->open_text, sizeof self->open_text, format, arguments);
    va_end (arguments);
    pthread_cond_broadcast (&self->room);
    pthread_mutex_unlock (&self->lock);
}

static void s_set (void *socket, int option, int value)
{
    int rc = zmq_setsockopt (socket, option, &value, sizeof value);
    dt_assert (rc == 0);
}

static void *s_new_dealer (dt_client_t *self, const char *address)
{
    void *dealer = zmq_socket (self->zmq_context, ZMQ_DEALER);
    if (!dealer) {
        return NULL; // too many open files
    }
    s_set (dealer, ZMQ_LINGER, 0);
    s_set (dealer, ZMQ_IMMEDIATE, 1);
    s_set (dealer, ZMQ_SNDHWM, 0); // bounded by the requests in flight
    s_set (dealer, ZMQ_RCVHWM, 1000);
    s_set (dealer, ZMQ_RECONNECT_IVL, -1);
    s_set (dealer, ZMQ_CONNECT_TIMEOUT, CLIENT_HELLO_TIMEOUT_MS);
    s_set (dealer, ZMQ_HANDSHAKE_IVL, CLIENT_HELLO_TIMEOUT_MS);
    s_set (dealer, ZMQ_TCP_KEEPALIVE, 1);
    s_set (dealer, ZMQ_TCP_KEEPALIVE_IDLE, 10);
    s_set (dealer, ZMQ_TCP_KEEPALIVE_INTVL, 5);
    s_set (dealer, ZMQ_TCP_KEEPALIVE_CNT, 3);
    s_set (dealer, ZMQ_TCP_MAXRT, 5000);
    s_set (dealer, ZMQ_IPV6, strchr (address, '[') != NULL);
    int64_t bytes_max = CLIENT_FRAME_BYTES_DEFAULT + 65536;
    int rc = zmq_setsockopt (dealer, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max);
    dt_assert (rc == 0);
    return dealer;
}

// True if the sockets are there and the connection is on its way.
static bool s_connect (dt_client_t *self, client_link_t *link, uint32_t number)
{
    char name[64];
    snprintf (name, sizeof name, "inproc://monitor-%u-%u", number, link->epoch);
    link->dealer = s_new_dealer (self, link->address);
    if (!link->dealer || zmq_socket_monitor (link->dealer, name, MONITORED)) {
        return false;
    }
    link->monitor = zmq_socket (self->zmq_context, ZMQ_PAIR);
    if (!link->monitor) {
        return false;
    }
    s_set (link->monitor, ZMQ_LINGER, 0);
    return zmq_connect (link->monitor, name) == 0 && zmq_connect (link->dealer, link->address) == 0;
}

void client_link_start (dt_client_t *self, uint32_t number)
{
    client_link_t *link = &self->links[number];
    if (link->state != LINK_IDLE && link->state != LINK_BACKOFF) {
        return;
    }
    link->epoch++;
    link->state = LINK_CONNECTING;
    self->check = true;
    link->due_ms = self->now_ms + CLIENT_HELLO_TIMEOUT_MS;
    if (!s_connect (self, link, number)) {
        client_link_fail (self, number, DT_TIMEOUT, zmq_strerror (errno));
    }
}

void client_link_close (dt_client_t *self, uint32_t number, int linger_ms)
{
    client_link_t *link = &self->links[number];
    if (link->dealer) {
        zmq_socket_monitor (link->dealer, NULL, 0);
        s_set (link->dealer, ZMQ_LINGER, linger_ms);
        zmq_close (link->dealer);
        link->dealer = NULL;
    }
    if (link->monitor) {
        zmq_close (link->monitor);
        link->monitor = NULL;
    }
}

static void s_tell_lost (dt_client_t *self, uint32_t link, uint32_t epoch)
{
    for (uint32_t number = 0; number < self->slot_count; number++) {
        const client_slot_t *slot = &self->slots[number];
        client_frame_t *frame = atomic_load_explicit (&slot->frame, memory_order_acquire);
        if (frame && client_frame_state (frame) == FRAME_SENT && frame->link == link &&
            frame->link_epoch == epoch && !(slot->flags & SLOT_WAITING)) {
            client_lost (self, number);
        }
    }
}

void client_link_fail (dt_client_t *self, uint32_t number, int code, const char *why)
{
    client_link_t *link = &self->links[number];
    if (link->state == LINK_IDLE || link->state == LINK_BACKOFF) {
        return;
    }
    bool worked = link->state == LINK_READY;
    client_link_close (self, number, 0);
    link->state = LINK_BACKOFF;
    uint32_t shift = link->failures < 6 ? link->failures : 6;
    uint64_t wait_ms = (uint64_t) CLIENT_BACKOFF_MS_MIN << shift;
    wait_ms = wait_ms < CLIENT_BACKOFF_MS_MAX ? wait_ms : CLIENT_BACKOFF_MS_MAX;
    link->due_ms =
        self->now_ms + (int64_t) (wait_ms / 2 + dt_random_below (&self->random, wait_ms / 2));
    link->failures++;
    self->check = true;
    client_note (self, code, "%s: %s", link->address, why);
    if (worked) {
        self->counters.disconnects++;
        s_tell_lost (self, number, link->epoch);
    }
}

static void s_send_hello (dt_client_t *self, uint32_t number)
{
    client_link_t *link = &self->links[number];
    dt_buffer_t buffer = {0};
    protocol_request_t request = {
        .id = CLIENT_HELLO_ID, .operation = PROTOCOL_HELLO, .timeout_ms = CLIENT_HELLO_TIMEOUT_MS};
    protocol_hello_request_t hello = {.version = PROTOCOL_VERSION};
    if (self->name[0]) {
        hello.client_name = (msgpack_slice_t){(uint8_t *) self->name, strlen (self->name)};
    }
    protocol_header_write (&buffer, self->client_id, 0, 0);
    protocol_request_open (&buffer, &request);
    protocol_hello_request_write (&buffer, &hello);
    protocol_request_close (&buffer, &request);
    int sent = zmq_send (link->dealer, buffer.data, buffer.bytes, ZMQ_DONTWAIT);
    dt_buffer_deinit (&buffer);
    if (sent < 0) {
        client_link_fail (self, number, DT_TIMEOUT, zmq_strerror (errno));
        return;
    }
    link->state = LINK_HELLO;
    self->check = true;
    link->due_ms = self->now_ms + CLIENT_HELLO_TIMEOUT_MS;
}

static void s_copy_limits (dt_client_t *self, const protocol_hello_reply_t *hello)
{
    dt_limits_t *limits = &self->limits;
    limits->protocol_version = (uint32_t) hello->version;
    limits->features = hello->features;
    limits->cluster_id = hello->cluster_id;
    limits->node_id = (uint32_t) hello->node_id;
    limits->client_id = self->client_id;
#define COPY_LIMIT(member) limits->member = hello->limits.member;
    PROTOCOL_HELLO_LIMIT_TABLE (COPY_LIMIT)
#undef COPY_LIMIT
    size_t bytes = hello->server_version.bytes;
    bytes = bytes < sizeof limits->server_version ? bytes : sizeof limits->server_version - 1;
    memset (limits->server_version, 0, sizeof limits->server_version);
    if (bytes) {
        memcpy (limits->server_version, hello->server_version.data, bytes);
    }
}

// Take limits over for submitters; those that make no sense keep their defaults.
static void s_apply_limits (dt_client_t *self, const protocol_limits_t *limits)
{
    if (limits->frame_bytes_max >= 1024 && limits->frame_bytes_max <= CLIENT_FRAME_BYTES_DEFAULT) {
        atomic_store (&self->frame_bytes_max, limits->frame_bytes_max);
    }
    if (limits->session_replies_max) {
        uint64_t most = self->session_bits / 2;
        atomic_store (&self->session_window,
                      limits->session_replies_max < most ? limits->session_replies_max : most);
    }
}

void client_link_hello (dt_client_t *self, uint32_t number, const dt_result_t *result)
{
    client_link_t *link = &self->links[number];
    msgpack_slice_t body = {result->body.data, result->body.bytes};
    protocol_hello_reply_t hello;
    if (result->code != DT_SUCCESS) {
        char text[120];
        snprintf (text, sizeof text, "hello: %s %.*s", dt_code_text (result->code),
                  (int) (result->message.bytes < 80 ? result->message.bytes : 80),
                  result->message.bytes ? (const char *) result->message.data : "");
        client_link_fail (self, number, result->code, text);
        return;
    }
    uint32_t *groups = self->groups_read;
    int rc = protocol_hello_reply_read (body, &hello, groups, CLIENT_GROUPS_MAX);
    if (rc || hello.version != PROTOCOL_VERSION) {
        client_link_fail (self, number, rc ? DT_MALFORMED : DT_PROTOCOL_VERSION,
                          "hello: the node speaks another protocol");
        return;
    }
    link->state = LINK_READY;
    link->due_ms = CLIENT_NEVER;
    link->failures = 0;
    link->node_id = hello.node_id <= UINT32_MAX ? (uint32_t) hello.node_id : 0;
    self->preferred = number;
    self->counters.connects++;
    s_apply_limits (self, &hello.limits);
    pthread_mutex_lock (&self->lock);
    s_copy_limits (self, &hello);
    self->group_count =
        hello.group_count < CLIENT_GROUPS_MAX ? hello.group_count : CLIENT_GROUPS_MAX;
    memcpy (self->groups, groups, self->group_count * sizeof *groups);
    self->hello_seen = true;
    pthread_cond_broadcast (&self->room);
    pthread_mutex_unlock (&self->lock);
    self->check = true;
}

// Read one event; 0: there is none.
static int s_event (void *monitor)
{
    zmq_msg_t message;
    zmq_msg_init (&message);
    int event = 0;
    if (zmq_msg_recv (&message, monitor, ZMQ_DONTWAIT) >= 2) {
        uint16_t word;
        memcpy (&word, zmq_msg_data (&message), sizeof word);
        event = word;
    }
    while (event && zmq_msg_more (&message)) { // the address
        if (zmq_msg_recv (&message, monitor, ZMQ_DONTWAIT) < 0) {
            break;
        }
    }
    zmq_msg_close (&message);
    return event;
}

void client_link_watch (dt_client_t *self, uint32_t number)
{
    client_link_t *link = &self->links[number];
    while (link->monitor) {
        int event = s_event (link->monitor);
        if (event == 0) {
            return;
        }
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            if (link->state == LINK_CONNECTING) {
                s_send_hello (self, number);
            }
            continue;
        }
        // What arrived before the end still counts.
        while (link->dealer && client_receive (self, number, 64) > 0) {
        }
        client_link_fail (self, number, DT_TIMEOUT,
                          link->state == LINK_CONNECTING ? "cannot connect" : "connection lost");
    }
}

// True if no link works, is being made, or is yet to be tried because nobody wants one.
static bool s_all_failed (const dt_client_t *self)
{
    bool failed = false;
    for (uint32_t i = 0; i < self->link_count; i++) {
        client_link_state_t state = self->links[i].state;
        if (state != LINK_IDLE && state != LINK_BACKOFF) {
            return false;
        }
        failed = failed || state == LINK_BACKOFF;
    }
    return failed;
}

int64_t client_link_check_due (dt_client_t *self)
{
    int64_t next_ms = CLIENT_NEVER;
    // An endpoint that refuses must not keep the next one from being tried, requests or not.
    if (s_all_failed (self)) {
        client_link_keep (self);
    }
    for (uint32_t i = 0; i < self->link_count; i++) {
        client_link_t *link = &self->links[i];
        if ((link->state == LINK_CONNECTING || link->state == LINK_HELLO) &&
            self->now_ms >= link->due_ms) {
            client_link_fail (self, i, DT_TIMEOUT, "no answer");
        }
        // Only the link that is wanted is made anew; others when a lane turns to them.
        if (link->state == LINK_BACKOFF && self->now_ms >= link->due_ms) {
            link->state = LINK_IDLE;
            client_link_keep (self);
        }
        if (link->state != LINK_IDLE && link->due_ms < next_ms) {
            next_ms = link->due_ms;
        }
    }
    return next_ms;
}

void client_link_keep (dt_client_t *self)
{
    client_lane_t lane = {.link = UINT32_MAX};
    client_link_for_lane (self, &lane);
}

// The link itself if it may become READY without waiting, else -1.
static int s_usable (dt_client_t *self, uint32_t number)
{
    if (self->links[number].state == LINK_IDLE) {
        client_link_start (self, number);
    }
    return self->links[number].state == LINK_BACKOFF ? -1 : (int) number;
}

int client_link_for_lane (dt_client_t *self, client_lane_t *lane)
{
    if (lane->link >= self->link_count) {
        lane->link = self->preferred;
    }
    if (__builtin_expect (self->links[lane->link].state == LINK_READY, 1)) {
        return (int) lane->link;
    }
    int usable = s_usable (self, lane->link);
    for (uint32_t i = 1; usable < 0 && i < self->link_count; i++) {
        uint32_t other = (lane->link + i) % self->link_count;
        if (self->links[other].state == LINK_READY) {
            usable = (int) other;
        }
    }
    for (uint32_t i = 1; usable < 0 && i < self->link_count; i++) {
        usable = s_usable (self, (lane->link + i) % self->link_count);
    }
    if (usable < 0) {
        return -1;
    }
    lane->link = (uint32_t) usable;
    return self->links[usable].state == LINK_READY ? usable : -1;
}

// "host:port" is taken for tcp.
static bool s_full_address (dt_bytes_t address, char *full)
{
    if (address.bytes == 0 || address.bytes + 7 > CLIENT_ADDRESS_BYTES_MAX ||
        memchr (address.data, 0, address.bytes)) {
        return false;
    }
    bool has_scheme = memmem (address.data, address.bytes, "://", 3) != NULL;
    snprintf (full, CLIENT_ADDRESS_BYTES_MAX, "%s%.*s", has_scheme ? "" : "tcp://",
              (int) address.bytes, (const char *) address.data);
    return strncmp (full, "tcp://", 6) == 0 || strncmp (full, "ipc://", 6) == 0;
}

int client_link_of_leader (dt_client_t *self, uint32_t node_id, dt_bytes_t address)
{
    for (uint32_t i = 0; node_id && i < self->link_count; i++) {
        if (self->links[i].node_id == node_id) {
            return (int) i;
        }
    }
    char full[CLIENT_ADDRESS_BYTES_MAX];
    if (!s_full_address (address, full)) {
        return -1;
    }
    for (uint32_t i = 0; i < self->link_count; i++) {
        if (strcmp (self->links[i].address, full) == 0) {
            return (int) i;
        }
    }
    if (self->link_count == CLIENT_LINKS_MAX) {
        return -1;
    }
    client_link_t *link = &self->links[self->link_count];
    snprintf (link->address, sizeof link->address, "%s", full);
    return (int) self->link_count++;
}

// The lane of first or later attempts; NULL: there is none yet, and there are too many.
static client_lane_t *s_lane (dt_client_t *self, const client_key_t *key, bool again)
{
    client_key_t variant = *key;
    variant.again = again;
    return client_lanes_find (&self->own.lanes, &variant);
}

void client_link_prefer (dt_client_t *self, const client_key_t *key, uint32_t link)
{
    for (int again = 0; again <= key->session; again++) {
        client_lane_t *lane = s_lane (self, key, again);
        if (lane) {
            lane->link = link;
        }
    }
}

void client_link_leave (dt_client_t *self, const client_key_t *key, uint32_t link)
{
    for (int again = 0; again <= key->session; again++) {
        client_lane_t *lane = s_lane (self, key, again);
        if (lane && (lane->link == link || lane->link >= self->link_count)) {
            lane->link = (link + 1) % self->link_count;
        }
    }
}

static void s_sent (void *data, void *arena)
{
    (void) data;
    client_arena_unref (arena);
}

bool client_link_send (dt_client_t *self, uint32_t number, client_frame_t *frame)
{
    client_link_t *link = &self->links[number];
    if (frame->key.session) {
        client_frame_set_session (frame,
                                  atomic_load_explicit (&self->session_id, memory_order_relaxed),
                                  atomic_load_explicit (&self->session_ack, memory_order_relaxed));
    }
    zmq_msg_t message;
    client_arena_ref (frame->arena);
    zmq_msg_init_data (&message, frame->data, frame->bytes, s_sent, frame->arena);
    if (zmq_msg_send (&message, link->dealer, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close (&message);
        return false;
    }
    self->counters.frames_sent++;
    self->counters.bytes_sent += frame->bytes;
    frame->link = number;
    frame->link_epoch = link->epoch;
    client_frame_set_state (frame, FRAME_SENT);
    client_frame_release (frame);
    return true;
}
