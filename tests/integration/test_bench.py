"""The load generator of bench/ still works against a member: every operation, a moment each."""
import json
import subprocess

import pytest

from process import ROOT


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    program = tmp_path_factory.mktemp("bench") / "load"
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-O1", "-o", program,
                    ROOT / "bench" / "load.c", "-lnghttp2"], check=True)
    return program


def test_every_operation(load, member):
    def run(*args):
        done = subprocess.run([load, "--port", str(member.port), *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        result = json.loads(done.stdout)
        assert result["failed"] == 0
        return result

    many = ["--in-flight", "20", "--connections", "4", "--keys", "500"]
    assert run("--op", "put", "--requests", "500", *many)["requests"] == 500
    assert member.client().prefix("/registry/bench/", count_only=True).count == 500
    assert run("--op", "get", "--requests", "500", "--random", *many)["bytes"] > 500 * 256
    assert run("--op", "page", "--requests", "1", "--limit", "30")["keys"] == 500
    assert run("--op", "count", "--requests", "5")["requests"] == 5
    assert run("--op", "txn", "--requests", "1200", "--prefix", "/txn/", "--key-bytes", "13", *many)["requests"] == 1200
    assert [kv.version for kv in member.client().prefix("/txn/").kvs[:1]] == [3]
    watched = run("--op", "watch", "--watchers", "7", "--requests", "50", "--prefix", "/watch/", "--connections", "2")
    assert watched["events"] == 350
