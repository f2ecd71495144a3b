#include "dtkv/dtkv_machine.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_snapshot.h"

typedef struct {
    raft_machine_t machine;       // first: what raft sees
    dtkv_store_options_t options; // of every store made here
    dtkv_store_t *store;          // owned
    dtkv_restore_t *restore;      // owned; NULL: none going on
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
    return 4;
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
        dtkv_store_destroy (&machine->store);
        machine->store = store;
    }
    return rc;
}

static void s_destroy (raft_machine_t *self)
{
    s_machine_t *machine = s_of (self);
    dtkv_restore_destroy (&machine->restore);
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
