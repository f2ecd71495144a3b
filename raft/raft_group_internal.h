// raft_group_internal - the state of a group actor, shared by raft_group_*.c and nobody else.

#ifndef RAFT_GROUP_INTERNAL_H
#define RAFT_GROUP_INTERNAL_H

#include <stdatomic.h>

#include "raft/raft_group_actor.h"
#include "raft/raft_machine_actor.h"
#include "raft/raft_snapshot_actor.h"
#include "raft/raft_wire.h"
#include "storage/log_writer_actor.h"
#include "transport/peer_message.h"

enum { RAFT_GROUP_MET_MAX = 4 }; // leaders and candidates no configuration here may have

struct raft_group {
    actor_t *actor;                                 // owned by its host
    const dt_env_t *env;                            // borrowed
    raft_group_options_t options;                   // name is not kept
    actor_t *log_writer, *machine, *snapshot, *net; // whom it talks to
    actor_t *peers;                                 // NULL in a node without any
    raft_core_t *core;                              // NULL until recovery is done
    raft_effects_t effects;                         // reused
    snapshot_loaded_t *loaded;                      // what the snapshot actor found, until START
    bool drained;                                   // the core has nothing in flight any more
    atomic_bool ended;                              // the main fiber has left its loop
    atomic_bool ready;                              // requests are taken
    atomic_bool settled;                            // there is a leader, here or elsewhere
    // Replay: entries the core wants applied but that are only on disk. What must reach the machine
    // after them waits in `held`.
    uint64_t replay_next, replay_last; // still to be read; next > last: no replay
    uint64_t applied;                  // the machine reported
    bool replay_reading;               // a read is on its way
    bool log_failed;                   // it said so, and answers nothing any more
    bool lost;                         // replay or install can never be finished: the actor ends
    actor_message_t *held;             // oldest first
    actor_message_t **held_tail;       // where the next one goes
    // Between nodes.
    raft_wire_cache_t wire;       // entries encoded last
    raft_config_t *config;        // owned: told last by the core; NULL: none
    raft_config_t *config_before; // owned: before that: those who left are still told so
    raft_node_id_t leader;        // 0: not known
    raft_node_info_t met[RAFT_GROUP_MET_MAX]; // who told where they are; id 0: nobody
    uint32_t met_next;                        // in the order in which they are replaced
    uint64_t install_index;                   // a snapshot is being installed; 0: not
    uint64_t install_term;                    // of its last entry
    bool install_resets;                      // the log is still to be replaced for it
};

enum { RAFT_GROUP_COOKIE_REPLAY = 0 }; // others: the node a FETCH is for

// raft_group_actor.c
// Give an event to the core, with the clocks as they are now [LEASE-4].
void raft_group_step (raft_group_t *self, raft_event_t *event);

// raft_group_effects.c
void raft_group_carry_out (raft_group_t *self);

// raft_group_replay.c: what goes to the machine, and what is read for it.
void raft_group_to_machine (raft_group_t *self, actor_message_t *message);
// Hand a batch's entries to the machine; takes the reference.
void raft_group_apply (raft_group_t *self, log_batch_t *batch, uint64_t first, uint64_t last,
                       bool silent);
// The core wants entries applied that are only on disk.
void raft_group_replay (raft_group_t *self, uint64_t first, uint64_t last);
void raft_group_replay_more (raft_group_t *self);
void raft_group_on_replay_read (raft_group_t *self, log_writer_read_done_t *done);
// The log failed: what it did not deliver for a replay will never come.
void raft_group_lose_replay (raft_group_t *self);

// raft_group_reply.c: what clients are told.
void raft_group_send_replies (raft_group_t *self, net_replies_t *replies);
void raft_group_refuse (raft_group_t *self, const net_requests_t *requests, uint32_t from,
                        uint32_t to, int rc, const char *text);
// The same for all of them, which are freed.
void raft_group_refuse_all (raft_group_t *self, net_requests_t *requests, int rc, const char *text);
// Answer the only request there is, and free it.
void raft_group_answer (raft_group_t *self, net_requests_t *requests, int rc, uint64_t index,
                        const dt_buffer_t *body, const char *text);

// raft_group_admin.c: requests about the group itself.
void raft_group_on_admin (raft_group_t *self, net_requests_t *requests);
void raft_group_answer_change (raft_group_t *self, const raft_effect_t *effect);
void raft_group_answer_transfer (raft_group_t *self, const raft_effect_t *effect);
void raft_group_answer_snapshot (raft_group_t *self, const raft_effect_t *effect);

// raft_group_peers.c: other nodes, and snapshots to and from them.
void raft_group_on_peer (raft_group_t *self, peer_message_t *message);
void raft_group_on_reached (raft_group_t *self, const peer_reached_t *reached);
void raft_group_send (raft_group_t *self, const raft_message_t *message);
void raft_group_new_config (raft_group_t *self, raft_effect_t *effect);
// Have links made to whom this node talks.
void raft_group_tell_nodes (raft_group_t *self);
void raft_group_send_snapshot (raft_group_t *self, const raft_effect_t *effect);
void raft_group_cancel_snapshot (raft_group_t *self, raft_node_id_t node);
void raft_group_on_snapshot_sent (raft_group_t *self, const snapshot_sent_t *sent);
void raft_group_on_snapshot_received (raft_group_t *self, const snapshot_received_t *received);
void raft_group_fetch (raft_group_t *self, const raft_effect_t *effect);
void raft_group_on_fetched (raft_group_t *self, log_writer_read_done_t *done);
// Replace log and machine by the received snapshot: log first, then the machine.
void raft_group_install (raft_group_t *self, const raft_effect_t *effect);
void raft_group_on_reset (raft_group_t *self);
// The log failed: if it was to be replaced, it never will be.
void raft_group_lose_install (raft_group_t *self);
void raft_group_on_install_loaded (raft_group_t *self, const snapshot_loaded_t *loaded);

// raft_group_recovery.c
void raft_group_recover (raft_group_t *self);
void raft_group_on_loaded (raft_group_t *self, snapshot_loaded_t *loaded);
void raft_group_on_opened (raft_group_t *self, const log_writer_opened_t *opened);

#endif // RAFT_GROUP_INTERNAL_H
