package patch

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// Words of label selectors: right ones, wrong ones, and what is between them.
var labelWords = strings.Split("a b c in notin exists x.io/a X-1 1 5 12 -a a- a/b/c /a a/ x_y/z "+
	"A..b a..b/c ä , , , = = == != ! ( ( ) ) > < , in in notin |", " ")

func (s source) labelSelector() string {
	var b strings.Builder
	for range s.IntN(9) {
		b.WriteString(pick(s, []string{"", " ", "", "\t", " \r\n "}))
		b.WriteString(pick(s, labelWords))
	}
	b.WriteString(pick(s, []string{"", "", " "}))
	return b.String()
}

// likely has the form of a selector, whatever the words are.
func (s source) likelyLabelSelector() string {
	word := func() string { return pick(s, []string{"a", "b", "x.io/a", "in", "notin", "1", "5", "12", ""}) }
	gap := func() string { return pick(s, []string{"", " ", "  "}) }
	var terms []string
	for range 1 + s.IntN(3) {
		switch s.IntN(4) {
		case 0:
			terms = append(terms, gap()+pick(s, []string{"", "!", "! "})+word())
		case 1, 2:
			terms = append(terms, gap()+word()+gap()+pick(s, []string{"=", "==", "!=", ">", "<"})+gap()+word())
		default:
			var values []string
			for range s.IntN(4) {
				values = append(values, gap()+word()+gap())
			}
			terms = append(terms, word()+pick(s, []string{" in", " notin", "\tin "})+gap()+"("+strings.Join(values, ",")+")")
		}
	}
	return strings.Join(terms, pick(s, []string{",", " , "}))
}

func (s source) labels() map[string]string {
	set := map[string]string{}
	for _, key := range []string{"a", "b", "x.io/a", "in", "notin", "1"} {
		if s.chance(50) {
			set[key] = pick(s, []string{"", "a", "b", "in", "1", "5", "12", "-3", "+3", "0x1", "1_0", "99999999999999999999"})
		}
	}
	return set
}

func TestLabelSelectors(t *testing.T) {
	s := newSource(seedOf(t))
	tool := startTool(t)
	right, selected := 0, 0
	for range *casesFlag {
		text := s.labelSelector()
		if s.chance(60) {
			text = s.likelyLabelSelector()
		}
		set := s.labels()
		var got answer
		tool.ask(object{"type": "selector", "labels": text, "target": object{"metadata": object{"labels": set}}}, &got)
		selector, err := labels.Parse(text)
		if (err != nil) != (got.Error != "") {
			t.Fatalf("%q: Kubernetes says %v, we say %q", text, err, got.Error)
		}
		if err != nil {
			continue
		}
		right++
		want := selector.Matches(labels.Set(set))
		if (string(got.Result) == "true") != want {
			t.Fatalf("%q of %v: Kubernetes says %v, we say %s", text, set, want, got.Result)
		}
		if want {
			selected++
		}
	}
	t.Logf("%d of %d are selectors, %d select", right, *casesFlag, selected)
	if right < *casesFlag/5 || selected < right/10 || selected > right*9/10 {
		t.Error("too few of a sort")
	}
}

func (s source) fieldSelector() string {
	var b strings.Builder
	for i := range 1 + s.IntN(3) {
		if i > 0 {
			b.WriteString(pick(s, []string{",", ",", ",,", `\,`}))
		}
		b.WriteString(pick(s, []string{"a", "b", "c", "a", " a", "a ", "ä"}))
		b.WriteString(pick(s, []string{"=", "==", "!=", "=", "!=", "", "!", "==="}))
		for range s.IntN(4) {
			b.WriteString(pick(s, []string{"x", "y", " ", `\\`, `\,`, `\=`, "x", "!", `\`, "=", "ü", "("}))
		}
	}
	return b.String()
}

func TestFieldSelectors(t *testing.T) {
	s := newSource(seedOf(t))
	tool := startTool(t)
	right, selected := 0, 0
	for range *casesFlag {
		text := s.fieldSelector()
		set := fields.Set{}
		for _, name := range []string{"a", "b", " a", "ä"} {
			if s.chance(70) {
				set[name] = pick(s, []string{"", "x", "xy", "x,", `x\`, "x=", "!", "ü"})
			}
		}
		var got answer
		tool.ask(object{"type": "selector", "fields": text, "target": set}, &got)
		// Kubernetes takes anything for the name of a field, and finds out later that there is none.
		if strings.Contains(got.Error, "not the path of a field") {
			continue
		}
		selector, err := fields.ParseSelector(text)
		if (err != nil) != (got.Error != "") {
			t.Fatalf("%q: Kubernetes says %v, we say %q", text, err, got.Error)
		}
		if err != nil {
			continue
		}
		right++
		want := selector.Matches(set)
		// A comma in a name is written "\,", and Kubernetes keeps the backslash.
		escaped := false
		for _, r := range selector.Requirements() {
			escaped = escaped || strings.Contains(r.Field, `\`)
		}
		if !escaped && (string(got.Result) == "true") != want {
			t.Fatalf("%q of %v: Kubernetes says %v, we say %s", text, set, want, got.Result)
		}
		if want {
			selected++
		}
	}
	t.Logf("%d of %d are selectors, %d select", right, *casesFlag, selected)
	if right < *casesFlag/5 || selected < right/10 || selected > right*9/10 {
		t.Error("too few of a sort")
	}
}
