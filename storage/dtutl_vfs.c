// dtutl_vfs - the disk as the offline tool may use it: it can be read, and nothing else.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/dtutl.h"

enum {
    SHOW_BYTES = 32 * 1024 * 1024, // read between two progress lines
};

typedef struct {
    vfs_file_t base;
    dtutl_vfs_t *owner;
    vfs_file_t *under; // owned
} view_file_t;

static const vfs_ops_t s_ops;

static vfs_t *s_under (vfs_t *vfs)
{
    return ((dtutl_vfs_t *) vfs)->under;
}

static view_file_t *s_file (vfs_file_t *file)
{
    return (view_file_t *) file;
}

static bool s_is_index (const char *path)
{
    size_t bytes = strlen (path);
    return bytes > 4 && strcmp (path + bytes - 4, ".idx") == 0;
}

static int s_open (vfs_t *vfs, const char *path, int flags, vfs_file_t **file)
{
    dtutl_vfs_t *self = (dtutl_vfs_t *) vfs;
    if (flags & VFS_CREATE) {
        return DT_ERR_PERMISSION;
    }
    if (self->hide_indexes && s_is_index (path)) {
        return DT_ERR_NOT_FOUND;
    }
    vfs_file_t *under;
    int rc = self->under->ops->open (self->under, path, VFS_READ, &under);
    if (rc) {
        return rc;
    }
    view_file_t *made = dt_zalloc (1, sizeof *made);
    made->base.ops = &s_ops;
    made->owner = self;
    made->under = under;
    *file = &made->base;
    return 0;
}

static int s_close (vfs_file_t *file)
{
    vfs_file_t *under = s_file (file)->under;
    free (file);
    return under->ops->close (under);
}

static void s_show (dtutl_vfs_t *self)
{
    if (self->progress && self->bytes_read - self->bytes_shown >= SHOW_BYTES) {
        fprintf (stderr, "\rdtutl: %s, %" PRIu64 " MiB read", self->doing,
                 self->bytes_read / (1024 * 1024));
        fflush (stderr);
        self->bytes_shown = self->bytes_read;
    }
}

void dtutl_vfs_end_progress (dtutl_vfs_t *self)
{
    if (self->bytes_shown) {
        fprintf (stderr, "\n");
    }
    self->bytes_read = 0;
    self->bytes_shown = 0;
}

static int s_read (vfs_file_t *file, void *buffer, size_t bytes, uint64_t offset, size_t *got)
{
    view_file_t *self = s_file (file);
    int rc = self->under->ops->read (self->under, buffer, bytes, offset, got);
    if (rc == 0) {
        self->owner->bytes_read += *got;
        s_show (self->owner);
    }
    return rc;
}

static int s_size (vfs_file_t *file, uint64_t *bytes)
{
    vfs_file_t *under = s_file (file)->under;
    return under->ops->size (under, bytes);
}

static int s_list (vfs_t *vfs, const char *path, vfs_list_fn *fn, void *argument)
{
    return s_under (vfs)->ops->list (s_under (vfs), path, fn, argument);
}

static int s_lock (vfs_t *vfs, const char *path)
{
    return s_under (vfs)->ops->lock (s_under (vfs), path);
}

static int s_free_bytes (vfs_t *vfs, uint64_t *bytes)
{
    return s_under (vfs)->ops->free_bytes (s_under (vfs), bytes);
}

// --- what is refused -----------------------------------------------------------------------------

static int s_refuse_two_paths (vfs_t *vfs, const char *from, const char *to)
{
    (void) vfs;
    (void) from;
    (void) to;
    return DT_ERR_PERMISSION;
}

static int s_refuse_path (vfs_t *vfs, const char *path)
{
    (void) vfs;
    (void) path;
    return DT_ERR_PERMISSION;
}

static int s_refuse_write (vfs_file_t *file, const void *buffer, size_t bytes, uint64_t offset)
{
    (void) file;
    (void) buffer;
    (void) bytes;
    (void) offset;
    return DT_ERR_PERMISSION;
}

static int s_refuse_size (vfs_file_t *file, uint64_t bytes)
{
    (void) file;
    (void) bytes;
    return DT_ERR_PERMISSION;
}

// Nothing was written here, and what is read is for eyes only: there is nothing to make durable.
static int s_sync (vfs_file_t *file)
{
    (void) file;
    return 0;
}

static int s_sync_directory (vfs_t *vfs, const char *path)
{
    (void) vfs;
    (void) path;
    return 0;
}

static const vfs_ops_t s_ops = {
    .open = s_open,
    .rename = s_refuse_two_paths,
    .unlink = s_refuse_path,
    .mkdir = s_refuse_path,
    .rmdir = s_refuse_path,
    .sync_directory = s_sync_directory,
    .list = s_list,
    .lock = s_lock,
    .free_bytes = s_free_bytes,
    .close = s_close,
    .read = s_read,
    .write = s_refuse_write,
    .sync = s_sync,
    .write_sync = s_refuse_write,
    .size = s_size,
    .truncate = s_refuse_size,
    .allocate = s_refuse_size,
};

void dtutl_vfs_init (dtutl_vfs_t *self, vfs_t *under)
{
    *self = (dtutl_vfs_t){.base = {.ops = &s_ops}, .under = under, .doing = ""};
}
