// How the stream stays what the state was at index S while entries are applied:
//
// The stream passes through the nodes in path order; `passed` is the path it has come to. A node
// that is about to change or go, existed at S, has not changed since S and is not passed yet, is
// copied into the overlay first, an order of such copies by sort key (dtkv_path.h). Next merges the
// two: a node of the tree that has not changed since S is written as it is, one that has is
// skipped, for its copy is in the overlay; nodes created after S are skipped, and so are nodes that
// were moved: their copies are in the overlay under the paths they had. A node may be in
// both, when a batch was taken back: then the copy is written, it is the same. Sessions do the same
// for themselves.

#include "dtkv/core/dtkv_snapshot.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "base/dt_planted.h"
#include "dtkv/core/dtkv_record.h"
#include "dtkv/core/dtkv_store_private.h"
#include "dtkv/core/dtkv_walk.h"

typedef enum {
    STAGE_HEADER,
    STAGE_ROOT,
    STAGE_NODES,
    STAGE_SESSIONS,
    STAGE_END,
    STAGE_DONE,
} s_stage_t;

struct dtkv_snapshot {
    dtkv_store_t *store; // borrowed
    s_stage_t stage;
    dtkv_header_t header;   // of the state shown
    uint64_t digest;        // of the state shown
    dt_buffer_t passed;     // path of the last node the stream has passed
    dt_buffer_t passed_key; // its sort key
    dtkv_order_t overlay;   // owned nodes under their sort keys
    dt_buffer_t key;        // scratch
};

enum {
    // A step looks at one node for so many bytes it may write, so that nodes that are only skipped
    // count too.
    BYTES_PER_NODE = 64,
};

static bool s_unchanged (const dtkv_snapshot_t *self, const dtkv_node_t *node)
{
    uint64_t index = self->header.applied_index;
    if (node->create_index > index || dtkv_node_changed_index (node) > index) {
        return false;
    }
    // What is below a directory that was moved does not show it.
    const dtkv_directory_t *directory =
        dtkv_node_is_directory (node) ? dtkv_node_directory (node) : node->parent;
    while (directory && directory->moved_index <= index) {
        directory = directory->node.parent;
    }
    return !directory;
}

static bool s_passed (const dtkv_snapshot_t *self, const dt_buffer_t *key)
{
    if (self->stage != STAGE_NODES) {
        return self->stage > STAGE_NODES;
    }
    return dtkv_bytes_compare (key->data, key->bytes, self->passed_key.data,
                               self->passed_key.bytes) <= 0;
}

static void s_capture (void *context, const dtkv_node_t *node, const uint8_t *path,
                       size_t path_bytes)
{
    dtkv_snapshot_t *self = context;
    if (!s_unchanged (self, node)) {
        return;
    }
    dt_buffer_clear (&self->key);
    dtkv_path_sort_key (path, path_bytes, &self->key);
    dtkv_position_t position;
    if (s_passed (self, &self->key) ||
        dtkv_order_find (&self->overlay, self->key.data, self->key.bytes, &position)) {
        return;
    }
    dtkv_order_insert (&self->overlay, dtkv_node_copy (node, self->key.data, self->key.bytes));
}

dtkv_snapshot_t *dtkv_snapshot_new (dtkv_store_t *store)
{
    if (store->snapshot) {
        return NULL;
    }
    dtkv_snapshot_t *self = dt_zalloc (1, sizeof *self);
    self->store = store;
    self->header = (dtkv_header_t){
        .applied_index = store->applied_index,
        .cluster_time_ms = store->cluster_time_ms,
        .nodes = store->tree.table.nodes,
        .sessions = dt_planted (DT_PLANTED_SNAPSHOT_WITHOUT_SESSIONS) ? 0 : store->sessions.count,
    };
    self->digest = dtkv_store_digest (store);
    store->snapshot = self;
    store->tree.capture = s_capture;
    store->tree.capture_context = self;
    dtkv_sessions_snapshot_begin (&store->sessions, store->applied_index);
    return self;
}

uint64_t dtkv_snapshot_index (const dtkv_snapshot_t *self)
{
    return self->header.applied_index;
}

// Write and free the overlay's first node.
static void s_write_copy (dtkv_snapshot_t *self, dt_buffer_t *out)
{
    dtkv_node_t *copy = dtkv_order_at (&self->overlay, (dtkv_position_t){0});
    const uint8_t *key = dtkv_node_name (copy);
    uint32_t depth = copy->name_bytes ? 1 : 0;
    uint32_t name = 0;
    for (uint32_t i = 0; i < copy->name_bytes; i++) {
        if (key[i] == 0) {
            depth++;
            name = i + 1;
        }
    }
    uint32_t name_bytes = copy->name_bytes - name;
    dt_buffer_clear (&self->key);
    uint8_t *place = dt_buffer_reserve (&self->key, name_bytes + 1);
    for (uint32_t i = 0; i < name_bytes; i++) {
        place[i] = dtkv_path_unsort_byte (key[name + i]);
    }
    dtkv_record_write_node (copy, depth, place, name_bytes, out);
    dtkv_order_remove (&self->overlay, key, copy->name_bytes);
    dtkv_node_destroy (&copy);
}

// How the overlay's first node stands to the node at `path`: < 0 before it, 0 its copy, > 0 behind
// it or none.
static int s_compare_copy (dtkv_snapshot_t *self, const dt_buffer_t *path)
{
    const dtkv_node_t *copy = dtkv_order_at (&self->overlay, (dtkv_position_t){0});
    if (!copy) {
        return 1;
    }
    dt_buffer_clear (&self->key);
    dtkv_path_sort_key (path->data, path->bytes, &self->key);
    return dtkv_bytes_compare (dtkv_node_name (copy), copy->name_bytes, self->key.data,
                               self->key.bytes);
}

static void s_write_root (dtkv_snapshot_t *self, dt_buffer_t *out)
{
    const dt_buffer_t path = {0};
    if (s_compare_copy (self, &path) == 0) {
        s_write_copy (self, out);
    } else {
        dtkv_record_write_node (&self->store->tree.root->node, 0, (const uint8_t *) "", 0, out);
    }
}

// Pass the walk's node. False: the step is full before it.
static bool s_pass_node (dtkv_snapshot_t *self, const dtkv_walk_t *walk, const dtkv_node_t *node,
                         size_t end, dt_buffer_t *out)
{
    int order;
    while ((order = s_compare_copy (self, &walk->path)) < 0) {
        if (out->bytes >= end) {
            return false;
        }
        s_write_copy (self, out);
    }
    if (out->bytes >= end) {
        return false;
    }
    if (order == 0) {
        s_write_copy (self, out);
    } else if (s_unchanged (self, node)) {
        dtkv_record_write_node (node, walk->count, dtkv_node_name (node), node->name_bytes, out);
    }
    return true;
}

// True when all nodes are passed.
static bool s_next_nodes (dtkv_snapshot_t *self, size_t end, dt_buffer_t *out)
{
    dtkv_walk_t walk;
    bool passed_all = false;
    size_t looks = (end - out->bytes) / BYTES_PER_NODE + 1;
    dtkv_walk_init (&walk, self->store->tree.root, NULL, 0);
    if (self->passed.bytes) {
        dtkv_walk_seek (&walk, self->passed.data, self->passed.bytes);
    }
    // `passed` trails: nothing can change the tree before this step is over.
    dt_buffer_t passed = {0};
    for (;;) {
        const dtkv_node_t *node = dtkv_walk_next (&walk);
        if (!node) {
            passed_all = true;
            break;
        }
        if (!s_pass_node (self, &walk, node, end, out)) {
            break;
        }
        dt_buffer_clear (&passed);
        dt_buffer_append (&passed, walk.path.data, walk.path.bytes);
        if (--looks == 0) {
            break;
        }
    }
    if (passed.bytes) {
        dt_buffer_deinit (&self->passed);
        self->passed = passed;
        dt_buffer_clear (&self->passed_key);
        dtkv_path_sort_key (passed.data, passed.bytes, &self->passed_key);
    }
    dtkv_walk_deinit (&walk);
    while (passed_all && self->overlay.nodes && out->bytes < end) {
        s_write_copy (self, out);
    }
    return passed_all && self->overlay.nodes == 0;
}

void dtkv_snapshot_next (dtkv_snapshot_t *self, size_t bytes_max, dt_buffer_t *out, bool *done)
{
    dt_assert (self->stage != STAGE_DONE);
    size_t end = out->bytes + (bytes_max ? bytes_max : 1);
    if (self->stage == STAGE_HEADER) {
        dtkv_record_write_header (&self->header, out);
        self->stage = STAGE_ROOT;
    }
    if (self->stage == STAGE_ROOT && out->bytes < end) {
        s_write_root (self, out);
        self->stage = STAGE_NODES;
    }
    if (self->stage == STAGE_NODES && out->bytes < end && s_next_nodes (self, end, out)) {
        bool skip = dt_planted (DT_PLANTED_SNAPSHOT_WITHOUT_SESSIONS);
        self->stage = skip ? STAGE_END : STAGE_SESSIONS;
    }
    if (self->stage == STAGE_SESSIONS) {
        while (out->bytes < end && self->stage == STAGE_SESSIONS) {
            if (!dtkv_sessions_snapshot_next (&self->store->sessions, out)) {
                self->stage = STAGE_END;
            }
        }
    }
    if (self->stage == STAGE_END && out->bytes < end) {
        dtkv_record_write_end (self->digest, out);
        self->stage = STAGE_DONE;
    }
    *done = self->stage == STAGE_DONE;
}

void dtkv_snapshot_destroy (dtkv_snapshot_t **self_p)
{
    dtkv_snapshot_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    dtkv_store_t *store = self->store;
    store->snapshot = NULL;
    store->tree.capture = NULL;
    store->tree.capture_context = NULL;
    dtkv_sessions_snapshot_end (&store->sessions);
    dtkv_position_t position = {0};
    for (dtkv_node_t *copy; (copy = dtkv_order_at (&self->overlay, position));) {
        position = dtkv_order_next (&self->overlay, position);
        dtkv_node_destroy (&copy);
    }
    dtkv_order_deinit (&self->overlay);
    dt_buffer_deinit (&self->passed);
    dt_buffer_deinit (&self->passed_key);
    dt_buffer_deinit (&self->key);
    free (self);
}
