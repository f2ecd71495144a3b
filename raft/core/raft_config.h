// raft_config - who belongs to a group: a configuration value, its bytes, and the stack of those
// in the log.
//
// A configuration has voters and observers; a joint one also has the voters and observers that come
// next, and then every decision needs a majority of both voter lists [RAFT-5, RAFT-24].
//
// Bytes (payload of a CONFIG entry, and part of a snapshot's manifest):
//
//     u8 format (1), u8 voters, u8 observers, u8 next voters, u8 next observers, then the node ids
//     of the four lists in that order, u32 little-endian, each list strictly ascending.
//
// There is exactly one encoding of a configuration.

#ifndef RAFT_CONFIG_H
#define RAFT_CONFIG_H

#include <stddef.h>

#include "base/dt_buffer.h"
#include "raft/core/raft_types.h"

enum {
    RAFT_CONFIG_NODES_MAX = 32, // ids in one list
    RAFT_CONFIG_BYTES_MAX = 5 + 4 * 4 * RAFT_CONFIG_NODES_MAX,
};

// Node ids, strictly ascending.
typedef struct {
    uint32_t count;
    raft_node_id_t ids[RAFT_CONFIG_NODES_MAX];
} raft_node_list_t;

typedef struct {
    raft_node_list_t voters;         // never empty in a valid configuration
    raft_node_list_t observers;      // get the log, have no vote; disjoint from voters
    raft_node_list_t next_voters;    // empty unless joint
    raft_node_list_t next_observers; // empty unless joint; disjoint from next_voters
} raft_config_t;

// Put an id into a list, in its place. False: it is there already, is 0, or the list is full.
bool raft_node_list_add (raft_node_list_t *self, raft_node_id_t id);

// Whether a list holds an id.
bool raft_node_list_has (const raft_node_list_t *self, raft_node_id_t id);

// A configuration with one voter and nobody else.
raft_config_t raft_config_sole (raft_node_id_t voter);

// 0, or DT_ERR_INVALID if a list is unsorted, too long or holds 0, if there is no voter, if
// somebody is both voter and observer of the same half, or if there are next observers without next
// voters.
int raft_config_validate (const raft_config_t *self);

// Whether two configurations say the same.
bool raft_config_equal (const raft_config_t *self, const raft_config_t *other);

// Whether a change is under way: decisions need both voter lists.
bool raft_config_is_joint (const raft_config_t *self);

// Whether a node votes, in either half.
bool raft_config_is_voter (const raft_config_t *self, raft_node_id_t id);

// Whether a node is in any list.
bool raft_config_is_member (const raft_config_t *self, raft_node_id_t id);

// Whether a node alone is a quorum: it is the only voter of every half.
bool raft_config_is_sole_voter (const raft_config_t *self, raft_node_id_t id);

// Append the bytes of a valid configuration to a buffer.
void raft_config_encode (const raft_config_t *self, dt_buffer_t *buffer);

// Read a configuration; *config is set on success only.
// DT_ERR_MALFORMED: not the one encoding of a valid configuration (rest bytes included).
// DT_ERR_NEWER_FORMAT: a format number this version does not know.
int raft_config_decode (const uint8_t *data, size_t bytes, raft_config_t *config);

// A configuration and the index of the entry it came in (0: given at bootstrap).
typedef struct {
    raft_index_t index;
    raft_config_t config;
} raft_config_at_t;

// raft_config_stack - the configurations of a log that may still be needed.
//
// The newest is in force, from the moment its entry is appended; truncation brings back the one
// before it. The oldest is the floor: that of the snapshot, or of the bootstrap, and is never
// rolled back [RAFT-24].
typedef struct raft_config_stack raft_config_stack_t;

// Create a stack with a floor.
raft_config_stack_t *raft_config_stack_new (raft_index_t index, const raft_config_t *config);

// Destroy the stack. Accepts a NULL stack.
void raft_config_stack_destroy (raft_config_stack_t **self_p);

// The configuration in force, and the index of its entry. Valid until the stack changes.
const raft_config_at_t *raft_config_stack_latest (const raft_config_stack_t *self);

// The configuration that was in force at an index, at or above the floor's (asserted).
const raft_config_at_t *raft_config_stack_at (const raft_config_stack_t *self, raft_index_t index);

// How many are held, floor included.
size_t raft_config_stack_count (const raft_config_stack_t *self);

// Put a configuration in force. The index must be above the newest's (asserted).
void raft_config_stack_push (raft_config_stack_t *self, raft_index_t index,
                             const raft_config_t *config);

// Roll back those of entries from `index` on; must not reach the floor (asserted).
// True: another configuration is in force now.
bool raft_config_stack_truncate (raft_config_stack_t *self, raft_index_t index);

// Make the one in force at `index` the floor and forget those below it.
void raft_config_stack_compact (raft_config_stack_t *self, raft_index_t index);

// The whole invariant (asserted).
void raft_config_stack_check (const raft_config_stack_t *self);

#endif // RAFT_CONFIG_H
