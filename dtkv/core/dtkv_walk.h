// dtkv_walk - the nodes below a directory in path order (dtkv_path.h), without recursion.
//
// Valid as long as the tree does not change; to go on later, seek behind the last path seen.

#ifndef DTKV_WALK_H
#define DTKV_WALK_H

#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_node.h"

typedef struct {
    const dtkv_directory_t *directory;
    dtkv_position_t position; // of the child to visit next
    size_t path_bytes;        // of the directory's own path in dtkv_walk_t.path
} dtkv_walk_level_t;

typedef struct {
    dtkv_walk_level_t *levels;       // owned; from the outermost directory to the one being listed
    uint32_t count;                  // levels in use
    uint32_t capacity;               // room for levels
    const dtkv_directory_t *entered; // directory just visited, whose children come next; or NULL
    dt_buffer_t path;                // of the node visited last, behind the prefix given to init
} dtkv_walk_t;

// Start before the first node below a directory, of which the paths are to start with `prefix`: the
// directory's own path for whole paths, nothing for relative ones.
void dtkv_walk_init (dtkv_walk_t *self, const dtkv_directory_t *directory, const void *prefix,
                     size_t prefix_bytes);

void dtkv_walk_deinit (dtkv_walk_t *self);

// Only right after init: start behind a path relative to the directory, whether or not a node is
// there. The path is well-formed and not empty.
void dtkv_walk_seek (dtkv_walk_t *self, const uint8_t *after, size_t bytes);

// Visit the next node; its path is in self->path until the next call. NULL at the end.
dtkv_node_t *dtkv_walk_next (dtkv_walk_t *self);

#endif // DTKV_WALK_H
