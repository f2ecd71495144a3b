"""lib - what end-to-end tests share: nodes as real processes, dtctl, waiting, comparing.

A test file holds functions test_* that take a Workspace, and ends with

    if __name__ == "__main__":
        lib.main(globals())

Each function gets a workspace of its own: a temporary directory and the processes it started, all
gone when the function ends. Nodes listen on ports the kernel chose. Programs are looked for below
the build directory given as the first argument (default: build/release); further arguments choose
tests by name. Python's standard library only.
"""

import collections
import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WAIT_S = 30  # how long anything may take before a test gives up on it

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    """In a child: be killed when the test process goes, however it goes."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Failure(Exception):
    """What a test expected is not so."""


def check(condition, message):
    """Fail the test with a message unless the condition holds."""
    if not condition:
        raise Failure(message)


def check_equal(found, expected, what="value"):
    """Fail the test unless both are equal."""
    if found != expected:
        raise Failure(f"{what}: expected {expected!r}, found {found!r}")


def until(condition, what, wait_s=WAIT_S, period_s=0.005):
    """Call condition until it gives something true and return that; fail after wait_s."""
    deadline = time.monotonic() + wait_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Failure(f"waited {wait_s} s in vain: {what}")
        time.sleep(period_s)


class Ran(collections.namedtuple("Ran", "code out err arguments")):
    """A program that has ended: exit code, output as bytes, errors as text."""

    @property
    def text(self):
        return self.out.decode("utf-8", "surrogateescape")

    @property
    def lines(self):
        return self.text.splitlines()

    def records(self):
        """The JSON objects of `-o json`, one per line."""
        return [json.loads(line) for line in self.lines]

    def record(self):
        """The only JSON object."""
        records = self.records()
        check_equal(len(records), 1, f"records of {self.arguments}")
        return records[0]


def run(arguments, code=0, stdin=b"", env=None, cwd=None, wait_s=120):
    """Run a program to its end; fail unless it ends with this exit code (None: any)."""
    full_env = dict(os.environ, **env) if env else None
    done = subprocess.run(arguments, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=full_env, cwd=cwd, timeout=wait_s, preexec_fn=_die_with_parent,
                          check=False)
    ran = Ran(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"), arguments)
    if code is not None and ran.code != code:
        raise Failure(f"{' '.join(map(str, arguments))}: exit code {ran.code}, expected {code}\n"
                      f"stdout: {ran.text[-2000:]}\nstderr: {ran.err[-2000:]}")
    return ran


class Node:
    """One dtd. Keeps its data directory and its port across restarts."""

    def __init__(self, workspace, name, settings):
        self.workspace = workspace
        self.name = name
        self.settings = settings
        self.data_dir = os.path.join(workspace.path, name)
        self.log_path = os.path.join(workspace.path, name + ".log")
        self.endpoint = None
        self.process = None

    def start(self, wait=True, **settings):
        """Start the process and wait until it serves. Settings are flags: log_level="debug"."""
        check(self.process is None, f"{self.name} runs already")
        arguments = [self.workspace.program("dtd"), "--data-dir", self.data_dir,
                     "--service", self.endpoint or "tcp://127.0.0.1:*"]
        for key, value in {**self.settings, **settings}.items():
            arguments += ["--" + key.replace("_", "-"), str(value)]
        log_start = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=_die_with_parent)
        if wait:
            found = self.wait_log(r"clients at (tcp://\S+)", log_start)
            self.endpoint = found.group(1)
            self.wait_log(r"dtd.* ready", log_start)
        return self

    def log(self, start=0):
        """What the node has logged from a byte of its log on."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            log.seek(start)
            return log.read()

    def wait_log(self, pattern, start=0, wait_s=WAIT_S):
        """Wait until a line matches; returns the match."""
        def look():
            found = re.search(pattern, self.log(start))
            if not found and self.process and self.process.poll() is not None:
                raise Failure(f"{self.name} ended with code {self.process.returncode}:\n"
                              + self.log(start)[-3000:])
            return found
        return until(look, f"{self.name} logs /{pattern}/", wait_s)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def _end(self, number, wait_s):
        check(self.process is not None, f"{self.name} does not run")
        self.process.send_signal(number)
        try:
            code = self.process.wait(wait_s)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{self.name} still runs {wait_s} s after signal {number}") from error
        self.process = None
        return code

    def stop(self, wait_s=WAIT_S):
        """Ask the node to finish and wait; fail unless it ends with code 0."""
        check_equal(self._end(signal.SIGTERM, wait_s), 0, f"exit code of {self.name}")

    def kill(self):
        """kill -9, and wait until the process is gone."""
        self._end(signal.SIGKILL, WAIT_S)

    def restart(self, **settings):
        """Stop in order and start again."""
        self.stop()
        return self.start(**settings)

    def pause(self):
        """Stop its clock: the process gets no more time (SIGSTOP)."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def ctl(self, *arguments, code=0, stdin=b"", env=None, wait_s=120):
        """Run dtctl against this node; fail unless it ends with this exit code (None: any)."""
        return run([self.workspace.program("dtctl"), "--endpoint", self.endpoint, *arguments],
                   code=code, stdin=stdin, env=env, wait_s=wait_s)

    def ctl_start(self, *arguments, **options):
        """Start dtctl against this node and return the process (errors as a pipe)."""
        process = subprocess.Popen(
            [self.workspace.program("dtctl"), "--endpoint", self.endpoint, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent, **options)
        self.workspace.processes.append(process)
        return process


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on; all are held until all are known."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class Cluster:
    """Nodes 1 .. count of one cluster, and how to ask them."""

    def __init__(self, workspace, count=3, spare=0, **settings):
        """count voters, and endpoints for `spare` nodes that may join later."""
        self.workspace = workspace
        ports = free_ports(2 * (count + spare))
        self.peer = {i: f"tcp://127.0.0.1:{ports[2 * i - 2]}" for i in range(1, count + spare + 1)}
        self.service = {i: f"tcp://127.0.0.1:{ports[2 * i - 1]}" for i in self.peer}
        self._addresses(ports)
        self.settings = {"cluster_id": 77, "election_time": "500ms", "heartbeat": "50ms", **settings}
        members = " ".join(f"{i}={self.peer[i]},{self.service[i]}" for i in range(1, count + 1))
        self.nodes = {i: self._node(i, members=members) for i in range(1, count + 1)}

    def _addresses(self, ports):
        """For clusters whose nodes reach each other by other addresses than they listen on."""

    def _node(self, number, **settings):
        node = self.workspace.node(f"node{number}", start=False, node_id=number,
                                   replicate=self.peer[number], **self.settings, **settings)
        node.endpoint = self.service[number]
        return node

    def join(self, number):
        """A node that waits to be added."""
        members = " ".join(f"{i}={self.peer[i]},{self.service[i]}" for i in self.nodes)
        self.nodes[number] = self._node(number, join="yes", members=members)
        self.nodes[number].start(wait=False)
        return self.nodes[number]

    def start(self):
        for node in self.nodes.values():
            node.start(wait=False)
        for node in self.nodes.values():
            node.wait_log(r"dtd.* ready")
        return self

    @property
    def endpoints(self):
        return ",".join(self.service[i] for i in self.nodes)

    def ctl(self, *arguments, code=0, timeout="10s", **options):
        """dtctl against the whole cluster."""
        return run([self.workspace.program("dtctl"), "--endpoint", self.endpoints,
                    "--timeout", timeout, *arguments], code=code, **options)

    def status(self, number):
        """What a node says of itself, {} if it does not answer."""
        ran = self.nodes[number].ctl("status", "-o", "json", "--timeout", "1s", code=None)
        return ran.record() if ran.code == 0 else {}

    def leader(self, but=0, wait_s=WAIT_S):
        """The number of the node that leads and is ready; not `but`."""
        def look():
            for number, node in self.nodes.items():
                if node.alive() and number != but and self.status(number).get("role") == "leader" \
                        and self.status(number).get("ready"):
                    return number
            return 0
        return until(look, "somebody leads", wait_s)

    def caught_up(self, wait_s=WAIT_S):
        """Wait until every node that runs has applied what is applied anywhere now."""
        states = [self.status(number) for number, node in self.nodes.items() if node.alive()]
        reach = max(state.get("applied_index", 0) for state in states)
        until(lambda: all(self.status(number).get("applied_index", 0) >= reach
                          for number, node in self.nodes.items() if node.alive()),
              f"every node has applied {reach}", wait_s, 0.05)

    def settle(self, wait_s=WAIT_S):
        """Wait until all nodes that run have applied the same and agree on the digest."""
        def look():
            states = [self.status(number) for number, node in self.nodes.items() if node.alive()]
            if any("applied_index" not in state for state in states):
                return False
            applied = {state["applied_index"] for state in states}
            digests = {state.get("digest") for state in states}
            return len(applied) == 1 and len(digests) == 1
        until(look, "all nodes have applied the same", wait_s, 0.05)


class Workspace:
    """A temporary directory and the processes of one test."""

    def __init__(self, build):
        self.build = build
        self.path = tempfile.mkdtemp(prefix="dt-e2e-")
        self.nodes = []
        self.processes = []

    def program(self, name):
        """The path of a program of the build."""
        places = {"dtd": "dtkv/dtd", "dtctl": "dtkv/cli/dtctl"}
        path = os.path.join(self.build, places.get(name, name))
        check(os.access(path, os.X_OK), f"{path} is not there; build it first")
        return path

    def file(self, name, content=b""):
        """Make a file below the workspace, with its directories; returns its path."""
        path = os.path.join(self.path, name) if isinstance(name, str) \
            else os.path.join(self.path.encode(), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def directory(self, name):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        return path

    def node(self, name="node", start=True, **settings):
        """A node of its own cluster, started unless told otherwise."""
        node = Node(self, name, settings)
        self.nodes.append(node)
        return node.start() if start else node

    def close(self, failed):
        """End every process and remove the directory; after a failure show the ends of the logs."""
        for process in [node.process for node in self.nodes if node.process] + self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        if failed:
            for node in self.nodes:
                if os.path.exists(node.log_path):
                    print(f"--- the end of the log of {node.name}")
                    print(node.log()[-4000:])
        shutil.rmtree(self.path, ignore_errors=True)


def _interrupted(number, _frame):
    raise KeyboardInterrupt(f"signal {number}")


def main(names):
    """Run the test_* functions of a test file, in the order they are written."""
    arguments = sys.argv[1:]
    build = os.path.abspath(arguments[0] if arguments else os.path.join(ROOT, "build/release"))
    chosen = arguments[1:]
    tests = [(name, value) for name, value in names.items()
             if name.startswith("test_") and (not chosen or name in chosen)]
    check(tests, f"no such test: {chosen}")
    signal.signal(signal.SIGTERM, _interrupted)
    for name in [key for key in os.environ if key.startswith(("DTD_", "DTCTL_"))]:
        del os.environ[name]
    failed = 0
    for name, test in tests:
        print(f"{name} ...", flush=True)
        start = time.monotonic()
        workspace = Workspace(build)
        good = False
        try:
            test(workspace)
            good = True
        except (Failure, subprocess.TimeoutExpired) as failure:
            print(f"FAILED: {failure}")
            where = traceback.extract_tb(failure.__traceback__)
            print("".join(f"  {f.filename}:{f.lineno}: {f.line}\n" for f in where), end="")
        except Exception:  # a broken test must not hide the others
            traceback.print_exc(file=sys.stdout)
        finally:
            workspace.close(not good)
        failed += not good
        print(f"{name} {'ok' if good else 'FAILED'} ({time.monotonic() - start:.1f} s)", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
