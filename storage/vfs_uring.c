#include "storage/vfs_uring.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/dt_memory.h"
#include "storage/vfs_posix.h"
#include "storage/vfs_posix_internal.h"

enum { DIRECT_ALIGN = 512 }; // smallest sector of any disk

struct vfs_uring {
    vfs_t vfs;
    fiber_backend_real_t *backend; // borrowed
    vfs_posix_t *posix;            // owned; does everything but read, write and sync
};

typedef struct {
    vfs_file_t file;
    vfs_uring_t *owner;
    vfs_file_t *posix; // owned
    int direct;        // descriptor for aligned write_syncs; -1: not possible or not tried
    bool try_direct;   // not tried yet
} uring_file_t;

static vfs_uring_t *s_self (vfs_t *vfs)
{
    return (vfs_uring_t *) vfs;
}

static uring_file_t *s_file (vfs_file_t *file)
{
    return (uring_file_t *) file;
}

static const vfs_ops_t s_ops;

// --- calls on the helper thread ------------------------------------------------------------------

// One call of the posix twin, with whatever arguments it takes.
typedef struct {
    vfs_t *vfs;
    vfs_file_t *file;
    const char *path, *other; // other: the new name of a rename
    int flags;
    uint64_t bytes;
    vfs_list_fn *fn;
    void *argument;
    vfs_file_t *opened; // result of open
    uint64_t number;    // result of size, free_bytes
    int rc;
} s_call_t;

static void s_do_open (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->open (call->vfs, call->path, call->flags, &call->opened);
}

static void s_do_rename (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->rename (call->vfs, call->path, call->other);
}

static void s_do_unlink (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->unlink (call->vfs, call->path);
}

static void s_do_mkdir (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->mkdir (call->vfs, call->path);
}

static void s_do_rmdir (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->rmdir (call->vfs, call->path);
}

static void s_do_sync_directory (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->sync_directory (call->vfs, call->path);
}

static void s_do_list (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->list (call->vfs, call->path, call->fn, call->argument);
}

static void s_do_lock (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->lock (call->vfs, call->path);
}

static void s_do_free_bytes (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->vfs->ops->free_bytes (call->vfs, &call->number);
}

static void s_do_close (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->file->ops->close (call->file);
}

static void s_do_size (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->file->ops->size (call->file, &call->number);
}

static void s_do_truncate (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->file->ops->truncate (call->file, call->bytes);
}

static void s_do_allocate (void *argument)
{
    s_call_t *call = argument;
    call->rc = call->file->ops->allocate (call->file, call->bytes);
}

static int s_call (vfs_uring_t *self, void (*fn) (void *argument), s_call_t *call)
{
    call->vfs = vfs_posix_vfs (self->posix);
    fiber_disk_call (self->backend, fn, call);
    return call->rc;
}

static int s_open (vfs_t *vfs, const char *path, int flags, vfs_file_t **file)
{
    s_call_t call = {.path = path, .flags = flags};
    int rc = s_call (s_self (vfs), s_do_open, &call);
    if (rc == 0) {
        uring_file_t *made = dt_zalloc (1, sizeof *made);
        made->file.ops = &s_ops;
        made->owner = s_self (vfs);
        made->posix = call.opened;
        made->direct = -1;
        made->try_direct = (flags & VFS_WRITE) != 0;
        *file = &made->file;
    }
    return rc;
}

static int s_rename (vfs_t *vfs, const char *from, const char *to)
{
    return s_call (s_self (vfs), s_do_rename, &(s_call_t){.path = from, .other = to});
}

static int s_unlink (vfs_t *vfs, const char *path)
{
    return s_call (s_self (vfs), s_do_unlink, &(s_call_t){.path = path});
}

static int s_mkdir (vfs_t *vfs, const char *path)
{
    return s_call (s_self (vfs), s_do_mkdir, &(s_call_t){.path = path});
}

static int s_rmdir (vfs_t *vfs, const char *path)
{
    return s_call (s_self (vfs), s_do_rmdir, &(s_call_t){.path = path});
}

static int s_sync_directory (vfs_t *vfs, const char *path)
{
    return s_call (s_self (vfs), s_do_sync_directory, &(s_call_t){.path = path});
}

static int s_list (vfs_t *vfs, const char *path, vfs_list_fn *fn, void *argument)
{
    // fn runs on the helper thread while this fiber waits: nobody else touches what it fills.
    return s_call (s_self (vfs), s_do_list,
                   &(s_call_t){.path = path, .fn = fn, .argument = argument});
}

static int s_lock (vfs_t *vfs, const char *path)
{
    return s_call (s_self (vfs), s_do_lock, &(s_call_t){.path = path});
}

static int s_free_bytes (vfs_t *vfs, uint64_t *bytes)
{
    s_call_t call = {0};
    int rc = s_call (s_self (vfs), s_do_free_bytes, &call);
    if (rc == 0) {
        *bytes = call.number;
    }
    return rc;
}

static int s_close (vfs_file_t *base)
{
    uring_file_t *file = s_file (base);
    int rc = s_call (file->owner, s_do_close, &(s_call_t){.file = file->posix});
    if (file->direct >= 0) {
        close (file->direct);
    }
    free (file);
    return rc;
}

static int s_size (vfs_file_t *base, uint64_t *bytes)
{
    s_call_t call = {.file = s_file (base)->posix};
    int rc = s_call (s_file (base)->owner, s_do_size, &call);
    if (rc == 0) {
        *bytes = call.number;
    }
    return rc;
}

static int s_truncate (vfs_file_t *base, uint64_t bytes)
{
    uring_file_t *file = s_file (base);
    return s_call (file->owner, s_do_truncate, &(s_call_t){.file = file->posix, .bytes = bytes});
}

static int s_allocate (vfs_file_t *base, uint64_t bytes)
{
    uring_file_t *file = s_file (base);
    return s_call (file->owner, s_do_allocate, &(s_call_t){.file = file->posix, .bytes = bytes});
}

// --- calls through the ring ----------------------------------------------------------------------

static int s_result (const uring_file_t *file, int result, const char *call)
{
    return result < 0 ? vfs_posix_file_error (file->posix, -result, call) : 0;
}

static int s_read (vfs_file_t *base, void *buffer, size_t bytes, uint64_t offset, size_t *got)
{
    uring_file_t *file = s_file (base);
    int fd = vfs_posix_file_descriptor (file->posix);
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = fiber_disk_read (file->owner->backend, fd, (uint8_t *) buffer + done,
                                     bytes - done, offset + done);
        if (n < 0) {
            return s_result (file, (int) n, "read");
        }
        if (n == 0) {
            break;
        }
        done += (size_t) n;
    }
    *got = done;
    return 0;
}

static int s_write (vfs_file_t *base, const void *buffer, size_t bytes, uint64_t offset)
{
    uring_file_t *file = s_file (base);
    int fd = vfs_posix_file_descriptor (file->posix);
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = fiber_disk_write (file->owner->backend, fd, (const uint8_t *) buffer + done,
                                      bytes - done, offset + done);
        if (n < 0) {
            return s_result (file, (int) n, "write");
        }
        done += (size_t) n;
    }
    return 0;
}

static int s_sync (vfs_file_t *base)
{
    uring_file_t *file = s_file (base);
    int fd = vfs_posix_file_descriptor (file->posix);
    return s_result (file, fiber_disk_fdatasync (file->owner->backend, fd), "fdatasync");
}

static bool s_is_aligned (const void *buffer, size_t bytes, uint64_t offset)
{
    return ((uintptr_t) buffer | bytes | offset) % DIRECT_ALIGN == 0;
}

// Write whole sectors straight to the device: one operation, no copy to the page cache, no sync of
// its own. False: it cannot be done here, nothing was written.
static bool s_write_direct (uring_file_t *file, const void *buffer, size_t bytes, uint64_t offset,
                            int *rc)
{
    if (file->try_direct) {
        file->try_direct = false;
        file->direct = vfs_posix_file_open_direct (file->posix);
    }
    if (file->direct < 0) {
        return false;
    }
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = fiber_disk_write (file->owner->backend, file->direct,
                                      (const uint8_t *) buffer + done, bytes - done, offset + done);
        if (n == -EINVAL && done == 0) {
            // Sectors are larger here, or the memory does not suit the device.
            close (file->direct);
            file->direct = -1;
            return false;
        }
        if (n < 0) {
            *rc = s_result (file, (int) n, "write (O_DIRECT, O_DSYNC)");
            return true;
        }
        done += (size_t) n;
    }
    *rc = 0;
    return true;
}

static int s_write_sync (vfs_file_t *base, const void *buffer, size_t bytes, uint64_t offset)
{
    uring_file_t *file = s_file (base);
    int rc;
    if (s_is_aligned (buffer, bytes, offset) && s_write_direct (file, buffer, bytes, offset, &rc)) {
        return rc;
    }
    int fd = vfs_posix_file_descriptor (file->posix);
    return s_result (file, fiber_disk_write_sync (file->owner->backend, fd, buffer, bytes, offset),
                     "write and fdatasync");
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

int vfs_uring_new (const char *root, const dt_env_t *env, fiber_backend_real_t *backend,
                   vfs_uring_t **self_p)
{
    vfs_posix_t *posix;
    int rc = vfs_posix_new (root, env, &posix);
    if (rc == 0) {
        vfs_uring_t *self = dt_zalloc (1, sizeof *self);
        self->vfs.ops = &s_ops;
        self->backend = backend;
        self->posix = posix;
        *self_p = self;
    }
    return rc;
}

void vfs_uring_destroy (vfs_uring_t **self_p)
{
    vfs_uring_t *self = *self_p;
    *self_p = NULL;
    if (self) {
        vfs_posix_destroy (&self->posix);
        free (self);
    }
}

vfs_t *vfs_uring_vfs (vfs_uring_t *self)
{
    return &self->vfs;
}
