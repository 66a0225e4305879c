"""Clients that are broken, slow, gone or hostile. What they get is a bounded amount of memory and time."""
import random
import socket
import struct
import threading
import time

import pytest

from frames import (ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, PING,
                    PREFACE, PROTOCOL_ERROR, RST_STREAM, SETTINGS, WINDOW_UPDATE, Raw, call, fields, frame, message)


def works(echo):
    with Raw(echo.port) as raw:
        raw.hello().send(call(1, "/test.Echo/Unary", b"well"))
        assert raw.find(DATA, 1) == message(b"well")


def closed_within(raw, low, high):
    took = raw.end()
    assert low <= took <= high, f"closed after {took:.1f} s"


# ---- slow ----


@pytest.mark.parametrize("begin", [
    b"", PREFACE[:10], PREFACE, PREFACE + b"\0\0", b"GET", b"GET / HTTP/1.1\r\nHost: a\r\n",
    b"POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
    b"POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
])
def test_half_a_request_is_waited_for_only_so_long(start_echo, begin):
    echo = start_echo("--idle", "1000")
    with Raw(echo.port) as raw:
        raw.send(begin)
        closed_within(raw, 0.5, 5)
    works(echo)


def test_slow_loris(start_echo):
    """A byte now and then does not help."""
    echo = start_echo("--idle", "1000")
    with Raw(echo.port) as raw:
        began = time.monotonic()
        raw.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        while raw.send_all_it_takes(b"x") and time.monotonic() - began < 10:
            time.sleep(0.1)
        assert time.monotonic() - began < 6
    works(echo)


def test_half_a_call_is_waited_for_only_so_long(start_echo):
    echo = start_echo("--idle", "1000")
    with Raw(echo.port) as raw:
        raw.hello()
        raw.send(frame(HEADERS, END_HEADERS, 1, fields("/test.Echo/Unary")) + frame(DATA, 0, 1, message(b"abc")[:6]))
        assert raw.find(HEADERS, 1) is not None
        assert raw.find(RST_STREAM, 1) == struct.pack(">I", 0)
        raw.send(call(3, "/test.Echo/Unary", b"well"))  # the connection stays
        assert raw.find(DATA, 3) == message(b"well")


def test_an_open_http2_connection_may_be_idle(start_echo):
    echo = start_echo("--idle", "1000")
    with Raw(echo.port) as raw:
        raw.hello()
        time.sleep(3)
        raw.send(call(1, "/test.Echo/Unary", b"well"))
        assert raw.find(DATA, 1) == message(b"well")


def test_many_idle_connections_cost_little(echo, sanitized):
    before, files = echo.rss_kib(), echo.files()
    raws = [Raw(echo.port).hello() for _ in range(300)]
    for raw in raws:
        assert raw.find(SETTINGS) is not None
    assert echo.files() == files + 300
    assert sanitized or (echo.rss_kib() - before) / 300 < 40
    for raw in raws:
        raw.sock.close()
    for _ in range(100):
        if echo.files() == files:
            break
        time.sleep(0.05)
    assert echo.files() == files


# ---- gone ----


def test_half_closed_http1_is_answered(echo):
    with Raw(echo.port) as raw:
        raw.send(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
        raw.sock.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            piece = raw.sock.recv(1000)
            if not piece:
                break
            got += piece
    assert got.endswith(b"\r\n\r\nlater\n")


def test_clients_that_vanish(echo):
    files = echo.files()
    for reset in (False, True):
        for i in range(50):
            raw = Raw(echo.port).hello()
            raw.send(call(1, "/test.Echo/Hang", b"") + call(3, "/test.Echo/Large", b"100000000")
                     + frame(HEADERS, END_HEADERS, 5, fields("/test.Echo/Bidi")))
            if i % 2:
                raw.send(frame(HEADERS, END_HEADERS, 7, fields("/test.Echo/Unary"))[:20])
            if reset:
                raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raw.sock.close()
    for _ in range(100):
        if echo.files() == files:
            break
        time.sleep(0.05)
    assert echo.files() == files
    works(echo)


# ---- broken ----


@pytest.mark.parametrize("seed", range(4))
def test_garbage(echo, seed):
    rng = random.Random(seed)
    for i in range(100):
        with Raw(echo.port) as raw:
            data = rng.randbytes(rng.randrange(1, 2000))
            raw.send_all_it_takes(data if i % 2 else PREFACE + frame(SETTINGS) + data)
    works(echo)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_requests(echo, seed):
    rng = random.Random(seed)
    good = PREFACE + frame(SETTINGS) + b"".join(call(2 * i + 1, "/test.Echo/Unary", b"x" * 30 * i) for i in range(5))
    for _ in range(100):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(PREFACE), len(data))] = rng.randrange(256)
        with Raw(echo.port) as raw:
            raw.send_all_it_takes(data)
    works(echo)


@pytest.mark.parametrize("bad,code", [
    (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    (frame(HEADERS, END_HEADERS, 2, fields("/test.Echo/Unary")), PROTOCOL_ERROR),
    (frame(WINDOW_UPDATE, 0, 0, bytes(4)), PROTOCOL_ERROR),
    (frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), 3),
    (frame(PING, 0, 0, b"short"), 6),
    (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"), 9),
    (frame(DATA, 0, 1, bytes(20000)), 6),
])
def test_protocol_errors_are_told(echo, bad, code):
    with Raw(echo.port) as raw:
        raw.hello().send(bad)
        assert raw.goaway()[0] == code
        assert raw.end() < 3
    works(echo)


def test_http1_garbage_is_told(echo):
    for bad in (b"\x16\x03\x01\x02\x00\x01\x00", b"\r\n\r\n\r\nhello\r\n", b"GET / HTTP/1.1\nno colon\n\n"):
        with Raw(echo.port) as raw:
            raw.send(bad)
            assert raw.sock.recv(1000).startswith(b"HTTP/1.1 400 Bad Request\r\n")
            raw.end()


# ---- hostile ----


def test_rapid_reset(echo):
    with Raw(echo.port) as raw:
        raw.hello()
        threading.Thread(target=send_resets, args=(raw,), daemon=True).start()
        code, text = raw.goaway()
        assert (code, text) == (ENHANCE_YOUR_CALM, "too many resets")
    works(echo)


def send_resets(raw):
    block = fields("/test.Echo/Hang")
    for i in range(20000):
        stream = 2 * i + 1
        if not raw.send_all_it_takes(frame(HEADERS, END_HEADERS, stream, block)
                                     + frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))):
            return


def test_resets_that_we_are_made_to_send(echo):
    """A window that is opened too far is an error of the stream: it makes the server do the resetting."""
    with Raw(echo.port) as raw:
        raw.hello()
        block = fields("/test.Echo/Hang")
        for i in range(5000):
            stream = 2 * i + 1
            if not raw.send_all_it_takes(frame(HEADERS, END_HEADERS, stream, block)
                                         + frame(WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff")):
                break
        assert raw.goaway()[0] == ENHANCE_YOUR_CALM
    works(echo)


@pytest.mark.parametrize("what", [frame(PING, 0, 0, bytes(8)), frame(SETTINGS)])
def test_floods_that_ask_for_answers(echo, sanitized, what):
    before = echo.rss_kib()
    with Raw(echo.port, timeout=5) as raw:
        raw.hello()
        try:
            for _ in range(20000):
                raw.sock.sendall(what * 100)
        except OSError:
            pass
        assert sanitized or echo.rss_kib() - before < 8 << 10
    works(echo)


def test_continuation_flood(echo):
    with Raw(echo.port) as raw:
        raw.hello().send(frame(HEADERS, 0, 1, fields("/test.Echo/Unary")))
        for _ in range(100):
            if not raw.send_all_it_takes(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 1000)):
                break
        assert raw.find(GOAWAY) is not None
    works(echo)


def test_header_bomb(echo, sanitized):
    """Little to send, much to hold: one entry of the table again and again."""
    before = echo.rss_kib()
    with Raw(echo.port) as raw:
        raw.hello()
        value = b"\x7f\xa1\x1e" + b"v" * 4000
        raw.send(frame(HEADERS, END_HEADERS, 1, fields("/test.Echo/Hang") + b"\x40\x01x" + value + b"\xbe" * 10000))
        assert raw.find(RST_STREAM, 1) == struct.pack(">I", ENHANCE_YOUR_CALM)
        for i in range(1, 200):
            raw.send(frame(HEADERS, END_HEADERS, 2 * i + 1, fields("/test.Echo/Hang") + b"\xbe" * 10000))
        raw.send(frame(PING, 0, 0, b"12345678"))
        assert raw.find(PING) == b"12345678"
        assert sanitized or echo.rss_kib() - before < 8 << 10


def test_streams_that_are_opened_and_left(start_echo, sanitized):
    """Each holds memory, so there is a limit to what they may hold together."""
    echo = start_echo("--request-max", "2000000")
    before = echo.rss_kib()
    with Raw(echo.port) as raw:
        raw.hello()
        block = fields("/test.Echo/Bidi")
        for i in range(20000):
            raw.send(frame(HEADERS, END_HEADERS, 2 * i + 1, block))
        refused = raw.find(RST_STREAM)
        assert refused == struct.pack(">I", 7)
        assert sanitized or echo.rss_kib() - before < 16 << 10
    works(echo)


def test_half_messages_on_many_streams(start_echo, sanitized):
    echo = start_echo("--request-max", "4000000")
    before = echo.rss_kib()
    with Raw(echo.port) as raw:
        raw.hello()
        part = message(bytes(2000000))[:16000]
        for i in range(1000):
            stream = 2 * i + 1
            raw.send_all_it_takes(frame(HEADERS, END_HEADERS, stream, fields("/test.Echo/Unary")) + frame(DATA, 0, stream, part))
        assert raw.find(HEADERS) is not None  # RESOURCE_EXHAUSTED for those above the limit
        assert sanitized or echo.rss_kib() - before < 24 << 10
    works(echo)


def test_pipelined_http1_requests_without_reading(echo, sanitized):
    before = echo.rss_kib()
    with Raw(echo.port, timeout=2) as raw:
        try:
            for _ in range(1000):
                raw.sock.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        except socket.timeout:
            pass
        assert sanitized or echo.rss_kib() - before < 8 << 10
    works(echo)


# ---- keepalive ----


def test_frequent_pings_are_punished_and_slow_ones_are_not(start_echo):
    echo = start_echo("--min-time", "300")
    with Raw(echo.port) as raw:
        raw.hello().send(frame(HEADERS, END_HEADERS, 1, fields("/test.Echo/Bidi")))
        for i in range(6):
            time.sleep(0.4)
            raw.send(frame(PING, 0, 0, b"ping%04d" % i))
            assert raw.find(PING) == b"ping%04d" % i
        for _ in range(4):
            raw.send(frame(PING, 0, 0, bytes(8)))
        assert raw.goaway() == (ENHANCE_YOUR_CALM, "too_many_pings")


def test_a_silent_client_is_pinged_and_dropped(start_echo):
    echo = start_echo("--interval", "1000", "--timeout", "1000")
    with Raw(echo.port) as raw:
        raw.hello()
        for _ in range(2):  # one that answers stays
            payload = raw.find(PING)
            assert payload is not None
            raw.send(frame(PING, ACK, 0, payload))
        assert raw.find(PING) is not None
        closed_within(raw, 0.5, 4)


# ---- leaving ----


def test_drain(start_echo):
    echo = start_echo("--grace", "10000")
    with Raw(echo.port) as raw:
        raw.hello()
        raw.send(call(1, "/test.Echo/Hang", b"", ("grpc-timeout", "1500m"))
                 + frame(HEADERS, END_HEADERS, 3, fields("/test.Echo/Bidi")))
        time.sleep(0.3)
        echo.terminate()
        assert raw.goaway()[0] == 0
        assert raw.find(HEADERS, 3) is not None  # the stream ends at once
        raw.send(call(5, "/test.Echo/Unary", b"crossed"))  # sent before GOAWAY was read
        assert raw.find(DATA, 5) == message(b"crossed")
        assert echo.proc.poll() is None
        with pytest.raises(ConnectionError):
            Raw(echo.port)
        assert raw.find(HEADERS, 1) is not None  # the call ends in its own time
        raw.end()
    echo.wait(5)


def test_the_grace_time_ends(start_echo):
    echo = start_echo("--grace", "500")
    with Raw(echo.port) as raw:
        raw.hello().send(call(1, "/test.Echo/Hang", b""))
        time.sleep(0.3)
        began = time.monotonic()
        echo.terminate()
        assert raw.find(HEADERS, 1) is not None
        echo.wait(5)
        assert 0.4 < time.monotonic() - began < 4


def test_a_second_signal_does_not_wait(start_echo):
    echo = start_echo("--grace", "100000")
    with Raw(echo.port) as raw:
        raw.hello().send(call(1, "/test.Echo/Hang", b"") + frame(HEADERS, END_STREAM | END_HEADERS, 3, fields("/x/y")))
        time.sleep(0.3)
        echo.terminate()
        time.sleep(0.3)
        echo.terminate()
        echo.wait(5)


def test_idle_clients_do_not_hold_up_the_end(start_echo):
    echo = start_echo("--grace", "100000")
    with Raw(echo.port) as h2, Raw(echo.port) as h1, Raw(echo.port):
        h2.hello().send(call(1, "/test.Echo/Unary", b"x"))
        assert h2.find(DATA, 1) == message(b"x")
        h1.send(b"GET /show HTTP/1.1\r\nHost: a\r\n\r\n")
        assert h1.sock.recv(1000).startswith(b"HTTP/1.1 200 OK")
        began = time.monotonic()
        echo.terminate()
        assert h2.goaway()[0] == 0
        echo.wait(5)
        assert time.monotonic() - began < 4
