#include "tests/dtkv/kv_model_txn.h"

#include "dtkv/core/dtkv_operation.h"
#include "dtkv/core/dtkv_result.h"
#include "transport/msgpack_writer.h"

static bool s_permitted (uint64_t operation)
{
    static const uint16_t list[] = {5, 6, 70, 71, 72, 73, 74, 75, 76, 80, 81, 82, 87, 88};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (list[i] == operation) {
            return true;
        }
    }
    return false;
}

static bool s_condition_well_formed (const kv_object_t *condition)
{
    const kv_object_t *items = condition->items;
    if (condition->kind != MSGPACK_KIND_ARRAY || condition->count < 2 ||
        items[0].kind != MSGPACK_KIND_UINT || items[0].number > 7 ||
        items[1].kind != MSGPACK_KIND_BYTES) {
        return false;
    }
    if (items[0].number < 2) {
        return true;
    }
    return condition->count > 2 &&
           items[2].kind == (items[0].number == 4 ? MSGPACK_KIND_BYTES : MSGPACK_KIND_UINT);
}

static bool s_batch (uint64_t operation)
{
    return operation >= DTKV_OP_BATCH_GET && operation <= DTKV_OP_BATCH_REMOVE;
}

// A branch's items, batches counted by theirs. False: not well-formed.
static bool s_branch (const kv_model_t *model, const kv_object_t *branch, uint64_t *items)
{
    if (branch->kind != MSGPACK_KIND_ARRAY) {
        return false;
    }
    for (uint32_t i = 0; i < branch->count; i++) {
        const kv_object_t *operation = &branch->items[i];
        if (operation->kind != MSGPACK_KIND_ARRAY || operation->count < 2 ||
            operation->items[0].kind != MSGPACK_KIND_UINT ||
            !s_permitted (operation->items[0].number) ||
            kv_model_txn_decode (model, (uint16_t) operation->items[0].number,
                                 &operation->items[1]) == DTKV_CLIENT_REQ_ERROR) {
            return false;
        }
        bool batch = s_batch (operation->items[0].number);
        *items += 1 + (batch ? operation->items[1].items[0].count : 0);
    }
    return true;
}

static const kv_object_t *s_else (const kv_object_t *body)
{
    return body->count > 2 && body->items[2].kind != MSGPACK_KIND_NIL ? &body->items[2] : NULL;
}

int kv_model_txn_check (const kv_model_t *model, const dtkv_limits_t *limits,
                        const kv_object_t *body)
{
    const kv_object_t *conditions = &body->items[0];
    const kv_object_t *otherwise = s_else (body);
    uint64_t items = conditions->count;
    int code = 0;
    if (conditions->kind != MSGPACK_KIND_ARRAY || !s_branch (model, &body->items[1], &items) ||
        (otherwise && !s_branch (model, otherwise, &items))) {
        return DTKV_CLIENT_REQ_ERROR;
    }
    for (uint32_t i = 0; i < conditions->count; i++) {
        if (!s_condition_well_formed (&conditions->items[i])) {
            return DTKV_CLIENT_REQ_ERROR;
        }
        int wrong = kv_model_txn_path (model, conditions->items[i].items[1].bytes);
        code = code ? code : wrong;
    }
    return code ? code : items > limits->batch_items_max ? DTKV_BATCH_TOO_LARGE : 0;
}

static bool s_any_write (const kv_object_t *branch)
{
    for (uint32_t i = 0; i < branch->count; i++) {
        uint64_t operation = branch->items[i].items[0].number;
        if (operation != DTKV_OP_GET && operation != DTKV_OP_LIST &&
            operation != DTKV_OP_BATCH_GET) {
            return true;
        }
    }
    return false;
}

bool kv_model_txn_writes (const kv_object_t *body)
{
    return s_any_write (&body->items[1]) || (s_else (body) && s_any_write (s_else (body)));
}

static bool s_holds (const kv_model_t *model, const kv_object_t *condition)
{
    kv_model_facts_t facts;
    uint64_t kind = condition->items[0].number;
    if (!kv_model_txn_facts (model, condition->items[1].bytes, &facts)) {
        return kind == DTKV_IF_ABSENT;
    }
    if (kind <= DTKV_IF_ABSENT) {
        return kind == DTKV_IF_EXISTS;
    }
    if (kind == DTKV_IF_VALUE) {
        msgpack_slice_t value = condition->items[2].bytes;
        return !facts.directory && facts.value.bytes == value.bytes &&
               (value.bytes == 0 || memcmp (facts.value.data, value.data, value.bytes) == 0);
    }
    if (kind == DTKV_IF_LOCK_TOKEN) {
        return kv_model_txn_token (model, condition->items[1].bytes, condition->items[2].number);
    }
    if ((kind == DTKV_IF_CHILD_VERSION && !facts.directory)) {
        return false;
    }
    return facts.numbers[kind] == condition->items[2].number;
}

static bool s_fine (uint64_t operation, int code)
{
    return code == DTKV_SUCCESS || code == DTKV_SUCCESS_OVERWRITE ||
           (operation == DTKV_OP_GET && code == DTKV_NOT_FOUND) ||
           ((operation == DTKV_OP_MKDIR || operation == DTKV_OP_MKDIR_TEMP) &&
            code == DTKV_DIR_EXISTS);
}

static void s_write_item (dt_buffer_t *reply, int code)
{
    msgpack_write_array (reply, 2);
    msgpack_write_uint (reply, (uint64_t) code);
}

int kv_model_txn_run (kv_model_t *model, const kv_object_t *body, size_t end, dt_buffer_t *reply)
{
    bool hold = true;
    for (uint32_t i = 0; i < body->items[0].count; i++) {
        hold = hold && s_holds (model, &body->items[0].items[i]);
    }
    static const kv_object_t nothing;
    const kv_object_t *branch = hold ? &body->items[1] : s_else (body);
    branch = branch ? branch : &nothing;
    msgpack_write_array (reply, 2);
    msgpack_write_bool (reply, hold);
    size_t start = reply->bytes;
    msgpack_write_array (reply, branch->count);
    for (uint32_t i = 0; i < branch->count; i++) {
        const kv_object_t *items = branch->items[i].items;
        dt_buffer_t item = {0};
        size_t before = reply->bytes + 2; // the item's array and code
        int code =
            kv_model_txn_operation (model, (uint16_t) items[0].number, &items[1], before, &item);
        if (before + item.bytes > end) {
            code = DTKV_BATCH_TOO_LARGE;
        }
        if (s_fine (items[0].number, code)) {
            s_write_item (reply, code);
            dt_buffer_append (reply, item.data, item.bytes);
            dt_buffer_deinit (&item);
            continue;
        }
        dt_buffer_deinit (&item);
        reply->bytes = start;
        msgpack_write_array (reply, branch->count);
        for (uint32_t k = 0; k < branch->count; k++) {
            s_write_item (reply, k == i ? code : DTKV_BATCH_ABORTED);
            msgpack_write_nil (reply);
        }
        return code;
    }
    return DTKV_SUCCESS;
}
