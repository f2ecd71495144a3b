#include "dtkv/core/dtkv_store.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_digest.h"
#include "dtkv/core/dtkv_expire.h"
#include "dtkv/core/dtkv_ops.h"
#include "dtkv/core/dtkv_store_private.h"
#include "transport/msgpack_writer.h"

static void s_check_limits (const dtkv_limits_t *limits)
{
    dt_assert (limits->key_bytes_max > 0);
    dt_assert (limits->key_bytes_max <= DTKV_KEY_BYTES_CEILING);
    dt_assert (limits->value_bytes_max <= DTKV_VALUE_BYTES_CEILING);
    dt_assert (limits->depth_max > 0);
    dt_assert (limits->depth_max <= DTKV_DEPTH_CEILING);
    dt_assert (limits->batch_items_max > 0);
    dt_assert (limits->list_items_max > 0);
    dt_assert (limits->session_replies_max > 0);
    dt_assert (limits->session_replies_max <= DTKV_SESSION_REPLIES_CEILING);
}

dtkv_store_t *dtkv_store_new (const dtkv_store_options_t *options)
{
    s_check_limits (&options->limits);
    dtkv_store_t *self = dt_zalloc (1, sizeof *self);
    self->limits = options->limits;
    dtkv_tree_init (&self->tree, options->hash_seed);
    dtkv_sessions_init (&self->sessions, &self->limits);
    dtkv_history_init (&self->history, options->history_bytes_max, 0);
    self->tree.history = options->history_bytes_max ? &self->history : NULL;
    return self;
}

void dtkv_store_destroy (dtkv_store_t **self_p)
{
    dtkv_store_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    dt_assert (!self->snapshot);
    dtkv_sessions_deinit (&self->sessions);
    dtkv_history_deinit (&self->history);
    dtkv_tree_deinit (&self->tree);
    free (self);
}

static int s_session_open (dtkv_store_t *self, uint64_t index, uint64_t ttl_ms, dt_buffer_t *body)
{
    int code = dtkv_sessions_open (&self->sessions, index, ttl_ms, self->cluster_time_ms);
    if (code) {
        msgpack_write_nil (body);
        return code;
    }
    msgpack_write_array (body, 2);
    msgpack_write_uint (body, index);
    msgpack_write_uint (body, ttl_ms);
    return code;
}

static int s_session_keepalive (dtkv_store_t *self, uint64_t index, dtkv_session_t *session,
                                dt_buffer_t *body)
{
    dtkv_sessions_touch (&self->sessions, session, index, self->cluster_time_ms);
    msgpack_write_array (body, 2);
    msgpack_write_uint (body, session->id);
    msgpack_write_uint (body, session->ttl_ms);
    return DTKV_SUCCESS;
}

// The operations on sessions themselves; they are carried out under none.
static int s_apply_session (dtkv_store_t *self, const log_entry_t *entry, dt_buffer_t *body)
{
    dtkv_request_t request;
    int code = dtkv_request_decode (&request, entry->operation, entry->payload,
                                    entry->payload_bytes, &self->limits);
    if (code) {
        msgpack_write_nil (body);
        return code;
    }
    if (entry->operation == DTKV_OP_SESSION_OPEN) {
        return s_session_open (self, entry->index, request.number, body);
    }
    dtkv_session_t *session =
        dtkv_sessions_find (&self->sessions, request.number, self->cluster_time_ms);
    if (session && entry->operation == DTKV_OP_SESSION_KEEPALIVE) {
        return s_session_keepalive (self, entry->index, session, body);
    }
    if (session) {
        const dtkv_change_t change = {entry->index, entry->wall_ms, entry->principal};
        dtkv_end_session (&self->tree, &self->sessions, session, &change, self->cluster_time_ms);
    }
    msgpack_write_nil (body);
    return session ? DTKV_SUCCESS : DTKV_SESSION_UNKNOWN;
}

int dtkv_run_write (dtkv_context_t *context, uint16_t operation, dtkv_request_t *request)
{
    switch (operation) {
    case DTKV_OP_PUT:
        return dtkv_put (context, &request->path, request->value, request->flags);
    case DTKV_OP_REMOVE:
        return dtkv_remove (context, &request->path, request->flags);
    case DTKV_OP_MKDIR:
        return dtkv_mkdir (context, &request->path, request->flags);
    case DTKV_OP_BATCH_PUT:
        return dtkv_batch_put (context, request);
    case DTKV_OP_BATCH_REMOVE:
        return dtkv_batch_remove (context, request);
    case DTKV_OP_COMPARE_AND_SET:
        return dtkv_compare_and_set (context, request);
    case DTKV_OP_PUT_TEMP:
        return dtkv_put_temp (context, request);
    case DTKV_OP_MKDIR_TEMP:
        return dtkv_mkdir_temp (context, request);
    case DTKV_OP_UPDATE_TTL:
        return dtkv_update_ttl (context, request);
    case DTKV_OP_LOCK:
        return dtkv_lock (context, request);
    case DTKV_OP_UNLOCK:
        return dtkv_unlock (context, request);
    case DTKV_OP_LOCK_RENEW:
        return dtkv_lock_renew (context, request);
    case DTKV_OP_MOVE:
        return dtkv_move (context, request);
    case DTKV_OP_INCREMENT:
        return dtkv_increment (context, request);
    case DTKV_OP_TRANSACTION:
        return dtkv_transaction (context, request);
    default:
        return dtkv_reply_nil (context, DTKV_CLIENT_REQ_ERROR);
    }
}

// Take the write out of its guards, in place. 0, or why it may not be done.
static int s_unwrap (const dtkv_store_t *self, dtkv_request_t *request, uint16_t *operation)
{
    for (uint32_t i = 0; i < request->item_count; i++) {
        msgpack_slice_t path;
        uint64_t token;
        dtkv_request_guard (request, &path, &token);
        if (!dtkv_lock_holds (&self->tree, path.data, path.bytes, token)) {
            return DTKV_FENCED;
        }
    }
    const msgpack_slice_t body = request->body;
    *operation = request->operation;
    return dtkv_request_decode (request, *operation, body.data, body.bytes, &self->limits);
}

int dtkv_run_read (const dtkv_tree_t *tree, uint16_t operation, dtkv_request_t *request,
                   const dtkv_limits_t *limits, dt_buffer_t *reply)
{
    switch (operation) {
    case DTKV_OP_GET:
        return dtkv_get (tree, request, reply);
    case DTKV_OP_LIST:
        return dtkv_list (tree, request, limits, reply);
    case DTKV_OP_BATCH_GET:
        return dtkv_batch_get (tree, request, limits, reply);
    default:
        msgpack_write_nil (reply);
        return DTKV_CLIENT_REQ_ERROR;
    }
}

// Is the reply made of replies, each of which may hold a node?
static bool s_of_many (uint16_t operation)
{
    return operation == DTKV_OP_BATCH_PUT || operation == DTKV_OP_BATCH_REMOVE ||
           operation == DTKV_OP_TRANSACTION;
}

static int s_apply_tree (dtkv_store_t *self, const log_entry_t *entry, dt_buffer_t *body)
{
    dtkv_request_t request;
    uint16_t operation = entry->operation;
    int code = dtkv_request_decode (&request, operation, entry->payload, entry->payload_bytes,
                                    &self->limits);
    if (!code && operation == DTKV_OP_GUARDED) {
        code = s_unwrap (self, &request, &operation);
    }
    if (code) {
        msgpack_write_nil (body);
        return code;
    }
    dtkv_context_t context = {
        .tree = &self->tree,
        .limits = &self->limits,
        .change = {entry->index, entry->wall_ms, entry->principal},
        .body = body,
        .body_bytes_max =
            s_of_many (operation) ? body->bytes + self->limits.reply_bytes_max : SIZE_MAX,
        .parents_left = self->limits.batch_items_max,
        .removals_left = self->limits.batch_items_max,
        .session = entry->session_id,
        .now_ms = self->cluster_time_ms,
        .sessions = &self->sessions,
    };
    return dtkv_run_write (&context, operation, &request);
}

// A write on behalf of a session: with a seq at most once, and its reply is kept.
static void s_apply_session_write (dtkv_store_t *self, const log_entry_t *entry, dt_buffer_t *body,
                                   dtkv_outcome_t *outcome)
{
    dtkv_sessions_t *sessions = &self->sessions;
    dtkv_session_t *session =
        dtkv_sessions_find (sessions, entry->session_id, self->cluster_time_ms);
    const dtkv_kept_reply_t *kept = NULL;
    int code = DTKV_SESSION_UNKNOWN;
    if (session) {
        dtkv_sessions_touch (sessions, session, entry->index, self->cluster_time_ms);
        dtkv_sessions_ack (sessions, session, entry->index, entry->session_ack);
        code = entry->session_seq
                   ? dtkv_sessions_admit (sessions, session, entry->session_seq, &kept)
                   : 0;
    }
    if (code) {
        *outcome = (dtkv_outcome_t){.code = code};
        msgpack_write_nil (body);
        return;
    }
    if (kept) {
        *outcome = (dtkv_outcome_t){(int) kept->code, kept->index, true};
        if (kept->bytes) {
            dt_buffer_append (body, kept->body, kept->bytes);
        } else {
            msgpack_write_nil (body);
        }
        return;
    }
    size_t start = body->bytes;
    outcome->code = s_apply_tree (self, entry, body);
    if (entry->session_seq) {
        dtkv_sessions_keep (sessions, session, entry->session_seq, entry->index, outcome->code,
                            body->data + start, body->bytes - start);
    }
}

int dtkv_store_apply (dtkv_store_t *self, const log_entry_t *entry, dt_buffer_t *body,
                      dtkv_outcome_t *outcome)
{
    dt_assert (entry->index > self->applied_index);
    self->applied_index = entry->index;
    if (entry->cluster_time_ms > self->cluster_time_ms) {
        self->cluster_time_ms = entry->cluster_time_ms;
    }
    if (entry->type == LOG_ENTRY_CLOCK) {
        const dtkv_change_t change = {entry->index, entry->wall_ms, entry->principal};
        dtkv_expire (&self->tree, &self->sessions, &change, self->cluster_time_ms);
    }
    *outcome = (dtkv_outcome_t){.code = DTKV_SUCCESS, .index = entry->index};
    if (entry->type != LOG_ENTRY_COMMAND) {
        msgpack_write_nil (body);
    } else if (entry->operation >= DTKV_OP_SESSION_OPEN &&
               entry->operation <= DTKV_OP_SESSION_KEEPALIVE) {
        outcome->code = s_apply_session (self, entry, body);
    } else if (entry->session_id) {
        s_apply_session_write (self, entry, body, outcome);
    } else {
        outcome->code = s_apply_tree (self, entry, body);
    }
    dtkv_history_trim (&self->history);
    return outcome->code;
}

static int s_read_transaction (const dtkv_store_t *self, const dtkv_request_t *request,
                               dt_buffer_t *reply)
{
    if (request->writes) {
        msgpack_write_nil (reply);
        return DTKV_CLIENT_REQ_ERROR;
    }
    dtkv_context_t context = {
        .tree = (dtkv_tree_t *) &self->tree, // not written to
        .limits = &self->limits,
        .body = reply,
        .body_bytes_max = reply->bytes + self->limits.reply_bytes_max,
    };
    return dtkv_transaction (&context, request);
}

int dtkv_store_read (const dtkv_store_t *self, uint16_t operation, const void *body, size_t bytes,
                     dt_buffer_t *reply)
{
    dtkv_request_t request;
    int code = dtkv_request_decode (&request, operation, body, bytes, &self->limits);
    if (code) {
        msgpack_write_nil (reply);
        return code;
    }
    switch (operation) {
    case DTKV_OP_TRANSACTION:
        return s_read_transaction (self, &request, reply);
    case DTKV_OP_GET_AT:
        return dtkv_get_at (&self->tree, &self->history, &request, reply);
    case DTKV_OP_DIFF:
        return dtkv_diff (&self->history, self->applied_index, &request, reply);
    default:
        return dtkv_run_read (&self->tree, operation, &request, &self->limits, reply);
    }
}

uint64_t dtkv_store_applied_index (const dtkv_store_t *self)
{
    return self->applied_index;
}

uint64_t dtkv_store_cluster_time_ms (const dtkv_store_t *self)
{
    return self->cluster_time_ms;
}

uint64_t dtkv_store_due_ms (const dtkv_store_t *self)
{
    return dtkv_expire_due_ms (&self->tree, &self->sessions);
}

uint64_t dtkv_store_digest (const dtkv_store_t *self)
{
    return dtkv_digest_state (self->tree.digest, self->sessions.digest, self->applied_index,
                              self->cluster_time_ms);
}

uint64_t dtkv_store_digest_recompute (const dtkv_store_t *self)
{
    return dtkv_digest_state (dtkv_tree_digest_recompute (&self->tree),
                              dtkv_sessions_digest_recompute (&self->sessions), self->applied_index,
                              self->cluster_time_ms);
}

uint64_t dtkv_store_content_digest (const dtkv_store_t *self)
{
    return dtkv_digest_state (self->tree.digest, self->sessions.digest, 0, 0);
}

uint64_t dtkv_store_nodes (const dtkv_store_t *self)
{
    return self->tree.table.nodes;
}

const dtkv_history_t *dtkv_store_history (const dtkv_store_t *self)
{
    return &self->history;
}

const dtkv_tree_t *dtkv_store_tree (const dtkv_store_t *self)
{
    return &self->tree;
}

uint64_t dtkv_store_bytes (const dtkv_store_t *self)
{
    return self->tree.bytes;
}

uint32_t dtkv_store_sessions (const dtkv_store_t *self)
{
    return self->sessions.count;
}

const dtkv_limits_t *dtkv_store_limits (const dtkv_store_t *self)
{
    return &self->limits;
}

void dtkv_store_check (const dtkv_store_t *self)
{
    dtkv_tree_check (&self->tree);
    dtkv_sessions_check (&self->sessions);
    dt_assert ((self->snapshot != NULL) == (self->tree.capture != NULL));
    dt_assert ((self->snapshot != NULL) == self->sessions.snapshot);
    dtkv_history_check (&self->history);
    dt_assert (dtkv_store_digest (self) == dtkv_store_digest_recompute (self));
}
