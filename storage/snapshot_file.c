#include "storage/snapshot_file.h"

#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "base/dt_hash.h"
#include "storage/storage_bytes.h"

#define HEADER_MAGIC  0x4853504e41535444ull // "DTSNAPSH"
#define TRAILER_MAGIC 0x4e4550414e535444ull // "DTSNAPEN"
#define CHUNK_MAGIC   0x48435344u           // "DSCH"

static int s_corrupt (const char **why, const char *text)
{
    *why = text;
    return DT_ERR_CORRUPT;
}

// The crc of bytes that hold a crc themselves, at 12, which counts as zero.
static uint32_t s_block_crc (uint32_t seed, const uint8_t *data, size_t bytes)
{
    static const uint8_t zeros[4];
    uint32_t crc = dt_crc32c (seed, data, 12);
    crc = dt_crc32c (crc, zeros, 4);
    return dt_crc32c (crc, data + 16, bytes - 16);
}

uint32_t snapshot_header_size (uint32_t config_bytes)
{
    uint32_t bytes = SNAPSHOT_HEADER_FIXED_BYTES + config_bytes;
    return (bytes + SNAPSHOT_HEADER_ALIGN - 1) / SNAPSHOT_HEADER_ALIGN * SNAPSHOT_HEADER_ALIGN;
}

void snapshot_header_encode (snapshot_header_t *header, dt_buffer_t *out)
{
    const snapshot_meta_t *meta = &header->meta;
    dt_assert (meta->config_bytes <= SNAPSHOT_CONFIG_BYTES_MAX);
    header->header_bytes = snapshot_header_size (meta->config_bytes);
    uint8_t *data = dt_buffer_reserve (out, header->header_bytes);
    memset (data, 0, header->header_bytes);
    bytes_put_u64 (data, HEADER_MAGIC);
    bytes_put_u32 (data + 8, SNAPSHOT_VERSION);
    bytes_put_u64 (data + 16, header->identity.cluster_id);
    bytes_put_u32 (data + 24, header->identity.group_id);
    bytes_put_u32 (data + 28, header->identity.node_id);
    bytes_put_u64 (data + 32, meta->index);
    bytes_put_u64 (data + 40, meta->term);
    bytes_put_u64 (data + 48, meta->cluster_time_ms);
    bytes_put_u64 (data + 56, meta->config_index);
    bytes_put_u64 (data + 64, header->created_ms);
    bytes_put_u32 (data + 72, meta->config_bytes);
    bytes_put_u32 (data + 76, header->header_bytes);
    bytes_put_u32 (data + 80, header->salt);
    if (meta->config_bytes) {
        memcpy (data + SNAPSHOT_HEADER_FIXED_BYTES, meta->config, meta->config_bytes);
    }
    header->crc = s_block_crc (0, data, header->header_bytes);
    bytes_put_u32 (data + 12, header->crc);
    out->bytes += header->header_bytes;
}

int snapshot_header_peek (const uint8_t *data, uint32_t *header_bytes, const char **why)
{
    if (bytes_get_u64 (data) != HEADER_MAGIC) {
        return s_corrupt (why, "no snapshot header");
    }
    uint32_t bytes = bytes_get_u32 (data + 76);
    uint32_t version = bytes_get_u32 (data + 8);
    if (bytes < SNAPSHOT_HEADER_FIXED_BYTES || bytes > SNAPSHOT_HEADER_BYTES_MAX) {
        return s_corrupt (why, "impossible size in the header");
    }
    if (version > SNAPSHOT_VERSION) {
        // Perhaps only a flipped bit: decode checks the crc, whose place never changes.
        *why = "newer format version";
        *header_bytes = bytes;
        return DT_ERR_NEWER_FORMAT;
    }
    uint32_t config_bytes = bytes_get_u32 (data + 72);
    if (config_bytes > SNAPSHOT_CONFIG_BYTES_MAX || bytes != snapshot_header_size (config_bytes)) {
        return s_corrupt (why, "impossible size in the header");
    }
    *header_bytes = bytes;
    return 0;
}

int snapshot_header_decode (const uint8_t *data, size_t bytes, snapshot_header_t *header,
                            const char **why)
{
    uint32_t header_bytes;
    if (bytes < SNAPSHOT_HEADER_FIXED_BYTES) {
        return s_corrupt (why, "file too short for a header");
    }
    uint32_t crc = bytes_get_u32 (data + 12);
    int rc = snapshot_header_peek (data, &header_bytes, why);
    if (rc == DT_ERR_CORRUPT) {
        return rc;
    }
    if (bytes != header_bytes || s_block_crc (0, data, bytes) != crc) {
        return s_corrupt (why, "checksum of the header");
    }
    if (rc) {
        return rc;
    }
    *header = (snapshot_header_t){
        .identity = {.cluster_id = bytes_get_u64 (data + 16),
                     .group_id = bytes_get_u32 (data + 24),
                     .node_id = bytes_get_u32 (data + 28)},
        .meta = {.index = bytes_get_u64 (data + 32),
                 .term = bytes_get_u64 (data + 40),
                 .cluster_time_ms = bytes_get_u64 (data + 48),
                 .config_index = bytes_get_u64 (data + 56),
                 .config = data + SNAPSHOT_HEADER_FIXED_BYTES,
                 .config_bytes = bytes_get_u32 (data + 72)},
        .created_ms = bytes_get_u64 (data + 64),
        .header_bytes = header_bytes,
        .salt = bytes_get_u32 (data + 80),
        .crc = crc,
    };
    return 0;
}

void snapshot_chunk_seal (uint8_t *chunk, uint32_t salt, uint32_t number, uint32_t body_bytes)
{
    dt_assert (body_bytes > 0);
    dt_assert (body_bytes <= SNAPSHOT_CHUNK_BYTES);
    bytes_put_u32 (chunk, CHUNK_MAGIC);
    bytes_put_u32 (chunk + 8, number);
    bytes_put_u32 (chunk + 12, body_bytes);
    bytes_put_u32 (chunk + 4, dt_crc32c (salt, chunk + 8, 8 + (size_t) body_bytes));
}

int snapshot_chunk_verify (const uint8_t *chunk, uint32_t salt, uint32_t number,
                           uint32_t body_bytes, const char **why)
{
    if (bytes_get_u32 (chunk) != CHUNK_MAGIC) {
        return s_corrupt (why, "no chunk where one must be");
    }
    if (bytes_get_u32 (chunk + 8) != number || bytes_get_u32 (chunk + 12) != body_bytes) {
        return s_corrupt (why, "number or size of a chunk");
    }
    if (bytes_get_u32 (chunk + 4) != dt_crc32c (salt, chunk + 8, 8 + (size_t) body_bytes)) {
        return s_corrupt (why, "checksum of a chunk");
    }
    return 0;
}

uint32_t snapshot_chunk_body_bytes (const snapshot_trailer_t *trailer, uint32_t number)
{
    dt_assert (number < trailer->chunks);
    if (number + 1 < trailer->chunks) {
        return SNAPSHOT_CHUNK_BYTES;
    }
    return (uint32_t) (trailer->total_bytes - (uint64_t) number * SNAPSHOT_CHUNK_BYTES);
}

uint64_t snapshot_chunk_offset (const snapshot_header_t *header, uint32_t number)
{
    return header->header_bytes +
           (uint64_t) number * (SNAPSHOT_CHUNK_BYTES + SNAPSHOT_CHUNK_HEADER_BYTES);
}

uint64_t snapshot_digest_step (uint64_t digest, const uint8_t *body, size_t bytes)
{
    return dt_hash64 (body, bytes, digest);
}

void snapshot_trailer_encode (const snapshot_trailer_t *trailer, uint32_t salt, uint8_t *data)
{
    memset (data, 0, SNAPSHOT_TRAILER_BYTES);
    bytes_put_u64 (data, TRAILER_MAGIC);
    bytes_put_u32 (data + 8, SNAPSHOT_VERSION);
    bytes_put_u64 (data + 16, trailer->total_bytes);
    bytes_put_u64 (data + 24, trailer->content_digest);
    bytes_put_u64 (data + 32, trailer->state_digest);
    bytes_put_u32 (data + 40, trailer->chunks);
    bytes_put_u32 (data + 44, trailer->header_crc);
    bytes_put_u64 (data + 48, trailer->file_bytes);
    bytes_put_u32 (data + 12, s_block_crc (salt, data, SNAPSHOT_TRAILER_BYTES));
}

// Do the counts of a trailer agree with each other and with the file?
static bool s_trailer_fits (const snapshot_trailer_t *trailer, const snapshot_header_t *header,
                            uint64_t file_bytes)
{
    uint64_t total = trailer->total_bytes;
    if (trailer->file_bytes != file_bytes || total > file_bytes) {
        return false;
    }
    uint64_t chunks = total / SNAPSHOT_CHUNK_BYTES + (total % SNAPSHOT_CHUNK_BYTES != 0);
    return trailer->chunks == chunks && file_bytes == header->header_bytes +
                                                          chunks * SNAPSHOT_CHUNK_HEADER_BYTES +
                                                          total + SNAPSHOT_TRAILER_BYTES;
}

int snapshot_trailer_decode (const uint8_t *data, const snapshot_header_t *header,
                             uint64_t file_bytes, snapshot_trailer_t *trailer, const char **why)
{
    if (bytes_get_u64 (data) != TRAILER_MAGIC) {
        return s_corrupt (why, "no trailer: the file is incomplete");
    }
    if (bytes_get_u32 (data + 12) != s_block_crc (header->salt, data, SNAPSHOT_TRAILER_BYTES)) {
        return s_corrupt (why, "checksum of the trailer");
    }
    if (bytes_get_u32 (data + 8) > SNAPSHOT_VERSION) {
        *why = "newer format version";
        return DT_ERR_NEWER_FORMAT;
    }
    *trailer = (snapshot_trailer_t){
        .total_bytes = bytes_get_u64 (data + 16),
        .content_digest = bytes_get_u64 (data + 24),
        .state_digest = bytes_get_u64 (data + 32),
        .chunks = bytes_get_u32 (data + 40),
        .header_crc = bytes_get_u32 (data + 44),
        .file_bytes = bytes_get_u64 (data + 48),
    };
    if (trailer->header_crc != header->crc) {
        return s_corrupt (why, "trailer of another snapshot");
    }
    if (!s_trailer_fits (trailer, header, file_bytes)) {
        return s_corrupt (why, "sizes in the trailer do not fit the file");
    }
    return 0;
}
