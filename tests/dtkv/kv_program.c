#include "tests/dtkv/kv_program.h"

#include <stdio.h>

#include "base/dt_assert.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

enum { SESSIONS = 8 };

dtkv_limits_t kv_program_limits (void)
{
    return (dtkv_limits_t){
        .key_bytes_max = 40,
        .value_bytes_max = 600,
        .depth_max = 6,
        .batch_items_max = 12,
        .list_items_max = 50,
        .list_bytes_max = 4000,
        .reply_bytes_max = 900,
        .sessions_max = 6,
        .session_replies_max = 8,
        .session_nodes_max = 5,
        .session_bytes_max = 700,
        .session_all_bytes_max = 1500,
    };
}

void kv_program_init (kv_program_t *self, uint64_t seed, const kv_model_t *model)
{
    *self = (kv_program_t){.model = model, .names = 7, .values_max = 300};
    dt_random_init (&self->random, seed);
    self->time_ms = 1000;
}

void kv_program_deinit (kv_program_t *self)
{
    dt_buffer_deinit (&self->body);
}

static uint64_t s_below (kv_program_t *self, uint64_t bound)
{
    return dt_random_below (&self->random, bound);
}

static bool s_chance (kv_program_t *self, uint64_t numerator, uint64_t denominator)
{
    return dt_random_chance (&self->random, numerator, denominator);
}

static void s_name (kv_program_t *self, dt_buffer_t *path)
{
    static const char *const names[] = {"a", "b", "ab", "\x01", "a-", "zz", "key0000001"};
    uint64_t i = s_below (self, self->names);
    if (i < sizeof names / sizeof names[0]) {
        dt_buffer_append (path, names[i], strlen (names[i]));
    } else {
        dt_buffer_printf (path, "%s%llu", i % 3 ? "k" : "long-name-", (unsigned long long) i);
    }
}

void kv_program_path (kv_program_t *self)
{
    dt_buffer_t path = {0};
    size_t bytes = 0;
    if (self->model && kv_model_nodes (self->model) && s_chance (self, 1, 2)) {
        const uint8_t *known =
            kv_model_path (self->model, s_below (self, kv_model_nodes (self->model)), &bytes);
        dt_buffer_append (&path, known, bytes);
        if (s_chance (self, 1, 3)) {
            dt_buffer_append (&path, ".", 1);
            s_name (self, &path);
        }
    } else {
        uint64_t depth = s_below (self, 24) == 0 ? s_below (self, 8) : 1 + s_below (self, 3);
        for (uint64_t i = 0; i < depth; i++) {
            if (i) {
                dt_buffer_append (&path, ".", 1);
            }
            s_name (self, &path);
        }
    }
    if (s_chance (self, 1, 60)) {
        dt_buffer_append (&path, "..", 1 + s_below (self, 2));
    }
    if (s_chance (self, 1, 60)) {
        static const char long_name[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";
        dt_buffer_append (&path, long_name, sizeof long_name - 1);
    }
    msgpack_write_bin (&self->body, path.data, (uint32_t) path.bytes);
    dt_buffer_deinit (&path);
}

void kv_program_value (kv_program_t *self)
{
    uint8_t value[640];
    size_t bytes = s_below (self, s_chance (self, 1, 3) ? self->values_max : 12);
    if (s_chance (self, 1, 80)) {
        bytes = 600 + s_below (self, 3);
    }
    memset (value, (int) s_below (self, 4), sizeof value);
    msgpack_write_bin (&self->body, value, (uint32_t) bytes);
}

void kv_program_flags (kv_program_t *self, unsigned useful)
{
    uint64_t flags = dt_random_next (&self->random) & useful;
    if (!s_chance (self, 1, 8)) {
        flags &= ~(uint64_t) (DTKV_FLAG_SEQUENTIAL | DTKV_FLAG_DIRECTORIES_ONLY); // rarer
    }
    bool odd = s_chance (self, 1, 100);
    msgpack_write_uint (&self->body, odd ? s_below (self, 1 << s_below (self, 15)) : flags);
}

static void s_body_batch (kv_program_t *self, bool values)
{
    uint32_t count = (uint32_t) s_below (self, s_chance (self, 1, 10) ? 15 : 5);
    msgpack_write_array (&self->body, 2);
    msgpack_write_array (&self->body, count);
    for (uint32_t i = 0; i < count; i++) {
        if (values) {
            msgpack_write_array (&self->body, 2);
        }
        kv_program_path (self);
        if (values) {
            kv_program_value (self);
        }
    }
    kv_program_flags (self, 1 | 2 | 4 | 16 | 32 | DTKV_FLAG_KEEP_TTL | DTKV_FLAG_CONVERT |
                                DTKV_FLAG_SEQUENTIAL);
}

static void s_body_cas (kv_program_t *self)
{
    uint64_t condition = s_below (self, s_chance (self, 1, 20) ? 4 : 3);
    msgpack_write_array (&self->body, 5);
    kv_program_path (self);
    msgpack_write_uint (&self->body, condition);
    if (condition) {
        msgpack_write_uint (&self->body,
                            condition == 1 ? s_below (self, 4) : s_below (self, self->index + 1));
    } else if (s_chance (self, 1, 2)) {
        msgpack_write_nil (&self->body);
    } else {
        kv_program_value (self);
    }
    if (s_chance (self, 1, 3)) {
        msgpack_write_nil (&self->body);
    } else {
        kv_program_value (self);
    }
    kv_program_flags (self, 1 | 2 | 16 | DTKV_FLAG_KEEP_TTL | DTKV_FLAG_CONVERT);
}

static void s_break (kv_program_t *self)
{
    if (!self->hostile || !s_chance (self, 1, 8) || self->body.bytes == 0) {
        return;
    }
    switch (s_below (self, 3)) {
    case 0:
        self->body.bytes = s_below (self, self->body.bytes);
        break;
    case 1:
        self->body.data[s_below (self, self->body.bytes)] =
            (uint8_t) dt_random_next (&self->random);
        break;
    default:
        msgpack_write_nil (&self->body);
    }
}

static void s_ttl (kv_program_t *self)
{
    uint64_t ttl_ms = s_chance (self, 1, 4) ? 0 : 1 + s_below (self, 3000);
    msgpack_write_uint (&self->body, s_chance (self, 1, 50) ? DTKV_TTL_MS_MAX + ttl_ms : ttl_ms);
}

static uint16_t s_body_temporary (kv_program_t *self)
{
    uint64_t choice = s_below (self, 5);
    if (choice == 0) {
        msgpack_write_array (&self->body, 2);
        kv_program_path (self);
        s_ttl (self);
        return DTKV_OP_UPDATE_TTL;
    }
    bool directory = choice < 3;
    msgpack_write_array (&self->body, directory ? 3 : 4);
    kv_program_path (self);
    if (!directory) {
        kv_program_value (self);
    }
    s_ttl (self);
    kv_program_flags (self,
                      1 | 2 | 16 | DTKV_FLAG_OWNED | DTKV_FLAG_CONVERT | DTKV_FLAG_SEQUENTIAL);
    return directory ? DTKV_OP_MKDIR_TEMP : DTKV_OP_PUT_TEMP;
}

static void s_lock_path (kv_program_t *self)
{
    static const char *const paths[] = {"l", "a.l", "b.l"};
    if (s_chance (self, 1, 10)) {
        kv_program_path (self);
    } else {
        const char *path = paths[s_below (self, 3)];
        msgpack_write_bin (&self->body, path, (uint32_t) strlen (path));
    }
}

static void s_token (kv_program_t *self)
{
    uint64_t token =
        s_chance (self, 1, 4) || !self->model ? 0 : kv_model_token (self->model, s_below (self, 8));
    msgpack_write_uint (&self->body,
                        s_chance (self, 1, 20) ? s_below (self, self->index + 1) : token);
}

static uint16_t s_body_lock (kv_program_t *self)
{
    uint64_t choice = s_below (self, 10);
    if (choice < 5) {
        msgpack_write_array (&self->body, 7);
        s_lock_path (self);
        uint64_t mode = s_below (self, 3);
        msgpack_write_uint (&self->body, s_chance (self, 1, 30) ? 3 : mode);
        msgpack_write_uint (&self->body, s_chance (self, 1, 4)   ? 0
                                         : s_chance (self, 1, 4) ? (1ull << 53) - 1
                                                                 : s_below (self, 4000));
        msgpack_write_uint (&self->body, s_chance (self, 1, 3) ? 0 : s_below (self, 4000));
        kv_program_value (self);
        msgpack_write_uint (&self->body, s_chance (self, 1, 6) ? 3 : 2);
        kv_program_flags (self, 1);
        return DTKV_OP_LOCK;
    }
    msgpack_write_array (&self->body, 3);
    s_lock_path (self);
    s_token (self);
    if (choice < 8) {
        kv_program_flags (self, DTKV_FLAG_FORCE);
        return DTKV_OP_UNLOCK;
    }
    msgpack_write_uint (&self->body, s_below (self, 3) * 1000);
    return DTKV_OP_LOCK_RENEW;
}

static uint16_t s_body_guarded (kv_program_t *self)
{
    dt_buffer_t outer = {0};
    uint16_t operation = kv_program_write (self);
    dt_buffer_t inner = self->body;
    self->body = outer;
    uint32_t guards = (uint32_t) (s_chance (self, 1, 30) ? s_below (self, 18) : 1);
    msgpack_write_array (&self->body, 3);
    msgpack_write_array (&self->body, guards);
    for (uint32_t i = 0; i < guards; i++) {
        msgpack_write_array (&self->body, 2);
        s_lock_path (self);
        s_token (self);
    }
    msgpack_write_uint (&self->body, operation);
    dt_buffer_append (&self->body, inner.data, inner.bytes);
    dt_buffer_deinit (&inner);
    return DTKV_OP_GUARDED;
}

uint16_t kv_program_write (kv_program_t *self)
{
    if (self->with_sessions && s_chance (self, 1, 5)) {
        return s_body_lock (self);
    }
    if (self->with_sessions && s_chance (self, 1, 12)) {
        return s_body_guarded (self);
    }
    if (s_chance (self, 1, 6)) {
        return s_body_temporary (self);
    }
    const unsigned put_flags = 1 | 2 | 16 | DTKV_FLAG_KEEP_TTL | DTKV_FLAG_CONVERT;
    uint64_t choice = s_below (self, 110);
    if (choice < 45) {
        msgpack_write_array (&self->body, 3);
        kv_program_path (self);
        kv_program_value (self);
        kv_program_flags (self, put_flags | DTKV_FLAG_SEQUENTIAL);
        return DTKV_OP_PUT;
    }
    if (choice < 75) {
        msgpack_write_array (&self->body, 2);
        kv_program_path (self);
        kv_program_flags (self, 1 | 2 | 4 | 16 | DTKV_FLAG_CONVERT | DTKV_FLAG_SEQUENTIAL);
        return choice < 60 ? DTKV_OP_REMOVE : DTKV_OP_MKDIR;
    }
    if (choice < 90) {
        s_body_batch (self, choice < 82);
        return choice < 82 ? DTKV_OP_BATCH_PUT : DTKV_OP_BATCH_REMOVE;
    }
    if (choice >= 100) {
        return kv_program_move_or_increment (self);
    }
    s_body_cas (self);
    return DTKV_OP_COMPARE_AND_SET;
}

static uint16_t s_body_session (kv_program_t *self)
{
    uint64_t slot = s_below (self, SESSIONS);
    msgpack_write_array (&self->body, 1);
    if (s_chance (self, 1, 2)) {
        msgpack_write_uint (&self->body, s_chance (self, 1, 10) ? s_below (self, 2000)
                                                                : 1000 + s_below (self, 9000));
        self->sessions[slot] = self->index;
        self->seqs[slot] = 1;
        self->acks[slot] = 1;
        return DTKV_OP_SESSION_OPEN;
    }
    msgpack_write_uint (&self->body, self->sessions[slot]);
    return s_chance (self, 1, 3) ? DTKV_OP_SESSION_CLOSE : DTKV_OP_SESSION_KEEPALIVE;
}

// Put the entry under a session: the next seq, one again, or one ahead.
static void s_under_session (kv_program_t *self, log_entry_t *entry)
{
    uint64_t slot = s_below (self, SESSIONS);
    uint64_t seq = self->seqs[slot];
    uint64_t choice = s_below (self, 13);
    if (choice >= 10) {
        seq = 0; // on behalf of it, once or more
    } else if (choice < 6) {
        self->seqs[slot]++;
    } else if (choice < 9) {
        seq -= s_below (self, 4) < seq ? s_below (self, seq < 4 ? seq + 1 : 4) : 0;
    } else {
        seq += s_below (self, 12);
    }
    if (s_chance (self, 1, 3) && self->acks[slot] < self->seqs[slot]) {
        self->acks[slot]++;
    }
    entry->session_id = self->sessions[slot];
    entry->session_seq = seq;
    entry->session_ack = self->acks[slot];
}

void kv_program_entry (kv_program_t *self, log_entry_t *entry)
{
    self->index += 1 + (s_chance (self, 1, 10) ? s_below (self, 3) : 0);
    self->time_ms += s_chance (self, 1, 3) ? s_below (self, 400) : 0;
    dt_buffer_clear (&self->body);
    *entry = (log_entry_t){
        .index = self->index,
        .term = 1,
        .cluster_time_ms = self->time_ms - (s_chance (self, 1, 20) ? s_below (self, 100) : 0),
        .wall_ms = 1700000000000ULL + s_below (self, 1000),
        .principal = s_below (self, 5),
        .type = s_chance (self, 1, 30)   ? LOG_ENTRY_NOOP
                : s_chance (self, 1, 10) ? LOG_ENTRY_CLOCK
                                         : LOG_ENTRY_COMMAND,
    };
    if (self->with_sessions && s_chance (self, 1, 12)) {
        entry->operation = s_body_session (self);
    } else {
        entry->operation =
            s_chance (self, 1, 12) ? kv_program_transaction (self, false) : kv_program_write (self);
        if (self->with_sessions && s_chance (self, 1, 2)) {
            s_under_session (self, entry);
        }
    }
    s_break (self);
    if (self->hostile && s_chance (self, 1, 50)) {
        entry->operation = (uint16_t) s_below (self, 100);
    }
    entry->payload = self->body.data;
    entry->payload_bytes = (uint32_t) self->body.bytes;
}

static void s_body_list (kv_program_t *self)
{
    msgpack_write_array (&self->body, 5);
    if (s_chance (self, 1, 3)) {
        msgpack_write_bin (&self->body, "", 0);
    } else {
        kv_program_path (self);
    }
    kv_program_flags (self, 4 | 8 | 16 | 64 | 4096);
    msgpack_write_uint (&self->body, s_below (self, 8));
    msgpack_write_uint (&self->body, s_chance (self, 1, 2) ? 0 : s_below (self, 400));
    if (s_chance (self, 1, 2)) {
        msgpack_write_nil (&self->body);
    } else {
        kv_program_path (self);
    }
}

uint16_t kv_program_read_one (kv_program_t *self)
{
    uint16_t operation;
    switch (s_below (self, 4)) {
    case 0:
        operation = DTKV_OP_GET;
        msgpack_write_array (&self->body, 2);
        kv_program_path (self);
        kv_program_flags (self, 16);
        break;
    case 1:
        operation = DTKV_OP_BATCH_GET;
        s_body_batch (self, false);
        break;
    default:
        operation = DTKV_OP_LIST;
        s_body_list (self);
    }
    return operation;
}

uint16_t kv_program_read (kv_program_t *self)
{
    dt_buffer_clear (&self->body);
    uint16_t operation =
        s_chance (self, 1, 10) ? kv_program_transaction (self, true) : kv_program_read_one (self);
    s_break (self);
    return operation;
}

static void s_same_reply (const dt_buffer_t *a, const dt_buffer_t *b)
{
    dt_assert (a->bytes == b->bytes);
    dt_assert (memcmp (a->data, b->data, a->bytes) == 0);
    // Every reply is one whole object.
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, a->data, a->bytes);
    msgpack_cursor_skip (&cursor, MSGPACK_DEPTH_MAX);
    dt_assert (msgpack_cursor_finished (&cursor));
}

int kv_program_apply_both (dtkv_store_t *store, kv_model_t *model, const log_entry_t *entry)
{
    dt_buffer_t store_body = {0};
    dt_buffer_t model_body = {0};
    dtkv_outcome_t outcome;
    uint64_t model_index;
    int validated = 0;
    if (entry->type == LOG_ENTRY_COMMAND &&
        dtkv_operation_writes (entry->operation, entry->payload, entry->payload_bytes)) {
        validated = dtkv_operation_validate (entry->operation, entry->payload, entry->payload_bytes,
                                             dtkv_store_limits (store));
    }
    uint64_t digest = dtkv_store_content_digest (store);
    bool had_sessions = dtkv_store_sessions (store) > 0;
    uint64_t due_ms = dtkv_store_due_ms (store);
    int code = dtkv_store_apply (store, entry, &store_body, &outcome);
    int model_code = kv_model_apply (model, entry, &model_body, &model_index);
    dt_assert (code == outcome.code);
    dt_assert (code == model_code);
    dt_assert (outcome.index == model_index);
    s_same_reply (&store_body, &model_body);
    // What validate refuses, apply refuses with the same code, and nothing happens.
    dt_assert (!validated || entry->session_id || code == validated);
    dt_assert (!validated || had_sessions || dtkv_store_content_digest (store) == digest);
    // A clock entry does something if it is due, and only then.
    bool due = due_ms <= dtkv_store_cluster_time_ms (store);
    dt_assert (entry->type != LOG_ENTRY_CLOCK ||
               due == (dtkv_store_content_digest (store) != digest));
    dt_buffer_deinit (&store_body);
    dt_buffer_deinit (&model_body);
    return code;
}

void kv_program_read_both (const dtkv_store_t *store, const kv_model_t *model, uint16_t operation,
                           const void *body, size_t bytes)
{
    dt_buffer_t store_reply = {0};
    dt_buffer_t model_reply = {0};
    int code = dtkv_store_read (store, operation, body, bytes, &store_reply);
    // The past has a twin of its own (test_dtkv_history.c); here it only must do no harm.
    if (operation != DTKV_OP_GET_AT && operation != DTKV_OP_DIFF) {
        dt_assert (code == kv_model_read (model, operation, body, bytes, &model_reply));
        s_same_reply (&store_reply, &model_reply);
    }
    dt_buffer_deinit (&store_reply);
    dt_buffer_deinit (&model_reply);
}

// Append all items of all pages of a recursive list of the root.
static void s_dump (const dtkv_store_t *store, dt_buffer_t *out)
{
    dt_buffer_t request = {0};
    dt_buffer_t reply = {0};
    dt_buffer_t after = {0};
    bool more = true;
    while (more) {
        dt_buffer_clear (&request);
        dt_buffer_clear (&reply);
        msgpack_write_array (&request, 5);
        msgpack_write_bin (&request, NULL, 0);
        msgpack_write_uint (&request, DTKV_FLAG_RECURSIVE | DTKV_FLAG_META);
        msgpack_write_nil (&request);
        msgpack_write_nil (&request);
        msgpack_write_bin (&request, after.data, (uint32_t) after.bytes);
        int code = dtkv_store_read (store, DTKV_OP_LIST, request.data, request.bytes, &reply);
        dt_assert (code == DTKV_SUCCESS);
        msgpack_cursor_t cursor;
        msgpack_cursor_init (&cursor, reply.data, reply.bytes);
        msgpack_cursor_array (&cursor);
        uint32_t count = msgpack_cursor_array (&cursor);
        for (uint32_t i = 0; i < count; i++) {
            msgpack_slice_t item = msgpack_cursor_object (&cursor, 4);
            dt_buffer_append (out, item.data, item.bytes);
        }
        more = !msgpack_cursor_take_nil (&cursor);
        if (more) {
            msgpack_slice_t next = msgpack_cursor_bytes (&cursor);
            dt_buffer_clear (&after);
            dt_buffer_append (&after, next.data, next.bytes);
        }
        dt_assert (msgpack_cursor_uint (&cursor) == count);
        dt_assert (msgpack_cursor_finished (&cursor));
    }
    dt_buffer_deinit (&request);
    dt_buffer_deinit (&reply);
    dt_buffer_deinit (&after);
}

void kv_program_compare (const dtkv_store_t *store, const kv_model_t *model)
{
    dt_buffer_t store_dump = {0};
    dt_buffer_t model_dump = {0};
    s_dump (store, &store_dump);
    kv_model_dump (model, &model_dump);
    dt_assert (store_dump.bytes == model_dump.bytes);
    dt_assert (store_dump.bytes == 0 ||
               memcmp (store_dump.data, model_dump.data, store_dump.bytes) == 0);
    dt_assert (dtkv_store_nodes (store) == kv_model_nodes (model));
    dt_assert (dtkv_store_sessions (store) == kv_model_sessions (model));
    dt_buffer_deinit (&store_dump);
    dt_buffer_deinit (&model_dump);
}
