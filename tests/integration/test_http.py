"""The plain HTTP faces: version, health, livez, readyz, metrics, over HTTP/1.1 and HTTP/2, on every kind of listener."""
import http.client
import json
import socket
import subprocess

import pytest

from client import grpc
from process import IS_ETCD, free_port

TEXT = "text/plain; charset=utf-8"


class Answer:
    def __init__(self, response):
        self.status, self.type = response.status, response.headers.get("Content-Type")
        self.headers, self.body = response.headers, response.read().decode()


def request(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def metrics(port):
    """{name{labels}: value}"""
    answer = request(port, "/metrics")
    assert answer.status == 200
    lines = [line.rsplit(" ", 1) for line in answer.body.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_version(member):
    answer = request(member.port, "/version")
    assert answer.status == 200 and answer.type == "application/json"
    version = json.loads(answer.body)
    assert version["etcdserver"].startswith("3.") and version["etcdcluster"].startswith("3.")
    if not IS_ETCD:
        assert version["etcdserver"].startswith("3.7.") and version["storage"] == "3.7.0"
        assert version["engenho-store"]


@pytest.mark.parametrize("path", ["/health", "/health?serializable=true", "/health?exclude=NOSPACE&serializable=false"])
def test_health(member, path):
    answer = request(member.port, path)
    assert answer.status == 200
    assert json.loads(answer.body) == {"health": "true", "reason": ""}


@pytest.mark.ours
def test_health_has_etcds_very_bytes(member):
    answer = request(member.port, "/health")
    assert answer.type == TEXT and answer.body == '{"health":"true","reason":""}'


@pytest.mark.ours
@pytest.mark.parametrize("path, status, body", [
    ("/livez", 200, "ok\n"),
    ("/livez?verbose", 200, "[+]serializable_read ok\nok\n"),
    ("/livez/serializable_read", 200, "ok\n"),
    ("/livez/nothing", 404, "404 page not found\n"),
    ("/livez?exclude=nothing", 200, "ok\n"),
    ("/readyz", 200, "ok\n"),
    ("/readyz?verbose", 200, "[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\nok\n"),
    ("/readyz?verbose&exclude=non_learner&exclude=linearizable_read", 200, "[+]data_corruption ok\n[+]serializable_read ok\nok\n"),
    ("/readyz/linearizable_read", 200, "ok\n"),
    ("/readyz/data_corruption?verbose", 200, "[+]data_corruption ok\nok\n"),
    ("/nothing", 404, "404 page not found\n"),
])
def test_livez_and_readyz(member, path, status, body):
    answer = request(member.port, path)
    assert (answer.status, answer.body, answer.type) == (status, body, TEXT)


@pytest.mark.ours
def test_head_and_other_methods(member):
    for path in ("/version", "/health", "/livez", "/metrics"):
        head, get = request(member.port, path, "HEAD"), request(member.port, path)
        assert head.status == 200 and head.body == "" and head.type == get.type
        post = request(member.port, path, "POST")
        assert post.status == 405 and "GET" in post.headers["Allow"]


@pytest.mark.ours
def test_an_alarm_shows(start_member):
    m = start_member("--quota-backend-bytes=300000")
    client = m.client()
    with pytest.raises(grpc.RpcError) as error:
        for i in range(1000):
            client.put(f"k{i}", "x" * 10000)
    assert error.value.details() == "etcdserver: mvcc: database space exceeded"
    answer = request(m.port, "/health")
    assert answer.status == 503 and answer.body == '{"health":"false","reason":"ALARM NOSPACE"}\n'
    assert request(m.port, "/health?exclude=NOSPACE").status == 200
    assert request(m.port, "/livez").status == request(m.port, "/readyz").status == 200
    found = metrics(m.port)
    assert [v for k, v in found.items() if k.startswith('etcd_debugging_server_alarms{alarm_type="NOSPACE"')] == [1]
    assert found["etcd_server_health_failures"] == 1 and found["etcd_server_quota_backend_bytes"] == 300000


def test_http_2_on_the_same_port(member):
    if IS_ETCD:
        pytest.skip("etcd gives HTTP/2 without TLS to gRPC alone")
    done = subprocess.run(["curl", "-s", "--noproxy", "*", "--http2-prior-knowledge", "-o", "-", "-w", "%{http_version} %{http_code}",
                           f"http://127.0.0.1:{member.port}/health"], capture_output=True, text=True, timeout=20)
    assert done.stdout == '{"health":"true","reason":""}2 200'


@pytest.mark.ours
def test_metrics_count_what_happens(member):
    client = member.client()
    before = metrics(member.port)
    for i in range(5):
        client.put(f"a{i}", "1")
    client.delete("a0")
    client.get("a1")
    client.grant(60)
    after = metrics(member.port)

    def grew(name):
        return after[name] - before.get(name, 0)

    labels = 'grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"'
    assert grew(f"grpc_server_started_total{{{labels}}}") == 5
    assert grew(f'grpc_server_handled_total{{grpc_code="OK",{labels}}}') == 5
    assert grew(f"grpc_server_msg_received_total{{{labels}}}") == grew(f"grpc_server_msg_sent_total{{{labels}}}") == 5
    assert grew('etcd_server_request_duration_seconds_count{success="true",type="Put"}') == 5
    assert grew("etcd_mvcc_put_total") == 5 and grew("etcd_mvcc_delete_total") == 1
    assert grew("etcd_server_proposals_applied_total") == grew("etcd_server_proposals_committed_total") == 7
    assert grew("etcd_debugging_lease_granted_total") == 1
    assert grew("etcd_disk_wal_fsync_duration_seconds_count") > 0
    assert grew("etcd_disk_wal_write_bytes_total") > 0
    assert grew("etcd_network_client_grpc_received_bytes_total") > 0
    assert grew("etcd_network_client_grpc_sent_bytes_total") > 0
    assert after["etcd_debugging_mvcc_keys_total"] == 4 and after["etcd_debugging_mvcc_current_revision"] == 7
    assert after["etcd_server_has_leader"] == after["etcd_server_is_leader"] == 1
    assert after["etcd_mvcc_db_total_size_in_bytes"] >= after["etcd_mvcc_db_total_size_in_use_in_bytes"] > 0
    assert after["process_resident_memory_bytes"] > 1e6 and after["process_open_fds"] > 5
    header = client.status().header
    assert after[f'etcd_server_id{{server_id="{header.member_id:x}"}}'] == 1
    assert after['etcd_cluster_version{cluster_version="3.7"}'] == 1
    assert not any(name.startswith("grpc_server_handling_seconds") for name in after)


@pytest.mark.ours
def test_metrics_are_sound(start_member):
    """As a scraper reads them: a type for each name, histograms that grow, each series once."""
    m = start_member("--metrics=extensive")
    client = m.client()
    client.put("a", "1")
    watch = client.watch("a")
    types, seen = {}, set()
    for line in request(m.port, "/metrics").body.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types
            types[name] = kind
        elif not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            float(value)
            assert series not in seen
            seen.add(series)
            name = series.split("{")[0]
            base = next((name[:-len(s)] for s in ("_bucket", "_sum", "_count") if name.endswith(s) and name[:-len(s)] in types), name)
            assert base in types
            assert (base != name) == (types[base] == "histogram")
    assert "grpc_server_handling_seconds" in types
    assert any(s.startswith('grpc_server_started_total{grpc_method="Watch"') for s in seen)
    del watch


@pytest.mark.ours
def test_metrics_listeners(new_member):
    m = new_member()
    port = free_port()
    m.args = [f"--listen-metrics-urls=http://127.0.0.1:{port}"]
    m.start()
    for path, status in (("/metrics", 200), ("/health", 200), ("/livez", 200), ("/readyz/linearizable_read", 200), ("/version", 404)):
        assert request(port, path).status == status
    assert request(m.port, "/metrics").status == 200
    # No gRPC here.
    m.endpoint = f"127.0.0.1:{port}"
    with pytest.raises(grpc.RpcError):
        m.client().put("a", "1", timeout=5)


@pytest.mark.ours
def test_split_listeners(new_member):
    m = new_member()
    port = free_port()
    m.args = [f"--listen-client-http-urls=http://127.0.0.1:{port}"]
    m.start()
    m.client().put("a", "1")
    assert request(port, "/version").status == request(port, "/health").status == request(port, "/metrics").status == 200
    with pytest.raises((http.client.HTTPException, OSError)):
        if request(m.port, "/health").status != 200:
            raise OSError("refused")


@pytest.mark.ours
def test_requests_in_pieces_and_pipelined(member):
    with socket.create_connection(("127.0.0.1", member.port), timeout=10) as s:
        for c in b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n":
            s.send(bytes([c]))
        got = b""
        while not got.endswith(b"ok\n"):
            got += s.recv(4096)
        s.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * 3 + b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        rest = b""
        while True:
            part = s.recv(4096)
            if not part:
                break
            rest += part
        assert rest.count(b"HTTP/1.1 200 OK") == 4
