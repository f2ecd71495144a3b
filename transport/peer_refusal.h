// peer_refusal - why frames of other nodes are not taken: said to them, and to the operator on both
// sides. Used by the peer actor only, on its thread.
//
// At most one refusal in 100 ms and one log line in 10 s for each peer, and for each reason over
// all senders that are no peers.

#ifndef PEER_REFUSAL_H
#define PEER_REFUSAL_H

#include "transport/peer_link.h"

// Refusals to senders that are no peers, by code. Zeroed: none yet.
typedef struct {
    int64_t refusal_ns[PEER_REFUSAL_MALFORMED + 1]; // before, no further one is sent ...
    int64_t log_ns[PEER_REFUSAL_MALFORMED + 1];     // ... or logged
} peer_refuser_t;

// Refuse a frame that is not for this node to take: of another version or cluster, for another
// node, with this node's own id, or malformed. rc: what peer_frame_read said. False: it is not.
bool peer_refuse_foreign (peer_refuser_t *self, const peer_links_t *links,
                          const transport_route_t *route, const peer_frame_t *frame, int rc,
                          int64_t now_ns);

// Refuse a frame of a life that was judged CLAIMED or UNPROVEN; the other verdicts: no-op.
void peer_refuse_life (peer_link_t *peer, const transport_route_t *route,
                       const peer_header_t *header, peer_life_t life, int64_t now_ns);

// A refusal came back on the link to a peer: log what it means.
void peer_refused_us (peer_link_t *peer, const uint8_t *data, size_t bytes, int64_t now_ns);

#endif // PEER_REFUSAL_H
