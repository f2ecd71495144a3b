// A whole node on the simulated world, driven by hand: the shortest way through every actor.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_env_posix.h"
#include "tests/sim/sim_node.h"
#include "transport/protocol_reply.h"
#include "transport/protocol_request.h"

typedef struct {
    dt_env_t env;
    fiber_backend_sim_t *backend;
    vfs_sim_disk_t *disk;
    sim_node_t *node;
    uint64_t next_id;
    bool answered;          // the reply to the last request has come
    protocol_reply_t reply; // its envelope; body points into copy
    dt_buffer_t copy;       // of the frame
} s_world_t;

static int64_t s_now_ns (const dt_env_t *env)
{
    return fiber_backend_sim_now_ns (((s_world_t *) env->context)->backend);
}

static int64_t s_wall_ms (const dt_env_t *env)
{
    return s_now_ns (env) / 1000000;
}

static uint64_t s_entropy (const dt_env_t *env)
{
    (void) env;
    return 42;
}

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    (void) env;
    (void) level;
    fprintf (stderr, "%s\n", line);
}

static void s_on_reply (void *argument, uint32_t client, const uint8_t *data, size_t bytes)
{
    s_world_t *self = argument;
    ck_assert_uint_eq (client, 5);
    dt_buffer_clear (&self->copy);
    dt_buffer_append (&self->copy, data, bytes);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, self->copy.data, self->copy.bytes);
    ck_assert_int_eq (protocol_reply_next (&cursor, &self->reply), 1);
    ck_assert_uint_eq (self->reply.id, self->next_id);
    self->answered = true;
}

static void s_start (s_world_t *self)
{
    raft_config_t alone = raft_config_sole (1);
    self->node = sim_node_start (&(sim_node_options_t){
        .env = &self->env,
        .backend = fiber_backend_sim_base (self->backend),
        .disk = self->disk,
        .reply = s_on_reply,
        .reply_argument = self,
        .segment_bytes = 64 * 1024,
        .snapshot_after_bytes = 64 * 1024,
        .in_flight_max = 1000,
        .store = {.limits = DTKV_LIMITS_DEFAULT},
        .node_id = 1,
        .bootstrap = &alone,
        .groups = {{.group_id = 1}},
        .groups_count = 1,
    });
    for (int i = 0; i < 100000 && !sim_node_ready (self->node); i++) {
        ck_assert_int_eq (sim_node_failure (self->node), 0);
        sim_node_turn (self->node, INT64_MAX);
    }
    ck_assert (sim_node_ready (self->node));
}

static void s_init (s_world_t *self)
{
    *self = (s_world_t){0};
    self->env = (dt_env_t){.now_ns = s_now_ns,
                           .wall_ms = s_wall_ms,
                           .entropy = s_entropy,
                           .log = s_log,
                           .log_level = DT_LOG_WARN,
                           .context = self};
    self->backend = fiber_backend_sim_new (1, true);
    self->disk = vfs_sim_disk_new (1, &self->env);
    s_start (self);
}

static void s_deinit (s_world_t *self)
{
    sim_node_stop (&self->node);
    vfs_sim_disk_destroy (&self->disk);
    fiber_backend_sim_destroy (&self->backend);
    dt_buffer_deinit (&self->copy);
}

// Send one request whose body is an array of texts and wait for the reply; returns the code.
static uint32_t s_call (s_world_t *self, uint32_t operation, const char *path, const char *value)
{
    dt_buffer_t body = {0};
    if (path) {
        msgpack_write_array (&body, value ? 2 : 1);
        msgpack_write_text (&body, path);
        if (value) {
            msgpack_write_text (&body, value);
        }
    }
    dt_buffer_t frame = {0};
    protocol_request_write (&frame, &(protocol_request_t){
                                        .id = ++self->next_id,
                                        .operation = operation,
                                        .body = {body.data, body.bytes},
                                    });
    self->answered = false;
    sim_port_push (sim_node_port (self->node), 5, frame.data, frame.bytes);
    for (int i = 0; i < 10000 && !self->answered; i++) {
        sim_node_turn (self->node, s_now_ns (&self->env) + 1000000);
    }
    ck_assert (self->answered);
    dt_buffer_deinit (&frame);
    dt_buffer_deinit (&body);
    return self->reply.code;
}

static void s_expect_value (s_world_t *self, const char *path, const char *value)
{
    ck_assert_uint_eq (s_call (self, PROTOCOL_GET, path, NULL), 0);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, self->reply.body.data, self->reply.body.bytes);
    ck_assert_uint_ge (msgpack_cursor_array (&cursor), 2);
    msgpack_cursor_uint (&cursor);
    msgpack_slice_t found = msgpack_cursor_bytes (&cursor);
    ck_assert_uint_eq (found.bytes, strlen (value));
    ck_assert_mem_eq (found.data, value, found.bytes);
}

START_TEST (put_then_get_returns_the_value)
{
    s_world_t world;
    s_init (&world);
    ck_assert_uint_eq (s_call (&world, PROTOCOL_PUT, "a", "one"), 0);
    ck_assert_uint_eq (world.reply.index,
                       3); // after the configuration and the leader's first entry
    s_expect_value (&world, "a", "one");
    s_deinit (&world);
}
END_TEST

START_TEST (acknowledged_writes_survive_a_power_cut)
{
    s_world_t world;
    s_init (&world);
    char path[16], value[16];
    for (int i = 0; i < 300; i++) {
        snprintf (path, sizeof path, "k%d", i);
        snprintf (value, sizeof value, "v%d", i);
        ck_assert_uint_eq (s_call (&world, PROTOCOL_PUT, path, value), 0);
    }
    sim_node_crash (&world.node);
    s_start (&world);
    for (int i = 0; i < 300; i++) {
        snprintf (path, sizeof path, "k%d", i);
        snprintf (value, sizeof value, "v%d", i);
        s_expect_value (&world, path, value);
    }
    s_deinit (&world);
}
END_TEST

START_TEST (restart_from_snapshot_and_log_gives_the_same_digest)
{
    s_world_t world;
    s_init (&world);
    char path[16];
    char value[2000];
    memset (value, 'x', sizeof value - 1);
    value[sizeof value - 1] = 0;
    for (int i = 0; i < 200; i++) { // several snapshots' worth
        snprintf (path, sizeof path, "k%d", i % 50);
        s_call (&world, PROTOCOL_PUT, path, value);
    }
    ck_assert_uint_eq (s_call (&world, PROTOCOL_SNAPSHOT_TAKE, NULL, NULL), 0);
    ck_assert_uint_eq (s_call (&world, PROTOCOL_PUT, "after", "snapshot"), 0);
    uint64_t content = dtkv_store_content_digest (sim_node_store (world.node, 1));
    sim_node_stop (&world.node);
    s_start (&world);
    ck_assert_uint_eq (s_call (&world, PROTOCOL_STATUS, NULL, NULL), 0);
    ck_assert (dtkv_store_content_digest (sim_node_store (world.node, 1)) == content);
    s_expect_value (&world, "after", "snapshot");
    s_deinit (&world);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("sim_node");
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, put_then_get_returns_the_value);
    tcase_add_test (tcase, acknowledged_writes_survive_a_power_cut);
    tcase_add_test (tcase, restart_from_snapshot_and_log_gives_the_same_digest);
    Suite *suite = suite_create ("sim_node");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
