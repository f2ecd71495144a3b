#include "tests/sim/sim_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/fiber/fiber.h"
#include "base/dt_error.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "tests/sim/sim_node.h"

#define MS(n) (INT64_C (1000000) * (n))

enum { STUCK_TURNS = 3000000, NODE_ID = 1, GROUP_ID = 1 };

typedef struct {
    uint64_t seed;
    bool verbose;
    dt_env_t env;
    dt_random_t clock, disk_time, faults, entropy; // streams
    fiber_backend_sim_t *backend;
    vfs_sim_disk_t *disk;
    sim_node_t *node; // NULL: down
    sim_check_t *check;
    sim_clients_t *clients;
    sim_node_options_t options;
    raft_config_t config; // the node alone
    bool enabled[SIM_FAULTS];
    vfs_sim_faults_t disk_faults;
    int64_t wall_ms;       // offset
    int64_t mean_fault_ns; // between faults
    int64_t next_fault_ns; //
    int64_t start_ns;      // when a node that is down starts; INT64_MAX: it is up
    int64_t born_ns;       // when this life began
    bool ready;            // it was, in this life
    bool calm;             // no more faults
    sim_fault_t lie;       // what the disk does that no disk may; SIM_FAULTS: nothing
    bool lied;             // it has begun
    bool refused;          // and the node noticed: the end of the run
    dt_random_t lies;      // a stream of its own
    uint64_t disk_failed;  // answers 74 seen
    uint64_t latency_ns;   // of the disk, at most
    uint64_t trace;
    dt_buffer_t *events;
    sim_totals_t *totals;
} s_world_t;

const char *sim_fault_name (sim_fault_t fault)
{
#define SIM_FAULT_NAME(name) #name,
    static const char *const names[] = {SIM_FAULT_TABLE (SIM_FAULT_NAME)};
#undef SIM_FAULT_NAME
    return names[fault];
}

// --- the world the node sees ---------------------------------------------------------------------

static int64_t s_now_ns (const dt_env_t *env)
{
    return fiber_backend_sim_now_ns (((s_world_t *) env->context)->backend);
}

static int64_t s_wall_ms (const dt_env_t *env)
{
    const s_world_t *self = env->context;
    return INT64_C (1700000000000) + self->wall_ms + s_now_ns (env) / 1000000;
}

static uint64_t s_entropy (const dt_env_t *env)
{
    return dt_random_next (&((s_world_t *) env->context)->entropy);
}

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    if (((s_world_t *) env->context)->verbose) {
        fprintf (stderr, "%10.3f %s %s\n", (double) s_now_ns (env) / 1e9, dt_log_level_name (level),
                 line);
    }
}

static void s_event (s_world_t *self, uint64_t word)
{
    self->trace = dt_hash_mix (self->trace * 0x9e3779b97f4a7c15ULL + word + 1);
    dt_buffer_append (self->events, &self->trace, sizeof self->trace);
}

static void s_on_reply (void *argument, uint32_t client, const uint8_t *data, size_t bytes)
{
    s_world_t *self = argument;
    s_event (self, dt_hash64 (data, bytes, client));
    s_event (self, (uint64_t) s_now_ns (&self->env));
    sim_clients_take (self->clients, client, data, bytes);
}

static void s_delay (void *context, vfs_sim_op_t op, uint64_t bytes, int64_t stall_ns)
{
    s_world_t *self = context;
    if (op == VFS_SIM_READ && stall_ns == 0) {
        return;
    }
    int64_t delay = (int64_t) dt_random_below (&self->disk_time, self->latency_ns + 1);
    delay += (int64_t) bytes + stall_ns; // 1 GB/s
    if (fiber_self ()) {
        fiber_sleep_until (s_now_ns (&self->env) + delay);
    }
}

// --- lives ---------------------------------------------------------------------------------------

static void s_count (s_world_t *self, sim_fault_t fault)
{
    self->totals->faults[fault]++;
    s_event (self, fault + 1000);
    if (self->verbose) {
        fprintf (stderr, "%10.3f --- %s\n", (double) s_now_ns (&self->env) / 1e9,
                 sim_fault_name (fault));
    }
}

static void s_begin_life (s_world_t *self)
{
    self->totals->lives++;
    self->start_ns = INT64_MAX;
    self->born_ns = s_now_ns (&self->env);
    self->ready = false;
    self->disk_failed = sim_clients_counters (self->clients)->disk_failed;
    self->node = sim_node_start (&self->options);
    bool in_recovery = self->enabled[SIM_FAULT_power_cut_in_recovery] && !self->calm &&
                       dt_random_chance (&self->faults, 1, 4);
    if (in_recovery && sim_node_failure (self->node) == 0) {
        vfs_sim_crash_at (self->disk, dt_random_between (&self->faults, 1, 30));
        s_count (self, SIM_FAULT_power_cut_in_recovery);
    }
}

static void s_end_life (s_world_t *self, void (*end) (sim_node_t **))
{
    if (self->node) {
        vfs_sim_crash_at (self->disk, 0);
        end (&self->node);
    }
    self->ready = false;
    self->start_ns = s_now_ns (&self->env) + (int64_t) dt_random_below (&self->faults, MS (200));
}

// What the next fault is to be, by chance; SIM_FAULTS: none is enabled.
static sim_fault_t s_draw_fault (s_world_t *self)
{
    for (int tries = 0; tries < 50; tries++) {
        sim_fault_t fault = (sim_fault_t) dt_random_below (&self->faults, SIM_FAULT_rot);
        if (self->enabled[fault]) {
            return fault;
        }
    }
    return SIM_FAULTS;
}

static void s_fill_or_free (s_world_t *self)
{
    uint64_t used = vfs_sim_used_bytes (self->disk);
    self->disk_faults.capacity_bytes =
        self->disk_faults.capacity_bytes ? 0 : used + dt_random_below (&self->faults, 256 * 1024);
    vfs_sim_set_faults (self->disk, &self->disk_faults);
}

static void s_break (s_world_t *self)
{
    sim_fault_t fault = s_draw_fault (self);
    switch (fault) {
    case SIM_FAULT_power_cut:
        s_end_life (self, sim_node_crash);
        break;
    case SIM_FAULT_power_cut_at_change:
        vfs_sim_crash_at (self->disk, dt_random_between (&self->faults, 1, 40));
        break;
    case SIM_FAULT_kill:
        s_end_life (self, sim_node_kill);
        break;
    case SIM_FAULT_restart:
        s_end_life (self, sim_node_stop);
        break;
    case SIM_FAULT_disk_full:
        s_fill_or_free (self);
        break;
    case SIM_FAULT_write_error:
        vfs_sim_fail_at (self->disk, VFS_SIM_WRITE, dt_random_between (&self->faults, 1, 30),
                         DT_ERR_IO);
        break;
    case SIM_FAULT_sync_error:
        vfs_sim_fail_at (self->disk, VFS_SIM_SYNC, dt_random_between (&self->faults, 1, 30),
                         DT_ERR_IO);
        break;
    case SIM_FAULT_wall_jump:
        self->wall_ms += (int64_t) dt_random_below (&self->clock, 7200000) - 3600000;
        break;
    default: // stalls come by chance; a power cut in recovery when a life begins
        return;
    }
    s_count (self, fault);
}

// The node died by itself: of its disk, which the world may have broken.
static void s_see_death (s_world_t *self)
{
    if (vfs_sim_stopped (self->disk)) {
        s_end_life (self, sim_node_crash);
        return;
    }
    int rc = sim_node_failure (self->node);
    bool failed = sim_clients_counters (self->clients)->disk_failed != self->disk_failed;
    if (self->lied && (rc != 0 || failed)) {
        self->refused = true; // what it may do next depends on what is left of the lies
        self->totals->refusals++;
        return;
    }
    if (rc == DT_ERR_CORRUPT || rc == DT_ERR_NEWER_FORMAT || rc == DT_ERR_NOT_FOUND) {
        sim_check_fail (self->check, "the node refuses a disk that did not rot: %s",
                        dt_error_text (rc));
    }
    if (rc != 0 || failed) {
        // Whether the cache is thrown away with the process is chance.
        bool cut = dt_random_chance (&self->faults, 1, 2);
        s_end_life (self, cut ? sim_node_crash : sim_node_kill);
    }
}

// One step of world and node. until_ns: time does not pass beyond it.
static void s_step (s_world_t *self, int64_t until_ns)
{
    int64_t now = s_now_ns (&self->env);
    if (!self->node && self->start_ns <= now) {
        s_begin_life (self);
    }
    if (!self->calm && self->next_fault_ns <= now) {
        self->next_fault_ns =
            now + 1 + (int64_t) dt_random_below (&self->faults, 2 * (uint64_t) self->mean_fault_ns);
        s_break (self);
    }
    if (self->node && sim_node_failure (self->node) == 0 && !self->ready &&
        sim_node_ready (self->node)) {
        self->ready = true; // reads still wait for the replay
    }
    bool up = self->node && sim_node_failure (self->node) == 0;
    sim_port_t *port = up && self->ready ? sim_node_port (self->node) : NULL;
    sim_clients_act (self->clients, s_now_ns (&self->env), &port, 1);
    int64_t next = sim_clients_next_ns (self->clients);
    next = next < until_ns ? next : until_ns;
    next = !self->calm && self->next_fault_ns < next ? self->next_fault_ns : next;
    next = self->start_ns < next ? self->start_ns : next;
    if (up) {
        sim_node_turn (self->node, next);
    } else if (!self->node) {
        // Nobody's dispatcher runs; an idle one lets the time pass.
        fiber_backend_t *base = fiber_backend_sim_base (self->backend);
        base->ops->wait (base, next);
    }
    if (self->node) {
        s_see_death (self);
    }
}

static void s_pass (s_world_t *self, int64_t until_ns)
{
    int64_t last = -1;
    for (uint32_t turns = 0; s_now_ns (&self->env) < until_ns;) {
        if (sim_check_failure (self->check) || self->refused) {
            return;
        }
        s_step (self, until_ns);
        turns = s_now_ns (&self->env) == last ? turns + 1 : 0;
        last = s_now_ns (&self->env);
        if (turns > STUCK_TURNS) {
            sim_check_fail (self->check, "the node is busy and time stands still");
        }
    }
}

// --- the end of a run ----------------------------------------------------------------------------

// The node takes requests and has everything that was ever applied.
static bool s_caught_up (s_world_t *self)
{
    return self->node && self->ready && sim_node_failure (self->node) == 0 &&
           dtkv_store_applied_index (sim_node_store (self->node, GROUP_ID)) >=
               sim_check_applied (self->check);
}

// Nothing is planned any more, and whoever waits for space has it.
static void s_end_faults (s_world_t *self)
{
    self->calm = true;
    vfs_sim_set_faults (self->disk, NULL);
    for (int op = 0; op < VFS_SIM_OPS; op++) {
        vfs_sim_fail_at (self->disk, (vfs_sim_op_t) op, 0, 0);
    }
    vfs_sim_crash_at (self->disk, 0);
}

// No faults any more: what is outstanding comes to its end, and the node serves [DST-10].
static void s_heal (s_world_t *self)
{
    s_end_faults (self);
    s_end_life (self, sim_node_crash);
    sim_clients_finish (self->clients);
    int64_t end = s_now_ns (&self->env) + MS (30000);
    while (s_now_ns (&self->env) < end && !sim_check_failure (self->check) && !self->refused &&
           (!s_caught_up (self) || sim_clients_outstanding (self->clients) > 0)) {
        s_pass (self, s_now_ns (&self->env) + MS (50));
    }
    if (sim_check_failure (self->check) || self->refused) {
        return;
    }
    if (!s_caught_up (self)) {
        sim_check_fail (self->check, "the node does not serve 30 s after the last fault");
    } else if (sim_clients_outstanding (self->clients) > 0) {
        sim_check_fail (self->check, "%u requests have no outcome 30 s after the last fault",
                        sim_clients_outstanding (self->clients));
    } else {
        sim_check_whole (self->check, sim_node_store (self->node, GROUP_ID));
    }
}

// --- a disk that lies ----------------------------------------------------------------------------
//
// What is lost or written elsewhere shows when the cache is gone. A node cannot know that the last
// write of all was lost, if nothing written later proves it: so the lies end a while before the
// power does. It need not start on such a disk, but what it serves is right and complete.

static vfs_sim_faults_t s_lies_of (const s_world_t *self)
{
    switch (self->lie) {
    case SIM_FAULT_garbage:
        return (vfs_sim_faults_t){.garbage_ppm = 300000};
    case SIM_FAULT_lost_write:
        return (vfs_sim_faults_t){.lost_write_ppm = 20000};
    case SIM_FAULT_misdirected_write:
        return (vfs_sim_faults_t){.misdirected_ppm = 20000};
    case SIM_FAULT_read_error:
        return (vfs_sim_faults_t){.read_error_ppm = 50000};
    case SIM_FAULT_read_flip:
        return (vfs_sim_faults_t){.read_flip_ppm = 50000};
    case SIM_FAULT_read_stale:
        return (vfs_sim_faults_t){.read_stale_ppm = 200000};
    default:
        return (vfs_sim_faults_t){0};
    }
}

static uint64_t s_lies_told (const s_world_t *self)
{
    const vfs_sim_counters_t *counters = vfs_sim_counters (self->disk);
    return counters->sectors_garbage + counters->lost_writes + counters->misdirected_writes +
           counters->read_errors + counters->read_flips + counters->read_stales;
}

static int64_t s_draw_ns (s_world_t *self, int64_t least_ns, int64_t most_ns)
{
    return (int64_t) dt_random_between (&self->lies, (uint64_t) least_ns, (uint64_t) most_ns);
}

// Power cuts, after each of which unsynced sectors are garbage.
static void s_leave_garbage (s_world_t *self)
{
    vfs_sim_faults_t faults = s_lies_of (self);
    self->lied = true;
    for (uint64_t cuts = dt_random_between (&self->lies, 1, 4); cuts > 0 && !self->refused;
         cuts--) {
        vfs_sim_set_faults (self->disk, &faults);
        vfs_sim_crash_at (self->disk, dt_random_between (&self->lies, 1, 40));
        s_pass (self, s_now_ns (&self->env) + s_draw_ns (self, MS (50), MS (1000)));
    }
    s_count (self, self->lie);
}

// Writes that go wrong under a node that serves; then more that do not.
static void s_lie_to_writes (s_world_t *self)
{
    vfs_sim_faults_t faults = s_lies_of (self);
    s_pass (self, s_now_ns (&self->env) + MS (3000)); // it is up
    self->lied = true;
    vfs_sim_set_faults (self->disk, &faults);
    s_pass (self, s_now_ns (&self->env) + s_draw_ns (self, MS (100), MS (1000)));
    vfs_sim_set_faults (self->disk, NULL);
    s_pass (self, s_now_ns (&self->env) + MS (1000)); // the last lie is proven
    s_count (self, self->lie);
}

// Content to be read as it was before.
static void s_keep_stale (s_world_t *self)
{
    vfs_sim_set_faults (self->disk, &(vfs_sim_faults_t){.read_stale_ppm = 1});
    s_pass (self, s_now_ns (&self->env) + s_draw_ns (self, MS (500), MS (2000)));
}

// While clients send.
static void s_lie_early (s_world_t *self)
{
    if (self->lie == SIM_FAULTS) {
        return;
    }
    s_end_faults (self);
    if (self->lie == SIM_FAULT_garbage) {
        s_leave_garbage (self);
    } else if (self->lie == SIM_FAULT_lost_write || self->lie == SIM_FAULT_misdirected_write) {
        s_lie_to_writes (self);
    } else if (self->lie == SIM_FAULT_read_stale) {
        s_keep_stale (self);
    }
}

// Start on a disk whose reads lie, at most once; then on the same disk when it tells the truth
// again: it must have everything, whatever the start before made of the lie.
static void s_lie_late (s_world_t *self)
{
    bool reads = self->lie == SIM_FAULT_read_error || self->lie == SIM_FAULT_read_flip ||
                 self->lie == SIM_FAULT_read_stale;
    if (!reads) {
        return;
    }
    s_pass (self, s_now_ns (&self->env) + MS (500)); // the last batch is proven
    s_end_life (self, sim_node_crash);
    vfs_sim_faults_t faults = s_lies_of (self);
    uint64_t told = s_lies_told (self);
    vfs_sim_set_faults (self->disk, &faults);
    s_begin_life (self);
    int64_t end = s_now_ns (&self->env) + MS (5000);
    while (s_now_ns (&self->env) < end && !self->ready && sim_node_failure (self->node) == 0) {
        if (s_lies_told (self) > told) {
            vfs_sim_set_faults (self->disk, NULL);
        }
        sim_node_turn (self->node, end);
        self->ready = sim_node_failure (self->node) == 0 && sim_node_ready (self->node);
    }
    self->totals->refusals += !self->ready;
    s_count (self, self->lie);
    s_heal (self);
}

// --- rot -----------------------------------------------------------------------------------------

// Flip bits of a disk at rest: the node starts with all it had, or refuses.
static void s_rot (s_world_t *self)
{
    s_pass (self, s_now_ns (&self->env) + MS (500)); // the last batch is proven
    if (sim_check_failure (self->check) || !self->node) {
        return;
    }
    s_end_life (self, sim_node_stop);
    uint64_t bits = dt_random_between (&self->faults, 1, 3);
    for (uint64_t i = 0; i < bits; i++) {
        vfs_sim_rot_random (self->disk, NULL, NULL, 0, NULL);
    }
    s_count (self, SIM_FAULT_rot);
    s_begin_life (self);
    int64_t end = s_now_ns (&self->env) + MS (30000);
    while (s_now_ns (&self->env) < end && !self->ready) {
        if (sim_node_failure (self->node)) {
            self->totals->refusals++;
            return;
        }
        sim_node_turn (self->node, end);
        self->ready = sim_node_failure (self->node) == 0 && sim_node_ready (self->node) &&
                      dtkv_store_applied_index (sim_node_store (self->node, GROUP_ID)) >=
                          sim_check_applied (self->check);
    }
    if (self->ready) {
        sim_check_whole (self->check, sim_node_store (self->node, GROUP_ID));
    } else {
        sim_check_fail (self->check, "on a rotten disk the node neither serves nor refuses");
    }
}

// --- a run ---------------------------------------------------------------------------------------

static void s_draw_lie (s_world_t *self)
{
    dt_random_init_stream (&self->lies, self->seed, "lies");
    uint32_t kinds = SIM_FAULTS - SIM_FAULT_garbage;
    uint64_t drawn = dt_random_below (&self->lies, 2 * kinds);
    self->lie = drawn < kinds ? (sim_fault_t) (SIM_FAULT_garbage + drawn) : SIM_FAULTS;
}

static void s_draw_faults (s_world_t *self, dt_random_t *swarm)
{
    for (int i = 0; i <= SIM_FAULT_rot; i++) {
        self->enabled[i] = dt_random_chance (swarm, 1, 2);
    }
    self->enabled[SIM_FAULT_rot] = dt_random_chance (swarm, 1, 4);
    self->mean_fault_ns = (int64_t) dt_random_between (swarm, MS (20), MS (800));
    self->latency_ns = dt_random_between (swarm, 0, MS (3));
    self->disk_faults = (vfs_sim_faults_t){
        .stall_ppm = self->enabled[SIM_FAULT_stall] ? (uint32_t) dt_random_below (swarm, 20000) : 0,
        .stall_min_ns = MS (1),
        .stall_max_ns = MS (2000),
    };
}

static void s_init (s_world_t *self, dt_random_t *swarm)
{
    self->env = (dt_env_t){.now_ns = s_now_ns,
                           .wall_ms = s_wall_ms,
                           .entropy = s_entropy,
                           .log = s_log,
                           .log_level = self->verbose ? DT_LOG_INFO : DT_LOG_ERROR,
                           .context = self};
    dt_random_init_stream (&self->clock, self->seed, "clock");
    dt_random_init_stream (&self->disk_time, self->seed, "disk");
    dt_random_init_stream (&self->faults, self->seed, "faults");
    dt_random_init_stream (&self->entropy, self->seed, "entropy");
    dt_random_t sched;
    dt_random_init_stream (&sched, self->seed, "sched");
    self->backend = fiber_backend_sim_new (dt_random_next (&sched), true);
    self->disk = vfs_sim_disk_new (dt_random_next (&self->disk_time), &self->env);
    s_draw_faults (self, swarm);
    s_draw_lie (self);
    vfs_sim_set_faults (self->disk, &self->disk_faults);
    dtkv_store_options_t store = {
        .limits = DTKV_LIMITS_DEFAULT,
        .hash_seed = dt_random_next (&self->entropy),
    };
    store.limits.session_replies_max = (uint32_t) dt_random_between (swarm, 4, 64);
    self->check = sim_check_new (&store, 1);
    self->clients = sim_clients_new (&(sim_clients_options_t){
        .seed = self->seed,
        .check = self->check,
        .count = (uint32_t) dt_random_between (swarm, 1, 6),
        .window = (uint32_t) dt_random_between (swarm, 1, 16),
        .names = (uint32_t) dt_random_between (swarm, 2, 8),
        .value_max = (uint32_t) dt_random_between (swarm, 16, 4000),
        .session_ppm = (uint32_t) dt_random_below (swarm, 1000000),
        .lost_ppm = (uint32_t) dt_random_below (swarm, 100000),
        .duplicate_ppm = (uint32_t) dt_random_below (swarm, 100000),
        .garbage_ppm = (uint32_t) dt_random_below (swarm, 20000),
        .snapshot_ppm = (uint32_t) dt_random_below (swarm, 20000),
        .pause_ns = (int64_t) dt_random_between (swarm, MS (5), MS (100)),
    });
    self->config = raft_config_sole (NODE_ID);
    self->options = (sim_node_options_t){
        .env = &self->env,
        .backend = fiber_backend_sim_base (self->backend),
        .disk = self->disk,
        .delay = s_delay,
        .delay_argument = self,
        .reply = s_on_reply,
        .reply_argument = self,
        .segment_bytes = (uint32_t) dt_random_between (swarm, 1, 4) * 64 * 1024,
        .snapshot_after_bytes = dt_random_between (swarm, 16, 256) * 1024,
        .in_flight_max = dt_random_between (swarm, 4, 100),
        .store = store,
        .node_id = NODE_ID,
        .bootstrap = &self->config,
        .groups = {{GROUP_ID, sim_check_wrap, self->check}},
        .groups_count = 1,
    };
}

static void s_finish (s_world_t *self, sim_result_t *result)
{
    const char *failure = sim_check_failure (self->check);
    if (self->node) {
        sim_node_crash (&self->node);
    }
    s_event (self, fiber_backend_sim_trace (self->backend));
    s_event (self, vfs_sim_digest (self->disk));
    result->trace = self->trace;
    snprintf (result->failure, sizeof result->failure, "%s", failure ? failure : "");
    sim_totals_t *totals = self->totals;
    const sim_clients_counters_t *counters = sim_clients_counters (self->clients);
    totals->applied += sim_check_applied (self->check);
    result->virtual_ns = s_now_ns (&self->env);
    totals->faults[SIM_FAULT_stall] += vfs_sim_counters (self->disk)->stalls;
    uint64_t *sums = (uint64_t *) &totals->clients;
    for (size_t i = 0; i < sizeof *counters / sizeof *sums; i++) {
        sums[i] += ((const uint64_t *) counters)[i];
    }
    sim_clients_destroy (&self->clients);
    sim_check_destroy (&self->check);
    vfs_sim_disk_destroy (&self->disk);
    fiber_backend_sim_destroy (&self->backend);
}

void sim_world_run (uint64_t seed, bool verbose, dt_buffer_t *events, sim_totals_t *totals,
                    sim_result_t *result)
{
    s_world_t *self = dt_zalloc (1, sizeof *self);
    self->seed = seed;
    self->verbose = verbose;
    self->events = events;
    self->totals = totals;
    dt_random_t swarm;
    dt_random_init_stream (&swarm, seed, "swarm");
    s_init (self, &swarm);
    int64_t length = (int64_t) dt_random_between (&swarm, MS (1000), MS (8000));
    self->next_fault_ns = s_now_ns (&self->env) + self->mean_fault_ns;
    s_begin_life (self);
    s_pass (self, s_now_ns (&self->env) + length);
    if (!sim_check_failure (self->check)) {
        s_lie_early (self);
    }
    if (!sim_check_failure (self->check) && !self->refused) {
        s_heal (self);
    }
    if (!sim_check_failure (self->check) && !self->refused) {
        s_lie_late (self);
    }
    if (!sim_check_failure (self->check) && !self->refused && self->enabled[SIM_FAULT_rot]) {
        s_rot (self);
    }
    s_finish (self, result);
    free (self);
}
