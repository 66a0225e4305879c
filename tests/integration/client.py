"""A small gRPC client on Debian's python3-grpcio: not our code on the other end of the wire."""
import os
import queue
import threading

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import grpc  # noqa: E402

from protobuf import kv, rpc  # noqa: E402

TIMEOUT_S = 10


def to_bytes(text):
    return text.encode() if isinstance(text, str) else text


def prefix_end(key):
    """The range end that makes [key, end) all keys that begin with key."""
    end = bytearray(to_bytes(key))
    while end and end[-1] == 0xFF:
        end.pop()
    if not end:
        return b"\0"
    end[-1] += 1
    return bytes(end)


class Client:
    """One connection. Methods raise grpc.RpcError; `error.details()` and `error.code()` tell what etcd's clients see."""

    def __init__(self, endpoint):
        self.channel = grpc.insecure_channel(endpoint, options=[
            ("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 200),
        ])
        self.methods = {}

    def close(self):
        self.channel.close()

    def unary(self, method, answer):
        if method not in self.methods:
            self.methods[method] = self.channel.unary_unary(
                "/" + method, request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer.FromString)
        return self.methods[method]

    def call(self, method, request, answer, timeout=TIMEOUT_S, wait=False):
        return self.unary(method, answer)(request, timeout=timeout, wait_for_ready=wait)

    def range(self, key, end=b"", timeout=TIMEOUT_S, wait=False, **fields):
        request = rpc.RangeRequest(key=to_bytes(key), range_end=to_bytes(end), **fields)
        return self.call("etcdserverpb.KV/Range", request, rpc.RangeResponse, timeout, wait)

    def prefix(self, key, **fields):
        return self.range(key or b"\0", prefix_end(key), **fields)

    def get(self, key, **fields):
        """The value, or None."""
        kvs = self.range(key, **fields).kvs
        return kvs[0].value if kvs else None

    def put(self, key, value, timeout=TIMEOUT_S, **fields):
        request = rpc.PutRequest(key=to_bytes(key), value=to_bytes(value), **fields)
        return self.call("etcdserverpb.KV/Put", request, rpc.PutResponse, timeout)

    def delete(self, key, end=b"", timeout=TIMEOUT_S, **fields):
        request = rpc.DeleteRangeRequest(key=to_bytes(key), range_end=to_bytes(end), **fields)
        return self.call("etcdserverpb.KV/DeleteRange", request, rpc.DeleteRangeResponse, timeout)

    def txn(self, compare=(), success=(), failure=(), timeout=TIMEOUT_S):
        request = rpc.TxnRequest(compare=compare, success=success, failure=failure)
        return self.call("etcdserverpb.KV/Txn", request, rpc.TxnResponse, timeout)

    def compact(self, revision, physical=False):
        request = rpc.CompactionRequest(revision=revision, physical=physical)
        return self.call("etcdserverpb.KV/Compact", request, rpc.CompactionResponse)

    def grant(self, ttl, id=0):
        return self.call("etcdserverpb.Lease/LeaseGrant", rpc.LeaseGrantRequest(TTL=ttl, ID=id), rpc.LeaseGrantResponse)

    def revoke(self, id):
        return self.call("etcdserverpb.Lease/LeaseRevoke", rpc.LeaseRevokeRequest(ID=id), rpc.LeaseRevokeResponse)

    def time_to_live(self, id, keys=False):
        return self.call("etcdserverpb.Lease/LeaseTimeToLive", rpc.LeaseTimeToLiveRequest(ID=id, keys=keys),
                         rpc.LeaseTimeToLiveResponse)

    def leases(self):
        return self.call("etcdserverpb.Lease/LeaseLeases", rpc.LeaseLeasesRequest(), rpc.LeaseLeasesResponse)

    def status(self):
        return self.call("etcdserverpb.Maintenance/Status", rpc.StatusRequest(), rpc.StatusResponse)

    def hash_kv(self, revision=0):
        return self.call("etcdserverpb.Maintenance/HashKV", rpc.HashKVRequest(revision=revision), rpc.HashKVResponse)

    def alarms(self, action=0, alarm=0, member=0):
        request = rpc.AlarmRequest(action=action, alarm=alarm, memberID=member)
        return self.call("etcdserverpb.Maintenance/Alarm", request, rpc.AlarmResponse)

    def watch(self, key, end=b"", **fields):
        return Watch(self, key, end, **fields)

    def history(self, revision=1, end=None, timeout=TIMEOUT_S):
        """All events of all keys from `revision` up to and with the newest, as (type, key, value, mod revision)."""
        newest = self.range(b"\0", b"\0", limit=1).header.revision if end is None else end
        events = []
        with self.watch(b"\0", b"\0", start_revision=revision, progress_notify=False) as watch:
            while newest >= revision and (not events or events[-1][3] < newest):
                for e in watch.next(timeout).events:
                    events.append((e.type, e.kv.key, e.kv.value, e.kv.mod_revision))
        return events


class Watch:
    """One watch on a stream of its own; answers are read by a thread and taken with `next`."""

    def __init__(self, client, key, end, **fields):
        self.requests = queue.Queue()
        self.answers = queue.Queue()
        create = rpc.WatchCreateRequest(key=to_bytes(key), range_end=to_bytes(end), **fields)
        self.send(rpc.WatchRequest(create_request=create))
        method = client.channel.stream_stream(
            "/etcdserverpb.Watch/Watch", request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=rpc.WatchResponse.FromString)
        self.call = method(iter(self.requests.get, None))
        threading.Thread(target=self.read, daemon=True).start()
        self.created = self.next()

    def read(self):
        try:
            for answer in self.call:
                self.answers.put(answer)
        except grpc.RpcError as error:
            self.answers.put(error)
        self.answers.put(None)

    def send(self, request):
        self.requests.put(request)

    def next(self, timeout=TIMEOUT_S):
        """The next answer. queue.Empty when none comes in time."""
        answer = self.answers.get(timeout=timeout)
        if isinstance(answer, grpc.RpcError):
            raise answer
        return answer

    def close(self):
        self.requests.put(None)
        self.call.cancel()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# Pieces of transactions.

def op_put(key, value, **fields):
    return rpc.RequestOp(request_put=rpc.PutRequest(key=to_bytes(key), value=to_bytes(value), **fields))


def op_range(key, end=b"", **fields):
    return rpc.RequestOp(request_range=rpc.RangeRequest(key=to_bytes(key), range_end=to_bytes(end), **fields))


def op_delete(key, end=b"", **fields):
    return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=to_bytes(key), range_end=to_bytes(end), **fields))


def mod_is(key, revision):
    return rpc.Compare(key=to_bytes(key), target=rpc.Compare.MOD, result=rpc.Compare.EQUAL, mod_revision=revision)


__all__ = ["Client", "Watch", "grpc", "kv", "rpc", "prefix_end", "op_put", "op_range", "op_delete", "mod_is"]
