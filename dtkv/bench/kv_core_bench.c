// kv_core_bench - what the pure store costs: nanoseconds for an operation, bytes for a key.
//
// usage: kv_core_bench [--keys N] [--ops N] [--value BYTES]
//
// Keys are "benchmark.key" and digits, 24 bytes together, in one directory.

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/dt_assert.h"
#include "base/dt_random.h"
#include "dtkv/core/dtkv_snapshot.h"
#include "dtkv/core/dtkv_store.h"
#include "transport/msgpack_writer.h"

typedef struct {
    dtkv_store_t *store;
    dt_buffer_t request;
    dt_buffer_t reply;
    uint8_t *value;
    uint64_t keys;
    uint64_t ops;
    uint32_t value_bytes;
    uint64_t index;
} s_bench_t;

static int64_t s_now_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t s_resident_bytes (void)
{
    unsigned long long pages = 0;
    unsigned long long resident = 0;
    FILE *file = fopen ("/proc/self/statm", "r");
    if (file) {
        if (fscanf (file, "%llu %llu", &pages, &resident) != 2) {
            resident = 0;
        }
        fclose (file);
    }
    return resident * 4096;
}

static void s_make_put (s_bench_t *self, uint64_t key)
{
    char path[32];
    int bytes = snprintf (path, sizeof path, "benchmark.key%011llu", (unsigned long long) key);
    dt_buffer_clear (&self->request);
    msgpack_write_array (&self->request, 2);
    msgpack_write_bin (&self->request, path, (uint32_t) bytes);
    msgpack_write_bin (&self->request, self->value, self->value_bytes);
}

static void s_make_get (s_bench_t *self, uint64_t key)
{
    char path[32];
    int bytes = snprintf (path, sizeof path, "benchmark.key%011llu", (unsigned long long) key);
    dt_buffer_clear (&self->request);
    msgpack_write_array (&self->request, 1);
    msgpack_write_bin (&self->request, path, (uint32_t) bytes);
}

static int s_apply (s_bench_t *self, uint16_t operation)
{
    dtkv_outcome_t outcome;
    log_entry_t entry = {
        .index = ++self->index,
        .term = 1,
        .cluster_time_ms = self->index / 1000,
        .wall_ms = 1700000000000ULL + self->index / 1000,
        .principal = 7,
        .payload = self->request.data,
        .payload_bytes = (uint32_t) self->request.bytes,
        .operation = operation,
        .type = LOG_ENTRY_COMMAND,
    };
    dt_buffer_clear (&self->reply);
    return dtkv_store_apply (self->store, &entry, &self->reply, &outcome);
}

// What making the requests alone costs, to be taken off the others.
static double s_overhead_ns (s_bench_t *self, bool put, uint64_t keys)
{
    dt_random_t random;
    dt_random_init (&random, 5);
    int64_t start = s_now_ns ();
    for (uint64_t i = 0; i < self->ops; i++) {
        uint64_t key = dt_random_below (&random, keys);
        if (put) {
            s_make_put (self, key);
        } else {
            s_make_get (self, key);
        }
    }
    return (double) (s_now_ns () - start) / (double) self->ops;
}

static void s_print (const char *name, double ns)
{
    printf ("%-44s %8.0f ns/op\n", name, ns);
    fflush (stdout);
}

static void s_mkdir (s_bench_t *self)
{
    dt_buffer_clear (&self->request);
    msgpack_write_array (&self->request, 1);
    msgpack_write_text (&self->request, "benchmark");
    int code = s_apply (self, DTKV_OP_MKDIR);
    dt_assert (code == DTKV_SUCCESS);
}

// Put keys 0 .. count - 1 in rising order, or in an order that jumps about.
static void s_fill (s_bench_t *self, uint64_t count, bool jumping, const char *name)
{
    // Odd and coprime to count: visits every key once.
    uint64_t step = jumping ? 7368787 : 1;
    uint64_t key = 0;
    int64_t longest = 0;
    int64_t start = s_now_ns ();
    for (uint64_t i = 0; i < count; i++) {
        int64_t before = s_now_ns ();
        s_make_put (self, key);
        int code = s_apply (self, DTKV_OP_PUT);
        dt_assert (code == DTKV_SUCCESS);
        key = (key + step) % count;
        int64_t took = s_now_ns () - before;
        longest = took > longest ? took : longest;
    }
    double ns = (double) (s_now_ns () - start) / (double) count;
    s_print (name, ns - s_overhead_ns (self, true, count));
    printf ("%-44s %8.0f us\n", "  longest", (double) longest / 1000);
}

static void s_overwrite (s_bench_t *self, uint64_t keys, const char *name)
{
    dt_random_t random;
    dt_random_init (&random, 5);
    int64_t start = s_now_ns ();
    for (uint64_t i = 0; i < self->ops; i++) {
        s_make_put (self, dt_random_below (&random, keys));
        int code = s_apply (self, DTKV_OP_PUT);
        dt_assert (code == DTKV_SUCCESS_OVERWRITE);
    }
    double ns = (double) (s_now_ns () - start) / (double) self->ops;
    s_print (name, ns - s_overhead_ns (self, true, keys));
}

static void s_get (s_bench_t *self, uint64_t keys, const char *name)
{
    dt_random_t random;
    dt_random_init (&random, 5);
    int64_t start = s_now_ns ();
    for (uint64_t i = 0; i < self->ops; i++) {
        s_make_get (self, dt_random_below (&random, keys));
        dt_buffer_clear (&self->reply);
        int code = dtkv_store_read (self->store, DTKV_OP_GET, self->request.data,
                                    self->request.bytes, &self->reply);
        dt_assert (code == DTKV_SUCCESS);
    }
    double ns = (double) (s_now_ns () - start) / (double) self->ops;
    s_print (name, ns - s_overhead_ns (self, false, keys));
}

static void s_open (s_bench_t *self)
{
    dtkv_store_options_t options = {.limits = DTKV_LIMITS_DEFAULT, .hash_seed = 0x5eed};
    self->store = dtkv_store_new (&options);
    self->index = 0;
    s_mkdir (self);
}

static void s_close (s_bench_t *self)
{
    dtkv_store_destroy (&self->store);
    malloc_trim (0);
}

// Take a snapshot into memory in steps, with overwrites between them, and restore it.
static void s_snapshot (s_bench_t *self)
{
    dt_buffer_t stream = {0};
    bool done = false;
    int64_t longest = 0;
    int64_t total = 0;
    uint64_t digest = dtkv_store_digest (self->store);
    int64_t start = s_now_ns ();
    dtkv_snapshot_t *snapshot = dtkv_snapshot_new (self->store);
    int64_t begin = s_now_ns () - start;
    dt_buffer_reserve (&stream, (size_t) (self->keys * (self->value_bytes + 128)) + 4096);
    while (!done) {
        start = s_now_ns ();
        dtkv_snapshot_next (snapshot, 256 * 1024, &stream, &done);
        int64_t took = s_now_ns () - start;
        longest = took > longest ? took : longest;
        total += took;
        for (int i = 0; i < 100; i++) {
            s_make_put (self, (uint64_t) (stream.bytes * 31 + (size_t) i * 7919) % self->keys);
            s_apply (self, DTKV_OP_PUT);
        }
    }
    dtkv_snapshot_destroy (&snapshot);
    printf ("%-44s %8.3f ms\n", "snapshot: begin", (double) begin / 1e6);
    printf ("%-44s %8.3f ms\n", "snapshot: longest step of 256 KiB", (double) longest / 1e6);
    printf ("%-44s %8.0f ms\n", "snapshot: all steps", (double) total / 1e6);
    s_close (self);
    dtkv_store_options_t options = {.limits = DTKV_LIMITS_DEFAULT, .hash_seed = 0x5eed};
    start = s_now_ns ();
    dtkv_restore_t *restore = dtkv_restore_new (&options);
    for (size_t at = 0; at < stream.bytes; at += 65536) {
        size_t bytes = stream.bytes - at < 65536 ? stream.bytes - at : 65536;
        int rc = dtkv_restore_feed (restore, stream.data + at, bytes);
        dt_assert (rc == 0);
    }
    int rc = dtkv_restore_finish (restore, &self->store);
    dt_assert (rc == 0);
    dtkv_restore_destroy (&restore);
    printf ("%-44s %8.0f ms\n", "restore", (double) (s_now_ns () - start) / 1e6);
    dt_assert (dtkv_store_digest (self->store) == digest);
    dt_buffer_deinit (&stream);
}

static void s_run (s_bench_t *self)
{
    s_open (self);
    s_fill (self, 10000, false, "put, new, 10 000 keys, in order");
    s_overwrite (self, 10000, "put, overwrite, among 10 000 keys");
    s_get (self, 10000, "get, among 10 000 keys");
    s_close (self);

    uint64_t before = s_resident_bytes ();
    s_open (self);
    s_fill (self, self->keys, false, "put, new, all keys, in order");
    uint64_t resident = s_resident_bytes ();
    double data = (double) self->keys * (24.0 + self->value_bytes);
    printf ("%-44s %8.1f B/key, %.3f x the data, %.0f MB resident\n", "memory, in order",
            (double) (resident - before) / (double) self->keys, (double) resident / data,
            (double) resident / 1e6);
    s_overwrite (self, self->keys, "put, overwrite, among all keys");
    s_get (self, self->keys, "get, among all keys");
    s_snapshot (self);
    s_close (self);

    s_open (self);
    s_fill (self, self->keys, true, "put, new, all keys, jumping about");
    resident = s_resident_bytes ();
    printf ("%-44s %8.1f B/key, %.3f x the data, %.0f MB resident\n", "memory, jumping about",
            (double) (resident - before) / (double) self->keys, (double) resident / data,
            (double) resident / 1e6);
    s_close (self);
}

static uint64_t s_number (const char *text)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull (text, &end, 10);
    if (errno || *end || end == text || number == 0) {
        fprintf (stderr, "kv_core_bench: not a number above 0: %s\n", text);
        exit (2);
    }
    return number;
}

int main (int argc, char **argv)
{
    s_bench_t bench = {.keys = 1000000, .ops = 2000000, .value_bytes = 256};
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp (argv[i], "--keys") == 0) {
            bench.keys = s_number (argv[i + 1]);
        } else if (i + 1 < argc && strcmp (argv[i], "--ops") == 0) {
            bench.ops = s_number (argv[i + 1]);
        } else if (i + 1 < argc && strcmp (argv[i], "--value") == 0) {
            bench.value_bytes = (uint32_t) s_number (argv[i + 1]);
        } else {
            fprintf (stderr, "usage: kv_core_bench [--keys N] [--ops N] [--value BYTES]\n");
            return 2;
        }
    }
    bench.value = malloc (bench.value_bytes);
    if (!bench.value || bench.value_bytes > DTKV_LIMITS_DEFAULT.value_bytes_max) {
        fprintf (stderr, "kv_core_bench: --value is over the limit\n");
        return 2;
    }
    memset (bench.value, 'v', bench.value_bytes);
    s_run (&bench);
    free (bench.value);
    dt_buffer_deinit (&bench.request);
    dt_buffer_deinit (&bench.reply);
    return 0;
}
