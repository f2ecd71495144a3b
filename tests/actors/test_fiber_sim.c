// The simulated backend, and the timer heap under it.

#include <stdlib.h>
#include <string.h>

#include "actors/fiber/fiber_timer.h"
#include "base/dt_random.h"
#include "tests/actors/test_fiber_support.h"

// Shuffled fibers that sleep and yield; their trace and what they said.
typedef struct {
    world_t *world;
    char name[2];
} s_named_t;

static void s_wander (void *argument)
{
    s_named_t *self = argument;
    for (int i = 0; i < 20; i++) {
        world_say (self->world, self->name);
        if (i % 3) {
            fiber_yield ();
        } else {
            fiber_sleep_until (fiber_now_ns () + self->name[0] % 5);
        }
    }
}

static uint64_t s_run (uint64_t seed, bool shuffle, char *text)
{
    world_t world;
    if (shuffle) {
        world_init_shuffled (&world, seed);
    } else {
        world_init (&world);
    }
    s_named_t named[10];
    for (int i = 0; i < 10; i++) {
        named[i] = (s_named_t){&world, {(char) ('a' + i)}};
        fiber_start (world.group, named[i].name, s_wander, &named[i], NULL);
    }
    world_exhaust (&world);
    memcpy (text, world.text, sizeof world.text);
    uint64_t trace = fiber_backend_sim_trace (world.sim);
    world_deinit (&world);
    return trace;
}

START_TEST (the_same_seed_gives_the_same_run)
{
    static char one[4096], two[4096];
    for (uint64_t seed = 0; seed < 20; seed++) {
        ck_assert_uint_eq (s_run (seed, true, one), s_run (seed, true, two));
        ck_assert_str_eq (one, two);
    }
}
END_TEST

START_TEST (different_seeds_give_different_runs)
{
    static char one[4096], two[4096];
    uint64_t last = s_run (0, true, one);
    for (uint64_t seed = 1; seed < 20; seed++) {
        uint64_t trace = s_run (seed, true, two);
        ck_assert_uint_ne (trace, last);
        ck_assert_str_ne (one, two);
        last = trace;
    }
}
END_TEST

START_TEST (without_shuffling_the_head_runs_first)
{
    static char one[4096];
    s_run (7, false, one);
    ck_assert_int_eq (strncmp (one, "abcdefghij", 10), 0);
}
END_TEST

static void s_say_event (void *argument)
{
    s_named_t *self = argument;
    ck_assert_ptr_null (fiber_self ());
    world_say (self->world, self->name);
}

static void s_schedule_now (void *argument)
{
    s_named_t *self = argument;
    world_say (self->world, "!");
    fiber_backend_sim_at (self->world->sim, fiber_backend_sim_now_ns (self->world->sim),
                          s_say_event, self);
}

START_TEST (events_run_at_their_time_in_order_of_scheduling)
{
    world_t world;
    world_init (&world);
    s_named_t a = {&world, "a"}, b = {&world, "b"}, c = {&world, "c"}, d = {&world, "d"};
    fiber_backend_sim_at (world.sim, 3 * SECOND, s_say_event, &a);
    fiber_backend_sim_at (world.sim, 2 * SECOND, s_say_event, &b);
    fiber_backend_sim_at (world.sim, 3 * SECOND, s_say_event, &c);
    fiber_backend_sim_at (world.sim, 2 * SECOND, s_schedule_now, &d);
    ck_assert_int_eq (fiber_backend_sim_next_ns (world.sim), 2 * SECOND);
    world_settle (&world);
    ck_assert_str_eq (world.text, "");
    world_exhaust (&world);
    ck_assert_str_eq (world.text, "b!dac");
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), 3 * SECOND);
    world_deinit (&world);
}
END_TEST

START_TEST (a_cancelled_event_does_not_run)
{
    world_t world;
    world_init (&world);
    s_named_t a = {&world, "a"}, b = {&world, "b"};
    uint64_t first = fiber_backend_sim_at (world.sim, 3 * SECOND, s_say_event, &a);
    uint64_t second = fiber_backend_sim_at (world.sim, 3 * SECOND, s_say_event, &b);
    ck_assert (fiber_backend_sim_cancel (world.sim, first));
    ck_assert (!fiber_backend_sim_cancel (world.sim, first));
    uint64_t third = fiber_backend_sim_at (world.sim, 4 * SECOND, s_say_event, &a);
    ck_assert_uint_ne (third, first); // in the same place
    ck_assert (!fiber_backend_sim_cancel (world.sim, first));
    world_exhaust (&world);
    ck_assert_str_eq (world.text, "ba");
    ck_assert (!fiber_backend_sim_cancel (world.sim, second));
    world_deinit (&world);
}
END_TEST

static void s_hour (void *argument)
{
    world_t *world = argument;
    for (int i = 0; i < 1000; i++) {
        fiber_sleep_until (fiber_now_ns () + 3600 * SECOND);
    }
    world_say (world, "done");
}

START_TEST (virtual_time_jumps)
{
    world_t world;
    world_init (&world);
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), SECOND);
    fiber_start (world.group, "hour", s_hour, &world, NULL);
    world_exhaust (&world);
    ck_assert_str_eq (world.text, "done");
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), SECOND + 3600000 * SECOND);
    world_deinit (&world);
}
END_TEST

START_TEST (a_turn_with_a_deadline_waits_no_longer)
{
    world_t world;
    world_init (&world);
    fiber_start (world.group, "hour", s_hour, &world, NULL);
    fiber_dispatcher_turn (world.dispatcher, INT64_MIN);
    ck_assert (fiber_dispatcher_turn (world.dispatcher, 10 * SECOND));
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), 10 * SECOND);
    ck_assert_int_eq (fiber_dispatcher_round_ns (world.dispatcher), 10 * SECOND);
    ck_assert_int_eq (fiber_dispatcher_next_deadline_ns (world.dispatcher), 3601 * SECOND);
    world_exhaust (&world);
    world_deinit (&world);
}
END_TEST

START_TEST (a_simulation_in_which_nothing_can_happen_is_stuck)
{
    world_t world;
    world_init (&world);
    fiber_dispatcher_turn (world.dispatcher, FIBER_FOREVER);
    ck_assert (fiber_backend_sim_stuck (world.sim));
    s_named_t a = {&world, "a"};
    fiber_backend_sim_at (world.sim, 2 * SECOND, s_say_event, &a);
    fiber_dispatcher_turn (world.dispatcher, FIBER_FOREVER);
    ck_assert (!fiber_backend_sim_stuck (world.sim));
    world_deinit (&world);
}
END_TEST

static void s_pass (void *argument)
{
    s_named_t *self = argument;
    for (int i = 0; i < 3; i++) {
        fiber_sleep_until (fiber_now_ns () + SECOND);
        world_say (self->world, self->name);
    }
}

START_TEST (two_dispatchers_share_one_time)
{
    world_t world;
    world_init (&world);
    log_t log;
    log_init (&log);
    fiber_dispatcher_t *second = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "second", .backend = fiber_backend_sim_base (world.sim), .env = &log.env});
    fiber_group_t *group = fiber_group_new (second, "group");
    s_named_t a = {&world, "a"}, b = {&world, "b"};
    fiber_start (world.group, "a", s_pass, &a, NULL);
    fiber_start (group, "b", s_pass, &b, NULL);
    fiber_dispatcher_t *both[] = {world.dispatcher, second};
    while (fiber_dispatcher_fibers (both[0]) + fiber_dispatcher_fibers (both[1]) > 0) {
        int64_t next_ns = FIBER_FOREVER;
        bool ready = false;
        for (size_t i = 0; i < 2; i++) {
            fiber_dispatcher_turn (both[i], INT64_MIN);
            ready |= fiber_dispatcher_ready (both[i]);
            int64_t due_ns = fiber_dispatcher_next_deadline_ns (both[i]);
            next_ns = due_ns < next_ns ? due_ns : next_ns;
        }
        if (!ready && next_ns != FIBER_FOREVER) {
            fiber_dispatcher_turn (both[0], next_ns);
        }
    }
    ck_assert_str_eq (world.text, "ababab");
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), 4 * SECOND);
    fiber_dispatcher_request_stop (second);
    fiber_dispatcher_run (second);
    fiber_dispatcher_destroy (&second);
    world_deinit (&world);
}
END_TEST

#define TIMERS 200

START_TEST (timers_are_due_as_in_a_naive_list)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        dt_random_t random;
        dt_random_init (&random, seed);
        fiber_timers_t timers = {0};
        fiber_timer_t timer[TIMERS] = {0};
        int64_t deadline[TIMERS];
        uint64_t order[TIMERS], orders = 0;
        int64_t now = 0;
        for (int step = 0; step < 2000; step++) {
            size_t i = dt_random_below (&random, TIMERS);
            uint64_t action = dt_random_below (&random, 10);
            if (action < 6 && !fiber_timer_armed (&timer[i])) {
                deadline[i] = now + (int64_t) dt_random_below (&random, 100);
                order[i] = orders++;
                fiber_timers_arm (&timers, &timer[i], deadline[i]);
                ck_assert_int_eq (fiber_timers_deadline_ns (&timers, &timer[i]), deadline[i]);
            } else if (action < 8) {
                fiber_timers_disarm (&timers, &timer[i]);
            } else {
                now += (int64_t) dt_random_below (&random, 20);
                for (;;) {
                    size_t least = TIMERS;
                    for (size_t k = 0; k < TIMERS; k++) {
                        if (fiber_timer_armed (&timer[k]) &&
                            (least == TIMERS || deadline[k] < deadline[least] ||
                             (deadline[k] == deadline[least] && order[k] < order[least]))) {
                            least = k;
                        }
                    }
                    ck_assert_int_eq (fiber_timers_next_ns (&timers),
                                      least == TIMERS ? INT64_MAX : deadline[least]);
                    fiber_timer_t *due = fiber_timers_due (&timers, now);
                    if (!due) {
                        ck_assert (least == TIMERS || deadline[least] > now);
                        break;
                    }
                    ck_assert_ptr_eq (due, &timer[least]);
                    ck_assert (!fiber_timer_armed (due));
                }
            }
            fiber_timers_check (&timers);
        }
        for (size_t k = 0; k < TIMERS; k++) {
            fiber_timers_disarm (&timers, &timer[k]);
        }
        fiber_timers_deinit (&timers);
    }
}
END_TEST

int main (void)
{
    TCase *tests = tcase_create ("sim");
    tcase_add_test (tests, the_same_seed_gives_the_same_run);
    tcase_add_test (tests, different_seeds_give_different_runs);
    tcase_add_test (tests, without_shuffling_the_head_runs_first);
    tcase_add_test (tests, events_run_at_their_time_in_order_of_scheduling);
    tcase_add_test (tests, a_cancelled_event_does_not_run);
    tcase_add_test (tests, virtual_time_jumps);
    tcase_add_test (tests, a_turn_with_a_deadline_waits_no_longer);
    tcase_add_test (tests, a_simulation_in_which_nothing_can_happen_is_stuck);
    tcase_add_test (tests, two_dispatchers_share_one_time);
    tcase_add_test (tests, timers_are_due_as_in_a_naive_list);
    return suite_run ("fiber_sim", tests);
}
