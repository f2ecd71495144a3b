// sim_main - what the simulator's programs have in common: options, seeds run twice and compared,
// the line that replays a failing seed, planted bugs.

#ifndef SIM_MAIN_H
#define SIM_MAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dt_buffer.h"

typedef struct {
    uint64_t trace;     // hash of everything that happened
    int64_t virtual_ns; // how long the run was
    char failure[400];  // empty: nothing was found wrong
} sim_result_t;

typedef struct {
    const char *name;    // of the program
    size_t totals_bytes; // of what runs add up
    // Run a seed. Events' hashes are appended to `events` (uint64_t each). verbose: the nodes' log
    // and the faults go to stderr.
    void (*run) (uint64_t seed, bool verbose, dt_buffer_t *events, void *totals,
                 sim_result_t *result);
    void (*print_totals) (const void *totals);
} sim_program_t;

// The whole program; returns its exit code.
int sim_main (const sim_program_t *program, int argc, char **argv);

#endif // SIM_MAIN_H
