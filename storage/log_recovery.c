#include "storage/log_recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

enum {
    WINDOW_BYTES = 1024 * 1024,
    TORN_FILES_MAX = 8,
};

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

// --- verdicts ------------------------------------------------------------------------------------

static void s_place (log_recovery_t *self, uint64_t seq, uint64_t offset, uint64_t index,
                     const char *why)
{
    log_report_t *report = self->report;
    char path[LOG_PATH_BYTES];
    log_segment_path (path, self->options->directory, seq);
    snprintf (report->file, sizeof report->file, "%.255s", path);
    snprintf (report->why, sizeof report->why, "%s", why);
    report->offset = offset;
    report->index = index;
}

static int s_corrupt (log_recovery_t *self, uint64_t seq, uint64_t offset, uint64_t index,
                      const char *why)
{
    s_place (self, seq, offset, index, why);
    self->report->verdict = LOG_VERDICT_CORRUPT;
    dt_log_error (self->options->env, "log", "%s is corrupt at offset %llu, entry %llu: %s",
                  self->report->file, (unsigned long long) offset, (unsigned long long) index, why);
    return DT_ERR_CORRUPT;
}

// --- segment headers -----------------------------------------------------------------------------

static int s_open_segment (log_recovery_t *self, uint64_t seq, int flags, vfs_file_t **file)
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
        s_place (self, seq, 0, 0, why);
        dt_log_error (self->options->env, "log",
                      "%s was written by a newer version; start that version, or a later one",
                      self->report->file);
        return rc;
    }
    if (rc) {
        return s_corrupt (self, seq, 0, 0, why);
    }
    const storage_identity_t *want = &self->options->identity;
    if (header->identity.cluster_id != want->cluster_id ||
        header->identity.group_id != want->group_id || header->identity.node_id != want->node_id) {
        s_place (self, seq, 0, 0, "the segment belongs to another cluster, group or node");
        dt_log_error (self->options->env, "log",
                      "%s belongs to cluster %llx group %u node %u, not to %llx group %u node %u",
                      self->report->file, (unsigned long long) header->identity.cluster_id,
                      header->identity.group_id, header->identity.node_id,
                      (unsigned long long) want->cluster_id, want->group_id, want->node_id);
        return DT_ERR_FOREIGN;
    }
    if (header->seq != seq) {
        return s_corrupt (self, seq, 0, 0, "the header is of another segment than the name says");
    }
    return 0;
}

// Read the header of one segment and add it in front of the live ones.
static int s_load_header (log_recovery_t *self, uint64_t seq)
{
    vfs_file_t *file;
    int rc = s_open_segment (self, seq, VFS_READ, &file);
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
        rc = s_corrupt (self, seq, got, 0, "the file is shorter than a segment header");
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
                return s_corrupt (self, next->seq, 0, 0,
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
static int s_load_window (log_recovery_t *self, vfs_file_t *file, uint64_t seq, log_run_t *run)
{
    size_t bytes = run->need > WINDOW_BYTES ? run->need : WINDOW_BYTES;
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
        return s_corrupt (self, seq, run->position + got, 0, "the file is shorter than it was");
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
    if (entry->type > LOG_ENTRY_COMMAND) {
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
                return s_corrupt (self, seq, record.offset, segment->last_index + 1,
                                  "a record is out of order");
            }
            break;
        case LOG_RUN_MORE: {
            int rc = s_load_window (self, file, seq, &run);
            if (rc) {
                return rc;
            }
            break;
        }
        case LOG_RUN_ZERO:
            return s_corrupt (self, seq, run.position, segment->last_index + 1,
                              "records are missing before the next segment begins");
        case LOG_RUN_BAD:
            return s_corrupt (self, seq, run.position, segment->last_index + 1, run.why);
        }
    }
    if (segment->last_term != next->prev_term) {
        return s_corrupt (self, next->seq, 0, next->first_index,
                          "the segment continues an entry of another term");
    }
    return 0;
}

// Look at everything behind the last good record: where does the last byte that is not zero stand,
// and what do the record headers among it prove?
static int s_survey (log_recovery_t *self, vfs_file_t *file, const log_segment_t *segment,
                     uint64_t from, uint64_t *nonzero_end, uint64_t *proven)
{
    enum { BLOCK = 4096 };
    log_record_scope_t scope = log_segment_scope (&segment->header);
    uint64_t end = segment->header.segment_bytes;
    *nonzero_end = from;
    while (from < end) {
        size_t got = 0;
        size_t bytes = end - from < WINDOW_BYTES ? end - from : WINDOW_BYTES;
        int rc = file->ops->read (file, self->window, bytes, from, &got);
        if (rc) {
            return rc;
        }
        if (got < bytes) {
            return s_corrupt (self, segment->header.seq, from + got, 0,
                              "the file is shorter than it was");
        }
        for (size_t block = 0; block < bytes; block += BLOCK) {
            size_t block_end = block + BLOCK < bytes ? block + BLOCK : bytes;
            if (log_bytes_zero (self->window + block, block_end - block)) {
                continue;
            }
            size_t last = block_end;
            while (self->window[last - 1] == 0) {
                last--;
            }
            *nonzero_end = from + last;
            for (size_t at = block; at < block_end; at += 8) {
                log_record_t record;
                if (at + LOG_RECORD_HEADER_BYTES <= bytes &&
                    log_record_decode_header (self->window + at, &scope, &record) &&
                    record.synced_index > *proven) {
                    *proven = record.synced_index;
                }
            }
        }
        // A header may lie across the windows' border: the next one begins a little earlier.
        from += bytes;
        if (from < end) {
            from -= LOG_RECORD_HEADER_BYTES;
        }
    }
    return 0;
}

// Does a sector that [from, to) touches still show nothing of it?
static int s_has_unwritten_sector (log_recovery_t *self, vfs_file_t *file, uint64_t from,
                                   uint64_t to, bool *unwritten)
{
    *unwritten = false;
    while (from < to && !*unwritten) {
        uint64_t end = log_align (from + 1, LOG_FLUSH_ALIGN);
        end = end < to ? end : to;
        size_t got = 0;
        int rc = file->ops->read (file, self->window, end - from, from, &got);
        if (rc) {
            return rc;
        }
        *unwritten = got == end - from && log_bytes_zero (self->window, got);
        from = end;
    }
    return 0;
}

// The records of the last segment ended at run->position. Why?
static int s_judge_tail (log_recovery_t *self, log_segment_t *segment, const log_run_t *run,
                         log_run_result_t result, vfs_file_t *file)
{
    uint64_t seq = segment->header.seq;
    uint64_t next = segment->last_index + 1;
    uint64_t nonzero_end;
    uint64_t proven = self->proven;
    int rc = s_survey (self, file, segment, run->position, &nonzero_end, &proven);
    if (rc) {
        return rc;
    }
    if (nonzero_end == run->position) {
        return 0;
    }
    const char *why = result == LOG_RUN_BAD ? run->why : "a record is missing before others";
    if (proven >= next) {
        self->proven = proven;
        return s_corrupt (self, seq, run->position, next, why);
    }
    uint64_t hint = self->options->durable_hint;
    if (hint >= next && hint > self->options->snapshot_index) {
        return s_corrupt (self, seq, run->position, next, why);
    }
    bool torn = true;
    if (result == LOG_RUN_BAD) {
        uint64_t bytes = LOG_RECORD_HEADER_BYTES;
        if (run->header_valid && run->bad.entry.index == next) {
            bytes += run->bad.entry.payload_bytes;
        }
        uint64_t to = bytes < run->limit - run->position ? run->position + bytes : run->limit;
        rc = s_has_unwritten_sector (self, file, run->position, to, &torn);
        if (rc) {
            return rc;
        }
    }
    if (!torn) {
        self->report->suspect = true;
        return s_corrupt (self, seq, run->position, next, why);
    }
    s_place (self, seq, run->position, next, why);
    self->report->verdict = LOG_VERDICT_TORN;
    self->report->torn_bytes = nonzero_end - run->position;
    self->torn_from = run->position;
    self->torn_to = nonzero_end;
    return 0;
}

static int s_scan_last (log_recovery_t *self, log_segment_t *segment, vfs_file_t *file)
{
    log_run_t run;
    uint64_t seq = segment->header.seq;
    if (segment->file_bytes < segment->header.segment_bytes) {
        // It had its full size before it got its name.
        return s_corrupt (self, seq, segment->file_bytes, 0, "the file was cut short");
    }
    s_begin (self, segment, &run);
    for (;;) {
        uint32_t chain_before = run.chain;
        log_record_t record;
        log_run_result_t result = log_run_next (&run, &record);
        switch (result) {
        case LOG_RUN_RECORD:
            if (!s_accept (self, segment, &record, chain_before)) {
                return s_corrupt (self, seq, record.offset, segment->last_index + 1,
                                  "a record is out of order");
            }
            if (record.entry.type == LOG_RECORD_END) {
                return s_corrupt (self, seq, record.offset, segment->last_index + 1,
                                  "the segment that continues this one is missing");
            }
            break;
        case LOG_RUN_MORE: {
            int rc = s_load_window (self, file, seq, &run);
            if (rc) {
                return rc;
            }
            break;
        }
        case LOG_RUN_ZERO:
        case LOG_RUN_BAD:
            return s_judge_tail (self, segment, &run, result, file);
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
    int rc = s_open_segment (self, segment->header.seq, VFS_READ, &file);
    if (rc) {
        return rc;
    }
    rc = last ? s_scan_last (self, segment, file) : s_scan_sealed (self, segment, next, file);
    int close_rc = file->ops->close (file);
    return rc ? rc : close_rc;
}

// The records are sound; do they fit to the snapshot and to what is known durable?
static int s_check_bounds (log_recovery_t *self)
{
    const log_store_options_t *options = self->options;
    const log_segment_t *oldest = self->segments[0];
    const log_segment_t *last = self->segments[self->segment_count - 1];
    uint64_t hint = options->durable_hint;
    if (hint > last->last_index && hint > options->snapshot_index) {
        return s_corrupt (self, last->header.seq, last->end_offset, last->last_index + 1,
                          "entries that were committed are missing at the end");
    }
    uint64_t snapshot = options->snapshot_index;
    uint64_t before = oldest->header.first_index - 1;
    if (before > snapshot) {
        s_place (self, oldest->header.seq, 0, snapshot + 1,
                 "the log begins after the end of the snapshot");
        dt_log_error (options->env, "log", "%s: the log begins at %llu, the snapshot ends at %llu",
                      self->report->file, (unsigned long long) before + 1,
                      (unsigned long long) snapshot);
        return DT_ERR_GAP;
    }
    if (snapshot == 0) {
        return 0;
    }
    uint64_t term =
        snapshot == before ? oldest->header.prev_term : log_index_term (&self->index, snapshot);
    self->restart = last->last_index < snapshot || term != options->snapshot_term;
    if (self->restart && hint > snapshot) {
        return s_corrupt (self, last->header.seq, 0, snapshot,
                          "the log contradicts the snapshot below what was committed");
    }
    return 0;
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
            return s_corrupt (self, 0, 0, options->snapshot_index + 1, "the log is missing");
        }
        return DT_ERR_NOT_FOUND;
    }
    rc = s_load_chain (self);
    for (size_t i = 0; rc == 0 && i < self->segment_count; i++) {
        rc = s_scan_segment (self, i);
    }
    return rc ? rc : s_check_bounds (self);
}

int log_recovery_scan (log_recovery_t *self, const log_store_options_t *options,
                       log_report_t *report)
{
    *report = (log_report_t){0};
    *self = (log_recovery_t){
        .options = options,
        .report = report,
        .window = dt_malloc (WINDOW_BYTES),
        .window_bytes = WINDOW_BYTES,
    };
    int rc = s_scan (self);
    report->segments = self->segment_count;
    if (self->segment_count > 0) {
        report->first_index = self->segments[0]->header.first_index;
        report->last_index = self->segments[self->segment_count - 1]->last_index;
    }
    report->proven_index = self->proven;
    if (options->discard) {
        self->restart = true;
    }
    return rc;
}

// --- the repair ----------------------------------------------------------------------------------

// Keep a copy of the torn tail for whoever wants to look at it.
static int s_copy_torn (log_recovery_t *self, const log_segment_t *segment)
{
    vfs_t *vfs = self->options->vfs;
    char path[LOG_PATH_BYTES];
    log_torn_path (path, self->options->directory, segment->header.seq, self->torn_from);
    vfs_file_t *file;
    int rc = vfs->ops->open (vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (rc) {
        return rc;
    }
    for (uint64_t at = self->torn_from; rc == 0 && at < self->torn_to;) {
        uint64_t rest = self->torn_to - at;
        size_t bytes = rest < WINDOW_BYTES ? rest : WINDOW_BYTES;
        size_t got = 0;
        rc = segment->file->ops->read (segment->file, self->window, bytes, at, &got);
        if (rc == 0) {
            rc = file->ops->write (file, self->window, got, at - self->torn_from);
        }
        at += bytes;
    }
    if (rc == 0) {
        rc = file->ops->sync (file);
    }
    int close_rc = file->ops->close (file);
    if (rc == 0) {
        rc = close_rc;
    }
    return rc ? rc : vfs->ops->sync_directory (vfs, self->options->directory);
}

// Zero the torn tail, its first sector last: whatever an interruption leaves still begins with the
// torn record and is judged as now.
static int s_zero_torn (const log_recovery_t *self, vfs_file_t *file)
{
    uint64_t sector_end = log_align (self->torn_from + 1, LOG_FLUSH_ALIGN);
    int rc = 0;
    if (self->torn_to > sector_end) {
        rc = log_zero_fill (file, sector_end, self->torn_to);
    }
    uint64_t to = self->torn_to < sector_end ? self->torn_to : sector_end;
    return rc ? rc : log_zero_fill (file, self->torn_from, to);
}

// Where the record of a noted entry ends.
static int s_find_end (log_recovery_t *self, log_segment_t *segment, uint64_t index,
                       uint64_t *offset)
{
    const log_point_t *point = log_index_find (&self->index, index);
    log_run_t run = {
        .scope = log_segment_scope (&segment->header),
        .chain = point->chain,
        .offset = point->offset,
        .position = point->offset,
        .limit = segment->end_offset,
    };
    for (;;) {
        log_record_t record;
        switch (log_run_next (&run, &record)) {
        case LOG_RUN_RECORD:
            if (record.entry.type <= LOG_ENTRY_COMMAND && record.entry.index == index) {
                *offset = record.next_offset;
                return 0;
            }
            break;
        case LOG_RUN_MORE: {
            int rc = s_load_window (self, segment->file, segment->header.seq, &run);
            if (rc) {
                return rc;
            }
            break;
        }
        default:
            return DT_ERR_CORRUPT; // it was read a moment ago
        }
    }
}

// Write what stands behind entry D once more, just as it is: entries, and markers too, since the
// one that proves D may itself have been left in the page cache by a sync that failed. A sector
// that holds a part of D is as durable as D.
static int s_rewrite_unproven (log_recovery_t *self, log_segment_t *segment)
{
    uint64_t from = LOG_SEGMENT_HEADER_BYTES;
    uint64_t proven = self->proven < segment->last_index ? self->proven : segment->last_index;
    if (proven >= segment->header.first_index) {
        int rc = s_find_end (self, segment, proven, &from);
        if (rc) {
            return rc;
        }
    }
    vfs_file_t *file = segment->file;
    for (uint64_t at = log_align (from, LOG_FLUSH_ALIGN); at < segment->end_offset;) {
        uint64_t rest = segment->end_offset - at;
        size_t bytes = rest < WINDOW_BYTES ? rest : WINDOW_BYTES;
        size_t got = 0;
        int rc = file->ops->read (file, self->window, bytes, at, &got);
        if (rc == 0) {
            rc = file->ops->write (file, self->window, got, at);
        }
        if (rc) {
            return rc;
        }
        at += bytes;
    }
    return 0;
}

int log_recovery_repair (log_recovery_t *self)
{
    dt_assert (self->segment_count > 0);
    log_segment_t *segment = self->segments[self->segment_count - 1];
    int rc = s_open_segment (self, segment->header.seq, VFS_WRITE, &segment->file);
    if (rc) {
        segment->file = NULL;
        return rc;
    }
    if (self->torn_to > 0) {
        dt_log_warn (self->options->env, "log",
                     "%s: an unfinished write of %llu bytes at offset %llu is cut off after entry "
                     "%llu (%s)",
                     self->report->file, (unsigned long long) self->report->torn_bytes,
                     (unsigned long long) self->torn_from, (unsigned long long) segment->last_index,
                     self->report->why);
        rc = s_copy_torn (self, segment);
        if (rc == 0) {
            rc = s_zero_torn (self, segment->file);
        }
    }
    if (rc == 0) {
        rc = s_rewrite_unproven (self, segment);
    }
    return rc ? rc : segment->file->ops->sync (segment->file);
}

// --- leftovers -----------------------------------------------------------------------------------

static bool s_is_live (log_segment_t *const *live, size_t count, uint64_t seq)
{
    for (size_t i = count; i-- > 0;) {
        if (live[i]->header.seq == seq) {
            return true;
        }
    }
    return false;
}

static int s_remove (log_recovery_t *self, const char *path)
{
    self->report->leftovers++;
    return self->options->vfs->ops->unlink (self->options->vfs, path);
}

void log_recovery_spares (log_recovery_t *self, log_spares_t *spares)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->spares.count; i++) {
        if (!log_spares_found (spares, self->spares.numbers[i])) {
            self->spares.numbers[kept++] = self->spares.numbers[i];
        }
    }
    self->spares.count = kept; // what is left is removed by the sweep
}

int log_recovery_sweep (log_recovery_t *self, log_segment_t *const *live, size_t live_count)
{
    const char *directory = self->options->directory;
    char path[LOG_PATH_BYTES];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->logs.count; i++) {
        if (!s_is_live (live, live_count, self->logs.numbers[i])) {
            log_segment_path (path, directory, self->logs.numbers[i]);
            rc = s_remove (self, path);
        }
    }
    for (size_t i = 0; rc == 0 && i < self->indexes.count; i++) {
        if (!s_is_live (live, live_count, self->indexes.numbers[i])) {
            log_index_path (path, directory, self->indexes.numbers[i]);
            rc = s_remove (self, path);
        }
    }
    for (size_t i = 0; rc == 0 && i < self->spares.count; i++) {
        log_spare_path (path, directory, self->spares.numbers[i]);
        rc = s_remove (self, path);
    }
    for (size_t i = 0; rc == 0 && i + TORN_FILES_MAX < self->torn_count; i++) {
        snprintf (path, sizeof path, "%s/%s", directory, self->torn[i]);
        rc = s_remove (self, path);
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
