"""libengenho-store as others find it: installed, found with pkg-config, from C, C++ and the static archive."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from process import BINARY, ROOT

pytestmark = [pytest.mark.ours, pytest.mark.slow]  # slow: a program without sanitizers cannot load a library with them

BUILD = BINARY.resolve().parents[2]
HEADER = ROOT / "include/engenho/store.h"
STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror"]

CPP = r"""
#include <engenho/store.h>
#include <cstdio>
#include <cstring>

static int revisions;
static void done(void *, int64_t revision, const engenho_error *error)
{
	revisions += error == NULL && revision == 2;
}

int main(int, char **argv)
{
	engenho_error error;
	engenho_store *store;
	engenho_config *config = engenho_config_new();
	engenho_range_options options = ENGENHO_INIT(engenho_range_options);
	engenho_range_result *result;
	engenho_bytes key = {"key", 3}, value = {"value", 5};

	if (engenho_config_set(config, "data-dir", argv[1], &error) || engenho_open(config, &store, &error))
		return std::fprintf(stderr, "%s\n", error.message), 1;
	engenho_config_free(config);
	if (engenho_kv_put_async(store, key, value, 0, done, NULL, &error))
		return 2;
	engenho_dispatch(store, -1);
	options.key = key;
	if (engenho_kv_range(store, &options, &result, &error))
		return 3;
	bool same = result->count == 1 && std::memcmp(result->kvs[0].value.data, "value", 5) == 0;
	engenho_range_result_free(result);
	engenho_close(store);
	std::puts(engenho_version());
	static const engenho_key named = {"", "v1", "ConfigMap", "default", "a", {NULL, NULL}};
	return same && revisions == 1 && named.reserved[0] == NULL ? 0 : 4;
}
"""


DISK = r"""
#include <engenho/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static engenho_store *store;
static engenho_error error;

static engenho_code put(const char *key)
{
	engenho_bytes bytes = {key, strlen(key)};

	return engenho_kv_put(store, bytes, bytes, 0, NULL, &error);
}

static engenho_code get(const char *key)
{
	engenho_range_options options = ENGENHO_INIT(engenho_range_options);
	engenho_range_result *result;
	engenho_code code;

	options.key.data = key;
	options.key.len = strlen(key);
	code = engenho_kv_range(store, &options, &result, &error);
	if (code == ENGENHO_OK && result->count == 0)
		code = ENGENHO_NOT_FOUND;
	if (code != ENGENHO_OK)
		return code;
	engenho_range_result_free(result);
	return code;
}

static void fail_disk(const char *how)
{
	FILE *file = fopen(getenv("FAILIO_TRIGGER"), "w");

	fputs(how, file);
	fclose(file);
}

#define CHECK(condition)                                                                              \
	do {                                                                                          \
		if (!(condition)) {                                                                   \
			fprintf(stderr, "line %d: %s (%s)\n", __LINE__, #condition, error.message);   \
			exit(1);                                                                      \
		}                                                                                     \
	} while (0)

/* Writes are refused until there is room; one that was under way may be there, and is answered by a timeout. */
static void fill_disk(void)
{
	engenho_code code;

	fail_disk("nospace");
	do {
		code = put("late");
		CHECK(code == ENGENHO_OK || code == ENGENHO_TIMEOUT || code == ENGENHO_NO_SPACE);
	} while (code != ENGENHO_NO_SPACE);
	CHECK(strcmp(error.kind, "no_space") == 0);
	CHECK(engenho_health(store, &error) == ENGENHO_NO_SPACE);
	CHECK(get("early") == ENGENHO_OK);
	unlink(getenv("FAILIO_TRIGGER"));
	while (put("later") != ENGENHO_OK)
		CHECK(error.code == ENGENHO_NO_SPACE || error.code == ENGENHO_TIMEOUT);
}

/* The store ends, and says why to everybody. */
static void break_disk(void)
{
	engenho_kv_watch_options options = ENGENHO_INIT(engenho_kv_watch_options);
	engenho_kv_watch *watch;
	engenho_kv_events *events;

	options.key.data = "other";
	options.key.len = 5;
	CHECK(engenho_kv_watch_open(store, &options, &watch, &error) == ENGENHO_OK);
	fail_disk("write");
	while (put("broken") == ENGENHO_OK)
		;
	CHECK(error.code == ENGENHO_IO || error.code == ENGENHO_UNAVAILABLE || error.code == ENGENHO_TIMEOUT);
	while (engenho_dispatch(store, -1) >= 0)
		;
	CHECK(engenho_kv_watch_next(watch, -1, &events, &error) == ENGENHO_UNAVAILABLE);
	CHECK(engenho_health(store, &error) == ENGENHO_UNAVAILABLE);
	CHECK(strstr(error.message, "cannot write the log") != NULL);
	CHECK(!engenho_is_leader(store));
	engenho_kv_watch_close(watch);
	unlink(getenv("FAILIO_TRIGGER"));
}

int main(int argc, char **argv)
{
	engenho_config *config = engenho_config_new();

	alarm(100);
	CHECK(argc == 2 && engenho_config_set(config, "data-dir", argv[1], &error) == ENGENHO_OK);
	CHECK(engenho_open(config, &store, &error) == ENGENHO_OK);
	CHECK(put("early") == ENGENHO_OK);
	fill_disk();
	break_disk();
	engenho_close(store);
	CHECK(engenho_open(config, &store, &error) == ENGENHO_OK);
	CHECK(get("early") == ENGENHO_OK && get("later") == ENGENHO_OK && put("again") == ENGENHO_OK);
	engenho_close(store);
	engenho_config_free(config);
	return 0;
}
"""


def run(*words, **options):
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Where the library is installed; PKG_CONFIG_PATH and LD_LIBRARY_PATH lead there."""
    root = tmp_path_factory.mktemp("root")
    meson = shutil.which("meson")
    run(meson, "install", "-C", BUILD, "--destdir", root, "--no-rebuild", "--quiet", "--tags",
        "library,devel,man")
    pc = next(root.rglob("engenho-store.pc"))
    env = {**os.environ, "PKG_CONFIG_PATH": str(pc.parent), "LD_LIBRARY_PATH": str(pc.parent.parent)}

    class Prefix:
        lib = pc.parent.parent
        environment = env

        @staticmethod
        def flags(*words):
            return run("pkg-config", "--define-variable=prefix=" + str(pc.parents[3 if lib_is_deep(pc) else 2]), *words,
                       "engenho-store", env=env).split()

    return Prefix


def lib_is_deep(pc):
    """lib/x86_64-linux-gnu/pkgconfig, and not lib/pkgconfig."""
    return pc.parents[1].name not in ("lib", "lib64")


def example(prefix, tmp_path, *flags):
    run("cc", "-std=c99", *STRICT, "-o", tmp_path / "store", ROOT / "examples/store.c", *flags)
    out = run(tmp_path / "store", tmp_path / "data", env=prefix.environment)
    assert out.splitlines()[:4] == ["Created at revision 2", "patched: Patched", "ADDED settings at 2", "MODIFIED settings at 3"]
    assert '"colour":"green"' in out.splitlines()[4]
    again = run(tmp_path / "store", tmp_path / "data", env=prefix.environment)
    assert again.startswith("Created at revision 5")


def test_the_example_runs_with_the_shared_library(prefix, tmp_path):
    example(prefix, tmp_path, *prefix.flags("--cflags", "--libs"))


def test_the_example_runs_with_the_static_library(prefix, tmp_path):
    flags = [f for f in prefix.flags("--cflags", "--libs", "--static") if f != "-lengenho-store"]
    example(prefix, tmp_path, prefix.lib / "libengenho-store.a", *flags)
    assert "libengenho" not in run("ldd", tmp_path / "store")


def test_a_disk_that_is_full_or_broken(prefix, tmp_path, failio):
    source = tmp_path / "disk.c"
    source.write_text(DISK)
    run("cc", "-std=gnu99", *STRICT, "-o", tmp_path / "disk", source, *prefix.flags("--cflags", "--libs"))
    run(tmp_path / "disk", tmp_path / "data",
        env={**prefix.environment, "LD_PRELOAD": str(failio), "FAILIO_TRIGGER": str(tmp_path / "trigger")})


def test_a_program_in_cpp_includes_the_header(prefix, tmp_path):
    source = tmp_path / "store.cc"
    source.write_text(CPP)
    run("c++", "-std=c++11", *STRICT, "-o", tmp_path / "store", source, *prefix.flags("--cflags", "--libs"))
    out = run(tmp_path / "store", tmp_path / "data", env=prefix.environment)
    assert out.strip() == run("pkg-config", "--modversion", "engenho-store", env=prefix.environment).strip()


def declared():
    """The functions of the header."""
    return set(re.findall(r"ENGENHO_API\b[^;(]*?\b(engenho_\w+)\(", HEADER.read_text(encoding="utf-8")))


def test_what_is_declared_is_exported_and_nothing_else(prefix):
    table = run("readelf", "--dyn-syms", "--wide", prefix.lib / "libengenho-store.so.0")
    rows = [line.split() for line in table.splitlines() if "engenho" in line or "ENGENHO" in line]
    exported = {r[7].split("@@")[0] for r in rows if r[6] != "UND" and r[3] == "FUNC"}
    assert exported == declared() and len(exported) > 40
    assert all("@@ENGENHO_1" in r[7] for r in rows if r[3] == "FUNC")
    others = [line.split()[7] for line in table.splitlines()
              if re.match(r"\s+\d+:", line) and line.split()[6] != "UND" and len(line.split()) > 7 and "ENGENHO_1" not in line]
    assert others == []


def test_the_static_library_defines_nothing_else_either(prefix):
    table = run("nm", "--extern-only", "--defined-only", "--format=posix", prefix.lib / "libengenho-store.a")
    assert {line.split()[0] for line in table.splitlines() if len(line.split()) > 2} == declared()


def test_a_program_may_have_generated_code_of_its_own(prefix, tmp_path):
    """One that talks to etcd with protobuf-c has the same names as we have inside."""
    source = tmp_path / "own.c"
    source.write_text("#include <engenho/store.h>\nint etcdserverpb__put_request__init(void);\n"
                      "int etcdserverpb__put_request__init(void) { return 7; }\n"
                      "int main(void) { return etcdserverpb__put_request__init() - 7 + (engenho_version() == 0); }\n")
    flags = [f for f in prefix.flags("--cflags", "--libs", "--static") if f != "-lengenho-store"]
    run("cc", "-std=c99", *STRICT, "-o", tmp_path / "own", source, prefix.lib / "libengenho-store.a", *flags)
    run(tmp_path / "own")


def test_the_manual_names_functions_that_exist():
    page = (ROOT / "docs/man/engenho-store.3").read_text(encoding="utf-8")
    named = set(re.findall(r"\b(engenho_\w+)\b", page)) - {"engenho_config", "engenho_store", "engenho_error", "engenho_key"}
    assert len(named) > 20
    assert named <= declared()


def test_the_soname_is_the_abi(prefix):
    assert "[libengenho-store.so.0]" in run("readelf", "-d", prefix.lib / "libengenho-store.so.0")
    assert Path(prefix.lib / "libengenho-store.so").is_symlink()
