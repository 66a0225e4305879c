package differential

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	epb "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	lpb "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
)

// What random requests do not reach, or only now and then: time (leases, progress), sizes, alarms, ids that the servers
// choose themselves, calls that are given up, and Auth.

const (
	putMethod    = "/etcdserverpb.KV/Put"
	deleteMethod = "/etcdserverpb.KV/DeleteRange"
	txnMethod    = "/etcdserverpb.KV/Txn"
	alarmMethod  = "/etcdserverpb.Maintenance/Alarm"
	hashMethod   = "/etcdserverpb.Maintenance/HashKV"
)

func scenario(t *testing.T, args ...string) *pair {
	t.Helper()
	etcd, ours := binaries(t)
	p := newPair(t, etcd, ours, args...)
	p.diffsMax = *diffsFlag
	return p
}

func (p *pair) put(key, value string) {
	p.do(putMethod, &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
}

func (p *pair) everything() {
	p.do(rangeMethod, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	p.do(hashMethod, &pb.HashKVRequest{})
}

// until repeats a read on one server until it shows what is waited for.
func (s *side) until(what string, req *pb.RangeRequest, cond func(*pb.RangeResponse) bool) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if r, ok := s.call(context.Background(), rangeMethod, req).resp.(*pb.RangeResponse); ok && cond(r) {
			return
		}
	}
	s.t.Errorf("%s: not in time: %s", s.name, what)
}

// TestEmpty compares a store that nothing was written to.
func TestEmpty(t *testing.T) {
	p := scenario(t)
	p.everything()
	p.do(rangeMethod, &pb.RangeRequest{Key: []byte("a"), Revision: 1})
	p.do(rangeMethod, &pb.RangeRequest{Key: []byte("a"), Revision: 2})
	p.do("/etcdserverpb.KV/RangeStream", &pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte{0}})
	for _, rev := range []int64{1, 2} {
		p.do("/etcdserverpb.KV/Compact", &pb.CompactionRequest{Revision: rev, Physical: true})
	}
	for _, rev := range []int64{0, 2} {
		p.do(hashMethod, &pb.HashKVRequest{Revision: rev})
	}
	p.do(deleteMethod, &pb.DeleteRangeRequest{Key: []byte("a")})
	p.do(txnMethod, &pb.TxnRequest{})
	p.do("/etcdserverpb.Lease/LeaseLeases", &pb.LeaseLeasesRequest{})
	p.do("/etcdserverpb.Maintenance/Status", &pb.StatusRequest{})
	p.put("a", "1")
	p.everything()
	wp := newWatchPair(p)
	wp.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 1})
	wp.barrier(2)
}

// TestLeaseExpiry lets leases run out, one at a time: their keys go in one revision each, which watches see.
func TestLeaseExpiry(t *testing.T) {
	p := scenario(t)
	wp := newWatchPair(p)
	wp.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, PrevKv: true})
	for i, ttl := range []int64{1, 0, 3, -5} {
		id := int64(100 + i)
		p.do("/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{ID: id, TTL: ttl})
		for _, k := range []string{"z", "a", "m"} {
			p.do(putMethod, &pb.PutRequest{Key: []byte(k), Lease: id})
		}
		p.do("/etcdserverpb.Lease/LeaseTimeToLive", &pb.LeaseTimeToLiveRequest{ID: id, Keys: true})
		p.both(func(s *side) {
			s.until("the keys of a lease that ran out", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, CountOnly: true},
				func(r *pb.RangeResponse) bool { return r.Count == 0 })
		})
		p.everything()
		p.do("/etcdserverpb.Lease/LeaseTimeToLive", &pb.LeaseTimeToLiveRequest{ID: id, Keys: true})
		p.do("/etcdserverpb.Lease/LeaseKeepAlive", &pb.LeaseKeepAliveRequest{ID: id})
		p.do("/etcdserverpb.Lease/LeaseRevoke", &pb.LeaseRevokeRequest{ID: id})
	}
	wp.barrier(17)
}

// TestLeaseOrder: leases are listed with the one that ends first in front.
func TestLeaseOrder(t *testing.T) {
	p := scenario(t)
	for i, ttl := range []int64{5000, 1000, 3000, 2000, 4000} {
		p.do("/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{ID: int64(50 - i), TTL: ttl})
	}
	p.do("/etcdserverpb.Lease/LeaseKeepAlive", &pb.LeaseKeepAliveRequest{ID: 49})
	var order [2]string
	p.both(func(s *side) {
		resp := new(pb.LeaseLeasesResponse)
		if err := s.conn.Invoke(context.Background(), "/etcdserverpb.Lease/LeaseLeases", &pb.LeaseLeasesRequest{}, resp); err != nil {
			t.Error(err)
		}
		order[p.index(s)] = fmt.Sprint(resp.Leases)
	})
	if order[0] != order[1] {
		p.differ("order of LeaseLeases", order[0], order[1])
	}
}

// TestChosenLease compares leases whose ids the servers choose.
func TestChosenLease(t *testing.T) {
	p := scenario(t)
	var id [2]int64
	chosen := func(s *side) int64 { return id[p.index(s)] }
	p.both(func(s *side) {
		a := s.call(context.Background(), "/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{TTL: 600})
		r, ok := a.resp.(*pb.LeaseGrantResponse)
		if !ok || r.ID <= 0 || r.TTL != 600 || r.Error != "" {
			t.Errorf("%s: grant without an id: %v", s.name, a)
			return
		}
		id[p.index(s)] = r.ID
	})
	p.doEach(putMethod, func(s *side) proto.Message { return &pb.PutRequest{Key: []byte("k"), Lease: chosen(s)} })
	p.doEach("/etcdserverpb.Lease/LeaseRevoke", func(s *side) proto.Message { return &pb.LeaseRevokeRequest{ID: chosen(s)} })
	p.do(rangeMethod, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}) // the hashes have the ids in them
	p.doEach("/etcdserverpb.Lease/LeaseRevoke", func(s *side) proto.Message { return &pb.LeaseRevokeRequest{ID: chosen(s)} })
	// Lock and Campaign without a lease make one of 60 seconds.
	p.both(func(s *side) {
		for _, call := range []struct {
			method string
			req    proto.Message
		}{
			{"/v3lockpb.Lock/Lock", &lpb.LockRequest{Name: []byte("lock")}},
			{"/v3electionpb.Election/Campaign", &epb.CampaignRequest{Name: []byte("election"), Value: []byte("v")}},
		} {
			a := s.call(context.Background(), call.method, call.req)
			if a.resp == nil {
				t.Errorf("%s: %s: %v", s.name, call.method, a)
				return
			}
			var key []byte
			switch r := a.resp.(type) {
			case *lpb.LockResponse:
				key = r.Key
			case *epb.CampaignResponse:
				key = r.Leader.Key
			}
			kvs := s.call(context.Background(), rangeMethod, &pb.RangeRequest{Key: key}).resp.(*pb.RangeResponse).Kvs
			if len(kvs) != 1 || kvs[0].Lease == 0 || !strings.HasSuffix(string(key), fmt.Sprintf("/%x", kvs[0].Lease)) {
				t.Errorf("%s: key %q of %s is stored as %v", s.name, key, call.method, kvs)
				return
			}
			ttl := s.call(context.Background(), "/etcdserverpb.Lease/LeaseTimeToLive",
				&pb.LeaseTimeToLiveRequest{ID: kvs[0].Lease}).resp.(*pb.LeaseTimeToLiveResponse)
			if ttl.GrantedTTL != 60 {
				t.Errorf("%s: %s made a lease of %d s", s.name, call.method, ttl.GrantedTTL)
			}
		}
	})
}

// TestLockGivenUp: a waiting Lock or Campaign that its client gives up leaves no key behind.
func TestLockGivenUp(t *testing.T) {
	p := scenario(t)
	for id := int64(1); id <= 2; id++ {
		p.do("/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{ID: id, TTL: 600})
	}
	for _, call := range []struct {
		method string
		req    func(lease int64) proto.Message
	}{
		{"/v3lockpb.Lock/Lock", func(l int64) proto.Message { return &lpb.LockRequest{Name: []byte("n"), Lease: l} }},
		{"/v3electionpb.Election/Campaign", func(l int64) proto.Message { return &epb.CampaignRequest{Name: []byte("n"), Lease: l} }},
	} {
		p.do(call.method, call.req(1))
		p.both(func(s *side) {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- s.conn.Invoke(ctx, call.method, call.req(2), methods[call.method]()) }()
			count := func(n int64) func(*pb.RangeResponse) bool {
				return func(r *pb.RangeResponse) bool { return r.Count == n }
			}
			all := &pb.RangeRequest{Key: []byte("n/"), RangeEnd: []byte("n0"), CountOnly: true}
			s.until("the key of a waiting "+call.method, all, count(2))
			cancel()
			if err := <-done; err == nil {
				t.Errorf("%s: %s came back though its lock is held", s.name, call.method)
			}
			s.until("no key of a "+call.method+" that was given up", all, count(1))
		})
		p.do(deleteMethod, &pb.DeleteRangeRequest{Key: []byte("n/"), RangeEnd: []byte("n0")})
	}
	p.everything()
}

// TestLockOverKey: the key that a Lock or Campaign would make is there already, put by somebody else.
func TestLockOverKey(t *testing.T) {
	p := scenario(t)
	p.do("/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{ID: 7, TTL: 600})
	for _, call := range []struct {
		method string
		req    proto.Message
	}{
		{"/v3lockpb.Lock/Lock", &lpb.LockRequest{Name: []byte("n"), Lease: 7}},
		{"/v3electionpb.Election/Campaign", &epb.CampaignRequest{Name: []byte("n"), Lease: 7, Value: []byte("mine")}},
	} {
		for _, first := range []bool{true, false} {
			if !first {
				p.put("n/older", "")
			}
			p.put("n/7", "theirs")
			var got [2]answer
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.both(func(s *side) { got[p.index(s)] = s.call(context.Background(), call.method, call.req) })
			}()
			if !first {
				time.Sleep(500 * time.Millisecond) // nothing shows when it waits
				select {
				case <-done:
					t.Errorf("%s: came back though an older key is there: %v, %v", call.method, got[0], got[1])
				default:
				}
				p.do(deleteMethod, &pb.DeleteRangeRequest{Key: []byte("n/older")})
			}
			<-done
			p.compare(call.method, call.req, got[0], got[1])
			p.everything()
			p.do(deleteMethod, &pb.DeleteRangeRequest{Key: []byte("n/"), RangeEnd: []byte("n0")})
		}
	}
}

// TestObserve follows the leaders of an election, step by step.
func TestObserve(t *testing.T) {
	p := scenario(t)
	var streams [2]epb.Election_ObserveClient
	p.both(func(s *side) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		t.Cleanup(cancel)
		st, err := epb.NewElectionClient(s.conn).Observe(ctx, &epb.LeaderRequest{Name: []byte("e")})
		if err != nil {
			t.Error(err)
		}
		streams[p.index(s)] = st
	})
	next := func(what string) {
		t.Helper()
		var got [2]answer
		p.both(func(s *side) {
			type result struct {
				r   *epb.LeaderResponse
				err error
			}
			ch := make(chan result, 1)
			go func() {
				r, err := streams[p.index(s)].Recv()
				ch <- result{r, err}
			}()
			select {
			case x := <-ch:
				got[p.index(s)] = answerOf(x.r, x.err)
			case <-time.After(callLimit):
				got[p.index(s)] = answer{text: "nothing in time"}
			}
		})
		p.compare("/v3electionpb.Election/Observe", &epb.LeaderRequest{Name: []byte(what)}, got[0], got[1])
	}
	time.Sleep(300 * time.Millisecond) // so that the first leader comes after the start of the stream
	for id := int64(1); id <= 2; id++ {
		p.do("/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{ID: id, TTL: 600})
	}
	var leader *epb.LeaderKey
	for i, l := range []int64{1, 2} {
		a := p.do("/v3electionpb.Election/Campaign",
			&epb.CampaignRequest{Name: []byte("e"), Lease: l, Value: fmt.Appendf(nil, "v%d", i)})
		leader = a.resp.(*epb.CampaignResponse).Leader
		next("campaign")
		p.do("/v3electionpb.Election/Proclaim", &epb.ProclaimRequest{Leader: leader, Value: []byte("new")})
		next("proclaim")
		p.do("/v3electionpb.Election/Leader", &epb.LeaderRequest{Name: []byte("e")})
		p.do("/v3electionpb.Election/Resign", &epb.ResignRequest{Leader: leader})
		time.Sleep(300 * time.Millisecond)
	}
	p.do("/v3electionpb.Election/Proclaim", &epb.ProclaimRequest{Leader: leader, Value: []byte("late")})
	p.do("/v3electionpb.Election/Leader", &epb.LeaderRequest{Name: []byte("e")})
	p.do("/v3electionpb.Election/Resign", &epb.ResignRequest{Leader: leader})
	p.do("/v3electionpb.Election/Resign", &epb.ResignRequest{})
	p.do("/v3electionpb.Election/Proclaim", &epb.ProclaimRequest{})
	p.everything()
}

// TestAlarms raises and clears alarms by hand.
func TestAlarms(t *testing.T) {
	p := scenario(t)
	p.put("a", "1")
	set := func(action pb.AlarmRequest_AlarmAction, kind pb.AlarmType, member uint64) {
		t.Helper()
		p.doEach(alarmMethod, func(s *side) proto.Message {
			id := member
			if member == 1 {
				id = s.memberID
			}
			return &pb.AlarmRequest{Action: action, Alarm: kind, MemberID: id}
		})
		p.do(alarmMethod, &pb.AlarmRequest{})
		p.do("/etcdserverpb.Maintenance/Status", &pb.StatusRequest{})
	}
	try := func() {
		t.Helper()
		p.put("b", "2")
		p.do(txnMethod, &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{
			RequestPut: &pb.PutRequest{Key: []byte("c")}}}}})
		p.do(txnMethod, &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestDeleteRange{
			RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("c")}}}}})
		p.do(txnMethod, &pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{
			RequestRange: &pb.RangeRequest{Key: []byte("a")}}}}})
		p.do(deleteMethod, &pb.DeleteRangeRequest{Key: []byte("b")})
		p.do(rangeMethod, &pb.RangeRequest{Key: []byte("a")})
		p.do(rangeMethod, &pb.RangeRequest{Key: []byte("a"), Serializable: true})
		p.do("/etcdserverpb.KV/RangeStream", &pb.RangeRequest{Key: []byte("a")})
		p.do("/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{ID: 5, TTL: 100})
		p.do("/etcdserverpb.Lease/LeaseRevoke", &pb.LeaseRevokeRequest{ID: 5})
		p.do("/etcdserverpb.KV/Compact", &pb.CompactionRequest{Revision: 2})
		p.do("/etcdserverpb.Maintenance/Defragment", &pb.DefragmentRequest{})
		p.do(hashMethod, &pb.HashKVRequest{})
		p.do("/etcdserverpb.Cluster/MemberList", &pb.MemberListRequest{Linearizable: true})
	}
	for _, kind := range []pb.AlarmType{pb.AlarmType_NOSPACE, pb.AlarmType_CORRUPT} {
		set(pb.AlarmRequest_ACTIVATE, kind, 1)
		try()
		set(pb.AlarmRequest_ACTIVATE, kind, 1) // again
		set(pb.AlarmRequest_DEACTIVATE, kind, 1)
		try()
		set(pb.AlarmRequest_DEACTIVATE, kind, 1) // again
	}
	set(pb.AlarmRequest_ACTIVATE, pb.AlarmType_NOSPACE, 1)
	set(pb.AlarmRequest_ACTIVATE, pb.AlarmType_CORRUPT, 1)
	try()
	set(pb.AlarmRequest_DEACTIVATE, pb.AlarmType_CORRUPT, 1)
	set(pb.AlarmRequest_DEACTIVATE, pb.AlarmType_NOSPACE, 1)
	set(pb.AlarmRequest_DEACTIVATE, pb.AlarmType_NOSPACE, 777) // of a member that does not exist
	set(pb.AlarmRequest_ACTIVATE, pb.AlarmType_NOSPACE, 777)
	try()
	set(pb.AlarmRequest_DEACTIVATE, pb.AlarmType_NOSPACE, 777)
	try()
	// An unknown action or alarm ends etcd's process: not compared.
	p.everything()
}

// TestQuota fills a small quota. When it is full, and so the revision, differs; what is refused then, and how, does not.
func TestQuota(t *testing.T) {
	p := scenario(t, "--quota-backend-bytes=4194304")
	// each makes one call a server, with the revision taken out of the answers.
	each := func(method string, call func(*side) answer) {
		t.Helper()
		var got [2]answer
		p.both(func(s *side) {
			a := call(s)
			if h, ok := a.resp.(headered); ok && h.GetHeader() != nil {
				h.GetHeader().Revision = 0
			}
			got[p.index(s)] = a
		})
		p.compare(method, &pb.StatusRequest{}, got[0], got[1])
	}
	same := func(method string, req proto.Message) {
		t.Helper()
		each(method, func(s *side) answer { return s.call(context.Background(), method, req) })
	}
	value := bytes.Repeat([]byte("x"), 100<<10)
	each(putMethod, func(s *side) answer {
		for i := range 400 {
			put := &pb.PutRequest{Key: fmt.Appendf(nil, "%04d", i), Value: value}
			if a := s.call(context.Background(), putMethod, put); a.resp == nil {
				return a
			}
		}
		return answer{text: "never full"}
	})
	same(alarmMethod, &pb.AlarmRequest{})
	same("/etcdserverpb.Maintenance/Status", &pb.StatusRequest{})
	same(putMethod, &pb.PutRequest{Key: []byte("small")})
	same("/etcdserverpb.Lease/LeaseGrant", &pb.LeaseGrantRequest{ID: 5, TTL: 100})
	each(deleteMethod, func(s *side) answer {
		a := s.call(context.Background(), deleteMethod, &pb.DeleteRangeRequest{Key: []byte("0"), RangeEnd: []byte("9")})
		if r, ok := a.resp.(*pb.DeleteRangeResponse); ok {
			if r.Deleted < 10 {
				t.Errorf("%s: full after %d puts of 100 KiB in a quota of 4 MiB", s.name, r.Deleted)
			}
			r.Deleted = 0
		}
		return a
	})
	// Room is made by compaction; etcd also needs a defragmentation and a disarmed alarm.
	each("/etcdserverpb.KV/Compact", func(s *side) answer {
		r, _ := s.call(context.Background(), rangeMethod, &pb.RangeRequest{Key: []byte("x")}).resp.(*pb.RangeResponse)
		return s.call(context.Background(), "/etcdserverpb.KV/Compact",
			&pb.CompactionRequest{Revision: r.GetHeader().GetRevision(), Physical: true})
	})
	same("/etcdserverpb.Maintenance/Defragment", &pb.DefragmentRequest{})
	p.both(func(s *side) { // ours may have cleared it by itself
		s.call(context.Background(), alarmMethod, &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE,
			Alarm: pb.AlarmType_NOSPACE, MemberID: s.memberID})
	})
	same(alarmMethod, &pb.AlarmRequest{})
	same("/etcdserverpb.Maintenance/Status", &pb.StatusRequest{})
	same(putMethod, &pb.PutRequest{Key: []byte("after")})
}

// TestProgressNotify: only a watch that asked is told, under its own id, while nothing happens.
func TestProgressNotify(t *testing.T) {
	p := scenario(t, "--watch-progress-notify-interval=300ms")
	p.put("a", "1")
	for _, s := range []*side{p.a, p.b} {
		w, err := openWatch(s)
		if err != nil {
			t.Fatal(err)
		}
		defer w.cancel()
		var told [3]int
		w.s.mutate = func(_ string, m proto.Message) {
			r := m.(*pb.WatchResponse)
			if r.Created || len(r.Events) > 0 {
				return
			}
			if r.WatchId < 0 || r.WatchId > 2 || r.Header.Revision != 2 || r.Canceled {
				t.Errorf("%s: %s", s.name, show(r))
				return
			}
			w.mu.Lock()
			told[r.WatchId]++
			w.mu.Unlock()
			r.Canceled = true // not to be taken for what a self-check spoilt
		}
		for _, c := range []*pb.WatchCreateRequest{
			{Key: []byte("a"), ProgressNotify: true},
			{Key: []byte("a")},
			{Key: []byte("a"), StartRevision: 2, ProgressNotify: true},
		} {
			if err := w.st.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: c}}); err != nil {
				t.Fatal(err)
			}
		}
		w.await(3*time.Second, func() bool { return told[0] >= 2 && told[2] >= 2 })
		w.mu.Lock()
		if told[0] < 2 || told[1] != 0 || told[2] < 2 {
			t.Errorf("%s: progress told %v times in 3 s, want some for watches 0 and 2, none for 1", s.name, told)
		}
		w.mu.Unlock()
		w.s.mutate = nil
	}
}

// TestFragments sends events of more than the request limit in one revision and in many.
func TestFragments(t *testing.T) {
	p := scenario(t)
	value := bytes.Repeat([]byte("f"), 400<<10)
	wp := newWatchPair(p)
	all := func(c *pb.WatchCreateRequest) *pb.WatchCreateRequest {
		c.Key, c.RangeEnd = []byte{0}, []byte{0}
		return c
	}
	wp.create(all(&pb.WatchCreateRequest{Fragment: true}))
	wp.create(all(&pb.WatchCreateRequest{}))
	for i := range 6 {
		p.do(putMethod, &pb.PutRequest{Key: fmt.Appendf(nil, "k%d", i), Value: value})
	}
	wp.barrier(7)
	// One revision that deletes six, with the old values beside.
	wp.create(all(&pb.WatchCreateRequest{Fragment: true, PrevKv: true, StartRevision: 7}))
	p.do(deleteMethod, &pb.DeleteRangeRequest{Key: []byte("k"), RangeEnd: []byte("l")})
	wp.barrier(8)
	wp.create(all(&pb.WatchCreateRequest{Fragment: true, PrevKv: true, StartRevision: 2}))
	wp.create(all(&pb.WatchCreateRequest{PrevKv: true, StartRevision: 2}))
	wp.barrier(8)
	for _, w := range []*watchStream{wp.a, wp.b} {
		w.mu.Lock()
		if !w.fragmented {
			t.Errorf("%s: nothing came in fragments", w.s.name)
		}
		w.mu.Unlock()
	}
}

// TestLongReplay catches up over more revisions than etcd puts into one answer (1000).
func TestLongReplay(t *testing.T) {
	p := scenario(t)
	const n = 2500
	for i := range n {
		p.put(fmt.Sprintf("k%d", i%7), fmt.Sprint(i))
	}
	wp := newWatchPair(p)
	for _, start := range []int64{1, 2, 700, n} {
		wp.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: start, PrevKv: true})
		wp.create(&pb.WatchCreateRequest{Key: []byte("k3"), StartRevision: start})
	}
	wp.barrier(n + 1)
}

// TestSlowWatch reads nothing for long enough that the servers have to stop sending, then all of it.
func TestSlowWatch(t *testing.T) {
	p := scenario(t)
	wp := newWatchPair(p)
	for _, prev := range []bool{false, true} {
		wp.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, PrevKv: prev})
	}
	other := newWatchPair(p)
	other.create(&pb.WatchCreateRequest{Key: []byte("k3")})
	wp.a.mu.Lock() // stops the reader
	wp.b.mu.Lock()
	const n = 1500
	for i := range n {
		p.do(putMethod, &pb.PutRequest{Key: fmt.Appendf(nil, "k%d", i%9), Value: bytes.Repeat([]byte{byte(i)}, 16<<10)})
	}
	other.barrier(n + 1) // is not held up
	wp.a.mu.Unlock()
	wp.b.mu.Unlock()
	wp.barrier(n + 1)
}

// TestManyWatches has many watches on one key and many streams.
func TestManyWatches(t *testing.T) {
	p := scenario(t)
	p.put("a", "0")
	var wps []*watchPair
	for range 20 {
		wp := newWatchPair(p)
		for i := range 60 {
			wp.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: int64(i % 3), PrevKv: i%2 == 0})
		}
		wps = append(wps, wp)
	}
	rev := int64(2)
	for i := range 40 {
		p.put("a", fmt.Sprint(i))
		rev++
	}
	for _, wp := range wps {
		wp.barrier(rev)
		wp.close()
	}
}

// TestLarge stores, reads and streams values up to the limit of a request.
func TestLarge(t *testing.T) {
	p := scenario(t)
	for i, size := range []int{1 << 20, 1_572_000, 1_572_800, 1_572_864, 1_572_865, 1_600_000, 2_097_000, 2_097_152, 2_100_000} {
		p.do(putMethod, &pb.PutRequest{Key: fmt.Appendf(nil, "k%d", i), Value: bytes.Repeat([]byte{byte('a' + i)}, size)})
	}
	for i := range 40 {
		p.do(putMethod, &pb.PutRequest{Key: fmt.Appendf(nil, "m%02d", i), Value: bytes.Repeat([]byte{byte(i)}, 300<<10)})
	}
	p.everything()
	p.do("/etcdserverpb.KV/RangeStream", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	p.do("/etcdserverpb.KV/RangeStream", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Limit: 17})
	p.do("/etcdserverpb.KV/RangeStream", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: 20})
	p.do("/etcdserverpb.KV/RangeStream", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, KeysOnly: true})
	p.do(deleteMethod, &pb.DeleteRangeRequest{Key: []byte("m"), RangeEnd: []byte("n"), PrevKv: true})
	p.everything()
}

// TestCompactions compares HashKV at every revision after compactions at every kind of revision: puts, deletes,
// transactions, and the same again after a restart.
func TestCompactions(t *testing.T) {
	p := scenario(t)
	rev := int64(1)
	keys := []string{"a", "b", "c", "d"}
	for i := range 60 {
		k := keys[i%len(keys)]
		switch i % 5 {
		case 0, 1, 2:
			p.put(k, fmt.Sprint(i))
		case 3:
			p.do(deleteMethod, &pb.DeleteRangeRequest{Key: []byte(keys[(i/5)%4])})
		case 4:
			p.do(txnMethod, &pb.TxnRequest{Success: []*pb.RequestOp{
				{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(k), Value: fmt.Append(nil, i)}}},
				{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte(keys[(i+1)%4])}}},
				{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte("t")}}},
			}})
		}
	}
	rev = p.do(rangeMethod, &pb.RangeRequest{Key: []byte("a")}).resp.(*pb.RangeResponse).Header.Revision
	// A revision that was compacted is asked for after a restart alone: until then etcd has an older answer in memory
	// (docs/decisions/0012-hashes-are-of-the-data.md).
	hashes := func(from int64, compacted ...int64) {
		t.Helper()
		for r := from; r <= rev+1; r++ {
			if !slices.Contains(compacted, r) {
				p.do(hashMethod, &pb.HashKVRequest{Revision: r})
			}
			p.do(rangeMethod, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: r})
		}
	}
	hashes(0)
	for c := int64(3); c <= rev; c += 4 {
		p.do("/etcdserverpb.KV/Compact", &pb.CompactionRequest{Revision: c, Physical: true})
		hashes(max(c-2, 0), c)
		wp := newWatchPair(p)
		wp.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: c, PrevKv: true})
		if c < rev {
			wp.create(&pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: c + 1, PrevKv: true})
		}
		p.put("filler", "")
		rev++
		wp.barrier(rev)
		wp.close()
	}
	for _, kill := range []bool{false, true} {
		p.both(func(s *side) {
			s.conn.Close()
			if kill {
				s.m.Kill()
			} else {
				s.m.Stop()
			}
			s.m.Start()
			s.connect()
		})
		hashes(rev - 12)
		p.everything()
	}
}

// TestStreamOrder: without an order but with a target, a stream is sorted by it. Small and whole ranges only: etcd sorts
// each chunk by itself, and loses keys between them.
func TestStreamOrder(t *testing.T) {
	p := scenario(t)
	for i, k := range []string{"d", "a", "c", "f", "b", "e"} {
		for range 1 + (i*5)%7 {
			p.put(k, fmt.Sprint((i*4)%7))
		}
	}
	for target := range 6 {
		for order := range 4 {
			for _, limit := range []int64{0, 1, 3, 6, 9} {
				if limit != 0 && limit < 6 && order == 0 && target != 0 {
					continue
				}
				for _, only := range []bool{false, true} {
					p.do("/etcdserverpb.KV/RangeStream", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Limit: limit, KeysOnly: only,
						SortTarget: pb.RangeRequest_SortTarget(target), SortOrder: pb.RangeRequest_SortOrder(order)})
				}
			}
			p.do("/etcdserverpb.KV/RangeStream", &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, MinModRevision: 3,
				SortTarget: pb.RangeRequest_SortTarget(target), SortOrder: pb.RangeRequest_SortOrder(order)})
		}
	}
}

// TestMembers asks for changes of the membership that etcd refuses, and for an update of the peer address.
func TestMembers(t *testing.T) {
	p := scenario(t)
	p.do("/etcdserverpb.Cluster/MemberUpdate", &pb.MemberUpdateRequest{ID: 99, PeerURLs: []string{"http://127.0.0.1:9"}})
	p.do("/etcdserverpb.Cluster/MemberUpdate", &pb.MemberUpdateRequest{PeerURLs: []string{"http://127.0.0.1:9"}})
	self := func(urls ...string) {
		t.Helper()
		p.doEach("/etcdserverpb.Cluster/MemberUpdate", func(s *side) proto.Message {
			return &pb.MemberUpdateRequest{ID: s.memberID, PeerURLs: urls}
		})
		p.do("/etcdserverpb.Cluster/MemberList", &pb.MemberListRequest{Linearizable: true})
	}
	self("http://127.0.0.1:9")
	self("http://127.0.0.1:9", "http://127.0.0.1:10")
	self("http://127.0.0.1:9")
	self() // what is no URL is not compared: etcd stores any text, we refuse it as MemberAdd does
	p.do("/etcdserverpb.Cluster/MemberList", &pb.MemberListRequest{})
}

// TestBadMessages sends bytes that are no message and calls that do not exist. What the text says of bad bytes is the
// protobuf library's own.
func TestBadMessages(t *testing.T) {
	p := scenario(t)
	p.put("a", "1")
	for _, method := range []string{
		rangeMethod, putMethod, txnMethod, "/etcdserverpb.Watch/Watch", "/etcdserverpb.Lease/LeaseKeepAlive",
		"/etcdserverpb.KV/Nothing", "/etcdserverpb.Nothing/Range", "/Nothing/Nothing", "/etcdserverpb.KV/",
		"/grpc.health.v1.Health/Check",
	} {
		for _, body := range [][]byte{{0xff, 0xff, 0xff}, {0x0a, 0x05, 'a'}, {0x0a}, {}, {0x08}, {0x0c}} {
			if len(body) == 0 && !strings.Contains(method, "othing") {
				continue
			}
			var got [2]answer
			p.both(func(s *side) {
				var out []byte
				ctx, cancel := context.WithTimeout(context.Background(), callLimit)
				defer cancel()
				got[p.index(s)] = answerOf(nil, s.conn.Invoke(ctx, method, &body, &out, rawCodec))
			})
			if !strings.Contains(method, "othing") {
				got[0].text, got[1].text = "", ""
			}
			if got[0].code != got[1].code || got[0].text != got[1].text {
				p.differ(fmt.Sprintf("%s with the bytes %x", method, body), got[0].String(), got[1].String())
			}
		}
	}
	p.everything()
}

// TestAuthOff compares the Auth service while auth is off and there are no users and roles.
func TestAuthOff(t *testing.T) {
	const auth = "/etcdserverpb.Auth/"
	p := scenario(t)
	for _, call := range []struct {
		method string
		req    proto.Message
	}{
		{"AuthStatus", &pb.AuthStatusRequest{}},
		{"AuthEnable", &pb.AuthEnableRequest{}}, // no user root
		{"AuthDisable", &pb.AuthDisableRequest{}},
		{"Authenticate", &pb.AuthenticateRequest{Name: "u", Password: "p"}},
		{"Authenticate", &pb.AuthenticateRequest{}},
		{"UserAdd", &pb.AuthUserAddRequest{}},
		{"UserGet", &pb.AuthUserGetRequest{Name: "u"}},
		{"UserGet", &pb.AuthUserGetRequest{}},
		{"UserList", &pb.AuthUserListRequest{}},
		{"UserDelete", &pb.AuthUserDeleteRequest{Name: "u"}},
		{"UserChangePassword", &pb.AuthUserChangePasswordRequest{Name: "u"}},
		{"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: "u", Role: "r"}},
		{"UserRevokeRole", &pb.AuthUserRevokeRoleRequest{Name: "u", Role: "r"}},
		{"RoleAdd", &pb.AuthRoleAddRequest{}},
		{"RoleGet", &pb.AuthRoleGetRequest{Role: "r"}},
		{"RoleGet", &pb.AuthRoleGetRequest{Role: "root"}},
		{"RoleList", &pb.AuthRoleListRequest{}},
		{"RoleDelete", &pb.AuthRoleDeleteRequest{Role: "r"}},
		{"RoleDelete", &pb.AuthRoleDeleteRequest{Role: "root"}},
		{"RoleGrantPermission", &pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: &authPermission{Key: []byte("a")}}},
		{"RoleGrantPermission", &pb.AuthRoleGrantPermissionRequest{Name: "r"}},
		{"RoleGrantPermission", &pb.AuthRoleGrantPermissionRequest{Name: "r", Perm: &authPermission{RangeEnd: []byte("b")}}},
		{"RoleGrantPermission", &pb.AuthRoleGrantPermissionRequest{Name: "r",
			Perm: &authPermission{Key: []byte("b"), RangeEnd: []byte("a")}}},
		{"RoleRevokePermission", &pb.AuthRoleRevokePermissionRequest{Role: "r", Key: []byte("a")}},
		{"AuthStatus", &pb.AuthStatusRequest{}},
	} {
		p.do(auth+call.method, call.req)
	}
	p.do("/etcdserverpb.Maintenance/Status", &pb.StatusRequest{})
}

// TestUsers makes users and roles while auth is off.
func TestUsers(t *testing.T) {
	if !*laterFlag {
		t.Skip("users and roles come with auth; -later runs this")
	}
	const auth = "/etcdserverpb.Auth/"
	p := scenario(t)
	r := newRun(p, 5)
	g := r.g
	users, roles := []string{"u1", "u2", "", "u1/x"}, []string{"r1", "r2", "", "root"}
	user := func() string { return users[g.IntN(len(users))] }
	role := func() string { return roles[g.IntN(len(roles))] }
	for range 600 {
		switch g.IntN(17) {
		case 0:
			p.do(auth+"AuthEnable", &pb.AuthEnableRequest{}) // no user root: refused
		case 1:
			p.do(auth+"AuthDisable", &pb.AuthDisableRequest{})
		case 2:
			p.do(auth+"AuthStatus", &pb.AuthStatusRequest{})
		case 3:
			p.do(auth+"Authenticate", &pb.AuthenticateRequest{Name: user(), Password: "p"})
		case 4:
			p.do(auth+"UserAdd", &pb.AuthUserAddRequest{Name: user(), Options: &authOptions{NoPassword: true}})
		case 5:
			if g.chance(15) { // bcrypt is slow
				p.do(auth+"UserAdd", &pb.AuthUserAddRequest{Name: user(), Password: "secret"})
			} else {
				p.do(auth+"UserAdd", &pb.AuthUserAddRequest{Name: user()})
			}
		case 6:
			p.do(auth+"UserGet", &pb.AuthUserGetRequest{Name: user()})
		case 7:
			p.do(auth+"UserList", &pb.AuthUserListRequest{})
		case 8:
			p.do(auth+"UserDelete", &pb.AuthUserDeleteRequest{Name: user()})
		case 9:
			if g.chance(15) {
				p.do(auth+"UserChangePassword", &pb.AuthUserChangePasswordRequest{Name: user(), Password: "other"})
			} else {
				p.do(auth+"UserChangePassword", &pb.AuthUserChangePasswordRequest{Name: user()})
			}
		case 10:
			p.do(auth+"UserGrantRole", &pb.AuthUserGrantRoleRequest{User: user(), Role: role()})
		case 11:
			p.do(auth+"UserRevokeRole", &pb.AuthUserRevokeRoleRequest{Name: user(), Role: role()})
		case 12:
			p.do(auth+"RoleAdd", &pb.AuthRoleAddRequest{Name: role()})
		case 13:
			p.do(auth+"RoleGet", &pb.AuthRoleGetRequest{Role: role()})
		case 14:
			p.do(auth+"RoleList", &pb.AuthRoleListRequest{})
			p.do(auth+"RoleDelete", &pb.AuthRoleDeleteRequest{Role: role()})
		case 15:
			req := &pb.AuthRoleGrantPermissionRequest{Name: role()}
			if !g.chance(10) {
				req.Perm = &authPermission{Key: g.key(), PermType: authPermissionType(g.IntN(3))}
				req.Perm.RangeEnd = g.rangeEnd(req.Perm.Key)
			}
			p.do(auth+"RoleGrantPermission", req)
		case 16:
			key := g.key()
			p.do(auth+"RoleRevokePermission", &pb.AuthRoleRevokePermissionRequest{Role: role(), Key: key, RangeEnd: g.rangeEnd(key)})
		}
	}
}

// TestSortStable: equal sort values keep an order of their own.
func TestSortStable(t *testing.T) {
	p := scenario(t)
	for i := range 200 {
		p.put(fmt.Sprintf("%02x", (i*73)%251), fmt.Sprint(i%3))
	}
	for target := range 5 {
		for order := range 3 {
			for _, limit := range []int64{0, 1, 40, 199} {
				p.do(rangeMethod, &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Limit: limit,
					SortTarget: pb.RangeRequest_SortTarget(target), SortOrder: pb.RangeRequest_SortOrder(order)})
			}
		}
	}
}
