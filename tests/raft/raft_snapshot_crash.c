// raft_snapshot_crash - cuts the receiver's power at every change of its disk, under several seeds,
// while it is sent a snapshot and installs it [DISK-18, DISK-20].
//
// Holds: whoever was told that the snapshot is there finds it there after the cut; and the node
// starts again with the old state or the new one, never a mixture, and without leftovers.
//
// Built with planted bugs it expects to find install-acked-early instead. Exit code 0: as expected.

#include <stdio.h>
#include <stdlib.h>

#include "base/dt_assert.h"
#include "base/dt_planted.h"
#include "tests/raft/snapshot_world.h"

enum {
    SEEDS = 12,
    OLD_INDEX = 10,
    OLD_BYTES = 3000,
    INDEX = 100,
    BYTES = 2 * 1024 * 1024 + 777,
    TERM = 5,
    CHANGES_MAX = 1000,
};

static bool s_sent_or_dead (const snapshot_world_t *world)
{
    return world->nodes[1].sends > 0 || vfs_sim_stopped (world->nodes[2].disk);
}

static bool s_installed (const snapshot_world_t *world)
{
    return world->nodes[2].loads > 1 || vfs_sim_stopped (world->nodes[2].disk);
}

static bool s_sent (const snapshot_world_t *world)
{
    return world->nodes[1].sends > 0;
}

// What must hold after the cut; NULL: it does.
static const char *s_look_after_cut (snapshot_world_t *world, bool told)
{
    if (told && !snapshot_world_has (world, 2, INDEX, BYTES)) {
        return "it was told to be there, and is not";
    }
    snapshot_world_start (world, 2);
    uint64_t digest = snapshot_world_digest (world, 2);
    bool is_new = digest == snapshot_world_digest_of (INDEX, BYTES);
    if (world->nodes[2].loaded.rc != 0 ||
        (!is_new && digest != snapshot_world_digest_of (OLD_INDEX, OLD_BYTES))) {
        return "neither the old state nor the new one";
    }
    return snapshot_world_files (world, 2) > 2 ? "leftovers" : NULL;
}

// Cut at the nth change. *ended: it was over before.
static const char *s_try (uint64_t seed, uint64_t nth, bool *ended)
{
    static snapshot_world_t world;
    snapshot_world_init (&world, seed);
    world.disk_ns = SNAPSHOT_WORLD_MS / 2;
    world.jitter_ns = SNAPSHOT_WORLD_MS;
    world.loss_ppm = 20000;
    world.options.keep = 1;
    snapshot_world_put (&world, 1, INDEX, BYTES);
    snapshot_world_put (&world, 2, OLD_INDEX, OLD_BYTES);
    snapshot_world_start (&world, 1);
    snapshot_world_start (&world, 2);
    vfs_sim_crash_at (world.nodes[2].disk, nth);
    snapshot_world_send (&world, 1, 2, TERM, INDEX);
    bool over = snapshot_world_run (&world, 600000 * SNAPSHOT_WORLD_MS, s_sent_or_dead);
    dt_assert (over);
    if (!vfs_sim_stopped (world.nodes[2].disk)) {
        snapshot_world_load (&world, 2, INDEX, SNAPSHOT_WORLD_TERM);
        over = snapshot_world_run (&world, 600000 * SNAPSHOT_WORLD_MS, s_installed);
        dt_assert (over);
        snapshot_world_run (&world, 100 * SNAPSHOT_WORLD_MS, NULL); // old ones are removed
    }
    // What was said before the power went may still be on its way.
    *ended = !vfs_sim_stopped (world.nodes[2].disk);
    snapshot_world_run (&world, 100 * SNAPSHOT_WORLD_MS, s_sent);
    bool told = world.nodes[1].sends > 0 && world.nodes[1].sent[0].rc == 0;
    snapshot_world_crash (&world, 2);
    const char *why = s_look_after_cut (&world, told);
    snapshot_world_deinit (&world);
    return why;
}

int main (void)
{
    unsigned cuts = 0, found = 0;
#ifdef DT_PLANTED_BUGS
    dt_planted_bug = DT_PLANTED_INSTALL_ACKED_EARLY;
    const bool wanted = true;
#else
    const bool wanted = false;
#endif
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bool ended = false;
        for (uint64_t nth = 1; !ended && nth <= CHANGES_MAX; nth++, cuts++) {
            const char *why = s_try (seed, nth, &ended);
            if (why) {
                printf ("seed %llu, cut at change %llu: %s\n", (unsigned long long) seed,
                        (unsigned long long) nth, why);
                found++;
            }
        }
    }
    printf ("%u cuts, %u findings\n", cuts, found);
    return (found > 0) == wanted ? EXIT_SUCCESS : EXIT_FAILURE;
}
