// The disks of a snapshot_world, while their nodes are down.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "tests/raft/snapshot_machine.h"
#include "tests/raft/snapshot_world_internal.h"

raft_config_t snapshot_world_config (void)
{
    raft_config_t config = raft_config_sole (1);
    raft_node_list_add (&config.observers, 9);
    raft_node_list_add (&config.next_voters, 2);
    raft_node_list_add (&config.next_voters, 3);
    config.auto_commit = true;
    return config;
}

static snapshot_store_t *s_open_store (snapshot_world_t *self, uint32_t id, vfs_sim_t **mount)
{
    dt_assert (!self->nodes[id].mount);
    *mount = vfs_sim_mount (self->nodes[id].disk, "", NULL, NULL);
    vfs_t *vfs = vfs_sim_vfs (*mount);
    int rc = vfs->ops->mkdir (vfs, SNAPSHOT_WORLD_DIRECTORY);
    if (rc == 0) {
        rc = vfs->ops->sync_directory (vfs, "");
    }
    snapshot_store_t *store = NULL;
    if (rc == 0) {
        rc = snapshot_store_open (
            &(snapshot_store_options_t){
                .vfs = vfs,
                .env = &self->env,
                .directory = SNAPSHOT_WORLD_DIRECTORY "/snapshots",
                .identity = {SNAPSHOT_WORLD_CLUSTER, SNAPSHOT_WORLD_GROUP, id},
            },
            &store);
    }
    dt_assert (rc == 0);
    return store;
}

void snapshot_world_put (snapshot_world_t *self, uint32_t id, uint64_t index, size_t bytes)
{
    vfs_sim_t *mount;
    snapshot_store_t *store = s_open_store (self, id, &mount);
    raft_config_t config = snapshot_world_config ();
    dt_buffer_t config_bytes = {0};
    raft_config_encode (&config, &config_bytes);
    snapshot_meta_t meta = {
        .index = index,
        .term = SNAPSHOT_WORLD_TERM,
        .cluster_time_ms = index * 10,
        .config_index = 1,
        .config = config_bytes.data,
        .config_bytes = (uint32_t) config_bytes.bytes,
    };
    uint8_t *data = dt_malloc (bytes);
    snapshot_machine_fill (index, data, bytes);
    snapshot_writer_t *writer = NULL;
    int rc = snapshot_writer_begin (store, &meta, &writer);
    if (rc == 0) {
        rc = snapshot_writer_add (writer, data, bytes);
    }
    if (rc == 0) {
        rc = snapshot_writer_finish (&writer, snapshot_machine_digest_of (data, bytes), NULL);
    }
    dt_assert (rc == 0);
    free (data);
    dt_buffer_deinit (&config_bytes);
    snapshot_store_close (&store);
    vfs_sim_unmount (&mount);
}

static bool s_is_exactly (snapshot_reader_t *reader, uint64_t index, size_t bytes)
{
    uint8_t *wanted = dt_malloc (bytes);
    snapshot_machine_fill (index, wanted, bytes);
    size_t at = 0, got = 1;
    bool same = true;
    while (same && got > 0) {
        const uint8_t *data;
        same = snapshot_reader_next (reader, &data, &got) == 0 && got <= bytes - at &&
               (got == 0 || memcmp (data, wanted + at, got) == 0);
        at += same ? got : 0;
    }
    free (wanted);
    raft_config_t config, expected = snapshot_world_config ();
    const snapshot_meta_t *meta = snapshot_reader_meta (reader);
    return same && at == bytes && meta->cluster_time_ms == index * 10 && meta->config_index == 1 &&
           raft_config_decode (meta->config, meta->config_bytes, &config) == 0 &&
           raft_config_equal (&config, &expected);
}

bool snapshot_world_has (snapshot_world_t *self, uint32_t id, uint64_t index, size_t bytes)
{
    vfs_sim_t *mount;
    snapshot_store_t *store = s_open_store (self, id, &mount);
    snapshot_reader_t *reader = NULL;
    bool has = snapshot_reader_open (store, index, SNAPSHOT_WORLD_TERM, &reader, NULL) == 0 &&
               s_is_exactly (reader, index, bytes);
    snapshot_reader_close (&reader);
    snapshot_store_close (&store);
    vfs_sim_unmount (&mount);
    return has;
}

static void s_count_file (void *argument, const char *name, bool iSNAPSHOT_WORLD_DIRECTORY)
{
    (void) name;
    *(unsigned *) argument += !iSNAPSHOT_WORLD_DIRECTORY;
}

unsigned snapshot_world_files (snapshot_world_t *self, uint32_t id)
{
    vfs_sim_t *mount = vfs_sim_mount (self->nodes[id].disk, "", NULL, NULL);
    vfs_t *vfs = vfs_sim_vfs (mount);
    unsigned count = 0;
    int rc = vfs->ops->list (vfs, SNAPSHOT_WORLD_DIRECTORY "/snapshots", s_count_file, &count);
    dt_assert (rc == 0);
    vfs_sim_unmount (&mount);
    return count;
}
