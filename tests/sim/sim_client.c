#include "tests/sim/sim_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_operation.h"

enum { WINDOW_MAX = 16, CLIENTS_MAX = 16, MILLION = 1000000 };

#define ASK_AGAIN        INT64_MIN // a deadline: at once, and not for silence
#define ANSWER_WITHIN_NS (INT64_C (300) * 1000000)

typedef struct {
    bool used;
    protocol_request_t request; // body points into body
    dt_buffer_t body;
    uint64_t acknowledged; // before it was sent first
    int64_t deadline_ns;   // of this attempt
} s_slot_t;

typedef struct {
    s_slot_t slots[WINDOW_MAX];
    uint64_t session;  // 0: none
    uint64_t next_seq; // of the session
    int64_t next_ns;   // when it acts
    uint32_t node;     // whom it asks
} s_client_t;

struct sim_clients {
    sim_clients_options_t options;
    dt_random_t random;
    s_client_t clients[CLIENTS_MAX];
    uint64_t next_id;
    uint64_t next_value;
    uint64_t token; // of the grant seen last
    bool finishing;
    dt_buffer_t frame;
    sim_clients_counters_t counters;
};

static bool s_chance (sim_clients_t *self, uint32_t ppm)
{
    return dt_random_chance (&self->random, ppm, MILLION);
}

// --- requests ------------------------------------------------------------------------------------

static void s_write_path (sim_clients_t *self, dt_buffer_t *body)
{
    char path[64];
    int bytes = 0;
    uint64_t depth = dt_random_between (&self->random, 1, 3);
    for (uint64_t i = 0; i < depth; i++) {
        bytes += snprintf (path + bytes, sizeof path - (size_t) bytes, "%sn%u", i ? "." : "",
                           (unsigned) dt_random_below (&self->random, self->options.names));
    }
    msgpack_write_bin (body, path, (uint32_t) bytes);
}

// Every value is written once in a run.
static void s_write_value (sim_clients_t *self, dt_buffer_t *body)
{
    uint32_t bytes = (uint32_t) dt_random_between (&self->random, 8, self->options.value_max);
    uint8_t *value = dt_malloc (bytes);
    memset (value, (int) ('a' + self->next_value % 26), bytes);
    self->next_value++;
    memcpy (value, &self->next_value, sizeof self->next_value);
    msgpack_write_bin (body, value, bytes);
    free (value);
}

static uint32_t s_write_flags (sim_clients_t *self, uint32_t possible)
{
    return (uint32_t) dt_random_next (&self->random) & possible;
}

static void s_make_batch (sim_clients_t *self, dt_buffer_t *body, uint32_t operation)
{
    uint32_t items = (uint32_t) dt_random_between (&self->random, 0, 6);
    msgpack_write_array (body, 2);
    msgpack_write_array (body, items);
    for (uint32_t i = 0; i < items; i++) {
        if (operation == DTKV_OP_BATCH_PUT) {
            msgpack_write_array (body, 2);
            s_write_path (self, body);
            s_write_value (self, body);
        } else {
            s_write_path (self, body);
        }
    }
    uint32_t flags = DTKV_FLAG_META | DTKV_FLAG_PARENTS | DTKV_FLAG_PREVIOUS | DTKV_FLAG_ATOMIC;
    msgpack_write_uint (body, operation == DTKV_OP_BATCH_GET ? s_write_flags (self, DTKV_FLAG_META)
                                                             : s_write_flags (self, flags));
}

static void s_make_cas (sim_clients_t *self, dt_buffer_t *body)
{
    uint64_t condition = dt_random_below (&self->random, 3);
    msgpack_write_array (body, 4);
    s_write_path (self, body);
    msgpack_write_uint (body, condition);
    if (condition == DTKV_CONDITION_VALUE) {
        msgpack_write_nil (body);
    } else {
        msgpack_write_uint (body, dt_random_below (&self->random, 4));
    }
    if (s_chance (self, 200000)) {
        msgpack_write_nil (body);
    } else {
        s_write_value (self, body);
    }
}

static void s_make_temporary (sim_clients_t *self, dt_buffer_t *body, uint32_t operation)
{
    uint32_t flags = DTKV_FLAG_PARENTS | DTKV_FLAG_META | DTKV_FLAG_OWNED | DTKV_FLAG_CONVERT;
    uint64_t ttl_ms = dt_random_between (&self->random, 0, s_chance (self, 500000) ? 500 : 20000);
    bool put = operation == DTKV_OP_PUT_TEMP;
    msgpack_write_array (body, operation == DTKV_OP_UPDATE_TTL ? 2 : put ? 4 : 3);
    s_write_path (self, body);
    if (put) {
        s_write_value (self, body);
    }
    msgpack_write_uint (body, ttl_ms);
    if (operation != DTKV_OP_UPDATE_TTL) {
        msgpack_write_uint (body, s_write_flags (self, flags));
    }
}

// There are few locks, so that clients meet at them.
static void s_write_lock (sim_clients_t *self, dt_buffer_t *body)
{
    char path[16];
    int bytes =
        snprintf (path, sizeof path, "lock-%u", (unsigned) dt_random_below (&self->random, 3));
    msgpack_write_bin (body, path, (uint32_t) bytes);
}

// Of a grant seen in an answer, mostly.
static void s_write_token (sim_clients_t *self, dt_buffer_t *body)
{
    uint64_t back = s_chance (self, 200000) ? dt_random_below (&self->random, 20) : 0;
    msgpack_write_uint (body, self->token > back ? self->token - back : 0);
}

static void s_make_lock (sim_clients_t *self, dt_buffer_t *body, uint32_t operation)
{
    msgpack_write_array (body, operation == DTKV_OP_LOCK ? 4 : 2);
    s_write_lock (self, body);
    if (operation != DTKV_OP_LOCK) {
        s_write_token (self, body);
        return;
    }
    msgpack_write_uint (body, dt_random_below (&self->random, 2)); // mode
    msgpack_write_uint (body, dt_random_between (&self->random, 0, 3000));
    msgpack_write_uint (body, dt_random_between (&self->random, 0, 3000));
}

static void s_make_guarded (sim_clients_t *self, dt_buffer_t *body)
{
    msgpack_write_array (body, 3);
    msgpack_write_array (body, 1);
    msgpack_write_array (body, 2);
    s_write_lock (self, body);
    s_write_token (self, body);
    msgpack_write_uint (body, DTKV_OP_PUT);
    msgpack_write_array (body, 3);
    s_write_path (self, body);
    s_write_value (self, body);
    msgpack_write_uint (body, s_write_flags (self, DTKV_FLAG_PARENTS | DTKV_FLAG_KEEP_TTL));
}

static void s_make_store_body (sim_clients_t *self, dt_buffer_t *body, uint32_t operation)
{
    switch (operation) {
    case DTKV_OP_PUT:
        msgpack_write_array (body, 3);
        s_write_path (self, body);
        s_write_value (self, body);
        msgpack_write_uint (
            body, s_write_flags (self, DTKV_FLAG_PARENTS | DTKV_FLAG_PREVIOUS | DTKV_FLAG_META));
        break;
    case DTKV_OP_BATCH_GET:
    case DTKV_OP_BATCH_PUT:
    case DTKV_OP_BATCH_REMOVE:
        s_make_batch (self, body, operation);
        break;
    case DTKV_OP_COMPARE_AND_SET:
        s_make_cas (self, body);
        break;
    case DTKV_OP_PUT_TEMP:
    case DTKV_OP_MKDIR_TEMP:
    case DTKV_OP_UPDATE_TTL:
        s_make_temporary (self, body, operation);
        break;
    case DTKV_OP_LOCK:
    case DTKV_OP_UNLOCK:
    case DTKV_OP_LOCK_RENEW:
        s_make_lock (self, body, operation);
        break;
    case DTKV_OP_GUARDED:
        s_make_guarded (self, body);
        break;
    default: // get, remove, mkdir, list
        msgpack_write_array (body, 2);
        s_write_path (self, body);
        msgpack_write_uint (
            body, s_write_flags (self, DTKV_FLAG_PARENTS | DTKV_FLAG_RECURSIVE | DTKV_FLAG_META));
    }
}

static void s_make_session_body (dt_buffer_t *body, uint64_t number)
{
    msgpack_write_array (body, 1);
    msgpack_write_uint (body, number);
}

static uint32_t s_draw_operation (sim_clients_t *self, const s_client_t *client)
{
    static const uint16_t operations[] = {
        DTKV_OP_PUT,          DTKV_OP_PUT,
        DTKV_OP_PUT,          DTKV_OP_PUT,
        DTKV_OP_GET,          DTKV_OP_GET,
        DTKV_OP_REMOVE,       DTKV_OP_MKDIR,
        DTKV_OP_LIST,         DTKV_OP_BATCH_GET,
        DTKV_OP_BATCH_PUT,    DTKV_OP_BATCH_PUT,
        DTKV_OP_BATCH_REMOVE, DTKV_OP_COMPARE_AND_SET,
        DTKV_OP_PUT_TEMP,     DTKV_OP_PUT_TEMP,
        DTKV_OP_MKDIR_TEMP,   DTKV_OP_UPDATE_TTL,
        DTKV_OP_LOCK,         DTKV_OP_LOCK,
        DTKV_OP_UNLOCK,       DTKV_OP_LOCK_RENEW,
        DTKV_OP_GUARDED,
    };
    if (s_chance (self, self->options.snapshot_ppm)) {
        return PROTOCOL_SNAPSHOT_TAKE;
    }
    if (!client->session && s_chance (self, self->options.session_ppm)) {
        return DTKV_OP_SESSION_OPEN;
    }
    if (client->session && s_chance (self, 20000)) {
        return s_chance (self, 300000) ? DTKV_OP_SESSION_CLOSE : DTKV_OP_SESSION_KEEPALIVE;
    }
    return operations[dt_random_below (&self->random, sizeof operations / sizeof *operations)];
}

static uint64_t s_lowest_seq (const s_client_t *client)
{
    uint64_t lowest = client->next_seq;
    for (int i = 0; i < WINDOW_MAX; i++) {
        const s_slot_t *slot = &client->slots[i];
        if (slot->used && slot->request.session_id == client->session &&
            slot->request.session_seq && slot->request.session_seq < lowest) {
            lowest = slot->request.session_seq;
        }
    }
    return lowest;
}

static void s_make (sim_clients_t *self, s_client_t *client, s_slot_t *slot)
{
    uint32_t operation = s_draw_operation (self, client);
    dt_buffer_clear (&slot->body);
    slot->request = (protocol_request_t){.operation = operation};
    switch (operation) {
    case PROTOCOL_SNAPSHOT_TAKE:
        break;
    case DTKV_OP_SESSION_OPEN:
        s_make_session_body (&slot->body, dt_random_between (&self->random, 1000, 60000));
        break;
    case DTKV_OP_SESSION_CLOSE:
    case DTKV_OP_SESSION_KEEPALIVE:
        s_make_session_body (&slot->body, client->session);
        break;
    default:
        s_make_store_body (self, &slot->body, operation);
        if (dtkv_operation_writes ((uint16_t) operation, slot->body.data, slot->body.bytes) &&
            client->session && s_chance (self, self->options.session_ppm)) {
            slot->request.session_id = client->session;
            bool once = !s_chance (self, 300000); // or each time it arrives
            slot->request.session_seq = once ? client->next_seq++ : 0;
        } else if (s_chance (self, 300000)) {
            slot->request.read_mode = PROTOCOL_READ_INDEX;
        }
    }
    slot->request.body = (msgpack_slice_t){slot->body.data, slot->body.bytes};
    slot->acknowledged = sim_check_acknowledged (self->options.check);
    slot->used = true;
}

// --- sending -------------------------------------------------------------------------------------

static void s_send_garbage (sim_clients_t *self, uint32_t number, sim_port_t *port)
{
    // Half of a frame, or the whole with one byte changed to what msgpack does not know.
    size_t bytes = dt_random_below (&self->random, self->frame.bytes);
    sim_port_push (port, number + 100, self->frame.data, bytes);
    uint8_t noise[3] = {0xc1, (uint8_t) dt_random_next (&self->random), 0xff};
    sim_port_push (port, number + 100, noise, sizeof noise);
    self->counters.garbage++;
}

static void s_send (sim_clients_t *self, s_client_t *client, s_slot_t *slot, int64_t now_ns,
                    sim_port_t *port)
{
    uint32_t number = self->options.first_number + (uint32_t) (client - self->clients);
    slot->deadline_ns = now_ns + ANSWER_WITHIN_NS;
    slot->request.id = ++self->next_id;
    slot->request.group = self->options.group;
    slot->request.timeout_ms = 200;
    if (slot->request.session_seq) {
        slot->request.session_ack = s_lowest_seq (client);
    }
    sim_check_sent (self->options.check, &slot->request);
    dt_buffer_clear (&self->frame);
    protocol_header_write (&self->frame, number + 1, 0, 0);
    protocol_request_write (&self->frame, &slot->request);
    sim_port_push (port, number, self->frame.data, self->frame.bytes);
    self->counters.sent++;
    if (s_chance (self, self->options.duplicate_ppm)) {
        sim_port_push (port, number, self->frame.data, self->frame.bytes);
        self->counters.duplicated++;
    }
    // What a broken frame holds before its break is carried out, so it must not be new.
    if (s_chance (self, self->options.garbage_ppm)) {
        s_send_garbage (self, number, port);
    }
}

// The answer did not come: a session's write is sent again, all else is given up.
static void s_on_silence (sim_clients_t *self, s_client_t *client, s_slot_t *slot, int64_t now_ns,
                          sim_port_t *port)
{
    if (!slot->request.session_seq) {
        slot->used = false;
        self->counters.given_up++;
    } else if (port) {
        self->counters.retried++;
        s_send (self, client, slot, now_ns, port);
    }
}

// Whom a client asks: another node by chance if its own is down or silent.
static sim_port_t *s_port (sim_clients_t *self, s_client_t *client, sim_port_t *const *ports,
                           uint32_t count, bool silent)
{
    if (count > 1 && (silent || client->node >= count || !ports[client->node])) {
        client->node = (uint32_t) dt_random_below (&self->random, count);
    }
    return ports[client->node];
}

static void s_act (sim_clients_t *self, s_client_t *client, int64_t now_ns,
                   sim_port_t *const *ports, uint32_t ports_count)
{
    s_slot_t *unused = NULL;
    sim_port_t *port = s_port (self, client, ports, ports_count, false);
    for (uint32_t i = 0; i < self->options.window; i++) {
        s_slot_t *slot = &client->slots[i];
        if (slot->used && slot->deadline_ns <= now_ns) {
            port = s_port (self, client, ports, ports_count, slot->deadline_ns != ASK_AGAIN);
            s_on_silence (self, client, slot, now_ns, port);
        }
        unused = slot->used ? unused : slot;
    }
    if (unused && port && !self->finishing) {
        s_make (self, client, unused);
        s_send (self, client, unused, now_ns, port);
    }
    int64_t pause = (int64_t) dt_random_below (&self->random, (uint64_t) self->options.pause_ns);
    client->next_ns = now_ns + 1000 + (port ? pause : 50000000);
}

int64_t sim_clients_next_ns (const sim_clients_t *self)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < self->options.count; i++) {
        next = self->clients[i].next_ns < next ? self->clients[i].next_ns : next;
    }
    return next;
}

void sim_clients_act (sim_clients_t *self, int64_t now_ns, sim_port_t *const *ports,
                      uint32_t ports_count)
{
    for (uint32_t i = 0; i < self->options.count; i++) {
        if (self->clients[i].next_ns <= now_ns) {
            s_act (self, &self->clients[i], now_ns, ports, ports_count);
        }
    }
}

// --- replies -------------------------------------------------------------------------------------

static void s_note_token (sim_clients_t *self, const s_slot_t *slot, const protocol_reply_t *reply)
{
    if (slot->request.operation == DTKV_OP_LOCK &&
        (reply->code == DTKV_SUCCESS || reply->code == DTKV_LOCK_BY_SELF)) {
        msgpack_cursor_t cursor;
        msgpack_cursor_init (&cursor, reply->body.data, reply->body.bytes);
        msgpack_cursor_array (&cursor);
        self->token = msgpack_cursor_uint (&cursor);
    }
}

static void s_on_session_reply (s_client_t *client, const s_slot_t *slot,
                                const protocol_reply_t *reply)
{
    if (slot->request.operation == DTKV_OP_SESSION_OPEN && reply->code == 0) {
        msgpack_cursor_t cursor;
        msgpack_cursor_init (&cursor, reply->body.data, reply->body.bytes);
        msgpack_cursor_array (&cursor);
        client->session = msgpack_cursor_uint (&cursor);
        client->next_seq = 1;
    } else if (slot->request.operation == DTKV_OP_SESSION_CLOSE ||
               (reply->code == 31 && slot->request.session_id == client->session)) {
        client->session = 0;
    }
}

// A node that does not lead says who does.
static void s_on_refusal (s_client_t *client, s_slot_t *slot, const protocol_reply_t *reply)
{
    if (reply->code == -DT_ERR_NOT_LEADER) {
        client->node = (uint32_t) reply->leader_node_id - 1; // nobody: one by chance
        slot->deadline_ns = ASK_AGAIN;
    }
}

static void s_on_reply (sim_clients_t *self, s_client_t *client, const protocol_reply_t *reply)
{
    for (uint32_t i = 0; i < self->options.window; i++) {
        s_slot_t *slot = &client->slots[i];
        if (!slot->used || slot->request.id != reply->id) {
            continue;
        }
        sim_check_reply (self->options.check, &slot->request, reply, slot->acknowledged);
        if (!self->finishing && s_chance (self, self->options.lost_ppm)) {
            self->counters.lost++;
            return;
        }
        if (reply->code >= 64) {
            self->counters.refused++;
            self->counters.disk_failed += reply->code == 74;
            s_on_refusal (client, slot, reply);
            if (slot->request.session_seq) {
                return; // sent again when its time is over
            }
        }
        self->counters.answered++;
        slot->used = false;
        if (reply->code < 64) {
            s_on_session_reply (client, slot, reply);
            s_note_token (self, slot, reply);
        }
        return;
    }
}

void sim_clients_take (sim_clients_t *self, uint32_t client, const uint8_t *data, size_t bytes)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, data, bytes);
    protocol_reply_t reply;
    int rc;
    while ((rc = protocol_reply_next (&cursor, &reply)) == 1) {
        if (client - self->options.first_number < self->options.count) {
            s_on_reply (self, &self->clients[client - self->options.first_number], &reply);
        }
    }
    if (rc != 0) {
        sim_check_fail (self->options.check, "a frame of replies is malformed");
    }
}

void sim_clients_finish (sim_clients_t *self)
{
    self->finishing = true;
}

uint32_t sim_clients_outstanding (const sim_clients_t *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->options.count; i++) {
        for (uint32_t k = 0; k < self->options.window; k++) {
            count += self->clients[i].slots[k].used;
        }
    }
    return count;
}

const sim_clients_counters_t *sim_clients_counters (const sim_clients_t *self)
{
    return &self->counters;
}

sim_clients_t *sim_clients_new (const sim_clients_options_t *options)
{
    sim_clients_t *self = dt_zalloc (1, sizeof *self);
    self->options = *options;
    dt_random_init_stream (&self->random, options->seed, "workload");
    return self;
}

void sim_clients_destroy (sim_clients_t **self_p)
{
    sim_clients_t *self = *self_p;
    *self_p = NULL;
    for (int i = 0; i < CLIENTS_MAX; i++) {
        for (int k = 0; k < WINDOW_MAX; k++) {
            dt_buffer_deinit (&self->clients[i].slots[k].body);
        }
    }
    dt_buffer_deinit (&self->frame);
    free (self);
}
