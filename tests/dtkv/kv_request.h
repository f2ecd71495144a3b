// kv_request - requests, spelled in one line each, for tests of the store.

#ifndef KV_REQUEST_H
#define KV_REQUEST_H

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_snapshot.h"
#include "dtkv/core/dtkv_store.h"

// A store and the last request and reply.
typedef struct {
    dtkv_store_t *store;
    dt_buffer_t body;
    dt_buffer_t reply;
    dtkv_outcome_t outcome;
    log_entry_t context; // index, time, writer and session of the next entry; index counts up
} kv_fixture_t;

void kv_fixture_init (kv_fixture_t *self, const dtkv_limits_t *limits);
void kv_fixture_deinit (kv_fixture_t *self);

// Apply a body as it stands in self->body; the code.
int kv_apply (kv_fixture_t *self, uint16_t operation);

// Apply or read; the code. A path or value is a string.
int kv_put (kv_fixture_t *self, const char *path, const char *value, unsigned flags);
int kv_mkdir (kv_fixture_t *self, const char *path, unsigned flags);
int kv_remove (kv_fixture_t *self, const char *path, unsigned flags);
int kv_get (kv_fixture_t *self, const char *path, unsigned flags);
int kv_list (kv_fixture_t *self, const char *path, unsigned flags, unsigned items_max,
             unsigned bytes_max, const char *after);

// `pairs` is "path=value path=value"; `paths` is "path path".
int kv_batch_put (kv_fixture_t *self, const char *pairs, unsigned flags);
int kv_batch_remove (kv_fixture_t *self, const char *paths, unsigned flags);
int kv_batch_get (kv_fixture_t *self, const char *paths, unsigned flags);

// expected NULL: must not exist; value NULL: remove.
int kv_cas_value (kv_fixture_t *self, const char *path, const char *expected, const char *value,
                  unsigned flags);
int kv_cas_number (kv_fixture_t *self, const char *path, unsigned condition, uint64_t expected,
                   const char *value, unsigned flags);

// Temporary nodes.
int kv_put_temp (kv_fixture_t *self, const char *path, const char *value, uint64_t ttl_ms,
                 unsigned flags);
int kv_mkdir_temp (kv_fixture_t *self, const char *path, uint64_t ttl_ms, unsigned flags);
int kv_update_ttl (kv_fixture_t *self, const char *path, uint64_t ttl_ms);

// Apply a clock entry at that cluster time.
void kv_clock (kv_fixture_t *self, uint64_t cluster_time_ms);

// Operations of a session id or a ttl.
int kv_session (kv_fixture_t *self, uint16_t operation, uint64_t number);

// A body as text, applied or read: 'bytes', numbers, nil, [ ... ].
int kv_apply_text (kv_fixture_t *self, uint16_t operation, const char *body);
int kv_read_text (kv_fixture_t *self, uint16_t operation, const char *body);

// The last reply as text: nil, true, false, numbers, "bytes", [ ... ] with single spaces. Valid
// until the next.
const char *kv_reply (kv_fixture_t *self);

// Take a whole snapshot in steps of `step` bytes.
void kv_snapshot (dtkv_store_t *store, size_t step, dt_buffer_t *out);

// Restore a stream in chunks of `chunk` bytes; the error, or 0 and the store.
int kv_restore (const dt_buffer_t *stream, size_t chunk, const dtkv_limits_t *limits,
                dtkv_store_t **store_p);

#endif // KV_REQUEST_H
