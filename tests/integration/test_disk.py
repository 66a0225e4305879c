"""Disks that fail: no room, and errors from the calls that make data durable."""
import errno
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from client import grpc
from process import BINARY, ROOT, NotStarted

pytestmark = pytest.mark.ours

MIB = 1 << 20


def mount_tmpfs(at, folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=700", "tmpfs", at], check=True, capture_output=True)


def mount_ext4(at, folder):
    image = folder / "disk.img"
    with open(image, "wb") as f:
        f.truncate(96 * MIB)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, at], check=True, capture_output=True)


@pytest.fixture(params=[mount_tmpfs, mount_ext4], ids=["tmpfs", "ext4"])
def small_disk(request, tmp_path):
    """A file system of 96 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    at = tmp_path / "disk"
    at.mkdir()
    try:
        request.param(at, tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"cannot mount here: {getattr(error, 'stderr', None) or error}")
    yield at
    subprocess.run(["umount", "--lazy", at], check=True)


def fill_up(disk, leave):
    """A file that leaves so many bytes free."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as f:
        free = shutil.disk_usage(disk).free - leave
        try:
            while free > 0:
                free -= f.write(bytes(min(free, MIB)))
        except OSError as error:  # the last blocks are the file system's own
            assert error.errno == errno.ENOSPC
    return ballast


def put_until_refused(client, prefix, size=200_000, limit=1000):
    """Returns what was acknowledged and the error."""
    acked = []
    for i in range(limit):
        try:
            client.put(f"{prefix}{i:04}", bytes([i % 251]) * size, timeout=20)
        except grpc.RpcError as error:
            return acked, error
        acked.append(i)
    raise AssertionError("never refused")


def until_put_works(client, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        try:
            return client.put("room", "again", timeout=10)
        except grpc.RpcError as error:
            assert "space" in error.details(), error
            assert time.monotonic() < deadline, "puts do not work again"
            time.sleep(0.2)


@pytest.mark.slow
def test_a_full_disk_refuses_writes_and_nothing_else(small_disk, new_member):
    m = new_member(data_dir=small_disk / "data").start()
    client = m.client()
    client.put("before", "here")
    ballast = fill_up(small_disk, leave=12 * MIB)
    acked, error = put_until_refused(client, "a")
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "no space left" in error.details(), error
    for serializable in (False, True):
        assert client.get("before", serializable=serializable) == b"here"
        assert client.prefix("a", count_only=True, serializable=serializable).count >= len(acked)
    with pytest.raises(grpc.RpcError) as again:
        client.put("small", "x", timeout=10)
    assert "no space left" in again.value.details()
    assert any("no space left" in e for e in client.status().errors)
    ballast.unlink()
    until_put_works(client)
    assert not client.status().errors
    more = client.put("after", "x").header.revision
    for i in acked:
        assert client.get(f"a{i:04}") == bytes([i % 251]) * 200_000
    m.kill9()
    m.start()
    client = m.client()
    assert client.status().header.revision == more
    assert client.get("after") == b"x" and client.prefix("a", count_only=True).count >= len(acked)


@pytest.mark.slow
def test_a_start_on_a_full_disk_says_so_or_serves_reads(small_disk, new_member):
    m = new_member(data_dir=small_disk / "data").start()
    m.client().put("before", "here")
    m.kill9()
    ballast = fill_up(small_disk, leave=0)
    try:
        m.start()
        assert m.client().get("before", serializable=True) == b"here"
        m.kill9()
    except NotStarted:
        assert m.proc.returncode > 0 and "space" in m.output().lower()
    ballast.unlink()
    m.start()
    assert m.client().get("before") == b"here"
    m.client().put("after", "x")


# A disk that returns errors.

def put_numbers(client, first, count):
    """Numbers acknowledged, until one is refused."""
    for n in range(first, first + count):
        try:
            client.put(f"n{n:05}", str(n), timeout=10)
        except grpc.RpcError:
            return n
    return first + count


@pytest.mark.parametrize("kind", ["write", "submit"])
def test_a_log_write_that_fails_stops_the_member(failing, kind):
    m, trigger = failing
    end = put_numbers(m.client(), 0, 20)
    assert end == 20
    trigger.write_text(kind)
    refused = put_numbers(m.client(), 20, 100)
    assert refused == 20, "a put was answered though its write failed"
    assert m.wait_exit() > 0
    assert any(word in m.output().lower() for word in ("input/output error", "i/o error", "eio")), m.tail()
    trigger.unlink()
    m.start()
    client = m.client()
    values = [kv.value for kv in client.prefix("n").kvs]
    assert values[:20] == [str(n).encode() for n in range(20)] and len(values) <= 21
    assert client.put("after", "x").header.revision > 20


def test_a_failing_fsync_stops_the_member_or_is_told(failing):
    """fsync guards checkpoints and new log files: puts may go on meanwhile, and none that was answered is lost."""
    m, trigger = failing
    assert put_numbers(m.client(), 0, 20) == 20
    trigger.write_text("sync")
    end = put_numbers(m.client(), 20, 400)
    if m.alive():
        m.kill9()
    else:
        assert m.proc.returncode > 0
        assert any(word in m.output().lower() for word in ("input/output error", "i/o error", "eio")), m.tail()
    trigger.unlink()
    m.start()
    values = [kv.value for kv in m.client().prefix("n").kvs]
    assert values[:end] == [str(n).encode() for n in range(end)] and len(values) <= end + 1


def test_no_space_from_the_log_is_no_reason_to_stop(failing):
    m, trigger = failing
    client = m.client()
    assert put_numbers(client, 0, 20) == 20
    trigger.write_text("nospace")
    with pytest.raises(grpc.RpcError) as error:
        client.put("n00020", "20", timeout=10)
    # What was on its way may be on the disk all the same: no answer may be taken for "it did not happen".
    assert "request timed out" in error.value.details(), error.value
    with pytest.raises(grpc.RpcError) as error:
        client.put("n00021", "21", timeout=10)
    assert "no space left" in error.value.details(), error.value
    assert client.get("n00019") == b"19"
    trigger.unlink()
    until_put_works(client)
    assert put_numbers(client, 21, 20) == 41
    assert m.alive() and BINARY


def test_the_data_folder_disappears(failing):
    """Somebody removes the files under the running member: it may stop, it may go on, it may not lie."""
    m, _ = failing
    client = m.client()
    assert put_numbers(client, 0, 20) == 20
    shutil.rmtree(m.data_dir)
    put_numbers(client, 20, 300)
    if m.alive():
        assert client.get("n00000") == b"0"
    else:
        assert m.proc.returncode > 0
    assert not Path(m.data_dir / "nothing").exists()
