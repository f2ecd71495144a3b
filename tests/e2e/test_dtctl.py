"""dtctl against a real node: results, formats, exit codes."""

import base64
import os

import lib
from lib import check, check_equal


def test_a_value_comes_back_byte_for_byte(workspace):
    node = workspace.node()
    every_byte = bytes(range(256))
    node.ctl("put", "k", "-", stdin=every_byte)
    check_equal(node.ctl("get", "k").out, every_byte)
    node.ctl("put", "k", "--file", workspace.file("value", every_byte[::-1]))
    check_equal(node.ctl("get", "k").out, every_byte[::-1])
    node.ctl("put", "k", "")
    check_equal(node.ctl("get", "k").out, b"")
    node.ctl("put", "k", "--", "-5")
    check_equal(node.ctl("get", "k").out, b"-5")
    check_equal(node.ctl("get", "--hex", "k").out, b"2d35\n")


def test_json_tells_of_a_node_what_there_is_to_tell(workspace):
    node = workspace.node()
    node.ctl("put", "-p", "a.b", "-", stdin=b"\xff\x00")
    node.ctl("put", "a.b", "caf\u00e9")
    record = node.ctl("get", "-o", "json", "a.b").record()
    check_equal(record["schema"], 1)
    check_equal(record["key"], {"base64": "YS5i", "text": "a.b"})
    check_equal(base64.b64decode(record["value"]["base64"]), "caf\u00e9".encode())
    check_equal(record["value"]["text"], "caf\u00e9")
    check_equal((record["kind"], record["version"], record["bytes"]), ("value", 2, 5))
    check(record["create_index"] < record["modify_index"] <= record["index"], record)
    check(record["modify_time_ms"] >= record["create_time_ms"] > 1_600_000_000_000, record)
    node.ctl("put", "a.c", "-", stdin=b"\xff")
    check("text" not in node.ctl("get", "-o", "json", "a.c").record()["value"], "text of no text")
    kinds = [record["kind"] for record in node.ctl("ls", "-R", "-o", "json").records()]
    check_equal(kinds, ["directory", "value", "value"], "kinds")


def test_each_failure_has_its_exit_code(workspace):
    node = workspace.node()
    node.ctl("put", "-p", "d.v", "1")
    for code, arguments in (
            (2, ["frobnicate"]), (2, ["put", "--parent", "k", "v"]), (2, ["get", "a..b"]),
            (2, ["put", "k"]), (2, ["get"]), (2, ["get", "a", "b"]), (2, ["put", ".", "v"]),
            (2, ["get", "--timeout", "5", "k"]), (2, ["get", "-o", "yaml", "k"]),
            (2, ["cas", "k", "new"]), (2, ["cas", "k", "--absent", "--version", "1", "new"]),
            (2, ["rm", "-r", "d"]), (2, ["get", "--group", "77", "d.v"]),
            (3, ["get", "none"]), (3, ["put", "none.k", "v"]), (3, ["rm", "none"]),
            (3, ["ls", "none"]), (3, ["mkdir", "none.d"]), (3, ["export", "none", workspace.path]),
            (4, ["put", "d", "v"]), (4, ["put", "-p", "d.v.x", "v"]), (4, ["rm", "d"]),
            (4, ["mkdir", "d"]), (4, ["mkdir", "d.v"]), (4, ["ls", "d.v"]), (4, ["get", "d"]),
            (4, ["cas", "d.v", "--value", "2", "3"]), (4, ["cas", "d.v", "--absent", "3"]),
            (8, ["put", "k" * 9000, "v"]), (8, ["put", ".".join("k" * 200), "v"]),
    ):
        ran = node.ctl(*arguments, code=code)
        check_equal(ran.out, b"", f"output of {arguments}")
        check(ran.err.startswith("dtctl: "), f"{arguments}: {ran.err}")
    large = workspace.file("large", b"x" * (1024 * 1024 + 1))
    ran = node.ctl("put", "k", "--file", large, code=8)
    check("1048576" in ran.err, ran.err)
    check_equal(node.ctl("ls", "-Rv").text, "d.\nd.v\t1\n", "what is left")


def test_proposals_are_made_for_mistyped_words(workspace):
    dtctl = workspace.program("dtctl")
    check("did you mean put?" in lib.run([dtctl, "putt"], code=2).err, "command")
    check("did you mean --timeout?" in lib.run([dtctl, "ping", "--timout", "1s"], code=2).err, "flag")


def test_help_is_there_for_every_command(workspace):
    dtctl = workspace.program("dtctl")
    text = lib.run([dtctl, "help"]).text
    for command in ("put", "get", "rm", "mkdir", "ls", "tree", "cas", "batch", "import", "export",
                    "status", "info", "ping", "snapshot", "version", "completion"):
        check(f"  {command} " in text, f"{command} is missing in help")
        ours = lib.run([dtctl, command, "--help"]).text
        check(f"usage: dtctl {command}" in ours and f"dtctl {command}" in ours.split("usage:")[1], ours)
        check_equal(lib.run([dtctl, "help", command]).text, ours)
    for code in (*range(10), 130):
        check(f"\n  {code} " in text, f"exit code {code} is missing in help")
    script = lib.run([dtctl, "completion", "bash"]).out
    lib.run(["bash", "-n"], stdin=script)
    probe = script + b"\nCOMP_WORDS=(dtctl im) COMP_CWORD=1; _dtctl; echo ${COMPREPLY[@]}"
    check_equal(lib.run(["bash", "--norc"], stdin=probe).text, "import\n", "completion")


def test_a_node_that_is_not_there_is_exit_code_6_within_the_timeout(workspace):
    dtctl = workspace.program("dtctl")
    ran = lib.run([dtctl, "-e", "tcp://127.0.0.1:1", "--timeout", "300ms", "get", "k"], code=6,
                  wait_s=10)
    check("tcp://127.0.0.1:1" in ran.err and "300 ms" in ran.err, ran.err)


def batch_against_a_paused_node(workspace, line):
    """The result of a batch whose last line is sent to a node that stands still."""
    node = workspace.node()
    pipe_read, pipe_write = os.pipe()
    process = node.ctl_start("--timeout", "1s", "batch", f"/dev/fd/{pipe_read}",
                             pass_fds=(pipe_read,))
    os.close(pipe_read)
    # A run of lines is sent when a line with another verb follows: the last one waits for the end.
    os.write(pipe_write, b"put k 2\nrm none\n" + line)
    check_equal(process.stdout.readline() + process.stdout.readline(),
                b"1\tput\tk\tSUCCESS\n2\trm\tnone\tNOT_FOUND\n", "results")
    node.pause()
    os.close(pipe_write)
    err = process.communicate(timeout=30)[1].decode()
    node.resume()
    return process.returncode, err


def test_a_write_without_an_answer_is_exit_code_7(workspace):
    code, err = batch_against_a_paused_node(workspace, b"put k 3\n")
    check_equal(code, 7, f"exit code ({err})")
    check("may or may not" in err, err)


def test_a_read_without_an_answer_is_exit_code_6(workspace):
    code, err = batch_against_a_paused_node(workspace, b"get k\n")
    check_equal(code, 6, f"exit code ({err})")


def test_flags_come_from_the_environment_and_the_command_line_wins(workspace):
    node = workspace.node()
    node.ctl("put", "k", "1")
    dtctl = workspace.program("dtctl")
    env = {"DTCTL_ENDPOINT": node.endpoint, "DTCTL_OUTPUT": "json"}
    check_equal(lib.run([dtctl, "get", "k"], env=env).record()["value"]["text"], "1")
    check_equal(lib.run([dtctl, "get", "k", "-o", "simple"], env=env).out, b"1")
    host = node.endpoint.removeprefix("tcp://")
    check_equal(lib.run([dtctl, "-e", "127.0.0.1:1", "-e", host, "get", "k"]).out, b"1")
    env["DTCTL_TIMEOUT"] = "soon"
    check("soon" in lib.run([dtctl, "get", "k"], env=env, code=2).err, "environment is checked")


def test_cas_goes_by_value_version_index_and_absence(workspace):
    node = workspace.node()
    node.ctl("cas", "k", "--absent", "1")
    node.ctl("cas", "k", "--value", "1", "2")
    node.ctl("cas", "k", "--version", "2", "3")
    index = node.ctl("get", "-o", "json", "k").record()["modify_index"]
    node.ctl("cas", "k", "--index", str(index - 1), "9", code=4)
    node.ctl("cas", "k", "--index", str(index), "4")
    check_equal(node.ctl("get", "k").out, b"4")
    node.ctl("cas", "k", "--value", "4", "--remove")
    node.ctl("get", "k", code=3)
    node.ctl("cas", "k", "--version", "0", "new")
    check_equal(node.ctl("get", "k").out, b"new")


def test_a_batch_has_a_result_for_each_line(workspace):
    node = workspace.node()
    lines = (b"# a comment\nput a 1\nput \"b c\" 'two words'\nput none.x 1\n"
             b"rm a\nrm a\nget \"b c\"\n\nget a\nput e \"\\x00\\xff\"")
    ran = node.ctl("batch", "-", stdin=lines, code=3)
    check_equal(ran.lines, ["2\tput\ta\tSUCCESS", "3\tput\tb c\tSUCCESS",
                            "4\tput\tnone.x\tPARENT_DIR_NOT_EXISTS", "5\trm\ta\tSUCCESS",
                            "6\trm\ta\tNOT_FOUND", "7\tget\tb c\tSUCCESS\ttwo words",
                            "9\tget\ta\tNOT_FOUND", "10\tput\te\tSUCCESS"], "results")
    check("5 done, 3 failed" in ran.err, ran.err)
    check_equal(node.ctl("get", "e").out, b"\x00\xff")
    ran = node.ctl("batch", "-", stdin=b"put f 1\nput 'open\nput g 1\n", code=2)
    check("line 2, column 5: this quote is never closed" in ran.err, ran.err)
    check_equal(node.ctl("ls", "-k").lines, ["b c", "e", "f"], "keys")


def test_an_atomic_batch_happens_whole_or_not_at_all(workspace):
    node = workspace.node()
    node.ctl("batch", "--atomic", "-", stdin=b"put a 1\nput b 2\n")
    ran = node.ctl("batch", "--atomic", "-", stdin=b"put a 9\nput none.x 1\nput b 9\n", code=3)
    check_equal([line.split("\t")[3] for line in ran.lines],
                ["BATCH_ABORTED", "PARENT_DIR_NOT_EXISTS", "BATCH_ABORTED"], "results")
    check_equal(node.ctl("ls", "-v").lines, ["a\t1", "b\t2"], "values")
    node.ctl("batch", "--atomic", "-", stdin=b"put a 9\nrm b\n", code=2)
    check_equal(node.ctl("ls", "-v").lines, ["a\t1", "b\t2"], "values")


def test_listing_goes_through_all_pages_in_order(workspace):
    node = workspace.node()
    names = [f"n{i:05}" for i in range(25000)]
    puts = "".join(f"put big.{name} {name}\n" for name in names).encode()
    node.ctl("batch", "-p", "-", stdin=puts)
    check_equal(node.ctl("ls", "big").lines, names, "names")
    check_equal(node.ctl("ls", "-k", "big", "--limit", "12345").lines, names[:12345], "limited")
    check_equal(node.ctl("ls", "-c", "big").text, "25000\n", "count")
    check_equal(node.ctl("ls", "big", "--limit", "0").text, "", "none")
    check_equal(len(node.ctl("tree", "big").lines), 25003, "lines of the tree")


def test_a_subtree_over_the_batch_limit_is_removed_whole(workspace):
    node = workspace.node()
    puts = "".join(f"put big.d{i % 30}.e{i % 7}.n{i} v\n" for i in range(15000)).encode()
    node.ctl("batch", "-p", "-", stdin=puts)
    nodes = int(node.ctl("ls", "-Rc", "big").text)
    check_equal(node.ctl("rm", "-rn", "big").text, f"would remove {nodes + 1}\n")
    ran = node.ctl("rm", "-r", "big", code=2)
    check(str(nodes) in ran.err and "--yes" in ran.err, ran.err)
    check_equal(int(node.ctl("ls", "-Rc", "big").text), nodes, "nodes after a refusal")
    node.ctl("rm", "-ry", "big")
    check_equal(node.ctl("ls").text, "", "what is left")


def test_tree_draws_branches(workspace):
    node = workspace.node()
    for key in ("a.b.c", "a.b.d", "a.e", "f"):
        node.ctl("put", "-p", key, "v")
    check_equal(node.ctl("tree").text, ".\n├── a\n│   ├── b\n│   │   ├── c\n│   │   └── d\n"
                                       "│   └── e\n└── f\n\ndirectories: 2, values: 4\n")
    check_equal(node.ctl("tree", "a", "-L", "1").text,
                "a\n├── b\n└── e\n\ndirectories: 1, values: 1\n")


def test_status_info_snapshot_and_ping_answer(workspace):
    node = workspace.node()
    node.ctl("put", "k", "v")
    info = node.ctl("info", "-o", "json").record()
    check_equal((info["value_bytes_max"], info["groups"]), (1024 * 1024, [1]), "info")
    check(node.ctl("status", "-o", "json").record(), "status")
    snapshot = node.ctl("snapshot", "take", "-o", "json").record()
    check(snapshot["index"] > 0 and snapshot["bytes"] > 0, snapshot)
    node.ctl("snapshot", "save", code=2)
    check(node.ctl("ping", "-o", "json").record()["round_trip_ms"] > 0, "round trip")
    check("node" in node.ctl("version").text, "version")


def test_an_output_that_cannot_be_written_is_a_failure(workspace):
    node = workspace.node()
    node.ctl("put", "k", "v")
    ran = lib.run(["sh", "-c", f"{workspace.program('dtctl')} -e {node.endpoint} get k > /dev/full"],
                  code=1)
    check("No space left" in ran.err, ran.err)


def test_names_that_could_steer_a_terminal_are_escaped(workspace):
    node = workspace.node()
    node.ctl("batch", "-", stdin=b"put \"a\\x1b[31m\\n\" 'b\\'\n")
    check_equal(node.ctl("ls", "-v").text, "a\\x1b[31m\\n\tb\\\\\n")


if __name__ == "__main__":
    lib.main(globals())
