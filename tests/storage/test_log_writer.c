// The log writer on a simulated disk and virtual time: what its owner is told, and when.

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "actors/actor_system.h"
#include "actors/fiber/fiber_backend_sim.h"
#include "base/dt_error.h"
#include "base/dt_hash.h"
#include "storage/log_segment.h"
#include "storage/log_writer_actor.h"
#include "storage/vfs_sim.h"

enum {
    TURNS_MAX = 1000000,
    NOTES_MAX = 512,
    PAYLOAD_BYTES = 1000,
    ANY_RC = 1,           // of an OPENED
    SEGMENT_ENTRIES = 55, // about what fits into LOG_SEGMENT_BYTES_MIN
};

#define MS     ((int64_t) 1000000)
#define SECOND (1000 * MS)

// What the owner was told, oldest first.
typedef struct {
    uint16_t type;
    int64_t at_ns;
    int rc;
    uint64_t index, term, cuts; // of APPENDED, RESET_DONE
    uint64_t first, cookie;     // of READ_DONE
    log_batch_t *batch;         // of READ_DONE; owned
    bool on;                    // of FULL, STALLED
} s_note_t;

typedef struct {
    dt_env_t env;
    uint64_t entropy;
    fiber_backend_sim_t *backend;
    vfs_sim_disk_t *disk;
    vfs_sim_t *mount;
    int64_t delay_ns[VFS_SIM_OPS]; // of the disk
    uint32_t stall_ms;             // option of the next start
    bool may_repair;               // of the next start
    int open_rc;                   // expected of it
    fiber_dispatcher_t *dispatcher;
    actor_system_t *system;
    actor_t *owner;
    log_writer_t *writer;
    log_writer_opened_t opened; // without what it owns, except:
    log_writer_run_t *terms;    // owned
    s_note_t notes[NOTES_MAX];
    unsigned count;
} s_world_t;

static s_world_t s_world;

static int64_t s_now_ns (const dt_env_t *env)
{
    (void) env;
    return fiber_backend_sim_now_ns (s_world.backend);
}

static int64_t s_wall_ms (const dt_env_t *env)
{
    return s_now_ns (env) / MS;
}

static uint64_t s_entropy (const dt_env_t *env)
{
    (void) env;
    return dt_hash_mix (++s_world.entropy);
}

static void s_log (const dt_env_t *env, dt_log_level_t level, const char *line)
{
    (void) env;
    (void) level;
    (void) line;
}

static void s_delay (void *context, vfs_sim_op_t op, uint64_t bytes, int64_t stall_ns)
{
    (void) context;
    (void) bytes;
    (void) stall_ns;
    if (fiber_self () && s_world.delay_ns[op] > 0) {
        (void) fiber_sleep_until (fiber_now_ns () + s_world.delay_ns[op]);
    }
}

// --- the owner -----------------------------------------------------------------------------------

static void s_take_opened (log_writer_opened_t *opened)
{
    s_world.opened = *opened;
    free (s_world.terms);
    s_world.terms = opened->terms;
    opened->terms = NULL;
}

static void s_take (actor_message_t *message)
{
    ck_assert_uint_lt (s_world.count, NOTES_MAX);
    s_note_t *note = &s_world.notes[s_world.count++];
    *note = (s_note_t){.type = message->type, .at_ns = fiber_now_ns ()};
    switch (message->type) {
    case LOG_WRITER_OPENED:
        s_take_opened ((log_writer_opened_t *) message);
        break;
    case LOG_WRITER_APPENDED:
        note->index = ((log_writer_appended_t *) message)->index;
        note->term = ((log_writer_appended_t *) message)->term;
        note->cuts = ((log_writer_appended_t *) message)->cuts;
        break;
    case LOG_WRITER_RESET_DONE:
        note->index = ((log_writer_reset_t *) message)->index;
        note->term = ((log_writer_reset_t *) message)->term;
        break;
    case LOG_WRITER_READ_DONE:
        note->rc = ((log_writer_read_done_t *) message)->rc;
        note->first = ((log_writer_read_done_t *) message)->first;
        note->cookie = ((log_writer_read_done_t *) message)->cookie;
        note->batch = ((log_writer_read_done_t *) message)->batch;
        ((log_writer_read_done_t *) message)->batch = NULL;
        break;
    case LOG_WRITER_FULL:
        note->on = ((log_writer_full_t *) message)->on;
        break;
    case LOG_WRITER_STALLED:
        note->on = ((log_writer_stalled_t *) message)->on;
        break;
    case LOG_WRITER_FAILED:
        note->rc = ((log_writer_failed_t *) message)->rc;
        break;
    default:
        break;
    }
}

static void s_run_owner (void *argument)
{
    (void) argument;
    actor_message_t *message;
    int rc;
    while ((rc = actor_receive (s_world.owner, &message, FIBER_FOREVER)) != DT_ERR_CLOSED) {
        if (rc == 0) {
            s_take (message);
            actor_message_free (&message);
        }
    }
}

// How often the owner was told this, and the newest (or nth, from 0) time.
static unsigned s_count (uint16_t type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < s_world.count; i++) {
        count += s_world.notes[i].type == type;
    }
    return count;
}

static const s_note_t *s_nth (uint16_t type, unsigned n)
{
    for (unsigned i = 0; i < s_world.count; i++) {
        if (s_world.notes[i].type == type && n-- == 0) {
            return &s_world.notes[i];
        }
    }
    ck_abort_msg ("the owner was not told %u", type);
    return NULL;
}

static const s_note_t *s_last (uint16_t type)
{
    return s_nth (type, s_count (type) - 1);
}

// --- time ----------------------------------------------------------------------------------------

static void s_run_for (int64_t time_ns)
{
    int64_t end_ns = s_now_ns (NULL) + time_ns;
    for (int turns = 0; s_now_ns (NULL) < end_ns; turns++) {
        ck_assert_int_lt (turns, TURNS_MAX);
        fiber_dispatcher_turn (s_world.dispatcher, end_ns);
    }
    // What became ready at the end itself.
    for (int turns = 0; fiber_dispatcher_ready (s_world.dispatcher); turns++) {
        ck_assert_int_lt (turns, TURNS_MAX);
        fiber_dispatcher_turn (s_world.dispatcher, 0);
    }
}

// Until the owner was told this so many times.
static void s_await (uint16_t type, unsigned count)
{
    for (int turns = 0; s_count (type) < count; turns++) {
        ck_assert_int_lt (turns, TURNS_MAX);
        fiber_dispatcher_turn (s_world.dispatcher, s_now_ns (NULL) + SECOND);
    }
}

// --- asking --------------------------------------------------------------------------------------

static void s_tell (void *message)
{
    actor_answer (s_world.owner, log_writer_actor (s_world.writer), message);
}

static void s_append (uint64_t first, uint32_t count, uint64_t term)
{
    log_writer_append_t *append = log_writer_message_new (LOG_WRITER_APPEND);
    log_batch_t *batch = log_batch_new (count);
    batch->blob = dt_blob_new (PAYLOAD_BYTES);
    memset (dt_blob_data (batch->blob), (int) term, PAYLOAD_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        batch->entries[batch->count++] = (log_entry_t){.index = first + i,
                                                       .term = term,
                                                       .payload = dt_blob_data (batch->blob),
                                                       .payload_bytes = PAYLOAD_BYTES,
                                                       .type = LOG_ENTRY_COMMAND};
    }
    append->batch = batch;
    append->first = first;
    append->last = first + count - 1;
    s_tell (append);
}

static void s_index (uint16_t type, uint64_t index)
{
    log_writer_index_t *message = log_writer_message_new (type);
    message->index = index;
    s_tell (message);
}

static void s_read (uint64_t first, uint64_t last, uint64_t cookie)
{
    log_writer_read_t *read = log_writer_message_new (LOG_WRITER_READ);
    read->first = first;
    read->last = last;
    read->bytes_max = 1024 * 1024;
    read->cookie = cookie;
    s_tell (read);
}

static void s_reset (uint64_t index, uint64_t term)
{
    log_writer_reset_t *reset = log_writer_message_new (LOG_WRITER_RESET);
    reset->index = index;
    reset->term = term;
    s_tell (reset);
}

static void s_persist (uint64_t term)
{
    log_writer_persist_t *persist = log_writer_message_new (LOG_WRITER_PERSIST);
    persist->value.term = term;
    s_tell (persist);
}

static void s_append_durably (uint64_t first, uint32_t count, uint64_t term)
{
    uint64_t last = first + count - 1;
    unsigned appended = s_count (LOG_WRITER_APPENDED);
    s_append (first, count, term);
    do {
        s_await (LOG_WRITER_APPENDED, ++appended);
    } while (s_last (LOG_WRITER_APPENDED)->index < last);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->index, last);
}

// --- lives ---------------------------------------------------------------------------------------

static void s_forget_notes (void)
{
    for (unsigned i = 0; i < s_world.count; i++) {
        log_batch_unref (&s_world.notes[i].batch);
    }
    s_world.count = 0;
}

static void s_start_behind (bool is_new, uint64_t snapshot_index, uint64_t snapshot_term)
{
    s_forget_notes ();
    s_world.mount = vfs_sim_mount (s_world.disk, "", s_delay, NULL);
    vfs_t *vfs = vfs_sim_vfs (s_world.mount);
    ck_assert_int_eq (vfs->ops->mkdir (vfs, "g"), 0);
    ck_assert_int_eq (vfs->ops->sync_directory (vfs, ""), 0);
    s_world.dispatcher = fiber_dispatcher_new (&(fiber_dispatcher_options_t){
        .name = "node",
        .backend = fiber_backend_sim_base (s_world.backend),
        .env = &s_world.env,
    });
    s_world.system = actor_system_new (&s_world.env);
    actor_host_t *host = actor_system_add_local (s_world.system, s_world.dispatcher);
    s_world.owner = actor_new (host, &(actor_options_t){.name = "owner", .run = s_run_owner});
    s_world.writer = log_writer_new (host, &(log_writer_options_t){
                                               .name = "log",
                                               .vfs = vfs,
                                               .directory = "g",
                                               .identity = {7, 3, 1},
                                               .segment_bytes = LOG_SEGMENT_BYTES_MIN,
                                               .stall_ms = s_world.stall_ms,
                                           });
    actor_system_start (s_world.system);
    log_writer_open_t *open = log_writer_message_new (LOG_WRITER_OPEN);
    open->owner = s_world.owner;
    open->is_new = is_new;
    open->snapshot_index = snapshot_index;
    open->snapshot_term = snapshot_term;
    open->may_repair = s_world.may_repair;
    s_tell (open);
    s_await (LOG_WRITER_OPENED, s_count (LOG_WRITER_OPENED) + 1);
    if (s_world.open_rc != ANY_RC) {
        ck_assert_int_eq (s_world.opened.rc, s_world.open_rc);
    }
}

static void s_stop (void)
{
    fiber_dispatcher_request_stop (s_world.dispatcher);
    for (int turns = 0; fiber_dispatcher_turn (s_world.dispatcher, FIBER_FOREVER); turns++) {
        ck_assert_int_lt (turns, TURNS_MAX);
    }
    actor_system_join (s_world.system);
    log_writer_destroy (&s_world.writer);
    actor_system_destroy (&s_world.system);
    fiber_dispatcher_destroy (&s_world.dispatcher);
    vfs_sim_unmount (&s_world.mount);
}

static void s_restart_behind (uint64_t snapshot_index, uint64_t snapshot_term)
{
    s_stop ();
    s_start_behind (false, snapshot_index, snapshot_term);
}

static void s_init (uint64_t seed)
{
    s_world = (s_world_t){.entropy = seed};
    s_world.env = (dt_env_t){
        .now_ns = s_now_ns,
        .wall_ms = s_wall_ms,
        .entropy = s_entropy,
        .log = s_log,
        .log_level = DT_LOG_INFO,
    };
    s_world.backend = fiber_backend_sim_new (seed, true);
    s_world.disk = vfs_sim_disk_new (seed, &s_world.env);
    s_start_behind (true, 0, 0);
}

static void s_setup (void)
{
    s_init (1);
}

static void s_teardown (void)
{
    s_stop ();
    s_forget_notes ();
    free (s_world.terms);
    vfs_sim_disk_destroy (&s_world.disk);
    fiber_backend_sim_destroy (&s_world.backend);
}

static void s_check_terms (const log_writer_run_t *wanted, size_t count)
{
    ck_assert_uint_eq (s_world.opened.terms_count, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq (s_world.terms[i].first, wanted[i].first);
        ck_assert_uint_eq (s_world.terms[i].term, wanted[i].term);
    }
}

// --- what is found -------------------------------------------------------------------------------

START_TEST (empty_log_has_no_terms)
{
    s_check_terms (NULL, 0);
    ck_assert_uint_eq (s_world.opened.last, 0);
}
END_TEST

START_TEST (terms_of_the_whole_log_are_told)
{
    s_append (1, 3, 1);
    s_append (4, 2 * SEGMENT_ENTRIES, 4); // over segment boundaries
    s_append_durably (4 + 2 * SEGMENT_ENTRIES, 1, 9);
    s_restart_behind (0, 0);
    s_check_terms ((log_writer_run_t[]){{1, 1}, {4, 4}, {4 + 2 * SEGMENT_ENTRIES, 9}}, 3);
    ck_assert_uint_eq (s_world.opened.last_term, 9);
}
END_TEST

START_TEST (many_changes_of_term_are_told)
{
    log_writer_run_t wanted[40];
    for (uint64_t i = 0; i < 40; i++) {
        wanted[i] = (log_writer_run_t){2 * i + 1, i + 1};
        s_append_durably (2 * i + 1, 2, i + 1);
    }
    s_restart_behind (0, 0);
    s_check_terms (wanted, 40);
}
END_TEST

// --- reads ---------------------------------------------------------------------------------------

START_TEST (read_brings_back_first_and_cookie)
{
    s_append_durably (1, 10, 1);
    s_read (4, 8, UINT64_C (0xfedcba9876543210));
    s_await (LOG_WRITER_READ_DONE, 1);
    const s_note_t *done = s_last (LOG_WRITER_READ_DONE);
    ck_assert_int_eq (done->rc, 0);
    ck_assert_uint_eq (done->first, 4);
    ck_assert_uint_eq (done->cookie, UINT64_C (0xfedcba9876543210));
    ck_assert_uint_eq (log_batch_first (done->batch), 4);
    ck_assert_uint_eq (log_batch_last (done->batch), 8);
}
END_TEST

START_TEST (reads_are_answered_in_their_order)
{
    s_append_durably (1, 10, 1);
    s_world.delay_ns[VFS_SIM_READ] = 20 * MS;
    for (uint64_t i = 0; i < 8; i++) {
        s_read (1 + i, 10, i);
    }
    s_await (LOG_WRITER_READ_DONE, 8);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_uint_eq (s_nth (LOG_WRITER_READ_DONE, i)->cookie, i);
    }
}
END_TEST

START_TEST (flush_does_not_wait_for_reads)
{
    s_append_durably (1, 10, 1);
    s_world.delay_ns[VFS_SIM_READ] = 5 * SECOND;
    s_read (1, 10, 1);
    s_read (1, 10, 2);
    s_run_for (MS);
    s_append_durably (11, 1, 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_READ_DONE), 0);
    s_await (LOG_WRITER_READ_DONE, 2);
}
END_TEST

START_TEST (read_taken_before_a_flush_does_not_wait_for_it)
{
    s_append_durably (1, 10, 1);
    s_run_for (SECOND);
    s_world.delay_ns[VFS_SIM_SYNC] = 5 * SECOND;
    s_append (11, 1, 1);
    s_read (1, 10, 1);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_int_eq (s_last (LOG_WRITER_READ_DONE)->rc, 0);
    ck_assert_uint_eq (s_count (LOG_WRITER_APPENDED), 1);
}
END_TEST

START_TEST (read_that_comes_during_a_flush_is_answered_after_it)
{
    s_append_durably (1, 10, 1);
    s_run_for (SECOND);
    s_world.delay_ns[VFS_SIM_SYNC] = 5 * SECOND;
    s_append (11, 1, 1);
    s_run_for (MS);
    s_read (1, 11, 1);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_int_eq (s_last (LOG_WRITER_READ_DONE)->rc, 0);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->index, 11);
}
END_TEST

START_TEST (read_of_what_was_compacted_is_not_found_and_no_failure)
{
    s_append_durably (1, 3 * SEGMENT_ENTRIES, 1);
    s_index (LOG_WRITER_COMPACT, 2 * SEGMENT_ENTRIES);
    s_run_for (SECOND);
    s_read (1, 10, 1);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_int_eq (s_last (LOG_WRITER_READ_DONE)->rc, DT_ERR_NOT_FOUND);
    ck_assert_ptr_null (s_last (LOG_WRITER_READ_DONE)->batch);
    s_append_durably (3 * SEGMENT_ENTRIES + 1, 1, 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
}
END_TEST

START_TEST (compaction_under_a_read_leaves_it_whole_or_not_found)
{
    s_append_durably (1, 3 * SEGMENT_ENTRIES, 1);
    s_world.delay_ns[VFS_SIM_READ] = 50 * MS;
    s_read (1, SEGMENT_ENTRIES, 1);
    s_run_for (10 * MS);
    s_index (LOG_WRITER_COMPACT, 2 * SEGMENT_ENTRIES);
    s_await (LOG_WRITER_READ_DONE, 1);
    const s_note_t *done = s_last (LOG_WRITER_READ_DONE);
    ck_assert (done->rc == DT_ERR_NOT_FOUND ||
               (done->rc == 0 && log_batch_first (done->batch) == 1));
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
}
END_TEST

START_TEST (read_error_is_answered_and_fails_the_group)
{
    s_append_durably (1, 10, 1);
    vfs_sim_fail_at (s_world.disk, VFS_SIM_READ, 1, DT_ERR_IO);
    s_read (1, 10, 7);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_int_eq (s_last (LOG_WRITER_READ_DONE)->rc, DT_ERR_IO);
    ck_assert_uint_eq (s_last (LOG_WRITER_READ_DONE)->cookie, 7);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 1);
}
END_TEST

// Damage the first entry of the first segment.
static void s_rot_first (void)
{
    char path[LOG_PATH_BYTES];
    log_segment_path (path, "g/log", 1);
    uint64_t offset = LOG_SEGMENT_HEADER_BYTES + LOG_RECORD_HEADER_BYTES + 10;
    ck_assert_int_eq (vfs_sim_rot (s_world.disk, path, offset, 1), 0);
}

START_TEST (rotten_entry_is_answered_and_fails_the_group)
{
    s_append_durably (1, 10, 1);
    s_rot_first ();
    s_read (1, 10, 7);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_int_eq (s_last (LOG_WRITER_READ_DONE)->rc, DT_ERR_CORRUPT);
    ck_assert_uint_eq (s_last (LOG_WRITER_READ_DONE)->cookie, 7);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 1);
}
END_TEST

START_TEST (entries_beside_a_rotten_one_are_read)
{
    s_append_durably (1, 10, 1);
    s_rot_first ();
    s_append_durably (11, SEGMENT_ENTRIES, 1);
    s_read (11 + SEGMENT_ENTRIES - 1, 11 + SEGMENT_ENTRIES - 1, 7);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_int_eq (s_last (LOG_WRITER_READ_DONE)->rc, 0);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
}
END_TEST

// --- cuts ----------------------------------------------------------------------------------------

START_TEST (truncate_keeps_its_order_among_appends)
{
    s_append (1, 10, 1);
    s_index (LOG_WRITER_TRUNCATE, 6);
    s_append (6, 3, 2);
    s_index (LOG_WRITER_TRUNCATE, 7);
    s_append (7, 1, 5);
    s_await (LOG_WRITER_APPENDED, 1);
    s_run_for (SECOND);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->index, 7);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->term, 5);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->cuts, 2);
    s_restart_behind (0, 0);
    s_check_terms ((log_writer_run_t[]){{1, 1}, {6, 2}, {7, 5}}, 3);
    ck_assert_uint_eq (s_world.opened.last, 7);
}
END_TEST

START_TEST (appended_never_claims_what_was_cut)
{
    s_init (_i + 1);
    for (int i = 0; i < VFS_SIM_OPS; i++) {
        s_world.delay_ns[i] = (int64_t) (dt_hash_mix ((uint64_t) (_i * 100 + i)) % 5) * MS;
    }
    uint64_t last_of[21] = {0}; // highest durable index possible after so many cuts
    uint64_t next = 1;
    for (uint64_t cut = 0; cut <= 20; cut++) {
        s_append (next, 10, cut + 1);
        next += 10;
        last_of[cut] = next - 1;
        s_run_for ((int64_t) (dt_hash_mix (cut + (uint64_t) _i) % 8) * MS);
        if (cut < 20) {
            next -= 5;
            s_index (LOG_WRITER_TRUNCATE, next);
        }
    }
    s_run_for (10 * SECOND);
    for (unsigned i = 0; i < s_count (LOG_WRITER_APPENDED); i++) {
        const s_note_t *note = s_nth (LOG_WRITER_APPENDED, i);
        ck_assert_uint_le (note->cuts, 20);
        ck_assert_uint_le (note->index, last_of[note->cuts]);
        ck_assert_uint_le (note->term, note->cuts + 1);
    }
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->index, last_of[20]);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->term, 21);
    s_teardown ();
}
END_TEST

START_TEST (read_over_a_truncation_brings_no_mixture)
{
    s_init (_i + 1);
    s_append_durably (1, 40, 1);
    s_world.delay_ns[VFS_SIM_READ] = 3 * MS;
    s_world.delay_ns[VFS_SIM_SYNC] = 2 * MS;
    s_read (1, 40, 1);
    s_run_for ((int64_t) (_i % 8) * MS);
    s_index (LOG_WRITER_TRUNCATE, 21);
    s_append (21, 20, 2);
    s_read (1, 40, 2);
    s_read (30, 40, 3);
    s_await (LOG_WRITER_READ_DONE, 3);
    for (unsigned i = 0; i < 3; i++) {
        const s_note_t *done = s_nth (LOG_WRITER_READ_DONE, i);
        ck_assert (done->rc == 0 || done->rc == DT_ERR_NOT_FOUND);
        bool old = false, new = false;
        for (uint32_t k = 0; done->batch && k < done->batch->count; k++) {
            const log_entry_t *entry = &done->batch->entries[k];
            ck_assert_uint_eq (entry->payload[0], entry->term);
            old = old || (entry->index > 20 && entry->term == 1);
            new = new || entry->term == 2;
        }
        ck_assert (!old || !new);
    }
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
    s_teardown ();
}
END_TEST

START_TEST (reset_is_answered_and_the_log_goes_on_behind_it)
{
    s_append_durably (1, 10, 1);
    s_reset (100, 7);
    s_append (101, 5, 8);
    s_await (LOG_WRITER_RESET_DONE, 1);
    ck_assert_uint_eq (s_last (LOG_WRITER_RESET_DONE)->index, 100);
    ck_assert_uint_eq (s_last (LOG_WRITER_RESET_DONE)->term, 7);
    s_await (LOG_WRITER_APPENDED, 2);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->index, 105);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->cuts, 1);
    s_restart_behind (100, 7);
    ck_assert_uint_eq (s_world.opened.first, 101);
    s_check_terms ((log_writer_run_t[]){{101, 8}}, 1);
}
END_TEST

START_TEST (read_over_a_reset_is_safe)
{
    s_append_durably (1, 40, 1);
    s_world.delay_ns[VFS_SIM_READ] = 10 * MS;
    s_read (1, 40, 1);
    s_run_for (MS);
    s_reset (100, 7);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_int_eq (s_last (LOG_WRITER_READ_DONE)->rc, DT_ERR_NOT_FOUND);
    s_append_durably (101, 1, 8);
}
END_TEST

START_TEST (read_that_opens_a_file_while_its_entries_are_compacted_away_finds_nothing)
{
    s_append_durably (1, 3 * SEGMENT_ENTRIES, 1);
    s_restart_behind (0, 0);
    s_world.delay_ns[VFS_SIM_OPEN] = 10 * MS;
    s_read (1, 40, 1);
    s_run_for (MS);
    s_index (LOG_WRITER_COMPACT, 2 * SEGMENT_ENTRIES);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_int_eq (s_last (LOG_WRITER_READ_DONE)->rc, DT_ERR_NOT_FOUND);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
}
END_TEST

START_TEST (cut_on_a_full_disk_waits_for_room)
{
    s_append_durably (1, 10, 1);
    s_run_for (SECOND);
    vfs_sim_faults_t full = {.capacity_bytes = vfs_sim_used_bytes (s_world.disk)};
    vfs_sim_set_faults (s_world.disk, &full);
    s_reset (100, 7); // may still find a segment that was prepared
    s_reset (200, 7);
    s_reset (300, 7);
    s_run_for (5 * SECOND);
    ck_assert_uint_lt (s_count (LOG_WRITER_RESET_DONE), 4);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
    vfs_sim_set_faults (s_world.disk, NULL);
    s_await (LOG_WRITER_RESET_DONE, 3);
    s_append_durably (301, 1, 8);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
}
END_TEST

START_TEST (full_disk_met_by_a_cut_is_told_to_have_room_though_nothing_is_written)
{
    s_append_durably (1, 10, 1);
    vfs_sim_faults_t full = {.capacity_bytes = 4096};
    vfs_sim_set_faults (s_world.disk, &full);
    s_reset (100, 7);
    s_run_for (5 * SECOND);
    ck_assert_uint_eq (s_count (LOG_WRITER_RESET_DONE), 0);
    ck_assert (s_last (LOG_WRITER_FULL)->on);
    vfs_sim_set_faults (s_world.disk, NULL);
    s_run_for (5 * SECOND);
    ck_assert (!s_last (LOG_WRITER_FULL)->on);
}
END_TEST

// A disk on which no further segment fits.
static void s_fill_disk (void)
{
    vfs_sim_faults_t full = {.capacity_bytes = vfs_sim_used_bytes (s_world.disk)};
    vfs_sim_set_faults (s_world.disk, &full);
}

START_TEST (hurry_gives_up_what_waits_for_room_and_tells_what_was_written)
{
    s_append_durably (1, 10, 1);
    s_run_for (SECOND);
    s_fill_disk ();
    for (uint32_t i = 0; i < 5; i++) {
        s_append (11 + i * SEGMENT_ENTRIES, SEGMENT_ENTRIES, 1);
    }
    s_run_for (5 * SECOND);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
    uint64_t durable = s_last (LOG_WRITER_APPENDED)->index;
    ck_assert_uint_lt (durable, 10 + 5 * SEGMENT_ENTRIES);
    log_writer_hurry (s_world.writer);
    s_run_for (SECOND);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 1);
    ck_assert_int_eq (s_last (LOG_WRITER_FAILED)->rc, DT_ERR_NO_SPACE);
    ck_assert_uint_eq (s_last (LOG_WRITER_APPENDED)->index, durable);
    vfs_sim_set_faults (s_world.disk, NULL);
    s_restart_behind (0, 0);
    ck_assert_uint_eq (s_world.opened.last, durable);
}
END_TEST

START_TEST (hurry_gives_up_a_cut_that_waits_for_room)
{
    s_append_durably (1, 10, 1);
    s_run_for (SECOND);
    s_fill_disk ();
    s_reset (100, 7);
    s_reset (200, 7);
    s_reset (300, 7);
    s_run_for (5 * SECOND);
    log_writer_hurry (s_world.writer);
    s_run_for (SECOND);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 1);
    ck_assert_int_eq (s_last (LOG_WRITER_FAILED)->rc, DT_ERR_NO_SPACE);
    vfs_sim_set_faults (s_world.disk, NULL);
}
END_TEST

START_TEST (hurry_is_not_felt_while_there_is_room)
{
    log_writer_hurry (s_world.writer);
    s_append_durably (1, 10, 1);
    s_append_durably (11, 10 * SEGMENT_ENTRIES, 1);
    s_run_for (SECOND);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 0);
}
END_TEST

START_TEST (failed_cut_is_told_once_and_nothing_follows)
{
    s_append_durably (1, 10, 1);
    s_run_for (SECOND);
    vfs_sim_set_faults (s_world.disk, &(vfs_sim_faults_t){.sync_error_ppm = 1000000});
    s_index (LOG_WRITER_TRUNCATE, 5);
    s_append (5, 10, 2);
    s_append (15, 10, 2);
    s_run_for (5 * SECOND);
    ck_assert_uint_eq (s_count (LOG_WRITER_FAILED), 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_APPENDED), 1);
    vfs_sim_set_faults (s_world.disk, NULL);
}
END_TEST

// --- repair --------------------------------------------------------------------------------------

static void s_persist_durably (uint64_t term)
{
    s_persist (term);
    s_await (LOG_WRITER_PERSISTED, s_count (LOG_WRITER_PERSISTED) + 1);
}

// Entries 1 .. 40, a bit of one of the first half flipped.
static void s_damage (void)
{
    s_append_durably (1, 20, 1);
    s_append_durably (21, 20, 1);
    s_run_for (SECOND);
    s_stop ();
    ck_assert_int_eq (
        vfs_sim_rot (s_world.disk, "g/log/00000000000000000001.log", 4096 + 10 * 1100, 1), 0);
}

START_TEST (damaged_log_is_refused_where_nobody_else_has_it)
{
    s_damage ();
    s_world.open_rc = DT_ERR_CORRUPT;
    s_start_behind (false, 0, 0);
    s_world.open_rc = 0;
}
END_TEST

START_TEST (repair_is_remembered_until_it_is_done)
{
    s_damage ();
    s_world.may_repair = true;
    s_start_behind (false, 0, 0);
    uint64_t kept = s_world.opened.last;
    ck_assert_uint_lt (kept, 20);
    ck_assert_uint_gt (kept, 0);
    ck_assert_uint_eq (s_world.opened.hard_state.repair_until, 40);
    s_persist_durably (2);
    s_restart_behind (0, 0);
    ck_assert_uint_eq (s_world.opened.last, kept);
    ck_assert_uint_eq (s_world.opened.hard_state.repair_until, 40);
    ck_assert_uint_eq (s_world.opened.hard_state.term, 2);
    s_append_durably (kept + 1, 40 - (uint32_t) kept, 2);
    s_tell (log_writer_message_new (LOG_WRITER_REPAIRED));
    s_persist_durably (3);
    s_restart_behind (0, 0);
    ck_assert_uint_eq (s_world.opened.last, 40);
    ck_assert_uint_eq (s_world.opened.hard_state.repair_until, 0);
    ck_assert_uint_eq (s_world.opened.hard_state.term, 3);
}
END_TEST

START_TEST (damage_below_the_snapshot_costs_only_what_nobody_needs)
{
    for (uint32_t i = 0; i < 4; i++) {
        s_append_durably (1 + i * SEGMENT_ENTRIES, SEGMENT_ENTRIES, 1);
    }
    s_run_for (SECOND); // index files are written
    s_stop ();
    ck_assert_int_eq (
        vfs_sim_rot (s_world.disk, "g/log/00000000000000000001.log", 4096 + 10 * 1100, 1), 0);
    s_start_behind (false, 2 * SEGMENT_ENTRIES + 10, 1);
    ck_assert_uint_gt (s_world.opened.first, 10);
    ck_assert_uint_le (s_world.opened.first, 2 * SEGMENT_ENTRIES + 11);
    ck_assert_uint_eq (s_world.opened.last, 4 * SEGMENT_ENTRIES);
    s_check_terms ((log_writer_run_t[]){{s_world.opened.first, 1}}, 1);
    s_append_durably (4 * SEGMENT_ENTRIES + 1, 1, 1);
}
END_TEST

START_TEST (repair_is_noted_before_the_log_is_cut)
{
    s_damage ();
    vfs_sim_disk_t *damaged = s_world.disk;
    s_world.may_repair = true;
    bool all = false;
    for (uint64_t at = 3; !all; at++) { // two changes are made before the actor is asked
        ck_assert_uint_lt (at, 200);
        s_world.disk = vfs_sim_disk_clone (damaged, at);
        vfs_sim_crash_at (s_world.disk, at);
        s_world.open_rc = ANY_RC;
        s_start_behind (false, 0, 0);
        all = !vfs_sim_stopped (s_world.disk);
        vfs_sim_crash (s_world.disk);
        s_world.open_rc = 0;
        s_restart_behind (0, 0);
        ck_assert_uint_lt (s_world.opened.last, 20);
        ck_assert_uint_eq (s_world.opened.hard_state.repair_until, 40);
        s_stop ();
        s_forget_notes ();
        vfs_sim_disk_destroy (&s_world.disk);
    }
    s_world.disk = damaged;
    s_start_behind (false, 0, 0);
}
END_TEST

// --- stalls --------------------------------------------------------------------------------------

START_TEST (stalled_write_is_told_while_it_lasts)
{
    s_append_durably (1, 1, 1);
    s_world.delay_ns[VFS_SIM_SYNC] = 3 * SECOND;
    int64_t began_ns = s_now_ns (NULL);
    s_append (2, 1, 1);
    s_await (LOG_WRITER_APPENDED, 2);
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 2);
    const s_note_t *on = s_nth (LOG_WRITER_STALLED, 0);
    ck_assert (on->on);
    ck_assert_int_eq (on->at_ns, began_ns + LOG_WRITER_STALL_MS * MS);
    const s_note_t *off = s_nth (LOG_WRITER_STALLED, 1);
    ck_assert (!off->on);
    ck_assert (off < s_last (LOG_WRITER_APPENDED));
}
END_TEST

START_TEST (stall_ms_is_when)
{
    s_world.stall_ms = 200;
    s_restart_behind (0, 0);
    s_world.delay_ns[VFS_SIM_SYNC] = 250 * MS;
    int64_t began_ns = s_now_ns (NULL);
    s_append_durably (1, 1, 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 2);
    ck_assert_int_eq (s_nth (LOG_WRITER_STALLED, 0)->at_ns, began_ns + 200 * MS);
}
END_TEST

START_TEST (stall_of_the_hard_state_is_told)
{
    s_world.delay_ns[VFS_SIM_SYNC] = 3 * SECOND;
    s_persist (5);
    s_await (LOG_WRITER_PERSISTED, 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 2);
}
END_TEST

START_TEST (stall_of_a_cut_is_told)
{
    s_append_durably (1, 10, 1);
    s_world.delay_ns[VFS_SIM_SYNC] = 3 * SECOND;
    s_reset (100, 7);
    s_await (LOG_WRITER_RESET_DONE, 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 2);
}
END_TEST

START_TEST (every_stall_is_told)
{
    s_world.delay_ns[VFS_SIM_SYNC] = 2 * SECOND;
    for (uint64_t i = 1; i <= 5; i++) {
        s_append_durably (i, 1, 1);
    }
    // The marker of an idle log is a write too: only pairs are sure.
    ck_assert_uint_ge (s_count (LOG_WRITER_STALLED), 10);
    for (unsigned i = 0; i < s_count (LOG_WRITER_STALLED); i++) {
        ck_assert (s_nth (LOG_WRITER_STALLED, i)->on == (i % 2 == 0));
    }
}
END_TEST

START_TEST (writes_just_quick_enough_are_no_stall)
{
    s_world.delay_ns[VFS_SIM_SYNC] = 900 * MS;
    for (uint64_t i = 1; i <= 20; i++) {
        s_append_durably (i, 1, 1);
    }
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 0);
}
END_TEST

START_TEST (idle_log_is_no_stall)
{
    s_append_durably (1, 1, 1);
    s_run_for (3600 * SECOND);
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 0);
    s_append_durably (2, 1, 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 0);
}
END_TEST

START_TEST (slow_read_is_no_stall)
{
    s_append_durably (1, 1, 1);
    s_run_for (SECOND);
    s_world.delay_ns[VFS_SIM_READ] = 5 * SECOND;
    s_read (1, 1, 1);
    s_await (LOG_WRITER_READ_DONE, 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 0);
}
END_TEST

START_TEST (stall_that_ends_in_a_failure_ends_with_it)
{
    s_append_durably (1, 1, 1);
    s_run_for (SECOND);
    s_world.delay_ns[VFS_SIM_SYNC] = 3 * SECOND;
    vfs_sim_fail_at (s_world.disk, VFS_SIM_SYNC, 1, DT_ERR_IO);
    s_append (2, 1, 1);
    s_await (LOG_WRITER_FAILED, 1);
    s_run_for (5 * SECOND);
    ck_assert_uint_eq (s_count (LOG_WRITER_STALLED), 1);
    ck_assert_uint_eq (s_count (LOG_WRITER_APPENDED), 1);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("log_writer");
    TCase *one = tcase_create ("one");
    tcase_add_checked_fixture (one, s_setup, s_teardown);
    tcase_add_test (one, empty_log_has_no_terms);
    tcase_add_test (one, terms_of_the_whole_log_are_told);
    tcase_add_test (one, many_changes_of_term_are_told);
    tcase_add_test (one, read_brings_back_first_and_cookie);
    tcase_add_test (one, reads_are_answered_in_their_order);
    tcase_add_test (one, flush_does_not_wait_for_reads);
    tcase_add_test (one, read_taken_before_a_flush_does_not_wait_for_it);
    tcase_add_test (one, read_that_comes_during_a_flush_is_answered_after_it);
    tcase_add_test (one, read_of_what_was_compacted_is_not_found_and_no_failure);
    tcase_add_test (one, compaction_under_a_read_leaves_it_whole_or_not_found);
    tcase_add_test (one, read_error_is_answered_and_fails_the_group);
    tcase_add_test (one, rotten_entry_is_answered_and_fails_the_group);
    tcase_add_test (one, entries_beside_a_rotten_one_are_read);
    tcase_add_test (one, truncate_keeps_its_order_among_appends);
    tcase_add_test (one, reset_is_answered_and_the_log_goes_on_behind_it);
    tcase_add_test (one, read_over_a_reset_is_safe);
    tcase_add_test (one, read_that_opens_a_file_while_its_entries_are_compacted_away_finds_nothing);
    tcase_add_test (one, cut_on_a_full_disk_waits_for_room);
    tcase_add_test (one, damaged_log_is_refused_where_nobody_else_has_it);
    tcase_add_test (one, repair_is_remembered_until_it_is_done);
    tcase_add_test (one, repair_is_noted_before_the_log_is_cut);
    tcase_add_test (one, damage_below_the_snapshot_costs_only_what_nobody_needs);
    tcase_add_test (one, hurry_gives_up_what_waits_for_room_and_tells_what_was_written);
    tcase_add_test (one, hurry_gives_up_a_cut_that_waits_for_room);
    tcase_add_test (one, hurry_is_not_felt_while_there_is_room);
    tcase_add_test (one, full_disk_met_by_a_cut_is_told_to_have_room_though_nothing_is_written);
    tcase_add_test (one, failed_cut_is_told_once_and_nothing_follows);
    tcase_add_test (one, stalled_write_is_told_while_it_lasts);
    tcase_add_test (one, stall_ms_is_when);
    tcase_add_test (one, stall_of_the_hard_state_is_told);
    tcase_add_test (one, stall_of_a_cut_is_told);
    tcase_add_test (one, every_stall_is_told);
    tcase_add_test (one, writes_just_quick_enough_are_no_stall);
    tcase_add_test (one, idle_log_is_no_stall);
    tcase_add_test (one, slow_read_is_no_stall);
    tcase_add_test (one, stall_that_ends_in_a_failure_ends_with_it);
    suite_add_tcase (suite, one);
    TCase *seeds = tcase_create ("seeds"); // each with a world of its own
    tcase_add_loop_test (seeds, appended_never_claims_what_was_cut, 0, 20);
    tcase_add_loop_test (seeds, read_over_a_truncation_brings_no_mixture, 0, 20);
    suite_add_tcase (suite, seeds);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
