// The I/O thread's round.

#include <unistd.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "dtkv/client/client_internal.h"

enum {
    MESSAGES_PER_ROUND = 16, // of one link, before requests are sent
    ROUNDS_PER_POLL = 64,    // a busy thread looks at all sockets at least that often
    OWN_FREE_MIN = 64,       // below that many free slots other threads get those of callbacks
};

// Take over the frames of one shared lane.
static void s_take_lane (dt_client_t *self, client_lane_t *lane)
{
    if (!lane->route) {
        lane->route = client_lanes_find (&self->own.lanes, &lane->key);
        dt_assert (lane->route); // own lanes have room for all shared ones
    }
    client_lane_close (lane);
    for (client_frame_t *frame = lane->closed.first; frame; frame = frame->next) {
        client_frame_set_state (frame, FRAME_TAKEN);
    }
    client_lane_take (lane, &lane->route->closed);
    client_side_mark (&self->own, lane->route);
}

static void s_give_slots (dt_client_t *self, bool idle)
{
    client_side_t *shared = &self->shared;
    shared->bytes += self->own.bytes;
    self->own.bytes = 0;
    if (self->waiters || shared->free.count < OWN_FREE_MIN) {
        client_free_splice (self, &shared->free, &self->own.free);
    }
    // Woken one by one, blocked submitters would make frames of one request.
    if (self->waiters && (idle || shared->free.count >= self->slot_count / 8)) {
        pthread_cond_broadcast (&self->room);
    }
}

// Meet the submitting threads. True: frames came over. `idle`: if not, they must wake us.
static bool s_exchange (dt_client_t *self, bool idle)
{
    client_side_t *shared = &self->shared;
    pthread_mutex_lock (&self->lock);
    bool taken = shared->lanes.dirty;
    while (shared->lanes.dirty) {
        client_lane_t *lane = shared->lanes.dirty;
        shared->lanes.dirty = lane->next_dirty;
        lane->dirty = false;
        s_take_lane (self, lane);
    }
    s_give_slots (self, idle);
    int64_t due_ms = shared->due_ms < self->own.due_ms ? shared->due_ms : self->own.due_ms;
    shared->due_ms = self->own.due_ms = CLIENT_NEVER;
    self->due_ms_next = due_ms < self->due_ms_next ? due_ms : self->due_ms_next;
    self->counters.submitted = shared->submitted + self->own.submitted;
    self->stats = self->counters;
    self->stop = self->closing;
    self->sleeping = idle && !taken && !self->stop;
    pthread_mutex_unlock (&self->lock);
    return taken;
}

// Send the frames of one lane; false: some must wait.
static bool s_send_lane (dt_client_t *self, client_lane_t *lane, bool *moved)
{
    if (lane->key.session && !client_session_is_open (self)) {
        return false;
    }
    int link = client_link_for_lane (self, lane);
    if (link < 0) {
        return false;
    }
    client_lane_close (lane);
    // Frames outside the session's window stay, in their order; others overtake them, as one of
    // those may hold the number that the window waits for.
    client_frame_queue_t waiting = {NULL, NULL};
    bool connected = true;
    for (client_frame_t *frame; (frame = client_frame_queue_pop (&lane->closed));) {
        if (frame->requests == 1) { // all of them were taken back
            client_frame_release (frame);
        } else if (!connected || !client_session_admits (self, frame)) {
            client_frame_queue_push (&waiting, frame);
        } else if (client_link_send (self, (uint32_t) link, frame)) {
            *moved = true;
        } else {
            connected = false;
            client_frame_queue_push (&waiting, frame);
        }
    }
    lane->closed = waiting;
    return !waiting.first;
}

bool client_io_send (dt_client_t *self)
{
    bool moved = false;
    client_lane_t *lane = self->own.lanes.dirty;
    self->own.lanes.dirty = NULL;
    self->sent_mark = self->own.submitted;
    while (lane) {
        client_lane_t *next = lane->next_dirty;
        lane->dirty = false;
        if (!s_send_lane (self, lane, &moved)) {
            client_side_mark (&self->own, lane);
        }
        lane = next;
    }
    return moved;
}

static int s_receive_all (dt_client_t *self)
{
    int count = 0;
    for (uint32_t i = 0; i < self->link_count; i++) {
        if (self->links[i].state == LINK_READY || self->links[i].state == LINK_HELLO) {
            count += client_receive (self, i, MESSAGES_PER_ROUND);
        }
    }
    return count;
}

static void s_drain_wake (dt_client_t *self)
{
    uint64_t count;
    ssize_t bytes = read (self->wake_fd, &count, sizeof count);
    (void) bytes; // nothing there is as good
}

// Wait for something to happen, at most until until_ms; with 0 only look.
static void s_poll (dt_client_t *self, int64_t until_ms)
{
    zmq_pollitem_t items[1 + 2 * CLIENT_LINKS_MAX];
    uint32_t links[1 + 2 * CLIENT_LINKS_MAX];
    int count = 1;
    items[0] = (zmq_pollitem_t){NULL, self->wake_fd, ZMQ_POLLIN, 0};
    for (uint32_t i = 0; i < self->link_count; i++) {
        if (self->links[i].dealer) {
            links[count] = i;
            items[count++] = (zmq_pollitem_t){self->links[i].monitor, 0, ZMQ_POLLIN, 0};
            items[count++] = (zmq_pollitem_t){self->links[i].dealer, 0, ZMQ_POLLIN, 0};
        }
    }
    int64_t wait_ms = until_ms - self->now_ms;
    wait_ms = wait_ms < 0 ? 0 : wait_ms > 60000 ? 60000 : wait_ms;
    if (zmq_poll (items, count, wait_ms) <= 0) {
        return;
    }
    if (items[0].revents) {
        s_drain_wake (self);
    }
    self->now_ms = client_now_ms ();
    for (int i = 1; i < count; i += 2) {
        if (items[i].revents) {
            client_link_watch (self, links[i]);
        }
    }
}

// What time asks for.
static void s_check_time (dt_client_t *self)
{
    if (self->now_ms >= self->due_ms_next) {
        client_check_due (self);
    }
    if (self->check || self->now_ms >= self->timer_ms) {
        self->check = false;
        int64_t link_ms = client_link_check_due (self);
        int64_t session_ms = client_session_check_due (self);
        self->timer_ms = link_ms < session_ms ? link_ms : session_ms;
    }
}

static void s_finish (dt_client_t *self)
{
    for (uint32_t i = 0; i < self->link_count; i++) {
        if (self->links[i].state == LINK_READY) {
            client_receive (self, i, 1000);
        }
    }
    client_complete_all (self);
    client_session_say_goodbye (self);
    for (uint32_t i = 0; i < self->link_count; i++) {
        client_link_close (self, i, self->links[i].state == LINK_READY ? 100 : 0);
    }
    // Frames that never left: everything in them was completed, only their own hold is left.
    for (size_t i = 0; i < self->own.lanes.capacity; i++) {
        client_lane_t *lane = self->own.lanes.table[i];
        if (lane) {
            client_lane_close (lane);
            for (client_frame_t *frame; (frame = client_frame_queue_pop (&lane->closed));) {
                client_frame_release (frame);
            }
        }
    }
    pthread_mutex_lock (&self->lock);
    self->counters.submitted = self->shared.submitted + self->own.submitted;
    self->stats = self->counters;
    pthread_mutex_unlock (&self->lock);
}

void *client_io_run (void *client)
{
    dt_client_t *self = client;
    self->now_ms = client_now_ms ();
    unsigned rounds = 0;
    client_link_keep (self);
    for (;;) {
        self->now_ms = client_now_ms ();
        bool moved = s_exchange (self, false);
        if (self->stop) {
            break;
        }
        s_check_time (self);
        moved |= client_io_send (self);
        moved |= s_receive_all (self) > 0;
        moved |= client_io_send (self);
        if (!moved && !self->check && !s_exchange (self, true) && !self->stop) {
            s_poll (self, self->timer_ms < self->due_ms_next ? self->timer_ms : self->due_ms_next);
        } else if (rounds % ROUNDS_PER_POLL == 0) {
            s_poll (self, 0);
        }
        rounds++;
    }
    s_finish (self);
    return NULL;
}
