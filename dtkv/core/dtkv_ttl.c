// put_temp, mkdir_temp, update_ttl: nodes that end by themselves, and who may change them.

#include "dtkv/core/dtkv_ops.h"
#include "dtkv/core/dtkv_walk.h"
#include "transport/msgpack_writer.h"

bool dtkv_may_change (const dtkv_context_t *self, const dtkv_node_t *node)
{
    uint64_t owner = dtkv_node_lifetime (node).owner;
    return owner == 0 || owner == self->session;
}

int dtkv_may_put_temporary (const dtkv_context_t *self, const dtkv_node_t *node, uint32_t flags)
{
    if (!dtkv_node_is_temporary (node)) {
        return 0;
    }
    if (!(flags & (DTKV_FLAG_KEEP_TTL | DTKV_FLAG_CONVERT))) {
        return DTKV_IS_TEMP_NODE;
    }
    return dtkv_may_change (self, node) ? 0 : DTKV_NOT_OWNER;
}

int dtkv_mkdir_permanent (dtkv_context_t *self, dtkv_node_t *node, const dtkv_path_t *path,
                          uint32_t flags)
{
    if (!(flags & DTKV_FLAG_CONVERT)) {
        return dtkv_reply_nil (self, DTKV_IS_TEMP_NODE);
    }
    if (!dtkv_may_change (self, node)) {
        return dtkv_reply_nil (self, DTKV_NOT_OWNER);
    }
    const dtkv_lifetime_t for_ever = {0};
    dtkv_tree_convert (self->tree, &self->change, node, path, &for_ever);
    return dtkv_reply_nil (self, DTKV_SUCCESS_OVERWRITE);
}

static uint64_t s_deadline (const dtkv_context_t *self, uint64_t ttl_ms)
{
    return ttl_ms == 0 || ttl_ms > UINT64_MAX - self->now_ms ? UINT64_MAX : self->now_ms + ttl_ms;
}

// How long the request lets a node live that has, or had, that owner. 0, or why the session may not
// own it.
static int s_lifetime (const dtkv_context_t *self, const dtkv_request_t *request, uint64_t owner,
                       dtkv_lifetime_t *lifetime)
{
    bool owned = request->flags & DTKV_FLAG_OWNED;
    if (owned && !self->session) {
        return DTKV_SESSION_UNKNOWN;
    }
    if (owned && owner != self->session &&
        dtkv_temporaries_owned (&self->tree->temporaries, self->session) >=
            self->limits->session_nodes_max) {
        return DTKV_TOO_MANY_OWNED;
    }
    *lifetime = (dtkv_lifetime_t){
        .owner = owned ? self->session : owner,
        .ttl_ms = request->number,
        .deadline_ms = s_deadline (self, request->number),
    };
    return 0;
}

// May a node that exists, a value or a directory as asked for, get a new lifetime?
static int s_may_renew (const dtkv_context_t *self, const dtkv_node_t *node, uint32_t flags)
{
    if (dtkv_node_is_temporary (node)) {
        return dtkv_may_change (self, node) ? 0 : DTKV_NOT_OWNER;
    }
    if (!(flags & DTKV_FLAG_CONVERT)) {
        return DTKV_NOT_TEMP_NODE;
    }
    if (!node->parent) {
        return DTKV_INVALID_KEY;
    }
    return dtkv_tree_temporary_above (node->parent) ? DTKV_UNDER_TEMP_DIR : 0;
}

// The node at the request's path; NULL if the request makes up a path of its own.
static dtkv_node_t *s_existing (const dtkv_context_t *self, const dtkv_request_t *request)
{
    return request->flags & DTKV_FLAG_SEQUENTIAL
               ? NULL
               : dtkv_tree_find (self->tree, request->path.data, request->path.bytes);
}

int dtkv_put_temp (dtkv_context_t *self, const dtkv_request_t *request)
{
    const dtkv_path_t *path = &request->path;
    dtkv_lifetime_t lifetime;
    dtkv_node_t *node = s_existing (self, request);
    if (node && dtkv_node_is_lock (node)) {
        return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
    }
    if (node && dtkv_node_is_directory (node)) {
        return dtkv_reply_nil (self, DTKV_DIR_EXISTS);
    }
    int code = node ? s_may_renew (self, node, request->flags) : 0;
    if (!code) {
        code = s_lifetime (self, request, node ? dtkv_node_lifetime (node).owner : 0, &lifetime);
    }
    if (code) {
        return dtkv_reply_nil (self, code);
    }
    if (!node) {
        self->lifetime = lifetime;
        code = dtkv_put (self, path, request->value, request->flags);
        self->lifetime = (dtkv_lifetime_t){0};
        return code;
    }
    if (!dtkv_reply_previous (self, node, request->flags)) {
        return dtkv_reply_nil (self, DTKV_BATCH_TOO_LARGE);
    }
    dtkv_tree_overwrite_for (self->tree, &self->change, node, path, request->value.data,
                             request->value.bytes, &lifetime);
    return DTKV_SUCCESS_OVERWRITE;
}

// May a permanent directory go in one entry, and is there nothing below it that ends before?
static int s_may_end (const dtkv_context_t *self, const dtkv_directory_t *directory)
{
    if (directory->descendants > self->limits->batch_items_max) {
        return DTKV_BATCH_TOO_LARGE;
    }
    if (dtkv_lock_below (self->tree, directory)) {
        return DTKV_IS_LOCK_NODE;
    }
    bool found = false;
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, directory, NULL, 0);
    for (const dtkv_node_t *node; !found && (node = dtkv_walk_next (&walk));) {
        found = dtkv_node_is_temporary (node);
    }
    dtkv_walk_deinit (&walk);
    return found ? DTKV_IS_TEMP_NODE : 0;
}

static int s_mkdir_existing (dtkv_context_t *self, const dtkv_request_t *request, dtkv_node_t *node)
{
    dtkv_lifetime_t lifetime;
    bool renews = dtkv_node_is_temporary (node);
    int code = s_may_renew (self, node, request->flags);
    if (!code && !renews) {
        code = s_may_end (self, dtkv_node_directory (node));
    }
    if (!code) {
        code = s_lifetime (self, request, dtkv_node_lifetime (node).owner, &lifetime);
    }
    if (code) {
        return code;
    }
    if (renews) {
        dtkv_tree_renew (self->tree, &self->change, node, &request->path, &lifetime);
        return DTKV_DIR_EXISTS;
    }
    dtkv_tree_convert (self->tree, &self->change, node, &request->path, &lifetime);
    return DTKV_SUCCESS_OVERWRITE;
}

int dtkv_mkdir_temp (dtkv_context_t *self, const dtkv_request_t *request)
{
    const dtkv_path_t *path = &request->path;
    dtkv_node_t *node = s_existing (self, request);
    if (node && dtkv_node_is_lock (node)) {
        return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
    }
    if (node) {
        return dtkv_reply_nil (self, dtkv_node_is_directory (node)
                                         ? s_mkdir_existing (self, request, node)
                                         : DTKV_VALUE_EXISTS);
    }
    int code = s_lifetime (self, request, 0, &self->lifetime);
    if (code) {
        return dtkv_reply_nil (self, code);
    }
    code = dtkv_mkdir (self, path, request->flags);
    self->lifetime = (dtkv_lifetime_t){0};
    return code;
}

int dtkv_update_ttl (dtkv_context_t *self, const dtkv_request_t *request)
{
    const dtkv_path_t *path = &request->path;
    dtkv_node_t *node = dtkv_tree_find (self->tree, path->data, path->bytes);
    if (node && dtkv_node_is_lock (node)) {
        return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
    }
    if (!node || !dtkv_node_is_temporary (node)) {
        return dtkv_reply_nil (self, node ? DTKV_NOT_TEMP_NODE : DTKV_NOT_FOUND);
    }
    if (!dtkv_may_change (self, node)) {
        return dtkv_reply_nil (self, DTKV_NOT_OWNER);
    }
    dtkv_lifetime_t lifetime = dtkv_node_lifetime (node);
    if (request->number == 0 && !lifetime.owner) {
        return dtkv_reply_nil (self, DTKV_INVALID_TTL);
    }
    lifetime.ttl_ms = request->number;
    lifetime.deadline_ms = s_deadline (self, request->number);
    dtkv_tree_renew (self->tree, &self->change, node, path, &lifetime);
    msgpack_write_array (self->body, 1);
    msgpack_write_uint (self->body, lifetime.ttl_ms);
    return DTKV_SUCCESS;
}
