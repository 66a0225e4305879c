"""Flags, variables and the config file: what they do to a running member, and how mistakes are told."""
import os
import subprocess
import time

import pytest

from client import grpc, op_put
from process import BINARY, NotStarted, clean_env, free_port
from protobuf import rpc

pytestmark = pytest.mark.ours


def run(*args, env=None, cwd=None, timeout=30):
    """The daemon, for what ends by itself."""
    return subprocess.run([str(BINARY), *args], capture_output=True, text=True, env=clean_env(env), cwd=cwd, timeout=timeout)


def refused(member):
    """The member ends before it is ready; returns what it printed."""
    with pytest.raises(NotStarted):
        member.start()
    assert member.proc.returncode == 1, member.tail()
    return member.output()


def error_of(member):
    refused(member)
    return [line["error"] for line in member.log_lines() if line["level"] == "fatal"][-1]


def warnings_of(member):
    return [line["msg"] for line in member.log_lines() if line["level"] == "warn"]


def first_member(member):
    answer = member.client().call("etcdserverpb.Cluster/MemberList", rpc.MemberListRequest(), rpc.MemberListResponse)
    return answer.members[0]


# What ends at once.


def test_version():
    done = run("--version")
    assert done.returncode == 0 and done.stderr == ""
    lines = dict(line.split(": ") for line in done.stdout.splitlines())
    assert lines["etcd Version"].startswith("3.7.")
    assert lines["engenho-store Version"].count(".") == 2


@pytest.mark.parametrize("flag", ["--help", "-h", "-help"])
def test_help(flag):
    done = run(flag)
    assert done.returncode == 0 and done.stderr == ""
    for name in ("data-dir", "listen-client-urls", "cert-file", "experimental-initial-corrupt-check"):
        assert f"--{name}" in done.stdout


@pytest.mark.parametrize("args, message", [
    (["--nmae=x"], "flag provided but not defined: --nmae (did you mean --name?)"),
    (["--listen-client-url", "x"], "did you mean --listen-client-urls?"),
    (["--name"], "flag needs an argument: --name"),
    (["--snapshot-count=many"], 'invalid value "many" for flag --snapshot-count: parse error'),
    (["---name=x"], "bad flag syntax: ---name=x"),
])
def test_a_command_line_that_cannot_be_read(args, message):
    done = run(*args)
    assert done.returncode == 2 and done.stdout == ""
    assert message in done.stderr
    assert "--help" in done.stderr


@pytest.mark.parametrize("args, env, message", [
    (["gateway"], {}, '"gateway" is not a valid flag'),
    (["--cert-file=/x"], {}, "not supported yet: --cert-file"),
    ([], {"ETCD_PEER_CLIENT_CERT_AUTH": "true"}, "not supported yet: --peer-client-cert-auth"),
    (["--listen-client-urls=https://127.0.0.1:2379", "--advertise-client-urls=https://127.0.0.1:2379"], {},
     "not supported yet: --listen-client-urls with https (TLS is not there yet"),
    (["--listen-peer-urls=https://127.0.0.1:2380", "--cert-file=/x", "--key-file=/y"], {},
     "not supported yet: --listen-peer-urls with https, --cert-file, --key-file (TLS is not there yet"),
    (["--listen-peer-urls=http://127.0.0.1:1", "--listen-client-urls=http://127.0.0.1:1", "--advertise-client-urls=http://a:1"], {},
     "cannot bind both --listen-client-urls and --listen-peer-urls on the same url http://127.0.0.1:1"),
    (["--proxy=on"], {}, "no longer supported"),
    (["--listen-client-urls=http://127.0.0.1:2379"], {}, "--advertise-client-urls is required when --listen-client-urls is set explicitly"),
    (["--heartbeat-interval=900"], {}, "should be at least as 5 times as --heartbeat-interval[900ms]"),
    ([], {"ETCD_SNAPSHOT_COUNT": "many"}, 'invalid value "many" for ETCD_SNAPSHOT_COUNT: parse error'),
    (["--log-outputs=default,stdout"], {}, 'multi logoutput for "default" is not supported yet'),
    (["--config-file=/nowhere/x.yaml"], {}, "cannot read the configuration file /nowhere/x.yaml"),
])
def test_a_configuration_that_is_refused(args, env, message, tmp_path):
    done = run(*args, env=env, cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr.replace('\\"', '"')
    assert os.listdir(tmp_path) == [], "nothing is made before the configuration is checked"


# The cluster.


def test_initial_cluster_is_checked(new_member):
    m = new_member("--initial-cluster=other=http://127.0.0.1:1")
    assert error_of(m) == "couldn't find local name \"m1\" in the initial cluster configuration"
    m = new_member("--initial-cluster=m1=http://127.0.0.1:1")
    assert error_of(m) == \
        f"--initial-cluster has m1=http://127.0.0.1:1 but missing from --initial-advertise-peer-urls={m.peer_url}"
    m = new_member()
    m.args = [f"--initial-cluster=m1={m.peer_url},m2=http://127.0.0.1:1"]
    assert "not supported yet: more than one member" in error_of(m)
    m = new_member("--initial-cluster-state=existing")
    assert "not supported yet: joining a cluster" in error_of(m)


def test_initial_flags_are_for_the_first_start_only(start_member):
    m = start_member()
    before = m.client().status().header
    m.restart("--initial-cluster-state=existing", "--initial-cluster-token=another", "--initial-cluster=x=http://127.0.0.1:1")
    after = m.client().status().header
    assert (after.cluster_id, after.member_id) == (before.cluster_id, before.member_id)


def test_token_and_urls_make_other_ids(start_member, new_member):
    ids = set()
    for m in (start_member(), start_member(), start_member("--initial-cluster-token=another")):
        header = m.client().status().header
        ids |= {header.cluster_id, header.member_id}
    assert len(ids) == 6


def test_advertised_urls_are_told(start_member):
    m = start_member("--advertise-client-urls=http://one.example:2379,http://two.example:2379")
    member = first_member(m)
    assert list(member.clientURLs) == ["http://one.example:2379", "http://two.example:2379"]
    assert member.name == "m1" and list(member.peerURLs) == [m.peer_url]


# Variables.


def test_variables_as_kops_gives_them(new_member, tmp_path):
    port, peer = free_port(), free_port()
    env = clean_env({
        "ETCD_DATA_DIR": str(tmp_path / "d"), "ETCD_LOGGER": "zap", "ETCD_LOG_OUTPUTS": "stdout", "ETCD_NAME": "etcd-a",
        "ETCD_LISTEN_PEER_URLS": f"http://127.0.0.1:{peer}", "ETCD_INITIAL_ADVERTISE_PEER_URLS": f"http://127.0.0.1:{peer}",
        "ETCD_LISTEN_CLIENT_URLS": f"http://127.0.0.1:{port}", "ETCD_ADVERTISE_CLIENT_URLS": f"http://127.0.0.1:{port}",
        "ETCD_INITIAL_CLUSTER": f"etcd-a=http://127.0.0.1:{peer}", "ETCD_INITIAL_CLUSTER_STATE": "new",
        "ETCD_INITIAL_CLUSTER_TOKEN": "t", "ETCD_ENABLE_V2": "false", "ETCD_STRICT_RECONFIG_CHECK": "true",
        "ETCD_EXPERIMENTAL_INITIAL_CORRUPT_CHECK": "true", "ETCD_ON_K8S": "yes",
    })
    proc = subprocess.Popen([str(BINARY)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lines = []
        for line in proc.stdout:
            lines.append(line)
            if "ready to serve client requests" in line:
                break
        assert any('"environment-variable":"ETCD_ON_K8S"' in line for line in lines)
        assert any("--enable-v2" in line for line in lines)
        assert not any("strict-reconfig-check" in line for line in lines)
        proc.terminate()
        proc.communicate(timeout=30)
        assert proc.returncode == 0
    finally:
        proc.kill()
        proc.wait()
    assert (tmp_path / "d").is_dir()


def test_a_flag_wins_over_its_variable(start_member):
    m = start_member(env={"ETCD_NAME": "variable"})
    assert first_member(m).name == "m1"
    assert any("shadowed" in w for w in warnings_of(m))
    assert all(not line["caller"].startswith("server/main.c") for line in m.log_lines())


def test_that_nothing_listens_on_peer_urls_is_told(start_member):
    m = start_member()
    assert [m.peer_url] == [line["listen-peer-urls"] for line in m.log_lines() if "peer URLs" in line["msg"]]


# The config file.


def config(tmp_path, text):
    path = tmp_path / "etcd.yaml"
    path.write_text(text)
    return path


def test_a_config_file_is_all_that_counts(new_member, tmp_path):
    m = new_member()
    path = config(tmp_path, f"""\
name: from-file
data-dir: {tmp_path}/filed
listen-client-urls: {m.client_url}
advertise-client-urls: {m.client_url}
listen-peer-urls: {m.peer_url}
initial-advertise-peer-urls: {m.peer_url}
initial-cluster: from-file={m.peer_url}
experimental-watch-progress-notify-interval: 5000000000
log-outputs:
- stderr
socket-options:
  reuse-address: true
  reuse-port: false
unheard-of: 1
""")
    m.args = [f"--config-file={path}"]
    m.start()
    assert first_member(m).name == "from-file"
    assert (tmp_path / "filed").is_dir() and not m.data_dir.exists()
    assert any("loaded server configuration" in line["msg"] for line in m.log_lines())
    assert f"{path}:14: unknown key is ignored: unheard-of" in warnings_of(m)


@pytest.mark.parametrize("text, message", [
    ("name: a\nsnapshot-count: many\n", ":2: invalid value \"many\" for snapshot-count: parse error"),
    ("name: a\n\nname: b\n", ":3: name is given twice"),
    ("name: a\n  b: c\n", ":2: "),
    ("name: a\ndatadir: /d\n", ":2: unknown key: datadir (did you mean data-dir?)"),
    ("client-transport-security:\n  cert-file: /c\n", "not supported yet: --cert-file"),
])
def test_a_config_file_with_a_mistake(text, message, tmp_path):
    path = config(tmp_path, text)
    done = run("--config-file", str(path))
    assert done.returncode == 1
    assert message in done.stderr.replace('\\"', '"')


# What single flags do.


def test_old_and_retired_names_warn_and_start(start_member):
    m = start_member("--experimental-initial-corrupt-check=true", "--experimental-watch-progress-notify-interval=5s",
                     "--max-snapshots=3", "--enable-v2=false", "--v", "--bcrypt-cost=12",
                     "--feature-gates=InitialCorruptCheck=true")
    warned = "\n".join(warnings_of(m))
    for name in ("experimental-initial-corrupt-check", "experimental-watch-progress-notify-interval", "max-snapshots",
                 "enable-v2", "--v", "bcrypt-cost"):
        assert name in warned
    assert "feature-gates" not in warned


def test_max_txn_ops(start_member):
    m = start_member("--max-txn-ops=2")
    client = m.client()
    client.txn(success=[op_put("a", "1"), op_put("b", "1")])
    with pytest.raises(grpc.RpcError) as error:
        client.txn(success=[op_put("a", "1"), op_put("b", "1"), op_put("c", "1")])
    assert error.value.details() == "etcdserver: too many operations in txn request"


def test_max_request_bytes(start_member):
    m = start_member("--max-request-bytes=1000")
    client = m.client()
    client.put("a", "x" * 900)
    with pytest.raises(grpc.RpcError) as error:
        client.put("a", "x" * 1100)
    assert error.value.details() == "etcdserver: request is too large"


def test_auto_compaction_by_revision(start_member):
    """etcd judges every five minutes; that the mode is accepted and the start is clean is all that can be seen sooner."""
    m = start_member("--auto-compaction-mode=revision", "--auto-compaction-retention=1000")
    m.client().put("a", "1")
    assert m.stop() == 0


def test_progress_notify_interval(start_member):
    m = start_member("--watch-progress-notify-interval=200ms")
    client = m.client()
    watch = client.watch("nothing", progress_notify=True)
    began = time.monotonic()
    answer = watch.next()
    while answer.created:
        answer = watch.next()
    assert not answer.events and answer.header.revision == 1
    assert time.monotonic() - began < 10


def test_unsafe_no_fsync_is_told(start_member):
    m = start_member("--unsafe-no-fsync")
    m.client().put("a", "1")
    assert any("fsync is off" in w for w in warnings_of(m))


def test_a_unix_socket(new_member, tmp_path):
    path = tmp_path / "s"
    m = new_member()
    m.args = [f"--listen-client-urls={m.client_url},unix://{path}"]
    m.start()
    m.endpoint = f"unix:{path}"
    assert m.client().put("a", "1").header.revision == 2
    m.kill9()
    m.start()  # the abandoned file is replaced
    assert m.client().get("a") == b"1"
    assert m.stop() == 0
