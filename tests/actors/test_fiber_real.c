// The real backend: sockets, descriptors, disk calls, time.

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/fiber/fiber_backend_real.h"
#include "actors/fiber/fiber_condition.h"
#include "base/dt_error.h"
#include "tests/actors/test_fiber_support.h"

// libzmq is not instrumented, so TSan cannot see how its own queues are ordered. Asked by TSan only.
const char *__tsan_default_suppressions (void);
const char *__tsan_default_suppressions (void)
{
    return "race:libzmq.so";
}

typedef struct {
    log_t log;
    fiber_backend_real_t *backend;
    fiber_dispatcher_t *dispatcher;
    fiber_group_t *group;
    void *context, *in, *out; // ZeroMQ
    int pipe[2];
    char directory[32];
    int fd; // of a file in it
    fiber_condition_t *readable;
    long count;
} s_rig_t;

static void s_init (s_rig_t *self, bool use_uring)
{
    memset (self, 0, sizeof *self);
    log_init (&self->log);
    self->backend = fiber_backend_real_new (&self->log.env, use_uring);
    self->dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "test", .backend = fiber_backend_real_base (self->backend), .env = &self->log.env});
    self->group = fiber_group_new (self->dispatcher, "group");
    self->readable = fiber_condition_new ("readable");
}

static void s_run (s_rig_t *self)
{
    ck_assert_int_eq (fiber_dispatcher_run (self->dispatcher), 0);
}

static void s_deinit (s_rig_t *self)
{
    fiber_condition_destroy (&self->readable);
    fiber_dispatcher_destroy (&self->dispatcher);
    fiber_backend_real_destroy (&self->backend);
    ck_assert_ptr_null (self->backend);
}

static void s_open_sockets (s_rig_t *self)
{
    self->context = zmq_ctx_new ();
    self->in = zmq_socket (self->context, ZMQ_PAIR);
    self->out = zmq_socket (self->context, ZMQ_PAIR);
    ck_assert_int_eq (zmq_bind (self->in, "inproc://test"), 0);
    ck_assert_int_eq (zmq_connect (self->out, "inproc://test"), 0);
}

static void s_close_sockets (s_rig_t *self)
{
    zmq_close (self->in);
    zmq_close (self->out);
    zmq_ctx_term (self->context);
}

static void s_open_file (s_rig_t *self)
{
    strcpy (self->directory, "/tmp/test_fiber_XXXXXX");
    ck_assert_ptr_nonnull (mkdtemp (self->directory));
    char path[64];
    snprintf (path, sizeof path, "%s/file", self->directory);
    self->fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge (self->fd, 0);
    unlink (path);
}

static void s_close_file (s_rig_t *self)
{
    close (self->fd);
    rmdir (self->directory);
}

static void s_signal_readable (void *argument)
{
    s_rig_t *self = argument;
    fiber_condition_signal (self->readable);
}

#define MESSAGES 2000

static void s_receive (void *argument)
{
    s_rig_t *self = argument;
    fiber_backend_real_watch_socket (self->backend, self->in, s_signal_readable, self);
    while (self->count < MESSAGES) {
        long number;
        int bytes = zmq_recv (self->in, &number, sizeof number, ZMQ_DONTWAIT);
        if (bytes < 0) {
            ck_assert_int_eq (errno, EAGAIN);
            ck_assert_int_eq (fiber_condition_wait (self->readable, FIBER_FOREVER), 0);
            continue;
        }
        ck_assert_int_eq (number, self->count);
        self->count++;
    }
    fiber_backend_real_unwatch_socket (self->backend, self->in);
    fiber_dispatcher_request_stop (self->dispatcher);
}

static void *s_send_all (void *argument)
{
    s_rig_t *self = argument;
    for (long i = 0; i < MESSAGES; i++) {
        zmq_send (self->out, &i, sizeof i, 0);
        if (i % 100 == 0) {
            usleep (100); // lets the receiver fall asleep now and then
        }
    }
    return NULL;
}

START_TEST (a_watched_socket_wakes_for_every_message_of_another_thread)
{
    s_rig_t rig;
    s_init (&rig, true);
    s_open_sockets (&rig);
    fiber_start (rig.group, "receive", s_receive, &rig, NULL);
    pthread_t thread;
    pthread_create (&thread, NULL, s_send_all, &rig);
    s_run (&rig);
    pthread_join (thread, NULL);
    ck_assert_int_eq (rig.count, MESSAGES);
    s_close_sockets (&rig);
    s_deinit (&rig);
}
END_TEST

static void s_send_slowly (void *argument)
{
    s_rig_t *self = argument;
    for (long i = 0; i < MESSAGES; i++) {
        // A call on the receiver's socket takes the edge of its descriptor away [ZMQ-15].
        int events;
        size_t bytes = sizeof events;
        zmq_send (self->out, &i, sizeof i, ZMQ_DONTWAIT);
        zmq_getsockopt (self->in, ZMQ_EVENTS, &events, &bytes);
        if (i % 7 == 0) {
            fiber_sleep_until (fiber_now_ns () + 1000);
        }
    }
}

START_TEST (no_message_is_missed_when_something_else_consumed_the_edge)
{
    s_rig_t rig;
    s_init (&rig, true);
    s_open_sockets (&rig);
    fiber_start (rig.group, "receive", s_receive, &rig, NULL);
    fiber_start (rig.group, "send", s_send_slowly, &rig, NULL);
    s_run (&rig);
    ck_assert_int_eq (rig.count, MESSAGES);
    s_close_sockets (&rig);
    s_deinit (&rig);
}
END_TEST

static void s_read_pipe (void *argument)
{
    s_rig_t *self = argument;
    char bytes[16];
    ssize_t got = read (self->pipe[0], bytes, sizeof bytes);
    ck_assert_int_gt (got, 0);
    self->count += got;
    if (self->count >= 3) {
        fiber_backend_real_unwatch_fd (self->backend, self->pipe[0]); // from its own callback
        fiber_dispatcher_request_stop (self->dispatcher);
    }
}

static void s_write_pipe (void *argument)
{
    s_rig_t *self = argument;
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq (write (self->pipe[1], "x", 1), 1);
        fiber_sleep_until (fiber_now_ns () + 100000);
    }
    // Not watched any more: nobody reads this.
    ck_assert_int_eq (write (self->pipe[1], "x", 1), 1);
    fiber_sleep_until (fiber_now_ns () + 100000);
}

START_TEST (a_watched_descriptor_calls_until_unwatched)
{
    s_rig_t rig;
    s_init (&rig, true);
    ck_assert_int_eq (pipe (rig.pipe), 0);
    fiber_backend_real_watch_fd (rig.backend, rig.pipe[0], s_read_pipe, &rig);
    fiber_start (rig.group, "write", s_write_pipe, &rig, NULL);
    s_run (&rig);
    ck_assert_int_eq (rig.count, 3);
    close (rig.pipe[0]);
    close (rig.pipe[1]);
    s_deinit (&rig);
}
END_TEST

static void s_busy (void *argument)
{
    s_rig_t *self = argument;
    while (!fiber_group_stopping (self->group)) {
        fiber_yield ();
    }
}

static void *s_write_from_thread (void *argument)
{
    s_rig_t *self = argument;
    usleep (1000);
    ck_assert_int_eq (write (self->pipe[1], "xyz", 3), 3);
    return NULL;
}

START_TEST (input_is_seen_while_fibers_stay_ready)
{
    s_rig_t rig;
    s_init (&rig, true);
    ck_assert_int_eq (pipe (rig.pipe), 0);
    fiber_backend_real_watch_fd (rig.backend, rig.pipe[0], s_read_pipe, &rig);
    fiber_start (rig.group, "busy", s_busy, &rig, NULL);
    fiber_start (rig.group, "busy", s_busy, &rig, NULL);
    pthread_t thread;
    pthread_create (&thread, NULL, s_write_from_thread, &rig);
    s_run (&rig);
    pthread_join (thread, NULL);
    ck_assert_int_eq (rig.count, 3);
    close (rig.pipe[0]);
    close (rig.pipe[1]);
    s_deinit (&rig);
}
END_TEST

static void s_count (void *argument)
{
    ++*(long *) argument;
}

static void *s_post_and_stop (void *argument)
{
    s_rig_t *self = argument;
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq (fiber_group_post (self->group, s_count, &self->count), 0);
        usleep (200); // lets it fall asleep: each of these must wake it
    }
    fiber_dispatcher_request_stop (self->dispatcher);
    return NULL;
}

START_TEST (a_post_and_a_stop_request_wake_a_sleeping_dispatcher)
{
    s_rig_t rig;
    s_init (&rig, false);
    pthread_t thread;
    pthread_create (&thread, NULL, s_post_and_stop, &rig);
    s_run (&rig);
    pthread_join (thread, NULL);
    ck_assert_int_eq (rig.count, 50);
    s_deinit (&rig);
}
END_TEST

static void s_sleep_short (void *argument)
{
    s_rig_t *self = argument;
    int64_t shortest = INT64_MAX;
    for (int i = 0; i < 50; i++) {
        int64_t start = fiber_now_ns ();
        ck_assert_int_eq (fiber_sleep_until (start + 200000), 0);
        int64_t slept = fiber_now_ns () - start;
        ck_assert_int_ge (slept, 200000);
        shortest = slept < shortest ? slept : shortest;
    }
    // Had the wait the resolution of a millisecond, not one of 50 could be as short.
    ck_assert_int_lt (shortest, 900000);
    fiber_dispatcher_request_stop (self->dispatcher);
}

START_TEST (sleeps_are_finer_than_a_millisecond)
{
    s_rig_t rig;
    s_init (&rig, true);
    fiber_start (rig.group, "sleep", s_sleep_short, &rig, NULL);
    s_run (&rig);
    s_deinit (&rig);
}
END_TEST

#define FILE_BYTES 300000

static void s_disk_calls (void *argument)
{
    s_rig_t *self = argument;
    char *data = malloc (FILE_BYTES), *back = malloc (FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++) {
        data[i] = (char) (i * 31 >> 3);
    }
    ck_assert_int_eq (fiber_disk_write (self->backend, self->fd, data, FILE_BYTES, 0), FILE_BYTES);
    ck_assert_int_eq (fiber_disk_fdatasync (self->backend, self->fd), 0);
    ck_assert_int_eq (fiber_disk_write_sync (self->backend, self->fd, data, FILE_BYTES, FILE_BYTES),
                      0);
    ck_assert_int_eq (fiber_disk_write_sync (self->backend, self->fd, data, 0, 0), 0);
    for (uint64_t half = 0; half < 2; half++) {
        memset (back, 0, FILE_BYTES);
        ck_assert_int_eq (
            fiber_disk_read (self->backend, self->fd, back, FILE_BYTES, half * FILE_BYTES),
            FILE_BYTES);
        ck_assert_mem_eq (data, back, FILE_BYTES);
    }
    // Over the end: short, then nothing.
    ck_assert_int_eq (fiber_disk_read (self->backend, self->fd, back, 100, 2 * FILE_BYTES - 40),
                      40);
    ck_assert_int_eq (fiber_disk_read (self->backend, self->fd, back, 100, 2 * FILE_BYTES), 0);
    // Errors.
    ck_assert_int_eq (fiber_disk_write (self->backend, -1, data, 1, 0), -EBADF);
    ck_assert_int_eq (fiber_disk_read (self->backend, -1, back, 1, 0), -EBADF);
    ck_assert_int_eq (fiber_disk_fdatasync (self->backend, -1), -EBADF);
    ck_assert_int_eq (fiber_disk_write_sync (self->backend, -1, data, 1, 0), -EBADF);
    ck_assert_int_eq (fiber_disk_write_sync (self->backend, -1, data, 0, 0), -EBADF);
    free (data);
    free (back);
    self->count++;
    fiber_dispatcher_request_stop (self->dispatcher);
}

static void s_with_file (bool use_uring, fiber_fn *fn, unsigned fibers)
{
    s_rig_t rig;
    s_init (&rig, use_uring);
    if (!use_uring) {
        ck_assert_str_eq (fiber_backend_real_disk (rig.backend), "thread");
        ck_assert_ptr_nonnull (strstr (rig.log.last, "helper thread"));
    } else {
        ck_assert_ptr_nonnull (strstr (rig.log.last, fiber_backend_real_disk (rig.backend)));
    }
    s_open_file (&rig);
    for (unsigned i = 0; i < fibers; i++) {
        fiber_start (rig.group, "disk", fn, &rig, NULL);
    }
    s_run (&rig);
    ck_assert_int_eq (rig.count, fibers);
    s_close_file (&rig);
    s_deinit (&rig);
}

START_TEST (disk_calls_do_what_the_system_calls_do)
{
    s_with_file (_i, s_disk_calls, 1);
}
END_TEST

// Write past the file size limit: the first write is short, the second fails.
static void s_short_write (void *argument)
{
    s_rig_t *self = argument;
    static char data[20000];
    memset (data, 7, sizeof data);
    ck_assert_int_eq (fiber_disk_write_sync (self->backend, self->fd, data, sizeof data, 0),
                      -EFBIG);
    // What fitted is in the file.
    char *back = malloc (sizeof data);
    ck_assert_int_eq (fiber_disk_read (self->backend, self->fd, back, sizeof data, 0), 10000);
    ck_assert_int_eq (back[9999], 7);
    free (back);
    self->count++;
    fiber_dispatcher_request_stop (self->dispatcher);
}

START_TEST (a_short_write_is_continued_until_done_or_refused)
{
    signal (SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 10000, .rlim_max = RLIM_INFINITY};
    setrlimit (RLIMIT_FSIZE, &limit);
    s_with_file (_i, s_short_write, 1);
}
END_TEST

static void s_many_writes (void *argument)
{
    s_rig_t *self = argument;
    static int s_number;
    int number = s_number++;
    uint64_t *words = malloc (512);
    for (int i = 0; i < 20; i++) {
        uint64_t offset = (uint64_t) (number * 20 + i) * 512;
        for (int k = 0; k < 64; k++) {
            words[k] = offset + (uint64_t) k;
        }
        ck_assert_int_eq (fiber_disk_write (self->backend, self->fd, words, 512, offset), 512);
        memset (words, 0, 512);
        ck_assert_int_eq (fiber_disk_read (self->backend, self->fd, words, 512, offset), 512);
        ck_assert_uint_eq (words[63], offset + 63);
    }
    free (words);
    if (++self->count == 700) { // more at once than the ring has places
        fiber_dispatcher_request_stop (self->dispatcher);
    }
}

START_TEST (many_fibers_share_the_disk_path)
{
    s_with_file (_i, s_many_writes, 700);
}
END_TEST

typedef struct {
    s_rig_t *rig;
    pthread_t thread;
    int rc;
} s_call_t;

static void s_note_thread (void *argument)
{
    s_call_t *call = argument;
    usleep (1000);
    call->thread = pthread_self ();
}

static void s_call_helper (void *argument)
{
    s_rig_t *self = argument;
    s_call_t call = {.rig = self, .thread = pthread_self ()};
    fiber_cancel (fiber_self ());
    fiber_disk_call (self->backend, s_note_thread, &call); // not cancellable
    ck_assert (!pthread_equal (call.thread, pthread_self ()));
    ck_assert_int_eq (fiber_sleep_until (0), DT_ERR_CANCELLED);
    self->count++;
    fiber_dispatcher_request_stop (self->dispatcher);
}

START_TEST (disk_call_runs_on_another_thread_to_its_end)
{
    s_with_file (_i, s_call_helper, 1);
}
END_TEST

static void s_interrupt_writer (void *argument)
{
    s_rig_t *self = argument;
    static char data[4096];
    fiber_interrupt (fiber_self ());
    ck_assert_int_eq (fiber_disk_write_sync (self->backend, self->fd, data, sizeof data, 0), 0);
    ck_assert_int_eq (fiber_sleep_until (FIBER_FOREVER), DT_ERR_INTERRUPTED); // kept for a wait
    self->count++;
    fiber_dispatcher_request_stop (self->dispatcher);
}

START_TEST (an_interrupt_does_not_end_a_disk_call)
{
    s_with_file (_i, s_interrupt_writer, 1);
}
END_TEST

int main (void)
{
    TCase *tests = tcase_create ("real");
    tcase_add_test (tests, a_watched_socket_wakes_for_every_message_of_another_thread);
    tcase_add_test (tests, no_message_is_missed_when_something_else_consumed_the_edge);
    tcase_add_test (tests, a_watched_descriptor_calls_until_unwatched);
    tcase_add_test (tests, input_is_seen_while_fibers_stay_ready);
    tcase_add_test (tests, a_post_and_a_stop_request_wake_a_sleeping_dispatcher);
    tcase_add_test (tests, sleeps_are_finer_than_a_millisecond);
    tcase_add_loop_test (tests, disk_calls_do_what_the_system_calls_do, 0, 2);
    tcase_add_loop_test (tests, a_short_write_is_continued_until_done_or_refused, 0, 2);
    tcase_add_loop_test (tests, many_fibers_share_the_disk_path, 0, 2);
    tcase_add_loop_test (tests, disk_call_runs_on_another_thread_to_its_end, 0, 2);
    tcase_add_loop_test (tests, an_interrupt_does_not_end_a_disk_call, 0, 2);
    return suite_run ("fiber_real", tests);
}
