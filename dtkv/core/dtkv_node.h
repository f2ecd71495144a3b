// dtkv_node - one node of the tree: metadata, name and value in one allocation.
//
// A value node is this struct followed by its name (the last segment of its path only) and its
// value. A directory is the same struct at the end of a dtkv_directory_t, followed by its name; it
// never moves, so children point to it. With a million nodes per group every byte here counts: only
// a temporary value has a pointer between name and value, to how long it lives.

#ifndef DTKV_NODE_H
#define DTKV_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_order.h"

enum {
    DTKV_NODE_DIRECTORY = 1,
    DTKV_NODE_LOCK = 2,
    DTKV_NODE_TEMPORARY = 4,
};

typedef struct dtkv_directory dtkv_directory_t;
typedef struct dtkv_node dtkv_node_t;
typedef struct dtkv_temporary dtkv_temporary_t; // dtkv_temporary.h

// How long a node lives. All 0: for ever.
typedef struct {
    uint64_t owner;       // session whose end is the node's; 0: none
    uint64_t ttl_ms;      // 0: as long as the owner
    uint64_t deadline_ms; // cluster time at which it expires; UINT64_MAX with ttl 0
} dtkv_lifetime_t;

struct dtkv_node {
    dtkv_directory_t *parent;  // NULL: the root, or not in a tree
    uint64_t create_index;     // entry that created it
    uint64_t modify_index;     // entry that last changed it
    uint64_t version;          // changes, from 1
    uint64_t create_ms;        // wall clock of create_index
    uint64_t modify_ms;        // wall clock of modify_index
    uint64_t writer;           // principal of modify_index
    uint64_t digest;           // what the node adds to the tree's digest
    uint16_t name_bytes;       // last segment
    uint16_t spare;            // allocated bytes behind the value
    uint32_t value_bytes : 24; // 0 for a directory
    uint32_t flags : 8;        // DTKV_NODE_*
};

struct dtkv_directory {
    dtkv_order_t children;       // by name
    uint64_t child_version;      // creations and removals among the children
    uint64_t changed_index;      // entry that last changed child_version
    uint64_t moved_index;        // entry that moved it here; 0: none did
    uint64_t descendants;        // nodes below it, at any depth
    dtkv_temporary_t *temporary; // owned; NULL: it is permanent
    dtkv_node_t node;            // last: its name follows
};

static inline bool dtkv_node_is_directory (const dtkv_node_t *self)
{
    return self->flags & DTKV_NODE_DIRECTORY;
}

static inline dtkv_directory_t *dtkv_node_directory (const dtkv_node_t *self)
{
    return (dtkv_directory_t *) ((const uint8_t *) self - offsetof (dtkv_directory_t, node));
}

static inline uint8_t *dtkv_node_name (const dtkv_node_t *self)
{
    return (uint8_t *) (self + 1);
}

static inline uint8_t *dtkv_node_value (const dtkv_node_t *self)
{
    uint32_t kind = self->flags & (DTKV_NODE_TEMPORARY | DTKV_NODE_DIRECTORY);
    bool pointer = kind == DTKV_NODE_TEMPORARY;
    return (uint8_t *) (self + 1) + self->name_bytes + (pointer ? sizeof (dtkv_temporary_t *) : 0);
}

static inline bool dtkv_node_is_temporary (const dtkv_node_t *self)
{
    return self->flags & DTKV_NODE_TEMPORARY;
}

// A temporary node's record; the node must be one.
dtkv_temporary_t *dtkv_node_temporary (const dtkv_node_t *self);

// How long a node lives.
dtkv_lifetime_t dtkv_node_lifetime (const dtkv_node_t *self);

// The entry that last changed anything of the node.
uint64_t dtkv_node_changed_index (const dtkv_node_t *self);

static inline uint64_t dtkv_node_child_version (const dtkv_node_t *self)
{
    return dtkv_node_is_directory (self) ? dtkv_node_directory (self)->child_version : 0;
}

// It and what is below it.
static inline uint64_t dtkv_node_subtree_nodes (const dtkv_node_t *self)
{
    return 1 + (dtkv_node_is_directory (self) ? dtkv_node_directory (self)->descendants : 0);
}

// Create a permanent value node or an empty directory, in no tree, all metadata zero. The bytes are
// copied.
dtkv_node_t *dtkv_node_new_value (const void *name, size_t name_bytes, const void *value,
                                  size_t value_bytes);
dtkv_node_t *dtkv_node_new_directory (const void *name, size_t name_bytes);

// The same with a lifetime, for ever or not.
dtkv_node_t *dtkv_node_new_value_for (const void *name, size_t name_bytes, const void *value,
                                      size_t value_bytes, const dtkv_lifetime_t *lifetime);
dtkv_node_t *dtkv_node_new_directory_for (const void *name, size_t name_bytes,
                                          const dtkv_lifetime_t *lifetime);

// Change how long a node lives, at an entry. A value's kind stays (asserted); a directory may
// become temporary or permanent. The node is in no index of temporary nodes.
void dtkv_node_set_lifetime (dtkv_node_t *self, const dtkv_lifetime_t *lifetime, uint64_t index);

static inline bool dtkv_lifetime_ends (const dtkv_lifetime_t *self)
{
    return self->owner || self->ttl_ms;
}

// Append the path of a node in a tree.
void dtkv_node_path (const dtkv_node_t *self, dt_buffer_t *path);

// Copy a value node's or directory's metadata and value under another name, in no tree and without
// children.
dtkv_node_t *dtkv_node_copy (const dtkv_node_t *self, const void *name, size_t name_bytes);

// Give one directory's children to another, which has none. Does nothing for value nodes.
void dtkv_node_give_children (dtkv_node_t *from, dtkv_node_t *to);

// Free one node, not its children. Nulls the pointer; accepts NULL.
void dtkv_node_destroy (dtkv_node_t **self_p);

// Replace the value of a value node where it stands. False, and nothing is changed, if it does not
// fit, or if so much would be left over that the memory should be given back: then make another.
bool dtkv_node_set_value (dtkv_node_t *self, const void *value, size_t value_bytes);

// Copy a value node's name and metadata, with another value and lifetime, in no tree.
dtkv_node_t *dtkv_node_copy_with_value (const dtkv_node_t *self, const void *value,
                                        size_t value_bytes, const dtkv_lifetime_t *lifetime);

#endif // DTKV_NODE_H
