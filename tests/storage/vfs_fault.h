// vfs_fault - a disk in front of another one: counts calls, fails the k-th, lets a test step in.

#ifndef VFS_FAULT_H
#define VFS_FAULT_H

#include "storage/vfs.h"

typedef enum {
    VFS_FAULT_OPEN,
    VFS_FAULT_RENAME,
    VFS_FAULT_UNLINK,
    VFS_FAULT_MKDIR,
    VFS_FAULT_SYNC_DIRECTORY,
    VFS_FAULT_LIST,
    VFS_FAULT_CLOSE,
    VFS_FAULT_READ,
    VFS_FAULT_WRITE,
    VFS_FAULT_SYNC,
    VFS_FAULT_WRITE_SYNC,
    VFS_FAULT_SIZE,
    VFS_FAULT_TRUNCATE,
    VFS_FAULT_ALLOCATE,
    VFS_FAULT_CALLS
} vfs_fault_call_t;

// Called before each call reaches the disk: as other fibers would run while the caller is
// suspended. Calls made from inside are not counted and do not call it again.
typedef void (vfs_fault_hook_fn) (void *context, vfs_fault_call_t call);

typedef struct {
    vfs_t vfs;                       // first: what storage code is given
    vfs_t *below;                    // borrowed
    uint64_t calls[VFS_FAULT_CALLS]; // counted
    uint64_t total;                  // all of them
    uint64_t fail_at;                // the total's value at which to fail, once; 0: never
    int fail_rc;                     // with this
    bool dead;                       // fail every call from then on
    uint64_t failures;               // injected so far
    vfs_fault_hook_fn *hook;         // may be NULL
    void *hook_context;
    bool inside; // the hook is running
} vfs_fault_t;

void vfs_fault_init (vfs_fault_t *self, vfs_t *below);

#endif // VFS_FAULT_H
