"""Answers and requests that are larger than what is sent at once, or than what can be sent at all."""
import grpc
import pytest

from protobuf import lock, rpc

VALUE = b"x" * 40000


def stream(client, key, end, timeout=30):
    call = client.channel.unary_stream("/etcdserverpb.KV/RangeStream", request_serializer=lambda m: m.SerializeToString(),
                                       response_deserializer=rpc.RangeStreamResponse.FromString)
    return call(rpc.RangeRequest(key=key, range_end=end), timeout=timeout)


def test_a_stream_of_many_messages_comes_to_its_end(start_member):
    client = start_member("--max-request-bytes=65536").client()
    keys = [b"k/%03d" % i for i in range(150)]  # one message each: more than a doubling number can count
    for key in keys:
        client.put(key, VALUE)
    seen = []
    for answer in stream(client, b"k/", b"k0"):
        seen += [kv.key for kv in answer.range_response.kvs]
        assert len(seen) <= len(keys)
        last = answer.range_response
    assert seen == keys
    assert last.count == len(keys) and not last.more


@pytest.mark.slow
def test_an_answer_above_two_gigabytes_is_refused(member, client):
    for i in range(20):
        client.put(b"k/%02d" % i, b"x" * 1000000)
    everything = rpc.RequestOp(request_range=rpc.RangeRequest(key=b"k/", range_end=b"k0"))
    with pytest.raises(grpc.RpcError) as error:
        client.txn(success=[everything] * 128, timeout=60)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.value.details().startswith("grpc: trying to send message larger than max (25")
    assert client.get("k/00") == b"x" * 1000000


def test_a_lock_of_a_large_name_is_refused(client):
    request = lock.LockRequest(name=b"n" * 1600000)
    with pytest.raises(grpc.RpcError) as error:
        client.call("v3lockpb.Lock/Lock", request, lock.LockResponse)
    assert error.value.code() == grpc.StatusCode.UNKNOWN
    assert error.value.details() == "etcdserver: request is too large"
