// A client without the library: one request per message over a DEALER.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/bench/dtbench_process.h"
#include "dtkv/bench/dtbench_work.h"
#include "transport/msgpack_writer.h"
#include "transport/protocol_reply.h"
#include "transport/protocol_request.h"

typedef struct {
    uint64_t start_ns;
    uint64_t id; // of the request in flight; 0: none
    uint32_t key;
} plain_slot_t;

typedef struct {
    dtbench_worker_t *worker;
    void *dealer;
    plain_slot_t *slots;
    uint32_t slot_count;
    uint32_t in_flight;
    uint64_t round;
    uint8_t *request; // being written
} plain_t;

static void *s_connect (void *context, const char *endpoint)
{
    void *dealer = zmq_socket (context, ZMQ_DEALER);
    dt_assert (dealer);
    int zero = 0;
    zmq_setsockopt (dealer, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt (dealer, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt (dealer, ZMQ_RCVHWM, &zero, sizeof zero);
    if (zmq_connect (dealer, endpoint)) {
        fprintf (stderr, "dtbench: %s: %s\n", endpoint, zmq_strerror (zmq_errno ()));
        exit (3);
    }
    return dealer;
}

static void s_send (plain_t *self, uint32_t number, uint64_t now_ns)
{
    const dtbench_options_t *options = self->worker->options;
    plain_slot_t *slot = &self->slots[number];
    char path[40];
    size_t path_bytes;
    slot->key = dtbench_next_key (self->worker, path, &path_bytes);
    slot->start_ns = now_ns;
    slot->id = ++self->round << 24 | number;
    uint8_t *start = self->request, *place = start;
    *place++ = 0x95;
    place = msgpack_put_uint (place, slot->id);
    *place++ = options->get ? PROTOCOL_GET : PROTOCOL_PUT;
    place = msgpack_put_uint (place, options->group);
    place = msgpack_put_uint (place, options->timeout_ms);
    *place++ = options->get ? 0x91 : 0x92;
    place = msgpack_put_bin_header (place, (uint32_t) path_bytes);
    memcpy (place, path, path_bytes);
    place += path_bytes;
    if (!options->get) {
        place = msgpack_put_bin_header (place, options->value_bytes);
        dtbench_fill_value (options, slot->key, place);
        place += options->value_bytes;
    }
    zmq_send (self->dealer, start, (size_t) (place - start), 0);
    self->in_flight++;
}

static void s_reply (plain_t *self, const protocol_reply_t *reply)
{
    uint32_t number = (uint32_t) (reply->id & 0xffffff);
    plain_slot_t *slot = number < self->slot_count ? &self->slots[number] : NULL;
    if (!slot || slot->id != reply->id) {
        self->worker->failures[DT_MALFORMED]++;
        return;
    }
    int code = (int) (reply->code % DTBENCH_CODES);
    if (self->worker->options->get) {
        dt_result_t result = {.code = code, .body = {reply->body.data, reply->body.bytes}};
        code = dtbench_check_value (self->worker, &result, slot->key);
    }
    uint64_t now_ns = dtbench_now_ns ();
    dtbench_count (self->worker, code, slot->start_ns, now_ns);
    slot->id = 0;
    self->in_flight--;
    if (atomic_load_explicit (self->worker->phase, memory_order_relaxed) != DTBENCH_STOP) {
        s_send (self, number, now_ns);
    }
}

static void s_message (plain_t *self, zmq_msg_t *message)
{
    msgpack_cursor_t cursor;
    protocol_reply_t reply;
    msgpack_cursor_init (&cursor, zmq_msg_data (message), zmq_msg_size (message));
    int rc;
    while ((rc = protocol_reply_next (&cursor, &reply)) == 1) {
        s_reply (self, &reply);
    }
    self->worker->failures[DT_MALFORMED] += rc != 0;
}

void dtbench_plain_run (dtbench_worker_t *worker, uint32_t pending)
{
    void *context = zmq_ctx_new ();
    plain_t self = {.worker = worker, .slot_count = pending};
    self.dealer = s_connect (context, worker->options->endpoint);
    int wait_ms = (int) worker->options->timeout_ms + 1000;
    zmq_setsockopt (self.dealer, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    self.slots = dt_zalloc (pending, sizeof *self.slots);
    self.request = dt_malloc (128 + worker->options->value_bytes);
    for (uint32_t i = 0; i < pending; i++) {
        s_send (&self, i, dtbench_now_ns ());
    }
    zmq_msg_t message;
    zmq_msg_init (&message);
    while (self.in_flight > 0) {
        if (zmq_msg_recv (&message, self.dealer, 0) < 0) {
            if (zmq_errno () == EINTR) {
                continue;
            }
            worker->failures[DT_TIMEOUT] += self.in_flight; // nothing came for too long
            break;
        }
        s_message (&self, &message);
    }
    zmq_msg_close (&message);
    zmq_close (self.dealer);
    zmq_ctx_term (context);
    free (self.slots);
    free (self.request);
}
