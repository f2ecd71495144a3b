#include "transport/peer_refusal.h"

#include <inttypes.h>

#include "base/dt_error.h"

#define MS(n) (INT64_C (1000000) * (n))

#define REFUSAL_EVERY_NS MS (100)
#define LOG_EVERY_NS     MS (10000)

// Whether a limit permits one more now.
static bool s_permits (int64_t *next_ns, int64_t every_ns, int64_t now_ns)
{
    if (now_ns < *next_ns) {
        return false;
    }
    *next_ns = now_ns + every_ns;
    return true;
}

static void s_tell (const peer_links_t *links, const transport_route_t *route,
                    peer_refusal_code_t code, const char *text, uint64_t expected)
{
    dt_buffer_t frame = {0};
    peer_refusal_write (&frame, code, text, expected);
    links->port->send_refusal (links->port, route, frame.data, frame.bytes);
    dt_buffer_deinit (&frame);
}

// --- senders that are no peers -------------------------------------------------------------------

static void s_log_foreign (const peer_links_t *links, peer_refusal_code_t code,
                           const peer_frame_t *frame)
{
    const peer_header_t *header = &frame->header;
    switch (code) {
    case PEER_REFUSAL_VERSION:
        dt_log_error (links->env, "peers",
                      "a node speaks version %" PRIu64 " of the peer protocol, this node version "
                      "%d: refused; run versions that fit each other",
                      frame->version, PEER_PROTOCOL_VERSION);
        break;
    case PEER_REFUSAL_CLUSTER:
        dt_log_error (links->env, "peers",
                      "node %" PRIu32 " of cluster %" PRIu64
                      " sends to this node of cluster %" PRIu64
                      ": refused; check cluster ids and addresses in both configurations",
                      header->from, header->cluster_id, links->cluster_id);
        break;
    case PEER_REFUSAL_ADDRESSEE:
        dt_log_error (links->env, "peers",
                      "node %" PRIu32 " takes this node, %" PRIu32 ", for node %" PRIu32
                      ": refused; check the addresses in its configuration",
                      header->from, links->node_id, header->to);
        break;
    case PEER_REFUSAL_CLAIMED:
        dt_log_error (links->env, "peers",
                      "node %" PRIu32 " is claimed by two processes: this one and another one that "
                      "sends to it, which is refused; stop one of them",
                      links->node_id);
        break;
    default:
        dt_log_error (links->env, "peers",
                      "bytes came that are no frame of a node; who else connects to the "
                      "replicate endpoint?");
        break;
    }
}

static peer_refusal_code_t s_judge_foreign (const peer_links_t *links, const peer_frame_t *frame,
                                            int rc, uint64_t *expected)
{
    const peer_header_t *header = &frame->header;
    *expected = 0;
    if (rc == DT_ERR_PROTOCOL_VERSION) {
        *expected = PEER_PROTOCOL_VERSION;
        return PEER_REFUSAL_VERSION;
    }
    if (rc != 0) {
        return PEER_REFUSAL_MALFORMED;
    }
    if (header->cluster_id != links->cluster_id) {
        *expected = links->cluster_id;
        return PEER_REFUSAL_CLUSTER;
    }
    if (header->to != links->node_id) {
        *expected = links->node_id;
        return PEER_REFUSAL_ADDRESSEE;
    }
    if (header->from == links->node_id) {
        *expected = links->boot_id;
        return PEER_REFUSAL_CLAIMED;
    }
    return 0;
}

bool peer_refuse_foreign (peer_refuser_t *self, const peer_links_t *links,
                          const transport_route_t *route, const peer_frame_t *frame, int rc,
                          int64_t now_ns)
{
    uint64_t expected;
    peer_refusal_code_t code = s_judge_foreign (links, frame, rc, &expected);
    if (code == 0) {
        return false;
    }
    if (s_permits (&self->refusal_ns[code], REFUSAL_EVERY_NS, now_ns)) {
        s_tell (links, route, code, "refused; see the log of this node", expected);
    }
    if (s_permits (&self->log_ns[code], LOG_EVERY_NS, now_ns)) {
        s_log_foreign (links, code, frame);
    }
    return true;
}

// --- peers ---------------------------------------------------------------------------------------

void peer_refuse_life (peer_link_t *peer, const transport_route_t *route,
                       const peer_header_t *header, peer_life_t life, int64_t now_ns)
{
    if (life != PEER_LIFE_CLAIMED && life != PEER_LIFE_UNPROVEN) {
        return;
    }
    const peer_links_t *links = peer->links;
    bool claimed = life == PEER_LIFE_CLAIMED;
    if (s_permits (&peer->refusal_ns, REFUSAL_EVERY_NS, now_ns)) {
        s_tell (links, route, claimed ? PEER_REFUSAL_CLAIMED : PEER_REFUSAL_UNPROVEN,
                claimed ? "another process answers for this node id"
                        : "nobody answers at the address of this node id",
                claimed ? peer->identity.boot_id : 0);
    }
    if (claimed && !peer_identity_insists (&peer->identity, header->boot_id, now_ns)) {
        return; // perhaps late frames of a life that is over: no reason to alarm anybody
    }
    if (!s_permits (&peer->refuse_log_ns, LOG_EVERY_NS, now_ns)) {
        return;
    }
    if (claimed) {
        dt_log_error (links->env, "peers",
                      "node %" PRIu32 " is claimed by two processes: life %016" PRIx64
                      " answers at %s, life %016" PRIx64 " does not and is refused; stop it",
                      peer->node_id, peer->identity.boot_id,
                      peer->endpoint[0] ? peer->endpoint : "an address not known here",
                      header->boot_id);
    } else {
        dt_log_error (links->env, "peers",
                      "node %" PRIu32 " sends, but nobody answers for it at %s: refused; is that "
                      "its address?",
                      peer->node_id, peer->endpoint);
    }
}

void peer_refused_us (peer_link_t *peer, const uint8_t *data, size_t bytes, int64_t now_ns)
{
    peer_refusal_t refusal;
    if (peer_refusal_read (data, bytes, &refusal) != 0 ||
        !s_permits (&peer->refused_log_ns, LOG_EVERY_NS, now_ns)) {
        return;
    }
    const peer_links_t *links = peer->links;
    switch (refusal.code) {
    case PEER_REFUSAL_CLUSTER:
        dt_log_error (links->env, "peers",
                      "node %" PRIu32 " at %s refuses this node: it belongs to cluster %" PRIu64
                      ", this node to cluster %" PRIu64 "; check both configurations",
                      peer->node_id, peer->endpoint, refusal.expected, links->cluster_id);
        break;
    case PEER_REFUSAL_ADDRESSEE:
        dt_log_error (links->env, "peers",
                      "who is at %s refuses this node: it is node %" PRIu64 ", not node %" PRIu32
                      "; check the addresses in the configuration",
                      peer->endpoint, refusal.expected, peer->node_id);
        break;
    case PEER_REFUSAL_CLAIMED:
        dt_log_error (links->env, "peers",
                      "node %" PRIu32 " refuses this node: node %" PRIu32
                      " is claimed by two processes, and the other one, life %016" PRIx64
                      ", answers at the address the cluster has for it; stop one of them",
                      peer->node_id, links->node_id, refusal.expected);
        break;
    case PEER_REFUSAL_UNPROVEN:
        dt_log_error (links->env, "peers",
                      "node %" PRIu32 " refuses this node: nobody answers at the address the "
                      "cluster has for node %" PRIu32
                      "; is this node's replicate endpoint that one?",
                      peer->node_id, links->node_id);
        break;
    case PEER_REFUSAL_VERSION:
        dt_log_error (
            links->env, "peers",
            "node %" PRIu32 " at %s refuses this node: it speaks version %" PRIu64
            " of the peer protocol, this node version %d; run versions that fit each other",
            peer->node_id, peer->endpoint, refusal.expected, PEER_PROTOCOL_VERSION);
        break;
    default:
        dt_log_error (
            links->env, "peers", "node %" PRIu32 " at %s refuses this node (%s, code %" PRIu64 ")",
            peer->node_id, peer->endpoint, peer_refusal_name (refusal.code), refusal.code);
        break;
    }
}
