package formats_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/formats"
)

// TestFormats: names are unique and in order, every format is documented, and
// none claims a file that says nothing.
func TestFormats(t *testing.T) {
	last := ""
	for _, format := range formats.All() {
		if format.Name <= last {
			t.Errorf("%s stands after %s", format.Name, last)
		}
		last = format.Name
		if format.Doc == "" || format.Version < 1 {
			t.Errorf("%s: doc %q, version %d", format.Name, format.Doc, format.Version)
		}
		page := filepath.Join("..", "..", "..", "docs", "formats", format.Name+".md")
		if _, err := os.Stat(page); err != nil {
			t.Errorf("%s has no page: %v", format.Name, err)
		}
		for _, head := range []string{"", "{", "{}", "[]", "\x00\x01\x02", "a,b\n1,2\n"} {
			if sure := format.Detect(source.Probe{Name: "data", Head: []byte(head)}); sure != 0 {
				t.Errorf("%s is %d sure of %q", format.Name, sure, head)
			}
		}
	}
}

// TestOwnInputs: the inputs that formats are tested with are found to be
// theirs, not another's.
func TestOwnInputs(t *testing.T) {
	for folder, want := range map[string]string{
		"cassette":   "cassette",
		"chatgpt":    "chatgpt",
		"claudecode": "claude-code",
		"codex":      "codex",
		"entire":     "entire",
		"geminicli":  "gemini-cli",
		"groupchat":  "group-chat",
		"langfuse":   "langfuse",
		"langgraph":  "checkpoint",
		"litellm":    "litellm",
		"openhands":  "openhands",
		"otel":       "otel",
		"sharegpt":   "sharegpt",
		"sweagent":   "swe-agent",
		"toolbench":  "toolbench",
	} {
		paths, err := filepath.Glob(filepath.Join("..", folder, "testdata", "*.*"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no inputs (%v)", folder, err)
		}
		for _, path := range paths {
			if filepath.Ext(path) == ".golden" {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			best, name := 0, ""
			for _, format := range formats.All() {
				if sure := format.Detect(source.Probe{Name: "data", Head: text[:min(len(text), 64<<10)]}); sure > best {
					best, name = sure, format.Name
				}
			}
			if name != want {
				t.Errorf("%s: %d sure that it is %q, want %s", path, best, name, want)
			}
		}
	}
}
