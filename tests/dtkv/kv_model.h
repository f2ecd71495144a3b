// kv_model - the store as plainly as it can be written, to compare the real one with.
//
// A sorted array of whole paths, linear searches, batches by copying everything. Shares no code
// with dtkv/core but limits, numbers and msgpack encoding.

#ifndef KV_MODEL_H
#define KV_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_limits.h"
#include "storage/log_entry.h"

typedef struct kv_model kv_model_t;

kv_model_t *kv_model_new (const dtkv_limits_t *limits);
kv_model_t *kv_model_copy (const kv_model_t *self);
void kv_model_destroy (kv_model_t **self_p);

// As dtkv_store_apply: the code; appends the reply body; *index as dtkv_outcome_t.index.
int kv_model_apply (kv_model_t *self, const log_entry_t *entry, dt_buffer_t *body, uint64_t *index);

// As dtkv_store_read.
int kv_model_read (const kv_model_t *self, uint16_t operation, const void *body, size_t bytes,
                   dt_buffer_t *reply);

// Append every node with all metadata as a sequence of msgpack [ path, node ], in path order: what
// list answers for the root with RECURSIVE and META, without its pages.
void kv_model_dump (const kv_model_t *self, dt_buffer_t *out);

size_t kv_model_nodes (const kv_model_t *self);
size_t kv_model_sessions (const kv_model_t *self);

// The token of grant number i of those there are, round and round; 0: there is none.
uint64_t kv_model_token (const kv_model_t *self, size_t i);

// Path number i in path order, for programs that want one that exists.
const uint8_t *kv_model_path (const kv_model_t *self, size_t i, size_t *bytes);

#endif // KV_MODEL_H
