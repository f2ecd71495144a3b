// raft_message - what the cores of one group say to each other.
//
// Values only; raft/raft_wire.h turns them into bytes. Every message carries the sender's term,
// which is durable at the sender [RAFT-1]. All of it stays correct under loss, duplication,
// reordering and any delay [RAFT-19].

#ifndef RAFT_MESSAGE_H
#define RAFT_MESSAGE_H

#include "raft/core/raft_config.h"
#include "raft/core/raft_types.h"
#include "storage/log_entry.h"

// Numbers belong to the peer protocol: append-only.
typedef enum {
    RAFT_MESSAGE_VOTE = 1,         // may I lead?
    RAFT_MESSAGE_VOTE_REPLY = 2,   //
    RAFT_MESSAGE_APPEND = 3,       // entries, or none: heartbeat
    RAFT_MESSAGE_APPEND_REPLY = 4, //
    RAFT_MESSAGE_READ = 5,         // a follower asks for a read index
    RAFT_MESSAGE_READ_REPLY = 6,   //
    RAFT_MESSAGE_TRANSFER = 7,     // campaign now, in a new term [RAFT-30]
    // Snapshots, between the snapshot actors (raft/raft_snapshot_wire.h).
    RAFT_MESSAGE_SNAPSHOT_CHUNK = 16,
    RAFT_MESSAGE_SNAPSHOT_REPLY = 17,
} raft_message_kind_t;

enum {
    RAFT_TERM_RUNS_MAX = 64, // of one append reply
};

typedef struct {
    raft_term_t campaign_term; // of the election; pre-vote: the one it would be. The message's term
                               // is below it in a pre-vote, else the same
    raft_index_t last_index;   // durable at the candidate [RAFT-3]
    raft_term_t last_term;     // of that entry
    uint64_t bootstrap_hash;   // while the log is empty: of the configuration the group starts with
    bool pre;                  // changes nothing [RAFT-7]
    bool transfer;             // the leader renounced its lease and asked for it [RAFT-8]
} raft_vote_t;

typedef struct {
    raft_term_t campaign_term; // the request's
    uint64_t directory_id;     // of the voter's data directory [RAFT-29]
    bool pre;                  // the request's
    bool granted;
} raft_vote_reply_t;

typedef struct {
    raft_index_t prev_index; // the entry before the first one
    raft_term_t prev_term;   // of that entry
    raft_index_t commit;     // the leader's; the follower caps it by what this message verifies
    uint64_t round;          // of the term: an ack of it confirms what was asked before it began
    uint64_t directory_id; // of the data directory the group knows the follower by; 0: of none yet
    log_batch_t *batch;    // owned reference; NULL: no entries
    raft_index_t first, last; // part of the batch; first == prev_index + 1
} raft_append_t;

typedef struct {
    uint64_t round;                           // highest heard in this term
    uint64_t directory_id;                    // of the follower's data directory [RAFT-29]
    raft_index_t match;                       // verified against this leader and durable [RAFT-15]
    raft_index_t last;                        // of the follower's log, for those who watch
    raft_index_t applied;                     // for those who watch
    bool rejected;                            // prev was not found; the rest is set:
    raft_index_t prev_index;                  // the request's
    uint32_t runs_count;                      // of runs
    raft_term_run_t runs[RAFT_TERM_RUNS_MAX]; // the follower's log up to prev_index, ascending,
                                              // from its commit index (which no leader disagrees
                                              // with) on, or the last of it; runs[0].first may be 0
    raft_index_t runs_last;                   // where the last run ends
    bool repairing;                           // its match does not count in any quorum [DISK-12]
} raft_append_reply_t;

typedef struct {
    uint64_t sequence; // chosen by the follower, ascending in its life
    bool no_lease;     // ask a quorum though the leader has a lease
} raft_read_message_t;

typedef struct {
    uint64_t sequence;  // the request's
    raft_index_t index; // to have applied; 0 when rc is not 0
    int rc;             // 0, or why not: NOT_LEADER, NOT_READY, BUSY
} raft_read_reply_t;

typedef struct raft_message {
    raft_message_kind_t kind;
    raft_node_id_t from, to;
    raft_term_t term; // the sender's
    // Where the sender is, in votes and in appends to a follower that was not heard lately: it may
    // know no configuration with the sender, and so have nowhere to answer. "": not said.
    char from_peer[RAFT_ENDPOINT_BYTES_MAX + 1];
    union {
        raft_vote_t vote;
        raft_vote_reply_t vote_reply;
        raft_append_t append;
        raft_append_reply_t append_reply;
        raft_read_message_t read;
        raft_read_reply_t read_reply;
    };
} raft_message_t;

// Allocate a zeroed message.
raft_message_t *raft_message_new (raft_message_kind_t kind);

// Free a message and its reference to a batch. Accepts NULL.
void raft_message_destroy (raft_message_t **self_p);

// The name of a kind in lower case.
const char *raft_message_name (raft_message_kind_t kind);

#endif // RAFT_MESSAGE_H
