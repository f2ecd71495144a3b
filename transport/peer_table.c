#include "transport/peer_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"

enum { STRANGERS_MAX = 64 }; // nodes remembered that no group names

// Where the group is, or would be.
static size_t s_group_place (const peer_table_t *self, uint32_t group_id)
{
    size_t low = 0, high = self->groups_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->groups[middle].group_id < group_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

peer_group_t *peer_table_group (peer_table_t *self, uint32_t group_id)
{
    size_t place = s_group_place (self, group_id);
    bool found = place < self->groups_count && self->groups[place].group_id == group_id;
    return found ? &self->groups[place] : NULL;
}

peer_link_t *peer_table_find (const peer_table_t *self, uint32_t node_id)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        if (self->peers[i]->node_id == node_id) {
            return self->peers[i];
        }
    }
    return NULL;
}

peer_link_t *peer_table_find_again (peer_table_t *self, uint32_t node_id)
{
    if (!self->last || self->last->node_id != node_id) {
        self->last = peer_table_find (self, node_id);
    }
    return self->last;
}

static void s_forget (peer_table_t *self, size_t place)
{
    self->last = NULL;
    peer_link_destroy (&self->peers[place]);
    self->peers[place] = self->peers[--self->peers_count];
    self->strangers--;
}

static void s_forget_oldest_stranger (peer_table_t *self)
{
    size_t oldest = SIZE_MAX;
    for (size_t i = 0; i < self->peers_count; i++) {
        const peer_link_t *peer = self->peers[i];
        if (peer->references == 0 &&
            (oldest == SIZE_MAX || peer->heard_ns < self->peers[oldest]->heard_ns)) {
            oldest = i;
        }
    }
    dt_assert (oldest != SIZE_MAX);
    s_forget (self, oldest);
}

// Anybody can name node ids in frames, so their number is bounded.
peer_link_t *peer_table_add (peer_table_t *self, uint32_t node_id)
{
    peer_link_t *peer = peer_table_find (self, node_id);
    if (!peer) {
        if (self->strangers >= STRANGERS_MAX) {
            s_forget_oldest_stranger (self);
        }
        size_t bytes = (self->peers_count + 1) * sizeof (peer_link_t *);
        self->peers = dt_realloc (self->peers, bytes);
        peer = peer_link_new (self->links, node_id);
        self->peers[self->peers_count++] = peer;
        self->strangers++;
    }
    return peer;
}

static bool s_names (const peer_group_t *group, uint32_t node_id)
{
    for (uint32_t i = 0; i < group->count; i++) {
        if (group->nodes[i] == node_id) {
            return true;
        }
    }
    return false;
}

static void s_free_reached (actor_message_t *message)
{
    free (message);
}

static void s_tell_reached (peer_table_t *self, const peer_group_t *group, const peer_link_t *peer)
{
    peer_reached_t *reached = dt_zalloc (1, sizeof *reached);
    reached->message.type = PEER_REACHED;
    reached->message.free_fn = s_free_reached;
    reached->node_id = peer->node_id;
    reached->boot_id = peer->identity.boot_id;
    actor_answer (self->actor, group->actor, &reached->message);
}

void peer_table_reached (peer_table_t *self, peer_link_t *peer)
{
    peer->reached = true;
    dt_log_info (self->links->env, "peers", "node %" PRIu32 " is there, life %016" PRIx64,
                 peer->node_id, peer->identity.boot_id);
    for (size_t i = 0; i < self->groups_count; i++) {
        if (s_names (&self->groups[i], peer->node_id)) {
            s_tell_reached (self, &self->groups[i], peer);
        }
    }
}

static void s_name (peer_table_t *self, peer_group_t *group, const peer_node_t *node,
                    int64_t now_ns)
{
    peer_link_t *peer = peer_table_add (self, node->node_id);
    if (peer->references++ == 0) {
        self->strangers--;
    }
    peer_link_open (peer, node->endpoint, now_ns);
    if (!s_names (group, node->node_id) && peer_link_connected (peer, now_ns)) {
        s_tell_reached (self, group, peer);
    }
}

static void s_unname (peer_table_t *self, uint32_t node_id)
{
    peer_link_t *peer = peer_table_find (self, node_id);
    dt_assert (peer);
    dt_assert (peer->references > 0);
    if (--peer->references == 0) {
        peer_link_close (peer);
        self->strangers++;
    }
}

static bool s_listed (const uint32_t *nodes, uint32_t count, uint32_t node_id)
{
    const peer_group_t list = {.nodes = (uint32_t *) (uintptr_t) nodes, .count = count};
    return s_names (&list, node_id);
}

// The new nodes first: a link that stays is not closed in between.
void peer_table_name (peer_table_t *self, const peer_nodes_t *nodes, int64_t now_ns)
{
    peer_group_t *group = peer_table_group (self, nodes->group_id);
    dt_assert (group);
    uint32_t *named = dt_malloc ((nodes->count + 1) * sizeof *named);
    uint32_t count = 0;
    for (uint32_t i = 0; i < nodes->count; i++) {
        const peer_node_t *node = &nodes->nodes[i];
        if (node->node_id != self->links->node_id && !s_listed (named, count, node->node_id)) {
            s_name (self, group, node, now_ns);
            named[count++] = node->node_id;
        }
    }
    for (uint32_t i = 0; i < group->count; i++) {
        s_unname (self, group->nodes[i]);
    }
    free (group->nodes);
    group->nodes = named;
    group->count = count;
}

void peer_table_add_group (peer_table_t *self, uint32_t group_id, actor_t *actor)
{
    dt_assert (group_id != 0);
    dt_assert (!peer_table_group (self, group_id));
    size_t place = s_group_place (self, group_id);
    self->groups = dt_realloc (self->groups, (self->groups_count + 1) * sizeof *self->groups);
    memmove (&self->groups[place + 1], &self->groups[place],
             (self->groups_count - place) * sizeof *self->groups);
    self->groups[place] = (peer_group_t){.group_id = group_id, .actor = actor};
    self->groups_count++;
}

void peer_table_deinit (peer_table_t *self)
{
    for (size_t i = 0; i < self->peers_count; i++) {
        peer_link_destroy (&self->peers[i]);
    }
    for (size_t i = 0; i < self->groups_count; i++) {
        free (self->groups[i].nodes);
    }
    free (self->peers);
    free (self->groups);
}
