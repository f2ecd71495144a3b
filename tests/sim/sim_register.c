#include "tests/sim/sim_register.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_operation.h"
#include "dtkv/core/dtkv_result.h"

#define ANSWER_WITHIN_NS (INT64_C (1000) * 1000000)

enum { CLIENTS_MAX = 8, KEYS_MAX = 8, REQUEST_MS = 500 };

typedef struct {
    bool waits;      // for an answer
    lin_op_t op;     // that it waits for
    lin_item_t item; //
    uint64_t id;     // of the request
    int64_t deadline_ns;
    int64_t next_ns;      // when it acts
    uint32_t node;        // whom it asks
    uint64_t stale_index; // up to which its stale reads have seen
    uint32_t read;        // keys, since the finish
    protocol_request_t request;
    dt_buffer_t body; // of the request
    uint64_t acknowledged;
} s_client_t;

struct sim_registers {
    sim_registers_options_t options;
    dt_random_t random;
    s_client_t clients[CLIENTS_MAX];
    lin_history_t history;
    uint64_t lately[KEYS_MAX]; // value seen or written last
    uint64_t next_id;
    uint64_t next_value;
    bool finishing;
    dt_buffer_t frame; // scratch
};

// --- questions -----------------------------------------------------------------------------------

static void s_write_value (dt_buffer_t *body, uint64_t value)
{
    if (value) {
        msgpack_write_bin (body, &value, sizeof value);
    } else {
        msgpack_write_nil (body);
    }
}

static void s_choose_write (sim_registers_t *self, s_client_t *client)
{
    static const lin_kind_t kinds[] = {LIN_PUT, LIN_PUT, LIN_REMOVE, LIN_CAS, LIN_CAS};
    lin_op_t *op = &client->op;
    op->kind = kinds[dt_random_below (&self->random, sizeof kinds / sizeof *kinds)];
    op->mode = LIN_NO_MODE;
    op->expect = op->kind == LIN_CAS ? self->lately[client->item.key] : 0;
    bool removes = op->kind == LIN_REMOVE || (op->expect && dt_random_chance (&self->random, 1, 8));
    client->item.value = removes ? 0 : ++self->next_value;
}

static void s_choose (sim_registers_t *self, s_client_t *client)
{
    client->op =
        (lin_op_t){.client = self->options.first_number + (uint32_t) (client - self->clients),
                   .items = 1,
                   .kind = LIN_GET,
                   .mode = LIN_LINEARIZABLE};
    client->item = (lin_item_t){0};
    if (self->finishing) {
        client->item.key = client->read;
        return;
    }
    client->item.key = (uint32_t) dt_random_below (&self->random, self->options.keys);
    if (dt_random_chance (&self->random, 1, 2)) {
        client->op.mode = (lin_mode_t) dt_random_below (&self->random, LIN_NO_MODE);
    } else {
        s_choose_write (self, client);
    }
}

static void s_make_request (sim_registers_t *self, s_client_t *client)
{
    static const uint32_t operations[] = {[LIN_GET] = DTKV_OP_GET,
                                          [LIN_PUT] = DTKV_OP_PUT,
                                          [LIN_REMOVE] = DTKV_OP_REMOVE,
                                          [LIN_CAS] = DTKV_OP_COMPARE_AND_SET};
    static const uint32_t modes[] = {[LIN_LINEARIZABLE] = PROTOCOL_READ_LINEARIZABLE,
                                     [LIN_READ_INDEX] = PROTOCOL_READ_INDEX,
                                     [LIN_STALE] = PROTOCOL_READ_STALE,
                                     [LIN_NO_MODE] = 0};
    static const uint32_t words[] = {[LIN_GET] = 1, [LIN_PUT] = 2, [LIN_REMOVE] = 1, [LIN_CAS] = 4};
    lin_kind_t kind = client->op.kind;
    char path[16];
    snprintf (path, sizeof path, "r%u", client->item.key);
    dt_buffer_t *body = &client->body;
    dt_buffer_clear (body);
    msgpack_write_array (body, words[kind]);
    msgpack_write_text (body, path);
    if (kind == LIN_CAS) {
        msgpack_write_uint (body, DTKV_CONDITION_VALUE);
        s_write_value (body, client->op.expect);
    }
    if (kind == LIN_CAS || kind == LIN_PUT) {
        s_write_value (body, client->item.value);
    }
    client->request = (protocol_request_t){
        .id = ++self->next_id,
        .operation = operations[kind],
        .group = self->options.group,
        .timeout_ms = REQUEST_MS,
        .body = {body->data, body->bytes},
        .read_mode = modes[client->op.mode],
        // Without it, a stale read at another node may go back, and rightly.
        .min_index = client->op.mode == LIN_STALE ? client->stale_index : 0,
    };
}

static void s_ask (sim_registers_t *self, s_client_t *client, int64_t now_ns, sim_port_t *port)
{
    s_choose (self, client);
    s_make_request (self, client);
    client->waits = true;
    client->op.node = client->node + 1;
    client->op.call = (uint64_t) now_ns;
    client->deadline_ns = now_ns + ANSWER_WITHIN_NS;
    client->acknowledged = sim_check_acknowledged (self->options.check);
    sim_check_sent (self->options.check, &client->request);
    dt_buffer_clear (&self->frame);
    protocol_header_write (&self->frame, client->op.client + 1, 0, 0);
    protocol_request_write (&self->frame, &client->request);
    sim_port_push (port, client->op.client, self->frame.data, self->frame.bytes);
}

// --- answers -------------------------------------------------------------------------------------

static void s_record (sim_registers_t *self, s_client_t *client, lin_outcome_t outcome,
                      int64_t now_ns)
{
    const char *why;
    lin_op_t *op = &client->op;
    op->outcome = outcome;
    op->ret = outcome == LIN_UNKNOWN ? LIN_NEVER : (uint64_t) now_ns;
    client->waits = false;
    int rc = lin_history_add (&self->history, op, &client->item, &why);
    dt_assert (rc == 0);
    if (outcome == LIN_NONE || outcome == LIN_UNKNOWN) {
        return;
    }
    if (outcome != LIN_MISMATCH) {
        self->lately[client->item.key] = client->item.value;
    }
    if (op->mode == LIN_STALE && op->index > client->stale_index) {
        client->stale_index = op->index;
    }
    client->read += self->finishing && lin_op_is_read (op);
}

// What a refusal leaves open: a write may have been proposed.
static lin_outcome_t s_refused (const s_client_t *client, uint32_t code)
{
    bool open = code == -DT_ERR_OUTCOME_UNKNOWN || code == -DT_ERR_DISK_FAILED;
    return open && !lin_op_is_read (&client->op) ? LIN_UNKNOWN : LIN_NONE;
}

static lin_outcome_t s_outcome (lin_kind_t kind, uint32_t code)
{
    switch (code) {
    case DTKV_SUCCESS:
        return kind == LIN_PUT ? LIN_NEW : LIN_OK;
    case DTKV_SUCCESS_OVERWRITE:
        return kind == LIN_PUT ? LIN_OVER : LIN_OK;
    case DTKV_NOT_FOUND:
        return kind == LIN_GET ? LIN_OK : kind == LIN_REMOVE ? LIN_ABSENT : LIN_NONE;
    case DTKV_CAS_MISMATCH:
        return LIN_MISMATCH;
    default:
        return LIN_NONE;
    }
}

// The value in a get's reply.
static uint64_t s_value (const protocol_reply_t *reply)
{
    uint64_t value = 0;
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, reply->body.data, reply->body.bytes);
    if (reply->code == DTKV_SUCCESS && msgpack_cursor_array (&cursor) >= 2) {
        msgpack_cursor_uint (&cursor);
        msgpack_slice_t bytes = msgpack_cursor_bytes (&cursor);
        memcpy (&value, bytes.data, bytes.bytes == sizeof value ? sizeof value : 0);
    }
    return value;
}

static void s_on_reply (sim_registers_t *self, s_client_t *client, const protocol_reply_t *reply,
                        int64_t now_ns)
{
    if (!client->waits || client->request.id != reply->id) {
        return;
    }
    sim_check_reply (self->options.check, &client->request, reply, client->acknowledged);
    if (reply->code >= 64) {
        s_record (self, client, s_refused (client, reply->code), now_ns);
        // Nobody: one by chance.
        client->node =
            reply->code == -DT_ERR_NOT_LEADER ? (uint32_t) reply->leader_node_id - 1 : client->node;
        return;
    }
    client->op.index = reply->index;
    if (client->op.kind == LIN_GET) {
        client->item.value = s_value (reply);
    }
    s_record (self, client, s_outcome (client->op.kind, reply->code), now_ns);
}

void sim_registers_take (sim_registers_t *self, int64_t now_ns, uint32_t client,
                         const uint8_t *data, size_t bytes)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, data, bytes);
    protocol_reply_t reply;
    uint32_t place = client - self->options.first_number;
    while (place < self->options.count && protocol_reply_next (&cursor, &reply) == 1) {
        s_on_reply (self, &self->clients[place], &reply, now_ns);
    }
}

// --- acting --------------------------------------------------------------------------------------

static void s_act (sim_registers_t *self, s_client_t *client, int64_t now_ns,
                   sim_port_t *const *ports, uint32_t ports_count)
{
    bool silent = client->waits && client->deadline_ns <= now_ns;
    if (silent) {
        bool read = lin_op_is_read (&client->op);
        s_record (self, client, read ? LIN_NONE : LIN_UNKNOWN, now_ns);
    }
    if (silent || client->node >= ports_count || !ports[client->node] ||
        dt_random_chance (&self->random, 1, 10)) {
        client->node = (uint32_t) dt_random_below (&self->random, ports_count);
    }
    bool done = self->finishing && client->read == self->options.keys;
    if (!client->waits && !done && ports[client->node]) {
        s_ask (self, client, now_ns, ports[client->node]);
    }
    client->next_ns = now_ns + 1000 +
                      (int64_t) dt_random_below (&self->random, (uint64_t) self->options.pause_ns);
}

void sim_registers_act (sim_registers_t *self, int64_t now_ns, sim_port_t *const *ports,
                        uint32_t ports_count)
{
    for (uint32_t i = 0; i < self->options.count; i++) {
        if (self->clients[i].next_ns <= now_ns) {
            s_act (self, &self->clients[i], now_ns, ports, ports_count);
        }
    }
}

int64_t sim_registers_next_ns (const sim_registers_t *self)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < self->options.count; i++) {
        next = self->clients[i].next_ns < next ? self->clients[i].next_ns : next;
    }
    return next;
}

void sim_registers_finish (sim_registers_t *self)
{
    self->finishing = true;
}

bool sim_registers_finished (const sim_registers_t *self)
{
    for (uint32_t i = 0; i < self->options.count; i++) {
        if (self->clients[i].waits || self->clients[i].read < self->options.keys) {
            return false;
        }
    }
    return true;
}

const lin_history_t *sim_registers_history (const sim_registers_t *self)
{
    return &self->history;
}

sim_registers_t *sim_registers_new (const sim_registers_options_t *options)
{
    dt_assert (options->count <= CLIENTS_MAX);
    dt_assert (options->keys <= KEYS_MAX);
    sim_registers_t *self = dt_zalloc (1, sizeof *self);
    self->options = *options;
    dt_random_init_stream (&self->random, options->seed, "registers");
    lin_history_init (&self->history);
    for (uint32_t key = 0; key < options->keys; key++) {
        char name[16];
        int bytes = snprintf (name, sizeof name, "r%u", key);
        uint32_t number = lin_history_key (&self->history, name, (size_t) bytes);
        dt_assert (number == key);
    }
    return self;
}

void sim_registers_destroy (sim_registers_t **self_p)
{
    sim_registers_t *self = *self_p;
    *self_p = NULL;
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        dt_buffer_deinit (&self->clients[i].body);
    }
    dt_buffer_deinit (&self->frame);
    lin_history_deinit (&self->history);
    free (self);
}
