#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "tests/sim/sim_net_internal.h"

static sim_net_link_t *s_find_link (sim_net_port_t *port, uint32_t node_id)
{
    for (size_t i = 0; i < port->links_count; i++) {
        if (port->links[i].node_id == node_id) {
            return &port->links[i];
        }
    }
    return NULL;
}

static void s_end_link (sim_net_port_t *port, sim_net_link_t *link)
{
    for (int c = 0; c < PEER_CHANNELS; c++) {
        sim_net_end_connection (port->net, &link->channels[c]);
        link->channels[c] = (sim_net_channel_t){0};
    }
}

static void s_disconnect (peer_port_t *base, uint32_t node_id)
{
    sim_net_port_t *self = (sim_net_port_t *) base;
    sim_net_link_t *link = s_find_link (self, node_id);
    if (link) {
        s_end_link (self, link);
        *link = self->links[--self->links_count];
    }
}

static int s_connect (peer_port_t *base, uint32_t node_id, const char *endpoint)
{
    sim_net_port_t *self = (sim_net_port_t *) base;
    if (strncmp (endpoint, "tcp://", 6) != 0) {
        s_disconnect (base, node_id);
        return DT_ERR_INVALID;
    }
    if (self->killed) {
        return 0; // nobody sees it any more
    }
    sim_net_link_t *link = s_find_link (self, node_id);
    if (link) {
        s_end_link (self, link);
    } else {
        self->links = dt_realloc (self->links, (self->links_count + 1) * sizeof *self->links);
        link = &self->links[self->links_count++];
        *link = (sim_net_link_t){.node_id = node_id};
    }
    snprintf (link->endpoint, sizeof link->endpoint, "%s", endpoint);
    for (int c = 0; c < PEER_CHANNELS; c++) {
        link->channels[c].retry_ns =
            sim_net_now_ns (self->net) + SIM_NET_US (50) + sim_net_delay (self->net);
    }
    return 0;
}

static int s_send (peer_port_t *base, uint32_t node_id, peer_channel_t channel, dt_buffer_t *frame)
{
    sim_net_port_t *self = (sim_net_port_t *) base;
    sim_net_link_t *link = s_find_link (self, node_id);
    if (!link || self->killed) {
        self->counters.gone++;
        return DT_ERR_NOT_FOUND;
    }
    if (!sim_net_takes (self, link, &link->channels[channel], frame->bytes)) {
        self->counters.busy++;
        return DT_ERR_AGAIN;
    }
    self->counters.sent++;
    self->counters.sent_bytes += frame->bytes;
    if (self->net->watch) {
        self->net->watch (self->net->watch_argument, self->node_id, node_id, frame->data,
                          frame->bytes);
    }
    sim_net_set_out (self->net, link->channels[channel].connection, frame);
    dt_buffer_clear (frame);
    return 0;
}

static int s_take (sim_net_list_t *list, transport_message_t *message, uint32_t *to)
{
    sim_net_frame_t *frame = list->head;
    if (!frame) {
        return DT_ERR_AGAIN;
    }
    sim_net_list_remove (list, frame);
    const sim_net_connection_t *connection = frame->connection;
    message->route.bytes = sizeof connection->id;
    memcpy (message->route.data, &connection->id, sizeof connection->id);
    message->delimiter = false;
    *to = connection->to;
    uint8_t *data = frame->bytes ? dt_memdup (frame->data, frame->bytes) : dt_malloc (1);
    message->data = data;
    message->bytes = frame->bytes;
    message->owner = data;
    message->release = free;
    sim_net_frame_free (frame);
    return 0;
}

static int s_receive (peer_port_t *base, transport_message_t *message)
{
    sim_net_port_t *self = (sim_net_port_t *) base;
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
    return s_take (&((sim_net_port_t *) base)->refusals, message, node_id);
}

// The connection with an id that goes to a port.
static sim_net_connection_t *s_find_connection (const sim_net_port_t *self, uint64_t id)
{
    for (sim_net_port_t *port = self->net->ports; port; port = port->next) {
        for (size_t i = 0; i < port->links_count; i++) {
            for (int c = 0; c < PEER_CHANNELS; c++) {
                sim_net_connection_t *connection = port->links[i].channels[c].connection;
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
    sim_net_port_t *self = (sim_net_port_t *) base;
    uint64_t id;
    dt_assert (route->bytes == sizeof id);
    memcpy (&id, route->data, sizeof id);
    sim_net_connection_t *connection = self->killed ? NULL : s_find_connection (self, id);
    if (connection) {
        sim_net_frame_t *frame = sim_net_frame_new (self->net, connection, data, bytes, true);
        sim_net_schedule (frame, sim_net_now_ns (self->net) + sim_net_delay (self->net));
    }
}

static void *s_poll_socket (peer_port_t *base)
{
    (void) base;
    return NULL;
}

static void s_notify (peer_port_t *base, void (*fn) (void *argument), void *argument)
{
    sim_net_port_t *self = (sim_net_port_t *) base;
    self->readable = fn;
    self->readable_argument = argument;
    if (fn && self->inbound.head) {
        fn (argument);
    }
}

static const transport_counters_t *s_counters (peer_port_t *base)
{
    return &((sim_net_port_t *) base)->counters;
}

void sim_net_kill (peer_port_t *port)
{
    sim_net_port_t *self = (sim_net_port_t *) port;
    if (self->killed) {
        return;
    }
    self->killed = true;
    sim_net_list_free (&self->inbound);
    sim_net_list_free (&self->refusals);
    // What the kernel had taken still leaves it.
    for (size_t i = 0; i < self->links_count; i++) {
        for (int c = 0; c < PEER_CHANNELS; c++) {
            sim_net_connection_unref (&self->links[i].channels[c].connection);
        }
    }
    free (self->links);
    self->links = NULL;
    self->links_count = 0;
}

static void s_close (peer_port_t **base_p)
{
    sim_net_port_t *self = (sim_net_port_t *) *base_p;
    *base_p = NULL;
    if (!self) {
        return;
    }
    sim_net_kill (&self->base);
    sim_net_port_t **place = &self->net->ports;
    while (*place != self) {
        place = &(*place)->next;
    }
    *place = self->next;
    free (self);
}

peer_port_t *sim_net_open (sim_net_t *self, uint32_t node_id, const char *endpoint)
{
    dt_assert (!sim_net_port_at (self, endpoint));
    sim_net_port_t *port = dt_zalloc (1, sizeof *port);
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
    (void) sim_net_index (self, node_id);
    port->life = ++self->lives;
    snprintf (port->endpoint, sizeof port->endpoint, "%s", endpoint);
    sim_net_list_init (&port->inbound);
    sim_net_list_init (&port->refusals);
    port->next = self->ports;
    self->ports = port;
    return &port->base;
}
