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


# ---- HTTP ----


def h2_frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def literal(text):
    return bytes([len(text)]) + text


def h2_headers(stream, path, *fields, flags=4):
    """POST, http and the other fields without Huffman code.."""
    block = b"\x83\x86\x04" + literal(path) + b"\x01" + literal(b"a")
    for name, value in ((b"content-type", b"application/grpc"), *fields):
        block += b"\x40" + literal(name) + literal(value)
    return h2_frame(1, flags, stream, block)


def wire():
    data, rst, settings, ping, goaway, window = 0, 3, 4, 6, 7, 8
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + h2_frame(settings, 0, 0)
    call = h2_headers(1, b"/t.S/Echo") + h2_frame(data, 1, 1, frame(b"hello"))
    timed = h2_headers(3, b"/t.S/Hang", (b"grpc-timeout", b"10m")) + h2_frame(data, 1, 3, frame(b""))
    bidi = h2_headers(5, b"/t.S/Bidi") + h2_frame(data, 0, 5, frame(b"a") + frame(b"b")[:3]) + h2_frame(
        data, 1, 5, frame(b"b")[3:])
    small = h2_frame(settings, 0, 0, b"\0\4\0\0\0\3")  # a window of three bytes
    # Windows of 1 GiB, and answers of 261,910, 65,499 and 300,000 bytes.
    wide = h2_frame(settings, 0, 0, b"\0\4\x40\0\0\0") + h2_frame(window, 0, 0, b"\x3f\0\0\0")
    large = b"".join(
        h2_headers(stream, b"/t.S/Large") + h2_frame(data, 1, stream, frame(size.to_bytes(3, "big")))
        for stream, size in ((1, 261910), (3, 65499), (5, 300000)))
    return {
        "h2-large": b"\0\0" + preface + wide + large,
        "h2-call": b"\0\0" + preface + call + h2_frame(settings, 1, 0),
        "h2-many": b"\x20\0" + preface + call + timed + bidi + h2_frame(ping, 0, 0, b"12345678"),
        "h2-window": b"\0\1" + preface + small + call + bidi + h2_frame(window, 0, 1, b"\0\0\0\x40"),
        "h2-reset": b"\0\0" + preface + call + timed + h2_frame(rst, 0, 3, b"\0\0\0\x08"),
        "h2-unknown": b"\0\1" + preface + h2_headers(1, b"/t.S/No", flags=5) + h2_headers(3, b"/x", flags=5),
        "h2-compressed": b"\0\1" + preface + h2_headers(1, b"/t.S/Echo") + h2_frame(data, 1, 1, frame(b"x", flag=1)),
        "h2-continued": b"\0\0" + preface + h2_headers(1, b"/t.S/Bidi", flags=0) + h2_frame(9, 4, 1, b"\x40\1b\1c"),
        "h2-padded": b"\0\0" + preface + h2_headers(1, b"/t.S/Echo") + h2_frame(
            data, 9, 1, b"\4" + frame(b"hi") + bytes(4)),
        "h2-http": b"\0\2" + preface + h2_headers(1, b"/post") + h2_frame(data, 1, 1, b"some body"),
        "h2-goaway": b"\0\0" + preface + call + h2_frame(goaway, 0, 0, bytes(8)),
        "h1-get": b"\0\0GET /get/a%20b?q=1&q=%41 HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
        "h1-post": b"\7\2POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "h1-chunked": b"\0\0POST /post HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n",
        "h1-pipelined": b"\0\0" + b"GET /get HTTP/1.1\r\nHost: a\r\n\r\n" * 3 + b"HEAD /get HTTP/1.0\r\n\r\n",
        "h1-expect": b"\1\0POST /post HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
        "h1-json": b"\0\2POST /g/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 22\r\n\r\n{\"key\":{\"name\":\"abc\"}}"
                   b"POST /g/stream HTTP/1.1\r\nHost: a\r\nContent-Length: 23\r\n\r\n{\"key\":{\"name\":\"abcd\"}}",
        "h1-json-stream": b"\5\0POST /g/stream HTTP/1.0\r\nGrpc-Timeout: 50m\r\nContent-Length: 16\r\n\r\n{\"value\": [1,{}]}",
        "h2-json": b"\0\2" + preface + b"".join(
            h2_headers(stream, path) + h2_frame(data, 1, stream, body) for stream, path, body in (
                (1, b"/g/echo", b'{"value":{"a":1}}'), (3, b"/g/stream", b'{"key":{"kind":"Pod"}}'), (5, b"/g/hang", b""),
                (7, b"/g/stream", b'{"value":"' + b"x" * 3000 + b'"}'), (9, b"/g/no", b"{}"), (11, b"/g/echo", b"{")))
            + h2_frame(rst, 0, 5, b"\0\0\0\x08"),
        "h1-upgrade": b"\0\0GET /get HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    }


# ---- files ----


def crc(data, polynomial, reflected):
    """One bit after another. Reflected: CRC-32C, as ours are; else libraft's, from 0 and not inverted."""
    value = 0xFFFFFFFF if reflected else 0
    for byte in data:
        value ^= byte if reflected else byte << 24
        for _ in range(8):
            if reflected:
                value = value >> 1 ^ (polynomial if value & 1 else 0)
            else:
                value = (value << 1 ^ (polynomial if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value ^ 0xFFFFFFFF if reflected else value


def raft_crc(data):
    return crc(data, 0x04C11DB7, False)


def u32(n):
    return n.to_bytes(4, "little")


def u64(n):
    return (n & (1 << 64) - 1).to_bytes(8, "little")


def entry(index, *commands):
    out = bytes([1, 0, 0, 0]) + u32(len(commands)) + u64(index) + b"".join(u32(len(c)) + c for c in commands)
    return out + bytes(-len(out) % 8)


def log_entry():
    return {
        "empty": entry(1),
        "one": entry(261, b"put"),
        "many": entry(1 << 40, b"", b"a", b"bc" * 50, b"", b"d" * 7),
        "format": b"\2" + entry(5, b"x")[1:],
    }


def batch(*entries):
    header = u64(len(entries)) + b"".join(u64(term) + bytes([kind, 0, 0, 0]) + u32(len(e)) for term, kind, e in entries)
    data = b"".join(e for _, _, e in entries)
    return u32(raft_crc(header)) + u32(raft_crc(data)) + header + data


def segment():
    one, two = batch((1, 1, entry(2, b"a"))), batch((1, 1, entry(3, b"b")), (2, 2, bytes(8)), (2, 3, b"configur"))
    return {
        "closed": u64(1) + one + two,
        "open": u64(1) + one + two + bytes(64),
        "torn": u64(1) + one + two[:40] + bytes(64),
        "zeros": bytes(64),
    }


def version(main, sub, key, life=None, count=0, lease=0, value=b""):
    out = bytes([(life is None) | (2 if lease else 0)]) + varint(main) + varint(sub) + varint(len(key)) + key
    if life is not None:
        out += varint(life) + varint(count) + (varint(lease) if lease else b"") + varint(len(value)) + value
    return out


def checkpoint():
    descriptor = b"estckpt\1" + u64(261) + u64(3) + u32(176)
    descriptor += u32(crc(descriptor + bytes(range(32)), 0x82F63B78, True)) + bytes(range(32))
    state = u64(77) + u64(261) + u64(3) + u64(9) + u64(-1) + bytes(32)
    files = u64(200) + u64(0) + u64(5) + u64(4) + u64(300) + u64(1) + bytes(32)
    files += u64(261) + u64(5) + u64(9) + u64(4) + u64(300) + u64(1) + bytes(32)
    manifest = b"estmanif" + u32(1) + u32(2) + state + u64(5) + files + b"lease"
    empty = b"estmanif" + u32(1) + u32(0) + state + u64(0)
    versions = version(2, 0, b"a", 0, 1, 0, b"one") + version(1, 0, b"b", 0, 1, 0x1234, b"") + version(0, 1, b"a")
    versions += version(1, 0, b"a", 0, 1) + version(300, 0, b"a", 300, 2, 0, b"v" * 200)
    return {
        "descriptor": b"\0" + descriptor,
        "manifest": b"\1" + manifest,
        "manifest-empty": b"\1" + empty,
        "versions": b"\2" + versions,
    }


def json_text():
    pod = b"""{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"app":"podinfo"},"name":"a","generation":1},
 "spec":{"containers":[{"name":"c","ports":[{"containerPort":9898}],"args":[]}],"priority":-1.5e-3},"status":{}}"""
    return {
        "resource": pod,
        "numbers": b"[0,-0,1,-1,1.5,1e3,1E-3,-2.50e+10,9223372036854775808,-9223372036854775809,18446744073709551616,"
                   b"5e-324,1.7976931348623158e308,0.1234567890123456789012,1e-400]",
        "too-large": b"1e400",
        "strings": '["","a\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\u00e4\\ud83d\\ude00","\u00e4\u20ac\U0001f600 grows"]'.encode(),
        "same-names": b'{"b":1,"a":2,"b":{"c":[]},"\\u0062":[null,true,false],"a":"x"}',
        "deep": b"[" * 127 + b"]" * 127,
        "too-deep": b'{"a":' * 128 + b"1" + b"}" * 128,
        "surrogate": b'["\\ud800\\u0041"]',
    }


def strategic():
    """Three lines: group/version/kind, the resource, the patch."""
    pod = b"""{"metadata":{"finalizers":["a","b"]},"spec":{"containers":[{"image":"1","name":"a"},{"name":"b","ports":""" \
          b"""[{"containerPort":80}]},{"name":"c"}],"volumes":[{"emptyDir":{},"name":"v"}],"tolerations":[{"key":"k"}]}}"""

    def patch(text, of=b"/v1/Pod", target=pod):
        return of + b"\n" + target + b"\n" + text.replace(b"'", b'"')
    return {
        "merge": patch(b"{'spec':{'containers':[{'name':'b','ports':[{'containerPort':80,'name':'x'},{'containerPort':81}]},"
                       b"{'name':'d','image':null}],'tolerations':[],'x':{'y':null}},'metadata':null}"),
        "order": patch(b"{'spec':{'$setElementOrder/containers':[{'name':'d'},{'name':'a'}],'containers':[{'name':'d'},"
                       b"{'name':'a','image':'2'},{'$patch':'delete','name':'c'}]}}"),
        "scalars": patch(b"{'metadata':{'$deleteFromPrimitiveList/finalizers':['a'],'$setElementOrder/finalizers':['b','c'],"
                         b"'finalizers':['c']}}"),
        "replace": patch(b"{'spec':{'containers':[{'$patch':'replace'},{'name':'x'}],'volumes':[{'$retainKeys':['name',"
                         b"'hostPath'],'name':'v','hostPath':{'path':'/'}}]},'metadata':{'$patch':'delete'}}"),
        "retain": patch(b"{'spec':{'strategy':{'$retainKeys':['type'],'type':'Recreate'}}}", b"apps/v1/Deployment",
                        b'{"spec":{"strategy":{"rollingUpdate":{"maxSurge":1},"type":"RollingUpdate"}}}'),
        "custom": patch(b"{'a':{'$patch':'replace','b':1},'c':[3],'$deleteFromPrimitiveList/d':[1]}", b"x.io/v1/Thing",
                        b'{"a":{"x":1},"c":[1,2],"d":[1,2.0,"1",true]}'),
        "refused": patch(b"{'spec':{'containers':[{'$patch':'merge','name':'a'}]}}"),
    }


def catalog():
    """A byte that says what follows: 0 a whole file, 1 a payload."""
    vectors = CORPUS.parents[1] / "data" / "vectors" / "catalog-v1"
    names = ["unsorted-resources", "dup-resource", "unknown-fields", "whitespace", "key-namespace-absent", "depth-123", "nul-escape",
             "index-u64-max", "missing-index"]
    payloads = {name: b"\1" + (vectors / "bad" / f"{name}.snap").read_bytes()[68:] for name in names}
    payloads["small"] = b"\1" + (vectors / "01-small.snap").read_bytes()[68:]
    return {**payloads, "file": b"\0" + (vectors / "00-hand.snap").read_bytes(), "empty": b"\0" + (vectors / "04-empty.snap").read_bytes()}


def transcode():
    """A byte that says which message, and its JSON."""
    key = b'{"group":"apps","version":"v1","kind":"Deployment","namespace":"default","name":"a"}'
    return {
        "put": b"\0" + b'{"key":' + key + b',"value":{"spec":{"n":[1,2.5,null]}},"expected":"7","reason":"SCHEDULER"}',
        "patch": b"\1" + b'{"key":' + key + b',"patch":[{"op":"add"}],"type":1,"field_manager":"me","force":true}',
        "txn": b"\2" + b'{"compares":[{"key":' + key + b',"modRevision":3}],"success":[{"key":' + key + b',"value":null},{"key":{}}]}',
        "list": b"\3" + b'{"version":"v1","kind":"Pod","labelSelector":"a=b","limit":500,"continue":"x","consistency":"EXACT"}',
        "watch": b"\4" + b'{"version":"v1","kind":"Pod","fromRevision":"12","bookmarkIntervalMs":4294967295}',
        "answer": b"\5" + b'{"outcome":"APPLY_CONFLICT","resource":{"value":{}},"causes":[{"manager":"\\u00e4","field":".a"},{}]}',
        "range": b"\6" + b'{"key":"Zm9v","range_end":"AA==","limit":"1","sort_order":"DESCEND","serializable":false}',
        "txn-etcd": b"\7" + b'{"success":[{"requestTxn":{"failure":[{"requestPut":{"key":"YQ==","value":"Yg=="}}]}}]}',
        "twice": b"\0" + b'{"expected":1e17,"expected":"10.0e-1"}',
        "nothing": b"\0 ",
        "wrong": b'\0{"key":[]}',
    }


def selector():
    """Three lines: labels, fields, the object."""
    pod = b'{"metadata":{"labels":{"a":"b","e":"g","h":"5","x.io/k":""},"name":"n"},"spec":{"n":-1,"t":true,"d":1.5,"a.b":"x,y"}}'
    return {
        "labels": b"a=b,c!=d,e in (f, g),h notin (i),x.io/k,!k\n\n" + pod,
        "numbers": b"h>1,h<9\n\n" + pod,
        "empty-values": b"x.io/k=, e notin (,a,,b,)\n\n" + pod,
        "words": b"in in (notin),notin!=in\n\n" + pod,
        "fields": b"\nmetadata.name=n,spec.n==-1,,spec.t!=false,spec.a\\.b=x\\,y\n" + pod,
        "both": b"a=b\nmetadata.name=n\n" + pod,
        "wrong": b"a in (b\na=b=c\n",
    }


def token():
    """A byte that says what follows: 0 a text, 1 revision, how many are left, and path."""
    return {
        "parts": b"\1" + u64(600) + u64(11) + b"/engenho/resources/_/v1/Pod/a/b",
        "no-path": b"\1" + u64(2) + u64(0),
        "text": b"\0AQcAAAAAAAAACwAAAAAAAAAvZW5nZW5oby9yZXNvdXJjZXMvXy92MS9Qb2QvYS9ihNwdrv7QMhEU4DvXBmtMYQ",
    }


def apply():
    """A byte of flags (1 force, 2 a Service), then lines: the object or nothing, and what is applied."""
    service = b'"apiVersion":"v1","kind":"Service","metadata":{"name":"s"}'
    widget = b'"apiVersion":"v1","kind":"Widget"'
    managed = (b'{"apiVersion":"v1","fieldsType":"FieldsV1","manager":"%s","operation":"%s","time":"2024-01-01T00:00:00Z",'
               b'"fieldsV1":{"f:metadata":{"f:finalizers":{".":{},"v:\\"x\\"":{}}},"f:spec":{"f:ports":{".":{},'
               b'"k:{\\"port\\":80,\\"protocol\\":\\"TCP\\"}":{".":{},"f:port":{}}},"f:selector":{"f:a":{},"i:0":{}}}}}')
    live = (b'{"apiVersion":"v1","kind":"Service","metadata":{"finalizers":["x","y"],"managedFields":[' + managed % (b"a", b"Apply") +
            b"," + managed % (b"u", b"Update") + b']},"spec":{"ports":[{"port":80},{"port":81},{"port":81}],"selector":{"a":"1"}}}')
    ports = b"{" + service + b',"spec":{"ports":[{"port":80,"name":"<"},{"port":80,"protocol":"UDP"}],"type":null}}'
    return {
        "create": b"\2\n" + ports + b"\n{" + service + b',"spec":{"ports":[{"port":80,"nodePort":1}]}}\n{' + service + b"}",
        "managed": b"\2" + live + b"\n" + ports + b"\n{" + service + b',"spec":{"selector":{"b":"2"}}}',
        "forced": b"\3" + live + b"\n" + ports + b"\n{" + service + b',"spec":{"ports":[{"port":81,"name":"n"}]}}\n{' + service + b"}",
        "unknown": b"\1\n{" + widget + b',"spec":{"m":{"x":1},"l":[1,2]}}\n{' + widget + b',"spec":{"m":[],"l":{"y":null}}}\n{' +
                   widget + b',"spec":{}}',
        "first": b"\0{" + widget + b',"a":{"b":{}},"c":[],"d":null}\n{' + widget + b',"a":{"b":1}}\n{' + widget + b',"d":0.5}',
    }


def resource():
    """A byte of flags (1 rules v0, 2 a path), then commands, a line each."""
    key = b'"key":{"group":"apps","version":"v1","kind":"Deployment","namespace":"x","name":"d"},"reason":"operator"'
    pod = b'"key":{"group":"","version":"v1","kind":"Pod","namespace":null,"name":"p"}'

    def put(value, more=b""):
        return b'{"kind":"put",' + key + b',"value":' + value + more + b"}"

    def patch(kind, body, more=b""):
        return b'{"kind":"patch",' + key + b',"patch_type":"' + kind + b'","patch":' + body + more + b"}"

    delete = b'{"kind":"delete",' + key + b',"deletion_timestamp":"2026-01-01T00:00:00Z"}'
    held = b'{"metadata":{"finalizers":["f"],"uid":"","creationTimestamp":"2026"},"spec":{"replicas":1,"l":[1,{"a":null}]}}'
    by = b',"apply":{"manager":"m","force":false,"time":"2026-01-01T00:00:00Z"}'
    config = b'{"apiVersion":"apps/v1","kind":"Deployment","spec":{"replicas":%d,"template":{"spec":{"containers":[{"name":"c"}]}}}}'
    operations = [
        b'{"op":"test","path":"/spec/replicas","value":1.0}', b'{"op":"add","path":"/spec/l/-","value":{"~":1}}',
        b'{"op":"copy","from":"/spec","path":"/status"}', b'{"op":"move","from":"/spec/l/1","path":"/spec/l/0"}',
        b'{"op":"replace","path":"/spec/l/0/a","value":[]}', b'{"op":"remove","path":"/metadata/finalizers"}']
    txn = (b'{"kind":"txn","reason":"scheduler","compares":[{"cmp":"not_exists",' + pod + b'},{"cmp":"mod_revision_eq",' + pod +
           b',"revision":3}],"success":[],"failure":[{"op":"put",' + pod + b',"value":{"spec":{"containers":[{"resources":'
           b'{"limits":{"cpu":"1","memory":"1Gi"}}}]}}},{"op":"delete",' + pod + b'},{"op":"put",' + pod + b',"value":[1.50]}]}')
    logs = {
        "finalizers": [put(held), delete, delete, patch(b"merge", b'{"metadata":{"finalizers":null}}'), put(b"{}")],
        "expected": [put(b'{"a":1}'), put(b'{"a":1}'), put(b'{"a":2}', b',"expected":1'), put(b"{}", b',"expected":9')],
        "json-patch": [put(held), delete, patch(b"json", b"[" + b",".join(operations) + b"]"),
                       patch(b"json", b"[" + b",".join(operations[::-1]) + b"]")],
        "merge": [put(b'{"a":{"b":1,"c":{}},"metadata":{"generation":5}}'), patch(b"merge", b'{"a":{"b":null,"c":{"d":null}}}'),
                  patch(b"merge", b"[]"), patch(b"merge", b"{}"), put(b"null")],
        "strategic": [put(config % 1), patch(b"strategic", b'{"spec":{"template":{"spec":{"containers":[{"name":"c","$patch":"delete"},'
                      b'{"name":"d"}]}}}}')],
        "apply": [patch(b"apply", config % 1, by), patch(b"apply", config % 1, by),
                  patch(b"apply", config % 2, by.replace(b'"m"', b'"n"')), patch(b"apply", config % 2, by.replace(b"false", b"true"))],
        "txn": [txn, txn],
    }
    seeds = {name: b"\0" + b"\n".join(lines) for name, lines in logs.items()}
    seeds["v0"] = b"\1" + b"\n".join([put(b"[1e-214,-0,12345678901234567890123]"), put(held), patch(b"merge", b'{"metadata":{"uid":null}}'), delete])
    seeds["path"] = b"\2/engenho/resources/_/v1/Pod/_/caf%C3%A9"
    seeds["path-empty"] = b"\2/engenho/resources/apps/v1/%5F/~/~"
    return seeds


def yaml():
    return {
        "resource": b"# c\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  labels: {app: web, \"on\": 'no'}\ndata:\n  a: \"1\"\n"
                    b"  b: |\n    one\n      two\n\n  c: >-\n    one\n    two\n",
        "documents": b"---\na: 1\n---\n---\n- - b\n- [c, {d: ~}]\n...\n",
        "words": b"[yes, n, ~, 0x1f, 010, 0b11, 0o7, 1_0, 1.0, -.5e3, .inf, 1e999, 2020-01-01, 1:20, 18446744073709551616]",
        "tags": b"- !!str 1\n- !!float 2\n- !!int '3'\n- ! 4\n- !!map {}\n- !!bool on\n",
        "aliases": b"a: &x {k: [1, 2]}\nb: *x\nc:\n  <<: [*x, {l: 1}]\n  k: &y z\nd: *y\n",
        "keys": b"? long\n: 1\n1: a\ntrue: b\n2.50: c\n\"a\\tb\\u2028\": |+\n  x\n\n",
        "json": b'{"a":{"b":[1,2.5,"x\\n\\u0001"],"c":null},"d":"\\\\ \\" :# -"}',
    }


save("request", request())
save("log_entry", log_entry())
save("segment", segment())
save("checkpoint", checkpoint())
save("transcode", transcode())
save("wire", wire())
save("grpc_frame", grpc_frame())
save("grpc_text", grpc_text())
save("json", json_text())
save("strategic", strategic())
save("catalog", catalog())
save("selector", selector())
save("token", token())
save("apply", apply())
save("resource", resource())
save("yaml", yaml())
