"""Python classes of the messages in proto/, made by protoc when first asked for: `from protobuf import kv, rpc`."""
import atexit
import importlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROTO = Path(__file__).resolve().parents[2] / "proto"

_folder = tempfile.mkdtemp(prefix="engenho-proto-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
subprocess.run(["protoc", f"--proto_path={PROTO}", f"--python_out={_folder}", *map(str, sorted(PROTO.glob("*.proto")))],
               check=True)
sys.path.insert(0, _folder)

kv = importlib.import_module("kv_pb2")
rpc = importlib.import_module("rpc_pb2")
lock = importlib.import_module("lock_pb2")
election = importlib.import_module("election_pb2")
health = importlib.import_module("health_pb2")
resource_store = importlib.import_module("resource_store_pb2")
