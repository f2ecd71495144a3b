// vfs - the disk as storage code sees it: a table of functions.
//
// Calls look synchronous. A twin may block the calling thread (vfs_posix: tools and tests), suspend
// the calling fiber (vfs_uring: the node) or spend virtual time (vfs_sim). Return 0 or DT_ERR_IO,
// DT_ERR_NO_SPACE, DT_ERR_NOT_FOUND, DT_ERR_EXISTS, DT_ERR_PERMISSION, DT_ERR_IN_USE; the twin logs
// or records errno and path. Paths are relative to the vfs's root directory, '/'-separated, without "..".
// After any error of write, sync, rename, truncate or close the file is not to be used again [DISK-10].

#ifndef VFS_H
#define VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vfs vfs_t;
typedef struct vfs_file vfs_file_t;

enum {
    VFS_READ = 0,      // open an existing file for reading
    VFS_WRITE = 1,     // open an existing file for reading and writing
    VFS_CREATE = 2,    // with VFS_WRITE: create it; DT_ERR_EXISTS if it exists
    VFS_TRUNCATE = 4,  // with VFS_CREATE: an existing file is emptied instead
};

typedef void (vfs_list_fn) (void *argument, const char *name, bool is_directory);

typedef struct {
    int (*open) (vfs_t *self, const char *path, int flags, vfs_file_t **file);
    int (*rename) (vfs_t *self, const char *from, const char *to); // replaces `to`
    int (*unlink) (vfs_t *self, const char *path);
    int (*mkdir) (vfs_t *self, const char *path); // 0 if the directory is there already
    int (*rmdir) (vfs_t *self, const char *path);
    // Make the entries of a directory durable [DISK-5].
    int (*sync_directory) (vfs_t *self, const char *path);
    // Call fn for each entry, in byte order of the names.
    int (*list) (vfs_t *self, const char *path, vfs_list_fn *fn, void *argument);
    // Take the exclusive lock of this directory tree for the life of the vfs; DT_ERR_IN_USE.
    int (*lock) (vfs_t *self, const char *path);
    // Bytes free for this process on the disk.
    int (*free_bytes) (vfs_t *self, uint64_t *bytes);

    int (*close) (vfs_file_t *file); // the file is freed, whatever the result
    // Read up to `bytes`; fewer only at the end of the file.
    int (*read) (vfs_file_t *file, void *buffer, size_t bytes, uint64_t offset, size_t *got);
    // Write all bytes or fail.
    int (*write) (vfs_file_t *file, const void *buffer, size_t bytes, uint64_t offset);
    // fdatasync: content and, if changed, the size.
    int (*sync) (vfs_file_t *file);
    // Write these bytes and make them durable, in one trip. Earlier writes of the file need a sync of
    // their own.
    int (*write_sync) (vfs_file_t *file, const void *buffer, size_t bytes, uint64_t offset);
    int (*size) (vfs_file_t *file, uint64_t *bytes);
    int (*truncate) (vfs_file_t *file, uint64_t bytes);
    // Reserve real blocks (posix_fallocate) for [0, bytes) without changing content.
    int (*allocate) (vfs_file_t *file, uint64_t bytes);
} vfs_ops_t;

struct vfs {
    const vfs_ops_t *ops;
};

struct vfs_file {
    const vfs_ops_t *ops;
};

#endif // VFS_H
