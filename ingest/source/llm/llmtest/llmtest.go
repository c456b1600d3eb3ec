// Package llmtest runs a source format in a test: over a file of our own with
// its golden events beside it, over bytes, or over the real samples where a
// machine has them.
package llmtest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/lake"
)

// Result is what a format made of an input.
type Result struct {
	Events  []lake.Event
	Rejects []source.Reject
}

// Emit implements source.Out.
func (r *Result) Emit(e lake.Event) error {
	r.Events = append(r.Events, e)
	return nil
}

// Reject implements source.Out.
func (r *Result) Reject(reject source.Reject) error {
	r.Rejects = append(r.Rejects, reject)
	return nil
}

// Calls are the payloads of the gateway calls among the events.
func (r *Result) Calls() []*lake.GatewayCall {
	var calls []*lake.GatewayCall
	for _, e := range r.Events {
		if call, ok := e.Data.(*lake.GatewayCall); ok {
			calls = append(calls, call)
		}
	}
	return calls
}

// ReadFile reads a file with the format.
func ReadFile(t testing.TB, format source.Format, path string) *Result {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return readInput(t, format, &source.Input{Name: filepath.Base(path), Path: path, R: bytes.NewReader(text)})
}

// Read reads text with the format.
func Read(t testing.TB, format source.Format, text string) *Result {
	t.Helper()
	return readInput(t, format, &source.Input{Name: "input", R: strings.NewReader(text)})
}

// readInput also checks what holds for every event: it encodes, and it decodes
// to the same.
func readInput(t testing.TB, format source.Format, in *source.Input) *Result {
	t.Helper()
	var result Result
	if err := format.Read(context.Background(), in, &result); err != nil {
		t.Fatalf("%s: %v", in.Name, err)
	}
	for _, e := range result.Events {
		wire, err := e.Encode()
		if err != nil {
			t.Fatalf("%s: %v", in.Name, err)
		}
		back, err := lake.DecodeEvent(wire)
		if err != nil {
			t.Fatalf("%s: %v", in.Name, err)
		}
		if again, err := back.Encode(); err != nil || !bytes.Equal(wire, again) {
			t.Fatalf("%s: event %s changes on the wire: %v", in.Name, e.ID, err)
		}
	}
	return &result
}

// Golden compares the events and rejects of each input with the file named
// after it, with .golden in the end. UPDATE=1 rewrites the golden files.
func Golden(t *testing.T, format source.Format, pattern string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no inputs (%v)", pattern, err)
	}
	for _, path := range paths {
		if info, err := os.Stat(path); err != nil || info.IsDir() || strings.HasSuffix(path, ".golden") {
			continue // among them the corpus that fuzzing keeps
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			got := ReadFile(t, format, path).text(t)
			golden := path + ".golden"
			if os.Getenv("UPDATE") != "" {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatalf("%v (UPDATE=1 writes it)", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; UPDATE=1 rewrites it. Got:\n%s", golden, got)
			}
		})
	}
}

func (r *Result) text(t testing.TB) []byte {
	var b bytes.Buffer
	for _, e := range r.Events {
		wire, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Indent(&b, wire, "", "  "); err != nil {
			t.Fatal(err)
		}
		b.WriteByte('\n')
	}
	for _, reject := range r.Rejects {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err := enc.Encode(map[string]any{"reject": reject.Reason, "detail": reject.Detail, "line": reject.Line, "record": reject.Record, "body": string(reject.Body)})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// Samples finds a folder of the real samples by the environment variable
// WEIR_SAMPLES, else beside the repository, and skips the test where there are
// none.
func Samples(t testing.TB, folder string) string {
	t.Helper()
	root := os.Getenv("WEIR_SAMPLES")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for filepath.Dir(dir) != dir {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(dir, "..", "shared", "samples")
	}
	path := filepath.Join(root, folder)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no samples: set WEIR_SAMPLES to a folder that holds %s", folder)
	}
	return path
}
