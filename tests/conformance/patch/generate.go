package patch

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type object = map[string]any
type list = []any

// source draws resources of Go types, and patches of them.
type source struct {
	*rand.Rand
}

func newSource(seed uint64) source {
	return source{rand.New(rand.NewPCG(seed, seed))}
}

func (s source) chance(percent int) bool { return s.IntN(100) < percent }

func pick[T any](s source, of []T) T { return of[s.IntN(len(of))] }

// field is what a JSON object of a Go type may have.
type field struct {
	name       string
	typ        reflect.Type
	strategies []string
	mergeKey   string
}

func (f field) has(strategy string) bool { return slices.Contains(f.strategies, strategy) }

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if sf.Anonymous && (name == "" || strings.Contains(options, "inline")) {
			all = append(all, fieldsOf(deref(sf.Type))...)
		} else if sf.IsExported() && name != "" && name != "-" {
			all = append(all, field{name, deref(sf.Type), strings.Split(sf.Tag.Get("patchStrategy"), ","),
				sf.Tag.Get("patchMergeKey")})
		}
	}
	return all
}

// leaf is a type whose JSON is not that of its fields: a value of it, and whether it is one.
func (s source) leaf(t reflect.Type) (any, bool) {
	switch t {
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime](), reflect.TypeFor[metav1.Duration](),
		reflect.TypeFor[resource.Quantity]():
		return s.word(), true
	case reflect.TypeFor[intstr.IntOrString]():
		if s.chance(50) {
			return s.word(), true
		}
		return s.number(), true
	case reflect.TypeFor[runtime.RawExtension](), reflect.TypeFor[metav1.FieldsV1]():
		return s.word(), true
	}
	switch t.Kind() {
	case reflect.String:
		return s.word(), true
	case reflect.Bool:
		return s.chance(50), true
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint32:
		return s.number(), true
	case reflect.Float64:
		return float64(s.IntN(8)) / 2, true
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return s.word(), true
		}
	}
	return nil, false
}

func (s source) word() string  { return pick(s, []string{"a", "b", "c", "d", "e", "f"}) }
func (s source) number() int64 { return int64(s.IntN(5)) }

// some draws about count of the fields; those with a strategy, and those on the way to one, are drawn more often.
func (s source) some(t reflect.Type, count int) []field {
	var chosen []field
	all := fieldsOf(t)
	for _, f := range all {
		chance := 100 * count / len(all)
		if f.strategies[0] != "" || f.name == "spec" || f.name == "template" || f.name == "metadata" || f.name == "status" {
			chance = max(chance, 45)
		}
		if f.name != "managedFields" && s.chance(chance) {
			chosen = append(chosen, f)
		}
	}
	return chosen
}

// value draws a value of a type.
func (s source) value(t reflect.Type, f field, depth int) any {
	if v, ok := s.leaf(t); ok {
		return v
	}
	switch t.Kind() {
	case reflect.Struct:
		if depth > 8 {
			return object{}
		}
		o := object{}
		for _, f := range s.some(t, 3) {
			o[f.name] = s.value(f.typ, f, depth+1)
		}
		return o
	case reflect.Map:
		o := object{}
		for range s.IntN(4) {
			o[s.word()] = s.value(deref(t.Elem()), field{}, depth+1)
		}
		return o
	case reflect.Slice:
		l := list{}
		for range s.IntN(5) {
			l = append(l, s.item(t, f, depth))
		}
		if f.has("merge") && (f.mergeKey == "" || s.chance(95)) {
			l = distinct(l, f.mergeKey)
		}
		return l
	}
	panic("no value of " + t.String())
}

// item draws an item of a list; it has the merge key.
func (s source) item(t reflect.Type, f field, depth int) any {
	element := deref(t.Elem())
	v := s.value(element, field{}, depth+1)
	if o, ok := v.(object); ok && f.mergeKey != "" {
		if _, ok := o[f.mergeKey]; !ok || s.chance(50) {
			o[f.mergeKey] = s.keyValue(element, f.mergeKey)
		}
	}
	return v
}

func (s source) keyValue(t reflect.Type, name string) any {
	for _, f := range fieldsOf(t) {
		if f.name == name {
			return s.value(f.typ, f, 0)
		}
	}
	panic("no field " + name + " in " + t.String())
}

func keyOf(v any, mergeKey string) any {
	if o, ok := v.(object); ok {
		return o[mergeKey]
	}
	return v
}

func distinct(l list, mergeKey string) list {
	seen, kept := map[any]bool{}, list{}
	for _, v := range l {
		if k := keyOf(v, mergeKey); !seen[k] {
			seen[k] = true
			kept = append(kept, v)
		}
	}
	return kept
}

// change draws a value that is like another one.
func (s source) change(t reflect.Type, f field, v any, depth int) any {
	if _, ok := s.leaf(t); ok || s.chance(5) {
		return s.value(t, f, depth)
	}
	switch v := v.(type) {
	case object:
		o := object{}
		for name, member := range sorted(v) {
			switch {
			case s.chance(15):
			case t.Kind() == reflect.Map:
				o[name] = s.change(deref(t.Elem()), field{}, member, depth+1)
			default:
				f := fieldNamed(t, name)
				o[name] = member
				if s.chance(60) {
					o[name] = s.change(f.typ, f, member, depth+1)
				}
			}
		}
		if t.Kind() == reflect.Struct {
			for _, f := range s.some(t, 1) {
				if _, ok := o[f.name]; !ok && s.chance(50) {
					o[f.name] = s.value(f.typ, f, depth+1)
				}
			}
		}
		return o
	case list:
		l := list{}
		for _, item := range v {
			switch {
			case s.chance(20):
			case f.mergeKey == "" || s.chance(50):
				l = append(l, item)
			default:
				o := s.change(deref(t.Elem()), field{}, item, depth+1).(object)
				o[f.mergeKey] = keyOf(item, f.mergeKey)
				l = append(l, o)
			}
		}
		for s.chance(30) {
			l = slices.Insert(l, s.IntN(len(l)+1), s.item(t, f, depth))
		}
		if s.chance(30) {
			s.Shuffle(len(l), func(i, j int) { l[i], l[j] = l[j], l[i] })
		}
		if f.has("merge") {
			l = distinct(l, f.mergeKey)
		}
		return l
	}
	return v
}

func sorted(o object) func(yield func(string, any) bool) {
	return func(yield func(string, any) bool) {
		names := make([]string, 0, len(o))
		for name := range o {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			if !yield(name, o[name]) {
				return
			}
		}
	}
}

func fieldNamed(t reflect.Type, name string) field {
	for _, f := range fieldsOf(t) {
		if f.name == name {
			return f
		}
	}
	panic(fmt.Sprintf("no field %s in %v", name, t))
}

// patch draws a patch of a value with directives, some of them wrong.
func (s source) patch(t reflect.Type, v object, depth int) object {
	p := object{}
	if depth > 0 && s.chance(4) {
		p["$patch"] = pick(s, []any{"replace", "replace", "delete", "delete", "merge", "x", int64(1), nil})
	}
	if t.Kind() != reflect.Struct {
		for range s.IntN(3) {
			p[s.word()] = s.orNull(s.value(deref(t.Elem()), field{}, depth+1))
		}
		return p
	}
	chosen := s.some(t, 1)
	for name := range sorted(v) {
		if s.chance(40) {
			chosen = append(chosen, fieldNamed(t, name))
		}
	}
	for i, f := range chosen {
		if !slices.ContainsFunc(chosen[:i], func(before field) bool { return before.name == f.name }) {
			s.patchField(p, f, v[f.name], depth)
		}
	}
	if s.chance(4) {
		s.retainKeys(p, t, v)
	}
	return p
}

func (s source) orNull(v any) any {
	if s.chance(15) {
		return nil
	}
	return v
}

func (s source) patchField(p object, f field, old any, depth int) {
	_, isLeaf := s.leaf(f.typ)
	before, isObject := old.(object)
	switch {
	case s.chance(10):
		p[f.name] = nil
	case s.chance(2):
		p[f.name] = pick(s, []any{"a", int64(1), true, list{}, object{}, list{"a"}, list{object{"a": "b"}}, list{int64(1), "a"}})
	case isLeaf:
		p[f.name] = s.value(f.typ, f, depth)
	case f.typ.Kind() == reflect.Slice:
		s.patchList(p, f, old, depth)
	default:
		if !isObject {
			before = object{}
		}
		o := s.patch(f.typ, before, depth+1)
		if f.has("retainKeys") && s.chance(70) {
			s.retainKeys(o, f.typ, before)
		}
		p[f.name] = o
	}
}

// retainKeys names what the patch sets, nearly always, and some more.
func (s source) retainKeys(p object, t reflect.Type, old object) {
	names := list{}
	for name, v := range sorted(p) {
		if !strings.HasPrefix(name, "$") && v != nil && s.chance(97) {
			names = append(names, name)
		}
	}
	for name := range sorted(old) {
		if s.chance(50) {
			names = append(names, name)
		}
	}
	if s.chance(2) {
		names = append(names, pick(s, []any{int64(1), nil, "x", true}))
	}
	p["$retainKeys"] = names
}

func (s source) patchList(p object, f field, old any, depth int) {
	before, _ := old.(list)
	items := list{}
	for range s.IntN(4) {
		items = append(items, s.patchItem(f, before, depth))
	}
	items = newOnce(items, before, f.mergeKey)
	hasOrder := f.has("merge") && s.chance(40)
	if s.chance(85) {
		p[f.name] = items
	} else {
		items = nil
	}
	if hasOrder {
		s.order(p, f, items, before)
	}
	// Beside the list, without an order, Kubernetes takes them in any order.
	if f.mergeKey == "" && (items == nil || hasOrder) && s.chance(40) {
		gone := list{}
		for range s.IntN(3) {
			gone = append(gone, s.itemOrOld(f, before, depth))
		}
		p["$deleteFromPrimitiveList/"+f.name] = gone
	}
	if s.chance(1) {
		p[pick(s, []string{"$setElementOrder", "$deleteFromPrimitiveList", "$setElementOrderX/", "$deleteFromPrimitiveListX/"})+
			pick(s, []string{"", f.name})] = list{}
	}
}

// newOnce keeps one of the items that have the same key and were not there before. Kubernetes takes the first as it is, with
// its directives, and then merges the second into that.
func newOnce(items, before list, mergeKey string) list {
	if mergeKey == "" {
		return items
	}
	seen, old, kept := map[string]bool{}, map[string]bool{}, list{}
	for _, v := range before {
		old[text(keyOf(v, mergeKey))] = true
	}
	for _, v := range items {
		key := text(keyOf(v, mergeKey))
		if old[key] || !seen[key] {
			kept = append(kept, v)
		}
		seen[key] = true
	}
	return kept
}

func (s source) itemOrOld(f field, before list, depth int) any {
	if len(before) > 0 && s.chance(60) {
		return runtime.DeepCopyJSONValue(pick(s, before))
	}
	return s.item(f.typ, f, depth)
}

func (s source) patchItem(f field, before list, depth int) any {
	if f.mergeKey == "" {
		return s.itemOrOld(f, before, depth)
	}
	element := deref(f.typ.Elem())
	old, item := object{}, object{}
	key := s.keyValue(element, f.mergeKey)
	if len(before) > 0 && s.chance(60) {
		old, _ = pick(s, before).(object)
		key = old[f.mergeKey]
	}
	switch {
	case s.chance(15):
		item["$patch"] = "delete"
	case s.chance(2):
		item["$patch"] = pick(s, []any{"replace", "merge", "x", nil, int64(1)})
	case s.chance(70):
		item = s.patch(element, old, depth+1)
		if f.has("retainKeys") && s.chance(30) {
			item[f.mergeKey] = key
			s.retainKeys(item, element, old)
		}
	default:
		item = s.value(element, field{}, depth+1).(object)
	}
	if !s.chance(1) {
		item[f.mergeKey] = key
	}
	return item
}

// order is what the patch has and some of what was there, in the patch's order, nearly always.
func (s source) order(p object, f field, items, before list) {
	wanted := list{}
	for _, v := range items {
		if o, ok := v.(object); !ok || o["$patch"] != "delete" {
			wanted = append(wanted, s.orderItem(f, v))
		}
	}
	for _, v := range before {
		if s.chance(60) {
			wanted = slices.Insert(wanted, s.IntN(len(wanted)+1), s.orderItem(f, v))
		}
	}
	switch {
	case s.chance(3):
		s.Shuffle(len(wanted), func(i, j int) { wanted[i], wanted[j] = wanted[j], wanted[i] })
	case s.chance(5):
		wanted = list{}
	case s.chance(1):
		wanted = append(wanted, pick(s, []any{"a", object{}, int64(1)}))
	}
	p["$setElementOrder/"+f.name] = wanted
	if s.chance(1) {
		p["$setElementOrder/"+f.name] = pick(s, []any{"a", object{}, int64(1)})
	}
}

func (s source) orderItem(f field, v any) any {
	if o, ok := v.(object); ok && f.mergeKey != "" {
		if key, ok := o[f.mergeKey]; ok {
			return object{f.mergeKey: key}
		}
		return object{}
	}
	return v
}
