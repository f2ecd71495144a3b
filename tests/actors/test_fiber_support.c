#include "tests/actors/test_fiber_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t s_now_ns (const dt_env_t *self)
{
    (void) self;
    return 0;
}

static uint64_t s_entropy (const dt_env_t *self)
{
    (void) self;
    return 4;
}

static void s_log (const dt_env_t *self, dt_log_level_t level, const char *line)
{
    (void) level;
    log_t *log = self->context;
    snprintf (log->last, sizeof log->last, "%s", line);
    log->lines++;
}

void log_init (log_t *self)
{
    *self = (log_t){.env = {.now_ns = s_now_ns,
                            .wall_ms = s_now_ns,
                            .entropy = s_entropy,
                            .log = s_log,
                            .log_level = DT_LOG_DEBUG,
                            .context = self}};
}

static log_t s_shared_log;

static void s_init (world_t *self, uint64_t seed, bool shuffle)
{
    memset (self, 0, sizeof *self);
    log_init (&s_shared_log);
    self->sim = fiber_backend_sim_new (seed, shuffle);
    fiber_dispatcher_options_t options = {
        .name = "test", .backend = fiber_backend_sim_base (self->sim), .env = &s_shared_log.env};
    self->dispatcher = fiber_dispatcher_new (&options);
    self->group = fiber_group_new (self->dispatcher, "group");
}

void world_init (world_t *self)
{
    s_init (self, 0, false);
}

void world_init_shuffled (world_t *self, uint64_t seed)
{
    s_init (self, seed, true);
}

void world_deinit (world_t *self)
{
    fiber_dispatcher_request_stop (self->dispatcher);
    ck_assert_int_eq (fiber_dispatcher_run (self->dispatcher), 0);
    fiber_dispatcher_destroy (&self->dispatcher);
    ck_assert_ptr_null (self->dispatcher);
    fiber_backend_sim_destroy (&self->sim);
}

void world_settle (world_t *self)
{
    do {
        fiber_dispatcher_turn (self->dispatcher, INT64_MIN);
    } while (fiber_dispatcher_ready (self->dispatcher) ||
             fiber_backend_sim_next_ns (self->sim) <= fiber_backend_sim_now_ns (self->sim));
}

void world_exhaust (world_t *self)
{
    world_settle (self);
    while (fiber_dispatcher_next_deadline_ns (self->dispatcher) != FIBER_FOREVER ||
           fiber_backend_sim_next_ns (self->sim) != FIBER_FOREVER) {
        fiber_dispatcher_turn (self->dispatcher, FIBER_FOREVER);
        world_settle (self);
    }
}

void world_say (world_t *self, const char *text)
{
    size_t bytes = strlen (text);
    ck_assert_uint_lt (self->text_bytes + bytes, sizeof self->text);
    memcpy (self->text + self->text_bytes, text, bytes + 1);
    self->text_bytes += bytes;
}

int suite_run (const char *name, TCase *tests)
{
    Suite *suite = suite_create (name);
    tcase_set_timeout (tests, 100);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
