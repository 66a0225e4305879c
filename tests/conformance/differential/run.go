package differential

import (
	"context"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const (
	watchStreams = 3
	watchersMax  = 10 // a stream
	barrierEvery = 1500
)

func newRun(p *pair, seed uint64) *run {
	p.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p.t.Cleanup(cancel)
	r := &run{p: p, g: newGenerator(seed), ctx: ctx, rewrites: map[int64]bool{}, compactions: map[int64]bool{}}
	r.openStreams()
	return r
}

func (r *run) openStreams() {
	r.streams = nil
	for range watchStreams {
		r.streams = append(r.streams, newWatchPair(r.p))
	}
}

// play makes n requests.
func (r *run) play(n int) {
	r.p.t.Helper()
	for end, barrier := r.p.requests+n, r.p.requests+barrierEvery; r.p.requests < end; {
		r.step()
		if r.p.requests >= barrier {
			r.barriers()
			barrier = r.p.requests + barrierEvery
		}
		if r.p.quiet && r.p.diffs > 0 {
			return
		}
	}
	r.barriers()
}

// restart ends both servers, with SIGTERM or SIGKILL, and starts them on the same data.
func (r *run) restart(kill bool) {
	r.p.t.Helper()
	r.release()
	r.barriers()
	for _, wp := range r.streams {
		wp.close()
	}
	var ready [2]time.Time // each gives its leases their whole time when it leads
	r.p.both(func(s *side) {
		s.conn.Close()
		if kill {
			s.m.Kill()
		} else {
			s.m.Stop()
		}
		s.m.Start()
		ready[r.p.index(s)] = time.Now()
		s.connect()
	})
	r.p.apart = ready[0].Sub(ready[1]).Abs()
	r.openStreams()
	r.p.do("/etcdserverpb.Maintenance/HashKV", &pb.HashKVRequest{})
	r.p.do("/etcdserverpb.Lease/LeaseLeases", &pb.LeaseLeasesRequest{})
}

// note learns from etcd's answer.
func (r *run) note(a answer) answer {
	h, ok := a.resp.(headered)
	if ok && a.resp != nil && h.GetHeader() != nil {
		r.g.rev = max(r.g.rev, h.GetHeader().Revision)
	}
	return a
}

// write makes a request that can let waiting calls through.
func (r *run) write(method string, req proto.Message) {
	a := r.note(r.p.do(method, req))
	if a.resp == nil {
		return
	}
	if t, ok := a.resp.(*pb.TxnResponse); ok && mayRewrite(req.(*pb.TxnRequest)) {
		r.rewrites[t.Header.Revision] = true
	}
	r.wake()
}

// mayRewrite: a key could be deleted and put again by one transaction. A compaction at its revision makes etcd 3.7.3 lose
// such a key, and end itself when it is read.
func mayRewrite(t *pb.TxnRequest) bool {
	return deletesToEnd(t) || slices.ContainsFunc(ops(t), func(op *pb.RequestOp) bool { return op.GetRequestTxn() != nil })
}

func (r *run) step() {
	r.p.t.Helper()
	g := r.g
	switch n := g.IntN(1000); {
	case n < 300:
		req := g.rangeRequest()
		if g.chance(2) {
			unknownField(req)
		}
		r.note(r.p.do(rangeMethod, req))
	case n < 350:
		r.note(r.p.do("/etcdserverpb.KV/RangeStream", g.streamRequest()))
	case n < 540:
		r.write("/etcdserverpb.KV/Put", g.putRequest())
	case n < 600:
		r.write("/etcdserverpb.KV/DeleteRange", g.deleteRequest())
	case n < 820:
		req := g.txnRequest(2)
		if g.chance(2) {
			unknownField(req)
		}
		r.write("/etcdserverpb.KV/Txn", req)
	case n < 824:
		r.compactStep()
	case n < 890:
		r.leaseStep()
	case n < 920:
		r.watchStep()
	case n < 940:
		r.hashStep()
	case n < 960:
		r.lockStep()
	case n < 980:
		r.electionStep()
	default:
		r.oddStep()
	}
}

func (r *run) compactStep() {
	g := r.g
	req := &pb.CompactionRequest{Physical: g.chance(70)}
	switch n := g.IntN(10); {
	case n < 6:
		req.Revision = g.past()
	case n < 7:
		req.Revision = g.rev
	case n < 8:
		req.Revision = g.rev + 1 + int64(g.IntN(3))
	case n < 9:
		req.Revision = g.compacted - int64(g.IntN(3))
	default:
		req.Revision = []int64{0, -1, math.MaxInt64, math.MinInt64}[g.IntN(4)]
	}
	if req.Revision == 0 && g.compacted == 0 {
		req.Revision = g.rev // etcd takes 0 as the first one, and then answers HashKV of 0 with that state for ever
	}
	for r.rewrites[req.Revision] && req.Revision > 1 {
		req.Revision--
	}
	// What still catches up would race with the compaction: watches, and those inside etcd that waiting locks hold.
	switch {
	case len(r.waiting) > 0 && g.chance(70):
		r.release()
	case len(r.waiting) > 0:
		time.Sleep(250 * time.Millisecond)
	}
	r.barriers()
	a := r.note(r.p.do("/etcdserverpb.KV/Compact", req))
	if a.resp == nil {
		return
	}
	r.compactions[req.Revision] = true
	g.compacted = max(g.compacted, req.Revision)
	if !req.Physical { // etcd drops deletes at the compacted revision only when it gets to them
		time.Sleep(30 * time.Millisecond)
	}
}

func (r *run) leaseStep() {
	g := r.g
	switch n := g.IntN(65); {
	case n < 20:
		req := &pb.LeaseGrantRequest{ID: g.nextLease, TTL: 3600 + int64(g.IntN(4))*1000}
		g.nextLease += 7
		switch m := g.IntN(20); {
		case m < 2:
			req.ID = g.lease()
			if req.ID == 0 {
				req.ID = 7
			}
		case m < 3:
			req.TTL = 9_000_000_001
		case m < 4:
			req.TTL = []int64{9_000_000_000, math.MaxInt64}[g.IntN(2)]
		case m < 5:
			req.ID = -g.nextLease
		}
		if a := r.note(r.p.do("/etcdserverpb.Lease/LeaseGrant", req)); a.resp != nil {
			g.leases = append(g.leases, req.ID)
		}
	case n < 30:
		id := g.lease()
		if len(g.leases) < 4 && g.chance(70) {
			id = 77 // does not exist: keep some leases alive
		}
		if a := r.note(r.p.do("/etcdserverpb.Lease/LeaseRevoke", &pb.LeaseRevokeRequest{ID: id})); a.resp != nil {
			for i, l := range g.leases {
				if l == id {
					g.leases = append(g.leases[:i], g.leases[i+1:]...)
					break
				}
			}
			r.wake()
		}
	case n < 45:
		r.note(r.p.do("/etcdserverpb.Lease/LeaseTimeToLive", &pb.LeaseTimeToLiveRequest{ID: g.lease(), Keys: g.chance(70)}))
	case n < 52:
		r.note(r.p.do("/etcdserverpb.Lease/LeaseLeases", &pb.LeaseLeasesRequest{}))
	default:
		r.note(r.p.do("/etcdserverpb.Lease/LeaseKeepAlive", &pb.LeaseKeepAliveRequest{ID: g.lease()}))
	}
}

func (r *run) watchStep() {
	g := r.g
	wp := r.streams[g.IntN(len(r.streams))]
	switch n := g.IntN(30); {
	case n < 16 && len(wp.watchers) < watchersMax:
		req := g.watchRequest()
		w := wp.create(req)
		if w != nil && req.StartRevision > 0 && req.StartRevision < g.compacted {
			r.compactedWatch(wp, w)
		}
	case n < 26 && len(wp.watchers) > 0:
		ids := make([]int64, 0, len(wp.watchers))
		for id := range int64(1 << 12) { // in order, so that a seed repeats
			if wp.watchers[id-10] != nil {
				ids = append(ids, id-10)
			}
		}
		if len(ids) == 0 {
			return
		}
		r.settle(wp) // what was not sent before a cancellation may be sent or not
		wp.stop(ids[g.IntN(len(ids))])
	case n < 28:
		wp.cancelOnly(1_000_000 + int64(g.IntN(5)))
	default:
		wp.progressRev = g.rev
		wp.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}})
	}
}

// compactedWatch waits for the cancellation of a watch that starts too early, then cancels what is left of it: etcd
// tells no progress on a stream before that.
func (r *run) compactedWatch(wp *watchPair, w *watcher) {
	wp.await("cancellation of a watch from a compacted revision", func(s *watchStream) bool {
		return s.live[w.id] != nil && len(s.live[w.id].ends) == 1
	})
	wp.stop(w.id)
}

// settle is a barrier on one stream. Start revisions in the future are first caught up with.
func (r *run) settle(wp *watchPair) {
	r.p.t.Helper()
	// A revision that no earlier progress answer can have: a late one must not be taken for ours.
	for wp.furthest() > r.g.rev || wp.progressRev >= r.g.rev {
		r.write("/etcdserverpb.KV/Put", &pb.PutRequest{Key: r.g.keys[0], Value: []byte("fill")})
		if r.p.diffs >= r.p.diffsMax {
			return
		}
	}
	wp.progressRev = r.g.rev
	wp.barrier(r.g.rev)
}

func (r *run) barriers() {
	r.p.t.Helper()
	for _, wp := range r.streams {
		r.settle(wp)
	}
}

func (r *run) hashStep() {
	if r.g.chance(5) {
		r.note(r.p.do("/etcdserverpb.Maintenance/Hash", &pb.HashRequest{}))
		return
	}
	rev := r.g.revision()
	for r.compactions[rev] { // see docs/decisions/0012-hashes-are-of-the-data.md
		rev++
	}
	r.note(r.p.do("/etcdserverpb.Maintenance/HashKV", &pb.HashKVRequest{Revision: rev}))
}

// oddStep is all that is asked for rarely.
func (r *run) oddStep() {
	g := r.g
	switch n := g.IntN(100); {
	case n < 25:
		r.note(r.p.do("/etcdserverpb.Maintenance/Status", &pb.StatusRequest{}))
	case n < 40:
		r.note(r.p.do("/etcdserverpb.Maintenance/Alarm", &pb.AlarmRequest{Action: pb.AlarmRequest_GET,
			Alarm: pb.AlarmType(g.IntN(3))}))
	case n < 60:
		r.note(r.p.do("/etcdserverpb.Cluster/MemberList", &pb.MemberListRequest{Linearizable: g.chance(50)}))
	case n < 63:
		r.note(r.p.do("/etcdserverpb.Maintenance/Defragment", &pb.DefragmentRequest{}))
	case n < 85:
		r.note(r.p.do("/etcdserverpb.Auth/AuthStatus", &pb.AuthStatusRequest{}))
	case n < 95:
		r.note(r.p.do("/etcdserverpb.Cluster/MemberUpdate", &pb.MemberUpdateRequest{ID: 12345,
			PeerURLs: []string{"http://127.0.0.1:1"}}))
	default: // around max-request-bytes, 1.5 MiB, and the transport's limit above it
		size := []int{1_572_800, 1_572_864, 1_600_000, 2_200_000}[g.IntN(4)]
		value := make([]byte, size)
		for i := range value {
			value[i] = 'x'
		}
		r.write("/etcdserverpb.KV/Put", &pb.PutRequest{Key: g.keys[1], Value: value})
		r.write("/etcdserverpb.KV/DeleteRange", &pb.DeleteRangeRequest{Key: g.keys[1]})
	}
}
