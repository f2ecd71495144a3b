#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/log_store_internal.h"

// --- letting go of segments ----------------------------------------------------------------------

// Remove the files of one segment and free it. *retired as in log_spares_retire.
static int s_remove (log_store_t *self, log_segment_t *segment, uint64_t *retired)
{
    dt_assert (segment->dropped);
    dt_assert (segment->pins == 0);
    if (self->cached == segment) {
        self->cached = NULL;
    }
    int rc = log_store_rest_file (self, segment);
    char path[LOG_PATH_BYTES];
    if (rc == 0 && segment->index_saved) {
        log_index_path (path, self->directory, segment->header.seq);
        rc = self->vfs->ops->unlink (self->vfs, path);
        rc = rc && rc != DT_ERR_NOT_FOUND ? log_store_fail (self, rc, "removing an index") : 0;
    }
    if (rc == 0) {
        log_segment_path (path, self->directory, segment->header.seq);
        rc = log_spares_retire (&self->spares, path, retired);
        rc = rc ? log_store_fail (self, rc, "removing a segment") : 0;
    }
    free (segment);
    return rc;
}

static void s_keep_for_readers (log_store_t *self, log_segment_t *segment)
{
    self->dropped = dt_realloc (self->dropped, (self->dropped_count + 1) * sizeof self->dropped[0]);
    self->dropped[self->dropped_count++] = segment;
}

int log_store_drop (log_store_t *self, log_segment_t **dead, size_t count)
{
    uint64_t retired[LOG_SPARES_MAX];
    size_t retired_count = 0;
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        dead[i]->dropped = true;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t number = 0;
        if (rc || dead[i]->pins > 0) {
            s_keep_for_readers (self, dead[i]);
            continue;
        }
        rc = s_remove (self, dead[i], &number);
        if (rc == 0 && number > 0 && retired_count < LOG_SPARES_MAX) {
            retired[retired_count++] = number;
        }
    }
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, self->directory);
        rc = rc ? log_store_fail (self, rc, "syncing the directory") : 0;
    }
    for (size_t i = 0; rc == 0 && i < retired_count; i++) {
        if (!log_spares_found (&self->spares, retired[i])) {
            char path[LOG_PATH_BYTES];
            log_spare_path (path, self->directory, retired[i]);
            rc = self->vfs->ops->unlink (self->vfs, path);
            rc = rc ? log_store_fail (self, rc, "removing a spare segment") : 0;
        }
    }
    return rc;
}

int log_store_reap (log_store_t *self)
{
    while (self->dropped_count > 0) {
        // Those nobody reads, oldest first; others may come while they go.
        log_segment_t **dead = dt_malloc (self->dropped_count * sizeof dead[0]);
        size_t count = 0;
        size_t kept = 0;
        for (size_t i = 0; i < self->dropped_count; i++) {
            log_segment_t *segment = self->dropped[i];
            if (segment->pins > 0) {
                self->dropped[kept++] = segment;
            } else {
                dead[count++] = segment;
            }
        }
        self->dropped_count = kept;
        int rc = count > 0 ? log_store_drop (self, dead, count) : 0;
        free (dead);
        if (rc || count == 0) {
            return rc;
        }
    }
    return 0;
}

// --- prefix --------------------------------------------------------------------------------------

int log_store_truncate_prefix (log_store_t *self, uint64_t upto_index)
{
    if (self->failed) {
        return self->failed;
    }
    size_t count = 0;
    while (count + 1 < self->segment_count && self->segments[count]->last_index <= upto_index) {
        self->segments[count]->dropped = true;
        s_keep_for_readers (self, self->segments[count]);
        count++;
    }
    if (count > 0) {
        self->segment_count -= count;
        memmove (self->segments, self->segments + count,
                 self->segment_count * sizeof self->segments[0]);
        log_index_drop_before (&self->index, log_store_first (self));
    }
    return 0;
}

// --- suffix --------------------------------------------------------------------------------------

// What stands just before an entry.
typedef struct {
    uint64_t offset; // where the record before it ends
    uint32_t chain;  // of that record
    uint64_t term;
} place_t;

// Find where entry `index` of a segment ends.
static int s_find_end (log_store_t *self, log_segment_t *segment, uint64_t index, place_t *place)
{
    const log_point_t *point = log_index_find (&self->index, index);
    dt_assert (point->seq == segment->header.seq);
    log_run_t run = log_store_run (self, segment, point->offset, point->chain);
    int rc = log_store_pin (self, segment);
    if (rc) {
        return rc;
    }
    uint8_t *memory = NULL;
    log_record_t record;
    do {
        log_run_result_t result = log_run_next (&run, &record);
        if (result == LOG_RUN_MORE) {
            uint64_t want = run.need > 2 * LOG_INDEX_STRIDE ? run.need : 2 * LOG_INDEX_STRIDE;
            want = want < run.limit - run.position ? want : run.limit - run.position;
            free (memory);
            memory = dt_malloc (want);
            run.data = memory;
            run.offset = run.position;
            rc = segment->file->ops->read (segment->file, memory, want, run.position, &run.bytes);
            if (rc == 0 && run.bytes < run.need) {
                rc = DT_ERR_CORRUPT;
            }
            record.entry.index = 0;
        } else if (result != LOG_RUN_RECORD || record.entry.index > index) {
            rc = DT_ERR_CORRUPT;
        }
    } while (rc == 0 && (record.entry.index < index || record.entry.type > LOG_ENTRY_TYPE_LAST));
    free (memory);
    log_store_unpin (self, segment);
    if (rc == 0) {
        *place = (place_t){record.next_offset, record.chain, record.entry.term};
    }
    return rc;
}

// The segment ends earlier now: say so in the file, and give back the space behind.
static int s_shorten (log_store_t *self, log_segment_t *segment, bool was_current)
{
    vfs_file_t *file = segment->file;
    if (!was_current) {
        char path[LOG_PATH_BYTES];
        log_segment_path (path, self->directory, segment->header.seq);
        int rc = self->vfs->ops->open (self->vfs, path, VFS_WRITE, &file);
        if (rc) {
            return log_store_fail (self, rc, "opening a segment");
        }
    }
    int rc = log_store_write_end (self, segment, file);
    uint64_t bytes = log_align (segment->end_offset + LOG_SEGMENT_RESERVED, 4096);
    if (rc == 0 && bytes < segment->file_bytes) {
        rc = file->ops->truncate (file, bytes);
        rc = rc ? log_store_fail (self, rc, "shortening a segment") : 0;
        segment->file_bytes = bytes;
    }
    if (!was_current) {
        int close_rc = file->ops->close (file);
        if (rc == 0 && close_rc) {
            rc = log_store_fail (self, close_rc, "closing a segment");
        }
        return rc;
    }
    return rc ? rc : log_store_rest_file (self, segment);
}

// Put the newest segment, which goes on at entry `from`, in the place of all that hold such
// entries.
static int s_replace_suffix (log_store_t *self, size_t keep, uint64_t from, const place_t *place)
{
    log_segment_t *fresh = log_store_current (self);
    log_segment_t *short_one = NULL;
    bool was_current = keep == self->segment_count - 1;
    if (keep > 0 && self->segments[keep - 1]->last_index >= from) {
        short_one = self->segments[keep - 1];
        short_one->last_index = from - 1;
        short_one->last_term = place->term;
        short_one->end_offset = place->offset;
        short_one->end_chain = place->chain;
        short_one->index_saved = false;
    }
    size_t dead_count = self->segment_count - 1 - keep;
    log_segment_t **dead = dt_malloc (dead_count * sizeof dead[0]);
    for (size_t i = 0; i < dead_count; i++) {
        dead[i] = self->segments[self->segment_count - 2 - i]; // newest first
    }
    self->segments[keep] = fresh;
    self->segment_count = keep + 1;
    self->changes++;
    log_index_truncate (&self->index, from);
    log_store_replan (self);
    int rc = short_one ? s_shorten (self, short_one, was_current) : 0;
    if (rc == 0) {
        rc = log_store_drop (self, dead, dead_count);
    } else {
        for (size_t i = 0; i < dead_count; i++) {
            dead[i]->dropped = true;
            s_keep_for_readers (self, dead[i]);
        }
    }
    free (dead);
    return rc;
}

static int s_truncate_suffix (log_store_t *self, uint64_t from)
{
    int rc = log_store_flush_buffers (self);
    if (rc || from > self->last_index) {
        return rc;
    }
    size_t keep = log_store_segment_of (self, from);
    log_segment_t *segment = self->segments[keep];
    const log_segment_header_t *header = &segment->header;
    log_roll_t roll = {
        .seq = self->next_seq,
        .first_index = from,
        .prev_seq = header->prev_seq,
        .prev_term = header->prev_term,
        .prev_chain = header->prev_chain,
        .flags = header->flags,
    };
    place_t place = {0};
    if (from > header->first_index) {
        rc = s_find_end (self, segment, from - 1, &place);
        if (rc) {
            return rc;
        }
        keep++;
        roll.prev_seq = header->seq;
        roll.prev_term = place.term;
        roll.prev_chain = place.chain;
        roll.flags = 0;
    }
    rc = log_store_roll (self, &roll);
    if (rc) {
        return rc;
    }
    self->next_seq++;
    return s_replace_suffix (self, keep, from, &place);
}

int log_store_truncate_suffix (log_store_t *self, uint64_t from_index)
{
    dt_assert (from_index >= log_store_first (self));
    dt_assert (from_index <= self->last_index + 1);
    log_store_enter (self);
    self->shortening = true;
    int rc = self->failed ? self->failed : s_truncate_suffix (self, from_index);
    self->shortening = false;
    log_store_leave (self);
    return rc;
}

// --- reset ---------------------------------------------------------------------------------------

static int s_reset (log_store_t *self, uint64_t index, uint64_t term)
{
    log_roll_t roll = {
        .seq = self->next_seq,
        .first_index = index + 1,
        .prev_term = term,
        .flags = LOG_SEGMENT_RESTART,
    };
    int rc = log_store_roll (self, &roll);
    if (rc) {
        return rc;
    }
    self->next_seq++;
    for (int i = 0; i < 2; i++) {
        dt_buffer_clear (&self->buffers[i].bytes);
        self->buffers[i].extent_count = 0;
        self->buffers[i].written = 0;
    }
    size_t count = self->segment_count - 1;
    log_segment_t **dead = dt_memdup (self->segments, count * sizeof dead[0]);
    self->segments[0] = log_store_current (self);
    self->segment_count = 1;
    self->changes++;
    self->index.point_count = 0;
    self->index.run_count = 0;
    log_store_replan (self);
    self->proven = index;
    rc = log_store_drop (self, dead, count);
    free (dead);
    return rc;
}

int log_store_reset (log_store_t *self, uint64_t index, uint64_t term)
{
    dt_assert (index > 0);
    dt_assert (term > 0);
    log_store_enter (self);
    self->shortening = true;
    int rc = self->failed ? self->failed : s_reset (self, index, term);
    self->shortening = false;
    log_store_leave (self);
    return rc;
}

// --- background work -----------------------------------------------------------------------------

static bool s_wants_spare (const log_store_t *self)
{
    size_t spare = self->spares.ready_count;
    return spare < self->planned_rolls ||
           (spare == self->planned_rolls && self->plan_offset * 2 > self->plan_limit);
}

static log_segment_t *s_without_index (const log_store_t *self)
{
    for (size_t i = 0; i + 1 < self->segment_count; i++) {
        if (!self->segments[i]->index_saved) {
            return self->segments[i];
        }
    }
    return NULL;
}

static bool s_wants_reap (const log_store_t *self)
{
    for (size_t i = 0; i < self->dropped_count; i++) {
        if (self->dropped[i]->pins == 0) {
            return true;
        }
    }
    return false;
}

bool log_store_wants_prepare (const log_store_t *self)
{
    return self->failed == 0 && !self->preparing &&
           (s_wants_spare (self) || s_without_index (self) || s_wants_reap (self));
}

static int s_write_index (log_store_t *self, const char *path, const dt_buffer_t *content)
{
    vfs_file_t *file;
    int flags = VFS_WRITE | VFS_CREATE | VFS_TRUNCATE;
    int rc = self->vfs->ops->open (self->vfs, path, flags, &file);
    if (rc) {
        return rc;
    }
    rc = file->ops->write (file, content->data, content->bytes, 0);
    int close_rc = file->ops->close (file);
    return rc ? rc : close_rc;
}

// Write the index file of a sealed segment. It is not synced [DISK-17].
static int s_save_index (log_store_t *self, log_segment_t *segment)
{
    uint64_t changes = self->changes;
    dt_buffer_t content = {0};
    log_index_key_t key = {
        .seq = segment->header.seq,
        .segment_crc = segment->header.crc,
        .end_chain = segment->end_chain,
        .first_index = segment->header.first_index,
        .last_index = segment->last_index,
    };
    if (key.last_index < key.first_index) {
        segment->index_saved = true; // there is nothing in it
        return 0;
    }
    log_index_encode (&self->index, &key, &content);
    char path[LOG_PATH_BYTES];
    log_index_path (path, self->directory, key.seq);
    segment->pins++; // it must not go away meanwhile
    int rc = s_write_index (self, path, &content);
    dt_buffer_deinit (&content);
    if (rc == DT_ERR_NO_SPACE) {
        rc = self->vfs->ops->unlink (self->vfs, path); // it was not needed that much
        rc = rc == DT_ERR_NOT_FOUND ? 0 : rc;
    }
    if (rc == 0 && (changes == self->changes || segment->dropped)) {
        segment->index_saved = true; // also: to be removed with the segment
    }
    log_store_unpin (self, segment);
    return rc ? log_store_fail (self, rc, "writing an index file") : 0;
}

static int s_prepare (log_store_t *self)
{
    int rc = log_store_reap (self);
    log_segment_t *segment;
    while (rc == 0 && (segment = s_without_index (self)) != NULL) {
        rc = s_save_index (self, segment);
    }
    while (rc == 0 && self->failed == 0 && s_wants_spare (self)) {
        rc = log_spares_make (&self->spares);
        if (rc && rc != DT_ERR_NO_SPACE) {
            rc = log_store_fail (self, rc, "preparing a segment");
        }
    }
    return rc;
}

int log_store_prepare (log_store_t *self)
{
    dt_assert (!self->preparing);
    if (self->failed) {
        return self->failed;
    }
    self->preparing = true;
    int rc = s_prepare (self);
    self->preparing = false;
    return rc;
}
