"""Holds the tree against the rules, and each rule against a seeded violation."""
import warnings
from pathlib import Path

import pytest

import rules
from source import ROOT, read, tracked

C_FILES = [p for p in tracked("*.c", "*.h")]
TEXT_FILES = [p for p in tracked() if p.suffix not in (".png", ".bin", ".sum") and not {"corpus", "vectors"} & set(p.parts)
              and p.name != "LICENSE" and "testdata" not in p.parts]


def over(files, rule):
    found = [problem for path in files for problem in rule(path, read(path))]
    assert not found, f"{len(found)} problems\n" + "\n".join(found)


def elsewhere():
    return rules.elsewhere_list(read("tests/style/tested-elsewhere.txt"))


def test_the_tree_was_found():
    assert len(C_FILES) > 20
    assert Path("src/base/mem.c") in C_FILES


def test_headers_are_guarded():
    over([p for p in C_FILES if p.suffix == ".h" and p.parts[0] == "src"], rules.guards)


def test_no_banned_calls():
    over(C_FILES, rules.banned_calls)


def test_whitespace_and_columns():
    over(TEXT_FILES, rules.whitespace)


def test_no_leftovers():
    over([p for p in TEXT_FILES if p.parts[:2] != ("tests", "style")], rules.leftovers)


def test_no_machine_paths():
    over([p for p in TEXT_FILES if p.parts[:2] != ("tests", "style")], rules.machine_paths)


def test_macros_are_in_parentheses():
    over(C_FILES, rules.macros)


def test_functions_are_short():
    over(C_FILES, lambda path, text: rules.long_functions(path, text, rules.FUNCTION_LINES_MAX))


def test_long_functions_and_files_are_pointed_out():
    for path in C_FILES:
        text = read(path)
        for problem in [*rules.long_functions(path, text, rules.FUNCTION_LINES_LONG), *rules.long_file(path, text)]:
            warnings.warn(problem)


def test_sources_have_tests():
    sources = [(p, read(p)) for p in tracked("src/*.c")]
    found = list(rules.untested(sources, tracked("tests/unit/*.c"), elsewhere()))
    assert not found, "\n".join(found)


def test_tests_that_are_elsewhere_exist():
    for name, tests in elsewhere().items():
        assert tests, f"{name}: says no test"
        for test in tests:
            assert (ROOT / "tests" / test).exists(), f"{name}: there is no tests/{test}"


def test_links_lead_somewhere():
    def exists(path):
        """A decision may be named by its number."""
        return (ROOT / path).exists() or any((ROOT / path).parent.glob(path.name + "-*"))

    over(tracked("*.md"), lambda path, text: rules.dead_links(path, text, exists))


def test_scripts_can_be_run():
    for path in tracked("scripts/*", ".ci/*", "bench/*"):
        if read(path).startswith("#!"):
            assert (ROOT / path).stat().st_mode & 0o111, f"{path} has a #! line and is not executable"


def test_packages_have_reasons():
    for line in read("scripts/packages.txt").splitlines():
        assert not line or line.startswith("#") or " # " in line, f"no reason given: {line}"


# The rules themselves.

HEADER = Path("src/mvcc/my-file.h")
SOURCE = Path("src/mvcc/file.c")
GUARDED = "/* x */\n#ifndef ES_MVCC_MY_FILE_H\n#define ES_MVCC_MY_FILE_H\n#if A\nint a;\n#endif\nint b;\n#endif\n"


def body(count):
    return "int es_f(int a)\n{\n" + "\ta++;\n" * (count - 2) + "}\n"


@pytest.mark.parametrize("rule, path, good, bad, says", [
    (rules.guards, HEADER, GUARDED, GUARDED.replace("_MY_", "_"), "must begin"),
    (rules.guards, HEADER, GUARDED, GUARDED.replace("int b;\n#endif", "#endif\nint b;"), "closed before"),
    (rules.guards, HEADER, GUARDED, GUARDED[:-len("#endif\n")], "not closed"),
    (rules.banned_calls, SOURCE, "snprintf(a); /* sprintf(a) */ es_rand(); x.rand(); p->rand();", "\tsprintf (a);", ":1:"),
    (rules.banned_calls, SOURCE, 'f("strcpy(a)");', "a = strcpy(b, c);", "memcpy"),
    (rules.banned_calls, SOURCE, "strtol(a);", "x = 1;\nx = atoi(a);", ":2:"),
    (rules.banned_calls, Path("tests/a.c"), "signal(SIGALRM, f);", "strcat(a, b);", "es_buf"),
    (rules.banned_calls, SOURCE, "sigaction(SIGALRM, f);", "signal(SIGALRM, f);", "sigaction"),
    (rules.whitespace, SOURCE, "\tint a;\n", "        int a;\n", "tabs"),
    (rules.whitespace, SOURCE, "\tint a;\n", "\tint a; \n", "at the end of the line"),
    (rules.whitespace, SOURCE, "\tint a;\n", "\tint a;", "no newline"),
    (rules.whitespace, SOURCE, "\t" + "a" * 112 + "\n", "\t" + "a" * 113 + "\n", "121 columns"),
    (rules.leftovers, SOURCE, "int todo; /* the hackers */\n", "/* TO" "DO: later */\n", "leftover"),
    (rules.machine_paths, SOURCE, "src/work/a ./home/x\n", "see /ho" "me/me/notes\n", "machine"),
    (rules.macros, SOURCE, "#define A (1 + 2)\n#define B(x) f(x + 1)\n#define C -1\n", "#define A 1 << 2\n", "1 << 2"),
    (rules.macros, SOURCE, "#define F(x) ((x) * 2)\n", "#define F(x) (x) * 2\n", "parentheses"),
    (rules.long_file, SOURCE, "\n" * 1000, "\n" * 1001, "1001"),
])
def test_each_rule_finds_its_violation(rule, path, good, bad, says):
    assert list(rule(path, good)) == []
    found = list(rule(path, bad))
    assert len(found) == 1 and says in found[0], found


def test_the_length_of_functions_is_found():
    text = "#include <a.h>\n\nstruct a {\n\tint b;\n};\n\n" + body(30) + "\nstatic void es_g(void)\n{\n}\n"
    assert list(rules.functions(text)) == [("es_f", 8, 30), ("es_g", 40, 2)]
    assert list(rules.long_functions(SOURCE, body(200), 200)) == []
    assert list(rules.long_functions(SOURCE, body(201), 200)) == ["src/mvcc/file.c:2: es_f has 201 lines, 200 at most"]


def test_sources_without_tests_are_found():
    sources = [(SOURCE, body(20)), (Path("src/mvcc/tiny.c"), body(3))]
    assert list(rules.untested(sources, [], [])) == [
        "src/mvcc/file.c: no tests/unit/mvcc/test_file.c, and not in tests/style/tested-elsewhere.txt"]
    assert list(rules.untested(sources, [Path("tests/unit/mvcc/test_file.c")], [])) == []
    assert list(rules.untested(sources, [Path("tests/unit/mvcc/test_file_model.c")], [])) == []
    assert list(rules.untested(sources, [], ["mvcc/file.c"])) == []
    assert "has a test now" in list(rules.untested(sources, [Path("tests/unit/mvcc/test_file.c")], ["mvcc/file.c"]))[0]
    assert "there is no src/mvcc/gone.c" in list(rules.untested(sources, [], ["mvcc/file.c", "mvcc/gone.c"]))[0]


def test_dead_links_are_found():
    text = "see [a](b.md#c) and [d](https://e/f), `src/x.c`, `src/<m>/x.c`\n"
    assert list(rules.dead_links(Path("docs/a.md"), text, {Path("docs/b.md"), Path("src/x.c")}.__contains__)) == []
    assert list(rules.dead_links(Path("docs/a.md"), text, set().__contains__)) == [
        "docs/a.md:1: there is no b.md", "docs/a.md:1: there is no src/x.c"]
