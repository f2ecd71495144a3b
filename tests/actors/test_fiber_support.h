// test_fiber_support - a dispatcher in a simulated world, as most fiber tests want it.

#ifndef TEST_FIBER_SUPPORT_H
#define TEST_FIBER_SUPPORT_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/fiber/fiber.h"
#include "actors/fiber/fiber_backend_sim.h"
#include "actors/fiber/fiber_dispatcher.h"
#include "actors/fiber/fiber_group.h"
#include "base/dt_env.h"

#define MILLISECOND ((int64_t) 1000000)
#define SECOND      ((int64_t) 1000000000)

// Three tests' worth of state that every test makes anew.
typedef struct {
    fiber_backend_sim_t *sim;
    fiber_dispatcher_t *dispatcher;
    fiber_group_t *group;
    char text[4096]; // what world_say collected
    size_t text_bytes;
} world_t;

// The last log line written through it, for tests of log lines.
typedef struct {
    dt_env_t env;
    char last[1024];
    unsigned lines;
} log_t;

void log_init (log_t *self);

// A world with the head of the queue always first, or with a seeded order.
void world_init (world_t *self);
void world_init_shuffled (world_t *self, uint64_t seed);

// Ask the group to stop, run until it finished, free everything.
void world_deinit (world_t *self);

// Run until no fiber is ready and nothing is due at the present time.
void world_settle (world_t *self);

// Run until nothing is ready and no deadline or event is left.
void world_exhaust (world_t *self);

// Append to the text.
void world_say (world_t *self, const char *text);

// Add the Check test cases of the other files to their suites and run the suite.
int suite_run (const char *name, TCase *tests);

#endif // TEST_FIBER_SUPPORT_H
