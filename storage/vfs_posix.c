#include "storage/vfs_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/vfs_posix_internal.h"

struct vfs_posix {
    vfs_t vfs;
    const dt_env_t *env;
    char *root; // owned; for log lines
    int fd;     // of the root
    int lock;   // of the locked directory; -1: none
};

typedef struct {
    vfs_file_t file;
    vfs_posix_t *owner;
    char *path; // owned; for log lines
    int fd;
} posix_file_t;

// --- errors --------------------------------------------------------------------------------------

static int s_rc (int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return DT_ERR_NO_SPACE;
    case ENOENT:
        return DT_ERR_NOT_FOUND;
    case EEXIST:
        return DT_ERR_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return DT_ERR_PERMISSION;
    default:
        return DT_ERR_IO;
    }
}

static int s_error (const vfs_posix_t *self, int error, const char *call, const char *path)
{
    char text[128];
    int rc = s_rc (error);
    // Looking whether something is there is no incident.
    bool expected = rc == DT_ERR_NOT_FOUND || rc == DT_ERR_EXISTS;
    dt_log (self->env, expected ? DT_LOG_DEBUG : DT_LOG_ERROR, "disk", "%s %s/%s: %s (errno %d)",
            call, self->root, path, strerror_r (error, text, sizeof text), error);
    return rc;
}

static vfs_posix_t *s_self (vfs_t *vfs)
{
    return (vfs_posix_t *) vfs;
}

static posix_file_t *s_file (vfs_file_t *file)
{
    return (posix_file_t *) file;
}

static int s_file_error (const posix_file_t *file, const char *call)
{
    return s_error (file->owner, errno, call, file->path);
}

// --- files ---------------------------------------------------------------------------------------

static const vfs_ops_t s_ops;

static int s_open (vfs_t *vfs, const char *path, int flags, vfs_file_t **file)
{
    vfs_posix_t *self = s_self (vfs);
    int posix = O_CLOEXEC | (flags & VFS_WRITE ? O_RDWR : O_RDONLY);
    if (flags & VFS_CREATE) {
        posix |= O_CREAT | (flags & VFS_TRUNCATE ? O_TRUNC : O_EXCL);
    }
    int fd = openat (self->fd, path, posix, 0640);
    if (fd < 0) {
        return s_error (self, errno, "open", path);
    }
    // What is read here is read in large runs: readahead would only stand in the way of the log's
    // syncs.
    posix_fadvise (fd, 0, 0, POSIX_FADV_RANDOM);
    posix_file_t *made = dt_malloc (sizeof *made);
    made->file.ops = &s_ops;
    made->owner = self;
    made->path = dt_strdup (path);
    made->fd = fd;
    *file = &made->file;
    return 0;
}

static int s_close (vfs_file_t *base)
{
    posix_file_t *file = s_file (base);
    int rc = close (file->fd) == 0 ? 0 : s_file_error (file, "close");
    free (file->path);
    free (file);
    return rc;
}

static int s_read (vfs_file_t *base, void *buffer, size_t bytes, uint64_t offset, size_t *got)
{
    posix_file_t *file = s_file (base);
    size_t done = 0;
    while (done < bytes) {
        ssize_t n = pread (file->fd, (char *) buffer + done, bytes - done, (off_t) (offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return s_file_error (file, "read");
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
    posix_file_t *file = s_file (base);
    size_t done = 0;
    while (done < bytes) {
        ssize_t n =
            pwrite (file->fd, (const char *) buffer + done, bytes - done, (off_t) (offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return s_file_error (file, "write");
        }
        done += (size_t) n;
    }
    return 0;
}

static int s_sync (vfs_file_t *base)
{
    posix_file_t *file = s_file (base);
    return fdatasync (file->fd) == 0 ? 0 : s_file_error (file, "fdatasync");
}

static int s_write_sync (vfs_file_t *base, const void *buffer, size_t bytes, uint64_t offset)
{
    int rc = s_write (base, buffer, bytes, offset);
    return rc ? rc : s_sync (base);
}

static int s_size (vfs_file_t *base, uint64_t *bytes)
{
    posix_file_t *file = s_file (base);
    struct stat st;
    if (fstat (file->fd, &st) != 0) {
        return s_file_error (file, "stat");
    }
    *bytes = (uint64_t) st.st_size;
    return 0;
}

static int s_truncate (vfs_file_t *base, uint64_t bytes)
{
    posix_file_t *file = s_file (base);
    return ftruncate (file->fd, (off_t) bytes) == 0 ? 0 : s_file_error (file, "truncate");
}

static int s_allocate (vfs_file_t *base, uint64_t bytes)
{
    posix_file_t *file = s_file (base);
    int error;
    do {
        error = posix_fallocate (file->fd, 0, (off_t) bytes);
    } while (error == EINTR);
    return error == 0 ? 0 : s_error (file->owner, error, "allocate", file->path);
}

// --- names ---------------------------------------------------------------------------------------

static int s_rename (vfs_t *vfs, const char *from, const char *to)
{
    vfs_posix_t *self = s_self (vfs);
    return renameat (self->fd, from, self->fd, to) == 0 ? 0 : s_error (self, errno, "rename", from);
}

static int s_unlink (vfs_t *vfs, const char *path)
{
    vfs_posix_t *self = s_self (vfs);
    return unlinkat (self->fd, path, 0) == 0 ? 0 : s_error (self, errno, "unlink", path);
}

static int s_mkdir (vfs_t *vfs, const char *path)
{
    vfs_posix_t *self = s_self (vfs);
    if (mkdirat (self->fd, path, 0750) == 0) {
        return 0;
    }
    int error = errno;
    struct stat st;
    if (error == EEXIST && fstatat (self->fd, path, &st, 0) == 0 && S_ISDIR (st.st_mode)) {
        return 0;
    }
    return s_error (self, error, "mkdir", path);
}

static int s_rmdir (vfs_t *vfs, const char *path)
{
    vfs_posix_t *self = s_self (vfs);
    return unlinkat (self->fd, path, AT_REMOVEDIR) == 0 ? 0 : s_error (self, errno, "rmdir", path);
}

// The root may be named "" or ".".
static int s_open_directory (vfs_posix_t *self, const char *path, int *fd)
{
    *fd = openat (self->fd, path[0] ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd >= 0 ? 0 : s_error (self, errno, "open directory", path);
}

static int s_sync_directory (vfs_t *vfs, const char *path)
{
    vfs_posix_t *self = s_self (vfs);
    int fd;
    int rc = s_open_directory (self, path, &fd);
    if (rc) {
        return rc;
    }
    rc = fsync (fd) == 0 ? 0 : s_error (self, errno, "fsync", path);
    close (fd);
    return rc;
}

typedef struct {
    char *name; // owned
    bool is_directory;
} found_t;

static int s_compare (const void *a, const void *b)
{
    return strcmp (((const found_t *) a)->name, ((const found_t *) b)->name);
}

static bool s_is_directory (DIR *directory, const struct dirent *entry)
{
    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_DIR;
    }
    struct stat st;
    return fstatat (dirfd (directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR (st.st_mode);
}

static int s_list (vfs_t *vfs, const char *path, vfs_list_fn *fn, void *argument)
{
    vfs_posix_t *self = s_self (vfs);
    int fd;
    int rc = s_open_directory (self, path, &fd);
    if (rc) {
        return rc;
    }
    DIR *directory = fdopendir (fd);
    if (!directory) {
        rc = s_error (self, errno, "list", path);
        close (fd);
        return rc;
    }
    found_t *found = NULL;
    size_t count = 0;
    size_t capacity = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir (directory);
        if (!entry) {
            break;
        }
        if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0) {
            continue;
        }
        if (count == capacity) {
            capacity = capacity ? capacity * 2 : 32;
            found = dt_realloc (found, capacity * sizeof found[0]);
        }
        found[count].name = dt_strdup (entry->d_name);
        found[count].is_directory = s_is_directory (directory, entry);
        count++;
    }
    rc = errno ? s_error (self, errno, "list", path) : 0;
    closedir (directory);
    if (rc == 0 && count > 0) {
        qsort (found, count, sizeof found[0], s_compare);
    }
    for (size_t i = 0; i < count; i++) {
        if (rc == 0) {
            fn (argument, found[i].name, found[i].is_directory);
        }
        free (found[i].name);
    }
    free (found);
    return rc;
}

static int s_lock (vfs_t *vfs, const char *path)
{
    vfs_posix_t *self = s_self (vfs);
    int fd;
    int rc = s_open_directory (self, path, &fd);
    if (rc) {
        return rc;
    }
    if (flock (fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        close (fd);
        return error == EWOULDBLOCK ? DT_ERR_IN_USE : s_error (self, error, "lock", path);
    }
    if (self->lock >= 0) {
        close (self->lock);
    }
    self->lock = fd;
    return 0;
}

static int s_free_bytes (vfs_t *vfs, uint64_t *bytes)
{
    vfs_posix_t *self = s_self (vfs);
    struct statvfs st;
    if (fstatvfs (self->fd, &st) != 0) {
        return s_error (self, errno, "statvfs", "");
    }
    *bytes = (uint64_t) st.f_bavail * st.f_frsize;
    return 0;
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

int vfs_posix_new (const char *root, const dt_env_t *env, vfs_posix_t **self_p)
{
    int fd = open (root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        char text[128];
        dt_log_error (env, "disk", "open %s: %s (errno %d)", root,
                      strerror_r (error, text, sizeof text), error);
        return s_rc (error);
    }
    vfs_posix_t *self = dt_zalloc (1, sizeof *self);
    self->vfs.ops = &s_ops;
    self->env = env;
    self->root = dt_strdup (root);
    self->fd = fd;
    self->lock = -1;
    *self_p = self;
    return 0;
}

void vfs_posix_destroy (vfs_posix_t **self_p)
{
    vfs_posix_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    if (self->lock >= 0) {
        close (self->lock);
    }
    close (self->fd);
    free (self->root);
    free (self);
}

vfs_t *vfs_posix_vfs (vfs_posix_t *self)
{
    return &self->vfs;
}

int vfs_posix_file_descriptor (const vfs_file_t *file)
{
    return ((const posix_file_t *) file)->fd;
}

int vfs_posix_file_error (const vfs_file_t *file, int error, const char *call)
{
    const posix_file_t *posix = (const posix_file_t *) file;
    return s_error (posix->owner, error, call, posix->path);
}

int vfs_posix_file_open_direct (const vfs_file_t *file)
{
    char path[64];
    snprintf (path, sizeof path, "/proc/self/fd/%d", vfs_posix_file_descriptor (file));
    return open (path, O_WRONLY | O_DIRECT | O_DSYNC | O_CLOEXEC);
}
