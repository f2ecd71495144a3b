// The snapshot stream, version 2. Numbers are little-endian, records stand back to back:
//
//     header   "DTKVSNAP", u32 version, u32 bytes of the header (48), u64 applied index,
//              u64 cluster time ms, u64 nodes without the root, u64 sessions
//     node     u8 1, u8 flags, u16 depth, u16 name bytes, u16 0, u32 value bytes,
//              u64 x 10: create index, modify index, version, child version, create ms, modify ms,
//              writer, owner session, ttl ms, deadline (cluster time); then name and value
//     session  u8 2, 3 bytes 0, u32 replies, u64 x 4: id, ttl ms, deadline ms, ack;
//              then for each reply, seqs rising: u64 seq, u64 index, u32 code, u32 bytes, body
//     end      u8 3, 7 bytes 0, u64 digest of the state (dtkv_digest_state)
//
// First the root (depth 0, no name), then the nodes in path order, so each directory comes before
// what is in it, and a node's parent is the last directory seen one level above it; then the
// sessions in order of id; then the end.

#include "dtkv/core/dtkv_record.h"

#include <endian.h>
#include <string.h>

#include "base/dt_error.h"

static const char s_magic[8] = {'D', 'T', 'K', 'V', 'S', 'N', 'A', 'P'};

static uint8_t *s_put_16 (uint8_t *place, uint32_t value)
{
    uint16_t word = htole16 ((uint16_t) value);
    memcpy (place, &word, sizeof word);
    return place + sizeof word;
}

static uint8_t *s_put_32 (uint8_t *place, uint32_t value)
{
    uint32_t word = htole32 (value);
    memcpy (place, &word, sizeof word);
    return place + sizeof word;
}

static uint8_t *s_put_64 (uint8_t *place, uint64_t value)
{
    uint64_t word = htole64 (value);
    memcpy (place, &word, sizeof word);
    return place + sizeof word;
}

static uint16_t s_get_16 (const uint8_t *place)
{
    uint16_t word;
    memcpy (&word, place, sizeof word);
    return le16toh (word);
}

static uint32_t s_get_32 (const uint8_t *place)
{
    uint32_t word;
    memcpy (&word, place, sizeof word);
    return le32toh (word);
}

static uint64_t s_get_64 (const uint8_t *place)
{
    uint64_t word;
    memcpy (&word, place, sizeof word);
    return le64toh (word);
}

void dtkv_record_write_header (const dtkv_header_t *header, dt_buffer_t *out)
{
    uint8_t *place = dt_buffer_reserve (out, DTKV_HEADER_BYTES);
    memcpy (place, s_magic, sizeof s_magic);
    place = s_put_32 (place + sizeof s_magic, DTKV_SNAPSHOT_VERSION);
    place = s_put_32 (place, DTKV_HEADER_BYTES);
    place = s_put_64 (place, header->applied_index);
    place = s_put_64 (place, header->cluster_time_ms);
    place = s_put_64 (place, header->nodes);
    s_put_64 (place, header->sessions);
    out->bytes += DTKV_HEADER_BYTES;
}

void dtkv_record_write_node (const dtkv_node_t *node, uint32_t depth, const uint8_t *name,
                             size_t name_bytes, dt_buffer_t *out)
{
    const dtkv_lifetime_t lifetime = dtkv_node_lifetime (node);
    uint8_t *place = dt_buffer_reserve (out, DTKV_NODE_BYTES + name_bytes + node->value_bytes);
    *place++ = DTKV_RECORD_NODE;
    *place++ = (uint8_t) node->flags;
    place = s_put_16 (place, depth);
    place = s_put_16 (place, (uint32_t) name_bytes);
    place = s_put_16 (place, 0);
    place = s_put_32 (place, node->value_bytes);
    place = s_put_64 (place, node->create_index);
    place = s_put_64 (place, node->modify_index);
    place = s_put_64 (place, node->version);
    place = s_put_64 (place, dtkv_node_child_version (node));
    place = s_put_64 (place, node->create_ms);
    place = s_put_64 (place, node->modify_ms);
    place = s_put_64 (place, node->writer);
    place = s_put_64 (place, lifetime.owner);
    place = s_put_64 (place, lifetime.ttl_ms);
    place = s_put_64 (place, lifetime.deadline_ms);
    memcpy (place, name, name_bytes);
    memcpy (place + name_bytes, dtkv_node_value (node), node->value_bytes);
    out->bytes += DTKV_NODE_BYTES + name_bytes + node->value_bytes;
}

static void s_write_reply (const dtkv_kept_reply_t *reply, dt_buffer_t *out)
{
    uint8_t *place = dt_buffer_reserve (out, DTKV_REPLY_BYTES);
    place = s_put_64 (place, reply->seq);
    place = s_put_64 (place, reply->index);
    place = s_put_32 (place, reply->code);
    s_put_32 (place, reply->bytes);
    out->bytes += DTKV_REPLY_BYTES;
    dt_buffer_append (out, reply->body, reply->bytes);
}

void dtkv_record_write_session (const dtkv_session_t *session, dt_buffer_t *out)
{
    uint8_t *place = dt_buffer_reserve (out, DTKV_SESSION_BYTES);
    place = s_put_32 (place, DTKV_RECORD_SESSION);
    place = s_put_32 (place, session->replies);
    place = s_put_64 (place, session->id);
    place = s_put_64 (place, session->ttl_ms);
    place = s_put_64 (place, session->deadline_ms);
    s_put_64 (place, session->ack);
    out->bytes += DTKV_SESSION_BYTES;
    for (uint32_t i = 0; i < session->ring_capacity; i++) {
        const dtkv_kept_reply_t *reply =
            &session->ring[(session->ack + i) & (session->ring_capacity - 1)];
        if (reply->seq) {
            s_write_reply (reply, out);
        }
    }
}

void dtkv_record_write_end (uint64_t digest, dt_buffer_t *out)
{
    uint8_t *place = dt_buffer_reserve (out, DTKV_END_BYTES);
    place = s_put_64 (place, DTKV_RECORD_END);
    s_put_64 (place, digest);
    out->bytes += DTKV_END_BYTES;
}

int dtkv_record_read_header (const uint8_t *data, dtkv_header_t *header)
{
    if (memcmp (data, s_magic, sizeof s_magic) != 0) {
        return DT_ERR_CORRUPT;
    }
    uint32_t version = s_get_32 (data + 8);
    if (version > DTKV_SNAPSHOT_VERSION) {
        return DT_ERR_NEWER_FORMAT;
    }
    if (version != DTKV_SNAPSHOT_VERSION || s_get_32 (data + 12) != DTKV_HEADER_BYTES) {
        return DT_ERR_CORRUPT;
    }
    header->applied_index = s_get_64 (data + 16);
    header->cluster_time_ms = s_get_64 (data + 24);
    header->nodes = s_get_64 (data + 32);
    header->sessions = s_get_64 (data + 40);
    return 0;
}

void dtkv_record_read_node (const uint8_t *data, dtkv_node_record_t *record)
{
    *record = (dtkv_node_record_t){
        .sound = s_get_16 (data + 6) == 0,
        .flags = data[1],
        .depth = s_get_16 (data + 2),
        .name_bytes = s_get_16 (data + 4),
        .value_bytes = s_get_32 (data + 8),
        .create_index = s_get_64 (data + 12),
        .modify_index = s_get_64 (data + 20),
        .version = s_get_64 (data + 28),
        .child_version = s_get_64 (data + 36),
        .create_ms = s_get_64 (data + 44),
        .modify_ms = s_get_64 (data + 52),
        .writer = s_get_64 (data + 60),
        .lifetime =
            {
                .owner = s_get_64 (data + 68),
                .ttl_ms = s_get_64 (data + 76),
                .deadline_ms = s_get_64 (data + 84),
            },
    };
}

void dtkv_record_read_session (const uint8_t *data, dtkv_session_record_t *record)
{
    *record = (dtkv_session_record_t){
        .sound = s_get_32 (data) == DTKV_RECORD_SESSION,
        .replies = s_get_32 (data + 4),
        .id = s_get_64 (data + 8),
        .ttl_ms = s_get_64 (data + 16),
        .deadline_ms = s_get_64 (data + 24),
        .ack = s_get_64 (data + 32),
    };
}

void dtkv_record_read_reply (const uint8_t *data, dtkv_kept_reply_t *reply)
{
    *reply = (dtkv_kept_reply_t){
        .seq = s_get_64 (data),
        .index = s_get_64 (data + 8),
        .code = s_get_32 (data + 16),
        .bytes = s_get_32 (data + 20),
    };
}

int dtkv_record_read_end (const uint8_t *data, uint64_t *digest)
{
    if (s_get_64 (data) != DTKV_RECORD_END) {
        return DT_ERR_CORRUPT;
    }
    *digest = s_get_64 (data + 8);
    return 0;
}
