# The commands of this project; Meson and Ninja do the work. `make help` lists them.
MESON  ?= meson
PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local
# The address and the folder of `make run`.
LISTEN ?= http://127.0.0.1:2379
DATA   ?= default.engenho

RELEASE   = --buildtype=debugoptimized -Dhardening=true -Db_pie=true
THREADED  = --buildtype=debug -Doptimization=1 -Db_sanitize=thread
SANITIZED = --buildtype=debug -Doptimization=1 -Dwerror=true -Db_sanitize=address,undefined

PYTEST   = $(PYTHON) -m pytest -q -p no:cacheprovider
# Quiet when all is well, and told in full when it is not.
UNIT     = --suite unit --suite fuzz --no-rebuild --print-errorlogs --quiet

export PYTHONDONTWRITEBYTECODE = 1
# Addresses and leaks are errors; a stack with each report.
export UBSAN_OPTIONS ?= print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS  ?= detect_leaks=1:abort_on_error=0:strict_string_checks=1

.PHONY: help setup build build-dev run test test-unit test-style test-integration check check-unit \
	check-integration check-threads bench conformance format install clean

help:
	@echo 'make setup        install the Debian packages that are missing (scripts/packages.txt)'
	@echo 'make build        build/engenho-store and build/engenhoctl: the release build'
	@echo 'make run          start a member on $(LISTEN), data in ./$(DATA)'
	@echo 'make test         all tests on the release build'
	@echo 'make check        unit, fuzz and integration tests under AddressSanitizer and UBSan, warnings as errors, and'
	@echo '                  the library, where threads meet, under ThreadSanitizer'
	@echo 'make bench        measure against etcd'
	@echo 'make conformance  the tests in Go: the official client, etcd beside us, the real kube-apiserver'
	@echo 'make format       apply .clang-format'
	@echo 'make install      to $(PREFIX) (PREFIX=, DESTDIR=)'
	@echo 'make clean        remove the build folders'

setup:
	@scripts/setup

build: setup
	@scripts/build build $(RELEASE)

build-dev: setup
	@scripts/build build-dev $(SANITIZED)

run: build
	build/engenho-store --data-dir=$(DATA) --listen-client-urls=$(LISTEN) --advertise-client-urls=$(LISTEN)

test: build test-unit test-style test-integration

test-style:
	$(PYTEST) --junitxml=build/test-style.xml tests/style

test-unit: build
	$(MESON) test -C build $(UNIT)

test-integration: build
	$(PYTEST) --junitxml=build/test-integration.xml tests/integration

# Under the sanitizers timing is another, so the tests that judge time and the long crash loops stay out.
check: check-unit check-threads check-integration

check-unit: build-dev
	$(MESON) test -C build-dev $(UNIT) --timeout-multiplier 5

# Of the whole tree only the library has threads that share anything.
THREAD_TESTS = async callback catalog kv memory resource store watch

check-threads: setup
	@scripts/build build-tsan $(THREADED) -- $(THREAD_TESTS:%=tests/unit/store/test_store_%)
	TSAN_OPTIONS=suppressions=$(CURDIR)/tests/lib/tsan.supp:halt_on_error=0 \
		$(MESON) test -C build-tsan --no-rebuild --print-errorlogs --quiet --timeout-multiplier 5 $(THREAD_TESTS:%=store/%)

check-integration: build-dev
	ENGENHO_STORE=$(CURDIR)/build-dev/engenho-store $(PYTEST) -m 'not slow' --junitxml=build-dev/test-integration.xml \
		tests/integration

bench: build
	bench/run

conformance: build
	scripts/conformance

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

install: build
	$(MESON) configure build --prefix=$(PREFIX)
	$(MESON) install -C build --quiet

clean:
	rm -rf build build-dev build-tsan
