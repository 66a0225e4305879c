"""--quota-backend-bytes: the NOSPACE alarm, what goes on meanwhile, and how it ends."""
import time

import pytest

from client import grpc, op_delete, op_put, op_range, rpc

QUOTA = 4 << 20
EXCEEDED = "etcdserver: mvcc: database space exceeded"
NOSPACE = rpc.NOSPACE


@pytest.fixture
def small(start_member):
    return start_member(f"--quota-backend-bytes={QUOTA}")


def fill(client, prefix="fill", size=100_000):
    """Put until refused. Returns the keys that went in."""
    keys = []
    for i in range(10 * QUOTA // size):
        try:
            client.put(f"{prefix}{i:05}", b"x" * size)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED, error
            assert error.details() == EXCEEDED
            return keys
        keys.append(f"{prefix}{i:05}")
    raise AssertionError("never refused")


def refused(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.details() == EXCEEDED
    return False


def until(condition, timeout=20):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_puts_are_refused_and_everything_else_works(small):
    client = small.client()
    keys = fill(client)
    assert len(keys) > 10
    alarms = client.alarms().alarms
    assert [(a.memberID, a.alarm) for a in alarms] == [(client.status().header.member_id, NOSPACE)]
    assert any("NOSPACE" in e for e in client.status().errors)
    assert refused(lambda: client.put("small", "x"))
    assert refused(lambda: client.txn(success=[op_put("small", "x")]))
    assert refused(lambda: client.grant(60))
    assert client.get(keys[0]) == b"x" * 100_000
    assert client.prefix("fill", count_only=True).count == len(keys)
    assert client.txn(success=[op_range(keys[0])]).succeeded
    assert client.delete(keys[0]).deleted == 1
    assert client.txn(success=[op_delete(keys[1])]).responses[0].response_delete_range.deleted == 1
    client.compact(client.status().header.revision)


def test_the_alarm_survives_a_restart(small):
    fill(small.client())
    small.restart()
    client = small.client()
    assert refused(lambda: client.put("small", "x"))
    assert [a.alarm for a in client.alarms().alarms] == [NOSPACE]


@pytest.mark.ours
def test_it_clears_by_itself(small):
    client = small.client()
    keys = fill(client)
    for key in keys[:len(keys) // 2]:
        client.delete(key)
    client.compact(client.status().header.revision, physical=True)
    until(lambda: not refused(lambda: client.put("small", "x")))
    assert not client.alarms().alarms
    assert not client.status().errors
    fill(client, "again")


def test_disarm(small, new_etcdctl):
    etcdctl = new_etcdctl(small.endpoint)
    client = small.client()
    keys = fill(client)
    for key in keys:
        client.delete(key)
    assert "alarm:NOSPACE" in etcdctl("alarm", "list") or not client.alarms().alarms
    client.compact(client.status().header.revision, physical=True)
    etcdctl("defrag")
    etcdctl("alarm", "disarm")
    assert etcdctl("alarm", "list") == ""
    assert client.put("small", "x").header.revision > 0


@pytest.mark.ours
def test_disarming_while_it_is_full_brings_it_back(small):
    client = small.client()
    fill(client)
    client.alarms(action=rpc.AlarmRequest.DEACTIVATE, alarm=NOSPACE, member=client.status().header.member_id)
    assert refused(lambda: client.put("more", b"x" * 200_000))


def test_watches_and_leases_go_on(small):
    client = small.client()
    lease = client.grant(2).ID
    client.put("leased", "x", lease=lease)
    watch = client.watch("leased")
    fill(client)
    answer = watch.next(timeout=20)
    assert answer.events[0].type == 1  # the lease still expires
    watch.close()
