"""Clusters of real nodes: elections, failures, members. Nothing acknowledged is lost, nothing old is read."""

import glob
import os
import shutil
import threading
import time

import lib
from lib import Cluster, check, check_equal, until


class Writer(threading.Thread):
    """Puts one key after the other, and remembers which were acknowledged."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.acked = []
        self.failed = []
        self.longest_s = 0
        self.ending = False
        self.start()

    def run(self):
        number = 0
        while not self.ending:
            begin = time.monotonic()
            ran = self.cluster.ctl("put", f"w{number}", f"v{number}", code=None)
            self.longest_s = max(self.longest_s, time.monotonic() - begin)
            (self.acked if ran.code == 0 else self.failed).append(number)
            number += 1

    def end(self):
        self.ending = True
        self.join()
        return self.acked

    def more(self, count=20):
        """Wait until that many more were acknowledged."""
        reach = len(self.acked) + count
        until(lambda: len(self.acked) >= reach, f"{count} more writes are acknowledged")


def check_acked(cluster, acked):
    """Every acknowledged key is read with its value, from every node."""
    for node in cluster.nodes.values():
        if not node.alive():
            continue
        found = {record["name"]["text"] if isinstance(record["name"], dict) else record["name"]
                 for record in node.ctl("ls", "-o", "json").records()}
        lost = [number for number in acked if f"w{number}" not in found]
        check(not lost, f"{node.name} lost acknowledged keys {lost[:5]}")


def test_three_nodes_serve_from_any_address(work):
    cluster = Cluster(work).start()
    leader = cluster.leader()
    for number, node in cluster.nodes.items():
        node.ctl("put", f"key{number}", f"value{number}")  # followers name the leader
    for reader in cluster.nodes.values():
        for number in cluster.nodes:
            for mode in ("linearizable", "readindex"):
                found = reader.ctl("get", f"key{number}", "--consistency", mode).text.strip()
                check_equal(found, f"value{number}", f"{mode} read at {reader.name}")
    members = cluster.ctl("members", "-o", "json").records()
    check_equal({member["id"] for member in members}, {1, 2, 3}, "members")
    check_equal([member["id"] for member in members if member["role"] == "leader"], [leader],
                "leader")
    cluster.settle()
    for node in cluster.nodes.values():
        node.stop()


def test_killed_leader_loses_nothing(work):
    cluster = Cluster(work).start()
    writer = Writer(cluster)
    for _ in range(3):
        writer.more()
        leader = cluster.leader()
        cluster.nodes[leader].kill()
        cluster.leader(but=leader)
        writer.more()
        cluster.nodes[leader].start(wait=False)
        cluster.caught_up()
    acked = writer.end()
    cluster.settle()
    check_acked(cluster, acked)
    check(writer.longest_s < 8, f"a write took {writer.longest_s:.1f} s")


def test_paused_leader_serves_nothing_old(work):
    cluster = Cluster(work).start()
    leader = cluster.leader()
    cluster.ctl("put", "x", "old")
    cluster.nodes[leader].pause()
    others = [node for number, node in cluster.nodes.items() if number != leader]
    until(lambda: others[0].ctl("put", "x", "new", "--timeout", "2s", code=None).code == 0,
          "the others take a write")
    cluster.nodes[leader].resume()
    found = until(lambda: cluster.nodes[leader].ctl("get", "x", code=None).text.strip(),
                  "the old leader answers again")
    check_equal(found, "new", "what the old leader answers")
    cluster.settle()


def log_files(node):
    return sorted(glob.glob(os.path.join(node.data_dir, "groups/1/log/*.log")))


def flip(path, part=2):
    """Flip a bit in the middle (or another part) of what a log segment holds."""
    with open(path, "r+b") as file:
        data = file.read().rstrip(b"\0")
        check(len(data) > 8192, f"{path} holds entries")
        place = 4096 + (len(data) - 4096) // part
        file.seek(place)
        file.write(bytes([data[place] ^ 4]))


def test_rotten_log_of_a_follower_is_repaired_from_the_others(work):
    cluster = Cluster(work).start()
    leader = cluster.leader()
    victim = next(number for number in cluster.nodes if number != leader)
    others = [number for number in cluster.nodes if number != victim]
    node = cluster.nodes[victim]
    for number in range(200):
        cluster.ctl("put", f"k{number}", f"v{number}" * 20) if number % 20 == 0 else \
            cluster.nodes[leader].ctl("put", f"k{number}", f"v{number}" * 20)
    cluster.settle()
    for number in cluster.nodes:
        cluster.nodes[number].stop()
    flip(log_files(node)[-1])
    # Alone it says what it lacks, and neither leads nor helps anybody to.
    start = os.path.getsize(node.log_path)
    node.start(wait=False)
    node.wait_log(r"REPAIR: the log under .* lost entries", start)
    until(lambda: cluster.status(victim).get("repairing"), "its status says that it is repairing")
    # A crash does not make it forget.
    node.kill()
    start = os.path.getsize(node.log_path)
    node.start(wait=False)
    node.wait_log(r"REPAIR: the log under .* lost entries", start)
    cluster.nodes[others[0]].start(wait=False)
    time.sleep(3)
    check_equal(cluster.status(others[0]).get("role") == "leader", False, "a leader by the vote of a damaged log")
    cluster.nodes[others[1]].start(wait=False)
    node.wait_log(r"REPAIR done", start)
    cluster.settle()
    check_equal(cluster.status(victim).get("repairing"), False, "repairing")
    for number in range(0, 200, 20):
        check_equal(node.ctl("get", f"k{number}", "--consistency", "stale").text.strip(), f"v{number}" * 20, f"k{number}")
    # Whole again: it counts, and starts like any other.
    cluster.nodes[others[0]].kill()
    cluster.ctl("put", "after", "1", timeout="20s")
    cluster.nodes[others[0]].start(wait=False)
    cluster.settle()
    start = os.path.getsize(node.log_path)
    node.stop()
    node.start(wait=False)
    cluster.settle()
    check("REPAIR" not in node.log(start), "nothing is left to repair")


def test_rotten_log_of_a_running_group_is_repaired_under_its_leader(work):
    cluster = Cluster(work).start()
    writer = Writer(cluster)
    writer.more(50)
    leader = cluster.leader()
    victim = next(number for number in cluster.nodes if number != leader)
    node = cluster.nodes[victim]
    for part in (2, 3, 50):
        node.stop()
        flip(log_files(node)[-1], part)
        start = os.path.getsize(node.log_path)
        node.start(wait=False)
        node.wait_log(r"REPAIR: the log under .* lost entries", start)
        node.wait_log(r"REPAIR done", start)
        writer.more(20)
    acked = writer.end()
    cluster.settle()
    check_acked(cluster, acked)


def test_rotten_log_of_a_single_node_is_refused(work):
    node = work.node("alone")
    for number in range(100):
        node.ctl("put", f"k{number}", f"v{number}" * 20)
    node.stop()
    before = [os.path.getsize(path) for path in log_files(node)]
    flip(log_files(node)[-1])
    node.start(wait=False)
    check_equal(node.process.wait(20), 9, "exit code of a node on a damaged log")
    node.process = None
    check("is corrupt" in node.log() and "REPAIR" not in node.log(), "the log says so")
    check_equal([os.path.getsize(path) for path in log_files(node)], before, "files")


def test_majority_lost_refuses_and_comes_back(work):
    cluster = Cluster(work).start()
    leader = cluster.leader()
    cluster.ctl("put", "x", "1")
    followers = [number for number in cluster.nodes if number != leader]
    for number in followers:
        cluster.nodes[number].kill()
    ran = cluster.nodes[leader].ctl("put", "x", "2", "--timeout", "3s", code=None)
    check(ran.code in (6, 7), f"a write without a quorum ends with {ran.code}: {ran.err}")
    ran = cluster.nodes[leader].ctl("get", "x", "--timeout", "2s", code=None)
    check_equal(ran.code, 6, "exit code of a read without a quorum")
    ran = cluster.nodes[leader].ctl("get", "x", "--consistency", "stale")
    check(ran.text.strip() in ("1", "2"), "a stale read answers")
    for number in followers:
        cluster.nodes[number].start(wait=False)
    cluster.ctl("put", "x", "3", timeout="20s")
    check_equal(cluster.ctl("get", "x").text.strip(), "3", "x")
    cluster.settle()


def test_members_come_and_go(work):
    cluster = Cluster(work, spare=1).start()
    cluster.ctl("put", "x", "1")
    cluster.join(4)
    cluster.ctl("member", "add", "4", "--peer", cluster.peer[4], "--service", cluster.service[4],
                timeout="30s")
    members = {m["id"]: m for m in cluster.ctl("members", "-o", "json").records()}
    check_equal(members[4]["role"] in ("voter", "leader"), True, "node 4 votes")
    cluster.ctl("transfer-leader", "4")
    check_equal(cluster.leader(), 4, "leader")
    cluster.ctl("member", "remove", "1", timeout="20s")
    cluster.ctl("member", "remove", "1", timeout="20s")  # once more: no error
    cluster.nodes.pop(1).stop()
    cluster.nodes[2].kill()
    cluster.ctl("put", "x", "2", timeout="20s")  # 3 and 4 are a quorum of 2, 3, 4
    cluster.nodes[2].start(wait=False)
    cluster.settle()
    ran = cluster.ctl("member", "remove", "3", "--dry-run")
    check("tolerates" in ran.err, "a dry run tells what is tolerated")
    # An observer gets everything and counts for nothing.
    cluster.ctl("member", "demote", "2", timeout="20s")
    members = {m["id"]: m for m in cluster.ctl("members", "-o", "json").records()}
    check_equal(members[2]["role"], "observer", "role of node 2")
    check_equal(cluster.nodes[2].ctl("get", "x").text.strip(), "2", "read at an observer")


def test_follower_catches_up_by_snapshot(work):
    cluster = Cluster(work, snapshot_after="1MiB", segment_size="1MiB").start()
    leader = cluster.leader()
    away = next(number for number in cluster.nodes if number != leader)
    cluster.nodes[away].kill()
    value = work.file("value", b"x" * 100000)
    for i in range(120):  # 12 MB: more than the log keeps
        cluster.ctl("put", f"big{i % 20}", "--file", value)
    cluster.nodes[leader].ctl("snapshot", "take", code=None)
    for i in range(20):
        cluster.ctl("put", f"more{i}", "y")
    cluster.nodes[away].start(wait=False)
    cluster.settle()
    check_equal(cluster.nodes[away].ctl("get", "more19").text.strip(), "y", "more19")


def test_lost_directory_is_refused(work):
    cluster = Cluster(work).start()
    leader = cluster.leader()
    cluster.ctl("put", "x", "1")
    until(lambda: int(cluster.status(leader)["config_index"]) > 2, "directories are noted")
    away = next(number for number in cluster.nodes if number != leader)
    cluster.nodes[away].kill()
    shutil.rmtree(cluster.nodes[away].data_dir)
    cluster.nodes[away].start(wait=False)
    cluster.nodes[away].wait_log("knows this node by another data directory")
    cluster.ctl("put", "x", "2")


def test_foreign_cluster_is_refused(work):
    cluster = Cluster(work).start()
    other = work.node("stranger", start=False, node_id=3, replicate="tcp://127.0.0.1:*",
                      cluster_id=78, election_time="500ms", heartbeat="50ms",
                      members=" ".join(f"{i}={cluster.peer[i]},{cluster.service[i]}"
                                       for i in (1, 2, 3)))
    other.start(wait=False)
    other.wait_log(r"cluster 7[78]")
    until(lambda: any("cluster 78" in node.log() for node in cluster.nodes.values()),
          "a node of the cluster says whom it refuses")
    cluster.ctl("put", "x", "1")


def test_rolling_restart_interrupts_nobody_for_long(work):
    cluster = Cluster(work).start()
    writer = Writer(cluster)
    for number in list(cluster.nodes):
        writer.more(10)
        cluster.nodes[number].stop()
        writer.more(10)
        cluster.nodes[number].start(wait=False)
        cluster.caught_up()
    acked = writer.end()
    check_acked(cluster, acked)
    check(writer.longest_s < 4, f"a write took {writer.longest_s:.1f} s")


def test_dead_node_is_replaced_under_load(work):
    cluster = Cluster(work, spare=1).start()
    writer = Writer(cluster)
    writer.more()
    leader = cluster.leader()
    dead = next(number for number in cluster.nodes if number != leader)
    cluster.nodes[dead].kill()
    ran = cluster.ctl("cluster", code=6)
    check(f"{dead} " in ran.text and "does not answer" in ran.text, f"cluster names the dead node: {ran.text}")
    cluster.join(4)
    change = ("member", "replace", str(dead), "4", "--peer", cluster.peer[4], "--service", cluster.service[4])
    dry = cluster.ctl(*change, "--dry-run")
    check("after" in dry.err and "4" in dry.err, f"a dry run shows what would be: {dry.err}")
    for _ in range(2):  # repeating it is no error
        cluster.ctl(*change, timeout="30s")
    del cluster.nodes[dead]
    writer.more()
    acked = writer.end()
    cluster.caught_up()
    check_acked(cluster, acked)
    states = cluster.ctl("cluster", "-o", "json").records()
    check_equal({state["id"] for state in states if state["role"] in ("leader", "voter")},
                set(cluster.nodes), "voters")
    check(all(state["health"] == "ok" for state in states), f"all are well: {states}")


if __name__ == "__main__":
    lib.main(globals())
