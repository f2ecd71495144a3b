#include "storage/log_recovery_internal.h"

#include <stdio.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"

enum {
    TORN_FILES_MAX = 8,
};

// --- the torn tail -------------------------------------------------------------------------------
//
// A sync that fails while the tail is zeroed leaves zeros in the page cache and the torn bytes on
// the medium. As long as the cache lives, what is read says CLEAN (or a shorter tail), and no later
// sync writes those zeros, which count as clean; but a power cut brings the torn bytes back, behind
// whatever was appended and acknowledged since: damage that nobody could explain. So the place of
// what was cut off must be known without reading it. The copy that is put aside, before the first
// zero is written, tells it: its name has segment and offset, its size is the length. At every
// start what these copies name behind the end of the log is zeroed again. That is enough:
//
// - Every byte that was ever to be zeroed lies within a copy, which is made first and whole, and
//   removed only after a repair that succeeded (the sweep).
// - Copy and zeros share one cache. If the copy did not reach the medium either, a power cut takes
//   both back and the scan sees the torn tail itself.
// - Behind the end of the log there is nothing but zeros, in every state: to zero more than
//   needed, because a copy is old, changes nothing.

static void s_copy_path (const log_recovery_t *self, const char *name, char *path)
{
    snprintf (path, LOG_PATH_BYTES, "%s/%s", self->options->directory, name);
}

// The size of a file; 0 if it is not there.
static int s_file_bytes (const log_recovery_t *self, const char *path, uint64_t *bytes)
{
    vfs_t *vfs = self->options->vfs;
    vfs_file_t *file;
    *bytes = 0;
    int rc = vfs->ops->open (vfs, path, VFS_READ, &file);
    if (rc) {
        return rc == DT_ERR_NOT_FOUND ? 0 : rc;
    }
    rc = file->ops->size (file, bytes);
    int close_rc = file->ops->close (file);
    return rc ? rc : close_rc;
}

static int s_write_copy (log_recovery_t *self, const log_segment_t *segment, const char *path)
{
    vfs_t *vfs = self->options->vfs;
    vfs_file_t *file;
    int rc = vfs->ops->open (vfs, path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE, &file);
    if (rc) {
        return rc;
    }
    for (uint64_t at = self->torn_from; rc == 0 && at < self->torn_to;) {
        uint64_t rest = self->torn_to - at;
        size_t bytes = rest < LOG_RECOVERY_WINDOW_BYTES ? rest : LOG_RECOVERY_WINDOW_BYTES;
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
    return rc ? rc : close_rc;
}

// Put a copy of the torn tail aside. One that is as long already is of the same bytes, before a
// part of them was zeroed.
static int s_copy_torn (log_recovery_t *self, const log_segment_t *segment)
{
    vfs_t *vfs = self->options->vfs;
    char path[LOG_PATH_BYTES];
    uint64_t bytes;
    log_torn_path (path, self->options->directory, segment->header.seq, self->torn_from);
    int rc = s_file_bytes (self, path, &bytes);
    if (rc == 0 && bytes < self->torn_to - self->torn_from) {
        rc = s_write_copy (self, segment, path);
    }
    return rc ? rc : vfs->ops->sync_directory (vfs, self->options->directory);
}

// Extend what is to be zeroed by what one copy names behind the end of the log.
static int s_extend_torn (log_recovery_t *self, const log_segment_t *segment, const char *name)
{
    char path[LOG_PATH_BYTES];
    uint64_t seq;
    uint64_t offset;
    uint64_t bytes;
    if (!log_torn_name_parse (name, &seq, &offset) || seq != segment->header.seq) {
        return 0;
    }
    s_copy_path (self, name, path);
    int rc = s_file_bytes (self, path, &bytes);
    if (rc) {
        return rc;
    }
    uint64_t limit = segment->header.segment_bytes;
    uint64_t to = offset < limit && bytes < limit - offset ? offset + bytes : limit;
    // A sector that was written since ends with the zeros of that write.
    uint64_t end = segment->end_offset;
    uint64_t from = offset < end ? log_align (end, LOG_FLUSH_ALIGN) : offset;
    if (from >= to) {
        return 0;
    }
    bool first = self->torn_to == 0;
    self->torn_from = first || from < self->torn_from ? from : self->torn_from;
    self->torn_to = first || to > self->torn_to ? to : self->torn_to;
    return 0;
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

static int s_repair_tail (log_recovery_t *self, const log_segment_t *segment)
{
    int rc = 0;
    if (self->torn_to > 0) {
        dt_log_warn (self->options->env, "log",
                     "%s: an unfinished write of %llu bytes at offset %llu is cut off after entry "
                     "%llu (%s)",
                     self->report->file, (unsigned long long) self->report->torn_bytes,
                     (unsigned long long) self->torn_from, (unsigned long long) segment->last_index,
                     self->report->why);
        rc = s_copy_torn (self, segment);
    }
    for (size_t i = 0; rc == 0 && i < self->torn_count; i++) {
        rc = s_extend_torn (self, segment, self->torn[i]);
    }
    return rc ? rc : s_zero_torn (self, segment->file);
}

// --- what was not proven durable -----------------------------------------------------------------

// What was read a moment ago and is different now.
static int s_unstable (log_recovery_t *self, const log_segment_t *segment, const log_run_t *run)
{
    return log_recovery_corrupt (self, segment->header.seq, run->position, 0,
                                 "a second read gave something else");
}

// Go over records up to entry `upto`, or to the end of the log if it comes first. What was gone
// over from *written on is written back, just as it was read and verified; NULL: nothing is.
static int s_go_over (log_recovery_t *self, log_segment_t *segment, log_run_t *run, uint64_t upto,
                      uint64_t *written)
{
    vfs_file_t *file = segment->file;
    uint64_t index = 0;
    int rc = 0;
    while (rc == 0 && run->position < segment->end_offset && index < upto) {
        log_record_t record;
        switch (log_run_next (run, &record)) {
        case LOG_RUN_RECORD:
            index = record.entry.type <= LOG_ENTRY_TYPE_LAST ? record.entry.index : index;
            break;
        case LOG_RUN_MORE:
            if (written && run->position > *written) {
                rc = file->ops->write (file, run->data + (*written - run->offset),
                                       run->position - *written, *written);
                *written = run->position;
            }
            rc = rc ? rc : log_recovery_load_window (self, file, segment->header.seq, run);
            break;
        default:
            return s_unstable (self, segment, run);
        }
    }
    if (rc == 0 && written && run->position > *written) {
        rc = file->ops->write (file, run->data + (*written - run->offset), run->position - *written,
                               *written);
    }
    return rc;
}

// Write what stands behind entry D once more, just as it is: entries, and markers too, since the
// one that proves D may itself have been left in the page cache by a sync that failed. A sector
// that holds a part of D is as durable as D. What a second read gives is verified again: a disk
// that lies once must not have its lie written over what is sound.
static int s_rewrite_unproven (log_recovery_t *self, log_segment_t *segment)
{
    log_run_t run = {
        .scope = log_segment_scope (&segment->header),
        .chain = segment->header.prev_chain,
        .offset = LOG_SEGMENT_HEADER_BYTES,
        .position = LOG_SEGMENT_HEADER_BYTES,
        .limit = segment->end_offset,
    };
    uint64_t proven = self->proven < segment->last_index ? self->proven : segment->last_index;
    if (proven >= segment->header.first_index) {
        const log_point_t *point = log_index_find (&self->index, proven);
        run.chain = point->chain;
        run.offset = point->offset;
        run.position = point->offset;
        int rc = s_go_over (self, segment, &run, proven, NULL);
        if (rc) {
            return rc;
        }
    }
    uint64_t written = log_align (run.position, LOG_FLUSH_ALIGN);
    return s_go_over (self, segment, &run, UINT64_MAX, &written);
}

int log_recovery_repair (log_recovery_t *self)
{
    dt_assert (self->segment_count > 0);
    log_segment_t *segment = self->segments[self->segment_count - 1];
    int rc = log_recovery_open_segment (self, segment->header.seq, VFS_WRITE, &segment->file);
    if (rc) {
        segment->file = NULL;
        return rc;
    }
    rc = s_repair_tail (self, segment);
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
        s_copy_path (self, self->torn[i], path);
        rc = s_remove (self, path);
    }
    return rc;
}
