// sim_net_internal - what the files of sim_net share. sim_net.c: frames and connections;
// sim_net_partition.c: paths between nodes; sim_net_port.c: the ports.

#ifndef SIM_NET_INTERNAL_H
#define SIM_NET_INTERNAL_H

#include "base/dt_random.h"
#include "tests/sim/sim_net.h"

#define SIM_NET_MS(n) (INT64_C (1000000) * (n))
#define SIM_NET_US(n) (INT64_C (1000) * (n))
#define SIM_NET_GIVE_UP_NS                                                                         \
    SIM_NET_MS (4000) // a connection with frames in a partition ends after this

typedef struct sim_net_port sim_net_port_t;

// What becomes of frames that are still under way on a connection.
typedef enum { FATE_ARRIVE, FATE_DROP, FATE_LATE } sim_net_fate_t;

// One connection of one channel of a link. Kept while its channel or a frame refers to it.
typedef struct {
    unsigned references;
    uint64_t id;
    uint32_t from, to;   // node ids
    uint64_t from_life;  // of the ports
    uint64_t to_life;    //
    sim_net_fate_t fate; //
    size_t bytes;        // sent and not received yet
    uint32_t frames;     //
    int64_t last_ns;     // when the last frame in order arrives
} sim_net_connection_t;

typedef struct {
    sim_net_connection_t *connection; // NULL: none
    int64_t retry_ns;                 // then it tries to connect
    bool dead;                        // it never does
} sim_net_channel_t;

typedef struct {
    uint32_t node_id;
    char endpoint[PEER_ENDPOINT_BYTES_MAX + 1];
    sim_net_channel_t channels[PEER_CHANNELS];
} sim_net_link_t;

// A frame, or a refusal, under way or received.
typedef struct sim_net_frame {
    struct sim_net_frame *next, **place; // in its list
    sim_net_t *net;
    sim_net_connection_t *connection; // reference
    uint64_t event;                   // while under way
    bool refusal;                     // goes the other way
    bool late;                        // was put off once already
    size_t bytes;
    uint8_t data[];
} sim_net_frame_t;

typedef struct {
    sim_net_frame_t *head, **tail;
} sim_net_list_t;

struct sim_net_port {
    peer_port_t base; // first: what the peer actor sees
    sim_net_t *net;
    sim_net_port_t *next; // of the network
    uint64_t life;        // a number of its own
    uint32_t node_id;
    char endpoint[PEER_ENDPOINT_BYTES_MAX + 1];
    bool killed;
    sim_net_link_t *links; // owned
    size_t links_count;
    sim_net_list_t inbound, refusals;  // received
    void (*readable) (void *argument); // of notify
    void *readable_argument;           //
    transport_counters_t counters;
};

// One direction between two nodes.
typedef struct {
    bool cut;
    int64_t since_ns;
    int64_t flap_ns; // mean time between two changes by itself; 0: none
    uint64_t event;  // of the next change
} sim_net_path_t;

// What the event of a flapping path needs to know.
typedef struct {
    sim_net_t *net;
    uint8_t from, to; // indexes
} sim_net_flap_t;

struct sim_net {
    fiber_backend_sim_t *backend;
    dt_random_t random;
    sim_net_faults_t faults;
    uint32_t nodes[SIM_NET_NODES_MAX]; // ids
    size_t nodes_count;
    sim_net_path_t paths[SIM_NET_NODES_MAX][SIM_NET_NODES_MAX];
    sim_net_flap_t flaps[SIM_NET_NODES_MAX][SIM_NET_NODES_MAX];
    sim_net_port_t *ports;
    uint64_t lives, connections; // numbers given
    sim_net_list_t under_way;    // frames with an event
    sim_net_list_t held;         // frames in a partition
    sim_net_counters_t counters;
    sim_net_watch_fn *watch; // may be NULL
    void *watch_argument;    //
};

// Chance: an event of so many in a million; a number below a bound (0 if that is not positive); how
// long a frame is under way.
bool sim_net_happens (sim_net_t *self, uint32_t ppm);
int64_t sim_net_below (sim_net_t *self, int64_t bound);
int64_t sim_net_delay (sim_net_t *self);

int64_t sim_net_now_ns (const sim_net_t *self);
void sim_net_count (sim_net_t *self, sim_net_fault_t fault);

void sim_net_list_init (sim_net_list_t *list);
void sim_net_list_add (sim_net_list_t *list, sim_net_frame_t *frame);
void sim_net_list_remove (sim_net_list_t *list, sim_net_frame_t *frame);
void sim_net_list_free (sim_net_list_t *list); // and its frames

// A node's index, given at its first use; the path from one node to another.
size_t sim_net_index (sim_net_t *self, uint32_t node_id);
sim_net_path_t *sim_net_path (sim_net_t *self, uint32_t from, uint32_t to);
void sim_net_stop_flapping (sim_net_t *self);

// The port that is open at an endpoint; NULL: none.
sim_net_port_t *sim_net_port_at (const sim_net_t *self, const char *endpoint);

// A channel's connection is over: what is under way is dropped or comes late. Pause before the
// next.
void sim_net_end_connection (sim_net_t *self, sim_net_channel_t *channel);
void sim_net_pause (sim_net_t *self, sim_net_channel_t *channel);
void sim_net_connection_unref (sim_net_connection_t **self_p);

// Whether a channel has, after all that may happen now, a connection that takes so many bytes.
bool sim_net_takes (sim_net_port_t *port, const sim_net_link_t *link, sim_net_channel_t *channel,
                    size_t bytes);

// Send a frame off on a connection, and all that may happen to it.
void sim_net_set_out (sim_net_t *self, sim_net_connection_t *connection, const dt_buffer_t *body);

// Frames one by one. A frame is in one list, or is about to be put into one or freed.
sim_net_frame_t *sim_net_frame_new (sim_net_t *self, sim_net_connection_t *connection,
                                    const uint8_t *data, size_t bytes, bool refusal);
void sim_net_frame_free (sim_net_frame_t *frame);
void sim_net_frame_drop (sim_net_frame_t *frame, sim_net_fault_t why); // and count
void sim_net_schedule (sim_net_frame_t *frame, int64_t time_ns);
void sim_net_schedule_in_order (sim_net_frame_t *frame); // behind those of its connection

#endif // SIM_NET_INTERNAL_H
