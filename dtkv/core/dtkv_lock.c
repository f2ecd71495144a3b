#include "dtkv/core/dtkv_lock.h"

#include <string.h>

#include "base/dt_assert.h"
#include "dtkv/core/dtkv_ops.h"
#include "dtkv/core/dtkv_walk.h"
#include "transport/msgpack_writer.h"

enum { CONTENDER_ELEMENTS = 6, NAME_BYTES = 16, VALUE_OVERHEAD = 64 };

// What a contender's value says.
typedef struct {
    bool holds;
    uint64_t mode; // dtkv_lock_mode_t
    uint64_t token;
    uint64_t lease_ms; // it is given; 0: as long as the session
    uint64_t permits;  // SEMAPHORE
    msgpack_slice_t value;
} s_contender_t;

static void s_write (const s_contender_t *contender, dt_buffer_t *out)
{
    msgpack_write_array (out, CONTENDER_ELEMENTS);
    msgpack_write_uint (out, contender->holds);
    msgpack_write_uint (out, contender->mode);
    msgpack_write_uint (out, contender->token);
    msgpack_write_uint (out, contender->lease_ms);
    msgpack_write_uint (out, contender->permits);
    msgpack_write_bin (out, contender->value.data, (uint32_t) contender->value.bytes);
}

// False: the value is not of this form.
static bool s_try_read (const dtkv_node_t *node, s_contender_t *contender)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, dtkv_node_value (node), node->value_bytes);
    uint32_t elements = msgpack_cursor_array (&cursor);
    contender->holds = msgpack_cursor_uint_max (&cursor, 1) != 0;
    contender->mode = msgpack_cursor_uint_max (&cursor, DTKV_LOCK_SEMAPHORE);
    contender->token = msgpack_cursor_uint (&cursor);
    contender->lease_ms = msgpack_cursor_uint_max (&cursor, DTKV_TTL_MS_MAX);
    contender->permits = msgpack_cursor_uint_max (&cursor, UINT32_MAX);
    contender->value = msgpack_cursor_bytes (&cursor);
    return elements == CONTENDER_ELEMENTS && msgpack_cursor_finished (&cursor);
}

static s_contender_t s_read (const dtkv_node_t *node)
{
    s_contender_t contender;
    bool sound = s_try_read (node, &contender);
    dt_assert (sound);
    return contender;
}

static dtkv_node_t *s_first (const dtkv_directory_t *lock)
{
    return dtkv_order_at (&lock->children, (dtkv_position_t){0});
}

static dtkv_lifetime_t s_lifetime (uint64_t owner, uint64_t ttl_ms, uint64_t now_ms)
{
    bool for_ever = ttl_ms == 0 || ttl_ms > UINT64_MAX - now_ms;
    return (dtkv_lifetime_t){
        .owner = owner,
        .ttl_ms = ttl_ms,
        .deadline_ms = for_ever ? UINT64_MAX : now_ms + ttl_ms,
    };
}

// A node's path, in memory the caller frees.
static dtkv_path_t s_path_of (const dtkv_node_t *node, dt_buffer_t *bytes)
{
    dt_buffer_clear (bytes);
    dtkv_node_path (node, bytes);
    uint32_t parent_bytes = (uint32_t) (bytes->bytes - node->name_bytes);
    return (dtkv_path_t){
        .data = bytes->data,
        .bytes = (uint32_t) bytes->bytes,
        .parent_bytes = parent_bytes ? parent_bytes - 1 : 0,
    };
}

// May one more hold the lock beside `holders` of this kind?
static bool s_compatible (const s_contender_t *next, const s_contender_t *holder, uint64_t holders)
{
    if (holders == 0) {
        return true;
    }
    switch (next->mode) {
    case DTKV_LOCK_SHARED:
        return holder->mode == DTKV_LOCK_SHARED;
    case DTKV_LOCK_SEMAPHORE:
        return holders < next->permits;
    default:
        return false;
    }
}

static dtkv_node_t *s_last (const dtkv_directory_t *lock)
{
    return dtkv_order_last (&lock->children);
}

// The first that waits, and how many hold before it; NULL if none waits.
static dtkv_node_t *s_first_waiter (const dtkv_directory_t *lock, uint64_t *holders)
{
    *holders = 0;
    if (s_read (s_last (lock)).holds) {
        return NULL;
    }
    dtkv_position_t position = {0};
    dtkv_node_t *node = dtkv_order_at (&lock->children, position);
    while (s_read (node).holds) {
        ++*holders;
        position = dtkv_order_next (&lock->children, position);
        node = dtkv_order_at (&lock->children, position);
    }
    return node;
}

static void s_grant (dtkv_tree_t *tree, const dtkv_change_t *change, uint64_t now_ms,
                     dtkv_node_t *node)
{
    dt_buffer_t bytes = {0};
    dt_buffer_t value = {0};
    s_contender_t contender = s_read (node);
    contender.holds = true;
    contender.token = change->index;
    s_write (&contender, &value);
    dtkv_path_t path = s_path_of (node, &bytes);
    uint64_t owner = dtkv_node_lifetime (node).owner;
    const dtkv_lifetime_t lifetime = s_lifetime (owner, contender.lease_ms, now_ms);
    dtkv_tree_overwrite_for (tree, change, node, &path, value.data, value.bytes, &lifetime);
    dt_buffer_deinit (&bytes);
    dt_buffer_deinit (&value);
}

static void s_remove (dtkv_tree_t *tree, const dtkv_change_t *change, dtkv_node_t *node)
{
    dt_buffer_t bytes = {0};
    dtkv_path_t path = s_path_of (node, &bytes);
    dtkv_tree_remove (tree, change, node, &path);
    dt_buffer_deinit (&bytes);
}

uint64_t dtkv_lock_leave (dtkv_tree_t *tree, const dtkv_sessions_t *sessions,
                          const dtkv_change_t *change, uint64_t now_ms, dtkv_node_t *contender)
{
    uint64_t removed = 1;
    dtkv_directory_t *lock = contender->parent;
    s_remove (tree, change, contender);
    while (lock->descendants) {
        uint64_t holders;
        dtkv_node_t *node = s_first_waiter (lock, &holders);
        if (!node) {
            return removed;
        }
        if (!dtkv_sessions_find (sessions, dtkv_node_lifetime (node).owner, now_ms)) {
            s_remove (tree, change, node);
            removed++;
            continue;
        }
        const s_contender_t next = s_read (node);
        const s_contender_t holder = s_read (s_first (lock));
        if (!s_compatible (&next, &holder, holders)) {
            return removed;
        }
        s_grant (tree, change, now_ms, node);
    }
    s_remove (tree, change, &lock->node);
    return removed + 1;
}

bool dtkv_lock_holds (const dtkv_tree_t *tree, const uint8_t *path, size_t bytes, uint64_t token)
{
    const dtkv_node_t *node = dtkv_tree_find (tree, path, bytes);
    if (!node || !dtkv_node_is_lock (node) || !dtkv_node_is_directory (node)) {
        return false;
    }
    const dtkv_order_t *contenders = &dtkv_node_directory (node)->children;
    dtkv_position_t position = {0};
    for (const dtkv_node_t *at; (at = dtkv_order_at (contenders, position));) {
        const s_contender_t contender = s_read (at);
        if (!contender.holds || contender.token == token) {
            return contender.holds;
        }
        position = dtkv_order_next (contenders, position);
    }
    return false;
}

bool dtkv_lock_below (const dtkv_tree_t *tree, const dtkv_directory_t *directory)
{
    bool found = false;
    if (tree->temporaries.contenders == 0) {
        return false;
    }
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, directory, NULL, 0);
    for (const dtkv_node_t *node; !found && (node = dtkv_walk_next (&walk));) {
        found = dtkv_node_is_lock (node);
    }
    dtkv_walk_deinit (&walk);
    return found;
}

// --- operations ----------------------------------------------------------------------------------

static int s_reply (dtkv_context_t *self, int code, uint64_t token, const dtkv_node_t *contender,
                    uint64_t ms)
{
    msgpack_write_array (self->body, 3);
    msgpack_write_uint (self->body, token);
    msgpack_write_bin (self->body, dtkv_node_name (contender), contender->name_bytes);
    msgpack_write_uint (self->body, ms);
    return code;
}

static uint64_t s_wait_ttl (uint64_t wait_ms)
{
    return wait_ms == DTKV_LOCK_WAIT_FOR_EVER ? 0 : wait_ms;
}

static void s_renew (dtkv_context_t *self, dtkv_node_t *contender, uint64_t ttl_ms)
{
    dt_buffer_t bytes = {0};
    dtkv_path_t path = s_path_of (contender, &bytes);
    const dtkv_lifetime_t lifetime = s_lifetime (self->session, ttl_ms, self->now_ms);
    dtkv_tree_renew (self->tree, &self->change, contender, &path, &lifetime);
    dt_buffer_deinit (&bytes);
}

// The session contends already.
static int s_lock_again (dtkv_context_t *self, const dtkv_request_t *request,
                         dtkv_node_t *contender)
{
    const s_contender_t state = s_read (contender);
    if (state.holds) {
        s_renew (self, contender, request->lease_ms);
        return s_reply (self, DTKV_LOCK_BY_SELF, state.token, contender, request->lease_ms);
    }
    if (request->wait_ms == 0) {
        return dtkv_reply_nil (self, DTKV_LOCK_BY_OTHER);
    }
    s_renew (self, contender, s_wait_ttl (request->wait_ms));
    return s_reply (self, DTKV_LOCK_BY_OTHER, 0, contender, request->wait_ms);
}

// Do the contenders' modes go with each other?
static bool s_agrees (const s_contender_t *one, const s_contender_t *other)
{
    bool semaphore = one->mode == DTKV_LOCK_SEMAPHORE;
    return semaphore == (other->mode == DTKV_LOCK_SEMAPHORE) &&
           (!semaphore || one->permits == other->permits);
}

bool dtkv_lock_is_sound (const dtkv_directory_t *parent, const dtkv_node_t *node)
{
    bool contends = dtkv_node_is_lock (node) && !dtkv_node_is_directory (node);
    if (contends != dtkv_node_is_lock (&parent->node)) {
        return false;
    }
    if (!contends) {
        return true;
    }
    s_contender_t state;
    if (!s_try_read (node, &state) || node->name_bytes != NAME_BYTES ||
        dtkv_node_lifetime (node).owner == 0 ||
        state.token != (state.holds ? node->modify_index : 0) ||
        (state.mode == DTKV_LOCK_SEMAPHORE) != (state.permits > 0)) {
        return false;
    }
    if (parent->descendants == 0) {
        return state.holds;
    }
    const s_contender_t first = s_read (s_first (parent));
    const s_contender_t last = s_read (s_last (parent));
    return s_agrees (&state, &first) &&
           (!state.holds || (last.holds && s_compatible (&state, &first, parent->descendants)));
}

// Make the lock's directory. 0, or why it cannot be.
static int s_create_lock (dtkv_context_t *self, const dtkv_request_t *request,
                          dtkv_directory_t **lock)
{
    const dtkv_path_t *path = &request->path;
    dtkv_directory_t *parent;
    self->lifetime = s_lifetime (self->session, 0, 0); // for what will be in it
    int code = dtkv_make_parent (self, path, request->flags, &parent);
    self->lifetime = (dtkv_lifetime_t){0};
    if (code) {
        return code;
    }
    dtkv_node_t *node =
        dtkv_node_new_directory (dtkv_path_name (path), dtkv_path_name_bytes (path));
    node->flags |= DTKV_NODE_LOCK;
    dtkv_tree_create (self->tree, &self->change, parent, path, node);
    *lock = dtkv_node_directory (node);
    return 0;
}

static int s_queue (dtkv_context_t *self, const dtkv_request_t *request, dtkv_directory_t *lock,
                    const s_contender_t *contender)
{
    dt_buffer_t value = {0};
    dt_buffer_t bytes = {0};
    uint64_t ttl_ms = contender->holds ? contender->lease_ms : s_wait_ttl (request->wait_ms);
    const dtkv_lifetime_t lifetime = s_lifetime (self->session, ttl_ms, self->now_ms);
    dt_buffer_append (&bytes, request->path.data, request->path.bytes);
    dt_buffer_printf (&bytes, ".%016llx", (unsigned long long) self->change.index);
    dtkv_path_t path = {
        .data = bytes.data,
        .bytes = (uint32_t) bytes.bytes,
        .parent_bytes = request->path.bytes,
    };
    s_write (contender, &value);
    dtkv_node_t *node = dtkv_node_new_value_for (dtkv_path_name (&path), NAME_BYTES, value.data,
                                                 value.bytes, &lifetime);
    node->flags |= DTKV_NODE_LOCK;
    dtkv_tree_create (self->tree, &self->change, lock, &path, node);
    dt_buffer_deinit (&value);
    dt_buffer_deinit (&bytes);
    return contender->holds
               ? s_reply (self, DTKV_SUCCESS, contender->token, node, contender->lease_ms)
               : s_reply (self, DTKV_LOCK_BY_OTHER, 0, node, request->wait_ms);
}

// Whether a lock can be at a path and its contenders below it. 0, or why not.
static int s_check_path (const dtkv_context_t *self, const dtkv_path_t *path)
{
    if (path->bytes == 0) {
        return DTKV_INVALID_KEY;
    }
    bool fits = path->depth < self->limits->depth_max &&
                path->bytes + 1 + NAME_BYTES <= self->limits->key_bytes_max;
    return fits ? 0 : DTKV_KEY_TOO_LONG;
}

// The lock at a path. 0, NOT_FOUND or NOT_LOCK_NODE.
static int s_find_lock (const dtkv_context_t *self, const dtkv_path_t *path,
                        dtkv_directory_t **lock)
{
    const dtkv_node_t *node = dtkv_tree_find (self->tree, path->data, path->bytes);
    if (!node) {
        return DTKV_NOT_FOUND;
    }
    if (!dtkv_node_is_directory (node) || !dtkv_node_is_lock (node)) {
        return DTKV_NOT_LOCK_NODE;
    }
    *lock = dtkv_node_directory (node);
    return 0;
}

int dtkv_lock (dtkv_context_t *self, const dtkv_request_t *request)
{
    dtkv_directory_t *lock = NULL;
    if (!self->session) {
        return dtkv_reply_nil (self, DTKV_SESSION_UNKNOWN);
    }
    int code = s_check_path (self, &request->path);
    if (!code) {
        code = s_find_lock (self, &request->path, &lock);
    }
    if (code && code != DTKV_NOT_FOUND) {
        return dtkv_reply_nil (self, code);
    }
    s_contender_t contender = {
        .holds = true,
        .mode = request->mode,
        .token = self->change.index,
        .lease_ms = request->lease_ms,
        .permits = request->permits,
        .value = request->value,
    };
    if (lock) {
        dtkv_node_t *own = dtkv_temporaries_find (&self->tree->temporaries, self->session, lock);
        if (own) {
            return s_lock_again (self, request, own);
        }
        const s_contender_t first = s_read (s_first (lock));
        if (!s_agrees (&contender, &first)) {
            return dtkv_reply_nil (self, DTKV_CLIENT_REQ_ERROR);
        }
        contender.holds =
            s_read (s_last (lock)).holds && s_compatible (&contender, &first, lock->descendants);
    }
    if (!contender.holds && request->wait_ms == 0) {
        return dtkv_reply_nil (self, DTKV_LOCK_BY_OTHER);
    }
    if (dtkv_temporaries_owned (&self->tree->temporaries, self->session) >=
        self->limits->session_nodes_max) {
        return dtkv_reply_nil (self, DTKV_TOO_MANY_OWNED);
    }
    code = lock ? 0 : s_create_lock (self, request, &lock);
    if (code) {
        return dtkv_reply_nil (self, code);
    }
    contender.token = contender.holds ? contender.token : 0;
    return s_queue (self, request, lock, &contender);
}

// The contender that holds a lock by a token; NULL if none does.
static dtkv_node_t *s_holder (const dtkv_directory_t *lock, uint64_t token)
{
    dtkv_position_t position = {0};
    for (dtkv_node_t *at; (at = dtkv_order_at (&lock->children, position));) {
        const s_contender_t contender = s_read (at);
        if (!contender.holds) {
            return NULL;
        }
        if (contender.token == token) {
            return at;
        }
        position = dtkv_order_next (&lock->children, position);
    }
    return NULL;
}

static void s_leave (dtkv_context_t *self, dtkv_node_t *contender)
{
    dtkv_lock_leave (self->tree, self->sessions, &self->change, self->now_ms, contender);
}

int dtkv_unlock (dtkv_context_t *self, const dtkv_request_t *request)
{
    dtkv_directory_t *lock;
    bool force = request->flags & DTKV_FLAG_FORCE;
    if (!self->session && !force) {
        return dtkv_reply_nil (self, DTKV_SESSION_UNKNOWN);
    }
    int code = s_find_lock (self, &request->path, &lock);
    if (code) {
        return dtkv_reply_nil (self, code);
    }
    dtkv_node_t *contender =
        force ? s_holder (lock, request->number)
              : dtkv_temporaries_find (&self->tree->temporaries, self->session, lock);
    if (!contender) {
        return dtkv_reply_nil (self, DTKV_FENCED);
    }
    const s_contender_t state = s_read (contender);
    if (state.token != request->number) {
        return dtkv_reply_nil (self, DTKV_FENCED);
    }
    code = state.holds ? DTKV_SUCCESS : DTKV_LOCK_BY_OTHER;
    s_leave (self, contender);
    return dtkv_reply_nil (self, code);
}

int dtkv_lock_renew (dtkv_context_t *self, const dtkv_request_t *request)
{
    dtkv_directory_t *lock;
    if (!self->session) {
        return dtkv_reply_nil (self, DTKV_SESSION_UNKNOWN);
    }
    int code = s_find_lock (self, &request->path, &lock);
    if (code) {
        return dtkv_reply_nil (self, code);
    }
    dtkv_node_t *contender = dtkv_temporaries_find (&self->tree->temporaries, self->session, lock);
    if (!contender || !s_read (contender).holds || s_read (contender).token != request->number) {
        return dtkv_reply_nil (self, DTKV_FENCED);
    }
    uint64_t lease_ms =
        request->lease_ms ? request->lease_ms : dtkv_node_lifetime (contender).ttl_ms;
    s_renew (self, contender, lease_ms);
    msgpack_write_array (self->body, 2);
    msgpack_write_uint (self->body, request->number);
    msgpack_write_uint (self->body, lease_ms);
    return DTKV_SUCCESS;
}
