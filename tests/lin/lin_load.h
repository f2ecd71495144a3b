// lin_load - clients that ask a store random things and write down what they were told.

#ifndef LIN_LOAD_H
#define LIN_LOAD_H

#include "base/dt_random.h"
#include "dtkv/client/dt_client.h"
#include "tests/lin/lin_history.h"

enum {
    LOAD_CLIENTS_MAX = 64,
    LOAD_KEYS_MAX = 16,
    LOAD_DIRECTORY_BYTES_MAX = 32,
    LOAD_ENDPOINTS_MAX = 16,
    LOAD_SECONDS_MAX = 7200,
    LOAD_RATE_MAX = 10000,
    LOAD_TIMEOUT_MS_MAX = 60000,
};

typedef struct {
    char endpoints[LOAD_ENDPOINTS_MAX][128];
    uint32_t endpoint_count;
    uint32_t clients;
    uint32_t keys;
    uint32_t seconds;
    uint32_t rate; // operations a second of one client
    uint32_t timeout_ms;
    uint32_t final_ms; // how long the last reads may take; 0: none
    uint64_t seed;
    const char *directory; // of the keys; nobody else writes there
    const char *out;
} load_options_t;

// What the clients of one run share: the numbers of values, and which value a key had lately.
typedef struct {
    const load_options_t *options;
    uint64_t next_value;            // atomic
    uint64_t lately[LOAD_KEYS_MAX]; // atomic
    uint64_t end_ns;
} load_shared_t;

typedef struct {
    load_shared_t *shared;
    uint32_t number; // 1 ..
    uint32_t node;   // 1 ..: the endpoint it asks first
    dt_client_t *client;
    dt_random_t random;
    lin_history_t history;
    uint64_t stale_index; // up to which its stale reads have seen
    const char *problem;  // an answer that no store gives
} load_client_t;

uint64_t load_now_ns (void);

// Begin a history: a key's number is its place among the keys.
void load_history_init (lin_history_t *history, uint32_t keys);

// Connect, the client's own endpoint first. DT_* code.
int load_client_open (load_client_t *self, uint32_t timeout_ms);

// One random operation, with its answer, into the history.
void load_client_step (load_client_t *self);

// A linearizable read of each key.
void load_client_read_all (load_client_t *self);

#endif // LIN_LOAD_H
