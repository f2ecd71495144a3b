// dtutl_log - the offline tool's view of a log: the verdict of recovery, and every record.
//
// A dump does not depend on the verdict: it walks each segment for itself as far as its records
// can be read, and says of each whether it belongs to the log.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/dtutl.h"
#include "storage/hard_state.h"
#include "storage/log_record.h"
#include "storage/log_segment.h"
#include "storage/log_store.h"
#include "storage/snapshot_store.h"

// --- verdict -------------------------------------------------------------------------------------

// What the log is measured against: the newest sound snapshot and the commit index on disk.
static void s_bounds (log_store_options_t *options)
{
    char path[DATA_DIR_PATH_BYTES];
    hard_state_value_t value;
    uint32_t group = options->identity.group_id;
    data_dir_hard_state_path (path, group);
    hard_state_options_t state_options = {
        .vfs = options->vfs, .env = options->env, .path = path, .identity = options->identity};
    if (hard_state_inspect (&state_options, &value, NULL) == 0) {
        options->durable_hint = value.commit;
    }
    snapshot_store_t *store = NULL;
    snapshot_info_t info;
    data_dir_snapshots_path (path, group);
    snapshot_store_options_t snapshot_options = {
        .vfs = options->vfs, .env = options->env, .directory = path, .identity = options->identity};
    if (snapshot_store_open_readonly (&snapshot_options, &store) == 0 &&
        snapshot_store_newest (store, &info, NULL) == 0) {
        options->snapshot_index = info.index;
        options->snapshot_term = info.term;
    }
    snapshot_store_close (&store);
}

static void s_add_report (json_t *object, const log_report_t *report)
{
    static const char *const verdicts[] = {[LOG_VERDICT_CLEAN] = "clean",
                                           [LOG_VERDICT_TORN] = "torn",
                                           [LOG_VERDICT_CORRUPT] = "corrupt"};
    dtutl_add_text (object, "verdict", verdicts[report->verdict]);
    dtutl_add_number (object, "first_index", report->first_index);
    dtutl_add_number (object, "last_index", report->last_index);
    dtutl_add_number (object, "proven_index", report->proven_index);
    dtutl_add_number (object, "entries", report->entries);
    dtutl_add_number (object, "segments", report->segments);
    dtutl_add_number (object, "bytes", report->bytes_scanned);
    if (report->file[0]) {
        dtutl_add_text (object, "file", report->file);
        dtutl_add_number (object, "offset", report->offset);
        dtutl_add_number (object, "index", report->index);
    }
    if (report->verdict == LOG_VERDICT_TORN) {
        dtutl_add_number (object, "torn_bytes", report->torn_bytes);
        dtutl_add_text (object, "note", "an unfinished last write; the next start cuts it off");
    }
}

void dtutl_verify_log (dtutl_t *self, uint32_t group)
{
    char path[DATA_DIR_PATH_BYTES];
    log_report_t report;
    data_dir_log_path (path, group);
    log_store_options_t options = {
        .vfs = &self->vfs.base,
        .env = &self->env,
        .directory = path,
        .identity = dtutl_identity (self, group),
    };
    s_bounds (&options);
    self->vfs.hide_indexes = true; // read every record, also those a snapshot covers
    int rc = log_store_inspect (&options, &report);
    self->vfs.hide_indexes = false;
    json_t *object = dtutl_object ("log", &group);
    if (rc != DT_ERR_NOT_FOUND) {
        s_add_report (object, &report);
    }
    dtutl_add_result (self, object, rc, rc == DT_ERR_NOT_FOUND ? "there is no log" : report.why);
    dtutl_emit (self, object);
}

// --- segments ------------------------------------------------------------------------------------

typedef struct {
    dtutl_segment_t *segments;
    size_t count;
} segment_list_t;

static void s_found (void *argument, const char *name, bool is_directory)
{
    segment_list_t *list = argument;
    uint64_t seq;
    if (is_directory || !log_name_parse (name, ".log", &seq)) {
        return;
    }
    list->segments = dt_realloc (list->segments, (list->count + 1) * sizeof *list->segments);
    list->segments[list->count++] = (dtutl_segment_t){.seq = seq};
}

static int s_read_header (dtutl_t *self, const char *directory, dtutl_segment_t *segment)
{
    char path[LOG_PATH_BYTES];
    uint8_t block[LOG_SEGMENT_HEADER_BYTES];
    log_segment_header_t header;
    vfs_file_t *file;
    size_t got = 0;
    vfs_t *vfs = &self->vfs.base;
    log_segment_path (path, directory, segment->seq);
    int rc = vfs->ops->open (vfs, path, VFS_READ, &file);
    if (rc) {
        return rc;
    }
    rc = file->ops->size (file, &segment->bytes);
    if (rc == 0) {
        rc = file->ops->read (file, block, sizeof block, 0, &got);
    }
    (void) file->ops->close (file); // opened for reading: nothing can be lost
    if (rc == 0 && got < sizeof block) {
        segment->why = "the file is too short for a header";
        rc = DT_ERR_CORRUPT;
    }
    if (rc == 0) {
        rc = log_segment_header_decode (block, &header, &segment->why);
    }
    if (rc == 0 && header.seq != segment->seq) {
        segment->why = "the header is of another segment than the name says";
        rc = DT_ERR_CORRUPT;
    }
    if (rc) {
        return rc;
    }
    segment->crc = header.crc;
    segment->identity = header.identity;
    segment->prev_seq = header.prev_seq;
    segment->first_index = header.first_index;
    segment->prev_term = header.prev_term;
    segment->created_ms = header.created_ms;
    segment->prev_chain = header.prev_chain;
    segment->salt = header.salt;
    segment->segment_bytes = header.segment_bytes;
    segment->flags = header.flags;
    return 0;
}

// From the newest segment down along prev_seq: these belong to the log.
static void s_mark_live (dtutl_segment_t *segments, size_t count)
{
    uint64_t end = UINT64_MAX;
    uint64_t seq = count ? segments[count - 1].seq : 0;
    for (size_t i = count; i-- > 0;) {
        dtutl_segment_t *segment = &segments[i];
        if (segment->seq != seq || segment->rc) {
            continue;
        }
        segment->live = true;
        segment->end = end;
        end = segment->first_index;
        seq = segment->flags & LOG_SEGMENT_RESTART ? 0 : segment->prev_seq;
    }
}

int dtutl_segments (dtutl_t *self, const char *directory, dtutl_segment_t **segments, size_t *count)
{
    segment_list_t list = {0};
    int rc = self->vfs.base.ops->list (&self->vfs.base, directory, s_found, &list);
    if (rc) {
        free (list.segments);
        return rc;
    }
    for (size_t i = 0; i < list.count; i++) {
        list.segments[i].rc = s_read_header (self, directory, &list.segments[i]);
    }
    s_mark_live (list.segments, list.count);
    *segments = list.segments;
    *count = list.count;
    return 0;
}

// --- dump ----------------------------------------------------------------------------------------

static void s_dump_header (dtutl_t *self, uint32_t group, const dtutl_segment_t *segment)
{
    json_t *object = dtutl_object ("segment", &group);
    dtutl_add_number (object, "segment", segment->seq);
    dtutl_add_number (object, "file_bytes", segment->bytes);
    if (segment->rc == 0) {
        json_object_set_new (object, "live", json_boolean (segment->live));
        dtutl_add_hex (object, "cluster_id", segment->identity.cluster_id);
        dtutl_add_number (object, "group_id", segment->identity.group_id);
        dtutl_add_number (object, "node_id", segment->identity.node_id);
        dtutl_add_number (object, "continues", segment->prev_seq);
        dtutl_add_number (object, "first_index", segment->first_index);
        dtutl_add_number (object, "previous_term", segment->prev_term);
        dtutl_add_number (object, "created_ms", segment->created_ms);
    }
    dtutl_add_result (self, object, segment->rc, segment->why);
    dtutl_emit (self, object);
}

static const char *s_type_name (uint8_t type)
{
    switch (type) {
    case LOG_ENTRY_NOOP:
        return "noop";
    case LOG_ENTRY_CONFIG:
        return "config";
    case LOG_ENTRY_COMMAND:
        return "command";
    case LOG_ENTRY_CLOCK:
        return "clock";
    default:
        return "unknown";
    }
}

static void s_dump_entry (dtutl_t *self, uint32_t group, const dtutl_segment_t *segment,
                          const log_record_t *record)
{
    const log_entry_t *entry = &record->entry;
    if (entry->index < self->from || entry->index > self->to || entry->type == LOG_RECORD_MARKER ||
        entry->type == LOG_RECORD_END) {
        return;
    }
    json_t *object = dtutl_object ("entry", &group);
    dtutl_add_number (object, "index", entry->index);
    dtutl_add_number (object, "term", entry->term);
    dtutl_add_text (object, "type", s_type_name (entry->type));
    dtutl_add_number (object, "operation", entry->operation);
    dtutl_add_number (object, "cluster_time_ms", entry->cluster_time_ms);
    dtutl_add_number (object, "wall_ms", entry->wall_ms);
    dtutl_add_hex (object, "principal", entry->principal);
    dtutl_add_hex (object, "session", entry->session_id);
    dtutl_add_number (object, "session_seq", entry->session_seq);
    json_object_set_new (object, "live",
                         json_boolean (segment->live && entry->index < segment->end));
    dtutl_add_number (object, "segment", segment->seq);
    dtutl_add_number (object, "offset", record->offset);
    dtutl_add_number (object, "payload_bytes", entry->payload_bytes);
    dtutl_add_bytes (object, "payload", entry->payload, entry->payload_bytes);
    dtutl_emit (self, object);
}

typedef struct {
    vfs_file_t *file;
    uint8_t *window; // owned; holds the largest record
    size_t window_bytes;
    log_run_t run;
} walk_t;

static int s_load (walk_t *walk)
{
    log_run_t *run = &walk->run;
    size_t bytes = walk->window_bytes;
    size_t got = 0;
    if (run->need > bytes) {
        return DT_ERR_CORRUPT;
    }
    int rc = walk->file->ops->read (walk->file, walk->window, bytes, run->position, &got);
    run->data = walk->window;
    run->offset = run->position;
    run->bytes = got;
    return rc == 0 && got < run->need ? DT_ERR_CORRUPT : rc;
}

// Where a segment's records cannot be read on. Behind the last entry of the log that is where it
// ends, perhaps in a torn write; `verify log` tells damage from that.
static void s_dump_end (dtutl_t *self, uint32_t group, const dtutl_segment_t *segment,
                        const walk_t *walk, uint64_t last, const char *why)
{
    json_t *object = dtutl_object ("segment_end", &group);
    dtutl_add_number (object, "segment", segment->seq);
    dtutl_add_number (object, "offset", walk->run.position);
    dtutl_add_number (object, "last_index", last);
    // Of a segment that another one continues, all entries up to that must be there.
    bool missing = segment->live && segment->end != UINT64_MAX && last + 1 < segment->end;
    dtutl_add_text (object, "reason", why);
    dtutl_add_result (self, object, missing ? DT_ERR_CORRUPT : 0,
                      "entries are missing before the next segment begins");
    dtutl_emit (self, object);
}

static void s_walk (dtutl_t *self, uint32_t group, const dtutl_segment_t *segment, walk_t *walk)
{
    uint64_t last = segment->first_index - 1;
    const char *why = NULL;
    while (!why) {
        log_record_t record;
        int rc;
        switch (log_run_next (&walk->run, &record)) {
        case LOG_RUN_RECORD:
            s_dump_entry (self, group, segment, &record);
            last = record.entry.index;
            why = record.entry.type == LOG_RECORD_END ? "end of the segment" : NULL;
            break;
        case LOG_RUN_MORE:
            rc = s_load (walk);
            why = rc == 0                ? NULL
                  : rc == DT_ERR_CORRUPT ? "the file is shorter than its records"
                                         : dt_error_text (rc);
            break;
        case LOG_RUN_ZERO:
            why = "nothing was written from here on";
            break;
        case LOG_RUN_BAD:
            why = walk->run.why;
            break;
        }
    }
    s_dump_end (self, group, segment, walk, last, why);
}

static void s_dump_segment (dtutl_t *self, uint32_t group, const char *directory,
                            dtutl_segment_t *segment)
{
    char path[LOG_PATH_BYTES];
    walk_t walk = {.window_bytes = LOG_ENTRY_PAYLOAD_BYTES_MAX + 1024 * 1024};
    log_segment_header_t header = {
        .seq = segment->seq, .salt = segment->salt, .identity = segment->identity};
    log_segment_path (path, directory, segment->seq);
    int rc = self->vfs.base.ops->open (&self->vfs.base, path, VFS_READ, &walk.file);
    if (rc) {
        dtutl_note (self, rc);
        return;
    }
    uint64_t limit =
        segment->bytes < segment->segment_bytes ? segment->bytes / 8 * 8 : segment->segment_bytes;
    walk.window = dt_malloc (walk.window_bytes);
    walk.run =
        (log_run_t){.scope = log_segment_scope (&header),
                    .chain = segment->prev_chain,
                    .offset = LOG_SEGMENT_HEADER_BYTES,
                    .position = LOG_SEGMENT_HEADER_BYTES,
                    .limit = limit < LOG_SEGMENT_HEADER_BYTES ? LOG_SEGMENT_HEADER_BYTES : limit};
    s_walk (self, group, segment, &walk);
    free (walk.window);
    (void) walk.file->ops->close (walk.file); // opened for reading: nothing can be lost
}

void dtutl_dump_log (dtutl_t *self, uint32_t group)
{
    char directory[DATA_DIR_PATH_BYTES];
    dtutl_segment_t *segments = NULL;
    size_t count = 0;
    data_dir_log_path (directory, group);
    int rc = dtutl_segments (self, directory, &segments, &count);
    if (rc || count == 0) {
        json_t *object = dtutl_object ("log", &group);
        dtutl_add_result (self, object, rc ? rc : DT_ERR_NOT_FOUND,
                          rc && rc != DT_ERR_NOT_FOUND ? NULL : "there is no log");
        dtutl_emit (self, object);
    }
    for (size_t i = 0; i < count; i++) {
        s_dump_header (self, group, &segments[i]);
        if (segments[i].rc == 0) {
            s_dump_segment (self, group, directory, &segments[i]);
        }
    }
    free (segments);
}
