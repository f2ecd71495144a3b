// Random programs, run by the dispatcher and by a naive model of it: who runs when must be the
// same.
//
// A program is a number of fibers, each of which draws its steps from a stream of its own. Both
// runs write down every step as (fiber, step, result of the last wait, time).

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/fiber/fiber_condition.h"
#include "base/dt_buffer.h"
#include "base/dt_error.h"
#include "base/dt_random.h"
#include "tests/actors/test_fiber_support.h"

#define CONDITIONS 3
#define FIBERS_MAX 24
#define STEPS      40

typedef enum {
    YIELD,
    SIGNAL,
    SIGNAL_LATER,
    SIGNAL_ALL,
    WAIT,
    SLEEP,
    START,
    INTERRUPT,
    CANCEL
} s_op_t;

typedef struct {
    s_op_t op;
    unsigned condition;
    unsigned target;
    int64_t delay_ns;
} s_step_t;

static s_step_t s_draw (dt_random_t *random)
{
    static const s_op_t s_ops[] = {YIELD,      YIELD, SIGNAL, SIGNAL,   SIGNAL_LATER, SIGNAL_LATER,
                                   SIGNAL_ALL, WAIT,  WAIT,   WAIT,     WAIT,         SLEEP,
                                   SLEEP,      START, START,  INTERRUPT};
    uint64_t draw = dt_random_below (random, 100);
    s_step_t step = {.op = draw == 99 ? CANCEL : s_ops[draw % 16],
                     .condition = (unsigned) dt_random_below (random, CONDITIONS),
                     .target = (unsigned) dt_random_below (random, FIBERS_MAX),
                     .delay_ns = (int64_t) dt_random_below (random, 4) * 10};
    return step;
}

static unsigned s_budget (unsigned id)
{
    return 1 + id % 3;
}

static void s_note (dt_buffer_t *out, unsigned id, const s_step_t *step, int rc, int64_t now_ns)
{
    dt_buffer_printf (out, "%u:%u.%u(%d)@%ld ", id, step->op, step->condition, rc, (long) now_ns);
}

// The real thing.

typedef struct real real_t;

typedef struct {
    real_t *real;
    unsigned id;
    fiber_t *fiber; // NULL once ended
} s_actor_t;

struct real {
    world_t world;
    uint64_t seed;
    fiber_condition_t *conditions[CONDITIONS];
    s_actor_t actors[FIBERS_MAX];
    unsigned count;
    dt_buffer_t trace;
};

static void s_act (void *argument);

static void s_real_start (real_t *self)
{
    if (self->count == FIBERS_MAX) {
        return;
    }
    s_actor_t *actor = &self->actors[self->count];
    *actor = (s_actor_t){.real = self, .id = self->count++};
    fiber_options_t options = {.budget = s_budget (actor->id)};
    actor->fiber = fiber_start (self->world.group, "actor", s_act, actor, &options);
}

static void s_act (void *argument)
{
    s_actor_t *self = argument;
    real_t *real = self->real;
    dt_random_t random;
    dt_random_init (&random, real->seed * 1000 + self->id);
    int rc = 0;
    for (int i = 0; i < STEPS; i++) {
        s_step_t step = s_draw (&random);
        fiber_condition_t *condition = real->conditions[step.condition];
        fiber_t *target = step.target < real->count ? real->actors[step.target].fiber : NULL;
        s_note (&real->trace, self->id, &step, rc, fiber_now_ns ());
        rc = 0;
        switch (step.op) {
        case YIELD:
            fiber_yield ();
            break;
        case SIGNAL:
            fiber_condition_signal (condition);
            break;
        case SIGNAL_LATER:
            fiber_condition_signal_later (condition);
            break;
        case SIGNAL_ALL:
            fiber_condition_signal_all (condition);
            break;
        case WAIT:
            rc = fiber_condition_wait (condition, fiber_now_ns () + step.delay_ns);
            break;
        case SLEEP:
            rc = fiber_sleep_until (fiber_now_ns () + step.delay_ns);
            break;
        case START:
            s_real_start (real);
            break;
        case INTERRUPT:
            if (target) {
                fiber_interrupt (target);
            }
            break;
        case CANCEL:
            if (target) {
                fiber_cancel (target);
            }
            break;
        }
    }
    self->fiber = NULL;
}

static void s_run_real (real_t *self, uint64_t seed)
{
    memset (self, 0, sizeof *self);
    world_init (&self->world);
    self->seed = seed;
    for (size_t i = 0; i < CONDITIONS; i++) {
        self->conditions[i] = fiber_condition_new ("c");
    }
    for (int i = 0; i < 4; i++) {
        s_real_start (self);
    }
    while (fiber_dispatcher_fibers (self->world.dispatcher) > 0) {
        fiber_dispatcher_turn (self->world.dispatcher, FIBER_FOREVER);
    }
    for (size_t i = 0; i < CONDITIONS; i++) {
        fiber_condition_destroy (&self->conditions[i]);
    }
    world_deinit (&self->world);
}

// The model: plain arrays, everything searched.

typedef struct {
    unsigned ids[FIBERS_MAX];
    unsigned count;
} s_list_t;

typedef struct {
    dt_random_t random;
    int steps;
    int rc;
    bool sleeping; // step in progress is a sleep: a time-out is success
    bool waiting;
    bool interrupted, cancelled, ended;
    int64_t deadline_ns;
    uint64_t armed; // order of arming
    uint64_t round;
    unsigned wakes;
} s_twin_t;

typedef struct {
    uint64_t seed;
    s_twin_t twins[FIBERS_MAX];
    unsigned count;
    s_list_t ready, next_head, next_tail;
    s_list_t waiters[CONDITIONS];
    int64_t now_ns;
    uint64_t round;
    uint64_t armed;
    dt_buffer_t trace;
} s_model_t;

static void s_insert (s_list_t *self, unsigned id, bool at_head)
{
    if (at_head) {
        memmove (self->ids + 1, self->ids, self->count * sizeof self->ids[0]);
        self->ids[0] = id;
    } else {
        self->ids[self->count] = id;
    }
    self->count++;
}

static void s_remove (s_list_t *self, unsigned id)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (self->ids[i] == id) {
            memmove (self->ids + i, self->ids + i + 1, (--self->count - i) * sizeof self->ids[0]);
            return;
        }
    }
}

static void s_model_ready (s_model_t *self, unsigned id, bool at_head)
{
    s_twin_t *twin = &self->twins[id];
    if (twin->round != self->round) {
        twin->round = self->round;
        twin->wakes = 0;
    }
    if (++twin->wakes <= s_budget (id)) {
        s_insert (&self->ready, id, at_head);
    } else {
        s_insert (at_head ? &self->next_head : &self->next_tail, id, at_head);
    }
}

static void s_model_wake (s_model_t *self, unsigned id, int rc, bool at_head)
{
    for (size_t i = 0; i < CONDITIONS; i++) {
        s_remove (&self->waiters[i], id);
    }
    s_twin_t *twin = &self->twins[id];
    twin->waiting = false;
    twin->rc = rc == DT_ERR_TIMEOUT && twin->sleeping ? 0 : rc;
    s_model_ready (self, id, at_head);
}

static void s_model_start (s_model_t *self)
{
    if (self->count == FIBERS_MAX) {
        return;
    }
    unsigned id = self->count++;
    dt_random_init (&self->twins[id].random, self->seed * 1000 + id);
    self->twins[id].round = self->round;
    s_model_ready (self, id, false);
}

// Whether the fiber goes on after the step.
static bool s_model_step (s_model_t *self, unsigned id)
{
    s_twin_t *twin = &self->twins[id];
    s_step_t step = s_draw (&twin->random);
    s_twin_t *target = step.target < self->count && !self->twins[step.target].ended
                           ? &self->twins[step.target]
                           : NULL;
    s_list_t *waiters = &self->waiters[step.condition];
    s_note (&self->trace, id, &step, twin->rc, self->now_ns);
    twin->rc = 0;
    switch (step.op) {
    case YIELD:
        s_insert (&self->next_tail, id, false);
        return false;
    case SIGNAL:
    case SIGNAL_LATER:
        if (waiters->count > 0) {
            s_model_wake (self, waiters->ids[0], 0, step.op == SIGNAL);
        }
        return true;
    case SIGNAL_ALL:
        while (waiters->count > 0) {
            s_model_wake (self, waiters->ids[waiters->count - 1], 0, true);
        }
        return true;
    case WAIT:
    case SLEEP:
        if (twin->cancelled || twin->interrupted) {
            twin->rc = twin->cancelled ? DT_ERR_CANCELLED : DT_ERR_INTERRUPTED;
            twin->interrupted = twin->cancelled && twin->interrupted;
            return true;
        }
        twin->waiting = true;
        twin->sleeping = step.op == SLEEP;
        twin->deadline_ns = self->now_ns + step.delay_ns;
        twin->armed = self->armed++;
        if (step.op == WAIT) {
            s_insert (waiters, id, false);
        }
        return false;
    case START:
        s_model_start (self);
        return true;
    case INTERRUPT:
    case CANCEL:
        if (!target) {
            return true;
        }
        if (step.op == CANCEL) {
            target->cancelled = true;
        }
        if (target->waiting) {
            s_model_wake (self, step.target,
                          step.op == CANCEL ? DT_ERR_CANCELLED : DT_ERR_INTERRUPTED, false);
        } else if (step.op == INTERRUPT) {
            target->interrupted = true;
        }
        return true;
    }
    return true;
}

// The sleeper due first at `until`, FIBERS_MAX if none.
static unsigned s_model_due (const s_model_t *self, int64_t until)
{
    unsigned best = FIBERS_MAX;
    for (unsigned i = 0; i < self->count; i++) {
        const s_twin_t *twin = &self->twins[i], *least = &self->twins[best % FIBERS_MAX];
        if (twin->waiting && twin->deadline_ns <= until &&
            (best == FIBERS_MAX || twin->deadline_ns < least->deadline_ns ||
             (twin->deadline_ns == least->deadline_ns && twin->armed < least->armed))) {
            best = i;
        }
    }
    return best;
}

static void s_model_round (s_model_t *self)
{
    while (self->next_head.count > 0) {
        unsigned id = self->next_head.ids[self->next_head.count - 1];
        s_remove (&self->next_head, id);
        self->twins[id].round = 0;
        s_model_ready (self, id, true);
    }
    while (self->next_tail.count > 0) {
        unsigned id = self->next_tail.ids[0];
        s_remove (&self->next_tail, id);
        self->twins[id].round = 0;
        s_model_ready (self, id, false);
    }
    unsigned due = s_model_due (self, INT64_MAX);
    if (self->ready.count == 0 && self->twins[due].deadline_ns > self->now_ns) {
        self->now_ns = self->twins[due].deadline_ns;
    }
    while ((due = s_model_due (self, self->now_ns)) < FIBERS_MAX) {
        s_model_wake (self, due, DT_ERR_TIMEOUT, false);
    }
    while (self->ready.count > 0) {
        unsigned id = self->ready.ids[0];
        s_remove (&self->ready, id);
        s_twin_t *twin = &self->twins[id];
        bool goes_on = true;
        while (goes_on && twin->steps < STEPS) {
            twin->steps++;
            goes_on = s_model_step (self, id);
        }
        twin->ended = goes_on;
    }
    self->round++;
}

static bool s_model_live (const s_model_t *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        if (!self->twins[i].ended) {
            return true;
        }
    }
    return false;
}

static void s_run_model (s_model_t *self, uint64_t seed)
{
    memset (self, 0, sizeof *self);
    self->seed = seed;
    self->round = 1;
    self->now_ns = SECOND;
    for (int i = 0; i < 4; i++) {
        s_model_start (self);
    }
    while (s_model_live (self)) {
        s_model_round (self);
    }
}

START_TEST (random_programs_run_as_in_the_model)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        real_t *real = malloc (sizeof *real);
        s_model_t *model = malloc (sizeof *model);
        s_run_real (real, seed);
        s_run_model (model, seed);
        size_t same = 0;
        while (same < real->trace.bytes && same < model->trace.bytes &&
               real->trace.data[same] == model->trace.data[same]) {
            same++;
        }
        ck_assert_uint_gt (real->trace.bytes, 1000);
        ck_assert_msg (same == real->trace.bytes && same == model->trace.bytes,
                       "seed %lu differs at %zu: real %.60s model %.60s", (unsigned long) seed,
                       same, (char *) real->trace.data + same, (char *) model->trace.data + same);
        dt_buffer_deinit (&real->trace);
        dt_buffer_deinit (&model->trace);
        free (real);
        free (model);
    }
}
END_TEST

int main (void)
{
    TCase *tests = tcase_create ("model");
    tcase_add_test (tests, random_programs_run_as_in_the_model);
    return suite_run ("fiber_model", tests);
}
