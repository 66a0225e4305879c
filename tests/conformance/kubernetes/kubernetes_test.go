// Package kubernetes runs the real kube-apiserver on the store: the job that the store is there for.
package kubernetes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const crd = `{
	"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
	"metadata": {"name": "boats.conformance.example"},
	"spec": {
		"group": "conformance.example", "scope": "Namespaced",
		"names": {"plural": "boats", "singular": "boat", "kind": "Boat"},
		"versions": [{
			"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
			"schema": {"openAPIV3Schema": {"type": "object", "properties": {
				"spec": {"type": "object", "properties": {"sails": {"type": "integer", "minimum": 0}}},
				"status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}
			}}}
		}]
	}
}`

func boat(name string, sails int) string {
	return fmt.Sprintf(`{"apiVersion": "conformance.example/v1", "kind": "Boat",
		"metadata": {"name": %q}, "spec": {"sails": %d}}`, name, sails)
}

// TestKubernetes goes through the life of objects of each kind, with the store restarted twice on the way: once asked
// to end, once killed. The apiserver and the watches through it live on.
func TestKubernetes(t *testing.T) {
	c := startCluster(t)
	step := func(name string, f func(*testing.T)) {
		t.Helper()
		if !t.Run(name, func(st *testing.T) {
			c.t = st
			defer func() { c.t = t }()
			f(st)
		}) {
			t.FailNow() // later steps stand on earlier ones
		}
	}
	var maps, boats *watcher
	at := func(t *testing.T) { maps.t, boats.t = t, t }

	step("namespaces", func(t *testing.T) {
		c.expect("namespace/demo created", "create", "namespace", "demo")
		c.refuse("already exists", "", "create", "namespace", "demo")
		c.run("label", "namespace", "demo", "team=blue")
		c.expect("namespace/demo", "get", "namespaces", "-l", "team=blue", "-o", "name")
		names := strings.Fields(c.run("get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}"))
		for _, want := range []string{"default", "demo", "kube-public", "kube-system"} {
			if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+want+" ") {
				t.Errorf("no namespace %s among %v", want, names)
			}
		}
	})

	step("access", func(*testing.T) { // RBAC reads its roles from the store
		c.refuse("is forbidden", "", "get", "namespaces", "--as=nobody")
		c.run("create", "clusterrole", "reader", "--verb=get,list", "--resource=namespaces")
		c.run("create", "clusterrolebinding", "reader", "--clusterrole=reader", "--user=nobody")
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
			if out, err := c.try("", "get", "namespace", "demo", "-o", "name", "--as=nobody"); err == nil {
				break
			} else if time.Now().After(end) {
				c.t.Fatal(out)
			}
		}
		c.refuse("is forbidden", "", "delete", "namespace", "demo", "--as=nobody")
	})

	step("custom resource definition", func(*testing.T) {
		c.apply(crd, "create", "-f", "-")
		c.run("wait", "--for=condition=Established", "--timeout=30s", "crd/boats.conformance.example")
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) { // the API of it comes a little later
			if out, err := c.try("", "get", "boats", "-n", "demo"); err == nil {
				break
			} else if time.Now().After(end) {
				c.t.Fatal(out)
			}
		}
		c.refuse("spec.sails", boat("sunk", -1), "create", "-n", "demo", "-f", "-")
	})

	maps = c.watch(".data.color", "configmaps", "-n", "demo")
	boats = c.watch(".spec.sails", "boats", "-n", "demo")

	step("config maps", func(t *testing.T) {
		at(t)
		c.run("create", "configmap", "one", "-n", "demo", "--from-literal=color=red")
		maps.saw("ADDED one red")
		old := c.run("get", "configmap", "one", "-n", "demo", "-o", "json")
		c.run("patch", "configmap", "one", "-n", "demo", "--type=merge", "-p", `{"data":{"color":"green","shape":"round"}}`)
		maps.saw("MODIFIED one green")
		c.run("patch", "configmap", "one", "-n", "demo", "--type=json", "-p", `[{"op":"remove","path":"/data/shape"}]`)
		maps.saw("MODIFIED one green")
		c.expect(`{"color":"green"}`, "get", "configmap", "one", "-n", "demo", "-o", "jsonpath={.data}")
		c.refuse("the object has been modified", old, "replace", "-f", "-") // an older resource version
		c.run("create", "configmap", "two", "-n", "demo", "--from-literal=color=blue")
		maps.saw("ADDED two blue")
		c.expect("one two", "get", "configmaps", "-n", "demo", "-o", "jsonpath={.items[*].metadata.name}")
		c.run("delete", "configmap", "two", "-n", "demo")
		maps.saw("DELETED two blue")
		c.refuse("not found", "", "get", "configmap", "two", "-n", "demo")
	})

	step("deployments", func(*testing.T) {
		c.run("create", "deployment", "web", "-n", "demo", "--image=registry.invalid/web:1", "--replicas=2")
		c.run("scale", "deployment", "web", "-n", "demo", "--replicas=5")
		c.run("set", "image", "deployment/web", "-n", "demo", "web=registry.invalid/web:2")
		c.run("patch", "deployment", "web", "-n", "demo", "-p", `{"spec":{"template":{"metadata":{"labels":{"tier":"front"}}}}}`)
		c.expect("5 registry.invalid/web:2 front 4", "get", "deployment", "web", "-n", "demo", "-o",
			"jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image} "+
				"{.spec.template.metadata.labels.tier} {.metadata.generation}")
		c.run("create", "deployment", "api", "-n", "demo", "--image=registry.invalid/api:1")
		c.expect("deployment.apps/api\ndeployment.apps/web", "get", "deployments", "-n", "demo", "-o", "name")
		c.run("delete", "deployment", "api", "-n", "demo")
		c.expect("deployment.apps/web", "get", "deployments", "-n", "demo", "-o", "name")
	})

	step("custom resources", func(t *testing.T) {
		at(t)
		c.apply(boat("swan", 1), "create", "-n", "demo", "-f", "-")
		boats.saw("ADDED swan 1")
		c.run("patch", "boat", "swan", "-n", "demo", "--type=merge", "-p", `{"spec":{"sails":2}}`)
		boats.saw("MODIFIED swan 2")
		c.apply(boat("swan", 3), "apply", "--server-side", "--force-conflicts", "-n", "demo", "-f", "-")
		boats.saw("MODIFIED swan 3")
		c.run("patch", "boat", "swan", "-n", "demo", "--subresource=status", "--type=merge", "-p", `{"status":{"afloat":true}}`)
		boats.saw("MODIFIED swan 3")
		c.apply(boat("duck", 0), "create", "-n", "demo", "-f", "-")
		boats.saw("ADDED duck 0")
		c.run("delete", "boat", "duck", "-n", "demo")
		boats.saw("DELETED duck 0")
		c.expect("swan 3 true", "get", "boats", "-n", "demo", "-o",
			"jsonpath={.items[*].metadata.name} {.items[*].spec.sails} {.items[*].status.afloat}")
	})

	state := func() string {
		return c.run("get", "configmaps,deployments,boats", "-n", "demo", "-o",
			`jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.uid} {.metadata.resourceVersion}{"\n"}{end}`)
	}
	for i, restart := range []struct {
		name string
		end  func()
	}{{"restart", func() { c.store.Stop() }}, {"restart after a kill", func() { c.store.Kill() }}} {
		step(restart.name, func(t *testing.T) {
			at(t)
			before := state()
			restart.end()
			c.refuse("", "", "create", "configmap", "nowhere", "-n", "demo", "--request-timeout=3s")
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) { // it remembers answers a while
				if code, body := c.get("/readyz"); code != http.StatusOK {
					break
				} else if time.Now().After(end) {
					t.Fatalf("ready without a store: %s", body)
				}
			}
			c.store.Start()
			c.ready()
			if after := state(); after != before {
				t.Errorf("before the restart:\n%s\nafter it:\n%s", before, after)
			}
			color := fmt.Sprintf("after-%d", i)
			c.run("patch", "configmap", "one", "-n", "demo", "--type=merge", "-p", `{"data":{"color":"`+color+`"}}`)
			maps.saw("MODIFIED one " + color)
			c.run("patch", "boat", "swan", "-n", "demo", "--type=merge", "-p", fmt.Sprintf(`{"spec":{"sails":%d}}`, 10+i))
			boats.saw(fmt.Sprintf("MODIFIED swan %d", 10+i))
			c.run("scale", "deployment", "web", "-n", "demo", fmt.Sprintf("--replicas=%d", 7+i))
			c.expect(fmt.Sprint(7+i), "get", "deployment", "web", "-n", "demo", "-o", "jsonpath={.spec.replicas}")
		})
	}

	step("pages", func(t *testing.T) {
		var many strings.Builder
		many.WriteString(`{"apiVersion":"v1","kind":"List","items":[`)
		const n = 60
		for i := range n {
			fmt.Fprintf(&many, `%s{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s%02d"},"stringData":{"i":"%d"}}`,
				map[bool]string{true: ",", false: ""}[i > 0], i, i)
		}
		many.WriteString("]}")
		c.apply(many.String(), "create", "-n", "demo", "-f", "-")
		var names []string
		next, version := "", ""
		for {
			code, body := c.get("/api/v1/namespaces/demo/secrets?limit=7&continue=" + url.QueryEscape(next))
			var list struct {
				Metadata struct {
					Continue, ResourceVersion string
					RemainingItemCount        int
				}
				Items []struct{ Metadata struct{ Name string } }
			}
			if err := json.Unmarshal([]byte(body), &list); code != http.StatusOK || err != nil {
				t.Fatalf("page after %d secrets: %d %s", len(names), code, body)
			}
			for _, item := range list.Items {
				names = append(names, item.Metadata.Name)
			}
			if want := n - len(names); list.Metadata.RemainingItemCount != want {
				t.Errorf("after %d secrets: %d remain, want %d", len(names), list.Metadata.RemainingItemCount, want)
			}
			if version != "" && list.Metadata.ResourceVersion != version {
				t.Errorf("pages of revisions %s and %s", version, list.Metadata.ResourceVersion)
			}
			version = list.Metadata.ResourceVersion
			if next = list.Metadata.Continue; next == "" {
				break
			}
			if len(names) == 7 { // not to be seen by this list
				c.run("create", "secret", "generic", "s99", "-n", "demo")
			}
		}
		for i, name := range names {
			if name != fmt.Sprintf("s%02d", i) {
				t.Fatalf("secret %d is %s", i, name)
			}
		}
		if len(names) != n {
			t.Errorf("%d secrets, want %d", len(names), n)
		}
		c.run("delete", "secrets", "-n", "demo", "--all")
		c.expect("", "get", "secrets", "-n", "demo", "-o", "name")
	})

	step("compaction", func(t *testing.T) { // the apiserver compacts every 10 s here
		list := func(version string) int {
			code, _ := c.get("/api/v1/namespaces/demo/configmaps?limit=1&resourceVersionMatch=Exact&resourceVersion=" + version)
			return code
		}
		version := c.run("get", "configmap", "one", "-n", "demo", "-o", "jsonpath={.metadata.resourceVersion}")
		for end := time.Now().Add(90 * time.Second); list(version) != http.StatusGone; time.Sleep(time.Second) {
			if time.Now().After(end) {
				t.Fatalf("revision %s is still there: %d", version, list(version))
			}
			c.run("label", "--overwrite", "namespace", "demo", fmt.Sprintf("tick=t%d", time.Now().UnixNano()))
		}
		c.expect("after-1", "get", "configmap", "one", "-n", "demo", "-o", "jsonpath={.data.color}")
	})

	step("events run out", func(t *testing.T) { // they carry a lease
		c.apply(`{"apiVersion":"v1","kind":"Event","metadata":{"name":"e1","namespace":"demo"},"reason":"Test",
			"involvedObject":{"kind":"ConfigMap","name":"one","namespace":"demo"}}`, "create", "-f", "-")
		c.expect("event/e1", "get", "events", "-n", "demo", "-o", "name")
		end := time.Now().Add(60 * time.Second)
		for c.run("get", "events", "-n", "demo", "-o", "name") != "" {
			if time.Now().After(end) {
				t.Fatal("an event of 5 s is still there")
			}
			time.Sleep(500 * time.Millisecond)
		}
	})

	step("delete all", func(t *testing.T) {
		at(t)
		c.run("delete", "boat", "swan", "-n", "demo")
		boats.saw("DELETED swan 11")
		c.run("delete", "configmap", "one", "-n", "demo")
		maps.saw("DELETED one after-1")
		c.run("delete", "deployment", "web", "-n", "demo")
		c.run("delete", "crd", "boats.conformance.example", "--timeout=30s")
		c.expect("", "get", "configmaps,deployments", "-n", "demo", "-o", "name")
		c.run("delete", "namespace", "demo", "--wait=false")
		c.expect("Terminating", "get", "namespace", "demo", "-o", "jsonpath={.status.phase}")
		c.apply(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"demo"},"spec":{"finalizers":[]}}`,
			"replace", "--raw", "/api/v1/namespaces/demo/finalize", "-f", "-") // what a controller would do
		c.refuse("not found", "", "get", "namespace", "demo")
	})
}
