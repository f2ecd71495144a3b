// The transaction: conditions, then the operations of one of two branches, all or nothing.
//
// It is one request: the limits on what one request creates and removes hold for all its
// operations together, and all take effect at one index. What was done before an operation failed
// is taken back by the tree's undo.

#include "dtkv/core/dtkv_transaction.h"

#include "base/dt_assert.h"
#include "dtkv/core/dtkv_lock.h"
#include "dtkv/core/dtkv_ops.h"
#include "transport/msgpack_writer.h"

// Of what a condition or an operation holds, where the body, the list and the item are arrays
// already and the request is one around them.
enum { ITEM_DEPTH = MSGPACK_DEPTH_MAX - 4 };

// What stands in a transaction, read one after the other.
typedef struct {
    dtkv_if_t kind;
    msgpack_slice_t path;
    uint64_t number;
    msgpack_slice_t value;
} s_condition_t;

typedef struct {
    uint16_t operation;
    msgpack_slice_t body;
} s_operation_t;

// Read the header of an item and how many elements there are behind the first `required`.
static uint32_t s_item (msgpack_cursor_t *cursor, uint32_t required)
{
    uint32_t elements = msgpack_cursor_array (cursor);
    if (elements < required) {
        msgpack_cursor_fail (cursor);
        return 0;
    }
    return elements - required;
}

static void s_skip (msgpack_cursor_t *cursor, uint32_t elements)
{
    for (; elements && cursor->rc == 0; elements--) {
        msgpack_cursor_skip (cursor, ITEM_DEPTH);
    }
}

static s_condition_t s_read_condition (msgpack_cursor_t *cursor)
{
    s_condition_t self = {0};
    uint32_t left = s_item (cursor, 2);
    self.kind = (dtkv_if_t) msgpack_cursor_uint_max (cursor, DTKV_IF_CREATE_INDEX);
    self.path = msgpack_cursor_bytes (cursor);
    if (self.kind > DTKV_IF_ABSENT) {
        if (left == 0) {
            msgpack_cursor_fail (cursor);
            return self;
        }
        left--;
        if (self.kind == DTKV_IF_VALUE) {
            self.value = msgpack_cursor_bytes (cursor);
        } else {
            self.number = msgpack_cursor_uint (cursor);
        }
    }
    s_skip (cursor, left);
    return self;
}

static s_operation_t s_read_operation (msgpack_cursor_t *cursor)
{
    s_operation_t self;
    uint32_t left = s_item (cursor, 2);
    self.operation = (uint16_t) msgpack_cursor_uint_max (cursor, UINT16_MAX);
    self.body = msgpack_cursor_object (cursor, ITEM_DEPTH);
    s_skip (cursor, left);
    return self;
}

// What a transaction may be made of: whatever is about the tree alone and the same on all replicas.
static bool s_takes (uint16_t operation)
{
    switch (operation) {
    case DTKV_OP_GET:
    case DTKV_OP_PUT:
    case DTKV_OP_REMOVE:
    case DTKV_OP_MKDIR:
    case DTKV_OP_LIST:
    case DTKV_OP_BATCH_GET:
    case DTKV_OP_BATCH_PUT:
    case DTKV_OP_BATCH_REMOVE:
    case DTKV_OP_COMPARE_AND_SET:
    case DTKV_OP_PUT_TEMP:
    case DTKV_OP_MKDIR_TEMP:
    case DTKV_OP_UPDATE_TTL:
    case DTKV_OP_MOVE:
    case DTKV_OP_INCREMENT:
        return true;
    default:
        return false;
    }
}

// Scan a branch; how many items it counts as.
static uint64_t s_scan_branch (msgpack_cursor_t *cursor, const dtkv_limits_t *limits, bool *writes)
{
    uint32_t count = msgpack_cursor_array (cursor);
    uint64_t items = count;
    for (uint32_t i = 0; i < count && cursor->rc == 0; i++) {
        s_operation_t operation = s_read_operation (cursor);
        dtkv_request_t request = {0};
        // This nests once only: a transaction takes no transaction.
        if (cursor->rc == 0 &&
            (!s_takes (operation.operation) ||
             dtkv_request_decode (&request, operation.operation, operation.body.data,
                                  operation.body.bytes, limits) == DTKV_CLIENT_REQ_ERROR)) {
            msgpack_cursor_fail (cursor);
        }
        items += request.item_count;
        *writes |= dtkv_operation_writes (operation.operation, NULL, 0);
    }
    return items;
}

int dtkv_transaction_scan (msgpack_cursor_t *cursor, bool has_else, const dtkv_limits_t *limits,
                           bool *writes)
{
    int code = 0;
    uint32_t conditions = msgpack_cursor_array (cursor);
    for (uint32_t i = 0; i < conditions && cursor->rc == 0; i++) {
        dtkv_path_t path;
        s_condition_t condition = s_read_condition (cursor);
        int wrong = dtkv_path_parse (&path, condition.path.data, condition.path.bytes, limits);
        code = code ? code : wrong;
    }
    *writes = false;
    uint64_t items = conditions + s_scan_branch (cursor, limits, writes);
    if (has_else && !msgpack_cursor_take_nil (cursor)) {
        items += s_scan_branch (cursor, limits, writes);
    }
    return code == 0 && items > limits->batch_items_max ? DTKV_BATCH_TOO_LARGE : code;
}

bool dtkv_transaction_writes (const void *body, size_t bytes)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, body, bytes);
    uint32_t branches = s_item (&cursor, 1);
    msgpack_cursor_skip (&cursor, MSGPACK_DEPTH_MAX - 2);
    branches = branches < 2 ? branches : 2;
    for (; branches && cursor.rc == 0; branches--) {
        if (msgpack_cursor_take_nil (&cursor)) {
            continue;
        }
        uint32_t count = msgpack_cursor_array (&cursor);
        for (; count && cursor.rc == 0; count--) {
            if (dtkv_operation_writes (s_read_operation (&cursor).operation, NULL, 0)) {
                return true;
            }
        }
    }
    return cursor.rc != 0;
}

static bool s_holds (const dtkv_tree_t *tree, const s_condition_t *self)
{
    const dtkv_node_t *node = dtkv_tree_find (tree, self->path.data, self->path.bytes);
    if (!node) {
        return self->kind == DTKV_IF_ABSENT;
    }
    switch (self->kind) {
    case DTKV_IF_EXISTS:
        return true;
    case DTKV_IF_VERSION:
        return node->version == self->number;
    case DTKV_IF_MODIFY_INDEX:
        return node->modify_index == self->number;
    case DTKV_IF_VALUE:
        return !dtkv_node_is_directory (node) &&
               dtkv_bytes_compare (dtkv_node_value (node), node->value_bytes, self->value.data,
                                   self->value.bytes) == 0;
    case DTKV_IF_CHILD_VERSION:
        return dtkv_node_is_directory (node) && dtkv_node_child_version (node) == self->number;
    case DTKV_IF_CREATE_INDEX:
        return node->create_index == self->number;
    case DTKV_IF_LOCK_TOKEN:
        return dtkv_lock_holds (tree, self->path.data, self->path.bytes, self->number);
    default:
        return false; // ABSENT
    }
}

static bool s_all_hold (const dtkv_tree_t *tree, msgpack_cursor_t *cursor)
{
    bool hold = true;
    for (uint32_t count = msgpack_cursor_array (cursor); count; count--) {
        s_condition_t condition = s_read_condition (cursor);
        hold = hold && s_holds (tree, &condition);
    }
    return hold;
}

// Does this code of an operation fail the transaction?
static bool s_failed (uint16_t operation, int code)
{
    switch (code) {
    case DTKV_SUCCESS:
    case DTKV_SUCCESS_OVERWRITE:
        return false;
    case DTKV_NOT_FOUND:
        return operation != DTKV_OP_GET;
    case DTKV_DIR_EXISTS:
        return operation != DTKV_OP_MKDIR && operation != DTKV_OP_MKDIR_TEMP;
    default:
        return true;
    }
}

static int s_run_operation (dtkv_context_t *self, const s_operation_t *operation)
{
    dtkv_request_t request;
    uint16_t number = operation->operation;
    int code = dtkv_request_decode (&request, number, operation->body.data, operation->body.bytes,
                                    self->limits);
    if (code) {
        return dtkv_reply_nil (self, code);
    }
    code = dtkv_operation_writes (number, NULL, 0)
               ? dtkv_run_write (self, number, &request)
               : dtkv_run_read (self->tree, number, &request, self->limits, self->body);
    return self->body->bytes > self->body_bytes_max ? DTKV_BATCH_TOO_LARGE : code;
}

// Carry out a branch up to its end or the first failure, of which *failed is the number.
static int s_run_branch (dtkv_context_t *self, msgpack_cursor_t *cursor, uint32_t count,
                         uint32_t *failed)
{
    msgpack_write_array (self->body, count);
    for (uint32_t i = 0; i < count; i++) {
        s_operation_t operation = s_read_operation (cursor);
        msgpack_write_array (self->body, 2);
        size_t place = self->body->bytes;
        msgpack_write_uint (self->body, 0); // the code, known afterwards
        int code = s_run_operation (self, &operation);
        dt_assert (code >= 0 && code < DTKV_RESULT_COUNT);
        if (s_failed (operation.operation, code)) {
            *failed = i;
            return code;
        }
        self->body->data[place] = (uint8_t) code;
    }
    return DTKV_SUCCESS;
}

// Go to the operations of the branch that applies; how many there are.
static uint32_t s_choose (msgpack_cursor_t *cursor, bool hold)
{
    if (!hold) {
        msgpack_cursor_skip (cursor, MSGPACK_DEPTH_MAX - 2);
        if (msgpack_cursor_left (cursor) == 0 || msgpack_cursor_take_nil (cursor)) {
            return 0;
        }
    }
    return msgpack_cursor_array (cursor);
}

int dtkv_transaction (dtkv_context_t *self, const dtkv_request_t *request)
{
    msgpack_cursor_t cursor = request->items;
    bool hold = s_all_hold (self->tree, &cursor);
    uint32_t count = s_choose (&cursor, hold);
    uint32_t failed = 0;
    msgpack_write_array (self->body, 2);
    msgpack_write_bool (self->body, hold);
    size_t start = self->body->bytes;
    dtkv_undo_t undo = {0};
    if (request->writes) {
        self->tree->undo = &undo;
    }
    int code = s_run_branch (self, &cursor, count, &failed);
    if (request->writes) {
        self->tree->undo = NULL;
    }
    if (code == DTKV_SUCCESS) {
        dtkv_undo_commit (&undo);
        return code;
    }
    dtkv_undo_rollback (&undo, self->tree);
    self->body->bytes = start;
    dtkv_reply_aborted (self, count, failed, code);
    return code;
}
