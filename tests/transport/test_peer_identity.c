// Whose life a node id belongs to.

#include <check.h>
#include <stdlib.h>

#include "transport/peer_identity.h"

#define MS(n) (INT64_C (1000000) * (n))

enum { ONE = 11, TWO = 22, THREE = 33 };

static peer_identity_t s_identity;
static int64_t s_now_ns;

static void s_setup (void)
{
    s_now_ns = MS (1000000);
    peer_identity_init (&s_identity, MS (1000));
}

// Judge a frame of a node whose address is known, heard just now.
static peer_life_t s_judge (uint64_t boot_id)
{
    return peer_identity_judge (&s_identity, boot_id, true, s_now_ns, s_now_ns);
}

static uint64_t s_probe (void)
{
    ck_assert (peer_identity_probe_due (&s_identity, s_now_ns));
    uint64_t nonce = peer_identity_probe (&s_identity, (uint64_t) s_now_ns * 2, s_now_ns);
    ck_assert (!peer_identity_probe_due (&s_identity, s_now_ns));
    return nonce;
}

static peer_life_t s_answer (uint64_t boot_id, uint64_t nonce)
{
    return peer_identity_answered (&s_identity, boot_id, nonce, s_now_ns);
}

// ONE is accepted and proven.
static void s_accept_one (void)
{
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_WAITS);
    ck_assert_int_eq (s_answer (ONE, s_probe ()), PEER_LIFE_NEW);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_KNOWN);
    s_now_ns += MS (5000);
}

START_TEST (a_life_is_accepted_when_it_answers)
{
    s_accept_one ();
    ck_assert (s_identity.proven);
    ck_assert (!peer_identity_probe_due (&s_identity, s_now_ns));
}
END_TEST

START_TEST (a_life_may_answer_before_anything_else_is_heard_of_it)
{
    ck_assert_int_eq (s_answer (ONE, s_probe ()), PEER_LIFE_NEW);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_KNOWN);
}
END_TEST

START_TEST (a_nonce_that_was_not_sent_proves_nothing)
{
    s_judge (ONE);
    ck_assert_int_eq (s_answer (ONE, 0), PEER_LIFE_STALE);
    uint64_t nonce = s_probe ();
    ck_assert_int_eq (s_answer (TWO, nonce + 2), PEER_LIFE_STALE);
    ck_assert_int_eq (s_answer (ONE, nonce), PEER_LIFE_NEW);
    ck_assert_int_eq (s_answer (TWO, nonce), PEER_LIFE_STALE); // it served once
    ck_assert_uint_eq (s_identity.boot_id, ONE);
}
END_TEST

START_TEST (a_new_life_that_answers_replaces_the_old_one_whose_late_frames_are_stale)
{
    s_accept_one ();
    ck_assert_int_eq (s_judge (TWO), PEER_LIFE_WAITS);
    ck_assert_int_eq (s_answer (TWO, s_probe ()), PEER_LIFE_NEW);
    ck_assert_int_eq (s_judge (TWO), PEER_LIFE_KNOWN);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_STALE);
    s_now_ns += MS (2001);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_WAITS); // a process, not a late frame
}
END_TEST

START_TEST (an_intruder_is_refused_for_a_while_and_then_probed_again)
{
    s_accept_one ();
    ck_assert_int_eq (s_judge (TWO), PEER_LIFE_WAITS);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_KNOWN);
    ck_assert_int_eq (s_answer (ONE, s_probe ()), PEER_LIFE_KNOWN);
    ck_assert_int_eq (s_judge (TWO), PEER_LIFE_CLAIMED);
    s_now_ns += MS (1999);
    ck_assert (!peer_identity_insists (&s_identity, TWO, s_now_ns)); // late frames, perhaps
    s_now_ns += MS (2);
    ck_assert (peer_identity_insists (&s_identity, TWO, s_now_ns));
    ck_assert (!peer_identity_insists (&s_identity, ONE, s_now_ns));
    s_now_ns += MS (3000);
    ck_assert_int_eq (s_judge (TWO), PEER_LIFE_WAITS);
    ck_assert_int_eq (s_answer (TWO, s_probe ()), PEER_LIFE_NEW);
    ck_assert_int_eq (s_judge (TWO), PEER_LIFE_KNOWN);
}
END_TEST

START_TEST (an_answer_to_a_probe_older_than_the_candidate_says_nothing_about_it)
{
    s_accept_one ();
    s_judge (TWO);
    uint64_t nonce = s_probe ();
    s_now_ns += MS (10);
    ck_assert_int_eq (s_judge (THREE), PEER_LIFE_WAITS);
    ck_assert_int_eq (s_answer (ONE, nonce), PEER_LIFE_STALE); // its life may be over by now
    s_now_ns += MS (50);
    ck_assert_int_eq (s_answer (THREE, s_probe ()), PEER_LIFE_NEW);
}
END_TEST

START_TEST (a_candidate_for_whom_nobody_answers_is_told_so)
{
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_WAITS);
    s_now_ns += MS (2000);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_WAITS);
    s_now_ns += MS (1);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_UNPROVEN);
    ck_assert_int_eq (s_answer (ONE, s_probe ()), PEER_LIFE_NEW);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_KNOWN);
}
END_TEST

START_TEST (probes_become_rarer_until_another_candidate_comes)
{
    s_judge (ONE);
    int probes = 0;
    for (int i = 0; i < 6000; i++) {
        s_now_ns += MS (10);
        if (peer_identity_probe_due (&s_identity, s_now_ns)) {
            peer_identity_probe (&s_identity, 5, s_now_ns);
            probes++;
        }
    }
    ck_assert_int_ge (probes, 25);
    ck_assert_int_le (probes, 40);
    s_judge (TWO);
    s_now_ns += MS (50);
    ck_assert (peer_identity_probe_due (&s_identity, s_now_ns));
}
END_TEST

START_TEST (without_an_address_a_life_is_taken_at_its_word_while_no_other_is_heard)
{
    int64_t heard_ns = s_now_ns;
    ck_assert_int_eq (peer_identity_judge (&s_identity, ONE, false, 0, s_now_ns), PEER_LIFE_NEW);
    ck_assert_int_eq (peer_identity_judge (&s_identity, TWO, false, heard_ns, s_now_ns),
                      PEER_LIFE_CLAIMED);
    s_now_ns += MS (1001);
    ck_assert_int_eq (peer_identity_judge (&s_identity, TWO, false, heard_ns, s_now_ns),
                      PEER_LIFE_NEW);
}
END_TEST

START_TEST (a_proven_life_is_never_displaced_by_word)
{
    s_accept_one ();
    ck_assert_int_eq (peer_identity_judge (&s_identity, TWO, false, 0, s_now_ns + MS (100000)),
                      PEER_LIFE_CLAIMED);
}
END_TEST

START_TEST (another_address_has_to_be_proven_again_and_the_life_goes_on_meanwhile)
{
    s_accept_one ();
    peer_identity_readdress (&s_identity, s_now_ns);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_KNOWN);
    ck_assert_int_eq (s_answer (TWO, s_probe ()), PEER_LIFE_NEW);
    ck_assert_int_eq (s_judge (ONE), PEER_LIFE_STALE);
}
END_TEST

int main (void)
{
    Suite *suite = suite_create ("peer_identity");
    TCase *tests = tcase_create ("peer_identity");
    tcase_add_checked_fixture (tests, s_setup, NULL);
    tcase_add_test (tests, a_life_is_accepted_when_it_answers);
    tcase_add_test (tests, a_life_may_answer_before_anything_else_is_heard_of_it);
    tcase_add_test (tests, a_nonce_that_was_not_sent_proves_nothing);
    tcase_add_test (tests,
                    a_new_life_that_answers_replaces_the_old_one_whose_late_frames_are_stale);
    tcase_add_test (tests, an_intruder_is_refused_for_a_while_and_then_probed_again);
    tcase_add_test (tests, an_answer_to_a_probe_older_than_the_candidate_says_nothing_about_it);
    tcase_add_test (tests, a_candidate_for_whom_nobody_answers_is_told_so);
    tcase_add_test (tests, probes_become_rarer_until_another_candidate_comes);
    tcase_add_test (tests, without_an_address_a_life_is_taken_at_its_word_while_no_other_is_heard);
    tcase_add_test (tests, a_proven_life_is_never_displaced_by_word);
    tcase_add_test (tests, another_address_has_to_be_proven_again_and_the_life_goes_on_meanwhile);
    suite_add_tcase (suite, tests);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_NORMAL);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? 1 : 0;
}
