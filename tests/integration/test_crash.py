"""kill -9 in a loop under load.

Each writer numbers its writes. After every crash: whatever was acknowledged is there; of each writer at most the one write
under way may or may not be; pairs written by one transaction are equal; revisions never go back; and what a watcher saw
is still the history.
"""
import os
import random
import threading
import time

import pytest

from client import Client, grpc, mod_is, op_put

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "6"))
WRITERS = 12


class Writer(threading.Thread):
    """One write at a time, each two puts in one transaction, and a key of its own for every tenth."""

    def __init__(self, endpoint, number, acked):
        super().__init__(daemon=True)
        self.endpoint, self.number, self.acked = endpoint, number, acked
        self.revision = 0

    def run(self):
        client, n = Client(self.endpoint), self.acked
        try:
            while True:
                text = str(n + 1)
                ops = [op_put(f"pair/{self.number}/a", text), op_put(f"pair/{self.number}/b", text)]
                if n % 10 == 9:
                    ops.append(op_put(f"each/{self.number}/{n + 1:06}", text * 50))
                self.revision = client.txn(success=ops, timeout=10).header.revision
                n = self.acked = n + 1
        except grpc.RpcError:
            pass
        finally:
            client.close()


class Watcher(threading.Thread):
    """Follows all keys and keeps what it saw."""

    def __init__(self, endpoint, revision):
        super().__init__(daemon=True)
        self.client = Client(endpoint)
        self.watch = self.client.watch(b"\0", b"\0", start_revision=revision)
        self.seen = []

    def run(self):
        try:
            while True:
                answer = self.watch.next(timeout=30)
                if answer is None:
                    return
                self.seen += [(e.type, e.kv.key, e.kv.value, e.kv.mod_revision) for e in answer.events]
        except Exception:  # the member was killed
            pass
        finally:
            self.client.close()


def check(client, acked, revision):
    """Returns what each writer has got now."""
    answer = client.prefix("pair/")
    assert answer.header.revision >= revision, "the revision went back"
    values = {kv.key.decode(): (int(kv.value), kv.mod_revision) for kv in answer.kvs}
    each = {kv.key.decode() for kv in client.prefix("each/", keys_only=True).kvs}
    now = []
    for i, count in enumerate(acked):
        a, b = values.get(f"pair/{i}/a", (0, 0)), values.get(f"pair/{i}/b", (0, 0))
        assert a == b, f"half a transaction: {a} {b}"
        assert a[0] in (count, count + 1), f"writer {i}: {count} acknowledged, {a[0]} found"
        for n in range(10, a[0] + 1, 10):
            assert f"each/{i}/{n:06}" in each, f"writer {i}: {n} is lost"
        now.append(a[0])
    assert len(each) == sum(n // 10 for n in now)
    return now


@pytest.mark.parametrize("flags", [[], ["--snapshot-count=200"]], ids=["log", "checkpoints"])
def test_nothing_acknowledged_is_lost(new_member, flags):
    seed = int(os.environ.get("CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"CRASH_SEED={seed}")
    rng = random.Random(seed)
    m = new_member(*flags).start()
    acked, revision, seen = [0] * WRITERS, 1, []
    lease = m.client().grant(3600).ID
    m.client().put("leased", "x", lease=lease)
    for _ in range(ROUNDS):
        writers = [Writer(m.endpoint, i, acked[i]) for i in range(WRITERS)]
        watcher = Watcher(m.endpoint, seen[-1][3] + 1 if seen else 2)
        for t in [watcher, *writers]:
            t.start()
        time.sleep(rng.uniform(0.05, 0.8))
        m.kill9()
        for t in [watcher, *writers]:
            t.join(20)
            assert not t.is_alive()
        seen += watcher.seen
        m.start()
        client = m.client()
        acked = check(client, [w.acked for w in writers], max(revision, *(w.revision for w in writers)))
        revision = client.status().header.revision
        assert client.time_to_live(lease, keys=True).keys == [b"leased"]
        history = client.history(2)
        assert history[:len(seen)] == seen, "a watcher saw what is not the history"
        assert [h[3] for h in history] == sorted(h[3] for h in history)
    assert sum(acked) > ROUNDS * WRITERS


def test_compaction_and_deletes_survive(new_member):
    m = new_member("--snapshot-count=100").start()
    compacted = 0
    for round_ in range(ROUNDS):
        client = m.client()
        for i in range(60):
            client.put(f"k{i % 7}", f"{round_}.{i}")
        client.delete("k3")
        revision = client.status().header.revision
        if round_ % 2 == 0:
            client.compact(revision - 20)
            compacted = revision - 20
        state, hashed = client.prefix("k"), client.hash_kv()
        m.kill9()
        m.start()
        client = m.client()
        after, hashed_after = client.prefix("k"), client.hash_kv()
        assert after.kvs == state.kvs and after.header.revision == revision
        assert hashed_after.hash == hashed.hash and hashed_after.compact_revision == compacted
        assert client.prefix("k", revision=max(compacted, 1)).header.revision == revision
        if compacted > 1:
            with pytest.raises(grpc.RpcError):
                client.prefix("k", revision=compacted - 1)


def test_a_compare_and_put_wins_once(new_member):
    """Clients that race to raise a counter, with a crash in between: each acknowledged step happened exactly once."""
    m = new_member().start()
    m.client().put("counter", "0")
    for _ in range(max(2, ROUNDS // 2)):
        begin = int(m.client().get("counter"))
        won = [0] * 6

        def race(i, endpoint=m.endpoint):
            client = Client(endpoint)
            try:
                while True:
                    now = client.range("counter").kvs[0]
                    step = client.txn([mod_is("counter", now.mod_revision)], [op_put("counter", str(int(now.value) + 1))])
                    won[i] += step.succeeded
            except grpc.RpcError:
                client.close()

        threads = [threading.Thread(target=race, args=(i,), daemon=True) for i in range(len(won))]
        for t in threads:
            t.start()
        time.sleep(0.5)
        m.kill9()
        for t in threads:
            t.join(20)
        m.start()
        end = int(m.client().get("counter"))
        assert sum(won) <= end - begin <= sum(won) + len(won)


def test_leases_survive_with_their_keys_and_still_expire(new_member):
    m = new_member().start()
    client = m.client()
    long, short = client.grant(3600).ID, client.grant(2).ID
    client.put("long", "x", lease=long)
    client.put("short", "x", lease=short)
    revoked = client.grant(3600).ID
    client.put("revoked", "x", lease=revoked)
    client.revoke(revoked)
    m.kill9()
    m.start()
    client = m.client()
    assert client.get("long") == b"x" and client.get("revoked") is None
    assert {lease.ID for lease in client.leases().leases} >= {long}
    assert revoked not in {lease.ID for lease in client.leases().leases}
    assert client.time_to_live(long, keys=True).keys == [b"long"]
    deadline = time.monotonic() + 20
    while client.get("short") is not None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
