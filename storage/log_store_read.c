#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/log_store_internal.h"

enum {
    RUN_BYTES_MIN = 64 * 1024,
    RUN_BYTES_MAX = 1024 * 1024,
};

size_t log_store_segment_of (const log_store_t *self, uint64_t index)
{
    size_t low = 0;
    size_t high = self->segment_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->segments[middle]->header.first_index <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    dt_assert (low > 0);
    return low - 1;
}

int log_store_pin (log_store_t *self, log_segment_t *segment)
{
    segment->pins++;
    if (segment->file) {
        return 0;
    }
    char path[LOG_PATH_BYTES];
    log_segment_path (path, self->directory, segment->header.seq);
    vfs_file_t *file;
    int rc = self->vfs->ops->open (self->vfs, path, VFS_READ, &file);
    if (rc) {
        segment->pins--;
        return rc;
    }
    if (segment->file) {
        return file->ops->close (file); // another reader was faster
    }
    segment->file = file;
    return 0;
}

void log_store_unpin (log_store_t *self, log_segment_t *segment)
{
    dt_assert (segment->pins > 0);
    segment->pins--;
    if (segment->pins > 0 || segment->dropped || segment == self->cached ||
        segment == log_store_current (self)) {
        return;
    }
    log_segment_t *before = self->cached;
    self->cached = segment;
    if (before) {
        (void) log_store_rest_file (self, before); // an error is kept in self->failed
    }
}

log_run_t log_store_run (const log_store_t *self, const log_segment_t *segment, uint64_t offset,
                         uint32_t chain)
{
    uint64_t limit = segment->end_offset;
    if (segment != log_store_current (self)) {
        // Where a sealed segment's records end is known by index, not always by offset.
        uint64_t bytes = segment->file_bytes;
        limit = bytes < segment->header.segment_bytes ? bytes : segment->header.segment_bytes;
        limit &= ~7ull;
    }
    return (log_run_t){
        .scope = log_segment_scope (&segment->header),
        .chain = chain,
        .offset = offset,
        .position = offset,
        .limit = limit,
    };
}

// One read in progress.
typedef struct {
    log_segment_t *segment; // pinned
    log_point_t place;      // of the next record to look at, at or before `from`
    uint64_t from;
    uint64_t last; // last entry wanted and there
    size_t bytes_max;
    uint64_t changes; // of the store, when it began
} read_t;

static int s_damaged (const log_store_t *self, const read_t *read, const log_run_t *run,
                      const char *why)
{
    dt_log_error (self->env, "log", "%s segment %llu is corrupt at offset %llu, entry %llu: %s",
                  self->directory, (unsigned long long) read->segment->header.seq,
                  (unsigned long long) run->position, (unsigned long long) read->place.index, why);
    return DT_ERR_CORRUPT;
}

static log_batch_t *s_new_batch (const read_t *read, dt_blob_t *blob)
{
    uint64_t capacity = read->last - read->from + 1;
    uint64_t fit = dt_blob_bytes (blob) / LOG_RECORD_HEADER_BYTES + 1;
    capacity = capacity < fit ? capacity : fit;
    capacity = capacity < LOG_BATCH_ENTRIES_MAX ? capacity : LOG_BATCH_ENTRIES_MAX;
    log_batch_t *batch = log_batch_new ((uint32_t) capacity);
    batch->blob = dt_blob_ref (blob);
    return batch;
}

// Take entries from a run in memory. Advances read->place past what was taken or skipped; the batch
// stays empty if `from` is not complete in memory.
static int s_collect (log_store_t *self, read_t *read, log_run_t *run, log_batch_t *batch)
{
    size_t payload = 0;
    while (batch->count < batch->capacity && read->place.index <= read->last) {
        log_record_t record;
        log_run_result_t result = log_run_next (run, &record);
        if (result == LOG_RUN_MORE || (result != LOG_RUN_RECORD && batch->count > 0)) {
            return 0; // if it is damage, the next read begins with it
        }
        if (result != LOG_RUN_RECORD) {
            return s_damaged (self, read, run, result == LOG_RUN_BAD ? run->why : "no record");
        }
        const log_entry_t *entry = &record.entry;
        bool is_entry = entry->type <= LOG_ENTRY_TYPE_LAST;
        if (entry->index != read->place.index - !is_entry) {
            return s_damaged (self, read, run, "a record is out of order");
        }
        if (is_entry && entry->index >= read->from) {
            if (batch->count > 0 && payload + entry->payload_bytes > read->bytes_max) {
                return 0;
            }
            payload += entry->payload_bytes;
            batch->entries[batch->count++] = *entry;
        }
        read->place.index += is_entry;
        read->place.offset = (uint32_t) record.next_offset;
        read->place.chain = record.chain;
    }
    return 0;
}

// Read from the place on until the batch has at least the first entry.
// DT_ERR_AGAIN: the log was changed meanwhile.
static int s_read_runs (log_store_t *self, read_t *read, log_batch_t **batch_p)
{
    uint64_t want =
        read->bytes_max < RUN_BYTES_MAX ? read->bytes_max + RUN_BYTES_MIN : RUN_BYTES_MAX;
    want = want < RUN_BYTES_MAX ? want : RUN_BYTES_MAX;
    uint64_t need = 0;
    for (;;) {
        log_run_t run = log_store_run (self, read->segment, read->place.offset, read->place.chain);
        uint64_t bytes = want > need ? want : need;
        if (run.limit < run.position) {
            return s_damaged (self, read, &run, "the file is shorter than it was");
        }
        bytes = bytes < run.limit - run.position ? bytes : run.limit - run.position;
        dt_blob_t *blob = dt_blob_new (bytes);
        vfs_file_t *file = read->segment->file;
        int rc = file->ops->read (file, dt_blob_data (blob), bytes, run.position, &run.bytes);
        if (rc == 0 && self->changes != read->changes) {
            rc = DT_ERR_AGAIN;
        } else if (rc == 0 && run.bytes < need) {
            rc = s_damaged (self, read, &run, "the file is shorter than it was");
        }
        log_batch_t *batch = NULL;
        if (rc == 0) {
            run.data = dt_blob_data (blob);
            batch = s_new_batch (read, blob);
            rc = s_collect (self, read, &run, batch);
        }
        dt_blob_unref (&blob);
        if (rc == 0 && batch->count > 0) {
            *batch_p = batch;
            return 0;
        }
        log_batch_unref (&batch);
        if (rc) {
            return rc;
        }
        // What was asked for did not bring the first entry whole: go on from where it ended.
        need = run.need;
        read->place.offset = (uint32_t) run.position;
        read->place.chain = run.chain;
    }
}

static int s_read (log_store_t *self, read_t *read, log_batch_t **batch)
{
    read->changes = self->changes;
    read->segment = self->segments[log_store_segment_of (self, read->from)];
    if (read->last > read->segment->last_index) {
        read->last = read->segment->last_index;
    }
    int rc = log_store_pin (self, read->segment);
    if (rc) {
        return self->changes != read->changes ? DT_ERR_AGAIN : rc;
    }
    // Opening the file may have taken its time: entries may be gone, from either end of the log.
    if (self->changes != read->changes || read->from < log_store_first (self)) {
        log_store_unpin (self, read->segment);
        return DT_ERR_AGAIN;
    }
    if (self->read_next_index == read->from && self->read_next.seq == read->segment->header.seq) {
        read->place = self->read_next;
    } else {
        const log_point_t *point = log_index_find (&self->index, read->from);
        dt_assert (point->seq == read->segment->header.seq);
        read->place = *point;
    }
    rc = s_read_runs (self, read, batch);
    if (rc == 0) {
        self->read_next = read->place;
        self->read_next_index = read->place.index;
    }
    log_store_unpin (self, read->segment);
    return rc;
}

int log_store_read (log_store_t *self, uint64_t from, uint64_t max_index, size_t bytes_max,
                    log_batch_t **batch)
{
    int rc;
    self->readers++;
    do {
        if (from < log_store_first (self) || from > self->durable_index || from > max_index) {
            rc = DT_ERR_NOT_FOUND;
            break;
        }
        read_t read = {
            .from = from,
            .last = max_index < self->durable_index ? max_index : self->durable_index,
            .bytes_max = bytes_max,
        };
        rc = s_read (self, &read, batch);
    } while (rc == DT_ERR_AGAIN);
    self->readers--;
    return rc;
}
