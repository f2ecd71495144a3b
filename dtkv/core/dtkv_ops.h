// dtkv_ops - the operations on the tree, one file per topic.
//
// Each returns a dtkv_result_t and appends exactly one msgpack object to the reply, whatever the
// code: nil where there is nothing to say.

#ifndef DTKV_OPS_H
#define DTKV_OPS_H

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_lock.h"
#include "dtkv/core/dtkv_request.h"
#include "dtkv/core/dtkv_result.h"
#include "dtkv/core/dtkv_tree.h"

// What a write works on.
typedef struct {
    dtkv_tree_t *tree;
    const dtkv_limits_t *limits;
    dtkv_change_t change;
    dt_buffer_t *body;      // reply
    size_t body_bytes_max;  // a previous node that would bring the reply above it is refused
    uint64_t parents_left;  // missing directories the request may still create
    uint64_t removals_left; // nodes the request may still remove recursively
    uint64_t session;       // on behalf of which it is done; 0: none
    uint64_t now_ms;        // cluster time
    const dtkv_sessions_t *sessions; // which of them live
    dtkv_lifetime_t lifetime;        // of the node that a put or mkdir creates
} dtkv_context_t;

// Writes of one path or two (dtkv_put.c, dtkv_remove.c, dtkv_cas.c, dtkv_move.c, dtkv_increment.c).
int dtkv_put (dtkv_context_t *self, const dtkv_path_t *path, msgpack_slice_t value, uint32_t flags);
int dtkv_mkdir (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags);
int dtkv_remove (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags);
int dtkv_compare_and_set (dtkv_context_t *self, const dtkv_request_t *request);
int dtkv_move (dtkv_context_t *self, const dtkv_request_t *request);
int dtkv_increment (dtkv_context_t *self, const dtkv_request_t *request);

// The directory in which a path that is not the root may be created; missing ones are made if flags
// say so. 0, or why not, and then nothing was made.
int dtkv_make_parent (dtkv_context_t *self, const dtkv_path_t *path, uint32_t flags,
                      dtkv_directory_t **parent);

// Temporary nodes (dtkv_ttl.c).
int dtkv_put_temp (dtkv_context_t *self, const dtkv_request_t *request);
int dtkv_mkdir_temp (dtkv_context_t *self, const dtkv_request_t *request);
int dtkv_update_ttl (dtkv_context_t *self, const dtkv_request_t *request);

// Locks (dtkv_lock.c); a write under guards (dtkv_store.c).
int dtkv_lock (dtkv_context_t *self, const dtkv_request_t *request);
int dtkv_unlock (dtkv_context_t *self, const dtkv_request_t *request);
int dtkv_lock_renew (dtkv_context_t *self, const dtkv_request_t *request);

// Writes on temporary nodes by put and mkdir: what their flags KEEP_TTL and CONVERT allow. 0, or
// why not.
int dtkv_may_put_temporary (const dtkv_context_t *self, const dtkv_node_t *node, uint32_t flags);
int dtkv_mkdir_permanent (dtkv_context_t *self, dtkv_node_t *node, const dtkv_path_t *path,
                          uint32_t flags);

// May the request change this node? True unless another session owns it.
bool dtkv_may_change (const dtkv_context_t *self, const dtkv_node_t *node);

// Writes of many (dtkv_batch.c).
int dtkv_batch_put (dtkv_context_t *self, dtkv_request_t *request);
int dtkv_batch_remove (dtkv_context_t *self, dtkv_request_t *request);

// Append the items of something that is all or nothing and came to nothing.
void dtkv_reply_aborted (dtkv_context_t *self, uint32_t count, uint32_t failed, int code);

// Several operations under conditions (dtkv_transaction.c). Of the context's tree nothing is
// changed if the request does not write.
int dtkv_transaction (dtkv_context_t *self, const dtkv_request_t *request);

// One decoded operation of the tree (dtkv_store.c).
int dtkv_run_write (dtkv_context_t *self, uint16_t operation, dtkv_request_t *request);
int dtkv_run_read (const dtkv_tree_t *tree, uint16_t operation, dtkv_request_t *request,
                   const dtkv_limits_t *limits, dt_buffer_t *reply);

// Reads (dtkv_get.c, dtkv_list.c).
int dtkv_get (const dtkv_tree_t *tree, const dtkv_request_t *request, dt_buffer_t *reply);
int dtkv_batch_get (const dtkv_tree_t *tree, dtkv_request_t *request, const dtkv_limits_t *limits,
                    dt_buffer_t *reply);
int dtkv_list (const dtkv_tree_t *tree, const dtkv_request_t *request, const dtkv_limits_t *limits,
               dt_buffer_t *reply);

// Reads of the past (dtkv_get_at.c). DTKV_COMPACTED: it is not kept.
int dtkv_get_at (const dtkv_tree_t *tree, const dtkv_history_t *history,
                 const dtkv_request_t *request, dt_buffer_t *reply);
int dtkv_diff (const dtkv_history_t *history, uint64_t applied, const dtkv_request_t *request,
               dt_buffer_t *reply);

// Append a node as the protocol shows it, with META if flags say so.
void dtkv_reply_node (dt_buffer_t *reply, const dtkv_node_t *node, uint32_t flags);

// Append the node as it was before a write if flags ask for it, else nil. False: the reply would
// become too large; nothing was appended.
bool dtkv_reply_previous (dtkv_context_t *self, const dtkv_node_t *node, uint32_t flags);

// Append nil and return the code.
int dtkv_reply_nil (dtkv_context_t *self, int code);

#endif // DTKV_OPS_H
