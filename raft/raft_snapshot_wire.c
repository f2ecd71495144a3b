#include "raft/raft_snapshot_wire.h"

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "raft/core/raft_config.h"
#include "storage/storage_bytes.h"

enum {
    FORMAT = 1,
    CRC_AT = 4,
    FLAG_DONE = 1,
    FLAG_AGAIN = 2,
};

_Static_assert((int) SNAPSHOT_WIRE_CONFIG_BYTES_MAX >= (int) RAFT_CONFIG_BYTES_MAX, "all fit");

// The checksum of a body in two parts, whose first holds the checksum's place.
static uint32_t s_crc (const uint8_t *head, size_t head_bytes, const uint8_t *rest, size_t bytes)
{
    static const uint8_t zeros[4];
    uint32_t crc = dt_crc32c (0, head, CRC_AT);
    crc = dt_crc32c (crc, zeros, sizeof zeros);
    crc = dt_crc32c (crc, head + CRC_AT + 4, head_bytes - CRC_AT - 4);
    return dt_crc32c (crc, rest, bytes);
}

// What both kinds begin with.
static int s_check_start (const uint8_t *data, size_t bytes, size_t bytes_min)
{
    if (bytes < bytes_min) {
        return DT_ERR_MALFORMED;
    }
    if (data[0] != FORMAT) {
        return data[0] > FORMAT ? DT_ERR_NEWER_FORMAT : DT_ERR_MALFORMED;
    }
    return bytes_get_u32 (data + CRC_AT) == s_crc (data, bytes, NULL, 0) ? 0 : DT_ERR_CORRUPT;
}

void snapshot_chunk_encode (const snapshot_chunk_t *self, dt_buffer_t *head)
{
    bool first = self->offset == 0;
    dt_assert (!first == (self->config_bytes == 0));
    size_t bytes = SNAPSHOT_WIRE_CHUNK_BYTES;
    bytes += first ? SNAPSHOT_WIRE_FIRST_BYTES + self->config_bytes : 0;
    uint8_t *to = dt_buffer_reserve (head, bytes);
    memset (to, 0, SNAPSHOT_WIRE_CHUNK_BYTES);
    to[0] = FORMAT;
    bytes_put_u64 (to + 8, self->transfer);
    bytes_put_u64 (to + 16, self->index);
    bytes_put_u64 (to + 24, self->term);
    bytes_put_u64 (to + 32, self->total);
    bytes_put_u64 (to + 40, self->offset);
    bytes_put_u32 (to + 48, self->bytes);
    bytes_put_u32 (to + 52, self->config_bytes);
    if (first) {
        uint8_t *more = to + SNAPSHOT_WIRE_CHUNK_BYTES;
        bytes_put_u64 (more, self->cluster_time_ms);
        bytes_put_u64 (more + 8, self->config_index);
        bytes_put_u64 (more + 16, self->state_digest);
        memcpy (more + SNAPSHOT_WIRE_FIRST_BYTES, self->config, self->config_bytes);
    }
    bytes_put_u32 (to + CRC_AT, s_crc (to, bytes, self->data, self->bytes));
    head->bytes += bytes;
}

static bool s_chunk_is_sane (const uint8_t *data, const snapshot_chunk_t *chunk)
{
    bool first = chunk->offset == 0;
    return data[1] == 0 && data[2] == 0 && data[3] == 0 && chunk->transfer != 0 &&
           chunk->index > 0 && chunk->term > 0 && chunk->total <= SNAPSHOT_TOTAL_BYTES_MAX &&
           chunk->offset <= chunk->total && chunk->bytes <= chunk->total - chunk->offset &&
           chunk->bytes <= SNAPSHOT_PIECE_BYTES_MAX &&
           (chunk->bytes > 0 || chunk->offset == chunk->total) &&
           chunk->config_bytes <= SNAPSHOT_WIRE_CONFIG_BYTES_MAX &&
           first == (chunk->config_bytes > 0);
}

int snapshot_chunk_decode (const uint8_t *data, size_t bytes, snapshot_chunk_t *self)
{
    int rc = s_check_start (data, bytes, SNAPSHOT_WIRE_CHUNK_BYTES);
    if (rc) {
        return rc;
    }
    snapshot_chunk_t chunk = {
        .transfer = bytes_get_u64 (data + 8),
        .index = bytes_get_u64 (data + 16),
        .term = bytes_get_u64 (data + 24),
        .total = bytes_get_u64 (data + 32),
        .offset = bytes_get_u64 (data + 40),
        .bytes = bytes_get_u32 (data + 48),
        .config_bytes = bytes_get_u32 (data + 52),
    };
    if (!s_chunk_is_sane (data, &chunk)) {
        return DT_ERR_MALFORMED;
    }
    // Bounded by now: none of these sums can overflow.
    size_t more = chunk.offset == 0 ? SNAPSHOT_WIRE_FIRST_BYTES + chunk.config_bytes : 0;
    if (bytes != SNAPSHOT_WIRE_CHUNK_BYTES + more + chunk.bytes) {
        return DT_ERR_MALFORMED;
    }
    const uint8_t *place = data + SNAPSHOT_WIRE_CHUNK_BYTES;
    if (chunk.offset == 0) {
        chunk.cluster_time_ms = bytes_get_u64 (place);
        chunk.config_index = bytes_get_u64 (place + 8);
        chunk.state_digest = bytes_get_u64 (place + 16);
        chunk.config = place + SNAPSHOT_WIRE_FIRST_BYTES;
        if (chunk.config_index > chunk.index) {
            return DT_ERR_MALFORMED;
        }
    }
    chunk.data = place + more;
    *self = chunk;
    return 0;
}

void snapshot_reply_encode (const snapshot_reply_t *self, dt_buffer_t *out)
{
    dt_assert (self->rc <= 0);
    uint8_t *to = dt_buffer_reserve (out, SNAPSHOT_WIRE_REPLY_BYTES);
    memset (to, 0, SNAPSHOT_WIRE_REPLY_BYTES);
    to[0] = FORMAT;
    to[1] = (uint8_t) ((self->done ? FLAG_DONE : 0) | (self->again ? FLAG_AGAIN : 0));
    bytes_put_u64 (to + 8, self->transfer);
    bytes_put_u64 (to + 16, self->next);
    bytes_put_u32 (to + 24, (uint32_t) -self->rc);
    bytes_put_u32 (to + CRC_AT, s_crc (to, SNAPSHOT_WIRE_REPLY_BYTES, NULL, 0));
    out->bytes += SNAPSHOT_WIRE_REPLY_BYTES;
}

int snapshot_reply_decode (const uint8_t *data, size_t bytes, snapshot_reply_t *self)
{
    int rc = s_check_start (data, bytes, SNAPSHOT_WIRE_REPLY_BYTES);
    if (rc) {
        return rc;
    }
    uint32_t code = bytes_get_u32 (data + 24);
    snapshot_reply_t reply = {
        .transfer = bytes_get_u64 (data + 8),
        .next = bytes_get_u64 (data + 16),
        .done = data[1] & FLAG_DONE,
        .again = data[1] & FLAG_AGAIN,
    };
    // A code that a later version gave its table is an error all the same.
    bool known =
        code == 0 || (code <= INT16_MAX && strcmp (dt_error_name (-(int) code), "UNKNOWN") != 0);
    reply.rc = known ? -(int) code : DT_ERR_INVALID;
    if (bytes != SNAPSHOT_WIRE_REPLY_BYTES || data[1] > (FLAG_DONE | FLAG_AGAIN) || data[2] != 0 ||
        data[3] != 0 || reply.transfer == 0 || reply.next > SNAPSHOT_TOTAL_BYTES_MAX ||
        (reply.done && (reply.again || reply.rc != 0))) {
        return DT_ERR_MALFORMED;
    }
    *self = reply;
    return 0;
}
