"""Answers that are larger than what is sent at once."""
from protobuf import rpc

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
