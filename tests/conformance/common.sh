#!/usr/bin/env bash
# Runs the suite that etcd publishes for its binary, go.etcd.io/etcd/tests/v3/common (tag e2e, the minimal matrix), with
# our daemon as etcd. What is left for later issues is listed, with the reason, in common-skip.tsv; every other case has to
# pass, and has to be there: common-cases.txt names them. `common.sh --update` writes that file from a run (on etcd).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
limit=${COMMON_LIMIT:-600} # seconds for all of it
daemon=$(realpath "${ENGENHO_STORE:?names the daemon to test}")
tools=$("$root/scripts/go-tools" etcd)
suite=$("$root/scripts/go-tools" etcd-tests)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/common" "$work/bin" "$work/tmp"
ln -s "$suite/fixtures" "$work/fixtures"
ln -s "$daemon" "$work/bin/etcd"
ln -s "$tools/etcdctl" "$tools/etcdutl" "$work/bin/"

# go test takes the first alternative that may still match below: patterns of whole tests have to come first.
patterns=$(grep -v '^#' "$here/common-skip.tsv" | cut -f1)
skip=$({ grep -v / <<<"$patterns"; grep / <<<"$patterns"; } | paste -sd'|')
status=0
(
	cd "$work/common"
	TMPDIR=$work/tmp E2E_TEST_MINIMAL=true timeout --kill-after=10 "$limit" "$suite/common/common.test" \
		-bin-dir="$work/bin" -test.v -test.timeout="${limit}s" -test.skip="$skip"
) >"$work/log" 2>&1 || status=$?

# A case is a test or subtest with a result of its own.
results() {
	sed -nE "s/^ *--- $1: (.*) \([0-9.]+s\)\$/\1/p" "$work/log" | sort
}
results PASS >"$work/passed"
results FAIL >"$work/failed"
if [ "${1:-}" = --update ]; then
	[ "$status" = 0 ] || { tail -n 40 "$work/log"; exit 1; }
	cp "$work/passed" "$here/common-cases.txt"
fi
comm -23 "$here/common-cases.txt" "$work/passed" | comm -23 - "$work/failed" >"$work/missing"
if [ -s "$work/failed" ] || [ -s "$work/missing" ] || [ "$status" != 0 ]; then
	log=${COMMON_LOG:-}
	[ -z "$log" ] || cp "$work/log" "$log"
	echo "the suite ended with status $status; the last of it:"
	grep -v '^ *logger.go' "$work/log" | tail -n 60
	sed 's/^/failed: /' "$work/failed"
	sed 's/^/missing: /' "$work/missing"
fi
failed=$(cat "$work/failed" "$work/missing" | wc -l)
[ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
echo "$(wc -l <"$work/passed") passed, $failed failed"
[ "$failed" = 0 ]
