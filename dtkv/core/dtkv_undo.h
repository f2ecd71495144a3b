// dtkv_undo - what a batch that is all or nothing has done so far, to take it back.
//
// While a tree has one, every change of the tree leaves a record. Taking back in reverse order
// restores the tree exactly, digest included.

#ifndef DTKV_UNDO_H
#define DTKV_UNDO_H

#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_node.h"

struct dtkv_tree;

typedef enum {
    DTKV_UNDO_CREATED,  // a node was created
    DTKV_UNDO_REPLACED, // a value was replaced: node is a copy from before
    DTKV_UNDO_REMOVED,  // a node was removed with what is below it: node is what was removed
    DTKV_UNDO_METADATA, // a node's lifetime and metadata changed: node is a copy from before
    DTKV_UNDO_BUMPED,   // a directory's child version was counted up
    DTKV_UNDO_MOVED,    // a node came here: node is what it was before, without its children
} dtkv_undo_kind_t;

typedef struct {
    dtkv_undo_kind_t kind;
    uint32_t path_bytes;
    uint32_t source_bytes;
    size_t path;            // offset in dtkv_undo_t.paths
    size_t source;          // of a moved node: where it was, likewise
    dtkv_node_t *node;      // owned
    uint64_t child_version; // of a directory before
    uint64_t changed_index; // of a directory before
} dtkv_undo_record_t;

typedef struct {
    dtkv_undo_record_t *records; // owned, oldest first
    size_t count;
    size_t capacity;
    dt_buffer_t paths;
    uint64_t events; // recorded in the history meanwhile
} dtkv_undo_t;

// A zeroed log is an empty one.

// Add a record and return it for the caller to fill; the path is copied.
dtkv_undo_record_t *dtkv_undo_add (dtkv_undo_t *self, dtkv_undo_kind_t kind, const uint8_t *path,
                                   size_t path_bytes);

// Say where the node of the record added last was before.
void dtkv_undo_add_source (dtkv_undo_t *self, const uint8_t *path, size_t path_bytes);

// Let the changes stand: free what was replaced and removed. The log is empty afterwards.
void dtkv_undo_commit (dtkv_undo_t *self);

// Take all changes back. The tree must not write to the log any more (asserted). The log is empty
// afterwards.
void dtkv_undo_rollback (dtkv_undo_t *self, struct dtkv_tree *tree);

#endif // DTKV_UNDO_H
