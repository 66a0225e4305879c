package differential

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	epb "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	lpb "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
)

// Lock and Campaign wait until the keys before theirs are gone. A call that has to wait runs in the background on both
// servers; after each write the run looks whether it has to come back now, and then waits for it.

const rangeMethod = "/etcdserverpb.KV/Range"

// waiting is a Lock or Campaign that did not come back yet.
type waiting struct {
	method string
	req    proto.Message
	prefix string
	key    string
	rev    int64  // create revision of the key
	value  []byte // of the key, once written
	done   chan struct{}
	got    [2]answer
}

var (
	lockNames     = []string{"lk/a", "lk/b", "k"}
	electionNames = []string{"el/a", "el/b"}
)

func lockKey(name string, lease int64) string { return fmt.Sprintf("%s/%x", name, lease) }

// peek reads from etcd alone, for the run's own decisions.
func (r *run) peek(req *pb.RangeRequest) *pb.RangeResponse {
	a := r.p.a.call(context.Background(), rangeMethod, req)
	if a.resp == nil {
		r.p.t.Fatalf("harness: %s on etcd: %v", show(req), a)
	}
	return a.resp.(*pb.RangeResponse)
}

func (r *run) before(prefix string, rev int64) bool {
	return len(r.peek(&pb.RangeRequest{Key: []byte(prefix), RangeEnd: prefixEnd([]byte(prefix)),
		MaxCreateRevision: rev - 1, Limit: 1}).Kvs) > 0
}

// acquire makes a Lock or Campaign call for a lease that the run holds.
func (r *run) acquire(method string, req proto.Message, name string, lease int64) {
	key := lockKey(name, lease)
	for _, w := range r.waiting {
		if w.key == key {
			return
		}
	}
	rev := r.g.rev + 1
	w := &waiting{method: method, req: req, prefix: name + "/", key: key, done: make(chan struct{})}
	own := r.peek(&pb.RangeRequest{Key: []byte(key)}).Kvs
	if len(own) > 0 {
		rev = own[0].CreateRevision
	}
	if c, ok := req.(*epb.CampaignRequest); ok {
		w.value = c.Value // also a key that is there already takes the new value
	}
	w.rev = rev
	if !r.before(name+"/", rev) || !r.held(lease) {
		r.note(r.p.do(method, req))
		return
	}
	if len(own) > 0 && (method == "/v3lockpb.Lock/Lock" || bytes.Equal(own[0].Value, w.value)) {
		return // it would wait without a trace, and nobody could say when it began to
	}
	r.p.note("(waits) " + method + " " + show(req))
	go func() {
		defer close(w.done)
		r.p.both(func(s *side) {
			resp := methods[method]()
			err := s.conn.Invoke(r.ctx, method, req, resp)
			w.got[r.p.index(s)] = answerOf(resp, err)
		})
	}()
	if !r.appears(w) {
		return
	}
	r.waiting = append(r.waiting, w)
	r.g.rev = max(r.g.rev, r.peek(&pb.RangeRequest{Key: []byte(key)}).Header.Revision)
}

func (r *run) held(lease int64) bool {
	for _, l := range r.g.leases {
		if l == lease {
			return true
		}
	}
	return false
}

// appears waits until both servers have written the key of a waiting call.
func (r *run) appears(w *waiting) bool {
	var ok [2]bool
	r.p.both(func(s *side) {
		for end := time.Now().Add(callLimit); time.Now().Before(end); time.Sleep(time.Millisecond) {
			got, _ := s.call(r.ctx, rangeMethod, &pb.RangeRequest{Key: []byte(w.key)}).resp.(*pb.RangeResponse)
			kvs := got.GetKvs()
			if len(kvs) == 1 && bytes.Equal(kvs[0].Value, w.value) {
				ok[r.p.index(s)] = true
				return
			}
		}
	})
	if ok != [2]bool{true, true} {
		r.p.differ("key of a waiting "+w.method+" "+show(w.req), fmt.Sprint("written: ", ok[0]), fmt.Sprint("written: ", ok[1]))
		return false
	}
	return true
}

// wake waits for the calls that the last write let through.
func (r *run) wake() {
	for i := 0; i < len(r.waiting); i++ {
		w := r.waiting[i]
		if r.before(w.prefix, w.rev) {
			continue
		}
		r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
		i--
		select {
		case <-w.done:
			r.note(r.p.compare(w.method, w.req, w.got[0], w.got[1]))
		case <-time.After(callLimit):
			r.p.differ(w.method+" "+show(w.req)+", which has nothing more to wait for", "see which one is missing",
				"one of the two did not come back")
		}
	}
}

// release lets all waiting calls through by deleting all keys of locks and elections.
func (r *run) release() {
	for _, name := range append(lockNames, electionNames...) {
		r.note(r.p.do("/etcdserverpb.KV/DeleteRange", &pb.DeleteRangeRequest{
			Key: []byte(name + "/"), RangeEnd: prefixEnd([]byte(name + "/"))}))
	}
	r.wake()
	if len(r.waiting) > 0 {
		r.p.t.Fatalf("harness: %d calls still wait", len(r.waiting))
	}
}

func (r *run) lockStep() {
	name := lockNames[r.g.IntN(len(lockNames))]
	if r.g.chance(45) {
		r.acquire("/v3lockpb.Lock/Lock", &lpb.LockRequest{Name: []byte(name), Lease: r.someLease()}, name, r.lastLease)
		return
	}
	key := lockKey(name, r.someLease())
	if kvs := r.peek(&pb.RangeRequest{Key: []byte(name + "/"), RangeEnd: prefixEnd([]byte(name + "/")),
		Limit: 8}).Kvs; len(kvs) > 0 && r.g.chance(80) {
		key = string(kvs[r.g.IntN(len(kvs))].Key)
	}
	if r.g.chance(2) {
		key = ""
	}
	r.note(r.p.do("/v3lockpb.Lock/Unlock", &lpb.UnlockRequest{Key: []byte(key)}))
	r.wake()
}

// someLease is one that the run holds, or rarely one that does not exist; never 0, for which the server would choose.
func (r *run) someLease() int64 {
	r.lastLease = 4242
	if n := len(r.g.leases); n > 0 && r.g.chance(97) {
		r.lastLease = r.g.leases[r.g.IntN(n)]
	}
	return r.lastLease
}

func (r *run) electionStep() {
	name := electionNames[r.g.IntN(len(electionNames))]
	kvs := r.peek(&pb.RangeRequest{Key: []byte(name + "/"), RangeEnd: prefixEnd([]byte(name + "/"))}).Kvs
	leader := &epb.LeaderKey{Name: []byte(name), Key: []byte(lockKey(name, r.someLease())), Rev: r.g.past(), Lease: r.lastLease}
	if len(kvs) > 0 && r.g.chance(85) {
		kv := kvs[r.g.IntN(len(kvs))]
		leader.Key, leader.Rev, leader.Lease = kv.Key, kv.CreateRevision, kv.Lease
		if leader.Lease == 0 {
			leader.Lease = r.lastLease
		}
	}
	if r.g.chance(2) {
		leader = nil
	}
	switch r.g.IntN(6) {
	case 0, 1:
		r.acquire("/v3electionpb.Election/Campaign",
			&epb.CampaignRequest{Name: []byte(name), Lease: r.someLease(), Value: r.g.value()}, name, r.lastLease)
	case 2:
		r.note(r.p.do("/v3electionpb.Election/Proclaim", &epb.ProclaimRequest{Leader: leader, Value: r.g.value()}))
	case 3, 4:
		r.note(r.p.do("/v3electionpb.Election/Resign", &epb.ResignRequest{Leader: leader}))
		r.wake()
	case 5:
		r.note(r.p.do("/v3electionpb.Election/Leader", &epb.LeaderRequest{Name: []byte(name)}))
	}
}

// run is one random run.
type run struct {
	p           *pair
	g           *generator
	ctx         context.Context
	streams     []*watchPair
	waiting     []*waiting
	lastLease   int64
	rewrites    map[int64]bool // revisions of transactions that mayRewrite
	compactions map[int64]bool // revisions that were compacted
}
