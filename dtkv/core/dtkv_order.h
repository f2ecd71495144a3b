// dtkv_order - nodes in byte order of their names: the children of one directory.
//
// Two levels: leaves of up to DTKV_LEAF_NODES pointers, and one array over the leaves. Both cache,
// beside each pointer, the few bytes of the name that follow what all names of the leaf (or of the
// whole order) share, so that a search touches one or two nodes only. Holds pointers, owns no node.
//
// Cost: 12 bytes per node in full leaves (names arriving in order), 18 on average in random order.

#ifndef DTKV_ORDER_H
#define DTKV_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dtkv_node;

enum { DTKV_LEAF_NODES = 256 };

typedef struct dtkv_leaf dtkv_leaf_t;

typedef struct {
    uint64_t head;     // of the leaf's first name, behind the order's shared bytes, big-endian
    dtkv_leaf_t *leaf; // owned, never empty
} dtkv_order_entry_t;

typedef struct {
    dtkv_order_entry_t *entries; // owned, one per leaf
    uint32_t count;              // leaves
    uint32_t capacity;           // room for leaves
    uint32_t shared;             // leading bytes all names have in common, at least
    uint64_t nodes;              // over all leaves
} dtkv_order_t;

// A place between nodes; valid until the order changes.
typedef struct {
    uint32_t leaf;
    uint32_t slot;
} dtkv_position_t;

// Free the leaves. A zeroed order is a valid empty one, and is what this leaves behind.
void dtkv_order_deinit (dtkv_order_t *self);

// Set *position to the first node with a name not below `name`. True if its name is equal.
bool dtkv_order_find (const dtkv_order_t *self, const uint8_t *name, size_t bytes,
                      dtkv_position_t *position);

// Insert a node. No node of its name may be there (asserted).
void dtkv_order_insert (dtkv_order_t *self, struct dtkv_node *node);

// Remove the node of that name, which must be there (asserted).
void dtkv_order_remove (dtkv_order_t *self, const uint8_t *name, size_t bytes);

// Put another node of the same name in the place of `old`, which must be there (asserted).
void dtkv_order_replace (dtkv_order_t *self, const struct dtkv_node *old, struct dtkv_node *node);

// The node at a position; NULL at the end.
struct dtkv_node *dtkv_order_at (const dtkv_order_t *self, dtkv_position_t position);

// The last node. The order must not be empty.
struct dtkv_node *dtkv_order_last (const dtkv_order_t *self);

// The next position. Not from the end.
dtkv_position_t dtkv_order_next (const dtkv_order_t *self, dtkv_position_t position);

// Assert the whole invariant.
void dtkv_order_check (const dtkv_order_t *self);

#endif // DTKV_ORDER_H
