"""Keys through Debian's etcdctl 3.4: what it prints is what it prints against etcd."""
import base64
import json

import pytest


@pytest.fixture
def three(etcdctl):
    for i in (1, 2, 3):
        assert etcdctl("put", f"k{i}", f"v{i}") == "OK\n"
    return etcdctl


def b64(text):
    return base64.b64encode(text.encode()).decode()


def error_of(stderr):
    """The line for people, under the client library's own log lines."""
    return stderr.strip().splitlines()[-1]


def test_get_one_many_and_none(three):
    assert three("get", "k1") == "k1\nv1\n"
    assert three("get", "k", "--prefix") == "k1\nv1\nk2\nv2\nk3\nv3\n"
    assert three("get", "k1", "k3") == "k1\nv1\nk2\nv2\n"
    assert three("get", "--from-key", "k2") == "k2\nv2\nk3\nv3\n"
    assert three("get", "--from-key", "") == "k1\nv1\nk2\nv2\nk3\nv3\n"
    assert three("get", "--prefix", "") == "k1\nv1\nk2\nv2\nk3\nv3\n"
    assert three("get", "absent") == ""
    assert three("get", "k3", "k1") == ""


def test_get_parts_of_the_answer(three):
    assert three("get", "k", "--prefix", "--limit=2") == "k1\nv1\nk2\nv2\n"
    assert three("get", "k", "--prefix", "--keys-only") == "k1\n\nk2\n\nk3\n\n"
    assert three("get", "--from-key", "k2", "--print-value-only") == "v2\nv3\n"
    assert three("get", "k1", "--hex") == "\\x6b\\x31\n\\x76\\x31\n"
    assert three("get", "k1", "--consistency=s") == "k1\nv1\n"


@pytest.mark.parametrize("sort_by, order, keys", [
    ("KEY", "ASCEND", "abc"), ("KEY", "DESCEND", "cba"), ("CREATE", "ASCEND", "cab"), ("CREATE", "DESCEND", "bac"),
    ("MODIFY", "ASCEND", "bca"), ("VALUE", "ASCEND", "acb"), ("VALUE", "DESCEND", "bca"), ("VERSION", "DESCEND", "acb"),
    ("KEY", "", "abc"), ("", "DESCEND", "cba"),
])
def test_get_sorts(etcdctl, sort_by, order, keys):
    for key, value in ("cx", "az", "bz", "ay", "cy", "aw", "ax"):
        etcdctl("put", key, value)
    # Created c a b, modified b c a, versions a 4, c 2, b 1.
    args = [f"--sort-by={sort_by}"] * bool(sort_by) + [f"--order={order}"] * bool(order)
    out = etcdctl("get", "--prefix", "", "--keys-only", *args)
    assert "".join(out.split()) == keys


def test_get_at_a_revision(three):
    three("put", "k1", "new")
    three("del", "k2")
    assert three("get", "k", "--prefix", "--rev=4") == "k1\nv1\nk2\nv2\nk3\nv3\n"
    assert three("get", "k1", "--rev=2") == "k1\nv1\n"
    assert three("get", "k3", "--rev=2") == ""
    assert three("get", "k", "--prefix") == "k1\nnew\nk3\nv3\n"
    assert error_of(three.fails("get", "k1", "--rev=500")) == \
        "Error: etcdserver: mvcc: required revision is a future revision"


def test_get_as_json(three):
    three("put", "k1", "again")
    answer = json.loads(three("get", "k", "--prefix", "--limit=2", "-w", "json"))
    header = answer.pop("header")
    assert header["revision"] == 5 and header["cluster_id"] and header["member_id"] and header["raft_term"] >= 1
    assert answer == {
        "kvs": [
            {"key": b64("k1"), "create_revision": 2, "mod_revision": 5, "version": 2, "value": b64("again")},
            {"key": b64("k2"), "create_revision": 3, "mod_revision": 3, "version": 1, "value": b64("v2")},
        ],
        "more": True, "count": 3,
    }


def test_get_as_fields(three):
    lines = three("get", "k1", "-w", "fields").splitlines()
    assert [line.split(" : ")[0] for line in lines[:4]] == ['"ClusterID"', '"MemberID"', '"Revision"', '"RaftTerm"']
    assert lines[4:] == ['"Key" : "k1"', '"CreateRevision" : 2', '"ModRevision" : 2', '"Version" : 1', '"Value" : "v1"',
                         '"Lease" : 0', '"More" : false', '"Count" : 1']


def test_get_as_protobuf(three, etcdctl_env):
    import subprocess

    from client import rpc
    out = subprocess.run(three.command("get", "k1", "-w", "protobuf"), capture_output=True, env=etcdctl_env, check=True).stdout
    answer = rpc.RangeResponse.FromString(out)
    assert (answer.header.revision, answer.kvs[0].value, answer.count) == (4, b"v1", 1)


def test_put_options(three):
    assert three("put", "k1", "w", "--prev-kv") == "OK\nk1\nv1\n"
    assert three("put", "new", "w", "--prev-kv") == "OK\n"
    assert three("put", "k1", "--ignore-value") == "OK\n"
    assert three("get", "k1") == "k1\nw\n"
    assert three("put", "k1", stdin="from input\n") == "OK\n"
    assert three("get", "k1", "--print-value-only") == "from input\n\n"
    assert three("put", "--", "-odd", "--value") == "OK\n"
    assert three("get", "--", "-odd") == "-odd\n--value\n"


def test_put_refusals(three):
    assert error_of(three.fails("put", "absent", "--ignore-value")) == "Error: etcdserver: key not found"
    assert error_of(three.fails("put", "absent", "x", "--ignore-lease")) == "Error: etcdserver: key not found"
    assert error_of(three.fails("put", "k1", "x", "--lease=1234")) == "Error: etcdserver: requested lease not found"
    assert error_of(three.fails("put", "k1", "x", "--lease=1234", "--ignore-lease")) == "Error: etcdserver: lease is provided"
    assert error_of(three.fails("put", "", "x")) == "Error: etcdserver: key is not provided"
    assert error_of(three.fails("put", "k1", stdin="x" * 1600000)) == "Error: etcdserver: request is too large"


def test_put_with_a_lease(three):
    lease = three("lease", "grant", "60").split()[1]
    assert three("put", "k1", "leased", f"--lease={lease}") == "OK\n"
    assert three("put", "k1", "still", "--ignore-lease") == "OK\n"
    assert f'"lease":{int(lease, 16)}' in three("get", "k1", "-w", "json")
    assert three("put", "k1", "not any more") == "OK\n"
    assert '"lease"' not in three("get", "k1", "-w", "json")


def test_del(three):
    assert three("del", "k2", "--prev-kv") == "1\nk2\nv2\n"
    assert three("del", "k2") == "0\n"
    assert three("del", "k1", "k3") == "1\n"
    three("put", "k4", "v4")
    assert three("del", "k", "--prefix", "--prev-kv") == "2\nk3\nv3\nk4\nv4\n"
    three("put", "a", "1")
    three("put", "b", "1")
    assert three("del", "--from-key", "b") == "1\n"
    assert three("del", "--prefix", "") == "1\n"
    assert '"revision":' in three("del", "none", "-w", "json")


TXN = 'mod("a") = "0"\n\nput a 1\nget a\n\nget a\n\n'


def test_txn_takes_the_branch_that_holds(etcdctl):
    assert etcdctl("txn", stdin=TXN) == "SUCCESS\n\nOK\n\na\n1\n"
    assert etcdctl("txn", stdin=TXN) == "FAILURE\n\na\n1\n"


def test_txn_interactively(etcdctl):
    assert etcdctl("txn", "-i", stdin=TXN) == (
        "compares:\nsuccess requests (get, put, del):\nfailure requests (get, put, del):\n"
        "SUCCESS\n\nOK\n\na\n1\n")


def test_txn_compares_every_target(etcdctl):
    etcdctl("put", "a", "1")
    etcdctl("put", "a", "2")
    for compare, holds in [
        ('value("a") = "2"', True), ('value("a") = "1"', False), ('value("a") > "1"', True), ('value("a") < "1"', False),
        ('value("a") != "1"', True), ('version("a") = "2"', True), ('version("a") > "2"', False), ('create("a") = "2"', True),
        ('create("a") < "2"', False), ('mod("a") = "3"', True), ('mod("a") != "3"', False), ('version("none") = "0"', True),
        ('create("none") = "0"', True), ('value("none") = ""', False), ('version("none") < "1"', True),
    ]:
        out = etcdctl("txn", stdin=f"{compare}\n\n\n\n")
        assert out.split()[0] == ("SUCCESS" if holds else "FAILURE"), compare
    out = etcdctl("txn", stdin='version("a") = "2"\nvalue("a") = "1"\n\nput b 1\n\ndel a\n\n')
    assert out == "FAILURE\n\n1\n"
    assert etcdctl("get", "--prefix", "") == ""


def test_txn_as_json(etcdctl):
    etcdctl("put", "a", "1")
    answer = json.loads(etcdctl("txn", "-w", "json", stdin='value("a") = "1"\n\nput a 2\nget a\ndel b\n\n\n'))
    assert answer["succeeded"] is True and answer["header"]["revision"] == 3
    put, get, delete = (r["Response"] for r in answer["responses"])
    assert put == {"response_put": {"header": {"revision": 3}}} or put == {"ResponsePut": {"header": {"revision": 3}}}
    assert next(iter(get.values()))["kvs"][0]["value"] == b64("2")
    assert next(iter(delete.values()))["header"] == {"revision": 3}


def test_txn_refusals(etcdctl):
    assert error_of(etcdctl.fails("txn", stdin="\nput a 1\nput a 2\n\n\n")) == \
        "Error: etcdserver: duplicate key given in txn request"
    many = "".join(f"put k{i} v\n" for i in range(129))
    assert error_of(etcdctl.fails("txn", stdin=f"\n{many}\n\n")) == "Error: etcdserver: too many operations in txn request"
    assert etcdctl("get", "--prefix", "") == ""


def test_compaction(three):
    three("put", "k1", "v1b")
    three("put", "k1", "v1c")
    assert three("compaction", "5") == "compacted revision 5\n"
    assert three("get", "k1", "--rev=5") == "k1\nv1b\n"
    assert three("get", "k2", "--rev=5") == "k2\nv2\n"
    compacted = "Error: etcdserver: mvcc: required revision has been compacted"
    assert error_of(three.fails("get", "k1", "--rev=4")) == compacted
    assert error_of(three.fails("compaction", "5")) == compacted
    assert error_of(three.fails("compaction", "3")) == compacted
    assert error_of(three.fails("compaction", "7")) == "Error: etcdserver: mvcc: required revision is a future revision"
    assert three("compaction", "6", "--physical") == "compacted revision 6\n"
    assert three("get", "k", "--prefix") == "k1\nv1c\nk2\nv2\nk3\nv3\n"
