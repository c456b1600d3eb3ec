package formats_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/formats"
)

// namesOf are the formats of a package that is not called as its format is.
var namesOf = map[string][]string{
	"langgraph":  {"langgraph", "checkpoint"},
	"messages":   {"openai-messages", "tau-bench"},
	"weirevents": {"weir"},
}

// TestDetection: of every format's own test inputs it is itself the surest, and
// alone so.
func TestDetection(t *testing.T) {
	byPackage := map[string][]string{}
	for _, format := range formats.All() {
		byPackage[strings.ReplaceAll(format.Name, "-", "")] = []string{format.Name}
	}
	for name, list := range namesOf {
		byPackage[name] = list
	}
	var paths []string
	for _, pattern := range []string{"../*/testdata/*", "../*/testdata/export/*", "../*/testdata/export/*/*"} {
		some, err := filepath.Glob(pattern)
		if err != nil || len(some) == 0 {
			t.Fatalf("%s: no inputs (%v)", pattern, err)
		}
		paths = append(paths, some...)
	}
	for _, path := range paths {
		owners := byPackage[strings.Split(filepath.ToSlash(path), "/")[1]]
		info, err := os.Stat(path)
		if owners == nil || err != nil || info.IsDir() || strings.HasSuffix(path, ".golden") || strings.HasSuffix(path, ".txtar") {
			continue // not an input of a format
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		probe := source.Probe{Name: filepath.Base(path), Head: text[:min(len(text), 64<<10)]}
		best, surest := 0, []string{}
		for _, format := range formats.All() {
			switch sure := format.Detect(probe); {
			case sure == 0 || sure < best:
			case sure == best:
				surest = append(surest, format.Name)
			default:
				best, surest = sure, []string{format.Name}
			}
		}
		if len(surest) != 1 || !slices.Contains(owners, surest[0]) {
			t.Errorf("%s: surest (%d) are %v", path, best, surest)
		}
	}
}
