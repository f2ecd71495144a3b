// raft_config - who belongs to a group: a configuration value, its bytes, and the stack of those
// in the log.
//
// A configuration has voters and observers; a joint one also has the voters and observers that come
// next, and then every decision needs a majority of both voter lists [RAFT-5, RAFT-24]. It also
// says where its nodes are, so that the log alone is enough to find them, and which data directory
// each of them showed when it was first met: a node that lost its disk cannot come back under its
// old id [RAFT-29].
//
// Bytes (payload of a CONFIG entry, and part of a snapshot's manifest), numbers little-endian:
//
//     u8 format (2), u8 flags (1: auto_commit), u8 voters, u8 observers, u8 next voters,
//     u8 next observers, u8 nodes, then the ids of the four lists in that order, u32, each list
//     strictly ascending, then the nodes, ascending by id:
//     u32 id, u64 directory id, u8 length and peer endpoint, u8 length and service endpoint.
//
// There is exactly one encoding of a configuration. Format 1 had neither flags nor nodes; it is
// still read.

#ifndef RAFT_CONFIG_H
#define RAFT_CONFIG_H

#include <stddef.h>

#include "base/dt_buffer.h"
#include "raft/core/raft_types.h"

enum {
    RAFT_CONFIG_NODES_MAX = 32,   // ids in one list, and nodes that are described
    RAFT_ENDPOINT_BYTES_MAX = 95, // of an endpoint, without the NUL
    RAFT_CONFIG_BYTES_MAX = 7 + 4 * 4 * RAFT_CONFIG_NODES_MAX +
                            RAFT_CONFIG_NODES_MAX * (4 + 8 + 2 + 2 * RAFT_ENDPOINT_BYTES_MAX),
};

// Node ids, strictly ascending.
typedef struct {
    uint32_t count;
    raft_node_id_t ids[RAFT_CONFIG_NODES_MAX];
} raft_node_list_t;

// Where a node is and what it was seen with.
typedef struct {
    raft_node_id_t id;
    uint64_t directory_id;                     // of its data directory; 0: not seen yet
    char peer[RAFT_ENDPOINT_BYTES_MAX + 1];    // for other nodes, "tcp://host:port"; "": not known
    char service[RAFT_ENDPOINT_BYTES_MAX + 1]; // for clients; "": not known
} raft_node_info_t;

typedef struct {
    raft_node_list_t voters;         // never empty in a valid configuration
    raft_node_list_t observers;      // get the log, have no vote; disjoint from voters
    raft_node_list_t next_voters;    // empty unless joint
    raft_node_list_t next_observers; // empty unless joint; disjoint from next_voters
    bool auto_commit;     // joint: the leader goes on to the next half by itself [RAFT-26]
    uint32_t nodes_count; // of nodes
    raft_node_info_t
        nodes[RAFT_CONFIG_NODES_MAX]; // ascending; members only, not always all of them
} raft_config_t;

// Put an id into a list, in its place. False: it is there already, is 0, or the list is full.
bool raft_node_list_add (raft_node_list_t *self, raft_node_id_t id);

// Whether a list holds an id.
bool raft_node_list_has (const raft_node_list_t *self, raft_node_id_t id);

// A configuration with one voter and nobody else.
raft_config_t raft_config_sole (raft_node_id_t voter);

// 0, or DT_ERR_INVALID if a list is unsorted, too long or holds 0, if there is no voter, if
// somebody is both voter and observer of the same half, if there are next observers or auto_commit
// without next voters, or if a node that is described is no member.
int raft_config_validate (const raft_config_t *self);

// Whether two configurations say the same.
bool raft_config_equal (const raft_config_t *self, const raft_config_t *other);

// Whether a change is under way: decisions need both voter lists.
bool raft_config_is_joint (const raft_config_t *self);

// Whether a node votes, in either half.
bool raft_config_is_voter (const raft_config_t *self, raft_node_id_t id);

// Take an id out of a list. False: it was not there.
bool raft_node_list_remove (raft_node_list_t *self, raft_node_id_t id);

// What is known of a node; NULL: nothing.
const raft_node_info_t *raft_config_node (const raft_config_t *self, raft_node_id_t id);

// Describe a node, replacing what was known of it. False: there is no room, or an endpoint is too
// long.
bool raft_config_describe (raft_config_t *self, const raft_node_info_t *node);

// Drop descriptions of nodes that are no members.
void raft_config_forget_strangers (raft_config_t *self);

// A number that differs, with near certainty, between configurations that differ.
uint64_t raft_config_hash (const raft_config_t *self);

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

// Index of the oldest one held.
raft_index_t raft_config_stack_floor (const raft_config_stack_t *self);

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
