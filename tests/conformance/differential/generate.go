package differential

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// generator draws requests from one seed. It knows a little of the state (revisions, leases), from etcd's answers, so
// that what it asks for often exists.
type generator struct {
	*rand.Rand
	rev       int64
	compacted int64
	leases    []int64
	keys      [][]byte
	nextLease int64
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0x656e67656e686f)), rev: 1, nextLease: 1000}
	for _, k := range []string{
		"a", "aa", "ab", "b", "b/1", "b/2", "b/10", "c", "k/0", "k/1", "k/2", "k/3", "k/4", "k/5", "k/6", "k/7",
		"registry/pods/x", "registry/pods/y", "registry/podsx", "registry/nodes/n", "z",
		"\x00", "\x00\x00", "\x00\x01", "a\x00", "a\xff", "\xff", "\xff\xff", "\xc3\x28", "a\x00b",
	} {
		g.keys = append(g.keys, []byte(k))
	}
	return g
}

// chance is true n times of a hundred.
func (g *generator) chance(n int) bool { return g.IntN(100) < n }

func (g *generator) key() []byte {
	switch n := g.IntN(200); {
	case n == 0:
		return nil
	case n == 1:
		return bytes.Repeat([]byte("long"), 200)
	}
	return g.keys[g.IntN(len(g.keys))]
}

func (g *generator) rangeEnd(key []byte) []byte {
	switch n := g.IntN(20); {
	case n < 7:
		return nil
	case n < 10:
		return []byte{0} // to the end
	case n < 14:
		return prefixEnd(key)
	case n < 15:
		return append(bytes.Clone(key), 0)
	case n < 16:
		return key
	case n < 17:
		return []byte{0, 0}
	}
	return g.key()
}

func prefixEnd(key []byte) []byte {
	end := bytes.Clone(key)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0}
}

func (g *generator) value() []byte {
	switch n := g.IntN(50); {
	case n < 2:
		return nil
	case n < 3:
		return bytes.Repeat([]byte("v"), 200+g.IntN(3000))
	}
	return fmt.Appendf(nil, "v%d", g.IntN(10))
}

// revision is one to read at: mostly the current one, else past, compacted, future or absurd.
func (g *generator) revision() int64 {
	switch n := g.IntN(100); {
	case n < 60:
		return 0
	case n < 66:
		return g.rev
	case n < 88:
		return g.past()
	case n < 92:
		return g.compacted + int64(g.IntN(3)) - 1
	case n < 97:
		return g.rev + 1 + int64(g.IntN(4))
	case n < 98:
		return -1 - int64(g.IntN(3))
	case n < 99:
		return math.MaxInt64
	}
	return math.MinInt64
}

func (g *generator) past() int64 {
	low := max(g.compacted, 1)
	if g.rev <= low {
		return g.rev
	}
	if g.chance(50) { // not far
		low = max(low, g.rev-40)
	}
	return low + g.Int64N(g.rev-low+1)
}

func (g *generator) bound() int64 {
	switch {
	case g.chance(80):
		return 0
	case g.chance(5):
		return -1
	case g.chance(5):
		return g.rev + 3
	}
	return g.past()
}

func (g *generator) limit() int64 {
	switch n := g.IntN(20); {
	case n < 10:
		return 0
	case n < 19:
		return int64(1 + g.IntN(12))
	}
	return []int64{-1, math.MaxInt64, 1000}[g.IntN(3)]
}

func (g *generator) rangeRequest() *pb.RangeRequest {
	r := &pb.RangeRequest{Key: g.key(), Limit: g.limit(), Revision: g.revision(), Serializable: g.chance(20),
		KeysOnly: g.chance(15), CountOnly: g.chance(10)}
	r.RangeEnd = g.rangeEnd(r.Key)
	if g.chance(40) {
		r.SortOrder = pb.RangeRequest_SortOrder(g.IntN(3))
		r.SortTarget = pb.RangeRequest_SortTarget(g.IntN(5))
	}
	if g.chance(1) {
		r.SortOrder = pb.RangeRequest_SortOrder([]int32{3, -1, 1000}[g.IntN(3)])
	}
	if g.chance(1) {
		r.SortTarget = pb.RangeRequest_SortTarget([]int32{5, -1, 1000}[g.IntN(3)])
	}
	if g.chance(30) {
		r.MinModRevision, r.MaxModRevision = g.bound(), g.bound()
		r.MinCreateRevision, r.MaxCreateRevision = g.bound(), g.bound()
	}
	return r
}

// streamRequest is mostly one that RangeStream takes.
func (g *generator) streamRequest() *pb.RangeRequest {
	r := g.rangeRequest()
	if g.chance(85) {
		r.SortOrder, r.SortTarget = pb.RangeRequest_SortOrder(g.IntN(2)), pb.RangeRequest_KEY
		r.MinModRevision, r.MaxModRevision, r.MinCreateRevision, r.MaxCreateRevision = 0, 0, 0, 0
	}
	if r.SortOrder == pb.RangeRequest_NONE { // etcd would sort each chunk by itself, and lose keys between them
		r.SortTarget = min(r.SortTarget, pb.RangeRequest_KEY)
	}
	if g.chance(50) {
		r.Key, r.RangeEnd = []byte{0}, []byte{0}
	}
	return r
}

// lease is mostly none or one that exists.
func (g *generator) lease() int64 {
	switch {
	case g.chance(60):
		return 0
	case len(g.leases) > 0 && g.chance(90):
		return g.leases[g.IntN(len(g.leases))]
	}
	return []int64{7, -3, 999, math.MaxInt64}[g.IntN(4)]
}

func (g *generator) putRequest() *pb.PutRequest {
	r := &pb.PutRequest{Key: g.key(), Value: g.value(), Lease: g.lease(), PrevKv: g.chance(30)}
	if g.chance(8) {
		r.IgnoreValue = true
		if g.chance(85) {
			r.Value = nil
		}
	}
	if g.chance(8) {
		r.IgnoreLease = true
		if g.chance(85) {
			r.Lease = 0
		}
	}
	return r
}

func (g *generator) deleteRequest() *pb.DeleteRangeRequest {
	r := &pb.DeleteRangeRequest{Key: g.key(), PrevKv: g.chance(40)}
	if r.RangeEnd = g.rangeEnd(r.Key); len(r.RangeEnd) == 1 && r.RangeEnd[0] == 0 && !g.chance(10) {
		r.RangeEnd = nil // do not empty the store all the time
	}
	return r
}

func (g *generator) compare() *pb.Compare {
	c := &pb.Compare{Key: g.key(), Result: pb.Compare_CompareResult(g.IntN(4)),
		Target: pb.Compare_CompareTarget(g.IntN(5))}
	if g.chance(25) {
		c.RangeEnd = g.rangeEnd(c.Key)
	}
	target := c.Target
	if g.chance(3) { // a value of another kind than the target
		target = pb.Compare_CompareTarget(g.IntN(5))
	}
	switch target {
	case pb.Compare_VERSION:
		c.TargetUnion = &pb.Compare_Version{Version: int64(g.IntN(4))}
	case pb.Compare_CREATE:
		c.TargetUnion = &pb.Compare_CreateRevision{CreateRevision: g.compareRevision()}
	case pb.Compare_MOD:
		c.TargetUnion = &pb.Compare_ModRevision{ModRevision: g.compareRevision()}
	case pb.Compare_VALUE:
		c.TargetUnion = &pb.Compare_Value{Value: g.value()}
	case pb.Compare_LEASE:
		c.TargetUnion = &pb.Compare_Lease{Lease: g.lease()}
	}
	if g.chance(2) {
		c.TargetUnion = nil
	}
	if g.chance(1) {
		c.Result = pb.Compare_CompareResult(4 + g.IntN(3))
	}
	if g.chance(1) {
		c.Target = pb.Compare_CompareTarget(5 + g.IntN(3))
	}
	return c
}

func (g *generator) compareRevision() int64 {
	if g.chance(40) {
		return 0
	}
	return g.past()
}

func (g *generator) op(depth int) *pb.RequestOp {
	switch n := g.IntN(100); {
	case n < 35:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: g.rangeRequest()}}
	case n < 68:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.putRequest()}}
	case n < 84:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: g.deleteRequest()}}
	case n < 99 && depth > 0:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestTxn{RequestTxn: g.txn(depth - 1)}}
	case n < 99:
		return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: g.putRequest()}}
	}
	return &pb.RequestOp{}
}

// txnRequest nests up to depth times. etcd's check for "delete and put of one key" does not see a delete whose range end
// is one zero byte, and then an ignore_value or ignore_lease of a key so deleted ends its process (3.7.3): those two are
// never put together.
func (g *generator) txnRequest(depth int) *pb.TxnRequest {
	r := g.txn(depth)
	if deletesToEnd(r) {
		dropIgnores(r)
	}
	return r
}

func ops(r *pb.TxnRequest) []*pb.RequestOp { return slices.Concat(r.Success, r.Failure) }

func deletesToEnd(r *pb.TxnRequest) bool {
	return slices.ContainsFunc(ops(r), func(op *pb.RequestOp) bool {
		end := op.GetRequestDeleteRange().GetRangeEnd()
		return (len(end) == 1 && end[0] == 0) || (op.GetRequestTxn() != nil && deletesToEnd(op.GetRequestTxn()))
	})
}

func dropIgnores(r *pb.TxnRequest) {
	for _, op := range ops(r) {
		if put := op.GetRequestPut(); put != nil {
			put.IgnoreValue, put.IgnoreLease = false, false
		}
		if t := op.GetRequestTxn(); t != nil {
			dropIgnores(t)
		}
	}
}

func (g *generator) txn(depth int) *pb.TxnRequest {
	r := new(pb.TxnRequest)
	for range g.IntN(3) {
		r.Compare = append(r.Compare, g.compare())
	}
	for range g.IntN(4) {
		r.Success = append(r.Success, g.op(depth))
	}
	for range g.IntN(4) {
		r.Failure = append(r.Failure, g.op(depth))
	}
	if depth == 2 && g.IntN(300) == 0 { // around max-txn-ops, 128
		for n := 125 + g.IntN(6); len(r.Success) < n; {
			r.Success = append(r.Success, &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{
				Key: fmt.Appendf(nil, "many/%d", len(r.Success)), Value: g.value()}}})
		}
	}
	return r
}

func (g *generator) watchRequest() *pb.WatchCreateRequest {
	r := &pb.WatchCreateRequest{Key: g.key(), PrevKv: g.chance(40), Fragment: g.chance(15), ProgressNotify: g.chance(20)}
	r.RangeEnd = g.rangeEnd(r.Key)
	if g.chance(40) {
		r.Key, r.RangeEnd = []byte{0}, []byte{0}
	}
	switch n := g.IntN(100); {
	case n < 40:
	case n < 75:
		r.StartRevision = g.past()
	case n < 85:
		r.StartRevision = g.rev + 1 + int64(g.IntN(10))
	case n < 95:
		r.StartRevision = max(g.compacted+int64(g.IntN(4))-2, 0)
	case n < 97:
		r.StartRevision = 1
	default:
		r.StartRevision = -1 - int64(g.IntN(5))
	}
	if g.chance(15) {
		r.Filters = append(r.Filters, pb.WatchCreateRequest_FilterType(g.IntN(2)))
		if g.chance(10) {
			r.Filters = append(r.Filters, pb.WatchCreateRequest_FilterType(g.IntN(3)))
		}
	}
	if g.chance(30) {
		r.WatchId = int64(g.IntN(8)) - 1
		if r.WatchId == -1 {
			r.WatchId = -7
		}
	}
	return r
}

// unknownField adds to a request what a newer client could send.
func unknownField(m proto.Message) {
	var raw []byte
	raw = protowire.AppendTag(raw, 9999, protowire.BytesType)
	raw = protowire.AppendBytes(raw, []byte("from the future"))
	raw = protowire.AppendTag(raw, 9998, protowire.VarintType)
	raw = protowire.AppendVarint(raw, 1)
	m.ProtoReflect().SetUnknown(raw)
}
