// dtutl_index - the offline tool's view of index files. They are derived: one that does not fit its
// segment is no damage of the log, the node reads the segment instead, and it can be deleted.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/dtutl.h"
#include "storage/log_index.h"
#include "storage/log_record.h"
#include "storage/log_segment.h"
#include "storage/storage_bytes.h"

enum {
    HEAD_BYTES = 56, // of an index file, see log_index.h
};

typedef struct {
    uint64_t *seqs; // owned
    size_t count;
} names_t;

static void s_found (void *argument, const char *name, bool is_directory)
{
    names_t *names = argument;
    uint64_t seq;
    if (!is_directory && log_name_parse (name, ".idx", &seq)) {
        names->seqs = dt_realloc (names->seqs, (names->count + 1) * sizeof *names->seqs);
        names->seqs[names->count++] = seq;
    }
}

static int s_read_file (dtutl_t *self, const char *path, uint8_t **data, size_t *bytes,
                        const char **why)
{
    vfs_file_t *file;
    uint64_t size = 0;
    int rc = self->vfs.base.ops->open (&self->vfs.base, path, VFS_READ, &file);
    if (rc) {
        return rc;
    }
    rc = file->ops->size (file, &size);
    if (rc == 0 && (size < HEAD_BYTES || size > LOG_INDEX_FILE_BYTES_MAX)) {
        *why = "impossible size";
        rc = DT_ERR_CORRUPT;
    }
    if (rc == 0) {
        *data = dt_malloc (size);
        rc = file->ops->read (file, *data, size, 0, bytes);
    }
    (void) file->ops->close (file); // opened for reading: nothing can be lost
    return rc;
}

// Does each point lead to a record of its entry, or to a marker before it?
static int s_check_points (dtutl_t *self, const char *directory, const dtutl_segment_t *segment,
                           const log_index_t *index, const char **why)
{
    char path[LOG_PATH_BYTES];
    uint8_t record_bytes[LOG_RECORD_HEADER_BYTES];
    log_segment_header_t header = {
        .seq = segment->seq, .salt = segment->salt, .identity = segment->identity};
    log_record_scope_t scope = log_segment_scope (&header);
    vfs_file_t *file;
    log_segment_path (path, directory, segment->seq);
    int rc = self->vfs.base.ops->open (&self->vfs.base, path, VFS_READ, &file);
    if (rc) {
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < index->point_count; i++) {
        const log_point_t *point = &index->points[i];
        log_record_t record;
        size_t got = 0;
        rc = file->ops->read (file, record_bytes, sizeof record_bytes, point->offset, &got);
        if (rc) {
            break;
        }
        bool valid =
            got == sizeof record_bytes && log_record_decode_header (record_bytes, &scope, &record);
        bool marker = valid && record.entry.type == LOG_RECORD_MARKER;
        if (!valid || record.entry.index + marker != point->index) {
            *why = "a point leads to no record of its entry";
            rc = DT_ERR_CORRUPT;
        }
    }
    (void) file->ops->close (file); // opened for reading: nothing can be lost
    return rc;
}

static void s_dump_points (dtutl_t *self, uint32_t group, const log_index_t *index)
{
    for (size_t i = 0; i < index->point_count; i++) {
        json_t *object = dtutl_object ("index_point", &group);
        dtutl_add_number (object, "segment", index->points[i].seq);
        dtutl_add_number (object, "index", index->points[i].index);
        dtutl_add_number (object, "offset", index->points[i].offset);
        dtutl_emit (self, object);
    }
    for (size_t i = 0; i < index->run_count; i++) {
        json_t *object = dtutl_object ("index_term", &group);
        dtutl_add_number (object, "from_index", index->runs[i].index);
        dtutl_add_number (object, "term", index->runs[i].term);
        dtutl_emit (self, object);
    }
}

static int s_load (dtutl_t *self, const char *directory, uint64_t seq,
                   const dtutl_segment_t *segment, log_index_t *index, log_index_key_t *key,
                   const char **why)
{
    char path[LOG_PATH_BYTES];
    uint8_t *data = NULL;
    size_t bytes = 0;
    log_index_path (path, directory, seq);
    int rc = s_read_file (self, path, &data, &bytes, why);
    if (rc == 0 && bytes < HEAD_BYTES) {
        *why = "the file is too short";
        rc = DT_ERR_CORRUPT;
    }
    if (rc == 0) {
        *key = (log_index_key_t){
            .seq = seq,
            .segment_crc = segment->crc,
            .end_chain = bytes_get_u32 (data + 28),
            .first_index = segment->first_index,
            .last_index = bytes_get_u64 (data + 40),
            .segment_bytes = segment->segment_bytes,
        };
        // Any count of entries a segment can hold: what is not one must not lead anywhere.
        bool sane = key->last_index >= key->first_index &&
                    key->last_index - key->first_index < LOG_INDEX_FILE_BYTES_MAX * 64ull;
        if (!sane || !log_index_decode (index, key, data, bytes)) {
            *why = "it is damaged, or of an earlier life of its segment";
            rc = DT_ERR_CORRUPT;
        }
    }
    free (data);
    return rc;
}

static void s_show_file (dtutl_t *self, uint32_t group, const char *directory, uint64_t seq,
                         const dtutl_segment_t *segment)
{
    log_index_t index = {0};
    log_index_key_t key = {0};
    const char *why = "its segment is gone";
    json_t *object = dtutl_object ("index", &group);
    int rc = DT_ERR_CORRUPT;
    if (segment && segment->rc == 0) {
        rc = s_load (self, directory, seq, segment, &index, &key, &why);
    }
    if (rc == 0 && self->verify) {
        rc = s_check_points (self, directory, segment, &index, &why);
    }
    dtutl_add_number (object, "segment", seq);
    if (rc == 0) {
        dtutl_add_number (object, "first_index", key.first_index);
        dtutl_add_number (object, "last_index", key.last_index);
        dtutl_add_number (object, "points", index.point_count);
        dtutl_add_number (object, "terms", index.run_count);
    }
    // Asked for everything, an unusable index is only told: the log is none the worse for it.
    dtutl_exit_t before = self->result;
    dtutl_add_result (self, object, rc, rc == DT_ERR_CORRUPT ? why : NULL);
    if (rc == DT_ERR_CORRUPT) {
        dtutl_add_text (object, "note", "not used; the node rebuilds it, it can be deleted");
        self->result = strcmp (self->what, "all") == 0 ? before : self->result;
    }
    dtutl_emit (self, object);
    if (rc == 0 && !self->verify) {
        s_dump_points (self, group, &index);
    }
    log_index_deinit (&index);
}

void dtutl_show_index (dtutl_t *self, uint32_t group)
{
    char directory[DATA_DIR_PATH_BYTES];
    dtutl_segment_t *segments = NULL;
    size_t count = 0;
    names_t names = {0};
    data_dir_log_path (directory, group);
    int rc = dtutl_segments (self, directory, &segments, &count);
    if (rc == 0) {
        rc = self->vfs.base.ops->list (&self->vfs.base, directory, s_found, &names);
    }
    if (rc && rc != DT_ERR_NOT_FOUND) {
        json_t *object = dtutl_object ("index", &group);
        dtutl_add_result (self, object, rc, NULL);
        dtutl_emit (self, object);
    }
    for (size_t i = 0; rc == 0 && i < names.count; i++) {
        const dtutl_segment_t *segment = NULL;
        for (size_t j = 0; j < count; j++) {
            segment = segments[j].seq == names.seqs[i] ? &segments[j] : segment;
        }
        s_show_file (self, group, directory, names.seqs[i], segment);
    }
    free (names.seqs);
    free (segments);
}
