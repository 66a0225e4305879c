"""Fixtures of the integration tests. ENGENHO_STORE names the daemon to test; without it, build/engenho-store."""
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from process import BINARY, IS_ETCD, ROOT, Member, Running, clean_env  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes long or judges time; left out under sanitizers")
    config.addinivalue_line("markers", "ours: about engenho-store alone; skipped when the tests are pointed at etcd")
    if not BINARY.exists():
        pytest.exit(f"{BINARY} is not there: run `make build` first", returncode=2)


def pytest_runtest_setup(item):
    if IS_ETCD and item.get_closest_marker("ours"):
        pytest.skip("about engenho-store alone")


@pytest.fixture
def new_member(tmp_path):
    """new_member(*args, env=, data_dir=, wrap=): a member that is not started yet."""
    made = []

    def make(*args, **options):
        made.append(Member(tmp_path / f"member{len(made)}", args, **options))
        return made[-1]

    yield make
    try:
        for m in made:
            m.check_sanitizers()
    finally:
        for m in made:
            m.close()


@pytest.fixture
def start_member(new_member):
    """start_member(*args, env=, data_dir=): a running member."""
    return lambda *args, **options: new_member(*args, **options).start()


@pytest.fixture
def member(start_member):
    return start_member()


@pytest.fixture
def client(member):
    return member.client()


@pytest.fixture(scope="session")
def etcdctl_env():
    return clean_env({"ETCDCTL_API": "3"})


class Etcdctl:
    """etcdctl pointed at a member."""

    def __init__(self, endpoint, env):
        self.endpoint, self.env, self.running = endpoint, env, []

    def command(self, *args):
        return ["etcdctl", f"--endpoints={self.endpoint}", *args]

    def run(self, *args, stdin="", timeout=30):
        return subprocess.run(self.command(*args), input=stdin, capture_output=True, text=True, env=self.env, timeout=timeout)

    def __call__(self, *args, **options):
        """What it printed; it must end well."""
        done = self.run(*args, **options)
        assert done.returncode == 0, f"etcdctl {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def fails(self, *args, **options):
        """The error that it printed; it must not end well."""
        done = self.run(*args, **options)
        assert done.returncode != 0, f"etcdctl {' '.join(args)} ended well:\n{done.stdout}"
        return done.stderr

    def spawn(self, *args, **env):
        """A command that goes on running: see Running."""
        self.running.append(Running(self.command(*args), {**self.env, **env}))
        return self.running[-1]

    def close(self):
        for r in self.running:
            r.close()


@pytest.fixture
def new_etcdctl(etcdctl_env):
    """new_etcdctl(endpoint)"""
    made = []

    def make(endpoint):
        made.append(Etcdctl(endpoint, etcdctl_env))
        return made[-1]

    yield make
    for ctl in made:
        ctl.close()


@pytest.fixture
def etcdctl(member, new_etcdctl):
    return new_etcdctl(member.endpoint)


@pytest.fixture(scope="session")
def failio(tmp_path_factory):
    library = tmp_path_factory.mktemp("failio") / "failio.so"
    source = ROOT / "tests" / "lib" / "failio.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o", library, source], check=True)
    return library


@pytest.fixture
def failing(failio, new_member, tmp_path):
    """A running member, and the file that makes its disk fail."""
    trigger = tmp_path / "trigger"
    m = new_member("--snapshot-count=50", env={
        "LD_PRELOAD": str(failio), "FAILIO_TRIGGER": str(trigger), "ASAN_OPTIONS": "verify_asan_link_order=0"}).start()
    return m, trigger
