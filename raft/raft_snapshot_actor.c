#include "raft/raft_snapshot_actor.h"

#include <stdio.h>
#include <stdlib.h>

#include "actors/actor_host.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/snapshot_store.h"

enum { KEEP_DEFAULT = 2 };

struct raft_snapshots {
    actor_t *actor;                   // owned by its host
    const dt_env_t *env;              // borrowed
    raft_snapshots_options_t options; // name is not kept
    char *directory;                  // owned
    actor_t *group, *machine;         // whom it talks to
    snapshot_store_t *store;          // NULL until SNAPSHOT_LOAD
    // Saving; writer NULL: not saving, or it failed and the machine was told to end.
    snapshot_writer_t *writer;
    machine_snapshot_t *saving; // what is being saved
    // Loading; reader NULL: not loading.
    snapshot_reader_t *reader;
    snapshot_info_t info; // of what is being loaded
    bool loading_first;   // the next piece is the first
    bool loading_last;    // the last piece was sent
};

static void s_message_free (actor_message_t *message)
{
    free (message);
}

void *raft_snapshots_message_new (uint16_t type)
{
    size_t bytes = type == SNAPSHOT_LOADED  ? sizeof (snapshot_loaded_t)
                   : type == SNAPSHOT_SAVED ? sizeof (snapshot_saved_t)
                                            : sizeof (actor_message_t);
    actor_message_t *message = dt_zalloc (1, bytes);
    message->type = type;
    message->free_fn = s_message_free;
    return message;
}

static void s_ask_machine (raft_snapshots_t *self, uint16_t type)
{
    actor_answer (self->actor, self->machine, raft_machine_message_new (type));
}

// --- loading -------------------------------------------------------------------------------------

static void s_answer_loaded (raft_snapshots_t *self, int rc, bool found)
{
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
    }
    snapshot_reader_close (&self->reader);
    actor_answer (self->actor, self->group, &loaded->message);
}

static void s_load_next (raft_snapshots_t *self)
{
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
    actor_answer (self->actor, self->machine, &restore->message);
}

static int s_open_store (raft_snapshots_t *self)
{
    char path[1024];
    snprintf (path, sizeof path, "%s/snapshots", self->directory);
    return snapshot_store_open (
        &(snapshot_store_options_t){
            .vfs = self->options.vfs,
            .env = self->env,
            .directory = path,
            .identity = self->options.identity,
        },
        &self->store);
}

static void s_on_load (raft_snapshots_t *self)
{
    int rc = s_open_store (self);
    if (rc == 0) {
        snapshot_report_t report;
        rc = snapshot_store_newest (self->store, &self->info, &report);
        if (report.damaged > 0) {
            dt_log_error (self->env, actor_name (self->actor),
                          "%u of %u snapshots are damaged; newest damaged: %s at offset %llu: %s",
                          report.damaged, report.snapshots, report.file,
                          (unsigned long long) report.offset, report.why);
        }
    }
    if (rc == DT_ERR_NOT_FOUND) {
        s_answer_loaded (self, 0, false);
        return;
    }
    if (rc == 0) {
        rc = snapshot_reader_open (self->store, self->info.index, self->info.term, &self->reader,
                                   NULL);
    }
    if (rc != 0) {
        s_answer_loaded (self, rc, true);
        return;
    }
    self->loading_first = true;
    s_load_next (self);
}

static void s_on_restored (raft_snapshots_t *self, const machine_restored_t *restored)
{
    if (restored->rc == 0 && !self->loading_last) {
        s_load_next (self);
        return;
    }
    int rc = restored->rc;
    if (rc == 0 && restored->digest != self->info.state_digest) {
        dt_log_error (self->env, actor_name (self->actor),
                      "snapshot %llu does not give the state it was taken of",
                      (unsigned long long) self->info.index);
        rc = DT_ERR_CORRUPT;
    }
    if (rc == 0) {
        dt_log_info (self->env, actor_name (self->actor), "snapshot %llu loaded, %llu bytes",
                     (unsigned long long) self->info.index,
                     (unsigned long long) self->info.total_bytes);
    }
    s_answer_loaded (self, rc, true);
}

// --- saving --------------------------------------------------------------------------------------

static void s_end_saving (raft_snapshots_t *self, int rc, uint64_t bytes)
{
    if (rc != 0) {
        dt_log_warn (self->env, actor_name (self->actor), "snapshot %llu could not be saved: %s",
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
    actor_answer (self->actor, self->group, &saved->message);
}

static void s_on_begun (raft_snapshots_t *self, machine_snapshot_t *begun)
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
    int rc = snapshot_writer_begin (self->store, &meta, &self->writer);
    dt_buffer_deinit (&config);
    if (rc != 0) {
        s_end_saving (self, rc, 0);
        return;
    }
    s_ask_machine (self, MACHINE_SNAPSHOT_NEXT);
}

static void s_on_chunk (raft_snapshots_t *self, const machine_chunk_t *chunk)
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
        rc = snapshot_writer_finish (&self->writer, self->saving->digest, &info);
    }
    if (rc == 0 && chunk->done) {
        rc = snapshot_store_prune (self->store,
                                   self->options.keep ? self->options.keep : KEEP_DEFAULT, NULL);
    }
    if (rc == 0 && chunk->done) {
        dt_log_info (self->env, actor_name (self->actor), "snapshot %llu saved, %llu bytes",
                     (unsigned long long) info.index, (unsigned long long) info.file_bytes);
    }
    if (chunk->done || rc != 0) {
        s_end_saving (self, rc, info.file_bytes);
    }
}

// --- the fiber -----------------------------------------------------------------------------------

static void s_handle (raft_snapshots_t *self, actor_message_t *message)
{
    switch (message->type) {
    case SNAPSHOT_LOAD:
        s_on_load (self);
        break;
    case MACHINE_RESTORED:
        s_on_restored (self, (machine_restored_t *) message);
        break;
    case MACHINE_SNAPSHOT_BEGUN:
        s_on_begun (self, (machine_snapshot_t *) message);
        return;
    case MACHINE_SNAPSHOT_CHUNK:
        if (self->saving) {
            s_on_chunk (self, (machine_chunk_t *) message);
        }
        break;
    default:
        dt_unreachable ();
    }
    actor_message_free (&message);
}

static void s_run (void *argument)
{
    raft_snapshots_t *self = argument;
    for (;;) {
        actor_message_t *message;
        int rc = actor_receive (self->actor, &message, FIBER_FOREVER);
        if (rc == DT_ERR_CLOSED) {
            break;
        }
        if (rc == 0) {
            s_handle (self, message);
        }
    }
    // A snapshot cut off by the stop is not one: it has no trailer, and goes.
    snapshot_writer_abort (&self->writer);
    snapshot_reader_close (&self->reader);
    snapshot_store_close (&self->store);
}

raft_snapshots_t *raft_snapshots_new (actor_host_t *host, const raft_snapshots_options_t *options)
{
    raft_snapshots_t *self = dt_zalloc (1, sizeof *self);
    self->env = actor_host_env (host);
    self->options = *options;
    self->directory = dt_strdup (options->directory);
    self->actor = actor_new (host, &(actor_options_t){
                                       .name = options->name,
                                       .run = s_run,
                                       .argument = self,
                                   });
    return self;
}

void raft_snapshots_connect (raft_snapshots_t *self, actor_t *group, actor_t *machine)
{
    self->group = group;
    self->machine = machine;
}

void raft_snapshots_destroy (raft_snapshots_t **self_p)
{
    raft_snapshots_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    if (self->saving) {
        actor_message_t *message = &self->saving->message;
        actor_message_free (&message);
    }
    free (self->directory);
    free (self);
}

actor_t *raft_snapshots_actor (raft_snapshots_t *self)
{
    return self->actor;
}
