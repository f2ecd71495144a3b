#include "transport/peer_actor.h"

#include <stdlib.h>
#include <string.h>

#include "actors/actor_host.h"
#include "actors/fiber/fiber_backend_real.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "transport/peer_refusal.h"
#include "transport/peer_table.h"

#define MS(n) (INT64_C (1000000) * (n))

enum {
    ROUND_FRAMES = 64,             // read before others get a turn
    ROUND_BYTES = 4 * 1024 * 1024, // the same, in bytes
    ROUND_REFUSALS = 64,           // read per tick
    MAILBOX_MAX = 16 * 1024,       // messages
    BYTES_MAX_DEFAULT = 64 * 1024 * 1024,
    DEAD_AFTER_MS_DEFAULT = 3000,
    TICKS_PER_DEAD = 20,
    TICK_MIN_MS = 5,
    TICK_MAX_MS = 100,
};

struct peers {
    actor_t *actor;            // owned by its host
    actor_host_t *host;        // borrowed
    peer_links_t links;        // what all links share
    peer_port_t *port;         // owned
    peer_table_t table;        // groups and peers
    peer_refuser_t refuser;    // refusals to nodes that are not peers
    int64_t tick_ns;           // when the next tick is due
    peers_counters_t counters; //
};

// --- what groups say ---------------------------------------------------------------------------

static void s_on_message (peers_t *self, peer_message_t *message)
{
    peer_link_t *peer = peer_table_find_again (&self->table, message->node_id);
    if (peer) {
        peer_link_push (peer, message);
    } else {
        peer_message_destroy (&message);
    }
}

static void s_on_mail (peers_t *self, actor_message_t *message, int64_t now_ns)
{
    if (message->type == PEER_MESSAGE) {
        s_on_message (self, (peer_message_t *) message);
        return;
    }
    dt_assert (message->type == PEER_NODES);
    peer_table_name (&self->table, (peer_nodes_t *) message, now_ns);
    actor_message_free (&message);
}

// --- frames --------------------------------------------------------------------------------------

static void s_deliver (peers_t *self, const peer_link_t *peer, const peer_part_t *part,
                       dt_blob_t *frame)
{
    peer_group_t *group = peer_table_group (&self->table, part->group);
    if (!group) {
        self->counters.no_group++;
        return;
    }
    peer_message_t *message = peer_message_new ();
    message->node_id = peer->node_id;
    message->group_id = part->group;
    message->term = part->term;
    message->kind = part->kind;
    message->blob = dt_blob_ref (frame);
    message->data = part->data;
    message->bytes = part->bytes;
    if (actor_send (self->actor, group->actor, &message->message) == 0) {
        self->counters.delivered++;
    } else {
        self->counters.group_full++;
        peer_message_destroy (&message);
    }
}

// A part about the link. Probes are answered to lives that are not proven too, or two nodes that
// start would wait for each other.
static peer_life_t s_on_link_part (peer_link_t *peer, const peer_frame_t *frame,
                                   const peer_part_t *part, peer_life_t life, int64_t now_ns)
{
    uint64_t nonce = peer_link_nonce (part);
    if (part->kind == PEER_LINK_PROBE && life != PEER_LIFE_CLAIMED && peer->open) {
        peer->answer = nonce;
    }
    if (part->kind == PEER_LINK_PROBE_ANSWER) {
        peer_life_t answered =
            peer_identity_answered (&peer->identity, frame->header.boot_id, nonce, now_ns);
        if (answered == PEER_LIFE_NEW) {
            return answered;
        }
    }
    return life;
}

static bool s_taken (peer_life_t life)
{
    return life == PEER_LIFE_KNOWN || life == PEER_LIFE_NEW;
}

static void s_hear (peers_t *self, peer_link_t *peer, const peer_frame_t *frame, bool new_life,
                    int64_t now_ns)
{
    peer->epoch_heard = frame->header.epoch;
    bool came = new_life || !peer_link_connected (peer, now_ns);
    peer->heard_ns = now_ns;
    if (new_life) {
        peer->hello_due = true; // it does not know us yet
    }
    if (came) {
        peer_table_reached (&self->table, peer);
    }
}

static void s_take_apart (peers_t *self, peer_link_t *peer, peer_frame_t *frame, peer_life_t life,
                          dt_blob_t *blob, int64_t now_ns)
{
    if (s_taken (life)) {
        s_hear (self, peer, frame, life == PEER_LIFE_NEW, now_ns);
    }
    peer_part_t part;
    int rc;
    while ((rc = peer_frame_next (frame, &part)) == 1) {
        if (part.group != 0) {
            if (s_taken (life)) {
                s_deliver (self, peer, &part, blob);
            }
            continue;
        }
        peer_life_t before = life;
        life = s_on_link_part (peer, frame, &part, life, now_ns);
        if (!s_taken (before) && s_taken (life)) {
            s_hear (self, peer, frame, true, now_ns);
        }
    }
    if (rc < 0) {
        self->counters.malformed++;
    }
}

static void s_on_life (peers_t *self, const transport_route_t *route, peer_frame_t *frame,
                       dt_blob_t *blob, int64_t now_ns)
{
    const peer_header_t *header = &frame->header;
    peer_link_t *peer = peer_table_add (&self->table, header->from);
    peer_life_t life =
        peer_identity_judge (&peer->identity, header->boot_id, peer->open, peer->heard_ns, now_ns);
    bool old_link = life == PEER_LIFE_KNOWN && header->epoch < peer->epoch_heard;
    if (life == PEER_LIFE_STALE || old_link) {
        peer->stale++;
        return;
    }
    if (s_taken (life)) {
        peer->frames_received++;
        peer->bytes_received += dt_blob_bytes (blob);
    } else {
        peer->refused++;
        peer_refuse_life (peer, route, header, life, now_ns);
    }
    s_take_apart (self, peer, frame, life, blob, now_ns);
    if (life == PEER_LIFE_WAITS) {
        peer_link_hurry (peer, now_ns);
    }
}

static void s_on_frame (peers_t *self, transport_message_t *message, int64_t now_ns)
{
    dt_blob_t *blob = dt_blob_wrap ((void *) (uintptr_t) message->data, message->bytes,
                                    message->release, message->owner);
    peer_frame_t frame;
    int rc = peer_frame_read (&frame, message->data, message->bytes);
    if (rc == DT_ERR_MALFORMED) {
        self->counters.malformed++;
    }
    if (peer_refuse_foreign (&self->refuser, &self->links, &message->route, &frame, rc, now_ns)) {
        self->counters.foreign += rc != DT_ERR_MALFORMED;
    } else {
        s_on_life (self, &message->route, &frame, blob, now_ns);
    }
    dt_blob_unref (&blob);
}

// Read what has arrived, within the bounds of a round. True: there may be more.
static bool s_receive (peers_t *self, int64_t now_ns)
{
    size_t bytes = 0;
    for (int frames = 0; frames < ROUND_FRAMES && bytes < ROUND_BYTES; frames++) {
        transport_message_t message;
        int rc = self->port->receive (self->port, &message);
        if (rc == 0) {
            bytes += message.bytes;
            s_on_frame (self, &message, now_ns);
        } else if (rc == DT_ERR_MALFORMED) {
            self->counters.malformed++;
        } else {
            return false;
        }
    }
    return true;
}

// --- supervision ---------------------------------------------------------------------------------

static void s_read_refusals (peers_t *self, int64_t now_ns)
{
    for (int i = 0; i < ROUND_REFUSALS; i++) {
        transport_message_t message;
        uint32_t node_id;
        if (self->port->receive_refusal (self->port, &node_id, &message) != 0) {
            return;
        }
        self->counters.refused_us++;
        peer_link_t *peer = peer_table_find (&self->table, node_id);
        if (peer) {
            peer_refused_us (peer, message.data, message.bytes, now_ns);
        }
        transport_message_release (&message);
    }
}

static void s_tick (peers_t *self, int64_t now_ns)
{
    self->tick_ns = now_ns + self->links.tick_ns;
    s_read_refusals (self, now_ns);
    for (size_t i = 0; i < self->table.peers_count; i++) {
        peer_link_tick (self->table.peers[i], now_ns);
    }
}

// Send what has piled up; returns when to look again if nothing comes.
static int64_t s_flush (peers_t *self, int64_t now_ns)
{
    int64_t deadline_ns = self->tick_ns;
    for (size_t i = 0; i < self->table.peers_count; i++) {
        peer_link_flush (self->table.peers[i], now_ns);
        int64_t retry_ns = peer_link_retry_ns (self->table.peers[i], now_ns);
        deadline_ns = retry_ns < deadline_ns ? retry_ns : deadline_ns;
    }
    return deadline_ns;
}

// --- the fiber -----------------------------------------------------------------------------------

static void s_on_readable (void *argument)
{
    actor_wake (((peers_t *) argument)->actor);
}

static void s_watch (peers_t *self, bool on)
{
    fiber_backend_real_t *backend = actor_host_backend (self->host);
    if (self->port->notify) {
        self->port->notify (self->port, on ? s_on_readable : NULL, self);
    } else if (on) {
        fiber_backend_real_watch_socket (backend, self->port->poll_socket (self->port),
                                         s_on_readable, self);
    } else {
        fiber_backend_real_unwatch_socket (backend, self->port->poll_socket (self->port));
    }
}

static void s_run (void *argument)
{
    peers_t *self = argument;
    s_watch (self, true);
    for (;;) {
        int64_t now_ns = fiber_now_ns ();
        if (now_ns >= self->tick_ns) {
            s_tick (self, now_ns);
        }
        bool more = s_receive (self, now_ns);
        int64_t deadline_ns = s_flush (self, now_ns);
        actor_message_t *message;
        int rc;
        if (more) {
            fiber_yield ();
            rc = actor_try_receive (self->actor, &message);
        } else {
            rc = actor_receive (self->actor, &message, deadline_ns);
        }
        if (rc == DT_ERR_CLOSED) {
            break;
        }
        now_ns = fiber_now_ns ();
        while (rc == 0) {
            s_on_mail (self, message, now_ns);
            rc = actor_try_receive (self->actor, &message);
        }
    }
    s_watch (self, false);
}

// --- life ----------------------------------------------------------------------------------------

peers_t *peers_new (actor_host_t *host, const peers_options_t *options)
{
    dt_assert (options->boot_id != 0);
    dt_assert (options->node_id != 0);
    peers_t *self = dt_zalloc (1, sizeof *self);
    self->host = host;
    self->port = options->port;
    uint32_t dead_after_ms =
        options->dead_after_ms ? options->dead_after_ms : DEAD_AFTER_MS_DEFAULT;
    uint32_t tick_ms = dead_after_ms / TICKS_PER_DEAD;
    tick_ms = tick_ms < TICK_MIN_MS ? TICK_MIN_MS : tick_ms;
    tick_ms = tick_ms > TICK_MAX_MS ? TICK_MAX_MS : tick_ms;
    self->links = (peer_links_t){
        .env = actor_host_env (host),
        .port = options->port,
        .cluster_id = options->cluster_id,
        .node_id = options->node_id,
        .boot_id = options->boot_id,
        .bytes_max = options->bytes_max ? options->bytes_max : BYTES_MAX_DEFAULT,
        .dead_after_ns = MS ((int64_t) dead_after_ms),
        .tick_ns = MS ((int64_t) tick_ms),
    };
    self->table.links = &self->links;
    dt_random_init_stream (&self->links.random, options->boot_id, "peers");
    self->actor = actor_new (host, &(actor_options_t){
                                       .name = options->name,
                                       .mailbox_max = MAILBOX_MAX,
                                       .run = s_run,
                                       .argument = self,
                                   });
    self->table.actor = self->actor;
    return self;
}

void peers_add_group (peers_t *self, uint32_t group_id, actor_t *actor)
{
    dt_assert (group_id != 0);
    peer_table_add_group (&self->table, group_id, actor);
}

void peers_destroy (peers_t **self_p)
{
    peers_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    peer_table_deinit (&self->table);
    self->port->close (&self->port);
    free (self);
}

actor_t *peers_actor (peers_t *self)
{
    return self->actor;
}

bool peers_status (const peers_t *self, uint32_t node_id, peer_status_t *status)
{
    const peer_link_t *peer = peer_table_find (&self->table, node_id);
    if (!peer) {
        return false;
    }
    *status = (peer_status_t){
        .node_id = node_id,
        .named = peer->references > 0,
        .connected = peer_link_connected (
            peer, fiber_dispatcher_round_ns (actor_host_dispatcher (self->host))),
        .boot_id = peer->identity.boot_id,
        .epoch = peer->epoch,
        .frames_sent = peer->frames_sent,
        .bytes_sent = peer->bytes_sent,
        .frames_received = peer->frames_received,
        .bytes_received = peer->bytes_received,
        .dropped = peer_link_dropped (peer),
        .refused = peer->refused,
        .stale = peer->stale,
        .waiting = peer->queue.bytes,
        .heard_ns = peer->heard_ns,
    };
    return true;
}

const peers_counters_t *peers_counters (const peers_t *self)
{
    return &self->counters;
}
