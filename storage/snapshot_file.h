// snapshot_file - the format of a snapshot: one file, written once, verified before it counts.
//
// Little-endian. A header of header_bytes (a multiple of 4096), the chunks, a trailer; nothing
// else.
//
//   header   0  u64 magic            "DTSNAPSH"
//            8  u32 version          this place, the crc's and that of header_bytes never change
//           12  u32 crc              crc32c of the whole header with these four bytes zero
//           16  u64 cluster_id
//           24  u32 group_id
//           28  u32 node_id          of the node that wrote the file; informational
//           32  u64 index            last entry whose effect it contains
//           40  u64 term             of that entry
//           48  u64 cluster_time_ms  of that entry
//           56  u64 config_index     of the entry that held the configuration
//           64  u64 created_ms       wall clock; informational
//           72  u32 config_bytes
//           76  u32 header_bytes
//           80  u32 salt             random: tells the chunks of this file from those of others
//           84      zeros up to 128, then the configuration (raft's bytes), then zeros
//
//   chunk    0  u32 magic            "DSCH"
//            4  u32 crc              crc32c (salt, bytes 8..15, body)
//            8  u32 number           from 0
//           12  u32 bytes            SNAPSHOT_CHUNK_BYTES; less, but not 0, in the last chunk
//           16      body
//
//   trailer  0  u64 magic            "DTSNAPEN"
//            8  u32 version
//           12  u32 crc              crc32c (salt, the trailer with these four bytes zero)
//           16  u64 total_bytes      of all bodies
//           24  u64 content_digest   see snapshot_digest_step
//           32  u64 state_digest     as the state machine gave it
//           40  u32 chunks
//           44  u32 header_crc
//           48  u64 file_bytes
//           56      zeros up to 64
//
// Every byte of the file is covered by a check, and every place follows from header and trailer.

#ifndef SNAPSHOT_FILE_H
#define SNAPSHOT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "storage/storage_identity.h"
#include "storage/vfs.h"

enum {
    SNAPSHOT_VERSION = 1,
    SNAPSHOT_HEADER_FIXED_BYTES = 128,
    SNAPSHOT_HEADER_ALIGN = 4096,
    SNAPSHOT_HEADER_BYTES_MAX = 1024 * 1024, // of any version
    SNAPSHOT_CONFIG_BYTES_MAX = 64 * 1024,
    SNAPSHOT_CHUNK_HEADER_BYTES = 16,
    SNAPSHOT_CHUNK_BYTES = 1024 * 1024 - SNAPSHOT_CHUNK_HEADER_BYTES, // body of a full chunk
    SNAPSHOT_TRAILER_BYTES = 64,
};

// What a snapshot is of.
typedef struct {
    uint64_t index;           // last entry it contains, from 1
    uint64_t term;            // of that entry
    uint64_t cluster_time_ms; // of that entry
    uint64_t config_index;    // of the entry that held the configuration in force at index
    const uint8_t *config;    // borrowed; opaque here
    uint32_t config_bytes;    // 0 .. SNAPSHOT_CONFIG_BYTES_MAX
} snapshot_meta_t;

typedef struct {
    storage_identity_t identity;
    snapshot_meta_t meta; // config points into the bytes that were decoded
    uint64_t created_ms;
    uint32_t header_bytes;
    uint32_t salt;
    uint32_t crc; // set by encode and decode
} snapshot_header_t;

typedef struct {
    uint64_t total_bytes;
    uint64_t content_digest;
    uint64_t state_digest;
    uint64_t file_bytes;
    uint32_t chunks;
    uint32_t header_crc;
} snapshot_trailer_t;

// The size of a header with such a configuration.
uint32_t snapshot_header_size (uint32_t config_bytes);

// Append the header's bytes; sets header->crc and header->header_bytes.
void snapshot_header_encode (snapshot_header_t *header, dt_buffer_t *out);

// Read header_bytes out of the first SNAPSHOT_HEADER_FIXED_BYTES of a file, to know how much to
// read for decode. DT_ERR_CORRUPT with *why, DT_ERR_NEWER_FORMAT.
int snapshot_header_peek (const uint8_t *data, uint32_t *header_bytes, const char **why);

// Decode and verify a header of exactly `bytes`. DT_ERR_CORRUPT with *why, DT_ERR_NEWER_FORMAT.
int snapshot_header_decode (const uint8_t *data, size_t bytes, snapshot_header_t *header,
                            const char **why);

// Fill in the header of a chunk whose body follows it at `chunk`.
void snapshot_chunk_seal (uint8_t *chunk, uint32_t salt, uint32_t number, uint32_t body_bytes);

// Verify a chunk of exactly this number and size. DT_ERR_CORRUPT with *why.
int snapshot_chunk_verify (const uint8_t *chunk, uint32_t salt, uint32_t number,
                           uint32_t body_bytes, const char **why);

// Body bytes and place of a chunk.
uint32_t snapshot_chunk_body_bytes (const snapshot_trailer_t *trailer, uint32_t number);
uint64_t snapshot_chunk_offset (const snapshot_header_t *header, uint32_t number);

// The content digest goes from chunk to chunk, starting with 0.
uint64_t snapshot_digest_step (uint64_t digest, const uint8_t *body, size_t bytes);

// Encode to SNAPSHOT_TRAILER_BYTES.
void snapshot_trailer_encode (const snapshot_trailer_t *trailer, uint32_t salt, uint8_t *data);

// Decode and verify a trailer against header and file size. DT_ERR_CORRUPT with *why,
// DT_ERR_NEWER_FORMAT.
int snapshot_trailer_decode (const uint8_t *data, const snapshot_header_t *header,
                             uint64_t file_bytes, snapshot_trailer_t *trailer, const char **why);

#endif // SNAPSHOT_FILE_H
