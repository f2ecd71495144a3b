"""Hostile clients against a real node: each answered or dropped, the node serves on, memory stays bounded."""

import os
import random
import resource
import sys
import time

import lib
from lib import check, check_equal, until

sys.path.insert(0, os.path.join(lib.ROOT, "demos/python"))
import msgpack  # noqa: E402
import zmq  # noqa: E402
import dongting_client as dongting  # noqa: E402

MALFORMED, UNKNOWN_OPERATION, UNKNOWN_GROUP, VERSION = 64, 66, 67, 65


def dealer(node, context=None):
    socket = (context or zmq.Context.instance()).socket(zmq.DEALER)
    dongting.configure(socket)
    socket.setsockopt(zmq.IMMEDIATE, 0)
    socket.connect(node.endpoint)
    return socket


def replies(socket, wait_ms=2000):
    """What comes back within a time, as a list."""
    found = []
    while socket.poll(wait_ms):
        found += list(dongting.unpack_replies(socket.recv_multipart()[-1]))
        wait_ms = 50
    return found


def serves(node):
    node.ctl("put", "alive", "yes")
    check_equal(node.ctl("get", "alive").out, b"yes")


def resident(node):
    """Resident memory in MiB."""
    with open(f"/proc/{node.process.pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return 0


def test_malformed_frames_are_answered_and_dropped(workspace):
    node = workspace.node()
    good = msgpack.packb([7, 1, 0, 0, None])
    socket = dealer(node)
    for bad, number in ((b"\xc1", 0), (b"\x95", 0), (b"hello", 0), (b"\x93\x01\x02\x03", 1),
                        (msgpack.packb([9, "put", 0, 0, []]), 9), (b"\x91" * 100, 0),
                        (b"\xdd\xff\xff\xff\xff", 0), (b"\xdf\xff\xff\xff\xff", 0), (b"", 0),
                        (msgpack.packb([3, 6, 0, 0, [b"k", b"v", 0, 0]])[:-3], 3)):
        socket.send(good + bad if bad else bad)
        got = replies(socket)
        check(any(reply.code == MALFORMED for reply in got), f"{bad[:20]!r}: {got}")
        check_equal([reply.id for reply in got if reply.code == MALFORMED], [number], f"{bad[:20]!r}")
        check(not bad or any(reply.id == 7 and reply.code == 0 for reply in got), f"{bad[:20]!r}: {got}")
    # A body that is no sensible argument never enters the log.
    for body in (None, [], [1], [b"a..b", b"v"], [b".a", b"v"], [b"", b"v"], [b"k"], [b"k", 7],
                 [b"k", [[[[[[b"v"]]]]]]], {1: 2}):
        socket.send(msgpack.packb([5, 6, 0, 0, body]))
        (reply,) = replies(socket)
        check(reply.code in (4, 7, 8, 15, MALFORMED), f"{body!r}: {reply}")
    # The one that did asked to overwrite the root, which is for the store to refuse.
    check_equal(node.ctl("status", "-o", "json").record()["last_index"], 3, "entries in the log")
    serves(node)


def test_random_bytes_do_no_harm(workspace):
    node = workspace.node()
    chance = random.Random(20261124)
    socket = dealer(node)
    seed_frames = [msgpack.packb([i, op, 0, 0, body]) for i, (op, body) in enumerate((
        (6, [b"k", b"v"]), (5, [b"k"]), (72, [b"", 4]), (74, [[[b"a", b"1"], [b"b", b"2"]], 32]),
        (76, [b"k", 0, b"v", b"w"]), (90, [5000]), (2, [1, 0]), (46, None)))]
    for _ in range(3000):
        frame = bytearray(chance.choice(seed_frames))
        for _ in range(chance.randrange(1, 4)):
            frame[chance.randrange(len(frame))] = chance.randrange(256)
        socket.send(bytes(frame) if chance.random() < 0.8 else chance.randbytes(chance.randrange(1, 200)))
    while socket.poll(200):
        socket.recv_multipart()
    serves(node)


def test_unknown_things_are_named(workspace):
    node = workspace.node()
    client = dongting.Client(node.endpoint)
    for operation, body, group, code in ((999, None, 0, UNKNOWN_OPERATION), (3, None, 0, UNKNOWN_OPERATION),
                                         (5, [b"k"], 42, UNKNOWN_GROUP), (2, [99, 0], 0, VERSION)):
        client.group = group
        reply = client.wait(client.send(operation, body))
        check_equal(reply.code, code, f"operation {operation} group {group}")
        check(reply.extras[3], "a message")


def test_limits_hold_and_are_named(workspace):
    node = workspace.node()
    client = dongting.Client(node.endpoint)
    for operation, body, code in (
            (6, [b"k" * 8193, b"v"], 11), (6, [b"k", b"v" * 1048577], 12), (6, [b".".join([b"a"] * 129), b"v"], 11),
            (6, [b"no.such.parent", b"v"], 9), (5, [b"a..b"], 7), (70, [b""], 7), (73, [[b"k"] * 10001], 30),
            (90, [1], 21), (90, [10 ** 12], 21)):
        reply = client.wait(client.send(operation, body))
        check_equal(reply.code, code, f"operation {operation}: code")
    client.call(6, [b"k" * 8192, b"v"])
    client.call(6, [b"k", b"v" * 1048576])
    serves(node)


def test_a_frame_over_the_limit_ends_only_its_own_connection(workspace):
    node = workspace.node()
    other = dongting.Client(node.endpoint)
    other.put("k", b"v")
    socket = dealer(node)
    socket.setsockopt(zmq.MAXMSGSIZE, -1)
    socket.send(b"x" * (9 * 1024 * 1024))
    check_equal(replies(socket, 500), [], "replies")
    check_equal(other.wait(other.send(5, [b"k"])).code, 0, "code for another client")
    serves(node)


def test_multipart_floods_cost_no_memory(workspace):
    node = workspace.node()
    serves(node)
    before = resident(node)
    socket = dealer(node)
    for _ in range(200):
        socket.send_multipart([b"x" * 1000] * 300)
    socket.send_multipart([b"", b"", msgpack.packb([1, 1, 0, 0, None])])
    check_equal(replies(socket, 500), [], "replies to messages of too many frames")
    socket.send(msgpack.packb([2, 1, 0, 0, None]))
    check_equal([reply.id for reply in replies(socket)], [2], "the next good message")
    check(resident(node) < before + 100, f"{before} MiB became {resident(node)} MiB")
    serves(node)


def test_a_client_that_never_reads_costs_bounded_memory(workspace):
    node = workspace.node()
    other = dongting.Client(node.endpoint)
    other.put("big", b"x" * 65536)
    before = resident(node)
    context = zmq.Context()
    sockets = []
    request = b"".join(msgpack.packb([i, 5, 0, 0, [b"big"]]) for i in range(50))
    for _ in range(4):
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, 1)
        socket.setsockopt(zmq.RCVBUF, 4096)
        socket.connect(node.endpoint)
        sockets.append(socket)
        for _ in range(100):
            socket.send(request)
    until(lambda: other.wait(other.send(1, None)).code == 0, "the node answers others")
    time.sleep(1)
    serves(node)
    check(resident(node) < before + 400, f"{before} MiB became {resident(node)} MiB")
    for socket in sockets:
        socket.close()
    context.term()
    serves(node)


def test_two_thousand_connections(workspace):
    node = workspace.node(max_clients=3000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (10000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    context = zmq.Context(2)
    context.set(zmq.MAX_SOCKETS, 4000)
    sockets = [dealer(node, context) for _ in range(2000)]
    for number, socket in enumerate(sockets):
        socket.send(msgpack.packb([number, 6, 0, 0, [b"k%d" % number, b"v"]]))
    for number, socket in enumerate(sockets):
        check(socket.poll(10000), f"client {number} gets its reply")
        (reply,) = dongting.unpack_replies(socket.recv())
        check_equal((reply.id, reply.code), (number, 0), "reply")
    serves(node)
    for socket in sockets:
        socket.close()
    context.term()
    serves(node)


def test_too_few_file_descriptors_are_survived(workspace):
    node = workspace.node(start=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    node.start(max_clients=100)
    resource.prlimit(node.process.pid, resource.RLIMIT_NOFILE, (120, 120))
    client = dongting.Client(node.endpoint)
    client.put("k", b"v")
    context = zmq.Context()
    sockets = [dealer(node, context) for _ in range(200)]
    for socket in sockets:
        socket.send(msgpack.packb([1, 1, 0, 0, None]))
    time.sleep(1)
    check(node.alive(), "the node ended")
    client.put("k", b"w")
    for socket in sockets:
        socket.close()
    context.term()
    until(lambda: node.ctl("ping", code=None).code == 0, "new connections are served again")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    serves(node)


if __name__ == "__main__":
    lib.main(globals())
