// dtkv_tree - the tree of nodes: hash table by path, children by name, digest.
//
// Mechanism only: whether an operation may happen is decided by its file. Changing a node's
// children changes that directory's child version and nothing else of it, and nothing further up.

#ifndef DTKV_TREE_H
#define DTKV_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "dtkv/core/dtkv_history.h"
#include "dtkv/core/dtkv_node.h"
#include "dtkv/core/dtkv_path.h"
#include "dtkv/core/dtkv_table.h"
#include "dtkv/core/dtkv_temporary.h"
#include "dtkv/core/dtkv_undo.h"

// Told of a node before anything of it changes or it is removed.
typedef void (dtkv_capture_fn) (void *context, const dtkv_node_t *node, const uint8_t *path,
                                size_t path_bytes);

typedef struct dtkv_tree {
    dtkv_table_t table;             // every node but the root, by the hash of its path
    dtkv_directory_t *root;         // owned; its path is empty
    dtkv_temporaries_t temporaries; // which nodes are temporary
    uint64_t seed;                  // of the hash, secret
    uint64_t digest;                // sum of what the nodes add
    uint64_t bytes;                 // names and values
    dtkv_undo_t *undo;              // borrowed; NULL: changes stand
    dtkv_history_t *history;        // borrowed; NULL: changes are not recorded
    dtkv_capture_fn *capture;       // NULL: nobody wants to know
    void *capture_context;
} dtkv_tree_t;

// Which entry changes the tree.
typedef struct {
    uint64_t index;
    uint64_t wall_ms;
    uint64_t writer;
} dtkv_change_t;

// Make a tree of an empty root with all metadata 0.
void dtkv_tree_init (dtkv_tree_t *self, uint64_t seed);
void dtkv_tree_deinit (dtkv_tree_t *self);

// The node at a path; NULL if there is none. The bytes need not be a well-formed path.
dtkv_node_t *dtkv_tree_find (const dtkv_tree_t *self, const uint8_t *path, size_t bytes);

// Add a new node at a path that is free, below its parent: it gets metadata from the change. Takes
// the node.
void dtkv_tree_create (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_directory_t *parent,
                       const dtkv_path_t *path, dtkv_node_t *node);

// Replace the value of a value node; it lives as long as it did.
void dtkv_tree_overwrite (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                          const dtkv_path_t *path, const void *value, size_t value_bytes);

// The same, and let it live so long from now on.
void dtkv_tree_overwrite_for (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                              const dtkv_path_t *path, const void *value, size_t value_bytes,
                              const dtkv_lifetime_t *lifetime);

// Let a temporary node live so long from now on. Nothing else of it changes, no index and no
// version.
void dtkv_tree_renew (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                      const dtkv_path_t *path, const dtkv_lifetime_t *lifetime);

// Make a directory other than the root temporary or permanent, which counts as a change of it.
void dtkv_tree_convert (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                        const dtkv_path_t *path, const dtkv_lifetime_t *lifetime);

// Remove a node other than the root, with all that is below it.
void dtkv_tree_remove (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                       const dtkv_path_t *path);

// Move a node other than the root, with all that is below it, to a path that is free and not below
// it: it and what is below it keep their metadata, but for who modified it and when.
void dtkv_tree_move (dtkv_tree_t *self, const dtkv_change_t *change, dtkv_node_t *node,
                     const dtkv_path_t *from, dtkv_directory_t *parent, const dtkv_path_t *to);

// A directory or the one next above it that is temporary; NULL if none is.
dtkv_directory_t *dtkv_tree_temporary_above (dtkv_directory_t *directory);

// Record a change of a node as an event of the history: before it and after it. The three above do
// it themselves. `before` NULL: there was none; `after` NULL: there is none; `value_bytes`: how
// long a value the changed node has.
void dtkv_tree_record_begin (dtkv_tree_t *self, const uint8_t *path, size_t path_bytes,
                             const dtkv_node_t *before, size_t value_bytes);
void dtkv_tree_record_end (dtkv_tree_t *self, const dtkv_change_t *change,
                           const dtkv_node_t *after);

// Record that a node and all below it go (deepest first), or came to be (parents first): before it
// is detached, after it was attached.
void dtkv_tree_record_gone (dtkv_tree_t *self, const dtkv_change_t *change, const dtkv_node_t *node,
                            const uint8_t *path, size_t path_bytes);
void dtkv_tree_record_come (dtkv_tree_t *self, const dtkv_change_t *change, const dtkv_node_t *node,
                            const uint8_t *path, size_t path_bytes);

// For dtkv_undo and dtkv_restore: the same without metadata and without events.

// Link a node, and what is below it, into the tree. Digests are computed anew.
void dtkv_tree_attach (dtkv_tree_t *self, dtkv_directory_t *parent, const uint8_t *path,
                       size_t path_bytes, dtkv_node_t *node);

// Take a node and what is below it out of the tree, linked among themselves still.
void dtkv_tree_detach (dtkv_tree_t *self, dtkv_node_t *node, const uint8_t *path,
                       size_t path_bytes);

// Free a detached node and what is below it. Nulls the pointer.
void dtkv_tree_free_detached (dtkv_node_t **node_p);

// Put a node in the place of a value node, which is freed. Takes the node.
void dtkv_tree_substitute (dtkv_tree_t *self, dtkv_node_t *old, const uint8_t *path,
                           size_t path_bytes, dtkv_node_t *node);

// Give a node the metadata and lifetime of a copy of it. A value node is temporary or permanent
// like the copy.
void dtkv_tree_set_metadata (dtkv_tree_t *self, dtkv_node_t *node, const uint8_t *path,
                             size_t path_bytes, const dtkv_node_t *copy);

// Set a directory's child version.
void dtkv_tree_set_child_version (dtkv_tree_t *self, dtkv_directory_t *directory,
                                  const uint8_t *path, size_t path_bytes, uint64_t child_version,
                                  uint64_t changed_index);

// Compute the digest anew.
uint64_t dtkv_tree_digest_recompute (const dtkv_tree_t *self);

// Assert the whole invariant.
void dtkv_tree_check (const dtkv_tree_t *self);

#endif // DTKV_TREE_H
