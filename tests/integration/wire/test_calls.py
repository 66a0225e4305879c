"""gRPC with clients that are not ours: gRPC's C core (through Python), h2load, curl."""
import re
import subprocess
import threading
import time

import grpc
import pytest

from frames import DATA, END_STREAM, HEADERS, Raw, call, frame, message, fields, END_HEADERS, WINDOW_UPDATE


@pytest.fixture
def channel(echo):
    with grpc.insecure_channel(f"127.0.0.1:{echo.port}", options=[("grpc.max_receive_message_length", -1)]) as ch:
        yield ch


def same(data):
    return data


def unary(channel, name):
    return channel.unary_unary(f"/test.Echo/{name}", same, same)


def test_unary(channel):
    echo = unary(channel, "Unary")
    for size in (0, 1, 100, 20000, 1 << 20):
        data = bytes(i % 251 for i in range(size))
        assert echo(data, timeout=10) == data


def test_many_at_once(channel):
    echo = unary(channel, "Unary")
    futures = [echo.future(b"%d" % i) for i in range(2000)]
    assert [f.result(20) for f in futures] == [b"%d" % i for i in range(2000)]


def test_error_text_arrives(channel):
    text = "not 100 % good: \u00e4\u20ac\n"
    with pytest.raises(grpc.RpcError) as e:
        unary(channel, "Fail")(text.encode(), timeout=10)
    assert e.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert e.value.details() == text


def test_unknown_names(channel):
    with pytest.raises(grpc.RpcError) as e:
        unary(channel, "Nope")(b"", timeout=10)
    assert (e.value.code(), e.value.details()) == (grpc.StatusCode.UNIMPLEMENTED,
                                                   "unknown method Nope for service test.Echo")
    with pytest.raises(grpc.RpcError) as e:
        channel.unary_unary("/no.Such/Call", same, same)(b"", timeout=10)
    assert (e.value.code(), e.value.details()) == (grpc.StatusCode.UNIMPLEMENTED, "unknown service no.Such")


def test_too_large_a_request(channel):
    with pytest.raises(grpc.RpcError) as e:
        unary(channel, "Unary")(bytes(3 << 20), timeout=10)
    assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert e.value.details() == "grpc: received message larger than max (3145728 vs. 2097152)"
    assert unary(channel, "Unary")(b"well", timeout=10) == b"well"


def test_compression_is_refused(channel):
    with pytest.raises(grpc.RpcError) as e:
        unary(channel, "Unary")(bytes(10000), timeout=10, compression=grpc.Compression.Gzip)
    assert e.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert e.value.details() == 'grpc: Decompressor is not installed for grpc-encoding "gzip"'


def test_deadline_and_cancel(channel):
    with pytest.raises(grpc.RpcError) as e:
        unary(channel, "Hang")(b"", timeout=0.2)
    assert e.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    future = unary(channel, "Hang").future(b"")
    time.sleep(0.1)
    future.cancel()
    assert unary(channel, "Unary")(b"well", timeout=10) == b"well"


def test_the_server_keeps_deadlines_itself(echo):
    with Raw(echo.port) as raw:
        raw.hello()
        began = time.monotonic()
        raw.send(call(1, "/test.Echo/Hang", b"", ("grpc-timeout", "300m")))
        trailers = raw.find(HEADERS, 1)
        assert 0.3 <= time.monotonic() - began < 2
        assert b"grpc-status" in trailers or len(trailers) > 0


def test_streams(channel):
    count = channel.unary_stream("/test.Echo/Count", same, same)
    got = list(count(b"10000", timeout=20))
    assert len(got) == 10000
    assert got[27] == b"b" * 100
    bidi = channel.stream_stream("/test.Echo/Bidi", same, same)
    assert list(bidi(iter([b"a", b"", b"c" * 100000]), timeout=10)) == [b"a", b"", b"c" * 100000]


def test_a_stream_stays_open_and_live(channel):
    more = threading.Semaphore(0)
    sent = [b"%d" % i for i in range(50)]

    def requests():
        for s in sent:
            more.acquire()
            yield s

    answers = channel.stream_stream("/test.Echo/Bidi", same, same)(requests(), timeout=20)
    for s in sent:
        more.release()
        assert next(answers) == s
    assert list(answers) == []


def test_large_answers_are_made_as_they_go_out(channel, echo, sanitized):
    large = channel.unary_stream("/test.Echo/Large", same, same)
    before = echo.rss_kib()
    (got,) = large(b"200000000", timeout=60)
    assert len(got) == 200000000
    assert got[:251 * 400] == bytes(range(251)) * 400
    assert sanitized or echo.rss_kib() - before < 8 << 10


def test_a_client_that_does_not_read_holds_little(echo, sanitized):
    before = echo.rss_kib()
    with Raw(echo.port) as raw:
        window = (4).to_bytes(2, "big") + (0x7FFFFFFF).to_bytes(4, "big")
        raw.hello(window)
        raw.send(frame(WINDOW_UPDATE, 0, 0, (0x7FFF0000 - 65535).to_bytes(4, "big")))
        for i in range(500):
            raw.send(call(2 * i + 1, "/test.Echo/Count", b"1000"))  # 105 KB each
        time.sleep(1)
        assert sanitized or echo.rss_kib() - before < 32 << 10
        ended = 0
        while ended < 500:
            got = raw.read_frame()
            assert got is not None
            ended += got[0] == HEADERS and got[1] & END_STREAM


def test_a_small_call_overtakes_a_large_answer(echo):
    """The windows of one stream do not hold up another."""
    with Raw(echo.port) as raw:
        raw.hello()
        raw.send(frame(WINDOW_UPDATE, 0, 0, (1 << 20).to_bytes(4, "big")))
        raw.send(call(1, "/test.Echo/Large", b"10000000"))
        assert raw.find(DATA, 1) is not None
        raw.send(call(3, "/test.Echo/Unary", b"small"))
        assert raw.find(DATA, 3) == message(b"small")


def test_upload_in_small_pieces(echo):
    with Raw(echo.port) as raw:
        raw.hello()
        raw.send(frame(HEADERS, END_HEADERS, 1, fields("/test.Echo/Unary")))
        body = message(bytes(1000))
        for i, byte in enumerate(body):
            raw.send(frame(DATA, END_STREAM if i == len(body) - 1 else 0, 1, bytes([byte])))
        assert raw.find(DATA, 1) == body


def h2load(echo, body, *args):
    done = subprocess.run(["h2load", *args, "-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers",
                           f"http://127.0.0.1:{echo.port}/test.Echo/Unary"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("clients,streams,calls", [(1, 1, 500), (1, 1000, 20000), (10, 100, 20000), (100, 10, 20000)])
def test_h2load(echo, tmp_path, clients, streams, calls):
    body = tmp_path / "body"
    body.write_bytes(message(b"x" * 200))
    out = h2load(echo, body, "-n", str(calls), "-c", str(clients), "-m", str(streams))
    assert re.search(rf"{calls} succeeded, 0 failed, 0 errored", out), out
    assert f"{calls} 2xx" in out


def test_unix_socket(start_echo, tmp_path):
    path = tmp_path / "socket"
    start_echo("--unix", str(path))
    with grpc.insecure_channel(f"unix:{path}") as channel:
        assert unary(channel, "Unary")(b"hello", timeout=10) == b"hello"


def curl(*args):
    done = subprocess.run(["curl", "-s", "-S", "--max-time", "20", *args], capture_output=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0", "--http2", "--http2-prior-knowledge"])
def test_plain_http(echo, version):
    url = f"http://127.0.0.1:{echo.port}"
    assert curl(version, f"{url}/show/a%20b?q=1&q=x+y") == b"path=/show/a b q0=1 q1=x y"
    assert curl(version, "-H", "X-Test: hi", f"{url}/show") == b"path=/show x-test=hi"
    assert curl(version, f"{url}/big") == b"x" * 300000
    assert curl(version, f"{url}/later") == b"later\n"
    assert curl(version, "--data-binary", "some text", f"{url}/post") == b"some text"
    assert curl(version, "-o", "/dev/null", "-w", "%{http_code}", f"{url}/nope") == b"404"
    assert curl(version, "-o", "/dev/null", "-w", "%{http_code}", f"{url}/post") == b"405"
    assert b"ontent-" in curl(version, "-I", f"{url}/big")


def test_http1_connections_are_kept(echo):
    url = f"http://127.0.0.1:{echo.port}/show"
    assert curl("--http1.1", "-w", "%{num_connects}", url, "-w", "%{num_connects}", url) == b"path=/show1path=/show0"


def test_http1_upload(echo, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 7000)
    url = f"http://127.0.0.1:{echo.port}/post"
    assert curl("--data-binary", f"@{body}", url) == body.read_bytes()
    assert curl("-H", "Transfer-Encoding: chunked", "--data-binary", f"@{body}", url) == body.read_bytes()
    assert curl("--http2-prior-knowledge", "--data-binary", f"@{body}", url) == body.read_bytes()
