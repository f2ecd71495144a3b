"""scripts/start and scripts/stop: one command to a node that serves, one to end it."""

import os
import socket

import lib
from lib import check, check_equal


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(workspace, port, code=0, data="data"):
    return lib.run([os.path.join(lib.ROOT, "scripts/start"), "--no-build", "--build-dir",
                    workspace.build, "--data-dir", os.path.join(workspace.path, data),
                    "--port", str(port)], code=code)


def stop(workspace, code=0, data="data"):
    return lib.run([os.path.join(lib.ROOT, "scripts/stop"), "--data-dir",
                    os.path.join(workspace.path, data)], code=code)


def pid_of(workspace):
    return int(open(os.path.join(workspace.path, "data/dtd.pid"), encoding="ascii").read())


def test_a_node_is_started_reported_stopped_and_keeps_its_data(workspace):
    port = free_port()
    endpoint = f"tcp://127.0.0.1:{port}"
    dtctl = workspace.program("dtctl")
    try:
        ran = start(workspace, port)
        check("hello = from" in ran.text and "scripts/stop" in ran.text, ran.text)
        lib.run([dtctl, "-e", endpoint, "put", "k", "v"])
        pid = pid_of(workspace)
        ran = start(workspace, port)
        check(f"runs already" in ran.text and str(pid) in ran.text, ran.text)
        check_equal(pid_of(workspace), pid, "process")
        check("stopped" in stop(workspace).text, "stop")
        check(not os.path.exists(f"/proc/{pid}/exe"), "the process is still there")
        check("no node runs" in stop(workspace).text, "second stop")
        # A pid file that somebody else's process has by now.
        workspace.file("data/dtd.pid", f"{os.getpid()}\n")
        check("no node runs" in stop(workspace).text, "stop with a stale pid file")
        workspace.file("data/dtd.pid", f"{os.getpid()}\n")
        start(workspace, port)
        check_equal(lib.run([dtctl, "-e", endpoint, "get", "k"]).out, b"v")
    finally:
        stop(workspace, code=None)


def test_a_port_in_use_is_named_with_a_remedy(workspace):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = start(workspace, port, code=1)
    check(f"port {port}" in ran.err and "--port" in ran.err, ran.err)


def test_a_node_that_cannot_start_shows_its_log(workspace):
    workspace.file("data/node", b"no directory")
    ran = start(workspace, free_port(), code=1)
    check("the last lines of" in ran.err and "data/node" in ran.err, ran.err)
    check("no node runs" in stop(workspace).text, "stop")


def test_wrong_arguments_are_refused(workspace):
    ran = lib.run([os.path.join(lib.ROOT, "scripts/start"), "--prot", "1"], code=2)
    check("--prot" in ran.err and "--help" in ran.err, ran.err)
    ran = lib.run([os.path.join(lib.ROOT, "scripts/start"), "--port", "70000"], code=2)
    check("70000" in ran.err, ran.err)
    check("usage:" in lib.run([os.path.join(lib.ROOT, "scripts/stop"), "--help"]).text, "help")


if __name__ == "__main__":
    lib.main(globals())
