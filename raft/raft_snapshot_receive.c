// raft_snapshot_receive - takes in a leader's snapshot: one at a time, one fiber.
//
// Pieces are written in order, through the store's writer; what comes early or damaged is asked for
// again, what comes twice is acknowledged again. When the last one is there the writer makes the
// snapshot durable and verifies it; only then is the group told, and only then the sender
// [DISK-18].
//
// Which transfer wins. Every chunk carries the term of the leader that sends it. A chunk of a lower
// term than one seen before is dropped. A first piece of a higher term, or of the same term under
// another number, replaces the transfer that is under way: that leader has begun anew. Numbers that
// ended here are remembered for a while, so that a late copy of their first piece begins nothing. A
// chunk that is not a first piece and belongs to nothing known is answered with NOT_FOUND.

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "base/dt_planted.h"
#include "raft/core/raft_message.h"
#include "raft/raft_snapshot_internal.h"
#include "raft/raft_snapshot_wire.h"

enum {
    ENDED_MAX = 8,
    QUEUED_EXTRA_BYTES = 1024, // what a message takes beside its body
    MS_NS = 1000000,
};

// How a transfer ended.
typedef struct {
    uint64_t transfer; // 0: none
    uint64_t next;     // how far it got
    int rc;            // what its sender is told: 0 when done
    bool replaced;     // the sender is told nothing
} s_ended_t;

struct snapshot_receiver {
    raft_snapshots_t *snapshots; // whose it is
    fiber_channel_t *messages;   // chunks not handled yet
    size_t queued_bytes;         // of them
    uint64_t term;               // highest term of a chunk
    // The transfer; writer NULL: none.
    snapshot_writer_t *writer;
    uint64_t transfer;         //
    uint32_t from;             // node
    uint64_t next;             // everything before was written
    uint64_t total;            //
    uint64_t state_digest;     //
    raft_snapshot_meta_t meta; //
    bool finishing;            // all was written, is being made durable
    // What was received last and told to the group; index 0: nothing.
    raft_snapshot_meta_t received_meta;
    uint64_t received_bytes;
    s_ended_t ended[ENDED_MAX]; // a ring
    unsigned ended_next;        // its oldest
};

// --- replies -------------------------------------------------------------------------------------

static void s_reply (snapshot_receiver_t *self, const peer_message_t *to,
                     const snapshot_reply_t *reply)
{
    dt_buffer_t head = {0};
    snapshot_reply_encode (reply, &head);
    // Under the term of the chunk, which the group has found to be its own.
    raft_snapshots_send (self->snapshots, to->node_id, to->term, RAFT_MESSAGE_SNAPSHOT_REPLY, &head,
                         NULL);
}

static void s_acknowledge (snapshot_receiver_t *self, const peer_message_t *to, bool again)
{
    s_reply (self, to,
             &(snapshot_reply_t){.transfer = self->transfer, .next = self->next, .again = again});
}

static void s_reply_ended (snapshot_receiver_t *self, const peer_message_t *to,
                           const s_ended_t *ended)
{
    s_reply (self, to,
             &(snapshot_reply_t){
                 .transfer = ended->transfer,
                 .next = ended->next,
                 .rc = ended->rc,
                 .done = ended->rc == 0,
             });
}

// --- ends of transfers ---------------------------------------------------------------------------

static const s_ended_t *s_find_ended (const snapshot_receiver_t *self, uint64_t transfer)
{
    for (unsigned i = 0; i < ENDED_MAX; i++) {
        if (self->ended[i].transfer == transfer) {
            return &self->ended[i];
        }
    }
    return NULL;
}

static const s_ended_t *s_note_ended (snapshot_receiver_t *self, const s_ended_t *ended)
{
    s_ended_t *place = &self->ended[self->ended_next];
    self->ended_next = (self->ended_next + 1) % ENDED_MAX;
    *place = *ended;
    return place;
}

// Another one has come, or nothing has for a long time.
static void s_give_up (snapshot_receiver_t *self, const char *why)
{
    raft_snapshots_t *owner = self->snapshots;
    if (!self->writer) {
        return;
    }
    dt_log_info (owner->env, actor_name (owner->actor),
                 "snapshot %llu of node %u given up after %llu of %llu bytes: %s",
                 (unsigned long long) self->meta.index, self->from, (unsigned long long) self->next,
                 (unsigned long long) self->total, why);
    snapshot_writer_abort (&self->writer);
}

static void s_fail (snapshot_receiver_t *self, const peer_message_t *message, int rc)
{
    raft_snapshots_t *owner = self->snapshots;
    dt_log_warn (owner->env, actor_name (owner->actor),
                 "snapshot %llu of node %u cannot be taken in: %s",
                 (unsigned long long) self->meta.index, message->node_id, dt_error_text (rc));
    snapshot_writer_abort (&self->writer);
    s_reply_ended (self, message,
                   s_note_ended (self, &(s_ended_t){.transfer = self->transfer, .rc = rc}));
    raft_snapshots_see_error (owner, rc);
}

static void s_tell_group (snapshot_receiver_t *self, uint32_t from)
{
    raft_snapshots_t *owner = self->snapshots;
    snapshot_received_t *received = raft_snapshots_message_new (SNAPSHOT_RECEIVED);
    received->from = from;
    received->meta = self->received_meta;
    received->bytes = self->received_bytes;
    actor_answer (owner->actor, owner->group, &received->message);
}

static void s_done (snapshot_receiver_t *self, const peer_message_t *message)
{
    s_reply_ended (
        self, message,
        s_note_ended (self, &(s_ended_t){.transfer = self->transfer, .next = self->next}));
}

static void s_finish (snapshot_receiver_t *self, const peer_message_t *message)
{
    raft_snapshots_t *owner = self->snapshots;
    if (dt_planted (DT_PLANTED_INSTALL_ACKED_EARLY)) {
        s_done (self, message);
    }
    snapshot_info_t info;
    self->finishing = true;
    int rc = snapshot_writer_finish (&self->writer, self->state_digest, &info);
    self->finishing = false;
    if (rc != 0) {
        s_fail (self, message, rc);
        return;
    }
    dt_log_info (owner->env, actor_name (owner->actor),
                 "snapshot %llu of node %u received, "
                 "%llu bytes",
                 (unsigned long long) info.index, self->from, (unsigned long long) info.file_bytes);
    self->received_meta = self->meta;
    self->received_bytes = info.file_bytes;
    s_tell_group (self, self->from);
    if (!dt_planted (DT_PLANTED_INSTALL_ACKED_EARLY)) {
        s_done (self, message);
    }
    // Whatever cannot be removed now can be after the next snapshot; the store logs why.
    (void) raft_snapshots_prune (owner);
}

// --- pieces --------------------------------------------------------------------------------------

static void s_take_piece (snapshot_receiver_t *self, const peer_message_t *message,
                          const snapshot_chunk_t *chunk)
{
    if (chunk->index != self->meta.index || chunk->term != self->meta.term ||
        chunk->total != self->total) {
        s_fail (self, message, DT_ERR_MALFORMED);
        return;
    }
    if (chunk->offset != self->next) {
        s_acknowledge (self, message, chunk->offset > self->next);
        return;
    }
    int rc = snapshot_writer_add (self->writer, chunk->data, chunk->bytes);
    if (rc != 0) {
        s_fail (self, message, rc);
        return;
    }
    self->next += chunk->bytes;
    if (self->next == self->total) {
        s_finish (self, message);
    } else {
        s_acknowledge (self, message, false);
    }
}

static int s_open_writer (snapshot_receiver_t *self, const snapshot_chunk_t *chunk)
{
    snapshot_meta_t meta = {
        .index = chunk->index,
        .term = chunk->term,
        .cluster_time_ms = chunk->cluster_time_ms,
        .config_index = chunk->config_index,
        .config = chunk->config,
        .config_bytes = chunk->config_bytes,
    };
    int rc = raft_config_decode (chunk->config, chunk->config_bytes, &self->meta.config);
    return rc ? rc : snapshot_writer_begin (self->snapshots->store, &meta, &self->writer);
}

static void s_begin (snapshot_receiver_t *self, const peer_message_t *message,
                     const snapshot_chunk_t *chunk)
{
    if (self->writer) {
        s_note_ended (self, &(s_ended_t){.transfer = self->transfer, .replaced = true});
        s_give_up (self, "another one has begun");
    }
    self->transfer = chunk->transfer;
    self->from = message->node_id;
    self->next = 0;
    self->total = chunk->total;
    self->state_digest = chunk->state_digest;
    self->meta.index = chunk->index;
    self->meta.term = chunk->term;
    self->meta.cluster_time_ms = chunk->cluster_time_ms;
    self->meta.config_index = chunk->config_index;
    bool again =
        chunk->index == self->received_meta.index && chunk->term == self->received_meta.term;
    if (chunk->index <= self->snapshots->base || again) {
        if (chunk->index > self->snapshots->base) {
            s_tell_group (self, self->from); // it may have had no use for it before
        }
        s_done (self, message); // all that is in it is here, durably
        return;
    }
    int rc = s_open_writer (self, chunk);
    if (rc != 0) {
        s_fail (self, message, rc);
        return;
    }
    s_take_piece (self, message, chunk);
}

static void s_take_chunk (snapshot_receiver_t *self, const peer_message_t *message,
                          const snapshot_chunk_t *chunk)
{
    if (message->term < self->term) {
        return; // of a leader that was
    }
    self->term = message->term;
    if (self->writer && chunk->transfer == self->transfer && message->node_id == self->from) {
        s_take_piece (self, message, chunk);
        return;
    }
    const s_ended_t *ended = s_find_ended (self, chunk->transfer);
    if (ended) {
        if (!ended->replaced) {
            s_reply_ended (self, message, ended);
        }
    } else if (chunk->offset != 0) {
        s_reply (self, message,
                 &(snapshot_reply_t){.transfer = chunk->transfer, .rc = DT_ERR_NOT_FOUND});
    } else {
        s_begin (self, message, chunk);
    }
}

static void s_handle (snapshot_receiver_t *self, const peer_message_t *message)
{
    raft_snapshots_t *owner = self->snapshots;
    snapshot_chunk_t chunk;
    int rc = snapshot_chunk_decode (message->data, message->bytes, &chunk);
    if (rc == 0) {
        s_take_chunk (self, message, &chunk);
        return;
    }
    dt_log_warn (owner->env, actor_name (owner->actor),
                 "piece of a snapshot of node %u ignored, %zu bytes: %s", message->node_id,
                 message->bytes, dt_error_text (rc));
    if (rc == DT_ERR_CORRUPT && self->writer && message->node_id == self->from) {
        s_acknowledge (self, message, true);
    }
}

// --- the fiber -----------------------------------------------------------------------------------

void raft_snapshot_receiver_run (void *argument)
{
    snapshot_receiver_t *self = argument;
    int64_t idle_ns = (int64_t) self->snapshots->options.idle_ms * MS_NS;
    for (;;) {
        void *item;
        int64_t deadline_ns = self->writer ? fiber_now_ns () + idle_ns : FIBER_FOREVER;
        int rc = fiber_channel_take (self->messages, &item, deadline_ns);
        if (rc == DT_ERR_TIMEOUT) {
            s_give_up (self, "nothing more has come");
            continue;
        }
        if (rc != 0) {
            break;
        }
        peer_message_t *message = item;
        s_handle (self, message);
        self->queued_bytes -= message->bytes + QUEUED_EXTRA_BYTES;
        peer_message_destroy (&message);
    }
    s_give_up (self, "the node stops");
    raft_snapshots_fiber_ended (self->snapshots);
}

// A sender that waits for the disk here must not think that nobody is there.
static bool s_answer_while_finishing (snapshot_receiver_t *self, const peer_message_t *message)
{
    snapshot_chunk_t chunk;
    if (!self->finishing || snapshot_chunk_decode (message->data, message->bytes, &chunk) != 0 ||
        chunk.transfer != self->transfer || message->node_id != self->from) {
        return false;
    }
    s_acknowledge (self, message, false);
    return true;
}

void raft_snapshot_receiver_take (snapshot_receiver_t *self, peer_message_t *message)
{
    // Whoever sends more than a window at a time sends it for nothing.
    size_t bytes_max =
        2 * (size_t) self->snapshots->options.window_bytes + SNAPSHOT_PIECE_BYTES_MAX;
    if (s_answer_while_finishing (self, message) ||
        self->queued_bytes + message->bytes > bytes_max) {
        peer_message_destroy (&message);
        return;
    }
    self->queued_bytes += message->bytes + QUEUED_EXTRA_BYTES;
    int rc = fiber_channel_offer (self->messages, message);
    dt_assert (rc == 0);
}

void raft_snapshot_receiver_stop (snapshot_receiver_t *self)
{
    fiber_channel_close (self->messages);
}

snapshot_receiver_t *raft_snapshot_receiver_new (raft_snapshots_t *snapshots)
{
    snapshot_receiver_t *self = dt_zalloc (1, sizeof *self);
    self->snapshots = snapshots;
    self->messages = fiber_channel_new ("snapshot chunks", 0);
    return self;
}

void raft_snapshot_receiver_destroy (snapshot_receiver_t **self_p)
{
    snapshot_receiver_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    void *left;
    while (fiber_channel_try_take (self->messages, &left) == 0) {
        peer_message_t *message = left;
        peer_message_destroy (&message);
    }
    fiber_channel_destroy (&self->messages);
    free (self);
}
