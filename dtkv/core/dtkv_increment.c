// increment: a value that is a number, as text.

#include <stdio.h>

#include "dtkv/core/dtkv_lock.h"
#include "dtkv/core/dtkv_ops.h"
#include "transport/msgpack_writer.h"

enum {
    NUMBER_BYTES_MAX = 20, // of an int64_t in decimal
    COUNTER_FLAGS = DTKV_FLAG_PARENTS | DTKV_FLAG_KEEP_TTL,
};

// Read a whole value as a decimal int64_t. False: it is none.
static bool s_parse (const uint8_t *text, size_t bytes, int64_t *number)
{
    bool negative = bytes && *text == '-';
    size_t i = negative;
    int64_t value = 0;
    if (i == bytes) {
        return false;
    }
    for (; i < bytes; i++) {
        int digit = text[i] - '0';
        // Below zero, where there is room for the lowest number.
        if (digit < 0 || digit > 9 || __builtin_mul_overflow (value, 10, &value) ||
            __builtin_sub_overflow (value, digit, &value)) {
            return false;
        }
    }
    *number = value;
    return negative || !__builtin_sub_overflow (0, value, number);
}

int dtkv_increment (dtkv_context_t *self, const dtkv_request_t *request)
{
    const dtkv_path_t *path = &request->path;
    const dtkv_node_t *node = dtkv_tree_find (self->tree, path->data, path->bytes);
    int64_t number = 0;
    if (node && dtkv_node_is_lock (node)) {
        return dtkv_reply_nil (self, DTKV_IS_LOCK_NODE);
    }
    if (node && dtkv_node_is_directory (node)) {
        return dtkv_reply_nil (self, DTKV_DIR_EXISTS);
    }
    if ((node && !s_parse (dtkv_node_value (node), node->value_bytes, &number)) ||
        __builtin_add_overflow (number, request->delta, &number)) {
        return dtkv_reply_nil (self, DTKV_NOT_A_COUNTER);
    }
    char text[NUMBER_BYTES_MAX + 1];
    int bytes = snprintf (text, sizeof text, "%lld", (long long) number);
    if ((uint32_t) bytes > self->limits->value_bytes_max) {
        return dtkv_reply_nil (self, DTKV_VALUE_TOO_LONG);
    }
    size_t start = self->body->bytes;
    msgpack_slice_t value = {(const uint8_t *) text, (size_t) bytes};
    int code = dtkv_put (self, path, value, request->flags & COUNTER_FLAGS);
    if (code != DTKV_SUCCESS && code != DTKV_SUCCESS_OVERWRITE) {
        return code;
    }
    self->body->bytes = start; // the number in place of put's nil
    msgpack_write_array (self->body, 1);
    msgpack_write_int (self->body, number);
    return DTKV_SUCCESS;
}
