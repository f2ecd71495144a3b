// dtctl_batch - the command batch: operations from a file, many to a request.
//
// Lines with the same verb that follow each other travel together; the next run is sent when the
// one before is answered, so the lines take effect in their order.

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_line.h"
#include "dtkv/cli/dtctl_path.h"
#include "dtkv/cli/dtctl_text.h"

enum {
    S_ITEM_OVERHEAD = 32,          // msgpack around a path and a value, generously
    S_LINE_BYTES_MAX = 1 << 28,    // what a line may have, escapes included
    S_RUN_ITEMS_MAX = 1000,        // items sent together
    S_RUN_BYTES_MAX = 1024 * 1024, // bytes sent together
};

typedef struct {
    dtctl_t *dtctl;
    dtctl_line_t *lines; // the run being collected, all of one verb
    uint64_t *numbers;   // their line numbers
    size_t count;
    size_t capacity;
    dt_buffer_t words; // what the lines point into
    bool atomic;
    uint64_t items_max;
    uint64_t bytes_max;
    uint64_t done;     // operations that succeeded
    uint64_t failed;   // and that did not
    int first_failure; // exit code of the first that failed, 0: none
} s_batch_t;

static const char *s_verb_name (dtctl_line_verb_t verb)
{
    static const char *const names[] = {"nothing", "put", "rm", "get"};
    return names[verb];
}

static dt_bytes_t s_key (const s_batch_t *self, const dtctl_line_t *line)
{
    return dt_bytes (self->words.data + line->key_at, line->key_bytes);
}

static dt_bytes_t s_value (const s_batch_t *self, const dtctl_line_t *line)
{
    return dt_bytes (self->words.data + line->value_at, line->value_bytes);
}

// Print what became of one line.
static void s_print (s_batch_t *self, size_t i, const dt_batch_item_t *item)
{
    dtctl_output_t *out = self->dtctl->out;
    dt_bytes_t key = s_key (self, &self->lines[i]);
    bool success = dt_code_is_success (item->code);
    bool value = success && item->has_node && item->node.has_value;
    dtctl_output_simple (out, "%" PRIu64 "\t%s\t", self->numbers[i],
                         s_verb_name (self->lines[i].verb));
    dtctl_output_simple_bytes (out, key.data, key.bytes);
    dtctl_output_simple (out, "\t%s", dt_code_name (item->code));
    if (value) {
        dtctl_output_simple (out, "\t");
        dtctl_output_simple_bytes (out, item->node.value.data, item->node.value.bytes);
    }
    dtctl_output_simple (out, "\n");

    dtctl_output_begin (out);
    dtctl_output_number (out, "line", self->numbers[i]);
    dtctl_output_text (out, "verb", s_verb_name (self->lines[i].verb));
    dtctl_output_bytes (out, "key", key.data, key.bytes);
    dtctl_output_text (out, "result", dt_code_name (item->code));
    if (value) {
        dtctl_output_bytes (out, "value", item->node.value.data, item->node.value.bytes);
    } else {
        dtctl_output_null (out, "value");
    }
    dtctl_output_end (out);
    self->done += success;
    self->failed += !success;
    // The item that made an atomic batch fail says more than those it took along.
    bool aborted = item->code == DT_BATCH_ABORTED;
    if (!success && !self->first_failure && !aborted) {
        self->first_failure = dtctl_exit_of (item->code, DT_OUTCOME_NOT_DONE);
    }
}

// Send the collected run.
static int s_call (s_batch_t *self, dt_result_t **result_p)
{
    dtctl_t *dtctl = self->dtctl;
    uint32_t flags = (self->atomic ? DT_ATOMIC : 0u) |
                     (dtctl_args_has (&dtctl->args, "parents") ? DT_PARENTS : 0u);
    dt_call_options_t options = dtctl_call_options (dtctl, flags);
    dtctl_line_verb_t verb = self->lines[0].verb;
    int code;
    if (verb == DTCTL_LINE_PUT) {
        dt_pair_t *pairs = dt_malloc (self->count * sizeof *pairs);
        for (size_t i = 0; i < self->count; i++) {
            pairs[i] = (dt_pair_t){s_key (self, &self->lines[i]), s_value (self, &self->lines[i])};
        }
        code = dt_client_batch_put (dtctl->client, pairs, self->count, &options, result_p);
        free (pairs);
        return code;
    }
    dt_bytes_t *paths = dt_malloc (self->count * sizeof *paths);
    for (size_t i = 0; i < self->count; i++) {
        paths[i] = s_key (self, &self->lines[i]);
    }
    options.flags &= verb == DTCTL_LINE_GET ? 0u : (uint32_t) DT_ATOMIC;
    code = verb == DTCTL_LINE_GET
               ? dt_client_batch_get (dtctl->client, paths, self->count, &options, result_p)
               : dt_client_batch_remove (dtctl->client, paths, self->count, &options, result_p);
    free (paths);
    return code;
}

// Carry out the collected run and begin a new one. Returns 0 or an exit code after complaining.
static int s_flush (s_batch_t *self)
{
    if (self->count == 0) {
        return 0;
    }
    dt_result_t *result = NULL;
    dt_iterator_t iterator;
    dt_batch_item_t item;
    char action[64];
    int rc = 0;
    snprintf (action, sizeof action, "batch, lines %" PRIu64 " to %" PRIu64, self->numbers[0],
              self->numbers[self->count - 1]);
    int code = s_call (self, &result);
    // A refused atomic batch has a failing code and tells of every item all the same.
    bool items = result && dt_result_batch (result, &iterator);
    if (items && (dt_code_is_success (code) || self->atomic)) {
        size_t i = 0;
        while (i < self->count && dt_batch_item_next (&iterator, &item)) {
            s_print (self, i++, &item);
        }
        rc = i == self->count ? 0 : dtctl_fail_answer (action);
    } else if (dt_code_is_success (code)) {
        rc = dtctl_fail_answer (action);
    } else {
        rc = dtctl_fail (action, dt_bytes (NULL, 0), code, result);
    }
    dt_result_free (&result);
    self->count = 0;
    dt_buffer_clear (&self->words);
    dtctl_output_flush (self->dtctl->out);
    return rc;
}

// Hold a line against the limits before it is sent.
static int s_check (s_batch_t *self, const dtctl_line_t *line, uint64_t number)
{
    const dt_limits_t *limits = &self->dtctl->limits;
    dt_bytes_t key = s_key (self, line);
    bool root = key.bytes == 0 || (key.bytes == 1 && *(const char *) key.data == '.');
    switch (dtctl_path_check (key.data, key.bytes, limits->key_bytes_max, limits->depth_max)) {
    case DTCTL_PATH_OK:
        if (!root || line->verb == DTCTL_LINE_GET) {
            break;
        }
        return dtctl_usage (self->dtctl, "line %" PRIu64 ": the root is no key", number);
    case DTCTL_PATH_EMPTY_SEGMENT:
        return dtctl_usage (self->dtctl, "line %" PRIu64 ": a key is names joined by single dots",
                            number);
    case DTCTL_PATH_TOO_LONG:
        dtctl_complain ("line %" PRIu64 ": the key has %zu bytes, the node allows %" PRIu64, number,
                        key.bytes, limits->key_bytes_max);
        return DTCTL_EXIT_LIMIT;
    case DTCTL_PATH_TOO_DEEP:
        dtctl_complain ("line %" PRIu64 ": the key has %zu segments, the node allows %" PRIu64,
                        number, dtctl_path_depth (key.data, key.bytes), limits->depth_max);
        return DTCTL_EXIT_LIMIT;
    }
    if (line->value_bytes > limits->value_bytes_max) {
        dtctl_complain ("line %" PRIu64 ": the value has %zu bytes, the node allows %" PRIu64,
                        number, line->value_bytes, limits->value_bytes_max);
        return DTCTL_EXIT_LIMIT;
    }
    return 0;
}

// True if another line still fits into the run.
static bool s_fits (const s_batch_t *self, dtctl_line_verb_t verb, size_t bytes)
{
    return self->count == 0 ||
           (self->lines[0].verb == verb && self->count < self->items_max &&
            self->words.bytes + bytes + (self->count + 1) * S_ITEM_OVERHEAD <= self->bytes_max);
}

static int s_refuse_atomic (s_batch_t *self, dtctl_line_verb_t verb, uint64_t number)
{
    if (self->lines[0].verb != verb) {
        return dtctl_usage (self->dtctl,
                            "line %" PRIu64 ": an atomic batch is puts only or removals only, this "
                            "one began with %s",
                            number, s_verb_name (self->lines[0].verb));
    }
    dtctl_complain ("line %" PRIu64 ": an atomic batch holds at most %" PRIu64 " operations and "
                    "%" PRIu64 " bytes",
                    number, self->items_max, self->bytes_max);
    return DTCTL_EXIT_LIMIT;
}

// Take one line of the file. Returns 0 or an exit code after complaining.
static int s_take (s_batch_t *self, const char *text, size_t bytes, uint64_t number)
{
    dtctl_line_t line;
    dt_buffer_t words = {0};
    const char *problem;
    size_t column;
    int rc = 0;
    if (dtctl_line_parse (text, bytes, &words, &line, &problem, &column) != 0) {
        dt_buffer_deinit (&words);
        return dtctl_usage (self->dtctl, "line %" PRIu64 ", column %zu: %s", number, column,
                            problem);
    }
    if (line.verb != DTCTL_LINE_NOTHING && !s_fits (self, line.verb, words.bytes)) {
        rc = self->atomic ? s_refuse_atomic (self, line.verb, number) : s_flush (self);
    }
    if (rc == 0 && line.verb == DTCTL_LINE_GET && self->atomic) {
        rc = dtctl_usage (self->dtctl, "line %" PRIu64 ": an atomic batch only writes", number);
    }
    if (rc == 0 && line.verb != DTCTL_LINE_NOTHING) {
        size_t at = self->words.bytes;
        dt_buffer_append (&self->words, words.data, words.bytes);
        line.key_at += at;
        line.value_at += at;
        rc = s_check (self, &line, number);
        if (self->count == self->capacity) {
            self->capacity = self->capacity ? 2 * self->capacity : 64;
            self->lines = dt_realloc (self->lines, self->capacity * sizeof *self->lines);
            self->numbers = dt_realloc (self->numbers, self->capacity * sizeof *self->numbers);
        }
        if (rc == 0) {
            self->lines[self->count] = line;
            self->numbers[self->count++] = number;
        }
    }
    dt_buffer_deinit (&words);
    return rc;
}

static int s_run (s_batch_t *self, FILE *file, const char *name)
{
    char *text = NULL;
    size_t capacity = 0;
    uint64_t number = 0;
    ssize_t bytes;
    int rc = 0;
    dtctl_catch_signals ();
    while (rc == 0 && (bytes = getline (&text, &capacity, file)) >= 0) {
        number++;
        if (dtctl_interrupted ()) {
            rc = DTCTL_EXIT_SIGNAL;
        } else if (bytes > S_LINE_BYTES_MAX) {
            rc = dtctl_usage (self->dtctl, "line %" PRIu64 " has more than %d bytes", number,
                              S_LINE_BYTES_MAX);
        } else {
            rc = s_take (self, text, (size_t) bytes, number);
        }
    }
    if (rc == 0 && dtctl_interrupted ()) {
        rc = DTCTL_EXIT_SIGNAL;
    }
    if (rc == 0 && ferror (file)) {
        dtctl_complain ("cannot read %s: %s", name, strerror (errno));
        rc = DTCTL_EXIT_ERROR;
    }
    // What stands before a wrong line is carried out, unless all or nothing was asked for.
    int sent = rc == 0 || (!self->atomic && rc == DTCTL_EXIT_USAGE) ? s_flush (self) : 0;
    free (text);
    return rc ? rc : sent;
}

int dtctl_batch (dtctl_t *self)
{
    const char *name = self->args.arguments[0];
    bool standard = strcmp (name, "-") == 0;
    s_batch_t batch = {.dtctl = self, .atomic = dtctl_args_has (&self->args, "atomic")};
    int rc = dtctl_connect (self);
    if (rc != 0) {
        return rc;
    }
    FILE *file = standard ? stdin : fopen (name, "re");
    if (!file) {
        dtctl_complain ("cannot open %s: %s", name, strerror (errno));
        return DTCTL_EXIT_ERROR;
    }
    const dt_limits_t *limits = &self->limits;
    batch.items_max = batch.atomic || limits->batch_items_max < S_RUN_ITEMS_MAX
                          ? limits->batch_items_max
                          : S_RUN_ITEMS_MAX;
    batch.bytes_max = batch.atomic ? limits->frame_bytes_max / 2 : S_RUN_BYTES_MAX;
    rc = s_run (&batch, file, standard ? "standard input" : name);
    if (!standard) {
        fclose (file);
    }
    if (batch.failed > 0 || rc != 0) {
        dtctl_complain ("batch: %" PRIu64 " done, %" PRIu64 " failed%s", batch.done, batch.failed,
                        rc ? ", stopped before the end" : "");
    }
    free (batch.lines);
    free (batch.numbers);
    dt_buffer_deinit (&batch.words);
    return rc ? rc : batch.first_failure;
}
