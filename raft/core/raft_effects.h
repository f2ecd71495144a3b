// raft_effects - what a host has to do after a step: an ordered, reusable list.
//
// The host starts the effects in list order and need not wait for one before starting the next,
// unless a kind says so: the core itself holds back whatever depends on durability and waits
// for the event that reports it. Several steps may add to one list before it is carried out.
// Pointers marked "owned" belong to the effect; a host that keeps one takes it and nulls the
// field. raft_effects_clear drops the rest.

#ifndef RAFT_EFFECTS_H
#define RAFT_EFFECTS_H

#include <stddef.h>

#include "raft/core/raft_config.h"
#include "raft/core/raft_message.h"
#include "raft/core/raft_types.h"
#include "storage/log_entry.h"

typedef enum {
    // hard_state: make it durable, then report HARD_STATE_DURABLE with the same values. Writes of
    // hard states keep their order; one still waiting may be replaced by a newer one.
    RAFT_EFFECT_PERSIST,

    // truncate: remove the log from `from` on, before the appends that follow in the list.
    RAFT_EFFECT_TRUNCATE,

    // append: write entries first .. last of the batch behind the log, in list order; when durable
    // report APPENDED, one report for as many effects as one sync covered.
    RAFT_EFFECT_APPEND,

    // apply: hand entries first .. last to the state machine, in list order; report APPLIED. With a
    // NULL batch the entries are not in memory (replay after a start): the host reads them from the
    // log. Until such a range is reported applied nothing else is handed to the machine: no further
    // APPLY or SNAPSHOT follows, and no successful READ but of what was reported applied before.
    RAFT_EFFECT_APPLY,

    // refuse: entries[from .. to) of a proposed batch will not be reported as applied: answer
    // them with rc. OUTCOME_UNKNOWN: they may still happen after a restart.
    RAFT_EFFECT_REFUSE,

    // read: rc 0: let the state machine answer the request behind the applies of this list and of
    // earlier ones (same queue, same order): it then sees at least `index`. Otherwise answer with
    // rc.
    RAFT_EFFECT_READ,

    // message: send to a peer, best effort. A group of one voter sends none.
    RAFT_EFFECT_SEND,

    // fetch: read entries from the log on disk, first .. as far as bytes_max and last allow, at
    // least
    // one; report FETCHED. At most one for each node at a time.
    RAFT_EFFECT_FETCH,

    // snapshot_send: stream the newest snapshot to a peer; report SNAPSHOT_SENT. At most one for
    // each
    // node at a time. It is of use as long as its index is at least `index`.
    RAFT_EFFECT_SNAPSHOT_SEND,

    // snapshot_cancel: stop streaming to a peer; no report follows any more. Node 0: to all of
    // them.
    RAFT_EFFECT_SNAPSHOT_CANCEL,

    // install: replace log and state machine by the received snapshot: drop all of the log and go
    // on at
    // index + 1 (log_store_reset), restore the machine behind everything handed to it before, then
    // report SNAPSHOT_INSTALLED. Nothing else is handed to log or machine meanwhile.
    RAFT_EFFECT_INSTALL,

    // repaired: the log has again what it may have lost (raft_recovered_t.repair_until): forget,
    // durably,
    // that it is damaged.
    RAFT_EFFECT_REPAIRED,

    // config: another configuration is in force; tell whoever holds links to its members.
    RAFT_EFFECT_CONFIG,

    // config_answer: answer the request of a CONFIG_CHANGE event.
    RAFT_EFFECT_CONFIG_ANSWER,

    // transfer_answer: answer the request of a TRANSFER event.
    RAFT_EFFECT_TRANSFER_ANSWER,

    // snapshot: take one of the state machine as it is right after entry `index`: behind the
    // applies
    // of this list and of earlier ones, before any later one (same queue, same order). Report
    // SNAPSHOT_SAVED or SNAPSHOT_FAILED. At most one at a time.
    RAFT_EFFECT_SNAPSHOT,

    // snapshot_answer: answer the request of a SNAPSHOT_TAKE event.
    RAFT_EFFECT_SNAPSHOT_ANSWER,

    // compact: log entries up to `index` are no longer needed and may be deleted.
    RAFT_EFFECT_COMPACT,

    // status: role, leader, term or readiness changed; tell whoever routes requests.
    RAFT_EFFECT_STATUS,

    // After STOP, once: nothing is in flight any more, the core may be destroyed.
    RAFT_EFFECT_DRAINED,

    RAFT_EFFECT_KINDS // how many there are
} raft_effect_kind_t;

typedef struct {
    raft_effect_kind_t kind;
    union {
        raft_hard_state_t hard_state;
        struct {
            raft_index_t from;
        } truncate;
        struct {
            log_batch_t *batch;       // owned reference
            raft_index_t first, last; // part of the batch
        } append;
        struct {
            log_batch_t *batch; // owned reference, or NULL: read from the log
            raft_index_t first, last;
            bool silent; // whoever proposed them has been answered already: no replies
        } apply;
        struct {
            log_batch_t *batch; // owned reference
            uint32_t from, to;  // positions in the batch: entries[from .. to)
            int rc;
        } refuse;
        struct {
            void *request;
            raft_index_t index; // when rc is 0: what the answer must have seen
            int rc;
        } read;
        raft_message_t *message; // owned
        struct {
            raft_index_t index;        // of the last entry it contains
            raft_term_t term;          // of that entry
            uint64_t cluster_time_ms;  // of that entry
            raft_index_t config_index; // of the entry that holds config
            raft_config_t *config;     // owned: in force at index
        } snapshot;
        struct {
            void *request;
            raft_index_t index; // when rc is 0: of the snapshot
            uint64_t bytes;     // when rc is 0: its size
            int rc;
        } snapshot_answer;
        struct {
            raft_index_t index;
        } compact;
        struct {
            raft_node_id_t node;
            raft_index_t first, last;
            uint64_t bytes_max; // of payload
        } fetch;
        struct {
            raft_node_id_t node;
            raft_index_t index; // the snapshot must reach at least this far
        } snapshot_send;
        struct {
            raft_node_id_t node;
        } snapshot_cancel;
        struct {
            raft_index_t index;
            raft_term_t term;
        } install;
        struct {
            raft_index_t index;    // of its entry
            raft_config_t *config; // owned: in force
        } config;
        struct {
            void *request;
            int rc; // 0; or NOT_LEADER, NOT_READY, STOPPING, CHANGE_BUSY (another is not
                    // finished), BAD_CHANGE, NOT_CAUGHT_UP, NO_QUORUM, OUTCOME_UNKNOWN
            raft_index_t index; // when rc is 0: of the configuration's entry
            const char *why;    // static text; NULL when rc is 0
        } config_answer;
        struct {
            void *request;
            int rc; // 0; or NOT_LEADER, NOT_READY, STOPPING, BUSY, BAD_CHANGE, TIMEOUT
            raft_node_id_t leader; // when rc is 0: the new one
            const char *why;       // static text; NULL when rc is 0
        } transfer_answer;
        struct {
            raft_role_t role;
            bool ready;            // leader whose own-term entry is committed [RAFT-11]
            raft_node_id_t leader; // 0: not known
            raft_term_t term;
        } status;
    };
} raft_effect_t;

typedef struct {
    raft_effect_t *items; // owned
    size_t count;
    size_t capacity;
    int64_t next_deadline_ns; // set by every step: when to send TICK at the latest; RAFT_NEVER_NS
} raft_effects_t;

// Make an empty list.
void raft_effects_init (raft_effects_t *self);

// Drop what is left in the list, then its memory.
void raft_effects_deinit (raft_effects_t *self);

// Drop what is left in the list: references and memory the host did not take. Keeps the capacity
// and next_deadline_ns.
void raft_effects_clear (raft_effects_t *self);

// Add a zeroed effect of a kind; valid until the next one is added. For the core.
raft_effect_t *raft_effects_add (raft_effects_t *self, raft_effect_kind_t kind);

// The name of a kind in lower case.
const char *raft_effect_name (raft_effect_kind_t kind);

#endif // RAFT_EFFECTS_H
