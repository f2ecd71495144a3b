#include "storage/log_record.h"

#include <endian.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_planted.h"

enum {
    HEADER_CRC_FROM = 8, // the header crc covers what follows it
    CHAIN_CRC_FROM = 12, // the chain crc covers what follows it, and the body
};

uint32_t log_record_encode (uint8_t *to, const log_record_scope_t *scope, const log_entry_t *entry,
                            uint64_t synced_index, uint32_t chain)
{
    uint64_t distance = entry->index - synced_index;
    // A proof too far back to be expressed is not given at all.
    uint32_t distance32 = synced_index == 0 || distance >= UINT32_MAX ? UINT32_MAX : distance;
    log_record_header_t header = {
        .magic = htole32 (LOG_RECORD_MAGIC),
        .body_bytes = htole32 (entry->payload_bytes),
        .index = htole64 (entry->index),
        .term = htole64 (entry->term),
        .cluster_time_ms = htole64 (entry->cluster_time_ms),
        .wall_ms = htole64 (entry->wall_ms),
        .principal = htole64 (entry->principal),
        .session_id = htole64 (entry->session_id),
        .session_seq = htole64 (entry->session_seq),
        .session_ack = htole64 (entry->session_ack),
        .group_id = htole32 (scope->group_id),
        .synced_distance = htole32 (distance32),
        .segment_seq = htole32 (scope->segment_seq),
        .operation = htole16 (entry->operation),
        .type = entry->type,
    };
    memcpy (to, &header, sizeof header);
    size_t bytes = sizeof header + entry->payload_bytes;
    if (entry->payload_bytes) {
        memcpy (to + sizeof header, entry->payload, entry->payload_bytes);
    }
    chain = dt_crc32c (chain, to + CHAIN_CRC_FROM, bytes - CHAIN_CRC_FROM);
    uint32_t word = htole32 (chain);
    memcpy (to + offsetof (log_record_header_t, chain_crc), &word, sizeof word);
    word = htole32 (dt_crc32c (scope->salt, to + HEADER_CRC_FROM, sizeof header - HEADER_CRC_FROM));
    memcpy (to + offsetof (log_record_header_t, header_crc), &word, sizeof word);
    memset (to + bytes, 0, log_align (bytes, 8) - bytes);
    return chain;
}

static bool s_type_known (uint8_t type)
{
    return type <= LOG_ENTRY_TYPE_LAST || type == LOG_RECORD_MARKER || type == LOG_RECORD_END;
}

bool log_record_decode_header (const uint8_t *from, const log_record_scope_t *scope,
                               log_record_t *record)
{
    log_record_header_t header;
    memcpy (&header, from, sizeof header);
    if (le32toh (header.magic) != LOG_RECORD_MAGIC ||
        le32toh (header.header_crc) !=
            dt_crc32c (scope->salt, from + HEADER_CRC_FROM, sizeof header - HEADER_CRC_FROM) ||
        le32toh (header.group_id) != scope->group_id ||
        le32toh (header.segment_seq) != scope->segment_seq || !s_type_known (header.type)) {
        return false;
    }
    record->entry = (log_entry_t){
        .index = le64toh (header.index),
        .term = le64toh (header.term),
        .cluster_time_ms = le64toh (header.cluster_time_ms),
        .wall_ms = le64toh (header.wall_ms),
        .principal = le64toh (header.principal),
        .session_id = le64toh (header.session_id),
        .session_seq = le64toh (header.session_seq),
        .session_ack = le64toh (header.session_ack),
        .payload_bytes = le32toh (header.body_bytes),
        .operation = le16toh (header.operation),
        .type = header.type,
    };
    record->chain = le32toh (header.chain_crc);
    uint32_t distance = le32toh (header.synced_distance);
    bool known = distance != UINT32_MAX && distance <= record->entry.index;
    record->synced_index = known ? record->entry.index - distance : 0;
    return true;
}

bool log_bytes_zero (const uint8_t *data, size_t bytes)
{
    // Zero throughout: the first word is, and every byte equals the one 8 before it.
    if (bytes < 8) {
        static const uint8_t zeros[8];
        return memcmp (data, zeros, bytes) == 0;
    }
    uint64_t word;
    memcpy (&word, data, sizeof word);
    return word == 0 && memcmp (data, data + 8, bytes - 8) == 0;
}

static log_run_result_t s_more (log_run_t *self, uint64_t need)
{
    self->need = need;
    return LOG_RUN_MORE;
}

static log_run_result_t s_bad (log_run_t *self, const char *why)
{
    self->why = why;
    return LOG_RUN_BAD;
}

// Step over the zeros before the next flush. True: a record begins at the new position, or should.
static log_run_result_t s_skip_gap (log_run_t *self)
{
    for (;;) {
        if (self->position + LOG_RECORD_HEADER_BYTES > self->limit) {
            return LOG_RUN_ZERO;
        }
        uint64_t sector_end = log_align (self->position + 1, LOG_FLUSH_ALIGN);
        sector_end = sector_end < self->limit ? sector_end : self->limit;
        size_t here = sector_end - self->position;
        size_t at = self->position - self->offset;
        if (self->bytes - at >= 8 && !log_bytes_zero (self->data + at, 8)) {
            return LOG_RUN_RECORD;
        }
        if (self->bytes - at < here) {
            return s_more (self, here);
        }
        if (!log_bytes_zero (self->data + at, here)) {
            return LOG_RUN_RECORD;
        }
        if (self->position % LOG_FLUSH_ALIGN == 0) {
            return LOG_RUN_ZERO;
        }
        self->position = sector_end;
    }
}

log_run_result_t log_run_next (log_run_t *self, log_record_t *record)
{
    dt_assert (self->position >= self->offset);
    dt_assert (self->position <= self->offset + self->bytes);
    dt_assert (self->position % 8 == 0);
    log_run_result_t result = s_skip_gap (self);
    if (result != LOG_RUN_RECORD) {
        return result;
    }
    size_t at = self->position - self->offset;
    if (self->bytes - at < LOG_RECORD_HEADER_BYTES) {
        return s_more (self, LOG_RECORD_HEADER_BYTES);
    }
    const uint8_t *from = self->data + at;
    self->header_valid = log_record_decode_header (from, &self->scope, record);
    if (!self->header_valid) {
        return s_bad (self, "the record's header is damaged");
    }
    self->bad = *record;
    uint64_t bytes = log_record_bytes (record->entry.payload_bytes);
    if (record->entry.payload_bytes > LOG_ENTRY_PAYLOAD_BYTES_MAX ||
        bytes > self->limit - self->position) {
        return s_bad (self, "the record does not fit into its segment");
    }
    if (self->bytes - at < bytes) {
        return s_more (self, bytes);
    }
    uint32_t chain =
        dt_crc32c (self->chain, from + CHAIN_CRC_FROM,
                   LOG_RECORD_HEADER_BYTES - CHAIN_CRC_FROM + record->entry.payload_bytes);
    if (chain != record->chain && !dt_planted (DT_PLANTED_NO_CRC_CHAIN)) {
        return s_bad (self, "the record does not continue the checksum chain");
    }
    record->entry.payload = from + LOG_RECORD_HEADER_BYTES;
    record->offset = self->position;
    record->next_offset = self->position + bytes;
    self->position += bytes;
    self->chain = chain;
    return LOG_RUN_RECORD;
}
