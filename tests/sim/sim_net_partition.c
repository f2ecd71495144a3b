#include "base/dt_assert.h"
#include "tests/sim/sim_net_internal.h"

// Frames that waited come in a burst, or are gone with their connection.
static void s_release_held (sim_net_t *self, uint32_t from, uint32_t to, bool given_up)
{
    sim_net_frame_t *next;
    for (sim_net_frame_t *frame = self->held.head; frame; frame = next) {
        next = frame->next;
        const sim_net_connection_t *connection = frame->connection;
        bool forth = !frame->refusal && connection->from == from && connection->to == to;
        bool back = frame->refusal && connection->from == to && connection->to == from;
        if (!forth && !back) {
            continue;
        }
        sim_net_list_remove (&self->held, frame);
        if (given_up) {
            frame->connection->fate = FATE_DROP;
            sim_net_frame_drop (frame, SIM_NET_FAULT_cut_dropped);
        } else {
            sim_net_count (self, SIM_NET_FAULT_burst);
            sim_net_schedule_in_order (frame);
        }
    }
}

// Connections whose frames were given up are noticed to be broken.
static void s_forget_given_up (sim_net_t *self, uint32_t from, uint32_t to)
{
    for (sim_net_port_t *port = self->ports; port; port = port->next) {
        for (size_t i = 0; i < port->links_count; i++) {
            for (int c = 0; c < PEER_CHANNELS; c++) {
                sim_net_channel_t *channel = &port->links[i].channels[c];
                const sim_net_connection_t *connection = channel->connection;
                // A refusal that was given up went against its connection's direction.
                if (connection && connection->fate == FATE_DROP &&
                    ((connection->from == from && connection->to == to) ||
                     (connection->from == to && connection->to == from))) {
                    sim_net_connection_unref (&channel->connection);
                    sim_net_pause (self, channel);
                    sim_net_count (self, SIM_NET_FAULT_broken);
                }
            }
        }
    }
}

void sim_net_cut (sim_net_t *self, uint32_t from, uint32_t to, bool cut)
{
    sim_net_path_t *path = sim_net_path (self, from, to);
    if (path->cut == cut || from == to) {
        return;
    }
    path->cut = cut;
    bool given_up = sim_net_now_ns (self) - path->since_ns > SIM_NET_GIVE_UP_NS;
    path->since_ns = sim_net_now_ns (self);
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
    return self->nodes[sim_net_below (self, (int64_t) self->nodes_count)];
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
    int64_t kind = sim_net_below (self, 3);
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
    sim_net_flap_t *flap = argument;
    sim_net_t *self = flap->net;
    sim_net_path_t *path = &self->paths[flap->from][flap->to];
    int64_t next_ns = sim_net_now_ns (self) + 1 + sim_net_below (self, 2 * path->flap_ns);
    path->event = fiber_backend_sim_at (self->backend, next_ns, s_flap_now, flap);
    sim_net_cut (self, self->nodes[flap->from], self->nodes[flap->to], !path->cut);
}

static void s_flap (sim_net_t *self)
{
    uint8_t from = (uint8_t) sim_net_index (self, s_any_node (self));
    uint8_t to = (uint8_t) sim_net_index (self, s_any_node (self));
    sim_net_path_t *path = &self->paths[from][to];
    if (from != to && path->flap_ns == 0) {
        path->flap_ns = SIM_NET_MS (10) + sim_net_below (self, SIM_NET_MS (1000));
        self->flaps[from][to] = (sim_net_flap_t){self, from, to};
        s_flap_now (&self->flaps[from][to]);
    }
}

void sim_net_partition (sim_net_t *self, sim_net_fault_t kind)
{
    dt_assert (self->nodes_count > 0);
    sim_net_count (self, kind);
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

void sim_net_stop_flapping (sim_net_t *self)
{
    for (size_t i = 0; i < self->nodes_count; i++) {
        for (size_t j = 0; j < self->nodes_count; j++) {
            sim_net_path_t *path = &self->paths[i][j];
            if (path->flap_ns != 0) {
                fiber_backend_sim_cancel (self->backend, path->event);
                path->flap_ns = 0;
            }
        }
    }
}

void sim_net_heal (sim_net_t *self)
{
    sim_net_stop_flapping (self);
    for (size_t i = 0; i < self->nodes_count; i++) {
        for (size_t j = 0; j < self->nodes_count; j++) {
            sim_net_cut (self, self->nodes[i], self->nodes[j], false);
        }
    }
}
