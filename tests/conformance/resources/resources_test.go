// Package resources runs a client that protoc generated from proto/resource_store.proto, as anybody would make one, over
// everything that engenho.v1.ResourceStore does.
package resources

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"engenho-store/tests/conformance/internal/member"
	pb "engenho-store/tests/conformance/internal/resourcepb"
)

type store struct {
	t *testing.T
	m *member.Member
	pb.ResourceStoreClient
}

func start(t *testing.T) *store {
	t.Helper()
	m := member.New(t, member.Binary(t, "ENGENHO_STORE"))
	return &store{t, m, connect(t, m)}
}

func connect(t *testing.T, m *member.Member) pb.ResourceStoreClient {
	t.Helper()
	conn, err := grpc.NewClient(m.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return pb.NewResourceStoreClient(conn)
}

func (s *store) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	s.t.Cleanup(cancel)
	return ctx
}

func configMap(name string) *pb.Key {
	return &pb.Key{Version: "v1", Kind: "ConfigMap", HasNamespace: &pb.Key_Namespace{Namespace: "default"}, Name: name}
}

func deployment(name string) *pb.Key {
	return &pb.Key{Group: "apps", Version: "v1", Kind: "Deployment", HasNamespace: &pb.Key_Namespace{Namespace: "default"}, Name: name}
}

// wrote fails the test unless the call was answered with this outcome.
func (s *store) wrote(want pb.Outcome) func(*pb.WriteResponse, error) *pb.WriteResponse {
	s.t.Helper()
	return func(r *pb.WriteResponse, err error) *pb.WriteResponse {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
		if r.Outcome != want {
			s.t.Fatalf("%s (%s), not %s", r.Outcome, r.Message, want)
		}
		return r
	}
}

func (s *store) put(key *pb.Key, value string) *pb.WriteResponse {
	s.t.Helper()
	r, err := s.Put(s.ctx(), &pb.PutRequest{Key: key, Value: []byte(value)})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// at is a member of a JSON object: at(v, "spec", "replicas").
func at(t *testing.T, value []byte, path ...string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(value, &v); err != nil {
		t.Fatalf("%v: %s", err, value)
	}
	for _, name := range path {
		o, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = o[name]
	}
	return v
}

func TestWrites(t *testing.T) {
	s := start(t)
	created := s.wrote(pb.Outcome_CREATED)(s.Put(s.ctx(), &pb.PutRequest{Key: configMap("a"), Value: []byte(`{"data":{"x":"1"}}`)}))
	if at(t, created.Resource.Value, "metadata", "uid") == nil || created.Resource.ModRevision != created.Revision {
		t.Fatalf("%s at %d", created.Resource.Value, created.Revision)
	}
	replaced := s.wrote(pb.Outcome_REPLACED)(s.Put(s.ctx(), &pb.PutRequest{Key: configMap("a"), Value: []byte(`{"data":{"x":"2"}}`),
		HasExpected: &pb.PutRequest_Expected{Expected: created.Resource.ModRevision}}))
	conflict := s.wrote(pb.Outcome_CONFLICT)(s.Put(s.ctx(), &pb.PutRequest{Key: configMap("a"), Value: []byte(`{}`),
		HasExpected: &pb.PutRequest_Expected{Expected: created.Resource.ModRevision}}))
	if conflict.Revision != replaced.Revision {
		t.Fatalf("a conflict moved the revision from %d to %d", replaced.Revision, conflict.Revision)
	}
	if _, err := s.Put(s.ctx(), &pb.PutRequest{Key: configMap("a"), Value: []byte(`{`)}); status.Code(err) != codes.InvalidArgument {
		t.Fatalf("broken JSON: %v", err)
	}
	s.wrote(pb.Outcome_NO_OP)(s.Delete(s.ctx(), &pb.DeleteRequest{Key: configMap("nobody")}))
	s.put(configMap("held"), `{"metadata":{"finalizers":["x/y"]}}`)
	s.wrote(pb.Outcome_DELETION_PENDING)(s.Delete(s.ctx(), &pb.DeleteRequest{Key: configMap("held")}))
	s.wrote(pb.Outcome_DELETED)(s.Delete(s.ctx(), &pb.DeleteRequest{Key: configMap("a")}))
	if _, err := s.Get(s.ctx(), &pb.GetRequest{Key: configMap("a")}); status.Code(err) != codes.NotFound {
		t.Fatalf("a deleted one: %v", err)
	}
}

func TestPatches(t *testing.T) {
	s := start(t)
	key := deployment("web")
	s.put(key, `{"spec":{"replicas":1,"template":{"spec":{"containers":[{"name":"a","image":"a:1"},{"name":"b","image":"b:1"}]}}}}`)
	patch := func(kind pb.PatchType, text string) *pb.Resource {
		t.Helper()
		return s.wrote(pb.Outcome_PATCHED)(s.Patch(s.ctx(), &pb.PatchRequest{Key: key, Type: kind, Patch: []byte(text)})).Resource
	}
	if r := patch(pb.PatchType_MERGE, `{"spec":{"replicas":2}}`); at(t, r.Value, "spec", "replicas") != 2.0 {
		t.Fatalf("%s", r.Value)
	}
	if r := patch(pb.PatchType_JSON, `[{"op":"replace","path":"/spec/replicas","value":3}]`); at(t, r.Value, "spec", "replicas") != 3.0 {
		t.Fatalf("%s", r.Value)
	}
	r := patch(pb.PatchType_STRATEGIC, `{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"b:2"}]}}}}`)
	if text := string(r.Value); !strings.Contains(text, `"a:1"`) || !strings.Contains(text, `"b:2"`) || strings.Contains(text, `"b:1"`) {
		t.Fatalf("%s", text)
	}
	s.wrote(pb.Outcome_PATCH_REJECTED)(s.Patch(s.ctx(), &pb.PatchRequest{Key: key, Type: pb.PatchType_JSON,
		Patch: []byte(`[{"op":"test","path":"/spec/replicas","value":7}]`)}))
}

func TestApply(t *testing.T) {
	s := start(t)
	apply := func(manager, text string, force bool) (*pb.WriteResponse, error) {
		return s.Patch(s.ctx(), &pb.PatchRequest{Key: configMap("a"), Type: pb.PatchType_APPLY, Patch: []byte(text),
			FieldManager: manager, Force: force})
	}
	s.wrote(pb.Outcome_CREATED)(apply("one", `{"data":{"x":"1","y":"1"}}`, false))
	refused := s.wrote(pb.Outcome_APPLY_CONFLICT)(apply("two", `{"data":{"x":"2"}}`, false))
	if len(refused.Causes) != 1 || refused.Causes[0].Field != ".data.x" {
		t.Fatalf("%v", refused.Causes)
	}
	s.wrote(pb.Outcome_PATCHED)(apply("two", `{"data":{"x":"2"}}`, true))
	r := s.wrote(pb.Outcome_PATCHED)(apply("one", `{"data":{}}`, false)) // gives y up; x belongs to the other
	if at(t, r.Resource.Value, "data", "x") != "2" || at(t, r.Resource.Value, "data", "y") != nil {
		t.Fatalf("%s", r.Resource.Value)
	}
}

func TestTxn(t *testing.T) {
	s := start(t)
	first := s.put(configMap("a"), `{}`).Resource.ModRevision
	txn := &pb.TxnRequest{
		Compares: []*pb.Compare{{Key: configMap("a"), HasModRevision: &pb.Compare_ModRevision{ModRevision: first}}, {Key: configMap("b")}},
		Success:  []*pb.Operation{{Key: configMap("a")}, {Key: configMap("b"), HasValue: &pb.Operation_Value{Value: []byte(`{}`)}}},
	}
	if r, err := s.Txn(s.ctx(), txn); err != nil || r.Outcome == pb.Outcome_CONFLICT {
		t.Fatal(r, err)
	}
	list, err := s.List(s.ctx(), &pb.ListRequest{Version: "v1", Kind: "ConfigMap"})
	if err != nil || len(list.Items) != 1 || list.Items[0].Key.Name != "b" {
		t.Fatal(list, err)
	}
}

func TestLists(t *testing.T) {
	s := start(t)
	for i := range 25 {
		s.put(configMap(fmt.Sprintf("c%02d", i)), fmt.Sprintf(`{"metadata":{"labels":{"odd":"%d"}}}`, i%2))
	}
	var names []string
	request := &pb.ListRequest{Version: "v1", Kind: "ConfigMap", LabelSelector: "odd=1", Limit: 5}
	for left := 12; ; {
		page, err := s.List(s.ctx(), request)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			names = append(names, item.Key.Name)
		}
		left -= len(page.Items)
		if page.Remaining != int64(left) {
			t.Fatalf("%d remaining, not %d", page.Remaining, left)
		}
		if page.Continue == "" {
			break
		}
		request.Continue = page.Continue
		s.put(configMap("c00"), fmt.Sprintf(`{"data":{"n":"%d"},"metadata":{"labels":{"odd":"1"}}}`, left)) // not in this list
	}
	if len(names) != 12 || names[0] != "c01" || names[11] != "c23" || !slices.IsSorted(names) {
		t.Fatal(names)
	}
	request.Continue = request.Continue[:len(request.Continue)-1] + "x"
	if _, err := s.List(s.ctx(), request); status.Code(err) != codes.InvalidArgument {
		t.Fatalf("a spoilt token: %v", err)
	}
}

func TestWatch(t *testing.T) {
	s := start(t)
	from := s.put(configMap("a"), `{}`).Revision
	on, off := `{"metadata":{"labels":{"on":"1"}}}`, `{"metadata":{"labels":{"on":"0"}}}`
	s.put(configMap("b"), on)
	s.put(configMap("b"), off)
	read := func(client pb.ResourceStoreClient, from int64, count int) (got []string, last int64) {
		t.Helper()
		stream, err := client.Watch(s.ctx(), &pb.WatchRequest{Version: "v1", Kind: "ConfigMap", LabelSelector: "on=1", FromRevision: from})
		if err != nil {
			t.Fatal(err)
		}
		for len(got) < count {
			message, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range message.Events {
				got = append(got, e.Type.String()+" "+e.Resource.Key.Name)
			}
			last = message.Revision
		}
		return got, last
	}
	got, last := read(s.ResourceStoreClient, from, 2)
	if !slices.Equal(got, []string{"ADDED b", "DELETED b"}) {
		t.Fatal(got)
	}
	s.m.Kill()
	s.m.Start()
	s.ResourceStoreClient = connect(t, s.m)
	s.put(configMap("c"), on)
	if got, _ = read(s.ResourceStoreClient, last, 1); !slices.Equal(got, []string{"ADDED c"}) {
		t.Fatalf("resumed with %v", got)
	}
}
