// fiber_backend_real - the real clock, ZeroMQ sockets, file descriptors and io_uring.
//
// All functions but the backend's wake are called on the dispatcher's thread.

#ifndef FIBER_BACKEND_REAL_H
#define FIBER_BACKEND_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "actors/fiber/fiber_backend.h"
#include "base/dt_env.h"

typedef struct fiber_backend_real fiber_backend_real_t;
typedef void (fiber_ready_fn) (void *argument);

// Create a backend. use_uring false, or a kernel that refuses io_uring, leaves the disk calls below
// to one helper thread; which of the two was chosen is logged on env.
fiber_backend_real_t *fiber_backend_real_new (const dt_env_t *env, bool use_uring);
void fiber_backend_real_destroy (fiber_backend_real_t **self_p);

fiber_backend_t *fiber_backend_real_base (fiber_backend_real_t *self);

// "io_uring" or "thread".
const char *fiber_backend_real_disk (const fiber_backend_real_t *self);

// Call fn (argument) in each round in which a message can be received from the ZeroMQ socket. The
// callback must drain the socket until EAGAIN or wake a fiber that does (level-triggered).
void fiber_backend_real_watch_socket (fiber_backend_real_t *self, void *zmq_socket,
                                      fiber_ready_fn *fn, void *argument);
void fiber_backend_real_unwatch_socket (fiber_backend_real_t *self, void *zmq_socket);

// The same for a file descriptor that can be read.
void fiber_backend_real_watch_fd (fiber_backend_real_t *self, int fd, fiber_ready_fn *fn,
                                  void *argument);
void fiber_backend_real_unwatch_fd (fiber_backend_real_t *self, int fd);

// Disk calls that suspend the calling fiber, never the thread. Return what the system call returns,
// negative errno on error. Not interruptible and not cancellable: the kernel owns the buffer until
// they return. buffer must not be on the fiber's stack.
ssize_t fiber_disk_write (fiber_backend_real_t *self, int fd, const void *buffer, size_t bytes,
                          uint64_t offset);
ssize_t fiber_disk_read (fiber_backend_real_t *self, int fd, void *buffer, size_t bytes,
                         uint64_t offset);
int fiber_disk_fdatasync (fiber_backend_real_t *self, int fd);

// Write all bytes, then fdatasync, in one trip to the kernel; 0 or negative errno.
int fiber_disk_write_sync (fiber_backend_real_t *self, int fd, const void *buffer, size_t bytes,
                           uint64_t offset);

// Any other blocking call: runs fn (argument) on the helper thread, suspends until it returned.
void fiber_disk_call (fiber_backend_real_t *self, void (*fn) (void *argument), void *argument);

#endif // FIBER_BACKEND_REAL_H
