#include "storage/log_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "base/dt_planted.h"
#include "storage/log_store_internal.h"

enum {
    DIRECTORY_BYTES_MAX = 400, // leaves room for the names
    BUFFER_BYTES_MIN = 64 * 1024,
    BUFFER_ALIGN = 4096,
    BUFFER_BYTES_SMALL = 128 * 1024, // one that outgrows this is in for large writes
};

int log_store_fail (log_store_t *self, int rc, const char *what)
{
    dt_assert (rc != 0);
    if (self->failed == 0) {
        self->failed = DT_ERR_DISK_FAILED;
        dt_log_error (self->env, "log", "%s: %s failed: %s; nothing more is written here",
                      self->directory, what, dt_error_text (rc));
    }
    return self->failed;
}

void log_store_enter (log_store_t *self)
{
    dt_assert (!self->writing);
    self->writing = true;
}

void log_store_leave (log_store_t *self)
{
    dt_assert (self->writing);
    self->writing = false;
}

// --- appending -----------------------------------------------------------------------------------

// Make room for `bytes` more. Extents begin at multiples of LOG_FLUSH_ALIGN in memory as on disk,
// so that the vfs can hand them to the device without a copy. From small pages a direct write of
// 400 to 800 KiB was measured to take 1.3 to 1.6 times as long as from a large one: hence large
// pages, once a log has such writes.
static uint8_t *s_reserve (const log_store_t *self, dt_buffer_t *buffer, size_t bytes)
{
    size_t needed = buffer->bytes + bytes + LOG_FLUSH_ALIGN; // with room to fill the last sector
    if (buffer->capacity < needed) {
        size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_BYTES_MIN;
        while (capacity < needed) {
            capacity *= 2;
        }
        bool large = capacity > BUFFER_BYTES_SMALL;
        if (large && capacity < DT_ENV_LARGE_BYTES) {
            capacity = DT_ENV_LARGE_BYTES;
        }
        uint8_t *data = dt_malloc_aligned (large ? DT_ENV_LARGE_BYTES : BUFFER_ALIGN, capacity);
        if (large && self->env->advise_large) {
            self->env->advise_large (self->env, data, capacity);
        }
        if (buffer->bytes) {
            memcpy (data, buffer->data, buffer->bytes);
        }
        free (buffer->data);
        buffer->data = data;
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->bytes;
}

// Fill the last sector with zeros: what the disk holds there already.
static void s_pad (const log_store_t *self, dt_buffer_t *buffer)
{
    size_t pad = log_align (buffer->bytes, LOG_FLUSH_ALIGN) - buffer->bytes;
    memset (s_reserve (self, buffer, pad), 0, pad);
    buffer->bytes += pad;
}

// Begin an extent where the plan stands, in the current segment or in a new one.
static log_extent_t *s_begin_extent (log_store_t *self, log_write_buffer_t *buffer,
                                     bool new_segment)
{
    if (buffer->extent_count == buffer->extent_capacity) {
        buffer->extent_capacity = buffer->extent_capacity ? buffer->extent_capacity * 2 : 4;
        buffer->extents =
            dt_realloc (buffer->extents, buffer->extent_capacity * sizeof buffer->extents[0]);
    }
    s_pad (self, &buffer->bytes);
    log_extent_t *extent = &buffer->extents[buffer->extent_count++];
    *extent = (log_extent_t){
        .begins_segment = new_segment,
        .from = buffer->bytes.bytes,
        .to = buffer->bytes.bytes,
        .first_index = self->last_index + 1,
        .prev_seq = self->plan_seq,
        .prev_term = self->last_term,
        .prev_chain = self->chain,
    };
    if (new_segment) {
        self->plan_seq = self->next_seq++;
        self->plan_offset = LOG_SEGMENT_HEADER_BYTES;
        self->plan_limit = log_segment_limit (self->segment_bytes);
        self->planned_rolls++;
    }
    extent->seq = self->plan_seq;
    extent->file_offset = (uint32_t) self->plan_offset;
    return extent;
}

// The extent the next record of so many bytes goes to.
static log_extent_t *s_extent_for (log_store_t *self, log_write_buffer_t *buffer, uint64_t bytes)
{
    if (buffer->extent_count > 0) {
        if (self->plan_offset + bytes <= self->plan_limit) {
            return &buffer->extents[buffer->extent_count - 1];
        }
        return s_begin_extent (self, buffer, true);
    }
    uint64_t aligned = log_align (self->plan_offset, LOG_FLUSH_ALIGN);
    if (aligned + bytes > self->plan_limit) {
        return s_begin_extent (self, buffer, true);
    }
    self->plan_offset = aligned;
    return s_begin_extent (self, buffer, false);
}

// Encode one record into the active buffer.
static void s_encode (log_store_t *self, const log_entry_t *entry)
{
    log_write_buffer_t *buffer = &self->buffers[self->active];
    uint64_t bytes = log_record_bytes (entry->payload_bytes);
    log_extent_t *extent = s_extent_for (self, buffer, bytes);
    log_record_scope_t scope = {
        .salt = self->salt,
        .group_id = self->identity.group_id,
        .segment_seq = (uint32_t) self->plan_seq,
    };
    if (entry->type <= LOG_ENTRY_TYPE_LAST) {
        log_index_note (&self->index, entry->index, entry->term, self->plan_seq,
                        (uint32_t) self->plan_offset, self->chain);
    }
    uint8_t *to = s_reserve (self, &buffer->bytes, bytes);
    self->chain = log_record_encode (to, &scope, entry, self->durable_index, self->chain);
    buffer->bytes.bytes += bytes;
    buffer->proof = self->durable_index;
    self->plan_offset += bytes;
    self->last_index = entry->index;
    self->last_term = entry->term;
    extent->to = buffer->bytes.bytes;
    extent->last_index = entry->index;
    extent->last_term = entry->term;
    extent->chain = self->chain;
}

uint32_t log_store_payload_bytes_max (const log_store_t *self)
{
    uint64_t room = log_segment_limit (self->segment_bytes) - LOG_SEGMENT_HEADER_BYTES -
                    LOG_RECORD_HEADER_BYTES - 8;
    return room < LOG_ENTRY_PAYLOAD_BYTES_MAX ? (uint32_t) room : LOG_ENTRY_PAYLOAD_BYTES_MAX;
}

size_t log_store_entry_bytes (size_t payload_bytes)
{
    return log_record_bytes (payload_bytes);
}

int log_store_append (log_store_t *self, const log_batch_t *batch, uint64_t first, uint64_t last)
{
    dt_assert (batch->count > 0);
    dt_assert (first == self->last_index + 1);
    dt_assert (first >= log_batch_first (batch));
    dt_assert (first <= last);
    dt_assert (last <= log_batch_last (batch));
    dt_assert (!self->shortening);
    if (self->failed) {
        return self->failed;
    }
    uint32_t payload_max = log_store_payload_bytes_max (self);
    uint64_t bytes = 0;
    uint64_t term = self->last_term;
    const log_entry_t *entry = log_batch_entry (batch, first);
    for (uint64_t index = first; index <= last; index++, entry++) {
        dt_assert (entry->index == index);
        dt_assert (entry->term >= term);
        dt_assert (entry->term > 0);
        dt_assert (entry->type <= LOG_ENTRY_TYPE_LAST);
        term = entry->term;
        if (entry->payload_bytes > payload_max) {
            return DT_ERR_TOO_BIG;
        }
        bytes += log_record_bytes (entry->payload_bytes);
    }
    s_reserve (self, &self->buffers[self->active].bytes, bytes);
    entry = log_batch_entry (batch, first);
    for (uint64_t index = first; index <= last; index++, entry++) {
        s_encode (self, entry);
    }
    return 0;
}

size_t log_store_pending_bytes (const log_store_t *self)
{
    return self->buffers[0].bytes.bytes + self->buffers[1].bytes.bytes;
}

// --- segments ------------------------------------------------------------------------------------

static int s_write_header (log_store_t *self, log_segment_t *segment, vfs_file_t *file)
{
    uint8_t block[LOG_SEGMENT_HEADER_BYTES];
    log_segment_header_encode (&segment->header, block);
    int rc = file->ops->write_sync (file, block, sizeof block, 0);
    return rc ? log_store_fail (self, rc, "writing a segment header") : 0;
}

int log_store_roll (log_store_t *self, const log_roll_t *roll)
{
    if (self->spares.ready_count == 0) {
        // Dropped files may be the only space there is.
        int rc = log_store_reap (self);
        if (rc == 0) {
            rc = log_spares_make (&self->spares);
        }
        if (rc) {
            return rc == DT_ERR_NO_SPACE ? rc : log_store_fail (self, rc, "preparing a segment");
        }
    }
    uint64_t number;
    vfs_file_t *file;
    bool taken = log_spares_take (&self->spares, &number, &file);
    dt_assert (taken);
    log_segment_t *segment = dt_zalloc (1, sizeof *segment);
    segment->header = (log_segment_header_t){
        .identity = self->identity,
        .seq = roll->seq,
        .prev_seq = roll->prev_seq,
        .first_index = roll->first_index,
        .prev_term = roll->prev_term,
        .prev_chain = roll->prev_chain,
        .salt = self->salt,
        .segment_bytes = self->segment_bytes,
        .flags = roll->flags,
        .created_ms = (uint64_t) self->env->wall_ms (self->env),
    };
    segment->last_index = roll->first_index - 1;
    segment->last_term = roll->prev_term;
    segment->end_offset = LOG_SEGMENT_HEADER_BYTES;
    segment->end_chain = roll->prev_chain;
    segment->file_bytes = self->segment_bytes;
    segment->file = file;
    char from[LOG_PATH_BYTES];
    char to[LOG_PATH_BYTES];
    log_spare_path (from, self->directory, number);
    log_segment_path (to, self->directory, roll->seq);
    int rc = s_write_header (self, segment, file);
    if (rc == 0) {
        rc = self->vfs->ops->rename (self->vfs, from, to);
        if (rc == 0 && !dt_planted (DT_PLANTED_SKIP_DIRECTORY_SYNC)) {
            rc = self->vfs->ops->sync_directory (self->vfs, self->directory);
        }
        rc = rc ? log_store_fail (self, rc, "naming a segment") : 0;
    }
    if (rc) {
        (void) file->ops->close (file);
        free (segment);
        return rc;
    }
    self->segments =
        dt_realloc (self->segments, (self->segment_count + 1) * sizeof self->segments[0]);
    self->segments[self->segment_count++] = segment;
    return 0;
}

int log_store_write_end (log_store_t *self, const log_segment_t *segment, vfs_file_t *file)
{
    uint8_t record[LOG_RECORD_HEADER_BYTES];
    log_entry_t end = {
        .index = segment->last_index,
        .term = segment->last_term,
        .type = LOG_RECORD_END,
    };
    log_record_scope_t scope = log_segment_scope (&segment->header);
    log_record_encode (record, &scope, &end, segment->last_index, segment->end_chain);
    uint64_t offset = log_align (segment->end_offset, LOG_FLUSH_ALIGN);
    int rc = file->ops->write_sync (file, record, sizeof record, offset);
    return rc ? log_store_fail (self, rc, "sealing a segment") : 0;
}

int log_store_rest_file (log_store_t *self, log_segment_t *segment)
{
    if (!segment->file || segment->pins > 0 || segment == self->cached ||
        (!segment->dropped && segment == log_store_current (self))) {
        return 0;
    }
    vfs_file_t *file = segment->file;
    segment->file = NULL;
    int rc = file->ops->close (file);
    return rc ? log_store_fail (self, rc, "closing a segment") : 0;
}

// Begin the segment an extent is for, and seal the one before.
static int s_roll_for (log_store_t *self, const log_extent_t *extent)
{
    log_segment_t *old = log_store_current (self);
    dt_assert (old->header.seq == extent->prev_seq);
    dt_assert (old->last_index + 1 == extent->first_index);
    dt_assert (old->end_chain == extent->prev_chain);
    log_roll_t roll = {
        .seq = extent->seq,
        .first_index = extent->first_index,
        .prev_seq = extent->prev_seq,
        .prev_term = extent->prev_term,
        .prev_chain = extent->prev_chain,
    };
    int rc = log_store_roll (self, &roll);
    if (rc) {
        return rc;
    }
    self->planned_rolls--;
    rc = log_store_write_end (self, old, old->file);
    return rc ? rc : log_store_rest_file (self, old);
}

// --- flushing ------------------------------------------------------------------------------------

static int s_write_extent (log_store_t *self, log_write_buffer_t *buffer, log_extent_t *extent)
{
    if (extent->begins_segment) {
        int rc = s_roll_for (self, extent);
        if (rc) {
            return rc;
        }
        extent->begins_segment = false;
    }
    log_segment_t *current = log_store_current (self);
    dt_assert (current->header.seq == extent->seq);
    dt_assert (current->end_offset <= extent->file_offset);
    size_t bytes = extent->to - extent->from;
    const vfs_ops_t *ops = current->file->ops;
    int rc = (dt_planted (DT_PLANTED_ACK_BEFORE_SYNC) ? ops->write : ops->write_sync) (
        current->file, buffer->bytes.data + extent->from, log_align (bytes, LOG_FLUSH_ALIGN),
        extent->file_offset);
    if (rc && dt_planted (DT_PLANTED_RETRY_SYNC)) {
        rc = ops->sync (current->file);
    }
    if (rc) {
        return log_store_fail (self, rc, "writing entries");
    }
    current->last_index = extent->last_index;
    current->last_term = extent->last_term;
    current->end_offset = extent->file_offset + bytes;
    current->end_chain = extent->chain;
    self->durable_index = extent->last_index;
    return 0;
}

static int s_write_buffer (log_store_t *self, log_write_buffer_t *buffer)
{
    s_pad (self, &buffer->bytes);
    while (buffer->written < buffer->extent_count) {
        int rc = s_write_extent (self, buffer, &buffer->extents[buffer->written]);
        if (rc) {
            return rc;
        }
        buffer->written++;
    }
    if (buffer->extent_count > 0 && buffer->proof > self->proven) {
        self->proven = buffer->proof;
    }
    dt_buffer_clear (&buffer->bytes);
    buffer->extent_count = 0;
    buffer->written = 0;
    return 0;
}

int log_store_flush_buffers (log_store_t *self)
{
    // What an earlier flush had no space for comes first.
    int rc = s_write_buffer (self, &self->buffers[1 - self->active]);
    if (rc) {
        return rc;
    }
    if (self->buffers[self->active].extent_count == 0) {
        return 0;
    }
    self->active = 1 - self->active;
    return s_write_buffer (self, &self->buffers[1 - self->active]);
}

int log_store_flush (log_store_t *self, uint64_t *durable_index)
{
    log_store_enter (self);
    int rc = self->failed ? self->failed : log_store_flush_buffers (self);
    log_store_leave (self);
    if (rc == 0) {
        *durable_index = self->durable_index;
    }
    return rc;
}

int log_store_mark (log_store_t *self)
{
    if (self->failed) {
        return self->failed;
    }
    dt_assert (!self->writing);
    if (log_store_pending_bytes (self) > 0 || self->proven >= self->durable_index ||
        self->durable_index < log_store_current (self)->header.first_index) {
        return 0; // nothing to prove, or the next batch or segment does
    }
    log_entry_t marker = {
        .index = self->last_index,
        .term = self->last_term,
        .type = LOG_RECORD_MARKER,
    };
    s_encode (self, &marker);
    log_store_enter (self);
    int rc = log_store_flush_buffers (self);
    log_store_leave (self);
    return rc;
}

void log_store_replan (log_store_t *self)
{
    const log_segment_t *current = log_store_current (self);
    dt_assert (log_store_pending_bytes (self) == 0);
    self->plan_seq = current->header.seq;
    self->plan_offset = current->end_offset;
    self->plan_limit = log_segment_limit (current->header.segment_bytes);
    self->planned_rolls = 0;
    self->last_index = current->last_index;
    self->last_term = current->last_term;
    self->chain = current->end_chain;
    self->durable_index = current->last_index;
    if (self->proven > self->durable_index) {
        self->proven = self->durable_index;
    }
    self->read_next_index = 0;
}

uint64_t log_store_room (const log_store_t *self)
{
    uint64_t capacity = log_segment_limit (self->segment_bytes) - LOG_SEGMENT_HEADER_BYTES;
    if (self->failed || self->planned_rolls > self->spares.ready_count) {
        return 0;
    }
    // Whatever the current segment leaves unused because a record did not fit, one whole further
    // segment takes this much.
    uint64_t begin = log_align (self->plan_offset, LOG_FLUSH_ALIGN);
    uint64_t here = self->plan_limit > begin ? self->plan_limit - begin : 0;
    bool next = self->spares.ready_count > self->planned_rolls;
    return next && capacity > here ? capacity : here;
}

// --- opening -------------------------------------------------------------------------------------

static bool s_options_valid (const log_store_options_t *options)
{
    uint32_t bytes = options->segment_bytes;
    return (bytes == 0 || (bytes >= LOG_SEGMENT_BYTES_MIN && bytes <= LOG_SEGMENT_BYTES_MAX &&
                           bytes % 4096 == 0)) &&
           options->spares_max <= LOG_SPARES_LIMIT && options->directory[0] != 0 &&
           strlen (options->directory) <= DIRECTORY_BYTES_MAX;
}

static int s_make_directory (const log_store_options_t *options)
{
    int rc = options->vfs->ops->mkdir (options->vfs, options->directory);
    if (rc) {
        return rc;
    }
    char parent[DIRECTORY_BYTES_MAX + 1];
    const char *slash = strrchr (options->directory, '/');
    size_t bytes = slash ? (size_t) (slash - options->directory) : 0;
    memcpy (parent, options->directory, bytes);
    parent[bytes] = 0;
    return options->vfs->ops->sync_directory (options->vfs, bytes ? parent : ".");
}

static log_store_t *s_new (const log_store_options_t *options)
{
    log_store_t *self = dt_zalloc (1, sizeof *self);
    self->vfs = options->vfs;
    self->env = options->env;
    self->directory = dt_strdup (options->directory);
    self->identity = options->identity;
    self->segment_bytes =
        options->segment_bytes ? options->segment_bytes : LOG_SEGMENT_BYTES_DEFAULT;
    uint32_t spares = options->spares_max ? options->spares_max : LOG_SPARES_DEFAULT;
    log_spares_init (&self->spares, self->vfs, self->env, self->directory, self->segment_bytes,
                     spares);
    return self;
}

// Begin the log anew after the snapshot; everything else becomes a leftover.
static int s_start (log_store_t *self, const log_store_options_t *options, uint64_t seq)
{
    self->salt = (uint32_t) self->env->entropy (self->env);
    log_roll_t roll = {
        .seq = seq,
        .first_index = options->snapshot_index + 1,
        .prev_term = options->snapshot_term,
        .flags = LOG_SEGMENT_RESTART,
    };
    int rc = log_store_roll (self, &roll);
    if (rc == 0) {
        self->proven = options->snapshot_index;
    }
    return rc;
}

// Take over what recovery found.
static void s_adopt (log_store_t *self, log_recovery_t *recovery)
{
    self->segments = recovery->segments;
    self->segment_count = recovery->segment_count;
    self->index = recovery->index;
    self->proven = recovery->proven;
    self->salt = log_store_current (self)->header.salt;
    recovery->segments = NULL;
    recovery->segment_count = 0;
    recovery->index = (log_index_t){0};
}

// Go on after the last entry that was kept of a damaged log, in a new segment.
static int s_go_on (log_store_t *self, uint64_t seq)
{
    log_segment_t *last = log_store_current (self);
    log_roll_t roll = {
        .seq = seq,
        .first_index = last->last_index + 1,
        .prev_seq = last->header.seq,
        .prev_term = last->last_term,
        .prev_chain = last->end_chain,
    };
    int rc = log_store_roll (self, &roll);
    return rc ? rc : log_store_rest_file (self, last);
}

// The scan is done and gave rc; bring store and disk into one state.
static int s_settle (log_store_t *self, const log_store_options_t *options,
                     log_recovery_t *recovery, int rc)
{
    log_report_t *report = recovery->report;
    uint64_t seq = 1;
    if (recovery->logs.count > 0) {
        seq = recovery->logs.numbers[recovery->logs.count - 1] + 1;
    }
    report->created = rc == DT_ERR_NOT_FOUND;
    report->restarted = rc == 0 && recovery->restart;
    bool start = report->created || report->restarted;
    rc = start ? s_make_directory (options) : log_recovery_repair (recovery);
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, self->directory);
    }
    if (rc) {
        return rc;
    }
    // All names are durable: no spare can turn out to have been a segment.
    log_recovery_spares (recovery, &self->spares);
    if (start) {
        rc = s_start (self, options, seq);
    } else {
        s_adopt (self, recovery);
        rc = recovery->cut ? s_go_on (self, seq) : 0;
    }
    if (rc == 0) {
        rc = log_recovery_sweep (recovery, self->segments, self->segment_count);
    }
    if (rc == 0) {
        rc = self->vfs->ops->sync_directory (self->vfs, self->directory);
    }
    if (rc == 0) {
        self->next_seq = log_store_current (self)->header.seq + 1;
        log_store_replan (self);
        report->segments = self->segment_count;
        report->first_index = log_store_first (self);
        report->last_index = self->last_index;
        report->proven_index = self->proven;
    }
    return rc;
}

static void s_free (log_store_t *self)
{
    log_spares_deinit (&self->spares);
    for (size_t i = 0; i < self->segment_count; i++) {
        if (self->segments[i]->file) {
            (void) self->segments[i]->file->ops->close (self->segments[i]->file);
        }
        free (self->segments[i]);
    }
    for (size_t i = 0; i < self->dropped_count; i++) {
        if (self->dropped[i]->file) {
            (void) self->dropped[i]->file->ops->close (self->dropped[i]->file);
        }
        free (self->dropped[i]);
    }
    for (int i = 0; i < 2; i++) {
        dt_buffer_deinit (&self->buffers[i].bytes);
        free (self->buffers[i].extents);
    }
    log_index_deinit (&self->index);
    free (self->segments);
    free (self->dropped);
    free (self->directory);
    free (self);
}

int log_store_open (const log_store_options_t *options, log_store_t **self_p, log_report_t *report)
{
    log_report_t local;
    report = report ? report : &local;
    *report = (log_report_t){0};
    if (!s_options_valid (options)) {
        return DT_ERR_INVALID;
    }
    log_recovery_t recovery;
    int rc = log_recovery_scan (&recovery, options, report);
    if (rc == 0 || rc == DT_ERR_NOT_FOUND) {
        log_store_t *self = s_new (options);
        rc = s_settle (self, options, &recovery, rc);
        if (rc == 0) {
            log_store_check (self);
            *self_p = self;
        } else {
            s_free (self);
        }
    }
    log_recovery_deinit (&recovery);
    return rc;
}

int log_store_inspect (const log_store_options_t *options, log_report_t *report)
{
    *report = (log_report_t){0};
    if (!s_options_valid (options)) {
        return DT_ERR_INVALID;
    }
    log_recovery_t recovery;
    int rc = log_recovery_scan (&recovery, options, report);
    log_recovery_deinit (&recovery);
    return rc;
}

void log_store_close (log_store_t **self_p)
{
    log_store_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    dt_assert (!self->writing);
    dt_assert (!self->preparing);
    dt_assert (self->readers == 0);
    s_free (self);
}

// --- getters -------------------------------------------------------------------------------------

uint64_t log_store_first (const log_store_t *self)
{
    return self->segments[0]->header.first_index;
}

uint64_t log_store_last (const log_store_t *self)
{
    return self->last_index;
}

uint64_t log_store_durable (const log_store_t *self)
{
    return self->durable_index;
}

int log_store_failed (const log_store_t *self)
{
    return self->failed;
}

int log_store_term (const log_store_t *self, uint64_t index, uint64_t *term)
{
    if (index + 1 < log_store_first (self) || index > self->last_index) {
        return DT_ERR_NOT_FOUND;
    }
    *term = index < log_store_first (self) ? self->segments[0]->header.prev_term
                                           : log_index_term (&self->index, index);
    return 0;
}

uint64_t log_store_bytes (const log_store_t *self)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < self->segment_count; i++) {
        bytes += self->segments[i]->file_bytes;
    }
    uint64_t spares = self->spares.ready_count + self->spares.used_count;
    return bytes + spares * self->segment_bytes;
}

void log_store_check (const log_store_t *self)
{
    dt_assert (self->segment_count > 0);
    dt_assert (self->durable_index <= self->last_index);
    dt_assert (self->proven <= self->durable_index);
    dt_assert (log_store_first (self) <= self->last_index + 1);
    for (size_t i = 0; i < self->segment_count; i++) {
        const log_segment_t *segment = self->segments[i];
        dt_assert (!segment->dropped);
        dt_assert (segment->last_index + 1 >= segment->header.first_index);
        dt_assert (segment->header.salt == self->salt);
        if (i > 0) {
            const log_segment_t *before = self->segments[i - 1];
            dt_assert (before->header.seq == segment->header.prev_seq);
            dt_assert (before->last_index + 1 == segment->header.first_index);
            dt_assert (before->last_term == segment->header.prev_term);
            dt_assert (before->end_chain == segment->header.prev_chain);
        }
    }
    if (!self->writing) {
        dt_assert (log_store_current (self)->file != NULL);
        dt_assert (log_store_current (self)->last_index == self->durable_index);
        if (log_store_pending_bytes (self) == 0) {
            dt_assert (self->durable_index == self->last_index);
            dt_assert (self->planned_rolls == 0);
            dt_assert (log_store_current (self)->end_chain == self->chain);
        }
    }
    for (size_t i = 1; i < self->index.point_count; i++) {
        dt_assert (self->index.points[i - 1].index < self->index.points[i].index);
    }
    for (size_t i = 1; i < self->index.run_count; i++) {
        dt_assert (self->index.runs[i - 1].index < self->index.runs[i].index);
        dt_assert (self->index.runs[i - 1].term < self->index.runs[i].term);
    }
}
