"""What clients see of real nodes that are killed and paused under them is linearizable."""

import os
import shutil
import time

import lib
from cluster import Load, ProxiedCluster, sanitized
from lib import Cluster, check, until
from nemesis import Nemesis, plan


def test_one_node_killed_again_and_again_stays_linearizable(workspace):
    node = workspace.node(snapshot_after="1MiB", segment_size="256KiB")
    load = Load(workspace, node.endpoint, 6)
    for _ in range(4):
        time.sleep(0.7)  # the load is what passes the time
        node.kill()
        node.start()
    load.end(writes_min=200)
    node.stop()


def test_one_node_paused_longer_than_clients_wait_stays_linearizable(workspace):
    node = workspace.node()
    load = Load(workspace, node.endpoint, 6, timeout_ms=300)
    for _ in range(3):
        time.sleep(0.5)
        node.pause()
        time.sleep(0.6)
        node.resume()
    counts = load.end(writes_min=200)
    check(counts["unknown"] > 0, "some writes have no answer")
    node.stop()


def test_a_node_that_forgets_is_found(workspace):
    """Planted: an older copy of the disk takes the place of the node's, and acknowledged writes are gone."""
    node = workspace.node()
    load = Load(workspace, node.endpoint, 6)
    time.sleep(1)
    node.kill()
    copy = os.path.join(workspace.path, "copy")
    shutil.copytree(node.data_dir, copy)
    node.start()
    time.sleep(1.5)
    node.kill()
    shutil.rmtree(node.data_dir)
    shutil.copytree(copy, node.data_dir)
    node.start()
    load.end(writes_min=100, verdict=1)


def test_paused_leaders_serve_nothing_old(workspace):
    cluster = Cluster(workspace).start()
    cluster.leader()
    load = Load(workspace, cluster.endpoints, 8, timeout_ms=1500)
    for _ in range(2):
        time.sleep(0.5)
        leader = cluster.leader()
        cluster.nodes[leader].pause()
        time.sleep(1.7)  # longer than the election: another leads when it wakes
        cluster.nodes[leader].resume()
    load.end(writes_min=200)
    cluster.settle()


# By seed: what a cluster meets in these seconds. NEMESIS_SEED, _SECONDS, _NODES make others.
SEED = int(os.environ.get("NEMESIS_SEED", "1"))
SECONDS = int(os.environ.get("NEMESIS_SECONDS", "25"))
NODES = int(os.environ.get("NEMESIS_NODES", "3"))
# Long runs go in rounds, each with keys of its own: a key with many writes of unknown outcome cannot be judged.
ROUND_SECONDS = 60
ELECTION_S = 1.0


def nemesis_round(workspace, cluster, seed, seconds):
    """Faults by seed under load; after the last one the cluster serves at once, and the history is judged."""
    load = Load(workspace, cluster.endpoints, seconds + 3, timeout_ms=2000, rate=100, seed=seed,
                directory=f"lin{seed}")
    nemesis = Nemesis(cluster, plan(seed, seconds), seed)
    nemesis.run()
    healed = time.monotonic()
    until(lambda: cluster.ctl("put", "healed", "1", code=None, timeout="5s").code == 0,
          "the healed cluster takes a write", 3 * ELECTION_S)
    print(f"  seed {seed}: {', '.join(nemesis.done)}; "
          f"served {time.monotonic() - healed:.2f} s after healing", flush=True)
    load.end(writes_min=200, wait_s=seconds + 60)
    cluster.settle()


def test_cluster_under_faults_stays_linearizable(workspace):
    cluster = ProxiedCluster(workspace, NODES, SEED, snapshot_after="1MiB", segment_size="1MiB",
                             election_time=f"{ELECTION_S:.0f}s", heartbeat="100ms")
    try:
        cluster.start()
        cluster.leader()
        before = cluster.usage()
        for begin in range(0, SECONDS, ROUND_SECONDS):
            nemesis_round(workspace, cluster, SEED + begin // ROUND_SECONDS,
                          min(ROUND_SECONDS, SECONDS - begin))
        after = cluster.usage()
        print(f"  resident KiB and open files of each node: {before} before, {after} after")
        for number, (resident, files) in after.items():
            check(files <= before[number][1] + 16, f"node {number}: open files {before} {after}")
            check(resident <= before[number][0] + 65536 or sanitized(workspace.build),
                  f"node {number}: memory {before} {after}")
    finally:
        cluster.close()


if __name__ == "__main__":
    lib.main(globals())
