// How a group starts: the newest snapshot into the machine, then the log, then the core.

#include <stdlib.h>

#include "actors/actor_host.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/raft_group_internal.h"

void raft_group_recover (raft_group_t *self)
{
    raft_group_tell_nodes (self);
    snapshot_load_t *load = raft_snapshots_message_new (SNAPSHOT_LOAD);
    actor_answer (self->actor, self->snapshot, &load->message);
}

static void s_trace (void *argument, dt_log_level_t level, const char *line)
{
    raft_group_t *self = argument;
    dt_log (self->env, level, actor_name (self->actor), "%s", line);
}

// Is there another voter that has what a damaged log here lost? By what is known before the log was
// read: the snapshot's configuration, or the one this node was started with. A sole voter's log is
// never cut: nobody could give back what is behind the damage.
static bool s_may_repair (const raft_group_t *self, const snapshot_loaded_t *loaded)
{
    const raft_config_t *config = self->options.contacts;
    if (loaded->found) {
        config = &loaded->meta.config;
    } else if (self->options.has_bootstrap) {
        config = &self->options.bootstrap;
    }
    return self->peers && config && !raft_config_is_sole_voter (config, self->options.node_id);
}

void raft_group_on_loaded (raft_group_t *self, snapshot_loaded_t *loaded)
{
    if (loaded->rc != 0) {
        fiber_fatal (loaded->rc, "the group's snapshots cannot be used");
        return;
    }
    self->loaded = loaded;
    log_writer_open_t *open = log_writer_message_new (LOG_WRITER_OPEN);
    open->owner = self->actor;
    open->is_new = self->options.is_new;
    open->may_repair = s_may_repair (self, loaded);
    open->snapshot_index = loaded->found ? loaded->meta.index : 0;
    open->snapshot_term = loaded->found ? loaded->meta.term : 0;
    actor_answer (self->actor, self->log_writer, &open->message);
}

static int s_decode_configs (const log_batch_t *batch, raft_config_at_t **configs, size_t *count)
{
    *count = batch ? batch->count : 0;
    *configs = dt_zalloc (*count, sizeof **configs);
    for (size_t i = 0; i < *count; i++) {
        const log_entry_t *entry = &batch->entries[i];
        (*configs)[i].index = entry->index;
        int rc = raft_config_decode (entry->payload, entry->payload_bytes, &(*configs)[i].config);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static raft_term_run_t *s_copy_terms (const log_writer_opened_t *opened)
{
    raft_term_run_t *terms = dt_zalloc (opened->terms_count, sizeof *terms);
    for (size_t i = 0; i < opened->terms_count; i++) {
        terms[i] = (raft_term_run_t){opened->terms[i].first, opened->terms[i].term};
    }
    return terms;
}

static void s_fill_recovered (raft_recovered_t *recovered, const snapshot_loaded_t *loaded,
                              const log_writer_opened_t *opened)
{
    recovered->hard_state = (raft_hard_state_t){opened->hard_state.term, opened->hard_state.vote};
    recovered->repair_until = opened->hard_state.repair_until;
    recovered->log_first = opened->first;
    recovered->log_last = opened->last;
    recovered->log_last_term = opened->last_term;
    recovered->log_last_cluster_time_ms = opened->last_cluster_time_ms;
    if (loaded->found) {
        recovered->snapshot_index = loaded->meta.index;
        recovered->snapshot_term = loaded->meta.term;
        recovered->snapshot_cluster_time_ms = loaded->meta.cluster_time_ms;
        recovered->snapshot_bytes = loaded->bytes;
        recovered->snapshot_config_index = loaded->meta.config_index;
        recovered->snapshot_config = loaded->meta.config;
    }
}

// Options of the core on the heap: two configurations are too much for a fiber's stack.
static raft_core_options_t *s_new_options (raft_group_t *self, const log_writer_opened_t *opened)
{
    raft_core_options_t *options = dt_zalloc (1, sizeof *options);
    options->group_id = self->options.group_id;
    options->node_id = self->options.node_id;
    options->directory_id = self->options.directory_id;
    // Without a term nobody was ever promised anything [LEASE-3].
    options->is_new = opened->hard_state.term == 0 && opened->last == 0 && !self->loaded->found;
    options->has_bootstrap = self->options.has_bootstrap;
    options->bootstrap = self->options.bootstrap;
    options->election_timeout_ms = self->options.election_timeout_ms;
    options->heartbeat_ms = self->options.heartbeat_ms;
    options->no_lease = self->options.no_lease;
    options->payload_bytes_max = opened->payload_bytes_max;
    options->uncommitted_bytes_max = self->options.uncommitted_bytes_max;
    options->unapplied_bytes_max = self->options.unapplied_bytes_max;
    options->snapshot_after_bytes = self->options.snapshot_after_bytes;
    options->snapshot_after_entries = self->options.snapshot_after_entries;
    options->log_keep_entries = self->options.log_keep_entries;
    options->log_keep_bytes = self->options.log_keep_bytes;
    options->log_retain_bytes = self->options.log_retain_bytes;
    options->seed = self->env->entropy (self->env);
    options->trace = s_trace;
    options->trace_argument = self;
    options->trace_level = self->env->log_level;
    s_fill_recovered (&options->recovered, self->loaded, opened);
    return options;
}

static void s_start (raft_group_t *self, const log_writer_opened_t *opened)
{
    raft_core_options_t *options = s_new_options (self, opened);
    raft_config_at_t *configs = NULL;
    raft_term_run_t *terms = s_copy_terms (opened);
    const char *reason = "a configuration entry in the log cannot be read";
    int rc = s_decode_configs (opened->configs, &configs, &options->recovered.configs_count);
    options->recovered.configs = configs;
    options->recovered.terms = terms;
    options->recovered.terms_count = opened->terms_count;
    self->applied = options->recovered.snapshot_index;
    if (rc == 0) {
        rc = raft_core_options_check (options, &reason);
    }
    if (rc == 0) {
        self->core = raft_core_new (options);
        raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_START});
    } else {
        fiber_fatal (rc, reason);
    }
    free (configs);
    free (terms);
    free (options);
}

void raft_group_on_opened (raft_group_t *self, const log_writer_opened_t *opened)
{
    if (opened->rc != 0) {
        fiber_fatal (opened->rc, "the group's log or hard state cannot be used");
        return;
    }
    s_start (self, opened);
    actor_message_t *message = &self->loaded->message;
    self->loaded = NULL;
    actor_message_free (&message);
}
