"""Watches of real nodes, with the Python client written from docs/PROTOCOL.md."""

import os
import sys
import threading

import lib
from lib import Cluster, check, check_equal, until

sys.path.insert(0, os.path.join(lib.ROOT, "demos/python"))
import dongting_client as dongting  # noqa: E402


def events_of(watch, count, wait_s=20.0):
    found = []
    while len(found) < count:
        events = watch.poll(wait_s)
        check(events, f"{count} events come, {len(found)} did: {found}")
        found += events
    return found


def short(events):
    return [("+" if event.operation == dongting.PUT_EVENT else "-") + event.path.decode()
            for event in events if event.kind in (dongting.CHANGES, dongting.CHANGES_MORE)]


def test_changes_come_in_order_with_nodes_and_previous(workspace):
    node = workspace.node()
    client = dongting.Client(node.endpoint)
    watch = dongting.Watch([node.endpoint], "d", filters=8)
    check_equal(watch.poll(0.3), [], "events before any")
    client.put("d.a", "1", dongting.PARENTS)
    client.put("other", "x")
    client.put("d.a", "2")
    client.remove("d", dongting.RECURSIVE)
    events = events_of(watch, 5)
    check_equal(short(events), ["+d", "+d.a", "+d.a", "-d.a", "-d"])
    check_equal(events[2].node[1], b"2")
    check_equal(events[2].previous[1], b"1")
    check_equal(events[3].index, events[4].index, "index of one entry's events")
    watch.close()


def test_initial_state_then_changes(workspace):
    node = workspace.node()
    client = dongting.Client(node.endpoint)
    client.batch_put([(f"d.k{i:04}", "v") for i in range(1000)], dongting.PARENTS)
    watch = dongting.Watch([node.endpoint], "d", initial=True)
    events = events_of(watch, 1002)
    check_equal(len([event for event in events if event.kind == dongting.STATE]), 1001, "nodes")
    check_equal(events[1001].kind, dongting.STATE_END)
    client.put("d.k0001", "w")
    check_equal(short(events_of(watch, 1)), ["+d.k0001"])
    watch.close()


def test_an_index_is_enough_to_go_on_after_a_restart(workspace):
    node = workspace.node()
    client = dongting.Client(node.endpoint)
    index = client.put("a", "1").index
    client.put("b", "2")
    client.put("c", "3")
    client.close()
    node.kill()
    node.start()
    watch = dongting.Watch([node.endpoint], after=index)
    check_equal(short(events_of(watch, 2)), ["+b", "+c"])
    watch.close()


def test_what_is_not_kept_any_more_is_said(workspace):
    node = workspace.node(history_bytes_max="64KiB")
    client = dongting.Client(node.endpoint)
    client.put("a", "1")
    for _ in range(30):
        client.put("b", "v" * 10000)
    watch = dongting.Watch([node.endpoint], after=1)
    try:
        watch.poll(5)
    except dongting.WatchEnded as ended:
        check_equal(ended.code, 39, "code")
    else:
        check(False, "the watch is refused")


def test_a_client_that_never_reads_costs_its_window_only(workspace):
    node = workspace.node()
    client = dongting.Client(node.endpoint)
    deaf = dongting.Client(node.endpoint)
    stream = deaf.call(dongting.WATCH_OPEN, [65536]).body[1]
    deaf.call(dongting.WATCH_ADD, [stream, [[1, ""]]])
    for number in range(300):
        client.put("big", "v" * 100000)
    row = client.call(dongting.WATCH_LIST, None).body[0]
    check(row[4] < 400000, f"bytes on their way stay near the window: {row}")
    check(row[5] > 0, f"the stream is behind: {row}")


def test_a_watch_survives_its_node(work):
    cluster = Cluster(work).start()
    leader = cluster.leader()
    follower = next(number for number in cluster.nodes if number != leader)
    others = [number for number in cluster.nodes if number != follower]
    order = [cluster.nodes[number].endpoint for number in [follower] + others]
    watch = dongting.Watch(order)
    watch.poll(0.5)
    client = dongting.Client(cluster.nodes[leader].endpoint)
    wanted = []

    def write(count):
        for _ in range(count):
            wanted.append(f"+k{len(wanted)}")
            client.put(wanted[-1][1:], "v")

    write(200)
    found = short(events_of(watch, 100))
    cluster.nodes[follower].kill()
    writer = threading.Thread(target=write, args=(200,))
    writer.start()
    while len(found) < 400:
        events = watch.poll(20)
        check(events, f"events go on; {len(found)} came")
        found += short(events)
    writer.join()
    check_equal(found, wanted, "events")
    watch.close()


if __name__ == "__main__":
    lib.main(globals())
