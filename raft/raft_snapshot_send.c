// raft_snapshot_send - streams the newest snapshot to a node, one fiber for each.
//
// The content goes out in pieces as long as no more than a window of it is unacknowledged
// [ZMQ-6]. Peer messages are lost, doubled and reordered, so:
//
// - A reply acknowledges everything before its `next`. Replies of another transfer, and those that
//   acknowledge less than was, are old and say nothing.
// - The receiver takes pieces in order only. When it misses one it says so, and everything from
//   there on is sent again, once for each offset; if that was lost too, silence tells.
// - Silence: one piece is sent from the last acknowledged offset, and no other until it is
// answered;
//   the time allowed doubles. A link that is slower than we thought is not flooded.
// - The first piece, which opens the transfer, goes alone for the same reason.
// - After the last piece an empty one asks, again and again, whether all of it is durable.
// - A receiver that does not know the transfer was started anew: so is the transfer, under another
//   number.

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_blob.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/core/raft_message.h"
#include "raft/raft_snapshot_internal.h"
#include "raft/raft_snapshot_wire.h"

enum {
    RESEND_GROWTH_MAX = 8, // of the time allowed
    MS_NS = 1000000,
};

#define NOWHERE UINT64_MAX

struct snapshot_sender {
    snapshot_sender_t *next;     // in the actor's list
    raft_snapshots_t *snapshots; // whose it is
    fiber_condition_t *news;     // replies, cancellation
    uint32_t node_id;            // to whom
    uint64_t term;               // of the group
    uint64_t index_min;          //
    snapshot_reader_t *reader;   // NULL: nothing opened yet
    snapshot_info_t info;        // of what is sent
    uint64_t transfer;           // its number
    uint64_t acked;              // everything before is over there
    uint64_t sent;               // next offset to send; acked <= sent <= reach
    uint64_t reach;              // highest offset ever sent
    uint64_t went_back;          // offset for which a reply made us go back last; NOWHERE: none
    const uint8_t *data;         // read and not sent yet, from `sent` on; of the reader
    size_t bytes;                // of data
    bool moved;                  // `sent` is not where the reader is
    bool kick;                   // send one piece, come what may
    bool careful;                // no second piece before the first is answered
    uint32_t silent;             // times in a row that nothing was heard
    int64_t deadline_ns;         // of the next answer
    bool restart;                // the receiver does not know the transfer
    bool ended;                  // with rc
    int rc;                      //
    bool cancelled;              // not in the list any more
};

// --- state ---------------------------------------------------------------------------------------

static void s_rearm (snapshot_sender_t *self)
{
    uint32_t growth = self->silent < 3 ? 1u << self->silent : RESEND_GROWTH_MAX;
    int64_t wait_ms = (int64_t) self->snapshots->options.resend_ms * growth;
    self->deadline_ns = fiber_now_ns () + wait_ms * MS_NS;
}

static void s_go_to (snapshot_sender_t *self, uint64_t offset)
{
    self->sent = offset;
    self->moved = true;
}

static void s_begin_transfer (snapshot_sender_t *self)
{
    const dt_env_t *env = self->snapshots->env;
    do {
        self->transfer = env->entropy (env);
    } while (self->transfer == 0);
    self->acked = 0;
    self->reach = 0;
    self->went_back = NOWHERE;
    self->restart = false;
    self->careful = true;
    self->kick = true;
    s_go_to (self, 0);
    s_rearm (self);
}

static void s_end (snapshot_sender_t *self, int rc)
{
    if (!self->ended) {
        self->ended = true;
        self->rc = rc;
    }
}

static void s_on_ack (snapshot_sender_t *self, uint64_t next)
{
    self->acked = next;
    self->careful = false;
    if (self->sent < next) {
        s_go_to (self, next); // we had gone back, needlessly
    }
}

static void s_on_reply (snapshot_sender_t *self, const snapshot_reply_t *reply)
{
    if (reply->transfer != self->transfer || reply->next > self->reach) {
        return; // of an earlier one
    }
    self->silent = 0;
    s_rearm (self);
    if (reply->rc == DT_ERR_NOT_FOUND) {
        self->restart = true;
    } else if (reply->rc != 0 || reply->done) {
        s_end (self, reply->rc);
    } else if (reply->next > self->acked) {
        s_on_ack (self, reply->next);
    } else if (reply->again && reply->next == self->acked && self->went_back != reply->next) {
        self->went_back = reply->next;
        s_go_to (self, reply->next);
    }
}

// --- sending -------------------------------------------------------------------------------------

static int s_open (snapshot_sender_t *self)
{
    snapshot_store_t *store = self->snapshots->store;
    snapshot_info_t newest;
    int count = store ? snapshot_store_list (store, &newest, 1) : 0;
    if (count < 0) {
        return count;
    }
    if (count == 0 || newest.index < self->index_min) {
        return DT_ERR_NOT_FOUND;
    }
    return snapshot_reader_open (store, newest.index, newest.term, &self->reader, &self->info);
}

// Have something of the content in hand. May suspend: `moved` tells whether it is still wanted.
static int s_read (snapshot_sender_t *self)
{
    if (self->moved) {
        snapshot_reader_seek (self->reader, self->sent);
        self->moved = false;
        self->bytes = 0;
    }
    if (self->bytes > 0 || self->sent == self->info.total_bytes) {
        return 0;
    }
    const uint8_t *data;
    size_t bytes;
    int rc = snapshot_reader_next (self->reader, &data, &bytes);
    if (rc == 0) {
        self->data = data;
        self->bytes = bytes;
    }
    return rc;
}

static void s_send_piece (snapshot_sender_t *self)
{
    raft_snapshots_t *owner = self->snapshots;
    if (self->sent == self->acked) {
        s_rearm (self); // nothing was on its way; reading may have taken long
    }
    uint32_t piece = owner->options.piece_bytes;
    uint32_t bytes = self->bytes < piece ? (uint32_t) self->bytes : piece;
    dt_blob_t *blob = dt_blob_new (bytes); // the reader's memory is used again
    if (bytes > 0) {
        memcpy (dt_blob_data (blob), self->data, bytes);
    }
    snapshot_chunk_t chunk = {
        .transfer = self->transfer,
        .index = self->info.index,
        .term = self->info.term,
        .total = self->info.total_bytes,
        .offset = self->sent,
        .data = dt_blob_data (blob),
        .bytes = bytes,
    };
    if (self->sent == 0) {
        const snapshot_meta_t *meta = snapshot_reader_meta (self->reader);
        chunk.cluster_time_ms = meta->cluster_time_ms;
        chunk.config_index = meta->config_index;
        chunk.state_digest = self->info.state_digest;
        chunk.config = meta->config;
        chunk.config_bytes = meta->config_bytes;
    }
    dt_buffer_t head = {0};
    snapshot_chunk_encode (&chunk, &head);
    raft_snapshots_send (owner, self->node_id, self->term, RAFT_MESSAGE_SNAPSHOT_CHUNK, &head,
                         blob);
    self->data += bytes;
    self->bytes -= bytes;
    self->sent += bytes;
    self->reach = self->sent > self->reach ? self->sent : self->reach;
    self->kick = false;
}

static bool s_may_send (const snapshot_sender_t *self)
{
    if (self->kick) {
        return true;
    }
    if (self->sent == self->info.total_bytes || (self->careful && self->sent > self->acked)) {
        return false;
    }
    const raft_snapshots_options_t *options = &self->snapshots->options;
    return self->sent - self->acked + options->piece_bytes <= options->window_bytes;
}

static void s_on_silence (snapshot_sender_t *self)
{
    if (++self->silent >= self->snapshots->options.resend_max) {
        s_end (self, DT_ERR_TIMEOUT);
        return;
    }
    self->went_back = NOWHERE;
    self->careful = true;
    self->kick = true;
    s_go_to (self, self->acked);
    s_rearm (self);
}

static int s_stream (snapshot_sender_t *self)
{
    s_begin_transfer (self);
    while (!self->cancelled && !self->ended) {
        if (self->restart) {
            s_begin_transfer (self);
        }
        if (!s_may_send (self)) {
            int rc = fiber_condition_wait (self->news, self->deadline_ns);
            if (rc == DT_ERR_TIMEOUT) {
                s_on_silence (self);
            }
            continue;
        }
        int rc = s_read (self);
        if (rc != 0) {
            return rc;
        }
        if (!self->moved && !self->cancelled && !self->restart && !self->ended) {
            s_send_piece (self);
        }
    }
    return self->rc;
}

// --- the fiber -----------------------------------------------------------------------------------

static void s_unlink (snapshot_sender_t *self)
{
    snapshot_sender_t **link = &self->snapshots->senders;
    while (*link != self) {
        dt_assert (*link);
        link = &(*link)->next;
    }
    *link = self->next;
}

static void s_report (snapshot_sender_t *self, int rc)
{
    raft_snapshots_t *owner = self->snapshots;
    dt_log (owner->env, rc ? DT_LOG_WARN : DT_LOG_INFO, actor_name (owner->actor),
            "snapshot %llu to node %u, %llu of %llu bytes: %s",
            (unsigned long long) self->info.index, self->node_id, (unsigned long long) self->acked,
            (unsigned long long) self->info.total_bytes, rc ? dt_error_text (rc) : "it is there");
    snapshot_sent_t *sent = raft_snapshots_message_new (SNAPSHOT_SENT);
    sent->node_id = self->node_id;
    sent->term = self->term;
    sent->index = self->info.index;
    sent->rc = rc;
    actor_answer (owner->actor, owner->group, &sent->message);
}

static void s_run (void *argument)
{
    snapshot_sender_t *self = argument;
    raft_snapshots_t *owner = self->snapshots;
    int rc = s_open (self);
    if (rc == 0) {
        rc = s_stream (self);
    }
    if (rc == DT_ERR_CORRUPT && !self->ended && self->reader) {
        // Note it, so that it is not counted among the sound ones. The store logs it.
        (void) snapshot_store_verify (owner->store, self->info.index, self->info.term, &self->info,
                                      NULL);
    }
    // A damaged one is as good as none.
    rc = rc == DT_ERR_CORRUPT && !self->ended ? DT_ERR_NOT_FOUND : rc;
    snapshot_reader_close (&self->reader);
    if (!self->cancelled) {
        s_unlink (self);
        s_report (self, rc);
    }
    fiber_condition_destroy (&self->news);
    free (self);
    raft_snapshots_fiber_ended (owner);
}

// --- what main calls -----------------------------------------------------------------------------

void raft_snapshot_send_begin (raft_snapshots_t *owner, const snapshot_send_t *send)
{
    dt_assert (owner->peers);
    raft_snapshot_send_cancel (owner, send->node_id);
    snapshot_sender_t *self = dt_zalloc (1, sizeof *self);
    self->snapshots = owner;
    self->news = fiber_condition_new ("snapshot reply");
    self->node_id = send->node_id;
    self->term = send->term;
    self->index_min = send->index_min;
    self->next = owner->senders;
    owner->senders = self;
    raft_snapshots_fiber_start (owner, "send", s_run, self);
}

void raft_snapshot_send_cancel (raft_snapshots_t *owner, uint32_t node_id)
{
    snapshot_sender_t *next;
    for (snapshot_sender_t *self = owner->senders; self; self = next) {
        next = self->next;
        if (node_id == 0 || self->node_id == node_id) {
            s_unlink (self);
            self->cancelled = true;
            fiber_condition_signal (self->news);
        }
    }
}

void raft_snapshot_send_on_reply (raft_snapshots_t *owner, const peer_message_t *message)
{
    snapshot_reply_t reply;
    int rc = snapshot_reply_decode (message->data, message->bytes, &reply);
    if (rc != 0) {
        dt_log_warn (owner->env, actor_name (owner->actor),
                     "snapshot reply of node %u ignored, %zu bytes: %s", message->node_id,
                     message->bytes, dt_error_text (rc));
        return;
    }
    for (snapshot_sender_t *self = owner->senders; self; self = self->next) {
        if (self->node_id == message->node_id && !self->ended) {
            s_on_reply (self, &reply);
            fiber_condition_signal (self->news);
        }
    }
}
