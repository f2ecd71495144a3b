// What clients are told by the group itself: refusals, and answers to administrators.

#include "base/dt_error.h"
#include "raft/raft_group_internal.h"

void raft_group_send_replies (raft_group_t *self, net_replies_t *replies)
{
    actor_message_t *message = &replies->message;
    if (self->net) {
        actor_answer (self->actor, self->net, message);
    } else {
        actor_message_free (&message);
    }
}

// Who leads and where clients reach it, for those who asked the wrong node.
static net_hint_t s_hint (const raft_group_t *self)
{
    net_hint_t hint = {.leader_id = self->leader};
    const raft_node_info_t *node =
        self->leader && self->config ? raft_config_node (self->config, self->leader) : NULL;
    if (node && node->service[0]) {
        hint.leader_address = node->service;
    }
    return hint;
}

void raft_group_refuse (raft_group_t *self, const net_requests_t *requests, uint32_t from,
                        uint32_t to, int rc, const char *text)
{
    net_replies_t *replies = net_replies_new ();
    net_hint_t hint = s_hint (self);
    net_replies_refuse (replies, requests, from, to, rc, text, &hint);
    raft_group_send_replies (self, replies);
}

void raft_group_refuse_all (raft_group_t *self, net_requests_t *requests, int rc, const char *text)
{
    raft_group_refuse (self, requests, 0, requests->count, rc, text);
    net_requests_free (requests);
}

void raft_group_answer (raft_group_t *self, net_requests_t *requests, int rc, uint64_t index,
                        const dt_buffer_t *body, const char *text)
{
    if (rc != 0) {
        raft_group_refuse_all (self, requests, rc, text);
        return;
    }
    net_replies_t *replies = net_replies_new ();
    net_replies_add (replies, requests, 0,
                     &(net_answer_t){
                         .index = index,
                         .body = body ? body->data : NULL,
                         .body_bytes = body ? body->bytes : 0,
                     });
    raft_group_send_replies (self, replies);
    net_requests_free (requests);
}
