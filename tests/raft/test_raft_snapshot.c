// Snapshots from node to node: what arrives, what is told to whom and when, under a pipe and disks
// that misbehave.

#include <check.h>
#include <stdlib.h>

#include "base/dt_error.h"
#include "raft/core/raft_message.h"
#include "tests/raft/snapshot_world.h"

enum {
    KIB = 1024,
    MIB = 1024 * 1024,
    BYTES = 3 * MIB + 12345, // of most snapshots here
    INDEX = 100,
    TERM = 5, // of the leader
};

#define MS     SNAPSHOT_WORLD_MS
#define SECOND (1000 * MS)

static snapshot_world_t s_world;

static void s_setup (void)
{
    snapshot_world_init (&s_world, 1);
}

static void s_teardown (void)
{
    snapshot_world_deinit (&s_world);
}

static void s_start_with (size_t bytes)
{
    snapshot_world_put (&s_world, 1, INDEX, bytes);
    snapshot_world_start (&s_world, 1);
    snapshot_world_start (&s_world, 2);
}

static bool s_one_sent (const snapshot_world_t *world)
{
    return world->nodes[1].sends > 0;
}

static bool s_two_sent (const snapshot_world_t *world)
{
    return world->nodes[1].sends > 1;
}

static bool s_half_sent (const snapshot_world_t *world)
{
    return world->nodes[1].chunk_bytes > BYTES / 2;
}

static bool s_one_saved (const snapshot_world_t *world)
{
    return world->nodes[1].saves > 0;
}

static bool s_loaded_again (const snapshot_world_t *world)
{
    return world->nodes[2].loads > 1;
}

// Send node 1's to node 2 and wait for the report; returns its rc.
static int s_send (void)
{
    unsigned before = s_world.nodes[1].sends;
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, 600 * SECOND, before ? s_two_sent : s_one_sent));
    return s_world.nodes[1].sent[before].rc;
}

// --- what arrives --------------------------------------------------------------------------------

START_TEST (snapshot_arrives_as_it_was)
{
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX, BYTES));
}
END_TEST

START_TEST (both_groups_are_told_once_and_everything)
{
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    const snapshot_sent_t *sent = &s_world.nodes[1].sent[0];
    ck_assert_uint_eq (s_world.nodes[1].sends, 1);
    ck_assert_uint_eq (sent->node_id, 2);
    ck_assert_uint_eq (sent->index, INDEX);
    ck_assert_uint_eq (sent->term, TERM);
    const snapshot_received_t *received = &s_world.nodes[2].received[0];
    ck_assert_uint_eq (s_world.nodes[2].receipts, 1);
    ck_assert_uint_eq (received->from, 1);
    ck_assert_uint_eq (received->meta.index, INDEX);
    ck_assert_uint_eq (received->meta.term, SNAPSHOT_WORLD_TERM);
    ck_assert_uint_eq (received->meta.cluster_time_ms, INDEX * 10);
    ck_assert_uint_eq (received->meta.config_index, 1);
    ck_assert_uint_gt (received->bytes, BYTES);
}
END_TEST

START_TEST (joint_configuration_arrives_with_it) // [RAFT-23]
{
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    const raft_config_t *config = &s_world.nodes[2].received[0].meta.config;
    ck_assert (raft_config_is_joint (config));
    ck_assert (raft_config_equal (config, &s_world.nodes[1].loaded.meta.config));
}
END_TEST

START_TEST (snapshot_without_content_arrives)
{
    s_start_with (0);
    ck_assert_int_eq (s_send (), 0);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX, 0));
}
END_TEST

START_TEST (sizes_around_pieces_and_chunks_arrive)
{
    static const size_t sizes[] = {1,
                                   SNAPSHOT_PIECE_BYTES_MAX - 1,
                                   SNAPSHOT_PIECE_BYTES_MAX,
                                   SNAPSHOT_PIECE_BYTES_MAX + 1,
                                   SNAPSHOT_CHUNK_BYTES,
                                   SNAPSHOT_CHUNK_BYTES + 1};
    s_start_with (sizes[_i]);
    ck_assert_int_eq (s_send (), 0);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX, sizes[_i]));
}
END_TEST

START_TEST (two_nodes_are_sent_to_at_once)
{
    s_start_with (BYTES);
    snapshot_world_start (&s_world, 3);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    snapshot_world_send (&s_world, 1, 3, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, 10 * SECOND, s_two_sent));
    for (uint32_t id = 2; id <= 3; id++) {
        snapshot_world_stop (&s_world, id);
        ck_assert (snapshot_world_has (&s_world, id, INDEX, BYTES));
    }
}
END_TEST

// --- the pipe ------------------------------------------------------------------------------------

// A pipe at its worst; the order of fibers differs from seed to seed as well.
static void s_storm (uint64_t seed)
{
    snapshot_world_deinit (&s_world);
    snapshot_world_init (&s_world, seed);
    s_world.loss_ppm = 300000;
    s_world.double_ppm = 100000;
    s_world.damage_ppm = 20000;
    s_world.jitter_ns = 20 * MS;
    s_world.disk_ns = MS;
    s_world.options.piece_bytes = 64 * KIB;
    s_world.options.window_bytes = 512 * KIB;
    s_world.options.resend_max = 30;
}

START_TEST (loss_doubles_disorder_and_damage_change_nothing) // [RAFT-19]
{
    s_storm ((uint64_t) _i + 1);
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX, BYTES));
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 1);
}
END_TEST

START_TEST (no_more_than_the_window_is_unacknowledged) // [ZMQ-6]
{
    s_storm ((uint64_t) _i + 1);
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    ck_assert_uint_le (s_world.nodes[1].unacked_max, s_world.options.window_bytes);
}
END_TEST

START_TEST (window_is_made_use_of)
{
    s_world.delay_ns = 50 * MS;
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    ck_assert_uint_gt (s_world.nodes[1].unacked_max, 2 * MIB - SNAPSHOT_PIECE_BYTES_MAX);
}
END_TEST

START_TEST (whole_pipe_carries_every_byte_once)
{
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    ck_assert_uint_eq (s_world.nodes[1].chunk_bytes, BYTES);
}
END_TEST

static unsigned s_to_damage;

static bool s_damage_some (snapshot_world_t *world, uint32_t from, peer_message_t *message)
{
    (void) world;
    (void) from;
    if (message->kind == RAFT_MESSAGE_SNAPSHOT_CHUNK && s_to_damage > 0 && --s_to_damage == 0) {
        dt_blob_data (message->blob)[message->bytes / 2] ^= 1;
    }
    return false;
}

START_TEST (damaged_piece_is_asked_for_again_without_waiting)
{
    s_world.filter = s_damage_some;
    s_to_damage = 6;
    s_start_with (BYTES);
    int64_t before_ns = s_world.env.now_ns (&s_world.env);
    ck_assert_int_eq (s_send (), 0);
    ck_assert_int_lt (s_world.env.now_ns (&s_world.env) - before_ns, 400 * MS);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX, BYTES));
}
END_TEST

static bool s_drop_all (snapshot_world_t *world, uint32_t from, peer_message_t *message)
{
    (void) world;
    (void) message;
    return from == 2;
}

START_TEST (node_that_does_not_answer_is_given_up)
{
    s_world.filter = s_drop_all;
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), DT_ERR_TIMEOUT);
    ck_assert_uint_le (s_world.nodes[1].chunks, 8); // and is not flooded
}
END_TEST

START_TEST (slow_disk_over_there_is_waited_for)
{
    s_world.disk_ns = 400 * MS; // of everything: making it durable takes longer than the patience
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
}
END_TEST

// --- ends and beginnings -------------------------------------------------------------------------

START_TEST (nothing_to_send_is_not_found)
{
    snapshot_world_start (&s_world, 1);
    ck_assert_int_eq (s_send (), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (older_than_wanted_is_not_found)
{
    snapshot_world_put (&s_world, 1, INDEX - 1, BYTES);
    snapshot_world_start (&s_world, 1);
    ck_assert_int_eq (s_send (), DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (damaged_one_is_not_found)
{
    s_start_with (BYTES);
    char path[256];
    uint64_t offset;
    ck_assert (
        vfs_sim_rot_random (s_world.nodes[1].disk, "g/snapshots", path, sizeof path, &offset));
    ck_assert_int_eq (vfs_sim_rot (s_world.nodes[1].disk, path, 2 * MIB, 4), 0);
    ck_assert_int_eq (s_send (), DT_ERR_NOT_FOUND);
    ck_assert_uint_eq (s_world.nodes[2].receipts, 0);
}
END_TEST

START_TEST (cancelled_transfer_is_not_reported)
{
    s_start_with (BYTES);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_half_sent));
    snapshot_world_cancel (&s_world, 1, 2);
    ck_assert (!snapshot_world_run (&s_world, 30 * SECOND, s_one_sent));
    ck_assert_uint_eq (s_world.nodes[2].receipts, 0);
}
END_TEST

START_TEST (node_zero_cancels_all)
{
    s_start_with (BYTES);
    snapshot_world_start (&s_world, 3);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    snapshot_world_send (&s_world, 1, 3, TERM, INDEX);
    snapshot_world_cancel (&s_world, 1, 0);
    ck_assert (!snapshot_world_run (&s_world, 30 * SECOND, s_one_sent));
}
END_TEST

START_TEST (what_was_left_half_is_removed)
{
    s_world.options.idle_ms = 5000;
    s_start_with (BYTES);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_half_sent));
    snapshot_world_cancel (&s_world, 1, 2);
    snapshot_world_run (&s_world, SECOND, NULL);
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 1);
    snapshot_world_run (&s_world, 6 * SECOND, NULL);
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 0);
}
END_TEST

START_TEST (receiver_that_comes_back_is_sent_all_of_it)
{
    s_start_with (BYTES);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_half_sent));
    snapshot_world_crash (&s_world, 2);
    snapshot_world_run (&s_world, SECOND, NULL);
    snapshot_world_start (&s_world, 2);
    ck_assert (snapshot_world_run (&s_world, 60 * SECOND, s_one_sent));
    ck_assert_int_eq (s_world.nodes[1].sent[0].rc, 0);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX, BYTES));
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 1);
}
END_TEST

START_TEST (second_send_to_a_node_replaces_the_first)
{
    s_start_with (BYTES);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_half_sent));
    snapshot_world_send (&s_world, 1, 2, TERM + 1, INDEX);
    ck_assert (!snapshot_world_run (&s_world, 30 * SECOND, s_two_sent));
    ck_assert_uint_eq (s_world.nodes[1].sends, 1);
    ck_assert_uint_eq (s_world.nodes[1].sent[0].term, TERM + 1);
    ck_assert_int_eq (s_world.nodes[1].sent[0].rc, 0);
    ck_assert_uint_eq (s_world.nodes[2].receipts, 1);
}
END_TEST

static bool s_third_sent (const snapshot_world_t *world)
{
    return world->nodes[3].sends > 0;
}

START_TEST (leader_of_the_higher_term_wins)
{
    snapshot_world_put (&s_world, 3, INDEX + 1, BYTES);
    s_start_with (BYTES);
    snapshot_world_start (&s_world, 3);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_half_sent));
    snapshot_world_send (&s_world, 3, 2, TERM + 1, INDEX);
    ck_assert (snapshot_world_run (&s_world, 60 * SECOND, s_third_sent));
    ck_assert_int_eq (s_world.nodes[3].sent[0].rc, 0);
    ck_assert (snapshot_world_run (&s_world, 60 * SECOND, s_one_sent));
    ck_assert_int_eq (s_world.nodes[1].sent[0].rc, DT_ERR_TIMEOUT);
    ck_assert_uint_eq (s_world.nodes[2].receipts, 1);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX + 1, BYTES));
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 1);
}
END_TEST

START_TEST (leader_of_the_lower_term_disturbs_nothing)
{
    snapshot_world_put (&s_world, 3, INDEX + 1, BYTES);
    s_start_with (BYTES);
    snapshot_world_start (&s_world, 3);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_half_sent));
    snapshot_world_send (&s_world, 3, 2, TERM - 1, INDEX);
    ck_assert (snapshot_world_run (&s_world, 60 * SECOND, s_third_sent));
    ck_assert_int_eq (s_world.nodes[1].sent[0].rc, 0);
    ck_assert_uint_eq (s_world.nodes[1].chunk_bytes, BYTES);
    ck_assert_int_eq (s_world.nodes[3].sent[0].rc, DT_ERR_TIMEOUT);
}
END_TEST

// --- disks ---------------------------------------------------------------------------------------

START_TEST (full_disk_over_there_is_reported_and_can_be_tried_again)
{
    s_start_with (BYTES);
    vfs_sim_faults_t faults = {.capacity_bytes = 2 * MIB};
    vfs_sim_set_faults (s_world.nodes[2].disk, &faults);
    ck_assert_int_eq (s_send (), DT_ERR_NO_SPACE);
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 0);
    vfs_sim_set_faults (s_world.nodes[2].disk, NULL);
    ck_assert_int_eq (s_send (), 0);
    ck_assert_uint_eq (s_world.nodes[2].receipts, 1);
}
END_TEST

START_TEST (failed_disk_over_there_is_reported)
{
    s_start_with (BYTES);
    vfs_sim_fail_at (s_world.nodes[2].disk, VFS_SIM_SYNC, 3, DT_ERR_IO);
    ck_assert_int_eq (s_send (), DT_ERR_DISK_FAILED);
    ck_assert_uint_eq (s_world.nodes[2].receipts, 0);
    ck_assert_int_eq (s_send (), DT_ERR_DISK_FAILED);
    ck_assert_uint_eq (s_world.nodes[2].disk_failures, 1); // its group was told, once
}
END_TEST

START_TEST (snapshot_that_is_pruned_while_it_is_sent_arrives)
{
    enum { LARGE = 20 * MIB };
    s_world.options.keep = 1;
    s_world.disk_ns = MS;
    s_start_with (LARGE);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_half_sent));
    snapshot_world_save (&s_world, 1, INDEX + 1);
    ck_assert (snapshot_world_run (&s_world, 60 * SECOND, s_one_saved));
    ck_assert_uint_eq (s_world.nodes[1].sends, 0);
    ck_assert_uint_eq (snapshot_world_files (&s_world, 1), 1); // it is gone there
    ck_assert (snapshot_world_run (&s_world, 60 * SECOND, s_one_sent));
    ck_assert_int_eq (s_world.nodes[1].sent[0].rc, 0);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX, LARGE));
}
END_TEST

// --- what is there already -----------------------------------------------------------------------

START_TEST (what_was_received_before_is_told_again_but_not_sent_again)
{
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    uint64_t before = s_world.nodes[1].chunk_bytes;
    ck_assert_int_eq (s_send (), 0);
    ck_assert_uint_eq (s_world.nodes[2].receipts, 2);
    ck_assert_uint_eq (s_world.nodes[2].received[1].meta.index, INDEX);
    ck_assert_uint_le (s_world.nodes[1].chunk_bytes - before, SNAPSHOT_PIECE_BYTES_MAX);
}
END_TEST

START_TEST (what_the_group_has_already_is_not_told)
{
    snapshot_world_put (&s_world, 2, INDEX + 5, 100);
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    ck_assert_uint_eq (s_world.nodes[2].receipts, 0);
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 1);
}
END_TEST

START_TEST (received_and_installed_one_are_kept)
{
    s_world.options.keep = 1;
    snapshot_world_put (&s_world, 2, 10, 100);
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    snapshot_world_save (&s_world, 2, 50);
    snapshot_world_run (&s_world, SECOND, NULL);
    ck_assert_uint_eq (s_world.nodes[2].saves, 1);
    ck_assert_int_eq (s_world.nodes[2].saved.rc, 0);
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 2);
    snapshot_world_stop (&s_world, 2);
    ck_assert (snapshot_world_has (&s_world, 2, INDEX, BYTES));
}
END_TEST

START_TEST (install_restores_the_machine_over_its_old_state)
{
    s_world.options.keep = 1;
    snapshot_world_put (&s_world, 2, 10, 100);
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    ck_assert_uint_eq (snapshot_world_digest (&s_world, 2), snapshot_world_digest_of (10, 100));
    snapshot_world_load (&s_world, 2, INDEX, SNAPSHOT_WORLD_TERM);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_loaded_again));
    const snapshot_loaded_t *loaded = &s_world.nodes[2].loaded;
    ck_assert_int_eq (loaded->rc, 0);
    ck_assert_uint_eq (loaded->meta.index, INDEX);
    ck_assert (raft_config_is_joint (&loaded->meta.config));
    ck_assert_uint_eq (snapshot_world_digest (&s_world, 2),
                       snapshot_world_digest_of (INDEX, BYTES));
    snapshot_world_run (&s_world, SECOND, NULL);
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 1); // the old one has gone
}
END_TEST

START_TEST (install_takes_the_one_that_was_named)
{
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    snapshot_world_save (&s_world, 1, INDEX + 1); // a newer one follows
    ck_assert (snapshot_world_run (&s_world, SECOND, s_one_saved));
    ck_assert_int_eq (s_send (), 0);
    ck_assert_uint_eq (s_world.nodes[2].received[1].meta.index, INDEX + 1);
    snapshot_world_load (&s_world, 2, INDEX, SNAPSHOT_WORLD_TERM);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_loaded_again));
    ck_assert_uint_eq (s_world.nodes[2].loaded.meta.index, INDEX);
}
END_TEST

START_TEST (install_ends_what_is_being_saved)
{
    s_world.disk_ns = 20 * MS;
    snapshot_world_put (&s_world, 2, 10, BYTES);
    s_start_with (BYTES);
    ck_assert_int_eq (s_send (), 0);
    snapshot_world_save (&s_world, 2, 50);
    snapshot_world_run (&s_world, 30 * MS, NULL);
    snapshot_world_load (&s_world, 2, INDEX, SNAPSHOT_WORLD_TERM);
    ck_assert (snapshot_world_run (&s_world, 10 * SECOND, s_loaded_again));
    ck_assert_uint_eq (s_world.nodes[2].saves, 1);
    ck_assert_int_eq (s_world.nodes[2].saved.rc, DT_ERR_CANCELLED);
    ck_assert_int_eq (s_world.nodes[2].loaded.rc, 0);
    ck_assert_uint_eq (snapshot_world_digest (&s_world, 2),
                       snapshot_world_digest_of (INDEX, BYTES));
}
END_TEST

START_TEST (install_of_one_that_is_not_there_is_not_found)
{
    s_start_with (BYTES);
    snapshot_world_load (&s_world, 2, INDEX, SNAPSHOT_WORLD_TERM);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_loaded_again));
    ck_assert_int_eq (s_world.nodes[2].loaded.rc, DT_ERR_NOT_FOUND);
}
END_TEST

START_TEST (stop_in_the_middle_ends_everything)
{
    s_world.disk_ns = MS;
    s_start_with (BYTES);
    snapshot_world_send (&s_world, 1, 2, TERM, INDEX);
    ck_assert (snapshot_world_run (&s_world, SECOND, s_half_sent));
    snapshot_world_stop (&s_world, 1);
    snapshot_world_stop (&s_world, 2);
    ck_assert_uint_eq (snapshot_world_files (&s_world, 2), 0);
}
END_TEST

static TCase *s_case (const char *name)
{
    TCase *tcase = tcase_create (name);
    tcase_add_checked_fixture (tcase, s_setup, s_teardown);
    tcase_set_timeout (tcase, 60);
    return tcase;
}

int main (void)
{
    Suite *suite = suite_create ("raft_snapshot");
    TCase *arrival = s_case ("arrival");
    tcase_add_test (arrival, snapshot_arrives_as_it_was);
    tcase_add_test (arrival, both_groups_are_told_once_and_everything);
    tcase_add_test (arrival, joint_configuration_arrives_with_it);
    tcase_add_test (arrival, snapshot_without_content_arrives);
    tcase_add_loop_test (arrival, sizes_around_pieces_and_chunks_arrive, 0, 6);
    tcase_add_test (arrival, two_nodes_are_sent_to_at_once);
    suite_add_tcase (suite, arrival);
    TCase *pipe = s_case ("pipe");
    tcase_add_loop_test (pipe, loss_doubles_disorder_and_damage_change_nothing, 0, 20);
    tcase_add_loop_test (pipe, no_more_than_the_window_is_unacknowledged, 0, 10);
    tcase_add_test (pipe, window_is_made_use_of);
    tcase_add_test (pipe, whole_pipe_carries_every_byte_once);
    tcase_add_test (pipe, damaged_piece_is_asked_for_again_without_waiting);
    tcase_add_test (pipe, node_that_does_not_answer_is_given_up);
    tcase_add_test (pipe, slow_disk_over_there_is_waited_for);
    suite_add_tcase (suite, pipe);
    TCase *ends = s_case ("ends");
    tcase_add_test (ends, nothing_to_send_is_not_found);
    tcase_add_test (ends, older_than_wanted_is_not_found);
    tcase_add_test (ends, damaged_one_is_not_found);
    tcase_add_test (ends, cancelled_transfer_is_not_reported);
    tcase_add_test (ends, node_zero_cancels_all);
    tcase_add_test (ends, what_was_left_half_is_removed);
    tcase_add_test (ends, receiver_that_comes_back_is_sent_all_of_it);
    tcase_add_test (ends, second_send_to_a_node_replaces_the_first);
    tcase_add_test (ends, leader_of_the_higher_term_wins);
    tcase_add_test (ends, leader_of_the_lower_term_disturbs_nothing);
    tcase_add_test (ends, stop_in_the_middle_ends_everything);
    suite_add_tcase (suite, ends);
    TCase *disks = s_case ("disks");
    tcase_add_test (disks, full_disk_over_there_is_reported_and_can_be_tried_again);
    tcase_add_test (disks, failed_disk_over_there_is_reported);
    tcase_add_test (disks, snapshot_that_is_pruned_while_it_is_sent_arrives);
    suite_add_tcase (suite, disks);
    TCase *there = s_case ("there");
    tcase_add_test (there, what_was_received_before_is_told_again_but_not_sent_again);
    tcase_add_test (there, what_the_group_has_already_is_not_told);
    tcase_add_test (there, received_and_installed_one_are_kept);
    tcase_add_test (there, install_restores_the_machine_over_its_old_state);
    tcase_add_test (there, install_takes_the_one_that_was_named);
    tcase_add_test (there, install_ends_what_is_being_saved);
    tcase_add_test (there, install_of_one_that_is_not_there_is_not_found);
    suite_add_tcase (suite, there);
    SRunner *runner = srunner_create (suite);
    srunner_run_all (runner, CK_ENV);
    int failed = srunner_ntests_failed (runner);
    srunner_free (runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
