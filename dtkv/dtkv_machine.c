#include "dtkv/dtkv_machine.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_snapshot.h"
#include "transport/msgpack_writer.h"

typedef struct {
    raft_machine_t machine;       // first: what raft sees
    dtkv_store_options_t options; // of every store made here
    dtkv_store_t *store;          // owned
    dtkv_restore_t *restore;      // owned; NULL: none going on
    dtkv_watches_t *watches;      // owned; NULL: nobody may watch
} s_machine_t;

static s_machine_t *s_of (raft_machine_t *machine)
{
    return (s_machine_t *) machine;
}

static const s_machine_t *s_of_const (const raft_machine_t *machine)
{
    return (const s_machine_t *) machine;
}

static int s_check (const raft_machine_t *self, uint32_t operation, const uint8_t *body,
                    size_t bytes, bool *writes, const char **text)
{
    if (operation > UINT16_MAX || !dtkv_operation_name ((uint16_t) operation)) {
        return DT_ERR_UNKNOWN_OPERATION;
    }
    if (dtkv_watch_operation (operation)) {
        *writes = false;
        return dtkv_watch_validate (operation, body, bytes);
    }
    *writes = dtkv_operation_writes ((uint16_t) operation, body, bytes);
    int code = dtkv_operation_validate ((uint16_t) operation, body, bytes,
                                        &s_of_const (self)->options.limits);
    if (code != 0) {
        *text = dtkv_result_text (code);
    }
    return code;
}

static int s_apply (raft_machine_t *self, const log_entry_t *entry, dt_buffer_t *body,
                    uint64_t *index)
{
    dtkv_outcome_t outcome;
    int code = dtkv_store_apply (s_of (self)->store, entry, body, &outcome);
    *index = outcome.index;
    return code;
}

static int s_read (raft_machine_t *self, uint16_t operation, const uint8_t *body, size_t bytes,
                   dt_buffer_t *reply)
{
    return dtkv_store_read (s_of (self)->store, operation, body, bytes, reply);
}

static uint64_t s_applied (const raft_machine_t *self)
{
    return dtkv_store_applied_index (s_of_const (self)->store);
}

static uint64_t s_digest (const raft_machine_t *self)
{
    return dtkv_store_digest (s_of_const (self)->store);
}

static uint64_t s_due_ms (const raft_machine_t *self)
{
    return dtkv_store_due_ms (s_of_const (self)->store);
}

static uint32_t s_status (const raft_machine_t *self, dt_buffer_t *map)
{
    const dtkv_store_t *store = s_of_const (self)->store;
    protocol_status_add_uint (map, "nodes", dtkv_store_nodes (store));
    protocol_status_add_uint (map, "bytes", dtkv_store_bytes (store));
    protocol_status_add_uint (map, "sessions", dtkv_store_sessions (store));
    protocol_status_add_uint (map, "digest", dtkv_store_digest (store));
    const dtkv_watches_t *watches = s_of_const (self)->watches;
    if (!watches) {
        return 4;
    }
    protocol_status_add_uint (map, "watches", dtkv_watches_count (watches));
    protocol_status_add_uint (map, "watch_streams", dtkv_watches_streams (watches));
    protocol_status_add_uint (map, "watch_lag", dtkv_watches_lag (watches));
    protocol_status_add_uint (map, "history_bytes", dtkv_history_bytes (dtkv_store_history (store)));
    protocol_status_add_uint (map, "history_from", dtkv_store_history (store)->floor);
    return 9;
}

static raft_machine_snapshot_t *s_snapshot_begin (raft_machine_t *self)
{
    dtkv_snapshot_t *snapshot = dtkv_snapshot_new (s_of (self)->store);
    dt_assert (snapshot);
    return (raft_machine_snapshot_t *) snapshot;
}

static void s_snapshot_next (raft_machine_snapshot_t *snapshot, size_t bytes_max, dt_buffer_t *out,
                             bool *done)
{
    dtkv_snapshot_next ((dtkv_snapshot_t *) snapshot, bytes_max, out, done);
}

static void s_snapshot_end (raft_machine_snapshot_t **snapshot_p)
{
    dtkv_snapshot_destroy ((dtkv_snapshot_t **) snapshot_p);
}

static int s_restore_begin (raft_machine_t *self)
{
    s_machine_t *machine = s_of (self);
    dtkv_restore_destroy (&machine->restore);
    machine->restore = dtkv_restore_new (&machine->options);
    return 0;
}

static int s_restore_feed (raft_machine_t *self, const uint8_t *data, size_t bytes)
{
    return dtkv_restore_feed (s_of (self)->restore, data, bytes);
}

static int s_restore_finish (raft_machine_t *self)
{
    s_machine_t *machine = s_of (self);
    dtkv_store_t *store;
    int rc = dtkv_restore_finish (machine->restore, &store);
    dtkv_restore_destroy (&machine->restore);
    if (rc == 0) {
        if (machine->watches) {
            dtkv_watches_rebase (machine->watches, store);
        }
        dtkv_store_destroy (&machine->store);
        machine->store = store;
    }
    return rc;
}

// --- streams -------------------------------------------------------------------------------------

static bool s_is_stream (const raft_machine_t *self, uint16_t operation)
{
    (void) self;
    return dtkv_watch_operation (operation);
}

static int s_stream_request (raft_machine_t *self, const uint8_t *client, size_t client_bytes,
                             uint64_t request_id, uint16_t operation, const uint8_t *body,
                             size_t bytes, uint64_t now_ms, dt_buffer_t *reply)
{
    s_machine_t *machine = s_of (self);
    if (!machine->watches) {
        msgpack_write_nil (reply);
        return DTKV_TOO_MANY_WATCHES;
    }
    return dtkv_watches_request (machine->watches, &(dtkv_watch_client_t){client, client_bytes},
                                 request_id, operation, body, bytes, now_ms, reply);
}

// What raft gave to send with; dtkv/core does not know it.
typedef struct {
    raft_machine_send_fn *send;
    void *context;
} s_sender_t;

static void s_send (void *context, const dtkv_watch_client_t *client, uint64_t request_id, int code,
                    uint64_t index, const uint8_t *body, size_t bytes)
{
    s_sender_t *sender = context;
    sender->send (sender->context, client->data, client->bytes, request_id, code, index, body,
                  bytes);
}

static bool s_stream_push (raft_machine_t *self, uint64_t now_ms, raft_machine_send_fn *send,
                           void *context, uint64_t *deadline_ms)
{
    s_sender_t sender = {send, context};
    dtkv_watches_t *watches = s_of (self)->watches;
    return watches && dtkv_watches_push (watches, now_ms, s_send, &sender, deadline_ms);
}

static void s_stream_end (raft_machine_t *self, int code, raft_machine_send_fn *send, void *context)
{
    s_sender_t sender = {send, context};
    if (s_of (self)->watches) {
        dtkv_watches_end (s_of (self)->watches, code, s_send, &sender);
    }
}

static void s_destroy (raft_machine_t *self)
{
    s_machine_t *machine = s_of (self);
    dtkv_restore_destroy (&machine->restore);
    dtkv_watches_destroy (&machine->watches);
    dtkv_store_destroy (&machine->store);
    free (machine);
}

static const raft_machine_ops_t s_ops = {
    .check = s_check,
    .apply = s_apply,
    .read = s_read,
    .applied = s_applied,
    .digest = s_digest,
    .due_ms = s_due_ms,
    .status = s_status,
    .snapshot_begin = s_snapshot_begin,
    .snapshot_next = s_snapshot_next,
    .snapshot_end = s_snapshot_end,
    .restore_begin = s_restore_begin,
    .restore_feed = s_restore_feed,
    .restore_finish = s_restore_finish,
    .is_stream = s_is_stream,
    .stream_request = s_stream_request,
    .stream_push = s_stream_push,
    .stream_end = s_stream_end,
    .destroy = s_destroy,
};

raft_machine_t *dtkv_machine_new (const dtkv_store_options_t *options)
{
    s_machine_t *self = dt_zalloc (1, sizeof *self);
    self->machine.ops = &s_ops;
    self->options = *options;
    self->store = dtkv_store_new (options);
    return &self->machine;
}

void dtkv_machine_let_watch (raft_machine_t *self, const dtkv_watches_options_t *options)
{
    s_machine_t *machine = s_of (self);
    dt_assert (!machine->watches);
    machine->watches = dtkv_watches_new (options, machine->store);
}

dtkv_store_t *dtkv_machine_store (raft_machine_t *self)
{
    return s_of (self)->store;
}

void dtkv_machine_limits (const dtkv_limits_t *limits, protocol_limits_t *told)
{
    told->key_bytes_max = limits->key_bytes_max;
    told->value_bytes_max = limits->value_bytes_max;
    told->depth_max = limits->depth_max;
    told->batch_items_max = limits->batch_items_max;
    told->sessions_max = limits->sessions_max;
    told->session_replies_max = limits->session_replies_max;
    told->session_nodes_max = limits->session_nodes_max;
}
