// batch_put, batch_remove: items in order, each with its own code, or all or nothing.

#include "base/dt_assert.h"
#include "dtkv/core/dtkv_ops.h"
#include "transport/msgpack_writer.h"

typedef int (s_item_fn) (dtkv_context_t *self, dtkv_request_t *request);

static int s_put_item (dtkv_context_t *self, dtkv_request_t *request)
{
    dtkv_path_t path = {0};
    msgpack_slice_t value = {0};
    int code = dtkv_request_item (request, true, &path, &value, self->limits);
    return code ? dtkv_reply_nil (self, code) : dtkv_put (self, &path, value, request->flags);
}

static int s_remove_item (dtkv_context_t *self, dtkv_request_t *request)
{
    dtkv_path_t path = {0};
    int code = dtkv_request_item (request, false, &path, NULL, self->limits);
    return code ? dtkv_reply_nil (self, code) : dtkv_remove (self, &path, request->flags);
}

static bool s_failed (int code)
{
    return code != DTKV_SUCCESS && code != DTKV_SUCCESS_OVERWRITE;
}

// Carry out items up to the end, or up to the first failure if `stop`. Returns that failure's code
// and sets *failed to its number.
static int s_run (dtkv_context_t *self, dtkv_request_t *request, s_item_fn *run_item, bool stop,
                  uint32_t *failed)
{
    msgpack_write_array (self->body, request->item_count);
    for (uint32_t i = 0; i < request->item_count; i++) {
        msgpack_write_array (self->body, 2);
        // The code comes before the node but is known after it: one byte, for all codes are below
        // 128.
        size_t place = self->body->bytes;
        msgpack_write_uint (self->body, 0);
        int code = run_item (self, request);
        dt_assert (code >= 0 && code < DTKV_RESULT_COUNT);
        self->body->data[place] = (uint8_t) code;
        if (stop && s_failed (code)) {
            *failed = i;
            return code;
        }
    }
    return DTKV_SUCCESS;
}

void dtkv_reply_aborted (dtkv_context_t *self, uint32_t count, uint32_t failed, int code)
{
    msgpack_write_array (self->body, count);
    for (uint32_t i = 0; i < count; i++) {
        msgpack_write_array (self->body, 2);
        msgpack_write_uint (self->body, (uint64_t) (i == failed ? code : DTKV_BATCH_ABORTED));
        msgpack_write_nil (self->body);
    }
}

static int s_batch (dtkv_context_t *self, dtkv_request_t *request, s_item_fn *run_item)
{
    uint32_t failed = 0;
    if (!(request->flags & DTKV_FLAG_ATOMIC)) {
        return s_run (self, request, run_item, false, &failed);
    }
    if (self->tree->undo) {
        // Inside a transaction, which takes everything back if this fails.
        return s_run (self, request, run_item, true, &failed);
    }
    size_t start = self->body->bytes;
    dtkv_undo_t undo = {0};
    self->tree->undo = &undo;
    int code = s_run (self, request, run_item, true, &failed);
    self->tree->undo = NULL;
    if (code == DTKV_SUCCESS) {
        dtkv_undo_commit (&undo);
        return code;
    }
    dtkv_undo_rollback (&undo, self->tree);
    self->body->bytes = start;
    dtkv_reply_aborted (self, request->item_count, failed, code);
    return code;
}

int dtkv_batch_put (dtkv_context_t *self, dtkv_request_t *request)
{
    return s_batch (self, request, s_put_item);
}

int dtkv_batch_remove (dtkv_context_t *self, dtkv_request_t *request)
{
    return s_batch (self, request, s_remove_item);
}
