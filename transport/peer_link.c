#include "transport/peer_link.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

#define MS(n) (INT64_C (1000000) * (n))

#define RETRY_MIN_NS    MS (1)
#define HURRY_NS        MS (500) // between two makings out of turn
#define REMAKE_MAX_NS   MS (30000)
#define HELLOS_PER_DEAD 4 // so that some may get lost before the node is taken for dead

peer_link_t *peer_link_new (peer_links_t *links, uint32_t node_id)
{
    peer_link_t *self = dt_zalloc (1, sizeof *self);
    self->links = links;
    self->node_id = node_id;
    self->remake_wait_ns = links->dead_after_ns;
    peer_identity_init (&self->identity, links->dead_after_ns);
    peer_queue_init (&self->queue, links->bytes_max);
    return self;
}

void peer_link_destroy (peer_link_t **self_p)
{
    peer_link_t *self = *self_p;
    *self_p = NULL;
    if (self) {
        for (int i = 0; i < PEER_CHANNELS; i++) {
            dt_buffer_deinit (&self->frames[i]);
        }
        peer_queue_deinit (&self->queue);
        free (self);
    }
}

bool peer_link_connected (const peer_link_t *self, int64_t now_ns)
{
    return self->heard_ns != 0 && now_ns - self->heard_ns <= self->links->dead_after_ns;
}

uint64_t peer_link_dropped (const peer_link_t *self)
{
    return self->lost + self->queue.dropped;
}

// --- making --------------------------------------------------------------------------------------

static void s_drop_frames (peer_link_t *self)
{
    for (int i = 0; i < PEER_CHANNELS; i++) {
        self->lost += self->packed[i];
        self->packed[i] = 0;
        dt_buffer_deinit (&self->frames[i]);
    }
    self->hello_due = true; // one may have been among them
}

// Frames packed before carry the epoch before, so they go.
static void s_make (peer_link_t *self, int64_t now_ns)
{
    peer_links_t *links = self->links;
    s_drop_frames (self);
    self->epoch = ++links->epochs;
    self->made_ns = now_ns;
    self->refused_ns[PEER_CONTROL] = 0;
    self->refused_ns[PEER_BULK] = 0;
    int rc = links->port->connect (links->port, self->node_id, self->endpoint);
    self->made = rc == 0;
    if (rc != 0) {
        dt_log_error (links->env, "peers", "no link to node %" PRIu32 " at %s: %s%s", self->node_id,
                      self->endpoint, dt_error_text (rc),
                      rc == DT_ERR_INVALID ? "; an endpoint looks like tcp://ADDRESS:PORT"
                                           : "; the process may be out of sockets or open files");
    }
}

// The next wait is twice as long, give or take a quarter, so that nodes do not act in step.
static void s_make_anew (peer_link_t *self, int64_t now_ns)
{
    int64_t wait =
        self->remake_wait_ns < REMAKE_MAX_NS / 2 ? 2 * self->remake_wait_ns : REMAKE_MAX_NS;
    uint64_t quarter = (uint64_t) wait / 4 + 1;
    self->remake_wait_ns =
        wait - wait / 8 + (int64_t) dt_random_below (&self->links->random, quarter);
    s_make (self, now_ns);
}

void peer_link_open (peer_link_t *self, const char *endpoint, int64_t now_ns)
{
    if (self->open && strcmp (self->endpoint, endpoint) == 0) {
        return;
    }
    if (self->open) {
        dt_log_info (self->links->env, "peers", "node %" PRIu32 " is at %s now, not at %s",
                     self->node_id, endpoint, self->endpoint);
    }
    self->open = true;
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    self->remake_wait_ns = self->links->dead_after_ns;
    peer_identity_readdress (&self->identity, now_ns);
    s_make (self, now_ns);
}

void peer_link_close (peer_link_t *self)
{
    if (!self->open) {
        return;
    }
    self->links->port->disconnect (self->links->port, self->node_id);
    s_drop_frames (self);
    peer_queue_drop_all (&self->queue);
    self->open = false;
    self->made = false;
    self->endpoint[0] = 0;
    self->answer = 0;
}

void peer_link_hurry (peer_link_t *self, int64_t now_ns)
{
    if (self->made && self->refused_ns[PEER_CONTROL] != 0 && now_ns - self->made_ns >= HURRY_NS) {
        s_make (self, now_ns);
    }
}

// --- sending -------------------------------------------------------------------------------------

void peer_link_push (peer_link_t *self, peer_message_t *message)
{
    if (!self->open) {
        self->lost++;
        peer_message_destroy (&message);
        return;
    }
    peer_queue_push (&self->queue, message);
}

static void s_pack_link_parts (peer_link_t *self, dt_buffer_t *frame, int64_t now_ns)
{
    const dt_env_t *env = self->links->env;
    if (self->hello_due) {
        peer_link_write (frame, PEER_LINK_HELLO, 0);
        self->hello_due = false;
    }
    if (peer_identity_probe_due (&self->identity, now_ns)) {
        uint64_t nonce = peer_identity_probe (&self->identity, env->entropy (env), now_ns);
        peer_link_write (frame, PEER_LINK_PROBE, nonce);
    }
    if (self->answer) {
        peer_link_write (frame, PEER_LINK_PROBE_ANSWER, self->answer);
        self->answer = 0;
    }
}

// Fill the channel's frame if it is empty. False: there is nothing to send.
static bool s_pack (peer_link_t *self, peer_channel_t channel, int64_t now_ns)
{
    peer_links_t *links = self->links;
    dt_buffer_t *frame = &self->frames[channel];
    if (frame->bytes > 0) {
        return true;
    }
    bool link = channel == PEER_CONTROL && (self->hello_due || self->answer ||
                                            peer_identity_probe_due (&self->identity, now_ns));
    if (!link && self->queue.runs[channel].count == 0) {
        return false;
    }
    peer_header_write (frame, &(peer_header_t){
                                  .cluster_id = links->cluster_id,
                                  .from = links->node_id,
                                  .to = self->node_id,
                                  .boot_id = links->boot_id,
                                  .epoch = self->epoch,
                              });
    if (link) {
        s_pack_link_parts (self, frame, now_ns);
    }
    self->packed[channel] = peer_queue_pack (&self->queue, channel, frame);
    return true;
}

// Hand the channel's frame to the port. False: not taken.
static bool s_send (peer_link_t *self, peer_channel_t channel, int64_t now_ns)
{
    peer_port_t *port = self->links->port;
    dt_buffer_t *frame = &self->frames[channel];
    size_t bytes = frame->bytes;
    if (port->send (port, self->node_id, channel, frame) != 0) {
        if (self->refused_ns[channel] == 0) {
            self->refused_ns[channel] = now_ns;
        }
        return false;
    }
    self->packed[channel] = 0;
    self->refused_ns[channel] = 0;
    self->frames_sent++;
    self->bytes_sent += bytes;
    if (channel == PEER_CONTROL) {
        self->sent_ns = now_ns;
        self->remake_wait_ns = self->links->dead_after_ns;
    }
    return true;
}

void peer_link_flush (peer_link_t *self, int64_t now_ns)
{
    for (int channel = 0; channel < PEER_CHANNELS && self->made; channel++) {
        while (s_pack (self, (peer_channel_t) channel, now_ns) &&
               s_send (self, (peer_channel_t) channel, now_ns)) {
        }
    }
}

int64_t peer_link_retry_ns (const peer_link_t *self, int64_t now_ns)
{
    int64_t retry_ns = INT64_MAX;
    for (int channel = 0; channel < PEER_CHANNELS && self->made; channel++) {
        if (self->frames[channel].bytes == 0) {
            continue;
        }
        // The port does not say when it takes more. What was refused just now is soon taken.
        int64_t wait = (now_ns - self->refused_ns[channel]) / 4;
        wait = wait < RETRY_MIN_NS ? RETRY_MIN_NS : wait;
        if (wait < self->links->tick_ns && now_ns + wait < retry_ns) {
            retry_ns = now_ns + wait;
        }
    }
    return retry_ns;
}

// --- supervision ---------------------------------------------------------------------------------

static bool s_refused_for (const peer_link_t *self, int channel, int64_t ns, int64_t now_ns)
{
    return self->refused_ns[channel] != 0 && now_ns - self->refused_ns[channel] >= ns;
}

static void s_watch_silence (peer_link_t *self, int64_t now_ns)
{
    if (self->reached && !peer_link_connected (self, now_ns)) {
        self->reached = false;
        dt_log_warn (self->links->env, "peers", "node %" PRIu32 " was not heard for %" PRId64 " ms",
                     self->node_id, self->links->dead_after_ns / MS (1));
    }
}

static void s_watch_refusals (peer_link_t *self, int64_t now_ns)
{
    peer_links_t *links = self->links;
    if (peer_link_connected (self, now_ns)) {
        self->remake_wait_ns = links->dead_after_ns; // it is there: no reason to be patient
    }
    bool control = s_refused_for (self, PEER_CONTROL, self->remake_wait_ns, now_ns);
    bool bulk = s_refused_for (self, PEER_BULK, self->remake_wait_ns, now_ns);
    bool failed = !self->made && now_ns - self->made_ns >= self->remake_wait_ns;
    if (control || bulk || failed) {
        dt_log_info (links->env, "peers",
                     "node %" PRIu32 " at %s took nothing for %" PRId64
                     " ms: the link is made anew",
                     self->node_id, self->endpoint, self->remake_wait_ns / MS (1));
        s_make_anew (self, now_ns);
    }
}

// What waits for a node that is not there would be stale when it comes.
static void s_drop_stale (peer_link_t *self, int64_t now_ns)
{
    bool refused = s_refused_for (self, PEER_CONTROL, self->links->tick_ns, now_ns) ||
                   s_refused_for (self, PEER_BULK, self->links->tick_ns, now_ns);
    if ((refused || !self->made) && !peer_link_connected (self, now_ns)) {
        s_drop_frames (self);
        peer_queue_drop_all (&self->queue);
        self->refused_ns[PEER_BULK] = 0; // nobody tries again; control has hellos
    }
}

void peer_link_tick (peer_link_t *self, int64_t now_ns)
{
    s_watch_silence (self, now_ns);
    if (!self->open) {
        return;
    }
    s_watch_refusals (self, now_ns);
    s_drop_stale (self, now_ns);
    if (now_ns - self->sent_ns >= self->links->dead_after_ns / HELLOS_PER_DEAD) {
        self->hello_due = true;
    }
    peer_link_flush (self, now_ns);
}
