// raft_wire - the messages of raft/core as bodies of peer messages, and back. Pure.
//
// A body is one msgpack array, whose unknown trailing elements are ignored; an append's is followed
// by its entries, each a fixed header (numbers little-endian) and the payload:
//
//     0 u64 term, 8 u64 cluster time ms, 16 u64 wall ms, 24 u64 principal, 32 u64 session id,
//     40 u64 session seq, 48 u64 session ack, 56 u32 payload bytes, 60 u16 operation, 62 u8 type,
//     63 u8 0, 64 payload
//
// Entries have no index of their own: they follow prev_index. docs/PEER_PROTOCOL.md has the
// grammar.

#ifndef RAFT_WIRE_H
#define RAFT_WIRE_H

#include "raft/core/raft_message.h"
#include "transport/peer_message.h"

enum { RAFT_WIRE_ENTRY_BYTES = 64 }; // of an entry's header

// The entries encoded last: an append to several peers is encoded once. Zeroed: empty.
typedef struct {
    log_batch_t *batch; // owned reference
    uint64_t first, last;
    dt_blob_t *blob; // owned reference: the encoded entries
} raft_wire_cache_t;

void raft_wire_cache_deinit (raft_wire_cache_t *self);

// Make the peer message that carries a message of a group.
peer_message_t *raft_wire_encode (raft_wire_cache_t *cache, uint32_t group_id,
                                  const raft_message_t *message);

// Read a received one. On success *message is the caller's; `to` is set to node_id. The entries of
// an append point into the received frame, which they keep. DT_ERR_MALFORMED: not a message of a
// known kind, or one that contradicts itself.
int raft_wire_decode (const peer_message_t *peer, raft_node_id_t node_id, raft_message_t **message);

#endif // RAFT_WIRE_H
