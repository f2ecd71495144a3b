"""Temporary nodes end in time, and not before: on real nodes, across kill -9."""

import os
import sys
import time

import lib
from lib import check, check_equal, until

sys.path.insert(0, os.path.join(lib.ROOT, "demos/python"))
import dongting_client as dongting  # noqa: E402

PUT_TEMP, MKDIR_TEMP, UPDATE_TTL = 80, 81, 82
OWNED = 128
SESSION_ID = 2  # option


def put_temp(client, path, ttl_ms, flags=0, options=None):
    return client.call(PUT_TEMP, [path, b"value", ttl_ms, flags], options=options)


def is_there(client, path):
    return client.call(dongting.GET, [path], expect=(0, 2)).code == 0


def gone(client, path, wait_s):
    until(lambda: not is_there(client, path), f"{path} is gone", wait_s)


def test_a_temporary_node_goes_after_its_ttl(workspace):
    client = dongting.Client(workspace.node().endpoint)
    before = time.monotonic()
    put_temp(client, b"a", 1000)
    check(is_there(client, b"a"), "it is there at first")
    gone(client, b"a", 5)
    lived_s = time.monotonic() - before
    check(0.99 < lived_s < 2.5, f"lived {lived_s} s")
    check(client.status()["nodes"] == 0, "nothing is left")


def test_renewal_lets_it_live_on(workspace):
    client = dongting.Client(workspace.node().endpoint)
    put_temp(client, b"a", 1500)
    before = time.monotonic()
    while time.monotonic() - before < 3:
        before_renewal = time.monotonic()
        check_equal(client.call(UPDATE_TTL, [b"a", 1500]).body, [1500])
        time.sleep(0.3)
    gone(client, b"a", 5)
    check(time.monotonic() - before_renewal > 1.49, "it lived for its ttl after the last renewal")


def test_what_a_session_owns_goes_with_it(workspace):
    client = dongting.Client(workspace.node().endpoint)
    session = client.call(dongting.SESSION_OPEN, [1000]).body[0]
    put_temp(client, b"a", 0, OWNED, {SESSION_ID: session})
    client.call(MKDIR_TEMP, [b"d", 0, OWNED], options={SESSION_ID: session})
    client.put(b"d.b", b"1")
    gone(client, b"a", 5)
    check(not is_there(client, b"d.b"), "all went at once")
    check_equal(client.status()["sessions"], 0, "sessions")


def test_nothing_ends_early_after_kill_9(workspace):
    node = workspace.node()
    client = dongting.Client(node.endpoint)
    put_temp(client, b"a", 2000)
    put_temp(client, b"b", 86400000)
    node.kill()
    time.sleep(2.5)  # nobody leads: cluster time stands still
    node.start()
    restarted = time.monotonic()
    client = dongting.Client(node.endpoint)
    check(is_there(client, b"a"), "it did not end while no node ran")
    gone(client, b"a", 6)
    check(time.monotonic() - restarted > 1, "it had time left")
    check(is_there(client, b"b"), "the other one lives")
    node.kill()
    node.start()
    client = dongting.Client(node.endpoint)
    check(not is_there(client, b"a"), "what is gone does not come back")
    check(is_there(client, b"b"), "the other one lives still")


if __name__ == "__main__":
    lib.main(globals())
