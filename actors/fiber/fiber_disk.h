// fiber_disk - the two ways a disk call leaves the dispatcher's thread: io_uring, or a helper
// thread.
//
// An operation stands on the stack of the fiber that waits for it, which is parked until complete.

#ifndef FIBER_DISK_H
#define FIBER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "actors/fiber/fiber.h"

typedef enum {
    FIBER_DISK_WRITE,
    FIBER_DISK_READ,
    FIBER_DISK_SYNC,
    FIBER_DISK_WRITE_SYNC, // write, then fdatasync unless the write was short or failed
    FIBER_DISK_CALL,       // helper thread only
} fiber_disk_kind_t;

typedef struct fiber_disk_op fiber_disk_op_t;

struct fiber_disk_op {
    fiber_disk_kind_t kind;
    int fd;
    void *buffer; // only read from by writes
    size_t bytes;
    uint64_t offset;
    fiber_fn *fn; // FIBER_DISK_CALL
    void *argument;
    ssize_t result;        // of the read or write, or negative errno
    int sync_result;       // of the sync: 0 or negative errno; -ECANCELED if it was not tried
    unsigned pending;      // completions still to come
    fiber_t *fiber;        // unparked when none is
    fiber_disk_op_t *next; // in a helper thread's queue
};

// Most bytes of one read or write, the system calls' own limit.
#define FIBER_DISK_BYTES_MAX 0x7ffff000u

typedef struct fiber_disk_uring fiber_disk_uring_t;

// Create a ring. NULL: the kernel refuses; *why is a negative errno.
fiber_disk_uring_t *fiber_disk_uring_new (int *why);
void fiber_disk_uring_destroy (fiber_disk_uring_t **self_p);

// Queue an operation; it goes to the kernel with the next flush.
void fiber_disk_uring_queue (fiber_disk_uring_t *self, fiber_disk_op_t *op);
void fiber_disk_uring_flush (fiber_disk_uring_t *self);

// Take completions in, without a system call, and unpark their fibers. True: there were any.
bool fiber_disk_uring_reap (fiber_disk_uring_t *self);

// Whether flush or reap have something to do.
bool fiber_disk_uring_pending (const fiber_disk_uring_t *self);

// Readable while there are completions.
int fiber_disk_uring_fd (const fiber_disk_uring_t *self);

typedef struct fiber_disk_thread fiber_disk_thread_t;

// Start a helper thread that runs one operation after the other. When the first completion piles
// up, it adds to the eventfd wake_fd (borrowed).
fiber_disk_thread_t *fiber_disk_thread_new (int wake_fd);

// End it, after what is queued. No fiber may be parked on it.
void fiber_disk_thread_destroy (fiber_disk_thread_t **self_p);

void fiber_disk_thread_queue (fiber_disk_thread_t *self, fiber_disk_op_t *op);
bool fiber_disk_thread_reap (fiber_disk_thread_t *self);
bool fiber_disk_thread_pending (const fiber_disk_thread_t *self);

#endif // FIBER_DISK_H
