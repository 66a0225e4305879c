"""engenhoctl catalog: the files of other implementations, damage, and how much memory a hostile file takes."""
import json
import os
import pty
import random
import resource
import socket
import stat
import subprocess
import threading

import pytest

from process import ROOT, clean_env
from test_ctl import CTL

pytestmark = pytest.mark.ours
VECTORS = ROOT / "tests" / "data" / "vectors"
V1 = VECTORS / "catalog-v1"


def catalog(*args, stdin=None, **options):
    return subprocess.run([str(CTL), "catalog", *map(str, args)], stdin=stdin, capture_output=True, env=clean_env(None), timeout=120, **options)


def bad():
    for line in (V1 / "bad" / "expected.tsv").read_text().splitlines():
        name, kind, *payload = line.split("\t")
        yield pytest.param(name, kind, *(payload or [None]), id=name)


@pytest.mark.parametrize("name, kind, payload", bad())
def test_damaged_files_of_others(name, kind, payload):
    file = V1 / "bad" / f"{name}.snap"
    for verb in ("inspect", "verify"):
        done = catalog(verb, file)
        as_json = catalog(verb, file, "-o", "json")
        assert done.stderr == as_json.stderr == b""
        if kind != "ok":
            assert done.returncode == as_json.returncode == 1
            assert done.stdout.decode().startswith(f"{kind}: ") and done.stdout.count(b"\n") == 1
            assert json.loads(as_json.stdout)["error"]["kind"] == kind
            continue
        assert done.returncode == as_json.returncode == 0
        assert json.loads(as_json.stdout)["resources"] == len(json.loads(payload)["catalog"]["catalog"]["resources"])


@pytest.mark.parametrize("file", sorted(V1.glob("*.snap")), ids=lambda p: p.stem)
def test_what_a_file_holds(file):
    payload = file.read_bytes()[68:]
    held = json.loads(payload)
    keys = [key for key, _ in held["catalog"]["catalog"]["resources"]]
    done = catalog("inspect", file, "--output=json")
    assert done.returncode == 0
    info = json.loads(done.stdout)
    assert info["format"] == 1 and info["payload_bytes"] == len(payload) and info["ignored_bytes"] == 0
    assert info["resources"] == len(keys)
    assert info["last_applied_term"] == held["catalog"]["catalog"]["last_applied_term"]
    assert info["last_applied_index"] == held["catalog"]["catalog"]["last_applied_index"]
    assert info["outer_last_applied_index"] == held["last_applied_index"]
    for kind in info["kinds"]:
        mine = [k for k in keys if all(k[f] == kind[f] for f in ("group", "version", "kind"))]
        assert kind["resources"] == len(mine) > 0
        assert kind["cluster_scoped"] == sum(k["namespace"] is None for k in mine)
        names = [k["namespace"] for k in mine if k["namespace"] is not None]
        assert kind["namespaces"] == {n: names.count(n) for n in names}
    assert sum(k["resources"] for k in info["kinds"]) == len(keys)
    text = catalog("inspect", file).stdout.decode()
    assert f"index {info['last_applied_index']}\n" in text and len(text.splitlines()) >= 4 + len(info["kinds"])


def test_files_that_cannot_be_read(tmp_path):
    done = catalog("inspect", tmp_path / "none.snap")
    assert done.returncode == 1 and done.stdout.decode() == f"io: cannot open {tmp_path}/none.snap: No such file or directory\n"
    done = catalog("verify", tmp_path)
    assert done.returncode == 1 and done.stdout.decode() == f"io: cannot read {tmp_path}: Is a directory\n"


def test_a_terminal_is_left_alone(wrap, tmp_path):
    hostile = {"group": "\x1b[2J", "version": "v\u009b1", "kind": 'K"\n\x7f', "namespace": "\x1b", "name": "n"}
    payload = json.dumps({"catalog": {"catalog": {"resources": [[hostile, 1]], "last_applied_term": 1, "last_applied_index": 1}},
                          "last_applied_index": 1}).encode()
    source = wrap(tmp_path / "x.snap", payload)
    text = catalog("inspect", source).stdout.decode()
    assert not [c for c in text if ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160]
    assert '\\x1b[2J/v\\x9b1 K"\\x0a\\x7f' in text
    kind, = json.loads(catalog("inspect", source, "-o", "json").stdout)["kinds"]
    assert {f: kind[f] for f in ("group", "version", "kind")} == {f: hostile[f] for f in ("group", "version", "kind")}
    assert kind["namespaces"] == {"\x1b": 1}
    done = catalog("inspect", tmp_path / "\x1b[2J")
    assert b"\x1b" not in done.stdout


@pytest.fixture(scope="session")
def wrap(tmp_path_factory):
    """wrap(path, payload): a catalog file around any payload."""
    tool = tmp_path_factory.mktemp("wrap") / "catalog_wrap"
    sources = [ROOT / "tests" / "lib" / "catalog_wrap.c", ROOT / "src" / "base" / "blake3.c", ROOT / "src" / "base" / "assert.c"]
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT}/src", "-o", tool, *sources], check=True)

    def make(path, payload):
        with open(path, "wb") as out:
            subprocess.run([tool], input=payload, stdout=out, check=True)
        return path

    return make


KEY = b'{"group":"","version":"v1","kind":"Pod","namespace":null,"name":"%s"}'
HEAD = b'{"catalog":{"catalog":{"resources":['
TAIL = b'],"last_applied_term":1,"last_applied_index":1}},"last_applied_index":1}'
SIZE = 100 << 20
HOSTILE = {
    "numbers": (b"[1", b",1", b"]", "decode"),
    "depth": (b"", b"[", b"", "decode"),
    "unknown": (b'{"x":[{}', b',{"a":[1.5,"",null]}', b"]," + HEAD[1:] + TAIL, "ok"),
    "value": (HEAD + b"[" + KEY % b"a" + b",[1", b",1", b"]]" + TAIL, "ok"),
    "string": (HEAD + b"[" + KEY % b"a" + b',"', b"\\n", b'"]' + TAIL, "ok"),
    "name": (b'{"', b"\\n", b'":1}', "decode"),
    "key": (HEAD + b'[{"name":"', b"n", b'"},1]' + TAIL, "decode"),
    "kind": (HEAD + b'[{"group":"","version":"","name":"","kind":"', b"k", b'"},1]' + TAIL, "ok"),
    "resources": (HEAD + b"[" + KEY % b"a" + b",1]", b",[" + KEY % b"a" + b",1]", TAIL, "ok"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_memory_is_bounded_by_the_size_of_the_file(name, wrap, tmp_path):
    begin, middle, end, kind = HOSTILE[name]
    file = wrap(tmp_path / "x.snap", begin + middle * ((SIZE - len(begin) - len(end)) // len(middle)) + end)
    # Places of resources that are not in order are noted: 16 bytes for each of them, which has 70 and more.
    most = file.stat().st_size + (16 << 20) + (SIZE // len(middle) * 16 if name == "resources" else 0)
    for verb in ("verify", "inspect"):
        with open(tmp_path / "out", "wb") as out:
            done = subprocess.run([str(CTL), "catalog", verb, str(file)], stdout=out, stderr=subprocess.PIPE, env=clean_env(None),
                                  timeout=120, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)))
        first = (tmp_path / "out").open("rb").read(200).decode()
        assert done.returncode == (kind != "ok"), (first, done.stderr[:300])
        assert kind == "ok" or first.startswith(f"{kind}: ")


def test_bytes_behind_the_payload(wrap, tmp_path):
    file = wrap(tmp_path / "x.snap", HEAD + TAIL)
    with open(file, "ab") as f:
        f.write(b"behind")
    done = catalog("inspect", file)
    assert done.returncode == 0 and "ignored       6 bytes behind the payload" in done.stdout.decode()
    assert json.loads(catalog("inspect", file, "-o=json").stdout)["ignored_bytes"] == 6


@pytest.mark.parametrize("args", [
    ["inspect"], ["inspect", "a", "b"], ["inspect", "--what", "a"], ["inspect", "a", "-o"], ["inspect", "a", "-o", "yaml"], [],
    ["nothing"], ["verify"], ["replay", "file"], ["replay", "--rules", "v1"], ["replay", "--out"],
])
def test_a_wrong_command_line(args):
    done = catalog(*args, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and done.stdout == b"" and b"engenhoctl help" in done.stderr


def test_help():
    def help(*args):
        done = subprocess.run([str(CTL), *args], capture_output=True, text=True, env=clean_env(None), timeout=30)
        assert done.returncode == 0 and done.stderr == ""
        return done.stdout

    for verb in ("inspect", "verify", "replay"):
        text = help("help", "catalog", verb)
        assert text == help("catalog", verb, "--help") and f"engenhoctl catalog {verb} " in text.split("Example:")[1]
        assert text in help("help", "catalog") and f"catalog {verb}" in help("help")


def test_a_full_disk_is_told(tmp_path):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(CTL), "catalog", "inspect", str(V1 / "00-hand.snap")], stdout=full, stderr=subprocess.PIPE,
                              env=clean_env(None), timeout=30)
    assert done.returncode == 1 and b"cannot write to standard output" in done.stderr


# ---- replay ----


@pytest.mark.parametrize("log", sorted(V1.glob("*.jsonl")), ids=lambda p: p.stem)
def test_replay_under_rules_v0(log, tmp_path):
    out = tmp_path / "new" / "folder" / "x.snap"
    done = catalog("replay", "--rules", "v0", "--out", out, stdin=log.open("rb"))
    assert done.returncode == 0 and done.stderr == b""
    assert done.stdout == log.with_suffix(".ops").read_bytes()
    assert out.read_bytes() == log.with_suffix(".snap").read_bytes()
    assert [p.name for p in out.parent.iterdir()] == ["x.snap"]


@pytest.mark.parametrize("log", sorted((VECTORS / "current-rules").glob("[0-9][0-9].jsonl")), ids=lambda p: p.stem)
def test_replay_under_the_current_rules(log, tmp_path):
    out = tmp_path / "x.snap"
    done = catalog("replay", "--out", out, stdin=log.open("rb"))
    assert done.returncode == 0 and done.stderr == b""
    assert done.stdout == log.with_suffix(".ops").read_bytes()
    payload = out.read_bytes()[68:]
    lines = log.with_suffix(".resources.jsonl").read_bytes().splitlines()
    assert payload.startswith(HEAD + b",".join(lines) + b"],")
    held = json.loads(payload)
    values = [value for _, value in held["catalog"]["catalog"]["resources"]]
    last = max(int(value["metadata"]["resourceVersion"]) for value in values if value is not None)
    assert held["catalog"]["catalog"]["last_applied_term"] == 1
    assert held["last_applied_index"] == held["catalog"]["catalog"]["last_applied_index"] >= last
    assert catalog("verify", out).returncode == 0


def test_replay_as_json():
    log = VECTORS / "current-rules" / "01.jsonl"
    done = catalog("replay", "--rules=current", "-o", "json", stdin=log.open("rb"))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["outcome"] for line in lines] == log.with_suffix(".ops").read_text().split()
    assert [line["index"] for line in lines] == list(range(1, len(lines) + 1))
    for line in lines:
        assert ("reason" in line) == (line["outcome"] in ("Conflict", "PatchRejected", "ApplyConflict")), line
        if line["outcome"] in ("Created", "Replaced", "Patched") and "metadata" in line.get("object", {}):
            assert line["object"]["metadata"]["resourceVersion"] == str(line["revision"])


def test_a_line_that_is_no_command(tmp_path):
    first = (V1 / "00-hand.jsonl").read_bytes().splitlines()[0]
    for second in (b"", b"{", b"[]", b'{"kind":"nothing"}', b"\xff"):
        (tmp_path / "log").write_bytes(first + b"\n" + second + b"\n" + first + b"\n")
        done = catalog("replay", "--rules", "v0", "--out", tmp_path / "x.snap", stdin=(tmp_path / "log").open("rb"))
        assert done.returncode == 1 and done.stdout == b"Created\n" and done.stderr.startswith(b"engenhoctl: line 2: ")
        assert not (tmp_path / "x.snap").exists()


def test_the_last_line_needs_no_end(tmp_path):
    (tmp_path / "log").write_bytes((V1 / "00-hand.jsonl").read_bytes().rstrip(b"\n"))
    done = catalog("replay", "--rules", "v0", stdin=(tmp_path / "log").open("rb"))
    assert done.returncode == 0 and done.stdout == (V1 / "00-hand.ops").read_bytes()


def test_a_catalog_that_cannot_be_saved(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    done = catalog("replay", "--out", tmp_path / "file" / "x.snap", stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and done.stderr.decode() == f"engenhoctl: io: cannot create {tmp_path}/file/x.snap.tmp: Not a directory\n"


# ---- where a catalog is saved ----


LOG = V1 / "00-hand.jsonl"
SNAP = (V1 / "00-hand.snap").read_bytes()


def save_to(out, **options):
    return catalog("replay", "--rules", "v0", "--out", out, stdin=LOG.open("rb"), **options)


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.snap").write_text("old")
    (tmp_path / "link.snap").symlink_to("real/x.snap")
    assert save_to(tmp_path / "link.snap").returncode == 0
    assert (tmp_path / "link.snap").is_symlink() and (tmp_path / "real" / "x.snap").read_bytes() == SNAP
    assert os.listdir(tmp_path / "real") == ["x.snap"] and sorted(os.listdir(tmp_path)) == ["link.snap", "real"]
    (tmp_path / "nowhere").symlink_to("nothing")
    done = save_to(tmp_path / "nowhere")
    assert done.returncode == 1 and done.stdout == b""
    assert done.stderr.decode() == f"engenhoctl: io: cannot follow the link {tmp_path}/nowhere: No such file or directory\n"


def read_fifo(fifo, count=-1):
    """A thread that reads; what it has read is in its list."""
    read = []

    def work():
        with open(fifo, "rb", buffering=0) as f:
            read.append(f.read(count) if count >= 0 else f.readall())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, read


def test_a_fifo_is_written_into(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link"):
        thread, read = read_fifo(tmp_path / "fifo")
        done = save_to(tmp_path / name)
        thread.join(30)
        assert (done.returncode, done.stderr, read) == (0, b"", [SNAP])
        assert done.stdout == (V1 / "00-hand.ops").read_bytes()
    assert (tmp_path / "fifo").is_fifo() and sorted(os.listdir(tmp_path)) == ["fifo", "link"]


def test_a_reader_that_goes_away(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    put = {"kind": "put", "reason": "operator", "value": {"data": "x" * (1 << 20)},
           "key": {"group": "", "version": "v1", "kind": "Pod", "namespace": "a", "name": "b"}}
    (tmp_path / "log").write_text(json.dumps(put) + "\n")
    read_fifo(tmp_path / "fifo", 1)
    done = catalog("replay", "--rules", "v0", "--out", tmp_path / "fifo", stdin=(tmp_path / "log").open("rb"))
    assert done.returncode == 1 and done.stderr.decode() == f"engenhoctl: io: cannot write {tmp_path}/fifo: Broken pipe\n"


def test_a_device_is_written_into(tmp_path):
    """One like /dev/full, of the test's own."""
    try:
        os.mknod(tmp_path / "full", 0o600 | stat.S_IFCHR, os.makedev(1, 7))
        open(tmp_path / "full", "wb").close()
    except OSError:
        pytest.skip("no device can be made here")
    done = save_to(tmp_path / "full")
    assert done.returncode == 1 and done.stderr.decode() == f"engenhoctl: io: cannot write {tmp_path}/full: No space left on device\n"
    assert (tmp_path / "full").is_char_device() and os.listdir(tmp_path) == ["full"]


def test_what_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    done = save_to(tmp_path / "folder")
    assert done.returncode == 1 and done.stdout == b"" and b"folder: Is a directory\n" in done.stderr
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(tmp_path / "socket"))
        done = save_to(tmp_path / "socket")
    assert done.returncode == 1 and b"socket: not a regular file\n" in done.stderr
    assert (tmp_path / "socket").is_socket()


def test_a_file_that_may_not_be_written(tmp_path):
    (tmp_path / "x.snap").write_text("kept")
    (tmp_path / "x.snap").chmod(0o400)
    if os.geteuid() == 0:
        assert save_to(tmp_path / "x.snap").returncode == 0 and (tmp_path / "x.snap").read_bytes() == SNAP
        return
    done = save_to(tmp_path / "x.snap")
    assert done.returncode == 1 and b"x.snap: Permission denied\n" in done.stderr
    assert (tmp_path / "x.snap").read_text() == "kept"


def test_standard_output(tmp_path):
    done = save_to("-", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, SNAP, (V1 / "00-hand.ops").read_bytes())
    assert os.listdir(tmp_path) == []
    done = save_to("/dev/stdout", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, SNAP)
    parent, child = pty.openpty()
    done = subprocess.run([str(CTL), "catalog", "replay", "--out", "-"], stdin=subprocess.DEVNULL, stdout=child, stderr=subprocess.PIPE,
                          env=clean_env(None), timeout=30)
    os.close(child), os.close(parent)
    assert done.returncode == 2 and b"not written to a terminal" in done.stderr


# ---- logs drawn from a seed ----


def draw_value(rng, depth=0):
    kind = rng.randrange(10 if depth < 4 else 7)
    if kind < 3:
        return rng.choice([0, 1, -1, 2**63, 2**64 - 1, -2**63, 10**20, 0.1, 1e300, -0.0, 1.5e-7, 123456789.125])
    if kind < 5:
        return rng.choice(["", "a", "\u00e9\U0001f600", 'q"\\/\b\n\x01\x7f', "x" * 100])
    if kind < 7:
        return rng.choice([None, True, False])
    if kind < 8:
        return [draw_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {rng.choice(["a", "b", "spec", "", "\u00e9", "name"]): draw_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def draw_key(rng):
    group, kind, cluster = rng.choice([("", "ConfigMap", False), ("apps", "Deployment", False), ("", "Node", True), ("x.io", "Thing", False)])
    return {"group": group, "version": rng.choice(["v1", "v1beta1"]) if group == "x.io" else "v1", "kind": kind,
            "namespace": None if cluster else rng.choice(["", "a", "a-b", "kube-system"]), "name": rng.choice(["a", "a.b", "a-b", "\u00e9", "c"])}


def draw_object(rng):
    metadata = {}
    if rng.random() < .3:
        metadata["labels"] = {"a": rng.choice("xyz")}
    if rng.random() < .2:
        metadata["finalizers"] = rng.choice([[], ["f/1"]])
    return rng.choice([{}, {"metadata": metadata}, {"metadata": metadata, "spec": draw_value(rng)}, {"spec": {"a": rng.randrange(3)}},
                       {"metadata": metadata, "spec": draw_template(rng, False)}])


def draw_template(rng, patch):
    """A list that strategic patches and applies merge by the names of its items."""
    items = [{"name": name, "image": rng.choice("ij")} for name in rng.sample("abcd", rng.randrange(1, 4))]
    spec = {"containers": items}
    if patch and rng.random() < .3:
        items[0] = {"name": items[0]["name"], "$patch": "delete"}
    elif patch and rng.random() < .3:
        spec["$setElementOrder/containers"] = [{"name": item["name"]} for item in items]
    return {"template": {"spec": spec}}


def draw_patch(rng, key):
    """The members of a command that make it a patch of another type than merge."""
    kind = rng.choice(["json", "strategic", "apply"])
    if kind == "json":
        patch = [{"op": rng.choice(["add", "replace", "remove", "test"]), "value": draw_value(rng),
                  "path": rng.choice(["/spec", "/spec/a", "/metadata/labels/a", "/nothing/x"])}]
        return {"patch_type": kind, "patch": patch}
    patch = draw_object(rng) if rng.random() < .3 else {"spec": draw_template(rng, kind == "strategic")}
    if kind == "strategic":
        return {"patch_type": kind, "patch": patch}
    patch |= {"apiVersion": f"{key['group']}/{key['version']}".lstrip("/"), "kind": key["kind"]}
    apply = {"manager": rng.choice(["m", "n"]), "force": rng.random() < .3, "time": f"2026-01-01T00:00:{rng.randrange(60):02}Z"}
    return {"patch_type": kind, "patch": patch, "apply": apply}


def draw_txn(rng, count):
    """On keys that only transactions have, and with the same operations in both branches or none in one: so that it can be told
    what it did."""
    def key():
        return {**draw_key(rng), "group": "txn.io"}

    compares = [rng.choice([{"cmp": "not_exists", "key": draw_key(rng)},
                            {"cmp": "mod_revision_eq", "key": draw_key(rng), "revision": rng.randrange(count)}]) for _ in range(rng.randrange(3))]
    ops = [rng.choice([{"op": "put", "key": key(), "value": {"spec": draw_value(rng)}}, {"op": "delete", "key": key()}])
           for _ in range(rng.randrange(5))]
    return {"kind": "txn", "compares": compares, "success": ops, "failure": rng.choice([[], ops])}


def draw_commands(rng, count, v0):
    reasons = ["operator", "controller", "garbage_collector", "admission", "scheduler"]
    for _ in range(count):
        command = {"kind": rng.choice(["put", "put", "put", "patch", "patch", "delete"]), "key": draw_key(rng), "reason": rng.choice(reasons)}
        if not v0 and rng.random() < .1:
            command = {**draw_txn(rng, count), "reason": command["reason"]}
        if command["kind"] == "put":
            command["value"] = draw_object(rng) if rng.random() < .9 else draw_value(rng)
        elif command["kind"] == "patch":
            command["patch"] = draw_object(rng) if rng.random() < .8 else draw_value(rng)
        if not v0 and command["kind"] != "txn":
            command["expected"] = rng.choice([None, None, None, 1, rng.randrange(count)])
            if command["kind"] == "delete":
                command["deletion_timestamp"] = rng.choice([None, "2026-01-01T00:00:00Z"])
            elif command["kind"] == "patch" and rng.random() < .6:
                command |= draw_patch(rng, command["key"])
        yield json.dumps(command, ensure_ascii=rng.random() < .5)


@pytest.mark.parametrize("rules", ["v0", "current"])
@pytest.mark.parametrize("seed", range(4))
def test_a_log_that_is_replayed_twice(rules, seed, tmp_path):
    """Two processes give equal files and results; what the results say is what the file holds; what changes nothing takes no revision."""
    log = tmp_path / "log"
    log.write_text("\n".join(draw_commands(random.Random(seed), 3000, rules == "v0")) + "\n")
    outputs = []
    for name, env in (("a", {}), ("b", {"MALLOC_PERTURB_": "85"})):
        done = subprocess.run([str(CTL), "catalog", "replay", "--rules", rules, "--out", str(tmp_path / name), "-o", "json"],
                              stdin=log.open("rb"), capture_output=True, env=clean_env(env), timeout=120)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    held, revision, outcomes = {}, 0, set()
    for command, line in zip(map(json.loads, log.read_text().splitlines()), outputs[0].splitlines(), strict=True):
        result = json.loads(line)
        outcome = result["outcome"]
        outcomes.add((command.get("patch_type", command["kind"]), outcome))
        changes = outcome in ("Created", "Replaced", "Patched", "Deleted", "DeletionPending")
        assert changes or outcome in ("NoOp", "Unchanged", "Conflict", "PatchRejected", "ApplyConflict")
        if command["kind"] == "txn":
            for op in command["success"] if changes else []:
                held.pop(json.dumps(op["key"]), None)
                if op["op"] == "put":
                    held[json.dumps(op["key"])] = op["value"]["spec"]
        elif outcome == "Deleted":
            del held[json.dumps(command["key"])]
        elif changes:
            held[json.dumps(command["key"])] = line[line.index(b'"object":') + 9:-1]
        if rules == "current":
            assert result["revision"] == revision + changes
            revision += changes
    names = {outcome for _, outcome in outcomes}
    assert names >= {"Created", "Replaced", "Patched", "Deleted", "NoOp"}
    if rules == "current":
        assert names >= {"DeletionPending", "Unchanged", "Conflict"}
        assert outcomes >= {("txn", "Replaced"), ("txn", "NoOp"), ("strategic", "Patched"), ("strategic", "PatchRejected"),
                            ("json", "Patched"), ("json", "PatchRejected"), ("apply", "Created"), ("apply", "Patched"),
                            ("apply", "ApplyConflict")}
    payload = (tmp_path / "a").read_bytes()[68:]
    resources = {json.dumps(key): value for key, value in json.loads(payload)["catalog"]["catalog"]["resources"]}
    assert resources.keys() == held.keys()
    for key, value in held.items():
        assert value in payload if isinstance(value, bytes) else resources[key]["spec"] == value
    assert json.loads(payload)["last_applied_index"] == (3000 if rules == "v0" else revision)
    assert catalog("verify", tmp_path / "a").returncode == 0
