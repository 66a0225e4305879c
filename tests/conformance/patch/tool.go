// Package patch holds our patches against those of Kubernetes, on generated resources and patches.
package patch

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"testing"

	"engenho-store/tests/conformance/internal/member"
)

// tool is the process of tests/lib/patch_tool.c: a request a line, an answer a line.
type tool struct {
	t   testing.TB
	in  *json.Encoder
	out *bufio.Reader
}

// answer has what each type of patch may answer.
type answer struct {
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

func startTool(t testing.TB) *tool {
	t.Helper()
	cmd := exec.Command(member.Binary(t, "PATCH_TOOL"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Errorf("patch_tool: %v", err)
		}
	})
	encoder := json.NewEncoder(in)
	encoder.SetEscapeHTML(false)
	return &tool{t: t, in: encoder, out: bufio.NewReaderSize(out, 1<<20)}
}

// ask sends a request, anything that is a JSON object, and reads the answer into ret.
func (tool *tool) ask(request, ret any) {
	tool.t.Helper()
	if err := tool.in.Encode(request); err != nil {
		tool.t.Fatalf("patch_tool: %v", err)
	}
	line, err := tool.out.ReadBytes('\n')
	if err != nil {
		tool.t.Fatalf("patch_tool ended on %v: %v", request, err)
	}
	if err := json.Unmarshal(line, ret); err != nil {
		tool.t.Fatalf("patch_tool answered %q: %v", line, err)
	}
}
