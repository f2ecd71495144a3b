#include "tests/sim/sim_net.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "base/dt_random.h"

#define MS(n)            (INT64_C (1000000) * (n))
#define US(n)            (INT64_C (1000) * (n))
#define PPM              1000000
#define CAPACITY_DEFAULT ((size_t) 16 << 20)
#define GIVE_UP_NS       MS (4000) // a connection with frames in a partition ends after this
#define LATE_MAX_NS      MS (1500)

enum { FRAMES_MAX = 1000 }; // under way on a connection

typedef struct s_port s_port_t;

// What becomes of frames that are still under way on a connection.
typedef enum { FATE_ARRIVE, FATE_DROP, FATE_LATE } s_fate_t;

// One connection of one channel of a link. Kept while its channel or a frame refers to it.
typedef struct {
    unsigned references;
    uint64_t id;
    uint32_t from, to;  // node ids
    uint64_t from_life; // of the ports
    uint64_t to_life;   //
    s_fate_t fate;      //
    size_t bytes;       // sent and not received yet
    uint32_t frames;    //
    int64_t last_ns;    // when the last frame in order arrives
} s_connection_t;

typedef struct {
    s_connection_t *connection; // NULL: none
    int64_t retry_ns;           // then it tries to connect
    bool dead;                  // it never does
} s_channel_t;

typedef struct {
    uint32_t node_id;
    char endpoint[PEER_ENDPOINT_BYTES_MAX + 1];
    s_channel_t channels[PEER_CHANNELS];
} s_link_t;

// A frame, or a refusal, under way or received.
typedef struct s_frame {
    struct s_frame *next, **place; // in its list
    sim_net_t *net;
    s_connection_t *connection; // reference
    uint64_t event;             // while under way
    bool refusal;               // goes the other way
    bool late;                  // was put off once already
    size_t bytes;
    uint8_t data[];
} s_frame_t;

typedef struct {
    s_frame_t *head, **tail;
} s_list_t;

struct s_port {
    peer_port_t base; // first: what the peer actor sees
    sim_net_t *net;
    s_port_t *next; // of the network
    uint64_t life;  // a number of its own
    uint32_t node_id;
    char endpoint[PEER_ENDPOINT_BYTES_MAX + 1];
    bool killed;
    s_link_t *links; // owned
    size_t links_count;
    s_list_t inbound, refusals;        // received
    void (*readable) (void *argument); // of notify
    void *readable_argument;           //
    transport_counters_t counters;
};

// One direction between two nodes.
typedef struct {
    bool cut;
    int64_t since_ns;
    int64_t flap_ns; // mean time between two changes by itself; 0: none
    uint64_t event;  // of the next change
} s_path_t;

// What the event of a flapping path needs to know.
typedef struct {
    sim_net_t *net;
    uint8_t from, to; // indexes
} s_flap_t;

struct sim_net {
    fiber_backend_sim_t *backend;
    dt_random_t random;
    sim_net_faults_t faults;
    uint32_t nodes[SIM_NET_NODES_MAX]; // ids
    size_t nodes_count;
    s_path_t paths[SIM_NET_NODES_MAX][SIM_NET_NODES_MAX];
    s_flap_t flaps[SIM_NET_NODES_MAX][SIM_NET_NODES_MAX];
    s_port_t *ports;
    uint64_t lives, connections; // numbers given
    s_list_t under_way;          // frames with an event
    s_list_t held;               // frames in a partition
    sim_net_counters_t counters;
};

const char *sim_net_fault_name (sim_net_fault_t fault)
{
#define FAULT_NAME(name) #name,
    static const char *const names[] = {SIM_NET_FAULT_TABLE (FAULT_NAME)};
#undef FAULT_NAME
    return names[fault];
}

// --- chance --------------------------------------------------------------------------------------

static bool s_happens (sim_net_t *self, uint32_t ppm)
{
    return ppm > 0 && dt_random_chance (&self->random, ppm, PPM);
}

static int64_t s_below (sim_net_t *self, int64_t bound)
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
    return mean_ns / 1000 * 693 * (halvings * 1024 + s_below (self, 1024)) / 1024;
}

static int64_t s_delay (sim_net_t *self)
{
    return self->faults.delay_min_ns + s_exponential (self, self->faults.delay_mean_ns);
}

static int64_t s_now_ns (const sim_net_t *self)
{
    return fiber_backend_sim_now_ns (self->backend);
}

static void s_count (sim_net_t *self, sim_net_fault_t fault)
{
    self->counters.faults[fault]++;
}

// --- lists and references ------------------------------------------------------------------------

static void s_list_init (s_list_t *list)
{
    list->head = NULL;
    list->tail = &list->head;
}

static void s_list_add (s_list_t *list, s_frame_t *frame)
{
    frame->next = NULL;
    frame->place = list->tail;
    *list->tail = frame;
    list->tail = &frame->next;
}

static void s_list_remove (s_list_t *list, s_frame_t *frame)
{
    *frame->place = frame->next;
    if (frame->next) {
        frame->next->place = frame->place;
    } else {
        list->tail = frame->place;
    }
}

static void s_connection_unref (s_connection_t **self_p)
{
    s_connection_t *self = *self_p;
    *self_p = NULL;
    if (self && --self->references == 0) {
        free (self);
    }
}

// Free a frame that is in no list.
static void s_free_frame (s_frame_t *frame)
{
    if (!frame->refusal) {
        frame->connection->bytes -= frame->bytes;
        frame->connection->frames--;
    }
    s_connection_unref (&frame->connection);
    free (frame);
}

static void s_free_list (s_list_t *list)
{
    while (list->head) {
        s_frame_t *frame = list->head;
        s_list_remove (list, frame);
        s_free_frame (frame);
    }
}

// --- nodes and paths -----------------------------------------------------------------------------

static size_t s_index (sim_net_t *self, uint32_t node_id)
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

static s_path_t *s_path (sim_net_t *self, uint32_t from, uint32_t to)
{
    return &self->paths[s_index (self, from)][s_index (self, to)];
}

// The port of a life; NULL: it is closed or killed.
static s_port_t *s_port_of_life (const sim_net_t *self, uint64_t life)
{
    for (s_port_t *port = self->ports; port; port = port->next) {
        if (port->life == life) {
            return port->killed ? NULL : port;
        }
    }
    return NULL;
}

static s_port_t *s_port_at (const sim_net_t *self, const char *endpoint)
{
    for (s_port_t *port = self->ports; port; port = port->next) {
        if (!port->killed && strcmp (port->endpoint, endpoint) == 0) {
            return port;
        }
    }
    return NULL;
}

// --- connections ---------------------------------------------------------------------------------

static void s_pause (sim_net_t *self, s_channel_t *channel)
{
    channel->retry_ns = s_now_ns (self) + MS (1) + s_below (self, self->faults.reconnect_ns);
}

// The connection is over. What is under way is dropped, or comes late.
static void s_end_connection (sim_net_t *self, s_channel_t *channel)
{
    s_connection_t *connection = channel->connection;
    if (connection) {
        bool late = s_happens (self, self->faults.late_ppm);
        connection->fate = late ? FATE_LATE : FATE_DROP;
        s_connection_unref (&channel->connection);
    }
}

static void s_break (sim_net_t *self, s_channel_t *channel)
{
    s_end_connection (self, channel);
    s_pause (self, channel);
    s_count (self, SIM_NET_FAULT_broken);
    if (s_happens (self, self->faults.dead_ppm)) {
        channel->dead = true;
        s_count (self, SIM_NET_FAULT_broken_dead);
    }
}

static void s_try_to_connect (s_port_t *port, const s_link_t *link, s_channel_t *channel)
{
    sim_net_t *self = port->net;
    if (channel->dead || s_now_ns (self) < channel->retry_ns) {
        return;
    }
    const s_port_t *target = s_port_at (self, link->endpoint);
    if (!target || s_path (self, port->node_id, target->node_id)->cut ||
        s_path (self, target->node_id, port->node_id)->cut) {
        s_pause (self, channel);
        return;
    }
    s_connection_t *connection = dt_zalloc (1, sizeof *connection);
    connection->references = 1;
    connection->id = ++self->connections;
    connection->from = port->node_id;
    connection->to = target->node_id;
    connection->from_life = port->life;
    connection->to_life = target->life;
    channel->connection = connection;
}

// Whether the channel has a connection that takes a frame of so many bytes.
static bool s_takes (s_port_t *port, const s_link_t *link, s_channel_t *channel, size_t bytes)
{
    sim_net_t *self = port->net;
    s_connection_t *connection = channel->connection;
    if (connection) {
        const s_path_t *path = s_path (self, connection->from, connection->to);
        bool given_up =
            path->cut && connection->frames > 0 && s_now_ns (self) - path->since_ns > GIVE_UP_NS;
        // Of a peer that has died the sender may hear before it sends or only after.
        bool noticed = !s_port_of_life (self, connection->to_life) && s_below (self, 2) == 0;
        if (given_up || noticed || s_happens (self, self->faults.break_ppm)) {
            s_break (self, channel);
        }
    }
    if (!channel->connection) {
        s_try_to_connect (port, link, channel);
    }
    connection = channel->connection;
    if (!connection) {
        s_count (self, SIM_NET_FAULT_refused_down);
        return false;
    }
    size_t capacity = self->faults.capacity_bytes ? self->faults.capacity_bytes : CAPACITY_DEFAULT;
    if (connection->frames >= FRAMES_MAX ||
        (connection->bytes > 0 && connection->bytes + bytes > capacity)) {
        s_count (self, SIM_NET_FAULT_refused_full);
        return false;
    }
    return true;
}

// --- frames under way ----------------------------------------------------------------------------

static void s_arrive (void *argument);

static s_frame_t *s_new_frame (sim_net_t *self, s_connection_t *connection, const uint8_t *data,
                               size_t bytes, bool refusal)
{
    s_frame_t *frame = dt_malloc (sizeof *frame + bytes);
    *frame = (s_frame_t){.net = self, .connection = connection, .refusal = refusal, .bytes = bytes};
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

static void s_schedule (s_frame_t *frame, int64_t time_ns)
{
    s_list_add (&frame->net->under_way, frame);
    frame->event = fiber_backend_sim_at (frame->net->backend, time_ns, s_arrive, frame);
}

// In order behind what was sent on the connection before.
static void s_schedule_in_order (s_frame_t *frame)
{
    s_connection_t *connection = frame->connection;
    int64_t time_ns = s_now_ns (frame->net) + s_delay (frame->net);
    connection->last_ns = time_ns > connection->last_ns ? time_ns : connection->last_ns;
    s_schedule (frame, connection->last_ns);
}

static void s_set_out (sim_net_t *self, s_connection_t *connection, const dt_buffer_t *body)
{
    const sim_net_faults_t *faults = &self->faults;
    self->counters.sent++;
    if (s_happens (self, faults->loss_ppm)) {
        s_count (self, SIM_NET_FAULT_loss);
        return;
    }
    if (s_happens (self, faults->duplicate_ppm)) {
        s_count (self, SIM_NET_FAULT_duplicate);
        s_schedule (s_new_frame (self, connection, body->data, body->bytes, false),
                    s_now_ns (self) + 3 * s_delay (self));
    }
    s_frame_t *frame = s_new_frame (self, connection, body->data, body->bytes, false);
    if (s_happens (self, faults->reorder_ppm)) {
        s_count (self, SIM_NET_FAULT_reorder);
        s_schedule (frame, s_now_ns (self) + 2 * s_delay (self));
    } else {
        s_schedule_in_order (frame);
    }
}

static void s_drop (s_frame_t *frame, sim_net_fault_t why)
{
    s_count (frame->net, why);
    s_free_frame (frame);
}

// The frame's connection has broken since it was sent. True: dropped or put off.
static bool s_is_of_the_past (s_frame_t *frame)
{
    s_connection_t *connection = frame->connection;
    if (connection->fate == FATE_ARRIVE || frame->refusal) {
        return false;
    }
    if (connection->fate == FATE_DROP) {
        s_drop (frame, SIM_NET_FAULT_tail_dropped);
        return true;
    }
    if (frame->late) {
        return false;
    }
    // Behind frames of the next connection, whose first ones had to wait for the reconnect.
    sim_net_t *self = frame->net;
    frame->late = true;
    s_count (self, SIM_NET_FAULT_tail_late);
    s_schedule (frame, s_now_ns (self) + s_below (self, LATE_MAX_NS));
    return true;
}

static void s_arrive (void *argument)
{
    s_frame_t *frame = argument;
    sim_net_t *self = frame->net;
    const s_connection_t *connection = frame->connection;
    s_list_remove (&self->under_way, frame);
    if (s_is_of_the_past (frame)) {
        return;
    }
    uint32_t from = frame->refusal ? connection->to : connection->from;
    uint32_t to = frame->refusal ? connection->from : connection->to;
    if (s_path (self, from, to)->cut) {
        s_list_add (&self->held, frame);
        return;
    }
    s_port_t *port =
        s_port_of_life (self, frame->refusal ? connection->from_life : connection->to_life);
    if (!port) {
        s_drop (frame, SIM_NET_FAULT_died);
        return;
    }
    s_list_add (frame->refusal ? &port->refusals : &port->inbound, frame);
    self->counters.delivered += !frame->refusal;
    if (!frame->refusal && port->readable) {
        port->readable (port->readable_argument);
    }
}

// --- partitions ----------------------------------------------------------------------------------

// Frames that waited come in a burst, or are gone with their connection.
static void s_release_held (sim_net_t *self, uint32_t from, uint32_t to, bool given_up)
{
    s_frame_t *next;
    for (s_frame_t *frame = self->held.head; frame; frame = next) {
        next = frame->next;
        const s_connection_t *connection = frame->connection;
        bool forth = !frame->refusal && connection->from == from && connection->to == to;
        bool back = frame->refusal && connection->from == to && connection->to == from;
        if (!forth && !back) {
            continue;
        }
        s_list_remove (&self->held, frame);
        if (given_up) {
            frame->connection->fate = FATE_DROP;
            s_drop (frame, SIM_NET_FAULT_cut_dropped);
        } else {
            s_count (self, SIM_NET_FAULT_burst);
            s_schedule_in_order (frame);
        }
    }
}

// Connections whose frames were given up are noticed to be broken.
static void s_forget_given_up (sim_net_t *self, uint32_t from, uint32_t to)
{
    for (s_port_t *port = self->ports; port; port = port->next) {
        for (size_t i = 0; i < port->links_count; i++) {
            for (int c = 0; c < PEER_CHANNELS; c++) {
                s_channel_t *channel = &port->links[i].channels[c];
                const s_connection_t *connection = channel->connection;
                if (connection && connection->fate == FATE_DROP && connection->from == from &&
                    connection->to == to) {
                    s_connection_unref (&channel->connection);
                    s_pause (self, channel);
                    s_count (self, SIM_NET_FAULT_broken);
                }
            }
        }
    }
}

void sim_net_cut (sim_net_t *self, uint32_t from, uint32_t to, bool cut)
{
    s_path_t *path = s_path (self, from, to);
    if (path->cut == cut || from == to) {
        return;
    }
    path->cut = cut;
    bool given_up = s_now_ns (self) - path->since_ns > GIVE_UP_NS;
    path->since_ns = s_now_ns (self);
    if (!cut) {
        s_release_held (self, from, to, given_up);
        if (given_up) {
            s_forget_given_up (self, from, to);
        }
    }
}

static void s_cut_both (sim_net_t *self, uint32_t one, uint32_t two)
{
    sim_net_cut (self, one, two, true);
    sim_net_cut (self, two, one, true);
}

static uint32_t s_any_node (sim_net_t *self)
{
    return self->nodes[s_below (self, (int64_t) self->nodes_count)];
}

static void s_isolate (sim_net_t *self)
{
    uint32_t alone = s_any_node (self);
    for (size_t i = 0; i < self->nodes_count; i++) {
        s_cut_both (self, alone, self->nodes[i]);
    }
}

// Two sides drawn by chance; the bridge, if there is one, belongs to both.
static void s_split (sim_net_t *self, uint32_t bridge)
{
    uint64_t sides = dt_random_next (&self->random);
    for (size_t i = 0; i < self->nodes_count; i++) {
        for (size_t j = 0; j < i; j++) {
            bool apart = (sides >> i & 1) != (sides >> j & 1);
            if (apart && self->nodes[i] != bridge && self->nodes[j] != bridge) {
                s_cut_both (self, self->nodes[i], self->nodes[j]);
            }
        }
    }
}

// One pair, or everything that one node says, or hears.
static void s_one_way (sim_net_t *self)
{
    uint32_t node = s_any_node (self);
    int64_t kind = s_below (self, 3);
    uint32_t other = s_any_node (self);
    for (size_t i = 0; i < self->nodes_count; i++) {
        if (kind == 0 && self->nodes[i] != other) {
            continue;
        }
        bool hears = kind == 2;
        sim_net_cut (self, hears ? self->nodes[i] : node, hears ? node : self->nodes[i], true);
    }
}

static void s_flap_now (void *argument)
{
    s_flap_t *flap = argument;
    sim_net_t *self = flap->net;
    s_path_t *path = &self->paths[flap->from][flap->to];
    int64_t next_ns = s_now_ns (self) + 1 + s_below (self, 2 * path->flap_ns);
    path->event = fiber_backend_sim_at (self->backend, next_ns, s_flap_now, flap);
    sim_net_cut (self, self->nodes[flap->from], self->nodes[flap->to], !path->cut);
}

static void s_flap (sim_net_t *self)
{
    uint8_t from = (uint8_t) s_index (self, s_any_node (self));
    uint8_t to = (uint8_t) s_index (self, s_any_node (self));
    s_path_t *path = &self->paths[from][to];
    if (from != to && path->flap_ns == 0) {
        path->flap_ns = MS (10) + s_below (self, MS (1000));
        self->flaps[from][to] = (s_flap_t){self, from, to};
        s_flap_now (&self->flaps[from][to]);
    }
}

void sim_net_partition (sim_net_t *self, sim_net_fault_t kind)
{
    dt_assert (self->nodes_count > 0);
    s_count (self, kind);
    switch (kind) {
    case SIM_NET_FAULT_isolate:
        s_isolate (self);
        break;
    case SIM_NET_FAULT_split:
        s_split (self, 0);
        break;
    case SIM_NET_FAULT_bridge:
        s_split (self, s_any_node (self));
        break;
    case SIM_NET_FAULT_one_way:
        s_one_way (self);
        break;
    case SIM_NET_FAULT_flap:
        s_flap (self);
        break;
    default:
        dt_unreachable ();
    }
}

static void s_stop_flapping (sim_net_t *self)
{
    for (size_t i = 0; i < self->nodes_count; i++) {
        for (size_t j = 0; j < self->nodes_count; j++) {
            s_path_t *path = &self->paths[i][j];
            if (path->flap_ns != 0) {
                fiber_backend_sim_cancel (self->backend, path->event);
                path->flap_ns = 0;
            }
        }
    }
}

void sim_net_heal (sim_net_t *self)
{
    s_stop_flapping (self);
    for (size_t i = 0; i < self->nodes_count; i++) {
        for (size_t j = 0; j < self->nodes_count; j++) {
            sim_net_cut (self, self->nodes[i], self->nodes[j], false);
        }
    }
}

// --- ports ---------------------------------------------------------------------------------------

static s_link_t *s_find_link (s_port_t *port, uint32_t node_id)
{
    for (size_t i = 0; i < port->links_count; i++) {
        if (port->links[i].node_id == node_id) {
            return &port->links[i];
        }
    }
    return NULL;
}

static void s_end_link (s_port_t *port, s_link_t *link)
{
    for (int c = 0; c < PEER_CHANNELS; c++) {
        s_end_connection (port->net, &link->channels[c]);
        link->channels[c] = (s_channel_t){0};
    }
}

static void s_disconnect (peer_port_t *base, uint32_t node_id)
{
    s_port_t *self = (s_port_t *) base;
    s_link_t *link = s_find_link (self, node_id);
    if (link) {
        s_end_link (self, link);
        *link = self->links[--self->links_count];
    }
}

static int s_connect (peer_port_t *base, uint32_t node_id, const char *endpoint)
{
    s_port_t *self = (s_port_t *) base;
    if (strncmp (endpoint, "tcp://", 6) != 0) {
        s_disconnect (base, node_id);
        return DT_ERR_INVALID;
    }
    s_link_t *link = s_find_link (self, node_id);
    if (link) {
        s_end_link (self, link);
    } else {
        self->links = dt_realloc (self->links, (self->links_count + 1) * sizeof *self->links);
        link = &self->links[self->links_count++];
        *link = (s_link_t){.node_id = node_id};
    }
    snprintf (link->endpoint, sizeof link->endpoint, "%s", endpoint);
    for (int c = 0; c < PEER_CHANNELS; c++) {
        link->channels[c].retry_ns = s_now_ns (self->net) + US (50) + s_delay (self->net);
    }
    return 0;
}

static int s_send (peer_port_t *base, uint32_t node_id, peer_channel_t channel, dt_buffer_t *frame)
{
    s_port_t *self = (s_port_t *) base;
    s_link_t *link = s_find_link (self, node_id);
    if (!link || self->killed) {
        self->counters.gone++;
        return DT_ERR_NOT_FOUND;
    }
    if (!s_takes (self, link, &link->channels[channel], frame->bytes)) {
        self->counters.busy++;
        return DT_ERR_AGAIN;
    }
    self->counters.sent++;
    self->counters.sent_bytes += frame->bytes;
    s_set_out (self->net, link->channels[channel].connection, frame);
    dt_buffer_clear (frame);
    return 0;
}

static int s_take (s_list_t *list, transport_message_t *message, uint32_t *to)
{
    s_frame_t *frame = list->head;
    if (!frame) {
        return DT_ERR_AGAIN;
    }
    s_list_remove (list, frame);
    const s_connection_t *connection = frame->connection;
    message->route.bytes = sizeof connection->id;
    memcpy (message->route.data, &connection->id, sizeof connection->id);
    message->delimiter = false;
    *to = connection->to;
    uint8_t *data = frame->bytes ? dt_memdup (frame->data, frame->bytes) : dt_malloc (1);
    message->data = data;
    message->bytes = frame->bytes;
    message->owner = data;
    message->release = free;
    s_free_frame (frame);
    return 0;
}

static int s_receive (peer_port_t *base, transport_message_t *message)
{
    s_port_t *self = (s_port_t *) base;
    uint32_t to;
    int rc = s_take (&self->inbound, message, &to);
    if (rc == 0) {
        self->counters.received++;
        self->counters.received_bytes += message->bytes;
    }
    return rc;
}

static int s_receive_refusal (peer_port_t *base, uint32_t *node_id, transport_message_t *message)
{
    return s_take (&((s_port_t *) base)->refusals, message, node_id);
}

// The connection with an id that goes to a port.
static s_connection_t *s_find_connection (const s_port_t *self, uint64_t id)
{
    for (s_port_t *port = self->net->ports; port; port = port->next) {
        for (size_t i = 0; i < port->links_count; i++) {
            for (int c = 0; c < PEER_CHANNELS; c++) {
                s_connection_t *connection = port->links[i].channels[c].connection;
                if (connection && connection->id == id && connection->to_life == self->life) {
                    return connection;
                }
            }
        }
    }
    return NULL;
}

static void s_send_refusal (peer_port_t *base, const transport_route_t *route, const uint8_t *data,
                            size_t bytes)
{
    s_port_t *self = (s_port_t *) base;
    uint64_t id;
    dt_assert (route->bytes == sizeof id);
    memcpy (&id, route->data, sizeof id);
    s_connection_t *connection = self->killed ? NULL : s_find_connection (self, id);
    if (connection) {
        s_frame_t *frame = s_new_frame (self->net, connection, data, bytes, true);
        s_schedule (frame, s_now_ns (self->net) + s_delay (self->net));
    }
}

static void *s_poll_socket (peer_port_t *base)
{
    (void) base;
    return NULL;
}

static void s_notify (peer_port_t *base, void (*fn) (void *argument), void *argument)
{
    s_port_t *self = (s_port_t *) base;
    self->readable = fn;
    self->readable_argument = argument;
    if (fn && self->inbound.head) {
        fn (argument);
    }
}

static const transport_counters_t *s_counters (peer_port_t *base)
{
    return &((s_port_t *) base)->counters;
}

void sim_net_kill (peer_port_t *port)
{
    s_port_t *self = (s_port_t *) port;
    if (self->killed) {
        return;
    }
    self->killed = true;
    s_free_list (&self->inbound);
    s_free_list (&self->refusals);
    // What the kernel had taken still leaves it.
    for (size_t i = 0; i < self->links_count; i++) {
        for (int c = 0; c < PEER_CHANNELS; c++) {
            s_connection_unref (&self->links[i].channels[c].connection);
        }
    }
    free (self->links);
    self->links = NULL;
    self->links_count = 0;
}

static void s_close (peer_port_t **base_p)
{
    s_port_t *self = (s_port_t *) *base_p;
    *base_p = NULL;
    if (!self) {
        return;
    }
    sim_net_kill (&self->base);
    s_port_t **place = &self->net->ports;
    while (*place != self) {
        place = &(*place)->next;
    }
    *place = self->next;
    free (self);
}

peer_port_t *sim_net_open (sim_net_t *self, uint32_t node_id, const char *endpoint)
{
    dt_assert (!s_port_at (self, endpoint));
    s_port_t *port = dt_zalloc (1, sizeof *port);
    port->base = (peer_port_t){
        .receive = s_receive,
        .connect = s_connect,
        .disconnect = s_disconnect,
        .send = s_send,
        .send_refusal = s_send_refusal,
        .receive_refusal = s_receive_refusal,
        .poll_socket = s_poll_socket,
        .notify = s_notify,
        .counters = s_counters,
        .close = s_close,
    };
    port->net = self;
    port->node_id = node_id;
    (void) s_index (self, node_id);
    port->life = ++self->lives;
    snprintf (port->endpoint, sizeof port->endpoint, "%s", endpoint);
    s_list_init (&port->inbound);
    s_list_init (&port->refusals);
    port->next = self->ports;
    self->ports = port;
    return &port->base;
}

// --- the network ---------------------------------------------------------------------------------

void sim_net_set_faults (sim_net_t *self, const sim_net_faults_t *faults)
{
    static const sim_net_faults_t none = {.delay_min_ns = US (100), .reconnect_ns = MS (100)};
    self->faults = faults ? *faults : none;
}

sim_net_t *sim_net_new (fiber_backend_sim_t *backend, uint64_t seed)
{
    sim_net_t *self = dt_zalloc (1, sizeof *self);
    self->backend = backend;
    dt_random_init_stream (&self->random, seed, "net");
    s_list_init (&self->under_way);
    s_list_init (&self->held);
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
    s_stop_flapping (self);
    for (s_frame_t *frame = self->under_way.head; frame; frame = frame->next) {
        fiber_backend_sim_cancel (self->backend, frame->event);
    }
    s_free_list (&self->under_way);
    s_free_list (&self->held);
    free (self);
}

const sim_net_counters_t *sim_net_counters (const sim_net_t *self)
{
    return &self->counters;
}
