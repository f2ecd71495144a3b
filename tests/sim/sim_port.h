// sim_port - a transport_port in memory: the simulator's clients push frames in and get frames out.

#ifndef SIM_PORT_H
#define SIM_PORT_H

#include "transport/transport_port.h"

typedef struct sim_port sim_port_t;

// Take a frame of replies for a client. May push new frames at once.
typedef void (sim_port_reply_fn) (void *argument, uint32_t client, const uint8_t *data,
                                  size_t bytes);

// Create a port; replies go to reply (argument).
sim_port_t *sim_port_new (sim_port_reply_fn *reply, void *argument);

// The port as the net actor takes it; its close frees the sim_port.
transport_port_t *sim_port_base (sim_port_t *self);

// A client sends a frame; copied.
void sim_port_push (sim_port_t *self, uint32_t client, const void *data, size_t bytes);

// From now on nothing comes in and nothing goes out: the process is dead to its clients.
void sim_port_cut (sim_port_t *self);

#endif // SIM_PORT_H
