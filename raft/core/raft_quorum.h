// raft_quorum - what a majority says, per configuration.
//
// In a joint configuration both voter lists have to agree; counting over their union would let two
// disjoint majorities decide [RAFT-5]. Observers never count.

#ifndef RAFT_QUORUM_H
#define RAFT_QUORUM_H

#include <stddef.h>

#include "raft/core/raft_config.h"
#include "raft/core/raft_types.h"

// How far a node's disk is known to agree with the leader's log.
typedef struct {
    raft_node_id_t id;
    raft_index_t match; // durable there [RAFT-2]
} raft_match_t;

typedef enum {
    RAFT_VOTE_PENDING, // may still go either way
    RAFT_VOTE_WON,
    RAFT_VOTE_LOST, // cannot be won any more
} raft_vote_result_t;

// The highest index a quorum has durable. Voters without an entry in matches count as 0; nodes that
// are no voters are passed over. The ids in matches are distinct.
raft_index_t raft_quorum_match (const raft_config_t *config, const raft_match_t *matches,
                                size_t count);

// The state of a vote in which some nodes granted and some refused. A node in both lists counts
// as refusing.
raft_vote_result_t raft_quorum_votes (const raft_config_t *config, const raft_node_list_t *granted,
                                      const raft_node_list_t *refused);

#endif // RAFT_QUORUM_H
