// Package differential sends the same requests to etcd and to engenho-store and compares all that comes back.
//
// What may differ is taken out before the comparison: cluster and member ids, raft terms and indexes, sizes, addresses,
// the order of lists that etcd takes from a hash map or sorts in no stable way, seconds left of a lease, and what the
// README of this module names. Everything else, each field of each answer, code and text of each error, has to be equal.
package differential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	epb "go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	lpb "go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"

	"engenho-store/tests/conformance/internal/member"
)

const (
	callLimit    = 10 * time.Second
	historyLen   = 12
	shownBytes   = 1200
	ttlTolerance = 2 // seconds
)

// methods maps each unary method to a new, empty answer.
var methods = map[string]func() proto.Message{
	"/etcdserverpb.KV/Range":                  func() proto.Message { return new(pb.RangeResponse) },
	"/etcdserverpb.KV/Put":                    func() proto.Message { return new(pb.PutResponse) },
	"/etcdserverpb.KV/DeleteRange":            func() proto.Message { return new(pb.DeleteRangeResponse) },
	"/etcdserverpb.KV/Txn":                    func() proto.Message { return new(pb.TxnResponse) },
	"/etcdserverpb.KV/Compact":                func() proto.Message { return new(pb.CompactionResponse) },
	"/etcdserverpb.Lease/LeaseGrant":          func() proto.Message { return new(pb.LeaseGrantResponse) },
	"/etcdserverpb.Lease/LeaseRevoke":         func() proto.Message { return new(pb.LeaseRevokeResponse) },
	"/etcdserverpb.Lease/LeaseTimeToLive":     func() proto.Message { return new(pb.LeaseTimeToLiveResponse) },
	"/etcdserverpb.Lease/LeaseLeases":         func() proto.Message { return new(pb.LeaseLeasesResponse) },
	"/etcdserverpb.Cluster/MemberAdd":         func() proto.Message { return new(pb.MemberAddResponse) },
	"/etcdserverpb.Cluster/MemberRemove":      func() proto.Message { return new(pb.MemberRemoveResponse) },
	"/etcdserverpb.Cluster/MemberUpdate":      func() proto.Message { return new(pb.MemberUpdateResponse) },
	"/etcdserverpb.Cluster/MemberList":        func() proto.Message { return new(pb.MemberListResponse) },
	"/etcdserverpb.Cluster/MemberPromote":     func() proto.Message { return new(pb.MemberPromoteResponse) },
	"/etcdserverpb.Maintenance/Alarm":         func() proto.Message { return new(pb.AlarmResponse) },
	"/etcdserverpb.Maintenance/Status":        func() proto.Message { return new(pb.StatusResponse) },
	"/etcdserverpb.Maintenance/Defragment":    func() proto.Message { return new(pb.DefragmentResponse) },
	"/etcdserverpb.Maintenance/Hash":          func() proto.Message { return new(pb.HashResponse) },
	"/etcdserverpb.Maintenance/HashKV":        func() proto.Message { return new(pb.HashKVResponse) },
	"/etcdserverpb.Maintenance/MoveLeader":    func() proto.Message { return new(pb.MoveLeaderResponse) },
	"/etcdserverpb.Maintenance/Downgrade":     func() proto.Message { return new(pb.DowngradeResponse) },
	"/etcdserverpb.Auth/AuthEnable":           func() proto.Message { return new(pb.AuthEnableResponse) },
	"/etcdserverpb.Auth/AuthDisable":          func() proto.Message { return new(pb.AuthDisableResponse) },
	"/etcdserverpb.Auth/AuthStatus":           func() proto.Message { return new(pb.AuthStatusResponse) },
	"/etcdserverpb.Auth/Authenticate":         func() proto.Message { return new(pb.AuthenticateResponse) },
	"/etcdserverpb.Auth/UserAdd":              func() proto.Message { return new(pb.AuthUserAddResponse) },
	"/etcdserverpb.Auth/UserGet":              func() proto.Message { return new(pb.AuthUserGetResponse) },
	"/etcdserverpb.Auth/UserList":             func() proto.Message { return new(pb.AuthUserListResponse) },
	"/etcdserverpb.Auth/UserDelete":           func() proto.Message { return new(pb.AuthUserDeleteResponse) },
	"/etcdserverpb.Auth/UserChangePassword":   func() proto.Message { return new(pb.AuthUserChangePasswordResponse) },
	"/etcdserverpb.Auth/UserGrantRole":        func() proto.Message { return new(pb.AuthUserGrantRoleResponse) },
	"/etcdserverpb.Auth/UserRevokeRole":       func() proto.Message { return new(pb.AuthUserRevokeRoleResponse) },
	"/etcdserverpb.Auth/RoleAdd":              func() proto.Message { return new(pb.AuthRoleAddResponse) },
	"/etcdserverpb.Auth/RoleGet":              func() proto.Message { return new(pb.AuthRoleGetResponse) },
	"/etcdserverpb.Auth/RoleList":             func() proto.Message { return new(pb.AuthRoleListResponse) },
	"/etcdserverpb.Auth/RoleDelete":           func() proto.Message { return new(pb.AuthRoleDeleteResponse) },
	"/etcdserverpb.Auth/RoleGrantPermission":  func() proto.Message { return new(pb.AuthRoleGrantPermissionResponse) },
	"/etcdserverpb.Auth/RoleRevokePermission": func() proto.Message { return new(pb.AuthRoleRevokePermissionResponse) },
	"/v3lockpb.Lock/Lock":                     func() proto.Message { return new(lpb.LockResponse) },
	"/v3lockpb.Lock/Unlock":                   func() proto.Message { return new(lpb.UnlockResponse) },
	"/v3electionpb.Election/Campaign":         func() proto.Message { return new(epb.CampaignResponse) },
	"/v3electionpb.Election/Proclaim":         func() proto.Message { return new(epb.ProclaimResponse) },
	"/v3electionpb.Election/Leader":           func() proto.Message { return new(epb.LeaderResponse) },
	"/v3electionpb.Election/Resign":           func() proto.Message { return new(epb.ResignResponse) },
}

// side is one of the two servers.
type side struct {
	name      string
	m         *member.Member
	conn      *grpc.ClientConn
	clusterID uint64
	memberID  uint64
	keepAlive pb.Lease_LeaseKeepAliveClient
	mutate    func(method string, answer proto.Message) // spoils answers on their way in; see selfcheck_test.go
	t         testing.TB
}

func (s *side) connect() {
	s.t.Helper()
	conn, err := grpc.NewClient(s.m.Target(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		s.t.Fatal(err)
	}
	s.conn = conn
	resp := new(pb.MemberListResponse)
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	if err := conn.Invoke(ctx, "/etcdserverpb.Cluster/MemberList", &pb.MemberListRequest{}, resp); err != nil {
		s.t.Fatalf("%s: member list: %v", s.name, err)
	}
	if len(resp.Members) != 1 {
		s.t.Fatalf("%s: %d members, want 1", s.name, len(resp.Members))
	}
	if s.clusterID != 0 && (s.clusterID != resp.Header.ClusterId || s.memberID != resp.Header.MemberId) {
		s.t.Fatalf("%s: ids changed across a restart", s.name)
	}
	s.clusterID, s.memberID = resp.Header.ClusterId, resp.Header.MemberId
	if s.clusterID == 0 || s.memberID == 0 || s.memberID != resp.Members[0].ID {
		s.t.Fatalf("%s: header of the member list has ids %x %x, its member %x", s.name,
			s.clusterID, s.memberID, resp.Members[0].ID)
	}
	s.openKeepAlive()
}

func (s *side) openKeepAlive() {
	ka, err := pb.NewLeaseClient(s.conn).LeaseKeepAlive(context.Background())
	if err != nil {
		s.t.Fatal(err)
	}
	s.keepAlive = ka
}

// answer is what a call came back with.
type answer struct {
	resp proto.Message // nil with an error
	code codes.Code
	text string
}

func answerOf(resp proto.Message, err error) answer {
	if err == nil {
		return answer{resp: resp}
	}
	st := status.Convert(err)
	return answer{code: st.Code(), text: st.Message()}
}

func (a answer) String() string {
	if a.resp == nil {
		return fmt.Sprintf("%v %q", a.code, a.text)
	}
	return show(a.resp)
}

func show(m proto.Message) string {
	s := fmt.Sprintf("%s{%s}", m.ProtoReflect().Descriptor().Name(), prototext.MarshalOptions{}.Format(m))
	if len(s) > shownBytes {
		s = fmt.Sprintf("%s... (%d bytes)", s[:shownBytes], len(s))
	}
	return s
}

// call makes one unary call, one exchange on the keep-alive stream, or one RangeStream (merged).
func (s *side) call(ctx context.Context, method string, req proto.Message) answer {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	switch method {
	case "/etcdserverpb.KV/RangeStream":
		return s.rangeStream(ctx, req.(*pb.RangeRequest))
	case "/etcdserverpb.Lease/LeaseKeepAlive":
		return s.keepAliveOnce(req.(*pb.LeaseKeepAliveRequest))
	}
	newResp, ok := methods[method]
	if !ok {
		panic("unknown method " + method)
	}
	resp := newResp()
	err := s.conn.Invoke(ctx, method, req, resp)
	if err == nil && s.mutate != nil {
		s.mutate(method, resp)
	}
	return answerOf(resp, err)
}

func (s *side) keepAliveOnce(req *pb.LeaseKeepAliveRequest) answer {
	if err := s.keepAlive.Send(req); err != nil {
		return answerOf(nil, err)
	}
	type result struct {
		resp *pb.LeaseKeepAliveResponse
		err  error
	}
	done := make(chan result, 1)
	go func() {
		resp, err := s.keepAlive.Recv()
		done <- result{resp, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			s.openKeepAlive()
			return answerOf(nil, r.err)
		}
		if s.mutate != nil {
			s.mutate("/etcdserverpb.Lease/LeaseKeepAlive", r.resp)
		}
		return answer{resp: r.resp}
	case <-time.After(callLimit):
		return answer{code: codes.DeadlineExceeded, text: "no answer on the keep-alive stream"}
	}
}

// rangeStream merges the chunks into one answer; a chunk that breaks the rules of the stream is an answer of its own
// kind, so that it differs from a right one.
func (s *side) rangeStream(ctx context.Context, req *pb.RangeRequest) answer {
	st, err := pb.NewKVClient(s.conn).RangeStream(ctx, req)
	if err != nil {
		return answerOf(nil, err)
	}
	merged := new(pb.RangeResponse)
	for last := false; ; {
		chunk, err := st.Recv()
		if errors.Is(err, io.EOF) {
			if !last {
				return answer{code: codes.Internal, text: "RangeStream ended without a chunk with a header"}
			}
			return answer{resp: merged}
		}
		if err != nil {
			return answerOf(nil, err)
		}
		if s.mutate != nil {
			s.mutate("/etcdserverpb.KV/RangeStream", chunk)
		}
		if last {
			return answer{code: codes.Internal, text: "RangeStream: a chunk after the one with the header"}
		}
		part := chunk.GetRangeResponse()
		if part == nil {
			return answer{code: codes.Internal, text: "RangeStream: a chunk without range_response"}
		}
		last = part.Header != nil
		if !last && (part.More || part.Count != 0) {
			return answer{code: codes.Internal, text: "RangeStream: more or count before the last chunk"}
		}
		part.Kvs = append(merged.Kvs, part.Kvs...)
		merged = part
	}
}

type headered interface{ GetHeader() *pb.ResponseHeader }

// normalize takes out of an answer what two servers need not have in common.
func (s *side) normalize(m proto.Message) {
	if h, ok := m.(headered); ok && h.GetHeader() != nil {
		s.normalizeHeader(h.GetHeader())
	}
	switch r := m.(type) {
	case *pb.LeaseTimeToLiveResponse:
		slices.SortFunc(r.Keys, slices.Compare[[]byte])
	case *pb.LeaseLeasesResponse:
		slices.SortFunc(r.Leases, func(a, b *pb.LeaseStatus) int { return cmp.Compare(a.ID, b.ID) })
	case *pb.AlarmResponse:
		for _, a := range r.Alarms {
			a.MemberID = s.symbolicMember(a.MemberID)
		}
		slices.SortFunc(r.Alarms, func(a, b *pb.AlarmMember) int {
			return cmp.Or(cmp.Compare(a.MemberID, b.MemberID), cmp.Compare(a.Alarm, b.Alarm))
		})
	case *pb.MemberListResponse:
		s.normalizeMembers(r.Members)
	case *pb.MemberUpdateResponse:
		s.normalizeMembers(r.Members)
	case *pb.StatusResponse:
		s.normalizeStatus(r)
	case *pb.HashResponse:
		r.Hash = 0 // etcd's covers its whole file, member ids included
	case *pb.AuthUserListResponse:
		slices.Sort(r.Users)
	case *pb.AuthRoleListResponse:
		slices.Sort(r.Roles)
	}
}

func (s *side) normalizeHeader(h *pb.ResponseHeader) {
	if h.ClusterId == s.clusterID {
		h.ClusterId = 1
	}
	if h.MemberId == s.memberID {
		h.MemberId = 1
	}
	h.RaftTerm = min(h.RaftTerm, 1)
}

func (s *side) symbolicMember(id uint64) uint64 {
	if id == s.memberID {
		return 1
	}
	return id
}

func (s *side) normalizeMembers(ms []*pb.Member) {
	for _, m := range ms {
		m.ID = s.symbolicMember(m.ID)
		for i, u := range m.PeerURLs {
			m.PeerURLs[i] = strings.Replace(u, s.m.PeerURL, "PEER", 1)
		}
		for i, u := range m.ClientURLs {
			m.ClientURLs[i] = strings.Replace(u, s.m.ClientURL, "CLIENT", 1)
		}
	}
}

func (s *side) normalizeStatus(r *pb.StatusResponse) {
	var major, minor, patch int
	if n, _ := fmt.Sscanf(r.Version, "%d.%d.%d", &major, &minor, &patch); n == 3 && major == 3 && minor >= 7 {
		r.Version = "3.7.0 or newer"
	}
	if r.RaftAppliedIndex > r.RaftIndex {
		r.Errors = append(r.Errors, "raftAppliedIndex is above raftIndex")
	}
	if r.DbSizeInUse > r.DbSize {
		r.Errors = append(r.Errors, "dbSizeInUse is above dbSize")
	}
	r.Leader = s.symbolicMember(r.Leader)
	r.RaftIndex, r.RaftAppliedIndex, r.RaftTerm = min(r.RaftIndex, 1), min(r.RaftAppliedIndex, 1), min(r.RaftTerm, 1)
	r.DbSize, r.DbSizeInUse = min(r.DbSize, 1), min(r.DbSizeInUse, 1)
	for i, e := range r.Errors { // etcd prints alarms with spaces that change from build to build
		e = strings.Join(strings.Fields(e), " ")
		r.Errors[i] = strings.Replace(e, fmt.Sprintf("memberID:%d", s.memberID), "memberID:1", 1)
	}
	slices.Sort(r.Errors)
}

// pair is etcd (a) beside the server under test (b).
type pair struct {
	t        testing.TB
	a, b     *side
	requests int
	diffs    int
	diffsMax int
	apart    time.Duration // how much later than the other one a member was back from the last restart
	quiet    bool          // the self-checks expect differences: count, do not fail
	history  []string
	tally    map[string]int // answers by method and code
}

func newPair(t testing.TB, etcd, ours string, args ...string) *pair {
	t.Helper()
	p := &pair{t: t, diffsMax: 1, tally: map[string]int{}}
	start := func(name, binary string) *side {
		s := &side{name: name, t: t}
		level := "error"
		if binary == etcd {
			level = "panic" // etcd calls each refused request an error
		}
		s.m = member.New(t, binary, member.WithArgs(append([]string{"--unsafe-no-fsync", "--log-level=" + level}, args...)...))
		s.connect()
		return s
	}
	p.a, p.b = start("etcd", etcd), start("ours", ours)
	t.Cleanup(func() { p.a.conn.Close(); p.b.conn.Close() })
	return p
}

// both runs f for each side at the same time.
func (p *pair) both(f func(*side)) {
	var wg sync.WaitGroup
	wg.Go(func() { f(p.a) })
	f(p.b)
	wg.Wait()
}

// do sends one request to both servers, compares, and returns etcd's answer.
func (p *pair) do(method string, req proto.Message) answer {
	p.t.Helper()
	return p.doEach(method, func(*side) proto.Message { return req })
}

// doEach is do for requests that name something that differs between the servers, such as a member id.
func (p *pair) doEach(method string, req func(*side) proto.Message) answer {
	p.t.Helper()
	var got [2]answer
	p.both(func(s *side) {
		got[p.index(s)] = s.call(context.Background(), method, req(s))
	})
	p.keysOnlyLeases(method, req(p.b), got[1])
	return p.compare(method, req(p.a), got[0], got[1])
}

func (p *pair) index(s *side) int {
	if s == p.a {
		return 0
	}
	return 1
}

// compare judges two answers to one request and returns etcd's.
func (p *pair) compare(method string, req proto.Message, a, b answer) answer {
	p.t.Helper()
	p.requests++
	p.tally[method[strings.LastIndex(method, "/")+1:]+" "+a.code.String()]++
	if a.code == codes.DeadlineExceeded && !p.quiet {
		p.t.Fatalf("harness: etcd did not answer %s %s in time; before it:\n  %s", method, show(req),
			strings.Join(p.history, "\n  "))
	}
	if a.resp != nil {
		p.a.normalize(a.resp)
		loosen(req, a.resp)
	}
	if b.resp != nil {
		p.b.normalize(b.resp)
		loosen(req, b.resp)
	}
	allowTTL(a.resp, b.resp, ttlTolerance+int64(math.Ceil(p.apart.Seconds())))
	p.remember(method, req, a)
	if !sameAnswer(a, b) {
		p.differ(fmt.Sprintf("%s %s", method, show(req)), a.String(), b.String())
	}
	return a
}

func sameAnswer(a, b answer) bool {
	if a.resp == nil || b.resp == nil {
		return a.resp == nil && b.resp == nil && a.code == b.code && a.text == b.text
	}
	return proto.Equal(a.resp, b.resp)
}

// allowTTL forgives some seconds of a lease's remaining time.
func allowTTL(a, b proto.Message, tolerance int64) {
	ra, ok := a.(*pb.LeaseTimeToLiveResponse)
	rb, ok2 := b.(*pb.LeaseTimeToLiveResponse)
	if ok && ok2 && max(ra.TTL-rb.TTL, rb.TTL-ra.TTL) <= tolerance && ra.TTL > 0 && rb.TTL > 0 {
		rb.TTL = ra.TTL
	}
}

func (p *pair) remember(method string, req proto.Message, a answer) {
	if p.quiet {
		return
	}
	p.note(fmt.Sprintf("%s %s\n      -> %s", method, shorten(show(req)), shorten(a.String())))
}

func shorten(s string) string {
	if len(s) > 400 {
		return s[:400] + "..."
	}
	return s
}

func (p *pair) note(line string) {
	p.history = append(p.history, fmt.Sprintf("%d: %s", p.requests, line))
	if len(p.history) > historyLen {
		p.history = p.history[1:]
	}
}

// differ reports a difference and ends the test when there were enough of them.
func (p *pair) differ(what, a, b string) {
	p.t.Helper()
	p.diffs++
	if p.quiet {
		return // the self-checks want differences
	}
	for _, s := range []*side{p.a, p.b} {
		if !s.m.Alive() {
			defer p.t.Fatalf("%s is no longer running: %s", s.name, s.m.End())
		}
	}
	p.t.Errorf("difference %d, at request %d:\n  %s\n  etcd: %s\n  ours: %s\nbefore it:\n  %s",
		p.diffs, p.requests, what, a, b, strings.Join(p.history, "\n  "))
	if p.diffs >= p.diffsMax {
		p.t.Fatalf("stopped after %d differences", p.diffs)
	}
}

// invariant reports a rule that one server broke by itself.
func (p *pair) invariant(s *side, format string, args ...any) {
	p.t.Helper()
	other := "(keeps the rule)"
	broke := fmt.Sprintf(format, args...)
	if s == p.a {
		p.differ("a rule that every server keeps", broke, other)
	} else {
		p.differ("a rule that every server keeps", other, broke)
	}
}
