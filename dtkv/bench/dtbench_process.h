// dtbench_process - clock, and what a process used.

#ifndef DTBENCH_PROCESS_H
#define DTBENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef struct {
    double cpu_s;       // user and system
    uint64_t rss_bytes; // resident now
    uint64_t rss_bytes_max;
} dtbench_usage_t;

static inline uint64_t dtbench_now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

// What a process used so far; pid 0: this one. False: no such process.
bool dtbench_process_usage (int pid, dtbench_usage_t *usage);

#endif // DTBENCH_PROCESS_H
