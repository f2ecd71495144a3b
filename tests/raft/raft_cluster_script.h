// raft_cluster_script - a cluster of cores that does what a script says; the world of raft_cluster,
// with its checks, without chance. For the golden traces of raft_scenario.
//
//     nodes N [VOTERS]       the first line; the first VOTERS vote (all), the others observe
//     run MS                 time passes
//     campaign N             node N's clock jumps, so that it times out now
//     lead N                 the same, and 20 ms pass
//     isolate N | mute N (nobody hears it) | cut A,B from C,D | join
//     crash N | restart N | stall N | unstall N (its disk) | freeze N | thaw N (its process)
//     propose N COUNT | read N | read_index N | transfer N TO
//     change N VOTERS        others become observers; a joint configuration that commits by itself
//     prepare N VOTERS       one that waits for
//     commit N | abort N
//     show                   each node's state, and the terms of the entries on its disk

#ifndef RAFT_CLUSTER_SCRIPT_H
#define RAFT_CLUSTER_SCRIPT_H

#include <stdbool.h>

#include "base/dt_buffer.h"

typedef struct raft_cluster_script raft_cluster_script_t;

// Create a script whose output goes to text, which must outlive it.
raft_cluster_script_t *raft_cluster_script_new (dt_buffer_t *text);

// Destroy it. Accepts a NULL script.
void raft_cluster_script_destroy (raft_cluster_script_t **self_p);

// Do what a line says. False: nobody knows what it means. Violations abort, as in raft_cluster_run.
bool raft_cluster_script_line (raft_cluster_script_t *self, const char *line);

#endif // RAFT_CLUSTER_SCRIPT_H
