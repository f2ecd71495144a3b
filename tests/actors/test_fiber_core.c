// Start, switch, order, rounds, sleep, yield, errno, stacks of fibers.

#include <errno.h>
#include <fenv.h>
#include <string.h>

#include "actors/fiber/fiber_condition.h"
#include "actors/fiber/fiber_sanitizer.h"
#include "base/dt_error.h"
#include "tests/actors/test_fiber_support.h"

// A fiber that says its name in turns.
typedef struct {
    world_t *world;
    const char *name;
    int times;
} s_talker_t;

static void s_talk (void *argument)
{
    s_talker_t *self = argument;
    for (int i = 0; i < self->times; i++) {
        world_say (self->world, self->name);
        fiber_yield ();
    }
}

START_TEST (fibers_run_in_the_order_of_their_start)
{
    world_t world;
    world_init (&world);
    s_talker_t a = {&world, "a", 1}, b = {&world, "b", 1}, c = {&world, "c", 1};
    fiber_start (world.group, "a", s_talk, &a, NULL);
    fiber_start (world.group, "b", s_talk, &b, NULL);
    fiber_start (world.group, "c", s_talk, &c, NULL);
    ck_assert_str_eq (world.text, "");
    world_settle (&world);
    ck_assert_str_eq (world.text, "abc");
    world_deinit (&world);
}
END_TEST

START_TEST (yield_lets_every_other_ready_fiber_run)
{
    world_t world;
    world_init (&world);
    s_talker_t a = {&world, "a", 3}, b = {&world, "b", 2}, c = {&world, "c", 3};
    fiber_start (world.group, "a", s_talk, &a, NULL);
    fiber_start (world.group, "b", s_talk, &b, NULL);
    fiber_start (world.group, "c", s_talk, &c, NULL);
    world_settle (&world);
    ck_assert_str_eq (world.text, "abcabcac");
    world_deinit (&world);
}
END_TEST

static void s_check_self (void *argument)
{
    world_t *world = argument;
    ck_assert_str_eq (fiber_name (fiber_self ()),
                      "a name that is longer than what fits inline, by far");
    ck_assert_ptr_eq (fiber_group_of (fiber_self ()), world->group);
    world_say (world, "checked");
}

START_TEST (a_fiber_knows_its_name_and_group)
{
    world_t world;
    world_init (&world);
    ck_assert_ptr_null (fiber_self ());
    char name[] = "a name that is longer than what fits inline, by far";
    fiber_start (world.group, name, s_check_self, &world, NULL);
    name[0] = 'X'; // was copied
    world_settle (&world);
    ck_assert_str_eq (world.text, "checked");
    ck_assert_ptr_null (fiber_self ());
    world_deinit (&world);
}
END_TEST

static void s_start_other (void *argument)
{
    s_talker_t *other = argument;
    fiber_start (other->world->group, "other", s_talk, other, NULL);
    world_say (other->world, "first ");
}

START_TEST (a_started_fiber_runs_after_its_starter_suspends)
{
    world_t world;
    world_init (&world);
    s_talker_t other = {&world, "second", 1};
    fiber_start (world.group, "starter", s_start_other, &other, NULL);
    world_settle (&world);
    ck_assert_str_eq (world.text, "first second");
    world_deinit (&world);
}
END_TEST

typedef struct {
    world_t *world;
    const char *name;
    int64_t deadline_ns;
    int rc;
} s_sleeper_t;

static void s_sleep (void *argument)
{
    s_sleeper_t *self = argument;
    self->rc = fiber_sleep_until (self->deadline_ns);
    ck_assert_int_ge (fiber_now_ns (), self->deadline_ns);
    world_say (self->world, self->name);
}

START_TEST (sleepers_wake_in_the_order_of_their_deadlines)
{
    world_t world;
    world_init (&world);
    s_sleeper_t a = {&world, "a", 5 * SECOND, -1}, b = {&world, "b", 2 * SECOND, -1};
    s_sleeper_t c = {&world, "c", 5 * SECOND, -1}, d = {&world, "d", 5 * SECOND - 1, -1};
    s_sleeper_t *all[] = {&a, &b, &c, &d};
    for (size_t i = 0; i < 4; i++) {
        fiber_start (world.group, all[i]->name, s_sleep, all[i], NULL);
    }
    world_settle (&world);
    ck_assert_str_eq (world.text, "");
    ck_assert_int_eq (fiber_dispatcher_next_deadline_ns (world.dispatcher), 2 * SECOND);
    world_exhaust (&world);
    ck_assert_str_eq (world.text, "bdac");
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq (all[i]->rc, 0);
    }
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), 5 * SECOND);
    ck_assert_int_eq (fiber_dispatcher_next_deadline_ns (world.dispatcher), FIBER_FOREVER);
    world_deinit (&world);
}
END_TEST

START_TEST (a_sleep_into_the_past_lets_others_run_and_succeeds)
{
    world_t world;
    world_init (&world);
    s_sleeper_t a = {&world, "a", 0, -1};
    s_talker_t b = {&world, "b", 1};
    fiber_start (world.group, "a", s_sleep, &a, NULL);
    fiber_start (world.group, "b", s_talk, &b, NULL);
    world_settle (&world);
    ck_assert_str_eq (world.text, "ba");
    ck_assert_int_eq (a.rc, 0);
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), SECOND); // time stood still
    world_deinit (&world);
}
END_TEST

static void s_count_sleep (void *argument)
{
    s_sleeper_t *self = argument;
    self->rc = fiber_sleep_unless_stopping (self->deadline_ns);
    world_say (self->world, self->name);
}

START_TEST (a_stop_request_ends_sleep_unless_stopping)
{
    world_t world;
    world_init (&world);
    s_sleeper_t a = {&world, "a", 2 * SECOND, -1}, b = {&world, "b", 9 * SECOND, -1};
    fiber_start (world.group, "a", s_count_sleep, &a, NULL);
    fiber_start (world.group, "b", s_count_sleep, &b, NULL);
    fiber_dispatcher_turn (world.dispatcher, FIBER_FOREVER);
    fiber_dispatcher_turn (world.dispatcher, FIBER_FOREVER);
    ck_assert_int_eq (a.rc, 0);
    fiber_group_request_stop (world.group);
    world_settle (&world);
    ck_assert_int_eq (b.rc, DT_ERR_CLOSED);
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), 2 * SECOND);
    world_deinit (&world);
}
END_TEST

static void s_stop_then_sleep (void *argument)
{
    s_sleeper_t *self = argument;
    fiber_group_request_stop (self->world->group);
    self->rc = fiber_sleep_unless_stopping (self->deadline_ns);
    world_say (self->world, self->name);
}

START_TEST (sleep_unless_stopping_yields_when_already_stopping)
{
    world_t world;
    world_init (&world);
    s_sleeper_t a = {&world, "a", 9 * SECOND, -1};
    s_talker_t b = {&world, "b", 1};
    fiber_start (world.group, "a", s_stop_then_sleep, &a, NULL);
    fiber_start (world.group, "b", s_talk, &b, NULL);
    world_settle (&world);
    ck_assert_int_eq (a.rc, DT_ERR_CLOSED);
    ck_assert_str_eq (world.text, "ba");
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), SECOND);
    world_deinit (&world);
}
END_TEST

static void s_keep_errno (void *argument)
{
    int *number = argument;
    for (int i = 0; i < 100; i++) {
        errno = *number + i;
        fiber_yield ();
        ck_assert_int_eq (errno, *number + i);
        ck_assert_int_eq (fiber_sleep_until (fiber_now_ns () + *number), 0);
        ck_assert_int_eq (errno, *number + i);
    }
}

START_TEST (errno_is_kept_across_switches)
{
    world_t world;
    world_init (&world);
    int numbers[] = {1, 1000, 50000};
    for (size_t i = 0; i < 3; i++) {
        fiber_start (world.group, "errno", s_keep_errno, &numbers[i], NULL);
    }
    world_exhaust (&world);
    world_deinit (&world);
}
END_TEST

static void s_keep_rounding (void *argument)
{
    int mode = *(int *) argument;
    fesetround (mode);
    for (int i = 0; i < 10; i++) {
        fiber_yield ();
        ck_assert_int_eq (fegetround (), mode);
        volatile double one = 1, three = 3;
        double third = one / three;
        bool upward = third > 0.33333333333333333;
        // Valgrind computes with a rounding of its own.
        ck_assert (fiber_sanitizer_on_valgrind () || upward == (mode == FE_UPWARD));
    }
    fesetround (FE_TONEAREST);
}

START_TEST (floating_point_control_is_kept_across_switches)
{
    world_t world;
    world_init (&world);
    int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TONEAREST};
    for (size_t i = 0; i < 3; i++) {
        fiber_start (world.group, "rounding", s_keep_rounding, &modes[i], NULL);
    }
    world_settle (&world);
    ck_assert_int_eq (fegetround (), FE_TONEAREST);
    world_deinit (&world);
}
END_TEST

// Values in callee-saved registers and on the stack survive being switched away from.
static void s_keep_locals (void *argument)
{
    uint64_t seed = *(uint64_t *) argument;
    uint64_t a = seed, b = seed * 3, c = seed * 5, d = seed * 7, e = seed * 11, f = seed * 13;
    double x = (double) seed;
    uint8_t bytes[2000];
    memset (bytes, (int) seed, sizeof bytes);
    for (uint64_t i = 0; i < 50; i++) {
        fiber_yield ();
        a += i, b += i, c += i, d += i, e += i, f += i, x += (double) i;
    }
    ck_assert_uint_eq (a + b + c + d + e + f, seed * 40 + 6 * 1225);
    ck_assert_double_eq (x, (double) (seed + 1225));
    for (size_t i = 0; i < sizeof bytes; i++) {
        ck_assert_uint_eq (bytes[i], (uint8_t) seed);
    }
}

START_TEST (locals_survive_switches_among_many_fibers)
{
    world_t world;
    world_init (&world);
    uint64_t seeds[300];
    for (uint64_t i = 0; i < 300; i++) {
        seeds[i] = i * 17;
        ck_assert_ptr_nonnull (fiber_start (world.group, "locals", s_keep_locals, &seeds[i], NULL));
    }
    world_settle (&world);
    ck_assert_uint_eq (fiber_dispatcher_fibers (world.dispatcher), 0);
    world_deinit (&world);
}
END_TEST

static void s_chain (void *argument)
{
    world_t *world = argument;
    world->text_bytes++;
    if (!fiber_group_stopping (world->group)) {
        fiber_start (world->group, "link", s_chain, world, NULL);
    }
}

static void s_stop_by_event (void *argument)
{
    fiber_group_request_stop (argument);
}

START_TEST (a_chain_of_starts_cannot_keep_a_round_from_ending)
{
    world_t world;
    world_init (&world);
    fiber_start (world.group, "link", s_chain, &world, NULL);
    fiber_dispatcher_turn (world.dispatcher, INT64_MIN);
    ck_assert_uint_gt (world.text_bytes, 10);
    ck_assert_uint_lt (world.text_bytes, 10000);
    fiber_backend_sim_at (world.sim, SECOND, s_stop_by_event, world.group);
    world_settle (&world);
    ck_assert_uint_eq (fiber_dispatcher_fibers (world.dispatcher), 0);
    world_deinit (&world);
}
END_TEST

// Two fibers that wake each other for ever, and one that must get its turn.
typedef struct {
    fiber_condition_t *mine, *others;
    world_t *world;
    uint64_t turns;
} s_player_t;

static void s_play (void *argument)
{
    s_player_t *self = argument;
    while (!fiber_group_stopping (self->world->group)) {
        self->turns++;
        fiber_condition_signal (self->others);
        fiber_condition_wait (self->mine, FIBER_FOREVER);
    }
    fiber_condition_signal (self->others);
}

static void s_tick (void *argument)
{
    world_say (argument, "t");
}

static void s_play_for (unsigned budget, uint64_t *turns)
{
    world_t world;
    world_init (&world);
    fiber_condition_t *ping = fiber_condition_new ("ping"), *pong = fiber_condition_new ("pong");
    s_player_t a = {ping, pong, &world, 0}, b = {pong, ping, &world, 0};
    s_talker_t third = {&world, "x", 3};
    fiber_options_t options = {.budget = budget};
    fiber_start (world.group, "ping", s_play, &a, &options);
    fiber_start (world.group, "pong", s_play, &b, &options);
    fiber_start (world.group, "third", s_talk, &third, NULL);
    for (int i = 0; i < 4; i++) {
        fiber_backend_sim_at (world.sim, SECOND, s_tick, &world);
        uint64_t before = a.turns;
        fiber_dispatcher_turn (world.dispatcher, INT64_MIN);
        ck_assert_uint_le (a.turns - before, budget ? budget : 1);
    }
    *turns = a.turns;
    // Input was looked at in each round, and the third fiber had its turn in each.
    ck_assert_str_eq (world.text, "txtxtxt");
    ck_assert_uint_eq (fiber_dispatcher_rounds (world.dispatcher), 4);
    fiber_group_request_stop (world.group);
    world_settle (&world);
    fiber_condition_destroy (&ping);
    fiber_condition_destroy (&pong);
    world_deinit (&world);
}

START_TEST (a_pair_that_wakes_each_other_starves_neither_input_nor_others)
{
    uint64_t turns;
    s_play_for (0, &turns);
    ck_assert_uint_eq (turns, 4);
}
END_TEST

START_TEST (a_budget_allows_more_wakes_per_round)
{
    uint64_t turns;
    s_play_for (10, &turns);
    ck_assert_uint_ge (turns, 20);
    ck_assert_uint_le (turns, 40);
}
END_TEST

static void s_deep (void *argument)
{
    char big[200 * 1024];
    memset (big, 1, sizeof big);
    world_say (argument, big[1000] == 1 ? "deep" : "?");
    ck_assert_str_eq (fiber_name (fiber_self ()), "caller");
}

static void s_call_deep (void *argument)
{
    errno = 77;
    fiber_on_thread_stack (s_deep, argument);
    world_say (argument, " done");
}

START_TEST (on_thread_stack_runs_what_would_not_fit)
{
    world_t world;
    world_init (&world);
    fiber_options_t options = {.stack_bytes = 16384};
    fiber_start (world.group, "caller", s_call_deep, &world, &options);
    world_settle (&world);
    ck_assert_str_eq (world.text, "deep done");
    world_deinit (&world);
}
END_TEST

int main (void)
{
    TCase *tests = tcase_create ("core");
    tcase_add_test (tests, fibers_run_in_the_order_of_their_start);
    tcase_add_test (tests, yield_lets_every_other_ready_fiber_run);
    tcase_add_test (tests, a_fiber_knows_its_name_and_group);
    tcase_add_test (tests, a_started_fiber_runs_after_its_starter_suspends);
    tcase_add_test (tests, sleepers_wake_in_the_order_of_their_deadlines);
    tcase_add_test (tests, a_sleep_into_the_past_lets_others_run_and_succeeds);
    tcase_add_test (tests, a_stop_request_ends_sleep_unless_stopping);
    tcase_add_test (tests, sleep_unless_stopping_yields_when_already_stopping);
    tcase_add_test (tests, errno_is_kept_across_switches);
    tcase_add_test (tests, floating_point_control_is_kept_across_switches);
    tcase_add_test (tests, locals_survive_switches_among_many_fibers);
    tcase_add_test (tests, a_chain_of_starts_cannot_keep_a_round_from_ending);
    tcase_add_test (tests, a_pair_that_wakes_each_other_starves_neither_input_nor_others);
    tcase_add_test (tests, a_budget_allows_more_wakes_per_round);
    tcase_add_test (tests, on_thread_stack_runs_what_would_not_fit);
    return suite_run ("fiber_core", tests);
}
