#include "tests/sim/sim_port.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

typedef struct s_frame {
    struct s_frame *next; // younger
    uint32_t client;
    size_t bytes;
    uint8_t data[];
} s_frame_t;

struct sim_port {
    transport_port_t base;             // first: what the net actor sees
    s_frame_t *head;                   // oldest frame not received yet
    s_frame_t **tail;                  // where the next one goes
    sim_port_reply_fn *reply;          // whom replies go to
    void *argument;                    // of reply
    void (*readable) (void *argument); // of notify
    void *readable_argument;           // of notify
    bool cut;                          // see sim_port_cut
    transport_counters_t counters;
};

static int s_receive (transport_port_t *base, transport_message_t *message)
{
    sim_port_t *self = (sim_port_t *) base;
    s_frame_t *frame = self->head;
    if (!frame) {
        return DT_ERR_AGAIN;
    }
    self->head = frame->next;
    if (!self->head) {
        self->tail = &self->head;
    }
    message->route.bytes = sizeof frame->client;
    memcpy (message->route.data, &frame->client, sizeof frame->client);
    message->delimiter = false;
    message->data = frame->data;
    message->bytes = frame->bytes;
    message->owner = frame;
    message->release = free;
    self->counters.received++;
    return 0;
}

static int s_send (transport_port_t *base, const transport_route_t *route, bool delimiter,
                   dt_buffer_t *body)
{
    sim_port_t *self = (sim_port_t *) base;
    (void) delimiter;
    uint32_t client;
    dt_assert (route->bytes == sizeof client);
    memcpy (&client, route->data, sizeof client);
    if (self->cut) {
        return DT_ERR_NOT_FOUND;
    }
    self->counters.sent++;
    self->reply (self->argument, client, body->data, body->bytes);
    dt_buffer_clear (body);
    return 0;
}

static void *s_poll_socket (transport_port_t *base)
{
    (void) base;
    return NULL;
}

static void s_notify (transport_port_t *base, void (*fn) (void *argument), void *argument)
{
    sim_port_t *self = (sim_port_t *) base;
    self->readable = fn;
    self->readable_argument = argument;
}

static const transport_counters_t *s_counters (transport_port_t *base)
{
    return &((sim_port_t *) base)->counters;
}

static void s_close (transport_port_t **base_p)
{
    sim_port_t *self = (sim_port_t *) *base_p;
    *base_p = NULL;
    if (!self) {
        return;
    }
    while (self->head) {
        s_frame_t *frame = self->head;
        self->head = frame->next;
        free (frame);
    }
    free (self);
}

sim_port_t *sim_port_new (sim_port_reply_fn *reply, void *argument)
{
    sim_port_t *self = dt_zalloc (1, sizeof *self);
    self->base = (transport_port_t){
        .receive = s_receive,
        .send = s_send,
        .poll_socket = s_poll_socket,
        .notify = s_notify,
        .counters = s_counters,
        .close = s_close,
    };
    self->tail = &self->head;
    self->reply = reply;
    self->argument = argument;
    return self;
}

transport_port_t *sim_port_base (sim_port_t *self)
{
    return &self->base;
}

void sim_port_push (sim_port_t *self, uint32_t client, const void *data, size_t bytes)
{
    if (self->cut) {
        return;
    }
    s_frame_t *frame = dt_malloc (sizeof *frame + bytes);
    frame->next = NULL;
    frame->client = client;
    frame->bytes = bytes;
    memcpy (frame->data, data, bytes);
    *self->tail = frame;
    self->tail = &frame->next;
    if (self->readable) {
        self->readable (self->readable_argument);
    }
}

void sim_port_cut (sim_port_t *self)
{
    self->cut = true;
    while (self->head) {
        s_frame_t *frame = self->head;
        self->head = frame->next;
        free (frame);
    }
    self->tail = &self->head;
}
