// get_at and diff: what was, out of the history.

#include <stdlib.h>

#include "base/dt_memory.h"
#include "dtkv/core/dtkv_ops.h"
#include "transport/msgpack_writer.h"

static bool s_is_at (const dtkv_event_t *event, const dtkv_path_t *path)
{
    return event->path_bytes == path->bytes && memcmp (event->path, path->data, path->bytes) == 0;
}

int dtkv_get_at (const dtkv_tree_t *tree, const dtkv_history_t *history,
                 const dtkv_request_t *request, dt_buffer_t *reply)
{
    if (!tree->history || request->number < history->floor) {
        msgpack_write_nil (reply);
        return DTKV_COMPACTED;
    }
    bool meta = request->flags & DTKV_FLAG_META;
    uint64_t position = dtkv_history_find (history, request->number);
    for (; position < history->next; position++) {
        // What was there before the first later change was there then.
        const dtkv_event_t *event = dtkv_history_at (history, position);
        if (s_is_at (event, &request->path)) {
            dtkv_image_write (reply, dtkv_event_before (event), event->before_bytes, true, meta);
            return event->before_bytes ? DTKV_SUCCESS : DTKV_NOT_FOUND;
        }
    }
    return dtkv_get (tree, request, reply);
}

// --- diff ----------------------------------------------------------------------------------------

// Events of a subtree in order of path and time.
typedef struct {
    const dtkv_event_t **events; // owned
    size_t count;
} s_changes_t;

static int s_compare (const void *a, const void *b)
{
    const dtkv_event_t *one = *(const dtkv_event_t *const *) a;
    const dtkv_event_t *other = *(const dtkv_event_t *const *) b;
    int order = dtkv_path_compare (one->path, one->path_bytes, other->path, other->path_bytes);
    return order ? order : (one->position > other->position) - (one->position < other->position);
}

static s_changes_t s_collect (const dtkv_history_t *history, const dtkv_request_t *request,
                              uint64_t to)
{
    uint64_t first = dtkv_history_find (history, request->number);
    uint64_t end = dtkv_history_find (history, to);
    s_changes_t changes = {.events = dt_malloc ((end - first + 1) * sizeof *changes.events)};
    for (uint64_t i = first; i < end; i++) {
        const dtkv_event_t *event = dtkv_history_at (history, i);
        if (dtkv_path_is_below (event->path, event->path_bytes, request->path.data,
                                request->path.bytes) &&
            dtkv_path_compare (event->path, event->path_bytes, request->after.data,
                               request->after.bytes) > 0) {
            changes.events[changes.count++] = event;
        }
    }
    qsort (changes.events, changes.count, sizeof *changes.events, s_compare);
    return changes;
}

static void s_write_change (dt_buffer_t *out, const dtkv_event_t *first, const dtkv_event_t *last,
                            uint32_t flags)
{
    bool values = !(flags & DTKV_FLAG_KEYS_ONLY);
    bool meta = flags & DTKV_FLAG_META;
    msgpack_write_array (out, 4);
    msgpack_write_uint (out, !first->before_bytes  ? DTKV_DIFF_CREATED
                             : !last->after_bytes ? DTKV_DIFF_REMOVED
                                                   : DTKV_DIFF_CHANGED);
    msgpack_write_bin (out, first->path, first->path_bytes);
    dtkv_image_write (out, dtkv_event_before (first), first->before_bytes, values, meta);
    dtkv_image_write (out, dtkv_event_after (last), last->after_bytes, values, meta);
}

static bool s_same_path (const dtkv_event_t *a, const dtkv_event_t *b)
{
    return a->path_bytes == b->path_bytes && memcmp (a->path, b->path, a->path_bytes) == 0;
}

int dtkv_diff (const dtkv_history_t *history, uint64_t applied, const dtkv_request_t *request,
               dt_buffer_t *reply)
{
    uint64_t to = request->to_index ? request->to_index : applied;
    if (!history->bytes_max || request->number < history->floor || to < history->floor) {
        msgpack_write_nil (reply);
        return DTKV_COMPACTED;
    }
    s_changes_t changes = s_collect (history, request, to);
    dt_buffer_t items = {0};
    uint32_t count = 0;
    const dtkv_event_t *more = NULL; // the last one of the page, if there are others behind it
    for (size_t i = 0; i < changes.count && !more;) {
        size_t end = i + 1;
        while (end < changes.count && s_same_path (changes.events[i], changes.events[end])) {
            end++;
        }
        const dtkv_event_t *first = changes.events[i];
        const dtkv_event_t *last = changes.events[end - 1];
        if (first->before_bytes || last->after_bytes) {
            s_write_change (&items, first, last, request->flags);
            count++;
        }
        i = end;
        if (i < changes.count &&
            (count == request->items_max || items.bytes > request->bytes_max)) {
            more = last;
        }
    }
    msgpack_write_array (reply, 2);
    msgpack_write_array (reply, count);
    dt_buffer_append (reply, items.data, items.bytes);
    if (more) {
        msgpack_write_bin (reply, more->path, more->path_bytes);
    } else {
        msgpack_write_nil (reply);
    }
    dt_buffer_deinit (&items);
    free (changes.events);
    return DTKV_SUCCESS;
}
