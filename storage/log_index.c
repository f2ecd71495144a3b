#include "storage/log_index.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_crc32c.h"
#include "base/dt_memory.h"
#include "storage/log_segment.h"

#define INDEX_MAGIC 0x584449474f4c5444ull // "DTLOGIDX"

typedef struct {
    uint64_t magic;
    uint32_t version;
    uint32_t crc;
    uint64_t seq;
    uint32_t segment_crc;
    uint32_t end_chain;
    uint64_t first_index;
    uint64_t last_index;
    uint32_t points;
    uint32_t runs;
} disk_index_t;

typedef struct {
    uint64_t index;
    uint32_t offset;
    uint32_t chain;
} disk_point_t;

typedef struct {
    uint64_t index;
    uint64_t term;
} disk_run_t;

_Static_assert(sizeof (disk_index_t) == 56, "no padding");
_Static_assert(sizeof (disk_point_t) == 16, "no padding");
_Static_assert(sizeof (disk_run_t) == 16, "no padding");

void log_index_deinit (log_index_t *self)
{
    free (self->points);
    free (self->runs);
    *self = (log_index_t){0};
}

void log_index_add_point (log_index_t *self, uint64_t index, uint64_t seq, uint32_t offset,
                          uint32_t chain)
{
    dt_assert (self->point_count == 0 || self->points[self->point_count - 1].index < index);
    if (self->point_count == self->point_capacity) {
        self->point_capacity = self->point_capacity ? self->point_capacity * 2 : 64;
        self->points = dt_realloc (self->points, self->point_capacity * sizeof self->points[0]);
    }
    self->points[self->point_count++] = (log_point_t){index, seq, offset, chain};
}

void log_index_add_run (log_index_t *self, uint64_t index, uint64_t term)
{
    dt_assert (self->run_count == 0 || self->runs[self->run_count - 1].index < index);
    dt_assert (self->run_count == 0 || self->runs[self->run_count - 1].term < term);
    if (self->run_count == self->run_capacity) {
        self->run_capacity = self->run_capacity ? self->run_capacity * 2 : 16;
        self->runs = dt_realloc (self->runs, self->run_capacity * sizeof self->runs[0]);
    }
    self->runs[self->run_count++] = (log_term_run_t){index, term};
}

// How many points are at or below index.
static size_t s_points_upto (const log_index_t *self, uint64_t index)
{
    size_t low = 0;
    size_t high = self->point_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->points[middle].index <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// How many runs begin at or below index.
static size_t s_runs_upto (const log_index_t *self, uint64_t index)
{
    size_t low = 0;
    size_t high = self->run_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->runs[middle].index <= index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void log_index_truncate (log_index_t *self, uint64_t index)
{
    dt_assert (index > 0);
    self->point_count = s_points_upto (self, index - 1);
    self->run_count = s_runs_upto (self, index - 1);
}

void log_index_drop_before (log_index_t *self, uint64_t index)
{
    size_t points = s_points_upto (self, index - 1);
    self->point_count -= points;
    if (points > 0 && self->point_count > 0) {
        memmove (self->points, self->points + points, self->point_count * sizeof self->points[0]);
    }
    if (self->point_count == 0) {
        self->run_count = 0; // every segment's first entry has a point, so none is left
        return;
    }
    size_t runs = s_runs_upto (self, index);
    if (runs == 0) {
        return;
    }
    // The run that covers index stays, shortened.
    self->run_count -= runs - 1;
    memmove (self->runs, self->runs + runs - 1, self->run_count * sizeof self->runs[0]);
    if (self->runs[0].index < index) {
        self->runs[0].index = index;
    }
}

const log_point_t *log_index_find (const log_index_t *self, uint64_t index)
{
    size_t count = s_points_upto (self, index);
    return count ? &self->points[count - 1] : NULL;
}

uint64_t log_index_term (const log_index_t *self, uint64_t index)
{
    size_t count = s_runs_upto (self, index);
    return count ? self->runs[count - 1].term : 0;
}

static uint32_t s_file_crc (const uint8_t *data, size_t bytes)
{
    static const uint8_t zeros[4];
    uint32_t crc = dt_crc32c (0, data, offsetof (disk_index_t, crc));
    crc = dt_crc32c (crc, zeros, sizeof zeros);
    size_t rest = offsetof (disk_index_t, crc) + sizeof zeros;
    return dt_crc32c (crc, data + rest, bytes - rest);
}

void log_index_encode (const log_index_t *self, const log_index_key_t *key, dt_buffer_t *buffer)
{
    size_t start = buffer->bytes;
    size_t point = s_points_upto (self, key->first_index - 1);
    size_t point_end = s_points_upto (self, key->last_index);
    size_t run = s_runs_upto (self, key->first_index);
    size_t run_end = s_runs_upto (self, key->last_index);
    dt_assert (run > 0);
    run--; // the run that covers the first entry
    disk_index_t header = {
        .magic = htole64 (INDEX_MAGIC),
        .version = htole32 (LOG_INDEX_VERSION),
        .seq = htole64 (key->seq),
        .segment_crc = htole32 (key->segment_crc),
        .end_chain = htole32 (key->end_chain),
        .first_index = htole64 (key->first_index),
        .last_index = htole64 (key->last_index),
        .points = htole32 (point_end - point),
        .runs = htole32 (run_end - run),
    };
    dt_buffer_append (buffer, &header, sizeof header);
    for (; point < point_end; point++) {
        disk_point_t disk = {.index = htole64 (self->points[point].index),
                             .offset = htole32 (self->points[point].offset),
                             .chain = htole32 (self->points[point].chain)};
        dt_buffer_append (buffer, &disk, sizeof disk);
    }
    for (; run < run_end; run++) {
        uint64_t index = self->runs[run].index;
        index = index > key->first_index ? index : key->first_index;
        disk_run_t disk = {.index = htole64 (index), .term = htole64 (self->runs[run].term)};
        dt_buffer_append (buffer, &disk, sizeof disk);
    }
    uint32_t crc = htole32 (s_file_crc (buffer->data + start, buffer->bytes - start));
    memcpy (buffer->data + start + offsetof (disk_index_t, crc), &crc, sizeof crc);
}

static bool s_header_matches (const disk_index_t *header, const log_index_key_t *key, size_t bytes)
{
    uint64_t body = (uint64_t) le32toh (header->points) * sizeof (disk_point_t) +
                    (uint64_t) le32toh (header->runs) * sizeof (disk_run_t);
    return le64toh (header->magic) == INDEX_MAGIC &&
           le32toh (header->version) == LOG_INDEX_VERSION && le64toh (header->seq) == key->seq &&
           le32toh (header->segment_crc) == key->segment_crc &&
           le32toh (header->end_chain) == key->end_chain &&
           le64toh (header->first_index) == key->first_index &&
           le64toh (header->last_index) == key->last_index && header->points && header->runs &&
           body == bytes - sizeof *header;
}

bool log_index_decode (log_index_t *self, const log_index_key_t *key, const uint8_t *data,
                       size_t bytes)
{
    disk_index_t header;
    if (bytes < sizeof header) {
        return false;
    }
    memcpy (&header, data, sizeof header);
    if (!s_header_matches (&header, key, bytes) ||
        le32toh (header.crc) != s_file_crc (data, bytes)) {
        return false;
    }
    // The checksum is right, so this is what was written for this very file; the values are
    // checked all the same before anything is built on them.
    size_t points_before = self->point_count;
    size_t runs_before = self->run_count;
    uint32_t points = le32toh (header.points);
    uint32_t runs = le32toh (header.runs);
    const uint8_t *at = data + sizeof header;
    uint64_t index = key->first_index - 1;
    uint32_t offset = LOG_SEGMENT_HEADER_BYTES - 1;
    for (uint32_t i = 0; i < points; i++, at += sizeof (disk_point_t)) {
        disk_point_t disk;
        memcpy (&disk, at, sizeof disk);
        if (le64toh (disk.index) <= index || le64toh (disk.index) > key->last_index ||
            le32toh (disk.offset) <= offset || le32toh (disk.offset) % 8 ||
            le32toh (disk.offset) >= key->segment_bytes ||
            (i == 0 && le64toh (disk.index) != key->first_index)) {
            goto refuse;
        }
        index = le64toh (disk.index);
        offset = le32toh (disk.offset);
        log_index_add_point (self, index, key->seq, offset, le32toh (disk.chain));
    }
    index = key->first_index - 1;
    uint64_t term = 0;
    for (uint32_t i = 0; i < runs; i++, at += sizeof (disk_run_t)) {
        disk_run_t disk;
        memcpy (&disk, at, sizeof disk);
        uint64_t last = self->run_count ? self->runs[self->run_count - 1].term : 0;
        if (le64toh (disk.index) <= index || le64toh (disk.index) > key->last_index ||
            le64toh (disk.term) <= term || le64toh (disk.term) < last ||
            (i == 0 && le64toh (disk.index) != key->first_index)) {
            goto refuse;
        }
        index = le64toh (disk.index);
        term = le64toh (disk.term);
        if (term != last) {
            log_index_add_run (self, index, term);
        }
    }
    return true;

refuse:
    self->point_count = points_before;
    self->run_count = runs_before;
    return false;
}
