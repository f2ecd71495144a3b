#include "raft/raft_group_actor.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "actors/actor_host.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "raft/raft_machine_actor.h"
#include "raft/raft_snapshot_actor.h"
#include "storage/log_writer_actor.h"
#include "transport/protocol.h"
#include "transport/protocol_hello.h"

enum {
    MAILBOX_MAX = 1024,         // batches of requests
    EVENTS_PER_ROUND = 256,     // before effects are carried out
    REPLAY_BYTES = 1024 * 1024, // one read of the log during replay
    REPLAY_AHEAD = 64 * 1024,   // entries read and not yet applied during replay
};

struct raft_group {
    actor_t *actor;                                 // owned by its host
    const dt_env_t *env;                            // borrowed
    raft_group_options_t options;                   // name is not kept
    actor_t *log_writer, *machine, *snapshot, *net; // whom it talks to
    raft_core_t *core;                              // NULL until recovery is done
    raft_effects_t effects;                         // reused
    snapshot_loaded_t *loaded;                      // what the snapshot actor found, until START
    bool drained;                                   // the core has nothing in flight any more
    atomic_bool ended;                              // the main fiber has left its loop
    atomic_bool ready;                              // requests are taken
    // Replay: entries the core wants applied but that are only on disk. What must reach the machine
    // after them waits in `held`.
    uint64_t replay_next, replay_last; // still to be read; next > last: no replay
    uint64_t applied;                  // the machine reported
    bool replay_reading;               // a read is on its way
    bool replay_lost;                  // the log failed before it was over: it never will be
    actor_message_t *held;             // oldest first
    actor_message_t **held_tail;       // where the next one goes
};

// --- to the machine ------------------------------------------------------------------------------

static bool s_replaying (const raft_group_t *self)
{
    return self->replay_next <= self->replay_last;
}

static void s_refuse (raft_group_t *self, const net_requests_t *requests, uint32_t from, int rc,
                      const char *text);

// What should have reached the machine behind a replay never will: answer its clients.
static void s_refuse_held (raft_group_t *self, actor_message_t *message)
{
    if (message->type == NET_READ) {
        s_refuse (self, (net_requests_t *) message, 0, DT_ERR_DISK_FAILED, NULL);
    } else if (message->type == MACHINE_STATUS) {
        s_refuse (self, ((machine_status_t *) message)->requests, 0, DT_ERR_DISK_FAILED, NULL);
    } else if (message->type == MACHINE_APPLY) {
        const machine_apply_t *apply = (const machine_apply_t *) message;
        if (apply->batch->origin) {
            uint32_t from = (uint32_t) (apply->first - log_batch_first (apply->batch));
            s_refuse (self, apply->batch->origin, from, DT_ERR_DISK_FAILED, NULL);
        }
    }
    actor_message_free (&message);
}

// Send to the machine, behind a replay that is going on.
static void s_to_machine (raft_group_t *self, actor_message_t *message)
{
    if (!s_replaying (self)) {
        actor_answer (self->actor, self->machine, message);
        return;
    }
    if (self->replay_lost) {
        s_refuse_held (self, message);
        return;
    }
    message->next = NULL;
    *self->held_tail = message;
    self->held_tail = &message->next;
}

static void s_apply_batch (raft_group_t *self, log_batch_t *batch, uint64_t first, uint64_t last,
                           bool replay)
{
    machine_apply_t *apply = raft_machine_message_new (MACHINE_APPLY);
    apply->batch = batch;
    apply->first = first;
    apply->last = last;
    if (replay) {
        actor_answer (self->actor, self->machine, &apply->message);
    } else {
        s_to_machine (self, &apply->message);
    }
}

static void s_replay_more (raft_group_t *self)
{
    if (!s_replaying (self) || self->replay_reading ||
        self->replay_next > self->applied + REPLAY_AHEAD) {
        return;
    }
    self->replay_reading = true;
    log_writer_read_t *read = log_writer_message_new (LOG_WRITER_READ);
    read->first = self->replay_next;
    read->last = self->replay_last;
    read->bytes_max = REPLAY_BYTES;
    actor_answer (self->actor, self->log_writer, &read->message);
}

static void s_release_held (raft_group_t *self)
{
    while (self->held) {
        actor_message_t *message = self->held;
        self->held = message->next;
        actor_answer (self->actor, self->machine, message);
    }
    self->held_tail = &self->held;
    if (self->replay_lost) {
        // What is committed behind the replay can never be answered here: the process has to end.
        fiber_fatal (DT_ERR_DISK_FAILED, "the log failed while it was replayed");
    }
}

// The log failed: what it did not deliver for a replay will never come.
static void s_lose_replay (raft_group_t *self)
{
    self->replay_lost = s_replaying (self);
    while (self->replay_lost && self->held) {
        actor_message_t *message = self->held;
        self->held = message->next;
        s_refuse_held (self, message);
    }
    self->held_tail = &self->held;
    if (self->replay_lost) {
        // What is committed behind the replay can never be answered here: the process has to end.
        fiber_fatal (DT_ERR_DISK_FAILED, "the log failed while it was replayed");
    }
}

static void s_on_replay_read (raft_group_t *self, log_writer_read_done_t *done)
{
    dt_assert (log_batch_first (done->batch) == self->replay_next);
    uint64_t last = log_batch_last (done->batch);
    self->replay_reading = false;
    s_apply_batch (self, done->batch, self->replay_next, last, true);
    done->batch = NULL;
    self->replay_next = last + 1;
    if (s_replaying (self)) {
        s_replay_more (self);
    } else {
        s_release_held (self);
    }
}

// --- replies -------------------------------------------------------------------------------------

static void s_send_replies (raft_group_t *self, net_replies_t *replies)
{
    actor_message_t *message = &replies->message;
    if (self->net) {
        actor_answer (self->actor, self->net, message);
    } else {
        actor_message_free (&message);
    }
}

static void s_refuse_some (raft_group_t *self, const net_requests_t *requests, uint32_t from,
                           uint32_t to, int rc, const char *text)
{
    net_replies_t *replies = net_replies_new ();
    net_replies_refuse (replies, requests, from, to, rc, text);
    s_send_replies (self, replies);
}

static void s_refuse (raft_group_t *self, const net_requests_t *requests, uint32_t from, int rc,
                      const char *text)
{
    s_refuse_some (self, requests, from, requests->count, rc, text);
}

static void s_status (raft_group_t *self, net_requests_t *requests)
{
    raft_status_t status;
    raft_core_status (self->core, &status);
    machine_status_t *message = raft_machine_message_new (MACHINE_STATUS);
    message->requests = requests;
    message->index = status.applied;
    dt_buffer_t *pairs = &message->pairs;
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"node", self->options.node_id},
        {"group", self->options.group_id},
        {"term", status.hard_state.term},
        {"leader", status.leader},
        {"first_index", status.first},
        {"last_index", status.last},
        {"durable_index", status.durable},
        {"commit_index", status.commit},
        {"applied_index", status.applied},
        {"snapshot_index", status.snapshot},
        {"snapshot_bytes", status.snapshot_bytes},
        {"config_index", status.config_index},
        {"cluster_time_ms", status.cluster_time_ms},
        {"uncommitted_bytes", status.uncommitted_bytes},
        {"reads_waiting", status.reads_waiting},
    };
    protocol_status_add_text (pairs, "role", raft_role_name (status.role));
    protocol_status_add_bool (pairs, "ready", status.ready);
    protocol_status_add_bool (pairs, "disk_full", status.disk_full);
    protocol_status_add_text (pairs, "disk",
                              status.failed_rc ? dt_error_text (status.failed_rc) : "ok");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        protocol_status_add_uint (pairs, numbers[i].name, numbers[i].value);
    }
    message->count = 4 + sizeof numbers / sizeof *numbers;
    s_to_machine (self, &message->message);
}

static void s_answer_snapshot (raft_group_t *self, net_requests_t *requests, int rc, uint64_t index,
                               uint64_t bytes)
{
    dt_buffer_t body = {0};
    if (rc == 0) {
        msgpack_write_array (&body, 2);
        msgpack_write_uint (&body, index);
        msgpack_write_uint (&body, bytes);
    }
    net_replies_t *replies = net_replies_new ();
    net_replies_add (replies, requests, 0,
                     &(net_answer_t){
                         .code = rc,
                         .index = index,
                         .body = body.data,
                         .body_bytes = body.bytes,
                         .text = rc ? dt_error_text (rc) : NULL,
                     });
    s_send_replies (self, replies);
    dt_buffer_deinit (&body);
    net_requests_free (requests);
}

// --- effects -------------------------------------------------------------------------------------

static void s_persist (raft_group_t *self, const raft_effect_t *effect)
{
    log_writer_persist_t *persist = log_writer_message_new (LOG_WRITER_PERSIST);
    persist->value.term = effect->hard_state.term;
    persist->value.vote = effect->hard_state.vote;
    actor_answer (self->actor, self->log_writer, &persist->message);
}

static void s_append (raft_group_t *self, raft_effect_t *effect)
{
    log_writer_append_t *append = log_writer_message_new (LOG_WRITER_APPEND);
    append->batch = effect->append.batch;
    append->first = effect->append.first;
    append->last = effect->append.last;
    effect->append.batch = NULL;
    actor_answer (self->actor, self->log_writer, &append->message);
}

static void s_to_log (raft_group_t *self, uint16_t type, uint64_t index)
{
    log_writer_index_t *message = log_writer_message_new (type);
    message->index = index;
    actor_answer (self->actor, self->log_writer, &message->message);
}

static void s_apply (raft_group_t *self, raft_effect_t *effect)
{
    log_batch_t *batch = effect->apply.batch;
    effect->apply.batch = NULL;
    if (batch) {
        s_apply_batch (self, batch, effect->apply.first, effect->apply.last, false);
        return;
    }
    // Only a start replays, in ascending runs; a second run extends the first.
    dt_assert (!s_replaying (self) || effect->apply.first == self->replay_last + 1);
    dt_assert (!self->held);
    if (!s_replaying (self)) {
        self->replay_next = effect->apply.first;
    }
    self->replay_last = effect->apply.last;
    s_replay_more (self);
}

static void s_refuse_batch (raft_group_t *self, const raft_effect_t *effect)
{
    const net_requests_t *requests = effect->refuse.batch->origin;
    if (requests) {
        s_refuse_some (self, requests, effect->refuse.from, effect->refuse.to, effect->refuse.rc,
                       NULL);
    }
}

static void s_read (raft_group_t *self, const raft_effect_t *effect)
{
    net_requests_t *requests = effect->read.request;
    if (effect->read.rc == 0) {
        s_to_machine (self, &requests->message);
        return;
    }
    s_refuse (self, requests, 0, effect->read.rc, NULL);
    net_requests_free (requests);
}

static void s_snapshot (raft_group_t *self, const raft_effect_t *effect)
{
    machine_snapshot_t *snapshot = raft_machine_message_new (MACHINE_SNAPSHOT);
    snapshot->meta = (raft_snapshot_meta_t){
        .index = effect->snapshot.index,
        .term = effect->snapshot.term,
        .cluster_time_ms = effect->snapshot.cluster_time_ms,
        .config_index = effect->snapshot.config_index,
        .config = *effect->snapshot.config,
    };
    s_to_machine (self, &snapshot->message);
}

static void s_carry_out (raft_group_t *self, raft_effect_t *effect)
{
    switch (effect->kind) {
    case RAFT_EFFECT_PERSIST:
        s_persist (self, effect);
        break;
    case RAFT_EFFECT_TRUNCATE:
        s_to_log (self, LOG_WRITER_TRUNCATE, effect->truncate.from);
        break;
    case RAFT_EFFECT_APPEND:
        s_append (self, effect);
        break;
    case RAFT_EFFECT_APPLY:
        s_apply (self, effect);
        break;
    case RAFT_EFFECT_REFUSE:
        s_refuse_batch (self, effect);
        break;
    case RAFT_EFFECT_READ:
        s_read (self, effect);
        break;
    case RAFT_EFFECT_SNAPSHOT:
        s_snapshot (self, effect);
        break;
    case RAFT_EFFECT_SNAPSHOT_ANSWER:
        s_answer_snapshot (self, effect->snapshot_answer.request, effect->snapshot_answer.rc,
                           effect->snapshot_answer.index, effect->snapshot_answer.bytes);
        break;
    case RAFT_EFFECT_COMPACT:
        s_to_log (self, LOG_WRITER_COMPACT, effect->compact.index);
        break;
    case RAFT_EFFECT_STATUS:
        atomic_store (&self->ready, effect->status.ready);
        break;
    case RAFT_EFFECT_DRAINED:
        self->drained = true;
        break;
    case RAFT_EFFECT_CONFIG:
        break; // nobody to link with
    default: // SEND and its kin: a group of one voter has no peers
        dt_unreachable ();
    }
}

static void s_carry_out_all (raft_group_t *self)
{
    for (size_t i = 0; i < self->effects.count; i++) {
        s_carry_out (self, &self->effects.items[i]);
    }
    raft_effects_clear (&self->effects);
}

// --- events --------------------------------------------------------------------------------------

static void s_step (raft_group_t *self, raft_event_t *event)
{
    event->now_ns = self->env->now_ns (self->env);
    event->wall_ms = (uint64_t) self->env->wall_ms (self->env);
    raft_core_step (self->core, event, &self->effects);
}

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
    s_step (self, &(raft_event_t){.kind = RAFT_EVENT_PROPOSE, .propose.batch = batch});
}

static void s_on_requests (raft_group_t *self, net_requests_t *requests)
{
    if (!self->core) {
        s_refuse (self, requests, 0, DT_ERR_NOT_READY, "the group is recovering; try again soon");
        net_requests_free (requests);
    } else if (requests->message.type == NET_WRITE) {
        s_propose (self, requests);
    } else if (requests->message.type == NET_READ) {
        s_step (self, &(raft_event_t){
                          .kind = RAFT_EVENT_READ,
                          .read = {requests, (raft_read_mode_t) requests->read_mode,
                                   requests->min_index, requests->deadline_ns},
                      });
    } else if (requests->items[0].operation == PROTOCOL_STATUS) {
        s_status (self, requests);
    } else {
        s_step (self, &(raft_event_t){
                          .kind = RAFT_EVENT_SNAPSHOT_TAKE,
                          .snapshot_take.request = requests,
                      });
    }
}

static void s_on_snapshot_saved (raft_group_t *self, const snapshot_saved_t *saved)
{
    if (saved->rc == 0) {
        s_step (self, &(raft_event_t){
                          .kind = RAFT_EVENT_SNAPSHOT_SAVED,
                          .snapshot_saved = {saved->index, saved->term, saved->bytes},
                      });
    } else {
        s_step (self, &(raft_event_t){.kind = RAFT_EVENT_SNAPSHOT_FAILED, .failed.rc = saved->rc});
    }
}

// --- recovery ------------------------------------------------------------------------------------

static void s_trace (void *argument, dt_log_level_t level, const char *line)
{
    raft_group_t *self = argument;
    dt_log (self->env, level, actor_name (self->actor), "%s", line);
}

static void s_on_loaded (raft_group_t *self, snapshot_loaded_t *loaded)
{
    if (loaded->rc != 0) {
        fiber_fatal (loaded->rc, "the group's snapshots cannot be used");
        return;
    }
    self->loaded = loaded;
    log_writer_open_t *open = log_writer_message_new (LOG_WRITER_OPEN);
    open->owner = self->actor;
    open->is_new = self->options.is_new;
    open->snapshot_index = loaded->found ? loaded->meta.index : 0;
    open->snapshot_term = loaded->found ? loaded->meta.term : 0;
    actor_answer (self->actor, self->log_writer, &open->message);
}

static int s_decode_configs (const log_batch_t *batch, raft_config_at_t **configs, size_t *count)
{
    *count = batch ? batch->count : 0;
    *configs = dt_zalloc (*count, sizeof **configs);
    for (size_t i = 0; i < *count; i++) {
        const log_entry_t *entry = &batch->entries[i];
        (*configs)[i].index = entry->index;
        int rc = raft_config_decode (entry->payload, entry->payload_bytes, &(*configs)[i].config);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static void s_fill_recovered (raft_recovered_t *recovered, const snapshot_loaded_t *loaded,
                              const log_writer_opened_t *opened)
{
    *recovered = (raft_recovered_t){
        .hard_state = {opened->hard_state.term, opened->hard_state.vote},
        .log_first = opened->first,
        .log_last = opened->last,
        .log_last_term = opened->last_term,
        .log_last_cluster_time_ms = opened->last_cluster_time_ms,
    };
    if (loaded->found) {
        recovered->snapshot_index = loaded->meta.index;
        recovered->snapshot_term = loaded->meta.term;
        recovered->snapshot_cluster_time_ms = loaded->meta.cluster_time_ms;
        recovered->snapshot_bytes = loaded->bytes;
        recovered->snapshot_config_index = loaded->meta.config_index;
        recovered->snapshot_config = loaded->meta.config;
    }
}

static void s_start (raft_group_t *self, const log_writer_opened_t *opened)
{
    raft_core_options_t options = {
        .group_id = self->options.group_id,
        .node_id = self->options.node_id,
        .has_bootstrap = self->options.is_new,
        .bootstrap = self->options.bootstrap,
        .uncommitted_bytes_max = self->options.uncommitted_bytes_max,
        .unapplied_bytes_max = self->options.unapplied_bytes_max,
        .snapshot_after_bytes = self->options.snapshot_after_bytes,
        .snapshot_after_entries = self->options.snapshot_after_entries,
        .seed = self->env->entropy (self->env),
        .trace = s_trace,
        .trace_argument = self,
        .trace_level = self->env->log_level,
    };
    s_fill_recovered (&options.recovered, self->loaded, opened);
    self->applied = options.recovered.snapshot_index;
    raft_config_at_t *configs;
    const char *reason = "a configuration entry in the log cannot be read";
    int rc = s_decode_configs (opened->configs, &configs, &options.recovered.configs_count);
    options.recovered.configs = configs;
    if (rc == 0) {
        rc = raft_core_options_check (&options, &reason);
    }
    if (rc == 0) {
        self->core = raft_core_new (&options);
        s_step (self, &(raft_event_t){.kind = RAFT_EVENT_START});
    } else {
        fiber_fatal (rc, reason);
    }
    free (configs);
}

static void s_on_opened (raft_group_t *self, const log_writer_opened_t *opened)
{
    if (opened->rc != 0) {
        fiber_fatal (opened->rc, "the group's log or hard state cannot be used");
        return;
    }
    s_start (self, opened);
    actor_message_t *message = &self->loaded->message;
    self->loaded = NULL;
    actor_message_free (&message);
}

// --- the fiber -----------------------------------------------------------------------------------

static void s_on_appended (raft_group_t *self, const log_writer_appended_t *appended)
{
    s_step (self, &(raft_event_t){
                      .kind = RAFT_EVENT_APPENDED,
                      .appended = {appended->index, appended->term},
                  });
}

static void s_on_applied (raft_group_t *self, uint64_t index)
{
    self->applied = index;
    s_step (self, &(raft_event_t){.kind = RAFT_EVENT_APPLIED, .applied.index = index});
    s_replay_more (self);
}

static void s_handle (raft_group_t *self, actor_message_t *message)
{
    switch (message->type) {
    case NET_WRITE:
    case NET_READ:
    case NET_ADMIN:
        s_on_requests (self, (net_requests_t *) message);
        return;
    case SNAPSHOT_LOADED:
        s_on_loaded (self, (snapshot_loaded_t *) message);
        if (self->loaded) {
            return;
        }
        break;
    case LOG_WRITER_OPENED:
        s_on_opened (self, (log_writer_opened_t *) message);
        break;
    case LOG_WRITER_APPENDED:
        s_on_appended (self, (log_writer_appended_t *) message);
        break;
    case LOG_WRITER_PERSISTED:
        s_step (self, &(raft_event_t){
                          .kind = RAFT_EVENT_HARD_STATE_DURABLE,
                          .hard_state = {((log_writer_persist_t *) message)->value.term,
                                         ((log_writer_persist_t *) message)->value.vote},
                      });
        break;
    case LOG_WRITER_READ_DONE:
        s_on_replay_read (self, (log_writer_read_done_t *) message);
        break;
    case LOG_WRITER_FULL:
        s_step (self, &(raft_event_t){
                          .kind = RAFT_EVENT_DISK_FULL,
                          .disk_full.on = ((log_writer_full_t *) message)->on,
                      });
        break;
    case LOG_WRITER_FAILED:
        s_step (self, &(raft_event_t){
                          .kind = RAFT_EVENT_DISK_FAILED,
                          .failed.rc = ((log_writer_failed_t *) message)->rc,
                      });
        s_lose_replay (self);
        break;
    case MACHINE_APPLIED:
        s_on_applied (self, ((machine_applied_t *) message)->index);
        break;
    case SNAPSHOT_SAVED:
        s_on_snapshot_saved (self, (snapshot_saved_t *) message);
        break;
    default:
        dt_unreachable ();
    }
    actor_message_free (&message);
}

static void s_on_idle (raft_group_t *self, int rc)
{
    if (rc == DT_ERR_CLOSED && self->core) {
        s_step (self, &(raft_event_t){.kind = RAFT_EVENT_STOP});
    } else if (rc == DT_ERR_CLOSED) {
        self->drained = true;
    } else if (rc == DT_ERR_TIMEOUT && self->core) {
        s_step (self, &(raft_event_t){.kind = RAFT_EVENT_TICK});
    }
}

static void s_run (void *argument)
{
    raft_group_t *self = argument;
    actor_message_t *load = raft_snapshots_message_new (SNAPSHOT_LOAD);
    actor_answer (self->actor, self->snapshot, load);
    while (!self->drained && !self->replay_lost) {
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
        s_carry_out_all (self);
    }
    atomic_store (&self->ready, false);
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
                         actor_t *snapshot, actor_t *net)
{
    self->log_writer = log_writer;
    self->machine = machine;
    self->snapshot = snapshot;
    self->net = net;
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
    free (self);
}

actor_t *raft_group_actor (raft_group_t *self)
{
    return self->actor;
}

bool raft_group_ready (const raft_group_t *self)
{
    return atomic_load (&self->ready);
}

bool raft_group_ended (const raft_group_t *self)
{
    return atomic_load (&self->ended);
}
