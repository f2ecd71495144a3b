#include "raft/raft_group_actor.h"

#include <stdlib.h>

#include "actors/actor_host.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/raft_group_internal.h"

enum {
    MAILBOX_MAX = 4096,     // batches of requests, and messages of other nodes
    EVENTS_PER_ROUND = 256, // before effects are carried out
};

void raft_group_step (raft_group_t *self, raft_event_t *event)
{
    event->now_ns = self->env->now_ns (self->env);
    event->wall_ms = (uint64_t) self->env->wall_ms (self->env);
    raft_core_step (self->core, event, &self->effects);
}

// --- requests ------------------------------------------------------------------------------------

static void s_propose (raft_group_t *self, net_requests_t *requests)
{
    log_batch_t *batch = log_batch_new (requests->count);
    batch->count = requests->count;
    batch->blob = dt_blob_ref (requests->blob);
    batch->origin = requests;
    batch->origin_free = net_requests_free;
    for (uint32_t i = 0; i < requests->count; i++) {
        const net_request_t *request = &requests->items[i];
        batch->entries[i] = (log_entry_t){
            .principal = request->principal,
            .session_id = request->session_id,
            .session_seq = request->session_seq,
            .session_ack = request->session_ack,
            .payload = request->body,
            .payload_bytes = request->body_bytes,
            .operation = request->operation,
            .type = LOG_ENTRY_COMMAND,
        };
    }
    raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_PROPOSE, .propose.batch = batch});
}

static void s_on_requests (raft_group_t *self, net_requests_t *requests)
{
    if (!self->core) {
        raft_group_refuse_all (self, requests, DT_ERR_NOT_READY,
                               "the group is recovering; try again soon");
    } else if (requests->message.type == NET_WRITE) {
        s_propose (self, requests);
    } else if (requests->message.type == NET_READ) {
        raft_group_step (self, &(raft_event_t){
                                   .kind = RAFT_EVENT_READ,
                                   .read = {.request = requests,
                                            .mode = (raft_read_mode_t) requests->read_mode,
                                            .min_index = requests->min_index,
                                            .deadline_ns = requests->deadline_ns,
                                            .age_ms_max = requests->age_ms_max},
                               });
    } else {
        raft_group_on_admin (self, requests);
    }
}

// --- what the disk and the machine say -----------------------------------------------------------

static void s_on_snapshot_saved (raft_group_t *self, const snapshot_saved_t *saved)
{
    if (saved->rc == 0) {
        raft_group_step (self, &(raft_event_t){
                                   .kind = RAFT_EVENT_SNAPSHOT_SAVED,
                                   .snapshot_saved = {saved->index, saved->term, saved->bytes},
                               });
    } else {
        raft_group_step (
            self, &(raft_event_t){.kind = RAFT_EVENT_SNAPSHOT_FAILED, .failed.rc = saved->rc});
    }
}

static void s_on_appended (raft_group_t *self, const log_writer_appended_t *appended)
{
    raft_group_step (self, &(raft_event_t){
                               .kind = RAFT_EVENT_APPENDED,
                               .appended = {appended->index, appended->term, appended->cuts},
                           });
}

static void s_on_persisted (raft_group_t *self, const log_writer_persist_t *persisted)
{
    raft_group_step (self, &(raft_event_t){
                               .kind = RAFT_EVENT_HARD_STATE_DURABLE,
                               .hard_state = {persisted->value.term, persisted->value.vote},
                           });
}

static void s_on_applied (raft_group_t *self, const machine_applied_t *applied)
{
    if (self->install_index > 0) {
        return; // of the state that is being replaced
    }
    self->applied = applied->index;
    uint64_t due_ms = applied->due_ms == UINT64_MAX ? 0 : applied->due_ms;
    raft_group_step (self, &(raft_event_t){
                               .kind = RAFT_EVENT_APPLIED,
                               .applied = {applied->index, due_ms},
                           });
    raft_group_replay_more (self);
}

static void s_on_log_failed (raft_group_t *self, int rc)
{
    self->log_failed = true;
    raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_DISK_FAILED, .failed.rc = rc});
    raft_group_lose_replay (self);
    raft_group_lose_install (self);
}

static void s_on_read_done (raft_group_t *self, log_writer_read_done_t *done)
{
    if (done->cookie == RAFT_GROUP_COOKIE_REPLAY) {
        raft_group_on_replay_read (self, done);
    } else {
        raft_group_on_fetched (self, done);
    }
}

// --- the fiber -----------------------------------------------------------------------------------

// Messages that go on as they are; true: the message is gone.
static bool s_forward (raft_group_t *self, actor_message_t *message)
{
    switch (message->type) {
    case NET_WRITE:
    case NET_READ:
    case NET_ADMIN:
        s_on_requests (self, (net_requests_t *) message);
        return true;
    case PEER_MESSAGE:
        raft_group_on_peer (self, (peer_message_t *) message);
        return true;
    case SNAPSHOT_LOADED:
        if (!self->core) {
            raft_group_on_loaded (self, (snapshot_loaded_t *) message);
            return self->loaded != NULL;
        }
        raft_group_on_install_loaded (self, (snapshot_loaded_t *) message);
        return false;
    default:
        return false;
    }
}

static void s_handle (raft_group_t *self, actor_message_t *message)
{
    if (s_forward (self, message)) {
        return;
    }
    switch (message->type) {
    case SNAPSHOT_LOADED:
        break;
    case LOG_WRITER_OPENED:
        raft_group_on_opened (self, (log_writer_opened_t *) message);
        break;
    case LOG_WRITER_APPENDED:
        s_on_appended (self, (log_writer_appended_t *) message);
        break;
    case LOG_WRITER_PERSISTED:
        s_on_persisted (self, (log_writer_persist_t *) message);
        break;
    case LOG_WRITER_READ_DONE:
        s_on_read_done (self, (log_writer_read_done_t *) message);
        break;
    case LOG_WRITER_RESET_DONE:
        raft_group_on_reset (self);
        break;
    case LOG_WRITER_FULL:
        raft_group_step (self, &(raft_event_t){
                                   .kind = RAFT_EVENT_DISK_FULL,
                                   .disk_full.on = ((log_writer_full_t *) message)->on,
                               });
        break;
    case LOG_WRITER_STALLED:
        raft_group_step (self, &(raft_event_t){
                                   .kind = RAFT_EVENT_DISK_STALLED,
                                   .disk_stalled.on = ((log_writer_stalled_t *) message)->on,
                               });
        break;
    case LOG_WRITER_FAILED:
        s_on_log_failed (self, ((log_writer_failed_t *) message)->rc);
        break;
    case MACHINE_APPLIED:
        s_on_applied (self, (machine_applied_t *) message);
        break;
    case SNAPSHOT_SAVED:
        s_on_snapshot_saved (self, (snapshot_saved_t *) message);
        break;
    case SNAPSHOT_SENT:
        raft_group_on_snapshot_sent (self, (snapshot_sent_t *) message);
        break;
    case SNAPSHOT_DISK_FAILED:
        raft_group_step (
            self, &(raft_event_t){.kind = RAFT_EVENT_DISK_FAILED, .failed.rc = DT_ERR_DISK_FAILED});
        break;
    case SNAPSHOT_RECEIVED:
        raft_group_on_snapshot_received (self, (snapshot_received_t *) message);
        break;
    case PEER_REACHED:
        raft_group_on_reached (self, (peer_reached_t *) message);
        break;
    default:
        dt_unreachable ();
    }
    actor_message_free (&message);
}

static void s_on_idle (raft_group_t *self, int rc)
{
    if (rc == DT_ERR_CLOSED && self->core) {
        raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_STOP});
    } else if (rc == DT_ERR_CLOSED) {
        self->drained = true;
    } else if (rc == DT_ERR_TIMEOUT && self->core) {
        raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_TICK});
    }
}

// A steady stream of mail must not keep the core from its deadlines.
static void s_tick_if_due (raft_group_t *self)
{
    if (self->core && self->env->now_ns (self->env) >= self->effects.next_deadline_ns) {
        raft_group_step (self, &(raft_event_t){.kind = RAFT_EVENT_TICK});
    }
}

static void s_run (void *argument)
{
    raft_group_t *self = argument;
    raft_group_recover (self);
    while (!self->drained && !self->lost) {
        int64_t deadline_ns = self->core ? self->effects.next_deadline_ns : FIBER_FOREVER;
        actor_message_t *message;
        int rc = actor_receive (self->actor, &message, deadline_ns);
        if (rc != 0) {
            s_on_idle (self, rc);
        }
        for (int left = EVENTS_PER_ROUND; rc == 0; left--) {
            s_handle (self, message);
            rc = left > 1 ? actor_try_receive (self->actor, &message) : DT_ERR_AGAIN;
        }
        s_tick_if_due (self);
        raft_group_carry_out (self);
    }
    atomic_store (&self->ready, false);
    atomic_store (&self->settled, false);
    atomic_store (&self->ended, true);
}

raft_group_t *raft_group_new (actor_host_t *host, const raft_group_options_t *options)
{
    raft_group_t *self = dt_zalloc (1, sizeof *self);
    self->env = actor_host_env (host);
    self->options = *options;
    self->held_tail = &self->held;
    self->replay_next = 1;
    raft_effects_init (&self->effects);
    self->actor = actor_new (host, &(actor_options_t){
                                       .name = options->name,
                                       .mailbox_max = MAILBOX_MAX,
                                       .run = s_run,
                                       .argument = self,
                                   });
    return self;
}

void raft_group_connect (raft_group_t *self, actor_t *log_writer, actor_t *machine,
                         actor_t *snapshot, actor_t *net, actor_t *peers)
{
    self->log_writer = log_writer;
    self->machine = machine;
    self->snapshot = snapshot;
    self->net = net;
    self->peers = peers;
}

void raft_group_destroy (raft_group_t **self_p)
{
    raft_group_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    while (self->held) {
        actor_message_t *message = self->held;
        self->held = message->next;
        actor_message_free (&message);
    }
    if (self->loaded) {
        actor_message_t *message = &self->loaded->message;
        actor_message_free (&message);
    }
    raft_core_destroy (&self->core);
    raft_effects_deinit (&self->effects);
    raft_wire_cache_deinit (&self->wire);
    free (self->config);
    free (self->config_before);
    free (self);
}

actor_t *raft_group_actor (raft_group_t *self)
{
    return self->actor;
}

const raft_core_t *raft_group_core (const raft_group_t *self)
{
    return self->core;
}

bool raft_group_ready (const raft_group_t *self)
{
    return atomic_load (&self->ready);
}

bool raft_group_settled (const raft_group_t *self)
{
    return atomic_load (&self->settled);
}

bool raft_group_ended (const raft_group_t *self)
{
    return atomic_load (&self->ended);
}
