// Package client runs the official Go client over everything that the store serves, on TCP and on a unix socket.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/mirror"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/ordering"

	"engenho-store/tests/conformance/internal/member"
)

const limit = 30 * time.Second

func start(t *testing.T, opts ...member.Option) *member.Member {
	t.Helper()
	return member.New(t, member.Binary(t, "ENGENHO_STORE"), opts...)
}

func dial(t *testing.T, m *member.Member, change ...func(*clientv3.Config)) *clientv3.Client {
	t.Helper()
	cfg := clientv3.Config{Endpoints: []string{m.ClientURL}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()}
	for _, f := range change {
		f(&cfg)
	}
	c, err := clientv3.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func timeout(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func fails(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// TestKV runs the same steps over both kinds of address.
func TestKV(t *testing.T) {
	for name, opts := range map[string][]member.Option{"http": nil, "unix": {member.WithUnix()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kv(t, dial(t, start(t, opts...)))
		})
	}
}

func kv(t *testing.T, c *clientv3.Client) {
	ctx := timeout(t)
	put := must(c.Put(ctx, "a/1", "one"))(t)
	first := put.Header.Revision
	for i, v := range []string{"two", "three", "four"} {
		must(c.Put(ctx, fmt.Sprintf("a/%d", i+2), v))(t)
	}
	put = must(c.Put(ctx, "a/1", "uno", clientv3.WithPrevKV()))(t)
	equal(t, "previous value", string(put.PrevKv.Value), "one")
	equal(t, "revision", put.Header.Revision, first+4)

	get := must(c.Get(ctx, "a/", clientv3.WithPrefix(), clientv3.WithLimit(3)))(t)
	equal(t, "keys", len(get.Kvs), 3)
	equal(t, "count", get.Count, 4)
	equal(t, "more", get.More, true)
	get = must(c.Get(ctx, "a/1", clientv3.WithRev(first)))(t)
	equal(t, "old value", string(get.Kvs[0].Value), "one")
	get = must(c.Get(ctx, "a/", clientv3.WithPrefix(), clientv3.WithSort(clientv3.SortByModRevision, clientv3.SortDescend)))(t)
	equal(t, "newest", string(get.Kvs[0].Key), "a/1")
	get = must(c.Get(ctx, "a/3", clientv3.WithFromKey(), clientv3.WithKeysOnly(), clientv3.WithSerializable()))(t)
	equal(t, "keys from a/3", len(get.Kvs), 2)
	equal(t, "value of keys only", string(get.Kvs[0].Value), "")
	get = must(c.Get(ctx, "a/", clientv3.WithPrefix(), clientv3.WithCountOnly()))(t)
	equal(t, "count only", get.Count, 4)
	get = must(c.Get(ctx, "a/", clientv3.WithPrefix(), clientv3.WithMinModRev(first+1), clientv3.WithMaxCreateRev(first+2)))(t)
	equal(t, "keys within bounds", len(get.Kvs), 3)
	must(c.Put(ctx, "a/2", "", clientv3.WithIgnoreValue()))(t)

	txn := must(c.Txn(ctx).
		If(clientv3.Compare(clientv3.Value("a/1"), "=", "uno"), clientv3.Compare(clientv3.Version("a/9"), "=", 0),
			clientv3.Compare(clientv3.CreateRevision("a/"), ">", 0).WithPrefix()).
		Then(clientv3.OpPut("t", "1"), clientv3.OpGet("t"),
			clientv3.OpTxn(nil, []clientv3.Op{clientv3.OpDelete("a/4", clientv3.WithPrevKV())}, nil)).
		Else(clientv3.OpPut("t", "2")).Commit())(t)
	equal(t, "transaction", txn.Succeeded, true)
	equal(t, "value seen within", string(txn.Responses[1].GetResponseRange().Kvs[0].Value), "1")
	inner := txn.Responses[2].GetResponseTxn().Responses[0].GetResponseDeleteRange()
	equal(t, "deleted within", string(inner.PrevKvs[0].Value), "four")

	del := must(c.Delete(ctx, "a/", clientv3.WithPrefix(), clientv3.WithPrevKV()))(t)
	equal(t, "deleted", del.Deleted, 3)
	equal(t, "previous values", len(del.PrevKvs), 3)

	_, err := c.Put(ctx, "", "x")
	fails(t, err, rpctypes.ErrEmptyKey)
	_, err = c.Get(ctx, "a", clientv3.WithRev(del.Header.Revision+10))
	fails(t, err, rpctypes.ErrFutureRev)
	_, err = c.Put(ctx, "big", strings.Repeat("x", 1600<<10))
	fails(t, err, rpctypes.ErrRequestTooLarge)
	_, err = c.Put(ctx, "k", "v", clientv3.WithLease(12345))
	fails(t, err, rpctypes.ErrLeaseNotFound)
	_, err = c.Txn(ctx).Then(clientv3.OpPut("x", ""), clientv3.OpPut("x", "")).Commit()
	fails(t, err, rpctypes.ErrDuplicateKey)
	must(c.Compact(ctx, del.Header.Revision, clientv3.WithCompactPhysical()))(t)
	_, err = c.Get(ctx, "a", clientv3.WithRev(first))
	fails(t, err, rpctypes.ErrCompacted)
	_, err = c.Compact(ctx, first)
	fails(t, err, rpctypes.ErrCompacted)
}

// TestGetStream reads a large prefix in chunks.
func TestGetStream(t *testing.T) {
	c := dial(t, start(t))
	ctx := timeout(t)
	const n = 3000
	value := strings.Repeat("v", 2000)
	for i := 0; i < n; i += 100 {
		var ops []clientv3.Op
		for j := i; j < i+100; j++ {
			ops = append(ops, clientv3.OpPut(fmt.Sprintf("s/%05d", j), value))
		}
		must(c.Txn(ctx).Then(ops...).Commit())(t)
	}
	whole := must(c.Get(ctx, "s/", clientv3.WithPrefix()))(t)
	equal(t, "keys", len(whole.Kvs), n)
	st := must(c.GetStream(ctx, "s/", clientv3.WithPrefix()))(t)
	merged := must(clientv3.GetStreamToGetResponse(st))(t)
	equal(t, "streamed keys", len(merged.Kvs), n)
	equal(t, "streamed count", merged.Count, whole.Count)
	equal(t, "streamed revision", merged.Header.Revision, whole.Header.Revision)
	for i, kv := range merged.Kvs {
		if !bytes.Equal(kv.Key, whole.Kvs[i].Key) || !bytes.Equal(kv.Value, whole.Kvs[i].Value) {
			t.Fatalf("key %d differs: %q %q", i, kv.Key, whole.Kvs[i].Key)
		}
	}
}

// next takes the next answer with events or an end from a watch.
func next(t testing.TB, ch clientv3.WatchChan) clientv3.WatchResponse {
	t.Helper()
	select {
	case r, ok := <-ch:
		if !ok {
			t.Fatal("the watch ended")
		}
		return r
	case <-time.After(limit):
		t.Fatal("no event in time")
	}
	panic("unreachable")
}

func TestWatch(t *testing.T) {
	c := dial(t, start(t))
	ctx := clientv3.WithRequireLeader(timeout(t))
	rev := must(c.Put(ctx, "w/1", "a"))(t).Header.Revision
	live := c.Watch(ctx, "w/", clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithCreatedNotify())
	equal(t, "created", next(t, live).Created, true)
	must(c.Put(ctx, "w/1", "b"))(t)
	must(c.Delete(ctx, "w/1"))(t)
	for _, want := range []string{"PUT b", "DELETE "} {
		e := next(t, live).Events[0]
		equal(t, "event", fmt.Sprintf("%v %s", e.Type, e.Kv.Value), want)
		equal(t, "has a previous value", e.PrevKv != nil, true)
	}
	past := c.Watch(ctx, "w/1", clientv3.WithRev(rev))
	var got []string
	for len(got) < 3 {
		for _, e := range next(t, past).Events {
			got = append(got, e.Type.String())
		}
	}
	equal(t, "history", fmt.Sprint(got), "[PUT PUT DELETE]")
	noPut := c.Watch(ctx, "w/", clientv3.WithPrefix(), clientv3.WithFilterPut(), clientv3.WithRev(rev))
	equal(t, "filtered", next(t, noPut).Events[0].Type, clientv3.EventTypeDelete)

	if err := c.RequestProgress(ctx); err != nil {
		t.Fatal(err)
	}
	r := next(t, live)
	equal(t, "progress", r.IsProgressNotify(), true)
	equal(t, "revision of the progress", r.Header.Revision, rev+2)

	must(c.Compact(ctx, rev+2))(t)
	r = next(t, c.Watch(ctx, "w/1", clientv3.WithRev(rev)))
	equal(t, "compact revision", r.CompactRevision, rev+2)
	fails(t, r.Err(), rpctypes.ErrCompacted)

	part, stop := context.WithCancel(ctx)
	ended := c.Watch(part, "w/", clientv3.WithPrefix())
	stop()
	for range ended { // closes
	}
	must(c.Put(ctx, "w/2", ""))(t)
	equal(t, "the other watches go on", string(next(t, live).Events[0].Kv.Key), "w/2")
}

// TestWatchResumes restarts the store under watches: they go on without a gap and without an event twice.
func TestWatchResumes(t *testing.T) {
	m := start(t)
	c := dial(t, m)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ch := c.Watch(ctx, "r/", clientv3.WithPrefix())
	put := func(i int) {
		t.Helper()
		for { // the client does not repeat a put by itself
			try, stop := context.WithTimeout(ctx, 5*time.Second)
			_, err := c.Txn(try).If(clientv3.Compare(clientv3.Version(fmt.Sprintf("r/%d", i)), "=", 0)).
				Then(clientv3.OpPut(fmt.Sprintf("r/%d", i), "")).Commit()
			stop()
			if err == nil {
				return
			}
			if ctx.Err() != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	written, seen := 0, 0
	for round := range 4 {
		for range 50 {
			put(written)
			written++
		}
		if round%2 == 0 {
			m.Stop()
		} else {
			m.Kill()
		}
		m.Start()
		for range 10 {
			put(written)
			written++
		}
		for seen < written {
			for _, e := range next(t, ch).Events {
				equal(t, "key", string(e.Kv.Key), fmt.Sprintf("r/%d", seen))
				seen++
			}
		}
	}
	equal(t, "keys", must(c.Get(ctx, "r/", clientv3.WithPrefix(), clientv3.WithCountOnly()))(t).Count, int64(written))
}

func TestLease(t *testing.T) {
	m := start(t)
	c := dial(t, m)
	ctx := timeout(t)
	short := must(c.Grant(ctx, 2))(t)
	kept := must(c.Grant(ctx, 2))(t)
	must(c.Put(ctx, "l/short", "", clientv3.WithLease(short.ID)))(t)
	must(c.Put(ctx, "l/kept", "", clientv3.WithLease(kept.ID)))(t)
	alive := must(c.KeepAlive(ctx, kept.ID))(t)
	gone := c.Watch(ctx, "l/short")
	e := next(t, gone).Events[0]
	equal(t, "end of a lease", e.Type, clientv3.EventTypeDelete)
	for range 3 {
		ka, ok := <-alive
		if !ok {
			t.Fatal("keep-alive ended")
		}
		equal(t, "TTL", ka.TTL, 2)
	}
	equal(t, "kept key", must(c.Get(ctx, "l/kept"))(t).Count, 1)
	ttl := must(c.TimeToLive(ctx, kept.ID, clientv3.WithAttachedKeys()))(t)
	equal(t, "keys of the lease", fmt.Sprintf("%s", ttl.Keys), "[l/kept]")
	equal(t, "leases", len(must(c.Leases(ctx))(t).Leases), 1)
	equal(t, "TTL of no lease", must(c.TimeToLive(ctx, short.ID))(t).TTL, -1)
	_, err := c.KeepAliveOnce(ctx, short.ID)
	fails(t, err, rpctypes.ErrLeaseNotFound)
	_, err = c.Revoke(ctx, short.ID)
	fails(t, err, rpctypes.ErrLeaseNotFound)

	long := must(c.Grant(ctx, 500))(t)
	must(c.Put(ctx, "l/long", "", clientv3.WithLease(long.ID)))(t)
	m.Stop()
	m.Start()
	ttl = must(c.TimeToLive(ctx, long.ID, clientv3.WithAttachedKeys()))(t)
	equal(t, "TTL granted before the restart", ttl.GrantedTTL, 500)
	equal(t, "keys after the restart", fmt.Sprintf("%s", ttl.Keys), "[l/long]")
	must(c.Revoke(ctx, long.ID))(t)
	equal(t, "keys of a revoked lease", must(c.Get(ctx, "l/long"))(t).Count, 0)
}

func session(t *testing.T, c *clientv3.Client, ttl int) *concurrency.Session {
	t.Helper()
	s := must(concurrency.NewSession(c, concurrency.WithTTL(ttl)))(t)
	t.Cleanup(func() { s.Close() })
	return s
}

// TestMutex lets clients fight for a lock and counts that only one at a time has it.
func TestMutex(t *testing.T) {
	m := start(t)
	ctx := timeout(t)
	var inside, total int32
	var wg sync.WaitGroup
	for range 8 {
		s := session(t, dial(t, m), 20)
		wg.Go(func() {
			mu := concurrency.NewMutex(s, "mutex")
			for range 10 {
				if err := mu.Lock(ctx); err != nil {
					t.Error(err)
					return
				}
				if atomic.AddInt32(&inside, 1) != 1 {
					t.Error("two have the lock")
				}
				total++ // guarded by the lock
				atomic.AddInt32(&inside, -1)
				if err := mu.Unlock(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	equal(t, "times locked", total, 80)

	c := dial(t, m)
	a, b := session(t, c, 20), session(t, c, 20)
	ma, mb := concurrency.NewMutex(a, "try"), concurrency.NewMutex(b, "try")
	if err := ma.TryLock(ctx); err != nil {
		t.Fatal(err)
	}
	fails(t, mb.TryLock(ctx), concurrency.ErrLocked)
	a.Close() // revokes its lease, and so unlocks
	if err := mb.Lock(ctx); err != nil {
		t.Error(err)
	}
	equal(t, "owner", must(c.Txn(ctx).If(mb.IsOwner()).Commit())(t).Succeeded, true)
}

func TestElection(t *testing.T) {
	m := start(t)
	ctx := timeout(t)
	c := dial(t, m)
	e1 := concurrency.NewElection(session(t, c, 20), "e")
	s2 := session(t, dial(t, m), 20)
	e2 := concurrency.NewElection(s2, "e")
	_, err := e1.Leader(ctx)
	fails(t, err, concurrency.ErrElectionNoLeader)
	seen := concurrency.NewElection(session(t, c, 20), "e").Observe(ctx)
	if err := e1.Campaign(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	equal(t, "leader", string((<-seen).Kvs[0].Value), "one")
	won := make(chan error, 1)
	go func() { won <- e2.Campaign(ctx, "two") }()
	if err := e1.Proclaim(ctx, "uno"); err != nil {
		t.Fatal(err)
	}
	equal(t, "leader", string((<-seen).Kvs[0].Value), "uno")
	select {
	case err := <-won:
		t.Fatalf("two leaders: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := e1.Resign(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-won; err != nil {
		t.Fatal(err)
	}
	equal(t, "leader", string((<-seen).Kvs[0].Value), "two")
	equal(t, "leader", string(must(e1.Leader(ctx))(t).Kvs[0].Value), "two")
}

// TestSTM moves money between accounts from many clients: none is lost at either isolation.
func TestSTM(t *testing.T) {
	c := dial(t, start(t))
	ctx := timeout(t)
	const accounts, start = 5, 100
	for i := range accounts {
		must(c.Put(ctx, fmt.Sprintf("acc/%d", i), fmt.Sprint(start)))(t)
	}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			level := []concurrency.Isolation{concurrency.SerializableSnapshot, concurrency.Serializable}[w%2]
			for i := range 15 {
				from, to := fmt.Sprintf("acc/%d", (w+i)%accounts), fmt.Sprintf("acc/%d", (w*i+1)%accounts)
				if from == to {
					continue
				}
				if _, err := concurrency.NewSTM(c, func(s concurrency.STM) error {
					var a, b int
					fmt.Sscan(s.Get(from), &a)
					fmt.Sscan(s.Get(to), &b)
					s.Put(from, fmt.Sprint(a-1))
					s.Put(to, fmt.Sprint(b+1))
					return nil
				}, concurrency.WithIsolation(level), concurrency.WithAbortContext(ctx)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sum := 0
	for _, kv := range must(c.Get(ctx, "acc/", clientv3.WithPrefix()))(t).Kvs {
		var n int
		fmt.Sscan(string(kv.Value), &n)
		sum += n
	}
	equal(t, "money", sum, accounts*start)
}

// TestMaintenance goes through Maintenance, Cluster and the status of Auth.
func TestMaintenance(t *testing.T) {
	m := start(t)
	c := dial(t, m)
	ctx := timeout(t)
	rev := must(c.Put(ctx, "a", "b"))(t).Header.Revision
	members := must(c.MemberList(ctx))(t)
	equal(t, "members", len(members.Members), 1)
	me := members.Members[0]
	equal(t, "name", me.Name, m.Name)
	equal(t, "client URL", fmt.Sprint(me.ClientURLs), "["+m.ClientURL+"]")
	equal(t, "peer URL", fmt.Sprint(me.PeerURLs), "["+m.PeerURL+"]")
	st := must(c.Status(ctx, m.ClientURL))(t)
	equal(t, "leader", st.Leader, me.ID)
	equal(t, "revision", st.Header.Revision, rev)
	equal(t, "learner", st.IsLearner, false)
	if !strings.HasPrefix(st.Version, "3.") || st.DbSize <= 0 || st.DbSizeInUse <= 0 || st.RaftAppliedIndex == 0 ||
		len(st.Errors) > 0 {
		t.Errorf("status: %+v", st)
	}
	hash := must(c.HashKV(ctx, m.ClientURL, 0))(t)
	must(c.Defragment(ctx, m.ClientURL))(t)
	equal(t, "hash after a defragmentation", must(c.HashKV(ctx, m.ClientURL, rev))(t).Hash, hash.Hash)
	m.Kill()
	m.Start()
	equal(t, "hash after a restart", must(c.HashKV(ctx, m.ClientURL, rev))(t).Hash, hash.Hash)
	equal(t, "alarms", len(must(c.AlarmList(ctx))(t).Alarms), 0)
	equal(t, "members after a restart", must(c.MemberList(ctx))(t).Members[0].ID, me.ID)
	must(c.MemberUpdate(ctx, me.ID, []string{"http://127.0.0.1:1"}))(t)
	equal(t, "new peer URL", fmt.Sprint(must(c.MemberList(ctx))(t).Members[0].PeerURLs), "[http://127.0.0.1:1]")
	equal(t, "auth", must(c.AuthStatus(ctx))(t).Enabled, false)
	_, err := c.Authenticate(ctx, "u", "p")
	fails(t, err, rpctypes.ErrAuthNotEnabled)
	if err := c.Sync(ctx); err != nil { // asks for the members and takes their addresses
		t.Error(err)
	}
	equal(t, "endpoints", fmt.Sprint(c.Endpoints()), "["+m.ClientURL+"]")
}

// TestKubernetesInterface is what the apiserver's newer store speaks.
func TestKubernetesInterface(t *testing.T) {
	m := start(t)
	k, err := kubernetes.New(clientv3.Config{Endpoints: []string{m.ClientURL}, DialTimeout: 5 * time.Second, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	ctx := timeout(t)
	api := k.Kubernetes
	p := must(api.OptimisticPut(ctx, "/r/a", []byte("1"), 0, kubernetes.PutOptions{}))(t)
	equal(t, "created", p.Succeeded, true)
	p2 := must(api.OptimisticPut(ctx, "/r/a", []byte("2"), 0, kubernetes.PutOptions{GetOnFailure: true}))(t)
	equal(t, "created again", p2.Succeeded, false)
	equal(t, "what is there", string(p2.KV.Value), "1")
	p = must(api.OptimisticPut(ctx, "/r/a", []byte("2"), p.Revision, kubernetes.PutOptions{}))(t)
	equal(t, "updated", p.Succeeded, true)
	for i := range 10 {
		must(api.OptimisticPut(ctx, fmt.Sprintf("/r/b%d", i), nil, 0, kubernetes.PutOptions{}))(t)
	}
	list := must(api.List(ctx, "/r/", kubernetes.ListOptions{Limit: 4}))(t)
	equal(t, "count", list.Count, 11)
	more := must(api.List(ctx, "/r/", kubernetes.ListOptions{Limit: 100, Revision: list.Revision,
		Continue: string(list.Kvs[3].Key) + "\x00"}))(t)
	equal(t, "the rest", len(more.Kvs), 7)
	equal(t, "count", must(api.Count(ctx, "/r/", kubernetes.CountOptions{}))(t), 11)
	d := must(api.OptimisticDelete(ctx, "/r/a", 1, kubernetes.DeleteOptions{GetOnFailure: true}))(t)
	equal(t, "deleted at another revision", d.Succeeded, false)
	d = must(api.OptimisticDelete(ctx, "/r/a", p.Revision, kubernetes.DeleteOptions{}))(t)
	equal(t, "deleted", d.Succeeded, true)
	equal(t, "gone", must(api.Get(ctx, "/r/a", kubernetes.GetOptions{}))(t).KV == nil, true)
}

// TestLayers runs what the client library builds on top: prefixes, ordering, leasing, mirrors.
func TestLayers(t *testing.T) {
	c := dial(t, start(t))
	ctx := timeout(t)
	ns := namespace.NewKV(c.KV, "ns/")
	must(ns.Put(ctx, "k", "v"))(t)
	equal(t, "key below a prefix", string(must(c.Get(ctx, "ns/k"))(t).Kvs[0].Value), "v")
	ord := ordering.NewKV(c.KV, func(clientv3.Op, clientv3.OpResponse, int64) error { return errors.New("went back") })
	must(ord.Get(ctx, "ns/k"))(t)
	lkv, closeLeasing, err := leasing.NewKV(c, "leases/")
	if err != nil {
		t.Fatal(err)
	}
	defer closeLeasing()
	must(lkv.Get(ctx, "ns/k"))(t)
	must(lkv.Put(ctx, "ns/k", "w"))(t)
	equal(t, "leased key", string(must(lkv.Get(ctx, "ns/k"))(t).Kvs[0].Value), "w")
	for i := range 50 {
		must(c.Put(ctx, fmt.Sprintf("m/%02d", i), ""))(t)
	}
	sync := mirror.NewSyncer(c, "m/", 0)
	base, errs := sync.SyncBase(ctx)
	n := 0
	for r := range base {
		n += len(r.Kvs)
	}
	if err := <-errs; err != nil {
		t.Error(err)
	}
	equal(t, "mirrored", n, 50)
	updates := sync.SyncUpdates(ctx)
	must(c.Put(ctx, "m/new", ""))(t)
	equal(t, "mirrored later", string(next(t, updates).Events[0].Kv.Key), "m/new")
}

// TestKeepAlivePings pings every 10 seconds beside an open watch: the connection must not be closed for that.
func TestKeepAlivePings(t *testing.T) {
	t.Parallel()
	m := start(t)
	var dials atomic.Int32
	c := dial(t, m, func(cfg *clientv3.Config) {
		cfg.DialKeepAliveTime, cfg.DialKeepAliveTimeout = 10*time.Second, 3*time.Second
		cfg.DialOptions = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(m.ClientURL, "http://"))
		})}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ch := c.Watch(ctx, "a")
	time.Sleep(55 * time.Second) // five pings; gRPC servers count two bad ones, then close
	must(c.Put(ctx, "a", "1"))(t)
	equal(t, "event", string(next(t, ch).Events[0].Kv.Value), "1")
	equal(t, "connections made", dials.Load(), 1)
}
