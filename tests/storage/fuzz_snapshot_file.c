// A snapshot file of any bytes is verified or refused; what passes reads to its end. Such input
// has correct checksums only by luck, so each one is tried a second time with header and trailer
// sealed again: lengths and counts then reach the code behind the checks.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "quiet_env.h"
#include "storage/snapshot_store.h"
#include "storage/storage_bytes.h"
#include "storage/vfs_sim.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

static const char s_path[] = "s/00000000000000000005-00000000000000000003.snapshot";

static void s_read_all (snapshot_store_t *store)
{
    snapshot_reader_t *reader = NULL;
    snapshot_info_t info;
    if (snapshot_reader_open (store, 5, 3, &reader, &info)) {
        return;
    }
    uint64_t total = 0;
    size_t got = 1;
    int rc = 0;
    while (rc == 0 && got) {
        const uint8_t *chunk;
        rc = snapshot_reader_next (reader, &chunk, &got);
        total += rc ? 0 : got;
    }
    dt_assert (rc == DT_ERR_CORRUPT || total == info.total_bytes);
    snapshot_reader_close (&reader);
}

static void s_try (const uint8_t *data, size_t bytes)
{
    dt_env_t env;
    quiet_env_init (&env);
    vfs_sim_disk_t *disk = vfs_sim_disk_new (1, NULL);
    vfs_sim_t *mount = vfs_sim_mount (disk, "", NULL, NULL);
    vfs_t *vfs = vfs_sim_vfs (mount);
    snapshot_store_options_t options = {
        .vfs = vfs,
        .env = &env,
        .directory = "s",
        .identity = {.cluster_id = 11, .group_id = 22, .node_id = 33},
    };
    snapshot_store_t *store = NULL;
    vfs_file_t *file = NULL;
    int rc = snapshot_store_open (&options, &store);
    dt_assert (rc == 0);
    rc = vfs->ops->open (vfs, s_path, VFS_WRITE | VFS_CREATE, &file);
    dt_assert (rc == 0);
    rc = file->ops->write (file, data, bytes, 0);
    dt_assert (rc == 0);
    snapshot_info_t info;
    snapshot_report_t report;
    rc = snapshot_store_newest (store, &info, &report);
    dt_assert (rc == 0 || rc == DT_ERR_CORRUPT || rc == DT_ERR_FOREIGN ||
               rc == DT_ERR_NEWER_FORMAT);
    dt_assert (rc == 0 || report.why[0]);
    s_read_all (store);
    snapshot_store_close (&store);
    vfs_sim_unmount (&mount);
    vfs_sim_disk_destroy (&disk);
}

static void s_seal (uint8_t *block, size_t bytes, uint32_t seed)
{
    bytes_put_u32 (block + 12, 0);
    bytes_put_u32 (block + 12, dt_crc32c (seed, block, bytes));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    s_try (data, bytes);
    if (bytes < SNAPSHOT_HEADER_FIXED_BYTES + SNAPSHOT_TRAILER_BYTES) {
        return 0;
    }
    uint8_t *copy = dt_memdup (data, bytes);
    uint32_t header_bytes = bytes_get_u32 (copy + 76);
    if (header_bytes >= SNAPSHOT_HEADER_FIXED_BYTES &&
        header_bytes <= bytes - SNAPSHOT_TRAILER_BYTES) {
        uint8_t *trailer = copy + bytes - SNAPSHOT_TRAILER_BYTES;
        s_seal (copy, header_bytes, 0);
        memcpy (trailer + 44, copy + 12, 4);
        s_seal (trailer, SNAPSHOT_TRAILER_BYTES, bytes_get_u32 (copy + 80));
        s_try (copy, bytes);
    }
    free (copy);
    return 0;
}
