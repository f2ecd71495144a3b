// kv_model_body - a msgpack body as a tree of objects, for the model.

#ifndef KV_MODEL_BODY_H
#define KV_MODEL_BODY_H

#include <stdbool.h>

#include "transport/msgpack_cursor.h"

typedef struct kv_object kv_object_t;

struct kv_object {
    msgpack_kind_t kind;
    uint64_t number;       // UINT
    int64_t integer;       // NEGATIVE, and UINT if it fits
    msgpack_slice_t bytes; // BYTES
    kv_object_t *items;    // ARRAY, owned
    uint32_t count;        // ARRAY
};

// Parse exactly one object of at most `depth` levels. False: not well-formed. Free in either case.
bool kv_object_parse (kv_object_t *self, const void *data, size_t bytes, unsigned depth);
void kv_object_free (kv_object_t *self);

#endif // KV_MODEL_BODY_H
