#include "tests/storage/log_harness.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"

static int64_t s_now_ns (const dt_env_t *env)
{
    (void) env;
    return 0;
}

static int64_t s_wall_ms (const dt_env_t *env)
{
    (void) env;
    return 1700000000000;
}

static uint64_t s_entropy (const dt_env_t *env)
{
    log_harness_t *self = env->context;
    return dt_hash_mix (++self->entropy);
}

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    log_harness_t *self = env->context;
    if (level >= DT_LOG_WARN) {
        snprintf (self->last_log, sizeof self->last_log, "%s", line);
    }
    if (getenv ("DT_TEST_LOG")) {
        fprintf (stderr, "%s\n", line);
    }
}

static void s_mount (log_harness_t *self)
{
    self->mount = vfs_sim_mount (self->disk, "", NULL, NULL);
    vfs_fault_init (&self->fault, vfs_sim_vfs (self->mount));
    self->options.vfs = &self->fault.vfs;
}

void log_harness_init (log_harness_t *self, uint64_t seed)
{
    memset (self, 0, sizeof *self);
    self->env = (dt_env_t){
        .now_ns = s_now_ns,
        .wall_ms = s_wall_ms,
        .entropy = s_entropy,
        .log = s_log,
        .log_level = DT_LOG_DEBUG,
        .context = self,
    };
    self->entropy = seed;
    self->disk = vfs_sim_disk_new (seed, &self->env);
    self->options = (log_store_options_t){
        .env = &self->env,
        .directory = "log",
        .identity = {.cluster_id = 0xabcdef, .group_id = 7, .node_id = 3},
        .segment_bytes = LOG_SEGMENT_BYTES_MIN,
    };
    s_mount (self);
    dt_random_init (&self->random, seed);
    self->twin = dt_zalloc (LOG_TWIN_MAX, sizeof self->twin[0]);
}

void log_harness_deinit (log_harness_t *self)
{
    log_store_close (&self->store);
    vfs_sim_unmount (&self->mount);
    vfs_sim_disk_destroy (&self->disk);
    free (self->twin);
}

void log_harness_open (log_harness_t *self)
{
    int rc = log_store_open (&self->options, &self->store, &self->report);
    ck_assert_msg (rc == 0, "open: %s: %s (%s)", dt_error_name (rc), self->report.why,
                   self->last_log);
}

void log_harness_close (log_harness_t *self)
{
    log_store_close (&self->store);
}

void log_harness_refuse (log_harness_t *self, int rc)
{
    uint64_t before = vfs_sim_digest (self->disk);
    int got = log_store_open (&self->options, &self->store, &self->report);
    ck_assert_msg (got == rc, "open: %s instead of %s", dt_error_name (got), dt_error_name (rc));
    ck_assert_uint_eq (vfs_sim_digest (self->disk), before);
}

static void s_remount (log_harness_t *self)
{
    log_store_close (&self->store);
    vfs_sim_unmount (&self->mount);
    s_mount (self);
}

void log_harness_crash (log_harness_t *self)
{
    vfs_sim_crash (self->disk);
    s_remount (self);
}

void log_harness_kill (log_harness_t *self)
{
    vfs_sim_kill (self->disk);
    s_remount (self);
}

static void s_content (const log_twin_entry_t *twin, uint8_t *payload)
{
    uint64_t word = twin->word;
    for (uint32_t i = 0; i < twin->payload_bytes; i++) {
        if (i % 8 == 0) {
            word = dt_hash_mix (word + i + 1);
        }
        payload[i] = (uint8_t) (word >> (i % 8 * 8));
    }
}

static log_entry_t s_entry (uint64_t index, const log_twin_entry_t *twin, const uint8_t *payload)
{
    return (log_entry_t){
        .index = index,
        .term = twin->term,
        .cluster_time_ms = twin->word >> 8,
        .wall_ms = twin->word >> 9,
        .principal = twin->word >> 10,
        .session_id = twin->word >> 11,
        .session_seq = twin->word >> 12,
        .session_ack = twin->word >> 13,
        .payload = payload,
        .payload_bytes = twin->payload_bytes,
        .operation = (uint16_t) twin->word,
        .type = (uint8_t) (twin->word % 3),
    };
}

log_batch_t *log_harness_batch (log_harness_t *self, uint64_t after, uint32_t count, uint64_t term,
                                uint32_t payload_max)
{
    log_batch_t *batch = log_batch_new (count);
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t index = after + 1 + i;
        ck_assert_uint_lt (index, LOG_TWIN_MAX);
        log_twin_entry_t *twin = &self->twin[index];
        twin->term = term;
        twin->word = dt_random_next (&self->random);
        twin->payload_bytes = (uint32_t) dt_random_below (&self->random, payload_max + 1);
        bytes += twin->payload_bytes;
    }
    batch->blob = dt_blob_new (bytes);
    uint8_t *at = dt_blob_data (batch->blob);
    for (uint32_t i = 0; i < count; i++) {
        const log_twin_entry_t *twin = &self->twin[after + 1 + i];
        s_content (twin, at);
        batch->entries[batch->count++] = s_entry (after + 1 + i, twin, at);
        at += twin->payload_bytes;
    }
    self->last = after + count;
    return batch;
}

void log_harness_append (log_harness_t *self, uint32_t count, uint64_t term, uint32_t payload_max)
{
    log_batch_t *batch =
        log_harness_batch (self, log_store_last (self->store), count, term, payload_max);
    int rc = log_store_append (self->store, batch, log_batch_first (batch), log_batch_last (batch));
    ck_assert_int_eq (rc, 0);
    log_batch_unref (&batch);
}

void log_harness_flush (log_harness_t *self)
{
    uint64_t durable = 0;
    ck_assert_int_eq (log_store_flush (self->store, &durable), 0);
    ck_assert_uint_eq (durable, self->last);
    ck_assert_uint_eq (log_store_durable (self->store), self->last);
    log_store_check (self->store);
}

void log_harness_truncate (log_harness_t *self, uint64_t from)
{
    ck_assert_int_eq (log_store_truncate_suffix (self->store, from), 0);
    self->last = from - 1;
    ck_assert_uint_eq (log_store_last (self->store), self->last);
    log_store_check (self->store);
}

void log_harness_check_entry (const log_harness_t *self, const log_entry_t *entry)
{
    const log_twin_entry_t *twin = &self->twin[entry->index];
    log_entry_t want = s_entry (entry->index, twin, entry->payload);
    ck_assert_uint_eq (entry->term, want.term);
    ck_assert_uint_eq (entry->cluster_time_ms, want.cluster_time_ms);
    ck_assert_uint_eq (entry->wall_ms, want.wall_ms);
    ck_assert_uint_eq (entry->principal, want.principal);
    ck_assert_uint_eq (entry->session_id, want.session_id);
    ck_assert_uint_eq (entry->session_seq, want.session_seq);
    ck_assert_uint_eq (entry->session_ack, want.session_ack);
    ck_assert_uint_eq (entry->payload_bytes, want.payload_bytes);
    ck_assert_uint_eq (entry->operation, want.operation);
    ck_assert_uint_eq (entry->type, want.type);
    uint8_t *payload = dt_malloc (twin->payload_bytes);
    s_content (twin, payload);
    ck_assert_int_eq (
        twin->payload_bytes ? memcmp (payload, entry->payload, twin->payload_bytes) : 0, 0);
    free (payload);
}

void log_harness_verify (log_harness_t *self)
{
    log_store_check (self->store);
    uint64_t first = log_store_first (self->store);
    uint64_t last = log_store_durable (self->store);
    ck_assert_uint_le (first, self->base + 1);
    ck_assert_uint_eq (log_store_last (self->store), self->last);
    for (uint64_t next = first; next <= last;) {
        log_batch_t *batch = NULL;
        size_t bytes = dt_random_below (&self->random, 2) ? 1 << 20 : 1000;
        ck_assert_int_eq (log_store_read (self->store, next, last, bytes, &batch), 0);
        ck_assert_uint_ge (batch->count, 1);
        for (uint32_t i = 0; i < batch->count; i++) {
            uint64_t term = 0;
            ck_assert_uint_eq (batch->entries[i].index, next + i);
            log_harness_check_entry (self, &batch->entries[i]);
            ck_assert_int_eq (log_store_term (self->store, next + i, &term), 0);
            ck_assert_uint_eq (term, self->twin[next + i].term);
        }
        next += batch->count;
        log_batch_unref (&batch);
    }
}

void log_harness_read_file (log_harness_t *self, const char *path, dt_buffer_t *content)
{
    vfs_t *vfs = vfs_sim_vfs (self->mount);
    vfs_file_t *file;
    uint64_t bytes;
    ck_assert_int_eq (vfs->ops->open (vfs, path, VFS_READ, &file), 0);
    ck_assert_int_eq (file->ops->size (file, &bytes), 0);
    dt_buffer_clear (content);
    size_t got;
    ck_assert_int_eq (file->ops->read (file, dt_buffer_reserve (content, bytes), bytes, 0, &got),
                      0);
    content->bytes = got;
    file->ops->close (file);
}

void log_harness_write_file (log_harness_t *self, const char *path, uint64_t offset,
                             const void *data, size_t bytes)
{
    vfs_t *vfs = vfs_sim_vfs (self->mount);
    vfs_file_t *file;
    ck_assert_int_eq (vfs->ops->open (vfs, path, VFS_WRITE, &file), 0);
    ck_assert_int_eq (file->ops->write_sync (file, data, bytes, offset), 0);
    file->ops->close (file);
}

typedef struct {
    const char *suffix;
    uint32_t count;
} count_t;

static void s_count_one (void *argument, const char *name, bool is_directory)
{
    count_t *count = argument;
    size_t length = strlen (name);
    size_t suffix = strlen (count->suffix);
    (void) is_directory;
    count->count += length >= suffix && strcmp (name + length - suffix, count->suffix) == 0;
}

uint32_t log_harness_count_files (log_harness_t *self, const char *suffix)
{
    vfs_t *vfs = vfs_sim_vfs (self->mount);
    count_t count = {.suffix = suffix};
    ck_assert_int_eq (vfs->ops->list (vfs, "log", s_count_one, &count), 0);
    return count.count;
}

const char *log_harness_segment (uint64_t seq)
{
    static char path[64];
    snprintf (path, sizeof path, "log/%020llu.log", (unsigned long long) seq);
    return path;
}
