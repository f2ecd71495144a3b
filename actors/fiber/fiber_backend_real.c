// One wait: hand queued disk calls to the kernel, take completions in, ask each watched ZeroMQ
// socket for its events, and only when all that came to nothing block in one ppoll.
//
// A ZeroMQ socket's descriptor is edge-triggered, and any call on the socket consumes the edge
// [libzmq #3641]. So before each ppoll every watched socket is asked for ZMQ_EVENTS; if none can be
// read, the next message is certain to make its descriptor readable. zmq_poll does the same, but
// with two polls and in milliseconds; ppoll takes nanoseconds, which makes a timerfd superfluous.
// The ring's own descriptor is readable while completions wait, which makes an eventfd for it
// superfluous.

#include "actors/fiber/fiber_backend_real.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/fiber/fiber_disk.h"
#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_memory.h"

// How long a busy dispatcher may go without looking at its input, in ticks of the cheapest counter.
#if defined(__x86_64__)
#define SKIP_TICKS 20000 // 4 to 20 us at 1 to 5 GHz
#else
#define SKIP_TICKS 20000 // ns
#endif

// Places in the poll set before the watches.
enum { POLL_WAKE, POLL_RING, POLL_WATCHES };

typedef struct {
    void *socket; // ZeroMQ; NULL: fd
    int fd;
    fiber_ready_fn *fn; // NULL: unwatched during a wait
    void *argument;
} s_watch_t;

struct fiber_backend_real {
    fiber_backend_t base; // first member
    int wake_fd;
    fiber_disk_uring_t *uring;   // NULL: refused or not wanted
    fiber_disk_thread_t *helper; // made when first needed
    uint64_t waited_ticks;       // when the last wait ended
    bool prepared;               // the thread's timer slack is set
    bool in_callbacks;           // watches must not move
    bool dirty;                  // polls are to be made again
    s_watch_t *watches;          // owned
    size_t watch_count;
    size_t watch_capacity;
    size_t fd_count;      // watches that are not sockets
    struct pollfd *polls; // owned
};

static fiber_backend_real_t *s_of_base (fiber_backend_t *base)
{
    return (fiber_backend_real_t *) base;
}

static int64_t s_now_ns (fiber_backend_t *base)
{
    (void) base;
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint64_t s_ticks (void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc ();
#else
    return (uint64_t) s_now_ns (NULL);
#endif
}

static void s_wake (fiber_backend_t *base)
{
    uint64_t one = 1;
    ssize_t written = write (s_of_base (base)->wake_fd, &one, sizeof one);
    dt_assert (written == sizeof one);
}

static bool s_disk_pending (const fiber_backend_real_t *self)
{
    return (self->uring && fiber_disk_uring_pending (self->uring)) ||
           (self->helper && fiber_disk_thread_pending (self->helper));
}

static bool s_skip (fiber_backend_t *base)
{
    fiber_backend_real_t *self = s_of_base (base);
    return s_ticks () - self->waited_ticks < SKIP_TICKS && !s_disk_pending (self);
}

static bool s_disk_run (fiber_backend_real_t *self)
{
    bool any = false;
    if (self->uring) {
        fiber_disk_uring_flush (self->uring);
        any = fiber_disk_uring_reap (self->uring);
    }
    if (self->helper) {
        any |= fiber_disk_thread_reap (self->helper);
    }
    return any;
}

// Whether a message can be received. A socket whose context was terminated counts as readable, so
// that its owner learns of it.
static bool s_socket_readable (void *socket)
{
    for (;;) {
        int events = 0;
        size_t bytes = sizeof events;
        if (zmq_getsockopt (socket, ZMQ_EVENTS, &events, &bytes) == 0) {
            return events & ZMQ_POLLIN;
        }
        dt_assert (errno == EINTR || errno == ETERM);
        if (errno == ETERM) {
            return true;
        }
    }
}

static void s_call (const s_watch_t *watch)
{
    watch->fn (watch->argument);
}

static void s_begin_callbacks (fiber_backend_real_t *self)
{
    dt_assert (!self->in_callbacks);
    self->in_callbacks = true;
}

// Drop what was unwatched meanwhile.
static void s_end_callbacks (fiber_backend_real_t *self)
{
    self->in_callbacks = false;
    if (!self->dirty) {
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < self->watch_count; i++) {
        if (self->watches[i].fn) {
            self->watches[kept++] = self->watches[i];
        }
    }
    self->watch_count = kept;
}

static bool s_call_sockets (fiber_backend_real_t *self)
{
    bool any = false;
    size_t count = self->watch_count; // callbacks may add more
    for (size_t i = 0; i < count; i++) {
        s_watch_t watch = self->watches[i];
        if (watch.fn && watch.socket && s_socket_readable (watch.socket)) {
            s_call (&watch);
            any = true;
        }
    }
    return any;
}

static void s_make_polls (fiber_backend_real_t *self)
{
    self->polls =
        dt_realloc (self->polls, (POLL_WATCHES + self->watch_count) * sizeof *self->polls);
    self->polls[POLL_WAKE] = (struct pollfd){.fd = self->wake_fd, .events = POLLIN};
    self->polls[POLL_RING] = (struct pollfd){
        .fd = self->uring ? fiber_disk_uring_fd (self->uring) : -1, .events = POLLIN};
    for (size_t i = 0; i < self->watch_count; i++) {
        self->polls[POLL_WATCHES + i] =
            (struct pollfd){.fd = self->watches[i].fd, .events = POLLIN};
    }
    self->dirty = false;
}

static void s_call_polled (fiber_backend_real_t *self)
{
    size_t count = self->watch_count;
    for (size_t i = 0; i < count; i++) {
        s_watch_t watch = self->watches[i];
        if (!self->polls[POLL_WATCHES + i].revents || !watch.fn) {
            continue;
        }
        if (!watch.socket || s_socket_readable (watch.socket)) {
            s_call (&watch);
        }
    }
}

static void s_poll (fiber_backend_real_t *self, int64_t timeout_ns)
{
    if (self->dirty) {
        s_make_polls (self);
    }
    struct timespec timeout = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    int ready = ppoll (self->polls, POLL_WATCHES + self->watch_count,
                       timeout_ns < 0 ? NULL : &timeout, NULL);
    if (ready <= 0) {
        dt_assert (ready == 0 || errno == EINTR);
        return;
    }
    if (self->polls[POLL_WAKE].revents) {
        uint64_t wakes;
        ssize_t bytes = read (self->wake_fd, &wakes, sizeof wakes);
        dt_assert (bytes == sizeof wakes || errno == EAGAIN);
    }
    s_disk_run (self);
    s_begin_callbacks (self);
    s_call_polled (self);
    s_end_callbacks (self);
}

static void s_prepare_thread (fiber_backend_real_t *self)
{
    // Sleeps are otherwise up to 50 us longer than asked for. Accuracy is all that depends on it.
    (void) prctl (PR_SET_TIMERSLACK, 1000UL);
    self->prepared = true;
}

static void s_wait (fiber_backend_t *base, int64_t deadline_ns)
{
    fiber_backend_real_t *self = s_of_base (base);
    if (!self->prepared) {
        s_prepare_thread (self);
    }
    bool any = s_disk_run (self);
    s_begin_callbacks (self);
    any |= s_call_sockets (self);
    s_end_callbacks (self);

    int64_t timeout_ns = 0;
    if (!any && deadline_ns == INT64_MAX) {
        timeout_ns = -1;
    } else if (!any && deadline_ns != INT64_MIN) {
        timeout_ns = deadline_ns - s_now_ns (base);
        timeout_ns = timeout_ns > 0 ? timeout_ns : 0;
    }
    // Without descriptors to look at there is no need for the kernel but to sleep.
    if (timeout_ns != 0 || self->fd_count > 0) {
        s_poll (self, timeout_ns);
    }
    self->waited_ticks = s_ticks ();
}

static const fiber_backend_ops_t s_ops = {
    .now_ns = s_now_ns,
    .wait = s_wait,
    .wake = s_wake,
    .skip = s_skip,
};

fiber_backend_real_t *fiber_backend_real_new (const dt_env_t *env, bool use_uring)
{
    fiber_backend_real_t *self = dt_zalloc (1, sizeof *self);
    self->base.ops = &s_ops;
    self->wake_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    dt_assert (self->wake_fd >= 0);
    self->dirty = true;
    if (!use_uring) {
        dt_log_info (env, "fiber", "disk calls go through a helper thread, as configured");
        return self;
    }
    int why = 0;
    self->uring = fiber_disk_uring_new (&why);
    if (self->uring) {
        dt_log_info (env, "fiber", "disk calls go through io_uring");
    } else {
        dt_log_warn (env, "fiber",
                     "disk calls go through a helper thread: io_uring is refused (%s)",
                     strerror (-why));
    }
    return self;
}

void fiber_backend_real_destroy (fiber_backend_real_t **self_p)
{
    fiber_backend_real_t *self = *self_p;
    if (!self) {
        return;
    }
    fiber_disk_thread_destroy (&self->helper);
    fiber_disk_uring_destroy (&self->uring);
    close (self->wake_fd);
    free (self->watches);
    free (self->polls);
    free (self);
    *self_p = NULL;
}

fiber_backend_t *fiber_backend_real_base (fiber_backend_real_t *self)
{
    return &self->base;
}

const char *fiber_backend_real_disk (const fiber_backend_real_t *self)
{
    return self->uring ? "io_uring" : "thread";
}

static void s_add_watch (fiber_backend_real_t *self, s_watch_t watch)
{
    dt_assert (watch.fn != NULL);
    if (self->watch_count == self->watch_capacity) {
        self->watch_capacity = self->watch_capacity ? self->watch_capacity * 2 : 8;
        self->watches = dt_realloc (self->watches, self->watch_capacity * sizeof *self->watches);
    }
    self->watches[self->watch_count++] = watch;
    self->fd_count += watch.socket == NULL;
    self->dirty = true;
}

static void s_remove_watch (fiber_backend_real_t *self, const void *socket, int fd)
{
    size_t i = 0;
    while (i < self->watch_count && !(self->watches[i].fn && self->watches[i].socket == socket &&
                                      (socket || self->watches[i].fd == fd))) {
        i++;
    }
    dt_assert (i < self->watch_count); // was watched
    self->watches[i].fn = NULL;
    self->fd_count -= socket == NULL;
    self->dirty = true;
    if (!self->in_callbacks) {
        s_end_callbacks (self);
    }
}

void fiber_backend_real_watch_socket (fiber_backend_real_t *self, void *zmq_socket,
                                      fiber_ready_fn *fn, void *argument)
{
    dt_assert (zmq_socket != NULL);
    int fd = -1;
    size_t bytes = sizeof fd;
    int rc = zmq_getsockopt (zmq_socket, ZMQ_FD, &fd, &bytes);
    dt_assert (rc == 0);
    s_add_watch (self, (s_watch_t){zmq_socket, fd, fn, argument});
}

void fiber_backend_real_unwatch_socket (fiber_backend_real_t *self, void *zmq_socket)
{
    dt_assert (zmq_socket != NULL);
    s_remove_watch (self, zmq_socket, -1);
}

void fiber_backend_real_watch_fd (fiber_backend_real_t *self, int fd, fiber_ready_fn *fn,
                                  void *argument)
{
    dt_assert (fd >= 0);
    s_add_watch (self, (s_watch_t){NULL, fd, fn, argument});
}

void fiber_backend_real_unwatch_fd (fiber_backend_real_t *self, int fd)
{
    s_remove_watch (self, NULL, fd);
}

static void s_run_on_helper (fiber_backend_real_t *self, fiber_disk_op_t *op)
{
    if (!self->helper) {
        self->helper = fiber_disk_thread_new (self->wake_fd);
    }
    fiber_disk_thread_queue (self->helper, op);
    fiber_park ("disk", "helper thread");
}

static void s_run_disk (fiber_backend_real_t *self, fiber_disk_op_t *op)
{
    op->fiber = fiber_self ();
    dt_assert (op->fiber != NULL);
    if (self->uring) {
        fiber_disk_uring_queue (self->uring, op);
        fiber_park ("disk", "io_uring");
    } else {
        s_run_on_helper (self, op);
    }
}

static bool s_again (ssize_t result)
{
    return result == -EINTR || result == -EAGAIN;
}

static ssize_t s_transfer (fiber_backend_real_t *self, fiber_disk_kind_t kind, int fd, void *buffer,
                           size_t bytes, uint64_t offset)
{
    fiber_disk_op_t op = {
        .kind = kind, .fd = fd, .buffer = buffer, .bytes = bytes, .offset = offset};
    do {
        s_run_disk (self, &op);
    } while (s_again (op.result));
    return op.result;
}

ssize_t fiber_disk_write (fiber_backend_real_t *self, int fd, const void *buffer, size_t bytes,
                          uint64_t offset)
{
    return s_transfer (self, FIBER_DISK_WRITE, fd, (void *) buffer, bytes, offset);
}

ssize_t fiber_disk_read (fiber_backend_real_t *self, int fd, void *buffer, size_t bytes,
                         uint64_t offset)
{
    return s_transfer (self, FIBER_DISK_READ, fd, buffer, bytes, offset);
}

int fiber_disk_fdatasync (fiber_backend_real_t *self, int fd)
{
    fiber_disk_op_t op = {.kind = FIBER_DISK_SYNC, .fd = fd};
    do {
        s_run_disk (self, &op);
    } while (s_again (op.sync_result));
    return op.sync_result;
}

int fiber_disk_write_sync (fiber_backend_real_t *self, int fd, const void *buffer, size_t bytes,
                           uint64_t offset)
{
    const uint8_t *data = buffer;
    fiber_disk_op_t op;
    while (bytes > 0) {
        op = (fiber_disk_op_t){.kind = FIBER_DISK_WRITE_SYNC,
                               .fd = fd,
                               .buffer = (void *) data,
                               .bytes = bytes,
                               .offset = offset};
        s_run_disk (self, &op);
        if (s_again (op.result)) {
            continue;
        }
        if (op.result < 0) {
            return (int) op.result;
        }
        if (op.result == 0) {
            return -EIO; // no progress and no reason
        }
        data += op.result;
        offset += (uint64_t) op.result;
        bytes -= (size_t) op.result;
        if (bytes == 0 && op.sync_result != -ECANCELED && !s_again (op.sync_result)) {
            return op.sync_result;
        }
    }
    // Nothing to write, or a sync that the kernel called off although the write was whole.
    return fiber_disk_fdatasync (self, fd);
}

void fiber_disk_call (fiber_backend_real_t *self, void (*fn) (void *argument), void *argument)
{
    dt_assert (fn != NULL);
    fiber_disk_op_t op = {.kind = FIBER_DISK_CALL, .fn = fn, .argument = argument};
    op.fiber = fiber_self ();
    dt_assert (op.fiber != NULL);
    s_run_on_helper (self, &op);
}
