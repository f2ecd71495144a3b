// fuzz_log_segment - recovery of a log from one segment file with any content.
//
// The first byte chooses what is made right before the file is opened, so that the fuzzer gets past
// the checksums: 1: the segment header's identity and crc, 2: the header crc of what begins like a
// record, 4: its chain crc too. The rest is the file, filled up with zeros to 64 KiB.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_env.h"
#include "base/dt_error.h"
#include "storage/log_segment.h"
#include "storage/log_store.h"
#include "storage/vfs_sim.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static int64_t s_time (const dt_env_t *env)
{
    (void) env;
    return 0;
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
    (void) line;
}

static const dt_env_t s_env = {
    .now_ns = s_time,
    .wall_ms = s_time,
    .entropy = s_entropy,
    .log = s_log,
    .log_level = DT_LOG_ERROR,
};

static uint8_t content[LOG_SEGMENT_BYTES_MIN];

static void s_put32 (size_t at, uint32_t value)
{
    memcpy (content + at, &value, sizeof value);
}

static uint32_t s_get32 (size_t at)
{
    uint32_t value;
    memcpy (&value, content + at, sizeof value);
    return value;
}

static void s_repair_segment_header (void)
{
    log_segment_header_t header = {
        .identity = {.cluster_id = 1, .group_id = 2, .node_id = 3},
        .seq = 1,
        .first_index = 1,
        .prev_chain = s_get32 (64),
        .salt = s_get32 (68),
        .segment_bytes = LOG_SEGMENT_BYTES_MIN,
        .flags = s_get32 (76),
    };
    log_segment_header_encode (&header, content);
}

static void s_repair_records (bool chain_too)
{
    uint32_t salt = s_get32 (68);
    uint32_t chain = s_get32 (64);
    for (size_t at = 4096; at + LOG_RECORD_HEADER_BYTES <= sizeof content;) {
        if (s_get32 (at) != LOG_RECORD_MAGIC) {
            at += 8;
            continue;
        }
        uint64_t body = s_get32 (at + 12);
        uint64_t whole = log_record_bytes (body);
        if (chain_too && at + LOG_RECORD_HEADER_BYTES + body <= sizeof content) {
            chain = dt_crc32c (chain, content + at + 12, LOG_RECORD_HEADER_BYTES - 12 + body);
            s_put32 (at + 8, chain);
        }
        s_put32 (at + 4, dt_crc32c (salt, content + at + 8, LOG_RECORD_HEADER_BYTES - 8));
        at += whole <= sizeof content - at ? whole : 8;
    }
}

static void s_read_all (log_store_t *store)
{
    uint64_t next = log_store_first (store);
    while (next <= log_store_durable (store)) {
        log_batch_t *batch;
        int rc = log_store_read (store, next, UINT64_MAX, 10000, &batch);
        dt_assert (rc == 0); // recovery has verified it all
        dt_assert (log_batch_first (batch) == next);
        next += batch->count;
        log_batch_unref (&batch);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    if (bytes < 1 || bytes > sizeof content) {
        return 0;
    }
    memset (content, 0, sizeof content);
    memcpy (content, data + 1, bytes - 1);
    if (data[0] & 1) {
        s_repair_segment_header ();
    }
    if (data[0] & 6) {
        s_repair_records ((data[0] & 4) != 0);
    }
    vfs_sim_disk_t *disk = vfs_sim_disk_new (1, &s_env);
    vfs_sim_t *mount = vfs_sim_mount (disk, "", NULL, NULL);
    vfs_t *vfs = vfs_sim_vfs (mount);
    char path[LOG_PATH_BYTES];
    log_segment_path (path, "log", 1);
    vfs_file_t *file;
    vfs->ops->mkdir (vfs, "log");
    int rc = vfs->ops->open (vfs, path, VFS_WRITE | VFS_CREATE, &file);
    dt_assert (rc == 0);
    file->ops->write_sync (file, content, sizeof content, 0);
    file->ops->close (file);
    log_store_options_t options = {
        .vfs = vfs,
        .env = &s_env,
        .directory = "log",
        .identity = {.cluster_id = 1, .group_id = 2, .node_id = 3},
        .segment_bytes = LOG_SEGMENT_BYTES_MIN,
    };
    log_store_t *store;
    log_report_t report;
    for (int i = 0; i < 2; i++) { // the second time everything must be clean
        rc = log_store_open (&options, &store, &report);
        if (rc) {
            dt_assert (i == 0);
            break;
        }
        dt_assert (i == 0 || report.verdict == LOG_VERDICT_CLEAN);
        s_read_all (store);
        log_store_close (&store);
    }
    vfs_sim_unmount (&mount);
    vfs_sim_disk_destroy (&disk);
    return 0;
}
