#include "tests/lin/lin_judge.h"

#include "tests/lin/lin_register.h"
#include "tests/lin/lin_window.h"

static lin_verdict_t s_worse (lin_verdict_t a, lin_verdict_t b)
{
    if (a == LIN_BAD || b == LIN_BAD) {
        return LIN_BAD;
    }
    return a == LIN_GOOD ? b : a;
}

lin_judge_t lin_judge (const lin_history_t *history, const lin_wgl_limits_t *limits)
{
    lin_judge_t self = {.index = lin_index (history)};
    for (size_t i = 0; i < history->count; i++) {
        const lin_op_t *op = &history->ops[i];
        self.unknown += op->outcome == LIN_UNKNOWN && !lin_op_is_read (op);
    }
    for (uint32_t i = 0; i < history->key_count; i++) {
        lin_key_t key;
        lin_key_init (&key, history, i);
        lin_verdict_t wgl = lin_wgl (key.ops, key.count, limits);
        if (s_worse (wgl, self.wgl) != self.wgl) {
            self.wgl = wgl;
            self.wgl_key = i;
        }
        if (lin_register_applies (key.ops, key.count)) {
            self.zones_applied++;
            if (self.zones == LIN_GOOD && lin_register (key.ops, key.count) == LIN_BAD) {
                self.zones = LIN_BAD;
                self.zones_key = i;
            }
        }
        lin_key_deinit (&key);
    }
    self.verdict = s_worse (self.index.verdict, s_worse (self.wgl, self.zones));
    return self;
}

static void s_print_window (const lin_history_t *history, uint32_t number,
                            const lin_wgl_limits_t *limits, FILE *out)
{
    lin_key_t key;
    lin_key_init (&key, history, number);
    bool from_any;
    size_t count = lin_window (key.ops, key.count, limits, &from_any);
    fprintf (out, "  no order explains %zu operations on %s%s:\n", count, history->keys[number],
             from_any ? ", whatever it was before" : "");
    for (size_t i = 0; i < count; i++) {
        bool cut = key.ops[i].ret != history->ops[key.ops[i].op].ret;
        fprintf (out, "    ");
        lin_history_print_op (history, &history->ops[key.ops[i].op], out);
        if (cut) {
            fprintf (out, "      (under way; its answer does not matter)\n");
        }
    }
    lin_key_deinit (&key);
}

void lin_judge_print (const lin_judge_t *self, const lin_history_t *history, const char *name,
                      const lin_wgl_limits_t *limits, FILE *out)
{
    static const char *const verdicts[] = {"linearizable", "NOT LINEARIZABLE", "UNKNOWN"};
    fprintf (out,
             "%s: %s (%zu operations on %u keys, %zu unknown; indexes %zu checked, %zu without; "
             "zones of %u keys)\n",
             name, verdicts[self->verdict], history->count, history->key_count, self->unknown,
             self->index.checked, self->index.unindexed, self->zones_applied);
    if (self->index.verdict == LIN_BAD) {
        fprintf (out, "  indexes: %s:\n    ", self->index.why);
        lin_history_print_op (history, &history->ops[self->index.op], out);
        if (self->index.other != self->index.op) {
            fprintf (out, "    ");
            lin_history_print_op (history, &history->ops[self->index.other], out);
        }
    } else if (self->index.verdict == LIN_UNDECIDED) {
        fprintf (out, "  indexes: over 64 states a key may have, from writes of unknown outcome\n");
    }
    if (self->wgl == LIN_BAD) {
        s_print_window (history, self->wgl_key, limits, out);
    } else if (self->wgl == LIN_UNDECIDED) {
        fprintf (out, "  search: out of steps or memory at key %s\n", history->keys[self->wgl_key]);
    }
    if (self->zones == LIN_BAD) {
        fprintf (out, "  zones: those of %s cannot be\n", history->keys[self->zones_key]);
    }
}
