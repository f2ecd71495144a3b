// The pipe between the nodes of a snapshot_world.

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "raft/core/raft_message.h"
#include "tests/raft/snapshot_world_internal.h"

// One message on its way.
typedef struct snapshot_world_mail {
    struct snapshot_world_mail *next;
    snapshot_world_t *world;
    uint32_t to;
    uint64_t event;
    peer_message_t *message;
} s_mail_t;

static void s_unlink (s_mail_t *mail)
{
    s_mail_t **link = &mail->world->mail;
    while (*link != mail) {
        link = &(*link)->next;
    }
    *link = mail->next;
}

static void s_note_answer (snapshot_world_node_t *node, const peer_message_t *message)
{
    snapshot_reply_t reply;
    if (message->kind == RAFT_MESSAGE_SNAPSHOT_REPLY &&
        snapshot_reply_decode (message->data, message->bytes, &reply) == 0 &&
        reply.transfer == node->transfer && reply.next > node->acked) {
        node->acked = reply.next;
    }
}

static void s_arrive (void *argument)
{
    s_mail_t *mail = argument;
    snapshot_world_node_t *node = &mail->world->nodes[mail->to];
    s_unlink (mail);
    if (node->mount) {
        s_note_answer (node, mail->message);
        actor_answer (node->peers, raft_snapshots_actor (node->snapshots), &mail->message->message);
    } else {
        peer_message_destroy (&mail->message);
    }
    free (mail);
}

// A message as it comes out at the other end: one body.
static peer_message_t *s_flat_copy (const peer_message_t *message, uint32_t from)
{
    peer_message_t *copy = peer_message_new ();
    copy->node_id = from;
    copy->group_id = message->group_id;
    copy->term = message->term;
    copy->kind = message->kind;
    copy->channel = message->channel;
    copy->bytes = message->head.bytes + message->bytes;
    copy->blob = dt_blob_new (copy->bytes);
    uint8_t *to = dt_blob_data (copy->blob);
    if (message->head.bytes > 0) {
        memcpy (to, message->head.data, message->head.bytes);
    }
    if (message->bytes > 0) {
        memcpy (to + message->head.bytes, message->data, message->bytes);
    }
    copy->data = to;
    return copy;
}

static void s_post (snapshot_world_t *self, uint32_t to, peer_message_t *message)
{
    s_mail_t *mail = dt_zalloc (1, sizeof *mail);
    mail->world = self;
    mail->to = to;
    mail->message = message;
    mail->next = self->mail;
    self->mail = mail;
    int64_t at_ns = self->env.now_ns (&self->env) + self->delay_ns;
    at_ns += (int64_t) dt_random_below (&self->random, (uint64_t) self->jitter_ns + 1);
    mail->event = fiber_backend_sim_at (self->backend, at_ns, s_arrive, mail);
}

static void s_note_chunk (snapshot_world_node_t *node, const peer_message_t *message)
{
    snapshot_chunk_t chunk;
    if (message->kind != RAFT_MESSAGE_SNAPSHOT_CHUNK ||
        snapshot_chunk_decode (message->data, message->bytes, &chunk) != 0) {
        return;
    }
    if (chunk.transfer != node->transfer) {
        node->transfer = chunk.transfer;
        node->acked = 0;
    }
    node->chunks++;
    node->chunk_bytes += chunk.bytes;
    uint64_t end = chunk.offset + chunk.bytes;
    uint64_t unacked = end > node->acked ? end - node->acked : 0;
    node->unacked_max = unacked > node->unacked_max ? unacked : node->unacked_max;
}

static bool s_by_chance (snapshot_world_t *self, uint32_t ppm)
{
    return dt_random_chance (&self->random, ppm, 1000000);
}

void snapshot_world_transmit (snapshot_world_t *self, uint32_t from, const peer_message_t *message)
{
    dt_assert (message->channel == PEER_BULK);
    dt_assert (message->group_id == SNAPSHOT_WORLD_GROUP);
    int copies = s_by_chance (self, self->double_ppm) ? 2 : 1;
    for (int i = 0; i < copies; i++) {
        peer_message_t *copy = s_flat_copy (message, from);
        if (i == 0) {
            s_note_chunk (&self->nodes[from], copy);
        }
        if (s_by_chance (self, self->damage_ppm)) {
            uint8_t *data = dt_blob_data (copy->blob);
            data[dt_random_below (&self->random, copy->bytes)] ^= 0x10;
        }
        if (s_by_chance (self, self->loss_ppm) ||
            (self->filter && self->filter (self, from, copy))) {
            peer_message_destroy (&copy);
        } else {
            s_post (self, message->node_id, copy);
        }
    }
}

void snapshot_world_drop_mail (snapshot_world_t *self)
{
    while (self->mail) {
        s_mail_t *mail = self->mail;
        self->mail = mail->next;
        (void) fiber_backend_sim_cancel (self->backend, mail->event);
        peer_message_destroy (&mail->message);
        free (mail);
    }
}
