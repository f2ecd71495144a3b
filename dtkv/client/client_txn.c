// Transactions: conditions and operations, packed as they are added.

#include <stdlib.h>

#include "base/dt_memory.h"
#include "dtkv/client/client_internal.h"
#include "transport/msgpack_writer.h"

// Kinds of conditions, docs/PROTOCOL.md section 4.
enum {
    IF_EXISTS = 0,
    IF_ABSENT = 1,
    IF_VERSION = 2,
    IF_MODIFY_INDEX = 3,
    IF_VALUE = 4,
    IF_LOCK = 5,
    IF_CHILD_VERSION = 6,
    IF_CREATE_INDEX = 7,
};

typedef struct {
    dt_buffer_t packed;
    uint32_t count;
} s_list_t;

struct dt_txn {
    s_list_t conditions;
    s_list_t branches[2]; // then, else
    unsigned branch;      // being added to
    bool writes;          // one of the operations is a write
    bool invalid;         // an argument was none
};

dt_txn_t *dt_txn_new (void)
{
    return dt_zalloc (1, sizeof (dt_txn_t));
}

void dt_txn_destroy (dt_txn_t **self_p)
{
    dt_txn_t *self = *self_p;
    if (!self) {
        return;
    }
    *self_p = NULL;
    dt_buffer_deinit (&self->conditions.packed);
    dt_buffer_deinit (&self->branches[0].packed);
    dt_buffer_deinit (&self->branches[1].packed);
    free (self);
}

static void s_add_bytes (dt_txn_t *self, dt_buffer_t *packed, dt_bytes_t bytes)
{
    if ((!bytes.data && bytes.bytes) || bytes.bytes > UINT32_MAX) {
        self->invalid = true;
        return;
    }
    msgpack_write_bin (packed, bytes.data, (uint32_t) bytes.bytes);
}

// [ kind, path, operand ? ]: the operand is for the caller to append.
static dt_buffer_t *s_condition (dt_txn_t *self, unsigned kind, dt_bytes_t path)
{
    dt_buffer_t *packed = &self->conditions.packed;
    self->conditions.count++;
    msgpack_write_array (packed, kind > IF_ABSENT ? 3 : 2);
    msgpack_write_uint (packed, kind);
    s_add_bytes (self, packed, path);
    return packed;
}

static void s_condition_number (dt_txn_t *self, unsigned kind, dt_bytes_t path, uint64_t number)
{
    msgpack_write_uint (s_condition (self, kind, path), number);
}

void dt_txn_if_exists (dt_txn_t *self, dt_bytes_t path)
{
    s_condition (self, IF_EXISTS, path);
}

void dt_txn_if_absent (dt_txn_t *self, dt_bytes_t path)
{
    s_condition (self, IF_ABSENT, path);
}

void dt_txn_if_value (dt_txn_t *self, dt_bytes_t path, dt_bytes_t value)
{
    s_add_bytes (self, s_condition (self, IF_VALUE, path), value);
}

void dt_txn_if_version (dt_txn_t *self, dt_bytes_t path, uint64_t version)
{
    s_condition_number (self, IF_VERSION, path, version);
}

void dt_txn_if_modify_index (dt_txn_t *self, dt_bytes_t path, uint64_t index)
{
    s_condition_number (self, IF_MODIFY_INDEX, path, index);
}

void dt_txn_if_create_index (dt_txn_t *self, dt_bytes_t path, uint64_t index)
{
    s_condition_number (self, IF_CREATE_INDEX, path, index);
}

void dt_txn_if_child_version (dt_txn_t *self, dt_bytes_t path, uint64_t version)
{
    s_condition_number (self, IF_CHILD_VERSION, path, version);
}

void dt_txn_if_lock (dt_txn_t *self, dt_bytes_t path, uint64_t token)
{
    s_condition_number (self, IF_LOCK, path, token);
}

// [ operation, [ path, ... ] ]: the rest of `elements` is for the caller to append.
static dt_buffer_t *s_operation (dt_txn_t *self, dt_operation_t operation, uint32_t elements,
                                 dt_bytes_t path)
{
    s_list_t *branch = &self->branches[self->branch];
    branch->count++;
    self->writes |= operation != DT_OPERATION_GET && operation != DT_OPERATION_LIST;
    msgpack_write_array (&branch->packed, 2);
    msgpack_write_uint (&branch->packed, (uint64_t) operation);
    msgpack_write_array (&branch->packed, elements);
    s_add_bytes (self, &branch->packed, path);
    return &branch->packed;
}

void dt_txn_get (dt_txn_t *self, dt_bytes_t path, uint32_t flags)
{
    msgpack_write_uint (s_operation (self, DT_OPERATION_GET, 2, path), flags);
}

void dt_txn_list (dt_txn_t *self, dt_bytes_t path, uint32_t flags)
{
    msgpack_write_uint (s_operation (self, DT_OPERATION_LIST, 2, path), flags);
}

void dt_txn_put (dt_txn_t *self, dt_bytes_t path, dt_bytes_t value, uint32_t flags)
{
    dt_buffer_t *packed = s_operation (self, DT_OPERATION_PUT, 3, path);
    s_add_bytes (self, packed, value);
    msgpack_write_uint (packed, flags);
}

void dt_txn_remove (dt_txn_t *self, dt_bytes_t path, uint32_t flags)
{
    msgpack_write_uint (s_operation (self, DT_OPERATION_REMOVE, 2, path), flags);
}

void dt_txn_mkdir (dt_txn_t *self, dt_bytes_t path, uint32_t flags)
{
    msgpack_write_uint (s_operation (self, DT_OPERATION_MKDIR, 2, path), flags);
}

void dt_txn_move (dt_txn_t *self, dt_bytes_t from, dt_bytes_t to, uint32_t flags)
{
    dt_buffer_t *packed = s_operation (self, DT_OPERATION_MOVE, 3, from);
    s_add_bytes (self, packed, to);
    msgpack_write_uint (packed, flags);
}

void dt_txn_increment (dt_txn_t *self, dt_bytes_t path, int64_t delta, uint32_t flags)
{
    dt_buffer_t *packed = s_operation (self, DT_OPERATION_INCREMENT, 3, path);
    msgpack_write_int (packed, delta);
    msgpack_write_uint (packed, flags);
}

void dt_txn_else (dt_txn_t *self)
{
    self->invalid |= self->branch != 0;
    self->branch = 1;
}

static uint8_t *s_put_list (uint8_t *place, const s_list_t *list)
{
    place = msgpack_put_array (place, list->count);
    if (list->packed.bytes) {
        memcpy (place, list->packed.data, list->packed.bytes);
    }
    return place + list->packed.bytes;
}

int dt_client_transaction_async (dt_client_t *self, const dt_txn_t *txn,
                                 const dt_call_options_t *options, dt_callback_t *callback,
                                 void *user)
{
    if (!txn || txn->invalid) {
        return DT_INVALID;
    }
    // One that only reads is a read: not numbered, and sent again freely.
    client_call_t call = {DT_OPERATION_TRANSACTION, txn->writes ? SLOT_WRITE : SLOT_SAFE, options,
                          callback, user};
    client_request_t request;
    uint8_t *place;
    size_t room = 1 + 3 * MSGPACK_HEADER_BYTES_MAX + txn->conditions.packed.bytes +
                  txn->branches[0].packed.bytes + txn->branches[1].packed.bytes;
    int rc = client_request_begin (&request, self, &call, room, &place);
    if (rc == 0) {
        *place++ = txn->branch ? 0x93 : 0x92;
        place = s_put_list (place, &txn->conditions);
        place = s_put_list (place, &txn->branches[0]);
        if (txn->branch) {
            place = s_put_list (place, &txn->branches[1]);
        }
        client_request_end (&request, &call, place);
    }
    return rc;
}
