// dtbench_options - what is to be measured.

#ifndef DTBENCH_OPTIONS_H
#define DTBENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const char *endpoint;
    uint32_t group;
    bool get; // else put
    uint32_t value_bytes;
    uint32_t key_count;
    uint32_t pending_max; // over all clients
    uint32_t clients;
    uint32_t threads; // of sync mode, over all clients
    bool sync;
    bool plain; // one request per message, without the library
    bool session;
    double duration_s;
    double warmup_s;
    double rate; // requests a second, open loop; 0: closed loop
    uint32_t timeout_ms;
    uint64_t seed;
    uint32_t preload; // keys written first; 0: key_count before gets, else none
    bool no_preload;  // not even before gets
    int pid;          // of the node; 0: not known
    bool json;
    bool probe; // measure the machine in the same run
    bool probe_only;
    const char *directory; // where the probe writes
    double probe_s;        // length of each of its parts
} dtbench_options_t;

// Read the command line. 0, 1: help was printed, -1: it is wrong and the reason was printed.
int dtbench_options_parse (dtbench_options_t *self, int argc, char **argv);

#endif // DTBENCH_OPTIONS_H
