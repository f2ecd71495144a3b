// vfs_sim - a simulated disk that forgets what was not synced, and fails on request [DST-6].
//
// The disk outlives "processes"; a vfs_sim_t is one mount of it by one process. Pure and
// deterministic: every choice is drawn from the disk's seed, so a run repeats exactly.
//
// What survives a crash:
// - Content covered by a completed sync of the file. Each other sector (512 bytes) is, for itself,
//   as it was, as it was written, or garbage (garbage_ppm).
// - The file's size at its last sync; a later size may survive too, or one in between.
// - Names (create, rename, unlink, mkdir, rmdir) covered by a sync_directory of their directory.
//   Each other change survives or not, for itself; changes of one name keep their order. A sync of
//   the file makes no name durable, and a name may survive without the content.
// A failed sync leaves its pages "clean": a later sync succeeds and persists nothing of them.

#ifndef VFS_SIM_H
#define VFS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_env.h"
#include "storage/vfs.h"

typedef struct vfs_sim_disk vfs_sim_disk_t;
typedef struct vfs_sim vfs_sim_t;

enum {
    VFS_SIM_SECTOR_BYTES = 512,
};

// Kinds of operations, for delays, planned faults and counters.
typedef enum {
    VFS_SIM_OPEN,
    VFS_SIM_CREATE, // open that makes or empties a file
    VFS_SIM_RENAME,
    VFS_SIM_UNLINK,
    VFS_SIM_MKDIR,
    VFS_SIM_RMDIR,
    VFS_SIM_SYNC_DIRECTORY,
    VFS_SIM_LIST,
    VFS_SIM_READ,
    VFS_SIM_WRITE,
    VFS_SIM_SYNC, // write_sync counts as a write and a sync
    VFS_SIM_TRUNCATE,
    VFS_SIM_ALLOCATE,
    VFS_SIM_OPS
} vfs_sim_op_t;

// Called once per operation on the path of the caller, which it may suspend. The operation takes
// effect before or after it, by chance. write_sync: op is VFS_SIM_SYNC. stall_ns: 0, or how
// long the disk stands still in addition. The mount may have died when it returns.
typedef void (vfs_sim_delay_fn) (void *context, vfs_sim_op_t op, uint64_t bytes, int64_t stall_ns);

// Chances in parts per million of one operation (garbage: of one sector); all 0: a disk that only
// forgets. A flipped or stale read leaves the medium as it is.
typedef struct {
    uint64_t capacity_bytes;  // 0: unlimited; beyond it DT_ERR_NO_SPACE
    uint32_t garbage_ppm;     // an unsynced sector is garbage after a crash
    uint32_t read_error_ppm;  // DT_ERR_IO
    uint32_t read_flip_ppm;   // one bit of what is read is wrong
    uint32_t read_stale_ppm;  // a sector is read as it was before its last sync
    uint32_t write_error_ppm; // DT_ERR_IO; some first sectors may have been written
    uint32_t sync_error_ppm;  // DT_ERR_IO, of files and directories
    uint32_t lost_write_ppm;  // success, but never reaches the medium
    uint32_t misdirected_ppm; // success, but lands at another sector, perhaps of another file
    uint32_t stall_ppm;       // the delay hook is told to stand still
    int64_t stall_min_ns;
    int64_t stall_max_ns;
} vfs_sim_faults_t;

// What happened to the disk so far.
typedef struct {
    uint64_t ops[VFS_SIM_OPS]; // operations begun
    uint64_t changes;          // of them, those that vfs_sim_crash_at counts
    uint64_t bytes_read;
    uint64_t bytes_written;
    uint64_t crashes;
    uint64_t kills;
    uint64_t sectors_old;     // unsynced sectors that a crash took back,
    uint64_t sectors_new;     // kept,
    uint64_t sectors_garbage; // or destroyed
    uint64_t sizes_lost;      // unsynced sizes that a crash took back, in part or whole
    uint64_t names_kept;      // unsynced directory changes that a crash kept
    uint64_t names_lost;      // or lost
    uint64_t read_errors;
    uint64_t read_flips;
    uint64_t read_stales;
    uint64_t write_errors;
    uint64_t sync_errors;
    uint64_t other_errors; // planned failures of other operations
    uint64_t lost_writes;
    uint64_t misdirected_writes;
    uint64_t no_space;
    uint64_t rots;
    uint64_t stalls;
} vfs_sim_counters_t;

// Create an empty disk: a root directory, no faults. env may be NULL; injected faults are logged
// on it at debug level. Borrowed for the life of the disk.
vfs_sim_disk_t *vfs_sim_disk_new (uint64_t seed, const dt_env_t *env);

// Destroy the disk. All mounts must be unmounted (asserted). Accepts a NULL disk.
void vfs_sim_disk_destroy (vfs_sim_disk_t **self_p);

// Copy a disk with everything that is synced and unsynced, but without mounts and plans and with a
// seed of its own: to try many crashes of one state.
vfs_sim_disk_t *vfs_sim_disk_clone (const vfs_sim_disk_t *self, uint64_t seed);

// Set the faults from now on; NULL: none. Copied.
void vfs_sim_set_faults (vfs_sim_disk_t *self, const vfs_sim_faults_t *faults);

// Fail the nth (from 1) operation of this kind from now on with rc, once. 0: forget the plan. A
// failed sync leaves its pages clean, a failed write may be there in part.
void vfs_sim_fail_at (vfs_sim_disk_t *self, vfs_sim_op_t op, uint64_t nth, int rc);

// Stop at the nth (from 1) change from now on: that operation and all later ones of every mount
// return DT_ERR_CLOSED and do nothing, until vfs_sim_crash or vfs_sim_kill. 0: forget the plan.
// Changes are create, rename, unlink, mkdir, rmdir, sync_directory, write, sync, truncate,
// allocate.
void vfs_sim_crash_at (vfs_sim_disk_t *self, uint64_t nth);

// True: the planned crash point was reached and neither crash nor kill was called since.
bool vfs_sim_stopped (const vfs_sim_disk_t *self);

// Cut the power: decide what survived, free the lock, kill all mounts. Their operations
// and those of their files return DT_ERR_CLOSED from then on (close still frees the file).
void vfs_sim_crash (vfs_sim_disk_t *self);

// Kill the processes only: all mounts die as above, the disk's cache stays, unsynced as it was.
void vfs_sim_kill (vfs_sim_disk_t *self);

// Flip the bits of mask in one byte on the medium; the cache shows it as well. DT_ERR_NOT_FOUND:
// no such file, or it is shorter.
int vfs_sim_rot (vfs_sim_disk_t *self, const char *path, uint64_t offset, uint8_t mask);

// Flip one bit of one byte drawn at random of all files whose path starts with prefix (NULL: all)
// and that are not empty. False: there is none. The place is written to path (of path_bytes) and
// *offset; both may be NULL.
bool vfs_sim_rot_random (vfs_sim_disk_t *self, const char *prefix, char *path, size_t path_bytes,
                         uint64_t *offset);

// A number that tells two states (names, sizes and contents as a live process sees them) apart.
uint64_t vfs_sim_digest (const vfs_sim_disk_t *self);

// Bytes taken on the disk, in whole pages of 4096 bytes.
uint64_t vfs_sim_used_bytes (const vfs_sim_disk_t *self);

const vfs_sim_counters_t *vfs_sim_counters (const vfs_sim_disk_t *self);

// Mount the disk for a new process: its vfs sees `root`, a directory that is created (durably) if
// it is missing; "" is the whole disk. delay may be NULL: operations take no time.
vfs_sim_t *vfs_sim_mount (vfs_sim_disk_t *disk, const char *root, vfs_sim_delay_fn *delay,
                          void *context);

// Replace the delay hook of a mount.
void vfs_sim_set_delay (vfs_sim_t *self, vfs_sim_delay_fn *delay, void *context);

// End a mount: frees it and every file still open in it, and its lock. What was not synced stays
// in the disk's cache, as at the end of a process. No fiber may be inside one of its operations.
void vfs_sim_unmount (vfs_sim_t **self_p);

// Kill one mount: it behaves as after vfs_sim_kill, the others live on.
void vfs_sim_kill_mount (vfs_sim_t *self);

// The mount as storage code takes it.
vfs_t *vfs_sim_vfs (vfs_sim_t *self);

// The whole invariant of the disk; asserts.
void vfs_sim_disk_check (const vfs_sim_disk_t *self);

#endif // VFS_SIM_H
