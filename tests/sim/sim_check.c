#include "tests/sim/sim_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "tests/dtkv/kv_model.h"

enum { SENT_SLOTS = 1 << 16, READ_SLOTS = 1 << 12 };

// What the first life that applied an entry saw.
typedef struct {
    uint64_t entry;   // hash of everything the entry says
    uint64_t request; // hash of what the client sent; 0: no command
    uint64_t body;    // hash of the reply's body
    uint64_t digest;  // of the state after it
    uint64_t index;   // the reply's
    uint64_t term;    // the entry's
    int code;         //
} s_record_t;

typedef struct {
    uint64_t key; // of index and request; 0: free
    uint64_t body;
    int code;
} s_read_t;

struct sim_check {
    uint32_t replicas;   // that may apply; one alone never lags behind what was applied
    dtkv_store_t *twin;  // applied everything, once
    kv_model_t *model;   // the same
    s_record_t *records; // [0] is the empty state
    uint64_t last;       // records
    uint64_t capacity;   //
    uint64_t acknowledged;
    uint64_t *sent;       // hashes of requests, open addressing
    uint64_t sents;       //
    s_read_t *reads;      // newest read of a slot
    dt_buffer_t one, two; // scratch
    char failure[400];
};

typedef struct {
    raft_machine_t machine; // first: what raft sees
    raft_machine_t *inner;  // owned
    sim_check_t *check;     // borrowed
} s_tap_t;

void sim_check_fail (sim_check_t *self, const char *format, ...)
{
    if (self->failure[0]) {
        return;
    }
    va_list list;
    va_start (list, format);
    vsnprintf (self->failure, sizeof self->failure, format, list);
    va_end (list);
}

const char *sim_check_failure (const sim_check_t *self)
{
    return self->failure[0] ? self->failure : NULL;
}

static uint64_t s_mix (uint64_t hash, uint64_t word)
{
    return dt_hash_mix (hash * 0x9e3779b97f4a7c15ULL + word + 1);
}

static uint64_t s_hash_request (uint32_t operation, uint64_t session, uint64_t seq,
                                const void *body, size_t bytes)
{
    uint64_t hash = dt_hash64 (bytes ? body : "", bytes, operation);
    return s_mix (s_mix (hash, seq ? session : 0), session ? seq : 0) | 1;
}

static uint64_t s_hash_entry (const log_entry_t *entry)
{
    uint64_t hash = dt_hash64 (entry->payload_bytes ? (const void *) entry->payload : "",
                               entry->payload_bytes, entry->type);
    const uint64_t words[] = {entry->index,       entry->term,        entry->cluster_time_ms,
                              entry->wall_ms,     entry->principal,   entry->session_id,
                              entry->session_seq, entry->session_ack, entry->operation};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        hash = s_mix (hash, words[i]);
    }
    return hash;
}

// --- requests that were sent ---------------------------------------------------------------------

static bool s_find_sent (const sim_check_t *self, uint64_t hash, size_t *slot)
{
    size_t at = hash % SENT_SLOTS;
    while (self->sent[at] && self->sent[at] != hash) {
        at = (at + 1) % SENT_SLOTS;
    }
    *slot = at;
    return self->sent[at] == hash;
}

static uint64_t s_hash_sent (const protocol_request_t *request)
{
    return s_hash_request (request->operation, request->session_id, request->session_seq,
                           request->body.data, request->body.bytes);
}

void sim_check_sent (sim_check_t *self, const protocol_request_t *request)
{
    size_t slot;
    uint64_t hash = s_hash_sent (request);
    if (!s_find_sent (self, hash, &slot)) {
        dt_assert (self->sents++ < SENT_SLOTS / 2);
        self->sent[slot] = hash;
    }
}

// --- the tap -------------------------------------------------------------------------------------

static void s_apply_twins (sim_check_t *self, const log_entry_t *entry, const s_record_t *seen,
                           const dt_buffer_t *body, size_t from)
{
    dt_buffer_clear (&self->one);
    dt_buffer_clear (&self->two);
    dtkv_outcome_t outcome;
    uint64_t index = entry->index;
    int code = dtkv_store_apply (self->twin, entry, &self->one, &outcome);
    int plain = kv_model_apply (self->model, entry, &self->two, &index);
    if (entry->type != LOG_ENTRY_COMMAND) {
        return;
    }
    size_t bytes = body->bytes - from;
    if (code != seen->code || outcome.index != seen->index || self->one.bytes != bytes ||
        (bytes && memcmp (self->one.data, body->data + from, bytes) != 0)) {
        sim_check_fail (self, "entry %llu: code %d, the twin's %d; or the reply differs",
                        (unsigned long long) entry->index, seen->code, code);
    }
    if (plain != seen->code || index != seen->index || self->two.bytes != bytes ||
        (bytes && memcmp (self->two.data, body->data + from, bytes) != 0)) {
        sim_check_fail (self, "entry %llu: code %d, the model's %d; or the reply differs",
                        (unsigned long long) entry->index, seen->code, plain);
    }
}

static void s_note_new (sim_check_t *self, const log_entry_t *entry, s_record_t *seen,
                        const dt_buffer_t *body, size_t from)
{
    size_t slot;
    if (entry->type == LOG_ENTRY_COMMAND && !s_find_sent (self, seen->request, &slot)) {
        sim_check_fail (self, "entry %llu (operation %u) was never sent by a client",
                        (unsigned long long) entry->index, entry->operation);
    }
    s_apply_twins (self, entry, seen, body, from);
    if (dtkv_store_digest (self->twin) != seen->digest) {
        sim_check_fail (self, "digest after entry %llu differs from the twin's",
                        (unsigned long long) entry->index);
    }
    if (self->last + 1 >= self->capacity) {
        self->capacity *= 2;
        self->records = dt_realloc (self->records, self->capacity * sizeof *self->records);
    }
    self->records[++self->last] = *seen;
}

static void s_note (sim_check_t *self, const log_entry_t *entry, s_record_t *seen,
                    const dt_buffer_t *body, size_t from)
{
    if (entry->index > self->last + 1) {
        sim_check_fail (self, "entry %llu was applied, after %llu",
                        (unsigned long long) entry->index, (unsigned long long) self->last);
    } else if (entry->index == self->last + 1) {
        s_note_new (self, entry, seen, body, from);
    } else {
        const s_record_t *old = &self->records[entry->index];
        if (old->entry != seen->entry) {
            sim_check_fail (self, "entry %llu was applied before with other content",
                            (unsigned long long) entry->index);
        } else if (old->code != seen->code || old->index != seen->index ||
                   old->body != seen->body || old->digest != seen->digest) {
            sim_check_fail (self, "entry %llu: replay gave another result",
                            (unsigned long long) entry->index);
        }
    }
}

static int s_apply (raft_machine_t *machine, const log_entry_t *entry, dt_buffer_t *body,
                    uint64_t *index)
{
    s_tap_t *self = (s_tap_t *) machine;
    size_t from = body->bytes;
    int code = self->inner->ops->apply (self->inner, entry, body, index);
    s_record_t seen = {
        .entry = s_hash_entry (entry),
        .request = entry->type == LOG_ENTRY_COMMAND
                       ? s_hash_request (entry->operation, entry->session_id, entry->session_seq,
                                         entry->payload, entry->payload_bytes)
                       : 0,
        .body = dt_hash64 (body->bytes > from ? (const void *) (body->data + from) : "",
                           body->bytes - from, 0),
        .digest = self->inner->ops->digest (self->inner),
        .index = *index,
        .term = entry->term,
        .code = code,
    };
    s_note (self->check, entry, &seen, body, from);
    return code;
}

static uint64_t s_read_key (uint64_t index, uint32_t operation, const void *body, size_t bytes)
{
    return s_mix (s_hash_request (operation, 0, 0, body, bytes), index) | 1;
}

// The model stands where the newest replica stands.
static void s_compare_read (sim_check_t *self, uint16_t operation, const uint8_t *body,
                            size_t bytes, int code, const uint8_t *data, size_t got)
{
    dt_buffer_clear (&self->two);
    int plain = kv_model_read (self->model, operation, body, bytes, &self->two);
    if (plain != code || self->two.bytes != got || (got && memcmp (self->two.data, data, got))) {
        sim_check_fail (self, "a read (%u) at %llu differs from the model's", operation,
                        (unsigned long long) self->last);
    }
}

// Replicas read the same at the same index.
static void s_remember_read (sim_check_t *self, uint64_t key, int code, const uint8_t *data,
                             size_t got)
{
    s_read_t *read = &self->reads[key / 2 % READ_SLOTS];
    uint64_t hash = dt_hash64 (got ? (const void *) data : "", got, 0);
    if (read->key == key && (read->code != code || read->body != hash)) {
        sim_check_fail (self, "two replicas answer the same read differently");
    }
    *read = (s_read_t){.key = key, .body = hash, .code = code};
}

static int s_read (raft_machine_t *machine, uint16_t operation, const uint8_t *body, size_t bytes,
                   dt_buffer_t *reply)
{
    s_tap_t *self = (s_tap_t *) machine;
    sim_check_t *check = self->check;
    size_t from = reply->bytes;
    int code = self->inner->ops->read (self->inner, operation, body, bytes, reply);
    uint64_t index = self->inner->ops->applied (self->inner);
    const uint8_t *data = reply->data + from;
    size_t got = reply->bytes - from;
    if (index == check->last) {
        s_compare_read (check, operation, body, bytes, code, data, got);
    } else if (check->replicas == 1) {
        sim_check_fail (check, "a read was answered at %llu; entries were applied up to %llu",
                        (unsigned long long) index, (unsigned long long) check->last);
    }
    s_remember_read (check, s_read_key (index, operation, body, bytes), code, data, got);
    return code;
}

static int s_check (const raft_machine_t *machine, uint32_t operation, const uint8_t *body,
                    size_t bytes, bool *writes, const char **text)
{
    const s_tap_t *self = (const s_tap_t *) machine;
    return self->inner->ops->check (self->inner, operation, body, bytes, writes, text);
}

static uint64_t s_applied (const raft_machine_t *machine)
{
    const s_tap_t *self = (const s_tap_t *) machine;
    return self->inner->ops->applied (self->inner);
}

static uint64_t s_digest (const raft_machine_t *machine)
{
    const s_tap_t *self = (const s_tap_t *) machine;
    return self->inner->ops->digest (self->inner);
}

static uint64_t s_due_ms (const raft_machine_t *machine)
{
    const s_tap_t *self = (const s_tap_t *) machine;
    return self->inner->ops->due_ms (self->inner);
}

static uint32_t s_status (const raft_machine_t *machine, dt_buffer_t *map)
{
    const s_tap_t *self = (const s_tap_t *) machine;
    return self->inner->ops->status (self->inner, map);
}

static raft_machine_snapshot_t *s_snapshot_begin (raft_machine_t *machine)
{
    s_tap_t *self = (s_tap_t *) machine;
    return self->inner->ops->snapshot_begin (self->inner);
}

static int s_restore_begin (raft_machine_t *machine)
{
    s_tap_t *self = (s_tap_t *) machine;
    return self->inner->ops->restore_begin (self->inner);
}

static int s_restore_feed (raft_machine_t *machine, const uint8_t *data, size_t bytes)
{
    s_tap_t *self = (s_tap_t *) machine;
    return self->inner->ops->restore_feed (self->inner, data, bytes);
}

static int s_restore_finish (raft_machine_t *machine)
{
    s_tap_t *self = (s_tap_t *) machine;
    int rc = self->inner->ops->restore_finish (self->inner);
    if (rc == 0) {
        uint64_t index = self->inner->ops->applied (self->inner);
        if (index > self->check->last) {
            sim_check_fail (self->check, "a snapshot restored entry %llu, never applied",
                            (unsigned long long) index);
        } else if (self->inner->ops->digest (self->inner) != self->check->records[index].digest) {
            sim_check_fail (self->check, "the snapshot at %llu restored another state",
                            (unsigned long long) index);
        }
    }
    return rc;
}

static void s_destroy (raft_machine_t *machine)
{
    s_tap_t *self = (s_tap_t *) machine;
    self->inner->ops->destroy (self->inner);
    free (self);
}

static raft_machine_ops_t s_ops = {
    .check = s_check,
    .apply = s_apply,
    .read = s_read,
    .applied = s_applied,
    .digest = s_digest,
    .due_ms = s_due_ms,
    .status = s_status,
    .snapshot_begin = s_snapshot_begin,
    .restore_begin = s_restore_begin,
    .restore_feed = s_restore_feed,
    .restore_finish = s_restore_finish,
    .destroy = s_destroy,
};

raft_machine_t *sim_check_wrap (void *argument, raft_machine_t *inner)
{
    s_tap_t *self = dt_zalloc (1, sizeof *self);
    // A snapshot, once begun, is the inner machine's own.
    s_ops.snapshot_next = inner->ops->snapshot_next;
    s_ops.snapshot_end = inner->ops->snapshot_end;
    self->machine.ops = &s_ops;
    self->inner = inner;
    self->check = argument;
    return &self->machine;
}

// --- replies -------------------------------------------------------------------------------------

static void s_check_read (sim_check_t *self, const protocol_request_t *request,
                          const protocol_reply_t *reply, uint64_t acknowledged)
{
    if (reply->index < acknowledged && request->read_mode != PROTOCOL_READ_STALE) {
        sim_check_fail (self, "a read saw %llu; %llu was acknowledged before it was sent",
                        (unsigned long long) reply->index, (unsigned long long) acknowledged);
    }
    uint64_t key =
        s_read_key (reply->index, request->operation, request->body.data, request->body.bytes);
    const s_read_t *read = &self->reads[key / 2 % READ_SLOTS];
    if (read->key == key && (read->code != (int) reply->code ||
                             read->body != dt_hash64 (reply->body.data, reply->body.bytes, 0))) {
        sim_check_fail (self, "a read's reply is not what was read at %llu",
                        (unsigned long long) reply->index);
    }
}

static void s_check_write (sim_check_t *self, const protocol_request_t *request,
                           const protocol_reply_t *reply)
{
    if (reply->index == 0) {
        return; // not carried out: the model agreed when it was applied, or it never was
    }
    if (reply->index > self->last) {
        sim_check_fail (self, "a reply names entry %llu, never applied",
                        (unsigned long long) reply->index);
        return;
    }
    const s_record_t *record = &self->records[reply->index];
    if (record->request != s_hash_sent (request) || record->code != (int) reply->code ||
        record->body != dt_hash64 (reply->body.data, reply->body.bytes, 0)) {
        sim_check_fail (self, "the reply for entry %llu is not what was answered there",
                        (unsigned long long) reply->index);
    }
}

void sim_check_reply (sim_check_t *self, const protocol_request_t *request,
                      const protocol_reply_t *reply, uint64_t acknowledged)
{
    if (reply->code >= 64 || request->operation > UINT16_MAX ||
        !dtkv_operation_name ((uint16_t) request->operation)) {
        return;
    }
    if (dtkv_operation_writes ((uint16_t) request->operation, request->body.data,
                               request->body.bytes)) {
        s_check_write (self, request, reply);
    } else if (reply->index) {
        s_check_read (self, request, reply, acknowledged);
    }
    if (reply->index > self->acknowledged) {
        self->acknowledged = reply->index;
    }
}

// --- whole states --------------------------------------------------------------------------------

uint64_t sim_check_acknowledged (const sim_check_t *self)
{
    return self->acknowledged;
}

uint64_t sim_check_applied (const sim_check_t *self)
{
    return self->last;
}

uint64_t sim_check_term (const sim_check_t *self, uint64_t index)
{
    return index <= self->last ? self->records[index].term : 0;
}

static void s_check_complete (sim_check_t *self, const dtkv_store_t *store)
{
    if (dtkv_store_applied_index (store) < self->last) {
        sim_check_fail (self, "a node serves with entries up to %llu; %llu had been applied",
                        (unsigned long long) dtkv_store_applied_index (store),
                        (unsigned long long) self->last);
    }
}

void sim_check_whole (sim_check_t *self, const dtkv_store_t *store)
{
    s_check_complete (self, store);
    if (dtkv_store_digest (store) != dtkv_store_digest_recompute (store) ||
        dtkv_store_digest (store) != dtkv_store_digest (self->twin)) {
        sim_check_fail (self, "the final digest is not the twin's");
    }
    dt_buffer_clear (&self->one);
    dt_buffer_clear (&self->two);
    // list of the root: [ path, flags RECURSIVE and META ]
    const uint8_t all[] = {0x92, 0xc4, 0x00, 0x14};
    int code = dtkv_store_read (store, DTKV_OP_LIST, all, sizeof all, &self->one);
    int plain = kv_model_read (self->model, DTKV_OP_LIST, all, sizeof all, &self->two);
    if (code != plain || self->one.bytes != self->two.bytes ||
        memcmp (self->one.data, self->two.data, self->one.bytes) != 0) {
        sim_check_fail (self, "the final tree is not the model's");
    }
}

sim_check_t *sim_check_new (const dtkv_store_options_t *options, uint32_t replicas)
{
    sim_check_t *self = dt_zalloc (1, sizeof *self);
    self->replicas = replicas;
    self->twin = dtkv_store_new (options);
    self->model = kv_model_new (&options->limits);
    self->capacity = 1024;
    self->records = dt_zalloc (self->capacity, sizeof *self->records);
    self->records[0].digest = dtkv_store_digest (self->twin);
    self->sent = dt_zalloc (SENT_SLOTS, sizeof *self->sent);
    self->reads = dt_zalloc (READ_SLOTS, sizeof *self->reads);
    return self;
}

void sim_check_destroy (sim_check_t **self_p)
{
    sim_check_t *self = *self_p;
    *self_p = NULL;
    dtkv_store_destroy (&self->twin);
    kv_model_destroy (&self->model);
    dt_buffer_deinit (&self->one);
    dt_buffer_deinit (&self->two);
    free (self->records);
    free (self->sent);
    free (self->reads);
    free (self);
}
