"""engenho.v1.ResourceStore, with a client that protoc generated."""
import json
import queue
import threading
import time

import pytest

from client import grpc
from process import IS_SANITIZED
from protobuf import resource_store as pb

pytestmark = pytest.mark.ours


class Resources:
    def __init__(self, client):
        self.client = client

    def call(self, method, request, answer, timeout=10):
        return self.client.call(f"engenho.v1.ResourceStore/{method}", request, answer, timeout)

    def put(self, key, value, **fields):
        return self.call("Put", pb.PutRequest(key=key, value=json.dumps(value).encode(), **fields), pb.WriteResponse)

    def patch(self, key, patch, kind=pb.MERGE, **fields):
        return self.call("Patch", pb.PatchRequest(key=key, patch=json.dumps(patch).encode(), type=kind, **fields),
                         pb.WriteResponse)

    def delete(self, key, **fields):
        return self.call("Delete", pb.DeleteRequest(key=key, **fields), pb.WriteResponse)

    def txn(self, **fields):
        return self.call("Txn", pb.TxnRequest(**fields), pb.WriteResponse)

    def get(self, key, **fields):
        return self.call("Get", pb.GetRequest(key=key, **fields), pb.GetResponse)

    def list(self, **fields):
        return self.call("List", pb.ListRequest(version="v1", kind="ConfigMap", **fields), pb.ListResponse, 60)

    def watch(self, **fields):
        return Watch(self.client, pb.WatchRequest(version="v1", kind="ConfigMap", **fields))


class Watch:
    """Messages of a watch that is there, as they come; `begins` is the revision of the first, which has no events."""

    def __init__(self, client, request):
        method = client.channel.unary_stream("/engenho.v1.ResourceStore/Watch",
                                             request_serializer=lambda m: m.SerializeToString(),
                                             response_deserializer=pb.WatchResponse.FromString)
        self.stream = method(request)
        self.messages = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        first = self.next()
        assert not first.events
        self.begins = first.revision

    def read(self):
        try:
            for message in self.stream:
                self.messages.put(message)
        except grpc.RpcError as error:
            self.messages.put(error)

    def next(self, timeout=10):
        message = self.messages.get(timeout=timeout)
        if isinstance(message, Exception):
            raise message
        return message

    def events(self, count):
        """(type, name) of the next ones."""
        found = []
        while len(found) < count:
            found += [(pb.WatchEvent.Type.Name(e.type), e.resource.key.name) for e in self.next().events]
        return found

    def cancel(self):
        self.stream.cancel()


def config_map(name, namespace="default"):
    return pb.Key(version="v1", kind="ConfigMap", namespace=namespace, name=name)


def body(answer):
    return json.loads(answer.resource.value)


@pytest.fixture
def store(member):
    return Resources(member.client())


def test_a_resource_through_its_life(store):
    key = config_map("a")
    created = store.put(key, {"data": {"k": "1"}})
    assert created.outcome == pb.CREATED
    value = body(created)
    assert (value["apiVersion"], value["kind"]) == ("v1", "ConfigMap")
    assert value["metadata"]["name"] == "a" and value["metadata"]["namespace"] == "default"
    assert value["metadata"]["resourceVersion"] == str(created.revision) == str(created.resource.mod_revision)
    assert store.put(key, {"data": {"k": "1"}}).outcome == pb.UNCHANGED
    patched = store.patch(key, {"data": {"l": "2"}}, expected=created.revision)
    assert patched.outcome == pb.PATCHED and body(patched)["data"] == {"k": "1", "l": "2"}
    got = store.get(key)
    assert got.resource == patched.resource and got.revision == patched.revision
    assert store.delete(key, expected=created.revision).outcome == pb.CONFLICT
    deleted = store.delete(key)
    assert deleted.outcome == pb.DELETED and body(deleted)["metadata"]["resourceVersion"] == str(deleted.revision)
    assert store.delete(key).outcome == pb.NO_OP
    with pytest.raises(grpc.RpcError) as error:
        store.get(key)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_patches_of_all_kinds(store):
    key = config_map("a")
    store.put(key, {"data": {"k": "1"}})
    assert store.patch(key, [{"op": "test", "path": "/data/k", "value": "2"}], pb.JSON).outcome == pb.PATCH_REJECTED
    assert body(store.patch(key, [{"op": "add", "path": "/data/l", "value": "2"}], pb.JSON))["data"] == {"k": "1", "l": "2"}
    assert body(store.patch(key, {"data": {"k": None}}, pb.STRATEGIC))["data"] == {"l": "2"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"l": "3"}}
    conflict = store.patch(key, config, pb.APPLY, field_manager="me")
    assert conflict.outcome == pb.APPLY_CONFLICT and [c.field for c in conflict.causes] == [".data.l"]
    assert body(store.patch(key, config, pb.APPLY, field_manager="me", force=True))["data"] == {"l": "3"}


def test_a_transaction_is_all_or_nothing(store):
    a, b = config_map("a"), config_map("b")
    put = [pb.Operation(key=k, value=b"{}") for k in (a, b)]
    first = store.txn(compares=[pb.Compare(key=a)], success=put)
    assert first.succeeded
    assert first.outcome == pb.REPLACED
    assert {i.mod_revision for i in store.list().items} == {first.revision}
    again = store.txn(compares=[pb.Compare(key=a)], success=[pb.Operation(key=b)], failure=[pb.Operation(key=a)])
    assert not again.succeeded
    assert again.outcome == pb.REPLACED
    assert [i.key.name for i in store.list().items] == ["b"]
    assert store.txn(compares=[pb.Compare(key=b, mod_revision=first.revision)]).outcome == pb.NO_OP


@pytest.mark.parametrize("method, request_, answer, text", [
    ("Put", pb.PutRequest(value=b"{}"), pb.WriteResponse, "key is missing"),
    ("Put", pb.PutRequest(key=config_map("a"), value=b"{'a':1}"), pb.WriteResponse, "value: not JSON: "),
    ("Put", pb.PutRequest(key=config_map(""), value=b"{}"), pb.WriteResponse, "name"),
    ("Put", pb.PutRequest(key=config_map("a/b"), value=b"{}"), pb.WriteResponse, "name"),
    ("Put", pb.PutRequest(key=config_map("a"), value=b'{"metadata":{"name":"b"}}'), pb.WriteResponse, 'metadata.name is "b"'),
    ("Patch", pb.PatchRequest(key=config_map("a"), patch=b"{}", type=pb.APPLY), pb.WriteResponse, "manager"),
    ("List", pb.ListRequest(kind="Pod"), pb.ListResponse, "version is missing"),
    ("List", pb.ListRequest(version="v1"), pb.ListResponse, "kind is missing"),
    ("List", pb.ListRequest(version="v1", kind="Pod", limit=-1), pb.ListResponse, "limit is negative"),
    ("List", pb.ListRequest(version="v1", kind="Pod", label_selector="a in ("), pb.ListResponse, "selector"),
    ("List", pb.ListRequest(version="v1", kind="Pod", **{"continue": "x"}), pb.ListResponse, "continue token"),
    ("List", pb.ListRequest(version="v1", kind="Pod", consistency=pb.EXACT), pb.ListResponse, "exact read"),
    ("List", pb.ListRequest(version="v1", kind="Pod", revision=1), pb.ListResponse, "needs the consistency"),
    ("Get", pb.GetRequest(key=config_map("a"), revision=1), pb.GetResponse, "needs the consistency"),
])
def test_what_is_wrong_is_told(store, method, request_, answer, text):
    with pytest.raises(grpc.RpcError) as error:
        store.call(method, request_, answer)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert text in error.value.details()


def test_versions_that_are_not_there(store):
    revision = store.put(config_map("a"), {}).revision
    with pytest.raises(grpc.RpcError) as error:
        store.list(consistency=pb.NOT_OLDER_THAN, revision=revision + 10)
    assert error.value.details() == f"too large resource version: {revision + 10}, current: {revision}"
    store.put(config_map("a"), {"x": 1})
    store.client.compact(revision + 1)
    for call in (lambda: store.list(consistency=pb.EXACT, revision=revision),
                 lambda: store.watch(from_revision=revision - 1)):
        with pytest.raises(grpc.RpcError) as error:
            call()
        assert error.value.code() == grpc.StatusCode.OUT_OF_RANGE
        assert error.value.details().startswith("too old resource version: ")


def test_pages_are_of_one_revision(store):
    for n in range(25):
        store.put(config_map(f"c{n:02}"), {"metadata": {"labels": {"even": str(n % 2 == 0).lower()}}})
    page = store.list(limit=10)
    names, revision = [i.key.name for i in page.items], page.revision
    assert page.remaining == 15
    while getattr(page, "continue"):
        store.delete(config_map(f"c{len(names):02}"))
        page = store.list(limit=10, **{"continue": getattr(page, "continue")})
        assert page.revision == revision
        names += [i.key.name for i in page.items]
    assert names == [f"c{n:02}" for n in range(25)] and page.remaining == 0
    assert len(store.list(label_selector="even=true", field_selector="metadata.name!=c00").items) == 10  # c10 and c20 are gone


def test_a_large_list_comes_in_pages_of_bytes(store):
    for n in range(40):
        store.put(config_map(f"c{n:02}"), {"data": {"k": "x" * 100_000}})
    seen, token, pages = [], "", 0
    while pages == 0 or token:
        page = store.list(**{"continue": token})
        assert page.ByteSize() < 4 << 20
        seen += [i.key.name for i in page.items]
        token, pages = getattr(page, "continue"), pages + 1
    assert seen == [f"c{n:02}" for n in range(40)] and pages >= 2


def test_watch_with_selectors(store):
    watch = store.watch(label_selector="on=1", from_revision=store.put(config_map("x"), {}).revision)
    on, off = {"metadata": {"labels": {"on": "1"}}}, {"metadata": {"labels": {"on": "0"}}}
    store.put(config_map("a"), off)
    store.put(config_map("a"), on)
    store.put(config_map("a"), {**on, "data": {"k": "v"}})
    store.put(config_map("a"), off)
    store.put(config_map("b"), on)
    store.delete(config_map("b"))
    assert watch.events(5) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a"), ("ADDED", "b"), ("DELETED", "b")]
    watch.cancel()


def test_a_watch_says_at_once_from_where(store):
    assert store.watch().begins == 1
    revision = store.put(config_map("a"), {}).revision
    assert store.watch().begins == revision
    assert store.watch(from_revision=revision + 5).begins == revision + 5
    past = store.watch(from_revision=1)
    assert past.begins == 1 and past.events(1) == [("ADDED", "a")]
    assert store.watch(from_revision=1, label_selector="no=such").begins == 1


def test_watch_resumes_across_a_restart(store, member):
    resume = store.put(config_map("a"), {}).revision
    seen = []
    for n in range(30):
        store.put(config_map(f"c{n:02}"), {})
    for round_ in range(3):
        watch = store.watch(from_revision=resume)
        while len(seen) < 10 * (round_ + 1):
            message = watch.next()
            seen += [e.resource.key.name for e in message.events]
            resume = message.revision
        watch.cancel()
        if round_ == 1:
            member.kill9()
            member.start()
            store = Resources(member.client())
    assert seen == [f"c{n:02}" for n in range(30)]


def test_bookmarks(store):
    watch = store.watch(bookmark_interval_ms=200)
    first = watch.next()
    assert [e.type for e in first.events] == [pb.WatchEvent.BOOKMARK]
    revision = store.put(pb.Key(version="v1", kind="Secret", namespace="x", name="s"), {}).revision
    deadline = time.monotonic() + 10
    while watch.next().revision < revision:
        assert time.monotonic() < deadline
    watch.cancel()


def assert_watchers_hold_little(grew, value_bytes, watchers):
    """
    How memory may grow by values that are written while watchers do not read: each value is in the history, and until the
    next checkpoint in the log too. To that come buffers and what the allocator has not returned, 10 to 20 MB, and for
    each watcher up to 0.4 MB of events, and as much again on its way. Copies of what was not read would be far more.
    """
    # Sanitizers keep what is freed.
    assert IS_SANITIZED or grew < 2 * value_bytes + (watchers << 20) + (40 << 20)


def test_watchers_that_do_not_read_hold_nothing_up(store, member):
    resume = store.put(config_map("a"), {}).revision
    slow = [member.client().channel.unary_stream("/engenho.v1.ResourceStore/Watch",
                                                 request_serializer=lambda m: m.SerializeToString(),
                                                 response_deserializer=pb.WatchResponse.FromString)(
        pb.WatchRequest(version="v1", kind="ConfigMap", from_revision=resume)) for _ in range(5)]
    assert [next(s).revision for s in slow] == [resume] * 5
    before = member.rss_bytes()
    count, size = 150, 200_000
    for n in range(count):
        store.put(config_map("big"), {"data": {"k": str(n), "fill": "x" * size}})
    assert_watchers_hold_little(member.rss_bytes() - before, count * size, len(slow))
    for stream in slow:
        values = []
        while len(values) < count:
            values += [json.loads(e.resource.value)["data"]["k"] for e in next(stream).events]
        assert values == [str(n) for n in range(count)]


def test_what_was_answered_survives_a_kill(store, member):
    uids = {}
    for n in range(200):
        uids[f"c{n:03}"] = body(store.put(config_map(f"c{n:03}"), {"spec": {"n": n}}))["metadata"]["uid"]
    member.kill9()
    member.start()
    store = Resources(member.client())
    found = {i.key.name: json.loads(i.value)["metadata"]["uid"] for i in store.list().items}
    assert found == uids
