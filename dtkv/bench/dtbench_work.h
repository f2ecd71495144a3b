// dtbench_work - the load: what is asked, by whom, and what came of it.
//
// A worker is one client object with its requests in flight, or one thread of synchronous calls, or
// one plain DEALER. Its figures are written by one thread only; others read `done` while it runs
// and the rest after dtbench_work_stop.

#ifndef DTBENCH_WORK_H
#define DTBENCH_WORK_H

#include <stdatomic.h>

#include "base/dt_random.h"
#include "dtkv/bench/dtbench_histogram.h"
#include "dtkv/bench/dtbench_options.h"
#include "dtkv/client/dt_client.h"

enum {
    DTBENCH_CODES = 256,
    DTBENCH_CODE_WRONG_VALUE = 255, // a get's value is not what was put
};

typedef enum {
    DTBENCH_WARMUP,
    DTBENCH_MEASURE,
    DTBENCH_STOP,
} dtbench_phase_t;

typedef struct {
    const dtbench_options_t *options;
    _Atomic (uint32_t) *phase;
    dt_random_t random;
    dtbench_histogram_t latencies;    // of the measured phase
    uint64_t failures[DTBENCH_CODES]; // of both phases, by code
    _Atomic (uint64_t) done;          // requests completed, whatever their result
    uint64_t checks;                  // values of gets, so far
    uint8_t *value;                   // being put
} dtbench_worker_t;

void dtbench_worker_init (dtbench_worker_t *self, const dtbench_options_t *options,
                          _Atomic (uint32_t) *phase, uint32_t number);
void dtbench_worker_deinit (dtbench_worker_t *self);

// The next key's number and path; returns the path's length.
uint32_t dtbench_next_key (dtbench_worker_t *self, char *path, size_t *path_bytes);

// Write the value of a key: it says which key it belongs to, all over.
void dtbench_fill_value (const dtbench_options_t *options, uint32_t key, uint8_t *value);

// Count a result in. start_ns: when the request was sent, or was due.
void dtbench_count (dtbench_worker_t *self, int code, uint64_t start_ns, uint64_t now_ns);

// Look at a get's value; the size always, the content now and then. The code to count.
int dtbench_check_value (dtbench_worker_t *self, const dt_result_t *result, uint32_t key);

typedef struct dtbench_work dtbench_work_t;

// Open clients, make the directory, write the keys that have to be there. NULL: the reason was
// printed.
dtbench_work_t *dtbench_work_new (const dtbench_options_t *options);
void dtbench_work_destroy (dtbench_work_t **self_p);

// Start the load, which runs in the warm-up phase.
void dtbench_work_start (dtbench_work_t *self);
void dtbench_work_measure (dtbench_work_t *self);
// End it and wait for the requests in flight.
void dtbench_work_stop (dtbench_work_t *self);

// Requests completed so far.
uint64_t dtbench_work_done (const dtbench_work_t *self);

// After stop: the figures of all workers.
void dtbench_work_collect (const dtbench_work_t *self, dtbench_histogram_t *latencies,
                           uint64_t *failures);

// A plain worker's thread: one request per message, `pending` in flight, until the phase is stop.
void dtbench_plain_run (dtbench_worker_t *self, uint32_t pending);

#endif // DTBENCH_WORK_H
