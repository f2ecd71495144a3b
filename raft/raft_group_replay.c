// What goes to the machine, in the order of the core's effects, also while older entries are still
// being read from disk for it.

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "raft/raft_group_internal.h"

enum {
    REPLAY_BYTES = 1024 * 1024, // one read of the log during replay
    REPLAY_AHEAD = 64 * 1024,   // entries read and not yet applied during replay
};

static bool s_replaying (const raft_group_t *self)
{
    return self->replay_next <= self->replay_last;
}

// What should have reached the machine behind a replay never will: answer its clients.
static void s_refuse_held (raft_group_t *self, actor_message_t *message)
{
    const net_requests_t *requests = NULL;
    uint32_t from = 0;
    if (message->type == NET_READ) {
        requests = (net_requests_t *) message;
    } else if (message->type == MACHINE_STATUS) {
        requests = ((machine_status_t *) message)->requests;
    } else if (message->type == MACHINE_APPLY) {
        const machine_apply_t *apply = (const machine_apply_t *) message;
        requests = apply->silent ? NULL : apply->batch->origin;
        from = (uint32_t) (apply->first - log_batch_first (apply->batch));
    }
    if (requests) {
        raft_group_refuse (self, requests, from, requests->count, DT_ERR_DISK_FAILED, NULL);
    }
    actor_message_free (&message);
}

void raft_group_to_machine (raft_group_t *self, actor_message_t *message)
{
    if (!s_replaying (self)) {
        actor_answer (self->actor, self->machine, message);
        return;
    }
    if (self->lost) {
        s_refuse_held (self, message);
        return;
    }
    message->next = NULL;
    *self->held_tail = message;
    self->held_tail = &message->next;
}

static machine_apply_t *s_new_apply (log_batch_t *batch, uint64_t first, uint64_t last, bool silent)
{
    machine_apply_t *apply = raft_machine_message_new (MACHINE_APPLY);
    apply->batch = batch;
    apply->first = first;
    apply->last = last;
    apply->silent = silent;
    return apply;
}

void raft_group_apply (raft_group_t *self, log_batch_t *batch, uint64_t first, uint64_t last,
                       bool silent)
{
    raft_group_to_machine (self, &s_new_apply (batch, first, last, silent)->message);
}

void raft_group_replay (raft_group_t *self, uint64_t first, uint64_t last)
{
    // The core asks for one run after the other; a second one extends the first.
    dt_assert (!s_replaying (self) || first == self->replay_last + 1);
    dt_assert (!self->held);
    if (!s_replaying (self)) {
        self->replay_next = first;
    }
    self->replay_last = last;
    if (self->log_failed) { // between the core's wish and its effects
        raft_group_lose_replay (self);
    } else {
        raft_group_replay_more (self);
    }
}

void raft_group_replay_more (raft_group_t *self)
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
    read->cookie = RAFT_GROUP_COOKIE_REPLAY;
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
}

void raft_group_lose_replay (raft_group_t *self)
{
    if (!s_replaying (self)) {
        return;
    }
    self->lost = true;
    while (self->held) {
        actor_message_t *message = self->held;
        self->held = message->next;
        s_refuse_held (self, message);
    }
    self->held_tail = &self->held;
    // What is committed behind the replay can never be answered here: the process has to end.
    fiber_fatal (DT_ERR_DISK_FAILED, "the log failed while it was replayed");
}

void raft_group_on_replay_read (raft_group_t *self, log_writer_read_done_t *done)
{
    self->replay_reading = false;
    if (done->rc != 0) {
        return; // the log failed, which it says by another message
    }
    dt_assert (log_batch_first (done->batch) == self->replay_next);
    uint64_t last = log_batch_last (done->batch);
    machine_apply_t *apply = s_new_apply (done->batch, self->replay_next, last, true);
    actor_answer (self->actor, self->machine, &apply->message);
    done->batch = NULL;
    self->replay_next = last + 1;
    if (s_replaying (self)) {
        raft_group_replay_more (self);
    } else {
        s_release_held (self);
    }
}
