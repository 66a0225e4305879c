package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gvks "k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/schemaconv"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	smd "sigs.k8s.io/structured-merge-diff/v6/typed"
)

// applied is a kind that is applied: the API server's part of it, and its types to draw objects of.
type applied struct {
	gvks.GroupVersionKind
	manager *managedfields.FieldManager
	schema  *schema.Schema
	ref     schema.TypeRef
}

// passive is what the API server converts, defaults and creates objects with. It does nothing here.
type passive struct{ runtime.ObjectConvertor }

func (passive) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (passive) Default(runtime.Object) {}

func (passive) New(kind gvks.GroupVersionKind) (runtime.Object, error) {
	return empty(kind), nil
}

func empty(kind gvks.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: object{}}
	u.SetGroupVersionKind(kind)
	return u
}

func newApplied(t *testing.T, kind gvks.GroupVersionKind, converter managedfields.TypeConverter, s *schema.Schema,
	ref schema.TypeRef) applied {
	t.Helper()
	manager, err := managedfields.NewDefaultFieldManager(converter, passive{}, passive{}, passive{}, kind, kind.GroupVersion(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return applied{kind, manager, s, ref}
}

// modelNames gives the names of the models of the kinds that are stored.
func modelNames(d *description) map[gvks.GroupVersionKind]string {
	names := map[gvks.GroupVersionKind]string{}
	for name, model := range d.models {
		kinds, _ := model.Extensions["x-kubernetes-group-version-kind"].([]any)
		for _, v := range kinds {
			m := v.(object)
			kind := gvks.GroupVersionKind{Group: m["group"].(string), Version: m["version"].(string), Kind: m["kind"].(string)}
			if d.stored[kind] {
				names[kind] = name
			}
		}
	}
	return names
}

func appliedKinds(t *testing.T) (common, all []applied) {
	t.Helper()
	d, err := readDescription()
	if err != nil {
		t.Fatal(err)
	}
	converter, err := managedfields.NewTypeConverter(d.models, false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := schemaconv.ToSchemaFromOpenAPI(d.models, false)
	if err != nil {
		t.Fatal(err)
	}
	for kind, name := range modelNames(d) {
		all = append(all, newApplied(t, kind, converter, s, schema.TypeRef{NamedType: &name}))
	}
	deduced := smd.DeducedParseableType
	all = append(all, newApplied(t, gvks.GroupVersionKind{Group: "example.com", Version: "v1", Kind: "Widget"},
		managedfields.NewDeducedTypeConverter(), deduced.Schema, deduced.TypeRef))
	slices.SortFunc(all, func(a, b applied) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range all {
		if slices.Contains([]string{"Pod", "Deployment", "Service", "ConfigMap", "Widget"}, k.Kind) {
			common = append(common, k)
		}
	}
	if len(common) != 5 || len(all) < 80 {
		t.Fatalf("%d kinds, %d common ones", len(all), len(common))
	}
	return common, all
}

type applyRequest struct {
	Type    string `json:"type"`
	Group   string `json:"group"`
	Version string `json:"version"`
	Kind    string `json:"kind"`
	Target  object `json:"target"`
	Config  object `json:"config"`
	Manager string `json:"manager"`
	Force   bool   `json:"force"`
	Time    string `json:"time"`
}

type applyAnswer struct {
	answer
	Conflicts [][2]string `json:"conflicts"`
}

// entry is what is compared of one of metadata.managedFields: its time has rules of ours.
type entry struct {
	text, fields, time string
}

func entriesOf(o object) (map[string]entry, []string) {
	entries, order := map[string]entry{}, []string{}
	managed, _, _ := unstructured.NestedSlice(o, "metadata", "managedFields")
	for _, v := range managed {
		m := v.(object)
		name := fmt.Sprint(m["manager"], "|", m["operation"], "|", m["subresource"])
		if m["operation"] != "Apply" {
			name += fmt.Sprint("|", m["apiVersion"])
		}
		at, _ := m["time"].(string)
		order = append(order, fmt.Sprint(m["operation"], " ", at, " ", m["manager"], " ", m["apiVersion"]))
		delete(m, "time")
		entries[name] = entry{text(m), text(m["fieldsV1"]), at}
	}
	return entries, order
}

func withoutManaged(o object) object {
	o = runtime.DeepCopyJSON(o)
	unstructured.RemoveNestedField(o, "metadata", "managedFields")
	return o
}

// history applies to one object, here and there, and goes on with what came of it.
type history struct {
	t     *testing.T
	tool  *tool
	kind  applied
	draw  typed
	last  map[string]object // what each manager applied last
	live  object            // nil: not there
	steps int
	tally map[string]int
	old   bool // forget made the sets
}

func (h *history) now() string {
	return time.Date(2001, 1, 1, 0, 0, h.steps, 0, time.UTC).Format(time.RFC3339)
}

func (h *history) liveObject() *unstructured.Unstructured {
	if h.live == nil {
		return empty(h.kind.GroupVersionKind)
	}
	return &unstructured.Unstructured{Object: runtime.DeepCopyJSON(h.live)}
}

// dressed gives a value the names that make it an object of the kind.
func (h *history) dressed(v any) object {
	o, ok := v.(object)
	if !ok {
		o = object{}
	}
	o = runtime.DeepCopyJSON(o)
	o["apiVersion"], o["kind"] = h.kind.GroupVersion().String(), h.kind.Kind
	metadata, ok := o["metadata"].(object)
	if !ok {
		metadata = object{}
	}
	metadata["name"] = "n"
	if metadata["namespace"] == nil { // a null that means nothing is not applied
		delete(metadata, "namespace")
	}
	o["metadata"] = metadata
	return o
}

func (h *history) config(manager string) object {
	var v any
	s := h.draw
	switch last := h.last[manager]; {
	case last != nil && s.chance(60):
		v = s.vary(h.kind.ref, last, 85, true, 0)
	case h.live != nil && s.chance(60):
		v = s.vary(h.kind.ref, withoutManaged(h.live), 50, s.chance(50), 0)
	default:
		v = s.draw(h.kind.ref, 0)
	}
	config := withoutManaged(h.dressed(v))
	if s.chance(1) {
		s.twins(h.kind.ref, config)
	}
	return config
}

// write changes the object as somebody does who does not apply: with a name, the API server keeps account of it.
func (h *history) write() {
	s := h.draw
	managed, _, _ := unstructured.NestedSlice(h.live, "metadata", "managedFields")
	next := h.dressed(s.vary(h.kind.ref, withoutManaged(h.live), 85, true, 0))
	if s.chance(25) {
		s.twins(h.kind.ref, next)
	}
	next = withoutManaged(next)
	if managed != nil && s.chance(95) {
		next["metadata"].(object)["managedFields"] = managed
	}
	if s.chance(50) {
		u, err := h.kind.manager.Update(h.liveObject(), &unstructured.Unstructured{Object: runtime.DeepCopyJSON(next)},
			pick(s.source, []string{"u", "v"}))
		if err != nil {
			h.t.Fatalf("%v: update of %s: %v", h.kind.GroupVersionKind, text(next), err)
		}
		next = u.(*unstructured.Unstructured).Object
		managed, _, _ := unstructured.NestedSlice(next, "metadata", "managedFields")
		for _, m := range managed {
			if at, ok := m.(object)["time"].(string); ok && !strings.HasPrefix(at, "2001") {
				m.(object)["time"] = h.now()
			}
		}
		if managed != nil {
			unstructured.SetNestedSlice(next, managed, "metadata", "managedFields")
		}
		h.tally["updates"]++
	}
	h.live = next
	h.tally["writes"]++
}

// What no manager owns.
var neverOwned = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"), fieldpath.MakePathOrDie("kind"), fieldpath.MakePathOrDie("metadata"),
	fieldpath.MakePathOrDie("metadata", "name"), fieldpath.MakePathOrDie("metadata", "namespace"),
)

// forget makes a manager own the whole object as if nothing were known of its kind: what is atomic by the schema was
// granular when the manager came to own it.
func (h *history) forget() {
	managed, _, _ := unstructured.NestedSlice(h.live, "metadata", "managedFields")
	if len(managed) == 0 {
		return
	}
	value, err := smd.DeducedParseableType.FromUnstructured(withoutManaged(h.live))
	if err != nil {
		h.t.Fatal(err)
	}
	set, err := value.ToFieldSet()
	if err != nil {
		h.t.Fatal(err)
	}
	bytes, err := set.Difference(neverOwned).ToJSON()
	if err != nil {
		h.t.Fatal(err)
	}
	var fields object
	if err := json.Unmarshal(bytes, &fields); err != nil {
		h.t.Fatal(err)
	}
	pick(h.draw.source, managed).(object)["fieldsV1"] = fields
	unstructured.SetNestedSlice(h.live, managed, "metadata", "managedFields")
	h.tally["old sets"]++
	h.old = true
}

func (h *history) explain(config object, manager string, force bool) string {
	return fmt.Sprintf("%v step %d\nlive   %s\n%s applies (force %v) %s\n", h.kind.GroupVersionKind, h.steps, text(h.live),
		manager, force, text(config))
}

func (h *history) fail(explanation, format string, args ...any) {
	h.t.Errorf(explanation+format, args...)
	h.tally["different"]++
}

func (h *history) apply() {
	manager := pick(h.draw.source, []string{"a", "b", "c"})
	config, force := h.config(manager), h.draw.chance(40)
	var ours applyAnswer
	theirs, err := h.kind.manager.Apply(h.liveObject(), &unstructured.Unstructured{Object: runtime.DeepCopyJSON(config)}, manager, force)
	h.tool.ask(applyRequest{"apply", h.kind.Group, h.kind.Version, h.kind.Kind, h.live, config, manager, force, h.now()}, &ours)
	why := h.explain(config, manager, force)
	var status *apierrors.StatusError
	switch {
	case errors.As(err, &status) && apierrors.IsConflict(err):
		h.compareConflicts(why, status, ours)
	case err != nil && ours.Error == "":
		h.fail(why, "error  %v\nours   %s", err, ours.Result)
	case err != nil && ours.Conflicts != nil:
		h.fail(why, "error  %v\nours   %v", err, ours.Conflicts)
	case err != nil:
		h.tally["refused"]++
	case ours.Error != "":
		h.fail(why, "theirs %s\nours   %s", text(theirs), ours.Error)
	default:
		h.compareObjects(why, manager, theirs.(*unstructured.Unstructured).Object, ours.Result)
		h.last[manager] = config
	}
}

// Go quotes more than JSON does.
var unquoted = strings.NewReplacer(`\u2028`, "\u2028", `\x7f`, "\x7f")

func (h *history) compareConflicts(why string, status *apierrors.StatusError, ours applyAnswer) {
	var want, got []string
	for _, cause := range status.Status().Details.Causes {
		want = append(want, unquoted.Replace(cause.Message+": "+cause.Field))
	}
	for _, conflict := range ours.Conflicts {
		got = append(got, "conflict with "+conflict[0]+": "+conflict[1])
	}
	if !slices.IsSorted(got) {
		h.fail(why, "the conflicts are not sorted: %v", got)
	}
	slices.Sort(want)
	if !slices.Equal(want, got) {
		h.fail(why, "theirs %v\nours   %v (%s)", want, got, ours.Error)
	}
	if len(want) == 1 && unquoted.Replace(status.Status().Message) != ours.Error {
		h.fail(why, "theirs %s\nours   %s", status.Status().Message, ours.Error)
	}
	h.tally["conflicts"]++
}

func (h *history) compareObjects(why, manager string, theirs object, result json.RawMessage) {
	var next object
	if err := kjson.Unmarshal(result, &next); err != nil {
		h.t.Fatal(err)
	}
	theirs = runtime.DeepCopyJSON(theirs)
	want, got, before := text(withoutManaged(theirs)), text(withoutManaged(next)), ""
	if h.live != nil {
		before = text(withoutManaged(h.live))
	}
	if want != got {
		h.fail(why, "theirs %s\nours   %s", want, got)
	}
	wantEntries, _ := entriesOf(theirs)
	gotEntries, order := entriesOf(runtime.DeepCopyJSON(next))
	oldEntries := map[string]entry{}
	if h.live != nil {
		oldEntries, _ = entriesOf(runtime.DeepCopyJSON(h.live))
	}
	if len(wantEntries) != len(gotEntries) {
		h.fail(why, "theirs %v\nours   %v", wantEntries, gotEntries)
	}
	for name, theirs := range wantEntries {
		ours, old := gotEntries[name], oldEntries[name]
		if theirs.text != ours.text {
			h.fail(why, "%s\ntheirs %s\nours   %s", name, theirs.text, ours.text)
		}
		at := old.time
		if old.text == "" || (name == manager+"|Apply|<nil>" && (before != got || old.fields != ours.fields)) {
			at = h.now()
			if !(theirs.time > "2002") {
				h.tally["their time is old"]++
			}
		} else if theirs.time != old.time {
			h.fail(why, "%s: their time is %s, ours %s", name, theirs.time, ours.time)
		}
		if ours.time != at && !h.old { // bringing a set up to date is no change
			h.fail(why, "%s: time %s, not %s", name, ours.time, at)
		}
	}
	if !slices.IsSorted(order) {
		h.fail(why, "the managers are not sorted: %v", order)
	}
	h.tally["applied"]++
	if before == got {
		h.tally["unchanged objects"]++
	}
	h.live, h.old = next, false
}

func histories(t *testing.T, kinds []applied) {
	tool, tally, source := startTool(t), map[string]int{}, newSource(seedOf(t))
	for tally["applied"]+tally["conflicts"] < *casesFlag && tally["different"] < 3 {
		k := pick(source, kinds)
		h := history{t: t, tool: tool, kind: k, draw: typed{source, k.schema}, last: map[string]object{}, tally: tally}
		if source.chance(30) {
			h.live = object{}
			h.live = h.dressed(h.draw.draw(k.ref, 0))
			h.live = withoutManaged(h.live)
		}
		for h.steps = 1; h.steps <= 12; h.steps++ {
			if h.live != nil && source.chance(20) {
				h.write()
				if source.chance(10) {
					h.forget()
				}
			} else {
				h.apply()
			}
		}
		tally["histories"]++
	}
	t.Logf("%v", tally)
	if tally["applied"] < *casesFlag/3 || tally["conflicts"] < *casesFlag/50 {
		t.Errorf("too few of the cases came to something")
	}
}

// Several managers and other writers at objects of the kinds that everybody has, and of an unknown one.
func TestApplyCommonKinds(t *testing.T) {
	common, _ := appliedKinds(t)
	histories(t, common)
}

// The same at all built-in kinds: what our table says of each list and map is what Kubernetes makes of its description.
func TestApplyAllKinds(t *testing.T) {
	_, all := appliedKinds(t)
	histories(t, all)
}
