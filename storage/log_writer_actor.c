#include "storage/log_writer_actor.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "actors/actor_host.h"
#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"

#define MARK_AFTER_NS  (10 * INT64_C (1000000))    // idle this long: prove the last batch [DISK-12]
#define FULL_RETRY_NS  (500 * INT64_C (1000000))   // how often a full disk is looked at again
#define ROOM_MIN_BYTES (LOG_SEGMENT_BYTES_MIN / 2) // less: the log counts as full
#define SCAN_BYTES     (1024 * 1024)               // one read while looking for CONFIG entries

struct log_writer {
    actor_t *actor;                // owned by its host
    const dt_env_t *env;           // borrowed
    log_writer_options_t options;  // name is not kept
    char *directory;               // owned
    actor_t *owner;                // who opened us; NULL before OPEN
    log_store_t *store;            // NULL before OPEN and after the end
    hard_state_t *hard_state;      // the same
    log_writer_persist_t *persist; // newest hard state that waits to be written
    uint64_t repair_until;         // of the hard state
    bool dirty;                    // entries were appended since the last flush
    bool marked;                   // nothing to prove since the last flush
    bool full;                     // the owner was told that the disk is full
    bool cut_waits;                // a cut waits for room
    bool failed;                   // the owner was told; nothing is done any more
    fiber_t *preparer;             // held: prepares segments
    fiber_condition_t *prepare;    // signalled when there is something to prepare
    fiber_t *reader;               // held: reads
    fiber_condition_t *read;       // signalled when there is something to read
    actor_message_t *reads;        // log_writer_read_t that wait, oldest first
    actor_message_t **reads_tail;  // where the next one goes
    uint64_t cuts;                 // TRUNCATEs and RESETs carried out
    fiber_t *watcher;              // held: tells of writes that take too long
    fiber_condition_t *watch;      // signalled when a write begins and nobody watches
    int64_t writing_since_ns;      // when the write in progress began; -1: there is none
    bool watching;                 // the watcher has a deadline
    bool stalled;                  // the owner was told that a write takes too long
    bool ending;                   // the main fiber has ended its loop
    atomic_bool hurry;             // the node stops: nothing waits for room any more
};

static size_t s_message_bytes (uint16_t type)
{
    switch (type) {
    case LOG_WRITER_OPEN:
        return sizeof (log_writer_open_t);
    case LOG_WRITER_APPEND:
        return sizeof (log_writer_append_t);
    case LOG_WRITER_PERSIST:
    case LOG_WRITER_PERSISTED:
        return sizeof (log_writer_persist_t);
    case LOG_WRITER_TRUNCATE:
    case LOG_WRITER_COMPACT:
        return sizeof (log_writer_index_t);
    case LOG_WRITER_REPAIRED:
        return sizeof (actor_message_t);
    case LOG_WRITER_READ:
        return sizeof (log_writer_read_t);
    case LOG_WRITER_RESET:
    case LOG_WRITER_RESET_DONE:
        return sizeof (log_writer_reset_t);
    case LOG_WRITER_OPENED:
        return sizeof (log_writer_opened_t);
    case LOG_WRITER_APPENDED:
        return sizeof (log_writer_appended_t);
    case LOG_WRITER_READ_DONE:
        return sizeof (log_writer_read_done_t);
    case LOG_WRITER_FULL:
        return sizeof (log_writer_full_t);
    case LOG_WRITER_STALLED:
        return sizeof (log_writer_stalled_t);
    case LOG_WRITER_FAILED:
        return sizeof (log_writer_failed_t);
    default:
        dt_unreachable ();
    }
}

static void s_message_free (actor_message_t *message)
{
    switch (message->type) {
    case LOG_WRITER_APPEND:
        log_batch_unref (&((log_writer_append_t *) message)->batch);
        break;
    case LOG_WRITER_OPENED:
        log_batch_unref (&((log_writer_opened_t *) message)->configs);
        free (((log_writer_opened_t *) message)->terms);
        break;
    case LOG_WRITER_READ_DONE:
        log_batch_unref (&((log_writer_read_done_t *) message)->batch);
        break;
    default:
        break;
    }
    free (message);
}

void *log_writer_message_new (uint16_t type)
{
    actor_message_t *message = dt_zalloc (1, s_message_bytes (type));
    message->type = type;
    message->free_fn = s_message_free;
    return message;
}

static void s_answer (log_writer_t *self, void *message)
{
    actor_answer (self->actor, self->owner, message);
}

static void s_fail (log_writer_t *self, int rc)
{
    if (self->failed) {
        return;
    }
    self->failed = true;
    if (rc == DT_ERR_NO_SPACE) {
        dt_log_warn (self->env, actor_name (self->actor),
                     "the disk under %s is full and the node stops: writes that wait for space are "
                     "given up",
                     self->directory);
    } else {
        dt_log_error (
            self->env, actor_name (self->actor),
            "the disk under %s failed (%s): the group stops; restart the node when the disk is "
            "good again",
            self->directory, dt_error_text (rc));
    }
    log_writer_failed_t *failed = log_writer_message_new (LOG_WRITER_FAILED);
    failed->rc = rc;
    s_answer (self, failed);
}

static void s_tell_full (log_writer_t *self, bool on)
{
    if (self->full == on || self->failed || (!on && self->cut_waits)) {
        return;
    }
    self->full = on;
    if (on) {
        dt_log_warn (
            self->env, actor_name (self->actor),
            "no space left for the log under %s: writes are refused, reads go on; free space "
            "on that disk",
            self->directory);
    } else {
        dt_log_info (self->env, actor_name (self->actor), "space for the log again");
    }
    log_writer_full_t *full = log_writer_message_new (LOG_WRITER_FULL);
    full->on = on;
    s_answer (self, full);
}

// --- watching the disk ---------------------------------------------------------------------------

static int64_t s_stall_ns (const log_writer_t *self)
{
    return (int64_t) self->options.stall_ms * 1000000;
}

static void s_tell_stalled (log_writer_t *self, bool on)
{
    if (self->stalled == on || self->failed) {
        return;
    }
    self->stalled = on;
    int64_t taken_ms = (fiber_now_ns () - self->writing_since_ns) / 1000000;
    if (on) {
        dt_log_warn (self->env, actor_name (self->actor),
                     "the disk under %s has not finished a write for %lld ms; writes wait for it",
                     self->directory, (long long) taken_ms);
    } else {
        dt_log_info (self->env, actor_name (self->actor), "the disk under %s writes again: %lld ms",
                     self->directory, (long long) taken_ms);
    }
    log_writer_stalled_t *stalled = log_writer_message_new (LOG_WRITER_STALLED);
    stalled->on = on;
    s_answer (self, stalled);
}

// To be called around everything by which the main fiber waits for the disk to write.
static void s_begin_write (log_writer_t *self)
{
    self->writing_since_ns = fiber_now_ns ();
    if (!self->watching) {
        fiber_condition_signal_later (self->watch);
    }
}

static void s_end_write (log_writer_t *self, int rc)
{
    if (rc == 0 || rc == DT_ERR_NO_SPACE) {
        s_tell_stalled (self, false);
    }
    self->writing_since_ns = -1;
}

// While writes follow each other the watcher wakes once in stall_ms, however many there are.
static void s_run_watch (void *argument)
{
    log_writer_t *self = argument;
    while (!self->ending) {
        int64_t deadline_ns = FIBER_FOREVER;
        if (self->writing_since_ns >= 0 && !self->stalled) {
            deadline_ns = self->writing_since_ns + s_stall_ns (self);
            if (fiber_now_ns () >= deadline_ns) {
                s_tell_stalled (self, true);
                deadline_ns = FIBER_FOREVER;
            }
        }
        self->watching = deadline_ns != FIBER_FOREVER;
        (void) fiber_condition_wait (self->watch, deadline_ns);
    }
}

// --- opening -------------------------------------------------------------------------------------

static void s_collect_config (log_batch_t **configs, const log_entry_t *entry)
{
    log_batch_t *grown = log_batch_new ((*configs ? (*configs)->count : 0) + 1);
    size_t bytes = *configs ? log_batch_payload_bytes (*configs) : 0;
    grown->blob = dt_blob_new (bytes + entry->payload_bytes);
    uint8_t *place = dt_blob_data (grown->blob);
    for (uint32_t i = 0; *configs && i < (*configs)->count; i++) {
        grown->entries[grown->count++] = (*configs)->entries[i];
    }
    grown->entries[grown->count++] = *entry;
    for (uint32_t i = 0; i < grown->count; i++) {
        log_entry_t *copy = &grown->entries[i];
        memcpy (place, copy->payload, copy->payload_bytes);
        copy->payload = place;
        place += copy->payload_bytes;
    }
    log_batch_unref (configs);
    *configs = grown;
}

static void s_note_term (log_writer_opened_t *opened, const log_entry_t *entry)
{
    size_t count = opened->terms_count;
    if (count > 0 && opened->terms[count - 1].term == entry->term) {
        return;
    }
    if ((count & (count + 1)) == 0) { // 0, 1, 3, 7, ...: full
        opened->terms = dt_realloc (opened->terms, (2 * count + 1) * sizeof *opened->terms);
    }
    opened->terms[opened->terms_count++] = (log_writer_run_t){entry->index, entry->term};
}

// Read what the log holds: its CONFIG entries, its terms, the cluster time of its last entry.
static int s_read_all (log_writer_t *self, log_writer_opened_t *opened)
{
    uint64_t index = log_store_first (self->store);
    uint64_t last = log_store_last (self->store);
    while (index <= last) {
        log_batch_t *batch;
        int rc = log_store_read (self->store, index, last, SCAN_BYTES, &batch);
        if (rc != 0) {
            return rc;
        }
        for (uint32_t i = 0; i < batch->count; i++) {
            s_note_term (opened, &batch->entries[i]);
            if (batch->entries[i].type == LOG_ENTRY_CONFIG) {
                s_collect_config (&opened->configs, &batch->entries[i]);
            }
        }
        const log_entry_t *end = &batch->entries[batch->count - 1];
        opened->last_term = end->term;
        opened->last_cluster_time_ms = end->cluster_time_ms;
        index = end->index + 1;
        log_batch_unref (&batch);
    }
    if (last >= log_store_first (self->store)) {
        opened->first = log_store_first (self->store);
        opened->last = last;
        opened->bytes = log_store_bytes (self->store);
    }
    return 0;
}

// Segments that the snapshot covers were not verified when the log was opened. Nobody needs one
// that turns out to be damaged.
static int s_scan (log_writer_t *self, const log_writer_open_t *open, log_writer_opened_t *opened)
{
    int rc = s_read_all (self, opened);
    if (rc != DT_ERR_CORRUPT || log_store_first (self->store) > open->snapshot_index) {
        return rc;
    }
    dt_log_warn (
        self->env, actor_name (self->actor),
        "the log under %s is damaged in a part that the snapshot covers: what is before %llu "
        "is given up",
        self->directory, (unsigned long long) open->snapshot_index);
    log_batch_unref (&opened->configs);
    opened->terms_count = 0;
    free (opened->terms);
    opened->terms = NULL;
    rc = log_store_truncate_prefix (self->store, open->snapshot_index);
    return rc ? rc : s_read_all (self, opened);
}

static int s_open_hard_state (log_writer_t *self, const log_writer_open_t *open,
                              hard_state_value_t *value)
{
    char path[1024];
    snprintf (path, sizeof path, "%s/hard_state", self->directory);
    hard_state_options_t options = {
        .vfs = self->options.vfs,
        .env = self->env,
        .path = path,
        .identity = self->options.identity,
    };
    int rc = hard_state_open (&options, &self->hard_state, value);
    if (rc == DT_ERR_NOT_FOUND && open->is_new) {
        *value = (hard_state_value_t){0};
        rc = hard_state_create (&options, value, &self->hard_state);
    }
    return rc;
}

static void s_say_opened (log_writer_t *self, const char *path, int rc, const log_report_t *report)
{
    if (rc == DT_ERR_CORRUPT) {
        dt_log_error (
            self->env, actor_name (self->actor),
            "log %s is corrupt: file %s, offset %llu, entry %llu: %s; nothing was changed; "
            "see dtutl verify log",
            path, report->file, (unsigned long long) report->offset,
            (unsigned long long) report->index, report->why);
    } else if (rc == 0) {
        dt_log_info (self->env, actor_name (self->actor),
                     "log %s: entries %llu..%llu, %llu verified, %s", path,
                     (unsigned long long) report->first_index,
                     (unsigned long long) report->last_index, (unsigned long long) report->entries,
                     report->verdict == LOG_VERDICT_TORN ? "an unfinished last write was cut off"
                     : report->verdict == LOG_VERDICT_CORRUPT ? "kept of a damaged log"
                                                              : "clean");
    }
}

static void s_say_repair (log_writer_t *self, uint64_t last)
{
    char until[24] = "unknown";
    if (self->repair_until != UINT64_MAX) {
        snprintf (until, sizeof until, "%llu", (unsigned long long) self->repair_until);
    }
    dt_log_error (self->env, actor_name (self->actor),
                  "REPAIR: the log under %s lost entries: it ends at %llu, entries up to %s may "
                  "have been acknowledged. This node neither votes nor counts until it has them "
                  "back from the others",
                  self->directory, (unsigned long long) last, until);
}

// Note durably that the log lost entries, before the log is touched: the next start must know.
static int s_begin_repair (log_writer_t *self, hard_state_value_t *value, uint64_t lost_until)
{
    value->repair_until = lost_until > value->repair_until ? lost_until : value->repair_until;
    return hard_state_put (self->hard_state, value);
}

static int s_open_log (log_writer_t *self, const log_writer_open_t *open, hard_state_value_t *value)
{
    char path[1024];
    snprintf (path, sizeof path, "%s/log", self->directory);
    log_store_options_t options = {
        .vfs = self->options.vfs,
        .env = self->env,
        .directory = path,
        .identity = self->options.identity,
        .segment_bytes = self->options.segment_bytes,
        .spares_max = self->options.spares_max,
        .snapshot_index = open->snapshot_index,
        .snapshot_term = open->snapshot_term,
        .durable_hint = value->commit,
    };
    log_report_t report = {0};
    int rc = log_store_open (&options, &self->store, &report);
    s_say_opened (self, path, rc, &report);
    if ((rc == DT_ERR_CORRUPT || rc == DT_ERR_GAP) && open->may_repair) {
        options.repair = true;
        rc = s_begin_repair (self, value, report.lost_until);
        if (rc == 0) {
            rc = log_store_open (&options, &self->store, &report);
            s_say_opened (self, path, rc, &report);
        }
    }
    self->repair_until = value->repair_until;
    if (rc == 0 && self->repair_until > 0) {
        s_say_repair (self, log_store_last (self->store));
    }
    return rc;
}

static void s_on_open (log_writer_t *self, const log_writer_open_t *open)
{
    self->owner = open->owner;
    log_writer_opened_t *opened = log_writer_message_new (LOG_WRITER_OPENED);
    opened->rc = s_open_hard_state (self, open, &opened->hard_state);
    if (opened->rc == 0) {
        opened->rc = s_open_log (self, open, &opened->hard_state);
    }
    if (opened->rc == 0) {
        opened->rc = s_scan (self, open, opened);
    }
    if (opened->rc != 0) {
        self->failed = true;
    } else {
        opened->payload_bytes_max = log_store_payload_bytes_max (self->store);
    }
    s_answer (self, opened);
}

// --- running -------------------------------------------------------------------------------------

static void s_on_append (log_writer_t *self, const log_writer_append_t *append)
{
    int rc = log_store_append (self->store, append->batch, append->first, append->last);
    if (rc != 0) {
        s_fail (self, rc);
        return;
    }
    self->dirty = true;
    self->marked = false;
}

// What a cut is: drop entries from an index on, or all of them and go on behind a snapshot.
typedef struct {
    bool reset;
    uint64_t index;
    uint64_t term; // of a reset
} log_cut_t;

// A cut needs a segment. What follows it in the mailbox builds on it, so a full disk makes it wait;
// only the end of the actor gives it up.
static int s_cut (log_writer_t *self, const log_cut_t *cut)
{
    self->cuts++;
    for (;;) {
        s_begin_write (self);
        int rc = cut->reset ? log_store_reset (self->store, cut->index, cut->term)
                            : log_store_truncate_suffix (self->store, cut->index);
        s_end_write (self, rc);
        if (rc != DT_ERR_NO_SPACE || actor_stopping (self->actor) || self->failed ||
            atomic_load (&self->hurry)) {
            self->cut_waits = false;
            fiber_condition_signal_later (self->prepare); // it tells that there is room again
            return rc;
        }
        self->cut_waits = true;
        s_tell_full (self, true);
        (void) fiber_sleep_unless_stopping (fiber_now_ns () + FULL_RETRY_NS);
    }
}

static void s_on_truncate (log_writer_t *self, uint64_t from)
{
    int rc = s_cut (self, &(log_cut_t){.index = from});
    if (rc != 0) {
        s_fail (self, rc);
    }
}

static void s_on_reset (log_writer_t *self, const log_writer_reset_t *reset)
{
    int rc = s_cut (self, &(log_cut_t){true, reset->index, reset->term});
    if (rc != 0) {
        s_fail (self, rc);
        return;
    }
    log_writer_reset_t *done = log_writer_message_new (LOG_WRITER_RESET_DONE);
    done->index = reset->index;
    done->term = reset->term;
    s_answer (self, done);
}

static void s_on_compact (log_writer_t *self, uint64_t index)
{
    int rc = log_store_truncate_prefix (self->store, index);
    if (rc != 0) {
        s_fail (self, rc);
    }
}

static void s_read (log_writer_t *self, const log_writer_read_t *read)
{
    log_writer_read_done_t *done = log_writer_message_new (LOG_WRITER_READ_DONE);
    done->first = read->first;
    done->cookie = read->cookie;
    done->rc = log_store_read (self->store, read->first, read->last, read->bytes_max, &done->batch);
    if (done->rc != 0 && done->rc != DT_ERR_NOT_FOUND) {
        s_fail (self, done->rc);
    }
    s_answer (self, done);
}

static void s_queue_read (log_writer_t *self, actor_message_t *message)
{
    message->next = NULL;
    *self->reads_tail = message;
    self->reads_tail = &message->next;
    fiber_condition_signal_later (self->read);
}

// The reader: no write waits for it. What it was given before a write it reads meanwhile.
static void s_run_reads (void *argument)
{
    log_writer_t *self = argument;
    while (!self->ending) {
        actor_message_t *message = self->reads;
        if (!message) {
            fiber_condition_wait (self->read, FIBER_FOREVER);
            continue;
        }
        self->reads = message->next;
        if (!self->reads) {
            self->reads_tail = &self->reads;
        }
        if (self->store && !self->failed) {
            s_read (self, (log_writer_read_t *) message);
        }
        actor_message_free (&message);
    }
}

// Only the newest of the hard states that piled up has to reach the disk.
static void s_keep_persist (log_writer_t *self, log_writer_persist_t *persist)
{
    free (self->persist);
    self->persist = persist;
}

static void s_write_hard_state (log_writer_t *self)
{
    log_writer_persist_t *persist = self->persist;
    self->persist = NULL;
    persist->value.repair_until = self->repair_until;
    s_begin_write (self);
    int rc = hard_state_put (self->hard_state, &persist->value);
    s_end_write (self, rc);
    if (rc != 0) {
        free (persist);
        s_fail (self, rc);
        return;
    }
    persist->message.type = LOG_WRITER_PERSISTED;
    s_answer (self, persist);
}

static void s_on_repaired (log_writer_t *self)
{
    hard_state_value_t value = hard_state_get (self->hard_state);
    self->repair_until = value.repair_until = 0;
    s_begin_write (self);
    int rc = hard_state_put (self->hard_state, &value);
    s_end_write (self, rc);
    if (rc != 0) {
        s_fail (self, rc);
        return;
    }
    dt_log_info (self->env, actor_name (self->actor),
                 "REPAIR done: the log under %s is whole again; this node votes and counts",
                 self->directory);
}

static void s_flush (log_writer_t *self)
{
    uint64_t durable = 0;
    self->dirty = false;
    s_begin_write (self);
    int rc = log_store_flush (self->store, &durable);
    s_end_write (self, rc);
    if (rc == DT_ERR_NO_SPACE) {
        // What did not fit stays buffered in the store; a later flush tries again.
        self->dirty = true;
        durable = log_store_durable (self->store);
        s_tell_full (self, true);
    } else if (rc != 0) {
        s_fail (self, rc);
        return;
    }
    log_writer_appended_t *appended = log_writer_message_new (LOG_WRITER_APPENDED);
    appended->index = durable;
    appended->cuts = self->cuts;
    if (log_store_term (self->store, durable, &appended->term) == 0 && durable > 0) {
        s_answer (self, appended);
    } else {
        free (appended);
    }
    if (rc == DT_ERR_NO_SPACE && atomic_load (&self->hurry)) {
        s_fail (self, rc);
    }
}

static void s_handle (log_writer_t *self, actor_message_t *message)
{
    if (self->failed) {
        actor_message_free (&message);
        return;
    }
    switch (message->type) {
    case LOG_WRITER_OPEN:
        s_on_open (self, (log_writer_open_t *) message);
        break;
    case LOG_WRITER_APPEND:
        s_on_append (self, (log_writer_append_t *) message);
        break;
    case LOG_WRITER_PERSIST:
        s_keep_persist (self, (log_writer_persist_t *) message);
        return;
    case LOG_WRITER_TRUNCATE:
        s_on_truncate (self, ((log_writer_index_t *) message)->index);
        break;
    case LOG_WRITER_COMPACT:
        s_on_compact (self, ((log_writer_index_t *) message)->index);
        break;
    case LOG_WRITER_READ:
        s_queue_read (self, message);
        return;
    case LOG_WRITER_RESET:
        s_on_reset (self, (log_writer_reset_t *) message);
        break;
    case LOG_WRITER_REPAIRED:
        s_on_repaired (self);
        break;
    default:
        dt_unreachable ();
    }
    actor_message_free (&message);
}

static void s_write_what_piled_up (log_writer_t *self)
{
    if (self->persist && !self->failed) {
        s_write_hard_state (self);
    }
    if (self->dirty && !self->failed) {
        s_flush (self);
    }
    if (self->store && log_store_wants_prepare (self->store)) {
        fiber_condition_signal_later (self->prepare);
    }
}

// Nothing arrived for a while: prove the last batch, or see whether a full disk has room again.
static void s_idle (log_writer_t *self)
{
    if (self->failed || !self->store) {
        return;
    }
    if (self->dirty) {
        s_flush (self);
    } else if (!self->marked) {
        self->marked = true;
        s_begin_write (self);
        int rc = log_store_mark (self->store);
        s_end_write (self, rc);
        if (rc != 0 && rc != DT_ERR_NO_SPACE) {
            s_fail (self, rc);
        }
    }
}

static int64_t s_deadline_ns (const log_writer_t *self)
{
    if (self->failed || !self->store) {
        return FIBER_FOREVER;
    }
    if (self->dirty) {
        return fiber_now_ns () + FULL_RETRY_NS;
    }
    return self->marked ? FIBER_FOREVER : fiber_now_ns () + MARK_AFTER_NS;
}

static void s_prepare (void *argument)
{
    log_writer_t *self = argument;
    while (!self->ending) {
        int rc = 0;
        if (self->store && !self->failed && log_store_wants_prepare (self->store)) {
            rc = log_store_prepare (self->store);
        }
        if (self->ending) {
            return;
        }
        if (rc == DT_ERR_NO_SPACE) {
            s_tell_full (self, log_store_room (self->store) < ROOM_MIN_BYTES);
            fiber_condition_wait (self->prepare, fiber_now_ns () + FULL_RETRY_NS);
        } else if (rc != 0) {
            s_fail (self, rc);
            return;
        } else {
            if (self->store && !self->dirty) {
                s_tell_full (self, false);
            }
            fiber_condition_wait (self->prepare,
                                  self->full ? fiber_now_ns () + FULL_RETRY_NS : FIBER_FOREVER);
        }
    }
}

static void s_run (void *argument)
{
    log_writer_t *self = argument;
    self->preparer = fiber_start (actor_group (self->actor), "prepare", s_prepare, self, NULL);
    fiber_hold (self->preparer);
    self->reader = fiber_start (actor_group (self->actor), "read", s_run_reads, self, NULL);
    fiber_hold (self->reader);
    self->watcher = fiber_start (actor_group (self->actor), "watch", s_run_watch, self, NULL);
    fiber_hold (self->watcher);
    for (;;) {
        actor_message_t *message;
        int rc = actor_receive (self->actor, &message, s_deadline_ns (self));
        if (rc == DT_ERR_CLOSED) {
            break;
        }
        if (rc == DT_ERR_TIMEOUT) {
            s_idle (self);
        }
        while (rc == 0) {
            s_handle (self, message);
            rc = actor_try_receive (self->actor, &message);
        }
        s_write_what_piled_up (self);
    }
    self->ending = true;
    fiber_condition_signal_all (self->prepare);
    fiber_join (self->preparer, FIBER_FOREVER);
    fiber_release (&self->preparer);
    fiber_condition_signal_all (self->read);
    fiber_join (self->reader, FIBER_FOREVER);
    fiber_release (&self->reader);
    fiber_condition_signal_all (self->watch);
    fiber_join (self->watcher, FIBER_FOREVER);
    fiber_release (&self->watcher);
    s_idle (self);
    log_store_close (&self->store);
    hard_state_close (&self->hard_state);
}

log_writer_t *log_writer_new (actor_host_t *host, const log_writer_options_t *options)
{
    log_writer_t *self = dt_zalloc (1, sizeof *self);
    self->env = actor_host_env (host);
    self->options = *options;
    self->directory = dt_strdup (options->directory);
    self->options.directory = self->directory;
    self->prepare = fiber_condition_new ("segment to prepare");
    self->read = fiber_condition_new ("entries to read");
    self->watch = fiber_condition_new ("a write to watch");
    self->writing_since_ns = -1;
    if (self->options.stall_ms == 0) {
        self->options.stall_ms = LOG_WRITER_STALL_MS;
    }
    self->reads_tail = &self->reads;
    self->marked = true;
    self->actor = actor_new (host, &(actor_options_t){
                                       .name = options->name,
                                       .run = s_run,
                                       .argument = self,
                                   });
    return self;
}

void log_writer_destroy (log_writer_t **self_p)
{
    log_writer_t *self = *self_p;
    *self_p = NULL;
    if (self) {
        free (self->persist);
        while (self->reads) {
            actor_message_t *message = self->reads;
            self->reads = message->next;
            actor_message_free (&message);
        }
        fiber_condition_destroy (&self->watch);
        fiber_condition_destroy (&self->read);
        fiber_condition_destroy (&self->prepare);
        free (self->directory);
        free (self);
    }
}

actor_t *log_writer_actor (log_writer_t *self)
{
    return self->actor;
}

void log_writer_hurry (log_writer_t *self)
{
    atomic_store (&self->hurry, true); // seen by the next try, at most FULL_RETRY_NS from now
}
