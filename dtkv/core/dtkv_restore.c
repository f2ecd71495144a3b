// Building a store out of a snapshot stream (format: top of dtkv_record.c).
//
// The stream may be damaged or hostile: every record is judged before it enters the store, nothing
// is allocated for lengths whose bytes have not arrived, and the digest is compared at the end.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_lock.h"
#include "dtkv/core/dtkv_record.h"
#include "dtkv/core/dtkv_result.h"
#include "dtkv/core/dtkv_snapshot.h"
#include "dtkv/core/dtkv_store_private.h"

struct dtkv_restore {
    dtkv_store_t *store; // owned until handed over
    dtkv_header_t header;
    dt_buffer_t pending;        // bytes of a record that is not complete
    dt_buffer_t path;           // of the node read last
    dtkv_directory_t **parents; // owned: parents[d] is where a node of depth d + 1 goes
    uint32_t *parent_bytes;     // owned: length of its path
    uint32_t depth;             // parents known; 0 before the root
    bool lock_empty;            // the last node was a lock: a contender has to come
    dtkv_session_t *session;    // whose replies are being read
    uint64_t seq;               // of the last reply read
    uint32_t replies_left;      // of the session
    uint64_t sessions;          // read so far
    bool header_read;
    bool complete; // the end was read and all is well
    int rc;        // sticky
};

// A record reader returns how many bytes it took, 0 if not all of the record is there yet, or an
// error.
typedef int64_t s_take_t;

dtkv_restore_t *dtkv_restore_new (const dtkv_store_options_t *options)
{
    dtkv_restore_t *self = dt_zalloc (1, sizeof *self);
    self->store = dtkv_store_new (options);
    self->parents = dt_zalloc (DTKV_DEPTH_CEILING + 1, sizeof self->parents[0]);
    self->parent_bytes = dt_zalloc (DTKV_DEPTH_CEILING + 1, sizeof self->parent_bytes[0]);
    return self;
}

void dtkv_restore_destroy (dtkv_restore_t **self_p)
{
    dtkv_restore_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    dtkv_store_destroy (&self->store);
    dt_buffer_deinit (&self->pending);
    dt_buffer_deinit (&self->path);
    free (self->parents);
    free (self->parent_bytes);
    free (self);
}

static s_take_t s_take_header (dtkv_restore_t *self, const uint8_t *data, size_t bytes)
{
    if (bytes < DTKV_HEADER_BYTES) {
        return 0;
    }
    int rc = dtkv_record_read_header (data, &self->header);
    if (rc) {
        return rc;
    }
    self->store->applied_index = self->header.applied_index;
    self->store->history.floor = self->header.applied_index;
    self->store->cluster_time_ms = self->header.cluster_time_ms;
    self->header_read = true;
    return DTKV_HEADER_BYTES;
}

static bool s_sound_lifetime (const dtkv_node_record_t *record)
{
    const dtkv_lifetime_t *lifetime = &record->lifetime;
    bool temporary = record->flags & DTKV_NODE_TEMPORARY;
    if (dtkv_lifetime_ends (lifetime) != temporary || lifetime->ttl_ms > DTKV_TTL_MS_MAX) {
        return false;
    }
    if (!temporary) {
        return lifetime->deadline_ms == 0;
    }
    return record->depth > 0 && (lifetime->ttl_ms || lifetime->deadline_ms == UINT64_MAX);
}

// Of locks only the contenders end.
static bool s_sound_flags (const dtkv_node_record_t *record)
{
    const uint32_t all = DTKV_NODE_DIRECTORY | DTKV_NODE_LOCK | DTKV_NODE_TEMPORARY;
    bool temporary = record->flags & DTKV_NODE_TEMPORARY;
    bool directory = record->flags & DTKV_NODE_DIRECTORY;
    bool lock = record->flags & DTKV_NODE_LOCK;
    return (record->flags & ~all) == 0 && (!lock || (temporary != directory && record->depth > 0));
}

static bool s_sound_node (const dtkv_restore_t *self, const dtkv_node_record_t *record)
{
    bool directory = record->flags & DTKV_NODE_DIRECTORY;
    bool root = self->depth == 0;
    return record->sound && s_sound_flags (record) && root == (record->depth == 0) &&
           (root ? directory : record->depth <= self->depth) &&
           record->depth <= DTKV_DEPTH_CEILING && root == (record->name_bytes == 0) &&
           record->name_bytes <= DTKV_KEY_BYTES_CEILING &&
           record->value_bytes <= DTKV_VALUE_BYTES_CEILING &&
           (!directory || record->value_bytes == 0) && (directory || record->child_version == 0) &&
           root == (record->version == 0) && record->create_index <= record->modify_index &&
           record->modify_index <= self->header.applied_index && s_sound_lifetime (record) &&
           self->session == NULL;
}

// Names rise within a directory.
static bool s_in_order (const dtkv_directory_t *parent, const uint8_t *name, size_t name_bytes)
{
    const dtkv_order_t *children = &parent->children;
    dtkv_position_t position;
    return !dtkv_order_find (children, name, name_bytes, &position) &&
           dtkv_order_at (children, position) == NULL;
}

static void s_set_metadata (dtkv_node_t *node, const dtkv_node_record_t *record)
{
    node->create_index = record->create_index;
    node->modify_index = record->modify_index;
    node->version = record->version;
    node->create_ms = record->create_ms;
    node->modify_ms = record->modify_ms;
    node->writer = record->writer;
    if (record->flags & DTKV_NODE_DIRECTORY) {
        dtkv_node_directory (node)->child_version = record->child_version;
        dtkv_node_directory (node)->changed_index = record->modify_index;
    }
}

static void s_add_root (dtkv_restore_t *self, const dtkv_node_record_t *record)
{
    dtkv_tree_t *tree = &self->store->tree;
    s_set_metadata (&tree->root->node, record);
    dtkv_tree_set_child_version (tree, tree->root, NULL, 0, record->child_version,
                                 record->modify_index);
    self->parents[0] = tree->root;
    self->depth = 1;
}

static int s_add_node (dtkv_restore_t *self, const dtkv_node_record_t *record, const uint8_t *name)
{
    dtkv_directory_t *parent = self->parents[record->depth - 1];
    self->path.bytes = self->parent_bytes[record->depth - 1];
    if (self->path.bytes) {
        dt_buffer_append (&self->path, ".", 1);
    }
    dt_buffer_append (&self->path, name, record->name_bytes);
    if (self->path.bytes > DTKV_KEY_BYTES_CEILING || memchr (name, '.', record->name_bytes) ||
        !s_in_order (parent, name, record->name_bytes) ||
        (dtkv_lifetime_ends (&record->lifetime) && dtkv_tree_temporary_above (parent))) {
        return DT_ERR_CORRUPT;
    }
    if (self->lock_empty && !dtkv_node_is_lock (&parent->node)) {
        return DT_ERR_CORRUPT;
    }
    dtkv_node_t *node;
    self->depth = record->depth;
    if (record->flags & DTKV_NODE_DIRECTORY) {
        node = dtkv_node_new_directory_for (name, record->name_bytes, &record->lifetime);
        self->parents[record->depth] = dtkv_node_directory (node);
        self->parent_bytes[record->depth] = (uint32_t) self->path.bytes;
        self->depth++;
    } else {
        node = dtkv_node_new_value_for (name, record->name_bytes, name + record->name_bytes,
                                        record->value_bytes, &record->lifetime);
    }
    node->flags |= record->flags & DTKV_NODE_LOCK;
    s_set_metadata (node, record);
    if (!dtkv_lock_is_sound (parent, node)) {
        dtkv_node_destroy (&node);
        return DT_ERR_CORRUPT;
    }
    self->lock_empty = (record->flags & DTKV_NODE_LOCK) && (record->flags & DTKV_NODE_DIRECTORY);
    dtkv_tree_attach (&self->store->tree, parent, self->path.data, self->path.bytes, node);
    return 0;
}

static s_take_t s_take_node (dtkv_restore_t *self, const uint8_t *data, size_t bytes)
{
    dtkv_node_record_t record;
    if (bytes < DTKV_NODE_BYTES) {
        return 0;
    }
    dtkv_record_read_node (data, &record);
    if (!s_sound_node (self, &record)) {
        return DT_ERR_CORRUPT;
    }
    size_t whole = DTKV_NODE_BYTES + (size_t) record.name_bytes + record.value_bytes;
    if (bytes < whole) {
        return 0;
    }
    if (record.depth == 0) {
        s_add_root (self, &record);
    } else {
        int rc = s_add_node (self, &record, data + DTKV_NODE_BYTES);
        if (rc) {
            return rc;
        }
    }
    return (s_take_t) whole;
}

static s_take_t s_take_session (dtkv_restore_t *self, const uint8_t *data, size_t bytes)
{
    dtkv_session_record_t record;
    if (bytes < DTKV_SESSION_BYTES) {
        return 0;
    }
    dtkv_record_read_session (data, &record);
    const dtkv_sessions_t *sessions = &self->store->sessions;
    bool sound =
        record.sound && self->depth && record.id > 0 && record.id <= self->header.applied_index &&
        (!sessions->last || sessions->last->id < record.id) && record.ack > 0 &&
        record.ttl_ms >= DTKV_SESSION_TTL_MS_MIN && record.ttl_ms <= DTKV_SESSION_TTL_MS_MAX &&
        record.replies <= DTKV_SESSION_REPLIES_CEILING;
    if (!sound) {
        return DT_ERR_CORRUPT;
    }
    self->session = dtkv_sessions_add (&self->store->sessions, record.id, record.ttl_ms,
                                       record.deadline_ms, record.ack);
    self->replies_left = record.replies;
    self->seq = record.ack - 1;
    self->sessions++;
    return DTKV_SESSION_BYTES;
}

static s_take_t s_take_reply (dtkv_restore_t *self, const uint8_t *data, size_t bytes)
{
    dtkv_kept_reply_t reply;
    if (bytes < DTKV_REPLY_BYTES) {
        return 0;
    }
    dtkv_record_read_reply (data, &reply);
    bool sound = reply.seq > self->seq &&
                 reply.seq - self->session->ack < DTKV_SESSION_REPLIES_CEILING &&
                 reply.index <= self->header.applied_index && reply.code < DTKV_RESULT_COUNT &&
                 reply.bytes <= DTKV_REPLY_BODY_CEILING;
    if (!sound) {
        return DT_ERR_CORRUPT;
    }
    size_t whole = DTKV_REPLY_BYTES + (size_t) reply.bytes;
    if (bytes < whole) {
        return 0;
    }
    const uint8_t *body = data + DTKV_REPLY_BYTES;
    if (reply.bytes == 1 && body[0] == 0xc0) {
        return DT_ERR_CORRUPT; // nil is written as nothing
    }
    dtkv_sessions_keep (&self->store->sessions, self->session, reply.seq, reply.index,
                        (int) reply.code, body, reply.bytes);
    self->seq = reply.seq;
    self->replies_left--;
    return (s_take_t) whole;
}

// Who owns nodes is a session.
static bool s_sound_owners (const dtkv_restore_t *self)
{
    const dtkv_temporaries_t *temporaries = &self->store->tree.temporaries;
    for (uint32_t slot = 0; slot < temporaries->owners_capacity; slot++) {
        uint64_t id = temporaries->owners[slot].id;
        if (id && !dtkv_sessions_find (&self->store->sessions, id, 0)) {
            return false;
        }
    }
    return true;
}

static s_take_t s_take_end (dtkv_restore_t *self, const uint8_t *data, size_t bytes)
{
    if (bytes < DTKV_END_BYTES) {
        return 0;
    }
    uint64_t digest;
    int rc = dtkv_record_read_end (data, &digest);
    if (rc) {
        return rc;
    }
    if (!self->depth || self->sessions != self->header.sessions ||
        self->store->tree.table.nodes != self->header.nodes || !s_sound_owners (self) ||
        digest != dtkv_store_digest (self->store)) {
        return DT_ERR_CORRUPT;
    }
    self->complete = true;
    return DTKV_END_BYTES;
}

static s_take_t s_take (dtkv_restore_t *self, const uint8_t *data, size_t bytes)
{
    if (self->complete) {
        return DT_ERR_CORRUPT; // bytes behind the end
    }
    if (!self->header_read) {
        return s_take_header (self, data, bytes);
    }
    if (self->lock_empty && data[0] != DTKV_RECORD_NODE) {
        return DT_ERR_CORRUPT;
    }
    if (self->replies_left) {
        return s_take_reply (self, data, bytes);
    }
    switch (data[0]) {
    case DTKV_RECORD_NODE:
        return s_take_node (self, data, bytes);
    case DTKV_RECORD_SESSION:
        return s_take_session (self, data, bytes);
    case DTKV_RECORD_END:
        return s_take_end (self, data, bytes);
    default:
        return DT_ERR_CORRUPT;
    }
}

// Take all complete records. Returns the bytes taken; errors go to self->rc.
static size_t s_take_all (dtkv_restore_t *self, const uint8_t *data, size_t bytes)
{
    size_t taken = 0;
    while (taken < bytes) {
        s_take_t step = s_take (self, data + taken, bytes - taken);
        if (step < 0) {
            self->rc = (int) step;
            return taken;
        }
        if (step == 0) {
            return taken;
        }
        taken += (size_t) step;
    }
    return taken;
}

int dtkv_restore_feed (dtkv_restore_t *self, const void *data, size_t bytes)
{
    const uint8_t *place = data;
    while (!self->rc && self->pending.bytes && bytes) {
        // Complete the pending record with a little more at a time, then go on in the input itself.
        size_t more = self->pending.bytes < 4096 ? 4096 : self->pending.bytes;
        more = more < bytes ? more : bytes;
        size_t before = self->pending.bytes;
        dt_buffer_append (&self->pending, place, more);
        size_t taken = s_take_all (self, self->pending.data, self->pending.bytes);
        if (taken > before) {
            // Part of the bytes just added was taken: the rest is in the input.
            place += taken - before;
            bytes -= taken - before;
            dt_buffer_clear (&self->pending);
        } else {
            memmove (self->pending.data, self->pending.data + taken, self->pending.bytes - taken);
            self->pending.bytes -= taken;
            place += more;
            bytes -= more;
        }
    }
    if (!self->rc && bytes) {
        size_t taken = s_take_all (self, place, bytes);
        if (!self->rc) {
            dt_buffer_append (&self->pending, place + taken, bytes - taken);
        }
    }
    return self->rc;
}

uint64_t dtkv_restore_digest (const dtkv_restore_t *self)
{
    return dtkv_store_digest (self->store);
}

int dtkv_restore_finish (dtkv_restore_t *self, dtkv_store_t **store_p)
{
    if (!self->rc && !self->complete) {
        self->rc = DT_ERR_CORRUPT;
    }
    if (self->rc) {
        return self->rc;
    }
    dt_assert (self->store);
    *store_p = self->store;
    self->store = NULL;
    return 0;
}
