"""Log lines: etcd's form, where they go, what they tell of a start and a stop."""
import json
import re

import pytest

from process import free_port

pytestmark = pytest.mark.ours


def test_lines_have_etcds_form(member):
    member.stop()
    lines = member.lines()
    assert len(lines) >= 4
    for line in lines:
        entry = json.loads(line)
        assert list(entry)[:4] == ["level", "ts", "caller", "msg"]
        assert entry["level"] in ("debug", "info", "warn", "error", "fatal")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d{4})", entry["ts"])
        assert re.fullmatch(r"\w+/\w+\.c:\d+", entry["caller"])


def test_a_start_and_a_stop_are_told(member):
    assert member.stop() == 0
    entries = member.log_lines()
    messages = [e["msg"] for e in entries]
    for text in ("starting engenho-store", "ready to serve client requests", "received signal; shutting down", "stopped"):
        assert messages.count(text) == 1, text
    start = entries[messages.index("starting engenho-store")]
    assert start["name"] == "m1" and start["data-dir"] == str(member.data_dir)
    serving = [e for e in entries if e["msg"].startswith("serving client traffic insecurely")]
    assert [(e["address"], e["traffic"]) for e in serving] == [(member.endpoint, "grpc+http")]


def test_console(start_member):
    m = start_member("--log-format=console")
    line = next(line for line in m.lines() if "starting engenho-store" in line)
    ts, level, caller, message, fields = line.split("\t")
    assert ts.startswith("20") and level == "info" and caller.startswith("server/server.c:")
    assert message == "starting engenho-store" and json.loads(fields)["name"] == "m1"


def test_levels(start_member):
    m = start_member("--log-level=debug")
    m.stop()
    m = start_member("--log-level=debug", "--log-format=json")
    m.stop()
    assert any(e["level"] == "info" for e in m.log_lines())


def test_errors_only(new_member):
    m = new_member("--log-level=error")
    m.start(wait=False)
    client = m.client()
    client.range("a", wait=True, timeout=30)
    assert m.stop() == 0
    assert m.lines() == []


def test_files(new_member, tmp_path):
    a, b = tmp_path / "a.log", tmp_path / "b.log"
    m = new_member(f"--log-outputs=stderr,{a},{b}")
    m.start()
    assert m.stop() == 0
    text = m.output() + "\n"
    assert text == a.read_text() == b.read_text()
    m.start()
    assert m.stop() == 0
    assert a.read_text().startswith(text) and len(a.read_text()) > len(text)


def test_a_log_that_cannot_be_opened(new_member):
    m = new_member("--log-outputs=/nowhere/log")
    m.start(wait=False)
    assert m.wait_exit() == 1
    assert "cannot open /nowhere/log" in m.output()


def test_traffic_is_split(new_member):
    m = new_member()
    http = free_port()
    m.args = [f"--listen-client-http-urls=http://127.0.0.1:{http}", f"--listen-metrics-urls=http://127.0.0.1:{free_port()}"]
    m.start()
    serving = {e["address"]: e["traffic"] for e in m.log_lines() if "traffic" in e}
    assert serving == {m.endpoint: "grpc", f"127.0.0.1:{http}": "http"}
    assert [e for e in m.log_lines() if e["msg"] == "serving metrics"]
