// kv_program - random entries and reads for a store and its model.

#ifndef KV_PROGRAM_H
#define KV_PROGRAM_H

#include <stdbool.h>

#include "base/dt_buffer.h"
#include "base/dt_random.h"
#include "dtkv/core/dtkv_store.h"
#include "storage/log_entry.h"
#include "tests/dtkv/kv_model.h"

typedef struct {
    dt_random_t random;
    const kv_model_t *model; // borrowed: where paths that exist are taken from; may be NULL
    uint64_t index;          // of the last entry
    uint64_t time_ms;        // its cluster time
    uint64_t sessions[8];    // ids of sessions opened, some gone
    uint64_t seqs[8];        // next seq of each
    uint64_t acks[8];        // ack of each
    unsigned names;          // different names of a segment
    unsigned values_max;     // longest value
    bool hostile;            // break some payloads
    bool with_sessions;
    dt_buffer_t body; // of the last entry or read
} kv_program_t;

// Small limits, so that programs meet them.
dtkv_limits_t kv_program_limits (void);

void kv_program_init (kv_program_t *self, uint64_t seed, const kv_model_t *model);
void kv_program_deinit (kv_program_t *self);

// Make the next entry. Its payload is in self->body until the next call.
void kv_program_entry (kv_program_t *self, log_entry_t *entry);

// Make a read: its operation, and its body in self->body.
uint16_t kv_program_read (kv_program_t *self);

// The parts bodies are made of, appended to self->body; writes and reads return their operation.
void kv_program_path (kv_program_t *self);
void kv_program_value (kv_program_t *self);
void kv_program_flags (kv_program_t *self, unsigned useful);
uint16_t kv_program_write (kv_program_t *self);
uint16_t kv_program_read_one (kv_program_t *self);
uint16_t kv_program_move_or_increment (kv_program_t *self);
uint16_t kv_program_transaction (kv_program_t *self, bool reads_only);

// Apply an entry to both and assert that code, index and reply are equal. Returns the code.
int kv_program_apply_both (dtkv_store_t *store, kv_model_t *model, const log_entry_t *entry);

// Read from both and assert that code and reply are equal.
void kv_program_read_both (const dtkv_store_t *store, const kv_model_t *model, uint16_t operation,
                           const void *body, size_t bytes);

// Assert that both hold the same nodes with the same metadata, and as many sessions.
void kv_program_compare (const dtkv_store_t *store, const kv_model_t *model);

#endif // KV_PROGRAM_H
