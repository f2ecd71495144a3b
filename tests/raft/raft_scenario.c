// raft_scenario - runs golden traces of the core.
//
// usage: raft_scenario [--rewrite] FILE...
//
// A file is a script with its expected output between the lines. A line at column 0 is an event,
// '#' begins a comment line; what an event causes follows it, indented: trace lines "| ...",
// effects in order, and the state after it "= ...". --rewrite puts the actual output into the
// files, for review.
//
//     new [node=1] [voters=1,2] [term= vote=] [snapshot=index,term,time] [log=first,last,term,time]
//         [configs=index,...] [uncommitted_bytes_max=] [unapplied_bytes_max=] [reads_max=]
//         [snapshot_after_bytes=] [snapshot_after_entries=] [log_keep_entries=] [log_retain_bytes=]
//     start | tick | stop | hard_state_durable term= vote= | propose count= [bytes=] [type=]
//     appended index= term= | applied index= | read request= [mode=] [min_index=] [deadline=ms]
//     snapshot_take request= | snapshot_saved index= term= [bytes=] | snapshot_failed | disk_failed
//     disk_full on=0|1 | disk_stalled on=0|1
//
// A file that begins with "nodes" is a script for several cores: see raft_cluster_script.h.
//
// Every event may have at=ms, the time from then on (which starts at 1000).

#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_error.h"
#include "base/dt_memory.h"
#include "tests/raft/raft_cluster_script.h"
#include "tests/raft/raft_print.h"

enum {
    LINE_BYTES_MAX = 1000,
    NUMBERS_MAX = 8, // in one comma-separated list
};

typedef struct {
    raft_core_t *core;             // NULL before the first "new"
    raft_effects_t effects;        // of the event being run
    uint64_t now_ms;               // of the script
    dt_buffer_t text;              // the file as it should be
    raft_cluster_script_t *script; // of several nodes; NULL: of one
} scenario_t;

static void s_trace (void *argument, dt_log_level_t level, const char *line)
{
    (void) level;
    dt_buffer_printf (argument, "  | %s\n", line);
}

// The comma-separated numbers of "key=..." in a line; returns how many there are, 0 if there is no
// such key.
static int s_numbers (const char *line, const char *key, uint64_t numbers[NUMBERS_MAX])
{
    char pattern[64];
    snprintf (pattern, sizeof pattern, " %s=", key);
    const char *place = strstr (line, pattern);
    if (!place) {
        return 0;
    }
    place += strlen (pattern);
    int count = 0;
    do {
        char *end;
        numbers[count++] = strtoull (place, &end, 10);
        place = end + 1;
        if (*end != ',') {
            break;
        }
    } while (count < NUMBERS_MAX);
    return count;
}

static uint64_t s_number (const char *line, const char *key, uint64_t otherwise)
{
    uint64_t numbers[NUMBERS_MAX];
    return s_numbers (line, key, numbers) ? numbers[0] : otherwise;
}

static raft_config_t s_voters (const char *line)
{
    uint64_t numbers[NUMBERS_MAX];
    raft_config_t config;
    memset (&config, 0, sizeof config);
    int count = s_numbers (line, "voters", numbers);
    for (int i = 0; i < count; i++) {
        raft_node_list_add (&config.voters, (raft_node_id_t) numbers[i]);
    }
    return config;
}

static void s_recovered (const char *line, raft_recovered_t *found, raft_config_at_t *configs)
{
    uint64_t numbers[NUMBERS_MAX];
    found->hard_state.term = s_number (line, "term", 0);
    found->hard_state.vote = (raft_node_id_t) s_number (line, "vote", 0);
    if (s_numbers (line, "snapshot", numbers) == 3) {
        found->snapshot_index = numbers[0];
        found->snapshot_term = numbers[1];
        found->snapshot_cluster_time_ms = numbers[2];
        found->snapshot_config_index = 1;
        found->snapshot_config = s_voters (line);
    }
    if (s_numbers (line, "log", numbers) == 4) {
        found->log_first = numbers[0];
        found->log_last = numbers[1];
        found->log_last_term = numbers[2];
        found->log_last_cluster_time_ms = numbers[3];
    }
    found->configs_count = (size_t) s_numbers (line, "configs", numbers);
    found->configs = configs;
    for (size_t i = 0; i < found->configs_count; i++) {
        configs[i] = (raft_config_at_t){.index = numbers[i], .config = s_voters (line)};
    }
}

static void s_new (scenario_t *self, const char *line)
{
    raft_config_at_t configs[NUMBERS_MAX];
    raft_core_options_t options = {
        .group_id = 7,
        .node_id = (raft_node_id_t) s_number (line, "node", 1),
        .bootstrap = s_voters (line),
        .uncommitted_bytes_max = s_number (line, "uncommitted_bytes_max", 0),
        .unapplied_bytes_max = s_number (line, "unapplied_bytes_max", 0),
        .reads_max = (uint32_t) s_number (line, "reads_max", 0),
        .snapshot_after_bytes = s_number (line, "snapshot_after_bytes", 0),
        .snapshot_after_entries = s_number (line, "snapshot_after_entries", 0),
        .log_keep_entries = s_number (line, "log_keep_entries", 0),
        .log_retain_bytes = s_number (line, "log_retain_bytes", 0),
        .seed = 1,
        .trace = s_trace,
        .trace_argument = &self->text,
        .trace_level = DT_LOG_DEBUG,
    };
    options.has_bootstrap = options.bootstrap.voters.count > 0;
    s_recovered (line, &options.recovered, configs);
    raft_core_destroy (&self->core);
    const char *reason = NULL;
    int rc = raft_core_options_check (&options, &reason);
    if (rc != 0) {
        dt_buffer_printf (&self->text, "  %s: %s\n", dt_error_name (rc), reason);
        return;
    }
    self->core = raft_core_new (&options);
    raft_core_check (self->core);
}

static log_batch_t *s_batch (const char *line)
{
    log_batch_t *batch = raft_print_batch ((uint32_t) s_number (line, "count", 1),
                                           (uint32_t) s_number (line, "bytes", 0));
    batch->entries[batch->count - 1].type =
        (uint8_t) s_number (line, "type", (uint64_t) LOG_ENTRY_COMMAND);
    return batch;
}

// Fill in what belongs to the kind. Requests are numbers dressed as pointers: only given back.
static void s_fill (raft_event_t *event, const char *line)
{
    void *request = (void *) (uintptr_t) s_number (line, "request", 0);
    uint64_t deadline_ms = s_number (line, "deadline", 0);
    switch (event->kind) {
    case RAFT_EVENT_PROPOSE:
        event->propose.batch = s_batch (line);
        break;
    case RAFT_EVENT_HARD_STATE_DURABLE:
        event->hard_state.term = s_number (line, "term", 0);
        event->hard_state.vote = (raft_node_id_t) s_number (line, "vote", 1);
        break;
    case RAFT_EVENT_APPENDED:
        event->appended.index = s_number (line, "index", 0);
        event->appended.term = s_number (line, "term", 1);
        break;
    case RAFT_EVENT_APPLIED:
        event->applied.index = s_number (line, "index", 0);
        break;
    case RAFT_EVENT_READ:
        event->read.request = request;
        event->read.mode = (raft_read_mode_t) s_number (line, "mode", 0);
        event->read.min_index = s_number (line, "min_index", 0);
        event->read.deadline_ns = deadline_ms ? (int64_t) deadline_ms * 1000000 : RAFT_NEVER_NS;
        break;
    case RAFT_EVENT_SNAPSHOT_TAKE:
        event->snapshot_take.request = request;
        break;
    case RAFT_EVENT_SNAPSHOT_SAVED:
        event->snapshot_saved.index = s_number (line, "index", 0);
        event->snapshot_saved.term = s_number (line, "term", 1);
        event->snapshot_saved.bytes = s_number (line, "bytes", 100);
        break;
    case RAFT_EVENT_SNAPSHOT_FAILED:
        event->failed.rc = DT_ERR_NO_SPACE;
        break;
    case RAFT_EVENT_DISK_FAILED:
        event->failed.rc = DT_ERR_DISK_FAILED;
        break;
    case RAFT_EVENT_DISK_FULL:
        event->disk_full.on = s_number (line, "on", 1) != 0;
        break;
    case RAFT_EVENT_DISK_STALLED:
        event->disk_stalled.on = s_number (line, "on", 1) != 0;
        break;
    default:
        break; // the kind says it all
    }
}

static bool s_event_kind (const char *line, raft_event_kind_t *kind)
{
    for (int i = 0; i < RAFT_EVENT_KINDS; i++) {
        const char *name = raft_event_name ((raft_event_kind_t) i);
        size_t bytes = strlen (name);
        if (strncmp (line, name, bytes) == 0 && (line[bytes] == ' ' || line[bytes] == 0)) {
            *kind = (raft_event_kind_t) i;
            return true;
        }
    }
    return false;
}

// Run one script line. False: nobody knows what it means.
static bool s_run_line (scenario_t *self, const char *line)
{
    if (strncmp (line, "nodes ", 6) == 0 && !self->script) {
        self->script = raft_cluster_script_new (&self->text);
    }
    if (self->script) {
        return raft_cluster_script_line (self->script, line);
    }
    self->now_ms = s_number (line, "at", self->now_ms);
    if (strncmp (line, "new", 3) == 0) {
        s_new (self, line);
        return true;
    }
    raft_event_t event = {.now_ns = (int64_t) self->now_ms * 1000000, .wall_ms = self->now_ms};
    if (!self->core || !s_event_kind (line, &event.kind)) {
        return false;
    }
    s_fill (&event, line);
    raft_core_step (self->core, &event, &self->effects);
    raft_core_check (self->core);
    raft_print_effects (&self->text, &self->effects);
    raft_print_status (&self->text, self->core, &self->effects);
    raft_effects_clear (&self->effects);
    return true;
}

// Run the script of a file into self->text. 0 or 1.
static int s_run_script (scenario_t *self, const char *path, FILE *file)
{
    char line[LINE_BYTES_MAX];
    int number = 0;
    while (fgets (line, sizeof line, file)) {
        number++;
        line[strcspn (line, "\n")] = 0;
        if (line[0] == ' ') {
            continue; // what is expected; compared at the end
        }
        dt_buffer_printf (&self->text, "%s\n", line);
        if (line[0] != '#' && line[0] != 0 && !s_run_line (self, line)) {
            fprintf (stderr, "%s:%d: not understood: %s\n", path, number, line);
            return 1;
        }
    }
    return 0;
}

static int s_rewrite (const char *path, const dt_buffer_t *text)
{
    FILE *file = fopen (path, "w");
    if (!file || fwrite (text->data, 1, text->bytes, file) != text->bytes || fclose (file) != 0) {
        fprintf (stderr, "%s: cannot be written\n", path);
        return 1;
    }
    return 0;
}

// Compare with the file line by line; the first difference is printed.
static int s_compare (const char *path, dt_buffer_t *text, FILE *file)
{
    dt_buffer_append (text, "", 1);
    const char *actual = (const char *) text->data;
    char line[LINE_BYTES_MAX];
    for (int number = 1; fgets (line, sizeof line, file); number++) {
        size_t bytes = strcspn (actual, "\n") + 1;
        if (strncmp (line, actual, bytes) != 0) {
            fprintf (stderr, "%s:%d: expected %s", path, number, line);
            fprintf (stderr, "%s:%d: actual   %.*s", path, number, (int) bytes, actual);
            return 1;
        }
        actual += bytes;
    }
    if (*actual) {
        fprintf (stderr, "%s: more happens than the file says: %s", path, actual);
        return 1;
    }
    return 0;
}

static int s_run_file (const char *path, bool rewrite)
{
    FILE *file = fopen (path, "r");
    if (!file) {
        fprintf (stderr, "%s: cannot be read\n", path);
        return 1;
    }
    scenario_t scenario = {.now_ms = 1000};
    raft_effects_init (&scenario.effects);
    int rc = s_run_script (&scenario, path, file);
    rewind (file);
    if (rc == 0) {
        rc = rewrite ? s_rewrite (path, &scenario.text) : s_compare (path, &scenario.text, file);
    }
    fclose (file);
    raft_core_destroy (&scenario.core);
    raft_cluster_script_destroy (&scenario.script);
    raft_effects_deinit (&scenario.effects);
    dt_buffer_deinit (&scenario.text);
    return rc;
}

int main (int argc, char **argv)
{
    bool rewrite = argc > 1 && strcmp (argv[1], "--rewrite") == 0;
    int first = rewrite ? 2 : 1;
    if (first >= argc) {
        fprintf (stderr, "usage: raft_scenario [--rewrite] FILE...\n");
        return 2;
    }
    int rc = 0;
    for (int i = first; i < argc; i++) {
        rc |= s_run_file (argv[i], rewrite);
    }
    return rc;
}
