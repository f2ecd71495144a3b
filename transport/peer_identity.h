// peer_identity - which process a node id belongs to. Pure.
//
// A node id belongs to the process that answers at the address the configuration has for it
// [RAFT-19]. A life (boot id) that is not known is a candidate; a probe is sent to the address, and
// the life that answers is accepted, whether it was the candidate or not:
//
//     nobody --taken at its word (no address)--> accepted, not proven
//     nobody, or accepted L --frame of C--> candidate C, probed
//     candidate C --answered by C--> accepted C, proven; L is the former life
//     candidate C --answered by A--> accepted A, proven; C is an intruder for a while
//     candidate C --no answer for long--> C is told that it is not proven
//
// A life not proven is replaced when it was silent for long; a proven one only by an answer.

#ifndef PEER_IDENTITY_H
#define PEER_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t dead_after_ns;      // silence after which a life may be gone
    uint64_t boot_id;           // accepted life; 0: none
    bool proven;                // it answered at the address
    uint64_t former;            // life before it; 0: none
    int64_t former_until_ns;    // frames of `former` may still be on their way
    uint64_t candidate;         // asks to be accepted; 0: nobody
    int64_t candidate_since_ns; //
    uint64_t intruder;          // was not the one that answered; 0: nobody
    int64_t intruder_since_ns;  // heard since then
    int64_t intruder_until_ns;  // then it may try again
    uint64_t nonce;             // of the open probe; 0: none is open
    int64_t probe_ns;           // when the next probe may be sent
    int64_t probe_wait_ns;      // then until the next one; grows
} peer_identity_t;

typedef enum {
    PEER_LIFE_KNOWN,    // deliver its messages
    PEER_LIFE_NEW,      // the same, and it was not known before
    PEER_LIFE_WAITS,    // drop them: not proven yet
    PEER_LIFE_STALE,    // drop them: they come from a life that is over
    PEER_LIFE_CLAIMED,  // refuse: another process answers for this node
    PEER_LIFE_UNPROVEN, // refuse: nobody answers for this node
} peer_life_t;

void peer_identity_init (peer_identity_t *self, int64_t dead_after_ns);

// Judge a frame of a life. addressed: the node's address is known, so that it can be probed.
// heard_ns: when the accepted life was heard last.
peer_life_t peer_identity_judge (peer_identity_t *self, uint64_t boot_id, bool addressed,
                                 int64_t heard_ns, int64_t now_ns);

// Whether a probe is due.
bool peer_identity_probe_due (const peer_identity_t *self, int64_t now_ns);

// A probe is sent now: returns its nonce, made of `random` if none is open.
uint64_t peer_identity_probe (peer_identity_t *self, uint64_t random, int64_t now_ns);

// Whether a life that was judged CLAIMED has been heard for so long that it must be a process, and
// not late frames of one that is gone.
bool peer_identity_insists (const peer_identity_t *self, uint64_t boot_id, int64_t now_ns);

// The address is another one, or was not known before: its life has to prove itself.
void peer_identity_readdress (peer_identity_t *self, int64_t now_ns);

// A life answered a probe. PEER_LIFE_NEW: it is accepted now and was not before. PEER_LIFE_KNOWN:
// it was. PEER_LIFE_STALE: the nonce is not that of the open probe.
peer_life_t peer_identity_answered (peer_identity_t *self, uint64_t boot_id, uint64_t nonce,
                                    int64_t now_ns);

#endif // PEER_IDENTITY_H
