"""engenhoctl: what it prints, and its exit statuses."""
import subprocess

import pytest

from process import BINARY, clean_env, free_port

pytestmark = pytest.mark.ours
CTL = next((p for p in (BINARY.parent / "engenhoctl", BINARY.resolve().parent.parent / "ctl" / "engenhoctl") if p.exists()), None)


def ctl(*args, env=None):
    return subprocess.run([str(CTL), *args], capture_output=True, text=True, env=clean_env(env), timeout=30)


def test_version_and_help():
    done = ctl("version")
    assert done.returncode == 0 and done.stdout.startswith("engenhoctl version: ")
    assert ctl("--version").stdout == done.stdout
    done = ctl("help")
    assert done.returncode == 0 and "--endpoints" in done.stdout
    assert ctl("--help").stdout == done.stdout


@pytest.mark.parametrize("args", [[], ["nothing"], ["status", "now"], ["status", "--endpoints"], ["--what"], ["status", "--timeout=x"],
                                  ["status", "--timeout=0"]])
def test_a_wrong_command_line(args):
    done = ctl(*args)
    assert done.returncode == 2 and done.stdout == "" and "engenhoctl help" in done.stderr


def test_status(member):
    member.client().put("a", "1")
    done = ctl("status", "--endpoints", member.endpoint)
    assert done.returncode == 0 and done.stderr == ""
    head, line = done.stdout.splitlines()
    fields = line.split()
    assert fields[0] == member.endpoint
    assert fields[1] == f"{member.client().status().header.member_id:x}"
    assert fields[3].startswith("3.7.") and "yes" in fields
    assert ctl("status", env={"ENGENHOCTL_ENDPOINTS": member.client_url}).stdout.splitlines()[1].split()[1:3] == fields[1:3]


def test_status_over_a_unix_socket(new_member, tmp_path):
    m = new_member()
    m.args = [f"--listen-client-urls={m.client_url},unix://{tmp_path}/s"]
    m.start()
    assert ctl("status", f"--endpoints=unix://{tmp_path}/s").returncode == 0


def test_a_member_that_is_not_there(member):
    port = free_port()
    done = ctl("status", f"--endpoints=127.0.0.1:{port},{member.endpoint}")
    assert done.returncode == 1
    assert f"127.0.0.1:{port}: cannot connect: Connection refused" in done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("endpoints, message", [
    ("", "--endpoints names no member"),
    (" , ,", "--endpoints names no member"),
    ("https://127.0.0.1:2379", "TLS is not there yet: https://127.0.0.1:2379"),
    ("127.0.0.1:1,ftp://x:1", "not an endpoint: ftp://x:1"),
    ("127.0.0.1:0", "not an endpoint: 127.0.0.1:0"),
    ("127.0.0.1:65536", "not an endpoint: 127.0.0.1:65536"),
    ("127.0.0.1:", "not an endpoint"),
    (":2379", "not an endpoint"),
    ("::1", "not an endpoint"),
    ("127.0.0.1:1/path", "not an endpoint"),
    ("two words:1", "not an endpoint"),
    ("x" * 400, "an endpoint is too long"),
])
def test_not_an_endpoint(endpoints, message):
    done = ctl("status", f"--endpoints={endpoints}")
    assert done.returncode == 2 and done.stdout == "" and message in done.stderr


def test_blanks_around_commas(member):
    done = ctl("status", f"--endpoints= {member.endpoint} , {member.client_url}/ ,")
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 3


def test_something_else_answers(member, new_member):
    m = new_member()
    port = free_port()
    m.args = [f"--listen-metrics-urls=http://127.0.0.1:{port}"]
    m.start()
    done = ctl("status", f"--endpoints=127.0.0.1:{port}", "--timeout=5s")
    assert done.returncode == 1 and done.stdout == "" and done.stderr != ""
