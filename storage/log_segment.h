// log_segment - one file of a log: its name, its header block, how it is filled with zeros.
//
// A segment file is `%020llu.log`, named by its number in the order of creation, and never gets
// that name before it is complete: filled with zeros, header written, both synced [DISK-4, 5]. The
// header takes the first 4096 bytes, little-endian, the rest of the block is zero:
//
//     0  u64 magic          "DTLOGSEG"
//     8  u32 version        of the format; this place and the crc's stay the same in every version
//    12  u32 crc            crc32c of the block with these four bytes zero
//    16  u64 cluster_id
//    24  u32 group_id
//    28  u32 node_id
//    32  u64 seq            number of the segment, as in the name
//    40  u64 prev_seq       number of the segment that this one continues; 0: none
//    48  u64 first_index    of the first entry to be written here
//    56  u64 prev_term      term of the entry before it; 0: none
//    64  u32 prev_chain     chain crc after that entry (of the last record that counts before this)
//    68  u32 salt           of record headers; the same in all segments of a log
//    72  u32 segment_bytes  of the file when it was made
//    76  u32 flags          LOG_SEGMENT_RESTART
//    80  u64 created_ms     wall clock; informational
//
// The header of a segment also says where the one before it ends: at entry first_index - 1, with
// prev_chain. What stands behind that was truncated; segments that no prev_seq leads to are dead.
// So truncating a suffix is the creation of one segment: it happens wholly or not at all.

#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/log_record.h"
#include "storage/storage_identity.h"
#include "storage/vfs.h"

enum {
    LOG_SEGMENT_HEADER_BYTES = 4096,
    LOG_SEGMENT_VERSION = 1,
    LOG_SEGMENT_RESTART = 1,        // nothing before this segment belongs to the log
    LOG_SEGMENT_RESERVED = 2 * 512, // at the end: room for the END record
    LOG_PATH_BYTES = 512,           // longest path, with its zero
};

typedef struct {
    storage_identity_t identity;
    uint64_t seq;
    uint64_t prev_seq;
    uint64_t first_index;
    uint64_t prev_term;
    uint32_t prev_chain;
    uint32_t salt;
    uint32_t segment_bytes;
    uint32_t flags;
    uint64_t created_ms;
    uint32_t crc; // set by encode and decode; identifies the file's generation
} log_segment_header_t;

// Encode a header block of LOG_SEGMENT_HEADER_BYTES; sets header->crc.
void log_segment_header_encode (log_segment_header_t *header, uint8_t *block);

// Decode and verify a block. DT_ERR_CORRUPT with *why, DT_ERR_NEWER_FORMAT.
int log_segment_header_decode (const uint8_t *block, log_segment_header_t *header,
                               const char **why);

// The scope of the records of a segment.
log_record_scope_t log_segment_scope (const log_segment_header_t *header);

// Where records must end in a segment that is written: before the reserve for the END record.
static inline uint64_t log_segment_limit (uint32_t segment_bytes)
{
    return segment_bytes - LOG_SEGMENT_RESERVED;
}

// The path of a segment, its index file (.idx), a spare file (.tmp) or a torn tail (.torn).
void log_segment_path (char *path, const char *directory, uint64_t seq);
void log_index_path (char *path, const char *directory, uint64_t seq);
void log_spare_path (char *path, const char *directory, uint64_t number);
void log_torn_path (char *path, const char *directory, uint64_t seq, uint64_t offset);

// Is `name` that of a torn tail? Then *seq and *offset say of what.
bool log_torn_name_parse (const char *name, uint64_t *seq, uint64_t *offset);

// Is `name` exactly 20 digits and the suffix? Then *number is the digits' value.
bool log_name_parse (const char *name, const char *suffix, uint64_t *number);

// Write zeros to bytes from .. to of a file, in synced pieces of at most 1 MiB.
int log_zero_fill (vfs_file_t *file, uint64_t from, uint64_t to);

#endif // LOG_SEGMENT_H
