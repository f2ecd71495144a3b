// dtutl_state - the offline tool's view of identity, hard states and snapshots.

#include <stdlib.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/dtutl.h"
#include "storage/hard_state.h"
#include "storage/snapshot_store.h"

void dtutl_show_identity (dtutl_t *self)
{
    json_t *object = dtutl_object ("identity", NULL);
    if (self->identity_rc == 0) {
        dtutl_add_hex (object, "cluster_id", self->identity.cluster_id);
        dtutl_add_number (object, "node_id", self->identity.node_id);
        dtutl_add_hex (object, "directory_id", self->identity.id);
        dtutl_add_number (object, "version", self->identity.version);
        dtutl_add_number (object, "created_ms", self->identity.created_ms);
    }
    // A directory without identity is no node's: what is looked for is not here.
    dtutl_add_result (self, object, self->identity_rc, self->identity_why);
    dtutl_emit (self, object);
}

void dtutl_show_hard_state (dtutl_t *self, uint32_t group)
{
    char path[DATA_DIR_PATH_BYTES];
    hard_state_value_t value;
    uint64_t generation;
    json_t *object = dtutl_object ("hard_state", &group);
    data_dir_hard_state_path (path, group);
    hard_state_options_t options = {
        .vfs = &self->vfs.base,
        .env = &self->env,
        .path = path,
        .identity = dtutl_identity (self, group),
    };
    int rc = hard_state_inspect (&options, &value, &generation);
    if (rc == 0) {
        dtutl_add_number (object, "term", value.term);
        dtutl_add_number (object, "vote", value.vote);
        dtutl_add_number (object, "commit", value.commit);
        if (value.repair_until > 0) {
            dtutl_add_number (object, "repair_until", value.repair_until);
        }
        dtutl_add_number (object, "generation", generation);
    }
    dtutl_add_result (self, object, rc, rc == DT_ERR_NOT_FOUND ? "there is no hard state" : NULL);
    dtutl_emit (self, object);
}

static void s_add_info (json_t *object, const snapshot_info_t *info)
{
    dtutl_add_number (object, "cluster_time_ms", info->cluster_time_ms);
    dtutl_add_number (object, "config_index", info->config_index);
    dtutl_add_number (object, "created_ms", info->created_ms);
    dtutl_add_number (object, "node_id", info->node_id);
    dtutl_add_number (object, "content_bytes", info->total_bytes);
    dtutl_add_number (object, "file_bytes", info->file_bytes);
    dtutl_add_number (object, "chunks", info->chunks);
    dtutl_add_hex (object, "state_digest", info->state_digest);
}

static int s_add_config (json_t *object, snapshot_store_t *store, const snapshot_info_t *info)
{
    snapshot_reader_t *reader = NULL;
    int rc = snapshot_reader_open (store, info->index, info->term, &reader, NULL);
    if (rc == 0) {
        const snapshot_meta_t *meta = snapshot_reader_meta (reader);
        dtutl_add_bytes (object, "config", meta->config, meta->config_bytes);
        snapshot_reader_close (&reader);
    }
    return rc;
}

static void s_show_snapshot (dtutl_t *self, uint32_t group, snapshot_store_t *store,
                             const snapshot_info_t *name)
{
    snapshot_info_t info;
    snapshot_report_t report;
    json_t *object = dtutl_object ("snapshot", &group);
    dtutl_add_number (object, "index", name->index);
    dtutl_add_number (object, "term", name->term);
    int rc = snapshot_store_verify (store, name->index, name->term, &info, &report);
    if (rc == 0) {
        s_add_info (object, &info);
    }
    if (rc == 0 && !self->verify) {
        rc = s_add_config (object, store, &info);
    }
    if (rc) {
        dtutl_add_text (object, "file", report.file);
        dtutl_add_number (object, "offset", report.offset);
    }
    dtutl_add_result (self, object, rc, report.why);
    dtutl_emit (self, object);
}

void dtutl_show_snapshots (dtutl_t *self, uint32_t group)
{
    char path[DATA_DIR_PATH_BYTES];
    snapshot_store_t *store = NULL;
    snapshot_info_t *names = NULL;
    data_dir_snapshots_path (path, group);
    snapshot_store_options_t options = {
        .vfs = &self->vfs.base,
        .env = &self->env,
        .directory = path,
        .identity = dtutl_identity (self, group),
    };
    int rc = snapshot_store_open_readonly (&options, &store);
    int count = rc ? rc : snapshot_store_list (store, NULL, 0);
    if (count > 0) {
        names = dt_zalloc ((size_t) count, sizeof *names);
        count = snapshot_store_list (store, names, (uint32_t) count);
    }
    if (count < 0 && count != DT_ERR_NOT_FOUND) {
        json_t *object = dtutl_object ("snapshot", &group);
        dtutl_add_result (self, object, count, NULL);
        dtutl_emit (self, object);
    }
    for (int i = 0; i < count; i++) { // a group need not have one
        s_show_snapshot (self, group, store, &names[i]);
    }
    free (names);
    snapshot_store_close (&store);
}
