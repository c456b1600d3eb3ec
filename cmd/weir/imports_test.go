package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/weir-lake/weir/"

// mayImport is the one-way table of imports: a folder and what of ours it may
// use. A folder may always use itself.
var mayImport = map[string][]string{
	"lake":       {},
	"ingest":     {"lake"},
	"transforms": {"lake"},
	"exporters":  {"lake"},
	"evalsql":    {"lake"},
	"augment":    {"lake", "retry"},
	"review":     {"lake"},
	"dataset":    {"lake", "exporters"},
	"distill":    {"lake", "exporters", "augment"},
	"train":      {"lake", "exporters", "retry"},
	"retry":      {},
	"lineage":    {"lake"},
	"registry":   {"lake", "transforms", "exporters"},
	"queries":    {},
	"dashboard":  {"lake", "transforms", "evalsql"},
	"docs":       {}, // its tests may use anything
	"faults":     {}, // tests only, which use what we did not write
	"cmd":        {"lake", "ingest", "transforms", "exporters", "evalsql", "augment", "review", "dataset", "train", "lineage", "registry", "retry", "distill", "queries", "dashboard", "testdata"},
}

// onlyThere are libraries that belong to one folder.
var onlyThere = map[string]string{
	"github.com/jackc/pgx/v5":       "ingest",
	"github.com/minio/minio-go/v7":  "exporters",
	"github.com/segmentio/kafka-go": "ingest",
	"github.com/urfave/cli/v2":      "cmd",
}

func TestImportsRunOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		checkImports(t, pkg.ImportPath, pkg.Imports)
	}
}

func checkImports(t *testing.T, importPath string, imports []string) {
	t.Helper()
	folder, _, _ := strings.Cut(strings.TrimPrefix(importPath, module), "/")
	allowed, known := mayImport[folder]
	if !known {
		t.Errorf("%s: folder %s is not in the table", importPath, folder)
	}
	for _, imported := range imports {
		for library, home := range onlyThere {
			if (imported == library || strings.HasPrefix(imported, library+"/")) && folder != home {
				t.Errorf("%s imports %s, which belongs to %s", importPath, imported, home)
			}
		}
		ours, isOurs := strings.CutPrefix(imported, module)
		if !isOurs {
			continue
		}
		target, _, _ := strings.Cut(ours, "/")
		if target != folder && !slices.Contains(allowed, target) {
			t.Errorf("%s imports %s, which %s may not", importPath, imported, folder)
		}
	}
}
