// Package member runs one store process, ours or etcd, on loopback for the length of a test.
package member

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

const (
	startLimit = 30 * time.Second
	stopLimit  = 20 * time.Second
)

// Binary returns the program named by an environment variable, or skips the test with the reason.
func Binary(t testing.TB, env string) string {
	t.Helper()
	path := os.Getenv(env)
	if path == "" {
		t.Skipf("%s is not set: it names the program to test (see scripts/conformance)", env)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return path
}

// Member is a process with its own data folder. Start it, stop it, kill it and start it again.
type Member struct {
	Name      string
	Binary    string
	DataDir   string
	ClientURL string // http://127.0.0.1:PORT or unix://...
	PeerURL   string
	args      []string

	t      testing.TB
	cmd    *exec.Cmd
	exited chan struct{}
	log    logTail
}

// Option changes how a member is started.
type Option func(*Member)

// WithArgs adds flags.
func WithArgs(args ...string) Option {
	return func(m *Member) { m.args = append(m.args, args...) }
}

// WithUnix makes the member listen for clients on a unix socket.
func WithUnix() Option {
	return func(m *Member) { m.ClientURL = "unix://" + filepath.Join(m.DataDir, "..", "client.sock") }
}

// New starts a member and returns when it answers. It is stopped when the test ends.
func New(t testing.TB, binary string, opts ...Option) *Member {
	t.Helper()
	dir, err := os.MkdirTemp("", "engenho-conformance-")
	if err != nil {
		t.Fatal(err)
	}
	m := &Member{
		Name:      "m1",
		Binary:    binary,
		DataDir:   filepath.Join(dir, "data"),
		ClientURL: fmt.Sprintf("http://127.0.0.1:%d", FreePort(t)),
		PeerURL:   fmt.Sprintf("http://127.0.0.1:%d", FreePort(t)),
		t:         t,
	}
	for _, o := range opts {
		o(m)
	}
	t.Cleanup(func() {
		m.Kill()
		if t.Failed() {
			t.Logf("last lines of %s:\n%s", filepath.Base(binary), m.log.String())
		}
		os.RemoveAll(dir)
	})
	m.Start()
	return m
}

var (
	portMu   sync.Mutex
	portSeen = map[int]bool{}
)

// FreePort returns a TCP port of loopback that was free a moment ago and was not returned before.
func FreePort(t testing.TB) int {
	t.Helper()
	portMu.Lock()
	defer portMu.Unlock()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if !portSeen[port] {
			portSeen[port] = true
			return port
		}
	}
}

// Start runs the process on its data folder and waits until a linearizable read works.
func (m *Member) Start() {
	m.t.Helper()
	args := []string{
		"--name=" + m.Name, "--data-dir=" + m.DataDir,
		"--listen-client-urls=" + m.ClientURL, "--advertise-client-urls=" + m.ClientURL,
		"--listen-peer-urls=" + m.PeerURL, "--initial-advertise-peer-urls=" + m.PeerURL,
		"--initial-cluster=" + m.Name + "=" + m.PeerURL,
	}
	m.cmd = exec.Command(m.Binary, append(args, m.args...)...)
	m.cmd.Stdout, m.cmd.Stderr = &m.log, &m.log
	m.cmd.Dir = filepath.Dir(m.DataDir)
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	m.cmd.Env = withoutEtcd(os.Environ())
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.exited = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { cmd.Wait(); close(done) }(m.cmd, m.exited)
	if err := m.waitReady(); err != nil {
		m.t.Fatalf("%s did not become ready: %v\n%s", m.Binary, err, m.log.String())
	}
}

func withoutEtcd(env []string) []string {
	kept := env[:0:0]
	for _, e := range env {
		if !strings.HasPrefix(e, "ETCD_") && !strings.HasPrefix(e, "ETCDCTL_") {
			kept = append(kept, e)
		}
	}
	return kept
}

func (m *Member) waitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	conn, err := grpc.NewClient(m.Target(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	kv := pb.NewKVClient(conn)
	for {
		try, cancelTry := context.WithTimeout(ctx, 2*time.Second)
		_, err = kv.Range(try, &pb.RangeRequest{Key: []byte("ready")})
		cancelTry()
		if err == nil {
			return nil
		}
		select {
		case <-m.exited:
			return errors.New("the process ended: " + m.cmd.ProcessState.String())
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Target is the client URL as grpc.NewClient wants it.
func (m *Member) Target() string {
	if strings.HasPrefix(m.ClientURL, "unix:") {
		return m.ClientURL
	}
	return "passthrough:///" + strings.TrimPrefix(m.ClientURL, "http://")
}

// Alive tells whether the process still runs.
func (m *Member) Alive() bool {
	select {
	case <-m.exited:
		return false
	default:
		return true
	}
}

// End tells how the process ended and what it said about it.
func (m *Member) End() string {
	<-m.exited
	return m.cmd.ProcessState.String() + "\n" + m.log.String()
}

// Stop asks the process to end with SIGTERM and fails the test if it does not do so in time with status 0 (or, as etcd
// does, by the same signal).
func (m *Member) Stop() {
	m.t.Helper()
	m.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.exited:
	case <-time.After(stopLimit):
		m.Kill()
		m.t.Fatalf("%s did not end within %v of SIGTERM", m.Binary, stopLimit)
	}
	status := m.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if m.cmd.ProcessState.ExitCode() != 0 && !(status.Signaled() && status.Signal() == syscall.SIGTERM) {
		m.t.Fatalf("%s ended with %v after SIGTERM\n%s", m.Binary, m.cmd.ProcessState, m.log.String())
	}
}

// Kill ends the process at once.
func (m *Member) Kill() {
	if m.cmd == nil || m.cmd.Process == nil {
		return
	}
	m.cmd.Process.Kill()
	<-m.exited
}

// logTail keeps the last part of what a process prints.
type logTail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const (
	logTailBytes  = 32 << 10
	logLinesShown = 8
	logLineShown  = 240
)

func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	if over := l.buf.Len() - logTailBytes; over > 0 {
		l.buf.Next(over)
	}
	return len(p), nil
}

func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(l.buf.String()), "\n")
	from := max(0, len(lines)-logLinesShown)
	for i, line := range lines { // how it died, not the stacks after that
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			from = i
			break
		}
	}
	lines = lines[from:min(from+logLinesShown, len(lines))]
	for i, line := range lines {
		lines[i] = line[:min(len(line), logLineShown)]
	}
	return strings.Join(lines, "\n")
}
