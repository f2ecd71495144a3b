// kv_model_txn - the model's transactions, in a file of their own: what it and the rest of the
// model ask of each other.

#ifndef KV_MODEL_TXN_H
#define KV_MODEL_TXN_H

#include "tests/dtkv/kv_model.h"
#include "tests/dtkv/kv_model_body.h"

// Of kv_model_txn.c. Check: 0, or the code to answer. Run: the code; the reply must not go beyond
// `end`; what was done before a failure is for the caller to take back.
int kv_model_txn_check (const kv_model_t *model, const dtkv_limits_t *limits,
                        const kv_object_t *body);
bool kv_model_txn_writes (const kv_object_t *body);
int kv_model_txn_run (kv_model_t *model, const kv_object_t *body, size_t end, dt_buffer_t *reply);

// Of kv_model.c.
typedef struct {
    bool directory;
    msgpack_slice_t value;
    uint64_t numbers[8]; // by kind of condition
} kv_model_facts_t;

int kv_model_txn_decode (const kv_model_t *self, uint16_t operation, const kv_object_t *body);
// `before`: bytes of the whole reply that come before this one's.
int kv_model_txn_operation (kv_model_t *self, uint16_t operation, const kv_object_t *body,
                            size_t before, dt_buffer_t *reply);
bool kv_model_txn_facts (const kv_model_t *self, msgpack_slice_t path, kv_model_facts_t *facts);
bool kv_model_txn_token (const kv_model_t *self, msgpack_slice_t path, uint64_t token);
int kv_model_txn_path (const kv_model_t *self, msgpack_slice_t path);

#endif // KV_MODEL_TXN_H
