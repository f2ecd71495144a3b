#include "dtkv/bench/dtbench_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "base/dt_assert.h"
#include "dtkv/bench/dtbench_histogram.h"
#include "dtkv/bench/dtbench_process.h"

enum {
    REQUEST_BYTES = 300,
    REPLY_BYTES = 10,
    IN_FLIGHT = 2000,
    APPEND_BYTES = 4096,
    ENDPOINT_BYTES = 128,
};

static void *s_socket (void *context, int type)
{
    void *socket = zmq_socket (context, type);
    dt_assert (socket);
    int zero = 0;
    zmq_setsockopt (socket, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt (socket, ZMQ_RCVHWM, &zero, sizeof zero);
    zmq_setsockopt (socket, ZMQ_LINGER, &zero, sizeof zero);
    return socket;
}

// The forked process: echo until killed, which also happens when its parent ends.
static void s_serve (int endpoint_fd, pid_t parent)
{
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != parent) {
        _exit (1);
    }
    void *context = zmq_ctx_new ();
    void *router = s_socket (context, ZMQ_ROUTER);
    char endpoint[ENDPOINT_BYTES] = {0};
    size_t bytes = sizeof endpoint;
    if (zmq_bind (router, "tcp://127.0.0.1:*") ||
        zmq_getsockopt (router, ZMQ_LAST_ENDPOINT, endpoint, &bytes) ||
        write (endpoint_fd, endpoint, sizeof endpoint) != sizeof endpoint) {
        _exit (1);
    }
    zmq_msg_t identity, request;
    zmq_msg_init (&identity);
    zmq_msg_init (&request);
    for (;;) {
        if (zmq_msg_recv (&identity, router, 0) < 0 || zmq_msg_recv (&request, router, 0) < 0) {
            _exit (1);
        }
        char reply[REPLY_BYTES];
        memcpy (reply, zmq_msg_data (&request), sizeof reply);
        zmq_msg_send (&identity, router, ZMQ_SNDMORE);
        zmq_send (router, reply, sizeof reply, 0);
    }
}

// Keep `in_flight` requests in flight for a while; replies a second, and round trips of one.
static double s_echo (void *dealer, int in_flight, double seconds, dtbench_histogram_t *trips)
{
    char request[REQUEST_BYTES];
    memset (request, 'r', sizeof request);
    uint64_t replies = 0, start_ns = dtbench_now_ns (), sent_ns = start_ns, now_ns = start_ns;
    uint64_t warm_ns = start_ns + (uint64_t) (seconds * 0.2e9), end_ns = 0;
    uint64_t until_ns = start_ns + (uint64_t) (seconds * 1e9);
    int left = in_flight;
    for (int i = 0; i < in_flight; i++) {
        zmq_send (dealer, request, sizeof request, 0);
    }
    zmq_msg_t reply;
    zmq_msg_init (&reply);
    while (left > 0) {
        if (zmq_msg_recv (&reply, dealer, 0) < 0) {
            break;
        }
        if (in_flight == 1 || (replies & 63) == 0) {
            now_ns = dtbench_now_ns ();
            if (trips && replies) {
                dtbench_histogram_add (trips, now_ns - sent_ns);
            }
            sent_ns = now_ns;
            if (warm_ns && now_ns >= warm_ns) {
                replies = 0;
                start_ns = now_ns;
                warm_ns = 0;
            }
        }
        if (now_ns >= until_ns) {
            end_ns = end_ns ? end_ns : now_ns;
            left--;
        } else {
            replies++;
            zmq_send (dealer, request, sizeof request, 0);
        }
    }
    zmq_msg_close (&reply);
    return end_ns > start_ns ? (double) replies / ((double) (end_ns - start_ns) / 1e9) : 0;
}

static void s_echo_all (dtbench_probe_t *self, const char *endpoint, double seconds)
{
    void *context = zmq_ctx_new ();
    void *dealer = s_socket (context, ZMQ_DEALER);
    int rc = zmq_connect (dealer, endpoint);
    dt_assert (rc == 0);
    dtbench_histogram_t *trips = calloc (1, sizeof *trips);
    dt_assert (trips);
    self->echo_rate = s_echo (dealer, IN_FLIGHT, seconds, NULL);
    self->echo_one_rate = s_echo (dealer, 1, seconds, trips);
    self->echo_one_us = (double) dtbench_histogram_quantile (trips, 0.5) / 1000;
    free (trips);
    zmq_close (dealer);
    zmq_ctx_term (context);
}

static int s_disk (dtbench_probe_t *self, const char *directory, double seconds)
{
    char path[4096], block[APPEND_BYTES];
    snprintf (path, sizeof path, "%s/dtbench-probe-XXXXXX", directory);
    int fd = mkstemp (path);
    if (fd < 0) {
        fprintf (stderr, "dtbench: --dir %s: %s\n", directory, strerror (errno));
        return -1;
    }
    unlink (path);
    memset (block, 'd', sizeof block);
    dtbench_histogram_t *times = calloc (1, sizeof *times);
    dt_assert (times);
    uint64_t until_ns = dtbench_now_ns () + (uint64_t) (seconds * 1e9), start_ns;
    int rc = 0;
    while ((start_ns = dtbench_now_ns ()) < until_ns && rc == 0) {
        if (write (fd, block, sizeof block) != sizeof block || fdatasync (fd)) {
            fprintf (stderr, "dtbench: --dir %s: %s\n", directory, strerror (errno));
            rc = -1;
        }
        dtbench_histogram_add (times, dtbench_now_ns () - start_ns);
    }
    self->fdatasync_us = (double) dtbench_histogram_quantile (times, 0.5) / 1000;
    free (times);
    close (fd);
    return rc;
}

int dtbench_probe_run (dtbench_probe_t *self, const char *directory, double seconds)
{
    int fds[2];
    if (pipe (fds)) {
        perror ("dtbench: pipe");
        return -1;
    }
    pid_t parent = getpid (), child = fork ();
    if (child < 0) {
        perror ("dtbench: fork");
        return -1;
    }
    if (child == 0) {
        close (fds[0]);
        s_serve (fds[1], parent);
    }
    close (fds[1]);
    char endpoint[ENDPOINT_BYTES];
    int rc = -1;
    if (read (fds[0], endpoint, sizeof endpoint) == sizeof endpoint) {
        s_echo_all (self, endpoint, seconds);
        rc = 0;
    } else {
        fprintf (stderr, "dtbench: the echo process did not start\n");
    }
    close (fds[0]);
    kill (child, SIGKILL);
    waitpid (child, NULL, 0);
    return rc ? rc : s_disk (self, directory, seconds);
}
