// dtkv_table - from the hash of a path to its node.
//
// Extendible hashing: a directory of 2^depth pointers to segments; a segment is a small
// open-addressing table that splits in two when it is full. So growth is bounded work for each
// insertion, there are never two tables at once, and there is no stall at any size. The order of
// what is in it influences nothing. 12 bytes per slot, segments between 40 and 85 % full.

#ifndef DTKV_TABLE_H
#define DTKV_TABLE_H

#include <stdint.h>

#include "dtkv/core/dtkv_node.h"

typedef struct dtkv_segment dtkv_segment_t;

typedef struct {
    dtkv_segment_t **segments; // owned, 2^depth; a segment may stand in several places
    uint32_t depth;            // leading bits of the hash that choose among them
    uint64_t nodes;            // over all segments
} dtkv_table_t;

// The part of a 64-bit hash the table uses; never 0.
static inline uint32_t dtkv_table_hash (uint64_t hash)
{
    uint32_t word = (uint32_t) (hash >> 32);
    return word ? word : 1;
}

void dtkv_table_init (dtkv_table_t *self);
void dtkv_table_deinit (dtkv_table_t *self);

// Say whether a node with the right hash is the one that is looked for.
typedef bool (dtkv_table_match_fn) (const dtkv_node_t *node, const void *key);

// The node with a hash that `match` accepts; NULL if there is none. Inlined for the sake of
// `match`.
static inline dtkv_node_t *dtkv_table_find (const dtkv_table_t *self, uint32_t hash,
                                            dtkv_table_match_fn *match, const void *key);

// Insert a node that is not there.
void dtkv_table_insert (dtkv_table_t *self, uint32_t hash, dtkv_node_t *node);

// Remove the node, which is there (asserted).
void dtkv_table_remove (dtkv_table_t *self, uint32_t hash, const dtkv_node_t *node);

// Put another node in the place of one that is there (asserted).
void dtkv_table_replace (dtkv_table_t *self, uint32_t hash, const dtkv_node_t *old,
                         dtkv_node_t *node);

// Assert the whole invariant.
void dtkv_table_check (const dtkv_table_t *self);

struct dtkv_segment {
    uint32_t count;       // used slots
    uint32_t capacity;    // slots
    uint32_t depth;       // leading bits all hashes in it have in common
    uint32_t *hashes;     // behind the nodes, in the same memory; 0: the slot is free
    dtkv_node_t *nodes[]; // capacity of them
};

static inline uint32_t dtkv_segment_home (const dtkv_segment_t *self, uint32_t hash)
{
    // The leading bits are alike in a segment: stir before scaling to the capacity.
    return (uint32_t) ((uint64_t) (hash * 0x9e3779b1u) * self->capacity >> 32);
}

static inline dtkv_segment_t *dtkv_table_segment (const dtkv_table_t *self, uint32_t hash)
{
    return self->segments[(uint64_t) hash << self->depth >> 32];
}

static inline dtkv_node_t *dtkv_table_find (const dtkv_table_t *self, uint32_t hash,
                                            dtkv_table_match_fn *match, const void *key)
{
    const dtkv_segment_t *segment = dtkv_table_segment (self, hash);
    uint32_t slot = dtkv_segment_home (segment, hash);
    while (segment->hashes[slot]) {
        if (segment->hashes[slot] == hash && match (segment->nodes[slot], key)) {
            return segment->nodes[slot];
        }
        slot = slot + 1 == segment->capacity ? 0 : slot + 1;
    }
    return NULL;
}

#endif // DTKV_TABLE_H
