// dtkv_digest - order-independent digest of the state: what replicas compare.
//
// The digest of a tree is the sum modulo 2^64 of a hash for each node, root included; that of the
// sessions likewise. So it is maintained for each change at the cost of the changed item. Hashes
// have fixed seeds and are made of canonical bytes (little-endian words): equal on every machine,
// part of the snapshot format, and not secret. It finds divergence and damage, not forgery.

#ifndef DTKV_DIGEST_H
#define DTKV_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "dtkv/core/dtkv_node.h"

// What a node at a path adds: hash of path, value and all metadata.
uint64_t dtkv_digest_node (const uint8_t *path, size_t path_bytes, const dtkv_node_t *node);

// Hash of `count` numbers and a run of bytes, for things that are no nodes.
uint64_t dtkv_digest_words (const uint64_t *words, size_t count, const void *data, size_t bytes);

// The digest of a whole state out of its parts.
uint64_t dtkv_digest_state (uint64_t tree, uint64_t sessions, uint64_t applied_index,
                            uint64_t cluster_time_ms);

#endif // DTKV_DIGEST_H
