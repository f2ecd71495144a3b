// Conditions, futures, channels, join, interrupt, cancel, cleanups.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/fiber/fiber_channel.h"
#include "actors/fiber/fiber_condition.h"
#include "actors/fiber/fiber_future.h"
#include "base/dt_error.h"
#include "tests/actors/test_fiber_support.h"

// What a fiber does here, and what came of it.
typedef struct {
    world_t *world;
    const char *name;
    fiber_condition_t *condition;
    fiber_condition_t *const *conditions;
    size_t count;
    fiber_future_t *future;
    fiber_channel_t *channel;
    fiber_t *target;
    int64_t deadline_ns;
    int rc;
    int result;
    void *value;
    bool done;
} s_part_t;

static void s_finish (s_part_t *self, int rc)
{
    self->rc = rc;
    self->done = true;
    world_say (self->world, self->name);
}

static void s_wait (void *argument)
{
    s_part_t *self = argument;
    s_finish (self, fiber_condition_wait (self->condition, self->deadline_ns));
}

static void s_wait_any (void *argument)
{
    s_part_t *self = argument;
    s_finish (self, fiber_condition_wait_any (self->conditions, self->count, self->deadline_ns));
}

static void s_await (void *argument)
{
    s_part_t *self = argument;
    s_finish (self,
              fiber_future_await (self->future, self->deadline_ns, &self->result, &self->value));
}

static void s_take (void *argument)
{
    s_part_t *self = argument;
    s_finish (self, fiber_channel_take (self->channel, &self->value, self->deadline_ns));
}

static void s_join (void *argument)
{
    s_part_t *self = argument;
    s_finish (self, fiber_join (self->target, self->deadline_ns));
}

static void s_sleep (void *argument)
{
    s_part_t *self = argument;
    s_finish (self, fiber_sleep_until (self->deadline_ns));
}

static void s_sleep_unless (void *argument)
{
    s_part_t *self = argument;
    s_finish (self, fiber_sleep_unless_stopping (self->deadline_ns));
}

static void s_say (void *argument)
{
    s_part_t *self = argument;
    s_finish (self, 0);
}

static fiber_t *s_start (s_part_t *part, fiber_fn *fn)
{
    part->deadline_ns = part->deadline_ns ? part->deadline_ns : FIBER_FOREVER;
    return fiber_start (part->world->group, part->name, fn, part, NULL);
}

START_TEST (signal_wakes_the_longest_waiter_only)
{
    world_t world;
    world_init (&world);
    fiber_condition_t *condition = fiber_condition_new ("c");
    s_part_t a = {.world = &world, .name = "a", .condition = condition}, b = a, c = a;
    b.name = "b", c.name = "c";
    s_start (&a, s_wait), s_start (&b, s_wait), s_start (&c, s_wait);
    world_settle (&world);
    fiber_condition_signal (condition);
    world_settle (&world);
    ck_assert_str_eq (world.text, "a");
    fiber_condition_signal (condition);
    world_settle (&world);
    ck_assert_str_eq (world.text, "ab");
    fiber_condition_signal (condition);
    fiber_condition_signal (condition); // nobody waits: nothing is remembered
    world_settle (&world);
    ck_assert_str_eq (world.text, "abc");
    ck_assert_int_eq (c.rc, 0);
    fiber_condition_destroy (&condition);
    world_deinit (&world);
}
END_TEST

START_TEST (signal_all_wakes_in_order_at_the_head)
{
    world_t world;
    world_init (&world);
    fiber_condition_t *condition = fiber_condition_new ("c");
    s_part_t a = {.world = &world, .name = "a", .condition = condition}, b = a, c = a, x = a;
    b.name = "b", c.name = "c", x.name = "x";
    s_start (&a, s_wait), s_start (&b, s_wait), s_start (&c, s_wait);
    world_settle (&world);
    s_start (&x, s_say); // ready before them
    fiber_condition_signal_all (condition);
    world_settle (&world);
    ck_assert_str_eq (world.text, "abcx");
    fiber_condition_destroy (&condition);
    world_deinit (&world);
}
END_TEST

START_TEST (signal_goes_before_what_is_ready_and_signal_later_behind)
{
    world_t world;
    world_init (&world);
    fiber_condition_t *first = fiber_condition_new ("f"), *later = fiber_condition_new ("l");
    s_part_t a = {.world = &world, .name = "a", .condition = first}, b = a, x = a;
    b.name = "b", b.condition = later, x.name = "x";
    s_start (&a, s_wait), s_start (&b, s_wait);
    world_settle (&world);
    fiber_condition_signal_later (later);
    s_start (&x, s_say);
    fiber_condition_signal (first);
    world_settle (&world);
    ck_assert_str_eq (world.text, "abx");
    fiber_condition_destroy (&first);
    fiber_condition_destroy (&later);
    ck_assert_ptr_null (later);
    fiber_condition_destroy (&later);
    world_deinit (&world);
}
END_TEST

START_TEST (a_wait_ends_at_its_deadline)
{
    world_t world;
    world_init (&world);
    fiber_condition_t *condition = fiber_condition_new ("c");
    s_part_t a = {.world = &world, .name = "a", .condition = condition, .deadline_ns = 3 * SECOND};
    s_start (&a, s_wait);
    world_exhaust (&world);
    ck_assert_int_eq (a.rc, DT_ERR_TIMEOUT);
    ck_assert_int_eq (fiber_backend_sim_now_ns (world.sim), 3 * SECOND);
    fiber_condition_signal (condition); // it is no waiter any more
    fiber_condition_destroy (&condition);
    world_deinit (&world);
}
END_TEST

START_TEST (a_signal_in_time_disarms_the_deadline)
{
    world_t world;
    world_init (&world);
    fiber_condition_t *condition = fiber_condition_new ("c");
    s_part_t a = {.world = &world, .name = "a", .condition = condition, .deadline_ns = 3 * SECOND};
    s_start (&a, s_wait);
    world_settle (&world);
    fiber_condition_signal (condition);
    world_settle (&world);
    ck_assert_int_eq (a.rc, 0);
    ck_assert_int_eq (fiber_dispatcher_next_deadline_ns (world.dispatcher), FIBER_FOREVER);
    fiber_condition_destroy (&condition);
    world_deinit (&world);
}
END_TEST

START_TEST (wait_any_ends_with_the_first_signal_and_leaves_all_others)
{
    world_t world;
    world_init (&world);
    fiber_condition_t *conditions[8];
    for (size_t i = 0; i < 8; i++) {
        conditions[i] = fiber_condition_new ("c");
    }
    for (size_t which = 0; which < 8; which++) {
        s_part_t a = {.world = &world, .name = "a", .conditions = conditions, .count = 8};
        s_part_t b = {.world = &world, .name = "b", .condition = conditions[(which + 1) % 8]};
        s_start (&a, s_wait_any);
        s_start (&b, s_wait);
        world_settle (&world);
        fiber_condition_signal (conditions[which]);
        world_settle (&world);
        ck_assert (a.done);
        ck_assert_int_eq (a.rc, 0);
        // Had it stayed in the other list, this signal would go to it and be lost.
        fiber_condition_signal (b.condition);
        world_settle (&world);
        ck_assert (b.done);
    }
    for (size_t i = 0; i < 8; i++) {
        fiber_condition_destroy (&conditions[i]);
    }
    world_deinit (&world);
}
END_TEST

START_TEST (wait_any_ends_at_its_deadline)
{
    world_t world;
    world_init (&world);
    fiber_condition_t *conditions[2] = {fiber_condition_new ("c"), fiber_condition_new ("d")};
    s_part_t a = {.world = &world, .name = "a", .conditions = conditions, .count = 2};
    a.deadline_ns = 4 * SECOND;
    s_start (&a, s_wait_any);
    world_exhaust (&world);
    ck_assert_int_eq (a.rc, DT_ERR_TIMEOUT);
    fiber_condition_destroy (&conditions[0]);
    fiber_condition_destroy (&conditions[1]);
    world_deinit (&world);
}
END_TEST

START_TEST (a_future_gives_result_and_value_to_all_who_await)
{
    world_t world;
    world_init (&world);
    fiber_future_t *future = fiber_future_new (world.group, "f");
    s_part_t a = {.world = &world, .name = "a", .future = future}, b = a, c = a;
    b.name = "b", c.name = "c";
    s_start (&a, s_await), s_start (&b, s_await);
    world_settle (&world);
    ck_assert (!fiber_future_done (future));
    ck_assert (fiber_future_complete (future, -5, &world));
    ck_assert (!fiber_future_complete (future, -6, NULL)); // ignored
    ck_assert (fiber_future_done (future));
    s_start (&c, s_await); // after the fact
    world_settle (&world);
    ck_assert_str_eq (world.text, "abc");
    s_part_t *all[] = {&a, &b, &c};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq (all[i]->rc, 0);
        ck_assert_int_eq (all[i]->result, -5);
        ck_assert_ptr_eq (all[i]->value, &world);
    }
    fiber_future_unref (&future);
    ck_assert_ptr_null (future);
    fiber_future_unref (&future);
    world_deinit (&world);
}
END_TEST

START_TEST (await_gives_up_at_its_deadline_and_sets_nothing)
{
    world_t world;
    world_init (&world);
    fiber_future_t *future = fiber_future_new (world.group, "f");
    s_part_t a = {.world = &world, .name = "a", .future = future, .deadline_ns = 2 * SECOND};
    a.result = 17;
    s_start (&a, s_await);
    world_exhaust (&world);
    ck_assert_int_eq (a.rc, DT_ERR_TIMEOUT);
    ck_assert_int_eq (a.result, 17);
    ck_assert (fiber_future_complete (future, 0, NULL));
    fiber_future_unref (&future);
    world_deinit (&world);
}
END_TEST

START_TEST (a_future_lives_until_its_last_reference)
{
    world_t world;
    world_init (&world);
    fiber_future_t *future = fiber_future_new (world.group, "f");
    fiber_future_t *completer = fiber_future_ref (future);
    s_part_t a = {.world = &world, .name = "a", .future = future};
    s_start (&a, s_await);
    world_settle (&world);
    fiber_future_unref (&future); // the waiter has its own
    ck_assert (fiber_future_complete (completer, 3, NULL));
    fiber_future_unref (&completer);
    world_settle (&world);
    ck_assert_int_eq (a.result, 3);
    world_deinit (&world);
}
END_TEST

START_TEST (a_channel_gives_items_in_order_and_refuses_over_capacity)
{
    world_t world;
    world_init (&world);
    fiber_channel_t *channel = fiber_channel_new ("ch", 20);
    int items[21];
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq (fiber_channel_offer (channel, &items[i]), 0);
    }
    ck_assert_int_eq (fiber_channel_offer (channel, &items[20]), DT_ERR_BUSY);
    ck_assert_uint_eq (fiber_channel_count (channel), 20);
    void *item;
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq (fiber_channel_try_take (channel, &item), 0);
        ck_assert_ptr_eq (item, &items[i]);
    }
    ck_assert_int_eq (fiber_channel_try_take (channel, &item), DT_ERR_AGAIN);
    fiber_channel_destroy (&channel);
    ck_assert_ptr_null (channel);
    fiber_channel_destroy (&channel);
    world_deinit (&world);
}
END_TEST

START_TEST (a_channel_without_capacity_takes_any_number)
{
    fiber_channel_t *channel = fiber_channel_new ("ch", 0);
    static char items[5000];
    void *item;
    for (size_t i = 0; i < 5000; i++) {
        ck_assert_int_eq (fiber_channel_offer (channel, &items[i]), 0);
        if (i % 3 == 0) { // so that the ring wraps
            ck_assert_int_eq (fiber_channel_try_take (channel, &item), 0);
            ck_assert_ptr_eq (item, &items[i / 3]);
        }
    }
    for (size_t i = 1667; i < 5000; i++) {
        ck_assert_int_eq (fiber_channel_try_take (channel, &item), 0);
        ck_assert_ptr_eq (item, &items[i]);
    }
    fiber_channel_destroy (&channel);
}
END_TEST

START_TEST (takers_wait_for_items_and_each_gets_one)
{
    world_t world;
    world_init (&world);
    fiber_channel_t *channel = fiber_channel_new ("ch", 4);
    s_part_t a = {.world = &world, .name = "a", .channel = channel}, b = a, c = a;
    b.name = "b", c.name = "c", c.deadline_ns = 2 * SECOND;
    s_start (&a, s_take), s_start (&b, s_take), s_start (&c, s_take);
    world_settle (&world);
    int one, two;
    ck_assert_int_eq (fiber_channel_offer (channel, &one), 0);
    ck_assert_int_eq (fiber_channel_offer (channel, &two), 0);
    world_exhaust (&world);
    ck_assert (a.done && b.done);
    ck_assert_ptr_ne (a.value, b.value);
    ck_assert_int_eq (c.rc, DT_ERR_TIMEOUT);
    fiber_channel_destroy (&channel);
    world_deinit (&world);
}
END_TEST

START_TEST (a_taker_that_lost_its_item_waits_on)
{
    world_t world;
    world_init (&world);
    fiber_channel_t *channel = fiber_channel_new ("ch", 4);
    s_part_t a = {.world = &world, .name = "a", .channel = channel};
    s_start (&a, s_take);
    world_settle (&world);
    int one;
    void *item;
    ck_assert_int_eq (fiber_channel_offer (channel, &one), 0); // wakes a
    ck_assert_int_eq (fiber_channel_try_take (channel, &item), 0);
    world_settle (&world);
    ck_assert (!a.done);
    ck_assert_int_eq (fiber_channel_offer (channel, &one), 0);
    world_settle (&world);
    ck_assert (a.done);
    fiber_channel_destroy (&channel);
    world_deinit (&world);
}
END_TEST

START_TEST (a_closed_channel_gives_what_is_in_and_then_its_end)
{
    world_t world;
    world_init (&world);
    fiber_channel_t *channel = fiber_channel_new ("ch", 4);
    int one;
    void *item;
    ck_assert_int_eq (fiber_channel_offer (channel, &one), 0);
    s_part_t a = {.world = &world, .name = "a", .channel = channel}, b = a;
    s_start (&a, s_take), s_start (&b, s_take);
    world_settle (&world);
    ck_assert_int_eq (a.rc, 0);
    ck_assert (!b.done);
    fiber_channel_close (channel);
    ck_assert_int_eq (fiber_channel_offer (channel, &one), DT_ERR_CLOSED);
    world_settle (&world);
    ck_assert_int_eq (b.rc, DT_ERR_CLOSED);
    ck_assert_int_eq (fiber_channel_try_take (channel, &item), DT_ERR_CLOSED);
    fiber_channel_destroy (&channel);
    world_deinit (&world);
}
END_TEST

START_TEST (join_ends_when_the_fiber_does)
{
    world_t world;
    world_init (&world);
    s_part_t sleeper = {.world = &world, .name = "s", .deadline_ns = 5 * SECOND};
    s_part_t a = {.world = &world, .name = "a"}, b = a, c = a;
    b.name = "b", c.name = "c", c.deadline_ns = 2 * SECOND;
    a.target = b.target = c.target = s_start (&sleeper, s_sleep);
    s_start (&a, s_join), s_start (&b, s_join), s_start (&c, s_join);
    world_exhaust (&world);
    ck_assert_str_eq (world.text, "csab");
    ck_assert_int_eq (a.rc, 0);
    ck_assert_int_eq (b.rc, 0);
    ck_assert_int_eq (c.rc, DT_ERR_TIMEOUT);
    world_deinit (&world);
}
END_TEST

START_TEST (a_held_fiber_can_be_joined_after_its_end)
{
    world_t world;
    world_init (&world);
    s_part_t ended = {.world = &world, .name = "e"}, a = {.world = &world, .name = "a"};
    fiber_t *fiber = s_start (&ended, s_say);
    fiber_hold (fiber);
    fiber_hold (fiber);
    fiber_t *again = fiber;
    world_settle (&world);
    ck_assert_uint_eq (fiber_dispatcher_fibers (world.dispatcher), 0);
    ck_assert_str_eq (fiber_name (fiber), "e");
    a.target = fiber;
    s_start (&a, s_join);
    world_settle (&world);
    ck_assert_str_eq (world.text, "ea");
    ck_assert_int_eq (a.rc, 0);
    fiber_release (&fiber);
    ck_assert_ptr_null (fiber);
    fiber_release (&again);
    fiber_release (&again);
    world_deinit (&world);
}
END_TEST

// Every kind of wait, to be ended from outside. b is what it waits on, made by the test.
typedef struct {
    fiber_fn *wait;
    const char *kind;
} s_kind_t;

static const s_kind_t s_kinds[] = {
    {s_wait, "condition c"},
    {s_wait_any, "any condition of c"},
    {s_await, "future f"},
    {s_take, "channel ch"},
    {s_join, "join target"},
    {s_sleep, "sleep"},
    {s_sleep_unless, "condition stop"},
};

#define KINDS (sizeof s_kinds / sizeof s_kinds[0])

typedef struct {
    world_t world;
    fiber_condition_t *conditions[2];
    fiber_future_t *future;
    fiber_channel_t *channel;
    s_part_t target; // joined
    s_part_t part;
} s_scene_t;

static void s_scene_init (s_scene_t *self, bool deadline)
{
    world_init (&self->world);
    self->conditions[0] = fiber_condition_new ("c");
    self->conditions[1] = fiber_condition_new ("d");
    self->future = fiber_future_new (self->world.group, "f");
    self->channel = fiber_channel_new ("ch", 1);
    self->target =
        (s_part_t){.world = &self->world, .name = "target", .condition = self->conditions[1]};
    self->part = (s_part_t){.world = &self->world,
                            .name = "a",
                            .condition = self->conditions[0],
                            .conditions = self->conditions,
                            .count = 2,
                            .future = self->future,
                            .channel = self->channel,
                            .target = s_start (&self->target, s_wait),
                            .deadline_ns = deadline ? 7 * SECOND : FIBER_FOREVER};
}

static void s_scene_deinit (s_scene_t *self)
{
    fiber_condition_signal_all (self->conditions[1]);
    world_exhaust (&self->world);
    fiber_condition_destroy (&self->conditions[0]);
    fiber_condition_destroy (&self->conditions[1]);
    fiber_future_unref (&self->future);
    fiber_channel_destroy (&self->channel);
    world_deinit (&self->world);
}

START_TEST (interrupt_ends_every_kind_of_wait)
{
    s_scene_t scene;
    s_scene_init (&scene, _i % 2);
    fiber_t *fiber = s_start (&scene.part, s_kinds[_i / 2].wait);
    world_settle (&scene.world);
    ck_assert (!scene.part.done);
    fiber_interrupt (fiber);
    world_settle (&scene.world);
    ck_assert_int_eq (scene.part.rc, DT_ERR_INTERRUPTED);
    ck_assert_int_eq (fiber_dispatcher_next_deadline_ns (scene.world.dispatcher), FIBER_FOREVER);
    s_scene_deinit (&scene);
}
END_TEST

START_TEST (cancel_ends_every_kind_of_wait)
{
    s_scene_t scene;
    s_scene_init (&scene, _i % 2);
    fiber_t *fiber = s_start (&scene.part, s_kinds[_i / 2].wait);
    world_settle (&scene.world);
    fiber_cancel (fiber);
    ck_assert (fiber_cancelled (fiber));
    world_settle (&scene.world);
    ck_assert_int_eq (scene.part.rc, DT_ERR_CANCELLED);
    ck_assert_int_eq (fiber_dispatcher_next_deadline_ns (scene.world.dispatcher), FIBER_FOREVER);
    s_scene_deinit (&scene);
}
END_TEST

START_TEST (a_fiber_cancelled_before_it_ran_runs_and_cannot_wait)
{
    s_scene_t scene;
    s_scene_init (&scene, _i % 2);
    fiber_cancel (s_start (&scene.part, s_kinds[_i / 2].wait));
    world_settle (&scene.world);
    ck_assert_int_eq (scene.part.rc, DT_ERR_CANCELLED);
    s_scene_deinit (&scene);
}
END_TEST

START_TEST (an_interrupt_before_the_wait_ends_it_at_once)
{
    s_scene_t scene;
    s_scene_init (&scene, _i % 2);
    fiber_interrupt (s_start (&scene.part, s_kinds[_i / 2].wait));
    world_settle (&scene.world);
    ck_assert_int_eq (scene.part.rc, DT_ERR_INTERRUPTED);
    s_scene_deinit (&scene);
}
END_TEST

START_TEST (census_names_what_every_kind_of_wait_waits_for)
{
    s_scene_t scene;
    s_scene_init (&scene, _i % 2);
    fiber_t *fiber = s_start (&scene.part, s_kinds[_i / 2].wait);
    world_settle (&scene.world);
    dt_buffer_t out = {0};
    fiber_dispatcher_census (scene.world.dispatcher, &out);
    dt_buffer_append (&out, "", 1);
    char line[100];
    snprintf (line, sizeof line, "group/a waiting on %s since 0 us%s\n", s_kinds[_i / 2].kind,
              _i % 2 ? " due in 6000000 us" : "");
    ck_assert_ptr_nonnull (strstr ((char *) out.data, line));
    dt_buffer_deinit (&out);
    fiber_cancel (fiber);
    s_scene_deinit (&scene);
}
END_TEST

static void s_interrupted_twice (void *argument)
{
    s_part_t *self = argument;
    ck_assert_int_eq (fiber_sleep_until (FIBER_FOREVER), DT_ERR_INTERRUPTED);
    ck_assert_int_eq (fiber_sleep_until (2 * SECOND), 0); // only once
    world_say (self->world, "slept");
}

START_TEST (an_interrupted_fiber_goes_on)
{
    world_t world;
    world_init (&world);
    s_part_t a = {.world = &world, .name = "a"};
    fiber_t *fiber = s_start (&a, s_interrupted_twice);
    world_settle (&world);
    fiber_interrupt (fiber);
    world_exhaust (&world);
    ck_assert_str_eq (world.text, "slept");
    world_deinit (&world);
}
END_TEST

static void s_say_argument (void *argument)
{
    static world_t *s_world;
    if (!argument) {
        return;
    }
    if (((char *) argument)[0] == '\0') {
        s_world = (world_t *) ((char *) argument - offsetof (world_t, text));
        return;
    }
    world_say (s_world, argument);
}

static void s_clean (void *argument)
{
    s_part_t *self = argument;
    s_say_argument (self->world->text); // tells it the world
    fiber_cleanup_push (s_say_argument, "1");
    fiber_cleanup_push (s_say_argument, "2");
    fiber_cleanup_push (s_say_argument, "x");
    fiber_cleanup_push (s_say_argument, "y");
    fiber_cleanup_pop (false);
    fiber_cleanup_pop (true);
    for (int i = 0; i < 3; i++) {
        fiber_cleanup_push (s_say_argument, "3");
    }
    self->rc = fiber_sleep_until (FIBER_FOREVER);
    ck_assert_int_eq (fiber_sleep_until (FIBER_FOREVER), DT_ERR_CANCELLED); // for ever after
    fiber_yield ();                                                         // always succeeds
    world_say (self->world, "e");
}

START_TEST (cleanups_run_newest_first_when_the_fiber_ends)
{
    world_t world;
    world_init (&world);
    s_part_t a = {.world = &world, .name = "a"};
    fiber_t *fiber = s_start (&a, s_clean);
    world_settle (&world);
    ck_assert_str_eq (world.text, "x");
    fiber_cancel (fiber);
    world_settle (&world);
    ck_assert_int_eq (a.rc, DT_ERR_CANCELLED);
    ck_assert_str_eq (world.text, "xe33321");
    world_deinit (&world);
}
END_TEST

static void s_sleep_forever (void *argument)
{
    (void) argument;
    fiber_sleep_until (FIBER_FOREVER);
}

static void s_wait_in_cleanup (void *argument)
{
    (void) argument;
    fiber_cleanup_push (s_sleep_forever, NULL);
}

START_TEST (a_wait_in_a_cleanup_asserts)
{
    world_t world;
    world_init (&world);
    fiber_start (world.group, "a", s_wait_in_cleanup, NULL, NULL);
    world_settle (&world);
}
END_TEST

static void s_yield_in_section (void *argument)
{
    bool inside = *(bool *) argument;
    fiber_no_yield_begin ();
    fiber_no_yield_begin ();
    fiber_no_yield_end ();
    if (!inside) {
        fiber_no_yield_end ();
    }
    fiber_yield ();
}

START_TEST (a_yield_in_a_no_yield_section_asserts)
{
    world_t world;
    world_init (&world);
    bool inside = true;
    fiber_start (world.group, "a", s_yield_in_section, &inside, NULL);
    world_settle (&world);
}
END_TEST

START_TEST (a_yield_after_a_no_yield_section_is_fine)
{
    world_t world;
    world_init (&world);
    bool inside = false;
    fiber_start (world.group, "a", s_yield_in_section, &inside, NULL);
    world_settle (&world);
    world_deinit (&world);
}
END_TEST

int main (void)
{
    TCase *tests = tcase_create ("wait");
    tcase_add_test (tests, signal_wakes_the_longest_waiter_only);
    tcase_add_test (tests, signal_all_wakes_in_order_at_the_head);
    tcase_add_test (tests, signal_goes_before_what_is_ready_and_signal_later_behind);
    tcase_add_test (tests, a_wait_ends_at_its_deadline);
    tcase_add_test (tests, a_signal_in_time_disarms_the_deadline);
    tcase_add_test (tests, wait_any_ends_with_the_first_signal_and_leaves_all_others);
    tcase_add_test (tests, wait_any_ends_at_its_deadline);
    tcase_add_test (tests, a_future_gives_result_and_value_to_all_who_await);
    tcase_add_test (tests, await_gives_up_at_its_deadline_and_sets_nothing);
    tcase_add_test (tests, a_future_lives_until_its_last_reference);
    tcase_add_test (tests, a_channel_gives_items_in_order_and_refuses_over_capacity);
    tcase_add_test (tests, a_channel_without_capacity_takes_any_number);
    tcase_add_test (tests, takers_wait_for_items_and_each_gets_one);
    tcase_add_test (tests, a_taker_that_lost_its_item_waits_on);
    tcase_add_test (tests, a_closed_channel_gives_what_is_in_and_then_its_end);
    tcase_add_test (tests, join_ends_when_the_fiber_does);
    tcase_add_test (tests, a_held_fiber_can_be_joined_after_its_end);
    tcase_add_loop_test (tests, interrupt_ends_every_kind_of_wait, 0, KINDS * 2);
    tcase_add_loop_test (tests, cancel_ends_every_kind_of_wait, 0, KINDS * 2);
    tcase_add_loop_test (tests, a_fiber_cancelled_before_it_ran_runs_and_cannot_wait, 0, KINDS * 2);
    tcase_add_loop_test (tests, an_interrupt_before_the_wait_ends_it_at_once, 0, KINDS * 2);
    tcase_add_loop_test (tests, census_names_what_every_kind_of_wait_waits_for, 0, KINDS * 2);
    tcase_add_test (tests, an_interrupted_fiber_goes_on);
    tcase_add_test (tests, cleanups_run_newest_first_when_the_fiber_ends);
    tcase_add_test_raise_signal (tests, a_wait_in_a_cleanup_asserts, SIGABRT);
    tcase_add_test_raise_signal (tests, a_yield_in_a_no_yield_section_asserts, SIGABRT);
    tcase_add_test (tests, a_yield_after_a_no_yield_section_is_fine);
    return suite_run ("fiber_wait", tests);
}
