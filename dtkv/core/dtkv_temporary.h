// dtkv_temporary - the tree's temporary nodes: by deadline, and by the session that owns them.
//
// A temporary node carries one of these records (dtkv_node.h); a permanent one pays nothing. This
// index holds those of the nodes in the tree and owns none of them.

#ifndef DTKV_TEMPORARY_H
#define DTKV_TEMPORARY_H

#include <stdbool.h>
#include <stdint.h>

#include "dtkv/core/dtkv_node.h"

struct dtkv_temporary {
    dtkv_lifetime_t lifetime;
    uint64_t changed_index;   // entry that last changed the lifetime
    dtkv_node_t *node;        // whose it is; NULL: in no tree
    uint32_t heap_slot;       // where it stands in dtkv_temporaries_t.heap
    dtkv_temporary_t *before; // among those of the owner, in no order
    dtkv_temporary_t *behind;
};

// What one session owns.
typedef struct {
    uint64_t id; // 0: the slot is free
    dtkv_temporary_t *first;
    uint32_t count;
} dtkv_owner_t;

typedef struct {
    dtkv_temporary_t **heap; // owned: binary heap by (deadline, create index, path)
    uint32_t count;
    uint32_t capacity;
    uint32_t directories;     // temporary ones
    uint32_t contenders;      // of locks
    dtkv_owner_t *owners;     // owned: open addressing by id; NULL: nothing was ever owned
    uint32_t owners_capacity; // power of 2
    uint32_t owners_count;
} dtkv_temporaries_t;

// A zeroed index is an empty one. The nodes outlive it.
void dtkv_temporaries_deinit (dtkv_temporaries_t *self);

// Add a temporary node that was linked into the tree; take it out, before it is unlinked or its
// lifetime changes.
void dtkv_temporaries_add (dtkv_temporaries_t *self, dtkv_node_t *node);
void dtkv_temporaries_remove (dtkv_temporaries_t *self, dtkv_node_t *node);

// The node that expires first; NULL if there is no temporary node.
dtkv_node_t *dtkv_temporaries_first (const dtkv_temporaries_t *self);

// How many nodes a session owns.
uint32_t dtkv_temporaries_owned (const dtkv_temporaries_t *self, uint64_t owner);

// The node that a session owns directly in a directory, a lock: there is one at most. NULL: none.
dtkv_node_t *dtkv_temporaries_find (const dtkv_temporaries_t *self, uint64_t owner,
                                    const dtkv_directory_t *lock);

// Fill `nodes` with all that a session owns, in order of create index and path.
void dtkv_temporaries_list (const dtkv_temporaries_t *self, uint64_t owner, dtkv_node_t **nodes);

// Assert the whole invariant, and that each node is temporary.
void dtkv_temporaries_check (const dtkv_temporaries_t *self);

#endif // DTKV_TEMPORARY_H
