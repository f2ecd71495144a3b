// What is sent to streams: matching, pages of initial state, pushes.

#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_ops.h"
#include "dtkv/core/dtkv_walk.h"
#include "dtkv/core/dtkv_watch_private.h"
#include "transport/msgpack_writer.h"

enum {
    PUSH_BYTES = 64 * 1024, // a push is closed once its items are more
    PAGE_NODES = 256,       // nodes of one page of initial state
    LOOK_COST = 64,         // what looking at an event costs of the budget
};

static const dtkv_history_t *s_history (const dtkv_watches_t *self)
{
    return dtkv_store_history (self->store);
}

// --- matching ------------------------------------------------------------------------------------

// The prefixes of a path that are paths, the whole one first, the root last.
typedef struct {
    const uint8_t *path;
    size_t bytes;
    unsigned above; // levels above the whole path
    bool end;
} s_prefix_t;

static void s_prefix_next (s_prefix_t *self)
{
    if (self->bytes == 0) {
        self->end = true;
        return;
    }
    const uint8_t *dot = memrchr (self->path, '.', self->bytes);
    self->bytes = dot ? (size_t) (dot - self->path) : 0;
    self->above++;
}

static bool s_reaches (const watch_t *watch, unsigned above)
{
    return watch->depth >= 2 || above <= watch->depth;
}

static void s_wake (dtkv_watches_t *self, watch_stream_t *stream, uint64_t position)
{
    if (!stream->scanning) {
        if (stream->pending_count == WATCH_PENDING_MAX) {
            stream->scanning = true;
            stream->scan_at = stream->pending[stream->pending_first];
            stream->scan_index = stream->seen;
            stream->pending_count = 0;
        } else {
            if (!stream->pending) {
                stream->pending = dt_malloc (WATCH_PENDING_MAX * sizeof *stream->pending);
            }
            uint32_t end = stream->pending_first + stream->pending_count;
            uint64_t last = stream->pending_count
                                ? stream->pending[(end - 1) % WATCH_PENDING_MAX]
                                : UINT64_MAX;
            if (last != position) {
                stream->pending[end % WATCH_PENDING_MAX] = position;
                stream->pending_count++;
            }
        }
    }
    if (!stream->ready) {
        watch_stream_set_ready (&self->registry, stream, true);
    }
}

static void s_hear_event (dtkv_watches_t *self, const dtkv_event_t *event)
{
    s_prefix_t prefix = {event->path, event->path_bytes, 0, false};
    for (; !prefix.end; s_prefix_next (&prefix)) {
        const watch_place_t *place = watch_place_find (&self->registry, prefix.path, prefix.bytes);
        for (watch_t *watch = place ? place->first : NULL; watch; watch = watch->place_next) {
            if (s_reaches (watch, prefix.above)) {
                s_wake (self, watch->stream, event->position);
            }
        }
    }
}

void watch_hear (dtkv_watches_t *self)
{
    const dtkv_history_t *history = s_history (self);
    if (self->registry.watches.count == 0) {
        self->heard = history->next;
        return;
    }
    if (self->heard < history->first) {
        // Whom the lost ones concerned is not known.
        watch_stream_t *stream = self->registry.tick_first;
        for (; stream; stream = stream->tick_next) {
            watch_lag (self, stream);
        }
        self->heard = history->next;
    }
    for (; self->heard < history->next; self->heard++) {
        s_hear_event (self, dtkv_history_at (history, self->heard));
    }
}

void watch_rewind (dtkv_watches_t *self, watch_stream_t *stream, uint64_t position)
{
    uint64_t at = position;
    if (stream->scanning && position >= stream->scan_at) {
        return; // it comes there
    }
    if (stream->scanning) {
        // Those that replay already have had everything up to here.
        for (watch_t *watch = stream->replaying; watch; watch = watch->special_next) {
            watch->after = stream->scan_index > watch->after ? stream->scan_index : watch->after;
        }
    } else if (stream->pending_count) {
        uint64_t first = stream->pending[stream->pending_first];
        at = first < position ? first : position;
    }
    const dtkv_history_t *history = s_history (self);
    stream->scanning = true;
    stream->scan_at = at;
    stream->scan_index = at > history->first ? dtkv_history_at (history, at - 1)->index
                                             : history->floor;
    stream->pending_count = 0;
    watch_stream_set_ready (&self->registry, stream, true);
}

// --- pushes --------------------------------------------------------------------------------------

bool watch_has_credit (const watch_stream_t *stream)
{
    return stream->sent_bytes - stream->acked_bytes < stream->window_bytes &&
           stream->seq - stream->acked < WATCH_UNACKED_MAX;
}

// The same, with the items that are ready to be sent.
static bool s_has_room (const dtkv_watches_t *self, const watch_stream_t *stream)
{
    return watch_has_credit (stream) &&
           stream->sent_bytes - stream->acked_bytes + self->items.bytes < stream->window_bytes;
}

// Up to which entry everything was sent to every watch whose initial state is complete.
static uint64_t s_complete_index (const watch_stream_t *stream)
{
    if (stream->ended_count || stream->resyncs_count) {
        return stream->lag_index;
    }
    return stream->replaying && stream->scan_index < stream->seen ? stream->scan_index
                                                                  : stream->seen;
}

static void s_push (dtkv_watches_t *self, watch_stream_t *stream, dtkv_push_t kind,
                    const dt_buffer_t *items, uint32_t count)
{
    if (stream->seq - stream->acked == WATCH_UNACKED_MAX) {
        // Only in the middle of an entry: the ring forgets one, which is then acknowledged late.
        stream->acked++;
        stream->acked_bytes = stream->totals[stream->acked % WATCH_UNACKED_MAX];
    }
    dt_buffer_t *body = &self->body;
    dt_buffer_clear (body);
    msgpack_write_array (body, 4);
    msgpack_write_uint (body, kind);
    msgpack_write_uint (body, ++stream->seq);
    msgpack_write_array (body, count);
    if (items) {
        dt_buffer_append (body, items->data, items->bytes);
    }
    msgpack_write_uint (body, dtkv_store_applied_index (self->store));
    stream->sent_bytes += body->bytes;
    stream->totals[stream->seq % WATCH_UNACKED_MAX] = stream->sent_bytes;
    stream->pushed_ms = self->now_ms;
    self->budget -= self->budget < body->bytes ? self->budget : body->bytes;
    self->send (self->context, &(dtkv_watch_client_t){stream->client, stream->client_bytes},
                stream->request_id, DTKV_SUCCESS, s_complete_index (stream), body->data,
                body->bytes);
}

void watch_send_progress (dtkv_watches_t *self, watch_stream_t *stream)
{
    s_push (self, stream, DTKV_PUSH_PROGRESS, NULL, 0);
}

static void s_flush (dtkv_watches_t *self, watch_stream_t *stream, dtkv_push_t kind)
{
    if (self->items_count) {
        s_push (self, stream, kind, &self->items, self->items_count);
        dt_buffer_clear (&self->items);
        self->items_count = 0;
    }
}

static void s_add_head (dtkv_watches_t *self, const watch_t *watch, uint64_t index,
                        uint32_t elements)
{
    msgpack_write_array (&self->items, elements);
    msgpack_write_uint (&self->items, watch->id);
    msgpack_write_uint (&self->items, index);
    self->items_count++;
    self->items_index = index;
}

// --- events --------------------------------------------------------------------------------------

// Nothing newer is known of the event's node.
static bool s_is_latest (const dtkv_watches_t *self, const dtkv_event_t *event)
{
    const dtkv_node_t *node =
        dtkv_tree_find (dtkv_store_tree (self->store), event->path, event->path_bytes);
    if (event->kind == DTKV_EVENT_REMOVE) {
        return !node;
    }
    return node && node->modify_index <= event->index;
}

static bool s_wants (const dtkv_watches_t *self, const watch_t *watch, const dtkv_event_t *event)
{
    uint8_t unwanted = event->kind == DTKV_EVENT_PUT ? WATCH_FILTER_NO_PUTS
                                                     : WATCH_FILTER_NO_REMOVES;
    if (watch->filters & unwanted) {
        return false;
    }
    if (event->index <= watch->after ||
        (!watch->replaying && event->index <= watch->stream->seen)) {
        return false;
    }
    // Paths whose state was not read yet will be read as they are then.
    const watch_paging_t *paging = watch->paging;
    if (paging && (!paging->begun ||
                   dtkv_path_compare (event->path, event->path_bytes, paging->cursor.data,
                                      paging->cursor.bytes) > 0)) {
        return false;
    }
    return !watch->latest || s_is_latest (self, event);
}

static void s_add_event (dtkv_watches_t *self, watch_t *watch, const dtkv_event_t *event)
{
    if (self->items.bytes > PUSH_BYTES) {
        bool same = self->items_index == event->index;
        s_flush (self, watch->stream, same ? DTKV_PUSH_EVENTS_MORE : DTKV_PUSH_EVENTS);
    }
    bool previous = watch->filters & WATCH_FILTER_PREVIOUS;
    bool put = event->kind == DTKV_EVENT_PUT;
    bool values = !(watch->filters & WATCH_FILTER_NO_VALUES);
    s_add_head (self, watch, event->index, previous ? 6 : put ? 5 : 4);
    msgpack_write_uint (&self->items, event->kind);
    msgpack_write_bin (&self->items, event->path, event->path_bytes);
    if (put || previous) {
        dtkv_image_write (&self->items, dtkv_event_after (event), event->after_bytes, values, true);
    }
    if (previous) {
        dtkv_image_write (&self->items, dtkv_event_before (event), event->before_bytes, values,
                          true);
    }
}

static void s_look_at (dtkv_watches_t *self, watch_stream_t *stream, const dtkv_event_t *event)
{
    s_prefix_t prefix = {event->path, event->path_bytes, 0, false};
    for (; !prefix.end; s_prefix_next (&prefix)) {
        const watch_place_t *place = watch_place_find (&self->registry, prefix.path, prefix.bytes);
        watch_t *watch = place ? watch_on_place (&self->registry, stream, place, NULL) : NULL;
        for (; watch; watch = watch_on_place (&self->registry, stream, place, watch)) {
            if (s_reaches (watch, prefix.above) && s_wants (self, watch, event)) {
                s_add_event (self, watch, event);
            }
        }
    }
    self->budget -= self->budget < LOOK_COST ? self->budget : LOOK_COST;
}

// Position of the next event for a stream; false: there is none.
static bool s_next_position (const dtkv_watches_t *self, const watch_stream_t *stream,
                             uint64_t *position)
{
    if (stream->scanning) {
        *position = stream->scan_at;
        return stream->scan_at < s_history (self)->next;
    }
    *position = stream->pending_count ? stream->pending[stream->pending_first] : 0;
    return stream->pending_count > 0;
}

static void s_pass (watch_stream_t *stream)
{
    if (stream->scanning) {
        stream->scan_at++;
    } else {
        stream->pending_first = (stream->pending_first + 1) % WATCH_PENDING_MAX;
        stream->pending_count--;
    }
}

static void s_end_replay (watch_stream_t *stream)
{
    while (stream->replaying) {
        watch_set_replaying (stream->replaying, false);
    }
}

// An entry was sent whole. Watches that replay are done once they are where the others are.
static void s_entry_done (watch_stream_t *stream, uint64_t index)
{
    stream->scan_index = index;
    if (index >= stream->seen) {
        stream->seen = index;
        s_end_replay (stream);
    }
}

static void s_all_events_sent (dtkv_watches_t *self, watch_stream_t *stream)
{
    uint64_t applied = dtkv_store_applied_index (self->store);
    stream->scanning = false;
    stream->seen = applied > stream->seen ? applied : stream->seen;
    s_end_replay (stream);
}

// Send whole entries. True: all there are.
static bool s_serve_events (dtkv_watches_t *self, watch_stream_t *stream)
{
    const dtkv_history_t *history = s_history (self);
    uint64_t position;
    uint64_t entry = 0; // being sent
    dt_assert (self->items_count == 0);
    while (s_next_position (self, stream, &position)) {
        if (position < history->first) {
            watch_lag (self, stream);
            return true;
        }
        const dtkv_event_t *event = dtkv_history_at (history, position);
        if (event->index != entry) {
            if (entry) {
                s_entry_done (stream, entry);
            }
            entry = 0;
            if (!s_has_room (self, stream) || self->budget == 0) {
                s_flush (self, stream, DTKV_PUSH_EVENTS);
                return false;
            }
            entry = event->index;
        }
        s_look_at (self, stream, event);
        s_pass (stream);
    }
    s_all_events_sent (self, stream);
    s_flush (self, stream, DTKV_PUSH_EVENTS);
    return true;
}

// --- initial state -------------------------------------------------------------------------------

static void s_add_initial (dtkv_watches_t *self, const watch_t *watch, const uint8_t *path,
                           size_t bytes, const dtkv_node_t *node)
{
    uint64_t index = dtkv_store_applied_index (self->store);
    s_add_head (self, watch, index, 5);
    msgpack_write_uint (&self->items, DTKV_EVENT_PUT);
    msgpack_write_bin (&self->items, path, (uint32_t) bytes);
    if (watch->filters & WATCH_FILTER_NO_VALUES) {
        dt_buffer_t image = {0};
        dtkv_reply_node (&image, node, DTKV_FLAG_META);
        dtkv_image_write (&self->items, image.data, image.bytes, false, true);
        dt_buffer_deinit (&image);
    } else {
        dtkv_reply_node (&self->items, node, DTKV_FLAG_META);
    }
}

// Add nodes of one page. True: there are no more.
static bool s_fill_page (dtkv_watches_t *self, watch_t *watch, const dtkv_directory_t *directory)
{
    watch_paging_t *paging = watch->paging;
    size_t top = watch->place->path_bytes;
    size_t skip = top ? top + 1 : 0;
    dtkv_walk_t walk;
    dtkv_walk_init (&walk, directory, watch->place->path, top);
    if (paging->cursor.bytes > top) {
        dtkv_walk_seek (&walk, paging->cursor.data + skip, paging->cursor.bytes - skip);
    }
    bool complete = false;
    for (int looks = 0; looks < PAGE_NODES && self->items.bytes < PUSH_BYTES; looks++) {
        if (watch->depth < 2) {
            walk.entered = NULL; // children of children are too deep
        }
        const dtkv_node_t *node = dtkv_walk_next (&walk);
        if (!node) {
            complete = true;
            break;
        }
        dt_buffer_clear (&paging->cursor);
        dt_buffer_append (&paging->cursor, walk.path.data, walk.path.bytes);
        s_add_initial (self, watch, walk.path.data, walk.path.bytes, node);
    }
    dtkv_walk_deinit (&walk);
    return complete;
}

// Read one page of a watch's state. Only when all events were sent.
static void s_serve_page (dtkv_watches_t *self, watch_t *watch)
{
    watch_stream_t *stream = watch->stream;
    watch_paging_t *paging = watch->paging;
    uint64_t applied = dtkv_store_applied_index (self->store);
    const watch_place_t *place = watch->place;
    const dtkv_node_t *node =
        dtkv_tree_find (dtkv_store_tree (self->store), place->path, place->path_bytes);
    if (!paging->begun) {
        paging->begun = true;
        dt_buffer_append (&paging->cursor, place->path, place->path_bytes);
        if (node) {
            s_add_initial (self, watch, place->path, place->path_bytes, node);
        }
    }
    bool complete = !node || !dtkv_node_is_directory (node) || watch->depth == 0 ||
                    s_fill_page (self, watch, dtkv_node_directory (node));
    s_flush (self, stream, DTKV_PUSH_INITIAL);
    if (complete) {
        watch->after = applied;
        watch_set_paging (watch, false);
        s_add_head (self, watch, applied, 2);
        s_flush (self, stream, DTKV_PUSH_INITIAL_END);
    }
}

// --- streams -------------------------------------------------------------------------------------

static void s_note_resync (watch_stream_t *stream, const watch_t *watch, uint64_t index)
{
    msgpack_write_array (&stream->resyncs, 2);
    msgpack_write_uint (&stream->resyncs, watch->id);
    msgpack_write_uint (&stream->resyncs, index);
    stream->resyncs_count++;
}

static void s_note_ended (watch_stream_t *stream, const watch_t *watch, uint64_t index)
{
    msgpack_write_array (&stream->ended, 3);
    msgpack_write_uint (&stream->ended, watch->id);
    msgpack_write_uint (&stream->ended, DTKV_LAGGED);
    msgpack_write_uint (&stream->ended, index);
    stream->ended_count++;
}

void watch_lag (dtkv_watches_t *self, watch_stream_t *stream)
{
    stream->lag_index = s_complete_index (stream);
    for (watch_t *watch = stream->first, *next; watch; watch = next) {
        next = watch->stream_next;
        if (watch->falls_back || watch->paging) {
            if (!watch->paging || watch->paging->begun) {
                s_note_resync (stream, watch, stream->lag_index);
            }
            watch_set_paging (watch, true);
            continue;
        }
        s_note_ended (stream, watch, stream->lag_index);
        watch_destroy (&self->registry, &watch);
    }
    stream->pending_count = 0;
    s_all_events_sent (self, stream);
    watch_stream_set_ready (&self->registry, stream, true);
}

// Send one kind of notices.
static void s_send_notices (dtkv_watches_t *self, watch_stream_t *stream, dtkv_push_t kind,
                            dt_buffer_t *items, uint32_t *count)
{
    uint32_t sent = *count;
    *count = 0;
    s_push (self, stream, kind, items, sent);
    dt_buffer_deinit (items);
}

bool watch_serve (dtkv_watches_t *self, watch_stream_t *stream)
{
    while (watch_has_credit (stream)) {
        if (self->budget == 0) {
            return false;
        }
        if (stream->resyncs_count) {
            s_send_notices (self, stream, DTKV_PUSH_RESYNC, &stream->resyncs,
                            &stream->resyncs_count);
        } else if (stream->ended_count) {
            s_send_notices (self, stream, DTKV_PUSH_ENDED, &stream->ended, &stream->ended_count);
        } else if (stream->scanning || stream->pending_count) {
            s_serve_events (self, stream);
        } else if (stream->paging) {
            s_all_events_sent (self, stream);
            s_serve_page (self, stream->paging);
        } else {
            s_all_events_sent (self, stream);
            return true;
        }
    }
    return true;
}
