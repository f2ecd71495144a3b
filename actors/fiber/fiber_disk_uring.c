#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>

#include "actors/fiber/fiber_disk.h"
#include "actors/fiber/fiber_internal.h"
#include "base/dt_assert.h"
#include "base/dt_memory.h"

#define SUBMIT_ENTRIES     256
#define COMPLETION_ENTRIES 4096
#define ASYNC_BYTES        (64 * 1024)

// Marks the completion of an operation's sync; operations are aligned.
#define SYNC_BIT 1u

struct fiber_disk_uring {
    struct io_uring ring;
    unsigned in_flight; // operations not completed
};

static bool s_supported (struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring (ring);
    if (!probe) {
        return false;
    }
    bool supported = io_uring_opcode_supported (probe, IORING_OP_READ) &&
                     io_uring_opcode_supported (probe, IORING_OP_WRITE) &&
                     io_uring_opcode_supported (probe, IORING_OP_FSYNC) &&
                     (ring->features & IORING_FEAT_NODROP);
    io_uring_free_probe (probe);
    return supported;
}

fiber_disk_uring_t *fiber_disk_uring_new (int *why)
{
    fiber_disk_uring_t *self = dt_zalloc (1, sizeof *self);
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
                                     .cq_entries = COMPLETION_ENTRIES};
    int rc = io_uring_queue_init_params (SUBMIT_ENTRIES, &self->ring, &params);
    if (rc == 0 && !s_supported (&self->ring)) {
        io_uring_queue_exit (&self->ring);
        rc = -ENOSYS;
    }
    if (rc) {
        *why = rc;
        free (self);
        return NULL;
    }
    return self;
}

void fiber_disk_uring_destroy (fiber_disk_uring_t **self_p)
{
    fiber_disk_uring_t *self = *self_p;
    if (!self) {
        return;
    }
    dt_assert (self->in_flight == 0);
    io_uring_queue_exit (&self->ring);
    free (self);
    *self_p = NULL;
}

void fiber_disk_uring_flush (fiber_disk_uring_t *self)
{
    while (io_uring_sq_ready (&self->ring) > 0) {
        int rc = io_uring_submit (&self->ring);
        if (rc == -EBUSY || rc == -EAGAIN) {
            // Too many completions nobody took, or the kernel is short of memory.
            if (!fiber_disk_uring_reap (self)) {
                sched_yield ();
            }
            continue;
        }
        dt_assert (rc >= 0 || rc == -EINTR);
    }
}

void fiber_disk_uring_queue (fiber_disk_uring_t *self, fiber_disk_op_t *op)
{
    // Both halves of a linked pair must go to the kernel together.
    if (io_uring_sq_space_left (&self->ring) < 2) {
        fiber_disk_uring_flush (self);
    }
    unsigned bytes =
        (unsigned) (op->bytes < FIBER_DISK_BYTES_MAX ? op->bytes : FIBER_DISK_BYTES_MAX);
    op->pending = 0;
    if (op->kind != FIBER_DISK_SYNC) {
        struct io_uring_sqe *sqe = io_uring_get_sqe (&self->ring);
        if (op->kind == FIBER_DISK_READ) {
            io_uring_prep_read (sqe, op->fd, op->buffer, bytes, op->offset);
        } else {
            io_uring_prep_write (sqe, op->fd, op->buffer, bytes, op->offset);
            if (bytes >= ASYNC_BYTES) {
                // Pinning the pages of a large write and handing it to the device takes this thread
                // longer than a kernel worker's wake-up.
                io_uring_sqe_set_flags (sqe, IOSQE_ASYNC);
            }
        }
        if (op->kind == FIBER_DISK_WRITE_SYNC) {
            // The sync is cancelled by the kernel if the write fails or is short.
            sqe->flags |= IOSQE_IO_LINK;
        }
        io_uring_sqe_set_data64 (sqe, (uintptr_t) op);
        op->pending++;
    }
    if (op->kind == FIBER_DISK_SYNC || op->kind == FIBER_DISK_WRITE_SYNC) {
        struct io_uring_sqe *sqe = io_uring_get_sqe (&self->ring);
        io_uring_prep_fsync (sqe, op->fd, IORING_FSYNC_DATASYNC);
        io_uring_sqe_set_data64 (sqe, (uintptr_t) op | SYNC_BIT);
        op->pending++;
    }
    self->in_flight++;
}

bool fiber_disk_uring_reap (fiber_disk_uring_t *self)
{
    bool any = false;
    struct io_uring_cqe *cqe;
    while (self->in_flight > 0 && io_uring_peek_cqe (&self->ring, &cqe) == 0) {
        uint64_t data = io_uring_cqe_get_data64 (cqe);
        fiber_disk_op_t *op = (fiber_disk_op_t *) (uintptr_t) (data & ~(uint64_t) SYNC_BIT);
        if (data & SYNC_BIT) {
            op->sync_result = cqe->res;
        } else {
            op->result = cqe->res;
        }
        io_uring_cqe_seen (&self->ring, cqe);
        if (--op->pending == 0) {
            self->in_flight--;
            fiber_unpark (op->fiber);
            any = true;
        }
    }
    return any;
}

bool fiber_disk_uring_pending (const fiber_disk_uring_t *self)
{
    return self->in_flight > 0 &&
           (io_uring_sq_ready (&self->ring) > 0 || io_uring_cq_ready (&self->ring) > 0);
}

int fiber_disk_uring_fd (const fiber_disk_uring_t *self)
{
    return self->ring.ring_fd;
}
