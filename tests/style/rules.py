"""The rules of CONTRIBUTING.md that a machine can check. Each yields a line for each violation."""
import re
from pathlib import Path

from source import blank

COLUMNS_MAX = 120
FUNCTION_LINES_MAX = 200    # fails
FUNCTION_LINES_LONG = 120   # is pointed out
FILE_LINES_LONG = 1000      # is pointed out

# Name: what to use instead.
BANNED = {
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "strcpy": "memcpy with a checked length", "stpcpy": "memcpy",
    "strcat": "es_buf", "strncat": "es_buf", "strncpy": "memcpy with a checked length", "gets": "fgets",
    "strtok": "a loop over slices", "atoi": "a parser that tells errors", "atol": "a parser that tells errors",
    "atoll": "a parser that tells errors", "atof": "a parser that tells errors", "rand": "es_env.random or es_rng",
    "srand": "es_env.random or es_rng", "random": "es_env.random or es_rng", "alloca": "an arena",
    "mktemp": "mkostemp", "tmpnam": "mkostemp", "system": "nothing: no shell", "popen": "nothing: no shell",
    "gethostbyname": "getaddrinfo", "signal": "sigaction or uv_signal",
}
BANNED_IN_TESTS = {name: why for name, why in BANNED.items() if name not in ("signal", "system")}
LEFTOVERS = r"\b(TODO|FIXME|XXX|HACK)\b"
MACHINE_PATHS = r"(?<![\w.$}])/(work|root|home)/\w"


def guards(path, text):
    """A header is guarded by ES_MODULE_FILE_H from its first line of code to its last."""
    name = "ES_" + re.sub(r"\W", "_", "_".join(path.parts[1:])).upper()
    code = [line.strip() for line in blank(text).splitlines() if line.strip()]
    if code[:2] != [f"#ifndef {name}", f"#define {name}"]:
        yield f"{path}: must begin with #ifndef {name} and #define {name}"
    depth = 0
    for number, line in enumerate(code):
        depth += bool(re.match(r"#\s*if", line)) - bool(re.match(r"#\s*endif", line))
        if depth == 0 and number != len(code) - 1:
            yield f"{path}: the include guard is closed before the end of the file"
            return
    if depth != 0:
        yield f"{path}: the include guard is not closed"


def banned_calls(path, text):
    banned = BANNED_IN_TESTS if path.parts[0] == "tests" else BANNED
    for number, line in enumerate(blank(text).splitlines(), 1):
        for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", line):
            if match.group(1) in banned:
                yield f"{path}:{number}: {match.group(1)} is banned: use {banned[match.group(1)]}"


def whitespace(path, text):
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"
    for number, line in enumerate(text.splitlines(), 1):
        if line.rstrip() != line:
            yield f"{path}:{number}: space at the end of the line"
        if path.suffix in (".c", ".h"):
            if line.startswith(" " * 8):
                yield f"{path}:{number}: indent with tabs"
            if len(line.expandtabs(8)) > COLUMNS_MAX:
                yield f"{path}:{number}: {len(line.expandtabs(8))} columns, {COLUMNS_MAX} at most"


def leftovers(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.search(LEFTOVERS, line)
        if match:
            yield f"{path}:{number}: leftover {match.group()}"


def machine_paths(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.search(MACHINE_PATHS, line)
        if match:
            yield f"{path}:{number}: a path of somebody's machine: {line.strip()[:60]}"


def macros(path, text):
    """#define NAME a + b, without parentheses, is something else inside an expression."""
    for number, line in enumerate(blank(text).splitlines(), 1):
        match = re.match(r"\s*#\s*define\s+\w+(\([^)]*\))?\s+(.*[^\\\s])\s*$", line)
        if match is None or line.rstrip().endswith("\\"):
            continue
        body, depth = match.group(2), 0
        for i, c in enumerate(body):
            depth += (c == "(") - (c == ")")
            if depth == 0 and re.match(r"(\w|\)) (<<|>>|\||&&|\|\||\+|-|\*|/|%|\?|<|>|==) ", body[max(0, i - 1):]):
                yield f"{path}:{number}: put the macro's value in parentheses: {body[:60]}"
                break


def functions(text):
    """(name, first line, lines) of each function: its brace opens and closes at the left margin."""
    lines = blank(text).splitlines()
    begin = None
    for number, line in enumerate(lines):
        if line.startswith("{"):
            head = number
            while head > 0 and lines[head - 1].strip() and not lines[head - 1].startswith(("}", "#", "\t\t\t\t\t\t\t\t\t")):
                head -= 1
            names = re.findall(r"(\w+)\s*\(", " ".join(lines[head:number]))
            begin = (names[0] if names else "?", number)
        elif line.startswith("}") and begin is not None:
            yield begin[0], begin[1] + 1, number - begin[1] + 1
            begin = None


def long_functions(path, text, limit):
    for name, line, count in functions(text):
        if count > limit:
            yield f"{path}:{line}: {name} has {count} lines, {limit} at most"


def long_file(path, text):
    count = text.count("\n")
    if count > FILE_LINES_LONG:
        yield f"{path}: {count} lines: split it where a reader would"


def has_logic(text):
    return any(count > 5 for _, _, count in functions(text))


def untested(sources, tests, elsewhere):
    """Every src/<module>/<file>.c with logic has tests/unit/<module>/test_<file>*.c, or a line in tested-elsewhere.txt. A line
    that is no longer needed is a violation too."""
    have = {str(t) for t in tests}
    for path, text in sources:
        module, stem = path.parts[1], path.stem
        prefix = f"tests/unit/{module}/test_{stem}"
        tested = any(t == prefix + ".c" or t.startswith(prefix + "_") for t in have)
        name = str(Path(*path.parts[1:]))
        if tested and name in elsewhere:
            yield f"{path}: has a test now: take it off the list in tests/style/tested-elsewhere.txt"
        elif not tested and name not in elsewhere and has_logic(text):
            yield f"{path}: no {prefix}.c, and not in tests/style/tested-elsewhere.txt"
    for name in sorted(set(elsewhere) - {str(Path(*p.parts[1:])) for p, _ in sources}):
        yield f"tests/style/tested-elsewhere.txt: there is no src/{name}"


def elsewhere_list(text):
    """{file below src/: [tests that cover it]} of lines "file: test test"."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {line.split(":", 1)[0]: line.split(":", 1)[1].split() for line in lines}


def dead_links(path, text, exists):
    """Relative links of a Markdown file, and paths of sources in its code spans, lead somewhere."""
    for number, line in enumerate(text.splitlines(), 1):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", line):
            if "://" not in target and not exists(path.parent / target):
                yield f"{path}:{number}: there is no {target}"
        for target in re.findall(r"`((?:src|tests|bench|proto|scripts|docs)/[\w./-]+)`", line):
            if not exists(Path(target)):
                yield f"{path}:{number}: there is no {target}"
