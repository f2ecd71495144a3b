// dt_client - client of a Dongting cluster: its tree of keys, from any C or C++ program.
//
// One client holds one I/O thread and a connection to each node it needs. All calls are safe from
// any thread. Synchronous calls block the caller; asynchronous ones return at once and run a
// callback on the I/O thread.
//
// Results are codes (dt_client_types.h). A code says one of three things, dt_result_t.outcome:
// done; certainly not done; uncertain (DT_OUTCOME_UNKNOWN: a write whose reply was lost).
// With `session` on, a lost reply makes the client send the write again under the same number, the
// node carries it out once, and DT_OUTCOME_UNKNOWN is left for writes still unanswered at their
// time limit. Without it a write is sent again only when the node said that it did nothing. Reads
// are sent again freely. Requests in flight together may be carried out in any order.
//
// A client does not survive fork: the child must not call anything on it, dt_client_close included
// (open a new one). Signals are blocked in its threads. The library never exits or
// aborts for what a user, a node or the network does.

#ifndef DT_CLIENT_H
#define DT_CLIENT_H

#include "dt_client_types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dt_client dt_client_t;
typedef struct dt_list dt_list_t;
typedef struct dt_txn dt_txn_t;

// Fill options with the defaults.
DT_PUBLIC void dt_client_options_init (dt_client_options_t *options);

// Open a client and wait until a node answers, at most connect_timeout_ms. On success *client_p is
// the caller's until dt_client_close. Otherwise a code, *client_p is NULL and `error` (may be NULL)
// holds a text of at most error_bytes - 1 bytes: DT_INVALID: an option is wrong; DT_TIMEOUT: no
// node answered; DT_PROTOCOL_VERSION: the nodes speak another version; others as session_open
// gives.
DT_PUBLIC int dt_client_open (dt_client_t **client_p, const dt_client_options_t *options,
                              char *error, size_t error_bytes);

// End everything in flight (each callback runs once: DT_CLOSED if certainly not done or a read,
// else DT_OUTCOME_UNKNOWN), close the client's session without waiting, free it and null the
// pointer. Accepts a NULL client. No other thread may be in a call on it. Not from a callback.
DT_PUBLIC void dt_client_close (dt_client_t **client_p);

// What the last hello said. DT_NOT_READY if no node has answered yet.
DT_PUBLIC int dt_client_limits (dt_client_t *self, dt_limits_t *limits);

// Copy at most groups_max of the raft group ids the last hello named; returns how many there are.
DT_PUBLIC size_t dt_client_groups (dt_client_t *self, uint32_t *groups, size_t groups_max);

// The client's counters at this moment.
DT_PUBLIC void dt_client_stats (dt_client_t *self, dt_client_stats_t *stats);

// The client's exactly-once session; 0 without one.
DT_PUBLIC uint64_t dt_client_session_id (dt_client_t *self);

// Name ("NOT_FOUND") and text ("not found") of a code; "UNKNOWN" and "unknown code" for others.
DT_PUBLIC const char *dt_code_name (int code);
DT_PUBLIC const char *dt_code_text (int code);

// True for SUCCESS and SUCCESS_OVERWRITE.
static inline bool dt_code_is_success (int code)
{
    return code == DT_SUCCESS || code == DT_SUCCESS_OVERWRITE;
}

// Asynchronous calls -----------------------------------------------------------------------------
//
// Each returns 0: accepted, the callback runs exactly once, later, on the I/O thread (or in
// dt_client_close). Or it returns a code, the callback does not run and nothing was sent:
// DT_INVALID, DT_TOO_BIG (over a limit), DT_BUSY (in_flight_max or in_flight_bytes_max reached and
// either `nonblocking` is set or the call was made in a callback), DT_TIMEOUT (blocked longer than
// the call's time limit), DT_CLOSED. Without `nonblocking` a full client blocks the caller.
// Arguments are copied before the return.
//
// A callback must not block and must not make synchronous calls (they answer DT_INVALID there). It
// may submit new requests: that takes no lock and no wake-up, and one request per callback always
// fits.

typedef void (dt_callback_t) (void *user, const dt_result_t *result);

DT_PUBLIC int dt_client_ping_async (dt_client_t *self, const dt_call_options_t *options,
                                    dt_callback_t *callback, void *user);
DT_PUBLIC int dt_client_get_async (dt_client_t *self, dt_bytes_t path,
                                   const dt_call_options_t *options, dt_callback_t *callback,
                                   void *user);
DT_PUBLIC int dt_client_put_async (dt_client_t *self, dt_bytes_t path, dt_bytes_t value,
                                   const dt_call_options_t *options, dt_callback_t *callback,
                                   void *user);
DT_PUBLIC int dt_client_remove_async (dt_client_t *self, dt_bytes_t path,
                                      const dt_call_options_t *options, dt_callback_t *callback,
                                      void *user);
DT_PUBLIC int dt_client_mkdir_async (dt_client_t *self, dt_bytes_t path,
                                     const dt_call_options_t *options, dt_callback_t *callback,
                                     void *user);
// page NULL: from the start, the node's page limits.
DT_PUBLIC int dt_client_list_async (dt_client_t *self, dt_bytes_t path, const dt_page_t *page,
                                    const dt_call_options_t *options, dt_callback_t *callback,
                                    void *user);
DT_PUBLIC int dt_client_batch_get_async (dt_client_t *self, const dt_bytes_t *paths, size_t count,
                                         const dt_call_options_t *options, dt_callback_t *callback,
                                         void *user);
DT_PUBLIC int dt_client_batch_put_async (dt_client_t *self, const dt_pair_t *pairs, size_t count,
                                         const dt_call_options_t *options, dt_callback_t *callback,
                                         void *user);
DT_PUBLIC int dt_client_batch_remove_async (dt_client_t *self, const dt_bytes_t *paths,
                                            size_t count, const dt_call_options_t *options,
                                            dt_callback_t *callback, void *user);
// value NULL removes the node when the condition holds.
DT_PUBLIC int dt_client_compare_and_set_async (dt_client_t *self, dt_bytes_t path,
                                               const dt_condition_t *condition,
                                               const dt_bytes_t *value,
                                               const dt_call_options_t *options,
                                               dt_callback_t *callback, void *user);
// Move a node with all that is below it to a path that is free.
DT_PUBLIC int dt_client_move_async (dt_client_t *self, dt_bytes_t from, dt_bytes_t to,
                                    const dt_call_options_t *options, dt_callback_t *callback,
                                    void *user);
// Add to a value that is a decimal number; a missing one counts as 0. DT_NOT_A_COUNTER.
DT_PUBLIC int dt_client_increment_async (dt_client_t *self, dt_bytes_t path, int64_t delta,
                                         const dt_call_options_t *options, dt_callback_t *callback,
                                         void *user);
// The transaction stays the caller's and is not changed.
DT_PUBLIC int dt_client_transaction_async (dt_client_t *self, const dt_txn_t *txn,
                                           const dt_call_options_t *options,
                                           dt_callback_t *callback, void *user);
DT_PUBLIC int dt_client_status_async (dt_client_t *self, const dt_call_options_t *options,
                                      dt_callback_t *callback, void *user);
// A request about the group's nodes and leader: bodies and replies as docs/PROTOCOL.md section 4
// has them, in msgpack; no body: nil. config_get is answered by any node, the others by the leader,
// whom the client finds.
DT_PUBLIC int dt_client_admin_async (dt_client_t *self, dt_admin_t operation, dt_bytes_t body,
                                     const dt_call_options_t *options, dt_callback_t *callback,
                                     void *user);
DT_PUBLIC int dt_client_snapshot_take_async (dt_client_t *self, const dt_call_options_t *options,
                                             dt_callback_t *callback, void *user);
DT_PUBLIC int dt_client_session_open_async (dt_client_t *self, uint32_t ttl_ms,
                                            const dt_call_options_t *options,
                                            dt_callback_t *callback, void *user);
DT_PUBLIC int dt_client_session_close_async (dt_client_t *self, uint64_t session_id,
                                             const dt_call_options_t *options,
                                             dt_callback_t *callback, void *user);
DT_PUBLIC int dt_client_session_keepalive_async (dt_client_t *self, uint64_t session_id,
                                                 const dt_call_options_t *options,
                                                 dt_callback_t *callback, void *user);

// Between these two calls the calling thread holds the client's submission lock: asynchronous calls
// in between cost no lock and no wake-up each and leave in as few frames as they fit. Keep it
// short. A full client still blocks (others may submit meanwhile) or answers DT_BUSY. Not in
// callbacks, where it has no effect and none is needed. Does not nest; no synchronous calls in
// between (DT_INVALID).
DT_PUBLIC void dt_client_batch_begin (dt_client_t *self);
DT_PUBLIC void dt_client_batch_flush (dt_client_t *self);

// Synchronous calls ------------------------------------------------------------------------------
//
// Each returns the result's code. With result_p not NULL, *result_p is set to the whole result, the
// caller's until dt_result_free, or to NULL if the request was not accepted (codes as above).

DT_PUBLIC int dt_client_ping (dt_client_t *self, const dt_call_options_t *options,
                              dt_result_t **result_p);
DT_PUBLIC int dt_client_get (dt_client_t *self, dt_bytes_t path, const dt_call_options_t *options,
                             dt_result_t **result_p);
DT_PUBLIC int dt_client_put (dt_client_t *self, dt_bytes_t path, dt_bytes_t value,
                             const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_remove (dt_client_t *self, dt_bytes_t path,
                                const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_mkdir (dt_client_t *self, dt_bytes_t path, const dt_call_options_t *options,
                               dt_result_t **result_p);
DT_PUBLIC int dt_client_list (dt_client_t *self, dt_bytes_t path, const dt_page_t *page,
                              const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_batch_get (dt_client_t *self, const dt_bytes_t *paths, size_t count,
                                   const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_batch_put (dt_client_t *self, const dt_pair_t *pairs, size_t count,
                                   const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_batch_remove (dt_client_t *self, const dt_bytes_t *paths, size_t count,
                                      const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_compare_and_set (dt_client_t *self, dt_bytes_t path,
                                         const dt_condition_t *condition, const dt_bytes_t *value,
                                         const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_move (dt_client_t *self, dt_bytes_t from, dt_bytes_t to,
                              const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_increment (dt_client_t *self, dt_bytes_t path, int64_t delta,
                                   const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_transaction (dt_client_t *self, const dt_txn_t *txn,
                                     const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_status (dt_client_t *self, const dt_call_options_t *options,
                                dt_result_t **result_p);
DT_PUBLIC int dt_client_admin (dt_client_t *self, dt_admin_t operation, dt_bytes_t body,
                               const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_snapshot_take (dt_client_t *self, const dt_call_options_t *options,
                                       dt_result_t **result_p);
DT_PUBLIC int dt_client_session_open (dt_client_t *self, uint32_t ttl_ms,
                                      const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_session_close (dt_client_t *self, uint64_t session_id,
                                       const dt_call_options_t *options, dt_result_t **result_p);
DT_PUBLIC int dt_client_session_keepalive (dt_client_t *self, uint64_t session_id,
                                           const dt_call_options_t *options,
                                           dt_result_t **result_p);

// Free a synchronous call's result and null the pointer. Accepts a NULL result.
DT_PUBLIC void dt_result_free (dt_result_t **result_p);

// Reading results --------------------------------------------------------------------------------
//
// Views point into the result. A helper that does not fit the result's operation, or a body that is
// not what the protocol says, gives false.

// The node of get, or the previous node of put, remove and compare_and_set with DT_PREVIOUS.
// False also when there is none.
DT_PUBLIC bool dt_result_node (const dt_result_t *result, dt_node_t *node);

// Items of a list page. dt_result_list starts, dt_list_item_next gives one after the other until
// false; then iterator->malformed tells a broken body from the end.
// next (may be NULL): what to pass as dt_page_t.after for the next page, no bytes at the end.
// count (may be NULL): how many items there are (with DT_COUNT_ONLY: of all, the page is empty).
DT_PUBLIC bool dt_result_list (const dt_result_t *result, dt_iterator_t *iterator, dt_bytes_t *next,
                               uint64_t *count);
DT_PUBLIC bool dt_list_item_next (dt_iterator_t *iterator, dt_list_item_t *item);

// Items of batch_get, batch_put and batch_remove, in the order they were asked.
DT_PUBLIC bool dt_result_batch (const dt_result_t *result, dt_iterator_t *iterator);
DT_PUBLIC bool dt_batch_item_next (dt_iterator_t *iterator, dt_batch_item_t *item);

// Items of status.
DT_PUBLIC bool dt_result_status (const dt_result_t *result, dt_iterator_t *iterator);
DT_PUBLIC bool dt_status_item_next (dt_iterator_t *iterator, dt_status_item_t *item);

// session_open and session_keepalive: the session and its time to live as the node granted it.
DT_PUBLIC bool dt_result_session (const dt_result_t *result, uint64_t *session_id,
                                  uint64_t *ttl_ms);

// snapshot_take: the snapshot's index and size.
DT_PUBLIC bool dt_result_snapshot (const dt_result_t *result, uint64_t *index, uint64_t *bytes);

// increment: the sum.
DT_PUBLIC bool dt_result_number (const dt_result_t *result, int64_t *number);

// put and mkdir with DT_SEQUENTIAL: the path that was created.
DT_PUBLIC bool dt_result_path (const dt_result_t *result, dt_bytes_t *path);

// transaction: did the conditions hold (may be NULL), and the results of the operations that were
// chosen, one after the other in their order. Each is a result like any other, to be read with the
// helpers above; it points into the transaction's. Of a failed transaction the operation that
// failed has its code, the others DT_BATCH_ABORTED.
DT_PUBLIC bool dt_result_txn (const dt_result_t *result, bool *succeeded, dt_iterator_t *iterator);
DT_PUBLIC bool dt_txn_result_next (dt_iterator_t *iterator, dt_result_t *result);

// Transactions -----------------------------------------------------------------------------------
//
// Conditions, operations to carry out if all of them hold, and operations to carry out otherwise:
// all or nothing, at one index. Operations are numbered by their order in their branch. Arguments
// are copied. A transaction may be sent any number of times. Not thread safe.

DT_PUBLIC dt_txn_t *dt_txn_new (void);

// Free a transaction and null the pointer. Accepts a NULL transaction.
DT_PUBLIC void dt_txn_destroy (dt_txn_t **self_p);

// Conditions on the node at a path.
DT_PUBLIC void dt_txn_if_exists (dt_txn_t *self, dt_bytes_t path);
DT_PUBLIC void dt_txn_if_absent (dt_txn_t *self, dt_bytes_t path);
DT_PUBLIC void dt_txn_if_value (dt_txn_t *self, dt_bytes_t path, dt_bytes_t value);
DT_PUBLIC void dt_txn_if_version (dt_txn_t *self, dt_bytes_t path, uint64_t version);
DT_PUBLIC void dt_txn_if_modify_index (dt_txn_t *self, dt_bytes_t path, uint64_t index);
DT_PUBLIC void dt_txn_if_create_index (dt_txn_t *self, dt_bytes_t path, uint64_t index);
DT_PUBLIC void dt_txn_if_child_version (dt_txn_t *self, dt_bytes_t path, uint64_t version);
// The lock at this path is held under this token.
DT_PUBLIC void dt_txn_if_lock (dt_txn_t *self, dt_bytes_t path, uint64_t token);

// Operations, with their request flags.
DT_PUBLIC void dt_txn_get (dt_txn_t *self, dt_bytes_t path, uint32_t flags);
DT_PUBLIC void dt_txn_list (dt_txn_t *self, dt_bytes_t path, uint32_t flags);
DT_PUBLIC void dt_txn_put (dt_txn_t *self, dt_bytes_t path, dt_bytes_t value, uint32_t flags);
DT_PUBLIC void dt_txn_remove (dt_txn_t *self, dt_bytes_t path, uint32_t flags);
DT_PUBLIC void dt_txn_mkdir (dt_txn_t *self, dt_bytes_t path, uint32_t flags);
DT_PUBLIC void dt_txn_move (dt_txn_t *self, dt_bytes_t from, dt_bytes_t to, uint32_t flags);
DT_PUBLIC void dt_txn_increment (dt_txn_t *self, dt_bytes_t path, int64_t delta, uint32_t flags);

// The operations that follow are for when a condition does not hold. At most once.
DT_PUBLIC void dt_txn_else (dt_txn_t *self);

// Listing page by page ---------------------------------------------------------------------------

// Open a cursor over the items of a directory; fetches pages as they are needed. Not thread safe.
// Changes made to the directory meanwhile may or may not be seen; no item is given twice.
DT_PUBLIC dt_list_t *dt_list_open (dt_client_t *self, dt_bytes_t path, uint32_t page_items_max,
                                   const dt_call_options_t *options);

// Give the next item: DT_SUCCESS and *item, valid until the next call on the cursor; DT_NOT_FOUND
// with dt_list_done true at the end; else the code of the page that failed (calling again retries).
DT_PUBLIC int dt_list_next (dt_list_t *self, dt_list_item_t *item);

// True when the last item was given.
DT_PUBLIC bool dt_list_done (const dt_list_t *self);

// The result of the page read last (message, index, digest), or NULL; the cursor's.
DT_PUBLIC const dt_result_t *dt_list_result (const dt_list_t *self);

// Free a cursor and null the pointer. Accepts a NULL cursor.
DT_PUBLIC void dt_list_close (dt_list_t **self_p);

#ifdef __cplusplus
}
#endif

#endif // DT_CLIENT_H
