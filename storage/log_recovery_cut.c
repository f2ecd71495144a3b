// What is kept of a log that is CORRUPT, and up to where entries may be missing then [DISK-12].
//
// Kept is what was verified before the damage, if it continues the snapshot. It is cut off there as
// a truncated suffix is: a new segment says where the one before it ends, and what no prev_seq
// leads to is dead. So it happens wholly or not at all, and the damaged bytes are never written to.

#include "storage/log_recovery_internal.h"

#include <stdlib.h>

#include "base/dt_error.h"

static uint64_t s_max (uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// --- what may be lost ----------------------------------------------------------------------------
//
// Nothing is acknowledged that is not in the newest segment or before it. Every header that can
// still be read there names its entry. Bytes behind the last of them belong to records whose
// headers are damaged, at most one in LOG_RECORD_HEADER_BYTES. If the newest segment's own header
// cannot be read, nobody knows.

static uint64_t s_highest_in (log_recovery_t *self, const log_segment_t *newest)
{
    vfs_file_t *file;
    if (newest->file_bytes < newest->header.segment_bytes ||
        log_recovery_open_segment (self, newest->header.seq, VFS_READ, &file)) {
        return UINT64_MAX;
    }
    log_survey_t survey = {.highest = newest->header.first_index - 1,
                           .highest_end = LOG_SEGMENT_HEADER_BYTES};
    int rc = log_recovery_survey (self, file, newest, LOG_SEGMENT_HEADER_BYTES, &survey);
    (void) file->ops->close (file); // opened for reading
    if (rc) {
        return UINT64_MAX;
    }
    uint64_t rest =
        survey.nonzero_end > survey.highest_end ? survey.nonzero_end - survey.highest_end : 0;
    uint64_t unreadable = (rest + LOG_RECORD_HEADER_BYTES - 1) / LOG_RECORD_HEADER_BYTES;
    return s_max (survey.highest, survey.proven) + unreadable;
}

void log_recovery_bound (log_recovery_t *self)
{
    uint64_t highest = UINT64_MAX;
    if (self->segment_count > 0) {
        highest = s_highest_in (self, self->segments[self->segment_count - 1]);
    }
    highest = s_max (highest, self->options->durable_hint);
    self->report->lost_until = s_max (highest, self->proven);
}

// --- what is kept --------------------------------------------------------------------------------

// Segments that hold something that was verified, the damaged one included.
static size_t s_kept (const log_recovery_t *self)
{
    size_t kept = self->sound;
    if (kept < self->segment_count && self->segments[kept]->end_offset > 0) {
        kept++;
    }
    return kept;
}

// Does what is kept continue the snapshot?
static bool s_continues (const log_recovery_t *self, size_t kept)
{
    uint64_t snapshot = self->options->snapshot_index;
    const log_segment_header_t *oldest = &self->segments[0]->header;
    if (oldest->first_index > snapshot + 1 || self->segments[kept - 1]->last_index <= snapshot) {
        return false;
    }
    uint64_t term = oldest->first_index == snapshot + 1 ? oldest->prev_term
                                                        : log_index_term (&self->index, snapshot);
    return snapshot == 0 || term == self->options->snapshot_term;
}

void log_recovery_cut (log_recovery_t *self)
{
    size_t kept = s_kept (self);
    if (kept == 0 || !s_continues (self, kept)) {
        self->restart = true;
        self->report->lost_from = self->options->snapshot_index + 1;
        return;
    }
    while (self->segment_count > kept) {
        free (self->segments[--self->segment_count]);
    }
    uint64_t last = self->segments[kept - 1]->last_index;
    self->cut = true;
    self->restart = false;
    self->torn_to = 0;
    self->proven = self->proven < last ? self->proven : last;
    self->report->lost_from = last + 1;
}
