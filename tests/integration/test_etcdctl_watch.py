"""Watches through Debian's etcdctl 3.4."""
import json
import time

import pytest


@pytest.fixture
def watch(etcdctl):
    """watch(*args) returns once the watch is there: an event of a probe key was seen, or the first lines of history."""
    def start(*args, **env):
        return etcdctl.spawn("watch", *args, **env)
    return start


def settle():
    """A watch from now on has no answer to wait for in etcdctl's output."""
    time.sleep(1)


def test_a_key_from_now_on(etcdctl, watch):
    etcdctl("put", "k", "before")
    w = watch("k")
    settle()
    etcdctl("put", "other", "x")
    etcdctl("put", "k", "1")
    etcdctl("del", "k")
    etcdctl("del", "k")
    etcdctl("put", "k", "2")
    assert w.lines(8) == ["PUT", "k", "1", "DELETE", "k", "", "PUT", "k"]
    assert w.line() == "2"
    assert w.quiet(0.3)


def test_a_prefix_and_a_range(etcdctl, watch):
    w, r = watch("k", "--prefix"), watch("k1", "k3")
    settle()
    for key in ("j", "k1", "k2", "k3", "l"):
        etcdctl("put", key, "v")
    assert w.lines(9) == ["PUT", "k1", "v", "PUT", "k2", "v", "PUT", "k3", "v"]
    assert r.lines(6) == ["PUT", "k1", "v", "PUT", "k2", "v"]
    assert w.quiet(0.3) and r.quiet(0.1)


def test_history_and_then_what_comes(etcdctl, watch):
    for value in ("a", "b", "c"):
        etcdctl("put", "k", value)
    etcdctl("del", "k")
    w = watch("k", "--rev=3")
    assert w.lines(9) == ["PUT", "k", "b", "PUT", "k", "c", "DELETE", "k", ""]
    etcdctl("put", "k", "d")
    assert w.lines(3) == ["PUT", "k", "d"]


def test_a_start_in_the_future(etcdctl, watch):
    w = watch("k", "--rev=4")
    settle()
    for value in ("2", "3", "4", "5"):
        etcdctl("put", "k", value)
    assert w.lines(6) == ["PUT", "k", "4", "PUT", "k", "5"]


def test_the_previous_version_comes_along(etcdctl, watch):
    etcdctl("put", "k", "1")
    etcdctl("put", "k", "2")
    etcdctl("del", "k")
    w = watch("k", "--rev=2", "--prev-kv")
    assert w.lines(13) == ["PUT", "k", "1", "PUT", "k", "1", "k", "2", "DELETE", "k", "2", "k", ""]


def test_a_transaction_is_one_answer(etcdctl, watch):
    etcdctl("txn", stdin="\nput a 1\nput b 2\ndel c\n\n\n")
    w = watch("a", "--prefix", "--rev=1", "-w", "json")
    answer = json.loads(w.line())
    assert [e["kv"]["mod_revision"] for e in answer["Events"]] == [2]
    w = watch("", "--prefix", "--rev=1", "-w", "json")
    assert len(json.loads(w.line())["Events"]) == 2


def test_a_compacted_start_ends_the_watch(etcdctl, watch):
    for value in ("1", "2", "3", "4"):
        etcdctl("put", "k", value)
    etcdctl("compaction", "4")
    w = watch("k", "--rev=2")
    assert "watch was canceled (etcdserver: mvcc: required revision has been compacted)" in w.line()
    assert w.wait() != 0
    w = watch("k", "--rev=4")
    assert w.lines(3) == ["PUT", "k", "3"]


def test_interactively(etcdctl, watch):
    w = watch("-i")
    w.write("watch a\n")
    w.write("watch b --prefix\n")
    settle()
    etcdctl("put", "a", "1")
    etcdctl("put", "b1", "2")
    assert w.lines(6) == ["PUT", "a", "1", "PUT", "b1", "2"]
    w.write("progress\n")
    assert w.line() == "progress notify: 3"


def test_progress_on_request(etcdctl, watch):
    w = watch("-i")
    w.write("watch a\n")
    settle()
    etcdctl("put", "z", "1")
    w.write("progress\n")
    assert w.line() == "progress notify: 2"


def test_a_lease_expiry_is_a_delete(etcdctl, watch):
    lease = etcdctl("lease", "grant", "2").split()[1]
    etcdctl("put", "k", "v", f"--lease={lease}")
    w = watch("k", "--rev=1")
    assert w.lines(3) == ["PUT", "k", "v"]
    assert w.lines(3) == ["DELETE", "k", ""]


def test_many_watches_and_many_events(etcdctl, watch):
    watches = [watch("k", "--prefix", "--rev=2") for _ in range(5)]
    puts = "".join(f"put k{i:03} {i}\n" for i in range(100))
    etcdctl("txn", stdin=f"\n{puts}\n\n")
    want = [line for i in range(100) for line in ("PUT", f"k{i:03}", str(i))]
    for w in watches:
        assert w.lines(300) == want


def test_make_mirror_copies_and_follows(etcdctl, start_member, new_etcdctl):
    for i in range(5):
        etcdctl("put", f"k{i}", f"v{i}")
    other = start_member()
    there = new_etcdctl(other.endpoint)
    mirror = etcdctl.spawn("make-mirror", other.endpoint)
    deadline = time.monotonic() + 15
    while there("get", "k", "--prefix", "--print-value-only").split() != ["v0", "v1", "v2", "v3", "v4"]:
        assert time.monotonic() < deadline and mirror.proc.poll() is None
        time.sleep(0.1)
    etcdctl("put", "k5", "v5")
    etcdctl("del", "k0")
    while there("get", "k", "--prefix", "--print-value-only").split() != ["v1", "v2", "v3", "v4", "v5"]:
        assert time.monotonic() < deadline and mirror.proc.poll() is None
        time.sleep(0.1)
