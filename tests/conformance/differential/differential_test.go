package differential

import (
	"flag"
	"testing"
	"time"

	"engenho-store/tests/conformance/internal/member"
)

var (
	requestsFlag = flag.Int("requests", 100_000, "requests to make in the random run")
	seedFlag     = flag.Uint64("seed", 0, "seed of the random run; 0 takes one from the clock")
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
	t.Logf("seed %d: %d requests in %v, %d differences", seed, p.requests, time.Since(start).Round(time.Millisecond), p.diffs)
}
