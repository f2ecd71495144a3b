#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/dt_error.h"
#include "tests/raft/raft_print.h"

static raft_core_t *core;
static raft_effects_t effects;

static void s_new (raft_core_options_t options)
{
    options.node_id = 1;
    options.has_bootstrap = true;
    options.bootstrap = raft_config_sole (1);
    core = raft_core_new (&options);
    raft_effects_init (&effects);
}

static void s_end (void)
{
    raft_core_destroy (&core);
    raft_effects_deinit (&effects);
}

// A step at a time; earlier effects are dropped first.
static void s_step_at (int64_t now_ms, raft_event_t event)
{
    raft_effects_clear (&effects);
    event.now_ns = now_ms * 1000000;
    event.wall_ms = 5000;
    raft_core_step (core, &event, &effects);
    raft_core_check (core);
}

// Start, persist, commit and apply the first two entries at time 0.
static void s_lead (void)
{
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_START});
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = {1, 1}});
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_APPENDED, .appended = {2, 1}});
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_APPLIED, .applied = {2}});
}

static const raft_effect_t *s_find (raft_effect_kind_t kind)
{
    for (size_t i = 0; i < effects.count; i++) {
        if (effects.items[i].kind == kind) {
            return &effects.items[i];
        }
    }
    return NULL;
}

START_TEST (first_entry_of_a_group_is_its_configuration)
{
    s_new ((raft_core_options_t){0});
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_START});
    ck_assert_ptr_null (s_find (RAFT_EFFECT_APPEND));
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = {1, 1}});
    const raft_effect_t *append = s_find (RAFT_EFFECT_APPEND);
    ck_assert_ptr_nonnull (append);
    const log_entry_t *entry = log_batch_entry (append->append.batch, 1);
    ck_assert_int_eq (entry->type, LOG_ENTRY_CONFIG);
    raft_config_t config;
    ck_assert_int_eq (raft_config_decode (entry->payload, entry->payload_bytes, &config), 0);
    ck_assert (raft_config_is_sole_voter (&config, 1));
    ck_assert_int_eq (log_batch_entry (append->append.batch, 2)->type, LOG_ENTRY_NOOP);
    ck_assert_uint_eq (raft_core_config (core)->index, 1);
    s_end ();
}
END_TEST

START_TEST (entries_are_stamped_with_index_term_and_both_times)
{
    s_new ((raft_core_options_t){0});
    s_lead ();
    s_step_at (
        1234, (raft_event_t){.kind = RAFT_EVENT_PROPOSE, .propose.batch = raft_print_batch (3, 8)});
    const raft_effect_t *append = s_find (RAFT_EFFECT_APPEND);
    ck_assert_ptr_nonnull (append);
    const log_entry_t *entry = log_batch_entry (append->append.batch, 5);
    ck_assert_uint_eq (entry->index, 5);
    ck_assert_uint_eq (entry->term, 1);
    ck_assert_uint_eq (entry->cluster_time_ms, 1234);
    ck_assert_uint_eq (entry->wall_ms, 5000);
    s_end ();
}
END_TEST

START_TEST (cluster_time_goes_on_from_the_log_not_from_the_clock)
{
    s_new ((raft_core_options_t){.recovered = {.hard_state = {4, 1},
                                               .snapshot_index = 9,
                                               .snapshot_term = 4,
                                               .snapshot_cluster_time_ms = 777000,
                                               .snapshot_config_index = 1,
                                               .snapshot_config = raft_config_sole (1)}});
    s_step_at (5000, (raft_event_t){.kind = RAFT_EVENT_START});
    s_step_at (6000, (raft_event_t){.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = {5, 1}});
    s_step_at (
        6050, (raft_event_t){.kind = RAFT_EVENT_PROPOSE, .propose.batch = raft_print_batch (1, 0)});
    ck_assert_uint_eq (s_find (RAFT_EFFECT_APPEND)->append.batch->entries[0].cluster_time_ms,
                       777050);
    s_end ();
}
END_TEST

START_TEST (clock_that_runs_backwards_does_not_turn_cluster_time_back)
{
    s_new ((raft_core_options_t){0});
    s_lead ();
    s_step_at (
        500, (raft_event_t){.kind = RAFT_EVENT_PROPOSE, .propose.batch = raft_print_batch (1, 0)});
    s_step_at (
        100, (raft_event_t){.kind = RAFT_EVENT_PROPOSE, .propose.batch = raft_print_batch (1, 0)});
    ck_assert_uint_eq (s_find (RAFT_EFFECT_APPEND)->append.batch->entries[0].cluster_time_ms, 500);
    s_end ();
}
END_TEST

static void s_count (void *origin)
{
    ++*(int *) origin;
}

START_TEST (batch_lives_until_core_and_host_have_let_go)
{
    int freed = 0;
    s_new ((raft_core_options_t){0});
    s_lead ();
    log_batch_t *batch = raft_print_batch (1, 0);
    batch->origin = &freed;
    batch->origin_free = s_count;
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_PROPOSE, .propose.batch = batch});
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_APPENDED, .appended = {3, 1}});
    log_batch_t *mine = log_batch_ref (s_find (RAFT_EFFECT_APPLY)->apply.batch);
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_APPLIED, .applied = {3}});
    ck_assert_int_eq (freed, 0);
    log_batch_unref (&mine);
    ck_assert_int_eq (freed, 1);
    s_end ();
}
END_TEST

START_TEST (several_steps_may_share_one_list_of_effects)
{
    s_new ((raft_core_options_t){0});
    s_lead ();
    raft_effects_clear (&effects);
    for (int i = 0; i < 100; i++) {
        raft_event_t event = {.kind = RAFT_EVENT_PROPOSE, .propose.batch = raft_print_batch (2, 0)};
        raft_core_step (core, &event, &effects);
    }
    ck_assert_uint_eq (effects.count, 100);
    for (size_t i = 0; i < effects.count; i++) {
        ck_assert_int_eq (effects.items[i].kind, RAFT_EFFECT_APPEND);
        ck_assert_uint_eq (effects.items[i].append.first, 3 + 2 * i);
    }
    s_end ();
}
END_TEST

START_TEST (retained_entries_stay_in_memory_after_they_were_applied)
{
    s_new ((raft_core_options_t){.log_retain_bytes = 1000});
    s_lead ();
    raft_status_t status;
    raft_core_status (core, &status);
    ck_assert_uint_gt (status.memory_bytes, 0);
    ck_assert_uint_eq (status.unapplied_bytes, 0);
    s_end ();
}
END_TEST

// A follower of node 2 that was told of a commit its own disk never reached.
static void s_follow_beyond_the_disk (void)
{
    raft_core_options_t options = {.node_id = 1, .has_bootstrap = true};
    options.bootstrap = raft_config_sole (1);
    raft_node_list_add (&options.bootstrap.voters, 2);
    options.is_new = true;
    core = raft_core_new (&options);
    raft_effects_init (&effects);
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_START});
    raft_message_t *message = raft_message_new (RAFT_MESSAGE_APPEND);
    *message = (raft_message_t){.kind = RAFT_MESSAGE_APPEND, .from = 2, .to = 1, .term = 1};
    log_batch_t *batch = raft_print_batch (3, 8);
    for (uint32_t i = 0; i < batch->count; i++) {
        batch->entries[i].index = i + 1;
        batch->entries[i].term = 1;
    }
    message->append =
        (raft_append_t){.commit = 3, .round = 1, .batch = batch, .first = 1, .last = 3};
    s_step_at (1, (raft_event_t){.kind = RAFT_EVENT_MESSAGE, .message = message});
    s_step_at (1, (raft_event_t){.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = {1, 0}});
    s_step_at (1, (raft_event_t){.kind = RAFT_EVENT_APPENDED, .appended = {1, 1}});
    s_step_at (1, (raft_event_t){.kind = RAFT_EVENT_APPLIED, .applied = {1}});
}

START_TEST (failed_disk_drains_without_what_only_others_have)
{
    s_follow_beyond_the_disk ();
    raft_status_t status;
    raft_core_status (core, &status);
    ck_assert_uint_eq (status.commit, 3);
    ck_assert_uint_eq (status.durable, 1);
    s_step_at (2, (raft_event_t){.kind = RAFT_EVENT_DISK_FAILED, .failed.rc = DT_ERR_DISK_FAILED});
    s_step_at (3, (raft_event_t){.kind = RAFT_EVENT_STOP});
    ck_assert_ptr_nonnull (s_find (RAFT_EFFECT_DRAINED));
    s_end ();
}
END_TEST

static void s_describe (raft_config_t *config, uint32_t id, const char *peer)
{
    raft_node_info_t info = {.id = id};
    strcpy (info.peer, peer);
    raft_config_describe (config, &info);
}

// A voter beside node 2, whose election time-out passes; returns the time then.
static int64_t s_new_of_two (void)
{
    raft_core_options_t options = {.node_id = 1, .has_bootstrap = true, .is_new = true};
    options.bootstrap = raft_config_sole (1);
    raft_node_list_add (&options.bootstrap.voters, 2);
    s_describe (&options.bootstrap, 1, "tcp://one:1");
    s_describe (&options.bootstrap, 2, "tcp://two:1");
    core = raft_core_new (&options);
    raft_effects_init (&effects);
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_START});
    return effects.next_deadline_ns / 1000000 + 1;
}

static void s_grant (int64_t now_ms, bool pre)
{
    raft_message_t *message = raft_message_new (RAFT_MESSAGE_VOTE_REPLY);
    message->from = 2;
    message->to = 1;
    message->term = pre ? 0 : 1;
    message->vote_reply = (raft_vote_reply_t){.campaign_term = 1, .pre = pre, .granted = true};
    s_step_at (now_ms, (raft_event_t){.kind = RAFT_EVENT_MESSAGE, .message = message});
}

START_TEST (candidates_and_leaders_not_heard_of_say_where_they_are)
{
    int64_t now_ms = s_new_of_two ();
    s_step_at (now_ms, (raft_event_t){.kind = RAFT_EVENT_TICK});
    const raft_effect_t *send = s_find (RAFT_EFFECT_SEND);
    ck_assert_ptr_nonnull (send);
    ck_assert_int_eq (send->message->kind, RAFT_MESSAGE_VOTE);
    ck_assert_str_eq (send->message->from_peer, "tcp://one:1");
    s_grant (now_ms, true);
    s_step_at (now_ms, (raft_event_t){.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = {1, 1}});
    s_grant (now_ms, false);
    send = s_find (RAFT_EFFECT_SEND);
    ck_assert_ptr_nonnull (send);
    ck_assert_int_eq (send->message->kind, RAFT_MESSAGE_APPEND);
    ck_assert_str_eq (send->message->from_peer, "tcp://one:1");
    s_end ();
}
END_TEST

START_TEST (report_of_an_older_hard_state_is_passed_over)
{
    s_new ((raft_core_options_t){.recovered = {.hard_state = {4, 0}}});
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_START});
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = {4, 0}});
    raft_status_t status;
    raft_core_status (core, &status);
    ck_assert_int_eq (status.role, RAFT_CANDIDATE);
    s_end ();
}
END_TEST

// A new group of this node and node 2.
static void s_new_pair (void)
{
    raft_core_options_t options = {.node_id = 1, .has_bootstrap = true, .is_new = true};
    options.bootstrap = raft_config_sole (1);
    raft_node_list_add (&options.bootstrap.voters, 2);
    core = raft_core_new (&options);
    raft_effects_init (&effects);
    s_step_at (0, (raft_event_t){.kind = RAFT_EVENT_START});
}

static void s_stall_at (int64_t now_ms, bool on)
{
    s_step_at (now_ms, (raft_event_t){.kind = RAFT_EVENT_DISK_STALLED, .disk_stalled.on = on});
}

static void s_get_vote_at (int64_t now_ms, bool pre, raft_term_t term)
{
    raft_message_t *message = raft_message_new (RAFT_MESSAGE_VOTE_REPLY);
    message->from = 2;
    message->to = 1;
    message->vote_reply =
        (raft_vote_reply_t){.campaign_term = term, .pre = pre, .granted = true, .directory_id = 2};
    s_step_at (now_ms, (raft_event_t){.kind = RAFT_EVENT_MESSAGE, .message = message});
}

static raft_role_t s_role (void)
{
    raft_status_t status;
    raft_core_status (core, &status);
    return status.role;
}

START_TEST (leader_with_a_stalled_disk_steps_down)
{
    s_new_pair ();
    s_step_at (1000, (raft_event_t){.kind = RAFT_EVENT_TICK});
    s_get_vote_at (1001, true, 1);
    s_step_at (1001, (raft_event_t){.kind = RAFT_EVENT_HARD_STATE_DURABLE, .hard_state = {1, 1}});
    s_get_vote_at (1002, false, 1);
    ck_assert_int_eq (s_role (), RAFT_LEADER);
    s_stall_at (1003, true);
    ck_assert_int_eq (s_role (), RAFT_FOLLOWER);
    s_end ();
}
END_TEST

START_TEST (stalled_disk_keeps_a_voter_from_campaigning_until_it_goes_on)
{
    s_new_pair ();
    s_stall_at (10, true);
    s_step_at (60000, (raft_event_t){.kind = RAFT_EVENT_TICK});
    ck_assert_ptr_null (s_find (RAFT_EFFECT_SEND));
    s_stall_at (60001, false);
    ck_assert_int_eq (s_find (RAFT_EFFECT_SEND)->message->kind, RAFT_MESSAGE_VOTE);
    s_end ();
}
END_TEST

START_TEST (sole_voter_leads_on_with_a_stalled_disk)
{
    s_new ((raft_core_options_t){0});
    s_lead ();
    s_stall_at (5, true);
    s_step_at (60000, (raft_event_t){.kind = RAFT_EVENT_TICK});
    ck_assert_int_eq (s_role (), RAFT_LEADER);
    s_end ();
}
END_TEST

START_TEST (every_kind_has_a_name)
{
    for (int i = 0; i < RAFT_EVENT_KINDS; i++) {
        ck_assert_ptr_nonnull (raft_event_name ((raft_event_kind_t) i));
    }
    for (int i = 0; i < RAFT_EFFECT_KINDS; i++) {
        ck_assert_ptr_nonnull (raft_effect_name ((raft_effect_kind_t) i));
    }
    ck_assert_str_eq (raft_role_name (RAFT_FAILED), "failed");
}
END_TEST

static raft_event_t s_applied (raft_index_t index, uint64_t due_ms)
{
    return (raft_event_t){.kind = RAFT_EVENT_APPLIED, .applied = {index, due_ms}};
}

static bool s_appends_clock (void)
{
    const raft_effect_t *append = s_find (RAFT_EFFECT_APPEND);
    return append && append->append.batch->entries[0].type == LOG_ENTRY_CLOCK;
}

START_TEST (clock_entry_comes_when_the_machine_is_due_and_not_before)
{
    s_new ((raft_core_options_t){0});
    s_lead ();
    s_step_at (10, s_applied (2, 500));
    ck_assert_int_eq (effects.next_deadline_ns, 500 * 1000000);
    s_step_at (499, (raft_event_t){.kind = RAFT_EVENT_TICK});
    ck_assert (!s_appends_clock ());
    s_step_at (500, (raft_event_t){.kind = RAFT_EVENT_TICK});
    ck_assert (s_appends_clock ());
    ck_assert_uint_eq (s_find (RAFT_EFFECT_APPEND)->append.batch->entries[0].cluster_time_ms, 500);
    s_end ();
}
END_TEST

START_TEST (next_clock_entry_waits_until_the_last_is_applied)
{
    s_new ((raft_core_options_t){0});
    s_lead ();
    s_step_at (500, s_applied (2, 500));
    ck_assert (s_appends_clock ());
    s_step_at (600, (raft_event_t){.kind = RAFT_EVENT_APPENDED, .appended = {3, 1}});
    ck_assert (!s_appends_clock ());
    s_step_at (700, s_applied (2, 500)); // a report from before
    ck_assert (!s_appends_clock ());
    s_step_at (800, s_applied (3, 600)); // and there is more to do
    ck_assert (s_appends_clock ());
    s_step_at (800, (raft_event_t){.kind = RAFT_EVENT_APPENDED, .appended = {4, 1}});
    s_step_at (900, s_applied (4, 0));
    ck_assert (!s_appends_clock ());
    s_end ();
}
END_TEST

START_TEST (no_clock_entry_comes_while_stopping_or_on_a_full_disk)
{
    s_new ((raft_core_options_t){0});
    s_lead ();
    s_step_at (10, (raft_event_t){.kind = RAFT_EVENT_DISK_FULL, .disk_full.on = true});
    s_step_at (500, s_applied (2, 500));
    ck_assert (!s_appends_clock ());
    s_step_at (600, (raft_event_t){.kind = RAFT_EVENT_DISK_FULL, .disk_full.on = false});
    ck_assert (s_appends_clock ());
    s_end ();
    s_new ((raft_core_options_t){0});
    s_lead ();
    s_step_at (10, (raft_event_t){.kind = RAFT_EVENT_STOP});
    s_step_at (500, s_applied (2, 500));
    ck_assert (!s_appends_clock ());
    s_end ();
}
END_TEST

int main (void)
{
    TCase *tcase = tcase_create ("core");
    tcase_add_test (tcase, first_entry_of_a_group_is_its_configuration);
    tcase_add_test (tcase, entries_are_stamped_with_index_term_and_both_times);
    tcase_add_test (tcase, cluster_time_goes_on_from_the_log_not_from_the_clock);
    tcase_add_test (tcase, clock_that_runs_backwards_does_not_turn_cluster_time_back);
    tcase_add_test (tcase, batch_lives_until_core_and_host_have_let_go);
    tcase_add_test (tcase, several_steps_may_share_one_list_of_effects);
    tcase_add_test (tcase, retained_entries_stay_in_memory_after_they_were_applied);
    tcase_add_test (tcase, failed_disk_drains_without_what_only_others_have);
    tcase_add_test (tcase, candidates_and_leaders_not_heard_of_say_where_they_are);
    tcase_add_test (tcase, report_of_an_older_hard_state_is_passed_over);
    tcase_add_test (tcase, leader_with_a_stalled_disk_steps_down);
    tcase_add_test (tcase, stalled_disk_keeps_a_voter_from_campaigning_until_it_goes_on);
    tcase_add_test (tcase, sole_voter_leads_on_with_a_stalled_disk);
    tcase_add_test (tcase, clock_entry_comes_when_the_machine_is_due_and_not_before);
    tcase_add_test (tcase, next_clock_entry_waits_until_the_last_is_applied);
    tcase_add_test (tcase, no_clock_entry_comes_while_stopping_or_on_a_full_disk);
    tcase_add_test (tcase, every_kind_has_a_name);
    Suite *suite = suite_create ("raft_core");
    suite_add_tcase (suite, tcase);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
