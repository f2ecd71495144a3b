#include "raft/raft_snapshot_actor.h"

#include <stdlib.h>

#include "actors/actor_host.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/core/raft_message.h"
#include "raft/raft_snapshot_internal.h"
#include "raft/raft_snapshot_wire.h"

enum {
    KEEP_DEFAULT = 2,
    WINDOW_BYTES_DEFAULT = 2 * 1024 * 1024,
    RESEND_MS_DEFAULT = 500,
    RESEND_MAX_DEFAULT = 8,
    IDLE_MS_DEFAULT = 60000,
    LISTED_MAX = 64, // snapshots looked at when old ones are removed
    FIBER_BUDGET = 16,
};

// --- messages ------------------------------------------------------------------------------------

static void s_message_free (actor_message_t *message)
{
    free (message);
}

static size_t s_message_bytes (uint16_t type)
{
    switch (type) {
    case SNAPSHOT_LOAD:
        return sizeof (snapshot_load_t);
    case SNAPSHOT_SEND:
        return sizeof (snapshot_send_t);
    case SNAPSHOT_CANCEL:
        return sizeof (snapshot_cancel_t);
    case SNAPSHOT_LOADED:
        return sizeof (snapshot_loaded_t);
    case SNAPSHOT_SAVED:
        return sizeof (snapshot_saved_t);
    case SNAPSHOT_SENT:
        return sizeof (snapshot_sent_t);
    case SNAPSHOT_RECEIVED:
        return sizeof (snapshot_received_t);
    case SNAPSHOT_DISK_FAILED:
        return sizeof (actor_message_t);
    default:
        dt_unreachable ();
    }
}

void *raft_snapshots_message_new (uint16_t type)
{
    actor_message_t *message = dt_zalloc (1, s_message_bytes (type));
    message->type = type;
    message->free_fn = s_message_free;
    return message;
}

void raft_snapshots_send (raft_snapshots_t *self, uint32_t node_id, uint64_t term, uint8_t kind,
                          dt_buffer_t *head, dt_blob_t *blob)
{
    peer_message_t *message = peer_message_new ();
    message->node_id = node_id;
    message->group_id = self->options.identity.group_id;
    message->term = term;
    message->kind = kind;
    message->channel = PEER_BULK;
    message->head = *head;
    *head = (dt_buffer_t){0};
    if (blob) {
        message->blob = blob;
        message->data = dt_blob_data (blob);
        message->bytes = dt_blob_bytes (blob);
    }
    // Bounded by the windows of those who send, and by what they send of those who answer.
    actor_answer (self->actor, self->peers, &message->message);
}

// --- removing old ones ---------------------------------------------------------------------------

static int s_prune_once (raft_snapshots_t *self)
{
    snapshot_info_t infos[LISTED_MAX];
    int count = snapshot_store_list (self->store, infos, LISTED_MAX);
    if (count < 0) {
        return count;
    }
    // What was received and not installed yet is newer than what the group stands on.
    unsigned needed = 0;
    while (needed < (unsigned) count && needed < LISTED_MAX && infos[needed].index >= self->base) {
        needed++;
    }
    if (needed == LISTED_MAX) {
        return 0; // how many more are needed is not known
    }
    unsigned keep = self->options.keep;
    return snapshot_store_prune (self->store, needed > keep ? needed : keep, NULL);
}

void raft_snapshots_see_error (raft_snapshots_t *self, int rc)
{
    if (rc == DT_ERR_DISK_FAILED && !self->disk_failed) {
        self->disk_failed = true;
        actor_answer (self->actor, self->group, raft_snapshots_message_new (SNAPSHOT_DISK_FAILED));
    }
}

int raft_snapshots_prune (raft_snapshots_t *self)
{
    self->prune_again = true;
    int rc = 0;
    // One at a time: a second one would remove what the first one is removing.
    while (rc == 0 && self->prune_again && !self->pruning) {
        self->prune_again = false;
        self->pruning = true;
        rc = s_prune_once (self);
        self->pruning = false;
    }
    return rc;
}

// --- the fibers ----------------------------------------------------------------------------------

void raft_snapshots_fiber_start (raft_snapshots_t *self, const char *name, fiber_fn *fn,
                                 void *argument)
{
    fiber_options_t options = {.budget = FIBER_BUDGET};
    fiber_t *fiber = fiber_start (actor_group (self->actor), name, fn, argument, &options);
    dt_assert (fiber);
    self->fibers++;
}

void raft_snapshots_fiber_ended (raft_snapshots_t *self)
{
    self->fibers--;
    fiber_condition_signal (self->ended);
}

// Messages of other nodes: which kinds there are is up to them.
static void s_on_peer_message (raft_snapshots_t *self, peer_message_t *message)
{
    actor_message_t *whole = &message->message;
    if (message->kind == RAFT_MESSAGE_SNAPSHOT_CHUNK && self->peers && self->store) {
        raft_snapshot_receiver_take (self->receiver, message);
        return;
    }
    if (message->kind == RAFT_MESSAGE_SNAPSHOT_REPLY) {
        raft_snapshot_send_on_reply (self, message);
    }
    actor_message_free (&whole);
}

static void s_handle (raft_snapshots_t *self, actor_message_t *message)
{
    switch (message->type) {
    case SNAPSHOT_LOAD:
    case MACHINE_RESTORED:
    case MACHINE_SNAPSHOT_BEGUN:
    case MACHINE_SNAPSHOT_CHUNK:
        raft_snapshot_disk_take (self->disk, message);
        return;
    case PEER_MESSAGE:
        s_on_peer_message (self, (peer_message_t *) message);
        return;
    case SNAPSHOT_SEND:
        raft_snapshot_send_begin (self, (snapshot_send_t *) message);
        break;
    case SNAPSHOT_CANCEL:
        raft_snapshot_send_cancel (self, ((snapshot_cancel_t *) message)->node_id);
        break;
    default:
        dt_unreachable ();
    }
    actor_message_free (&message);
}

static void s_run (void *argument)
{
    raft_snapshots_t *self = argument;
    raft_snapshots_fiber_start (self, "disk", raft_snapshot_disk_run, self->disk);
    raft_snapshots_fiber_start (self, "receive", raft_snapshot_receiver_run, self->receiver);
    for (;;) {
        actor_message_t *message;
        int rc = actor_receive (self->actor, &message, FIBER_FOREVER);
        if (rc == DT_ERR_CLOSED) {
            break;
        }
        if (rc == 0) {
            s_handle (self, message);
        }
    }
    raft_snapshot_send_cancel (self, 0);
    raft_snapshot_receiver_stop (self->receiver);
    raft_snapshot_disk_stop (self->disk);
    while (self->fibers > 0) {
        (void) fiber_condition_wait (self->ended, FIBER_FOREVER);
    }
    snapshot_store_close (&self->store);
}

// --- the object ----------------------------------------------------------------------------------

static void s_set_default (uint32_t *option, uint32_t value)
{
    *option = *option ? *option : value;
}

static void s_set_options (raft_snapshots_t *self, const raft_snapshots_options_t *options)
{
    self->options = *options;
    self->options.name = NULL;
    self->options.keep = options->keep ? options->keep : KEEP_DEFAULT;
    s_set_default (&self->options.piece_bytes, SNAPSHOT_PIECE_BYTES_MAX);
    s_set_default (&self->options.window_bytes, WINDOW_BYTES_DEFAULT);
    s_set_default (&self->options.resend_ms, RESEND_MS_DEFAULT);
    s_set_default (&self->options.resend_max, RESEND_MAX_DEFAULT);
    s_set_default (&self->options.idle_ms, IDLE_MS_DEFAULT);
    dt_assert (self->options.piece_bytes <= SNAPSHOT_PIECE_BYTES_MAX);
    dt_assert (self->options.piece_bytes <= self->options.window_bytes);
    self->directory = dt_strdup (options->directory);
    self->options.directory = self->directory;
}

raft_snapshots_t *raft_snapshots_new (actor_host_t *host, const raft_snapshots_options_t *options)
{
    raft_snapshots_t *self = dt_zalloc (1, sizeof *self);
    self->env = actor_host_env (host);
    s_set_options (self, options);
    self->ended = fiber_condition_new ("ended");
    self->disk = raft_snapshot_disk_new (self);
    self->receiver = raft_snapshot_receiver_new (self);
    self->actor = actor_new (host, &(actor_options_t){
                                       .name = options->name,
                                       .run = s_run,
                                       .argument = self,
                                   });
    return self;
}

void raft_snapshots_connect (raft_snapshots_t *self, actor_t *group, actor_t *machine,
                             actor_t *peers)
{
    self->group = group;
    self->machine = machine;
    self->peers = peers;
}

void raft_snapshots_destroy (raft_snapshots_t **self_p)
{
    raft_snapshots_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    raft_snapshot_disk_destroy (&self->disk);
    raft_snapshot_receiver_destroy (&self->receiver);
    fiber_condition_destroy (&self->ended);
    free (self->directory);
    free (self);
}

actor_t *raft_snapshots_actor (raft_snapshots_t *self)
{
    return self->actor;
}
