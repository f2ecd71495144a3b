// dtbench_report - the figures of a run, for people and for programs.

#ifndef DTBENCH_REPORT_H
#define DTBENCH_REPORT_H

#include "dtkv/bench/dtbench_probe.h"
#include "dtkv/bench/dtbench_process.h"
#include "dtkv/bench/dtbench_work.h"

typedef struct {
    const dtbench_options_t *options;
    bool has_probe;
    dtbench_probe_t probe;
    bool has_work;
    double seconds;  // measured
    uint64_t done;   // requests in them
    double rate;     // a second
    double rate_min; // of the worst whole second
    dtbench_histogram_t latencies;
    uint64_t failures[DTBENCH_CODES];
    uint64_t failed;
    double bench_cpu; // cores used by this process
    bool has_node;
    double node_cpu;
    dtbench_usage_t node; // at the end
} dtbench_report_t;

void dtbench_report_print (const dtbench_report_t *self);
void dtbench_report_print_json (const dtbench_report_t *self);

#endif // DTBENCH_REPORT_H
