"""The shortest way through everything: start, write, read, stop, start, read."""


def test_a_write_is_read_back_and_survives_a_restart(member):
    client = member.client()
    put = client.put("greeting", "hello")
    assert put.header.revision == 2
    assert client.get("greeting") == b"hello"
    member.restart()
    assert member.client().get("greeting") == b"hello"


def test_etcdctl_agrees(etcdctl):
    assert etcdctl("put", "a", "1") == "OK\n"
    assert etcdctl("get", "a") == "a\n1\n"
