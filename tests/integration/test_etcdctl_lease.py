"""Leases, locks and elections through Debian's etcdctl 3.4."""
import json
import re
import time

from test_etcdctl_keys import error_of


def grant(etcdctl, ttl):
    out = etcdctl("lease", "grant", str(ttl))
    match = re.fullmatch(r"lease ([0-9a-f]{16}) granted with TTL\((\d+)s\)\n", out)
    assert match, out
    assert int(match.group(2)) >= ttl
    return match.group(1)


def test_grant_list_and_revoke(etcdctl):
    assert etcdctl("lease", "list") == "found 0 leases\n"
    first, second = grant(etcdctl, 60), grant(etcdctl, 120)
    listed = etcdctl("lease", "list").splitlines()
    assert listed[0] == "found 2 leases" and set(listed[1:]) == {first, second}
    assert etcdctl("lease", "revoke", first) == f"lease {first} revoked\n"
    assert etcdctl("lease", "list") == f"found 1 leases\n{second}\n"
    assert error_of(etcdctl.fails("lease", "revoke", first)) == \
        "Error: failed to revoke lease (etcdserver: requested lease not found)"


def test_revoking_deletes_the_keys(etcdctl):
    lease = grant(etcdctl, 60)
    for key in ("a", "b"):
        etcdctl("put", key, "1", f"--lease={lease}")
    etcdctl("put", "c", "1")
    etcdctl("lease", "revoke", lease)
    assert etcdctl("get", "--prefix", "", "--keys-only").split() == ["c"]


def test_timetolive(etcdctl):
    lease = grant(etcdctl, 60)
    out = etcdctl("lease", "timetolive", lease)
    match = re.fullmatch(rf"lease {lease} granted with TTL\(60s\), remaining\((\d+)s\)\n", out)
    assert match and 55 <= int(match.group(1)) <= 60, out
    for key in ("b", "a"):
        etcdctl("put", key, "1", f"--lease={lease}")
    out = etcdctl("lease", "timetolive", lease, "--keys")
    # In any order: etcd keeps them in a map.
    assert re.fullmatch(rf"lease {lease} granted with TTL\(60s\), remaining\(\d+s\), attached keys\(\[(a b|b a)\]\)\n", out), out
    assert etcdctl("lease", "timetolive", "1") == "lease 0000000000000001 already expired\n"
    answer = json.loads(etcdctl("lease", "timetolive", lease, "-w", "json"))
    assert answer["id"] == int(lease, 16) and answer["granted-ttl"] == 60


def test_keep_alive(etcdctl):
    lease = grant(etcdctl, 60)
    assert etcdctl("lease", "keep-alive", "--once", lease) == f"lease {lease} keepalived with TTL(60)\n"
    assert error_of(etcdctl.fails("lease", "keep-alive", "--once", "1")) == "Error: etcdserver: requested lease not found"


def test_keep_alive_keeps_a_short_lease(etcdctl):
    lease = grant(etcdctl, 2)
    etcdctl("put", "k", "v", f"--lease={lease}")
    keeper = etcdctl.spawn("lease", "keep-alive", lease)
    assert keeper.lines(5) == [f"lease {lease} keepalived with TTL(2)"] * 5  # one in each 2/3 s
    assert etcdctl("get", "k") == "k\nv\n"
    etcdctl("lease", "revoke", lease)
    assert f"lease {lease} expired or revoked." in keeper.rest()


def test_expiry_deletes_the_keys(etcdctl):
    lease = grant(etcdctl, 1)
    for i in range(3):
        etcdctl("put", f"k{i}", "v", f"--lease={lease}")
    begin = time.monotonic()
    while etcdctl("get", "k", "--prefix"):
        assert time.monotonic() - begin < 15
        time.sleep(0.1)
    assert time.monotonic() - begin > 0.5
    assert etcdctl("lease", "timetolive", lease) == f"lease {lease} already expired\n"


def test_the_shortest_ttl_is_told(etcdctl):
    # 1.5 election timeouts, rounded up.
    assert etcdctl("lease", "grant", "1").endswith("granted with TTL(2s)\n")


def test_lease_refusals(etcdctl):
    assert "too large lease TTL" in etcdctl.fails("lease", "grant", "9000000001")
    assert etcdctl("lease", "grant", "9000000000").endswith("granted with TTL(9000000000s)\n")


def test_lock_one_after_the_other(etcdctl):
    first = etcdctl.spawn("lock", "m")
    held = first.line()
    assert re.fullmatch(r"m/[0-9a-f]+", held)
    second = etcdctl.spawn("lock", "m")
    assert second.quiet(1)
    assert len(etcdctl("get", "m/", "--prefix", "--keys-only").split()) == 2
    first.interrupt()
    assert first.wait() == 0
    taken = second.line()
    assert re.fullmatch(r"m/[0-9a-f]+", taken) and taken != held
    second.interrupt()
    assert second.wait() == 0
    assert etcdctl("get", "m/", "--prefix") == ""


def test_lock_around_a_command(etcdctl):
    out = etcdctl("lock", "m", "--", "sh", "-c", "echo $ETCD_LOCK_KEY")
    assert re.fullmatch(r"m/[0-9a-f]+\n", out), out
    assert "exit status 7" in etcdctl.fails("lock", "m", "--", "sh", "-c", "exit 7")
    assert etcdctl("get", "m/", "--prefix") == ""


def test_a_lock_of_the_dead_is_freed(etcdctl):
    first = etcdctl.spawn("lock", "m", "--ttl=2")
    first.line()
    second = etcdctl.spawn("lock", "m")
    first.proc.kill()
    assert re.fullmatch(r"m/[0-9a-f]+", second.line(timeout=20))


def test_elect(etcdctl):
    first = etcdctl.spawn("elect", "e", "one")
    key = first.line()
    assert re.fullmatch(r"e/[0-9a-f]+", key) and first.line() == "one"
    observer = etcdctl.spawn("elect", "--listen", "e")
    assert observer.lines(2) == [key, "one"]
    second = etcdctl.spawn("elect", "e", "two")
    assert second.quiet(1)
    first.interrupt()
    assert first.wait() == 0
    taken = second.line()
    assert re.fullmatch(r"e/[0-9a-f]+", taken) and taken != key and second.line() == "two"
    assert observer.lines(2) == [taken, "two"]
