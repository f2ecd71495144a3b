// vfs_sim_names - the directories of a simulated disk and their unsynced changes.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "storage/vfs_sim_internal.h"

void sim_names_deinit (sim_names_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        free (self->entries[i].name);
    }
    free (self->entries);
    memset (self, 0, sizeof *self);
}

void sim_names_copy (sim_names_t *self, const sim_names_t *from)
{
    self->count = from->count;
    self->capacity = from->count;
    self->entries = dt_zalloc (from->count, sizeof *self->entries);
    for (uint32_t i = 0; i < from->count; i++) {
        self->entries[i].name = dt_strdup (from->entries[i].name);
        self->entries[i].node = from->entries[i].node;
    }
}

// The place of a name: of its entry, or where it would stand.
static uint32_t s_place (const sim_names_t *self, const char *name, bool *found)
{
    uint32_t low = 0;
    uint32_t high = self->count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp (self->entries[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t sim_names_find (const sim_names_t *self, const char *name)
{
    bool found;
    uint32_t place = s_place (self, name, &found);
    return found ? self->entries[place].node : SIM_NODE_NONE;
}

void sim_names_set (sim_names_t *self, const char *name, uint32_t node)
{
    bool found;
    uint32_t place = s_place (self, name, &found);
    if (found) {
        self->entries[place].node = node;
        return;
    }
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? self->capacity * 2 : 8;
        self->entries = dt_realloc (self->entries, self->capacity * sizeof *self->entries);
    }
    memmove (self->entries + place + 1, self->entries + place,
             (self->count - place) * sizeof *self->entries);
    self->entries[place].name = dt_strdup (name);
    self->entries[place].node = node;
    self->count++;
}

void sim_names_remove (sim_names_t *self, const char *name)
{
    bool found;
    uint32_t place = s_place (self, name, &found);
    if (!found) {
        return;
    }
    free (self->entries[place].name);
    self->count--;
    memmove (self->entries + place, self->entries + place + 1,
             (self->count - place) * sizeof *self->entries);
}

// Take the next name of a path. False: the path is at its end.
static bool s_next_name (const char **path, char name[SIM_NAME_BYTES_MAX + 1])
{
    for (;;) {
        *path += strspn (*path, "/");
        size_t bytes = strcspn (*path, "/");
        if (bytes == 0) {
            return false;
        }
        dt_assert (bytes <= SIM_NAME_BYTES_MAX);
        memcpy (name, *path, bytes);
        name[bytes] = 0;
        *path += bytes;
        dt_assert (strcmp (name, "..") != 0);
        if (strcmp (name, ".") != 0) {
            return true;
        }
    }
}

static uint32_t s_child (const vfs_sim_disk_t *disk, uint32_t directory, const char *name)
{
    const sim_node_t *node = disk->nodes[directory];
    return node->is_directory ? sim_names_find (&node->now, name) : SIM_NODE_NONE;
}

uint32_t sim_path_node (const vfs_sim_disk_t *disk, uint32_t root, const char *path)
{
    char name[SIM_NAME_BYTES_MAX + 1];
    uint32_t node = root;
    while (node != SIM_NODE_NONE && s_next_name (&path, name)) {
        node = s_child (disk, node, name);
    }
    return node;
}

uint32_t sim_path_parent (const vfs_sim_disk_t *disk, uint32_t root, const char *path,
                          char name[SIM_NAME_BYTES_MAX + 1])
{
    char next[SIM_NAME_BYTES_MAX + 1];
    uint32_t node = root;
    bool any = s_next_name (&path, name);
    dt_assert (any); // the root itself is not to be changed
    while (node != SIM_NODE_NONE && s_next_name (&path, next)) {
        node = s_child (disk, node, name);
        memcpy (name, next, sizeof next);
    }
    return node != SIM_NODE_NONE && disk->nodes[node]->is_directory ? node : SIM_NODE_NONE;
}

void sim_pending_deinit (sim_pending_t *self)
{
    free (self->from_name);
    free (self->to_name);
}

// Make the parts of a change that stand in a directory durable; SIM_NODE_NONE: all parts. A rename
// out of a synced directory is durable at its target too: no file is ever without a name.
static void s_apply (vfs_sim_disk_t *disk, sim_pending_t *pending, uint32_t directory)
{
    bool all = directory == SIM_NODE_NONE || pending->from == directory;
    if (pending->to != SIM_NODE_NONE && (all || pending->to == directory)) {
        sim_names_set (&disk->nodes[pending->to]->durable, pending->to_name, pending->node);
        pending->to = SIM_NODE_NONE;
    }
    if (pending->from != SIM_NODE_NONE && all) {
        sim_names_t *durable = &disk->nodes[pending->from]->durable;
        if (sim_names_find (durable, pending->from_name) == pending->node) {
            sim_names_remove (durable, pending->from_name);
        }
        pending->from = SIM_NODE_NONE;
    }
}

// Forget the changes all of whose parts are durable.
static void s_compact (vfs_sim_disk_t *disk)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < disk->pending_count; i++) {
        sim_pending_t *pending = &disk->pending[i];
        if (pending->from == SIM_NODE_NONE && pending->to == SIM_NODE_NONE) {
            sim_pending_deinit (pending);
        } else {
            disk->pending[left++] = *pending;
        }
    }
    disk->pending_count = left;
}

void sim_pending_add (vfs_sim_disk_t *disk, uint32_t node, uint32_t from, const char *from_name,
                      uint32_t to, const char *to_name)
{
    if (from != SIM_NODE_NONE) {
        sim_names_remove (&disk->nodes[from]->now, from_name);
    }
    if (to != SIM_NODE_NONE) {
        sim_names_set (&disk->nodes[to]->now, to_name, node);
    }
    if (disk->pending_count == SIM_PENDING_MAX) {
        s_apply (disk, &disk->pending[0], SIM_NODE_NONE);
        s_compact (disk);
    }
    if (disk->pending_count == disk->pending_capacity) {
        disk->pending_capacity = disk->pending_capacity ? disk->pending_capacity * 2 : 16;
        disk->pending = dt_realloc (disk->pending, disk->pending_capacity * sizeof *disk->pending);
    }
    disk->pending[disk->pending_count++] = (sim_pending_t){
        .node = node,
        .from = from,
        .to = to,
        .from_name = from == SIM_NODE_NONE ? NULL : dt_strdup (from_name),
        .to_name = to == SIM_NODE_NONE ? NULL : dt_strdup (to_name),
    };
}

static bool s_stands_in (const sim_pending_t *pending, uint32_t directory)
{
    return pending->from == directory || pending->to == directory;
}

void sim_pending_sync (vfs_sim_disk_t *disk, uint32_t directory)
{
    for (uint32_t i = 0; i < disk->pending_count; i++) {
        sim_pending_t *pending = &disk->pending[i];
        if (!pending->lost && s_stands_in (pending, directory)) {
            s_apply (disk, pending, directory);
        }
    }
    s_compact (disk);
    sim_nodes_sweep (disk);
}

void sim_pending_sync_failed (vfs_sim_disk_t *disk, uint32_t directory)
{
    for (uint32_t i = 0; i < disk->pending_count; i++) {
        if (s_stands_in (&disk->pending[i], directory)) {
            disk->pending[i].lost = true;
        }
    }
}

static bool s_uses_name (const sim_pending_t *self, uint32_t directory, const char *name)
{
    return (self->from == directory && strcmp (self->from_name, name) == 0) ||
           (self->to == directory && strcmp (self->to_name, name) == 0);
}

// Two changes that name the same entry keep their order: the later one implies the earlier one.
static bool s_share_name (const sim_pending_t *a, const sim_pending_t *b)
{
    return (a->from != SIM_NODE_NONE && s_uses_name (b, a->from, a->from_name)) ||
           (a->to != SIM_NODE_NONE && s_uses_name (b, a->to, a->to_name));
}

static bool s_implied (const vfs_sim_disk_t *disk, uint32_t index)
{
    for (uint32_t i = index + 1; i < disk->pending_count; i++) {
        if (disk->pending[i].kept && s_share_name (&disk->pending[index], &disk->pending[i])) {
            return true;
        }
    }
    return false;
}

void sim_pending_crash (vfs_sim_disk_t *disk)
{
    for (uint32_t i = disk->pending_count; i-- > 0;) {
        bool drawn = dt_random_chance (&disk->random_crash, 1, 2);
        disk->pending[i].kept = drawn || s_implied (disk, i);
    }
    for (uint32_t i = 0; i < disk->pending_count; i++) {
        if (disk->pending[i].kept) {
            s_apply (disk, &disk->pending[i], SIM_NODE_NONE);
            disk->counters.names_kept++;
        } else {
            disk->counters.names_lost++;
        }
        sim_pending_deinit (&disk->pending[i]);
    }
    disk->pending_count = 0;
    for (uint32_t i = 0; i < disk->node_count; i++) {
        sim_node_t *node = disk->nodes[i];
        if (node && node->is_directory) {
            sim_names_deinit (&node->now);
            sim_names_copy (&node->now, &node->durable);
        }
    }
}
