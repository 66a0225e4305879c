"""The daemon as a process: signals, the lock on the data folder, modes, restarts."""
import os
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from client import grpc, op_put
from process import BINARY, NotStarted


def test_sigterm_ends_with_status_0_and_a_word_in_the_log(member):
    assert member.stop() == 0
    assert any("terminated" in line or "signal" in line for line in member.lines())


def test_sigint_ends_too(member):
    member.signal(signal.SIGINT)
    status = member.wait_exit()
    assert status in (0, -signal.SIGINT)


def test_sigterm_lets_running_writes_end(member):
    """Under load, every write either was answered and is there, or got an error: none is answered and lost."""
    acked, errors = {}, []

    def write(i):
        client, n = member.client(), 0
        while not errors or len(errors) < 8:
            try:
                client.put(f"w{i}/{n}", str(n), timeout=5)
                acked[f"w{i}/{n}"] = str(n)
                n += 1
            except grpc.RpcError as error:
                errors.append(error.code())
                return

    threads = [threading.Thread(target=write, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    time.sleep(0.5)
    assert member.stop() == 0
    for t in threads:
        t.join()
    assert len(acked) > 8 and len(errors) == 8
    assert set(errors) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    member.start()
    client = member.client()
    for key, value in acked.items():
        assert client.get(key) == value.encode()


def test_a_watch_is_told_when_the_member_stops(member):
    watch = member.client().watch("a")
    member.signal(signal.SIGTERM)
    with pytest.raises(grpc.RpcError) as error:
        while watch.next() is not None:
            pass
        raise AssertionError("the stream ended well")
    assert error.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    member.wait_exit()


@pytest.mark.ours
def test_a_second_process_on_the_folder_is_told_who_holds_it(member, new_member):
    second = new_member(data_dir=member.data_dir)
    with pytest.raises(NotStarted):
        second.start()
    assert second.proc.returncode not in (0, None) and second.proc.returncode > 0
    assert str(member.proc.pid) in second.output()
    assert str(member.data_dir) in second.output()
    assert member.client().put("a", "1").header.revision == 2


@pytest.mark.ours
def test_the_folder_is_private_and_a_kill_leaves_no_lock(member):
    assert stat.S_IMODE(member.data_dir.stat().st_mode) == 0o700
    member.kill9()
    member.start()


@pytest.mark.ours
def test_a_data_folder_that_is_a_file_is_refused(new_member, tmp_path):
    path = tmp_path / "file"
    path.write_text("hello")
    m = new_member(data_dir=path)
    with pytest.raises(NotStarted):
        m.start()
    assert m.proc.returncode > 0 and str(path) in m.output()
    assert path.read_text() == "hello"


@pytest.mark.ours
@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_refused(new_member, tmp_path):
    folder = tmp_path / "readonly"
    folder.mkdir(mode=0o555)
    m = new_member(data_dir=folder / "data")
    with pytest.raises(NotStarted):
        m.start()
    assert str(folder) in m.output()


def test_a_port_in_use_is_refused(member, new_member):
    m = new_member(f"--listen-client-urls={member.client_url}", f"--advertise-client-urls={member.client_url}")
    with pytest.raises(NotStarted):
        m.start()
    assert m.proc.returncode > 0
    assert "address already in use" in m.output().lower() and str(member.port) in m.output()


@pytest.mark.ours
def test_port_0_is_told_in_the_log(new_member):
    m = new_member("--listen-client-urls=http://127.0.0.1:0", "--advertise-client-urls=http://127.0.0.1:0")
    m.start()
    ports = [line["address"].rsplit(":", 1)[1] for line in m.log_lines() if str(line.get("address", "")).startswith("127.0.0.1:")]
    ports = [p for p in ports if p.isdigit() and int(p) not in (0, m.peer_port)]
    assert ports, m.tail()
    m.endpoint = f"127.0.0.1:{ports[-1]}"
    assert m.client().put("a", "1").header.revision == 2


def test_the_same_state_after_a_restart(member):
    client = member.client()
    client.put("a", "1")
    client.txn(success=[op_put("b", "1"), op_put("c", "1")])
    client.delete("a")
    lease = client.grant(600).ID
    client.put("d", "leased", lease=lease)
    client.compact(3)
    before = client.prefix("")
    history, hashed, status = client.history(4), client.hash_kv(), client.status()
    member.restart()
    client = member.client()
    after = client.prefix("")
    assert after.kvs == before.kvs and after.header.revision == before.header.revision == 5
    assert after.header.cluster_id == before.header.cluster_id and after.header.member_id == before.header.member_id
    assert after.header.raft_term >= before.header.raft_term
    assert client.history(4) == history
    assert client.hash_kv().hash == hashed.hash and client.hash_kv().compact_revision == 3
    assert client.status().raftAppliedIndex >= status.raftAppliedIndex
    ttl = client.time_to_live(lease, keys=True)
    assert ttl.grantedTTL == 600 and 0 < ttl.TTL <= 600 and list(ttl.keys) == [b"d"]
    with pytest.raises(grpc.RpcError) as error:
        client.get("a", revision=2)
    assert error.value.details() == "etcdserver: mvcc: required revision has been compacted"
    assert client.put("e", "1").header.revision == 6


@pytest.mark.ours
def test_two_clusters_have_two_ids(start_member):
    one, two = (start_member().client().status().header for _ in range(2))
    assert one.cluster_id != two.cluster_id and one.member_id != two.member_id


@pytest.mark.ours
def test_what_one_start_created_a_crash_before_the_first_write_keeps(new_member):
    """Killed at any moment of the very first start, the next one works."""
    m = new_member()
    for delay in (0.0, 0.002, 0.005, 0.01, 0.02, 0.05):
        m.start(wait=False)
        time.sleep(delay)
        m.kill9()
    m.start()
    assert m.client().put("a", "1").header.revision == 2


def test_version_and_help():
    done = subprocess.run([BINARY, "--version"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and done.stdout
    done = subprocess.run([BINARY, "--help"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and "--listen-client-urls" in done.stdout + done.stderr


def test_an_idle_member_is_small(member):
    time.sleep(0.5)
    limit = 200 if "build-dev" in str(BINARY) else 64
    assert member.rss_bytes() < limit << 20


def limit_files(count):
    """For `wrap`: a process that may have so many files open, and cannot raise that."""
    return ("prlimit", f"--nofile={count}:{count}")


def test_connections_do_not_take_the_files_that_the_log_needs(new_member):
    member = new_member(wrap=limit_files(150 + 10)).start()
    client = member.client()
    client.put("a", "1")
    sockets = [socket.create_connection(("127.0.0.1", member.port)) for _ in range(200)]
    ask = b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"
    for s in sockets:
        s.sendall(ask)
        s.settimeout(10)
    assert sockets[0].recv(1000).startswith(b"HTTP/1.1 200")
    # Enough for new segments of the log, each of which needs files.
    for n in range(30):
        client.put(f"k{n}", os.urandom(1 << 20))
    sockets[-1].settimeout(0.3)
    with pytest.raises(TimeoutError):
        sockets[-1].recv(1000)
    # Who waits is served when others go.
    sockets[-1].settimeout(10)
    for s in sockets[:-1]:
        s.close()
    assert sockets[-1].recv(1000).startswith(b"HTTP/1.1 200")
    sockets[-1].close()
    assert member.client().get("a") == b"1"
    assert member.stop() == 0


@pytest.mark.ours
def test_a_limit_of_files_that_leaves_no_connection_is_refused(new_member):
    member = new_member(wrap=limit_files(150)).start(wait=False)
    assert member.wait_exit() == 1
    assert "the limit of open files is 150" in member.output()
    assert not member.data_dir.exists()
