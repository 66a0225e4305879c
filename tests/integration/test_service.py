"""What a service manager sees: readiness, signals, limits."""
import os
import signal
import socket
import subprocess
import time

import pytest

from process import BINARY, clean_env, free_port
from protobuf import lock

pytestmark = pytest.mark.ours


@pytest.fixture
def manager(tmp_path):
    """The socket that the service manager listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(str(tmp_path / "notify"))
        s.settimeout(60)
        yield s


def test_the_manager_hears_of_start_and_stop(new_member, manager):
    m = new_member(env={"NOTIFY_SOCKET": manager.getsockname()})
    m.start(wait=False)
    assert manager.recv(64) == b"READY=1"
    m.client().put("a", "1", timeout=10)  # ready means ready
    assert m.stop() == 0
    assert manager.recv(64) == b"STOPPING=1"


def wait_for_a_lock(member):
    """A unary call that waits, so that a stop takes as long as it is given."""
    client = member.client()
    call = client.unary("v3lockpb.Lock/Lock", lock.LockResponse)
    call(lock.LockRequest(name=b"l", lease=client.grant(600).ID), timeout=10)
    waiting = call.future(lock.LockRequest(name=b"l", lease=client.grant(600).ID), timeout=60)
    until = time.monotonic() + 10
    while len(client.prefix("l").kvs) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    return waiting


def test_a_failed_start_is_never_ready(new_member, manager, member):
    m = new_member(data_dir=member.data_dir, env={"NOTIFY_SOCKET": manager.getsockname()})
    m.start(wait=False)
    assert m.wait_exit() == 1
    manager.setblocking(False)
    said = []
    try:
        while True:
            said.append(manager.recv(64))
    except BlockingIOError:
        pass
    assert b"READY=1" not in said


def test_a_second_signal_ends_at_once(new_member):
    m = new_member().start()
    waiting = wait_for_a_lock(m)
    m.signal(signal.SIGTERM)
    time.sleep(0.5)
    m.signal(signal.SIGINT)
    assert m.wait_exit() == 128 + signal.SIGINT
    assert "received a second signal; exiting at once" in [e["msg"] for e in m.log_lines()]
    waiting.cancel()


def test_a_signal_that_comes_twice_is_one(new_member):
    """Ctrl-C reaches the whole process group, and the parent may pass it on."""
    m = new_member().start()
    waiting = wait_for_a_lock(m)
    m.signal(signal.SIGINT)
    time.sleep(0.02)
    m.signal(signal.SIGINT)
    time.sleep(0.02)
    m.signal(signal.SIGTERM)
    assert m.wait_exit() == 0
    assert "stopped" in [e["msg"] for e in m.log_lines()]
    waiting.cancel()


def test_idle_connections_and_half_requests_do_not_hold_up_a_stop(member):
    idle = [socket.create_connection(("127.0.0.1", member.port)) for _ in range(5)]
    idle[0].sendall(b"GET /health HTTP/1.1\r\nHost:")
    idle[1].sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    watch = member.client().watch("a")
    began = time.monotonic()
    assert member.stop() == 0
    assert time.monotonic() - began < 20
    for s in idle:
        s.close()
    del watch


def test_a_log_pipe_that_breaks_ends_nothing(new_member):
    """SIGPIPE is ignored: the reader of the log may go."""
    m = new_member()
    command = m.command(["--log-outputs=stdout"])
    proc = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_env(None))
    try:
        for line in proc.stdout:
            if b"ready to serve client requests" in line:
                break
        proc.stdout.close()
        m.client().put("a", "1")
        proc.terminate()
        assert proc.wait(30) == 0
    finally:
        proc.kill()
        proc.wait()


def test_the_limit_of_open_files_is_raised(new_member):
    m = new_member(wrap=["prlimit", "--nofile=256:4096"])
    m.start()
    limits = open(f"/proc/{m.proc.pid}/limits").read()
    line = next(line for line in limits.splitlines() if line.startswith("Max open files"))
    assert line.split()[3:5] == ["4096", "4096"]


def test_the_folder_is_made_with_its_parents_and_named_after_the_member(tmp_path):
    port = free_port()
    proc = subprocess.Popen(
        [str(BINARY), "--name=m7", f"--listen-client-urls=http://127.0.0.1:{port}",
         f"--advertise-client-urls=http://127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=clean_env(None), cwd=tmp_path)
    try:
        for line in proc.stderr:
            if b"ready to serve client requests" in line:
                break
        proc.terminate()
        proc.stderr.read()
        assert proc.wait(30) == 0
    finally:
        proc.kill()
        proc.wait()
    assert os.listdir(tmp_path) == ["m7.engenho"]


def test_a_folder_of_etcd_is_left_alone(new_member):
    m = new_member()
    (m.data_dir / "member" / "wal").mkdir(parents=True)
    m.start(wait=False)
    assert m.wait_exit() == 1
    error = m.log_lines()[-1]["error"]
    assert error == f"{m.data_dir}: holds etcd's data, which cannot be read yet; name an empty or new folder"
    assert os.listdir(m.data_dir) == ["member"]


def test_etcd_on_our_folder_is_warned_about(start_member):
    m = start_member()
    assert m.stop() == 0
    (m.data_dir / "member").mkdir()
    m.start()
    assert any("etcd's data" in line["msg"] for line in m.log_lines() if line["level"] == "warn")


def test_a_refused_start_writes_nothing(start_member, new_member):
    """A lost MEMBER would be made anew with another id."""
    m = start_member()
    assert m.stop() == 0
    (m.data_dir / "MEMBER").unlink()
    before = {p: (p.is_file() and p.read_bytes(), p.stat().st_mtime_ns) for p in m.data_dir.rglob("*")}
    m.start("--initial-cluster-token=another", wait=False)
    assert m.wait_exit() == 1
    assert f"{m.data_dir}/MEMBER is missing from a folder that holds data; restore the file" in m.log_lines()[-1]["error"]
    assert before == {p: (p.is_file() and p.read_bytes(), p.stat().st_mtime_ns) for p in m.data_dir.rglob("*")}
    m = new_member("--initial-cluster-state=existing")
    m.start(wait=False)
    assert m.wait_exit() == 1 and os.listdir(m.data_dir) == []
