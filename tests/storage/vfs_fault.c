#include "tests/storage/vfs_fault.h"

#include <stdlib.h>

#include "base/dt_memory.h"

typedef struct {
    vfs_file_t file;
    vfs_file_t *below;
    vfs_fault_t *owner;
} fault_file_t;

static vfs_fault_t *s_self (vfs_t *vfs)
{
    return (vfs_fault_t *) vfs;
}

static fault_file_t *s_file (vfs_file_t *file)
{
    return (fault_file_t *) file;
}

// Count a call. 0, or the error it is to fail with.
static int s_count (vfs_fault_t *self, vfs_fault_call_t call)
{
    if (self->inside) {
        return 0;
    }
    self->calls[call]++;
    self->total++;
    if (self->hook) {
        self->inside = true;
        self->hook (self->hook_context, call);
        self->inside = false;
    }
    if (self->fail_at &&
        (self->total == self->fail_at || (self->dead && self->total > self->fail_at))) {
        self->failures++;
        return self->fail_rc;
    }
    return 0;
}

static const vfs_ops_t s_ops;

static int s_open (vfs_t *vfs, const char *path, int flags, vfs_file_t **file)
{
    vfs_fault_t *self = s_self (vfs);
    vfs_file_t *below;
    int rc = s_count (self, VFS_FAULT_OPEN);
    if (rc == 0) {
        rc = self->below->ops->open (self->below, path, flags, &below);
    }
    if (rc == 0) {
        fault_file_t *made = dt_malloc (sizeof *made);
        *made = (fault_file_t){{&s_ops}, below, self};
        *file = &made->file;
    }
    return rc;
}

static int s_rename (vfs_t *vfs, const char *from, const char *to)
{
    vfs_fault_t *self = s_self (vfs);
    int rc = s_count (self, VFS_FAULT_RENAME);
    return rc ? rc : self->below->ops->rename (self->below, from, to);
}

static int s_unlink (vfs_t *vfs, const char *path)
{
    vfs_fault_t *self = s_self (vfs);
    int rc = s_count (self, VFS_FAULT_UNLINK);
    return rc ? rc : self->below->ops->unlink (self->below, path);
}

static int s_mkdir (vfs_t *vfs, const char *path)
{
    vfs_fault_t *self = s_self (vfs);
    int rc = s_count (self, VFS_FAULT_MKDIR);
    return rc ? rc : self->below->ops->mkdir (self->below, path);
}

static int s_rmdir (vfs_t *vfs, const char *path)
{
    vfs_fault_t *self = s_self (vfs);
    return self->below->ops->rmdir (self->below, path);
}

static int s_sync_directory (vfs_t *vfs, const char *path)
{
    vfs_fault_t *self = s_self (vfs);
    int rc = s_count (self, VFS_FAULT_SYNC_DIRECTORY);
    return rc ? rc : self->below->ops->sync_directory (self->below, path);
}

static int s_list (vfs_t *vfs, const char *path, vfs_list_fn *fn, void *argument)
{
    vfs_fault_t *self = s_self (vfs);
    int rc = s_count (self, VFS_FAULT_LIST);
    return rc ? rc : self->below->ops->list (self->below, path, fn, argument);
}

static int s_lock (vfs_t *vfs, const char *path)
{
    vfs_fault_t *self = s_self (vfs);
    return self->below->ops->lock (self->below, path);
}

static int s_free_bytes (vfs_t *vfs, uint64_t *bytes)
{
    vfs_fault_t *self = s_self (vfs);
    return self->below->ops->free_bytes (self->below, bytes);
}

static int s_close (vfs_file_t *base)
{
    fault_file_t *file = s_file (base);
    int rc = s_count (file->owner, VFS_FAULT_CLOSE);
    int below = file->below->ops->close (file->below);
    free (file);
    return rc ? rc : below;
}

static int s_read (vfs_file_t *base, void *buffer, size_t bytes, uint64_t offset, size_t *got)
{
    fault_file_t *file = s_file (base);
    int rc = s_count (file->owner, VFS_FAULT_READ);
    return rc ? rc : file->below->ops->read (file->below, buffer, bytes, offset, got);
}

static int s_write (vfs_file_t *base, const void *buffer, size_t bytes, uint64_t offset)
{
    fault_file_t *file = s_file (base);
    int rc = s_count (file->owner, VFS_FAULT_WRITE);
    return rc ? rc : file->below->ops->write (file->below, buffer, bytes, offset);
}

static int s_sync (vfs_file_t *base)
{
    fault_file_t *file = s_file (base);
    int rc = s_count (file->owner, VFS_FAULT_SYNC);
    return rc ? rc : file->below->ops->sync (file->below);
}

static int s_write_sync (vfs_file_t *base, const void *buffer, size_t bytes, uint64_t offset)
{
    fault_file_t *file = s_file (base);
    int rc = s_count (file->owner, VFS_FAULT_WRITE_SYNC);
    if (rc) {
        // Half of it may be there all the same, in whole sectors.
        uint64_t end = (offset + bytes / 2) & ~511ull;
        size_t half = end > offset ? end - offset : 0;
        (void) file->below->ops->write (file->below, buffer, half, offset);
        return rc;
    }
    return file->below->ops->write_sync (file->below, buffer, bytes, offset);
}

static int s_size (vfs_file_t *base, uint64_t *bytes)
{
    fault_file_t *file = s_file (base);
    int rc = s_count (file->owner, VFS_FAULT_SIZE);
    return rc ? rc : file->below->ops->size (file->below, bytes);
}

static int s_truncate (vfs_file_t *base, uint64_t bytes)
{
    fault_file_t *file = s_file (base);
    int rc = s_count (file->owner, VFS_FAULT_TRUNCATE);
    return rc ? rc : file->below->ops->truncate (file->below, bytes);
}

static int s_allocate (vfs_file_t *base, uint64_t bytes)
{
    fault_file_t *file = s_file (base);
    int rc = s_count (file->owner, VFS_FAULT_ALLOCATE);
    return rc ? rc : file->below->ops->allocate (file->below, bytes);
}

static const vfs_ops_t s_ops = {
    .open = s_open,
    .rename = s_rename,
    .unlink = s_unlink,
    .mkdir = s_mkdir,
    .rmdir = s_rmdir,
    .sync_directory = s_sync_directory,
    .list = s_list,
    .lock = s_lock,
    .free_bytes = s_free_bytes,
    .close = s_close,
    .read = s_read,
    .write = s_write,
    .sync = s_sync,
    .write_sync = s_write_sync,
    .size = s_size,
    .truncate = s_truncate,
    .allocate = s_allocate,
};

void vfs_fault_init (vfs_fault_t *self, vfs_t *below)
{
    *self = (vfs_fault_t){.vfs = {&s_ops}, .below = below};
}
