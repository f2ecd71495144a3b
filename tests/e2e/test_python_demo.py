"""The Python client, written from docs/PROTOCOL.md alone, against a real node."""

import os
import sys

import lib


def test_the_demo_checks_itself(workspace):
    node = workspace.node()
    demo = os.path.join(lib.ROOT, "demos/python/demo.py")
    lib.run([sys.executable, demo, "--endpoint", node.endpoint])


if __name__ == "__main__":
    lib.main(globals())
