package patch

import (
	"encoding/json"
	"flag"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

var (
	casesFlag = flag.Int("cases", 20_000, "random cases of each kind of patch")
	seedFlag  = flag.Uint64("seed", 0, "seed of the random cases; 0 takes one from the clock")
)

func seedOf(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	t.Logf("seed %d: repeat with -seed=%d -cases=%d", seed, seed, *casesFlag)
	return seed
}

// theirs applies a patch as the API server does: the lists of its maps have no room behind them.
func theirs(k kind, target, patch object) (result object, err error, panicked bool) {
	defer func() {
		if r := recover(); r != nil {
			err, panicked = fmt.Errorf("panic: %v", r), true
		}
	}()
	result, err = strategicpatch.StrategicMergeMapPatch(runtime.DeepCopyJSON(target), runtime.DeepCopyJSON(patch), k.object)
	return result, err, false
}

// dropDirectives takes out what Kubernetes leaves of the patch's directives in what it takes over whole, and loses when
// it makes an object of its types of it.
func dropDirectives(v any) any {
	switch v := v.(type) {
	case object:
		for name, member := range v {
			if name == "$patch" || name == "$retainKeys" || strings.HasPrefix(name, "$setElementOrder/") ||
				strings.HasPrefix(name, "$deleteFromPrimitiveList/") {
				delete(v, name)
			} else {
				dropDirectives(member)
			}
		}
	case list:
		for _, item := range v {
			dropDirectives(item)
		}
	}
	return v
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

type request struct {
	Type    string `json:"type"`
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
	Target  any    `json:"target"`
	Patch   any    `json:"patch"`
}

func requestOf(typ string, k kind, target, patch object) request {
	return request{typ, k.Group, k.Version, k.Kind, target, patch}
}

// compare applies a patch here and there. It says what came of it.
func compare(t *testing.T, tool *tool, k kind, target, patch object) string {
	t.Helper()
	var ours answer
	want, err, panicked := theirs(k, target, patch)
	tool.ask(requestOf("strategic", k, target, patch), &ours)
	explain := func() string {
		return fmt.Sprintf("%v\ntarget %s\npatch  %s\n", k.GroupVersionKind, text(target), text(patch))
	}
	switch {
	case panicked:
		return "Kubernetes panics"
	case err != nil && (strings.Contains(err.Error(), "unable to find api field") ||
		strings.Contains(err.Error(), "data type is not struct") ||
		strings.Contains(err.Error(), "expected slice or array type")):
		return "Kubernetes does not know the field"
	case err != nil && ours.Error == "":
		t.Errorf("%serror  %v\nours   %s", explain(), err, ours.Result)
	case err != nil:
		return "refused"
	case ours.Error != "":
		t.Errorf("%swant   %s\nours   %s", explain(), text(want), ours.Error)
	default:
		var got object
		if err := kjson.Unmarshal(ours.Result, &got); err != nil {
			t.Fatal(err)
		}
		if w := dropDirectives(want); text(w) != text(got) {
			t.Errorf("%swant   %s\nours   %s", explain(), text(w), text(got))
			return "different"
		}
		return "applied"
	}
	return "different"
}

// each draws the cases and tells how many came to what.
func each(t *testing.T, cases int, draw func(s source, k kind) (target, patch object, err error)) {
	s, tool, tally := newSource(seedOf(t)), startTool(t), map[string]int{}
	for i := 0; i < cases && tally["different"] < 5; i++ {
		k := pick(s, kinds)
		target, patch, err := draw(s, k)
		if err != nil {
			tally["no patch was made"]++
			continue
		}
		tally[compare(t, tool, k, target, patch)]++
	}
	t.Logf("%v", tally)
	if tally["applied"] < cases/2 {
		t.Errorf("only %d of %d patches were applied", tally["applied"], cases)
	}
}

func (s source) resource(k kind) object {
	return s.value(reflect.TypeOf(k.object), field{}, 0).(object)
}

func (s source) changed(k kind, o object) object {
	return s.change(reflect.TypeOf(k.object), field{}, runtime.DeepCopyJSON(o), 0).(object)
}

// What kubectl edit sends: the difference of two resources. Applying it gives the other one.
func TestStrategicTwoWay(t *testing.T) {
	each(t, *casesFlag, func(s source, k kind) (object, object, error) {
		target := s.resource(k)
		modified := s.changed(k, target)
		patch, err := strategicpatch.CreateTwoWayMergeMapPatch(runtime.DeepCopyJSON(target), runtime.DeepCopyJSON(modified), k.object)
		return target, patch, err
	})
}

// What kubectl apply sends: the last one it applied, the next one, and what is there now.
func TestStrategicThreeWay(t *testing.T) {
	each(t, *casesFlag, func(s source, k kind) (object, object, error) {
		last := s.resource(k)
		next, live := s.changed(k, last), s.changed(k, last)
		meta, err := strategicpatch.NewPatchMetaFromStruct(k.object)
		if err != nil {
			return nil, nil, err
		}
		patch, err := strategicpatch.CreateThreeWayMergePatch([]byte(text(last)), []byte(text(next)), []byte(text(live)), meta, true)
		if err != nil {
			return nil, nil, err
		}
		var p object
		return live, p, kjson.Unmarshal(patch, &p)
	})
}

// Directives everywhere, right and wrong.
func TestStrategicDirectives(t *testing.T) {
	each(t, *casesFlag, func(s source, k kind) (object, object, error) {
		target := s.resource(k)
		return target, s.patch(reflect.TypeOf(k.object), target, 0), nil
	})
}

// Lists so long that the order is made by merging, also where the patch asks for no order of what it has: then Kubernetes'
// comparison is none, and what comes out is a matter of its sorting.
func TestStrategicLongLists(t *testing.T) {
	each(t, *casesFlag/10, func(s source, k kind) (object, object, error) {
		names := s.Perm(100)
		items := func(names []int) list {
			l := list{}
			for _, n := range names {
				l = append(l, object{"uid": fmt.Sprint("n", n)})
			}
			return l
		}
		some := func(percent int) (chosen []int) {
			for _, n := range names {
				if s.chance(percent) {
					chosen = append(chosen, n)
				}
			}
			return chosen
		}
		sets, order := some(s.IntN(100)), some(s.IntN(100))
		if s.chance(30) {
			order = nil
		} else {
			order = append(slices.DeleteFunc(order, func(n int) bool { return slices.Contains(sets, n) }), sets...)
		}
		list := items(sets)
		for _, n := range some(20) {
			if !slices.Contains(sets, n) {
				list = append(list, object{"$patch": "delete", "uid": fmt.Sprint("n", n)})
			}
		}
		s.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		patch := object{"ownerReferences": list}
		if s.chance(70) {
			patch["$setElementOrder/ownerReferences"] = items(order)
		}
		target := object{"metadata": object{"ownerReferences": items(some(s.IntN(100)))}}
		return target, object{"metadata": patch}, nil
	})
}
