"""Operations on several keys, or on numbers, against a real node: incr, mv, put --sequential."""

import lib
from lib import check, check_equal, until


def test_a_number_is_added_to_once_for_each_call(workspace):
    node = workspace.node()
    check_equal(node.ctl("incr", "n").out, b"1\n")
    check_equal(node.ctl("incr", "n", "41").out, b"42\n")
    check_equal(node.ctl("incr", "n", "--", "-50").out, b"-8\n")
    record = node.ctl("incr", "-o", "json", "n", "9223372036854775807").record()
    check_equal(record["number"], "9223372036854775799")  # beyond what JSON readers keep exact
    node.ctl("incr", "n", "9", code=4)
    node.ctl("put", "v", "text")
    node.ctl("incr", "v", code=4)
    node.ctl("incr", "v", "x", code=2)
    node.ctl("incr", "none.n", code=3)
    check_equal(node.ctl("incr", "-p", "none.n").out, b"1\n")


def test_a_subtree_moves_and_is_there_after_a_restart(workspace):
    node = workspace.node()
    node.ctl("put", "-p", "a.b.c", "1")
    node.ctl("mv", "-p", "a", "x.y")
    node.ctl("mv", "a", "z", code=3)
    node.ctl("mv", "x", "x.y", code=2)
    node.ctl("put", "v", "")
    node.ctl("mv", "x", "v", code=4)
    check_equal(node.ctl("ls", "-R", "x").out.split(), [b"y.", b"y.b.", b"y.b.c"])
    node.stop()
    node.start()
    check_equal(node.ctl("get", "x.y.b.c").out, b"1")


def test_sequential_keys_rise(workspace):
    node = workspace.node()
    node.ctl("mkdir", "q")
    keys = [node.ctl("put", "-s", "q.job-", str(i)).out.strip() for i in range(12)]
    check_equal(keys, [b"q.job-%020d" % i for i in range(1, 13)])
    check_equal(node.ctl("get", keys[11].decode()).out, b"11")


def test_temporary_keys_go_by_themselves(workspace):
    node = workspace.node()
    node.ctl("put", "--ttl", "300ms", "short", "1")
    node.ctl("put", "--ttl", "300ms", "renewed", "1")
    node.ctl("mkdir", "--ttl", "300ms", "dir")
    node.ctl("put", "dir.below", "1")
    check(b"renewed" in node.ctl("ttl", "renewed", "10m").out, "ttl says what it did")
    until(lambda: node.ctl("get", "short", code=None).code == 3, "the key goes")
    until(lambda: node.ctl("get", "dir.below", code=None).code == 3, "what is below the directory goes")
    node.ctl("get", "renewed")
    node.ctl("put", "renewed", "2", code=4)  # it would become permanent unasked
    node.ctl("put", "lasting", "1")
    node.ctl("ttl", "lasting", "5s", code=4)
    node.ctl("ttl", "nobody", "5s", code=3)
    node.ctl("put", "--ttl", "soon", "x", "1", code=2)


if __name__ == "__main__":
    lib.main(globals())
