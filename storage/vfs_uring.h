// vfs_uring - the node's disk: calls suspend the fiber, never the thread.
//
// Reading, writing and syncing go through the dispatcher's io_uring (or its helper thread);
// everything else is a plain system call on the helper thread. To be used by fibers of that
// dispatcher only.

#ifndef VFS_URING_H
#define VFS_URING_H

#include "actors/fiber/fiber_backend_real.h"
#include "base/dt_env.h"
#include "storage/vfs.h"

typedef struct vfs_uring vfs_uring_t;

// Open the directory `root`, which must exist, as the root of all paths. env and backend are
// borrowed for the life of the object. Not from a fiber.
int vfs_uring_new (const char *root, const dt_env_t *env, fiber_backend_real_t *backend,
                   vfs_uring_t **self);

// Close the root. Files must be closed before. Accepts NULL; nulls the pointer.
void vfs_uring_destroy (vfs_uring_t **self_p);

// The table of functions, valid as long as the object.
vfs_t *vfs_uring_vfs (vfs_uring_t *self);

#endif // VFS_URING_H
