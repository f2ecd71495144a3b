// raft_cluster_internal - the parts of a cluster of cores, shared by raft_cluster*.c.

#ifndef RAFT_CLUSTER_INTERNAL_H
#define RAFT_CLUSTER_INTERNAL_H

#include "base/dt_blob.h"
#include "base/dt_buffer.h"
#include "base/dt_random.h"
#include "raft/core/raft_core.h"
#include "raft/raft_wire.h"
#include "tests/raft/raft_cluster.h"

#define MS INT64_C (1000000)

enum { IDS_MAX = RAFT_CLUSTER_NODES_MAX + 1, TERMS_MAX = 4096 };

// Faults at random.
enum {
    SWARM_LOSS = 1,
    SWARM_DUPLICATE = 2,
    SWARM_PARTITION = 4,
    SWARM_CRASH = 8,
    SWARM_PAUSE = 16,
    SWARM_STALL = 32,
    SWARM_CHANGE = 64,
    SWARM_TRANSFER = 128,
    SWARM_SLOW_NET = 256,
    SWARM_REACHED = 512,
};

// An entry as a disk holds it.
typedef struct {
    raft_term_t term;
    uint64_t cluster_time_ms;
    uint64_t id; // of the proposal; 0: none
    uint8_t type;
    dt_blob_t *config; // CONFIG: its bytes
} cluster_entry_t;

// A log, or the machine's history: entries first .. last.
typedef struct {
    cluster_entry_t *items;
    raft_index_t first; // of items[0]
    uint32_t count;
    uint32_t capacity;
} cluster_log_t;

typedef struct {
    raft_index_t index; // 0: none
    raft_term_t term;
    uint64_t cluster_time_ms;
    raft_index_t config_index;
    raft_config_t config;
    raft_term_t sent_in; // on its way: the sender's term
} cluster_snapshot_t;

typedef enum { WRITE_HARD_STATE, WRITE_APPEND, WRITE_TRUNCATE, WRITE_RESET } cluster_write_kind_t;

// A write in the order in which the disk gets it.
typedef struct cluster_write {
    struct cluster_write *next;
    cluster_write_kind_t kind;
    raft_hard_state_t hard_state;
    raft_index_t first, last; // APPEND; TRUNCATE: from first
    log_batch_t *batch;       // APPEND
    cluster_snapshot_t *reset;
} cluster_write_t;

// A node: its core, and what of it survives a crash.
typedef struct {
    raft_node_id_t id;
    raft_core_t *core; // NULL: down
    raft_effects_t effects;
    unsigned life;     // events of earlier lives are void
    bool fresh;        // never started before
    bool paused;       // events wait
    int64_t clock_ns;  // its clock at world time 0
    int64_t drift_ppm; // how much faster it goes
    int64_t tick_ns;   // world time of the tick that is scheduled

    // On disk.
    raft_hard_state_t hard_state;
    cluster_log_t log;
    cluster_snapshot_t snapshot;
    cluster_write_t *writes, **writes_tail; // not durable yet, in order
    uint32_t flushing;                      // of them, those the disk is busy with
    bool stalled;                           // the disk does not answer
    uint64_t cuts;                          // truncations and resets written
    raft_index_t lost_until;                // a repair is due at the next start

    // In memory.
    raft_index_t applied;      // by the machine
    raft_index_t handed;       // given to the machine
    raft_index_t commit_seen;  //
    cluster_snapshot_t taking; // being saved
    raft_wire_cache_t cache;
    raft_role_t role;
    uint32_t changes_open, transfers_open; // requests of this life that wait
} cluster_node_t;

typedef enum {
    REQUEST_OPEN,
    REQUEST_ACKED,   // applied
    REQUEST_REFUSED, // certainly did not happen
    REQUEST_UNKNOWN,
} cluster_outcome_t;

typedef struct {
    uint64_t id; // of the first entry; the others follow
    uint32_t count;
    uint32_t done;         // entries applied
    uint32_t refused_from; // UNKNOWN: entries from here on are
    cluster_outcome_t outcome;
    raft_node_id_t node;
    unsigned life;
} cluster_proposal_t;

typedef struct {
    raft_node_id_t node;
    unsigned life;
    raft_read_mode_t mode;
    uint32_t age_ms_max;
    raft_index_t bar; // what it has to see
    bool answered;
} cluster_read_t;

typedef enum {
    EVENT_DELIVER,
    EVENT_TICK,
    EVENT_FLUSHED,
    EVENT_APPLIED,
    EVENT_SAVED,
    EVENT_FETCHED,
    EVENT_SENT,     // a snapshot arrived at `to`
    EVENT_SENT_ACK, // and the sender hears of it
    EVENT_INSTALLED,
    EVENT_RESTART,
    EVENT_RESUME,
    EVENT_UNSTALL,
    EVENT_CLIENT,
    EVENT_FAULT,
    EVENT_SCHEME,
} cluster_event_kind_t;

typedef struct {
    int64_t at_ns;
    uint64_t number; // ties: in order
    cluster_event_kind_t kind;
    raft_node_id_t node;
    unsigned life; // of the node; 0: whichever
    raft_node_id_t other;
    uint64_t value;
    void *pointer; // DELIVER: peer_message_t; SENT: cluster_snapshot_t
} cluster_event_t;

// Faults that aim at what just happened.
typedef enum {
    SCHEME_NONE,
    SCHEME_BLIND,    // a voter stops hearing the leader, then the leader is alone
    SCHEME_FREEZE,   // the leader stands still with answers on their way, and wakes up alone
    SCHEME_FIGURE_8, // whoever begins to lead is cut off in the middle of its first appends
    SCHEME_REPLACE,  // most voters are replaced, and old and new are cut apart
    SCHEMES
} cluster_scheme_kind_t;

typedef struct {
    cluster_scheme_kind_t kind;
    uint64_t plan;                           // number of the event that is planned
    unsigned phase;                          // of the kind's own
    raft_node_id_t victim;                   // the leader it is about; 0: none
    raft_node_id_t other;                    // BLIND: who does not hear it
    raft_node_id_t watched;                  // clients read there whenever they come; 0: nowhere
    bool quiet;                              // the victim gets no proposals
    bool hasty;                              // clients come every few milliseconds
    raft_term_t term;                        // FIGURE_8: of the last leader cut off
    raft_node_list_t old_voters, new_voters; // REPLACE
    uint32_t timeout_ms;                     // the cores' election timeout; 0: the default
    uint32_t drift_permille;                 // what the cores are told; 0: the default
} cluster_scheme_t;

typedef struct {
    raft_cluster_options_t options;
    raft_cluster_result_t *result;
    dt_random_t net, disk, faults, load, seeds, plot;
    cluster_scheme_t scheme;
    int64_t now_ns;
    uint64_t hash;

    cluster_event_t *events; // heap
    uint32_t events_count, events_capacity;
    uint64_t event_number;

    unsigned nodes_count;
    unsigned voters;               // a script's
    cluster_node_t nodes[IDS_MAX]; // by id
    raft_config_t bootstrap;
    bool healing;      // liveness phase: no faults any more
    dt_buffer_t *text; // a script's: what is said goes here; NULL: nobody wrote a script

    bool cut[IDS_MAX][IDS_MAX]; // from, to
    unsigned loss_permille, duplicate_permille;
    int64_t delay_ns;
    unsigned swarm; // bits of enabled faults

    cluster_log_t shadow;              // everything ever committed, from index 1
    raft_node_id_t leaders[TERMS_MAX]; // by term
    raft_node_id_t votes[IDS_MAX][TERMS_MAX];
    uint8_t *fates; // by proposal entry id: cluster_outcome_t, and whether it is in the shadow log
    uint64_t next_id;
    uint64_t ids_capacity;

    cluster_proposal_t **proposals;
    uint32_t proposals_count, proposals_capacity;
    cluster_read_t **reads;
    uint32_t reads_count, reads_capacity;
    raft_index_t acked_index;    // highest acknowledged to anybody
    raft_index_t acked_at[4096]; // by 10 ms of world time, for bounded reads
} cluster_t;

#define CLUSTER_FAIL(self, ...) cluster_fail (self, __FILE__, __LINE__, __VA_ARGS__)
#define CLUSTER_CHECK(self, condition, ...)                                                        \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            CLUSTER_FAIL (self, __VA_ARGS__);                                                      \
        }                                                                                          \
    } while (0)
// A rule of raft whose violation need not show outside.
#define CLUSTER_RULE(self, condition, ...)                                                         \
    CLUSTER_CHECK (self, (self)->options.effects_only || (condition), __VA_ARGS__)

// raft_cluster.c
void cluster_fail (cluster_t *self, const char *file, int line, const char *format, ...)
    __attribute__ ((noreturn, format (printf, 4, 5)));
void cluster_say (cluster_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
void cluster_note (cluster_t *self, uint64_t word);
void cluster_push (cluster_t *self, cluster_event_t event, int64_t delay_ns);
void cluster_step (cluster_t *self, cluster_node_t *node, raft_event_t *event);
int64_t cluster_clock_ns (const cluster_t *self, const cluster_node_t *node);
void cluster_crash (cluster_t *self, cluster_node_t *node);
cluster_node_t *cluster_some_node (cluster_t *self, dt_random_t *random);
cluster_node_t *cluster_leader (cluster_t *self); // of the highest term; NULL: nobody leads

void cluster_set_up (cluster_t *self);
void cluster_run_until (cluster_t *self, int64_t end_ns);
void cluster_tear_down (cluster_t *self);
void cluster_propose (cluster_t *self, cluster_node_t *node, uint32_t count);
void cluster_ask (cluster_t *self, cluster_node_t *node, raft_read_mode_t mode);

// raft_cluster_faults.c
void cluster_fault (cluster_t *self); // one, and the next one is planned
void cluster_tell_stalled (cluster_t *self, cluster_node_t *node, bool on);
void cluster_change (cluster_t *self, cluster_node_t *node, const raft_change_t *change);
void cluster_describe (raft_config_t *config, unsigned nodes); // give its members addresses

// raft_cluster_schemes.c
void cluster_scheme_draw (cluster_t *self);  // before the nodes are made
void cluster_scheme_begin (cluster_t *self); // once they are
void cluster_scheme_event (cluster_t *self, const cluster_event_t *event); // its time has come
void cluster_scheme_look (cluster_t *self, cluster_node_t *node);          // after a node's step

// raft_cluster_disk.c
void cluster_log_free (cluster_log_t *log);
cluster_entry_t *cluster_log_at (const cluster_log_t *log, raft_index_t index);
raft_index_t cluster_log_last (const cluster_log_t *log);
void cluster_log_push (cluster_log_t *log, const cluster_entry_t *entry);
void cluster_log_cut (cluster_log_t *log, raft_index_t from);
void cluster_log_drop (cluster_log_t *log, raft_index_t upto);
cluster_entry_t cluster_entry_of (const log_entry_t *entry);
log_batch_t *cluster_batch (const cluster_log_t *log, raft_index_t first, raft_index_t last);
void cluster_disk_write (cluster_t *self, cluster_node_t *node, const cluster_write_t *write);
void cluster_disk_flushed (cluster_t *self, cluster_node_t *node);
void cluster_disk_crash (cluster_t *self, cluster_node_t *node);
void cluster_start (cluster_t *self, cluster_node_t *node);

// raft_cluster_host.c
void cluster_carry_out (cluster_t *self, cluster_node_t *node);

// raft_cluster_check.c
void cluster_check_step (cluster_t *self, cluster_node_t *node);
void cluster_check_send (cluster_t *self, cluster_node_t *node, const raft_message_t *message);
void cluster_check_apply (cluster_t *self, cluster_node_t *node, raft_index_t index,
                          const cluster_entry_t *entry);
void cluster_check_read (cluster_t *self, cluster_node_t *node, cluster_read_t *read, int rc);
void cluster_note_acked (cluster_t *self, raft_index_t index);
void cluster_check_end (cluster_t *self);

#endif // RAFT_CLUSTER_INTERNAL_H
