// vfs_posix - the disk through plain system calls that block the calling thread: tools and tests.

#ifndef VFS_POSIX_H
#define VFS_POSIX_H

#include "base/dt_env.h"
#include "storage/vfs.h"

typedef struct vfs_posix vfs_posix_t;

// Open the directory `root`, which must exist, as the root of all paths. env is borrowed for the
// life of the object; every error is logged on it with path and errno.
int vfs_posix_new (const char *root, const dt_env_t *env, vfs_posix_t **self);

// Close the root and the lock. Files must be closed before. Accepts NULL; nulls the pointer.
void vfs_posix_destroy (vfs_posix_t **self_p);

// The table of functions, valid as long as the object.
vfs_t *vfs_posix_vfs (vfs_posix_t *self);

#endif // VFS_POSIX_H
