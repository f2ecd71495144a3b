"""What clients see of real nodes that are killed and paused under them is linearizable."""

import os
import re
import subprocess
import time

import lib
from lib import check


class Load:
    """lin_load, running against endpoints; end () waits for it and judges its history."""

    def __init__(self, workspace, endpoints, seconds, **settings):
        self.workspace = workspace
        self.path = os.path.join(workspace.path, "history.txt")
        arguments = [workspace.program("tests/lin/lin_load"), "--endpoints", endpoints,
                     "--out", self.path, "--seconds", str(seconds)]
        for key, value in settings.items():
            arguments += ["--" + key.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        workspace.processes.append(self.process)

    def running(self):
        return self.process.poll() is None

    def end(self, writes_min, wait_s=120):
        out, err = self.process.communicate(timeout=wait_s)
        check(self.process.returncode == 0, f"lin_load: {self.process.returncode}: {err}")
        counts = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", out)}
        check(counts["writes"] >= writes_min, f"too few writes to tell: {out}")
        ran = lib.run([self.workspace.program("tests/lin/lin_check"), self.path], code=None)
        check(ran.code == 0, f"lin_check: {ran.code}\n{ran.text[-6000:]}{ran.err}")
        print("  " + out.strip() + "; " + ran.text.strip().split(": ", 1)[1])
        return counts


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


if __name__ == "__main__":
    lib.main(globals())
