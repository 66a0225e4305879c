package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"engenho-store/tests/conformance/internal/member"
)

const (
	readyLimit   = 2 * time.Minute
	kubectlLimit = 60 * time.Second
	token        = "conformance"
)

// cluster is a store and a kube-apiserver on it: no controllers, no nodes.
type cluster struct {
	t       *testing.T
	store   *member.Member
	dir     string
	kubectl string
	url     string
	http    *http.Client
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	store := member.Binary(t, "ENGENHO_STORE")
	apiserver, kubectl := member.Binary(t, "KUBE_APISERVER"), member.Binary(t, "KUBECTL")
	c := &cluster{t: t, kubectl: kubectl, dir: t.TempDir()}
	c.store = member.New(t, store, member.WithArgs("--watch-progress-notify-interval=5s"))
	c.credentials()

	port := member.FreePort(t)
	c.url = fmt.Sprintf("https://127.0.0.1:%d", port)
	log, err := os.Create(filepath.Join(c.dir, "apiserver.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(apiserver,
		"--etcd-servers="+c.store.ClientURL,
		"--etcd-compaction-interval=10s",
		"--event-ttl=5s", "--lease-reuse-duration-seconds=2",
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--advertise-address=192.0.2.1", // only written into the endpoints of the service
		"--tls-cert-file="+c.file("serving.crt"), "--tls-private-key-file="+c.file("serving.key"),
		"--cert-dir="+c.file("certs"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+c.file("serving.key"), "--service-account-signing-key-file="+c.file("serving.key"),
		"--token-auth-file="+c.file("tokens.csv"), "--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--disable-admission-plugins=ServiceAccount", // nobody makes the accounts here
	)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if t.Failed() {
			t.Logf("last lines of kube-apiserver:\n%s", tail(c.file("apiserver.log"), 25))
		}
	})
	c.ready()
	return c
}

func (c *cluster) file(name string) string { return filepath.Join(c.dir, name) }

func tail(path string, n int) string {
	b, _ := os.ReadFile(path)
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	for i, l := range lines {
		lines[i] = l[:min(len(l), 300)]
	}
	return string(bytes.Join(lines[max(0, len(lines)-n):], []byte("\n")))
}

// credentials makes the serving certificate, which signs itself and the service accounts' tokens, and the token file.
func (c *cluster) credentials() {
	t := c.t
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "conformance"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:        true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{
		"serving.crt": crt,
		"serving.key": pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
		"tokens.csv":  []byte(token + ",admin,admin,system:masters\nother,nobody,nobody\n"),
	} {
		if err := os.WriteFile(c.file(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(crt)
	c.http = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// get reads one path of the API as the administrator.
func (c *cluster) get(path string) (int, string) {
	req, err := http.NewRequest(http.MethodGet, c.url+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// ready waits until the apiserver says that it and its store are.
func (c *cluster) ready() {
	c.t.Helper()
	var code int
	var body string
	for end := time.Now().Add(readyLimit); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		if code, body = c.get("/readyz?verbose"); code == http.StatusOK {
			for _, line := range []string{"[+]etcd ok", "[+]etcd-readiness ok"} {
				if !strings.Contains(body, line) {
					c.t.Fatalf("/readyz is ok without %q:\n%s", line, body)
				}
			}
			return
		}
	}
	c.t.Fatalf("kube-apiserver is not ready: %d %s", code, body)
}

func (c *cluster) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.kubectl, append([]string{
		"--server=" + c.url, "--certificate-authority=" + c.file("serving.crt"), "--token=" + token,
		"--cache-dir=" + c.file("kubectl-cache"), "--request-timeout=30s",
	}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+c.dir, "KUBECONFIG=/dev/null")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// try runs kubectl with input and returns all that it prints.
func (c *cluster) try(input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), kubectlLimit)
	defer cancel()
	cmd := c.command(ctx, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// run is try that has to succeed.
func (c *cluster) run(args ...string) string {
	c.t.Helper()
	return c.apply("", args...)
}

// apply is run with input.
func (c *cluster) apply(input string, args ...string) string {
	c.t.Helper()
	out, err := c.try(input, args...)
	if err != nil {
		c.t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// expect runs kubectl and compares what it prints.
func (c *cluster) expect(want string, args ...string) {
	c.t.Helper()
	if got := c.run(args...); got != want {
		c.t.Fatalf("kubectl %s\n got: %s\nwant: %s", strings.Join(args, " "), got, want)
	}
}

// refuse runs kubectl, which has to fail and say why.
func (c *cluster) refuse(why, input string, args ...string) {
	c.t.Helper()
	if out, err := c.try(input, args...); err == nil || !strings.Contains(out, why) {
		c.t.Fatalf("kubectl %s: %v, want a failure with %q\n%s", strings.Join(args, " "), err, why, out)
	}
}

// watcher is a kubectl that follows a kind of object.
type watcher struct {
	t    *testing.T
	what string

	mu    sync.Mutex
	lines []string
	err   error
}

// watch starts one; each event is a line of its type, the object's name, and the value at the path.
func (c *cluster) watch(path string, args ...string) *watcher {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	args = append([]string{"get", "--watch", "--output-watch-events", "--request-timeout=0",
		"-o", `jsonpath={.type} {.object.metadata.name} {.object` + path + `}{"\n"}`}, args...)
	cmd := c.command(ctx, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	w := &watcher{t: c.t, what: strings.Join(args[5:], " ")}
	done := make(chan struct{})
	go func() {
		defer close(done)
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			w.mu.Lock()
			w.lines = append(w.lines, strings.TrimSpace(scan.Text()))
			w.mu.Unlock()
		}
		err := cmd.Wait()
		w.mu.Lock()
		w.err = fmt.Errorf("kubectl ended: %v %s", err, stderr.String())
		w.mu.Unlock()
	}()
	c.t.Cleanup(func() { cancel(); <-done })
	return w
}

// saw waits for the next events: exactly these, in this order.
func (w *watcher) saw(want ...string) {
	w.t.Helper()
	for _, line := range want {
		var got string
		for end := time.Now().Add(kubectlLimit); ; time.Sleep(20 * time.Millisecond) {
			w.mu.Lock()
			err := w.err
			if len(w.lines) > 0 {
				got, w.lines = w.lines[0], w.lines[1:]
			}
			w.mu.Unlock()
			if got != "" {
				break
			}
			if err != nil || time.Now().After(end) {
				w.t.Fatalf("watch of %s: no %q came (%v)", w.what, line, err)
			}
		}
		if got != line {
			w.t.Fatalf("watch of %s: %q came, want %q", w.what, got, line)
		}
	}
}
