#include <check.h>
#include <stdlib.h>

#include "base/dt_error.h"
#include "raft/core/raft_config.h"

static raft_node_list_t s_list (uint32_t count, const raft_node_id_t *ids)
{
    raft_node_list_t list = {0};
    for (uint32_t i = 0; i < count; i++) {
        ck_assert (raft_node_list_add (&list, ids[i]));
    }
    return list;
}

// Voters 1 2 3 with observer 9, on their way to voters 2 3 4 with observer 1.
static raft_config_t s_joint (void)
{
    return (raft_config_t){
        .voters = s_list (3, (raft_node_id_t[]){3, 1, 2}),
        .observers = s_list (1, (raft_node_id_t[]){9}),
        .next_voters = s_list (3, (raft_node_id_t[]){4, 2, 3}),
        .next_observers = s_list (1, (raft_node_id_t[]){1}),
    };
}

static int s_decode (const raft_config_t *config, int change_at, int change_to, size_t bytes)
{
    dt_buffer_t buffer = {0};
    raft_config_encode (config, &buffer);
    if (change_at >= 0) {
        buffer.data[change_at] = (uint8_t) change_to;
    }
    raft_config_t read;
    int rc = raft_config_decode (buffer.data, bytes ? bytes : buffer.bytes, &read);
    dt_buffer_deinit (&buffer);
    return rc;
}

START_TEST (list_is_sorted_and_refuses_duplicates_nobody_and_a_33rd)
{
    raft_node_list_t list = {0};
    for (raft_node_id_t id = RAFT_CONFIG_NODES_MAX; id > 0; id--) {
        ck_assert (raft_node_list_add (&list, id));
        ck_assert (!raft_node_list_add (&list, id));
        ck_assert_uint_eq (list.ids[0], id);
    }
    ck_assert (!raft_node_list_add (&list, 100));
    ck_assert (!raft_node_list_has (&list, 100));
    raft_node_list_t empty = {0};
    ck_assert (!raft_node_list_add (&empty, 0));
}
END_TEST

START_TEST (joint_configuration_survives_its_bytes)
{
    raft_config_t config = s_joint ();
    dt_buffer_t buffer = {0};
    raft_config_encode (&config, &buffer);
    raft_config_t read;
    ck_assert_int_eq (raft_config_decode (buffer.data, buffer.bytes, &read), 0);
    ck_assert (raft_config_equal (&read, &config));
    ck_assert (raft_config_is_joint (&read));
    dt_buffer_deinit (&buffer);
}
END_TEST

START_TEST (sole_configuration_has_the_documented_bytes)
{
    static const uint8_t expected[] = {2, 0, 1, 0, 0, 0, 0, 0x04, 0x03, 0x02, 0x01};
    raft_config_t config = raft_config_sole (0x01020304);
    dt_buffer_t buffer = {0};
    raft_config_encode (&config, &buffer);
    ck_assert_uint_eq (buffer.bytes, sizeof expected);
    ck_assert_mem_eq (buffer.data, expected, sizeof expected);
    dt_buffer_deinit (&buffer);
}
END_TEST

START_TEST (nodes_and_auto_commit_survive_their_bytes)
{
    raft_config_t config = s_joint ();
    config.auto_commit = true;
    raft_node_info_t node = {.id = 4, .directory_id = 0x1122334455667788};
    strcpy (node.peer, "tcp://10.0.0.4:9331");
    ck_assert (raft_config_describe (&config, &node));
    node.id = 1;
    strcpy (node.service, "tcp://10.0.0.1:9332");
    ck_assert (raft_config_describe (&config, &node));
    dt_buffer_t buffer = {0};
    raft_config_encode (&config, &buffer);
    raft_config_t read;
    ck_assert_int_eq (raft_config_decode (buffer.data, buffer.bytes, &read), 0);
    ck_assert (raft_config_equal (&read, &config));
    ck_assert_uint_eq (raft_config_hash (&read), raft_config_hash (&config));
    ck_assert_uint_eq (read.nodes[0].id, 1);
    ck_assert_str_eq (raft_config_node (&read, 1)->service, "tcp://10.0.0.1:9332");
    ck_assert (raft_config_node (&read, 2) == NULL);
    read.nodes[0].directory_id++;
    ck_assert (!raft_config_equal (&read, &config));
    ck_assert (raft_config_hash (&read) != raft_config_hash (&config));
    dt_buffer_deinit (&buffer);
}
END_TEST

START_TEST (strangers_are_forgotten_and_not_valid)
{
    raft_config_t config = raft_config_sole (1);
    ck_assert (raft_config_describe (&config, &(raft_node_info_t){.id = 7}));
    ck_assert_int_eq (raft_config_validate (&config), DT_ERR_INVALID);
    raft_config_forget_strangers (&config);
    ck_assert_uint_eq (config.nodes_count, 0);
    ck_assert_int_eq (raft_config_validate (&config), 0);
}
END_TEST

START_TEST (format_1_is_still_read)
{
    static const uint8_t bytes[] = {1, 1, 0, 0, 0, 5, 0, 0, 0};
    raft_config_t read;
    ck_assert_int_eq (raft_config_decode (bytes, sizeof bytes, &read), 0);
    raft_config_t sole = raft_config_sole (5);
    ck_assert (raft_config_equal (&read, &sole));
}
END_TEST

START_TEST (decode_refuses_what_is_cut_at_any_byte)
{
    raft_config_t config = s_joint ();
    for (size_t bytes = 1; bytes < 5 + 8 * 4; bytes++) {
        ck_assert_int_eq (s_decode (&config, -1, 0, bytes), DT_ERR_MALFORMED);
    }
    raft_config_t read;
    ck_assert_int_eq (raft_config_decode (NULL, 0, &read), DT_ERR_MALFORMED);
}
END_TEST

START_TEST (decode_refuses_unsorted_ids_zero_ids_and_counts_that_lie)
{
    raft_config_t config = s_joint ();
    ck_assert_int_eq (s_decode (&config, 7, 2, 0), DT_ERR_MALFORMED);  // 2 2 3
    ck_assert_int_eq (s_decode (&config, 7, 0, 0), DT_ERR_MALFORMED);  // 0 2 3
    ck_assert_int_eq (s_decode (&config, 2, 0, 0), DT_ERR_MALFORMED);  // no voters
    ck_assert_int_eq (s_decode (&config, 2, 33, 0), DT_ERR_MALFORMED); // too many
    ck_assert_int_eq (s_decode (&config, 19, 2, 0), DT_ERR_MALFORMED); // observer 2 is a voter
    ck_assert_int_eq (s_decode (&config, 0, 0, 0), DT_ERR_MALFORMED);  // no format
    ck_assert_int_eq (s_decode (&config, 0, 3, 0), DT_ERR_NEWER_FORMAT);
}
END_TEST

START_TEST (next_observers_need_next_voters)
{
    raft_config_t config = raft_config_sole (1);
    raft_node_list_add (&config.next_observers, 2);
    ck_assert_int_eq (raft_config_validate (&config), DT_ERR_INVALID);
    raft_node_list_add (&config.next_voters, 1);
    ck_assert_int_eq (raft_config_validate (&config), 0);
}
END_TEST

START_TEST (sole_voter_is_sole_in_both_halves)
{
    raft_config_t config = raft_config_sole (1);
    ck_assert (raft_config_is_sole_voter (&config, 1));
    ck_assert (!raft_config_is_sole_voter (&config, 2));
    raft_node_list_add (&config.next_voters, 1);
    ck_assert (raft_config_is_sole_voter (&config, 1));
    raft_node_list_add (&config.next_voters, 2);
    ck_assert (!raft_config_is_sole_voter (&config, 1));
    ck_assert (raft_config_is_voter (&config, 2));
    ck_assert (!raft_config_is_member (&config, 3));
}
END_TEST

START_TEST (configuration_is_in_force_when_pushed_and_rolled_back_by_truncation)
{
    raft_config_t floor = raft_config_sole (1);
    raft_config_t joint = s_joint ();
    raft_config_stack_t *stack = raft_config_stack_new (1, &floor);
    raft_config_stack_push (stack, 10, &joint);
    raft_config_t last = raft_config_sole (4);
    raft_config_stack_push (stack, 20, &last);
    ck_assert_uint_eq (raft_config_stack_latest (stack)->index, 20);
    ck_assert (!raft_config_stack_truncate (stack, 21));
    ck_assert (raft_config_stack_truncate (stack, 20));
    ck_assert (raft_config_equal (&raft_config_stack_latest (stack)->config, &joint));
    ck_assert (raft_config_stack_truncate (stack, 2));
    ck_assert (raft_config_equal (&raft_config_stack_latest (stack)->config, &floor));
    raft_config_stack_check (stack);
    raft_config_stack_destroy (&stack);
}
END_TEST

START_TEST (stack_knows_what_was_in_force_at_an_index)
{
    raft_config_t config = raft_config_sole (1);
    raft_config_stack_t *stack = raft_config_stack_new (0, &config);
    raft_config_stack_push (stack, 10, &config);
    raft_config_stack_push (stack, 20, &config);
    ck_assert_uint_eq (raft_config_stack_at (stack, 0)->index, 0);
    ck_assert_uint_eq (raft_config_stack_at (stack, 9)->index, 0);
    ck_assert_uint_eq (raft_config_stack_at (stack, 10)->index, 10);
    ck_assert_uint_eq (raft_config_stack_at (stack, 99)->index, 20);
    raft_config_stack_destroy (&stack);
}
END_TEST

START_TEST (compaction_keeps_the_configuration_in_force_at_the_snapshot)
{
    raft_config_t config = raft_config_sole (1);
    raft_config_stack_t *stack = raft_config_stack_new (1, &config);
    raft_config_stack_push (stack, 10, &config);
    raft_config_stack_push (stack, 20, &config);
    raft_config_stack_compact (stack, 15);
    ck_assert_uint_eq (raft_config_stack_count (stack), 2);
    ck_assert_uint_eq (raft_config_stack_at (stack, 15)->index, 10);
    raft_config_stack_compact (stack, 15);
    raft_config_stack_compact (stack, 99);
    ck_assert_uint_eq (raft_config_stack_count (stack), 1);
    ck_assert_uint_eq (raft_config_stack_latest (stack)->index, 20);
    raft_config_stack_destroy (&stack);
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("config");
    tcase_add_test (tcase, list_is_sorted_and_refuses_duplicates_nobody_and_a_33rd);
    tcase_add_test (tcase, joint_configuration_survives_its_bytes);
    tcase_add_test (tcase, sole_configuration_has_the_documented_bytes);
    tcase_add_test (tcase, nodes_and_auto_commit_survive_their_bytes);
    tcase_add_test (tcase, strangers_are_forgotten_and_not_valid);
    tcase_add_test (tcase, format_1_is_still_read);
    tcase_add_test (tcase, decode_refuses_what_is_cut_at_any_byte);
    tcase_add_test (tcase, decode_refuses_unsorted_ids_zero_ids_and_counts_that_lie);
    tcase_add_test (tcase, next_observers_need_next_voters);
    tcase_add_test (tcase, sole_voter_is_sole_in_both_halves);
    tcase_add_test (tcase, configuration_is_in_force_when_pushed_and_rolled_back_by_truncation);
    tcase_add_test (tcase, stack_knows_what_was_in_force_at_an_index);
    tcase_add_test (tcase, compaction_keeps_the_configuration_in_force_at_the_snapshot);
    Suite *suite = suite_create ("raft_config");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
