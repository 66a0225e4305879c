#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets: corpus/<target>/<seed>. Run it after adding one and commit what it wrote."""
import pathlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def save(target, seeds):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / name).write_bytes(data)


# ---- protobuf ----


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def pb(*fields):
    """A message of (number, value) pairs: integers are varints, bytes are length-delimited."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def request():
    key = b"/registry/pods/default/a"
    ranged = pb((1, key), (2, b"/registry/pods0"), (3, 500), (4, 7), (5, 1), (6, 2), (7, 1))
    bounds = pb((1, key), (8, 1), (9, 1), (10, 1), (11, 2), (12, 3), (13, 1 << 62))
    put = pb((1, key), (2, b"v" * 40), (3, 0x694D81417ACD4754), (4, 1), (5, 0), (6, 1))
    delete = pb((1, key), (2, b"\0"), (3, 1))
    unchanged = pb((1, 0), (2, 2), (3, key), (6, 1234))
    compares = [
        (1, unchanged),
        (1, pb((1, 1), (2, 3), (3, b"a"), (7, b"value"), (64, b"b"))),
        (1, pb((1, 3), (2, 4), (3, b"a"), (8, -1))),
        (1, pb((2, 1), (3, b"a"), (5, 9))),
        (1, pb((1, 2), (3, b"a"), (4, 9))),
    ]
    kubernetes = pb((1, unchanged), (2, pb((2, put))), (3, pb((1, pb((1, key))))))
    inner = pb(*compares, (2, pb((3, delete))), (3, pb((1, ranged))))
    nested = pb((1, unchanged), (2, pb((4, inner))), (3, pb((4, pb((2, pb((4, inner)))))) ))
    merged = pb((2, pb((2, pb((1, b"a"))), (2, pb((2, b"v"))), (4, inner), (4, inner))), (3, b""))
    unknown = pb((1, key), (99, b"xyz"), (100, 1)) + b"\x1b\x08\x01\x1c\x25\1\2\3\4\x19\1\2\3\4\5\6\7\x08"
    return {
        "range": b"\0" + ranged,
        "range-bounds": b"\0" + bounds,
        "put": b"\1" + put,
        "put-unknown": b"\1" + unknown,
        "delete": b"\2" + delete,
        "txn-kubernetes": b"\3" + kubernetes,
        "txn-compares": b"\3" + pb(*compares),
        "txn-nested": b"\3" + nested,
        "txn-merged": b"\3" + merged,
    }


# ---- gRPC ----


def frame(message, flag=0):
    return bytes([flag]) + len(message).to_bytes(4, "big") + message


def grpc_frame():
    return {
        "one": b"\x10\x40" + frame(b"hello"),
        "many": b"\x10\x03" + frame(b"") + frame(b"ab") + frame(b"c" * 60) + frame(b""),
        "cut": b"\x10\x06" + frame(b"abc") + frame(b"defgh")[:-2],
        "compressed": b"\x10\x40" + frame(b"x", flag=1),
        "flag": b"\x10\x40" + frame(b"x", flag=2),
        "large": b"\x01\x40" + frame(b"y" * 17),
    }


def grpc_text():
    return {
        "timeout": b"100m",
        "timeout-long": b"99999999H",
        "message": "etcdserver: caf\u00e9 100%\n".encode(),
        "encoded": b"a%20b%C3%a9%zz%4",
    }


save("request", request())
save("grpc_frame", grpc_frame())
save("grpc_text", grpc_text())
