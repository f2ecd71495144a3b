#include "storage/log_recovery_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"

// --- what files are there ------------------------------------------------------------------------

static void s_numbers_add (log_numbers_t *self, uint64_t number)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 16;
        self->numbers = dt_realloc (self->numbers, self->capacity * sizeof self->numbers[0]);
    }
    self->numbers[self->count++] = number;
}

static bool s_numbers_has (const log_numbers_t *self, uint64_t number)
{
    for (size_t i = self->count; i-- > 0;) {
        if (self->numbers[i] == number) {
            return true;
        }
    }
    return false;
}

static void s_list_one (void *argument, const char *name, bool is_directory)
{
    log_recovery_t *self = argument;
    uint64_t number;
    size_t length = strlen (name);
    if (is_directory) {
        return;
    }
    if (length == 24 && log_name_parse (name, ".log", &number)) {
        s_numbers_add (&self->logs, number);
    } else if (length == 24 && log_name_parse (name, ".idx", &number)) {
        s_numbers_add (&self->indexes, number);
    } else if (length == 24 && log_name_parse (name, ".tmp", &number)) {
        s_numbers_add (&self->spares, number);
    } else if (length > 5 && strcmp (name + length - 5, ".torn") == 0) {
        self->torn = dt_realloc (self->torn, (self->torn_count + 1) * sizeof self->torn[0]);
        self->torn[self->torn_count++] = dt_strdup (name);
    }
}

// --- segment headers -----------------------------------------------------------------------------

int log_recovery_open_segment (log_recovery_t *self, uint64_t seq, int flags, vfs_file_t **file)
{
    char path[LOG_PATH_BYTES];
    log_segment_path (path, self->options->directory, seq);
    return self->options->vfs->ops->open (self->options->vfs, path, flags, file);
}

static int s_check_header (log_recovery_t *self, const uint8_t *block, uint64_t seq,
                           log_segment_header_t *header)
{
    const char *why;
    int rc = log_segment_header_decode (block, header, &why);
    if (rc == DT_ERR_NEWER_FORMAT) {
        log_recovery_place (self, seq, 0, 0, why);
        dt_log_error (self->options->env, "log",
                      "%s was written by a newer version; start that version, or a later one",
                      self->report->file);
        return rc;
    }
    if (rc) {
        return log_recovery_corrupt (self, seq, 0, 0, why);
    }
    const storage_identity_t *want = &self->options->identity;
    if (header->identity.cluster_id != want->cluster_id ||
        header->identity.group_id != want->group_id || header->identity.node_id != want->node_id) {
        log_recovery_place (self, seq, 0, 0,
                            "the segment belongs to another cluster, group or node");
        dt_log_error (self->options->env, "log",
                      "%s belongs to cluster %llx group %u node %u, not to %llx group %u node %u",
                      self->report->file, (unsigned long long) header->identity.cluster_id,
                      header->identity.group_id, header->identity.node_id,
                      (unsigned long long) want->cluster_id, want->group_id, want->node_id);
        return DT_ERR_FOREIGN;
    }
    if (header->seq != seq) {
        return log_recovery_corrupt (self, seq, 0, 0,
                                     "the header is of another segment than the name says");
    }
    return 0;
}

// Read the header of one segment and add it in front of the live ones.
static int s_load_header (log_recovery_t *self, uint64_t seq)
{
    vfs_file_t *file;
    int rc = log_recovery_open_segment (self, seq, VFS_READ, &file);
    if (rc) {
        return rc;
    }
    log_segment_t *segment = dt_zalloc (1, sizeof *segment);
    size_t got = 0;
    rc = file->ops->size (file, &segment->file_bytes);
    if (rc == 0) {
        rc = file->ops->read (file, self->window, LOG_SEGMENT_HEADER_BYTES, 0, &got);
    }
    int close_rc = file->ops->close (file);
    if (rc == 0) {
        rc = close_rc;
    }
    if (rc == 0 && got < LOG_SEGMENT_HEADER_BYTES) {
        rc = log_recovery_corrupt (self, seq, got, 0, "the file is shorter than a segment header");
    }
    if (rc == 0) {
        rc = s_check_header (self, self->window, seq, &segment->header);
    }
    if (rc) {
        free (segment);
        return rc;
    }
    size_t count = self->segment_count++;
    self->segments = dt_realloc (self->segments, self->segment_count * sizeof self->segments[0]);
    memmove (self->segments + 1, self->segments, count * sizeof self->segments[0]);
    self->segments[0] = segment;
    return 0;
}

// Find the live segments: the newest, the one it continues, and so on.
static int s_load_chain (log_recovery_t *self)
{
    uint64_t seq = self->logs.numbers[self->logs.count - 1];
    for (;;) {
        int rc = s_load_header (self, seq);
        if (rc) {
            return rc;
        }
        const log_segment_header_t *header = &self->segments[0]->header;
        if (self->segment_count > 1) {
            const log_segment_header_t *next = &self->segments[1]->header;
            if (header->salt != next->salt || header->first_index > next->first_index) {
                return log_recovery_corrupt (self, next->seq, 0, 0,
                                             "the segment does not continue the one it names");
            }
        }
        bool oldest = (header->flags & LOG_SEGMENT_RESTART) != 0 ||
                      !s_numbers_has (&self->logs, header->prev_seq);
        if (oldest) {
            return 0;
        }
        seq = header->prev_seq;
    }
}

// --- records -------------------------------------------------------------------------------------

// Bring at least run->need bytes from run->position on into the window.
int log_recovery_load_window (log_recovery_t *self, vfs_file_t *file, uint64_t seq, log_run_t *run)
{
    size_t bytes = run->need > LOG_RECOVERY_WINDOW_BYTES ? run->need : LOG_RECOVERY_WINDOW_BYTES;
    if (bytes > run->limit - run->position) {
        bytes = run->limit - run->position;
    }
    if (bytes > self->window_bytes) {
        free (self->window);
        self->window = dt_malloc (bytes);
        self->window_bytes = bytes;
    }
    size_t got = 0;
    int rc = file->ops->read (file, self->window, bytes, run->position, &got);
    if (rc) {
        return rc;
    }
    if (got < run->need) {
        return log_recovery_corrupt (self, seq, run->position + got, 0,
                                     "the file is shorter than it was");
    }
    run->data = self->window;
    run->bytes = got;
    run->offset = run->position;
    return 0;
}

// Is a valid record also the one that must come next? Takes it into account.
static bool s_accept (log_recovery_t *self, log_segment_t *segment, const log_record_t *record,
                      uint32_t chain_before)
{
    const log_entry_t *entry = &record->entry;
    if (entry->type > LOG_ENTRY_TYPE_LAST) {
        if (entry->index != segment->last_index || entry->term != segment->last_term) {
            return false;
        }
    } else {
        if (entry->index != segment->last_index + 1 || entry->term < segment->last_term ||
            entry->term == 0) {
            return false;
        }
        log_index_note (&self->index, entry->index, entry->term, segment->header.seq,
                        (uint32_t) record->offset, chain_before);
        segment->last_index = entry->index;
        segment->last_term = entry->term;
        self->report->entries++;
    }
    if (record->synced_index > self->proven) {
        self->proven = record->synced_index;
    }
    self->report->bytes_scanned += record->next_offset - record->offset;
    segment->end_offset = record->next_offset;
    segment->end_chain = record->chain;
    return true;
}

static void s_begin (log_recovery_t *self, log_segment_t *segment, log_run_t *run)
{
    const log_segment_header_t *header = &segment->header;
    uint64_t limit = header->segment_bytes;
    limit = limit < segment->file_bytes ? limit : log_align (segment->file_bytes - 7, 8);
    *run = (log_run_t){
        .scope = log_segment_scope (header),
        .chain = header->prev_chain,
        .offset = LOG_SEGMENT_HEADER_BYTES,
        .position = LOG_SEGMENT_HEADER_BYTES,
        .limit = limit,
    };
    segment->last_index = header->first_index - 1;
    segment->last_term = header->prev_term;
    segment->end_offset = LOG_SEGMENT_HEADER_BYTES;
    segment->end_chain = header->prev_chain;
    // A segment begins only after the one before was synced wholly [DISK-7].
    if (self->proven < header->first_index - 1) {
        self->proven = header->first_index - 1;
    }
}

// Scan a segment that another one continues: it must be sound up to where that one says.
static int s_scan_sealed (log_recovery_t *self, log_segment_t *segment,
                          const log_segment_header_t *next, vfs_file_t *file)
{
    log_run_t run;
    uint64_t seq = segment->header.seq;
    s_begin (self, segment, &run);
    for (;;) {
        if (segment->last_index + 1 == next->first_index && run.chain == next->prev_chain) {
            break;
        }
        uint32_t chain_before = run.chain;
        log_record_t record;
        switch (log_run_next (&run, &record)) {
        case LOG_RUN_RECORD:
            if (!s_accept (self, segment, &record, chain_before) ||
                segment->last_index >= next->first_index || record.entry.type == LOG_RECORD_END) {
                return log_recovery_corrupt (self, seq, record.offset, segment->last_index + 1,
                                             "a record is out of order");
            }
            break;
        case LOG_RUN_MORE: {
            int rc = log_recovery_load_window (self, file, seq, &run);
            if (rc) {
                return rc;
            }
            break;
        }
        case LOG_RUN_ZERO:
            return log_recovery_corrupt (self, seq, run.position, segment->last_index + 1,
                                         "records are missing before the next segment begins");
        case LOG_RUN_BAD:
            return log_recovery_corrupt (self, seq, run.position, segment->last_index + 1, run.why);
        }
    }
    if (segment->last_term != next->prev_term) {
        return log_recovery_corrupt (self, next->seq, 0, next->first_index,
                                     "the segment continues an entry of another term");
    }
    return 0;
}
static int s_scan_last (log_recovery_t *self, log_segment_t *segment, vfs_file_t *file)
{
    log_run_t run;
    uint64_t seq = segment->header.seq;
    if (segment->file_bytes < segment->header.segment_bytes) {
        // It had its full size before it got its name.
        return log_recovery_corrupt (self, seq, segment->file_bytes, 0, "the file was cut short");
    }
    s_begin (self, segment, &run);
    for (;;) {
        uint32_t chain_before = run.chain;
        log_record_t record;
        log_run_result_t result = log_run_next (&run, &record);
        switch (result) {
        case LOG_RUN_RECORD:
            if (!s_accept (self, segment, &record, chain_before)) {
                return log_recovery_corrupt (self, seq, record.offset, segment->last_index + 1,
                                             "a record is out of order");
            }
            if (record.entry.type == LOG_RECORD_END) {
                return log_recovery_corrupt (self, seq, record.offset, segment->last_index + 1,
                                             "the segment that continues this one is missing");
            }
            break;
        case LOG_RUN_MORE: {
            int rc = log_recovery_load_window (self, file, seq, &run);
            if (rc) {
                return rc;
            }
            break;
        }
        case LOG_RUN_ZERO:
        case LOG_RUN_BAD:
            return log_recovery_judge_tail (self, segment, &run, result, file);
        }
    }
}

// --- index files ---------------------------------------------------------------------------------

// Take a sealed segment's points from its index file. False: there is no valid one.
static bool s_use_index (log_recovery_t *self, log_segment_t *segment,
                         const log_segment_header_t *next)
{
    vfs_t *vfs = self->options->vfs;
    const log_segment_header_t *header = &segment->header;
    if (next->first_index == header->first_index || !s_numbers_has (&self->indexes, header->seq)) {
        return false;
    }
    char path[LOG_PATH_BYTES];
    log_index_path (path, self->options->directory, header->seq);
    vfs_file_t *file;
    if (vfs->ops->open (vfs, path, VFS_READ, &file)) {
        return false;
    }
    log_index_key_t key = {
        .seq = header->seq,
        .segment_crc = header->crc,
        .end_chain = next->prev_chain,
        .first_index = header->first_index,
        .last_index = next->first_index - 1,
        .segment_bytes = header->segment_bytes,
    };
    uint64_t bytes = 0;
    uint8_t *data = NULL;
    size_t got = 0;
    bool used = file->ops->size (file, &bytes) == 0 && bytes <= LOG_INDEX_FILE_BYTES_MAX;
    if (used) {
        data = dt_malloc (bytes);
        used = file->ops->read (file, data, bytes, 0, &got) == 0 &&
               log_index_decode (&self->index, &key, data, got);
    }
    if (used && log_index_term (&self->index, key.last_index) != next->prev_term) {
        log_index_truncate (&self->index, key.first_index);
        used = false;
    }
    free (data);
    (void) file->ops->close (file);
    if (used) {
        segment->last_index = key.last_index;
        segment->last_term = next->prev_term;
        segment->end_chain = key.end_chain;
        segment->index_saved = true;
        self->report->index_used++;
        self->proven = key.last_index;
    }
    return used;
}

// --- the scan ------------------------------------------------------------------------------------

static int s_scan_segment (log_recovery_t *self, size_t i)
{
    log_segment_t *segment = self->segments[i];
    bool last = i + 1 == self->segment_count;
    const log_segment_header_t *next = last ? NULL : &self->segments[i + 1]->header;
    bool covered = next && next->first_index - 1 <= self->options->snapshot_index;
    if (covered && s_use_index (self, segment, next)) {
        return 0;
    }
    vfs_file_t *file;
    int rc = log_recovery_open_segment (self, segment->header.seq, VFS_READ, &file);
    if (rc) {
        return rc;
    }
    rc = last ? s_scan_last (self, segment, file) : s_scan_sealed (self, segment, next, file);
    int close_rc = file->ops->close (file);
    return rc ? rc : close_rc;
}

static int s_scan (log_recovery_t *self)
{
    const log_store_options_t *options = self->options;
    int rc = options->vfs->ops->list (options->vfs, options->directory, s_list_one, self);
    if (rc && rc != DT_ERR_NOT_FOUND) {
        return rc;
    }
    if (options->discard) {
        return self->logs.count ? 0 : DT_ERR_NOT_FOUND;
    }
    if (self->logs.count == 0) {
        if (options->durable_hint > options->snapshot_index) {
            return log_recovery_corrupt (self, 0, 0, options->snapshot_index + 1,
                                         "the log is missing");
        }
        return DT_ERR_NOT_FOUND;
    }
    rc = s_load_chain (self);
    for (size_t i = 0; rc == 0 && i < self->segment_count; i++) {
        rc = s_scan_segment (self, i);
        self->sound += rc == 0;
    }
    return rc ? rc : log_recovery_check_bounds (self);
}

int log_recovery_scan (log_recovery_t *self, const log_store_options_t *options,
                       log_report_t *report)
{
    *report = (log_report_t){0};
    *self = (log_recovery_t){
        .options = options,
        .report = report,
        .window = dt_malloc (LOG_RECOVERY_WINDOW_BYTES),
        .window_bytes = LOG_RECOVERY_WINDOW_BYTES,
    };
    int rc = s_scan (self);
    report->segments = self->segment_count;
    if (self->segment_count > 0) {
        report->first_index = self->segments[0]->header.first_index;
        report->last_index = self->segments[self->segment_count - 1]->last_index;
    }
    report->proven_index = self->proven;
    if (rc == DT_ERR_CORRUPT || rc == DT_ERR_GAP) {
        log_recovery_bound (self);
        if (options->repair) {
            log_recovery_cut (self);
            rc = self->logs.count > 0 ? 0 : DT_ERR_NOT_FOUND;
        }
    }
    if (options->discard) {
        self->restart = true;
    }
    return rc;
}

void log_recovery_deinit (log_recovery_t *self)
{
    for (size_t i = 0; i < self->segment_count; i++) {
        if (self->segments[i]->file) {
            (void) self->segments[i]->file->ops->close (self->segments[i]->file);
        }
        free (self->segments[i]);
    }
    for (size_t i = 0; i < self->torn_count; i++) {
        free (self->torn[i]);
    }
    free (self->segments);
    free (self->torn);
    free (self->logs.numbers);
    free (self->indexes.numbers);
    free (self->spares.numbers);
    free (self->window);
    log_index_deinit (&self->index);
    *self = (log_recovery_t){0};
}
