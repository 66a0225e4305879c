"""HTTP/2 as far as tests need it, to do what no ordinary client does: leave single streams of a connection unread."""
import json
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WINDOW = 65535


class Connection:
    """Requests with JSON. Only streams in `reading` take more than the first 64 KiB of their answers."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.input = self.socket.makefile("rb")
        self.next_stream = 1
        self.bodies, self.taken, self.reading, self.ended = {}, {}, set(), set()
        self.socket.sendall(PREFACE)
        self.send(SETTINGS, 0, 0, b"")
        self.send(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1 - WINDOW))  # streams alone hold back

    def close(self):
        self.input.close()
        self.socket.close()

    def send(self, kind, flags, stream, payload):
        self.socket.sendall(struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload)

    def post(self, path, body, reading):
        stream, self.next_stream = self.next_stream, self.next_stream + 2
        fields = {":method": "POST", ":scheme": "http", ":authority": f"127.0.0.1:{self.port}", ":path": path}
        # Literal fields, as they are: no table, no Huffman code.
        block = b"".join(b"\0" + bytes([len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in fields.items())
        self.bodies[stream] = b""
        self.taken[stream] = 0
        if reading:
            self.reading.add(stream)
        self.send(HEADERS, END_HEADERS, stream, block)
        self.send(DATA, END_STREAM, stream, json.dumps(body).encode())
        return stream

    def read_on(self, stream):
        """From now on this stream is read too."""
        self.reading.add(stream)
        self.send(WINDOW_UPDATE, 0, stream, struct.pack(">I", self.taken[stream]))

    def step(self):
        """Take one frame."""
        head = self.input.read(9)
        assert len(head) == 9, "the connection has ended"
        size, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self.input.read(size)
        assert kind != RST_STREAM, payload
        if kind in (SETTINGS, PING) and not flags & ACK:
            self.send(kind, ACK, 0, payload if kind == PING else b"")
        if kind == DATA:
            self.bodies[stream] += payload
            self.taken[stream] += size
            if size > 0 and stream in self.reading:
                self.send(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended.add(stream)

    def lines(self, stream):
        """The next whole ones, at least one; other streams go on meanwhile."""
        while b"\n" not in self.bodies[stream]:
            assert stream not in self.ended
            self.step()
        whole, _, self.bodies[stream] = self.bodies[stream].rpartition(b"\n")
        return [json.loads(line) for line in whole.split(b"\n")]
