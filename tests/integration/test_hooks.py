"""libengenho-hooks, which gives a program that embeds the store the daemon's log (docs/decisions/0016)."""
import re

import pytest

from process import ROOT
from test_library import STRICT, prefix, run  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.ours, pytest.mark.slow]


def bound(prefix, tmp_path, *packages):  # noqa: F811
    """From which library libraft gets the two functions, in a program that is linked with these packages."""
    flags = prefix.flags("--cflags", "--libs", *packages)
    # Some distributions' compilers leave out libraries that nothing refers to.
    run("cc", "-std=c99", *STRICT, "-Wl,--as-needed", "-o", tmp_path / "store", ROOT / "examples/store.c", *flags)
    out = run("sh", "-c", '"$0" "$1" 2>&1', tmp_path / "store", tmp_path / "data",
              env={**prefix.environment, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1"})
    found = re.findall(r"file \S+/libraft\S+ \[0\] to \S+/(\S+?)\.so\S* \[0\]: normal symbol `(syscall|posix_fallocate)'", out)
    return {name: library for library, name in found}


def test_a_program_may_take_them(prefix, tmp_path):  # noqa: F811
    assert bound(prefix, tmp_path) == {"posix_fallocate": "libc", "syscall": "libc"}
    assert bound(prefix, tmp_path, "engenho-hooks") == {"posix_fallocate": "libengenho-hooks", "syscall": "libengenho-hooks"}
