package client

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	reflectpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "go.etcd.io/etcd/api/v3/etcdserverpb"
	_ "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	_ "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"

	"engenho-store/tests/conformance/internal/member"
)

func connect(t *testing.T, m *member.Member) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(m.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestHealth(t *testing.T) {
	m := start(t)
	h := healthpb.NewHealthClient(connect(t, m))
	ctx := timeout(t)
	equal(t, "health", must(h.Check(ctx, &healthpb.HealthCheckRequest{}))(t).Status, healthpb.HealthCheckResponse_SERVING)
	_, err := h.Check(ctx, &healthpb.HealthCheckRequest{Service: "no.such.Service"})
	equal(t, "code for an unknown service", status.Code(err), codes.NotFound)
	w := must(h.Watch(ctx, &healthpb.HealthCheckRequest{}))(t)
	equal(t, "watched health", must(w.Recv())(t).Status, healthpb.HealthCheckResponse_SERVING)
	w = must(h.Watch(ctx, &healthpb.HealthCheckRequest{Service: "no.such.Service"}))(t)
	equal(t, "watched health of an unknown service", must(w.Recv())(t).Status, healthpb.HealthCheckResponse_SERVICE_UNKNOWN)
}

var services = []string{
	"etcdserverpb.Auth", "etcdserverpb.Cluster", "etcdserverpb.KV", "etcdserverpb.Lease", "etcdserverpb.Maintenance",
	"etcdserverpb.Watch", "grpc.health.v1.Health", "v3electionpb.Election", "v3lockpb.Lock",
}

// beyondEtcd skips what etcd does not have when it is the one that is tested.
func beyondEtcd(t *testing.T, what string) {
	t.Helper()
	if path, _ := filepath.EvalSymlinks(os.Getenv("ENGENHO_STORE")); filepath.Base(path) == "etcd" {
		t.Skip("etcd has no " + what)
	}
}

// TestReflection asks for the descriptors and compares each service with etcd's.
func TestReflection(t *testing.T) {
	beyondEtcd(t, "server reflection")
	conn := connect(t, start(t))
	st := must(reflectpb.NewServerReflectionClient(conn).ServerReflectionInfo(timeout(t)))(t)
	ask := func(req *reflectpb.ServerReflectionRequest) *reflectpb.ServerReflectionResponse {
		t.Helper()
		if err := st.Send(req); err != nil {
			t.Fatal(err)
		}
		return must(st.Recv())(t)
	}
	var listed []string
	for _, s := range ask(&reflectpb.ServerReflectionRequest{MessageRequest: &reflectpb.ServerReflectionRequest_ListServices{
		ListServices: "*"}}).GetListServicesResponse().GetService() {
		listed = append(listed, s.Name)
	}
	files := map[string]*descriptorpb.FileDescriptorProto{}
	load := func(resp *reflectpb.ServerReflectionResponse) {
		t.Helper()
		fd := resp.GetFileDescriptorResponse()
		if fd == nil {
			t.Fatalf("no descriptor: %v", resp.GetErrorResponse())
		}
		for _, raw := range fd.FileDescriptorProto {
			f := new(descriptorpb.FileDescriptorProto)
			if err := proto.Unmarshal(raw, f); err != nil {
				t.Fatal(err)
			}
			files[f.GetName()] = f
		}
	}
	for _, name := range services {
		if !slices.Contains(listed, name) {
			t.Errorf("service %s is not listed among %v", name, listed)
			continue
		}
		load(ask(&reflectpb.ServerReflectionRequest{MessageRequest: &reflectpb.ServerReflectionRequest_FileContainingSymbol{
			FileContainingSymbol: name}}))
	}
	for missing := true; missing; { // dependencies
		missing = false
		for _, f := range files {
			for _, dep := range f.Dependency {
				if files[dep] == nil {
					missing = true
					load(ask(&reflectpb.ServerReflectionRequest{MessageRequest: &reflectpb.ServerReflectionRequest_FileByFilename{
						FileByFilename: dep}}))
				}
			}
			if missing {
				break
			}
		}
	}
	for _, f := range files {
		for _, s := range f.Service {
			sameService(t, f.GetPackage()+"."+s.GetName(), s)
		}
		for _, m := range f.MessageType {
			sameMessage(t, f.GetPackage()+"."+m.GetName(), m)
		}
	}
	bad := ask(&reflectpb.ServerReflectionRequest{MessageRequest: &reflectpb.ServerReflectionRequest_FileContainingSymbol{
		FileContainingSymbol: "no.such.Thing"}})
	equal(t, "code for an unknown symbol", codes.Code(bad.GetErrorResponse().GetErrorCode()), codes.NotFound)
}

func sameService(t *testing.T, name string, got *descriptorpb.ServiceDescriptorProto) {
	t.Helper()
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return // not etcd's
	}
	want := d.(protoreflect.ServiceDescriptor).Methods()
	equal(t, "methods of "+name, len(got.Method), want.Len())
	for _, m := range got.Method {
		w := want.ByName(protoreflect.Name(m.GetName()))
		if w == nil || m.GetInputType() != "."+string(w.Input().FullName()) ||
			m.GetOutputType() != "."+string(w.Output().FullName()) ||
			m.GetClientStreaming() != w.IsStreamingClient() || m.GetServerStreaming() != w.IsStreamingServer() {
			t.Errorf("%s: method %v differs from %v", name, m, w)
		}
	}
}

func sameMessage(t *testing.T, name string, got *descriptorpb.DescriptorProto) {
	t.Helper()
	d, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return
	}
	want := d.(protoreflect.MessageDescriptor).Fields()
	equal(t, "fields of "+name, len(got.Field), want.Len())
	for _, f := range got.Field {
		w := want.ByNumber(protoreflect.FieldNumber(f.GetNumber()))
		if w == nil || string(w.Name()) != f.GetName() || int(w.Kind()) != int(f.GetType()) ||
			int(w.Cardinality()) != int(f.GetLabel()) {
			t.Errorf("%s: field %v differs from %v", name, f, w)
		}
	}
}

// TestGrpcurl does what a person with grpcurl does.
func TestGrpcurl(t *testing.T) {
	beyondEtcd(t, "server reflection")
	grpcurl := member.Binary(t, "GRPCURL")
	m := start(t)
	run := func(input string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, grpcurl, append([]string{"-plaintext"}, args...)...)
		cmd.Stdin = strings.NewReader(input)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("grpcurl %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	addr := strings.TrimPrefix(m.ClientURL, "http://")
	listed := strings.Fields(run("", addr, "list"))
	for _, s := range services {
		if !slices.Contains(listed, s) {
			t.Errorf("service %s is not listed among %v", s, listed)
		}
	}
	if out := run("", addr, "describe", "etcdserverpb.KV.Range"); !strings.Contains(out, "etcdserverpb.RangeRequest") {
		t.Errorf("describe: %s", out)
	}
	run(`{"key":"YQ==","value":"Yg=="}`, "-d", "@", addr, "etcdserverpb.KV/Put")
	if out := run(`{"key":"YQ=="}`, "-d", "@", addr, "etcdserverpb.KV/Range"); !strings.Contains(out, `"value": "Yg=="`) {
		t.Errorf("range: %s", out)
	}
	if out := run("", addr, "grpc.health.v1.Health/Check"); !strings.Contains(out, "SERVING") {
		t.Errorf("health: %s", out)
	}
}
