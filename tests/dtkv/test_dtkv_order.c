#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dt_memory.h"
#include "base/dt_random.h"
#include "dtkv/core/dtkv_order.h"
#include "dtkv/core/dtkv_path.h"
#include "dtkv/core/dtkv_table.h"

// A sorted array beside the order.
typedef struct {
    dtkv_order_t order;
    dtkv_node_t **nodes;
    size_t count;
} s_twin_t;

static size_t s_lower (const s_twin_t *self, const uint8_t *name, size_t bytes)
{
    size_t low = 0;
    size_t high = self->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const dtkv_node_t *node = self->nodes[middle];
        if (dtkv_bytes_compare (dtkv_node_name (node), node->name_bytes, name, bytes) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

// Find in both; put the node in if it is absent, take it out if it is there and `remove`.
static void s_step (s_twin_t *self, const uint8_t *name, size_t bytes, bool remove)
{
    dtkv_position_t position;
    size_t place = s_lower (self, name, bytes);
    dtkv_node_t *at = place < self->count ? self->nodes[place] : NULL;
    bool there = at && dtkv_bytes_compare (dtkv_node_name (at), at->name_bytes, name, bytes) == 0;
    ck_assert_int_eq (dtkv_order_find (&self->order, name, bytes, &position), there);
    ck_assert_ptr_eq (dtkv_order_at (&self->order, position), at);
    if (there && remove) {
        dtkv_order_remove (&self->order, name, bytes);
        dtkv_node_destroy (&self->nodes[place]);
        self->count--;
        memmove (self->nodes + place, self->nodes + place + 1,
                 (self->count - place) * sizeof self->nodes[0]);
    } else if (!there && !remove) {
        dtkv_node_t *node = dtkv_node_new_value (name, bytes, "v", 1);
        dtkv_order_insert (&self->order, node);
        memmove (self->nodes + place + 1, self->nodes + place,
                 (self->count - place) * sizeof self->nodes[0]);
        self->nodes[place] = node;
        self->count++;
    }
}

static void s_compare (const s_twin_t *self)
{
    dtkv_position_t position = {0};
    dtkv_order_check (&self->order);
    for (size_t i = 0; i < self->count; i++) {
        ck_assert_ptr_eq (dtkv_order_at (&self->order, position), self->nodes[i]);
        position = dtkv_order_next (&self->order, position);
    }
    ck_assert_ptr_null (dtkv_order_at (&self->order, position));
}

typedef size_t (s_namer_fn) (dt_random_t *random, uint8_t *name);

static size_t s_digits (dt_random_t *random, uint8_t *name)
{
    return (size_t) sprintf ((char *) name, "key%09u", (unsigned) dt_random_below (random, 9000));
}

// Long common beginnings, names that begin others, zeros.
static size_t s_nested (dt_random_t *random, uint8_t *name)
{
    size_t bytes = 1 + dt_random_below (random, 30);
    for (size_t i = 0; i < bytes; i++) {
        name[i] = dt_random_chance (random, 1, 12) ? (uint8_t) dt_random_below (random, 3) : 7;
    }
    return bytes;
}

static size_t s_any (dt_random_t *random, uint8_t *name)
{
    size_t bytes = 1 + dt_random_below (random, 3);
    for (size_t i = 0; i < bytes; i++) {
        name[i] = (uint8_t) dt_random_below (random, 40);
    }
    return bytes;
}

static void s_run (s_namer_fn *namer)
{
    enum { STEPS = 40000 };
    s_twin_t twin = {.nodes = dt_zalloc (STEPS, sizeof (dtkv_node_t *))};
    dt_random_t random;
    dt_random_init (&random, 11);
    for (unsigned i = 0; i < STEPS; i++) {
        uint8_t name[40];
        size_t bytes = namer (&random, name);
        // Grow, then shrink, then grow again.
        bool remove = dt_random_chance (&random, i / 10000 % 2 ? 8 : 2, 10);
        s_step (&twin, name, bytes, remove);
        if (i % 2000 == 0) {
            s_compare (&twin);
        }
    }
    while (twin.count) {
        uint8_t name[40];
        const dtkv_node_t *node = twin.nodes[dt_random_below (&random, twin.count)];
        size_t bytes = node->name_bytes;
        memcpy (name, dtkv_node_name (node), bytes);
        s_step (&twin, name, bytes, true);
    }
    s_compare (&twin);
    ck_assert_ptr_null (twin.order.entries);
    free (twin.nodes);
}

START_TEST (order_keeps_what_a_sorted_array_keeps)
{
    s_run (s_digits);
    s_run (s_nested);
    s_run (s_any);
}
END_TEST

START_TEST (names_in_rising_or_falling_order_fill_leaves)
{
    for (int falling = 0; falling < 2; falling++) {
        dtkv_order_t order = {0};
        dtkv_node_t *nodes[10000];
        for (int i = 0; i < 10000; i++) {
            char name[16];
            int bytes = snprintf (name, sizeof name, "key%08d", falling ? 10000 - i : i);
            nodes[i] = dtkv_node_new_value (name, (size_t) bytes, "", 0);
            dtkv_order_insert (&order, nodes[i]);
        }
        dtkv_order_check (&order);
        ck_assert_uint_le (order.count, 10000 / DTKV_LEAF_NODES + 1);
        dtkv_order_deinit (&order);
        for (int i = 0; i < 10000; i++) {
            dtkv_node_destroy (&nodes[i]);
        }
    }
}
END_TEST

static bool s_is (const dtkv_node_t *node, const void *key)
{
    return node == key;
}

START_TEST (table_finds_what_is_in_it_while_it_grows_and_shrinks)
{
    enum { NODES = 20000 };
    dtkv_table_t table;
    dt_random_t random;
    dtkv_node_t **nodes = dt_zalloc (NODES, sizeof nodes[0]);
    uint32_t *hashes = dt_zalloc (NODES, sizeof hashes[0]);
    dt_random_init (&random, 3);
    dtkv_table_init (&table);
    for (unsigned i = 0; i < NODES * 4; i++) {
        unsigned k = (unsigned) dt_random_below (&random, NODES);
        if (!nodes[k]) {
            // Some share their hash.
            hashes[k] = dtkv_table_hash (dt_random_chance (&random, 1, 20)
                                             ? (uint64_t) dt_random_below (&random, 8) << 61
                                             : dt_random_next (&random));
            nodes[k] = dtkv_node_new_value ("n", 1, "", 0);
            dtkv_table_insert (&table, hashes[k], nodes[k]);
        } else if (i > NODES && dt_random_chance (&random, 2, 3)) {
            dtkv_table_remove (&table, hashes[k], nodes[k]);
            ck_assert_ptr_null (dtkv_table_find (&table, hashes[k], s_is, nodes[k]));
            dtkv_node_destroy (&nodes[k]);
        }
        if (i % 10000 == 0) {
            dtkv_table_check (&table);
        }
    }
    uint64_t count = 0;
    for (unsigned k = 0; k < NODES; k++) {
        if (nodes[k]) {
            count++;
            ck_assert_ptr_eq (dtkv_table_find (&table, hashes[k], s_is, nodes[k]), nodes[k]);
            dtkv_table_remove (&table, hashes[k], nodes[k]);
            dtkv_node_destroy (&nodes[k]);
        }
    }
    ck_assert_uint_gt (count, 0);
    ck_assert_uint_eq (table.nodes, 0);
    dtkv_table_check (&table);
    dtkv_table_deinit (&table);
    free (nodes);
    free (hashes);
}
END_TEST

// Whoever makes thousands of equal hashes makes a slow table, not an endless one.
START_TEST (table_survives_equal_hashes)
{
    enum { NODES = 4000 };
    dtkv_table_t table;
    dtkv_node_t *nodes[NODES];
    dtkv_table_init (&table);
    for (int i = 0; i < NODES; i++) {
        nodes[i] = dtkv_node_new_value ("n", 1, "", 0);
        dtkv_table_insert (&table, 0x12345678, nodes[i]);
    }
    for (int i = 0; i < NODES; i++) {
        ck_assert_ptr_eq (dtkv_table_find (&table, 0x12345678, s_is, nodes[i]), nodes[i]);
    }
    dtkv_table_deinit (&table);
    for (int i = 0; i < NODES; i++) {
        dtkv_node_destroy (&nodes[i]);
    }
}
END_TEST

START_TEST (value_of_the_same_or_nearly_the_same_size_does_not_move_the_node)
{
    uint8_t value[300] = {0};
    dtkv_node_t *node = dtkv_node_new_value ("n", 1, value, 256);
    ck_assert (dtkv_node_set_value (node, value, 256));
    ck_assert (dtkv_node_set_value (node, value, 230));
    ck_assert (dtkv_node_set_value (node, value, 256));
    ck_assert (!dtkv_node_set_value (node, value, 300));
    ck_assert (!dtkv_node_set_value (node, value, 10));
    ck_assert_uint_eq (node->value_bytes, 256);
    dtkv_node_destroy (&node);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("dtkv_order");
    TCase *tcase = tcase_create ("order");
    tcase_set_timeout (tcase, 60);
    tcase_add_test (tcase, order_keeps_what_a_sorted_array_keeps);
    tcase_add_test (tcase, names_in_rising_or_falling_order_fill_leaves);
    tcase_add_test (tcase, table_finds_what_is_in_it_while_it_grows_and_shrinks);
    tcase_add_test (tcase, table_survives_equal_hashes);
    tcase_add_test (tcase, value_of_the_same_or_nearly_the_same_size_does_not_move_the_node);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
