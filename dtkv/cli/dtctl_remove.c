// dtctl_remove - the command rm.
//
// A node removes at most batch_items_max nodes in one request. A larger subtree goes in bites, from
// the leaves up, with a stack of directories: try the whole directory; if that is too much, remove
// a page of its children and put those that have children of their own on the stack.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_memory.h"
#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_text.h"

enum { S_PAGE_ITEMS = 1000 };

typedef struct {
    char **paths; // owned, as are the strings; the last one is removed next
    size_t *bytes;
    size_t count;
    size_t capacity;
} s_stack_t;

static void s_stack_push (s_stack_t *self, dt_bytes_t parent, dt_bytes_t name)
{
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 64;
        self->paths = dt_realloc (self->paths, self->capacity * sizeof *self->paths);
        self->bytes = dt_realloc (self->bytes, self->capacity * sizeof *self->bytes);
    }
    size_t dot = parent.bytes > 0;
    size_t bytes = parent.bytes + dot + name.bytes;
    char *path = dt_malloc (bytes + 1);
    memcpy (path, parent.data ? parent.data : "", parent.bytes);
    memcpy (path + parent.bytes, ".", dot);
    memcpy (path + parent.bytes + dot, name.data, name.bytes);
    self->paths[self->count] = path;
    self->bytes[self->count++] = bytes;
}

static dt_bytes_t s_stack_top (const s_stack_t *self)
{
    return dt_bytes (self->paths[self->count - 1], self->bytes[self->count - 1]);
}

static void s_stack_pop (s_stack_t *self)
{
    free (self->paths[--self->count]);
}

static void s_stack_deinit (s_stack_t *self)
{
    while (self->count > 0) {
        s_stack_pop (self);
    }
    free (self->paths);
    free (self->bytes);
}

// Remove a page of children; those that must be taken apart first go on the stack, above their
// parent. Returns 0 or an exit code after complaining.
static int s_remove_page (dtctl_t *self, s_stack_t *stack, uint64_t *removed)
{
    char *parent_copy = dt_memdup (s_stack_top (stack).data, s_stack_top (stack).bytes);
    dt_bytes_t parent = dt_bytes (parent_copy, s_stack_top (stack).bytes);
    s_stack_t children = {0};
    dt_bytes_t *paths = NULL;
    dt_result_t *result = NULL;
    dt_iterator_t iterator;
    dt_list_item_t item;
    dt_batch_item_t done;
    int rc = 0;

    dt_page_t page = {.items_max = S_PAGE_ITEMS};
    if (page.items_max > self->limits.batch_items_max) {
        page.items_max = (uint32_t) self->limits.batch_items_max;
    }
    dt_call_options_t options = dtctl_call_options (self, DT_KEYS_ONLY);
    int code = dt_client_list (self->client, parent, &page, &options, &result);
    if (!dt_code_is_success (code)) {
        rc = dtctl_fail ("rm", parent, code, result);
        goto out;
    }
    if (!dt_result_list (result, &iterator, NULL, NULL)) {
        rc = dtctl_fail_answer ("rm");
        goto out;
    }
    while (dt_list_item_next (&iterator, &item)) {
        s_stack_push (&children, parent, item.name);
    }
    dt_result_free (&result);
    if (children.count == 0) {
        goto out;
    }
    paths = dt_malloc (children.count * sizeof *paths);
    for (size_t i = 0; i < children.count; i++) {
        paths[i] = dt_bytes (children.paths[i], children.bytes[i]);
    }
    options = dtctl_call_options (self, 0);
    code = dt_client_batch_remove (self->client, paths, children.count, &options, &result);
    if (!dt_code_is_success (code) || !dt_result_batch (result, &iterator)) {
        rc = dt_code_is_success (code) ? dtctl_fail_answer ("rm")
                                       : dtctl_fail ("rm", parent, code, result);
        goto out;
    }
    for (size_t i = 0; i < children.count && dt_batch_item_next (&iterator, &done); i++) {
        if (done.code == DT_HAS_CHILDREN) {
            s_stack_push (stack, dt_bytes (NULL, 0), paths[i]);
        } else if (dt_code_is_success (done.code)) {
            ++*removed;
        } else if (done.code != DT_NOT_FOUND) {
            rc = dtctl_fail ("rm", paths[i], done.code, NULL);
            break;
        }
    }
out:
    dt_result_free (&result);
    free (paths);
    free (parent_copy);
    s_stack_deinit (&children);
    return rc;
}

// Remove a subtree in bites. *index is the index of the last removal.
static int s_remove_large (dtctl_t *self, dt_bytes_t path, uint64_t *index)
{
    s_stack_t stack = {0};
    uint64_t removed = 0;
    int rc = 0;
    s_stack_push (&stack, dt_bytes (NULL, 0), path);
    while (stack.count > 0 && rc == 0 && !dtctl_interrupted ()) {
        dt_bytes_t top = s_stack_top (&stack);
        dt_call_options_t options = dtctl_call_options (self, DT_RECURSIVE);
        dt_result_t *result;
        int code = dt_client_remove (self->client, top, &options, &result);
        if (dt_code_is_success (code) || code == DT_NOT_FOUND) {
            *index = result->index ? result->index : *index;
            s_stack_pop (&stack);
        } else if (code == DT_BATCH_TOO_LARGE) {
            rc = s_remove_page (self, &stack, &removed);
        } else {
            rc = dtctl_fail ("rm", top, code, result);
        }
        dt_result_free (&result);
    }
    if (dtctl_interrupted ()) {
        dtctl_complain ("interrupted; part of the subtree is removed, run it again for the rest");
        rc = DTCTL_EXIT_SIGNAL;
    }
    s_stack_deinit (&stack);
    return rc;
}

// How many nodes are below a path; 0 for a value. Returns 0 or an exit code after complaining.
static int s_count_below (dtctl_t *self, dt_bytes_t path, uint64_t *count)
{
    dt_call_options_t options = dtctl_call_options (self, DT_RECURSIVE | DT_COUNT_ONLY);
    dt_result_t *result;
    dt_iterator_t iterator;
    int rc = 0;
    int code = dt_client_list (self->client, path, NULL, &options, &result);
    if (code == DT_PARENT_NOT_DIR) {
        *count = 0;
    } else if (!dt_code_is_success (code)) {
        rc = dtctl_fail ("rm", path, code, result);
    } else if (!dt_result_list (result, &iterator, NULL, count)) {
        rc = dtctl_fail_answer ("rm");
    }
    dt_result_free (&result);
    return rc;
}

static void s_print (dtctl_t *self, dt_bytes_t path, uint64_t nodes, const char *what,
                     uint64_t index)
{
    if (index) {
        dtctl_output_simple (self->out, "%s %" PRIu64 ", index %" PRIu64 "\n", what, nodes, index);
    } else {
        dtctl_output_simple (self->out, "%s %" PRIu64 "\n", what, nodes);
    }
    dtctl_output_begin (self->out);
    dtctl_output_bytes (self->out, "key", path.data, path.bytes);
    dtctl_output_text (self->out, "result", what);
    dtctl_output_number (self->out, "nodes", nodes);
    dtctl_output_number (self->out, "index", index);
    dtctl_output_end (self->out);
}

// Ask before a directory that is not empty goes.
static int s_permit (dtctl_t *self, dt_bytes_t path, uint64_t below)
{
    if (below == 0 || dtctl_args_has (&self->args, "yes")) {
        return 0;
    }
    dt_buffer_t question = {0};
    dt_buffer_printf (&question, "remove ");
    dtctl_text_escape (&question, path.data, path.bytes);
    dt_buffer_printf (&question, " and all below it, %" PRIu64 " nodes?%c", below, 0);
    bool yes = dtctl_confirm ((char *) question.data);
    dt_buffer_deinit (&question);
    if (yes) {
        return 0;
    }
    dtctl_complain ("rm %.*s: not removed, there are %" PRIu64
                    " nodes below it; --yes removes them",
                    (int) path.bytes, (const char *) path.data, below);
    return DTCTL_EXIT_USAGE;
}

static int s_remove_recursive (dtctl_t *self, dt_bytes_t path)
{
    uint64_t below;
    uint64_t index = 0;
    int rc = s_count_below (self, path, &below);
    if (rc == 0 && dtctl_args_has (&self->args, "dry-run")) {
        s_print (self, path, below + 1, "would remove", 0);
        return 0;
    }
    if (rc == 0) {
        rc = s_permit (self, path, below);
    }
    if (rc == 0) {
        dtctl_catch_signals ();
        rc = s_remove_large (self, path, &index);
    }
    if (rc == 0) {
        s_print (self, path, below + 1, "removed", index);
    }
    return rc;
}

int dtctl_remove (dtctl_t *self)
{
    dt_bytes_t path;
    int rc = dtctl_connect (self);
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], false, &path);
    }
    if (rc != 0) {
        return rc;
    }
    if (dtctl_args_has (&self->args, "recursive")) {
        return s_remove_recursive (self, path);
    }
    if (dtctl_args_has (&self->args, "dry-run")) {
        return dtctl_usage (self, "--dry-run goes with --recursive");
    }
    dt_call_options_t options = dtctl_call_options (self, 0);
    dt_result_t *result;
    int code = dt_client_remove (self->client, path, &options, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("rm", path, code, &result);
    }
    s_print (self, path, 1, "removed", result->index);
    dt_result_free (&result);
    return DTCTL_EXIT_OK;
}
