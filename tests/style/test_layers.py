"""Holds src/ against the layer table of docs/architecture.md, and holds the checker against seeded violations."""
from pathlib import Path

import layers

TABLE = """
| module | holds | may use | outside libraries | pure |
|---|---|---|---|---|
| `base` | x | | | |
| `core` | x | base | | pure |
| `loop` | x | base, core | libuv | |
"""


def check(path, text):
    return list(layers.problems(Path(path), text, layers.table(TABLE)))


def test_every_include_keeps_to_the_table():
    rows = layers.table(layers.document())
    files = layers.sources()
    assert len(files) > 20, "the sources were not found"
    found = [p for path, text in files for p in layers.problems(path, text, rows)]
    assert not found, "\n".join(found)


def test_the_table_only_points_upwards():
    rows = layers.table(layers.document())
    assert len(rows) >= 13
    assert not list(layers.table_problems(rows))


def test_every_module_is_in_the_table_and_the_other_way_round():
    rows = layers.table(layers.document())
    folders = {path.parts[1] for path in layers.tracked("src/*/*")}
    assert folders == set(rows)


def test_http_parser_stays_in_one_file():
    assert not list(layers.one_file_problems(layers.sources()))


def test_the_order_of_src_meson_build_is_the_order_of_the_table():
    subdirs = [line.split("'")[1] for line in layers.read("src/meson.build").splitlines() if line.startswith("subdir")]
    assert subdirs == list(layers.table(layers.document()))


# The checker itself.


def test_finds_a_module_that_is_not_in_the_row():
    assert check("src/core/a.c", '#include "loop/b.h"\n') == ["src/core/a.c:1: core may not use loop (loop/b.h)"]
    assert check("src/core/a.c", '#include "base/b.h"\n#include "core/a.h"\n') == []


def test_finds_a_library_that_is_not_in_the_row():
    assert check("src/core/a.c", "\n#  include <uv.h>\n") == ["src/core/a.c:2: core may not use libuv (uv.h)"]
    assert check("src/loop/a.c", "#include <uv.h>\n") == []
    assert check("src/loop/a.c", "#include <raft/uv.h>\n") == ["src/loop/a.c:1: loop may not use libraft (raft/uv.h)"]


def test_finds_an_impure_header_in_a_pure_module():
    assert check("src/core/a.c", "#include <time.h>\n") == ["src/core/a.c:1: core is pure and may not include <time.h>"]
    assert check("src/core/a.c", "#include <string.h>\n") == []
    assert check("src/loop/a.c", "#include <time.h>\n") == []


def test_finds_unknown_headers_relative_paths_and_computed_includes():
    assert "unknown header <zlib.h>" in check("src/base/a.c", "#include <zlib.h>\n")[0]
    assert 'write "module/file.h"' in check("src/base/a.c", '#include "a.h"\n')[0]
    assert 'write "module/file.h"' in check("src/base/a.c", '#include "base/../core/a.h"\n')[0]
    assert "plain path" in check("src/base/a.c", "#include HEADER\n")[0]


def test_sees_no_include_in_a_comment():
    assert check("src/base/a.c", '/* as in\n#include "loop/b.h"\n*/\n// #include <uv.h>\n') == []


def test_finds_a_module_without_a_row():
    assert check("src/extra/a.c", "") == ["src/extra/a.c: module extra is not in the table of docs/architecture.md"]


def test_finds_a_table_that_points_down():
    rows = layers.table(TABLE.replace("| `base` | x | |", "| `base` | x | loop |"))
    assert list(layers.table_problems(rows)) == ["docs/architecture.md: base may not use loop: it is not above it"]


def test_finds_a_second_user_of_http_parser():
    text = "#include <http_parser.h>\n"
    found = list(layers.one_file_problems([(Path("src/rpc/a.c"), text), (Path("src/rpc/b.c"), text)]))
    assert found == ["src/rpc/b.c: only one file may include <http_parser.h>, and src/rpc/a.c does"]
