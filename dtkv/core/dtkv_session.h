// dtkv_session - sessions: each write of a client carried out exactly once (docs/PROTOCOL.md
// section 5) [RAFT-32].
//
// A session's id is the index of the entry that opened it. Its replies are kept from its
// acknowledged sequence number on. It expires when cluster time reaches its deadline, whether or
// not it has been removed yet (dtkv_expire.h).

#ifndef DTKV_SESSION_H
#define DTKV_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"
#include "dtkv/core/dtkv_limits.h"

typedef struct {
    uint64_t seq;   // 0: the slot is free
    uint64_t index; // entry that carried it out
    uint32_t code;  // dtkv_result_t
    uint32_t bytes; // of body; 0: nil
    uint8_t *body;  // owned; NULL: nil
} dtkv_kept_reply_t;

typedef struct dtkv_session dtkv_session_t;

struct dtkv_session {
    uint64_t id;             // index of the entry that opened it
    uint64_t ttl_ms;         // cluster time it lives without being used
    uint64_t deadline_ms;    // cluster time at which it expires
    uint64_t ack;            // lowest seq whose reply is kept, from 1
    uint64_t changed_index;  // entry that last changed it
    uint64_t digest;         // what it adds to the sessions' digest
    uint64_t replies_digest; // sum over the replies, a part of digest
    uint64_t bytes;          // of the kept replies, overhead counted
    dtkv_kept_reply_t *ring; // owned; slot: seq modulo capacity
    uint32_t ring_capacity;  // power of 2, or 0
    uint32_t replies;        // kept
    uint32_t heap_slot;      // where it stands in dtkv_sessions_t.heap
    bool dead;               // closed or expired; kept for the snapshot only
    dtkv_session_t *before;  // in order of id
    dtkv_session_t *behind;
    dt_buffer_t *image; // owned: its record for the snapshot, from before it changed; or NULL
};

typedef struct {
    const dtkv_limits_t *limits; // borrowed
    dtkv_session_t **slots;      // owned: open addressing by id
    uint32_t slots_capacity;     // power of 2
    uint32_t count;              // sessions, the dead not counted
    dtkv_session_t **heap;       // owned: binary heap by (deadline, id)
    uint32_t heap_capacity;
    dtkv_session_t *first; // lowest id, the dead included
    dtkv_session_t *last;
    uint64_t bytes;           // of all kept replies
    uint64_t digest;          // sum over the sessions
    bool snapshot;            // a snapshot is under way
    uint64_t snapshot_index;  // of it: later sessions are not in it
    uint64_t snapshot_passed; // of it: id of the last session written
    dtkv_session_t *cursor;   // of it: session to write next; NULL at the end
} dtkv_sessions_t;

void dtkv_sessions_init (dtkv_sessions_t *self, const dtkv_limits_t *limits);
void dtkv_sessions_deinit (dtkv_sessions_t *self);

// The session that expires first, or has; NULL if there is none.
dtkv_session_t *dtkv_sessions_first (const dtkv_sessions_t *self);

// The live session of that id; NULL if it does not exist or has expired by now.
dtkv_session_t *dtkv_sessions_find (const dtkv_sessions_t *self, uint64_t id, uint64_t now_ms);

// Open a session at an entry. DTKV_TOO_MANY_SESSIONS or 0.
int dtkv_sessions_open (dtkv_sessions_t *self, uint64_t index, uint64_t ttl_ms, uint64_t now_ms);

// Close a session.
void dtkv_sessions_close (dtkv_sessions_t *self, dtkv_session_t *session);

// Move the deadline of a live session on to now + ttl.
void dtkv_sessions_touch (dtkv_sessions_t *self, dtkv_session_t *session, uint64_t index,
                          uint64_t now_ms);

// Forget the replies below `ack`. A lower ack than before is nothing.
void dtkv_sessions_ack (dtkv_sessions_t *self, dtkv_session_t *session, uint64_t index,
                        uint64_t ack);

// May this seq be carried out? 0: yes. Otherwise DTKV_SESSION_SEQ_STALE or
// DTKV_SESSION_WINDOW_FULL. *kept is the first reply if it was carried out before, NULL if not.
int dtkv_sessions_admit (const dtkv_sessions_t *self, const dtkv_session_t *session, uint64_t seq,
                         const dtkv_kept_reply_t **kept);

// Keep the reply of an admitted seq that was carried out now. A body that is nil takes no room.
void dtkv_sessions_keep (dtkv_sessions_t *self, dtkv_session_t *session, uint64_t seq,
                         uint64_t index, int code, const uint8_t *body, size_t bytes);

// For snapshots. Begin: sessions as they are at `index`, in constant time. Next: append the next
// session's record as it was then; false at the end. End: in any state.
void dtkv_sessions_snapshot_begin (dtkv_sessions_t *self, uint64_t index);
bool dtkv_sessions_snapshot_next (dtkv_sessions_t *self, dt_buffer_t *out);
void dtkv_sessions_snapshot_end (dtkv_sessions_t *self);

// For restores: add a session out of a snapshot, of a higher id than all before, without replies.
dtkv_session_t *dtkv_sessions_add (dtkv_sessions_t *self, uint64_t id, uint64_t ttl_ms,
                                   uint64_t deadline_ms, uint64_t ack);

uint64_t dtkv_sessions_digest_recompute (const dtkv_sessions_t *self);

// Assert the whole invariant.
void dtkv_sessions_check (const dtkv_sessions_t *self);

#endif // DTKV_SESSION_H
