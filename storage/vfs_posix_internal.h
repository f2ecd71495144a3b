// vfs_posix_internal - what the other real twin of the disk shares with vfs_posix.

#ifndef VFS_POSIX_INTERNAL_H
#define VFS_POSIX_INTERNAL_H

#include "storage/vfs.h"

// The descriptor of a file opened by vfs_posix.
int vfs_posix_file_descriptor (const vfs_file_t *file);

// Open the same file once more for writing past the page cache, each write durable when it returns
// (O_DIRECT, O_DSYNC); to be closed by the caller. -1: the file system cannot do that.
int vfs_posix_file_open_direct (const vfs_file_t *file);

// Log that a call on such a file failed with an errno, and return the DT_ERR_* for it.
int vfs_posix_file_error (const vfs_file_t *file, int error, const char *call);

#endif // VFS_POSIX_INTERNAL_H
