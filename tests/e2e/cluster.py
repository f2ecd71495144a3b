"""cluster - nodes that reach each other through a proxy, what they use, and the load that judges them."""

import contextlib
import os
import re
import subprocess

import lib
from lib import check
from proxy import Proxy


SMALL_DISK_MIB = 256  # holds what a node of these tests keeps


def sanitized(build):
    """Is this a build with sanitizers, which keep freed memory for a while?"""
    try:
        with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as cache:
            return re.search(r"^DT_SANITIZE:\w+=\S", cache.read(), re.M) is not None
    except FileNotFoundError:
        return False


class Load:
    """lin_load, running against endpoints; end () waits for it and judges its history."""

    def __init__(self, workspace, endpoints, seconds, **settings):
        self.workspace = workspace
        self.path = os.path.join(workspace.path, f"history-{settings.get('directory', 'lin')}.txt")
        arguments = [workspace.program("tests/lin/lin_load"), "--endpoints", endpoints,
                     "--out", self.path, "--seconds", str(seconds)]
        for key, value in settings.items():
            arguments += ["--" + key.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        workspace.processes.append(self.process)

    def end(self, writes_min, wait_s=120, verdict=0):
        """Wait, judge, and fail unless lin_check ends with this code; returns the counts."""
        out, err = self.process.communicate(timeout=wait_s)
        check(self.process.returncode == 0, f"lin_load: {self.process.returncode}: {err}")
        counts = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", out)}
        check(counts["writes"] >= writes_min, f"too few writes to tell: {out}")
        ran = lib.run([self.workspace.program("tests/lin/lin_check"), self.path], code=None)
        check(ran.code == verdict, f"lin_check: {ran.code}\n{ran.text[-6000:]}{ran.err}")
        print("  " + out.strip() + "; " + ran.text.strip().splitlines()[0].split(": ", 1)[1])
        return counts


class ProxiedCluster(lib.Cluster):
    """As lib.Cluster; what one node sends to another goes through self.proxy, links (1, 2) ...

    The last node's disk is a file system of its own, so that it can be full, where mounting is allowed."""

    def __init__(self, workspace, count=3, seed=0, **settings):
        self.proxy = Proxy(self._processes, seed)
        self.bound = {}
        super().__init__(workspace, count, **settings)
        self.small_disk = workspace.directory(f"node{count}")
        self.mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MIB}m", "tmpfs", self.small_disk],
                                      check=False, stderr=subprocess.DEVNULL).returncode == 0

    @contextlib.contextmanager
    def full_disk(self):
        """Meanwhile the last node's disk has no room; nothing happens where mounting is not allowed."""
        filler = os.path.join(self.small_disk, "filler")
        if self.mounted:
            with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(65536))
        yield
        if self.mounted:
            os.remove(filler)

    def _processes(self):
        return {number: node.process.pid for number, node in list(self.nodes.items())
                if node.process is not None}

    def _node(self, number, **settings):
        node = super()._node(number, **settings)
        node.settings["replicate"] = f"tcp://127.0.0.1:{self.bound[number]}"
        return node

    def _addresses(self, ports):
        """What nodes are told of each other: the proxy's ports. They listen on others."""
        for i in range(1, len(ports) // 2 + 1):
            self.bound[i] = ports[2 * i - 2]
            self.peer[i] = f"tcp://127.0.0.1:{self.proxy.listen(i, self.bound[i])}"

    def usage(self):
        """{number: (resident KiB, open files)} of the nodes that run."""
        found = {}
        for number, pid in self._processes().items():
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                resident = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
            found[number] = (resident, len(os.listdir(f"/proc/{pid}/fd")))
        return found

    def close(self):
        self.proxy.close()
        if self.mounted:
            for node in self.nodes.values():
                if node.alive():
                    node.kill()
            subprocess.run(["umount", self.small_disk], check=False)
