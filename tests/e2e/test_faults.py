"""A real node on a real disk: killed, stopped, paused, full, damaged, misused. Nothing acknowledged is lost."""

import glob
import os
import shutil
import subprocess
import sys
import time

import lib
from lib import check, check_equal, until

sys.path.insert(0, os.path.join(lib.ROOT, "demos/python"))
import dongting_client as dongting  # noqa: E402

PUT, GET, STOPPING = 6, 5, 73


class Load:
    """Puts in flight, and which of them were acknowledged."""

    def __init__(self, node, window=500):
        self.client = dongting.Client(node.endpoint, timeout=20)
        self.window = window
        self.next = 0
        self.flying = {}
        self.acked = set()
        self.refused = set()

    def pump(self):
        """Fill the window and take what has come."""
        while len(self.flying) < self.window:
            self.flying[self.client.send(PUT, [b"k%d" % self.next, b"v%d" % self.next])] = self.next
            self.next += 1
        self.client.flush()
        self.take(100)

    def take(self, wait_ms):
        socket = self.client._socket
        while socket.poll(wait_ms):
            for reply in dongting.unpack_replies(socket.recv()):
                key = self.flying.pop(reply.id)
                if reply.code in (0, 3):
                    self.acked.add(key)
                else:
                    check_equal(reply.code, STOPPING, "code of a refused put")
                    self.refused.add(key)
            wait_ms = 0


def check_acked(node, load):
    """Every acknowledged key is there; every key that is there has its own value."""
    client = dongting.Client(node.endpoint, timeout=20)
    for start in range(0, load.next, 5000):
        keys = range(start, min(start + 5000, load.next))
        numbers = {client.send(GET, [b"k%d" % key]): key for key in keys}
        for number, key in numbers.items():
            reply = client.wait(number)
            check(reply.code in (0, 2), f"get k{key}: code {reply.code}")
            if reply.code == 0:
                check_equal(bytes(reply.body[1]), b"v%d" % key, f"value of k{key}")
            else:
                check(key not in load.acked, f"k{key} was acknowledged and is lost")


def test_kill_9_under_load_loses_nothing_acknowledged(workspace):
    node = workspace.node(snapshot_after="1MiB", segment_size="256KiB")
    for turn in range(5):
        load = Load(node)
        end = time.monotonic() + 0.3 + 0.17 * turn
        while time.monotonic() < end:
            load.pump()
        node.kill()
        node.start()
        check(load.acked, "some puts were acknowledged")
        check_acked(node, load)
        node.ctl("rm", "-r", "--yes", "nothing", code=None)


def test_every_placement_and_disk_loses_nothing(workspace):
    for placement, disk in (("spread", "auto"), ("spread", "thread"), ("compact", "thread")):
        node = workspace.node(f"{placement}-{disk}", placement=placement, disk=disk, groups="1,2",
                              snapshot_after="1MiB", segment_size="256KiB")
        load = Load(node)
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            load.pump()
        node.kill()
        node.start()
        check_acked(node, load)
        node.ctl("--group", "2", "put", "other", "group")
        node.restart()
        check_equal(node.ctl("--group", "2", "get", "other").out, b"group")
        check_acked(node, load)
        node.stop()


def test_sigterm_under_load_answers_everything_accepted(workspace):
    node = workspace.node()
    load = Load(node, window=5000)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        load.pump()
    node.process.terminate()
    until(lambda: (load.take(50), not load.flying)[1] or not node.alive(), "all answers or the end")
    load.take(300)
    check_equal(node.process.wait(30), 0, "exit code")
    node.process = None
    check_equal(len(load.flying), 0, "puts without an answer")
    node.start()
    check_acked(node, load)


def test_a_pause_of_ten_seconds_is_survived(workspace):
    node = workspace.node()
    load = Load(node, window=50)
    load.pump()
    node.pause()
    time.sleep(10)
    node.resume()
    until(lambda: (load.take(50), not load.flying)[1], "the puts are answered")
    check_equal(len(load.acked), load.next, "acknowledged")
    check_acked(node, load)


def stop_while_writes_wait_for_space(node, client, filler):
    """More than fits is sent at once to a full disk; then the node is told to stop, and nobody makes room."""
    free = os.statvfs(os.path.dirname(filler))
    with open(filler, "wb") as file:
        file.write(b"x" * max(0, free.f_bavail * free.f_frsize - (256 << 10)))
    numbers = []
    for number in range(200):
        numbers.append(client.send(PUT, [b"w%d" % number, b"v" * 65536]))
        client.flush()
    time.sleep(1)
    node.process.terminate()
    begun = time.monotonic()
    codes = [client.wait(number).code for number in numbers]
    check_equal(node.process.wait(20), 0, "exit code of a stop on a full disk")
    check(time.monotonic() - begun < 5, f"stopped after {time.monotonic() - begun:.1f} s")
    node.process = None
    check("writes that wait for space are given up" in node.log(), "the log says so")
    check(72 in codes, f"writes without space are refused: {sorted(set(codes))}")
    check(set(codes) <= {0, 3, 72, 73}, f"codes: {sorted(set(codes))}")
    os.remove(filler)
    node.start()
    again = dongting.Client(node.endpoint, timeout=20)
    for number, code in enumerate(codes):
        found = again.wait(again.send(GET, [b"w%d" % number])).code == 0
        check_equal(found, code in (0, 3), f"w{number}, answered {code}, is there")
    node.stop()


def test_a_full_disk_refuses_writes_and_recovers(workspace):
    disk = workspace.directory("disk")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=False).returncode:
        print("   skipped: mounting a small file system needs root")
        return
    try:
        node = workspace.node("disk/node", start=False, segment_size="1MiB", snapshot_after="1GiB")
        node.log_path = os.path.join(workspace.path, "node.log")
        node.start()
        client = dongting.Client(node.endpoint, timeout=20)
        filler = os.path.join(disk, "filler")
        with open(filler, "wb") as file:
            file.write(b"x" * (12 << 20))
        acked, code = 0, 0
        for number in range(4000):
            code = client.wait(client.send(PUT, [b"k%d" % number, b"v" * 8192])).code
            if code not in (0, 3):
                break
            acked = number + 1
        check_equal(code, 72, "NO_SPACE")
        check(acked > 100, f"{acked} puts went in before the disk was full")
        check_equal(client.wait(client.send(GET, [b"k1"])).code, 0, "reads go on")
        check("no space left" in node.log(), "the log says so")
        os.remove(filler)
        until(lambda: client.wait(client.send(PUT, [b"after", b"1"])).code in (0, 3), "writes go on", 20)
        node.kill()
        node.start()
        client = dongting.Client(node.endpoint, timeout=20)
        for number in range(acked):
            check_equal(client.wait(client.send(GET, [b"k%d" % number])).code, 0, f"k{number}")
        stop_while_writes_wait_for_space(node, client, filler)
    finally:
        for each in workspace.nodes:
            if each.process:
                each.kill()
        subprocess.run(["umount", "-l", disk], check=False)


def refused(node, code, pattern, **settings):
    """Starting the node fails with this exit code and a line that says why."""
    start = os.path.getsize(node.log_path) if os.path.exists(node.log_path) else 0
    node.start(wait=False, **settings)
    check_equal(node.process.wait(30), code, "exit code of dtd")
    node.process = None
    said = node.log(start)
    check(pattern in said, f"expected '{pattern}' in:\n{said}")


def test_a_directory_or_port_in_use_is_refused(workspace):
    node = workspace.node()
    second = workspace.node("second", start=False)
    second.data_dir = node.data_dir
    refused(second, 10, "in use")
    third = workspace.node("third", start=False)
    third.endpoint = node.endpoint
    refused(third, 10, node.endpoint)
    node.ctl("put", "k", "v")


def test_foreign_and_impossible_directories_are_refused(workspace):
    node = workspace.node("one", start=False, node_id=1)
    node.start()
    node.stop()
    refused(node, 1, "node", node_id=2)
    refused(node, 1, "cluster", cluster_id=12345)
    stranger = workspace.node("stranger", start=False)
    workspace.file("stranger/notes.txt", "mine")
    refused(stranger, 1, "identity")
    check_equal(os.listdir(stranger.data_dir), ["notes.txt"], "a foreign directory is left alone")
    file = workspace.node("file", start=False)
    workspace.file("file", "no directory")
    refused(file, 1, "file")
    node.start()


def test_wrong_settings_are_refused(workspace):
    node = workspace.node(start=False)
    refused(node, 2, "node-id", node_id=0)
    refused(node, 2, "placement", placement="upside-down")
    refused(node, 2, "segment-size", segment_size="5000")
    refused(node, 2, "unknown flag", frobnicate=1)
    refused(node, 2, "unknown key 'datadir'", config=workspace.file("bad.zpl", "datadir = /tmp\n"))
    refused(node, 2, "no text", config=workspace.file("bin.zpl", b"\x00\x01\x02"))
    refused(node, 1, "nonsense", service="nonsense")


def damage(path, offset, mask=0x10):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ mask]))


def filled(workspace, name):
    """A stopped node with a snapshot and a log."""
    node = workspace.node(name, snapshot_after="64KiB", segment_size="64KiB")
    client = dongting.Client(node.endpoint)
    for number in range(300):
        client.call(PUT, [b"k%d" % number, b"v" * 1000])
    client.call(100, None, expect=(0, 79))
    for number in range(20):
        client.call(PUT, [b"after%d" % number, b"v" * 100])
    node.stop()
    return node


def test_flipped_bits_are_found_and_never_served(workspace):
    node = filled(workspace, "node")
    copy = os.path.join(workspace.path, "copy")
    shutil.copytree(node.data_dir, copy)
    group = os.path.join(node.data_dir, "groups/1")
    log = sorted(glob.glob(os.path.join(group, "log/*.log")))[-1]
    hard_state = os.path.join(group, "hard_state")
    snapshots = sorted(glob.glob(os.path.join(group, "snapshots/*")))
    for path, offset in ((log, 4096 + 300), (log, 10), (hard_state, None), (os.path.join(node.data_dir, "identity"), 20)):
        size = os.path.getsize(path)
        if offset is None:
            for place in range(0, size, 64):
                damage(path, place)
        else:
            damage(path, offset)
        refused(node, 9, "corrupt" if path != hard_state else "hard_state")
        shutil.rmtree(node.data_dir)
        shutil.copytree(copy, node.data_dir)
    # Every snapshot damaged: refused. Only the newest: the one before and the log may still do.
    for path in snapshots:
        damage(path, os.path.getsize(path) // 2)
    refused(node, 9, "snapshot")
    shutil.rmtree(node.data_dir)
    shutil.copytree(copy, node.data_dir)
    node.start()
    check_equal(len(node.ctl("get", "k7").out), 1000)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def test_a_newer_format_is_refused(workspace):
    node = filled(workspace, "node")
    path = os.path.join(node.data_dir, "identity")
    with open(path, "rb") as file:
        content = bytearray(file.read())
    content[8:12] = (99).to_bytes(4, "little")  # the version; the checksum over all stands behind it
    content[12:16] = bytes(4)
    content[12:16] = crc32c(content).to_bytes(4, "little")
    with open(path, "wb") as file:
        file.write(content)
    refused(node, 1, "newer")


if __name__ == "__main__":
    lib.main(globals())
