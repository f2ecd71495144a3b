// The simulated network by itself, and the peer actors of several nodes on it.

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/actor_system.h"
#include "base/dt_error.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "base/dt_random.h"
#include "tests/sim/sim_net.h"
#include "transport/peer_actor.h"

#define MS(n) (INT64_C (1000000) * (n))

// --- the network by itself -----------------------------------------------------------------------

static fiber_backend_sim_t *s_backend;
static sim_net_t *s_net;
static peer_port_t *s_one, *s_two;

static void s_setup (void)
{
    s_backend = fiber_backend_sim_new (1, false);
    s_net = sim_net_new (s_backend, 1);
    s_one = sim_net_open (s_net, 1, "tcp://one");
    s_two = sim_net_open (s_net, 2, "tcp://two");
}

static void s_teardown (void)
{
    s_one->close (&s_one);
    s_two->close (&s_two);
    sim_net_destroy (&s_net);
    fiber_backend_sim_destroy (&s_backend);
}

static void s_pass (int64_t ns)
{
    int64_t end_ns = fiber_backend_sim_now_ns (s_backend) + ns;
    fiber_backend_t *base = fiber_backend_sim_base (s_backend);
    while (fiber_backend_sim_now_ns (s_backend) < end_ns) {
        base->ops->wait (base, end_ns);
    }
}

static int s_send (peer_channel_t channel, const char *text, size_t bytes)
{
    dt_buffer_t frame = {0};
    dt_buffer_append (&frame, text, strlen (text) + 1);
    if (bytes > frame.bytes) {
        memset (dt_buffer_reserve (&frame, bytes), 0, bytes - frame.bytes);
        frame.bytes = bytes;
    }
    size_t before = frame.bytes;
    int rc = s_one->send (s_one, 2, channel, &frame);
    ck_assert_uint_eq (frame.bytes, rc == 0 ? 0 : before);
    dt_buffer_deinit (&frame);
    return rc;
}

// The texts node 2 has received since, "a b ".
static const char *s_received (void)
{
    static char text[4096];
    size_t used = 0;
    text[0] = 0;
    transport_message_t message;
    while (s_two->receive (s_two, &message) == 0) {
        used +=
            (size_t) snprintf (text + used, sizeof text - used, "%s ", (const char *) message.data);
        transport_message_release (&message);
    }
    return text;
}

static void s_connect (void)
{
    ck_assert_int_eq (s_one->connect (s_one, 2, "tcp://two"), 0);
    ck_assert_int_eq (s_send (PEER_CONTROL, "early", 0), DT_ERR_AGAIN);
    s_pass (MS (10));
}

static uint64_t s_faults_of (sim_net_fault_t fault)
{
    return sim_net_counters (s_net)->faults[fault];
}

START_TEST (without_faults_frames_arrive_in_order)
{
    ck_assert_int_eq (s_send (PEER_CONTROL, "x", 0), DT_ERR_NOT_FOUND);
    s_connect ();
    ck_assert_int_eq (s_send (PEER_CONTROL, "a", 0), 0);
    ck_assert_int_eq (s_send (PEER_CONTROL, "b", 0), 0);
    ck_assert_str_eq (s_received (), "");
    s_pass (MS (1));
    ck_assert_str_eq (s_received (), "a b ");
}
END_TEST

START_TEST (over_the_capacity_sends_are_refused_until_the_receiver_reads)
{
    sim_net_set_faults (s_net, &(sim_net_faults_t){.capacity_bytes = 1000});
    s_connect ();
    ck_assert_int_eq (s_send (PEER_CONTROL, "a", 600), 0);
    ck_assert_int_eq (s_send (PEER_CONTROL, "b", 600), DT_ERR_AGAIN);
    ck_assert_int_eq (s_send (PEER_BULK, "c", 600), 0); // the other channel is free
    s_pass (MS (1));
    ck_assert_int_eq (s_send (PEER_CONTROL, "b", 600), DT_ERR_AGAIN);
    s_received ();
    ck_assert_int_eq (s_send (PEER_CONTROL, "b", 5000), 0); // one alone is let through
    ck_assert_uint_eq (s_faults_of (SIM_NET_FAULT_refused_full), 2);
}
END_TEST

START_TEST (a_link_made_anew_drops_what_was_under_way)
{
    s_connect ();
    ck_assert_int_eq (s_send (PEER_CONTROL, "old", 0), 0);
    s_one->connect (s_one, 2, "tcp://two");
    s_pass (MS (10));
    ck_assert_int_eq (s_send (PEER_CONTROL, "new", 0), 0);
    s_pass (MS (10));
    ck_assert_str_eq (s_received (), "new ");
    ck_assert_uint_eq (s_faults_of (SIM_NET_FAULT_tail_dropped), 1);
}
END_TEST

START_TEST (or_it_comes_late_behind_frames_of_the_next_connection)
{
    sim_net_set_faults (s_net, &(sim_net_faults_t){.late_ppm = 1000000, .delay_min_ns = MS (1)});
    s_connect ();
    ck_assert_int_eq (s_send (PEER_CONTROL, "old", 0), 0);
    s_one->connect (s_one, 2, "tcp://two");
    s_pass (MS (2));
    ck_assert_int_eq (s_send (PEER_CONTROL, "new", 0), 0);
    s_pass (MS (4000));
    ck_assert_str_eq (s_received (), "new old ");
}
END_TEST

START_TEST (a_dead_channel_connects_only_when_the_link_is_made_anew)
{
    s_connect ();
    sim_net_set_faults (s_net, &(sim_net_faults_t){.break_ppm = 1000000, .dead_ppm = 1000000});
    ck_assert_int_eq (s_send (PEER_CONTROL, "a", 0), 0); // connects, and is up
    ck_assert_int_eq (s_send (PEER_CONTROL, "b", 0), DT_ERR_AGAIN);
    sim_net_set_faults (s_net, NULL);
    for (int i = 0; i < 100; i++) {
        s_pass (MS (1000));
        ck_assert_int_eq (s_send (PEER_CONTROL, "c", 0), DT_ERR_AGAIN);
    }
    s_one->connect (s_one, 2, "tcp://two");
    s_pass (MS (10));
    ck_assert_int_eq (s_send (PEER_CONTROL, "d", 0), 0);
}
END_TEST

START_TEST (frames_into_a_short_partition_come_in_a_burst)
{
    s_connect ();
    ck_assert_int_eq (s_send (PEER_CONTROL, "a", 0), 0);
    s_pass (MS (1));
    sim_net_cut (s_net, 1, 2, true);
    ck_assert_int_eq (s_send (PEER_CONTROL, "b", 0), 0);
    ck_assert_int_eq (s_send (PEER_CONTROL, "c", 0), 0);
    s_pass (MS (1000));
    ck_assert_str_eq (s_received (), "a ");
    sim_net_heal (s_net);
    s_pass (MS (1));
    ck_assert_str_eq (s_received (), "b c ");
    ck_assert_uint_eq (s_faults_of (SIM_NET_FAULT_burst), 2);
}
END_TEST

START_TEST (frames_into_a_long_partition_are_gone_with_their_connection)
{
    s_connect ();
    ck_assert_int_eq (s_send (PEER_CONTROL, "a", 0), 0);
    s_pass (MS (1));
    sim_net_cut (s_net, 1, 2, true);
    ck_assert_int_eq (s_send (PEER_CONTROL, "b", 0), 0);
    s_pass (MS (5000));
    ck_assert_int_eq (s_send (PEER_CONTROL, "c", 0), DT_ERR_AGAIN);
    sim_net_heal (s_net);
    s_pass (MS (1000));
    ck_assert_int_eq (s_send (PEER_CONTROL, "d", 0), 0);
    s_pass (MS (1000));
    ck_assert_str_eq (s_received (), "a d ");
}
END_TEST

START_TEST (a_killed_process_gets_nothing_and_its_endpoint_is_free)
{
    s_connect ();
    ck_assert_int_eq (s_send (PEER_CONTROL, "a", 0), 0);
    s_pass (MS (1));
    sim_net_kill (s_two);
    peer_port_t *next = sim_net_open (s_net, 2, "tcp://two");
    s_received ();
    ck_assert_str_eq (s_received (), "");
    int refused = 0; // until the end is noticed and the link is up again
    while (s_send (PEER_CONTROL, "b", 0) != 0 || s_send (PEER_CONTROL, "b", 0) != 0) {
        s_pass (MS (10));
        ck_assert_int_lt (++refused, 1000);
    }
    peer_port_t *old = s_two;
    s_two = next;
    int tries = 0;
    while (strstr (s_received (), "b") == NULL) {
        (void) s_send (PEER_CONTROL, "b", 0);
        s_pass (MS (10));
        ck_assert_int_lt (++tries, 1000);
    }
    old->close (&old);
}
END_TEST

START_TEST (a_refusal_comes_back_on_the_link)
{
    s_connect ();
    ck_assert_int_eq (s_send (PEER_BULK, "a", 0), 0);
    s_pass (MS (1));
    transport_message_t message;
    uint32_t node_id;
    ck_assert_int_eq (s_two->receive (s_two, &message), 0);
    s_two->send_refusal (s_two, &message.route, (const uint8_t *) "no", 3);
    transport_message_release (&message);
    ck_assert_int_eq (s_one->receive_refusal (s_one, &node_id, &message), DT_ERR_AGAIN);
    s_pass (MS (1));
    ck_assert_int_eq (s_one->receive_refusal (s_one, &node_id, &message), 0);
    ck_assert_uint_eq (node_id, 2);
    ck_assert_str_eq ((const char *) message.data, "no");
    transport_message_release (&message);
}
END_TEST

START_TEST (loss_duplication_and_reordering_happen_as_often_as_asked)
{
    s_connect ();
    sim_net_set_faults (s_net, &(sim_net_faults_t){.loss_ppm = 100000,
                                                   .duplicate_ppm = 50000,
                                                   .reorder_ppm = 200000,
                                                   .delay_mean_ns = MS (1)});
    int received = 0, out_of_order = 0, last = -1;
    for (int i = 0; i < 10000; i++) {
        char text[16];
        snprintf (text, sizeof text, "%d", i);
        ck_assert_int_eq (s_send (PEER_CONTROL, text, 0), 0);
        s_pass (MS (1));
        transport_message_t message;
        while (s_two->receive (s_two, &message) == 0) {
            int number = atoi ((const char *) message.data);
            out_of_order += number < last;
            last = number;
            received++;
            transport_message_release (&message);
        }
    }
    ck_assert_int_gt (received, 9200); // 9000 + 500
    ck_assert_int_lt (received, 9800);
    ck_assert_int_gt (out_of_order, 300);
}
END_TEST

// --- peer actors on it ---------------------------------------------------------------------------

enum { NODES_MAX = 5, TURNS_MAX = 2000000 };

typedef struct s_world s_world_t;

// What a message of the test says.
typedef struct {
    uint32_t from, to;
    uint64_t boot_id;
    uint64_t number;
} s_body_t;

typedef struct {
    s_world_t *world;
    uint32_t node_id;
    char endpoint[32];
    uint64_t boot_id;
    uint64_t sent;                                // by this life
    uint64_t heard[PEER_CHANNELS][NODES_MAX + 2]; // messages of each node, by this life
    uint64_t reached[NODES_MAX + 2];              // life told last
    fiber_dispatcher_t *dispatcher;               // NULL: not running
    actor_system_t *system;
    actor_t *group;
    peer_port_t *port; // of peers
    peers_t *peers;
} s_node_t;

struct s_world {
    dt_env_t env;
    fiber_backend_sim_t *backend;
    sim_net_t *net;
    dt_random_t random;
    uint32_t count;
    s_node_t nodes[NODES_MAX + 1]; // the last one: a copy of node 2 at another address, if it runs
    uint64_t lives[NODES_MAX + 2]; // newest life at the address of each node
    uint64_t trace;
    uint64_t delivered;
    uint64_t claimed; // log lines
};

static int64_t s_now_ns (const dt_env_t *env)
{
    return fiber_backend_sim_now_ns (((s_world_t *) env->context)->backend);
}

static uint64_t s_entropy (const dt_env_t *env)
{
    return dt_random_next (&((s_world_t *) env->context)->random);
}

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    s_world_t *self = env->context;
    self->claimed += strstr (line, "claimed by two processes") != NULL;
    if (getenv ("SIM_NET_VERBOSE")) {
        fprintf (stderr, "%9.3f %s %s\n", (double) s_now_ns (env) / 1e9, dt_log_level_name (level),
                 line);
    }
}

static void s_trace (s_world_t *self, uint64_t word)
{
    self->trace = dt_hash_mix (self->trace * 0x9e3779b97f4a7c15ULL + word + 1);
}

static void s_take (s_node_t *self, const peer_message_t *message)
{
    s_body_t body;
    ck_assert_uint_ge (message->bytes, sizeof body);
    memcpy (&body, message->data, sizeof body);
    ck_assert_uint_eq (body.from, message->node_id);
    ck_assert_uint_eq (body.to, self->node_id);
    ck_assert_uint_eq (message->term, body.number);
    // Only a life that answered at the node's address is ever heard.
    const s_world_t *world = self->world;
    if (body.from == 2) {
        ck_assert_uint_ne (body.boot_id, world->nodes[NODES_MAX].boot_id);
    }
    ck_assert_uint_lt (message->kind, PEER_CHANNELS); // the test's kinds are the channels
    self->heard[message->kind][body.from]++;
    self->world->delivered++;
    s_trace (self->world, body.number);
}

static void s_run_group (void *argument)
{
    s_node_t *self = argument;
    actor_message_t *message;
    while (actor_receive (self->group, &message, FIBER_FOREVER) == 0) {
        if (message->type == PEER_MESSAGE) {
            s_take (self, (peer_message_t *) message);
        } else {
            const peer_reached_t *reached = (const peer_reached_t *) message;
            self->reached[reached->node_id] = reached->boot_id;
            s_trace (self->world, reached->boot_id);
        }
        actor_message_free (&message);
    }
}

// Called between turns, as the node's group.
static void s_name_all (s_node_t *self)
{
    const s_world_t *world = self->world;
    peer_nodes_t *nodes = peer_nodes_new (1, world->count);
    for (uint32_t i = 0; i < world->count; i++) {
        nodes->nodes[i].node_id = i + 1;
        snprintf (nodes->nodes[i].endpoint, sizeof nodes->nodes[i].endpoint, "tcp://node-%u",
                  i + 1);
    }
    actor_answer (self->group, peers_actor (self->peers), &nodes->message);
}

static void s_say (s_node_t *self, uint32_t to, size_t bytes, peer_channel_t channel)
{
    s_body_t body = {self->node_id, to, self->boot_id, ++self->sent};
    peer_message_t *message = peer_message_new ();
    message->node_id = to;
    message->group_id = 1;
    message->term = body.number;
    message->kind = (uint8_t) channel;
    message->channel = (uint8_t) channel;
    dt_buffer_append (&message->head, &body, sizeof body);
    if (bytes > 0) {
        message->blob = dt_blob_new (bytes);
        memset (dt_blob_data (message->blob), 7, bytes);
        message->data = dt_blob_data (message->blob);
        message->bytes = bytes;
    }
    if (actor_send (self->group, peers_actor (self->peers), &message->message) != 0) {
        peer_message_destroy (&message);
    }
}

static void s_start (s_world_t *world, uint32_t place, uint32_t node_id, const char *endpoint)
{
    s_node_t *self = &world->nodes[place];
    *self = (s_node_t){.world = world, .node_id = node_id};
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    self->boot_id = s_entropy (&world->env) | 1;
    if (place != NODES_MAX) {
        world->lives[node_id] = self->boot_id;
    }
    self->dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "node",
        .backend = fiber_backend_sim_base (world->backend),
        .env = &world->env,
    });
    self->system = actor_system_new (&world->env);
    actor_host_t *host = actor_system_add_local (self->system, self->dispatcher);
    self->port = sim_net_open (world->net, node_id, endpoint);
    self->peers = peers_new (host, &(peers_options_t){.name = "peers",
                                                      .port = self->port,
                                                      .cluster_id = 5,
                                                      .node_id = node_id,
                                                      .boot_id = self->boot_id,
                                                      .bytes_max = 1 << 20,
                                                      .dead_after_ms = 3000});
    self->group =
        actor_new (host, &(actor_options_t){.name = "group", .run = s_run_group, .argument = self});
    peers_add_group (self->peers, 1, self->group);
    actor_system_start (self->system);
    s_name_all (self);
}

static void s_start_node (s_world_t *world, uint32_t node_id)
{
    char endpoint[32];
    snprintf (endpoint, sizeof endpoint, "tcp://node-%u", node_id);
    s_start (world, node_id - 1, node_id, endpoint);
}

static void s_end (s_node_t *self)
{
    if (!self->dispatcher) {
        return;
    }
    sim_net_kill (self->port);
    fiber_dispatcher_request_stop (self->dispatcher);
    int turns = 0;
    while (fiber_dispatcher_turn (self->dispatcher, FIBER_FOREVER)) {
        ck_assert_int_lt (turns++, 10000);
    }
    actor_system_join (self->system);
    peers_destroy (&self->peers);
    actor_system_destroy (&self->system);
    fiber_dispatcher_destroy (&self->dispatcher);
}

static void s_turn_all (s_world_t *self)
{
    for (uint32_t i = 0; i <= NODES_MAX; i++) {
        if (self->nodes[i].dispatcher) {
            fiber_dispatcher_turn (self->nodes[i].dispatcher, s_now_ns (&self->env));
        }
    }
}

// When somebody has something to do; now, if somebody has.
static int64_t s_next_ns (s_world_t *self, int64_t until_ns)
{
    int64_t next_ns = fiber_backend_sim_next_ns (self->backend);
    next_ns = next_ns < until_ns ? next_ns : until_ns;
    for (uint32_t i = 0; i <= NODES_MAX; i++) {
        fiber_dispatcher_t *dispatcher = self->nodes[i].dispatcher;
        if (!dispatcher) {
            continue;
        }
        if (fiber_dispatcher_ready (dispatcher)) {
            return s_now_ns (&self->env);
        }
        int64_t deadline_ns = fiber_dispatcher_next_deadline_ns (dispatcher);
        next_ns = deadline_ns < next_ns ? deadline_ns : next_ns;
    }
    return next_ns;
}

static void s_world_pass (s_world_t *self, int64_t ns)
{
    int64_t until_ns = s_now_ns (&self->env) + ns;
    int turns = 0;
    while (s_now_ns (&self->env) < until_ns) {
        ck_assert_int_lt (turns++, TURNS_MAX);
        int64_t next_ns = s_next_ns (self, until_ns);
        if (next_ns > s_now_ns (&self->env)) {
            fiber_backend_t *base = fiber_backend_sim_base (self->backend);
            base->ops->wait (base, next_ns);
        }
        s_turn_all (self);
    }
}

static s_world_t *s_world_new (uint64_t seed, uint32_t count)
{
    s_world_t *self = dt_zalloc (1, sizeof *self);
    self->env = (dt_env_t){.now_ns = s_now_ns,
                           .entropy = s_entropy,
                           .log = s_log,
                           .log_level = DT_LOG_INFO,
                           .context = self};
    dt_random_init_stream (&self->random, seed, "test");
    self->backend = fiber_backend_sim_new (seed, true);
    self->net = sim_net_new (self->backend, seed);
    self->count = count;
    for (uint32_t i = 1; i <= count; i++) {
        s_start_node (self, i);
    }
    return self;
}

static void s_world_free (s_world_t **self_p)
{
    s_world_t *self = *self_p;
    for (uint32_t i = 0; i <= NODES_MAX; i++) {
        s_end (&self->nodes[i]);
    }
    sim_net_destroy (&self->net);
    fiber_backend_sim_destroy (&self->backend);
    free (self);
    *self_p = NULL;
}

static bool s_all_connected (s_world_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        for (uint32_t to = 1; to <= self->count; to++) {
            peer_status_t status;
            if (to == i + 1) {
                continue;
            }
            if (!peers_status (self->nodes[i].peers, to, &status) || !status.connected ||
                status.boot_id != self->lives[to] ||
                self->nodes[i].reached[to] != self->lives[to]) {
                return false;
            }
        }
    }
    return true;
}

// Virtual milliseconds until all nodes are connected with each other's newest lives.
static int s_connect_all (s_world_t *self, int limit_ms)
{
    int ms = 0;
    while (!s_all_connected (self)) {
        ck_assert_msg (ms < limit_ms, "not connected after %d ms", limit_ms);
        s_world_pass (self, MS (10));
        ms += 10;
    }
    return ms;
}

static void s_say_all (s_world_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        for (uint32_t to = 1; to <= self->count; to++) {
            if (to != i + 1) {
                s_say (&self->nodes[i], to, 100, PEER_CONTROL);
                s_say (&self->nodes[i], to, 50000, PEER_BULK);
            }
        }
    }
}

static bool s_all_heard (const s_world_t *self, const s_world_t *before)
{
    for (uint32_t i = 0; i < self->count; i++) {
        for (uint32_t from = 1; from <= self->count; from++) {
            for (int c = 0; c < PEER_CHANNELS; c++) {
                if (from != i + 1 &&
                    self->nodes[i].heard[c][from] == before->nodes[i].heard[c][from]) {
                    return false;
                }
            }
        }
    }
    return true;
}

// All say something to all others by both channels, again and again, until something of each has
// arrived. Returns the virtual milliseconds that took.
static int s_check_traffic (s_world_t *self, int limit_ms)
{
    s_world_t *before = dt_memdup (self, sizeof *self);
    int ms = 0;
    while (!s_all_heard (self, before)) {
        ck_assert_msg (ms < limit_ms, "not all heard after %d ms", limit_ms);
        s_say_all (self);
        s_world_pass (self, MS (20));
        ms += 20;
    }
    free (before);
    return ms;
}

START_TEST (nodes_on_a_good_network_are_soon_connected)
{
    s_world_t *world = s_world_new (7, 5);
    ck_assert_int_le (s_connect_all (world, 1000), 200);
    ck_assert_int_eq (s_check_traffic (world, 1000), 20);
    for (int i = 0; i < 20; i++) { // with nothing to say, too
        s_world_pass (world, MS (500));
        ck_assert (s_all_connected (world));
    }
    s_world_free (&world);
}
END_TEST

START_TEST (a_restarted_node_is_soon_heard)
{
    s_world_t *world = s_world_new (8, 3);
    s_connect_all (world, 1000);
    for (int i = 0; i < 10; i++) {
        s_end (&world->nodes[1]);
        s_world_pass (world, MS (i * 700));
        s_start_node (world, 2);
        ck_assert_int_le (s_connect_all (world, 5000), 700);
        s_check_traffic (world, 1000);
    }
    ck_assert_uint_eq (world->claimed, 0);
    s_world_free (&world);
}
END_TEST

static void s_draw_faults (s_world_t *self)
{
    dt_random_t *random = &self->random;
    sim_net_faults_t faults = {
        .delay_min_ns = (int64_t) dt_random_below (random, MS (2)),
        .delay_mean_ns = (int64_t) dt_random_below (random, MS (20)),
        .loss_ppm = (uint32_t) dt_random_below (random, 100000),
        .duplicate_ppm = (uint32_t) dt_random_below (random, 50000),
        .reorder_ppm = (uint32_t) dt_random_below (random, 100000),
        .break_ppm = (uint32_t) dt_random_below (random, 20000),
        .late_ppm = 500000,
        .dead_ppm = 200000,
        .reconnect_ns = MS (1000),
        .capacity_bytes = 100000,
    };
    sim_net_set_faults (self->net, &faults);
}

static void s_disturb (s_world_t *self)
{
    static const sim_net_fault_t partitions[] = {SIM_NET_FAULT_isolate, SIM_NET_FAULT_split,
                                                 SIM_NET_FAULT_one_way, SIM_NET_FAULT_bridge,
                                                 SIM_NET_FAULT_flap};
    dt_random_t *random = &self->random;
    uint32_t node = (uint32_t) dt_random_below (random, self->count);
    switch (dt_random_below (random, 4)) {
    case 0:
        sim_net_partition (self->net, partitions[dt_random_below (random, 5)]);
        break;
    case 1:
        sim_net_heal (self->net);
        break;
    case 2:
        s_end (&self->nodes[node]);
        s_world_pass (self, (int64_t) dt_random_below (random, MS (500)));
        s_start_node (self, node + 1);
        break;
    default:
        s_draw_faults (self);
        break;
    }
}

static void s_talk (s_world_t *self)
{
    for (uint32_t i = 0; i < self->count; i++) {
        uint32_t to = (uint32_t) dt_random_below (&self->random, self->count) + 1;
        if (to != i + 1) {
            size_t bytes = dt_random_below (&self->random, 5) == 0
                               ? dt_random_below (&self->random, 60000)
                               : 0;
            s_say (&self->nodes[i], to, bytes,
                   dt_random_below (&self->random, 4) ? PEER_CONTROL : PEER_BULK);
        }
    }
}

// A run of `seconds` under faults, then calm: everybody is connected again. Returns the trace.
static uint64_t s_run (uint64_t seed, int seconds, bool copy, sim_net_counters_t *counters)
{
    s_world_t *self = s_world_new (seed, 3 + (uint32_t) (seed % 3));
    if (copy) {
        s_start (self, NODES_MAX, 2, "tcp://copy");
    }
    s_draw_faults (self);
    int64_t disturb_ns = s_now_ns (&self->env) + MS (500);
    for (int i = 0; i < seconds * 50; i++) {
        s_talk (self);
        s_world_pass (self, MS (20));
        if (s_now_ns (&self->env) >= disturb_ns) {
            s_disturb (self);
            disturb_ns =
                s_now_ns (&self->env) + (int64_t) dt_random_below (&self->random, MS (1500));
        }
    }
    sim_net_heal (self->net);
    sim_net_set_faults (self->net, NULL);
    s_connect_all (self, 40000); // a dead link may just have begun its longest wait
    s_check_traffic (self, 40000);
    for (int i = 0; i < SIM_NET_FAULTS; i++) {
        counters->faults[i] += sim_net_counters (self->net)->faults[i];
    }
    counters->delivered += sim_net_counters (self->net)->delivered;
    uint64_t trace = self->trace ^ fiber_backend_sim_trace (self->backend);
    ck_assert_uint_eq (self->claimed > 0, copy);
    s_world_free (&self);
    return trace;
}

START_TEST (after_all_faults_everybody_is_connected_and_each_class_has_happened)
{
    sim_net_counters_t counters = {0};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        s_run (seed, 20, false, &counters);
    }
    for (int i = 0; i < SIM_NET_FAULTS; i++) {
        ck_assert_msg (counters.faults[i] > 0, "no %s", sim_net_fault_name (i));
        if (getenv ("SIM_NET_VERBOSE")) {
            fprintf (stderr, "%s %llu\n", sim_net_fault_name (i),
                     (unsigned long long) counters.faults[i]);
        }
    }
    ck_assert_uint_gt (counters.delivered, 10000);
}
END_TEST

START_TEST (a_seed_runs_the_same_way_twice)
{
    sim_net_counters_t counters = {0};
    uint64_t trace = s_run (101, 20, false, &counters);
    ck_assert_uint_eq (s_run (101, 20, false, &counters), trace);
    ck_assert_uint_ne (s_run (104, 20, false, &counters), trace);
}
END_TEST

START_TEST (a_second_process_with_a_nodes_id_is_never_heard_whatever_the_network_does)
{
    sim_net_counters_t counters = {0};
    for (uint64_t seed = 201; seed <= 215; seed++) {
        s_run (seed, 20, true, &counters);
    }
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("sim_net");
    TCase *net = tcase_create ("net");
    tcase_add_checked_fixture (net, s_setup, s_teardown);
    tcase_add_test (net, without_faults_frames_arrive_in_order);
    tcase_add_test (net, over_the_capacity_sends_are_refused_until_the_receiver_reads);
    tcase_add_test (net, a_link_made_anew_drops_what_was_under_way);
    tcase_add_test (net, or_it_comes_late_behind_frames_of_the_next_connection);
    tcase_add_test (net, a_dead_channel_connects_only_when_the_link_is_made_anew);
    tcase_add_test (net, frames_into_a_short_partition_come_in_a_burst);
    tcase_add_test (net, frames_into_a_long_partition_are_gone_with_their_connection);
    tcase_add_test (net, a_killed_process_gets_nothing_and_its_endpoint_is_free);
    tcase_add_test (net, a_refusal_comes_back_on_the_link);
    tcase_add_test (net, loss_duplication_and_reordering_happen_as_often_as_asked);
    suite_add_tcase (suite, net);
    TCase *actors = tcase_create ("actors");
    tcase_set_timeout (actors, 110);
    tcase_add_test (actors, nodes_on_a_good_network_are_soon_connected);
    tcase_add_test (actors, a_restarted_node_is_soon_heard);
    tcase_add_test (actors, after_all_faults_everybody_is_connected_and_each_class_has_happened);
    tcase_add_test (actors, a_seed_runs_the_same_way_twice);
    tcase_add_test (actors,
                    a_second_process_with_a_nodes_id_is_never_heard_whatever_the_network_does);
    suite_add_tcase (suite, actors);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
