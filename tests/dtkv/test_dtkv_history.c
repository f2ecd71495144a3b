#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "dtkv/core/dtkv_history.h"
#include "tests/dtkv/kv_program.h"
#include "tests/dtkv/kv_request.h"
#include "transport/msgpack_cursor.h"
#include "transport/msgpack_writer.h"

// --- facts ---------------------------------------------------------------------------------------

static kv_fixture_t s_kv;

static void s_setup (void)
{
    dtkv_limits_t limits = DTKV_LIMITS_DEFAULT;
    kv_fixture_init (&s_kv, &limits);
}

static void s_teardown (void)
{
    dtkv_store_check (s_kv.store);
    kv_fixture_deinit (&s_kv);
}

// All events kept as "+path -path ...".
static const char *s_events (void)
{
    static char text[4096];
    size_t used = 0;
    const dtkv_history_t *history = dtkv_store_history (s_kv.store);
    text[0] = 0;
    for (uint64_t i = history->first; i < history->next; i++) {
        const dtkv_event_t *event = dtkv_history_at (history, i);
        used += (size_t) snprintf (text + used, sizeof text - used, "%s%c%.*s", used ? " " : "",
                                   event->kind == DTKV_EVENT_PUT ? '+' : '-',
                                   (int) event->path_bytes, (const char *) event->path);
    }
    return text;
}

static int s_get_at (const char *path, uint64_t index, unsigned flags)
{
    dt_buffer_clear (&s_kv.body);
    msgpack_write_array (&s_kv.body, 3);
    msgpack_write_text (&s_kv.body, path);
    msgpack_write_uint (&s_kv.body, index);
    msgpack_write_uint (&s_kv.body, flags);
    dt_buffer_clear (&s_kv.reply);
    return dtkv_store_read (s_kv.store, DTKV_OP_GET_AT, s_kv.body.data, s_kv.body.bytes,
                            &s_kv.reply);
}

static int s_diff (const char *path, uint64_t from, uint64_t to, unsigned items_max,
                   const char *after)
{
    dt_buffer_clear (&s_kv.body);
    msgpack_write_array (&s_kv.body, 6);
    msgpack_write_text (&s_kv.body, path);
    msgpack_write_uint (&s_kv.body, from);
    msgpack_write_uint (&s_kv.body, to);
    msgpack_write_nil (&s_kv.body);
    msgpack_write_uint (&s_kv.body, items_max);
    if (after) {
        msgpack_write_text (&s_kv.body, after);
    } else {
        msgpack_write_nil (&s_kv.body);
    }
    dt_buffer_clear (&s_kv.reply);
    return dtkv_store_read (s_kv.store, DTKV_OP_DIFF, s_kv.body.data, s_kv.body.bytes, &s_kv.reply);
}

START_TEST (a_creation_with_parents_is_one_event_for_each_node)
{
    kv_put (&s_kv, "a.b.c", "1", DTKV_FLAG_PARENTS);
    ck_assert_str_eq (s_events (), "+a +a.b +a.b.c");
}
END_TEST

START_TEST (a_recursive_remove_goes_deepest_first)
{
    kv_put (&s_kv, "a.b.c", "1", DTKV_FLAG_PARENTS);
    kv_put (&s_kv, "a.d", "2", 0);
    kv_remove (&s_kv, "a", DTKV_FLAG_RECURSIVE);
    ck_assert_str_eq (s_events (), "+a +a.b +a.b.c +a.d -a.d -a.b.c -a.b -a");
}
END_TEST

START_TEST (what_is_taken_back_is_no_event)
{
    kv_put (&s_kv, "a", "1", 0);
    kv_batch_put (&s_kv, "a=2 b=3 x.y=4", DTKV_FLAG_ATOMIC);
    ck_assert_str_eq (s_events (), "+a");
    kv_batch_put (&s_kv, "a=2 b=3", DTKV_FLAG_ATOMIC);
    ck_assert_str_eq (s_events (), "+a +a +b");
}
END_TEST

START_TEST (a_refused_write_is_no_event)
{
    kv_put (&s_kv, "x.y", "1", 0);
    kv_remove (&s_kv, "x", 0);
    ck_assert_str_eq (s_events (), "");
}
END_TEST

START_TEST (the_past_can_be_read)
{
    kv_put (&s_kv, "a", "1", 0);
    kv_put (&s_kv, "a", "2", 0);
    kv_remove (&s_kv, "a", 0);
    ck_assert_int_eq (s_get_at ("a", 0, 0), DTKV_NOT_FOUND);
    ck_assert_int_eq (s_get_at ("a", 1, DTKV_FLAG_META), DTKV_SUCCESS);
    ck_assert_str_eq (kv_reply (&s_kv), "[0 \"1\" [1 1 1 0 5000 5000 7 0 0]]");
    ck_assert_int_eq (s_get_at ("a", 2, 0), DTKV_SUCCESS);
    ck_assert_str_eq (kv_reply (&s_kv), "[0 \"2\"]");
    ck_assert_int_eq (s_get_at ("a", 3, 0), DTKV_NOT_FOUND);
    ck_assert_str_eq (kv_reply (&s_kv), "nil");
}
END_TEST

START_TEST (diff_tells_what_became_of_each_node_in_pages)
{
    kv_put (&s_kv, "d.a", "1", DTKV_FLAG_PARENTS);
    kv_put (&s_kv, "d.a", "2", 0);
    kv_put (&s_kv, "d.b", "3", 0);
    kv_put (&s_kv, "e", "4", 0);
    kv_put (&s_kv, "d.c", "5", 0);
    kv_remove (&s_kv, "d.b", 0);
    ck_assert_int_eq (s_diff ("d", 1, 0, 0, NULL), DTKV_SUCCESS);
    ck_assert_str_eq (kv_reply (&s_kv),
                      "[[[3 \"d.a\" [0 \"1\"] [0 \"2\"]] [1 \"d.c\" nil [0 \"5\"]]] nil]");
    ck_assert_int_eq (s_diff ("", 2, 3, 1, NULL), DTKV_SUCCESS);
    ck_assert_str_eq (kv_reply (&s_kv), "[[[1 \"d.b\" nil [0 \"3\"]]] nil]");
    ck_assert_int_eq (s_diff ("", 0, 0, 1, "d"), DTKV_SUCCESS);
    ck_assert_str_eq (kv_reply (&s_kv), "[[[1 \"d.a\" nil [0 \"2\"]]] \"d.a\"]");
    ck_assert_int_eq (s_diff ("", 0, 0, 9, "d.a"), DTKV_SUCCESS);
    ck_assert_str_eq (kv_reply (&s_kv),
                      "[[[1 \"d.c\" nil [0 \"5\"]] [1 \"e\" nil [0 \"4\"]]] nil]");
}
END_TEST

// --- against the model ---------------------------------------------------------------------------

enum { KEPT = 40 };

typedef struct {
    dtkv_store_t *store;
    kv_model_t *model;
    kv_model_t *past[KEPT];      // after each of the last entries
    uint64_t past_index[KEPT]; // of each
    kv_program_t program;
    uint64_t compacted; // reads that found nothing kept
} s_run_t;

// A path that is or was somewhere in the history, or none.
static bool s_pick_path (s_run_t *self, const uint8_t **path, size_t *bytes)
{
    const dtkv_history_t *history = dtkv_store_history (self->store);
    if (history->first == history->next) {
        return false;
    }
    const dtkv_event_t *event = dtkv_history_at (
        history,
        history->first + dt_random_below (&self->program.random, history->next - history->first));
    *path = event->path;
    *bytes = event->path_bytes;
    return true;
}

static void s_compare_past (s_run_t *self)
{
    const dtkv_history_t *history = dtkv_store_history (self->store);
    const uint8_t *path;
    size_t path_bytes;
    if (!s_pick_path (self, &path, &path_bytes)) {
        return;
    }
    uint64_t slot = dt_random_below (&self->program.random, KEPT);
    uint64_t index = self->past_index[slot];
    if (!self->past[slot]) {
        return;
    }
    dt_buffer_t body = {0};
    dt_buffer_t expected = {0};
    dt_buffer_t got = {0};
    msgpack_write_array (&body, 1);
    msgpack_write_bin (&body, path, (uint32_t) path_bytes);
    int wanted = kv_model_read (self->past[slot], DTKV_OP_GET, body.data, body.bytes, &expected);
    dt_buffer_clear (&body);
    msgpack_write_array (&body, 2);
    msgpack_write_bin (&body, path, (uint32_t) path_bytes);
    msgpack_write_uint (&body, index);
    int code = dtkv_store_read (self->store, DTKV_OP_GET_AT, body.data, body.bytes, &got);
    if (index < history->floor) {
        ck_assert_int_eq (code, DTKV_COMPACTED);
        self->compacted++;
    } else {
        ck_assert_int_eq (code, wanted);
        ck_assert_uint_eq (got.bytes, expected.bytes);
        ck_assert_mem_eq (got.data, expected.data, expected.bytes);
    }
    dt_buffer_deinit (&body);
    dt_buffer_deinit (&expected);
    dt_buffer_deinit (&got);
}

static void s_run (uint64_t seed, uint64_t history_bytes_max, unsigned steps)
{
    dtkv_store_options_t options = {
        .limits = kv_program_limits (),
        .hash_seed = seed,
        .history_bytes_max = history_bytes_max,
    };
    printf ("seed %llu\n", (unsigned long long) seed);
    fflush (stdout);
    s_run_t self = {.store = dtkv_store_new (&options), .model = kv_model_new (&options.limits)};
    kv_program_init (&self.program, seed, self.model);
    self.program.names = 5;
    for (unsigned i = 0; i < steps; i++) {
        log_entry_t entry;
        kv_program_entry (&self.program, &entry);
        kv_program_apply_both (self.store, self.model, &entry);
        kv_model_destroy (&self.past[i % KEPT]);
        self.past[i % KEPT] = kv_model_copy (self.model);
        self.past_index[i % KEPT] = entry.index;
        dtkv_history_check (dtkv_store_history (self.store));
        ck_assert_uint_le (dtkv_history_bytes (dtkv_store_history (self.store)),
                           history_bytes_max + 64 * 1024);
        for (int read = 0; read < 4; read++) {
            s_compare_past (&self);
        }
    }
    dtkv_store_check (self.store);
    ck_assert (history_bytes_max > 100000 || self.compacted > 0);
    for (int i = 0; i < KEPT; i++) {
        kv_model_destroy (&self.past[i]);
    }
    kv_program_deinit (&self.program);
    dtkv_store_destroy (&self.store);
    kv_model_destroy (&self.model);
}

START_TEST (any_past_state_is_what_it_was)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        s_run (seed, 1 << 20, 1500);
    }
}
END_TEST

START_TEST (a_small_window_answers_rightly_or_not_at_all)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        s_run (seed, 70000, 3000);
    }
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("dtkv_history");
    TCase *facts = tcase_create ("facts");
    tcase_add_checked_fixture (facts, s_setup, s_teardown);
    tcase_add_test (facts, a_creation_with_parents_is_one_event_for_each_node);
    tcase_add_test (facts, a_recursive_remove_goes_deepest_first);
    tcase_add_test (facts, what_is_taken_back_is_no_event);
    tcase_add_test (facts, a_refused_write_is_no_event);
    tcase_add_test (facts, the_past_can_be_read);
    tcase_add_test (facts, diff_tells_what_became_of_each_node_in_pages);
    suite_add_tcase (suite, facts);
    TCase *random = tcase_create ("random");
    tcase_set_timeout (random, 100);
    tcase_add_test (random, any_past_state_is_what_it_was);
    tcase_add_test (random, a_small_window_answers_rightly_or_not_at_all);
    suite_add_tcase (suite, random);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
