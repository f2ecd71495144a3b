// raft_types - the plain values every file of the raft core speaks of.

#ifndef RAFT_TYPES_H
#define RAFT_TYPES_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t raft_index_t;   // position in the log, from 1; 0: before the first entry
typedef uint64_t raft_term_t;    // from 1; 0: no term yet
typedef uint32_t raft_node_id_t; // from 1; 0: nobody

// "No deadline", for next_deadline_ns and for requests that may wait for ever.
#define RAFT_NEVER_NS INT64_MAX

enum {
    // What an entry weighs beyond its payload in every limit and policy that counts bytes: about
    // what its header costs in memory and on disk, so that empty payloads are bounded too.
    RAFT_ENTRY_OVERHEAD_BYTES = 64,
};

// Roles and their legal moves:
//
//     FOLLOWER --(campaign)--> CANDIDATE --(votes of a quorum)--> LEADER
//        |                        |                                 |
//        +------------------------+----------(disk failed)----------+--> FAILED (final)
//
// A node that is no voter of its group's configuration stays FOLLOWER and never campaigns.
// CANDIDATE and LEADER go back to FOLLOWER when they learn of a higher term or hear nothing of a
// quorum for an election timeout, a CANDIDATE when it is stopped, a LEADER when its own disk
// stalls. A FOLLOWER asks before it campaigns whether it would win (pre-vote), without changing
// anything.
typedef enum {
    RAFT_FOLLOWER,
    RAFT_CANDIDATE,
    RAFT_LEADER,
    RAFT_FAILED,
} raft_role_t;

// Entries from `first` on, up to the next run, have this term.
typedef struct {
    raft_index_t first;
    raft_term_t term;
} raft_term_run_t;

// What must be durable before anything that reveals it [DISK-6, RAFT-1].
typedef struct {
    raft_term_t term;    // current term; 0 in a new group
    raft_node_id_t vote; // whom this node voted for in that term; 0: nobody
} raft_hard_state_t;

// How a read may be answered.
typedef enum {
    RAFT_READ_LINEARIZABLE = 0, // leader, by lease where one exists
    RAFT_READ_INDEX = 1,        // leader, confirmed by a round with a quorum
    RAFT_READ_STALE = 2,        // any node, what it has applied
} raft_read_mode_t;

// The name of a role in lower case.
const char *raft_role_name (raft_role_t role);

#endif // RAFT_TYPES_H
