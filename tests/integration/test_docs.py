"""The examples of docs/resources.md work: each is run, in order, on a fresh member, and says what is written below it."""
import json
import os
import re
import stat
import subprocess
import sys

import pytest

from process import ROOT

pytestmark = pytest.mark.ours
GUIDE = ROOT / "docs" / "resources.md"
# A stand-in for those who have no grpcurl: it takes the same arguments and speaks through Debian's python3-grpcio.
GRPCURL = """#!{python}
import sys
sys.path.insert(0, {here!r})
from google.protobuf import json_format
from client import grpc
from protobuf import resource_store as pb

args = sys.argv[1:]
assert args.pop(0) == "-plaintext"
timeout = float(args[1]) if args[0] == "-max-time" else None
args = args[2:] if timeout else args
assert args.pop(0) == "-d"
body, address, path = args
service, _, name = path.partition("/")
method = pb.DESCRIPTOR.services_by_name[service.rpartition(".")[2]].methods_by_name[name]
assert service == method.containing_service.full_name
request = json_format.Parse(body, getattr(pb, method.input_type.name)())
answer = getattr(pb, method.output_type.name)
with grpc.insecure_channel(address) as channel:
    make = channel.unary_stream if name == "Watch" else channel.unary_unary
    call = make("/" + path, request_serializer=lambda m: m.SerializeToString(), response_deserializer=answer.FromString)
    try:
        for message in call(request, timeout=timeout) if name == "Watch" else [call(request, timeout=timeout or 10)]:
            print(json_format.MessageToJson(message))
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED and name == "Watch", error
"""


def blocks():
    """(language, text) of each block of code."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.M | re.S)


def values(text):
    """All JSON values of a text."""
    decoder, found, text = json.JSONDecoder(), [], text.strip()
    while text:
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


def matches(got, expected):
    if expected == "...":
        return True
    if isinstance(expected, dict):
        return isinstance(got, dict) and got.keys() == expected.keys() and all(matches(got[k], expected[k]) for k in got)
    if isinstance(expected, list):
        return isinstance(got, list) and len(got) == len(expected) and all(map(matches, got, expected))
    return got == expected


def run(command, env, folder, expected_lines=None):
    """What it prints; or so many lines of it."""
    proc = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, cwd=folder)
    try:
        if expected_lines is not None:
            return "".join(proc.stdout.readline() for _ in range(expected_lines))
        out, errors = proc.communicate(timeout=30)
        assert proc.returncode == 0 and not errors, f"{command}\n{errors}"
        return out
    finally:
        proc.kill()
        proc.communicate()


@pytest.fixture
def env(tmp_path):
    stub = tmp_path / "grpcurl"
    stub.write_text(GRPCURL.format(python=sys.executable, here=str(ROOT / "tests" / "integration")))
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "no_proxy": "*"}


def test_the_guide_to_resources(member, env, tmp_path):
    found = blocks()
    assert found[0][0] == "sh" and found[0][1].startswith("API=")
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    ran = {"curl": 0, "grpcurl": 0, "protoc": 0, "python": 0}
    for (language, text), (next_language, answer) in zip(found[1:], [*found[2:], ("", "")]):
        script = (found[0][1] + text if language == "sh" else text).replace("127.0.0.1:2379", member.endpoint)
        if language == "python":
            ran["python"] += 1
            assert next_language == "text" and run([sys.executable, "-c", script], env, tmp_path) == answer
        if language != "sh":
            continue
        program = text.split()[0]
        ran[program] += 1
        assert (program == "curl") == (next_language == "json"), text
        expected = values(answer) if program == "curl" else []
        is_watch = program == "curl" and "$API/Watch" in text
        out = values(run(["bash", "-ec", script], env, tmp_path, len(expected) if is_watch else None))
        if program == "curl":
            assert matches(out, expected), f"{text}\nsays\n{json.dumps(out, indent=2)}\nand not\n{answer}"
    assert ran["curl"] >= 12 and ran["grpcurl"] >= 3 and ran["protoc"] == ran["python"] == 1


def test_what_matches_what():
    assert matches({"a": [1, {"b": 2}]}, {"a": [1, "..."]})
    for got, expected in (({"a": 1}, {}), ({}, {"a": "..."}), ([1], []), (1, 2), ("x", {"a": 1}), ([], {})):
        assert not matches(got, expected)
    assert values('{"a": 1}\n[2]\n') == [{"a": 1}, [2]]
