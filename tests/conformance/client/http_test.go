package client

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"engenho-store/tests/conformance/internal/member"
)

func get(t *testing.T, c *http.Client, url string, wantCode int) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Errorf("%s: %v", url, err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("%s: %v", url, err)
	}
	equal(t, "code of "+url, resp.StatusCode, wantCode)
	return string(body)
}

// TestHTTP asks for what is served beside gRPC, over HTTP/1.1 and HTTP/2 on the client port and on the others.
func TestHTTP(t *testing.T) {
	metrics := fmt.Sprintf("http://127.0.0.1:%d", member.FreePort(t))
	m := start(t, member.WithArgs("--listen-metrics-urls="+metrics))
	must(dial(t, m).Put(timeout(t), "a", "b"))(t)
	one := &http.Client{Timeout: limit}
	var plain http.Protocols
	plain.SetUnencryptedHTTP2(true)
	two := &http.Client{Timeout: limit, Transport: &http.Transport{Protocols: &plain, TLSClientConfig: &tls.Config{}}}
	for name, at := range map[string]struct {
		c    *http.Client
		base string
	}{"HTTP/1.1": {one, m.ClientURL}, "HTTP/2": {two, m.ClientURL}, "metrics URL": {one, metrics}} {
		t.Run(name, func(t *testing.T) {
			if name == "HTTP/2" {
				beyondEtcd(t, "HTTP/2 without TLS but for gRPC")
			}
			get := func(url string, wantCode int) string {
				t.Helper()
				return get(t, at.c, url, wantCode)
			}
			var version struct{ EtcdServer, EtcdCluster, Storage string }
			if at.base != metrics {
				body := get(at.base+"/version", 200)
				if err := json.Unmarshal([]byte(body), &version); err != nil || !strings.HasPrefix(version.EtcdServer, "3.") ||
					!strings.HasPrefix(version.EtcdCluster, "3.") {
					t.Errorf("/version: %v %s", err, body)
				}
			}
			for _, q := range []string{"", "?serializable=true", "?exclude=NOSPACE", "?serializable=false"} {
				equal(t, "/health"+q, strings.TrimSpace(get(at.base+"/health"+q, 200)), `{"health":"true","reason":""}`)
			}
			for path, checks := range map[string][]string{
				"/livez":  {"serializable_read"},
				"/readyz": {"data_corruption", "serializable_read", "linearizable_read", "non_learner"},
			} {
				equal(t, path, strings.TrimSpace(get(at.base+path, 200)), "ok")
				verbose := get(at.base+path+"?verbose", 200)
				for _, check := range checks {
					if !strings.Contains(verbose, "[+]"+check+" ok") {
						t.Errorf("%s?verbose has no %s:\n%s", path, check, verbose)
					}
					get(at.base+path+"/"+check, 200)
					without := get(at.base+path+"?verbose&exclude="+check, 200)
					if strings.Contains(without, "[+]"+check+" ok") && !strings.Contains(without, "excluded") {
						t.Errorf("%s without %s:\n%s", path, check, without)
					}
				}
				get(at.base+path+"/nothing", 404)
			}
			text := get(at.base+"/metrics", 200)
			for _, name := range []string{
				"etcd_server_has_leader 1", "etcd_server_proposals_committed_total ", "etcd_server_proposals_applied_total ",
				"etcd_server_proposals_pending ", "etcd_server_proposals_failed_total ", "etcd_server_leader_changes_seen_total ",
				"etcd_mvcc_db_total_size_in_bytes ", "etcd_mvcc_db_total_size_in_use_in_bytes ",
				"etcd_server_quota_backend_bytes ", "process_resident_memory_bytes ", "grpc_server_handled_total{",
				"grpc_server_started_total{",
			} {
				if !strings.Contains("\n"+text, "\n"+name) {
					t.Errorf("/metrics has no %q", name)
				}
			}
		})
	}
	get(t, one, m.ClientURL+"/nothing", 404)
}

// TestGarbage sends what is no protocol at all, or half of one, and leaves. The store goes on.
func TestGarbage(t *testing.T) {
	m := start(t)
	c := dial(t, m)
	addr := strings.TrimPrefix(m.ClientURL, "http://")
	for _, bytes := range []string{
		"", "\x00", "GET", "GET / HTTP/1.1\r\n", "GET / HTTP/9.9\r\n\r\n", "\r\n\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x16\x03\x01\x02\x00\x01\x00",
		strings.Repeat("A", 1<<20), "POST /v3/kv/range HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n{",
	} {
		for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
			conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			io.WriteString(conn, bytes) // may be refused half-way
			time.Sleep(wait)
			conn.Close()
		}
	}
	must(c.Put(timeout(t), "still", "here"))(t)
}
