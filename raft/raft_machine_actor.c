#include "raft/raft_machine_actor.h"

#include <stdlib.h>

#include "actors/actor_host.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "transport/msgpack_writer.h"

enum {
    REPLIES_BYTES = 512 * 1024,       // replies are sent once they are more
    SNAPSHOT_CHUNK_BYTES = 64 * 1024, // one step of a snapshot: what a write may have to wait for
};

struct raft_machine_host {
    actor_t *actor;                   // owned by its host
    const dt_env_t *env;              // borrowed
    raft_machine_t *machine;          // owned
    actor_t *group, *snapshot, *net;  // whom it talks to
    raft_machine_snapshot_t *reading; // the snapshot being read; NULL: none
    net_replies_t *replies;           // not sent yet; NULL: none
    uint64_t applied;                 // last entry applied
    uint64_t applied_told;            // the group knows
    int64_t push_at_ns;               // when streams want to be looked at
    bool push_more;                   // now
    bool ending;                      // streams are to end
    dt_buffer_t body;                 // reused: body of one reply
};

static size_t s_message_bytes (uint16_t type)
{
    switch (type) {
    case MACHINE_APPLY:
        return sizeof (machine_apply_t);
    case MACHINE_STATUS:
        return sizeof (machine_status_t);
    case MACHINE_SNAPSHOT:
    case MACHINE_SNAPSHOT_BEGUN:
        return sizeof (machine_snapshot_t);
    case MACHINE_SNAPSHOT_NEXT:
    case MACHINE_SNAPSHOT_END:
        return sizeof (actor_message_t);
    case MACHINE_RESTORE:
        return sizeof (machine_restore_t);
    case MACHINE_APPLIED:
        return sizeof (machine_applied_t);
    case MACHINE_SNAPSHOT_CHUNK:
        return sizeof (machine_chunk_t);
    case MACHINE_RESTORED:
        return sizeof (machine_restored_t);
    default:
        dt_unreachable ();
    }
}

static void s_message_free (actor_message_t *message)
{
    switch (message->type) {
    case MACHINE_APPLY:
        log_batch_unref (&((machine_apply_t *) message)->batch);
        break;
    case MACHINE_STATUS:
        if (((machine_status_t *) message)->requests) {
            net_requests_free (((machine_status_t *) message)->requests);
        }
        dt_buffer_deinit (&((machine_status_t *) message)->pairs);
        break;
    case MACHINE_SNAPSHOT_CHUNK:
        dt_buffer_deinit (&((machine_chunk_t *) message)->bytes);
        break;
    case MACHINE_RESTORE:
        dt_buffer_deinit (&((machine_restore_t *) message)->bytes);
        break;
    default:
        break;
    }
    free (message);
}

void *raft_machine_message_new (uint16_t type)
{
    actor_message_t *message = dt_zalloc (1, s_message_bytes (type));
    message->type = type;
    message->free_fn = s_message_free;
    return message;
}

// --- replies -------------------------------------------------------------------------------------

static void s_reply (raft_machine_host_t *self, const net_requests_t *requests, uint32_t at,
                     int code, uint64_t index)
{
    if (!self->replies) {
        self->replies = net_replies_new ();
    }
    bool want_digest = requests->items[at].want_digest;
    net_replies_add (self->replies, requests, at,
                     &(net_answer_t){
                         .code = code,
                         .index = index,
                         .body = self->body.data,
                         .body_bytes = self->body.bytes,
                         .has_digest = want_digest,
                         .digest = want_digest ? self->machine->ops->digest (self->machine) : 0,
                     });
}

static void s_send_replies (raft_machine_host_t *self)
{
    if (!self->replies) {
        return;
    }
    actor_message_t *message = &self->replies->message;
    self->replies = NULL;
    if (self->net) {
        actor_answer (self->actor, self->net, message);
    } else {
        actor_message_free (&message);
    }
}

static void s_tell_applied (raft_machine_host_t *self)
{
    if (self->applied == self->applied_told) {
        return;
    }
    self->applied_told = self->applied;
    machine_applied_t *applied = raft_machine_message_new (MACHINE_APPLIED);
    applied->index = self->applied;
    applied->due_ms = self->machine->ops->due_ms (self->machine);
    actor_answer (self->actor, self->group, &applied->message);
}

// Replies can be far larger than requests: hand over what there is before it is more than a few
// frames, and let the net actor send it.
static void s_bound_replies (raft_machine_host_t *self)
{
    if (self->replies && self->replies->bytes > REPLIES_BYTES) {
        s_send_replies (self);
        fiber_yield ();
    }
}

// --- streams -------------------------------------------------------------------------------------

// How a client is named to the machine: its route, and whether it sends a delimiter.
typedef struct {
    size_t bytes;
    uint8_t data[TRANSPORT_ROUTE_BYTES_MAX + 1];
} s_client_name_t;

static void s_name_client (s_client_name_t *name, const net_client_t *client)
{
    memcpy (name->data, client->route.data, client->route.bytes);
    name->data[client->route.bytes] = client->delimiter;
    name->bytes = (size_t) client->route.bytes + 1;
}

static void s_send_of_stream (void *context, const uint8_t *name, size_t name_bytes,
                              uint64_t request_id, int code, uint64_t index, const uint8_t *body,
                              size_t bytes)
{
    raft_machine_host_t *self = context;
    dt_assert (name_bytes > 0);
    net_client_t client = {.delimiter = name[name_bytes - 1]};
    client.route.bytes = (uint8_t) (name_bytes - 1);
    memcpy (client.route.data, name, name_bytes - 1);
    if (!self->replies) {
        self->replies = net_replies_new ();
    }
    // Not counted as a reply: the request was answered when the stream was opened.
    dt_buffer_t *frame = net_replies_frame (self->replies, &client);
    size_t before = frame->bytes;
    protocol_reply_write_plain (frame, request_id, (uint32_t) (code < 0 ? -code : code), index,
                                body, bytes);
    self->replies->bytes += frame->bytes - before;
}

static uint64_t s_now_ms (const raft_machine_host_t *self)
{
    return (uint64_t) (self->env->now_ns (self->env) / 1000000);
}

static int s_stream_request (raft_machine_host_t *self, const net_requests_t *requests,
                             const net_request_t *request)
{
    s_client_name_t name;
    s_name_client (&name, &requests->clients[request->client]);
    return self->machine->ops->stream_request (self->machine, name.data, name.bytes, request->id,
                                               request->operation, request->body,
                                               request->body_bytes, s_now_ms (self), &self->body);
}

// Behind the replies, which are on their way already.
static void s_push (raft_machine_host_t *self)
{
    uint64_t deadline_ms = UINT64_MAX;
    if (self->machine->ops->stream_push) {
        self->push_more = self->machine->ops->stream_push (self->machine, s_now_ms (self),
                                                           s_send_of_stream, self, &deadline_ms);
        s_send_replies (self);
    }
    self->push_at_ns =
        deadline_ms == UINT64_MAX ? FIBER_FOREVER : (int64_t) deadline_ms * INT64_C (1000000);
}

static void s_end_streams (raft_machine_host_t *self)
{
    if (self->machine->ops->stream_end) {
        self->machine->ops->stream_end (self->machine, DT_ERR_STOPPING, s_send_of_stream, self);
        s_send_replies (self);
    }
}

// --- entries and reads ---------------------------------------------------------------------------

static void s_apply (raft_machine_host_t *self, const machine_apply_t *apply)
{
    const net_requests_t *requests = apply->silent ? NULL : apply->batch->origin;
    for (uint64_t i = apply->first; i <= apply->last; i++) {
        const log_entry_t *entry = log_batch_entry (apply->batch, i);
        uint64_t index = entry->index;
        dt_buffer_clear (&self->body);
        int code = self->machine->ops->apply (self->machine, entry, &self->body, &index);
        if (requests) {
            s_reply (self, requests, (uint32_t) (entry - apply->batch->entries), code, index);
            s_bound_replies (self);
        }
    }
    self->applied = apply->last;
}

static void s_read (raft_machine_host_t *self, const net_requests_t *requests)
{
    const raft_machine_ops_t *ops = self->machine->ops;
    uint64_t index = ops->applied (self->machine);
    for (uint32_t i = 0; i < requests->count; i++) {
        const net_request_t *request = &requests->items[i];
        dt_buffer_clear (&self->body);
        int code = ops->is_stream && ops->is_stream (self->machine, request->operation)
                       ? s_stream_request (self, requests, request)
                       : ops->read (self->machine, request->operation, request->body,
                                    request->body_bytes, &self->body);
        s_reply (self, requests, i, code, index);
        s_bound_replies (self);
    }
}

static void s_status (raft_machine_host_t *self, const machine_status_t *status)
{
    dt_buffer_t pairs = {0};
    uint32_t count = status->count + self->machine->ops->status (self->machine, &pairs);
    dt_buffer_clear (&self->body);
    msgpack_write_map (&self->body, count);
    dt_buffer_append (&self->body, status->pairs.data, status->pairs.bytes);
    dt_buffer_append (&self->body, pairs.data, pairs.bytes);
    dt_buffer_deinit (&pairs);
    s_reply (self, status->requests, 0, 0, status->index);
}

// --- snapshots -----------------------------------------------------------------------------------

static void s_snapshot_begin (raft_machine_host_t *self, machine_snapshot_t *snapshot)
{
    dt_assert (!self->reading);
    dt_assert (self->machine->ops->applied (self->machine) == snapshot->meta.index);
    self->reading = self->machine->ops->snapshot_begin (self->machine);
    snapshot->digest = self->machine->ops->digest (self->machine);
    snapshot->message.type = MACHINE_SNAPSHOT_BEGUN;
    actor_answer (self->actor, self->snapshot, &snapshot->message);
}

static void s_snapshot_next (raft_machine_host_t *self)
{
    dt_assert (self->reading);
    machine_chunk_t *chunk = raft_machine_message_new (MACHINE_SNAPSHOT_CHUNK);
    self->machine->ops->snapshot_next (self->reading, SNAPSHOT_CHUNK_BYTES, &chunk->bytes,
                                       &chunk->done);
    actor_answer (self->actor, self->snapshot, &chunk->message);
}

static void s_restore (raft_machine_host_t *self, const machine_restore_t *restore)
{
    const raft_machine_ops_t *ops = self->machine->ops;
    machine_restored_t *restored = raft_machine_message_new (MACHINE_RESTORED);
    if (restore->first) {
        restored->rc = ops->restore_begin (self->machine);
    }
    if (restored->rc == 0) {
        restored->rc = ops->restore_feed (self->machine, restore->bytes.data, restore->bytes.bytes);
    }
    if (restored->rc == 0 && restore->last) {
        restored->rc = ops->restore_finish (self->machine);
    }
    if (restored->rc == 0 && restore->last) {
        restored->digest = ops->digest (self->machine);
        self->applied = ops->applied (self->machine);
        self->applied_told = self->applied;
    }
    actor_answer (self->actor, self->snapshot, &restored->message);
}

// --- the fiber -----------------------------------------------------------------------------------

static void s_handle (raft_machine_host_t *self, actor_message_t *message)
{
    switch (message->type) {
    case MACHINE_APPLY:
        s_apply (self, (machine_apply_t *) message);
        break;
    case NET_READ:
        s_read (self, (net_requests_t *) message);
        break;
    case MACHINE_STATUS:
        s_status (self, (machine_status_t *) message);
        break;
    case MACHINE_SNAPSHOT:
        s_snapshot_begin (self, (machine_snapshot_t *) message);
        return;
    case MACHINE_SNAPSHOT_NEXT:
        s_snapshot_next (self);
        break;
    case MACHINE_SNAPSHOT_END:
        self->machine->ops->snapshot_end (&self->reading);
        break;
    case MACHINE_RESTORE:
        s_restore (self, (machine_restore_t *) message);
        break;
    default:
        dt_unreachable ();
    }
    actor_message_free (&message);
}

static void s_run (void *argument)
{
    raft_machine_host_t *self = argument;
    for (;;) {
        actor_message_t *message;
        int rc;
        if (self->push_more) {
            fiber_yield ();
            rc = actor_receive (self->actor, &message, 0);
        } else {
            rc = actor_receive (self->actor, &message, self->push_at_ns);
        }
        if (rc == DT_ERR_CLOSED) {
            break;
        }
        while (rc == 0) {
            s_handle (self, message);
            rc = actor_try_receive (self->actor, &message);
        }
        s_send_replies (self);
        s_tell_applied (self);
        if (self->ending) {
            s_end_streams (self);
        }
        s_push (self);
    }
    s_end_streams (self);
}

raft_machine_host_t *raft_machine_host_new (actor_host_t *host,
                                            const raft_machine_host_options_t *options)
{
    raft_machine_host_t *self = dt_zalloc (1, sizeof *self);
    self->env = actor_host_env (host);
    self->machine = options->machine;
    self->push_at_ns = FIBER_FOREVER;
    self->actor = actor_new (host, &(actor_options_t){
                                       .name = options->name,
                                       .run = s_run,
                                       .argument = self,
                                   });
    return self;
}

void raft_machine_host_connect (raft_machine_host_t *self, actor_t *group, actor_t *snapshot,
                                actor_t *net)
{
    self->group = group;
    self->snapshot = snapshot;
    self->net = net;
}

void raft_machine_host_destroy (raft_machine_host_t **self_p)
{
    raft_machine_host_t *self = *self_p;
    *self_p = NULL;
    if (self) {
        if (self->reading) {
            self->machine->ops->snapshot_end (&self->reading);
        }
        self->machine->ops->destroy (self->machine);
        dt_buffer_deinit (&self->body);
        free (self);
    }
}

static void s_set_ending (void *argument)
{
    raft_machine_host_t *self = argument;
    self->ending = true;
    actor_wake (self->actor);
}

void raft_machine_host_end_streams (raft_machine_host_t *self)
{
    // If it is not taken any more, the actor has ended, and its streams with it.
    (void) fiber_group_post (actor_group (self->actor), s_set_ending, self);
}

actor_t *raft_machine_host_actor (raft_machine_host_t *self)
{
    return self->actor;
}

raft_machine_t *raft_machine_host_machine (raft_machine_host_t *self)
{
    return self->machine;
}
