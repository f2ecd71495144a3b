// sim_client - simulated applications: random requests, lost replies, retries.

#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "base/dt_random.h"
#include "tests/sim/sim_check.h"
#include "tests/sim/sim_port.h"

typedef struct sim_clients sim_clients_t;

typedef struct {
    uint64_t seed;
    sim_check_t *check;     // borrowed
    uint32_t group;         // whom all requests are for; 0: the node's first
    uint32_t first_number;  // of the first client; the others follow
    uint32_t count;         // clients
    uint32_t window;        // requests in flight of each
    uint32_t names;         // different names of a segment
    uint32_t value_max;     // longest value
    uint32_t session_ppm;   // writes that go under a session
    uint32_t lost_ppm;      // replies that never arrive
    uint32_t duplicate_ppm; // frames that arrive twice
    uint32_t garbage_ppm;   // frames that are followed by a broken one
    uint32_t snapshot_ppm;  // requests that ask for a snapshot
    int64_t pause_ns;       // at most, between requests of one client
} sim_clients_options_t;

typedef struct {
    uint64_t sent;
    uint64_t answered;
    uint64_t retried; // under a session
    uint64_t given_up;
    uint64_t lost;
    uint64_t duplicated;
    uint64_t garbage;
    uint64_t refused;     // codes from 64 on
    uint64_t disk_failed; // of them, 74
} sim_clients_counters_t;

sim_clients_t *sim_clients_new (const sim_clients_options_t *options);
void sim_clients_destroy (sim_clients_t **self_p);

// When a client wants to act next.
int64_t sim_clients_next_ns (const sim_clients_t *self);

// Let the clients that are due act. ports: of the nodes 1, 2 ..; NULL: the node is down. A client
// keeps to a node until it is told of another leader or hears nothing.
void sim_clients_act (sim_clients_t *self, int64_t now_ns, sim_port_t *const *ports,
                      uint32_t ports_count);

// A frame of replies to a client; those of strangers are ignored. sim_port_reply_fn with the
// clients as argument.
void sim_clients_take (sim_clients_t *self, uint32_t client, const uint8_t *data, size_t bytes);

// No new requests from now on, and no more lost replies: finish what is outstanding.
void sim_clients_finish (sim_clients_t *self);

// How many requests have no final outcome.
uint32_t sim_clients_outstanding (const sim_clients_t *self);

const sim_clients_counters_t *sim_clients_counters (const sim_clients_t *self);

#endif // SIM_CLIENT_H
