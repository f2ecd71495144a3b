#include "tests/dtkv/kv_model.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_lock.h"
#include "dtkv/core/dtkv_operation.h"
#include "dtkv/core/dtkv_result.h"
#include "tests/dtkv/kv_model_txn.h"
#include "transport/msgpack_writer.h"

typedef struct {
    uint8_t *path;
    size_t path_bytes;
    bool directory;
    uint8_t *value;
    size_t value_bytes;
    uint64_t create_index, modify_index, version, child_version, create_ms, modify_ms, writer;
    uint64_t owner, ttl_ms, deadline_ms; // 0 of a permanent one
    bool lock;                           // a lock, or a contender:
    uint64_t holds, mode, token, lease_ms, permits;
    size_t lock_value_bytes; // the last of its value
} s_node_t;

typedef struct {
    uint64_t seq, index;
    int code;
    dt_buffer_t body;
} s_reply_t;

typedef struct {
    uint64_t id, ttl_ms, deadline_ms, ack;
    s_reply_t *replies;
    size_t count;
} s_session_t;

struct kv_model {
    dtkv_limits_t limits;
    s_node_t *nodes; // in path order, the root first
    size_t count;
    s_session_t *sessions; // in order of id
    size_t session_count;
    uint64_t time_ms;
    // Of the request being carried out.
    const log_entry_t *entry;
    uint64_t parents_left;
    uint64_t removals_left;
    bool creates_temporary;    // what put and mkdir create is, and
    uint64_t owner, ttl_ms;    // lives so long; 0: for ever
    bool transaction;          // in one
    size_t transaction_before; // bytes of its reply before the operation's
    size_t reply_before;       // bytes of the reply that come before an item's node
    size_t reply_end;          // the reply must not grow beyond by a previous node; 0: no limit
};

// Paths.

static int s_path_order (const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes)
{
    for (size_t i = 0;; i++) {
        if (i == a_bytes || i == b_bytes) {
            return (a_bytes > i) - (b_bytes > i);
        }
        if (a[i] != b[i]) {
            int left = a[i] == '.' ? -1 : a[i];
            int right = b[i] == '.' ? -1 : b[i];
            return left < right ? -1 : 1;
        }
    }
}

static bool s_below (const s_node_t *node, const uint8_t *path, size_t bytes)
{
    if (bytes == 0) {
        return node->path_bytes > 0;
    }
    return node->path_bytes > bytes && memcmp (node->path, path, bytes) == 0 &&
           node->path[bytes] == '.';
}

static size_t s_parent_bytes (const uint8_t *path, size_t bytes)
{
    while (bytes > 0 && path[bytes - 1] != '.') {
        bytes--;
    }
    return bytes ? bytes - 1 : 0;
}

static int s_check_path (const kv_model_t *self, msgpack_slice_t path)
{
    if (path.bytes > self->limits.key_bytes_max) {
        return DTKV_KEY_TOO_LONG;
    }
    size_t segments = path.bytes ? 1 : 0;
    size_t length = 0;
    for (size_t i = 0; i < path.bytes; i++) {
        if (path.data[i] != '.') {
            length++;
        } else if (length == 0) {
            return DTKV_INVALID_KEY;
        } else {
            segments++;
            length = 0;
        }
    }
    if (path.bytes && length == 0) {
        return DTKV_INVALID_KEY;
    }
    return segments > self->limits.depth_max ? DTKV_KEY_TOO_LONG : 0;
}

// Nodes.

static size_t s_place (const kv_model_t *self, const uint8_t *path, size_t bytes)
{
    size_t i = 0;
    while (i < self->count &&
           s_path_order (self->nodes[i].path, self->nodes[i].path_bytes, path, bytes) < 0) {
        i++;
    }
    return i;
}

static s_node_t *s_find (const kv_model_t *self, const uint8_t *path, size_t bytes)
{
    size_t i = s_place (self, path, bytes);
    if (i < self->count && self->nodes[i].path_bytes == bytes &&
        (bytes == 0 || memcmp (self->nodes[i].path, path, bytes) == 0)) {
        return &self->nodes[i];
    }
    return NULL;
}

static void s_node_free (s_node_t *node)
{
    free (node->path);
    free (node->value);
}

static void s_add (kv_model_t *self, const uint8_t *path, size_t bytes, bool directory,
                   msgpack_slice_t value)
{
    size_t i = s_place (self, path, bytes);
    self->nodes = dt_realloc (self->nodes, (self->count + 1) * sizeof self->nodes[0]);
    memmove (self->nodes + i + 1, self->nodes + i, (self->count - i) * sizeof self->nodes[0]);
    self->count++;
    self->nodes[i] = (s_node_t){
        .path = dt_memdup (path, bytes),
        .path_bytes = bytes,
        .directory = directory,
        .value = dt_memdup (value.data, value.bytes),
        .value_bytes = value.bytes,
        .create_index = self->entry->index,
        .modify_index = self->entry->index,
        .version = 1,
        .create_ms = self->entry->wall_ms,
        .modify_ms = self->entry->wall_ms,
        .writer = self->entry->principal,
    };
    s_find (self, path, s_parent_bytes (path, bytes))->child_version++;
}

static size_t s_count_below (const kv_model_t *self, const uint8_t *path, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        count += s_below (&self->nodes[i], path, bytes);
    }
    return count;
}

static void s_cut (kv_model_t *self, const uint8_t *path, size_t bytes)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        s_node_t *node = &self->nodes[i];
        bool self_or_below = s_below (node, path, bytes) ||
                             (node->path_bytes == bytes && memcmp (node->path, path, bytes) == 0);
        if (self_or_below) {
            s_node_free (node);
        } else {
            self->nodes[kept++] = *node;
        }
    }
    self->count = kept;
    s_find (self, path, s_parent_bytes (path, bytes))->child_version++;
}

static bool s_temporary (const s_node_t *node)
{
    return node->owner || node->ttl_ms;
}

// The path, or the next above it that exists and is temporary; NULL if none is.
static s_node_t *s_temporary_above (const kv_model_t *self, const uint8_t *path, size_t bytes)
{
    for (;; bytes = s_parent_bytes (path, bytes)) {
        s_node_t *node = s_find (self, path, bytes);
        if (node && s_temporary (node)) {
            return node;
        }
        if (bytes == 0) {
            return NULL;
        }
    }
}

static bool s_may_change (const kv_model_t *self, const s_node_t *node)
{
    return node->owner == 0 || node->owner == self->entry->session_id;
}

static void s_set_lifetime (kv_model_t *self, s_node_t *node, uint64_t owner, uint64_t ttl_ms)
{
    node->owner = owner;
    node->ttl_ms = ttl_ms;
    node->deadline_ms = ttl_ms ? self->time_ms + ttl_ms : owner ? UINT64_MAX : 0;
}

static void s_stamp (const kv_model_t *self, s_node_t *node)
{
    node->modify_index = self->entry->index;
    node->modify_ms = self->entry->wall_ms;
    node->writer = self->entry->principal;
    node->version++;
}

static void s_cut_node (kv_model_t *self, size_t i)
{
    uint8_t *path = dt_memdup (self->nodes[i].path, self->nodes[i].path_bytes);
    s_cut (self, path, self->nodes[i].path_bytes);
    free (path);
}

// Replies.

static int s_nil (dt_buffer_t *body, int code)
{
    msgpack_write_nil (body);
    return code;
}

static void s_write_node (const s_node_t *node, uint64_t flags, dt_buffer_t *body)
{
    msgpack_write_array (body, flags & DTKV_FLAG_META ? 3 : 2);
    msgpack_write_uint (body, (node->directory ? 1 : 0) + (node->lock ? 2 : 0) +
                                  (s_temporary (node) ? 4 : 0));
    if (node->directory) {
        msgpack_write_nil (body);
    } else {
        msgpack_write_bin (body, node->value, (uint32_t) node->value_bytes);
    }
    if (flags & DTKV_FLAG_META) {
        uint64_t meta[9] = {node->create_index,  node->modify_index, node->version,
                            node->child_version, node->create_ms,    node->modify_ms,
                            node->writer,        node->owner,        node->ttl_ms};
        msgpack_write_array (body, 9);
        for (int i = 0; i < 9; i++) {
            msgpack_write_uint (body, meta[i]);
        }
    }
}

static bool s_previous (const kv_model_t *self, const s_node_t *node, uint64_t flags,
                        dt_buffer_t *body)
{
    if (!(flags & DTKV_FLAG_PREVIOUS)) {
        msgpack_write_nil (body);
        return true;
    }
    if (self->reply_end && self->reply_before + node->value_bytes > self->reply_end) {
        return false;
    }
    s_write_node (node, flags, body);
    return true;
}

// Writes of one path.

static int s_make_room (kv_model_t *self, msgpack_slice_t path, uint64_t flags)
{
    size_t parent = s_parent_bytes (path.data, path.bytes);
    size_t have = parent;
    size_t missing = 0;
    while (!s_find (self, path.data, have)) {
        have = s_parent_bytes (path.data, have);
        missing++;
    }
    if (missing && !(flags & DTKV_FLAG_PARENTS)) {
        return DTKV_PARENT_DIR_NOT_EXISTS;
    }
    if (!s_find (self, path.data, have)->directory) {
        return DTKV_PARENT_NOT_DIR;
    }
    if (s_find (self, path.data, have)->lock) {
        return DTKV_PARENT_IS_LOCK;
    }
    const s_node_t *temporary = s_temporary_above (self, path.data, have);
    if (temporary && self->creates_temporary) {
        return DTKV_UNDER_TEMP_DIR;
    }
    if (temporary && s_count_below (self, temporary->path, temporary->path_bytes) + missing + 1 >
                         self->limits.batch_items_max) {
        return DTKV_BATCH_TOO_LARGE;
    }
    if (missing > self->parents_left) {
        return DTKV_BATCH_TOO_LARGE;
    }
    self->parents_left -= missing;
    for (size_t i = have + 1; i <= parent; i++) {
        if (path.data[i] == '.') {
            s_add (self, path.data, i, true, (msgpack_slice_t){0});
        }
    }
    return 0;
}

// Put or mkdir (value NULL) under a name made of the parent's child version.
static int s_sequential (kv_model_t *self, msgpack_slice_t base, const msgpack_slice_t *value,
                         uint64_t flags, dt_buffer_t *body)
{
    if (base.bytes == 0 || base.bytes + 20 > self->limits.key_bytes_max) {
        return s_nil (body, base.bytes == 0 ? DTKV_INVALID_KEY : DTKV_KEY_TOO_LONG);
    }
    int code = s_make_room (self, base, flags);
    if (code) {
        return s_nil (body, code);
    }
    size_t parent = s_parent_bytes (base.data, base.bytes);
    uint64_t number = s_find (self, base.data, parent)->child_version + 1;
    uint8_t path[DTKV_KEY_BYTES_CEILING];
    memcpy (path, base.data, base.bytes);
    for (size_t i = 20; i-- > 0; number /= 10) {
        path[base.bytes + i] = (uint8_t) ('0' + number % 10);
    }
    size_t bytes = base.bytes + 20;
    const s_node_t *there = s_find (self, path, bytes);
    if (there) {
        return s_nil (body, there->directory ? DTKV_DIR_EXISTS : DTKV_VALUE_EXISTS);
    }
    s_add (self, path, bytes, !value, value ? *value : (msgpack_slice_t){0});
    s_set_lifetime (self, s_find (self, path, bytes), self->owner, self->ttl_ms);
    msgpack_write_bin (body, path, (uint32_t) bytes);
    return DTKV_SUCCESS;
}

static int s_put (kv_model_t *self, msgpack_slice_t path, msgpack_slice_t value, uint64_t flags,
                  dt_buffer_t *body)
{
    if (flags & DTKV_FLAG_SEQUENTIAL) {
        return s_sequential (self, path, &value, flags, body);
    }
    s_node_t *node = s_find (self, path.data, path.bytes);
    if (!node) {
        int code = s_make_room (self, path, flags);
        if (!code) {
            s_add (self, path.data, path.bytes, false, value);
            s_set_lifetime (self, s_find (self, path.data, path.bytes), self->owner, self->ttl_ms);
        }
        return s_nil (body, code);
    }
    if (node->lock) {
        return s_nil (body, DTKV_IS_LOCK_NODE);
    }
    if (node->directory) {
        return s_nil (body, DTKV_DIR_EXISTS);
    }
    if (s_temporary (node)) {
        if (!(flags & (DTKV_FLAG_KEEP_TTL | DTKV_FLAG_CONVERT))) {
            return s_nil (body, DTKV_IS_TEMP_NODE);
        }
        if (!s_may_change (self, node)) {
            return s_nil (body, DTKV_NOT_OWNER);
        }
    }
    if (!s_previous (self, node, flags, body)) {
        return s_nil (body, DTKV_BATCH_TOO_LARGE);
    }
    free (node->value);
    node->value = dt_memdup (value.data, value.bytes);
    node->value_bytes = value.bytes;
    s_stamp (self, node);
    if (flags & DTKV_FLAG_CONVERT) {
        s_set_lifetime (self, node, 0, 0);
    }
    return DTKV_SUCCESS_OVERWRITE;
}

static int s_mkdir (kv_model_t *self, msgpack_slice_t path, uint64_t flags, dt_buffer_t *body)
{
    if (flags & DTKV_FLAG_SEQUENTIAL) {
        return s_sequential (self, path, NULL, flags, body);
    }
    s_node_t *node = s_find (self, path.data, path.bytes);
    if (node && node->lock) {
        return s_nil (body, DTKV_IS_LOCK_NODE);
    }
    if (node && node->directory && s_temporary (node)) {
        if (!(flags & DTKV_FLAG_CONVERT)) {
            return s_nil (body, DTKV_IS_TEMP_NODE);
        }
        if (!s_may_change (self, node)) {
            return s_nil (body, DTKV_NOT_OWNER);
        }
        s_stamp (self, node);
        s_set_lifetime (self, node, 0, 0);
        return s_nil (body, DTKV_SUCCESS_OVERWRITE);
    }
    if (node) {
        return s_nil (body, node->directory ? DTKV_DIR_EXISTS : DTKV_VALUE_EXISTS);
    }
    int code = s_make_room (self, path, flags);
    if (!code) {
        s_add (self, path.data, path.bytes, true, (msgpack_slice_t){0});
        s_set_lifetime (self, s_find (self, path.data, path.bytes), self->owner, self->ttl_ms);
    }
    return s_nil (body, code);
}

// Would what is created at a path end with a temporary directory?
static bool s_ends (const kv_model_t *self, msgpack_slice_t path)
{
    size_t have = path.bytes;
    do {
        have = s_parent_bytes (path.data, have);
    } while (!s_find (self, path.data, have));
    return s_find (self, path.data, have)->directory && s_temporary_above (self, path.data, have);
}

// Move: every node of the subtree taken out and put in again under its new path.
static int s_move (kv_model_t *self, msgpack_slice_t from, msgpack_slice_t to, uint64_t flags)
{
    const s_node_t *node = s_find (self, from.data, from.bytes);
    const s_node_t *there = s_find (self, to.data, to.bytes);
    const s_node_t target = {.path = (uint8_t *) to.data, .path_bytes = to.bytes};
    if (from.bytes == 0 || !node) {
        return from.bytes == 0 ? DTKV_INVALID_KEY : DTKV_NOT_FOUND;
    }
    if (s_below (&target, from.data, from.bytes)) {
        return DTKV_INVALID_KEY;
    }
    if (there) {
        return there->directory ? DTKV_DIR_EXISTS : DTKV_VALUE_EXISTS;
    }
    size_t count = s_count_below (self, from.data, from.bytes) + 1;
    if (count > self->removals_left) {
        return DTKV_BATCH_TOO_LARGE;
    }
    size_t first = (size_t) (node - self->nodes);
    s_node_t *moved = dt_zalloc (count, sizeof moved[0]);
    int code = 0;
    for (size_t i = 0; i < count; i++) {
        const s_node_t *old = &self->nodes[first + i];
        moved[i] = *old;
        moved[i].path_bytes = old->path_bytes - from.bytes + to.bytes;
        moved[i].path = dt_zalloc (1, moved[i].path_bytes);
        memcpy (moved[i].path, to.data, to.bytes);
        memcpy (moved[i].path + to.bytes, old->path + from.bytes, old->path_bytes - from.bytes);
        moved[i].value = dt_memdup (old->value, old->value_bytes);
        int wrong = s_check_path (self, (msgpack_slice_t){moved[i].path, moved[i].path_bytes});
        if (!wrong && (old->lock || s_temporary (old))) {
            wrong = old->lock ? DTKV_IS_LOCK_NODE : DTKV_IS_TEMP_NODE;
        }
        code = code ? code : wrong;
    }
    if (!code && s_ends (self, to)) {
        code = DTKV_UNDER_TEMP_DIR;
    }
    code = code ? code : s_make_room (self, to, flags);
    if (code) {
        for (size_t i = 0; i < count; i++) {
            s_node_free (&moved[i]);
        }
        free (moved);
        return code;
    }
    self->removals_left -= count;
    s_cut (self, from.data, from.bytes);
    moved[0].modify_index = self->entry->index;
    moved[0].modify_ms = self->entry->wall_ms;
    moved[0].writer = self->entry->principal;
    for (size_t i = 0; i < count; i++) {
        // s_add counts the parent's child version up: right for the first only.
        s_node_t *parent =
            s_find (self, moved[i].path, s_parent_bytes (moved[i].path, moved[i].path_bytes));
        uint64_t child_version = parent->child_version;
        s_add (self, moved[i].path, moved[i].path_bytes, moved[i].directory, (msgpack_slice_t){0});
        s_node_t *added = s_find (self, moved[i].path, moved[i].path_bytes);
        s_node_free (added);
        *added = moved[i];
        s_find (self, moved[i].path, s_parent_bytes (moved[i].path, moved[i].path_bytes))
            ->child_version = i == 0 ? child_version + 1 : child_version;
    }
    free (moved);
    return DTKV_SUCCESS;
}

static int s_increment (kv_model_t *self, msgpack_slice_t path, int64_t delta, uint64_t flags,
                        dt_buffer_t *body)
{
    const s_node_t *node = s_find (self, path.data, path.bytes);
    __int128 number = 0;
    if (node && (node->lock || node->directory)) {
        return s_nil (body, node->lock ? DTKV_IS_LOCK_NODE : DTKV_DIR_EXISTS);
    }
    if (node) {
        size_t sign = node->value_bytes > 0 && node->value[0] == '-';
        bool fits = node->value_bytes > sign;
        for (size_t i = sign; i < node->value_bytes && fits; i++) {
            number = number * 10 + (node->value[i] - '0');
            fits = node->value[i] >= '0' && node->value[i] <= '9' && number <= (__int128) 1 << 63;
        }
        number = sign ? -number : number;
        if (!fits || number > INT64_MAX) {
            return s_nil (body, DTKV_NOT_A_COUNTER);
        }
    }
    number += delta;
    if (number > INT64_MAX || number < INT64_MIN) {
        return s_nil (body, DTKV_NOT_A_COUNTER);
    }
    dt_buffer_t text = {0};
    dt_buffer_t ignored = {0};
    dt_buffer_printf (&text, "%lld", (long long) number);
    int code = DTKV_VALUE_TOO_LONG;
    if (text.bytes <= self->limits.value_bytes_max) {
        code = s_put (self, path, (msgpack_slice_t){text.data, text.bytes}, flags & 257, &ignored);
    }
    if (code == DTKV_SUCCESS || code == DTKV_SUCCESS_OVERWRITE) {
        code = DTKV_SUCCESS;
        msgpack_write_array (body, 1);
        msgpack_write_int (body, (int64_t) number);
    } else {
        msgpack_write_nil (body);
    }
    dt_buffer_deinit (&text);
    dt_buffer_deinit (&ignored);
    return code;
}

static bool s_lock_below (const kv_model_t *self, msgpack_slice_t path)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->nodes[i].lock && s_below (&self->nodes[i], path.data, path.bytes)) {
            return true;
        }
    }
    return false;
}

static int s_remove (kv_model_t *self, msgpack_slice_t path, uint64_t flags, dt_buffer_t *body)
{
    if (path.bytes == 0) {
        return s_nil (body, DTKV_INVALID_KEY);
    }
    const s_node_t *node = s_find (self, path.data, path.bytes);
    if (!node) {
        return s_nil (body, DTKV_NOT_FOUND);
    }
    if (node->lock) {
        return s_nil (body, DTKV_IS_LOCK_NODE);
    }
    if (!s_may_change (self, node)) {
        return s_nil (body, DTKV_NOT_OWNER);
    }
    size_t below = s_count_below (self, path.data, path.bytes);
    if (below && !(flags & DTKV_FLAG_RECURSIVE)) {
        return s_nil (body, DTKV_HAS_CHILDREN);
    }
    uint64_t cost = below ? below + 1 : 0;
    if (cost <= self->removals_left && s_lock_below (self, path)) {
        return s_nil (body, DTKV_IS_LOCK_NODE);
    }
    if (cost > self->removals_left || !s_previous (self, node, flags, body)) {
        return s_nil (body, DTKV_BATCH_TOO_LARGE);
    }
    self->removals_left -= cost;
    s_cut (self, path.data, path.bytes);
    return DTKV_SUCCESS;
}

typedef struct {
    uint64_t flags;
    msgpack_slice_t path, to, value, expected, after;
    int64_t delta;
    uint64_t condition, number, items_max, bytes_max;
    bool value_nil, must_be_absent;
    uint64_t mode, wait_ms, lease_ms, permits;
    const kv_object_t *items;
    const kv_object_t *body; // transaction
} s_request_t;

// Temporary nodes.

static size_t s_owned_by (const kv_model_t *self, uint64_t owner)
{
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++) {
        count += self->nodes[i].owner == owner;
    }
    return count;
}

// May an existing node get another lifetime? 0, or why not.
static int s_may_renew (const kv_model_t *self, const s_node_t *node, uint64_t flags)
{
    if (s_temporary (node)) {
        return s_may_change (self, node) ? 0 : DTKV_NOT_OWNER;
    }
    if (!(flags & DTKV_FLAG_CONVERT)) {
        return DTKV_NOT_TEMP_NODE;
    }
    if (node->path_bytes == 0) {
        return DTKV_INVALID_KEY;
    }
    return s_temporary_above (self, node->path, node->path_bytes) ? DTKV_UNDER_TEMP_DIR : 0;
}

static int s_may_end (const kv_model_t *self, const s_node_t *directory)
{
    if (s_count_below (self, directory->path, directory->path_bytes) >
        self->limits.batch_items_max) {
        return DTKV_BATCH_TOO_LARGE;
    }
    msgpack_slice_t path = {directory->path, directory->path_bytes};
    if (s_lock_below (self, path)) {
        return DTKV_IS_LOCK_NODE;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (s_temporary (&self->nodes[i]) &&
            s_below (&self->nodes[i], directory->path, directory->path_bytes)) {
            return DTKV_IS_TEMP_NODE;
        }
    }
    return 0;
}

// Whom a node of `owner` would belong to.
static int s_new_owner (const kv_model_t *self, const s_request_t *request, uint64_t *owner)
{
    uint64_t session = self->entry->session_id;
    if (!(request->flags & DTKV_FLAG_OWNED)) {
        return 0;
    }
    if (!session) {
        return DTKV_SESSION_UNKNOWN;
    }
    if (*owner != session && s_owned_by (self, session) >= self->limits.session_nodes_max) {
        return DTKV_TOO_MANY_OWNED;
    }
    *owner = session;
    return 0;
}

static int s_temp (kv_model_t *self, const s_request_t *request, bool directory, dt_buffer_t *body)
{
    msgpack_slice_t path = request->path;
    s_node_t *node =
        request->flags & DTKV_FLAG_SEQUENTIAL ? NULL : s_find (self, path.data, path.bytes);
    if (node && node->lock) {
        return s_nil (body, DTKV_IS_LOCK_NODE);
    }
    if (node && node->directory != directory) {
        return s_nil (body, directory ? DTKV_VALUE_EXISTS : DTKV_DIR_EXISTS);
    }
    uint64_t owner = node ? node->owner : 0;
    bool renews = node && s_temporary (node);
    int code = node ? s_may_renew (self, node, request->flags) : 0;
    if (!code && node && directory && !renews) {
        code = s_may_end (self, node);
    }
    if (!code) {
        code = s_new_owner (self, request, &owner);
    }
    if (code) {
        return s_nil (body, code);
    }
    if (!node) {
        self->creates_temporary = true;
        self->owner = owner;
        self->ttl_ms = request->number;
        code = directory ? s_mkdir (self, path, request->flags, body)
                         : s_put (self, path, request->value, request->flags, body);
        self->creates_temporary = false;
        self->owner = self->ttl_ms = 0;
        return code;
    }
    if (directory) {
        msgpack_write_nil (body);
    } else if (!s_previous (self, node, request->flags, body)) {
        return s_nil (body, DTKV_BATCH_TOO_LARGE);
    } else {
        free (node->value);
        node->value = dt_memdup (request->value.data, request->value.bytes);
        node->value_bytes = request->value.bytes;
    }
    s_set_lifetime (self, node, owner, request->number);
    if (directory && renews) {
        return DTKV_DIR_EXISTS;
    }
    s_stamp (self, node);
    return DTKV_SUCCESS_OVERWRITE;
}

static int s_update_ttl (kv_model_t *self, const s_request_t *request, dt_buffer_t *body)
{
    s_node_t *node = s_find (self, request->path.data, request->path.bytes);
    if (node && node->lock) {
        return s_nil (body, DTKV_IS_LOCK_NODE);
    }
    if (!node || !s_temporary (node)) {
        return s_nil (body, node ? DTKV_NOT_TEMP_NODE : DTKV_NOT_FOUND);
    }
    if (!s_may_change (self, node)) {
        return s_nil (body, DTKV_NOT_OWNER);
    }
    if (request->number == 0 && !node->owner) {
        return s_nil (body, DTKV_INVALID_TTL);
    }
    s_set_lifetime (self, node, node->owner, request->number);
    msgpack_write_array (body, 1);
    msgpack_write_uint (body, request->number);
    return DTKV_SUCCESS;
}

// Locks.

static bool s_session_lives (const kv_model_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->session_count; i++) {
        if (self->sessions[i].id == id) {
            return self->sessions[i].deadline_ms > self->time_ms;
        }
    }
    return false;
}

static bool s_is_contender (const s_node_t *node, const uint8_t *path, size_t bytes)
{
    return node->lock && !node->directory && s_below (node, path, bytes);
}

static void s_contender_value (s_node_t *node, const uint8_t *value, size_t bytes)
{
    dt_buffer_t out = {0};
    msgpack_write_array (&out, 6);
    msgpack_write_uint (&out, node->holds);
    msgpack_write_uint (&out, node->mode);
    msgpack_write_uint (&out, node->token);
    msgpack_write_uint (&out, node->lease_ms);
    msgpack_write_uint (&out, node->permits);
    msgpack_write_bin (&out, value, (uint32_t) bytes);
    free (node->value);
    node->value = out.data;
    node->value_bytes = out.bytes;
    node->lock_value_bytes = bytes;
}

// Who holds the lock at a path, if all of them hold together, and whether `next` may too.
static bool s_may_hold (const kv_model_t *self, const uint8_t *path, size_t bytes,
                        const s_node_t *next)
{
    uint64_t holders = 0;
    bool shared = true;
    for (size_t i = 0; i < self->count; i++) {
        const s_node_t *node = &self->nodes[i];
        if (s_is_contender (node, path, bytes) && node->holds) {
            holders++;
            shared &= node->mode == 1;
        }
    }
    return holders == 0 || (next->mode == 1 && shared) ||
           (next->mode == 2 && holders < next->permits);
}

// After somebody left: those who waited longest are given the lock as long as it can be given.
static void s_promote (kv_model_t *self, const uint8_t *path, size_t bytes)
{
    for (size_t i = 0; i < self->count; i++) {
        s_node_t *node = &self->nodes[i];
        if (!s_is_contender (node, path, bytes) || node->holds) {
            continue;
        }
        if (!s_session_lives (self, node->owner)) {
            s_cut_node (self, i);
            i = 0; // from the start; the root is no contender
            continue;
        }
        if (!s_may_hold (self, path, bytes, node)) {
            break;
        }
        dt_buffer_t value = {0};
        dt_buffer_append (&value, node->value + node->value_bytes - node->lock_value_bytes,
                          node->lock_value_bytes);
        node->holds = 1;
        node->token = self->entry->index;
        s_contender_value (node, value.data, value.bytes);
        dt_buffer_deinit (&value);
        s_stamp (self, node);
        s_set_lifetime (self, node, node->owner, node->lease_ms);
    }
    if (s_count_below (self, path, bytes) == 0) {
        s_cut (self, path, bytes);
    }
}

// Remove any node that ends; a contender gives way to the next.
static void s_end_node (kv_model_t *self, size_t i)
{
    bool lock = self->nodes[i].lock;
    size_t bytes = self->nodes[i].path_bytes;
    uint8_t *path = dt_memdup (self->nodes[i].path, bytes);
    s_cut_node (self, i);
    if (lock) {
        s_promote (self, path, s_parent_bytes (path, bytes));
    }
    free (path);
}

static s_node_t *s_own_contender (const kv_model_t *self, msgpack_slice_t path)
{
    for (size_t i = 0; i < self->count; i++) {
        s_node_t *node = &self->nodes[i];
        if (s_is_contender (node, path.data, path.bytes) &&
            node->owner == self->entry->session_id) {
            return node;
        }
    }
    return NULL;
}

static s_node_t *s_grant_of (const kv_model_t *self, msgpack_slice_t path, uint64_t token)
{
    for (size_t i = 0; i < self->count; i++) {
        s_node_t *node = &self->nodes[i];
        if (s_is_contender (node, path.data, path.bytes) && node->holds && node->token == token) {
            return node;
        }
    }
    return NULL;
}

static int s_lock_reply (const s_node_t *node, int code, uint64_t ms, dt_buffer_t *body)
{
    msgpack_write_array (body, 3);
    msgpack_write_uint (body, node->token);
    msgpack_write_bin (body, node->path + node->path_bytes - 16, 16);
    msgpack_write_uint (body, ms);
    return code;
}

static uint64_t s_wait_ttl (uint64_t wait_ms)
{
    return wait_ms == DTKV_LOCK_WAIT_FOR_EVER ? 0 : wait_ms;
}

static int s_lock_again (kv_model_t *self, s_node_t *own, const s_request_t *request,
                         dt_buffer_t *body)
{
    if (own->holds) {
        s_set_lifetime (self, own, own->owner, request->lease_ms);
        return s_lock_reply (own, DTKV_LOCK_BY_SELF, request->lease_ms, body);
    }
    if (request->wait_ms == 0) {
        return s_nil (body, DTKV_LOCK_BY_OTHER);
    }
    s_set_lifetime (self, own, own->owner, s_wait_ttl (request->wait_ms));
    return s_lock_reply (own, DTKV_LOCK_BY_OTHER, request->wait_ms, body);
}

// The lock as it is, or what is wrong with it.
static int s_find_lock (const kv_model_t *self, msgpack_slice_t path)
{
    const s_node_t *node = s_find (self, path.data, path.bytes);
    return !node ? DTKV_NOT_FOUND : node->lock && node->directory ? 0 : DTKV_NOT_LOCK_NODE;
}

static int s_make_lock (kv_model_t *self, const s_request_t *request)
{
    self->creates_temporary = true;
    int code = s_make_room (self, request->path, request->flags);
    self->creates_temporary = false;
    if (!code) {
        s_add (self, request->path.data, request->path.bytes, true, (msgpack_slice_t){0});
        s_find (self, request->path.data, request->path.bytes)->lock = true;
    }
    return code;
}

static int s_lock (kv_model_t *self, const s_request_t *request, dt_buffer_t *body)
{
    msgpack_slice_t path = request->path;
    if (!self->entry->session_id) {
        return s_nil (body, DTKV_SESSION_UNKNOWN);
    }
    if (path.bytes == 0) {
        return s_nil (body, DTKV_INVALID_KEY);
    }
    size_t segments = 1;
    for (size_t i = 0; i < path.bytes; i++) {
        segments += path.data[i] == '.';
    }
    if (segments + 1 > self->limits.depth_max || path.bytes + 17 > self->limits.key_bytes_max) {
        return s_nil (body, DTKV_KEY_TOO_LONG);
    }
    int code = s_find_lock (self, path);
    if (code == DTKV_NOT_LOCK_NODE) {
        return s_nil (body, code);
    }
    bool exists = code == 0;
    s_node_t *own = s_own_contender (self, path);
    if (own) {
        return s_lock_again (self, own, request, body);
    }
    s_node_t next = {.mode = request->mode, .permits = request->permits};
    bool waits = false;
    for (size_t i = 0; i < self->count; i++) {
        const s_node_t *node = &self->nodes[i];
        if (s_is_contender (node, path.data, path.bytes)) {
            if ((node->mode == 2) != (next.mode == 2) || node->permits != next.permits) {
                return s_nil (body, DTKV_CLIENT_REQ_ERROR);
            }
            waits |= !node->holds;
        }
    }
    bool holds = !waits && s_may_hold (self, path.data, path.bytes, &next);
    if (!holds && request->wait_ms == 0) {
        return s_nil (body, DTKV_LOCK_BY_OTHER);
    }
    if (s_owned_by (self, self->entry->session_id) >= self->limits.session_nodes_max) {
        return s_nil (body, DTKV_TOO_MANY_OWNED);
    }
    code = exists ? 0 : s_make_lock (self, request);
    if (code) {
        return s_nil (body, code);
    }
    dt_buffer_t name = {0};
    dt_buffer_append (&name, path.data, path.bytes);
    dt_buffer_printf (&name, ".%016llx", (unsigned long long) self->entry->index);
    s_add (self, name.data, name.bytes, false, (msgpack_slice_t){0});
    s_node_t *node = s_find (self, name.data, name.bytes);
    dt_buffer_deinit (&name);
    node->lock = true;
    node->holds = holds;
    node->mode = request->mode;
    node->token = holds ? self->entry->index : 0;
    node->lease_ms = request->lease_ms;
    node->permits = request->permits;
    s_contender_value (node, request->value.data, request->value.bytes);
    uint64_t ttl_ms = holds ? request->lease_ms : s_wait_ttl (request->wait_ms);
    s_set_lifetime (self, node, self->entry->session_id, ttl_ms);
    return s_lock_reply (node, holds ? DTKV_SUCCESS : DTKV_LOCK_BY_OTHER,
                         holds ? request->lease_ms : request->wait_ms, body);
}

static int s_unlock (kv_model_t *self, const s_request_t *request, dt_buffer_t *body)
{
    bool force = request->flags & DTKV_FLAG_FORCE;
    if (!self->entry->session_id && !force) {
        return s_nil (body, DTKV_SESSION_UNKNOWN);
    }
    int code = s_find_lock (self, request->path);
    if (code) {
        return s_nil (body, code);
    }
    s_node_t *node = force ? s_grant_of (self, request->path, request->number)
                           : s_own_contender (self, request->path);
    if (!node || node->token != request->number) {
        return s_nil (body, DTKV_FENCED);
    }
    code = node->holds ? DTKV_SUCCESS : DTKV_LOCK_BY_OTHER;
    s_end_node (self, (size_t) (node - self->nodes));
    return s_nil (body, code);
}

static int s_lock_renew (kv_model_t *self, const s_request_t *request, dt_buffer_t *body)
{
    if (!self->entry->session_id) {
        return s_nil (body, DTKV_SESSION_UNKNOWN);
    }
    int code = s_find_lock (self, request->path);
    if (code) {
        return s_nil (body, code);
    }
    s_node_t *node = s_own_contender (self, request->path);
    if (!node || !node->holds || node->token != request->number) {
        return s_nil (body, DTKV_FENCED);
    }
    s_set_lifetime (self, node, node->owner, request->lease_ms ? request->lease_ms : node->ttl_ms);
    msgpack_write_array (body, 2);
    msgpack_write_uint (body, node->token);
    msgpack_write_uint (body, node->ttl_ms);
    return DTKV_SUCCESS;
}

// Decoding.

static bool s_optional (const kv_object_t *body, uint32_t i, uint64_t limit, uint64_t *number)
{
    if (i >= body->count || body->items[i].kind == MSGPACK_KIND_NIL) {
        return true;
    }
    *number = body->items[i].number;
    return body->items[i].kind == MSGPACK_KIND_UINT && *number <= limit;
}

static bool s_flags (const kv_object_t *body, uint32_t i, uint64_t *flags)
{
    return s_optional (body, i, UINT64_MAX, flags) && (*flags & ~(uint64_t) DTKV_FLAGS_ALL) == 0;
}

static int s_object_path (const kv_model_t *self, const kv_object_t *object, msgpack_slice_t *path)
{
    *path = object->bytes;
    return object->kind == MSGPACK_KIND_BYTES ? s_check_path (self, *path) : DTKV_INVALID_KEY;
}

static int s_object_value (const kv_model_t *self, const kv_object_t *object,
                           msgpack_slice_t *value)
{
    *value = object->bytes;
    if (object->kind != MSGPACK_KIND_BYTES) {
        return DTKV_INVALID_VALUE;
    }
    return value->bytes > self->limits.value_bytes_max ? DTKV_VALUE_TOO_LONG : 0;
}

static int s_decode_list (const kv_model_t *self, const kv_object_t *body, s_request_t *request)
{
    uint64_t items = 0;
    uint64_t bytes = 0;
    if (!s_flags (body, 1, &request->flags) || !s_optional (body, 2, UINT64_MAX, &items) ||
        !s_optional (body, 3, UINT64_MAX, &bytes)) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    const dtkv_limits_t *limits = &self->limits;
    request->items_max = items && items < limits->list_items_max ? items : limits->list_items_max;
    request->bytes_max = bytes && bytes < limits->list_bytes_max ? bytes : limits->list_bytes_max;
    bool has_after = body->count > 4 && body->items[4].kind != MSGPACK_KIND_NIL;
    if (has_after && body->items[4].kind != MSGPACK_KIND_BYTES) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    int code = s_object_path (self, &body->items[0], &request->path);
    if (code || !has_after) {
        return code;
    }
    request->after = body->items[4].bytes;
    bool nested = request->after.bytes && memchr (request->after.data, '.', request->after.bytes);
    return s_check_path (self, request->after) ||
                   (nested && !(request->flags & DTKV_FLAG_RECURSIVE))
               ? DTKV_INVALID_CURSOR
               : 0;
}

static int s_decode_cas (const kv_model_t *self, const kv_object_t *body, s_request_t *request)
{
    const kv_object_t *items = body->items;
    if (items[1].kind != MSGPACK_KIND_UINT || items[1].number > 2 ||
        !s_flags (body, 4, &request->flags) || (request->flags & DTKV_FLAG_SEQUENTIAL)) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    request->condition = items[1].number;
    request->number = items[2].number;
    request->expected = items[2].bytes;
    if (request->condition == 0) {
        if (items[2].kind != MSGPACK_KIND_NIL && items[2].kind != MSGPACK_KIND_BYTES) {
            return DTKV_CLIENT_REQ_ERROR;
        }
        request->must_be_absent = items[2].kind == MSGPACK_KIND_NIL;
    } else {
        if (items[2].kind != MSGPACK_KIND_UINT) {
            return DTKV_CLIENT_REQ_ERROR;
        }
        request->must_be_absent = request->number == 0;
    }
    int code = s_object_path (self, &items[0], &request->path);
    request->value_nil = items[3].kind == MSGPACK_KIND_NIL;
    if (code) {
        return code;
    }
    if (request->value_nil) {
        return request->must_be_absent ? DTKV_INVALID_VALUE : 0;
    }
    return s_object_value (self, &items[3], &request->value);
}

static int s_decode_batch (const kv_model_t *self, const kv_object_t *body, bool values,
                           s_request_t *request)
{
    request->items = &body->items[0];
    if (request->items->kind != MSGPACK_KIND_ARRAY || !s_flags (body, 1, &request->flags)) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    for (uint32_t i = 0; values && i < request->items->count; i++) {
        if (request->items->items[i].kind != MSGPACK_KIND_ARRAY ||
            request->items->items[i].count < 2) {
            return DTKV_CLIENT_REQ_ERROR;
        }
    }
    return request->items->count > self->limits.batch_items_max ? DTKV_BATCH_TOO_LARGE : 0;
}

// [ path, value, ttl, flags ] and what has less of it.
static int s_decode_temp (const kv_model_t *self, const kv_object_t *body, bool value, bool flags,
                          s_request_t *request)
{
    const kv_object_t *ttl = &body->items[value ? 2 : 1];
    if (ttl->kind != MSGPACK_KIND_UINT ||
        (flags && !s_optional (body, value ? 3 : 2, DTKV_FLAGS_ALL, &request->flags))) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    request->number = ttl->number;
    int code = s_object_path (self, &body->items[0], &request->path);
    if (!code && value) {
        code = s_object_value (self, &body->items[1], &request->value);
    }
    bool ends = request->number || !flags || (request->flags & DTKV_FLAG_OWNED);
    return code ? code : ends && request->number <= DTKV_TTL_MS_MAX ? 0 : DTKV_INVALID_TTL;
}

static int s_decode_lock (const kv_model_t *self, const kv_object_t *body, s_request_t *request)
{
    const kv_object_t *value = body->count > 4 ? &body->items[4] : NULL;
    bool has_value = value && value->kind != MSGPACK_KIND_NIL;
    if (body->items[1].kind != MSGPACK_KIND_UINT || body->items[1].number > 2 ||
        body->items[2].kind != MSGPACK_KIND_UINT ||
        !s_optional (body, 3, UINT64_MAX, &request->lease_ms) ||
        !s_optional (body, 5, UINT32_MAX, &request->permits) ||
        !s_optional (body, 6, DTKV_FLAGS_ALL, &request->flags)) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    request->mode = body->items[1].number;
    request->wait_ms = body->items[2].number;
    request->permits = request->mode != 2 ? 0 : request->permits ? request->permits : 1;
    int code = s_object_path (self, &body->items[0], &request->path);
    if (code) {
        return code;
    }
    if ((request->wait_ms > DTKV_TTL_MS_MAX && request->wait_ms != DTKV_LOCK_WAIT_FOR_EVER) ||
        request->lease_ms > DTKV_TTL_MS_MAX) {
        return DTKV_INVALID_TTL;
    }
    if (!has_value) {
        return 0;
    }
    request->value = value->bytes;
    return value->kind != MSGPACK_KIND_BYTES                        ? DTKV_INVALID_VALUE
           : value->bytes.bytes + 64 > self->limits.value_bytes_max ? DTKV_VALUE_TOO_LONG
                                                                    : 0;
}

// unlock and lock_renew: [ path, token, number ]
static int s_decode_token (const kv_model_t *self, uint16_t operation, const kv_object_t *body,
                           s_request_t *request)
{
    bool renew = operation == DTKV_OP_LOCK_RENEW;
    if (body->items[1].kind != MSGPACK_KIND_UINT ||
        !s_optional (body, 2, renew ? UINT64_MAX : DTKV_FLAGS_ALL,
                     renew ? &request->lease_ms : &request->flags)) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    request->number = body->items[1].number;
    int code = s_object_path (self, &body->items[0], &request->path);
    return code ? code : request->lease_ms > DTKV_TTL_MS_MAX ? DTKV_INVALID_TTL : 0;
}

static int s_decode (const kv_model_t *self, uint16_t operation, const kv_object_t *body,
                     s_request_t *request);

// The guards' form and what they guard: its operation goes to request->number.
static int s_decode_guarded (const kv_model_t *self, const kv_object_t *body, s_request_t *request)
{
    const kv_object_t *guards = &body->items[0];
    const kv_object_t *operation = &body->items[1];
    if (guards->kind != MSGPACK_KIND_ARRAY || guards->count == 0 || guards->count > 16 ||
        operation->kind != MSGPACK_KIND_UINT || operation->number > UINT16_MAX ||
        !dtkv_operation_writes ((uint16_t) operation->number, NULL, 0)) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    int code = 0;
    for (uint32_t i = 0; i < guards->count; i++) {
        const kv_object_t *guard = &guards->items[i];
        msgpack_slice_t path;
        if (guard->kind != MSGPACK_KIND_ARRAY || guard->count < 2 ||
            guard->items[1].kind != MSGPACK_KIND_UINT) {
            return DTKV_CLIENT_REQ_ERROR;
        }
        code = code ? code : s_object_path (self, &guard->items[0], &path);
    }
    switch (operation->number) {
    case DTKV_OP_LOCK:
    case DTKV_OP_UNLOCK:
    case DTKV_OP_LOCK_RENEW:
    case DTKV_OP_GUARDED:
    case DTKV_OP_SESSION_OPEN:
    case DTKV_OP_SESSION_CLOSE:
    case DTKV_OP_SESSION_KEEPALIVE:
        return DTKV_CLIENT_REQ_ERROR;
    default:
        break;
    }
    int inner = s_decode (self, (uint16_t) operation->number, &body->items[2], request);
    return inner == DTKV_CLIENT_REQ_ERROR || !code ? inner : code;
}

static int s_decode (const kv_model_t *self, uint16_t operation, const kv_object_t *body,
                     s_request_t *request)
{
    *request = (s_request_t){0};
    static const uint8_t least[256] = {
        [DTKV_OP_PUT] = 2,        [DTKV_OP_COMPARE_AND_SET] = 4, [DTKV_OP_PUT_TEMP] = 3,
        [DTKV_OP_MKDIR_TEMP] = 2, [DTKV_OP_UPDATE_TTL] = 2,      [DTKV_OP_LOCK] = 3,
        [DTKV_OP_UNLOCK] = 2,     [DTKV_OP_LOCK_RENEW] = 2,      [DTKV_OP_GUARDED] = 3,
        [DTKV_OP_MOVE] = 2,       [DTKV_OP_INCREMENT] = 2,       [DTKV_OP_TRANSACTION] = 2,
    };
    uint32_t required = operation < 256 && least[operation] ? least[operation] : 1;
    if (body->kind != MSGPACK_KIND_ARRAY || body->count < required) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    int code;
    switch (operation) {
    case DTKV_OP_GET:
    case DTKV_OP_REMOVE:
    case DTKV_OP_MKDIR:
        return s_flags (body, 1, &request->flags)
                   ? s_object_path (self, &body->items[0], &request->path)
                   : DTKV_CLIENT_REQ_ERROR;
    case DTKV_OP_PUT:
        if (!s_flags (body, 2, &request->flags)) {
            return DTKV_CLIENT_REQ_ERROR;
        }
        code = s_object_path (self, &body->items[0], &request->path);
        return code ? code : s_object_value (self, &body->items[1], &request->value);
    case DTKV_OP_LIST:
        return s_decode_list (self, body, request);
    case DTKV_OP_BATCH_GET:
    case DTKV_OP_BATCH_REMOVE:
        return s_decode_batch (self, body, false, request);
    case DTKV_OP_BATCH_PUT:
        return s_decode_batch (self, body, true, request);
    case DTKV_OP_COMPARE_AND_SET:
        return s_decode_cas (self, body, request);
    case DTKV_OP_LOCK:
        return s_decode_lock (self, body, request);
    case DTKV_OP_UNLOCK:
    case DTKV_OP_LOCK_RENEW:
        return s_decode_token (self, operation, body, request);
    case DTKV_OP_GUARDED:
        return s_decode_guarded (self, body, request);
    case DTKV_OP_PUT_TEMP:
    case DTKV_OP_MKDIR_TEMP:
    case DTKV_OP_UPDATE_TTL:
        return s_decode_temp (self, body, operation == DTKV_OP_PUT_TEMP,
                              operation != DTKV_OP_UPDATE_TTL, request);
    case DTKV_OP_MOVE:
        if (!s_flags (body, 2, &request->flags)) {
            return DTKV_CLIENT_REQ_ERROR;
        }
        code = s_object_path (self, &body->items[0], &request->path);
        int second = s_object_path (self, &body->items[1], &request->to);
        return code ? code : second;
    case DTKV_OP_INCREMENT:
        if (!s_flags (body, 2, &request->flags) ||
            (body->items[1].kind != MSGPACK_KIND_NEGATIVE &&
             (body->items[1].kind != MSGPACK_KIND_UINT || body->items[1].number > INT64_MAX))) {
            return DTKV_CLIENT_REQ_ERROR;
        }
        request->delta = body->items[1].integer;
        return s_object_path (self, &body->items[0], &request->path);
    case DTKV_OP_TRANSACTION:
        request->body = body;
        return s_flags (body, 3, &request->flags) ? kv_model_txn_check (self, &self->limits, body)
                                                  : DTKV_CLIENT_REQ_ERROR;
    case DTKV_OP_SESSION_OPEN:
    case DTKV_OP_SESSION_CLOSE:
    case DTKV_OP_SESSION_KEEPALIVE:
        request->number = body->items[0].number;
        return body->items[0].kind == MSGPACK_KIND_UINT ? 0 : DTKV_CLIENT_REQ_ERROR;
    default:
        return DTKV_CLIENT_REQ_ERROR;
    }
}

// Writes of many, and conditional ones.

static int s_cas (kv_model_t *self, const s_request_t *request, dt_buffer_t *body)
{
    const s_node_t *node = s_find (self, request->path.data, request->path.bytes);
    bool holds;
    if (request->must_be_absent) {
        holds = node == NULL;
    } else if (!node) {
        holds = false;
    } else if (request->condition == 0) {
        holds = !node->directory && node->value_bytes == request->expected.bytes &&
                memcmp (node->value, request->expected.data, node->value_bytes) == 0;
    } else {
        holds = request->number == (request->condition == 1 ? node->version : node->modify_index);
    }
    if (!holds) {
        return s_nil (body, DTKV_CAS_MISMATCH);
    }
    int code;
    if (request->value_nil) {
        code = s_remove (self, request->path, request->flags & ~4ULL, body);
    } else {
        code = s_put (self, request->path, request->value, request->flags, body);
    }
    return code == DTKV_SUCCESS_OVERWRITE ? DTKV_SUCCESS : code;
}

static int s_item (kv_model_t *self, bool values, const kv_object_t *item, uint64_t flags,
                   dt_buffer_t *body)
{
    msgpack_slice_t path;
    msgpack_slice_t value;
    int code = s_object_path (self, values ? &item->items[0] : item, &path);
    if (!code && values) {
        code = s_object_value (self, &item->items[1], &value);
    }
    if (code) {
        return s_nil (body, code);
    }
    return values ? s_put (self, path, value, flags, body) : s_remove (self, path, flags, body);
}

static void s_swap (kv_model_t *a, kv_model_t *b)
{
    kv_model_t c = *a;
    *a = *b;
    *b = c;
}

static int s_batch (kv_model_t *self, bool values, const s_request_t *request, dt_buffer_t *body)
{
    bool atomic = request->flags & DTKV_FLAG_ATOMIC;
    kv_model_t *before = atomic ? kv_model_copy (self) : NULL;
    uint32_t count = request->items->count;
    size_t start = body->bytes;
    int failure = 0;
    if (!self->transaction) {
        self->reply_end = start + self->limits.reply_bytes_max;
    }
    msgpack_write_array (body, count);
    for (uint32_t i = 0; i < count && !failure; i++) {
        dt_buffer_t previous = {0};
        msgpack_write_array (body, 2);
        self->reply_before = self->transaction ? self->transaction_before : 0;
        self->reply_before += body->bytes + 1; // and the code
        int code = s_item (self, values, &request->items->items[i], request->flags, &previous);
        msgpack_write_uint (body, (uint64_t) code);
        dt_buffer_append (body, previous.data, previous.bytes);
        dt_buffer_deinit (&previous);
        if (atomic && code != DTKV_SUCCESS && code != DTKV_SUCCESS_OVERWRITE) {
            failure = code;
            body->bytes = start;
            msgpack_write_array (body, count);
            for (uint32_t k = 0; k < count; k++) {
                msgpack_write_array (body, 2);
                msgpack_write_uint (body, (uint64_t) (k == i ? code : DTKV_BATCH_ABORTED));
                msgpack_write_nil (body);
            }
        }
    }
    if (failure) {
        s_swap (self, before);
    }
    kv_model_destroy (&before);
    return failure;
}

static int s_write_one (kv_model_t *self, uint16_t operation, const s_request_t *request,
                        dt_buffer_t *body)
{
    switch (operation) {
    case DTKV_OP_PUT:
        return s_put (self, request->path, request->value, request->flags, body);
    case DTKV_OP_REMOVE:
        return s_remove (self, request->path, request->flags, body);
    case DTKV_OP_MKDIR:
        return s_mkdir (self, request->path, request->flags, body);
    case DTKV_OP_BATCH_PUT:
    case DTKV_OP_BATCH_REMOVE:
        return s_batch (self, operation == DTKV_OP_BATCH_PUT, request, body);
    case DTKV_OP_COMPARE_AND_SET:
        return s_cas (self, request, body);
    case DTKV_OP_PUT_TEMP:
    case DTKV_OP_MKDIR_TEMP:
        return s_temp (self, request, operation == DTKV_OP_MKDIR_TEMP, body);
    case DTKV_OP_UPDATE_TTL:
        return s_update_ttl (self, request, body);
    case DTKV_OP_LOCK:
        return s_lock (self, request, body);
    case DTKV_OP_UNLOCK:
        return s_unlock (self, request, body);
    case DTKV_OP_LOCK_RENEW:
        return s_lock_renew (self, request, body);
    case DTKV_OP_MOVE:
        return s_nil (body, s_move (self, request->path, request->to, request->flags));
    case DTKV_OP_INCREMENT:
        return s_increment (self, request->path, request->delta, request->flags, body);
    default:
        return s_nil (body, DTKV_CLIENT_REQ_ERROR);
    }
}

// All or nothing by a copy of everything.
static int s_transaction (kv_model_t *self, const s_request_t *request, dt_buffer_t *body)
{
    kv_model_t *before = kv_model_copy (self);
    self->transaction = true;
    self->reply_end = body->bytes + self->limits.reply_bytes_max;
    int code = kv_model_txn_run (self, request->body, self->reply_end, body);
    self->transaction = false;
    if (code) {
        s_swap (self, before);
    }
    kv_model_destroy (&before);
    return code;
}

static int s_write (kv_model_t *self, uint16_t operation, const s_request_t *request,
                    dt_buffer_t *body)
{
    self->parents_left = self->limits.batch_items_max;
    self->removals_left = self->limits.batch_items_max;
    self->reply_end = 0;
    return operation == DTKV_OP_TRANSACTION ? s_transaction (self, request, body)
                                            : s_write_one (self, operation, request, body);
}

static int s_write_guarded (kv_model_t *self, const kv_object_t *object, const s_request_t *request,
                            dt_buffer_t *body)
{
    const kv_object_t *guards = &object->items[0];
    for (uint32_t i = 0; i < guards->count; i++) {
        const kv_object_t *guard = guards->items[i].items;
        if (s_find_lock (self, guard[0].bytes) ||
            !s_grant_of (self, guard[0].bytes, guard[1].number)) {
            return s_nil (body, DTKV_FENCED);
        }
    }
    return s_write (self, (uint16_t) object->items[1].number, request, body);
}

static int s_write_body (kv_model_t *self, const log_entry_t *entry, dt_buffer_t *body)
{
    kv_object_t object;
    s_request_t request;
    int code = DTKV_CLIENT_REQ_ERROR;
    if (kv_object_parse (&object, entry->payload, entry->payload_bytes, MSGPACK_DEPTH_MAX - 1)) {
        code = s_decode (self, entry->operation, &object, &request);
    }
    if (code) {
        s_nil (body, code);
    } else if (entry->operation == DTKV_OP_GUARDED) {
        code = s_write_guarded (self, &object, &request, body);
    } else {
        code = s_write (self, entry->operation, &request, body);
    }
    kv_object_free (&object);
    return code;
}

// Reads.

static void s_list (const kv_model_t *self, const s_request_t *request, dt_buffer_t *reply)
{
    bool recursive = request->flags & DTKV_FLAG_RECURSIVE;
    bool keys_only = request->flags & DTKV_FLAG_KEYS_ONLY;
    bool directories = request->flags & DTKV_FLAG_DIRECTORIES_ONLY;
    bool count_all = (request->flags & DTKV_FLAG_COUNT_ONLY) && !directories;
    uint64_t looks = 0;
    size_t skip = request->path.bytes ? request->path.bytes + 1 : 0;
    dt_buffer_t items = {0};
    msgpack_slice_t last = {0};
    uint64_t count = 0;
    uint64_t all = 0;
    bool more = false;
    for (size_t i = 0; i < self->count; i++) {
        const s_node_t *node = &self->nodes[i];
        if (!s_below (node, request->path.data, request->path.bytes)) {
            continue;
        }
        msgpack_slice_t name = {node->path + skip, node->path_bytes - skip};
        if (!recursive && memchr (name.data, '.', name.bytes)) {
            continue;
        }
        all++;
        if (more ||
            (request->after.bytes && s_path_order (name.data, name.bytes, request->after.data,
                                                   request->after.bytes) <= 0)) {
            continue;
        }
        if (directories && looks++ == self->limits.list_items_max) {
            more = true;
            continue;
        }
        if (directories && (!node->directory || (request->flags & DTKV_FLAG_COUNT_ONLY))) {
            count += node->directory;
            last = name;
            continue;
        }
        size_t before = items.bytes;
        msgpack_write_array (&items, keys_only ? 1 : 2);
        msgpack_write_bin (&items, name.data, (uint32_t) name.bytes);
        if (!keys_only) {
            s_write_node (node, request->flags, &items);
        }
        if (count == request->items_max || (count && items.bytes > request->bytes_max)) {
            items.bytes = before;
            more = true;
            continue;
        }
        count++;
        last = name;
    }
    msgpack_write_array (reply, 3);
    if (count_all) {
        msgpack_write_array (reply, 0);
        msgpack_write_nil (reply);
        msgpack_write_uint (reply, all);
    } else {
        msgpack_write_array (reply, request->flags & DTKV_FLAG_COUNT_ONLY ? 0 : (uint32_t) count);
        dt_buffer_append (reply, items.data, items.bytes);
        if (more) {
            msgpack_write_bin (reply, last.data, (uint32_t) last.bytes);
        } else {
            msgpack_write_nil (reply);
        }
        msgpack_write_uint (reply, count);
    }
    dt_buffer_deinit (&items);
}

static void s_batch_get (const kv_model_t *self, const s_request_t *request, dt_buffer_t *reply)
{
    size_t end = reply->bytes + self->limits.reply_bytes_max;
    msgpack_write_array (reply, request->items->count);
    for (uint32_t i = 0; i < request->items->count; i++) {
        msgpack_slice_t path;
        const s_node_t *node = NULL;
        int code = s_object_path (self, &request->items->items[i], &path);
        if (!code) {
            node = s_find (self, path.data, path.bytes);
            code = node ? DTKV_SUCCESS : DTKV_NOT_FOUND;
        }
        if (node && reply->bytes + node->value_bytes > end) {
            node = NULL;
            code = DTKV_BATCH_TOO_LARGE;
        }
        msgpack_write_array (reply, 2);
        msgpack_write_uint (reply, (uint64_t) code);
        if (node) {
            s_write_node (node, request->flags, reply);
        } else {
            msgpack_write_nil (reply);
        }
    }
}

static int s_read (const kv_model_t *self, uint16_t operation, const s_request_t *request,
                   dt_buffer_t *reply)
{
    const s_node_t *node = s_find (self, request->path.data, request->path.bytes);
    switch (operation) {
    case DTKV_OP_GET:
        if (!node) {
            return s_nil (reply, DTKV_NOT_FOUND);
        }
        s_write_node (node, request->flags, reply);
        return DTKV_SUCCESS;
    case DTKV_OP_LIST:
        if (!node || !node->directory) {
            return s_nil (reply, node ? DTKV_PARENT_NOT_DIR : DTKV_NOT_FOUND);
        }
        s_list (self, request, reply);
        return DTKV_SUCCESS;
    case DTKV_OP_BATCH_GET:
        s_batch_get (self, request, reply);
        return DTKV_SUCCESS;
    default:
        return s_nil (reply, DTKV_CLIENT_REQ_ERROR);
    }
}

int kv_model_read (const kv_model_t *self, uint16_t operation, const void *body, size_t bytes,
                   dt_buffer_t *reply)
{
    kv_object_t object;
    s_request_t request;
    int code = DTKV_CLIENT_REQ_ERROR;
    if (kv_object_parse (&object, body, bytes, MSGPACK_DEPTH_MAX - 1)) {
        code = s_decode (self, operation, &object, &request);
    }
    if (!code && (operation == DTKV_OP_SESSION_OPEN) &&
        (request.number < DTKV_SESSION_TTL_MS_MIN || request.number > DTKV_SESSION_TTL_MS_MAX)) {
        code = DTKV_INVALID_TTL;
    }
    if (!code && operation == DTKV_OP_TRANSACTION && !kv_model_txn_writes (&object)) {
        kv_model_t *copy = kv_model_copy (self);
        code = s_transaction (copy, &request, reply);
        kv_model_destroy (&copy);
    } else {
        code = code ? s_nil (reply, code) : s_read (self, operation, &request, reply);
    }
    kv_object_free (&object);
    return code;
}

int kv_model_txn_decode (const kv_model_t *self, uint16_t operation, const kv_object_t *body)
{
    s_request_t request;
    return s_decode (self, operation, body, &request);
}

int kv_model_txn_operation (kv_model_t *self, uint16_t operation, const kv_object_t *body,
                            size_t before, dt_buffer_t *reply)
{
    s_request_t request;
    self->reply_before = self->transaction_before = before;
    int code = s_decode (self, operation, body, &request);
    if (code) {
        return s_nil (reply, code);
    }
    return dtkv_operation_writes (operation, NULL, 0)
               ? s_write_one (self, operation, &request, reply)
               : s_read (self, operation, &request, reply);
}

bool kv_model_txn_facts (const kv_model_t *self, msgpack_slice_t path, kv_model_facts_t *facts)
{
    const s_node_t *node = s_find (self, path.data, path.bytes);
    if (node) {
        *facts = (kv_model_facts_t){
            .directory = node->directory,
            .value = {node->value, node->value_bytes},
            .numbers = {[DTKV_IF_VERSION] = node->version,
                        [DTKV_IF_MODIFY_INDEX] = node->modify_index,
                        [DTKV_IF_CHILD_VERSION] = node->child_version,
                        [DTKV_IF_CREATE_INDEX] = node->create_index},
        };
    }
    return node;
}

bool kv_model_txn_token (const kv_model_t *self, msgpack_slice_t path, uint64_t token)
{
    return !s_find_lock (self, path) && s_grant_of (self, path, token);
}

int kv_model_txn_path (const kv_model_t *self, msgpack_slice_t path)
{
    return s_check_path (self, path);
}

// Sessions.

static void s_session_free (s_session_t *session)
{
    for (size_t i = 0; i < session->count; i++) {
        dt_buffer_deinit (&session->replies[i].body);
    }
    free (session->replies);
}

static void s_session_drop (kv_model_t *self, size_t i)
{
    s_session_free (&self->sessions[i]);
    self->session_count--;
    memmove (self->sessions + i, self->sessions + i + 1,
             (self->session_count - i) * sizeof self->sessions[0]);
}

// End session number i and remove what it owns. Returns how many nodes went.
static size_t s_session_end (kv_model_t *self, size_t i)
{
    uint64_t owner = self->sessions[i].id;
    size_t before = self->count;
    for (size_t k = 0; k < self->count;) {
        if (self->nodes[k].owner == owner) {
            s_end_node (self, k);
            k = 0;
        } else {
            k++;
        }
    }
    s_session_drop (self, i);
    return before - self->count;
}

// Remove what expires first, if it does by now. Returns how much that was.
static size_t s_expire_one (kv_model_t *self)
{
    uint64_t deadline_ms = UINT64_MAX;
    uint64_t made = 0;
    size_t node = self->count;
    size_t session = self->session_count;
    for (size_t i = 0; i < self->count; i++) {
        const s_node_t *at = &self->nodes[i];
        bool earlier = at->deadline_ms < deadline_ms ||
                       (at->deadline_ms == deadline_ms && at->create_index < made);
        if (s_temporary (at) && earlier) {
            deadline_ms = at->deadline_ms;
            made = at->create_index;
            node = i;
        }
    }
    for (size_t i = 0; i < self->session_count; i++) {
        const s_session_t *at = &self->sessions[i];
        if (at->deadline_ms < deadline_ms || (at->deadline_ms == deadline_ms && at->id < made)) {
            deadline_ms = at->deadline_ms;
            made = at->id;
            session = i;
        }
    }
    if (deadline_ms > self->time_ms) {
        return 0;
    }
    if (session < self->session_count) {
        return 1 + s_session_end (self, session);
    }
    size_t before = self->count;
    s_end_node (self, node);
    return before - self->count;
}

static void s_expire (kv_model_t *self)
{
    size_t work = 0;
    for (size_t more = 1; more && work < 64; work += more) {
        more = s_expire_one (self);
    }
}

static s_session_t *s_session (const kv_model_t *self, uint64_t id)
{
    for (size_t i = 0; i < self->session_count; i++) {
        if (self->sessions[i].id == id && self->sessions[i].deadline_ms > self->time_ms) {
            return &self->sessions[i];
        }
    }
    return NULL;
}

static uint64_t s_session_bytes (const s_session_t *session)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < session->count; i++) {
        bytes += 32 + session->replies[i].body.bytes;
    }
    return bytes;
}

static int s_session_open (kv_model_t *self, uint64_t ttl_ms, dt_buffer_t *body)
{
    if (ttl_ms < DTKV_SESSION_TTL_MS_MIN || ttl_ms > DTKV_SESSION_TTL_MS_MAX) {
        return s_nil (body, DTKV_INVALID_TTL);
    }
    if (self->session_count >= self->limits.sessions_max) {
        return s_nil (body, DTKV_TOO_MANY_SESSIONS);
    }
    self->sessions =
        dt_realloc (self->sessions, (self->session_count + 1) * sizeof self->sessions[0]);
    self->sessions[self->session_count++] = (s_session_t){
        .id = self->entry->index,
        .ttl_ms = ttl_ms,
        .deadline_ms = self->time_ms + ttl_ms,
        .ack = 1,
    };
    msgpack_write_array (body, 2);
    msgpack_write_uint (body, self->entry->index);
    msgpack_write_uint (body, ttl_ms);
    return DTKV_SUCCESS;
}

static int s_session_operation (kv_model_t *self, const log_entry_t *entry, dt_buffer_t *body)
{
    kv_object_t object;
    s_request_t request = {0};
    int code = DTKV_CLIENT_REQ_ERROR;
    if (kv_object_parse (&object, entry->payload, entry->payload_bytes, MSGPACK_DEPTH_MAX - 1)) {
        code = s_decode (self, entry->operation, &object, &request);
    }
    kv_object_free (&object);
    if (code) {
        return s_nil (body, code);
    }
    if (entry->operation == DTKV_OP_SESSION_OPEN) {
        return s_session_open (self, request.number, body);
    }
    s_session_t *session = s_session (self, request.number);
    if (!session) {
        return s_nil (body, DTKV_SESSION_UNKNOWN);
    }
    if (entry->operation == DTKV_OP_SESSION_CLOSE) {
        s_session_end (self, (size_t) (session - self->sessions));
        return s_nil (body, DTKV_SUCCESS);
    }
    session->deadline_ms = self->time_ms + session->ttl_ms;
    msgpack_write_array (body, 2);
    msgpack_write_uint (body, session->id);
    msgpack_write_uint (body, session->ttl_ms);
    return DTKV_SUCCESS;
}

static void s_session_forget (s_session_t *session)
{
    size_t kept = 0;
    for (size_t i = 0; i < session->count; i++) {
        if (session->replies[i].seq < session->ack) {
            dt_buffer_deinit (&session->replies[i].body);
        } else {
            session->replies[kept++] = session->replies[i];
        }
    }
    session->count = kept;
}

static bool s_window_full (const kv_model_t *self, const s_session_t *session)
{
    uint64_t all = 0;
    for (size_t i = 0; i < self->session_count; i++) {
        all += s_session_bytes (&self->sessions[i]);
    }
    return s_session_bytes (session) >= self->limits.session_bytes_max ||
           all >= self->limits.session_all_bytes_max;
}

static int s_session_write (kv_model_t *self, const log_entry_t *entry, dt_buffer_t *body,
                            uint64_t *index)
{
    uint64_t seq = entry->session_seq;
    s_session_t *session = s_session (self, entry->session_id);
    *index = 0;
    if (!session) {
        return s_nil (body, DTKV_SESSION_UNKNOWN);
    }
    session->deadline_ms = self->time_ms + session->ttl_ms;
    session->ack = entry->session_ack > session->ack ? entry->session_ack : session->ack;
    s_session_forget (session);
    if (seq == 0) {
        *index = entry->index;
        return s_write_body (self, entry, body);
    }
    if (seq < session->ack) {
        return s_nil (body, DTKV_SESSION_SEQ_STALE);
    }
    if (seq - session->ack >= self->limits.session_replies_max) {
        return s_nil (body, DTKV_SESSION_WINDOW_FULL);
    }
    for (size_t i = 0; i < session->count; i++) {
        const s_reply_t *reply = &session->replies[i];
        if (reply->seq == seq) {
            *index = reply->index;
            if (reply->body.bytes) {
                dt_buffer_append (body, reply->body.data, reply->body.bytes);
            } else {
                msgpack_write_nil (body);
            }
            return reply->code;
        }
    }
    if (s_window_full (self, session)) {
        return s_nil (body, DTKV_SESSION_WINDOW_FULL);
    }
    *index = entry->index;
    size_t start = body->bytes;
    int code = s_write_body (self, entry, body);
    session = s_session (self, entry->session_id);
    session->replies =
        dt_realloc (session->replies, (session->count + 1) * sizeof session->replies[0]);
    s_reply_t *reply = &session->replies[session->count++];
    *reply = (s_reply_t){.seq = seq, .index = entry->index, .code = code};
    if (body->bytes - start > 1 || body->data[start] != 0xc0) {
        dt_buffer_append (&reply->body, body->data + start, body->bytes - start);
    }
    return code;
}

int kv_model_apply (kv_model_t *self, const log_entry_t *entry, dt_buffer_t *body, uint64_t *index)
{
    self->entry = entry;
    *index = entry->index;
    if (entry->cluster_time_ms > self->time_ms) {
        self->time_ms = entry->cluster_time_ms;
    }
    if (entry->type == LOG_ENTRY_CLOCK) {
        s_expire (self);
    }
    if (entry->type != LOG_ENTRY_COMMAND) {
        return s_nil (body, DTKV_SUCCESS);
    }
    switch (entry->operation) {
    case DTKV_OP_SESSION_OPEN:
    case DTKV_OP_SESSION_CLOSE:
    case DTKV_OP_SESSION_KEEPALIVE:
        return s_session_operation (self, entry, body);
    default:
        return entry->session_id ? s_session_write (self, entry, body, index)
                                 : s_write_body (self, entry, body);
    }
}

// Life.

kv_model_t *kv_model_new (const dtkv_limits_t *limits)
{
    kv_model_t *self = dt_zalloc (1, sizeof *self);
    self->limits = *limits;
    self->nodes = dt_zalloc (1, sizeof self->nodes[0]);
    self->nodes[0].directory = true;
    self->count = 1;
    return self;
}

kv_model_t *kv_model_copy (const kv_model_t *self)
{
    kv_model_t *copy = dt_memdup (self, sizeof *self);
    copy->nodes = dt_memdup (self->nodes, self->count * sizeof self->nodes[0]);
    for (size_t i = 0; i < self->count; i++) {
        const s_node_t *node = &self->nodes[i];
        copy->nodes[i].path = dt_memdup (node->path, node->path_bytes);
        copy->nodes[i].value = dt_memdup (node->value, node->value_bytes);
    }
    copy->sessions = dt_memdup (self->sessions, self->session_count * sizeof self->sessions[0]);
    for (size_t i = 0; i < self->session_count; i++) {
        s_session_t *session = &copy->sessions[i];
        const s_reply_t *replies = session->replies;
        session->replies = dt_zalloc (session->count + 1, sizeof session->replies[0]);
        for (size_t k = 0; k < session->count; k++) {
            session->replies[k] = replies[k];
            session->replies[k].body = (dt_buffer_t){0};
            dt_buffer_append (&session->replies[k].body, replies[k].body.data,
                              replies[k].body.bytes);
        }
    }
    return copy;
}

void kv_model_destroy (kv_model_t **self_p)
{
    kv_model_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    for (size_t i = 0; i < self->count; i++) {
        s_node_free (&self->nodes[i]);
    }
    for (size_t i = 0; i < self->session_count; i++) {
        s_session_free (&self->sessions[i]);
    }
    free (self->nodes);
    free (self->sessions);
    free (self);
}

void kv_model_dump (const kv_model_t *self, dt_buffer_t *out)
{
    for (size_t i = 1; i < self->count; i++) {
        const s_node_t *node = &self->nodes[i];
        msgpack_write_array (out, 2);
        msgpack_write_bin (out, node->path, (uint32_t) node->path_bytes);
        s_write_node (node, DTKV_FLAG_META, out);
    }
}

size_t kv_model_nodes (const kv_model_t *self)
{
    return self->count - 1;
}

size_t kv_model_sessions (const kv_model_t *self)
{
    return self->session_count;
}

const uint8_t *kv_model_path (const kv_model_t *self, size_t i, size_t *bytes)
{
    dt_assert (i + 1 < self->count);
    *bytes = self->nodes[i + 1].path_bytes;
    return self->nodes[i + 1].path;
}

uint64_t kv_model_token (const kv_model_t *self, size_t i)
{
    size_t grants = 0;
    for (size_t k = 0; k < self->count; k++) {
        grants += self->nodes[k].holds;
    }
    i = grants ? i % grants : 0;
    for (size_t k = 0; k < self->count; k++) {
        if (self->nodes[k].holds && i-- == 0) {
            return self->nodes[k].token;
        }
    }
    return 0;
}
