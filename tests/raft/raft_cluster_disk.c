// The disks: what was written, in order, and what of it a crash leaves.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "tests/raft/raft_cluster_internal.h"

// --- logs ----------------------------------------------------------------------------------------

cluster_entry_t *cluster_log_at (const cluster_log_t *log, raft_index_t index)
{
    bool held = index >= log->first && index < log->first + log->count;
    return held ? &log->items[index - log->first] : NULL;
}

raft_index_t cluster_log_last (const cluster_log_t *log)
{
    return log->first + log->count - 1;
}

void cluster_log_push (cluster_log_t *log, const cluster_entry_t *entry)
{
    if (log->count == log->capacity) {
        log->capacity = log->capacity ? 2 * log->capacity : 64;
        log->items = dt_realloc (log->items, log->capacity * sizeof *log->items);
    }
    cluster_entry_t *place = &log->items[log->count++];
    *place = *entry;
    if (place->config) {
        dt_blob_ref (place->config);
    }
}

void cluster_log_cut (cluster_log_t *log, raft_index_t from)
{
    while (log->count > 0 && cluster_log_last (log) >= from) {
        dt_blob_unref (&log->items[--log->count].config);
    }
}

void cluster_log_drop (cluster_log_t *log, raft_index_t upto)
{
    uint32_t gone = 0;
    while (gone < log->count && log->first + gone <= upto) {
        dt_blob_unref (&log->items[gone++].config);
    }
    memmove (log->items, log->items + gone, (log->count - gone) * sizeof *log->items);
    log->count -= gone;
    log->first += gone;
}

void cluster_log_free (cluster_log_t *log)
{
    cluster_log_cut (log, 0);
    free (log->items);
    *log = (cluster_log_t){.first = 1};
}

// An entry as a disk keeps it. Whoever pushes it takes a reference of its own: see s_append.
cluster_entry_t cluster_entry_of (const log_entry_t *entry)
{
    cluster_entry_t kept = {
        .term = entry->term,
        .cluster_time_ms = entry->cluster_time_ms,
        .id = entry->principal,
        .type = entry->type,
    };
    if (entry->type == LOG_ENTRY_CONFIG) {
        kept.config = dt_blob_new (entry->payload_bytes);
        memcpy (dt_blob_data (kept.config), entry->payload, entry->payload_bytes);
    }
    return kept;
}

log_batch_t *cluster_batch (const cluster_log_t *log, raft_index_t first, raft_index_t last)
{
    log_batch_t *batch = log_batch_new ((uint32_t) (last - first + 1));
    size_t bytes = 0;
    for (raft_index_t index = first; index <= last; index++) {
        const cluster_entry_t *kept = cluster_log_at (log, index);
        bytes += kept->config ? dt_blob_bytes (kept->config) : 0;
    }
    batch->blob = dt_blob_new (bytes);
    uint8_t *place = dt_blob_data (batch->blob);
    for (raft_index_t index = first; index <= last; index++) {
        const cluster_entry_t *kept = cluster_log_at (log, index);
        log_entry_t *entry = &batch->entries[batch->count++];
        *entry = (log_entry_t){
            .index = index,
            .term = kept->term,
            .cluster_time_ms = kept->cluster_time_ms,
            .principal = kept->id,
            .type = kept->type,
            .payload = place,
            .payload_bytes = kept->config ? (uint32_t) dt_blob_bytes (kept->config) : 0,
        };
        if (kept->config) {
            memcpy (place, dt_blob_data (kept->config), entry->payload_bytes);
            place += entry->payload_bytes;
        }
    }
    return batch;
}

// --- writes --------------------------------------------------------------------------------------

static void s_start_flush (cluster_t *self, cluster_node_t *node)
{
    if (node->flushing > 0 || !node->writes || node->stalled) {
        return;
    }
    for (cluster_write_t *write = node->writes; write; write = write->next) {
        node->flushing++;
    }
    int64_t delay_ns = (int64_t) dt_random_between (&self->disk, 20000, 3 * MS);
    cluster_push (self,
                  (cluster_event_t){.kind = EVENT_FLUSHED, .node = node->id, .life = node->life},
                  delay_ns);
}

void cluster_disk_write (cluster_t *self, cluster_node_t *node, const cluster_write_t *write)
{
    cluster_write_t *kept = dt_memdup (write, sizeof *write);
    kept->next = NULL;
    *node->writes_tail = kept;
    node->writes_tail = &kept->next;
    s_start_flush (self, node);
}

// What a write does to what is on the medium.
static void s_land (cluster_t *self, cluster_node_t *node, const cluster_write_t *write)
{
    switch (write->kind) {
    case WRITE_HARD_STATE:
        node->hard_state = write->hard_state;
        break;
    case WRITE_APPEND:
        for (raft_index_t index = write->first; index <= write->last; index++) {
            cluster_entry_t entry = cluster_entry_of (log_batch_entry (write->batch, index));
            CLUSTER_CHECK (self, index == cluster_log_last (&node->log) + 1,
                           "node %u appends %lu behind %lu", node->id, index,
                           cluster_log_last (&node->log));
            cluster_log_push (&node->log, &entry);
            dt_blob_unref (&entry.config);
        }
        break;
    case WRITE_TRUNCATE:
        cluster_log_cut (&node->log, write->first);
        break;
    case WRITE_RESET:
        cluster_log_free (&node->log);
        node->log.first = write->reset->index + 1;
        break;
    }
}

static void s_pop (cluster_node_t *node)
{
    cluster_write_t *write = node->writes;
    node->writes = write->next;
    if (!node->writes) {
        node->writes_tail = &node->writes;
    }
    log_batch_unref (&write->batch);
    free (write->reset);
    free (write);
}

void cluster_disk_flushed (cluster_t *self, cluster_node_t *node)
{
    bool hard_state = false;
    bool appended = false;
    bool installed = false;
    raft_index_t installed_index = 0;
    uint64_t cuts = node->cuts;
    for (; node->flushing > 0; node->flushing--) {
        cluster_write_t *write = node->writes;
        s_land (self, node, write);
        hard_state = hard_state || write->kind == WRITE_HARD_STATE;
        appended = appended || write->kind == WRITE_APPEND;
        cuts += write->kind == WRITE_TRUNCATE || write->kind == WRITE_RESET;
        if (write->kind == WRITE_RESET) {
            installed = true;
            installed_index = write->reset->index;
        }
        s_pop (node);
    }
    node->cuts = cuts;
    s_start_flush (self, node);
    if (hard_state) {
        cluster_step (
            self, node,
            &(raft_event_t){.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = node->hard_state});
    }
    raft_index_t last = cluster_log_last (&node->log);
    if (appended && node->core && node->log.count > 0) {
        cluster_step (
            self, node,
            &(raft_event_t){.kind = RAFT_EVENT_APPENDED,
                            .appended = {last, cluster_log_at (&node->log, last)->term, cuts}});
    }
    if (installed && node->core) {
        node->applied = installed_index;
        node->handed = installed_index;
        cluster_step (self, node,
                      &(raft_event_t){.kind = RAFT_EVENT_SNAPSHOT_INSTALLED,
                                      .snapshot_installed.index = installed_index});
    }
}

// Everything that was synced stays; of the rest a prefix, and of its last append a part.
void cluster_disk_crash (cluster_t *self, cluster_node_t *node)
{
    uint32_t count = 0;
    for (cluster_write_t *write = node->writes; write; write = write->next) {
        count++;
    }
    uint32_t landed = (uint32_t) dt_random_below (&self->disk, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        cluster_write_t *write = node->writes;
        if (i < landed) {
            s_land (self, node, write);
        } else if (i == landed && write->kind == WRITE_APPEND && write->last > write->first) {
            write->last = dt_random_between (&self->disk, write->first, write->last - 1);
            s_land (self, node, write);
        }
        s_pop (node);
    }
    node->flushing = 0;
    node->stalled = false;
    if (node->log.count == 0 && node->log.first <= node->snapshot.index) {
        node->log.first = node->snapshot.index + 1;
    }
    // A log that contradicts or ends before the snapshot is restarted behind it, as recovery does.
    const cluster_entry_t *at = cluster_log_at (&node->log, node->snapshot.index);
    bool behind = cluster_log_last (&node->log) < node->snapshot.index;
    if (node->snapshot.index > 0 && (behind || (at && at->term != node->snapshot.term))) {
        cluster_log_free (&node->log);
        node->log.first = node->snapshot.index + 1;
    }
}

// --- start ---------------------------------------------------------------------------------------

static void s_trace (void *argument, dt_log_level_t level, const char *line)
{
    (void) level;
    const cluster_t *self = argument;
    if (self->text && strstr (line, ": follow ")) {
        return; // too often to be read
    }
    cluster_say (argument, "    %s", line);
}

// What recovery reads out of a log.
typedef struct {
    raft_config_at_t configs[64];
    size_t configs_count;
    raft_term_run_t terms[512];
    size_t terms_count;
} s_scan_t;

static void s_scan (cluster_t *self, const cluster_log_t *log, s_scan_t *scan)
{
    memset (scan, 0, sizeof *scan);
    for (raft_index_t index = log->first; index <= cluster_log_last (log); index++) {
        const cluster_entry_t *entry = cluster_log_at (log, index);
        if (scan->terms_count == 0 || scan->terms[scan->terms_count - 1].term != entry->term) {
            dt_assert (scan->terms_count < 512);
            scan->terms[scan->terms_count++] = (raft_term_run_t){index, entry->term};
        }
        if (!entry->config) {
            continue;
        }
        if (scan->configs_count == 64) {
            memmove (scan->configs, scan->configs + 1, 63 * sizeof scan->configs[0]);
            scan->configs_count--;
        }
        raft_config_at_t *at = &scan->configs[scan->configs_count++];
        at->index = index;
        int rc = raft_config_decode (dt_blob_data (entry->config), dt_blob_bytes (entry->config),
                                     &at->config);
        CLUSTER_CHECK (self, rc == 0, "a configuration on disk cannot be read");
    }
}

void cluster_start (cluster_t *self, cluster_node_t *node)
{
    static s_scan_t scan;
    s_scan (self, &node->log, &scan);
    bool member = raft_config_is_member (&self->bootstrap, node->id);
    raft_core_options_t options = {
        .group_id = node->id,
        .node_id = node->id,
        .directory_id = 1000 + node->id,
        .is_new = node->fresh,
        .has_bootstrap = member,
        .bootstrap = self->bootstrap,
        .snapshot_after_entries = dt_random_chance (&self->seeds, 1, 2) ? 40 : 0,
        .log_keep_entries = dt_random_below (&self->seeds, 20),
        .log_retain_bytes = dt_random_chance (&self->seeds, 1, 2) ? 1000 : 100000,
        .append_bytes_max = dt_random_chance (&self->seeds, 1, 3) ? 300 : 0,
        .in_flight_appends_max = dt_random_chance (&self->seeds, 1, 3) ? 2 : 0,
        .election_timeout_ms = self->scheme.timeout_ms,
        .clock_drift_permille = self->scheme.drift_permille,
        .snapshot_retry_ms = 500,
        .catch_up_entries = 20,
        .seed = dt_random_next (&self->seeds),
        .trace = self->options.verbose || self->text ? s_trace : NULL,
        .trace_argument = self,
        .trace_level = self->text ? DT_LOG_INFO : DT_LOG_DEBUG,
        .recovered =
            {
                .hard_state = node->hard_state,
                .configs = scan.configs,
                .configs_count = scan.configs_count,
                .terms = scan.terms,
                .terms_count = scan.terms_count,
                .repair_until = node->lost_until,
            },
    };
    raft_recovered_t *found = &options.recovered;
    if (node->snapshot.index > 0) {
        found->snapshot_index = node->snapshot.index;
        found->snapshot_term = node->snapshot.term;
        found->snapshot_cluster_time_ms = node->snapshot.cluster_time_ms;
        found->snapshot_config_index = node->snapshot.config_index;
        found->snapshot_config = node->snapshot.config;
    }
    if (node->log.count > 0) {
        found->log_first = node->log.first;
        found->log_last = cluster_log_last (&node->log);
        const cluster_entry_t *last = cluster_log_at (&node->log, found->log_last);
        found->log_last_term = last->term;
        found->log_last_cluster_time_ms = last->cluster_time_ms;
    }
    const char *why = NULL;
    int rc = raft_core_options_check (&options, &why);
    CLUSTER_CHECK (self, rc == 0, "node %u cannot start: %s", node->id, why ? why : "");
    node->core = raft_core_new (&options);
    node->fresh = false;
    node->applied = node->snapshot.index;
    node->handed = node->snapshot.index;
    node->commit_seen = 0;
    node->taking.index = 0;
    node->cuts = 0;
    node->role = RAFT_FOLLOWER;
    node->tick_ns = INT64_MAX;
    cluster_say (self, "start node %u life %u log %lu..%lu snapshot %lu term %lu", node->id,
                 node->life, node->log.first, cluster_log_last (&node->log), node->snapshot.index,
                 node->hard_state.term);
    cluster_step (self, node, &(raft_event_t){.kind = RAFT_EVENT_START});
}
