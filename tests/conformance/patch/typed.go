package patch

import (
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/schema"
)

// typed draws values of the types of a schema of structured-merge-diff.
type typed struct {
	source
	schema *schema.Schema
}

// What the store or the API server sets, and what is not applied.
var systemFields = []string{"managedFields", "uid", "resourceVersion", "generation", "selfLink", "creationTimestamp", "deletionTimestamp"}

func (s typed) resolve(ref schema.TypeRef) schema.Atom {
	atom, ok := s.schema.Resolve(ref)
	if !ok {
		panic(fmt.Sprintf("no type %v", ref))
	}
	return atom
}

// odd has what is escaped in the texts of fields, here and there.
func (s typed) odd() string { return s.word() + "<&>\u2028\"\\\t\b\x7fä" }

func (s typed) scalar(of schema.Scalar) any {
	switch of {
	case schema.String:
		if s.chance(3) {
			return s.odd()
		}
		return s.word()
	case schema.Numeric:
		return s.number()
	case schema.Boolean:
		return s.chance(50)
	}
	return pick(s.source, []any{s.word(), s.number(), s.chance(50), 0.5, s.odd()})
}

// one of the types that an atom allows.
func (s typed) one(atom schema.Atom) schema.Atom {
	var all []schema.Atom
	if atom.Scalar != nil {
		all = append(all, schema.Atom{Scalar: atom.Scalar})
	}
	if atom.List != nil {
		all = append(all, schema.Atom{List: atom.List})
	}
	if atom.Map != nil {
		all = append(all, schema.Atom{Map: atom.Map}, schema.Atom{Map: atom.Map})
	}
	return pick(s.source, all)
}

func (s typed) draw(ref schema.TypeRef, depth int) any {
	atom := s.one(s.resolve(ref))
	switch {
	case s.chance(2):
		return nil
	case atom.Scalar != nil:
		return s.scalar(*atom.Scalar)
	case atom.List != nil:
		return s.list(atom.List, list{}, depth)
	}
	return s.members(atom.Map, object{}, 3, depth)
}

// members adds about count members to an object.
func (s typed) members(m *schema.Map, o object, count, depth int) object {
	if depth > 9 {
		return o
	}
	fields := slices.Clone(m.Fields) // in an order that is the same each time
	slices.SortFunc(fields, func(a, b schema.StructField) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range fields {
		chance := 100 * count / len(m.Fields)
		if count > 1 && slices.Contains([]string{"spec", "template", "metadata", "containers", "ports", "data"}, f.Name) {
			chance = 60
		}
		if _, ok := o[f.Name]; !ok && s.chance(chance) && !slices.Contains(systemFields, f.Name) {
			o[f.Name] = s.draw(f.Type, depth+1)
		}
	}
	if len(m.Fields) == 0 {
		for range s.IntN(count + 1) {
			o[s.word()] = s.draw(m.ElementType, depth+1)
		}
	}
	return o
}

// list adds items to a list; those of an associative one are distinct.
func (s typed) list(l *schema.List, items list, depth int) list {
	if depth > 9 {
		return items
	}
	for range s.IntN(4) {
		item := s.item(l, depth)
		if l.ElementRelationship == schema.Associative && slices.ContainsFunc(items, func(v any) bool {
			return s.key(l, v) == s.key(l, item)
		}) {
			continue
		}
		items = slices.Insert(items, s.IntN(len(items)+1), item)
	}
	return items
}

func (s typed) item(l *schema.List, depth int) any {
	item := s.draw(l.ElementType, depth+1)
	if l.ElementRelationship != schema.Associative {
		return item
	}
	if len(l.Keys) == 0 {
		for item == nil {
			item = s.draw(l.ElementType, depth+1)
		}
		return item
	}
	o, ok := item.(object)
	if !ok {
		o = object{}
	}
	for i, name := range l.Keys {
		f := s.field(l, name)
		switch {
		case i > 0 && s.chance(40):
			delete(o, name)
		default:
			o[name] = s.scalar(*s.resolve(f.Type).Scalar)
		}
	}
	return o
}

func (s typed) field(l *schema.List, name string) schema.StructField {
	f, ok := s.resolve(l.ElementType).Map.FindField(name)
	if !ok {
		panic("no key " + name)
	}
	return f
}

// key tells an item of an associative list from others.
func (s typed) key(l *schema.List, item any) string {
	if len(l.Keys) == 0 {
		return text(item)
	}
	key := object{}
	for _, name := range l.Keys {
		if v, ok := item.(object)[name]; ok {
			key[name] = v
		} else if d := s.field(l, name).Default; d != nil {
			key[name] = d
		}
	}
	return text(key)
}

// vary keeps about so many percent of a value, changes some, and adds some unless it is to be a part.
func (s typed) vary(ref schema.TypeRef, v any, keep int, add bool, depth int) any {
	if s.chance(4) {
		return s.draw(ref, depth)
	}
	atom := s.resolve(ref)
	switch v := v.(type) {
	case object:
		return s.varyObject(atom.Map, v, keep, add, depth)
	case list:
		return s.varyList(atom.List, v, keep, add, depth)
	}
	if s.chance(10) {
		return s.draw(ref, depth)
	}
	return v
}

func (s typed) varyObject(m *schema.Map, v object, keep int, add bool, depth int) any {
	o := object{}
	for name, member := range sorted(v) {
		ref := m.ElementType
		if f, ok := m.FindField(name); ok {
			ref = f.Type
		}
		if slices.Contains(systemFields, name) {
			o[name] = member
		} else if s.chance(keep) {
			o[name] = s.vary(ref, member, keep, add, depth+1)
		}
	}
	if add && s.chance(30) {
		s.members(m, o, 1, depth)
	}
	return o
}

func (s typed) varyList(l *schema.List, v list, keep int, add bool, depth int) any {
	kept := list{}
	for _, item := range v {
		if !s.chance(keep) {
			continue
		}
		if o, ok := item.(object); ok && len(l.Keys) > 0 {
			changed, ok := s.vary(l.ElementType, o, keep, add, depth+1).(object)
			if !ok {
				changed = object{}
			}
			for _, name := range l.Keys {
				if k, ok := o[name]; ok {
					changed[name] = k
				} else {
					delete(changed, name)
				}
			}
			item = changed
		}
		kept = append(kept, item)
	}
	if add && s.chance(30) {
		kept = s.list(l, kept, depth)
	}
	if s.chance(20) {
		s.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
	}
	return kept
}

// twins repeats items of associative lists here and there.
func (s typed) twins(ref schema.TypeRef, v any) {
	atom := s.resolve(ref)
	switch v := v.(type) {
	case object:
		for name, member := range sorted(v) {
			ref := atom.Map.ElementType
			if f, ok := atom.Map.FindField(name); ok {
				ref = f.Type
			}
			if items, ok := member.(list); ok && len(items) > 0 && s.chance(40) {
				if l := s.resolve(ref).List; l != nil && l.ElementRelationship == schema.Associative {
					v[name] = append(items, pick(s.source, items))
				}
			}
			s.twins(ref, member)
		}
	case list:
		for _, item := range v {
			s.twins(atom.List.ElementType, item)
		}
	}
}
