"""engenho.v1.ResourceStore through HTTP with JSON, as curl uses it."""
import json
import os
import signal
import subprocess
import time

import pytest

from http2 import WINDOW, Connection
from process import Running
from protobuf import resource_store as pb
from test_http import metrics, request
from test_resources import Resources, Watch, assert_watchers_hold_little

pytestmark = pytest.mark.ours
VERSIONS = pytest.mark.parametrize("version", ["--http1.1", "--http2-prior-knowledge", "--http1.0"])


class Curl:
    def __init__(self, port, *args):
        self.url, self.args = f"http://127.0.0.1:{port}/engenho/v1/", args
        self.running = []

    def command(self, method, body, *args):
        body = body if isinstance(body, str) else json.dumps(body)
        return ["curl", "-sS", "--noproxy", "*", "--max-time", "60", *self.args, *args, self.url + method, "-d", body]

    def status(self, method, body, *args):
        """(HTTP status, answer)"""
        done = subprocess.run(self.command(method, body, "-w", "\n%{http_code} %{content_type}", *args), capture_output=True,
                              text=True, timeout=70)
        assert done.returncode == 0, done.stderr
        answer, _, status = done.stdout.rpartition("\n")
        assert status.endswith(" application/json"), done.stdout
        assert answer.endswith("\n") and answer.count("\n") == 1
        return int(status.split()[0]), json.loads(answer)

    def __call__(self, method, body, *args):
        status, answer = self.status(method, body, *args)
        assert status == 200, answer
        return answer

    def ask_watch(self, **fields):
        body = {"version": "v1", "kind": "ConfigMap", **fields}
        self.running.append(Running(self.command("Watch", body, "--no-buffer"), os.environ))
        return self.running[-1]

    def watch(self, **fields):
        """One that is there: its first line says from where it watches."""
        watch = self.ask_watch(**fields)
        first = json.loads(watch.line())
        assert first.keys() == {"revision"} and int(first["revision"]) == fields.get("fromRevision", int(first["revision"]))
        return watch

    def close(self):
        for r in self.running:
            r.close()


@pytest.fixture
def new_curl(member):
    made = []

    def make(*args):
        made.append(Curl(member.port, *args))
        return made[-1]

    yield make
    for c in made:
        c.close()


@pytest.fixture
def curl(new_curl):
    return new_curl()


def key(name, namespace="default"):
    return {"version": "v1", "kind": "ConfigMap", "namespace": namespace, "name": name}


def put(curl, name, value=None, **fields):
    return curl("Put", {"key": key(name), "value": value or {}, **fields})


@VERSIONS
def test_a_resource_through_its_life(new_curl, version):
    curl = new_curl(version)
    created = put(curl, "a", {"data": {"k": "ä"}})
    assert created["outcome"] == "CREATED" and created["resource"]["value"]["data"] == {"k": "ä"}
    assert created["revision"] == created["resource"]["modRevision"] == "2"
    assert put(curl, "a", {"data": {"k": "ä"}})["outcome"] == "UNCHANGED"
    patched = curl("Patch", {"key": key("a"), "patch": [{"op": "add", "path": "/data/l", "value": "1"}], "type": "JSON"})
    assert patched["outcome"] == "PATCHED" and patched["resource"]["value"]["data"] == {"k": "ä", "l": "1"}
    got = curl("Get", {"key": key("a")})
    assert got == {"resource": patched["resource"], "revision": "3"}
    assert curl("Delete", {"key": key("a"), "expected": 2})["outcome"] == "CONFLICT"
    assert curl("Delete", {"key": key("a"), "expected": "3"})["outcome"] == "DELETED"
    assert curl.status("Get", {"key": key("a")}) == (404, {
        "error": "there is no such resource", "code": 5, "message": "there is no such resource"})


@VERSIONS
def test_lists(new_curl, version):
    curl = new_curl(version)
    for i in range(10):
        put(curl, f"c{i}", {"metadata": {"labels": {"parity": str(i % 2)}}})
    where = {"version": "v1", "kind": "ConfigMap"}
    page = curl("List", {**where, "label_selector": "parity=1", "limit": 3})
    assert [i["key"]["name"] for i in page["items"]] == ["c1", "c3", "c5"]
    rest = curl("List", {**where, "labelSelector": "parity=1", "limit": 3, "continue": page["continue"]})
    assert [i["key"]["name"] for i in rest["items"]] == ["c7", "c9"] and "continue" not in rest
    assert [i["key"]["name"] for i in curl("List", {**where, "fieldSelector": "metadata.name=c4"})["items"]] == ["c4"]
    assert curl("List", {**where, "namespace": "other"}) == {"revision": "11", "remaining": "0"}


def test_null_is_absent(curl):
    put(curl, "a")
    assert curl("Txn", {"success": [{"key": key("a"), "value": None}]})["outcome"] == "REPLACED"
    assert curl.status("Get", {"key": key("a")})[0] == 404
    assert put(curl, "a", {"data": {"k": None}}, expected=None)["resource"]["value"]["data"] == {"k": None}


def test_a_transaction(curl):
    answer = curl("Txn", {"compares": [{"key": key("a")}], "success": [{"key": key("a"), "value": {}}, {"key": key("b"), "value": {}}]})
    assert answer["outcome"] == "REPLACED"
    assert len(curl("List", {"version": "v1", "kind": "ConfigMap"})["items"]) == 2


@VERSIONS
def test_a_watch_is_lines(new_curl, version):
    curl = new_curl(version)
    put(curl, "a")
    watch = curl.watch(fromRevision=1, bookmarkIntervalMs=60000)
    first = json.loads(watch.line())
    assert [(e["type"], e["resource"]["key"]["name"]) for e in first["events"]] == [("ADDED", "a")]
    assert json.loads(watch.line())["events"][0]["type"] == "BOOKMARK"
    put(curl, "a", {"data": {"text": "two\nlines"}})
    changed = json.loads(watch.line())
    assert changed["events"][0]["resource"]["value"]["data"] == {"text": "two\nlines"} and changed["revision"] == "3"
    assert watch.quiet(0.2)
    watch.interrupt()
    assert watch.wait() != 0
    now = curl.watch()
    put(curl, "b")
    assert names(now, 1) == ["b"]


@pytest.mark.parametrize("method, body, status, code, text", [
    ("Put", '{"key": ', 400, 3, "not JSON: expected a value at byte 8"),
    ("Put", {"kee": 1}, 400, 3, 'unknown field "kee"'),
    ("Put", {"key": {"name": 7}}, 400, 3, "key.name: expected a string"),
    ("Put", {"value": {}}, 400, 3, "key is missing"),
    ("Put", {"key": key("a"), "value": None}, 400, 3, "value is missing"),
    ("Patch", {"key": key("a"), "patch": None}, 400, 3, "patch is missing"),
    ("Put", '{"key": {"name": "a"}, "value": {}, "value": {}}', 400, 3, "value: it is there twice"),
    ("Watch", '{"fromRevision": 1, "from_revision": 1}', 400, 3, "from_revision: it is there twice"),
    ("List", {"limit": " 1 "}, 400, 3, "limit: expected an integer"),
    ("Patch", {"key": key("a"), "type": "SHINY"}, 400, 3, "type: not one of the names there are"),
    ("List", {"version": "v1", "kind": "ConfigMap", "limit": -1}, 400, 3, "limit is negative"),
    ("List", {"version": "v1", "kind": "ConfigMap", "consistency": "EXACT", "revision": 1000}, 400, 11, None),
    ("Watch", {"version": "v1", "kind": "ConfigMap", "labelSelector": "a in ("}, 400, 3, None),
    ("put", {}, 404, 5, "there is no such method"),
    ("", {}, 404, 5, "there is no such method"),
])
def test_errors(curl, method, body, status, code, text):
    got, answer = curl.status(method, body)
    assert (got, answer["code"]) == (status, code) and answer["error"] == answer["message"] == (text or answer["message"])


def test_only_post(member):
    answer = request(member.port, "/engenho/v1/Put")
    assert answer.status == 405 and answer.headers["Allow"] == "POST" and json.loads(answer.body)["code"] == 12
    assert request(member.port, "/engenho/v1/Nothing").status == 404
    assert json.loads(request(member.port, "/engenho/v1/Put%zz").body)["code"] == 3


@VERSIONS
def test_pages_of_other_origins_do_not_write(member, new_curl, version):
    curl = new_curl(version)
    body = {"key": key("a"), "value": {}}
    simple = ("-H", "Content-Type: text/plain")
    for field in ("Origin: http://evil.example", "Origin: null", f"Origin: http://127.0.0.1:{member.port + 1}",
                  "Sec-Fetch-Site: cross-site"):
        status, answer = curl.status("Put", body, *simple, "-H", field)
        assert (status, answer["code"]) == (403, 7)
    assert curl.status("Get", {"key": key("a")})[0] == 404
    assert curl("Put", body, *simple, "-H", f"Origin: http://127.0.0.1:{member.port}")["outcome"] == "CREATED"


def test_large_bodies(start_member, new_curl, tmp_path):
    curl = Curl(start_member("--max-request-bytes=100000").port)
    too_large = {"key": key("a"), "value": {"data": {"x": "x" * 200000}}}
    file = tmp_path / "body"
    file.write_text(json.dumps(too_large))
    status, answer = curl.status("Put", f"@{file}")
    assert (status, answer["message"]) == (400, "etcdserver: request is too large")
    file.write_text(" " * 700000)
    assert curl.status("Put", f"@{file}") == (413, {
        "error": "Request Entity Too Large", "code": 8, "message": "Request Entity Too Large"})


def test_a_watch_of_what_was_compacted_is_an_error(member, curl):
    put(curl, "a")
    last = put(curl, "a", {"data": {"x": "1"}})["revision"]
    member.client().compact(int(last))
    assert curl.status("Watch", {"version": "v1", "kind": "ConfigMap", "fromRevision": 1}) == (400, {
        "error": "too old resource version: 1", "code": 11, "message": "too old resource version: 1"})


def test_a_stop_ends_watches_with_an_error(member, curl):
    put(curl, "a")
    watches = [curl.watch(fromRevision=1) for _ in range(5)]
    for w in watches:
        w.line()
    assert member.stop() == 0
    for w in watches:
        assert json.loads(w.line())["code"] == 14
        assert w.rest() == [] and w.wait() == 0


def test_metrics_see_it(member, curl):
    put(curl, "a")
    watch = curl.watch(fromRevision=1)
    watch.line()
    labels = 'grpc_service="engenho.v1.ResourceStore"'

    def count(code, method, kind):
        return metrics(member.port).get(
            f'grpc_server_handled_total{{grpc_code="{code}",grpc_method="{method}",{labels},grpc_type="{kind}"}}', 0)

    assert count("OK", "Put", "unary") == 1
    watch.interrupt()  # its connection ends, and so does the call
    deadline = time.monotonic() + 10
    while count("Canceled", "Watch", "server_stream") == 0:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_deadline(curl):
    done = subprocess.run(curl.command("Watch", {"version": "v1", "kind": "ConfigMap"}, "-H", "Grpc-Timeout: 200m"),
                          capture_output=True, text=True, timeout=70)
    first, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert first == {"revision": "1"} and (last["code"], last["message"]) == (4, "context deadline exceeded")


def names(watch, count):
    found = []
    while len(found) < count:
        found += [e["resource"]["key"]["name"] for e in json.loads(watch.line())["events"]]
    return found


@VERSIONS
def test_a_watch_that_nobody_reads_holds_nothing_up(member, new_curl, version):
    curl = new_curl(version)
    store = Resources(member.client())
    slow, fast = [curl.watch(fromRevision=1) for _ in range(5)], curl.watch(fromRevision=1)
    store.put(pb.Key(version="v1", kind="ConfigMap", namespace="default", name="a"), {"data": {"x": "0"}})
    for w in [*slow, fast]:
        assert w.line()
    for w in slow:
        w.proc.send_signal(signal.SIGSTOP)
    before = member.rss_bytes()
    count, size = 300, 100000
    for i in range(1, count):
        store.put(pb.Key(version="v1", kind="ConfigMap", namespace="default", name=f"a{i}"), {"data": {"x": "x" * size}})
    wanted = [f"a{i}" for i in range(1, count)]
    assert names(fast, count - 1) == wanted
    assert_watchers_hold_little(member.rss_bytes() - before, count * size, len(slow))
    for w in slow:
        w.proc.send_signal(signal.SIGCONT)
    for w in slow:
        assert names(w, count - 1) == wanted


def test_streams_that_nobody_reads_hold_nothing_up(member):
    """They share their connection with one that is read, and with requests."""
    store, connection = Resources(member.client()), Connection(member.port)
    where = {"version": "v1", "kind": "ConfigMap"}
    slow = [connection.post("/engenho/v1/Watch", where, reading=False) for _ in range(10)]
    fast = connection.post("/engenho/v1/Watch", where, reading=True)
    for stream in [*slow, fast]:
        assert connection.lines(stream) == [{"revision": "1"}]
    before = member.rss_bytes()
    count, size = 150, 100000
    wanted = [f"a{i}" for i in range(count)]
    for name in wanted:
        store.put(pb.Key(version="v1", kind="ConfigMap", namespace="default", name=name), {"data": {"x": "x" * size}})

    def take(stream):
        found = []
        while len(found) < count:
            found += [e["resource"]["key"]["name"] for line in connection.lines(stream) for e in line["events"]]
        return found

    assert take(fast) == wanted
    got = connection.post("/engenho/v1/Get", {"key": key("a7")}, reading=True)
    assert connection.lines(got)[0]["resource"]["key"]["name"] == "a7"
    assert {connection.taken[s] for s in slow} == {WINDOW}
    assert_watchers_hold_little(member.rss_bytes() - before, count * size, len(slow))
    for stream in slow:
        connection.read_on(stream)
        assert take(stream) == wanted
    connection.close()


def test_many_watches_on_one_connection_leave_it_usable(member):
    client = member.client()
    store = Resources(client)
    watches = [Watch(client, pb.WatchRequest(version="v1", kind="ConfigMap")) for _ in range(200)]
    store.put(pb.Key(version="v1", kind="ConfigMap", namespace="default", name="a"), {})
    for w in watches:
        assert w.events(1) == [("ADDED", "a")]
        w.cancel()
