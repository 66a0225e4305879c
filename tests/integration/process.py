"""A member as a process of its own, on loopback, with a data folder of its own."""
import json
import os
import queue
import random
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

from client import Client

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ENGENHO_STORE", ROOT / "build" / "engenho-store")).absolute()
# Its sanitizers look for leaks when it ends by itself.
IS_SANITIZED = BINARY.exists() and b"__asan_init" in BINARY.read_bytes()
# The same tests can be pointed at etcd, to hold the tests themselves against it.
IS_ETCD = BINARY.name == "etcd"
# etcd 3.4 has not got the first.
READY = ("ready to serve client requests", "serving client traffic insecurely") if IS_ETCD else \
    ("ready to serve client requests",)
# Sanitizers and a busy machine slow everything down; no test waits this long when all is well.
START_S = 60
STOP_S = 30

_ports = random.SystemRandom()
_taken = set()


def free_port():
    """A port of loopback below the range that the kernel gives to outgoing connections."""
    while True:
        port = _ports.randrange(12000, 32000)
        if port in _taken:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _taken.add(port)
        return port


def clean_env(extra):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ETCD_", "ETCDCTL_"))}
    return {**env, **(extra or {})}


class NotStarted(Exception):
    """The process ended, or did not become ready; str() has what it printed."""


class Member:
    def __init__(self, folder, args=(), env=None, data_dir=None, wrap=()):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data_dir = Path(data_dir) if data_dir else self.folder / "data"
        self.log = self.folder / "log"
        self.port, self.peer_port = free_port(), free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self.client_url = f"http://{self.endpoint}"
        self.peer_url = f"http://127.0.0.1:{self.peer_port}"
        self.args, self.env, self.wrap = list(args), env, list(wrap)
        self.proc = None
        self.clients = []
        self.from_line = 0

    def command(self, args):
        own = {
            "--name": "m1", "--data-dir": str(self.data_dir), "--listen-client-urls": self.client_url,
            "--advertise-client-urls": self.client_url, "--listen-peer-urls": self.peer_url,
            "--initial-advertise-peer-urls": self.peer_url, "--initial-cluster": f"m1={self.peer_url}",
        }
        if IS_ETCD:
            own["--logger"] = "zap"
        given = {a.split("=")[0] for a in args}
        flags = [f"{k}={v}" for k, v in own.items() if k not in given]
        # The kernel kills the member should this process die first.
        return [*self.wrap, "setpriv", "--pdeathsig", "KILL", str(BINARY), *flags, *args]

    def start(self, *args, wait=True):
        if args:
            self.args = list(args)
        self.from_line = len(self.lines())
        with open(self.log, "ab") as log:
            self.proc = subprocess.Popen(self.command(self.args), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         cwd=self.folder, env=clean_env(self.env))
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, timeout=START_S):
        self.wait_for(lambda: any(text in line for line in self.lines()[self.from_line:] for text in READY), timeout, "become ready")
        return self

    def wait_for(self, condition, timeout, what):
        deadline = time.monotonic() + timeout
        while not condition():
            if self.proc.poll() is not None and not condition():
                raise NotStarted(f"ended with {self.proc.returncode}, did not {what}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise NotStarted(f"did not {what} in {timeout} s:\n{self.tail()}")
            time.sleep(0.01)

    def wait_exit(self, timeout=STOP_S):
        return self.proc.wait(timeout)

    def alive(self):
        return self.proc is not None and self.proc.poll() is None

    def signal(self, number):
        self.proc.send_signal(number)

    def stop(self):
        """SIGTERM. Returns the exit status, 0 when all is well (etcd ends by the signal itself)."""
        if self.alive():
            self.signal(signal.SIGTERM)
        status = self.wait_exit()
        return 0 if IS_ETCD and status == -signal.SIGTERM else status

    def kill9(self):
        if self.proc is not None:
            self.proc.kill()
            self.proc.wait()

    def restart(self, *args):
        status = self.stop()
        assert status == 0, f"ended with {status}:\n{self.tail()}"
        return self.start(*args)

    def close(self):
        for c in self.clients:
            c.close()
        self.clients = []
        self.kill9()

    def check_sanitizers(self):
        """Ends a running member in peace, so that leaks are looked for, and raises when a sanitizer has found anything."""
        if IS_SANITIZED and self.alive() and not self.wrap:
            for c in self.clients:
                c.close()
            self.stop()
        found = [line for line in self.lines() if "Sanitizer" in line or "runtime error:" in line]
        assert not found, "\n".join(found + self.lines()[-60:])

    def client(self):
        """A new connection, closed with the member."""
        c = Client(self.endpoint)
        self.clients.append(c)
        return c

    # What it printed.

    def lines(self):
        try:
            return self.log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []

    def output(self):
        """Of the newest start."""
        return "\n".join(self.lines()[self.from_line:])

    def tail(self, count=15):
        return "\n".join(self.lines()[self.from_line:][-count:])

    def log_lines(self):
        """The JSON log lines of the newest start."""
        found = []
        for line in self.lines()[self.from_line:]:
            try:
                found.append(json.loads(line))
            except ValueError:
                pass
        return found

    # What it costs.

    def rss_bytes(self):
        for line in Path(f"/proc/{self.proc.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")


class Running:
    """A program that goes on; its lines are read one by one."""

    def __init__(self, command, env):
        # What a shell runs in the background ignores SIGINT, and so would this.
        self.proc = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "env", "--default-signal=INT", *command],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                     bufsize=1, env=env)
        self.queue = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.proc.stdout:
            self.queue.put(line.rstrip("\n"))
        self.queue.put(None)

    def line(self, timeout=15):
        """The next line; None at the end. queue.Empty when none comes in time."""
        return self.queue.get(timeout=timeout)

    def lines(self, count):
        return [self.line() for _ in range(count)]

    def rest(self):
        return list(iter(self.line, None))

    def quiet(self, seconds):
        """No line comes for so long."""
        try:
            line = self.line(timeout=seconds)
        except queue.Empty:
            return True
        raise AssertionError(f"unexpected line: {line!r}")

    def write(self, text):
        self.proc.stdin.write(text)
        self.proc.stdin.flush()

    def end_input(self):
        self.proc.stdin.close()

    def interrupt(self):
        self.proc.send_signal(signal.SIGINT)

    def wait(self, timeout=15):
        return self.proc.wait(timeout)

    def close(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
