"""Endpoints, members, alarms and the rest through Debian's etcdctl 3.4."""
import json
import re

import pytest

from process import IS_ETCD
from test_etcdctl_keys import error_of


def test_endpoint_status(etcdctl, member):
    etcdctl("put", "a", "1")
    fields = etcdctl("endpoint", "status").strip().split(", ")
    assert fields[0] == member.endpoint
    assert re.fullmatch(r"[0-9a-f]{15,16}", fields[1])
    assert tuple(map(int, fields[2].split(".")[:2])) >= (3, 7) or IS_ETCD
    assert re.fullmatch(r"[\d.]+ [kM]?B", fields[3])
    assert fields[4:6] == ["true", "false"]
    assert all(int(f) >= 1 for f in (fields[6], fields[7], fields[8].rstrip(",")))


def test_endpoint_status_in_other_formats(etcdctl, member):
    etcdctl("put", "a", "1")
    answer = json.loads(etcdctl("endpoint", "status", "-w", "json"))
    assert len(answer) == 1 and answer[0]["Endpoint"] == member.endpoint
    status = answer[0]["Status"]
    assert status["header"]["revision"] == 2
    assert status["leader"] == status["header"]["member_id"]
    assert status["dbSize"] >= status["dbSizeInUse"] > 0
    assert status["raftTerm"] >= 1 and status["raftIndex"] >= status["raftAppliedIndex"] >= 1
    assert "errors" not in status
    table = etcdctl("endpoint", "status", "-w", "table").splitlines()
    assert len(table) == 5 and member.endpoint in table[3]
    assert '"IsLearner" : false' in etcdctl("endpoint", "status", "-w", "fields").splitlines()


def test_endpoint_health(etcdctl, member):
    done = etcdctl.run("endpoint", "health")
    assert done.returncode == 0
    assert re.fullmatch(rf"{member.endpoint} is healthy: successfully committed proposal: took = .*s\n",
                        done.stdout + done.stderr)
    assert etcdctl.run("endpoint", "health", "--cluster").returncode == 0


def test_endpoint_health_when_nobody_is_there(etcdctl, member):
    member.kill9()
    done = etcdctl.run("endpoint", "health", "--command-timeout=1s")
    assert done.returncode != 0 and "is unhealthy" in done.stdout + done.stderr


def test_hashkv_is_that_of_etcd(etcdctl, member):
    """The numbers were made by etcd 3.7.3 with these writes: they are a function of the data alone."""
    def hash_kv(*args):
        return json.loads(etcdctl("endpoint", "hashkv", "-w", "json", *args))[0]["HashKV"]

    assert etcdctl("endpoint", "hashkv") == f"{member.endpoint}, {hash_kv()['hash']}\n"
    for i in range(1, 4):
        etcdctl("put", f"k{i}", f"v{i}")
    etcdctl("put", "k1", "w")
    etcdctl("del", "k2")
    full = hash_kv()
    assert full["header"]["revision"] == 6
    at_4 = hash_kv("--rev=4")["hash"]
    etcdctl("compaction", "5")
    compacted = hash_kv()
    assert compacted["compact_revision"] == 5
    member.restart()
    assert hash_kv()["hash"] == compacted["hash"]
    assert (full["hash"], at_4, compacted["hash"]) == (700478119, 4178063679, 2182456160)


def test_member_list(etcdctl, member):
    line = etcdctl("member", "list")
    assert re.fullmatch(rf"[0-9a-f]{{15,16}}, started, m1, {member.peer_url}, {member.client_url}, false\n", line), line
    answer = json.loads(etcdctl("member", "list", "-w", "json"))
    assert answer["members"] == [{"ID": answer["header"]["member_id"], "name": "m1", "peerURLs": [member.peer_url],
                                  "clientURLs": [member.client_url]}]
    assert len(etcdctl("member", "list", "-w", "table").splitlines()) == 5


def test_member_update_survives_a_restart(etcdctl, member):
    own = etcdctl("member", "list").split(",")[0]
    out = etcdctl("member", "update", own, "--peer-urls=http://127.0.0.1:4001,http://127.0.0.1:4002")
    assert re.fullmatch(rf"Member +{own} updated in cluster +[0-9a-f]+\n", out), out
    assert "http://127.0.0.1:4001,http://127.0.0.1:4002" in etcdctl("member", "list")
    if not IS_ETCD:  # which wants the peer flags to agree
        member.restart()
        assert "http://127.0.0.1:4001,http://127.0.0.1:4002" in etcdctl("member", "list")
    assert error_of(etcdctl.fails("member", "update", "1234", "--peer-urls=http://127.0.0.1:1")) == \
        "Error: etcdserver: member not found"


def test_alarm(etcdctl):
    assert etcdctl("alarm", "list") == ""
    assert etcdctl("alarm", "disarm") == ""


def test_defrag(etcdctl, member):
    assert etcdctl("defrag") == f"Finished defragmenting etcd member[{member.endpoint}]\n"


def test_auth_is_off(etcdctl):
    assert error_of(etcdctl.fails("auth", "enable")) == "Error: etcdserver: root user does not exist"
    assert etcdctl("user", "list") == ""
    assert etcdctl("role", "list") == ""
    assert etcdctl("auth", "disable") == "Authentication Disabled\n"


def test_move_leader_to_nobody(etcdctl):
    assert error_of(etcdctl.fails("move-leader", "1234")) == "Error: etcdserver: bad leader transferee"


@pytest.mark.ours
def test_what_is_not_there_yet_says_so(etcdctl, tmp_path):
    for command in (["snapshot", "save", tmp_path / "snap"], ["member", "add", "m2", "--peer-urls=http://127.0.0.1:1"],
                    ["member", "promote", "1234"], ["user", "add", "root:pw"], ["role", "add", "r"]):
        error = etcdctl.fails(*map(str, command), timeout=20)
        print(command, error_of(error))
        assert "etcdserver: " in error or "engenho: " in error, error
    assert etcdctl("member", "list").count("\n") == 1


@pytest.mark.slow
def test_check_datascale_small(etcdctl):
    out = etcdctl("check", "datascale", "--load=s", timeout=120)
    assert "PASS: Approximate" in out, out


# etcdctl 3.4 sends an endpoint as it was given as the :authority of calls to one member.
@pytest.mark.parametrize("command", [("endpoint", "status"), ("endpoint", "hashkv"), ("defrag",), ("put", "a", "1"),
                                     ("endpoint", "status", "--cluster")])
def test_endpoints_written_as_urls(new_etcdctl, member, command):
    new_etcdctl(f"http://{member.endpoint}")(*command)


@pytest.mark.parametrize("command", [("put", "a", "1"), ("endpoint", "status"), ("defrag",)])
def test_endpoints_that_are_unix_sockets(new_etcdctl, new_member, tmp_path, command):
    socket = tmp_path / "s.sock"
    m = new_member(f"--listen-client-urls=unix://{socket}", f"--advertise-client-urls=unix://{socket}")
    m.start()
    new_etcdctl(f"unix://{socket}")(*command)
