#include "dtkv/core/dtkv_watch_registry.h"

#include <stdlib.h>
#include <string.h>

#include "base/dt_assert.h"
#include "base/dt_hash.h"
#include "base/dt_memory.h"

enum { TABLE_START = 16 };

#define of_link(link, type, member)                                                                \
    ((type *) ((uint8_t *) (uintptr_t) (link) -offsetof (type, member)))

// --- tables --------------------------------------------------------------------------------------

static void s_table_grow (watch_table_t *self)
{
    uint64_t capacity = self->capacity ? self->capacity * 2 : TABLE_START;
    watch_link_t **buckets = dt_zalloc (capacity, sizeof buckets[0]);
    for (uint64_t i = 0; i < self->capacity; i++) {
        for (watch_link_t *link = self->buckets[i], *next; link; link = next) {
            next = link->next;
            link->next = buckets[link->hash & (capacity - 1)];
            buckets[link->hash & (capacity - 1)] = link;
        }
    }
    free (self->buckets);
    self->buckets = buckets;
    self->capacity = capacity;
}

static void s_table_insert (watch_table_t *self, watch_link_t *link, uint64_t hash)
{
    if (self->count == self->capacity) {
        s_table_grow (self);
    }
    watch_link_t **bucket = &self->buckets[hash & (self->capacity - 1)];
    link->hash = hash;
    link->next = *bucket;
    *bucket = link;
    self->count++;
}

static void s_table_remove (watch_table_t *self, const watch_link_t *link)
{
    watch_link_t **place = &self->buckets[link->hash & (self->capacity - 1)];
    while (*place != link) {
        place = &(*place)->next;
    }
    *place = link->next;
    self->count--;
}

static watch_link_t *s_table_first (const watch_table_t *self, uint64_t hash)
{
    watch_link_t *link = self->count ? self->buckets[hash & (self->capacity - 1)] : NULL;
    while (link && link->hash != hash) {
        link = link->next;
    }
    return link;
}

static watch_link_t *s_table_next (const watch_link_t *link)
{
    uint64_t hash = link->hash;
    watch_link_t *next = link->next;
    while (next && next->hash != hash) {
        next = next->next;
    }
    return next;
}

// --- lists ---------------------------------------------------------------------------------------

void watch_stream_set_ready (watch_registry_t *self, watch_stream_t *stream, bool ready)
{
    if (stream->ready) {
        *(stream->ready_prev ? &stream->ready_prev->ready_next : &self->ready_first) =
            stream->ready_next;
        *(stream->ready_next ? &stream->ready_next->ready_prev : &self->ready_last) =
            stream->ready_prev;
    }
    stream->ready = ready;
    stream->ready_prev = stream->ready_next = NULL;
    if (ready) {
        stream->ready_prev = self->ready_last;
        *(self->ready_last ? &self->ready_last->ready_next : &self->ready_first) = stream;
        self->ready_last = stream;
    }
}

static void s_leave_ticks (watch_registry_t *self, watch_stream_t *stream)
{
    *(stream->tick_prev ? &stream->tick_prev->tick_next : &self->tick_first) = stream->tick_next;
    *(stream->tick_next ? &stream->tick_next->tick_prev : &self->tick_last) = stream->tick_prev;
    stream->tick_prev = stream->tick_next = NULL;
}

static void s_enter_ticks (watch_registry_t *self, watch_stream_t *stream)
{
    stream->tick_prev = self->tick_last;
    *(self->tick_last ? &self->tick_last->tick_next : &self->tick_first) = stream;
    self->tick_last = stream;
}

void watch_stream_set_tick (watch_registry_t *self, watch_stream_t *stream, uint64_t tick_ms)
{
    s_leave_ticks (self, stream);
    stream->tick_ms = tick_ms;
    s_enter_ticks (self, stream);
}

static void s_enter_special (watch_t **list, watch_t *watch)
{
    watch->special_prev = NULL;
    watch->special_next = *list;
    if (*list) {
        (*list)->special_prev = watch;
    }
    *list = watch;
}

static void s_leave_special (watch_t **list, watch_t *watch)
{
    *(watch->special_prev ? &watch->special_prev->special_next : list) = watch->special_next;
    if (watch->special_next) {
        watch->special_next->special_prev = watch->special_prev;
    }
    watch->special_prev = watch->special_next = NULL;
}

void watch_set_replaying (watch_t *watch, bool on)
{
    dt_assert (!watch->paging);
    if (watch->replaying == on) {
        return;
    }
    watch->replaying = on;
    if (on) {
        s_enter_special (&watch->stream->replaying, watch);
    } else {
        s_leave_special (&watch->stream->replaying, watch);
    }
}

void watch_set_paging (watch_t *watch, bool on)
{
    if (watch->paging) {
        s_leave_special (&watch->stream->paging, watch);
        dt_buffer_deinit (&watch->paging->cursor);
        free (watch->paging);
        watch->paging = NULL;
    }
    if (on) {
        watch_set_replaying (watch, false);
        watch->paging = dt_zalloc (1, sizeof *watch->paging);
        s_enter_special (&watch->stream->paging, watch);
    }
}

// --- watches -------------------------------------------------------------------------------------

static uint64_t s_path_hash (const watch_registry_t *self, const uint8_t *path, size_t bytes)
{
    return dt_hash64 (path, bytes, self->seed);
}

static uint64_t s_pair_hash (const watch_stream_t *stream, uint64_t other)
{
    return dt_hash_mix (stream->by_id.hash ^ dt_hash_mix (other));
}

static uint64_t s_on_place_hash (const watch_stream_t *stream, const watch_place_t *place)
{
    return s_pair_hash (stream, (uint64_t) (uintptr_t) place);
}

watch_place_t *watch_place_find (const watch_registry_t *self, const uint8_t *path, size_t bytes)
{
    watch_link_t *link = s_table_first (&self->places, s_path_hash (self, path, bytes));
    for (; link; link = s_table_next (link)) {
        watch_place_t *place = of_link (link, watch_place_t, link);
        if (place->path_bytes == bytes && memcmp (place->path, path, bytes) == 0) {
            return place;
        }
    }
    return NULL;
}

static watch_place_t *s_place (watch_registry_t *self, const uint8_t *path, size_t bytes)
{
    watch_place_t *place = watch_place_find (self, path, bytes);
    if (!place) {
        place = dt_malloc (sizeof *place + bytes);
        place->first = NULL;
        place->path_bytes = (uint32_t) bytes;
        memcpy (place->path, path, bytes);
        s_table_insert (&self->places, &place->link, s_path_hash (self, path, bytes));
    }
    return place;
}

watch_t *watch_new (watch_registry_t *self, watch_stream_t *stream, const uint8_t *path,
                    size_t bytes, const watch_t *like)
{
    watch_t *watch = dt_zalloc (1, sizeof *watch);
    *watch = (watch_t){
        .stream = stream,
        .place = s_place (self, path, bytes),
        .id = like->id,
        .after = like->after,
        .depth = like->depth,
        .filters = like->filters,
        .latest = like->latest,
        .falls_back = like->falls_back,
    };
    watch->place_next = watch->place->first;
    if (watch->place_next) {
        watch->place_next->place_prev = watch;
    }
    watch->place->first = watch;
    watch->stream_next = stream->first;
    if (stream->first) {
        stream->first->stream_prev = watch;
    }
    stream->first = watch;
    stream->count++;
    s_table_insert (&self->ids, &watch->by_id, s_pair_hash (stream, watch->id));
    s_table_insert (&self->watches, &watch->by_place, s_on_place_hash (stream, watch->place));
    return watch;
}

watch_t *watch_find (const watch_registry_t *self, const watch_stream_t *stream, uint32_t id)
{
    watch_link_t *link = s_table_first (&self->ids, s_pair_hash (stream, id));
    for (; link; link = s_table_next (link)) {
        watch_t *watch = of_link (link, watch_t, by_id);
        if (watch->stream == stream && watch->id == id) {
            return watch;
        }
    }
    return NULL;
}

watch_t *watch_on_place (const watch_registry_t *self, const watch_stream_t *stream,
                         const watch_place_t *place, const watch_t *from)
{
    watch_link_t *link = from ? s_table_next (&from->by_place)
                              : s_table_first (&self->watches, s_on_place_hash (stream, place));
    for (; link; link = s_table_next (link)) {
        watch_t *watch = of_link (link, watch_t, by_place);
        if (watch->stream == stream && watch->place == place) {
            return watch;
        }
    }
    return NULL;
}

void watch_destroy (watch_registry_t *self, watch_t **watch_p)
{
    watch_t *watch = *watch_p;
    watch_stream_t *stream = watch->stream;
    watch_place_t *place = watch->place;
    *watch_p = NULL;
    watch_set_paging (watch, false);
    watch_set_replaying (watch, false);
    s_table_remove (&self->ids, &watch->by_id);
    s_table_remove (&self->watches, &watch->by_place);
    *(watch->stream_prev ? &watch->stream_prev->stream_next : &stream->first) = watch->stream_next;
    if (watch->stream_next) {
        watch->stream_next->stream_prev = watch->stream_prev;
    }
    stream->count--;
    *(watch->place_prev ? &watch->place_prev->place_next : &place->first) = watch->place_next;
    if (watch->place_next) {
        watch->place_next->place_prev = watch->place_prev;
    }
    if (!place->first) {
        s_table_remove (&self->places, &place->link);
        free (place);
    }
    free (watch);
}

// --- streams -------------------------------------------------------------------------------------

void watch_registry_init (watch_registry_t *self, uint64_t seed)
{
    *self = (watch_registry_t){.seed = seed};
}

void watch_registry_deinit (watch_registry_t *self)
{
    dt_assert (self->streams.count == 0);
    dt_assert (self->places.count == 0);
    free (self->places.buckets);
    free (self->ids.buckets);
    free (self->watches.buckets);
    free (self->streams.buckets);
}

static uint64_t s_stream_hash (uint64_t id)
{
    return dt_hash_mix (id);
}

watch_stream_t *watch_stream_new (watch_registry_t *self, uint64_t id, const void *client,
                                  size_t client_bytes)
{
    watch_stream_t *stream = dt_zalloc (1, sizeof *stream);
    stream->id = id;
    stream->client = dt_malloc (client_bytes + 1);
    memcpy (stream->client, client, client_bytes);
    stream->client_bytes = client_bytes;
    s_table_insert (&self->streams, &stream->by_id, s_stream_hash (id));
    s_enter_ticks (self, stream);
    return stream;
}

watch_stream_t *watch_stream_find (const watch_registry_t *self, uint64_t id)
{
    watch_link_t *link = s_table_first (&self->streams, s_stream_hash (id));
    for (; link; link = s_table_next (link)) {
        watch_stream_t *stream = of_link (link, watch_stream_t, by_id);
        if (stream->id == id) {
            return stream;
        }
    }
    return NULL;
}

void watch_stream_destroy (watch_registry_t *self, watch_stream_t **stream_p)
{
    watch_stream_t *stream = *stream_p;
    *stream_p = NULL;
    while (stream->first) {
        watch_t *watch = stream->first;
        watch_destroy (self, &watch);
    }
    watch_stream_set_ready (self, stream, false);
    s_leave_ticks (self, stream);
    s_table_remove (&self->streams, &stream->by_id);
    dt_buffer_deinit (&stream->ended);
    dt_buffer_deinit (&stream->resyncs);
    free (stream->pending);
    free (stream->client);
    free (stream);
}

// --- check ---------------------------------------------------------------------------------------

static void s_check_stream (const watch_registry_t *self, const watch_stream_t *stream)
{
    uint64_t count = 0;
    for (const watch_t *watch = stream->first; watch; watch = watch->stream_next) {
        count++;
        dt_assert (watch->stream == stream);
        dt_assert (watch_find (self, stream, watch->id) == watch);
        dt_assert (
            watch_place_find (self, watch->place->path, watch->place->path_bytes) == watch->place);
        dt_assert (!watch->paging || !watch->replaying);
    }
    dt_assert (count == stream->count);
    for (const watch_t *watch = stream->replaying; watch; watch = watch->special_next) {
        dt_assert (watch->replaying);
        dt_assert (watch->stream == stream);
    }
    for (const watch_t *watch = stream->paging; watch; watch = watch->special_next) {
        dt_assert (watch->paging);
        dt_assert (watch->stream == stream);
    }
    dt_assert (!stream->replaying || stream->scanning);
    dt_assert (!stream->scanning || stream->pending_count == 0);
    dt_assert (stream->pending_count <= WATCH_PENDING_MAX);
    dt_assert (stream->acked <= stream->seq);
    dt_assert (stream->seq - stream->acked <= WATCH_UNACKED_MAX);
}

void watch_registry_check (const watch_registry_t *self)
{
    uint64_t streams = 0;
    uint64_t watches = 0;
    uint64_t tick_ms = 0;
    for (const watch_stream_t *stream = self->tick_first; stream; stream = stream->tick_next) {
        dt_assert (stream->tick_ms >= tick_ms);
        tick_ms = stream->tick_ms;
        streams++;
        watches += stream->count;
        s_check_stream (self, stream);
    }
    dt_assert (streams == self->streams.count);
    dt_assert (watches == self->watches.count);
    dt_assert (watches == self->ids.count);
    dt_assert (self->places.count <= watches);
}
