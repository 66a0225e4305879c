"""The vectors in tests/data/vectors are copies: where the originals are beside the project, they are the same."""
import filecmp

import pytest
from source import ROOT

COPY = ROOT / "tests" / "data" / "vectors"
ORIGINAL = ROOT.parent / "shared" / "vectors"


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_vectors_are_the_originals():
    if not ORIGINAL.is_dir():
        pytest.skip(f"no {ORIGINAL}")
    names = files(ORIGINAL)
    assert len(names) > 70
    assert files(COPY) == names
    assert filecmp.cmpfiles(COPY, ORIGINAL, names, shallow=False) == (names, [], [])
