// raft_cluster - a cluster of raft cores on simulated disks, clocks and links, checked after every
// step. Pure and single-threaded; everything is drawn from one seed.
//
// The safety phase draws faults; then everything is healed and the cluster has to serve again. A
// violation is an assertion with a line that names the rule. Messages travel as bytes, through
// raft/raft_wire.h.
//
// Two kinds of faults: at random (each seed enables some), and schemes (each seed has one or none),
// which aim at what just happened: see raft_cluster_schemes.c.
//
// What is checked: raft_core_check of the core that stepped; one leader a term, elected by a
// majority of each half of its configuration; nobody is elected while another's lease lasts by its
// own clock; one vote a node and term, over restarts; nothing of a term leaves before the term is
// durable; a leader commits up to an entry of its term, which majorities have on disk; entries once
// committed never change (shadow log) and are what every machine applies, in order; acknowledged
// proposals are committed, refused ones never; linearizable reads see everything acknowledged
// before they were asked, at whatever node and by whatever way; bounded stale reads keep their
// bound; every request is answered once; after healing there is one leader, all members have
// applied the same, and a write succeeds.

#ifndef RAFT_CLUSTER_H
#define RAFT_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

enum { RAFT_CLUSTER_NODES_MAX = 9 };

typedef struct {
    uint64_t seed;
    unsigned nodes;              // 1 .. RAFT_CLUSTER_NODES_MAX; 0: drawn
    unsigned seconds;            // of the safety phase, virtual; 0: 20
    unsigned drift_permille_max; // of the clocks; 0: what the cores are told (10)
    bool plain;                  // faults at random only, no scheme
    bool effects_only;           // judge by what clients and machines see, not by raft's own rules
    bool verbose;                // print what happens
} raft_cluster_options_t;

typedef struct {
    uint64_t trace_hash; // of everything that happened
    uint64_t steps, messages, elections, crashes, committed, reads, changes, transfers, installs;
    uint64_t lease_reads; // answered by a leader in the step they came
} raft_cluster_result_t;

// Run one seed. Violations abort, with the seed and the rule on standard error.
void raft_cluster_run (const raft_cluster_options_t *options, raft_cluster_result_t *result);

#endif // RAFT_CLUSTER_H
