#include "base/dt_env_posix.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/dt_assert.h"

static int64_t s_now_ns (const dt_env_t *self)
{
    (void) self;
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t s_wall_ms (const dt_env_t *self)
{
    (void) self;
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t s_entropy (const dt_env_t *self)
{
    (void) self;
    uint64_t word;
    ssize_t got = getrandom (&word, sizeof word, 0);
    dt_assert (got == (ssize_t) sizeof word);
    return word;
}

static void s_log (const dt_env_t *self, dt_log_level_t level, const char *line)
{
    int64_t wall_ms = s_wall_ms (self);
    time_t seconds = (time_t) (wall_ms / 1000);
    struct tm date;
    gmtime_r (&seconds, &date);
    char stamp[32];
    strftime (stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &date);
    char text[1200];
    int bytes = snprintf (text, sizeof text, "%s.%03dZ %-5s %s\n", stamp, (int) (wall_ms % 1000),
                          dt_log_level_name (level), line);
    int fd = (int) (intptr_t) self->context;
    // A log that cannot be written must not stop the node.
    ssize_t written = write (fd, text, (size_t) bytes);
    (void) written;
}

// A page of its own for all of it: the device is handed a few large pieces instead of hundreds.
static void s_advise_large (const dt_env_t *self, void *memory, size_t bytes)
{
    (void) self;
    (void) madvise (memory, bytes, MADV_HUGEPAGE); // where there are none, small pages serve
}

void dt_env_posix_init (dt_env_t *env, int fd, dt_log_level_t level)
{
    *env = (dt_env_t){
        .now_ns = s_now_ns,
        .wall_ms = s_wall_ms,
        .entropy = s_entropy,
        .log = s_log,
        .advise_large = s_advise_large,
        .log_level = level,
        .context = (void *) (intptr_t) fd,
    };
}
