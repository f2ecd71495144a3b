// fiber_bench - what the fiber runtime costs: switches, starts, sleepers, posts, disk and sleeps.
//
//   fiber_bench [--json] [--scale PERCENT] [--only NAME]
//
// Counts are for --scale 100; figures are the best of three runs.

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "actors/fiber/fiber_backend_real.h"
#include "actors/fiber/fiber_channel.h"
#include "actors/fiber/fiber_condition.h"
#include "actors/fiber/fiber_dispatcher.h"
#include "actors/fiber/fiber_future.h"
#include "base/dt_assert.h"
#include "base/dt_env_posix.h"

#define RUNS 3

typedef struct {
    fiber_backend_real_t *backend;
    fiber_dispatcher_t *dispatcher;
    fiber_group_t *group;
    long count;    // of operations to do
    long done;     // by all
    double result; // in the unit of the bench
} bench_t;

typedef struct {
    const char *name;
    const char *unit;
    bool more_is_better;
    long count;
    void (*run) (bench_t *self);
} bench_kind_t;

static const dt_env_t *s_env;

static int64_t s_now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void s_open (bench_t *self)
{
    self->backend = fiber_backend_real_new (s_env, true);
    self->dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "bench", .backend = fiber_backend_real_base (self->backend), .env = s_env});
    self->group = fiber_group_new (self->dispatcher, "bench");
}

static void s_run_and_close (bench_t *self)
{
    int rc = fiber_dispatcher_run (self->dispatcher);
    dt_assert (rc == 0);
    fiber_dispatcher_destroy (&self->dispatcher);
    fiber_backend_real_destroy (&self->backend);
}

// Two fibers yielding to each other; two switches make a round.

static void s_yielder (void *argument)
{
    bench_t *self = argument;
    for (long i = 0; i < self->count / 2; i++) {
        fiber_yield ();
    }
    if (++self->done == 2) {
        fiber_dispatcher_request_stop (self->dispatcher);
    }
}

static double s_per_operation (bench_t *self)
{
    int64_t start = s_now_ns ();
    s_run_and_close (self);
    return (double) (s_now_ns () - start) / (double) self->count;
}

static void s_run_yield (bench_t *self)
{
    s_open (self);
    fiber_start (self->group, "a", s_yielder, self, NULL);
    fiber_start (self->group, "b", s_yielder, self, NULL);
    self->result = s_per_operation (self);
}

// Two fibers signalling each other.

typedef struct {
    bench_t *bench;
    fiber_condition_t *mine, *other;
} player_t;

static void s_player (void *argument)
{
    player_t *self = argument;
    for (long i = 0; i < self->bench->count / 2; i++) {
        fiber_condition_signal (self->other);
        fiber_condition_wait (self->mine, FIBER_FOREVER);
    }
    fiber_condition_signal (self->other);
    if (++self->bench->done == 2) {
        fiber_dispatcher_request_stop (self->bench->dispatcher);
    }
}

static void s_run_signals (bench_t *self, unsigned budget)
{
    s_open (self);
    fiber_condition_t *ping = fiber_condition_new ("ping"), *pong = fiber_condition_new ("pong");
    player_t a = {self, ping, pong}, b = {self, pong, ping};
    fiber_options_t options = {.budget = budget};
    fiber_start (self->group, "a", s_player, &a, &options);
    fiber_start (self->group, "b", s_player, &b, &options);
    self->result = s_per_operation (self);
    fiber_condition_destroy (&ping);
    fiber_condition_destroy (&pong);
}

static void s_run_signal (bench_t *self)
{
    s_run_signals (self, 1);
}

static void s_run_signal_budget (bench_t *self)
{
    s_run_signals (self, 100);
}

// Many fibers yielding in turn: cold stacks.

#define MANY 10000

static void s_yield_many (void *argument)
{
    bench_t *self = argument;
    for (long i = 0; i < self->count / MANY; i++) {
        fiber_yield ();
    }
    if (++self->done == MANY) {
        fiber_dispatcher_request_stop (self->dispatcher);
    }
}

static void s_run_yield_many (bench_t *self)
{
    s_open (self);
    for (long i = 0; i < MANY; i++) {
        fiber_start (self->group, "f", s_yield_many, self, NULL);
    }
    self->result = s_per_operation (self);
}

// Start, run and end of a fiber whose stack is pooled.

static void s_nothing (void *argument)
{
    ++*(long *) argument;
}

static void s_starter (void *argument)
{
    bench_t *self = argument;
    while (self->done < self->count) {
        for (int i = 0; i < 16; i++) {
            fiber_start (self->group, "f", s_nothing, &self->done, NULL);
        }
        fiber_yield ();
    }
    fiber_dispatcher_request_stop (self->dispatcher);
}

static void s_run_start (bench_t *self)
{
    s_open (self);
    fiber_start (self->group, "starter", s_starter, self, NULL);
    self->result = s_per_operation (self);
}

// Sleeping fibers: resident memory of each.

static double s_resident_bytes (void)
{
    FILE *file = fopen ("/proc/self/statm", "re");
    dt_assert (file != NULL);
    long size, resident;
    int fields = fscanf (file, "%ld %ld", &size, &resident);
    dt_assert (fields == 2);
    fclose (file);
    return (double) resident * (double) sysconf (_SC_PAGESIZE);
}

// Page tables count too: the stacks are far apart.
static double s_page_table_bytes (void)
{
    FILE *file = fopen ("/proc/self/status", "re");
    dt_assert (file != NULL);
    char line[256];
    long kib = 0;
    while (fgets (line, sizeof line, file)) {
        if (sscanf (line, "VmPTE: %ld", &kib) == 1) {
            break;
        }
    }
    fclose (file);
    return (double) kib * 1024;
}

static void s_sleeper (void *argument)
{
    (void) argument;
    fiber_sleep_until (s_now_ns () + 3600000000000);
}

static void s_measure (void *argument)
{
    bench_t *self = argument;
    fiber_yield ();
    fiber_sleep_until (fiber_now_ns () + 1000000);
    dt_assert (fiber_dispatcher_fibers (self->dispatcher) == (size_t) self->count + 1);
    self->result = s_resident_bytes () + s_page_table_bytes () - self->result;
    self->result /= (double) self->count;
    fiber_dispatcher_request_stop (self->dispatcher);
}

static void s_run_sleepers (bench_t *self)
{
    s_open (self);
    self->result = s_resident_bytes () + s_page_table_bytes ();
    fiber_options_t options = {.daemon = true};
    for (long i = 0; i < self->count; i++) {
        fiber_t *fiber = fiber_start (self->group, "sleeper", s_sleeper, self, &options);
        dt_assert (fiber != NULL);
    }
    fiber_start (self->group, "measure", s_measure, self, NULL);
    s_run_and_close (self);
}

// Posts from another thread, as fast as it can while the dispatcher runs them.

static void s_posted (void *argument)
{
    ++*(long *) argument;
}

static void *s_poster (void *argument)
{
    bench_t *self = argument;
    for (long i = 0; i < self->count; i++) {
        int rc = fiber_group_post (self->group, s_posted, &self->done);
        dt_assert (rc == 0);
    }
    fiber_dispatcher_request_stop (self->dispatcher);
    return NULL;
}

static void s_run_posts (bench_t *self)
{
    s_open (self);
    pthread_t thread;
    int64_t start = s_now_ns ();
    pthread_create (&thread, NULL, s_poster, self);
    int rc = fiber_dispatcher_run (self->dispatcher);
    dt_assert (rc == 0);
    double seconds = (double) (s_now_ns () - start) * 1e-9;
    pthread_join (thread, NULL);
    dt_assert (self->done == self->count);
    s_run_and_close (self);
    self->result = (double) self->count / seconds / 1e6;
}

// One future after the other, completed by another fiber.

static void s_completer (void *argument)
{
    fiber_channel_t *channel = argument;
    void *future;
    while (fiber_channel_take (channel, &future, FIBER_FOREVER) == 0) {
        fiber_future_complete (future, 0, NULL);
    }
}

typedef struct {
    bench_t *bench;
    fiber_channel_t *channel;
} asker_t;

static void s_asker (void *argument)
{
    asker_t *self = argument;
    for (long i = 0; i < self->bench->count; i++) {
        fiber_future_t *future = fiber_future_new (self->bench->group, "f");
        int rc = fiber_channel_offer (self->channel, future);
        dt_assert (rc == 0);
        fiber_future_await (future, FIBER_FOREVER, NULL, NULL);
        fiber_future_unref (&future);
    }
    fiber_channel_close (self->channel);
    fiber_dispatcher_request_stop (self->bench->dispatcher);
}

static void s_run_future (bench_t *self)
{
    s_open (self);
    fiber_channel_t *channel = fiber_channel_new ("requests", 8);
    asker_t asker = {self, channel};
    fiber_start (self->group, "completer", s_completer, channel, NULL);
    fiber_start (self->group, "asker", s_asker, &asker, NULL);
    self->result = s_per_operation (self);
    fiber_channel_destroy (&channel);
}

// Disk: write + fdatasync of 600 bytes, one after the other, in microseconds.

static void s_writer (void *argument)
{
    bench_t *self = argument;
    char path[] = "/tmp/fiber_bench_XXXXXX";
    int fd = mkstemp (path);
    dt_assert (fd >= 0);
    unlink (path);
    int rc = posix_fallocate (fd, 0, 16 << 20);
    dt_assert (rc == 0);
    char *data = calloc (1, 600);
    for (int warm = 0; warm < 10; warm++) {
        fiber_disk_write_sync (self->backend, fd, data, 600, 0);
    }
    int64_t start = s_now_ns ();
    for (long i = 0; i < self->count; i++) {
        rc = fiber_disk_write_sync (self->backend, fd, data, 600, (uint64_t) i * 600);
        dt_assert (rc == 0);
    }
    self->result = (double) (s_now_ns () - start) / (double) self->count / 1000;
    free (data);
    close (fd);
    fiber_dispatcher_request_stop (self->dispatcher);
}

static void s_run_disk (bench_t *self, bool use_uring)
{
    self->backend = fiber_backend_real_new (s_env, use_uring);
    self->dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "bench", .backend = fiber_backend_real_base (self->backend), .env = s_env});
    self->group = fiber_group_new (self->dispatcher, "bench");
    fiber_start (self->group, "writer", s_writer, self, NULL);
    s_run_and_close (self);
}

static void s_run_disk_uring (bench_t *self)
{
    s_run_disk (self, true);
}

static void s_run_disk_thread (bench_t *self)
{
    s_run_disk (self, false);
}

// How late a sleep of 200 us ends, in microseconds on average.

static void s_late_sleeper (void *argument)
{
    bench_t *self = argument;
    int64_t late = 0;
    for (long i = 0; i < self->count; i++) {
        int64_t deadline = fiber_now_ns () + 200000;
        fiber_sleep_until (deadline);
        late += fiber_now_ns () - deadline;
    }
    self->result = (double) late / (double) self->count / 1000;
    fiber_dispatcher_request_stop (self->dispatcher);
}

static void s_run_late (bench_t *self)
{
    s_open (self);
    fiber_start (self->group, "sleeper", s_late_sleeper, self, NULL);
    s_run_and_close (self);
}

static const bench_kind_t s_kinds[] = {
    {"switch_yield", "ns", false, 10000000, s_run_yield},
    {"switch_signal", "ns", false, 10000000, s_run_signal},
    {"switch_signal_budget_100", "ns", false, 10000000, s_run_signal_budget},
    {"switch_yield_10000_fibers", "ns", false, 5000000, s_run_yield_many},
    {"start_run_end", "ns", false, 2000000, s_run_start},
    {"future_round_trip", "ns", false, 2000000, s_run_future},
    {"sleeping_fiber", "bytes", false, 100000, s_run_sleepers},
    {"posts", "M/s", true, 10000000, s_run_posts},
    {"write_sync_600_uring", "us", false, 500, s_run_disk_uring},
    {"write_sync_600_thread", "us", false, 500, s_run_disk_thread},
    {"sleep_200us_late", "us", false, 500, s_run_late},
};

#define KINDS (sizeof s_kinds / sizeof s_kinds[0])

static double s_best (const bench_kind_t *kind, long count)
{
    double best = 0;
    for (int i = 0; i < RUNS; i++) {
        bench_t bench = {.count = count};
        kind->run (&bench);
        bool better = kind->more_is_better ? bench.result > best : bench.result < best;
        best = i == 0 || better ? bench.result : best;
    }
    return best;
}

int main (int argc, char **argv)
{
    bool json = false;
    long scale = 100;
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp (argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp (argv[i], "--scale") == 0 && i + 1 < argc) {
            scale = strtol (argv[++i], NULL, 10);
        } else if (strcmp (argv[i], "--only") == 0 && i + 1 < argc) {
            only = argv[++i];
        } else {
            fprintf (stderr, "usage: %s [--json] [--scale PERCENT] [--only NAME]\n", argv[0]);
            return EXIT_FAILURE;
        }
    }
    dt_env_t env;
    dt_env_posix_init (&env, STDERR_FILENO, DT_LOG_WARN);
    s_env = &env;
    const char *separator = "";
    printf ("%s", json ? "{" : "");
    for (size_t i = 0; i < KINDS; i++) {
        if (only && strcmp (only, s_kinds[i].name) != 0) {
            continue;
        }
        long count = s_kinds[i].count * scale / 100;
        double best = s_best (&s_kinds[i], count < 1 ? 1 : count);
        if (json) {
            printf ("%s\n  \"%s\": {\"value\": %.2f, \"unit\": \"%s\", \"count\": %ld}", separator,
                    s_kinds[i].name, best, s_kinds[i].unit, count);
            separator = ",";
        } else {
            printf ("%-28s %10.2f %-6s (%ld)\n", s_kinds[i].name, best, s_kinds[i].unit, count);
        }
        fflush (stdout);
    }
    printf ("%s", json ? "\n}\n" : "");
    return EXIT_SUCCESS;
}
