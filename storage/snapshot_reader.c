// snapshot_reader - reads and verifies one snapshot, chunk by chunk.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/snapshot_internal.h"

struct snapshot_reader {
    snapshot_store_t *store;
    vfs_file_t *file;
    char *path;     // owned
    uint8_t *head;  // owned: the header's bytes
    uint8_t *chunk; // owned
    uint64_t file_bytes;
    snapshot_header_t header; // header.meta.config points into head
    snapshot_trailer_t trailer;
    uint64_t position; // in the content
    uint64_t digest;   // of the chunks read so far
    bool in_order;     // every chunk was read from 0 on
    uint64_t at;       // in the file, of what was checked last
    const char *why;   // of the last error
};

static void s_report (const snapshot_reader_t *self, int rc, snapshot_report_t *report)
{
    const char *slash = strrchr (self->path, '/');
    const char *why = rc == DT_ERR_CORRUPT || rc == DT_ERR_NEWER_FORMAT || rc == DT_ERR_FOREIGN
                          ? self->why
                          : dt_error_text (rc);
    snprintf (report->file, sizeof report->file, "%s", slash ? slash + 1 : self->path);
    snprintf (report->why, sizeof report->why, "%s", why);
    report->offset = self->at;
}

// Read exactly `bytes`; a shorter file is damage.
static int s_read (snapshot_reader_t *self, void *data, size_t bytes, uint64_t offset)
{
    size_t got = 0;
    self->at = offset;
    int rc = self->file->ops->read (self->file, data, bytes, offset, &got);
    if (rc) {
        return rc == DT_ERR_CLOSED ? rc : DT_ERR_IO;
    }
    if (got < bytes) {
        self->why = "file too short";
        return DT_ERR_CORRUPT;
    }
    return 0;
}

static int s_foreign (snapshot_reader_t *self)
{
    const storage_identity_t *found = &self->header.identity;
    const storage_identity_t *wanted = &self->store->identity;
    if (found->cluster_id == wanted->cluster_id && found->group_id == wanted->group_id) {
        return 0;
    }
    dt_log_error (self->store->env, "snapshot",
                  "%s belongs to group %u of cluster %016llx, not to group %u of cluster %016llx; "
                  "move it away",
                  self->path, found->group_id, (unsigned long long) found->cluster_id,
                  wanted->group_id, (unsigned long long) wanted->cluster_id);
    self->why = "of another group or cluster";
    return DT_ERR_FOREIGN;
}

static int s_read_header (snapshot_reader_t *self, uint64_t index, uint64_t term)
{
    uint32_t bytes = 0;
    self->head = dt_malloc (SNAPSHOT_HEADER_FIXED_BYTES);
    int rc = s_read (self, self->head, SNAPSHOT_HEADER_FIXED_BYTES, 0);
    if (rc == 0) {
        rc = snapshot_header_peek (self->head, &bytes, &self->why);
    }
    if (rc && rc != DT_ERR_NEWER_FORMAT) {
        return rc;
    }
    self->head = dt_realloc (self->head, bytes);
    rc = s_read (self, self->head, bytes, 0);
    if (rc == 0) {
        rc = snapshot_header_decode (self->head, bytes, &self->header, &self->why);
    }
    if (rc == DT_ERR_NEWER_FORMAT) {
        dt_log_error (self->store->env, "snapshot",
                      "%s was written by a newer version; run that version", self->path);
    }
    if (rc == 0) {
        rc = s_foreign (self);
    }
    if (rc == 0 && (self->header.meta.index != index || self->header.meta.term != term)) {
        self->why = "index or term differ from the file's name";
        rc = DT_ERR_CORRUPT;
    }
    return rc;
}

static int s_read_trailer (snapshot_reader_t *self)
{
    uint8_t *data = self->chunk;
    if (self->file_bytes < (uint64_t) self->header.header_bytes + SNAPSHOT_TRAILER_BYTES) {
        self->why = "file too short";
        return DT_ERR_CORRUPT;
    }
    int rc = s_read (self, data, SNAPSHOT_TRAILER_BYTES, self->file_bytes - SNAPSHOT_TRAILER_BYTES);
    if (rc) {
        return rc;
    }
    return snapshot_trailer_decode (data, &self->header, self->file_bytes, &self->trailer,
                                    &self->why);
}

int snapshot_reader_open_path (snapshot_store_t *store, const char *path, uint64_t index,
                               uint64_t term, snapshot_reader_t **self_p, snapshot_report_t *report)
{
    snapshot_reader_t *self = dt_zalloc (1, sizeof *self);
    self->store = store;
    self->path = dt_strdup (path);
    self->chunk = dt_malloc (SNAPSHOT_CHUNK_HEADER_BYTES + SNAPSHOT_CHUNK_BYTES);
    self->in_order = true;
    self->why = "";
    store->users++;
    store->readers++;
    int rc = store->vfs->ops->open (store->vfs, path, VFS_READ, &self->file);
    if (rc == 0) {
        rc = self->file->ops->size (self->file, &self->file_bytes);
    }
    if (rc == 0) {
        rc = s_read_header (self, index, term);
    }
    if (rc == 0) {
        rc = s_read_trailer (self);
    }
    if (rc) {
        s_report (self, rc, report);
        snapshot_reader_close (&self);
        return rc;
    }
    *self_p = self;
    return 0;
}

static snapshot_info_t s_info (const snapshot_reader_t *self)
{
    const snapshot_meta_t *meta = &self->header.meta;
    return (snapshot_info_t){
        .index = meta->index,
        .term = meta->term,
        .cluster_time_ms = meta->cluster_time_ms,
        .config_index = meta->config_index,
        .created_ms = self->header.created_ms,
        .state_digest = self->trailer.state_digest,
        .total_bytes = self->trailer.total_bytes,
        .file_bytes = self->trailer.file_bytes,
        .chunks = self->trailer.chunks,
        .node_id = self->header.identity.node_id,
    };
}

int snapshot_reader_open (snapshot_store_t *store, uint64_t index, uint64_t term,
                          snapshot_reader_t **self, snapshot_info_t *info)
{
    char path[SNAPSHOT_PATH_BYTES];
    snapshot_report_t report = {0};
    snapshot_path (store, index, term, ".snapshot", path);
    int rc = snapshot_reader_open_path (store, path, index, term, self, &report);
    if (rc == DT_ERR_CORRUPT) {
        dt_log_error (store->env, "snapshot", "group %u: %s: %s (offset %llu)",
                      store->identity.group_id, path, report.why,
                      (unsigned long long) report.offset);
    }
    if (rc == 0 && info) {
        *info = s_info (*self);
    }
    return rc;
}

void snapshot_reader_close (snapshot_reader_t **self_p)
{
    snapshot_reader_t *self = *self_p;
    if (!self) {
        return;
    }
    if (self->file) {
        (void) self->file->ops->close (self->file); // opened for reading: nothing can be lost
    }
    self->store->users--;
    self->store->readers--;
    free (self->path);
    free (self->head);
    free (self->chunk);
    free (self);
    *self_p = NULL;
}

const snapshot_meta_t *snapshot_reader_meta (const snapshot_reader_t *self)
{
    return &self->header.meta;
}

void snapshot_reader_seek (snapshot_reader_t *self, uint64_t offset)
{
    dt_assert (offset <= self->trailer.total_bytes);
    self->position = offset;
    self->in_order = offset == 0;
    self->digest = 0;
}

// Read the chunk at the position; *data, *bytes: what it holds from there on.
static int s_next (snapshot_reader_t *self, const uint8_t **data, size_t *bytes)
{
    if (self->position == self->trailer.total_bytes) {
        if (self->in_order && self->digest != self->trailer.content_digest) {
            self->why = "digest of the content";
            return DT_ERR_CORRUPT;
        }
        *bytes = 0;
        *data = self->chunk;
        return 0;
    }
    uint32_t number = (uint32_t) (self->position / SNAPSHOT_CHUNK_BYTES);
    uint32_t skip = (uint32_t) (self->position % SNAPSHOT_CHUNK_BYTES);
    uint32_t body = snapshot_chunk_body_bytes (&self->trailer, number);
    int rc = s_read (self, self->chunk, SNAPSHOT_CHUNK_HEADER_BYTES + body,
                     snapshot_chunk_offset (&self->header, number));
    if (rc == 0) {
        rc = snapshot_chunk_verify (self->chunk, self->header.salt, number, body, &self->why);
    }
    if (rc) {
        return rc;
    }
    if (self->in_order) {
        self->digest =
            snapshot_digest_step (self->digest, self->chunk + SNAPSHOT_CHUNK_HEADER_BYTES, body);
    }
    *data = self->chunk + SNAPSHOT_CHUNK_HEADER_BYTES + skip;
    *bytes = body - skip;
    self->position += *bytes;
    return 0;
}

int snapshot_reader_next (snapshot_reader_t *self, const uint8_t **data, size_t *bytes)
{
    int rc = s_next (self, data, bytes);
    if (rc == DT_ERR_CORRUPT) {
        dt_log_error (self->store->env, "snapshot", "group %u: %s: %s (offset %llu)",
                      self->store->identity.group_id, self->path, self->why,
                      (unsigned long long) self->at);
    }
    return rc;
}

int snapshot_verify_path (snapshot_store_t *store, const char *path, uint64_t index, uint64_t term,
                          snapshot_info_t *info, snapshot_report_t *report)
{
    snapshot_reader_t *reader = NULL;
    int rc = snapshot_reader_open_path (store, path, index, term, &reader, report);
    if (rc) {
        return rc;
    }
    size_t bytes;
    do {
        const uint8_t *data;
        rc = s_next (reader, &data, &bytes);
    } while (rc == 0 && bytes);
    if (rc) {
        s_report (reader, rc, report);
    } else {
        *info = s_info (reader);
    }
    report->bytes += reader->position;
    snapshot_reader_close (&reader);
    return rc;
}
