// sim_net - a network between simulated nodes: peer_ports in memory, and everything that goes
// wrong between them, drawn from one seed [DST-5].
//
// Frames take their time (a minimum and an exponential part) and may be lost, come twice or
// overtake each other. Beyond that links behave as ZeroMQ's do [DST-5]:
// - a link is a series of connections, of each channel one at a time; a connection can break, and
//   the channel connects again after a while;
// - what was under way when it broke is dropped (b), or comes after frames of the next connection
//   (c): stale, and out of order;
// - a send is refused while there is no connection or too much is under way (d);
// - a channel that broke badly never connects again until the link is made anew (e);
// - frames sent into a partition wait: they come in a burst when it heals soon, and are gone with
//   their connection if it does not;
// - the first frames sent to a process that has died may be taken and lost.
//
// Ports of one network may be used by several dispatchers of one simulation, in one thread.

#ifndef SIM_NET_H
#define SIM_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/fiber/fiber_backend_sim.h"
#include "transport/peer_port.h"

enum { SIM_NET_NODES_MAX = 16 };

typedef struct sim_net sim_net_t;

// What can happen to a frame or a connection; all zero: nothing does.
typedef struct {
    int64_t delay_min_ns;
    int64_t delay_mean_ns; // of the exponential part
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t reorder_ppm;  // frames that may overtake and be overtaken
    uint32_t break_ppm;    // sends at which the connection breaks
    uint32_t late_ppm;     // breaks after which what was under way comes late
    uint32_t dead_ppm;     // breaks after which the channel never connects again
    int64_t reconnect_ns;  // longest pause before a channel tries to connect again
    size_t capacity_bytes; // under way on a connection; 0: 16 MiB
} sim_net_faults_t;

// X (name): classes of faults that are counted.
#define SIM_NET_FAULT_TABLE(X)                                                                     \
    X (loss)                                                                                       \
    X (duplicate)                                                                                  \
    X (reorder)                                                                                    \
    X (broken)                                                                                     \
    X (broken_dead)                                                                                \
    X (tail_dropped)                                                                               \
    X (tail_late)                                                                                  \
    X (burst)                                                                                      \
    X (cut_dropped)                                                                                \
    X (died)                                                                                       \
    X (refused_down)                                                                               \
    X (refused_full)                                                                               \
    X (isolate)                                                                                    \
    X (split)                                                                                      \
    X (one_way)                                                                                    \
    X (bridge)                                                                                     \
    X (flap)

typedef enum {
#define SIM_NET_FAULT_ENUM(name) SIM_NET_FAULT_##name,
    SIM_NET_FAULT_TABLE (SIM_NET_FAULT_ENUM)
#undef SIM_NET_FAULT_ENUM
        SIM_NET_FAULTS
} sim_net_fault_t;

typedef struct {
    uint64_t sent, delivered; // frames
    uint64_t faults[SIM_NET_FAULTS];
} sim_net_counters_t;

// Create a network without faults. The backend outlives it.
sim_net_t *sim_net_new (fiber_backend_sim_t *backend, uint64_t seed);

// Destroy a network whose ports are closed.
void sim_net_destroy (sim_net_t **self_p);

// Change what goes wrong from now on; NULL: nothing, and everything takes 100 us.
void sim_net_set_faults (sim_net_t *self, const sim_net_faults_t *faults);

// Open the port of a node's process at an endpoint nobody has open (asserted). node_id is what
// partitions go by.
peer_port_t *sim_net_open (sim_net_t *self, uint32_t node_id, const char *endpoint);

// From now on nothing comes in and nothing goes out: the process is dead to the others.
void sim_net_kill (peer_port_t *port);

// Cut or heal one direction between two nodes.
void sim_net_cut (sim_net_t *self, uint32_t from, uint32_t to, bool cut);

// Cut the nodes known so far by chance: SIM_NET_FAULT_isolate, split, one_way, bridge or flap.
// Comes on top of what is cut already.
void sim_net_partition (sim_net_t *self, sim_net_fault_t kind);

// Heal all paths. Channels that are dead stay so.
void sim_net_heal (sim_net_t *self);

// Have fn called with every frame a port has taken, whatever becomes of it. NULL: nobody.
typedef void (sim_net_watch_fn) (void *argument, uint32_t from, uint32_t to, const uint8_t *data,
                                 size_t bytes);
void sim_net_watch (sim_net_t *self, sim_net_watch_fn *fn, void *argument);

const sim_net_counters_t *sim_net_counters (const sim_net_t *self);
const char *sim_net_fault_name (sim_net_fault_t fault);

#endif // SIM_NET_H
