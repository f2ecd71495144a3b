// port_zmq_ledger - how many bytes wait inside libzmq for each client that is slow to read.
//
// libzmq bounds its queues by messages, not by bytes. A body counted here is handed to libzmq with
// a function that libzmq calls, on a thread of its own, once the bytes are written or dropped; what
// has not come back is waiting. Accounts exist only for clients with something waiting (and a
// while longer); all calls but the function libzmq makes are on the port's thread.

#ifndef PORT_ZMQ_LEDGER_H
#define PORT_ZMQ_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/transport_port.h"

typedef struct port_zmq_ledger port_zmq_ledger_t;
typedef struct port_zmq_account port_zmq_account_t;

// Create a ledger with limits per client and over all. seed is not to be guessed by clients, who
// may choose their routes.
port_zmq_ledger_t *port_zmq_ledger_new (size_t client_bytes_max, size_t total_bytes_max,
                                        uint64_t seed);

// Destroy the ledger. Bodies still inside libzmq come back later and free the rest.
void port_zmq_ledger_destroy (port_zmq_ledger_t **self_p);

// The account of a client if `bytes` more may wait for it, NULL if that is over a limit. When
// nothing waits for the client and the total permits, a body over its limit is let through.
port_zmq_account_t *port_zmq_ledger_admit (port_zmq_ledger_t *self, const transport_route_t *route,
                                           size_t bytes);

// Enter a body into the account admitted last. Its memory, allocated with malloc, then goes to
// libzmq with port_zmq_ledger_return as its zmq_free_fn and what this returned as the hint.
void *port_zmq_ledger_enter (port_zmq_account_t *account, size_t bytes);

// The body's bytes are written or dropped: frees `data` and settles the account. On any thread.
void port_zmq_ledger_return (void *data, void *hint);

// The body entered last was not taken by libzmq: its return leaves `data` with the caller.
void port_zmq_ledger_keep (void *hint);

// Bytes waiting over all clients.
size_t port_zmq_ledger_bytes (const port_zmq_ledger_t *self);

#endif // PORT_ZMQ_LEDGER_H
