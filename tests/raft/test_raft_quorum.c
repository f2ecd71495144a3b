#include <check.h>
#include <stdlib.h>

#include "base/dt_random.h"
#include "raft/core/raft_quorum.h"

static raft_node_list_t s_bits (uint32_t bits)
{
    raft_node_list_t list = {0};
    for (uint32_t i = 0; i < 8; i++) {
        if (bits & 1u << i) {
            raft_node_list_add (&list, i + 1);
        }
    }
    return list;
}

// Whether more than half of a set of bits is in another.
static bool s_majority (uint32_t voters, uint32_t among)
{
    return __builtin_popcount (voters & among) * 2 > __builtin_popcount (voters);
}

START_TEST (match_is_what_a_majority_of_three_has)
{
    raft_config_t config = {.voters = s_bits (0x7)};
    raft_match_t matches[] = {{1, 30}, {2, 10}, {3, 20}};
    ck_assert_uint_eq (raft_quorum_match (&config, matches, 3), 20);
    ck_assert_uint_eq (raft_quorum_match (&config, matches, 1), 0);
}
END_TEST

START_TEST (match_of_an_even_number_needs_more_than_half)
{
    raft_config_t config = {.voters = s_bits (0xf)};
    raft_match_t matches[] = {{1, 40}, {2, 30}, {3, 20}, {4, 10}};
    ck_assert_uint_eq (raft_quorum_match (&config, matches, 4), 20);
}
END_TEST

START_TEST (match_of_a_joint_configuration_needs_both_halves)
{
    // The union of 1 2 3 and 4 5 6 has a majority at 50; the second half has none.
    raft_config_t config = {.voters = s_bits (0x07), .next_voters = s_bits (0x38)};
    raft_match_t matches[] = {{1, 50}, {2, 50}, {3, 50}, {4, 50}, {5, 7}, {6, 3}};
    ck_assert_uint_eq (raft_quorum_match (&config, matches, 6), 7);
}
END_TEST

START_TEST (observers_do_not_count)
{
    raft_config_t config = {.voters = s_bits (0x1), .observers = s_bits (0x6)};
    raft_match_t matches[] = {{1, 5}, {2, 90}, {3, 90}};
    ck_assert_uint_eq (raft_quorum_match (&config, matches, 3), 5);
}
END_TEST

// Every vote of up to 8 nodes, drawn at random, against counting bits.
START_TEST (votes_agree_with_counting_bits)
{
    dt_random_t random;
    dt_random_init (&random, 3);
    for (int i = 0; i < 50000; i++) {
        uint32_t voters = 1 + (uint32_t) dt_random_below (&random, 255);
        uint32_t next = (uint32_t) dt_random_below (&random, 256);
        uint32_t no = (uint32_t) dt_random_below (&random, 256);
        uint32_t yes = (uint32_t) dt_random_below (&random, 256);
        raft_config_t config = {.voters = s_bits (voters), .next_voters = s_bits (next)};
        raft_node_list_t granted = s_bits (yes);
        raft_node_list_t refused = s_bits (no);
        bool won = s_majority (voters, yes & ~no) && (!next || s_majority (next, yes & ~no));
        bool can = s_majority (voters, ~no) && (!next || s_majority (next, ~no));
        raft_vote_result_t expected =
            won ? RAFT_VOTE_WON : (can ? RAFT_VOTE_PENDING : RAFT_VOTE_LOST);
        ck_assert_int_eq (raft_quorum_votes (&config, &granted, &refused), expected);
    }
}
END_TEST

// The match is the highest index at which counting bits finds a majority of each half.
START_TEST (match_agrees_with_counting_bits)
{
    dt_random_t random;
    dt_random_init (&random, 4);
    for (int i = 0; i < 20000; i++) {
        uint32_t voters = 1 + (uint32_t) dt_random_below (&random, 255);
        uint32_t next = (uint32_t) dt_random_below (&random, 256);
        raft_config_t config = {.voters = s_bits (voters), .next_voters = s_bits (next)};
        raft_match_t matches[8];
        for (uint32_t j = 0; j < 8; j++) {
            matches[j] = (raft_match_t){j + 1, dt_random_below (&random, 6)};
        }
        raft_index_t expected = 0;
        for (raft_index_t index = 1; index < 6; index++) {
            uint32_t have = 0;
            for (uint32_t j = 0; j < 8; j++) {
                have |= matches[j].match >= index ? 1u << j : 0;
            }
            if (s_majority (voters, have) && (!next || s_majority (next, have))) {
                expected = index;
            }
        }
        ck_assert_uint_eq (raft_quorum_match (&config, matches, 8), expected);
    }
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("quorum");
    tcase_add_test (tcase, match_is_what_a_majority_of_three_has);
    tcase_add_test (tcase, match_of_an_even_number_needs_more_than_half);
    tcase_add_test (tcase, match_of_a_joint_configuration_needs_both_halves);
    tcase_add_test (tcase, observers_do_not_count);
    tcase_add_test (tcase, votes_agree_with_counting_bits);
    tcase_add_test (tcase, match_agrees_with_counting_bits);
    Suite *suite = suite_create ("raft_quorum");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
