package cassette

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/weir-lake/weir/ingest/source"
	"github.com/weir-lake/weir/ingest/source/llm/llmtest"
)

func TestGolden(t *testing.T) { llmtest.Golden(t, Format(), "testdata/*") }

func TestDetect(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.y*ml")
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if detect(source.Probe{Head: text}) < 80 {
			t.Errorf("%s is not found to be a cassette", path)
		}
	}
	for _, text := range []string{"", "a: 1\n", "# Interactions\n\nAt your request:\n", `{"interactions":[]}`, `{"request":{},"response":{}}`} {
		if detect(source.Probe{Head: []byte(text)}) != 0 {
			t.Errorf("%q is found to be a cassette", text)
		}
	}
}

// TestAliasBomb: a few lines that stand for billions of nodes cost nothing.
func TestAliasBomb(t *testing.T) {
	text := "interactions:\n- a: &a [" + strings.Repeat("x,", 99) + "x]\n"
	for c := 'b'; c < 'k'; c++ {
		text += "  " + string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 99) + "*" + string(c-1) + "]\n"
	}
	got := llmtest.Read(t, Format(), text)
	if len(got.Events) != 0 || len(got.Rejects) != 1 || got.Rejects[0].Reason != "not_yaml" {
		t.Errorf("%d events, rejects %+v", len(got.Events), got.Rejects)
	}
}

func TestScalars(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1", "007": "7", "0x1F": "31", "1.50": "1.50", "1e3": "1e3", ".5": "0.5", ".inf": "null", "~": "null", "true": "true",
		"yes": `"yes"`, "2025-10-09": `"2025-10-09"`, "'1'": `"1"`, "12345678901234567890": "12345678901234567890", "a: b": `{"a":"b"}`, "": "null",
		"[1, x]": `[1,"x"]`, "{1: 2}": `{"1":2}`,
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte("- "+text), &doc); err != nil {
			t.Fatal(err)
		}
		c := converter{left: 1000}
		got, err := c.json(doc.Content[0].Content[0])
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s (%v), want %s", text, got, err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.y*ml")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var result llmtest.Result
		if err := read(context.Background(), &source.Input{Name: "fuzz", R: bytes.NewReader(text)}, &result); err != nil {
			t.Fatal(err)
		}
		for _, e := range result.Events {
			if _, err := e.Encode(); err != nil {
				t.Fatal(err)
			}
		}
		if interactions, err := parse(text); err == nil {
			for _, i := range interactions {
				if !json.Valid(i.json()) {
					t.Fatalf("no JSON: %s", i.json())
				}
			}
		}
	})
}
