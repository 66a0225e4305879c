"""The layer rule of docs/architecture.md: which module may include what."""
import re
from dataclasses import dataclass

from source import ROOT, blank, read, tracked

LIBRARIES = {
    "json-c": r"json-c/.+|json\.h",
    "protobuf-c": r"(google/)?protobuf-c/.+",
    "libuv": r"uv\.h|uv/.+",
    "libraft": r"raft\.h|raft/.+",
    "nghttp2": r"nghttp2/.+",
    "http-parser": r"http_parser\.h",
    "libyaml": r"yaml\.h",
    "openssl": r"openssl/.+",
    "engenho": r"engenho/store\.h",
}
# The C library and the kernel, as far as a pure module may see them, and the rest.
PURE_C = r"(assert|errno|inttypes|limits|stdalign|stdarg|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|endian|ctype" \
         r"|float|math)\.h|(imm|nmm|emm|smm|x86)intrin\.h|cpuid\.h"
IMPURE_C = r"(dirent|dlfcn|fcntl|getopt|grp|locale|malloc|netdb|poll|pthread|pwd|sched|search|semaphore|setjmp|signal|stdatomic|strings|syslog" \
           r"|termios|time|unistd|crypt|execinfo|sysexits|libgen)\.h|(arpa|linux|net|netinet|sys)/.+"
ONE_FILE_ONLY = {"http_parser.h"}


@dataclass
class Row:
    modules: set
    libraries: set
    pure: bool


def table(text):
    """The rows of the layer table, in order."""
    rows = {}
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if len(cells) == 5 and re.fullmatch(r"`\w+`", cells[0]):
            words = [{w.strip() for w in c.split(",") if w.strip()} for c in (cells[2], cells[3])]
            rows[cells[0].strip("`")] = Row(words[0], words[1], cells[4] == "pure")
    return rows


def table_problems(rows):
    """A module uses only modules above it, and only libraries that we know."""
    seen = set()
    for name, row in rows.items():
        for used in sorted(row.modules - seen):
            yield f"docs/architecture.md: {name} may not use {used}: it is not above it"
        for library in sorted(row.libraries - set(LIBRARIES)):
            yield f"docs/architecture.md: {name} uses {library}, which tests/style/layers.py does not know"
        seen.add(name)


def includes(text):
    """(line number, "quoted" or "angled", path) of each #include."""
    for number, line in enumerate(blank(text, strings=False).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
        if match:
            yield number, "quoted" if match.group(1) else "angled", match.group(1) or match.group(2)
        elif re.match(r"\s*#\s*include\b", line):
            yield number, "computed", line.strip()


def problems(path, text, rows):
    """Everything that the file src/<module>/... includes against the table."""
    module = path.parts[1]
    row = rows.get(module)
    if row is None:
        yield f"{path}: module {module} is not in the table of docs/architecture.md"
        return
    for number, kind, header in includes(text):
        where = f"{path}:{number}"
        if kind == "computed":
            yield f"{where}: an include must be a plain path: {header}"
        elif kind == "quoted":
            target = header.split("/")[0]
            if "/" not in header or ".." in header:
                yield f'{where}: write "module/file.h", not "{header}"'
            elif target != module and target not in row.modules:
                yield f"{where}: {module} may not use {target} ({header})"
        else:
            library = next((n for n, p in LIBRARIES.items() if re.fullmatch(p, header)), None)
            if library is not None:
                if library not in row.libraries:
                    yield f"{where}: {module} may not use {library} ({header})"
            elif re.fullmatch(PURE_C, header):
                pass
            elif not re.fullmatch(IMPURE_C, header):
                yield f"{where}: unknown header <{header}>: name it in tests/style/layers.py"
            elif row.pure:
                yield f"{where}: {module} is pure and may not include <{header}>"


def one_file_problems(files):
    """files: (path, text) pairs."""
    users = {}
    for path, text in files:
        for _, _, header in includes(text):
            if header in ONE_FILE_ONLY:
                users.setdefault(header, []).append(path)
    for header, paths in users.items():
        for path in paths[1:]:
            yield f"{path}: only one file may include <{header}>, and {paths[0]} does"


def sources():
    return [(p, read(p)) for p in tracked("src/*.c", "src/*.h")]


def document():
    return (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
