#include "tests/lin/lin_load.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/dt_assert.h"

uint64_t load_now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

void load_history_init (lin_history_t *history, uint32_t keys)
{
    lin_history_init (history);
    for (uint32_t i = 0; i < keys; i++) {
        char name[16];
        int bytes = snprintf (name, sizeof name, "k%u", i);
        uint32_t number = lin_history_key (history, name, (size_t) bytes);
        dt_assert (number == i);
    }
}

int load_client_open (load_client_t *self, uint32_t timeout_ms)
{
    const load_options_t *options = self->shared->options;
    char endpoints[LOAD_ENDPOINTS_MAX * 130] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < options->endpoint_count; i++) {
        uint32_t which = (self->node - 1 + i) % options->endpoint_count;
        used += (size_t) snprintf (endpoints + used, sizeof endpoints - used, "%s%s", i ? "," : "",
                                   options->endpoints[which]);
    }
    dt_client_options_t client;
    dt_client_options_init (&client);
    client.endpoints = endpoints;
    client.name = "lin_load";
    client.session = true;
    client.timeout_ms = timeout_ms;
    client.attempt_timeout_ms = timeout_ms < 1500 ? timeout_ms / 3 + 1 : 500;
    client.connect_timeout_ms = timeout_ms;
    return dt_client_open (&self->client, &client, NULL, 0);
}

// Answers ----------------------------------------------------------------------------------------

static uint64_t s_value (load_client_t *self, const dt_node_t *node)
{
    uint64_t value = 0;
    const char *text = node->value.data;
    for (size_t i = 0; i < node->value.bytes && i < 19; i++) {
        if (text[i] < '0' || text[i] > '9') {
            value = 0;
            break;
        }
        value = 10 * value + (uint64_t) (text[i] - '0');
    }
    if (value == 0) {
        self->problem = "a value that nobody writes";
    }
    return value;
}

static void s_take_get (load_client_t *self, lin_item_t *item, const dt_result_t *result)
{
    dt_node_t node;
    item->value = 0;
    if (result->code == DT_SUCCESS && !dt_result_node (result, &node)) {
        self->problem = "a get without a node";
    } else if (result->code == DT_SUCCESS) {
        item->value = s_value (self, &node);
    }
}

static void s_take_list (load_client_t *self, lin_item_t *items, const dt_result_t *result)
{
    uint32_t keys = self->shared->options->keys;
    for (uint32_t i = 0; i < keys; i++) {
        items[i] = (lin_item_t){.key = i, .value = 0};
    }
    dt_iterator_t iterator;
    dt_list_item_t item;
    if (result->code != DT_SUCCESS) {
        return;
    }
    if (!dt_result_list (result, &iterator, NULL, NULL)) {
        self->problem = "a list that cannot be read";
        return;
    }
    while (dt_list_item_next (&iterator, &item)) {
        uint32_t key = lin_history_key (&self->history, item.name.data, item.name.bytes);
        if (key >= keys || !item.has_node) {
            self->problem = "a list with a key that nobody writes";
            return;
        }
        items[key].value = s_value (self, &item.node);
    }
}

static lin_outcome_t s_read_outcome (const dt_result_t *result)
{
    return result->code == DT_SUCCESS || result->code == DT_NOT_FOUND ? LIN_OK : LIN_NONE;
}

static lin_outcome_t s_write_outcome (lin_kind_t kind, const dt_result_t *result)
{
    if (result->outcome == DT_OUTCOME_UNCERTAIN) {
        return LIN_UNKNOWN;
    }
    switch (result->code) {
    case DT_SUCCESS:
        return kind == LIN_PUT ? LIN_NEW : LIN_OK;
    case DT_SUCCESS_OVERWRITE:
        return kind == LIN_PUT ? LIN_OVER : LIN_OK;
    case DT_NOT_FOUND:
        return kind == LIN_REMOVE ? LIN_ABSENT : LIN_NONE;
    case DT_CAS_MISMATCH:
        return kind == LIN_CAS ? LIN_MISMATCH : LIN_NONE;
    default:
        return LIN_NONE;
    }
}

static void s_record (load_client_t *self, lin_op_t *op, lin_item_t *items,
                      const dt_result_t *result)
{
    op->ret = load_now_ns ();
    if (!result) {
        op->outcome = LIN_NONE;
    } else if (lin_op_is_read (op)) {
        op->outcome = s_read_outcome (result);
    } else {
        op->outcome = s_write_outcome (op->kind, result);
    }
    bool answered = op->outcome != LIN_NONE && op->outcome != LIN_UNKNOWN;
    if (op->outcome == LIN_UNKNOWN) {
        op->ret = LIN_NEVER;
    }
    if (answered) {
        op->index = result->index;
    }
    if (answered && op->kind == LIN_GET) {
        s_take_get (self, items, result);
    } else if (op->kind == LIN_LIST) {
        s_take_list (self, items, answered ? result : &(dt_result_t){.code = DT_ERROR});
    }
    if (answered && op->mode == LIN_STALE && op->index > self->stale_index) {
        self->stale_index = op->index;
    }
    for (uint32_t i = 0; answered && i < op->items && op->outcome != LIN_MISMATCH; i++) {
        __atomic_store_n (&self->shared->lately[items[i].key], items[i].value, __ATOMIC_RELAXED);
    }
    const char *why;
    int rc = lin_history_add (&self->history, op, items, &why);
    dt_assert (rc == 0);
}

// Questions --------------------------------------------------------------------------------------

typedef struct {
    char path[LOAD_DIRECTORY_BYTES_MAX + 16];
    char text[24];
} s_text_t;

static dt_bytes_t s_path (const load_client_t *self, s_text_t *text, uint32_t key)
{
    snprintf (text->path, sizeof text->path, "%s.k%u", self->shared->options->directory, key);
    return dt_text (text->path);
}

static dt_bytes_t s_number (s_text_t *text, uint64_t value)
{
    snprintf (text->text, sizeof text->text, "%" PRIu64, value);
    return dt_text (text->text);
}

static uint64_t s_new_value (load_client_t *self)
{
    return __atomic_fetch_add (&self->shared->next_value, 1, __ATOMIC_RELAXED);
}

static void s_read (load_client_t *self, lin_op_t *op, lin_item_t *items)
{
    static const uint32_t modes[] = {DT_READ_LINEARIZABLE, DT_READ_INDEX, DT_READ_STALE};
    dt_call_options_t call = {.read_mode = modes[op->mode]};
    // Without it, a stale read at another node may go back, and rightly.
    call.min_index = op->mode == LIN_STALE ? self->stale_index : 0;
    dt_result_t *result = NULL;
    s_text_t text;
    op->call = load_now_ns ();
    if (op->kind == LIN_GET) {
        dt_client_get (self->client, s_path (self, &text, items->key), &call, &result);
    } else {
        dt_client_list (self->client, dt_text (self->shared->options->directory), NULL, &call,
                        &result);
    }
    s_record (self, op, items, result);
    dt_result_free (&result);
}

static void s_batch (load_client_t *self, lin_op_t *op, lin_item_t *items)
{
    dt_pair_t pairs[LOAD_KEYS_MAX];
    s_text_t texts[LOAD_KEYS_MAX];
    uint32_t first = (uint32_t) dt_random_below (&self->random, self->shared->options->keys);
    op->items = 0;
    for (uint32_t i = 0; i < self->shared->options->keys && i < 3; i++) {
        uint32_t key = (first + i) % self->shared->options->keys;
        items[i] = (lin_item_t){.key = key, .value = s_new_value (self)};
        pairs[i] = (dt_pair_t){s_path (self, &texts[i], key), s_number (&texts[i], items[i].value)};
        op->items++;
    }
    dt_call_options_t call = {.flags = DT_PARENTS | DT_ATOMIC};
    dt_result_t *result = NULL;
    op->call = load_now_ns ();
    dt_client_batch_put (self->client, pairs, op->items, &call, &result);
    s_record (self, op, items, result);
    dt_result_free (&result);
}

static void s_write (load_client_t *self, lin_op_t *op, lin_item_t *item)
{
    s_text_t path, value, expect;
    dt_call_options_t call = {.flags = DT_PARENTS};
    dt_bytes_t where = s_path (self, &path, item->key);
    dt_result_t *result = NULL;
    if (op->kind == LIN_CAS) {
        op->expect = __atomic_load_n (&self->shared->lately[item->key], __ATOMIC_RELAXED);
    }
    bool removes = op->kind == LIN_REMOVE || (op->expect && dt_random_chance (&self->random, 1, 8));
    item->value = removes ? 0 : s_new_value (self);
    dt_bytes_t what = s_number (&value, item->value);
    op->call = load_now_ns ();
    if (op->kind == LIN_PUT) {
        dt_client_put (self->client, where, what, &call, &result);
    } else if (op->kind == LIN_REMOVE) {
        dt_client_remove (self->client, where, NULL, &result);
    } else {
        dt_condition_t condition = {.compare = DT_COMPARE_VALUE, .absent = op->expect == 0};
        condition.value = s_number (&expect, op->expect);
        dt_client_compare_and_set (self->client, where, &condition, removes ? NULL : &what,
                                   removes ? NULL : &call, &result);
    }
    s_record (self, op, item, result);
    dt_result_free (&result);
}

void load_client_step (load_client_t *self)
{
    static const lin_kind_t kinds[] = {LIN_GET, LIN_GET,   LIN_GET,    LIN_GET, LIN_LIST, LIN_PUT,
                                       LIN_PUT, LIN_BATCH, LIN_REMOVE, LIN_CAS, LIN_CAS,  LIN_CAS};
    uint32_t keys = self->shared->options->keys;
    lin_item_t items[LOAD_KEYS_MAX] = {{0}};
    lin_op_t op = {.client = self->number, .node = self->node, .mode = LIN_NO_MODE, .items = 1};
    op.kind = kinds[dt_random_below (&self->random, sizeof kinds / sizeof *kinds)];
    items->key = (uint32_t) dt_random_below (&self->random, keys);
    if (lin_op_is_read (&op)) {
        op.mode = (lin_mode_t) dt_random_below (&self->random, LIN_NO_MODE);
        op.items = op.kind == LIN_LIST ? keys : 1;
        s_read (self, &op, items);
    } else if (op.kind == LIN_BATCH) {
        s_batch (self, &op, items);
    } else {
        s_write (self, &op, items);
    }
}

void load_client_read_all (load_client_t *self)
{
    for (uint32_t i = 0; i < self->shared->options->keys; i++) {
        lin_item_t item = {.key = i};
        lin_op_t op = {.client = self->number, .node = self->node, .items = 1};
        op.kind = LIN_GET;
        op.mode = LIN_LINEARIZABLE;
        s_read (self, &op, &item);
    }
}
