"""The public header is the library's reference: each function and struct of it is spoken about."""
import re

from source import read

HEADER = "include/engenho/store.h"


def paragraphs(text):
    return [p for p in re.split(r"\n\s*\n", text) if p.strip()]


def undocumented(text):
    """Functions in a paragraph that has no comment."""
    for paragraph in paragraphs(text):
        for name in re.findall(r"ENGENHO_API\b[^;(]*?\b(engenho_\w+)\(", paragraph):
            if "/*" not in paragraph:
                yield name


def test_every_function_is_documented():
    assert not list(undocumented(read(HEADER)))


def test_a_function_without_a_word_is_found():
    assert list(undocumented("/* x */\nint a;\n\nENGENHO_API int engenho_b(int c);\n")) == ["engenho_b"]


def test_functions_that_fail_say_why():
    """What returns an engenho_code fills in an engenho_error."""
    for declaration in re.findall(r"ENGENHO_API engenho_code (engenho_\w+\([^;]*\));", read(HEADER)):
        assert re.search(r"engenho_error \*error\)$", declaration.strip()), declaration


def test_structs_that_callers_fill_in_begin_with_their_size():
    text = read(HEADER)
    names = re.findall(r"typedef struct (engenho_\w+(?:_options|_txn|_stats))\b", text) + ["engenho_stats", "engenho_txn"]
    assert len(names) > 6
    for name in names:
        assert re.search(r"typedef struct " + name + r" \{\n\tsize_t size;", text), name
