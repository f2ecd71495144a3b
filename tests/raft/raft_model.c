// The half of the model that makes events.

#include "tests/raft/raft_model.h"

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "tests/raft/raft_print.h"

#define MS 1000000LL

uint64_t model_bytes_after (const model_t *self, raft_index_t index)
{
    uint64_t bytes = 0;
    for (raft_index_t i = self->found_last + 1; i <= self->last; i++) { // older: not in memory
        bytes += self->entries[i].batch_last > index ? self->entries[i].bytes : 0;
    }
    return bytes;
}

// Give one event to the core and judge what comes of it.
static void s_step (model_t *self, raft_event_t *event)
{
    event->now_ns = self->now_ns;
    event->wall_ms = (uint64_t) self->now_ns / 1000000;
    self->seen_refusals = 0;
    self->appended_entries = 0;
    self->steps++;
    raft_core_step (self->core, event, &self->effects);
    model_take_effects (self);
    self->expected_refusals = 0;
}

// What recovery would find on the twin's disk.
static raft_recovered_t s_recovered (const model_t *self, raft_config_at_t *config)
{
    raft_recovered_t found = {.hard_state = self->hard_state_durable};
    *config = (raft_config_at_t){.index = 1, .config = raft_config_sole (1)};
    if (self->snapshot > 0) {
        const model_entry_t *entry = &self->entries[self->snapshot];
        found.snapshot_index = self->snapshot;
        found.snapshot_term = entry->term;
        found.snapshot_cluster_time_ms = entry->cluster_time_ms;
        found.snapshot_config_index = 1;
        found.snapshot_config = config->config;
    }
    if (self->last >= self->log_first) {
        found.log_first = self->log_first;
        found.log_last = self->last;
        found.log_last_term = self->entries[self->last].term;
        found.log_last_cluster_time_ms = self->entries[self->last].cluster_time_ms;
        found.configs = config;
        found.configs_count = self->log_first == 1 ? 1 : 0;
    }
    return found;
}

static void s_start (model_t *self)
{
    raft_config_at_t config;
    raft_core_options_t options = {
        .node_id = 1,
        .recovered = s_recovered (self, &config),
        .has_bootstrap = true,
        .bootstrap = raft_config_sole (1),
        .uncommitted_bytes_max = self->limits.uncommitted_bytes_max,
        .unapplied_bytes_max = self->limits.unapplied_bytes_max,
        .snapshot_after_entries = self->limits.snapshot_after_entries,
        .snapshot_after_bytes = self->limits.snapshot_after_bytes,
        .log_keep_entries = self->limits.log_keep_entries,
        .log_retain_bytes = self->limits.log_retain_bytes,
        .seed = self->steps,
    };
    self->core = raft_core_new (&options);
    raft_core_check (self->core);
    self->role = RAFT_CANDIDATE;
    raft_event_t event = {.kind = RAFT_EVENT_START};
    s_step (self, &event);
    dt_assert (self->hard_state.term == self->hard_state_durable.term + 1);
}

model_t *model_new (const model_limits_t *limits)
{
    model_t *self = dt_zalloc (1, sizeof *self);
    raft_effects_init (&self->effects);
    self->limits = *limits;
    self->now_ns = 1000 * MS;
    self->next_id = 1;
    self->log_first = 1;
    s_start (self);
    return self;
}

void model_destroy (model_t **self_p)
{
    model_t *self = *self_p;
    *self_p = NULL;
    raft_core_destroy (&self->core);
    raft_effects_deinit (&self->effects);
    free (self);
}

// Everything volatile goes; what was on its way to the disk may have got there or not.
static void s_crash (model_t *self, uint8_t argument)
{
    raft_core_destroy (&self->core);
    raft_index_t in_flight = self->last - self->durable;
    self->last = self->durable + (in_flight ? (argument >> 2) % (in_flight + 1) : 0);
    self->durable = self->last;
    self->found_last = self->last;
    if (argument & 1) {
        self->hard_state_durable = self->hard_state;
    }
    self->hard_state = self->hard_state_durable;
    if (self->taking && argument & 2) {
        self->snapshot = self->taking;
    }
    self->taking = 0;
    self->handed = self->snapshot;
    self->applied = self->snapshot;
    self->replay_last = 0;
    self->own_first = 0;
    self->stopping = self->drained = self->disk_full = false;
    self->snapshot_requests = 0;
    self->retry_not_before_ns = 0;
    for (uint32_t i = 0; i < self->reads_count; i++) {
        self->reads[i].waits = false;
    }
    self->reads_count = 0;
    self->restarts++;
    dt_assert (self->promised <= self->last); // nothing that anybody was told about is lost
    s_start (self);
}

static raft_index_t s_commit (const model_t *self)
{
    bool ready = self->own_first > 0 && self->durable >= self->own_first;
    return ready ? self->durable : self->snapshot;
}

// The code a proposal of some weight has to be refused with now; 0: it has to be taken.
static int s_expected_rc (const model_t *self, uint64_t bytes)
{
    if (self->role == RAFT_FAILED) {
        return DT_ERR_DISK_FAILED;
    }
    if (self->stopping) {
        return DT_ERR_STOPPING;
    }
    if (self->role != RAFT_LEADER) {
        return self->role == RAFT_CANDIDATE ? DT_ERR_NOT_READY : DT_ERR_NOT_LEADER;
    }
    if (self->disk_full) {
        return DT_ERR_NO_SPACE;
    }
    uint64_t uncommitted = model_bytes_after (self, s_commit (self));
    uint64_t unapplied = model_bytes_after (self, self->applied);
    bool busy = (uncommitted && uncommitted + bytes > self->limits.uncommitted_bytes_max) ||
                (unapplied && unapplied + bytes > self->limits.unapplied_bytes_max);
    return busy ? DT_ERR_BUSY : 0;
}

static void s_propose (model_t *self, uint8_t argument)
{
    uint32_t count = 1 + argument % 8;
    uint32_t payload_bytes = (argument >> 3) * 16u;
    if (self->last + count + 64 > MODEL_ENTRIES_MAX) {
        return;
    }
    log_batch_t *batch = raft_print_batch (count, payload_bytes);
    for (uint32_t i = 0; i < count; i++) {
        batch->entries[i].principal = self->next_id++;
    }
    int rc = s_expected_rc (self, (uint64_t) count * (payload_bytes + RAFT_ENTRY_OVERHEAD_BYTES));
    self->expected_refusal_rc = rc;
    self->expected_refusals = rc ? count : 0;
    raft_event_t event = {.kind = RAFT_EVENT_PROPOSE, .propose.batch = batch};
    s_step (self, &event);
    dt_assert (self->appended_entries == (rc ? 0 : count));
}

static void s_persisted (model_t *self, uint8_t argument)
{
    (void) argument;
    if (self->last + 2 > MODEL_ENTRIES_MAX) {
        return;
    }
    bool decides = self->role == RAFT_CANDIDATE;
    if (decides) {
        self->hard_state_durable = self->hard_state;
        self->role = self->stopping ? RAFT_FOLLOWER : RAFT_LEADER;
    }
    bool leads = decides && self->role == RAFT_LEADER;
    uint64_t expected = leads ? (self->last == 0 ? 2 : 1) : 0;
    if (leads) {
        self->own_first = self->last + 1;
        self->lead_since_ns = self->now_ns;
        self->lead_since_cluster_ms = self->last ? self->entries[self->last].cluster_time_ms : 0;
    }
    raft_event_t event = {.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = self->hard_state};
    s_step (self, &event);
    dt_assert (self->appended_entries == expected);
}

static void s_appended (model_t *self, uint8_t argument)
{
    if (self->last == self->durable) {
        return;
    }
    raft_index_t index = self->durable + 1 + (argument & 0x7f) % (self->last - self->durable);
    raft_event_t event = {.kind = RAFT_EVENT_APPENDED,
                          .appended.index = index,
                          .appended.term = self->entries[index].term};
    if (argument & 0x80) {
        event.appended.term += 1 + (argument & 1); // of a log that was truncated meanwhile
    } else if (self->role == RAFT_LEADER) {
        self->durable = index;
    }
    s_step (self, &event);
}

static void s_applied (model_t *self, uint8_t argument)
{
    if (self->handed == self->applied) {
        return;
    }
    self->applied += 1 + argument % (self->handed - self->applied);
    if (self->applied >= self->replay_last) {
        self->replay_last = 0;
    }
    raft_event_t event = {.kind = RAFT_EVENT_APPLIED, .applied.index = self->applied};
    s_step (self, &event);
}

static void s_read (model_t *self, uint8_t argument)
{
    if (self->reads_count == MODEL_REQUESTS_MAX) {
        return;
    }
    raft_event_t event = {.kind = RAFT_EVENT_READ};
    event.read.mode = (raft_read_mode_t) (argument % 3);
    event.read.min_index = argument & 4 ? self->last + (argument >> 5) : 0;
    event.read.deadline_ns =
        argument & 8 ? self->now_ns + (argument >> 4) * 100 * MS : RAFT_NEVER_NS;
    model_request_t *read = &self->reads[self->reads_count++];
    event.read.request = (void *) (uintptr_t) self->reads_count; // its number, from 1
    read->waits = true;
    read->deadline_ns = event.read.deadline_ns;
    read->index = event.read.min_index;
    if (event.read.mode != RAFT_READ_STALE && read->index < self->handed) {
        read->index = self->handed;
    }
    s_step (self, &event);
}

static void s_time (model_t *self, uint8_t argument)
{
    self->now_ns += argument * argument * MS;
    raft_event_t event = {.kind = RAFT_EVENT_TICK};
    s_step (self, &event);
}

static void s_snapshot_take (model_t *self)
{
    raft_event_t event = {.kind = RAFT_EVENT_SNAPSHOT_TAKE};
    raft_index_t taking = self->taking;
    self->snapshot_requests++;
    uint32_t before = self->snapshot_requests;
    s_step (self, &event);
    // Either one has begun for it, or it was answered at once.
    dt_assert (self->snapshot_requests == before - 1 || (!taking && self->taking));
}

static void s_snapshot_end (model_t *self, bool saved)
{
    raft_event_t event = {.kind = saved ? RAFT_EVENT_SNAPSHOT_SAVED : RAFT_EVENT_SNAPSHOT_FAILED};
    if (saved) {
        event.snapshot_saved.index = self->taking;
        event.snapshot_saved.term = self->entries[self->taking].term;
        event.snapshot_saved.bytes = self->taking;
        self->snapshot = self->taking;
        if (self->applied < self->taking) {
            self->applied = self->taking; // the machine's own report is still on its way
        }
    } else {
        event.failed.rc = DT_ERR_NO_SPACE;
        self->retry_not_before_ns = self->now_ns + 30000 * MS;
    }
    self->taking = 0;
    s_step (self, &event);
    dt_assert (self->snapshot_requests == 0);
}

static void s_snapshot (model_t *self, uint8_t argument)
{
    if (self->taking && argument & 1) {
        s_snapshot_end (self, (argument & 6) != 0);
    } else {
        s_snapshot_take (self);
    }
}

static void s_full (model_t *self, uint8_t argument)
{
    self->disk_full = argument & 1;
    raft_event_t event = {.kind = RAFT_EVENT_DISK_FULL, .disk_full.on = self->disk_full};
    s_step (self, &event);
}

static void s_disk_failed (model_t *self)
{
    if (self->role != RAFT_FAILED) {
        self->expected_refusal_rc = DT_ERR_OUTCOME_UNKNOWN;
        raft_index_t commit = s_commit (self);
        raft_index_t from = commit > self->found_last ? commit : self->found_last;
        for (raft_index_t i = from + 1; i <= self->last; i++) {
            self->expected_refusals += self->entries[i].type == LOG_ENTRY_COMMAND;
        }
        self->role = RAFT_FAILED;
        self->taking = 0;
    }
    raft_event_t event = {.kind = RAFT_EVENT_DISK_FAILED, .failed.rc = DT_ERR_DISK_FAILED};
    s_step (self, &event);
    dt_assert (self->snapshot_requests == 0);
}

static void s_stop (model_t *self)
{
    self->stopping = true;
    raft_event_t event = {.kind = RAFT_EVENT_STOP};
    s_step (self, &event);
}

// What happens seldom: a failing disk, a stop, a crash.
static void s_seldom (model_t *self, uint8_t argument)
{
    bool over = self->role == RAFT_FAILED || self->drained;
    if (over || argument < 24) {
        s_crash (self, argument);
    } else if (argument < 32) {
        s_disk_failed (self);
    } else if (argument < 40) {
        s_stop (self);
    }
}

void model_do (model_t *self, uint8_t operation, uint8_t argument)
{
    static void (*const operations[16]) (model_t *, uint8_t) = {
        s_propose, s_propose, s_propose, s_propose, s_appended, s_appended,  s_appended, s_applied,
        s_applied, s_applied, s_read,    s_time,    s_snapshot, s_persisted, s_full,     s_seldom,
    };
    operations[operation % 16](self, argument);
}

static void s_complete (model_t *self)
{
    s_persisted (self, 0);
    while (self->taking || self->applied < self->handed ||
           (self->durable < self->last && self->role == RAFT_LEADER)) {
        s_appended (self, 0x7f);
        s_applied (self, 0xff);
        if (self->taking) {
            s_snapshot_end (self, true);
        }
    }
}

void model_finish (model_t *self)
{
    s_complete (self);
    if (!self->stopping) {
        s_stop (self);
    }
    s_complete (self);
    dt_assert (self->drained);
    for (uint32_t i = 0; i < self->reads_count; i++) {
        dt_assert (!self->reads[i].waits);
    }
    dt_assert (self->snapshot_requests == 0);
}
