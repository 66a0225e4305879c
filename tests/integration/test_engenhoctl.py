"""engenhoctl's verbs for resources, against a member: what they do and print, what they refuse, and their exit statuses."""
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from process import clean_env, free_port
from test_ctl import CTL

pytestmark = pytest.mark.ours

OK, FAILED, USAGE, NOT_FOUND, CONFLICT, INVALID, UNAVAILABLE = range(7)
WEB = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  labels: {app: web}
data:
  a: "1"
"""
MANY = WEB + """\
---
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: p0, namespace: shop}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: d}
  spec: {replicas: 2}
---
{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
"""


class Ctl:
    def __init__(self, endpoint, folder):
        self.endpoint, self.folder = endpoint, folder

    def env(self, extra=None):
        env = {k: v for k, v in clean_env(None).items() if not k.startswith("ENGENHOCTL_")}
        return {**env, "ENGENHOCTL_ENDPOINTS": self.endpoint, **(extra or {})}

    def __call__(self, *args, status=OK, stdin="", env=None):
        done = subprocess.run([str(CTL), *map(str, args)], input=stdin, capture_output=True, text=True, env=self.env(env),
                              timeout=60, cwd=self.folder)
        assert done.returncode == status, (args, done.stdout, done.stderr)
        if status != OK:
            assert done.stderr != ""
        return done

    def json(self, *args, **options):
        return json.loads(self(*args, "-o", "json", **options).stdout)

    def put(self, text, *args, **options):
        return self("put", "-f", "-", *args, stdin=text, **options)


@pytest.fixture
def ctl(member, tmp_path):
    return Ctl(member.endpoint, tmp_path)


def config_map(name, **data):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})


class Proxy:
    """Between engenhoctl and a member: it forwards, or holds what comes, or refuses."""

    def __init__(self, port):
        self.port, self.bytes, self.state, self.open = port, 0, "forward", []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.refuse()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def forward(self):
        self.state = "forward"

    def hold(self):
        self.state = "hold"

    def refuse(self):
        """Connections are cut, and new ones as soon as they come."""
        self.state = "refuse"
        for s in self.open:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self):
        while True:
            try:
                mine, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(mine)
            try:
                if self.state == "refuse":
                    raise OSError
                theirs = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                mine.close()
                continue
            self.open.append(theirs)
            threading.Thread(target=self.pump, args=(mine, theirs, 0), daemon=True).start()
            threading.Thread(target=self.pump, args=(theirs, mine, 1), daemon=True).start()

    def pump(self, source, target, count):
        try:
            while part := source.recv(65536):
                while self.state == "hold":
                    time.sleep(0.01)
                self.bytes += count * len(part)
                target.sendall(part)
        except OSError:
            pass
        for s in (source, target):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


# ---- put and get ----


def test_put_get_and_delete(ctl):
    done = ctl.put(WEB)
    assert done.stdout == "configmap/web in namespace default created (version 2)\n" and done.stderr == ""
    assert "unchanged" in ctl.put(WEB).stdout
    got = ctl.json("get", "cm", "web")
    assert got["data"] == {"a": "1"} and got["metadata"]["resourceVersion"] == "2"
    assert "deleted" in ctl("delete", "configmap/web").stdout
    assert "configmap/web in namespace default: not found" in ctl("get", "cm", "web", status=NOT_FOUND).stderr
    assert "not found" in ctl("delete", "cm", "web", status=NOT_FOUND).stderr
    assert ctl("delete", "cm", "web", "--ignore-not-found").stdout == ""


@pytest.mark.parametrize("kind", ["configmaps", "configmap", "cm", "ConfigMap", "v1/ConfigMap", "CONFIGMAPS", "configmaps.v1"])
def test_names_of_kinds(ctl, kind):
    ctl.put(WEB)
    assert ctl("get", kind, "web", "-o", "name").stdout == "configmap/web\n"
    assert ctl("get", f"{kind}/web", "-oname").stdout == "configmap/web\n"
    assert ctl("list", kind, "-o=name").stdout == "configmap/web\n"


def test_documents_of_all_forms(ctl, tmp_path):
    (tmp_path / "many.yaml").write_text(MANY)
    lines = ctl("put", "-f", "many.yaml").stdout.splitlines()
    assert [line.rsplit(" (")[0] for line in lines] == [
        "configmap/web in namespace default created", "configmap/p0 in namespace shop created",
        "deployment.apps/d in namespace default created", "widget.example.com/w created"]
    (tmp_path / "many.json").write_text(config_map("j1") + "\n" + config_map("j2"))
    assert ctl("put", "-f", "many.json", "-f", "many.yaml", "-o", "name").stdout.splitlines() == [
        "configmap/j1", "configmap/j2", "configmap/web", "configmap/p0", "deployment.apps/d", "widget.example.com/w"]
    assert ctl("get", "example.com/v1/Widget", "w", "-o", "name").stdout == "widget.example.com/w\n"
    assert ctl("get", "example.com/v1/Widget/w", "-o", "name").stdout == "widget.example.com/w\n"
    listed = ctl("list", "cm", "-A", "-o", "yaml").stdout
    assert "unchanged" in ctl.put(listed).stdout and ctl.put(listed).stdout.count("unchanged") == 4
    assert ctl("delete", "-f", "many.yaml").stdout.count("deleted") == 4


def test_what_is_printed_is_put_again(ctl):
    value = {"apiVersion": "example.com/v1", "kind": "Odd", "metadata": {"name": "x"},
             "spec": {"no": "yes", "f": 1000.0, "big": 18446744073709551615, "text": "a: b\n  c\n", "odd": "\x1b[31m\u2028é",
                      "empty": [{}, [], ""], "date": "2020-01-01", "n": None, "deep": [[1, [2.5]], {"k y": "-"}]}}
    ctl.put(json.dumps(value))
    for form in ("yaml", "json"):
        text = ctl("get", "example.com/v1/Odd", "x", "-o", form).stdout
        assert "\x1b" not in text
        assert "unchanged" in ctl.put(text).stdout
    assert ctl.json("get", "example.com/v1/Odd", "x")["spec"] == value["spec"]


def test_several_documents_each_tell_theirs(ctl):
    ctl.put(config_map("a") + config_map("b"))
    texts = [config_map("a", k="1"), config_map("b", k="1"), config_map("c", k="1")]
    version = ctl.json("get", "cm", "a")["metadata"]["resourceVersion"]
    for i, text in enumerate(texts):
        value = json.loads(text)
        value["metadata"]["resourceVersion"] = version if i == 0 else "1"
        texts[i] = json.dumps(value)
    done = ctl.put("\n---\n".join(texts), "--check-version", status=CONFLICT)
    assert "configmap/a in namespace default replaced" in done.stdout and done.stdout.count("\n") == 1
    assert "document 2 (line 3): configmap/b in namespace default: conflict" in done.stderr
    assert "document 3 (line 5): configmap/c in namespace default: conflict" in done.stderr
    assert "document 1: configmap/a in namespace default: metadata.resourceVersion, which --check-version needs" in \
        ctl.put(config_map("a"), "--check-version", status=INVALID).stderr


@pytest.mark.parametrize("text, message", [
    ("a: [1", "line 1, column 6: did not find expected"),
    ("a: [1\n", "line 2, column 1: did not find expected"),
    ("a: b\nc: {é", "line 2, column 6: did not find expected"),
    (WEB + "---\na: b\n", "document 2 (line 9): apiVersion is missing"),
    (WEB + "---\n- a\n", "document 2 (line 9): not a resource"),
    ("apiVersion: v1\nkind: Pod\n", "metadata.name is missing"),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: 5}\n", "metadata.name must be a text, not number"),
    ("apiVersion: a/b/c\nkind: Pod\nmetadata: {name: x}\n", "apiVersion must be"),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: x, name: y}\n", 'line 3, column 21: the key "name" stands here twice'),
    ("apiVersion: v1\nkind: Node\nmetadata: {name: x, namespace: z}\n", "Node has no namespaces"),
    ('apiVersion: v1\nkind: List\nitems: [{apiVersion: v1}]\n', "document 1 (line 1), item 1: kind is missing"),
    ("", "no resources"),
    ("--- \n---\n", "no resources"),
])
def test_bad_documents_and_nothing_is_sent(ctl, text, message):
    for verb in ("put", "apply", "delete"):
        done = ctl(verb, "-f", "-", stdin=text, status=INVALID)
        assert "standard input" in done.stderr and message in done.stderr and done.stdout == ""
    assert ctl("list", "cm", "-o", "name").stdout == ""


def test_files_without_resources(ctl, tmp_path):
    for name in ("a.yaml", "b.json"):
        (tmp_path / name).write_text("")
    done = ctl("put", "-f", "a.yaml", "-f", "b.json", status=INVALID)
    assert done.stderr == "engenhoctl: a.yaml: there are no resources in it\nengenhoctl: b.json: there are no resources in it\n"
    assert "created" in ctl("put", "-f", "a.yaml", "-f", "-", stdin=WEB).stdout


def test_files_that_cannot_be_read(ctl, tmp_path):
    assert "nothing.yaml: No such file" in ctl("put", "-f", "nothing.yaml", status=FAILED).stderr
    assert "Is a directory" in ctl("put", "-f", ".", status=FAILED).stderr
    (tmp_path / "bad.json").write_text('{"a": tru}')
    assert "bad.json: at byte 6" in ctl("put", "-f", "bad.json", status=INVALID).stderr


def test_what_the_store_refuses(ctl):
    done = ctl.put('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a/b"}}', status=INVALID)
    assert "document 1: configmap/a/b in namespace default: the key's name has a '/'" in done.stderr


def test_expected(ctl):
    ctl.put(WEB)
    assert "conflict" in ctl.put(WEB.replace('"1"', '"2"'), "--expected", "77", status=CONFLICT).stderr
    assert "replaced" in ctl.put(WEB.replace('"1"', '"2"'), "--expected", "2").stdout
    assert "conflict: its version is 3" in ctl("delete", "cm", "web", "--expected=2", status=CONFLICT).stderr
    ctl("patch", "cm", "web", "-p", "data: {b: c}", "--expected", "2", status=CONFLICT)
    ctl("put", "-f", "-", "--expected", "x", stdin=WEB, status=USAGE)
    ctl("delete", "cm", "web", "--expected", "3")


# ---- namespaces, lists ----


def test_namespaces(ctl):
    ctl.put(WEB, "-n", "shop")
    ctl.put(WEB)
    ctl.put(WEB, env={"ENGENHOCTL_NAMESPACE": "third"})
    assert ctl.json("get", "cm", "web", "-nshop")["metadata"]["namespace"] == "shop"
    assert ctl("list", "cm", "-o", "name", "--namespace=shop").stdout == "configmap/web\n"
    assert len(ctl.json("list", "cm", "--all-namespaces")["items"]) == 3
    head, *lines = ctl("list", "cm", "-A").stdout.splitlines()
    assert head.split() == ["NAMESPACE", "NAME", "DATA", "AGE"] and [line.split()[0] for line in lines] == ["default", "shop", "third"]
    in_shop = WEB.replace("name: web", "name: web\n  namespace: shop")
    assert '--namespace says "x"' in ctl.put(in_shop, "-n", "x", status=INVALID).stderr
    ctl.put(in_shop, env={"ENGENHOCTL_NAMESPACE": "x"})
    ctl.put("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}", "-n", "shop")
    assert "namespace" not in ctl.json("get", "ns", "shop")["metadata"]
    ctl.put("apiVersion: example.com/v1\nkind: W\nmetadata: {name: a}", "-n", "shop")
    ctl("get", "example.com/v1/W", "a", status=NOT_FOUND)
    ctl("get", "example.com/v1/W", "a", "-n", "shop")


def test_lists(ctl):
    assert ctl("list", "cm").stderr == "No resources found.\n"
    assert ctl.json("list", "cm")["items"] == []
    assert "items: []" in ctl("list", "cm", "-o", "yaml").stdout
    ctl.put("".join(config_map(f"c{i:04}", n=str(i)) for i in range(1200)))
    listed = ctl.json("list", "configmaps")
    assert [i["metadata"]["name"] for i in listed["items"]] == [f"c{i:04}" for i in range(1200)]
    assert listed["kind"] == "List" and listed["metadata"]["resourceVersion"] == "1201"
    done = ctl("list", "cm", "--limit", "700", "-o", "name")
    assert done.stdout.count("\n") == 700 and "500 more; go on with --continue" in done.stderr
    rest = ctl("list", "cm", "-o", "name", "--continue", done.stderr.split()[-1])
    assert rest.stdout.splitlines()[0] == "configmap/c0700" and rest.stdout.count("\n") == 500
    ctl("list", "cm", "--continue", "nonsense", status=INVALID)
    ctl("patch", "cm", "c0005", "--type", "merge", "-p", '{"metadata":{"labels":{"app":"x"}}}')
    assert ctl("list", "cm", "-l", "app=x", "-o", "name").stdout == "configmap/c0005\n"
    assert ctl("list", "cm", "--field-selector", "metadata.name=c0007", "-o", "name").stdout == "configmap/c0007\n"
    assert ctl("list", "cm", "-l", "app=x", "--revision", "1201", "-o", "name").stdout == ""
    ctl("list", "cm", "-l", "app in", status=INVALID)
    ctl("list", "cm", "--revision", "99999", status=FAILED)


def test_tables(ctl):
    ctl.put("""
apiVersion: v1
kind: Pod
metadata: {name: web-0, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: a, image: x}, {name: b, image: x}]}
status: {phase: Running, containerStatuses: [{name: a, ready: true, restartCount: 3}, {name: b, ready: false, restartCount: 1}]}
""")
    head, line = ctl("get", "po", "web-0").stdout.splitlines()
    assert head.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert line.split()[:4] == ["web-0", "1/2", "Running", "4"] and line.split()[4].endswith("s")
    wide = ctl("get", "po", "-o", "wide").stdout.splitlines()
    assert wide[0].split()[5:] == ["NODE", "UID", "LABELS"] and wide[1].split()[-1] == "app=web"
    ctl.put("apiVersion: example.com/v1\nkind: W\nmetadata: {name: a}")
    assert ctl("list", "example.com/v1/W").stdout.splitlines()[0].split() == ["NAMESPACE", "NAME", "VERSION", "AGE"]
    assert ctl("get", "po", "web-0", "ghost", status=NOT_FOUND).stdout.count("\n") == 2


def test_tables_of_several_kinds(ctl):
    ctl.put("apiVersion: v1\nkind: Pod\nmetadata: {name: a-long-name}\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n---\n"
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}")
    head, pod, other_pod, blank, second, deployment = ctl("get", "pods/a-long-name", "deploy/web", "po/b").stdout.splitlines()
    assert head.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"] and second.split() == ["NAME", "READY", "AGE"]
    assert [line.split()[0] for line in (pod, other_pod, deployment)] == ["pod/a-long-name", "pod/b", "deployment.apps/web"]
    assert blank == "" and deployment.split()[1] == "0/2" and second.index("READY") == len("deployment.apps/web") + 3
    wide = ctl("get", "deploy/web", "pods/b", "-o", "wide").stdout.split("\n\n")
    assert [table.split()[0] for table in wide] == ["NAME", "NAME"] and "NODE" in wide[1] and "NODE" not in wide[0]
    # What is not there makes no table; of one kind, the names stay as they are.
    assert ctl("get", "cm/ghost", "pods/b", "svc/ghost", status=NOT_FOUND).stdout.splitlines()[1].split()[0] == "pod/b"
    assert ctl("get", "cm/ghost", "pods/b", status=NOT_FOUND).stdout.count("\n") == 2
    assert ctl("get", "pods/b", "po/a-long-name").stdout.splitlines()[1].split()[0] == "b"
    assert ctl("get", "pods/b", "deploy/web", "po/a-long-name", "-o", "name").stdout.splitlines() == [
        "pod/b", "deployment.apps/web", "pod/a-long-name"]


def test_the_past(ctl):
    ctl.put(WEB)
    ctl("patch", "cm", "web", "-p", '{"data":{"a":"2"}}')
    assert ctl.json("get", "cm", "web", "--revision", "2")["data"] == {"a": "1"}
    assert ctl.json("get", "cm", "web", "--not-older-than", "3")["data"] == {"a": "2"}
    ctl("get", "cm", "web", "--revision", "2", "--not-older-than", "2", status=USAGE)


# ---- patch and apply ----


def test_patches(ctl, tmp_path):
    ctl.put("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n"
            "spec: {template: {spec: {containers: [{name: a, image: x}, {name: b, image: yy}]}}}")
    patch = "spec: {template: {spec: {containers: [{name: a, image: z}]}}}"
    containers = lambda: ctl.json("get", "deploy", "d")["spec"]["template"]["spec"]["containers"]  # noqa: E731
    assert "patched" in ctl("patch", "deploy/d", "-p", patch).stdout
    assert [c["image"] for c in containers()] == ["z", "yy"]
    ctl("patch", "deploy", "d", "--type=json", "-p", '[{"op":"remove","path":"/spec/template/spec/containers/1"}]')
    assert len(containers()) == 1
    (tmp_path / "p.yaml").write_text("spec: {replicas: 4}")
    assert json.loads(ctl("patch", "deploy", "d", "--type", "merge", "--patch-file", "p.yaml", "-o", "json").stdout)["spec"]["replicas"] == 4
    assert "unchanged" in ctl("patch", "deploy", "d", "--patch-file", "-", stdin="spec: {replicas: 4}").stdout
    assert "another value" in ctl("patch", "deploy", "d", "--type", "json", "-p", '[{"op":"test","path":"/kind","value":1}]', status=INVALID).stderr
    assert "not found" in ctl("patch", "deploy", "e", "-p", "{}", status=NOT_FOUND).stderr
    assert "--patch: line 1, column 5: did not find" in ctl("patch", "deploy", "d", "-p", "{bad", status=INVALID).stderr
    for bad in ("[1", "text", ""):
        assert "--patch: " in ctl("patch", "deploy", "d", "-p", bad, status=INVALID).stderr
    ctl("patch", "deploy", "d", status=USAGE)
    ctl("patch", "deploy", "-p", "{}", status=USAGE)
    ctl("patch", "deploy", "d", "-p", "{}", "--type", "magic", status=USAGE)
    ctl("patch", "deploy", "d", "-p", "{}", "--force-conflicts", status=USAGE)


def test_apply(ctl):
    assert "created" in ctl("apply", "-f", "-", "--field-manager", "one", stdin=WEB).stdout
    time.sleep(1.1)  # a time of whole seconds goes into managedFields
    assert "unchanged" in ctl("apply", "-f", "-", "--field-manager", "one", stdin=WEB).stdout
    other = WEB.replace('"1"', '"2"')
    done = ctl("apply", "-f", "-", "--field-manager", "two", stdin=other + "---\n" + WEB.replace("web", "also"), status=CONFLICT)
    assert '\n  conflict with "one": .data.a\n' in done.stderr and "--force-conflicts" in done.stderr
    assert "configmap/also in namespace default created" in done.stdout
    assert "patched" in ctl("apply", "-f", "-", "--field-manager", "two", "--force-conflicts", stdin=other).stdout
    value = ctl.json("get", "cm", "web")
    assert value["data"] == {"a": "2"} and len(value["metadata"]["managedFields"]) == 2


def test_what_apply_reads_again(ctl):
    ctl("apply", "-f", "-", stdin=WEB)
    listed = ctl.json("list", "cm")
    assert "unchanged" in ctl.put(json.dumps(listed)).stdout
    done = ctl("apply", "-f", "-", stdin=json.dumps(listed), status=INVALID)
    assert "metadata.managedFields must be nil" in done.stderr
    del listed["items"][0]["metadata"]["managedFields"]
    ctl("apply", "-f", "-", stdin=json.dumps(listed))


def test_finalizers(ctl):
    ctl.put(WEB.replace("name: web", "name: web\n  finalizers: [x/y]"))
    assert "deletion pending" in ctl("delete", "cm", "web").stdout
    assert "deletion pending" in ctl("delete", "cm", "web").stdout
    assert "deleted" in ctl("patch", "cm", "web", "--type", "merge", "-p", '{"metadata":{"finalizers":null}}').stdout
    ctl("get", "cm", "web", status=NOT_FOUND)


# ---- watch ----


class Watch:
    def __init__(self, ctl, *args):
        self.process = subprocess.Popen([str(CTL), "watch", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env=ctl.env())

    def lines(self, count):
        return [self.process.stdout.readline() for _ in range(count)]

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


def test_watch(ctl):
    ctl.put(WEB)
    watch = Watch(ctl, "cm", "-o", "json")
    first = json.loads(watch.lines(1)[0])
    assert first["type"] == "ADDED" and first["object"]["metadata"]["name"] == "web"
    ctl.put(config_map("b"))
    ctl("patch", "cm", "b", "-p", '{"data":{"x":"1"}}')
    ctl("delete", "cm", "b")
    events = [json.loads(line) for line in watch.lines(3)]
    assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert watch.interrupt() == (130, "", "")


def test_watch_in_other_forms(ctl):
    ctl.put(WEB + "---\n" + WEB.replace("web", "other"))
    watch = Watch(ctl, "cm/web")
    head, line = watch.lines(2)
    assert head.split() == ["EVENT", "NAME", "DATA", "AGE"] and line.split()[:3] == ["ADDED", "web", "1"]
    ctl("patch", "cm", "other", "-p", '{"data":{"x":"1"}}')
    ctl("patch", "cm", "web", "-p", '{"data":{"x":"1"}}')
    assert watch.lines(1)[0].split()[:3] == ["MODIFIED", "web", "2"]
    assert watch.interrupt()[0] == 130
    for beginning in "0", "1":  # of all that there was
        watch = Watch(ctl, "cm", "-A", "-l", "app=web", "-o", "name", "--from-revision", beginning)
        assert watch.lines(1) == ["ADDED configmap/web\n"]
        watch.interrupt()
    watch = Watch(ctl, "cm", "--changes-only", "-o", "yaml", "--bookmarks")
    assert watch.lines(3) == ["---\n", "object:\n", "  metadata:\n"]
    watch.interrupt()


def test_watch_of_what_is_gone(ctl, member):
    ctl.put(WEB)
    for i in range(5):
        ctl("patch", "cm", "web", "-p", json.dumps({"data": {"x": str(i)}}))
    member.client().call("etcdserverpb.KV/Compact", *compaction(6))
    assert "too old resource version: 3: what has changed since is not all kept" in \
        ctl("watch", "cm", "--from-revision", "3", status=FAILED).stderr
    once, twice = (Watch(ctl, "cm", "-o", "name", "--reconnect", n) for n in ("0", "1"))
    once.lines(1), twice.lines(1)
    member.stop()
    for watch, told in ((once, False), (twice, True)):
        _, err = watch.process.communicate(timeout=30)
        assert watch.process.returncode == UNAVAILABLE and "(go on with --from-revision 7)\n" in err
        assert ("; going on from revision 7\n" in err) == told


def test_watch_goes_on_when_the_connection_breaks(ctl, member):
    with Proxy(member.port) as proxy:
        ctl.put(WEB)
        watch = Watch(ctl, "cm", "-o", "name", "--timeout", "2", "--endpoints", proxy.endpoint)
        assert watch.lines(1) == ["ADDED configmap/web\n"]
        proxy.refuse()
        ctl.put(config_map("a"))
        proxy.forward()
        assert watch.lines(1) == ["ADDED configmap/a\n"]
        proxy.hold()  # the connection stays, and nothing comes
        ctl.put(config_map("b"))
        time.sleep(4)
        proxy.refuse()
        proxy.forward()
        assert watch.lines(1) == ["ADDED configmap/b\n"]
        member.restart()
        ctl.put(config_map("c"))
        assert watch.lines(1) == ["ADDED configmap/c\n"]
        status, out, err = watch.interrupt()
        assert (status, out) == (130, "") and "no answer in time; going on from revision 3\n" in err


def test_watch_goes_on_with_another_member(ctl, member):
    with Proxy(member.port) as proxy:
        watch = Watch(ctl, "cm", "-o", "name", "--changes-only", "--timeout", "2", "--endpoints", f"{proxy.endpoint},{member.endpoint}")
        while proxy.bytes == 0:
            time.sleep(0.01)
        time.sleep(0.5)
        proxy.hold()
        ctl.put(WEB)
        assert watch.lines(1) == ["ADDED configmap/web\n"]
        assert watch.interrupt()[2] == f"engenhoctl: {proxy.endpoint}: no answer in time; going on from revision 1\n"


def test_watch_gives_up_when_the_history_is_gone(ctl, member):
    ctl.put(WEB)
    with Proxy(member.port) as proxy:
        watch = Watch(ctl, "cm", "-o", "name", "--endpoints", proxy.endpoint)
        watch.lines(1)
        proxy.refuse()
        for i in range(5):
            ctl("patch", "cm", "web", "-p", json.dumps({"data": {"x": str(i)}}))
        member.client().call("etcdserverpb.KV/Compact", *compaction(6))
        proxy.forward()
        _, err = watch.process.communicate(timeout=30)
        assert watch.process.returncode == FAILED
        assert "too old resource version: 2: what has changed since is not all kept" in err.splitlines()[-1]


def test_watch_of_a_name_is_of_that_alone(ctl, member):
    ctl.put("".join(config_map(f"c{i:04}", n="x" * 1000) for i in range(200)))
    with Proxy(member.port) as proxy:
        watch = Watch(ctl, "cm", "c0100", "-o", "name", "--endpoints", proxy.endpoint)
        assert watch.lines(1) == ["ADDED configmap/c0100\n"]
        ctl("delete", "cm", "c0100", "c0101")
        assert watch.lines(1) == ["DELETED configmap/c0100\n"]
        assert watch.interrupt() == (130, "", "")
        assert proxy.bytes < 20000
    watch = Watch(ctl, "cm/ghost", "--bookmarks", "-o", "name")
    assert watch.lines(1) == ["BOOKMARK configmap/\n"]
    ctl.put(config_map("ghost"))
    assert next(line for line in iter(lambda: watch.lines(1)[0], "") if not line.startswith("BOOKMARK")) == "ADDED configmap/ghost\n"
    watch.interrupt()


def test_watch_with_a_full_disk(ctl):
    ctl.put(WEB)
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(CTL), "watch", "cm", "--from-revision", "1"], stdout=full, stderr=subprocess.PIPE, text=True,
                              env=ctl.env(), timeout=60)
    assert done.returncode == FAILED
    assert done.stderr == ("engenhoctl: what came was not written out (go on with --from-revision 1)\n"
                           "engenhoctl: cannot write to standard output\n")


def compaction(revision):
    from protobuf import rpc
    return rpc.CompactionRequest(revision=revision), rpc.CompactionResponse


# ---- catalogs ----


def test_export_and_import(ctl, tmp_path, start_member):
    ctl.put(MANY)
    ctl.put("".join(config_map(f"c{i:04}", n="x" * 100) for i in range(700)))
    ctl.put("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'system:a'}\n---\n"
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: system-a}")
    done = ctl("catalog", "export", "new/folder/c.snap")
    assert "706 resources at revision 707" in done.stdout
    assert os.listdir(tmp_path / "new" / "folder") == ["c.snap"]
    assert "ok: 706 resources, last applied index 707" in ctl("catalog", "verify", "new/folder/c.snap").stdout
    payload = json.loads((tmp_path / "new/folder/c.snap").read_bytes()[68:])["catalog"]["catalog"]
    keys = [tuple((k["group"], k["version"], k["kind"], k["namespace"] or "", k["name"])) for k, _ in payload["resources"]]
    assert keys == sorted(keys) and payload["last_applied_index"] == 707
    other = Ctl(start_member().endpoint, tmp_path)
    assert other("catalog", "import", "new/folder/c.snap").stdout == "706 of 706 resources: 706 written, 0 there already, 0 failed\n"
    assert other("catalog", "import", "new/folder/c.snap", "--batch", "7").stdout.startswith("706 of 706 resources: 0 written, 706 there already")
    mine, theirs = (c.json("list", "cm", "-A")["items"] for c in (ctl, other))
    for a, b in zip(mine, theirs, strict=True):
        a["metadata"].pop("resourceVersion"), b["metadata"].pop("resourceVersion")
        assert a == b
    other("delete", "cm", "c0003", "c0500")
    other("patch", "cm", "web", "-p", '{"data":{"a":"9"}}')
    assert "3 written, 703 there already, 0 failed" in other("catalog", "import", "new/folder/c.snap", "--batch=1").stdout
    assert other.json("get", "cm", "web")["data"] == {"a": "1"}


def test_export_while_writes_go_on(ctl, tmp_path):
    ctl.put("".join(config_map(f"c{i:04}", n="0") for i in range(2000)))
    stop = threading.Event()

    def write():
        i = 0
        while not stop.is_set():
            i += 1
            ctl.put("".join(config_map(f"c{j:04}", n=str(i)) for j in range(0, 2000, 40)))

    thread = threading.Thread(target=write)
    thread.start()
    time.sleep(0.2)
    revision = int(ctl("catalog", "export", "c.snap").stdout.split(" at revision ")[1].split(",")[0])
    stop.set()
    thread.join()
    resources = json.loads((tmp_path / "c.snap").read_bytes()[68:])["catalog"]["catalog"]["resources"]
    at_revision = ctl.json("list", "cm", "--revision", revision)["items"]
    assert [v for _, v in resources] == at_revision


def test_export_to_what_is_no_file(ctl, tmp_path):
    ctl.put(WEB)
    told = "1 resources at revision 2, "
    assert told in ctl("catalog", "export", "c.snap").stdout
    expected = (tmp_path / "c.snap").read_bytes()
    done = subprocess.run([str(CTL), "catalog", "export", "-"], capture_output=True, env=ctl.env(), timeout=60)
    assert (done.returncode, done.stdout) == (OK, expected) and done.stderr.decode().startswith(f"standard output: {told}")
    os.mkfifo(tmp_path / "fifo")
    read = []
    thread = threading.Thread(target=lambda: read.append((tmp_path / "fifo").read_bytes()), daemon=True)
    thread.start()
    assert ctl("catalog", "export", "fifo").stdout.startswith(f"fifo: {told}")
    thread.join(30)
    assert read == [expected] and (tmp_path / "fifo").is_fifo()
    (tmp_path / "folder").mkdir()
    assert "folder: Is a directory" in ctl("catalog", "export", "folder", status=FAILED).stderr
    (tmp_path / "folder" / "link").symlink_to("../c.snap")
    ctl.put(config_map("b"))
    ctl("catalog", "export", "folder/link")
    assert (tmp_path / "folder" / "link").is_symlink() and "ok: 2 resources" in ctl("catalog", "verify", "c.snap").stdout
    assert os.listdir(tmp_path / "folder") == ["link"]
    assert "not written to a terminal" in on_terminal(ctl, "catalog", "export", "-")[1]


def test_catalogs_that_do_not_work(ctl, tmp_path):
    assert "io: " in ctl("catalog", "import", "nothing.snap", status=FAILED).stderr
    (tmp_path / "bad.snap").write_bytes(b"x" * 100)
    assert "bad_magic: " in ctl("catalog", "import", "bad.snap", status=FAILED).stderr
    (tmp_path / "file").write_text("")
    ctl("catalog", "export", "file/c.snap", status=FAILED)
    ctl("catalog", "export", status=USAGE)
    ctl("catalog", "import", "x", "--batch", "0", status=USAGE)
    ctl("catalog", "export", "c.snap")
    assert "0 of 0 resources" in ctl("catalog", "import", "c.snap").stdout


def replayed(name, value, kind="Pod"):
    return json.dumps({"kind": "put", "key": {"group": "", "version": "v1", "kind": kind, "namespace": "default", "name": name},
                       "value": value, "expected": None, "reason": "operator"}) + "\n"


def test_import_of_a_pod_without_status(ctl):
    value = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}}
    ctl("catalog", "replay", "--rules", "v0", "--out", "c.snap", stdin=replayed("p", value))
    assert "1 written" in ctl("catalog", "import", "c.snap").stdout
    first = ctl.json("get", "pod", "p")
    assert first["status"] == {"phase": "Pending", "qosClass": "BestEffort"}
    assert "0 written, 1 there already" in ctl("catalog", "import", "c.snap").stdout
    assert ctl.json("get", "pod", "p") == first
    ctl("patch", "pod", "p", "--type", "merge", "-p", '{"status":null}')
    assert "0 written, 1 there already" in ctl("catalog", "import", "c.snap").stdout
    ctl("patch", "pod", "p", "--type", "merge", "-p", '{"status":{"phase":"Running"}}')
    assert "1 written" in ctl("catalog", "import", "c.snap").stdout


def test_import_of_what_others_apply_to(ctl):
    value = {"metadata": {"name": "web", "labels": {"app": "web"}}, "data": {"a": "1"}}
    ctl("catalog", "replay", "--out", "c.snap", stdin=replayed("web", value, "ConfigMap"))
    ctl("apply", "-f", "-", stdin=WEB)
    assert "0 written, 1 there already" in ctl("catalog", "import", "c.snap").stdout
    assert len(ctl.json("get", "cm", "web")["metadata"]["managedFields"]) == 1
    ctl("catalog", "export", "owned.snap")
    assert "0 written, 1 there already" in ctl("catalog", "import", "owned.snap").stdout
    ctl.put(WEB.replace("metadata:", "metadata:\n  managedFields: []"))
    assert "1 written" in ctl("catalog", "import", "owned.snap").stdout


def test_import_deletes_nothing(ctl):
    gone = {"metadata": {"name": "b", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    log = "".join(replayed(name, gone if name == "b" else {"metadata": {"name": name}, "data": {"x": "1"}}, "ConfigMap") for name in "abc")
    ctl("catalog", "replay", "--out", "c.snap", stdin=log)
    ctl.put(config_map("b", keep="me"))
    done = ctl("catalog", "import", "c.snap", status=INVALID)
    assert done.stdout == "3 of 3 resources: 2 written, 0 there already, 1 failed\n"
    assert "configmap/b in namespace default: it has a deletionTimestamp and no finalizers" in done.stderr
    assert ctl.json("get", "cm", "b")["data"] == {"keep": "me"}
    ctl("delete", "cm", "b")
    assert "1 written, 2 there already, 0 failed" in ctl("catalog", "import", "c.snap").stdout
    assert "0 written, 3 there already, 0 failed" in ctl("catalog", "import", "c.snap").stdout


def test_import_tells_which_resource_is_no_good(ctl, tmp_path):
    log = "".join(json.dumps({"kind": "put", "key": {"group": "", "version": "v1", "kind": "ConfigMap", "namespace": "default", "name": name},
                              "value": {"metadata": {"name": told}}, "expected": None, "reason": "operator"}) + "\n"
                  for name, told in (("a", "a"), ("b", "x"), ("c", "c")))
    ctl("catalog", "replay", "--out", "c.snap", stdin=log)
    done = ctl("catalog", "import", "c.snap", status=INVALID)
    assert done.stdout == "3 of 3 resources: 2 written, 0 there already, 1 failed\n"
    assert "configmap/b in namespace default: metadata.name is" in done.stderr and done.stderr.count("\n") == 1


# ---- the command line ----


VERBS = ["get", "list", "watch", "put", "apply", "patch", "delete", "catalog export", "catalog import", "status", "completion"]


@pytest.mark.parametrize("verb", VERBS)
def test_help(ctl, verb):
    done = ctl(*verb.split(), "--help")
    assert f"engenhoctl {verb}" in done.stdout and "\nExample:\n  " in done.stdout
    assert ctl("help", *verb.split()).stdout == done.stdout
    assert f"  engenhoctl {verb} " in ctl("help").stdout


def test_help_on_other_things(ctl):
    assert "4    a conflict" in ctl("help", "exit-codes").stdout
    assert "ENGENHOCTL_NAMESPACE" in ctl("help", "environment").stdout
    for word in ("version", "help"):
        text = ctl("help", word).stdout
        assert text.startswith(f"engenhoctl {word}") and "\nExample:\n  engenhoctl " in text
    assert ctl("version", "--help").stdout == ctl("--version", "-h").stdout == ctl("help", "version").stdout
    assert ctl("help", "--help").stdout == ctl("help").stdout
    assert "unexpected argument: x" in ctl("help", "version", "x", status=USAGE).stderr


@pytest.mark.parametrize("args", [
    ["get"], ["get", "widgets"], ["get", "cm/"], ["get", "cm", "a/b"], ["get", "cm", "a", "-A"], ["get", "cm", "-o", "xml"],
    ["list", "cm", "a"], ["list", "cm", "--limit", "-1"], ["put"], ["put", "file"], ["put", "-f"], ["apply", "-f", "x", "--what"],
    ["delete", "cm"], ["delete"], ["delete", "cm", "a", "-f", "x"], ["watch", "cm", "a", "b"], ["watch"], ["completion"],
    ["completion", "fish"], ["put", "-f", "-", "--reason", "fun"], ["put", "-f", "-", "-o", "wide"],
])
def test_wrong_command_lines(ctl, args):
    done = ctl(*args, status=USAGE)
    assert done.stdout == "" and "engenhoctl help" in done.stderr


@pytest.mark.parametrize("args, message", [
    (["catalog", "foo"], "unknown verb: catalog foo\nThere are catalog export, catalog import, catalog inspect, catalog verify, catalog replay.\n"),
    (["catalog"], "a word is missing behind catalog\nThere are catalog export, "),
    (["lst"], "unknown verb: lst\nThere are get, list, watch, put, "),
    (["help", "lst"], "unknown verb: lst\nThere are get, list, "),
    (["help", "catalog", "x"], "unknown verb: catalog x\nThere are catalog export, "),
    (["--what", "get"], "unknown option before the verb: --what\nThere are --endpoints, --timeout, --namespace or -n, --help.\n"),
    (["delete", "cm", "a", "--forced"], "unknown option: --forced\nThere are --filename or -f, --output or -o, --expected, "),
    (["catalog", "import", "x", "-b", "3"], "unknown option: -b\nThere are --batch, --endpoints, --timeout, --namespace or -n, --help.\n"),
    (["watch", "cm", "a", "-A"], "a name goes with no selector and with one namespace\n"),
])
def test_what_there_is_is_named(ctl, args, message):
    assert message in ctl(*args, status=USAGE).stderr


@pytest.mark.parametrize("command, status, message", [
    ("list cm >&-", FAILED, "engenhoctl: cannot write to standard output\n"),
    ("watch cm >&-", FAILED, "engenhoctl: cannot write to standard output\n"),
    ("put -f - <&-", FAILED, "engenhoctl: standard input: Bad file descriptor\n"),
    ("get cm ghost 2>&-", NOT_FOUND, ""),
    ("list cm -o name <&- 2>&-", OK, ""),
])
def test_closed_descriptors(ctl, command, status, message):
    ctl.put(WEB)
    done = subprocess.run(["sh", "-c", f'"$0" {command}', str(CTL)], capture_output=True, text=True, env=ctl.env(), timeout=60)
    assert (done.returncode, done.stderr) == (status, message)
    assert done.stdout == ("configmap/web\n" if status == OK else "")


def test_what_a_terminal_would_obey(ctl):
    evil = "\x1b[31m\x9b32m\u202e\u2066x"
    escaped = "\\x1b[31m\\x9b32m\\u202e\\u2066x"
    document = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": evil}})
    done = ctl("put", "-f", "-", "-n", "b", stdin=document, status=INVALID)
    assert f'metadata.namespace is "{escaped}", --namespace says "b"' in done.stderr
    done = ctl.put('a: 1\n"\\e[31m\\u009b\\u202e": 1\n"\\e[31m\\u009b\\u202e": 1\n', status=INVALID)
    assert 'the key "\\x1b[31m\\x9b\\u202e" stands here twice' in done.stderr
    assert f"unknown verb: {escaped}" in ctl(evil, status=USAGE).stderr
    name = evil[5:]
    ctl.put(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": evil}}))
    assert ctl("list", "cm", "-o", "name").stdout == f"configmap/{escaped[8:]}\n"
    for form in ("table", "wide", "json", "yaml"):
        out = ctl("list", "cm", "-o", form).stdout
        assert not set(out) & set("\x1b\x9b\u202e\u2066")
    assert ctl.json("get", "cm", name)["data"] == {"a": evil}
    assert "unchanged" in ctl.put(ctl("list", "cm", "-o", "yaml").stdout).stdout


def black_hole():
    """A port that takes no more connections, and says nothing: the sockets to keep, and the endpoint."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    kept = [listener]
    while True:
        s = socket.socket()
        s.settimeout(0.3)
        kept.append(s)
        try:
            s.connect(listener.getsockname())
        except TimeoutError:
            return kept, "127.0.0.1:%d" % listener.getsockname()[1]


def test_members_that_do_not_answer(ctl, member):
    ctl.put(WEB)
    kept, hole = black_hole()
    with Proxy(member.port) as proxy:
        proxy.hold()
        ends = ["--timeout", "6", "--endpoints", f"{hole},{proxy.endpoint},{member.endpoint}"]
        assert ctl("get", "cm", "web", *ends, "-o", "name").stdout == "configmap/web\n"
        assert ctl("list", "cm", *ends, "-o", "name").stdout == "configmap/web\n"
        done = ctl("delete", "cm", "web", *ends, status=UNAVAILABLE)
        assert f": {proxy.endpoint}: no answer in time (it may have been written all the same)" in done.stderr
        assert ctl("get", "cm", "web", "-o", "name").stdout == "configmap/web\n"
        three = config_map("a") + config_map("b") + config_map("c")
        done = ctl.put(three, "--timeout", "1", "--endpoints", proxy.endpoint, status=UNAVAILABLE)
        assert done.stderr.count("no answer in time") == 1 and done.stderr.endswith("engenhoctl: 2 more were not sent\n")
        dead = ["--timeout", "2", "--endpoints", f"{proxy.endpoint},{hole}"]
        assert f"{proxy.endpoint}: no answer in time; {hole}: cannot connect" in ctl("get", "cm", "web", *dead, status=UNAVAILABLE).stderr
    for s in kept:
        s.close()


def test_variables(ctl, member):
    ctl.put(WEB)
    ctl("get", "cm", "web", "--endpoints", member.endpoint, env={"ENGENHOCTL_ENDPOINTS": "127.0.0.1:1"})
    ctl("get", "cm", "web", env={"ENGENHOCTL_TIMEOUT": "x"}, status=USAGE)
    ctl("get", "cm", "web", env={"ENGENHOCTL_TIMEOUT": "3s"})
    ctl("get", "cm", "web", env={"ENGENHOCTL_NAMESPACE": "x"}, status=NOT_FOUND)
    ctl("get", "cm", "web", "-n", "default", env={"ENGENHOCTL_NAMESPACE": "x"})


def test_members_that_are_not_there(ctl, member):
    dead = f"127.0.0.1:{free_port()}"
    ctl.put(WEB, env={"ENGENHOCTL_ENDPOINTS": f"{dead},{member.endpoint}"})
    for args in (["get", "cm", "web"], ["list", "cm"], ["watch", "cm"], ["delete", "cm", "web"], ["catalog", "export", "x"]):
        assert f"{dead}: cannot connect" in ctl(*args, "--endpoints", dead, status=UNAVAILABLE).stderr
    ctl("get", "cm", "web", "--endpoints", "x://y", status=USAGE)
    member.signal(signal.SIGSTOP)
    try:
        assert "no answer in time" in ctl("get", "cm", "web", "--timeout", "1", status=UNAVAILABLE).stderr
        assert "it may have been written all the same" in ctl("delete", "cm", "web", "--timeout=1", status=UNAVAILABLE).stderr
    finally:
        member.signal(signal.SIGCONT)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_scripts(ctl, shell, tmp_path):
    script = ctl("completion", shell).stdout
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


def complete(ctl, *words):
    script = ctl("completion", "bash").stdout + "COMP_WORDS=(engenhoctl \"$@\"); COMP_CWORD=$#; _engenhoctl; printf '%s\\n' \"${COMPREPLY[@]}\"\n"
    return subprocess.run(["bash", "-c", script, "-", *words], capture_output=True, text=True, check=True, cwd=ctl.folder).stdout.split()


def test_what_bash_completes(ctl):
    assert complete(ctl, "ca") == ["catalog"]
    assert complete(ctl, "catalog", "ex") == ["export"]
    assert complete(ctl, "get", "deploy") == ["deployments"]
    assert "--field-selector" in complete(ctl, "list", "--")
    assert complete(ctl, "get", "pods", "-o", "y") == ["yaml"]
    assert complete(ctl, "completion", "z") == ["zsh"]
    assert complete(ctl, "catalog", "import", "--b") == ["--batch"]
    assert set(complete(ctl, "get", "-")) == set(complete(ctl, "list", "-")) >= {
        "-A", "--all-namespaces", "-l", "--field-selector", "--limit", "--continue", "-o", "--revision", "-n", "--namespace"}
    assert complete(ctl, "help", "ver") == ["version"]


def test_where_bash_completes_kinds(ctl):
    for before in ([], ["-A"], ["-n", "shop"], ["-o", "yaml"], ["--limit=5"], ["--limit", "=", "5"], ["-nshop"]):
        assert complete(ctl, "get", *before, "deploy") == ["deployments"]
        assert complete(ctl, "get", *before, "pods", "") == []
        assert complete(ctl, "delete", "pods", *before, "po") == []
    assert complete(ctl, "get", "-n", "") == complete(ctl, "get", "pods", "--limit", "=", "") == []
    assert "--limit" in complete(ctl, "get", "pods", "a", "--l")


def test_what_bash_completes_of_files(ctl):
    (ctl.folder / "one.yaml").write_text("")
    assert complete(ctl, "put", "-f", "on") == ["one.yaml"]


def on_terminal(ctl, *args, env=None):
    """What it writes when standard output and error are a terminal."""
    parent, child = pty.openpty()
    process = subprocess.Popen([str(CTL), *args], stdin=subprocess.DEVNULL, stdout=child, stderr=child, env=ctl.env(env),
                               cwd=ctl.folder)
    os.close(child)
    out = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:
            break
        out += part
    os.close(parent)
    return process.wait(30), out.decode()


def test_colours_and_progress_on_terminals_alone(ctl):
    ctl.put("".join(config_map(f"c{i}") for i in range(300)))
    assert "\x1b" not in ctl("list", "cm").stdout
    term = {"TERM": "xterm"}
    assert on_terminal(ctl, "list", "cm", env=term)[1].startswith("\x1b[1mNAME")
    assert "\x1b" not in on_terminal(ctl, "list", "cm", env={**term, "NO_COLOR": "1"})[1]
    status, out = on_terminal(ctl, "catalog", "export", "c.snap", env=term)
    assert status == 0 and "reading [" in out
    status, out = on_terminal(ctl, "catalog", "import", "c.snap", env=term)
    assert status == 0 and "importing [" in out and "300 there already" in out
