package lake

import (
	"os"
	"strings"
	"testing"
)

const (
	docsFile  = "../docs/tables.md"
	docsBegin = "<!-- events: from lake.Docs -->\n"
	docsEnd   = "<!-- end of events -->\n"
)

// docs/tables.md says of the events tables what the structs say; UPDATE=1
// rewrites that part of it.
func TestDocsAreTrue(t *testing.T) {
	data, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(data), docsBegin)
	old, after, ok2 := strings.Cut(rest, docsEnd)
	if !ok1 || !ok2 {
		t.Fatalf("%s: no section between %q and %q", docsFile, docsBegin, docsEnd)
	}
	want := "\n" + Docs()
	if old == want {
		return
	}
	if os.Getenv("UPDATE") == "" {
		t.Fatalf("%s is not what the structs say: run UPDATE=1 go test ./lake", docsFile)
	}
	if err := os.WriteFile(docsFile, []byte(before+docsBegin+want+docsEnd+after), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestEveryColumnIsDocumented(t *testing.T) {
	var visit func(path string, columns []Column)
	visit = func(path string, columns []Column) {
		for _, column := range columns {
			if column.Doc == "" {
				t.Errorf("%s%s has no doc", path, column.Name)
			}
			visit(path+column.Name+".", column.Fields)
		}
	}
	for _, p := range Payloads() {
		visit(p.Table+".", p.Columns())
	}
}
