#include "transport/peer_message.h"

#include <stdlib.h>

#include "base/dt_memory.h"

static void s_message_free (actor_message_t *message)
{
    peer_message_t *self = (peer_message_t *) message;
    dt_buffer_deinit (&self->head);
    dt_blob_unref (&self->blob);
    free (self);
}

peer_message_t *peer_message_new (void)
{
    peer_message_t *self = dt_zalloc (1, sizeof *self);
    self->message.type = PEER_MESSAGE;
    self->message.free_fn = s_message_free;
    return self;
}

void peer_message_destroy (peer_message_t **self_p)
{
    if (*self_p) {
        s_message_free (&(*self_p)->message);
        *self_p = NULL;
    }
}

static void s_nodes_free (actor_message_t *message)
{
    free (((peer_nodes_t *) message)->nodes);
    free (message);
}

peer_nodes_t *peer_nodes_new (uint32_t group_id, uint32_t count)
{
    peer_nodes_t *self = dt_zalloc (1, sizeof *self);
    self->message.type = PEER_NODES;
    self->message.free_fn = s_nodes_free;
    self->group_id = group_id;
    self->count = count;
    self->nodes = dt_zalloc (count ? count : 1, sizeof *self->nodes);
    return self;
}
