// transport_context - the ZeroMQ context of a process, and what the process must have for it.

#ifndef TRANSPORT_CONTEXT_H
#define TRANSPORT_CONTEXT_H

#include "base/dt_env.h"

// Remove every ZSYS_* variable from the environment, by which czmq would let a stray setting change
// limits of queues and sockets. Call it in main before any thread and before any call of czmq.
void transport_environment_clear (void);

// Create a ZeroMQ context with io_threads (at least 1) and room for max_sockets sockets.
// Checks that the process may open enough files (two per socket, 256 besides) and raises its soft
// limit as far as the hard one allows; a limit still too low is logged as a warning that names what
// is needed, because without files libzmq's listener spins on the processor. NULL: no context could
// be made, for a reason that was logged. Destroy it with zmq_ctx_term after all its sockets were
// closed.
void *transport_zmq_context_new (const dt_env_t *env, int io_threads, int max_sockets);

#endif // TRANSPORT_CONTEXT_H
