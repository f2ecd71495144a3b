#include "transport/peer_identity.h"

#include "base/dt_assert.h"

#define MS(n) (INT64_C (1000000) * (n))

#define PROBE_WAIT_MIN_NS MS (50)
#define PROBE_WAIT_MAX_NS MS (2000)
#define INTRUDER_WAIT_NS  MS (5000)

// Frames under way when a life or connection ended have arrived or are lost after this.
static int64_t s_late_ns (const peer_identity_t *self)
{
    return 2 * self->dead_after_ns;
}

void peer_identity_init (peer_identity_t *self, int64_t dead_after_ns)
{
    *self = (peer_identity_t){.dead_after_ns = dead_after_ns, .probe_wait_ns = PROBE_WAIT_MIN_NS};
}

static void s_accept (peer_identity_t *self, uint64_t boot_id, bool proven, int64_t now_ns)
{
    self->former = self->boot_id;
    self->former_until_ns = now_ns + s_late_ns (self);
    self->boot_id = boot_id;
    self->proven = proven;
    if (self->intruder == boot_id) {
        self->intruder = 0;
    }
}

static void s_note_intruder (peer_identity_t *self, uint64_t boot_id, int64_t since_ns,
                             int64_t now_ns)
{
    if (self->intruder != boot_id) {
        self->intruder = boot_id;
        self->intruder_since_ns = since_ns;
    }
    self->intruder_until_ns = now_ns + INTRUDER_WAIT_NS;
}

bool peer_identity_insists (const peer_identity_t *self, uint64_t boot_id, int64_t now_ns)
{
    return boot_id == self->intruder && now_ns - self->intruder_since_ns > s_late_ns (self);
}

// A node without an address is taken at its word, unless another life of it is still heard.
static peer_life_t s_judge_by_word (peer_identity_t *self, uint64_t boot_id, int64_t heard_ns,
                                    int64_t now_ns)
{
    if (self->boot_id != 0 && (self->proven || now_ns - heard_ns <= self->dead_after_ns)) {
        s_note_intruder (self, boot_id, now_ns, now_ns);
        return PEER_LIFE_CLAIMED;
    }
    s_accept (self, boot_id, false, now_ns);
    return PEER_LIFE_NEW;
}

peer_life_t peer_identity_judge (peer_identity_t *self, uint64_t boot_id, bool addressed,
                                 int64_t heard_ns, int64_t now_ns)
{
    dt_assert (boot_id != 0);
    if (boot_id == self->boot_id) {
        return PEER_LIFE_KNOWN;
    }
    if (boot_id == self->former && now_ns < self->former_until_ns) {
        return PEER_LIFE_STALE;
    }
    if (!addressed) {
        return s_judge_by_word (self, boot_id, heard_ns, now_ns);
    }
    if (boot_id == self->intruder && now_ns < self->intruder_until_ns) {
        return PEER_LIFE_CLAIMED;
    }
    if (boot_id != self->candidate) {
        self->candidate = boot_id;
        self->candidate_since_ns = now_ns;
        // An answer on its way to an older probe may be of a life that ended before this one began.
        self->nonce = 0;
        self->probe_wait_ns = PROBE_WAIT_MIN_NS;
        if (self->probe_ns > now_ns + PROBE_WAIT_MIN_NS) {
            self->probe_ns = now_ns;
        }
    }
    bool long_since = now_ns - self->candidate_since_ns > s_late_ns (self);
    return long_since ? PEER_LIFE_UNPROVEN : PEER_LIFE_WAITS;
}

bool peer_identity_probe_due (const peer_identity_t *self, int64_t now_ns)
{
    return (!self->proven || self->candidate != 0) && now_ns >= self->probe_ns;
}

uint64_t peer_identity_probe (peer_identity_t *self, uint64_t random, int64_t now_ns)
{
    if (self->nonce == 0) {
        self->nonce = random | 1;
    }
    self->probe_ns = now_ns + self->probe_wait_ns;
    self->probe_wait_ns *= 2;
    if (self->probe_wait_ns > PROBE_WAIT_MAX_NS) {
        self->probe_wait_ns = PROBE_WAIT_MAX_NS;
    }
    return self->nonce;
}

void peer_identity_readdress (peer_identity_t *self, int64_t now_ns)
{
    self->proven = false;
    self->nonce = 0;
    self->probe_ns = now_ns;
    self->probe_wait_ns = PROBE_WAIT_MIN_NS;
}

peer_life_t peer_identity_answered (peer_identity_t *self, uint64_t boot_id, uint64_t nonce,
                                    int64_t now_ns)
{
    if (self->nonce == 0 || nonce != self->nonce) {
        return PEER_LIFE_STALE;
    }
    self->nonce = 0;
    if (self->candidate != 0 && self->candidate != boot_id) {
        s_note_intruder (self, self->candidate, self->candidate_since_ns, now_ns);
    }
    self->candidate = 0;
    if (boot_id != self->boot_id) {
        s_accept (self, boot_id, true, now_ns);
        return PEER_LIFE_NEW;
    }
    self->proven = true;
    return PEER_LIFE_KNOWN;
}
