#include "storage/log_recovery_internal.h"

#include <stdio.h>

#include "base/dt_error.h"

void log_recovery_place (log_recovery_t *self, uint64_t seq, uint64_t offset, uint64_t index,
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

int log_recovery_corrupt (log_recovery_t *self, uint64_t seq, uint64_t offset, uint64_t index,
                          const char *why)
{
    log_recovery_place (self, seq, offset, index, why);
    self->report->verdict = LOG_VERDICT_CORRUPT;
    dt_log_error (self->options->env, "log", "%s is corrupt at offset %llu, entry %llu: %s",
                  self->report->file, (unsigned long long) offset, (unsigned long long) index, why);
    return DT_ERR_CORRUPT;
}

static void s_note_header (log_survey_t *survey, const log_record_t *record, uint64_t offset)
{
    uint64_t end = offset + log_record_bytes (record->entry.payload_bytes);
    survey->proven = record->synced_index > survey->proven ? record->synced_index : survey->proven;
    survey->highest = record->entry.index > survey->highest ? record->entry.index : survey->highest;
    survey->highest_end = end > survey->highest_end ? end : survey->highest_end;
}

int log_recovery_survey (log_recovery_t *self, vfs_file_t *file, const log_segment_t *segment,
                         uint64_t from, log_survey_t *survey)
{
    enum { BLOCK = 4096 };
    log_record_scope_t scope = log_segment_scope (&segment->header);
    uint64_t end = segment->header.segment_bytes;
    survey->nonzero_end = from;
    while (from < end) {
        size_t got = 0;
        size_t bytes =
            end - from < LOG_RECOVERY_WINDOW_BYTES ? end - from : LOG_RECOVERY_WINDOW_BYTES;
        int rc = file->ops->read (file, self->window, bytes, from, &got);
        if (rc) {
            return rc;
        }
        if (got < bytes) {
            return log_recovery_corrupt (self, segment->header.seq, from + got, 0,
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
            survey->nonzero_end = from + last;
            for (size_t at = block; at < block_end; at += 8) {
                log_record_t record;
                if (at + LOG_RECORD_HEADER_BYTES <= bytes &&
                    log_record_decode_header (self->window + at, &scope, &record)) {
                    s_note_header (survey, &record, from + at);
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
int log_recovery_judge_tail (log_recovery_t *self, log_segment_t *segment, const log_run_t *run,
                             log_run_result_t result, vfs_file_t *file)
{
    uint64_t seq = segment->header.seq;
    uint64_t next = segment->last_index + 1;
    log_survey_t survey = {.proven = self->proven};
    int rc = log_recovery_survey (self, file, segment, run->position, &survey);
    if (rc) {
        return rc;
    }
    if (survey.nonzero_end == run->position) {
        return 0;
    }
    const char *why = result == LOG_RUN_BAD ? run->why : "a record is missing before others";
    if (survey.proven >= next) {
        self->proven = survey.proven;
        return log_recovery_corrupt (self, seq, run->position, next, why);
    }
    uint64_t hint = self->options->durable_hint;
    if (hint >= next && hint > self->options->snapshot_index) {
        return log_recovery_corrupt (self, seq, run->position, next, why);
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
        return log_recovery_corrupt (self, seq, run->position, next, why);
    }
    log_recovery_place (self, seq, run->position, next, why);
    self->report->verdict = LOG_VERDICT_TORN;
    self->report->torn_bytes = survey.nonzero_end - run->position;
    self->torn_from = run->position;
    self->torn_to = survey.nonzero_end;
    return 0;
}

// The records are sound; do they fit to the snapshot and to what is known durable?
int log_recovery_check_bounds (log_recovery_t *self)
{
    const log_store_options_t *options = self->options;
    const log_segment_t *oldest = self->segments[0];
    const log_segment_t *last = self->segments[self->segment_count - 1];
    uint64_t hint = options->durable_hint;
    if (hint > last->last_index && hint > options->snapshot_index) {
        return log_recovery_corrupt (self, last->header.seq, last->end_offset, last->last_index + 1,
                                     "entries that were committed are missing at the end");
    }
    uint64_t snapshot = options->snapshot_index;
    uint64_t before = oldest->header.first_index - 1;
    if (before > snapshot) {
        log_recovery_place (self, oldest->header.seq, 0, snapshot + 1,
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
        return log_recovery_corrupt (self, last->header.seq, 0, snapshot,
                                     "the log contradicts the snapshot below what was committed");
    }
    return 0;
}
