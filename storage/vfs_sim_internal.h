// vfs_sim_internal - the parts of the simulated disk: contents of files, names, the disk.
//
// Only vfs_sim*.c include it.

#ifndef VFS_SIM_INTERNAL_H
#define VFS_SIM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_random.h"
#include "storage/vfs_sim.h"

enum {
    SIM_PAGE_BYTES = 4096,
    SIM_PAGE_SECTORS = SIM_PAGE_BYTES / VFS_SIM_SECTOR_BYTES,
    SIM_NAME_BYTES_MAX = 255,
    SIM_PENDING_MAX = 1024, // unsynced changes of names; the oldest becomes durable beyond it
};

#define SIM_NODE_NONE UINT32_MAX

// One page of a file. A sector is in `dirty`, in `lost`, in neither, never in both.
typedef struct {
    uint8_t *data;     // owned: as live processes see it; NULL: zeros
    uint8_t *old;      // owned: as on the medium, while dirty or lost; NULL: zeros
    uint8_t *previous; // owned: as before the last sync, for stale reads; NULL: not kept
    uint8_t dirty;     // sectors that the next sync makes durable
    uint8_t lost;      // sectors that differ from the medium, and no sync will change that
    bool listed;       // in sim_content_t.touched
    bool reserved;     // takes space
} sim_page_t;

typedef struct {
    sim_page_t *pages;     // owned
    uint32_t page_count;   // pages beyond are zeros and take no space
    uint32_t reserved;     // pages that take space
    uint64_t size;         // as live processes see it
    uint64_t durable_size; // at the last sync
    uint32_t *touched;     // owned: pages with dirty or lost sectors
    uint32_t touched_count;
    uint32_t touched_capacity;
} sim_content_t;

typedef struct {
    char *name; // owned
    uint32_t node;
} sim_entry_t;

// A sorted table of names.
typedef struct {
    sim_entry_t *entries; // owned
    uint32_t count;
    uint32_t capacity;
} sim_names_t;

// A file or a directory.
typedef struct {
    bool is_directory;
    bool marked;           // by the sweep of unreachable nodes
    uint32_t opens;        // open files
    sim_content_t content; // of a file
    sim_names_t now;       // of a directory: as live processes see it
    sim_names_t durable;   // of a directory: as after a crash
} sim_node_t;

// An unsynced change of names: from a name, to a name, or both (rename).
typedef struct {
    uint32_t node;
    uint32_t from; // directory; SIM_NODE_NONE: nothing (or durable already)
    uint32_t to;   // directory; SIM_NODE_NONE: nothing (or durable already)
    char *from_name;
    char *to_name;
    bool lost; // its sync failed: no later one makes it durable
    bool kept; // survives the crash
} sim_pending_t;

// A planned failure of a kind of operation.
typedef struct {
    uint64_t nth; // operations until then; 0: none
    int rc;
} sim_plan_t;

typedef struct {
    uint32_t node;          // locked file or directory
    const vfs_sim_t *mount; // who holds it
} sim_lock_t;

struct vfs_sim_disk {
    const dt_env_t *env;
    dt_random_t random_crash;
    dt_random_t random_fault;
    dt_random_t random_order; // effect before or after the delay
    vfs_sim_faults_t faults;
    vfs_sim_counters_t counters;
    sim_plan_t plans[VFS_SIM_OPS];
    uint64_t crash_at; // changes until the planned stop; 0: none
    bool stopped;
    sim_node_t **nodes; // owned; NULL: free slot. Node 0 is the root directory
    uint32_t node_count;
    uint32_t node_capacity;
    uint64_t used_pages;
    sim_pending_t *pending; // owned, oldest first
    uint32_t pending_count;
    uint32_t pending_capacity;
    sim_lock_t *locks; // owned
    uint32_t lock_count;
    vfs_sim_t *mounts; // list
};

// vfs_sim_content.c

void sim_content_deinit (sim_content_t *self);
void sim_content_copy (sim_content_t *self, const sim_content_t *from);

// Pages in [offset, offset + bytes) that do not take space yet.
uint64_t sim_content_missing (const sim_content_t *self, uint64_t offset, uint64_t bytes);
void sim_content_reserve (sim_content_t *self, uint64_t offset, uint64_t bytes);

// Write; reserves the pages. lost: the medium will never see it.
void sim_content_write (sim_content_t *self, const void *data, size_t bytes, uint64_t offset,
                        bool lost);
// Change cache and medium alike, as a misdirected write of the disk itself does. Within size.
void sim_content_overwrite (sim_content_t *self, const void *data, size_t bytes, uint64_t offset);
// Read within size; stale: the sectors' content before their last change or sync.
void sim_content_read (const sim_content_t *self, void *data, size_t bytes, uint64_t offset);
bool sim_content_read_stale (const sim_content_t *self, uint8_t *data, size_t bytes,
                             uint64_t offset);
void sim_content_truncate (sim_content_t *self, uint64_t size);
void sim_content_sync (sim_content_t *self, bool keep_previous);
// The sync fails: some sectors made it, the others are lost, all pages are clean.
void sim_content_sync_failed (sim_content_t *self, dt_random_t *random);
void sim_content_crash (sim_content_t *self, dt_random_t *random, uint32_t garbage_ppm,
                        vfs_sim_counters_t *counters);
void sim_content_rot (sim_content_t *self, uint64_t offset, uint8_t mask);
uint64_t sim_content_hash (const sim_content_t *self, uint64_t seed);
void sim_content_check (const sim_content_t *self);

// vfs_sim_names.c

void sim_names_deinit (sim_names_t *self);
void sim_names_copy (sim_names_t *self, const sim_names_t *from);
uint32_t sim_names_find (const sim_names_t *self, const char *name);
void sim_names_set (sim_names_t *self, const char *name, uint32_t node);
void sim_names_remove (sim_names_t *self, const char *name);

// Resolve a path below the directory `root`. SIM_NODE_NONE: there is none.
uint32_t sim_path_node (const vfs_sim_disk_t *disk, uint32_t root, const char *path);
// Resolve all but the last name, which goes to `name`. SIM_NODE_NONE: no such directory.
uint32_t sim_path_parent (const vfs_sim_disk_t *disk, uint32_t root, const char *path,
                          char name[SIM_NAME_BYTES_MAX + 1]);

// Change names for live processes and remember it as unsynced. from or to may be SIM_NODE_NONE.
void sim_pending_add (vfs_sim_disk_t *disk, uint32_t node, uint32_t from, const char *from_name,
                      uint32_t to, const char *to_name);
void sim_pending_deinit (sim_pending_t *self);
void sim_pending_sync (vfs_sim_disk_t *disk, uint32_t directory);
void sim_pending_sync_failed (vfs_sim_disk_t *disk, uint32_t directory);
void sim_pending_crash (vfs_sim_disk_t *disk);

// vfs_sim_disk.c

uint32_t sim_node_new (vfs_sim_disk_t *disk, bool is_directory);
// Free the nodes that no name, no unsynced change and no open file leads to.
void sim_nodes_sweep (vfs_sim_disk_t *disk);
bool sim_chance (vfs_sim_disk_t *disk, uint32_t ppm);

// A file or directory met on a walk over the whole disk.
typedef struct {
    char *path; // owned; "" for the root
    uint32_t node;
} sim_visit_t;

// Everything that live processes can see, directories before their content, names in order. Free
// with sim_walk_free.
sim_visit_t *sim_walk (const vfs_sim_disk_t *disk, uint32_t *count);
void sim_walk_free (sim_visit_t *visits, uint32_t count);

// vfs_sim.c

// Kill the mounts of the disk and free its locks.
void sim_mounts_kill (vfs_sim_disk_t *disk);

#endif // VFS_SIM_INTERNAL_H
