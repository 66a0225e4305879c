package differential

import (
	"bytes"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// What two right answers to one range may differ in is taken out here, also of the ranges in transactions.
//
// Keys that are equal in what a range is sorted by come in any order: etcd sorts with an algorithm that is not stable. They
// are put in the order of their names. When the answer was cut, which of the last ones it has is free, too, and only
// what they were sorted by is kept of them.
//
// With keys_only, etcd 3.7 leaves out the lease as well, unless it sorts by value; we keep it
// (docs/decisions/0011-keys-only-keeps-the-lease.md; keysOnlyLeases checks that we do).
func loosen(req, resp proto.Message) {
	switch r := req.(type) {
	case *pb.RangeRequest:
		if a, ok := resp.(*pb.RangeResponse); ok {
			loosenRange(r, a)
		}
	case *pb.TxnRequest:
		if a, ok := resp.(*pb.TxnResponse); ok {
			loosenTxn(r, a)
		}
	}
}

func loosenTxn(r *pb.TxnRequest, a *pb.TxnResponse) {
	branch := r.Failure
	if a.Succeeded {
		branch = r.Success
	}
	for i, op := range branch {
		if i >= len(a.Responses) {
			return
		}
		if rr := op.GetRequestRange(); rr != nil && a.Responses[i].GetResponseRange() != nil {
			loosenRange(rr, a.Responses[i].GetResponseRange())
		}
		if rt := op.GetRequestTxn(); rt != nil && a.Responses[i].GetResponseTxn() != nil {
			loosenTxn(rt, a.Responses[i].GetResponseTxn())
		}
	}
}

func loosenRange(r *pb.RangeRequest, a *pb.RangeResponse) {
	if r.KeysOnly && r.SortTarget != pb.RangeRequest_VALUE {
		for _, kv := range a.Kvs {
			kv.Lease = 0
		}
	}
	untie(r, a)
}

func untie(r *pb.RangeRequest, a *pb.RangeResponse) {
	var tied func(x, y *mvccpb.KeyValue) bool
	var bare func(x *mvccpb.KeyValue) *mvccpb.KeyValue
	switch r.SortTarget {
	case pb.RangeRequest_VERSION:
		tied = func(x, y *mvccpb.KeyValue) bool { return x.Version == y.Version }
		bare = func(x *mvccpb.KeyValue) *mvccpb.KeyValue { return &mvccpb.KeyValue{Version: x.Version} }
	case pb.RangeRequest_CREATE:
		tied = func(x, y *mvccpb.KeyValue) bool { return x.CreateRevision == y.CreateRevision }
		bare = func(x *mvccpb.KeyValue) *mvccpb.KeyValue { return &mvccpb.KeyValue{CreateRevision: x.CreateRevision} }
	case pb.RangeRequest_MOD:
		tied = func(x, y *mvccpb.KeyValue) bool { return x.ModRevision == y.ModRevision }
		bare = func(x *mvccpb.KeyValue) *mvccpb.KeyValue { return &mvccpb.KeyValue{ModRevision: x.ModRevision} }
	case pb.RangeRequest_VALUE: // with keys_only the values are gone, and all keys look tied
		tied = func(x, y *mvccpb.KeyValue) bool { return bytes.Equal(x.Value, y.Value) }
		bare = func(x *mvccpb.KeyValue) *mvccpb.KeyValue { return &mvccpb.KeyValue{Value: x.Value} }
	default:
		return
	}
	for from := 0; from < len(a.Kvs); {
		to := from + 1
		for to < len(a.Kvs) && tied(a.Kvs[from], a.Kvs[to]) {
			to++
		}
		group := a.Kvs[from:to]
		if to == len(a.Kvs) && a.More {
			for i, kv := range group {
				group[i] = bare(kv)
			}
		} else {
			slices.SortFunc(group, func(x, y *mvccpb.KeyValue) int { return bytes.Compare(x.Key, y.Key) })
		}
		from = to
	}
}

// keysOnlyLeases checks the leases of our answer to a range with keys_only against those of the whole keys.
func (p *pair) keysOnlyLeases(method string, req proto.Message, ours answer) {
	p.t.Helper()
	r, ok := req.(*pb.RangeRequest)
	a, ok2 := ours.resp.(*pb.RangeResponse)
	if !ok || !ok2 || !r.KeysOnly || len(a.Kvs) == 0 || p.b.m.Binary == p.a.m.Binary {
		return
	}
	whole := proto.Clone(r).(*pb.RangeRequest)
	whole.KeysOnly = false
	w, ok := p.b.call(context.Background(), method, whole).resp.(*pb.RangeResponse)
	if !ok || len(w.Kvs) != len(a.Kvs) {
		p.invariant(p.b, "%s: another number of keys without keys_only", show(r))
		return
	}
	for i, kv := range a.Kvs {
		if !bytes.Equal(kv.Key, w.Kvs[i].Key) || kv.Lease != w.Kvs[i].Lease {
			p.invariant(p.b, "%s: %s, but without keys_only %s", show(r), show(kv), show(w.Kvs[i]))
			return
		}
	}
}
