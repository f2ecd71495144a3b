#include "tests/lin/lin_index.h"

#include <stdlib.h>

#include "base/dt_memory.h"

enum { STATES_MAX = 64 };

// What one key may be.
typedef struct {
    uint64_t states[STATES_MAX];
    size_t count;
    size_t last; // operation that was the last to touch it
} s_key_t;

// A write of unknown outcome, as one key sees it.
typedef struct {
    lin_key_op_t op;
    uint32_t key;
    uint64_t after; // it takes effect above this index
    bool settled;   // its effect was seen: it does not come again
} s_open_t;

typedef struct {
    const lin_history_t *history;
    lin_index_t result;
    uint64_t *floor; // per operation: the highest index that returned before its call
    size_t *floor_op;
    s_key_t *keys;
    s_open_t *open;
    size_t open_count;
} s_check_t;

// What qsort needs and cannot be given otherwise.
typedef struct {
    uint64_t first;
    uint64_t second;
    size_t op;
} s_order_t;

static int s_compare (const void *a, const void *b)
{
    const s_order_t *x = a, *y = b;
    if (x->first != y->first) {
        return x->first < y->first ? -1 : 1;
    }
    if (x->second != y->second) {
        return x->second < y->second ? -1 : 1;
    }
    return x->op < y->op ? -1 : x->op > y->op;
}

static void s_fail (s_check_t *self, const char *why, size_t op, size_t other)
{
    if (self->result.verdict != LIN_BAD) {
        self->result.verdict = LIN_BAD;
        self->result.why = why;
        self->result.op = op;
        self->result.other = other;
    }
}

static bool s_has_index (const lin_op_t *op)
{
    return op->index != 0 && op->outcome != LIN_NONE && op->outcome != LIN_UNKNOWN;
}

// Did it change nothing, whatever the key was? Such a reply may name the index it looked at.
static bool s_only_looked (const lin_op_t *op)
{
    return lin_op_is_read (op) || op->outcome == LIN_MISMATCH || op->outcome == LIN_ABSENT;
}

// The highest index that returned before each call, of what is bound to real time.
static void s_floors (s_check_t *self)
{
    size_t count = self->history->count;
    s_order_t *calls = dt_zalloc (count + 1, sizeof *calls);
    s_order_t *returns = dt_zalloc (count + 1, sizeof *returns);
    size_t return_count = 0;
    for (size_t i = 0; i < count; i++) {
        const lin_op_t *op = &self->history->ops[i];
        calls[i] = (s_order_t){.first = op->call, .op = i};
        if (s_has_index (op) && op->mode != LIN_STALE) {
            returns[return_count++] = (s_order_t){.first = op->ret, .op = i};
        }
    }
    qsort (calls, count, sizeof *calls, s_compare);
    qsort (returns, return_count, sizeof *returns, s_compare);
    uint64_t highest = 0;
    size_t highest_op = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        for (; at < return_count && returns[at].first < calls[i].first; at++) {
            uint64_t index = self->history->ops[returns[at].op].index;
            if (index > highest) {
                highest = index;
                highest_op = returns[at].op;
            }
        }
        self->floor[calls[i].op] = highest;
        self->floor_op[calls[i].op] = highest_op;
    }
    free (calls);
    free (returns);
}

static void s_check_real_time (s_check_t *self)
{
    for (size_t i = 0; i < self->history->count; i++) {
        const lin_op_t *op = &self->history->ops[i];
        if (!s_has_index (op) || op->mode == LIN_STALE) {
            continue;
        }
        bool strict = !s_only_looked (op);
        if (op->index < self->floor[i] || (strict && op->index == self->floor[i])) {
            s_fail (self, "its index is not above one that returned before its call", i,
                    self->floor_op[i]);
        }
    }
}

// One client asks one thing at a time, so its operations stand in the history in their order.
static void s_check_stale (s_check_t *self)
{
    size_t count = self->history->count;
    s_order_t *order = dt_zalloc (count + 1, sizeof *order);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const lin_op_t *op = &self->history->ops[i];
        if (op->mode == LIN_STALE && s_has_index (op)) {
            order[used++] = (s_order_t){.first = op->client, .second = op->call, .op = i};
        }
    }
    qsort (order, used, sizeof *order, s_compare);
    for (size_t i = 1; i < used; i++) {
        const lin_op_t *before = &self->history->ops[order[i - 1].op];
        const lin_op_t *op = &self->history->ops[order[i].op];
        if (before->client == op->client && op->index < before->index) {
            s_fail (self, "a client's stale reads went back", order[i].op, order[i - 1].op);
        }
    }
    free (order);
}

// Replay -----------------------------------------------------------------------------------------

static void s_add_state (s_check_t *self, s_key_t *key, uint64_t state)
{
    for (size_t i = 0; i < key->count; i++) {
        if (key->states[i] == state) {
            return;
        }
    }
    if (key->count == STATES_MAX) {
        if (self->result.verdict == LIN_GOOD) {
            self->result.verdict = LIN_UNDECIDED;
        }
        return;
    }
    key->states[key->count++] = state;
}

// Let writes of unknown outcome happen to a key before an index, in any number and order.
static void s_widen (s_check_t *self, uint32_t number, uint64_t index)
{
    s_key_t *key = &self->keys[number];
    for (size_t before = 0; before != key->count;) {
        before = key->count;
        for (size_t i = 0; i < self->open_count; i++) {
            const s_open_t *open = &self->open[i];
            if (open->key != number || open->settled || open->after >= index) {
                continue;
            }
            for (size_t j = 0; j < before; j++) {
                uint64_t after;
                lin_key_step (&open->op, key->states[j], &after);
                s_add_state (self, key, after);
            }
        }
    }
}

// Only one value is possible now: the open write that wrote it has happened.
static void s_settle (s_check_t *self, uint64_t value)
{
    for (size_t i = 0; value && i < self->open_count; i++) {
        if (self->open[i].op.value == value) {
            self->open[i].settled = true;
        }
    }
}

static lin_kind_t s_kind_of_one (lin_kind_t kind)
{
    return kind == LIN_LIST ? LIN_GET : kind == LIN_BATCH ? LIN_PUT : kind;
}

static lin_key_op_t s_one (const lin_history_t *history, size_t i, uint32_t item)
{
    const lin_op_t *op = &history->ops[i];
    return (lin_key_op_t){.kind = s_kind_of_one (op->kind),
                          .outcome = op->outcome,
                          .value = history->items[op->item_at + item].value,
                          .expect = op->expect,
                          .call = op->call,
                          .ret = op->ret,
                          .index = op->index,
                          .op = i};
}

static void s_replay_item (s_check_t *self, size_t i, uint32_t item)
{
    const lin_op_t *op = &self->history->ops[i];
    uint32_t number = self->history->items[op->item_at + item].key;
    s_key_t *key = &self->keys[number];
    lin_key_op_t one = s_one (self->history, i, item);
    s_widen (self, number, op->index);
    s_key_t next = {.last = s_only_looked (op) ? key->last : i};
    uint64_t found = 0;
    size_t fitting = 0;
    for (size_t j = 0; j < key->count; j++) {
        uint64_t after;
        if (lin_key_step (&one, key->states[j], &after)) {
            found = key->states[j];
            fitting++;
            s_add_state (self, &next, after);
        }
    }
    if (fitting == 0) {
        s_fail (self, "its answer is not what the writes below its index make", i, key->last);
        return;
    }
    if (fitting == 1) {
        s_settle (self, found);
    }
    *key = next;
}

static void s_open_writes (s_check_t *self)
{
    for (size_t i = 0; i < self->history->count; i++) {
        const lin_op_t *op = &self->history->ops[i];
        for (uint32_t j = 0; op->outcome == LIN_UNKNOWN && !lin_op_is_read (op) && j < op->items;
             j++) {
            self->open[self->open_count++] =
                (s_open_t){.op = s_one (self->history, i, j),
                           .key = self->history->items[op->item_at + j].key,
                           .after = self->floor[i]};
        }
    }
}

static void s_replay (s_check_t *self)
{
    size_t count = self->history->count;
    s_order_t *order = dt_zalloc (count + 1, sizeof *order);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const lin_op_t *op = &self->history->ops[i];
        if (s_has_index (op)) {
            order[used++] = (s_order_t){.first = op->index, .second = s_only_looked (op), .op = i};
        } else {
            self->result.unindexed += op->outcome != LIN_NONE && op->outcome != LIN_UNKNOWN;
        }
    }
    qsort (order, used, sizeof *order, s_compare);
    for (uint32_t i = 0; i < self->history->key_count; i++) {
        self->keys[i].count = 1;
    }
    for (size_t i = 0; i < used && self->result.verdict == LIN_GOOD; i++) {
        if (i > 0 && order[i].second == 0 && order[i - 1].second == 0 &&
            order[i].first == order[i - 1].first) {
            s_fail (self, "two writes have one index", order[i].op, order[i - 1].op);
        }
        const lin_op_t *op = &self->history->ops[order[i].op];
        for (uint32_t j = 0; j < op->items && self->result.verdict == LIN_GOOD; j++) {
            s_replay_item (self, order[i].op, j);
        }
        self->result.checked++;
    }
    free (order);
}

lin_index_t lin_index (const lin_history_t *history)
{
    s_check_t self = {.history = history};
    self.floor = dt_zalloc (history->count + 1, sizeof *self.floor);
    self.floor_op = dt_zalloc (history->count + 1, sizeof *self.floor_op);
    self.keys = dt_zalloc (history->key_count + 1, sizeof *self.keys);
    self.open = dt_zalloc (history->item_count + 1, sizeof *self.open);
    s_floors (&self);
    s_check_real_time (&self);
    s_check_stale (&self);
    s_open_writes (&self);
    s_replay (&self);
    free (self.floor);
    free (self.floor_op);
    free (self.keys);
    free (self.open);
    return self.result;
}
