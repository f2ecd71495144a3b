// Stacks: the pool, guards, canaries, high-water marks, overflow reports.

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/fiber/fiber_internal.h"
#include "tests/actors/test_fiber_support.h"

START_TEST (stacks_are_writable_disjoint_and_reused)
{
    fiber_stacks_t *stacks = fiber_stacks_new (50, false);
    fiber_stack_t *all[200];
    for (size_t i = 0; i < 200; i++) {
        all[i] = fiber_stacks_acquire (stacks, 20000);
        ck_assert_ptr_nonnull (all[i]);
        ck_assert_uint_ge (all[i]->bytes, 20000);
        memset (all[i]->low, (int) i, all[i]->bytes);
    }
    for (size_t i = 0; i < 200; i++) {
        ck_assert_uint_eq (all[i]->low[0], i);
        ck_assert_uint_eq (all[i]->low[all[i]->bytes - 1], i);
    }
    fiber_stack_t *last = all[199];
    for (size_t i = 0; i < 200; i++) {
        fiber_stacks_release (stacks, all[i]);
    }
    // Those over the number kept gave their memory back: it reads as zeroes.
    ck_assert_uint_eq (last->low[0], 0);
    ck_assert_ptr_eq (fiber_stacks_acquire (stacks, 20000), all[49]); // warm ones first
    fiber_stacks_release (stacks, all[49]);
    fiber_stacks_destroy (&stacks);
    ck_assert_ptr_null (stacks);
    fiber_stacks_destroy (&stacks);
}
END_TEST

START_TEST (stacks_come_in_all_sizes)
{
    fiber_stacks_t *stacks = fiber_stacks_new (4, false);
    for (size_t bytes = 1; bytes < FIBER_STACK_BYTES_MAX - 4096; bytes = bytes * 3 + 100) {
        fiber_stack_t *stack = fiber_stacks_acquire (stacks, bytes);
        ck_assert_ptr_nonnull (stack);
        ck_assert_uint_ge (stack->bytes + 2048, bytes);
        stack->low[0] = stack->low[stack->bytes - 1] = 1;
        fiber_stacks_release (stacks, stack);
    }
    fiber_stacks_destroy (&stacks);
}
END_TEST

START_TEST (without_guards_left_stacks_have_canaries)
{
    size_t before = fiber_stacks_limit_guards (100);
    ck_assert_uint_ge (before, 1000);
    fiber_stacks_t *stacks = fiber_stacks_new (0, false);
    fiber_stack_t *all[300];
    for (size_t i = 0; i < 300; i++) {
        all[i] = fiber_stacks_acquire (stacks, 65536);
        ck_assert_int_eq (all[i]->guarded, i < 64); // one slab
        ck_assert (fiber_stack_guards (all[i], all[i]->low - 1) == all[i]->guarded);
        ck_assert (!fiber_stack_guards (all[i], all[i]->low));
        memset (all[i]->low, 1, all[i]->bytes);
    }
    for (size_t i = 65; i < 300; i++) {
        ck_assert (fiber_stack_canary_intact (all[i]));
    }
    // Giving one's memory back leaves the canary of the next.
    fiber_stacks_release (stacks, all[100]);
    ck_assert (fiber_stack_canary_intact (all[101]));
    all[101]->low[-8] = 0;
    ck_assert (!fiber_stack_canary_intact (all[101]));
    ck_assert_ptr_eq (fiber_stacks_acquire (stacks, 65536), all[100]);
    for (size_t i = 0; i < 300; i++) {
        fiber_stacks_release (stacks, all[i]);
    }
    fiber_stacks_destroy (&stacks);
    ck_assert_uint_eq (fiber_stacks_limit_guards (before), 100); // given back
}
END_TEST

static void s_touch (void *argument)
{
    size_t bytes = *(size_t *) argument;
    char memory[40000];
    memset (memory + sizeof memory - bytes, 1, bytes);
    __asm__ volatile("" : : "r"(memory) : "memory");
    fiber_sleep_until (FIBER_FOREVER);
}

START_TEST (census_shows_the_high_water_mark_of_painted_stacks)
{
    log_t log;
    log_init (&log);
    fiber_backend_sim_t *sim = fiber_backend_sim_new (1, false);
    fiber_dispatcher_t *dispatcher =
        fiber_dispatcher_new (&(fiber_dispatcher_options_t){.name = "test",
                                                            .backend = fiber_backend_sim_base (sim),
                                                            .env = &log.env,
                                                            .paint_stacks = true});
    fiber_group_t *group = fiber_group_new (dispatcher, "group");
    size_t deep = 38000;
    fiber_t *fiber = fiber_start (group, "deep", s_touch, &deep, NULL);
    fiber_dispatcher_turn (dispatcher, INT64_MIN);
    dt_buffer_t out = {0};
    fiber_dispatcher_census (dispatcher, &out);
    dt_buffer_append (&out, "", 1);
    size_t used, size;
    char *place = strstr ((char *) out.data, " stack ");
    ck_assert_ptr_nonnull (place);
    ck_assert_int_eq (sscanf (place, " stack %zu of %zu", &used, &size), 2);
    ck_assert_uint_ge (size, 60000);
#if !FIBER_ASAN
    ck_assert_uint_ge (used, 38000); // ASan keeps such arrays elsewhere
#endif
    ck_assert_uint_le (used, size);
    dt_buffer_deinit (&out);
    fiber_cancel (fiber);
    fiber_dispatcher_request_stop (dispatcher);
    fiber_dispatcher_run (dispatcher);
    ck_assert_uint_ge (fiber_dispatcher_stack_peak_bytes (dispatcher), used);
    fiber_dispatcher_destroy (&dispatcher);
    fiber_backend_sim_destroy (&sim);
}
END_TEST

// Overflows, in a child whose last words are read.

static int s_recurse (int depth)
{
    char frame[1000];
    memset (frame, depth, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
    return depth < 0 ? frame[7] : s_recurse (depth + 1) + frame[5];
}

static void s_overflow (void *argument)
{
    (void) argument;
    s_recurse (0);
}

// Writes over its end by little, as a fiber does that is not yet deep into its neighbour.
static void s_overflow_little (void *argument)
{
    (void) argument;
    memset (fiber_self ()->stack->low - 32, 0, 32);
    fiber_yield ();
}

static void s_idle (void *argument)
{
    (void) argument;
    fiber_sleep_until (FIBER_FOREVER);
}

static void s_child (fiber_fn *fn, size_t guards)
{
    fiber_stacks_limit_guards (guards);
    world_t world;
    world_init (&world);
    fiber_options_t options = {.stack_bytes = 16384};
    fiber_start (world.group, "innocent", s_idle, NULL, &options);
    fiber_start (world.group, "the deep one", fn, NULL, &options);
    world_settle (&world);
    _exit (0);
}

static void s_last_words (fiber_fn *fn, size_t guards, char *words, size_t bytes, int *status)
{
    int fds[2];
    ck_assert_int_eq (pipe (fds), 0);
    fflush (NULL);
    pid_t child = fork ();
    if (child == 0) {
        dup2 (fds[1], STDERR_FILENO);
        close (fds[0]);
        s_child (fn, guards);
    }
    close (fds[1]);
    size_t have = 0;
    ssize_t got;
    while ((got = read (fds[0], words + have, bytes - 1 - have)) > 0) {
        have += (size_t) got;
    }
    words[have] = 0;
    close (fds[0]);
    ck_assert_int_eq (waitpid (child, status, 0), child);
}

#define REPORT "fiber stack overflow: fiber \"the deep one\" of group \"group\" ran "

START_TEST (an_overflow_into_the_guard_names_the_fiber)
{
    static char words[65536];
    int status;
    s_last_words (s_overflow, 1000, words, sizeof words, &status);
    ck_assert_msg (strstr (words, REPORT "into the guard"), "said: %.500s", words);
#if !FIBER_ASAN && !FIBER_TSAN // which report it once more and exit
    ck_assert (WIFSIGNALED (status));
    ck_assert_int_eq (WTERMSIG (status), SIGSEGV);
#endif
}
END_TEST

START_TEST (an_overflow_of_an_unguarded_stack_names_the_fiber)
{
    static char words[65536];
    int status;
    s_last_words (s_overflow_little, 0, words, sizeof words, &status);
    ck_assert_msg (strstr (words, REPORT "over the end"), "said: %.500s", words);
    ck_assert (WIFSIGNALED (status) || WEXITSTATUS (status) != 0);
}
END_TEST

START_TEST (more_fibers_can_sleep_than_there_are_guards)
{
    fiber_stacks_limit_guards (100);
    world_t world;
    world_init (&world);
    size_t count = FIBER_TSAN ? 600 : 3000; // TSan supports few
    fiber_options_t options = {.daemon = true, .stack_bytes = 16384};
    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_nonnull (fiber_start (world.group, "sleeper", s_idle, NULL, &options));
    }
    world_settle (&world);
    ck_assert_uint_eq (fiber_dispatcher_fibers (world.dispatcher), count);
    world_deinit (&world); // cancels them
}
END_TEST

int main (void)
{
    TCase *tests = tcase_create ("stack");
    tcase_add_test (tests, stacks_are_writable_disjoint_and_reused);
    tcase_add_test (tests, stacks_come_in_all_sizes);
    tcase_add_test (tests, without_guards_left_stacks_have_canaries);
    tcase_add_test (tests, census_shows_the_high_water_mark_of_painted_stacks);
    tcase_add_test (tests, an_overflow_into_the_guard_names_the_fiber);
    tcase_add_test (tests, an_overflow_of_an_unguarded_stack_names_the_fiber);
    tcase_add_test (tests, more_fibers_can_sleep_than_there_are_guards);
    return suite_run ("fiber_stack", tests);
}
