// dtbench - load generator and yardstick.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dtkv/bench/dtbench_report.h"

static void s_sleep_until (uint64_t until_ns)
{
    struct timespec until = {(time_t) (until_ns / 1000000000), (long) (until_ns % 1000000000)};
    while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)) {
    }
}

// Let the load run for a while, telling of every second; the slowest whole second's rate.
static double s_watch (const dtbench_work_t *work, double seconds, const char *phase)
{
    uint64_t start_ns = dtbench_now_ns (), end_ns = start_ns + (uint64_t) (seconds * 1e9);
    uint64_t last_ns = start_ns, last = dtbench_work_done (work);
    double slowest = -1;
    for (int second = 1; last_ns < end_ns; second++) {
        uint64_t until_ns = start_ns + (uint64_t) second * 1000000000;
        bool whole = until_ns <= end_ns;
        s_sleep_until (whole ? until_ns : end_ns);
        uint64_t now_ns = dtbench_now_ns (), done = dtbench_work_done (work);
        double rate = (double) (done - last) * 1e9 / (double) (now_ns - last_ns);
        if ((whole || slowest < 0) && (slowest < 0 || rate < slowest)) {
            slowest = rate;
        }
        if (whole) {
            fprintf (stderr, "%s %3d s %12.0f /s\n", phase, second, rate);
        }
        last = done;
        last_ns = now_ns;
    }
    return slowest < 0 ? 0 : slowest;
}

static void s_measure (dtbench_report_t *report, dtbench_work_t *work)
{
    const dtbench_options_t *options = report->options;
    dtbench_usage_t bench_before = {0}, bench_after = {0}, node_before = {0};
    dtbench_work_start (work);
    s_watch (work, options->warmup_s, "warmup ");
    dtbench_process_usage (0, &bench_before);
    report->has_node = options->pid && dtbench_process_usage (options->pid, &node_before);
    uint64_t start_ns = dtbench_now_ns (), before = dtbench_work_done (work);
    dtbench_work_measure (work);
    report->rate_min = s_watch (work, options->duration_s, "measure");
    report->done = dtbench_work_done (work) - before;
    report->seconds = (double) (dtbench_now_ns () - start_ns) / 1e9;
    dtbench_process_usage (0, &bench_after);
    report->bench_cpu = (bench_after.cpu_s - bench_before.cpu_s) / report->seconds;
    if (report->has_node) {
        report->has_node = dtbench_process_usage (options->pid, &report->node);
        report->node_cpu = (report->node.cpu_s - node_before.cpu_s) / report->seconds;
    }
    dtbench_work_stop (work);
    dtbench_work_collect (work, &report->latencies, report->failures);
    for (int code = 0; code < DTBENCH_CODES; code++) {
        report->failed += report->failures[code];
    }
    report->rate = (double) report->done / report->seconds;
    report->has_work = true;
}

static int s_run (dtbench_report_t *report)
{
    const dtbench_options_t *options = report->options;
    if (options->probe) { // first: it forks
        if (dtbench_probe_run (&report->probe, options->directory, options->probe_s)) {
            return 3;
        }
        report->has_probe = true;
    }
    if (!options->probe_only) {
        dtbench_work_t *work = dtbench_work_new (options);
        if (!work) {
            return 3;
        }
        s_measure (report, work);
        dtbench_work_destroy (&work);
    }
    if (options->json) {
        dtbench_report_print_json (report);
    } else {
        dtbench_report_print (report);
    }
    return report->failed || (report->has_work && report->done == 0) ? 1 : 0;
}

int main (int argc, char **argv)
{
    dtbench_options_t options;
    int rc = dtbench_options_parse (&options, argc, argv);
    if (rc) {
        return rc < 0 ? 2 : 0;
    }
    static dtbench_report_t report;
    report.options = &options;
    return s_run (&report);
}
