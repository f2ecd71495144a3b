// vfs_sim - mounts of the simulated disk: each operation with its delay, its faults, its effect.
//
// An operation is s_begin, the effect in one piece, s_end. The delay hook runs in one of the two,
// drawn by chance, so an operation in flight at a crash has or has not taken effect; only after
// s_end does its caller know. Nothing found before s_begin returned is used after it.

#include "storage/vfs_sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "storage/vfs_sim_internal.h"

typedef struct sim_file sim_file_t;

struct vfs_sim {
    vfs_t base;
    vfs_sim_disk_t *disk;
    vfs_sim_t *next; // in disk->mounts
    sim_file_t *files;
    vfs_sim_delay_fn *delay;
    void *context;
    uint32_t root;
    bool dead;
};

struct sim_file {
    vfs_file_t base;
    vfs_sim_t *mount;
    sim_file_t *next; // in mount->files
    uint32_t node;
    bool writable;
};

// One operation on its way.
typedef struct {
    vfs_sim_t *mount;
    vfs_sim_op_t op;
    uint64_t bytes;
    int64_t stall_ns;
    bool late; // the effect comes after the delay
    int fault; // the planned failure; 0: none
} sim_call_t;

static const vfs_ops_t s_ops;

static bool s_dead (const vfs_sim_t *self)
{
    return self->dead || self->disk->stopped;
}

static bool s_is_change (vfs_sim_op_t op)
{
    return op != VFS_SIM_OPEN && op != VFS_SIM_LIST && op != VFS_SIM_READ;
}

static int s_planned_fault (vfs_sim_disk_t *disk, vfs_sim_op_t op)
{
    sim_plan_t *plan = &disk->plans[op];
    return plan->nth && --plan->nth == 0 ? plan->rc : 0;
}

// Count one operation; DT_ERR_CLOSED: the mount is dead or the planned crash point is here.
static int s_count (vfs_sim_t *self, vfs_sim_op_t op)
{
    vfs_sim_disk_t *disk = self->disk;
    if (s_dead (self)) {
        return DT_ERR_CLOSED;
    }
    disk->counters.ops[op]++;
    if (s_is_change (op)) {
        disk->counters.changes++;
        if (disk->crash_at && --disk->crash_at == 0) {
            disk->stopped = true;
            return DT_ERR_CLOSED;
        }
    }
    return 0;
}

static int s_delay (sim_call_t *call)
{
    if (call->mount->delay) {
        call->mount->delay (call->mount->context, call->op, call->bytes, call->stall_ns);
    }
    return s_dead (call->mount) ? DT_ERR_CLOSED : 0;
}

static int s_begin (sim_call_t *call, vfs_sim_t *self, vfs_sim_op_t op, uint64_t bytes)
{
    vfs_sim_disk_t *disk = self->disk;
    *call = (sim_call_t){.mount = self, .op = op, .bytes = bytes};
    int rc = s_count (self, op);
    if (rc) {
        return rc;
    }
    call->fault = s_planned_fault (disk, op);
    if (sim_chance (disk, disk->faults.stall_ppm)) {
        call->stall_ns =
            (int64_t) dt_random_between (&disk->random_fault, (uint64_t) disk->faults.stall_min_ns,
                                         (uint64_t) disk->faults.stall_max_ns);
        disk->counters.stalls++;
    }
    call->late = self->delay && dt_random_chance (&disk->random_order, 1, 2);
    return call->late ? s_delay (call) : 0;
}

static int s_end (sim_call_t *call, int rc)
{
    if (!call->late) {
        int died = s_delay (call);
        return died ? died : rc;
    }
    return rc;
}

// Note an injected fault.
static int s_fault (vfs_sim_t *self, uint64_t *counter, const char *what, int rc)
{
    (*counter)++;
    if (self->disk->env) {
        dt_log_debug (self->disk->env, "vfs_sim", "injected: %s", what);
    }
    return rc;
}

static sim_node_t *s_node (const vfs_sim_t *self, uint32_t slot)
{
    return self->disk->nodes[slot];
}

static vfs_sim_t *s_self (vfs_t *vfs)
{
    return (vfs_sim_t *) vfs;
}

static sim_file_t *s_file (vfs_file_t *file)
{
    return (sim_file_t *) file;
}

static void s_truncate_node (vfs_sim_t *self, sim_node_t *node, uint64_t bytes)
{
    uint64_t before = node->content.reserved;
    sim_content_truncate (&node->content, bytes);
    self->disk->used_pages += node->content.reserved;
    self->disk->used_pages -= before;
}

// Find or make the file that open is about.
static int s_open_node (vfs_sim_t *self, const char *path, int flags, uint32_t *slot)
{
    char name[SIM_NAME_BYTES_MAX + 1];
    uint32_t found = sim_path_node (self->disk, self->root, path);
    if (found != SIM_NODE_NONE) {
        if (s_node (self, found)->is_directory) {
            return DT_ERR_IO;
        }
        if ((flags & VFS_CREATE) && !(flags & VFS_TRUNCATE)) {
            return DT_ERR_EXISTS;
        }
        if (flags & VFS_TRUNCATE) {
            s_truncate_node (self, s_node (self, found), 0);
        }
        *slot = found;
        return 0;
    }
    if (!(flags & VFS_CREATE)) {
        return DT_ERR_NOT_FOUND;
    }
    uint32_t parent = sim_path_parent (self->disk, self->root, path, name);
    if (parent == SIM_NODE_NONE) {
        return DT_ERR_NOT_FOUND;
    }
    *slot = sim_node_new (self->disk, false);
    sim_pending_add (self->disk, *slot, SIM_NODE_NONE, NULL, parent, name);
    return 0;
}

static int s_open (vfs_t *vfs, const char *path, int flags, vfs_file_t **file)
{
    vfs_sim_t *self = s_self (vfs);
    dt_assert (!(flags & VFS_CREATE) || (flags & VFS_WRITE));
    dt_assert (!(flags & VFS_TRUNCATE) || (flags & VFS_CREATE));
    sim_call_t call;
    uint32_t slot = SIM_NODE_NONE;
    int rc = s_begin (&call, self, flags & VFS_CREATE ? VFS_SIM_CREATE : VFS_SIM_OPEN, 0);
    if (rc) {
        return rc;
    }
    rc = call.fault ? s_fault (self, &self->disk->counters.other_errors, "open", call.fault)
                    : s_open_node (self, path, flags, &slot);
    if (rc) {
        return s_end (&call, rc);
    }
    sim_file_t *opened = dt_zalloc (1, sizeof *opened);
    opened->base.ops = &s_ops;
    opened->mount = self;
    opened->node = slot;
    opened->writable = flags & VFS_WRITE;
    opened->next = self->files;
    self->files = opened;
    s_node (self, slot)->opens++;
    rc = s_end (&call, 0);
    if (rc == 0) {
        *file = &opened->base;
    }
    return rc;
}

// The file's node may go when no name leads to it.
static void s_let_go (sim_file_t *file)
{
    if (file->node != SIM_NODE_NONE) {
        s_node (file->mount, file->node)->opens--;
        file->node = SIM_NODE_NONE;
    }
}

static int s_close (vfs_file_t *base)
{
    sim_file_t *file = s_file (base);
    vfs_sim_t *self = file->mount;
    sim_file_t **link = &self->files;
    while (*link != file) {
        dt_assert (*link);
        link = &(*link)->next;
    }
    *link = file->next;
    s_let_go (file);
    free (file);
    return s_dead (self) ? DT_ERR_CLOSED : 0;
}

static int s_rename_effect (vfs_sim_t *self, const char *from, const char *to)
{
    char from_name[SIM_NAME_BYTES_MAX + 1];
    char to_name[SIM_NAME_BYTES_MAX + 1];
    uint32_t from_parent = sim_path_parent (self->disk, self->root, from, from_name);
    uint32_t to_parent = sim_path_parent (self->disk, self->root, to, to_name);
    if (from_parent == SIM_NODE_NONE || to_parent == SIM_NODE_NONE) {
        return DT_ERR_NOT_FOUND;
    }
    uint32_t slot = sim_names_find (&s_node (self, from_parent)->now, from_name);
    uint32_t replaced = sim_names_find (&s_node (self, to_parent)->now, to_name);
    if (slot == SIM_NODE_NONE) {
        return DT_ERR_NOT_FOUND;
    }
    if (slot == replaced) {
        return 0;
    }
    if (replaced != SIM_NODE_NONE &&
        (s_node (self, replaced)->is_directory || s_node (self, slot)->is_directory)) {
        return DT_ERR_EXISTS;
    }
    sim_pending_add (self->disk, slot, from_parent, from_name, to_parent, to_name);
    return 0;
}

static int s_rename (vfs_t *vfs, const char *from, const char *to)
{
    vfs_sim_t *self = s_self (vfs);
    sim_call_t call;
    int rc = s_begin (&call, self, VFS_SIM_RENAME, 0);
    if (rc) {
        return rc;
    }
    rc = call.fault ? s_fault (self, &self->disk->counters.other_errors, "rename", call.fault)
                    : s_rename_effect (self, from, to);
    return s_end (&call, rc);
}

static int s_remove_effect (vfs_sim_t *self, const char *path, bool directory)
{
    char name[SIM_NAME_BYTES_MAX + 1];
    uint32_t parent = sim_path_parent (self->disk, self->root, path, name);
    uint32_t slot = parent == SIM_NODE_NONE ? SIM_NODE_NONE
                                            : sim_names_find (&s_node (self, parent)->now, name);
    if (slot == SIM_NODE_NONE) {
        return DT_ERR_NOT_FOUND;
    }
    if (s_node (self, slot)->is_directory != directory) {
        return DT_ERR_IO;
    }
    if (s_node (self, slot)->now.count) {
        return DT_ERR_EXISTS;
    }
    sim_pending_add (self->disk, slot, parent, name, SIM_NODE_NONE, NULL);
    return 0;
}

static int s_remove (vfs_t *vfs, const char *path, vfs_sim_op_t op)
{
    vfs_sim_t *self = s_self (vfs);
    sim_call_t call;
    int rc = s_begin (&call, self, op, 0);
    if (rc) {
        return rc;
    }
    rc = call.fault ? s_fault (self, &self->disk->counters.other_errors, "unlink", call.fault)
                    : s_remove_effect (self, path, op == VFS_SIM_RMDIR);
    return s_end (&call, rc);
}

static int s_unlink (vfs_t *vfs, const char *path)
{
    return s_remove (vfs, path, VFS_SIM_UNLINK);
}

static int s_rmdir (vfs_t *vfs, const char *path)
{
    return s_remove (vfs, path, VFS_SIM_RMDIR);
}

static int s_mkdir_effect (vfs_sim_t *self, const char *path)
{
    char name[SIM_NAME_BYTES_MAX + 1];
    uint32_t slot = sim_path_node (self->disk, self->root, path);
    if (slot != SIM_NODE_NONE) {
        return s_node (self, slot)->is_directory ? 0 : DT_ERR_EXISTS;
    }
    uint32_t parent = sim_path_parent (self->disk, self->root, path, name);
    if (parent == SIM_NODE_NONE) {
        return DT_ERR_NOT_FOUND;
    }
    slot = sim_node_new (self->disk, true);
    sim_pending_add (self->disk, slot, SIM_NODE_NONE, NULL, parent, name);
    return 0;
}

static int s_mkdir (vfs_t *vfs, const char *path)
{
    vfs_sim_t *self = s_self (vfs);
    sim_call_t call;
    int rc = s_begin (&call, self, VFS_SIM_MKDIR, 0);
    if (rc) {
        return rc;
    }
    rc = call.fault ? s_fault (self, &self->disk->counters.other_errors, "mkdir", call.fault)
                    : s_mkdir_effect (self, path);
    return s_end (&call, rc);
}

static bool s_sync_fails (vfs_sim_t *self, const sim_call_t *call)
{
    return call->fault || sim_chance (self->disk, self->disk->faults.sync_error_ppm);
}

static int s_sync_directory (vfs_t *vfs, const char *path)
{
    vfs_sim_t *self = s_self (vfs);
    sim_call_t call;
    int rc = s_begin (&call, self, VFS_SIM_SYNC_DIRECTORY, 0);
    if (rc) {
        return rc;
    }
    uint32_t slot = sim_path_node (self->disk, self->root, path);
    if (slot == SIM_NODE_NONE) {
        rc = DT_ERR_NOT_FOUND;
    } else if (s_sync_fails (self, &call)) {
        sim_pending_sync_failed (self->disk, slot);
        rc = s_fault (self, &self->disk->counters.sync_errors, "sync of a directory",
                      call.fault ? call.fault : DT_ERR_IO);
    } else {
        sim_pending_sync (self->disk, slot);
    }
    return s_end (&call, rc);
}

static int s_list (vfs_t *vfs, const char *path, vfs_list_fn *fn, void *argument)
{
    vfs_sim_t *self = s_self (vfs);
    sim_call_t call;
    int rc = s_begin (&call, self, VFS_SIM_LIST, 0);
    if (rc) {
        return rc;
    }
    uint32_t slot = sim_path_node (self->disk, self->root, path);
    bool found = slot != SIM_NODE_NONE && s_node (self, slot)->is_directory;
    sim_names_t names = {0};
    bool *is_directory = NULL;
    if (call.fault) {
        rc = s_fault (self, &self->disk->counters.other_errors, "list", call.fault);
    } else if (!found) {
        rc = DT_ERR_NOT_FOUND;
    } else {
        // A copy: the callback may change the directory.
        sim_names_copy (&names, &s_node (self, slot)->now);
        is_directory = dt_zalloc (names.count, sizeof *is_directory);
        for (uint32_t i = 0; i < names.count; i++) {
            is_directory[i] = s_node (self, names.entries[i].node)->is_directory;
        }
    }
    rc = s_end (&call, rc);
    for (uint32_t i = 0; rc == 0 && i < names.count; i++) {
        fn (argument, names.entries[i].name, is_directory[i]);
    }
    sim_names_deinit (&names);
    free (is_directory);
    return rc;
}

static int s_lock (vfs_t *vfs, const char *path)
{
    vfs_sim_t *self = s_self (vfs);
    vfs_sim_disk_t *disk = self->disk;
    if (s_dead (self)) {
        return DT_ERR_CLOSED;
    }
    uint32_t slot = sim_path_node (disk, self->root, path);
    if (slot == SIM_NODE_NONE) {
        return DT_ERR_NOT_FOUND;
    }
    for (uint32_t i = 0; i < disk->lock_count; i++) {
        if (disk->locks[i].node == slot) {
            return disk->locks[i].mount == self ? 0 : DT_ERR_IN_USE;
        }
    }
    disk->locks = dt_realloc (disk->locks, (disk->lock_count + 1) * sizeof *disk->locks);
    disk->locks[disk->lock_count++] = (sim_lock_t){.node = slot, .mount = self};
    return 0;
}

static void s_unlock (vfs_sim_disk_t *disk, const vfs_sim_t *mount)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < disk->lock_count; i++) {
        if (disk->locks[i].mount != mount) {
            disk->locks[left++] = disk->locks[i];
        }
    }
    disk->lock_count = left;
}

static int s_free_bytes (vfs_t *vfs, uint64_t *bytes)
{
    vfs_sim_t *self = s_self (vfs);
    uint64_t capacity = self->disk->faults.capacity_bytes;
    uint64_t used = self->disk->used_pages * SIM_PAGE_BYTES;
    if (s_dead (self)) {
        return DT_ERR_CLOSED;
    }
    if (capacity == 0) {
        *bytes = UINT64_C (1) << 50;
    } else {
        *bytes = used < capacity ? capacity - used : 0;
    }
    return 0;
}

static int s_read_effect (sim_file_t *file, uint8_t *buffer, size_t bytes, uint64_t offset,
                          size_t *got)
{
    vfs_sim_t *self = file->mount;
    vfs_sim_disk_t *disk = self->disk;
    const sim_content_t *content = &s_node (self, file->node)->content;
    uint64_t left = offset < content->size ? content->size - offset : 0;
    size_t run = bytes < left ? bytes : (size_t) left;
    sim_content_read (content, buffer, run, offset);
    if (run && sim_chance (disk, disk->faults.read_flip_ppm)) {
        buffer[dt_random_below (&disk->random_fault, run)] ^=
            (uint8_t) (1u << dt_random_below (&disk->random_fault, 8));
        s_fault (self, &disk->counters.read_flips, "bit flipped in a read", 0);
    }
    if (run && sim_chance (disk, disk->faults.read_stale_ppm)) {
        uint64_t at = dt_random_below (&disk->random_fault, run);
        uint64_t in_sector = (offset + at) % VFS_SIM_SECTOR_BYTES;
        at -= in_sector < at ? in_sector : at; // a sector is stale as a whole
        if (sim_content_read_stale (content, buffer + at, run - (size_t) at, offset + at)) {
            s_fault (self, &disk->counters.read_stales, "stale sector read", 0);
        }
    }
    disk->counters.bytes_read += run;
    *got = run;
    return 0;
}

static int s_read (vfs_file_t *base, void *buffer, size_t bytes, uint64_t offset, size_t *got)
{
    sim_file_t *file = s_file (base);
    vfs_sim_disk_t *disk = file->mount->disk;
    sim_call_t call;
    size_t run = 0;
    int rc = s_begin (&call, file->mount, VFS_SIM_READ, bytes);
    if (rc) {
        return rc;
    }
    if (call.fault || sim_chance (disk, disk->faults.read_error_ppm)) {
        rc = s_fault (file->mount, &disk->counters.read_errors, "read",
                      call.fault ? call.fault : DT_ERR_IO);
    } else {
        rc = s_read_effect (file, buffer, bytes, offset, &run);
    }
    rc = s_end (&call, rc);
    if (rc == 0) {
        *got = run;
    }
    return rc;
}

// Pages that can still be taken.
static uint64_t s_free_pages (const vfs_sim_disk_t *disk)
{
    uint64_t capacity = disk->faults.capacity_bytes / SIM_PAGE_BYTES;
    if (disk->faults.capacity_bytes == 0) {
        return UINT64_MAX;
    }
    return disk->used_pages < capacity ? capacity - disk->used_pages : 0;
}

static void s_write_content (vfs_sim_t *self, uint32_t slot, const void *data, size_t bytes,
                             uint64_t offset, bool lost)
{
    sim_content_t *content = &s_node (self, slot)->content;
    uint64_t before = content->reserved;
    sim_content_write (content, data, bytes, offset, lost);
    self->disk->used_pages += content->reserved - before;
    self->disk->counters.bytes_written += bytes;
}

// The disk writes to a wrong place: at a sector of any file that has some content.
static void s_misdirect (vfs_sim_t *self, const void *data, size_t bytes)
{
    vfs_sim_disk_t *disk = self->disk;
    uint32_t start = (uint32_t) dt_random_below (&disk->random_fault, disk->node_count);
    for (uint32_t i = 0; i < disk->node_count; i++) {
        sim_node_t *node = disk->nodes[(start + i) % disk->node_count];
        if (!node || node->content.size < VFS_SIM_SECTOR_BYTES) {
            continue;
        }
        uint64_t sectors = node->content.size / VFS_SIM_SECTOR_BYTES;
        uint64_t offset = dt_random_below (&disk->random_fault, sectors) * VFS_SIM_SECTOR_BYTES;
        uint64_t room = node->content.size - offset;
        sim_content_overwrite (&node->content, data, bytes < room ? bytes : (size_t) room, offset);
        return;
    }
}

static int s_write_effect (sim_file_t *file, int fault, const void *buffer, size_t bytes,
                           uint64_t offset)
{
    vfs_sim_t *self = file->mount;
    vfs_sim_disk_t *disk = self->disk;
    const sim_content_t *content = &s_node (self, file->node)->content;
    if (fault || sim_chance (disk, disk->faults.write_error_ppm)) {
        // Whole first sectors: that is what a disk writes, or not.
        uint64_t end = offset + (bytes ? dt_random_below (&disk->random_fault, bytes) : 0);
        end -= end % VFS_SIM_SECTOR_BYTES;
        size_t part = end > offset ? (size_t) (end - offset) : 0;
        if (sim_content_missing (content, offset, part) <= s_free_pages (disk)) {
            s_write_content (self, file->node, buffer, part, offset, false);
        }
        return s_fault (self, &disk->counters.write_errors, "write", fault ? fault : DT_ERR_IO);
    }
    if (sim_content_missing (content, offset, bytes) > s_free_pages (disk)) {
        return s_fault (self, &disk->counters.no_space, "no space for a write", DT_ERR_NO_SPACE);
    }
    bool lost = sim_chance (disk, disk->faults.lost_write_ppm);
    if (lost) {
        s_fault (self, &disk->counters.lost_writes, "write lost", 0);
    } else if (sim_chance (disk, disk->faults.misdirected_ppm)) {
        s_fault (self, &disk->counters.misdirected_writes, "write misdirected", 0);
        s_misdirect (self, buffer, bytes);
        lost = true;
    }
    s_write_content (self, file->node, buffer, bytes, offset, lost);
    return 0;
}

static int s_write (vfs_file_t *base, const void *buffer, size_t bytes, uint64_t offset)
{
    sim_file_t *file = s_file (base);
    dt_assert (file->writable);
    sim_call_t call;
    int rc = s_begin (&call, file->mount, VFS_SIM_WRITE, bytes);
    if (rc) {
        return rc;
    }
    return s_end (&call, s_write_effect (file, call.fault, buffer, bytes, offset));
}

static int s_sync_effect (sim_file_t *file, const sim_call_t *call)
{
    vfs_sim_disk_t *disk = file->mount->disk;
    sim_content_t *content = &s_node (file->mount, file->node)->content;
    if (s_sync_fails (file->mount, call)) {
        sim_content_sync_failed (content, &disk->random_fault);
        return s_fault (file->mount, &disk->counters.sync_errors, "sync",
                        call->fault ? call->fault : DT_ERR_IO);
    }
    sim_content_sync (content, disk->faults.read_stale_ppm > 0);
    return 0;
}

static int s_sync (vfs_file_t *base)
{
    sim_file_t *file = s_file (base);
    sim_call_t call;
    int rc = s_begin (&call, file->mount, VFS_SIM_SYNC, 0);
    if (rc) {
        return rc;
    }
    return s_end (&call, s_sync_effect (file, &call));
}

// One trip, so one delay; two changes, so that a crash can fall between them.
static int s_write_sync (vfs_file_t *base, const void *buffer, size_t bytes, uint64_t offset)
{
    sim_file_t *file = s_file (base);
    dt_assert (file->writable);
    vfs_sim_disk_t *disk = file->mount->disk;
    int rc = s_count (file->mount, VFS_SIM_WRITE);
    if (rc) {
        return rc;
    }
    rc = s_write_effect (file, s_planned_fault (disk, VFS_SIM_WRITE), buffer, bytes, offset);
    sim_call_t call;
    int begun = s_begin (&call, file->mount, VFS_SIM_SYNC, bytes);
    if (begun) {
        return begun;
    }
    return s_end (&call, rc ? rc : s_sync_effect (file, &call));
}

static int s_size (vfs_file_t *base, uint64_t *bytes)
{
    sim_file_t *file = s_file (base);
    if (s_dead (file->mount)) {
        return DT_ERR_CLOSED;
    }
    *bytes = s_node (file->mount, file->node)->content.size;
    return 0;
}

static int s_truncate (vfs_file_t *base, uint64_t bytes)
{
    sim_file_t *file = s_file (base);
    dt_assert (file->writable);
    sim_call_t call;
    int rc = s_begin (&call, file->mount, VFS_SIM_TRUNCATE, 0);
    if (rc) {
        return rc;
    }
    if (call.fault) {
        rc = s_fault (file->mount, &file->mount->disk->counters.other_errors, "truncate",
                      call.fault);
    } else {
        s_truncate_node (file->mount, s_node (file->mount, file->node), bytes);
    }
    return s_end (&call, rc);
}

static int s_allocate (vfs_file_t *base, uint64_t bytes)
{
    sim_file_t *file = s_file (base);
    vfs_sim_disk_t *disk = file->mount->disk;
    dt_assert (file->writable);
    sim_call_t call;
    int rc = s_begin (&call, file->mount, VFS_SIM_ALLOCATE, 0);
    if (rc) {
        return rc;
    }
    sim_content_t *content = &s_node (file->mount, file->node)->content;
    uint64_t missing = sim_content_missing (content, 0, bytes);
    if (call.fault) {
        rc = s_fault (file->mount, &disk->counters.other_errors, "allocate", call.fault);
    } else if (missing > s_free_pages (disk)) {
        rc = s_fault (file->mount, &disk->counters.no_space, "no space to allocate",
                      DT_ERR_NO_SPACE);
    } else {
        sim_content_reserve (content, 0, bytes);
        disk->used_pages += missing;
        if (bytes > content->size) {
            sim_content_truncate (content, bytes);
        }
    }
    return s_end (&call, rc);
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

// Find or make the directory a mount sees as its root.
static uint32_t s_mount_root (vfs_sim_disk_t *disk, const char *root)
{
    uint32_t slot = sim_path_node (disk, 0, root);
    if (slot == SIM_NODE_NONE) {
        char name[SIM_NAME_BYTES_MAX + 1];
        uint32_t parent = sim_path_parent (disk, 0, root, name);
        dt_assert (parent != SIM_NODE_NONE);
        slot = sim_node_new (disk, true);
        sim_names_set (&disk->nodes[parent]->now, name, slot);
        sim_names_set (&disk->nodes[parent]->durable, name, slot);
    }
    dt_assert (disk->nodes[slot]->is_directory);
    return slot;
}

vfs_sim_t *vfs_sim_mount (vfs_sim_disk_t *disk, const char *root, vfs_sim_delay_fn *delay,
                          void *context)
{
    vfs_sim_t *self = dt_zalloc (1, sizeof *self);
    self->base.ops = &s_ops;
    self->disk = disk;
    self->delay = delay;
    self->context = context;
    self->root = s_mount_root (disk, root);
    self->next = disk->mounts;
    disk->mounts = self;
    return self;
}

void vfs_sim_set_delay (vfs_sim_t *self, vfs_sim_delay_fn *delay, void *context)
{
    self->delay = delay;
    self->context = context;
}

void vfs_sim_unmount (vfs_sim_t **self_p)
{
    vfs_sim_t *self = *self_p;
    if (!self) {
        return;
    }
    while (self->files) {
        s_close (&self->files->base);
    }
    vfs_sim_t **link = &self->disk->mounts;
    while (*link != self) {
        dt_assert (*link);
        link = &(*link)->next;
    }
    *link = self->next;
    s_unlock (self->disk, self);
    free (self);
    *self_p = NULL;
}

void vfs_sim_kill_mount (vfs_sim_t *self)
{
    self->dead = true;
    for (sim_file_t *file = self->files; file; file = file->next) {
        s_let_go (file);
    }
    s_unlock (self->disk, self);
}

void sim_mounts_kill (vfs_sim_disk_t *disk)
{
    for (vfs_sim_t *mount = disk->mounts; mount; mount = mount->next) {
        vfs_sim_kill_mount (mount);
    }
}

vfs_t *vfs_sim_vfs (vfs_sim_t *self)
{
    return &self->base;
}
