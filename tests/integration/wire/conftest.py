"""The wire, tested on a small server (tests/lib/rpc_echo.c) that has methods and handlers made for it. It is built beside
the daemon; ENGENHO_RPC_ECHO names another one."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from process import BINARY, IS_ETCD  # noqa: E402

ECHO = Path(os.environ.get("ENGENHO_RPC_ECHO") or BINARY.parent / "tests/unit/rpc/rpc_echo")


class Echo:
    """A running server. It must end well, with nothing left open."""

    def __init__(self, *args, stderr):
        self.stderr = open(stderr, "w+")
        self.proc = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", ECHO, *args], stdout=subprocess.PIPE,
                                     stderr=self.stderr, text=True)
        line = self.proc.stdout.readline()
        assert line.startswith("listening "), self.errors()
        self.port = int(line.split()[1])

    def errors(self):
        self.stderr.seek(0)
        return self.stderr.read()

    def rss_kib(self):
        for line in Path(f"/proc/{self.proc.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("the server is gone")

    def files(self):
        return len(list(Path(f"/proc/{self.proc.pid}/fd").iterdir()))

    def cpu_s(self):
        fields = Path(f"/proc/{self.proc.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def terminate(self):
        self.proc.send_signal(signal.SIGTERM)

    def wait(self, timeout=20):
        code = self.proc.wait(timeout)
        assert code == 0, f"exit code {code}\n{self.errors()}"

    def close(self):
        try:
            if self.proc.poll() is None:
                self.terminate()
                try:
                    self.proc.wait(2)
                except subprocess.TimeoutExpired:
                    self.terminate()  # the grace time is over
            self.wait()
        finally:
            self.proc.kill()
            self.proc.wait()
            self.proc.stdout.close()
            self.stderr.close()


@pytest.fixture(scope="session")
def sanitized():
    """Memory and speed say nothing about the server then."""
    return b"__asan_init" in ECHO.read_bytes()


@pytest.fixture
def start_echo(tmp_path):
    """start_echo("--idle", "1000"): the options are those of rpc_echo."""
    made = []
    if IS_ETCD:
        pytest.skip("about engenho-store alone")

    def start(*args):
        made.append(Echo(*args, stderr=tmp_path / f"stderr{len(made)}"))
        return made[-1]

    yield start
    for echo in made:
        echo.close()


@pytest.fixture
def echo(start_echo):
    return start_echo()
