#include "storage/log_segment.h"

#include <endian.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_error.h"
#include "storage/log_store.h"

#define SEGMENT_MAGIC 0x474553474f4c5444ull // "DTLOGSEG"

enum {
    ZERO_CHUNK_BYTES = 1024 * 1024, // a fiber gets one per round of its dispatcher
};

typedef struct {
    uint64_t magic;
    uint32_t version;
    uint32_t crc;
    uint64_t cluster_id;
    uint32_t group_id;
    uint32_t node_id;
    uint64_t seq;
    uint64_t prev_seq;
    uint64_t first_index;
    uint64_t prev_term;
    uint32_t prev_chain;
    uint32_t salt;
    uint32_t segment_bytes;
    uint32_t flags;
    uint64_t created_ms;
} disk_header_t;

_Static_assert(sizeof (disk_header_t) == 88, "no padding");
_Static_assert(offsetof (disk_header_t, crc) == 12, "crc");
_Static_assert(offsetof (disk_header_t, prev_chain) == 64, "prev_chain");

static uint32_t s_block_crc (const uint8_t *block)
{
    static const uint8_t zeros[4];
    uint32_t crc = dt_crc32c (0, block, offsetof (disk_header_t, crc));
    crc = dt_crc32c (crc, zeros, sizeof zeros);
    size_t rest = offsetof (disk_header_t, crc) + sizeof zeros;
    return dt_crc32c (crc, block + rest, LOG_SEGMENT_HEADER_BYTES - rest);
}

void log_segment_header_encode (log_segment_header_t *header, uint8_t *block)
{
    disk_header_t disk = {
        .magic = htole64 (SEGMENT_MAGIC),
        .version = htole32 (LOG_SEGMENT_VERSION),
        .cluster_id = htole64 (header->identity.cluster_id),
        .group_id = htole32 (header->identity.group_id),
        .node_id = htole32 (header->identity.node_id),
        .seq = htole64 (header->seq),
        .prev_seq = htole64 (header->prev_seq),
        .first_index = htole64 (header->first_index),
        .prev_term = htole64 (header->prev_term),
        .prev_chain = htole32 (header->prev_chain),
        .salt = htole32 (header->salt),
        .segment_bytes = htole32 (header->segment_bytes),
        .flags = htole32 (header->flags),
        .created_ms = htole64 (header->created_ms),
    };
    memset (block, 0, LOG_SEGMENT_HEADER_BYTES);
    memcpy (block, &disk, sizeof disk);
    header->crc = s_block_crc (block);
    disk.crc = htole32 (header->crc);
    memcpy (block, &disk, sizeof disk);
}

int log_segment_header_decode (const uint8_t *block, log_segment_header_t *header, const char **why)
{
    disk_header_t disk;
    memcpy (&disk, block, sizeof disk);
    if (le64toh (disk.magic) != SEGMENT_MAGIC) {
        *why = "the segment header has no magic number";
        return DT_ERR_CORRUPT;
    }
    if (le32toh (disk.crc) != s_block_crc (block)) {
        *why = "the segment header's checksum is wrong";
        return DT_ERR_CORRUPT;
    }
    if (le32toh (disk.version) > LOG_SEGMENT_VERSION) {
        *why = "the segment has a newer format";
        return DT_ERR_NEWER_FORMAT;
    }
    *header = (log_segment_header_t){
        .identity = {.cluster_id = le64toh (disk.cluster_id),
                     .group_id = le32toh (disk.group_id),
                     .node_id = le32toh (disk.node_id)},
        .seq = le64toh (disk.seq),
        .prev_seq = le64toh (disk.prev_seq),
        .first_index = le64toh (disk.first_index),
        .prev_term = le64toh (disk.prev_term),
        .prev_chain = le32toh (disk.prev_chain),
        .salt = le32toh (disk.salt),
        .segment_bytes = le32toh (disk.segment_bytes),
        .flags = le32toh (disk.flags),
        .created_ms = le64toh (disk.created_ms),
        .crc = le32toh (disk.crc),
    };
    if (header->segment_bytes < LOG_SEGMENT_BYTES_MIN ||
        header->segment_bytes > LOG_SEGMENT_BYTES_MAX || header->first_index == 0 ||
        header->first_index > INT64_MAX || header->prev_seq >= header->seq) {
        *why = "the segment header has impossible values";
        return DT_ERR_CORRUPT;
    }
    return 0;
}

log_record_scope_t log_segment_scope (const log_segment_header_t *header)
{
    return (log_record_scope_t){
        .salt = header->salt,
        .group_id = header->identity.group_id,
        .segment_seq = (uint32_t) header->seq,
    };
}

static void s_path (char *path, const char *directory, uint64_t number, const char *suffix)
{
    int bytes = snprintf (path, LOG_PATH_BYTES, "%s/%020llu%s", directory,
                          (unsigned long long) number, suffix);
    dt_assert (bytes < LOG_PATH_BYTES);
}

void log_segment_path (char *path, const char *directory, uint64_t seq)
{
    s_path (path, directory, seq, ".log");
}

void log_index_path (char *path, const char *directory, uint64_t seq)
{
    s_path (path, directory, seq, ".idx");
}

void log_spare_path (char *path, const char *directory, uint64_t number)
{
    s_path (path, directory, number, ".tmp");
}

void log_torn_path (char *path, const char *directory, uint64_t seq, uint64_t offset)
{
    char suffix[40];
    snprintf (suffix, sizeof suffix, "-%010llu.torn", (unsigned long long) offset);
    s_path (path, directory, seq, suffix);
}

// Read exactly so many digits.
static bool s_digits (const char *name, int digits, uint64_t *number)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return false;
        }
        uint64_t digit = (uint64_t) (name[i] - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *number = value;
    return true;
}

bool log_name_parse (const char *name, const char *suffix, uint64_t *number)
{
    uint64_t value;
    if (!s_digits (name, 20, &value) || strcmp (name + 20, suffix) != 0) {
        return false;
    }
    *number = value;
    return true;
}

bool log_torn_name_parse (const char *name, uint64_t *seq, uint64_t *offset)
{
    uint64_t values[2];
    if (!s_digits (name, 20, &values[0]) || name[20] != '-' ||
        !s_digits (name + 21, 10, &values[1]) || strcmp (name + 31, ".torn") != 0) {
        return false;
    }
    *seq = values[0];
    *offset = values[1];
    return true;
}

int log_zero_fill (vfs_file_t *file, uint64_t from, uint64_t to)
{
    static _Alignas(4096)
        uint8_t zeros[ZERO_CHUNK_BYTES]; // not const: no megabyte in the program file
    while (from < to) {
        // Whole chunks by position, so that all but the ends are aligned.
        uint64_t end = log_align (from + 1, ZERO_CHUNK_BYTES);
        end = end < to ? end : to;
        // Synced piece by piece: one large sync would stand in the way of the log's own for as
        // long.
        int rc = file->ops->write_sync (file, zeros, end - from, from);
        if (rc) {
            return rc;
        }
        from = end;
    }
    return 0;
}
