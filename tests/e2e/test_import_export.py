"""import and export against a real node: what comes back is what went in, kill -9 included."""

import os
import random
import re
import signal

import lib
from lib import check, check_equal


def differences(one, other, *flags):
    """What diff -r finds, without links that lead nowhere on both sides (diff cannot read those)."""
    ran = lib.run(["diff", "-r", *flags, one, other], code=None, env={"LC_ALL": "C"})
    found = [line for line in (ran.text + ran.err).splitlines() if line]
    dangling = set()
    for line in found:
        match = re.fullmatch(r"diff: (.*): No such file or directory", line)
        if match and os.path.islink(match.group(1)):
            dangling.add(line)
    return [line for line in found if line not in dangling]


def source_tree(workspace, name="source"):
    """A directory with everything that names and values can be."""
    root = workspace.directory(name)
    for byte in list(range(1, 256)):
        if byte != ord("/") and byte != ord("."):
            workspace.file(os.fsencode(name) + b"/bytes/" + bytes([byte]), bytes([byte]))
    for odd in (".hidden", "a.b.c", "100%", "%2E", "%25", "x%@", "...", "-rf", " ", "tab\there"):
        workspace.file(f"{name}/odd/{odd}", odd)
    workspace.file(f"{name}/empty")
    workspace.file(f"{name}/largest", random.Random(7).randbytes(1024 * 1024))
    workspace.file(f"{name}/binary", bytes(range(256)) * 16)
    workspace.file(f"{name}/{'d/' * 60}deep", "at the bottom")
    workspace.directory(f"{name}/nothing/in/here")
    os.symlink("odd/a.b.c", f"{root}/link")
    os.symlink("..", f"{root}/odd/up")
    os.symlink("/etc/passwd", f"{root}/absolute")
    os.symlink("nowhere", f"{root}/dangling")
    return root


def test_etc_comes_back_as_it_was(workspace):
    node = workspace.node()
    first = node.ctl("import", "/etc", "--to", "etc", "--skip-ok")
    out = os.path.join(workspace.path, "out")
    node.ctl("export", "etc", out)
    # Only root can read all of /etc; what was skipped was named.
    skipped = re.findall(r"skipped (.*): ", first.err)
    found = [line for line in differences("/etc", out)
             if not any(os.path.basename(name) in line for name in skipped)]
    check_equal(found, [], "differences")
    if os.geteuid() == 0:
        check_equal(skipped, [], "skipped files")


def test_odd_names_and_values_come_back(workspace):
    node = workspace.node()
    source = source_tree(workspace)
    node.ctl("import", source, "--to", "deep.in.the.tree")
    out = os.path.join(workspace.path, "out")
    node.ctl("export", "deep.in.the.tree", out)
    check_equal(differences(source, out, "--no-dereference"), [], "differences")


def test_a_second_import_changes_nothing_and_a_changed_file_is_stored(workspace):
    node = workspace.node()
    source = source_tree(workspace)
    node.ctl("import", source, "--to", "t")
    count = node.ctl("ls", "-R", "--count-only", "t").text
    node.ctl("import", source, "--to", "t")
    check_equal(node.ctl("ls", "-R", "--count-only", "t").text, count, "keys")
    workspace.file("source/binary", b"changed")
    node.ctl("import", source, "--to", "t")
    check_equal(node.ctl("get", "t.binary").out, b"changed")


def test_export_over_an_older_export_replaces_it(workspace):
    node = workspace.node()
    source = source_tree(workspace)
    out = os.path.join(workspace.path, "out")
    node.ctl("import", source, "--to", "t")
    node.ctl("export", "t", out)
    node.ctl("put", "t.binary", "changed")
    node.ctl("export", "t", out)
    workspace.file("source/binary", b"changed")
    check_equal(differences(source, out, "--no-dereference"), [], "differences")


def test_what_was_imported_survives_a_restart(workspace):
    node = workspace.node()
    source = source_tree(workspace)
    node.ctl("import", source, "--to", "t")
    node.restart()
    out = os.path.join(workspace.path, "out")
    node.ctl("export", "t", out)
    check_equal(differences(source, out, "--no-dereference"), [], "differences")


def test_what_cannot_be_stored_is_skipped_and_counted(workspace):
    node = workspace.node()
    workspace.file("s/large", b"x" * (1024 * 1024 + 1))
    workspace.file("s/small", b"x")
    os.mkfifo(os.path.join(workspace.path, "s/pipe"))
    source = os.path.join(workspace.path, "s")
    ran = node.ctl("import", source, "--to", "t", code=1)
    check("skipped large: it has 1048577 bytes, a value may have 1048576" in ran.err, ran.err)
    check("skipped pipe: a device, socket or pipe" in ran.err, ran.err)
    record = node.ctl("import", source, "--to", "t", "--skip-ok", "-o", "json").record()
    check_equal((record["keys"], record["skipped"]), (1, 2), "counts")


def test_links_are_followed_on_request_without_endless_loops(workspace):
    node = workspace.node()
    workspace.file("s/d/x", b"x")
    os.symlink("d", os.path.join(workspace.path, "s/l"))
    os.symlink("..", os.path.join(workspace.path, "s/d/up"))
    source = os.path.join(workspace.path, "s")
    node.ctl("import", source, "--to", "t", "--links", "follow", code=1)
    check_equal(node.ctl("get", "t.l.x").out, b"x")
    check_equal(node.ctl("ls", "-Rk", "t").lines, ["d", "d.x", "l", "l.x"], "keys")


def test_names_never_lead_out_of_the_target(workspace):
    node = workspace.node()
    victim = workspace.directory("victim")
    for key in ("t.%2E%2E", "t.a%2Fb", "t./etc", "t.../../x".replace("..", "%2E%2E"), "t.%41"):
        node.ctl("put", "-p", key, "evil")
    # A link and a directory of the same name: the second must not be written through the first.
    node.ctl("put", "t.door%@", victim)
    node.ctl("put", "-p", "t.door.inside", "evil")
    out = os.path.join(workspace.path, "out")
    node.ctl("export", "t", out, code=1)
    node.ctl("export", "t", out, code=1)
    check_equal(os.listdir(victim), [], "files behind the link")
    check_equal(sorted(os.listdir(workspace.path)), ["node", "node.log", "out", "victim"], "files")
    check(set(os.listdir(out)) <= {"door"}, f"exported: {os.listdir(out)}")


def many_files(workspace, count=30000):
    source = workspace.directory("many")
    for i in range(count):
        if i % 200 == 0:
            os.makedirs(f"{source}/d{i // 200}", exist_ok=True)
        with open(f"{source}/d{i // 200}/f{i}", "wb") as file:
            file.write(b"%d " % i * 100)
    return source


def lines_of(path):
    return open(path, "rb").read().count(b"\n") if os.path.exists(path) else 0


def test_kill_9_during_an_import_loses_no_acknowledged_key(workspace):
    node = workspace.node()
    source = many_files(workspace)
    acked = os.path.join(workspace.path, "acked")
    process = node.ctl_start("import", source, "--to", "t", "--timeout", "2s", "--acked-log", acked)
    lib.until(lambda: lines_of(acked) >= 1000, "a thousand keys are acknowledged", period_s=0.001)
    node.kill()
    err = process.communicate(timeout=60)[1].decode()
    check(process.returncode in (6, 7), f"exit code {process.returncode}: {err}")
    check("run the same command again" in err, err)
    keys = open(acked, "rb").read().decode().splitlines()
    check(len(keys) < 30000, "the import was over before the node was killed")
    check(f"after {len(keys)} acknowledged keys" in err, err)

    node.start()
    gets = "".join(f"get {key}\n" for key in keys).encode()
    values = node.ctl("batch", "-", stdin=gets).lines
    for key, line in zip(keys, values):
        number = key.rsplit(".f", 1)[1]
        check_equal(line.split("\t")[2:], [key, "SUCCESS", f"{number} " * 100], "acknowledged key")
    check_equal(len(values), len(keys), "answers")

    node.ctl("import", source, "--to", "t")
    out = os.path.join(workspace.path, "out")
    node.ctl("export", "t", out)
    check_equal(differences(source, out), [], "differences")


def test_an_interrupted_import_says_how_far_it_came(workspace):
    node = workspace.node()
    source = many_files(workspace, 5000)
    # The node stands still, so the import cannot be over.
    process = node.ctl_start("import", source, "--to", "t", "--timeout", "1s")
    lib.until(lambda: int(node.ctl("ls", "-R", "--count-only", code=None).text or 0) > 10, "keys")
    node.pause()
    process.send_signal(signal.SIGINT)
    node.resume()
    err = process.communicate(timeout=60)[1].decode()
    # It may have been over when the signal came.
    check(process.returncode in (0, 130), f"exit code {process.returncode}: {err}")
    if process.returncode == 130:
        check("interrupted after" in err, err)
    node.ctl("import", source, "--to", "t")
    check_equal(node.ctl("ls", "-R", "--count-only", "t").text.strip(), "5025", "keys")


if __name__ == "__main__":
    lib.main(globals())
