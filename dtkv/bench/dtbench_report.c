#include "dtkv/bench/dtbench_report.h"

#include <stdio.h>

static double s_us (const dtbench_report_t *self, double share)
{
    return (double) dtbench_histogram_quantile (&self->latencies, share) / 1000;
}

static double s_max_us (const dtbench_report_t *self)
{
    return (double) self->latencies.max / 1000;
}

static double s_mean_us (const dtbench_report_t *self)
{
    return self->latencies.count
               ? (double) self->latencies.sum / (double) self->latencies.count / 1000
               : 0;
}

static double s_echo_ratio (const dtbench_report_t *self)
{
    return self->probe.echo_rate > 0 ? self->rate / self->probe.echo_rate : 0;
}

static const char *s_code_name (int code)
{
    return code == DTBENCH_CODE_WRONG_VALUE ? "WRONG_VALUE" : dt_code_name (code);
}

static void s_print_probe (const dtbench_probe_t *probe)
{
    printf ("echo, 2000 in flight   %12.0f /s\n", probe->echo_rate);
    printf ("echo, 1 in flight      %12.0f /s   %.1f us\n", probe->echo_one_rate,
            probe->echo_one_us);
    printf ("4 KiB and fdatasync    %12.1f us\n", probe->fdatasync_us);
}

static void s_print_work (const dtbench_report_t *self)
{
    printf ("throughput             %12.0f /s\n", self->rate);
    printf ("worst second           %12.0f /s\n", self->rate_min);
    printf ("latency mean           %12.1f us\n", s_mean_us (self));
    printf ("latency p50            %12.1f us\n", s_us (self, 0.5));
    printf ("latency p99            %12.1f us\n", s_us (self, 0.99));
    printf ("latency p99.9          %12.1f us\n", s_us (self, 0.999));
    printf ("latency max            %12.1f us\n", s_max_us (self));
    printf ("cpu of dtbench         %12.2f cores\n", self->bench_cpu);
    if (self->has_node) {
        printf ("cpu of the node        %12.2f cores\n", self->node_cpu);
        printf ("memory of the node     %12.1f MiB   (at most %.1f)\n",
                (double) self->node.rss_bytes / 1048576,
                (double) self->node.rss_bytes_max / 1048576);
    }
    printf ("failed                 %12llu\n", (unsigned long long) self->failed);
    for (int code = 0; code < DTBENCH_CODES; code++) {
        if (self->failures[code]) {
            printf ("  %-20s %12llu\n", s_code_name (code),
                    (unsigned long long) self->failures[code]);
        }
    }
}

void dtbench_report_print (const dtbench_report_t *self)
{
    if (self->has_probe) {
        s_print_probe (&self->probe);
    }
    if (self->has_work) {
        s_print_work (self);
    }
    if (self->has_probe && self->has_work) {
        printf ("throughput / echo      %12.2f\n", s_echo_ratio (self));
        printf ("p50 / (round trip + fdatasync) %4.2f\n",
                s_us (self, 0.5) / (self->probe.echo_one_us + self->probe.fdatasync_us));
    }
}

static const char *s_mode (const dtbench_options_t *options)
{
    return options->sync ? "sync" : options->plain ? "plain" : options->rate > 0 ? "rate" : "async";
}

static void s_print_json_work (const dtbench_report_t *self)
{
    const dtbench_options_t *options = self->options;
    printf ("\"op\": \"%s\", \"mode\": \"%s\", \"session\": %s, \"value_size\": %u, "
            "\"key_count\": %u, \"max_pending\": %u, \"clients\": %u, \"threads\": %u, ",
            options->get ? "get" : "put", s_mode (options), options->session ? "true" : "false",
            options->value_bytes, options->key_count, options->pending_max, options->clients,
            options->threads);
    printf ("\"seconds\": %.3f, \"requests\": %llu, \"throughput\": %.1f, "
            "\"throughput_min\": %.1f, ",
            self->seconds, (unsigned long long) self->done, self->rate, self->rate_min);
    printf ("\"latency_us\": {\"mean\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"p99.9\": %.1f, "
            "\"max\": %.1f}, ",
            s_mean_us (self), s_us (self, 0.5), s_us (self, 0.99), s_us (self, 0.999),
            s_max_us (self));
    printf ("\"bench_cpu\": %.3f, ", self->bench_cpu);
    if (self->has_node) {
        printf ("\"node\": {\"cpu\": %.3f, \"rss_bytes\": %llu, \"rss_bytes_max\": %llu}, ",
                self->node_cpu, (unsigned long long) self->node.rss_bytes,
                (unsigned long long) self->node.rss_bytes_max);
    }
    printf ("\"failed\": %llu, \"failures\": {", (unsigned long long) self->failed);
    const char *comma = "";
    for (int code = 0; code < DTBENCH_CODES; code++) {
        if (self->failures[code]) {
            printf ("%s\"%s\": %llu", comma, s_code_name (code),
                    (unsigned long long) self->failures[code]);
            comma = ", ";
        }
    }
    printf ("}");
}

void dtbench_report_print_json (const dtbench_report_t *self)
{
    printf ("{");
    if (self->has_probe) {
        const dtbench_probe_t *probe = &self->probe;
        printf ("\"probe\": {\"echo\": %.1f, \"echo_one\": %.1f, \"echo_one_us\": %.1f, "
                "\"fdatasync_us\": %.1f}%s",
                probe->echo_rate, probe->echo_one_rate, probe->echo_one_us, probe->fdatasync_us,
                self->has_work ? ", " : "");
    }
    if (self->has_work) {
        s_print_json_work (self);
    }
    if (self->has_probe && self->has_work) {
        printf (", \"throughput_per_echo\": %.3f", s_echo_ratio (self));
    }
    printf ("}\n");
}
