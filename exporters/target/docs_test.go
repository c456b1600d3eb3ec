package target

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// The documentation lists every rule, as Rules describes them. UPDATE=1 writes
// the list.
func TestRulesAreDocumented(t *testing.T) {
	const path, begin, end = "../../docs/targets.md", "<!-- rules -->\n", "<!-- end of rules -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the rules", path)
	}
	var table strings.Builder
	table.WriteString("\n| rule | example | what, and why |\n| --- | --- | --- |\n")
	for _, rule := range Rules() {
		what := "changed"
		if rule.Drops {
			what = "dropped"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", rule.Rule, what, rule.Doc)
	}
	want := head + begin + table.String() + "\n" + end + tail
	if want == string(text) {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s does not list the rules as they are: UPDATE=1 go test ./exporters/target", path)
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
