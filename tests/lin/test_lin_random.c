// The checkers against each other, against trying every order, and against histories known to be
// good because a model made them, or known to be bad because one answer was changed.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_random.h"
#include "tests/lin/lin_judge.h"
#include "tests/lin/lin_register.h"

enum { KEYS = 3 };

// A history that is linearizable since each operation takes effect at one moment of a model, inside
// its interval; the moments' numbers are the indexes.
static void s_make (lin_history_t *history, dt_random_t *random, int count, bool registers)
{
    uint64_t state[KEYS] = {0};
    uint64_t index = 0, next_value = 1;
    static const char *const names[KEYS] = {"x", "y", "z"};
    lin_history_init (history);
    for (int i = 0; i < KEYS; i++) {
        lin_history_key (history, names[i], 1);
    }
    for (int i = 0; i < count; i++) {
        uint64_t moment = 1000 + 10 * (uint64_t) i;
        lin_item_t items[KEYS];
        lin_op_t op = {.client = (uint32_t) i, .mode = LIN_NO_MODE, .items = 1};
        uint64_t spread = registers || dt_random_chance (random, 3, 4) ? 40 : 300;
        op.call = moment - dt_random_below (random, spread);
        op.ret = moment + dt_random_below (random, spread);
        op.index = ++index;
        uint32_t key = (uint32_t) dt_random_below (random, KEYS);
        items[0] = (lin_item_t){.key = key, .value = state[key]};
        switch (dt_random_below (random, registers ? 4 : 8)) {
        case 0:
        case 1:
            op.kind = LIN_GET;
            op.mode = LIN_LINEARIZABLE;
            break;
        case 2:
        case 3:
            op.kind = LIN_PUT;
            op.outcome = registers ? LIN_OK : state[key] ? LIN_OVER : LIN_NEW;
            items[0].value = state[key] = next_value++;
            break;
        case 4:
            op.kind = LIN_REMOVE;
            op.outcome = state[key] ? LIN_OK : LIN_ABSENT;
            items[0].value = state[key] = 0;
            break;
        case 5:
            op.kind = LIN_CAS;
            op.expect = dt_random_chance (random, 2, 3) ? state[key] : next_value + 1000000;
            op.outcome = op.expect == state[key] ? LIN_OK : LIN_MISMATCH;
            items[0].value = next_value++;
            state[key] = op.outcome == LIN_OK ? items[0].value : state[key];
            break;
        default:
            op.kind = dt_random_chance (random, 1, 2) ? LIN_LIST : LIN_BATCH;
            op.mode = op.kind == LIN_LIST ? LIN_READ_INDEX : LIN_NO_MODE;
            op.items = KEYS;
            for (uint32_t j = 0; j < KEYS; j++) {
                state[j] = op.kind == LIN_BATCH ? next_value++ : state[j];
                items[j] = (lin_item_t){.key = j, .value = state[j]};
            }
        }
        if (!lin_op_is_read (&op) && dt_random_chance (random, 1, 25)) {
            op.outcome = LIN_UNKNOWN;
            op.ret = LIN_NEVER;
            op.index = 0;
        }
        const char *why = "";
        ck_assert_msg (lin_history_add (history, &op, items, &why) == 0, "%s", why);
    }
}

static void s_fail (const lin_history_t *history, uint64_t seed, const char *what)
{
    printf ("seed %llu: %s\n", (unsigned long long) seed, what);
    lin_history_print (history, stdout);
    ck_abort_msg ("seed %llu: %s", (unsigned long long) seed, what);
}

START_TEST (histories_made_by_a_model_pass)
{
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    for (uint64_t seed = 1; seed <= 400; seed++) {
        dt_random_t random;
        dt_random_init (&random, seed);
        lin_history_t history;
        s_make (&history, &random, 20 + (int) seed, seed % 2);
        lin_judge_t judge = lin_judge (&history, &limits);
        if (judge.verdict != LIN_GOOD) {
            lin_judge_print (&judge, &history, "made", &limits, stdout);
            s_fail (&history, seed, "a good history does not pass");
        }
        lin_history_deinit (&history);
    }
}
END_TEST

START_TEST (a_long_history_of_one_key_is_decided_in_little_memory)
{
    enum { COUNT = 200000 };
    lin_key_op_t *ops = calloc (COUNT, sizeof *ops);
    for (size_t i = 0; i < COUNT; i++) {
        // Each put overlaps its neighbours, each get the put before it.
        uint64_t call = 10 * i + 1;
        ops[i] = (lin_key_op_t){.kind = i % 4 == 3 ? LIN_GET : LIN_PUT, .call = call, .op = i};
        ops[i].value = i % 4 == 3 ? i : i + 1;
        ops[i].ret = i % 4 == 3 ? call + 2 : call + 12;
    }
    lin_wgl_limits_t limits = {.memory_bytes_max = 64 << 20, .steps_max = 10000000};
    ck_assert_int_eq (lin_wgl (ops, COUNT, &limits), LIN_GOOD);
    ops[COUNT - 1].value = COUNT / 2 + 1; // long overwritten
    ck_assert_int_eq (lin_wgl (ops, COUNT, &limits), LIN_BAD);
    free (ops);
}
END_TEST

// Make one read show what was there before, long after it was overwritten; false: none fits.
static bool s_make_stale (lin_history_t *history)
{
    for (size_t i = history->count; i-- > 0;) {
        lin_op_t *read = &history->ops[i];
        if (read->kind != LIN_GET) {
            continue;
        }
        lin_item_t *item = &history->items[read->item_at];
        uint64_t older = UINT64_MAX, newer = 0;
        for (size_t j = 0; j < history->count; j++) {
            const lin_op_t *write = &history->ops[j];
            if (write->kind != LIN_PUT || write->outcome == LIN_UNKNOWN ||
                history->items[write->item_at].key != item->key || write->ret >= read->call) {
                continue;
            }
            if (older == UINT64_MAX) {
                older = j;
            } else if (write->call > history->ops[older].ret) {
                newer = j;
            }
        }
        if (newer) {
            item->value = history->items[history->ops[older].item_at].value;
            return true;
        }
    }
    return false;
}

START_TEST (a_stale_read_put_into_a_good_history_is_found_by_all)
{
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    int changed = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        dt_random_t random;
        dt_random_init (&random, seed);
        lin_history_t history;
        s_make (&history, &random, 120, true);
        if (s_make_stale (&history)) {
            lin_judge_t judge = lin_judge (&history, &limits);
            if (judge.wgl != LIN_BAD || judge.zones != LIN_BAD || judge.index.verdict != LIN_BAD) {
                s_fail (&history, seed, "a stale read is not found");
            }
            changed++;
        }
        lin_history_deinit (&history);
    }
    ck_assert_int_gt (changed, 250);
}
END_TEST

START_TEST (a_lost_update_put_into_a_good_history_is_found)
{
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    int changed = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        dt_random_t random;
        dt_random_init (&random, seed);
        lin_history_t history;
        s_make (&history, &random, 150, false);
        for (size_t i = 0; i < history.count; i++) {
            // Its value was replaced for good when it ran; that it succeeds is wrong.
            if (history.ops[i].outcome == LIN_MISMATCH) {
                history.ops[i].outcome = LIN_OK;
                lin_judge_t judge = lin_judge (&history, &limits);
                if (judge.wgl != LIN_BAD || judge.index.verdict != LIN_BAD) {
                    s_fail (&history, seed, "a cas that cannot succeed is not found");
                }
                changed++;
                break;
            }
        }
        lin_history_deinit (&history);
    }
    ck_assert_int_gt (changed, 200);
}
END_TEST

// Every order, one after the other.
static bool s_any_order (const lin_key_op_t *ops, size_t count, unsigned done, uint64_t state)
{
    bool complete = true;
    for (size_t i = 0; i < count; i++) {
        complete &= (done >> i & 1) || ops[i].ret == LIN_NEVER;
    }
    if (complete) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        bool may_be_next = !(done >> i & 1);
        for (size_t j = 0; j < count; j++) {
            may_be_next &= (done >> j & 1) || j == i || ops[j].ret >= ops[i].call;
        }
        uint64_t after;
        if (may_be_next && lin_key_step (&ops[i], state, &after) &&
            s_any_order (ops, count, done | 1u << i, after)) {
            return true;
        }
    }
    return false;
}

static int s_compare (const void *a, const void *b)
{
    const lin_key_op_t *x = a, *y = b;
    return x->call < y->call ? -1 : x->call > y->call;
}

// Few values and moments, so that about as many are good as bad.
static size_t s_small (lin_key_op_t *ops, dt_random_t *random, bool registers)
{
    size_t count = 1 + dt_random_below (random, 7);
    uint64_t next_value = 1;
    for (size_t i = 0; i < count; i++) {
        lin_key_op_t *op = &ops[i];
        uint64_t call = dt_random_below (random, 20);
        *op = (lin_key_op_t){.call = call, .ret = call + dt_random_below (random, 10), .op = i};
        uint64_t some = dt_random_below (random, 4);
        switch (dt_random_below (random, registers ? 2 : 4)) {
        case 0:
            op->kind = LIN_GET;
            op->value = some;
            continue;
        case 1:
            op->kind = LIN_PUT;
            op->value = next_value++;
            if (!registers && some) {
                op->outcome = some == 1 ? LIN_NEW : some == 2 ? LIN_OVER : LIN_OK;
            }
            break;
        case 2:
            op->kind = LIN_REMOVE;
            op->outcome = some < 2 ? LIN_OK : LIN_ABSENT;
            break;
        default:
            op->kind = LIN_CAS;
            op->expect = some;
            op->value = next_value++;
            op->outcome = dt_random_chance (random, 2, 3) ? LIN_OK : LIN_MISMATCH;
        }
        if (dt_random_chance (random, 1, 5)) {
            op->outcome = LIN_UNKNOWN;
            op->ret = LIN_NEVER;
        }
    }
    qsort (ops, count, sizeof *ops, s_compare);
    return count;
}

START_TEST (small_histories_are_judged_as_by_trying_every_order)
{
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    int good = 0, rounds = 60000;
    for (int round = 0; round < rounds; round++) {
        dt_random_t random;
        dt_random_init (&random, (uint64_t) round);
        lin_key_op_t ops[8];
        bool registers = round % 2;
        size_t count = s_small (ops, &random, registers);
        lin_verdict_t truth = s_any_order (ops, count, 0, 0) ? LIN_GOOD : LIN_BAD;
        ck_assert_msg (lin_wgl (ops, count, &limits) == truth, "round %d: wgl", round);
        if (registers) {
            ck_assert (lin_register_applies (ops, count));
            ck_assert_msg (lin_register (ops, count) == truth, "round %d: zones", round);
        }
        good += truth == LIN_GOOD;
    }
    ck_assert_int_gt (good, rounds / 10);
    ck_assert_int_lt (good, rounds * 9 / 10);
}
END_TEST

START_TEST (a_search_out_of_steps_is_undecided)
{
    lin_key_op_t ops[20] = {0};
    for (size_t i = 0; i < 20; i++) {
        ops[i] = (lin_key_op_t){.kind = LIN_PUT, .value = i + 1, .call = 1, .ret = 2, .op = i};
    }
    ops[19] = (lin_key_op_t){.kind = LIN_GET, .value = 99, .call = 3, .ret = 4};
    lin_wgl_limits_t limits = {.memory_bytes_max = 1 << 30, .steps_max = 1000};
    ck_assert_int_eq (lin_wgl (ops, 20, &limits), LIN_UNDECIDED);
    limits = (lin_wgl_limits_t){.memory_bytes_max = 1 << 16, .steps_max = UINT64_MAX};
    ck_assert_int_eq (lin_wgl (ops, 20, &limits), LIN_UNDECIDED);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("random");
    tcase_set_timeout (tcase, 100);
    tcase_add_test (tcase, histories_made_by_a_model_pass);
    tcase_add_test (tcase, a_long_history_of_one_key_is_decided_in_little_memory);
    tcase_add_test (tcase, a_stale_read_put_into_a_good_history_is_found_by_all);
    tcase_add_test (tcase, a_lost_update_put_into_a_good_history_is_found);
    tcase_add_test (tcase, small_histories_are_judged_as_by_trying_every_order);
    tcase_add_test (tcase, a_search_out_of_steps_is_undecided);
    Suite *suite = suite_create ("lin_random");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
