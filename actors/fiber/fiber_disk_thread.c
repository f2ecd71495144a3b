#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "actors/fiber/fiber_disk.h"
#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_memory.h"

typedef struct {
    fiber_disk_op_t *first;
    fiber_disk_op_t *last;
} s_list_t;

struct fiber_disk_thread {
    pthread_t thread;
    int wake_fd;
    pthread_mutex_t lock;
    pthread_cond_t work;  // queued or ending changed
    s_list_t queued;      // lock
    s_list_t done;        // lock
    bool ending;          // lock
    atomic_bool any_done; // done is not empty
};

static void s_append (s_list_t *self, fiber_disk_op_t *op)
{
    op->next = NULL;
    *(self->last ? &self->last->next : &self->first) = op;
    self->last = op;
}

static fiber_disk_op_t *s_take (s_list_t *self)
{
    fiber_disk_op_t *op = self->first;
    self->first = op->next;
    if (!self->first) {
        self->last = NULL;
    }
    return op;
}

static ssize_t s_transfer (const fiber_disk_op_t *op)
{
    size_t bytes = op->bytes < FIBER_DISK_BYTES_MAX ? op->bytes : FIBER_DISK_BYTES_MAX;
    ssize_t done;
    do {
        done = op->kind == FIBER_DISK_READ ? pread (op->fd, op->buffer, bytes, (off_t) op->offset)
                                           : pwrite (op->fd, op->buffer, bytes, (off_t) op->offset);
    } while (done < 0 && errno == EINTR);
    return done < 0 ? -errno : done;
}

static int s_sync (const fiber_disk_op_t *op)
{
    int rc;
    do {
        rc = fdatasync (op->fd);
    } while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

static void s_execute (fiber_disk_op_t *op)
{
    switch (op->kind) {
    case FIBER_DISK_READ:
    case FIBER_DISK_WRITE:
        op->result = s_transfer (op);
        return;
    case FIBER_DISK_SYNC:
        op->sync_result = s_sync (op);
        return;
    case FIBER_DISK_WRITE_SYNC:
        op->result = s_transfer (op);
        op->sync_result =
            op->result >= 0 && (size_t) op->result == op->bytes ? s_sync (op) : -ECANCELED;
        return;
    case FIBER_DISK_CALL:
        op->fn (op->argument);
        return;
    }
    dt_unreachable ();
}

static void s_complete (fiber_disk_thread_t *self, fiber_disk_op_t *op)
{
    bool first = self->done.first == NULL;
    s_append (&self->done, op);
    atomic_store_explicit (&self->any_done, true, memory_order_relaxed);
    if (first) {
        uint64_t one = 1;
        ssize_t written = write (self->wake_fd, &one, sizeof one);
        dt_assert (written == sizeof one);
    }
}

static void *s_main (void *argument)
{
    fiber_disk_thread_t *self = argument;
    pthread_mutex_lock (&self->lock);
    for (;;) {
        if (self->queued.first) {
            fiber_disk_op_t *op = s_take (&self->queued);
            pthread_mutex_unlock (&self->lock);
            s_execute (op);
            pthread_mutex_lock (&self->lock);
            s_complete (self, op);
        } else if (self->ending) {
            break;
        } else {
            pthread_cond_wait (&self->work, &self->lock);
        }
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

fiber_disk_thread_t *fiber_disk_thread_new (int wake_fd)
{
    fiber_disk_thread_t *self = dt_zalloc (1, sizeof *self);
    self->wake_fd = wake_fd;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->work, NULL);
    atomic_init (&self->any_done, false);
    // Signals are for the thread that waits for them.
    sigset_t all, before;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    int rc = pthread_create (&self->thread, NULL, s_main, self);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    dt_assert (rc == 0);
    pthread_setname_np (self->thread, "disk");
    return self;
}

void fiber_disk_thread_destroy (fiber_disk_thread_t **self_p)
{
    fiber_disk_thread_t *self = *self_p;
    if (!self) {
        return;
    }
    pthread_mutex_lock (&self->lock);
    self->ending = true;
    pthread_cond_signal (&self->work);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    dt_assert (self->done.first == NULL);
    pthread_cond_destroy (&self->work);
    pthread_mutex_destroy (&self->lock);
    free (self);
    *self_p = NULL;
}

void fiber_disk_thread_queue (fiber_disk_thread_t *self, fiber_disk_op_t *op)
{
    op->pending = 1;
    pthread_mutex_lock (&self->lock);
    s_append (&self->queued, op);
    pthread_cond_signal (&self->work);
    pthread_mutex_unlock (&self->lock);
}

bool fiber_disk_thread_reap (fiber_disk_thread_t *self)
{
    if (!fiber_disk_thread_pending (self)) {
        return false;
    }
    pthread_mutex_lock (&self->lock);
    s_list_t done = self->done;
    self->done = (s_list_t){0};
    atomic_store_explicit (&self->any_done, false, memory_order_relaxed);
    pthread_mutex_unlock (&self->lock);
    while (done.first) {
        fiber_disk_op_t *op = s_take (&done);
        op->pending = 0;
        fiber_unpark (op->fiber);
    }
    return true;
}

bool fiber_disk_thread_pending (const fiber_disk_thread_t *self)
{
    return atomic_load_explicit (&self->any_done, memory_order_relaxed);
}
