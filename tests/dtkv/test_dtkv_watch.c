// Watches against a naive twin: every event of every entry in one list, every watch compared with
// what that list says. The comparison is of the bytes of items, in order, so it is at once the
// check that events are ordered, unique, atomic, reliable, resumable, bookmarked, right about the
// previous node and about creation, and filtered [WATCH-1, JEP-7].

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_memory.h"
#include "dtkv/core/dtkv_walk.h"
#include "dtkv/core/dtkv_watch.h"
#include "dtkv/core/dtkv_watch_registry.h"
#include "tests/dtkv/kv_program.h"
#include "tests/dtkv/kv_request.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

// --- the twin ------------------------------------------------------------------------------------

typedef struct {
    uint64_t index;
    uint32_t kind;
    dt_buffer_t path, before, after;
} s_event_t;

enum { WATCHES = 24, STREAMS = 4 };

// What a client knows of a node.
typedef struct {
    dt_buffer_t path, node;
} s_known_t;

typedef struct {
    bool used;      //
    bool ended;     // by the node
    uint32_t id;    //
    char path[32];  //
    uint32_t depth; //
    uint32_t filters;
    bool latest;
    bool falls_back;
    bool initial; // not complete yet
    bool whole;   // what is known is the whole state
    bool exact;   // every event is compared; not for `latest`
    size_t next;  // event of the list to be considered next
    s_known_t known[256];
    size_t known_count;
} s_client_watch_t;

typedef struct {
    uint64_t id; // 0: not open
    uint64_t seq;
    uint64_t acked;
    uint64_t bookmark; // index of the last push
    uint64_t more_of;  // entry of which more must follow; 0: none
    uint64_t unacked;  // bytes
    uint64_t window;
    uint32_t next_id;
    s_client_watch_t watches[WATCHES];
} s_client_t;

typedef struct {
    dtkv_store_t *store;
    dtkv_watches_t *watches;
    s_event_t *events;
    size_t count;
    size_t capacity;
    uint64_t copied; // position in the history
    s_client_t clients[STREAMS];
    dt_random_t random;
    uint64_t now_ms;
    uint64_t got;    // items
    uint64_t lagged; // watches
    uint64_t resyncs;
} s_world_t;

static void s_copy_events (s_world_t *self)
{
    const dtkv_history_t *history = dtkv_store_history (self->store);
    dt_assert (self->copied >= history->first);
    for (; self->copied < history->next; self->copied++) {
        const dtkv_event_t *event = dtkv_history_at (history, self->copied);
        if (self->count == self->capacity) {
            self->capacity = self->capacity ? self->capacity * 2 : 64;
            self->events = dt_realloc (self->events, self->capacity * sizeof *self->events);
        }
        s_event_t *copy = &self->events[self->count++];
        *copy = (s_event_t){.index = event->index, .kind = event->kind};
        dt_buffer_append (&copy->path, event->path, event->path_bytes);
        dt_buffer_append (&copy->before, dtkv_event_before (event), event->before_bytes);
        dt_buffer_append (&copy->after, dtkv_event_after (event), event->after_bytes);
    }
}

static bool s_covers (const s_client_watch_t *watch, const uint8_t *path, size_t bytes)
{
    size_t top = strlen (watch->path);
    if (bytes < top || memcmp (path, watch->path, top) != 0) {
        return false;
    }
    if (bytes == top) {
        return true;
    }
    if (top && path[top] != '.') {
        return false;
    }
    unsigned levels = 1;
    for (size_t i = top ? top + 1 : 0; i < bytes; i++) {
        levels += path[i] == '.';
    }
    return watch->depth == 2 || levels <= watch->depth;
}

static bool s_expects (const s_client_watch_t *watch, const s_event_t *event)
{
    uint32_t filtered = event->kind == DTKV_EVENT_PUT ? 1 : 2;
    return !(watch->filters & filtered) && s_covers (watch, event->path.data, event->path.bytes);
}

static void s_expected_item (const s_client_watch_t *watch, const s_event_t *event,
                             dt_buffer_t *out)
{
    bool previous = watch->filters & 8;
    bool put = event->kind == DTKV_EVENT_PUT;
    bool values = !(watch->filters & 4);
    msgpack_write_array (out, previous ? 6 : put ? 5 : 4);
    msgpack_write_uint (out, watch->id);
    msgpack_write_uint (out, event->index);
    msgpack_write_uint (out, event->kind);
    msgpack_write_bin (out, event->path.data, (uint32_t) event->path.bytes);
    if (put || previous) {
        dtkv_image_write (out, event->after.data, event->after.bytes, values, true);
    }
    if (previous) {
        dtkv_image_write (out, event->before.data, event->before.bytes, values, true);
    }
}

static size_t s_first_after (const s_world_t *self, uint64_t index)
{
    size_t at = self->count;
    while (at > 0 && self->events[at - 1].index > index) {
        at--;
    }
    return at;
}

// --- what a client knows -------------------------------------------------------------------------

static s_known_t *s_known (s_client_watch_t *watch, msgpack_slice_t path)
{
    for (size_t i = 0; i < watch->known_count; i++) {
        s_known_t *known = &watch->known[i];
        if (known->path.bytes == path.bytes &&
            memcmp (known->path.data, path.data, path.bytes) == 0) {
            return known;
        }
    }
    return NULL;
}

static void s_forget (s_client_watch_t *watch, s_known_t *known)
{
    dt_buffer_deinit (&known->path);
    dt_buffer_deinit (&known->node);
    *known = watch->known[--watch->known_count];
}

static void s_forget_all (s_client_watch_t *watch)
{
    while (watch->known_count) {
        s_forget (watch, &watch->known[0]);
    }
}

static void s_learn (s_client_watch_t *watch, msgpack_slice_t path, msgpack_slice_t node)
{
    s_known_t *known = s_known (watch, path);
    if (node.bytes == 0) {
        if (known) {
            s_forget (watch, known);
        }
        return;
    }
    if (!known) {
        ck_assert_uint_lt (watch->known_count, 256);
        known = &watch->known[watch->known_count++];
        *known = (s_known_t){0};
        dt_buffer_append (&known->path, path.data, path.bytes);
    }
    dt_buffer_clear (&known->node);
    dt_buffer_append (&known->node, node.data, node.bytes);
}

// What was put together from state and changes is what is there.
static void s_compare_state (s_world_t *self, s_client_watch_t *watch)
{
    size_t covered = 0;
    dtkv_walk_t walk;
    const dtkv_tree_t *tree = dtkv_store_tree (self->store);
    dtkv_walk_init (&walk, tree->root, NULL, 0);
    for (const dtkv_node_t *node; (node = dtkv_walk_next (&walk));) {
        if (!s_covers (watch, walk.path.data, walk.path.bytes)) {
            continue;
        }
        covered++;
        s_known_t *known = s_known (watch, (msgpack_slice_t){walk.path.data, walk.path.bytes});
        ck_assert_msg (known != NULL, "watch %u of '%s' does not know %.*s", watch->id, watch->path,
                       (int) walk.path.bytes, (const char *) walk.path.data);
        ck_assert_uint_eq (dtkv_image_modify_index (known->node.data, known->node.bytes),
                           node->modify_index);
    }
    dtkv_walk_deinit (&walk);
    covered += !watch->path[0]; // the root
    ck_assert_uint_eq (watch->known_count, covered);
}

// --- receiving -----------------------------------------------------------------------------------

static s_client_watch_t *s_watch_of (s_client_t *client, uint64_t id)
{
    for (int i = 0; i < WATCHES; i++) {
        if (client->watches[i].used && client->watches[i].id == id) {
            return &client->watches[i];
        }
    }
    return NULL;
}

static void s_check_against_list (s_world_t *self, s_client_watch_t *watch, uint64_t index,
                                  msgpack_slice_t item)
{
    while (watch->next < self->count && !s_expects (watch, &self->events[watch->next])) {
        watch->next++;
    }
    ck_assert_uint_lt (watch->next, self->count);
    const s_event_t *event = &self->events[watch->next++];
    dt_buffer_t expected = {0};
    s_expected_item (watch, event, &expected);
    ck_assert_uint_eq (event->index, index);
    ck_assert_uint_eq (item.bytes, expected.bytes);
    ck_assert_mem_eq (item.data, expected.data, item.bytes);
    dt_buffer_deinit (&expected);
}

static void s_on_item (s_world_t *self, s_client_t *client, uint64_t kind, msgpack_slice_t item)
{
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, item.data, item.bytes);
    uint32_t elements = msgpack_cursor_array (&cursor);
    s_client_watch_t *watch = s_watch_of (client, msgpack_cursor_uint (&cursor));
    uint64_t index = msgpack_cursor_uint (&cursor); // or code
    self->got++;
    if (!watch && (kind == DTKV_PUSH_ENDED || kind == DTKV_PUSH_RESYNC)) {
        return; // removed by the client meanwhile
    }
    ck_assert_ptr_nonnull (watch);
    ck_assert (!watch->ended);
    if (kind == DTKV_PUSH_ENDED) {
        ck_assert_uint_eq (index, DTKV_LAGGED);
        watch->ended = true;
        self->lagged++;
        return;
    }
    if (kind == DTKV_PUSH_RESYNC) {
        ck_assert (watch->falls_back || watch->initial);
        self->resyncs++;
        watch->initial = true;
        s_forget_all (watch);
        return;
    }
    if (kind == DTKV_PUSH_INITIAL_END) {
        ck_assert (watch->initial);
        ck_assert_uint_eq (index, dtkv_store_applied_index (self->store));
        watch->initial = false;
        watch->next = self->count;
        watch->whole = true;
        s_compare_state (self, watch);
        return;
    }
    uint64_t operation = msgpack_cursor_uint (&cursor);
    msgpack_slice_t path = msgpack_cursor_bytes (&cursor);
    msgpack_slice_t node = {0};
    if (operation == DTKV_EVENT_PUT && elements > 4) {
        node = msgpack_cursor_object (&cursor, 3);
    }
    ck_assert (s_covers (watch, path.data, path.bytes));
    s_learn (watch, path, node);
    if (kind == DTKV_PUSH_INITIAL) {
        ck_assert (watch->initial);
    } else if (watch->exact && !watch->initial) {
        s_check_against_list (self, watch, index, item);
    }
}

static void s_on_send (void *context, const dtkv_watch_client_t *who, uint64_t request_id, int code,
                       uint64_t index, const uint8_t *body, size_t bytes)
{
    s_world_t *self = context;
    s_client_t *client = &self->clients[request_id];
    ck_assert_uint_eq (who->bytes, 1);
    ck_assert_uint_eq (who->data[0], request_id);
    ck_assert_int_eq (code, 0);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, body, bytes);
    ck_assert_uint_eq (msgpack_cursor_array (&cursor), 4);
    uint64_t kind = msgpack_cursor_uint (&cursor);
    ck_assert_uint_eq (msgpack_cursor_uint (&cursor), ++client->seq);
    uint32_t count = msgpack_cursor_array (&cursor);
    bool page = kind == DTKV_PUSH_INITIAL || kind == DTKV_PUSH_INITIAL_END;
    ck_assert (client->unacked < client->window || client->more_of || page);
    client->unacked += bytes;
    for (uint32_t i = 0; i < count; i++) {
        s_on_item (self, client, kind, msgpack_cursor_object (&cursor, 5));
    }
    ck_assert_uint_eq (msgpack_cursor_uint (&cursor), dtkv_store_applied_index (self->store));
    ck_assert (msgpack_cursor_finished (&cursor));
    client->more_of = kind == DTKV_PUSH_EVENTS_MORE;
    client->bookmark = index;
    // Everything up to the index was delivered to all watches that are compared.
    for (int i = 0; i < WATCHES; i++) {
        s_client_watch_t *watch = &client->watches[i];
        if (!watch->used || watch->ended || watch->initial || !watch->exact) {
            continue;
        }
        for (size_t at = watch->next; at < self->count && self->events[at].index <= index; at++) {
            ck_assert_msg (!s_expects (watch, &self->events[at]),
                           "watch %u: the push says %llu and leaves out an event of %llu",
                           watch->id, (unsigned long long) index,
                           (unsigned long long) self->events[at].index);
        }
    }
}

// --- asking --------------------------------------------------------------------------------------

static int s_ask (s_world_t *self, uint64_t client, uint32_t operation, const dt_buffer_t *body,
                  dt_buffer_t *reply)
{
    uint8_t route = (uint8_t) client;
    ck_assert_int_eq (dtkv_watch_validate (operation, body->data, body->bytes), 0);
    return dtkv_watches_request (self->watches, &(dtkv_watch_client_t){&route, 1}, client,
                                 operation, body->data, body->bytes, self->now_ms, reply);
}

static void s_open (s_world_t *self, uint64_t at, uint64_t window)
{
    dt_buffer_t body = {0};
    dt_buffer_t reply = {0};
    msgpack_write_array (&body, 1);
    msgpack_write_uint (&body, window);
    ck_assert_int_eq (s_ask (self, at, DTKV_OP_WATCH_OPEN, &body, &reply), 0);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, reply.data, reply.bytes);
    msgpack_cursor_array (&cursor);
    msgpack_cursor_uint (&cursor);
    self->clients[at].id = msgpack_cursor_uint (&cursor);
    self->clients[at].window = window;
    dt_buffer_deinit (&body);
    dt_buffer_deinit (&reply);
}

static void s_write_wanted (dt_buffer_t *body, const s_client_watch_t *watch, bool has_after,
                            uint64_t after)
{
    msgpack_write_array (body, 3);
    msgpack_write_uint (body, watch->id);
    msgpack_write_text (body, watch->path);
    msgpack_write_map (body, has_after ? 6 : 5);
    msgpack_write_uint (body, 1);
    msgpack_write_uint (body, watch->depth);
    msgpack_write_uint (body, 2);
    msgpack_write_uint (body, watch->latest);
    msgpack_write_uint (body, 4);
    msgpack_write_bool (body, watch->initial);
    msgpack_write_uint (body, 5);
    msgpack_write_uint (body, watch->filters);
    msgpack_write_uint (body, 6);
    msgpack_write_uint (body, watch->falls_back);
    if (has_after) {
        msgpack_write_uint (body, 3);
        msgpack_write_uint (body, after);
    }
}

static int s_add (s_world_t *self, uint64_t at, s_client_watch_t *watch, bool has_after,
                  uint64_t after)
{
    s_client_t *client = &self->clients[at];
    dt_buffer_t body = {0};
    dt_buffer_t reply = {0};
    watch->id = ++client->next_id;
    msgpack_write_array (&body, 2);
    msgpack_write_uint (&body, client->id);
    msgpack_write_array (&body, 1);
    s_write_wanted (&body, watch, has_after, after);
    ck_assert_int_eq (s_ask (self, at, DTKV_OP_WATCH_ADD, &body, &reply), 0);
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, reply.data, reply.bytes);
    ck_assert_uint_eq (msgpack_cursor_array (&cursor), 1);
    msgpack_cursor_array (&cursor);
    ck_assert_uint_eq (msgpack_cursor_uint (&cursor), watch->id);
    int code = (int) msgpack_cursor_uint (&cursor);
    watch->used = code == 0;
    watch->next = s_first_after (self, has_after ? after : dtkv_store_applied_index (self->store));
    dt_buffer_deinit (&body);
    dt_buffer_deinit (&reply);
    return code;
}

static void s_add_random (s_world_t *self, uint64_t at, s_client_watch_t *watch)
{
    static const char *const paths[] = {"", "a", "b", "a.a", "a.b", "b.a", "a.b.c", "c"};
    static const uint32_t filters[] = {0, 0, 8, 4, 1, 2, 12};
    uint64_t applied = dtkv_store_applied_index (self->store);
    s_forget_all (watch);
    *watch = (s_client_watch_t){
        .depth = (uint32_t) dt_random_below (&self->random, 3),
        .filters = filters[dt_random_below (&self->random, 7)],
        .latest = dt_random_chance (&self->random, 1, 5),
        .falls_back = dt_random_chance (&self->random, 1, 3),
        .initial = dt_random_chance (&self->random, 1, 3),
    };
    snprintf (watch->path, sizeof watch->path, "%s", paths[dt_random_below (&self->random, 8)]);
    if (watch->initial || watch->falls_back) {
        watch->filters &= ~3u; // so that the state can be put together
    }
    watch->exact = !watch->latest;
    bool has_after = !watch->initial && dt_random_chance (&self->random, 1, 2);
    uint64_t back = dt_random_below (&self->random, 60);
    uint64_t after = back < applied ? applied - back : 0;
    int code = s_add (self, at, watch, has_after, after);
    if (code) {
        ck_assert_int_eq (code, DTKV_COMPACTED);
        ck_assert (has_after && after < dtkv_store_history (self->store)->floor);
    }
}

static void s_remove (s_world_t *self, uint64_t at, s_client_watch_t *watch)
{
    dt_buffer_t body = {0};
    dt_buffer_t reply = {0};
    msgpack_write_array (&body, 2);
    msgpack_write_uint (&body, self->clients[at].id);
    msgpack_write_array (&body, 1);
    msgpack_write_uint (&body, watch->id);
    ck_assert_int_eq (s_ask (self, at, DTKV_OP_WATCH_REMOVE, &body, &reply), 0);
    s_forget_all (watch);
    watch->used = false;
    dt_buffer_deinit (&body);
    dt_buffer_deinit (&reply);
}

static void s_ack (s_world_t *self, uint64_t at)
{
    s_client_t *client = &self->clients[at];
    dt_buffer_t body = {0};
    dt_buffer_t reply = {0};
    msgpack_write_array (&body, 2);
    msgpack_write_uint (&body, client->id);
    msgpack_write_uint (&body, client->seq);
    ck_assert_int_eq (s_ask (self, at, DTKV_OP_WATCH_ACK, &body, &reply), 0);
    client->unacked = 0;
    dt_buffer_deinit (&body);
    dt_buffer_deinit (&reply);
}

static void s_push (s_world_t *self)
{
    uint64_t deadline_ms;
    while (dtkv_watches_push (self->watches, self->now_ms, s_on_send, self, &deadline_ms)) {
    }
    dtkv_watches_check (self->watches);
}

// Acknowledge until nothing comes any more: then everybody knows everything.
static void s_drain (s_world_t *self)
{
    for (uint64_t before = UINT64_MAX; before != self->got;) {
        before = self->got;
        for (uint64_t i = 0; i < STREAMS; i++) {
            s_ack (self, i);
        }
        s_push (self);
    }
    for (int i = 0; i < STREAMS * WATCHES; i++) {
        s_client_watch_t *watch = &self->clients[i / WATCHES].watches[i % WATCHES];
        if (!watch->used || watch->ended) {
            continue;
        }
        ck_assert (!watch->initial);
        for (; watch->exact && watch->next < self->count; watch->next++) {
            ck_assert (!s_expects (watch, &self->events[watch->next]));
        }
        if (watch->whole) {
            s_compare_state (self, watch);
        }
    }
}

static void s_world_init (s_world_t *self, uint64_t seed, const dtkv_store_options_t *options)
{
    *self = (s_world_t){.store = dtkv_store_new (options), .now_ms = 1000};
    self->watches = dtkv_watches_new (
        &(dtkv_watches_options_t){.watches_max = 1000, .streams_max = STREAMS}, self->store);
    dt_random_init (&self->random, seed);
}

static void s_world_deinit (s_world_t *self)
{
    for (int i = 0; i < STREAMS * WATCHES; i++) {
        s_forget_all (&self->clients[i / WATCHES].watches[i % WATCHES]);
    }
    for (size_t i = 0; i < self->count; i++) {
        dt_buffer_deinit (&self->events[i].path);
        dt_buffer_deinit (&self->events[i].before);
        dt_buffer_deinit (&self->events[i].after);
    }
    free (self->events);
    dtkv_watches_destroy (&self->watches);
    dtkv_store_destroy (&self->store);
}

static void s_step (s_world_t *self, kv_program_t *program, unsigned acks_of_100)
{
    log_entry_t entry;
    dtkv_outcome_t outcome;
    dt_buffer_t reply = {0};
    kv_program_entry (program, &entry);
    dtkv_store_apply (self->store, &entry, &reply, &outcome);
    dt_buffer_deinit (&reply);
    s_copy_events (self);
    self->now_ms += dt_random_below (&self->random, 3);
    uint64_t at = dt_random_below (&self->random, STREAMS);
    s_client_watch_t *watch = &self->clients[at].watches[dt_random_below (&self->random, WATCHES)];
    if (dt_random_chance (&self->random, 1, 6)) {
        if (watch->used && !watch->ended) {
            s_remove (self, at, watch);
        } else {
            s_add_random (self, at, watch);
        }
    }
    if (dt_random_below (&self->random, 100) < acks_of_100) {
        s_ack (self, at);
    }
    if (dt_random_chance (&self->random, 1, 3)) {
        s_push (self);
    }
}

static s_world_t s_world;

static void s_run (uint64_t seed, uint64_t history_bytes_max, unsigned acks_of_100,
                   unsigned drain_every)
{
    printf ("seed %llu\n", (unsigned long long) seed);
    fflush (stdout);
    dtkv_store_options_t options = {
        .limits = kv_program_limits (),
        .hash_seed = seed,
        .history_bytes_max = history_bytes_max,
    };
    s_world_init (&s_world, seed, &options);
    for (uint64_t i = 0; i < STREAMS; i++) {
        s_open (&s_world, i, 500 + dt_random_below (&s_world.random, 3000));
    }
    kv_program_t program;
    kv_model_t *model = kv_model_new (&options.limits);
    kv_program_init (&program, seed, model);
    program.names = 3;
    for (unsigned i = 0; i < 2000; i++) {
        s_step (&s_world, &program, acks_of_100);
        if (i % drain_every == drain_every - 1) {
            s_drain (&s_world);
        }
    }
    kv_program_deinit (&program);
    kv_model_destroy (&model);
    ck_assert_uint_gt (s_world.got, 0);
}

START_TEST (every_watch_gets_exactly_what_the_list_says)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        s_run (seed, 16 << 20, 30, 500);
        ck_assert_uint_eq (s_world.lagged, 0);
        s_world_deinit (&s_world);
    }
}
END_TEST

START_TEST (who_falls_behind_the_history_is_told)
{
    uint64_t lagged = 0;
    uint64_t resyncs = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        s_run (seed, 140000, 2, 2000);
        lagged += s_world.lagged;
        resyncs += s_world.resyncs;
        s_world_deinit (&s_world);
    }
    ck_assert_uint_gt (lagged, 0);
    ck_assert_uint_gt (resyncs, 0);
}
END_TEST

// --- facts ---------------------------------------------------------------------------------------

static kv_fixture_t s_kv;
static char s_log[4096]; // pushes, as "request:code:kind/items"

static void s_note (void *context, const dtkv_watch_client_t *client, uint64_t request_id, int code,
                    uint64_t index, const uint8_t *body, size_t bytes)
{
    (void) context;
    (void) client;
    (void) index;
    msgpack_cursor_t cursor;
    msgpack_cursor_init (&cursor, body, bytes);
    msgpack_cursor_array (&cursor);
    uint64_t kind = code ? 0 : msgpack_cursor_uint (&cursor);
    if (!code) {
        msgpack_cursor_uint (&cursor);
    }
    uint32_t items = code ? 0 : msgpack_cursor_array (&cursor);
    size_t used = strlen (s_log);
    snprintf (s_log + used, sizeof s_log - used, "%s%llu:%d:%llu/%u", used ? " " : "",
              (unsigned long long) request_id, code, (unsigned long long) kind, items);
}

static dtkv_watches_t *s_watches;

static void s_setup (void)
{
    dtkv_limits_t limits = DTKV_LIMITS_DEFAULT;
    kv_fixture_init (&s_kv, &limits);
    s_watches = dtkv_watches_new (&(dtkv_watches_options_t){.watches_max = 3, .streams_max = 2},
                                  s_kv.store);
    s_log[0] = 0;
}

static void s_teardown (void)
{
    dtkv_watches_check (s_watches);
    dtkv_watches_destroy (&s_watches);
    kv_fixture_deinit (&s_kv);
}

static const char *s_pushes (uint64_t now_ms)
{
    uint64_t deadline_ms;
    s_log[0] = 0;
    while (dtkv_watches_push (s_watches, now_ms, s_note, NULL, &deadline_ms)) {
    }
    return s_log;
}

// Ask with a body made of numbers and, behind them, one watch or number in an array.
static int s_raw (const char *client, uint64_t request_id, uint32_t operation, const char *body,
                  size_t bytes)
{
    dt_buffer_clear (&s_kv.reply);
    return dtkv_watches_request (s_watches,
                                 &(dtkv_watch_client_t){(const uint8_t *) client, strlen (client)},
                                 request_id, operation, body, bytes, 1000, &s_kv.reply);
}

#define ask(client, id, operation, body) s_raw (client, id, operation, body, sizeof (body) - 1)

START_TEST (an_open_stream_has_an_id_and_a_keepalive)
{
    ck_assert_int_eq (ask ("c", 7, DTKV_OP_WATCH_OPEN, "\xc0"), 0);
    ck_assert_str_eq (kv_reply (&s_kv), "[0 1 10000]");
}
END_TEST

START_TEST (streams_and_watches_are_limited)
{
    ask ("c", 7, DTKV_OP_WATCH_OPEN, "\xc0");
    ask ("c", 8, DTKV_OP_WATCH_OPEN, "\xc0");
    ck_assert_int_eq (ask ("c", 9, DTKV_OP_WATCH_OPEN, "\xc0"), DTKV_TOO_MANY_WATCHES);
    ck_assert_int_eq (ask ("c", 1, DTKV_OP_WATCH_ADD,
                           "\x92\x01\x94\x92\x01\xa1"
                           "a\x92\x02\xa1"
                           "a\x92\x02\xa1"
                           "b\x92\x03\xa2.b"),
                      0);
    ck_assert_str_eq (kv_reply (&s_kv), "[[1 0] [2 0] [2 15] [3 7]]");
    ask ("c", 1, DTKV_OP_WATCH_ADD,
         "\x92\x02\x92\x92\x01\xa1"
         "a\x92\x02\xa0");
    ck_assert_str_eq (kv_reply (&s_kv), "[[1 0] [2 41]]");
}
END_TEST

START_TEST (a_stream_belongs_to_its_connection)
{
    ask ("c", 7, DTKV_OP_WATCH_OPEN, "\xc0");
    ck_assert_int_eq (ask ("d", 1, DTKV_OP_WATCH_ACK, "\x92\x01\x00"), DTKV_WATCH_UNKNOWN);
    ck_assert_int_eq (ask ("c", 1, DTKV_OP_WATCH_ACK, "\x92\x02\x00"), DTKV_WATCH_UNKNOWN);
    ck_assert_int_eq (ask ("c", 1, DTKV_OP_WATCH_ACK, "\x92\x01\x00"), DTKV_SUCCESS);
    ck_assert_int_eq (ask ("c", 1, DTKV_OP_WATCH_ACK, "\x92\x01\x05"), DTKV_CLIENT_REQ_ERROR);
}
END_TEST

START_TEST (an_entry_comes_in_one_push)
{
    ask ("c", 7, DTKV_OP_WATCH_OPEN, "\xc0");
    ask ("c", 1, DTKV_OP_WATCH_ADD, "\x92\x01\x91\x92\x01\xa0");
    kv_batch_put (&s_kv, "a=1 b=2 c=3", 0);
    ck_assert_str_eq (s_pushes (1000), "7:0:1/3");
}
END_TEST

START_TEST (an_idle_stream_is_told_every_second_and_ends_when_not_heard)
{
    ask ("c", 7, DTKV_OP_WATCH_OPEN, "\xc0");
    ck_assert_str_eq (s_pushes (1900), "");
    ck_assert_str_eq (s_pushes (2000), "7:0:5/0");
    ck_assert_str_eq (s_pushes (2500), "");
    ck_assert_str_eq (s_pushes (30999), "7:0:5/0");
    ck_assert_str_eq (s_pushes (32000), "7:-71:0/0");
    ck_assert_uint_eq (dtkv_watches_streams (s_watches), 0);
}
END_TEST

START_TEST (a_client_that_does_not_acknowledge_gets_its_window_only)
{
    ask ("c", 7, DTKV_OP_WATCH_OPEN, "\x91\x01");
    ask ("c", 1, DTKV_OP_WATCH_ADD, "\x92\x01\x91\x92\x01\xa0");
    kv_put (&s_kv, "a", "1", 0);
    kv_put (&s_kv, "b", "1", 0);
    kv_put (&s_kv, "c", "1", 0);
    ck_assert_str_eq (s_pushes (1000), "7:0:1/1");
    ck_assert_uint_gt (dtkv_watches_lag (s_watches), 0);
    ck_assert_str_eq (s_pushes (1000), "");
    ask ("c", 1, DTKV_OP_WATCH_ACK, "\x92\x01\x01");
    ck_assert_str_eq (s_pushes (1000), "7:0:1/1");
    ask ("c", 1, DTKV_OP_WATCH_ACK, "\x92\x01\x02");
    ck_assert_str_eq (s_pushes (1000), "7:0:1/1");
    ck_assert_uint_eq (dtkv_watches_lag (s_watches), 0);
}
END_TEST

START_TEST (a_restored_store_ends_watches)
{
    ask ("c", 7, DTKV_OP_WATCH_OPEN, "\xc0");
    ask ("c", 1, DTKV_OP_WATCH_ADD, "\x92\x01\x92\x92\x01\xa0\x93\x02\xa0\x81\x06\x01");
    dtkv_watches_rebase (s_watches, s_kv.store);
    ck_assert_str_eq (s_pushes (1000), "7:0:8/1 7:0:6/1 7:0:3/1 7:0:4/1");
    ck_assert_uint_eq (dtkv_watches_count (s_watches), 1);
}
END_TEST

START_TEST (a_node_that_stops_ends_its_streams)
{
    ask ("c", 7, DTKV_OP_WATCH_OPEN, "\xc0");
    ask ("d", 8, DTKV_OP_WATCH_OPEN, "\xc0");
    dtkv_watches_end (s_watches, 73, s_note, NULL);
    ck_assert_str_eq (s_log, "7:73:0/0 8:73:0/0");
    ck_assert_uint_eq (dtkv_watches_streams (s_watches), 0);
}
END_TEST

START_TEST (a_million_watches_would_fit)
{
    ck_assert_uint_le (sizeof (watch_t), 144);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("dtkv_watch");
    TCase *facts = tcase_create ("facts");
    tcase_add_checked_fixture (facts, s_setup, s_teardown);
    tcase_add_test (facts, an_open_stream_has_an_id_and_a_keepalive);
    tcase_add_test (facts, streams_and_watches_are_limited);
    tcase_add_test (facts, a_stream_belongs_to_its_connection);
    tcase_add_test (facts, an_entry_comes_in_one_push);
    tcase_add_test (facts, an_idle_stream_is_told_every_second_and_ends_when_not_heard);
    tcase_add_test (facts, a_client_that_does_not_acknowledge_gets_its_window_only);
    tcase_add_test (facts, a_restored_store_ends_watches);
    tcase_add_test (facts, a_node_that_stops_ends_its_streams);
    tcase_add_test (facts, a_million_watches_would_fit);
    suite_add_tcase (suite, facts);
    TCase *random = tcase_create ("random");
    tcase_set_timeout (random, 200);
    tcase_add_test (random, every_watch_gets_exactly_what_the_list_says);
    tcase_add_test (random, who_falls_behind_the_history_is_told);
    suite_add_tcase (suite, random);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
