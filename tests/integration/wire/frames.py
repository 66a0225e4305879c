"""HTTP/2 by hand, for what no decent client does."""
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 1
END_HEADERS = 4
NO_ERROR, PROTOCOL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 8, 11


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value):
    assert len(value) < 127
    return bytes([len(value)]) + value.encode()


def fields(path, *more):
    """A header block without table or Huffman code: POST, http, and the rest as literals."""
    block = b"\x83\x86\x04" + text(path) + b"\x01" + text("test")
    for name, value in (("te", "trailers"), ("content-type", "application/grpc"), *more):
        block += b"\x00" + text(name) + text(value)
    return block


def message(data):
    return b"\0" + struct.pack(">I", len(data)) + data


def call(stream, path, data, *more):
    return frame(HEADERS, END_HEADERS, stream, fields(path, *more)) + frame(DATA, END_STREAM, stream, message(data))


class Raw:
    """A connection. After `hello` it may be used as HTTP/2."""

    def __init__(self, port, timeout=10):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def send_all_it_takes(self, data):
        """False when the server has closed."""
        try:
            self.sock.sendall(data)
            return True
        except OSError:
            return False

    def hello(self, settings=b""):
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, ACK))
        return self

    def read_frame(self):
        """(kind, flags, stream, payload); None at the end."""
        while len(self.rest) < 9 or len(self.rest) < 9 + int.from_bytes(self.rest[:3], "big"):
            try:
                got = self.sock.recv(1 << 18)
            except ConnectionError:
                return None
            if not got:
                return None
            self.rest += got
        length = int.from_bytes(self.rest[:3], "big")
        head, payload = self.rest[:9], self.rest[9:9 + length]
        self.rest = self.rest[9 + length:]
        return head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7FFFFFFF, payload

    def find(self, kind, stream=None):
        """The payload of the next frame of a kind; None when the connection ended before."""
        while True:
            got = self.read_frame()
            if got is None:
                return None
            if got[0] == kind and (stream is None or got[2] == stream):
                return got[3]

    def goaway(self):
        """(code, text) of the GOAWAY that must come."""
        payload = self.find(GOAWAY)
        assert payload is not None, "closed without GOAWAY"
        return struct.unpack(">I", payload[4:8])[0], payload[8:].decode()

    def end(self):
        """How many seconds until the server closes."""
        began = time.monotonic()
        while self.read_frame() is not None:
            pass
        return time.monotonic() - began
