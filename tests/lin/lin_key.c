#include "tests/lin/lin_key.h"

#include <stdlib.h>

#include "base/dt_memory.h"

static bool s_counts (const lin_op_t *op)
{
    if (op->outcome == LIN_NONE) {
        return false;
    }
    return !lin_op_is_read (op) || (op->mode != LIN_STALE && op->outcome != LIN_UNKNOWN);
}

static lin_kind_t s_kind (lin_kind_t kind)
{
    return kind == LIN_LIST ? LIN_GET : kind == LIN_BATCH ? LIN_PUT : kind;
}

static int s_compare (const void *a, const void *b)
{
    const lin_key_op_t *x = a, *y = b;
    if (x->call != y->call) {
        return x->call < y->call ? -1 : 1;
    }
    return x->op < y->op ? -1 : x->op > y->op;
}

void lin_key_init (lin_key_t *self, const lin_history_t *history, uint32_t key)
{
    size_t capacity = 0;
    self->ops = NULL;
    self->count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const lin_op_t *op = &history->ops[i];
        for (uint32_t j = 0; j < op->items && s_counts (op); j++) {
            const lin_item_t *item = &history->items[op->item_at + j];
            if (item->key != key) {
                continue;
            }
            if (self->count == capacity) {
                capacity = capacity ? 2 * capacity : 64;
                self->ops = dt_realloc (self->ops, capacity * sizeof *self->ops);
            }
            self->ops[self->count++] = (lin_key_op_t){.kind = s_kind (op->kind),
                                                      .outcome = op->outcome,
                                                      .value = item->value,
                                                      .expect = op->expect,
                                                      .call = op->call,
                                                      .ret = op->ret,
                                                      .index = op->index,
                                                      .op = i};
        }
    }
    if (self->count) {
        qsort (self->ops, self->count, sizeof *self->ops, s_compare);
    }
}

void lin_key_deinit (lin_key_t *self)
{
    free (self->ops);
    self->ops = NULL;
    self->count = 0;
}

static bool s_cas (const lin_key_op_t *op, uint64_t state, uint64_t *after)
{
    bool any = state == LIN_ANY_STATE;
    switch (op->outcome) {
    case LIN_OK:
        *after = op->value;
        return any || state == op->expect;
    case LIN_MISMATCH:
        *after = state;
        return any || state != op->expect;
    default:
        *after = state == op->expect ? op->value : state;
        return true;
    }
}

bool lin_key_step (const lin_key_op_t *op, uint64_t state, uint64_t *after)
{
    bool any = state == LIN_ANY_STATE;
    *after = op->value;
    switch (op->kind) {
    case LIN_GET:
        return any || state == op->value;
    case LIN_CAS:
        return s_cas (op, state, after);
    case LIN_REMOVE:
        *after = 0;
        return any || op->outcome == LIN_UNKNOWN || (state == 0) == (op->outcome == LIN_ABSENT);
    default: // put
        return any || (op->outcome != LIN_NEW && op->outcome != LIN_OVER) ||
               (state == 0) == (op->outcome == LIN_NEW);
    }
}
