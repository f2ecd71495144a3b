#include "tests/sim/sim_cluster_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "tests/lin/lin_judge.h"

#define MS SIM_CLUSTER_MS

#define REST_WITHIN_NS MS (60000)

enum { STUCK_STEPS = 3000000, JUDGE_STEPS_MAX = 2000000, TIDY_ROUNDS = 25 };

const char *sim_cluster_fault_name (sim_cluster_fault_t fault)
{
#define FAULT_NAME(name) #name,
    static const char *const names[] = {SIM_CLUSTER_FAULT_TABLE (FAULT_NAME)};
#undef FAULT_NAME
    return names[fault];
}

int64_t sim_cluster_now_ns (const sim_cluster_t *self)
{
    return fiber_backend_sim_now_ns (self->world);
}

void sim_cluster_event (sim_cluster_t *self, uint64_t word)
{
    self->trace = dt_hash_mix (self->trace * 0x9e3779b97f4a7c15ULL + word + 1);
    dt_buffer_append (self->events, &self->trace, sizeof self->trace);
}

const char *sim_cluster_failure (const sim_cluster_t *self)
{
    const char *failure = NULL;
    for (uint32_t i = 0; i < self->groups_count && !failure; i++) {
        failure = sim_check_failure (self->groups[i].check);
    }
    return failure;
}

// --- steps ---------------------------------------------------------------------------------------

// What the operator was answered; it looks at the groups itself before it goes on.
static void s_note_operation (sim_cluster_t *self, const uint8_t *data, size_t bytes)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, data, bytes);
    protocol_reply_t reply;
    while (protocol_reply_next (&cursor, &reply) == 1) {
        self->totals->operations++;
        self->totals->operations_done += reply.code == 0;
        if (self->verbose) {
            fprintf (stderr, "%10.3f --- operator: code %u %.*s\n",
                     (double) sim_cluster_now_ns (self) / 1e9, reply.code,
                     (int) reply.message.bytes, (const char *) reply.message.data);
        }
    }
}

static void s_on_reply (void *argument, uint32_t client, const uint8_t *data, size_t bytes)
{
    sim_cluster_t *self = argument;
    sim_cluster_event (self, dt_hash64 (data, bytes, client));
    sim_cluster_event (self, (uint64_t) sim_cluster_now_ns (self));
    sim_cluster_group_t *group = &self->groups[client / SIM_CLUSTER_NUMBERS];
    if (client % SIM_CLUSTER_NUMBERS == SIM_CLUSTER_OPERATOR) {
        s_note_operation (self, data, bytes);
    }
    sim_clients_take (group->clients, client, data, bytes);
    sim_registers_take (group->registers, sim_cluster_now_ns (self), client, data, bytes);
}

static void s_act (sim_cluster_t *self)
{
    sim_port_t *ports[SIM_CLUSTER_NODES_MAX];
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        bool up = sim_cluster_node_up (&self->nodes[i]);
        ports[i] = up ? sim_node_port (self->nodes[i].node) : NULL;
    }
    int64_t now_ns = sim_cluster_now_ns (self);
    for (uint32_t i = 0; i < self->groups_count; i++) {
        sim_clients_act (self->groups[i].clients, now_ns, ports, self->nodes_count);
        sim_registers_act (self->groups[i].registers, now_ns, ports, self->nodes_count);
    }
}

static int64_t s_earlier (int64_t one, int64_t other)
{
    return one < other ? one : other;
}

// When something happens next.
static int64_t s_next_ns (const sim_cluster_t *self, int64_t until_ns)
{
    int64_t next_ns = s_earlier (until_ns, fiber_backend_sim_next_ns (self->world));
    next_ns = self->calm ? next_ns : s_earlier (next_ns, self->next_fault_ns);
    for (uint32_t i = 0; i < self->groups_count; i++) {
        next_ns = s_earlier (next_ns, sim_clients_next_ns (self->groups[i].clients));
        next_ns = s_earlier (next_ns, sim_registers_next_ns (self->groups[i].registers));
    }
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        next_ns = s_earlier (next_ns, sim_cluster_node_next_ns (&self->nodes[i]));
    }
    return next_ns;
}

static void s_step (sim_cluster_t *self, int64_t until_ns)
{
    fiber_backend_t *base = fiber_backend_sim_base (self->world);
    base->ops->wait (base, s_next_ns (self, until_ns));
    if (!self->calm && self->next_fault_ns <= sim_cluster_now_ns (self)) {
        self->next_fault_ns =
            sim_cluster_now_ns (self) + 1 +
            (int64_t) dt_random_below (&self->faults, 2 * (uint64_t) self->mean_fault_ns);
        sim_cluster_break (self);
    }
    s_act (self);
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        if (sim_cluster_node_due (&self->nodes[i])) {
            sim_cluster_node_step (&self->nodes[i]);
        }
    }
}

static void s_pass (sim_cluster_t *self, int64_t ns)
{
    int64_t until_ns = sim_cluster_now_ns (self) + ns;
    int64_t last_ns = -1;
    for (uint32_t steps = 0; sim_cluster_now_ns (self) < until_ns;) {
        if (sim_cluster_failure (self)) {
            return;
        }
        s_step (self, until_ns);
        steps = sim_cluster_now_ns (self) == last_ns ? steps + 1 : 0;
        last_ns = sim_cluster_now_ns (self);
        if (steps > STUCK_STEPS) {
            sim_check_fail (self->groups[0].check, "a node is busy and time stands still");
        }
    }
}

// --- the end of a run ----------------------------------------------------------------------------

const raft_core_t *sim_cluster_leader (const sim_cluster_t *self, uint32_t group_id,
                                       raft_status_t *status)
{
    const raft_core_t *leader = NULL;
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        const raft_core_t *core = sim_cluster_node_core (&self->nodes[i], group_id);
        raft_status_t other;
        if (!core) {
            continue;
        }
        raft_core_status (core, &other);
        if (other.role == RAFT_LEADER && other.ready &&
            (!leader || other.hard_state.term > status->hard_state.term)) {
            leader = core;
            *status = other;
        }
    }
    return leader;
}

// All members of a group's configuration have all its entries.
static bool s_group_rests (const sim_cluster_t *self, const sim_cluster_group_t *group)
{
    raft_status_t status;
    const raft_core_t *leader = sim_cluster_leader (self, group->id, &status);
    if (!leader || status.applied != status.last || sim_clients_outstanding (group->clients) > 0 ||
        !sim_registers_finished (group->registers)) {
        return false;
    }
    const raft_config_t *config = &raft_core_config (leader)->config;
    if (!sim_cluster_members_tidy (self, config)) {
        return false;
    }
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        const sim_cluster_node_t *node = &self->nodes[i];
        if (raft_config_is_member (config, node->id) &&
            (!sim_cluster_node_core (node, group->id) ||
             dtkv_store_applied_index (sim_node_store (node->node, group->id)) != status.last)) {
            return false;
        }
    }
    return true;
}

static bool s_rests (const sim_cluster_t *self)
{
    for (uint32_t i = 0; i < self->groups_count; i++) {
        if (!s_group_rests (self, &self->groups[i])) {
            return false;
        }
    }
    return true;
}

static void s_compare_stores (sim_cluster_t *self, sim_cluster_group_t *group)
{
    raft_status_t status;
    const raft_config_t *config =
        &raft_core_config (sim_cluster_leader (self, group->id, &status))->config;
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        if (raft_config_is_member (config, self->nodes[i].id)) {
            sim_check_whole (group->check, sim_node_store (self->nodes[i].node, group->id));
        }
    }
}

// What the applications on registers were told must be linearizable.
static void s_judge (sim_cluster_t *self, sim_cluster_group_t *group)
{
    const lin_history_t *history = sim_registers_history (group->registers);
    lin_wgl_limits_t limits;
    lin_wgl_limits_init (&limits);
    limits.steps_max = JUDGE_STEPS_MAX;
    lin_judge_t judge = lin_judge (history, &limits);
    self->totals->judged += history->count;
    self->totals->undecided += judge.verdict == LIN_UNDECIDED;
    if (judge.verdict == LIN_BAD) {
        sim_check_fail (group->check, "group %u: what clients were told is not linearizable%s%s",
                        group->id, judge.index.why ? ": " : "",
                        judge.index.why ? judge.index.why : "");
        if (self->verbose) {
            lin_judge_print (&judge, history, "registers", &limits, stderr);
        }
    }
}

static void s_say_what_lacks (sim_cluster_t *self, const sim_cluster_group_t *group)
{
    raft_status_t status;
    if (s_group_rests (self, group)) {
        return;
    }
    if (!sim_cluster_leader (self, group->id, &status)) {
        sim_check_fail (group->check, "group %u has no leader %d s after the last fault", group->id,
                        (int) (REST_WITHIN_NS / MS (1000)));
    } else if (sim_clients_outstanding (group->clients) > 0) {
        sim_check_fail (group->check,
                        "%u requests to group %u have no outcome %d s after the last fault",
                        sim_clients_outstanding (group->clients), group->id,
                        (int) (REST_WITHIN_NS / MS (1000)));
    } else if (!sim_registers_finished (group->registers)) {
        sim_check_fail (group->check,
                        "group %u does not answer all reads %d s after the last fault", group->id,
                        (int) (REST_WITHIN_NS / MS (1000)));
    } else {
        sim_check_fail (group->check,
                        "not all members of group %u have its entries %d s after the last fault",
                        group->id, (int) (REST_WITHIN_NS / MS (1000)));
    }
}

static void s_await_rest (sim_cluster_t *self)
{
    int64_t begin_ns = sim_cluster_now_ns (self);
    uint32_t rounds = 0;
    while (!sim_cluster_failure (self) && !s_rests (self) &&
           sim_cluster_now_ns (self) < begin_ns + REST_WITHIN_NS) {
        for (uint32_t i = 0; i < self->groups_count && rounds % TIDY_ROUNDS == 0; i++) {
            sim_cluster_change_members (self, &self->groups[i], true);
        }
        rounds++;
        s_pass (self, MS (20));
    }
    int64_t took_ns = sim_cluster_now_ns (self) - begin_ns;
    if (took_ns > self->totals->slowest_ns) {
        self->totals->slowest_ns = took_ns;
    }
    for (uint32_t i = 0; i < self->groups_count && !sim_cluster_failure (self); i++) {
        s_say_what_lacks (self, &self->groups[i]);
    }
    for (uint32_t i = 0; i < self->groups_count && !sim_cluster_failure (self); i++) {
        s_compare_stores (self, &self->groups[i]);
    }
}

// The liveness phase [DST-10].
static void s_come_to_rest (sim_cluster_t *self)
{
    self->calm = true;
    sim_cluster_mend (self);
    for (uint32_t i = 0; i < self->groups_count; i++) {
        sim_clients_finish (self->groups[i].clients);
        sim_registers_finish (self->groups[i].registers);
    }
    s_await_rest (self);
    for (uint32_t i = 0; i < self->groups_count && !sim_cluster_failure (self); i++) {
        s_judge (self, &self->groups[i]);
    }
}

// --- a run ---------------------------------------------------------------------------------------

static void s_init_config (raft_config_t *config, uint32_t members)
{
    for (uint32_t id = 1; id <= members; id++) {
        raft_node_info_t info = {.id = id};
        snprintf (info.peer, sizeof info.peer, "tcp://node-%u:9331", id);
        snprintf (info.service, sizeof info.service, "tcp://node-%u:9332", id);
        raft_node_list_add (&config->voters, id);
        raft_config_describe (config, &info);
    }
}

static void s_init_group (sim_cluster_t *self, uint32_t id, dt_random_t *swarm)
{
    sim_cluster_group_t *group = &self->groups[id - 1];
    group->id = id;
    group->check = sim_check_new (&self->options.store, self->nodes_count);
    group->replicas = sim_cluster_check_new (group->check);
    self->options.groups[id - 1] = (sim_node_group_t){id, sim_check_wrap, group->check};
    self->options.groups_count = id;
    group->clients = sim_clients_new (&(sim_clients_options_t){
        .seed = dt_random_next (swarm),
        .check = group->check,
        .group = id,
        .first_number = (id - 1) * SIM_CLUSTER_NUMBERS,
        .count = (uint32_t) dt_random_between (swarm, 1, 4),
        .window = (uint32_t) dt_random_between (swarm, 1, 8),
        .names = (uint32_t) dt_random_between (swarm, 2, 8),
        .value_max = (uint32_t) dt_random_between (swarm, 16, 4000),
        .session_ppm = (uint32_t) dt_random_below (swarm, 1000000),
        .lost_ppm = (uint32_t) dt_random_below (swarm, 100000),
        .duplicate_ppm = (uint32_t) dt_random_below (swarm, 100000),
        .garbage_ppm = (uint32_t) dt_random_below (swarm, 20000),
        .snapshot_ppm = (uint32_t) dt_random_below (swarm, 20000),
        .pause_ns = (int64_t) dt_random_between (swarm, MS (10), MS (200)),
    });
    group->registers = sim_registers_new (&(sim_registers_options_t){
        .seed = dt_random_next (swarm),
        .check = group->check,
        .group = id,
        .first_number = (id - 1) * SIM_CLUSTER_NUMBERS + SIM_CLUSTER_REGISTERS,
        .count = (uint32_t) dt_random_between (swarm, 2, 5),
        .keys = (uint32_t) dt_random_between (swarm, 1, 4),
        .pause_ns = (int64_t) dt_random_between (swarm, MS (10), MS (200)),
    });
}

// What nodes tell each other, before anything becomes of it.
static void s_on_frame (void *argument, uint32_t from, uint32_t to, const uint8_t *data,
                        size_t bytes)
{
    sim_cluster_t *self = argument;
    peer_frame_t frame;
    peer_part_t part;
    if (peer_frame_read (&frame, data, bytes) != 0) {
        sim_check_fail (self->groups[0].check, "node %u sends a malformed frame", from);
        return;
    }
    while (peer_frame_next (&frame, &part) == 1) {
        if (part.group != 0) {
            sim_cluster_check_told (self->groups[part.group - 1].replicas, from, to, &part);
        }
    }
}

static void s_init_options (sim_cluster_t *self, dt_random_t *swarm)
{
    dtkv_store_options_t store = {
        .limits = DTKV_LIMITS_DEFAULT,
        .hash_seed = dt_random_next (&self->entropy),
    };
    store.limits.session_replies_max = (uint32_t) dt_random_between (swarm, 4, 64);
    self->options = (sim_node_options_t){
        .reply = s_on_reply,
        .reply_argument = self,
        .segment_bytes = (uint32_t) dt_random_between (swarm, 1, 4) * 64 * 1024,
        .snapshot_after_bytes = dt_random_between (swarm, 16, 256) * 1024,
        .in_flight_max = dt_random_between (swarm, 4, 100),
        .store = store,
        .election_timeout_ms = (uint32_t) dt_random_between (swarm, 100, 1000),
        .net = self->net,
    };
}

static void s_init (sim_cluster_t *self, dt_random_t *swarm)
{
    dt_random_init_stream (&self->clock, self->seed, "clock");
    dt_random_init_stream (&self->disk_time, self->seed, "disk");
    dt_random_init_stream (&self->faults, self->seed, "faults");
    dt_random_init_stream (&self->entropy, self->seed, "entropy");
    dt_random_t sched;
    dt_random_init_stream (&sched, self->seed, "sched");
    self->world = fiber_backend_sim_new (dt_random_next (&sched), true);
    self->net = sim_net_new (self->world, self->seed);
    sim_net_watch (self->net, s_on_frame, self);
    uint32_t members = 3 + 2 * (uint32_t) dt_random_below (swarm, 2);
    self->nodes_count = members + (uint32_t) dt_random_below (swarm, 3);
    s_init_config (&self->config, members);
    s_init_config (&self->contacts, SIM_CLUSTER_NODES_MAX);
    s_init_options (self, swarm);
    self->groups_count = (uint32_t) dt_random_between (swarm, 1, 2);
    for (uint32_t id = 1; id <= self->groups_count; id++) {
        s_init_group (self, id, swarm);
    }
    for (uint32_t id = 1; id <= self->nodes_count; id++) {
        sim_cluster_node_init (self, id, id > members);
    }
    sim_cluster_draw_faults (self, swarm);
}

static void s_add_counters (sim_cluster_t *self)
{
    sim_cluster_totals_t *totals = self->totals;
    totals->members = self->config.voters.count;
    totals->groups = self->groups_count;
    for (uint32_t g = 0; g < self->groups_count; g++) {
        sim_cluster_group_t *group = &self->groups[g];
        totals->applied += sim_check_applied (group->check);
        totals->leaders += sim_cluster_check_leaders (group->replicas);
        const sim_clients_counters_t *counters = sim_clients_counters (group->clients);
        uint64_t *sums = (uint64_t *) &totals->clients;
        for (size_t i = 0; i < sizeof *counters / sizeof *sums; i++) {
            sums[i] += ((const uint64_t *) counters)[i];
        }
    }
    for (int i = 0; i < SIM_NET_FAULTS; i++) {
        totals->net_faults[i] += sim_net_counters (self->net)->faults[i];
    }
}

static void s_deinit (sim_cluster_t *self, sim_result_t *result)
{
    for (uint32_t i = 0; i < self->nodes_count; i++) {
        sim_cluster_event (self, vfs_sim_digest (self->nodes[i].disk));
        self->totals->faults[SIM_CLUSTER_FAULT_stall] +=
            vfs_sim_counters (self->nodes[i].disk)->stalls;
        sim_cluster_node_deinit (&self->nodes[i]);
    }
    sim_cluster_event (self, fiber_backend_sim_trace (self->world));
    const char *failure = sim_cluster_failure (self);
    snprintf (result->failure, sizeof result->failure, "%s", failure ? failure : "");
    result->trace = self->trace;
    result->virtual_ns = sim_cluster_now_ns (self);
    s_add_counters (self);
    for (uint32_t i = 0; i < self->groups_count; i++) {
        sim_clients_destroy (&self->groups[i].clients);
        sim_registers_destroy (&self->groups[i].registers);
        sim_cluster_check_destroy (&self->groups[i].replicas);
        sim_check_destroy (&self->groups[i].check);
    }
    sim_net_destroy (&self->net);
    fiber_backend_sim_destroy (&self->world);
}

void sim_cluster_run (uint64_t seed, bool verbose, dt_buffer_t *events,
                      sim_cluster_totals_t *totals, sim_result_t *result)
{
    sim_cluster_t *self = dt_zalloc (1, sizeof *self);
    self->seed = seed;
    self->verbose = verbose;
    self->events = events;
    self->totals = totals;
    dt_random_t swarm;
    dt_random_init_stream (&swarm, seed, "swarm");
    s_init (self, &swarm);
    self->next_fault_ns = sim_cluster_now_ns (self) + self->mean_fault_ns;
    s_pass (self, (int64_t) dt_random_between (&swarm, MS (2000), MS (20000)));
    if (!sim_cluster_failure (self)) {
        s_come_to_rest (self);
    }
    if (!sim_cluster_failure (self) && sim_cluster_rot (self)) {
        s_await_rest (self);
    }
    s_deinit (self, result);
    free (self);
}
