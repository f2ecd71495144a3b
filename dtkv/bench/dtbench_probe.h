// dtbench_probe - what the machine can do, without any of the store.
//
// Echo: one DEALER in this process, one ROUTER thread in a forked one, TCP loopback, one I/O thread
// each, HWM 0, 300-byte requests, 10-byte replies, one request per message. Disk: append of
// 4 KiB and fdatasync.

#ifndef DTBENCH_PROBE_H
#define DTBENCH_PROBE_H

typedef struct {
    double echo_rate;     // replies a second with 2000 in flight
    double echo_one_rate; // with one in flight
    double echo_one_us;   // median round trip of these
    double fdatasync_us;  // median of append and fdatasync
} dtbench_probe_t;

// Measure; each of the three parts takes about `seconds`. Forks: to be called before any thread is
// started. 0, or -1 with the reason printed.
int dtbench_probe_run (dtbench_probe_t *self, const char *directory, double seconds);

#endif // DTBENCH_PROBE_H
