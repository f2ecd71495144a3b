#include "raft/raft_wire.h"

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

enum {
    FLAG_PRE = 1,
    FLAG_TRANSFER = 2,
    FLAG_GRANTED = 2,
    FLAG_REJECTED = 1,
    FLAG_REPAIRING = 2,
    FLAG_NO_LEASE = 1,
    BODY_DEPTH_MAX = 2,
    CODE_MAX = 255,
};

// --- entries -------------------------------------------------------------------------------------

static uint8_t *s_put (uint8_t *place, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        place[i] = (uint8_t) (value >> (8 * i));
    }
    return place + bytes;
}

static uint64_t s_get (const uint8_t *place, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint64_t) place[i] << (8 * i);
    }
    return value;
}

static uint8_t *s_put_entry (uint8_t *place, const log_entry_t *entry)
{
    place = s_put (place, entry->term, 8);
    place = s_put (place, entry->cluster_time_ms, 8);
    place = s_put (place, entry->wall_ms, 8);
    place = s_put (place, entry->principal, 8);
    place = s_put (place, entry->session_id, 8);
    place = s_put (place, entry->session_seq, 8);
    place = s_put (place, entry->session_ack, 8);
    place = s_put (place, entry->payload_bytes, 4);
    place = s_put (place, entry->operation, 2);
    *place++ = entry->type;
    *place++ = 0;
    if (entry->payload_bytes > 0) {
        memcpy (place, entry->payload, entry->payload_bytes);
    }
    return place + entry->payload_bytes;
}

static dt_blob_t *s_encode_entries (const raft_append_t *append)
{
    size_t bytes = 0;
    for (uint64_t index = append->first; index <= append->last; index++) {
        bytes += RAFT_WIRE_ENTRY_BYTES + log_batch_entry (append->batch, index)->payload_bytes;
    }
    dt_blob_t *blob = dt_blob_new (bytes);
    uint8_t *place = dt_blob_data (blob);
    for (uint64_t index = append->first; index <= append->last; index++) {
        place = s_put_entry (place, log_batch_entry (append->batch, index));
    }
    dt_assert (place == dt_blob_data (blob) + bytes);
    return blob;
}

void raft_wire_cache_deinit (raft_wire_cache_t *self)
{
    log_batch_unref (&self->batch);
    dt_blob_unref (&self->blob);
}

static dt_blob_t *s_entries (raft_wire_cache_t *cache, const raft_append_t *append)
{
    if (cache->batch != append->batch || cache->first != append->first ||
        cache->last != append->last) {
        raft_wire_cache_deinit (cache);
        cache->batch = log_batch_ref (append->batch);
        cache->first = append->first;
        cache->last = append->last;
        cache->blob = s_encode_entries (append);
    }
    return dt_blob_ref (cache->blob);
}

// Read one entry; false: the rest is too short or the header cannot be.
static bool s_get_entry (const uint8_t **place, size_t *left, log_entry_t *entry)
{
    if (*left < RAFT_WIRE_ENTRY_BYTES) {
        return false;
    }
    const uint8_t *header = *place;
    *entry = (log_entry_t){
        .term = s_get (header, 8),
        .cluster_time_ms = s_get (header + 8, 8),
        .wall_ms = s_get (header + 16, 8),
        .principal = s_get (header + 24, 8),
        .session_id = s_get (header + 32, 8),
        .session_seq = s_get (header + 40, 8),
        .session_ack = s_get (header + 48, 8),
        .payload_bytes = (uint32_t) s_get (header + 56, 4),
        .operation = (uint16_t) s_get (header + 60, 2),
        .type = header[62],
        .payload = header + RAFT_WIRE_ENTRY_BYTES,
    };
    *left -= RAFT_WIRE_ENTRY_BYTES;
    if (entry->payload_bytes > *left || entry->payload_bytes > LOG_ENTRY_PAYLOAD_BYTES_MAX) {
        return false;
    }
    *left -= entry->payload_bytes;
    *place += RAFT_WIRE_ENTRY_BYTES + entry->payload_bytes;
    return true;
}

static int s_decode_entries (raft_append_t *append, uint32_t count, const uint8_t *place,
                             size_t left, dt_blob_t *blob)
{
    if (count == 0) { // of every kind but an append
        return left == 0 ? 0 : DT_ERR_MALFORMED;
    }
    if (count > LOG_BATCH_ENTRIES_MAX || count > left / RAFT_WIRE_ENTRY_BYTES) {
        return DT_ERR_MALFORMED;
    }
    append->batch = log_batch_new (count);
    append->batch->blob = dt_blob_ref (blob);
    append->first = append->prev_index + 1;
    append->last = append->prev_index + count;
    for (uint32_t i = 0; i < count; i++) {
        log_entry_t *entry = &append->batch->entries[append->batch->count++];
        if (!s_get_entry (&place, &left, entry)) {
            return DT_ERR_MALFORMED;
        }
        entry->index = append->first + i;
    }
    return left == 0 ? 0 : DT_ERR_MALFORMED;
}

// --- encoding ------------------------------------------------------------------------------------

// Numbers, and an endpoint behind them unless it is "".
static void s_write (dt_buffer_t *head, const char *endpoint, uint32_t count,
                     const uint64_t *numbers)
{
    msgpack_write_array (head, count + (endpoint[0] != 0));
    for (uint32_t i = 0; i < count; i++) {
        msgpack_write_uint (head, numbers[i]);
    }
    if (endpoint[0]) {
        msgpack_write_text (head, endpoint);
    }
}

#define WRITE(head, endpoint, ...)                                                                 \
    s_write (head, endpoint, sizeof ((uint64_t[]){__VA_ARGS__}) / sizeof (uint64_t),               \
             (uint64_t[]){__VA_ARGS__})

static void s_encode_append (raft_wire_cache_t *cache, const raft_message_t *message,
                             peer_message_t *peer)
{
    const raft_append_t *append = &message->append;
    uint64_t count = append->batch ? append->last - append->first + 1 : 0;
    WRITE (&peer->head, message->from_peer, append->prev_index, append->prev_term, append->commit,
           append->round, count, append->directory_id);
    if (count > 0) {
        peer->blob = s_entries (cache, append);
        peer->data = dt_blob_data (peer->blob);
        peer->bytes = dt_blob_bytes (peer->blob);
    }
}

static void s_encode_append_reply (const raft_append_reply_t *reply, dt_buffer_t *head)
{
    msgpack_write_array (head, reply->rejected ? 9 : 6);
    const uint64_t numbers[] = {
        reply->round,
        reply->directory_id,
        reply->match,
        reply->last,
        reply->applied,
        (reply->rejected ? FLAG_REJECTED : 0) | (reply->repairing ? FLAG_REPAIRING : 0),
        reply->prev_index,
        reply->runs_last,
    };
    for (uint32_t i = 0; i < (reply->rejected ? 8 : 6); i++) {
        msgpack_write_uint (head, numbers[i]);
    }
    if (reply->rejected) {
        msgpack_write_array (head, 2 * reply->runs_count);
        for (uint32_t i = 0; i < reply->runs_count; i++) {
            msgpack_write_uint (head, reply->runs[i].first);
            msgpack_write_uint (head, reply->runs[i].term);
        }
    }
}

peer_message_t *raft_wire_encode (raft_wire_cache_t *cache, uint32_t group_id,
                                  const raft_message_t *message)
{
    peer_message_t *peer = peer_message_new ();
    peer->node_id = message->to;
    peer->group_id = group_id;
    peer->term = message->term;
    peer->kind = (uint8_t) message->kind;
    peer->channel = PEER_CONTROL;
    dt_buffer_t *head = &peer->head;
    switch (message->kind) {
    case RAFT_MESSAGE_VOTE:
        WRITE (head, message->from_peer, message->vote.campaign_term, message->vote.last_index,
               message->vote.last_term, message->vote.bootstrap_hash,
               (message->vote.pre ? FLAG_PRE : 0) | (message->vote.transfer ? FLAG_TRANSFER : 0));
        break;
    case RAFT_MESSAGE_VOTE_REPLY:
        WRITE (head, "", message->vote_reply.campaign_term, message->vote_reply.directory_id,
               (message->vote_reply.pre ? FLAG_PRE : 0) |
                   (message->vote_reply.granted ? FLAG_GRANTED : 0));
        break;
    case RAFT_MESSAGE_APPEND:
        s_encode_append (cache, message, peer);
        break;
    case RAFT_MESSAGE_APPEND_REPLY:
        s_encode_append_reply (&message->append_reply, head);
        break;
    case RAFT_MESSAGE_READ:
        WRITE (head, "", message->read.sequence, message->read.no_lease ? FLAG_NO_LEASE : 0);
        break;
    case RAFT_MESSAGE_READ_REPLY:
        WRITE (head, "", message->read_reply.sequence, message->read_reply.index,
               (uint64_t) -message->read_reply.rc);
        break;
    case RAFT_MESSAGE_TRANSFER:
        msgpack_write_array (head, 0);
        break;
    default:
        dt_unreachable (); // snapshots have a wire of their own
    }
    return peer;
}

// --- decoding ------------------------------------------------------------------------------------

// What is left of a body's array.
typedef struct {
    msgpack_cursor_t cursor;
    uint32_t left; // elements
} s_body_t;

static uint64_t s_number (s_body_t *body)
{
    if (body->left == 0) {
        msgpack_cursor_fail (&body->cursor);
        return 0;
    }
    body->left--;
    return msgpack_cursor_uint (&body->cursor);
}

// An endpoint that may be left out.
static void s_decode_endpoint (s_body_t *body, char endpoint[RAFT_ENDPOINT_BYTES_MAX + 1])
{
    if (body->left == 0) {
        return;
    }
    body->left--;
    msgpack_slice_t text = msgpack_cursor_bytes (&body->cursor);
    if (text.bytes == 0) {
        return; // of what could not be read, too: then there is no data to look at
    }
    if (text.bytes > RAFT_ENDPOINT_BYTES_MAX || memchr (text.data, 0, text.bytes)) {
        msgpack_cursor_fail (&body->cursor);
        return;
    }
    memcpy (endpoint, text.data, text.bytes);
    endpoint[text.bytes] = 0;
}

static void s_skip_rest (s_body_t *body)
{
    while (body->left > 0 && body->cursor.rc == 0) {
        body->left--;
        msgpack_cursor_skip (&body->cursor, BODY_DEPTH_MAX);
    }
}

static void s_decode_vote (s_body_t *body, raft_vote_t *vote)
{
    vote->campaign_term = s_number (body);
    vote->last_index = s_number (body);
    vote->last_term = s_number (body);
    vote->bootstrap_hash = s_number (body);
    uint64_t flags = s_number (body);
    vote->pre = flags & FLAG_PRE;
    vote->transfer = flags & FLAG_TRANSFER;
    if (vote->campaign_term == 0 || (vote->last_index == 0) != (vote->last_term == 0)) {
        msgpack_cursor_fail (&body->cursor);
    }
}

static void s_decode_runs (s_body_t *body, raft_append_reply_t *reply)
{
    if (body->left == 0) {
        msgpack_cursor_fail (&body->cursor);
        return;
    }
    body->left--;
    uint32_t count = msgpack_cursor_array (&body->cursor);
    if (count % 2 != 0 || count / 2 > RAFT_TERM_RUNS_MAX) {
        msgpack_cursor_fail (&body->cursor);
        return;
    }
    reply->runs_count = count / 2;
    for (uint32_t i = 0; i < reply->runs_count; i++) {
        raft_term_run_t *run = &reply->runs[i];
        run->first = msgpack_cursor_uint (&body->cursor);
        run->term = msgpack_cursor_uint (&body->cursor);
        if (run->first > reply->runs_last ||
            (i > 0 && (run->first <= run[-1].first || run->term <= run[-1].term))) {
            msgpack_cursor_fail (&body->cursor);
        }
    }
}

static void s_decode_append_reply (s_body_t *body, raft_append_reply_t *reply)
{
    reply->round = s_number (body);
    reply->directory_id = s_number (body);
    reply->match = s_number (body);
    reply->last = s_number (body);
    reply->applied = s_number (body);
    uint64_t flags = s_number (body);
    reply->rejected = flags & FLAG_REJECTED;
    reply->repairing = flags & FLAG_REPAIRING;
    if (reply->rejected) {
        reply->prev_index = s_number (body);
        reply->runs_last = s_number (body);
        s_decode_runs (body, reply);
        if (reply->prev_index == 0 || reply->runs_last >= reply->prev_index) {
            msgpack_cursor_fail (&body->cursor);
        }
    }
}

// Fill in what the kind adds. *count: entries that follow the array.
static void s_decode_body (s_body_t *body, raft_message_t *message, uint32_t *count)
{
    switch (message->kind) {
    case RAFT_MESSAGE_VOTE:
        s_decode_vote (body, &message->vote);
        s_decode_endpoint (body, message->from_peer);
        break;
    case RAFT_MESSAGE_VOTE_REPLY: {
        message->vote_reply.campaign_term = s_number (body);
        message->vote_reply.directory_id = s_number (body);
        uint64_t flags = s_number (body);
        message->vote_reply.pre = flags & FLAG_PRE;
        message->vote_reply.granted = flags & FLAG_GRANTED;
        break;
    }
    case RAFT_MESSAGE_APPEND:
        message->append.prev_index = s_number (body);
        message->append.prev_term = s_number (body);
        message->append.commit = s_number (body);
        message->append.round = s_number (body);
        uint64_t entries = s_number (body);
        *count = entries <= LOG_BATCH_ENTRIES_MAX ? (uint32_t) entries : UINT32_MAX;
        message->append.directory_id = body->left > 0 ? s_number (body) : 0;
        s_decode_endpoint (body, message->from_peer);
        if (message->append.prev_index > UINT64_MAX / 2) {
            msgpack_cursor_fail (&body->cursor); // indexes behind it have to fit
        }
        break;
    case RAFT_MESSAGE_APPEND_REPLY:
        s_decode_append_reply (body, &message->append_reply);
        break;
    case RAFT_MESSAGE_READ:
        message->read.sequence = s_number (body);
        message->read.no_lease = s_number (body) & FLAG_NO_LEASE;
        break;
    case RAFT_MESSAGE_READ_REPLY: {
        message->read_reply.sequence = s_number (body);
        message->read_reply.index = s_number (body);
        uint64_t code = s_number (body);
        message->read_reply.rc = code <= CODE_MAX ? -(int) code : DT_ERR_MALFORMED;
        break;
    }
    case RAFT_MESSAGE_TRANSFER:
        break;
    default:
        msgpack_cursor_fail (&body->cursor);
    }
}

int raft_wire_decode (const peer_message_t *peer, raft_node_id_t node_id, raft_message_t **message)
{
    raft_message_t *read = raft_message_new (peer->kind);
    read->from = peer->node_id;
    read->to = node_id;
    read->term = peer->term;
    s_body_t body;
    msgpack_cursor_init (&body.cursor, peer->data, peer->bytes);
    body.left = msgpack_cursor_array (&body.cursor);
    uint32_t count = 0;
    s_decode_body (&body, read, &count);
    s_skip_rest (&body);
    int rc = body.cursor.rc;
    if (rc == 0) {
        rc = s_decode_entries (&read->append, count, body.cursor.place,
                               msgpack_cursor_left (&body.cursor), peer->blob);
    }
    if (rc != 0) {
        raft_message_destroy (&read);
        return rc;
    }
    *message = read;
    return 0;
}
