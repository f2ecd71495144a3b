"""The proxy's faults, and the plans of the nemesis, by themselves: what a fault does is seen at plain sockets."""

import os
import socket
import time

import lib
import nemesis
from lib import check, check_equal, run
from proxy import Proxy


class Wires:
    """A proxy before listening sockets, for this process as the source "me"."""

    def __init__(self, known=True):
        self.proxy = Proxy(lambda: {"me": os.getpid()} if known else {})
        self.listeners = {}
        self.ports = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proxy.close()
        for listener in self.listeners.values():
            listener.close()

    def destination(self, name):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10)
        self.listeners[name] = listener
        self.ports[name] = self.proxy.listen(name, listener.getsockname()[1])

    def connect(self, name):
        """Both ends of a connection through the proxy."""
        near = socket.create_connection(("127.0.0.1", self.ports[name]))
        far, _ = self.listeners[name].accept()
        for end in (near, far):
            end.settimeout(10)
        return near, far


def wires(*names):
    made = Wires()
    for name in names:
        made.destination(name)
    return made


def silent(end, wait_s=0.2):
    """Nothing comes, and no end."""
    end.settimeout(wait_s)
    try:
        end.recv(1)
        return False
    except socket.timeout:
        return True
    finally:
        end.settimeout(10)


def ended(end):
    """The connection ends, in order or not."""
    try:
        return end.recv(1) == b""
    except ConnectionError:
        return True


def test_pass_carries_both_directions(_work):
    with wires("a") as made:
        near, far = made.connect("a")
        near.sendall(b"there")
        check_equal(far.recv(5), b"there")
        far.sendall(b"back")
        check_equal(near.recv(4), b"back")


def test_hold_delivers_after_healing_and_leaves_the_other_direction(_work):
    with wires("a") as made:
        near, far = made.connect("a")
        made.proxy.set("me", "a", "hold")
        near.sendall(b"late")
        check(silent(far), "nothing arrives")
        far.sendall(b"back")
        check_equal(near.recv(4), b"back")
        made.proxy.heal()
        check_equal(far.recv(4), b"late")


def test_cut_resets_old_and_new_connections(_work):
    with wires("a") as made:
        near, far = made.connect("a")
        made.proxy.set("me", "a", "cut")
        check(ended(near) and ended(far), "both ends see it")
        again = socket.create_connection(("127.0.0.1", made.ports["a"]))
        again.settimeout(10)
        check(ended(again), "a new connection too")
        made.proxy.heal()
        near, far = made.connect("a")
        near.sendall(b"x")
        check_equal(far.recv(1), b"x")


def test_half_open_ends_only_the_far_side(_work):
    with wires("a") as made:
        near, far = made.connect("a")
        made.proxy.set("me", "a", "half_open")
        check(ended(far), "the destination sees the end")
        near.sendall(b"into nothing")
        check(silent(near), "the source sees none")
        made.proxy.heal()
        check(ended(near), "healing ends it")


def test_delay_keeps_order_and_takes_time(_work):
    with wires("a") as made:
        near, far = made.connect("a")
        made.proxy.set("me", "a", "delay", delay_s=0.2)
        begin = time.monotonic()
        near.sendall(b"1")
        near.sendall(b"2")
        check_equal(far.recv(1), b"1")
        check(time.monotonic() - begin >= 0.19, "it came too early")
        check_equal(far.recv(1), b"2")


def test_lossy_link_loses_its_connections(_work):
    with wires("a") as made:
        near, far = made.connect("a")
        made.proxy.set("me", "a", "lossy", chance=1.0)
        near.sendall(b"x")
        check(ended(near) and ended(far), "the connection is lost")


def test_a_fault_concerns_its_link_alone(_work):
    with wires("a", "b") as made:
        made.connect("a")
        near, far = made.connect("b")
        made.proxy.set("me", "a", "cut")
        near.sendall(b"x")
        check_equal(far.recv(1), b"x")


def test_strangers_are_refused(_work):
    with Wires(known=False) as made:
        made.destination("a")
        near = socket.create_connection(("127.0.0.1", made.ports["a"]))
        near.settimeout(10)
        check(ended(near), "nobody knows the process")


def test_a_plan_comes_from_its_seed(_work):
    check_equal(nemesis.plan(7, 60), nemesis.plan(7, 60))
    check(nemesis.plan(7, 60) != nemesis.plan(8, 60), "another seed, another plan")


def test_faults_of_a_plan_follow_each_other_and_end_in_time(_work):
    seen = set()
    for seed in range(200):
        end_s = 0
        for step in nemesis.plan(seed, 30):
            check(step.at_s > end_s, f"seed {seed}: {step} begins before the one before ended")
            end_s = step.at_s + step.last_s
            seen.add(step.fault)
        check(end_s <= 30, f"seed {seed} takes {end_s} s")
    check_equal(seen, set(nemesis.FAULTS), "faults of all plans")


class FakeNode:
    def __init__(self, calls, number):
        self.calls = calls
        self.number = number

    def __getattr__(self, name):
        return lambda **_: self.calls.append((name, self.number))


class FakeCluster:
    """Notes what a nemesis does to it."""

    def __init__(self):
        self.calls = []
        self.nodes = {number: FakeNode(self.calls, number) for number in (1, 2, 3)}
        self.proxy = self

    def leader(self):
        return 2

    def ctl(self, *arguments, code=0):
        self.calls.append(arguments)

    def set(self, source, destination, kind, **_):
        self.calls.append((kind, source, destination))

    def heal(self):
        self.calls.append(("heal",))


def done_by(fault, target):
    cluster = FakeCluster()
    nemesis.Nemesis(cluster, [nemesis.Step(0, fault, target, 0.01)]).run()
    return cluster.calls


def test_each_fault_is_healed(_work):
    check_equal(done_by("kill", "leader"), [("kill", 2), ("start", 2)])
    check_equal(done_by("stop", "leader"), [("stop", 2), ("start", 2)])
    check_equal(done_by("pause", "leader"), [("pause", 2), ("resume", 2)])
    for fault in ("isolate", "one_way_out", "one_way_in", "flap", "delay", "lossy", "half_open"):
        check_equal(done_by(fault, "follower")[-1], ("heal",), fault)


def test_faults_of_links_take_the_links_they_mean(_work):
    check_equal(done_by("one_way_out", "leader")[:-1], [("hold", 2, 1), ("hold", 2, 3)])
    check_equal(done_by("one_way_in", "leader")[:-1], [("hold", 1, 2), ("hold", 3, 2)])
    check_equal(len(done_by("isolate", "leader")), 5)
    check_equal(len(done_by("delay", "all")), 7)


def test_the_verdict_is_an_exit_code(work):
    """What the harness relies on: 0 good, 1 bad, 2 not known."""
    histories = os.path.join(lib.ROOT, "tests/lin/histories")
    check_program = work.program("tests/lin/lin_check")
    run([check_program, os.path.join(histories, "good_cas_chain.txt")], code=0)
    ran = run([check_program, os.path.join(histories, "good_cas_chain.txt"),
               os.path.join(histories, "bad_stale_read.txt")], code=1)
    check("no order explains" in ran.text, "the operations that show it")
    run([check_program, work.file("broken.txt", "not a history\n")], code=2)


if __name__ == "__main__":
    lib.main(globals())
