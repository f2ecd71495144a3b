// raft_snapshot_disk - saving and loading: between the state machine and disk.

#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/raft_snapshot_internal.h"

enum { PATH_BYTES = 1024 };

struct snapshot_disk {
    raft_snapshots_t *snapshots; // whose it is
    fiber_channel_t *messages;   // not handled yet
    // Saving; writer NULL: not saving, or it failed and the machine was told to end.
    snapshot_writer_t *writer;
    machine_snapshot_t *saving; // what is being saved
    // Loading; reader NULL: not loading.
    snapshot_reader_t *reader;
    snapshot_info_t info; // of what is being loaded
    bool installing;      // it was named: its predecessors are of no use afterwards
    bool loading_first;   // the next piece is the first
    bool loading_last;    // the last piece was sent
};

static void s_ask_machine (snapshot_disk_t *self, uint16_t type)
{
    raft_snapshots_t *owner = self->snapshots;
    actor_answer (owner->actor, owner->machine, raft_machine_message_new (type));
}

// --- saving --------------------------------------------------------------------------------------

static void s_end_saving (snapshot_disk_t *self, int rc, uint64_t bytes)
{
    raft_snapshots_t *owner = self->snapshots;
    if (rc != 0) {
        dt_log_warn (owner->env, actor_name (owner->actor), "snapshot %llu could not be saved: %s",
                     (unsigned long long) self->saving->meta.index, dt_error_text (rc));
    }
    snapshot_writer_abort (&self->writer);
    s_ask_machine (self, MACHINE_SNAPSHOT_END);
    snapshot_saved_t *saved = raft_snapshots_message_new (SNAPSHOT_SAVED);
    saved->rc = rc;
    saved->index = self->saving->meta.index;
    saved->term = self->saving->meta.term;
    saved->bytes = bytes;
    actor_message_t *message = &self->saving->message;
    self->saving = NULL;
    actor_message_free (&message);
    actor_answer (owner->actor, owner->group, &saved->message);
    raft_snapshots_see_error (owner, rc);
}

static void s_on_begun (snapshot_disk_t *self, machine_snapshot_t *begun)
{
    dt_assert (!self->saving);
    self->saving = begun;
    dt_buffer_t config = {0};
    raft_config_encode (&begun->meta.config, &config);
    snapshot_meta_t meta = {
        .index = begun->meta.index,
        .term = begun->meta.term,
        .cluster_time_ms = begun->meta.cluster_time_ms,
        .config_index = begun->meta.config_index,
        .config = config.data,
        .config_bytes = (uint32_t) config.bytes,
    };
    int rc = snapshot_writer_begin (self->snapshots->store, &meta, &self->writer);
    dt_buffer_deinit (&config);
    if (rc != 0) {
        s_end_saving (self, rc, 0);
        return;
    }
    s_ask_machine (self, MACHINE_SNAPSHOT_NEXT);
}

// All of it was written: make it count.
static int s_finish_saving (snapshot_disk_t *self, snapshot_info_t *info)
{
    raft_snapshots_t *owner = self->snapshots;
    int rc = snapshot_writer_finish (&self->writer, self->saving->digest, info);
    if (rc == 0) {
        owner->base = info->index > owner->base ? info->index : owner->base;
        rc = raft_snapshots_prune (owner);
    }
    if (rc == 0) {
        dt_log_info (owner->env, actor_name (owner->actor), "snapshot %llu saved, %llu bytes",
                     (unsigned long long) info->index, (unsigned long long) info->file_bytes);
    }
    return rc;
}

static void s_on_chunk (snapshot_disk_t *self, const machine_chunk_t *chunk)
{
    // Ask for the next piece before the disk is busy with this one.
    if (!chunk->done) {
        s_ask_machine (self, MACHINE_SNAPSHOT_NEXT);
    }
    int rc = self->writer
                 ? snapshot_writer_add (self->writer, chunk->bytes.data, chunk->bytes.bytes)
                 : 0;
    snapshot_info_t info = {0};
    if (rc == 0 && chunk->done) {
        rc = s_finish_saving (self, &info);
    }
    if (chunk->done || rc != 0) {
        s_end_saving (self, rc, info.file_bytes);
    }
}

// --- loading -------------------------------------------------------------------------------------

static void s_answer_loaded (snapshot_disk_t *self, int rc, bool found)
{
    raft_snapshots_t *owner = self->snapshots;
    snapshot_loaded_t *loaded = raft_snapshots_message_new (SNAPSHOT_LOADED);
    loaded->rc = rc;
    loaded->found = found;
    if (rc == 0 && found) {
        const snapshot_meta_t *meta = snapshot_reader_meta (self->reader);
        loaded->bytes = self->info.file_bytes;
        loaded->meta.index = meta->index;
        loaded->meta.term = meta->term;
        loaded->meta.cluster_time_ms = meta->cluster_time_ms;
        loaded->meta.config_index = meta->config_index;
        loaded->rc = raft_config_decode (meta->config, meta->config_bytes, &loaded->meta.config);
        owner->base = self->info.index;
    }
    snapshot_reader_close (&self->reader);
    actor_answer (owner->actor, owner->group, &loaded->message);
}

static void s_load_next (snapshot_disk_t *self)
{
    raft_snapshots_t *owner = self->snapshots;
    const uint8_t *data;
    size_t bytes;
    int rc = snapshot_reader_next (self->reader, &data, &bytes);
    if (rc != 0) {
        s_answer_loaded (self, rc, true);
        return;
    }
    machine_restore_t *restore = raft_machine_message_new (MACHINE_RESTORE);
    restore->first = self->loading_first;
    restore->last = bytes == 0;
    self->loading_first = false;
    self->loading_last = restore->last;
    dt_buffer_append (&restore->bytes, data, bytes);
    actor_answer (owner->actor, owner->machine, &restore->message);
}

static int s_open_store (raft_snapshots_t *owner)
{
    char path[PATH_BYTES];
    snprintf (path, sizeof path, "%s/snapshots", owner->directory);
    return snapshot_store_open (
        &(snapshot_store_options_t){
            .vfs = owner->options.vfs,
            .env = owner->env,
            .directory = path,
            .identity = owner->options.identity,
        },
        &owner->store);
}

// The newest snapshot that verifies [DISK-19].
static int s_find_newest (snapshot_disk_t *self)
{
    raft_snapshots_t *owner = self->snapshots;
    snapshot_report_t report;
    int rc = snapshot_store_newest (owner->store, &self->info, &report);
    if (report.damaged > 0) {
        dt_log_error (owner->env, actor_name (owner->actor),
                      "%u of %u snapshots are damaged; newest damaged: %s at offset %llu: %s",
                      report.damaged, report.snapshots, report.file,
                      (unsigned long long) report.offset, report.why);
    }
    return rc;
}

static void s_on_load (snapshot_disk_t *self, const snapshot_load_t *load)
{
    raft_snapshots_t *owner = self->snapshots;
    dt_assert (!self->reader);
    if (self->saving) {
        s_end_saving (self, DT_ERR_CANCELLED, 0);
    }
    int rc = owner->store ? 0 : s_open_store (owner);
    self->installing = load->index != 0;
    uint64_t index = load->index, term = load->term;
    if (rc == 0 && !self->installing) {
        rc = s_find_newest (self);
        index = self->info.index;
        term = self->info.term;
        if (rc == DT_ERR_NOT_FOUND) {
            s_answer_loaded (self, 0, false);
            return;
        }
    }
    if (rc == 0) {
        rc = snapshot_reader_open (owner->store, index, term, &self->reader, &self->info);
    }
    if (rc != 0) {
        s_answer_loaded (self, rc, true);
        return;
    }
    self->loading_first = true;
    s_load_next (self);
}

static void s_on_restored (snapshot_disk_t *self, const machine_restored_t *restored)
{
    raft_snapshots_t *owner = self->snapshots;
    if (restored->rc == 0 && !self->loading_last) {
        s_load_next (self);
        return;
    }
    int rc = restored->rc;
    if (rc == 0 && restored->digest != self->info.state_digest) {
        dt_log_error (owner->env, actor_name (owner->actor),
                      "snapshot %llu does not give the state it was taken of",
                      (unsigned long long) self->info.index);
        rc = DT_ERR_CORRUPT;
    }
    if (rc == 0) {
        dt_log_info (owner->env, actor_name (owner->actor), "snapshot %llu loaded, %llu bytes",
                     (unsigned long long) self->info.index,
                     (unsigned long long) self->info.total_bytes);
    }
    s_answer_loaded (self, rc, true);
    if (rc == 0 && self->installing) {
        // Whatever cannot be removed now can be after the next snapshot; the store logs why.
        (void) raft_snapshots_prune (owner);
    }
}

// --- the fiber -----------------------------------------------------------------------------------

static void s_handle (snapshot_disk_t *self, actor_message_t *message)
{
    switch (message->type) {
    case SNAPSHOT_LOAD:
        s_on_load (self, (snapshot_load_t *) message);
        break;
    case MACHINE_RESTORED:
        s_on_restored (self, (machine_restored_t *) message);
        break;
    case MACHINE_SNAPSHOT_BEGUN:
        s_on_begun (self, (machine_snapshot_t *) message);
        return;
    case MACHINE_SNAPSHOT_CHUNK:
        if (self->saving) { // else it was given up
            s_on_chunk (self, (machine_chunk_t *) message);
        }
        break;
    default:
        dt_unreachable ();
    }
    actor_message_free (&message);
}

void raft_snapshot_disk_run (void *argument)
{
    snapshot_disk_t *self = argument;
    void *message;
    while (fiber_channel_take (self->messages, &message, FIBER_FOREVER) == 0) {
        s_handle (self, message);
    }
    // A snapshot cut off by the stop is not one: it has no trailer, and goes.
    snapshot_writer_abort (&self->writer);
    snapshot_reader_close (&self->reader);
    raft_snapshots_fiber_ended (self->snapshots);
}

void raft_snapshot_disk_take (snapshot_disk_t *self, actor_message_t *message)
{
    // Without bound: there is one load or save at a time, and one message of it on its way.
    int rc = fiber_channel_offer (self->messages, message);
    dt_assert (rc == 0);
}

void raft_snapshot_disk_stop (snapshot_disk_t *self)
{
    fiber_channel_close (self->messages);
}

snapshot_disk_t *raft_snapshot_disk_new (raft_snapshots_t *snapshots)
{
    snapshot_disk_t *self = dt_zalloc (1, sizeof *self);
    self->snapshots = snapshots;
    self->messages = fiber_channel_new ("snapshot disk", 0);
    return self;
}

void raft_snapshot_disk_destroy (snapshot_disk_t **self_p)
{
    snapshot_disk_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    if (self->saving) {
        actor_message_t *message = &self->saving->message;
        actor_message_free (&message);
    }
    void *left;
    while (fiber_channel_try_take (self->messages, &left) == 0) {
        actor_message_t *message = left;
        actor_message_free (&message);
    }
    fiber_channel_destroy (&self->messages);
    free (self);
}
