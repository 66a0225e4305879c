"""The segments of the log are written ahead (docs/decisions/0013): nothing in them is left for the first write to allot."""
import os
import time
from pathlib import Path

import pytest


@pytest.mark.ours
def test_segments_hold_written_blocks(member):
    client = member.client()
    client.put("k", "v")
    raft = Path(member.data_dir) / "raft"
    deadline = time.monotonic() + 10
    while len(list(raft.glob("open-*"))) < 2:  # the one in use, and one made ready
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    for path in raft.glob("open-*"):
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            assert size >= 1 << 20
            # An allotted block that was never written counts as a hole.
            assert os.lseek(file.fileno(), 0, os.SEEK_HOLE) == size, path.name
