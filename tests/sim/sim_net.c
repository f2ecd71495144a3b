#include "tests/sim/sim_net_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

#define PPM              1000000
#define CAPACITY_DEFAULT ((size_t) 16 << 20)
#define LATE_MAX_NS      SIM_NET_MS (1500)

enum { FRAMES_MAX = 1000 }; // under way on a connection

const char *sim_net_fault_name (sim_net_fault_t fault)
{
#define FAULT_NAME(name) #name,
    static const char *const names[] = {SIM_NET_FAULT_TABLE (FAULT_NAME)};
#undef FAULT_NAME
    return names[fault];
}

// --- chance --------------------------------------------------------------------------------------

bool sim_net_happens (sim_net_t *self, uint32_t ppm)
{
    return ppm > 0 && dt_random_chance (&self->random, ppm, PPM);
}

int64_t sim_net_below (sim_net_t *self, int64_t bound)
{
    return bound > 0 ? (int64_t) dt_random_below (&self->random, (uint64_t) bound) : 0;
}

// About exponential, without floating point: each halving of the probability adds ln 2 means.
static int64_t s_exponential (sim_net_t *self, int64_t mean_ns)
{
    if (mean_ns <= 0) {
        return 0;
    }
    uint64_t random = dt_random_next (&self->random);
    int64_t halvings = random ? __builtin_clzll (random) : 63;
    return mean_ns / 1000 * 693 * (halvings * 1024 + sim_net_below (self, 1024)) / 1024;
}

int64_t sim_net_delay (sim_net_t *self)
{
    return self->faults.delay_min_ns + s_exponential (self, self->faults.delay_mean_ns);
}

int64_t sim_net_now_ns (const sim_net_t *self)
{
    return fiber_backend_sim_now_ns (self->backend);
}

void sim_net_count (sim_net_t *self, sim_net_fault_t fault)
{
    self->counters.faults[fault]++;
}

// --- lists and references ------------------------------------------------------------------------

void sim_net_list_init (sim_net_list_t *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

void sim_net_list_add (sim_net_list_t *list, sim_net_frame_t *frame)
{
    frame->next = NULL;
    frame->place = list->tail;
    *list->tail = frame;
    list->tail = &frame->next;
}

void sim_net_list_remove (sim_net_list_t *list, sim_net_frame_t *frame)
{
    *frame->place = frame->next;
    if (frame->next) {
        frame->next->place = frame->place;
    } else {
        list->tail = frame->place;
    }
}

void sim_net_connection_unref (sim_net_connection_t **self_p)
{
    sim_net_connection_t *self = *self_p;
    *self_p = NULL;
    if (self && --self->references == 0) {
        free (self);
    }
}

// Free a frame that is in no list.
void sim_net_frame_free (sim_net_frame_t *frame)
{
    if (!frame->refusal) {
        frame->connection->bytes -= frame->bytes;
        frame->connection->frames--;
    }
    sim_net_connection_unref (&frame->connection);
    free (frame);
}

void sim_net_list_free (sim_net_list_t *list)
{
    while (list->head) {
        sim_net_frame_t *frame = list->head;
        sim_net_list_remove (list, frame);
        sim_net_frame_free (frame);
    }
}

// --- nodes and paths -----------------------------------------------------------------------------

size_t sim_net_index (sim_net_t *self, uint32_t node_id)
{
    for (size_t i = 0; i < self->nodes_count; i++) {
        if (self->nodes[i] == node_id) {
            return i;
        }
    }
    dt_assert (self->nodes_count < SIM_NET_NODES_MAX);
    self->nodes[self->nodes_count] = node_id;
    return self->nodes_count++;
}

sim_net_path_t *sim_net_path (sim_net_t *self, uint32_t from, uint32_t to)
{
    return &self->paths[sim_net_index (self, from)][sim_net_index (self, to)];
}

// The port of a life; NULL: it is closed or killed.
static sim_net_port_t *s_port_of_life (const sim_net_t *self, uint64_t life)
{
    for (sim_net_port_t *port = self->ports; port; port = port->next) {
        if (port->life == life) {
            return port->killed ? NULL : port;
        }
    }
    return NULL;
}

sim_net_port_t *sim_net_port_at (const sim_net_t *self, const char *endpoint)
{
    for (sim_net_port_t *port = self->ports; port; port = port->next) {
        if (!port->killed && strcmp (port->endpoint, endpoint) == 0) {
            return port;
        }
    }
    return NULL;
}

// --- connections ---------------------------------------------------------------------------------

void sim_net_pause (sim_net_t *self, sim_net_channel_t *channel)
{
    channel->retry_ns =
        sim_net_now_ns (self) + SIM_NET_MS (1) + sim_net_below (self, self->faults.reconnect_ns);
}

// The connection is over. What is under way is dropped, or comes late.
void sim_net_end_connection (sim_net_t *self, sim_net_channel_t *channel)
{
    sim_net_connection_t *connection = channel->connection;
    if (connection) {
        bool late = sim_net_happens (self, self->faults.late_ppm);
        connection->fate = late ? FATE_LATE : FATE_DROP;
        sim_net_connection_unref (&channel->connection);
    }
}

static void s_break (sim_net_t *self, sim_net_channel_t *channel)
{
    sim_net_end_connection (self, channel);
    sim_net_pause (self, channel);
    sim_net_count (self, SIM_NET_FAULT_broken);
    if (sim_net_happens (self, self->faults.dead_ppm)) {
        channel->dead = true;
        sim_net_count (self, SIM_NET_FAULT_broken_dead);
    }
}

static void s_try_to_connect (sim_net_port_t *port, const sim_net_link_t *link,
                              sim_net_channel_t *channel)
{
    sim_net_t *self = port->net;
    if (channel->dead || sim_net_now_ns (self) < channel->retry_ns) {
        return;
    }
    const sim_net_port_t *target = sim_net_port_at (self, link->endpoint);
    if (!target || sim_net_path (self, port->node_id, target->node_id)->cut ||
        sim_net_path (self, target->node_id, port->node_id)->cut) {
        sim_net_pause (self, channel);
        return;
    }
    sim_net_connection_t *connection = dt_zalloc (1, sizeof *connection);
    connection->references = 1;
    connection->id = ++self->connections;
    connection->from = port->node_id;
    connection->to = target->node_id;
    connection->from_life = port->life;
    connection->to_life = target->life;
    channel->connection = connection;
}

// Whether the channel has a connection that takes a frame of so many bytes.
bool sim_net_takes (sim_net_port_t *port, const sim_net_link_t *link, sim_net_channel_t *channel,
                    size_t bytes)
{
    sim_net_t *self = port->net;
    sim_net_connection_t *connection = channel->connection;
    if (connection) {
        const sim_net_path_t *path = sim_net_path (self, connection->from, connection->to);
        bool given_up = path->cut && connection->frames > 0 &&
                        sim_net_now_ns (self) - path->since_ns > SIM_NET_GIVE_UP_NS;
        // Of a peer that has died the sender may hear before it sends or only after.
        bool noticed = !s_port_of_life (self, connection->to_life) && sim_net_below (self, 2) == 0;
        if (given_up || noticed || sim_net_happens (self, self->faults.break_ppm)) {
            s_break (self, channel);
        }
    }
    if (!channel->connection) {
        s_try_to_connect (port, link, channel);
    }
    connection = channel->connection;
    if (!connection) {
        sim_net_count (self, SIM_NET_FAULT_refused_down);
        return false;
    }
    size_t capacity = self->faults.capacity_bytes ? self->faults.capacity_bytes : CAPACITY_DEFAULT;
    if (connection->frames >= FRAMES_MAX ||
        (connection->bytes > 0 && connection->bytes + bytes > capacity)) {
        sim_net_count (self, SIM_NET_FAULT_refused_full);
        return false;
    }
    return true;
}

// --- frames under way ----------------------------------------------------------------------------

static void s_arrive (void *argument);

sim_net_frame_t *sim_net_frame_new (sim_net_t *self, sim_net_connection_t *connection,
                                    const uint8_t *data, size_t bytes, bool refusal)
{
    sim_net_frame_t *frame = dt_malloc (sizeof *frame + bytes);
    *frame = (sim_net_frame_t){
        .net = self, .connection = connection, .refusal = refusal, .bytes = bytes};
    connection->references++;
    if (!refusal) {
        connection->bytes += bytes;
        connection->frames++;
    }
    if (bytes > 0) {
        memcpy (frame->data, data, bytes);
    }
    return frame;
}

void sim_net_schedule (sim_net_frame_t *frame, int64_t time_ns)
{
    sim_net_list_add (&frame->net->under_way, frame);
    frame->event = fiber_backend_sim_at (frame->net->backend, time_ns, s_arrive, frame);
}

// In order behind what was sent on the connection before.
void sim_net_schedule_in_order (sim_net_frame_t *frame)
{
    sim_net_connection_t *connection = frame->connection;
    int64_t time_ns = sim_net_now_ns (frame->net) + sim_net_delay (frame->net);
    connection->last_ns = time_ns > connection->last_ns ? time_ns : connection->last_ns;
    sim_net_schedule (frame, connection->last_ns);
}

void sim_net_set_out (sim_net_t *self, sim_net_connection_t *connection, const dt_buffer_t *body)
{
    const sim_net_faults_t *faults = &self->faults;
    self->counters.sent++;
    if (sim_net_happens (self, faults->loss_ppm)) {
        sim_net_count (self, SIM_NET_FAULT_loss);
        return;
    }
    if (sim_net_happens (self, faults->duplicate_ppm)) {
        sim_net_count (self, SIM_NET_FAULT_duplicate);
        sim_net_schedule (sim_net_frame_new (self, connection, body->data, body->bytes, false),
                          sim_net_now_ns (self) + 3 * sim_net_delay (self));
    }
    sim_net_frame_t *frame = sim_net_frame_new (self, connection, body->data, body->bytes, false);
    if (sim_net_happens (self, faults->reorder_ppm)) {
        sim_net_count (self, SIM_NET_FAULT_reorder);
        sim_net_schedule (frame, sim_net_now_ns (self) + 2 * sim_net_delay (self));
    } else {
        sim_net_schedule_in_order (frame);
    }
}

void sim_net_frame_drop (sim_net_frame_t *frame, sim_net_fault_t why)
{
    sim_net_count (frame->net, why);
    sim_net_frame_free (frame);
}

// The frame's connection has broken since it was sent. True: dropped or put off.
static bool s_is_of_the_past (sim_net_frame_t *frame)
{
    sim_net_connection_t *connection = frame->connection;
    if (connection->fate == FATE_ARRIVE || frame->refusal) {
        return false;
    }
    if (connection->fate == FATE_DROP) {
        sim_net_frame_drop (frame, SIM_NET_FAULT_tail_dropped);
        return true;
    }
    if (frame->late) {
        return false;
    }
    // Behind frames of the next connection, whose first ones had to wait for the reconnect.
    sim_net_t *self = frame->net;
    frame->late = true;
    sim_net_count (self, SIM_NET_FAULT_tail_late);
    sim_net_schedule (frame, sim_net_now_ns (self) + sim_net_below (self, LATE_MAX_NS));
    return true;
}

static void s_arrive (void *argument)
{
    sim_net_frame_t *frame = argument;
    sim_net_t *self = frame->net;
    const sim_net_connection_t *connection = frame->connection;
    sim_net_list_remove (&self->under_way, frame);
    if (s_is_of_the_past (frame)) {
        return;
    }
    uint32_t from = frame->refusal ? connection->to : connection->from;
    uint32_t to = frame->refusal ? connection->from : connection->to;
    if (sim_net_path (self, from, to)->cut) {
        sim_net_list_add (&self->held, frame);
        return;
    }
    sim_net_port_t *port =
        s_port_of_life (self, frame->refusal ? connection->from_life : connection->to_life);
    if (!port) {
        sim_net_frame_drop (frame, SIM_NET_FAULT_died);
        return;
    }
    sim_net_list_add (frame->refusal ? &port->refusals : &port->inbound, frame);
    self->counters.delivered += !frame->refusal;
    if (!frame->refusal && port->readable) {
        port->readable (port->readable_argument);
    }
}

// --- the network ---------------------------------------------------------------------------------

void sim_net_set_faults (sim_net_t *self, const sim_net_faults_t *faults)
{
    static const sim_net_faults_t none = {.delay_min_ns = SIM_NET_US (100),
                                          .reconnect_ns = SIM_NET_MS (100)};
    self->faults = faults ? *faults : none;
}

sim_net_t *sim_net_new (fiber_backend_sim_t *backend, uint64_t seed)
{
    sim_net_t *self = dt_zalloc (1, sizeof *self);
    self->backend = backend;
    dt_random_init_stream (&self->random, seed, "net");
    sim_net_list_init (&self->under_way);
    sim_net_list_init (&self->held);
    sim_net_set_faults (self, NULL);
    return self;
}

void sim_net_destroy (sim_net_t **self_p)
{
    sim_net_t *self = *self_p;
    *self_p = NULL;
    if (!self) {
        return;
    }
    dt_assert (!self->ports);
    sim_net_stop_flapping (self);
    for (sim_net_frame_t *frame = self->under_way.head; frame; frame = frame->next) {
        fiber_backend_sim_cancel (self->backend, frame->event);
    }
    sim_net_list_free (&self->under_way);
    sim_net_list_free (&self->held);
    free (self);
}

void sim_net_watch (sim_net_t *self, sim_net_watch_fn *fn, void *argument)
{
    self->watch = fn;
    self->watch_argument = argument;
}

const sim_net_counters_t *sim_net_counters (const sim_net_t *self)
{
    return &self->counters;
}
