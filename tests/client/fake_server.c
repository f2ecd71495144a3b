#include "tests/client/fake_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/client/dt_client_types.h"
#include "tests/client/fake_store.h"
#include "transport/protocol_hello.h"
#include "transport/protocol_reply.h"

#define RULES_MAX 64
#define HELD_MAX  16384

typedef struct {
    zmq_msg_t identity;
    dt_buffer_t bytes;
} fake_held_t;

struct fake_server {
    uint32_t node_id;
    char endpoint[128];
    void *context;
    void *router; // the thread's
    pthread_t thread;
    int wake_fd;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, down, is_down, release;
    uint64_t session_replies_max;
    uint32_t hello_code;
    fake_rule_t rules[RULES_MAX];
    size_t rule_count;
    fake_seen_t *seen;
    size_t seen_count, seen_capacity;
    fake_store_t *store;

    fake_held_t held[HELD_MAX]; // the thread's
    size_t held_count;
};

static void s_bind (fake_server_t *self)
{
    self->router = zmq_socket (self->context, ZMQ_ROUTER);
    dt_assert (self->router);
    int linger = 0, unlimited = 0;
    zmq_setsockopt (self->router, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt (self->router, ZMQ_SNDHWM, &unlimited, sizeof unlimited);
    zmq_setsockopt (self->router, ZMQ_RCVHWM, &unlimited, sizeof unlimited);
    const char *where = self->endpoint[0] ? self->endpoint : "tcp://127.0.0.1:*";
    // The old socket's listener is closed by libzmq's thread a moment after zmq_close.
    int rc = -1;
    for (int i = 0; i < 2000 && rc; i++) {
        rc = zmq_bind (self->router, where);
        if (rc) {
            usleep (1000);
        }
    }
    dt_assert (rc == 0);
    size_t bytes = sizeof self->endpoint;
    zmq_getsockopt (self->router, ZMQ_LAST_ENDPOINT, self->endpoint, &bytes);
}

static void s_send (fake_server_t *self, zmq_msg_t *identity, const void *data, size_t bytes)
{
    zmq_msg_t copy;
    zmq_msg_init (&copy);
    zmq_msg_copy (&copy, identity);
    zmq_msg_send (&copy, self->router, ZMQ_SNDMORE);
    zmq_send (self->router, data, bytes, 0);
}

static void s_write_hello (fake_server_t *self, dt_buffer_t *body)
{
    uint32_t groups[2] = {1, 5};
    protocol_hello_reply_t hello = {.version = PROTOCOL_VERSION,
                                    .cluster_id = 0xc1,
                                    .node_id = self->node_id,
                                    .client_id = 99,
                                    .groups = groups,
                                    .group_count = 2,
                                    .server_version = {(const uint8_t *) "fake-1", 6}};
    hello.limits = (protocol_limits_t){.frame_bytes_max = 8 << 20,
                                       .key_bytes_max = 1024,
                                       .value_bytes_max = 1 << 20,
                                       .depth_max = 16,
                                       .batch_items_max = 10000,
                                       .sessions_max = 64,
                                       .session_replies_max = self->session_replies_max,
                                       .in_flight_max = 10000};
    protocol_hello_reply_write (body, &hello);
}

static void s_note (fake_server_t *self, const protocol_request_t *request)
{
    if (self->seen_count == self->seen_capacity) {
        self->seen_capacity = self->seen_capacity ? 2 * self->seen_capacity : 1024;
        self->seen = dt_realloc (self->seen, self->seen_capacity * sizeof *self->seen);
    }
    fake_seen_t *seen = &self->seen[self->seen_count++];
    *seen = (fake_seen_t){.id = request->id,
                          .operation = request->operation,
                          .group = request->group,
                          .timeout_ms = request->timeout_ms,
                          .client_id = request->client_id,
                          .session_id = request->session_id,
                          .session_seq = request->session_seq,
                          .session_ack = request->session_ack,
                          .min_index = request->min_index,
                          .read_mode = request->read_mode,
                          .want_digest = request->want_digest,
                          .body_bytes = request->body.bytes};
    memcpy (seen->body, request->body.data,
            request->body.bytes < sizeof seen->body ? request->body.bytes : sizeof seen->body);
    pthread_cond_broadcast (&self->changed);
}

static const fake_rule_t *s_rule (fake_server_t *self, uint32_t operation)
{
    for (size_t i = 0; i < self->rule_count; i++) {
        fake_rule_t *rule = &self->rules[i];
        bool match = rule->operation ? rule->operation == operation : operation != PROTOCOL_HELLO;
        if (rule->times && match) {
            rule->times--;
            return rule;
        }
    }
    return NULL;
}

static void s_hold (fake_server_t *self, zmq_msg_t *identity, const dt_buffer_t *reply)
{
    dt_assert (self->held_count < HELD_MAX);
    fake_held_t *held = &self->held[self->held_count++];
    zmq_msg_init (&held->identity);
    zmq_msg_copy (&held->identity, identity);
    held->bytes = (dt_buffer_t){0};
    dt_buffer_append (&held->bytes, reply->data, reply->bytes);
}

static void s_send_held (fake_server_t *self, bool drop)
{
    for (size_t i = 0; i < self->held_count; i++) {
        fake_held_t *held = &self->held[i];
        if (!drop) {
            s_send (self, &held->identity, held->bytes.data, held->bytes.bytes);
        }
        zmq_msg_close (&held->identity);
        dt_buffer_deinit (&held->bytes);
    }
    self->held_count = 0;
}

// What of a reply goes out at once, under a rule. `reply` is appended to `out` if it is sent as it
// is.
static void s_misbehave (fake_server_t *self, zmq_msg_t *identity, const fake_rule_t *rule,
                         protocol_reply_t *reply, dt_buffer_t *out, bool *disconnect)
{
    dt_buffer_t one = {0};
    protocol_reply_write (&one, reply);
    switch (rule->action) {
    case FAKE_CODE:
        dt_buffer_append (out, one.data, one.bytes);
        break;
    case FAKE_DUPLICATE:
        dt_buffer_append (out, one.data, one.bytes);
        dt_buffer_append (out, one.data, one.bytes);
        break;
    case FAKE_HOLD:
        s_hold (self, identity, &one);
        break;
    case FAKE_WRONG_ID: {
        uint64_t id = reply->id;
        uint64_t wrong[] = {0, id + 1, id + (1ULL << 32), id ^ 0xff, UINT64_MAX, UINT32_MAX};
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            reply->id = wrong[i];
            protocol_reply_write (out, reply);
        }
        dt_buffer_append (out, one.data, one.bytes);
        break;
    }
    case FAKE_GARBAGE:
        s_send (self, identity, "\xc1\xff\x00garbage", 10);
        break;
    case FAKE_TRUNCATED:
        s_send (self, identity, one.data, one.bytes - 1);
        break;
    case FAKE_TWO_FRAMES: {
        zmq_msg_t copy;
        zmq_msg_init (&copy);
        zmq_msg_copy (&copy, identity);
        zmq_msg_send (&copy, self->router, ZMQ_SNDMORE);
        zmq_send (self->router, one.data, one.bytes, ZMQ_SNDMORE);
        zmq_send (self->router, one.data, one.bytes, 0);
        break;
    }
    case FAKE_OVERSIZE: {
        size_t bytes = 10 << 20;
        uint8_t *large = dt_zalloc (1, bytes);
        s_send (self, identity, large, bytes);
        free (large);
        break;
    }
    case FAKE_BAD_BODY:
        reply->body = (msgpack_slice_t){(const uint8_t *) "\x93\x01\xa1\x78\x80", 5};
        protocol_reply_write (out, reply);
        break;
    case FAKE_DISCONNECT:
        *disconnect = true;
        break;
    case FAKE_DROP:
    case FAKE_IGNORE:
        break;
    }
    dt_buffer_deinit (&one);
}

static void s_request (fake_server_t *self, zmq_msg_t *identity, const protocol_request_t *request,
                       dt_buffer_t *out, bool *disconnect)
{
    s_note (self, request);
    const fake_rule_t *rule = s_rule (self, request->operation);
    dt_buffer_t body = {0};
    protocol_reply_t reply = {.id = request->id};
    if (request->operation == PROTOCOL_HELLO && (!rule || rule->action != FAKE_CODE)) {
        reply.code = self->hello_code;
        s_write_hello (self, &body);
    } else if (rule && rule->action == FAKE_CODE) {
        reply.code = rule->code;
        reply.leader_node_id = rule->leader_node_id;
        reply.message = (msgpack_slice_t){(const uint8_t *) "told to", 7};
        if (rule->leader_address) {
            reply.leader_address = (msgpack_slice_t){(const uint8_t *) rule->leader_address,
                                                     strlen (rule->leader_address)};
        }
    } else if (!rule || rule->action != FAKE_IGNORE) {
        reply.code = fake_store_do (self->store, request, &body, &reply.index);
    }
    reply.body = (msgpack_slice_t){body.data, body.bytes};
    reply.has_digest = request->want_digest;
    reply.digest = 0xd16e57;
    if (rule) {
        s_misbehave (self, identity, rule, &reply, out, disconnect);
    } else {
        protocol_reply_write (out, &reply);
    }
    dt_buffer_deinit (&body);
}

static void s_rebind (fake_server_t *self)
{
    zmq_close (self->router);
    s_bind (self);
}

static void s_message (fake_server_t *self)
{
    zmq_msg_t identity, frame;
    zmq_msg_init (&identity);
    zmq_msg_init (&frame);
    if (zmq_msg_recv (&identity, self->router, ZMQ_DONTWAIT) >= 0 &&
        zmq_msg_recv (&frame, self->router, 0) >= 0) {
        protocol_frame_t reader;
        protocol_request_t request;
        dt_buffer_t out = {0};
        bool disconnect = false;
        protocol_frame_init (&reader, zmq_msg_data (&frame), zmq_msg_size (&frame));
        pthread_mutex_lock (&self->lock);
        int rc;
        while ((rc = protocol_frame_next (&reader, &request)) == 1) {
            s_request (self, &identity, &request, &out, &disconnect);
        }
        pthread_mutex_unlock (&self->lock);
        dt_assert (rc == 0); // the client never sends what cannot be read
        if (disconnect) {
            s_rebind (self);
        } else if (out.bytes) {
            s_send (self, &identity, out.data, out.bytes);
        }
        dt_buffer_deinit (&out);
    }
    zmq_msg_close (&frame);
    zmq_msg_close (&identity);
}

// Do what other threads asked for; false: stop.
static bool s_obey (fake_server_t *self)
{
    uint64_t word;
    if (read (self->wake_fd, &word, sizeof word) < 0) {
        word = 0;
    }
    pthread_mutex_lock (&self->lock);
    if (self->release) {
        self->release = false;
        s_send_held (self, false);
    }
    if (self->down && self->router) {
        zmq_close (self->router);
        self->router = NULL;
    } else if (!self->down && !self->router) {
        s_bind (self);
    }
    self->is_down = !self->router;
    pthread_cond_broadcast (&self->changed);
    bool go_on = !self->stopping;
    pthread_mutex_unlock (&self->lock);
    return go_on;
}

static void *s_run (void *server)
{
    fake_server_t *self = server;
    do {
        zmq_pollitem_t items[2] = {{NULL, self->wake_fd, ZMQ_POLLIN, 0},
                                   {self->router, 0, ZMQ_POLLIN, 0}};
        zmq_poll (items, self->router ? 2 : 1, -1);
        for (int i = 0; i < 100 && self->router && items[1].revents; i++) {
            s_message (self);
        }
    } while (s_obey (self));
    s_send_held (self, true);
    if (self->router) {
        zmq_close (self->router);
    }
    return NULL;
}

fake_server_t *fake_server_new (uint32_t node_id)
{
    fake_server_t *self = dt_zalloc (1, sizeof *self);
    self->node_id = node_id;
    self->session_replies_max = 1000;
    self->context = zmq_ctx_new ();
    self->store = fake_store_new (node_id);
    self->wake_fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->changed, NULL);
    s_bind (self);
    pthread_create (&self->thread, NULL, s_run, self);
    return self;
}

static void s_wake (fake_server_t *self)
{
    uint64_t one = 1;
    ssize_t written = write (self->wake_fd, &one, sizeof one);
    dt_assert (written == sizeof one);
}

void fake_server_destroy (fake_server_t **self_p)
{
    fake_server_t *self = *self_p;
    if (!self) {
        return;
    }
    pthread_mutex_lock (&self->lock);
    self->stopping = true;
    pthread_mutex_unlock (&self->lock);
    s_wake (self);
    pthread_join (self->thread, NULL);
    zmq_ctx_term (self->context);
    close (self->wake_fd);
    fake_store_destroy (&self->store);
    pthread_cond_destroy (&self->changed);
    pthread_mutex_destroy (&self->lock);
    free (self->seen);
    free (self);
    *self_p = NULL;
}

const char *fake_server_endpoint (const fake_server_t *self)
{
    return self->endpoint;
}

void fake_server_rule (fake_server_t *self, fake_rule_t rule)
{
    pthread_mutex_lock (&self->lock);
    dt_assert (self->rule_count < RULES_MAX);
    self->rules[self->rule_count++] = rule;
    pthread_mutex_unlock (&self->lock);
}

void fake_server_limit_replies (fake_server_t *self, uint64_t session_replies_max)
{
    pthread_mutex_lock (&self->lock);
    self->session_replies_max = session_replies_max;
    pthread_mutex_unlock (&self->lock);
}

void fake_server_hello_code (fake_server_t *self, uint32_t code)
{
    pthread_mutex_lock (&self->lock);
    self->hello_code = code;
    pthread_mutex_unlock (&self->lock);
}

void fake_server_release (fake_server_t *self)
{
    pthread_mutex_lock (&self->lock);
    self->release = true;
    pthread_mutex_unlock (&self->lock);
    s_wake (self);
}

static void s_set_down (fake_server_t *self, bool down)
{
    pthread_mutex_lock (&self->lock);
    self->down = down;
    s_wake (self);
    while (self->is_down != down) {
        pthread_cond_wait (&self->changed, &self->lock);
    }
    pthread_mutex_unlock (&self->lock);
}

void fake_server_down (fake_server_t *self)
{
    s_set_down (self, true);
}

void fake_server_up (fake_server_t *self)
{
    s_set_down (self, false);
}

void fake_server_expire_sessions (fake_server_t *self)
{
    pthread_mutex_lock (&self->lock);
    fake_store_expire_sessions (self->store);
    pthread_mutex_unlock (&self->lock);
}

uint64_t fake_server_writes (fake_server_t *self)
{
    pthread_mutex_lock (&self->lock);
    uint64_t writes = fake_store_writes (self->store);
    pthread_mutex_unlock (&self->lock);
    return writes;
}

static bool s_counts (const fake_seen_t *seen, uint32_t operation)
{
    return operation ? seen->operation == operation : seen->operation != PROTOCOL_HELLO;
}

static size_t s_count (const fake_server_t *self, uint32_t operation)
{
    size_t count = 0;
    for (size_t i = 0; i < self->seen_count; i++) {
        count += s_counts (&self->seen[i], operation);
    }
    return count;
}

size_t fake_server_count (fake_server_t *self, uint32_t operation)
{
    pthread_mutex_lock (&self->lock);
    size_t count = s_count (self, operation);
    pthread_mutex_unlock (&self->lock);
    return count;
}

bool fake_server_seen (fake_server_t *self, uint32_t operation, size_t nth, fake_seen_t *seen)
{
    bool found = false;
    pthread_mutex_lock (&self->lock);
    for (size_t i = 0; i < self->seen_count && !found; i++) {
        if (s_counts (&self->seen[i], operation) && nth-- == 0) {
            *seen = self->seen[i];
            found = true;
        }
    }
    pthread_mutex_unlock (&self->lock);
    return found;
}

bool fake_server_wait (fake_server_t *self, uint32_t operation, size_t count)
{
    struct timespec until;
    clock_gettime (CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock (&self->lock);
    int rc = 0;
    while (s_count (self, operation) < count && rc == 0) {
        rc = pthread_cond_timedwait (&self->changed, &self->lock, &until);
    }
    bool reached = s_count (self, operation) >= count;
    pthread_mutex_unlock (&self->lock);
    return reached;
}
