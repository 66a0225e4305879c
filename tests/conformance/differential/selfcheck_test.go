package differential

import (
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"engenho-store/tests/conformance/internal/member"
)

// The harness is tested on etcd alone: compared with itself it must find nothing, and each kind of wrong answer, put
// into what one of the two says, must be found.

// TestSelfEqual compares etcd with etcd.
func TestSelfEqual(t *testing.T) {
	etcd := member.Binary(t, "ETCD")
	p := newPair(t, etcd, etcd)
	r := newRun(p, 1)
	r.play(2500)
	r.restart(true)
	r.play(500)
}

// spoil changes an answer and says whether it could.
type spoil struct {
	name   string
	method string
	change func(proto.Message) bool
}

var spoils = []spoil{
	{"revision of a put", "/etcdserverpb.KV/Put", func(m proto.Message) bool {
		m.(*pb.PutResponse).Header.Revision++
		return true
	}},
	{"missing header", "/etcdserverpb.KV/DeleteRange", func(m proto.Message) bool {
		m.(*pb.DeleteRangeResponse).Header = nil
		return true
	}},
	{"last key of a range", "/etcdserverpb.KV/Range", func(m proto.Message) bool {
		r := m.(*pb.RangeResponse)
		if len(r.Kvs) < 2 {
			return false
		}
		r.Kvs = r.Kvs[:len(r.Kvs)-1]
		return true
	}},
	{"order of a range", "/etcdserverpb.KV/Range", func(m proto.Message) bool {
		r := m.(*pb.RangeResponse)
		if len(r.Kvs) < 2 {
			return false
		}
		r.Kvs[0], r.Kvs[1] = r.Kvs[1], r.Kvs[0]
		return true
	}},
	{"count of a range", "/etcdserverpb.KV/Range", func(m proto.Message) bool {
		m.(*pb.RangeResponse).Count++
		return true
	}},
	{"more of a range", "/etcdserverpb.KV/Range", func(m proto.Message) bool {
		r := m.(*pb.RangeResponse)
		r.More = !r.More
		return true
	}},
	{"lease of a key", "/etcdserverpb.KV/Range", func(m proto.Message) bool {
		r := m.(*pb.RangeResponse)
		if len(r.Kvs) == 0 {
			return false
		}
		r.Kvs[0].Lease++
		return true
	}},
	{"header of a stream's first chunk", "/etcdserverpb.KV/RangeStream", func(m proto.Message) bool {
		r := m.(*pb.RangeStreamResponse).RangeResponse
		if r.Header != nil {
			return false
		}
		r.Header = &pb.ResponseHeader{ClusterId: 1}
		return true
	}},
	{"inner answer of a transaction", "/etcdserverpb.KV/Txn", func(m proto.Message) bool {
		r := m.(*pb.TxnResponse)
		if len(r.Responses) == 0 {
			return false
		}
		r.Responses = r.Responses[1:]
		return true
	}},
	{"keys of a lease", "/etcdserverpb.Lease/LeaseTimeToLive", func(m proto.Message) bool {
		r := m.(*pb.LeaseTimeToLiveResponse)
		if len(r.Keys) == 0 {
			return false
		}
		r.Keys = r.Keys[1:]
		return true
	}},
	{"seconds left of a lease", "/etcdserverpb.Lease/LeaseTimeToLive", func(m proto.Message) bool {
		r := m.(*pb.LeaseTimeToLiveResponse)
		r.TTL += 10
		return true
	}},
	{"keep-alive", "/etcdserverpb.Lease/LeaseKeepAlive", func(m proto.Message) bool {
		m.(*pb.LeaseKeepAliveResponse).TTL++
		return true
	}},
	{"hash", "/etcdserverpb.Maintenance/HashKV", func(m proto.Message) bool {
		m.(*pb.HashKVResponse).Hash ^= 1
		return true
	}},
	{"errors in the status", "/etcdserverpb.Maintenance/Status", func(m proto.Message) bool {
		r := m.(*pb.StatusResponse)
		r.Errors = append(r.Errors, "something")
		return true
	}},
	{"event left out", watchMethod, eventSpoil(1, func(r *pb.WatchResponse) { r.Events = r.Events[1:] })},
	{"event twice", watchMethod, eventSpoil(1, func(r *pb.WatchResponse) { r.Events = append(r.Events, r.Events[0]) })},
	{"events swapped", watchMethod, eventSpoil(2, func(r *pb.WatchResponse) {
		r.Events[0], r.Events[1] = r.Events[1], r.Events[0]
	})},
	{"type of an event", watchMethod, eventSpoil(1, func(r *pb.WatchResponse) { r.Events[0].Type ^= 1 })},
	{"value of an event", watchMethod, eventSpoil(1, func(r *pb.WatchResponse) { r.Events[0].Kv.Value = []byte("other") })},
	{"header of events", watchMethod, eventSpoil(1, func(r *pb.WatchResponse) { r.Header.Revision = 1 })},
	{"previous value", watchMethod, func(m proto.Message) bool {
		for _, e := range m.(*pb.WatchResponse).Events {
			if e.PrevKv != nil {
				e.PrevKv.Version += 100
				return true
			}
		}
		return false
	}},
	{"id of a created watch", watchMethod, func(m proto.Message) bool {
		r := m.(*pb.WatchResponse)
		if !r.Created || r.Canceled {
			return false
		}
		r.WatchId += 1000
		return true
	}},
	{"reason of a cancellation", watchMethod, func(m proto.Message) bool {
		r := m.(*pb.WatchResponse)
		if !r.Canceled {
			return false
		}
		r.CancelReason += "."
		return true
	}},
	{"compacted revision of a cancellation", watchMethod, func(m proto.Message) bool {
		r := m.(*pb.WatchResponse)
		if r.CompactRevision == 0 {
			return false
		}
		r.CompactRevision--
		return true
	}},
}

const watchMethod = "/etcdserverpb.Watch/Watch"

func eventSpoil(least int, change func(*pb.WatchResponse)) func(proto.Message) bool {
	return func(m proto.Message) bool {
		r := m.(*pb.WatchResponse)
		if len(r.Events) < least {
			return false
		}
		change(r)
		return true
	}
}

// TestSelfDetects spoils a few answers of one server, of one kind at a time.
func TestSelfDetects(t *testing.T) {
	etcd := member.Binary(t, "ETCD")
	for i, s := range spoils {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			detects(t, etcd, s, uint64(100+i))
		})
	}
}

func detects(t *testing.T, etcd string, s spoil, seed uint64) {
	p := newPair(t, etcd, etcd)
	p.quiet = true
	var armed atomic.Bool
	var spoilt atomic.Int32
	p.b.mutate = func(method string, m proto.Message) { // a few times: the run makes calls of its own that it does not compare
		if armed.Load() && method == s.method && spoilt.Load() < 5 && s.change(m) {
			spoilt.Add(1)
		}
	}
	r := newRun(p, seed)
	r.play(100)
	if p.diffs > 0 {
		t.Fatal("a difference before anything was spoilt")
	}
	armed.Store(true)
	for n := 0; n < 20 && p.diffs == 0; n++ {
		r.play(250)
	}
	if spoilt.Load() == 0 {
		t.Fatal("nothing could be spoilt: the requests do not reach this answer")
	}
	if p.diffs == 0 {
		t.Error("not detected")
	}
}
