#!/usr/bin/python3
"""What a plain ZeroMQ and msgpack client can do with a Dongting node. Checks itself.

usage: demo.py [--endpoint tcp://127.0.0.1:9332] [--group 0]
exit code: 0 all as expected, 1 something was not, 2 no node answers there
"""

import argparse
import os
import sys

import dongting_client as dt

checks = 0


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        print(f"FAILED: {what}")
        sys.exit(1)
    print(f"  ok: {what}")


def step(text):
    print(text)


def show_hello(client):
    step("hello: who is there")
    hello = client.hello("demo.py")
    print(f"  node {hello['node_id']} of cluster {hello['cluster_id']}, groups {hello['groups']},"
          f" version {hello['server_version']}")
    check(hello["version"] == 1, "the node speaks protocol version 1")
    check(hello["client_id"] != 0, "hello gives a client id")
    check(hello["limits"]["frame_bytes_max"] > 0, "hello announces limits")
    client.ping()


def put_and_get(client, root):
    step("mkdir, put, get")
    made = client.mkdir(root)
    check(made.index > 0, "mkdir took effect at an index")
    check(client.put(root + b".color", b"blue").code == dt.SUCCESS, "first put creates")
    reply = client.put(root + b".color", b"green", dt.PREVIOUS)
    check(reply.code == dt.OVERWRITTEN, "second put overwrites")
    check(reply.body[1] == b"blue", "and returns the node as it was")
    check(client.get(root + b".color") == b"green", "get reads what was put")
    check(client.get(root) is None, "a directory has no value")
    check(client.get(root + b".color", options={4: reply.index}) == b"green",
          "a read may wait for an index")
    client.put(root + b".empty", b"")
    check(client.get(root + b".empty") == b"", "an empty value is a value")
    try:
        client.get(root + b".nothing")
        check(False, "get of nothing raises")
    except KeyError:
        check(True, "get of nothing says so")
    client.put(root + b".deep.down.key", b"x", dt.PARENTS)
    check(client.get(root + b".deep.down.key") == b"x", "PARENTS creates directories")


def pipeline(client, root):
    step("1000 puts in flight at once, over one DEALER")
    client.mkdir(root + b".many")
    numbers = [client.send(dt.PUT, [root + b".many.k%04d" % i, b"%d" % i]) for i in range(1000)]
    client.flush()
    codes = [client.wait(number).code for number in numbers]
    check(codes == [dt.SUCCESS] * 1000, "all created")


def list_pages(client, root):
    step("list in pages of 300")
    names = [name for name, _ in client.list(root + b".many", page=300)]
    check(names == [b"k%04d" % i for i in range(1000)], "all there, in order of their names")
    nodes = dict(client.list(root + b".many", page=300))
    check(nodes[b"k0042"][1] == b"42", "with their values")
    count = client.call(dt.LIST, [root + b".many", dt.COUNT_ONLY]).body
    check(count[0] == [] and count[2] == 1000, "COUNT_ONLY counts them")
    keys = [name for name, _ in client.list(root + b".deep", dt.RECURSIVE | dt.KEYS_ONLY)]
    check(keys == [b"down", b"down.key"], "RECURSIVE lists a directory before its children")


def batches(client, root):
    step("batches")
    a, b, bad = root + b".a", root + b".b", root + b".no-such-directory.c"
    results = client.batch_put([(a, b"1"), (bad, b"2"), (b, b"3")])
    check(results[0][0] == 0 and results[1][0] not in (0, 3) and results[2][0] == 0,
          "each item has its own result")
    values = client.batch_get([a, root + b".missing", b])
    check([code for code, _ in values] == [0, dt.NOT_FOUND, 0], "batch_get reads what is there")
    check(values[0][1][1] == b"1" and values[2][1][1] == b"3", "with values")
    body = [[[a, b"10"], [bad, b"20"]], dt.ATOMIC]
    reply = client.wait(client.send(dt.BATCH_PUT, body))
    check(reply.code not in (0, 3), "an atomic batch with a bad item is refused")
    check(client.get(a) == b"1", "and nothing of it happened")
    codes = [code for code, _ in client.batch_remove([a, b])]
    check(codes == [0, 0], "batch_remove removes")


def compare_and_set(client, root):
    step("compare and set")
    path = root + b".cas"
    check(client.compare_and_set(path, dt.BY_VALUE, None, b"1"), "creates what must not exist")
    check(not client.compare_and_set(path, dt.BY_VALUE, None, b"2"), "but only once")
    check(client.compare_and_set(path, dt.BY_VALUE, b"1", b"2"), "changes the value expected")
    check(not client.compare_and_set(path, dt.BY_VALUE, b"1", b"3"), "and no other")
    meta = client.call(dt.GET, [path, dt.META]).body[2]
    check(client.compare_and_set(path, dt.BY_VERSION, meta[2], b"4"), "by version")
    meta = client.call(dt.GET, [path, dt.META]).body[2]
    check(client.compare_and_set(path, dt.BY_INDEX, meta[1], None), "by index; nil removes")
    check(client.wait(client.send(dt.GET, [path])).code == dt.NOT_FOUND, "it is gone")


def sessions(client, root):
    step("a session: a write sent twice happens once")
    session = dt.Session(client)
    path = root + b".once"
    seq = session.begin()
    body = [path, dt.BY_VALUE, None, b"mine"]
    first = session.send_once(dt.COMPARE_AND_SET, body, seq)
    again = session.send_once(dt.COMPARE_AND_SET, body, seq)
    session.settle(seq)
    check(first.code == dt.SUCCESS, "the write was carried out")
    check((again.code, again.index) == (first.code, first.index),
          "sent again, it has the same result and the same index")
    reply = session.write(dt.PUT, [path, b"next"])
    check(reply.code == dt.OVERWRITTEN and reply.index > first.index, "the next one is new")
    reply = session.send_once(dt.PUT, [path, b"too late"], seq)
    check(reply.code == dt.SESSION_SEQ_STALE, "one acknowledged before is refused")
    check(client.get(path) == b"next", "and did nothing")
    session.keepalive()
    session.close()
    reply = session.send_once(dt.PUT, [path, b"after"], session.begin())
    check(reply.code == dt.SESSION_UNKNOWN, "no write under a session that is closed")


def req_socket(endpoint, group, root):
    step("the same over a REQ socket")
    client = dt.ReqClient(endpoint, group)
    client.put(root + b".req", b"1")
    check(client.get(root + b".req") == b"1", "put and get")
    for i in range(10):
        client.put(root + b".req", b"%d" % i)
    check(client.get(root + b".req") == b"9", "one after the other")
    check(client.ask(200, None).code == dt.UNKNOWN_OPERATION, "an unknown operation is refused")
    check(client.get(root + b".req") == b"9", "and the next one carried out")
    client.close()


def clean_up(client, root):
    step("remove everything")
    client.remove(root, dt.RECURSIVE)
    check(client.wait(client.send(dt.GET, [root])).code == dt.NOT_FOUND, "nothing is left")


def main():
    parser = argparse.ArgumentParser(description="Dongting from Python")
    parser.add_argument("--endpoint", default="tcp://127.0.0.1:9332")
    parser.add_argument("--group", type=int, default=0)
    arguments = parser.parse_args()
    client = dt.Client(arguments.endpoint, arguments.group)
    root = b"demo-" + os.urandom(6).hex().encode()
    try:
        show_hello(client)
        put_and_get(client, root)
        pipeline(client, root)
        list_pages(client, root)
        batches(client, root)
        compare_and_set(client, root)
        sessions(client, root)
        req_socket(arguments.endpoint, arguments.group, root)
        clean_up(client, root)
    except dt.NoAnswer as error:
        print(f"FAILED: {error} at {arguments.endpoint}")
        return 2
    except dt.DongtingError as error:
        print(f"FAILED: {error}")
        return 1
    client.close()
    print(f"all {checks} checks passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
