// raft_snapshot_wire - what two snapshot actors say to each other, as bodies of peer messages.
// Pure.
//
// A sender cuts the content of a snapshot into pieces and sends them in CHUNKs; the receiver's
// REPLYs name the next offset it wants, which acknowledges everything before it and is the credit
// for more [ZMQ-6]. Numbers are little-endian; nothing may follow.
//
//   chunk    0  u8  format (1)
//            1  u8[3] zeros
//            4  u32 crc              crc32c of the whole body with these four bytes zero
//            8  u64 transfer         chosen by the sender at random, not 0: another one is another
//                                    attempt
//           16  u64 index            of the snapshot: last entry whose effect it contains
//           24  u64 term             of that entry
//           32  u64 total            bytes of content
//           40  u64 offset           in the content, of this piece
//           48  u32 bytes            of this piece; 0 only at the end: "do you have it all?"
//           52  u32 config_bytes     offset 0: of the configuration; else 0
//           56  offset 0 only: u64 cluster_time_ms, u64 config_index, u64 state_digest, then the
//               configuration (raft_config.h)
//            .  the piece
//
//   reply    0  u8  format (1)
//            1  u8  flags            1: complete, durable and told to the group; 2: send again from
//                                    `next` on
//            2  u8[2] zeros
//            4  u32 crc              as above
//            8  u64 transfer         the chunk's
//           16  u64 next             offset of the first byte the receiver does not have
//           24  u32 code             0, or the wire number of the error that ended the transfer;
//                                    NOT_FOUND: not known here (any more), begin another

#ifndef RAFT_SNAPSHOT_WIRE_H
#define RAFT_SNAPSHOT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"

enum {
    SNAPSHOT_PIECE_BYTES_MAX = 256 * 1024,
    SNAPSHOT_WIRE_CHUNK_BYTES = 56,       // without what only the first piece has
    SNAPSHOT_WIRE_FIRST_BYTES = 3 * 8,    // what the first piece has beside the configuration
    SNAPSHOT_WIRE_REPLY_BYTES = 28,       //
    SNAPSHOT_WIRE_CONFIG_BYTES_MAX = 8192 // of a configuration's bytes
};

// No snapshot is larger: leaves room for sums without overflow.
#define SNAPSHOT_TOTAL_BYTES_MAX (UINT64_C (1) << 50)

typedef struct {
    uint64_t transfer; // not 0
    uint64_t index;    // from 1
    uint64_t term;     // of the entry at index
    uint64_t total;    // bytes of content
    uint64_t offset;   // of this piece
    // Offset 0 only.
    uint64_t cluster_time_ms; // of the entry at index
    uint64_t config_index;    // of the entry that held config, at most index
    uint64_t state_digest;    // as the state machine gave it
    const uint8_t *config;    // borrowed; not looked into here
    uint32_t config_bytes;    // from 1
    //
    const uint8_t *data; // borrowed: the piece
    uint32_t bytes;      // of it
} snapshot_chunk_t;

typedef struct {
    uint64_t transfer; // not 0
    uint64_t next;     // up to SNAPSHOT_TOTAL_BYTES_MAX
    int rc;            // 0 or a DT_ERR_*
    bool done;         // all of it is durable over there
    bool again;        // something is missing or was damaged: send from next on
} snapshot_reply_t;

// Append everything of a chunk's body but the piece, which follows it on the wire.
void snapshot_chunk_encode (const snapshot_chunk_t *self, dt_buffer_t *head);

// Read a chunk. *self is set on success only and points into data. DT_ERR_MALFORMED: contradicts
// itself or is over a limit. DT_ERR_CORRUPT: the checksum. DT_ERR_NEWER_FORMAT.
int snapshot_chunk_decode (const uint8_t *data, size_t bytes, snapshot_chunk_t *self);

// The same for replies.
void snapshot_reply_encode (const snapshot_reply_t *self, dt_buffer_t *out);
int snapshot_reply_decode (const uint8_t *data, size_t bytes, snapshot_reply_t *self);

#endif // RAFT_SNAPSHOT_WIRE_H
