package differential

import (
	"bytes"
	"slices"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Keys that are equal in what a range is sorted by come in any order: etcd sorts with an algorithm that is not stable.
// untie puts such keys in the order of their names. When the answer was cut, which of the last ones it has is free, too,
// and only what they were sorted by is kept of them.
func untie(req, resp proto.Message) {
	switch r := req.(type) {
	case *pb.RangeRequest:
		if a, ok := resp.(*pb.RangeResponse); ok {
			untieRange(r, a)
		}
	case *pb.TxnRequest:
		if a, ok := resp.(*pb.TxnResponse); ok {
			untieTxn(r, a)
		}
	}
}

func untieTxn(r *pb.TxnRequest, a *pb.TxnResponse) {
	branch := r.Failure
	if a.Succeeded {
		branch = r.Success
	}
	for i, op := range branch {
		if i >= len(a.Responses) {
			return
		}
		if rr := op.GetRequestRange(); rr != nil && a.Responses[i].GetResponseRange() != nil {
			untieRange(rr, a.Responses[i].GetResponseRange())
		}
		if rt := op.GetRequestTxn(); rt != nil && a.Responses[i].GetResponseTxn() != nil {
			untieTxn(rt, a.Responses[i].GetResponseTxn())
		}
	}
}

func untieRange(r *pb.RangeRequest, a *pb.RangeResponse) {
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
