// snapshot_writer - writes one snapshot: temporary name, chunks, trailer, verification, rename.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/snapshot_internal.h"

struct snapshot_writer {
    snapshot_store_t *store;
    vfs_file_t *file; // NULL: closed
    char path[SNAPSHOT_PATH_BYTES];
    snapshot_header_t header; // header.meta.config points to config
    uint8_t *config;          // owned
    uint8_t *chunk;           // owned: header and body of the chunk being filled
    uint32_t chunk_bytes;     // of its body
    snapshot_trailer_t trailer;
    uint64_t offset; // in the file, of the next write
    int failed;      // the first error
    bool created;    // the temporary file is there
    bool renamed;
};

static int s_fail (snapshot_writer_t *self, int rc, const char *call)
{
    self->failed = snapshot_disk_error (self->store, rc, call, self->path);
    return self->failed;
}

static int s_write (snapshot_writer_t *self, const void *data, size_t bytes)
{
    // Each piece is synced by itself: a large sync would hold up the log's own for as long.
    int rc = self->file->ops->write_sync (self->file, data, bytes, self->offset);
    if (rc) {
        return s_fail (self, rc, "write");
    }
    self->offset += bytes;
    return 0;
}

static void s_free (snapshot_writer_t **self_p)
{
    snapshot_writer_t *self = *self_p;
    self->store->users--;
    free (self->config);
    free (self->chunk);
    free (self);
    *self_p = NULL;
}

static int s_create (snapshot_writer_t *self)
{
    snapshot_store_t *store = self->store;
    char suffix[32];
    snprintf (suffix, sizeof suffix, ".%llu.tmp", (unsigned long long) ++store->writer_number);
    snapshot_path (store, self->header.meta.index, self->header.meta.term, suffix, self->path);
    int rc = store->vfs->ops->open (store->vfs, self->path, VFS_WRITE | VFS_CREATE | VFS_TRUNCATE,
                                    &self->file);
    if (rc) {
        return s_fail (self, rc, "create");
    }
    self->created = true;
    dt_buffer_t bytes = {0};
    snapshot_header_encode (&self->header, &bytes);
    rc = s_write (self, bytes.data, bytes.bytes);
    dt_buffer_deinit (&bytes);
    return rc;
}

int snapshot_writer_begin (snapshot_store_t *store, const snapshot_meta_t *meta,
                           snapshot_writer_t **self_p)
{
    dt_assert (!store->readonly);
    dt_assert (meta->index > 0);
    if (store->failed) {
        return store->failed;
    }
    if (meta->config_bytes > SNAPSHOT_CONFIG_BYTES_MAX) {
        return DT_ERR_TOO_BIG;
    }
    snapshot_writer_t *self = dt_zalloc (1, sizeof *self);
    self->store = store;
    store->users++;
    self->config = dt_memdup (meta->config, meta->config_bytes);
    self->chunk = dt_malloc_aligned (SNAPSHOT_HEADER_ALIGN,
                                     SNAPSHOT_CHUNK_HEADER_BYTES + SNAPSHOT_CHUNK_BYTES);
    self->header.identity = store->identity;
    self->header.meta = *meta;
    self->header.meta.config = self->config;
    self->header.created_ms = (uint64_t) store->env->wall_ms (store->env);
    self->header.salt = (uint32_t) store->env->entropy (store->env);
    int rc = s_create (self);
    if (rc) {
        snapshot_writer_abort (&self);
        return rc;
    }
    *self_p = self;
    return 0;
}

static int s_flush_chunk (snapshot_writer_t *self)
{
    snapshot_trailer_t *trailer = &self->trailer;
    snapshot_chunk_seal (self->chunk, self->header.salt, trailer->chunks, self->chunk_bytes);
    trailer->content_digest = snapshot_digest_step (
        trailer->content_digest, self->chunk + SNAPSHOT_CHUNK_HEADER_BYTES, self->chunk_bytes);
    trailer->chunks++;
    trailer->total_bytes += self->chunk_bytes;
    size_t bytes = SNAPSHOT_CHUNK_HEADER_BYTES + self->chunk_bytes;
    self->chunk_bytes = 0;
    return s_write (self, self->chunk, bytes);
}

int snapshot_writer_add (snapshot_writer_t *self, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    dt_assert (self->file);
    if (!self->failed) {
        self->failed = self->store->failed; // of another writer
    }
    if (self->failed) {
        return self->failed;
    }
    while (bytes) {
        size_t room = SNAPSHOT_CHUNK_BYTES - self->chunk_bytes;
        size_t run = bytes < room ? bytes : room;
        memcpy (self->chunk + SNAPSHOT_CHUNK_HEADER_BYTES + self->chunk_bytes, from, run);
        self->chunk_bytes += (uint32_t) run;
        from += run;
        bytes -= run;
        if (self->chunk_bytes == SNAPSHOT_CHUNK_BYTES) {
            int rc = s_flush_chunk (self);
            if (rc) {
                return rc;
            }
        }
    }
    return 0;
}

uint64_t snapshot_writer_bytes (const snapshot_writer_t *self)
{
    return self->trailer.total_bytes + self->chunk_bytes;
}

// Write what is left, make it durable, close.
static int s_complete (snapshot_writer_t *self, uint64_t state_digest)
{
    uint8_t *bytes = self->chunk; // not on the stack: the kernel owns it during the call
    int rc = self->chunk_bytes ? s_flush_chunk (self) : 0;
    if (rc) {
        return rc;
    }
    self->trailer.state_digest = state_digest;
    self->trailer.header_crc = self->header.crc;
    self->trailer.file_bytes = self->offset + SNAPSHOT_TRAILER_BYTES;
    snapshot_trailer_encode (&self->trailer, self->header.salt, bytes);
    rc = self->file->ops->write_sync (self->file, bytes, SNAPSHOT_TRAILER_BYTES, self->offset);
    if (rc) {
        return s_fail (self, rc, "write");
    }
    vfs_file_t *file = self->file;
    self->file = NULL;
    rc = file->ops->close (file);
    return rc ? s_fail (self, rc, "close") : 0;
}

static int s_read_back (snapshot_writer_t *self, snapshot_info_t *info)
{
    snapshot_report_t report = {0};
    const snapshot_meta_t *meta = &self->header.meta;
    int rc = snapshot_verify_path (self->store, self->path, meta->index, meta->term, info, &report);
    if (rc == 0 && (info->state_digest != self->trailer.state_digest ||
                    info->total_bytes != self->trailer.total_bytes)) {
        rc = DT_ERR_CORRUPT;
        snprintf (report.why, sizeof report.why, "another snapshot was read back");
    }
    if (rc) {
        dt_log_error (self->store->env, "snapshot",
                      "group %u: %s was written and cannot be read back: %s (offset %llu)",
                      self->store->identity.group_id, self->path, report.why,
                      (unsigned long long) report.offset);
        self->failed = rc == DT_ERR_IO ? DT_ERR_IO : DT_ERR_CORRUPT;
    }
    return self->failed;
}

static int s_publish (snapshot_writer_t *self)
{
    snapshot_store_t *store = self->store;
    char path[SNAPSHOT_PATH_BYTES];
    snapshot_path (store, self->header.meta.index, self->header.meta.term, ".snapshot", path);
    int rc = store->vfs->ops->rename (store->vfs, self->path, path);
    if (rc) {
        return s_fail (self, rc, "rename");
    }
    self->renamed = true;
    rc = store->vfs->ops->sync_directory (store->vfs, store->directory);
    return rc ? s_fail (self, rc, "sync the directory of") : 0;
}

int snapshot_writer_finish (snapshot_writer_t **self_p, uint64_t state_digest,
                            snapshot_info_t *info)
{
    snapshot_writer_t *self = *self_p;
    snapshot_info_t written;
    int rc = snapshot_writer_add (self, NULL, 0);
    if (rc == 0) {
        rc = s_complete (self, state_digest);
    }
    if (rc == 0) {
        rc = s_read_back (self, &written);
    }
    if (rc == 0 && self->store->failed) {
        rc = self->failed = self->store->failed; // another writer met the end of this disk
    }
    if (rc == 0) {
        rc = s_publish (self);
    }
    if (rc) {
        return rc;
    }
    snapshot_note (self->store, written.index, written.term, true);
    if (info) {
        *info = written;
    }
    s_free (self_p);
    return 0;
}

void snapshot_writer_abort (snapshot_writer_t **self_p)
{
    snapshot_writer_t *self = *self_p;
    if (!self) {
        return;
    }
    snapshot_store_t *store = self->store;
    if (self->file) {
        (void) self->file->ops->close (self->file); // its content does not matter any more
    }
    // After a final error the disk is left alone; the next open removes the file.
    if (!store->failed && self->created && !self->renamed) {
        int rc = store->vfs->ops->unlink (store->vfs, self->path);
        if (rc && rc != DT_ERR_NOT_FOUND) {
            (void) snapshot_disk_error (store, rc, "remove", self->path);
        }
    }
    s_free (self_p);
}
