// vfs_sim_disk - the simulated disk itself: its nodes, its crashes, its damage.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "storage/vfs_sim_internal.h"

uint32_t sim_node_new (vfs_sim_disk_t *disk, bool is_directory)
{
    uint32_t slot = 0;
    while (slot < disk->node_count && disk->nodes[slot]) {
        slot++;
    }
    if (slot == disk->node_count) {
        if (disk->node_count == disk->node_capacity) {
            disk->node_capacity = disk->node_capacity ? disk->node_capacity * 2 : 16;
            disk->nodes = dt_realloc (disk->nodes, disk->node_capacity * sizeof *disk->nodes);
        }
        disk->node_count++;
    }
    disk->nodes[slot] = dt_zalloc (1, sizeof *disk->nodes[slot]);
    disk->nodes[slot]->is_directory = is_directory;
    return slot;
}

static void s_node_free (vfs_sim_disk_t *disk, uint32_t slot)
{
    sim_node_t *node = disk->nodes[slot];
    disk->used_pages -= node->content.reserved;
    sim_content_deinit (&node->content);
    sim_names_deinit (&node->now);
    sim_names_deinit (&node->durable);
    free (node);
    disk->nodes[slot] = NULL;
}

static void s_seed (vfs_sim_disk_t *self, uint64_t seed)
{
    dt_random_init_stream (&self->random_crash, seed, "disk.crash");
    dt_random_init_stream (&self->random_fault, seed, "disk.fault");
    dt_random_init_stream (&self->random_order, seed, "disk.order");
}

vfs_sim_disk_t *vfs_sim_disk_new (uint64_t seed, const dt_env_t *env)
{
    vfs_sim_disk_t *self = dt_zalloc (1, sizeof *self);
    self->env = env;
    s_seed (self, seed);
    sim_node_new (self, true);
    return self;
}

void vfs_sim_disk_destroy (vfs_sim_disk_t **self_p)
{
    vfs_sim_disk_t *self = *self_p;
    if (!self) {
        return;
    }
    dt_assert (!self->mounts);
    for (uint32_t i = 0; i < self->node_count; i++) {
        if (self->nodes[i]) {
            s_node_free (self, i);
        }
    }
    for (uint32_t i = 0; i < self->pending_count; i++) {
        sim_pending_deinit (&self->pending[i]);
    }
    free (self->pending);
    free (self->nodes);
    free (self->locks);
    free (self);
    *self_p = NULL;
}

static sim_node_t *s_node_copy (const sim_node_t *from)
{
    sim_node_t *node = dt_zalloc (1, sizeof *node);
    node->is_directory = from->is_directory;
    sim_content_copy (&node->content, &from->content);
    sim_names_copy (&node->now, &from->now);
    sim_names_copy (&node->durable, &from->durable);
    return node;
}

vfs_sim_disk_t *vfs_sim_disk_clone (const vfs_sim_disk_t *self, uint64_t seed)
{
    vfs_sim_disk_t *copy = dt_zalloc (1, sizeof *copy);
    copy->env = self->env;
    copy->faults = self->faults;
    copy->used_pages = self->used_pages;
    s_seed (copy, seed);
    copy->node_count = self->node_count;
    copy->node_capacity = self->node_count;
    copy->nodes = dt_zalloc (self->node_count, sizeof *copy->nodes);
    for (uint32_t i = 0; i < self->node_count; i++) {
        copy->nodes[i] = self->nodes[i] ? s_node_copy (self->nodes[i]) : NULL;
    }
    copy->pending_count = self->pending_count;
    copy->pending_capacity = self->pending_count;
    copy->pending = dt_zalloc (self->pending_count, sizeof *copy->pending);
    for (uint32_t i = 0; i < self->pending_count; i++) {
        sim_pending_t *pending = &copy->pending[i];
        *pending = self->pending[i];
        pending->from_name = pending->from_name ? dt_strdup (pending->from_name) : NULL;
        pending->to_name = pending->to_name ? dt_strdup (pending->to_name) : NULL;
    }
    return copy;
}

static void s_mark_names (vfs_sim_disk_t *disk, const sim_names_t *names, uint32_t *stack,
                          uint32_t *depth)
{
    for (uint32_t i = 0; i < names->count; i++) {
        sim_node_t *node = disk->nodes[names->entries[i].node];
        if (!node->marked) {
            node->marked = true;
            stack[(*depth)++] = names->entries[i].node;
        }
    }
}

static void s_mark_root (vfs_sim_disk_t *disk, uint32_t slot, uint32_t *stack, uint32_t *depth)
{
    if (slot != SIM_NODE_NONE && !disk->nodes[slot]->marked) {
        disk->nodes[slot]->marked = true;
        stack[(*depth)++] = slot;
    }
}

void sim_nodes_sweep (vfs_sim_disk_t *disk)
{
    uint32_t *stack = dt_malloc (disk->node_count * sizeof *stack);
    uint32_t depth = 0;
    s_mark_root (disk, 0, stack, &depth);
    for (uint32_t i = 0; i < disk->pending_count; i++) {
        s_mark_root (disk, disk->pending[i].node, stack, &depth);
        s_mark_root (disk, disk->pending[i].from, stack, &depth);
        s_mark_root (disk, disk->pending[i].to, stack, &depth);
    }
    for (uint32_t i = 0; i < disk->lock_count; i++) {
        s_mark_root (disk, disk->locks[i].node, stack, &depth);
    }
    for (uint32_t i = 0; i < disk->node_count; i++) {
        if (disk->nodes[i] && disk->nodes[i]->opens) {
            s_mark_root (disk, i, stack, &depth);
        }
    }
    while (depth) {
        const sim_node_t *node = disk->nodes[stack[--depth]];
        s_mark_names (disk, &node->now, stack, &depth);
        s_mark_names (disk, &node->durable, stack, &depth);
    }
    for (uint32_t i = 0; i < disk->node_count; i++) {
        if (disk->nodes[i] && !disk->nodes[i]->marked) {
            s_node_free (disk, i);
        } else if (disk->nodes[i]) {
            disk->nodes[i]->marked = false;
        }
    }
    free (stack);
}

void vfs_sim_set_faults (vfs_sim_disk_t *self, const vfs_sim_faults_t *faults)
{
    self->faults = faults ? *faults : (vfs_sim_faults_t){0};
}

void vfs_sim_fail_at (vfs_sim_disk_t *self, vfs_sim_op_t op, uint64_t nth, int rc)
{
    dt_assert (op < VFS_SIM_OPS);
    dt_assert (nth == 0 || rc < 0);
    self->plans[op] = (sim_plan_t){.nth = nth, .rc = rc};
}

void vfs_sim_crash_at (vfs_sim_disk_t *self, uint64_t nth)
{
    self->crash_at = nth;
}

bool vfs_sim_stopped (const vfs_sim_disk_t *self)
{
    return self->stopped;
}

bool sim_chance (vfs_sim_disk_t *disk, uint32_t ppm)
{
    return ppm && dt_random_chance (&disk->random_fault, ppm, 1000000);
}

void vfs_sim_kill (vfs_sim_disk_t *self)
{
    sim_mounts_kill (self);
    self->counters.kills++;
    self->stopped = false;
    self->crash_at = 0;
}

void vfs_sim_crash (vfs_sim_disk_t *self)
{
    sim_mounts_kill (self);
    self->counters.crashes++;
    self->stopped = false;
    self->crash_at = 0;
    sim_pending_crash (self);
    self->used_pages = 0;
    for (uint32_t i = 0; i < self->node_count; i++) {
        sim_node_t *node = self->nodes[i];
        if (node) {
            sim_content_crash (&node->content, &self->random_crash, self->faults.garbage_ppm,
                               &self->counters);
            self->used_pages += node->content.reserved;
        }
    }
    sim_nodes_sweep (self);
}

static void s_visit (sim_visit_t **visits, uint32_t *count, char *path, uint32_t node)
{
    *visits = dt_realloc (*visits, (*count + 1) * sizeof **visits);
    (*visits)[(*count)++] = (sim_visit_t){.path = path, .node = node};
}

static char *s_join (const char *directory, const char *name)
{
    size_t bytes = strlen (directory);
    size_t name_bytes = strlen (name);
    char *path = dt_malloc (bytes + name_bytes + 2);
    memcpy (path, directory, bytes);
    if (bytes) {
        path[bytes++] = '/';
    }
    memcpy (path + bytes, name, name_bytes + 1);
    return path;
}

sim_visit_t *sim_walk (const vfs_sim_disk_t *disk, uint32_t *count)
{
    sim_visit_t *visits = NULL;
    *count = 0;
    s_visit (&visits, count, dt_strdup (""), 0);
    for (uint32_t i = 0; i < *count; i++) {
        const sim_names_t *names = &disk->nodes[visits[i].node]->now;
        for (uint32_t j = 0; j < names->count; j++) {
            char *path = s_join (visits[i].path, names->entries[j].name);
            s_visit (&visits, count, path, names->entries[j].node);
        }
    }
    return visits;
}

void sim_walk_free (sim_visit_t *visits, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free (visits[i].path);
    }
    free (visits);
}

int vfs_sim_rot (vfs_sim_disk_t *self, const char *path, uint64_t offset, uint8_t mask)
{
    uint32_t slot = sim_path_node (self, 0, path);
    if (slot == SIM_NODE_NONE || offset >= self->nodes[slot]->content.size) {
        return DT_ERR_NOT_FOUND;
    }
    sim_content_rot (&self->nodes[slot]->content, offset, mask);
    self->counters.rots++;
    return 0;
}

bool vfs_sim_rot_random (vfs_sim_disk_t *self, const char *prefix, char *path, size_t path_bytes,
                         uint64_t *offset)
{
    uint32_t count;
    uint64_t total = 0;
    sim_visit_t *visits = sim_walk (self, &count);
    size_t prefix_bytes = prefix ? strlen (prefix) : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp (visits[i].path, prefix ? prefix : "", prefix_bytes) == 0) {
            total += self->nodes[visits[i].node]->content.size;
        }
    }
    uint64_t at = total ? dt_random_below (&self->random_fault, total) : 0;
    for (uint32_t i = 0; total && i < count; i++) {
        sim_content_t *content = &self->nodes[visits[i].node]->content;
        if (strncmp (visits[i].path, prefix ? prefix : "", prefix_bytes) != 0) {
            continue;
        }
        if (at >= content->size) {
            at -= content->size;
            continue;
        }
        sim_content_rot (content, at, (uint8_t) (1u << dt_random_below (&self->random_fault, 8)));
        self->counters.rots++;
        if (path) {
            dt_assert (strlen (visits[i].path) < path_bytes);
            memcpy (path, visits[i].path, strlen (visits[i].path) + 1);
        }
        if (offset) {
            *offset = at;
        }
        break;
    }
    sim_walk_free (visits, count);
    return total > 0;
}

uint64_t vfs_sim_digest (const vfs_sim_disk_t *self)
{
    uint32_t count;
    uint64_t hash = 0;
    sim_visit_t *visits = sim_walk (self, &count);
    for (uint32_t i = 0; i < count; i++) {
        const sim_node_t *node = self->nodes[visits[i].node];
        hash = dt_hash64 (visits[i].path, strlen (visits[i].path) + 1, hash);
        hash = node->is_directory ? dt_hash_mix (hash) : sim_content_hash (&node->content, hash);
    }
    sim_walk_free (visits, count);
    return hash;
}

uint64_t vfs_sim_used_bytes (const vfs_sim_disk_t *self)
{
    return self->used_pages * SIM_PAGE_BYTES;
}

const vfs_sim_counters_t *vfs_sim_counters (const vfs_sim_disk_t *self)
{
    return &self->counters;
}

static void s_names_check (const vfs_sim_disk_t *self, const sim_names_t *names)
{
    for (uint32_t i = 0; i < names->count; i++) {
        dt_assert (names->entries[i].node < self->node_count);
        dt_assert (self->nodes[names->entries[i].node]);
        dt_assert (i == 0 || strcmp (names->entries[i - 1].name, names->entries[i].name) < 0);
    }
}

void vfs_sim_disk_check (const vfs_sim_disk_t *self)
{
    uint64_t reserved = 0;
    for (uint32_t i = 0; i < self->node_count; i++) {
        const sim_node_t *node = self->nodes[i];
        if (!node) {
            continue;
        }
        sim_content_check (&node->content);
        s_names_check (self, &node->now);
        s_names_check (self, &node->durable);
        dt_assert (!node->is_directory || node->content.size == 0);
        reserved += node->content.reserved;
    }
    dt_assert (reserved == self->used_pages);
    for (uint32_t i = 0; i < self->pending_count; i++) {
        dt_assert (self->nodes[self->pending[i].node]);
    }
}
