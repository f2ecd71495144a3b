// snapshot_bench - what it costs to take a snapshot, to send it from node to node and to install
// it: time, and processor time for a megabyte.
//
// usage: snapshot_bench [--keys N] [--value BYTES] [--dir DIR]
//
// Two nodes in one process, each a thread with its disk, snapshot actor and store; a third thread
// is the pipe between them, which copies each message once as a socket would, and the group of
// both. Files are made under DIR (default: a new directory in /tmp) and removed at the end.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/actor_system.h"
#include "base/dt_assert.h"
#include "base/dt_env_posix.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_operation.h"
#include "dtkv/core/dtkv_result.h"
#include "dtkv/dtkv_machine.h"
#include "raft/raft_snapshot_actor.h"
#include "storage/vfs_uring.h"
#include "transport/msgpack_writer.h"
#include "transport/peer_message.h"

enum { TERM = 1, GROUP_ID = 1 };

typedef struct {
    char directory[512];
    actor_host_t *host;
    vfs_uring_t *vfs;
    raft_machine_t *store; // owned by machine
    raft_machine_host_t *machine;
    raft_snapshots_t *snapshots;
} s_node_t;

typedef struct {
    dt_env_t env;
    uint64_t keys;
    uint32_t value_bytes;
    char directory[256];
    actor_system_t *system;
    actor_t *group, *pipe;
    s_node_t nodes[2]; // 1 and 2
    uint64_t index;    // last applied at the first
    uint64_t bytes;    // of the snapshot
} s_bench_t;

// --- the store of the first node -----------------------------------------------------------------

static void s_apply (s_bench_t *self, uint16_t operation, const dt_buffer_t *request)
{
    static dt_buffer_t reply;
    raft_machine_t *machine = self->nodes[0].store;
    log_entry_t entry = {
        .index = ++self->index,
        .term = TERM,
        .cluster_time_ms = self->index,
        .wall_ms = 1700000000000ULL + self->index,
        .payload = request->data,
        .payload_bytes = (uint32_t) request->bytes,
        .operation = operation,
        .type = LOG_ENTRY_COMMAND,
    };
    uint64_t index = entry.index;
    dt_buffer_clear (&reply);
    int code = machine->ops->apply (machine, &entry, &reply, &index);
    dt_assert (code == DTKV_SUCCESS);
}

static void s_fill (s_bench_t *self)
{
    dt_buffer_t request = {0};
    uint8_t *value = dt_zalloc (1, self->value_bytes);
    msgpack_write_array (&request, 1);
    msgpack_write_text (&request, "benchmark");
    s_apply (self, DTKV_OP_MKDIR, &request);
    for (uint64_t key = 0; key < self->keys; key++) {
        char path[48];
        snprintf (path, sizeof path, "benchmark.key%011llu", (unsigned long long) key);
        memcpy (value, &key, self->value_bytes < sizeof key ? self->value_bytes : sizeof key);
        dt_buffer_clear (&request);
        msgpack_write_array (&request, 2);
        msgpack_write_text (&request, path);
        msgpack_write_bin (&request, value, self->value_bytes);
        s_apply (self, DTKV_OP_PUT, &request);
    }
    free (value);
    dt_buffer_deinit (&request);
}

// --- the pipe ------------------------------------------------------------------------------------

static peer_message_t *s_flat_copy (const peer_message_t *message)
{
    peer_message_t *copy = peer_message_new ();
    copy->node_id = 3 - message->node_id;
    copy->group_id = message->group_id;
    copy->term = message->term;
    copy->kind = message->kind;
    copy->bytes = message->head.bytes + message->bytes;
    copy->blob = dt_blob_new (copy->bytes);
    uint8_t *to = dt_blob_data (copy->blob);
    memcpy (to, message->head.data, message->head.bytes);
    if (message->bytes > 0) {
        memcpy (to + message->head.bytes, message->data, message->bytes);
    }
    copy->data = to;
    return copy;
}

static void s_pipe_run (void *argument)
{
    s_bench_t *self = argument;
    actor_message_t *message;
    int rc;
    while ((rc = actor_receive (self->pipe, &message, FIBER_FOREVER)) != DT_ERR_CLOSED) {
        if (rc == 0) {
            const peer_message_t *peer = (peer_message_t *) message;
            s_node_t *to = &self->nodes[peer->node_id - 1];
            actor_answer (self->pipe, raft_snapshots_actor (to->snapshots),
                          &s_flat_copy (peer)->message);
            actor_message_free (&message);
        }
    }
}

// --- the phases ----------------------------------------------------------------------------------

static double s_processor_s (void)
{
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

typedef struct {
    int64_t start_ns;
    double processor_s;
} s_clock_t;

static s_clock_t s_clock (const s_bench_t *self)
{
    return (s_clock_t){self->env.now_ns (&self->env), s_processor_s ()};
}

static void s_print (const s_bench_t *self, const char *what, const s_clock_t *since)
{
    double seconds = (double) (self->env.now_ns (&self->env) - since->start_ns) / 1e9;
    double processor_s = s_processor_s () - since->processor_s;
    double megabytes = (double) self->bytes / 1e6;
    printf ("%-32s %8.3f s %8.0f MB/s %8.2f ms of processor per MB\n", what, seconds,
            megabytes / seconds, processor_s * 1000 / megabytes);
    fflush (stdout);
}

// The next message of a type; others are dropped.
static void *s_wait (s_bench_t *self, uint16_t type)
{
    for (;;) {
        actor_message_t *message;
        int rc = actor_receive (self->group, &message, FIBER_FOREVER);
        if (rc == DT_ERR_CLOSED) {
            continue; // the stop was asked for already; it comes after the work
        }
        dt_assert (rc == 0);
        if (message->type == type) {
            return message;
        }
        actor_message_free (&message);
    }
}

static void s_expect (s_bench_t *self, uint16_t type, size_t rc_at)
{
    actor_message_t *message = s_wait (self, type);
    int rc;
    memcpy (&rc, (const uint8_t *) message + rc_at, sizeof rc);
    if (rc != 0) {
        fprintf (stderr, "snapshot_bench: %s\n", dt_error_text (rc));
    }
    dt_assert (rc == 0);
    actor_message_free (&message);
}

static void s_load (s_bench_t *self, const s_node_t *node, uint64_t index)
{
    snapshot_load_t *load = raft_snapshots_message_new (SNAPSHOT_LOAD);
    load->index = index;
    load->term = index ? TERM : 0;
    actor_answer (self->group, raft_snapshots_actor (node->snapshots), &load->message);
    s_expect (self, SNAPSHOT_LOADED, offsetof (snapshot_loaded_t, rc));
}

static void s_save (s_bench_t *self)
{
    machine_snapshot_t *snapshot = raft_machine_message_new (MACHINE_SNAPSHOT);
    snapshot->meta = (raft_snapshot_meta_t){
        .index = self->index, .term = TERM, .config_index = 1, .config = raft_config_sole (1)};
    actor_answer (self->group, raft_machine_host_actor (self->nodes[0].machine),
                  &snapshot->message);
    snapshot_saved_t *saved = s_wait (self, SNAPSHOT_SAVED);
    dt_assert (saved->rc == 0);
    self->bytes = saved->bytes;
    actor_message_t *message = &saved->message;
    actor_message_free (&message);
}

static void s_send (s_bench_t *self)
{
    snapshot_send_t *send = raft_snapshots_message_new (SNAPSHOT_SEND);
    send->node_id = 2;
    send->term = TERM;
    send->index_min = self->index;
    actor_answer (self->group, raft_snapshots_actor (self->nodes[0].snapshots), &send->message);
    s_expect (self, SNAPSHOT_SENT, offsetof (snapshot_sent_t, rc));
}

static void s_group_run (void *argument)
{
    s_bench_t *self = argument;
    s_load (self, &self->nodes[0], 0);
    s_load (self, &self->nodes[1], 0);
    s_clock_t clock = s_clock (self);
    s_save (self);
    printf ("%llu keys, values of %u bytes, a snapshot of %.1f MB\n",
            (unsigned long long) self->keys, self->value_bytes, (double) self->bytes / 1e6);
    s_print (self, "taken", &clock);
    s_clock_t both = s_clock (self);
    clock = both;
    s_send (self);
    s_print (self, "sent, durable over there", &clock);
    clock = s_clock (self);
    s_load (self, &self->nodes[1], self->index);
    s_print (self, "installed", &clock);
    s_print (self, "sent and installed", &both);
}

// --- setting up ----------------------------------------------------------------------------------

static void s_mkdir (const char *path)
{
    if (mkdir (path, 0777) != 0 && errno != EEXIST) {
        fprintf (stderr, "snapshot_bench: cannot make %s: %s; give another with --dir\n", path,
                 strerror (errno));
        exit (EXIT_FAILURE);
    }
}

static void s_start_node (s_bench_t *self, uint32_t id)
{
    s_node_t *node = &self->nodes[id - 1];
    char path[600];
    snprintf (node->directory, sizeof node->directory, "%s/%u", self->directory, id);
    snprintf (path, sizeof path, "%s/group", node->directory);
    s_mkdir (node->directory);
    s_mkdir (path);
    int rc =
        vfs_uring_new (node->directory, &self->env, actor_host_backend (node->host), &node->vfs);
    dt_assert (rc == 0);
    node->store = dtkv_machine_new (&(dtkv_store_options_t){.limits = DTKV_LIMITS_DEFAULT});
    node->machine = raft_machine_host_new (
        node->host, &(raft_machine_host_options_t){.name = "machine", .machine = node->store});
    node->snapshots = raft_snapshots_new (node->host, &(raft_snapshots_options_t){
                                                          .name = "snapshot",
                                                          .vfs = vfs_uring_vfs (node->vfs),
                                                          .directory = "group",
                                                          .identity = {1, GROUP_ID, id},
                                                      });
    raft_machine_host_connect (node->machine, self->group, raft_snapshots_actor (node->snapshots),
                               NULL);
    raft_snapshots_connect (node->snapshots, self->group, raft_machine_host_actor (node->machine),
                            self->pipe);
}

static void s_start (s_bench_t *self)
{
    self->system = actor_system_new (&self->env);
    actor_host_t *middle = actor_system_add_host (self->system, "middle", true);
    self->nodes[0].host = actor_system_add_host (self->system, "first", true);
    self->nodes[1].host = actor_system_add_host (self->system, "second", true);
    self->group = actor_new (
        middle, &(actor_options_t){.name = "group", .run = s_group_run, .argument = self});
    self->pipe =
        actor_new (middle, &(actor_options_t){.name = "pipe", .run = s_pipe_run, .argument = self});
    s_start_node (self, 1);
    s_start_node (self, 2);
    s_fill (self);
    actor_system_start (self->system);
}

static void s_stop_actor (actor_t *actor)
{
    fiber_group_request_stop (actor_group (actor));
    while (!fiber_group_finished (actor_group (actor))) {
        usleep (1000);
    }
}

static void s_stop (s_bench_t *self)
{
    s_stop_actor (self->group); // ends once its work is done
    for (int i = 0; i < 2; i++) {
        s_stop_actor (raft_snapshots_actor (self->nodes[i].snapshots));
        s_stop_actor (raft_machine_host_actor (self->nodes[i].machine));
    }
    s_stop_actor (self->pipe);
    actor_system_join (self->system);
    for (int i = 0; i < 2; i++) {
        raft_snapshots_destroy (&self->nodes[i].snapshots);
        raft_machine_host_destroy (&self->nodes[i].machine);
    }
    actor_system_destroy (&self->system);
    for (int i = 0; i < 2; i++) {
        vfs_uring_destroy (&self->nodes[i].vfs);
    }
}

static void s_remove_files (const s_bench_t *self)
{
    for (int i = 0; i < 2; i++) {
        const char *node = self->nodes[i].directory;
        char path[700];
        snprintf (path, sizeof path, "%s/group/snapshots/%020llu-%020llu.snapshot", node,
                  (unsigned long long) self->index, (unsigned long long) TERM);
        unlink (path);
        snprintf (path, sizeof path, "%s/group/snapshots", node);
        rmdir (path);
        snprintf (path, sizeof path, "%s/group", node);
        rmdir (path);
        rmdir (node);
    }
    rmdir (self->directory);
}

static bool s_parse_number (const char *text, uint64_t max, uint64_t *number)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull (text, &end, 10);
    *number = value;
    return errno == 0 && end != text && *end == 0 && value >= 1 && value <= max;
}

static bool s_parse (s_bench_t *self, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = 0;
        if (strcmp (argv[i], "--keys") == 0 && s_parse_number (argv[i + 1], 100000000, &value)) {
            self->keys = value;
        } else if (strcmp (argv[i], "--value") == 0 &&
                   s_parse_number (argv[i + 1], 1000000, &value)) {
            self->value_bytes = (uint32_t) value;
        } else if (strcmp (argv[i], "--dir") == 0 &&
                   strlen (argv[i + 1]) < sizeof self->directory) {
            strcpy (self->directory, argv[i + 1]);
        } else {
            return false;
        }
    }
    return argc % 2 == 1;
}

int main (int argc, char **argv)
{
    static s_bench_t bench = {.keys = 1000000, .value_bytes = 200};
    if (!s_parse (&bench, argc, argv)) {
        fprintf (stderr, "usage: snapshot_bench [--keys 1..100000000] [--value 1..1000000] "
                         "[--dir DIR of at most 255 bytes]\n");
        return EXIT_FAILURE;
    }
    if (!bench.directory[0]) {
        snprintf (bench.directory, sizeof bench.directory, "/tmp/snapshot_bench.%d",
                  (int) getpid ());
    }
    s_mkdir (bench.directory);
    actor_system_init_process ();
    dt_env_posix_init (&bench.env, STDERR_FILENO, DT_LOG_WARN);
    s_start (&bench);
    s_stop (&bench);
    s_remove_files (&bench);
    return EXIT_SUCCESS;
}
