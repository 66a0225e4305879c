package differential

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"engenho-store/tests/conformance/internal/member"
)

var (
	requestsFlag = flag.Int("requests", 100_000, "requests to make in the random run")
	seedFlag     = flag.Uint64("seed", 0, "seed of the random run; 0 takes one from the clock")
	laterFlag    = flag.Bool("later", false, "also run what is left for later issues")
	diffsFlag    = flag.Int("differences", 5, "stop the random run after so many differences")
)

func binaries(t *testing.T) (etcd, ours string) {
	t.Helper()
	return member.Binary(t, "ETCD"), member.Binary(t, "ENGENHO_STORE")
}

// TestRandom is the main one: random requests, watches beside them, and restarts in between.
func TestRandom(t *testing.T) {
	etcd, ours := binaries(t)
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	t.Logf("seed %d (repeat with -seed=%d -requests=%d)", seed, seed, *requestsFlag)
	p := newPair(t, etcd, ours)
	p.diffsMax = *diffsFlag
	r := newRun(p, seed)
	start := time.Now()
	const parts = 4
	for i := range parts {
		if i > 0 {
			r.restart(i%2 == 0)
		}
		r.play(*requestsFlag / parts)
	}
	reached(t, p)
	t.Logf("seed %d: %d requests in %v, %d differences", seed, p.requests, time.Since(start).Round(time.Millisecond), p.diffs)
}

// reached logs how often each answer came and fails when a long run missed one that it is there for.
func reached(t *testing.T, p *pair) {
	var lines []string
	for k, n := range p.tally {
		lines = append(lines, fmt.Sprintf("%-30s %d", k, n))
	}
	slices.Sort(lines)
	t.Logf("answers of etcd:\n%s", strings.Join(lines, "\n"))
	if p.requests < 20_000 {
		return
	}
	for _, k := range []string{
		"Range OK", "Range OutOfRange", "Range InvalidArgument", "RangeStream OK", "RangeStream Unimplemented",
		"RangeStream OutOfRange", "Put OK", "Put NotFound", "Put InvalidArgument", "DeleteRange OK", "Txn OK",
		"Txn InvalidArgument", "Txn OutOfRange", "Txn NotFound", "Compact OK", "Compact OutOfRange", "HashKV OK",
		"HashKV OutOfRange", "LeaseGrant OK", "LeaseGrant FailedPrecondition", "LeaseGrant OutOfRange", "LeaseRevoke OK",
		"LeaseRevoke NotFound", "LeaseTimeToLive OK", "LeaseLeases OK", "LeaseKeepAlive OK", "Lock OK", "Unlock OK",
		"Campaign OK", "Proclaim OK", "Resign OK", "Leader OK", "Status OK", "Alarm OK", "MemberList OK", "Defragment OK",
		"AuthStatus OK", "MemberUpdate NotFound",
	} {
		if p.tally[k] == 0 {
			t.Errorf("no answer %q in %d requests", k, p.requests)
		}
	}
}
