// Groups and dispatchers: stop, daemons, finish, failure, posts and their races.

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "actors/fiber/fiber_future.h"
#include "base/dt_error.h"
#include "tests/actors/test_fiber_support.h"

static void s_until_stop (void *argument)
{
    ck_assert_int_eq (fiber_sleep_unless_stopping (FIBER_FOREVER), DT_ERR_CLOSED);
    ck_assert (fiber_group_stopping (fiber_group_of (fiber_self ())));
    world_say (argument, "s");
}

static void s_say_cleaned (void *argument)
{
    world_say (argument, "c");
}

static void s_daemon (void *argument)
{
    fiber_cleanup_push (s_say_cleaned, argument);
    ck_assert_int_eq (fiber_sleep_until (FIBER_FOREVER), DT_ERR_CANCELLED);
    world_say (argument, "d");
}

static void s_short (void *argument)
{
    world_say (argument, "n");
}

static const fiber_options_t s_daemonic = {.daemon = true};

START_TEST (a_group_without_fibers_runs_until_its_stop_request)
{
    world_t world;
    world_init (&world);
    world_settle (&world);
    ck_assert (!fiber_group_stopping (world.group));
    ck_assert (!fiber_group_finished (world.group));
    ck_assert_str_eq (fiber_group_name (world.group), "group");
    ck_assert_ptr_eq (fiber_group_dispatcher (world.group), world.dispatcher);
    fiber_group_request_stop (world.group);
    fiber_group_request_stop (world.group); // idempotent
    ck_assert (fiber_group_stopping (world.group));
    ck_assert (!fiber_dispatcher_turn (world.dispatcher, INT64_MIN));
    ck_assert (fiber_group_finished (world.group));
    world_deinit (&world);
}
END_TEST

START_TEST (a_stop_request_kills_nobody)
{
    world_t world;
    world_init (&world);
    fiber_start (world.group, "a", s_until_stop, &world, NULL);
    fiber_start (world.group, "b", s_until_stop, &world, NULL);
    world_settle (&world);
    fiber_group_request_stop (world.group);
    ck_assert_str_eq (world.text, "");
    world_settle (&world);
    ck_assert_str_eq (world.text, "ss");
    ck_assert (fiber_group_finished (world.group));
    world_deinit (&world);
}
END_TEST

START_TEST (daemons_are_cancelled_after_the_last_other_fiber)
{
    world_t world;
    world_init (&world);
    fiber_start (world.group, "d", s_daemon, &world, &s_daemonic);
    fiber_start (world.group, "n", s_short, &world, NULL);
    world_settle (&world);
    ck_assert_str_eq (world.text, "n"); // a running group keeps its daemons
    ck_assert_uint_eq (fiber_dispatcher_fibers (world.dispatcher), 1);
    fiber_start (world.group, "s", s_until_stop, &world, NULL);
    world_settle (&world);
    fiber_group_request_stop (world.group);
    world_settle (&world);
    ck_assert_str_eq (world.text, "nsdc");
    ck_assert (fiber_group_finished (world.group));
    world_deinit (&world);
}
END_TEST

START_TEST (a_finished_group_refuses_fibers_and_posts)
{
    world_t world;
    world_init (&world);
    fiber_group_request_stop (world.group);
    world_settle (&world);
    ck_assert_ptr_null (fiber_start (world.group, "n", s_short, &world, NULL));
    ck_assert_int_eq (fiber_group_post (world.group, s_short, &world), DT_ERR_CLOSED);
    fiber_future_t *future = fiber_future_new (world.group, "f");
    ck_assert_int_eq (fiber_future_post_complete (future, 0, NULL), DT_ERR_CLOSED);
    world_settle (&world);
    ck_assert (!fiber_future_done (future));
    fiber_future_unref (&future);
    ck_assert_str_eq (world.text, "");
    world_deinit (&world);
}
END_TEST

START_TEST (a_stopping_group_still_starts_fibers)
{
    world_t world;
    world_init (&world);
    fiber_start (world.group, "s", s_until_stop, &world, NULL);
    fiber_group_request_stop (world.group);
    ck_assert_ptr_nonnull (fiber_start (world.group, "n", s_short, &world, NULL));
    world_settle (&world);
    ck_assert (fiber_group_finished (world.group));
    ck_assert_ptr_nonnull (strchr (world.text, 'n'));
    world_deinit (&world);
}
END_TEST

static void s_wait_stop_condition (void *argument)
{
    ck_assert_int_eq (
        fiber_condition_wait (fiber_group_stop_condition (fiber_group_of (fiber_self ())),
                              FIBER_FOREVER),
        0);
    world_say (argument, "w");
}

START_TEST (a_dispatchers_stop_reaches_all_groups_at_once_and_later_ones)
{
    world_t world;
    world_init (&world);
    fiber_group_t *other = fiber_group_new (world.dispatcher, "other");
    fiber_start (world.group, "a", s_wait_stop_condition, &world, NULL);
    fiber_start (other, "b", s_wait_stop_condition, &world, NULL);
    world_settle (&world);
    fiber_dispatcher_request_stop (world.dispatcher);
    ck_assert (fiber_group_stopping (world.group));
    ck_assert (fiber_group_stopping (other));
    fiber_group_t *late = fiber_group_new (world.dispatcher, "late");
    ck_assert (fiber_group_stopping (late));
    ck_assert_int_eq (fiber_dispatcher_run (world.dispatcher), 0);
    ck_assert_str_eq (world.text, "ww");
    ck_assert (fiber_group_finished (late));
    world_deinit (&world);
}
END_TEST

static void s_make_group (void *argument)
{
    world_t *world = argument;
    fiber_group_t *made = fiber_group_new (world->dispatcher, "made");
    fiber_start (made, "n", s_short, world, NULL);
    fiber_start (made, "s", s_until_stop, world, NULL);
    fiber_sleep_until (fiber_now_ns () + SECOND);
    fiber_group_request_stop (made);
    while (!fiber_group_finished (made)) {
        fiber_sleep_until (fiber_now_ns () + MILLISECOND);
    }
    world_say (world, "f");
}

START_TEST (groups_may_be_made_and_end_while_the_dispatcher_runs)
{
    world_t world;
    world_init (&world);
    fiber_start (world.group, "maker", s_make_group, &world, NULL);
    world_exhaust (&world);
    ck_assert_str_eq (world.text, "nsf");
    ck_assert (!fiber_group_finished (world.group));
    world_deinit (&world);
}
END_TEST

static void s_fail (void *argument)
{
    (void) argument;
    fiber_fatal (DT_ERR_DISK_FAILED, "the log cannot be written");
}

static void s_fail_in (bool essential, int expected)
{
    log_t log;
    log_init (&log);
    fiber_backend_sim_t *sim = fiber_backend_sim_new (1, false);
    fiber_dispatcher_t *dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "host", .backend = fiber_backend_sim_base (sim), .env = &log.env});
    fiber_group_t *failing = fiber_group_new (dispatcher, "storage");
    fiber_group_t *other = fiber_group_new (dispatcher, "other");
    fiber_group_set_essential (failing, essential);
    fiber_start (failing, "writer", s_fail, NULL, NULL);
    while (fiber_dispatcher_ready (dispatcher)) {
        fiber_dispatcher_turn (dispatcher, INT64_MIN);
    }
    ck_assert (fiber_group_finished (failing));
    ck_assert_int_eq (fiber_group_finished (other), essential);
    ck_assert_uint_eq (log.lines, 1);
    ck_assert_ptr_nonnull (strstr (log.last, "host/storage/writer: the log cannot be written"));
    ck_assert_ptr_nonnull (strstr (log.last, "DISK_FAILED"));
    fiber_dispatcher_request_stop (dispatcher);
    ck_assert_int_eq (fiber_dispatcher_run (dispatcher), expected);
    ck_assert_int_eq (fiber_dispatcher_failure (dispatcher), expected);
    fiber_dispatcher_destroy (&dispatcher);
    fiber_backend_sim_destroy (&sim);
}

START_TEST (a_fatal_error_of_an_essential_group_is_what_run_returns)
{
    s_fail_in (true, DT_ERR_DISK_FAILED);
}
END_TEST

START_TEST (a_fatal_error_of_another_group_stops_only_that_group)
{
    s_fail_in (false, 0);
}
END_TEST

static void s_post_order (void *argument)
{
    ck_assert_ptr_null (fiber_self ());
    world_say (argument, "p");
}

START_TEST (posts_run_in_order_on_the_dispatchers_thread)
{
    world_t world;
    world_init (&world);
    ck_assert_int_eq (fiber_group_post (world.group, s_post_order, &world), 0);
    ck_assert_int_eq (fiber_group_post (world.group, s_short, &world), 0);
    ck_assert_int_eq (fiber_group_post (world.group, s_post_order, &world), 0);
    ck_assert (fiber_dispatcher_ready (world.dispatcher));
    ck_assert_str_eq (world.text, "");
    world_settle (&world);
    ck_assert_str_eq (world.text, "pnp");
    world_deinit (&world);
}
END_TEST

START_TEST (posts_made_before_a_stop_request_run_before_the_group_finishes)
{
    world_t world;
    world_init (&world);
    fiber_group_post (world.group, s_short, &world);
    fiber_group_request_stop (world.group);
    fiber_group_post (world.group, s_post_order, &world);
    ck_assert (!fiber_dispatcher_turn (world.dispatcher, INT64_MIN));
    ck_assert_str_eq (world.text, "np");
    world_deinit (&world);
}
END_TEST

static void s_post_again (void *argument)
{
    world_t *world = argument;
    world->text_bytes++;
    fiber_group_post (world->group, s_post_again, world);
}

START_TEST (a_stream_of_posts_cannot_keep_a_group_alive)
{
    world_t world;
    world_init (&world);
    fiber_group_post (world.group, s_post_again, &world);
    fiber_group_request_stop (world.group);
    for (int i = 0; i < 200; i++) {
        fiber_dispatcher_turn (world.dispatcher, INT64_MIN);
    }
    ck_assert (fiber_group_finished (world.group));
    ck_assert_uint_gt (world.text_bytes, 10);
    world_deinit (&world);
}
END_TEST

#define POSTERS 4

// One thread that posts until it is refused.
typedef struct {
    fiber_group_t *group;
    atomic_long *ran;
    long accepted;
    pthread_t thread;
    atomic_int *started;
} s_poster_t;

static void s_count_run (void *argument)
{
    atomic_fetch_add ((atomic_long *) argument, 1);
}

static void *s_post_until_refused (void *argument)
{
    s_poster_t *self = argument;
    atomic_fetch_add (self->started, 1);
    while (fiber_group_post (self->group, s_count_run, self->ran) == 0) {
        self->accepted++;
    }
    for (int i = 0; i < 10; i++) { // refused stays refused
        ck_assert_int_eq (fiber_group_post (self->group, s_count_run, self->ran), DT_ERR_CLOSED);
    }
    return NULL;
}

static void *s_run_dispatcher (void *argument)
{
    ck_assert_int_eq (fiber_dispatcher_run (argument), 0);
    return NULL;
}

START_TEST (every_accepted_post_runs_and_no_refused_one)
{
    for (int repeat = 0; repeat < 20; repeat++) {
        world_t world;
        world_init (&world);
        atomic_long ran = 0;
        atomic_int started = 0;
        pthread_t dispatcher;
        s_poster_t posters[POSTERS];
        pthread_create (&dispatcher, NULL, s_run_dispatcher, world.dispatcher);
        for (int i = 0; i < POSTERS; i++) {
            posters[i] = (s_poster_t){.group = world.group, .ran = &ran, .started = &started};
            pthread_create (&posters[i].thread, NULL, s_post_until_refused, &posters[i]);
        }
        while (atomic_load (&started) < POSTERS) {
        }
        if (repeat % 2) {
            fiber_group_request_stop (world.group);
        }
        fiber_dispatcher_request_stop (world.dispatcher);
        long accepted = 0;
        for (int i = 0; i < POSTERS; i++) {
            pthread_join (posters[i].thread, NULL);
            accepted += posters[i].accepted;
        }
        pthread_join (dispatcher, NULL);
        ck_assert_int_eq (atomic_load (&ran), accepted);
        ck_assert (fiber_group_finished (world.group));
        fiber_dispatcher_destroy (&world.dispatcher);
        fiber_backend_sim_destroy (&world.sim);
    }
}
END_TEST

static void *s_complete_later (void *argument)
{
    fiber_future_t *future = argument;
    ck_assert_int_eq (fiber_future_post_complete (future, -9, future), 0);
    fiber_future_unref (&future);
    return NULL;
}

static void s_await_thread (void *argument)
{
    world_t *world = argument;
    for (int i = 0; i < 20; i++) {
        fiber_future_t *future = fiber_future_new (world->group, "from a thread");
        pthread_t thread;
        pthread_create (&thread, NULL, s_complete_later, fiber_future_ref (future));
        int result = 0;
        void *value = NULL;
        ck_assert_int_eq (fiber_future_await (future, FIBER_FOREVER, &result, &value), 0);
        ck_assert_int_eq (result, -9);
        ck_assert_ptr_eq (value, future);
        pthread_join (thread, NULL);
        fiber_future_unref (&future);
    }
    world_say (world, "all");
    fiber_dispatcher_request_stop (world->dispatcher);
}

START_TEST (a_future_may_be_completed_by_another_thread)
{
    world_t world;
    world_init (&world);
    fiber_start (world.group, "awaiter", s_await_thread, &world, NULL);
    world_deinit (&world);
    ck_assert_str_eq (world.text, "all");
}
END_TEST

START_TEST (census_has_a_line_for_every_live_fiber)
{
    world_t world;
    world_init (&world);
    fiber_group_t *other = fiber_group_new (world.dispatcher, "other");
    fiber_start (world.group, "waiting", s_until_stop, &world, NULL);
    fiber_start (other, "demon", s_daemon, &world, &s_daemonic);
    world_settle (&world);
    fiber_t *fresh = fiber_start (other, "fresh", s_short, &world, NULL);
    fiber_cancel (fresh);
    dt_buffer_t out = {0};
    fiber_dispatcher_census (world.dispatcher, &out);
    dt_buffer_append (&out, "", 1);
    ck_assert_str_eq ((char *) out.data, "other/fresh ready cancelled\n"
                                         "other/demon waiting daemon on sleep since 0 us\n"
                                         "group/waiting waiting on condition stop since 0 us\n");
    dt_buffer_deinit (&out);
    world_deinit (&world);
}
END_TEST

int main (void)
{
    TCase *tests = tcase_create ("group");
    tcase_add_test (tests, a_group_without_fibers_runs_until_its_stop_request);
    tcase_add_test (tests, a_stop_request_kills_nobody);
    tcase_add_test (tests, daemons_are_cancelled_after_the_last_other_fiber);
    tcase_add_test (tests, a_finished_group_refuses_fibers_and_posts);
    tcase_add_test (tests, a_stopping_group_still_starts_fibers);
    tcase_add_test (tests, a_dispatchers_stop_reaches_all_groups_at_once_and_later_ones);
    tcase_add_test (tests, groups_may_be_made_and_end_while_the_dispatcher_runs);
    tcase_add_test (tests, a_fatal_error_of_an_essential_group_is_what_run_returns);
    tcase_add_test (tests, a_fatal_error_of_another_group_stops_only_that_group);
    tcase_add_test (tests, posts_run_in_order_on_the_dispatchers_thread);
    tcase_add_test (tests, posts_made_before_a_stop_request_run_before_the_group_finishes);
    tcase_add_test (tests, a_stream_of_posts_cannot_keep_a_group_alive);
    tcase_add_test (tests, every_accepted_post_runs_and_no_refused_one);
    tcase_add_test (tests, a_future_may_be_completed_by_another_thread);
    tcase_add_test (tests, census_has_a_line_for_every_live_fiber);
    return suite_run ("fiber_group", tests);
}
