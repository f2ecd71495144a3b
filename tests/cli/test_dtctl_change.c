#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "dtkv/cli/dtctl_change.h"

// Voters 1, 2, 3 and observer 4.
static protocol_config_t s_now (void)
{
    protocol_config_t now = {.members_count = 4};
    now.voters = (protocol_ids_t){3, {1, 2, 3}};
    now.observers = (protocol_ids_t){1, {4}};
    for (uint32_t i = 0; i < 4; i++) {
        now.members[i].id = i + 1;
        strcpy (now.members[i].peer, "tcp://h:1");
        strcpy (now.members[i].service, "tcp://h:2");
    }
    return now;
}

static protocol_change_t s_target;
static const char *s_why;

static int s_change (const protocol_config_t *now, dtctl_change_kind_t kind, uint32_t id,
                     const char *peer)
{
    dtctl_change_t change = {.kind = kind, .id = id, .peer = peer, .service = peer};
    return dtctl_change_target (now, &change, &s_target, &s_why);
}

START_TEST (new_node_becomes_observer_with_its_endpoints)
{
    protocol_config_t now = s_now ();
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_ADD_OBSERVER, 9, "tcp://n:1"), 0);
    ck_assert (dtctl_change_has (&s_target.observers, 9));
    ck_assert_uint_eq (s_target.voters.count, 3);
    ck_assert_uint_eq (s_target.members_count, 5);
    ck_assert_str_eq (s_target.members[4].peer, "tcp://n:1");
}
END_TEST

START_TEST (new_node_without_endpoints_is_refused)
{
    protocol_config_t now = s_now ();
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_ADD_OBSERVER, 9, NULL), DT_ERR_BAD_CHANGE);
    ck_assert_ptr_nonnull (strstr (s_why, "--peer"));
}
END_TEST

START_TEST (observer_is_promoted_and_voter_demoted)
{
    protocol_config_t now = s_now ();
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_PROMOTE, 4, NULL), 0);
    ck_assert_uint_eq (s_target.voters.count, 4);
    ck_assert_uint_eq (s_target.observers.count, 0);
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_ADD_OBSERVER, 3, NULL), 0);
    ck_assert_uint_eq (s_target.voters.count, 2);
    ck_assert (dtctl_change_has (&s_target.observers, 3));
}
END_TEST

START_TEST (stranger_cannot_be_promoted)
{
    protocol_config_t now = s_now ();
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_PROMOTE, 9, NULL), DT_ERR_BAD_CHANGE);
}
END_TEST

START_TEST (what_is_done_already_needs_nothing)
{
    protocol_config_t now = s_now ();
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_PROMOTE, 1, NULL), 1);
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_ADD_OBSERVER, 4, NULL), 1);
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_REMOVE, 9, NULL), 1);
}
END_TEST

START_TEST (only_voter_stays)
{
    protocol_config_t now = s_now ();
    now.voters.count = 1;
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_REMOVE, 1, NULL), DT_ERR_BAD_CHANGE);
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_ADD_OBSERVER, 1, NULL), DT_ERR_BAD_CHANGE);
}
END_TEST

START_TEST (joint_configuration_takes_no_change)
{
    protocol_config_t now = s_now ();
    now.joint = true;
    ck_assert_int_eq (s_change (&now, DTCTL_CHANGE_REMOVE, 1, NULL), DT_ERR_BAD_CHANGE);
}
END_TEST

static int s_replace (const protocol_config_t *now, uint32_t old, uint32_t id, const char *peer)
{
    dtctl_change_t change = {
        .kind = DTCTL_CHANGE_REPLACE, .id = id, .replaced = old, .peer = peer, .service = peer};
    return dtctl_change_target (now, &change, &s_target, &s_why);
}

START_TEST (replaced_voter_leaves_as_the_other_comes)
{
    protocol_config_t now = s_now ();
    ck_assert_int_eq (s_replace (&now, 2, 4, NULL), 0);
    ck_assert (!dtctl_change_has (&s_target.voters, 2));
    ck_assert (dtctl_change_has (&s_target.voters, 4));
    ck_assert_uint_eq (s_target.voters.count, 3);
    ck_assert_uint_eq (s_target.observers.count, 0);
}
END_TEST

START_TEST (replaced_observer_gives_an_observer)
{
    protocol_config_t now = s_now ();
    ck_assert_int_eq (s_replace (&now, 4, 9, "tcp://n:1"), 0);
    ck_assert (dtctl_change_has (&s_target.observers, 9));
    ck_assert_uint_eq (s_target.observers.count, 1);
    ck_assert_uint_eq (s_target.voters.count, 3);
}
END_TEST

START_TEST (replacing_twice_needs_nothing_and_a_stranger_is_refused)
{
    protocol_config_t now = s_now ();
    ck_assert_int_eq (s_replace (&now, 8, 3, NULL), 1);
    ck_assert_int_eq (s_replace (&now, 8, 9, "tcp://n:1"), DT_ERR_BAD_CHANGE);
}
END_TEST

START_TEST (tolerance_is_less_than_half)
{
    const uint32_t expected[] = {0, 0, 0, 1, 1, 2, 2, 3};
    for (uint32_t count = 0; count < 8; count++) {
        protocol_ids_t voters = {.count = count};
        ck_assert_uint_eq (dtctl_change_tolerates (&voters), expected[count]);
    }
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("dtctl_change");
    TCase *tcase = tcase_create ("changes");
    tcase_add_test (tcase, new_node_becomes_observer_with_its_endpoints);
    tcase_add_test (tcase, new_node_without_endpoints_is_refused);
    tcase_add_test (tcase, observer_is_promoted_and_voter_demoted);
    tcase_add_test (tcase, stranger_cannot_be_promoted);
    tcase_add_test (tcase, what_is_done_already_needs_nothing);
    tcase_add_test (tcase, only_voter_stays);
    tcase_add_test (tcase, joint_configuration_takes_no_change);
    tcase_add_test (tcase, replaced_voter_leaves_as_the_other_comes);
    tcase_add_test (tcase, replaced_observer_gives_an_observer);
    tcase_add_test (tcase, replacing_twice_needs_nothing_and_a_stranger_is_refused);
    tcase_add_test (tcase, tolerance_is_less_than_half);
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
