// raft_internal - the state of a core, shared by the files of raft/core and by nobody else.
//
// An event's handler only changes state and emits what must precede everything else; what follows
// from the new state (commit, apply, reads, snapshot policy, status, drained, deadline) is settled
// after each event, in that order, by raft_core_step.

#ifndef RAFT_INTERNAL_H
#define RAFT_INTERNAL_H

#include "base/dt_random.h"
#include "raft/core/raft_core.h"
#include "raft/core/raft_log.h"

// What a read still needs before the machine may answer it.
typedef enum {
    RAFT_STAGE_ROUND,  // LEADER: a quorum that confirms a round begun after the read arrived
    RAFT_STAGE_LEADER, // FOLLOWER: the leader's answer to a question asked after the read arrived
    RAFT_STAGE_APPLY,  // entry `index` handed to the machine
} raft_read_stage_t;

typedef struct {
    void *request;       // the host's; NULL: a peer's question
    raft_index_t index;  // may be answered once this is handed to the machine
    int64_t deadline_ns; // answered with TIMEOUT from then on
    uint64_t number;     // ROUND: of the round; LEADER: of the question
    uint64_t sequence;   // a peer's question: its number
    raft_node_id_t node; // a peer's question: whose
    uint8_t stage;       // raft_read_stage_t
    bool lease_will_do;  // ROUND: a lease confirms it too
    bool bounded;        // STALE with a bound: fails with TOO_STALE
} raft_pending_read_t;

typedef struct {
    raft_pending_read_t *items; // owned; in order of arrival
    uint32_t count;
    uint32_t capacity;
    raft_index_t lowest_index;   // APPLY: not above any item's index
    int64_t nearest_deadline_ns; // not after any item's deadline
    uint32_t unconfirmed;        // items in stage ROUND or LEADER
    // FOLLOWER: questions to the leader.
    uint64_t asked;           // number of the last one sent
    uint64_t answered;        // of the last one answered
    int64_t asked_ns;         // when it was sent
    raft_index_t fresh_index; // once this is applied, the state is as fresh as
    int64_t fresh_ns;         // this moment; INT64_MIN: not known
} raft_reads_t;

// A message to a peer that was not acknowledged yet.
typedef struct {
    raft_index_t last; // of its entries
    uint64_t bytes;    // their weight
} raft_flight_t;

// A peer as a leader sees it:
//
//     PROBE --(an append was accepted)--> PIPELINE
//       ^  \                                 |
//       |   +--(the log begins too late)--> SNAPSHOT   (PIPELINE too)
//       +---(rejected, restarted, lost)------+---(sent, or caught up by itself)--> PROBE
typedef struct {
    raft_node_id_t id;
    raft_peer_state_t state;
    raft_index_t match;       // agreed and durable there; never falls within a term [RAFT-16]
    raft_index_t next;        // first entry not sent yet
    raft_index_t commit_told; // highest commit index sent
    uint64_t round_acked;     // highest round it confirmed
    int64_t heard_ns;         // last reply of this term; INT64_MIN: none
    int64_t retry_ns;         // PROBE: not sent again before; SNAPSHOT: not tried before
    int64_t commit_due_ns;    // when it is told of the commit index at the latest
    bool owed;                // must be sent something that carries the current round
    bool fetching;            // a FETCH from `next` on is on its way
    bool sending_snapshot;    // a SNAPSHOT_SEND is on its way
    bool repairing;           // it says so: its match does not count [DISK-12]
    bool leaving;             // no member any more; kept until it knows
    int64_t leave_by_ns;      // leaving: forgotten at the latest
    raft_index_t last;        // of its log, as it said
    raft_index_t applied;     // as it said
    uint64_t directory_id;    // of its data directory, as it said; 0: not yet
    raft_flight_t *flights;   // owned; ring, in order
    uint32_t flights_first, flights_count, flights_capacity;
    uint64_t flights_bytes;
} raft_peer_t;

enum { RAFT_ROUNDS_KEPT = 64 };

// What only a leader has.
typedef struct {
    raft_index_t own_first;    // first entry of its term
    raft_index_t clock;        // last CLOCK entry of its term; 0: none
    int64_t since_ns;          // cluster time is since_cluster_ms plus what
    uint64_t since_cluster_ms; // passed since
    raft_peer_t *peers;        // owned; ascending by id, this node not among them
    uint32_t peers_count;
    uint64_t round;                     // the current one, from 1
    int64_t round_ns[RAFT_ROUNDS_KEPT]; // when round r began, at r % RAFT_ROUNDS_KEPT
    uint64_t read_round;                // last round begun for reads
    int64_t heartbeat_ns;               // when the next round begins at the latest
    int64_t durable_ns;                 // since when this node's disk owes something
    bool renounced;                     // no lease any more in this term [LEASE-2]
} raft_lead_t;

// A vote that may be told once the hard state that holds it is durable [RAFT-1].
typedef struct {
    raft_node_id_t to; // 0: none
    raft_term_t campaign_term;
    bool granted;
} raft_vote_due_t;

// An operator's change of the configuration.
typedef struct {
    void *request;      // NULL: nobody waits
    bool waits;         // for `index` to be committed
    bool through;       // for the configuration after the joint one
    raft_index_t index; // of the CONFIG entry
} raft_change_wait_t;

// Handing leadership over.
typedef struct {
    void *request;       // who waits for the answer
    bool waits;          // somebody does
    raft_node_id_t to;   // LEADER: under way; 0: not
    bool sent;           // TRANSFER was sent, the lease is renounced
    int64_t deadline_ns; // given up
    int64_t resend_ns;   //
} raft_transfer_t;

// A received snapshot that replaces log and machine.
typedef struct {
    raft_index_t index; // 0: none
    raft_term_t term;
    uint64_t cluster_time_ms;
    uint64_t bytes;
    raft_index_t config_index;
    raft_config_t *config; // owned
    bool begun;            // INSTALL was emitted, its end is awaited
} raft_install_t;

typedef struct {
    raft_index_t index;    // of the newest durable snapshot; 0: none
    raft_term_t term;      // of that entry
    uint64_t bytes;        // its size on disk
    uint64_t mark_bytes;   // log position (raft_log_bytes_end) it reaches to
    raft_index_t before;   // index and position of the one before it
    uint64_t before_bytes; //

    bool in_progress;          // one is being taken:
    raft_index_t taking_index; // its last entry
    raft_term_t taking_term;   // of that entry
    uint64_t taking_mark_bytes;
    bool has_request;    // somebody waits for its end
    void *request;       // who: the host's
    int64_t retry_at_ns; // not tried by policy before, after a failure
} raft_snapshot_t;

struct raft_core {
    raft_core_options_t options; // limits with defaults filled in; recovered.configs is not valid
    dt_random_t random;

    int64_t now_ns;    // of the event being handled; never runs backwards
    uint64_t wall_ms;  // of the event being handled
    bool started;      // START was seen
    bool stopping;     // STOP was seen
    bool drained;      // DRAINED was emitted
    bool disk_full;    // the host said so
    bool disk_stalled; // the same

    raft_role_t role;
    int failed_rc;         // 0, or why role is FAILED
    bool ready;            // LEADER and commit >= own_first
    raft_node_id_t leader; // 0: not known
    raft_effect_t told;    // the last STATUS effect

    raft_hard_state_t hard_state;         // in force
    raft_hard_state_t hard_state_durable; // known to be on disk

    raft_log_t *log;
    raft_config_stack_t *configs; // NULL: the group's configuration is not known here
    bool bootstrap_due;           // the first entry of the log is to be the bootstrap configuration

    raft_index_t durable; // of this node's log
    uint64_t cuts;        // TRUNCATE and INSTALL effects so far
    raft_index_t commit;  // known committed
    raft_index_t handed;  // APPLY effects were given up to here
    raft_index_t
        handed_disk; // up to here without a batch; while applied is below, nothing is handed
    uint64_t handed_cluster_ms; // cluster time of the entry at handed
    raft_index_t applied;       // the machine reported
    uint64_t due_ms;            // and wants a CLOCK entry then; 0: no wish

    raft_index_t disk_last; // up to here the log was found on disk at the start

    // Elections.
    int64_t election_ns;      // when to campaign; RAFT_NEVER_NS: never
    int64_t heard_ns;         // FOLLOWER: last message of the leader; INT64_MIN: none
    int64_t bound_until_ns;   // an earlier life may have promised not to vote [LEASE-3]
    bool asking;              // FOLLOWER: a pre-vote is under way
    raft_node_list_t granted; // pre-vote, CANDIDATE: who votes for this node
    raft_node_list_t refused; // and who does not
    bool transfer_vote;       // CANDIDATE: the old leader asked for it
    raft_vote_due_t vote_due;

    // Following.
    raft_index_t verified;  // log agrees with this term's leader up to here [RAFT-15]
    uint64_t round_heard;   // highest round of this term's leader
    bool ack_due;           // the leader is owed an answer as soon as the term is durable
    raft_index_t acked;     // match told last in this term
    raft_message_t *reject; // owned: rejection that waits with it; NULL: none

    raft_lead_t lead; // LEADER
    raft_change_wait_t change;
    raft_transfer_t transfer;
    raft_install_t install;
    raft_index_t told_config; // index of the configuration CONFIG told last
    bool told_any_config;
    raft_index_t repair_until; // not 0: see raft_recovered_t

    raft_reads_t reads;
    raft_snapshot_t snapshot;
};

typedef void (raft_handler_fn) (raft_core_t *self, const raft_event_t *event,
                                raft_effects_t *effects);

// Emit a message to a peer; kind, term, from and to are filled in. Valid until the next effect.
raft_message_t *raft_core_send (raft_core_t *self, raft_node_id_t to, raft_message_kind_t kind,
                                raft_effects_t *effects);
// Say in a message where this node is.
void raft_core_introduce (const raft_core_t *self, raft_message_t *message);
// Have the hard state in force written.
void raft_core_persist (raft_core_t *self, raft_effects_t *effects);
// Whether the term is on disk, so that it may be revealed [RAFT-1].
bool raft_core_term_durable (const raft_core_t *self);
// The configuration in force; NULL: none is known.
const raft_config_t *raft_core_config_now (const raft_core_t *self);
// Whether the configuration in force has no voter but this node.
bool raft_core_is_alone (const raft_core_t *self);
// Fail the group for good: disk, or state that cannot be.
void raft_core_fail (raft_core_t *self, int rc, const char *why, raft_effects_t *effects);
// What a FAILED node tells those who ask: other nodes may serve them, if there are any.
int raft_core_failed_rc (const raft_core_t *self);
// The shortest election timeout: what a follower promises a leader.
int64_t raft_core_promise_ns (const raft_core_t *self);
// A promise as long as it may last by a clock that is slow [LEASE-3].
int64_t raft_core_promise_slow_ns (const raft_core_t *self);

// raft_election.c
raft_handler_fn raft_election_start;
raft_handler_fn raft_election_hard_state_durable;
void raft_election_on_vote (raft_core_t *self, const raft_message_t *message,
                            raft_effects_t *effects);
void raft_election_on_vote_reply (raft_core_t *self, const raft_message_t *message,
                                  raft_effects_t *effects);
void raft_election_on_transfer (raft_core_t *self, const raft_message_t *message,
                                raft_effects_t *effects);
// Become follower of a term, which may be a new one, under a leader (0: not known).
void raft_election_follow (raft_core_t *self, raft_term_t term, raft_node_id_t leader,
                           raft_effects_t *effects);
// The leader was heard: put off the next campaign.
void raft_election_heard (raft_core_t *self);
// Campaign if it is time.
void raft_election_settle (raft_core_t *self, raft_effects_t *effects);
// A leader whose own first entry is committed is ready [RAFT-11].
void raft_election_note_ready (raft_core_t *self);
// Emit STATUS if role, leader, term or readiness changed since the last one.
void raft_election_tell (raft_core_t *self, raft_effects_t *effects);
int64_t raft_election_deadline_ns (const raft_core_t *self);

// raft_propose.c
raft_handler_fn raft_propose;
// Begin a leader's term: append the bootstrap configuration if it is due, then the NOOP [RAFT-6].
void raft_propose_first (raft_core_t *self, raft_effects_t *effects);
// A leader appends a CLOCK entry when its machine wants one; when that will be.
void raft_propose_settle (raft_core_t *self, raft_effects_t *effects);
int64_t raft_propose_deadline_ns (const raft_core_t *self);
// Append a configuration as LEADER; it is in force at once. Returns its index.
raft_index_t raft_propose_config (raft_core_t *self, const raft_config_t *config,
                                  raft_effects_t *effects);

// raft_commit.c
raft_handler_fn raft_commit_appended;
raft_handler_fn raft_commit_applied;
// Advance the commit index and hand over what may be applied.
void raft_commit_settle (raft_core_t *self, raft_effects_t *effects);
// Refuse with rc what was proposed here in entries past an index; later they are applied silently,
// or never.
void raft_commit_abandon (raft_core_t *self, raft_index_t after, int rc, raft_effects_t *effects);
// The machine has applied everything up to an index, which was handed to it.
void raft_commit_note_applied (raft_core_t *self, raft_index_t index);
// Whether a replay from disk is under way, during which the machine gets nothing else.
bool raft_commit_replays (const raft_core_t *self);

// raft_follow.c: the log of a follower.
void raft_follow_on_append (raft_core_t *self, raft_message_t *message, raft_effects_t *effects);
// Answer the leader what it may be told.
void raft_follow_settle (raft_core_t *self, raft_effects_t *effects);

// raft_peer.c: one peer of a leader.
void raft_peers_begin (raft_core_t *self);
void raft_peers_end (raft_core_t *self, raft_effects_t *effects);
// Make the peers those of the configuration in force.
void raft_peers_adjust (raft_core_t *self);
// Forget peers that left and know it, or had their time.
void raft_peers_forget (raft_core_t *self);
raft_peer_t *raft_peers_find (raft_core_t *self, raft_node_id_t id);
// Begin to find out anew where the peer's log agrees; nothing sent counts any more.
void raft_peer_probe (raft_peer_t *peer, raft_index_t next);
// It agrees up to next - 1: send on without waiting.
void raft_peer_pipeline (raft_peer_t *peer);
void raft_peer_note_flight (raft_peer_t *peer, raft_index_t last, uint64_t bytes);
void raft_peer_note_match (raft_peer_t *peer, raft_index_t match);
bool raft_peer_is_active (const raft_core_t *self, const raft_peer_t *peer);

// raft_replicate.c: what a leader sends.
void raft_replicate_on_reply (raft_core_t *self, const raft_message_t *message,
                              raft_effects_t *effects);
raft_handler_fn raft_replicate_peer_reached;
raft_handler_fn raft_replicate_fetched;
raft_handler_fn raft_replicate_snapshot_sent;
void raft_replicate_settle (raft_core_t *self, raft_effects_t *effects);
int64_t raft_replicate_deadline_ns (const raft_core_t *self);

// raft_lease.c: what a quorum's answers allow a leader.
// Begin a round: everybody is owed a message that carries it.
void raft_lease_begin_round (raft_core_t *self);
// The highest round a quorum confirmed.
uint64_t raft_lease_confirmed (const raft_core_t *self);
// Until when no other leader can exist; INT64_MIN: no lease.
int64_t raft_lease_until_ns (const raft_core_t *self);
// Whether reads may be answered without asking, now.
bool raft_lease_holds (const raft_core_t *self);
// Step down if no quorum or the own disk answers.
void raft_lease_settle (raft_core_t *self, raft_effects_t *effects);
int64_t raft_lease_deadline_ns (const raft_core_t *self);

// raft_read.c
raft_handler_fn raft_read;
void raft_read_on_question (raft_core_t *self, const raft_message_t *message,
                            raft_effects_t *effects);
void raft_read_on_answer (raft_core_t *self, const raft_message_t *message,
                          raft_effects_t *effects);
// Answer what can be answered and what has waited too long.
void raft_read_settle (raft_core_t *self, raft_effects_t *effects);
// Answer with rc every read that waits for an entry past `index`, or for a confirmation [RAFT-13].
void raft_read_fail (raft_core_t *self, raft_index_t index, int rc, raft_effects_t *effects);
// The leader is another or none: what waits for a confirmation by the old one is refused.
void raft_read_fail_unconfirmed (raft_core_t *self, int rc, raft_effects_t *effects);
int64_t raft_read_deadline_ns (const raft_core_t *self);

// raft_snapshot.c
raft_handler_fn raft_snapshot_take;
raft_handler_fn raft_snapshot_saved;
raft_handler_fn raft_snapshot_failed;
// Take a snapshot if the policy says so.
void raft_snapshot_settle (raft_core_t *self, raft_effects_t *effects);
// Take one as soon as possible, whatever the policy says: a peer needs it.
void raft_snapshot_want (raft_core_t *self, raft_effects_t *effects);
// Forget the one in progress; whoever waits for it is answered with rc.
void raft_snapshot_abandon (raft_core_t *self, int rc, raft_effects_t *effects);
// When settle has to be called again, by itself.
int64_t raft_snapshot_deadline_ns (const raft_core_t *self);

// raft_install.c: a snapshot of the leader's in place of the log.
raft_handler_fn raft_install_received;
raft_handler_fn raft_install_done;
// Whether log and machine are being replaced: nothing may be handed to them.
bool raft_install_runs (const raft_core_t *self);
void raft_install_settle (raft_core_t *self, raft_effects_t *effects);
void raft_install_forget (raft_core_t *self);

// raft_membership.c
raft_handler_fn raft_membership_change;
// Put the configuration of an appended CONFIG entry in force, and take back those of entries from
// `from` on.
void raft_membership_push (raft_core_t *self, raft_index_t index, const raft_config_t *config,
                           raft_effects_t *effects);
void raft_membership_truncate (raft_core_t *self, raft_index_t from, raft_effects_t *effects);
void raft_membership_settle (raft_core_t *self, raft_effects_t *effects);
// The group knows this node by another data directory: it must not take part [RAFT-29].
void raft_membership_foreign (raft_core_t *self, raft_effects_t *effects);
// Whoever waits for a change is answered with rc.
void raft_membership_abandon (raft_core_t *self, int rc, raft_effects_t *effects);

// raft_transfer.c
raft_handler_fn raft_transfer;
void raft_transfer_settle (raft_core_t *self, raft_effects_t *effects);
int64_t raft_transfer_deadline_ns (const raft_core_t *self);
// The peer that should lead next; NULL: there is none.
raft_peer_t *raft_transfer_heir (raft_core_t *self);
// Renounce the lease and have a peer campaign.
void raft_transfer_send (raft_core_t *self, raft_node_id_t to, raft_effects_t *effects);

#endif // RAFT_INTERNAL_H
