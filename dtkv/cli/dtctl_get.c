// dtctl_get - the commands that read nodes: get, ls, tree.

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dt_memory.h"
#include "dtkv/cli/dtctl.h"
#include "dtkv/cli/dtctl_path.h"
#include "dtkv/cli/dtctl_text.h"

static const char *s_kind (const dt_node_t *node)
{
    if (node->flags & DT_NODE_LOCK) {
        return "lock";
    }
    if (node->flags & DT_NODE_DIRECTORY) {
        return node->flags & DT_NODE_TEMPORARY ? "temporary directory" : "directory";
    }
    return node->flags & DT_NODE_TEMPORARY ? "temporary" : "value";
}

void dtctl_record_node (dtctl_t *self, const dt_node_t *node, bool with_value)
{
    dtctl_output_t *out = self->out;
    dtctl_output_text (out, "kind", s_kind (node));
    if (with_value && node->has_value) {
        dtctl_output_bytes (out, "value", node->value.data, node->value.bytes);
    } else if (with_value) {
        dtctl_output_null (out, "value");
    }
    if (node->has_value) {
        dtctl_output_number (out, "bytes", node->value.bytes);
    } else {
        dtctl_output_null (out, "bytes");
    }
    if (node->has_meta) {
        dtctl_output_number (out, "version", node->meta.version);
        dtctl_output_number (out, "child_version", node->meta.child_version);
        dtctl_output_number (out, "create_index", node->meta.create_index);
        dtctl_output_number (out, "modify_index", node->meta.modify_index);
        dtctl_output_time (out, "create_time", node->meta.create_time_ms);
        dtctl_output_time (out, "modify_time", node->meta.modify_time_ms);
        dtctl_output_number (out, "writer", node->meta.writer);
        dtctl_output_number (out, "owner_session", node->meta.owner_session);
        dtctl_output_number (out, "ttl_ms", node->meta.ttl_ms);
    }
}

// A long line's meta data, before the name.
static void s_simple_meta (dtctl_t *self, const dt_node_t *node)
{
    dt_buffer_t text = {0};
    dtctl_text_time (&text, node->meta.modify_time_ms);
    dtctl_output_simple (self->out, "%c%c %10" PRIu64 " v%-5" PRIu64 " @%-10" PRIu64 " %.*s ",
                         node->flags & DT_NODE_LOCK        ? 'l'
                         : node->flags & DT_NODE_DIRECTORY ? 'd'
                                                           : '-',
                         node->flags & DT_NODE_TEMPORARY ? 't' : '-', (uint64_t) node->value.bytes,
                         node->meta.version, node->meta.modify_index, (int) text.bytes,
                         (char *) text.data);
    dt_buffer_deinit (&text);
}

int dtctl_get (dtctl_t *self)
{
    dt_bytes_t path;
    int rc = dtctl_connect (self);
    if (rc == 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], true, &path);
    }
    if (rc != 0) {
        return rc;
    }
    bool meta = dtctl_args_has (&self->args, "long");
    dt_call_options_t options = dtctl_call_options (self, DT_META);
    dt_result_t *result;
    dt_node_t node;
    int code = dt_client_get (self->client, path, &options, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("get", path, code, &result);
    }
    if (!dt_result_node (result, &node)) {
        dt_result_free (&result);
        return dtctl_fail_answer ("get");
    }
    bool simple = dtctl_output_format (self->out) == DTCTL_FORMAT_SIMPLE;
    if (simple && !meta && !node.has_value) {
        dtctl_complain ("get %s: a %s has no value; dtctl ls lists it, get -l shows its meta data",
                        self->args.arguments[0], s_kind (&node));
        rc = DTCTL_EXIT_PRECONDITION;
    } else if (simple && meta) {
        s_simple_meta (self, &node);
        dtctl_output_simple_bytes (self->out, path.data, path.bytes);
        dtctl_output_simple (self->out, "\n");
    } else if (simple && (self->hex || isatty (STDOUT_FILENO))) {
        // What an unknown value holds must not steer the terminal.
        dtctl_output_simple_bytes (self->out, node.value.data, node.value.bytes);
        dtctl_output_simple (self->out, "\n");
    } else {
        dtctl_output_simple_raw (self->out, node.value.data, node.value.bytes);
        dtctl_output_begin (self->out);
        dtctl_output_bytes (self->out, "key", path.data, path.bytes);
        dtctl_record_node (self, &node, true);
        dtctl_output_number (self->out, "index", result->index);
        dtctl_output_end (self->out);
    }
    dt_result_free (&result);
    return rc;
}

// One item of ls.
static void s_list_item (dtctl_t *self, const dt_list_item_t *item, bool longer, bool values)
{
    bool directory = item->has_node && item->node.flags & DT_NODE_DIRECTORY;
    if (longer && item->has_node) {
        s_simple_meta (self, &item->node);
    }
    if (directory && self->color_out) {
        dtctl_output_simple (self->out, "\033[1;34m");
    }
    dtctl_output_simple_bytes (self->out, item->name.data, item->name.bytes);
    if (directory) {
        dtctl_output_simple (self->out, self->color_out ? ".\033[0m" : ".");
    }
    if (values && item->node.has_value) {
        dtctl_output_simple (self->out, "\t");
        dtctl_output_simple_bytes (self->out, item->node.value.data, item->node.value.bytes);
    }
    dtctl_output_simple (self->out, "\n");

    dtctl_output_begin (self->out);
    dtctl_output_bytes (self->out, "name", item->name.data, item->name.bytes);
    if (item->has_node) {
        dtctl_record_node (self, &item->node, values);
    }
    dtctl_output_end (self->out);
}

// ls --count-only: one number, counted by the node.
static int s_count (dtctl_t *self, dt_bytes_t path, uint32_t flags)
{
    dt_call_options_t options = dtctl_call_options (self, flags | DT_COUNT_ONLY);
    dt_result_t *result;
    dt_iterator_t iterator;
    uint64_t count;
    int code = dt_client_list (self->client, path, NULL, &options, &result);
    if (!dt_code_is_success (code)) {
        return dtctl_fail_free ("ls", path, code, &result);
    }
    if (!dt_result_list (result, &iterator, NULL, &count)) {
        dt_result_free (&result);
        return dtctl_fail_answer ("ls");
    }
    dtctl_output_simple (self->out, "%" PRIu64 "\n", count);
    dtctl_output_begin (self->out);
    dtctl_output_number (self->out, "count", count);
    dtctl_output_number (self->out, "index", result->index);
    dtctl_output_end (self->out);
    dt_result_free (&result);
    return DTCTL_EXIT_OK;
}

// The end of a listing: 0 when all was given, else the exit code after complaining.
static int s_list_end (dt_list_t *list, const char *action, dt_bytes_t path, int code)
{
    if (dt_list_done (list)) {
        return DTCTL_EXIT_OK;
    }
    if (code == DT_PARENT_NOT_DIR) {
        dtctl_complain ("%s %.*s: this is a value, no directory; dtctl get reads it", action,
                        (int) path.bytes, (const char *) path.data);
        return DTCTL_EXIT_PRECONDITION;
    }
    return dtctl_fail (action, path, code, dt_list_result (list));
}

int dtctl_list (dtctl_t *self)
{
    dt_bytes_t path = {0};
    uint64_t limit = UINT64_MAX;
    int rc = dtctl_take_number (self, "limit", UINT64_MAX, &limit);
    if (rc == 0) {
        rc = dtctl_connect (self);
    }
    if (rc == 0 && self->args.arguments_count > 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], true, &path);
    }
    if (rc != 0) {
        return rc;
    }
    bool longer = dtctl_args_has (&self->args, "long");
    bool values = dtctl_args_has (&self->args, "values");
    bool keys_only = dtctl_args_has (&self->args, "keys-only");
    if (keys_only && (longer || values)) {
        return dtctl_usage (self, "--keys-only goes neither with --long nor with --values");
    }
    uint32_t flags = dtctl_args_has (&self->args, "recursive") ? DT_RECURSIVE : 0u;
    if (dtctl_args_has (&self->args, "count-only")) {
        return s_count (self, path, flags);
    }
    bool json = dtctl_output_format (self->out) == DTCTL_FORMAT_JSON;
    flags |= (keys_only ? DT_KEYS_ONLY : 0u) | (longer || (json && !keys_only) ? DT_META : 0u);
    dt_call_options_t options = dtctl_call_options (self, flags);
    uint32_t page = limit < 10000 ? (uint32_t) limit : 0;
    dt_list_t *list = dt_list_open (self->client, path, page, &options);
    dt_list_item_t item;
    int code = DT_SUCCESS;
    while (limit > 0 && (code = dt_list_next (list, &item)) == DT_SUCCESS) {
        s_list_item (self, &item, longer, values);
        limit--;
    }
    rc = limit > 0 ? s_list_end (list, "ls", path, code) : DTCTL_EXIT_OK;
    dt_list_close (&list);
    return rc;
}

// tree
// ---------------------------------------------------------------------------------------------

// A line of the drawing. `more`: a later sibling follows, so its branch goes on below it.
typedef struct {
    size_t name_at; // of its last segment, in the text
    size_t name_bytes;
    uint32_t depth; // 1 for direct children
    bool directory;
    bool more;
} s_branch_t;

typedef struct {
    s_branch_t *branches;
    size_t count;
    size_t capacity;
    dt_buffer_t text;
    uint32_t depth_max;
} s_drawing_t;

static void s_drawing_add (s_drawing_t *self, const dt_list_item_t *item)
{
    const char *name = item->name.data;
    size_t bytes = item->name.bytes;
    uint32_t depth = (uint32_t) dtctl_path_depth (name, bytes);
    const char *dot = bytes ? memrchr (name, '.', bytes) : NULL;
    size_t skip = dot ? (size_t) (dot - name) + 1 : 0;
    if (self->count == self->capacity) {
        self->capacity = self->capacity ? 2 * self->capacity : 256;
        self->branches = dt_realloc (self->branches, self->capacity * sizeof *self->branches);
    }
    self->branches[self->count++] = (s_branch_t){
        self->text.bytes, bytes - skip, depth, (item->node.flags & DT_NODE_DIRECTORY) != 0, false};
    self->depth_max = depth > self->depth_max ? depth : self->depth_max;
    dt_buffer_append (&self->text, name + skip, bytes - skip);
}

// Read backwards: a branch goes on if its depth came already since a shallower one.
static void s_drawing_connect (s_drawing_t *self, bool *seen)
{
    uint32_t below = 0; // seen[] holds false beyond this depth
    for (size_t i = self->count; i-- > 0;) {
        uint32_t depth = self->branches[i].depth;
        for (uint32_t j = depth + 1; j <= below; j++) {
            seen[j] = false;
        }
        self->branches[i].more = seen[depth];
        seen[depth] = true;
        below = depth;
    }
}

static void s_drawing_print (const s_drawing_t *self, dtctl_t *dtctl, bool *open)
{
    dtctl_output_t *out = dtctl->out;
    for (size_t i = 0; i < self->count; i++) {
        const s_branch_t *branch = &self->branches[i];
        for (uint32_t depth = 1; depth < branch->depth; depth++) {
            dtctl_output_simple (out, open[depth] ? "│   " : "    ");
        }
        open[branch->depth] = branch->more;
        dtctl_output_simple (out, branch->more ? "├── " : "└── ");
        bool color = branch->directory && dtctl->color_out;
        dtctl_output_simple (out, color ? "\033[1;34m" : "");
        dtctl_output_simple_bytes (out, self->text.data + branch->name_at, branch->name_bytes);
        dtctl_output_simple (out, color ? "\033[0m\n" : "\n");
    }
}

// Draw and count the collected branches, then free them.
static void s_drawing_finish (s_drawing_t *self, dtctl_t *dtctl)
{
    bool *levels = dt_zalloc (self->depth_max + 1, sizeof *levels);
    s_drawing_connect (self, levels);
    memset (levels, 0, self->depth_max + 1);
    s_drawing_print (self, dtctl, levels);
    free (levels);
    size_t directories = 0;
    for (size_t i = 0; i < self->count; i++) {
        directories += self->branches[i].directory;
    }
    dtctl_output_simple (dtctl->out, "\ndirectories: %zu, values: %zu\n", directories,
                         self->count - directories);
}

int dtctl_tree (dtctl_t *self)
{
    dt_bytes_t path = {0};
    uint64_t depth_max = UINT32_MAX;
    int rc = dtctl_take_number (self, "depth", UINT32_MAX, &depth_max);
    if (rc == 0) {
        rc = dtctl_connect (self);
    }
    if (rc == 0 && self->args.arguments_count > 0) {
        rc = dtctl_take_path (self, self->args.arguments[0], true, &path);
    }
    if (rc != 0) {
        return rc;
    }
    s_drawing_t drawing = {0};
    dt_call_options_t options = dtctl_call_options (self, DT_RECURSIVE);
    dt_list_t *list = dt_list_open (self->client, path, 0, &options);
    dt_list_item_t item;
    int code;
    while ((code = dt_list_next (list, &item)) == DT_SUCCESS) {
        if (dtctl_path_depth (item.name.data, item.name.bytes) <= depth_max) {
            s_drawing_add (&drawing, &item);
            dtctl_output_begin (self->out);
            dtctl_output_bytes (self->out, "name", item.name.data, item.name.bytes);
            dtctl_output_text (self->out, "kind", s_kind (&item.node));
            dtctl_output_end (self->out);
        }
    }
    rc = s_list_end (list, "tree", path, code);
    dt_list_close (&list);
    if (rc == 0) {
        dtctl_output_simple_bytes (self->out, path.bytes ? path.data : ".",
                                   path.bytes ? path.bytes : 1);
        dtctl_output_simple (self->out, "\n");
        s_drawing_finish (&drawing, self);
    }
    free (drawing.branches);
    dt_buffer_deinit (&drawing.text);
    return rc;
}
