// Package docs holds no code: its tests keep the pages true.
package docs

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/evalsql"
	"github.com/weir-lake/weir/lake/derive"
	"github.com/weir-lake/weir/transforms"
)

// docs/tables.md says of the derived tables what the headers of the .sql files
// say; UPDATE=1 rewrites that part of it. (The part on events is lake's.)
func TestDerivedTablesAreDocumented(t *testing.T) {
	const (
		file  = "tables.md"
		begin = "<!-- derived: from the headers of the .sql files -->\n"
		end   = "<!-- end of derived -->\n"
	)
	curated, err := transforms.Tables(nil)
	if err != nil {
		t.Fatal(err)
	}
	analyses, err := evalsql.Tables()
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range slices.Concat(curated, analyses) {
		for _, column := range table.Columns {
			if column.Doc == "" {
				t.Errorf("%s.%s: the header does not say what it is", table.Name, column.Name)
			}
		}
	}
	want := "\n" + derive.Docs(slices.Concat(curated, analyses))
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), begin)
	old, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s: no section between %q and %q", file, begin, end)
	}
	if old == want {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s is not what the headers say: run UPDATE=1 go test ./docs", file)
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o666); err != nil {
		t.Fatal(err)
	}
}
