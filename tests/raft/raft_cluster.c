// The world: events in order of time, clients, faults.

#include "tests/raft/raft_cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"
#include "tests/raft/raft_cluster_internal.h"

enum { HEAL_SECONDS = 30 };

void cluster_fail (cluster_t *self, const char *file, int line, const char *format, ...)
{
    fflush (stdout);
    fprintf (stderr, "violation: ");
    va_list arguments;
    va_start (arguments, format);
    vfprintf (stderr, format, arguments);
    va_end (arguments);
    fprintf (stderr, " (%s:%d, at %.3f s)\n", file, line, (double) self->now_ns / 1e9);
    abort ();
}

void cluster_say (cluster_t *self, const char *format, ...)
{
    if (self->text) {
        char line[400];
        va_list arguments;
        va_start (arguments, format);
        vsnprintf (line, sizeof line, format, arguments);
        va_end (arguments);
        dt_buffer_printf (self->text, "  %s\n", line + strspn (line, " "));
    }
    if (!self->options.verbose) {
        return;
    }
    printf ("%9.3f ", (double) self->now_ns / 1e6);
    va_list arguments;
    va_start (arguments, format);
    vprintf (format, arguments);
    va_end (arguments);
    printf ("\n");
}

void cluster_note (cluster_t *self, uint64_t word)
{
    self->hash = dt_hash_mix (self->hash ^ word ^ (uint64_t) self->now_ns);
}

// --- events --------------------------------------------------------------------------------------

static bool s_before (const cluster_event_t *one, const cluster_event_t *other)
{
    return one->at_ns < other->at_ns || (one->at_ns == other->at_ns && one->number < other->number);
}

void cluster_push (cluster_t *self, cluster_event_t event, int64_t delay_ns)
{
    if (self->events_count == self->events_capacity) {
        self->events_capacity = self->events_capacity ? 2 * self->events_capacity : 1024;
        self->events = dt_realloc (self->events, self->events_capacity * sizeof *self->events);
    }
    event.at_ns = self->now_ns + delay_ns;
    event.number = ++self->event_number;
    uint32_t place = self->events_count++;
    while (place > 0 && s_before (&event, &self->events[(place - 1) / 2])) {
        self->events[place] = self->events[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    self->events[place] = event;
}

static cluster_event_t s_pop (cluster_t *self)
{
    cluster_event_t first = self->events[0];
    cluster_event_t last = self->events[--self->events_count];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= self->events_count) {
            break;
        }
        if (child + 1 < self->events_count &&
            s_before (&self->events[child + 1], &self->events[child])) {
            child++;
        }
        if (!s_before (&self->events[child], &last)) {
            break;
        }
        self->events[place] = self->events[child];
        place = child;
    }
    self->events[place] = last;
    return first;
}

// --- nodes ---------------------------------------------------------------------------------------

int64_t cluster_clock_ns (const cluster_t *self, const cluster_node_t *node)
{
    return node->clock_ns + self->now_ns + self->now_ns / 1000000 * node->drift_ppm;
}

static void s_schedule_tick (cluster_t *self, cluster_node_t *node)
{
    int64_t deadline_ns = node->effects.next_deadline_ns;
    if (deadline_ns == RAFT_NEVER_NS) {
        return;
    }
    int64_t wait_ns = deadline_ns - cluster_clock_ns (self, node);
    wait_ns = wait_ns < 0 ? 0 : wait_ns + wait_ns / 50; // late rather than early, as hosts are
    int64_t at_ns = self->now_ns + wait_ns + 1000;
    if (at_ns < node->tick_ns) {
        node->tick_ns = at_ns;
        cluster_push (self,
                      (cluster_event_t){.kind = EVENT_TICK,
                                        .node = node->id,
                                        .life = node->life,
                                        .value = (uint64_t) at_ns},
                      at_ns - self->now_ns);
    }
}

void cluster_step (cluster_t *self, cluster_node_t *node, raft_event_t *event)
{
    event->now_ns = cluster_clock_ns (self, node);
    event->wall_ms = 1700000000000ULL + (uint64_t) self->now_ns / 1000000;
    raft_core_step (node->core, event, &node->effects);
    self->result->steps++;
    cluster_carry_out (self, node);
    s_schedule_tick (self, node);
    cluster_scheme_look (self, node);
}

void cluster_crash (cluster_t *self, cluster_node_t *node)
{
    if (!node->core) {
        return;
    }
    cluster_say (self, "crash node %u", node->id);
    self->result->crashes++;
    raft_core_destroy (&node->core);
    raft_effects_clear (&node->effects);
    raft_wire_cache_deinit (&node->cache);
    cluster_disk_crash (self, node);
    node->life++;
    node->paused = false;
    // Whoever waited at this node never hears of it.
    node->changes_open = 0;
    node->transfers_open = 0;
}

// --- clients -------------------------------------------------------------------------------------

cluster_node_t *cluster_some_node (cluster_t *self, dt_random_t *random)
{
    return &self->nodes[1 + dt_random_below (random, self->nodes_count)];
}

cluster_node_t *cluster_leader (cluster_t *self)
{
    cluster_node_t *best = NULL;
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        cluster_node_t *node = &self->nodes[id];
        if (node->core && node->role == RAFT_LEADER &&
            (!best || node->hard_state.term > best->hard_state.term)) {
            best = node;
        }
    }
    return best;
}

static void s_keep (void *origin)
{
    (void) origin; // the list of proposals owns it
}

void cluster_propose (cluster_t *self, cluster_node_t *node, uint32_t count)
{
    cluster_proposal_t *proposal = dt_zalloc (1, sizeof *proposal);
    proposal->id = self->next_id;
    proposal->count = count;
    proposal->node = node->id;
    proposal->life = node->life;
    self->next_id += proposal->count;
    while (self->next_id >= self->ids_capacity) {
        self->fates = dt_realloc (self->fates, self->ids_capacity * 2);
        memset (self->fates + self->ids_capacity, 0, self->ids_capacity);
        self->ids_capacity *= 2;
    }
    if (self->proposals_count == self->proposals_capacity) {
        self->proposals_capacity = self->proposals_capacity ? 2 * self->proposals_capacity : 256;
        self->proposals =
            dt_realloc (self->proposals, self->proposals_capacity * sizeof *self->proposals);
    }
    self->proposals[self->proposals_count++] = proposal;
    log_batch_t *batch = log_batch_new (proposal->count);
    batch->origin = proposal;
    batch->origin_free = s_keep;
    for (uint32_t i = 0; i < proposal->count; i++) {
        batch->entries[batch->count++] =
            (log_entry_t){.type = LOG_ENTRY_COMMAND, .principal = proposal->id + i};
    }
    cluster_step (self, node, &(raft_event_t){.kind = RAFT_EVENT_PROPOSE, .propose.batch = batch});
}

// What was acknowledged at least this long ago.
static raft_index_t s_acked_before (const cluster_t *self, int64_t ago_ns)
{
    int64_t slot = (self->now_ns - ago_ns) / (10 * MS) - 1;
    return slot < 0 ? 0 : self->acked_at[slot < 4096 ? slot : 4095];
}

void cluster_ask (cluster_t *self, cluster_node_t *node, raft_read_mode_t mode)
{
    cluster_read_t *read = dt_zalloc (1, sizeof *read);
    read->node = node->id;
    read->life = node->life;
    read->mode = mode;
    read->bar = self->acked_index;
    if (read->mode == RAFT_READ_STALE) {
        read->age_ms_max = dt_random_chance (&self->load, 1, 2)
                               ? (uint32_t) dt_random_between (&self->load, 50, 3000)
                               : 0;
        // The node's clock may go slower than the world's.
        int64_t age_ns = (int64_t) read->age_ms_max * MS;
        age_ns += age_ns / 1000 * 2 * (int64_t) self->options.drift_permille_max;
        read->bar = read->age_ms_max ? s_acked_before (self, age_ns) : 0;
    }
    if (self->reads_count == self->reads_capacity) {
        self->reads_capacity = self->reads_capacity ? 2 * self->reads_capacity : 256;
        self->reads = dt_realloc (self->reads, self->reads_capacity * sizeof *self->reads);
    }
    self->reads[self->reads_count++] = read;
    bool leads = node->role == RAFT_LEADER;
    cluster_step (self, node,
                  &(raft_event_t){.kind = RAFT_EVENT_READ,
                                  .read = {.request = read,
                                           .mode = read->mode,
                                           .deadline_ns = cluster_clock_ns (self, node) + 5000 * MS,
                                           .age_ms_max = read->age_ms_max}});
    self->result->lease_reads += leads && read->answered && read->mode == RAFT_READ_LINEARIZABLE;
}

static void s_ask (cluster_t *self, cluster_node_t *node)
{
    cluster_ask (self, node, (raft_read_mode_t) dt_random_below (&self->load, 3));
}

static void s_client (cluster_t *self)
{
    int64_t slot = self->now_ns / (10 * MS);
    for (int64_t i = slot; i < 4096; i++) {
        self->acked_at[i] = self->acked_index;
        if (i > slot + 100) {
            break;
        }
    }
    for (int64_t i = slot; i < 4096; i++) {
        self->acked_at[i] = self->acked_index;
    }
    cluster_node_t *node = dt_random_chance (&self->load, 2, 3) ? cluster_leader (self) : NULL;
    node = node ? node : cluster_some_node (self, &self->load);
    const cluster_scheme_t *scheme = &self->scheme;
    if (node->core && !node->paused) {
        bool spared =
            scheme->quiet && (node->id == scheme->victim || node != cluster_leader (self));
        if (dt_random_chance (&self->load, 1, 2) && !spared) {
            cluster_propose (self, node, (uint32_t) dt_random_between (&self->load, 1, 6));
        } else {
            s_ask (self, cluster_some_node (self, &self->load)->core ? node : node);
        }
    }
    cluster_node_t *other = cluster_some_node (self, &self->load);
    if (other->core && !other->paused && dt_random_chance (&self->load, 1, 2)) {
        s_ask (self, other);
    }
    cluster_node_t *watched = &self->nodes[scheme->watched];
    if (watched->core && !watched->paused) {
        s_ask (self, watched);
    }
    cluster_push (self, (cluster_event_t){.kind = EVENT_CLIENT},
                  (int64_t) dt_random_between (&self->load, MS, (scheme->hasty ? 4 : 40) * MS));
}

// --- what happens --------------------------------------------------------------------------------

static void s_drop (cluster_event_t *event)
{
    if (event->kind == EVENT_DELIVER) {
        peer_message_t *peer = event->pointer;
        peer_message_destroy (&peer);
    } else if (event->kind == EVENT_SENT) {
        free (event->pointer);
    }
}

static void s_deliver (cluster_t *self, cluster_node_t *node, const cluster_event_t *event)
{
    raft_message_t *message = NULL;
    int rc = raft_wire_decode (event->pointer, node->id, &message);
    CLUSTER_CHECK (self, rc == 0, "a message cannot be decoded");
    cluster_step (self, node, &(raft_event_t){.kind = RAFT_EVENT_MESSAGE, .message = message});
}

static void s_saved (cluster_t *self, cluster_node_t *node)
{
    if (node->taking.index == 0) {
        return;
    }
    node->snapshot = node->taking;
    node->taking.index = 0;
    cluster_step (
        self, node,
        &(raft_event_t){.kind = RAFT_EVENT_SNAPSHOT_SAVED,
                        .snapshot_saved = {node->snapshot.index, node->snapshot.term, 100}});
}

static void s_fetched (cluster_t *self, cluster_node_t *node, const cluster_event_t *event)
{
    raft_event_t fetched = {
        .kind = RAFT_EVENT_FETCHED,
        .fetched = {.node = event->other, .first = event->value, .rc = DT_ERR_NOT_FOUND},
    };
    raft_index_t last = cluster_log_last (&node->log);
    if (cluster_log_at (&node->log, event->value)) {
        last = last < event->value + 7 ? last : event->value + 7;
        fetched.fetched.rc = 0;
        fetched.fetched.batch = cluster_batch (&node->log, event->value, last);
    }
    cluster_step (self, node, &fetched);
}

// A snapshot arrived: it is on the disk of the receiver, unless that has a newer one.
static void s_received (cluster_t *self, cluster_node_t *node, const cluster_event_t *event)
{
    const cluster_snapshot_t *snapshot = event->pointer;
    if (snapshot->index > node->snapshot.index && node->taking.index == 0 &&
        raft_core_takes_snapshot (node->core, event->other, snapshot->sent_in)) {
        node->snapshot = *snapshot;
        cluster_step (self, node,
                      &(raft_event_t){.kind = RAFT_EVENT_SNAPSHOT_RECEIVED,
                                      .snapshot_received = {
                                          .from = event->other,
                                          .index = snapshot->index,
                                          .term = snapshot->term,
                                          .cluster_time_ms = snapshot->cluster_time_ms,
                                          .bytes = 100,
                                          .config_index = snapshot->config_index,
                                          .config = &snapshot->config,
                                      }});
    }
}

static void s_happen (cluster_t *self, cluster_node_t *node, cluster_event_t *event)
{
    switch (event->kind) {
    case EVENT_DELIVER:
        s_deliver (self, node, event);
        break;
    case EVENT_TICK:
        if (event->value != (uint64_t) node->tick_ns) {
            break; // an earlier one took its place
        }
        node->tick_ns = INT64_MAX;
        cluster_step (self, node, &(raft_event_t){.kind = RAFT_EVENT_TICK});
        break;
    case EVENT_FLUSHED:
        cluster_disk_flushed (self, node);
        break;
    case EVENT_APPLIED:
        if (event->value > node->applied) {
            node->applied = event->value;
            cluster_step (
                self, node,
                &(raft_event_t){.kind = RAFT_EVENT_APPLIED, .applied.index = node->applied});
        }
        break;
    case EVENT_SAVED:
        s_saved (self, node);
        break;
    case EVENT_FETCHED:
        s_fetched (self, node, event);
        break;
    case EVENT_SENT:
        s_received (self, node, event);
        break;
    case EVENT_SENT_ACK:
        cluster_step (self, node,
                      &(raft_event_t){.kind = RAFT_EVENT_SNAPSHOT_SENT,
                                      .snapshot_sent = {event->other, event->value,
                                                        event->value ? 0 : DT_ERR_TIMEOUT}});
        break;
    default:
        break;
    }
    s_drop (event);
}

static void s_event (cluster_t *self, cluster_event_t *event)
{
    self->now_ns = event->at_ns;
    if (event->kind == EVENT_CLIENT) {
        s_client (self);
        return;
    }
    if (event->kind == EVENT_SCHEME) {
        if (!self->healing) {
            cluster_scheme_event (self, event);
        }
        return;
    }
    if (event->kind == EVENT_FAULT) {
        if (!self->healing) {
            cluster_fault (self);
        }
        return;
    }
    cluster_node_t *node = &self->nodes[event->node];
    bool void_life = event->life != 0 && event->life != node->life;
    if (event->kind == EVENT_RESTART && !void_life && !node->core) {
        cluster_start (self, node);
    } else if (event->kind == EVENT_RESUME && !void_life) {
        node->paused = false;
    } else if (event->kind == EVENT_UNSTALL && !void_life && node->core) {
        node->stalled = false;
        cluster_tell_stalled (self, node, false);
        cluster_disk_flushed (self, node); // whatever waited begins
    } else if (void_life || !node->core) {
        s_drop (event);
    } else if (node->paused || (event->kind == EVENT_FLUSHED && node->stalled)) {
        cluster_push (self, *event, MS); // it waits, in order with what waits too
    } else {
        s_happen (self, node, event);
    }
}

static void s_heal (cluster_t *self)
{
    cluster_say (self, "heal");
    self->healing = true;
    self->scheme = (cluster_scheme_t){.timeout_ms = self->scheme.timeout_ms,
                                      .drift_permille = self->scheme.drift_permille};
    memset (self->cut, 0, sizeof self->cut);
    self->delay_ns = 2 * MS;
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        cluster_node_t *node = &self->nodes[id];
        node->paused = false;
        if (!node->core) {
            node->life++;
            cluster_start (self, node);
        } else if (node->stalled) {
            node->stalled = false;
            cluster_tell_stalled (self, node, false);
            cluster_disk_flushed (self, node);
        }
    }
}

void cluster_set_up (cluster_t *self)
{
    uint64_t seed = self->options.seed;
    dt_random_init_stream (&self->net, seed, "net");
    dt_random_init_stream (&self->disk, seed, "disk");
    dt_random_init_stream (&self->faults, seed, "faults");
    dt_random_init_stream (&self->load, seed, "load");
    dt_random_init_stream (&self->seeds, seed, "seeds");
    dt_random_init_stream (&self->plot, seed, "plot");
    self->shadow.first = 1;
    self->next_id = 1;
    self->ids_capacity = 1024;
    self->fates = dt_zalloc (1, self->ids_capacity);
    static const unsigned sizes[] = {3, 3, 3, 5, 5, 4, 7, 2, 1};
    self->nodes_count =
        self->options.nodes ? self->options.nodes : sizes[dt_random_below (&self->seeds, 9)];
    self->swarm = self->text ? 0 : (unsigned) dt_random_next (&self->faults);
    self->loss_permille =
        self->swarm & SWARM_LOSS ? (unsigned) dt_random_below (&self->faults, 200) : 0;
    self->duplicate_permille =
        self->swarm & SWARM_DUPLICATE ? (unsigned) dt_random_below (&self->faults, 100) : 0;
    cluster_scheme_draw (self);
    self->delay_ns = self->swarm & SWARM_SLOW_NET ? 100 * MS : 2 * MS;
    unsigned voters = self->nodes_count > 3 && dt_random_chance (&self->seeds, 1, 3)
                          ? self->nodes_count - 1
                          : self->nodes_count;
    if (self->text) {
        voters = self->voters;
    } else if (self->scheme.kind == SCHEME_REPLACE) {
        voters = (self->nodes_count + 1) / 2;
    }
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        raft_node_list_add (id <= voters ? &self->bootstrap.voters : &self->bootstrap.observers,
                            id);
        raft_node_info_t info = {.id = id};
        snprintf (info.peer, sizeof info.peer, "sim://%u", id);
        raft_config_describe (&self->bootstrap, &info);
    }
    if (self->options.drift_permille_max == 0) {
        self->options.drift_permille_max =
            self->scheme.drift_permille ? self->scheme.drift_permille : 10;
    }
    uint64_t drift = self->options.drift_permille_max * 500; // ppm, each way: the difference counts
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        cluster_node_t *node = &self->nodes[id];
        node->id = id;
        node->life = 1;
        node->fresh = true;
        node->log.first = 1;
        node->writes_tail = &node->writes;
        node->clock_ns = (int64_t) dt_random_between (&self->seeds, 1, 1000000) * MS;
        node->drift_ppm =
            (int64_t) dt_random_between (&self->seeds, 0, 2 * drift) - (int64_t) drift;
        if (self->scheme.drift_permille > 0) { // at the bound, rather
            node->drift_ppm =
                dt_random_chance (&self->plot, 1, 2) ? (int64_t) drift : -(int64_t) drift;
        }
        node->drift_ppm = self->text ? 0 : node->drift_ppm;
        raft_effects_init (&node->effects);
        cluster_start (self, node);
    }
    if (self->text) {
        return; // what happens is written
    }
    cluster_scheme_begin (self);
    cluster_push (self, (cluster_event_t){.kind = EVENT_CLIENT}, MS);
    cluster_push (self, (cluster_event_t){.kind = EVENT_FAULT}, 500 * MS);
}

void cluster_tear_down (cluster_t *self)
{
    while (self->events_count > 0) {
        s_drop (&self->events[--self->events_count]);
    }
    free (self->events);
    for (unsigned id = 1; id <= self->nodes_count; id++) {
        cluster_node_t *node = &self->nodes[id];
        raft_core_destroy (&node->core);
        raft_effects_deinit (&node->effects);
        raft_wire_cache_deinit (&node->cache);
        cluster_disk_crash (self, node); // frees what waits
        cluster_log_free (&node->log);
    }
    cluster_log_free (&self->shadow);
    for (uint32_t i = 0; i < self->proposals_count; i++) {
        free (self->proposals[i]);
    }
    for (uint32_t i = 0; i < self->reads_count; i++) {
        free (self->reads[i]);
    }
    free (self->proposals);
    free (self->reads);
    free (self->fates);
}

void cluster_run_until (cluster_t *self, int64_t end_ns)
{
    while (self->events_count > 0 && self->events[0].at_ns <= end_ns) {
        cluster_event_t event = s_pop (self);
        s_event (self, &event);
    }
    self->now_ns = end_ns;
}

void raft_cluster_run (const raft_cluster_options_t *options, raft_cluster_result_t *result)
{
    cluster_t *self = dt_zalloc (1, sizeof *self);
    *result = (raft_cluster_result_t){0};
    self->options = *options;
    self->result = result;
    cluster_set_up (self);
    int64_t seconds = options->seconds ? options->seconds : 20;
    cluster_run_until (self, seconds * 1000 * MS);
    s_heal (self);
    cluster_run_until (self, (seconds + HEAL_SECONDS) * 1000 * MS);
    // The load stops; what is under way ends.
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->events_count; i++) {
        if (self->events[i].kind != EVENT_CLIENT) {
            self->events[kept++] = self->events[i];
        }
    }
    self->events_count = kept;
    for (uint32_t i = kept / 2; i-- > 0;) { // a heap again
        cluster_event_t moved = self->events[i];
        uint32_t place = i;
        while (2 * place + 1 < kept) {
            uint32_t child = 2 * place + 1;
            if (child + 1 < kept && s_before (&self->events[child + 1], &self->events[child])) {
                child++;
            }
            if (!s_before (&self->events[child], &moved)) {
                break;
            }
            self->events[place] = self->events[child];
            place = child;
        }
        self->events[place] = moved;
    }
    cluster_run_until (self, (seconds + HEAL_SECONDS + 8) * 1000 * MS);
    cluster_check_end (self);
    result->trace_hash = self->hash;
    cluster_tear_down (self);
    free (self);
}
