// peer_table - the groups of this node, the nodes they name, and the nodes that were heard. Used by
// the peer actor only, on its thread.
//
// A node's link is open while some group names it. Nodes that no group names are remembered, in
// bounded number, for whose life they are.

#ifndef PEER_TABLE_H
#define PEER_TABLE_H

#include "actors/actor.h"
#include "transport/peer_link.h"

typedef struct {
    uint32_t group_id;
    actor_t *actor;
    uint32_t *nodes; // owned: whom it names
    uint32_t count;  //
} peer_group_t;

typedef struct {
    actor_t *actor;       // the peer actor, which PEER_REACHED comes from
    peer_links_t *links;  // borrowed
    peer_group_t *groups; // owned, ascending by group_id
    size_t groups_count;  //
    peer_link_t **peers;  // owned, each too
    size_t peers_count;   //
    size_t strangers;     // peers without references
    peer_link_t *last;    // found last by find_again
} peer_table_t;

void peer_table_deinit (peer_table_t *self);

// Add a group that is not there yet (asserted).
void peer_table_add_group (peer_table_t *self, uint32_t group_id, actor_t *actor);

// NULL: not there. find_again is quicker if it is the same as the last time.
peer_group_t *peer_table_group (peer_table_t *self, uint32_t group_id);
peer_link_t *peer_table_find (const peer_table_t *self, uint32_t node_id);
peer_link_t *peer_table_find_again (peer_table_t *self, uint32_t node_id);

// Find a peer, or add one that no group names. May forget the one of those heard longest ago.
peer_link_t *peer_table_add (peer_table_t *self, uint32_t node_id);

// The nodes a group names from now on: open and close links.
void peer_table_name (peer_table_t *self, const peer_nodes_t *nodes, int64_t now_ns);

// A peer came, or came back: tell the groups that name it.
void peer_table_reached (peer_table_t *self, peer_link_t *peer);

#endif // PEER_TABLE_H
