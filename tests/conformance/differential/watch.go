package differential

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// Watches run beside the requests. What a server sends is sorted into one log per life of a watch id: the created
// answer, its events in order, its cancellation. The logs of both servers are compared at barriers, when both have
// said (by answering a progress request) that everything up to the current revision was sent. Where etcd itself is free
// (how many revisions share one answer, when progress is told) only rules are checked: order, no revision split
// across answers unless they are fragments, header revisions that never fall behind the events.

const (
	watchLimit    = 10 * time.Second
	progressRetry = 10 * time.Millisecond // etcd says nothing while a watch of the stream catches up
)

// watchLog is what one server sent for one life of a watch id.
type watchLog struct {
	created   *pb.WatchResponse
	events    []*mvccpb.Event
	ends      []*pb.WatchResponse // cancellations; etcd can send two: compacted, then asked for
	headerRev int64
	lastRev   int64
	fragment  bool // the last answer said that more of it follows
	compared  int  // events that were found equal and dropped
}

// watchStream is one Watch call on one server.
type watchStream struct {
	s      *side
	st     pb.Watch_WatchClient
	cancel context.CancelFunc

	mu         sync.Mutex
	changed    chan struct{} // closed and replaced when anything arrives
	live       map[int64]*watchLog
	lives      []*watchLog         // in order of creation
	refused    []*pb.WatchResponse // created and cancelled at once, id -1
	stray      []*pb.WatchResponse // for ids that have no life
	created    int
	progress   int64 // revision of the last progress answer
	fragmented bool  // an answer came in parts
	broken     []string
	err        error
}

func openWatch(s *side) (*watchStream, error) {
	ctx, cancel := context.WithCancel(context.Background())
	st, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	w := &watchStream{s: s, st: st, cancel: cancel, changed: make(chan struct{}), live: map[int64]*watchLog{}}
	go w.receive()
	return w, nil
}

func (w *watchStream) receive() {
	for {
		r, err := w.st.Recv()
		if err == nil && w.s.mutate != nil {
			if w.s.mutate("/etcdserverpb.Watch/Watch", r); len(r.Events) == 0 && !r.Created && !r.Canceled && r.WatchId >= 0 {
				continue // a self-check took the events away
			}
		}
		w.mu.Lock()
		if err != nil {
			w.err = err
		} else {
			w.sort(r)
		}
		close(w.changed)
		w.changed = make(chan struct{})
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// sort puts one answer where it belongs. Called with the lock held.
func (w *watchStream) sort(r *pb.WatchResponse) {
	if r.Header == nil {
		w.broken = append(w.broken, "watch answer without a header: "+show(r))
		return
	}
	w.s.normalizeHeader(r.Header)
	switch {
	case r.Created && r.Canceled:
		w.created++
		w.refused = append(w.refused, r)
	case r.Created:
		w.created++
		l := &watchLog{created: r, headerRev: r.Header.Revision}
		w.live[r.WatchId] = l
		w.lives = append(w.lives, l)
	case w.live[r.WatchId] != nil:
		w.live[r.WatchId].take(w, r)
	case r.WatchId == -1 && len(r.Events) == 0 && !r.Canceled:
		w.progress = r.Header.Revision
	default:
		w.stray = append(w.stray, r)
	}
}

func (l *watchLog) take(w *watchStream, r *pb.WatchResponse) {
	rule := func(ok bool, what string) {
		if !ok {
			w.broken = append(w.broken, fmt.Sprintf("%s (last revision %d): %s", what, l.lastRev, show(r)))
		}
	}
	if r.Canceled {
		rule(len(r.Events) == 0, "a cancellation carries events")
		l.ends = append(l.ends, r)
		return
	}
	if len(r.Events) > 0 {
		first := r.Events[0].Kv.ModRevision
		rule(first > l.lastRev || (first == l.lastRev && l.fragment), "a revision is split or repeated")
		for _, e := range r.Events {
			rule(e.Kv.ModRevision >= l.lastRev, "events are out of order")
			l.lastRev = e.Kv.ModRevision
		}
		l.events = append(l.events, r.Events...)
	}
	rule(r.Header.Revision >= l.lastRev, "the header is older than the events")
	rule(r.Header.Revision >= l.headerRev, "the header went back")
	rule(r.CompactRevision == 0 && r.CancelReason == "", "fields of a cancellation on an answer that is none")
	l.headerRev, l.fragment = r.Header.Revision, r.Fragment
	w.fragmented = w.fragmented || r.Fragment
}

// await waits until cond (called with the lock held) is true.
func (w *watchStream) await(limit time.Duration, cond func() bool) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		w.mu.Lock()
		ok, err, changed := cond(), w.err, w.changed
		w.mu.Unlock()
		if ok {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the watch stream ended: %w", err)
		}
		select {
		case <-changed:
		case <-timer.C:
			return errors.New("no such answer in time")
		}
	}
}

// settle waits until the server has sent everything up to rev.
func (w *watchStream) settle(rev int64) error {
	w.mu.Lock()
	w.progress = 0
	w.mu.Unlock()
	for deadline := time.Now().Add(watchLimit); time.Now().Before(deadline); {
		if err := w.st.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_ProgressRequest{
			ProgressRequest: &pb.WatchProgressRequest{}}}); err != nil {
			return err
		}
		if w.await(progressRetry, func() bool { return w.progress >= rev }) == nil {
			return nil
		}
	}
	return fmt.Errorf("no progress answer for revision %d in time", rev)
}

// watcher is what the test knows of a watch that it asked for.
type watcher struct {
	id       int64
	startRev int64
}

// watchPair is a Watch call on both servers.
type watchPair struct {
	p           *pair
	a, b        *watchStream
	watchers    map[int64]*watcher // alive on the server
	lives       int                // watches created so far
	progressRev int64              // revision when progress was last asked for
	asked       []string           // the last requests of this stream
}

func newWatchPair(p *pair) *watchPair {
	p.t.Helper()
	var ws [2]*watchStream
	for i, s := range []*side{p.a, p.b} {
		w, err := openWatch(s)
		if err != nil {
			p.t.Fatalf("%s: watch: %v", s.name, err)
		}
		ws[i] = w
	}
	return &watchPair{p: p, a: ws[0], b: ws[1], watchers: map[int64]*watcher{}}
}

func (wp *watchPair) close() {
	wp.a.cancel()
	wp.b.cancel()
}

func (wp *watchPair) send(r *pb.WatchRequest) {
	wp.p.requests++
	wp.p.note("Watch " + shorten(show(r)))
	wp.asked = append(wp.asked, fmt.Sprintf("%d: %s", wp.p.requests, show(r)))
	wp.asked = wp.asked[max(0, len(wp.asked)-2*historyLen):]
	for _, w := range []*watchStream{wp.a, wp.b} {
		if err := w.st.Send(r); err != nil {
			wp.p.t.Fatalf("%s: send on a watch stream: %v", w.s.name, err)
		}
	}
}

// await waits for the same thing on both servers; the one that does not answer is the difference.
func (wp *watchPair) await(what string, cond func(*watchStream) bool) bool {
	ea := wp.a.await(watchLimit, func() bool { return cond(wp.a) })
	limit := watchLimit
	if wp.p.quiet {
		limit = time.Second
	}
	eb := wp.b.await(limit, func() bool { return cond(wp.b) })
	if ea != nil || eb != nil {
		wp.p.differ("watch: "+what, fmt.Sprint(errOr(ea)), fmt.Sprint(errOr(eb)))
		return false
	}
	return true
}

func errOr(err error) any {
	if err == nil {
		return "came"
	}
	return err
}

// create asks for a watch and waits for the created answer. It returns the watcher, or nil when etcd refused it.
func (wp *watchPair) create(c *pb.WatchCreateRequest) *watcher {
	wp.p.t.Helper()
	wp.a.mu.Lock()
	want := wp.a.created + 1
	wp.a.mu.Unlock()
	wp.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: c}})
	if !wp.await("created", func(w *watchStream) bool { return w.created >= want }) {
		return nil
	}
	wp.a.mu.Lock()
	lives := wp.a.lives
	wp.a.mu.Unlock()
	if len(lives) == wp.lives {
		return nil
	}
	wp.lives = len(lives)
	w := &watcher{id: lives[wp.lives-1].created.WatchId, startRev: c.StartRevision}
	wp.watchers[w.id] = w
	return w
}

// stop cancels a watch and waits for the answer.
func (wp *watchPair) stop(id int64) {
	wp.p.t.Helper()
	wp.a.mu.Lock()
	la, want := wp.a.live[id], 1
	if la != nil {
		want = len(la.ends) + 1
	}
	wp.a.mu.Unlock()
	if la == nil {
		wp.p.t.Fatalf("harness: stop of watch %d, which never lived", id)
	}
	wp.cancelOnly(id)
	wp.await(fmt.Sprintf("cancellation of watch %d", id), func(w *watchStream) bool {
		return w.live[id] != nil && len(w.live[id].ends) >= want
	})
	delete(wp.watchers, id)
}

// cancelOnly sends a cancellation and waits for nothing.
func (wp *watchPair) cancelOnly(id int64) {
	wp.send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CancelRequest{
		CancelRequest: &pb.WatchCancelRequest{WatchId: id}}})
}

// furthest is the highest start revision of a live watch: until the store reaches it, etcd tells no progress.
func (wp *watchPair) furthest() int64 {
	var rev int64
	for _, w := range wp.watchers {
		rev = max(rev, w.startRev)
	}
	return rev
}

// barrier waits until both servers have sent all up to rev and compares what they sent.
func (wp *watchPair) barrier(rev int64) {
	wp.p.t.Helper()
	if len(wp.watchers) > 0 {
		var wg sync.WaitGroup
		var ea, eb error
		wg.Go(func() { ea = wp.a.settle(rev) })
		eb = wp.b.settle(rev)
		wg.Wait()
		if ea != nil || eb != nil {
			wp.p.differ(fmt.Sprintf("watch: progress request at revision %d with %d watches; requests of this stream:\n  %s",
				rev, len(wp.watchers), strings.Join(wp.asked, "\n  ")),
				fmt.Sprint(errOr(ea)), fmt.Sprint(errOr(eb)))
			return
		}
	}
	wp.compare()
}

// compare judges what has arrived so far; the caller made sure that both servers have sent all of it.
func (wp *watchPair) compare() {
	wp.p.t.Helper()
	a, b := wp.a, wp.b
	a.mu.Lock()
	defer a.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range []*watchStream{a, b} {
		if len(w.broken) > 0 {
			wp.p.invariant(w.s, "%s", strings.Join(w.broken, "; "))
			w.broken = nil
		}
	}
	wp.sameList("refused watches", a.refused, b.refused)
	wp.sameList("answers for ids without a watch", a.stray, b.stray)
	a.refused, b.refused, a.stray, b.stray = nil, nil, nil, nil
	if len(a.lives) != len(b.lives) {
		wp.p.differ("watches created", fmt.Sprint(len(a.lives)), fmt.Sprint(len(b.lives)))
		return
	}
	for i := range a.lives {
		wp.sameLife(i, a.lives[i], b.lives[i])
	}
}

func (wp *watchPair) sameList(what string, a, b []*pb.WatchResponse) {
	wp.p.t.Helper()
	for i := range max(len(a), len(b)) {
		sa, sb := "nothing", "nothing"
		if i < len(a) {
			sa = show(a[i])
		}
		if i < len(b) {
			sb = show(b[i])
		}
		if i >= len(a) || i >= len(b) || !proto.Equal(a[i], b[i]) {
			wp.p.differ("watch: "+what, sa, sb)
		}
	}
}

// sameLife compares one life of a watch on both servers and drops what is equal.
func (wp *watchPair) sameLife(i int, a, b *watchLog) {
	wp.p.t.Helper()
	if !proto.Equal(a.created, b.created) {
		wp.p.differ(fmt.Sprintf("watch: created answer of watch number %d", i), show(a.created), show(b.created))
	}
	wp.sameList("cancellation", a.ends, b.ends)
	what := fmt.Sprintf("watch number %d (id %d)", i, a.created.WatchId)
	for j := range max(len(a.events), len(b.events)) {
		if j >= len(a.events) || j >= len(b.events) {
			wp.p.differ(fmt.Sprintf("%s: number of events since the last barrier", what),
				fmt.Sprintf("%d %s", len(a.events), lastEvent(a.events)),
				fmt.Sprintf("%d %s", len(b.events), lastEvent(b.events)))
			break
		}
		if !proto.Equal(a.events[j], b.events[j]) {
			wp.p.differ(fmt.Sprintf("%s: event %d", what, a.compared+j), show(a.events[j]), show(b.events[j]))
			break
		}
	}
	a.compared += len(a.events)
	b.compared += len(b.events)
	a.events, b.events, a.ends, b.ends = nil, nil, nil, nil
}

func lastEvent(es []*mvccpb.Event) string {
	if len(es) == 0 {
		return ""
	}
	return "last " + show(es[len(es)-1])
}
