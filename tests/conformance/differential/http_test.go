package differential

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

var (
	versionText = regexp.MustCompile(`"3\.[7-9][0-9.]*"`)
	ownVersion  = regexp.MustCompile(`,"engenho-store":"[^"]*"`)
)

// fetch asks one server for one path and returns status, type and body.
func (s *side) fetch(method, path string) string {
	req, err := http.NewRequest(method, s.m.ClientURL+path, nil)
	if err != nil {
		return err.Error()
	}
	client := http.Client{Timeout: callLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	text := versionText.ReplaceAllString(string(body), `"3.x"`)
	text = ownVersion.ReplaceAllString(text, "")
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines) // etcd keeps its checks in a map
	return fmt.Sprintf("%d %q\n%s", resp.StatusCode, resp.Header.Get("Content-Type"), strings.Join(lines, ""))
}

// TestHTTP compares the endpoints beside gRPC, also while alarms are on.
func TestHTTP(t *testing.T) {
	p := scenario(t)
	paths := []string{
		"/version", "/health", "/health?serializable=true", "/health?serializable=false", "/health?serializable=maybe",
		"/health?exclude=NOSPACE", "/health?exclude=CORRUPT", "/health?exclude=NOSPACE&exclude=CORRUPT", "/health?exclude=nothing",
		"/nothing", "/",
	}
	for _, probe := range []string{"/livez", "/readyz"} {
		for _, sub := range []string{"", "/serializable_read", "/linearizable_read", "/data_corruption", "/non_learner",
			"/nothing", "/"} {
			for _, query := range []string{"", "?verbose", "?exclude=data_corruption", "?verbose&exclude=serializable_read",
				"?exclude=nothing", "?verbose&exclude=serializable_read&exclude=linearizable_read"} {
				paths = append(paths, probe+sub+query)
			}
		}
	}
	compare := func(state, method string, paths ...string) {
		t.Helper()
		for _, path := range paths {
			var got [2]string
			p.both(func(s *side) { got[p.index(s)] = s.fetch(method, path) })
			p.requests++
			if got[0] != got[1] {
				p.differ(fmt.Sprintf("%s %s %s", method, path, state), got[0], got[1])
			}
		}
	}
	compare("", http.MethodGet, paths...)
	compare("", http.MethodPost, "/version", "/health", "/livez", "/readyz", "/nothing")
	for _, kind := range []pb.AlarmType{pb.AlarmType_NOSPACE, pb.AlarmType_CORRUPT} {
		alarm := func(action pb.AlarmRequest_AlarmAction) {
			t.Helper()
			p.doEach(alarmMethod, func(s *side) proto.Message {
				return &pb.AlarmRequest{Action: action, Alarm: kind, MemberID: s.memberID}
			})
			time.Sleep(50 * time.Millisecond)
		}
		alarm(pb.AlarmRequest_ACTIVATE)
		compare("with "+kind.String(), http.MethodGet, paths...)
		alarm(pb.AlarmRequest_DEACTIVATE)
	}
	compare("after the alarms", http.MethodGet, paths...)
}
