// log_record - how one entry, or one word of the log about itself, stands in a segment file.
//
// Little-endian, at a multiple of 8 bytes, a header of 96 bytes and then the body (the payload),
// padded with zeros to a multiple of 8:
//
//     0  u32 magic            of a record
//     4  u32 header_crc       crc32c (salt of the log, bytes 8..95): lengths can be trusted
//     [DISK-2] 8  u32 chain_crc        crc32c (chain of the record before, bytes 12..95, body)
//     [DISK-3]
//    12  u32 body_bytes
//    16  u64 index            of the entry; of a marker or an end: of the last entry before it
//    24  u64 term             of that entry
//    32  u64 cluster_time_ms
//    40  u64 wall_ms
//    48  u64 principal
//    56  u64 session_id
//    64  u64 session_seq
//    72  u64 session_ack
//    80  u32 group_id         with segment_seq and index: misdirected data is seen [DISK-1]
//    84  u32 synced_distance  index - synced_index; all ones: none is known durable
//    88  u32 segment_seq      low half of the number of its segment
//    92  u16 operation
//    94  u8  type             log_entry_type_t or one of the kinds below
//    95  u8  zero
//
// synced_index is the highest index known durable when the record was written. It never exceeds
// index. The salt is random per log and never leaves the disk, so that a payload cannot contain
// what passes for a header.
//
// Every flush begins at a multiple of LOG_FLUSH_ALIGN; the gap before it is zeros. So a write that
// is cut short never touches a sector that holds durable records.

#ifndef LOG_RECORD_H
#define LOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storage/log_entry.h"

enum {
    LOG_RECORD_HEADER_BYTES = 96,
    LOG_RECORD_MARKER = 0xfe, // proves that everything before it was durable
    LOG_RECORD_END = 0xff,    // last of its segment: a later segment exists
    LOG_FLUSH_ALIGN = 512,    // a sector: what a disk writes whole or not at all
};

#define LOG_RECORD_MAGIC 0x43524c44u // "DLRC"

typedef struct {
    uint32_t magic;
    uint32_t header_crc;
    uint32_t chain_crc;
    uint32_t body_bytes;
    uint64_t index;
    uint64_t term;
    uint64_t cluster_time_ms;
    uint64_t wall_ms;
    uint64_t principal;
    uint64_t session_id;
    uint64_t session_seq;
    uint64_t session_ack;
    uint32_t group_id;
    uint32_t synced_distance;
    uint32_t segment_seq;
    uint16_t operation;
    uint8_t type;
    uint8_t zero;
} log_record_header_t;

_Static_assert(sizeof (log_record_header_t) == LOG_RECORD_HEADER_BYTES, "no padding");
_Static_assert(offsetof (log_record_header_t, header_crc) == 4, "header_crc");
_Static_assert(offsetof (log_record_header_t, chain_crc) == 8, "chain_crc");
_Static_assert(offsetof (log_record_header_t, body_bytes) == 12, "body_bytes");
_Static_assert(offsetof (log_record_header_t, index) == 16, "index");
_Static_assert(offsetof (log_record_header_t, session_ack) == 72, "session_ack");
_Static_assert(offsetof (log_record_header_t, group_id) == 80, "group_id");
_Static_assert(offsetof (log_record_header_t, operation) == 92, "operation");
_Static_assert(offsetof (log_record_header_t, type) == 94, "type");

// What all records of one segment have in common.
typedef struct {
    uint32_t salt;
    uint32_t group_id;
    uint32_t segment_seq; // low half
} log_record_scope_t;

// A record as read.
typedef struct {
    log_entry_t entry;     // payload points into the memory that was read
    uint64_t synced_index; // 0: none
    uint64_t offset;       // in the file
    uint64_t next_offset;  // where the next record may stand
    uint32_t chain;        // after this record
} log_record_t;

static inline uint64_t log_align (uint64_t offset, uint64_t to)
{
    return (offset + to - 1) & ~(to - 1);
}

// Bytes a record with such a body takes.
static inline uint64_t log_record_bytes (uint64_t body_bytes)
{
    return log_align (LOG_RECORD_HEADER_BYTES + body_bytes, 8);
}

// Encode one record at `to`, which has room for log_record_bytes (entry->payload_bytes).
// synced_index is at most entry->index. Returns the chain after it.
uint32_t log_record_encode (uint8_t *to, const log_record_scope_t *scope, const log_entry_t *entry,
                            uint64_t synced_index, uint32_t chain);

// Is a complete, correct header of this scope at `from` (96 bytes)? Fills *record except payload,
// offsets and chain.
bool log_record_decode_header (const uint8_t *from, const log_record_scope_t *scope,
                               log_record_t *record);

// --- walking over a run of records in memory -----------------------------------------------------

typedef enum {
    LOG_RUN_RECORD, // one more record, verified against header crc, scope, bounds and chain
    LOG_RUN_MORE,   // `need` bytes from `position` on are needed in memory
    LOG_RUN_ZERO,   // nothing was written at `position`, or the segment's end is reached
    LOG_RUN_BAD,    // something was written at `position` that is no valid record; `why`
} log_run_result_t;

typedef struct {
    log_record_scope_t scope; // of the segment
    uint32_t chain;           // of the record before `position`
    const uint8_t *data;      // file content in memory; borrowed
    size_t bytes;             // of data
    uint64_t offset;          // in the file, of data
    uint64_t position;        // in the file, of the next record; in offset .. offset + bytes
    uint64_t limit;           // records end here at the latest
    uint64_t need;            // LOG_RUN_MORE; at most limit - position
    const char *why;          // LOG_RUN_BAD
    bool header_valid;        // LOG_RUN_BAD: the header is correct for its scope, `bad` holds it
    log_record_t bad;         // LOG_RUN_BAD
} log_run_t;

// Take the next record. At most `limit` and `bytes` are touched, whatever the bytes say.
log_run_result_t log_run_next (log_run_t *self, log_record_t *record);

// Are these bytes all zero?
bool log_bytes_zero (const uint8_t *data, size_t bytes);

#endif // LOG_RECORD_H
