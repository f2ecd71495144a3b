// sim_register - simulated applications that use a few keys as registers, so that all they were
// told can be judged for linearizability [LIN-1].
//
// Each asks one thing at a time: get in every read mode, put, remove, compare and set, of values
// that are written once. A write without an answer, or with one that does not say, may have
// happened.

#ifndef SIM_REGISTER_H
#define SIM_REGISTER_H

#include "base/dt_random.h"
#include "tests/lin/lin_history.h"
#include "tests/sim/sim_check.h"
#include "tests/sim/sim_port.h"

typedef struct sim_registers sim_registers_t;

typedef struct {
    uint64_t seed;
    sim_check_t *check;    // borrowed
    uint32_t group;        // whom all requests are for
    uint32_t first_number; // of the first client; the others follow
    uint32_t count;        // clients
    uint32_t keys;
    int64_t pause_ns; // at most, between requests of one client
} sim_registers_options_t;

sim_registers_t *sim_registers_new (const sim_registers_options_t *options);
void sim_registers_destroy (sim_registers_t **self_p);

// When a client wants to act next.
int64_t sim_registers_next_ns (const sim_registers_t *self);

// Let the clients that are due act. ports: of the nodes 1, 2 ..; NULL: the node is down.
void sim_registers_act (sim_registers_t *self, int64_t now_ns, sim_port_t *const *ports,
                        uint32_t ports_count);

// A frame of replies to a client; those of strangers are ignored.
void sim_registers_take (sim_registers_t *self, int64_t now_ns, uint32_t client,
                         const uint8_t *data, size_t bytes);

// From now on only reads are asked, of each key by every client until it was answered.
void sim_registers_finish (sim_registers_t *self);
bool sim_registers_finished (const sim_registers_t *self);

// Everything asked and told so far.
const lin_history_t *sim_registers_history (const sim_registers_t *self);

#endif // SIM_REGISTER_H
