// fuzz_hard_state - opening a hard state file with any content.
//
// The first byte chooses: 1: fill the file up to its size, 2: make the checksums of all copies
// right.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "storage/hard_state.h"
#include "storage/vfs_sim.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes);

enum {
    FILE_BYTES = 8192,
    COPY_DISTANCE = 2048,
    COPY_BYTES = 96,
};

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    (void) env;
    (void) level;
    (void) line;
}

static const dt_env_t s_env = {.log = s_log, .log_level = DT_LOG_ERROR};

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
    static uint8_t content[FILE_BYTES];
    if (bytes < 1 || bytes > FILE_BYTES + 1) {
        return 0;
    }
    memset (content, 0, sizeof content);
    memcpy (content, data + 1, bytes - 1);
    size_t size = data[0] & 1 ? FILE_BYTES : bytes - 1;
    for (size_t at = 0; (data[0] & 2) && at < FILE_BYTES; at += COPY_DISTANCE) {
        memset (content + at + 12, 0, 4);
        uint32_t crc = dt_crc32c (0, content + at, COPY_BYTES);
        memcpy (content + at + 12, &crc, sizeof crc);
    }
    vfs_sim_disk_t *disk = vfs_sim_disk_new (1, &s_env);
    vfs_sim_t *mount = vfs_sim_mount (disk, "", NULL, NULL);
    vfs_t *vfs = vfs_sim_vfs (mount);
    vfs_file_t *file;
    int rc = vfs->ops->open (vfs, "hard_state", VFS_WRITE | VFS_CREATE, &file);
    dt_assert (rc == 0);
    file->ops->write_sync (file, content, size, 0);
    file->ops->close (file);
    hard_state_options_t options = {
        .vfs = vfs,
        .env = &s_env,
        .path = "hard_state",
        .identity = {.cluster_id = 1, .group_id = 2, .node_id = 3},
    };
    hard_state_t *state;
    hard_state_value_t value;
    if (hard_state_open (&options, &state, &value) == 0) {
        hard_state_value_t again;
        hard_state_close (&state);
        rc = hard_state_open (&options, &state, &again);
        dt_assert (rc == 0);
        dt_assert (again.term == value.term);
        dt_assert (again.vote == value.vote);
        dt_assert (again.commit == value.commit);
        hard_state_close (&state);
    }
    vfs_sim_unmount (&mount);
    vfs_sim_disk_destroy (&disk);
    return 0;
}
